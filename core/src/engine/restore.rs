//! State at the engine: what is exported, and what a restored state is joined with (spec 1.8, 2.5).
//!
//! To restore only tightens. What cannot be verified or does not fit is answered with the strictest posture everywhere: an
//! engine that does not know in which posture it was is in none that permits more.

use std::str::FromStr;
use std::sync::Arc;

use super::told::Told;
use super::{Config, Engine};
use crate::audit::chain::Head;
use crate::faults::point;
use crate::name::{self, Name};
use crate::operation::{Nothing, Operation, RestoreState};
use crate::policy::approver::Fingerprint;
use crate::policy::bundle::{BundleId, hexadecimal};
use crate::policy::compile::Policy;
use crate::policy::posture::Postures;
use crate::state::approvals::Close;
use crate::state::clocks::Reading;
use crate::state::document::{
    Barred, ChainHead, Codes, Elapsed, Failover, FlagSet, State, StateError, WrittenAt, left_ms, span_ms, wall_ms,
};
use crate::state::events::EventKind;
use crate::state::flags::Set;
use crate::state::overrides::End;
use crate::state::postures::Cause;
use crate::state::proposal::ProposalId;
use crate::state::quarantine::Selector;
use crate::state::totp::Tries;
use crate::time::{Monotonic, Now, Ttl, Wall};

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The sequence of the state.
    pub sequence: u64,
    /// Its epoch.
    pub epoch: u64,
    /// The engine that wrote it, as its host calls it.
    pub instance: Box<str>,
    /// How much time has passed since, at the most; nothing where the clocks cannot tell.
    pub elapsed: Elapsed,
}

impl Engine {
    /// Exports what has to outlive this process: postures, quarantines, revocations, the highest revision, the trust root,
    /// the confirmed head of the audit chain and the epoch, sealed with the key of the [`Config`]. The same state gives the same bytes in every language.
    ///
    /// # Errors
    /// [`StateError`], without a key or a bundle, or beyond the limit.
    pub fn export_state(&self, now: Now) -> Result<Vec<u8>, StateError> {
        let _input = self.operating(now, || Operation::ExportState(Nothing {}));
        let key = self.config.state_key.as_ref().ok_or(StateError::NoKey)?;
        let audit = written(self.outbox().confirmed());
        let (told, now) = self.follow(Reading::of(now));
        let state = told.exported(&self.config, audit, now);
        drop(told);
        state?.seal(key, &self.config.limits)
    }

    /// The sequence that an exported state would have: it grows with every change, so that a host knows when to export.
    #[must_use]
    pub fn state_sequence(&self) -> u64 {
        self.told().sequence()
    }

    /// Restores an exported state into this engine, whose bundle is active already. It only tightens: of two postures the
    /// stricter one stands, of two spans the longer one.
    ///
    /// `least_sequence` is the lowest one that the host takes: the last that it has stored, where it remembers that apart
    /// from the state.
    ///
    /// # Errors
    /// [`StateError`]. Then the strictest posture is entered everywhere, or everything is quarantined where the pack has
    /// none. Nothing else of the state counts, unless it is genuine and only does not fit the bundle: then the rest of it
    /// is restored too, since that denies more.
    pub fn restore_state(&self, bytes: &[u8], least_sequence: Option<u64>, now: Now) -> Result<Restored, StateError> {
        let _input = self.operating(now, || {
            let state = String::from_utf8_lossy(bytes).into_owned();
            Operation::RestoreState(RestoreState { state, least_sequence })
        });
        let head = written(self.outbox().head());
        // What was due before comes before what is restored.
        let (mut told, now) = self.follow(Reading::of(now));
        told.half_carried = true;
        point("restore: begin");
        let read = match &self.config.state_key {
            Some(key) => State::open(bytes, key, &self.config.limits),
            None => Err(StateError::NoKey),
        };
        // Also where the state is gone: what this engine exports is newer than all that its host has seen.
        told.begin_above(least_sequence.unwrap_or(0));
        let (mut rival, mut missing, mut adrift) = (None, None, false);
        told.approve_anew(now.wall, now);
        point("restore: approvals ended");
        let done = read.and_then(|state| {
            told.admits_state(&state, least_sequence)?;
            rival = self.rival(&state);
            // Another engine has a chain of its own.
            let ours = state.instance == self.config.instance.as_str();
            adrift = state.at.elapsed(now, told.clock_ok, self.config.clock_skew_max).is_none();
            missing = Some(state.audit.count).filter(|_| ours && !state.audit.is_held(&head));
            told.join(&state, &self.config, now)
        });
        if told.clock_ok && adrift {
            // A restart does not cure a clock that failed, or that says that it is earlier than it was; nor does a state that
            // does not fit the bundle.
            told.clock_ok = false;
            self.events().push(now, EventKind::ClockFailed);
        }
        match &done {
            Ok(restored) => {
                let (sequence, epoch) = (restored.sequence, restored.epoch);
                self.events().push(now, EventKind::StateRestored { sequence, epoch });
            }
            Err(error) => {
                self.events().push(now, EventKind::RestoreFailed { code: error.code() });
                self.tighten(&mut told, None, Cause::Restore, now);
                // One that only does not fit was joined: then it is known what controllers have said.
                let joined = matches!(
                    error,
                    StateError::BundleBehind { .. }
                        | StateError::OtherBundle { .. }
                        | StateError::TrustBehind { .. }
                        | StateError::DoesNotFit
                );
                if !joined {
                    told.doubt_feeds(now.wall);
                }
            }
        }
        if let Some(known) = missing {
            self.events().push(now, EventKind::AuditBehind { known, held: head.count });
        }
        if let Some((epoch, instance)) = rival {
            self.witness(&mut told, epoch, &instance, now);
        }
        point("restore: joined");
        told.half_carried = false;
        self.publish(&mut told, now);
        done
    }

