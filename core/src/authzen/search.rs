//! Searches: who may, to what, and what. Each declared candidate is put into the question and decided like any other.
//!
//! There is no second way to a yes: a result is a candidate that [`Engine::decide`] allows without an override, and the properties that it was
//! tried with come along: an evaluation of the result is the same question. What the caller says of the one that is sought
//! counts only where the candidate's declaration is silent, so that to lose it can never put a better value in its place.

use serde_json::{Value as Json, json};

use super::page::{Page, Seal, Wanted};
use super::{Answer, Endpoint, Refusal};
use crate::condition::Entity;
use crate::engine::Engine;
use crate::policy::compile::Policy;
use crate::request::{self, Action, Party, Request, RequestError, parse_strict, value_to_json};
use crate::time::Now;
use crate::value::{Map, Value};

/// What stands in the question for the one that is sought, until a candidate takes its place.
const SOUGHT: &str = "*";

pub(super) fn search(engine: &Engine, endpoint: Endpoint, body: &[u8], now: Now) -> Result<Answer, Refusal> {
    let limits = &engine.config().limits;
    let Value::Map(mut members) = parse_strict(body, limits)? else {
        return Err(RequestError::Member { member: "", expected: "a JSON object" }.into());
    };
    let wanted = Wanted::read(members.remove("page"))?;
    let question = question(endpoint, members)?;
    question.check_names(limits)?;
    let Some(bundle) = engine.bundle() else {
        return Ok(found(&[], ""));
    };
    let seal = Seal::new(engine.config(), bundle.id(), endpoint, &question);
    let page = wanted.page(&seal, limits.search_page_max)?;
    let candidates = Candidates::new(endpoint, bundle.policy(), &question);

    let mut asked = question.clone();
    let mut results = Vec::new();
    for (at, candidate) in (page.start..).zip(candidates.from(page.start)) {
        candidate.take_place(&mut asked, &question);
        // A search is no use of an override, which allows so many requests and no more.
        if !engine.decide_without_override(&asked, now).is_allow() {
            continue;
        }
        // One more than fits: there is a next page, and it is not empty.
        if u32::try_from(results.len()).unwrap_or(u32::MAX) >= page.limit {
            return Ok(found(&results, &seal.token(Page { start: at, ..page })));
        }
        results.push(candidate.to_json(&asked));
    }
    Ok(found(&results, ""))
}

fn found(results: &[Json], next_token: &str) -> Answer {
    let page = json!({ "next_token": next_token, "count": results.len() });
    Answer::new(&json!({ "page": page, "results": results }), Vec::new())
}

/// The request, with [`SOUGHT`] for the one that is sought; an `id` or `action` given there is ignored.
fn question(endpoint: Endpoint, mut members: Map) -> Result<Request, RequestError> {
    let mut member = |name: &str| members.remove(name);
    let subject = match endpoint {
        Endpoint::SearchSubject => request::subject(sought(member("subject")))?,
        _ => request::subject(member("subject"))?,
    };
    let resource = match endpoint {
        Endpoint::SearchResource => request::resource(sought(member("resource")))?,
        _ => request::resource(member("resource"))?,
    };
    let action = match endpoint {
        Endpoint::SearchAction => Action { name: SOUGHT.into(), properties: Map::default() },
        _ => request::action(member("action"))?,
    };
    Ok(Request { subject, action, resource, context: request::context(member("context"))? })
}

fn sought(member: Option<Value>) -> Option<Value> {
    let mut member = member?;
    if let Value::Map(members) = &mut member {
        members.insert("id", Value::String(SOUGHT.into()));
    }
    Some(member)
}

/// The candidates of one search, in their order.
enum Candidates<'p> {
    Subjects(&'p [Party]),
    Resources(&'p [Party]),
    Actions(&'p Policy),
}

/// One of them.
#[derive(Clone, Copy)]
enum Candidate<'p> {
    Subject(&'p Party),
    Resource(&'p Party),
    Action(&'p str),
}

impl<'p> Candidates<'p> {
    fn new(endpoint: Endpoint, policy: &'p Policy, question: &Request) -> Self {
        match endpoint {
            Endpoint::SearchSubject => {
                Self::Subjects(policy.candidates.of(Entity::Subject, &question.subject.party_type))
            }
            Endpoint::SearchResource => {
                Self::Resources(policy.candidates.of(Entity::Resource, &question.resource.party_type))
            }
            _ => Self::Actions(policy),
        }
    }

    fn from(&self, start: u32) -> Box<dyn Iterator<Item = Candidate<'p>> + 'p> {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        match *self {
            Self::Subjects(parties) => Box::new(parties.iter().skip(start).map(Candidate::Subject)),
            Self::Resources(parties) => Box::new(parties.iter().skip(start).map(Candidate::Resource)),
            Self::Actions(policy) => {
                Box::new(policy.actions.iter().skip(start).map(|action| Candidate::Action(&action.name)))
            }
        }
    }
}

impl Candidate<'_> {
    fn take_place(self, asked: &mut Request, question: &Request) {
        match self {
            Self::Subject(party) => asked.subject = described(party, &question.subject),
            Self::Resource(party) => asked.resource = described(party, &question.resource),
            Self::Action(name) => asked.action.name = name.into(),
        }
    }

    /// The candidate as it was asked for.
    fn to_json(self, asked: &Request) -> Json {
        let party = match self {
            Self::Subject(_) => &asked.subject,
            Self::Resource(_) => &asked.resource,
            Self::Action(name) => return json!({ "name": name }),
        };
        if party.properties.is_empty() {
            return json!({ "type": party.party_type, "id": party.id });
        }
        let properties = value_to_json(&Value::Map(party.properties.clone()));
        json!({ "type": party.party_type, "id": party.id, "properties": properties })
    }
}

/// The candidate as it is declared, and what the caller says besides.
fn described(candidate: &Party, sought: &Party) -> Party {
    let mut party = candidate.clone();
    for (name, value) in sought.properties.iter() {
        if party.properties.get(name).is_none() {
            party.properties.insert(name, value.clone());
        }
    }
    party
}
