//! `fallgate diff`, as a shell runs it. What must come out is worked out by hand from the packs.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]

mod shell;

use std::collections::BTreeSet;
use std::fs;

use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::format::Pack;
use fallgate::time::{Monotonic, Now};
use fallgate::{Config, Engine, Request};
use fallgate_cli::diff::difference::{Kind, Told};
use fallgate_cli::diff::search::{Compared, Search};
use fallgate_cli::diff::world::{World, deciding};
use serde_json::{Value, json};
use shell::{Ran, fallgate};
use tempfile::TempDir;

const PACK: &str = "\
fallgate: 1
name: desk
revision: 1
schema:
  subject: { user: { roles: [string], suspended: bool } }
  resource: { payment: { amount: int } }
signals: { idp: { ttl: 10s }, ledger: { ttl: 5s } }
actions:
  refund: { class: write, requires: [idp, ledger] }
  read: { class: read, requires: [idp] }
";

const RULES: &str = "\
rules:
  - { id: agents, effect: allow, action: refund, subject: { roles: agent }, when: resource.amount <= 100 }
  - { id: readers, effect: allow, action: read }
  - { id: suspended, effect: deny, when: subject.suspended }
";

/// Two packs in one folder: the second is the first with these replacements, and this revision.
fn packs(replaced: &[(&str, &str)]) -> (TempDir, String, String) {
    packs_of(PACK, RULES, replaced)
}

fn packs_of(pack: &str, rules: &str, replaced: &[(&str, &str)]) -> (TempDir, String, String) {
    let folder = TempDir::new().unwrap();
    let (mut new_pack, mut new_rules) = (pack.replace("revision: 1", "revision: 2"), rules.to_owned());
    for (from, to) in replaced {
        assert!(new_pack.contains(from) || new_rules.contains(from), "{from}");
        (new_pack, new_rules) = (new_pack.replace(from, to), new_rules.replace(from, to));
    }
    for (name, pack, rules) in [("old", pack, rules), ("new", new_pack.as_str(), new_rules.as_str())] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("pack.yaml"), pack).unwrap();
        fs::write(folder.path().join(name).join("rules.yaml"), rules).unwrap();
    }
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (old, new) = (path("old"), path("new"));
    (folder, old, new)
}

fn diff(old: &str, new: &str, arguments: &[&str]) -> (u8, Value) {
    let ran = ran(old, new, arguments);
    assert_eq!(ran.err, "");
    (ran.exit, serde_json::from_str(&ran.out).unwrap())
}

fn ran(old: &str, new: &str, arguments: &[&str]) -> Ran {
    let all: Vec<&str> = ["diff", old, new, "--format", "json"].into_iter().chain(arguments.iter().copied()).collect();
    fallgate(&all)
}

/// The groups of a kind: action, what the old and the new policy decide by, and the smallest request with its world.
fn groups(output: &Value, kind: &str) -> Vec<(String, String, String, Value)> {
    let by = |told: &Value| {
        let rule = told["rule"].as_str().map(|rule| format!(" {rule}")).unwrap_or_default();
        format!("{}{rule}", told["reason"].as_str().unwrap())
    };
    let groups = output["differences"].as_array().unwrap().iter().filter(|group| group["kind"] == kind);
    groups
        .map(|group| {
            let action = group["action"].as_str().unwrap().to_owned();
            (action, by(&group["old"]), by(&group["new"]), group["witnesses"][0].clone())
        })
        .collect()
}

fn coverage<'v>(output: &'v Value, action: &str) -> &'v Value {
    output["coverage"].as_array().unwrap().iter().find(|one| one["action"] == action).unwrap()
}

#[test]
fn a_widened_limit_is_found_one_above_the_old_one() {
    let (_folder, old, new) = packs(&[("amount <= 100", "amount <= 250")]);
    let (exit, output) = diff(&old, &new, &[]);
    assert_eq!(exit, 1);
    let found = groups(&output, "newly_allowed");
    assert_eq!(found.len(), 1);
    let (action, before, after, witness) = &found[0];
    assert_eq!((action.as_str(), before.as_str()), ("refund", "no_matching_rule"));
    assert_eq!(after, "allowed_by_rule agents");
    let request = json!({
        "subject": { "type": "user", "id": "x", "properties": { "roles": ["agent"], "suspended": false } },
        "action": { "name": "refund" },
        "resource": { "type": "payment", "id": "x", "properties": { "amount": 101 } },
    });
    assert_eq!(witness["request"], request);
    assert_eq!(witness["world"]["lost"], Value::Null);
    assert_eq!(groups(&output, "newly_denied"), []);
    assert_eq!(groups(&output, "reason_only"), []);
    // 99, 100, 101, 249, 250, 251; suspended or not; an agent or not.
    let covered = coverage(&output, "refund");
    assert_eq!((&covered["complete"], &covered["requests"]), (&json!(true), &json!(6 * 2 * 2)));
    assert_eq!(coverage(&output, "read")["unchanged"], true);
    let change = json!({
        "what": "rule", "name": "agents", "part": "when", "kind": "changed",
        "old": "resource.amount <= 100", "new": "resource.amount <= 250",
    });
    assert_eq!(output["changes"], json!([change]));

    // The other way round it is newly denied, which fails only where that is asked for.
    let (exit, output) = diff(&new, &old, &[]);
    assert_eq!((exit, groups(&output, "newly_allowed").len()), (0, 0));
    let found = groups(&output, "newly_denied");
    assert_eq!((found.len(), &found[0].3["request"]), (1, &request));
    assert_eq!(diff(&new, &old, &["--fail-on", "newly-denied"]).0, 1);
}

