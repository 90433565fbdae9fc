//! What was told, in lists, and time that passes over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use fallgate::condition::Status;
use fallgate::time::{Monotonic, Now};
use serde_json::Value as Json;

use crate::approvals::{Override, Proposal};
use crate::audit::Waiting;
use crate::calls::Event;
use crate::codes::Codes;
use crate::failover::Claims;
use crate::feed::Feed;
use crate::kept::Kept;
use crate::pack::Pack;
use crate::postures::{Entry, Holding};
use crate::quarantine::{Quarantine, Revocation};
use crate::request::instant;
use crate::rollout::Rollout;
use crate::signals::Report;
use crate::{MILLI, Time};

/// All that an engine was told.
#[derive(Clone, Default)]
pub struct Oracle {
    /// How far the two clocks may part.
    pub(crate) skew: Time,
    /// The highest reading of the monotonic clock, and the last of the wall clock.
    pub(crate) now: Time,
    /// The last reading of it.
    read: Monotonic,
    pub(crate) wall: i64,
    /// What the clocks read when they were last taken for right.
    anchor: Option<Now>,
    pub(crate) clock_ok: bool,
    /// How far the wall clock was found ahead since then, at the most.
    ahead: Time,
    /// Each time at which it was found further ahead than before, and by how much.
    pub(crate) sleeps: Vec<(Time, Time)>,
    /// The key of the sides of a canary.
    pub(crate) key: [u8; 16],
    /// Every bundle that was active; the last one is.
    pub(crate) bundles: Vec<Arc<Pack>>,
    /// How many bundles came, as the active one or beside it, and the number of the active one among them.
    pub(crate) came: usize,
    pub(crate) active: usize,
    /// Whether whoever went back to the active bundle let it in, below the highest revision.
    pub(crate) went_back: bool,
    /// The bundle that is staged.
    pub(crate) rollout: Option<Rollout>,
    /// What was compared in every rollout: how often, and by what differed.
    pub(crate) differences: [u64; 5],
    /// The bundles that approved people let in, and until when.
    pub(crate) cleared: Vec<(String, (Time, i64))>,
    /// Whether a rollout waits for what nobody told: a record found no room, or who called did not look.
    pub waits: bool,
    /// The bundle of the highest revision that a restored state knows.
    pub(crate) floor: Option<Arc<Pack>>,
    pub(crate) reports: Vec<Report>,
    /// What became of the calls that breakers were asked about, by the signal's name, and how many were permitted.
    pub(crate) calls: BTreeMap<String, Vec<(Time, Event)>>,
    pub(crate) permits: u64,
    /// Signals that failed before the engine was there.
    pub(crate) failed_before: Vec<String>,
    /// Each change of a signal's status, by the signal's name.
    pub(crate) changes: Vec<String>,
    statuses: Vec<(String, Status)>,
    pub(crate) entries: Vec<Entry>,
    /// How many inputs there were.
    pub(crate) inputs: usize,
    /// Each time at which one of the entries was made or left, after how many inputs, and which.
    pub(crate) moves: Vec<((usize, Time), usize)>,
    pub(crate) holdings: Vec<Holding>,
    pub(crate) quarantines: Vec<Quarantine>,
    pub(crate) revocations: Vec<Revocation>,
    /// How often a quarantine or a revocation changed anything, its end too, and the clocks parted.
    pub(crate) tightenings: usize,
    pub(crate) partings: usize,
    pub(crate) kept: Vec<Kept>,
    /// The wall time at which it began to remember.
    pub(crate) began: i64,
    pub(crate) proposals: Vec<Proposal>,
    pub(crate) overrides: Vec<Override>,
    /// What became of one-time codes, by their secrets.
    pub(crate) codes: BTreeMap<String, Codes>,
    /// The flags that are set.
    pub(crate) flags: Vec<String>,
    pub(crate) feed: Feed,
    pub(crate) claims: Claims,
    /// What waits for its record, or did.
    pub(crate) waiting: Vec<Option<Waiting>>,
}

impl Oracle {
    /// Nothing was told yet.
    #[must_use]
    pub fn new(skew: fallgate::time::Ttl, key: [u8; 16]) -> Self {
        Self { skew: skew.as_nanos(), key, clock_ok: true, ..Self::default() }
    }

    /// The highest reading of the monotonic clock.
    #[must_use]
    pub const fn now(&self) -> Monotonic {
        Monotonic::from_nanos(self.now)
    }

    pub(crate) fn pack(&self) -> Option<&Arc<Pack>> {
        self.bundles.last()
    }

