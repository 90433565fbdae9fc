//! Postures at the engine: what each permits, how it is entered and left, and what hangs on it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use fallgate::condition::Status;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::events::EventKind;
use fallgate::state::postures::PostureError;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Decision, Engine, Observation, Reason};
use serde_json::{Value, json};

fn at(millis: u64) -> Now {
    let wall = i64::try_from(millis).unwrap() + 1_767_225_600_000;
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(wall))
}

/// Two postures over two signals; `change` makes of it what a test needs.
fn pack(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = json!({
        "fallgate": 1, "name": "modes", "revision": 1,
        "signals": {"a": {"ttl": "5s"}, "b": {"ttl": "1h"}},
        "schema": {
            "subject": {"user": {"roles": {"type": ["string"], "optional": true}}},
            "resource": {"thing": {"tenant": {"type": "string", "optional": true}, "size": {"type": "int", "optional": true}}},
        },
        "actions": {
            "doc:read": {"class": "read", "cache": {"allow": "1h", "deny": "1h"}},
            "doc:write": {"class": "write"},
            "doc:void": {"class": "write"},
        },
        "scopes": {"tenant": "resource.tenant"},
        "postures": [
            {"name": "lockdown", "rank": 9, "permits": {"when": "'commander' in subject.roles"}, "leave": {"dwell": "10s"}},
            {"name": "read-only", "rank": 1, "permits": {"classes": ["read"], "actions": ["doc:void"]},
             "enter": {"when": "!signals.a.ok", "for": "2s"},
             "leave": {"stable": "60s", "dwell": "30s", "checks": ["b"]}},
        ],
        "rules": [{"id": "all", "effect": "allow"}],
    });
    change(&mut document);
    document
}

fn bundle(document: &Value) -> Bundle {
    Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .unwrap_or_else(|error| panic!("{:#?}", error.diagnostics()))
}

/// An engine with the bundle, both signals ok at zero.
fn engine(document: &Value) -> Engine {
    let engine = Engine::new(Config::default());
    engine.activate(bundle(document), at(0)).unwrap();
    for signal in ["a", "b"] {
        engine.observe(&Observation::ok(signal), at(0));
    }
    engine
}

fn asked(engine: &Engine, action: &str, resource: Value, roles: Value, now: Now) -> Decision {
    let request = json!({
        "subject": {"type": "user", "id": "ann", "properties": {"roles": roles}}, "action": {"name": action},
        "resource": {"type": "thing", "id": "t", "properties": resource},
    });
    engine.decide_json(request.to_string().as_bytes(), now)
}

fn decide(engine: &Engine, action: &str, millis: u64) -> Decision {
    asked(engine, action, json!({"tenant": "acme"}), json!([]), at(millis))
}

/// Keeps `a` and `b` ok from one second to another.
fn keep_ok(engine: &Engine, from: u64, to: u64) {
    for second in (from..=to).step_by(4) {
        engine.observe(&Observation::ok("a"), at(second * 1_000));
        engine.observe(&Observation::ok("b"), at(second * 1_000));
    }
}

fn posture_events(engine: &Engine) -> Vec<String> {
    std::iter::from_fn(|| engine.poll_event())
        .filter_map(|event| {
            let millis = event.at.monotonic.as_nanos() / 1_000_000;
            match event.kind {
                EventKind::PostureEntered { posture, scope, cause, .. } => {
                    Some(format!("{millis} +{posture}@{} {}", scope.as_deref().unwrap_or("*"), cause.code()))
                }
                EventKind::PostureLeft { posture, scope, .. } => {
                    Some(format!("{millis} -{posture}@{}", scope.as_deref().unwrap_or("*")))
                }
                EventKind::PostureKept { posture, code } => Some(format!("{millis} ={posture} {code}")),
                _ => None,
            }
        })
        .collect()
}

