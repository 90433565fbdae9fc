//! The engine: the one path of `decide`, gate by gate (spec 1.4).
//!
//! Writers (`activate`, `observe`, `advance` …) take the one lock, change what the engine was told, and publish a new
//! snapshot. A decision loads one snapshot and reads nothing else, so it sees one bundle, one state of every signal and
//! one time; it waits for nobody unless something is due at that very time.

mod activate;
mod approvals;
pub(crate) mod case;
mod contained;
mod degraded;
mod evaluate;
mod explain;
mod failover;
mod flags;
mod guards;
mod inputs;
mod journal;
mod lives;
mod losses;
mod measure;
mod metrics;
mod operate;
mod overrides;
mod overview;
mod pending;
mod postures;
mod quarantine;
mod refused;
mod restore;
mod rollout;
mod snapshot;
#[cfg(test)]
mod tests;
mod told;
mod trust;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use bumpalo::Bump;
use foldhash::fast::FixedState;

pub use explain::{Explanation, RuleTrace};
pub use flags::FlagView;
pub use inputs::Secrets;
pub(crate) use inputs::{Unset, configured};
pub use journal::AuditCounters;
pub use overrides::OverrideView;
pub use quarantine::QuarantineTerms;
pub use restore::Restored;
pub use rollout::Readers;

use crate::audit::buffer::Outbox;
use crate::audit::chain::Head;
use crate::condition::{PostureView, Status};
use crate::decision::{Decision, DecisionId};
use crate::journal::input::Input;
use crate::limits::Limits;
use crate::name::Name;
use crate::policy::action::ActionSpec;
use crate::policy::bundle::{Bundle, Trust};
use crate::policy::format::ActionAudit;
use crate::policy::schema::Slots;
use crate::reason::{Effect, Reason};
use crate::request::{Request, RequestView, Terms};
pub use crate::state::admission::{ActivateError, LoadError};
use crate::state::approvals::Close;
use crate::state::cache::{Cache, Stamp};
use crate::state::cache_key::Key;
use crate::state::clocks::{Anchor, HighWater};
use crate::state::document::StateKey;
use crate::state::events::{Event, EventKind};
use crate::state::overrides::End;
use crate::state::postures::{Standing, Transition};
use crate::state::signals::{Observation, Observed};
use crate::time::{Monotonic, Now, Ttl};
use evaluate::{Evaluation, Unwatched, Which};
use inputs::Inputs;
use journal::Journal;
use lives::Lives;
use losses::SignalChange;
use measure::{Measures, Telling};
use pending::Table;
use snapshot::{Active, Need, Snapshot};
use told::{Told, earlier};

/// How an engine is set up. The defaults loosen nothing; but a production host sets [`Config::trust`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The limits on all that comes in.
    pub limits: Limits,
    /// How far the two clocks may part before the signal `clock` fails. Default 5 s.
    pub clock_skew_max: Ttl,
    /// A secret that keys the hashes of the cache and the identifiers of decisions, and from which the waits of retries are
    /// drawn: two processes with one key wait alike. Default zero: hosts that take
    /// requests from strangers supply one, so that nobody can aim at one place of the cache.
    pub key: [u8; 16],
    /// A secret that seals exported state, shared by the engines that restore each other's. Default none: then nothing is
    /// exported or restored.
    pub state_key: Option<StateKey>,
    /// The name that other engines know this one by; no two have the same. Default empty: it takes no part in failovers.
    pub instance: Name,
    /// Whose bundles the engine takes at first; [`Engine::rotate_trust`] changes it. Default: those of anybody, for
    /// development. A production host gives [`Trust::keys`].
    pub trust: Trust,
    /// A secret that keys what stands in audit records for values that must not be written. Default none: such values are
    /// left out altogether.
    pub audit_key: Option<[u8; 32]>,
    /// The head behind which the audit chain goes on: of the last record that the host has on disk. Default: a new chain.
    pub audit_head: Head,
}