#[test]
fn a_deny_rule_that_goes_is_found() {
    let (_folder, old, new) = packs(&[("  - { id: suspended, effect: deny, when: subject.suspended }\n", "")]);
    let (exit, output) = diff(&old, &new, &[]);
    let found = groups(&output, "newly_allowed");
    let said: Vec<(&str, &str, &str)> =
        found.iter().map(|(action, old, new, _)| (action.as_str(), old.as_str(), new.as_str())).collect();
    assert_eq!(exit, 1);
    assert_eq!(
        said,
        [
            ("read", "denied_by_rule suspended", "allowed_by_rule readers"),
            ("refund", "denied_by_rule suspended", "allowed_by_rule agents"),
        ]
    );
    assert!(found.iter().all(|(.., witness)| witness["request"]["subject"]["properties"]["suspended"] == true));
    // Whoever is no agent is denied for another reason.
    assert_eq!(groups(&output, "reason_only")[0].1, "denied_by_rule suspended");
    assert_eq!(groups(&output, "reason_only")[0].2, "no_matching_rule");
}

#[test]
fn a_signal_that_is_no_longer_required_is_seen_where_it_is_lost() {
    let (_folder, old, new) = packs(&[("requires: [idp, ledger]", "requires: [idp]")]);
    let (exit, output) = diff(&old, &new, &[]);
    let found = groups(&output, "newly_allowed");
    assert_eq!((exit, found.len()), (1, 1));
    let (_, before, after, witness) = &found[0];
    assert_eq!((before.as_str(), after.as_str()), ("signal_unavailable", "allowed_by_rule agents"));
    assert_eq!(witness["world"]["lost"]["signal"], "ledger");
    // As failed, as degraded and as never heard of; and nowhere else.
    assert_eq!(output["differences"][0]["worlds"], 3);
}

#[test]
fn a_failure_that_is_answered_more_mildly_is_seen_where_the_signal_is_lost() {
    let mild = "{ class: read, requires: [idp], on_failure: { allow: { justification: \"a catalogue\" } } }";
    let (_folder, old, new) = packs(&[("{ class: read, requires: [idp] }", mild)]);
    let (exit, output) = diff(&old, &new, &[]);
    let found = groups(&output, "newly_allowed");
    assert_eq!((exit, found.len()), (1, 1));
    assert_eq!((found[0].1.as_str(), found[0].2.as_str()), ("signal_unavailable", "allowed_fail_open"));
    assert_eq!(found[0].3["world"]["lost"]["signal"], "idp");
    assert_eq!(coverage(&output, "refund")["unchanged"], true);
}

#[test]
fn an_earlier_allow_that_stands_in_is_seen_after_the_same_was_decided() {
    let stale =
        "{ class: read, requires: [idp], on_failure: { serve_cached: { max_stale: 5m } }, cache: { allow: 30s } }";
    let (_folder, old, new) = packs(&[("{ class: read, requires: [idp] }", stale)]);
    let (exit, output) = diff(&old, &new, &[]);
    let found = groups(&output, "newly_allowed");
    assert_eq!((exit, found.len()), (1, 1), "{output:#}");
    assert_eq!((found[0].1.as_str(), found[0].2.as_str()), ("signal_unavailable", "allowed_stale readers"));
    assert_eq!(found[0].3["world"]["after_ok"], true);
}

#[test]
fn a_posture_that_permits_more_is_seen_where_it_is_in_force() {
    let postures = "\
postures:
  - { name: normal, rank: 0, permits: all }
  - { name: read-only, rank: 1, permits: { classes: [read] }, leave: {} }
";
    let (_folder, old, new) =
        packs_of(&format!("{PACK}{postures}"), RULES, &[("classes: [read]", "classes: [read, write]")]);
    let (exit, output) = diff(&old, &new, &[]);
    let found = groups(&output, "newly_allowed");
    assert_eq!((exit, found.len()), (1, 1));
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("refund", "posture"));
    assert_eq!(found[0].3["world"]["posture"], "read-only");
}

