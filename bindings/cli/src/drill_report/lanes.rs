//! What stood how, from when to when: signals, guards, postures by scope, bundles, overrides, quarantines, flags.
//!
//! Everything comes from the events of the steps, which is what a host sees too.

use fallgate::condition::Status;
use fallgate::drill::StepReport;
use fallgate::policy::compile::Policy;
use fallgate::policy::signal::{BUILT_IN, Source};
use fallgate::state::events::{Event, EventKind};
use fallgate::state::proposal::ProposalId;

use super::mood::Mood;
use crate::telling::in_scope;

/// One line of the picture.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) group: Group,
    pub(super) name: String,
    pub(super) spans: Vec<Span>,
}

/// What stood so for a while.
#[derive(Clone, Debug)]
pub(super) struct Span {
    /// Since when, in milliseconds since the start.
    pub(super) from: u64,
    /// Until when; nothing where it lasts.
    pub(super) to: Option<u64>,
    /// In a word or two.
    pub(super) state: String,
    pub(super) mood: Mood,
    /// In more words.
    pub(super) said: String,
}

/// What lanes are about, in the order in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Signals,
    Guards,
    Postures,
    Bundles,
    Overrides,
    Quarantines,
    Flags,
}

impl Group {
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Signals => "Signals",
            Self::Guards => "Breakers and guards",
            Self::Postures => "Postures",
            Self::Bundles => "Bundles and rollout",
            Self::Overrides => "Overrides",
            Self::Quarantines => "Quarantines",
            Self::Flags => "Flags",
        }
    }
}

/// The lanes of a drill.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) all: Vec<Lane>,
}

/// The name of the posture lane of the whole system.
pub(super) const EVERYWHERE: &str = "everywhere";

impl Lanes {
    /// The lanes of these steps under that policy.
    pub(super) fn of(policy: &Policy, steps: &[StepReport]) -> Self {
        let mut lanes = Self::default();
        let declared = policy.signals.iter().filter(|signal| !BUILT_IN.contains(&signal.name.as_str()));
        for signal in declared {
            let group = if matches!(signal.source, Source::Guard { .. }) { Group::Guards } else { Group::Signals };
            let said = format!("{}: nobody has said anything yet", signal.name);
            lanes.set(group, &signal.name, 0, "unknown", Mood::Unknown, said);
        }
        if policy.postures.any() {
            lanes.normal(policy, EVERYWHERE, 0);
        }
        let mut latest = 0;
        let mut entered = Vec::new();
        for step in steps {
            latest = latest.max(millis(step.now.monotonic.as_nanos()));
            if step.told.iter().any(|told| told == "restart") {
                lanes.forget(policy, latest);
                entered.clear();
            }
            for event in &step.events {
                lanes.take(policy, event, &mut entered);
            }
        }
        lanes.all.sort_by_key(|lane| lane.group);
        lanes
    }

    /// How it stood with that one at that time, and since when.
    pub(super) fn at(&self, group: Group, name: &str, moment: u64) -> Option<&Span> {
        let lane = self.all.iter().find(|lane| lane.group == group && lane.name == name)?;
        let after = lane.spans.partition_point(|span| span.from <= moment);
        lane.spans.get(after.checked_sub(1)?).filter(|span| span.to.is_none_or(|to| moment < to))
    }

