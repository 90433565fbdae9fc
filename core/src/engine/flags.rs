//! Flags at the engine: what operators set and clear, and which are set.

use super::approvals::flag_age;
use super::told::Told;
use super::{Engine, cut};
use crate::faults::point;
use crate::journal::input::Input;
use crate::name::Name;
use crate::operation::Operation;
use crate::policy::approver::FlagSpec;
use crate::state::clocks::Reading;
use crate::state::events::EventKind;
use crate::state::flags::FlagError;
use crate::state::proposal::ProposalId;
use crate::state::proposal::{ClearFlag, SetFlag};
use crate::time::{Monotonic, Now, Ttl};

/// A flag that is set, for whoever has to clear it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagView {
    /// Its name.
    pub flag: Name,
    /// The posture that it holds.
    pub posture: Name,
    /// Who answers for it.
    pub owner: Box<str>,
    /// Since when it is set.
    pub since: Monotonic,
    /// From when on it is stale.
    pub expires_at: Monotonic,
    /// Whether it is stale: it stays in effect until it is cleared.
    pub expired: bool,
}

impl Engine {
    /// Sets a flag for a length of time, or for the longest that the pack admits: its posture is entered at once, and
    /// cannot be left until the flag is cleared. After that time it is reported; it stays in effect.
    ///
    /// # Errors
    /// [`FlagError`]; [`FlagError::NotApproved`] where the pack declares approvals for it.
    pub fn set_flag(&self, flag: &str, age: Option<Ttl>, now: Now) -> Result<(), FlagError> {
        let _input = self.operating(now, || Operation::SetFlag(SetFlag { flag: flag.to_owned(), for_: age }));
        self.on_flag(flag, now, |told, spec, at| {
            let age = flag_age(spec, age).ok_or(FlagError::AgeTooLong)?;
            told.set_flag(spec, age, None, at);
            Ok(())
        })
    }

    /// Clears a flag. Its posture stays entered until somebody leaves it.
    ///
    /// # Errors
    /// [`FlagError`]; [`FlagError::NotApproved`] where the pack declares approvals for it.
    pub fn clear_flag(&self, flag: &str, now: Now) -> Result<(), FlagError> {
        let _input = self.operating(now, || Operation::ClearFlag(ClearFlag { flag: flag.to_owned() }));
        self.on_flag(flag, now, |told, spec, at| told.clear_flag(spec, None, at))
    }

    /// The flags that are set, by name.
    #[must_use]
    pub fn flags(&self, now: Now) -> Vec<FlagView> {
        let _input = self.input(now, || Input::Advance);
        let (told, now) = self.follow(Reading::of(now));
        let Some(active) = &told.active else { return Vec::new() };
        let policy = active.bundle.policy();
        let view = |(name, set): (&Name, &crate::state::flags::Set)| {
            let spec = policy.approvers.flag(name)?;
            Some(FlagView {
                flag: *name,
                posture: policy.postures.spec(spec.posture)?.name,
                owner: spec.owner.clone(),
                since: set.since,
                expires_at: set.expires_at,
                expired: set.expires_at <= now.monotonic,
            })
        };
        told.flags.iter().filter_map(view).collect()
    }

    fn on_flag(
        &self,
        flag: &str,
        now: Now,
        act: impl FnOnce(&mut Told, &FlagSpec, Monotonic) -> Result<(), FlagError>,
    ) -> Result<(), FlagError> {
        let (mut told, now) = self.follow(Reading::of(now));
        let policy = told.active.as_ref().map(|active| active.bundle.policy().clone());
        let spec = policy.as_ref().and_then(|policy| policy.approvers.flag(flag)).ok_or(FlagError::UnknownFlag);
        let done = spec.and_then(|spec| match spec.approvals {
            Some(_) => Err(FlagError::NotApproved),
            None => act(&mut told, spec, now.monotonic),
        });
        if let Err(error) = done {
            told.happened.push((now.monotonic, EventKind::FlagKept { flag: cut(flag), code: error.code() }));
        }
        self.publish(&mut told, now);
        done
    }
}

impl Told {
    /// Sets a flag: its posture is entered with the next snapshot.
    pub(super) fn set_flag(&mut self, spec: &FlagSpec, age: Ttl, approved: Option<ProposalId>, at: Monotonic) {
        self.flags.set(spec.name, at, age);
        point("flag: set");
        self.other_changes = self.other_changes.saturating_add(1);
        self.hold_flagged();
        self.happened.push((at, EventKind::FlagSet { flag: spec.name, owner: spec.owner.clone(), approved }));
    }

    /// Clears a flag.
    pub(super) fn clear_flag(
        &mut self,
        spec: &FlagSpec,
        approved: Option<ProposalId>,
        at: Monotonic,
    ) -> Result<(), FlagError> {
        self.flags.clear(&spec.name)?;
        point("flag: cleared");
        self.other_changes = self.other_changes.saturating_add(1);
        self.hold_flagged();
        self.happened.push((at, EventKind::FlagCleared { flag: spec.name, approved }));
        Ok(())
    }

    /// Lets the flags that are set hold the postures that the policy declares for them.
    pub(super) fn hold_flagged(&mut self) {
        if let Some(active) = &self.active {
            self.postures.hold(self.flags.postures(&active.bundle.policy().approvers));
        }
    }
}
