//! `fallgate audit` as a shell runs it, and the folder that a server writes its chain to.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]

mod shell;

use std::fs;
use std::path::PathBuf;

use fallgate::audit::chain::{Chain, Head};
use fallgate::audit::checkpoint::{Checkpoint, CheckpointKey};
use fallgate::audit::record::RecordKind;
use fallgate::audit::redact::salt;
use fallgate::policy::bundle::hexadecimal;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate_cli::audit_log::folder::Folder;
use fallgate_cli::audit_log::sink::AppendError;
use serde_json::{Value, json};
use shell::{Ran, fallgate};
use tempfile::TempDir;

const START: Now = Now::new(Monotonic::ZERO, Wall::from_millis(1_767_225_600_000));

/// A chain of every kind of line that `show` has, and its head.
fn chain() -> (Vec<String>, Head) {
    let bodies = |head: Head| {
        [
            (RecordKind::Bundle, json!({ "event": "bundle_activated", "bundle": "shop", "revision": 3 })),
            (
                RecordKind::Decision,
                json!({
                    "request": {
                        "subject": { "type": "user", "id": "ann", "email": { "redacted": "00" } },
                        "action": { "name": "order:read" },
                        "resource": { "type": "order", "id": "o-1" },
                        "request_id": "r-7",
                    },
                    "decision": { "decision": true, "context": { "reason": "allowed_by_rule", "rule": "owners" } },
                }),
            ),
            (
                RecordKind::Decision,
                json!({ "request": null, "decision": { "decision": false, "context": { "reason": "invalid_request" } } }),
            ),
            (RecordKind::Gap, json!({ "denies": 2, "allows": 1, "events": 0, "since": "a", "until": "b" })),
            (RecordKind::Checkpoint, head.to_json()),
        ]
    };
    let mut chain = Chain::default();
    let mut lines = Vec::new();
    for number in 0..5 {
        let (kind, body) = bodies(chain.head())[number as usize].clone();
        lines.push(chain.link(START.after(Ttl::from_secs(number)), kind, body).unwrap());
    }
    (lines, chain.head())
}

/// A folder that goes away, with a file of these lines.
fn written(lines: &[String]) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

fn audit(arguments: &[&str]) -> Ran {
    fallgate(&[&["audit"], arguments].concat())
}

/// Verifies what was written, and gives the exit code and the finding as JSON.
fn found(lines: &[String], options: &[&str]) -> (u8, Value) {
    let (_folder, path) = written(lines);
    let ran = audit(&[&["verify", &path, "--format", "json"], options].concat());
    assert_eq!(ran.err, "");
    (ran.exit, serde_json::from_str(&ran.out).unwrap())
}

#[test]
fn a_whole_chain_is_whole_and_says_what_that_proves() {
    let (lines, head) = chain();
    let (_folder, path) = written(&lines);
    let hash = hexadecimal(&head.hash);
    let ran = audit(&["verify", &path]);
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    let expected =
        format!("whole: 5 records; 3 more were not recorded, as its gaps say\nhead 5:{hash}\nnothing was given");
    assert!(ran.out.starts_with(&expected), "{}", ran.out);
    let ran = audit(&["verify", &path, "--head", &hash]);
    assert_eq!(ran.exit, 0);
    assert!(ran.out.ends_with("up to its end as it was kept\n"), "{}", ran.out);
    let whole = json!({ "whole": true, "records": 5, "missing": 3, "head": { "count": 5, "head": hash } });
    assert_eq!(found(&lines, &[]), (0, whole));
    // Files of one chain, one after the other; and a later file alone, behind the head of the earlier ones.
    let (_first, first) = written(&lines[..2]);
    let (_second, second) = written(&lines[2..]);
    assert_eq!(audit(&["verify", &first, &second, "--head", &hash]).exit, 0);
    assert_eq!(audit(&["verify", &second, &first]).exit, 1);
    assert_eq!(audit(&["verify", &second]).exit, 1);
    let second_record: Value = serde_json::from_str(&lines[1]).unwrap();
    let after = format!("2:{}", second_record["hash"].as_str().unwrap());
    assert_eq!(audit(&["verify", &second, "--after", &after, "--head", &hash]).exit, 0);
}

