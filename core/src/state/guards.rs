//! Guards: the state machines for the host's own calls, as signals that a policy declares (spec 1.5, 1.9).
//!
//! A host asks a guard before a call and tells it afterwards. Permits are numbers that are never given out twice, so that
//! they pass through every language, and one that is unknown, doubled or late does nothing but count. What a guard comes
//! to as a signal:
//!
//! - nothing heard yet, or nothing for longer than its `ttl`: unknown, while calls may be made, so that there is a first;
//! - a breaker: closed is ok, half-open degraded, open and forced open failed, whatever its `ttl` says;
//! - any other: ok, and degraded while it is full. A full guard protects something that works.
//!
//! Silence alone makes none of them ok: what was full is ok again by the next call that finds room.

use std::collections::BTreeMap;

use crate::condition::{SignalView, Status};
use crate::faults::point;
use crate::limits::Limits;
use crate::name::Name;
use crate::policy::compile::Policy;
use crate::policy::guard::GuardSpec;
use crate::policy::signal::{SignalSpec, Source};
use crate::resilience::backoff::{Backoff, Failure, NoRetry, Tries};
use crate::resilience::breaker::{Breaker, BreakerState, CallOutcome, CallPermit, CallRefused};
use crate::resilience::bulkhead::{Bulkhead, Place};
use crate::resilience::limiter::{Limited, Limiter};
use crate::resilience::replay_guard::{self, ReplayGuard};
use crate::state::signals::Standing;
use crate::time::{Monotonic, Now, Ttl, Wall};

/// Why a guard lets a call not through, or cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// No bundle is active.
    #[error("no bundle is active")]
    NoPolicy,
    /// The bundle declares no such signal.
    #[error("the pack declares no such signal")]
    UnknownSignal,
    /// The signal is no guard, or none that this can be asked of.
    #[error("the signal is no guard of which this can be asked")]
    NotThisGuard,
    /// This guard tells keys apart, and was given none.
    #[error("this guard needs a key, and not an empty one")]
    KeyMissing,
    /// This guard tells no keys apart, and was given one.
    #[error("this guard tells no keys apart; leave the key out")]
    KeyUnexpected,
    /// The key is too long.
    #[error("the key is too long")]
    KeyTooLong,
    /// An operator keeps calls away.
    #[error("an operator keeps calls away")]
    ForcedOpen,
    /// The breaker is not forced open, and there is nothing to release.
    #[error("the breaker is not forced open")]
    NotForced,
    /// Too much failed.
    #[error("the breaker is open")]
    Open {
        /// When probes begin.
        until: Monotonic,
    },
    /// As many probes as there may be are under way, or came back well.
    #[error("the breaker is half-open, and its probes are taken")]
    Probing,
    /// As many calls as there may be are under way.
    #[error("as many calls as there may be are under way")]
    Full {
        /// When the first lease ends, if leases do.
        until: Option<Monotonic>,
    },
    /// The key has used up what it has.
    #[error("the limit is used up")]
    UsedUp {
        /// When one call may come again.
        until: Monotonic,
    },
    /// There is no room for another key.
    #[error("there is no room for another key")]
    NoRoom,
    /// The key was seen before.
    #[error("the key was seen before")]
    Duplicate,
    /// What the key stands for was made before the window.
    #[error("what the key stands for is too old")]
    TooOld,
    /// What the key stands for was made in the future.
    #[error("what the key stands for is from the future")]
    FromTheFuture,
    /// The clocks have parted, and the age of a key is not known.
    #[error("the clocks have parted, and the age of a key is not known")]
    ClockUntrusted,
    /// The call is not under way: it was never permitted, or was reported.
    #[error("no such call is under way")]
    UnknownPermit,
    /// The outcome will be the same next time.
    #[error("the outcome is none that the pack calls transient")]
    Permanent,
    /// The call has had all its retries.
    #[error("the call has had all its retries")]
    Exhausted,
    /// All calls together have had their share of retries.
    #[error("the budget of retries is used up")]
    BudgetUsedUp,
}

