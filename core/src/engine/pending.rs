//! Answers that wait until their records are written (`audit: confirmed`): one answer in two calls.
//!
//! The first call decides and records. Then the host drains, writes and acknowledges. The second decides again, on what is
//! true by then, and gives the allow only where it is the one that stands in the record. What is in between on disk and was
//! not given out is followed by a record that says so.

use std::collections::{BTreeMap, VecDeque};
use std::hash::BuildHasher;

use super::Engine;
use super::gates::Manner;
use super::snapshot::Snapshot;
use crate::audit::record::Given;
use crate::combine::Verdict;
use crate::concurrent::{MutexGuard, PoisonError};
use crate::decision::{Decision, DecisionId, Pending};
use crate::faults::point;
use crate::limits::Limits;
use crate::operation::{ConfirmDecision, DecidePending, Operation};
use crate::policy::format::ActionAudit;
use crate::reason::Reason;
use crate::request::{Checked, Request, RequestView, Spelling};
use crate::state::events::EventKind;
use crate::time::{Monotonic, Now, Ttl};

/// For how long an allow waits to be confirmed. Who asks later asks anew.
const WAITS_FOR: Ttl = Ttl::from_secs(30);

/// Whether the action of a decision demands that an allow waits for its record.
fn waits(snapshot: &Snapshot, decision: &Decision) -> bool {
    let policy = snapshot.active.as_ref().map(|active| active.bundle.policy());
    let action = decision.action.and_then(|number| usize::try_from(number).ok());
    let action = policy.and_then(|policy| policy.actions.get(action?));
    decision.is_allow() && action.is_some_and(|action| action.audit == Some(ActionAudit::Confirmed))
}

/// Makes of a decision what one call gives: no allow that has to wait for its record.
pub(super) fn hold_back(snapshot: &Snapshot, decision: &mut Decision) {
    if waits(snapshot, decision) {
        decision.withhold(TWO_CALLS);
    }
}

const TWO_CALLS: &str =
    "the action answers only once its record is written: ask with `decide_pending`, then `confirm_decision`";
const WAITS: &str = "its record waits to be written: drain, write, acknowledge, then `confirm_decision`";
const NOT_WRITTEN: &str = "its record is not acknowledged yet: drain, write, acknowledge, and ask again";
const UNKNOWN: &str = "nothing waits under this identifier: it was given out, has expired, or is another engine's";
const OTHERWISE: &str = "what is allowed now is not what was recorded: ask anew";
const NO_ROOM: &str = "too many decisions wait to be confirmed";

/// What waits to be confirmed. Bounded as the records are that it waits for.
#[derive(Debug)]
pub(super) struct Table {
    waiting: BTreeMap<DecisionId, Waiting>,
    /// When each ends, the earliest first. The first of them waits; behind it may be what waits no more.
    ends: VecDeque<(Monotonic, DecisionId)>,
    bytes: usize,
    /// How many have waited: two requests alike at one time are told apart by it.
    begun: u64,
    entries_max: usize,
    bytes_max: usize,
}

/// An allow that waits.
#[derive(Debug)]
struct Waiting {
    request: Request,
    bytes: usize,
    /// What was decided, as it stands in the record.
    recorded: Decision,
    until: Monotonic,
    /// Whether its record is acknowledged.
    written: bool,
}

/// What the table says of an identifier.
enum Found {
    Unknown,
    NotWritten,
    Written(Box<Waiting>),
}

