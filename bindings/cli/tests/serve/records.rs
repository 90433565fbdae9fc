//! What a server that dies, or whose disk is full, leaves of its audit records: in files and in a database.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::asking::{Server, command, post};
use crate::{EVALUATION, READ, allowed};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A pack that records everything, and the two kinds of places that its records can go to.
fn audited() -> (TempDir, [String; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let pack = "fallgate: 1\nname: one-rule\nrevision: 1\nactions: { read: {} }\naudit: { level: all }\n";
    std::fs::write(folder.path().join("pack.yaml"), pack).unwrap();
    std::fs::write(folder.path().join("rules.yaml"), "rules:\n  - { id: r, effect: allow, action: read }\n").unwrap();
    let files = folder.path().join("log").display().to_string();
    let database = format!("sqlite:{}", folder.path().join("audit.db").display());
    (folder, [files, database])
}

fn arguments(place: &str) -> [&str; 4] {
    ["--listen", "127.0.0.1:0", "--audit", place]
}

fn fallgate(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_fallgate")).args(arguments).output().unwrap()
}

/// The decisions that are on disk, in a chain that is whole.
fn decisions(place: &str) -> usize {
    let output = fallgate(&["audit", "show", place, "--kind", "decision", "--format", "json"]);
    assert!(output.status.success(), "{place}: {output:?}");
    output.stdout.iter().filter(|byte| **byte == b'\n').count()
}

/// Asks so often, on one connection.
fn ask(server: &Server, times: usize) {
    let mut connection = server.connect();
    let request = post(EVALUATION, &[JSON], READ);
    for _ in 0..times {
        connection.send(&request);
        assert!(allowed(&connection.reply()));
    }
}

/// The last file of a chain in a folder.
fn last_file(folder: &str) -> PathBuf {
    fallgate_cli::audit_log::lines::files_of(Path::new(folder)).unwrap().pop().unwrap()
}

/// Whether the last file of a folder ends in the middle of a record; a database never does.
fn is_cut_off(place: &str) -> bool {
    !place.starts_with("sqlite:") && !std::fs::read(last_file(place)).unwrap().ends_with(b"\n")
}

#[test]
fn what_was_on_disk_survives_a_kill_and_the_chain_goes_on() {
    let (pack, places) = audited();
    for place in &places {
        let mut on_disk = 0;
        for round in 0..4_u64 {
            let server = Server::start_at(pack.path(), &arguments(place));
            ask(&server, 40);
            // Twenty times as long as records wait.
            std::thread::sleep(Duration::from_secs(1));
            on_disk += 40;
            let host = server.host().to_owned();
            let asking = std::thread::spawn(move || {
                use std::io::Write as _;
                let request = post(EVALUATION, &[JSON], READ);
                let Ok(mut stream) = std::net::TcpStream::connect(host) else { return };
                // Nobody reads the answers; what the server takes in until it dies is decided and recorded.
                while stream.write_all(&request).is_ok() {}
            });
            // In the middle of one write or another.
            std::thread::sleep(Duration::from_millis(120 + 37 * round));
            server.signal(Signal::KILL);
            asking.join().unwrap();
            drop(server);
            if is_cut_off(place) {
                // The kill met a write: whole is what stands before it, and no server goes on behind it.
                let refused = command(pack.path(), &arguments(place)).output().unwrap();
                assert_eq!(refused.status.code(), Some(3), "{refused:?}");
                let file = last_file(place);
                let text = std::fs::read(&file).unwrap();
                let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                std::fs::write(&file, &text[..whole]).unwrap();
            }
            let found = decisions(place);
            assert!(found >= on_disk, "{place}: {found} of {on_disk}");
            on_disk = found;
        }
        let verified = fallgate(&["audit", "verify", place]);
        assert_eq!(verified.status.code(), Some(0), "{place}: {verified:?}");
    }
}

#[test]
fn a_last_write_that_was_cut_off_is_not_gone_on_behind() {
    let (pack, [folder, _]) = audited();
    let mut server = Server::start_at(pack.path(), &arguments(&folder));
    ask(&server, 3);
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));
    assert_eq!(decisions(&folder), 3);
    let file = last_file(&folder);
    let whole = std::fs::read(&file).unwrap();
    let last_line = whole.len() - whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() - 1;
    for cut in [1, 2, last_line / 2, last_line - 1] {
        std::fs::write(&file, &whole[..whole.len() - cut]).unwrap();
        let refused = command(pack.path(), &arguments(&folder)).output().unwrap();
        assert_eq!(refused.status.code(), Some(3), "{cut}");
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(told.contains("the audit chain is broken at") && told.contains("begin in another"), "{told}");
        assert_eq!(fallgate(&["audit", "verify", &folder]).status.code(), Some(1), "{cut}");
        assert_eq!(std::fs::read(&file).unwrap().len(), whole.len() - cut, "what is there is evidence, and stays");
    }
}

