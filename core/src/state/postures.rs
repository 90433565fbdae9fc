//! Postures: which modes are in force, everywhere and in each scope (spec 1.8).
//!
//! Each posture is entered and left for itself. What an instance (the whole system, or one scope) is under is the
//! strictest of those that are entered: so leaving one posture never leaves another. Nothing is ever left by time or by
//! a signal: these only enter. An operator leaves, and only where the pack's conditions hold.

mod exported;
mod in_force;

use std::sync::Arc;

use hashbrown::HashMap;

use crate::condition::Truth;
use crate::faults::point;
use crate::name::Name;
use crate::policy::posture::Postures;
use crate::time::{Monotonic, Ttl};
pub use in_force::{InForce, Standing};

/// Where a posture is in force: everywhere, or in one scope, named like `tenant:acme`.
pub type Scope = Option<Box<str>>;

/// Why a posture was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Its condition has held for long enough.
    Condition,
    /// Its condition could not be established for long enough.
    Indeterminate,
    /// Nobody acknowledged a laxer one in time.
    Escalation,
    /// An operator entered it.
    Operator,
    /// A flag holds it.
    Flag,
    /// It was entered in a scope, and there was no room to remember one more.
    NoRoom,
    /// It was entered in a state that was restored.
    State,
    /// A state could not be restored.
    Restore,
    /// The engine took over from another.
    Failover,
    /// Two engines were active.
    SplitBrain,
}

impl Cause {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::Indeterminate => "indeterminate",
            Self::Escalation => "escalation",
            Self::Operator => "operator",
            Self::Flag => "flag",
            Self::NoRoom => "no_room",
            Self::State => "state",
            Self::Restore => "restore",
            Self::Failover => "failover",
            Self::SplitBrain => "split_brain",
        }
    }
}

/// Why a posture was not entered, left or acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PostureError {
    /// No bundle is active.
    #[error("no bundle is active")]
    NoPolicy,
    /// The pack declares no such posture, or it is the normal one.
    #[error("the pack declares no such posture to enter or leave")]
    UnknownPosture,
    /// The pack declares no such scope, or the text is not of the form `tenant:acme`.
    #[error("the pack declares no such scope; write it as in `tenant:acme`")]
    UnknownScope,
    /// What names the scope is longer than that of any request.
    #[error("the scope is longer than a request may name")]
    ScopeTooLong,
    /// The posture is not entered there.
    #[error("the posture is not entered there")]
    NotEntered,
    /// The entry condition has not been false for long enough.
    #[error("the condition of entry has not been false for as long as `stable` demands")]
    NotStable,
    /// The minimum dwell is not over.
    #[error("the dwell is not over")]
    Dwelling,
    /// A recovery check is not ok.
    #[error("a signal that `checks` names is not ok")]
    CheckNotOk,
    /// It takes approvals.
    #[error("it takes approvals: propose it")]
    NotApproved,
    /// A flag holds it.
    #[error("a flag holds the posture; clear the flag first")]
    FlagSet,
}

impl PostureError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoPolicy => "no_policy",
            Self::UnknownPosture => "unknown_posture",
            Self::UnknownScope => "unknown_scope",
            Self::ScopeTooLong => "scope_too_long",
            Self::NotEntered => "not_entered",
            Self::NotStable => "not_stable",
            Self::Dwelling => "dwelling",
            Self::CheckNotOk => "check_not_ok",
            Self::NotApproved => "not_approved",
            Self::FlagSet => "flag_set",
        }
    }
}

/// Something that happened to a posture, for the host's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub at: Monotonic,
    /// The posture.
    pub posture: u16,
    /// Where.
    pub scope: Scope,
    /// Why it was entered; nothing where it was left.
    pub entered: Option<Cause>,
    /// Since when it was called for.
    pub since: Monotonic,
}

/// A posture that is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Entry {
    since: Monotonic,
    dwell: Ttl,
    /// When the next posture follows; nothing once somebody acknowledged, or it did follow.
    escalates_at: Option<Monotonic>,
    /// By how much that is overdue: the next posture would have been entered so long ago.
    late: Ttl,
}

/// One posture of one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Layer {
    entry: Option<Entry>,
    /// Until when, exclusive, an entry counts as one soon after it was left.
    backs_off_until: Option<Monotonic>,
    /// How often in a row it was entered soon after it had been left.
    level: u32,
}

