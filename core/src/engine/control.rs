//! Control feeds at the engine: messages are taken one after the other, each in its place, each once (spec 1.11).
//!
//! A message is verified, then placed, then done, then taken. What fails on the way leaves the feed where it was, so that
//! the same message can come again.

use std::sync::Arc;

use super::Engine;
use super::told::Told;
use crate::concurrent::{MutexGuard, PoisonError};
use crate::condition::Status;
use crate::error::{Code, Diagnostic};
use crate::faults::point;
use crate::name::Name;
use crate::operation::{Applied, Apply, Message, Operation};
use crate::policy::signal::Source;
use crate::policy::trust::Trust;
use crate::policy::trust::root::TrustRoot;
use crate::state::clocks::Reading;
use crate::state::control::{ControlError, Fate, Place, Placed};
use crate::state::events::EventKind;
use crate::time::{Monotonic, Now, Ttl, Wall};

impl Engine {
    /// Takes a control message: an envelope (DSSE) that enough keys have signed which the trust root names for its feed.
    ///
    /// Messages of a feed are done in their order, each once. What one says needs what it needs from anybody: a posture that
    /// takes approvals is left by approvals. A message whose operation the engine does not do is taken all the same, and the
    /// feed goes on.
    ///
    /// # Errors
    /// [`ControlError`]: it is not taken, and has no effect, unless it shows that something is wrong with its feed. Then the
    /// signals that follow the feed are no longer ok.
    pub fn apply(&self, bytes: &[u8], now: Now) -> Result<Applied, ControlError> {
        // What is no text is no message, and is written down as the none that it is.
        let message = std::str::from_utf8(bytes).unwrap_or_default();
        let input = self.operating(now, || Operation::Apply(Apply { message: message.to_owned() }));
        let applied = self.apply_in_turn(message.as_bytes(), now);
        input.done(applied.as_ref().map_err(ControlError::code), |applied| applied.to_json());
        applied
    }

    fn apply_in_turn(&self, bytes: &[u8], now: Now) -> Result<Applied, ControlError> {
        let _turn = self.turn();
        let (told, held) = self.follow(Reading::of(now));
        let (trust, trusted, behind) = (told.trust.clone(), told.clock_ok, told.root_behind().is_some());
        drop(told);
        let read = if behind {
            let message = "the engine holds an older trust root than it did: whom it names may be revoked since";
            let error = Diagnostic::new(Code::OlderTrust, "", message).with_help("give it the trust root that it had");
            Err(error.into())
        } else {
            Message::read(bytes, &trust, &self.config.limits, trusted.then_some(held.wall))
        };
        let place = read.as_ref().ok().map(|message| message.place);
        let applied = read.and_then(|message| self.take(&message, now));
        if let Err(error) = &applied {
            let (mut told, now) = self.follow(Reading::of(now));
            told.refused(place.as_ref(), error, now);
            self.publish(&mut told, now);
        }
        applied
    }

    /// Brings the signals that follow a feed to a status, as if a controller had: on an engine of its own, on which the cases
    /// of a bundle are asked.
    pub(super) fn rehearse_feed(&self, feed: &Name, status: Status, now: Now) {
        let (mut told, now) = self.follow(Reading::of(now));
        told.feeds.rehearse(*feed, (now.monotonic, now.wall));
        told.observe_feed(feed, status, now.monotonic, now.monotonic);
        self.publish(&mut told, now);
    }

    /// Lets one message come after the other, whichever thread brings it.
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, message: &Message, reading: Now) -> Result<Applied, ControlError> {
        let place = &message.place;
        let (mut told, now) = self.follow(Reading::of(reading));
        let before = told.feeds.feed(&place.feed).map(|feed| (feed.epoch, feed.is_missing_some()));
        let placed = told.feeds.place(place, &message.digest);
        if before.is_none_or(|(epoch, _)| epoch < place.epoch) && !matches!(placed, Err(ControlError::Full)) {
            let (feed, epoch) = (place.feed, place.epoch);
            told.happened.push((now.monotonic, EventKind::ControlBegan { feed, epoch }));
            told.other_changes = told.other_changes.saturating_add(1);
        }
        if placed? == Placed::Again {
            told.feeds.count(place.feed, Fate::Again);
            return Ok(Applied::Again);
        }
        let believed = told.feeds.believes(&place.feed, message.at);
        drop(told);
        point("control: placed");
        let applied = match &message.operation {
            None => Applied::Heard,
            Some(operation) => match believed {
                Err(error) if !operation.only_tightens() => Applied::NotDone(Box::new(error.into())),
                _ => match self.operate(operation, reading) {
                    Ok(outcome) => Applied::Done(Box::new(outcome)),
                    Err(error) => Applied::NotDone(Box::new(error.into())),
                },
            },
        };
        point("control: done");
        let (mut told, now) = self.follow(Reading::of(reading));
        told.take(message, &applied, before.is_some_and(|(_, missing)| missing), now);
        point("control: taken");
        told.hear(message, reading.monotonic, now, self.config.clock_skew_max);
        self.publish(&mut told, now);
        Ok(applied)
    }
}

