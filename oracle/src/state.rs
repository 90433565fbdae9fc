//! Export and restore: chapter 22. What is exported is simply all that was told; what of it counts is decided here.

use crate::pack::Pack;
use crate::postures::{Entry, Holding};
use crate::told::Oracle;
use crate::{MILLI, Time};

/// Why a state is not restored at all.
const NOT_BELIEVED: &str = "not_to_be_believed";

impl Oracle {
    /// Enters the strictest posture everywhere: what becomes of an engine that cannot know enough.
    fn tighten(&mut self, pack: &Pack) {
        if let Some(strictest) = pack.postures().last() {
            self.put(&strictest.name, None, self.now, 0);
        } else {
            self.quarantine(&"everything".into(), None, true).expect("everything can always be quarantined");
        }
    }

    /// Restores what another oracle was told by the time it was exported; nothing where it was lost or is not to be believed.
    ///
    /// # Errors
    /// The code of why it was not restored, or not all of it fits.
    pub fn restore(&mut self, state: Option<&Self>) -> Result<(), &'static str> {
        let pack = self.pack().ok_or("no_policy")?.clone();
        // What was issued until now may have been carried out by another engine.
        self.void_approvals();
        self.began = self.began.max(self.wall);
        let done = state.ok_or(NOT_BELIEVED).and_then(|state| self.join(&pack, state));
        if done == Err(NOT_BELIEVED) {
            self.feed.doubted = Some(self.wall);
        }
        if done.is_err() {
            self.tighten(&pack);
        }
        self.touch_now();
        done
    }

    fn join(&mut self, pack: &Pack, state: &Self) -> Result<(), &'static str> {
        let passed = self.wall - state.wall;
        let skew = i64::try_from(self.skew).expect("a skew is short");
        let clocks_tell = state.clock_ok && self.clock_ok && passed >= -skew;
        // What loosens when it is over starts with all that was left.
        let now = self.now;
        let same_left =
            |then: Time| if then >= state.now { now + (then - state.now) } else { now - (state.now - then) };
        // What tightens when it is over loses the time that has passed, and the skew.
        let charge = u64::try_from(passed + skew).unwrap_or(0);
        let less_left = |then: Time| if clocks_tell { same_left(then).saturating_sub(charge) } else { 0 };
        for held in &state.quarantines {
            let until = held.until.map(same_left);
            // One that the bundle cannot read would be of everything; the bundles of these days read all.
            self.quarantine(&held.what, until, held.absolute)?;
        }
        self.feed = state.feed.clone();
        self.claims = state.claims.restored(|posture| pack.posture(posture).is_some());
        for signal in pack.signals() {
            if state.has_to_recover(signal) {
                self.failed_before.push(signal.to_owned());
            }
        }
        // How long ago a moment of the other engine's was that had not come when it wrote.
        let late_by = |when: Time| match clocks_tell {
            true => charge.saturating_sub(when.saturating_sub(state.now)),
            false => Time::MAX,
        };
        for entry in &state.entries {
            let late = entry.escalates.as_ref().map_or(0, |(_, when)| late_by(*when));
            let escalates = entry.escalates.clone().map(|(to, when)| (to, less_left(when).max(now)));
            let (since, left) = (same_left(entry.since), entry.left.map(same_left));
            if left.is_none() {
                self.moves.push(((self.inputs, now), self.entries.len()));
            }
            self.entries.push(Entry { since, left, escalates, late, ..entry.clone() });
        }
        for held in state.holdings.iter().filter(|held| held.holds) {
            let here = self.holdings.iter().any(|here| here.holds && here.posture == held.posture);
            self.holdings.retain(|here| here.posture != held.posture);
            let enter = pack.posture(&held.posture).and_then(|posture| posture.enter.as_ref());
            let due = held.since + enter.and_then(|enter| enter.for_).unwrap_or_default().as_nanos();
            let late = if here && state.entry(&held.posture, None).is_none() { late_by(due) } else { 0 };
            self.holdings.push(Holding { since: less_left(held.since), late, ..held.clone() });
            if late > 0 && self.entry(&held.posture, None).is_some() {
                // What is entered here already is charged at once.
                self.put(&held.posture, None, now, late);
                self.holdings.iter_mut().for_each(|here| here.late *= Time::from(here.posture != held.posture));
            }
        }
        // The millisecond in which it was written is of before.
        self.began = self.began.max(state.wall + MILLI as i64).max(state.began);
        self.codes_anew(state);
        let mut fits = Ok(());
        for flag in &state.flags {
            if pack.document.flags.contains_key(flag) {
                self.flags.push(flag.clone());
            } else {
                fits = Err("does_not_fit");
            }
        }
        // Of two bundles of one revision the one that a state has told of before counts.
        let known = state.highest().expect("one is active").clone();
        if known.document.revision > pack.document.revision {
            // A bundle that an engine had gone back to by its rules does not lag behind.
            self.went_back = state.went_back && state.pack().is_some_and(|active| active.text == pack.text);
            if !self.went_back {
                fits = Err("bundle_behind");
            }
        } else if known.document.revision == pack.document.revision && known.text != pack.text {
            fits = Err("other_bundle");
        }
        if known.document.revision >= pack.document.revision {
            self.floor = Some(known);
        }
        if !clocks_tell {
            self.clock_ok = false;
            self.void_approvals();
        }
        fits
    }
}
