//! Guards at the engine: what the host asks before its own calls, and tells afterwards (spec 1.9).
//!
//! These calls take the lock of the writers. A decision never does: it sees a guard as a signal of its snapshot, and a call
//! that changes nothing of what the snapshot says makes no new one.

use super::Engine;
use super::told::Told;
use crate::faults::point;
use crate::operation::{Acquire, BreakerAt, FirstSeen, Operation, Report, Retry};
use crate::resilience::breaker::CallOutcome;
use crate::state::clocks::Reading;
use crate::state::events::EventKind;
use crate::state::guards::{GuardError, GuardReport, PermitId, Reported};
use crate::time::{Now, Ttl, Wall};

impl Engine {
    /// Asks the guard that is this signal whether a call may be made. A limiter tells calls apart by their key, or counts
    /// those without one together; a guard against replays takes a key once; the others take none.
    ///
    /// # Errors
    /// [`GuardError`]: why the call must not be made.
    pub fn acquire(&self, signal: &str, key: Option<&str>, now: Now) -> Result<PermitId, GuardError> {
        let _input = self
            .operating(now, || Operation::Acquire(Acquire { signal: signal.to_owned(), key: key.map(str::to_owned) }));
        self.on_guard(signal, now, |told, number, now| {
            let wall = told.clock_ok.then_some(now.wall);
            told.guards.acquire(number, key, now.monotonic, wall)
        })
    }

    /// Tells what a permitted call came to. A permit that is unknown, used up or too late does nothing but count. The time
    /// that the call took is that between the two calls, unless the host has measured it itself.
    ///
    /// # Errors
    /// [`GuardError`], where there is no such guard.
    pub fn report(
        &self,
        signal: &str,
        permit: PermitId,
        outcome: CallOutcome,
        took: Option<Ttl>,
        now: Now,
    ) -> Result<Reported, GuardError> {
        let _input = self.operating(now, || {
            Operation::Report(Report { signal: signal.to_owned(), permit: permit.number(), outcome, took })
        });
        self.on_guard(signal, now, |told, number, now| told.guards.report(number, permit, outcome, took, now.monotonic))
    }

    /// How long to wait before a permitted call is tried again, which came to this in the host's own word.
    ///
    /// # Errors
    /// [`GuardError`]: why it must not be tried again.
    pub fn retry(&self, signal: &str, permit: PermitId, outcome: &str, now: Now) -> Result<Ttl, GuardError> {
        let _input = self.operating(now, || {
            let (signal, outcome) = (signal.to_owned(), outcome.to_owned());
            Operation::Retry(Retry { signal, permit: permit.number(), outcome })
        });
        self.on_guard(signal, now, |told, number, _| told.guards.retry(number, permit, outcome))
    }

    /// Takes a key that stands for something made at `made_at`, if it was never seen before and is inside the window.
    ///
    /// # Errors
    /// [`GuardError`]: why what it stands for must not be taken.
    pub fn first_seen(&self, signal: &str, key: &str, made_at: Wall, now: Now) -> Result<(), GuardError> {
        let _input = self.operating(now, || {
            let (signal, key) = (signal.to_owned(), key.to_owned());
            Operation::FirstSeen(FirstSeen { signal, key, made_at: made_at.to_string() })
        });
        self.on_guard(signal, now, |told, number, now| {
            if !told.clock_ok {
                return Err(GuardError::ClockUntrusted);
            }
            told.guards.first_seen(number, key, made_at, now)
        })
    }

    /// Keeps every call away, as an operator who knows more, until [`Engine::release`].
    ///
    /// # Errors
    /// [`GuardError`], where there is no such breaker.
    pub fn force_open(&self, signal: &str, now: Now) -> Result<(), GuardError> {
        let _input = self.operating(now, || Operation::ForceOpen(BreakerAt { signal: signal.to_owned() }));
        self.on_guard(signal, now, |told, number, _| told.guards.force_open(number))?;
        self.events().push(self.held(now), EventKind::GuardForcedOpen { signal: super::cut(signal) });
        Ok(())
    }

    /// Ends what [`Engine::force_open`] began, as an operator. The breaker is half-open then: that somebody lets go of it
    /// does not show that the dependency is well.
    ///
    /// # Errors
    /// [`GuardError`], where the breaker is not forced open.
    pub fn release(&self, signal: &str, now: Now) -> Result<(), GuardError> {
        let _input = self.operating(now, || Operation::Release(BreakerAt { signal: signal.to_owned() }));
        self.on_guard(signal, now, |told, number, now| told.guards.release(number, now.monotonic))?;
        self.events().push(self.held(now), EventKind::GuardReleased { signal: super::cut(signal) });
        Ok(())
    }

    /// How it stands with each guard, as of the last call that told the engine the time, for metrics.
    #[must_use]
    pub fn guards(&self) -> Vec<GuardReport> {
        let at = self.high_water.latest();
        let told = self.told();
        let active = told.active.as_ref();
        active.map(|active| told.guards.reports(active.bundle.policy(), at)).unwrap_or_default()
    }

    fn on_guard<T>(
        &self,
        signal: &str,
        now: Now,
        act: impl FnOnce(&mut Told, u16, Now) -> Result<T, GuardError>,
    ) -> Result<T, GuardError> {
        // What was due before comes before what is new.
        let (mut told, now, parted) = self.met(Reading::of(now));
        if parted {
            self.publish(&mut told, now);
        }
        let active = told.active.as_ref().ok_or(GuardError::NoPolicy)?;
        let number = active.bundle.policy().signal(signal).ok_or(GuardError::UnknownSignal)?;
        let due = self.snapshot.load().due <= now.monotonic;
        let before = told.guards.standing(number, now.monotonic);
        point("guard: begin");
        let done = act(&mut told, number, now);
        point("guard: done");
        let changed = told.guards.standing(number, now.monotonic) != before;
        if changed || due || !told.transitions.is_empty() {
            self.publish(&mut told, now);
        }
        done
    }
}
