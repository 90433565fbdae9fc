//! Keys, trust roots and signed bundles, as a shell handles them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "shell/pages.rs"]
mod pages;
mod shell;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pages::{fallgate_commands, page};
use shell::{Ran, fallgate};
use tempfile::TempDir;

const PACK: &str = "../../policies/idp-outage";

/// A folder, and the commands that run in it: a word that is a file there is written `@name`.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn run(&self, command: &str) -> Ran {
        let words: Vec<String> = command
            .split_whitespace()
            .map(|word| word.strip_prefix('@').map_or_else(|| word.to_owned(), |name| self.path(name)))
            .collect();
        fallgate(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// A command that must succeed: what it prints.
    fn done(&self, command: &str) -> String {
        let ran = self.run(command);
        assert_eq!((ran.exit, ran.err.as_str()), (0, ""), "{command}");
        ran.out.trim_end().to_owned()
    }

    /// A command that must fail: how, and with which code.
    fn refused(&self, command: &str) -> (u8, String) {
        let ran = self.run(command);
        assert_ne!(ran.exit, 0, "{command}: {}", ran.out);
        let said = format!("{}{}", ran.err, ran.out);
        let code = said.split_once("error[").and_then(|(_, rest)| rest.split_once(']'));
        (ran.exit, code.map_or(said.clone(), |(code, _)| code.to_owned()))
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }
}

/// A desk with two keys, a root that asks for the first, and a bundle that it has signed.
fn signed() -> (Desk, String, String) {
    let desk = Desk::new();
    let (a, b) = (desk.done("keys new -o @a"), desk.done("keys new -o @b"));
    desk.done("keys trust --key @a.pub -o @trust.json");
    desk.done(&format!("build {PACK} --key @a -o @signed.json"));
    (desk, a, b)
}

#[test]
fn a_key_is_made_once_and_only_its_owner_can_read_it() {
    let desk = Desk::new();
    let id = desk.done("keys new -o @a");
    assert_eq!(id.len(), 64);
    assert_ne!(desk.done("keys new -o @b"), id);
    let public = String::from_utf8(desk.read("a.pub")).unwrap();
    assert!(public.starts_with("ed25519:") && public.ends_with("=\n"), "{public}");
    let private = String::from_utf8(desk.read("a")).unwrap();
    assert!(private.starts_with("-----BEGIN PRIVATE KEY-----\n"), "it is PKCS#8 in PEM");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(desk.path("a")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // A key is never written over.
    assert_eq!(desk.refused("keys new -o @a"), (3, "unreadable".to_owned()));
    assert_eq!(String::from_utf8(desk.read("a")).unwrap(), private);
    // Nothing that is said of a private key shows it.
    fs::write(desk.path("bad"), private.replace("PRIVATE", "SECRET")).unwrap();
    let ran = desk.run(&format!("build {PACK} --key @bad -o @out.json"));
    assert_eq!(ran.exit, 3);
    let secret = private.lines().nth(1).unwrap();
    assert!(!ran.err.contains(secret) && !ran.err.contains(&secret[20..40]), "{}", ran.err);
    assert!(!Path::new(&desk.path("out.json")).exists());
}

#[test]
fn a_signed_bundle_is_taken_by_each_command_and_nothing_else_is() {
    let (desk, a, _) = signed();
    let verified = desk.done("verify @signed.json --trust @trust.json");
    assert!(
        verified.starts_with("idp-outage revision ") && verified.ends_with(&format!("  signed by {a}")),
        "{verified}"
    );
    let request = format!("{PACK}/requests/open-app.json");
    for command in [
        "check @signed.json",
        "test @signed.json",
        "drill @signed.json",
        &format!("eval @signed.json --input {request}"),
    ] {
        let ran = desk.run(&format!("{command} --trust @trust.json"));
        assert!(ran.exit < 2 && ran.err.is_empty(), "{command}: {}{}", ran.out, ran.err);
        // Without a word on whom to trust, signatures are not passed over in silence. To `check` it is a finding.
        let exit = if command.starts_with("check") { 1 } else { 3 };
        assert_eq!(desk.refused(command), (exit, "untrusted".to_owned()), "{command}");
        let folder = format!("{} --trust @trust.json", command.replace("@signed.json", PACK));
        assert_eq!(desk.refused(&folder), (exit, "unsigned".to_owned()), "{command}");
    }
    desk.done(&format!("build {PACK} -o @bare.json"));
    assert_eq!(desk.refused("eval @bare.json --input - --trust @trust.json"), (3, "unsigned".to_owned()));
    assert_eq!(desk.refused("verify @bare.json --trust @trust.json"), (1, "unsigned".to_owned()));
    // A bundle's file that nobody vouches for is taken in development, and `check` says so.
    let ran = desk.run("check @bare.json");
    assert_eq!(ran.exit, 0);
    assert!(ran.out.starts_with("note[bundle_unsigned]: nobody vouches for this bundle"), "{}", ran.out);
    let json = desk.done("check @signed.json --trust @trust.json --format json");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["bundle"]["signers"], serde_json::json!([a]));
}

