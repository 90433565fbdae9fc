//! Quarantine and revocation: who and what is denied whatever the rules say, and from when on earlier answers are void.
//!
//! The tables are persistent: a decision's snapshot shares them, so that the hundred-thousandth entry costs no more than
//! the first. Both are bounded, and what has no room tightens: a quarantine more is one of everything, a revocation more
//! is one of everybody.

mod exported;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use foldhash::fast::FixedState;
use rpds::HashTrieMapSync;
use smallvec::SmallVec;

use crate::error::{Diagnostic, quoted};
use crate::faults::point;
use crate::limits::Limits;
use crate::policy::compile::{Conditions, Policy};
use crate::policy::posture::{Place, Postures};
use crate::request::{PartyView, RequestView};
use crate::time::Monotonic;
use crate::value::View;

/// What is quarantined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selector<'a> {
    /// One subject: its type and id.
    Subject(&'a str, &'a str),
    /// Every subject of a type.
    SubjectType(&'a str),
    /// One resource: its type and id.
    Resource(&'a str, &'a str),
    /// Every resource of a type.
    ResourceType(&'a str),
    /// A scope that the pack declares, as `tenant:acme`.
    Scope(&'a str),
    /// Whatever a CEL condition holds for, or may hold for.
    When(&'a str),
    /// Everything.
    Everything,
}

impl fmt::Display for Selector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject(kind, id) => write!(f, "subject {} {}", quoted(kind), quoted(id)),
            Self::SubjectType(kind) => write!(f, "subjects {}", quoted(kind)),
            Self::Resource(kind, id) => write!(f, "resource {} {}", quoted(kind), quoted(id)),
            Self::ResourceType(kind) => write!(f, "resources {}", quoted(kind)),
            Self::Scope(scope) => write!(f, "scope {}", quoted(scope)),
            Self::When(condition) => write!(f, "requests where {}", quoted(condition)),
            Self::Everything => f.write_str("everything"),
        }
    }
}

/// A key as the tables hold it.
type Key = Box<[u8]>;

/// A key as a decision makes it to look it up: on the stack, for what most are called.
type Sought = SmallVec<[u8; 256]>;

/// How many ways a node of the tables branches: a power of two, as the machine word has bits.
const DEGREE: u8 = 32;

/// A kind, and parts with the length of each but the last: no two selectors have one key.
fn key(kind: u8, first: &str, second: &str) -> Sought {
    let mut key = Sought::new();
    key.push(kind);
    key.extend_from_slice(&u64::try_from(first.len()).unwrap_or(u64::MAX).to_be_bytes());
    key.extend_from_slice(first.as_bytes());
    key.extend_from_slice(second.as_bytes());
    key
}

impl Selector<'_> {
    fn key(&self) -> Sought {
        match self {
            Self::Subject(kind, id) => key(0, kind, id),
            Self::SubjectType(kind) => key(1, kind, ""),
            Self::Resource(kind, id) => key(2, kind, id),
            Self::ResourceType(kind) => key(3, kind, ""),
            Self::Scope(scope) => scope.split_once(':').map_or_else(|| key(4, scope, ""), |(a, b)| key(4, a, b)),
            Self::Everything => key(5, "", ""),
            Self::When(condition) => key(6, condition, ""),
        }
    }
}

/// A quarantine that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// Its end, exclusive; nothing for none.
    until: Option<Monotonic>,
    /// Whether no override gets past it.
    absolute: bool,
    /// The selector as text, for the event of its end.
    shown: Box<str>,
}

/// Why a quarantine was not begun or lifted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuarantineError {
    /// The pack declares no such scope, or no bundle is active.
    #[error("the pack declares no such scope; write it as in `tenant:acme`")]
    UnknownScope,
    /// Its end is not after now.
    #[error("the quarantine would end before it begins")]
    Ended,
    /// What should be lifted is not quarantined.
    #[error("it is not quarantined")]
    NotQuarantined,
    /// The condition is none that the active bundle's requests can be selected by.
    #[error("the condition cannot be used: {message}")]
    Condition {
        /// What is wrong with it.
        message: Box<str>,
    },
}

impl QuarantineError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownScope => "unknown_scope",
            Self::Ended => "ended",
            Self::NotQuarantined => "not_quarantined",
            Self::Condition { .. } => "bad_condition",
        }
    }
}

