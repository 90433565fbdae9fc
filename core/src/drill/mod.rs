//! Drills: a scripted timeline of faults, requests and expected decisions. A game day in a file.
//!
//! The runner owns the clock: it jumps from one moment at which something is due to the next, so that a day of outage
//! takes milliseconds and gives the same bytes every time, in every language.

pub mod approvals;
pub mod control;
pub mod expect;
mod operations;
mod records;
mod restart;
mod rollout;
pub mod timeline;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::audit::chain::Head;
use crate::decision::{Decision, DecisionId};
use crate::engine::case::Calls;
pub use crate::engine::case::{CaseReport, START, explain_case, parse_status, run_case};
use crate::error::{Code, Diagnostic};
use crate::limits::Limits;
use crate::operation::{ConfirmDecision, DecidePending, Operation, Outcome, Quarantine, Quarry, Revoke};
use crate::policy::bundle::{Bundle, escape, misfit, refuse_lists};
use crate::policy::format::Expect;
use crate::state::events::Event;
use crate::state::proposal::SetFlag;
use crate::state::signals::Observation;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::sli::Slis;
use crate::time::{Monotonic, Now, Ttl, Wall};
use crate::value::Timestamp;
use approvals::{ApproveCall, Desk, ProposeCall};
use control::{ApplyCall, Speaker};
pub use operations::{GuardedCall, PostureCall};
pub use records::Recording;
pub use restart::{Fate, Restart};
pub use rollout::Successor;
use timeline::Stage;

/// A drill, as it is written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// What the drill shows.
    pub drill: String,
    /// The pack that it is about: a path from the drill's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
    /// The wall clock at `0s`: an RFC 3339 timestamp. Left out: 2026-01-01T00:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// What people sign with, by the names of approvers: `ed25519-seed:` and 32 bytes in hexadecimal, or `totp:` and a
    /// base32 secret. For drills alone: whoever reads this can sign.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, String>,
    /// Who speaks for control feeds, by the names in `keys`. Left out: one for all that the pack follows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub feeds: BTreeMap<String, Vec<String>>,
    /// How the engine is set up for audit records.
    #[serde(default)]
    pub audit: Recording,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One step of a drill. What it tells the engine comes first, then it decides, then it looks.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When: the monotonic clock since the start.
    pub at: Ttl,
    /// What the step is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Lets the monotonic clock go back: without it an earlier `at` is a mistake.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backwards: bool,
    /// Sets the wall clock: an RFC 3339 timestamp. From then on it moves with the monotonic clock again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<String>,
    /// Takes the clocks as they stand for right.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anchor_clocks: bool,
    /// Ends the engine and starts another one from its exported state, before anything is observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// What is observed: by signal, `ok`, `degraded`, `failed` or `unknown`, or with the time of the observation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub observe: BTreeMap<String, ObservedStatus>,
    /// A posture that an operator enters, before the step decides: its name, or `{ posture: …, scope: "tenant:acme" }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enter: Option<PostureCall>,
    /// A posture that an operator leaves, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<PostureCall>,
    /// A posture that an operator acknowledges, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledge: Option<PostureCall>,
    /// A quarantine that begins, before the step decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
    /// A quarantine that is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lift: Option<Quarry>,
    /// A subject whose earlier decisions are void from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke: Option<Revoke>,
    /// A later bundle that is staged, before the step decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Successor>,
    /// A later bundle that is activated, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activate: Option<Successor>,
    /// Moves the rollout on, without waiting for the time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub promote: bool,
    /// Abandons the bundle that is staged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub roll_back: bool,
    /// The revision that was active before and is to be active again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<u64>,
    /// A proposal that an approver makes, before the step decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propose: Option<ProposeCall>,
    /// A proposal that an approver approves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve: Option<ApproveCall>,
    /// A proposal that an approver withdraws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraw: Option<ApproveCall>,
    /// A control message that comes, before the step decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply: Option<ApplyCall>,
    /// An override that ends before its time: what the step that proposed it calls it, or its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke_override: Option<String>,
    /// A flag that an operator sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_flag: Option<SetFlag>,
    /// A flag that an operator clears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_flag: Option<String>,
    /// A breaker that an operator forces open, by its signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_open: Option<String>,
    /// A breaker that an operator lets go of, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// A call through a guard, and what it comes to where the guard lets it through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<GuardedCall>,
    /// Anything else that is done to the engine, in the form that every language shares: `{ enter_posture: … }`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operate: Vec<Operation>,
    /// A request to decide: an AuthZEN evaluation request, or the text of one that may be broken on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide: Option<serde_json::Value>,
    /// A request to decide, whose allow waits until its record is written: the first of two calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide_pending: Option<serde_json::Value>,
    /// Asks for what the last such step let wait: the second call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirm: bool,
    /// What must come out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
    /// Events that must have happened since the step before, in this order, among others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// The host writes every audit record now; these must be among them, in this order: a kind, or a kind and what
    /// happened, as in `decision/audit_unavailable`, `posture/posture_entered` or `withdrawn/expired`, or how many are
    /// missing, as in `gap/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Vec<String>>,
    /// The host writes every audit record now, and none of them may have one of these texts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsaid: Vec<String>,
    /// How many times the step happens. Left out: once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// How long after the last time it happens again. Left out: at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Ttl>,
}

