//! What was denied, since when, why, and what ends it: the question that an outage asks.

use std::collections::{BTreeMap, BTreeSet};

use fallgate::policy::compile::Policy;
use fallgate::{Decision, Effect, Reason};

use super::lanes::Lanes;
use super::words;
use crate::telling::since_start;

/// A question that a step asked, and its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'d> {
    pub(super) at: u64,
    pub(super) subject: &'d str,
    pub(super) action: &'d str,
    pub(super) resource: &'d str,
    pub(super) decision: &'d Decision,
}

impl<'d> Asked<'d> {
    /// Who asks for what: only the same question can have been answered otherwise.
    pub(super) const fn question(&self) -> [&'d str; 3] {
        [self.action, self.resource, self.subject]
    }
}

/// One way in which one action was denied on one resource.
#[derive(Clone, Debug)]
pub(super) struct Denied {
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) reason: Reason,
    /// Of whom: the first few, and how many there are.
    pub(super) subjects: (Vec<String>, usize),
    pub(super) times: usize,
    /// When first and when last, in milliseconds.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) why: String,
    pub(super) ends: String,
    /// What became of it: what the same question was answered next.
    pub(super) then: String,
}

/// How many of those who were denied are named.
const NAMED: usize = 3;

/// Denies of one question in a row, for the same cause.
struct Row<'d> {
    first: Asked<'d>,
    last: u64,
    times: usize,
    then: String,
}

/// The ways in which actions were denied, in the order in which they began. Denies are told together where the question has
/// the same answer for the same cause, nothing else was answered in between, and the same became of it.
pub(super) fn denied(asked: &[Asked<'_>], policy: &Policy, lanes: &Lanes) -> Vec<Denied> {
    let mut ways: BTreeMap<[String; 6], Denied> = BTreeMap::new();
    let mut seen: BTreeMap<[String; 6], BTreeSet<&str>> = BTreeMap::new();
    let mut rows = rows(asked);
    rows.sort_by_key(|row| row.first.at);
    for Row { first, last, times, then } in rows {
        let Asked { at, subject, action, resource, decision } = first;
        let [reason, what, missing] = cause(decision);
        let key = [action.to_owned(), resource.to_owned(), reason, what, missing, then.clone()];
        let way = ways.entry(key.clone()).or_insert_with(|| Denied {
            action: action.to_owned(),
            resource: resource.to_owned(),
            reason: decision.reason(),
            subjects: (Vec::new(), 0),
            times: 0,
            first: at,
            last,
            why: words::why(decision, policy, lanes, at),
            ends: words::ends(decision, policy),
            then,
        });
        way.times = way.times.saturating_add(times);
        way.last = way.last.max(last);
        if seen.entry(key).or_default().insert(subject) {
            way.subjects.1 = way.subjects.1.saturating_add(1);
            if way.subjects.0.len() < NAMED {
                way.subjects.0.push(subject.to_owned());
            }
        }
    }
    let mut denied: Vec<Denied> = ways.into_values().collect();
    denied.sort_by_key(|way| way.first);
    denied
}

/// What a deny came from: its reason, the rule or the posture, and what was not ok.
fn cause(decision: &Decision) -> [String; 3] {
    let what = match decision.reason() {
        Reason::Posture => decision.posture(),
        _ => decision.rule().unwrap_or_default(),
    };
    [decision.reason().code().to_owned(), what.to_owned(), decision.degraded().join(", ")]
}

fn rows<'d>(asked: &[Asked<'d>]) -> Vec<Row<'d>> {
    let mut open: BTreeMap<[&str; 3], Row<'d>> = BTreeMap::new();
    let mut rows = Vec::new();
    for one in asked {
        let denies = one.decision.effect() == Effect::Deny;
        let question = one.question();
        if let Some(row) = open.get_mut(&question) {
            if denies && cause(row.first.decision) == cause(one.decision) {
                (row.last, row.times) = (one.at, row.times.saturating_add(1));
                continue;
            }
            row.then = match denies {
                true => format!("denied at {} for another cause", since_start(one.at)),
                false => format!("allowed at {} ({})", since_start(one.at), one.decision.reason().code()),
            };
            rows.extend(open.remove(&question));
        }
        if denies {
            open.insert(question, Row { first: *one, last: one.at, times: 1, then: "not asked again".to_owned() });
        }
    }
    rows.extend(open.into_values());
    rows
}
