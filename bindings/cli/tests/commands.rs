//! The commands as a shell runs them: what they print, and how they end.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod shell;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use fallgate::schemas::NAMES;
use fallgate_cli::command::run;
use fallgate_cli::console::Console;
use shell::{fallgate, fallgate_with};
use tempfile::TempDir;

/// A new pack in a folder that goes away with the first value.
fn new_pack() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let pack = folder.path().join("shop").display().to_string();
    let ran = fallgate(&["init", &pack]);
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    (folder, pack)
}

/// Changes a file of the pack.
fn edit(pack: &str, file: &str, from: &str, to: &str) {
    let path = Path::new(pack).join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_pack_that_nobody_answers_for_is_a_warning() {
    for owners in ["", "owners: []\n"] {
        let (_folder, pack) = new_pack();
        edit(&pack, "pack.yaml", "owners: [documents-team]       # whom its pages reach\n", owners);
        let ran = fallgate(&["check", &pack]);
        assert_eq!(ran.exit, 0, "{}", ran.out);
        assert!(ran.out.starts_with("warning[owner_missing]: nobody answers for this pack"), "{}", ran.out);
        assert!(ran.out.contains("pack.yaml:3:7"), "{}", ran.out);
        assert!(ran.out.ends_with("\nshop revision 1: 0 errors, 1 warning\n"), "{}", ran.out);
        assert_eq!(fallgate(&["check", "--strict", &pack]).exit, 1);
    }
}

#[test]
fn a_new_pack_is_whole() {
    let (folder, pack) = new_pack();
    let ran = fallgate(&["check", "--strict", &pack]);
    assert_eq!((ran.exit, ran.out.as_str()), (0, "shop revision 1: 0 errors, 0 warnings\n"));
    let ran = fallgate(&["test", &pack]);
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (0, "shop: 5 cases, 1 drill with 9 steps: passed\n3 of 3 rules decided something\n")
    );
    let ran = fallgate(&["drill", &pack]);
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (
            0,
            "\
the directory is down, and returns (directory-down)
        0s    directory ok
        0s  ~ directory: unknown → ok
        1s  ✓ alice document:read handbook  allow allowed_by_rule everybody-reads-public-documents
        1s  ✓ alice document:write notes    allow allowed_by_rule owners-read-and-write
        5s  ✓ directory failed
        5s  ~ directory: ok → failed
        6s  ✓ alice document:read handbook  allow allowed_stale (directory not ok) everybody-reads-public-documents
        6s  ✓ alice document:write notes    deny  signal_unavailable (directory not ok)
   35.001s  ~ directory: failed → unknown
      302s  ✓ alice document:read handbook  deny  signal_unavailable (directory not ok)
      310s    directory ok
      310s  ~ directory: unknown → ok
      311s  ✓ alice document:write notes    allow allowed_by_rule owners-read-and-write

1 drill: passed
"
        )
    );
    // A folder that exists is not written into.
    let ran = fallgate(&["init", &pack]);
    assert_eq!(ran.exit, 3);
    assert!(ran.err.starts_with("error[unreadable]: `"), "{}", ran.err);
    // A name that YAML would take for a number is still a name; one that the core refuses is none.
    let number = folder.path().join("12").display().to_string();
    assert_eq!((fallgate(&["init", &number]).exit, fallgate(&["test", &number]).exit), (0, 0));
    let no_name = folder.path().join("no name");
    let ran = fallgate(&["init", no_name.to_str().unwrap()]);
    assert_eq!(ran.exit, 2);
    assert!(ran.err.starts_with("error: invalid_name: `no name` is not a name"), "{}", ran.err);
    assert!(!no_name.exists());
}

#[test]
fn check_shows_every_mistake_and_ends_with_findings() {
    let (_folder, pack) = new_pack();
    edit(&pack, "rules.yaml", "when: subject.suspended", "when: subject.suspendde");
    edit(&pack, "drills/directory-down.yaml", "pack: ..", "pack: ..\nsteeps: 1");
    let ran = fallgate(&["check", &pack]);
    assert_eq!(ran.exit, 1);
    assert!(ran.out.contains("rules.yaml:19:19"), "{}", ran.out);
    assert!(ran.out.contains("19 |     when: subject.suspendde"), "{}", ran.out);
    assert!(ran.out.contains("3 | steeps: 1\n  | ^^^^^^\n"), "{}", ran.out);
    assert!(ran.out.ends_with("\n2 errors, 0 warnings\n"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);

    let ran = fallgate(&["check", "--format", "json", &pack]);
    let output: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.exit, &output["bundle"]), (1, &serde_json::Value::Null));
    assert_eq!(output["errors"][0]["places"][0]["line"], 19);
    assert_eq!(output["errors"][1]["code"], "unknown_field");

    // What cannot be compiled cannot be run either.
    let ran = fallgate(&["test", &pack]);
    assert_eq!((ran.exit, ran.out.as_str()), (3, ""));
    assert!(ran.err.contains("rules.yaml:19:19"), "{}", ran.err);
    assert_eq!(fallgate(&["check", "/nowhere"]).exit, 3);
}