#[test]
fn the_first_record_that_is_wrong_is_named() {
    let (lines, head) = chain();
    let hash = hexadecimal(&head.hash);
    let kept = ["--head", hash.as_str()];
    for at in 0..lines.len() {
        let mut edited = lines.clone();
        edited[at] = edited[at].replacen("00:00:0", "00:00:1", 1);
        let (exit, what) = found(&edited, &[]);
        assert_eq!((exit, &what["seq"], &what["code"]), (1, &json!(at + 1), &json!("record_hash")), "{at}");
        let mut dropped = lines.clone();
        dropped.remove(at);
        let (exit, what) = found(&dropped, &kept);
        // Without its last record the chain ends one earlier, and with another hash.
        let (seq, code) = if at == 4 { (4, "chain_other_head") } else { (at + 1, "record_sequence") };
        assert_eq!((exit, &what["seq"], &what["code"]), (1, &json!(seq), &json!(code)), "{at}");
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at].clone());
        let (exit, what) = found(&doubled, &[]);
        assert_eq!((exit, &what["seq"]), (1, &json!(at + 2)), "{at}");
    }
    let (exit, what) = found(&lines[..3], &["--head", &hash, "--count", "5"]);
    assert_eq!((exit, &what["seq"], &what["code"]), (1, &json!(4), &json!("chain_truncated")));
}

#[test]
fn what_was_not_wholly_read_is_never_whole() {
    let (lines, _) = chain();
    let text = lines.join("\n");
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chain.jsonl");
    let shown = path.display().to_string();
    // As it is, `text` has no end of its last line.
    for (bytes, seq, code) in [
        ("", "0", "chain_empty"),
        ("\n", "1", "record_not_canonical"),
        (text.as_str(), "5", "record_not_canonical"),
        (&format!("{text}\n\n"), "6", "record_not_canonical"),
        (&format!("{text}\r\n"), "5", "record_not_canonical"),
        (&format!("{text}\n{{}}"), "6", "record_members"),
        (&format!("\u{feff}{text}\n"), "1", "record_not_canonical"),
        (&text[..text.len() - 9], "5", "record_not_canonical"),
    ] {
        fs::write(&path, bytes).unwrap();
        for command in ["verify", "show"] {
            let ran = audit(&[command, &shown]);
            assert_eq!(ran.exit, 1, "{command} {bytes}");
            let expected = format!("error[{code}]: record {seq}: ");
            assert!(ran.err.starts_with(&expected), "{command} {bytes}: {}", ran.err);
        }
    }
    let empty = TempDir::new().unwrap();
    assert_eq!(audit(&["verify", empty.path().to_str().unwrap()]).exit, 1, "a folder without a chain");
    let nowhere = empty.path().join("nothing.jsonl").display().to_string();
    for command in ["verify", "show"] {
        let ran = audit(&[command, &nowhere]);
        assert_eq!((ran.exit, ran.out.as_str()), (3, ""));
    }
    for wrong in [
        &["verify"][..],
        &["verify", &shown, "--head", "12"],
        &["verify", &shown, "--count", "1"],
        &["verify", &shown, "--after", "x"],
        &["show", &shown, "--kind", "gossip"],
        &["show", &shown, "--from", "yesterday"],
        &[],
    ] {
        assert_eq!(audit(wrong).exit, 2, "{wrong:?}");
    }
}