/// What a revocation voids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Revocation {
    /// What was decided until then, inclusive.
    until: Monotonic,
    /// What was decided where fewer changes were known; nothing where it voids only what was decided until a time in the past.
    /// A decision on an older snapshot may be dated after a revocation that it knows nothing of, since a clock that another
    /// thread read later counts for all.
    changes: u64,
}

impl Revocation {
    fn voids(self, decided_at: Monotonic, changes: u64) -> bool {
        decided_at <= self.until || changes < self.changes
    }

    /// What voids as much as both.
    fn join(self, other: Self) -> Self {
        Self { until: self.until.max(other.until), changes: self.changes.max(other.changes) }
    }
}

/// What is quarantined and revoked, as the engine was told; cheap to clone for a snapshot.
#[derive(Clone, Debug)]
pub struct Quarantine {
    entries: HashTrieMapSync<Key, Entry, FixedState>,
    /// How many scopes of each kind are quarantined.
    scopes: BTreeMap<Box<str>, usize>,
    /// How many scopes are quarantined so that no override gets past it.
    absolute_scopes: usize,
    /// By subject: what was decided for it before is void.
    revoked: HashTrieMapSync<Key, Revocation, FixedState>,
    /// What was decided for anybody before is void.
    revoked_all: Option<Revocation>,
    changes: u64,
    /// The conditions that select requests; nothing where there are none.
    conditions: Option<Arc<Conditions>>,
    /// Which of them no override gets past.
    absolute_conditions: Arc<[bool]>,
}

/// The writer's side: the table, and when what in it ends.
#[derive(Debug)]
pub struct Quarantines {
    table: Quarantine,
    ends: BTreeSet<(Monotonic, Key)>,
    entries_max: usize,
    /// The texts of the conditions in force.
    texts: BTreeSet<Box<str>>,
    conditions_max: usize,
    /// Whether the texts, or the policy that they are compiled against, have changed since they were compiled.
    stale: bool,
    /// Keeps the order of hashes from whoever chooses ids.
    seed: u64,
}

fn empty<T>(seed: u64) -> HashTrieMapSync<Key, T, FixedState> {
    HashTrieMapSync::new_with_hasher_and_degree_and_ptr_kind(FixedState::with_seed(seed), DEGREE)
}

impl Quarantine {
    fn new(seed: u64) -> Self {
        Self {
            entries: empty(seed),
            scopes: BTreeMap::new(),
            absolute_scopes: 0,
            revoked: empty(seed),
            revoked_all: None,
            changes: 0,
            conditions: None,
            absolute_conditions: Arc::new([]),
        }
    }

    /// How often it has changed: what a cached decision rests on.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether nothing is quarantined.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.conditions.is_none()
    }

    /// How many quarantines last, and how many subjects have a revocation.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.entries.size(), self.revoked.size())
    }

    /// The conditions that quarantine what they select.
    #[must_use]
    pub fn conditions(&self) -> Option<&Conditions> {
        self.conditions.as_deref()
    }

    /// Which of the conditions no override gets past, in their order.
    #[must_use]
    pub fn absolute_conditions(&self) -> &[bool] {
        &self.absolute_conditions
    }

    /// Whether the request is quarantined by what it names: itself, its type, its scope.
    #[must_use]
    pub fn holds(&self, request: &RequestView<'_>, postures: &Postures, slots: &[Option<View<'_>>]) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        let party = |of_one: u8, of_type: u8, party: &PartyView<'_>| {
            self.entries.contains_key(&*key(of_one, party.party_type, party.id))
                || self.entries.contains_key(&*key(of_type, party.party_type, ""))
        };
        self.entries.contains_key(&*key(5, "", ""))
            || party(0, 1, &request.subject)
            || party(2, 3, &request.resource)
            || self.scopes.keys().any(|kind| {
                // Where nobody knows in which scope a request falls, it may be this one.
                let spec = postures.scope(kind).and_then(|number| postures.scopes.get(usize::from(number)));
                match spec.map(|spec| spec.place(slots)) {
                    Some(Place::Of(value)) => self.entries.contains_key(&*key(4, kind, value)),
                    Some(Place::Unknown | Place::TooLong) | None => true,
                }
            })
    }

    /// Whether the request is in a quarantine that no override gets past. Where nobody knows in which scope it falls, it may
    /// be one that is quarantined so.
    #[must_use]
    pub fn holds_absolutely(&self, request: &RequestView<'_>, postures: &Postures, slots: &[Option<View<'_>>]) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        let absolute = |key: &[u8]| self.entries.get(key).is_some_and(|entry| entry.absolute);
        let party = |of_one: u8, of_type: u8, party: &PartyView<'_>| {
            absolute(&key(of_one, party.party_type, party.id)) || absolute(&key(of_type, party.party_type, ""))
        };
        absolute(&key(5, "", ""))
            || party(0, 1, &request.subject)
            || party(2, 3, &request.resource)
            || self.scopes.keys().any(|kind| {
                let spec = postures.scope(kind).and_then(|number| postures.scopes.get(usize::from(number)));
                match spec.map(|spec| spec.place(slots)) {
                    Some(Place::Of(value)) => absolute(&key(4, kind, value)),
                    Some(Place::Unknown | Place::TooLong) | None => self.absolute_scopes > 0,
                }
            })
    }

    /// Whether what was decided for the subject at that time, where so many changes were known, is void.
    #[must_use]
    pub fn revoked(&self, subject: &PartyView<'_>, decided_at: Monotonic, changes: u64) -> bool {
        let voids = |revocation: Revocation| revocation.voids(decided_at, changes);
        self.revoked_all.is_some_and(voids)
            || (!self.revoked.is_empty()
                && self.revoked.get(&*key(0, subject.party_type, subject.id)).copied().is_some_and(voids))
    }
}

