//! Each limit at its very number, one less and one more: the input that just fits is taken, and one less refuses it.
//!
//! There is a row for every field of [`Limits`], so that a new one without a row fails. Where the number follows from the
//! input it is written down by hand; where it is a measure of memory or of steps it is sought, and has to be one number.

use std::collections::BTreeSet;

use fallgate::drill::Drill;
use fallgate::engine::QuarantineTerms;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::envelope;
use fallgate::policy::trust::root::TrustRoot;
use fallgate::state::document::StateKey;
use fallgate::state::quarantine::Selector;
use fallgate::state::statement::Purpose;
use fallgate::telemetry::sli::DecisionLabel;
use fallgate::{Config, Engine, Request};
use serde_json::{Value as Json, json};

use super::{NOW, STATE_KEY, at, canonical, entry, operate, pack, propose, public, root, says, signed};

/// What becomes of an input under these limits: it is taken whole, or the code of what is said of it.
type Probe = fn(&Limits) -> Result<(), String>;

enum Row {
    /// The input just fits at this number; one less gives the code.
    At(u64, &'static str, Probe),
    /// Likewise, at a number that is sought.
    Sought(&'static str, Probe),
    /// A table that tightens or forgets where it is full: a test of its own holds it, at the number and beyond.
    Elsewhere(&'static str),
}

fn pack_of(change: fn(&mut Json)) -> Json {
    let mut document = json!({
        "fallgate": 1, "name": "test", "revision": 1,
        "schema": {"subject": {"user": {"name": "string", "level": "int"}}, "resource": {"doc": {"tenant": "string", "region": {"type": "string", "optional": true}}}},
        "actions": {"read": {"cache": {"allow": "1m", "deny": "1m"}}},
        "rules": [{"id": "all", "effect": "allow"}],
    });
    change(&mut document);
    document
}

fn load(limits: &Limits, change: fn(&mut Json)) -> Result<Bundle, String> {
    let loaded = Bundle::from_document(&pack_of(change), &Trust::unsigned_for_development(), limits);
    loaded.map_err(|error| error.diagnostics()[0].code.as_str().to_owned())
}

fn when(condition: &str, limits: &Limits) -> Result<(), String> {
    let mut document = pack_of(|_| {});
    document["rules"][0]["when"] = json!(condition);
    let loaded = Bundle::from_document(&document, &Trust::unsigned_for_development(), limits);
    loaded.map(drop).map_err(|error| error.diagnostics()[0].code.as_str().to_owned())
}

fn rego(limits: &Limits, modules: &[&str]) -> Result<Bundle, String> {
    let mut document = pack_of(|document| document["rules"][0]["when"] = json!({"rego": "data.a.allow"}));
    let named = modules.iter().enumerate().map(|(number, text)| (format!("{number}.rego"), json!(text)));
    document["rego"] = Json::Object(named.collect());
    let loaded = Bundle::from_document(&document, &Trust::unsigned_for_development(), limits);
    loaded.map_err(|error| error.diagnostics()[0].code.as_str().to_owned())
}

fn engine_of(limits: &Limits, bundle: Bundle) -> Engine {
    let mut config = Config::default();
    config.limits = limits.clone();
    config.state_key = StateKey::new(STATE_KEY);
    let engine = Engine::new(config);
    engine.activate(bundle, at(0)).unwrap();
    engine
}

/// An engine with these limits, whose bundle was compiled with others.
fn engine(limits: &Limits, change: fn(&mut Json)) -> Engine {
    engine_of(limits, load(&Limits::DEFAULT, change).unwrap())
}

fn request(id: &str) -> Request {
    let text = String::from_utf8_lossy(BODY).replace(r#""id":"an""#, &format!(r#""id":"{id}""#));
    Request::from_json(text.as_bytes(), &Limits::DEFAULT).unwrap()
}

/// An allow, or the reason of the deny.
fn decided(engine: &Engine, bytes: &[u8]) -> Result<(), String> {
    let decision = engine.decide_json(bytes, NOW);
    if decision.is_allow() { Ok(()) } else { Err(decision.reason().code().to_owned()) }
}

const BODY: &[u8] = br#"{"subject":{"type":"user","id":"an","properties":{"name":"ann","level":7}},"action":{"name":"read"},"resource":{"type":"doc","id":"d","properties":{"tenant":"acme"}}}"#;

fn found(limits: &Limits) -> Result<(), String> {
    let engine = engine(limits, |_| {});
    drop(engine.decide(&request("ann"), NOW));
    if engine.decide(&request("ann"), NOW).cached() { Ok(()) } else { Err("not_cached".to_owned()) }
}

fn recorded(limits: &Limits) -> Result<(), String> {
    let engine = engine(limits, |document| document["audit"] = json!({"level": "all"}));
    drop(engine.decide(&request("ann"), NOW));
    if engine.audit_counters().unrecorded == 0 { Ok(()) } else { Err("unrecorded".to_owned()) }
}

fn journaled(mut limits: Limits, of_entries: bool) -> Result<(), String> {
    if of_entries {
        limits.journal_bytes_max = 1 << 20;
    } else {
        limits.journal_entries_max = 1_000;
    }
    let engine = engine(&limits, |_| {});
    match engine.journal_counts() {
        Some((_, 0, _)) => Ok(()),
        _ => Err("missing".to_owned()),
    }
}

fn rows() -> Vec<(&'static str, Row)> {
    use Row::{At, Elsewhere, Sought};
    const LIMIT: &str = "limit_exceeded";
    vec![
        (
            "bundle_bytes_max",
            At(bundle_bytes(), LIMIT, |limits| {
                let bytes = canonical(&pack_of(|_| {}));
                let trust = Trust::unsigned_for_development();
                Bundle::from_signed(&bytes, &trust, limits, NOW.wall).map(drop).map_err(|error| error.code().to_owned())
            }),
        ),
        (
            "signatures_max",
            At(2, LIMIT, |limits| {
                let bytes = signed(envelope::BUNDLE, &pack(1), &[1, 3]);
                let trust = Trust::keys(TrustRoot::from_json(&canonical(&root(1)), &Limits::DEFAULT).unwrap());
                Bundle::from_signed(&bytes, &trust, limits, NOW.wall).map(drop).map_err(|error| error.code().to_owned())
            }),
        ),
        ("trust_bytes_max", At(canonical(&root(1)).len() as u64, LIMIT, |limits| root_under(limits, root(1)))),
        (
            "trust_keys_max",
            At(2, LIMIT, |limits| {
                let mut form = root(1);
                form["keys"] = json!([entry(1), entry(2)]);
                form.as_object_mut().unwrap().remove("control");
                root_under(limits, form)
            }),
        ),
        (
            "revocations_max",
            At(2, LIMIT, |limits| {
                let mut form = root(1);
                form["revoked"] = json!({"keys": [public(8).id().to_string()], "bundles": ["ab".repeat(32)]});
                root_under(limits, form)
            }),
        ),
        (
            "control_feeds_max",
            At(2, LIMIT, |limits| {
                let mut form = root(1);
                form["control"]["partners"] = json!({"threshold": 1, "keys": [entry(4)]});
                root_under(limits, form)
            }),
        ),
        (
            "control_digests_max",
            Elsewhere("core/src/state/control.rs::tests::two_messages_of_one_number_fail_the_feed_until_a_later_epoch"),
        ),
        (
            "rules_max",
            At(2, LIMIT, |limits| {
                load(limits, |document| {
                    document["rules"]
                        .as_array_mut()
                        .unwrap()
                        .push(json!({"id": "two", "effect": "deny", "when": "false"}))
                })
                .map(drop)
            }),
        ),
        (
            "actions_max",
            At(2, LIMIT, |limits| load(limits, |document| document["actions"]["write"] = json!({})).map(drop)),
        ),
        // Two that are declared, a member that is named by a quorum alone, and the five that are built in.
        (
            "signals_max",
            At(8, LIMIT, |limits| {
                load(limits, |document| {
                    document["signals"] =
                        json!({"a": {"ttl": "1s"}, "q": {"ttl": "1s", "quorum": {"of": ["a", "b"], "need": 1}}});
                })
                .map(drop)
            }),
        ),
        // The normal one, and another.
        (
            "postures_max",
            At(2, LIMIT, |limits| {
                load(limits, |document| {
                    document["postures"] = json!([{"name": "shut", "rank": 1, "permits": "none", "leave": {}}]);
                })
                .map(drop)
            }),
        ),
        (
            "scopes_max",
            At(2, LIMIT, |limits| {
                load(limits, |document| {
                    document["postures"] = json!([{"name": "shut", "rank": 1, "permits": "none", "leave": {}}]);
                    document["scopes"] = json!({"tenant": "resource.tenant", "region": "resource.region"})
                })
                .map(drop)
            }),
        ),
        (
            "scope_instances_max",
            At(2, "everywhere", |limits| {
                let engine = engine(limits, |document| {
                    document["scopes"] = json!({"tenant": "resource.tenant"});
                    document["postures"] = json!([{"name": "shut", "rank": 1, "permits": "none", "leave": {}}]);
                });
                engine.enter_posture("shut", Some("tenant:a"), NOW).unwrap();
                engine.enter_posture("shut", Some("tenant:b"), NOW).unwrap();
                if engine.posture(None).as_deref() == Some("normal") { Ok(()) } else { Err("everywhere".to_owned()) }
            }),
        ),
        (
            "quarantines_max",
            At(2, "quarantined", |limits| {
                let engine = engine(limits, |_| {});
                for who in ["eve", "bob"] {
                    engine.quarantine(&Selector::Subject("user", who), &QuarantineTerms::default(), NOW).unwrap();
                }
                decided(&engine, BODY)
            }),
        ),
        (
            "quarantine_conditions_max",
            At(2, "quarantined", |limits| {
                let engine = engine(limits, |_| {});
                for condition in ["subject.id == 'eve'", "subject.id == 'bob'"] {
                    engine.quarantine(&Selector::When(condition), &QuarantineTerms::default(), NOW).unwrap();
                }
                decided(&engine, BODY)
            }),
        ),
        (
            "state_bytes_max",
            Sought("state_too_large", |limits| {
                let engine = engine(limits, |_| {});
                engine.export_state(NOW).map(drop).map_err(|error| error.code().to_owned())
            }),
        ),
        (
            "approvers_max",
            At(2, LIMIT, |limits| {
                let loaded = Bundle::from_document(&pack(1), &Trust::unsigned_for_development(), limits);
                loaded.map(drop).map_err(|error| error.diagnostics()[0].code.as_str().to_owned())
            }),
        ),
        (
            "flags_max",
            At(2, LIMIT, |limits| {
                load(limits, |document| {
                    document["postures"] = json!([{"name": "shut", "rank": 1, "permits": "none", "leave": {}}]);
                    let flag = json!({"posture": "shut", "owner": "sre", "max_age": "1h"});
                    document["flags"] = json!({"one": flag, "two": flag});
                })
                .map(drop)
            }),
        ),
        (
            "proposals_max",
            // Nobody fills more than a quarter.
            At(5, "no_room", |limits| {
                let engine = engine_of(limits, approved_pack());
                ["ann", "bob"].into_iter().try_for_each(|who| operate(&engine, &propose(who)))
            }),
        ),
        (
            "overrides_max",
            At(2, "no_room", |limits| {
                let engine = engine_of(limits, approved_pack());
                ["ann", "bob"].into_iter().try_for_each(|who| {
                    operate(&engine, &propose(who))?;
                    operate(&engine, &says("approve", Purpose::Approval, who))
                })
            }),
        ),
        (
            "former_bundles_max",
            At(2, "never_active", |limits| {
                let engine = engine(limits, |_| {});
                let first = engine.bundle().unwrap().id();
                for revision in [2, 3] {
                    let mut document = pack_of(|_| {});
                    document["revision"] = json!(revision);
                    let bundle =
                        Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
                    engine.activate(bundle, NOW).unwrap();
                }
                engine.return_to(first, NOW).map_err(|error| error.code().to_owned())
            }),
        ),
        ("permits_max", Elsewhere("core/tests/guards.rs::more_calls_than_are_remembered_count_as_failed")),
        // The tenant, the name and the level.
        (
            "slots_max",
            Sought(LIMIT, |limits| {
                load(limits, |document| {
                    document["rules"][0]["when"] = json!("subject.level > 1 && subject.name == resource.tenant")
                })
                .map(drop)
            }),
        ),
        ("condition_bytes_max", At(4, LIMIT, |limits| when("true", limits))),
        ("condition_nodes_max", Sought(LIMIT, |limits| when("subject.level + 1 > 2", limits))),
        ("condition_depth_max", Sought(LIMIT, |limits| when("!(!(!(!(subject.level > 1))))", limits))),
        ("regex_bytes_max", Sought(LIMIT, |limits| when("subject.name.matches('^a{1,50}b+$')", limits))),
        ("rego_bytes_max", At(30, LIMIT, |limits| rego(limits, &["package a\nallow if {true }    "]).map(drop))),
        (
            "rego_modules_max",
            At(2, LIMIT, |limits| {
                rego(limits, &["package a\nallow if input.subject.id", "package b\nb := 1"]).map(drop)
            }),
        ),
        (
            "rego_nesting_max",
            At(3, LIMIT, |limits| rego(limits, &["package a\nallow if [[[1]]] == [[[1]]]"]).map(drop)),
        ),
        (
            "rego_rule_depth_max",
            At(3, LIMIT, |limits| {
                rego(limits, &["package a\nallow if one\none if two\ntwo if input.subject.id == \"an\""]).map(drop)
            }),
        ),
        (
            "rego_steps_max",
            Sought("indeterminate", |limits| {
                let bundle = rego(
                    limits,
                    &["package a\nallow if { some x in [1, 2, 3]\n x == 3\n input.subject.id == \"an\" }"],
                );
                decided(&engine_of(limits, bundle?), BODY)
            }),
        ),
        ("request_bytes_max", At(BODY.len() as u64, LIMIT, |limits| decided(&engine(limits, |_| {}), BODY))),
        ("request_depth_max", At(3, LIMIT, |limits| decided(&engine(limits, |_| {}), BODY))),
        ("request_values_max", Sought(LIMIT, |limits| decided(&engine(limits, |_| {}), BODY))),
        ("id_bytes_max", At(4, LIMIT, |limits| decided(&engine(limits, |_| {}), BODY))),
        (
            "steps_max",
            Sought("indeterminate", |limits| {
                let engine = engine(limits, |document| {
                    document["rules"][0]["when"] = json!("[1, 2, 3].exists(x, x == subject.level - 4)")
                });
                decided(&engine, BODY)
            }),
        ),
        (
            "arena_bytes_max",
            Sought("indeterminate", |limits| {
                let bundle = load(limits, |document| {
                    document["rules"][0]["when"] = json!("subject.name + subject.name == 'annann'")
                })?;
                decided(&engine_of(limits, bundle), BODY)
            }),
        ),
        ("cache_entries_max", At(1, "not_cached", found)),
        ("cache_bytes_max", Sought("not_cached", found)),
        ("cache_key_bytes_max", Sought("not_cached", found)),
        (
            "events_max",
            At(2, "dropped", |limits| {
                let engine = engine(limits, |_| {});
                if engine.counters().events_dropped == 0 { Ok(()) } else { Err("dropped".to_owned()) }
            }),
        ),
        ("causes_max", Elsewhere("core/src/state/severity.rs::tests::without_room_every_event_keeps_its_severity")),
        (
            "counted_actions_max",
            At(2, "among_the_others", |limits| {
                let engine = engine(limits, |document| document["actions"]["write"] = json!({}));
                drop(engine.decide(&request("ann"), NOW));
                let write = String::from_utf8_lossy(BODY).replace(r#""name":"read""#, r#""name":"write""#);
                drop(engine.decide_json(write.as_bytes(), NOW));
                let metrics = engine.metrics().to_json();
                let named = |action: &str| {
                    metrics.as_object().unwrap().keys().any(|name| name.contains(&format!(r#"action="{action}""#)))
                };
                if named("read") && named("write") { Ok(()) } else { Err("among_the_others".to_owned()) }
            }),
        ),
        (
            "labels_max",
            At(2, "no_room_for_label", |limits| {
                let engine = engine(limits, |_| {});
                for who in ["ann", "bob"] {
                    let id = engine.decide(&request(who), NOW).id();
                    engine
                        .label_decision(id, DecisionLabel::Legitimate, NOW)
                        .map_err(|error| error.code().to_owned())?;
                }
                Ok(())
            }),
        ),
        ("audit_entries_max", Sought("unrecorded", recorded)),
        ("audit_bytes_max", Sought("unrecorded", recorded)),
        ("journal_entries_max", Sought("missing", |limits| journaled(limits.clone(), true))),
        ("journal_bytes_max", Sought("missing", |limits| journaled(limits.clone(), false))),
        (
            "drill_steps_max",
            At(3, LIMIT, |limits| {
                let drill =
                    json!({"drill": "three steps", "steps": [{"at": "0s"}, {"at": "1s", "repeat": 2, "every": "1s"}]});
                Drill::from_document(&drill, limits).map(drop).map_err(|error| error.code.as_str().to_owned())
            }),
        ),
        ("batch_max", Elsewhere("core/src/authzen/batch/tests.rs::limits_are_met_at_the_same_count")),
        ("batch_bytes_max", Elsewhere("core/src/authzen/batch/tests.rs::limits_are_met_at_the_same_count")),
        ("batch_values_max", Elsewhere("core/src/authzen/batch/tests.rs::limits_are_met_at_the_same_count")),
        (
            "candidates_max",
            At(2, LIMIT, |limits| {
                load(limits, |document| {
                    let user = json!({"name": "ann", "level": 1});
                    document["candidates"] =
                        json!({"subject": {"user": {"ann": user}}, "resource": {"doc": {"d": {"tenant": "t"}}}});
                })
                .map(drop)
            }),
        ),
        ("search_page_max", Elsewhere("core/tests/authzen/pages.rs::a_page_has_a_largest_size")),
    ]
}

fn approved_pack() -> Bundle {
    Bundle::from_document(&pack(1), &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

fn bundle_bytes() -> u64 {
    canonical(&pack_of(|_| {})).len() as u64
}

fn root_under(limits: &Limits, form: Json) -> Result<(), String> {
    TrustRoot::from_json(&canonical(&form), limits).map(drop).map_err(|error| error.code.as_str().to_owned())
}

/// The defaults, but for one.
fn with(field: &str, value: u64) -> Limits {
    let mut limits = serde_json::to_value(Limits::DEFAULT).unwrap();
    limits[field] = json!(value);
    serde_json::from_value(limits).unwrap()
}

/// The least number at which the probe is taken: it is not taken below, and is from there on.
fn least(field: &str, probe: Probe) -> Option<u64> {
    let taken = |value: u64| probe(&with(field, value)).is_ok();
    let mut high = (0..30).map(|power| 1 << power).find(|high| taken(*high))?;
    let mut low = 0;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if taken(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

#[test]
fn every_limit_is_met_at_its_very_number() {
    let rows = rows();
    let fields: BTreeSet<String> =
        serde_json::to_value(Limits::DEFAULT).unwrap().as_object().unwrap().keys().cloned().collect();
    let named: BTreeSet<String> = rows.iter().map(|(field, _)| (*field).to_owned()).collect();
    assert_eq!(named, fields, "each limit has a row");
    assert_eq!(rows.len(), fields.len());
    let mut failures = Vec::new();
    for (field, row) in rows {
        let (number, code, probe) = match row {
            Row::At(number, code, probe) => (number, code, probe),
            Row::Sought(code, probe) => match least(field, probe) {
                Some(number) => (number, code, probe),
                None => {
                    failures.push(format!("{field}: it is never taken: {:?}", probe(&with(field, 1 << 30))));
                    continue;
                }
            },
            Row::Elsewhere(place) => {
                let (file, test) = place.split_once("::").unwrap();
                let name = test.rsplit("::").next().unwrap();
                let text =
                    std::fs::read_to_string(format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap_or_default();
                if !text.contains(&format!("fn {name}(")) {
                    failures.push(format!("{field}: there is no test {place}"));
                }
                continue;
            }
        };
        let said = [number - 1, number, number + 1].map(|value| {
            let said = std::panic::catch_unwind(|| probe(&with(field, value)));
            said.unwrap_or_else(|_| Err("a probe that panicked".to_owned()))
        });
        println!("{field}: {number}, below it `{code}`");
        if said != [Err(code.to_owned()), Ok(()), Ok(())] {
            failures.push(format!("{field}: at {number} and beside it: {said:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
