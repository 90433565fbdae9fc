//! The AuthZEN Authorization API 1.0: the bytes of a request in, a status and a JSON body out.
//!
//! It is here, and not in a server, so that every face can offer it and all give the same bytes. It does no I/O: a face
//! reads the request and writes the answer. It decides nothing either: each answer is made of decisions of
//! [`Engine::decide`], and what goes wrong on the way to one is an error, never an allow.
//!
//! A status of 400 is for a caller that does not keep to the protocol. What a policy does not know (an action, a type, an
//! attribute of the wrong type) is a deny with its reason, under the status 200.

mod batch;
mod metadata;
mod page;
mod search;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde_json::Value as Json;

pub use metadata::{NotAnIdentifier, WELL_KNOWN, metadata};

use crate::decision::Decision;
use crate::engine::Engine;
use crate::error::quoted;
use crate::limits::Limits;
use crate::reason::Reason;
use crate::request::{Request, RequestError};
use crate::time::Now;

/// A question that AuthZEN knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// May this subject do this to that?
    Evaluation,
    /// Several such questions at once.
    Evaluations,
    /// Who may do this to that?
    SearchSubject,
    /// To what may this subject do this?
    SearchResource,
    /// What may this subject do to that?
    SearchAction,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 5] =
        [Self::Evaluation, Self::Evaluations, Self::SearchSubject, Self::SearchResource, Self::SearchAction];

    /// Its path under the address of the decision point.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Evaluation => "/access/v1/evaluation",
            Self::Evaluations => "/access/v1/evaluations",
            Self::SearchSubject => "/access/v1/search/subject",
            Self::SearchResource => "/access/v1/search/resource",
            Self::SearchAction => "/access/v1/search/action",
        }
    }

    /// The endpoint of a path.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.path() == path)
    }

    /// How many bytes a request may have.
    #[must_use]
    pub const fn bytes_max(self, limits: &Limits) -> usize {
        match self {
            Self::Evaluations => limits.batch_bytes_max,
            _ => limits.request_bytes_max,
        }
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status: 200; 400 or 413 for a request that is none; 500 where the engine itself failed.
    pub status: u16,
    /// The body: JSON. Under another status than 200 it is a text, which says what is wrong and never repeats a value.
    pub body: String,
    /// The reasons of the decisions in the answer, in their order; none for a search. For a face that counts.
    pub reasons: Vec<Reason>,
}

impl Answer {
    /// A body that cannot be written would be a mistake of this library's own.
    fn new(body: &impl Serialize, reasons: Vec<Reason>) -> Self {
        match serde_json::to_string(body) {
            Ok(body) => Self { status: 200, body, reasons },
            Err(_) => Self::error(500, FAILED),
        }
    }

    fn error(status: u16, message: &str) -> Self {
        Self { status, body: Json::from(message).to_string(), reasons: Vec::new() }
    }
}

/// Answers a request. Whatever is wrong is a status, or a deny: there is no error to handle.
///
/// The same request at the same `now` has the same answer, byte for byte, while the engine is told nothing in between.
#[must_use]
pub fn answer(engine: &Engine, endpoint: Endpoint, body: &[u8], now: Now) -> Answer {
    answer_with(engine, endpoint, body, now, || engine.decide_asked(body, now))
}

/// [`answer`], where a single evaluation on an action that demands it (`audit: confirmed`) is made in its two calls:
/// `write` writes and acknowledges the records that wait, and gives the time by then; nothing where they are not written.
///
/// What is evaluated in a batch or searched for is answered as by [`answer`]: a deny with `audit_pending`.
#[must_use]
pub fn answer_when_written(
    engine: &Engine,
    endpoint: Endpoint,
    body: &[u8],
    now: Now,
    write: impl FnOnce() -> Option<Now>,
) -> Answer {
    answer_with(engine, endpoint, body, now, || {
        let request = Request::from_json(body, &engine.config().limits)?;
        let pending = engine.decide_pending(&request, now);
        Ok(match pending.id.and_then(|id| Some((id, write()?))) {
            Some((id, now)) => engine.confirm(id, now),
            None => pending.decision,
        })
    })
}

fn answer_with(
    engine: &Engine,
    endpoint: Endpoint,
    body: &[u8],
    now: Now,
    decide: impl FnOnce() -> Result<Decision, RequestError>,
) -> Answer {
    let answered = catch_unwind(AssertUnwindSafe(|| match endpoint {
        Endpoint::Evaluation => evaluation(decide),
        Endpoint::Evaluations => batch::evaluations(engine, body, now),
        Endpoint::SearchSubject | Endpoint::SearchResource | Endpoint::SearchAction => {
            search::search(engine, endpoint, body, now)
        }
    }));
    match answered {
        Ok(Ok(answer)) => answer,
        Ok(Err(refusal)) => Answer::error(refusal.status(), &refusal.to_string()),
        Err(_) => Answer::error(500, FAILED),
    }
}

fn evaluation(decide: impl FnOnce() -> Result<Decision, RequestError>) -> Result<Answer, Refusal> {
    let decision = decide()?;
    Ok(Answer::new(&decision, vec![decision.reason()]))
}

/// What a caller is told of what went wrong here.
const FAILED: &str = "the engine failed";

/// Why a request is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("the semantic {} is not known: write `execute_all`, `deny_on_first_deny` or `permit_on_first_permit`", quoted(.0))]
    UnknownSemantic(Box<str>),
    #[error("the page's token is not one for this request and this policy: begin the search again without it")]
    Token,
}

impl Refusal {
    fn status(&self) -> u16 {
        match self {
            Self::Request(RequestError::Limit { unit: "bytes", .. }) => 413,
            _ => 400,
        }
    }
}
