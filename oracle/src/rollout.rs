//! How one bundle takes the place of another: chapter 24. What both said of a request stands in a list, and every count is
//! made by going through it.

use std::sync::Arc;

use fallgate::policy::format::Rollout as Terms;
use fallgate::{Effect, Reason};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::Time;
use crate::decide::{Answer, By, Chosen};
use crate::pack::{Pack, fits};
use crate::request::names;
use crate::told::Oracle;

/// A bundle that is staged.
#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    pub(crate) pack: Arc<Pack>,
    /// Its number among the bundles that came here.
    pub(crate) number: usize,
    /// Zero in its shadow; else the number of the share, from one.
    step: usize,
    since: Time,
    /// What was said in this step, of which action: by the active bundle, and by this one.
    compared: Vec<(String, Answer, Answer)>,
    approved: bool,
    stopped: Option<Stop>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    NewlyAllowed,
    Refused,
}

/// How far a rollout has come: its step, its share in hundredths of a percent, whether it has stopped, and how many were
/// compared, newly allowed, newly denied, of another reason, and newly indeterminate, in every rollout so far.
pub type Progress = (usize, u64, bool, [u64; 5]);

const STATE: [&str; 6] = ["signals", "control", "postures", "scopes", "flags", "failover"];

fn allows(answer: &Answer) -> bool {
    answer.reason.effect() == Effect::Allow
}

fn is_newly_allowed((_, before, after): &(String, Answer, Answer)) -> bool {
    !allows(before) && allows(after)
}

fn is_newly_denied((_, before, after): &(String, Answer, Answer)) -> bool {
    allows(before) && !allows(after)
}

fn is_of_another_reason((_, before, after): &(String, Answer, Answer)) -> bool {
    allows(before) == allows(after) && before.reason != after.reason
}

fn is_newly_indeterminate((_, before, after): &(String, Answer, Answer)) -> bool {
    after.reason == Reason::Indeterminate && before.reason != Reason::Indeterminate
}

/// A percentage in hundredths of a percent.
fn hundredths(share: &str) -> u64 {
    let percent: f64 = share.trim_end_matches('%').parse().expect("the pack was read");
    (percent * 100.0).round() as u64
}

impl Rollout {
    fn share(&self, terms: &Terms) -> u64 {
        match self.stopped {
            None if self.step > 0 => hundredths(&terms.canary[self.step - 1]),
            _ => 0,
        }
    }

    fn is_declared(&self, action: &str) -> bool {
        let own = self.pack.document.rollout.iter().flat_map(|own| &own.newly_allows);
        own.into_iter().any(|pattern| fits(pattern, action))
    }

    fn undeclared(&self) -> u64 {
        self.count(|both| is_newly_allowed(both) && !self.is_declared(&both.0))
    }

    fn count(&self, counts: impl Fn(&(String, Answer, Answer)) -> bool) -> u64 {
        self.compared.iter().filter(|both| counts(both)).count() as u64
    }

    /// Those for which the active bundle missed no signal.
    fn sampled(&self) -> u64 {
        self.count(|(_, before, _)| before.degraded.is_empty())
    }

    /// Whether what was compared ends it.
    fn ends(&self, terms: &Terms) -> bool {
        let Some(when) = &terms.roll_back_when else { return false };
        let reached = |count: u64, most: Option<u64>| most.is_some_and(|most| count >= most);
        let denied = |says: fn(&(String, Answer, Answer)) -> &Answer| {
            self.count(|both| both.1.degraded.is_empty() && !allows(says(both))) as f64
        };
        let more = denied(|both| &both.2) - denied(|both| &both.1);
        let sampled = self.sampled();
        let enough = sampled >= terms.sample.unwrap_or(100);
        (!self.approved && reached(self.undeclared(), when.newly_allowed))
            || reached(self.count(is_newly_denied), when.newly_denied)
            || reached(self.count(is_newly_indeterminate), when.indeterminate)
            || when.deny_rate_delta.is_some_and(|delta| enough && more >= sampled as f64 * delta)
    }

    /// Whether what was compared stops it.
    fn stops(&self) -> bool {
        let unseen = self.step > 0 && self.count(is_newly_allowed) > 0;
        !self.approved && (self.undeclared() > 0 || unseen)
    }

    fn begin(&mut self, step: usize, now: Time) {
        (self.step, self.since) = (step, now);
        self.compared.clear();
    }
}

impl Oracle {
    fn terms(&self) -> Option<&Terms> {
        self.pack()?.document.rollout.as_ref()
    }

    /// Whether a successor is let in by its rollout alone.
    pub(crate) fn demands_rollout(&self, active: &Pack) -> bool {
        active.document.rollout.is_some() && (!self.clock_ok || self.may_decide(active).is_ok())
    }

