//! A rollout: a candidate beside the active bundle, step by step, and what is found when the two are compared.
//!
//! Time alone moves it on, and only where enough was compared, where nothing that it was compared with was in doubt, and
//! where nothing was newly allowed that nobody approved. Every other way leads to the bundle that was there before.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::admission::ActivateError;
use crate::concurrent::{AtomicBool, AtomicU64, Ordering};
use crate::decision::Decision;
use crate::name::{self, Name};
use crate::policy::rollout::{ActionPattern, RollBackAt, RolloutSpec, Share};
use crate::reason::Reason;
use crate::time::Monotonic;

/// How far a rollout has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The candidate is only compared.
    #[default]
    Shadow,
    /// It decides for the share of that number, from zero.
    Canary(u16),
}

impl Step {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Canary(_) => "canary",
        }
    }
}

/// Why a rollout does not go on. Every decision is the active bundle's meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The candidate newly allows what nobody declared, or what nobody had seen in its shadow; and nobody approved it.
    NewlyAllowed,
    /// The candidate met a panic.
    CandidateFailed,
    /// The candidate may not take the place of the active bundle.
    Refused(ActivateError),
}

impl Stop {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NewlyAllowed => "newly_allowed",
            Self::CandidateFailed => "candidate_failed",
            Self::Refused(error) => error.code(),
        }
    }
}

/// Why a rollout ended with the bundle that was active before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// An operator rolled it back.
    Operator,
    /// Too much was newly allowed.
    NewlyAllowed,
    /// Too much was newly denied.
    NewlyDenied,
    /// Too much was newly indeterminate.
    Indeterminate,
    /// The rate of denies was too much greater.
    DenyRate,
    /// Another bundle was activated, or the same one anew.
    Activation,
    /// A new trust root revokes the candidate.
    Revoked,
}

impl Ending {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::NewlyAllowed => "newly_allowed",
            Self::NewlyDenied => "newly_denied",
            Self::Indeterminate => "indeterminate",
            Self::DenyRate => "deny_rate",
            Self::Activation => "activation",
            Self::Revoked => "revoked",
        }
    }

    /// Whether nobody did it: what was compared was reason enough.
    #[must_use]
    pub const fn is_automatic(self) -> bool {
        !matches!(self, Self::Operator | Self::Activation | Self::Revoked)
    }
}

/// Why a rollout does not move on, or what cannot be rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// Nothing is staged.
    #[error("no bundle is in a rollout: stage one")]
    NoCandidate,
    /// The rollout has stopped.
    #[error("the rollout has stopped: have it approved, or roll it back")]
    Stopped,
    /// The step takes longer.
    #[error("the step takes longer")]
    TimeNotOver,
    /// Too few decisions were compared.
    #[error("too few decisions were compared in this step")]
    SampleNotReached,
    /// The candidate newly allows something, or drops the rollout, and nobody has approved it.
    #[error("the candidate loosens, and nobody has approved its promotion")]
    NotApproved,
    /// The engine is in doubt about something that every decision rests on.
    #[error("the signal `{signal}` is not ok: what was compared may be wrong")]
    InDoubt {
        /// The built-in signal.
        signal: &'static str,
    },
    /// There is no bundle to go back to.
    #[error("this engine remembers no such bundle that was active here: have its activation approved")]
    NeverActive,
    /// The bundle may not become the active one.
    #[error(transparent)]
    Refused(#[from] ActivateError),
}

impl RolloutError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoCandidate => "no_candidate",
            Self::Stopped => "rollout_stopped",
            Self::TimeNotOver => "time_not_over",
            Self::SampleNotReached => "sample_not_reached",
            Self::NotApproved => "not_approved",
            Self::InDoubt { .. } => "in_doubt",
            Self::NeverActive => "never_active",
            Self::Refused(error) => error.code(),
        }
    }
}