#[test]
fn a_date_that_moves_is_seen_between_the_two() {
    let dated = "when: resource.amount <= 100 && now < timestamp('2026-06-01T00:00:00Z') }";
    let rules = RULES.replace("when: resource.amount <= 100 }", dated);
    let (_folder, old, new) = packs_of(PACK, &rules, &[("2026-06-01T", "2026-07-01T")]);
    let (exit, output) = diff(&old, &new, &[]);
    let found = groups(&output, "newly_allowed");
    assert_eq!((exit, found.len()), (1, 1));
    // At the old end, and a millisecond before the new one.
    assert_eq!(output["differences"][0]["worlds"], 2);
    assert_eq!(found[0].3["world"]["at"], "2026-06-01T00:00:00Z");
}

#[test]
fn what_others_may_read_of_an_attribute_is_held_against_it() {
    // Equal to another attribute, in a list of the request, and below another attribute: each found without a constant.
    let pack = "\
fallgate: 1
name: wiki
revision: 1
schema:
  subject: { user: { teams: [string], level: int } }
  resource: { page: { owner: string, team: string, level: int } }
actions: { edit: {} }
";
    let rules = "rules:\n  - { id: own, effect: allow, when: resource.owner == subject.id }\n";
    let (_folder, old, new) =
        packs_of(pack, rules, &[("resource.owner == subject.id", "resource.team in subject.teams")]);
    let (_, output) = diff(&old, &new, &[]);
    assert_eq!(coverage(&output, "edit")["complete"], true, "{output:#}");
    let allowed = &groups(&output, "newly_allowed")[0].3["request"];
    assert_ne!(allowed["resource"]["properties"]["owner"], allowed["subject"]["id"]);
    assert_eq!(allowed["subject"]["properties"]["teams"], json!([allowed["resource"]["properties"]["team"]]));
    let denied = &groups(&output, "newly_denied")[0].3["request"];
    assert_eq!(denied["resource"]["properties"]["owner"], denied["subject"]["id"]);

    let rules = rules.replace("resource.owner == subject.id", "subject.level >= resource.level");
    let (_folder, old, new) = packs_of(pack, &rules, &[("level >= resource", "level > resource")]);
    let (exit, output) = diff(&old, &new, &[]);
    let denied = &groups(&output, "newly_denied")[0].3["request"];
    assert_eq!((exit, &coverage(&output, "edit")["complete"]), (0, &json!(true)));
    assert_eq!(denied["subject"]["properties"]["level"], denied["resource"]["properties"]["level"]);
}

#[test]
fn what_cannot_be_followed_is_a_sample_that_begins_with_what_was_written() {
    let rules = RULES.replace("resource.amount <= 100", "resource.amount * 3 == 33");
    let (folder, old, new) = packs_of(PACK, &rules, &[("* 3 == 33", "* 3 == 36")]);
    let (_, output) = diff(&old, &new, &[]);
    let covered = coverage(&output, "refund");
    assert_eq!(covered["complete"], false);
    assert_eq!(covered["gaps"], json!(["`resource.amount` is not only compared with constants"]));
    // Three times 12 is 36, which no constant says; a case does.
    assert_eq!(groups(&output, "newly_allowed"), []);
    let case = "\
cases:
  - name: twelve
    request:
      subject: { type: user, id: ann, properties: { roles: [agent], suspended: false } }
      action: { name: refund }
      resource: { type: payment, id: p1, properties: { amount: 12 } }
    signals: { idp: ok, ledger: ok }
    expect: { effect: allow }
";
    fs::create_dir_all(folder.path().join("new/tests")).unwrap();
    fs::write(folder.path().join("new/tests/cases.yaml"), case).unwrap();
    let (exit, output) = diff(&old, &new, &[]);
    let found = groups(&output, "newly_allowed");
    assert_eq!((exit, found.len()), (1, 1));
    assert_eq!(found[0].3["request"]["resource"]["properties"]["amount"], 12);
}

#[test]
fn more_requests_than_the_limit_are_a_sample_and_it_says_so() {
    let (_folder, old, new) = packs(&[("amount <= 100", "amount <= 250")]);
    let (_, output) = diff(&old, &new, &["--limit", "20"]);
    let covered = coverage(&output, "refund");
    assert_eq!((&covered["complete"], &covered["requests"]), (&json!(false), &json!(20)));
    assert_eq!(covered["gaps"], json!(["24 requests stand for all, more than `--limit 20`"]));
    // The same again: the sample is no matter of luck.
    assert_eq!(diff(&old, &new, &["--limit", "20"]).1, output);
}

