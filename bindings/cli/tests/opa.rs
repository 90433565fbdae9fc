//! Bundles of OPA: what is built of them, and every archive that is refused.

#![cfg(feature = "opa")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod shell;

use std::fs;
use std::io::Write as _;
use std::path::Path;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use fallgate_cli::budget::{FILE_BYTES_MAX, FILES_MAX};
use fallgate_cli::opa::archive;
use fallgate_cli::opa::jws::VerificationKey;
use fallgate_cli::opa::{Terms, document};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use shell::fallgate;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

const REGO: &str = "package app.authz\n\ndefault allow := false\n\nallow if input.subject.id in data.team.members\n";
const DATA: &str = "{ \"members\": [\"ann\", \"bob\"],\n  \"size\": 2.50 }";
const MANIFEST: &str = "{\"revision\": \"7\", \"roots\": [\"app\", \"team\"]}";

/// The files of a good bundle, named as OPA's tool names them.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![("/.manifest", MANIFEST.into()), ("/team/data.json", DATA.into()), ("/app/authz.rego", REGO.into())]
}

fn entry(tar: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, bytes: &[u8]) {
    let mut header = Header::new_ustar();
    // The name as it is: the library would refuse some of those that are tried here.
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    if matches!(kind, EntryType::Symlink | EntryType::Link) {
        header.set_link_name_literal("/etc/passwd").unwrap();
    }
    header.set_cksum();
    tar.append(&header, bytes).unwrap();
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tarred(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, bytes) in files {
        entry(&mut tar, name, EntryType::Regular, bytes);
    }
    tar.into_inner().unwrap()
}

fn archived(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    zipped(&tarred(files))
}

fn key() -> (Ed25519KeyPair, VerificationKey, String) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    // SPKI of Ed25519 (RFC 8410): a fixed head, and the 32 bytes.
    let head = HEXLOWER.decode(b"302a300506032b6570032100").unwrap();
    let der = [head.as_slice(), pair.public_key().as_ref()].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&der));
    (pair, VerificationKey::from_pem(&pem).unwrap(), pem)
}

fn token(payload: &Value) -> String {
    let header = BASE64URL_NOPAD.encode(br#"{"alg":"EdDSA","typ":"JWT","kid":"any"}"#);
    let signed = format!("{header}.{}", BASE64URL_NOPAD.encode(payload.to_string().as_bytes()));
    let signature = key().0.sign(signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
}

fn sha256(bytes: &str) -> String {
    HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, bytes.as_bytes()).as_ref())
}

