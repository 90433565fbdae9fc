//! Sixty-four real threads at one engine: each decision is of what held while it was made, whatever others tell meanwhile.
//!
//! What is told moves on by turns: a turn has begun, and it has returned. A decision must fit a turn between the last that had
//! returned when it was asked for and the last that had begun when it was given. `FALLGATE_THREADS_SECONDS` says for how long.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fallgate::audit::chain::Head;
use fallgate::audit::verify::Verifier;
use fallgate::engine::QuarantineTerms;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::quarantine::Selector;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Decision, Engine, Observation, Reason};
use serde_json::json;

const START: Now = Now::new(Monotonic::ZERO, Wall::from_millis(1_767_225_600_000));

/// Those that tell: of bundles, of quarantines, of two signals, of postures; one that writes records, and one that asks for
/// everything else. The others decide.
const TELLERS: usize = 7;
const DECIDERS: usize = 64 - TELLERS;

/// How long between two reports, in microseconds: a failure and a recovery of one millisecond are a failure.
const REPORTS_EVERY: u64 = 2_300;

/// A revision that is odd allows `read` and one that is even denies it, by a rule that has the revision in its name.
fn bundle(revision: u64) -> Bundle {
    let effect = if revision.is_multiple_of(2) { "deny" } else { "allow" };
    let document = json!({
        "fallgate": 1, "name": "threads", "revision": revision,
        "signals": {"idp": {"ttl": "1h"}, "gone": {"ttl": "1h"}},
        "actions": {
            "read": {"class": "any", "cache": {"allow": "1m", "deny": "1m"}},
            "guarded": {"class": "any", "cache": {"allow": "1m", "deny": "1m"}},
            "write": {"class": "any", "requires": ["idp"], "cache": {"allow": "1m"}},
            "stale": {"class": "any", "requires": ["gone"], "cache": {"allow": "1m"},
                "on_failure": {"serve_cached": {"max_stale": "1h"}}},
            "calm": {"class": "calm", "cache": {"allow": "1m", "deny": "1m"}},
            "sign": {"class": "any", "audit": "required"},
        },
        "postures": [
            {"name": "normal", "rank": 0, "permits": "all"},
            {"name": "careful", "rank": 5, "permits": {"classes": ["any"]}, "leave": {}},
        ],
        "audit": {"level": "none"},
        "rules": [
            {"id": format!("{effect}-{revision}"), "effect": effect, "action": "read"},
            {"id": "others", "effect": "allow", "action": ["guarded", "write", "stale", "calm", "sign"],
                "when": "subject.id != 'nobody'"},
        ],
    });
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .unwrap_or_else(|error| panic!("{:#?}", error.diagnostics()))
}

fn request(who: &str, action: &str) -> Vec<u8> {
    let request = json!({
        "subject": {"type": "user", "id": who}, "action": {"name": action}, "resource": {"type": "doc", "id": "d"},
    });
    request.to_string().into_bytes()
}

/// How often something was told.
#[derive(Default)]
struct Turns {
    begun: AtomicU64,
    returned: AtomicU64,
}

impl Turns {
    fn take(&self, tell: impl FnOnce(u64)) {
        let turn = self.begun.load(Ordering::SeqCst) + 1;
        self.begun.store(turn, Ordering::SeqCst);
        tell(turn);
        self.returned.store(turn, Ordering::SeqCst);
    }

    /// A decision, and the turns that it may be of.
    fn during(&self, decide: impl FnOnce() -> Decision) -> (Decision, RangeInclusive<u64>) {
        let returned = self.returned.load(Ordering::SeqCst);
        let decision = decide();
        (decision, returned..=self.begun.load(Ordering::SeqCst))
    }

    fn count(&self) -> u64 {
        self.returned.load(Ordering::SeqCst)
    }
}

#[derive(Default)]
struct World {
    bundles: Turns,
    quarantines: Turns,
    reports: Turns,
    revocations: Turns,
    postures: Turns,
    decided: AtomicU64,
    cached: AtomicU64,
    meanwhile: AtomicU64,
    stale: AtomicU64,
    signed: AtomicU64,
}

