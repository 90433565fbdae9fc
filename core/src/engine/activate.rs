//! How a bundle becomes the active one: by itself, from its stage, or again.

use super::snapshot::{Active, in_validity};
use super::told::{Told, carried};
use serde_json::json;

use super::{Engine, case};
use crate::faults::point;
use crate::journal::input::Input;
use crate::name;
use crate::operation::{Operation, RollBack};
use crate::policy::bundle::{Bundle, BundleId, FailedTests, Provenance};
use crate::state::admission::ActivateError;
use crate::state::clocks::{Anchor, Reading};
use crate::state::events::EventKind;
use crate::state::postures::Cause;
use crate::state::rollout::{Ending, RolloutError};
use crate::state::signals::Held;
use crate::time::Now;

impl Engine {
    /// Makes a bundle the active one. Readers never wait and never see half of each.
    ///
    /// The cases that the bundle carries come first: each is asked on an engine of its own, before anything here is touched
    /// and while this engine goes on deciding. What was observed of signals that the new bundle declares too is kept, unless
    /// a panic was contained: then the engine starts anew. Where the active bundle declares a rollout, its successor is staged instead
    /// ([`Engine::stage`]), unless approved people said otherwise.
    ///
    /// # Errors
    /// [`ActivateError`], with everything as it was.
    pub fn activate(&self, bundle: Bundle, now: Now) -> Result<(), ActivateError> {
        // Asked before it is anybody's turn: the journal of inputs waits for no cases.
        let _ = case::failed_tests(&bundle);
        let input = self.input(now, || Input::activate(&bundle, true));
        let done = self.prove(&bundle, now).and_then(|()| self.activate_unproven(bundle, now));
        input.done(done.as_ref().map_err(ActivateError::code), |()| json!({}));
        done
    }

    /// Asks the cases that the bundle carries, once in its life.
    pub(super) fn prove(&self, bundle: &Bundle, now: Now) -> Result<(), ActivateError> {
        let Some(FailedTests { first, more }) = case::failed_tests(bundle) else { return Ok(()) };
        let error = ActivateError::FailsTests { first, more };
        self.tell_refused(bundle, error, self.held(now));
        Err(error)
    }

    /// The same, whatever the bundle's own cases come to: for those who ask them.
    pub(crate) fn activate_unproven(&self, bundle: Bundle, now: Now) -> Result<(), ActivateError> {
        let input = self.input(now, || Input::activate(&bundle, false));
        let done = self.replace_active(bundle, now);
        input.done(done.as_ref().map_err(ActivateError::code), |()| json!({}));
        done
    }

    fn replace_active(&self, bundle: Bundle, now: Now) -> Result<(), ActivateError> {
        let reading = Reading::of(now);
        let (mut told, now, _) = self.met(reading);
        told.anchor.get_or_insert(Anchor::new(reading, self.config.clock_skew_max));
        told.approvals.begin(now.wall);
        self.publish(&mut told, now);
        point("activate: begin");
        if let Err(error) = told.may_activate(&bundle, now) {
            self.tell_refused(&bundle, error, now);
            return Err(error);
        }
        self.end_rollout(&mut told, Ending::Activation, now);
        self.install(&mut told, bundle, now);
        Ok(())
    }

    /// Goes back to a bundle that was active here before, by its digest: to one of the last few, which is still trusted and
    /// inside its validity. A candidate is abandoned by that.
    ///
    /// # Errors
    /// [`RolloutError::NeverActive`], or why the bundle may not become active again; with everything as it was.
    pub fn return_to(&self, to: BundleId, now: Now) -> Result<(), RolloutError> {
        let input = self.operating(now, || Operation::RollBack(RollBack { to: Some(to.to_string()) }));
        let done = self.replace_with(to, now);
        input.done(done.as_ref().map_err(RolloutError::code), |()| json!({}));
        done
    }

    fn replace_with(&self, to: BundleId, now: Now) -> Result<(), RolloutError> {
        let (mut told, now) = self.follow(Reading::of(now));
        let bundle = told.former(to)?;
        if let Err(error) = told.may_return(&bundle, now) {
            self.tell_refused(&bundle, error, now);
            return Err(error.into());
        }
        self.end_rollout(&mut told, Ending::Operator, now);
        let from = told.active.as_ref().map_or(0, |active| active.bundle.revision());
        let name = name::name(bundle.name()).unwrap_or_default();
        self.events().push(now, EventKind::BundleRolledBack { bundle: name, from, to: bundle.revision() });
        self.install(&mut told, bundle, now);
        Ok(())
    }

    pub(super) fn tell_refused(&self, bundle: &Bundle, error: ActivateError, now: Now) {
        let (revision, code) = (bundle.revision(), error.code());
        let bundle = name::name(bundle.name()).unwrap_or_default();
        self.events().push(now, EventKind::BundleRefused { bundle, revision, code });
    }

