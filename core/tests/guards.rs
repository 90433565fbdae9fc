//! Guards of the host's own calls, as signals of a running engine (spec 1.5, 1.9).

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
use fallgate::request::Party;
use fallgate::resilience::breaker::CallOutcome::{self, Failure, Ignored, Success};
use fallgate::state::guards::{GuardError, PermitId, Reported};
use fallgate::state::signals::Observed;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Engine, Observation, Reason, Request};
use serde_json::{Value, json};

const START: i64 = 1_767_225_600_000;

fn at(millis: u64) -> Now {
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(START + i64::try_from(millis).unwrap()))
}

fn document(revision: u64, signals: &Value) -> Value {
    json!({
        "fallgate": 1, "name": "guards", "revision": revision, "signals": signals,
        "actions": {"pay": {"requires": ["gateway"]}},
        "rules": [{"id": "all", "effect": "allow"}],
    })
}

fn bundle(document: &Value) -> Bundle {
    Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .unwrap_or_else(|error| panic!("{:#?}", error.diagnostics()))
}

/// Four calls, half of which have to fail; open for a second; two probes.
fn breaker() -> Value {
    json!({"breaker": {"window": 4, "failure_rate": 0.5, "open_for": "1s", "half_open_probes": 2}})
}

fn engine(gateway: &Value) -> Engine {
    let engine = Engine::new(Config::default());
    engine.activate(bundle(&document(1, &json!({"gateway": gateway}))), at(0)).unwrap();
    engine
}

fn call(engine: &Engine, outcome: CallOutcome, now: u64) -> Result<Reported, GuardError> {
    let permit = engine.acquire("gateway", None, at(now))?;
    engine.report("gateway", permit, outcome, None, at(now))
}

fn opened() -> Engine {
    let engine = engine(&breaker());
    for outcome in [Success, Success, Failure, Failure] {
        call(&engine, outcome, 0).unwrap();
    }
    engine
}

fn status(engine: &Engine) -> Status {
    engine.signal("gateway").unwrap()
}

fn decided(engine: &Engine, now: u64) -> Reason {
    let request = Request::new(Party::new("user", "ann"), "pay", Party::new("payment", "p"));
    engine.decide(&request, at(now)).reason()
}

fn events(engine: &Engine) -> Vec<String> {
    std::iter::from_fn(|| engine.poll_event()).map(|event| event.kind.code().to_owned()).collect()
}

#[test]
fn a_breaker_is_unknown_until_a_call_came_back_well() {
    let engine = engine(&breaker());
    assert_eq!((status(&engine), decided(&engine, 0)), (Status::Unknown, Reason::SignalUnavailable));
    call(&engine, Failure, 0).unwrap();
    assert_eq!(status(&engine), Status::Unknown, "it is closed, but nobody has seen it work");
    call(&engine, Ignored, 0).unwrap();
    assert_eq!(status(&engine), Status::Unknown, "that says nothing of the dependency");
    call(&engine, Success, 0).unwrap();
    assert_eq!((status(&engine), decided(&engine, 0)), (Status::Ok, Reason::AllowedByRule));
}

#[test]
fn it_opens_probes_and_closes_and_decisions_follow() {
    let engine = opened();
    assert_eq!((status(&engine), decided(&engine, 0)), (Status::Failed, Reason::SignalUnavailable));
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(1_000)));
    let refused = engine.acquire("gateway", None, at(999)).unwrap_err();
    assert_eq!((refused.code(), refused.until()), ("open", Some(Monotonic::from_millis(1_000))));
    // Time alone makes it half-open, which a decision sees without anybody's call.
    assert_eq!((decided(&engine, 1_000), status(&engine)), (Reason::SignalUnavailable, Status::Degraded));
    let (first, second) =
        (engine.acquire("gateway", None, at(1_000)).unwrap(), engine.acquire("gateway", None, at(1_000)).unwrap());
    assert_eq!(engine.acquire("gateway", None, at(1_000)), Err(GuardError::Probing));
    engine.report("gateway", first, Success, None, at(1_100)).unwrap();
    assert_eq!((status(&engine), decided(&engine, 1_100)), (Status::Degraded, Reason::SignalUnavailable));
    engine.report("gateway", second, Success, None, at(1_100)).unwrap();
    assert_eq!((status(&engine), decided(&engine, 1_100)), (Status::Ok, Reason::AllowedByRule));
    let changes: Vec<Value> = std::iter::from_fn(|| engine.poll_event())
        .map(|event| event.to_json())
        .filter(|event| event["event"] == "signal_changed")
        .map(|event| event["guard"].clone())
        .collect();
    assert_eq!(changes, ["closed", "open", "half_open", "closed"]);
}

