//! A server over its life: signals of the pack, reading the pack again, the end.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::asking::{BEARER, Server, command, pack, post, token_file};
use crate::{EVALUATION, READ, allowed, fixture};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const CHANGE: &str = include_str!("../../../../policies/authzen-gateway/requests/admin-changes-a-role.json");

fn reason(server: &Server, body: &str) -> String {
    server.post(EVALUATION, body).json()["context"]["reason"].as_str().unwrap().to_owned()
}

#[test]
fn signals_are_reported_to_the_server() {
    let server = Server::start("authzen-gateway", &[]);
    assert_eq!(reason(&server, CHANGE), "signal_unavailable");
    let reply = server.post("/v1/signals", r#"{"directory":"ok"}"#);
    assert_eq!((reply.status, reply.text()), (200, r#"{"directory":"taken"}"#.to_owned()));
    assert_eq!(reason(&server, CHANGE), "allowed_by_rule");
    server.post("/v1/signals", r#"{"directory":"failed"}"#);
    assert_eq!(reason(&server, CHANGE), "signal_unavailable");
    server.logs("event=signal_changed");
    for (body, status) in [
        (r#"{"nobody":"ok"}"#, 400),
        (r#"{"clock":"ok"}"#, 400),
        (r#"{"directory":"fine"}"#, 400),
        (r#"{"directory":true}"#, 400),
        (r#"{"directory":"ok","directory":"failed"}"#, 400),
        (r#"["directory"]"#, 400),
        ("", 400),
        ("{}", 200),
    ] {
        assert_eq!(server.post("/v1/signals", body).status, status, "{body}");
    }
    assert_eq!(server.ask(&post("/v1/signals", &[], r#"{"directory":"ok"}"#)).status, 400, "no content type");
    assert_eq!(reason(&server, CHANGE), "signal_unavailable");
}

#[test]
fn signals_are_observed_at_the_start() {
    assert_eq!(reason(&Server::start("authzen-gateway", &["--observe", "directory=ok"]), CHANGE), "allowed_by_rule");
    let output = command(&pack("authzen-gateway"), &["--observe", "directry=ok"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("directory"));
}

#[test]
fn a_report_of_signals_needs_the_token() {
    let server = Server::start("authzen-gateway", &["--token-file", &token_file()]);
    let report = r#"{"directory":"ok"}"#;
    assert_eq!(server.post("/v1/signals", report).status, 401);
    let change =
        || server.ask(&post(EVALUATION, &[JSON, ("Authorization", BEARER)], CHANGE)).json()["decision"] == true;
    assert!(!change());
    assert_eq!(server.ask(&post("/v1/signals", &[JSON, ("Authorization", BEARER)], report)).status, 200);
    assert!(change());
}

/// A pack of one rule, for readers of this name.
fn write_pack(folder: &Path, revision: u32, reader: &str) {
    let pack = format!("fallgate: 1\nname: one-rule\nrevision: {revision}\nactions: {{ read: {{}} }}\n");
    std::fs::write(folder.join("pack.yaml"), pack).unwrap();
    let rules = format!("rules:\n  - {{ id: r, effect: allow, action: read, when: subject.id == '{reader}' }}\n");
    std::fs::write(folder.join("rules.yaml"), rules).unwrap();
}

#[test]
fn a_pack_is_read_again_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write_pack(folder.path(), 1, "alice");
    let server = Server::start_at(folder.path(), &["--listen", "127.0.0.1:0"]);
    let reads = |who: &str| allowed(&server.post(EVALUATION, &READ.replace("alice", who)));
    assert!(reads("alice") && !reads("carol"));
    write_pack(folder.path(), 2, "carol");
    server.signal(Signal::HUP);
    server.logs("reload=activated one-rule revision 2");
    assert!(!reads("alice") && reads("carol"));
    // An older revision, a mistake, and nothing at all: each is refused, and the bundle stays.
    write_pack(folder.path(), 1, "alice");
    server.signal(Signal::HUP);
    server.logs("revision 1 is older than revision 2");
    std::fs::write(folder.path().join("rules.yaml"), "rules:\n  - { id: r, effect: alow }\n").unwrap();
    server.signal(Signal::HUP);
    server.logs("alow");
    std::fs::remove_file(folder.path().join("pack.yaml")).unwrap();
    server.signal(Signal::HUP);
    server.logs("there is no");
    assert!(!reads("alice") && reads("carol"));
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("fallgate_reloads_total{outcome=\"activated\"} 1"), "{metrics}");
    assert!(metrics.contains("fallgate_reloads_total{outcome=\"refused\"} 3"), "{metrics}");
    assert!(metrics.contains("fallgate_policy_revision 2.0"), "{metrics}");
}

#[test]
fn what_runs_is_finished_before_the_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = fixture(&[]);
        let mut idle = server.connect();
        let mut busy = server.connect();
        let request = post(EVALUATION, &[JSON], READ);
        busy.send(&request[..request.len() - 5]);
        // The server has read the head before it is told to stop.
        std::thread::sleep(Duration::from_millis(300));
        let host = server.host().to_owned();
        server.signal(signal);
        server.logs("stopping");
        assert!(idle.next().is_none(), "one who asks nothing is not waited for");
        assert!(std::net::TcpStream::connect(host).is_err(), "nobody new is let in");
        busy.send(&request[request.len() - 5..]);
        assert!(allowed(&busy.reply()));
        assert_eq!(server.ended(), Some(0));
        server.logs("stopped");
    }
}

#[test]
fn what_does_not_end_is_ended() {
    let mut server = fixture(&["--stop-timeout", "300ms", "--request-timeout", "60s"]);
    let mut busy = server.connect();
    let request = post(EVALUATION, &[JSON], READ);
    busy.send(&request[..request.len() - 5]);
    std::thread::sleep(Duration::from_millis(300));
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));
    assert!(busy.next().is_none());
}

#[test]
fn a_pack_that_does_not_compile_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    write_pack(folder.path(), 1, "alice");
    std::fs::write(folder.path().join("rules.yaml"), "rules:\n  - { id: r, effect: alow }\n").unwrap();
    let output = command(folder.path(), &["--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(3), true));
    // Nor is one on an address that is taken.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command(&pack("authzen-gateway"), &["--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains(&address));
}

#[test]
fn a_server_that_trusts_keys_takes_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let run = |words: &str| {
        let words = words.split(' ').map(|word| word.strip_prefix('@').map_or_else(|| word.to_owned(), &path));
        let ran = std::process::Command::new(env!("CARGO_BIN_EXE_fallgate")).args(words).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    };
    let publish = |revision: u32, reader: &str, key: &str| {
        write_pack(folder.path(), revision, reader);
        run(&format!("build @. --key @{key} -o @signed.json"));
    };
    run("keys new -o @a");
    let second = run("keys new -o @b");
    run("keys trust --key @a.pub -o @first.json");
    run("keys trust --follow @first.json --key @b.pub --sign @a -o @later.json");
    run("keys trust --follow @first.json --follow @later.json --revoke-key ID --sign @b -o @third.json"
        .replace("ID", &second)
        .as_str());
    // What is not signed does not start.
    let (first, later, signed) = (path("first.json"), path("later.json"), path("signed.json"));
    write_pack(folder.path(), 1, "alice");
    let output = command(folder.path(), &["--listen", "127.0.0.1:0", "--trust", &first]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("error[unsigned]"));

    publish(1, "alice", "b");
    let arguments = ["--listen", "127.0.0.1:0", "--trust", &first, "--trust", &later];
    let server = Server::start_at(Path::new(&signed), &arguments);
    let reads = |who: &str| allowed(&server.post(EVALUATION, &READ.replace("alice", who)));
    assert!(reads("alice"));
    assert!(server.get("/metrics").text().contains("fallgate_policy_unsigned 0"));
    // A bundle without a signature, then one that is signed.
    run("build @. -o @signed.json");
    server.signal(Signal::HUP);
    server.logs("reload=refused the active bundle stays: error[unsigned]");
    publish(2, "carol", "b");
    server.signal(Signal::HUP);
    server.logs("reload=activated one-rule revision 2");
    assert!(reads("carol") && !reads("alice"));
    // The key is revoked: what it has signed ends at once, and a bundle of the other key takes its place.
    std::fs::copy(path("third.json"), &later).unwrap();
    server.signal(Signal::HUP);
    server.logs("event=bundle_revoked");
    server.logs("error[revoked_key]");
    assert!(!reads("carol"));
    publish(3, "carol", "a");
    server.signal(Signal::HUP);
    server.logs("reload=activated one-rule revision 3");
    assert!(reads("carol"));
}

#[test]
fn a_server_that_trusts_anybody_says_so() {
    let server = Server::start("authzen-gateway", &[]);
    server.logs("event=bundle_unsigned");
    assert!(server.get("/metrics").text().contains("fallgate_policy_unsigned 1"));
}

/// The records in a folder, each as its kind and its body.
fn records(folder: &Path) -> Vec<(String, serde_json::Value)> {
    let files = fallgate_cli::audit_log::lines::files_of(folder).unwrap();
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let record = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        (record["kind"].as_str().unwrap().to_owned(), record["body"].clone())
    };
    text.lines().map(record).collect()
}

#[test]
fn records_are_on_disk_and_the_chain_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    write_pack(folder.path(), 1, "alice");
    let pack = folder.path().join("pack.yaml");
    let mut text = std::fs::read_to_string(&pack).unwrap();
    text.push_str("audit: { level: all, redact: [subject.id] }\n");
    std::fs::write(&pack, text).unwrap();
    let log = folder.path().join("log");
    let key = folder.path().join("key");
    std::fs::write(&key, [3; 32]).unwrap();
    let (log_name, key_name) = (log.display().to_string(), key.display().to_string());
    let arguments = ["--listen", "127.0.0.1:0", "--audit", &log_name, "--audit-key-file", &key_name];
    for run in 1..=2_usize {
        let mut server = Server::start_at(folder.path(), &arguments);
        assert!(allowed(&server.post(EVALUATION, READ)));
        assert!(!allowed(&server.post(EVALUATION, &READ.replace("alice", "mallory"))));
        // A second writer would write a second chain.
        let output = command(folder.path(), &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        server.signal(Signal::TERM);
        assert_eq!(server.ended(), Some(0));
        let records = records(&log);
        let decisions: Vec<_> = records.iter().filter(|(kind, _)| kind == "decision").map(|(_, body)| body).collect();
        assert_eq!(decisions.len(), 2 * run);
        assert_eq!(decisions[2 * run - 2]["decision"]["decision"], true);
        assert_eq!(decisions[2 * run - 1]["decision"]["decision"], false);
        let activated = |body: &serde_json::Value| body["event"] == "bundle_activated";
        assert_eq!(records.iter().filter(|(kind, body)| kind == "bundle" && activated(body)).count(), run);
        let written = format!("{records:?}");
        assert!(!written.contains("alice") && !written.contains("mallory"), "{written}");
    }
    let fallgate = env!("CARGO_BIN_EXE_fallgate");
    let output = std::process::Command::new(fallgate).args(["audit", "verify", &log_name]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // What was tampered with is not gone on with.
    let file = fallgate_cli::audit_log::lines::files_of(&log).unwrap().remove(0);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("one-rule", "two-rule", 1)).unwrap();
    let output = command(folder.path(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("the audit chain is broken"));
}

#[test]
fn what_a_server_was_asked_is_in_its_journal_and_is_decided_again() {
    let folder = tempfile::tempdir().unwrap();
    write_pack(folder.path(), 1, "alice");
    let pack = folder.path().join("pack.yaml");
    let mut text = std::fs::read_to_string(&pack).unwrap();
    text.push_str("signals: { ledger: { ttl: 5m } }\naudit: { level: all }\n");
    std::fs::write(&pack, text).unwrap();
    let name = |file: &str| folder.path().join(file).display().to_string();
    std::fs::write(folder.path().join("key"), "000102030405060708090a0b0c0d0e0f\n").unwrap();
    let (journal, log, key) = (name("journal.jsonl"), name("log"), name("key"));
    let arguments = ["--listen", "127.0.0.1:0", "--journal", &journal, "--key-file", &key, "--audit", &log];
    let fallgate = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_fallgate")).args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    for run in 1..=2 {
        let mut server = Server::start_at(folder.path(), &arguments);
        assert!(allowed(&server.post(EVALUATION, READ)));
        assert_eq!(server.post("/v1/signals", r#"{"ledger":"ok"}"#).status, 200);
        assert!(!allowed(&server.post(EVALUATION, &READ.replace("alice", "mallory"))));
        assert_eq!(server.post(EVALUATION, "{").status, 400);
        // A second writer would write into the first one's journal.
        let output = command(folder.path(), &["--listen", "127.0.0.1:0", "--journal", &journal, "--key-file", &key]);
        let output = { output }.output().unwrap();
        assert!(String::from_utf8(output.stderr).unwrap().contains("another process writes the journal"));
        server.signal(Signal::TERM);
        assert_eq!(server.ended(), Some(0));
        let (exit, text) = fallgate(&["replay", &journal, "--key-file", &key, "--audit", &log]);
        assert_eq!(exit, Some(0), "{text}");
        let engines = if run == 1 { "1 engine" } else { "2 engines" };
        assert!(text.contains(&format!("of {engines}")) && text.contains("of the chain equal"), "{text}");
    }
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&journal).unwrap().permissions().mode() & 0o777, 0o600);
    let (exit, text) = fallgate(&["replay", &journal]);
    assert_eq!(exit, Some(3));
    assert!(text.contains("the engine had a `key`"), "{text}");
    // A server whose records are not of this journal.
    std::fs::remove_dir_all(&log).unwrap();
    let mut server = Server::start_at(folder.path(), &["--listen", "127.0.0.1:0", "--audit", &log, "--key-file", &key]);
    assert!(allowed(&server.post(EVALUATION, READ)));
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));
    let (exit, text) = fallgate(&["replay", &journal, "--key-file", &key, "--audit", &log]);
    assert_eq!(exit, Some(1), "{text}");
    let without_key = command(folder.path(), &["--journal", &journal]).output().unwrap();
    assert_eq!(without_key.status.code(), Some(2));
}
