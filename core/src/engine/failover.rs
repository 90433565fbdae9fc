//! Failover at the engine: who takes over, and what happens when two did (spec 1.8, 1.11).

use super::Engine;
use super::told::Told;
use crate::faults::point;
use crate::operation::{Claim, Nothing, Operation};
use crate::state::clocks::Reading;
use crate::state::epochs::FailoverError;
use crate::state::events::EventKind;
use crate::state::postures::Cause;
use crate::time::Now;

impl Engine {
    /// Makes this engine the active one, as an operator or a controller that speaks for one: it claims an epoch above every
    /// one that it has seen, and gives it, for the host to publish. The posture that the pack's `failover` names is
    /// entered everywhere, and is left only with its checks ok.
    ///
    /// # Errors
    /// [`FailoverError`], with everything as it was.
    pub fn take_over(&self, now: Now) -> Result<u64, FailoverError> {
        let _input = self.operating(now, || Operation::TakeOver(Nothing {}));
        let (mut told, now) = self.follow(Reading::of(now));
        if told.active.is_none() {
            return Err(FailoverError::NoPolicy);
        }
        if self.config.instance.is_empty() {
            return Err(FailoverError::NoInstance);
        }
        let epoch = told.epochs.take_over()?;
        point("failover: claimed");
        self.events().push(now, EventKind::TookOver { epoch });
        told.approve_anew(now.wall, now);
        point("failover: approvals ended");
        if let Some(posture) = told.failover_posture() {
            self.tighten_and_guard(&mut told, Some(posture), Cause::Failover, now);
        }
        self.publish(&mut told, now);
        Ok(epoch)
    }

    /// Takes in that an engine claims to be active with an epoch, as the host read it from its shared store or from a peer.
    /// Where this one is active too, the signal `epoch` fails until it takes over anew or resigns, and the posture of the
    /// pack's `failover` is entered everywhere, or the strictest where it names none.
    pub fn witness_epoch(&self, epoch: u64, instance: &str, now: Now) {
        let _input = self.operating(now, || Operation::WitnessEpoch(Claim { epoch, instance: instance.to_owned() }));
        let (mut told, now) = self.follow(Reading::of(now));
        self.witness(&mut told, epoch, instance, now);
        self.publish(&mut told, now);
    }

    /// Gives up being active, as an operator: this engine is a standby from now on. The posture stays what it is.
    ///
    /// # Errors
    /// [`FailoverError::NotActive`].
    pub fn resign(&self, now: Now) -> Result<(), FailoverError> {
        let _input = self.operating(now, || Operation::Resign(Nothing {}));
        let (mut told, now) = self.follow(Reading::of(now));
        let epoch = told.epochs.resign()?;
        self.events().push(now, EventKind::Resigned { epoch });
        self.publish(&mut told, now);
        Ok(())
    }

    /// The epoch that this engine claims while it is the active one; nothing while it is not.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        let told = self.told();
        told.epochs.is_active().then(|| told.epochs.epoch())
    }

    pub(super) fn witness(&self, told: &mut Told, epoch: u64, instance: &str, now: Now) {
        // Nobody can tell two engines without a name apart.
        let by_another = instance.is_empty() || instance != self.config.instance.as_str();
        if told.epochs.witness(epoch, by_another) {
            point("failover: witnessed");
            self.events().push(now, EventKind::SplitBrain { epoch, instance: super::cut(instance) });
            let posture = told.failover_posture();
            self.tighten_and_guard(told, posture, Cause::SplitBrain, now);
        }
    }

    fn tighten_and_guard(&self, told: &mut Told, posture: Option<u16>, cause: Cause, now: Now) {
        if let Some(posture) = self.tighten(told, posture, cause, now) {
            told.epochs.guard(posture);
        }
    }
}

impl Told {
    fn failover_posture(&self) -> Option<u16> {
        Some(self.active.as_ref()?.bundle.policy().failover.as_ref()?.posture)
    }
}
