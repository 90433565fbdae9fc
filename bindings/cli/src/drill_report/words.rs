//! Why a decision came out as it did, and what ends it, for somebody who has never seen the pack.

use fallgate::policy::compile::Policy;
use fallgate::policy::posture::PostureSpec;
use fallgate::policy::rule::Condition;
use fallgate::policy::signal::Source;
use fallgate::time::Ttl;
use fallgate::{Decision, Reason};

use super::lanes::{Group, Lanes};
use crate::telling::since_start;

/// What a reason says, in a clause behind "allowed" or "denied".
pub(super) const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NoPolicy => "no policy is active",
        Reason::PolicyExpired => "the policy has expired",
        Reason::PolicyNotYetValid => "the policy is not valid yet",
        Reason::LimitExceeded => "the request is larger than the limits allow",
        Reason::InvalidRequest => "the request does not fit the policy's schema",
        Reason::UnknownAction => "the policy knows no such action",
        Reason::RevisionTooOld => "the request demands a newer policy than the one that is active",
        Reason::AuditUnavailable => "the action demands an audit record, and there is no room for one",
        Reason::AuditPending => "the answer waits until its audit record is confirmed",
        Reason::Quarantined => "the subject, the resource or its scope is quarantined",
        Reason::Posture => "the posture in force does not permit the action",
        Reason::SignalUnavailable => "something that the action needs is not known to work",
        Reason::DeniedByRule => "a rule forbids it",
        Reason::Indeterminate => "a rule that would have decided could not be established",
        Reason::NoMatchingRule => "no rule allows it",
        Reason::AllowedByRule => "a rule allows it, and none forbids it",
        Reason::AllowedStale => "an earlier answer stands in while something is unavailable, as the policy declares",
        Reason::AllowedMinimal => "it is part of the minimum that stays allowed while something is unavailable",
        Reason::AllowedFailOpen => "the policy declares that this action fails open",
        Reason::AllowedByOverride => "people approved an override of the deny",
        _ => "the engine itself failed",
    }
}

/// A decision in a sentence or two: effect, reason, and on what it rested.
pub(super) fn why(decision: &Decision, policy: &Policy, lanes: &Lanes, moment: u64) -> String {
    let effect = if decision.is_allow() { "Allowed" } else { "Denied" };
    let mut said = format!("{effect}: {}.", reason(decision.reason()));
    if let Some(rule) = decision.rule() {
        said.push_str(&format!(" Rule: {rule}."));
    }
    if decision.revision() != policy.revision {
        said.push_str(&format!(" Revision {} decided.", decision.revision()));
    }
    if decision.reason() == Reason::Posture {
        said.push_str(&format!(
            " Posture: {}{}.",
            decision.posture(),
            posture_since(decision.posture(), lanes, moment)
        ));
    }
    if !decision.degraded().is_empty() {
        let names: Vec<String> =
            decision.degraded().iter().map(|name| format!("{name}{}", since(name, lanes, moment))).collect();
        said.push_str(&format!(" Not ok: {}.", names.join(", ")));
    }
    if decision.cached() {
        said.push_str(" It is an earlier answer of which every fact still holds.");
    }
    if let Some(detail) = decision.detail() {
        said.push_str(&format!(" {detail}."));
    }
    for message in decision.messages() {
        said.push_str(&format!(" “{message}”"));
    }
    said
}

/// How a signal stood, and since when: ` (failed since 5s)`.
fn since(signal: &str, lanes: &Lanes, moment: u64) -> String {
    let span = lanes.at(Group::Signals, signal, moment).or_else(|| lanes.at(Group::Guards, signal, moment));
    span.map(|span| format!(" ({} since {})", span.state, since_start(span.from))).unwrap_or_default()
}

fn posture_since(posture: &str, lanes: &Lanes, moment: u64) -> String {
    let places = lanes.all.iter().filter(|lane| lane.group == Group::Postures);
    let spans = places.filter_map(|lane| lanes.at(Group::Postures, &lane.name, moment));
    let found = spans.filter(|span| span.state == posture).map(|span| span.from).min();
    found.map(|from| format!(" (since {})", since_start(from))).unwrap_or_default()
}

