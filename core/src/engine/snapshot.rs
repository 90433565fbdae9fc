//! What one decision sees: everything that the engine was told, at one time, immutable (spec 1.4).

use std::sync::Arc;

use super::rollout::Candidate;
use crate::condition::SignalView;
use crate::limits::Limits;
use crate::name::Name;
use crate::policy::bundle::Bundle;
use crate::policy::compile::{Policy, Seen};
use crate::request::{Portions, RequestView};
use crate::state::cache::Stamp;
use crate::state::clocks::Anchor;
use crate::state::overrides::Grant;
use crate::state::postures::InForce;
use crate::state::quarantine::Quarantine;
use crate::telemetry::counts::Row;
use crate::time::{Monotonic, Now};
use crate::value::View;

/// A bundle that decides.
#[derive(Clone, Debug)]
pub(super) struct Active {
    pub(super) bundle: Bundle,
    /// Grows with each activation: part of what a cached decision rests on.
    pub(super) activation: u64,
    /// Whether a later trust root took it back: then it allows nothing.
    pub(super) revoked: bool,
    /// By action: what is counted of its decisions.
    pub(super) rows: Arc<[Arc<Row>]>,
}

/// Everything that one decision sees.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) active: Option<Active>,
    /// The bundle that is compared with it, and decides for some.
    pub(super) candidate: Option<Box<Candidate>>,
    pub(super) signals: Vec<SignalView>,
    /// By action: the signals that it requires, and those that its rules read.
    pub(super) needs: Vec<Need>,
    pub(super) in_force: Arc<InForce>,
    pub(super) quarantine: Quarantine,
    pub(super) overrides: Arc<[Arc<Grant>]>,
    pub(super) anchor: Option<Anchor>,
    pub(super) clock_ok: bool,
    pub(super) engine_ok: bool,
    /// From then on this snapshot no longer holds: the one comparison that a decision makes with all that is due.
    pub(super) due: Monotonic,
}

impl Snapshot {
    /// What decisions see of an engine that failed so that nothing else can be said of it: it denies, now and later.
    pub(super) fn failed(active: Option<Active>, quarantine: Quarantine) -> Self {
        Self {
            active,
            candidate: None,
            signals: Vec::new(),
            needs: Vec::new(),
            in_force: Arc::default(),
            quarantine,
            overrides: Arc::default(),
            anchor: None,
            clock_ok: false,
            engine_ok: false,
            due: Monotonic::NEVER,
        }
    }

    /// What of a request has to be kept to decide it by this; nothing where that is all of it, since another bundle or an
    /// operator's condition reads it too.
    pub(super) fn portions(&self) -> Option<&Arc<Portions>> {
        if self.candidate.is_some() || self.quarantine.conditions().is_some() {
            return None;
        }
        self.active.as_ref()?.bundle.policy().portions.as_ref()
    }

    /// Gate 4: whether the request is quarantined, by what it names or by a condition that selects it.
    #[inline]
    pub(super) fn quarantines(
        &self,
        request: &RequestView<'_>,
        slots: &[Option<View<'_>>],
        limits: &Limits,
        now: Now,
    ) -> bool {
        if self.quarantine.is_empty() {
            return self.active.is_none();
        }
        let seen = Seen { signals: &self.signals, now, clock_ok: self.clock_ok, steps_max: limits.steps_max };
        self.active.as_ref().is_none_or(|active| {
            self.quarantine.holds(request, &active.bundle.policy().postures, slots)
                || self.quarantine.conditions().is_some_and(|conditions| conditions.select(request, seen))
        })
    }

    /// Whether a request is in a quarantine that no override gets past.
    pub(super) fn quarantines_absolutely(
        &self,
        request: &RequestView<'_>,
        slots: &[Option<View<'_>>],
        limits: &Limits,
        now: Now,
    ) -> bool {
        let seen = Seen { signals: &self.signals, now, clock_ok: self.clock_ok, steps_max: limits.steps_max };
        let marked = self.quarantine.absolute_conditions();
        self.active.as_ref().is_none_or(|active| {
            self.quarantine.holds_absolutely(request, &active.bundle.policy().postures, slots)
                || self.quarantine.conditions().is_some_and(|all| all.select_marked(marked, request, seen))
        })
    }

    /// Whether the bundle declares what is recorded.
    #[inline]
    pub(super) fn has_audit(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.bundle.policy().audit.is_some())
    }

    /// What is counted of the decisions on the action of that number.
    pub(super) fn row(&self, action: u32) -> Option<&Row> {
        self.active.as_ref()?.rows.get(usize::try_from(action).ok()?).map(|row| &**row)
    }
}

/// How it stands with the signals of one action.
#[derive(Clone, Debug, Default)]
pub(super) struct Need {
    /// The required signals that are not ok; nothing where all are.
    pub(super) degraded: Option<Arc<[Name]>>,
    /// Until when, exclusive, the required signals are known to be what they are.
    pub(super) required_until: Monotonic,
    /// Likewise the signals that rules read.
    pub(super) read_until: Monotonic,
    pub(super) stamp: Stamp,
}

/// Whether the policy may decide at this wall time.
pub(super) fn in_validity(policy: &Policy, now: Now) -> bool {
    policy.valid_from.is_none_or(|from| from <= now.wall) && policy.valid_until.is_none_or(|until| now.wall < until)
}

/// Whether no wall time bounds it, so that a clock which is not to be trusted ends nothing of it.
pub(super) const fn is_unbounded(policy: &Policy) -> bool {
    policy.valid_from.is_none() && policy.valid_until.is_none()
}
