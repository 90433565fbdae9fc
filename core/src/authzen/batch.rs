//! Several questions in one request.
//!
//! What stands beside `evaluations` is the default of every item, and an item's own member replaces the whole entity: the
//! parts of two descriptions are never mixed. An item that fails is a deny with `context.error`, and the others are
//! answered. A semantic that is not known is refused, since to guess one could leave a question unasked.

#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::sync::Arc;

use bumpalo::Bump;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value as Json, json};

use super::{Answer, Refusal, evaluation};
use crate::decision::Decision;
use crate::engine::Engine;
use crate::limits::Limits;
use crate::reason::Reason;
use crate::request::parse_strict;
use crate::request::{self, Action, Batch, Checked, Parts, Party, Portions, RequestError, Spelling};
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
    if !cfg!(feature = "slow-reader")
        && let Some(answers) = by_views(engine, body, now, engine.portions())
    {
        return Ok(answers.into_answer());
    }
    by_values(engine, body, now)
}

/// The answers to a batch that is read without a copy of it. Nothing where the other reader has to say what is wrong, or that
/// it is no batch; nothing is decided then.
fn by_views(engine: &Engine, body: &[u8], now: Now, kept: Option<Arc<Portions>>) -> Option<Answers> {
    let limits = &engine.config().limits;
    let (arena, whole_arena) = (Bump::new(), Bump::new());
    let batch = Batch::from_json(body, limits, kept.as_deref().unwrap_or(&Portions::WHOLE), &arena)?;
    let mut answers = Answers::new(Semantic::named(batch.semantic)?, batch.len());
    // Read where another policy decides by now, or where an item may be beyond a limit; for all items once.
    let whole = OnceCell::new();
    let whole_item = |at| {
        let read = || Batch::from_json(body, limits, &Portions::WHOLE, &whole_arena);
        let item = whole.get_or_init(read).as_ref().and_then(|whole| whole.request(at));
        // The bytes that were read can be read again. Were it otherwise, nothing would be decided on them.
        item.unwrap_or_else(|| Err(RequestError::Syntax("it is malformed".to_owned())))
    };
    for (at, (request, within)) in batch.requests(limits).enumerate() {
        let decided = request.and_then(|request| {
            let spelling = Spelling::of(&request);
            spelling.check(&request, limits)?;
            if within {
                let request = Checked::before(&request, &spelling);
                return Ok(engine.decide_kept(&request, kept.as_ref(), now, || whole_item(at)));
            }
            let request = whole_item(at)?;
            request.check_values(limits)?;
            Ok(engine.decide_kept(&Checked::before(&request, &spelling), None, now, || Ok(request)))
        });
        if answers.end_with(decided) {
            break;
        }
    }
    Some(answers)
}

/// Likewise, by way of values of their own. It says what is right.
fn by_values(engine: &Engine, body: &[u8], now: Now) -> Result<Answer, Refusal> {
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
        return evaluation(|| engine.decide_asked(body, now));
    }
    if items.len() > limits.batch_max {
        return Err(RequestError::Limit { max: limits.batch_max, unit: "items" }.into());
    }
    let shared = Owned::read(&mut members)?;
    let mut answers = Answers::new(semantic, items.len());
    for item in items {
        if answers.end_with(decide(item, &shared.parts(), engine, now)) {
            break;
        }
    }
    Ok(answers.into_answer())
}

/// Decides an item, with the shared parts for those that it lacks. Nothing is cloned: else one large default would cost as
/// much as a thousand.
fn decide(item: Value, shared: &Parts<'_>, engine: &Engine, now: Now) -> Result<Decision, RequestError> {
    let Value::Map(mut members) = item else {
        return Err(RequestError::Member { member: "evaluations", expected: "a list of objects" });
    };
    let own = Owned::read(&mut members)?;
    let request = own.parts().request(shared)?;
    let limits = &engine.config().limits;
    let spelling = Spelling::of(&request);
    let checked = Checked::new(&request, &spelling, limits)?;
    Ok(engine.decide_kept(&checked, None, now, || Ok(request)))
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
        Some(Value::String(name)) => Semantic::named(Some(&name)).ok_or(Refusal::UnknownSemantic(name)),
        Some(_) => {
            Err(RequestError::Member { member: "options.evaluations_semantic", expected: "text, or left out" }.into())
        }
    }
}

impl Semantic {
    /// The one of that name, or the one where none is given; nothing for a name that is not known.
    fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("execute_all") => Some(Self::ExecuteAll),
            Some("deny_on_first_deny") => Some(Self::DenyOnFirstDeny),
            Some("permit_on_first_permit") => Some(Self::PermitOnFirstPermit),
            Some(_) => None,
        }
    }

    const fn ends_with(self, allowed: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !allowed,
            Self::PermitOnFirstPermit => allowed,
        }
    }
}

/// What was decided so far, to be written when all is.
struct Answers {
    semantic: Semantic,
    decided: Vec<Result<Decision, RequestError>>,
}

impl Answers {
    fn new(semantic: Semantic, items: usize) -> Self {
        Self { semantic, decided: Vec::with_capacity(items) }
    }

    /// Takes the answer to the next item; says whether it is the last.
    fn end_with(&mut self, decided: Result<Decision, RequestError>) -> bool {
        let allowed = decided.as_ref().is_ok_and(Decision::is_allow);
        self.decided.push(decided);
        self.semantic.ends_with(allowed)
    }

    fn into_answer(self) -> Answer {
        let reasons =
            self.decided.iter().map(|decided| decided.as_ref().map_or_else(reason, Decision::reason)).collect();
        Answer::new(&self, reasons)
    }
}

impl Serialize for Answers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = serializer.serialize_map(Some(1))?;
        answer.serialize_entry("evaluations", &Evaluations(&self.decided))?;
        answer.end()
    }
}

struct Evaluations<'a>(&'a [Result<Decision, RequestError>]);

impl Serialize for Evaluations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for decided in self.0 {
            match decided {
                Ok(decision) => list.serialize_element(decision)?,
                Err(error) => list.serialize_element(&failed(error))?,
            }
        }
        list.end()
    }
}

/// The reason of an item that failed.
const fn reason(error: &RequestError) -> Reason {
    match error {
        RequestError::Limit { .. } => Reason::LimitExceeded,
        _ => Reason::InvalidRequest,
    }
}

fn failed(error: &RequestError) -> Json {
    let message = json!({ "status": 400, "message": error.to_string() });
    json!({ "decision": false, "context": { "reason": reason(error).code(), "error": message } })
}

/// The parts of a request, as far as they are given, as values of their own.
struct Owned {
    subject: Option<Party>,
    action: Option<Action>,
    resource: Option<Party>,
    context: Option<Map>,
}

impl Owned {
    fn read(members: &mut Map) -> Result<Self, RequestError> {
        let mut given = |name: &str| members.remove(name).map(Some);
        Ok(Self {
            subject: given("subject").map(request::subject).transpose()?,
            action: given("action").map(request::action).transpose()?,
            resource: given("resource").map(request::resource).transpose()?,
            context: given("context").map(request::context).transpose()?,
        })
    }

    fn parts(&self) -> Parts<'_> {
        Parts::of(self.subject.as_ref(), self.action.as_ref(), self.resource.as_ref(), self.context.as_ref())
    }
}