impl GuardError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoPolicy => "no_policy",
            Self::UnknownSignal => "unknown_signal",
            Self::NotThisGuard => "not_this_guard",
            Self::KeyMissing => "key_missing",
            Self::KeyUnexpected => "key_unexpected",
            Self::KeyTooLong => "key_too_long",
            Self::ForcedOpen => "forced_open",
            Self::NotForced => "not_forced",
            Self::Open { .. } => "open",
            Self::Probing => "probing",
            Self::Full { .. } => "full",
            Self::UsedUp { .. } => "used_up",
            Self::NoRoom => "no_room",
            Self::Duplicate => "duplicate",
            Self::TooOld => "too_old",
            Self::FromTheFuture => "from_the_future",
            Self::ClockUntrusted => "clock_untrusted",
            Self::UnknownPermit => "unknown_permit",
            Self::Permanent => "permanent",
            Self::Exhausted => "exhausted",
            Self::BudgetUsedUp => "budget_used_up",
        }
    }

    /// From when on it is worth asking again, where time alone helps.
    #[must_use]
    pub const fn until(&self) -> Option<Monotonic> {
        match self {
            Self::Open { until } | Self::UsedUp { until } => Some(*until),
            Self::Full { until } => *until,
            _ => None,
        }
    }
}

/// The number of a permit. An engine gives out none twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PermitId(u64);

impl PermitId {
    /// The permit of a number that a host kept.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Its number; from one.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// The guard has taken it in.
    Taken,
    /// It says nothing: its permit is unknown or used up, or of a time before the guard last changed.
    Ignored,
}

impl Reported {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Ignored => "ignored",
        }
    }
}

/// What a guard has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuardCounts {
    /// Calls that it let through.
    pub permitted: u64,
    /// Calls that it did not.
    pub refused: u64,
    /// Reports that it took in.
    pub reported: u64,
    /// Reports that said nothing.
    pub ignored: u64,
    /// Retries that it granted.
    pub retried: u64,
}

/// How it stands with one guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardReport {
    /// The signal's name.
    pub signal: Name,
    /// What it is: `breaker`, `bulkhead`, `limiter`, `retry`, `replay_guard`.
    pub kind: &'static str,
    /// Where it stands: `closed`, `open`, `half_open`, `forced_open` for a breaker, `free` or `full` for any other.
    pub state: &'static str,
    /// What that is as a signal.
    pub status: Status,
    /// Calls under way, or keys that are remembered.
    pub held: usize,
    /// What it has counted.
    pub counts: GuardCounts,
}

impl GuardReport {
    /// The report as JSON, one flat map, for metrics.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let GuardCounts { permitted, refused, reported, ignored, retried } = self.counts;
        serde_json::json!({
            "signal": self.signal.as_str(), "kind": self.kind, "state": self.state, "status": self.status.name(),
            "held": self.held, "permitted": permitted, "refused": refused, "reported": reported, "ignored": ignored,
            "retried": retried,
        })
    }
}

/// The guards of the active bundle.
#[derive(Debug)]
pub struct Guards {
    /// By the number of the signal.
    guards: Vec<Option<Guard>>,
    /// The number of the permit given out last.
    last: u64,
    permits_max: usize,
    seed: u64,
}

/// What becomes of a signal's guard with another policy.
enum Carried {
    /// It starts anew, or is none.
    Anew(Option<Guard>),
    /// It stays what it is, under the number that it had.
    Kept(usize, Option<Ttl>),
}

#[derive(Debug)]
struct Guard {
    machine: Machine,
    ttl: Option<Ttl>,
    heard: Option<Heard>,
    counts: GuardCounts,
}

/// When something was heard of a guard's calls, and how much older that is by sleeps in which the clock stood still.
#[derive(Debug, Clone, Copy)]
struct Heard {
    at: Monotonic,
    slept: Ttl,
}

impl Heard {
    const fn at(at: Monotonic) -> Self {
        Self { at, slept: Ttl::ZERO }
    }

    /// Until when, inclusive, it counts. The sleep comes off the end: when it was heard may be nearer to the clock's zero.
    const fn until(self, ttl: Ttl) -> Monotonic {
        self.at.after(ttl).before(self.slept)
    }
}

#[derive(Debug)]
enum Machine {
    Breaker { breaker: Breaker, permits: BTreeMap<u64, CallPermit> },
    Bulkhead { bulkhead: Bulkhead, calls: u32, places: BTreeMap<u64, Place> },
    Limiter { limiter: Limiter, keys_max: usize, full: bool, used_up: bool },
    Retry { backoff: Backoff, transient: Box<[Box<str>]>, tries: BTreeMap<u64, Tries> },
    ReplayGuard { guard: ReplayGuard, full: bool },
}

