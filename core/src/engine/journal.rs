//! The journal: what happened, as events for the host to poll and as records for it to write.
//!
//! One lock for both, so that the chain has decisions and events in the order in which they came about.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;

use super::Engine;
use super::snapshot::{Active, Snapshot};
use crate::audit::buffer::{Batch, Buffer};
use crate::audit::chain::Head;
use crate::audit::draft::Draft;
use crate::audit::record::Given;
use crate::decision::Decision;
use crate::faults::point;
use crate::journal::input::Input;
use crate::limits::Limits;
use crate::operation::{AcknowledgeAudit, Checkpoint, DrainAudit, Operation};
use crate::policy::action::ActionSpec;
use crate::policy::audit::AuditSpec;
use crate::policy::format::{ActionAudit, AuditLevel};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::state::events::{Event, EventKind, Events};
use crate::time::Now;

/// Events and records that the host has not taken yet. On cache lines of its own: who writes here disturbs no decision that
/// writes nothing.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Journal {
    events: Events,
    buffer: Buffer,
    /// Whether events become records: whether the active bundle declares audit.
    recording: bool,
    /// Whether a record found no room since there was room last.
    full: bool,
    /// The number of the input that is under way, where inputs are written down: records say whose doing they are.
    pub(super) input: Option<u64>,
}

impl Journal {
    pub(super) fn new(limits: &Limits) -> Self {
        let buffer = Buffer::new(limits.audit_entries_max, limits.audit_bytes_max);
        let events = Events::new(limits.events_max, limits.causes_max);
        Self { events, buffer, recording: false, full: false, input: None }
    }

    pub(super) fn push(&mut self, at: Now, kind: EventKind) -> Event {
        point("event: begin");
        let event = self.events.push(at, kind);
        point("event: told");
        if self.recording && !self.buffer.push_event(&event, self.input) {
            self.full = true;
        }
        event
    }

    /// Records events from now on, or no more, and refers to a runbook, as the bundle that becomes the active one says.
    pub(super) fn follow(&mut self, active: &Active) {
        let policy = active.bundle.policy();
        self.recording = policy.audit.is_some();
        self.events.refer_to(policy.runbook.as_deref());
    }

    /// The events, for what is counted of them.
    pub(super) const fn told(&self) -> &Events {
        &self.events
    }

    pub(super) fn poll(&mut self) -> Option<Event> {
        self.events.poll()
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.events.dropped()
    }

    /// Whether records were lost since there was room last: the built-in signal `audit` is failed.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    fn has_room(&self) -> bool {
        self.buffer.has_room(RECORD_BYTES)
    }
}

/// Whether there is no allow without a record.
const fn demands_record(action: Option<ActionAudit>) -> bool {
    matches!(action, Some(ActionAudit::Required | ActionAudit::Confirmed))
}

/// What a record of ordinary size takes. A decision that must be recorded is not begun without so much room.
const RECORD_BYTES: usize = 4_096;

/// How full the audit buffer is, and what became of records so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditCounters {
    /// Records that were kept since the engine was made, gaps and checkpoints not counted.
    pub recorded: u64,
    /// Records that found no room: each is counted in a gap of the chain.
    pub unrecorded: u64,
    /// Records that the host has not confirmed.
    pub kept: u64,
    /// About how many bytes they take.
    pub kept_bytes: u64,
    /// Where the chain has come to.
    pub head: Head,
}

impl Engine {
    /// At most `max` records for the host to write, oldest first: lines of canonical JSON, linked by hash.
    ///
    /// They stay until [`Engine::acknowledge_audit`] confirms them; until then the same bytes come again.
    pub fn drain_audit(&self, max: usize, now: Now) -> Batch {
        let _order = self.in_order();
        // A host that looks again and again puts nothing in.
        let nothing_new = self.events().buffer.is_idle();
        if nothing_new && self.outbox().is_idle() {
            return Batch::default();
        }
        let input = self.input(now, || drain(max));
        let batch = self.drain_in_order(max, now);
        input.done(Ok(&batch), |batch| json!({ "lines": batch.lines, "last_seq": batch.last_seq }));
        batch
    }

    fn drain_in_order(&self, max: usize, now: Now) -> Batch {
        let now = self.held(now);
        let mut outbox = self.outbox();
        // The entries leave the journal under its lock; they become text under the outbox's alone.
        let wanted = outbox.wants(max);
        let mut entries = self.events().buffer.take(wanted);
        point("drain: taken");
        let batch = outbox.drain(max, now, self.config.audit_key.as_ref(), &mut entries);
        point("drain: linked");
        self.events().buffer.reuse(entries);
        batch
    }

    /// Confirms that every record up to `seq` is written: what it took is free again.
    pub fn acknowledge_audit(&self, seq: u64, now: Now) {
        let _input = self.operating(now, || Operation::AcknowledgeAudit(AcknowledgeAudit { seq }));
        let freed = self.outbox().acknowledge(seq);
        point("acknowledge: freed");
        self.written(&freed.confirmed);
        point("acknowledge: written");
        let mut journal = self.events();
        journal.buffer.give_back(&freed);
        let has_room_again = journal.full && journal.has_room();
        if has_room_again {
            journal.full = false;
        }
        drop(journal);
        if has_room_again {
            self.advance(now);
        }
    }

