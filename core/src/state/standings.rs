//! What every signal is, kept from one look to the next: only what can have changed is looked at again.
//!
//! An engine looks at each observation, each operation and each deadline. With a thousand signals, of which one was
//! observed, the others are what they were: until they expire, or a member of theirs moves.

use std::collections::BTreeSet;

use super::control::Feeds;
use super::guards::Guards;
use super::signals::{BuiltIn, Held, Standing, standing};
use crate::condition::{SignalView, Status};
use crate::policy::signal::{SignalSpec, Source};
use crate::time::{Monotonic, Ttl};

/// What is held of all signals, and what they are.
#[derive(Debug, Default)]
pub struct Signals {
    held: Vec<Held>,
    /// By number. Invariant: what [`Signals::look`] would make anew of all of them, as of `at`.
    standings: Vec<Standing>,
    /// The views of `standings`, one behind the other, as a decision reads them.
    views: Vec<SignalView>,
    /// As of when; nothing where all of them are to be looked at.
    at: Option<Monotonic>,
    /// Until when, inclusive, each can be said that time changes.
    ends: BTreeSet<(Monotonic, u16)>,
    /// Those to be looked at again.
    stale: BTreeSet<u16>,
    /// Those that are not what they were when somebody last took note.
    moved: BTreeSet<u16>,
    /// Those that hang on more than observations: looked at each time.
    restless: Vec<u16>,
    /// By member: the quorums that count it.
    followers: Vec<Vec<u16>>,
}