/// What was compared so far, by what differed; shared with decisions.
#[derive(Debug, Default)]
pub struct Differences {
    /// Decisions that both bundles made.
    pub compared: AtomicU64,
    /// Those that the candidate allows and the active bundle denies.
    pub newly_allowed: AtomicU64,
    /// Those that the candidate denies and the active bundle allows.
    pub newly_denied: AtomicU64,
    /// Those with one effect and two reasons.
    pub reason_only: AtomicU64,
    /// Those that only the candidate finds indeterminate.
    pub indeterminate: AtomicU64,
}

/// What was compared in one step; shared with decisions, which count into it.
#[derive(Debug)]
pub struct Window {
    step: Step,
    here: Differences,
    /// What was compared in every rollout of the engine.
    ever: Arc<Differences>,
    /// Newly allowed, and not declared.
    undeclared: AtomicU64,
    /// Decisions of which every required signal was ok: what samples and rates are made of.
    sampled: AtomicU64,
    denied_before: AtomicU64,
    denied_after: AtomicU64,
    /// The first action that was newly allowed and not declared.
    first_undeclared: OnceLock<Name>,
    failed: AtomicBool,
    sample: u64,
    ends: RollBackAt,
    declared: Arc<[ActionPattern]>,
}

impl Window {
    fn new(step: Step, spec: &RolloutSpec, declared: &Arc<[ActionPattern]>, ever: &Arc<Differences>) -> Self {
        Self {
            step,
            here: Differences::default(),
            ever: Arc::clone(ever),
            undeclared: AtomicU64::new(0),
            sampled: AtomicU64::new(0),
            denied_before: AtomicU64::new(0),
            denied_after: AtomicU64::new(0),
            first_undeclared: OnceLock::new(),
            failed: AtomicBool::new(false),
            sample: spec.sample,
            ends: spec.ends,
            declared: Arc::clone(declared),
        }
    }

    /// Counts one request that both decided; whether somebody has to look at the rollout now.
    pub fn count(&self, action: &str, before: &Decision, after: &Decision, approved: bool) -> bool {
        let mut look = false;
        self.add(|kind| &kind.compared);
        if !before.is_degraded() {
            // What was denied is counted first: who sees the sample reached sees no deny missing from it.
            if !before.is_allow() {
                add(&self.denied_before);
            }
            if !after.is_allow() {
                add(&self.denied_after);
            }
            look |= add(&self.sampled) == self.sample || self.denies_too_often();
        }
        match (before.is_allow(), after.is_allow()) {
            (false, true) => {
                let declared = self.declared.iter().any(|pattern| pattern.admits(action));
                if !declared {
                    let _ = self.first_undeclared.set(name::name(action).unwrap_or_default());
                    let undeclared = add(&self.undeclared);
                    look |= !approved && (undeclared == 1 || self.ends.newly_allowed == Some(undeclared));
                }
                let newly_allowed = self.add(|kind| &kind.newly_allowed);
                look |= !approved && newly_allowed == 1 && self.step != Step::Shadow;
            }
            (true, false) => look |= self.ends.newly_denied == Some(self.add(|kind| &kind.newly_denied)),
            _ if before.reason() != after.reason() => {
                self.add(|kind| &kind.reason_only);
            }
            _ => {}
        }
        if after.reason() == Reason::Indeterminate && before.reason() != Reason::Indeterminate {
            look |= self.ends.indeterminate == Some(self.add(|kind| &kind.indeterminate));
        }
        look
    }

    /// Takes note of a panic of the candidate; whether it is the first.
    pub fn fail(&self) -> bool {
        !self.failed.swap(true, Ordering::AcqRel)
    }

    /// The first action that was newly allowed and not declared.
    #[must_use]
    pub fn first_undeclared(&self) -> Option<Name> {
        self.first_undeclared.get().copied()
    }

    /// What was compared in this step.
    #[must_use]
    pub const fn differences(&self) -> &Differences {
        &self.here
    }

    /// How many decisions of this step the sample has.
    #[must_use]
    pub fn sampled(&self) -> u64 {
        read(&self.sampled)
    }