#[test]
fn h61_reports_that_are_doubled_unknown_late_or_never_made() {
    let engine = opened();
    let ignored = |permit, now| engine.report("gateway", permit, Failure, None, at(now)).unwrap() == Reported::Ignored;
    let probe = engine.acquire("gateway", None, at(1_000)).unwrap();
    assert_eq!(engine.report("gateway", probe, Success, None, at(1_000)), Ok(Reported::Taken));
    // Doubled, unknown, and of another number.
    for permit in [probe, PermitId::from_number(0), PermitId::from_number(u64::MAX)] {
        assert!(ignored(permit, 1_000));
        assert_eq!(status(&engine), Status::Degraded);
    }
    // A probe that never reports: no more than two are under way, however many ask, and its time over it is open again.
    engine.acquire("gateway", None, at(1_000)).unwrap();
    for _ in 0..10_000 {
        assert_eq!(engine.acquire("gateway", None, at(1_999)), Err(GuardError::Probing));
    }
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(2_000)));
    engine.advance(at(2_000));
    assert_eq!((status(&engine), engine.next_deadline()), (Status::Failed, Some(Monotonic::from_millis(3_000))));
    assert_eq!(engine.guards()[0].counts.ignored, 3);
}

#[test]
fn h61_a_report_of_before_the_reset_says_nothing() {
    let engine = opened();
    let late: Vec<PermitId> = Vec::from([engine.acquire("gateway", None, at(1_000)).unwrap()]);
    engine.force_open("gateway", at(1_000)).unwrap();
    engine.release("gateway", at(1_000)).unwrap();
    for permit in late {
        assert_eq!(engine.report("gateway", permit, Success, None, at(1_001)), Ok(Reported::Ignored));
    }
    assert_eq!(engine.guards()[0].state, "half_open");
}

#[test]
fn h67_time_that_goes_back_stands_still() {
    let engine = opened();
    engine.advance(at(900));
    for now in [899, 500, 0, 1_000, 0] {
        let expected = if now == 1_000 || engine.guards()[0].state == "half_open" { "half_open" } else { "open" };
        engine.advance(at(now));
        assert_eq!(engine.guards()[0].state, expected, "{now}");
    }
    let probe = engine.acquire("gateway", None, at(1_500)).unwrap();
    // A call that ends before it began took no time, and is not slow.
    engine.report("gateway", probe, Success, None, at(0)).unwrap();
    assert_eq!(status(&engine), Status::Degraded);
}

/// The monotonic clock goes back a minute, further than the skew, and an operator takes the two for right: from then on the
/// wall clock counts, though the other is held.
#[test]
fn a_guard_against_replays_goes_on_after_a_clock_went_back() {
    let engine = engine(&json!({"replay_guard": {"window": "5m", "keys": 8, "skew": "1s"}}));
    engine.advance(at(60_000));
    let back = |millis: u64| Now::new(at(millis).monotonic, at(60_000 + millis).wall);
    assert_eq!(engine.first_seen("gateway", "a", back(0).wall, back(0)), Err(GuardError::ClockUntrusted));
    engine.anchor_clocks(back(1));
    assert_eq!(engine.first_seen("gateway", "a", back(1).wall, back(1)), Ok(()));
    assert_eq!(engine.first_seen("gateway", "a", back(2).wall, back(2)), Err(GuardError::Duplicate));
    engine.acquire("gateway", Some("b"), back(2)).unwrap();
    assert_eq!(engine.signal("clock"), Some(Status::Ok));
}

