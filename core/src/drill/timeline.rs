//! What happened to an engine in a drill or a case, call by call: the form in which every language replays the corpus.
//!
//! A face does not read drills its own way: it makes these calls through its public functions, with its own values, and
//! gives the same decisions byte for byte, or it decides something by itself.

use serde_json::{Value, json};

use super::case;
use super::containment::selector_json;
use super::{Drill, request_bytes};
use crate::decision::Decision;
use crate::engine::{ActivateError, Config, Engine, QuarantineTerms};
use crate::policy::bundle::Bundle;
use crate::policy::format::Case;
use crate::state::postures::PostureError;
use crate::state::quarantine::{QuarantineError, Selector};
use crate::state::signals::{Observation, Observed};
use crate::time::{Monotonic, Now};

/// The calls of one drill or case, in order, on an engine of its own.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The drill's or the case's name.
    pub name: String,
    calls: Vec<Value>,
}

impl Timeline {
    /// The calls of a drill.
    #[must_use]
    pub fn of_drill(drill: &Drill, bundle: &Bundle) -> Self {
        let mut stage = Stage::taped();
        drill.run_on(&mut stage, bundle, &mut |_| {});
        Self { name: drill.drill.clone(), calls: stage.tape.unwrap_or_default() }
    }

    /// The calls of a case.
    #[must_use]
    pub fn of_case(bundle: &Bundle, case: &Case) -> Self {
        let mut stage = Stage::taped();
        let report = case::run_on(&mut stage, bundle, case);
        Self { name: report.name, calls: stage.tape.unwrap_or_default() }
    }

    /// How many calls there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The timeline as JSON: `name`, and in `operations` each call with its time (`at`: `monotonic_ns` and `wall_ns`, as
    /// decimal text, since not every language has 64 bits) and one of `activate`, `observe`, `advance`, `anchor_clocks`,
    /// `enter_posture`, `leave_posture`, `acknowledge_posture`, `quarantine`, `lift_quarantine`, `revoke` and `decide`. A posture's call has the `posture`, the `scope`
    /// (null for everywhere) and `because`, the code of what kept it from being done (null where it was done), and so has that of a quarantine with `what` (one of `subject`, `resource` and `scope`, or
    /// `"everything"`), `reason`, `until_ns` and `absolute`; the last has
    /// the `decision` that comes out.
    #[must_use]
    pub fn into_json(self) -> Value {
        json!({ "name": self.name, "operations": self.calls })
    }
}

/// What an operator does with a posture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PostureVerb {
    Enter,
    Leave,
    Acknowledge,
}

impl PostureVerb {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Enter => "enter",
            Self::Leave => "leave",
            Self::Acknowledge => "acknowledge",
        }
    }

    const fn call(self) -> &'static str {
        match self {
            Self::Enter => "enter_posture",
            Self::Leave => "leave_posture",
            Self::Acknowledge => "acknowledge_posture",
        }
    }
}

/// A fresh engine, and the tape of what is called on it, if one is wanted.
pub(super) struct Stage {
    engine: Engine,
    tape: Option<Vec<Value>>,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self { engine: Engine::new(Config::default()), tape: None }
    }

    fn taped() -> Self {
        Self { tape: Some(Vec::new()), ..Self::new() }
    }

    pub(super) const fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn activate(&mut self, bundle: &Bundle, now: Now) -> Result<(), ActivateError> {
        self.record(now, "activate", || true.into());
        self.engine.activate(bundle.clone(), now)
    }

    pub(super) fn observe(&mut self, observation: &Observation, now: Now) -> Observed {
        self.record(now, "observe", || {
            let mut observed = json!({ "signal": observation.signal, "status": observation.status.name() });
            if let (Some(at), Some(members)) = (observation.observed_at, observed.as_object_mut()) {
                members.insert("observed_at_ns".to_owned(), at.as_nanos().to_string().into());
            }
            observed
        });
        self.engine.observe(observation, now)
    }

    pub(super) fn advance(&mut self, now: Now) {
        self.record(now, "advance", || true.into());
        self.engine.advance(now);
    }

    pub(super) fn anchor_clocks(&mut self, now: Now) {
        self.record(now, "anchor_clocks", || true.into());
        self.engine.anchor_clocks(now);
    }

    pub(super) fn on_posture(
        &mut self,
        verb: PostureVerb,
        posture: &str,
        scope: Option<&str>,
        now: Now,
    ) -> Result<(), PostureError> {
        let done = match verb {
            PostureVerb::Enter => self.engine.enter_posture(posture, scope, now),
            PostureVerb::Leave => self.engine.leave_posture(posture, scope, now),
            PostureVerb::Acknowledge => self.engine.acknowledge_posture(posture, scope, now),
        };
        self.record(
            now,
            verb.call(),
            || json!({ "posture": posture, "scope": scope, "because": done.err().map(PostureError::code) }),
        );
        done
    }

    pub(super) fn quarantine<'s>(
        &mut self,
        selector: &Selector<'s>,
        terms: &QuarantineTerms<'_>,
        now: Now,
    ) -> Result<Selector<'s>, QuarantineError> {
        let begun = self.engine.quarantine(selector, terms, now);
        self.record(now, "quarantine", || {
            json!({
                "what": selector_json(selector),
                "reason": terms.reason,
                "until_ns": terms.until.map(|until| until.as_nanos().to_string()),
                "absolute": terms.absolute,
                "because": begun.err().map(QuarantineError::code),
            })
        });
        begun
    }

    pub(super) fn lift_quarantine(&mut self, selector: &Selector<'_>, now: Now) -> Result<(), QuarantineError> {
        let lifted = self.engine.lift_quarantine(selector, now);
        self.record(
            now,
            "lift_quarantine",
            || json!({ "what": selector_json(selector), "because": lifted.err().map(QuarantineError::code) }),
        );
        lifted
    }

    pub(super) fn revoke(&mut self, subject_type: &str, subject_id: &str, before: Monotonic, now: Now) {
        self.record(
            now,
            "revoke",
            || json!({ "type": subject_type, "id": subject_id, "before_ns": before.as_nanos().to_string() }),
        );
        self.engine.revoke(subject_type, subject_id, before, now);
    }

    pub(super) fn decide(&mut self, request: &Value, now: Now) -> Decision {
        self.record(now, "decide", || request.clone());
        let decision = self.engine.decide_json(&request_bytes(request), now);
        if let Some(call) = self.tape.as_mut().and_then(|tape| tape.last_mut()).and_then(Value::as_object_mut) {
            call.insert("decision".to_owned(), decision.to_json());
        }
        decision
    }

    fn record(&mut self, now: Now, name: &str, argument: impl FnOnce() -> Value) {
        let Some(tape) = &mut self.tape else { return };
        let (monotonic, wall) = (now.monotonic.as_nanos().to_string(), now.wall.as_nanos().to_string());
        let mut call = json!({ "at": { "monotonic_ns": monotonic, "wall_ns": wall } });
        if let Some(members) = call.as_object_mut() {
            members.insert(name.to_owned(), argument());
        }
        tape.push(call);
    }
}
