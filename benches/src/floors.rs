//! The hand-written floors of every contest: what each engine is divided by.
//!
//! Both bench programs time them, Fallgate's and that of its peers, so that ratios carry from one to the other.

use std::error::Error;
use std::hash::Hash;
use std::rc::Rc;

use serde_json::Value;

use crate::contest::{Contest, Label};
use crate::{admission_floor, many_rules, roles, roles_floor};

const TYPED: &str = "the decision; the request is a Rust struct";
const BYTES: &str = "parsing the AuthZEN JSON into a Rust struct, and the decision";

/// The requests as JSON text.
#[must_use]
pub fn bytes<T>(requests: &[T], to_json: impl Fn(&T) -> Value) -> Vec<Vec<u8>> {
    requests.iter().map(|request| to_json(request).to_string().into_bytes()).collect()
}

/// W1 or W2.
pub fn roles<'a>(
    contest: &mut Contest<'a>,
    kind: roles::Kind,
    grants: &roles::Grants,
    typed: &'a [roles::Request],
    bytes: &'a [Vec<u8>],
) {
    let table = Rc::new(roles_floor::Floor::new(kind, grants));
    let [shared, kept] = [Rc::clone(&table), Rc::clone(&table)];
    contest.lane(floor("prepared", TYPED), move |at| shared.decide(&typed[at]));
    contest.lane(floor("bytes", BYTES), move |at| table.decide_bytes(&bytes[at]));
    kept_answers(contest, typed, |request| kept.decide(request));
}

/// W3.
pub fn many_rules<'a>(
    contest: &mut Contest<'a>,
    rules: &[many_rules::Rule],
    typed: &'a [many_rules::Request],
    bytes: &'a [Vec<u8>],
) {
    let table = Rc::new(many_rules::Floor::new(rules));
    let [shared, kept] = [Rc::clone(&table), Rc::clone(&table)];
    contest.lane(floor("prepared", TYPED), move |at| shared.decide(&typed[at]));
    contest.lane(floor("bytes", BYTES), move |at| table.decide_bytes(&bytes[at]));
    kept_answers(contest, typed, |request| kept.decide(request));
}

/// W4.
///
/// # Errors
///
/// Where the floor cannot read a request.
pub fn admission<'a>(contest: &mut Contest<'a>, bytes: &'a [Vec<u8>]) -> Result<(), Box<dyn Error>> {
    let reviews: Vec<_> = bytes.iter().map(|bytes| admission_floor::Review::parse(bytes)).collect::<Result<_, _>>()?;
    contest.lane(floor("prepared", TYPED), move |at| reviews[at].admitted());
    contest.lane(floor("bytes", BYTES), |at| {
        admission_floor::Review::parse(&bytes[at]).is_ok_and(|review| review.admitted())
    });
    let timed = "parsing the AuthZEN JSON into a `serde_json::Value`, and the decision";
    contest.lane(floor("bytes, JSON value", timed), |at| {
        serde_json::from_slice(&bytes[at]).is_ok_and(|request| admission_floor::admitted_value(&request))
    });
    Ok(())
}

fn floor(variant: &str, timed: &str) -> Label {
    Label::new("by hand", "Rust", variant, timed)
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