#[test]
fn h68_time_that_leaps_or_freezes_lets_probes_through_at_the_most() {
    for leap in [3_600_000, 315_360_000_000, u64::MAX / 1_000_000 - 1] {
        let engine = opened();
        engine.advance(Now::new(Monotonic::from_millis(leap), at(0).wall));
        assert_eq!(status(&engine), Status::Degraded, "{leap}");
    }
    let frozen = opened();
    for _ in 0..1_000 {
        assert!(matches!(frozen.acquire("gateway", None, at(0)), Err(GuardError::Open { .. })));
    }
    let never = opened();
    never.force_open("gateway", at(0)).unwrap();
    let end = Now::new(Monotonic::NEVER, at(0).wall);
    assert_eq!(never.acquire("gateway", None, end), Err(GuardError::ForcedOpen));
}

#[test]
fn forced_open_leaves_only_by_release_and_outlives_a_bundle() {
    let engine = engine(&breaker());
    assert_eq!(engine.release("gateway", at(0)), Err(GuardError::NotForced));
    call(&engine, Success, 0).unwrap();
    engine.force_open("gateway", at(0)).unwrap();
    assert_eq!(engine.guards()[0].state, "forced_open");
    engine.advance(at(10_000_000));
    assert_eq!(engine.acquire("gateway", None, at(10_000_000)), Err(GuardError::ForcedOpen));
    // Another set-up starts anew, but lets go of nothing that an operator holds.
    let other = json!({"gateway": {"breaker": {"window": 8}}});
    engine.activate(bundle(&document(2, &other)), at(10_000_000)).unwrap();
    assert_eq!((status(&engine), engine.guards()[0].state), (Status::Failed, "forced_open"));
    engine.release("gateway", at(10_000_000)).unwrap();
    assert_eq!(engine.guards()[0].state, "half_open");
    let events = events(&engine);
    assert!(events.contains(&"guard_forced_open".to_owned()) && events.contains(&"guard_released".to_owned()));
}

#[test]
fn over_an_activation_an_equal_guard_keeps_its_state() {
    let engine = opened();
    engine.activate(bundle(&document(2, &json!({"gateway": breaker(), "a": {"ttl": "1s"}}))), at(10)).unwrap();
    assert_eq!(engine.guards()[0].state, "open");
    let other = json!({"gateway": {"breaker": {"window": 5}}});
    engine.activate(bundle(&document(3, &other)), at(10)).unwrap();
    assert_eq!((engine.guards()[0].state, status(&engine)), ("closed", Status::Unknown));
}

#[test]
fn silence_beyond_the_ttl_is_unknown_to_the_millisecond() {
    let mut spec = breaker();
    spec["ttl"] = "5s".into();
    let engine = engine(&spec);
    call(&engine, Success, 0).unwrap();
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(5_001)));
    call(&engine, Failure, 2_000).unwrap();
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(7_001)), "a failure is heard too");
    assert_eq!(decided(&engine, 7_000), Reason::AllowedByRule);
    assert_eq!((decided(&engine, 7_001), status(&engine)), (Reason::SignalUnavailable, Status::Unknown));
    call(&engine, Success, 8_000).unwrap();
    assert_eq!(status(&engine), Status::Ok);
}

