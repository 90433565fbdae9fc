//! The rollout at the engine: a candidate beside the active bundle, decision by decision (spec 1.1, 1.11).
//!
//! Every request is decided by the active bundle first. What the candidate makes of it is compared; it is the answer where
//! the request is on the candidate's side, and never where it newly allows what nobody approved.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::gates::Manner;
use super::snapshot::{Active, Snapshot, in_validity};
use super::told::Told;
use super::{Engine, case};
use crate::combine::Verdict;
use crate::decision::Decision;
use crate::faults::point;
use crate::journal::input::Input;
use crate::name;
use crate::operation::{Nothing, Operation, RollBack};
use crate::policy::bundle::{Bundle, BundleId, Trust};
use crate::policy::rollout::{Share, SideBy};
use crate::reason::Reason;
use crate::request::{Checked, RequestView};
use crate::state::admission::{ActivateError, LoadError};
use crate::state::approvals::Close;
use crate::state::clocks::Reading;
use crate::state::events::{ApprovedBy, EventKind};
use crate::state::proposal::{Change, ProposalId};
use crate::state::rollout::{Ending, Finding, Grounds, Rollout, RolloutError, Stop, Window};
use crate::time::Now;

/// The sections of a pack that say what an engine remembers: two bundles on one state have the same.
const STATE: [&str; 6] = ["signals", "control", "postures", "scopes", "flags", "failover"];

/// What is hashed along, so that no other digest of the same key is this one.
const PURPOSE: &[u8; 16] = b"fallgate canary1";

/// A bundle in its rollout, as the engine was told of it.
#[derive(Clone, Debug)]
pub(super) struct Staged {
    pub(super) active: Active,
    pub(super) rollout: Rollout,
    sides: Sides,
}

/// What a decision sees of it.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The same as the decision sees otherwise, but for the bundle.
    pub(super) snapshot: Snapshot,
    share: Share,
    by: SideBy,
    sides: Sides,
    approved: bool,
    window: Arc<Window>,
}

/// Which bundles read requests. Another value means that what they read is another thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readers {
    /// The number of its activation; zero for none.
    active: u64,
    /// Likewise of the candidate.
    candidate: u64,
}

impl Readers {
    fn of(snapshot: &Snapshot) -> Self {
        let number = |snapshot: &Snapshot| snapshot.active.as_ref().map_or(0, |active| active.activation);
        Self {
            active: number(snapshot),
            candidate: snapshot.candidate.as_ref().map_or(0, |candidate| number(&candidate.snapshot)),
        }
    }

    /// Whether there are two: then everything that a request has may be read.
    #[must_use]
    pub const fn are_two(self) -> bool {
        self.candidate > 0
    }
}

/// The side of a canary that a request is on: a pure function of the engine's key, the candidate, and whom it is about.
///
/// Keyed, so that nobody chooses their side; of the candidate, so that it is not always the same people who come first.
#[derive(Clone)]
struct Sides(Sha256);

/// Without the key.
impl std::fmt::Debug for Sides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sides(…)")
    }
}

impl Sides {
    fn new(key: [u8; 16], candidate: &Bundle) -> Self {
        let digest = Sha256::digest(candidate.bytes());
        Self(Sha256::new().chain_update(key).chain_update(PURPOSE).chain_update(digest))
    }

    /// The place of somebody among all, in hundredths of a percent.
    fn place(&self, (kind, id): (&str, &str)) -> u16 {
        let length = u64::try_from(kind.len()).unwrap_or(u64::MAX).to_be_bytes();
        let hash = self.0.clone().chain_update(length).chain_update(kind).chain_update(id).finalize();
        let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        number
            .checked_rem(u64::from(Share::ALL.points()))
            .and_then(|place| u16::try_from(place).ok())
            .unwrap_or(u16::MAX)
    }
}

impl Candidate {
    pub(super) fn new(staged: &Staged, snapshot: Snapshot) -> Self {
        let rollout = &staged.rollout;
        Self {
            snapshot,
            share: rollout.share(),
            by: rollout.spec().by.clone(),
            sides: staged.sides.clone(),
            approved: rollout.is_approved(),
            window: Arc::clone(rollout.window()),
        }
    }

