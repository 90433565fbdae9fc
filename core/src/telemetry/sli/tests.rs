//! The indicators against records written by hand; each expected value is worked out beside it.

use super::*;
use crate::name;
use crate::policy::slo::Aim;
use crate::time::Ttl;

const DAY: Ttl = Ttl::from_secs(24 * 3_600);

fn declared() -> Declared {
    let name = |text: &str| name::name(text).unwrap();
    let objective = |aim, target| Objective { aim, target, window: DAY };
    Declared {
        actions: [(name("read"), false), (name("write"), false), (name("key:use"), true), (name("purge"), false)]
            .into(),
        read_only: [name("read-only")].into(),
        objectives: vec![objective(Aim::Safety, 0.9), objective(Aim::Availability, 0.8)],
    }
}

fn tally() -> Tally {
    let mut tally = Tally::new(100, 100);
    tally.declare(declared());
    tally
}

fn decided(reason: Reason, action: &str, count: u64) -> Fact<'_> {
    Fact::Decided { reason, action, count }
}

fn value(tally: &Tally, now: u64, name: &str) -> Option<f64> {
    tally.slis(now).value(name).unwrap_or_else(|| panic!("there is no `{name}`"))
}

#[test]
fn nothing_tells_nothing() {
    let slis = Tally::new(1, 1).slis(0);
    let told: Vec<_> = INDICATORS.iter().zip(&slis.values).filter(|(_, value)| value.is_some()).collect();
    // But for a count of what did not happen.
    assert_eq!(told.iter().map(|(indicator, _)| indicator.name).collect::<Vec<_>>(), ["safety_violation_count"]);
    assert!(slis.objectives.is_empty());
    assert_eq!(slis.value("no_such_indicator"), None);
}

#[test]
fn there_are_twenty_each_once() {
    let names: BTreeSet<_> = INDICATORS.iter().map(|indicator| indicator.name).collect();
    assert_eq!(names.len(), 20);
    assert!(INDICATORS.iter().all(|indicator| matches!(indicator.unit, "ratio" | "seconds" | "count")));
}

#[test]
fn rates_of_decisions() {
    let mut tally = tally();
    for (reason, action, count) in [
        (Reason::AllowedByRule, "read", 50),
        (Reason::AllowedStale, "read", 3),
        (Reason::AllowedMinimal, "write", 2),
        (Reason::AllowedFailOpen, "read", 5),
        (Reason::DeniedByRule, "write", 20),
        (Reason::SignalUnavailable, "key:use", 8),
        (Reason::Indeterminate, "write", 2),
        (Reason::UnknownAction, "", 10),
    ] {
        tally.take(0, decided(reason, action, count));
    }
    // 100 decisions: 60 allows, 40 denies; 10 of them failures, 10 by a way out.
    let ratios = [
        ("deny_rate", 0.4),
        ("pdp_availability", 0.9),
        ("fallback_activation_rate", 0.1),
        // `read`, `write` and `key:use` of four were decided; nobody asked to `purge`.
        ("observability_coverage", 0.75),
        ("secret_access_failures", 8.0),
        // Of 60 allows 5 were fail-open.
        ("safety.value", 55.0 / 60.0),
        // Of the 90 that were requests at all, 10 failed.
        ("availability.value", 80.0 / 90.0),
    ];
    for (name, expected) in ratios {
        let found = value(&tally, 0, name).unwrap();
        assert!((found - expected).abs() < 1e-12, "{name}: {found}");
    }
}

#[test]
fn labels_say_what_was_wrong() {
    let (deny, allow) = (|n: u128| DecisionId(n * 2), |n: u128| DecisionId(n * 2 + 1));
    let mut tally = tally();
    tally.take(0, decided(Reason::AllowedByRule, "read", 10));
    tally.take(0, decided(Reason::DeniedByRule, "read", 4));
    tally.label_decision(allow(1), 0, DecisionLabel::Malicious).unwrap();
    tally.label_decision(allow(2), 0, DecisionLabel::Legitimate).unwrap();
    tally.label_decision(deny(3), 0, DecisionLabel::Legitimate).unwrap();
    tally.label_decision(deny(4), 0, DecisionLabel::Malicious).unwrap();
    assert_eq!(value(&tally, 0, "unauthorized_access_rate"), Some(0.1));
    assert_eq!(value(&tally, 0, "safety_violation_count"), Some(1.0));
    assert_eq!(value(&tally, 0, "unexpected_deny_rate"), Some(0.25));
    assert_eq!(value(&tally, 0, "safety.value"), Some(0.9));
    // The budget of safety is a tenth, and a tenth was wrong: all of it is spent.
    assert!(value(&tally, 0, "safety.budget_remaining").unwrap().abs() < 1e-9);
    assert!((value(&tally, 0, "safety_budget_burn").unwrap() - 1.0).abs() < 1e-9);
    tally.label_decision(allow(1), 0, DecisionLabel::Legitimate).unwrap();
    assert_eq!(value(&tally, 0, "safety_violation_count"), Some(0.0));
    assert_eq!(value(&tally, 0, "safety.budget_remaining"), Some(1.0));
}

#[test]
fn a_loss_lasts_until_nothing_relies_on_it() {
    let mut tally = tally();
    tally.take(12_000, Fact::Lost { since: 2_000, relied_until: 12_000 });
    tally.take(20_000, Fact::Lost { since: 20_000, relied_until: 24_000 });
    // Ten seconds and four: seven on average.
    assert_eq!(value(&tally, 60_000, "mean_time_to_secure"), Some(7.0));
}