#[test]
fn what_a_guard_heard_is_as_old_as_the_older_clock_says() {
    let mut gateway = breaker();
    gateway["ttl"] = json!("10s");
    let engine = engine(&gateway);
    call(&engine, Success, 0).unwrap();
    assert_eq!(status(&engine), Status::Ok);
    // A sleep of eight seconds, in which the monotonic clock stood still, and of a minute.
    let woken = |millis: u64, slept: u64| Now::new(at(millis).monotonic, at(millis + slept).wall);
    let known = |now: Now| {
        engine.advance(now);
        status(&engine)
    };
    assert_eq!(known(woken(2_000, 8_000)), Status::Ok, "ten seconds");
    assert_eq!(known(woken(2_001, 8_000)), Status::Unknown);
    let permit = engine.acquire("gateway", None, woken(3_000, 8_000)).unwrap();
    engine.report("gateway", permit, Success, None, woken(3_000, 8_000)).unwrap();
    assert_eq!(known(woken(3_000, 8_000)), Status::Ok, "heard anew");
    assert_eq!(known(woken(3_000, 68_000)), Status::Unknown);
}

#[test]
fn slow_calls_open_it_by_either_measure() {
    let spec = json!({"breaker": {"window": 2, "slow_after": "2s", "slow_rate": 1, "open_for": "1s"}});
    let engine = engine(&spec);
    let permits = [(); 2].map(|()| engine.acquire("gateway", None, at(0)).unwrap());
    engine.report("gateway", permits[0], Success, Some(Ttl::from_secs(2)), at(100)).unwrap();
    assert_eq!(engine.guards()[0].state, "closed");
    engine.report("gateway", permits[1], Success, None, at(2_000)).unwrap();
    assert_eq!(engine.guards()[0].state, "open");
}

#[test]
fn a_call_that_changes_no_status_makes_no_snapshot() {
    let engine = engine(&breaker());
    call(&engine, Success, 0).unwrap();
    events(&engine);
    for _ in 0..100 {
        call(&engine, Success, 1).unwrap();
    }
    assert_eq!(events(&engine), Vec::<String>::new());
}

#[test]
fn more_calls_than_are_remembered_count_as_failed() {
    let mut config = Config::default();
    config.limits.permits_max = 10;
    let engine = Engine::new(config);
    engine.activate(bundle(&document(1, &json!({"gateway": breaker()}))), at(0)).unwrap();
    let permitted = (0..100).take_while(|_| engine.acquire("gateway", None, at(0)).is_ok()).count();
    // The eleventh to the thirteenth push out three, and the fourth to go opens it: four of four failed.
    assert_eq!((permitted, engine.guards()[0].state), (13, "open"));
}

#[test]
fn a_bulkhead_is_degraded_while_it_is_full() {
    let engine = engine(&json!({"bulkhead": {"concurrent": 2, "lease": "10s"}}));
    assert_eq!(status(&engine), Status::Unknown);
    let first = engine.acquire("gateway", None, at(0)).unwrap();
    assert_eq!(status(&engine), Status::Ok);
    engine.acquire("gateway", None, at(0)).unwrap();
    assert_eq!((status(&engine), decided(&engine, 0)), (Status::Degraded, Reason::SignalUnavailable));
    let full = engine.acquire("gateway", None, at(0)).unwrap_err();
    assert_eq!((full.code(), full.until()), ("full", Some(Monotonic::from_millis(10_000))));
    engine.report("gateway", first, Ignored, None, at(1)).unwrap();
    assert_eq!(status(&engine), Status::Ok);
    assert_eq!(engine.report("gateway", first, Success, None, at(1)), Ok(Reported::Ignored));
    let last = engine.acquire("gateway", None, at(1)).unwrap();
    // The lease of the first is over with the next call, and what is reported then says nothing.
    engine.advance(at(20_000));
    assert_eq!(status(&engine), Status::Degraded, "silence makes nothing ok");
    engine.acquire("gateway", None, at(20_000)).unwrap();
    assert_eq!((status(&engine), engine.guards()[0].held), (Status::Ok, 1));
    assert_eq!(engine.report("gateway", last, Success, None, at(20_000)), Ok(Reported::Ignored));
    assert_eq!(engine.acquire("gateway", Some("a"), at(20_000)), Err(GuardError::KeyUnexpected));
}