    /// Whether the request is on the candidate's side. A place below a share is below every greater one: nobody changes
    /// sides while shares rise.
    fn takes(&self, request: &RequestView<'_>) -> bool {
        self.share > Share::NONE && self.by.of(request).is_some_and(|who| self.sides.place(who) < self.share.points())
    }
}

impl Engine {
    /// Stages a bundle beside the active one, which governs its rollout: compared first, then deciding for more and more
    /// requests, and at last the active one. Time moves it on, in [`Engine::advance`] and whatever else tells the time.
    ///
    /// # Errors
    /// [`ActivateError`], with everything as it was: what [`Engine::activate`] refuses, and a bundle that cannot decide
    /// beside the active one.
    pub fn stage(&self, bundle: Bundle, now: Now) -> Result<(), ActivateError> {
        let _ = case::failed_tests(&bundle);
        let input = self.input(now, || Input::stage(&bundle));
        let done = self.prove(&bundle, now).and_then(|()| self.begin_rollout(bundle, now));
        input.done(done.as_ref().map_err(ActivateError::code), |()| json!({}));
        done
    }

    fn begin_rollout(&self, bundle: Bundle, now: Now) -> Result<(), ActivateError> {
        let (mut told, now) = self.follow(Reading::of(now));
        let spec = match told.may_stage(&bundle, now) {
            Ok(spec) => spec,
            Err(error) => {
                self.tell_refused(&bundle, error, now);
                return Err(error);
            }
        };
        let candidate = bundle.policy().rollout.as_ref();
        let rollout = Rollout::new(&spec, candidate, &self.measures.differences, now.monotonic);
        told.activations = told.activations.saturating_add(1);
        let rows = self.measures.rows(bundle.policy());
        let (name, revision, id) = (name::name(bundle.name()).unwrap_or_default(), bundle.revision(), bundle.id());
        let sides = Sides::new(self.config.key, &bundle);
        let active = Active { bundle, activation: told.activations, revoked: false, rows };
        point("stage: begin");
        told.staged = Some(Box::new(Staged { active, rollout, sides }));
        point("stage: staged");
        self.events().push(now, EventKind::RolloutStaged { bundle: name, revision, id });
        self.publish(&mut told, now);
        Ok(())
    }

    /// Loads a bundle by the engine's own trust, and stages it: both or neither.
    ///
    /// # Errors
    /// [`LoadError`], with everything as it was.
    pub fn stage_signed(&self, bytes: &[u8], now: Now) -> Result<(), LoadError> {
        let input = self.input(now, || Input::StageSigned(Cow::Borrowed(bytes)));
        let done = self.load(bytes, now).and_then(|bundle| Ok(self.stage(bundle, now)?));
        input.done(done.as_ref().map_err(LoadError::code), |()| json!({}));
        done
    }

    /// Moves the rollout on to its next step without waiting for the time; everything else it still waits for. After the
    /// last share the candidate is the active bundle.
    ///
    /// # Errors
    /// [`RolloutError`]: what it waits for.
    pub fn promote(&self, now: Now) -> Result<(), RolloutError> {
        let input = self.operating(now, || Operation::Promote(Nothing {}));
        let done = self.promote_in_order(now);
        input.done(done.as_ref().map_err(RolloutError::code), |()| json!({}));
        done
    }

    fn promote_in_order(&self, now: Now) -> Result<(), RolloutError> {
        let (mut told, now) = self.follow(Reading::of(now));
        let grounds = told.grounds(now);
        let staged = told.staged.as_ref().ok_or(RolloutError::NoCandidate)?;
        staged.rollout.may_move(now.monotonic, grounds, true)?;
        let moved = self.move_on(&mut told, now);
        self.publish(&mut told, now);
        moved
    }

    /// Abandons the candidate: everybody is decided by the active bundle again, at once.
    ///
    /// # Errors
    /// [`RolloutError::NoCandidate`].
    pub fn roll_back(&self, now: Now) -> Result<(), RolloutError> {
        let input = self.operating(now, || Operation::RollBack(RollBack::default()));
        let (mut told, at) = self.follow(Reading::of(now));
        let done = if self.end_rollout(&mut told, Ending::Operator, at) {
            self.publish(&mut told, at);
            Ok(())
        } else {
            Err(RolloutError::NoCandidate)
        };
        drop(told);
        input.done(done.as_ref().map_err(RolloutError::code), |()| json!({}));
        done
    }

