//! What the engine was told: the state behind the one lock of the writers, and how it becomes a snapshot.

use std::cell::Cell;
use std::sync::Arc;

use bumpalo::Bump;

use super::ActivateError;
use super::losses::{Seen, SignalChange};
use super::rollout::{Candidate, Staged};
use super::snapshot::{Active, Need, Snapshot, in_validity, is_unbounded};
use crate::condition::{Scope, SignalView, Status, Truth};
use crate::error::Code;
use crate::faults::point;
use crate::limits::Limits;
use crate::name::Name;
use crate::policy::bundle::{Bundle, BundleId, Trust};
use crate::policy::compile::Policy;
use crate::policy::signal::{CLOCK, EPOCH, SignalSpec, Source};
use crate::state::approvals::{Approvals, Close};
use crate::state::cache::Stamp;
use crate::state::clocks::{Anchor, Reading};
use crate::state::control::Feeds;
use crate::state::document::HeldRoot;
use crate::state::epochs::Epochs;
use crate::state::events::EventKind;
use crate::state::flags::Flags;
use crate::state::guards::Guards;
use crate::state::overrides::{End, Overrides};
use crate::state::postures::{PostureMachine, Standing as PostureStanding, Transition};
use crate::state::quarantine::Quarantines;
use crate::state::rollout::Stop;
use crate::state::signals::{BuiltIn, Held, Observation, Observed};
use crate::state::standings::Signals;
use crate::time::{Monotonic, Now, Ttl, Wall};

/// What the engine was told, behind the one lock of the writers.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) active: Option<Active>,
    /// The bundle that is in its rollout.
    pub(super) staged: Option<Box<Staged>>,
    /// The bundles that were active here last, the active one at the end.
    pub(super) formers: Vec<Bundle>,
    /// The bundles that approved people let in, whatever their revision, and until when.
    pub(super) cleared: Vec<(BundleId, Now)>,
    /// The revision of the active bundle, where it is below the highest: whoever went back to it let it in, and a restart
    /// may begin with it.
    pub(super) returned_to: Option<u64>,
    /// When the active bundle became it.
    pub(super) activated_at: Option<Wall>,
    /// The highest revision that was ever active, and the bundle that it was: none below it is activated.
    pub(super) highest: Option<(u64, BundleId)>,
    /// Whose bundles are taken.
    pub(super) trust: Trust,
    /// The newest trust root that was held before a restart. While an older one is held, nothing is allowed.
    pub(super) known_root: Option<HeldRoot>,
    pub(super) signals: Signals,
    pub(super) guards: Guards,
    pub(super) anchor: Option<Anchor>,
    pub(super) clock_ok: bool,
    /// When it was last found that the monotonic clock may have stood still, and for how long in all.
    slept: (Monotonic, Ttl),
    pub(super) engine_ok: bool,
    /// Whether an activation or a restore has begun and not ended: where a panic has cut it short, nobody knows what of the
    /// postures was carried over.
    pub(super) half_carried: bool,
    /// Whether every record has found room.
    pub(super) audit_ok: bool,
    pub(super) activations: u64,
    /// The highest revision that was ever active, before a restart too.
    pub(super) revision: u64,
    /// Who is active, as far as is known.
    pub(super) epochs: Epochs,
    /// Epoch and sequence of the last state that was restored.
    pub(super) restored: (u64, u64),
    /// How often anything else that is exported has changed: recoveries of signals, flags, wrong codes.
    pub(super) other_changes: u64,
    /// What the sequence of exported states is ahead of the changes that were counted here.
    pub(super) sequence_ahead: u64,
    /// By signal: what it was when last looked at.
    pub(super) statuses: Vec<Seen>,
    /// Why the active bundle may not decide, as of the last snapshot.
    pub(super) suspended: Option<&'static str>,
    pub(super) postures: PostureMachine,
    pub(super) quarantines: Quarantines,
    pub(super) approvals: Approvals,
    pub(super) overrides: Overrides,
    pub(super) flags: Flags,
    pub(super) feeds: Feeds,
    /// Quarantines that came to their end, and when, for the events of the next snapshot.
    pub(super) quarantines_ended: Vec<(Monotonic, Box<str>)>,
    /// What else happened, and when, for the events of the next snapshot.
    pub(super) happened: Vec<(Monotonic, EventKind)>,
    /// What became of postures, for the events of the next snapshot.
    pub(super) transitions: Vec<Transition>,
    /// Until when postures have been followed.
    settled: Option<Monotonic>,
    /// Up to which change of the postures it was looked whether a proposal to leave one is moot.
    pub(super) leaves_looked_at: Option<u64>,
    pub(super) limits: Limits,
}