impl Machine {
    /// A machine that has seen nothing; nothing where its set-up means nothing, which no compiled policy has.
    fn new(spec: &GuardSpec, seed: u64) -> Option<Self> {
        Some(match spec {
            GuardSpec::Breaker(spec) => Self::Breaker { breaker: Breaker::new(*spec).ok()?, permits: BTreeMap::new() },
            GuardSpec::Bulkhead(spec) => {
                Self::Bulkhead { bulkhead: Bulkhead::new(*spec).ok()?, calls: spec.calls, places: BTreeMap::new() }
            }
            GuardSpec::Limiter(spec) => Self::Limiter {
                limiter: Limiter::new(*spec, seed).ok()?,
                keys_max: spec.keys_max,
                full: false,
                used_up: false,
            },
            GuardSpec::Retry(spec) => Self::Retry {
                backoff: Backoff::new(spec.backoff, seed).ok()?,
                transient: spec.transient.clone(),
                tries: BTreeMap::new(),
            },
            GuardSpec::ReplayGuard(spec) => Self::ReplayGuard { guard: ReplayGuard::new(*spec, seed), full: false },
        })
    }

    fn full(&self) -> bool {
        match self {
            Self::Breaker { .. } => false,
            Self::Bulkhead { bulkhead, calls, .. } => bulkhead.under_way() >= *calls,
            Self::Limiter { full, used_up, .. } => *full || *used_up,
            Self::Retry { backoff, .. } => backoff.used_up(),
            Self::ReplayGuard { full, .. } => *full,
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Breaker { permits, .. } => permits.len(),
            Self::Bulkhead { places, .. } => places.len(),
            Self::Limiter { limiter, .. } => limiter.keys(),
            Self::Retry { tries, .. } => tries.len(),
            Self::ReplayGuard { guard, .. } => guard.keys(),
        }
    }
}

impl Guard {
    /// Asks for the permit of that number.
    fn acquire(
        &mut self,
        number: u64,
        key: Option<&str>,
        at: Monotonic,
        wall: Option<Wall>,
        permits_max: usize,
    ) -> Result<(), GuardError> {
        match (&mut self.machine, key) {
            (Machine::Breaker { .. } | Machine::Bulkhead { .. } | Machine::Retry { .. }, Some(_)) => {
                Err(GuardError::KeyUnexpected)
            }
            (Machine::Limiter { .. }, Some("")) | (Machine::ReplayGuard { .. }, None | Some("")) => {
                Err(GuardError::KeyMissing)
            }
            (Machine::Breaker { breaker, permits }, None) => {
                // A call that has not come back while so many others did has failed as far as anybody knows.
                while permits.len() >= permits_max
                    && let Some((_, oldest)) = permits.pop_first()
                {
                    breaker.report_after(oldest, CallOutcome::Failure, Ttl::ZERO, at);
                }
                let permit = breaker.acquire(at).map_err(|refused| match refused {
                    CallRefused::ForcedOpen => GuardError::ForcedOpen,
                    CallRefused::Open { until } => GuardError::Open { until },
                    CallRefused::Probing => GuardError::Probing,
                })?;
                permits.insert(number, permit);
                Ok(())
            }
            (Machine::Bulkhead { bulkhead, places, .. }, None) => {
                self.heard = Some(Heard::at(at));
                let place = bulkhead.acquire(at);
                // The places whose leases are over, which are the oldest.
                let taken = usize::try_from(bulkhead.under_way()).unwrap_or(usize::MAX);
                let kept = taken.saturating_sub(usize::from(place.is_ok()));
                while places.len() > kept {
                    places.pop_first();
                }
                places.insert(number, place.map_err(|full| GuardError::Full { until: full.until })?);
                Ok(())
            }
            (Machine::Limiter { limiter, keys_max, full, used_up }, key) => {
                self.heard = Some(Heard::at(at));
                let done = limiter.acquire(key.unwrap_or_default().as_bytes(), at);
                *full = match done {
                    Err(Limited::NoRoom) => true,
                    Ok(()) if limiter.keys() < *keys_max || *keys_max == 1 => false,
                    _ => *full,
                };
                if key.is_none() {
                    *used_up = matches!(done, Err(Limited::UsedUp { .. }));
                }
                done.map_err(|limited| match limited {
                    Limited::UsedUp { until } => GuardError::UsedUp { until: until.rounded_up() },
                    Limited::NoRoom => GuardError::NoRoom,
                    Limited::KeyTooLong => GuardError::KeyTooLong,
                })
            }
            (Machine::Retry { backoff, tries, .. }, None) => {
                self.heard = Some(Heard::at(at));
                // A call that is forgotten is not tried again.
                while tries.len() >= permits_max && tries.pop_first().is_some() {}
                tries.insert(number, backoff.begin());
                Ok(())
            }
            (Machine::ReplayGuard { .. }, Some(key)) => {
                let wall = wall.ok_or(GuardError::ClockUntrusted)?;
                self.first_seen(key, wall, wall, at)
            }
        }
    }

