//! Tests that need to reach inside the engine, or that no drill can say.

mod panics;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use super::*;
use crate::combine::Verdict;
use crate::faults;
use crate::policy::bundle::Trust;
use crate::reason::Effect;
use crate::request::RequestError;
use crate::state::postures::PostureError;
use crate::time::Wall;

fn at(millis: u64) -> Now {
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(i64::try_from(millis).unwrap()))
}

fn bundle(change: impl FnOnce(&mut Value)) -> Bundle {
    let mut document = json!({
        "fallgate": 1, "name": "test", "revision": 3,
        "signals": {"idp": {"ttl": "10s"}},
        "actions": {
            "read": {"cache": {"allow": "1m", "deny": "1m"}},
            "write": {"requires": ["idp"], "on_failure": {"serve_cached": {"max_stale": "1m"}}, "cache": {"allow": "30s"}},
        },
        "schema": {"subject": {"user": {"groups": ["string"]}}, "resource": {"doc": {}}},
        "rules": [{"id": "staff", "effect": "allow", "subject": {"type": "user", "groups": "staff"}}],
    });
    change(&mut document);
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

fn engine() -> Engine {
    let engine = Engine::new(Config::default());
    engine.activate(bundle(|_| {}), at(0)).unwrap();
    engine
}

fn request(action: &str, group: &str) -> Vec<u8> {
    json!({
        "subject": {"type": "user", "id": "ann", "properties": {"groups": [group]}},
        "action": {"name": action}, "resource": {"type": "doc", "id": "d"},
    })
    .to_string()
    .into_bytes()
}

fn reason(engine: &Engine, action: &str, millis: u64) -> Reason {
    engine.decide_json(&request(action, "staff"), at(millis)).reason()
}

fn codes(engine: &Engine) -> Vec<&'static str> {
    std::iter::from_fn(|| engine.poll_event()).map(|event| event.kind.code()).collect()
}

#[test]
fn an_engine_is_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Engine>();
    shared::<Bundle>();
}

#[test]
fn without_a_bundle_everything_is_denied() {
    let engine = Engine::new(Config::default());
    assert_eq!(reason(&engine, "read", 0), Reason::NoPolicy);
}

#[test]
fn a_panic_is_a_deny_until_a_bundle_is_activated() {
    let engine = engine();
    assert_eq!(reason(&engine, "read", 0), Reason::AllowedByRule);
    faults::arm_next("gate 1: begin");
    assert_eq!(reason(&engine, "read", 1), Reason::InternalError);
    assert_eq!(reason(&engine, "read", 2), Reason::InternalError, "also what was cached");
    assert_eq!(engine.signal("engine"), Some(Status::Failed));
    engine.activate(bundle(|_| {}), at(3)).unwrap();
    assert_eq!(reason(&engine, "read", 4), Reason::AllowedByRule);
    assert_eq!(
        codes(&engine),
        ["bundle_activated", "bundle_unsigned", "engine_failed", "bundle_activated", "bundle_unsigned",]
    );
}

#[test]
fn a_panic_is_of_its_own_engine_alone() {
    let (engine, other) = (engine(), engine());
    faults::arm_next("gate 1: begin");
    assert_eq!(reason(&engine, "read", 1), Reason::InternalError);
    assert_eq!((reason(&other, "read", 1), other.signal("engine")), (Reason::AllowedByRule, Some(Status::Ok)));
    // Nor does a bundle that the other one activates mend this one.
    other.activate(bundle(|document| document["revision"] = json!(100)), at(2)).unwrap();
    assert_eq!(reason(&engine, "read", 3), Reason::InternalError);
}