/// An observation in a drill.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum ObservedStatus {
    /// The status, observed at the time of the step.
    Status(String),
    /// The status, observed at another time since the start.
    At {
        /// The status.
        status: String,
        /// When it was observed.
        observed_at: Ttl,
    },
}

/// What is done with each step as it comes out.
type Shown<'s> = dyn FnMut(&StepReport, &mut Stage) + 's;

/// What a drill came to.
#[derive(Clone, Debug)]
pub struct DrillReport {
    /// What the drill shows.
    pub drill: String,
    /// What each step came to, repetitions one by one.
    pub steps: Vec<StepReport>,
    /// The SHA-256 of all decisions as JSON lines: equal in every language, or something decides by itself.
    pub decisions_hash: [u8; 32],
    /// What the engine had counted at the end.
    pub metrics: Metrics,
    /// The service-level indicators at the end.
    pub slis: Slis,
}

/// What one step came to.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// Which step of the drill it is, from zero.
    pub step: usize,
    /// When it was.
    pub now: Now,
    /// What the step is for.
    pub note: Option<String>,
    /// What the engine was told, as text.
    pub told: Vec<String>,
    /// The request's subject, action and resource, as text.
    pub asked: Option<String>,
    /// What was decided.
    pub decision: Option<Decision>,
    /// What happened since the step before.
    pub events: Vec<Event>,
    /// Whether the step expects anything.
    pub expects: bool,
    /// In what the step is not as expected; empty if it passes.
    pub failures: Vec<String>,
}

impl DrillReport {
    /// Whether every step is as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.steps.iter().all(|step| step.failures.is_empty())
    }

    /// The report as JSON, for every face: `drill`, `passed`, `decisions_hash` (hexadecimal), `slis`, and in `steps` for each its
    /// number, its times (`at_ms` since the start, `wall` in RFC 3339), and what was told, asked, decided, and missed.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let steps: Vec<_> = self.steps.iter().map(StepReport::to_json).collect();
        serde_json::json!({
            "drill": self.drill,
            "passed": self.passed(),
            "decisions_hash": crate::policy::bundle::hexadecimal(&self.decisions_hash),
            "slis": self.slis.to_json(),
            "steps": steps,
        })
    }
}

