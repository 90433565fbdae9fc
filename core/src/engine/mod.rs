//! The engine: the one path of `decide`, gate by gate (spec 1.4).
//!
//! Writers (`activate`, `observe`, `advance` …) take the one lock, change what the engine was told, and publish a new
//! snapshot. A decision loads one snapshot and reads nothing else, so it sees one bundle, one state of every signal and
//! one time; it waits for nobody unless something is due at that very time.

mod activate;
mod approvals;
mod bytes;
pub(crate) mod case;
mod considered;
mod contained;
mod control;
mod degraded;
mod evaluate;
mod explain;
mod failover;
mod flags;
mod gates;
mod guards;
mod inputs;
mod journal;
mod lives;
mod losses;
mod measure;
mod met;
mod metrics;
mod naive;
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
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

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
use crate::concurrent::{ArcSwap, Guard, Mutex, MutexGuard, PoisonError};
use crate::condition::Status;
use crate::decision::{Decision, DecisionId};
use crate::faults::point;
use crate::journal::input::Input;
use crate::limits::Limits;
use crate::name::Name;
use crate::policy::bundle::{Bundle, Trust};
use crate::reason::Reason;
use crate::request::{Checked, Request, RequestView, Spelling};
pub use crate::state::admission::{ActivateError, LoadError};
use crate::state::cache::Cache;
use crate::state::clocks::{Anchor, HighWater, Reading};
use crate::state::document::StateKey;
use crate::state::events::{Event, EventKind};
use crate::state::postures::Transition;
use crate::state::signals::{Observation, Observed};
use crate::time::{Monotonic, Now, Ttl};
use gates::{Manner, bundle_gate};
use inputs::Inputs;
use journal::Journal;
use losses::SignalChange;
use measure::{Measures, Telling};
use pending::Table;
use snapshot::Snapshot;
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
    /// Held while a control message is taken.
    turns: Mutex<()>,
    journal: Mutex<Journal>,
    /// What was put in, where the host keeps a journal of it. Held over each input, before any other lock.
    inputs: Option<Inputs>,
    outbox: Mutex<Outbox>,
    pending: Mutex<Table>,
    cache: Cache,
    high_water: HighWater,
    measures: Measures,
    hash: FixedState,
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
            turns: Mutex::new(()),
            journal: Mutex::new(Journal::new(limits)),
            inputs: inputs::of(&config),
            outbox: Mutex::new(Outbox::behind(config.audit_head)),
            pending: Mutex::new(Table::new(limits)),
            cache: Cache::new(limits.cache_entries_max, limits.cache_bytes_max, seed),
            high_water: HighWater::default(),
            measures: Measures::new(limits),
            hash: FixedState::with_seed(u64::from_be_bytes(rest)),
            config,
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
        let (mut told, now, parted) = self.met(Reading::of(now));
        point("observe: begin");
        let outcome = told.observe(observation, reading, now);
        point("observe: taken");
        if outcome == Observed::Taken {
            self.publish(&mut told, now);
        } else {
            let signal = cut(&observation.signal);
            self.events().push(now, EventKind::ObservationIgnored { signal, outcome });
            if parted || !told.transitions.is_empty() {
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
        let (told, now) = self.follow(Reading::of(now));
        drop(told);
        self.end_pending(now);
    }

    /// Does all that is due by now, and gives the writers' lock with the time as it is held.
    fn follow(&self, read: Reading) -> (MutexGuard<'_, Told>, Now) {
        let (mut told, now, _) = self.met(read);
        self.publish(&mut told, now);
        (told, now)
    }

    /// Takes the two clocks as they stand now for right: the way out after they have parted.
    pub fn anchor_clocks(&self, now: Now) {
        let _input = self.input(now, || Input::AnchorClocks);
        // What parted before is known to have: no answer and no override of that time outlives it.
        let (mut told, held) = self.follow(Reading::of(now));
        point("anchor: begin");
        told.anchor = Some(Anchor::new(Reading::of(now), self.config.clock_skew_max));
        point("anchor: anchored");
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
        self.contained(Some(request), now, |decision| {
            let spelling = Spelling::of(request);
            match Checked::new(request, &spelling, &self.config.limits) {
                Ok(request) => self.answer(&request, now, decision),
                Err(error) => self.refuse_as(&error, now, decision),
            }
        })
    }

    /// Decides as if there were no override: for questions that nobody acts on, and that must use none up.
    #[must_use]
    pub(crate) fn decide_without_override(&self, request: &Request, now: Now) -> Decision {
        self.look(now);
        let request = RequestView::from(request);
        let spelling = Spelling::of(&request);
        self.contained(None, now, |decision| match Checked::new(&request, &spelling, &self.config.limits) {
            Ok(request) => {
                let (snapshot, now) = self.current(now);
                self.gates(&snapshot, &request, now, Manner::UNOVERRIDDEN, decision);
                pending::hold_back(&snapshot, decision);
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

    /// The answer to a request, which is written down where the host keeps a journal of what it puts in.
    fn answer(&self, request: &Checked<'_>, now: Now, decision: &mut Decision) {
        let input = self.inputs.is_some().then(|| self.asked(request, now));
        let (snapshot, now) = self.current(now);
        self.reply_by(&snapshot, request, now, decision);
        if let Some(input) = &input {
            input.decided(decision);
        }
    }

    /// The gates, the record, and the count, on that snapshot.
    #[inline]
    fn reply_by(&self, snapshot: &Snapshot, request: &Checked<'_>, now: Now, decision: &mut Decision) {
        let decider = self.decide_by(snapshot, request, now, decision);
        point("gate 10: decided");
        pending::hold_back(decider, decision);
        if decider.has_audit() {
            self.record(decider, Some(request), decision);
        }
        point("gate 10: recorded");
        self.measures.count(decider, decision);
        point("gate 10: counted");
    }

    /// Decides by the bundle whose it is to decide; gives the snapshot of that one.
    #[inline]
    fn decide_by<'s>(
        &self,
        snapshot: &'s Snapshot,
        request: &Checked<'_>,
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

    /// The snapshot that holds at `now`, and the time as it is held: a new one where something is due, or where the clocks
    /// have just parted.
    #[inline]
    fn current(&self, now: Now) -> (Guard<Arc<Snapshot>>, Now) {
        point("snapshot: load");
        let snapshot = self.snapshot.load();
        let parted = snapshot.anchor.is_some_and(|anchor| anchor.is_left(Reading::of(now), !snapshot.clock_ok));
        let held = self.held(now);
        if held.monotonic < snapshot.due && !parted {
            return (snapshot, held);
        }
        drop(snapshot);
        self.caught_up(now)
    }

    /// The snapshot after all that is due was done.
    #[cold]
    fn caught_up(&self, now: Now) -> (Guard<Arc<Snapshot>>, Now) {
        self.advance(now);
        // Another thread may have come later in the meantime: what it met as due is due here too.
        (self.snapshot.load(), self.held(now))
    }

    /// Shows what a decision of that time has changed, as of now. The time is held, and no reading of the clocks: one that was
    /// held because the monotonic clock went back would look as if they had parted.
    fn show(&self, held: Now) {
        let mut told = self.told();
        // Another thread may have met what came later.
        let now = self.held(held);
        self.publish(&mut told, now);
    }

    fn publish(&self, told: &mut Told, now: Now) {
        point("publish: begin");
        if !told.engine_ok && self.snapshot.load().engine_ok {
            self.events().push(now, EventKind::EngineFailed);
        }
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
        point("publish: made");
        let snapshot = Arc::new(snapshot);
        self.snapshot.store(Arc::clone(&snapshot));
        point("publish: shown");
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
        point("tell: quarantines told");
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

    fn decision_id(&self, request: &Checked<'_>, now: Now) -> DecisionId {
        let mut hasher = self.hash.build_hasher();
        request.spelling().digest(request, &mut hasher);
        self.id_of(now, hasher.finish())
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
            // Once for each panic: what an activation has mended stays so.
            self.told.clear_poison();
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