    fn add(&self, of: impl Fn(&Differences) -> &AtomicU64) -> u64 {
        add(of(&self.ever));
        add(of(&self.here))
    }

    fn denies_too_often(&self) -> bool {
        let Some(delta) = self.ends.denies_per_million else { return false };
        let sampled = u128::from(read(&self.sampled));
        if sampled < u128::from(self.sample) {
            return false;
        }
        let more = u128::from(read(&self.denied_after).saturating_sub(read(&self.denied_before)));
        more.saturating_mul(1_000_000) >= sampled.saturating_mul(u128::from(delta))
    }

    /// What ends the rollout, or stops it, with what was counted so far.
    fn finding(&self, approved: bool) -> Option<Finding> {
        let reached = |count: &AtomicU64, max: Option<u64>| max.is_some_and(|max| read(count) >= max);
        let undeclared = read(&self.undeclared);
        if !approved && self.ends.newly_allowed.is_some_and(|max| undeclared >= max) {
            return Some(Finding::Ends(Ending::NewlyAllowed));
        }
        if reached(&self.here.newly_denied, self.ends.newly_denied) {
            return Some(Finding::Ends(Ending::NewlyDenied));
        }
        if reached(&self.here.indeterminate, self.ends.indeterminate) {
            return Some(Finding::Ends(Ending::Indeterminate));
        }
        if self.denies_too_often() {
            return Some(Finding::Ends(Ending::DenyRate));
        }
        if self.failed.load(Ordering::Acquire) {
            return Some(Finding::Stops(Stop::CandidateFailed));
        }
        let unseen = self.step != Step::Shadow && read(&self.here.newly_allowed) > 0;
        (!approved && (undeclared > 0 || unseen)).then_some(Finding::Stops(Stop::NewlyAllowed))
    }
}

/// What a look at a window comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The rollout ends.
    Ends(Ending),
    /// It stops.
    Stops(Stop),
}

/// Whether what every decision rests on is beyond doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grounds {
    /// The clocks agree.
    pub clock: bool,
    /// No panic was met.
    pub engine: bool,
    /// The active bundle may decide.
    pub bundle: bool,
    /// Every record has found room.
    pub audit: bool,
}

impl Grounds {
    fn doubt(self) -> Option<&'static str> {
        let grounds = [(self.clock, "clock"), (self.engine, "engine"), (self.bundle, "bundle"), (self.audit, "audit")];
        grounds.into_iter().find(|(ok, _)| !ok).map(|(_, signal)| signal)
    }
}

/// A rollout that is under way.
#[derive(Clone, Debug)]
pub struct Rollout {
    spec: RolloutSpec,
    declared: Arc<[ActionPattern]>,
    step: Step,
    since: Monotonic,
    window: Arc<Window>,
    approved: bool,
    stopped: Option<Stop>,
    /// Whether the candidate would let its own successor in without a rollout: that loosens too.
    drops: bool,
}

impl Rollout {
    /// A rollout that begins: governed by the active bundle's `spec`; the candidate declares what it newly allows.
    #[must_use]
    pub fn new(spec: &RolloutSpec, candidate: Option<&RolloutSpec>, ever: &Arc<Differences>, now: Monotonic) -> Self {
        let declared: Arc<[ActionPattern]> =
            candidate.map(|own| own.newly_allows.as_slice()).unwrap_or_default().into();
        let window = Arc::new(Window::new(Step::Shadow, spec, &declared, ever));
        let drops = candidate.is_none();
        let spec = spec.clone();
        Self { spec, declared, step: Step::Shadow, since: now, window, approved: false, stopped: None, drops }
    }

    /// The step that it has come to.
    #[must_use]
    pub const fn step(&self) -> Step {
        self.step
    }

    /// The requests that the candidate decides: none while the rollout has stopped.
    #[must_use]
    pub fn share(&self) -> Share {
        match self.step {
            Step::Canary(number) if self.stopped.is_none() => {
                self.spec.canary.get(usize::from(number)).copied().unwrap_or_default()
            }
            _ => Share::NONE,
        }
    }