#[test]
fn a_witness_is_a_request_that_eval_takes() {
    let (folder, old, new) = packs(&[("amount <= 100", "amount <= 250")]);
    let witnesses = folder.path().join("witnesses").display().to_string();
    diff(&old, &new, &["--witnesses", &witnesses]);
    let file = format!("{witnesses}/001-newly_allowed.json");
    let eval = |pack: &str| fallgate(&["eval", pack, "--input", &file, "--all-signals-ok"]).exit;
    assert_eq!((eval(&old), eval(&new)), (1, 0));
    // Three of a group are kept: 101, 249 and 250.
    assert_eq!(fs::read_dir(&witnesses).unwrap().count(), 3);
}

fn request(roles: &[&str], amount: i64) -> Value {
    json!({
        "subject": { "type": "user", "id": "ann", "properties": { "roles": roles, "suspended": false } },
        "action": { "name": "refund" },
        "resource": { "type": "payment", "id": "p-1", "properties": { "amount": amount } },
    })
}

#[test]
fn requests_of_a_file_are_decided_by_both() {
    let rules = RULES.replace("resource.amount <= 100", "resource.amount % 1000 == 0");
    let (folder, old, new) = packs_of(PACK, &rules, &[("% 1000 == 0", "% 1000 == 1")]);
    let file = folder.path().join("asked.jsonl").display().to_string();
    let mut demanding = request(&["agent"], 345_001);
    demanding["context"] = json!({ "fallgate": { "min_revision": 2 } });
    fs::write(&file, format!("{}\n\n{demanding}\n", request(&[], 345_001))).unwrap();
    let (exit, output) = diff(&old, &new, &["--limit", "1", "--requests", &file]);
    let found = groups(&output, "newly_allowed");
    assert_eq!((exit, found.len()), (1, 1));
    assert_eq!(found[0].3["from"], format!("{file}:3"));
    // What it demands of the decision itself is left out: the old pack has another revision.
    assert_eq!(found[0].3["request"]["resource"]["properties"]["amount"], 345_001);

    fs::write(&file, "{\"subject\": 1}\n").unwrap();
    let ran = ran(&old, &new, &["--requests", &file]);
    assert_eq!((ran.exit, ran.out.as_str()), (3, ""));
    assert!(ran.err.contains(&format!("{file}:1 is no request")), "{}", ran.err);
}

#[test]
fn an_audit_chain_is_decided_by_both_and_nothing_in_it_is_guessed() {
    let rules = RULES.replace("resource.amount <= 100", "resource.amount % 1000 == 0");
    let (folder, old, new) = packs_of(PACK, &rules, &[("% 1000 == 0", "% 1000 == 1")]);
    let file = folder.path().join("chain.jsonl").display().to_string();
    let record = |kind: &str, body: Value| json!({ "seq": 1, "kind": kind, "body": body }).to_string();
    let asked = |roles: Value, amount: Value| {
        json!({
            "subject": { "type": "user", "id": "ann", "roles": roles, "suspended": false },
            "action": { "name": "refund" }, "resource": { "type": "payment", "id": "p", "amount": amount },
            "context": {},
        })
    };
    let decision = |request: Value| record("decision", json!({ "request": request, "decision": {} }));
    let lines = [
        record("posture", json!({ "event": "posture_entered" })),
        decision(asked(json!(["agent"]), json!(345_001))),
        decision(asked(json!({ "redacted": "ab" }), json!(1))),
        decision(asked(json!(["agent"]), json!("9007199254740993"))),
        decision(Value::Null),
    ];
    fs::write(&file, lines.join("\n")).unwrap();
    let (exit, output) = diff(&old, &new, &["--limit", "1", "--audit", &file]);
    let found = groups(&output, "newly_allowed");
    assert_eq!((exit, found.len()), (1, 1));
    assert_eq!(found[0].3["from"], format!("{file}:2"));
    assert_eq!(found[0].3["request"]["subject"]["properties"]["roles"], json!(["agent"]));
    let notes = [
        "1 recorded decision asked again",
        "1 recorded decision not asked again: an attribute is redacted",
        "2 recorded decisions not asked again: the request is not in the record",
    ];
    assert_eq!(output["notes"], json!(notes));

    // What the new pack declares for the first time, nobody wrote down.
    let declared = PACK.replace("amount: int", "amount: int, region: string");
    fs::write(folder.path().join("new/pack.yaml"), declared.replace("revision: 1", "revision: 2")).unwrap();
    let (_, output) = diff(&old, &new, &["--limit", "1", "--audit", &file]);
    let note = "2 recorded decisions not asked again: `resource.region` was not declared, and so not recorded";
    assert!(output["notes"].as_array().unwrap().contains(&json!(note)), "{:#}", output["notes"]);

    fs::write(&file, "{}\n").unwrap();
    assert_eq!(ran(&old, &new, &["--audit", &file]).exit, 3);
}

