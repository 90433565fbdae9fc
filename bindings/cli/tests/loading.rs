//! Packs as people write them, and the mistakes that must not pass: each with the place that is shown for it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fs;
use std::path::Path;

use fallgate::error::{Code, Diagnostic};
use fallgate_cli::finding::{Finding, Severity};
use fallgate_cli::pack::{LoadError, Loaded, load_drill, load_pack};
use fallgate_cli::report;
use serde_json::json;
use tempfile::TempDir;

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn pack_of(text: &str) -> Result<Loaded, LoadError> {
    load_pack(folder(&[("pack.yaml", text.as_bytes())]).path())
}

/// What a mistake looks like, with the folder's name taken out.
fn shown(folder: &Path, error: &LoadError) -> String {
    report::render(&error.finding, &error.files, false).replace(&format!("{}/", folder.display()), "")
}

fn mistake(files: &[(&str, &[u8])]) -> String {
    let folder = folder(files);
    shown(folder.path(), &load_pack(folder.path()).unwrap_err())
}

/// The code of the mistake in a `pack.yaml`, and its line and column.
fn mistake_at(text: &str) -> (&'static str, usize, usize) {
    let error = pack_of(text).unwrap_err();
    let place = &error.finding.places[0];
    let (line, column) = error.files[place.span.file.number()].line_column(place.span.range().start);
    (error.finding.code, line, column)
}

#[test]
fn a_folder_becomes_one_document() {
    let folder = folder(&[
        ("pack.yaml", b"fallgate: 1\nname: shop\nactions: { read: {} }\n"),
        ("rules.yaml", b"rules:\n  - { id: a, effect: allow }\n"),
        ("rules/2.yaml", b"rules:\n- { id: c, effect: deny }\n"),
        ("rules/10.yaml", b"rules: [ { id: b, effect: deny } ]\n"),
        ("rego/authz.rego", b"package authz\n"),
        ("rego/inner/more.rego", b"package more\n"),
        ("data.json", b"{ \"limit\": 5 }\n"),
        (
            "tests/all.yaml",
            b"cases:\n  - { name: one, request: { $ref: ../requests/r.json }, expect: { effect: deny } }\n",
        ),
        ("requests/r.json", b"{\"subject\": {\"id\": \"alice\"}}"),
        ("README.md", b"# shop\n"),
    ]);
    let loaded = load_pack(folder.path()).unwrap();
    assert_eq!(
        loaded.document,
        json!({
            "fallgate": 1, "name": "shop", "actions": { "read": {} },
            // `10.yaml` comes before `2.yaml`: names are compared as text.
            "rules": [
                { "id": "a", "effect": "allow" }, { "id": "b", "effect": "deny" }, { "id": "c", "effect": "deny" },
            ],
            "rego": { "authz.rego": "package authz\n", "inner/more.rego": "package more\n" },
            "data": { "limit": 5 },
            "tests": [
                { "name": "one", "request": { "subject": { "id": "alice" } }, "expect": { "effect": "deny" } },
            ],
        })
    );
    for (pointer, file, line, column) in [
        ("/name", "pack.yaml", 2, 7),
        ("/rules/0/effect", "rules.yaml", 2, 22),
        ("/rules/1/id", "rules/10.yaml", 1, 16),
        ("/rules/2/id", "rules/2.yaml", 2, 9),
        ("/rego/inner~1more.rego", "rego/inner/more.rego", 1, 1),
        ("/data/limit", "data.json", 1, 12),
        ("/tests/0/request/subject/id", "requests/r.json", 1, 20),
        ("/tests/0/name", "tests/all.yaml", 2, 13),
        // What is not there is shown at what would hold it.
        ("/rules/0/when", "rules.yaml", 2, 7),
    ] {
        let (path, at_line, at_column) = loaded.sources.line_column(pointer, None).unwrap();
        let path = Path::new(path).strip_prefix(folder.path()).unwrap();
        assert_eq!((path, at_line, at_column), (Path::new(file), line, column), "{pointer}");
    }
}