#[test]
fn a_limiter_refuses_by_key_and_is_degraded_without_room() {
    let engine = engine(&json!({"limiter": {"calls": 1, "per": "1s", "burst": 2, "keys": 2}}));
    for _ in 0..2 {
        engine.acquire("gateway", Some("a"), at(0)).unwrap();
    }
    let used_up = engine.acquire("gateway", Some("a"), at(0)).unwrap_err();
    assert_eq!((used_up.code(), used_up.until()), ("used_up", Some(Monotonic::from_millis(1_000))));
    assert_eq!(status(&engine), Status::Ok, "one caller cannot take the signal from all the others");
    engine.acquire("gateway", Some("b"), at(0)).unwrap();
    assert_eq!(engine.acquire("gateway", Some("c"), at(0)), Err(GuardError::NoRoom));
    assert_eq!(status(&engine), Status::Degraded);
    assert_eq!(engine.acquire("gateway", Some(""), at(0)), Err(GuardError::KeyMissing));
    assert_eq!(engine.acquire("gateway", Some(&"x".repeat(1_025)), at(0)), Err(GuardError::KeyTooLong));
    engine.advance(at(9_000));
    assert_eq!(status(&engine), Status::Degraded, "silence makes nothing ok");
    engine.acquire("gateway", Some("c"), at(9_000)).unwrap();
    assert_eq!(status(&engine), Status::Ok);
}

#[test]
fn retries_wait_and_stop_and_are_none_for_what_is_permanent() {
    let engine = engine(
        &json!({"retry": {"transient": ["timeout"], "first": "100ms", "longest": "1s", "retries": 2, "saved": 3}}),
    );
    let first = engine.acquire("gateway", None, at(0)).unwrap();
    assert_eq!(status(&engine), Status::Ok);
    assert_eq!(engine.retry("gateway", first, "refused", at(0)), Err(GuardError::Permanent));
    assert!(engine.retry("gateway", first, "timeout", at(0)).unwrap() <= Ttl::from_millis(100));
    assert!(engine.retry("gateway", first, "timeout", at(0)).unwrap() <= Ttl::from_millis(200));
    assert_eq!(engine.retry("gateway", first, "timeout", at(0)), Err(GuardError::Exhausted));
    assert_eq!(engine.report("gateway", first, Failure, None, at(0)), Ok(Reported::Taken));
    assert_eq!(engine.retry("gateway", first, "timeout", at(0)), Err(GuardError::UnknownPermit));
    let second = engine.acquire("gateway", None, at(0)).unwrap();
    engine.retry("gateway", second, "timeout", at(0)).unwrap();
    assert_eq!(status(&engine), Status::Degraded);
    assert_eq!(engine.retry("gateway", second, "timeout", at(0)), Err(GuardError::BudgetUsedUp));
    // Ten first tries bring one retry.
    (0..9).for_each(|_| assert!(engine.acquire("gateway", None, at(0)).is_ok()));
    assert_eq!(status(&engine), Status::Ok);
}

