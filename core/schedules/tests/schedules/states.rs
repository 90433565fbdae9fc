//! Each decision is of a state that held between its beginning and its end, cached or not: whatever was told and has returned
//! counts, and nothing counts that is not told yet.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use fallgate::condition::Status;
use fallgate::engine::QuarantineTerms;
use fallgate::state::quarantine::Selector;
use fallgate::state::signals::Observed;
use fallgate::{Decision, Observation, Reason};

use super::*;

/// What is told, one after the other, and what may be decided after so many of them.
struct Story {
    pack: Bundle,
    before: fn(&Engine),
    changes: &'static [fn(&Engine)],
    ask: fn(&Engine) -> Decision,
    fits: fn(told: usize, &Decision) -> bool,
}

/// How many of them were allowed, denied, answered from the cache, and decided while something was being told.
#[derive(Default)]
struct Seen {
    allowed: AtomicUsize,
    denied: AtomicUsize,
    cached: AtomicUsize,
    meanwhile: AtomicUsize,
}

impl Seen {
    fn note(&self, decision: &Decision, meanwhile: bool) {
        let effect = if decision.is_allow() { &self.allowed } else { &self.denied };
        effect.fetch_add(1, Ordering::Relaxed);
        self.cached.fetch_add(decision.cached().into(), Ordering::Relaxed);
        self.meanwhile.fetch_add(meanwhile.into(), Ordering::Relaxed);
    }
}

/// Two threads ask, twice each, while one tells and another reports of something that nothing rests on.
fn each_decision_is_of_its_time(story: Story) -> Arc<Seen> {
    let seen = Arc::new(Seen::default());
    let tally = Arc::clone(&seen);
    in_many_orders(move || {
        let engine = engine_of(&story.pack, small());
        (story.before)(&engine);
        // Numbers of the test: no scheduler chooses among what is done to them, so they move just when a call does.
        let (begun, returned) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let tells = || {
            for (number, change) in story.changes.iter().enumerate() {
                begun.store(number + 1, Ordering::SeqCst);
                change(&engine);
                returned.store(number + 1, Ordering::SeqCst);
            }
        };
        let asks = || {
            for _ in 0..2 {
                let from = returned.load(Ordering::SeqCst);
                let decision = (story.ask)(&engine);
                let to = begun.load(Ordering::SeqCst);
                let fits = (from..=to).any(|told| (story.fits)(told, &decision));
                assert!(fits, "of the changes {from} to {to}: {decision:?}");
                tally.note(&decision, from < to);
            }
        };
        // Of a time that is later than all others.
        let reports = || report(&engine, &Observation::ok("other"), 5);
        beside_one_another(vec![Box::new(tells), Box::new(asks), Box::new(asks), Box::new(reports)]);
        assert_eq!(engine.signal("other"), Some(Status::Ok), "what was reported meanwhile was lost");
        // Nobody tells anything any more: what is decided now is of the last state, and so it is again from the cache.
        for _ in 0..2 {
            let decision = (story.ask)(&engine);
            assert!((story.fits)(story.changes.len(), &decision), "after all changes: {decision:?}");
        }
    });
    let count = |number: &AtomicUsize| number.load(Ordering::Relaxed);
    let [allowed, denied] = [count(&seen.allowed), count(&seen.denied)];
    println!(
        "{allowed} allowed, {denied} denied, {} cached, {} meanwhile",
        count(&seen.cached),
        count(&seen.meanwhile)
    );
    assert!(allowed > 0 && denied > 0 && count(&seen.meanwhile) > 0, "nothing was shown");
    seen
}

fn is_any_cached(seen: &Seen) {
    assert!(seen.cached.load(Ordering::Relaxed) > 0, "nobody was answered from the cache");
}

fn ann_reads(engine: &Engine) -> Decision {
    engine.decide_json(&request("ann", "read"), START)
}

/// One allows what the next one denies, each by a rule that has its revision in its name.
static REVISIONS: LazyLock<Vec<Bundle>> = LazyLock::new(|| {
    let revision = |revision: u64| {
        let effect = if revision.is_multiple_of(2) { "deny" } else { "allow" };
        bundle(&json!({
            "fallgate": 1, "name": "swap", "revision": revision, "signals": {"other": {"ttl": "10s"}},
            "actions": {"read": {"cache": {"allow": "1m", "deny": "1m"}}},
            "rules": [{"id": format!("{effect}-{revision}"), "effect": effect, "when": "subject.id == 'ann'"}],
        }))
    };
    (1..=3).map(revision).collect()
});

#[test]
fn a_decision_is_of_one_bundle() {
    let seen = each_decision_is_of_its_time(Story {
        pack: REVISIONS[0].clone(),
        before: |_| {},
        changes: &[
            |engine| engine.activate(REVISIONS[1].clone(), START).unwrap(),
            |engine| engine.activate(REVISIONS[2].clone(), START).unwrap(),
        ],
        ask: ann_reads,
        fits: |told, decision| {
            let revision = told + 1;
            let effect = if revision.is_multiple_of(2) { "deny" } else { "allow" };
            decision.revision() == revision as u64
                && decision.is_allow() == (effect == "allow")
                && decision.rule() == Some(format!("{effect}-{revision}").as_str())
        },
    });
    is_any_cached(&seen);
}

/// A pack of one action and one rule that allows.
fn pack(action: &Value, when: &str) -> Value {
    json!({
        "fallgate": 1, "name": "signal", "revision": 1,
        "signals": {"idp": {"ttl": "10s"}, "other": {"ttl": "10s"}}, "actions": {"read": action},
        "rules": [{"id": "ann", "effect": "allow", "when": when}],
    })
}

