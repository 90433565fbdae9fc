//! Requests that cannot be read: a deny, with what is wrong with them.

use std::fmt::Display;

use super::{Engine, posture_name};
use crate::combine::Verdict;
use crate::decision::Decision;
use crate::journal::input::Input;
use crate::reason::Reason;
use crate::request::RequestError;
use crate::time::Now;

impl Engine {
    /// Denies a request that a face could not read: what [`Engine::decide_json`] does with bytes that are none.
    #[must_use]
    pub fn refuse(&self, error: &RequestError, now: Now) -> Decision {
        self.contained(None, now, || self.refused(error, now))
    }

    /// A request that could not be read, or exceeds a limit.
    pub(super) fn refused(&self, error: &RequestError, now: Now) -> Decision {
        let reason = match error {
            RequestError::Limit { .. } => Reason::LimitExceeded,
            _ => Reason::InvalidRequest,
        };
        self.refused_because(reason, error, now)
    }

    /// Likewise, by the reason and what exactly was wrong.
    pub(super) fn refused_because(&self, reason: Reason, error: &dyn Display, now: Now) -> Decision {
        let input = self.input(now, || Input::Refuse(reason == Reason::LimitExceeded, error.to_string()));
        let now = self.held(now);
        let mut decision = Decision::new(Verdict::deny(reason), now);
        let snapshot = self.snapshot.load();
        if let Some(active) = &snapshot.active {
            decision.bundle = active.bundle.policy().name;
            decision.revision = active.bundle.revision();
            decision.posture = posture_name(active.bundle.policy(), snapshot.in_force.everywhere().posture);
        }
        decision.id = self.id_of(now, 0);
        let decision = self.recorded(&snapshot, None, decision.because(error));
        self.measures.count_other(&decision);
        input.decided(&decision);
        decision
    }
}
