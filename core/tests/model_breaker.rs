//! The breaker of an engine over every order of calls, reports, operators and time to a stated depth.
//!
//! The code that runs in the engine is explored, breadth first, with states that are alike met once. Beside each state
//! goes a plain log of what happened; what the breaker does is held against that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::collections::{HashSet, VecDeque};

use fallgate::condition::Status;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::compile::Policy;
use fallgate::resilience::breaker::CallOutcome;
use fallgate::state::clocks::HighWater;
use fallgate::state::guards::{GuardError, Guards, PermitId, Reported};
use fallgate::time::{Monotonic, Ttl};
use serde_json::json;

/// How many events in a row.
const DEPTH: usize = 8;
const PROBES: usize = 2;
const OPEN_FOR: Ttl = Ttl::from_secs(2);
const SLOW_AFTER: Ttl = Ttl::from_secs(3);

fn bundle() -> Bundle {
    let document = json!({
        "fallgate": 1, "name": "model", "revision": 1,
        "signals": {"gateway": {"breaker": {
            "window": 1, "failure_rate": 0.5, "slow_after": "3s", "slow_rate": 1, "open_for": "2s", "half_open_probes": 2,
        }}},
        "actions": {"pay": {"requires": ["gateway"]}},
        "rules": [{"id": "all", "effect": "allow"}],
    });
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// The call that has been under way for longest.
    Oldest,
    /// The one that began last.
    Newest,
    /// One that was reported before.
    Spent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Acquire,
    Report(Which, CallOutcome, Ttl),
    ForceOpen,
    Release,
    Passes(Ttl),
    GoesBack,
}

fn events() -> Vec<Event> {
    use CallOutcome::{Failure, Ignored, Success};
    let quick = Ttl::ZERO;
    vec![
        Event::Acquire,
        Event::Report(Which::Oldest, Success, quick),
        Event::Report(Which::Oldest, Failure, quick),
        Event::Report(Which::Oldest, Ignored, quick),
        Event::Report(Which::Oldest, Success, SLOW_AFTER),
        Event::Report(Which::Newest, Success, quick),
        Event::Report(Which::Newest, Failure, quick),
        Event::Report(Which::Spent, Success, quick),
        Event::Report(Which::Spent, Failure, quick),
        Event::ForceOpen,
        Event::Release,
        Event::Passes(Ttl::from_secs(1)),
        Event::Passes(OPEN_FOR),
        Event::GoesBack,
    ]
}

/// A breaker, and what happened to it, told by nothing that it computes but the answers that it gives.
struct Run<'p> {
    guards: Guards,
    number: u16,
    policy: &'p Policy,
    /// The clock, which may go back; what the engine makes of it; and the time that counts.
    clock: Monotonic,
    high_water: HighWater,
    now: Monotonic,
    pending: Vec<PermitId>,
    spent: Vec<PermitId>,
    /// Probes under way since it was half-open last, each with the time at which it began.
    probes: Vec<(PermitId, Monotonic)>,
    /// Probes that came back well since.
    well: usize,
}

impl<'p> Run<'p> {
    fn new(policy: &'p Policy) -> Self {
        let mut guards = Guards::new(&Limits::DEFAULT, 0);
        guards.carry(None, policy, false);
        let number = policy.signal("gateway").unwrap();
        let zero = Monotonic::ZERO;
        let (pending, spent, probes) = (Vec::new(), Vec::new(), Vec::new());
        let high_water = HighWater::default();
        Self { guards, number, policy, clock: zero, high_water, now: zero, pending, spent, probes, well: 0 }
    }