    /// Whether a bundle is in its rollout: then a host brings all the attributes that it has, since two schemas read them.
    #[must_use]
    pub fn is_in_rollout(&self) -> bool {
        self.snapshot.load().candidate.is_some()
    }

    /// Which bundles read requests, as of the last call that told the engine the time: for hosts that leave out of a request
    /// what [`Policy::wanted`](crate::policy::compile::Policy::wanted) does not name, and remember what that was.
    #[must_use]
    pub fn readers(&self) -> Readers {
        Readers::of(&self.snapshot.load())
    }

    /// The same now: what is due is done first.
    #[must_use]
    pub fn readers_at(&self, now: Now) -> Readers {
        Readers::of(&self.current(now).0)
    }

    /// Decides by the active bundle, and compares what the candidate makes of it; gives the snapshot whose bundle the
    /// decision is of.
    pub(super) fn in_rollout<'s>(
        &self,
        snapshot: &'s Snapshot,
        candidate: &'s Candidate,
        request: &Checked<'_>,
        now: Now,
        decision: &mut Decision,
    ) -> &'s Snapshot {
        self.gates(snapshot, request, now, Manner::ANSWER, decision);
        let before = &*decision;
        point("rollout: decided");
        // What an override covers is an emergency: it is the active bundle's, whose people approved it. By its last use it
        // covers nothing any more.
        let is_overridden = before.override_id().is_some();
        let is_covered = || snapshot.overrides.iter().any(|grant| grant.covers(request, now));
        if !is_comparable(before.reason()) || is_overridden || is_covered() {
            return snapshot;
        }
        let takes = candidate.takes(request);
        // Only whose side it is has an earlier answer of the candidate to stand on.
        let stale = before.reason() == Reason::AllowedStale;
        if stale && !takes {
            return snapshot;
        }
        let manner = if takes { Manner::CANDIDATE } else { Manner::SHADOW };
        let mut after = Decision::new(Verdict::deny(Reason::InternalError), now);
        let gates = || self.gates(&candidate.snapshot, request, now, manner, &mut after);
        if catch_unwind(AssertUnwindSafe(gates)).is_err() {
            if candidate.window.fail() {
                self.attend(candidate, now);
            }
            return snapshot;
        }
        let counts = || candidate.window.count(request.action.name, before, &after, candidate.approved);
        let look = !stale && counts();
        let stands = !look || self.attend(candidate, now);
        let newly_allows = after.is_allow() && !before.is_allow();
        if takes && stands && (candidate.approved || !newly_allows) {
            *decision = after;
            &candidate.snapshot
        } else {
            snapshot
        }
    }

    /// Looks at the rollout that a decision has counted in; whether its candidate still decides for anybody.
    fn attend(&self, candidate: &Candidate, now: Now) -> bool {
        let mut told = self.told();
        let of_this = |staged: &Staged| {
            candidate.snapshot.active.as_ref().is_some_and(|own| own.activation == staged.active.activation)
        };
        if !told.staged.as_deref().is_some_and(of_this) {
            return false;
        }
        let now = self.held(now);
        self.follow_rollout(&mut told, Some(&candidate.window), now);
        self.publish(&mut told, now);
        told.staged.as_deref().is_some_and(|staged| staged.rollout.stopped().is_none())
    }

    /// Does with the rollout what is due: ends it, stops it, or moves it on.
    pub(super) fn follow_rollout(&self, told: &mut Told, earlier: Option<&Window>, now: Now) {
        let Some(staged) = &told.staged else { return };
        if let Trust::Keys(root) = &told.trust
            && root.revokes(&staged.active.bundle)
        {
            self.end_rollout(told, Ending::Revoked, now);
            return;
        }
        match staged.rollout.look(earlier) {
            Some(Finding::Ends(ending)) => {
                self.end_rollout(told, ending, now);
                return;
            }
            Some(Finding::Stops(stop)) => self.stop_rollout(told, stop, earlier, now),
            None => {}
        }
        let grounds = told.grounds(now);
        let moves = told.staged.as_ref().is_some_and(|it| it.rollout.may_move(now.monotonic, grounds, false).is_ok());
        if moves {
            // Where it cannot, it has stopped, which is told.
            let _ = self.move_on(told, now);
        }
    }

    /// Goes on to the next step, or makes the candidate the active bundle.
    fn move_on(&self, told: &mut Told, now: Now) -> Result<(), RolloutError> {
        // What it moves on for comes first: an approval, or a clock that was anchored.
        self.tell_transitions(told, now);
        let staged = told.staged.as_mut().ok_or(RolloutError::NoCandidate)?;
        let (bundle, revision) = name_of(&staged.active);
        if staged.rollout.next(now.monotonic).is_some() {
            let share = staged.rollout.share();
            point("rollout: moved");
            self.events().push(now, EventKind::RolloutAdvanced { bundle, revision, share });
            return Ok(());
        }
        let candidate = staged.active.bundle.clone();
        let admitted = told.admits(&candidate, now).and_then(|()| told.admits_revision(&candidate));
        let admitted = admitted.and_then(|()| {
            if in_validity(candidate.policy(), now) {
                told.keeps(&candidate)
            } else {
                Err(ActivateError::OutsideValidity)
            }
        });
        if let Err(error) = admitted {
            self.stop_rollout(told, Stop::Refused(error), None, now);
            return Err(error.into());
        }
        told.staged = None;
        point("rollout: completed");
        told.close_promotions(now);
        self.events().push(now, EventKind::RolloutCompleted { bundle, revision });
        self.install(told, candidate, now);
        Ok(())
    }

    fn stop_rollout(&self, told: &mut Told, stop: Stop, earlier: Option<&Window>, now: Now) {
        let Some(staged) = &mut told.staged else { return };
        let window = staged.rollout.window();
        let action = window.first_undeclared().or_else(|| earlier?.first_undeclared());
        let action = action.filter(|_| stop == Stop::NewlyAllowed);
        staged.rollout.stop(stop);
        let (bundle, revision) = name_of(&staged.active);
        self.events().push(now, EventKind::RolloutStopped { bundle, revision, code: stop.code(), action });
    }

    /// Ends the rollout with the active bundle as it was; whether there was one.
    pub(super) fn end_rollout(&self, told: &mut Told, ending: Ending, now: Now) -> bool {
        let Some(staged) = told.staged.take() else { return false };
        point("rollout: ended");
        let (bundle, revision) = name_of(&staged.active);
        told.close_promotions(now);
        self.events().push(now, EventKind::RolloutEnded { bundle, revision, ending });
        true
    }

    /// How it stands with the rollout, and what there is to go back to, for people.
    pub(super) fn rollout_overview(told: &Told, now: Now) -> (Value, Value) {
        let former = told
            .formers
            .iter()
            .filter(|former| told.active.as_ref().is_none_or(|active| active.bundle.id() != former.id()));
        let former = former.map(|bundle| {
            json!({
                "bundle": bundle.id().to_string(), "revision": bundle.revision(),
            })
        });
        let former: Vec<Value> = former.collect();
        let Some(staged) = &told.staged else { return (Value::Null, former.into()) };
        let rollout = &staged.rollout;
        let window = rollout.window();
        let differences = window.differences();
        let count = crate::state::rollout::read;
        let waits = rollout.may_move(now.monotonic, told.grounds(now), false).err();
        let view = json!({
            "bundle": staged.active.bundle.id().to_string(),
            "revision": staged.active.bundle.revision(),
            "step": rollout.step().code(),
            "share": rollout.share().to_string(),
            "approved": rollout.is_approved(),
            "stopped": rollout.stopped().map(Stop::code),
            "waits_for": waits.as_ref().map(RolloutError::code),
            "due_in_ms": rollout.due().nanos_since(now.monotonic) / 1_000_000,
            "compared": count(&differences.compared),
            "newly_allowed": count(&differences.newly_allowed),
            "newly_denied": count(&differences.newly_denied),
            "reason_only": count(&differences.reason_only),
            "indeterminate": count(&differences.indeterminate),
        });
        (view, former.into())
    }
}