#[test]
fn a_panic_leaves_its_record() {
    let engine = Engine::new(Config::default());
    engine.activate(bundle(|document| document["audit"] = json!({"level": "denies"})), at(0)).unwrap();
    let asked = Request::from_json(&request("read", "staff"), &Limits::DEFAULT).unwrap();
    let ways: [&dyn Fn() -> Decision; 2] =
        [&|| engine.decide_json(&request("read", "staff"), at(1)), &|| engine.decide(&asked, at(2))];
    for decide in ways {
        faults::arm_next("gate 1: begin");
        let decision = decide();
        assert_eq!(decision.reason(), Reason::InternalError);
        let last: Value = serde_json::from_str(engine.drain_audit(100, at(3)).lines.last().unwrap()).unwrap();
        assert_eq!(last["body"]["decision"], decision.to_json());
        assert_eq!(last["body"]["request"]["subject"], json!({"type": "user", "id": "ann", "groups": ["staff"]}));
        assert_ne!(decision.id().0, 0);
    }
    assert_eq!(engine.audit_counters().recorded, 5, "the bundle twice, the failure, and both decisions");
}

#[test]
fn a_panic_of_a_candidate_is_its_own_and_stops_its_rollout() {
    for (canary, millis) in [(json!([]), 1_500), (json!(["100%"]), 2_500)] {
        let revision = |revision: u64| {
            bundle(|document| {
                document["revision"] = json!(revision);
                document["rollout"] = json!({"shadow": "1s", "canary": canary, "sample": 1});
                document["actions"]["read"] = json!({});
            })
        };
        let engine = Engine::new(Config::default());
        engine.activate(revision(3), at(0)).unwrap();
        engine.stage(revision(4), at(500)).unwrap();
        if millis > 1_500 {
            assert_eq!(reason(&engine, "read", 600), Reason::AllowedByRule);
            engine.advance(at(1_500));
        }
        codes(&engine);
        faults::arm_next("candidate");
        let decision = engine.decide_json(&request("read", "staff"), at(millis - 100));
        assert_eq!((decision.reason(), decision.revision()), (Reason::AllowedByRule, 3));
        assert_eq!(codes(&engine), ["rollout_stopped"]);
        assert_eq!(engine.signal("engine"), Some(Status::Ok));
        assert_eq!(engine.overview(at(millis))["rollout"]["stopped"], "candidate_failed");
        // It is not asked again, and nothing but the way back is left.
        faults::arm_next("candidate");
        assert_eq!(reason(&engine, "read", 60_000), Reason::AllowedByRule);
        assert_eq!(faults::disarm(), None);
        assert_eq!(engine.promote(at(60_000)).unwrap_err().code(), "rollout_stopped");
        engine.roll_back(at(60_000)).unwrap();
    }
}

/// A decision looks at one snapshot. Between that and its count somebody rolls the candidate back, and stages another.
#[test]
fn a_candidate_that_is_gone_while_a_decision_counts_in_it_neither_answers_nor_ends_another() {
    let revision = |revision: u64| {
        bundle(|document| {
            document["revision"] = json!(revision);
            document["rollout"] =
                json!({"shadow": "1s", "canary": ["100%"], "sample": 1, "roll_back_when": {"newly_denied": 1}});
            document["actions"]["read"] = json!({});
            if revision > 3 {
                let rules = document["rules"].as_array_mut().unwrap();
                rules.push(json!({"id": "nobody", "effect": "deny", "action": "read"}));
            }
        })
    };
    for stages in [false, true] {
        let engine = Engine::new(Config::default());
        engine.activate(revision(3), at(0)).unwrap();
        engine.stage(revision(4), at(500)).unwrap();
        assert_eq!(engine.decide_json(&request("read", "guests"), at(600)).reason(), Reason::NoMatchingRule);
        engine.advance(at(1_500));
        let request = Request::from_json(&request("read", "staff"), &Limits::DEFAULT).unwrap();
        let view = RequestView::from(&request);
        let spelling = Spelling::of(&view);
        let checked = Checked::new(&view, &spelling, &Limits::DEFAULT).unwrap();
        let (snapshot, now) = engine.current(at(2_000));
        assert!(snapshot.candidate.is_some());
        engine.roll_back(at(2_000)).unwrap();
        if stages {
            engine.stage(revision(5), at(2_000)).unwrap();
        }
        codes(&engine);
        let mut decision = Decision::new(Verdict::deny(Reason::InternalError), now);
        let decider = engine.decide_by(&snapshot, &checked, now, &mut decision);
        assert_eq!((decision.reason(), decision.revision()), (Reason::AllowedByRule, 3));
        assert_eq!(decider.active.as_ref().unwrap().bundle.revision(), 3);
        assert_eq!(codes(&engine), [""; 0]);
        assert_eq!(engine.is_in_rollout(), stages);
    }
}