#[test]
fn a_chain_that_an_engine_wrote_is_read() {
    let pack = PACK.replace("suspended: bool", "suspended: bool, email: { type: string, optional: true }")
        + "audit: { level: all, redact: [subject.email] }\n";
    let rules = RULES.replace("resource.amount <= 100", "resource.amount % 1000 == 0");
    let (folder, old, new) = packs_of(&pack, &rules, &[("% 1000 == 0", "% 1000 == 1")]);
    let at = |name: &str| folder.path().join(name).display().to_string();
    assert_eq!(fallgate(&["build", &old, "-o", &at("old.json")]).exit, 0);
    let bundle = Bundle::from_json(&fs::read(at("old.json")).unwrap(), &Trust::unsigned_for_development()).unwrap();
    let mut config = Config::default();
    config.audit_key = Some([7; 32]);
    let engine = Engine::new(config);
    let now = Now::new(Monotonic::ZERO, fallgate::drill::START);
    engine.activate(bundle, now).unwrap();
    let mut secret = request(&["agent"], 1);
    secret["subject"]["properties"]["email"] = json!("ann@example.org");
    for asked in [request(&["agent"], 345_001), secret, json!("no request")] {
        assert!(!engine.decide_json(asked.to_string().as_bytes(), now).is_allow());
    }
    fs::write(at("chain.jsonl"), engine.drain_audit(100, now).lines.join("\n")).unwrap();
    let (exit, output) = diff(&old, &new, &["--limit", "1", "--audit", &at("chain.jsonl")]);
    let found = groups(&output, "newly_allowed");
    assert_eq!((exit, found.len()), (1, 1), "{output:#}");
    // That the bundle was activated, and that nobody signed it, are the first records.
    assert_eq!(found[0].3["from"], format!("{}:3", at("chain.jsonl")));
    assert_eq!(found[0].3["request"]["subject"], request(&["agent"], 1)["subject"]);
    let notes = [
        "1 recorded decision asked again",
        "1 recorded decision not asked again: an attribute is redacted",
        "1 recorded decision not asked again: the request is not in the record",
    ];
    assert_eq!(output["notes"], json!(notes));
}

#[test]
fn what_a_pack_declares_to_allow_newly_is_marked_and_can_pass() {
    let (folder, old, new) = packs(&[("amount <= 100", "amount <= 250")]);
    let declare = |actions: &str| {
        let rollout = format!("rollout: {{ shadow: 10m, newly_allows: [{actions}] }}\n");
        let pack = PACK.replace("revision: 1", "revision: 2") + &rollout;
        fs::write(folder.path().join("new/pack.yaml"), pack).unwrap();
    };
    declare("\"ref*\"");
    let (exit, output) = diff(&old, &new, &[]);
    assert_eq!((exit, &output["differences"][0]["declared"]), (1, &json!(true)));
    assert_eq!(diff(&old, &new, &["--fail-on", "undeclared"]).0, 0);
    declare("read");
    let (exit, output) = diff(&old, &new, &["--fail-on", "undeclared"]);
    assert_eq!((exit, &output["differences"][0]["declared"]), (1, &json!(false)));
}

#[test]
fn code_scanners_are_shown_the_rule_that_decides_now() {
    let (_folder, old, new) = packs(&[("amount <= 100", "amount <= 250")]);
    let ran = fallgate(&["diff", &old, &new, "--format", "sarif"]);
    let log: Value = serde_json::from_str(&ran.out).unwrap();
    let result = &log["runs"][0]["results"][0];
    assert_eq!((ran.exit, &result["ruleId"], &result["level"]), (1, &json!("newly_allowed"), &json!("error")));
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], format!("file://{new}/rules.yaml"));
    assert_eq!(place["region"]["startLine"], 2);
}

#[test]
fn what_is_no_pack_is_bad_input_and_what_makes_no_sense_is_usage() {
    let (folder, old, new) = packs(&[("amount <= 100", "amount <= 250")]);
    assert_eq!(ran(&old, "nowhere", &[]).exit, 3);
    assert_eq!(ran(&old, &new, &["--at", "tomorrow"]).exit, 2);
    assert_eq!(ran(&old, &new, &["--limit", "many"]).exit, 2);
    assert_eq!(fallgate(&["diff", &old]).exit, 2);
    // A trust root that is not there verifies no bundle.
    let at = |name: &str| folder.path().join(name).display().to_string();
    assert_eq!(fallgate(&["build", &old, "-o", &at("old.json")]).exit, 0);
    assert_eq!(ran(&at("old.json"), &new, &["--trust", &at("trust.json")]).exit, 3);
}