    fn first_seen(&mut self, key: &str, made_at: Wall, wall: Wall, at: Monotonic) -> Result<(), GuardError> {
        let Machine::ReplayGuard { guard, full } = &mut self.machine else { return Err(GuardError::NotThisGuard) };
        self.heard = Some(Heard::at(at));
        let done = guard.take(key.as_bytes(), made_at, wall);
        *full = match done {
            Err(replay_guard::Refused::NoRoom) => true,
            Ok(()) => false,
            Err(_) => *full,
        };
        done.map_err(|refused| match refused {
            replay_guard::Refused::Duplicate => GuardError::Duplicate,
            replay_guard::Refused::Expired => GuardError::TooOld,
            replay_guard::Refused::Future => GuardError::FromTheFuture,
            replay_guard::Refused::NoRoom => GuardError::NoRoom,
            replay_guard::Refused::KeyTooLong => GuardError::KeyTooLong,
        })
    }

    fn report(&mut self, number: u64, outcome: CallOutcome, took: Option<Ttl>, at: Monotonic) -> Reported {
        let taken = match &mut self.machine {
            Machine::Breaker { breaker, permits } => {
                let permit = permits.remove(&number);
                let taken = permit.is_some_and(|permit| match took {
                    Some(took) => breaker.report_after(permit, outcome, took, at),
                    None => breaker.report(permit, outcome, at),
                });
                // The first thing to be heard has to be good news: a breaker that only ever failed is closed too.
                let says = match outcome {
                    CallOutcome::Success => true,
                    CallOutcome::Failure => self.heard.is_some(),
                    CallOutcome::Ignored => false,
                };
                if taken && says {
                    self.heard = Some(Heard::at(at));
                }
                taken
            }
            Machine::Bulkhead { bulkhead, places, .. } => places.remove(&number).is_some_and(|place| {
                bulkhead.release(place);
                self.heard = Some(Heard::at(at));
                true
            }),
            Machine::Retry { tries, .. } => tries.remove(&number).is_some(),
            Machine::Limiter { .. } | Machine::ReplayGuard { .. } => false,
        };
        let counts = &mut self.counts;
        let counted = if taken { &mut counts.reported } else { &mut counts.ignored };
        *counted = counted.saturating_add(1);
        if taken { Reported::Taken } else { Reported::Ignored }
    }

    fn state(&self, at: Monotonic) -> &'static str {
        match &self.machine {
            Machine::Breaker { breaker, .. } => breaker.state(at).code(),
            machine if machine.full() => "full",
            _ => "free",
        }
    }

    fn standing(&self, at: Monotonic) -> Standing {
        let heard_until = match (self.heard, self.ttl) {
            (Some(heard), Some(ttl)) => Some(heard.until(ttl)),
            _ => None,
        };
        let silent = self.heard.is_none() || heard_until.is_some_and(|until| until < at);
        let (status, changes_at) = match &self.machine {
            Machine::Breaker { breaker, .. } => {
                let status = match breaker.state(at) {
                    BreakerState::ForcedOpen | BreakerState::Open => Status::Failed,
                    _ if silent => Status::Unknown,
                    BreakerState::HalfOpen => Status::Degraded,
                    BreakerState::Closed => Status::Ok,
                };
                (status, breaker.next_deadline(at))
            }
            _ if silent => (Status::Unknown, None),
            machine if machine.full() => (Status::Degraded, None),
            _ => (Status::Ok, None),
        };
        let heard_until = heard_until.filter(|_| matches!(status, Status::Ok | Status::Degraded));
        let until = [changes_at.map(just_before), heard_until].into_iter().flatten().min();
        // A guard is no observation, and has no age.
        Standing { view: SignalView { status, observed_at: None }, until }
    }
}