#[test]
fn a_full_disk_leaves_whole_records_and_the_chain_goes_on_when_there_is_room() {
    let (pack, places) = audited();
    for place in &places {
        // A bound on the length of a file is the full disk that a test can have without being root.
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 256; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_fallgate"), "serve"]);
        shell.arg(pack.path()).args(arguments(place)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut server = Server::start_as(shell);
        for _ in 0..40 {
            ask(&server, 25);
            std::thread::sleep(Duration::from_millis(20));
        }
        server.logs("audit=failed the records cannot be written: ");
        // Who asks is answered meanwhile, and is not waited for.
        ask(&server, 25);
        server.signal(Signal::TERM);
        assert_eq!(server.ended(), Some(0));
        let kept = decisions(place);
        assert!((1..1_025).contains(&kept), "{place}: {kept}");
        let mut server = Server::start_at(pack.path(), &arguments(place));
        ask(&server, 5);
        server.signal(Signal::TERM);
        assert_eq!(server.ended(), Some(0));
        assert_eq!(decisions(place), kept + 5, "{place}");
        assert_eq!(fallgate(&["audit", "verify", place]).status.code(), Some(0), "{place}");
    }
}

/// The same pack, whose action is answered only when its record is on disk.
fn confirmed() -> (TempDir, [String; 2]) {
    let (folder, places) = audited();
    let pack = folder.path().join("pack.yaml");
    let text = std::fs::read_to_string(&pack).unwrap().replace("read: {}", "read: { audit: confirmed }");
    std::fs::write(&pack, text).unwrap();
    (folder, places)
}

#[test]
fn what_demands_it_is_on_disk_before_the_answer() {
    let (pack, places) = confirmed();
    for place in &places {
        for round in 1..=2 {
            let server = Server::start_at(pack.path(), &arguments(place));
            ask(&server, 10);
            server.signal(Signal::KILL);
            drop(server);
            // The kill follows the last answer at once, and takes none of what it rests on.
            let output = fallgate(&["audit", "show", place, "--kind", "pending", "--format", "json"]);
            assert_eq!(output.status.code(), Some(0), "{place}: {output:?}");
            let pending = output.stdout.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(pending, 10 * round, "{place}");
        }
    }
}

#[test]
fn what_demands_it_is_denied_where_the_disk_is_full_or_nobody_writes() {
    let (pack, places) = confirmed();
    let reason = |server: &Server| server.post(EVALUATION, READ).json()["context"]["reason"].clone();
    for place in &places {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 256; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_fallgate"), "serve"]);
        shell.arg(pack.path()).args(arguments(place)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let server = Server::start_as(shell);
        let answers: Vec<String> = (0..200).map(|_| reason(&server).as_str().unwrap().to_owned()).collect();
        let allowed = answers.iter().take_while(|reason| *reason == "allowed_by_rule").count();
        assert!((1..200).contains(&allowed), "{place}: {allowed}");
        assert!(answers[allowed..].iter().all(|reason| reason == "audit_pending"), "{place}: {answers:?}");
    }
    let alone = Server::start_at(pack.path(), &["--listen", "127.0.0.1:0"]);
    assert_eq!(reason(&alone), "audit_pending");
    // A batch has no second call.
    let server = Server::start_at(pack.path(), &arguments(&places[0]));
    let batch = server.post("/access/v1/evaluations", &format!(r#"{{"evaluations":[{READ}]}}"#)).json();
    assert_eq!(batch["evaluations"][0]["context"]["reason"], "audit_pending");
    assert_eq!(reason(&server), "allowed_by_rule");
}