/// Without the secrets.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("limits", &self.limits)
            .field("clock_skew_max", &self.clock_skew_max)
            .field("audit_head", &self.audit_head)
            .finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::DEFAULT,
            clock_skew_max: Ttl::from_secs(5),
            key: [0; 16],
            trust: Trust::unsigned_for_development(),
            state_key: None,
            instance: Name::new(),
            audit_key: None,
            audit_head: Head::default(),
        }
    }
}

/// What the engine has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Readings of the monotonic clock that were earlier than one before, by a millisecond or more.
    pub clock_went_back: u64,
    /// Events dropped because nobody polled.
    pub events_dropped: u64,
    /// Cached decisions now held.
    pub cached_decisions: u64,
}

/// A policy decision point inside its host's process.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    snapshot: ArcSwap<Snapshot>,
    told: Mutex<Told>,
    journal: Mutex<Journal>,
    /// What was put in, where the host keeps a journal of it. Held over each input, before any other lock.
    inputs: Option<Inputs>,
    outbox: Mutex<Outbox>,
    pending: Mutex<Table>,
    cache: Cache,
    high_water: HighWater,
    measures: Measures,
    hash: FixedState,
    #[cfg(test)]
    pub(crate) panic_in_decide: std::sync::atomic::AtomicBool,
    #[cfg(test)]
    pub(crate) panic_in_candidate: std::sync::atomic::AtomicBool,
}

