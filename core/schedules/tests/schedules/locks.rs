//! Every call beside every other: nobody waits for somebody who waits for him, and what is written down of their order is the
//! order in which they came about.

use fallgate::engine::{QuarantineTerms, Secrets};
use fallgate::replay::Replay;
use fallgate::state::quarantine::Selector;
use fallgate::{Observation, Request};

use super::*;

fn pack() -> Bundle {
    bundle(&json!({
        "fallgate": 1, "name": "all", "revision": 1,
        "signals": {"idp": {"ttl": "10s"}},
        "actions": {
            "read": {"requires": ["idp"], "cache": {"allow": "1m"}},
            "open": {"audit": "confirmed"},
        },
        "postures": [
            {"name": "normal", "rank": 0, "permits": "all"},
            {"name": "careful", "rank": 5, "permits": "all", "leave": {}},
        ],
        "audit": {"level": "all"},
        "rules": [{"id": "all", "effect": "allow"}],
    }))
}

const ANN: Selector<'static> = Selector::Subject("user", "ann");

/// A call, and its name.
type Call = (&'static str, fn(&Engine));

/// A call of each kind, with all the locks that it takes.
const CALLS: &[Call] = &[
    ("decide", |engine| drop(engine.decide_json(&request("ann", "read"), at(1)))),
    ("decide_pending", |engine| {
        let asked = Request::from_json(&request("ann", "open"), &Limits::DEFAULT).unwrap();
        if let Some(id) = engine.decide_pending(&asked, at(1)).id {
            drop(engine.confirm(id, at(2)));
        }
    }),
    ("explain", |engine| {
        let asked = Request::from_json(&request("ann", "read"), &Limits::DEFAULT).unwrap();
        drop(engine.explain(&asked, at(3)));
    }),
    ("observe", |engine| {
        let _ = engine.observe(&Observation::failed("idp"), at(2));
    }),
    ("advance", |engine| engine.advance(at(20_000))),
    ("anchor_clocks", |engine| engine.anchor_clocks(at(2))),
    ("activate", |engine| engine.activate(pack_again(engine), at(2)).unwrap()),
    ("quarantine", |engine| drop(engine.quarantine(&ANN, &QuarantineTerms::default(), at(2)))),
    ("lift_quarantine", |engine| drop(engine.lift_quarantine(&ANN, at(2)))),
    ("revoke", |engine| engine.revoke("user", "ann", at(2).monotonic, at(2))),
    ("enter_posture", |engine| {
        let _ = engine.enter_posture("careful", None, at(2));
    }),
    ("leave_posture", |engine| {
        let _ = engine.leave_posture("careful", None, at(3));
    }),
    ("drain_audit", |engine| {
        let batch = engine.drain_audit(10, at(2));
        engine.acknowledge_audit(batch.last_seq, at(2));
    }),
    ("checkpoint", |engine| {
        let _ = engine.checkpoint(at(2));
    }),
    ("audit_counters", |engine| {
        let _ = engine.audit_counters();
    }),
    ("poll_event", |engine| drop(engine.poll_event())),
    ("metrics", |engine| drop(engine.metrics())),
    ("slis", |engine| drop(engine.slis(at(70_000)))),
    ("report_attempts", |engine| engine.report_attempts(3, at(2))),
    ("overview", |engine| drop(engine.overview(at(2)))),
    ("counters", |engine| {
        let _ = (engine.counters(), engine.next_deadline());
    }),
    ("drain_journal", |engine| {
        let batch = engine.drain_journal(10);
        engine.acknowledge_journal(batch.last_n);
    }),
];

fn pack_again(engine: &Engine) -> Bundle {
    engine.bundle().unwrap()
}

/// With a journal of inputs and without one.
fn configs() -> [Config; 2] {
    let mut config = small();
    config.limits.journal_entries_max = 1_000;
    config.limits.journal_bytes_max = 1 << 20;
    [small(), config]
}

#[test]
fn no_two_calls_wait_for_one_another() {
    let pack = pack();
    // A pair is soon through all that it can do.
    let orders = orders().div_ceil(30);
    for config in configs() {
        for (number, first) in CALLS.iter().enumerate() {
            for second in &CALLS[number..] {
                let (pack, config, calls) = (pack.clone(), config.clone(), [first.1, second.1]);
                let scenario = Arc::new(move || {
                    let engine = engine_of(&pack, config.clone());
                    engine.observe(&Observation::ok("idp"), START);
                    beside_one_another(calls.iter().map(|call| Box::new(|| call(&engine)) as Box<_>).collect());
                });
                run(RandomScheduler::new_from_seed(seed(), orders), &scenario);
                run(PctScheduler::new_from_seed(seed(), 2, orders), &scenario);
            }
        }
    }
}

/// Calls of several threads, written down in one order: made again in that order they come to what they came to.
#[test]
fn the_journal_has_calls_in_the_order_in_which_they_were_made() {
    let (pack, [_, config]) = (pack(), configs());
    in_many_orders(move || {
        let engine = engine_of(&pack, config.clone());
        engine.observe(&Observation::ok("idp"), START);
        let does = |names: [&str; 2]| {
            for name in names {
                CALLS.iter().find(|(of, _)| *of == name).unwrap().1(&engine);
            }
        };
        beside_one_another(vec![
            Box::new(|| does(["decide", "decide"])),
            Box::new(|| does(["observe", "quarantine"])),
            Box::new(|| does(["decide_pending", "drain_audit"])),
        ]);
        let mut replay = Replay::new(Secrets::default());
        for line in engine.drain_journal(1_000).lines {
            let played = replay.push(line.as_bytes()).unwrap();
            assert_eq!(played.difference, None, "{line}");
        }
        assert!(replay.tally().decisions >= 2);
    });
}