#[test]
fn what_runs_as_a_signed_bundle_is_compared_with_a_folder() {
    let (folder, old, new) = packs(&[("amount <= 100", "amount <= 250")]);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let done = |arguments: &[&str]| assert_eq!(fallgate(arguments).exit, 0, "{arguments:?}");
    done(&["keys", "new", "-o", &at("key")]);
    done(&["keys", "new", "-o", &at("other")]);
    done(&["keys", "trust", "--key", &at("key.pub"), "-o", &at("trust.json")]);
    done(&["build", &old, "--key", &at("key"), "-o", &at("signed.json")]);
    done(&["build", &old, "--key", &at("other"), "-o", &at("forged.json")]);
    done(&["build", &old, "-o", &at("bare.json")]);
    let trusted = ["--trust", &at("trust.json")];
    let (exit, output) = diff(&at("signed.json"), &new, &trusted);
    assert_eq!((exit, groups(&output, "newly_allowed").len()), (1, 1));
    assert_eq!(ran(&at("forged.json"), &new, &trusted).exit, 3);
    assert_eq!(ran(&at("bare.json"), &new, &trusted).exit, 3);
    // Signatures that nobody looks at are taken for none.
    assert_eq!(ran(&at("signed.json"), &new, &[]).exit, 3);
}

#[test]
fn one_of_many_rules_that_changed_is_found_in_a_sample() {
    // Forty roles with a limit each: all sets of roles are far too many.
    let rule = |number: usize| {
        let when = format!("resource.amount < {number}000");
        format!(
            "  - {{ id: r{number}, effect: allow, action: refund, subject: {{ roles: role{number} }}, when: {when} }}\n"
        )
    };
    let rules: String = (1..=40).map(rule).collect();
    let (_folder, old, new) = packs_of(PACK, &format!("rules:\n{rules}"), &[("< 7000", "< 7001")]);
    let (exit, output) = diff(&old, &new, &[]);
    let found = groups(&output, "newly_allowed");
    assert_eq!((exit, found.len(), &coverage(&output, "refund")["complete"]), (1, 1, &json!(false)));
    let request = &found[0].3["request"];
    assert_eq!(request["subject"]["properties"]["roles"], json!(["role7"]));
    assert_eq!(request["resource"]["properties"]["amount"], 7000);
}

#[test]
fn more_states_of_things_than_the_bound_are_told() {
    let signals: String = (0..101).map(|number| format!(", s{number}: {{ ttl: 5s }}")).collect();
    let pack = PACK.replace(", ledger: { ttl: 5s } }", &format!(", ledger: {{ ttl: 5s }}{signals} }}"));
    let (_folder, old, new) = packs_of(&pack, RULES, &[("amount <= 100", "amount <= 101")]);
    let (_, output) = diff(&old, &new, &[]);
    // One with every signal ok, and three for each of 103 signals.
    assert_eq!(output["worlds"].as_array().unwrap().len(), 300);
    assert_eq!(output["notes"], json!(["10 states of things not tried: there are too many"]));
}

#[test]
fn a_witness_of_a_sample_says_no_more_than_it_has_to() {
    let rules = RULES.replace("resource.amount <= 100", "resource.amount * 3 == 33 && subject.id.matches('^a.*e$')");
    let (folder, old, new) = packs_of(
        PACK,
        &rules,
        &[("* 3 == 33", "* 3 == 36"), ("amount: int", "amount: int, note: { type: string, optional: true }")],
    );
    let mut written = request(&["agent", "clerk"], 12);
    written["subject"]["id"] = json!("alice");
    written["resource"]["properties"]["note"] = json!("as agreed");
    let file = folder.path().join("asked.jsonl").display().to_string();
    fs::write(&file, written.to_string()).unwrap();
    let case = json!({ "cases": [{
        "name": "twelve", "request": written, "signals": { "idp": "ok", "ledger": "ok" }, "expect": { "effect": "allow" },
    }] });
    fs::create_dir_all(folder.path().join("new/tests")).unwrap();
    fs::write(folder.path().join("new/tests/cases.yaml"), case.to_string()).unwrap();
    let (_, output) = diff(&old, &new, &[]);
    let smallest = json!({
        "subject": { "type": "user", "id": "alice", "properties": { "roles": ["agent"], "suspended": false } },
        "action": { "name": "refund" },
        "resource": { "type": "payment", "id": "x", "properties": { "amount": 12 } },
    });
    assert_eq!(groups(&output, "newly_allowed")[0].3["request"], smallest);
}

/// Chance that is the same each time (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn one_of<'t>(&mut self, all: &[&'t str]) -> &'t str {
        all[self.below(all.len())]
    }
}

/// A small schema, the tests that a condition over it can make, and all values that are tried by brute force: more than
/// constants can tell apart.
struct Small {
    subject: Value,
    resource: Value,
    tests: &'static [&'static str],
    subjects: fn() -> Vec<Value>,
    resources: fn() -> Vec<Value>,
}