impl Told {
    /// The rollout that the active bundle declares, where this one may enter it.
    fn may_stage(&self, bundle: &Bundle, now: Now) -> Result<crate::policy::rollout::RolloutSpec, ActivateError> {
        let active = self.active.as_ref().ok_or(ActivateError::NoRollout)?;
        let spec = active.bundle.policy().rollout.as_ref().ok_or(ActivateError::NoRollout)?;
        if self.staged.is_some() {
            return Err(ActivateError::RolloutActive);
        }
        self.admits(bundle, now)?;
        self.admits_revision(bundle)?;
        if active.bundle.id() == bundle.id() {
            return Err(ActivateError::AlreadyActive);
        }
        if !in_validity(bundle.policy(), now) {
            return Err(ActivateError::OutsideValidity);
        }
        if let Some(section) = changed_section(&active.bundle, bundle) {
            return Err(ActivateError::ChangesState { section });
        }
        self.keeps(bundle)?;
        Ok(spec.clone())
    }

    /// Whether what every decision rests on is beyond doubt.
    fn grounds(&self, now: Now) -> Grounds {
        let decides = |active: &Active| !active.revoked && in_validity(active.bundle.policy(), now);
        Grounds {
            clock: self.clock_ok,
            engine: self.engine_ok,
            bundle: self.active.as_ref().is_some_and(decides),
            audit: self.audit_ok,
        }
    }

