//! Signals: what was observed, and what that comes to at a time (spec 1.5).
//!
//! A signal is what its last observation said, for as long as the observation holds; then it is unknown. Silence
//! tightens. What was failed is ok again only after the recovery that the pack demands, and only by observations: time
//! alone never loosens anything.

use crate::condition::{SignalView, Status};
use crate::policy::signal::{AUDIT, BUNDLE, CLOCK, ENGINE, EPOCH, Recovery, SignalSpec, Source};
use crate::state::control::{Feed, Feeds};
use crate::state::guards::Guards;
use crate::time::{Monotonic, Ttl};

/// A report about a signal by the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The signal's name.
    pub signal: Box<str>,
    /// What was seen.
    pub status: Status,
    /// When it was seen; nothing for now.
    pub observed_at: Option<Monotonic>,
}

impl Observation {
    /// The signal was seen to be ok, now.
    #[must_use]
    pub fn ok(signal: &str) -> Self {
        Self::new(signal, Status::Ok)
    }

    /// The signal was seen to have failed, now.
    #[must_use]
    pub fn failed(signal: &str) -> Self {
        Self::new(signal, Status::Failed)
    }

    /// The signal was seen to work in part, now.
    #[must_use]
    pub fn degraded(signal: &str) -> Self {
        Self::new(signal, Status::Degraded)
    }

    /// This was seen, now. [`Status::Unknown`] takes back what was known.
    #[must_use]
    pub fn new(signal: &str, status: Status) -> Self {
        Self { signal: signal.into(), status, observed_at: None }
    }

    /// The same, seen at another time.
    #[must_use]
    pub const fn at(mut self, observed_at: Monotonic) -> Self {
        self.observed_at = Some(observed_at);
        self
    }
}

/// What became of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observed {
    /// It is now what is known of the signal.
    Taken,
    /// It is older than what is known, or says better at the same time.
    Older,
    /// It lies in the future.
    Future,
    /// No such signal is declared.
    UnknownSignal,
    /// The signal is built in, follows others or a control feed, or is a guard.
    NotObservable,
}

impl Observed {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Older => "older",
            Self::Future => "future",
            Self::UnknownSignal => "unknown_signal",
            Self::NotObservable => "not_observable",
        }
    }
}

/// What is held of one signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    last: Option<(Status, Monotonic)>,
    /// How much older that is than the monotonic clock says.
    slept: Ttl,
    /// Whether it failed and has not recovered. Outlives the observation: silence does not recover anything.
    recovering: bool,
    /// Ok observations in a row since the failure, and when the first of them was.
    oks: u32,
    ok_since: Option<Monotonic>,
}

impl Held {
    /// Takes an observation made at `observed_at`; both are in whole milliseconds.
    pub fn observe(
        &mut self,
        status: Status,
        observed_at: Monotonic,
        now: Monotonic,
        ttl: Ttl,
        recover: Recovery,
    ) -> Observed {
        if observed_at > now {
            return Observed::Future;
        }
        if let Some((held, held_at)) = self.last {
            // Of two reports of one instant the worse one stands, in whichever order they come.
            let better_or_same = rank(status) >= rank(held);
            if observed_at < held_at || (observed_at == held_at && better_or_same) {
                return Observed::Older;
            }
        }
        let unbroken = self.last.is_some_and(|(held, _)| held == Status::Ok && observed_at <= self.fresh_until(ttl));
        (self.last, self.slept) = (Some((status, observed_at)), Ttl::ZERO);
        if status == Status::Failed {
            self.recovering = true;
        }
        if !self.recovering {
            return Observed::Taken;
        }
        if status != Status::Ok {
            (self.oks, self.ok_since) = (0, None);
            return Observed::Taken;
        }
        if !unbroken {
            (self.oks, self.ok_since) = (0, None);
        }
        self.oks = self.oks.saturating_add(1);
        let since = *self.ok_since.get_or_insert(observed_at);
        if self.oks >= recover.oks && observed_at >= since.after(recover.stable) {
            (self.recovering, self.oks, self.ok_since) = (false, 0, None);
        }
        Observed::Taken
    }

