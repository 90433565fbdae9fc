//! What an engine measures, against values worked out by hand: counters, losses, causes, labels, objectives.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::Party;
use fallgate::state::events::Event;
use fallgate::telemetry::sli::{DecisionLabel, Declared, INDICATORS, LabelError, Records, TriggerLabel};
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Decision, Effect, Engine, Observation, Reason, Request};
use serde_json::{Value, json};

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;

fn at(millis: u64) -> Now {
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(START + i64::try_from(millis).unwrap()))
}

fn document() -> Value {
    json!({
        "fallgate": 1, "name": "shop", "revision": 3, "runbook": "https://example.org/runbook",
        "signals": {
            "idp": { "ttl": "10s" },
            "ledger": { "ttl": "10s", "quorum": { "of": ["ledger-a", "ledger-b", "ledger-c"], "need": 2 } },
        },
        "actions": {
            "read": { "class": "read", "requires": ["idp"], "cache": { "allow": "30s" } },
            "page": { "class": "read", "requires": ["idp"], "on_failure": { "allow": { "justification": "public" } } },
            "pay": { "class": "write", "requires": ["ledger"] },
            "sign": { "class": "secret", "requires": ["idp"] },
        },
        "scopes": { "tenant": "resource.tenant" },
        "schema": { "resource": { "thing": { "tenant": { "type": "string", "default": "none" } } } },
        "postures": [
            { "name": "read-only", "rank": 1, "permits": { "classes": ["read"] },
              "enter": { "when": "!signals.ledger.ok", "for": "2s" }, "leave": { "stable": "0s" } },
        ],
        "slo": { "safety": { "target": 0.9, "window": "1d" }, "availability": { "target": 0.8, "window": "1h" } },
        "rules": [
            { "id": "all", "effect": "allow" },
            { "id": "not-mallory", "effect": "deny", "subject": { "id": "mallory" } },
        ],
    })
}

