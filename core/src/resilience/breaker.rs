//! A circuit breaker: after enough failures it keeps calls away from a dependency, and lets few through to see whether it
//! is back.
//!
//! ```text
//!            rate reached                 open_for is over
//!   closed ───────────────▶ open ───────────────────────────▶ half-open
//!     ▲                      ▲  a probe failed, was slow,         │
//!     │                      │  or was not reported in open_for   │
//!     │                      └────────────────────────────────────┤
//!     └────────────── all probes came back well ──────────────────┘
//!   forced open ◀── an operator, from any state; only an operator leads out of it, to half-open
//! ```

use std::collections::VecDeque;

use crate::time::{Monotonic, Ttl};

/// Over what the rates are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last calls, so many.
    Calls(u32),
    /// The calls that were reported in this last span; counted in ten slices of it, the oldest of which ends as a whole.
    Time(Ttl),
}

/// How a breaker is set up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerSpec {
    /// Over what the rates are taken.
    pub window: Window,
    /// How many calls the window must hold before a rate means anything; at least one.
    pub minimum_calls: u32,
    /// The share of failures, of 1,000 calls, at which it opens: 1 to 1,000.
    pub failures_per_mille: u32,
    /// From when on a call that came back well counts as slow; nothing to count none.
    pub slow_after: Option<Ttl>,
    /// The share of slow calls, of 1,000, at which it opens: 1 to 1,000.
    pub slow_per_mille: u32,
    /// For how long it stays open before it lets probes through.
    pub open_for: Ttl,
    /// How many probes there are in half-open, and how many of them must come back well.
    pub probes: u32,
}

impl Default for BreakerSpec {
    /// The last 20 calls, half of them failed, 30 s, three probes.
    fn default() -> Self {
        Self {
            window: Window::Calls(20),
            minimum_calls: 20,
            failures_per_mille: 500,
            slow_after: None,
            slow_per_mille: 500,
            open_for: Ttl::from_secs(30),
            probes: 3,
        }
    }
}

/// What is wrong with a set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BreakerSpecError {
    /// A rate that is no share of 1,000, or that nothing reaches.
    #[error("a rate must be from 1 to 1000 of 1000 calls")]
    Rate,
    /// A window that holds nothing, or more than [`CALLS_MAX`].
    #[error("the window must hold from 1 to {CALLS_MAX} calls, or a time above zero")]
    Window,
    /// A minimum that the window never holds.
    #[error("the minimum number of calls must be from 1 to what the window holds")]
    Minimum,
    /// No probe, or more than [`CALLS_MAX`].
    #[error("there must be from 1 to {CALLS_MAX} probes")]
    Probes,
    /// A time of zero.
    #[error("it must stay open for longer than zero")]
    OpenFor,
}

/// The most calls that a window or the probes may be.
pub const CALLS_MAX: u32 = 100_000;

/// In how many slices a window over time is counted.
const SLICES: u64 = 10;

/// Where a breaker stands. Strict before lenient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BreakerState {
    /// An operator keeps every call away.
    ForcedOpen,
    /// Calls are kept away until a time.
    Open,
    /// A few probes go through.
    HalfOpen,
    /// Calls go through.
    Closed,
}

impl BreakerState {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ForcedOpen => "forced_open",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Closed => "closed",
        }
    }
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// The dependency failed: an error of its own, a timeout, no connection.
    Failure,
    /// It answered. How long it took says whether that was slow.
    Success,
    /// It says nothing of the dependency: the caller gave up, or asked for nonsense.
    Ignored,
}

/// The right to make one call. It is used up by its report.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a probe that is not reported opens the breaker again"]
pub struct CallPermit {
    era: u64,
    started_at: Monotonic,
}

/// Why a call is kept away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallRefused {
    /// An operator keeps calls away.
    #[error("an operator keeps calls away")]
    ForcedOpen,
    /// Too much failed; nothing before this time.
    #[error("the breaker is open")]
    Open {
        /// When probes begin.
        until: Monotonic,
    },
    /// As many probes as there may be are under way.
    #[error("the breaker is half-open, and its probes are under way")]
    Probing,
}