#[test]
fn after_a_panic_signals_have_to_be_observed_anew() {
    let engine = engine();
    engine.observe(&Observation::ok("idp"), at(0));
    faults::arm_next("gate 1: begin");
    assert_eq!(reason(&engine, "write", 1), Reason::InternalError);
    engine.activate(bundle(|_| {}), at(2)).unwrap();
    assert_eq!(engine.signal("idp"), Some(Status::Unknown));
}

#[test]
fn a_lock_that_a_panic_poisoned_still_denies_and_mends() {
    let engine = engine();
    let poisoned = catch_unwind(AssertUnwindSafe(|| {
        let _told = engine.told.lock().unwrap();
        panic!("a writer that panics");
    }));
    assert!(poisoned.is_err());
    engine.observe(&Observation::ok("idp"), at(1));
    assert_eq!(reason(&engine, "read", 2), Reason::InternalError);
    engine.activate(bundle(|_| {}), at(3)).unwrap();
    assert_eq!(reason(&engine, "read", 4), Reason::AllowedByRule);
    // And stays mended, whoever writes next.
    engine.observe(&Observation::ok("idp"), at(5));
    assert_eq!(reason(&engine, "write", 6), Reason::AllowedByRule);
}

#[test]
fn a_cached_answer_never_outlives_its_ttl_by_a_nanosecond() {
    let engine = engine();
    let first = engine.decide_json(&request("read", "staff"), at(0));
    assert_eq!((first.cached(), first.expires_in_ms()), (false, 60_000));
    assert!(engine.decide_json(&request("read", "staff"), at(59_999)).cached());
    assert!(!engine.decide_json(&request("read", "staff"), at(60_000)).cached());
    let just_before = Now::new(Monotonic::from_nanos(119_999_000_001), Wall::from_millis(119_999));
    assert!(!engine.decide_json(&request("read", "staff"), just_before).cached(), "time is rounded up");
}

#[test]
fn a_cached_answer_is_for_its_own_question_only() {
    let engine = engine();
    assert_eq!(reason(&engine, "read", 0), Reason::AllowedByRule);
    let other = engine.decide_json(&request("read", "guests"), at(1));
    assert_eq!((other.reason(), other.cached()), (Reason::NoMatchingRule, false));
    let again = engine.decide_json(&request("read", "guests"), at(2));
    assert_eq!((again.reason(), again.cached()), (Reason::NoMatchingRule, true));
}

#[test]
fn activating_a_bundle_voids_what_was_cached() {
    let engine = engine();
    assert_eq!(reason(&engine, "read", 0), Reason::AllowedByRule);
    let narrower = bundle(|document| {
        document["revision"] = 4.into();
        // It reads what the other one read, so that the question has the same key.
        document["rules"][0]["subject"]["groups"] = "guests".into();
    });
    engine.activate(narrower, at(1)).unwrap();
    assert_eq!(reason(&engine, "read", 2), Reason::NoMatchingRule);
}

#[test]
fn an_answer_rests_on_the_freshness_of_what_the_action_requires() {
    let engine = engine();
    engine.observe(&Observation::ok("idp"), at(0));
    let decision = engine.decide_json(&request("write", "staff"), at(4_000));
    assert_eq!(decision.expires_in_ms(), 6_001, "the signal holds up to 10 s, that instant included");
    assert_eq!(reason(&engine, "write", 10_000), Reason::AllowedByRule);
    assert_eq!(reason(&engine, "write", 10_001), Reason::AllowedStale);
    assert_eq!(reason(&engine, "write", 64_000), Reason::AllowedStale, "not older than max_stale, from the evaluation");
    assert_eq!(reason(&engine, "write", 64_001), Reason::SignalUnavailable);
}