impl Told {
    pub(super) fn new(limits: &Limits, seed: u64, trust: Trust) -> Self {
        Self {
            active: None,
            staged: None,
            formers: Vec::new(),
            cleared: Vec::new(),
            returned_to: None,
            activated_at: None,
            highest: None,
            trust,
            known_root: None,
            signals: Signals::default(),
            guards: Guards::new(limits, seed),
            anchor: None,
            clock_ok: true,
            slept: (Monotonic::ZERO, Ttl::ZERO),
            engine_ok: true,
            half_carried: false,
            audit_ok: true,
            activations: 0,
            revision: 0,
            epochs: Epochs::default(),
            restored: (0, 0),
            other_changes: 0,
            sequence_ahead: 0,
            statuses: Vec::new(),
            suspended: None,
            postures: PostureMachine::new(limits.scope_instances_max),
            quarantines: Quarantines::new(limits, seed),
            approvals: Approvals::new(limits.proposals_max, limits.approvers_max),
            overrides: Overrides::new(limits.overrides_max),
            flags: Flags::default(),
            feeds: Feeds::new(limits),
            quarantines_ended: Vec::new(),
            happened: Vec::new(),
            transitions: Vec::new(),
            settled: None,
            leaves_looked_at: None,
            limits: limits.clone(),
        }
    }

    /// The snapshot of `now`, and the signals that have changed since the last one.
    pub(super) fn snapshot(&mut self, now: Now) -> (Snapshot, Vec<SignalChange>) {
        let Some(mut active) = self.active.clone() else {
            // What ends by time ends without a bundle too: it must not take the room of what is new.
            self.quarantines_ended.extend(self.quarantines.expire(now.monotonic));
            let due = self.quarantines.due().unwrap_or(Monotonic::NEVER);
            return (Snapshot { due, ..self.empty() }, Vec::new());
        };
        active.revoked |= self.root_behind().is_some();
        let policy = Arc::clone(active.bundle.policy());
        point("snapshot: begin");
        self.settle(now);
        point("snapshot: settled");
        self.quarantines_ended.extend(self.quarantines.expire(now.monotonic));
        point("snapshot: quarantines ended");
        self.expire_approvals(now);
        point("snapshot: approvals ended");
        self.quarantines.refresh(&policy, &self.limits);
        self.look(&policy, now);
        point("snapshot: looked");
        let changed = self.changed(&policy, &active.rows, now);
        point("snapshot: changes taken");
        let needs = self.needs(&policy, active.activation);
        let candidate = self.candidate();
        let signals = self.signals.views().to_vec();
        let due = self.signals.holds_until().map(just_after);
        let due = due.unwrap_or(Monotonic::NEVER).min(next_validity_boundary(&policy, now));
        let due = due.min(self.postures.due(&policy.postures).unwrap_or(Monotonic::NEVER));
        let due = due.min(self.quarantines.due().unwrap_or(Monotonic::NEVER));
        let due = due.min(self.approvals_due(&policy, now.monotonic).unwrap_or(Monotonic::NEVER));
        let due = due.min(self.rollout_due(now.monotonic));
        let snapshot = Snapshot {
            active: Some(active),
            candidate,
            signals,
            needs,
            in_force: self.postures.in_force(),
            quarantine: self.quarantines.table(),
            overrides: self.overrides.in_force(),
            anchor: self.anchor,
            clock_ok: self.clock_ok,
            engine_ok: self.engine_ok,
            due,
        };
        (snapshot, changed)
    }