#[test]
fn an_unknown_field_is_shown_under_its_key() {
    let files: &[(&str, &[u8])] =
        &[("pack.yaml", b"fallgate: 1\nname: shop\nactions:\n  payment:refund:\n    requries: [idp]\n")];
    let folder = folder(files);
    let loaded = load_pack(folder.path()).unwrap();
    let diagnostic =
        Diagnostic::new(Code::UnknownField, "/actions/payment:refund/requries", "unknown field `requries`")
            .with_help("did you mean `requires`?");
    let finding = Finding::from_diagnostic(&diagnostic, Severity::Error, &loaded.sources);
    let text = report::render(&finding, loaded.sources.files(), false);
    assert_eq!(
        text.replace(&format!("{}/", folder.path().display()), ""),
        "\
error[unknown_field]: unknown field `requries`
 --> pack.yaml:5:5
  |
5 |     requries: [idp]
  |     ^^^^^^^^
  |
  = help: did you mean `requires`?"
    );
}

#[test]
fn a_duplicate_key_is_shown_in_both_places() {
    assert_eq!(
        mistake(&[("pack.yaml", b"name: shop\nfallgate: 1\nname: other\n")]),
        "\
error[duplicate_key]: the key `name` stands twice in one map
 --> pack.yaml:3:1
  |
1 | name: shop
  | ---- first here
2 | fallgate: 1
3 | name: other
  | ^^^^ again here
  |
  = help: keep one of them"
    );
    assert_eq!(
        mistake(&[("pack.yaml", b"name: shop\n"), ("data.json", b"{\n \"a\": 1,\n \"\\u0061\": 2}")]),
        "\
error[duplicate_key]: the key `a` stands twice in one map
 --> data.json:3:2
  |
2 |  \"a\": 1,
  |  --- first here
3 |  \"\\u0061\": 2}
  |  ^^^^^^^^ again here
  |
  = help: keep one of them"
    );
}

#[test]
fn a_tab_is_shown_where_it_stands() {
    assert_eq!(
        mistake(&[("pack.yaml", b"name: shop\nactions:\n\tread: {}\n")]).lines().skip(1).collect::<Vec<_>>().join("\n"),
        " --> pack.yaml:3:1
  |
3 |     read: {}
  | ^^^^
  |
  = help: indent with spaces: YAML takes no tabs there"
    );
}

#[test]
fn what_has_more_than_one_meaning_is_refused() {
    for (text, expected) in [
        ("a: 1\nb: { c: 1, c: 2 }\n", ("duplicate_key", 2, 12)),
        ("a: 1\n\"a\": 2\n", ("duplicate_key", 2, 1)),
        ("a: !!str 1\n", ("unsupported", 1, 4)),
        ("a: &x { b: 1 }\nc:\n  <<: *x\n", ("unsupported", 3, 3)),
        ("a: 1\n---\nb: 2\n", ("unsupported", 2, 1)),
        ("1: a\n", ("invalid_value", 1, 1)),
        ("true: a\n", ("invalid_value", 1, 1)),
        ("? [a]\n: b\n", ("invalid_value", 1, 3)),
        ("a: .nan\n", ("invalid_value", 1, 4)),
        ("a: -.inf\n", ("invalid_value", 1, 4)),
        ("a: 1e999\n", ("invalid_value", 1, 4)),
        ("a: 18446744073709551616\n", ("invalid_value", 1, 4)),
        ("a: -9223372036854775809\n", ("invalid_value", 1, 4)),
        ("a: &x [*x]\n", ("syntax", 1, 8)),
        ("a: *x\n", ("syntax", 1, 4)),
        ("a: b\0\nc: d\n", ("syntax", 1, 5)),
        ("a: b\rc: d\n", ("syntax", 1, 5)),
        ("a: \u{7}\n", ("syntax", 1, 4)),
        ("é: [ü, *x]\n", ("syntax", 1, 8)),
        ("- a\n", ("invalid_value", 1, 1)),
        ("", ("invalid_value", 1, 1)),
    ] {
        assert_eq!(mistake_at(text), expected, "{text:?}");
    }
}

#[test]
fn the_core_schema_decides_what_plain_text_means() {
    let text = "a: yes\nb: 0o17\nc: 0x1F\nd: 012\ne: 1_000\nf: ~\ng:\nh: 1.\ni: '1'\nj: 18446744073709551615\nk: -3\nl: True\nm: .5e1\nn: 2026-01-01\n";
    assert_eq!(
        pack_of(text).unwrap().document,
        json!({
            "a": "yes", "b": 15, "c": 31, "d": 12, "e": "1_000", "f": null, "g": null, "h": 1.0, "i": "1",
            "j": 18_446_744_073_709_551_615_u64, "k": -3, "l": true, "m": 5.0, "n": "2026-01-01",
        })
    );
}

