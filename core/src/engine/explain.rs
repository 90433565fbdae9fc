//! What a decision would be, and why: each rule considered, the signals, and what bounds the answer's life.
//!
//! An explanation has no effect: it reads no cache and keeps nothing.

use bumpalo::Bump;
use serde::Serialize;

use super::evaluate::{Evaluation, Watch, Which};
use super::lives::Lives;
use super::snapshot::Snapshot;
use crate::condition::rego::Outcome;
use crate::condition::{Cause, Status, Truth};
use crate::error::quoted;
use crate::limits::Limits;
use crate::policy::compile::Policy;
use crate::policy::rule::Condition;
use crate::policy::schema::Slots;
use crate::reason::Effect;
use crate::request::{Request, RequestView, Spelling};
use crate::time::Now;
use crate::value::View;

/// How many sub-expressions of one rule are shown.
const EXPRESSIONS_MAX: usize = 1_000;

/// Why a decision is what it is.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// What was wrong before any rule was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// The strictest posture of the scopes that the request falls in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub posture: Option<String>,
    /// Whether that posture permits the request.
    pub posture_permits: bool,
    /// The overrides in force that cover the request, which no `absolute` rule or quarantine is held against here: the ids
    /// of their proposals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
    /// The required signals that are not ok, with their status.
    pub degraded: Vec<(String, &'static str)>,
    /// The signals that the action requires or its rules read, with their status.
    pub signals: Vec<(String, &'static str)>,
    /// The rules that could match, in order of their ids.
    pub rules: Vec<RuleTrace>,
    /// What bounds the life of an answer by the rules, and in how many milliseconds it ends, the earliest first. Empty
    /// where a required signal is not ok: such an answer is not kept.
    pub expiry: Vec<(&'static str, u64)>,
}

/// What one rule came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RuleTrace {
    /// Its id.
    pub rule: String,
    /// What it does where it is true.
    pub effect: &'static str,
    /// Whether its match part holds: `true`, `false`, or a cause.
    pub matched: String,
    /// Whether the whole holds.
    pub truth: String,
    /// What Rego says of a result that is neither true nor false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What a Rego deny set says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
    /// The sub-expressions of a CEL condition that were evaluated: their place in the text, and what they came to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<(usize, usize, String)>,
}

pub(super) fn explain(snapshot: &Snapshot, request: &Request, now: Now, limits: &Limits) -> Explanation {
    let mut explanation = Explanation::default();
    if let Err(stopped) = trace(snapshot, request, now, limits, &mut explanation) {
        explanation.stopped = Some(stopped);
    }
    explanation
}

fn trace(
    snapshot: &Snapshot,
    request: &Request,
    now: Now,
    limits: &Limits,
    explanation: &mut Explanation,
) -> Result<(), String> {
    let request = RequestView::from(request);
    request.check_names(limits).and_then(|()| request.check_values(limits)).map_err(|error| error.to_string())?;
    let active = snapshot.active.as_ref().ok_or("no bundle is active")?;
    let policy = &**active.bundle.policy();
    super::gates::bundle_gate(snapshot, active, now).map_err(|reason| reason.code().to_owned())?;
    let terms = request.terms().map_err(|error| error.to_string())?;
    let (number, action) = policy.action(request.action.name).ok_or("the pack declares no such action")?;
    let arena = Bump::new();
    let mut slots = Slots::new();
    policy.schema.fill(&request, &Spelling::of(&request), &arena, &mut slots).map_err(|misfit| misfit.to_string())?;

    let named = |number: &u16| {
        let spec = policy.signals.get(usize::from(*number))?;
        let status = snapshot.signals.get(usize::from(*number)).map_or(Status::Unknown, |view| view.status);
        Some((spec.name.to_string(), status))
    };
    let read = action.requires.iter().chain(&action.reads.signals);
    explanation.signals = read.filter_map(named).map(|(name, status)| (name, status.name())).collect();
    let required = action.requires.iter().filter_map(named).filter(|(_, status)| *status != Status::Ok);
    explanation.degraded = required.map(|(name, status)| (name, status.name())).collect();

    let covers = snapshot.overrides.iter().filter(|grant| snapshot.clock_ok && grant.covers(&request, now));
    explanation.overrides = covers.map(|grant| grant.id.to_string()).collect();

    if snapshot.quarantines(&request, &slots, limits, now) {
        return Err(crate::reason::Reason::Quarantined.code().to_owned());
    }
    let standing = snapshot.in_force.of(&policy.postures.scopes, &slots);
    let standing = standing.ok_or(super::gates::SCOPE_TOO_LONG)?;
    let posture = policy.postures.spec(standing.posture).ok_or("the posture is not known")?;
    let evaluation = Evaluation::of(snapshot, policy, limits, &request, &slots, posture, now);
    explanation.posture = Some(posture.name.to_string());
    explanation.posture_permits = super::postures::permits(&evaluation, number, standing.posture);
    let mut rules = Rules { evaluation: &evaluation, policy, traces: Vec::new() };
    let counted = evaluation.count(action, Which::All, true, &mut rules);
    let need = usize::try_from(number).ok().and_then(|number| snapshot.needs.get(number));
    if let Some(need) = need.filter(|need| need.degraded.is_none()) {
        let lives = Lives::of(snapshot, need, &counted, terms, now);
        explanation.expiry = lives.bounds(counted.tally.verdict(), action);
    }
    rules.traces.sort_by_key(|(a, _)| *a);
    rules.traces.dedup_by(|(a, _), (b, _)| a == b);
    explanation.rules = rules.traces.into_iter().map(|(_, trace)| trace).collect();
    Ok(())
}

struct Rules<'e> {
    evaluation: &'e Evaluation<'e>,
    policy: &'e Policy,
    traces: Vec<(u32, RuleTrace)>,
}