fn product(all: &[(&str, Vec<Option<Value>>)]) -> Vec<Value> {
    let mut found = vec![json!({})];
    for (name, values) in all {
        let with = |one: &Value, value: &Option<Value>| {
            let mut one = one.clone();
            if let Some(value) = value {
                one[*name] = value.clone();
            }
            one
        };
        found = found.iter().flat_map(|one| values.iter().map(move |value| with(one, value))).collect();
    }
    found
}

fn texts() -> Vec<Option<Value>> {
    ["r", "s", "t", "u", "ra", "rb"].map(|text| Some(json!(text))).to_vec()
}

fn numbers() -> Vec<Option<Value>> {
    (-2..=8).map(|number| Some(json!(number))).collect()
}

fn sets(items: &[&str]) -> Vec<Option<Value>> {
    let subset = |bits: usize| {
        items.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, one)| json!(one)).collect()
    };
    (0..1 << items.len()).map(|bits| Some(Value::Array(subset(bits)))).collect()
}

fn bools(may_lack: bool) -> Vec<Option<Value>> {
    let mut all = vec![Some(json!(false)), Some(json!(true))];
    all.extend(may_lack.then_some(None));
    all
}

fn small() -> [Small; 4] {
    [
        Small {
            // What each pack declares of it is left to chance.
            subject: json!({ "s": "string", "o": "?" }),
            resource: json!({ "kind": { "type": { "of": "string", "seal": { "type": "bool", "optional": true } }, "optional": true } }),
            tests: &[
                "subject.o",
                "!subject.o",
                "has(resource.kind)",
                "!has(resource.kind)",
                "resource.kind.of == 'r'",
                "resource.kind.of == subject.s",
                "resource.kind.seal",
                "has(resource.kind.seal)",
                "subject.s == 's'",
            ],
            subjects: || product(&[("s", texts()), ("o", bools(true))]),
            resources: || {
                let of = product(&[("of", texts()), ("seal", bools(true))]);
                product(&[("kind", of.into_iter().map(Some).chain([None]).collect())])
            },
        },
        Small {
            subject: json!({ "s": "string", "a": "bool", "o": { "type": "bool", "optional": true } }),
            resource: json!({ "w": "string", "kind": { "of": "string" } }),
            tests: &[
                "subject.a",
                "!subject.a",
                "subject.s == 'r'",
                "subject.s != 's'",
                "subject.s in ['r', 's']",
                "resource.w == subject.s",
                "resource.w != subject.s",
                "subject.s.startsWith('r')",
                "resource.w == 's'",
                "subject.o",
                "!subject.o",
                "(subject.a || subject.o)",
                "(subject.a ? subject.o : resource.w == 'r')",
                "resource.kind.of == 'r'",
                "resource.kind.of == subject.s",
            ],
            subjects: || product(&[("s", texts()), ("a", bools(false)), ("o", bools(true))]),
            resources: || {
                let kinds = texts().into_iter().map(|one| Some(json!({ "of": one.unwrap() }))).collect();
                product(&[("w", texts()), ("kind", kinds)])
            },
        },
        Small {
            subject: json!({ "n": "int", "a": "bool" }),
            resource: json!({ "m": "int" }),
            tests: &[
                "subject.n < 3",
                "subject.n >= 5",
                "resource.m <= 3",
                "resource.m == 1",
                "resource.m < subject.n",
                "resource.m == subject.n",
                "resource.m >= subject.n",
                "subject.a",
                "!(subject.n > 2)",
                "resource.m < 1.5",
                "(subject.n > 4) == subject.a",
            ],
            subjects: || product(&[("n", numbers()), ("a", bools(false))]),
            resources: || product(&[("m", numbers())]),
        },
        Small {
            subject: json!({ "roles": ["string"], "s": "string" }),
            resource: json!({ "w": "string", "o": { "type": "bool", "default": false } }),
            tests: &[
                "'r' in subject.roles",
                "!('s' in subject.roles)",
                "subject.s in subject.roles",
                "resource.w in subject.roles",
                "resource.w == subject.s",
                "resource.w == 'r'",
                "subject.s == 's'",
                "resource.o == true",
            ],
            subjects: || product(&[("roles", sets(&["r", "s", "t", "u"])), ("s", texts())]),
            resources: || product(&[("w", texts()), ("o", bools(true))]),
        },
    ]
}

