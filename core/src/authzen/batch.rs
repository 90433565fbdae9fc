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
use crate::request::{self, Action, Party, Request, RequestError, parse_strict};
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
        return evaluation(engine, body, now);
    }
    if items.len() > limits.batch_max {
        return Err(RequestError::Limit { max: limits.batch_max, unit: "items" }.into());
    }
    let mut shared = Parts::read(&mut members)?;
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

/// A batch may be larger than a request, and nests two levels deeper; each of its items is held to the engine's limits
/// of evaluation by itself.
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

    /// Decides an item, with these parts for those that it lacks.
    ///
    /// They are lent and not cloned: else one large default would cost as much as a thousand.
    fn decide(&mut self, item: Value, engine: &Engine, now: Now) -> Result<Decision, RequestError> {
        let Value::Map(mut members) = item else {
            return Err(RequestError::Member { member: "evaluations", expected: "a list of objects" });
        };
        let own = Self::read(&mut members)?;
        let mut subject = Part::of(own.subject, &mut self.subject);
        let mut action = Part::of(own.action, &mut self.action);
        let mut resource = Part::of(own.resource, &mut self.resource);
        let mut context = Part::of(own.context, &mut self.context);
        let parts = (subject.value.take(), action.value.take(), resource.value.take());
        let decided = match parts {
            (Some(by), Some(what), Some(on)) => {
                let circumstances = context.value.take().unwrap_or_default();
                let request = Request { subject: by, action: what, resource: on, context: circumstances };
                let decided = request.check_names(&engine.config().limits).map(|()| engine.decide(&request, now));
                subject.value = Some(request.subject);
                action.value = Some(request.action);
                resource.value = Some(request.resource);
                context.value = Some(request.context);
                decided
            }
            (by, what, on) => {
                let missing = match (&by, &what) {
                    (None, _) => request::subject(None).map(|_| ()),
                    (_, None) => request::action(None).map(|_| ()),
                    _ => request::resource(None).map(|_| ()),
                };
                (subject.value, action.value, resource.value) = (by, what, on);
                missing.and(Err(RequestError::Member { member: "", expected: "a JSON object" }))
            }
        };
        subject.give_back(&mut self.subject);
        action.give_back(&mut self.action);
        resource.give_back(&mut self.resource);
        context.give_back(&mut self.context);
        decided
    }
}

/// A part of a request that is the item's own, or lent.
struct Part<T> {
    value: Option<T>,
    lent: bool,
}

impl<T> Part<T> {
    fn of(own: Option<T>, shared: &mut Option<T>) -> Self {
        let lent = own.is_none();
        Self { value: own.or_else(|| shared.take()), lent }
    }

    fn give_back(self, shared: &mut Option<T>) {
        if self.lent {
            *shared = self.value;
        }
    }
}
