//! What happened to an engine in a drill or a case, call by call: the form in which every language replays the corpus.
//!
//! A face does not read drills its own way: it makes these calls through its public functions, with its own values, and
//! gives the same decisions byte for byte, or it decides something by itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::control::{ApplyCall, Speaker};
use super::{Drill, Recording};
use crate::condition::Status;
use crate::decision::Decision;
use crate::engine::case::{self, Calls, request_bytes};
use crate::engine::{ActivateError, Config, Engine};
use crate::error::{BundleError, Code};
use crate::name::{self, Name};
use crate::operation::{Apply, BundleText, Operation, OperationError, Outcome};
use crate::policy::bundle::{Bundle, Trust, hexadecimal};
use crate::policy::format::Case;
use crate::state::document::StateKey;
use crate::state::signals::{Observation, Observed};
use crate::time::Now;

/// The key that seals what engines in drills export: everybody knows it, so that every language gets the same bytes.
pub(crate) const STATE_KEY: [u8; 32] = [0x5a; 32];
/// The name of the engine that a drill begins with.
const INSTANCE: &str = "a";

/// Room for what one step of a drill puts in, its waits included.
const JOURNAL_ENTRIES_MAX: usize = 1_000_000;
/// Likewise, in bytes.
const JOURNAL_BYTES_MAX: usize = 1 << 30;

/// The calls of one drill or case, in order, on an engine of its own.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The drill's or the case's name.
    pub name: String,
    /// How the engine is set up.
    config: Value,
    calls: Vec<Value>,
}

impl Timeline {
    /// The calls of a drill.
    #[must_use]
    pub fn of_drill(drill: &Drill, bundle: &Bundle) -> Self {
        let mut stage = Stage::taped(&drill.audit, drill.speaker(bundle));
        let config = setting(stage.engine.config());
        drill.run_on(&mut stage, bundle, &mut |_, _| {});
        Self { name: drill.drill.clone(), config, calls: stage.tape.unwrap_or_default() }
    }

    /// The calls of a case.
    #[must_use]
    pub fn of_case(bundle: &Bundle, case: &Case) -> Self {
        let speaker = Speaker::of(bundle, &BTreeMap::new(), &BTreeMap::new());
        let mut stage = Stage::taped(&Recording::default(), speaker);
        let config = setting(stage.engine.config());
        let report = case::run_on(&mut stage, bundle, case);
        Self { name: report.name, config, calls: stage.tape.unwrap_or_default() }
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

    /// The timeline as JSON: `name`; `config`, how the engine is set up (`state_key`, in hexadecimal, `instance`, the limit
    /// `audit_entries_max`, and `audit_key`, in hexadecimal or null for none; `trust`, the trust root as text, or null where
    /// anybody is trusted: a signed bundle is activated by an operation; all else is the default); and in `operations` each call with its time (`at`: `monotonic_ns` and `wall_ns`, as decimal
    /// text, since not every language has 64 bits) and one of `activate`, `observe`, `advance`, `anchor_clocks`, `operate`,
    /// `decide` and `restart`. A `restart` ends the engine: the calls that follow are made on a new one, set up in the same
    /// way but for the `instance` that stands there. What is operated is an [`Operation`], beside it the `outcome`, or the code that says
    /// `because` of what it was not done; the other of the two is null. What is decided has the `decision` that comes out.
    #[must_use]
    pub fn into_json(self) -> Value {
        json!({ "name": self.name, "config": self.config, "operations": self.calls })
    }
}

/// How drills set an engine up.
fn config(recording: &Recording, speaker: Option<&Speaker>) -> Config {
    let instance = name::name(INSTANCE).unwrap_or_default();
    let trust = speaker.map_or(Trust::unsigned_for_development(), |speaker| Trust::keys(speaker.root().clone()));
    recording.over(Config { state_key: StateKey::new(STATE_KEY), instance, trust, ..Config::default() })
}

/// What another language needs of it.
fn setting(config: &Config) -> Value {
    json!({
        "state_key": hexadecimal(&STATE_KEY),
        "instance": config.instance.as_str(),
        "audit_entries_max": config.limits.audit_entries_max,
        "audit_key": config.audit_key.map(|key| hexadecimal(&key)),
        "trust": config.trust.root().map(|root| String::from_utf8_lossy(root.bytes())),
    })
}

/// A fresh engine, and the tape of what is called on it, if one is wanted.
pub(super) struct Stage {
    engine: Engine,
    tape: Option<Vec<Value>>,
    /// The state that the last restart exported.
    pub(super) exported: Option<String>,
    /// Who signs bundles and control messages, where a feed is followed.
    pub(super) speaker: Option<Speaker>,
    /// What engines that have ended have left of their journals.
    left: Vec<String>,
    /// The audit records that were written since the last time, if they are wanted.
    records: Option<Vec<String>>,
}

impl Stage {
    pub(super) fn new(recording: &Recording, speaker: Option<Speaker>) -> Self {
        let engine = Engine::new(config(recording, speaker.as_ref()));
        Self { engine, tape: None, exported: None, speaker, left: Vec::new(), records: None }
    }

    fn taped(recording: &Recording, speaker: Option<Speaker>) -> Self {
        Self { tape: Some(Vec::new()), ..Self::new(recording, speaker) }
    }

