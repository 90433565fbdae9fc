//! The lanes of every contest that need no engine of others: the hand-written floors and Fallgate itself.
//!
//! Both bench programs hold the same contests; `peers` adds its lanes to these before it lets them run.

use std::error::Error;

use serde_json::Value;

use crate::contest::{Contest, Label};
use crate::{REQUESTS, admission, admission_floor, many_rules, roles, roles_floor};

/// A workload's requests in every form that a lane may need.
#[derive(Debug)]
pub struct Requests<T> {
    /// As a host would hold them.
    pub typed: Vec<T>,
    /// In the AuthZEN shape.
    pub values: Vec<Value>,
    /// The same as JSON text.
    pub bytes: Vec<Vec<u8>>,
}

impl<T> Requests<T> {
    fn new(typed: Vec<T>, to_json: impl Fn(&T) -> Value) -> Self {
        let values: Vec<Value> = typed.iter().map(to_json).collect();
        let bytes = values
            .iter()
            .map(|value| value.to_string().into_bytes())
            .collect();
        Self {
            typed,
            values,
            bytes,
        }
    }
}

impl Requests<roles::Request> {
    /// Those of W1 or W2.
    #[must_use]
    pub fn of_roles(kind: roles::Kind) -> Self {
        Self::new(roles::Request::seeded(), |request| request.to_json(kind))
    }
}

impl Requests<many_rules::Request> {
    /// Those of W3 at a size.
    #[must_use]
    pub fn of_many_rules(rules: usize) -> Self {
        Self::new(
            many_rules::Request::seeded(rules),
            many_rules::Request::to_json,
        )
    }
}

impl Requests<()> {
    /// Those of W4; its floor's typed form borrows from the bytes, so it is made by the lane.
    #[must_use]
    pub fn of_admission() -> Self {
        let values = admission::requests();
        let bytes = values
            .iter()
            .map(|value| value.to_string().into_bytes())
            .collect();
        Self {
            typed: vec![(); REQUESTS],
            values,
            bytes,
        }
    }
}

const TYPED: &str = "the decision; the request is a Rust struct";
const BYTES: &str = "parsing the AuthZEN JSON into a Rust struct, and the decision";

fn floor(variant: &str, timed: &str) -> Label {
    Label::new("by hand", "Rust", variant, timed)
}

/// The floors of W1 or W2.
pub fn roles_floors<'a>(
    contest: &mut Contest<'a>,
    kind: roles::Kind,
    grants: &roles::Grants,
    requests: &'a Requests<roles::Request>,
) {
    let table = roles_floor::Floor::new(kind, grants);
    contest.lane(floor("prepared", TYPED), move |at| {
        table.decide(&requests.typed[at])
    });
    let table = roles_floor::Floor::new(kind, grants);
    contest.lane(floor("bytes", BYTES), move |at| {
        table.decide_bytes(&requests.bytes[at])
    });
}

/// The floors of W3.
pub fn many_rules_floors<'a>(
    contest: &mut Contest<'a>,
    rules: &[many_rules::Rule],
    requests: &'a Requests<many_rules::Request>,
) {
    let table = std::rc::Rc::new(many_rules::Floor::new(rules));
    let shared = std::rc::Rc::clone(&table);
    contest.lane(floor("prepared", TYPED), move |at| {
        shared.decide(&requests.typed[at])
    });
    contest.lane(floor("bytes", BYTES), move |at| {
        table.decide_bytes(&requests.bytes[at])
    });
}

/// The floors of W4: over typed structs, and over a generic JSON value.
///
/// # Errors
///
/// Where a generated request is not what the floor can read.
pub fn admission_floors<'a>(
    contest: &mut Contest<'a>,
    requests: &'a Requests<()>,
) -> Result<(), Box<dyn Error>> {
    let reviews: Vec<_> = requests
        .bytes
        .iter()
        .map(|bytes| admission_floor::Review::parse(bytes))
        .collect::<Result<_, _>>()?;
    contest.lane(floor("prepared", TYPED), move |at| reviews[at].admitted());
    contest.lane(floor("bytes", BYTES), |at| {
        admission_floor::Review::parse(&requests.bytes[at]).is_ok_and(|review| review.admitted())
    });
    let timed = "parsing the AuthZEN JSON into a `serde_json::Value`, and the decision";
    contest.lane(floor("bytes, JSON value", timed), |at| {
        serde_json::from_slice(&requests.bytes[at])
            .is_ok_and(|request| admission_floor::admitted_value(&request))
    });
    Ok(())
}