impl StepReport {
    fn to_json(&self) -> serde_json::Value {
        let mut step = serde_json::json!({
            "step": self.step,
            "at_ms": self.now.monotonic.as_nanos() / 1_000_000,
            "wall": self.now.wall.to_string(),
            "told": self.told,
            "events": self.events.iter().map(Event::to_json).collect::<Vec<_>>(),
            "failures": self.failures,
        });
        let optional = [
            ("note", self.note.clone().map(serde_json::Value::from)),
            ("asked", self.asked.clone().map(serde_json::Value::from)),
            ("decision", self.decision.as_ref().map(Decision::to_json)),
        ];
        if let Some(members) = step.as_object_mut() {
            members.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        step
    }
}

impl Drill {
    /// Reads a drill.
    ///
    /// # Errors
    /// The first mistake, with its place in the document.
    pub fn from_document(document: &serde_json::Value, limits: &Limits) -> Result<Self, Diagnostic> {
        refuse_lists(
            document,
            &[
                "",
                "audit",
                "steps/*",
                "steps/*/expect",
                "steps/*/restart",
                "steps/*/observe/*",
                "steps/*/enter",
                "steps/*/leave",
                "steps/*/acknowledge",
                "steps/*/quarantine",
                "steps/*/lift",
                "steps/*/revoke",
                "steps/*/stage",
                "steps/*/stage/rules/*",
                "steps/*/activate",
                "steps/*/activate/rules/*",
                "steps/*/propose",
                "steps/*/propose/*",
                "steps/*/approve",
                "steps/*/withdraw",
                "steps/*/apply",
                "steps/*/apply/operation",
                "steps/*/apply/operation/*",
                "steps/*/set_flag",
                "steps/*/call",
                "steps/*/operate/*",
                "steps/*/operate/*/*",
            ],
        )?;
        let drill: Self = serde_path_to_error::deserialize(document).map_err(|error| misfit(&error, document))?;
        drill.check(limits)?;
        Ok(drill)
    }

    fn check(&self, limits: &Limits) -> Result<(), Diagnostic> {
        approvals::check_keys(&self.keys)?;
        control::check_feeds(&self.feeds, &self.keys)?;
        self.audit.check()?;
        if let Some(start) = &self.start {
            instant(start).ok_or_else(|| not_a_timestamp("/start", start))?;
        }
        let mut steps: usize = 0;
        let mut before = Ttl::ZERO;
        for (at, step) in self.steps.iter().enumerate() {
            let repeat = usize::try_from(step.repeat.unwrap_or(1)).unwrap_or(usize::MAX);
            steps = steps.saturating_add(repeat);
            if steps > limits.drill_steps_max {
                let message = format!("more steps than the limit of {}", limits.drill_steps_max);
                return Err(Diagnostic::new(Code::LimitExceeded, format!("/steps/{at}"), message));
            }
            if step.at < before && !step.backwards {
                let message = format!("{} comes before the step before, which ends at {before}", step.at);
                let help = "put the steps in order, or say `backwards: true`";
                return Err(Diagnostic::new(Code::InvalidValue, format!("/steps/{at}/at"), message).with_help(help));
            }
            let span = step
                .every
                .unwrap_or_default()
                .as_nanos()
                .saturating_mul(u64::from(step.repeat.unwrap_or(1).saturating_sub(1)));
            before = Ttl::from_nanos(step.at.as_nanos().saturating_add(span));
            if let Some(wall) = &step.wall {
                instant(wall).ok_or_else(|| not_a_timestamp(&format!("/steps/{at}/wall"), wall))?;
            }
            if step.propose.as_ref().is_some_and(|call| !call.is_one()) {
                let message = "a proposal is about one thing";
                let help = "give one of `leave`, `override`, `set_flag`, `clear_flag`, `promote` and `activate`";
                return Err(
                    Diagnostic::new(Code::InvalidValue, format!("/steps/{at}/propose"), message).with_help(help)
                );
            }
            for (name, report) in &step.observe {
                if parse_status(report.status()).is_none() {
                    let message = format!("`{}` is no status", report.status());
                    let pointer = format!("/steps/{at}/observe/{}", escape(name));
                    let help = "write ok, degraded, failed or unknown";
                    return Err(Diagnostic::new(Code::InvalidValue, pointer, message).with_help(help));
                }
            }
        }
        Ok(())
    }