#[test]
fn a_posture_caps_what_rules_allow() {
    let engine = engine(&pack(|_| {}));
    let effects =
        |now: u64| ["doc:read", "doc:void", "doc:write"].map(|action| decide(&engine, action, now).is_allow());
    assert_eq!(effects(1), [true, true, true]);
    engine.enter_posture("read-only", None, at(2)).unwrap();
    assert_eq!(effects(2), [true, true, false], "the class, the name, and nothing else");
    let denied = decide(&engine, "doc:write", 2);
    assert_eq!((denied.reason(), denied.posture(), denied.rule()), (Reason::Posture, "read-only", None));
    assert_eq!(denied.to_json()["context"]["posture"], "read-only");
    engine.enter_posture("lockdown", None, at(3)).unwrap();
    assert_eq!(effects(3), [false, false, false]);
    let as_commander = |action| asked(&engine, action, json!({}), json!(["commander"]), at(3)).is_allow();
    assert!(as_commander("doc:read"));
    assert!(!as_commander("doc:write"), "a stricter posture permits no more than a laxer one");
    // What cannot be established is not permitted.
    let request = json!({"subject": {"type": "user", "id": "ann"}, "action": {"name": "doc:read"},
                         "resource": {"type": "thing", "id": "t"}});
    assert_eq!(engine.decide_json(request.to_string().as_bytes(), at(3)).reason(), Reason::Posture);
}

#[test]
fn an_entry_takes_its_time_and_the_deadline_says_when() {
    let engine = engine(&pack(|_| {}));
    // `a` holds for 5 s, its last instant included; it is unknown at 5.001 s, and that for 2 s.
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(5_001)));
    engine.advance(at(5_001));
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(7_001)));
    assert!(decide(&engine, "doc:write", 7_000).is_allow());
    assert_eq!(decide(&engine, "doc:write", 7_001).reason(), Reason::Posture);
    assert_eq!(posture_events(&engine), ["7001 +read-only@* condition"]);
    // Nothing but `b`, which holds for an hour, changes anything by time alone.
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(3_600_001)));
}

#[test]
fn a_condition_that_breaks_off_starts_over() {
    let engine = engine(&pack(|_| {}));
    engine.observe(&Observation::failed("a"), at(1_000));
    engine.observe(&Observation::ok("a"), at(2_999));
    engine.observe(&Observation::failed("a"), at(3_000));
    engine.advance(at(4_999));
    assert_eq!(engine.posture(None).unwrap().as_str(), "normal");
    engine.advance(at(5_000));
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
}

#[test]
fn a_host_that_calls_late_finds_the_posture_of_one_that_called_in_time() {
    let engine = engine(&pack(|_| {}));
    // A report after a long silence does not hide the silence.
    engine.observe(&Observation::ok("a"), at(100_000));
    assert_eq!(decide(&engine, "doc:write", 100_000).reason(), Reason::Posture);
    assert_eq!(posture_events(&engine), ["7001 +read-only@* condition"]);
    // Nor does one that is refused, or a look at the clocks.
    let engine = self::engine(&pack(|_| {}));
    engine.observe(&Observation::ok("nobody"), at(100_000));
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
}

#[test]
fn what_cannot_be_established_is_entered() {
    let document = pack(|pack| pack["postures"][1]["enter"] = json!({"when": "signals.a.failed"}));
    let engine = Engine::new(Config::default());
    engine.activate(bundle(&document), at(0)).unwrap();
    assert_eq!(posture_events(&engine), ["0 +read-only@* indeterminate"]);
}

