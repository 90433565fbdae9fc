//! Requests that cannot be read: a deny, with what is wrong with them.

use std::fmt::Display;

use super::{Engine, posture_name};
use crate::decision::Decision;
use crate::journal::input::Input;
use crate::reason::Reason;
use crate::request::RequestError;
use crate::time::Now;

impl Engine {
    /// Denies a request that a face could not read: what [`Engine::decide_json`] does with bytes that are none.
    #[must_use]
    pub fn refuse(&self, error: &RequestError, now: Now) -> Decision {
        self.contained(None, now, |decision| self.refuse_as(error, now, decision))
    }

    /// A request that could not be read, or exceeds a limit.
    pub(super) fn refuse_as(&self, error: &RequestError, now: Now, decision: &mut Decision) {
        let reason = match error {
            RequestError::Limit { .. } => Reason::LimitExceeded,
            _ => Reason::InvalidRequest,
        };
        self.refuse_because(reason, error, now, decision);
    }

    /// Likewise, by the reason and what exactly was wrong.
    pub(super) fn refuse_because(&self, reason: Reason, error: &dyn Display, now: Now, decision: &mut Decision) {
        let input = self.input(now, || Input::Refuse(reason == Reason::LimitExceeded, error.to_string()));
        // It says which posture is in force: what is due by now is done, as for any other request.
        let (snapshot, now) = self.current(now);
        decision.at = now;
        decision.deny(reason).because(error);
        if let Some(active) = &snapshot.active {
            decision.bundle = active.bundle.policy().name;
            decision.revision = active.bundle.revision();
            decision.posture = posture_name(active.bundle.policy(), snapshot.in_force.everywhere().posture);
        }
        decision.id = self.id_of(now, 0);
        self.record(&snapshot, None, decision);
        self.measures.count_other(decision);
        input.decided(decision);
    }
}