    /// What the signal is at `now`, and until when, inclusive, that can be said.
    #[must_use]
    pub fn status(&self, now: Monotonic, ttl: Ttl) -> (Status, Option<Monotonic>) {
        let Some((status, _)) = self.last else { return (Status::Unknown, None) };
        let fresh_until = self.fresh_until(ttl);
        if now > fresh_until || status == Status::Unknown {
            return (Status::Unknown, None);
        }
        let status = if status == Status::Ok && self.recovering { Status::Failed } else { status };
        (status, Some(fresh_until))
    }

    /// Until when, inclusive, the last observation holds: the smaller of the lives that the two clocks leave it.
    fn fresh_until(&self, ttl: Ttl) -> Monotonic {
        self.last.map_or(Monotonic::ZERO, |(_, at)| at.after(ttl).before(self.slept))
    }

    /// The monotonic clock may have stood still for so long since the last observation.
    pub fn slept(&mut self, span: Ttl) {
        self.slept = Ttl::from_nanos(self.slept.as_nanos().saturating_add(span.as_nanos()));
    }

    /// Whether it failed and has not recovered.
    #[must_use]
    pub const fn is_recovering(&self) -> bool {
        self.recovering
    }

    /// Takes over from another engine that it failed and has not recovered: it has to recover here, from the start.
    pub const fn failed_elsewhere(&mut self) {
        (self.recovering, self.oks, self.ok_since) = (true, 0, None);
    }

    /// Forgets what was observed, but not that it has to recover.
    pub const fn forget(&mut self) {
        (self.last, self.slept, self.oks, self.ok_since) = (None, Ttl::ZERO, 0, None);
    }

    /// Whether it was ok when it was last observed.
    #[must_use]
    pub fn was_ok(&self) -> bool {
        self.last.is_some_and(|(status, _)| status == Status::Ok)
    }

    /// When the signal was last observed, by the clock that makes it older.
    #[must_use]
    pub fn observed_at(&self) -> Option<Monotonic> {
        self.last.map(|(_, at)| at.before(self.slept))
    }
}

/// How good a status is. Failed is known to be bad; unknown takes an ok back.
const fn rank(status: Status) -> u8 {
    match status {
        Status::Failed => 0,
        Status::Unknown => 1,
        Status::Degraded => 2,
        Status::Ok => 3,
    }
}

/// The state that the built-in signals show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Whether the two clocks agree.
    pub clock: bool,
    /// Whether no panic was met since the last activation.
    pub engine: bool,
    /// Whether the active bundle is inside its validity.
    pub bundle: bool,
    /// Whether no other engine is known to be active beside this one.
    pub epoch: bool,
    /// Whether every record has found room.
    pub audit: bool,
}

/// What a signal is at a time: what conditions see, and until when, inclusive, it can be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What conditions see.
    pub view: SignalView,
    /// Until when it can be said without another observation; nothing where time changes nothing.
    pub until: Option<Monotonic>,
}

/// What the signal of that number is at `now`, from what is held of it and what those before it are.
#[allow(clippy::too_many_arguments, reason = "each is a thing that a signal may follow")]
#[must_use]
pub fn standing(
    number: u16,
    spec: &SignalSpec,
    held: Held,
    before: &[Standing],
    guards: &Guards,
    feeds: &Feeds,
    built_in: BuiltIn,
    now: Monotonic,
) -> Standing {
    match &spec.source {
        Source::BuiltIn => {
            let ok = match number {
                CLOCK => built_in.clock,
                ENGINE => built_in.engine,
                BUNDLE => built_in.bundle,
                EPOCH => built_in.epoch,
                AUDIT => built_in.audit,
                _ => false,
            };
            let status = if ok { Status::Ok } else { Status::Failed };
            Standing { view: SignalView { status, observed_at: Some(now) }, until: None }
        }
        Source::Observed { ttl, .. } | Source::Heartbeat { ttl, .. } => {
            let (status, until) = held.status(now, *ttl);
            let at_best = match &spec.source {
                Source::Heartbeat { feed, .. } => feeds.feed(feed).map_or(Status::Unknown, Feed::at_best),
                _ => Status::Ok,
            };
            let status = if rank(at_best) < rank(status) { at_best } else { status };
            Standing { view: SignalView { status, observed_at: held.observed_at() }, until }
        }
        Source::Guard { .. } => guards.standing(number, now),
        Source::Quorum { members, need } => {
            let members = members.iter().filter_map(|member| before.get(usize::from(*member)).copied());
            quorum(members, *need)
        }
    }
}