    /// The claim of another engine that a state carries.
    fn rival(&self, state: &State) -> Option<(u64, Name)> {
        state.failover.active.then(|| (state.failover.epoch, super::cut(&state.instance)))
    }

    /// Enters a posture everywhere, for the engine's own reasons: that one, or else the strictest. Where the pack has none
    /// to enter, or none is active, everything is quarantined until an operator lifts that.
    pub(super) fn tighten(&self, told: &mut Told, posture: Option<u16>, cause: Cause, now: Now) -> Option<Name> {
        let policy = told.active.as_ref().map(|active| Arc::clone(active.bundle.policy()));
        let entered = policy.as_ref().and_then(|policy| {
            let number = posture.or_else(|| strictest(&policy.postures))?;
            told.postures.enter_everywhere(&policy.postures, number, cause, now.monotonic, &mut told.transitions);
            Some(policy.postures.spec(number)?.name)
        });
        if entered.is_none() {
            let begun = told.quarantines.begin(&Selector::Everything, None, true);
            let selector = begun.to_string().into();
            self.events().push(now, EventKind::Quarantined { selector, reason: cause.code().into() });
        }
        entered
    }
}

/// A head of the audit chain as a state carries it.
fn written(head: Head) -> ChainHead {
    ChainHead { count: head.count, head: hexadecimal(&head.hash) }
}

/// The number of the strictest posture, if there is any but the normal one.
fn strictest(postures: &Postures) -> Option<u16> {
    let last = postures.specs.len().checked_sub(1).filter(|last| *last > 0)?;
    u16::try_from(last).ok()
}

impl Told {
    /// Grows with every change of what is exported.
    fn sequence(&self) -> u64 {
        let counts = [
            self.sequence_ahead,
            self.activations,
            self.postures.turns(),
            self.quarantines.changes(),
            self.epochs.changes(),
            self.other_changes,
        ];
        counts.into_iter().fold(0, u64::saturating_add)
    }

    /// Lets what is exported from now on have a sequence that is no lower.
    fn begin_above(&mut self, sequence: u64) {
        let ahead = sequence.saturating_sub(self.sequence());
        self.sequence_ahead = self.sequence_ahead.saturating_add(ahead);
    }

    fn exported(&self, config: &Config, audit: ChainHead, now: Now) -> Result<State, StateError> {
        let active = self.active.as_ref().ok_or(StateError::NoPolicy)?;
        let highest = self.highest.map_or(active.bundle.id(), |(_, id)| id);
        let (policy, at) = (active.bundle.policy(), now.monotonic);
        Ok(State {
            pack: policy.name.as_str().to_owned(),
            bundle: active.bundle.id().to_string(),
            returned: self.returned_to.is_some(),
            revision: self.revision,
            revision_bundle: highest.to_string(),
            trust: self.newest_root(),
            audit,
            sequence: self.sequence(),
            instance: config.instance.as_str().to_owned(),
            failover: Failover {
                epoch: self.epochs.epoch(),
                active: self.epochs.is_active(),
                highest: self.epochs.highest(),
                postures: self.epochs.guarded().iter().map(|posture| posture.as_str().to_owned()).collect(),
            },
            at: WrittenAt::new(now, self.clock_ok),
            postures: self.postures.exported(&policy.postures, at),
            entering: self.postures.entering(&policy.postures, at),
            quarantines: self.quarantines.exported(at),
            revocations: self.quarantines.exported_revocations(at),
            flags: self.flags_set(at),
            approvals: self.barred(now.monotonic),
            recovering: self.recovering(policy),
            control: self.feeds.exported(),
        })
    }

