//! A chain in a database: written as a server writes it, read back by `fallgate audit` and `fallgate sli`, and refused where
//! it is not what was written.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]

mod shell;

use std::path::{Path, PathBuf};

use fallgate::audit::chain::{Chain, Head};
use fallgate::audit::record::RecordKind;
use fallgate::policy::bundle::hexadecimal;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate_cli::audit_log::database::Database;
use fallgate_cli::audit_log::sink::{AppendError, Sink};
use rusqlite::Connection;
use serde_json::{Value, json};
use shell::{Ran, fallgate};
use tempfile::TempDir;

const START: Now = Now::new(Monotonic::ZERO, Wall::from_millis(1_767_225_600_000));

/// A chain of so many records, and its head.
fn chain(records: u64) -> (Vec<String>, Head) {
    let mut chain = Chain::default();
    let link = |number: u64| {
        let at = START.after(Ttl::from_secs(number));
        let body = json!({ "event": "bundle_activated", "bundle": format!("s-{number}"), "revision": number });
        chain.link(at, RecordKind::Bundle, body).unwrap()
    };
    let lines = (0..records).map(link).collect();
    (lines, chain.head())
}

/// A folder that goes away, with a database of a chain of five records, closed.
fn written() -> (TempDir, PathBuf, Head) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.db");
    let (lines, head) = chain(5);
    assert_eq!(Database::open(&path).unwrap().append(&lines).unwrap(), head);
    (folder, path, head)
}

fn place(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

fn audit(arguments: &[&str]) -> Ran {
    fallgate(&[&["audit"], arguments].concat())
}

/// Does something to a database that its owner would not.
fn tampered(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_chain_in_a_database_is_read_like_one_in_files() {
    let (folder, path, head) = written();
    let (lines, _) = chain(5);
    let file = folder.path().join("audit.jsonl");
    std::fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let (place, file) = (place(&path), file.display().to_string());
    let hash = hexadecimal(&head.hash);
    let ran = audit(&["verify", &place, "--head", &hash]);
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, audit(&["verify", &file, "--head", &hash]).out);
    for command in [&["show"][..], &["show", "--format", "json", "--from", "2026-01-01T00:00:02Z"]] {
        let [in_database, in_file] = [&place, &file].map(|chain| audit(&[command, &[chain.as_str()]].concat()));
        assert_eq!((in_database.exit, in_database.out.is_empty()), (0, false));
        assert_eq!(in_database.out, in_file.out, "{command:?}");
    }
    let [in_database, in_file] = [&place, &file].map(|chain| fallgate(&["sli", chain, "--format", "json"]));
    assert_eq!((in_database.exit, in_database.out), (0, in_file.out));
    // A chain that began in a file and went on in a database is one chain.
    let later = folder.path().join("later.db");
    let mut database = Database::open(&later).unwrap();
    assert_eq!(database.append(&lines).unwrap(), head);
    drop(database);
    tampered(&later, "DELETE FROM record WHERE seq <= 2");
    std::fs::write(&file, lines[..2].iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let later = format!("sqlite:{}", later.display());
    assert_eq!(audit(&["verify", &file, &later, "--head", &hash]).exit, 0);
}

#[test]
fn a_database_goes_on_where_it_was() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.db");
    let (lines, head) = chain(2_500);
    let mut database = Database::open(&path).unwrap();
    assert_eq!((database.head(), database.append(&[]).unwrap()), (Head::default(), Head::default()));
    assert_eq!(database.append(&lines[..1_700]).unwrap().count, 1_700);
    let second = Database::open(&path).unwrap_err();
    assert_eq!(second.code, "unreadable", "two writers would write two chains");
    assert!(second.message.starts_with("another process writes the audit records"), "{}", second.message);
    drop(database);
    let mut sink = Sink::open(Path::new(&place(&path)), 1).unwrap();
    assert_eq!(sink.head().count, 1_700);
    for wrong in [&lines[..1], &lines[1_701..], &[lines[1_700].clone(), lines[1_702].clone()]] {
        assert!(matches!(sink.append(wrong), Err(AppendError::Chain(_))));
        assert_eq!(sink.head().count, 1_700);
    }
    assert_eq!(sink.append(&lines[1_700..]).unwrap(), head, "nothing of what was refused is there");
    // Read while it is being written.
    assert_eq!(audit(&["verify", &place(&path), "--head", &hexadecimal(&head.hash)]).exit, 0);
    #[cfg(unix)]
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        use std::os::unix::fs::PermissionsExt as _;
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{entry:?}");
    }
}

#[test]
fn a_writer_that_asks_for_no_lock_is_found_out() {
    let (_folder, path, _) = written();
    let (lines, _) = chain(8);
    let mut database = Database::open(&path).unwrap();
    tampered(&path, "INSERT INTO record VALUES (6, 'x', 'y')");
    assert!(matches!(database.append(&lines[5..]), Err(AppendError::OtherWriter { last: 6 })));
    assert_eq!(database.head().count, 5);
    tampered(&path, "DELETE FROM record WHERE seq = 6");
    assert_eq!(database.append(&lines[5..]).unwrap().count, 8);
}