#[test]
fn signatures_are_added_and_never_twice() {
    let (desk, a, b) = signed();
    desk.done(&format!("build {PACK} -o @bare.json"));
    assert_eq!(desk.done("sign @bare.json --key @a -o @by-sign.json"), a);
    assert_eq!(desk.read("by-sign.json"), desk.read("signed.json"), "Ed25519 has one signature of one message");
    assert_eq!(desk.done("sign @signed.json --key @b -o @signed.json"), format!("{a}\n{b}"));
    desk.done("keys trust --key @a.pub --key @b.pub --threshold 2 -o @both.json");
    desk.done("verify @signed.json --trust @both.json");
    let before = desk.read("signed.json");
    assert_eq!(desk.refused("sign @signed.json --key @b -o @signed.json"), (3, "signed_twice".to_owned()));
    assert_eq!(desk.read("signed.json"), before);
    assert_eq!(desk.refused("verify @by-sign.json --trust @both.json"), (1, "under_signed".to_owned()));
    // What is no bundle is not signed as one: a trust root, a pack, anything.
    for (file, bytes) in
        [("root.json", desk.read("trust.json")), ("any.json", b"{}".to_vec()), ("none.json", Vec::new())]
    {
        fs::write(desk.path(file), bytes).unwrap();
        assert_eq!(desk.run(&format!("sign @{file} --key @a -o @out.json")).exit, 3, "{file}");
        assert!(!Path::new(&desk.path("out.json")).exists());
    }
}

#[test]
fn a_root_follows_another_by_its_keys_alone() {
    let (desk, a, b) = signed();
    desk.done("keys trust --follow @trust.json --key @b.pub --sign @a -o @second.json");
    assert!(desk.done("verify @second.json --trust @trust.json").starts_with("trust root version 2\n"));
    let listed = desk.done("keys list @trust.json @second.json");
    assert!(listed.starts_with("version 2: 1 of 2 keys must sign\n"), "{listed}");
    assert!(listed.contains(&format!("{a}  valid")) && listed.contains(&format!("{b}  valid")), "{listed}");
    // Signed by nobody, by the wrong key, by the new key alone; then later by the right one.
    desk.done("keys trust --follow @trust.json --key @b.pub -o @unsigned.json");
    assert_eq!(desk.refused("verify @unsigned.json --trust @trust.json"), (1, "stripped".to_owned()));
    desk.done("sign @unsigned.json --key @b -o @wrong.json");
    assert_eq!(desk.refused("verify @wrong.json --trust @trust.json"), (1, "unknown_key".to_owned()));
    desk.done("sign @wrong.json --key @a -o @right.json");
    desk.done("verify @right.json --trust @trust.json");
    // The chain is followed in its order, link by link.
    desk.done(&format!("keys trust --follow @trust.json --follow @second.json --drop {a} --sign @b -o @third.json"));
    assert_eq!(desk.refused("keys list @trust.json @third.json").1, "unknown_key");
    assert_eq!(desk.refused("keys list @trust.json @second.json @second.json").1, "older_trust");
    desk.done("keys list @trust.json @second.json @third.json");
    assert_eq!(
        desk.refused("verify @signed.json --trust @trust.json --trust @second.json --trust @third.json"),
        (1, "unknown_key".to_owned())
    );
    // A root that follows is no anchor, and an anchor no root that follows.
    assert_eq!(desk.refused("keys list @second.json"), (3, "wrong_payload_type".to_owned()));
    assert_eq!(desk.run("keys list @trust.json @trust.json").exit, 3);
    // A threshold that nobody could reach, a key that is not there.
    assert_eq!(desk.refused("keys trust --key @a.pub --threshold 2 -o @no.json"), (3, "invalid_value".to_owned()));
    assert_eq!(desk.run(&format!("keys trust --follow @trust.json --drop {b} -o @no.json")).exit, 2);
    assert!(!Path::new(&desk.path("no.json")).exists());
}