#[test]
fn test_names_what_failed_and_where() {
    let (folder, pack) = new_pack();
    edit(&pack, "tests/documents.yaml", "effect: allow, rule: owners", "effect: deny, rule: owners");
    edit(&pack, "drills/directory-down.yaml", "reason: allowed_stale", "reason: cached");
    edit(
        &pack,
        "rules.yaml",
        "rules:\n",
        "rules:\n  - { id: unused, effect: allow, action: document:read, subject: { id: nobody } }\n",
    );
    let report = folder.path().join("report.xml");
    let ran = fallgate(&["test", &pack, "--junit", report.to_str().unwrap()]);
    assert_eq!(ran.exit, 1);
    let expected = format!(
        "\
✗ an owner changes her notes
    effect: expected deny, found allow ({pack}/tests/documents.yaml:7)
✗ the directory is down, and returns
    at 6s: reason: expected cached, found allowed_stale ({pack}/drills/directory-down.yaml:8)
shop: 5 cases, 1 drill with 9 steps: 2 failed
3 of 4 rules decided something
  never decides: unused
"
    );
    assert_eq!(ran.out, expected);
    let report = fs::read_to_string(report).unwrap();
    assert!(report.contains(r#"tests="6""#) && report.contains(r#"failures="2""#), "{report}");
    let ran = fallgate(&["drill", &pack, "directory-down"]);
    assert_eq!(ran.exit, 1);
    assert!(ran.out.contains("✗ alice document:read handbook  allow allowed_stale"), "{}", ran.out);
    assert!(ran.out.contains("reason: expected cached, found allowed_stale"), "{}", ran.out);
    // Who looks for what is wrong with a case asks what is decided; who serves the pack is refused.
    let request = format!("{pack}/requests/write.json");
    let ran = fallgate(&["eval", &pack, "--input", &request, "--all-signals-ok"]);
    assert!(ran.out.starts_with("allow: allowed_by_rule\n"), "{}{}", ran.out, ran.err);
    let ran = fallgate(&["serve", &pack, "--listen", "127.0.0.1:0"]);
    assert_ne!(ran.exit, 0);
    assert!(ran.err.contains("the bundle fails its own test `an owner changes her notes`"), "{}", ran.err);
}

#[test]
fn build_writes_what_check_calls_by_its_identifier() {
    let (folder, pack) = new_pack();
    let bundle = folder.path().join("bundle.json").display().to_string();
    let ran = fallgate(&["build", &pack, "-o", &bundle]);
    assert_eq!((ran.exit, ran.out.trim().len()), (0, 64));
    let checked = fallgate(&["check", "--format", "json", &bundle]);
    let output: serde_json::Value = serde_json::from_str(&checked.out).unwrap();
    assert_eq!(output["bundle"]["id"], ran.out.trim());
    // The bytes are canonical: no line break, and keys in order.
    let bytes = fs::read_to_string(&bundle).unwrap();
    assert!(bytes.starts_with("{\"actions\":{\"document:read\":{\"cache\":") && !bytes.contains('\n'), "{bytes}");
    assert!(!Path::new(&format!("{bundle}.partial")).exists());
    // One more byte, and no engine takes it: neither does the command.
    let changed = folder.path().join("changed.json").display().to_string();
    fs::write(&changed, [fs::read(&bundle).unwrap(), b"\n".to_vec()].concat()).unwrap();
    let ran = fallgate(&["check", &changed]);
    assert_eq!(ran.exit, 1);
    assert!(ran.out.contains("not_canonical") || ran.err.contains("not_canonical"), "{}{}", ran.out, ran.err);
    let ran = fallgate(&["build", &pack, "-o", "/nowhere/bundle.json"]);
    assert_eq!(ran.exit, 3);
    assert!(ran.err.starts_with("error[unreadable]: cannot write"), "{}", ran.err);
}

#[test]
fn eval_ends_with_0_for_an_allow_and_1_for_a_deny() {
    let (_folder, pack) = new_pack();
    let request = format!("{pack}/requests/write.json");
    let ran = fallgate(&["eval", &pack, "--input", &request, "--signal", "directory=ok"]);
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (0, "allow: allowed_by_rule\n  rule        owners-read-and-write\n  bundle      shop revision 1\n")
    );
    let ran = fallgate(&["eval", &pack, "--input", &request]);
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (1, "deny: signal_unavailable\n  not ok      directory\n  bundle      shop revision 1\n")
    );
    let ran = fallgate_with(
        &[
            "eval",
            &pack,
            "--input",
            "-",
            "--all-signals-ok",
            "--format",
            "json",
            "--explain",
            "--at",
            "2026-03-01T00:00:00Z",
        ],
        &fs::read(&request).unwrap(),
        false,
    );
    let output: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (ran.exit, &output["decision"], &output["context"]["rule"]),
        (0, &true.into(), &"owners-read-and-write".into())
    );
    assert!(output["explanation"]["rules"].is_array());
    let ran = fallgate(&["eval", &pack, "--input", &request, "--all-signals-ok", "--explain"]);
    assert!(ran.out.contains("\nrules considered\n"), "{}", ran.out);
    let line = ran.out.lines().find(|line| line.contains("resource.owner == subject.id")).unwrap();
    assert!(line.starts_with("         ") && line.ends_with("  true"), "{}", ran.out);
    // What is no request is denied, like everything that is not known.
    let ran = fallgate_with(&["eval", &pack, "--input", "-", "--all-signals-ok"], b"{", false);
    assert_eq!(ran.exit, 1);
    assert!(ran.out.starts_with("deny: invalid_request\n"), "{}", ran.out);

    for (arguments, exit, message) in [
        (&["--signal", "directroy=ok"][..], 2, "did you mean `directory`?"),
        (&["--signal", "directory=fine"], 2, "write NAME=ok"),
        (&["--signal", "clock=ok"], 2, "the engine itself observes `clock`"),
        (&["--at", "yesterday"], 2, "`yesterday` is no timestamp"),
        (&["--format", "xml"], 2, "invalid value 'xml'"),
    ] {
        let all: Vec<&str> =
            ["eval", &pack, "--input", &request].into_iter().chain(arguments.iter().copied()).collect();
        let ran = fallgate(&all);
        assert_eq!(ran.exit, exit, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(message), "{arguments:?}: {}", ran.err);
    }
    assert_eq!(fallgate(&["eval", &pack, "--input", "/nowhere.json"]).exit, 3);
}