    /// Whether a genuine state is the one to restore: of this pack, and no older than what is known.
    fn admits_state(&self, state: &State, least_sequence: Option<u64>) -> Result<(), StateError> {
        let active = self.active.as_ref().ok_or(StateError::NoPolicy)?;
        if active.bundle.name() != state.pack {
            return Err(StateError::OtherPack);
        }
        let older = |offered, least| if offered < least { Err(StateError::Older { offered, least }) } else { Ok(()) };
        older(state.failover.epoch, self.epochs.epoch())?;
        let (epoch, sequence) = self.restored;
        older(state.sequence, if state.failover.epoch == epoch { sequence } else { 0 })?;
        older(state.sequence, least_sequence.unwrap_or(0))
    }

    /// Joins a state that is admitted.
    ///
    /// # Errors
    /// What of it does not fit the active bundle. All the rest is joined.
    fn join(&mut self, state: &State, config: &Config, now: Now) -> Result<Restored, StateError> {
        let active = self.active.as_ref().ok_or(StateError::NoPolicy)?;
        let (policy, at) = (Arc::clone(active.bundle.policy()), now.monotonic);
        let same = active.bundle.id().to_string() == state.bundle;
        let elapsed = state.at.elapsed(now, self.clock_ok, config.clock_skew_max);
        for quarantined in &state.quarantines {
            self.quarantines.join(quarantined, at);
        }
        for revoked in &state.revocations {
            self.quarantines.join_revocation(revoked, at);
        }
        point("restore: quarantines joined");
        self.join_recovering(state, &policy);
        let fits = self.join_postures(state, &policy.postures, elapsed, at);
        let known = |posture: &&String| policy.postures.number(posture).is_some_and(|number| number > 0);
        point("restore: postures joined");
        let fits = self.join_flags(state, &policy, elapsed, at) && fits;
        let fits = self.feeds.join(&state.control) && fits;
        point("restore: feeds joined");
        self.join_approvals(state, now);
        let guarded = state.failover.postures.iter().filter(known).filter_map(|posture| name::name(posture));
        self.epochs.join(state.failover.epoch, state.failover.highest, guarded);
        if let Some(root) = &state.trust {
            self.join_root(root);
        }
        // A bundle that an engine had gone back to by its rules is not one that lags behind.
        let gone_back = state.returned && same;
        if policy.revision < state.revision {
            self.returned_to = gone_back.then_some(policy.revision);
        }
        let other = self.join_revision(state);
        self.restored = (state.failover.epoch, state.sequence);
        self.begin_above(state.sequence);
        if let Some(root) = self.root_behind() {
            return Err(StateError::TrustBehind { known: root.version });
        }
        if other {
            return Err(StateError::OtherBundle { revision: state.revision });
        }
        if policy.revision < state.revision && !gone_back {
            return Err(StateError::BundleBehind { known: state.revision });
        }
        if !fits {
            return Err(StateError::DoesNotFit);
        }
        let (sequence, epoch) = (state.sequence, state.failover.epoch);
        Ok(Restored { sequence, epoch, instance: state.instance.as_str().into(), elapsed })
    }

    /// Takes in the highest revision that was active; whether another bundle of it is known here. Then the one that is
    /// restored counts: it was active before.
    fn join_revision(&mut self, state: &State) -> bool {
        let Some(id) = BundleId::parse(&state.revision_bundle) else { return true };
        if state.revision < self.revision {
            return false;
        }
        let known = self.highest.filter(|_| state.revision == self.revision);
        (self.revision, self.highest) = (state.revision, Some((state.revision, id)));
        known.is_some_and(|(_, known)| known != id)
    }

    fn flags_set(&self, at: Monotonic) -> Vec<FlagSet> {
        let set = self.flags.iter();
        set.map(|(flag, set)| FlagSet { flag: flag.as_str().to_owned(), fresh_ms: span_ms(at, set.expires_at) })
            .collect()
    }