#[test]
fn a_posture_is_left_only_where_all_that_its_pack_demands_holds() {
    let engine = engine(&pack(|_| {}));
    let leave = |millis| engine.leave_posture("read-only", None, at(millis));
    assert_eq!(leave(1), Err(PostureError::NotEntered));
    engine.observe(&Observation::failed("a"), at(1_000));
    assert_eq!(engine.leave_posture("nobody", None, at(3_000)), Err(PostureError::UnknownPosture));
    assert_eq!(engine.leave_posture("normal", None, at(3_000)), Err(PostureError::UnknownPosture));
    assert_eq!(leave(3_000), Err(PostureError::NotStable), "its condition holds");
    keep_ok(&engine, 4, 60);
    assert_eq!(leave(63_999), Err(PostureError::NotStable), "60 s from 4 s on");
    engine.observe(&Observation::failed("b"), at(64_000));
    engine.observe(&Observation::degraded("b"), at(64_001));
    assert_eq!(leave(64_001), Err(PostureError::CheckNotOk));
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
    engine.observe(&Observation::ok("b"), at(64_002));
    assert_eq!(leave(64_002), Ok(()));
    assert!(decide(&engine, "doc:write", 64_002).is_allow());
    assert_eq!(posture_events(&engine).last().unwrap(), "64002 -read-only@*");
    // The dwell: nobody may leave a lockdown for ten seconds.
    engine.enter_posture("lockdown", None, at(65_000)).unwrap();
    assert_eq!(engine.leave_posture("lockdown", None, at(74_999)), Err(PostureError::Dwelling));
    assert_eq!(engine.leave_posture("lockdown", None, at(75_000)), Ok(()));
}

#[test]
fn leaving_one_posture_leaves_no_other() {
    let engine = engine(&pack(|_| {}));
    engine.enter_posture("read-only", None, at(0)).unwrap();
    engine.enter_posture("lockdown", None, at(0)).unwrap();
    engine.leave_posture("lockdown", None, at(10_000)).unwrap();
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
}

#[test]
fn an_entry_soon_after_leaving_lasts_twice_as_long() {
    let document = pack(|pack| {
        pack["postures"][0]["leave"] = json!({"dwell": "10s", "back_off": {"within": "60s", "max": "35s"}});
    });
    let engine = engine(&document);
    let lasts = |from: u64, seconds: u64| {
        engine.enter_posture("lockdown", None, at(from * 1_000)).unwrap();
        let end = (from + seconds) * 1_000;
        assert_eq!(engine.leave_posture("lockdown", None, at(end - 1)), Err(PostureError::Dwelling), "{from}");
        assert_eq!(engine.leave_posture("lockdown", None, at(end)), Ok(()), "{from}");
    };
    lasts(100, 10);
    lasts(111, 20);
    lasts(132, 35);
    lasts(168, 35);
    lasts(263, 10);
}

#[test]
fn a_posture_that_nobody_acknowledges_escalates() {
    let document = pack(|pack| pack["postures"][1]["escalate"] = json!({"to": "lockdown", "after": "10m"}));
    let engine = self::engine(&document);
    engine.enter_posture("read-only", Some("tenant:acme"), at(0)).unwrap();
    engine.advance(at(700_000));
    assert_eq!(engine.posture(Some("tenant:acme")).unwrap().as_str(), "lockdown");
    let events = posture_events(&engine);
    assert!(events.contains(&"600000 +lockdown@tenant:acme escalation".to_owned()), "{events:?}");
    let engine = self::engine(&document);
    engine.enter_posture("read-only", Some("tenant:acme"), at(0)).unwrap();
    engine.acknowledge_posture("read-only", Some("tenant:acme"), at(1)).unwrap();
    engine.advance(at(600_001));
    assert_eq!(engine.posture(Some("tenant:acme")).unwrap().as_str(), "read-only");
    assert_eq!(engine.acknowledge_posture("lockdown", None, at(600_001)), Err(PostureError::NotEntered));
}

