//! Postures: chapter 19. Each entry that ever was stands in one list.

use fallgate::condition::{Status, Truth};
use fallgate::policy::format::{Permits, Whole};

use crate::Time;
use crate::pack::{Pack, fits};
use crate::quarantine::place;
use crate::request::Asked;
use crate::told::Oracle;

/// That a posture was entered, everywhere or in a scope.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) posture: String,
    pub(crate) scope: Option<String>,
    pub(crate) since: Time,
    /// How long it lasts at the least.
    pub(crate) dwell: Time,
    /// When the next one follows, unless somebody acknowledges this one.
    pub(crate) escalates: Option<(String, Time)>,
    /// By how much that is overdue, where a state was restored: what follows was entered elsewhere so long ago.
    pub(crate) late: Time,
    pub(crate) left: Option<Time>,
}

/// Since when the condition of a posture's entry holds, or does not.
#[derive(Clone, Debug)]
pub(crate) struct Holding {
    pub(crate) posture: String,
    pub(crate) holds: bool,
    pub(crate) since: Time,
    /// How long ago the engine that exported a state would have entered it.
    pub(crate) late: Time,
}

impl Entry {
    /// Lets what follows `after` this come as if this had been entered so long before.
    pub(crate) fn charge(&mut self, after: Time, late: Time, at: Time) {
        if let Some((_, when)) = self.escalates.as_mut() {
            *when = (*when).min(at.saturating_add(after.saturating_sub(late)));
        }
        self.late = self.late.max(late.saturating_sub(after));
    }
}

