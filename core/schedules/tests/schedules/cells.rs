//! The smallest of what threads share, in every order that there is: the highest time seen, and a part of the cache.

use std::sync::atomic::{AtomicU64, Ordering};

use fallgate::Observation;
use fallgate::combine::Verdict;
use fallgate::decision::Particulars;
use fallgate::reason::Reason;
use fallgate::state::cache::{Answer, Cache, Stamp};
use fallgate::state::clocks::HighWater;

use super::*;

#[test]
fn time_never_goes_back_on_any_thread() {
    in_every_order(10_000, || {
        let (high, latest) = (HighWater::default(), AtomicU64::new(0));
        let holds = |readings: [u64; 2]| {
            for reading in readings {
                let before = latest.load(Ordering::SeqCst);
                let held = high.hold(Monotonic::from_millis(reading)).as_nanos();
                assert!(held >= before, "{before} was held, and then {held}");
                latest.fetch_max(held, Ordering::SeqCst);
            }
        };
        beside_one_another(vec![Box::new(|| holds([5, 1])), Box::new(|| holds([3, 7]))]);
        assert_eq!(high.latest(), Monotonic::from_millis(7));
    });
}

fn answer(number: u8) -> Answer {
    Answer {
        verdict: Verdict::deny(Reason::NoMatchingRule),
        particulars: Particulars::default(),
        decided_at: Monotonic::from_nanos(number.into()),
        expires_at: Monotonic::NEVER,
        stale_until: Monotonic::ZERO,
        stamp: Stamp::default(),
    }
}

/// Two threads keep answers, where there is room for one, and a third looks for them.
#[test]
fn what_is_found_was_kept_under_that_key_and_no_more_is_kept_than_there_is_room_for() {
    in_every_order(1_000_000, || {
        let cache = Cache::new(1, 100, 7);
        let keeps = |number: u8| cache.keep(&[number], answer(number));
        let finds = || {
            if let Some(found) = cache.find(&[1]) {
                assert_eq!(found.decided_at, Monotonic::from_nanos(1));
            }
        };
        beside_one_another(vec![Box::new(|| keeps(1)), Box::new(|| keeps(2)), Box::new(finds)]);
        let found: Vec<u8> = [1, 2].into_iter().filter(|number| cache.find(&[*number]).is_some()).collect();
        assert_eq!((found.len(), cache.size()), (1, (1, 1)), "{found:?}");
    });
}

/// One decision beside one report, in every order.
#[test]
fn a_decision_beside_a_report_is_before_it_or_after_it() {
    let pack = bundle(&json!({
        "fallgate": 1, "name": "signal", "revision": 1, "signals": {"idp": {"ttl": "10s"}},
        "actions": {"read": {"requires": ["idp"]}}, "rules": [{"id": "all", "effect": "allow"}],
    }));
    in_every_order(1_000_000, move || {
        let engine = engine_of(&pack, small());
        engine.observe(&Observation::ok("idp"), START);
        let failed = std::sync::atomic::AtomicBool::new(false);
        let tells = || {
            engine.observe(&Observation::failed("idp"), at(1));
            failed.store(true, Ordering::SeqCst);
        };
        let asks = || {
            let known = failed.load(Ordering::SeqCst);
            let decision = engine.decide_json(&request("ann", "read"), START);
            let expected = if decision.is_allow() { Reason::AllowedByRule } else { Reason::SignalUnavailable };
            assert_eq!(decision.reason(), expected);
            assert!(!known || !decision.is_allow(), "{decision:?}");
        };
        beside_one_another(vec![Box::new(tells), Box::new(asks)]);
        assert!(!engine.decide_json(&request("ann", "read"), START).is_allow());
    });
}