#[test]
fn a_request_is_under_the_strictest_of_its_scopes() {
    let engine = engine(&pack(|_| {}));
    engine.enter_posture("read-only", Some("tenant:acme"), at(0)).unwrap();
    let of = |resource: Value| asked(&engine, "doc:write", resource, json!([]), at(1));
    assert_eq!(of(json!({"tenant": "acme"})).posture(), "read-only");
    assert_eq!(of(json!({"tenant": "acme"})).reason(), Reason::Posture);
    assert!(of(json!({"tenant": "beta"})).is_allow());
    assert!(of(json!({"tenant": "acm"})).is_allow() && of(json!({"tenant": "acme "})).is_allow());
    assert_eq!(of(json!({})).reason(), Reason::Posture, "of which nobody knows where it falls");
    engine.enter_posture("lockdown", None, at(0)).unwrap();
    assert_eq!(of(json!({"tenant": "beta"})).posture(), "lockdown");
    assert_eq!(engine.enter_posture("read-only", Some("region:eu"), at(1)), Err(PostureError::UnknownScope));
    assert_eq!(engine.enter_posture("read-only", Some("acme"), at(1)), Err(PostureError::UnknownScope));
}

#[test]
fn a_scope_without_end_is_a_deny() {
    let engine = engine(&pack(|_| {}));
    let of =
        |length: usize| asked(&engine, "doc:read", json!({"tenant": "x".repeat(length)}), json!([]), at(1)).reason();
    assert_eq!(of(256), Reason::AllowedByRule);
    assert_eq!(of(257), Reason::LimitExceeded);
    assert_eq!(of(1_000_000), Reason::LimitExceeded);
    let long = format!("tenant:{}", "x".repeat(257));
    assert_eq!(engine.enter_posture("read-only", Some(&long), at(1)), Err(PostureError::ScopeTooLong));
}

#[test]
fn where_no_scope_more_can_be_remembered_the_posture_is_entered_everywhere() {
    let mut config = Config::default();
    config.limits.scope_instances_max = 1;
    let engine = Engine::new(config);
    engine.activate(bundle(&pack(|pack| pack["postures"][1]["enter"]["for"] = "1h".into())), at(0)).unwrap();
    engine.enter_posture("read-only", Some("tenant:acme"), at(0)).unwrap();
    assert!(asked(&engine, "doc:write", json!({"tenant": "beta"}), json!([]), at(0)).is_allow());
    engine.enter_posture("read-only", Some("tenant:beta"), at(0)).unwrap();
    for tenant in ["acme", "beta", "other"] {
        assert!(!asked(&engine, "doc:write", json!({"tenant": tenant}), json!([]), at(0)).is_allow(), "{tenant}");
    }
    assert_eq!(posture_events(&engine), ["0 +read-only@tenant:acme operator", "0 +read-only@* no_room"]);
}

#[test]
fn a_scope_of_which_nothing_is_left_to_know_makes_room_for_another() {
    let mut config = Config::default();
    config.limits.scope_instances_max = 1;
    let engine = Engine::new(config);
    engine.activate(bundle(&pack(|pack| pack["postures"][1]["enter"]["for"] = "1h".into())), at(0)).unwrap();
    let reads = |tenant: &str, millis| {
        let decision = asked(&engine, "doc:read", json!({"tenant": tenant}), json!([]), at(millis));
        (decision.is_allow(), decision.cached())
    };
    assert_eq!([reads("acme", 0), reads("acme", 1)], [(true, false), (true, true)]);
    engine.enter_posture("lockdown", Some("tenant:acme"), at(2)).unwrap();
    engine.leave_posture("lockdown", Some("tenant:acme"), at(10_002)).unwrap();
    engine.enter_posture("lockdown", Some("tenant:beta"), at(10_003)).unwrap();
    assert_eq!(engine.posture(None).unwrap().as_str(), "normal");
    assert_eq!(engine.posture(Some("tenant:beta")).unwrap().as_str(), "lockdown");
    // Of acme nobody knows any more how often it changed: what was decided before is not used again.
    assert_eq!([reads("acme", 10_004), reads("beta", 10_004)], [(true, false), (false, false)]);
}