/// The whole system, or one scope: a layer for each posture but the normal one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Instance {
    layers: Vec<Layer>,
    /// The number of the last change of its posture, among all changes.
    changed: u64,
}

/// There is no room to remember one more scope.
struct NoRoom;

/// Since when the condition of a posture has held, or has been known to be false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Watch {
    holds_since: Option<Monotonic>,
    /// When a state that was restored says that it has held for long enough, if it goes on to hold.
    enters_by: Option<Monotonic>,
    /// How long ago that was: what follows an entry is charged with it.
    late: Ttl,
    false_since: Option<Monotonic>,
    indeterminate: bool,
}

/// All postures of a system.
#[derive(Clone, Debug, Default)]
pub struct PostureMachine {
    everywhere: Instance,
    scopes: HashMap<Box<str>, Instance, foldhash::fast::FixedState>,
    /// By posture but the normal one.
    watches: Vec<Watch>,
    changes: u64,
    /// How often anything has changed that is exported.
    turns: u64,
    /// The change that a forgotten scope may have seen.
    forgotten: u64,
    /// What decisions see has a scope that is not here any more.
    sees_forgotten: bool,
    /// The postures that flags hold.
    flagged: Vec<u16>,
    /// The earliest escalation that is due.
    escalates_at: Option<Monotonic>,
    scopes_max: usize,
    in_force: Arc<InForce>,
}

impl PostureMachine {
    /// Nothing entered; at most `scopes_max` scopes are remembered.
    #[must_use]
    pub fn new(scopes_max: usize) -> Self {
        Self { scopes_max, ..Self::default() }
    }

