//! Operations at the engine: each is one of its own calls, by the name that all languages share.

use super::approvals::proposal_id;
use super::{Engine, QuarantineTerms};
use crate::decision::{DecisionId, Pending};
use crate::journal::input::Input;
use crate::journal::ledger::Batch;
use crate::operation::{
    Claim, ConfirmDecision, DecidePending, FirstSeen, LabelDecision, Operation, OperationError, Outcome, Quarantine,
    Quarry, Report, RestoreState, Retry, Revoke, RollBack, RotateTrust, StateReport,
};
use crate::policy::bundle::BundleId;
use crate::policy::format::RuleEffect;
use crate::reason::Effect;
use crate::state::approvals::ApprovalError;
use crate::state::guards::PermitId;
use crate::state::proposal::SetFlag;
use crate::state::quarantine::Selector;
use crate::state::rollout::RolloutError;
use crate::telemetry::sli::LabelError;
use crate::time::{Monotonic, Now, Wall};
use crate::value::Timestamp;

impl Engine {
    /// Does an operation.
    ///
    /// # Errors
    /// [`OperationError`], with its stable code: why it was not done.
    pub fn operate(&self, operation: &Operation, now: Now) -> Result<Outcome, OperationError> {
        if !is_input(operation) {
            return self.operate_in_order(operation, now);
        }
        let input = self.input(now, || Input::operate(operation));
        let done = self.operate_in_order(operation, now);
        input.operated(&done);
        done
    }

    fn operate_in_order(&self, operation: &Operation, now: Now) -> Result<Outcome, OperationError> {
        match operation {
            Operation::EnterPosture(at) => self.enter_posture(&at.posture, at.scope.as_deref(), now)?,
            Operation::LeavePosture(at) => self.leave_posture(&at.posture, at.scope.as_deref(), now)?,
            Operation::AcknowledgePosture(at) => self.acknowledge_posture(&at.posture, at.scope.as_deref(), now)?,
            Operation::Quarantine(Quarantine { what, reason, for_, absolute }) => {
                let until = for_.map(|span| self.high_water.would_hold(now.monotonic).after(span));
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
            Operation::Activate(of) => self.activate_signed(of.bundle.as_bytes(), now)?,
            Operation::Stage(of) => self.stage_signed(of.bundle.as_bytes(), now)?,
            Operation::Promote(_) => self.promote(now)?,
            Operation::RollBack(RollBack { to: None }) => self.roll_back(now)?,
            Operation::RollBack(RollBack { to: Some(to) }) => {
                self.return_to(BundleId::parse(to).ok_or(RolloutError::NeverActive)?, now)?;
            }
            Operation::ExportState(_) => {
                let state = self.export_state(now)?;
                return Ok(Outcome::Exported(String::from_utf8_lossy(&state).into_owned()));
            }
            Operation::RestoreState(RestoreState { state, least_sequence }) => {
                let restored = self.restore_state(state.as_bytes(), *least_sequence, now)?;
                return Ok(Outcome::Restored(StateReport {
                    sequence: restored.sequence,
                    epoch: restored.epoch,
                    instance: restored.instance.into(),
                    elapsed_ms: restored.elapsed.map(|elapsed| elapsed.as_millis()),
                }));
            }
            Operation::RotateTrust(RotateTrust { root }) => {
                return Ok(Outcome::TrustRotated(self.rotate_trust(root.as_bytes(), now)?));
            }
            Operation::TakeOver(_) => return Ok(Outcome::TookOver(self.take_over(now)?)),
            Operation::WitnessEpoch(Claim { epoch, instance }) => self.witness_epoch(*epoch, instance, now),
            Operation::Resign(_) => self.resign(now)?,
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
            Operation::Acquire(call) => {
                return Ok(Outcome::Permitted(self.acquire(&call.signal, call.key.as_deref(), now)?));
            }
            Operation::Report(Report { signal, permit, outcome, took }) => {
                let permit = PermitId::from_number(*permit);
                return Ok(Outcome::Reported(self.report(signal, permit, *outcome, *took, now)?));
            }
            Operation::Retry(Retry { signal, permit, outcome }) => {
                return Ok(Outcome::RetryIn(self.retry(signal, PermitId::from_number(*permit), outcome, now)?));
            }
            Operation::FirstSeen(FirstSeen { signal, key, made_at }) => {
                let made_at = made_at.parse::<Timestamp>().ok().and_then(|at| i64::try_from(at.as_nanosecond()).ok());
                let made_at = made_at.map(Wall::from_nanos).ok_or_else(|| OperationError::Malformed {
                    message: "first_seen.made_at: write RFC 3339, as in 2026-01-01T00:00:00Z".to_owned(),
                })?;
                self.first_seen(signal, key, made_at, now)?;
            }
            Operation::ForceOpen(at) => self.force_open(&at.signal, now)?,
            Operation::Release(at) => self.release(&at.signal, now)?,
            Operation::DrainAudit(drain) => return Ok(Outcome::Drained(self.drain_audit(drain.max(), now))),
            Operation::AcknowledgeAudit(written) => self.acknowledge_audit(written.seq, now),
            Operation::DecidePending(DecidePending { request }) => {
                let pending = self.decide_pending_json(request.to_string().as_bytes(), now);
                return Ok(Outcome::Decided(Box::new(pending)));
            }
            Operation::ConfirmDecision(ConfirmDecision { pending }) => {
                let id = DecisionId::parse(pending).ok_or_else(|| OperationError::Malformed {
                    message: "confirm_decision.pending: write the identifier that `decide_pending` gave".to_owned(),
                })?;
                return Ok(Outcome::Decided(Box::new(Pending::settled(self.confirm(id, now)))));
            }
            Operation::Apply(apply) => return Ok(Outcome::Applied(self.apply(apply.message.as_bytes(), now)?)),
            Operation::Checkpoint(_) => return Ok(Outcome::Checkpointed(self.checkpoint(now))),
            Operation::DrainJournal(drain) => {
                let Batch { lines, last_n } = self.drain_journal(drain.max());
                return Ok(Outcome::Journal { lines, last_n });
            }
            Operation::AcknowledgeJournal(written) => self.acknowledge_journal(written.n),
        }
        Ok(Outcome::Done)
    }

    /// Does an operation that is written as JSON: what [`Operation::from_json`] reads.
    ///
    /// # Errors
    /// As [`Engine::operate`], and [`OperationError::Malformed`].
    pub fn operate_json(&self, bytes: &[u8], now: Now) -> Result<Outcome, OperationError> {
        match Operation::from_json(bytes, &self.config.limits) {
            Ok(operation) => self.operate(&operation, now),
            Err(error) => {
                // A state that is too long to be read is a state that does not verify.
                if would_restore(bytes) {
                    self.restore_state(&[], None, now)?;
                }
                Err(error)
            }
        }
    }
}

/// Whether an operation is written down as one. What hands the journal over is not: it would have no end. What only reads,
/// what hands out audit records, and what brings a bundle, say for themselves what of them matters.
const fn is_input(operation: &Operation) -> bool {
    !matches!(
        operation,
        Operation::DrainJournal(_)
            | Operation::AcknowledgeJournal(_)
            | Operation::DrainAudit(_)
            | Operation::Activate(_)
            | Operation::Stage(_)
            | Operation::Metrics(_)
            | Operation::Slis(_)
    )
}

/// Whether bytes that are no operation begin as that of a restored state does.
fn would_restore(bytes: &[u8]) -> bool {
    let named = bytes.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    named.is_some_and(|named| named.starts_with(br#""restore_state""#))
}