    /// Adds a record of where the chain has come to, and gives it: for the host to sign, and to keep elsewhere. Against a
    /// head that was kept elsewhere a chain that was cut or written anew shows.
    pub fn checkpoint(&self, now: Now) -> Head {
        let _input = self.operating(now, || Operation::Checkpoint(Checkpoint {}));
        let now = self.held(now);
        let mut outbox = self.outbox();
        let mut entries = self.events().buffer.take(usize::MAX);
        outbox.link_all(now, self.config.audit_key.as_ref(), &mut entries);
        self.events().buffer.reuse(entries);
        point("checkpoint: linked");
        outbox.checkpoint(now)
    }

    /// How full the audit buffer is, and what became of records so far.
    #[must_use]
    pub fn audit_counters(&self) -> AuditCounters {
        let head = self.outbox().head();
        let journal = self.events();
        let (recorded, unrecorded) = journal.buffer.counts();
        let (kept, kept_bytes) = journal.buffer.kept();
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        AuditCounters { recorded, unrecorded, kept: wide(kept), kept_bytes: wide(kept_bytes), head }
    }

    /// Gate 3: whether a decision on this action may be made, as far as its record goes.
    pub(super) fn may_record(&self, action: &ActionSpec) -> bool {
        !demands_record(action.audit) || self.events().has_room()
    }

    /// Records an allow that waits until its record is confirmed. The number of the record; nothing where there is no
    /// room for it.
    pub(super) fn record_to_wait(
        &self,
        snapshot: &Snapshot,
        request: &RequestView<'_>,
        decision: &Decision,
    ) -> Option<u64> {
        let policy = snapshot.active.as_ref()?.bundle.policy();
        policy.audit.as_ref()?;
        let (id, at) = (decision.id(), decision.at());
        let mut draft = Draft::default();
        draft.fill(decision, Some((request, &policy.schema)), Given::Waits);
        let mut journal = self.events();
        if !journal.buffer.has_room(draft.weight()) {
            return None;
        }
        let input = journal.input;
        point("wait: room");
        journal.buffer.push(&draft, policy, input);
        point("wait: recorded");
        drop(journal);
        // Linked at once, so that the host knows which record it has to write. Another thread may have handed it out and had
        // it confirmed by now: then any number will do.
        let mut outbox = self.outbox();
        let mut entries = self.events().buffer.take(usize::MAX);
        outbox.link_all(at, self.config.audit_key.as_ref(), &mut entries);
        self.events().buffer.reuse(entries);
        Some(outbox.awaited_by(id).unwrap_or_else(|| outbox.head().count))
    }

    /// Records a decision, where the bundle that made it says so. A demanded record that finds no room makes a deny of it.
    pub(super) fn record(&self, snapshot: &Snapshot, request: Option<&RequestView<'_>>, decision: &mut Decision) {
        self.record_as(snapshot, request, decision, Given::AtOnce);
    }

    /// The same, for a decision that may be given in place of one that waited.
    pub(super) fn record_as(
        &self,
        snapshot: &Snapshot,
        request: Option<&RequestView<'_>>,
        decision: &mut Decision,
        given: Given,
    ) {
        let Some(policy) = snapshot.active.as_ref().map(|active| active.bundle.policy()) else { return };
        let Some(spec) = &policy.audit else { return };
        let named = |request: &RequestView<'_>| policy.action(request.action.name).map(|(number, _)| number);
        let number = decision.action.or_else(|| request.and_then(named));
        let action = number.and_then(|number| policy.actions.get(usize::try_from(number).ok()?)?.audit);
        if !self.is_recorded(spec, action, decision) {
            return;
        }
        let asked = request.map(|request| (request, &policy.schema));
        let mut draft = Draft::default();
        point("record: begin");
        draft.fill(decision, asked, given);
        point("record: drafted");
        let mut journal = self.events();
        let demanded = demands_record(action) && decision.is_allow();
        if demanded && !journal.buffer.has_room(draft.weight()) {
            decision.refuse_for_audit();
            draft.fill(decision, asked, given);
        }
        let input = journal.input;
        if !journal.buffer.push(&draft, policy, input) && !journal.full {
            journal.full = true;
            drop(journal);
            self.show(decision.at());
        }
    }

    /// Records a deny in which a panic ended. What panicked may do so again while it is written down: then the record does
    /// without what was asked.
    pub(super) fn record_after_panic(&self, request: Option<&RequestView<'_>>, decision: &mut Decision) {
        let snapshot = self.snapshot.load();
        let mut record = |request: Option<&RequestView<'_>>| {
            catch_unwind(AssertUnwindSafe(|| self.record(&snapshot, request, decision))).is_ok()
        };
        let _recorded = record(request) || record(None);
    }

    fn is_recorded(&self, spec: &AuditSpec, action: Option<ActionAudit>, decision: &Decision) -> bool {
        let ordinary = decision.reason() == Reason::AllowedByRule;
        match spec.level_of(action) {
            AuditLevel::None => false,
            AuditLevel::All => true,
            AuditLevel::Denies => !ordinary,
            AuditLevel::Sampled => !ordinary || self.is_sampled(spec, decision),
        }
    }

    /// By the identifier of the decision: the same decision is sampled or not whenever it is decided again.
    fn is_sampled(&self, spec: &AuditSpec, decision: &Decision) -> bool {
        use std::hash::BuildHasher;
        let place = self.hash.hash_one(decision.id().0).checked_rem(1_000_000).unwrap_or(0);
        place < u64::from(spec.sampled_per_million)
    }
}

/// The hand-over of at most so many records; a number that the operation has not stands beside it.
fn drain(max: usize) -> Input<'static> {
    let operation = DrainAudit { max: u32::try_from(max).ok() };
    let exact = (operation.max() != max).then(|| u64::try_from(max).unwrap_or(u64::MAX));
    Input::Operate(Operation::DrainAudit(operation).into(), exact)
}