impl Signals {
    /// What is held of a signal.
    #[must_use]
    pub fn held(&self, number: u16) -> Held {
        self.held.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// What is held of all of them that were ever told of, by number.
    #[must_use]
    pub fn all_held(&self) -> &[Held] {
        &self.held
    }

    /// What is held of one of so many signals, to be changed; nothing beyond their number.
    pub fn held_mut(&mut self, number: u16, count: usize) -> Option<&mut Held> {
        if self.held.len() < count {
            self.held.resize(count, Held::default());
        }
        self.stale.insert(number);
        self.held.get_mut(usize::from(number))
    }

    /// The monotonic clock may have stood still for so long: all that was reported is older by that.
    pub fn slept(&mut self, span: Ttl) {
        self.held.iter_mut().for_each(|held| held.slept(span));
        self.at = None;
    }

    /// Takes over what is held of the signals of another policy.
    pub fn carry(&mut self, held: Vec<Held>) {
        *self = Self { held, ..Self::default() };
    }

    /// What the signal of that number was when all were last looked at.
    #[must_use]
    pub fn standing(&self, number: u16) -> Standing {
        self.standings.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// Its status.
    #[must_use]
    pub fn status(&self, number: u16) -> Status {
        self.standings.get(usize::from(number)).map_or(Status::Unknown, |standing| standing.view.status)
    }

    /// What conditions see of all of them, by number.
    #[must_use]
    pub fn views(&self) -> &[SignalView] {
        &self.views
    }

    /// Until when, inclusive, all of them are what they are without another observation.
    #[must_use]
    pub fn holds_until(&self) -> Option<Monotonic> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// Those that have moved since this was last asked, by number.
    pub fn take_moved(&mut self) -> BTreeSet<u16> {
        std::mem::take(&mut self.moved)
    }

    /// Looks at what they are at a time.
    pub fn look(&mut self, specs: &[SignalSpec], guards: &Guards, feeds: &Feeds, built_in: BuiltIn, now: Monotonic) {
        if self.standings.len() != specs.len() || self.at.is_none_or(|at| now < at) {
            self.begin(specs);
        }
        self.at = Some(now);
        self.stale.extend(&self.restless);
        self.stale.extend(self.ends.iter().take_while(|(end, _)| *end < now).map(|(_, number)| *number));
        // Whoever follows others has a higher number than they.
        while let Some(number) = self.stale.pop_first() {
            let Some(spec) = specs.get(usize::from(number)) else { continue };
            let anew = standing(number, spec, self.held(number), &self.standings, guards, feeds, built_in, now);
            self.put(number, anew);
        }
        debug_assert!(self.is_whole(specs, guards, feeds, built_in, now), "a signal moved and was not looked at");
    }

    fn begin(&mut self, specs: &[SignalSpec]) {
        let all = 0..u16::try_from(specs.len()).unwrap_or(u16::MAX);
        let held = std::mem::take(&mut self.held);
        *self = Self {
            held,
            standings: vec![Standing::default(); specs.len()],
            views: vec![SignalView::default(); specs.len()],
            stale: all.clone().collect(),
            moved: all.collect(),
            followers: vec![Vec::new(); specs.len()],
            ..Self::default()
        };
        for (number, spec) in (0_u16..).zip(specs) {
            match &spec.source {
                Source::Observed { .. } => {}
                Source::BuiltIn | Source::Heartbeat { .. } | Source::Guard { .. } => self.restless.push(number),
                Source::Quorum { members, .. } => {
                    for member in members {
                        self.followers.get_mut(usize::from(*member)).into_iter().for_each(|them| them.push(number));
                    }
                }
            }
        }
    }

    fn put(&mut self, number: u16, anew: Standing) {
        let at = usize::from(number);
        let (Some(standing), Some(view)) = (self.standings.get_mut(at), self.views.get_mut(at)) else { return };
        if *standing == anew {
            return;
        }
        if let Some(until) = standing.until {
            self.ends.remove(&(until, number));
        }
        self.ends.extend(anew.until.map(|until| (until, number)));
        (*standing, *view) = (anew, anew.view);
        self.moved.insert(number);
        self.stale.extend(self.followers.get(at).into_iter().flatten());
    }

    /// Whether all of them are what they would be if all were looked at.
    fn is_whole(
        &self,
        specs: &[SignalSpec],
        guards: &Guards,
        feeds: &Feeds,
        built_in: BuiltIn,
        now: Monotonic,
    ) -> bool {
        let mut anew: Vec<Standing> = Vec::with_capacity(specs.len());
        for (number, spec) in (0_u16..).zip(specs) {
            anew.push(standing(number, spec, self.held(number), &anew, guards, feeds, built_in, now));
        }
        let ends = (0_u16..).zip(&anew).filter_map(|(number, standing)| Some((standing.until?, number)));
        anew == self.standings
            && self.views.iter().eq(anew.iter().map(|standing| &standing.view))
            && self.ends == ends.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::name::name;
    use crate::policy::signal::{BUILT_IN, Recovery};

    const BUILT: BuiltIn = BuiltIn { clock: true, engine: true, bundle: true, epoch: true, audit: true };

    fn secs(secs: u64) -> Monotonic {
        Monotonic::from_millis(secs * 1_000)
    }

    /// The built-in ones, two of ten seconds, and the quorum of both.
    fn specs() -> Vec<SignalSpec> {
        let recover = Recovery { oks: 1, stable: Ttl::ZERO };
        let observed = || Source::Observed { ttl: Ttl::from_secs(10), recover };
        let built_in = BUILT_IN.iter().map(|built_in| SignalSpec::new(name(built_in).unwrap(), Source::BuiltIn));
        let quorum = Source::Quorum { members: [5, 6].into(), need: 2 };
        let more = [("a", observed()), ("b", observed()), ("both", quorum)];
        built_in.chain(more.map(|(text, source)| SignalSpec::new(name(text).unwrap(), source))).collect()
    }

    fn observe(signals: &mut Signals, number: u16, status: Status, at: u64) {
        let recover = Recovery { oks: 1, stable: Ttl::ZERO };
        let held = signals.held_mut(number, 8).unwrap();
        held.observe(status, secs(at), secs(at), Ttl::from_secs(10), recover);
    }

    #[test]
    fn what_moved_is_told_once_and_a_quorum_moves_with_its_members() {
        let (specs, mut signals) = (specs(), Signals::default());
        let (guards, feeds) = (Guards::new(&Limits::DEFAULT, 7), Feeds::new(&Limits::DEFAULT));
        let look = |signals: &mut Signals, at| {
            signals.look(&specs, &guards, &feeds, BUILT, secs(at));
            let moved: Vec<u16> = signals.take_moved().into_iter().filter(|number| *number > 4).collect();
            moved
        };
        assert_eq!(look(&mut signals, 1), [5, 6, 7], "at first all are told");
        assert_eq!(look(&mut signals, 1), [] as [u16; 0]);
        observe(&mut signals, 5, Status::Ok, 2);
        assert_eq!(look(&mut signals, 2), [5, 7], "the quorum holds until its member does");
        assert_eq!(signals.status(7), Status::Unknown);
        observe(&mut signals, 6, Status::Ok, 4);
        assert_eq!(look(&mut signals, 4), [6, 7]);
        assert_eq!(signals.status(7), Status::Ok);
        assert_eq!(signals.holds_until(), Some(secs(12)));
        // Inclusive: at 12 s it still holds, and a millisecond later it does not.
        assert_eq!(look(&mut signals, 12), [] as [u16; 0]);
        assert_eq!(look(&mut signals, 13), [5, 7], "silence moves it");
        assert_eq!(
            (signals.status(5), signals.status(6), signals.status(7)),
            (Status::Unknown, Status::Ok, Status::Unknown)
        );
        assert_eq!(signals.holds_until(), Some(secs(14)));
    }

    #[test]
    fn a_time_before_makes_all_anew() {
        let (specs, mut signals) = (specs(), Signals::default());
        let (guards, feeds) = (Guards::new(&Limits::DEFAULT, 7), Feeds::new(&Limits::DEFAULT));
        observe(&mut signals, 5, Status::Ok, 1);
        signals.look(&specs, &guards, &feeds, BUILT, secs(20));
        assert_eq!(signals.status(5), Status::Unknown);
        signals.look(&specs, &guards, &feeds, BUILT, secs(11));
        assert_eq!(signals.status(5), Status::Ok);
    }
}