impl Told {
    /// Takes a message whose operation was tried; `missed` is whether messages of its feed were missing before it.
    fn take(&mut self, message: &Message, applied: &Applied, missed: bool, now: Now) {
        let place = &message.place;
        self.feeds.take(place, message.digest, (now.monotonic, now.wall));
        self.other_changes = self.other_changes.saturating_add(1);
        let (fate, code) = match applied {
            Applied::Done(_) => (Fate::Done, None),
            Applied::NotDone(why) => (Fate::NotDone, Some(why.code())),
            Applied::Heard | Applied::Again => (Fate::Heartbeat, None),
        };
        self.feeds.count(place.feed, fate);
        let is_whole = self.feeds.feed(&place.feed).is_some_and(|feed| !feed.is_missing_some());
        let filled = missed && is_whole;
        // A heartbeat is told only where it ends something.
        if filled || fate != Fate::Heartbeat {
            let verb = message.operation.as_ref().map_or_else(|| "heartbeat".to_owned(), |operation| operation.verb());
            let kind = EventKind::ControlApplied { place: *place, verb: verb.into(), code, filled };
            self.happened.push((now.monotonic, kind));
        }
    }

    /// Counts and tells a refusal, and lets the signals fail that follow a feed which contradicts itself.
    fn refused(&mut self, place: Option<&Place>, error: &ControlError, now: Now) {
        self.feeds.count(place.map(|place| place.feed).unwrap_or_default(), Fate::Refused);
        if let (Some(place), ControlError::Conflict) = (place, error) {
            self.observe_feed(&place.feed, Status::Failed, now.monotonic, now.monotonic);
        }
        if place.is_some() {
            self.other_changes = self.other_changes.saturating_add(1);
        }
        if let Some(untold) = self.feeds.tells_refusal(now.monotonic) {
            let kind = EventKind::ControlRefused { place: place.copied(), code: error.code(), untold };
            self.happened.push((now.monotonic, kind));
        }
    }

    /// Hears a feed: its message holds from when it came, less by how much older than the clocks may differ it is. So one
    /// that somebody held back for a while holds for so much less, and one that is too old refreshes nothing, nor does one
    /// from the future. A clock that is not to be trusted cannot tell, and of a feed that contradicts itself nobody knows who it
    /// is that was heard.
    fn hear(&mut self, message: &Message, reading: Monotonic, now: Now, skew: Ttl) {
        let age = now.wall.as_nanos().saturating_sub(message.at.as_nanos());
        let skew = i64::try_from(skew.as_nanos()).unwrap_or(i64::MAX);
        let contradicted = self.feeds.feed(&message.place.feed).is_some_and(|feed| feed.contradicted);
        if !self.clock_ok || contradicted || age < skew.saturating_neg() {
            return;
        }
        let late = u64::try_from(age.saturating_sub(skew)).unwrap_or(0);
        let here = if reading.rounded_up() < now.monotonic { now.monotonic } else { reading };
        if let Some(heard_at) = here.as_nanos().checked_sub(late) {
            let heard_at = Monotonic::from_nanos(heard_at).rounded_down();
            self.observe_feed(&message.place.feed, Status::Ok, heard_at, now.monotonic);
        }
    }

    /// Observes every signal that follows a feed.
    fn observe_feed(&mut self, feed: &Name, status: Status, heard_at: Monotonic, now: Monotonic) {
        let Some(active) = &self.active else { return };
        let policy = Arc::clone(active.bundle.policy());
        for (number, spec) in (0_u16..).zip(&policy.signals) {
            match &spec.source {
                Source::Heartbeat { feed: of, ttl, recover } if of == feed && now <= heard_at.after(*ttl) => {
                    if let Some(held) = self.signals.held_mut(number, policy.signals.len()) {
                        held.observe(status, heard_at, now, *ttl, *recover);
                    }
                }
                _ => {}
            }
        }
    }

    /// Forgets when feeds were heard whose speakers a new trust root changes: what they said last may have been another's.
    pub(super) fn unhear(&mut self, next: &TrustRoot) {
        let Trust::Keys(root) = &self.trust else { return };
        let Some(active) = &self.active else { return };
        let specs = &active.bundle.policy().signals;
        for (number, spec) in (0_u16..).zip(specs) {
            if let Source::Heartbeat { feed, .. } = &spec.source
                && root.speakers(feed) != next.speakers(feed)
                && let Some(held) = self.signals.held_mut(number, specs.len())
            {
                held.forget();
            }
        }
    }

    /// Believes nothing that loosens of what controllers wrote until then.
    pub(super) fn doubt_feeds(&mut self, until: Wall) {
        self.feeds.doubt(until);
    }
}
