//! Who has to know of an event, and how soon; and which cause it belongs to, so that one cause wakes nobody twice.
//!
//! One total `match` for all kinds: a kind without its severity does not compile. The rule behind it: what makes the
//! system deny more than its policy alone would, without anybody's doing, wakes somebody; what somebody did is known to
//! somebody.

use std::collections::BTreeMap;

use super::events::EventKind;
use super::postures::Cause;
use super::proposal::ProposalId;
use super::signals::Observed;
use crate::condition::Status;

/// Who has to know of an event, and how soon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nobody: it is there to be read later.
    #[default]
    Info,
    /// Somebody, in working hours.
    Ticket,
    /// Somebody, now.
    Page,
}

impl Severity {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Ticket => "ticket",
            Self::Page => "page",
        }
    }
}

/// What an event is to its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Course {
    /// It has none that lasts.
    Alone,
    /// The cause of that name lasts from now on.
    Begins(String),
    /// The causes of these names are over.
    Ends(Vec<String>),
}

/// The cause of a bundle that is not taken; it ends with one that is.
const BUNDLE: &str = "bundle";
/// The cause of a contained panic; it ends with an activation.
const ENGINE: &str = "engine";
/// The cause of two clocks that have parted; it ends when they are anchored.
const CLOCK: &str = "clock";
/// The cause of a rollout that has stopped; it ends with the rollout, or with its approval.
const ROLLOUT: &str = "rollout";
/// The cause of a trust root that is refused; it ends with one that is taken.
const TRUST: &str = "trust";
/// The cause of a state that could not be restored; it ends with one that was.
const RESTORE: &str = "restore";
/// The cause of another engine that is active too; it ends when this one takes over or resigns.
const EPOCH: &str = "epoch";
/// The cause of a policy that may not decide; it ends when it may.
const POLICY: &str = "policy";