impl Oracle {
    /// What is entered now.
    pub(crate) fn entered(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.left.is_none())
    }

    /// That a posture is entered, everywhere or in a scope.
    pub(crate) fn entry(&self, posture: &str, scope: Option<&str>) -> Option<&Entry> {
        self.entered().find(|entry| entry.posture == posture && entry.scope.as_deref() == scope)
    }

    fn entry_mut(&mut self, posture: &str, scope: Option<&str>) -> Option<&mut Entry> {
        let mut entered = self.entries.iter_mut().filter(|entry| entry.left.is_none());
        entered.find(|entry| entry.posture == posture && entry.scope.as_deref() == scope)
    }

    /// Enters a posture where it is not entered yet, `late` by what a restored state says.
    pub(crate) fn put(&mut self, posture: &str, scope: Option<&str>, at: Time, late: Time) {
        let spec = self.pack().and_then(|pack| pack.posture(posture)).expect("it is declared").clone();
        let after = spec.escalate.as_ref().map_or(Time::MAX, |next| next.after.as_nanos());
        if let Some(entered) = self.entry_mut(posture, scope) {
            return entered.charge(after, late, at);
        }
        let held = self.holdings.iter_mut().find(|held| scope.is_none() && held.posture == posture);
        let late = late.max(held.map_or(0, |held| std::mem::take(&mut held.late)));
        let leave = spec.leave.unwrap_or_default();
        let mut dwell = leave.dwell.unwrap_or_default().as_nanos();
        let before = self.entries.iter().rfind(|entry| entry.posture == posture && entry.scope.as_deref() == scope);
        if let (Some(back_off), Some(Entry { left: Some(left), dwell: last, .. })) = (leave.back_off, before)
            && at - left < back_off.within.as_nanos()
        {
            dwell = last.saturating_mul(2).min(back_off.max.as_nanos()).max(dwell);
        }
        let escalates = spec.escalate.map(|next| (next.to, at.saturating_add(next.after.as_nanos())));
        let scope = scope.map(str::to_owned);
        let mut entry = Entry { posture: posture.to_owned(), scope, since: at, dwell, escalates, late: 0, left: None };
        entry.charge(after, late, at);
        self.entries.push(entry);
        self.moves.push(((self.inputs, at), self.entries.len() - 1));
    }

    /// Does what is due at this moment, and notes what has changed by it.
    pub(crate) fn follow_postures(&mut self, pack: &Pack, at: Time) {
        let mut due: Vec<String> = Vec::new();
        for posture in pack.postures() {
            let condition = pack.enter(&posture.name);
            let flagged = self.is_flagged(pack, &posture.name);
            if condition.is_none() && !flagged && !self.holdings.iter().any(|held| held.posture == posture.name) {
                continue;
            }
            let calls = condition.is_some_and(|condition| self.truth(pack, condition, None, None, at) != Truth::False);
            let holds = calls || flagged;
            match self.holdings.iter_mut().find(|held| held.posture == posture.name) {
                Some(held) if held.holds == holds => {}
                Some(held) => (held.holds, held.since, held.late) = (holds, at, 0),
                None => self.holdings.push(Holding { posture: posture.name.clone(), holds, since: at, late: 0 }),
            }
            let since = self.holdings.iter().find(|held| held.posture == posture.name).expect("it is there").since;
            let held_for = posture.enter.as_ref().and_then(|enter| enter.for_).unwrap_or_default().as_nanos();
            if flagged || (holds && at >= since.saturating_add(held_for)) {
                due.push(posture.name.clone());
            }
        }
        for posture in due {
            self.put(&posture, None, at, 0);
        }
        while let Some(entry) = self
            .entries
            .iter_mut()
            .find(|entry| entry.left.is_none() && entry.escalates.as_ref().is_some_and(|(_, when)| *when <= at))
        {
            let (to, _) = entry.escalates.take().expect("it escalates");
            let (scope, late) = (entry.scope.clone(), entry.late);
            self.put(&to, scope.as_deref(), at, late);
        }
        self.leave_what_is_approved(pack, at);
    }

    /// The moments at which time alone enters a posture.
    pub(crate) fn entries_due(&self, pack: &Pack) -> Vec<Time> {
        let held = self.holdings.iter().filter_map(|held| {
            let posture = pack.posture(&held.posture)?;
            let for_ = posture.enter.as_ref().and_then(|enter| enter.for_).filter(|_| held.holds);
            // What an approved leave waits for.
            let stable = posture.leave.as_ref().and_then(|leave| leave.stable);
            Some([for_, stable].map(|span| held.since.saturating_add(span.unwrap_or_default().as_nanos())))
        });
        let dwells = self.entered().map(|entry| entry.since.saturating_add(entry.dwell));
        let follows = self.entered().filter_map(|entry| Some(entry.escalates.as_ref()?.1));
        held.flatten().chain(dwells).chain(follows).collect()
    }

    fn posture_place(&self, posture: &str, scope: Option<&str>) -> Result<(), &'static str> {
        let pack = self.pack().ok_or("no_policy")?;
        if pack.posture(posture).is_none() {
            return Err("unknown_posture");
        }
        match scope.map(|scope| scope.split_once(':')) {
            None => Ok(()),
            Some(Some((kind, name))) if !name.is_empty() && pack.document.scopes.contains_key(kind) => Ok(()),
            Some(_) => Err("unknown_scope"),
        }
    }

    /// An operator enters a posture.
    pub fn enter_posture(&mut self, posture: &str, scope: Option<&str>) -> Result<(), &'static str> {
        self.posture_place(posture, scope)?;
        self.put(posture, scope, self.now, 0);
        Ok(())
    }

    /// An operator leaves a posture.
    ///
    /// # Errors
    /// The code of the first thing that does not hold.
    pub fn leave_posture(&mut self, posture: &str, scope: Option<&str>) -> Result<(), &'static str> {
        self.posture_place(posture, scope)?;
        let pack = self.pack().expect("it was there").clone();
        if pack.posture(posture).and_then(|spec| spec.leave.as_ref()).is_some_and(|leave| leave.approvals.is_some()) {
            return Err("not_approved");
        }
        self.may_leave(&pack, posture, scope, self.now)?;
        self.leave_at(posture, scope, self.now);
        Ok(())
    }

    /// Whether all that a posture demands holds, but for approvals.
    pub(crate) fn may_leave(
        &self,
        pack: &Pack,
        posture: &str,
        scope: Option<&str>,
        at: Time,
    ) -> Result<(), &'static str> {
        let entry = self.entry(posture, scope).ok_or("not_entered")?;
        let leave = pack.posture(posture).and_then(|spec| spec.leave.clone()).unwrap_or_default();
        // A flag holds its posture everywhere, and in no scope apart.
        if scope.is_none() && self.is_flagged(pack, posture) {
            return Err("flag_set");
        }
        let has_condition = pack.enter(posture).is_some();
        if let Some(held) = self.holdings.iter().find(|held| has_condition && held.posture == posture) {
            let stable = leave.stable.unwrap_or_default().as_nanos();
            if held.holds || at - held.since < stable {
                return Err("not_stable");
            }
        }
        if at - entry.since < entry.dwell {
            return Err("dwelling");
        }
        if leave.checks.iter().any(|check| self.status(pack, check, at) != Status::Ok)
            || self.lacks_failover_checks(pack, posture, scope, at)
        {
            return Err("check_not_ok");
        }
        Ok(())
    }

    pub(crate) fn leave_at(&mut self, posture: &str, scope: Option<&str>, at: Time) {
        let entry = self.entries.iter().rposition(|held| held.posture == posture && held.scope.as_deref() == scope);
        let entry = entry.expect("it is entered");
        self.entries[entry].left = Some(at);
        self.claims.entered_for.retain(|name| scope.is_some() || name != posture);
        self.moves.push(((self.inputs, at), entry));
    }

    /// An operator acknowledges a posture: it escalates no more.
    pub fn acknowledge_posture(&mut self, posture: &str, scope: Option<&str>) -> Result<(), &'static str> {
        self.posture_place(posture, scope)?;
        self.entry_mut(posture, scope).ok_or("not_entered")?.escalates = None;
        Ok(())
    }

    /// Whether an entry is in a place that the request falls in, or may fall in.
    pub(crate) fn concerns(pack: &Pack, entry: &Entry, asked: Option<&Asked>) -> bool {
        let Some(scope) = &entry.scope else { return true };
        let (Some(asked), Some((kind, name))) = (asked, scope.split_once(':')) else { return false };
        let path = pack.document.scopes.get(kind).expect("a bundle keeps the scopes that are entered");
        place(path, asked).is_none_or(|at| at == name)
    }

    /// The posture that a request is under, with its rank; without a request, what is in force everywhere.
    pub(crate) fn in_force(&self, pack: &Pack, asked: Option<&Asked>) -> (String, u32) {
        Self::strictest(pack, self.entered().filter(|entry| Self::concerns(pack, entry, asked)))
    }

    /// The one that it was under after a move: each entry has one for being made, and one for being left.
    pub(crate) fn stood_after(&self, pack: &Pack, asked: &Asked, last: usize) -> (String, u32) {
        let moves = &self.moves[..=last];
        let entered = |at: &usize| moves.iter().filter(|(_, moved)| moved == at).count() == 1;
        let entries = (0..self.entries.len()).filter(entered).map(|at| &self.entries[at]);
        Self::strictest(pack, entries.filter(|entry| Self::concerns(pack, entry, Some(asked))))
    }

    pub(crate) fn strictest<'e>(pack: &Pack, entered: impl Iterator<Item = &'e Entry>) -> (String, u32) {
        let ranks =
            entered.map(|entry| (entry.posture.clone(), pack.posture(&entry.posture).expect("it is kept").rank));
        ranks.max_by_key(|(_, rank)| *rank).unwrap_or_else(|| (pack.normal().to_owned(), 0))
    }

    /// Whether a posture and every laxer one permit a request.
    pub(crate) fn is_permitted(&self, pack: &Pack, asked: &Asked, rank: u32) -> bool {
        let class = pack.document.actions[&asked.action].class.as_ref();
        pack.postures().into_iter().filter(|posture| posture.rank <= rank).all(|posture| match &posture.permits {
            Permits::Whole(Whole::All) => true,
            Permits::Whole(Whole::None) => false,
            Permits::Some(some) => {
                let by_class =
                    some.classes.as_ref().is_some_and(|classes| class.is_some_and(|class| classes.contains(class)));
                let by_name =
                    some.actions.as_ref().is_some_and(|names| names.iter().any(|name| fits(name, &asked.action)));
                let condition = pack.permits(&posture.name);
                ((some.classes.is_none() && some.actions.is_none()) || by_class || by_name)
                    && condition
                        .is_none_or(|condition| self.truth(pack, condition, Some(asked), None, self.now) == Truth::True)
            }
        })
    }
}