#[test]
fn postures_in_time() {
    let mut tally = tally();
    let entered = |posture, since, trigger| Fact::Entered { posture, scope: "", since, trigger };
    tally.take(10_000, entered("read-only", 8_000, Some(7)));
    tally.take(14_000, entered("lockdown", 14_000, None));
    tally.take(18_000, Fact::Left { posture: "lockdown", scope: "" });
    tally.take(28_000, Fact::Left { posture: "read-only", scope: "" });
    // In force for 18 s and 4 s, called for 2 s longer.
    assert_eq!(value(&tally, 99_000, "secure_state_availability"), Some(22.0 / 24.0));
    assert_eq!(value(&tally, 99_000, "secure_recovery_time"), Some(11.0));
    assert_eq!(value(&tally, 99_000, "read_only_window"), Some(18.0));
    assert_eq!(value(&tally, 99_000, "trigger_accuracy"), None);
    assert_eq!(tally.label_trigger(8, TriggerLabel::Valid), Err(LabelError::UnknownTrigger));
    tally.label_trigger(7, TriggerLabel::False).unwrap();
    assert_eq!(value(&tally, 99_000, "trigger_accuracy"), Some(0.0));
}

#[test]
fn bundles_and_the_time_without_one() {
    let mut tally = tally();
    for (at, fact) in [
        (0, Fact::Activated),
        (1_000, Fact::Refused),
        (10_000, Fact::Suspended),
        (11_000, Fact::Suspended),
        (16_000, Fact::Resumed),
        (20_000, Fact::Suspended),
        (22_000, Fact::Activated),
        (23_000, Fact::Resumed),
        (50_000, Fact::Suspended),
    ] {
        tally.take(at, fact);
    }
    // Six seconds and two; what has not ended yet has no length.
    assert_eq!(value(&tally, 60_000, "time_to_restore_policy"), Some(4.0));
    assert_eq!(value(&tally, 60_000, "policy_deployment_failure_rate"), Some(1.0 / 3.0));
}

#[test]
fn what_the_host_reports() {
    let mut tally = tally();
    tally.take(0, decided(Reason::AllowedByRule, "read", 9));
    for fact in [
        Fact::Attempted { count: 10 },
        Fact::Mitigated { done: true },
        Fact::Mitigated { done: true },
        Fact::Mitigated { done: false },
        Fact::Mitigated { done: true },
        Fact::Recorded { count: 999 },
        Fact::Unrecorded { count: 1 },
    ] {
        tally.take(0, fact);
    }
    tally.measure(Some(0.25));
    assert_eq!(value(&tally, 0, "policy_enforcement_rate"), Some(0.9));
    assert_eq!(value(&tally, 0, "automated_mitigation_success"), Some(0.75));
    assert_eq!(value(&tally, 0, "audit_completeness"), Some(0.999));
    assert_eq!(value(&tally, 0, "deny_latency_impact"), Some(0.25));
    // Deciding more than was attempted is no better than deciding all.
    tally.take(0, decided(Reason::AllowedByRule, "read", 9));
    assert_eq!(value(&tally, 0, "policy_enforcement_rate"), Some(1.0));
}

#[test]
fn a_budget_burns_by_window() {
    let mut tally = tally();
    // An hour of ten good decisions a minute, then five minutes in which half of ten fail.
    for minute in 0..65_u64 {
        let failed = if minute < 60 { 0 } else { 5 };
        tally.take(minute * 60_000, decided(Reason::AllowedByRule, "read", 10 - failed));
        tally.take(minute * 60_000, decided(Reason::SignalUnavailable, "read", failed));
    }
    let now = 64 * 60_000;
    let found = |name: &str| value(&tally, now, name).unwrap();
    let close = |name: &str, expected: f64| assert!((found(name) - expected).abs() < 1e-9, "{name}: {}", found(name));
    // The budget of availability is a fifth. Half failed in the last five minutes, 25 of 300 in half an hour, 25 of 600 in
    // the hour, 25 of 650 in all.
    close("availability.burn.5m", 0.5 / 0.2);
    close("availability.burn.30m", 25.0 / 300.0 / 0.2);
    close("availability.burn.1h", 25.0 / 600.0 / 0.2);
    close("availability.burn.6h", 25.0 / 650.0 / 0.2);
    close("availability.burn.1d", 25.0 / 650.0 / 0.2);
    close("availability.budget_remaining", 1.0 - 25.0 / 650.0 / 0.2);
    close("safety.burn.5m", 0.0);
    assert_eq!(tally.slis(now).value("safety.burn.7m"), None);
}

#[test]
fn without_the_pack_what_hangs_on_it_says_nothing() {
    let mut tally = Tally::new(9, 9);
    tally.take(0, decided(Reason::AllowedByRule, "read", 1));
    for name in ["observability_coverage", "secret_access_failures", "read_only_window", "safety_budget_burn"] {
        assert_eq!(value(&tally, 0, name), None, "{name}");
    }
    assert_eq!(value(&tally, 0, "deny_rate"), Some(0.0));
}

#[test]
fn the_json_has_every_indicator() {
    let json = tally().slis(0).to_json();
    assert_eq!(json["indicators"].as_object().unwrap().len(), 20);
    assert!(json["indicators"]["deny_rate"].is_null());
    assert_eq!(json["objectives"]["safety"]["window"], "1d");
    assert_eq!(json["objectives"]["availability"]["burn"]["5m"], 0.0);
}
