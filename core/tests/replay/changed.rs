//! A journal that somebody changed: found at the entry that was changed, whatever was changed in it.

use fallgate::drill::Drill;
use fallgate::journal::line::Reader;
use fallgate::limits::Limits;
use fallgate::replay::{Kind, Replay, ReplayError, Secrets};
use fallgate_cli::pack::load_drill;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::corpus::{journal_of, pack, secrets};
use super::recording::desk;

/// The journal of a drill with many kinds of inputs, and what its replay needs.
fn journal() -> (Vec<String>, Secrets) {
    let document = json!({
        "drill": "a bit of everything",
        "steps": [
            { "at": "0s", "observe": { "idp": "ok" } },
            { "at": "1s", "decide": REQUEST.parse::<Value>().unwrap() },
            { "at": "2s", "anchor_clocks": true, "quarantine": { "what": { "subject": { "type": "user", "id": "eve" } }, "reason": "theft", "for": "5m" } },
            { "at": "3s", "decide": "{" },
            { "at": "4s", "restart": {}, "observe": { "idp": "failed" } },
            { "at": "5s", "decide": REQUEST.parse::<Value>().unwrap() },
        ],
    });
    Drill::from_document(&document, &Limits::DEFAULT).unwrap();
    (journal_of(&desk(1), &document), secrets(&document))
}

const REQUEST: &str =
    r#"{"subject":{"type":"user","id":"ann"},"action":{"name":"x"},"resource":{"type":"r","id":"1"}}"#;

/// Plays lines until the first difference or fault: at which line that is.
fn first(lines: &[String], secrets: &Secrets) -> Option<(usize, Result<Kind, ReplayError>)> {
    let mut replay = Replay::new(secrets.clone());
    lines.iter().enumerate().find_map(|(at, line)| match replay.push(line.as_bytes()) {
        Ok(played) => played.difference.map(|difference| (at, Ok(difference.kind))),
        Err(error) => Some((at, Err(error))),
    })
}

/// The journal with hashes that fit again: whoever can write it can do so.
fn linked(entries: &[Value]) -> Vec<String> {
    let mut hash = [0_u8; 32];
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let link = |entry: &Value| {
        let mut entry = entry.clone();
        if entry["n"] == 1 {
            hash = [0; 32];
        }
        let members = entry.as_object_mut().unwrap();
        members.remove("hash");
        members.insert("prev".into(), hexadecimal(&hash).into());
        let text = entry.to_string();
        hash = Sha256::new().chain_update(hash).chain_update(text).finalize().into();
        entry["hash"] = hexadecimal(&hash).into();
        entry.to_string()
    };
    entries.iter().map(link).collect()
}

#[test]
fn a_byte_that_was_changed_is_found_in_its_line() {
    let (lines, secrets) = journal();
    assert_eq!(first(&lines, &secrets), None);
    let verbs = ["configure", "activate", "observe", "advance", "anchor_clocks", "decide", "refuse", "operate"];
    for verb in verbs {
        assert!(lines.iter().any(|line| line.contains(&format!("\"{verb}\":"))), "no {verb}");
    }
    let mut before = Reader::default();
    for line in &lines {
        for place in 0..line.len() {
            let mut bytes = line.clone().into_bytes();
            bytes[place] ^= 1;
            let changed = before.clone().push(&bytes);
            assert!(changed.is_err(), "byte {place}: {}", String::from_utf8_lossy(&bytes));
        }
        before.push(line.as_bytes()).unwrap();
    }
}

#[test]
fn a_line_that_was_dropped_doubled_moved_or_put_in_is_found() {
    let (lines, secrets) = journal();
    for at in 1..lines.len() {
        let found = |lines: &[String]| match first(lines, &secrets) {
            Some((found, Err(_))) => found,
            other => panic!("{at}: {other:?}"),
        };
        // A journal whose end, or whose beginning with all of it, is gone is a shorter one: only an audit chain refers to it.
        let begins_another = |line: &String| line.contains("\"n\":1,");
        if at + 1 < lines.len() && !begins_another(&lines[at + 1]) && !begins_another(&lines[at]) {
            assert_eq!(found(&[&lines[..at], &lines[at + 1..]].concat()), at);
            let mut moved = lines.clone();
            moved.swap(at, at + 1);
            assert_eq!(found(&moved), at);
        }
        if !begins_another(&lines[at]) {
            assert_eq!(found(&[&lines[..=at], &lines[at..]].concat()), at + 1);
        }
    }
    let error = Replay::new(secrets).push(lines[1].as_bytes()).unwrap_err();
    assert_eq!(error.fault.code(), "journal_headless");
}

#[test]
fn what_is_wrong_with_a_line_is_told_by_its_code() {
    let (lines, secrets) = journal();
    let instead = |line: String| [&[lines[0].clone(), line], &lines[2..]].concat();
    let changed = |from: &str, to: &str| {
        assert!(lines[1].contains(from), "{from}: {}", lines[1]);
        instead(lines[1].replacen(from, to, 1))
    };
    for (what, changed, code) in [
        ("one is left out", [&lines[..1], &lines[2..]].concat(), "entry_sequence"),
        ("one comes twice", [&lines[..2], &lines[1..]].concat(), "entry_sequence"),
        ("what was put in", changed("\"name\\\":\\\"desk", "\"name\\\":\\\"dusk"), "entry_hash"),
        ("what it follows", changed("\"prev\":\"", "\"prev\":\"0"), "entry_hash"),
        ("its version", changed("journal/1", "journal/9"), "entry_version"),
        ("a space", changed("{\"activate\":", "{ \"activate\":"), "entry_malformed"),
        ("cut short", instead(lines[1][..lines[1].len() - 1].to_owned()), "entry_malformed"),
    ] {
        let (_, error) = first(&changed, &secrets).unwrap_or_else(|| panic!("{what}: nothing is found"));
        assert_eq!(error.unwrap_err().fault.code(), code, "{what}");
    }
}