fn engine() -> Engine {
    let bundle = Bundle::from_document(&document(), &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let engine = Engine::new(Config::default());
    engine.activate(bundle, at(0)).unwrap();
    engine
}

fn observe(engine: &Engine, signals: &[&str], millis: u64) {
    for signal in signals {
        engine.observe(&Observation::ok(signal), at(millis));
    }
}

const ALL: [&str; 4] = ["idp", "ledger-a", "ledger-b", "ledger-c"];

fn decide(engine: &Engine, subject: &str, action: &str, millis: u64) -> Decision {
    let request = Request::new(Party::new("user", subject), action, Party::new("thing", "t"));
    engine.decide(&request, at(millis))
}

fn events(engine: &Engine) -> Vec<Event> {
    std::iter::from_fn(|| engine.poll_event()).collect()
}

fn of_code(engine: &Engine, code: &str) -> Vec<Value> {
    events(engine).iter().filter(|event| event.kind.code() == code).map(Event::to_json).collect()
}

fn metric(engine: &Engine, name: &str) -> f64 {
    engine.metrics().value(name).unwrap_or_else(|| panic!("there is no `{name}`"))
}

fn sli(engine: &Engine, name: &str, millis: u64) -> Option<f64> {
    engine.slis(at(millis)).value(name).unwrap_or_else(|| panic!("there is no `{name}`"))
}

#[test]
fn every_decision_is_counted_once_by_its_reason_and_its_action() {
    let engine = engine();
    observe(&engine, &ALL, 0);
    assert!(decide(&engine, "ann", "read", 1).is_allow());
    assert!(decide(&engine, "ann", "read", 2).cached());
    assert_eq!(decide(&engine, "mallory", "read", 3).reason(), Reason::DeniedByRule);
    assert_eq!(decide(&engine, "ann", "fly", 4).reason(), Reason::UnknownAction);
    assert_eq!(engine.decide_json(b"{", at(5)).reason(), Reason::InvalidRequest);
    // The ledger stays; the identity provider falls silent: one action fails open, and says so each time.
    [9_000, 18_000].iter().for_each(|millis| observe(&engine, &ALL[1..], *millis));
    assert_eq!(decide(&engine, "ann", "page", 20_000).reason(), Reason::AllowedFailOpen);
    assert_eq!(decide(&engine, "ann", "page", 20_001).reason(), Reason::AllowedFailOpen);
    assert_eq!(decide(&engine, "ann", "sign", 20_002).reason(), Reason::SignalUnavailable);
    for (name, expected) in [
        (r#"fallgate_decisions_total{effect="allow",reason="allowed_by_rule",family="allowed"}"#, 2.0),
        (r#"fallgate_decisions_total{effect="allow",reason="allowed_fail_open",family="allowed"}"#, 2.0),
        (r#"fallgate_decisions_total{effect="deny",reason="denied_by_rule",family="policy"}"#, 1.0),
        (r#"fallgate_decisions_total{effect="deny",reason="unknown_action",family="request"}"#, 1.0),
        (r#"fallgate_decisions_total{effect="deny",reason="invalid_request",family="request"}"#, 1.0),
        (r#"fallgate_decisions_total{effect="deny",reason="signal_unavailable",family="failure"}"#, 1.0),
        (r#"fallgate_decisions_total{effect="deny",reason="internal_error",family="failure"}"#, 0.0),
        (r#"fallgate_action_decisions_total{action="read",effect="allow",reason="allowed_by_rule"}"#, 2.0),
        (r#"fallgate_action_decisions_total{action="read",effect="deny",reason="denied_by_rule"}"#, 1.0),
        (r#"fallgate_fallback_decisions_total{action="page",way="allow"}"#, 2.0),
        (r#"fallgate_degraded_decisions_total{action="page"}"#, 2.0),
        (r#"fallgate_degraded_decisions_total{action="sign"}"#, 1.0),
        (r#"fallgate_cache_hits_total{action="read"}"#, 1.0),
        // The first of `read`, and the one for mallory: denies of this action are not kept.
        (r#"fallgate_cache_misses_total{action="read"}"#, 2.0),
        ("fallgate_cached_decisions", 1.0),
    ] {
        assert_eq!(metric(&engine, name), expected, "{name}");
    }
    // Eight decisions: four allows; one failed; two by a way out.
    assert_eq!(sli(&engine, "deny_rate", 20_002), Some(0.5));
    assert_eq!(sli(&engine, "pdp_availability", 20_002), Some(0.875));
    assert_eq!(sli(&engine, "fallback_activation_rate", 20_002), Some(0.25));
    assert_eq!(sli(&engine, "secret_access_failures", 20_002), Some(1.0));
    // `read`, `page` and `sign` of four.
    assert_eq!(sli(&engine, "observability_coverage", 20_002), Some(0.75));
    // Of four allows two were fail-open, and the budget is a tenth.
    assert_eq!(sli(&engine, "safety.value", 20_002), Some(0.5));
    // Of six that were requests at all one failed, and the budget is a fifth.
    let burn = sli(&engine, "availability.burn.5m", 20_002).unwrap();
    assert!((burn - 1.0 / 6.0 / 0.2).abs() < 1e-9, "{burn}");
}

#[test]
fn nothing_that_a_request_says_becomes_a_label() {
    let engine = engine();
    observe(&engine, &ALL, 0);
    let secret = "sec-ret-4711";
    for action in ["read", secret] {
        let resource = Party::new(secret, secret).with("tenant", fallgate::value::Value::from(&json!(secret)));
        let request = Request::new(Party::new(secret, secret), action, resource);
        let _decision = engine.decide(&request, at(1));
    }
    engine.enter_posture("read-only", Some(&format!("tenant:{secret}")), at(2)).unwrap();
    let text = engine.metrics().to_openmetrics();
    assert!(!text.contains(secret), "{text}");
    assert_eq!(metric(&engine, r#"fallgate_scopes_in_posture{scope="tenant",posture="read-only"}"#), 1.0);
    assert_eq!(metric(&engine, r#"fallgate_posture_rank{scope="tenant"}"#), 1.0);
    assert_eq!(metric(&engine, r#"fallgate_posture_rank{scope=""}"#), 0.0);
}

#[test]
fn a_signal_that_fell_silent_was_lost_when_it_was_last_heard() {
    let engine = engine();
    observe(&engine, &ALL, 1_000);
    drop(events(&engine));
    // Nobody looks until a minute later.
    engine.advance(at(60_000));
    let lost = of_code(&engine, "signal_changed");
    let idp = lost.iter().find(|event| event["signal"] == "idp").unwrap();
    assert_eq!((&idp["since_ms"], &idp["relied_until_ms"]), (&json!(1_000), &json!(11_000)));
    let ledger = lost.iter().find(|event| event["signal"] == "ledger").unwrap();
    assert_eq!((&ledger["since_ms"], &ledger["relied_until_ms"]), (&json!(1_000), &json!(11_000)));
    // Five signals, each for ten seconds.
    assert_eq!(sli(&engine, "mean_time_to_secure", 60_000), Some(10.0));
}

#[test]
fn a_reported_loss_lasts_until_what_a_host_keeps_has_expired() {
    let engine = engine();
    observe(&engine, &["idp"], 0);
    let kept = decide(&engine, "ann", "read", 2_000);
    assert_eq!(kept.expires_at(), Monotonic::from_millis(10_001));
    drop(events(&engine));
    engine.observe(&Observation::failed("idp").at(Monotonic::from_millis(4_000)), at(5_000));
    let lost = of_code(&engine, "signal_changed");
    assert_eq!((&lost[0]["since_ms"], &lost[0]["relied_until_ms"]), (&json!(4_000), &json!(10_001)));
    assert_eq!(sli(&engine, "mean_time_to_secure", 5_000), Some(6.001));
}

#[test]
fn a_reported_loss_that_nothing_rests_on_is_over_at_once() {
    let engine = engine();
    observe(&engine, &["idp"], 0);
    assert!(!decide(&engine, "mallory", "read", 2_000).is_allow());
    drop(events(&engine));
    engine.observe(&Observation::failed("idp"), at(5_000));
    let lost = of_code(&engine, "signal_changed");
    assert_eq!((&lost[0]["since_ms"], &lost[0]["relied_until_ms"]), (&json!(5_000), &json!(5_000)));
}

#[test]
fn a_quorum_is_lost_with_the_member_after_which_the_others_are_too_few() {
    let engine = engine();
    observe(&engine, &ALL, 0);
    engine.observe(&Observation::failed("ledger-a"), at(1_000));
    engine.observe(&Observation::failed("ledger-c"), at(3_000));
    let lost = of_code(&engine, "signal_changed");
    let ledger = lost.iter().rfind(|event| event["signal"] == "ledger").unwrap();
    assert_eq!((&ledger["to"], &ledger["since_ms"]), (&json!("failed"), &json!(3_000)));
}

#[test]
fn a_posture_that_was_called_for_says_since_when() {
    let engine = engine();
    observe(&engine, &ALL, 0);
    engine.observe(&Observation::failed("ledger-a"), at(1_000));
    engine.observe(&Observation::failed("ledger-b"), at(1_000));
    drop(events(&engine));
    engine.advance(at(11_000));
    let entered = of_code(&engine, "posture_entered").remove(0);
    assert_eq!(entered["since_ms"], 1_000);
    assert_eq!(entered["monotonic_ms"], 3_000);
    assert_eq!((&entered["severity"], &entered["count"]), (&json!("page"), &json!(1)));
    assert_eq!(entered["runbook"], "https://example.org/runbook#posture_entered");
    // Called for ten seconds, in force for eight of them.
    assert_eq!(sli(&engine, "secure_state_availability", 11_000), Some(0.8));
    assert_eq!(sli(&engine, "read_only_window", 11_000), Some(8.0));

    let trigger = entered["id"].as_u64().unwrap();
    assert_eq!(engine.label_trigger(trigger + 100, TriggerLabel::Valid, at(11_000)), Err(LabelError::UnknownTrigger));
    engine.label_trigger(trigger, TriggerLabel::Valid, at(11_000)).unwrap();
    assert_eq!(sli(&engine, "trigger_accuracy", 11_000), Some(1.0));

    observe(&engine, &ALL, 12_000);
    engine.leave_posture("read-only", None, at(13_000)).unwrap();
    assert_eq!(sli(&engine, "secure_recovery_time", 20_000), Some(10.0));
}

#[test]
fn one_cause_pages_once() {
    let engine = engine();
    let bundle = |revision: u64| {
        let mut document = document();
        document["revision"] = revision.into();
        Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
    };
    drop(events(&engine));
    assert!(engine.activate(bundle(2), at(1)).is_err());
    assert!(engine.activate(bundle(1), at(2)).is_err());
    let refused = of_code(&engine, "bundle_refused");
    let said = |event: &Value| (event["severity"].as_str().unwrap().to_owned(), event["count"].as_u64().unwrap());
    assert_eq!(said(&refused[0]), ("ticket".to_owned(), 1));
    assert_eq!(said(&refused[1]), ("info".to_owned(), 2));
    engine.activate(bundle(4), at(3)).unwrap();
    assert!(engine.activate(bundle(2), at(4)).is_err());
    assert_eq!(said(&of_code(&engine, "bundle_refused")[0]), ("ticket".to_owned(), 1));
    assert_eq!(metric(&engine, "fallgate_policy_refusals_total"), 3.0);
    assert_eq!(metric(&engine, "fallgate_policy_activations_total"), 2.0);
    assert_eq!(metric(&engine, r#"fallgate_events_total{event="bundle_refused",severity="ticket"}"#), 2.0);
    assert_eq!(metric(&engine, "fallgate_events_suppressed_total"), 1.0);
    assert_eq!(sli(&engine, "policy_deployment_failure_rate", 4), Some(0.6));
}

#[test]
fn a_policy_that_ends_is_told_and_measured() {
    let mut document = document();
    document["valid"] = json!({ "until": "2026-01-01T00:01:00Z" });
    let bundle = |document: &Value| {
        Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
    };
    let engine = Engine::new(Config::default());
    engine.activate(bundle(&document), at(0)).unwrap();
    assert_eq!(metric(&engine, "fallgate_policy_serving"), 1.0);
    engine.advance(at(60_000));
    let told = of_code(&engine, "policy_suspended");
    assert_eq!((&told[0]["code"], &told[0]["severity"]), (&json!("policy_expired"), &json!("page")));
    assert_eq!(metric(&engine, "fallgate_policy_serving"), 0.0);
    document["revision"] = 4.into();
    document["valid"] = json!({ "until": "2027-01-01T00:00:00Z" });
    engine.activate(bundle(&document), at(90_000)).unwrap();
    assert_eq!(of_code(&engine, "policy_resumed").len(), 1);
    assert_eq!(metric(&engine, "fallgate_policy_serving"), 1.0);
    assert_eq!(sli(&engine, "time_to_restore_policy", 90_000), Some(30.0));
}

#[test]
fn labels_count_by_the_effect_that_the_identifier_tells() {
    let engine = engine();
    observe(&engine, &ALL, 0);
    let allowed = decide(&engine, "ann", "pay", 1);
    let denied = decide(&engine, "mallory", "pay", 2);
    assert_eq!((allowed.id().effect(), denied.id().effect()), (Effect::Allow, Effect::Deny));
    engine.label_decision(allowed.id(), DecisionLabel::Malicious, at(3)).unwrap();
    engine.label_decision(denied.id(), DecisionLabel::Legitimate, at(3)).unwrap();
    assert_eq!(sli(&engine, "unauthorized_access_rate", 3), Some(1.0));
    assert_eq!(sli(&engine, "unexpected_deny_rate", 3), Some(1.0));
    assert_eq!(sli(&engine, "safety_violation_count", 3), Some(1.0));
    // All of one allow was wrong, and the budget is a tenth: it is spent ten times.
    assert!((sli(&engine, "safety_budget_burn", 3).unwrap() - 10.0).abs() < 1e-9);
    let later = decide(&engine, "ann", "pay", 5_000);
    let early = engine.label_decision(later.id(), DecisionLabel::Malicious, at(4_000));
    assert_eq!(early, Err(LabelError::UnknownDecision));
}

#[test]
fn what_the_host_measures_and_reports() {
    let engine = engine();
    observe(&engine, &ALL, 0);
    let _decision = decide(&engine, "ann", "pay", 1);
    engine.record_latency(Effect::Allow, 1_000);
    engine.record_latency(Effect::Deny, 2_000);
    engine.record_latency(Effect::Deny, 4_000);
    assert_eq!(metric(&engine, r#"fallgate_decision_duration_seconds_count{effect="deny"}"#), 2.0);
    assert_eq!(metric(&engine, r#"fallgate_decision_duration_seconds_bucket{effect="deny",le="0.0000025"}"#), 1.0);
    // 3 µs less 1 µs.
    assert!((sli(&engine, "deny_latency_impact", 1).unwrap() - 2e-6).abs() < 1e-12);
    engine.report_attempts(4, at(1));
    engine.report_mitigation(true, at(1));
    engine.report_mitigation(false, at(1));
    assert_eq!(sli(&engine, "policy_enforcement_rate", 1), Some(0.25));
    assert_eq!(sli(&engine, "automated_mitigation_success", 1), Some(0.5));
}

#[test]
fn operations_reach_all_of_it() {
    let engine = engine();
    observe(&engine, &ALL, 0);
    let denied = decide(&engine, "mallory", "pay", 1).id().to_string();
    let operate = |operation: Value| engine.operate_json(operation.to_string().as_bytes(), at(2));
    for operation in [
        json!({ "label_decision": { "decision": denied, "label": "legitimate" } }),
        json!({ "report_attempts": { "count": 2 } }),
        json!({ "report_mitigation": { "done": true } }),
        json!({ "record_latency": { "effect": "deny", "nanos": 900 } }),
    ] {
        assert_eq!(operate(operation.clone()).map(|outcome| outcome.to_json()), Ok(json!({})), "{operation}");
    }
    let code = |operation: Value| operate(operation).unwrap_err().code();
    assert_eq!(code(json!({ "label_decision": { "decision": "x", "label": "malicious" } })), "unknown_decision");
    assert_eq!(code(json!({ "label_trigger": { "trigger": 1, "label": "valid" } })), "unknown_trigger");
    let slis = operate(json!({ "slis": {} })).unwrap().to_json();
    assert_eq!(slis, engine.slis(at(2)).to_json());
    assert_eq!(slis["indicators"]["unexpected_deny_rate"], 1.0);
    let metrics = operate(json!({ "metrics": {} })).unwrap().to_json();
    assert_eq!(metrics["metrics"], engine.metrics().to_json());
    assert!(metrics["openmetrics"].as_str().unwrap().ends_with("# EOF\n"));
}

#[test]
fn decisions_fall_into_the_minute_in_which_they_were_made() {
    let engine = engine();
    let minute = 60_000;
    // Ten minutes of one good decision each, and in the last one failure.
    for number in 0..10 {
        observe(&engine, &ALL, number * minute);
        assert!(decide(&engine, "ann", "read", number * minute + 1).is_allow());
    }
    assert!(!decide(&engine, "ann", "read", 9 * minute + 30_000).is_allow());
    let burn = |window: &str| sli(&engine, &format!("availability.burn.{window}"), 9 * minute + 30_000).unwrap();
    assert!((burn("5m") - 1.0 / 6.0 / 0.2).abs() < 1e-9, "{}", burn("5m"));
    assert!((burn("1h") - 1.0 / 11.0 / 0.2).abs() < 1e-9, "{}", burn("1h"));
}

/// What every event and every decision says in writing comes to the same numbers as the live engine.
#[test]
fn the_records_tell_the_same_as_the_engine() {
    let mut document = document();
    document["audit"] = json!({ "level": "all" });
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let engine = Engine::new(Config::default());
    engine.activate(bundle, at(0)).unwrap();
    let mut written: Vec<Value> = Vec::new();
    let mut labelled = Vec::new();
    for second in 0..1_200_u64 {
        let millis = second * 1_000;
        // The identity provider is gone for three minutes, the ledger for two.
        if second % 5 == 0 && !(300..480).contains(&second) {
            engine.observe(&Observation::ok("idp"), at(millis));
        }
        let ledger = if (600..720).contains(&second) { Observation::failed } else { Observation::ok };
        for signal in &ALL[1..] {
            engine.observe(&ledger(signal), at(millis));
        }
        match second {
            60 => drop(engine.operate_json(br#"{"report_attempts":{"count":500}}"#, at(millis)).unwrap()),
            90 => engine.report_mitigation(false, at(millis)),
            91 => engine.report_mitigation(true, at(millis)),
            700 => {
                let entered = engine.slis(at(millis));
                assert!(entered.value("read_only_window").unwrap() > Some(90.0));
            }
            800 => engine.leave_posture("read-only", None, at(millis)).unwrap(),
            1_000 => {
                engine.label_decision(labelled[0], DecisionLabel::Malicious, at(millis)).unwrap();
                engine.label_decision(labelled[1], DecisionLabel::Legitimate, at(millis)).unwrap();
                engine.label_decision(labelled[0], DecisionLabel::Legitimate, at(millis)).unwrap();
                engine.label_decision(labelled[2], DecisionLabel::Malicious, at(millis)).unwrap();
            }
            _ => {}
        }
        let decision = match second % 7 {
            0 => decide(&engine, "mallory", "pay", millis + 1),
            1 => decide(&engine, "ann", "sign", millis + 999),
            2 => decide(&engine, "ann", "fly", millis),
            3 => decide(&engine, "ann", "page", millis),
            4 => decide(&engine, "ann", "pay", millis),
            _ => decide(&engine, "ann", "read", millis + 2),
        };
        labelled.push(decision.id());
        if second % 100 == 99 {
            let batch = engine.drain_audit(1_000, at(millis + 999));
            written.extend(batch.lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()));
            engine.acknowledge_audit(batch.last_seq, at(millis + 999));
        }
    }
    let policy = engine.bundle().unwrap();
    let mut records = Records::new(&Limits::DEFAULT);
    records.declare(Declared::of(policy.policy()));
    for record in &written {
        assert_eq!(records.take(record), Ok(()), "{record}");
    }
    assert!(written.len() > 1_200, "{}", written.len());
    let last = written.iter().map(|record| record["monotonic_ms"].as_u64().unwrap()).max().unwrap();
    let (told, lived) = (records.slis(), engine.slis(at(last)));
    for ((indicator, told), lived) in INDICATORS.iter().zip(&told.values).zip(&lived.values) {
        assert_eq!(told, lived, "{}", indicator.name);
    }
    assert_eq!(told.objectives, lived.objectives);
    // The comparison means something: but for latency and triggers everything is told, and budgets are spent.
    let nothing: Vec<_> = INDICATORS.iter().zip(&told.values).filter(|(_, value)| value.is_none()).collect();
    let nothing: Vec<_> = nothing.iter().map(|(indicator, _)| indicator.name).collect();
    assert_eq!(nothing, ["trigger_accuracy", "deny_latency_impact", "time_to_restore_policy"]);
    assert!(told.objectives.iter().all(|standing| standing.budget_remaining < 1.0));
}

/// The names are a public face: dashboards and alerts of others hang on them. One that goes is a breaking change.
#[test]
fn the_names_of_metrics_are_stable() {
    let engine = engine();
    observe(&engine, &ALL, 0);
    let names: Vec<String> = engine.metrics().families.iter().map(|family| family.full_name()).collect();
    let listed: Vec<&str> = include_str!("metrics.txt").lines().collect();
    assert_eq!(names, listed);
    let text = engine.metrics().to_openmetrics();
    for family in &engine.metrics().families {
        let described = family.full_name();
        let described = described.trim_end_matches("_total").trim_end_matches("_info");
        assert!(text.contains(&format!("# TYPE {described} ")), "{described}");
    }
}