    /// Runs the drill on a fresh engine.
    #[must_use]
    pub fn run(&self, bundle: &Bundle) -> DrillReport {
        self.run_with(bundle, &mut |_| {})
    }

    /// Runs the drill on a fresh engine and shows each step as it comes out.
    pub fn run_with(&self, bundle: &Bundle, shown: &mut dyn FnMut(&StepReport)) -> DrillReport {
        let mut stage = Stage::new(&self.audit, self.speaker(bundle));
        self.run_on(&mut stage, bundle, &mut |step, _| shown(step))
    }

    fn speaker(&self, bundle: &Bundle) -> Option<Speaker> {
        Speaker::of(bundle, &self.feeds, &self.keys)
    }

    /// Runs the drill on engines that keep a journal of their inputs, and hands over its lines as they come. What is decided
    /// is the same.
    pub fn run_journaled(
        &self,
        bundle: &Bundle,
        shown: &mut dyn FnMut(&StepReport),
        written: &mut dyn FnMut(&str),
    ) -> DrillReport {
        let mut stage = Stage::journaled(&self.audit, self.speaker(bundle));
        let report = self.run_on(&mut stage, bundle, &mut |step, stage| {
            stage.journal().iter().for_each(|line| written(line));
            shown(step);
        });
        // A drill without a step has made an engine all the same.
        stage.journal().iter().for_each(|line| written(line));
        report
    }

    /// Runs the drill and hands over its audit records, as they are written: those that its host has written, and then
    /// those that wait at its end. They are one chain where nothing restarts. What is decided is the same.
    pub fn run_recorded(&self, bundle: &Bundle, written: &mut dyn FnMut(&str)) -> DrillReport {
        let mut stage = Stage::recorded(&self.audit, self.speaker(bundle));
        let mut end = Now::default();
        let report = self.run_on(&mut stage, bundle, &mut |step, stage| {
            stage.records().iter().for_each(|line| written(line));
            end = step.now;
        });
        stage.records_that_wait(end).iter().for_each(|line| written(line));
        report
    }

    fn run_on(&self, stage: &mut Stage, bundle: &Bundle, shown: &mut Shown<'_>) -> DrillReport {
        let start = self.start.as_deref().and_then(instant).unwrap_or(START);
        let desk = Desk::new(&self.drill, &self.keys, bundle);
        let mut play =
            Play { stage, bundle, desk, wall_ahead: start.as_nanos(), written: Head::default(), waits: None };
        let mut hash = Sha256::new();
        let mut steps = Vec::new();
        let now = play.now(Ttl::ZERO);
        let refused = play.stage.activate(bundle, now).err();
        for (at, step) in self.steps.iter().enumerate() {
            for repetition in 0..step.repeat.unwrap_or(1) {
                let span = step.every.unwrap_or_default().as_nanos().saturating_mul(u64::from(repetition));
                let when = Ttl::from_nanos(step.at.as_nanos().saturating_add(span));
                let mut report = play.step(at, step, when);
                if let Some(error) = &refused {
                    report.failures.push(format!("the bundle was not activated: {error}"));
                }
                if let Some(decision) = &report.decision {
                    hash.update(decision.to_json().to_string());
                    hash.update(b"\n");
                }
                shown(&report, play.stage);
                steps.push(report);
            }
        }
        let end = steps.last().map_or(now, |step| step.now);
        let (metrics, slis) = (play.stage.engine().metrics(), play.stage.engine().slis(end));
        DrillReport { drill: self.drill.clone(), steps, decisions_hash: hash.finalize().into(), metrics, slis }
    }
}

impl ObservedStatus {
    fn status(&self) -> &str {
        match self {
            Self::Status(status) | Self::At { status, .. } => status,
        }
    }
}

/// A drill under way: its engine, and how far the wall clock is ahead of the monotonic one.
struct Play<'s> {
    stage: &'s mut Stage,
    bundle: &'s Bundle,
    desk: Desk,
    wall_ahead: i64,
    /// The last audit record that the host has written.
    written: Head,
    /// What was let wait last.
    waits: Option<DecisionId>,
}