#[test]
fn a_signed_checkpoint_holds_the_chain_to_what_it_was() {
    let (lines, _) = chain();
    let third: Value = serde_json::from_str(&lines[2]).unwrap();
    let secret = [9; 32];
    let hash = fallgate_cli::audit_log::lines::hash_of(third["hash"].as_str().unwrap()).unwrap();
    let envelope = Checkpoint::new(Head { count: 3, hash }, START).signed_with(&secret);
    let (folder, path) = written(&lines);
    let kept = folder.path().join("checkpoint.json");
    fs::write(&kept, &envelope).unwrap();
    let kept = kept.display().to_string();
    let key = CheckpointKey::of(&secret).to_string();
    let verify = |path: &str, key: &str| audit(&["verify", path, "--checkpoint", &kept, "--key", key]);
    let ran = verify(&path, &key);
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    assert!(ran.out.ends_with("up to record 3 as it was kept; 2 records since\n"), "{}", ran.out);
    // Shorter than it was, and written anew by whoever can write the file.
    let (_short, short) = written(&lines[..2]);
    assert!(verify(&short, &key).err.starts_with("error[chain_truncated]: record 3: "));
    let mut forged = Chain::default();
    let anew: Vec<String> =
        (0..5).map(|_| forged.link(START, RecordKind::Bundle, json!({ "event": "none" })).unwrap()).collect();
    let (_anew, anew) = written(&anew);
    assert_eq!(audit(&["verify", &anew]).exit, 0);
    assert!(verify(&anew, &key).err.starts_with("error[chain_other_head]: record 3: "));
    // By whom nobody asked to vouch.
    let ran = verify(&path, &CheckpointKey::of(&[8; 32]).to_string());
    assert_eq!(ran.exit, 3);
    assert!(ran.err.starts_with("error[checkpoint_not_signed]: "), "{}", ran.err);
    assert_eq!(verify(&path, "ed25519:none").exit, 2);
    assert_eq!(audit(&["verify", &path, "--checkpoint", &kept]).exit, 2, "a checkpoint without a key proves nothing");
    // Signed by the command, for a chain that is whole and no other.
    let secret_file = folder.path().join("secret");
    fs::write(&secret_file, secret).unwrap();
    let secret_file = secret_file.display().to_string();
    let ran = audit(&["checkpoint", &path, "--secret-key-file", &secret_file]);
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    fs::write(&kept, ran.out).unwrap();
    assert!(verify(&path, &key).out.ends_with("up to its end as it was kept\n"));
    assert!(verify(&short, &key).err.starts_with("error[chain_truncated]: record 3: "));
    fs::write(&short, "{}\n").unwrap();
    let ran = audit(&["checkpoint", &short, "--secret-key-file", &secret_file]);
    assert_eq!((ran.exit, ran.out.as_str()), (1, ""));
}

#[test]
fn records_are_shown_and_chosen() {
    let (lines, head) = chain();
    let (_folder, path) = written(&lines);
    let before: Value = serde_json::from_str(&lines[3]).unwrap();
    let ran = audit(&["show", &path]);
    let expected = format!(
        "       1  2026-01-01T00:00:00Z  bundle      bundle_activated bundle=shop revision=3\n       \
         2  2026-01-01T00:00:01Z  decision    allow allowed_by_rule user:ann order:read order:o-1 (owners) [r-7]\n       \
         3  2026-01-01T00:00:02Z  decision    deny  invalid_request\n       \
         4  2026-01-01T00:00:03Z  gap         not recorded: 2 denies, 1 allows, 0 events\n       \
         5  2026-01-01T00:00:04Z  checkpoint  count=4 head={}\n",
        before["hash"].as_str().unwrap()
    );
    assert_eq!((ran.exit, ran.out.as_str(), ran.err.as_str()), (0, expected.as_str(), ""));
    assert_eq!(head.count, 5);
    let numbers = |options: &[&str]| {
        let ran = audit(&[&["show", &path], options].concat());
        assert_eq!(ran.exit, 0, "{options:?}");
        let number = |line: &str| line.split_whitespace().next().unwrap().parse::<u32>().unwrap();
        ran.out.lines().map(number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&["--kind", "decision"]), [2, 3]);
    assert_eq!(numbers(&["--kind", "gap", "--kind", "bundle"]), [1, 4]);
    assert_eq!(numbers(&["--subject", "ann"]), [2]);
    assert_eq!(numbers(&["--from", "2026-01-01T00:00:01Z", "--until", "2026-01-01T00:00:03Z"]), [2, 3]);
    let ran = audit(&["show", &path, "--kind", "gap", "--format", "json"]);
    assert_eq!(ran.out, format!("{}\n", lines[3]), "as it stands, so that it can be checked again");
    let coloured = fallgate(&["audit", "show", &path, "--color", "always"]).out;
    assert!(coloured.contains("\u{1b}[32mallow\u{1b}[0m"), "{coloured}");
}

#[test]
fn what_a_record_says_cannot_write_on_the_terminal() {
    let mut chain = Chain::default();
    let id = "ann\u{1b}[2J\n       9  all is well\u{202e}";
    let body = json!({
        "request": { "subject": { "type": "user", "id": id } },
        "decision": { "decision": false, "context": { "reason": "denied_by_rule" } },
    });
    let (_folder, path) = written(&[chain.link(START, RecordKind::Decision, body).unwrap()]);
    let ran = audit(&["show", &path]);
    assert_eq!((ran.exit, ran.out.lines().count()), (0, 1));
    assert!(ran.out.contains(r"user:ann\u{1b}[2J\u{a}       9  all is well\u{202e}"), "{}", ran.out);
}

