//! A server that hears a controller: messages as files in a folder.

use std::path::Path;
use std::process::Command;

use crate::EVALUATION;
use crate::asking::{Server, command, pack};

const CONFIGURE: &str = include_str!("../../../../policies/edge-control/requests/configure.json");
const QUARANTINE: &str = r#"{"quarantine":{"what":{"subject":{"type":"controller","id":"ctl-eu"}}}}"#;

/// Runs the command in a folder; a word that is a file there is written `@name`.
fn run(folder: &Path, words: &str) {
    let words = words.split_whitespace().map(|word| match word.strip_prefix('@') {
        Some(name) => folder.join(name).display().to_string(),
        None => word.to_owned(),
    });
    let output = Command::new(env!("CARGO_BIN_EXE_fallgate")).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn messages_are_taken_from_a_folder_in_their_order() {
    let desk = tempfile::tempdir().unwrap();
    let folder = desk.path();
    std::fs::create_dir(folder.join("messages")).unwrap();
    std::fs::write(folder.join("quarantine.json"), QUARANTINE).unwrap();
    run(folder, "keys new -o @owner");
    run(folder, "keys new -o @controller");
    run(
        folder,
        "keys trust --key @owner.pub --speaker fleet=X -o @trust.json"
            .replace("X", folder.join("controller.pub").to_str().unwrap())
            .as_str(),
    );
    run(folder, &format!("build {} --key @owner -o @edge.json", pack("edge-control").display()));
    // Written beside, and then brought: nobody reads half of a message.
    let bring = |name: &str, what: &str| {
        run(folder, &format!("control sign {what} --feed fleet --epoch 1 --key @controller -o @{name}"));
        std::fs::rename(folder.join(name), folder.join("messages").join(name)).unwrap();
    };
    let at = |name: &str| folder.join(name).display().to_string();
    let (trust, messages) = (at("trust.json"), at("messages"));
    let server = Server::start_at(
        &folder.join("edge.json"),
        &["--listen", "127.0.0.1:0", "--trust", &trust, "--control-dir", &messages],
    );
    let reason = || server.post(EVALUATION, CONFIGURE).json()["context"]["reason"].as_str().unwrap().to_owned();
    assert_eq!(reason(), "signal_unavailable");
    std::fs::write(folder.join("messages/0.json"), "{}").unwrap();
    std::fs::write(folder.join("messages/.half.json"), "{").unwrap();
    server.logs("control=missing_field `0.json`");
    bring("2.json", "@quarantine.json --sequence 2");
    server.logs("control=control_gap `2.json`");
    assert_eq!(reason(), "signal_unavailable");
    bring("1.json", "--heartbeat --sequence 1");
    server.logs("control=done `2.json`");
    assert_eq!(reason(), "quarantined");
    assert!(server.log().contains("control=heard `1.json`"));
    assert!(!server.log().contains("half"));
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("fallgate_control_sequence{feed=\"fleet\"} 2"), "{metrics}");
}

#[test]
fn a_server_that_nobody_may_speak_to_does_not_start() {
    let desk = tempfile::tempdir().unwrap();
    let folder = desk.path();
    run(folder, "keys new -o @owner");
    run(folder, "keys trust --key @owner.pub -o @trust.json");
    run(folder, &format!("build {} --key @owner -o @edge.json", pack("edge-control").display()));
    let (bundle, trust) = (folder.join("edge.json"), folder.join("trust.json").display().to_string());
    let here = folder.display().to_string();
    let output = command(&bundle, &["--trust", &trust, "--control-dir", &here]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--speaker"));
    let output = command(&bundle, &["--control-dir", &here]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "without a trust root nobody may speak at all");
}