/// Ok where enough members are; failed where enough have failed that the rest cannot be enough; else unknown.
///
/// It was observed when the last of its members was, and only where all of them are known: else the age of a quorum that
/// lost a member would jump to that of another one, and what is lost must not become another value.
fn quorum(members: impl Iterator<Item = Standing>, need: usize) -> Standing {
    let (mut ok, mut failed, mut total) = (0_usize, 0_usize, 0_usize);
    let mut until: Option<Monotonic> = None;
    let (mut observed_at, mut all_known): (Option<Monotonic>, bool) = (None, true);
    for member in members {
        total = total.saturating_add(1);
        match member.view.status {
            Status::Ok => ok = ok.saturating_add(1),
            Status::Failed => failed = failed.saturating_add(1),
            Status::Degraded => {}
            Status::Unknown => all_known = false,
        }
        // The earliest change of any member may change the quorum.
        until = [until, member.until].into_iter().flatten().min();
        observed_at = observed_at.max(member.view.observed_at);
    }
    let status = if ok >= need {
        Status::Ok
    } else if failed > total.saturating_sub(need) {
        Status::Failed
    } else {
        Status::Unknown
    };
    Standing { view: SignalView { status, observed_at: observed_at.filter(|_| all_known) }, until }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Ttl = Ttl::from_secs(10);
    const AT_ONCE: Recovery = Recovery { oks: 1, stable: Ttl::ZERO };

    fn secs(secs: u64) -> Monotonic {
        Monotonic::from_millis(secs * 1_000)
    }

    fn told(reports: &[(u64, Status)], recover: Recovery) -> Held {
        let mut held = Held::default();
        for (at, status) in reports {
            held.observe(*status, secs(*at), secs(*at), TTL, recover);
        }
        held
    }

    #[test]
    fn an_observation_holds_for_its_ttl_and_not_longer() {
        let held = told(&[(5, Status::Ok)], AT_ONCE);
        assert_eq!(held.status(secs(15), TTL).0, Status::Ok);
        assert_eq!(held.status(Monotonic::from_millis(15_001), TTL).0, Status::Unknown);
        assert_eq!(Held::default().status(secs(0), TTL).0, Status::Unknown);
    }

    #[test]
    fn what_is_older_or_from_the_future_refreshes_nothing() {
        let mut held = told(&[(5, Status::Failed)], AT_ONCE);
        assert_eq!(held.observe(Status::Ok, secs(4), secs(6), TTL, AT_ONCE), Observed::Older);
        assert_eq!(held.observe(Status::Ok, secs(7), secs(6), TTL, AT_ONCE), Observed::Future);
        assert_eq!(held.status(secs(6), TTL).0, Status::Failed);
    }

    #[test]
    fn a_sleep_makes_a_report_older_and_lets_no_older_one_in() {
        let mut held = told(&[(5, Status::Ok)], AT_ONCE);
        held.slept(Ttl::from_secs(4));
        assert_eq!(held.status(secs(11), TTL), (Status::Ok, Some(secs(11))));
        assert_eq!(held.observed_at(), Some(secs(1)));
        held.slept(Ttl::from_secs(4));
        assert_eq!(held.status(secs(7), TTL), (Status::Ok, Some(secs(7))), "two sleeps add up");
        assert_eq!(held.status(Monotonic::from_millis(7_001), TTL), (Status::Unknown, None));
        assert_eq!(
            held.observe(Status::Ok, secs(4), secs(8), TTL, AT_ONCE),
            Observed::Older,
            "it came before the last one"
        );
        held.slept(Ttl::from_nanos(u64::MAX));
        assert_eq!(held.status(secs(5), TTL), (Status::Unknown, None), "nothing lasts that long");
        assert_eq!(held.observe(Status::Ok, secs(8), secs(8), TTL, AT_ONCE), Observed::Taken);
        assert_eq!(held.status(secs(18), TTL).0, Status::Ok, "what is new is as old as it is");
    }

    #[test]
    fn a_recovery_does_not_go_on_behind_a_sleep() {
        let recover = Recovery { oks: 2, stable: Ttl::ZERO };
        let mut held = told(&[(1, Status::Failed), (2, Status::Ok)], recover);
        held.slept(TTL);
        held.observe(Status::Ok, secs(3), secs(3), TTL, recover);
        assert_eq!(held.status(secs(3), TTL).0, Status::Failed, "the first ok had ended");
        held.observe(Status::Ok, secs(4), secs(4), TTL, recover);
        assert_eq!(held.status(secs(4), TTL).0, Status::Ok);
    }

    #[test]
    fn of_one_instant_the_worse_report_stands_in_either_order() {
        for pair in [[Status::Ok, Status::Failed], [Status::Failed, Status::Ok]] {
            let held = told(&[(5, pair[0]), (5, pair[1])], AT_ONCE);
            assert_eq!(held.status(secs(5), TTL).0, Status::Failed, "{pair:?}");
        }
    }

    #[test]
    fn a_failed_signal_takes_its_oks_in_a_row() {
        let three = Recovery { oks: 3, stable: Ttl::ZERO };
        let failed_then = |oks: &[u64]| {
            let mut reports = vec![(0, Status::Failed)];
            reports.extend(oks.iter().map(|at| (*at, Status::Ok)));
            let held = told(&reports, three);
            held.status(secs(*oks.last().unwrap()), TTL).0
        };
        assert_eq!(failed_then(&[1, 2]), Status::Failed);
        assert_eq!(failed_then(&[1, 2, 3]), Status::Ok);
        assert_eq!(failed_then(&[1, 2, 2]), Status::Failed, "one instant counts once");
        assert_eq!(failed_then(&[1, 2, 13]), Status::Failed, "a gap longer than the ttl starts over");
    }

    #[test]
    fn silence_does_not_recover_a_failed_signal() {
        let three = Recovery { oks: 3, stable: Ttl::ZERO };
        let held = told(&[(0, Status::Failed), (60, Status::Ok)], three);
        assert_eq!(held.status(secs(60), TTL).0, Status::Failed);
    }

    #[test]
    fn a_signal_that_never_failed_is_ok_at_once() {
        let three = Recovery { oks: 3, stable: Ttl::ZERO };
        assert_eq!(told(&[(0, Status::Ok)], three).status(secs(0), TTL).0, Status::Ok);
        assert_eq!(told(&[(0, Status::Degraded), (1, Status::Ok)], three).status(secs(1), TTL).0, Status::Ok);
    }

    #[test]
    fn stability_is_shown_by_observations_not_by_time() {
        let minute = Recovery { oks: 1, stable: Ttl::from_secs(15) };
        let held = told(&[(0, Status::Failed), (1, Status::Ok), (8, Status::Ok)], minute);
        assert_eq!(held.status(secs(17), TTL).0, Status::Failed);
        let held = told(&[(0, Status::Failed), (1, Status::Ok), (8, Status::Ok), (16, Status::Ok)], minute);
        assert_eq!(held.status(secs(17), TTL).0, Status::Ok);
    }

    #[test]
    fn a_quorum_counts_its_members() {
        let standing = |status| Standing { view: SignalView { status, observed_at: None }, until: None };
        let of = |members: &[Status], need| quorum(members.iter().map(|status| standing(*status)), need).view.status;
        use Status::{Degraded, Failed, Ok, Unknown};
        assert_eq!(of(&[Ok, Ok, Failed], 2), Ok);
        assert_eq!(of(&[Ok, Failed, Unknown], 2), Unknown);
        assert_eq!(of(&[Ok, Failed, Failed], 2), Failed);
        assert_eq!(of(&[Ok, Degraded, Degraded], 2), Unknown);
        assert_ne!(of(&[], 1), Ok, "a pack with such a quorum is refused");
    }

    #[test]
    fn a_quorum_that_lost_a_member_has_no_age() {
        let member = |status, at| Standing { view: SignalView { status, observed_at: Some(secs(at)) }, until: None };
        let age = |last| quorum([member(Status::Ok, 1), member(Status::Ok, 2), last].into_iter(), 2).view.observed_at;
        assert_eq!(age(member(Status::Failed, 5)), Some(secs(5)));
        assert_eq!(age(member(Status::Unknown, 5)), None, "and not the age of another member");
    }
}