    /// By action: how it stands with the signals that it requires, and those that its rules read.
    fn needs(&self, policy: &Policy, activation: u64) -> Vec<Need> {
        policy
            .actions
            .iter()
            .map(|action| {
                let (required_until, required) = self.rests_on(&action.requires);
                let (read_until, read) = self.rests_on(&action.reads.signals);
                // Every cached decision rests on the clock, in which its life is measured.
                let clock = self.changes(CLOCK);
                let posture = PostureStanding::default();
                let read = read.wrapping_add(clock);
                let stamp = Stamp { activation, required, read, posture, quarantine: 0 };
                let degraded: Vec<Name> = action
                    .requires
                    .iter()
                    .filter(|number| self.signals.status(**number) != Status::Ok)
                    .filter_map(|number| Some(policy.signals.get(usize::from(*number))?.name))
                    .collect();
                let degraded = if degraded.is_empty() { None } else { Some(sorted(degraded).into()) };
                Need { degraded, required_until, read_until, stamp }
            })
            .collect()
    }

    /// What decisions see of the rollout. A candidate that met a panic is not asked again.
    fn candidate(&self) -> Option<Box<Candidate>> {
        let staged = self.staged.as_ref().filter(|_| self.root_behind().is_none())?;
        if staged.rollout.stopped() == Some(Stop::CandidateFailed) {
            return None;
        }
        // The two declare the same signals, postures and scopes: what is told by number is so of both.
        let own = &staged.active;
        let snapshot = Snapshot {
            active: Some(own.clone()),
            signals: self.signals.views().to_vec(),
            needs: self.needs(own.bundle.policy(), own.activation),
            ..self.empty()
        };
        Some(Box::new(Candidate::new(staged, snapshot)))
    }

    /// When time alone next moves the rollout on; what waits for something else is not due.
    fn rollout_due(&self, now: Monotonic) -> Monotonic {
        let due = self.staged.as_ref().map(|staged| staged.rollout.due());
        due.filter(|due| now < *due).unwrap_or(Monotonic::NEVER)
    }

    fn empty(&self) -> Snapshot {
        Snapshot {
            active: None,
            candidate: None,
            signals: Vec::new(),
            needs: Vec::new(),
            in_force: self.postures.in_force(),
            quarantine: self.quarantines.table(),
            overrides: self.overrides.in_force(),
            anchor: self.anchor,
            clock_ok: self.clock_ok,
            engine_ok: self.engine_ok,
            due: Monotonic::NEVER,
        }
    }

    /// Looks at what every signal is.
    fn look(&mut self, policy: &Policy, now: Now) {
        let revoked = self.active.as_ref().is_some_and(|active| active.revoked);
        let allowed = !revoked && self.root_behind().is_none();
        let bundle = allowed && self.clock_ok_for(policy) && in_validity(policy, now);
        let epoch = self.epochs.is_single();
        let built_in = BuiltIn { clock: self.clock_ok, engine: self.engine_ok, bundle, epoch, audit: self.audit_ok };
        self.signals.look(&policy.signals, &self.guards, &self.feeds, built_in, now.monotonic);
    }