#[test]
fn a_scope_whose_back_off_is_not_over_is_not_forgotten() {
    for (second, place) in [(70, "tenant:beta"), (69, "*")] {
        let mut config = Config::default();
        config.limits.scope_instances_max = 1;
        let engine = Engine::new(config);
        let document = pack(|pack| {
            pack["postures"][0]["leave"] = json!({"dwell": "10s", "back_off": {"within": "60s", "max": "35s"}});
            pack["postures"][1]["enter"]["for"] = "1h".into();
        });
        engine.activate(bundle(&document), at(0)).unwrap();
        engine.enter_posture("lockdown", Some("tenant:acme"), at(0)).unwrap();
        engine.leave_posture("lockdown", Some("tenant:acme"), at(10_000)).unwrap();
        engine.enter_posture("lockdown", Some("tenant:beta"), at(second * 1_000)).unwrap();
        let last = posture_events(&engine).pop().unwrap();
        assert!(last.contains(&format!("+lockdown@{place} ")), "{second}: {last}");
    }
}

#[test]
fn a_change_of_posture_voids_what_is_cached() {
    let engine = engine(&pack(|_| {}));
    let cached =
        |tenant: &str, millis| asked(&engine, "doc:read", json!({"tenant": tenant}), json!([]), at(millis)).cached();
    assert!(!cached("acme", 1) && cached("acme", 2));
    engine.enter_posture("read-only", Some("tenant:acme"), at(3)).unwrap();
    assert!(!cached("acme", 3), "the action is still permitted, and is evaluated anew");
    assert!(cached("acme", 4));
    assert!(!cached("beta", 4), "whose posture is another one");
}

#[test]
fn conditions_read_the_posture() {
    let document = pack(|pack| {
        pack["rules"] = json!([
            {"id": "all", "effect": "allow", "when": "posture.rank <= 1"},
            {"id": "no-big-ones", "effect": "deny", "when": "posture.name != 'normal' && resource.size > 10"},
        ]);
        pack["postures"][0]["permits"] = json!({"classes": ["read"]});
    });
    let engine = engine(&document);
    let of = |size: u32, millis| asked(&engine, "doc:read", json!({"size": size}), json!([]), at(millis)).reason();
    assert_eq!((of(1, 0), of(11, 0)), (Reason::AllowedByRule, Reason::AllowedByRule));
    engine.enter_posture("read-only", None, at(1)).unwrap();
    assert_eq!((of(1, 1), of(11, 1)), (Reason::AllowedByRule, Reason::DeniedByRule));
    engine.enter_posture("lockdown", None, at(2)).unwrap();
    assert_eq!((of(1, 2), of(11, 2)), (Reason::NoMatchingRule, Reason::DeniedByRule));
}

#[test]
fn rego_reads_the_posture() {
    let document = pack(|pack| {
        pack["rego"] =
            json!({"a.rego": "package a\nimport rego.v1\ndefault allow := false\nallow if input.posture.rank < 1\n"});
        pack["rules"] = json!([{"id": "all", "effect": "allow", "when": {"rego": "data.a.allow"}}]);
    });
    let engine = engine(&document);
    let explained = decide(&engine, "doc:read", 0);
    assert_eq!(explained.reason(), Reason::AllowedByRule);
    engine.enter_posture("read-only", None, at(1)).unwrap();
    assert_eq!(decide(&engine, "doc:read", 1).reason(), Reason::NoMatchingRule);
}

#[test]
fn a_new_bundle_keeps_the_postures_or_is_refused() {
    let engine = engine(&pack(|_| {}));
    engine.enter_posture("read-only", Some("tenant:acme"), at(0)).unwrap();
    let renamed = pack(|pack| {
        pack["revision"] = 2.into();
        pack["postures"][1]["name"] = "look-only".into();
    });
    assert_eq!(engine.activate(bundle(&renamed), at(1)).unwrap_err().code(), "loses_posture");
    let without_scope = pack(|pack| {
        pack["revision"] = 2.into();
        pack["scopes"] = json!({});
    });
    assert_eq!(engine.activate(bundle(&without_scope), at(1)).unwrap_err().code(), "loses_posture");
    // What has the name of the normal one is neither entered nor left any more.
    let normal = pack(|pack| {
        pack["revision"] = 2.into();
        pack["postures"][1] = json!({"name": "read-only", "rank": 0, "permits": "all"});
    });
    assert_eq!(engine.activate(bundle(&normal), at(1)).unwrap_err().code(), "loses_posture");
    let another_rank = pack(|pack| {
        pack["revision"] = 2.into();
        pack["postures"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "slow", "rank": 3, "permits": "all", "leave": {}}));
        pack["postures"][1]["rank"] = 4.into();
    });
    engine.activate(bundle(&another_rank), at(1)).unwrap();
    assert_eq!(decide(&engine, "doc:write", 1).posture(), "read-only");
}