    /// What decisions see.
    #[must_use]
    pub fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force)
    }

    /// A posture that is entered somewhere and that these postures and scopes could not keep.
    #[must_use]
    pub fn lost_by(&self, before: &Postures, after: &Postures) -> Option<Name> {
        let kept = |number: u16| {
            let name = before.spec(number)?.name;
            let there = after.number(&name).is_some_and(|number| number > 0);
            (!there).then_some(name)
        };
        let everywhere = self.everywhere.entered().find_map(kept);
        let in_scopes = || {
            self.scopes.iter().find_map(|(key, instance)| {
                let scope = key.split(':').next().unwrap_or_default();
                let unknown = after.scope(scope).is_none();
                instance
                    .entered()
                    .find_map(|number| if unknown { before.spec(number).map(|spec| spec.name) } else { kept(number) })
            })
        };
        everywhere.or_else(in_scopes)
    }

    /// Takes over the postures of another policy: what is entered stays entered, and what has held goes on to hold. What
    /// was known to be false starts anew.
    pub fn carry(&mut self, before: Option<&Postures>, after: &Postures) {
        let count = after.specs.len().saturating_sub(1);
        let old = |number: usize| {
            let name = after.specs.get(number.saturating_add(1))?.name;
            usize::from(before?.number(&name)?).checked_sub(1)
        };
        let numbers: Vec<Option<usize>> = (0..count).map(old).collect();
        let layers = |layers: &[Layer]| -> Vec<Layer> {
            numbers.iter().map(|old| old.and_then(|old| layers.get(old).copied()).unwrap_or_default()).collect()
        };
        self.everywhere.layers = layers(&self.everywhere.layers);
        point("postures: everywhere carried");
        for instance in self.scopes.values_mut() {
            instance.layers = layers(&instance.layers);
        }
        self.watches = numbers
            .iter()
            .map(|old| {
                let before = old.and_then(|old| self.watches.get(old).copied()).unwrap_or_default();
                Watch { false_since: None, ..before }
            })
            .collect();
        self.escalates_at = self.next_escalation();
        self.scopes.retain(|key, instance| {
            let declared = after.scope(key.split(':').next().unwrap_or_default()).is_some();
            declared || instance.entered().next().is_some()
        });
        self.reckon(after);
    }

    /// Takes in what the conditions of entry are at a time, and does what is due then: entries and escalations.
    pub fn step(&mut self, postures: &Postures, truths: &[Option<Truth>], at: Monotonic, out: &mut Vec<Transition>) {
        self.watches.resize(postures.specs.len().saturating_sub(1), Watch::default());
        let before = out.len();
        for ((number, spec), truth) in (1_u16..).zip(postures.specs.iter().skip(1)).zip(truths.iter().skip(1)) {
            let flagged = self.flagged.contains(&number);
            let (held_for, truth) = match (&spec.enter, truth) {
                _ if flagged => (Ttl::ZERO, Truth::True),
                (Some(enter), Some(truth)) => (enter.held_for, *truth),
                // Where nothing is asked nothing holds: what held under an earlier bundle, or for a flag, has broken off.
                (None, _) => {
                    self.forget_watch(number);
                    continue;
                }
                (Some(_), None) => continue,
            };
            let Some(watch) = self.watches.get_mut(usize::from(number).saturating_sub(1)) else { continue };
            let held = watch.holds_since.is_some();
            watch.take(truth, at);
            if watch.holds_since.is_some() != held {
                self.turns = self.turns.saturating_add(1);
            }
            let due = watch.due(held_for).is_some_and(|due| due <= at);
            if due && !self.everywhere.is_entered(number) {
                let cause = match watch.indeterminate {
                    _ if flagged => Cause::Flag,
                    true => Cause::Indeterminate,
                    false => Cause::Condition,
                };
                self.enter_in(postures, None, number, cause, at, out);
            }
        }
        while let Some(due) = self.escalates_at.filter(|due| *due <= at) {
            self.escalate(postures, due, at, out);
            self.escalates_at = self.next_escalation();
        }
        let changed: Vec<Scope> = out.iter().skip(before).map(|transition| transition.scope.clone()).collect();
        if !changed.is_empty() {
            self.reckon_in(postures, &changed);
        }
    }

    /// When time alone next enters a posture, as far as conditions stay what they are.
    #[must_use]
    pub fn due(&self, postures: &Postures) -> Option<Monotonic> {
        let entries =
            (1_u16..).zip(postures.specs.iter().skip(1)).zip(&self.watches).filter_map(|((number, spec), watch)| {
                let held_for = spec.enter.as_ref()?.held_for;
                watch.due(held_for).filter(|_| !self.everywhere.is_entered(number))
            });
        entries.chain(self.escalates_at).min()
    }

    /// An operator enters a posture. Always done: where there is no room for one more scope, everywhere.
    pub fn enter(&mut self, postures: &Postures, scope: Scope, number: u16, at: Monotonic, out: &mut Vec<Transition>) {
        let place = self.place(scope, at);
        let cause = if place.is_ok() { Cause::Operator } else { Cause::NoRoom };
        let scope = place.unwrap_or_default();
        if self.instance(scope.as_deref()).is_none_or(|instance| !instance.is_entered(number)) {
            self.enter_in(postures, scope.clone(), number, cause, at, out);
            self.reckon_in(postures, &[scope]);
        }
    }

    /// The engine itself enters a posture, everywhere.
    pub fn enter_everywhere(
        &mut self,
        postures: &Postures,
        number: u16,
        cause: Cause,
        at: Monotonic,
        out: &mut Vec<Transition>,
    ) {
        if !self.everywhere.is_entered(number) {
            self.enter_in(postures, None, number, cause, at, out);
            self.reckon_in(postures, &[None]);
        }
    }

    /// Lets flags hold these postures: each is entered at the next step, and cannot be left.
    pub fn hold(&mut self, flagged: Vec<u16>) {
        self.flagged = flagged;
    }

    /// Since when a posture is entered; nothing where it is not.
    #[must_use]
    pub fn entered_at(&self, scope: Option<&str>, number: u16) -> Option<Monotonic> {
        Some(self.instance(scope)?.layer(number)?.entry?.since)
    }

    /// From when on it could be left, as far as conditions stay what they are and approvals and checks allow; nothing
    /// while its condition, or a flag, holds it.
    #[must_use]
    pub fn leaves_at(&self, postures: &Postures, scope: Option<&str>, number: u16) -> Option<Monotonic> {
        let spec = postures.spec(number)?;
        let entry = self.instance(scope)?.layer(number)?.entry?;
        if self.is_flagged(scope, number) {
            return None;
        }
        let dwelt = entry.since.after(entry.dwell);
        if spec.enter.is_none() {
            return Some(dwelt);
        }
        let watch = self.watches.get(usize::from(number).checked_sub(1)?)?;
        Some(watch.false_since?.after(spec.leave.stable).max(dwelt))
    }

    /// An operator leaves a posture, where all that its pack demands holds.
    ///
    /// # Errors
    /// The first demand that is not met; then the posture stays.
    pub fn leave(
        &mut self,
        postures: &Postures,
        scope: Scope,
        number: u16,
        checks_ok: bool,
        at: Monotonic,
        out: &mut Vec<Transition>,
    ) -> Result<(), PostureError> {
        let watch = self.watches.get(usize::from(number).saturating_sub(1)).copied().unwrap_or_default();
        let spec = postures.spec(number).ok_or(PostureError::UnknownPosture)?;
        let flagged = self.is_flagged(scope.as_deref(), number);
        let instance = self.instance_mut(scope.as_deref()).ok_or(PostureError::NotEntered)?;
        let posture = instance.posture();
        let layer = instance.layer_mut(number).ok_or(PostureError::NotEntered)?;
        let entry = layer.entry.ok_or(PostureError::NotEntered)?;
        if flagged {
            return Err(PostureError::FlagSet);
        }
        if spec.enter.is_some() && watch.false_since.is_none_or(|since| at < since.after(spec.leave.stable)) {
            return Err(PostureError::NotStable);
        }
        if at < entry.since.after(entry.dwell) {
            return Err(PostureError::Dwelling);
        }
        if !checks_ok {
            return Err(PostureError::CheckNotOk);
        }
        layer.entry = None;
        point("postures: left");
        layer.backs_off_until = spec.leave.back_off.map(|(within, _)| at.after(within));
        let changed = instance.posture() != posture;
        self.note_change(scope.as_deref(), changed);
        self.turns = self.turns.saturating_add(1);
        out.push(Transition { at, posture: number, scope: scope.clone(), entered: None, since: at });
        self.reckon_in(postures, &[scope]);
        Ok(())
    }

    /// Forgets since when the condition of a posture has held.
    fn forget_watch(&mut self, number: u16) {
        if let Some(watch) = self.watches.get_mut(usize::from(number).saturating_sub(1))
            && watch.holds_since.is_some()
        {
            *watch = Watch::default();
            self.turns = self.turns.saturating_add(1);
        }
    }

    /// All that what is to come hangs on, with each time as how long ago it was (for one to come: how long until then):
    /// two machines with the same state behave alike from now on.
    #[must_use]
    pub fn state(&self, now: Monotonic) -> Vec<(Box<str>, u16, u64)> {
        let mut state: Vec<(Box<str>, u16, u64)> = Vec::new();
        let ago = |at: Option<Monotonic>| at.map_or(u64::MAX, |at| now.nanos_since(at));
        let until = |at: Option<Monotonic>| at.map_or(u64::MAX, |at| at.nanos_since(now));
        for (number, watch) in (1_u16..).zip(&self.watches) {
            state.push(("holds".into(), number, ago(watch.holds_since)));
            state.push(("by".into(), number, until(watch.enters_by)));
            state.push(("late".into(), number, watch.late.as_nanos()));
            state.push(("false".into(), number, ago(watch.false_since)));
        }
        let scopes = self.scopes.iter().map(|(scope, instance)| (&**scope, instance));
        for (scope, instance) in std::iter::once(("", &self.everywhere)).chain(scopes) {
            for (number, layer) in (1_u16..).zip(&instance.layers) {
                let entry = layer.entry;
                state.push((format!("{scope} since").into(), number, ago(entry.map(|entry| entry.since))));
                state.push((format!("{scope} dwell").into(), number, entry.map_or(0, |entry| entry.dwell.as_nanos())));
                let escalates_at = entry.and_then(|entry| entry.escalates_at);
                state.push((format!("{scope} escalates").into(), number, until(escalates_at)));
                state.push((format!("{scope} late").into(), number, entry.map_or(0, |entry| entry.late.as_nanos())));
                state.push((format!("{scope} backs off").into(), number, until(layer.backs_off_until)));
                state.push((format!("{scope} level").into(), number, u64::from(layer.level)));
            }
        }
        state.sort();
        state
    }

    /// An operator acknowledges a posture: it escalates no more.
    ///
    /// # Errors
    /// [`PostureError::NotEntered`].
    pub fn acknowledge(&mut self, scope: Option<&str>, number: u16) -> Result<(), PostureError> {
        let layer = self.instance_mut(scope).and_then(|instance| instance.layer_mut(number));
        let entry = layer.and_then(|layer| layer.entry.as_mut()).ok_or(PostureError::NotEntered)?;
        entry.escalates_at = None;
        self.turns = self.turns.saturating_add(1);
        self.escalates_at = self.next_escalation();
        Ok(())
    }

    fn enter_in(
        &mut self,
        postures: &Postures,
        scope: Scope,
        number: u16,
        cause: Cause,
        at: Monotonic,
        out: &mut Vec<Transition>,
    ) {
        let Some(spec) = postures.spec(number) else { return };
        // Another engine has entered it everywhere so long ago.
        let watched = self.watches.get_mut(usize::from(number).saturating_sub(1)).filter(|_| scope.is_none());
        let late = watched.map_or(Ttl::ZERO, |watch| std::mem::take(&mut watch.late));
        let instance = match &scope {
            None => &mut self.everywhere,
            Some(scope) => self.scopes.entry(scope.clone()).or_default(),
        };
        instance.layers.resize(postures.specs.len().saturating_sub(1), Layer::default());
        self.turns = self.turns.saturating_add(1);
        let posture = instance.posture();
        let Some(layer) = instance.layer_mut(number) else { return };
        let dwell = match (spec.leave.back_off, layer.backs_off_until) {
            (Some((_, max)), Some(until)) if at < until => {
                layer.level = layer.level.saturating_add(1);
                doubled(spec.leave.dwell, layer.level).min(max)
            }
            _ => {
                layer.level = 0;
                spec.leave.dwell
            }
        };
        let escalates_at = spec.escalate.map(|(_, after)| at.after(after));
        layer.entry = Some(Entry { since: at, dwell, escalates_at, late: Ttl::ZERO });
        point("postures: entered");
        let changed = instance.posture() != posture;
        self.note_change(scope.as_deref(), changed);
        self.escalates_at = [self.escalates_at, escalates_at].into_iter().flatten().min();
        let since = match cause {
            Cause::Condition | Cause::Indeterminate => self.holds_since(number),
            _ => None,
        };
        self.charge(postures, scope.as_deref(), number, late, at);
        out.push(Transition { at, posture: number, scope, entered: Some(cause), since: since.unwrap_or(at) });
    }

    /// Counts the escalation of a posture that is entered from so long before: another engine had entered it then.
    fn charge(&mut self, postures: &Postures, scope: Option<&str>, number: u16, late: Ttl, at: Monotonic) {
        let Some((_, after)) = postures.spec(number).and_then(|spec| spec.escalate) else { return };
        let layer = self.instance_mut(scope).and_then(|instance| instance.layer_mut(number));
        if let Some(entry) = layer.and_then(|layer| layer.entry.as_mut()).filter(|_| late > Ttl::ZERO) {
            entry.charge(after, late, at);
            self.escalates_at = self.next_escalation();
        }
    }

    /// Lets every posture whose time was up at `due` be followed by its next.
    fn escalate(&mut self, postures: &Postures, due: Monotonic, at: Monotonic, out: &mut Vec<Transition>) {
        let mut following: Vec<(Scope, u16, Ttl)> = Vec::new();
        let scopes = self.scopes.iter_mut().map(|(scope, instance)| (Some(scope), instance));
        for (scope, instance) in std::iter::once((None, &mut self.everywhere)).chain(scopes) {
            for (number, layer) in (1_u16..).zip(&mut instance.layers) {
                let Some(entry) = layer.entry.as_mut().filter(|entry| entry.escalates_at == Some(due)) else {
                    continue;
                };
                entry.escalates_at = None;
                let late = std::mem::take(&mut entry.late);
                self.turns = self.turns.saturating_add(1);
                if let Some((next, _)) = postures.spec(number).and_then(|spec| spec.escalate) {
                    following.push((scope.cloned(), next, late));
                }
            }
        }
        // The order of a hash map must not show.
        following.sort();
        for (scope, next, late) in following {
            if self.instance(scope.as_deref()).is_some_and(|instance| !instance.is_entered(next)) {
                self.enter_in(postures, scope.clone(), next, Cause::Escalation, at, out);
            }
            self.charge(postures, scope.as_deref(), next, late, at);
        }
    }

    fn holds_since(&self, number: u16) -> Option<Monotonic> {
        self.watches.get(usize::from(number).checked_sub(1)?)?.holds_since
    }

    fn next_escalation(&self) -> Option<Monotonic> {
        let instances = std::iter::once(&self.everywhere).chain(self.scopes.values());
        instances.flat_map(|instance| &instance.layers).filter_map(|layer| layer.entry?.escalates_at).min()
    }

    fn note_change(&mut self, scope: Option<&str>, changed: bool) {
        if changed {
            self.changes = self.changes.saturating_add(1);
            let number = self.changes;
            if let Some(instance) = self.instance_mut(scope) {
                instance.changed = number;
            }
        }
    }

    /// The place that a scope has, or could be given; an error where there is no room for it.
    fn place(&mut self, scope: Scope, at: Monotonic) -> Result<Scope, NoRoom> {
        let known = scope.as_ref().is_none_or(|scope| self.scopes.contains_key(scope));
        if known || self.makes_room(at) { Ok(scope) } else { Err(NoRoom) }
    }

    /// Whether one more scope can be remembered; forgets those in which nothing is entered and whose back-off is over.
    fn makes_room(&mut self, at: Monotonic) -> bool {
        if self.scopes.len() < self.scopes_max {
            return true;
        }
        let (forgotten, sees_forgotten) = (&mut self.forgotten, &mut self.sees_forgotten);
        self.scopes.retain(|_, instance| {
            let stays = instance.layers.iter().any(|layer| layer.is_remembered(at));
            if !stays {
                *forgotten = (*forgotten).max(instance.changed);
                *sees_forgotten = true;
            }
            stays
        });
        self.scopes.len() < self.scopes_max
    }

    /// Makes anew what decisions see, of all scopes.
    fn reckon(&mut self, postures: &Postures) {
        self.in_force = Arc::new(self.all(postures));
        self.sees_forgotten = false;
    }

    /// Makes anew what decisions see, of what has changed: the others are shared with what they saw before.
    fn reckon_in(&mut self, postures: &Postures, scopes: &[Scope]) {
        if self.sees_forgotten {
            return self.reckon(postures);
        }
        point("postures: reckon");
        let mut in_force = InForce::clone(&self.in_force);
        in_force.set_everywhere(self.everywhere.standing());
        for scope in scopes.iter().flatten() {
            if let Some(instance) = self.scopes.get(scope) {
                in_force.set(postures, scope, instance.standing());
            }
        }
        debug_assert!(in_force.is_as(&self.all(postures)), "a scope changed and was not reckoned");
        self.in_force = Arc::new(in_force);
    }

    /// What is in force, made of all scopes.
    fn all(&self, postures: &Postures) -> InForce {
        let scopes = self.scopes.iter().map(|(scope, instance)| (&**scope, instance.standing()));
        InForce::of_all(postures, self.everywhere.standing(), scopes, self.forgotten)
    }

    /// A flag holds its posture everywhere, and in no scope apart.
    fn is_flagged(&self, scope: Option<&str>, number: u16) -> bool {
        scope.is_none() && self.flagged.contains(&number)
    }

    fn instance(&self, scope: Option<&str>) -> Option<&Instance> {
        scope.map_or(Some(&self.everywhere), |scope| self.scopes.get(scope))
    }

    fn instance_mut(&mut self, scope: Option<&str>) -> Option<&mut Instance> {
        match scope {
            None => Some(&mut self.everywhere),
            Some(scope) => self.scopes.get_mut(scope),
        }
    }
}