/// The last whole millisecond before `at`.
const fn just_before(at: Monotonic) -> Monotonic {
    Monotonic::from_nanos(at.as_nanos().saturating_sub(1_000_000))
}

impl Guards {
    /// No guards.
    #[must_use]
    pub const fn new(limits: &Limits, seed: u64) -> Self {
        Self { guards: Vec::new(), last: 0, permits_max: limits.permits_max, seed }
    }

    /// Takes over to another policy: a guard that is declared as before keeps its state, unless all start `anew`. One that an
    /// operator forced open stays so in any case: a bundle lets go of nothing that an operator holds.
    pub fn carry(&mut self, before: Option<&Policy>, after: &Policy, anew: bool) {
        let carried = |(number, spec): (usize, &SignalSpec)| {
            let Source::Guard { spec: wanted, ttl } = &spec.source else { return Carried::Anew(None) };
            let known = before.and_then(|before| {
                let number = usize::from(before.signal(&spec.name)?);
                Some((before.signals.get(number)?, number, self.guards.get(number)?.as_ref()?))
            });
            if let Some((was, number, _)) = known
                && declares(&was.source, wanted)
            {
                return Carried::Kept(number, *ttl);
            }
            let seed = self.seed ^ u64::try_from(number).unwrap_or(u64::MAX);
            let counts = GuardCounts::default();
            let machine = Machine::new(wanted, seed);
            let mut fresh = machine.map(|machine| Guard { machine, ttl: *ttl, heard: None, counts });
            if let Some((_, _, Guard { machine: Machine::Breaker { breaker: old, .. }, .. })) = known
                && let Some(Guard { machine: Machine::Breaker { breaker, .. }, .. }) = &mut fresh
                && old.state(Monotonic::ZERO) == BreakerState::ForcedOpen
            {
                breaker.force_open();
            }
            Carried::Anew(fresh)
        };
        let carried: Vec<Carried> = after.signals.iter().enumerate().map(carried).collect();
        point("guards: chosen");
        // All at once: what an operator forced open is never in neither of the two.
        let mut held = std::mem::take(&mut self.guards);
        self.guards.extend(carried.into_iter().map(|carried| match carried {
            Carried::Anew(guard) => guard,
            Carried::Kept(number, ttl) => held.get_mut(number)?.take().map(|guard| {
                let heard = guard.heard.filter(|_| !anew);
                Guard { ttl, heard, ..guard }
            }),
        }));
    }

    fn guard(&mut self, number: u16) -> Result<&mut Guard, GuardError> {
        self.guards.get_mut(usize::from(number)).and_then(Option::as_mut).ok_or(GuardError::NotThisGuard)
    }

    /// The monotonic clock may have stood still for so long: what was heard of calls is older by that.
    pub fn slept(&mut self, span: Ttl) {
        for heard in self.guards.iter_mut().flatten().filter_map(|guard| guard.heard.as_mut()) {
            heard.slept = Ttl::from_nanos(heard.slept.as_nanos().saturating_add(span.as_nanos()));
        }
    }

    /// What the guard of that signal is at `at`, and until when, inclusive, that can be said without another call.
    #[must_use]
    pub fn standing(&self, number: u16, at: Monotonic) -> Standing {
        let guard = self.guards.get(usize::from(number)).and_then(Option::as_ref);
        guard.map(|guard| guard.standing(at)).unwrap_or_default()
    }