    /// Follows the postures until now: every instant at which time alone has changed something since they were last
    /// followed, one after the other. So a host that calls late finds the postures of one that called in time.
    pub(super) fn settle(&mut self, now: Now) {
        let Some(active) = self.active.clone() else { return };
        let policy = active.bundle.policy();
        if !policy.postures.any() {
            return;
        }
        let mut last = self.settled.unwrap_or(now.monotonic);
        loop {
            self.look(policy, earlier(now, last));
            let expires = self.signals.holds_until().map(just_after).into_iter();
            let leave = self.approved_leave_due(policy, last);
            let next = expires.chain(self.postures.due(&policy.postures)).chain(leave).min();
            let at = next.filter(|next| last < *next && *next < now.monotonic).unwrap_or(now.monotonic);
            self.look(policy, earlier(now, at));
            let truths: Vec<_> = self.entry_truths(policy, self.signals.views(), at);
            point("settle: asked");
            self.postures.step(&policy.postures, &truths, at, &mut self.transitions);
            point("settle: stepped");
            // Clocks that have parted let nothing be left: who finds it ends what was approved, before this.
            if self.clock_ok {
                self.leave_all_approved(policy, earlier(now, at));
            }
            last = at;
            if at == now.monotonic {
                break;
            }
        }
        self.settled = Some(last);
    }

    /// Whether a bundle may take the place of the active one.
    pub(super) fn admits(&self, bundle: &Bundle, now: Now) -> Result<(), ActivateError> {
        if self.root_behind().is_some() {
            return Err(ActivateError::Untrusted(Code::OlderTrust));
        }
        if let Trust::Keys(root) = &self.trust {
            root.admit(bundle, self.clock_ok.then_some(now.wall)).map_err(ActivateError::Untrusted)?;
        }
        let Some(active) = &self.active else { return Ok(()) };
        if active.bundle.name() != bundle.name() {
            return Err(ActivateError::OtherName);
        }
        let is_in = |policy: &Policy| (self.clock_ok || is_unbounded(policy)) && in_validity(policy, now);
        if !active.revoked && is_in(active.bundle.policy()) && !is_in(bundle.policy()) {
            return Err(ActivateError::OutsideValidity);
        }
        Ok(())
    }

    /// Whether no bundle of a higher revision was ever active, nor another one of the same.
    pub(super) fn admits_revision(&self, bundle: &Bundle) -> Result<(), ActivateError> {
        if self.active.is_none() {
            return Ok(());
        }
        let offered = bundle.revision();
        if offered < self.revision {
            return Err(ActivateError::OlderRevision { offered, highest: self.revision });
        }
        if self.highest.is_some_and(|(highest, id)| offered == highest && bundle.id() != id) {
            return Err(ActivateError::SameRevision { revision: offered });
        }
        Ok(())
    }

    /// Takes the guards over to the bundle that is about to be active.
    pub(super) fn carry_guards(&mut self, bundle: &Bundle) {
        let before = self.active.as_ref().map(|active| &**active.bundle.policy());
        self.guards.carry(before, bundle.policy(), !self.engine_ok);
    }

    /// Whether the bundle has every posture that is entered.
    pub(super) fn keeps_postures(&self, bundle: &Bundle) -> Result<(), ActivateError> {
        let Some(active) = &self.active else { return Ok(()) };
        let lost = self.postures.lost_by(&active.bundle.policy().postures, &bundle.policy().postures);
        lost.map_or(Ok(()), |posture| Err(ActivateError::LosesPosture { posture }))
    }

    /// Whether the bundle has every flag that is set.
    pub(super) fn keeps_flags(&self, bundle: &Bundle) -> Result<(), ActivateError> {
        let lost = self.flags.lost_by(&bundle.policy().approvers);
        lost.map_or(Ok(()), |flag| Err(ActivateError::LosesFlag { flag }))
    }

    /// When time alone next does something with proposals, overrides and flags.
    fn approvals_due(&self, policy: &Policy, now: Monotonic) -> Option<Monotonic> {
        let due = [self.approvals.due(), self.overrides.due(), self.flags.due(), self.approved_leave_due(policy, now)];
        due.into_iter().flatten().min()
    }

    /// Whether what is quarantined by a condition can be told by the bundle too.
    pub(super) fn keeps_quarantine(&self, bundle: &Bundle) -> Result<(), ActivateError> {
        let compiled = self.quarantines.compiled(bundle.policy(), None, &self.limits);
        compiled.map(|_| ()).map_err(|_| ActivateError::LosesQuarantine)
    }

