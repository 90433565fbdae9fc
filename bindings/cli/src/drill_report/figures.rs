//! What it all comes to: the summary in sentences, the legend, the indicators with their targets.

use std::collections::BTreeMap;

use fallgate::drill::DrillReport;
use fallgate::telemetry::sli::INDICATORS;
use fallgate::{Effect, Reason};
use maud::{Markup, html};

use super::denied::Asked;
use super::mood::Mood;
use super::tables::table;
use crate::telling::since_start;

/// The drill in a few sentences, for somebody who asks whether it was bad.
pub(super) fn summary(asked: &[Asked<'_>]) -> Markup {
    let count = |of: &dyn Fn(Reason) -> bool| asked.iter().filter(|one| of(one.decision.reason())).count();
    let allowed = count(&|reason| reason.effect() == Effect::Allow);
    let weak = count(&|reason| Mood::of_reason(reason) == Mood::Weak);
    let overridden = count(&|reason| reason == Reason::AllowedByOverride);
    let open = count(&|reason| reason == Reason::AllowedFailOpen);
    let policy = count(&|reason| matches!(reason, Reason::DeniedByRule | Reason::NoMatchingRule));
    let tightened = count(&|reason| matches!(reason, Reason::Posture | Reason::Quarantined));
    let denies = asked.len().saturating_sub(allowed);
    let lost = denies.saturating_sub(policy).saturating_sub(tightened);
    let most = most_denied(asked);
    html! {
        ul.summary {
            li { strong { (asked.len()) } " questions were asked; " strong { (allowed) } " were allowed and " strong { (denies) } " denied." }
            @if denies > 0 {
                li {
                    "Of the denies, " strong { (policy) } " came from rules (one forbids it, or none allows it), "
                    strong { (lost) } " came because something was missing, late or broken, and "
                    strong { (tightened) } " because a posture or a quarantine was in force."
                }
            }
            @if weak > 0 || overridden > 0 {
                li {
                    strong { (weak) } " were allowed on weaker ground that the policy declares, and "
                    strong { (overridden) } " by an override that people approved."
                }
            }
            li {
                @match open {
                    0 => { "Nothing failed open." },
                    open => { strong.bad { (open) " failed open" } ", as the policy declares." },
                }
            }
            @if let Some((action, times, first)) = most {
                li {
                    "Denied most often was " code { (action) } ": " (times) " times, first at " (since_start(first)) "."
                }
            }
        }
    }
}

/// The action that was denied most often, how often, and when first; nothing where several were, or none was twice.
fn most_denied<'d>(asked: &[Asked<'d>]) -> Option<(&'d str, usize, u64)> {
    let mut denies: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for one in asked.iter().filter(|one| !one.decision.is_allow()) {
        let (times, _) = denies.entry(one.action).or_insert((0, one.at));
        *times = times.saturating_add(1);
    }
    let most = denies.values().map(|(times, _)| *times).max().filter(|times| *times > 1)?;
    let mut first = denies.into_iter().filter(|(_, (times, _))| *times == most);
    match (first.next(), first.next()) {
        (Some((action, (times, at))), None) => Some((action, times, at)),
        _ => None,
    }
}

/// What the looks mean.
pub(super) fn legend() -> Markup {
    let looks = [
        (Mood::Good, "ok, or allowed by a rule"),
        (Mood::Weak, "degraded, or allowed on weaker ground"),
        (Mood::Open, "let through by an exception"),
        (Mood::Unknown, "nobody knows, or denied by the policy itself"),
        (Mood::Strict, "tightened"),
        (Mood::Bad, "failed, or denied for want of something"),
    ];
    html! {
        ul.legend aria-label="Legend" {
            @for (mood, words) in looks {
                li { span.badge.(mood.class()) { (mood.class()) } " " (words) }
            }
        }
    }
}

/// The indicators that say something, those with a target first.
pub(super) fn indicators(drill: &str, report: &DrillReport) -> Markup {
    let known = INDICATORS.iter().zip(&report.slis.values).filter_map(|(one, value)| Some((one, (*value)?)));
    let rows = html! {
        @for objective in &report.slis.objectives {
            @let met = objective.value.is_none_or(|value| value >= objective.target);
            tr {
                th scope="row" { "objective: " (objective.aim.code()) }
                td { (objective.value.map_or_else(|| "nothing to tell".to_owned(), ratio)) }
                td {
                    (ratio(objective.target)) ": "
                    span.badge.(if met { "good" } else { "bad" }) { (if met { "met" } else { "below" }) }
                }
                td { "in this drill; the target itself is for " (objective.window) " of ordinary days" }
            }
        }
        @for (indicator, value) in known {
            tr {
                th scope="row" { (indicator.name) }
                td { (shown(indicator.unit, value)) }
                td { "none" }
                td { (indicator.help) }
            }
        }
    };
    table(&format!("Indicators of {drill}"), &["Indicator", "Value", "Target", "What it says"], &rows)
}

fn shown(unit: &str, value: f64) -> String {
    match unit {
        "ratio" => ratio(value),
        "seconds" => format!("{value:.3} s"),
        _ => format!("{value}"),
    }
}

fn ratio(value: f64) -> String {
    let percent = format!("{:.3}", value * 100.0);
    format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
}