#[test]
fn every_change_is_found_and_nothing_is_written_behind_it() {
    for (sql, seq, code) in [
        ("UPDATE record SET line = replace(line, 's-1', 's-9') WHERE seq = 2", 2, "record_hash"),
        ("DELETE FROM record WHERE seq = 3", 3, "record_sequence"),
        ("UPDATE record SET seq = 9 WHERE seq = 2", 2, "record_sequence"),
        ("UPDATE record SET line = (SELECT line FROM record WHERE seq = 2) WHERE seq = 3", 3, "record_sequence"),
        ("UPDATE record SET seq = 9 WHERE seq = 5", 5, "record_not_canonical"),
        ("UPDATE record SET line = '' WHERE seq = 5", 5, "record_not_canonical"),
        ("UPDATE record SET line = CAST(line AS BLOB) || x'0a' WHERE seq = 5", 5, "record_not_canonical"),
        ("INSERT INTO record VALUES (-9, '', '{}')", 1, "record_members"),
        ("INSERT INTO record VALUES (9223372036854775807, '', '{}')", 6, "record_members"),
    ] {
        let (_folder, path, _) = written();
        tampered(&path, sql);
        let ran = audit(&["verify", &place(&path), "--format", "json"]);
        let found: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((ran.exit, &found["seq"], &found["code"]), (1, &json!(seq), &json!(code)), "{sql}");
        let refused = Database::open(&path).unwrap_err();
        assert_eq!(refused.code, "chain_broken", "{sql}: {}", refused.message);
    }
    // What is missing at the end shows against a head that was kept elsewhere.
    let (_folder, path, head) = written();
    tampered(&path, "DELETE FROM record WHERE seq = 5");
    assert_eq!(audit(&["verify", &place(&path)]).exit, 0);
    assert_eq!(audit(&["verify", &place(&path), "--head", &hexadecimal(&head.hash)]).exit, 1);
    tampered(&path, "DELETE FROM record");
    let ran = audit(&["verify", &place(&path)]);
    assert!(ran.exit == 1 && ran.err.starts_with("error[chain_empty]"), "{}", ran.err);
}

#[test]
fn what_is_no_database_of_records_is_no_whole_chain() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.db");
    for command in ["verify", "show"] {
        assert_eq!(audit(&[command, &place(&path)]).exit, 3, "there is none");
    }
    assert_eq!(fallgate(&["sli", &place(&path)]).exit, 3);
    assert!(!path.exists(), "whoever reads makes nothing");
    let endless = "CREATE VIEW record(seq, line) AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT 1 FROM n) \
                   SELECT i, '' FROM n";
    for sql in ["CREATE TABLE records (seq)", endless, "CREATE VIRTUAL TABLE record USING fts5(seq, line)"] {
        let _ = std::fs::remove_file(&path);
        tampered(&path, sql);
        let ran = audit(&["verify", &place(&path)]);
        assert_eq!((ran.exit, ran.out.as_str()), (3, ""), "{sql}");
        assert!(ran.err.contains("has no table of audit records"), "{sql}: {}", ran.err);
    }
    tampered(&path, "DROP TABLE record; CREATE TABLE record (a)");
    assert_eq!(audit(&["verify", &place(&path)]).exit, 3);
    std::fs::write(&path, "no database at all, but long enough to be looked at as one").unwrap();
    assert_eq!(audit(&["verify", &place(&path)]).exit, 3);
    assert_eq!(Database::open(&path).unwrap_err().code, "unreadable");
    // Names that SQLite takes for more than names.
    for name in ["file:audit.db?mode=memory", ":memory:"] {
        let path = folder.path().join(name);
        assert_eq!(Database::open(&path).unwrap().append(&chain(1).0).unwrap().count, 1);
        assert!(path.metadata().unwrap().len() > 0);
    }
}

#[test]
fn a_database_that_was_cut_off_is_never_more_than_what_was_confirmed() {
    let (lines, _) = chain(300);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.db");
    let mut database = Database::open(&path).unwrap();
    for batch in lines.chunks(10) {
        database.append(batch).unwrap();
    }
    // As a machine that lost its power leaves it: the write-ahead log, cut at any place.
    let wal = std::fs::read(path.with_extension("db-wal")).unwrap();
    let main = std::fs::read(&path).unwrap();
    assert!(wal.len() > 100_000, "{}", wal.len());
    let mut counts = Vec::new();
    for cut in (0..=wal.len()).step_by(5_003).chain([wal.len()]) {
        let crashed = TempDir::new().unwrap();
        let path = crashed.path().join("audit.db");
        std::fs::write(&path, &main).unwrap();
        std::fs::write(path.with_extension("db-wal"), &wal[..cut]).unwrap();
        let head = Database::open(&path).unwrap().head();
        assert_eq!(head.count % 10, 0, "a batch is there, or it is not");
        if head.count > 0 {
            let ran = audit(&["verify", &place(&path), "--head", &hexadecimal(&head.hash)]);
            assert_eq!((ran.exit, ran.err.as_str()), (0, ""), "{cut}");
        }
        counts.push(head.count);
    }
    assert!(counts.is_sorted() && counts.first() == Some(&0) && counts.last() == Some(&300), "{counts:?}");
}
