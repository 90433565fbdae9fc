//! What stayed allowed while something was not as it should be, and on what strength: the other half of what an outage asks.

use std::collections::BTreeMap;

use fallgate::Reason;

use super::denied::Asked;
use super::lanes::{Group, Lanes, Span};
use super::mood::Mood;

/// One question that was allowed all the same.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) subject: String,
    pub(super) reason: Reason,
    pub(super) rule: String,
    pub(super) times: usize,
    /// When first and when last, in milliseconds.
    pub(super) first: u64,
    pub(super) last: u64,
    /// What was not as it should be.
    pub(super) despite: String,
}

/// How many of what was not as it should be are named.
const NAMED: usize = 4;

/// What was allowed while a signal was not ok or a posture was in force, or on other ground than a rule, in the order in
/// which it began. The same question is told of once for each strength and each state of the world, and anew behind a deny.
pub(super) fn allowed(asked: &[Asked<'_>], lanes: &Lanes) -> Vec<Allowed> {
    let mut rows: BTreeMap<([&str; 3], usize, &str, String), Allowed> = BTreeMap::new();
    // How often the same question was denied before: what lies on either side of a deny is not one row.
    let mut denies: BTreeMap<[&str; 3], usize> = BTreeMap::new();
    for one in asked {
        let before = denies.entry(one.question()).or_default();
        if !one.decision.is_allow() {
            *before = before.saturating_add(1);
            continue;
        }
        let despite = despite(lanes, one.at);
        let reason = one.decision.reason();
        if despite.is_empty() && reason == Reason::AllowedByRule {
            continue;
        }
        let [action, resource, subject] = one.question();
        let row = rows.entry((one.question(), *before, reason.code(), despite.clone())).or_insert_with(|| Allowed {
            action: action.to_owned(),
            resource: resource.to_owned(),
            subject: subject.to_owned(),
            reason,
            rule: one.decision.rule().unwrap_or_default().to_owned(),
            times: 0,
            first: one.at,
            last: one.at,
            despite,
        });
        row.times = row.times.saturating_add(1);
        row.last = one.at;
    }
    let mut rows: Vec<Allowed> = rows.into_values().collect();
    rows.sort_by_key(|row| row.first);
    rows
}

/// The signals that were not ok at that time, and the postures that were in force.
fn despite(lanes: &Lanes, moment: u64) -> String {
    let mut found = Vec::new();
    for lane in lanes.all.iter().filter(|lane| matches!(lane.group, Group::Signals | Group::Guards | Group::Postures)) {
        // What nobody has ever said anything of was not lost.
        let is_lost = |span: &&Span| span.mood != Mood::Good && (span.mood != Mood::Unknown || span.from > 0);
        let span = lanes.at(lane.group, &lane.name, moment).filter(is_lost);
        if let Some(span) = span {
            found.push(match lane.group {
                Group::Postures => format!("posture {}", span.state),
                _ => format!("{} {}", lane.name, span.state),
            });
        }
    }
    found.dedup();
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{more}", found.join(", "))
}

/// The strength of an allow, in words.
pub(super) const fn strength(reason: Reason) -> &'static str {
    match reason {
        Reason::AllowedByRule => "its ordinary rule",
        Reason::AllowedStale => "an earlier answer",
        Reason::AllowedMinimal => "the declared minimum",
        Reason::AllowedFailOpen => "declared to fail open",
        Reason::AllowedByOverride => "an override that people approved",
        _ => "",
    }
}