/// Found by the oracle on new days.
#[test]
fn a_condition_that_a_bundle_does_not_ask_breaks_off() {
    let asks = |revision: u64| pack(|pack| pack["revision"] = revision.into());
    let asks_not = |revision: u64| {
        pack(|pack| {
            pack["revision"] = revision.into();
            pack["postures"][1].as_object_mut().unwrap().remove("enter");
            pack["postures"][1]["leave"].as_object_mut().unwrap().remove("stable");
        })
    };
    // It holds from 1,000 ms on, and enters after two seconds; by when, the bundle between the two says.
    for (between, enters_at) in [(asks(2), 3_000), (asks_not(2), 4_900)] {
        let engine = engine(&asks(1));
        engine.observe(&Observation::new("a", Status::Failed), at(1_000));
        engine.activate(bundle(&between), at(1_500)).unwrap();
        engine.advance(at(2_000));
        engine.activate(bundle(&asks(3)), at(2_900)).unwrap();
        engine.advance(at(enters_at - 1));
        assert_eq!(engine.posture(None).unwrap().as_str(), "normal", "{enters_at}");
        engine.advance(at(enters_at));
        assert_eq!(engine.posture(None).unwrap().as_str(), "read-only", "{enters_at}");
    }
}

#[test]
fn a_mistake_in_a_posture_is_named_with_its_place() {
    type Change = fn(&mut Value);
    let mistakes: [(&str, &str, Change); 20] = [
        ("posture_rank_tie", "/postures/1/rank", |pack| pack["postures"][1]["rank"] = 9.into()),
        ("duplicate_name", "/postures/1/name", |pack| pack["postures"][1]["name"] = "lockdown".into()),
        ("duplicate_name", "/postures/1/name", |pack| pack["postures"][1]["name"] = "normal".into()),
        ("posture_no_way_out", "/postures/0", |pack| {
            pack["postures"][0].as_object_mut().unwrap().remove("leave");
        }),
        ("posture_cycle", "/postures/0/escalate/to", |pack| {
            pack["postures"][0]["escalate"] = json!({"to": "read-only", "after": "1m"});
        }),
        ("unknown_posture", "/postures/0/escalate/to", |pack| {
            pack["postures"][0]["escalate"] = json!({"to": "lookdown", "after": "1m"});
        }),
        ("invalid_value", "/postures/1/escalate/after", |pack| {
            pack["postures"][1]["escalate"] = json!({"to": "lockdown", "after": "0s"});
        }),
        ("unknown_action", "/postures/1/permits/classes/0", |pack| {
            pack["postures"][1]["permits"]["classes"] = json!(["reed"]);
        }),
        ("unknown_action", "/postures/1/permits/actions/0", |pack| {
            pack["postures"][1]["permits"]["actions"] = json!(["doc:viod"]);
        }),
        ("invalid_value", "/postures/1/permits", |pack| pack["postures"][1]["permits"] = json!({})),
        ("condition_unsupported", "/postures/1/enter/when", |pack| {
            pack["postures"][1]["enter"]["when"] = "resource.size > 1".into();
        }),
        ("condition_unsupported", "/postures/1/enter/when", |pack| {
            pack["postures"][1]["enter"]["when"] = "signals.a.age > duration('1s')".into();
        }),
        ("condition_unsupported", "/postures/1/enter/when", |pack| {
            pack["postures"][1]["enter"]["when"] = "posture.rank > 0".into();
        }),
        ("information_loss", "/postures/1/enter/when", |pack| {
            pack["postures"][1]["enter"]["when"] = "signals.a.ok".into();
        }),
        ("information_loss", "/postures/0/permits/when", |pack| {
            pack["postures"][0]["permits"]["when"] = "!has(subject.roles)".into();
        }),
        ("unknown_signal", "/postures/1/leave/checks/0", |pack| {
            pack["postures"][1]["leave"]["checks"] = json!(["c"]);
        }),
        ("invalid_value", "/postures/0/leave/stable", |pack| pack["postures"][0]["leave"]["stable"] = "1s".into()),
        ("unknown_group", "/postures/1/leave/approvals/from", |pack| {
            pack["postures"][1]["leave"]["approvals"] = json!({"need": 1, "from": "sre"});
        }),
        ("type_mismatch", "/scopes/tenant", |pack| pack["scopes"]["tenant"] = "resource.size".into()),
        ("unknown_attribute", "/scopes/tenant", |pack| pack["scopes"]["tenant"] = "resource.tenent".into()),
    ];
    for (code, pointer, change) in mistakes {
        let document = pack(change);
        let error = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
            .expect_err(&format!("{code} at {pointer}"));
        let found: Vec<_> = error.diagnostics().iter().map(|found| (found.code.as_str(), &*found.pointer)).collect();
        assert_eq!(found, [(code, pointer)], "{:#?}", error.diagnostics());
    }
    let many: Vec<Value> =
        (1..40).map(|rank| json!({"name": format!("p{rank}"), "rank": rank, "permits": "none", "leave": {}})).collect();
    let document = pack(|pack| pack["postures"] = many.into());
    let error = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
    assert_eq!(error.diagnostics()[0].code.as_str(), "limit_exceeded");
}