    /// Every moment at which something began or ended.
    pub(super) fn moments(&self) -> impl Iterator<Item = u64> + '_ {
        let spans = self.all.iter().flat_map(|lane| &lane.spans);
        spans.flat_map(|span| std::iter::once(span.from).chain(span.to))
    }

    fn lane(&mut self, group: Group, name: &str) -> &mut Lane {
        let found = self.all.iter().position(|lane| lane.group == group && lane.name == name);
        let at = found.unwrap_or_else(|| {
            self.all.push(Lane { group, name: name.to_owned(), spans: Vec::new() });
            self.all.len().saturating_sub(1)
        });
        #[expect(clippy::indexing_slicing, reason = "it was found or pushed above")]
        &mut self.all[at]
    }

    fn set(&mut self, group: Group, name: &str, at: u64, state: &str, mood: Mood, said: String) {
        self.end(group, name, at);
        let span = Span { from: at, to: None, state: state.to_owned(), mood, said };
        self.lane(group, name).spans.push(span);
    }

    fn end(&mut self, group: Group, name: &str, at: u64) {
        let spans = &mut self.lane(group, name).spans;
        if let Some(open) = spans.last_mut().filter(|span| span.to.is_none()) {
            open.to = Some(at.max(open.from));
            // What lasted no time was not seen by any decision.
            if open.from >= at {
                spans.pop();
            }
        }
    }

    fn normal(&mut self, policy: &Policy, scope: &str, at: u64) {
        let name = policy.postures.specs.first().map(|spec| spec.name.as_str()).unwrap_or_default().to_owned();
        self.set(Group::Postures, scope, at, &name, Mood::Good, format!("{scope}: {name}"));
    }

    /// A new engine knows of no signal, and of no posture but those that it is told of.
    fn forget(&mut self, policy: &Policy, at: u64) {
        let names: Vec<(Group, String)> = self.all.iter().map(|lane| (lane.group, lane.name.clone())).collect();
        for (group, name) in names {
            match group {
                Group::Signals | Group::Guards => {
                    self.set(group, &name, at, "unknown", Mood::Unknown, format!("{name}: unknown after the restart"));
                }
                Group::Postures if name == EVERYWHERE => self.normal(policy, EVERYWHERE, at),
                Group::Postures | Group::Bundles | Group::Overrides | Group::Quarantines | Group::Flags => {
                    self.end(group, &name, at);
                }
            }
        }
    }

    fn take(&mut self, policy: &Policy, event: &Event, entered: &mut Vec<(String, u32, String)>) {
        let at = millis(event.at.monotonic.as_nanos());
        match &event.kind {
            EventKind::SignalChanged { signal, from, to, guard, .. } => {
                let group = if guard.is_some() { Group::Guards } else { Group::Signals };
                if self.all.iter().all(|lane| lane.name != signal.as_str()) {
                    let said = format!("{signal}: {}", from.name());
                    self.set(group, signal, 0, from.name(), Mood::of_status(*from), said);
                }
                let state = guard.unwrap_or(to.name());
                let said = format!("{signal}: {} → {}", from.name(), to.name());
                self.set(group, signal, at, state, Mood::of_status(*to), said);
            }
            EventKind::PostureEntered { posture, scope, cause, .. } => {
                let place = scope.as_deref().unwrap_or(EVERYWHERE).to_owned();
                let rank = policy.postures.number(posture).and_then(|number| policy.postures.spec(number));
                let rank = rank.map_or(u32::MAX, |spec| spec.rank);
                entered.retain(|(known, _, name)| (known, name.as_str()) != (&place, posture.as_str()));
                entered.push((place.clone(), rank, posture.to_string()));
                let said = format!("{posture}{}: entered ({})", in_scope(scope.as_deref()), cause.code());
                self.strictest(policy, &place, at, entered, said);
            }
            EventKind::PostureLeft { posture, scope, .. } => {
                let place = scope.as_deref().unwrap_or(EVERYWHERE).to_owned();
                // Whoever leaves a posture leaves every stricter one before it.
                entered.retain(|(known, _, name)| (known, name.as_str()) != (&place, posture.as_str()));
                let said = format!("{posture}{}: left", in_scope(scope.as_deref()));
                self.strictest(policy, &place, at, entered, said);
            }
            EventKind::Quarantined { selector, reason } => {
                self.set(Group::Quarantines, selector, at, "quarantined", Mood::Bad, format!("{selector}: {reason}"));
            }
            EventKind::QuarantineLifted { selector } | EventKind::QuarantineEnded { selector } => {
                self.end(Group::Quarantines, selector, at);
            }
            EventKind::OverrideGranted { approved, terms, window } => {
                let (grant, reason) = &**terms;
                let said = format!(
                    "{} use(s) within {window}, for {}; approved by {}: {reason}",
                    grant.uses,
                    grant.subjects.join(", "),
                    approved.approvers.join(", ")
                );
                self.set(Group::Overrides, &named(&approved.proposal), at, "in force", Mood::Open, said);
            }
            EventKind::OverrideEnded { id, .. } => self.end(Group::Overrides, &named(id), at),
            EventKind::FlagSet { flag, .. } => {
                self.set(Group::Flags, flag, at, "set", Mood::Strict, format!("{flag}: set"));
            }
            EventKind::FlagCleared { flag, .. } => self.end(Group::Flags, flag, at),
            EventKind::ClockFailed => self.built_in("clock", at, Status::Failed),
            EventKind::ClockAnchored => self.built_in("clock", at, Status::Ok),
            EventKind::EngineFailed => self.built_in("engine", at, Status::Failed),
            kind => self.bundle(kind, at),
        }
    }

    /// A signal of the engine itself: of some it tells by events of their own.
    fn built_in(&mut self, name: &str, at: u64, status: Status) {
        if self.lane(Group::Signals, name).spans.is_empty() {
            self.set(Group::Signals, name, 0, Status::Ok.name(), Mood::Good, format!("{name}: ok"));
        }
        let said = format!("{name}: {}", status.name());
        self.set(Group::Signals, name, at, status.name(), Mood::of_status(status), said);
    }

    fn strictest(&mut self, policy: &Policy, place: &str, at: u64, entered: &[(String, u32, String)], said: String) {
        let here = entered.iter().filter(|(known, ..)| known == place);
        match here.max_by_key(|(_, rank, _)| *rank) {
            Some((_, _, posture)) => self.set(Group::Postures, place, at, posture, Mood::Strict, said),
            None if place == EVERYWHERE => self.normal(policy, place, at),
            None => self.end(Group::Postures, place, at),
        }
    }

    fn bundle(&mut self, kind: &EventKind, at: u64) {
        let (active, candidate) = ("active", "candidate");
        let group = Group::Bundles;
        match kind {
            EventKind::BundleActivated { bundle, revision, .. } => {
                let said = format!("{bundle} revision {revision}: active");
                self.set(group, active, at, &format!("revision {revision}"), Mood::Good, said);
            }
            EventKind::BundleRevoked { bundle, revision } => {
                let said = format!("{bundle} revision {revision}: revoked");
                self.set(group, active, at, "revoked", Mood::Bad, said);
            }
            EventKind::PolicySuspended { code } => {
                self.set(group, active, at, code, Mood::Bad, format!("nothing is allowed: {code}"));
            }
            EventKind::PolicyResumed => {
                let known = self.lane(group, active).spans.iter().rev().find(|span| span.mood == Mood::Good).cloned();
                let (state, said) = known.map_or_else(Default::default, |span| (span.state, span.said));
                self.set(group, active, at, &state, Mood::Good, said);
            }
            EventKind::RolloutStaged { bundle, revision, .. } => {
                let said = format!("{bundle} revision {revision}: only compared");
                self.set(group, candidate, at, &format!("revision {revision}, shadow"), Mood::Weak, said);
            }
            EventKind::RolloutAdvanced { bundle, revision, share } => {
                let said = format!("{bundle} revision {revision}: decides {share}");
                self.set(group, candidate, at, &format!("revision {revision}, {share}"), Mood::Weak, said);
            }
            EventKind::RolloutStopped { bundle, revision, code, .. } => {
                let said = format!("{bundle} revision {revision}: waits ({code})");
                self.set(group, candidate, at, &format!("revision {revision}, waits"), Mood::Open, said);
            }
            EventKind::RolloutCompleted { .. } | EventKind::RolloutEnded { .. } => self.end(group, candidate, at),
            _ => {}
        }
    }
}

/// An override by the beginning of its id, which is a digest.
fn named(id: &ProposalId) -> String {
    id.to_string().chars().take(16).collect()
}

/// Nanoseconds in milliseconds.
pub(super) const fn millis(nanos: u64) -> u64 {
    nanos / 1_000_000
}
