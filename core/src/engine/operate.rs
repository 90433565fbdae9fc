//! Operations at the engine: each is one of its own calls, by the name that all languages share.

use super::approvals::proposal_id;
use super::{Engine, QuarantineTerms};
use crate::decision::DecisionId;
use crate::operation::{LabelDecision, Operation, OperationError, Outcome, Quarantine, Quarry, Revoke};
use crate::policy::format::RuleEffect;
use crate::reason::Effect;
use crate::state::approvals::ApprovalError;
use crate::state::proposal::SetFlag;
use crate::state::quarantine::Selector;
use crate::telemetry::sli::LabelError;
use crate::time::{Monotonic, Now};

impl Engine {
    /// Does an operation.
    ///
    /// # Errors
    /// [`OperationError`], with its stable code: why it was not done.
    pub fn operate(&self, operation: &Operation, now: Now) -> Result<Outcome, OperationError> {
        match operation {
            Operation::EnterPosture(at) => self.enter_posture(&at.posture, at.scope.as_deref(), now)?,
            Operation::LeavePosture(at) => self.leave_posture(&at.posture, at.scope.as_deref(), now)?,
            Operation::AcknowledgePosture(at) => self.acknowledge_posture(&at.posture, at.scope.as_deref(), now)?,
            Operation::Quarantine(Quarantine { what, reason, for_, absolute }) => {
                let until = for_.map(|span| now.monotonic.after(span));
                let reason = reason.as_deref().unwrap_or_default();
                let terms = QuarantineTerms { reason, until, absolute: *absolute };
                let everything = self.quarantine(&what.selector(), &terms, now)? == Selector::Everything;
                let begun = if everything { Quarry::Everything } else { what.clone() };
                return Ok(Outcome::Quarantined(begun));
            }
            Operation::LiftQuarantine(what) => self.lift_quarantine(&what.selector(), now)?,
            Operation::Revoke(Revoke { type_name, id, before }) => {
                let before = before.map_or(now.monotonic, |before| Monotonic::from_nanos(before.as_nanos()));
                self.revoke(type_name, id, before, now);
            }
            Operation::LabelDecision(LabelDecision { decision, label }) => {
                let id = DecisionId::parse(decision).ok_or(LabelError::UnknownDecision)?;
                self.label_decision(id, *label, now)?;
            }
            Operation::LabelTrigger(at) => self.label_trigger(at.trigger, at.label, now)?,
            Operation::ReportAttempts(attempts) => self.report_attempts(attempts.count, now),
            Operation::ReportMitigation(mitigation) => self.report_mitigation(mitigation.done, now),
            Operation::RecordLatency(took) => {
                let effect = match took.effect {
                    RuleEffect::Deny => Effect::Deny,
                    RuleEffect::Allow => Effect::Allow,
                };
                self.record_latency(effect, took.nanos);
            }
            Operation::Metrics(_) => return Ok(Outcome::Metrics(Box::new(self.metrics()))),
            Operation::Slis(_) => return Ok(Outcome::Slis(self.slis(now))),
            Operation::Propose(propose) => {
                let proof = propose.proof()?;
                return Ok(Outcome::Proposed(self.propose(&propose.proposal, proof, now)?));
            }
            Operation::Approve(approve) => {
                let (id, proof) = (proposal_id(&approve.proposal)?, approve.proof()?);
                return Ok(Outcome::Approved(self.approve(id, &approve.by, proof, now)?));
            }
            Operation::Withdraw(withdraw) => {
                let (id, proof) = (proposal_id(&withdraw.proposal)?, withdraw.proof()?);
                self.withdraw(id, &withdraw.by, proof, now)?;
            }
            Operation::RevokeOverride(revoke) => {
                let id = proposal_id(&revoke.id).map_err(|_| ApprovalError::UnknownOverride)?;
                self.revoke_override(id, now)?;
            }
            Operation::SetFlag(SetFlag { flag, for_ }) => self.set_flag(flag, *for_, now)?,
            Operation::ClearFlag(clear) => self.clear_flag(&clear.flag, now)?,
            Operation::DrainAudit(drain) => return Ok(Outcome::Drained(self.drain_audit(drain.max(), now))),
            Operation::AcknowledgeAudit(written) => self.acknowledge_audit(written.seq, now),
            Operation::Checkpoint(_) => return Ok(Outcome::Checkpointed(self.checkpoint(now))),
        }
        Ok(Outcome::Done)
    }

    /// Does an operation that is written as JSON: what [`Operation::from_json`] reads.
    ///
    /// # Errors
    /// As [`Engine::operate`], and [`OperationError::Malformed`].
    pub fn operate_json(&self, bytes: &[u8], now: Now) -> Result<Outcome, OperationError> {
        self.operate(&Operation::from_json(bytes, &self.config.limits)?, now)
    }
}
