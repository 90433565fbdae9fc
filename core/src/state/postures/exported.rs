//! Postures in an exported state: what is written of the machine, and how it is joined with what is entered here.
//!
//! Joining only tightens: a posture that is entered in either is entered, the longer dwell and the longer back-off count,
//! and the earlier escalation.

use super::{Cause, Entry, Layer, PostureMachine, Scope, Transition};
use crate::policy::posture::Postures;
use crate::state::document::{Elapsed, Entered, Entering, PostureLayer, left_ms, span_ms};
use crate::time::{Monotonic, Ttl};

impl PostureMachine {
    /// How often anything has changed that is exported.
    #[must_use]
    pub const fn turns(&self) -> u64 {
        self.turns
    }

    /// What is exported of the postures, in order of scope and rank.
    #[must_use]
    pub fn exported(&self, postures: &Postures, at: Monotonic) -> Vec<PostureLayer> {
        let mut scopes: Vec<_> = self.scopes.iter().map(|(scope, instance)| (Some(&**scope), instance)).collect();
        scopes.push((None, &self.everywhere));
        scopes.sort_by_key(|(scope, _)| *scope);
        let mut layers = Vec::new();
        for (scope, instance) in scopes {
            for (layer, spec) in instance.layers.iter().zip(postures.specs.iter().skip(1)) {
                if !layer.is_remembered(at) {
                    continue;
                }
                layers.push(PostureLayer {
                    scope: scope.map(str::to_owned),
                    posture: spec.name.as_str().to_owned(),
                    entered: layer.entry.map(|entry| entry.exported(at)),
                    level: layer.level,
                    backs_off_ms: layer.backs_off_until.map(|until| span_ms(at, until)).filter(|span| *span > 0),
                });
            }
        }
        layers
    }

    /// The postures whose condition holds, but not for long enough yet, in order of their ranks.
    #[must_use]
    pub fn entering(&self, postures: &Postures, at: Monotonic) -> Vec<Entering> {
        let specs = postures.specs.iter().skip(1).zip((1_u16..).zip(&self.watches));
        specs
            .filter(|(_, (number, _))| !self.everywhere.is_entered(*number))
            .filter_map(|(spec, (_, watch))| {
                let due = watch.due(spec.enter.as_ref()?.held_for)?;
                Some(Entering { posture: spec.name.as_str().to_owned(), in_ms: span_ms(at, due) })
            })
            .collect()
    }

    /// Joins one posture of a state that is restored. Where there is no room for its scope, it is entered everywhere.
    pub fn join(
        &mut self,
        postures: &Postures,
        number: u16,
        layer: &PostureLayer,
        elapsed: Elapsed,
        at: Monotonic,
        out: &mut Vec<Transition>,
    ) {
        let place = self.place(layer.scope.as_deref().map(Into::into), at);
        let cause = if place.is_ok() { Cause::State } else { Cause::NoRoom };
        let scope: Scope = place.unwrap_or_default();
        let instance = match &scope {
            None => &mut self.everywhere,
            Some(scope) => self.scopes.entry(scope.clone()).or_default(),
        };
        instance.layers.resize(postures.specs.len().saturating_sub(1), Layer::default());
        let posture = instance.posture();
        let Some(here) = instance.layer_mut(number) else { return };
        let news = here.entry.is_none() && layer.entered.is_some();
        here.entry = [here.entry, layer.entered.map(|entered| Entry::restored(entered, elapsed, at))]
            .into_iter()
            .flatten()
            .reduce(|one, other| one.join(other, at));
        here.level = here.level.max(layer.level);
        let backs_off_until = layer.backs_off_ms.map(|span| at.after(Ttl::from_millis(span)));
        here.backs_off_until = here.backs_off_until.max(backs_off_until);
        let changed = instance.posture() != posture;
        self.note_change(scope.as_deref(), changed);
        self.turns = self.turns.saturating_add(1);
        self.escalates_at = self.next_escalation();
        if news {
            out.push(Transition { at, posture: number, scope, entered: Some(cause), since: at });
        }
        self.reckon(postures);
    }

    /// Lets a posture whose condition holds here too be entered when the state says, if that is earlier; and what follows it
    /// be charged with the time since then.
    pub fn join_entering(&mut self, postures: &Postures, number: u16, in_ms: u64, elapsed: Elapsed, at: Monotonic) {
        let Some(watch) = usize::from(number).checked_sub(1).and_then(|at| self.watches.get_mut(at)) else { return };
        if watch.holds_since.is_none() {
            return;
        }
        let by = at.after(Ttl::from_millis(left_ms(in_ms, elapsed)));
        watch.enters_by = Some(watch.enters_by.map_or(by, |earlier| earlier.min(by)));
        let late = late(in_ms, elapsed);
        self.turns = self.turns.saturating_add(1);
        if self.everywhere.is_entered(number) {
            self.charge(postures, None, number, late, at);
        } else {
            watch.late = watch.late.max(late);
        }
    }
}

impl Entry {
    fn exported(self, at: Monotonic) -> Entered {
        Entered {
            dwells_ms: span_ms(at, self.since.after(self.dwell)),
            escalates_in_ms: self.escalates_at.map(|due| span_ms(at, due)),
        }
    }

    fn restored(entered: Entered, elapsed: Elapsed, at: Monotonic) -> Self {
        let escalates = |span| at.after(Ttl::from_millis(left_ms(span, elapsed)));
        Self {
            since: at,
            dwell: Ttl::from_millis(entered.dwells_ms),
            escalates_at: entered.escalates_in_ms.map(escalates),
            late: entered.escalates_in_ms.map_or(Ttl::ZERO, |span| late(span, elapsed)),
        }
    }

    /// Lets what follows `after` an entry come as if that entry had been so long ago.
    pub(super) fn charge(&mut self, after: Ttl, late: Ttl, at: Monotonic) {
        let [after, late] = [after, late].map(Ttl::as_nanos);
        let due = at.after(Ttl::from_nanos(after.saturating_sub(late)));
        self.escalates_at = self.escalates_at.map(|before| before.min(due));
        self.late = self.late.max(Ttl::from_nanos(late.saturating_sub(after)));
    }

    fn join(self, other: Self, at: Monotonic) -> Self {
        let until = self.since.after(self.dwell).max(other.since.after(other.dwell));
        let escalations = [self.escalates_at, other.escalates_at];
        Self {
            since: at,
            dwell: Ttl::from_nanos(until.nanos_since(at)),
            escalates_at: escalations.into_iter().flatten().min(),
            late: self.late.max(other.late),
        }
    }
}

/// By how much a span that tightens when it is over is so already: without end where nobody can tell.
fn late(span_ms: u64, elapsed: Elapsed) -> Ttl {
    elapsed.map_or(Ttl::MAX, |elapsed| {
        Ttl::from_nanos(elapsed.as_nanos().saturating_sub(span_ms.saturating_mul(1_000_000)))
    })
}
