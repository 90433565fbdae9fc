//! Quarantine and revocation at the engine: what operators begin, lift and void (spec 1.4, gate 4).

use super::Engine;
use crate::faults::point;
use crate::limits::SCOPE_BYTES_MAX;
use crate::operation::{Operation, Quarantine, Revoke};
use crate::state::clocks::Reading;
use crate::state::events::EventKind;
use crate::state::quarantine::{QuarantineError, Selector};
use crate::time::{Monotonic, Now, Ttl};

/// How a quarantine is begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuarantineTerms<'a> {
    /// Why, for the event; cut to a length.
    pub reason: &'a str,
    /// Its end, exclusive; nothing for none but lifting it.
    pub until: Option<Monotonic>,
    /// Whether no override may ever get past it.
    pub absolute: bool,
}

impl Engine {
    /// Denies whatever a selector selects, whatever the rules say, from now on; gives what is quarantined then. That is
    /// everything, where there is no room for one quarantine more. One that is begun again never ends earlier for it.
    ///
    /// # Errors
    /// [`QuarantineError`], where the pack has no such scope, the condition does not compile against it, or the end is not
    /// after now.
    pub fn quarantine<'s>(
        &self,
        selector: &Selector<'s>,
        terms: &QuarantineTerms<'_>,
        now: Now,
    ) -> Result<Selector<'s>, QuarantineError> {
        let _input = self.operating(now, || {
            let for_ =
                terms.until.map(|until| Ttl::from_nanos(until.nanos_since(self.high_water.would_hold(now.monotonic))));
            let reason = (!terms.reason.is_empty()).then(|| terms.reason.to_owned());
            Operation::Quarantine(Quarantine { what: (*selector).into(), reason, for_, absolute: terms.absolute })
        });
        // What ends now makes room.
        let (mut told, now) = self.follow(Reading::of(now));
        let until = terms.until.map(Monotonic::rounded_up);
        if until.is_some_and(|until| until <= now.monotonic) {
            return Err(QuarantineError::Ended);
        }
        if let Selector::Scope(scope) = selector {
            let active = told.active.as_ref().ok_or(QuarantineError::UnknownScope)?;
            let (kind, value) = scope.split_once(':').ok_or(QuarantineError::UnknownScope)?;
            let declared = active.bundle.policy().postures.scope(kind).is_some();
            if !declared || value.len() > SCOPE_BYTES_MAX {
                return Err(QuarantineError::UnknownScope);
            }
        }
        if let Selector::When(condition) = selector {
            let unusable = |message: &str| QuarantineError::Condition { message: message.chars().take(200).collect() };
            let active = told.active.as_ref().ok_or_else(|| unusable("no bundle is active"))?;
            let compiled = told.quarantines.compiled(active.bundle.policy(), Some(condition), &self.config.limits);
            compiled.map_err(|error| unusable(&error.message))?;
        }
        point("quarantine: begin");
        let begun = told.quarantines.begin(selector, until, terms.absolute);
        point("quarantine: begun");
        self.publish(&mut told, now);
        let reason = terms.reason.chars().take(200).collect::<String>().into();
        self.events().push(now, EventKind::Quarantined { selector: begun.to_string().into(), reason });
        Ok(begun)
    }

    /// Lifts a quarantine before its end.
    ///
    /// # Errors
    /// [`QuarantineError::NotQuarantined`].
    pub fn lift_quarantine(&self, selector: &Selector<'_>, now: Now) -> Result<(), QuarantineError> {
        let _input = self.operating(now, || Operation::LiftQuarantine((*selector).into()));
        let (mut told, now) = self.follow(Reading::of(now));
        told.quarantines.lift(selector)?;
        point("quarantine: lifted");
        self.publish(&mut told, now);
        self.events().push(now, EventKind::QuarantineLifted { selector: selector.to_string().into() });
        Ok(())
    }

    /// Voids at once what was decided for a subject until `before`, inclusive: after a password that was stolen, a role
    /// that was taken away. The next request is evaluated anew.
    pub fn revoke(&self, subject_type: &str, subject_id: &str, before: Monotonic, now: Now) {
        let _input = self.operating(now, || {
            let (type_name, id) = (subject_type.to_owned(), subject_id.to_owned());
            let before = (before != now.monotonic).then(|| Ttl::from_nanos(before.as_nanos()));
            Operation::Revoke(Revoke { type_name, id, before })
        });
        let reading = now.monotonic;
        let (mut told, now) = self.follow(Reading::of(now));
        // Until now is until the time that counts as now, where the clock went back.
        let before = if before == reading { now.monotonic } else { before.rounded_up() };
        point("revoke: begin");
        told.quarantines.revoke(subject_type, subject_id, before, now.monotonic);
        point("revoke: revoked");
        self.publish(&mut told, now);
        let selector = Selector::Subject(subject_type, subject_id).to_string().into();
        self.events().push(now, EventKind::Revoked { selector });
    }
}