/// A circuit breaker.
#[derive(Clone, Debug)]
pub struct Breaker {
    spec: BreakerSpec,
    /// The latest time seen: one that goes back stands still.
    now: Monotonic,
    /// Grows with every change of state, so that a report of a call from before it says nothing.
    era: u64,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    ForcedOpen,
    Open { until: Monotonic },
    HalfOpen { well: u32, leases: Vec<Monotonic> },
    Closed { counted: Counted },
}

/// What one call, or one slice of time, adds to the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    calls: u32,
    failures: u32,
    slow: u32,
}

/// The window, and the sum over it.
#[derive(Clone, Debug, Default)]
struct Counted {
    /// By the number of the slice; calls for a window of calls have the number zero.
    parts: VecDeque<(u64, Sum)>,
    sum: Sum,
}

impl BreakerSpec {
    /// Whether the set-up means something.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), BreakerSpecError> {
        let rate = 1..=1_000;
        if !rate.contains(&self.failures_per_mille) || !rate.contains(&self.slow_per_mille) {
            return Err(BreakerSpecError::Rate);
        }
        let held = match self.window {
            Window::Calls(calls) if (1..=CALLS_MAX).contains(&calls) => calls,
            Window::Time(span) if span.as_nanos() > 0 => CALLS_MAX,
            _ => return Err(BreakerSpecError::Window),
        };
        if !(1..=held).contains(&self.minimum_calls) {
            return Err(BreakerSpecError::Minimum);
        }
        if !(1..=CALLS_MAX).contains(&self.probes) {
            return Err(BreakerSpecError::Probes);
        }
        if self.open_for == Ttl::ZERO {
            return Err(BreakerSpecError::OpenFor);
        }
        Ok(())
    }
}

impl Breaker {
    /// A closed breaker that has seen nothing.
    ///
    /// # Errors
    /// What is wrong with the set-up.
    pub fn new(spec: BreakerSpec) -> Result<Self, BreakerSpecError> {
        spec.check()?;
        Ok(Self { spec, now: Monotonic::ZERO, era: 0, state: State::Closed { counted: Counted::default() } })
    }

    /// Where it stands at `now`: an open breaker whose time is over is half-open, and one whose probe was not reported in
    /// time is open again.
    #[must_use]
    pub fn state(&self, now: Monotonic) -> BreakerState {
        let now = now.max(self.now);
        match &self.state {
            State::ForcedOpen => BreakerState::ForcedOpen,
            State::Open { until } if now < *until => BreakerState::Open,
            State::HalfOpen { leases, .. } if overdue(leases, now).is_some_and(|end| now < self.opened_until(end)) => {
                BreakerState::Open
            }
            State::Open { .. } | State::HalfOpen { .. } => BreakerState::HalfOpen,
            State::Closed { .. } => BreakerState::Closed,
        }
    }

    /// How many probes are under way.
    #[must_use]
    pub fn probing(&self) -> u32 {
        match &self.state {
            State::HalfOpen { leases, .. } => u32::try_from(leases.len()).unwrap_or(u32::MAX),
            _ => 0,
        }
    }

    /// Asks whether a call may be made.
    ///
    /// # Errors
    /// Why not, and where time alone helps, from when on.
    pub fn acquire(&mut self, now: Monotonic) -> Result<CallPermit, CallRefused> {
        let now = self.held(now);
        let lease = now.after(self.spec.open_for);
        let permit = CallPermit { era: self.era, started_at: now };
        match &mut self.state {
            State::ForcedOpen => Err(CallRefused::ForcedOpen),
            State::Open { until } => Err(CallRefused::Open { until: *until }),
            State::HalfOpen { well, leases } => {
                let taken = u32::try_from(leases.len()).unwrap_or(u32::MAX).saturating_add(*well);
                if taken >= self.spec.probes {
                    return Err(CallRefused::Probing);
                }
                leases.push(lease);
                Ok(permit)
            }
            State::Closed { .. } => Ok(permit),
        }
    }

    /// Tells what a call came to; whether that says anything still, or is of a time before the last change.
    pub fn report(&mut self, permit: CallPermit, outcome: CallOutcome, now: Monotonic) -> bool {
        let took = now.max(self.now).nanos_since(permit.started_at);
        self.report_after(permit, outcome, Ttl::from_nanos(took), now)
    }