    /// How the rollout is declared.
    #[must_use]
    pub const fn spec(&self) -> &RolloutSpec {
        &self.spec
    }

    /// What is compared in this step.
    #[must_use]
    pub const fn window(&self) -> &Arc<Window> {
        &self.window
    }

    /// Whether people have approved the candidate.
    #[must_use]
    pub const fn is_approved(&self) -> bool {
        self.approved
    }

    /// Why it does not go on, if it has stopped.
    #[must_use]
    pub const fn stopped(&self) -> Option<Stop> {
        self.stopped
    }

    /// When the step may be over.
    #[must_use]
    pub const fn due(&self) -> Monotonic {
        let span = match self.step {
            Step::Shadow => self.spec.shadow,
            Step::Canary(_) => self.spec.hold,
        };
        self.since.after(span)
    }

    /// Looks at what was compared, here and in an earlier step that decisions may still have counted in.
    #[must_use]
    pub fn look(&self, earlier: Option<&Window>) -> Option<Finding> {
        let found = self.window.finding(self.approved);
        found.or_else(|| earlier?.finding(self.approved)).filter(|found| match found {
            Finding::Ends(_) => true,
            Finding::Stops(_) => self.stopped.is_none(),
        })
    }

    /// Stops it.
    pub const fn stop(&mut self, why: Stop) {
        if self.stopped.is_none() {
            self.stopped = Some(why);
        }
    }

    /// People have approved the candidate: what it newly allows no longer stops it.
    pub fn approve(&mut self, now: Monotonic) {
        self.approved = true;
        if self.stopped == Some(Stop::NewlyAllowed) {
            self.stopped = None;
            // In its shadow it was compared all the time; a share begins anew.
            if self.step != Step::Shadow {
                self.begin(self.step, now);
            }
        }
    }

    /// What the rollout waits for before it moves on; `skips` where an operator does not wait for the time.
    ///
    /// # Errors
    /// What it waits for.
    pub fn may_move(&self, now: Monotonic, grounds: Grounds, skips: bool) -> Result<(), RolloutError> {
        if self.stopped.is_some() {
            return Err(RolloutError::Stopped);
        }
        if !skips && now < self.due() {
            return Err(RolloutError::TimeNotOver);
        }
        if let Some(signal) = grounds.doubt() {
            return Err(RolloutError::InDoubt { signal });
        }
        if self.window.sampled() < self.spec.sample {
            return Err(RolloutError::SampleNotReached);
        }
        let loosens = self.drops || read(&self.window.here.newly_allowed) > 0;
        if loosens && !self.approved {
            return Err(RolloutError::NotApproved);
        }
        Ok(())
    }

    /// Goes on to the next step; nothing is left where the candidate is to decide for all.
    #[must_use]
    pub fn next(&mut self, now: Monotonic) -> Option<Step> {
        let number = match self.step {
            Step::Shadow => 0,
            Step::Canary(number) => number.checked_add(1)?,
        };
        self.spec.canary.get(usize::from(number))?;
        self.begin(Step::Canary(number), now);
        Some(self.step)
    }

    fn begin(&mut self, step: Step, now: Monotonic) {
        self.window = Arc::new(Window::new(step, &self.spec, &self.declared, &self.window.ever));
        self.step = step;
        self.since = now;
    }
}

/// As an operator reads it: `shadow`, `canary 10%`.
impl fmt::Display for Rollout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Step::Shadow => f.write_str("shadow"),
            Step::Canary(number) => {
                write!(f, "canary {}", self.spec.canary.get(usize::from(number)).copied().unwrap_or_default())
            }
        }
    }
}

/// Counts one more; how many there are then.
fn add(count: &AtomicU64) -> u64 {
    count.fetch_add(1, Ordering::AcqRel).saturating_add(1)
}

/// How many there are.
#[must_use]
pub fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Acquire)
}