impl Table {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            waiting: BTreeMap::new(),
            ends: VecDeque::new(),
            bytes: 0,
            begun: 0,
            entries_max: limits.audit_entries_max,
            bytes_max: limits.audit_bytes_max,
        }
    }

    fn begin(&mut self) -> u64 {
        self.begun = self.begun.saturating_add(1);
        self.begun
    }

    /// Keeps what waits. Whether there was room.
    fn keep(&mut self, id: DecisionId, waiting: Waiting) -> bool {
        let bytes = self.bytes.saturating_add(waiting.bytes);
        if self.waiting.len() >= self.entries_max || bytes > self.bytes_max || self.waiting.contains_key(&id) {
            return false;
        }
        // Most are confirmed long before they end, and leave their end behind.
        if self.ends.len() > self.waiting.len().saturating_mul(2).saturating_add(64) {
            self.ends.retain(|(_, id)| self.waiting.contains_key(id));
        }
        self.bytes = bytes;
        self.ends.push_back((waiting.until, id));
        point("pending: end kept");
        self.waiting.insert(id, waiting);
        point("pending: kept");
        true
    }

    fn remove(&mut self, id: DecisionId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        point("pending: taken");
        self.bytes = self.bytes.saturating_sub(waiting.bytes);
        while self.ends.pop_front_if(|(_, id)| !self.waiting.contains_key(id)).is_some() {}
        Some(waiting)
    }

    /// Takes what waits under this identifier, where its record is acknowledged.
    fn take(&mut self, id: DecisionId) -> Found {
        match self.waiting.get(&id) {
            None => Found::Unknown,
            Some(Waiting { written: false, .. }) => Found::NotWritten,
            Some(_) => self.remove(id).map_or(Found::Unknown, |waiting| Found::Written(Box::new(waiting))),
        }
    }

    /// Forgets what has ended by now, and names it.
    fn ended(&mut self, now: Monotonic) -> Vec<(Monotonic, DecisionId)> {
        let mut ended = Vec::new();
        while let Some((at, id)) = self.ends.pop_front_if(|(at, _)| *at <= now) {
            ended.extend(self.remove(id).map(|_| (at, id)));
        }
        ended
    }

    fn until(&self) -> Monotonic {
        self.ends.front().map_or(Monotonic::NEVER, |(at, _)| *at)
    }
}

impl Engine {
    /// Decides, and lets an allow wait until its record is written, where the action demands that (`audit: confirmed`). On
    /// any other action it is [`Engine::decide`].
    ///
    /// The host then drains the records, writes them, acknowledges them, and asks with [`Engine::confirm`].
    #[must_use]
    pub fn decide_pending(&self, request: &Request, now: Now) -> Pending {
        let mut pending = None;
        let denied = self.contained(None, now, |_| pending = Some(self.ask_to_wait(request, now)));
        pending.unwrap_or_else(|| Pending::settled(denied))
    }

    fn ask_to_wait(&self, request: &Request, now: Now) -> Pending {
        let operation = || Operation::DecidePending(DecidePending { request: request.to_json() });
        let input = self.operating(now, operation);
        let view = RequestView::from(request);
        let spelling = Spelling::of(&view);
        let mut waits = None;
        let decision =
            self.contained(Some(&view), now, |decision| match Checked::new(&view, &spelling, &self.config.limits) {
                Ok(view) => waits = self.first_answer(request, &view, now, decision),
                Err(error) => self.refuse_as(&error, now, decision),
            });
        // What panicked on the way has nothing to wait for.
        let waits = waits.filter(|_| decision.reason() == Reason::AuditPending);
        let (id, seq) = waits.map_or((None, 0), |(id, seq)| (Some(id), seq));
        let pending = Pending { decision, id, seq };
        input.done(Ok(&pending), |pending| pending.to_json());
        pending
    }

    /// [`Engine::decide_pending`] on the bytes of an AuthZEN evaluation request.
    #[must_use]
    pub fn decide_pending_json(&self, bytes: &[u8], now: Now) -> Pending {
        match Request::from_json(bytes, &self.config.limits) {
            Ok(request) => self.decide_pending(&request, now),
            Err(error) => Pending::settled(self.refuse(&error, now)),
        }
    }

    /// Gives out what waited, if its record is acknowledged and what is true by now allows the same; else a deny, with the
    /// reason of what is true by now, or `audit_pending`.
    ///
    /// What was given, or denied in its place, waits no more. What is not acknowledged yet waits on, for thirty seconds from
    /// the first call.
    #[must_use]
    pub fn confirm(&self, id: DecisionId, now: Now) -> Decision {
        self.contained(None, now, |decision| *decision = self.confirm_in_order(id, now))
    }

    fn confirm_in_order(&self, id: DecisionId, now: Now) -> Decision {
        let operation = || Operation::ConfirmDecision(ConfirmDecision { pending: id.to_string() });
        let input = self.operating(now, operation);
        let answer = Pending::settled(self.confirmed(id, now));
        input.done(Ok(&answer), |answer| answer.to_json());
        answer.decision
    }