#[test]
fn a_stale_answer_is_of_the_same_revision_and_the_same_question() {
    let engine = engine();
    engine.observe(&Observation::ok("idp"), at(0));
    assert_eq!(reason(&engine, "write", 1), Reason::AllowedByRule);
    let other = engine.decide_json(&request("write", "guests"), at(20_000));
    assert_eq!(other.reason(), Reason::SignalUnavailable);
    engine.activate(bundle(|document| document["revision"] = 4.into()), at(20_001)).unwrap();
    assert_eq!(reason(&engine, "write", 20_002), Reason::SignalUnavailable);
}

#[test]
fn a_clock_that_goes_back_extends_nothing() {
    let engine = engine();
    engine.observe(&Observation::ok("idp"), at(0));
    assert_eq!(reason(&engine, "write", 10_001), Reason::SignalUnavailable);
    let back = Now::new(Monotonic::ZERO, Wall::from_millis(10_001));
    assert_eq!(engine.decide_json(&request("write", "staff"), back).reason(), Reason::SignalUnavailable);
    assert!(engine.counters().clock_went_back > 0);
}

#[test]
fn clocks_that_part_end_what_is_cached_until_they_are_anchored() {
    let engine = engine();
    assert_eq!(reason(&engine, "read", 0), Reason::AllowedByRule);
    let slept = Now::new(Monotonic::from_millis(1), Wall::from_millis(8 * 3_600_000));
    assert!(!engine.decide_json(&request("read", "staff"), slept).cached());
    assert_eq!(engine.signal("clock"), Some(Status::Failed));
    assert_eq!(codes(&engine), ["bundle_activated", "bundle_unsigned", "clock_failed"]);
    engine.anchor_clocks(slept);
    assert_eq!(engine.signal("clock"), Some(Status::Ok));
}

#[test]
fn what_was_reported_is_as_old_as_the_older_clock_says() {
    let engine = Engine::new(Config::default());
    let bundle = bundle(|document| document["actions"]["write"] = json!({"requires": ["idp"]}));
    engine.activate(bundle, at(0)).unwrap();
    engine.observe(&Observation::ok("idp"), at(0));
    // The monotonic clock stands still while the machine sleeps.
    let woken = |millis: u64, slept: i64| {
        Now::new(Monotonic::from_millis(millis), Wall::from_millis(i64::try_from(millis).unwrap() + slept))
    };
    let write = |now| engine.decide_json(&request("write", "staff"), now).reason();
    assert_eq!(write(woken(1_000, 6_000)), Reason::AllowedByRule, "seven seconds of ten");
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(4_001)));
    assert_eq!(write(woken(4_000, 6_000)), Reason::AllowedByRule);
    assert_eq!(write(woken(4_001, 6_000)), Reason::SignalUnavailable);
    engine.observe(&Observation::ok("idp"), woken(5_000, 6_000));
    assert_eq!(write(woken(5_000, 6_000)), Reason::AllowedByRule, "what is told after it is new");
    // It sleeps again before anybody anchors the clocks.
    assert_eq!(write(woken(5_100, 20_000)), Reason::SignalUnavailable);
    let late = Observation::ok("idp").at(Monotonic::from_millis(5_050));
    assert_eq!(engine.observe(&late, woken(5_200, 20_000)), Observed::Taken);
    assert_eq!(write(woken(5_200, 20_000)), Reason::SignalUnavailable, "seen before it, and told after it");
    engine.observe(&Observation::ok("idp"), woken(5_300, 20_000));
    // A wall clock that goes back, and forth again, is no sleep.
    assert_eq!(write(woken(5_400, 0)), Reason::AllowedByRule);
    assert_eq!(write(woken(5_500, 20_000)), Reason::AllowedByRule);
    engine.anchor_clocks(woken(5_600, 20_000));
    assert_eq!(write(woken(15_300, 20_000)), Reason::AllowedByRule);
    assert_eq!(write(woken(15_300, 25_001)), Reason::SignalUnavailable);
    assert_eq!(codes(&engine).iter().filter(|code| **code == "clock_failed").count(), 2, "once for each anchor");
}