    /// Where the guard of that signal stands; nothing where it is none.
    #[must_use]
    pub fn state(&self, number: u16, at: Monotonic) -> Option<&'static str> {
        Some(self.guards.get(usize::from(number))?.as_ref()?.state(at))
    }

    /// Asks whether a call may be made; the wall clock is given where it is to be trusted.
    ///
    /// # Errors
    /// Why not.
    pub fn acquire(
        &mut self,
        number: u16,
        key: Option<&str>,
        at: Monotonic,
        wall: Option<Wall>,
    ) -> Result<PermitId, GuardError> {
        let (permit, permits_max) = (self.last.saturating_add(1), self.permits_max);
        let guard = self.guard(number)?;
        if let Err(refused) = guard.acquire(permit, key, at, wall, permits_max) {
            guard.counts.refused = guard.counts.refused.saturating_add(1);
            return Err(refused);
        }
        guard.counts.permitted = guard.counts.permitted.saturating_add(1);
        self.last = permit;
        Ok(PermitId(permit))
    }

    /// Tells what a call came to, and how long it took where the host has measured that itself.
    ///
    /// # Errors
    /// [`GuardError::NotThisGuard`].
    pub fn report(
        &mut self,
        number: u16,
        permit: PermitId,
        outcome: CallOutcome,
        took: Option<Ttl>,
        at: Monotonic,
    ) -> Result<Reported, GuardError> {
        Ok(self.guard(number)?.report(permit.0, outcome, took, at))
    }

    /// Uses up a key that stands for something made at `made_at`.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn first_seen(&mut self, number: u16, key: &str, made_at: Wall, now: Now) -> Result<(), GuardError> {
        let guard = self.guard(number)?;
        let done = if key.is_empty() {
            Err(GuardError::KeyMissing)
        } else {
            guard.first_seen(key, made_at, now.wall, now.monotonic)
        };
        let counted = if done.is_ok() { &mut guard.counts.permitted } else { &mut guard.counts.refused };
        *counted = counted.saturating_add(1);
        done
    }

    /// How long to wait before a call is tried again that came to this, in the host's word for it.
    ///
    /// # Errors
    /// Why it is not tried again.
    pub fn retry(&mut self, number: u16, permit: PermitId, outcome: &str) -> Result<Ttl, GuardError> {
        let guard = self.guard(number)?;
        let Machine::Retry { backoff, transient, tries } = &mut guard.machine else {
            return Err(GuardError::NotThisGuard);
        };
        let tries = tries.get_mut(&permit.0).ok_or(GuardError::UnknownPermit)?;
        let transient = transient.iter().any(|word| **word == *outcome);
        let failure = if transient { Failure::Transient } else { Failure::Permanent };
        let wait = backoff.retry(tries, failure).map_err(|refused| match refused {
            NoRetry::Permanent => GuardError::Permanent,
            NoRetry::Exhausted => GuardError::Exhausted,
            NoRetry::Budget => GuardError::BudgetUsedUp,
        })?;
        guard.counts.retried = guard.counts.retried.saturating_add(1);
        Ok(Ttl::from_millis(wait.as_millis()))
    }

    /// Keeps every call away.
    ///
    /// # Errors
    /// [`GuardError::NotThisGuard`].
    pub fn force_open(&mut self, number: u16) -> Result<(), GuardError> {
        let Machine::Breaker { breaker, .. } = &mut self.guard(number)?.machine else {
            return Err(GuardError::NotThisGuard);
        };
        breaker.force_open();
        Ok(())
    }

    /// Lets probes through that [`Guards::force_open`] kept away.
    ///
    /// # Errors
    /// [`GuardError::NotForced`], [`GuardError::NotThisGuard`].
    pub fn release(&mut self, number: u16, at: Monotonic) -> Result<(), GuardError> {
        let Machine::Breaker { breaker, .. } = &mut self.guard(number)?.machine else {
            return Err(GuardError::NotThisGuard);
        };
        if breaker.state(at) != BreakerState::ForcedOpen {
            return Err(GuardError::NotForced);
        }
        breaker.release();
        Ok(())
    }

    /// How it stands with each guard of the policy.
    #[must_use]
    pub fn reports(&self, policy: &Policy, at: Monotonic) -> Vec<GuardReport> {
        let declared = policy.signals.iter().zip(&self.guards);
        let report = |(spec, guard): (&crate::policy::signal::SignalSpec, &Option<Guard>)| {
            let Source::Guard { spec: declared, .. } = &spec.source else { return None };
            let guard = guard.as_ref()?;
            Some(GuardReport {
                signal: spec.name,
                kind: declared.kind(),
                state: guard.state(at),
                status: guard.standing(at).view.status,
                held: guard.machine.held(),
                counts: guard.counts,
            })
        };
        declared.filter_map(report).collect()
    }
}

/// Whether a source is this guard.
fn declares(source: &Source, wanted: &GuardSpec) -> bool {
    matches!(source, Source::Guard { spec, .. } if **spec == *wanted)
}
