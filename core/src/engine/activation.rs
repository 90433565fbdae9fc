//! Making a bundle the active one: all of it or nothing (spec 1.4, 2.2).

use std::sync::Arc;

use serde_json::json;

use super::inputs::UnderWay;
use super::snapshot::Active;
use super::told::carried;
use super::{Engine, case};
use crate::error::{Code, quoted};
use crate::journal::input::Input;
use crate::name::{self, Name};
use crate::policy::bundle::{Bundle, FailedTests, Provenance};
use crate::state::clocks::Anchor;
use crate::state::events::EventKind;
use crate::time::Now;

impl Engine {
    /// Makes a bundle the active one. Readers never wait and never see half of each.
    ///
    /// The cases that the bundle carries come first: each is asked on an engine of its own, before anything here is touched
    /// and while this engine goes on deciding. What was observed of signals that the new bundle declares too is kept, unless
    /// a panic was contained: then the engine starts anew.
    ///
    /// # Errors
    /// [`ActivateError`], with everything as it was.
    pub fn activate(&self, bundle: Bundle, now: Now) -> Result<(), ActivateError> {
        // Asked before it is anybody's turn: the journal of inputs waits for no cases.
        let failed = case::failed_tests(&bundle);
        let input = self.activating(&bundle, true, now);
        let done = match failed {
            None => self.activate_unproven(bundle, now),
            Some(failed) => {
                let error = ActivateError::FailsTests(failed);
                self.tell_refused(&bundle, &error, self.held(now));
                Err(error)
            }
        };
        input.done(done.as_ref().map_err(ActivateError::code), |()| json!({}));
        done
    }

    fn tell_refused(&self, bundle: &Bundle, error: &ActivateError, now: Now) {
        let (code, revision) = (error.code(), bundle.revision());
        let bundle = name::name(bundle.name()).unwrap_or_default();
        self.events().push(now, EventKind::BundleRefused { bundle, revision, code });
    }

    /// The same, whatever the bundle's own cases come to: for those who ask them.
    pub(crate) fn activate_unproven(&self, bundle: Bundle, now: Now) -> Result<(), ActivateError> {
        let input = self.activating(&bundle, false, now);
        let done = self.swap(bundle, now);
        input.done(done.as_ref().map_err(ActivateError::code), |()| json!({}));
        done
    }

    fn activating(&self, bundle: &Bundle, proven: bool, now: Now) -> UnderWay<'_> {
        self.input(now, || Input::Activate(bundle.bytes().to_vec().into(), bundle.provenance().clone(), proven))
    }

    fn swap(&self, bundle: Bundle, now: Now) -> Result<(), ActivateError> {
        let reading = now;
        let now = self.held(now);
        let mut told = self.told();
        told.anchor.get_or_insert(Anchor::new(now, self.config.clock_skew_max));
        told.approvals.begin(now.wall);
        let name = name::name(bundle.name()).unwrap_or_default();
        let revision = bundle.revision();
        self.publish(&mut told, now);
        let admitted = told
            .admits(&bundle, reading, now)
            .and_then(|()| told.keeps_postures(&bundle))
            .and_then(|()| told.keeps_flags(&bundle))
            .and_then(|()| told.keeps_quarantine(&bundle));
        if let Err(error) = admitted {
            self.tell_refused(&bundle, &error, now);
            return Err(error);
        }
        let started_anew = !told.engine_ok;
        told.carry_guards(&bundle);
        told.quarantines.outdate();
        told.held = if told.engine_ok { carried(told.active.as_ref(), &told.held, &bundle) } else { Vec::new() };
        told.engine_ok = true;
        told.statuses.clear();
        told.activations = told.activations.saturating_add(1);
        told.revision = told.revision.max(revision);
        told.carry_postures(&bundle);
        let rows = self.measures.declare(bundle.policy(), now.monotonic);
        told.carry_approvals(&bundle, started_anew, now.monotonic);
        told.highest = Some((revision, bundle.id()));
        let unsigned = *bundle.provenance() == Provenance::Unsigned;
        told.active = Some(Active { bundle, activation: told.activations, revoked: false, rows });
        if let Some(active) = &told.active {
            self.events().follow(active);
        }
        told.hold_flagged();
        let (snapshot, _) = told.snapshot(now);
        let snapshot = Arc::new(snapshot);
        self.snapshot.store(Arc::clone(&snapshot));
        self.events().push(now, EventKind::BundleActivated { bundle: name, revision });
        if unsigned {
            self.events().push(now, EventKind::BundleUnsigned { bundle: name, revision });
        }
        self.tell_validity(&mut told, &snapshot, now);
        self.tell_transitions(&mut told, now);
        Ok(())
    }
}

/// Why a bundle was not activated. The active one stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActivateError {
    /// A bundle of this name with a higher revision was active.
    #[error("revision {offered} is older than revision {highest}, which was active")]
    OlderRevision {
        /// The revision offered.
        offered: u64,
        /// The highest one seen.
        highest: u64,
    },
    /// Another bundle of this revision was active: what one revision means would depend on the engine.
    #[error("another bundle of revision {revision} was active")]
    SameRevision {
        /// The revision.
        revision: u64,
    },
    /// The engine's trust does not take the bundle, though whoever loaded it did.
    #[error("the bundle does not satisfy the trust of the engine: {}", .0.as_str())]
    Untrusted(Code),
    /// A bundle of another name is active.
    #[error("the bundle is of another pack than the active one")]
    OtherName,
    /// The bundle may not decide now, and the active one may.
    #[error("the bundle is outside its validity")]
    OutsideValidity,
    /// A posture is entered that the bundle has not, or in a scope that it has not: to activate it would leave the posture.
    #[error("the posture {posture} is entered, and the bundle could not keep it")]
    LosesPosture {
        /// The posture.
        posture: Name,
    },
    /// A flag is set that the bundle has not: to activate it would clear the flag.
    #[error("the flag {flag} is set, and the bundle could not keep it; clear it first")]
    LosesFlag {
        /// The flag.
        flag: Name,
    },
    /// A quarantine by a condition is in force that the bundle cannot compile: to activate it would lift the quarantine.
    #[error("a quarantine by a condition is in force, and the bundle has not what it reads")]
    LosesQuarantine,
    /// A case that the bundle itself carries does not come out as it says.
    #[error("the bundle fails its own test {}{}", quoted(&.0.first), others(.0.more))]
    FailsTests(FailedTests),
}

fn others(more: usize) -> String {
    if more == 0 { String::new() } else { format!(", and {more} more") }
}

impl ActivateError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OlderRevision { .. } => "older_revision",
            Self::SameRevision { .. } => "same_revision",
            Self::Untrusted(code) => code.as_str(),
            Self::OtherName => "other_name",
            Self::OutsideValidity => "outside_validity",
            Self::LosesPosture { .. } => "loses_posture",
            Self::LosesFlag { .. } => "loses_flag",
            Self::LosesQuarantine => "loses_quarantine",
            Self::FailsTests(_) => "fails_tests",
        }
    }
}