impl Engine {
    /// An engine without a bundle: it denies everything with `no_policy`.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let [a, b, c, d, e, f, g, h, rest @ ..] = config.key;
        let seed = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let limits = &config.limits;
        Self {
            snapshot: ArcSwap::from_pointee(Told::new(limits, seed, config.trust.clone()).snapshot(Now::default()).0),
            told: Mutex::new(Told::new(limits, seed, config.trust.clone())),
            journal: Mutex::new(Journal::new(limits)),
            inputs: inputs::of(&config),
            outbox: Mutex::new(Outbox::behind(config.audit_head)),
            pending: Mutex::new(Table::new(limits)),
            cache: Cache::new(limits.cache_entries_max, limits.cache_bytes_max, seed),
            high_water: HighWater::default(),
            measures: Measures::new(limits),
            hash: FixedState::with_seed(u64::from_be_bytes(rest)),
            config,
            #[cfg(test)]
            panic_in_decide: std::sync::atomic::AtomicBool::new(false),
            #[cfg(test)]
            panic_in_candidate: std::sync::atomic::AtomicBool::new(false),
        }
    }

    /// How the engine was set up.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Takes a report about a signal.
    pub fn observe(&self, observation: &Observation, now: Now) -> Observed {
        let input = self.input(now, || Input::Observe(Cow::Borrowed(observation)));
        let reading = now.monotonic;
        let now = self.held(now);
        let mut told = self.told();
        // What was due before comes before what is new: a late report hides no silence.
        told.settle(now);
        let outcome = told.observe(observation, reading, now);
        if outcome == Observed::Taken {
            self.publish(&mut told, now);
        } else {
            let signal = cut(&observation.signal);
            self.events().push(now, EventKind::ObservationIgnored { signal, outcome });
            if !told.transitions.is_empty() {
                self.publish(&mut told, now);
            }
        }
        drop(told);
        input.done(Ok(outcome), |outcome| outcome.code().into());
        outcome
    }

    /// Lets time alone do what is due: signals expire, a validity ends, clocks that have parted are found.
    ///
    /// A decision does this by itself when it meets something due; a host calls it at [`Engine::next_deadline`], so
    /// that events come in time even when nobody asks anything.
    pub fn advance(&self, now: Now) {
        let _input = self.input(now, || Input::Advance);
        let (told, now) = self.follow(now);
        drop(told);
        self.end_pending(now);
    }

    /// Does all that is due by now, and gives the writers' lock with the time as it is held.
    fn follow(&self, raw: Now) -> (MutexGuard<'_, Told>, Now) {
        let now = self.held(raw);
        let mut told = self.told();
        let parted = told.clock_ok && told.anchor.is_some_and(|anchor| !anchor.agrees(raw));
        if parted {
            // Whatever wall time bounds has ended, before anything is done on the strength of it.
            told.end_approvals(Close::Clock, End::Clock, now.monotonic);
        }
        told.settle(now);
        if parted {
            told.clock_ok = false;
            self.events().push(now, EventKind::ClockFailed);
        }
        self.publish(&mut told, now);
        (told, now)
    }

    /// Takes the two clocks as they stand now for right: the way out after they have parted.
    pub fn anchor_clocks(&self, now: Now) {
        let _input = self.input(now, || Input::AnchorClocks);
        let held = self.held(now);
        let mut told = self.told();
        told.settle(held);
        told.anchor = Some(Anchor::new(now, self.config.clock_skew_max));
        told.approvals.anchor(now.wall);
        told.clock_ok = true;
        self.events().push(held, EventKind::ClockAnchored);
        self.publish(&mut told, held);
    }

    /// When [`Engine::advance`] is due, at the latest; nothing while time alone changes nothing.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        Some(self.snapshot.load().due.min(self.pending_until())).filter(|due| *due < Monotonic::NEVER)
    }

    /// The oldest event that was not polled yet.
    pub fn poll_event(&self) -> Option<Event> {
        self.events().poll()
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            clock_went_back: self.high_water.went_back(),
            events_dropped: self.events().dropped(),
            cached_decisions: u64::try_from(self.cache.len()).unwrap_or(u64::MAX),
        }
    }

    /// The status of a signal, as of the last call that told the engine the time; nothing where none is so named.
    #[must_use]
    pub fn signal(&self, name: &str) -> Option<Status> {
        let snapshot = self.snapshot.load();
        let number = snapshot.active.as_ref()?.bundle.policy().signal(name)?;
        snapshot.signals.get(usize::from(number)).map(|view| view.status)
    }

    /// The active bundle.
    #[must_use]
    pub fn bundle(&self) -> Option<Bundle> {
        self.snapshot.load().active.as_ref().map(|active| active.bundle.clone())
    }

    /// Decides. There is no error: whatever goes wrong is a deny with its reason.
    #[must_use]
    pub fn decide(&self, request: &Request, now: Now) -> Decision {
        self.decide_view(&RequestView::from(request), now)
    }

    /// Decides on attributes that the host holds; what the same request as JSON would be decided.
    #[must_use]
    pub fn decide_view(&self, request: &RequestView<'_>, now: Now) -> Decision {
        let limits = &self.config.limits;
        let checked = || request.check_names(limits).and_then(|()| request.check_values(limits));
        self.contained(Some(request), now, |decision| match checked() {
            Ok(()) => self.answer(request, now, decision),
            Err(error) => self.refuse_as(&error, now, decision),
        })
    }

    /// Decides as if there were no override: for questions that nobody acts on, and that must use none up.
    #[must_use]
    pub(crate) fn decide_without_override(&self, request: &Request, now: Now) -> Decision {
        self.look(now);
        let limits = &self.config.limits;
        let request = RequestView::from(request);
        let checked = || request.check_names(limits).and_then(|()| request.check_values(limits));
        self.contained(None, now, |decision| match checked() {
            Ok(()) => {
                let (snapshot, now) = self.current(now);
                self.gates(&snapshot, &request, now, Manner::UNOVERRIDDEN, decision);
                pending::hold_back(&snapshot, decision);
            }
            Err(error) => self.refuse_as(&error, now, decision),
        })
    }

    /// Decides on the bytes of an AuthZEN evaluation request.
    #[must_use]
    pub fn decide_json(&self, bytes: &[u8], now: Now) -> Decision {
        self.contained(None, now, |decision| match Request::from_json(bytes, &self.config.limits) {
            Ok(request) => {
                let request = RequestView::from(&request);
                self.contain(Some(&request), now, decision, |decision| self.answer(&request, now, decision));
            }
            Err(error) => self.refuse_as(&error, now, decision),
        })
    }

    /// Explains what [`Engine::decide`] would say, without an effect on anything.
    #[must_use]
    pub fn explain(&self, request: &Request, now: Now) -> Explanation {
        self.look(now);
        let (snapshot, now) = self.current(now);
        explain::explain(&snapshot, request, now, &self.config.limits)
    }

    /// The gates, the record, and the count.
    fn answer(&self, request: &RequestView<'_>, now: Now, decision: &mut Decision) {
        let input = self.asked(request, now);
        let (snapshot, now) = self.current(now);
        let decider = self.decide_by(&snapshot, request, now, decision);
        pending::hold_back(decider, decision);
        self.record(decider, Some(request), decision);
        self.measures.count(decider, decision);
        input.decided(decision);
    }

    /// Decides by the bundle whose it is to decide; gives the snapshot of that one.
    fn decide_by<'s>(
        &self,
        snapshot: &'s Snapshot,
        request: &RequestView<'_>,
        now: Now,
        decision: &mut Decision,
    ) -> &'s Snapshot {
        match &snapshot.candidate {
            None => {
                self.gates(snapshot, request, now, Manner::ANSWER, decision);
                snapshot
            }
            Some(candidate) => self.in_rollout(snapshot, candidate, request, now, decision),
        }
    }

    /// The path of every decision. Each gate may only tighten what follows; gates 6 and 9 loosen only as a bundle declares.
    fn gates(&self, snapshot: &Snapshot, request: &RequestView<'_>, now: Now, manner: Manner, decision: &mut Decision) {
        decision.at = now;
        decision.id = self.decision_id(request, now);
        #[cfg(test)]
        if self.panic_in_decide.swap(false, std::sync::atomic::Ordering::Relaxed) {
            panic!("a panic that a test asked for");
        }
        #[cfg(test)]
        if manner.arm == CANDIDATE && self.panic_in_candidate.swap(false, std::sync::atomic::Ordering::Relaxed) {
            panic!("a panic that a test asked for");
        }

        // An engine that met a panic denies until a bundle is activated.
        if !snapshot.engine_ok {
            return;
        }
        let limits = &self.config.limits;
        // Gate 1: a bundle is active, not revoked, and inside its validity.
        let Some(active) = &snapshot.active else {
            decision.deny(Reason::NoPolicy);
            return;
        };
        let policy = &**active.bundle.policy();
        decision.bundle = policy.name;
        decision.revision = policy.revision;
        decision.posture = posture_name(policy, snapshot.in_force.everywhere().posture);
        if let Err(reason) = bundle_gate(snapshot, active, now) {
            decision.deny(reason);
            return;
        }
        // Gate 2: the request fits the schema; the action is declared; the revision is new enough.
        let terms = match request.terms() {
            Ok(terms) => terms,
            Err(error) => return decision.deny(Reason::InvalidRequest).because(&error),
        };
        if terms.min_revision.is_some_and(|least| policy.revision < least) {
            decision.deny(Reason::RevisionTooOld);
            return;
        }
        let Some((number, action)) = policy.action(request.action.name) else {
            decision.deny(Reason::UnknownAction);
            return;
        };
        decision.action = Some(number);
        let arena = Bump::new();
        let mut slots = Slots::new();
        if let Err(misfit) = policy.schema.fill(request, &arena, &mut slots) {
            return decision.deny(Reason::InvalidRequest).because(&misfit);
        }
        let Some(need) = usize::try_from(number).ok().and_then(|number| snapshot.needs.get(number)) else {
            return;
        };
        // Gate 3: where the action demands a record, there is room for one.
        if !self.may_record(action) {
            decision.deny(Reason::AuditUnavailable);
            return;
        }
        let Some(standing) = snapshot.in_force.of(&policy.postures.scopes, &slots) else {
            if snapshot.quarantines(request, &slots, limits, now) {
                decision.deny(Reason::Quarantined);
                return;
            }
            return decision.deny(Reason::LimitExceeded).because(&SCOPE_TOO_LONG);
        };
        let Some(posture) = policy.postures.spec(standing.posture) else {
            return;
        };
        let evaluation = Evaluation {
            policy,
            limits,
            request,
            slots: &slots,
            signals: &snapshot.signals,
            posture: PostureView { name: &posture.name, rank: posture.rank },
            now,
            clock_ok: snapshot.clock_ok,
            rego_input: OnceCell::new(),
        };
        let question = Question { snapshot, number, action, need, standing, terms, manner };
        self.judge(&question, &evaluation, decision);
        // Gate 9: an override that covers a deny.
        if manner.overrides && !decision.is_allow() {
            self.override_deny(snapshot, &evaluation, action, manner.uses_up(action), decision);
        }
    }

    /// Gates 4 to 8, and what of the answer is kept.
    fn judge(&self, question: &Question<'_>, evaluation: &Evaluation<'_>, decision: &mut Decision) {
        let Question { snapshot, number, action, need, standing, terms, manner } = *question;
        let Evaluation { policy, slots, request, now, .. } = *evaluation;
        // Gate 4: neither the subject nor the resource nor a scope is quarantined.
        if snapshot.quarantines(request, slots, &self.config.limits, now) {
            decision.deny(Reason::Quarantined);
            return;
        }
        // Gate 5: the strictest posture of the request's scopes permits it.
        decision.posture = posture_name(policy, standing.posture);
        if standing.posture > 0 && !postures::permits(evaluation, number, standing.posture) {
            decision.deny(Reason::Posture);
            return;
        }
        let stamp = Stamp { posture: standing, quarantine: snapshot.quarantine.changes(), ..need.stamp };

        let cacheable = manner.keeps && (action.allow_ttl.is_some() || action.deny_ttl.is_some());
        let mut key = Key::default();
        if cacheable {
            key.fill(number | manner.arm, &action.reads, slots, request);
        }
        let key = cacheable.then(|| key.bytes());
        let kept = key.and_then(|key| self.cache.find(key));
        let kept = kept.filter(|answer| !snapshot.quarantine.revoked(&request.subject, answer.decided_at));
        // Gate 6: every signal that the action requires is ok, or the action's declared way out.
        if let Some(degraded) = &need.degraded {
            let (verdict, particulars) = degraded::verdict(evaluation, action, stamp, kept.as_ref());
            decision.degraded = Some(Arc::clone(degraded));
            decision.particulars = particulars;
            return decision.settle(verdict, policy, action);
        }
        // Gate 7: an earlier answer whose facts all still hold.
        if let Some(answer) = kept.filter(|answer| answer.stamp == stamp && now.monotonic < answer.expires_at) {
            decision.cached = true;
            decision.expires_at = answer.expires_at.min(lives::request_end(snapshot, terms, now));
            decision.particulars = answer.particulars;
            return decision.settle(answer.verdict, policy, action);
        }
        let row = snapshot.row(number).filter(|_| key.is_some());
        if let Some(row) = row {
            row.miss();
        }
        // Gate 8: the rules.
        let counted = evaluation.count(action, Which::All, false, &mut Unwatched);
        let verdict = counted.tally.verdict();
        decision.particulars = evaluation.particulars(&counted, verdict);
        decision.degraded = evaluation.missed_signal(&counted);
        // Gate 10: what may be kept, and for how long. What an override makes of it is not.
        if let Some(key) = key.filter(|key| key.len() <= self.config.limits.cache_key_bytes_max) {
            let lives = Lives::of(snapshot, need, &counted, terms, now);
            decision.expires_at = lives.answer_expires_at(verdict, action);
            if let Some(row) = row.filter(|_| verdict.reason().effect() == Effect::Allow) {
                row.keep(decision.expires_at);
            }
            if let Some(answer) = lives.answer(verdict, decision, action, stamp) {
                self.cache.keep(key, answer);
            }
        }
        decision.settle(verdict, policy, action);
    }

    /// The snapshot that holds at `now`, and the time as it is held: a new one where something is due, or where the clocks
    /// have just parted.
    fn current(&self, now: Now) -> (arc_swap::Guard<Arc<Snapshot>>, Now) {
        let snapshot = self.snapshot.load();
        let parted = snapshot.clock_ok && snapshot.anchor.is_some_and(|anchor| !anchor.agrees(now));
        let held = self.held(now);
        if held.monotonic < snapshot.due && !parted {
            return (snapshot, held);
        }
        drop(snapshot);
        self.advance(now);
        // Another thread may have come later in the meantime: what it met as due is due here too.
        (self.snapshot.load(), self.held(now))
    }

    fn publish(&self, told: &mut Told, now: Now) {
        told.audit_ok = !self.events().is_full();
        self.follow_rollout(told, None, now);
        let (snapshot, changed) = told.snapshot(now);
        if let Some(active) = &snapshot.active {
            for SignalChange { number, from, to, since, relied_until } in changed {
                if let Some(spec) = active.bundle.policy().signals.get(usize::from(number)) {
                    let guard = told.guards.state(number, now.monotonic);
                    let kind = EventKind::SignalChanged { signal: spec.name, from, to, guard, since, relied_until };
                    self.events().push(now, kind);
                }
            }
        }
        let snapshot = Arc::new(snapshot);
        self.snapshot.store(Arc::clone(&snapshot));
        self.tell_validity(told, &snapshot, now);
        self.tell_transitions(told, now);
    }

    /// Whether the active bundle may decide, as an event where that has changed.
    fn tell_validity(&self, told: &mut Told, snapshot: &Snapshot, now: Now) {
        let gate = snapshot.active.as_ref().and_then(|active| bundle_gate(snapshot, active, now).err());
        let suspended = gate.map(Reason::code);
        if suspended != told.suspended {
            told.suspended = suspended;
            self.events()
                .push(now, suspended.map_or(EventKind::PolicyResumed, |code| EventKind::PolicySuspended { code }));
        }
    }

    /// What became of postures, quarantines and approvals, as events of the time at which it did.
    fn tell_transitions(&self, told: &mut Told, now: Now) {
        for (at, selector) in std::mem::take(&mut told.quarantines_ended) {
            self.events().push(earlier(now, at), EventKind::QuarantineEnded { selector });
        }
        let transitions = std::mem::take(&mut told.transitions);
        let mut happened = std::mem::take(&mut told.happened);
        if let Some(active) = &told.active {
            happened.extend(transitions.into_iter().map(|Transition { at, posture, scope, entered, since }| {
                let posture = posture_name(active.bundle.policy(), posture);
                let kind = match entered {
                    Some(cause) => EventKind::PostureEntered { posture, scope, cause, since },
                    None => EventKind::PostureLeft { posture, scope, approved: None },
                };
                (at, kind)
            }));
        }
        happened.sort_by_key(|(at, _)| *at);
        for (at, kind) in happened {
            self.events().push(earlier(now, at), kind);
        }
    }

    fn held(&self, now: Now) -> Now {
        Now { monotonic: self.high_water.hold(now.monotonic), wall: now.wall }
    }

    fn decision_id(&self, request: &RequestView<'_>, now: Now) -> DecisionId {
        let (subject, resource) = (&request.subject, &request.resource);
        let who = (subject.party_type, subject.id, resource.party_type, resource.id, request.action.name);
        self.id_of(now, self.hash.hash_one(who))
    }

    /// 48 bits of wall milliseconds and 80 bits of digest, as a ULID has them.
    fn id_of(&self, now: Now, digest: u64) -> DecisionId {
        let nanos = now.wall.as_nanos();
        let millis = u64::try_from(nanos.max(0)).unwrap_or(0) / 1_000_000;
        let within = nanos.rem_euclid(1_000_000) as u64 >> 4;
        let digest = self.hash.hash_one((digest, nanos, now.monotonic.as_nanos()));
        DecisionId(u128::from(millis & 0xFFFF_FFFF_FFFF) << 80 | u128::from(within & 0xFFFF) << 64 | u128::from(digest))
    }

    /// The writers' lock. A writer that panicked left a state that the next activation starts anew from.
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(|poisoned: PoisonError<MutexGuard<'_, Told>>| {
            let mut told = poisoned.into_inner();
            told.engine_ok = false;
            told
        })
    }

    fn events(&self) -> Telling<'_> {
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        Telling { journal, measures: &self.measures }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a decision is about, resolved: the snapshot that it sees, the action, its signals, and the posture in force.
#[derive(Clone, Copy)]
struct Question<'q> {
    snapshot: &'q Snapshot,
    number: u32,
    action: &'q ActionSpec,
    need: &'q Need,
    standing: Standing,
    terms: Terms,
    manner: Manner,
}