    /// Tells what a call came to that took so long by the caller's own measure.
    pub fn report_after(&mut self, permit: CallPermit, outcome: CallOutcome, took: Ttl, now: Monotonic) -> bool {
        let now = self.held(now);
        if permit.era != self.era {
            return false;
        }
        let slow = self.spec.slow_after.is_some_and(|limit| took >= limit);
        let failed = outcome == CallOutcome::Failure;
        match &mut self.state {
            State::ForcedOpen | State::Open { .. } => {}
            State::HalfOpen { well, leases } => {
                let lease = permit.started_at.after(self.spec.open_for);
                if let Some(at) = leases.iter().position(|end| *end == lease) {
                    leases.swap_remove(at);
                }
                match outcome {
                    CallOutcome::Ignored => {}
                    _ if failed || slow => self.open(now),
                    _ => {
                        *well = well.saturating_add(1);
                        if *well >= self.spec.probes {
                            self.change(State::Closed { counted: Counted::default() });
                        }
                    }
                }
            }
            State::Closed { .. } if outcome == CallOutcome::Ignored => {}
            State::Closed { counted } => {
                let one = Sum { calls: 1, failures: u32::from(failed), slow: u32::from(slow && !failed) };
                counted.add(one, self.spec.window, now);
                if counted.sum.opens(&self.spec) {
                    self.open(now);
                }
            }
        }
        true
    }

    /// Keeps every call away until [`Breaker::release`]: what an operator does who knows more.
    pub fn force_open(&mut self) {
        if !matches!(self.state, State::ForcedOpen) {
            self.change(State::ForcedOpen);
        }
    }

    /// Ends what [`Breaker::force_open`] began. The breaker is half-open then: that an operator lets go of it does not show
    /// that the dependency is well.
    pub fn release(&mut self) {
        if matches!(self.state, State::ForcedOpen) {
            self.change(State::HalfOpen { well: 0, leases: Vec::new() });
        }
    }

    /// When time alone changes something after `now`: an open breaker becomes half-open, a half-open one whose probe is not
    /// reported opens again.
    #[must_use]
    pub fn next_deadline(&self, now: Monotonic) -> Option<Monotonic> {
        let now = now.max(self.now);
        let next = match &self.state {
            State::Open { until } => Some(*until),
            State::HalfOpen { leases, .. } => match overdue(leases, now) {
                Some(end) => Some(self.opened_until(end)),
                None => leases.iter().copied().min(),
            },
            State::ForcedOpen | State::Closed { .. } => None,
        };
        next.filter(|next| *next > now)
    }

    fn opened_until(&self, at: Monotonic) -> Monotonic {
        at.after(self.spec.open_for)
    }

    fn open(&mut self, at: Monotonic) {
        let until = self.opened_until(at);
        self.change(State::Open { until });
    }

    fn change(&mut self, state: State) {
        self.era = self.era.saturating_add(1);
        self.state = state;
    }

    /// The time that counts, and what it alone does.
    fn held(&mut self, now: Monotonic) -> Monotonic {
        self.now = self.now.max(now);
        // A probe whose caller has vanished has failed as far as anybody knows.
        if let State::HalfOpen { leases, .. } = &self.state
            && let Some(end) = overdue(leases, self.now)
        {
            self.open(end);
        }
        if let State::Open { until } = self.state
            && until <= self.now
        {
            self.change(State::HalfOpen { well: 0, leases: Vec::new() });
        }
        self.now
    }
}

/// The end of the first lease that is over by `now`.
fn overdue(leases: &[Monotonic], now: Monotonic) -> Option<Monotonic> {
    leases.iter().copied().filter(|end| *end <= now).min()
}

impl Sum {
    fn opens(self, spec: &BreakerSpec) -> bool {
        let reached = |part: u32, per_mille: u32| {
            u64::from(part).saturating_mul(1_000) >= u64::from(self.calls).saturating_mul(u64::from(per_mille))
        };
        self.calls >= spec.minimum_calls
            && (reached(self.failures, spec.failures_per_mille)
                || (spec.slow_after.is_some() && reached(self.slow, spec.slow_per_mille)))
    }

    fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            failures: self.failures.saturating_add(other.failures),
            slow: self.slow.saturating_add(other.slow),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(other.calls),
            failures: self.failures.saturating_sub(other.failures),
            slow: self.slow.saturating_sub(other.slow),
        }
    }
}