    fn confirmed(&self, id: DecisionId, now: Now) -> Decision {
        self.end_pending(self.held(now));
        let found = self.pending().take(id);
        let waiting = match found {
            Found::Written(waiting) => waiting,
            Found::NotWritten => return self.not_given(NOT_WRITTEN, now),
            Found::Unknown => return self.not_given(UNKNOWN, now),
        };
        point("confirm: taken");
        let view = RequestView::from(&waiting.request);
        let decision = self.contained(Some(&view), now, |decision| {
            self.second_answer(&Checked::before(&view, &Spelling::of(&view)), id, &waiting.recorded, now, decision);
        });
        if !decision.is_allow() {
            let why = decision.reason().code();
            self.events().push(self.held(now), EventKind::DecisionWithdrawn { decision: id, why });
        }
        decision
    }

    /// The identifier under which an allow waits, and the number of its record; nothing for what waits for nothing.
    fn first_answer(
        &self,
        request: &Request,
        view: &Checked<'_>,
        now: Now,
        decision: &mut Decision,
    ) -> Option<(DecisionId, u64)> {
        let (snapshot, now) = self.current(now);
        self.end_pending(now);
        let decider = self.decide_by(&snapshot, view, now, decision);
        if waits(decider, decision) {
            let waiting = self.let_wait(decider, request, view, decision);
            if waiting.is_some() {
                return waiting;
            }
        }
        self.record(decider, Some(view), decision);
        self.measures.count(decider, decision);
        None
    }

    /// Keeps and records an allow that waits, and makes of it the deny until then; gives what to ask for and the record's
    /// number. A deny where there is no room.
    fn let_wait(
        &self,
        snapshot: &Snapshot,
        request: &Request,
        view: &Checked<'_>,
        decision: &mut Decision,
    ) -> Option<(DecisionId, u64)> {
        point("wait: begin");
        let mut table = self.pending();
        decision.id = self.id_of(decision.at(), self.hash.hash_one((decision.id.0, table.begin())));
        let id = decision.id();
        let bytes = request.to_json().to_string().len();
        let until = decision.at().monotonic.after(WAITS_FOR);
        let waiting = Waiting { request: request.clone(), bytes, recorded: decision.clone(), until, written: false };
        if !table.keep(id, waiting) {
            decision.refuse_for_audit().because(&NO_ROOM);
            return None;
        }
        drop(table);
        let Some(seq) = self.record_to_wait(snapshot, view, decision) else {
            self.pending().remove(id);
            decision.refuse_for_audit();
            return None;
        };
        decision.withhold(WAITS);
        Some((id, seq))
    }

    fn second_answer(
        &self,
        view: &Checked<'_>,
        id: DecisionId,
        recorded: &Decision,
        now: Now,
        decision: &mut Decision,
    ) {
        let (snapshot, now) = self.current(now);
        let is_other = |decision: &Decision| decision.is_allow() && !decision.says_the_same_as(recorded);
        let decider = self.decide_by(&snapshot, view, now, decision);
        point("confirm: decided");
        if decision.override_id().is_some() && !is_other(decision) {
            // Only what is given out uses the override up.
            *decision = Decision::new(Verdict::deny(Reason::InternalError), now);
            self.gates(decider, view, now, Manner::CONFIRMED, decision);
        }
        if is_other(decision) {
            decision.withhold(OTHERWISE);
        }
        self.record_as(decider, Some(view), decision, Given::For(id));
        self.measures.count(decider, decision);
    }

    /// A deny of who asks too early, or for what is not there. Nothing was decided, and nothing is counted.
    fn not_given(&self, why: &'static str, now: Now) -> Decision {
        let now = self.held(now);
        let mut decision = Decision::new(Verdict::deny(Reason::AuditPending), now);
        if let Some(active) = &self.snapshot.load().active {
            decision.bundle = active.bundle.policy().name;
            decision.revision = active.bundle.revision();
        }
        decision.id = self.id_of(now, 0);
        decision.because(&why);
        decision
    }

    /// Takes in that records are acknowledged for which something waited.
    pub(super) fn written(&self, confirmed: &[DecisionId]) {
        if confirmed.is_empty() {
            return;
        }
        let mut table = self.pending();
        for id in confirmed {
            if let Some(waiting) = table.waiting.get_mut(id) {
                waiting.written = true;
            }
        }
    }

    /// Ends what nobody came for in time.
    pub(super) fn end_pending(&self, now: Now) {
        let ended = self.pending().ended(now.monotonic);
        for (at, decision) in ended {
            self.events().push(super::earlier(now, at), EventKind::DecisionWithdrawn { decision, why: "expired" });
        }
    }

    /// When the first of what waits ends.
    pub(super) fn pending_until(&self) -> Monotonic {
        self.pending().until()
    }

    fn pending(&self) -> MutexGuard<'_, Table> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