impl World {
    /// Asks, and notes of what kind the answer is; it fits where some turn that it may be of says so.
    fn ask(&self, turns: &Turns, decide: impl FnOnce() -> Decision, fits: impl Fn(u64, &Decision) -> bool) -> Decision {
        let (decision, range) = turns.during(decide);
        assert!(range.clone().any(|turn| fits(turn, &decision)), "of the turns {range:?}: {decision:?}");
        self.decided.fetch_add(1, Ordering::Relaxed);
        self.cached.fetch_add(decision.cached().into(), Ordering::Relaxed);
        self.meanwhile.fetch_add((range.start() < range.end()).into(), Ordering::Relaxed);
        decision
    }

    /// How often each was told.
    fn told(&self) -> [u64; 5] {
        [&self.bundles, &self.quarantines, &self.reports, &self.revocations, &self.postures].map(Turns::count)
    }

    /// Whether enough has happened for the decisions to say anything.
    fn is_lively(&self) -> bool {
        let met = [&self.cached, &self.meanwhile, &self.stale, &self.signed];
        self.told().iter().all(|told| *told > 3) && met.iter().all(|met| met.load(Ordering::Relaxed) > 0)
    }

    /// One round of a thread that decides.
    fn decide(&self, engine: &Engine, now: &dyn Fn() -> Now, requests: &[Vec<u8>; 6]) -> Monotonic {
        let [read, guarded, write, stale, calm, sign] = requests;
        self.ask(
            &self.bundles,
            || engine.decide_json(read, now()),
            |turn, decision| {
                let revision = turn + 1;
                let effect = if revision.is_multiple_of(2) { "deny" } else { "allow" };
                decision.revision() == revision
                    && decision.is_allow() == (effect == "allow")
                    && decision.rule() == Some(format!("{effect}-{revision}").as_str())
            },
        );
        self.ask(
            &self.quarantines,
            || engine.decide_json(guarded, now()),
            |turn, decision| {
                let reason = if turn.is_multiple_of(2) { Reason::AllowedByRule } else { Reason::Quarantined };
                decision.reason() == reason
            },
        );
        self.ask(
            &self.reports,
            || engine.decide_json(write, now()),
            |turn, decision| {
                let reason = if turn.is_multiple_of(2) { Reason::AllowedByRule } else { Reason::SignalUnavailable };
                decision.reason() == reason
            },
        );
        // By turns the signal is ok, it is gone, and what was decided before is revoked.
        let decision = self.ask(
            &self.revocations,
            || engine.decide_json(stale, now()),
            |turn, decision| match turn % 3 {
                0 => decision.reason() == Reason::AllowedByRule,
                1 => matches!(decision.reason(), Reason::AllowedStale | Reason::SignalUnavailable),
                _ => decision.reason() == Reason::SignalUnavailable,
            },
        );
        self.stale.fetch_add((decision.reason() == Reason::AllowedStale).into(), Ordering::Relaxed);
        self.ask(
            &self.postures,
            || engine.decide_json(calm, now()),
            |turn, decision| {
                let reason = if turn.is_multiple_of(2) { Reason::AllowedByRule } else { Reason::Posture };
                decision.reason() == reason
            },
        );
        let decision = engine.decide_json(sign, now());
        assert!(decision.is_allow() || decision.reason() == Reason::AuditUnavailable, "{decision:?}");
        self.signed.fetch_add(decision.is_allow().into(), Ordering::Relaxed);
        decision.at().monotonic
    }
}

/// The chain of records as a host writes it.
struct Written {
    verifier: Verifier,
    records: u64,
    /// How many of them say that something was allowed.
    signed: u64,
}

impl Written {
    /// Writes the records that are there; whether there were some.
    fn write(&mut self, engine: &Engine, now: Now) -> bool {
        let batch = engine.drain_audit(1_000, now);
        for line in &batch.lines {
            let record = self.verifier.push(line.as_bytes()).unwrap();
            self.records += 1;
            self.signed += u64::from(record.kind.code() == "decision" && record.body["decision"]["decision"] == true);
        }
        engine.acknowledge_audit(batch.last_seq, now);
        !batch.lines.is_empty()
    }
}