#[test]
fn a_stricter_posture_that_names_more_is_a_warning_and_permits_no_more() {
    let document = pack(|pack| pack["postures"][0]["permits"] = json!({"actions": ["doc:write", "doc:read"]}));
    let bundle = bundle(&document);
    let codes: Vec<&str> = bundle.warnings().iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["posture_wider"]);
    let engine = engine(&document);
    engine.enter_posture("lockdown", None, at(0)).unwrap();
    assert!(decide(&engine, "doc:read", 0).is_allow());
    assert_eq!(decide(&engine, "doc:write", 0).reason(), Reason::Posture);
}

#[test]
fn a_request_that_cannot_be_read_meets_what_is_due_like_any_other() {
    let document = json!({
        "fallgate": 1, "name": "due", "revision": 1, "signals": {"idp": {"ttl": "10s"}}, "actions": {"read": {}},
        "postures": [{"name": "shut", "rank": 1, "permits": "none", "leave": {}, "enter": {"when": "!signals.idp.ok", "for": "2s"}}],
    });
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let engine = Engine::new(Config::default());
    engine.activate(bundle, at(0)).unwrap();
    assert_eq!(engine.decide_json(b"{", at(1_999)).posture(), "normal");
    assert_eq!(engine.decide_json(b"{", at(2_000)).posture(), "shut");
}

#[test]
fn an_activation_starts_anew_what_stable_counts() {
    let engine = engine(&pack(|_| {}));
    engine.observe(&Observation::failed("a"), at(1_000));
    keep_ok(&engine, 4, 60);
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
    engine.activate(bundle(&pack(|pack| pack["revision"] = 2.into())), at(60_000)).unwrap();
    assert_eq!(engine.leave_posture("read-only", None, at(64_000)), Err(PostureError::NotStable));
    keep_ok(&engine, 64, 116);
    assert_eq!(engine.leave_posture("read-only", None, at(119_999)), Err(PostureError::NotStable));
    assert_eq!(engine.leave_posture("read-only", None, at(120_000)), Ok(()));
}