fn report(engine: &Engine, observation: &Observation, millis: u64) {
    let observation = observation.clone().at(at(millis).monotonic);
    assert_eq!(engine.observe(&observation, at(millis)), Observed::Taken);
}

fn idp_is_ok(engine: &Engine) {
    report(engine, &Observation::ok("idp"), 0);
}

/// A signal fails, recovers and fails again.
const IDP_COMES_AND_GOES: &[fn(&Engine)] = &[
    |engine| report(engine, &Observation::failed("idp"), 1),
    |engine| report(engine, &Observation::ok("idp"), 2),
    |engine| report(engine, &Observation::failed("idp"), 3),
];

fn allows_in_turn(told: usize, decision: &Decision) -> bool {
    decision.is_allow() == told.is_multiple_of(2)
}

#[test]
fn a_failure_that_a_rule_reads_counts_once_it_was_reported() {
    let seen = each_decision_is_of_its_time(Story {
        pack: bundle(&pack(&json!({"cache": {"allow": "1m", "deny": "1m"}}), "signals.idp.ok")),
        before: idp_is_ok,
        changes: IDP_COMES_AND_GOES,
        ask: ann_reads,
        fits: allows_in_turn,
    });
    is_any_cached(&seen);
}

#[test]
fn a_failure_that_an_action_requires_not_to_be_counts_once_it_was_reported() {
    let seen = each_decision_is_of_its_time(Story {
        pack: bundle(&pack(&json!({"requires": ["idp"], "cache": {"allow": "1m"}}), "subject.id == 'ann'")),
        before: idp_is_ok,
        changes: IDP_COMES_AND_GOES,
        ask: ann_reads,
        fits: allows_in_turn,
    });
    is_any_cached(&seen);
}

#[test]
fn a_quarantine_counts_once_it_was_begun_and_until_it_is_lifted() {
    const ANN: Selector<'static> = Selector::Subject("user", "ann");
    fn quarantine(engine: &Engine) {
        engine.quarantine(&ANN, &QuarantineTerms::default(), START).unwrap();
    }
    let seen = each_decision_is_of_its_time(Story {
        pack: bundle(&pack(&json!({"cache": {"allow": "1m"}}), "subject.id == 'ann'")),
        before: |_| {},
        changes: &[quarantine, |engine| engine.lift_quarantine(&ANN, START).unwrap(), quarantine],
        ask: ann_reads,
        fits: |told, decision| {
            allows_in_turn(told, decision) && (decision.is_allow() || decision.reason() == Reason::Quarantined)
        },
    });
    is_any_cached(&seen);
}

#[test]
fn a_posture_counts_once_it_was_entered_and_until_it_is_left() {
    let mut document = pack(&json!({"cache": {"allow": "1m", "deny": "1m"}}), "posture.rank < 1");
    document["postures"] = json!([
        {"name": "normal", "rank": 0, "permits": "all"},
        {"name": "careful", "rank": 5, "permits": "all", "leave": {}},
    ]);
    let seen = each_decision_is_of_its_time(Story {
        pack: bundle(&document),
        before: |_| {},
        changes: &[
            |engine| engine.enter_posture("careful", None, START).unwrap(),
            |engine| engine.leave_posture("careful", None, START).unwrap(),
        ],
        ask: ann_reads,
        fits: allows_in_turn,
    });
    is_any_cached(&seen);
}

/// What was decided before a revocation stands in for nothing afterwards, however late it is kept, and whatever later time
/// another thread has brought meanwhile: with the signal gone no answer comes from the rules.
#[test]
fn what_was_decided_before_a_revocation_stands_in_no_more() {
    let stands_in = json!({
        "requires": ["idp"], "cache": {"allow": "1m"}, "on_failure": {"serve_cached": {"max_stale": "1m"}},
    });
    let pack = bundle(&pack(&stands_in, "subject.id == 'ann'"));
    let kept = Arc::new(AtomicUsize::new(0));
    let kept_ever = Arc::clone(&kept);
    in_many_orders(move || {
        let engine = engine_of(&pack, small());
        idp_is_ok(&engine);
        let asks = || {
            let _ = ann_reads(&engine);
        };
        let tells = || {
            report(&engine, &Observation::failed("idp"), 1);
            engine.revoke("user", "ann", at(2).monotonic, at(2));
            engine.advance(at(5));
        };
        beside_one_another(vec![Box::new(asks), Box::new(tells)]);
        kept_ever.fetch_add(usize::try_from(engine.counters().cached_decisions).unwrap(), Ordering::Relaxed);
        let decision = ann_reads(&engine);
        assert_eq!(decision.reason(), Reason::SignalUnavailable, "{decision:?}");
    });
    assert!(kept.load(Ordering::Relaxed) > 0, "no answer was kept");
}

/// What stands in was decided before: not with what another thread has heard since this decision began. Where all was
/// revoked, and the signal comes back, an answer comes from the rules or from nowhere.
#[test]
fn what_stands_in_was_decided_before_the_decision_began() {
    let stands_in = json!({
        "requires": ["idp"], "cache": {"allow": "1m"}, "on_failure": {"serve_cached": {"max_stale": "1m"}},
    });
    each_decision_is_of_its_time(Story {
        pack: bundle(&pack(&stands_in, "subject.id == 'ann'")),
        before: |engine| {
            idp_is_ok(engine);
            report(engine, &Observation::failed("idp"), 1);
            engine.revoke("user", "ann", at(2).monotonic, at(2));
        },
        changes: &[|engine| report(engine, &Observation::ok("idp"), 3)],
        ask: ann_reads,
        fits: |told, decision| {
            decision.reason() == if told == 0 { Reason::SignalUnavailable } else { Reason::AllowedByRule }
        },
    });
}