#[test]
fn a_short_file_does_not_unfold_into_a_long_one() {
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (inner, outer) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        let members = vec![format!("*{inner}"); 10].join(", ");
        bomb.push_str(&format!("{outer}: &{outer} [{members}]\n"));
    }
    assert_eq!(mistake_at(&bomb).0, "limit_exceeded");

    let mut wide = format!("a: &a {}\nb:\n", "x".repeat(1024 * 1024));
    wide.push_str(&"  - *a\n".repeat(65));
    assert_eq!(mistake_at(&wide), ("limit_exceeded", 67, 5));

    // An alias is otherwise what it stands for.
    let loaded = pack_of("a: &x { b: 1 }\nc: [*x, *x]\n").unwrap();
    assert_eq!(loaded.document, json!({ "a": { "b": 1 }, "c": [{ "b": 1 }, { "b": 1 }] }));
}

#[test]
fn nesting_is_bounded_at_64_levels() {
    let nested = |levels: usize| format!("a: {}{}\n", "[".repeat(levels), "]".repeat(levels));
    assert!(pack_of(&nested(63)).is_ok());
    assert_eq!(mistake_at(&nested(64)), ("limit_exceeded", 1, 67));
    assert_eq!(mistake_at(&nested(200)).0, "limit_exceeded");
    assert_eq!(mistake_at(&"- ".repeat(100_000)).0, "limit_exceeded");
    // An alias brings its own levels along.
    let text = format!("a: &a {}{}\nb: {}*a{}\n", "[".repeat(40), "]".repeat(40), "[".repeat(40), "]".repeat(40));
    assert_eq!(mistake_at(&text), ("limit_exceeded", 2, 44));

    let json = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels)).into_bytes();
    let (fits, exceeds) = (json(64), json(65));
    assert!(load_pack(folder(&[("pack.yaml", b"a: 1"), ("data.json", &fits)]).path()).is_ok());
    assert!(mistake(&[("pack.yaml", b"a: 1"), ("data.json", &exceeds)]).starts_with("error[limit_exceeded]"));
}

#[test]
fn json_is_as_strict() {
    for (text, expected) in [
        ("{\"a\": 1,}", "error[syntax]: this is not JSON: key must be a string\n --> data.json:1:9"),
        (
            "{\"a\": 18446744073709551616}",
            "error[invalid_value]: the number `18446744073709551616` is out of range\n --> data.json:1:7",
        ),
        (
            "{\"a\": [1, {\"b\\\"\": 1, \"b\\\"\": 2}]}",
            "error[duplicate_key]: the key `b\\\"` stands twice in one map\n --> data.json:1:22",
        ),
        ("{\"a\": NaN}", "error[syntax]: this is not JSON: expected value\n --> data.json:1:7"),
    ] {
        let found = mistake(&[("pack.yaml", b"name: a\n"), ("data.json", text.as_bytes())]);
        assert!(found.starts_with(expected), "{text}\n{found}");
    }
    let text = b"{\"a\": [-0, 1.5, \"\\ud83d\\ude00\", null, true, {}, []], \"b\": 1e2}";
    let loaded = load_pack(folder(&[("pack.yaml", b"name: a\n"), ("data.json", text)]).path()).unwrap();
    assert_eq!(loaded.document.get("data"), Some(&json!({ "a": [0, 1.5, "😀", null, true, {}, []], "b": 100.0 })));
}

