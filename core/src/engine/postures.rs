//! Postures at the engine: what operators do with them, and gate 5 of a decision (spec 1.8).

use std::sync::Arc;

use bumpalo::Bump;

use super::Engine;
use super::evaluate::Evaluation;
use super::told::Told;
use crate::condition::Truth;
use crate::faults::point;
use crate::limits::SCOPE_BYTES_MAX;
use crate::name::Name;
use crate::operation::{Operation, PostureAt};
use crate::policy::compile::Policy;
use crate::state::clocks::Reading;
use crate::state::events::EventKind;
use crate::state::postures::{PostureError, Scope};
use crate::time::Now;

impl Engine {
    /// Enters a posture, everywhere or in a scope like `tenant:acme`, as an operator. To enter one that is entered
    /// already changes nothing.
    ///
    /// # Errors
    /// [`PostureError`], where the pack has no such posture or scope.
    pub fn enter_posture(&self, posture: &str, scope: Option<&str>, now: Now) -> Result<(), PostureError> {
        let _input = self.operating(now, || Operation::EnterPosture(PostureAt::new(posture, scope)));
        self.on_posture(posture, scope, now, |told, policy, scope, number, now| {
            told.postures.enter(&policy.postures, scope, number, now.monotonic, &mut told.transitions);
            Ok(None)
        })
    }

    /// Leaves a posture, everywhere or in a scope, as an operator. It is left where all that its pack demands holds: the
    /// condition of entry false for `stable`, the dwell over, the checks ok. One that takes approvals is left by
    /// [`Engine::propose`] and [`Engine::approve`] alone.
    ///
    /// # Errors
    /// [`PostureError`]: the first demand that is not met. The posture stays.
    pub fn leave_posture(&self, posture: &str, scope: Option<&str>, now: Now) -> Result<(), PostureError> {
        let _input = self.operating(now, || Operation::LeavePosture(PostureAt::new(posture, scope)));
        self.on_posture(posture, scope, now, |told, policy, scope, number, now| {
            if policy.postures.spec(number).is_some_and(|spec| spec.leave.approvals.is_some()) {
                return Err(PostureError::NotApproved);
            }
            let checks_ok = told.checks_ok(policy, scope.as_deref(), number, now);
            let at = now.monotonic;
            told.postures.leave(&policy.postures, scope.clone(), number, checks_ok, at, &mut told.transitions)?;
            told.left(policy, scope.as_deref(), number);
            Ok(None)
        })
    }

    /// Acknowledges a posture, as an operator: it escalates no more until it is entered again.
    ///
    /// # Errors
    /// [`PostureError`], where it is not entered there.
    pub fn acknowledge_posture(&self, posture: &str, scope: Option<&str>, now: Now) -> Result<(), PostureError> {
        let _input = self.operating(now, || Operation::AcknowledgePosture(PostureAt::new(posture, scope)));
        self.on_posture(posture, scope, now, |told, policy, scope, number, _| {
            told.postures.acknowledge(scope.as_deref(), number)?;
            let posture = policy.postures.spec(number).map(|spec| spec.name).unwrap_or_default();
            Ok(Some(EventKind::PostureAcknowledged { posture, scope }))
        })
    }

    /// The posture of the whole system, or of a scope, as of the last call that told the engine the time; nothing where
    /// no bundle is active.
    #[must_use]
    pub fn posture(&self, scope: Option<&str>) -> Option<Name> {
        let snapshot = self.snapshot.load();
        let standing = match scope {
            None => snapshot.in_force.everywhere(),
            Some(scope) => snapshot.in_force.in_scope(scope),
        };
        let policy = snapshot.active.as_ref()?.bundle.policy();
        policy.postures.spec(standing.posture).map(|spec| spec.name)
    }

    fn on_posture(
        &self,
        posture: &str,
        scope: Option<&str>,
        now: Now,
        act: impl FnOnce(&mut Told, &Policy, Scope, u16, Now) -> Result<Option<EventKind>, PostureError>,
    ) -> Result<(), PostureError> {
        // What was due before comes before what the operator does.
        let (mut told, now) = self.follow(Reading::of(now));
        point("posture: begin");
        let done = told
            .named(posture, scope)
            .and_then(|(policy, number)| act(&mut told, &policy, scope.map(Into::into), number, now));
        match done {
            Ok(event) => {
                point("posture: done");
                self.publish(&mut told, now);
                if let Some(event) = event {
                    self.events().push(now, event);
                }
                Ok(())
            }
            Err(error) => {
                self.events().push(now, EventKind::PostureKept { posture: super::cut(posture), code: error.code() });
                Err(error)
            }
        }
    }
}

impl Told {
    /// The policy, and the number of the posture of that name; the scope is one that the policy knows.
    pub(super) fn named(&self, posture: &str, scope: Option<&str>) -> Result<(Arc<Policy>, u16), PostureError> {
        let active = self.active.as_ref().ok_or(PostureError::NoPolicy)?;
        let policy = Arc::clone(active.bundle.policy());
        let number =
            policy.postures.number(posture).filter(|number| *number > 0).ok_or(PostureError::UnknownPosture)?;
        if let Some(scope) = scope {
            let (kind, value) = scope.split_once(':').ok_or(PostureError::UnknownScope)?;
            policy.postures.scope(kind).ok_or(PostureError::UnknownScope)?;
            if value.len() > SCOPE_BYTES_MAX {
                return Err(PostureError::ScopeTooLong);
            }
        }
        Ok((policy, number))
    }
}

/// Gate 5: whether the posture of that number, and every laxer one, permits the request.
pub(super) fn permits(evaluation: &Evaluation<'_>, action: u32, posture: u16) -> bool {
    let postures = &evaluation.policy.postures;
    let Some(spec) = postures.spec(posture) else { return false };
    let named = usize::try_from(action).ok().and_then(|action| spec.permits.get(action)).copied();
    named == Some(true)
        && postures.specs.iter().take(usize::from(posture).saturating_add(1)).all(|spec| {
            spec.when.as_ref().is_none_or(|when| {
                let arena = Bump::new();
                when.truth(&evaluation.scope(&arena)) == Truth::True
            })
        })
}