impl Play<'_> {
    fn now(&self, at: Ttl) -> Now {
        let nanos = i64::try_from(at.as_nanos()).unwrap_or(i64::MAX);
        Now::new(Monotonic::from_nanos(at.as_nanos()), Wall::from_nanos(self.wall_ahead.saturating_add(nanos)))
    }

    fn step(&mut self, number: usize, step: &Step, at: Ttl) -> StepReport {
        self.wake_until(at);
        let mut told = Vec::new();
        if let Some(wall) = step.wall.as_deref().and_then(instant) {
            let nanos = i64::try_from(at.as_nanos()).unwrap_or(i64::MAX);
            self.wall_ahead = wall.as_nanos().saturating_sub(nanos);
            told.push(format!("wall clock = {wall}"));
        }
        let now = self.now(at);
        self.stage.advance(now);
        if step.anchor_clocks {
            self.stage.anchor_clocks(now);
            told.push("clocks anchored".to_owned());
        }
        let mut kept = step.restart.as_ref().and_then(|restart| {
            told.push("restart".to_owned());
            // What was not written is lost with the engine, and the one that begins has a chain of its own.
            self.written = Head::default();
            restart::restart(self.stage, self.bundle, restart, now)
        });
        for (name, report) in &step.observe {
            let mut observation = Observation::new(name, parse_status(report.status()).unwrap_or_default());
            if let ObservedStatus::At { observed_at, .. } = report {
                observation = observation.at(Monotonic::from_nanos(observed_at.as_nanos()));
            }
            self.stage.observe(&observation, now);
            told.push(format!("{name} {}", report.status()));
        }
        kept = self.operate(step, now, &mut told).or(kept);
        let decision = self.confirmed(step, now, &mut told);
        let decision = step.decide.as_ref().map(|request| self.stage.decide(request, now)).or(decision);
        let events: Vec<Event> = std::iter::from_fn(|| self.stage.engine().poll_event()).collect();
        let mut failures = Vec::new();
        let because = step.expect.as_ref().and_then(|expect| expect.because.as_deref());
        if because != kept {
            let word = |code: Option<&str>| code.unwrap_or("none").to_owned();
            failures.push(format!("because: expected {}, found {}", word(because), word(kept)));
        }
        if let Some(expect) = &step.expect {
            if decision.is_none() {
                failures.extend(expect::posture_failure(expect, self.stage.engine()));
            }
            failures.extend(expect::posture_failures(expect, self.stage.engine()));
            match &decision {
                Some(decision) => failures.extend(expect::decision_failures(expect, decision)),
                None if expects_a_decision(expect) => {
                    failures.push("the step expects a decision and asks for none".into())
                }
                None => {}
            }
            failures.extend(expect::signal_failures(expect, self.stage.engine()));
            failures.extend(expect::measure_failures(expect, self.stage.engine(), now));
        }
        let writes = step.records.is_some() || !step.unsaid.is_empty();
        if writes {
            failures.extend(records::failures(self.stage, &mut self.written, step, now));
        }
        let mut codes = events.iter().map(|event| event.kind.code());
        if let Some(missing) = step.events.iter().find(|expected| !codes.any(|code| code == expected.as_str())) {
            failures.push(format!("event {missing}: expected in this order, not found"));
        }
        StepReport {
            step: number,
            now,
            note: step.note.clone(),
            told,
            asked: step.decide.as_ref().or(step.decide_pending.as_ref()).map(asked),
            decision,
            events,
            expects: step.expect.is_some() || !step.events.is_empty() || writes,
            failures,
        }
    }

    /// Does to the engine what the step says; why the last of it that was not done, or not yet, was not.
    fn operate(&mut self, step: &Step, now: Now, told: &mut Vec<String>) -> Option<&'static str> {
        let mut kept = None;
        let signed = self.desk.operations(step, now);
        let said = step.apply.as_ref().and_then(|call| self.stage.say(call, now));
        if step.apply.as_ref().is_some_and(|call| call.lost) {
            told.push("a control message is lost".to_owned());
        }
        for operation in operations::of_step(step).into_iter().chain(signed).chain(said) {
            let done = self.stage.operate(&operation, now);
            kept = done.map_or_else(|error| Some(error.code()), |outcome| outcome.waits_for()).or(kept);
            told.push(operations::told(&operation));
        }
        if let Some(call) = &step.call {
            kept = operations::call(self.stage, call, now).err().map(|error| error.code()).or(kept);
            told.push(format!("call {}", call.signal));
        }
        kept
    }

    /// Makes the calls of an answer that waits for its record, and gives what the last of them came to.
    fn confirmed(&mut self, step: &Step, now: Now, told: &mut Vec<String>) -> Option<Decision> {
        let mut decision = None;
        let first = step.decide_pending.clone().map(|request| Operation::DecidePending(DecidePending { request }));
        if let Some(Outcome::Decided(answer)) = first.and_then(|first| self.stage.operate(&first, now).ok()) {
            self.waits = answer.id.or(self.waits);
            decision = Some(answer.decision);
        }
        if step.confirm {
            let pending = self.waits.unwrap_or_default().to_string();
            let second = Operation::ConfirmDecision(ConfirmDecision { pending });
            told.push("confirm".to_owned());
            if let Ok(Outcome::Decided(answer)) = self.stage.operate(&second, now) {
                decision = Some(answer.decision);
            }
        }
        decision
    }

    /// Wakes the engine whenever something is due before `at`, as a host does.
    fn wake_until(&mut self, at: Ttl) {
        let at = Monotonic::from_nanos(at.as_nanos());
        let mut last = None;
        while let Some(due) = self.stage.engine().next_deadline().filter(|due| *due < at && last != Some(*due)) {
            let now = self.now(Ttl::from_nanos(due.as_nanos()));
            self.stage.advance(now);
            last = Some(due);
        }
    }
}