    /// A stage whose engines keep a journal.
    pub(super) fn journaled(recording: &Recording, speaker: Option<Speaker>) -> Self {
        let mut config = config(recording, speaker.as_ref());
        config.limits.journal_entries_max = JOURNAL_ENTRIES_MAX;
        config.limits.journal_bytes_max = JOURNAL_BYTES_MAX;
        Self { engine: Engine::new(config), ..Self::new(recording, speaker) }
    }

    /// A stage that keeps the audit records that are written.
    pub(super) fn recorded(recording: &Recording, speaker: Option<Speaker>) -> Self {
        Self { records: Some(Vec::new()), ..Self::new(recording, speaker) }
    }

    /// A record that the host of the drill has written.
    pub(super) fn written(&mut self, line: &str) {
        if let Some(records) = &mut self.records {
            records.push(line.to_owned());
        }
    }

    /// The audit records that were written since the last time.
    pub(super) fn records(&mut self) -> Vec<String> {
        self.records.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The audit records that nobody has written yet.
    pub(super) fn records_that_wait(&self, now: Now) -> Vec<String> {
        self.engine.drain_audit(usize::MAX, now).lines
    }

    /// The lines that were written since the last time.
    pub(super) fn journal(&mut self) -> Vec<String> {
        let mut lines = std::mem::take(&mut self.left);
        let batch = self.engine.drain_journal(usize::MAX);
        self.engine.acknowledge_journal(batch.last_n);
        lines.extend(batch.lines);
        lines
    }

    /// Ends the engine, and begins with another one.
    pub(super) fn restart(&mut self, instance: Option<&str>, now: Now) {
        let instance = instance.unwrap_or(self.engine.config().instance.as_str()).to_owned();
        self.record(now, "restart", || json!({ "instance": instance }));
        let instance = name::name(&instance).unwrap_or_default();
        self.left = self.journal();
        self.engine = Engine::new(Config { instance, ..self.engine.config().clone() });
    }

    /// What a controller says to the engine; nothing where it is lost. Where nobody speaks it is no message.
    pub(super) fn say(&mut self, call: &ApplyCall, now: Now) -> Option<Operation> {
        let nobody = || Some(Operation::Apply(Apply { message: String::new() }));
        self.speaker.as_mut().map_or_else(nobody, |speaker| speaker.say(call, now))
    }

    pub(super) fn advance(&mut self, now: Now) {
        self.record(now, "advance", || true.into());
        self.engine.advance(now);
    }

    pub(super) fn anchor_clocks(&mut self, now: Now) {
        self.record(now, "anchor_clocks", || true.into());
        self.engine.anchor_clocks(now);
    }

    /// Adds to the call that was recorded last.
    fn add(&mut self, name: &str, member: impl FnOnce() -> Value) {
        if let Some(call) = self.tape.as_mut().and_then(|tape| tape.last_mut()).and_then(Value::as_object_mut) {
            call.insert(name.to_owned(), member());
        }
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

impl Calls for Stage {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn activate(&mut self, bundle: &Bundle, now: Now) -> Result<(), ActivateError> {
        let Some(envelope) = self.speaker.as_ref().map(|speaker| speaker.signed(bundle)) else {
            self.record(now, "activate", || true.into());
            return self.engine.activate_unproven(bundle.clone(), now);
        };
        let engine = &self.engine;
        let signed = Bundle::from_signed(&envelope, &engine.trust(), &engine.config().limits, now.wall);
        let refused = |error: BundleError| error.diagnostics().first().map_or(Code::Untrusted, |first| first.code);
        let bundle = signed.map_err(|error| ActivateError::Untrusted(refused(error)))?;
        let done = engine.activate_unproven(bundle, now);
        let bundle = String::from_utf8_lossy(&envelope).into_owned();
        self.record(now, "operate", || Operation::Activate(BundleText { bundle }).to_json());
        self.add("outcome", || done.map_or(Value::Null, |()| json!({})));
        self.add("because", || done.err().map(|error| error.code()).into());
        done
    }

    fn observe(&mut self, observation: &Observation, now: Now) -> Observed {
        self.record(now, "observe", || {
            let mut observed = json!({ "signal": observation.signal, "status": observation.status.name() });
            if let (Some(at), Some(members)) = (observation.observed_at, observed.as_object_mut()) {
                members.insert("observed_at_ns".to_owned(), at.as_nanos().to_string().into());
            }
            observed
        });
        self.engine.observe(observation, now)
    }

    fn operate(&mut self, operation: &Operation, now: Now) -> Result<Outcome, OperationError> {
        let done = self.engine.operate(operation, now);
        self.record(now, "operate", || operation.to_json());
        let (outcome, because) = match &done {
            Ok(outcome) => (outcome.to_json(), Value::Null),
            Err(error) => (Value::Null, error.code().into()),
        };
        self.add("outcome", || outcome);
        self.add("because", || because);
        done
    }

    fn hear(&mut self, feed: &Name, status: Status, now: Now) -> bool {
        let Some(said) = self.speaker.as_mut().and_then(|speaker| speaker.bring(feed, status, now)) else {
            return false;
        };
        // Where a status is had by a contradiction, the second message is refused.
        said.iter().filter(|operation| self.operate(operation, now).is_err()).count()
            == usize::from(status == Status::Failed)
    }

    fn decide(&mut self, request: &Value, now: Now) -> Decision {
        self.record(now, "decide", || request.clone());
        let decision = self.engine.decide_json(&request_bytes(request), now);
        self.add("decision", || decision.to_json());
        decision
    }
}