/// How a decision is gone about.
#[derive(Clone, Copy)]
struct Manner {
    /// Whether an override may get past a deny, and is used up by it.
    overrides: bool,
    /// Whether the allow has waited for its record, and is given out now.
    confirmed: bool,
    /// Whether earlier answers are used, and this one is kept.
    keeps: bool,
    /// What parts the answers of a candidate from those of the active bundle, in the keys of the cache.
    arm: u32,
}

/// The highest bit of an action's number, which none has: see [`Limits::actions_max`].
const CANDIDATE: u32 = 1 << 31;

impl Manner {
    /// By the active bundle, as hosts ask.
    const ANSWER: Self = Self { overrides: true, confirmed: false, keeps: true, arm: 0 };
    /// The same, where the allow has waited for its record.
    const CONFIRMED: Self = Self { confirmed: true, ..Self::ANSWER };
    /// The same without overrides: nobody acts on it, and it must use none up.
    const UNOVERRIDDEN: Self = Self { overrides: false, ..Self::ANSWER };
    /// By a candidate that is only compared: without a trace.
    const SHADOW: Self = Self { keeps: false, ..Self::CANDIDATE };
    /// By a candidate on whose side the request is. What an override covers is never its.
    const CANDIDATE: Self = Self { overrides: false, arm: CANDIDATE, ..Self::ANSWER };