/// What ends a deny: who has to do what, or what has to happen.
pub(super) fn ends(decision: &Decision, policy: &Policy) -> String {
    match decision.reason() {
        Reason::SignalUnavailable => {
            let each = decision.degraded().iter().map(|name| recovers(name, policy));
            let all: Vec<String> = each.collect();
            if all.is_empty() { "The signals that its rules read are ok again.".to_owned() } else { all.join(" ") }
        }
        Reason::Posture => left(decision.posture(), policy),
        Reason::Quarantined => "The quarantine is lifted, or its time is over.".to_owned(),
        Reason::DeniedByRule => match signals_of(decision, policy) {
            Some(names) => {
                format!("The rule reads {names}: it may end with that. Else another request, or another policy.")
            }
            None => {
                "Nothing that fails or recovers: the policy means it. Another request, or another policy.".to_owned()
            }
        },
        Reason::NoMatchingRule => {
            "Nothing that fails or recovers: no rule allows this request. Another request, or another policy."
                .to_owned()
        }
        Reason::Indeterminate => match signals_of(decision, policy) {
            Some(names) => {
                format!("The rule reads {names}: that is known again, or the request says what else it reads.")
            }
            None => "A request that says what the rule reads, or a mended rule.".to_owned(),
        },
        Reason::InvalidRequest | Reason::LimitExceeded | Reason::UnknownAction => {
            "Whoever asks sends a request that fits the schema.".to_owned()
        }
        Reason::NoPolicy | Reason::PolicyExpired | Reason::RevisionTooOld => {
            "A bundle is activated that may decide now.".to_owned()
        }
        Reason::PolicyNotYetValid => "The bundle's validity begins.".to_owned(),
        Reason::AuditUnavailable => "The host writes the records that wait, and confirms them.".to_owned(),
        Reason::AuditPending => "The host writes the record, confirms it, and asks again.".to_owned(),
        _ => "A bundle is activated anew, after the engine's failure was looked into.".to_owned(),
    }
}

/// The signals that the condition of the deciding rule reads; nothing where it reads none.
fn signals_of(decision: &Decision, policy: &Policy) -> Option<String> {
    let rule = policy.rules.iter().find(|rule| Some(rule.id.as_str()) == decision.rule())?;
    let Condition::Cel(program) = &rule.condition else { return None };
    let names = program.reads().signals.iter().filter_map(|number| policy.signals.get(usize::from(*number)));
    let names: Vec<String> = names.map(|spec| format!("`{}`", spec.name)).collect();
    if names.is_empty() { None } else { Some(names.join(", ")) }
}

/// What it takes until a signal is ok again.
fn recovers(name: &str, policy: &Policy) -> String {
    let spec = policy.signal(name).and_then(|number| policy.signals.get(usize::from(number)));
    let named = |number: &u16| policy.signals.get(usize::from(*number)).map(|spec| spec.name.to_string());
    let again = |ttl: Ttl, oks: u32, stable: Ttl, what: &str| {
        let times = if oks > 1 { format!(" {oks} times in a row") } else { String::new() };
        let long = if stable > Ttl::ZERO { format!(", over {stable}") } else { String::new() };
        format!("`{name}` is {what} ok{times}{long}, and then at least every {ttl}.")
    };
    match spec.map(|spec| &spec.source) {
        Some(Source::Observed { ttl, recover }) => again(*ttl, recover.oks, recover.stable, "observed"),
        Some(Source::Heartbeat { feed, ttl, recover }) => {
            again(*ttl, recover.oks, recover.stable, &format!("heard of from the control feed `{feed}` as"))
        }
        Some(Source::Quorum { members, need }) => {
            let members: Vec<String> = members.iter().filter_map(named).collect();
            format!("`{name}` needs {need} of {} ok.", members.join(", "))
        }
        Some(Source::Guard { spec, .. }) => format!("The {} `{name}` lets calls through again.", spec.kind()),
        Some(Source::BuiltIn) | None => match name {
            "clock" => "Somebody looks at the two clocks, and the host anchors them.".to_owned(),
            "engine" => "A bundle is activated anew, after the engine's failure was looked into.".to_owned(),
            "bundle" => "A bundle is activated that may decide now.".to_owned(),
            "epoch" => "One of the two engines that are active resigns.".to_owned(),
            "audit" => "The host writes the records that wait, and confirms them.".to_owned(),
            _ => format!("`{name}` is ok again."),
        },
    }
}

/// What it takes to leave a posture.
fn left(posture: &str, policy: &Policy) -> String {
    let number = policy.postures.number(posture);
    let Some(spec) = number.and_then(|number| policy.postures.spec(number)) else {
        return "An operator leaves the posture.".to_owned();
    };
    let takes = leave_takes(spec, policy);
    match takes.is_empty() {
        true => format!("An operator leaves `{posture}`."),
        false => format!("An operator leaves `{posture}`, which takes: {}.", takes.join("; ")),
    }
}

/// What the posture declares that leaving it takes, each in a clause.
pub(crate) fn leave_takes(spec: &PostureSpec, policy: &Policy) -> Vec<String> {
    let leave = &spec.leave;
    let mut takes = Vec::new();
    if leave.stable > Ttl::ZERO {
        takes.push(format!("its cause gone for {}", leave.stable));
    }
    if leave.dwell > Ttl::ZERO {
        takes.push(format!("at least {} in it", leave.dwell));
    }
    if !leave.checks.is_empty() {
        let names = leave.checks.iter().filter_map(|number| policy.signals.get(usize::from(*number)));
        let names: Vec<&str> = names.map(|spec| spec.name.as_str()).collect();
        takes.push(format!("{} ok", names.join(", ")));
    }
    if let Some(quorum) = &leave.approvals {
        let group = policy.approvers.groups.get(usize::from(quorum.group)).map(|group| group.name.to_string());
        takes.push(format!("{} approval(s) from {}", quorum.need, group.unwrap_or_default()));
    }
    takes
}