impl Counted {
    fn add(&mut self, one: Sum, window: Window, now: Monotonic) {
        let slice = match window {
            Window::Calls(_) => 0,
            Window::Time(span) => {
                let width = span.as_nanos().checked_div(SLICES).unwrap_or(0).max(1);
                now.as_nanos().checked_div(width).unwrap_or(0)
            }
        };
        match self.parts.back_mut() {
            Some((last, sum)) if matches!(window, Window::Time(_)) && *last == slice => *sum = sum.plus(one),
            _ => self.parts.push_back((slice, one)),
        }
        self.sum = self.sum.plus(one);
        loop {
            let ended = match (self.parts.front(), window) {
                (Some(_), Window::Calls(calls)) => self.parts.len() > usize::try_from(calls).unwrap_or(usize::MAX),
                (Some((first, _)), Window::Time(_)) => first.saturating_add(SLICES) <= slice,
                (None, _) => false,
            };
            if !ended {
                return;
            }
            if let Some((_, sum)) = self.parts.pop_front() {
                self.sum = self.sum.minus(sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Monotonic {
        Monotonic::from_millis(millis)
    }

    fn breaker() -> Breaker {
        let window = Window::Calls(4);
        let open_for = Ttl::from_millis(100);
        Breaker::new(BreakerSpec { window, minimum_calls: 4, open_for, probes: 2, ..BreakerSpec::default() }).unwrap()
    }

    fn call(breaker: &mut Breaker, outcome: CallOutcome, now: u64) {
        let permit = breaker.acquire(at(now)).unwrap();
        breaker.report(permit, outcome, at(now));
    }

    use CallOutcome::{Failure, Ignored, Success};

    #[test]
    fn it_opens_at_its_rate_and_not_before_its_minimum() {
        let mut breaker = breaker();
        for outcome in [Failure, Failure, Success] {
            call(&mut breaker, outcome, 0);
            assert_eq!(breaker.state(at(0)), BreakerState::Closed);
        }
        call(&mut breaker, Success, 0);
        assert_eq!(breaker.state(at(0)), BreakerState::Open);
        assert_eq!(breaker.acquire(at(99)), Err(CallRefused::Open { until: at(100) }));
        assert_eq!(breaker.next_deadline(at(0)), Some(at(100)));
    }

    #[test]
    fn what_leaves_the_window_counts_no_longer() {
        let mut breaker = breaker();
        for outcome in [Failure, Success, Success, Success, Success, Failure, Success, Success, Success] {
            call(&mut breaker, outcome, 0);
            assert_eq!(breaker.state(at(0)), BreakerState::Closed);
        }
        let spec =
            BreakerSpec { window: Window::Time(Ttl::from_millis(1_000)), minimum_calls: 2, ..BreakerSpec::default() };
        let mut breaker = Breaker::new(spec).unwrap();
        call(&mut breaker, Failure, 0);
        call(&mut breaker, Success, 1_000);
        assert_eq!(breaker.state(at(1_000)), BreakerState::Closed);
        call(&mut breaker, Failure, 1_001);
        assert_eq!(breaker.state(at(1_001)), BreakerState::Open);
    }

    #[test]
    fn half_open_lets_its_probes_through_and_no_more() {
        let mut breaker = breaker();
        (0..4).for_each(|_| call(&mut breaker, Failure, 0));
        let first = breaker.acquire(at(100)).unwrap();
        let second = breaker.acquire(at(100)).unwrap();
        assert_eq!(breaker.acquire(at(100)), Err(CallRefused::Probing));
        breaker.report(first, Success, at(110));
        // A probe that came back well is used up: a third would be one more than there are.
        assert_eq!(breaker.acquire(at(110)), Err(CallRefused::Probing));
        breaker.report(second, Success, at(120));
        assert_eq!(breaker.state(at(120)), BreakerState::Closed);
    }

    #[test]
    fn a_probe_that_fails_opens_it_again_for_the_whole_time() {
        let mut breaker = breaker();
        (0..4).for_each(|_| call(&mut breaker, Failure, 0));
        let first = breaker.acquire(at(150)).unwrap();
        let second = breaker.acquire(at(150)).unwrap();
        breaker.report(first, Failure, at(160));
        assert_eq!(breaker.acquire(at(259)), Err(CallRefused::Open { until: at(260) }));
        // The other probe belongs to an era that is over.
        breaker.report(second, Success, at(259));
        assert_eq!(breaker.state(at(259)), BreakerState::Open);
        assert_eq!(breaker.state(at(260)), BreakerState::HalfOpen);
    }

    #[test]
    fn a_probe_whose_caller_vanished_opens_it_again() {
        let mut breaker = breaker();
        (0..4).for_each(|_| call(&mut breaker, Failure, 0));
        let (first, _vanished) = (breaker.acquire(at(100)).unwrap(), breaker.acquire(at(150)).unwrap());
        assert_eq!((breaker.state(at(199)), breaker.next_deadline(at(199))), (BreakerState::HalfOpen, Some(at(200))));
        assert_eq!((breaker.state(at(200)), breaker.next_deadline(at(200))), (BreakerState::Open, Some(at(300))));
        assert_eq!((breaker.state(at(300)), breaker.next_deadline(at(300))), (BreakerState::HalfOpen, None));
        assert_eq!(breaker.acquire(at(299)), Err(CallRefused::Open { until: at(300) }));
        assert!(!breaker.report(first, Success, at(300)), "it comes too late to say anything");
        assert_eq!(breaker.state(at(300)), BreakerState::HalfOpen);
    }

    #[test]
    fn an_operator_keeps_it_open_and_alone_lets_go() {
        let mut breaker = breaker();
        let late = breaker.acquire(at(0)).unwrap();
        breaker.force_open();
        assert_eq!(breaker.acquire(at(1_000_000)), Err(CallRefused::ForcedOpen));
        breaker.report(late, Success, at(1_000_000));
        assert_eq!(breaker.state(Monotonic::NEVER), BreakerState::ForcedOpen);
        breaker.release();
        assert_eq!(breaker.state(at(1_000_000)), BreakerState::HalfOpen);
        breaker.release();
        assert_eq!(breaker.state(at(1_000_000)), BreakerState::HalfOpen);
    }

    #[test]
    fn slow_calls_count_and_ignored_ones_do_not() {
        let spec = BreakerSpec { slow_after: Some(Ttl::from_millis(50)), ..breaker().spec };
        let mut breaker = Breaker::new(spec).unwrap();
        for began in [0, 50] {
            let permit = breaker.acquire(at(began)).unwrap();
            breaker.report(permit, Success, at(began + 50));
        }
        (0..10).for_each(|_| call(&mut breaker, Ignored, 100));
        call(&mut breaker, Success, 100);
        assert_eq!(breaker.state(at(100)), BreakerState::Closed);
        call(&mut breaker, Success, 100);
        assert_eq!(breaker.state(at(100)), BreakerState::Open);
    }

    #[test]
    fn time_that_goes_back_stands_still() {
        let mut breaker = breaker();
        (0..4).for_each(|_| call(&mut breaker, Failure, 1_000));
        assert_eq!(breaker.acquire(at(0)), Err(CallRefused::Open { until: at(1_100) }));
        assert!(breaker.acquire(at(1_100)).is_ok());
        assert!(breaker.acquire(at(0)).is_ok());
    }

    #[test]
    fn a_set_up_that_means_nothing_is_refused() {
        let refused = |change: fn(&mut BreakerSpec)| {
            let mut spec = BreakerSpec::default();
            change(&mut spec);
            Breaker::new(spec).unwrap_err()
        };
        assert_eq!(refused(|spec| spec.failures_per_mille = 0), BreakerSpecError::Rate);
        assert_eq!(refused(|spec| spec.slow_per_mille = 1_001), BreakerSpecError::Rate);
        assert_eq!(refused(|spec| spec.window = Window::Calls(0)), BreakerSpecError::Window);
        assert_eq!(refused(|spec| spec.window = Window::Time(Ttl::ZERO)), BreakerSpecError::Window);
        assert_eq!(refused(|spec| spec.minimum_calls = 21), BreakerSpecError::Minimum);
        assert_eq!(refused(|spec| spec.probes = 0), BreakerSpecError::Probes);
        assert_eq!(refused(|spec| spec.open_for = Ttl::ZERO), BreakerSpecError::OpenFor);
    }
}
