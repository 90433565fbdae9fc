//! Control messages, as a shell makes them and looks at them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "shell/pages.rs"]
mod pages;
mod shell;

use std::fs;

use pages::{fallgate_commands, page};
use shell::{Ran, fallgate};
use tempfile::TempDir;

const ENTER: &str = r#"{"enter_posture":{"posture":"isolated"}}"#;

/// A folder, and the commands that run in it: a word that is a file there is written `@name`.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(TempDir::new().unwrap());
        for key in ["owner", "controller", "spare"] {
            desk.done(&format!("keys new -o @{key}"));
        }
        fs::write(desk.path("enter.json"), ENTER).unwrap();
        desk
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn run(&self, command: &str) -> Ran {
        let words: Vec<String> = command
            .split_whitespace()
            .map(|word| {
                word.split('@').enumerate().map(|(at, part)| if at == 0 { part.into() } else { self.path(part) })
            })
            .map(Iterator::collect)
            .collect();
        fallgate(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// A command that must succeed: what it prints.
    fn done(&self, command: &str) -> String {
        let ran = self.run(command);
        assert_eq!((ran.exit, ran.err.as_str()), (0, ""), "{command}");
        ran.out.trim_end().to_owned()
    }

    /// A command that must fail: with which exit code, and what it says.
    fn refused(&self, command: &str) -> (u8, String) {
        let ran = self.run(command);
        assert_ne!(ran.exit, 0, "{command}: {}", ran.out);
        (ran.exit, format!("{}{}", ran.err, ran.out))
    }
}

#[test]
fn a_message_is_signed_and_shown() {
    let desk = Desk::new();
    desk.done("keys trust --key @owner.pub --speaker fleet=@controller.pub --speaker fleet=@spare.pub -o @trust.json");
    let sign = "control sign @enter.json --feed fleet --epoch 2 --sequence 7 --at 2026-01-01T00:00:00Z";
    assert_eq!(desk.done(&format!("{sign} --key @controller -o @message.json")), "fleet 2/7 enter_posture");
    let shown = desk.done("control show @message.json --trust @trust.json");
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(
        lines[..3],
        ["fleet 2/7 enter_posture", "  written  2026-01-01T00:00:00Z", &format!("  says     {ENTER}")]
    );
    assert!(lines[3].starts_with("  signed   ") && lines[4] == "  believed by the trust root", "{shown}");
    assert!(desk.done("control show @message.json").ends_with("not looked at: give --trust"));
    let json: serde_json::Value =
        serde_json::from_str(&desk.done("control show @message.json --format json --trust @trust.json")).unwrap();
    assert_eq!((&json["sequence"], &json["believed"]), (&7.into(), &true.into()));
    let beat = "control sign --heartbeat --feed fleet --epoch 2 --sequence 8 --key @controller -o @beat.json";
    assert_eq!(desk.done(beat), "fleet 2/8 heartbeat");
}

#[test]
fn as_many_sign_as_the_feed_needs() {
    let desk = Desk::new();
    let trust = "keys trust --key @owner.pub --speaker fleet=@controller.pub --speaker fleet=@spare.pub";
    desk.done(&format!("{trust} --speakers-needed fleet=2 -o @trust.json"));
    assert!(desk.done("keys list @trust.json").contains("feed `fleet`: 2 of 2 keys must sign"));
    let sign = "control sign @enter.json --feed fleet --epoch 1 --sequence 1 --key @controller -o @message.json";
    desk.done(sign);
    assert!(desk.refused("control show @message.json --trust @trust.json").1.contains("error[under_signed]"));
    desk.done("sign @message.json --key @spare -o @message.json");
    desk.done("control show @message.json --trust @trust.json");
    assert!(desk.refused("sign @message.json --key @spare -o @message.json").1.contains("signed_twice"));
    // A root that follows keeps who speaks; a key that is dropped speaks no more.
    let id = fallgate_id(&desk, "spare");
    desk.done(&format!(
        "keys trust --follow @trust.json --sign @owner --drop {id} --speakers-needed fleet=1 -o @next.json"
    ));
    let shown = desk.refused("control show @message.json --trust @trust.json --trust @next.json --format yaml");
    assert_eq!(shown.0, 2);
    desk.done("control show @message.json --trust @trust.json --trust @next.json");
    assert!(desk.done("keys list @trust.json @next.json").contains("feed `fleet`: 1 of 1 keys must sign"));
}

/// The id of a key, as a message that it has signed names it.
fn fallgate_id(desk: &Desk, key: &str) -> String {
    desk.done(&format!("control sign --heartbeat --feed f --epoch 1 --sequence 1 --key @{key} -o @of-{key}.json"));
    let json: serde_json::Value =
        serde_json::from_str(&desk.done(&format!("control show @of-{key}.json --format json"))).unwrap();
    json["signatures"][0].as_str().unwrap().to_owned()
}

#[test]
fn what_an_engine_would_refuse_is_not_signed() {
    let desk = Desk::new();
    let sign =
        |what: &str, rest: &str| desk.refused(&format!("control sign {what} {rest} --key @controller -o @no.json"));
    fs::write(desk.path("export.json"), r#"{"export_state":{}}"#).unwrap();
    fs::write(desk.path("twice.json"), r#"{"enter_posture":{"posture":"a","posture":"b"}}"#).unwrap();
    let first = "--feed fleet --epoch 1 --sequence 1";
    for (what, rest, exit, said) in [
        ("@export.json", first, 3, "`export_state` is no operation of a control feed"),
        ("@twice.json", first, 3, "posture"),
        ("@nothing.json", first, 3, "cannot read"),
        ("@enter.json", "--feed fleet --epoch 0 --sequence 1", 3, "`epoch` is from 1"),
        ("@enter.json", "--feed a/b --epoch 1 --sequence 1", 3, "is no name of a feed"),
        ("--heartbeat @enter.json", first, 2, "cannot be used with"),
        ("", first, 2, "required"),
    ] {
        let (code, text) = sign(what, rest);
        assert_eq!(code, exit, "{what} {rest}: {text}");
        assert!(text.contains(said), "{what} {rest}: {text}");
    }
    assert!(!std::path::Path::new(&desk.path("no.json")).exists());
    assert!(
        desk.refused("keys trust --key @owner.pub --speakers-needed fleet=1 -o @t.json").1.contains("nobody speaks")
    );
}

/// The ids in a text, in their order.
fn ids(text: &str) -> Vec<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_hexdigit());
    words.filter(|word| word.len() == 64).collect()
}

#[test]
fn the_document_shows_what_the_commands_print() {
    let desk = Desk(TempDir::new().unwrap());
    // Keys are random: an id of the document stands for one id of this run.
    let mut known: Vec<(String, String)> = Vec::new();
    let mut runs = 0;
    for (command, expected) in fallgate_commands(&page("control.md")) {
        let words = command.split(' ').map(|word| match word.rsplit_once('=') {
            Some((feed, file)) => format!("{feed}=@{file}"),
            None if word.starts_with("docs/") => word.replace("docs/", "../../docs/"),
            None if [".key", ".pub", ".json"].iter().any(|end| word.ends_with(end)) => format!("@{word}"),
            None => word.to_owned(),
        });
        let mut printed = desk.done(&words.collect::<Vec<_>>().join(" "));
        for (real, written) in ids(&printed.clone()).into_iter().zip(ids(&expected)) {
            known.push((written.to_owned(), real.to_owned()));
        }
        for (written, real) in &known {
            printed = printed.replace(real, written);
        }
        // When a message is written is now.
        let timeless = |text: &str| -> Vec<String> {
            text.trim_end().lines().filter(|line| !line.contains("\"at\"")).map(str::to_owned).collect()
        };
        assert_eq!(timeless(&printed), timeless(&expected), "{command}");
        runs += 1;
    }
    assert_eq!(runs, 6, "the commands of docs/control.md");
}