#[test]
fn a_lone_rego_file_needs_no_pack() {
    let folder = TempDir::new().unwrap();
    let rego = folder.path().join("authz.rego").display().to_string();
    let input = folder.path().join("input.json").display().to_string();
    fs::write(&rego, "package app.authz\n\ndefault allow := false\n\nallow if input.user == \"alice\"\n").unwrap();
    fs::write(&input, "{\"user\": \"alice\"}").unwrap();
    let eval = |query: &str| fallgate(&["eval", "--rego", &rego, "--query", query, "--input", &input]);
    let ran = eval("data.app.authz.allow");
    assert_eq!((ran.exit, ran.out.as_str()), (0, "allow: data.app.authz.allow is true\n"));
    fs::write(&input, "{\"user\": \"bob\"}").unwrap();
    let ran = eval("data.app.authz.allow");
    assert_eq!((ran.exit, ran.out.as_str()), (1, "deny: data.app.authz.allow is false\n"));
    let ran = eval("data.app.authz.alow");
    assert_eq!((ran.exit, ran.out.as_str()), (3, ""));
    assert!(ran.err.starts_with("error[rego_entry_point]"), "{}", ran.err);
    fs::write(&rego, "package app.authz\n\nallow if http.send({})\n").unwrap();
    let ran = eval("data.app.authz.allow");
    assert_eq!(ran.exit, 3);
    assert!(ran.err.contains("authz.rego:3:"), "{}", ran.err);
    assert_eq!(fallgate(&["eval", "--rego", &rego, "--input", &input]).exit, 2);
}

#[test]
fn colours_are_for_terminals() {
    let (_folder, pack) = new_pack();
    assert!(fallgate_with(&["drill", &pack], b"", true).out.contains("\u{1b}[32mallow\u{1b}[0m"));
    assert!(!fallgate_with(&["drill", &pack, "--color", "never"], b"", true).out.contains('\u{1b}'));
    assert!(fallgate(&["drill", &pack, "--color", "always"]).out.contains('\u{1b}'));
    assert!(!fallgate(&["drill", &pack]).out.contains('\u{1b}'));
}

#[test]
fn a_drill_is_named_by_its_file() {
    let (_folder, pack) = new_pack();
    let ran = fallgate(&["drill", &pack, "directory-dwon"]);
    assert_eq!(ran.exit, 2);
    assert_eq!(ran.err, "error: the pack has no drill `directory-dwon`; did you mean `directory-down`?\n");
    assert_eq!(fallgate(&["drill", &format!("{pack}/drills/directory-down.yaml")]).exit, 0);
}