    /// Takes the postures over to the bundle that is about to be active.
    pub(super) fn carry_postures(&mut self, bundle: &Bundle) {
        let before = self.active.as_ref().map(|active| &active.bundle.policy().postures);
        self.postures.carry(before, &bundle.policy().postures);
        self.settled = None;
        self.leaves_looked_at = None;
    }

    /// Takes approvals over to the bundle that is about to be active: of another document no proposal stays, and no override
    /// that it would not have granted. What an engine granted that then met a panic ends.
    pub(super) fn carry_approvals(&mut self, bundle: &Bundle, started_anew: bool, now: Now) {
        let at = now.monotonic;
        if started_anew {
            self.end_approvals(Close::Bundle, End::Bundle, at);
        } else if self.active.as_ref().is_some_and(|active| active.bundle.id() != bundle.id()) {
            for id in self.approvals.close_all() {
                self.happened.push((at, EventKind::ProposalClosed { id, why: Close::Bundle }));
            }
            let ended = self.overrides.carry(bundle.policy(), at);
            self.tell_ended(ended);
            self.cleared.clear();
        }
    }

    /// By posture: what the condition of its entry comes to.
    fn entry_truths(&self, policy: &Policy, signals: &[SignalView], at: Monotonic) -> Vec<Option<Truth>> {
        let truth = |program: &crate::condition::program::Program| {
            let arena = Bump::new();
            let steps_left = Cell::new(self.limits.steps_max);
            program.truth(&Scope {
                slots: &[],
                signals,
                posture: None,
                monotonic: at,
                wall: None,
                arena: &arena,
                steps_left,
            })
        };
        policy.postures.specs.iter().map(|spec| spec.enter.as_ref().map(|enter| truth(&enter.when))).collect()
    }

    /// Whether every signal that has to be ok to leave the posture is: those that it names, and where a failover entered
    /// it, those that the failover names and `epoch`.
    pub(super) fn checks_ok(&mut self, policy: &Policy, scope: Option<&str>, posture: u16, now: Now) -> bool {
        self.look(policy, now);
        let ok = |number: &u16| self.signals.status(*number) == Status::Ok;
        let Some(spec) = policy.postures.spec(posture) else { return false };
        let guarded = scope.is_none() && self.epochs.guards(&spec.name);
        let of_failover = policy.failover.iter().flat_map(|failover| &failover.checks).chain([&EPOCH]);
        spec.leave.checks.iter().all(ok) && (!guarded || of_failover.into_iter().all(ok))
    }

    /// A posture was left: where a failover had entered it, that is over.
    pub(super) fn left(&mut self, policy: &Policy, scope: Option<&str>, posture: u16) {
        if let Some(spec) = policy.postures.spec(posture).filter(|_| scope.is_none()) {
            self.epochs.unguard(&spec.name);
        }
    }

    /// A clock that is not to be trusted ends whatever wall time bounds (spec 1.2).
    fn clock_ok_for(&self, policy: &Policy) -> bool {
        self.clock_ok || is_unbounded(policy)
    }

    fn changes(&self, number: u16) -> u64 {
        self.statuses.get(usize::from(number)).map_or(0, |seen| seen.changes)
    }

    /// Until when these signals are known to be what they are, and the sum of their changes so far: each only grows,
    /// so an equal sum means that none has changed.
    fn rests_on(&self, numbers: &[u16]) -> (Monotonic, u64) {
        let until = |number: &u16| self.signals.standing(*number).until;
        let until = numbers.iter().filter_map(until).map(just_after).min().unwrap_or(Monotonic::NEVER);
        let changes = numbers.iter().fold(0_u64, |sum, number| sum.wrapping_add(self.changes(*number)));
        (until, changes)
    }