#[test]
fn each_decision_of_sixty_four_threads_is_of_what_held_while_it_was_made() {
    const ANN: Selector<'static> = Selector::Subject("user", "quarantined");
    let seconds = std::env::var("FALLGATE_THREADS_SECONDS").map_or(2, |seconds| seconds.parse().unwrap());
    let began = Instant::now();
    let now = move || START.after(Ttl::from_nanos(u64::try_from(began.elapsed().as_nanos()).unwrap()));
    let mut config = Config::default();
    // Room for fewer answers than there are questions, so that some are evicted.
    config.limits.cache_entries_max = 96;
    let engine = Engine::new(config);
    engine.activate(bundle(1), now()).unwrap();
    for signal in ["idp", "gone"] {
        engine.observe(&Observation::ok(signal), now());
    }
    let (world, done) = (World::default(), AtomicBool::new(false));
    let mut written = Written { verifier: Verifier::behind(Head::default()), records: 0, signed: 0 };
    std::thread::scope(|scope| {
        let (engine, world, done, now) = (&engine, &world, &done, &now);
        let again = move |every: u64, work: &mut dyn FnMut()| {
            while !done.load(Ordering::Acquire) {
                work();
                std::thread::sleep(Duration::from_micros(every));
            }
        };
        for number in 0..DECIDERS {
            scope.spawn(move || {
                let own = format!("u{}", number % 20);
                let asked = [
                    ("read", &*own),
                    ("guarded", "quarantined"),
                    ("write", &own),
                    ("stale", "revoked"),
                    ("calm", &own),
                ];
                let [read, guarded, write, stale, calm] = asked.map(|(action, who)| request(who, action));
                let requests = [read, guarded, write, stale, calm, request(&format!("u{number}"), "sign")];
                let mut latest = Monotonic::ZERO;
                while !done.load(Ordering::Acquire) {
                    let at = world.decide(engine, now, &requests);
                    assert!(at >= latest, "time went back from {latest:?} to {at:?}");
                    latest = at;
                }
            });
        }
        let report = move |signal: &str, ok: bool| {
            let observation = if ok { Observation::ok(signal) } else { Observation::failed(signal) };
            assert_eq!(engine.observe(&observation, now()).code(), "taken");
        };
        scope.spawn(move || {
            again(3_000, &mut || world.bundles.take(|turn| engine.activate(bundle(turn + 1), now()).unwrap()));
        });
        scope.spawn(move || {
            again(300, &mut || {
                world.quarantines.take(|turn| match turn % 2 {
                    0 => engine.lift_quarantine(&ANN, now()).unwrap(),
                    _ => drop(engine.quarantine(&ANN, &QuarantineTerms::default(), now()).unwrap()),
                });
            });
        });
        scope.spawn(move || {
            again(REPORTS_EVERY, &mut || world.reports.take(|turn| report("idp", turn.is_multiple_of(2))))
        });
        scope.spawn(move || {
            again(REPORTS_EVERY, &mut || {
                world.revocations.take(|turn| match turn % 3 {
                    2 => {
                        let now = now();
                        engine.revoke("user", "revoked", now.monotonic, now);
                    }
                    phase => report("gone", phase == 0),
                });
            });
        });
        scope.spawn(move || {
            again(300, &mut || {
                world.postures.take(|turn| match turn % 2 {
                    0 => engine.leave_posture("careful", None, now()).unwrap(),
                    _ => engine.enter_posture("careful", None, now()).unwrap(),
                });
            });
        });
        let written = &mut written;
        scope.spawn(move || {
            again(200, &mut || {
                written.write(engine, now());
            })
        });
        scope.spawn(move || {
            again(1_000, &mut || {
                let (_, _, _) = (engine.metrics(), engine.overview(now()), engine.counters());
                while engine.poll_event().is_some() {}
            });
        });
        std::thread::sleep(Duration::from_secs(seconds));
        // Where others have the processors, little has happened by then.
        let patience = Instant::now() + Duration::from_secs(100);
        while !world.is_lively() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(50));
        }
        done.store(true, Ordering::Release);
    });
    while written.write(&engine, now()) {}
    let Written { records, signed, .. } = written;
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    assert_eq!(signed, count(&world.signed), "an allow has no record, or a record no allow");
    let [bundles, quarantines, reports, revocations, postures] = world.told();
    println!(
        "in {seconds} s: {} decisions, {} of them cached, {} while something was told, {} stale, {signed} signed; \
         {bundles} bundles, {quarantines} quarantines begun or lifted, {reports} reports, {revocations} turns of a \
         revocation, {postures} postures entered or left; {records} records",
        count(&world.decided),
        count(&world.cached),
        count(&world.meanwhile),
        count(&world.stale),
    );
    assert!(world.is_lively(), "too little happened to say anything");
}