    /// Takes in what the clocks read, and does all that is due by then, in its order.
    pub fn at(&mut self, read: Now) {
        let before = self.now;
        self.inputs += 1;
        self.now = self.now.max(read.monotonic.rounded_up().as_nanos());
        self.read = read.monotonic;
        self.wall = read.wall.as_nanos();
        let now = self.now;
        let lead = self.anchor.map_or(0, |anchor| Self::lead(anchor, read));
        let known = if self.clock_ok { 0 } else { i128::from(self.ahead) };
        let skew = i128::from(self.skew);
        let parts = lead > known + skew || (self.clock_ok && lead < -skew);
        if parts {
            // Nobody knows when they did: nothing is left any more on the strength of an approval.
            self.void_approvals();
        }
        if let Some(pack) = self.pack().cloned() {
            let mut from = before;
            loop {
                let mut due = self.silences(&pack, pack.signals());
                due.extend(self.entries_due(&pack));
                let next = due.into_iter().filter(|due| from < *due && *due <= now).min();
                let Some(next) = next else { break };
                self.now = next;
                self.touch(&pack, next);
                from = next;
            }
            self.now = now;
            self.touch(&pack, now);
        }
        if parts {
            self.clock_ok = false;
            self.partings += 1;
            let ahead = Monotonic::from_nanos(u64::try_from(lead.max(0)).unwrap_or(u64::MAX)).rounded_up().as_nanos();
            if ahead > self.ahead {
                self.sleep(ahead - self.ahead);
                self.calls_slept(ahead - self.ahead);
                self.ahead = ahead;
            }
        }
        self.end_approvals();
        self.touch_now();
        self.end_quarantines();
        self.follow_rollout();
    }

    /// By how much the wall clock has moved on further than the monotonic one since they were taken for right.
    fn lead(anchor: Now, read: Now) -> i128 {
        let moved = |from: Monotonic, to: Monotonic| i128::from(to.as_nanos()) - i128::from(from.as_nanos());
        let wall = i128::from(read.wall.as_nanos()) - i128::from(anchor.wall.as_nanos());
        wall - moved(anchor.monotonic, read.monotonic)
    }

    /// Notes what has changed at a moment, and what follows from it.
    fn touch(&mut self, pack: &Pack, at: Time) {
        for signal in pack.signals() {
            let status = self.status(pack, signal, at);
            match self.statuses.iter_mut().find(|(name, _)| name == signal) {
                Some((_, before)) if *before == status => {}
                Some((_, before)) => {
                    *before = status;
                    self.changes.push(signal.to_owned());
                }
                None => self.statuses.push((signal.to_owned(), status)),
            }
        }
        self.follow_postures(pack, at);
    }

    /// The same for now, after something was told.
    pub(crate) fn touch_now(&mut self) {
        if let Some(pack) = self.pack().cloned() {
            self.touch(&pack, self.now);
        }
    }

    /// The monotonic clock as it was read; where it went back, as it is held.
    pub(crate) fn here(&self) -> Time {
        if self.read.rounded_up() < self.now() { self.now } else { self.read.as_nanos() }
    }