#[test]
fn time_and_revocation_end_what_a_key_has_signed() {
    let (desk, a, _) = signed();
    desk.done("keys trust --key @a.pub --from 2030-01-01T00:00:00Z --until 2031-01-01T00:00:00Z -o @window.json");
    for (at, code) in [
        ("2029-12-31T23:59:59Z", Some("key_not_yet_valid")),
        ("2030-01-01T00:00:00Z", None),
        ("2030-12-31T23:59:59Z", None),
        ("2031-01-01T00:00:00Z", Some("key_expired")),
    ] {
        let command = format!("verify @signed.json --trust @window.json --at {at}");
        match code {
            None => drop(desk.done(&command)),
            Some(code) => assert_eq!(desk.refused(&command), (1, code.to_owned()), "{at}"),
        }
    }
    let bundle = desk.done(&format!("build {PACK} -o @bare.json"));
    desk.done(&format!("keys trust --key @a.pub --revoke-bundle {bundle} -o @revokes.json"));
    assert_eq!(desk.refused("verify @signed.json --trust @revokes.json"), (1, "bundle_revoked".to_owned()));
    desk.done(&format!("keys trust --key @b.pub --key @a.pub --revoke-key {a} -o @revokes.json"));
    assert_eq!(desk.refused("verify @signed.json --trust @revokes.json"), (1, "revoked_key".to_owned()));
}

#[test]
fn verify_ends_with_zero_for_the_whole_file_only() {
    let (desk, ..) = signed();
    let whole = desk.read("signed.json");
    let step = (whole.len() / 97).max(1);
    for at in (0..whole.len()).step_by(step) {
        fs::write(desk.path("cut.json"), &whole[..at]).unwrap();
        assert_eq!(desk.run("verify @cut.json --trust @trust.json").exit, 1, "cut at {at}");
        let mut other = whole.clone();
        other[at] ^= 1;
        fs::write(desk.path("cut.json"), &other).unwrap();
        assert_eq!(desk.run("verify @cut.json --trust @trust.json").exit, 1, "byte {at}");
    }
    assert_eq!(desk.run("verify @nothing.json --trust @trust.json").exit, 3);
    assert_eq!(desk.run("verify @signed.json").exit, 2);
}

/// The ids in a text, in their order.
fn ids(text: &str) -> Vec<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_hexdigit());
    words.filter(|word| word.len() == 64).collect()
}

#[test]
fn the_document_shows_what_the_commands_print() {
    let desk = Desk::new();
    // Keys are random: an id of the document stands for one id of this run.
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut runs = 0;
    for (command, expected) in fallgate_commands(&page("signing.md")) {
        let mut command = command.to_owned();
        for (written, real) in &known {
            command = command.replace(written, real);
        }
        let words = command.split(' ').map(|word| {
            let is_file = [".key", ".pub", ".json"].iter().any(|end| word.ends_with(end));
            if is_file { format!("@{word}") } else { word.replace("docs/", "../../docs/") }
        });
        let ran = desk.run(&words.collect::<Vec<_>>().join(" "));
        let folder = format!("{}/", desk.0.path().display());
        let mut printed = format!("{}{}", ran.out, ran.err).replace(&folder, "").replace("../../docs/", "docs/");
        for (real, written) in ids(&printed.clone()).into_iter().zip(ids(&expected)) {
            known.entry(written.to_owned()).or_insert_with(|| real.to_owned());
        }
        for (written, real) in &known {
            printed = printed.replace(real, written);
        }
        assert_eq!(sorted_signers(&printed), sorted_signers(&expected), "{command}");
        runs += 1;
    }
    assert_eq!(runs, 13, "the commands of docs/signing.md");
}

/// The lines, those on signers in the order of their ids: which of two random ids is the first nobody knows before.
fn sorted_signers(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    lines.sort_by_key(|line| line.strip_prefix("  signed by ").unwrap_or_default());
    lines
}
