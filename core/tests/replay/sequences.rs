//! Laws: whatever is put in, a journal of it decides the same again, and keeping one changes nothing.

use fallgate::condition::Status;
use fallgate::operation::{Acquire, BreakerAt, Operation, PostureAt, Report};
use fallgate::replay::Secrets;
use fallgate::request::Party;
use fallgate::resilience::breaker::CallOutcome;
use fallgate::state::quarantine::Selector;
use fallgate::time::Now;
use fallgate::value::Value;
use fallgate::{Engine, Observation, Request};
use proptest::prelude::*;

use super::corpus::replayed;
use super::recording::{at, desk, journaling, lines};

#[derive(Clone, Debug)]
enum Step {
    Decide(i64, bool),
    DecideBytes(Vec<u8>),
    Observe(usize, Option<u64>),
    Activate(u64),
    Advance,
    Anchor,
    Enter,
    Leave,
    Quarantine(u8, Option<u64>),
    Lift(u8),
    Revoke,
    Call(bool),
    Force(bool),
    Drain(usize),
    Explain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..7_i64, any::<bool>()).prop_map(|(level, write)| Step::Decide(level, write)),
        1 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(Step::DecideBytes),
        6 => (0..4_usize, proptest::option::of(0..40_000_u64)).prop_map(|(status, at)| Step::Observe(status, at)),
        1 => (1..5_u64).prop_map(Step::Activate),
        2 => Just(Step::Advance),
        1 => Just(Step::Anchor),
        1 => Just(Step::Enter),
        1 => Just(Step::Leave),
        1 => (0..3_u8, proptest::option::of(0..20_000_000_000_u64)).prop_map(|(who, until)| Step::Quarantine(who, until)),
        1 => (0..3_u8).prop_map(Step::Lift),
        1 => Just(Step::Revoke),
        2 => any::<bool>().prop_map(Step::Call),
        1 => any::<bool>().prop_map(Step::Force),
        1 => (0..20_usize).prop_map(Step::Drain),
        1 => Just(Step::Explain),
    ]
}

fn request(level: i64, write: bool) -> Request {
    let subject = Party::new("user", if level % 2 == 0 { "ann" } else { "bob" }).with("level", Value::Int(level));
    Request::new(subject, if write { "write" } else { "read" }, Party::new("paper", "p-1"))
}

fn selector(who: u8) -> Selector<'static> {
    match who {
        0 => Selector::Subject("user", "ann"),
        1 => Selector::ResourceType("paper"),
        _ => Selector::Everything,
    }
}

/// Puts a step in; what was decided, as text.
fn put_in(engine: &Engine, step: &Step, now: Now) -> Option<String> {
    match step {
        Step::Decide(level, write) => return Some(engine.decide(&request(*level, *write), now).to_json().to_string()),
        Step::DecideBytes(bytes) => return Some(engine.decide_json(bytes, now).to_json().to_string()),
        Step::Observe(status, when) => {
            let status = [Status::Unknown, Status::Failed, Status::Degraded, Status::Ok][*status];
            let mut observation = Observation::new("idp", status);
            if let Some(when) = when {
                observation = observation.at(at(*when).monotonic);
            }
            engine.observe(&observation, now);
        }
        Step::Activate(revision) => drop(engine.activate(desk(*revision), now)),
        Step::Advance => engine.advance(now),
        Step::Anchor => engine.anchor_clocks(now),
        Step::Enter => drop(engine.enter_posture("closed", None, now)),
        Step::Leave => {
            let leave = Operation::LeavePosture(PostureAt { posture: "closed".into(), scope: None });
            drop(engine.operate(&leave, now));
        }
        Step::Quarantine(who, until) => {
            let until = until.map(|nanos| fallgate::time::Monotonic::from_nanos(now.monotonic.as_nanos() + nanos));
            let terms = fallgate::engine::QuarantineTerms { reason: "", until, absolute: *who == 1 };
            drop(engine.quarantine(&selector(*who), &terms, now));
        }
        Step::Lift(who) => drop(engine.lift_quarantine(&selector(*who), now)),
        Step::Revoke => engine.revoke("user", "ann", now.monotonic, now),
        Step::Call(well) => {
            let acquire = Operation::Acquire(Acquire { signal: "gateway".into(), key: None });
            if let Ok(fallgate::operation::Outcome::Permitted(permit)) = engine.operate(&acquire, now) {
                let outcome = if *well { CallOutcome::Success } else { CallOutcome::Failure };
                let report = Report { signal: "gateway".into(), permit: permit.number(), outcome, took: None };
                drop(engine.operate(&Operation::Report(report), now));
            }
        }
        Step::Force(open) => {
            let at = BreakerAt { signal: "gateway".into() };
            let operation = if *open { Operation::ForceOpen(at) } else { Operation::Release(at) };
            drop(engine.operate(&operation, now));
        }
        Step::Drain(max) => {
            let batch = engine.drain_audit(*max, now);
            engine.acknowledge_audit(batch.last_seq / 2, now);
        }
        Step::Explain => drop(engine.explain(&request(3, false), now)),
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn what_is_journaled_is_decided_again_and_journaling_changes_nothing(
        steps in proptest::collection::vec((step(), 0..9_000_u64, -3_000..20_000_i64), 1..60),
    ) {
        let mut config = journaling(10_000);
        config.limits.audit_entries_max = 12;
        let mut silent = config.clone();
        silent.limits = fallgate::limits::Limits::DEFAULT;
        silent.limits.audit_entries_max = 12;
        let (engine, without) = (Engine::new(config), Engine::new(silent));
        let mut millis = 10_000_u64;
        engine.activate(desk(1), at(0)).unwrap();
        without.activate(desk(1), at(0)).unwrap();
        for (step, forward, skew) in &steps {
            // Now and then the monotonic clock goes back, and the wall clock goes its own way.
            millis = if *skew < -2_500 { millis.saturating_sub(*forward) } else { millis + forward };
            let mut now = at(millis);
            if *skew > 19_000 {
                now.wall = fallgate::time::Wall::from_nanos(now.wall.as_nanos() + skew * 1_000_000);
            }
            prop_assert_eq!(put_in(&engine, step, now), put_in(&without, step, now));
        }
        let written = lines(&engine);
        let tally = replayed(&written, Secrets::default());
        prop_assert_eq!(tally.different(), 0);
    }
}