/// The clocks are looked at by every call that tells the time, before what it asks for is done.
#[test]
fn whoever_tells_the_time_finds_that_the_clocks_have_parted() {
    type Call = fn(&Engine, Now) -> bool;
    let calls: [(&str, Call); 5] = [
        ("enter_posture", |engine, now| engine.enter_posture("shut", None, now).is_ok()),
        ("leave_posture", |engine, now| engine.leave_posture("shut", None, now).is_ok()),
        ("acknowledge_posture", |engine, now| engine.acknowledge_posture("shut", None, now).is_ok()),
        ("activate", |engine, now| engine.activate(bundle(|document| document["revision"] = 9.into()), now).is_ok()),
        ("force_open", |engine, now| engine.force_open("idp", now).is_ok()),
    ];
    for (name, call) in calls {
        let engine = engine();
        let slept = Now::new(Monotonic::from_millis(1), Wall::from_millis(8 * 3_600_000));
        assert_eq!(engine.signal("clock"), Some(Status::Ok));
        let _done_or_not = call(&engine, slept);
        assert_eq!(engine.signal("clock"), Some(Status::Failed), "{name}");
        assert!(codes(&engine).contains(&"clock_failed"), "{name}");
    }
}

/// A check of what leaves a posture is no younger than the older clock says.
#[test]
fn a_posture_is_not_left_on_what_was_reported_before_a_sleep() {
    let engine = Engine::new(Config::default());
    let with_posture = |document: &mut Value| {
        let leave = json!({"checks": ["idp"]});
        document["postures"] = json!([{"name": "shut", "rank": 1, "permits": "none", "leave": leave}]);
    };
    engine.activate(bundle(with_posture), at(0)).unwrap();
    engine.enter_posture("shut", None, at(0)).unwrap();
    engine.observe(&Observation::ok("idp"), at(0));
    let slept = Now::new(Monotonic::from_millis(1), Wall::from_millis(8 * 3_600_000));
    assert_eq!(engine.leave_posture("shut", None, slept), Err(PostureError::CheckNotOk));
    assert_eq!(reason(&engine, "read", 2), Reason::Posture);
    engine.observe(&Observation::ok("idp"), Now { monotonic: Monotonic::from_millis(2), ..slept });
    assert_eq!(engine.leave_posture("shut", None, Now { monotonic: Monotonic::from_millis(2), ..slept }), Ok(()));
}

#[test]
fn a_second_sleep_ends_what_was_kept_since_the_first() {
    let engine = engine();
    let slept = |secs: i64| Now::new(Monotonic::from_millis(1), Wall::from_millis(secs * 1_000));
    let read = |secs: i64| engine.decide_json(&request("read", "staff"), slept(secs));
    assert_eq!((read(100).cached(), read(100).cached()), (false, true));
    assert_eq!((read(200).cached(), read(200).cached()), (false, true));
    assert!(read(150).cached(), "the wall clock went back");
}

#[test]
fn a_clock_that_is_not_trusted_ends_a_validity() {
    let valid = |until: &str| {
        let engine = Engine::new(Config::default());
        let bundle = bundle(|document| document["valid"] = json!({"until": until}));
        engine.activate(bundle, at(0)).unwrap();
        engine
    };
    let engine = valid("1970-01-01T00:01:00Z");
    assert_eq!(reason(&engine, "read", 59_999), Reason::AllowedByRule);
    assert_eq!(reason(&engine, "read", 60_000), Reason::PolicyExpired);
    let engine = valid("2100-01-01T00:00:00Z");
    let parted = Now::new(Monotonic::from_millis(1), Wall::from_millis(60_000));
    assert_eq!(engine.decide_json(&request("read", "staff"), parted).reason(), Reason::PolicyExpired);
}