#[test]
fn a_journal_cut_at_every_line_is_a_shorter_one_and_cut_within_a_line_is_none() {
    let (lines, secrets) = journal();
    for at in 1..=lines.len() {
        assert_eq!(first(&lines[..at], &secrets), None, "{at}");
    }
    for at in 0..lines.len() {
        let line = &lines[at];
        for length in [0, 1, line.len() / 2, line.len() - 1] {
            let mut cut = lines[..at].to_vec();
            cut.push(line[..length].to_owned());
            let (found, error) = first(&cut, &secrets).unwrap();
            assert_eq!((found, error.unwrap_err().fault.code()), (at, "entry_malformed"));
        }
    }
}

#[test]
fn what_was_changed_and_linked_anew_is_found_where_it_decides_otherwise() {
    let (lines, secrets) = journal();
    let entries: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(linked(&entries), lines, "the test links as the engine does");
    let nth = |verb: &str| entries.iter().position(|entry| entry.get(verb).is_some()).unwrap();
    // What was put in, by what is changed; and the first entry of which something else comes.
    let changes: [(usize, &str, Value, usize); 9] = [
        (nth("decide"), "/decide/subject/id", "bob".into(), nth("decide")),
        (nth("decide"), "/decide/action/name", "y".into(), nth("decide")),
        (nth("decide"), "/outcome/decision", true.into(), nth("decide")),
        (nth("decide"), "/outcome/context/reason", "no_policy".into(), nth("decide")),
        (nth("decide"), "/at/wall_ns", "1767225601000000001".into(), nth("decide")),
        (nth("refuse"), "/refuse/detail", "something else".into(), nth("refuse")),
        (nth("observe"), "/observe/signal", "nobody".into(), nth("observe")),
        (nth("observe"), "/outcome", "older".into(), nth("observe")),
        (nth("operate"), "/operate/quarantine/what/subject/id", "bob".into(), nth("operate")),
    ];
    for (at, pointer, value, found_at) in changes {
        let mut changed = entries.clone();
        let place = changed[at].pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}: {}", entries[at]));
        assert_ne!(*place, value);
        *place = value;
        let (found, _) = first(&linked(&changed), &secrets).unwrap_or_else(|| panic!("{pointer}: nothing is found"));
        assert_eq!(found, found_at, "{pointer}");
    }
}

#[test]
fn a_document_that_is_not_the_one_of_its_digest_is_no_input() {
    let (lines, secrets) = journal();
    let entries: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let activate = entries.iter().position(|entry| entry.get("activate").is_some()).unwrap();
    let mut changed = entries.clone();
    changed[activate]["activate"]["bundle"]["text"] = "{}".into();
    let (found, error) = first(&linked(&changed), &secrets).unwrap();
    assert_eq!((found, error.unwrap_err().fault.code()), (activate, "journal_input"));
    let mut changed = entries;
    changed[activate]["activate"]["bundle"].as_object_mut().unwrap().remove("text");
    let (found, error) = first(&linked(&changed), &secrets).unwrap();
    assert_eq!((found, error.unwrap_err().fault.code()), (activate, "journal_input"));
}

#[test]
fn a_setting_that_is_none_is_refused() {
    let (lines, secrets) = journal();
    let entry: Value = serde_json::from_str(&lines[0]).unwrap();
    for (pointer, value, code) in [
        ("/configure/limits/rules_max", json!(-1), "journal_setting"),
        ("/configure/limits/unheard_of_max", json!(1), "journal_setting"),
        ("/configure/limits/journal_entries_max", json!(0), "journal_setting"),
        ("/configure/limits", json!([]), "journal_setting"),
        ("/configure/key", json!(5), "journal_setting"),
        ("/configure/key", json!("0123456789abcdef"), "journal_key"),
        ("/configure/audit_head", json!({ "count": 3 }), "journal_setting"),
        ("/configure/trust", json!({ "sha256": "00" }), "journal_input"),
        ("/fallgate", json!("journal/2"), "entry_version"),
    ] {
        let mut changed = entry.clone();
        match pointer.rsplit_once('/').unwrap() {
            ("/configure/limits", name) => changed["configure"]["limits"][name] = value,
            ("", name) => changed[name] = value,
            (_, name) => changed["configure"][name] = value,
        }
        let lines = linked(&[changed]);
        let error = Replay::new(secrets.clone()).push(lines[0].as_bytes()).unwrap_err();
        assert_eq!((error.number, error.fault.code()), (1, code), "{pointer}: {error}");
    }
}

#[test]
fn what_is_no_journal_is_refused() {
    let file = pack("idp-outage").join("drills");
    let drill = std::fs::read_dir(file).unwrap().next().unwrap().unwrap().path();
    let drill = load_drill(&drill).unwrap().document.to_string();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for line in ["", "{}", "[]", "null", "\u{0}", "{\"fallgate\":\"journal/1\"}", &drill, &deep] {
        assert!(Replay::new(Secrets::default()).push(line.as_bytes()).is_err(), "{}", &line[..line.len().min(80)]);
    }
}