#[test]
fn text_that_is_not_utf_8_is_shown_where_it_ends() {
    let found = mistake(&[("pack.yaml", b"name: shop\nowner: M\xfcller\n")]);
    assert!(found.starts_with("error[syntax]: this is not UTF-8\n --> pack.yaml:2:9\n"), "{found}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    let loaded = pack_of("\u{FEFF}name: shop\n").unwrap();
    assert_eq!(loaded.document, json!({ "name": "shop" }));
    assert_eq!(loaded.sources.line_column("/name", None).map(|(_, line, column)| (line, column)), Some((1, 7)));
}

#[test]
fn a_byte_of_a_condition_is_found_in_every_style() {
    // In each, the byte is that of `bad` in the condition's text.
    for (text, byte, line, column) in [
        ("when: a && bad\n", 5, 1, 12),
        ("when: \"a && bad\"\n", 5, 1, 13),
        ("when: &x a && bad\n", 5, 1, 15),
        ("when: &x\n  a && bad\n", 5, 2, 8),
        ("when: &x |\n  a && bad\n", 5, 2, 8),
        ("when: &x 'a && bad'\n", 5, 1, 16),
        ("when: 'it''s && bad'\n", 8, 1, 17),
        ("when: \"\\u00e9\\n && bad\"\n", 7, 1, 20),
        ("when: |\n  a &&\n  bad\n", 5, 3, 3),
        ("when: |\r\n  a &&\r\n  bad\r\n", 5, 3, 3),
        ("when: |\n\n\n  a &&\n\n    bad\n", 10, 6, 5),
        ("when: |-\n    é &&\n    ü bad\n", 9, 3, 7),
        ("when: >\n  a &&\n  bad\n", 5, 3, 3),
        ("when: >\n  a &&\n\n  b &&\n  bad\n", 10, 5, 3),
        ("when: a &&\n  bad\n", 5, 2, 3),
        ("when: \"a &&\n\n\n  bad\"\n", 6, 4, 3),
        ("when: \"a \\\n  && bad\"\n", 5, 2, 6),
        ("x:\n  - { when: a && bad }\n", 5, 2, 18),
    ] {
        let loaded = pack_of(text).unwrap();
        let pointer = if text.starts_with('x') { "/x/0/when" } else { "/when" };
        let value = loaded.document.pointer(pointer).unwrap().as_str().unwrap();
        assert_eq!(value.get(byte..byte + 3), Some("bad"), "{text:?} is {value:?}");
        let found = loaded.sources.line_column(pointer, Some(byte)).unwrap();
        assert_eq!((found.1, found.2), (line, column), "{text:?}");
    }
}

#[test]
fn the_caret_of_a_condition_stands_under_its_bytes() {
    let text = "fallgate: 1\nrules:\n  - id: a\n    effect: allow\n    when: |\n      subject.role == 'x' &&\n      resource.amuont > 3\n";
    let folder = folder(&[("pack.yaml", text.as_bytes())]);
    let loaded = load_pack(folder.path()).unwrap();
    // `resource.amuont` begins after 23 bytes: `subject.role == 'x' &&` and a line feed.
    let diagnostic =
        Diagnostic::new(Code::UnknownAttribute, "/rules/0/when", "no attribute `amuont`").with_span(23..38);
    let finding = Finding::from_diagnostic(&diagnostic, Severity::Warning, &loaded.sources);
    let text = report::render(&finding, loaded.sources.files(), false);
    assert_eq!(
        text.replace(&format!("{}/", folder.path().display()), ""),
        "\
warning[unknown_attribute]: no attribute `amuont`
 --> pack.yaml:7:7
  |
7 |       resource.amuont > 3
  |       ^^^^^^^^^^^^^^^"
    );
    let one_line = report::one_line(&finding, loaded.sources.files());
    assert!(one_line.ends_with("pack.yaml:7:7: warning[unknown_attribute]: no attribute `amuont`"), "{one_line}");
    assert_eq!(
        report::to_json(&finding, loaded.sources.files())["places"][0],
        json!({
            "file": format!("{}/pack.yaml", folder.path().display()),
            "line": 7, "column": 7, "end_line": 7, "end_column": 22, "label": null,
        })
    );
}

#[test]
fn a_file_that_would_be_passed_over_is_refused() {
    for name in
        ["rules/fraud.yml", "rules/fraud.json", "rules/more/fraud.yaml", "tests/a.yml", "rego/a.txt", "rules.yml"]
    {
        let found = mistake(&[("pack.yaml", b"name: shop\n"), (name, b"")]);
        assert!(found.starts_with("error[unreadable]: `"), "{name}: {found}");
        assert!(found.contains("would not be read"), "{name}: {found}");
    }
    // Notes and hidden files are nobody's rules.
    let files: &[(&str, &[u8])] = &[("pack.yaml", b"name: shop\n"), ("rules/README.md", b""), ("rules/.swp", b"")];
    assert!(load_pack(folder(files).path()).is_ok());
}

#[test]
fn a_file_of_rules_holds_rules_alone() {
    assert_eq!(
        mistake(&[("pack.yaml", b"name: shop\n"), ("rules.yaml", b"rules: []\nruls: []\n")]),
        "\
error[unknown_field]: unknown field `ruls`
 --> rules.yaml:2:1
  |
2 | ruls: []
  | ^^^^
  |
  = help: did you mean `rules`?"
    );
    let found = mistake(&[("pack.yaml", b"name: shop\n"), ("rules.yaml", b"rules: { a: 1 }\n")]);
    assert!(found.starts_with("error[invalid_value]: `rules` takes a list\n --> rules.yaml:1:1\n"), "{found}");
    let found = mistake(&[("pack.yaml", b"name: shop\n"), ("rules.yaml", b"- { id: a }\n")]);
    assert!(found.starts_with("error[invalid_value]: this file takes a map\n --> rules.yaml:1:1\n"), "{found}");
    let found = mistake(&[("pack.yaml", b"name: shop\n"), ("rules.yaml", b"{}\n")]);
    assert!(found.starts_with("error[missing_field]: the field `rules` is missing\n --> rules.yaml:1:1\n"), "{found}");
    let found = mistake(&[("pack.yaml", b"name: shop\ndata: {}\n"), ("data.json", b"{}")]);
    assert!(found.starts_with("error[duplicate_key]: the key `data` stands twice in one map\n"), "{found}");
}

#[test]
fn a_reference_stays_inside_the_folder() {
    let outside = folder(&[("secret.json", b"{}")]);
    let absolute = format!("cases: [ {{ request: {{ $ref: {}/secret.json }} }} ]\n", outside.path().display());
    for (text, message) in [
        ("cases: [ { request: { $ref: ../../secret.json } } ]\n", "leads outside of the folder"),
        (absolute.as_str(), "leads outside of the folder"),
        ("cases: [ { request: { $ref: none.json } } ]\n", "no such file or directory"),
        ("cases: [ { request: { $ref: ../requests/a.yaml } } ]\n", "references lead round in a circle"),
        ("cases: [ { request: { $ref: 3 } } ]\n", "`$ref` takes a path"),
        ("cases: [ { request: { $ref: x.json, b: 1 } } ]\n", "`$ref` stands beside other fields"),
        ("cases: [ { request: { $ref: notes.txt } } ]\n", "neither YAML nor JSON by its name"),
    ] {
        let found = mistake(&[
            ("pack.yaml", b"name: shop\n"),
            ("tests/all.yaml", text.as_bytes()),
            ("requests/a.yaml", b"[ { $ref: b.yaml } ]"),
            ("requests/b.yaml", b"{ x: { $ref: ./a.yaml } }"),
        ]);
        assert!(found.contains(message), "{text}\n{found}");
        assert!(found.contains(" --> "), "{text}\n{found}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_out_of_the_folder() {
    let outside = folder(&[("rules.yaml", b"rules: []\n")]);
    let pack = folder(&[("pack.yaml", b"name: shop\n"), ("shared.yaml", b"rules: []\n")]);
    std::os::unix::fs::symlink(outside.path().join("rules.yaml"), pack.path().join("rules.yaml")).unwrap();
    let found = shown(pack.path(), &load_pack(pack.path()).unwrap_err());
    assert!(found.starts_with("error[unreadable]: `rules.yaml` leads outside of the folder"), "{found}");
    // A link inside of it is a file like any other.
    fs::remove_file(pack.path().join("rules.yaml")).unwrap();
    std::os::unix::fs::symlink("shared.yaml", pack.path().join("rules.yaml")).unwrap();
    assert!(load_pack(pack.path()).is_ok());
}

#[test]
fn a_drill_takes_its_requests_from_the_pack() {
    let pack = folder(&[
        ("pack.yaml", b"name: shop\n"),
        ("requests/r.json", b"{\"subject\": {}}"),
        ("drills/one.yaml", b"drill: one\npack: ..\nsteps:\n  - { at: 0s, decide: { $ref: ../requests/r.json } }\n"),
        ("drills/two.yaml", b"drill: two\nsteps: [ { decide: { $ref: ../../r.json } } ]\n"),
    ]);
    let loaded = load_drill(&pack.path().join("drills/one.yaml")).unwrap();
    assert_eq!(
        loaded.document,
        json!({ "drill": "one", "pack": "..", "steps": [ { "at": "0s", "decide": { "subject": {} } } ] })
    );
    let error = load_drill(&pack.path().join("drills/two.yaml")).unwrap_err();
    assert!(error.to_string().contains("leads outside of the folder"), "{error}");
}

#[test]
fn a_bundle_is_a_pack_of_one_file() {
    let folder = folder(&[("b.json", b"{\"name\": \"shop\"}"), ("b.txt", b"")]);
    assert_eq!(load_pack(&folder.path().join("b.json")).unwrap().document, json!({ "name": "shop" }));
    assert!(load_pack(&folder.path().join("b.txt")).unwrap_err().to_string().contains("neither a folder nor a bundle"));
    assert!(load_pack(&folder.path().join("none")).unwrap_err().to_string().contains("cannot read"));
    assert!(load_pack(folder.path()).unwrap_err().to_string().contains("there is no `"));
}
