//! Points at which a test lets a panic happen: where a defect that nobody knows of would interrupt a call.
//!
//! They stand between what belongs together: a gate and the next one, a table and what is counted of it, a change and the
//! snapshot that shows it. In every build but that of the unit tests a point is nothing at all.

#[cfg(test)]
pub(crate) use injected::{POINTS, arm, arm_next, disarm, happened, point, trace};

/// A place at which a panic may happen.
#[cfg(not(test))]
#[inline]
pub(crate) const fn point(_name: &'static str) {}

#[cfg(test)]
mod injected {
    use std::cell::RefCell;
    use std::panic::resume_unwind;

    /// Every point that there is: the tests pass each of them.
    pub(crate) const POINTS: &[&str] = &[
        "acknowledge: freed",
        "acknowledge: written",
        "activate: begin",
        "add up: begin",
        "anchor: anchored",
        "anchor: begin",
        "approvals: ordered",
        "approvals: remembered",
        "approve: authenticated",
        "approve: carried out",
        "approve: counted",
        "approve: left",
        "buffer: admit",
        "buffer: counted",
        "cache: keep",
        "cache: ordered",
        "cache: replaced",
        "cache: taken out of the order",
        "candidate",
        "checkpoint: linked",
        "confirm: decided",
        "confirm: taken",
        "control: done",
        "control: placed",
        "control: taken",
        "count: begin",
        "drain: linked",
        "drain: taken",
        "event: begin",
        "event: measured",
        "event: recorded",
        "event: told",
        "failover: approvals ended",
        "failover: claimed",
        "failover: witnessed",
        "flag: cleared",
        "flag: set",
        "gate 10: answer made",
        "gate 10: begin",
        "gate 10: counted",
        "gate 10: decided",
        "gate 10: kept",
        "gate 10: recorded",
        "gate 1: begin",
        "gate 1: passed",
        "gate 2: passed",
        "gate 3: passed",
        "gate 4: passed",
        "gate 5: passed",
        "gate 6: degraded",
        "gate 6: passed",
        "gate 7: found",
        "gate 7: key made",
        "gate 7: looked",
        "gate 8: condition",
        "gate 8: counted",
        "gate 8: rule",
        "gate 9: begin",
        "gate 9: covered",
        "gate 9: settled",
        "gate 9: told",
        "gate 9: used",
        "grant: begin",
        "grant: granted",
        "guard: begin",
        "guard: done",
        "guards: chosen",
        "input: begin",
        "input: begun",
        "install: active",
        "install: approvals carried",
        "install: guards carried",
        "install: made",
        "install: postures carried",
        "install: rows declared",
        "install: signals carried",
        "ledger: admitted",
        "ledger: end",
        "observe: begin",
        "observe: taken",
        "override: revoked",
        "pending: end kept",
        "pending: kept",
        "pending: taken",
        "posture: begin",
        "posture: done",
        "postures: entered",
        "postures: everywhere carried",
        "postures: left",
        "postures: reckon",
        "propose: authenticated",
        "propose: kept",
        "publish: begin",
        "publish: made",
        "publish: shown",
        "quarantine: begin",
        "quarantine: begun",
        "quarantine: lifted",
        "quarantines: end kept",
        "quarantines: end taken",
        "quarantines: entry kept",
        "quarantines: entry taken",
        "quarantines: no more stale",
        "quarantines: text kept",
        "record: begin",
        "record: drafted",
        "restore: approvals ended",
        "restore: begin",
        "restore: feeds joined",
        "restore: joined",
        "restore: postures joined",
        "restore: quarantines joined",
        "revoke: begin",
        "revoke: revoked",
        "rollout: completed",
        "rollout: decided",
        "rollout: ended",
        "rollout: moved",
        "settle: asked",
        "settle: stepped",
        "snapshot: approvals ended",
        "snapshot: begin",
        "snapshot: changes taken",
        "snapshot: load",
        "snapshot: looked",
        "snapshot: quarantines ended",
        "snapshot: settled",
        "stage: begin",
        "stage: staged",
        "tell: quarantines told",
        "trust: followed",
        "trust: revoked",
        "trust: unheard",
        "wait: begin",
        "wait: recorded",
        "wait: room",
    ];

    /// What is injected on this thread, and what was passed since it was armed.
    #[derive(Default)]
    struct Plan {
        /// The number of the point that panics, from one; nothing while all are passed.
        at: Option<u64>,
        /// The name of the point that panics when it is passed next.
        next: Option<&'static str>,
        /// Whether that point panics each time it is passed again, as a defect does that depends on what is there.
        again: bool,
        passed: u64,
        happened: Option<&'static str>,
        trace: Vec<&'static str>,
    }

    thread_local! {
        static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
    }

    /// Lets the point of that number panic, counted from one as points are passed on this thread from now on; where it
    /// happens `again`, the point of that name panics whenever it is passed from then on.
    pub(crate) fn arm(at: u64, again: bool) {
        PLAN.set(Some(Plan { at: Some(at), again, ..Plan::default() }));
    }

    /// Lets the point of that name panic, when it is passed next on this thread.
    pub(crate) fn arm_next(name: &'static str) {
        PLAN.set(Some(Plan { next: Some(name), ..Plan::default() }));
    }

    /// Lets nothing happen any more; where it has happened, if it has.
    pub(crate) fn disarm() -> Option<&'static str> {
        PLAN.take().and_then(|plan| plan.happened)
    }

    /// Where it has happened, if it has.
    pub(crate) fn happened() -> Option<&'static str> {
        PLAN.with_borrow(|plan| plan.as_ref().and_then(|plan| plan.happened))
    }

    /// The points that `work` passes, in their order.
    pub(crate) fn trace(work: impl FnOnce()) -> Vec<&'static str> {
        PLAN.set(Some(Plan::default()));
        work();
        PLAN.take().map(|plan| plan.trace).unwrap_or_default()
    }

    pub(crate) fn point(name: &'static str) {
        let panics = PLAN.with_borrow_mut(|plan| {
            let Some(plan) = plan else { return false };
            plan.passed += 1;
            plan.trace.push(name);
            let is_it = plan.at == Some(plan.passed) || plan.next == Some(name);
            let first = plan.happened.is_none() && is_it;
            if first {
                plan.happened = Some(name);
            }
            first || (plan.again && plan.happened == Some(name))
        });
        if panics {
            // Without the hook, which would print thousands of them.
            resume_unwind(Box::new(name));
        }
    }
}