    /// Takes a report about a signal; gives what became of it.
    pub fn observe(&mut self, signal: &str, status: Status, observed_at: Option<Monotonic>) -> &'static str {
        let at = observed_at.map_or_else(|| self.here(), Monotonic::as_nanos);
        let at = at - at % MILLI;
        let outcome = self.take_report(signal, status, at);
        self.touch_now();
        outcome
    }

    /// What is known of a signal now; nothing where none is so named.
    #[must_use]
    pub fn signal(&self, signal: &str) -> Option<Status> {
        let pack = self.pack()?;
        pack.signals().any(|name| name == signal).then(|| self.status(pack, signal, self.now))
    }

    /// The strictest posture that is entered in a scope, or everywhere.
    #[must_use]
    pub fn posture(&self, scope: Option<&str>) -> Option<String> {
        let pack = self.pack()?;
        let here = |entry: &&Entry| entry.scope.is_none() || entry.scope.as_deref() == scope;
        Some(Self::strictest(pack, self.entered().filter(here)).0)
    }

    /// The host's word that the clocks are right.
    pub fn anchor_clocks(&mut self, read: Now) {
        (self.anchor, self.ahead) = (Some(read), 0);
        // A clock that is put back began to remember no later than now.
        self.began = self.began.min(self.wall);
        self.clock_ok = true;
        self.touch_now();
        self.follow_rollout();
    }

    /// From when until when a bundle may decide, by the wall clock.
    pub(crate) fn valid(&self, pack: &Pack) -> (Option<i64>, Option<i64>) {
        let valid = pack.document.valid.as_ref();
        let time = |text: Option<&String>| text.map(|text| instant(text).expect("the pack was read"));
        (time(valid.and_then(|valid| valid.from.as_ref())), time(valid.and_then(|valid| valid.until.as_ref())))
    }

    /// Whether a bundle may decide now, as far as time goes; else why not.
    pub(crate) fn may_decide(&self, pack: &Pack) -> Result<(), fallgate::Reason> {
        let (from, until) = self.valid(pack);
        if until.is_some_and(|until| !self.clock_ok || until <= self.wall) {
            return Err(fallgate::Reason::PolicyExpired);
        }
        if from.is_some_and(|from| !self.clock_ok || self.wall < from) {
            return Err(fallgate::Reason::PolicyNotYetValid);
        }
        Ok(())
    }

    /// Whether it is inside its validity by the wall clock, to be trusted or not.
    pub(crate) fn is_within(&self, pack: &Pack) -> bool {
        let (from, until) = self.valid(pack);
        from.is_none_or(|from| from <= self.wall) && until.is_none_or(|until| self.wall < until)
    }

    /// Makes a bundle the active one.
    pub fn activate(&mut self, text: &Json, read: Now) -> Result<(), &'static str> {
        let new = Pack::new(text).ok_or("malformed")?;
        self.admits(&new)?;
        if !self.is_cleared(&new) {
            self.admits_revision(&new)?;
            if self.pack().is_some_and(|active| active.text != new.text && self.demands_rollout(active)) {
                return Err("rollout_required");
            }
        }
        let quarantines = self.keeps(&new)?;
        self.anchor = self.anchor.or(Some(read));
        if self.bundles.is_empty() {
            self.began = self.wall;
        }
        self.end_rollout();
        self.install(new, quarantines);
        Ok(())
    }

    /// Whether a bundle may take the place of the active one, whatever its revision.
    pub(crate) fn admits(&self, new: &Pack) -> Result<(), &'static str> {
        let Some(active) = self.pack() else { return Ok(()) };
        if new.document.name != active.document.name {
            return Err("other_name");
        }
        if self.may_decide(new).is_err() && self.may_decide(active).is_ok() {
            return Err("outside_validity");
        }
        Ok(())
    }

    /// The bundle of the highest revision that is known. Of a revision that a state knows, the state's counts.
    pub(crate) fn highest(&self) -> Option<&Arc<Pack>> {
        let known = self.bundles.iter().chain(&self.floor);
        known.max_by_key(|pack| pack.document.revision)
    }

    /// Whether no later bundle is known, nor another one of the same revision.
    pub(crate) fn admits_revision(&self, new: &Pack) -> Result<(), &'static str> {
        match self.highest().filter(|_| !self.bundles.is_empty()) {
            Some(highest) if new.document.revision < highest.document.revision => Err("older_revision"),
            Some(highest) if new.document.revision == highest.document.revision && new.text != highest.text => {
                Err("same_revision")
            }
            _ => Ok(()),
        }
    }

    /// Whether a bundle has all that is set, entered and quarantined; gives the quarantines as it reads them.
    pub(crate) fn keeps(&self, new: &Pack) -> Result<Vec<Quarantine>, &'static str> {
        if self.flags.iter().any(|flag| !new.document.flags.contains_key(flag)) {
            return Err("loses_flag");
        }
        for entry in self.entered() {
            let scope = entry.scope.as_ref().and_then(|scope| scope.split_once(':'));
            let kept = scope.is_none_or(|(kind, _)| new.document.scopes.contains_key(kind));
            if new.posture(&entry.posture).is_none() || !kept {
                return Err("loses_posture");
            }
        }
        let mut quarantines = self.quarantines.clone();
        for held in &mut quarantines {
            if let Some(condition) = held.what["when"].as_str() {
                held.pack = Some(new.with_deny(condition).ok_or("loses_quarantine")?);
            }
        }
        Ok(quarantines)
    }

    /// Puts a bundle in the place of the active one.
    pub(crate) fn install(&mut self, new: Arc<Pack>, quarantines: Vec<Quarantine>) {
        self.quarantines = quarantines;
        if let Some(before) = self.pack().cloned() {
            self.void_by(&before, &new);
            self.carry_calls(&before, &new);
        }
        let told = |pack: &Pack, signal: &str| pack.signal(signal).is_some_and(|terms| terms.quorum.is_none());
        if let Some(active) = self.pack().cloned() {
            self.reports.retain(|report| told(&active, &report.signal) && told(&new, &report.signal));
        }
        self.holdings.retain(|held| new.posture(&held.posture).is_some());
        // Under another bundle it is shown anew that a condition does not hold.
        self.holdings.iter_mut().filter(|held| !held.holds).for_each(|held| held.since = self.now);
        // Of one revision the one that is let in last counts.
        self.floor.take_if(|floor| floor.document.revision <= new.document.revision);
        self.went_back = self.highest().is_some_and(|highest| new.document.revision < highest.document.revision);
        self.bundles.push(new);
        self.came += 1;
        self.active = self.came;
        self.touch_now();
    }

    /// The bundle of a revision: the active one, the one beside it, or one that was active here.
    pub(crate) fn of_revision(&self, revision: u64) -> Option<&Arc<Pack>> {
        let staged = self.rollout.iter().map(|rollout| &rollout.pack);
        self.bundles.iter().rev().chain(staged).find(|pack| pack.document.revision == revision)
    }

    /// The text of the bundle of a revision; null where there is none.
    #[must_use]
    pub fn text(&self, revision: u64) -> &Json {
        self.of_revision(revision).map_or(&Json::Null, |pack| &pack.text)
    }

    /// The text of the active bundle.
    #[must_use]
    pub fn active_text(&self) -> &Json {
        self.pack().map_or(&Json::Null, |pack| &pack.text)
    }
}