impl EventKind {
    /// Who has to know, and what the event is to its cause.
    #[must_use]
    pub fn bearing(&self) -> (Severity, Course) {
        let begins = |severity, cause: String| (severity, Course::Begins(cause));
        let ends = |causes: &[String]| (Severity::Info, Course::Ends(causes.to_vec()));
        match self {
            Self::BundleActivated { .. } => ends(&[BUNDLE.to_owned(), ENGINE.to_owned()]),
            Self::BundleRefused { .. } => begins(Severity::Ticket, BUNDLE.to_owned()),
            Self::PolicySuspended { .. } => begins(Severity::Page, POLICY.to_owned()),
            Self::PolicyResumed => ends(&[POLICY.to_owned()]),
            Self::SignalChanged { signal, to: Status::Ok, .. } => ends(&[format!("signal:{signal}")]),
            Self::SignalChanged { signal, .. } => begins(Severity::Ticket, format!("signal:{signal}")),
            // A report of what the pack does not have is a mistake that somebody has to repair; a late one happens.
            Self::ObservationIgnored { signal, outcome } => match outcome {
                Observed::UnknownSignal | Observed::NotObservable => {
                    begins(Severity::Ticket, format!("report:{signal}"))
                }
                Observed::Taken | Observed::Older | Observed::Future => (Severity::Info, Course::Alone),
            },
            Self::PostureEntered { posture, scope, cause, .. } => {
                let severity = match cause {
                    Cause::Operator | Cause::Flag => Severity::Ticket,
                    // What was entered elsewhere has been told there.
                    Cause::State => Severity::Info,
                    Cause::Condition
                    | Cause::Indeterminate
                    | Cause::Escalation
                    | Cause::NoRoom
                    | Cause::Restore
                    | Cause::Failover
                    | Cause::SplitBrain => Severity::Page,
                };
                begins(severity, posture_cause(posture, scope.as_deref()))
            }
            Self::PostureLeft { posture, scope, .. } => ends(&[posture_cause(posture, scope.as_deref())]),
            Self::PostureAcknowledged { .. } | Self::PostureKept { .. } => (Severity::Info, Course::Alone),
            Self::Quarantined { selector, .. } => {
                let severity = if **selector == *EVERYTHING { Severity::Page } else { Severity::Ticket };
                begins(severity, format!("quarantine:{selector}"))
            }
            Self::QuarantineLifted { selector } | Self::QuarantineEnded { selector } => {
                ends(&[format!("quarantine:{selector}")])
            }
            Self::Revoked { .. }
            | Self::DecisionLabelled { .. }
            | Self::TriggerLabelled { .. }
            | Self::AttemptsReported { .. }
            | Self::DecisionWithdrawn { .. }
            | Self::MitigationReported { .. } => (Severity::Info, Course::Alone),
            // What loosens is known to many before it is: those who were not asked hear of it in working hours, and at once
            // when it does loosen.
            Self::Proposed { id, .. } => begins(Severity::Ticket, format!("proposal:{id}")),
            Self::Approved { .. } => (Severity::Info, Course::Alone),
            Self::ApprovalRefused { .. } => (Severity::Ticket, Course::Alone),
            Self::ProposalClosed { id, .. } => ends(&[format!("proposal:{id}")]),
            Self::OverrideGranted { approved, .. } => begins(Severity::Page, override_cause(&approved.proposal)),
            Self::OverrideUsed { id, .. } => begins(Severity::Page, override_cause(id)),
            Self::OverrideEnded { id, .. } => ends(&[override_cause(id)]),
            Self::FlagSet { flag, .. } => begins(Severity::Ticket, format!("flag:{flag}")),
            Self::FlagCleared { flag, .. } => ends(&[format!("flag:{flag}"), format!("flag-expired:{flag}")]),
            // It holds its posture on: somebody has to clear it, or say that it stays.
            Self::FlagExpired { flag } => begins(Severity::Ticket, format!("flag-expired:{flag}")),
            Self::FlagKept { .. } => (Severity::Info, Course::Alone),
            Self::BundleUnsigned { .. } => (Severity::Ticket, Course::Alone),
            // The policy may not decide from then on: one cause, and no earlier ticket about a refused bundle hides it.
            Self::BundleRevoked { .. } => begins(Severity::Page, POLICY.to_owned()),
            // Somebody went back: what made them do so is known to them, and to nobody else.
            Self::BundleRolledBack { .. } => (Severity::Ticket, Course::Alone),
            // It loosens, and those who were not asked hear of it at once.
            Self::BundleCleared { .. } => (Severity::Page, Course::Alone),
            Self::RolloutStaged { .. } | Self::RolloutAdvanced { .. } => (Severity::Info, Course::Alone),
            Self::RolloutStopped { .. } => begins(Severity::Ticket, ROLLOUT.to_owned()),
            Self::RolloutApproved { .. } => (Severity::Page, Course::Ends(vec![ROLLOUT.to_owned()])),
            Self::RolloutCompleted { .. } => ends(&[ROLLOUT.to_owned()]),
            // Nobody did it, and what was newly denied meanwhile may have been people at work.
            Self::RolloutEnded { ending, .. } if ending.is_automatic() => {
                (Severity::Page, Course::Ends(vec![ROLLOUT.to_owned()]))
            }
            Self::RolloutEnded { .. } => ends(&[ROLLOUT.to_owned()]),
            Self::TrustRotated { .. } => ends(&[TRUST.to_owned()]),
            Self::TrustRefused { .. } => begins(Severity::Page, TRUST.to_owned()),
            Self::GuardForcedOpen { signal } => begins(Severity::Ticket, format!("forced:{signal}")),
            Self::GuardReleased { signal } => ends(&[format!("forced:{signal}")]),
            Self::StateRestored { .. } => ends(&[RESTORE.to_owned()]),
            Self::RestoreFailed { .. } => begins(Severity::Page, RESTORE.to_owned()),
            Self::AuditBehind { .. } => (Severity::Page, Course::Alone),
            Self::TookOver { .. } => (Severity::Page, Course::Ends(vec![EPOCH.to_owned()])),
            Self::Resigned { .. } => ends(&[EPOCH.to_owned()]),
            Self::SplitBrain { .. } => begins(Severity::Page, EPOCH.to_owned()),
            Self::ClockFailed => begins(Severity::Page, CLOCK.to_owned()),
            Self::ClockAnchored => ends(&[CLOCK.to_owned()]),
            Self::EngineFailed => begins(Severity::Page, ENGINE.to_owned()),
        }
    }
}

/// How a quarantine of everything is written.
const EVERYTHING: &str = "everything";

fn override_cause(id: &ProposalId) -> String {
    format!("override:{id}")
}

fn posture_cause(posture: &str, scope: Option<&str>) -> String {
    format!("posture:{posture}:{}", scope.unwrap_or_default())
}

/// The causes that last, each with how many events it has had.
#[derive(Debug)]
pub struct Causes {
    lasting: BTreeMap<String, u64>,
    max: usize,
    suppressed: u64,
}