#[test]
fn a_year_leaps_by_and_nothing_is_allowed_on_old_news() {
    let engine = engine();
    engine.observe(&Observation::ok("idp"), at(0));
    assert_eq!(reason(&engine, "write", 0), Reason::AllowedByRule);
    assert_eq!(reason(&engine, "write", 365 * 86_400_000), Reason::SignalUnavailable);
    let never = Now::new(Monotonic::NEVER, Wall::from_nanos(i64::MAX));
    assert_eq!(engine.decide_json(&request("write", "staff"), never).effect(), Effect::Deny);
}

#[test]
fn a_bundle_that_may_not_take_over_changes_nothing() {
    let engine = engine();
    let older = bundle(|document| document["revision"] = 2.into());
    assert_eq!(engine.activate(older, at(1)), Err(ActivateError::OlderRevision { offered: 2, highest: 3 }));
    let other = bundle(|document| document["name"] = "other".into());
    assert_eq!(engine.activate(other, at(1)), Err(ActivateError::OtherName));
    let same = bundle(|document| document["rules"] = json!([]));
    assert_eq!(engine.activate(same, at(1)), Err(ActivateError::SameRevision { revision: 3 }));
    let over = bundle(|document| {
        document["revision"] = 4.into();
        document["valid"] = json!({"until": "1970-01-01T00:00:00Z"});
    });
    assert_eq!(engine.activate(over, at(1)), Err(ActivateError::OutsideValidity));
    assert_eq!(engine.bundle().unwrap().revision(), 3);
    assert_eq!(codes(&engine)[2..], ["bundle_refused"; 4]);
}

#[test]
fn a_request_may_demand_a_revision_and_say_when_it_ends() {
    let engine = engine();
    let with = |own: Value| {
        let mut request: Value = serde_json::from_slice(&request("read", "staff")).unwrap();
        request["context"] = json!({"fallgate": own});
        engine.decide_json(request.to_string().as_bytes(), at(0))
    };
    assert_eq!(with(json!({"min_revision": 3})).reason(), Reason::AllowedByRule);
    assert_eq!(with(json!({"min_revision": 4})).reason(), Reason::RevisionTooOld);
    assert_eq!(with(json!({"min_revision": u64::MAX})).reason(), Reason::RevisionTooOld);
    assert_eq!(with(json!({"min_revision": "3"})).reason(), Reason::InvalidRequest);
}

#[test]
fn no_answer_is_kept_beyond_the_end_of_the_request_itself() {
    let engine = engine();
    let mut request: Value = serde_json::from_slice(&request("read", "staff")).unwrap();
    request["context"] = json!({"fallgate": {"expires_at": "1970-01-01T00:00:05Z"}});
    let bytes = request.to_string();
    assert_eq!(engine.decide_json(bytes.as_bytes(), at(0)).expires_in_ms(), 5_000);
    assert!(engine.decide_json(bytes.as_bytes(), at(4_999)).cached());
    let after = engine.decide_json(bytes.as_bytes(), at(5_000));
    assert_eq!((after.cached(), after.expires_in_ms()), (false, 0));
}

#[test]
fn an_answer_given_to_another_request_ends_with_the_one_that_asks_now() {
    let engine = engine();
    let until = |expires_at: &str, now: Now| {
        let mut request: Value = serde_json::from_slice(&request("read", "staff")).unwrap();
        request["context"] = json!({"fallgate": {"expires_at": expires_at}});
        let decision = engine.decide_json(request.to_string().as_bytes(), now);
        (decision.cached(), decision.expires_in_ms())
    };
    assert_eq!(until("1970-01-01T01:00:00Z", at(0)), (false, 60_000));
    assert_eq!(until("1970-01-01T00:00:05Z", at(1_000)), (true, 4_000));
    assert_eq!(until("1970-01-01T00:00:01Z", at(2_000)), (true, 0));
    // The clock was set back: nobody can say when five o'clock is.
    let parted = Now::new(Monotonic::from_millis(30_000), Wall::from_millis(2_000));
    assert_eq!(until("1970-01-01T00:00:05Z", parted), (false, 0));
}

