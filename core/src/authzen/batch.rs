//! Several questions in one request.
//!
//! What stands beside `evaluations` is the default of every item, and an item's own member replaces the whole entity: the
//! parts of two descriptions are never mixed. An item that fails is a deny with `context.error`, and the others are
//! answered. A semantic that is not known is refused, since to guess one could leave a question unasked.

use serde_json::{Value as Json, json};

use super::{Answer, Refusal, evaluation};
use crate::decision::Decision;
use crate::engine::Engine;
use crate::limits::Limits;
use crate::reason::Reason;
use crate::request::{self, Action, Attributes, Party, RequestError, RequestView, parse_strict};
use crate::time::Now;
use crate::value::{Map, Value};

/// When a batch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Semantic {
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

pub(super) fn evaluations(engine: &Engine, body: &[u8], now: Now) -> Result<Answer, Refusal> {
    let limits = &engine.config().limits;
    let Value::Map(mut members) = parse_strict(body, &batch_limits(limits))? else {
        return Err(RequestError::Member { member: "", expected: "a JSON object" }.into());
    };
    let semantic = semantic(members.remove("options"))?;
    let items = match members.remove("evaluations") {
        None => Vec::new(),
        Some(Value::List(items)) => items,
        Some(_) => return Err(RequestError::Member { member: "evaluations", expected: "a list" }.into()),
    };
    if items.is_empty() {
        return evaluation(engine, body, |request| engine.decide(request, now));
    }
    if items.len() > limits.batch_max {
        return Err(RequestError::Limit { max: limits.batch_max, unit: "items" }.into());
    }
    let shared = Parts::read(&mut members)?;
    let (mut answers, mut reasons) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
    for item in items {
        let decided = shared.decide(item, engine, now);
        let reason = match &decided {
            Ok(decision) => decision.reason(),
            Err(RequestError::Limit { .. }) => Reason::LimitExceeded,
            Err(_) => Reason::InvalidRequest,
        };
        let allowed = decided.as_ref().is_ok_and(Decision::is_allow);
        answers.push(decided.map_or_else(|error| failed(&error, reason), |decision| decision.to_json()));
        reasons.push(reason);
        if semantic.ends_with(allowed) {
            break;
        }
    }
    Ok(Answer::new(&json!({ "evaluations": answers }), reasons))
}

/// A batch may be larger than a request, and nests two levels deeper; each of its items is held to the limits of a request
/// by itself.
fn batch_limits(limits: &Limits) -> Limits {
    Limits {
        request_bytes_max: limits.batch_bytes_max,
        request_values_max: limits.batch_values_max,
        request_depth_max: limits.request_depth_max.saturating_add(2),
        ..limits.clone()
    }
}

fn semantic(options: Option<Value>) -> Result<Semantic, Refusal> {
    let named = match options {
        None => None,
        Some(Value::Map(mut options)) => options.remove("evaluations_semantic"),
        Some(_) => return Err(RequestError::Member { member: "options", expected: "an object, or left out" }.into()),
    };
    match named {
        None => Ok(Semantic::ExecuteAll),
        Some(Value::String(name)) => match &*name {
            "execute_all" => Ok(Semantic::ExecuteAll),
            "deny_on_first_deny" => Ok(Semantic::DenyOnFirstDeny),
            "permit_on_first_permit" => Ok(Semantic::PermitOnFirstPermit),
            _ => Err(Refusal::UnknownSemantic(name)),
        },
        Some(_) => {
            Err(RequestError::Member { member: "options.evaluations_semantic", expected: "text, or left out" }.into())
        }
    }
}

impl Semantic {
    const fn ends_with(self, allowed: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !allowed,
            Self::PermitOnFirstPermit => allowed,
        }
    }
}

fn failed(error: &RequestError, reason: Reason) -> Json {
    let error = json!({ "status": 400, "message": error.to_string() });
    json!({ "decision": false, "context": { "reason": reason.code(), "error": error } })
}

/// The parts of a request, as far as they are given.
struct Parts {
    subject: Option<Party>,
    action: Option<Action>,
    resource: Option<Party>,
    context: Option<Map>,
}

impl Parts {
    fn read(members: &mut Map) -> Result<Self, RequestError> {
        let mut given = |name: &str| members.remove(name).map(Some);
        Ok(Self {
            subject: given("subject").map(request::subject).transpose()?,
            action: given("action").map(request::action).transpose()?,
            resource: given("resource").map(request::resource).transpose()?,
            context: given("context").map(request::context).transpose()?,
        })
    }

    /// Decides an item, with these parts for those that it lacks. Nothing is cloned: else one large default would cost as
    /// much as a thousand.
    fn decide(&self, item: Value, engine: &Engine, now: Now) -> Result<Decision, RequestError> {
        let Value::Map(mut members) = item else {
            return Err(RequestError::Member { member: "evaluations", expected: "a list of objects" });
        };
        let own = Self::read(&mut members)?;
        let missing = |member, expected| move || RequestError::Member { member, expected };
        let subject = own.subject.as_ref().or(self.subject.as_ref());
        let subject = subject.ok_or_else(missing("subject", "an object with `type` and `id`"))?;
        let action = own.action.as_ref().or(self.action.as_ref());
        let action = action.ok_or_else(missing("action", "an object with `name`"))?;
        let resource = own.resource.as_ref().or(self.resource.as_ref());
        let resource = resource.ok_or_else(missing("resource", "an object with `type` and `id`"))?;
        let context = own.context.as_ref().or(self.context.as_ref());
        let request = RequestView {
            subject: subject.into(),
            action: action.into(),
            resource: resource.into(),
            context: context.map_or(Attributes::NONE, Attributes::from),
        };
        let limits = &engine.config().limits;
        request.check_names(limits)?;
        request.check_values(limits)?;
        Ok(engine.decide_view(&request, now))
    }
}