    fn state(&self) -> &'static str {
        self.guards.state(self.number, self.now).unwrap()
    }

    /// All that the breaker holds but what it counts for metrics, and what the log says.
    fn fingerprint(&self) -> String {
        let guards = format!("{:?}", self.guards);
        let machine = guards.split(", counts:").next().unwrap();
        format!(
            "{machine} {:?} {:?} {:?} {:?} {:?} {}",
            self.clock,
            self.now,
            self.pending,
            self.spent.last(),
            self.probes,
            self.well
        )
    }

    /// Lets an event happen; false where it cannot.
    fn happens(&mut self, event: Event) -> bool {
        let before = self.state();
        match event {
            Event::Acquire => self.acquire(before),
            Event::Report(which, outcome, took) => {
                let permit = match which {
                    Which::Oldest => self.pending.first().copied(),
                    Which::Newest if self.pending.len() > 1 => self.pending.last().copied(),
                    Which::Newest => None,
                    Which::Spent => self.spent.last().copied(),
                };
                let Some(permit) = permit else { return false };
                self.report(permit, outcome, took, before);
            }
            Event::ForceOpen => {
                self.guards.force_open(self.number).unwrap();
                assert_eq!(self.state(), "forced_open");
                self.changes();
            }
            Event::Release => {
                let released = self.guards.release(self.number, self.now);
                if before == "forced_open" {
                    assert_eq!(
                        (released, self.state()),
                        (Ok(()), "half_open"),
                        "an operator lets go, to half-open alone"
                    );
                    self.changes();
                } else {
                    assert_eq!((released, self.state()), (Err(GuardError::NotForced), before));
                }
            }
            Event::Passes(span) => {
                self.passes(span, before);
            }
            Event::GoesBack => {
                if self.clock == Monotonic::ZERO {
                    return false;
                }
                self.clock = Monotonic::from_nanos(self.clock.as_nanos().saturating_sub(Ttl::from_secs(1).as_nanos()));
                let now = self.high_water.hold(self.clock);
                assert_eq!((now, self.state()), (self.now, before), "a clock that goes back stands still");
            }
        }
        let after = self.state();
        assert!(
            before != "forced_open" || after == "forced_open" || event == Event::Release,
            "forced open leaves by a release alone, and not by {event:?}"
        );
        let by_report = matches!(event, Event::Report(..));
        assert!(after != "closed" || before == "closed" || by_report, "{event:?} closed it");
        if after != "half_open" {
            self.changes();
        }
        self.says_when();
        true
    }

    fn changes(&mut self) {
        self.probes.clear();
        self.well = 0;
    }

    fn acquire(&mut self, before: &str) {
        match self.guards.acquire(self.number, None, self.now, None) {
            Ok(permit) => {
                assert!(["closed", "half_open"].contains(&before), "a call went through while it was {before}");
                assert!(!self.pending.contains(&permit) && !self.spent.contains(&permit), "a permit was given twice");
                self.pending.push(permit);
                if before == "half_open" {
                    self.probes.push((permit, self.now));
                    assert!(self.probes.len() + self.well <= PROBES, "more probes than there are");
                }
            }
            Err(GuardError::Open { until }) => assert!(before == "open" && until > self.now),
            Err(GuardError::ForcedOpen) => assert_eq!(before, "forced_open"),
            Err(GuardError::Probing) => {
                assert_eq!((before, self.probes.len() + self.well), ("half_open", PROBES), "a probe was kept away");
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn report(&mut self, permit: PermitId, outcome: CallOutcome, took: Ttl, before: &str) {
        let standing = self.guards.standing(self.number, self.now);
        let was_pending = self.pending.contains(&permit);
        let reported = self.guards.report(self.number, permit, outcome, Some(took), self.now).unwrap();
        self.pending.retain(|pending| *pending != permit);
        self.spent.push(permit);
        let probe = self.probes.iter().any(|(probe, _)| *probe == permit);
        if reported == Reported::Ignored {
            assert!(!probe, "the report of a probe was lost");
            // One that was counted all the same would part the breaker from the log with a later event.
            let after = (self.guards.standing(self.number, self.now), self.state());
            assert_eq!(after, (standing, before), "a late report changed something");
            return;
        }
        assert!(was_pending, "a report that was doubled was taken");
        let well = outcome == CallOutcome::Success && took < SLOW_AFTER;
        match before {
            "half_open" => {
                assert!(probe, "a call of before it was half-open was taken for a probe");
                self.probes.retain(|(other, _)| *other != permit);
                self.well += usize::from(well);
                let expected = match outcome {
                    CallOutcome::Ignored => "half_open",
                    _ if !well => "open",
                    _ if self.well == PROBES => "closed",
                    _ => "half_open",
                };
                assert_eq!(self.state(), expected);
                if expected == "closed" {
                    self.changes();
                    assert_eq!(self.guards.standing(self.number, self.now).view.status, Status::Ok);
                }
            }
            "closed" => assert!(["closed", "open"].contains(&self.state())),
            other => panic!("a report was taken while it was {other}"),
        }
    }

    /// Time alone opens what waits for a probe, and makes what is open half-open. It closes nothing.
    fn passes(&mut self, span: Ttl, before: &str) {
        let overdue = self.probes.iter().map(|(_, began)| began.after(OPEN_FOR)).min();
        self.clock = self.clock.after(span);
        self.now = self.high_water.hold(self.clock);
        let after = self.state();
        match (before, after) {
            ("closed", "closed") | ("forced_open", "forced_open") | ("open", "open" | "half_open") => {}
            ("half_open", "half_open") if overdue.is_none_or(|at| at > self.now) => {}
            // Open by a probe that was not reported, and perhaps half-open again since.
            ("half_open", "open" | "half_open") if overdue.is_some_and(|at| at <= self.now) => self.changes(),
            other => panic!("time alone led from {} to {}", other.0, other.1),
        }
    }

    /// When time alone changes the status next is said exactly.
    fn says_when(&self) {
        let standing = self.guards.standing(self.number, self.now);
        let status = |at| self.guards.standing(self.number, at).view.status;
        match standing.until {
            Some(until) => {
                assert!(until >= self.now);
                assert_eq!(status(until), standing.view.status);
                let next = until.after(Ttl::from_millis(1));
                assert_ne!(self.guards.state(self.number, next), self.guards.state(self.number, until));
            }
            None => assert_eq!(status(Monotonic::NEVER), standing.view.status),
        }
        let ok = standing.view.status == Status::Ok;
        assert!(!ok || self.state() == "closed", "ok means closed");
        assert!(!self.guards.reports(self.policy, self.now).is_empty());
    }
}

#[test]
fn the_breaker_keeps_its_word_in_every_order_of_events() {
    let bundle = bundle();
    let policy = &**bundle.policy();
    let events = events();
    let mut seen: HashSet<String> = HashSet::new();
    let mut queue: VecDeque<Vec<Event>> = VecDeque::from([Vec::new()]);
    let (mut orders, mut reached) = (0_u64, HashSet::new());
    while let Some(path) = queue.pop_front() {
        for event in &events {
            // What has no copy is made again: the same events give the same breaker.
            let mut run = Run::new(policy);
            for earlier in &path {
                run.happens(*earlier);
            }
            if !run.happens(*event) {
                continue;
            }
            orders += 1;
            reached.insert(run.state());
            if path.len() + 1 < DEPTH && seen.insert(run.fingerprint()) {
                queue.push_back(path.iter().copied().chain([*event]).collect());
            }
        }
    }
    println!("{} states, {orders} orders of up to {DEPTH} events", seen.len());
    assert_eq!(reached.len(), 4, "{reached:?}");
    assert!(seen.len() > 5_000, "{}", seen.len());
}