    /// The two clocks were found to have parted, or to be further apart. What was reported by then is as old as the wall
    /// clock says, where that is older; and what is kept rests on a clock that nobody trusts.
    pub(super) fn part(&mut self, reading: Reading, now: Monotonic) {
        self.clock_ok = false;
        let span = self.anchor.as_mut().map_or(Ttl::ZERO, |anchor| anchor.note(reading));
        if span > Ttl::ZERO {
            self.slept = (now, Ttl::from_nanos(self.slept.1.as_nanos().saturating_add(span.as_nanos())));
            self.signals.slept(span);
            self.guards.slept(span);
        }
        if let Some(clock) = self.statuses.get_mut(usize::from(CLOCK)) {
            clock.changes = clock.changes.saturating_add(1);
        }
    }

    /// Takes an observation; `reading` is the clock as the host read it, `now` as it is held.
    pub(super) fn observe(&mut self, observation: &Observation, reading: Monotonic, now: Now) -> Observed {
        let Some(active) = &self.active else { return Observed::UnknownSignal };
        let policy = active.bundle.policy();
        let Some(number) = policy.signal(&observation.signal) else { return Observed::UnknownSignal };
        let Some(Source::Observed { ttl, recover }) = policy.signals.get(usize::from(number)).map(|spec| &spec.source)
        else {
            return Observed::NotObservable;
        };
        // Rounded down, while `now` is rounded up: an observation looks older than it is, never younger.
        let here = if reading.rounded_up() < now.monotonic { now.monotonic } else { reading };
        let observed_at = observation.observed_at.unwrap_or(here).rounded_down();
        let Some(held) = self.signals.held_mut(number, policy.signals.len()) else { return Observed::UnknownSignal };
        let recovering = held.is_recovering();
        let observed = held.observe(observation.status, observed_at, now.monotonic, *ttl, *recover);
        // What was seen before a sleep and is told after it has slept too.
        let (woken, span) = self.slept;
        if observed == Observed::Taken && observed_at < woken {
            held.slept(span);
        }
        if held.is_recovering() != recovering {
            self.other_changes = self.other_changes.saturating_add(1);
        }
        observed
    }
}

/// What was held of each signal that the new bundle declares too, by its new number.
pub(super) fn carried(active: Option<&Active>, held: &[Held], bundle: &Bundle) -> Vec<Held> {
    let before = active.map(|active| active.bundle.policy());
    let carry = |spec: &SignalSpec| {
        let number = usize::from(before?.signal(&spec.name)?);
        let mut held = held.get(number).copied()?;
        // What the host observed says nothing of a feed, nor one feed of another.
        if before?.signals.get(number).is_none_or(|before| !before.source.is_told_as(&spec.source)) {
            held.forget();
        }
        Some(held)
    };
    bundle.policy().signals.iter().map(|spec| carry(spec).unwrap_or_default()).collect()
}

/// When, on the monotonic clock, the policy's validity next begins or ends.
fn next_validity_boundary(policy: &Policy, now: Now) -> Monotonic {
    let boundaries = [policy.valid_from, policy.valid_until].into_iter().flatten();
    let spans = boundaries.filter_map(|at| {
        let span = at.as_nanos().checked_sub(now.wall.as_nanos())?;
        u64::try_from(span).ok().filter(|span| *span > 0)
    });
    spans.min().map_or(Monotonic::NEVER, |span| now.monotonic.after(Ttl::from_nanos(span)))
}

/// Both clocks at an earlier monotonic time, as two clocks that agree would have shown it.
pub(super) fn earlier(now: Now, at: Monotonic) -> Now {
    let span = i64::try_from(now.monotonic.nanos_since(at)).unwrap_or(i64::MAX);
    Now { monotonic: at, wall: Wall::from_nanos(now.wall.as_nanos().saturating_sub(span)) }
}

/// The first whole millisecond after `until`.
fn just_after(until: Monotonic) -> Monotonic {
    until.after(Ttl::from_millis(1))
}

fn sorted(mut names: Vec<Name>) -> Vec<Name> {
    names.sort();
    names
}