    /// Whether an override that counts is used up: what only waits to be given out uses none.
    fn uses_up(self, action: &ActionSpec) -> bool {
        self.confirmed || action.audit != Some(ActionAudit::Confirmed)
    }
}

/// Gate 1. A clock that is not to be trusted ends what wall time bounds, and starts nothing.
fn bundle_gate(snapshot: &Snapshot, active: &Active, now: Now) -> Result<(), Reason> {
    if active.revoked {
        return Err(Reason::NoPolicy);
    }
    let policy = active.bundle.policy();
    if policy.valid_until.is_some_and(|until| !snapshot.clock_ok || until <= now.wall) {
        return Err(Reason::PolicyExpired);
    }
    if policy.valid_from.is_some_and(|from| !snapshot.clock_ok || now.wall < from) {
        return Err(Reason::PolicyNotYetValid);
    }
    Ok(())
}

/// The detail of a request that names a longer scope than there can be.
const SCOPE_TOO_LONG: &str = "a scope is named by at most 256 bytes";

fn posture_name(policy: &crate::policy::compile::Policy, number: u16) -> Name {
    policy.postures.spec(number).map(|spec| spec.name).unwrap_or_default()
}

/// A text cut to the length of a name.
fn cut(text: &str) -> Name {
    let mut name = Name::new();
    for letter in text.chars() {
        if name.try_push(letter).is_err() {
            break;
        }
    }
    name
}