    /// Puts an admitted bundle in the place of the active one.
    pub(super) fn install(&self, told: &mut Told, bundle: Bundle, now: Now) {
        let name = name::name(bundle.name()).unwrap_or_default();
        let (revision, id) = (bundle.revision(), bundle.id());
        let started_anew = !told.engine_ok;
        let cut_short = std::mem::replace(&mut told.half_carried, true);
        told.carry_guards(&bundle);
        point("install: guards carried");
        told.quarantines.outdate();
        let mut held = carried(told.active.as_ref(), told.signals.all_held(), &bundle);
        if started_anew {
            // But what failed has to recover all the same.
            held.iter_mut().for_each(Held::forget);
        }
        told.signals.carry(held);
        point("install: signals carried");
        told.engine_ok = true;
        told.statuses.clear();
        told.activations = told.activations.saturating_add(1);
        told.returned_to = (revision < told.revision).then_some(revision);
        told.revision = told.revision.max(revision);
        told.carry_postures(&bundle);
        point("install: postures carried");
        let rows = self.measures.declare(bundle.policy(), now.monotonic);
        point("install: rows declared");
        told.carry_approvals(&bundle, started_anew, now);
        point("install: approvals carried");
        told.remember(&bundle);
        let unsigned = *bundle.provenance() == Provenance::Unsigned;
        told.active = Some(Active { bundle, activation: told.activations, revoked: false, rows });
        told.activated_at = Some(now.wall);
        point("install: active");
        if let Some(active) = &told.active {
            self.events().follow(active);
        }
        told.hold_flagged();
        if cut_short {
            // In which posture it was nobody knows: it is in none that permits more.
            self.tighten(told, None, Cause::Restore, now);
            told.doubt_feeds(now.wall);
        }
        let (snapshot, _) = told.snapshot(now);
        told.half_carried = false;
        point("install: made");
        let snapshot = std::sync::Arc::new(snapshot);
        self.snapshot.store(std::sync::Arc::clone(&snapshot));
        self.events().push(now, EventKind::BundleActivated { bundle: name, revision, id });
        if unsigned {
            self.events().push(now, EventKind::BundleUnsigned { bundle: name, revision });
        }
        self.tell_validity(told, &snapshot, now);
        self.tell_transitions(told, now);
    }
}

impl Told {
    fn may_activate(&self, bundle: &Bundle, now: Now) -> Result<(), ActivateError> {
        let cleared = self.is_cleared(bundle.id(), now);
        self.admits(bundle, now)?;
        if !cleared {
            self.admits_revision(bundle)?;
            if self.demands_rollout(now) && self.active.as_ref().is_some_and(|own| own.bundle.id() != bundle.id()) {
                return Err(ActivateError::RolloutRequired);
            }
        }
        self.keeps(bundle)
    }

    fn may_return(&self, bundle: &Bundle, now: Now) -> Result<(), ActivateError> {
        if self.active.as_ref().is_some_and(|own| own.bundle.id() == bundle.id()) {
            return Err(ActivateError::AlreadyActive);
        }
        self.admits(bundle, now)?;
        // No other way than an outage leads to a bundle that may not decide.
        if !in_validity(bundle.policy(), now) {
            return Err(ActivateError::OutsideValidity);
        }
        self.keeps(bundle)
    }

    /// Whether the bundle keeps all that tightens now.
    pub(super) fn keeps(&self, bundle: &Bundle) -> Result<(), ActivateError> {
        self.keeps_postures(bundle).and_then(|()| self.keeps_flags(bundle)).and_then(|()| self.keeps_quarantine(bundle))
    }

    /// Whether the active bundle lets its successor in by a rollout alone. One that trust took back, or whose time is over
    /// by a clock that is to be trusted, governs nothing any more; a clock that is in doubt ends no demand.
    fn demands_rollout(&self, now: Now) -> bool {
        self.active.as_ref().is_some_and(|active| {
            let policy = active.bundle.policy();
            policy.rollout.is_some() && !active.revoked && (!self.clock_ok || in_validity(policy, now))
        })
    }

    /// The bundle of that digest, where it was active here and is remembered.
    fn former(&self, id: BundleId) -> Result<Bundle, RolloutError> {
        self.formers.iter().find(|former| former.id() == id).cloned().ok_or(RolloutError::NeverActive)
    }

    /// Takes note of a bundle that becomes active, as one to go back to; the oldest is forgotten where there are too many.
    fn remember(&mut self, bundle: &Bundle) {
        self.formers.retain(|former| former.id() != bundle.id());
        self.formers.push(bundle.clone());
        let more = self.formers.len().saturating_sub(self.limits.former_bundles_max.saturating_add(1));
        self.formers.drain(..more);
        let revision = bundle.revision();
        if self.highest.is_none_or(|(highest, _)| highest <= revision) {
            self.highest = Some((revision, bundle.id()));
        }
    }
}