fn expects_a_decision(expect: &Expect) -> bool {
    let Expect {
        effect,
        reason,
        rule,
        cached,
        degraded,
        obligations,
        messages,
        expires_in,
        signals: _,
        posture: _,
        postures: _,
        because: _,
        metrics: _,
        slis: _,
    } = expect;
    effect.is_some()
        || reason.is_some()
        || rule.is_some()
        || cached.is_some()
        || degraded.is_some()
        || obligations.is_some()
        || messages.is_some()
        || expires_in.is_some()
}

/// Who asks to do what to what, as text for people.
fn asked(request: &serde_json::Value) -> String {
    let text = |pointer: &str| request.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or("?");
    format!("{} {} {}", text("/subject/id"), text("/action/name"), text("/resource/id"))
}

/// A wall time so much later, or earlier.
fn moved(wall: Wall, span: Ttl, later: bool) -> Wall {
    let span = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    let nanos = if later { wall.as_nanos().saturating_add(span) } else { wall.as_nanos().saturating_sub(span) };
    Wall::from_nanos(nanos)
}

fn instant(text: &str) -> Option<Wall> {
    let at: Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(Wall::from_nanos)
}

fn not_a_timestamp(pointer: &str, text: &str) -> Diagnostic {
    let message = format!("{} is no timestamp", crate::error::quoted(text));
    Diagnostic::new(Code::InvalidValue, pointer, message).with_help("write RFC 3339, as in 2026-01-01T00:00:00Z")
}