/// What OPA signs of the good files: of JSON the values in the order of their keys, numbers as written; by hand.
fn payload() -> Value {
    let digest = |name: &str, hashed: &str| json!({ "name": name, "hash": sha256(hashed), "algorithm": "SHA-256" });
    json!({ "files": [
        digest(".manifest", r#"{"revision":"7","roots":["app","team"]}"#),
        digest("team/data.json", r#"{"members":["ann","bob"],"size":2.50}"#),
        digest("app/authz.rego", REGO),
    ], "iat": 1_592_248_027, "iss": "JWTService" })
}

fn signatures(payload: &Value) -> Vec<u8> {
    json!({ "signatures": [token(payload)] }).to_string().into_bytes()
}

/// The good files, signed, and changed by `change`.
fn signed(change: impl FnOnce(&mut Vec<(&'static str, Vec<u8>)>)) -> Vec<u8> {
    let mut files = files();
    files.push(("/.signatures.json", signatures(&payload())));
    change(&mut files);
    archived(&files)
}

fn read(bytes: &[u8], key: Option<&VerificationKey>, scope: Option<&str>) -> Result<Value, &'static str> {
    let actions = ["read".to_owned()];
    let terms = Terms { name: "app", revision: None, query: "data.app.authz.allow", actions: &actions, key, scope };
    document(bytes, &terms).map_err(|finding| finding.code)
}

#[test]
fn a_bundle_of_opa_decides_as_a_pack() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("app.tar.gz"), signed(|_| {})).unwrap();
    fs::write(path("opa.pem"), key().2).unwrap();
    let build = |more: &[&str]| {
        let (archive, output) = (path("app.tar.gz"), path("app.json"));
        let words = ["build", &archive, "-o", &output, "--query", "data.app.authz.allow", "--action", "read"];
        fallgate(&words.iter().chain(more).copied().collect::<Vec<_>>())
    };
    let built = build(&["--verification-key", &path("opa.pem")]);
    assert_eq!((built.exit, built.err.as_str()), (0, ""));
    for (who, exit) in [("ann", 0), ("eve", 1)] {
        let request = json!({
            "subject": { "type": "user", "id": who }, "action": { "name": "read" }, "resource": { "type": "page", "id": "1" },
        });
        fs::write(path("request.json"), request.to_string()).unwrap();
        let ran = fallgate(&["eval", &path("app.json"), "--input", &path("request.json")]);
        assert_eq!(ran.exit, exit, "{who}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains("app revision 7"), "{}", ran.out);
    }
    // The key and the signature go together: neither is passed over.
    let unnamed = build(&[]);
    assert!(unnamed.exit == 3 && unnamed.err.starts_with("error[untrusted]"), "{}", unnamed.err);
    fs::write(path("app.tar.gz"), archived(&files())).unwrap();
    let stripped = build(&["--verification-key", &path("opa.pem")]);
    assert!(stripped.exit == 3 && stripped.err.starts_with("error[stripped]"), "{}", stripped.err);
    assert_eq!(build(&["--revision", "9", "--name", "other"]).exit, 0);
    // What only a bundle of OPA has is nothing for a pack, and the other way round.
    let archive = path("app.tar.gz");
    assert_eq!(fallgate(&["build", &archive, "-o", &path("x.json")]).exit, 2);
    assert_eq!(fallgate(&["build", "../../policies/idp-outage", "-o", &path("x.json"), "--query", "data.a.b"]).exit, 2);
    assert!(!Path::new(&path("x.json")).exists());
    fallgate(&["keys", "new", "-o", &path("key")]);
    fallgate(&["keys", "trust", "--key", &path("key.pub"), "-o", &path("trust.json")]);
    assert_eq!(build(&["--key", &path("key")]).exit, 0);
    assert_eq!(fallgate(&["verify", &path("app.json"), "--trust", &path("trust.json")]).exit, 0);
}

#[test]
fn a_signature_vouches_for_exactly_its_files() {
    let (_, key, _) = key();
    let key = Some(&key);
    assert!(read(&signed(|_| {}), key, None).is_ok());
    // White space and the order of keys in JSON are not what is signed.
    let respaced = signed(|files| files[1].1 = b"{\"size\":2.50,\"members\":[\"ann\",\"bob\"]}".to_vec());
    assert!(read(&respaced, key, None).is_ok());
    let with = |payload: Value| signed(|files| files[3].1 = signatures(&payload));
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut payload = payload();
        edit(&mut payload);
        with(payload)
    };
    let mut tampered = token(&payload());
    tampered.replace_range(tampered.len() - 4..tampered.len() - 3, if tampered.ends_with('A') { "B" } else { "A" });
    for (what, bytes, code) in [
        ("no signature file", archived(&files()), "stripped"),
        ("an empty list", signed(|files| files[3].1 = b"{\"signatures\":[]}".to_vec()), "stripped"),
        ("no list", signed(|files| files[3].1 = b"{}".to_vec()), "stripped"),
        ("an empty file", signed(|files| files[3].1 = Vec::new()), "syntax"),
        ("two tokens", signed(|files| files[3].1 = br#"{"signatures":["a","b"]}"#.to_vec()), "invalid_value"),
        ("no text", signed(|files| files[3].1 = br#"{"signatures":[1]}"#.to_vec()), "invalid_value"),
        ("a plugin", signed(|files| files[3].1 = br#"{"signatures":[],"plugin":"x"}"#.to_vec()), "unknown_field"),
        (
            "a changed token",
            signed(|files| files[3].1 = json!({ "signatures": [tampered] }).to_string().into_bytes()),
            "altered",
        ),
        ("a changed rule", signed(|files| files[2].1.extend_from_slice(b"\nallow := true\n")), "altered"),
        ("changed data", signed(|files| files[1].1 = br#"{"members":["eve"],"size":2.50}"#.to_vec()), "altered"),
        (
            "a number written in another way",
            signed(|files| files[1].1 = br#"{"members":["ann","bob"],"size":2.5}"#.to_vec()),
            "altered",
        ),
        ("a rule more", signed(|files| files.push(("/more.rego", b"package more\n".to_vec()))), "altered"),
        ("a file less", signed(|files| drop(files.remove(2))), "altered"),
        ("a renamed file", signed(|files| files[2].0 = "/app/other.rego"), "altered"),
        ("no list of files", with(json!({})), "invalid_value"),
        (
            "a file twice",
            edited(&|all| {
                let first = all["files"][0].clone();
                all["files"].as_array_mut().unwrap().push(first);
            }),
            "duplicate_name",
        ),
        ("a weak digest", edited(&|all| all["files"][0]["algorithm"] = "MD5".into()), "unknown_algorithm"),
        ("no digest", edited(&|all| all["files"][0]["algorithm"] = "".into()), "unknown_algorithm"),
        ("a digest cut", edited(&|all| all["files"][0]["hash"] = "00".into()), "altered"),
        ("a claim that is not known", edited(&|all| all["exp"] = json!(0)), "unknown_field"),
        ("a scope that nobody named", edited(&|all| all["scope"] = "write".into()), "untrusted"),
    ] {
        assert_eq!(read(&bytes, key, None).unwrap_err(), code, "{what}");
    }
    let scoped = edited(&|all| all["scope"] = "write".into());
    assert!(read(&scoped, key, Some("write")).is_ok());
    assert_eq!(read(&signed(|_| {}), key, Some("write")).unwrap_err(), "untrusted");
    let other = VerificationKey::from_pem(
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n",
    )
    .unwrap();
    assert_eq!(read(&signed(|_| {}), Some(&other), None).unwrap_err(), "altered");
}

#[test]
fn no_changed_byte_and_no_cut_of_a_signed_archive_is_accepted() {
    let (_, key, _) = key();
    let tar = {
        let mut files = files();
        files.push(("/.signatures.json", signatures(&payload())));
        tarred(&files)
    };
    let good = zipped(&tar);
    let expected = read(&good, Some(&key), None).unwrap();
    for at in 0..good.len() {
        assert!(read(&good[..at], Some(&key), None).is_err(), "cut at {at}");
    }
    // A changed byte may touch what is no part of the files, such as a time: then what is read is the same.
    for at in 0..tar.len() {
        let mut other = tar.clone();
        other[at] ^= 1;
        match read(&zipped(&other), Some(&key), None) {
            Err(_) => {}
            Ok(document) => assert_eq!(document, expected, "byte {at}"),
        }
        if at % 7 == 0 {
            assert!(read(&zipped(&tar[..at]), Some(&key), None).is_err(), "cut at {at} before it was compressed");
        }
    }
}

fn with_entry(name: &str, kind: EntryType) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    entry(&mut tar, "data.json", EntryType::Regular, b"{}");
    entry(&mut tar, name, kind, b"");
    zipped(&tar.into_inner().unwrap())
}

#[test]
fn an_archive_that_could_be_read_in_two_ways_is_refused() {
    let refused = |bytes: &[u8]| archive::read(bytes).unwrap_err().code;
    for name in [
        "../data.json",
        "a/../b.rego",
        "//data.json",
        "/../x.rego",
        "a//b.rego",
        "./../x.rego",
        "a/./b.rego",
        "/",
        "..",
        "C:/x.rego",
        "C:\\x.rego",
        "\\\\host\\share\\x.rego",
        "a\nb.rego",
        "a/",
    ] {
        assert_eq!(refused(&with_entry(name, EntryType::Regular)), "invalid_name", "{name:?}");
    }
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Continuous,
        EntryType::XGlobalHeader,
    ] {
        assert_eq!(refused(&with_entry("x.rego", kind)), "unsupported", "{kind:?}");
    }
    let two = |one: &str, other: &str| {
        let files = vec![(one, b"{}".to_vec()), (other, b"{}".to_vec())];
        refused(&archived(&files))
    };
    assert_eq!(two(".manifest", ".manifest"), "duplicate_name");
    assert_eq!(two(".manifest", "/.manifest"), "duplicate_name");
    assert_eq!(two("a/data.json", "./a/data.json"), "duplicate_name");
    assert_eq!(two("app.rego", "APP.rego"), "duplicate_name");
    assert_eq!(two("A/data.json", "a/Data.json"), "duplicate_name");
    // Folders are no files.
    let mut tar = Builder::new(Vec::new());
    entry(&mut tar, "./", EntryType::Directory, b"");
    entry(&mut tar, "app/", EntryType::Directory, b"");
    entry(&mut tar, "app/authz.rego", EntryType::Regular, REGO.as_bytes());
    let read = archive::read(&zipped(&tar.into_inner().unwrap())).unwrap();
    assert_eq!(read.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["app/authz.rego"]);
}

#[test]
fn an_archive_has_an_end_and_limits() {
    let refused = |bytes: &[u8]| archive::read(bytes).unwrap_err().code;
    let good = archived(&files());
    assert_eq!(archive::read(&good).unwrap().len(), 3);
    assert_eq!(refused(b""), "syntax");
    assert_eq!(refused(b"x"), "syntax");
    assert_eq!(refused(&tarred(&files())), "syntax");
    assert_eq!(refused(&zipped(b"")), "syntax");
    assert_eq!(refused(&[good.as_slice(), b"x"].concat()), "trailing_data");
    assert_eq!(refused(&[good.as_slice(), good.as_slice()].concat()), "trailing_data");
    let tar = tarred(&files());
    assert_eq!(refused(&zipped(&[tar.as_slice(), tar.as_slice()].concat())), "trailing_data");
    assert_eq!(refused(&zipped(&tar[..tar.len() - 1024])), "syntax");
    // A bomb: a thousand times its size, and stopped at the limit.
    let bomb = zipped(&vec![0; usize::try_from(FILE_BYTES_MAX).unwrap() + 1]);
    assert!(bomb.len() < 1 << 20);
    assert_eq!(refused(&bomb), "limit_exceeded");
    let names: Vec<String> = (0..=FILES_MAX).map(|number| format!("{number}.rego")).collect();
    let many: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), Vec::new())).collect();
    assert_eq!(refused(&archived(&many)), "limit_exceeded");
}

#[test]
fn nothing_of_an_archive_is_passed_over() {
    let refused = |change: &dyn Fn(&mut Vec<(&'static str, Vec<u8>)>)| {
        let mut files = files();
        change(&mut files);
        read(&archived(&files), None, None).unwrap_err()
    };
    assert_eq!(refused(&|files| files.push(("policy.wasm", vec![0]))), "unsupported");
    assert_eq!(refused(&|files| files.push(("data.yaml", b"a: 1".to_vec()))), "unsupported");
    assert_eq!(refused(&|files| files.push(("app/.manifest", b"{}".to_vec()))), "unsupported");
    assert_eq!(refused(&|files| files.push(("data.json", br#"{"team":{"members":[]}}"#.to_vec()))), "duplicate_key");
    assert_eq!(refused(&|files| files.push(("data.json", b"[]".to_vec()))), "invalid_value");
    assert_eq!(refused(&|files| files[1].1 = br#"{"members":[],"members":["eve"]}"#.to_vec()), "duplicate_key");
    assert_eq!(refused(&|files| files[2].1 = vec![0xFF]), "syntax");
    assert_eq!(refused(&|files| drop(files.remove(0))), "missing_field");
    assert_eq!(refused(&|files| files[0].1 = br#"{"revision":"of today"}"#.to_vec()), "missing_field");
    assert_eq!(refused(&|files| files[0].1 = br#"{"revision":"1","wasm":[{}]}"#.to_vec()), "unknown_field");
    assert_eq!(refused(&|files| files[0].1 = br#"{"revision":"1","rego_version":0}"#.to_vec()), "unsupported");
}