#[test]
fn a_key_counts_once_within_its_window() {
    let engine = engine(&json!({"replay_guard": {"window": "5m", "keys": 2, "skew": "1s"}}));
    assert_eq!(engine.acquire("gateway", None, at(0)), Err(GuardError::KeyMissing));
    assert_eq!(status(&engine), Status::Unknown);
    engine.acquire("gateway", Some("a"), at(0)).unwrap();
    assert_eq!(engine.acquire("gateway", Some("a"), at(1_000)), Err(GuardError::Duplicate));
    assert_eq!(status(&engine), Status::Ok);
    let made = |millis: i64| Wall::from_millis(START + millis);
    assert_eq!(engine.first_seen("gateway", "b", made(-300_000), at(1_000)), Err(GuardError::TooOld));
    assert_eq!(engine.first_seen("gateway", "b", made(2_001), at(1_000)), Err(GuardError::FromTheFuture));
    assert_eq!(engine.first_seen("gateway", "b", made(2_000), at(1_000)), Ok(()));
    assert_eq!(engine.acquire("gateway", Some("c"), at(1_000)), Err(GuardError::NoRoom));
    assert_eq!(status(&engine), Status::Degraded);
    // Clocks that have parted tell no age.
    let parted = Now::new(Monotonic::from_millis(1_000), Wall::from_millis(START + 3_600_000));
    assert_eq!(engine.acquire("gateway", Some("d"), parted), Err(GuardError::ClockUntrusted));
    assert_eq!(engine.first_seen("gateway", "d", made(3_600_000), parted), Err(GuardError::ClockUntrusted));
}

#[test]
fn a_guard_is_asked_as_what_it_is() {
    let engine = engine(&breaker());
    assert_eq!(engine.observe(&Observation::ok("gateway"), at(0)), Observed::NotObservable);
    assert_eq!(engine.acquire("clock", None, at(0)), Err(GuardError::NotThisGuard));
    assert_eq!(engine.acquire("gatway", None, at(0)), Err(GuardError::UnknownSignal));
    assert_eq!(engine.retry("gateway", PermitId::from_number(1), "x", at(0)), Err(GuardError::NotThisGuard));
    assert_eq!(engine.first_seen("gateway", "x", at(0).wall, at(0)), Err(GuardError::NotThisGuard));
    assert_eq!(Engine::new(Config::default()).acquire("gateway", None, at(0)), Err(GuardError::NoPolicy));
}

#[test]
fn operations_make_the_same_calls() {
    let engine = engine(&breaker());
    let operate = |text: &str| {
        engine.operate_json(text.as_bytes(), at(0)).map(|outcome| outcome.to_json()).map_err(|error| error.code())
    };
    assert_eq!(operate(r#"{"acquire":{"signal":"gateway"}}"#), Ok(json!({"permit": 1})));
    let report = r#"{"report":{"signal":"gateway","permit":1,"outcome":"success","took":"10ms"}}"#;
    assert_eq!(operate(report), Ok(json!({"report": "taken"})));
    assert_eq!(operate(report), Ok(json!({"report": "ignored"})));
    assert_eq!(operate(r#"{"force_open":{"signal":"gateway"}}"#), Ok(json!({})));
    assert_eq!(operate(r#"{"acquire":{"signal":"gateway"}}"#), Err("forced_open"));
    assert_eq!(operate(r#"{"release":{"signal":"gateway"}}"#), Ok(json!({})));
    assert_eq!(operate(r#"{"release":{"signal":"gateway"}}"#), Err("not_forced"));
    assert_eq!(operate(r#"{"retry":{"signal":"gateway","permit":1,"outcome":"x"}}"#), Err("not_this_guard"));
    let seen = r#"{"first_seen":{"signal":"gateway","key":"k","made_at":"yesterday"}}"#;
    assert_eq!(operate(seen), Err("malformed_operation"));
    assert_eq!(
        engine.guards()[0].to_json(),
        json!({
            "signal": "gateway", "kind": "breaker", "state": "half_open", "status": "degraded", "held": 0,
            "permitted": 1, "refused": 1, "reported": 1, "ignored": 1, "retried": 0,
        })
    );
}

#[test]
fn permits_are_never_given_twice() {
    let engine = engine(&breaker());
    let first = engine.acquire("gateway", None, at(0)).unwrap();
    engine.activate(bundle(&document(2, &json!({"gateway": {"breaker": {"window": 9}}}))), at(0)).unwrap();
    let second = engine.acquire("gateway", None, at(0)).unwrap();
    assert!(second > first);
    assert_eq!(engine.report("gateway", first, Failure, None, at(0)), Ok(Reported::Ignored));
}