#[test]
fn a_committed_value_is_opened_by_who_may() {
    // A record as the engine writes it, with a commitment under the key.
    let key = [5; 32];
    let salt_of_it = salt(&key, 1, "subject.email");
    let committed = {
        use sha2::{Digest, Sha256};
        let text = br#""ann@example.org""#;
        Sha256::new().chain_update(b"fallgate commitment").chain_update(salt_of_it).chain_update(text).finalize()
    };
    let body = json!({
        "request": { "subject": { "type": "user", "id": "ann", "email": { "committed": hexadecimal(&committed) } } },
        "decision": { "decision": false, "context": { "reason": "denied_by_rule" } },
    });
    let line = Chain::default().link(START, RecordKind::Decision, body).unwrap();
    let (folder, path) = written(std::slice::from_ref(&line));
    let key_file = folder.path().join("key");
    fs::write(&key_file, format!("{}\n", hexadecimal(&key))).unwrap();
    let key_file = key_file.display().to_string();
    let reveal = |value: &str, opens: &[&str]| {
        audit(&[&["reveal", &path, "--seq", "1", "--path", "subject.email", "--value", value], opens].concat())
    };
    let ran = reveal(r#""ann@example.org""#, &["--key-file", &key_file]);
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    let opened: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(opened["salt"], hexadecimal(&salt_of_it));
    // Whoever is told the salt checks it without the key.
    let with_salt = ["--salt", opened["salt"].as_str().unwrap()];
    assert_eq!(reveal(r#""ann@example.org""#, &with_salt).out, ran.out);
    let other = reveal(r#""bob@example.org""#, &with_salt);
    assert_eq!((other.exit, other.out.as_str()), (1, ""));
    assert!(other.err.starts_with("error[not_revealed]: "), "{}", other.err);
    assert_eq!(reveal("ann@example.org", &with_salt).exit, 2, "no JSON");
    assert_eq!(reveal("1", &[]).exit, 2);
    assert_eq!(
        audit(&["reveal", &path, "--seq", "2", "--path", "a", "--value", "1", with_salt[0], with_salt[1]]).exit,
        2
    );
    fs::write(folder.path().join("key"), "a secret that is none").unwrap();
    let ran = reveal("1", &["--key-file", &key_file]);
    assert_eq!(ran.exit, 3);
    assert!(!ran.err.contains("a secret"), "{}", ran.err);
    let (_edited, edited) = written(&[line.replace("denied_by_rule", "allowed_by_rule")]);
    let ran = audit(&[
        "reveal",
        &edited,
        "--seq",
        "1",
        "--path",
        "subject.email",
        "--value",
        "1",
        with_salt[0],
        with_salt[1],
    ]);
    assert_eq!(ran.exit, 1);
}

fn folder_files(folder: &TempDir) -> Vec<PathBuf> {
    fallgate_cli::audit_log::lines::files_of(folder.path()).unwrap()
}

#[test]
fn a_folder_goes_on_where_it_was_and_begins_files_by_size() {
    let (lines, head) = chain();
    let folder = TempDir::new().unwrap();
    let mut log = Folder::open(folder.path(), 1).unwrap();
    assert_eq!(log.head(), Head::default());
    assert_eq!(log.append(&[]).unwrap(), Head::default());
    assert_eq!(log.append(&lines[..2]).unwrap().count, 2);
    let second = Folder::open(folder.path(), 1);
    assert_eq!(second.unwrap_err().code, "unreadable", "two writers would write two chains");
    assert_eq!(log.append(&lines[2..3]).unwrap().count, 3);
    drop(log);
    let mut log = Folder::open(folder.path(), 1 << 20).unwrap();
    assert_eq!(log.head().count, 3);
    assert_eq!(log.append(&lines[3..]).unwrap(), head);
    let names: Vec<String> =
        folder_files(&folder).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["audit-00000000000000000001.jsonl", "audit-00000000000000000003.jsonl"]);
    let path = folder.path().display().to_string();
    let ran = audit(&["verify", &path, "--head", &hexadecimal(&head.hash)]);
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    #[cfg(unix)]
    for file in folder_files(&folder) {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o077, 0);
    }
}

#[test]
fn a_folder_takes_no_record_that_does_not_follow() {
    let (lines, _) = chain();
    let folder = TempDir::new().unwrap();
    let mut log = Folder::open(folder.path(), 1 << 20).unwrap();
    log.append(&lines[..1]).unwrap();
    for wrong in [&lines[..1], &lines[2..3], &[lines[1].clone(), lines[3].clone()]] {
        assert!(matches!(log.append(wrong), Err(AppendError::Chain(_))), "{wrong:?}");
        assert_eq!(log.head().count, 1);
    }
    assert_eq!(log.append(&lines[1..]).unwrap().count, 5, "nothing of what was refused is there");
}

#[test]
fn a_folder_that_does_not_verify_is_not_gone_on_with() {
    let (lines, _) = chain();
    let whole = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let (first, second) = whole.split_at(lines[0].len() + lines[1].len() + 2);
    let name = |first: u32| format!("audit-{first:020}.jsonl");
    let refused = |files: &[(String, &str)]| {
        let folder = TempDir::new().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        Folder::open(folder.path(), 1).map(|folder| folder.head().count).map_err(|finding| finding.code)
    };
    assert_eq!(refused(&[(name(1), first), (name(3), second)]), Ok(5));
    // A file that was put away leaves the later ones usable.
    assert_eq!(refused(&[(name(3), second)]), Ok(5));
    // A file that was begun, and had nothing written to it yet.
    assert_eq!(refused(&[(name(1), &whole), (name(6), "")]), Ok(5));
    let broken = Err("chain_broken");
    assert_eq!(refused(&[(name(1), &whole[..whole.len() - 1])]), broken, "the last write was cut off");
    assert_eq!(refused(&[(name(1), &whole[..whole.len() - 9])]), broken);
    assert_eq!(refused(&[(name(1), &whole.replace("shop", "shoq"))]), broken);
    assert_eq!(refused(&[(name(1), second)]), broken, "not named after its first record");
    assert_eq!(refused(&[(name(1), first), (name(3), &second.replacen(&lines[2], &lines[3], 1))]), broken);
    assert_eq!(refused(&[(name(1), "")]), broken);
    assert_eq!(refused(&[(name(1), "no record\n")]), broken);
}

/// The chains of two engines that part company, and come together: of decisions about one question at these seconds.
fn of_two() -> [(TempDir, String); 2] {
    let decided = |allows: bool| {
        let reason = if allows { "allowed_by_rule" } else { "signal_unavailable" };
        let party = |kind: &str, id: &str| json!({ "type": kind, "id": id });
        json!({
            "request": { "subject": party("user", "ann"), "action": { "name": "read" }, "resource": party("doc", "d\u{1b}[2J") },
            "decision": { "decision": allows, "context": { "reason": reason, "bundle": "shop", "revision": 3 } },
        })
    };
    [[(0, true), (10, true), (20, true)], [(5, true), (10, false), (30, true)]].map(|said| {
        let mut chain = Chain::default();
        let link = |(second, allows): (u64, bool)| {
            chain.link(START.after(Ttl::from_secs(second)), RecordKind::Decision, decided(allows)).unwrap()
        };
        written(&said.map(link))
    })
}

#[test]
fn chains_of_several_engines_are_read_as_one_and_show_where_they_differ() {
    let [(_a, a), (_b, b)] = of_two();
    let chains = [format!("eu-1={a}"), format!("us-1={b}")];
    let ran = audit(&["merge", &chains[0], &chains[1]]);
    assert_eq!((ran.exit, ran.err.as_str()), (1, ""));
    let rows: Vec<&str> = ran.out.lines().collect();
    let begins: Vec<String> = rows.iter().map(|row| row.chars().take(36).collect()).collect();
    let expected = [
        "eu-1         1  2026-01-01T00:00:00Z",
        "us-1         1  2026-01-01T00:00:05Z",
        "eu-1         2  2026-01-01T00:00:10Z",
        "us-1         2  2026-01-01T00:00:10Z",
        "eu-1         3  2026-01-01T00:00:20Z",
        "answers_differ: eu-1 allows (allowed",
        "us-1         3  2026-01-01T00:00:30Z",
        "eu-1: whole, 3 records; head 3:",
        "us-1: whole, 3 records; head 3:",
        "1 difference",
    ];
    assert!(begins.iter().zip(expected).all(|(row, begin)| row.starts_with(begin)), "{begins:#?}");
    assert_eq!(rows.len(), expected.len());
    let differs = "answers_differ: eu-1 allows (allowed_by_rule), us-1 denies (signal_unavailable): user:ann read doc:d\\u{1b}[2J \
                   (eu-1 record 3 at 2026-01-01T00:00:20Z)";
    assert_eq!(rows[5], differs);
    // Only where they differ, in less time, and by shorter spans.
    let ran = audit(&["merge", "--differences", &chains[0], &chains[1]]);
    assert_eq!((ran.exit, ran.out.lines().next()), (1, Some(differs)));
    assert_eq!(audit(&["merge", "--until", "2026-01-01T00:00:20Z", &chains[0], &chains[1]]).exit, 0);
    assert_eq!(audit(&["merge", "--within", "9s", &chains[0], &chains[1]]).exit, 0);
    let alike = [format!("one={a}"), format!("other={a}")];
    let ran = audit(&["merge", "--differences", &alike[0], &alike[1]]);
    assert_eq!((ran.exit, ran.out.lines().last()), (0, Some("0 differences")));
}

/// Whoever takes a merged file apart again has each chain as it was.
#[test]
fn what_is_merged_can_be_taken_apart_and_verified() {
    let places = of_two();
    let chains = places.each_ref().map(|(_, path)| path.as_str());
    let ran = audit(&["merge", "--format", "json", chains[0], chains[1]]);
    assert_eq!(ran.exit, 1);
    let told: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.iter().filter(|line| line["difference"]["code"] == "answers_differ").count(), 1);
    assert_eq!(told.last(), Some(&json!({ "differences": 1, "uncompared": 0 })));
    for (path, number) in chains.iter().zip(0..) {
        let begin = format!("{{\"chain\":\"{path}\",\"record\":");
        let records = ran.out.lines().filter_map(|line| line.strip_prefix(&begin)?.strip_suffix('}'));
        let again: String = records.map(|record| format!("{record}\n")).collect();
        assert_eq!(again, fs::read_to_string(path).unwrap());
        let head = &told[told.len() - 3 + number];
        assert_eq!((&head["first"], &head["missing"], &head["went_back_ms"]), (&json!(1), &json!(0), &json!(0)));
        assert_eq!((&head["chain"], &head["head"]["count"]), (&json!(path), &json!(3)));
        assert_eq!(audit(&["verify", path, "--head", head["head"]["head"].as_str().unwrap()]).exit, 0);
    }
}

/// What a chain does not have is said of it: its beginning, what its gaps count, and a clock that went back.
#[test]
fn the_merging_says_what_a_chain_lacks() {
    let (lines, _) = chain();
    let (_whole, whole) = written(&lines);
    let (_rest, rest) = written(&lines[2..]);
    let ran = audit(&["merge", "--differences", &format!("a={whole}"), &format!("b={rest}")]);
    let rows: Vec<&str> = ran.out.lines().collect();
    assert_eq!(ran.exit, 0, "{}", ran.out);
    assert!(
        rows[0].starts_with("a: whole, 5 records; 3 more were not recorded, as its gaps say; head 5:"),
        "{}",
        rows[0]
    );
    assert!(rows[1].starts_with("b: records 3 to 5; what came before was not read; 3 more were not"), "{}", rows[1]);
    let mut chain = Chain::default();
    let event = || json!({ "event": "clock_failed" });
    let link = |second: u64| chain.link(START.after(Ttl::from_secs(second)), RecordKind::Clock, event()).unwrap();
    let (_back, back) = written(&[100_u64, 10].map(link));
    let ran = audit(&["merge", "--differences", &format!("a={whole}"), &format!("b={back}")]);
    assert!(ran.out.contains("\nb: whole, 2 records; its clock went back by 90000 ms, and what"), "{}", ran.out);
}

#[test]
fn a_chain_that_is_not_whole_ends_the_merging() {
    let [(_a, a), (_b, b)] = of_two();
    let lines = fs::read_to_string(&b).unwrap();
    fs::write(&b, lines.replacen("00:00:10", "00:00:11", 1)).unwrap();
    let ran = audit(&["merge", &a, &b]);
    assert_eq!(ran.exit, 1);
    assert!(ran.err.contains("record_hash") && ran.err.contains(":2"), "{}", ran.err);
    assert!(!ran.out.contains("whole"), "{}", ran.out);
    let empty = audit(&["merge", &a, "/dev/null"]);
    assert_eq!(empty.exit, 1);
    assert!(empty.err.contains("chain_empty"), "{}", empty.err);
    // Two by one name, one alone, a place that is not there.
    let named = format!("one={a}");
    for (arguments, exit) in
        [(vec!["merge", &named, &named], 2), (vec!["merge", &a], 2), (vec!["merge", &a, "/gone"], 3)]
    {
        assert_eq!(audit(&arguments).exit, exit, "{arguments:?}");
    }
}