impl Quarantines {
    /// Nothing quarantined.
    #[must_use]
    pub fn new(limits: &Limits, seed: u64) -> Self {
        Self {
            table: Quarantine::new(seed),
            ends: BTreeSet::new(),
            entries_max: limits.quarantines_max,
            texts: BTreeSet::new(),
            conditions_max: limits.quarantine_conditions_max,
            stale: false,
            seed,
        }
    }

    /// The conditions in force as they are with this policy, and perhaps one more.
    ///
    /// # Errors
    /// The first that the policy cannot compile.
    pub fn compiled(&self, policy: &Policy, more: Option<&str>, limits: &Limits) -> Result<Conditions, Diagnostic> {
        Conditions::compile(policy, self.texts.iter().map(|text| &**text).chain(more), limits)
    }

    /// Says that another policy is active.
    pub const fn outdate(&mut self) {
        self.stale = true;
    }

    /// Compiles the conditions anew, where they or the policy have changed.
    pub fn refresh(&mut self, policy: &Policy, limits: &Limits) {
        if std::mem::take(&mut self.stale) {
            point("quarantines: no more stale");
            let compiled = || self.compiled(policy, None, limits).unwrap_or_else(|_| Conditions::of_everything());
            self.table.conditions = (!self.texts.is_empty()).then(|| Arc::new(compiled()));
            let entry = |text: &str| self.table.entries.get(&*Selector::When(text).key());
            let is_absolute = |text: &str| entry(text).is_some_and(|entry| entry.absolute);
            self.table.absolute_conditions = self.texts.iter().map(|text| is_absolute(text.as_ref())).collect();
        }
    }

    /// What a snapshot shares.
    #[must_use]
    pub fn table(&self) -> Quarantine {
        self.table.clone()
    }