impl Watch for Rules<'_> {
    fn considered(&mut self, number: u32, matched: Truth, truth: Truth, condition: &Outcome) {
        let Some(rule) = self.policy.rule(number) else { return };
        let mut expressions = Vec::new();
        if let Condition::Cel(program) = &rule.condition
            && matched != Truth::False
        {
            let arena = Bump::new();
            let scope = self.evaluation.scope(&arena);
            // The value of the whole is in the rule's truth already.
            let _whole = program.explain(&scope, &mut |span, value| {
                let shown = match value {
                    Ok(value) => shown(value),
                    Err(cause) => self.cause(cause),
                };
                if expressions.len() < EXPRESSIONS_MAX {
                    expressions.push((span.start, span.end, shown));
                }
            });
        }
        let effect = match rule.effect {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        };
        let messages = condition.messages.as_deref().unwrap_or_default();
        let trace = RuleTrace {
            rule: rule.id.to_string(),
            effect,
            matched: self.truth(matched),
            truth: self.truth(truth),
            detail: condition.detail.clone(),
            messages: messages.iter().map(ToString::to_string).collect(),
            expressions,
        };
        self.traces.push((number, trace));
    }
}

impl Rules<'_> {
    fn truth(&self, truth: Truth) -> String {
        match truth {
            Truth::True => "true".to_owned(),
            Truth::False => "false".to_owned(),
            Truth::Indeterminate(cause) => self.cause(cause),
        }
    }

    fn cause(&self, cause: Cause) -> String {
        match cause {
            Cause::Signal(number) => {
                let name = self.policy.signals.get(usize::from(number)).map_or("?", |spec| spec.name.as_str());
                format!("indeterminate: the signal {name} is unknown")
            }
            cause => format!("indeterminate: {}", cause.code()),
        }
    }
}

/// A value for people, cut to a length.
fn shown(value: View<'_>) -> String {
    match value {
        View::Null => "null".to_owned(),
        View::Bool(value) => value.to_string(),
        View::Int(value) => value.to_string(),
        View::UInt(value) => format!("{value}u"),
        View::Double(value) => format!("{value:?}"),
        View::Str(text) => quoted(text).replace('`', "\""),
        View::Bytes(bytes) => format!("{} bytes", bytes.len()),
        View::List(values) => format!("a list of {}", values.len()),
        View::Items(items) => format!("a list of {}", items.len()),
        View::Map(map) => format!("a map of {}", map.len()),
        View::Fields(fields) => format!("a map of {}", fields.len()),
        View::Entries(entries) => format!("a map of {}", entries.len()),
        View::Timestamp(at) => at.to_string(),
        View::Duration(span) => format!("{span:?}"),
        View::Ip(ip) => ip.to_string(),
        View::Cidr(cidr) => format!("{}/{}", cidr.address(), cidr.prefix()),
        View::Type(name) => format!("the type {name}"),
    }
}
