//! The lanes of every contest that need no engine of others: the hand-written floors and Fallgate itself.
//!
//! Both bench programs hold the same contests; `peers` adds its lanes to these before it lets them run.

use std::error::Error;
use std::hash::Hash;
use std::rc::Rc;

use serde_json::Value;

use crate::contest::{Contest, Label};
use crate::engine::{self, Entry};
use crate::{admission, admission_floor, many_rules, roles, roles_floor};

type Outcome = Result<(), Box<dyn Error>>;

const TYPED: &str = "the decision; the request is a Rust struct";
const BYTES: &str = "parsing the AuthZEN JSON into a Rust struct, and the decision";

/// The requests as JSON text.
#[must_use]
pub fn bytes<T>(requests: &[T], to_json: impl Fn(&T) -> Value) -> Vec<Vec<u8>> {
    requests.iter().map(|request| to_json(request).to_string().into_bytes()).collect()
}

/// W1 or W2.
///
/// # Errors
///
/// Where Fallgate refuses the bundle or a request.
pub fn roles<'a>(
    contest: &mut Contest<'a>,
    kind: roles::Kind,
    grants: &roles::Grants,
    typed: &'a [roles::Request],
    bytes: &'a [Vec<u8>],
) -> Outcome {
    let table = Rc::new(roles_floor::Floor::new(kind, grants));
    let [shared, kept] = [Rc::clone(&table), Rc::clone(&table)];
    contest.lane(floor("prepared", TYPED), move |at| shared.decide(&typed[at]));
    contest.lane(floor("bytes", BYTES), move |at| table.decide_bytes(&bytes[at]));
    kept_answers(contest, typed, |request| kept.decide(request));
    fallgate(contest, |cached| roles::document(kind, grants, cached), bytes)
}

/// W3.
///
/// # Errors
///
/// Where Fallgate refuses the bundle or a request.
pub fn many_rules<'a>(
    contest: &mut Contest<'a>,
    rules: &[many_rules::Rule],
    typed: &'a [many_rules::Request],
    bytes: &'a [Vec<u8>],
) -> Outcome {
    let table = Rc::new(many_rules::Floor::new(rules));
    let [shared, kept] = [Rc::clone(&table), Rc::clone(&table)];
    contest.lane(floor("prepared", TYPED), move |at| shared.decide(&typed[at]));
    contest.lane(floor("bytes", BYTES), move |at| table.decide_bytes(&bytes[at]));
    kept_answers(contest, typed, |request| kept.decide(request));
    fallgate(contest, |cached| many_rules::document(rules, cached), bytes)
}

/// W4. Its decisions are not cached: what the checks read of a pod is longer than the longest key that is kept.
///
/// # Errors
///
/// Where Fallgate refuses the bundle or a request, or where the floor cannot read a request.
pub fn admission<'a>(contest: &mut Contest<'a>, bytes: &'a [Vec<u8>]) -> Outcome {
    let reviews: Vec<_> = bytes.iter().map(|bytes| admission_floor::Review::parse(bytes)).collect::<Result<_, _>>()?;
    contest.lane(floor("prepared", TYPED), move |at| reviews[at].admitted());
    contest.lane(floor("bytes", BYTES), |at| {
        admission_floor::Review::parse(&bytes[at]).is_ok_and(|review| review.admitted())
    });
    let timed = "parsing the AuthZEN JSON into a `serde_json::Value`, and the decision";
    contest.lane(floor("bytes, JSON value", timed), |at| {
        serde_json::from_slice(&bytes[at]).is_ok_and(|request| admission_floor::admitted_value(&request))
    });
    let native = Entry { variant: "", cached: false };
    engine::lanes(contest, native, &admission::document(), bytes)?;
    let rego = Entry { variant: "Rego", cached: false };
    engine::lanes(contest, rego, &admission::rego_document(), bytes)
}

fn floor(variant: &str, timed: &str) -> Label {
    Label::new("by hand", "Rust", variant, timed)
}

/// Fallgate's lanes, uncached and cached.
fn fallgate<'a>(contest: &mut Contest<'a>, document: impl Fn(bool) -> Value, bytes: &'a [Vec<u8>]) -> Outcome {
    let uncached = Entry { variant: "", cached: false };
    engine::lanes(contest, uncached, &document(false), bytes)?;
    let cached = Entry { variant: "cached", cached: true };
    engine::lanes(contest, cached, &document(true), bytes)
}

/// The floor of a cached decision: a concurrent cache from the whole request to the answer.
fn kept_answers<'a, K: Clone + Eq + Hash>(contest: &mut Contest<'a>, typed: &'a [K], decide: impl Fn(&K) -> bool) {
    let kept = quick_cache::sync::Cache::new(10_000);
    for request in typed {
        kept.insert(request.clone(), decide(request));
    }
    let timed = "looking the Rust struct up, its key compared in full";
    let label = Label::new("quick_cache", "0.7", "cached, prepared", timed);
    contest.lane(label, move |at| kept.get(&typed[at]).unwrap_or(false));
}