    /// Sets the flags that the active bundle has; whether it has all of them.
    fn join_flags(&mut self, state: &State, policy: &Policy, elapsed: Elapsed, at: Monotonic) -> bool {
        let mut fits = true;
        for FlagSet { flag, fresh_ms } in &state.flags {
            let Some(spec) = policy.approvers.flag(flag) else {
                fits = false;
                continue;
            };
            let expires_at = at.after(Ttl::from_millis(left_ms(*fresh_ms, elapsed)));
            let here = self.flags.iter().find(|(name, _)| **name == spec.name).map(|(_, set)| *set);
            let set = Set { since: at, expires_at, reported: false };
            let joined = here.map_or(set, |here| Set { expires_at: here.expires_at.min(expires_at), ..here });
            self.flags.restore(spec.name, joined);
            self.other_changes = self.other_changes.saturating_add(1);
        }
        self.hold_flagged();
        fits
    }

    /// What is not taken as an approval after a restart.
    fn barred(&self, now: Monotonic) -> Barred {
        let approvals = &self.approvals;
        let waiting = approvals.pending().map(|pending| (pending.proposal.id, pending.proposal.expires_at));
        let known = approvals.over().map(|(id, until)| (*id, *until)).chain(waiting);
        // Wrong codes that count no more must not count anew after a restart.
        let codes = approvals
            .codes()
            .iter()
            .map(|(of, tries)| (hexadecimal(of), Codes { used: tries.used, wrong: tries.wrong_at(now) }));
        Barred {
            began_ms: approvals.began().map(wall_ms),
            forgotten_ms: approvals.forgotten().map(wall_ms),
            proposals: known.map(|(id, until)| (id.to_string(), wall_ms(until))).collect(),
            codes: codes.collect(),
        }
    }

    fn join_approvals(&mut self, state: &State, now: Now) {
        let Barred { began_ms, forgotten_ms, proposals, codes } = &state.approvals;
        let began = began_ms.map(Wall::from_millis).max(Some(state.at.wall()));
        self.approve_anew(began.unwrap_or(now.wall), now);
        let over = proposals.iter().filter_map(|(id, until)| {
            let id = ProposalId::from_str(id).ok()?;
            Some((id, Wall::from_millis(*until)))
        });
        let codes = codes.iter().filter_map(|(of, Codes { used, wrong })| {
            let bytes = data_encoding::HEXLOWER.decode(of.as_bytes()).ok()?;
            let tries = Tries { used: *used, since: now.monotonic, wrong: *wrong };
            Some((Fingerprint::try_from(bytes.as_slice()).ok()?, tries))
        });
        self.approvals.join(over, forgotten_ms.map(Wall::from_millis), codes);
    }

    /// Ends what loosens, and takes nothing any more that was issued until then: whether it was carried out or used before,
    /// or by another engine, nobody here knows.
    pub(super) fn approve_anew(&mut self, until: Wall, now: Now) {
        self.end_approvals(Close::Anew, End::Anew, now.monotonic);
        self.approvals.begin_anew(until);
        self.other_changes = self.other_changes.saturating_add(1);
    }

    /// The signals that failed and have not recovered, in order of their names.
    fn recovering(&self, policy: &Policy) -> Vec<String> {
        let held = policy.signals.iter().zip(self.signals.all_held()).filter(|(_, held)| held.is_recovering());
        let mut names: Vec<String> = held.map(|(spec, _)| spec.name.as_str().to_owned()).collect();
        names.sort();
        names
    }

    fn join_recovering(&mut self, state: &State, policy: &Policy) {
        for name in &state.recovering {
            let number = policy.signal(name);
            if let Some(held) = number.and_then(|number| self.signals.held_mut(number, policy.signals.len())) {
                held.failed_elsewhere();
                self.other_changes = self.other_changes.saturating_add(1);
            }
        }
    }

    /// Joins the postures that the active bundle has; whether it has all of them.
    fn join_postures(&mut self, state: &State, postures: &Postures, elapsed: Elapsed, at: Monotonic) -> bool {
        let mut fits = true;
        for layer in &state.postures {
            let kind = layer.scope.as_ref().map(|scope| scope.split(':').next().unwrap_or_default());
            let number = postures.number(&layer.posture).filter(|number| *number > 0);
            match number.filter(|_| kind.is_none_or(|kind| postures.scope(kind).is_some())) {
                Some(number) => self.postures.join(postures, number, layer, elapsed, at, &mut self.transitions),
                // What is not entered is only remembered for its back-off.
                None => fits &= layer.entered.is_none(),
            }
        }
        for entering in &state.entering {
            match postures.number(&entering.posture).filter(|number| *number > 0) {
                Some(number) => self.postures.join_entering(postures, number, entering.in_ms, elapsed, at),
                None => fits = false,
            }
        }
        fits
    }
}