impl Watch {
    /// What could not be established counts as holding.
    fn take(&mut self, truth: Truth, at: Monotonic) {
        if truth == Truth::False {
            (self.holds_since, self.enters_by, self.late) = (None, None, Ttl::ZERO);
            self.false_since.get_or_insert(at);
        } else {
            self.holds_since.get_or_insert(at);
            self.false_since = None;
            self.indeterminate = matches!(truth, Truth::Indeterminate(_));
        }
    }

    /// When it will have held for long enough, as far as it goes on to hold.
    fn due(&self, held_for: Ttl) -> Option<Monotonic> {
        let due = self.holds_since?.after(held_for);
        Some(self.enters_by.map_or(due, |by| due.min(by)))
    }
}

impl Layer {
    /// Whether what is to come hangs on it: it is entered, or its back-off is not over.
    fn is_remembered(&self, at: Monotonic) -> bool {
        self.entry.is_some() || self.backs_off_until.is_some_and(|until| at < until)
    }
}

impl Instance {
    fn layer(&self, number: u16) -> Option<&Layer> {
        self.layers.get(usize::from(number).checked_sub(1)?)
    }

    fn layer_mut(&mut self, number: u16) -> Option<&mut Layer> {
        self.layers.get_mut(usize::from(number).checked_sub(1)?)
    }