/// A pack of a few rules by chance; nothing where the loader refuses it.
fn pack(small: &Small, chance: &mut Chance) -> Option<Bundle> {
    let rules: Vec<Value> = (0..=chance.below(3))
        .map(|number| {
            let terms: Vec<&str> = (0..=chance.below(2)).map(|_| chance.one_of(small.tests)).collect();
            let joined = terms.join(if chance.below(2) == 0 { " && " } else { " || " });
            let effect = if chance.below(3) == 0 { "deny" } else { "allow" };
            let mut rule = json!({ "id": format!("r{number}"), "effect": effect, "when": joined });
            if chance.below(3) == 0 && small.subject.get("s").is_some() {
                rule["subject"] = json!({ "s": chance.one_of(&["r", "s", "t"]) });
            }
            rule
        })
        .collect();
    let mut subject = small.subject.clone();
    if subject["o"] == "?" {
        let bool = |more: &str, value: bool| json!({ "type": "bool", more: value });
        match chance.below(5) {
            0 => subject["o"] = json!("bool"),
            1 => subject["o"] = bool("optional", true),
            2 => subject["o"] = bool("default", false),
            3 => subject["o"] = bool("default", true),
            _ => drop(subject.as_object_mut().unwrap().remove("o")),
        }
    }
    let document = json!({
        "fallgate": 1, "name": "small", "revision": 1, "actions": { "do": {} }, "rules": rules,
        "schema": { "subject": { "user": subject }, "resource": { "thing": small.resource } },
    });
    deciding(&document).ok()
}

/// By which decisions two bundles differ, over every request there is.
fn brute_force(small: &Small, bundles: [&Bundle; 2]) -> BTreeSet<(Kind, Told, Told)> {
    let world = World::at(fallgate::drill::START);
    let engines: Vec<Engine> = bundles.iter().map(|bundle| world.engine(bundle).unwrap()).collect();
    let mut found = BTreeSet::new();
    let resources = (small.resources)();
    for subject in (small.subjects)() {
        for resource in &resources {
            // Nobody's id is read by these packs.
            let request = json!({
                "subject": { "type": "user", "id": "i", "properties": subject }, "action": { "name": "do" },
                "resource": { "type": "thing", "id": "i", "properties": resource },
            });
            let request = Request::from_json(request.to_string().as_bytes(), &Config::default().limits).unwrap();
            let told: Vec<Told> = engines.iter().map(|engine| Told::of(&world.decide(engine, &request))).collect();
            if told[0] != told[1] {
                let kind = match (told[0].is_allow, told[1].is_allow) {
                    (false, true) => Kind::NewlyAllowed,
                    (true, false) => Kind::NewlyDenied,
                    _ => Kind::ReasonOnly,
                };
                found.insert((kind, told[0].clone(), told[1].clone()));
            }
        }
    }
    found
}

#[test]
fn what_is_called_complete_finds_all_that_brute_force_finds_and_no_more() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let (mut complete, mut differing) = (0, 0);
    for small in small() {
        for _ in 0..25 {
            let (Some(old), Some(new)) = (pack(&small, &mut chance), pack(&small, &mut chance)) else { continue };
            let packs: Vec<Pack> =
                [&old, &new].iter().map(|bundle| serde_json::from_slice(bundle.bytes()).unwrap()).collect();
            let compared = [Compared { bundle: &old, pack: &packs[0] }, Compared { bundle: &new, pack: &packs[1] }];
            let mut search = Search::new(compared, fallgate::drill::START).unwrap();
            let coverage = search.action("do", &[], 20_000, &mut || {}).unwrap();
            let found: BTreeSet<(Kind, Told, Told)> =
                search.differences.groups(&[]).into_iter().map(|group| (group.kind, group.old, group.new)).collect();
            let expected = brute_force(&small, [&old, &new]);
            let texts = || format!("{:#?}\n{:#?}", packs[0].rules, packs[1].rules);
            // A sample finds nothing that is not there.
            assert!(found.is_subset(&expected), "{found:#?}\n{expected:#?}\n{}", texts());
            if coverage.is_complete() {
                assert_eq!(found, expected, "{}", texts());
                complete += 1;
                differing += usize::from(!expected.is_empty());
            }
        }
    }
    println!("{complete} complete comparisons, {differing} with differences");
    assert!(complete > 40 && differing > 30, "{complete} complete, {differing} with differences");
}

#[test]
fn what_is_allowed_once_its_record_is_written_is_compared_as_allowed() {
    let pack = PACK.replace("requires: [idp, ledger] }", "requires: [idp, ledger], audit: confirmed }");
    let (_folder, old, new) = packs_of(&pack, RULES, &[("<= 100", "<= 200")]);
    let (exit, output) = diff(&old, &new, &[]);
    assert_eq!(exit, 1);
    let found = groups(&output, "newly_allowed");
    let by = (found[0].0.as_str(), found[0].1.as_str(), found[0].2.as_str());
    assert_eq!((found.len(), by), (1, ("refund", "no_matching_rule", "allowed_by_rule agents")), "{output}");
}