    /// How often it has changed.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.table.changes
    }

    /// Begins a quarantine, or lengthens it: it never ends earlier for being begun again. What is in force then: where
    /// there is no room for one more, everything is quarantined without an end.
    pub fn begin<'s>(&mut self, selector: &Selector<'s>, until: Option<Monotonic>, absolute: bool) -> Selector<'s> {
        let known = self.table.entries.contains_key(&*selector.key());
        let is_condition = matches!(selector, Selector::When(_));
        let room =
            self.table.entries.size() < self.entries_max && (!is_condition || self.texts.len() < self.conditions_max);
        let (selector, until) = if known || room { (*selector, until) } else { (Selector::Everything, None) };
        let key: Key = selector.key().as_slice().into();
        let before = self.table.entries.get(&key).cloned();
        if let (Selector::Scope(scope), None) = (selector, &before) {
            let kind = scope.split(':').next().unwrap_or_default();
            let count = self.table.scopes.entry(kind.into()).or_default();
            *count = count.saturating_add(1);
        }
        if let Selector::When(text) = selector {
            self.texts.insert(text.into());
            self.stale = true;
        }
        point("quarantines: text kept");
        let (until, absolute) = match &before {
            Some(before) => (before.until.zip(until).map(|(a, b)| a.max(b)), absolute || before.absolute),
            None => (until, absolute),
        };
        let was_absolute = before.as_ref().is_some_and(|before| before.absolute);
        if matches!(selector, Selector::Scope(_)) && absolute && !was_absolute {
            self.table.absolute_scopes = self.table.absolute_scopes.saturating_add(1);
        }
        if let Some(end) = before.and_then(|before| before.until) {
            self.ends.remove(&(end, key.clone()));
        }
        self.ends.extend(until.map(|until| (until, key.clone())));
        point("quarantines: end kept");
        self.table.entries.insert_mut(key, Entry { until, absolute, shown: selector.to_string().into() });
        point("quarantines: entry kept");
        self.table.changes = self.table.changes.saturating_add(1);
        selector
    }

    /// Lifts a quarantine.
    ///
    /// # Errors
    /// [`QuarantineError::NotQuarantined`].
    pub fn lift(&mut self, selector: &Selector<'_>) -> Result<(), QuarantineError> {
        let key = selector.key();
        self.remove(&key).map(|_| ()).ok_or(QuarantineError::NotQuarantined)
    }

    /// Ends what ends by now, and says what it was.
    pub fn expire(&mut self, now: Monotonic) -> Vec<(Monotonic, Box<str>)> {
        let mut ended = Vec::new();
        while let Some((end, key)) = self.ends.first().filter(|(end, _)| *end <= now).cloned() {
            self.ends.remove(&(end, key.clone()));
            point("quarantines: end taken");
            ended.extend(self.remove(&key).map(|entry| (end, entry.shown)));
        }
        ended
    }

    /// When time alone next ends one.
    #[must_use]
    pub fn due(&self) -> Option<Monotonic> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// Voids what was decided for a subject until `before`, inclusive, and all that was where that is until now; where there
    /// is no room for one subject more, what was decided for anybody.
    pub fn revoke(&mut self, subject_type: &str, subject_id: &str, before: Monotonic, now: Monotonic) {
        let key: Key = key(0, subject_type, subject_id).as_slice().into();
        let revocation = self.revocation(before, now);
        let table = &mut self.table;
        if !table.revoked.contains_key(&key) && table.revoked.size() >= self.entries_max {
            let all = table.revoked.values().copied().chain(table.revoked_all);
            table.revoked_all = Some(all.fold(revocation, Revocation::join));
            table.revoked = empty(self.seed);
        } else {
            let revocation = table.revoked.get(&key).map_or(revocation, |earlier| earlier.join(revocation));
            table.revoked.insert_mut(key, revocation);
        }
    }

    /// Voids what was decided for anybody until `before`, likewise.
    fn revoke_all(&mut self, before: Monotonic, now: Monotonic) {
        let revocation = self.revocation(before, now);
        self.table.revoked_all = Some(self.table.revoked_all.map_or(revocation, |earlier| earlier.join(revocation)));
    }

    /// A revocation, as one change more.
    fn revocation(&mut self, until: Monotonic, now: Monotonic) -> Revocation {
        self.table.changes = self.table.changes.saturating_add(1);
        Revocation { until, changes: if now <= until { self.table.changes } else { 0 } }
    }

    fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let entry = self.table.entries.get(key)?.clone();
        self.table.entries.remove_mut(key);
        point("quarantines: entry taken");
        if let Some(end) = entry.until {
            self.ends.remove(&(end, key.into()));
        }
        let length = key.get(1..9).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).map_or(0, u64::from_be_bytes);
        let end = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(9);
        let first = key.get(9..end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
        if key.first() == Some(&6) {
            self.stale |= self.texts.remove(first);
        }
        if key.first() == Some(&4) {
            if let Some(count) = self.table.scopes.get_mut(first) {
                *count = count.saturating_sub(1);
            }
            self.table.scopes.retain(|_, count| *count > 0);
            self.table.absolute_scopes = self.table.absolute_scopes.saturating_sub(usize::from(entry.absolute));
        }
        self.table.changes = self.table.changes.saturating_add(1);
        Some(entry)
    }
}