    /// The candidate's promotion was approved.
    pub(super) fn approve_promotion(&mut self, digest: &str, approved: ApprovedBy, now: Now) -> bool {
        let Some(staged) = self.staged.as_mut().filter(|it| it.active.bundle.id().to_string() == digest) else {
            return false;
        };
        staged.rollout.approve(now.monotonic);
        let (bundle, revision) = name_of(&staged.active);
        let approved = Box::new(approved);
        self.happened.push((now.monotonic, EventKind::RolloutApproved { bundle, revision, approved }));
        true
    }

    /// Whether a bundle of that digest is staged.
    pub(super) fn stages(&self, digest: &str) -> bool {
        self.staged.as_ref().is_some_and(|staged| staged.active.bundle.id().to_string() == digest)
    }

    /// Closes what was proposed about a candidate that is none any more.
    fn close_promotions(&mut self, now: Now) {
        let promotes = |change: &Change| matches!(change, Change::Promote(_));
        let open: Vec<ProposalId> = self
            .approvals
            .pending()
            .filter(|pending| promotes(&pending.proposal.document.operation))
            .map(|pending| pending.proposal.id)
            .collect();
        for id in open {
            self.close(id, Close::Moot, now.monotonic);
        }
    }

    /// Approved people let this bundle in, whatever its revision, until then.
    pub(super) fn clear_bundle(&mut self, id: BundleId, until: Now, approved: ApprovedBy, now: Now) {
        // Each takes the place of a proposal that is remembered as long: there are never more.
        self.cleared.retain(|(other, until)| *other != id && now.monotonic < until.monotonic && now.wall < until.wall);
        self.cleared.push((id, until));
        self.happened.push((now.monotonic, EventKind::BundleCleared { id, approved: Box::new(approved) }));
    }

    /// Whether approved people let this bundle in.
    pub(super) fn is_cleared(&self, id: BundleId, now: Now) -> bool {
        let holds = |until: &Now| now.monotonic < until.monotonic && now.wall < until.wall;
        self.clock_ok && self.cleared.iter().any(|(other, until)| *other == id && holds(until))
    }
}

/// Whether what the active bundle says can be held against what the candidate says: not where it says nothing of the
/// request, only that it could not decide.
const fn is_comparable(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::NoPolicy
            | Reason::PolicyExpired
            | Reason::PolicyNotYetValid
            | Reason::RevisionTooOld
            | Reason::AuditUnavailable
            | Reason::InternalError
    )
}

/// The first section of what an engine remembers in which two bundles differ.
fn changed_section(active: &Bundle, candidate: &Bundle) -> Option<&'static str> {
    let read = |bundle: &Bundle| serde_json::from_slice::<Value>(bundle.bytes()).unwrap_or_default();
    let (active, candidate) = (read(active), read(candidate));
    STATE.into_iter().find(|section| active.get(section) != candidate.get(section))
}

fn name_of(active: &Active) -> (name::Name, u64) {
    (name::name(active.bundle.name()).unwrap_or_default(), active.bundle.revision())
}