#[test]
fn what_follows_from_the_definitions_is_printed() {
    for (arguments, begins) in [
        (&["completions", "bash"][..], "_fallgate() {"),
        (&["man"], ".ie"),
        (&["man", "eval"], ".ie"),
        (&["schema", "pack"], "{\n  \"$defs\":"),
        (&["--version"], "fallgate 0."),
        (&["--help"], "Check, test, build, evaluate and rehearse policy packs"),
    ] {
        let ran = fallgate(arguments);
        assert_eq!((ran.exit, ran.err.as_str()), (0, ""), "{arguments:?}");
        assert!(ran.out.starts_with(begins), "{arguments:?}: {}", ran.out);
    }
    for name in NAMES {
        let schema: serde_json::Value = serde_json::from_str(&fallgate(&["schema", name]).out).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
    }
    assert!(
        fallgate(&["--help"]).out.contains("Exit codes: 0 fine or allow, 1 deny or findings, 2 usage, 3 bad input.")
    );
    for arguments in [&["man", "nothing"][..], &["schema", "nothing"], &["nothing"], &[]] {
        let ran = fallgate(arguments);
        assert_eq!((ran.exit, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(!ran.err.is_empty());
    }
}

/// A reader that has seen enough.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    for arguments in [&["schema", "pack"][..], &["completions", "zsh"], &["man"], &["--help"]] {
        let mut err = Vec::new();
        let mut console = Console {
            out: &mut Closed,
            err: &mut err,
            input: &mut io::empty(),
            out_is_terminal: false,
            err_is_terminal: false,
            no_color: false,
        };
        let arguments = std::iter::once("fallgate").chain(arguments.iter().copied()).map(OsString::from);
        assert_eq!(run(arguments, &mut console), 0);
        assert_eq!(String::from_utf8(err).unwrap(), "");
    }
}

/// One document of calls and decisions, the same each time.
#[test]
fn a_corpus_names_every_call_and_its_decision() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("shop");
    assert_eq!(fallgate(&["init", pack.to_str().unwrap()]).exit, 0);
    let ran = fallgate(&["corpus", folder.path().to_str().unwrap()]);
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    let corpus: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(corpus["packs"][0]["name"], "shop");
    let timelines = corpus["packs"][0]["timelines"].as_array().unwrap();
    let calls: Vec<_> = timelines.iter().flat_map(|one| one["operations"].as_array().unwrap()).collect();
    assert!(calls.iter().all(|call| call["at"]["monotonic_ns"].is_string() && call["at"]["wall_ns"].is_string()));
    for name in ["activate", "observe", "advance", "decide"] {
        assert!(calls.iter().any(|call| call.get(name).is_some()), "{name}");
    }
    assert!(calls.iter().all(|call| call.get("decide").is_some() == call["decision"]["decision"].is_boolean()));
    assert_eq!(fallgate(&["corpus", pack.to_str().unwrap()]).out, ran.out);
    let empty = tempfile::tempdir().unwrap();
    let ran = fallgate(&["corpus", empty.path().to_str().unwrap()]);
    assert_eq!((ran.exit, ran.out.as_str()), (3, ""));
    assert!(ran.err.contains("there is no pack in"), "{}", ran.err);
}

/// The columns of an explanation are aligned, and coloured only where colours are asked for.
#[test]
fn an_explanation_is_aligned_and_coloured_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("shop");
    let pack = pack.to_str().unwrap();
    assert_eq!(fallgate(&["init", pack]).exit, 0);
    let request = format!("{pack}/requests/read.json");
    let plain = fallgate(&["eval", pack, "--input", &request, "--all-signals-ok", "--explain"]);
    assert!(!plain.out.contains('\u{1b}'), "{}", plain.out);
    let rules: Vec<&str> = plain.out.lines().skip_while(|line| *line != "rules considered").skip(1).collect();
    let truths: Vec<usize> = rules
        .iter()
        .filter(|line| line.starts_with("  allow  ") || line.starts_with("  deny   "))
        .map(|line| line.rfind("  ").unwrap())
        .collect();
    assert!(truths.len() > 1 && truths.iter().all(|at| *at == truths[0]), "{}", plain.out);
    let coloured = fallgate(&["eval", pack, "--input", &request, "--all-signals-ok", "--explain", "--color", "always"]);
    assert!(coloured.out.contains("\u{1b}[32mtrue\u{1b}[0m"), "{}", coloured.out);
}