#[test]
fn a_scope_that_was_left_lately_is_known_to_the_next_bundle() {
    let document = |revision: u64| {
        pack(|pack| {
            pack["revision"] = revision.into();
            pack["postures"][0]["leave"] = json!({"dwell": "10s", "back_off": {"within": "60s", "max": "35s"}});
        })
    };
    let (engine, acme) = (engine(&document(1)), Some("tenant:acme"));
    engine.enter_posture("lockdown", acme, at(0)).unwrap();
    engine.leave_posture("lockdown", acme, at(10_000)).unwrap();
    engine.activate(bundle(&document(2)), at(11_000)).unwrap();
    engine.enter_posture("lockdown", acme, at(12_000)).unwrap();
    assert_eq!(engine.leave_posture("lockdown", acme, at(31_999)), Err(PostureError::Dwelling), "twice as long");
    assert_eq!(engine.leave_posture("lockdown", acme, at(32_000)), Ok(()));
}

#[test]
fn a_posture_beneath_a_stricter_one_changes_no_answer() {
    let engine = engine(&pack(|_| {}));
    engine.enter_posture("lockdown", None, at(0)).unwrap();
    let commanded = |millis| {
        let decision = asked(&engine, "doc:read", json!({"tenant": "acme"}), json!(["commander"]), at(millis));
        (decision.is_allow(), decision.cached())
    };
    assert_eq!([commanded(1), commanded(2)], [(true, false), (true, true)]);
    engine.enter_posture("read-only", None, at(3)).unwrap();
    assert_eq!(commanded(3), (true, true));
    engine.observe(&Observation::ok("a"), at(4_000));
    keep_ok(&engine, 4, 64);
    engine.leave_posture("read-only", None, at(64_000)).unwrap();
    assert_eq!(commanded(64_000), (true, true));
    // To and fro is two changes, though the posture is the same again.
    engine.leave_posture("lockdown", None, at(64_001)).unwrap();
    engine.enter_posture("lockdown", None, at(64_002)).unwrap();
    assert_eq!(commanded(64_003), (true, false));
}

#[test]
fn each_cause_and_each_refusal_has_its_code() {
    use PostureError as E;
    use fallgate::state::postures::Cause as C;
    let causes = [
        (C::Condition, "condition"),
        (C::Indeterminate, "indeterminate"),
        (C::Escalation, "escalation"),
        (C::Operator, "operator"),
        (C::Flag, "flag"),
        (C::NoRoom, "no_room"),
        (C::State, "state"),
        (C::Restore, "restore"),
        (C::Failover, "failover"),
        (C::SplitBrain, "split_brain"),
    ];
    causes.iter().for_each(|(cause, code)| assert_eq!(cause.code(), *code));
    let refusals = [
        (E::NoPolicy, "no_policy"),
        (E::UnknownPosture, "unknown_posture"),
        (E::UnknownScope, "unknown_scope"),
        (E::ScopeTooLong, "scope_too_long"),
        (E::NotEntered, "not_entered"),
        (E::NotStable, "not_stable"),
        (E::Dwelling, "dwelling"),
        (E::CheckNotOk, "check_not_ok"),
        (E::NotApproved, "not_approved"),
        (E::FlagSet, "flag_set"),
    ];
    refusals.iter().for_each(|(refusal, code)| assert_eq!(refusal.code(), *code));
}

#[test]
fn an_entry_says_since_when_it_was_called_for() {
    let engine = engine(&pack(|_| {}));
    engine.observe(&Observation::failed("a"), at(1_000));
    engine.advance(at(3_000));
    engine.enter_posture("lockdown", None, at(4_000)).unwrap();
    let entered = std::iter::from_fn(|| engine.poll_event()).filter_map(|event| match event.kind {
        EventKind::PostureEntered { posture, since, .. } => Some(format!("{posture} {since}")),
        _ => None,
    });
    assert_eq!(entered.collect::<Vec<_>>(), ["read-only 1s", "lockdown 4s"]);
}