    fn is_entered(&self, number: u16) -> bool {
        self.layer(number).is_some_and(|layer| layer.entry.is_some())
    }

    fn entered(&self) -> impl Iterator<Item = u16> {
        (1_u16..).zip(&self.layers).filter(|(_, layer)| layer.entry.is_some()).map(|(number, _)| number)
    }

    /// The strictest that is entered; zero, the normal one, where none is.
    fn posture(&self) -> u16 {
        self.entered().last().unwrap_or(0)
    }

    fn standing(&self) -> Standing {
        Standing { posture: self.posture(), changed: self.changed }
    }
}

fn doubled(dwell: Ttl, times: u32) -> Ttl {
    let nanos = 1_u64.checked_shl(times).map_or(u64::MAX, |factor| dwell.as_nanos().saturating_mul(factor));
    Ttl::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::policy::bundle::{Bundle, Trust};

    fn bundle() -> Bundle {
        let posture = |name: &str, rank: u32, leave| {
            let enter = serde_json::json!({ "when": "!signals.idp.ok", "for": "1m" });
            serde_json::json!({ "name": name, "rank": rank, "permits": "none", "enter": enter, "leave": leave })
        };
        let backs_off = serde_json::json!({ "dwell": "1s", "back_off": { "within": "10m", "max": "30m" } });
        let document = serde_json::json!({
            "fallgate": 1, "name": "p", "revision": 1, "actions": { "read": {} }, "signals": { "idp": { "ttl": "30s" } },
            "schema": { "resource": { "thing": { "tenant": "string" } } }, "scopes": { "tenant": "resource.tenant" },
            "postures": [posture("shut", 1, serde_json::json!({})), posture("barred", 2, backs_off)],
            "rules": [{ "id": "all", "effect": "allow" }],
        });
        Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
    }

    const fn at(second: u64) -> Monotonic {
        Monotonic::from_millis(second * 1_000)
    }

    /// A condition that begins or ceases to hold is exported, so what orders exports has to grow with it, and not without.
    #[test]
    fn a_condition_that_turns_is_a_change_of_what_is_exported() {
        let bundle = bundle();
        let (postures, mut machine, mut out) = (&bundle.policy().postures, PostureMachine::default(), Vec::new());
        let mut turns = Vec::new();
        for (second, truth) in (1..).zip([Truth::False, Truth::False, Truth::True, Truth::True, Truth::False]) {
            machine.step(postures, &[None, Some(truth)], at(second), &mut out);
            turns.push(machine.turns());
        }
        assert!(out.is_empty(), "it has not held for a minute");
        assert_eq!(turns, [0, 0, 1, 1, 2]);
    }

    /// Of two scopes the one that was left last may be forgotten first: what the other saw is no change beyond that.
    #[test]
    fn a_scope_that_makes_room_is_gone_whichever_was_left_last() {
        let bundle = bundle();
        let (postures, mut machine, mut out) = (&bundle.policy().postures, PostureMachine::new(2), Vec::new());
        let (shut, barred) = (1, 2);
        let scope = |name: &str| Some(Box::from(name));
        machine.step(postures, &[None, Some(Truth::False), Some(Truth::False)], at(0), &mut out);
        machine.enter(postures, scope("tenant:b"), barred, at(1), &mut out);
        machine.enter(postures, scope("tenant:a"), shut, at(2), &mut out);
        // It backs off for ten minutes, so it is remembered.
        machine.leave(postures, scope("tenant:b"), barred, true, at(3), &mut out).unwrap();
        machine.leave(postures, scope("tenant:a"), shut, true, at(4), &mut out).unwrap();
        machine.enter(postures, scope("tenant:c"), shut, at(5), &mut out);
        machine.enter(postures, scope("tenant:d"), shut, at(700), &mut out);
        let mut known: Vec<_> = machine.in_force().scopes().map(|(scope, _)| scope.to_owned()).collect();
        known.sort();
        assert_eq!(known, ["tenant:c", "tenant:d"]);
        assert!(machine.in_force().is_as(&machine.all(postures)));
    }
}
