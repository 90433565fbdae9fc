//! An event as JSON: its name, and its particulars by name.

use super::{Event, EventKind};
use crate::time::Monotonic;

impl Event {
    /// The event as JSON: `event`, its stable name; `id`; `at`, the wall time in RFC 3339; `monotonic_ms`; `severity`;
    /// `count`; `runbook`, where the pack has one; and its particulars.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut members = serde_json::Map::new();
        let mut put = |name: &str, value: serde_json::Value| members.insert(name.to_owned(), value);
        let millis = |at: Monotonic| serde_json::Value::from(at.as_nanos() / 1_000_000);
        put("event", self.kind.code().into());
        put("id", self.id.into());
        put("at", self.at.wall.to_string().into());
        put("monotonic_ms", millis(self.at.monotonic));
        put("severity", self.severity.code().into());
        put("count", self.count.into());
        if let Some(runbook) = &self.runbook {
            put("runbook", (**runbook).into());
        }
        match &self.kind {
            EventKind::BundleActivated { bundle, revision, id } | EventKind::RolloutStaged { bundle, revision, id } => {
                put("bundle", bundle.as_str().into());
                put("revision", (*revision).into());
                put("digest", id.to_string().into());
            }
            EventKind::BundleUnsigned { bundle, revision } | EventKind::BundleRevoked { bundle, revision } => {
                put("bundle", bundle.as_str().into());
                put("revision", (*revision).into());
            }
            EventKind::BundleRefused { bundle, revision, code } => {
                put("bundle", bundle.as_str().into());
                put("revision", (*revision).into());
                put("code", (*code).into());
            }
            EventKind::BundleRolledBack { bundle, from, to } => {
                put("bundle", bundle.as_str().into());
                put("from", (*from).into());
                put("to", (*to).into());
            }
            EventKind::BundleCleared { id, approved } => {
                put("bundle", id.to_string().into());
                approved.put(&mut put);
            }
            EventKind::RolloutAdvanced { bundle, revision, share } => {
                put("bundle", bundle.as_str().into());
                put("revision", (*revision).into());
                put("share", share.to_string().into());
            }
            EventKind::RolloutStopped { bundle, revision, code, action } => {
                put("bundle", bundle.as_str().into());
                put("revision", (*revision).into());
                put("code", (*code).into());
                if let Some(action) = action {
                    put("action", action.as_str().into());
                }
            }
            EventKind::RolloutApproved { bundle, revision, approved } => {
                put("bundle", bundle.as_str().into());
                put("revision", (*revision).into());
                approved.put(&mut put);
            }
            EventKind::RolloutCompleted { bundle, revision } => {
                put("bundle", bundle.as_str().into());
                put("revision", (*revision).into());
            }
            EventKind::RolloutEnded { bundle, revision, ending } => {
                put("bundle", bundle.as_str().into());
                put("revision", (*revision).into());
                put("code", ending.code().into());
            }
            EventKind::TrustRotated { version } => {
                put("version", (*version).into());
            }
            EventKind::TrustRefused { code } => {
                put("code", (*code).into());
            }
            EventKind::PolicySuspended { code } => {
                put("code", (*code).into());
            }
            EventKind::SignalChanged { signal, from, to, guard, since, relied_until } => {
                put("signal", signal.as_str().into());
                put("from", from.name().into());
                put("to", to.name().into());
                put("since_ms", millis(*since));
                put("relied_until_ms", millis(*relied_until));
                if let Some(guard) = guard {
                    put("guard", (*guard).into());
                }
            }
            EventKind::GuardForcedOpen { signal } | EventKind::GuardReleased { signal } => {
                put("signal", signal.as_str().into());
            }
            EventKind::Quarantined { selector, reason } => {
                put("selector", (**selector).into());
                put("reason", (**reason).into());
            }
            EventKind::QuarantineLifted { selector }
            | EventKind::QuarantineEnded { selector }
            | EventKind::Revoked { selector } => {
                put("selector", (**selector).into());
            }
            EventKind::PostureEntered { posture, scope, cause, since } => {
                put("posture", posture.as_str().into());
                put("since_ms", millis(*since));
                if let Some(scope) = scope {
                    put("scope", (**scope).into());
                }
                put("cause", cause.code().into());
            }
            EventKind::PostureLeft { posture, scope, .. } | EventKind::PostureAcknowledged { posture, scope } => {
                put("posture", posture.as_str().into());
                if let Some(scope) = scope {
                    put("scope", (**scope).into());
                }
                if let EventKind::PostureLeft { approved: Some(approved), .. } = &self.kind {
                    approved.put(&mut put);
                }
            }
            EventKind::Proposed { id, by, change, reason } => {
                put("proposal", id.to_string().into());
                put("by", by.as_str().into());
                put("change", (*change).into());
                put("reason", (**reason).into());
            }
            EventKind::Approved { id, by, approvals, need } => {
                put("proposal", id.to_string().into());
                put("by", by.as_str().into());
                put("approvals", (*approvals).into());
                put("need", (*need).into());
            }
            EventKind::ApprovalRefused { id, by, code, untold } => {
                if let Some(id) = id {
                    put("proposal", id.to_string().into());
                }
                put("by", by.as_str().into());
                put("code", (*code).into());
                if *untold > 0 {
                    put("untold", (*untold).into());
                }
            }
            EventKind::ProposalClosed { id, why } => {
                put("proposal", id.to_string().into());
                put("why", why.code().into());
            }
            EventKind::OverrideGranted { approved, window, terms } => {
                let (grant, reason) = &**terms;
                put("override", approved.proposal.to_string().into());
                approved.put(&mut put);
                put("subjects", grant.subjects.clone().into());
                put("actions", grant.actions.clone().into());
                put("resources", grant.resources.clone().into());
                put("window_ms", window.as_millis().into());
                put("uses", grant.uses.into());
                put("reason", (**reason).into());
            }
            EventKind::OverrideUsed { id, decision, overrode, uses_left } => {
                put("override", id.to_string().into());
                put("decision", decision.to_string().into());
                put("overrode", overrode.code().into());
                put("uses_left", (*uses_left).into());
            }
            EventKind::OverrideEnded { id, why } => {
                put("override", id.to_string().into());
                put("why", why.code().into());
            }
            EventKind::FlagSet { flag, approved, .. } | EventKind::FlagCleared { flag, approved } => {
                put("flag", flag.as_str().into());
                if let EventKind::FlagSet { owner, .. } = &self.kind {
                    put("owner", (**owner).into());
                }
                if let Some(id) = approved {
                    put("proposal", id.to_string().into());
                }
            }
            EventKind::FlagExpired { flag } => {
                put("flag", flag.as_str().into());
            }
            EventKind::FlagKept { flag, code } => {
                put("flag", flag.as_str().into());
                put("code", (*code).into());
            }
            EventKind::PostureKept { posture, code } => {
                put("posture", posture.as_str().into());
                put("code", (*code).into());
            }
            EventKind::ObservationIgnored { signal, outcome } => {
                put("signal", signal.as_str().into());
                put("code", outcome.code().into());
            }
            EventKind::StateRestored { sequence, epoch } => {
                put("sequence", (*sequence).into());
                put("epoch", (*epoch).into());
            }
            EventKind::RestoreFailed { code } => {
                put("code", (*code).into());
            }
            EventKind::AuditBehind { known, held } => {
                put("known", (*known).into());
                put("held", (*held).into());
            }
            EventKind::TookOver { epoch } | EventKind::Resigned { epoch } => {
                put("epoch", (*epoch).into());
            }
            EventKind::SplitBrain { epoch, instance } => {
                put("epoch", (*epoch).into());
                put("instance", instance.as_str().into());
            }
            EventKind::DecisionWithdrawn { decision, why } => {
                put("decision", decision.to_string().into());
                put("why", (*why).into());
            }
            EventKind::DecisionLabelled { decision, label } => {
                put("decision", decision.to_string().into());
                put("label", (*label).into());
            }
            EventKind::TriggerLabelled { trigger, label } => {
                put("trigger", (*trigger).into());
                put("label", (*label).into());
            }
            EventKind::AttemptsReported { attempts } => {
                put("attempts", (*attempts).into());
            }
            EventKind::MitigationReported { done } => {
                put("done", (*done).into());
            }
            EventKind::ControlBegan { feed, epoch } => {
                put("feed", feed.as_str().into());
                put("epoch", (*epoch).into());
            }
            EventKind::ControlApplied { place, verb, code, filled } => {
                put("feed", place.feed.as_str().into());
                put("epoch", place.epoch.into());
                put("sequence", place.sequence.into());
                put("operation", (**verb).into());
                if let Some(code) = code {
                    put("code", (*code).into());
                }
                if *filled {
                    put("filled", true.into());
                }
            }
            EventKind::ControlRefused { place, code, untold } => {
                if let Some(place) = place {
                    put("feed", place.feed.as_str().into());
                    put("epoch", place.epoch.into());
                    put("sequence", place.sequence.into());
                }
                put("code", (*code).into());
                if *untold > 0 {
                    put("untold", (*untold).into());
                }
            }
            EventKind::PolicyResumed | EventKind::ClockFailed | EventKind::ClockAnchored | EventKind::EngineFailed => {}
        }
        members.into()
    }
}

#[cfg(test)]
mod tests;