    /// Whether approved people let this bundle in.
    pub(crate) fn is_cleared(&self, pack: &Pack) -> bool {
        let holds = |until: &(Time, i64)| self.now < until.0 && self.wall < until.1;
        self.clock_ok && self.cleared.iter().any(|(digest, until)| *digest == pack.digest && holds(until))
    }

    /// Stages a bundle beside the active one, or says why not.
    pub fn stage(&mut self, text: &Json) -> Result<(), &'static str> {
        let new = Pack::new(text).ok_or("malformed")?;
        let active = self.pack().ok_or("no_rollout")?;
        if active.document.rollout.is_none() {
            return Err("no_rollout");
        }
        if self.rollout.is_some() {
            return Err("rollout_active");
        }
        self.admits(&new)?;
        self.admits_revision(&new)?;
        if active.text == new.text {
            return Err("already_active");
        }
        if !self.is_within(&new) {
            return Err("outside_validity");
        }
        if STATE.iter().any(|section| active.text.get(section) != new.text.get(section)) {
            return Err("changes_state");
        }
        self.keeps(&new)?;
        self.came += 1;
        let (number, since, compared) = (self.came, self.now, Vec::new());
        self.rollout = Some(Rollout { pack: new, number, step: 0, since, compared, approved: false, stopped: None });
        self.touch_now();
        Ok(())
    }

    /// Moves on without waiting for the time, or says what it waits for.
    pub fn promote(&mut self) -> Result<(), &'static str> {
        self.may_move(true)?;
        self.move_on()
    }

    /// Abandons the candidate.
    pub fn roll_back(&mut self) -> Result<(), &'static str> {
        let staged = self.rollout.is_some();
        self.end_rollout();
        if staged { Ok(()) } else { Err("no_candidate") }
    }

    /// Goes back to a bundle that was active here, or says why not.
    pub fn return_to(&mut self, text: &Json) -> Result<(), &'static str> {
        let active = self.pack().ok_or("never_active")?;
        // The last few that are not the active one, each once: the limit is four.
        let mut formers: Vec<&Json> = Vec::new();
        for former in self.bundles.iter().rev().map(|pack| &pack.text) {
            if !formers.contains(&former) && formers.len() < 5 {
                formers.push(former);
            }
        }
        if !formers.contains(&text) {
            return Err("never_active");
        }
        if active.text == *text {
            return Err("already_active");
        }
        let new = Pack::new(text).expect("it was active");
        self.admits(&new)?;
        if !self.is_within(&new) {
            return Err("outside_validity");
        }
        let quarantines = self.keeps(&new)?;
        self.end_rollout();
        self.install(new, quarantines);
        Ok(())
    }

    /// What a rollout waits for.
    fn may_move(&self, skips: bool) -> Result<(), &'static str> {
        let (Some(rollout), Some(terms), Some(pack)) = (&self.rollout, self.terms(), self.pack()) else {
            return Err("no_candidate");
        };
        if rollout.stopped.is_some() {
            return Err("rollout_stopped");
        }
        let holds = if rollout.step == 0 { terms.shadow } else { terms.hold.unwrap_or(terms.shadow) };
        if !skips && self.now < rollout.since.saturating_add(holds.as_nanos()) {
            return Err("time_not_over");
        }
        if !self.clock_ok || self.may_decide(pack).is_err() || self.waits {
            return Err("in_doubt");
        }
        if rollout.sampled() < terms.sample.unwrap_or(100) {
            return Err("sample_not_reached");
        }
        let loosens = rollout.pack.document.rollout.is_none() || rollout.count(is_newly_allowed) > 0;
        if loosens && !rollout.approved {
            return Err("not_approved");
        }
        Ok(())
    }

    fn move_on(&mut self) -> Result<(), &'static str> {
        let (shares, now) = (self.terms().map_or(0, |terms| terms.canary.len()), self.now);
        let Some(rollout) = &mut self.rollout else { return Err("no_candidate") };
        if rollout.step < shares {
            rollout.begin(rollout.step + 1, now);
            return Ok(());
        }
        // Another bundle now, as far as earlier answers go.
        let new = Pack::new(&rollout.pack.text).expect("it was staged");
        let admitted = self.admits(&new).and_then(|()| self.admits_revision(&new));
        let admitted = admitted.and_then(|()| if self.is_within(&new) { Ok(()) } else { Err("outside_validity") });
        match admitted.and_then(|()| self.keeps(&new)) {
            Ok(quarantines) => {
                self.end_rollout();
                self.install(new, quarantines);
                Ok(())
            }
            Err(code) => {
                self.rollout.iter_mut().for_each(|rollout| rollout.stopped = Some(Stop::Refused));
                Err(code)
            }
        }
    }

    /// Does what is due: ends it, stops it, or moves it on.
    pub(crate) fn follow_rollout(&mut self) {
        let (Some(rollout), Some(terms)) = (&self.rollout, self.terms()) else { return };
        if rollout.ends(terms) {
            return self.end_rollout();
        }
        if rollout.stops() && rollout.stopped.is_none() {
            self.rollout.iter_mut().for_each(|rollout| rollout.stopped = Some(Stop::NewlyAllowed));
        }
        if self.may_move(false).is_ok() {
            // Where it cannot, it has stopped.
            let _ = self.move_on();
        }
    }

    /// Ends it, with the active bundle as it was.
    pub(crate) fn end_rollout(&mut self) {
        if self.rollout.take().is_some() {
            self.close_promotions();
        }
    }

    /// People have approved the candidate of this digest.
    pub(crate) fn approve_promotion(&mut self, digest: &str) {
        let now = self.now;
        let Some(rollout) = self.rollout.as_mut().filter(|rollout| rollout.pack.digest == digest) else { return };
        rollout.approved = true;
        if rollout.stopped == Some(Stop::NewlyAllowed) {
            rollout.stopped = None;
            if rollout.step > 0 {
                rollout.begin(rollout.step, now);
            }
        }
    }

    /// How far it has come; the first three are nothing where there is none.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let (Some(rollout), Some(terms)) = (&self.rollout, self.terms()) else {
            return (0, 0, false, self.differences);
        };
        (rollout.step + 1, rollout.share(terms), rollout.stopped.is_some(), self.differences)
    }

    /// The digest of the bundle that is staged.
    #[must_use]
    pub fn staged(&self) -> Option<&str> {
        self.rollout.as_ref().map(|rollout| &*rollout.pack.digest)
    }

    /// Whether a request is on the candidate's side: a keyed hash of the candidate and of whom it is about.
    fn has_on_its_side(&self, rollout: &Rollout, request: &Json) -> bool {
        let Some(terms) = self.terms() else { return false };
        let (entity, name) = terms.by.as_deref().unwrap_or("subject.id").split_once('.').expect("the pack was read");
        let (kind, who) = match name {
            "id" => (&request[entity]["type"], &request[entity]["id"]),
            _ => (&Json::Null, &request[entity]["properties"][name]),
        };
        let (kind, Some(who)) = (kind.as_str().unwrap_or_default(), who.as_str().filter(|who| !who.is_empty())) else {
            return false;
        };
        let digest = data_encoding::HEXLOWER.decode(rollout.pack.digest.as_bytes()).expect("it is a digest");
        let hash = Sha256::new().chain_update(self.key).chain_update("fallgate canary1").chain_update(digest);
        let hash = hash.chain_update((kind.len() as u64).to_be_bytes()).chain_update(kind).chain_update(who).finalize();
        let place = u64::from_be_bytes(hash[..8].try_into().expect("it is longer")) % 10_000;
        place < rollout.share(terms)
    }

    /// Holds what the candidate says against what the active bundle said; gives what is answered, and whether an allow has
    /// to wait for its record.
    pub(crate) fn compare(&mut self, request: &Json, before: (Answer, bool), chosen: Chosen) -> (Answer, bool) {
        let Some(rollout) = self.rollout.clone() else { return before };
        let takes = self.has_on_its_side(&rollout, request);
        let stale = before.0.reason == Reason::AllowedStale;
        // Only whose side it is has an earlier answer of the candidate to stand on.
        if stale && !takes {
            return before;
        }
        let by = if takes { By::Candidate } else { By::Shadow };
        let after = self.answer_by(Some(&rollout.pack), request, chosen, by);
        if !stale {
            let [_, _, action, _, _] = names(request).expect("it was read");
            let both = (action.to_owned(), before.0.clone(), after.0.clone());
            let kinds = [is_newly_allowed, is_newly_denied, is_of_another_reason, is_newly_indeterminate];
            self.differences[0] += 1;
            let counts = self.differences[1..].iter_mut().zip(kinds);
            counts.for_each(|(count, is)| *count += u64::from(is(&both)));
            self.rollout.iter_mut().for_each(|rollout| rollout.compared.push(both.clone()));
            self.follow_rollout();
        }
        let is_there = |now: &Rollout| now.number == rollout.number && now.stopped.is_none();
        let stands = self.rollout.as_ref().is_some_and(is_there);
        let newly_allows = allows(&after.0) && !allows(&before.0);
        if takes && stands && (rollout.approved || !newly_allows) { after } else { before }
    }
}

/// Whether a reason says something of the request, and not only that the bundle could not decide.
pub(crate) const fn is_comparable(reason: Reason) -> bool {
    use Reason::{AuditUnavailable, InternalError, NoPolicy, PolicyExpired, PolicyNotYetValid, RevisionTooOld};
    !matches!(reason, NoPolicy | PolicyExpired | PolicyNotYetValid | RevisionTooOld | AuditUnavailable | InternalError)
}