#[test]
fn observations_that_are_not_taken_are_told() {
    let engine = engine();
    let observed = |observation: Observation| engine.observe(&observation, at(5_000));
    assert_eq!(observed(Observation::ok("ipd")), Observed::UnknownSignal);
    assert_eq!(observed(Observation::ok("clock")), Observed::NotObservable);
    assert_eq!(observed(Observation::ok("idp").at(Monotonic::from_millis(6_000))), Observed::Future);
    assert_eq!(observed(Observation::ok("idp")), Observed::Taken);
    assert_eq!(observed(Observation::failed("idp").at(Monotonic::from_millis(4_000))), Observed::Older);
    assert_eq!(engine.signal("idp"), Some(Status::Ok));
    let ignored = codes(&engine).into_iter().filter(|code| *code == "observation_ignored").count();
    assert_eq!(ignored, 4);
}

#[test]
fn events_are_bounded_and_the_loss_is_counted() {
    let engine = engine();
    for _ in 0..5_000 {
        engine.observe(&Observation::ok(&"x".repeat(10_000)), at(1));
    }
    assert_eq!(codes(&engine).len(), Limits::DEFAULT.events_max);
    assert_eq!(engine.counters().events_dropped, 5_002 - 1_024);
}

#[test]
fn the_next_deadline_is_when_time_alone_changes_something() {
    let engine = engine();
    assert_eq!(engine.next_deadline(), None);
    engine.observe(&Observation::ok("idp"), at(1_000));
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(11_001)));
    engine.advance(at(11_000));
    assert_eq!(engine.signal("idp"), Some(Status::Ok));
    engine.advance(at(11_001));
    assert_eq!(engine.signal("idp"), Some(Status::Unknown));
    assert_eq!(engine.next_deadline(), None);
}

#[test]
fn a_new_bundle_keeps_what_is_known_of_the_signals_it_shares() {
    let engine = engine();
    engine.observe(&Observation::ok("idp"), at(0));
    let more = bundle(|document| {
        document["revision"] = 4.into();
        document["signals"]["aaa"] = json!({"ttl": "1s"});
    });
    engine.activate(more, at(1)).unwrap();
    assert_eq!(engine.signal("idp"), Some(Status::Ok));
    assert_eq!(engine.signal("aaa"), Some(Status::Unknown));
}

#[test]
fn an_explanation_names_what_bounds_the_answer() {
    let engine = engine();
    engine.observe(&Observation::ok("idp"), at(0));
    let mut asked: Value = serde_json::from_slice(&request("write", "staff")).unwrap();
    asked["context"] = json!({"fallgate": {"expires_at": "1970-01-01T00:00:05Z"}});
    let asked = Request::from_json(asked.to_string().as_bytes(), &Limits::DEFAULT).unwrap();
    let expiry = engine.explain(&asked, at(1_000)).expiry;
    let expected = [
        ("the request's own end", 4_000),
        ("the freshness of the required signals", 9_001),
        ("the action's ttl", 30_000),
    ];
    assert_eq!(expiry, expected);
    assert_eq!(engine.decide(&asked, at(1_000)).expires_in_ms(), 4_000, "the earliest is what the decision says");
}

#[test]
fn what_a_face_cannot_read_is_denied_as_bytes_that_are_no_request() {
    let engine = engine();
    let value = RequestError::Value { place: "`context.risk`".into(), problem: "is no finite number".into() };
    let refused = engine.refuse(&value, at(0));
    assert_eq!((refused.is_allow(), refused.reason()), (false, Reason::InvalidRequest));
    assert_eq!(refused.detail(), Some("the request's `context.risk` is no finite number"));
    assert_eq!(refused.revision(), engine.bundle().unwrap().revision());
    let limit = RequestError::Limit { max: 32, unit: "levels" };
    assert_eq!(engine.refuse(&limit, at(0)).reason(), Reason::LimitExceeded);
}
