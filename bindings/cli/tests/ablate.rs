//! `fallgate ablate` and the SARIF of `fallgate check`, as a shell runs them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]

mod shell;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use shell::{fallgate, fallgate_with};
use tempfile::TempDir;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let path = folder.path().display().to_string();
    (folder, path)
}

/// What a finding removes, and the names of what opens.
type Opened = (Vec<String>, Vec<String>);

/// The findings of a run as JSON: its exit code, the findings, and everything.
fn found(policy: &str, arguments: &[&str]) -> (u8, Vec<Opened>, Value) {
    let all: Vec<&str> = ["ablate", policy, "--format", "json"].into_iter().chain(arguments.iter().copied()).collect();
    let ran = fallgate(&all);
    assert_eq!(ran.err, "");
    let output: Value = serde_json::from_str(&ran.out).unwrap();
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let findings = output["findings"].as_array().unwrap();
    let found = findings.iter().map(|one| (texts(&one["removed"]), texts(&one["denied"]))).collect();
    (ran.exit, found, output)
}

fn one(removed: &[&str], denied: &[&str]) -> Opened {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    (owned(removed), owned(denied))
}

const AUTHZ: &str = "\
package app.authz

import rego.v1

default allow := false

allow if not input.user.guest
";

#[test]
fn a_lone_module_is_asked_with_the_inputs_given() {
    let (_folder, path) = folder(&[
        ("authz.rego", AUTHZ),
        ("guest.json", r#"{"user": {"id": "ann", "guest": true}}"#),
        ("several.yaml", "- user: { id: bob, guest: true }\n- user: { id: eve, guest: false }\n"),
    ]);
    let (module, guest, several) =
        (format!("{path}/authz.rego"), format!("{path}/guest.json"), format!("{path}/several.yaml"));
    let (exit, openings, output) = found(&module, &["--input", &guest, "--input", &several]);
    let names = [format!("the input `{guest}`"), format!("the input `{several}` number 1")];
    assert_eq!(exit, 1);
    assert_eq!(openings, [one(&["input.user.guest"], &[&names[0], &names[1]])]);
    // The place to mend, the rule, and where each input stands.
    let finding = &output["findings"][0];
    assert_eq!(finding["code"], "loss_allows");
    assert_eq!(
        (&finding["places"][0]["line"], &finding["places"][0]["column"]),
        (&json!(7), &json!(14)),
        "{finding:#}"
    );
    assert_eq!(finding["places"][0]["file"], module);
    assert_eq!(finding["allows"], json!(["data.app.authz.allow"]));
    assert_eq!(finding["denied"][1]["line"], 1);
    assert!(finding["help"].as_str().unwrap().contains("input.user.guest == false"), "{finding:#}");
    assert_eq!((&output["asked"], &output["denied"]), (&json!(3), &json!(2)));
    // The standard input is an input too.
    let ran = fallgate_with(&["ablate", &module, "--input", "-"], br#"{"user": {"guest": true}}"#, false);
    assert_eq!(ran.exit, 1, "{}", ran.err);
    assert!(ran.out.starts_with("error[loss_allows]: the input `-` is allowed without `input.user.guest`\n"));
    // Colours are for terminals.
    assert!(!ran.out.contains('\u{1b}'));
    let ran = fallgate_with(&["ablate", &module, "--input", "-"], br#"{"user": {"guest": true}}"#, true);
    assert!(ran.out.contains("\u{1b}["));
    // One that denies nothing says so.
    let ran = fallgate_with(&["ablate", &module, "--input", "-"], b"{}", false);
    assert_eq!(ran.exit, 0);
    assert!(ran.out.ends_with("0 denies of 1 asked, 0 removals tried: nothing is denied, so nothing was tried\n"));
}

#[test]
fn the_tests_of_a_folder_give_its_inputs() {
    let tests = "\
package app.authz_test

import rego.v1

import data.app.authz

guest := {\"id\": \"ann\", \"guest\": true}

test_literal if not authz.allow with input as {\"user\": {\"guest\": true}}

test_of_a_rule if not authz.allow with input as {\"user\": guest}

test_of_a_variable if {
	user := object.union(guest, {\"id\": \"bob\"})
	not authz.allow with input as {\"user\": user}
}

test_of_a_part if not authz.allow with input.user.guest as true

test_of_a_table if {
	every row in [{\"id\": 1, \"guest\": true}, {\"id\": 2, \"guest\": false}] {
		authz.allow == (row.guest == false) with input as {\"user\": row}
	}
}

test_of_what_nobody_knows if not authz.allow with input as data.nowhere

test_with_another_function if not authz.allow with input as {} with http.send as {}
";
    let (_folder, path) = folder(&[
        ("policy/authz.rego", AUTHZ),
        ("policy/authz_test.rego", tests),
        ("README.txt", "not Rego"),
        (".hidden/broken.rego", "package"),
    ]);
    let (exit, openings, output) = found(&path, &[]);
    assert_eq!(exit, 1);
    let tests: Vec<String> = ["literal", "of_a_rule", "of_a_variable", "of_a_part", "of_a_table"]
        .iter()
        .map(|name| format!("the test `test_{name}`"))
        .collect();
    let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
    assert_eq!(openings, [one(&["input.user.guest"], &tests)]);
    assert_eq!(output["denied"], 5);
    assert_eq!(output["asked"], 6);
    let notes = output["notes"].to_string();
    assert!(notes.contains("2 inputs of tests could not be found out"), "{notes}");
    assert!(notes.contains("authz_test.rego:28"), "{notes}");
    // The tests beside a lone file are its own as well.
    let (exit, openings, _) = found(&format!("{path}/policy/authz.rego"), &[]);
    assert_eq!((exit, openings.len()), (1, 1));
}

#[test]
fn a_test_that_cannot_be_taken_costs_its_own_inputs_only() {
    // Deeper than a pack's rules may nest, as whole requests in tests are; and far too deep.
    let admission = "package a_test\nimport rego.v1\nimport data.app.authz\n\
                     test_pod if not authz.allow with input as {\"user\": {\"guest\": true}, \"o\": {\"a\": {\"b\": \
                     {\"c\": [{\"d\": {\"e\": {\"f\": [[1]]}}}]}}}}\n";
    let broken = format!("package b_test\nx := {}1{}\n", "[".repeat(30), "]".repeat(30));
    let (_folder, path) = folder(&[
        ("authz.rego", AUTHZ),
        ("a_test.rego", admission),
        ("b_test.rego", &broken),
        ("c_test.rego", "package"),
    ]);
    let (exit, openings, output) = found(&path, &[]);
    assert_eq!((exit, openings), (1, vec![one(&["input.user.guest"], &["the test `test_pod`"])]));
    let notes = output["notes"].to_string();
    assert!(notes.contains("b_test.rego:2 cannot be taken"), "{notes}");
    assert!(notes.contains("c_test.rego:1 cannot be taken"), "{notes}");
    fs::remove_file(format!("{path}/a_test.rego")).unwrap();
    let ran = fallgate(&["ablate", &path]);
    assert_eq!(ran.exit, 3);
    assert!(ran.err.contains("has no test with an input: ") && ran.err.contains("b_test.rego:2"), "{}", ran.err);
}

#[test]
fn rego_runs_as_opa_runs_it() {
    // An error of a built-in under `not` is undefined, and lets through; in a pack it would deny.
    let module = "package a\nimport rego.v1\nallow if not to_number(input.level) > 5\n";
    let (_folder, path) = folder(&[("a.rego", module), ("in.json", r#"{"level": "9"}"#)]);
    let input = format!("{path}/in.json");
    let (exit, openings, _) = found(&path, &["--input", &input]);
    assert_eq!((exit, openings), (1, vec![one(&["input.level"], &[&format!("the input `{input}`")])]));
    let text = fallgate_with(&["ablate", &path, "--input", "-"], br#"{"level": "many"}"#, false);
    assert!(text.out.contains("0 denies of 1 asked"), "{}", text.out);
    // The old syntax, a set of denials, and what asks the network: nobody answers it here.
    let module = "package k8s\nviolation[{\"msg\": msg}] { input.hostNetwork; msg := \"host\" }\n\
                  violation[{\"msg\": msg}] { http.send({}).body.bad; msg := input.name }\n";
    let (_folder, path) = folder(&[("a.rego", module), ("in.json", r#"{"hostNetwork": true, "name": "x"}"#)]);
    let input = format!("{path}/in.json");
    let (exit, openings, output) = found(&path, &["--input", &input]);
    assert_eq!((exit, openings), (1, vec![one(&["input.hostNetwork"], &[&format!("the input `{input}`")])]));
    assert_eq!(output["findings"][0]["no_longer_denies"], json!(["data.k8s.violation"]));
    assert!(output["notes"].to_string().contains("`http.send`"), "{}", output["notes"]);
}

#[test]
fn an_allow_and_the_denies_beside_it_decide_together() {
    // `allow` holds with and without; what opens is the set beside it.
    let module = "package a\nimport rego.v1\nallow if input.user\ndeny contains \"late\" if input.late\n";
    let (_folder, path) = folder(&[("a.rego", module), ("in.json", r#"{"user": "ann", "late": true}"#)]);
    let input = format!("{path}/in.json");
    let (_, openings, output) = found(&path, &["--input", &input]);
    assert_eq!(openings, [one(&["input.late"], &[&format!("the input `{input}`")])]);
    assert_eq!(output["findings"][0]["no_longer_denies"], json!(["data.a.deny"]));
    // Asked by name, each decides alone: `allow` does not deny this input.
    let (exit, openings, output) = found(&path, &["--input", &input, "--query", "data.a.allow"]);
    assert_eq!((exit, openings.len(), &output["denied"]), (0, 0, &json!(0)));
    let (exit, openings, _) = found(&path, &["--input", &input, "--query", "data.a.allow", "--query", "data.a.deny"]);
    assert_eq!((exit, openings.len()), (1, 1));
}

#[test]
fn the_place_is_where_what_is_lost_is_read() {
    let module = "\
package a
import rego.v1
pod := input.object.spec
deny contains \"host\" if pod.hostNetwork
deny contains \"image\" if {
	some container in pod.containers
	not trusted(container)
}
trusted(box) if box.image != \"bad\"
deny contains \"root\" if {
	some container in pod.containers
	object.get(container, [\"context\", \"root\"], false)
}
";
    let (_folder, path) = folder(&[("a.rego", module)]);
    for (spec, removed, line, column) in [
        (r#"{"hostNetwork": true}"#, "input.object.spec.hostNetwork", 4, 25),
        (r#"{"containers": [{"image": "bad"}]}"#, "input.object.spec.containers", 6, 20),
        (
            r#"{"containers": [{"image": "good", "context": {"root": true}}]}"#,
            "input.object.spec.containers[0].context.root",
            12,
            2,
        ),
    ] {
        let input = format!("{{\"object\": {{\"spec\": {spec}}}}}");
        let ran = fallgate_with(&["ablate", &path, "--input", "-", "--format", "json"], input.as_bytes(), false);
        let output: Value = serde_json::from_str(&ran.out).unwrap();
        let finding = &output["findings"][0];
        assert_eq!(finding["removed"][0]["name"], removed, "{output:#}");
        let place = &finding["places"][0];
        assert_eq!((&place["line"], &place["column"]), (&json!(line), &json!(column)), "{finding:#}");
    }
}

#[test]
fn the_repair_is_one_for_what_is_lost() {
    let flag = "`deny` has to hold where `input.locked` is missing too: `not input.locked == false` does, and so does a \
                rule of its own for what is missing";
    let number =
        "`deny` has to hold where `input.level` is missing too: give it a rule of its own `if not input.level`";
    for (test, input, help) in
        [("input.locked", r#"{"locked": true}"#, flag), ("input.level > 3", r#"{"level": 4}"#, number)]
    {
        let module = format!("package a\nimport rego.v1\ndeny contains \"no\" if {test}\n");
        let (_folder, path) = folder(&[("a.rego", &module)]);
        let arguments = ["ablate", &path, "--input", "-", "--format", "json"];
        let ran = fallgate_with(&arguments, input.as_bytes(), false);
        let output: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(output["findings"][0]["help"], json!(help), "{output:#}");
        // Done as it says, there is nothing left to find.
        let mended = format!("{module}deny contains \"unknown\" if not {}\n", test.split(' ').next().unwrap());
        let (_folder, path) = folder(&[("a.rego", &mended)]);
        let arguments = ["ablate", &path, "--input", "-", "--format", "json"];
        assert_eq!(fallgate_with(&arguments, input.as_bytes(), false).exit, 0, "{mended}");
    }
}

#[test]
fn data_and_pairs_are_taken_away_too() {
    let module = "package a\nimport rego.v1\n\
                  allow if not blocked\n\
                  blocked if input.user in data.blocked[input.tenant]\n\
                  blocked if input.user in data.fired.people\n";
    let (_folder, path) = folder(&[
        ("a.rego", module),
        ("data.json", r#"{"blocked": {"acme": ["ann"]}}"#),
        ("fired/data.yaml", "people: [ann, bob]\n"),
        ("bob.json", r#"{"user": "bob", "tenant": "acme"}"#),
        ("ann.json", r#"{"user": "ann", "tenant": "acme"}"#),
    ]);
    let (bob, ann) = (format!("{path}/bob.json"), format!("{path}/ann.json"));
    let (_, openings, _) = found(&path, &["--input", &bob]);
    let name = format!("the input `{bob}`");
    assert_eq!(openings, [one(&["input.user"], &[&name]), one(&["data.fired.people"], &[&name])]);
    let (_, openings, _) = found(&path, &["--input", &ann]);
    let name = format!("the input `{ann}`");
    assert_eq!(
        openings,
        [
            one(&["input.user"], &[&name]),
            one(&["data.fired.people", "input.tenant"], &[&name]),
            one(&["data.blocked.acme", "data.fired.people"], &[&name]),
        ]
    );
    let (_, openings, _) = found(&path, &["--input", &ann, "--pairs", "false"]);
    assert_eq!(openings, [one(&["input.user"], &[&name])]);
    // More data, from a file; and what two files say differently is refused.
    let (_other, other) = folder(&[("more.json", r#"{"fired": {"people": ["eve"]}}"#)]);
    let ran = fallgate(&["ablate", &path, "--input", &ann, "--data", &format!("{other}/more.json")]);
    assert_eq!(ran.exit, 3);
    assert!(ran.err.contains("gives the data `fired` another value"), "{}", ran.err);
    // A list is whole or gone, unless its items are asked for.
    let (_, openings, _) = found(&path, &["--input", &bob, "--items", "--pairs", "false"]);
    assert!(openings.iter().any(|(removed, _)| removed == &["data.fired.people[1]"]), "{openings:?}");
}

#[test]
fn what_is_asked_for_has_to_be_there() {
    let two = "package b\nimport rego.v1\nallow if input.x\nf(x) := x\n";
    let (_folder, path) = folder(&[("a.rego", AUTHZ), ("b.rego", two), ("in.json", "{}")]);
    let input = format!("{path}/in.json");
    for (arguments, exit, message) in [
        (&[][..], 2, "several rules may decide: `data.app.authz.allow`, `data.b.allow`; name one with `--query`"),
        (&["--query", "data.b.alow"], 2, "there is no Rego rule `data.b.alow`; did you mean `data.b.allow`?"),
        (&["--query", "data.b.f"], 2, "the Rego rule `data.b.f` is neither a boolean nor a set"),
        (&["--query", "data.b.allow", "--input", "/nowhere.json"], 3, "cannot read `/nowhere.json`"),
        (&["--format", "xml"], 2, "invalid value 'xml'"),
        (&["--pairs", "perhaps"], 2, "invalid value 'perhaps'"),
    ] {
        let all: Vec<&str> =
            ["ablate", &path, "--input", &input].into_iter().chain(arguments.iter().copied()).collect();
        let ran = fallgate(&all);
        assert_eq!((ran.exit, ran.out.as_str()), (exit, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(message), "{arguments:?}: {}", ran.err);
    }
    let (_folder, path) = folder(&[("c.rego", "package c\nfine := true\n")]);
    assert!(fallgate(&["ablate", &path]).err.contains("no rule is called `allow` or `deny`"));
    let ran = fallgate(&["ablate", &path, "--query", "data.c.fine"]);
    assert_eq!(ran.exit, 3);
    assert!(ran.err.contains("has no test with an input") && ran.err.contains("--input FILE"), "{}", ran.err);
}

const PACK: &str = "\
fallgate: 1
name: shop
revision: 1
schema:
  subject: { user: { roles: [string], guest: { type: bool, optional: true } } }
  resource: { order: {} }
signals: { idp: { ttl: 10s } }
actions:
  order:read: {}
  order:watch: { requires: [idp], on_failure: { allow: { justification: the shop window is public } } }
";
const RULES: &str = "\
rules:
  - id: people-read
    effect: allow
    action: order:read
    when: \"'buyer' in subject.roles\"
  - id: no-guests
    effect: deny
    action: order:read
    when: { rego: data.shop.guest }
";
const SHOP: &str = "\
package shop

import rego.v1

default guest := false

guest if input.subject.properties.guest
";
const CASES: &str = "\
cases:
  - name: a guest reads nothing
    request: &guest
      subject: { type: user, id: ann, properties: { roles: [buyer], guest: true } }
      action: { name: order:read }
      resource: { type: order, id: o-1 }
    expect: { effect: deny }
  - name: a misfit
    request: { subject: { type: user, id: ann, properties: { roles: 5 } }, action: { name: order:read }, resource: { type: order, id: o-1 } }
    expect: { effect: deny, reason: invalid_request }
  - name: nobody may watch
    request: { subject: { type: user, id: ann, properties: { roles: [] } }, action: { name: order:watch }, resource: { type: order, id: o-1 } }
    signals: { idp: ok }
    expect: { effect: deny }
";
const DRILL: &str = "\
drill: a guest at the door
pack: ..
steps:
  - { at: 0s, observe: { idp: ok } }
  - at: 1s
    decide:
      subject: { type: user, id: eve, properties: { roles: [buyer], guest: true } }
      action: { name: order:read }
      resource: { type: order, id: o-1 }
    expect: { effect: deny }
";

fn shop(rules: &str) -> (TempDir, String) {
    folder(&[
        ("pack.yaml", PACK),
        ("rules.yaml", rules),
        ("rego/shop.rego", SHOP),
        ("tests/cases.yaml", &CASES.replace("&guest\n", "\n").replace("request: \n", "request:\n")),
        ("drills/door.yaml", DRILL),
    ])
}

#[test]
fn a_packs_rego_is_searched_and_what_it_declares_is_a_note() {
    let (_folder, path) = shop(RULES);
    let (exit, openings, output) = found(&path, &[]);
    assert_eq!(exit, 1);
    assert_eq!(
        openings,
        [
            one(
                &["subject.guest"],
                &["the case `a guest reads nothing`", "the step at 1s of the drill `a guest at the door`"]
            ),
            one(&["signals.idp"], &["the case `nobody may watch`"]),
        ]
    );
    let findings = output["findings"].as_array().unwrap();
    assert_eq!(findings[0]["code"], "loss_allows");
    assert_eq!(findings[0]["severity"], "error");
    assert_eq!(findings[0]["no_longer_denies"], json!(["no-guests"]));
    assert_eq!(findings[0]["allows"], json!(["people-read"]));
    let places: Vec<(String, u64)> = findings[0]["places"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| {
            let file = Path::new(place["file"].as_str().unwrap()).file_name().unwrap().to_string_lossy().into_owned();
            (file, place["line"].as_u64().unwrap())
        })
        .collect();
    let at = |file: &str, line| (file.to_owned(), line);
    assert_eq!(places, [at("shop.rego", 7), at("rules.yaml", 9), at("rules.yaml", 5)]);
    assert!(findings[0]["denied"][1]["file"].as_str().unwrap().ends_with("drills/door.yaml"), "{}", findings[0]);
    assert_eq!(findings[0]["denied"][1]["line"], 5);
    assert_eq!((&findings[1]["code"], &findings[1]["severity"]), (&json!("loss_allows_declared"), &json!("note")));
    assert_eq!(findings[1]["declared"], "the shop window is public");
    assert_eq!(findings[1]["places"][0]["line"], 10);
    assert_eq!(output["notes"], json!(["1 request is refused for its form, and was not asked again"]));

    // Where the rule says why, all of it is declared, and nothing fails.
    let declared = format!("{RULES}    accepts_information_loss: guests are marked by the door\n");
    let (_folder, path) = shop(&declared);
    let ran = fallgate(&["ablate", &path]);
    assert_eq!(ran.exit, 0, "{}", ran.out);
    assert!(
        ran.out.contains("note[loss_allows_declared]: 2 denies are allows without `subject.guest`: the case"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("help: the pack declares it: guests are marked by the door"), "{}", ran.out);
    assert!(ran.out.contains("no deny becomes an allow, 2 declared"), "{}", ran.out);
    // The same condition in CEL, which is checked, has no hole: neither here nor for the attribute that may be missing.
    let checked = RULES.replace("{ rego: data.shop.guest }", "\"!has(subject.guest) || subject.guest\"");
    let (_folder, path) = shop(&checked);
    let (exit, openings, _) = found(&path, &[]);
    assert_eq!((exit, openings), (0, vec![one(&["signals.idp"], &["the case `nobody may watch`"])]));
}

#[test]
fn a_rule_in_cel_that_accepts_the_loss_is_shown_with_the_expression() {
    let rules = "\
rules:
  - id: open-to-all
    effect: allow
    action: order:read
    accepts_information_loss: the directory marks guests, and may forget
    when: \"'buyer' in subject.roles && !has(subject.guest)\"
";
    let (_folder, path) = folder(&[("pack.yaml", PACK), ("rules.yaml", rules), ("tests/cases.yaml", CASES)]);
    fs::write(format!("{path}/tests/cases.yaml"), CASES.replace("&guest", "")).unwrap();
    let ran = fallgate(&["ablate", &path]);
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let line = "6 |     when: \"'buyer' in subject.roles && !has(subject.guest)\"\n";
    let carets = format!("  |{}^^^^^^^^^^^^^^^^^^ this allows then", " ".repeat(41));
    assert!(ran.out.contains(line) && ran.out.contains(&carets), "{}\n{carets}", ran.out);
}

#[test]
fn data_and_a_pair_open_a_packs_rego() {
    let rego = "package shop\nimport rego.v1\ndefault guest := false\n\
                guest if input.subject.id in data.barred\nguest if input.subject.properties.guest\n";
    let (_folder, path) = shop(RULES);
    fs::write(format!("{path}/rego/shop.rego"), rego).unwrap();
    fs::write(format!("{path}/data.json"), r#"{"barred": {"all": "ann"}}"#).unwrap();
    let (exit, openings, _) = found(&path, &[]);
    assert_eq!(exit, 1);
    assert!(
        openings.contains(&one(&["data.barred.all", "subject.guest"], &["the case `a guest reads nothing`"])),
        "{openings:?}"
    );
    assert!(openings.contains(&one(&["subject.guest"], &["the step at 1s of the drill `a guest at the door`"])));
    let (_, alone, _) = found(&path, &["--pairs", "false"]);
    assert!(alone.iter().all(|(removed, _)| removed.len() == 1), "{alone:?}");
}

#[test]
fn the_limit_is_told() {
    let (_folder, path) = shop(RULES);
    let ran = fallgate(&["ablate", &path, "--limit", "2"]);
    assert!(ran.out.contains(" 2 removals tried: "), "{}", ran.out);
    let told = "stopped at the limit after 2 removals: the rest was not tried; raise it with `--limit`\n";
    assert!(ran.out.contains(told), "{}", ran.out);
    let whole = fallgate(&["ablate", &path]);
    assert!(!whole.out.contains("stopped"), "{}", whole.out);
}

#[test]
fn a_pack_has_its_own_inputs() {
    let (_folder, path) = shop(RULES);
    for arguments in [["--input", "x.json"], ["--query", "data.shop.guest"], ["--data", "x.json"]] {
        let ran = fallgate(&["ablate", &path, arguments[0], arguments[1]]);
        assert_eq!(ran.exit, 2);
        assert!(ran.err.contains("are for Rego without a pack"), "{}", ran.err);
    }
    // A bundle is a pack without drills.
    let bundle = format!("{path}.json");
    assert_eq!(fallgate(&["build", &path, "-o", &bundle]).exit, 0);
    let (exit, openings, _) = found(&bundle, &[]);
    assert_eq!((exit, openings.len()), (1, 2));
    fs::remove_file(bundle).unwrap();
}

#[test]
fn the_packs_that_are_shipped_lose_nothing_that_they_do_not_declare() {
    for pack in ["payment-gateway", "idp-outage", "content-delivery", "k8s-admission"] {
        let ran = fallgate(&["ablate", &format!("../../policies/{pack}"), "--pairs", "false"]);
        assert_eq!((ran.exit, ran.err.as_str()), (0, ""), "{}", ran.out);
        assert!(ran.out.contains(" removals tried: no deny becomes an allow"), "{}", ran.out);
    }
}

/// What every SARIF log must have, of what its readers rely on.
fn hold_sarif(log: &Value, codes: &[&str]) {
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().contains("sarif-schema-2.1.0"));
    assert_eq!(log["runs"].as_array().unwrap().len(), 1);
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "fallgate");
    let rules: Vec<&str> =
        driver["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(rules, codes);
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    assert!(!run["results"].as_array().unwrap().is_empty());
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], rules[index]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let places = result["locations"].as_array().unwrap().iter();
        let places: Vec<&Value> = places.chain(result["relatedLocations"].as_array().unwrap()).collect();
        assert!(!places.is_empty(), "{result:#}");
        for place in places {
            let place = &place["physicalLocation"];
            assert!(place["artifactLocation"]["uri"].as_str().unwrap().starts_with("file:///"), "{place:#}");
            let number = |name: &str| place["region"][name].as_u64().unwrap();
            assert!(number("startLine") >= 1 && number("startColumn") >= 1);
            let (start, end) = ((number("startLine"), number("startColumn")), (number("endLine"), number("endColumn")));
            assert!(start <= end, "{place:#}");
        }
    }
}

#[test]
fn sarif_has_the_shape_that_its_readers_want() {
    let (_folder, path) = shop(RULES);
    let ran = fallgate(&["ablate", &path, "--format", "sarif"]);
    assert_eq!((ran.exit, ran.err.as_str()), (1, ""));
    let log: Value = serde_json::from_str(&ran.out).unwrap();
    hold_sarif(&log, &["loss_allows", "loss_allows_declared"]);
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 7);
    assert!(result["relatedLocations"].to_string().contains("the case `a guest reads nothing`"), "{result:#}");
    let notes = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    assert!(notes.to_string().contains("refused for its form"), "{notes}");

    // `check` writes it too: its mistakes, and its warnings.
    let ran = fallgate(&["check", &path, "--format", "sarif"]);
    assert_eq!(ran.exit, 0, "{}", ran.out);
    let log: Value = serde_json::from_str(&ran.out).unwrap();
    hold_sarif(&log, &["fail_open_declared", "owner_missing"]);
    assert_eq!(log["runs"][0]["results"][0]["level"], "warning");
    fs::write(format!("{path}/rules.yaml"), RULES.replace("subject.roles", "subject.rolls")).unwrap();
    let ran = fallgate(&["check", &path, "--format", "sarif"]);
    assert_eq!(ran.exit, 1);
    let log: Value = serde_json::from_str(&ran.out).unwrap();
    hold_sarif(&log, &["unknown_attribute"]);
    let region = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&region["startLine"], &region["startColumn"]), (&json!(5), &json!(31)), "{region:#}");
}

#[test]
fn whatever_is_named_is_read_or_refused() {
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    let nested = format!("package a\nallow := {}{}\n", "[".repeat(30), "]".repeat(30));
    let circle = "package a\nimport rego.v1\nallow if f(1)\nf(x) := f(x)\n";
    let (_folder, path) = folder(&[
        ("empty/README.md", "nothing"),
        ("nul/a.rego", "package a\u{0}\nallow = true"),
        ("broken/a.rego", "package a\nallow if {"),
        ("nested/a.rego", &nested),
        ("circle/a.rego", circle),
        ("shadow/a.rego", AUTHZ),
        ("shadow/data.json", r#"{"app": {"authz": {"allow": true}}}"#),
        ("list/a.rego", AUTHZ),
        ("list/data.json", "[1]"),
        ("text/a.txt", "package a"),
        ("misnamed/pack.yml", PACK),
        ("misnamed/rego/a.rego", AUTHZ),
        ("good/a.rego", AUTHZ),
        ("good/broken.json", "{\"a\": "),
        ("good/deep.json", &deep),
        ("good/nothing.json", ""),
    ]);
    fs::create_dir(format!("{path}/bytes")).unwrap();
    fs::write(format!("{path}/bytes/a.rego"), b"package a\n# \xff\xfe\n").unwrap();
    for (policy, message) in [
        ("empty", "there is no Rego module in"),
        ("nul", "error["),
        ("broken", "error[rego_syntax]"),
        ("nested", "brackets nest deeper than"),
        ("circle", "rests on itself"),
        ("shadow", "the data has `app.authz.allow`"),
        ("list", "is not a map"),
        ("text/a.txt", "is neither a folder nor a bundle"),
        ("nowhere", "cannot read"),
        ("misnamed", "name it `pack.yaml`"),
        ("bytes", "is not UTF-8"),
    ] {
        let ran = fallgate(&["ablate", &format!("{path}/{policy}")]);
        assert_eq!((ran.exit, ran.out.as_str()), (3, ""), "{policy}: {}", ran.err);
        assert!(ran.err.contains(message), "{policy}: {}", ran.err);
    }
    for input in ["broken.json", "deep.json", "nothing.json"] {
        let ran = fallgate(&["ablate", &format!("{path}/good"), "--input", &format!("{path}/good/{input}")]);
        assert_eq!((ran.exit, ran.out.as_str()), (3, ""), "{input}: {}", ran.err);
    }
}

#[test]
fn a_huge_input_ends_at_the_limit() {
    let members: Vec<String> = (0..60_000).map(|number| format!("\"k{number}\": {number}")).collect();
    let huge = format!("{{\"user\": {{\"guest\": true}}, \"rest\": {{{}}}}}", members.join(", "));
    let (_folder, path) = folder(&[("a.rego", AUTHZ), ("in.json", &huge)]);
    let ran = fallgate(&["ablate", &path, "--input", &format!("{path}/in.json"), "--limit", "5000"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.out.contains("stopped at the limit after 21 removals"), "{}", ran.out);
}

#[test]
fn help_and_completions_know_the_command() {
    let ran = fallgate(&["ablate", "--help"]);
    assert_eq!(ran.exit, 0);
    for option in ["--format", "--pairs", "--items", "--limit", "--input", "--query", "--data"] {
        assert!(ran.out.contains(option), "{option}: {}", ran.out);
    }
    assert!(fallgate(&["completions", "bash"]).out.contains("fallgate__subcmd__ablate"));
    assert!(fallgate(&["man", "ablate"]).out.contains("becomes an allow"));
}