impl Causes {
    /// None; at most `max` are remembered.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { lasting: BTreeMap::new(), max, suppressed: 0 }
    }

    /// Who has to know of this event, now that what happened before is known, and how many events its cause has had.
    ///
    /// Where there is no room for one more cause, its events keep their severity each: too much noise, never too little.
    pub fn weigh(&mut self, kind: &EventKind) -> (Severity, u64) {
        let (severity, course) = kind.bearing();
        match course {
            Course::Alone => (severity, 1),
            Course::Ends(causes) => {
                self.lasting.retain(|cause, _| !causes.contains(cause));
                (severity, 1)
            }
            Course::Begins(cause) => {
                if let Some(count) = self.lasting.get_mut(&cause) {
                    *count = count.saturating_add(1);
                    if severity > Severity::Info {
                        self.suppressed = self.suppressed.saturating_add(1);
                    }
                    return (Severity::Info, *count);
                }
                if self.lasting.len() < self.max {
                    self.lasting.insert(cause, 1);
                }
                (severity, 1)
            }
        }
    }

    /// How many events kept quiet because their cause was known.
    #[must_use]
    pub const fn suppressed(&self) -> u64 {
        self.suppressed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name;

    fn changed(signal: &str, to: Status) -> EventKind {
        let signal = name::name(signal).unwrap();
        let at = crate::time::Monotonic::ZERO;
        EventKind::SignalChanged { signal, from: Status::Unknown, to, guard: None, since: at, relied_until: at }
    }

    fn entered(posture: &str, scope: Option<&str>, cause: Cause) -> EventKind {
        let since = crate::time::Monotonic::ZERO;
        EventKind::PostureEntered { posture: name::name(posture).unwrap(), scope: scope.map(Into::into), cause, since }
    }

    #[test]
    fn one_cause_pages_once_until_it_ends() {
        let mut causes = Causes::new(10);
        let everywhere = entered("lockdown", None, Cause::Condition);
        assert_eq!(causes.weigh(&everywhere), (Severity::Page, 1));
        assert_eq!(causes.weigh(&everywhere), (Severity::Info, 2));
        assert_eq!(causes.weigh(&entered("lockdown", Some("tenant:a"), Cause::Escalation)), (Severity::Page, 1));
        assert_eq!(causes.weigh(&everywhere), (Severity::Info, 3));
        assert_eq!(causes.suppressed(), 2);
        let left = EventKind::PostureLeft { posture: name::name("lockdown").unwrap(), scope: None, approved: None };
        assert_eq!(causes.weigh(&left), (Severity::Info, 1));
        assert_eq!(causes.weigh(&everywhere), (Severity::Page, 1));
    }

    #[test]
    fn what_an_operator_did_wakes_nobody() {
        let mut causes = Causes::new(10);
        assert_eq!(causes.weigh(&entered("lockdown", None, Cause::Operator)), (Severity::Ticket, 1));
        assert_eq!(causes.weigh(&entered("read-only", None, Cause::NoRoom)), (Severity::Page, 1));
    }

    #[test]
    fn a_signal_is_one_cause_until_it_is_ok() {
        let mut causes = Causes::new(10);
        assert_eq!(causes.weigh(&changed("idp", Status::Degraded)), (Severity::Ticket, 1));
        assert_eq!(causes.weigh(&changed("idp", Status::Failed)), (Severity::Info, 2));
        assert_eq!(causes.weigh(&changed("idp", Status::Ok)), (Severity::Info, 1));
        assert_eq!(causes.weigh(&changed("idp", Status::Unknown)), (Severity::Ticket, 1));
    }

    #[test]
    fn without_room_every_event_keeps_its_severity() {
        let mut causes = Causes::new(1);
        assert_eq!(causes.weigh(&EventKind::ClockFailed), (Severity::Page, 1));
        assert_eq!(causes.weigh(&EventKind::EngineFailed), (Severity::Page, 1));
        assert_eq!(causes.weigh(&EventKind::EngineFailed), (Severity::Page, 1));
        assert_eq!(causes.weigh(&EventKind::ClockFailed), (Severity::Info, 2));
        assert_eq!(causes.suppressed(), 1);
    }

    #[test]
    fn a_quarantine_of_everything_pages() {
        let begun = |selector: &str| EventKind::Quarantined { selector: selector.into(), reason: "x".into() };
        let mut causes = Causes::new(10);
        let everything = super::super::quarantine::Selector::Everything.to_string();
        assert_eq!(causes.weigh(&begun(&everything)).0, Severity::Page);
        assert_eq!(causes.weigh(&begun("user:ann")).0, Severity::Ticket);
    }
}
