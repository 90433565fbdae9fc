//! The posture machine of a pack as a picture: what tightens, and what it takes to come back.

pub(crate) mod mermaid;
pub(crate) mod svg;

use fallgate::policy::bundle::Bundle;
use fallgate::time::Ttl;
use serde_json::Value;

use crate::drill_report::leave_takes;

/// The machine.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) pack: String,
    /// Ascending by rank, the normal one first.
    pub(crate) postures: Vec<Posture>,
    pub(crate) edges: Vec<Edge>,
}

/// A posture.
#[derive(Debug)]
pub(crate) struct Posture {
    pub(crate) name: String,
    pub(crate) rank: u32,
    /// What it permits, in a line.
    pub(crate) permits: String,
}

/// A way from one posture to another, by their places.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) kind: Kind,
    /// What makes it happen.
    pub(crate) label: String,
}

/// What a way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Into a stricter posture, from any laxer one.
    Enter,
    /// Into a stricter one, because nobody acknowledged this one.
    Escalate,
    /// Out of it, to the strictest of those that are still called for: the normal one, if none is.
    Leave,
}

/// How many permitted actions are named.
const NAMED: usize = 4;

impl Machine {
    /// The machine of a bundle; `document` is the pack as it is written, for the words of its conditions.
    pub(crate) fn of(bundle: &Bundle, document: &Value) -> Self {
        let policy = bundle.policy();
        let all = &policy.postures;
        let postures = all.specs.iter().map(|spec| Posture {
            name: spec.name.to_string(),
            rank: spec.rank,
            permits: permitted(
                policy.actions.iter().zip(&spec.permits).filter(|(_, permits)| **permits),
                &spec.permits,
            ),
        });
        let mut edges = Vec::new();
        for (at, spec) in all.specs.iter().enumerate() {
            if let Some(enter) = &spec.enter {
                let when = written(document, &spec.name);
                let long = if enter.held_for > Ttl::ZERO { format!(" for {}", enter.held_for) } else { String::new() };
                edges.push(Edge { from: 0, to: at, kind: Kind::Enter, label: format!("{when}{long}") });
            } else if at > 0 {
                edges.push(Edge { from: 0, to: at, kind: Kind::Enter, label: "an operator enters it".to_owned() });
            }
            if let Some((to, after)) = &spec.escalate {
                let label = format!("not acknowledged within {after}");
                edges.push(Edge { from: at, to: usize::from(*to), kind: Kind::Escalate, label });
            }
            if at > 0 {
                let takes = leave_takes(spec, policy);
                let takes = if takes.is_empty() { String::new() } else { format!(": {}", takes.join("; ")) };
                edges.push(Edge { from: at, to: 0, kind: Kind::Leave, label: format!("an operator leaves it{takes}") });
            }
        }
        Self { pack: bundle.name().to_owned(), postures: postures.collect(), edges }
    }
}

/// The permitted actions in a line.
fn permitted<'a>(
    actions: impl Iterator<Item = (&'a fallgate::policy::action::ActionSpec, &'a bool)>,
    all: &[bool],
) -> String {
    let names: Vec<&str> = actions.map(|(action, _)| action.name.as_str()).collect();
    match names.len() {
        0 => "permits nothing".to_owned(),
        count if count == all.len() => "permits every action".to_owned(),
        count if count <= NAMED => format!("permits {}", names.join(", ")),
        count => format!("permits {count} of {} actions", all.len()),
    }
}

/// The condition under which a posture is entered, as it is written.
fn written(document: &Value, name: &str) -> String {
    let postures = document.pointer("/postures").and_then(Value::as_array).into_iter().flatten();
    let mut own = postures.filter(|posture| posture.get("name").and_then(Value::as_str) == Some(name));
    let when = own.next().and_then(|posture| posture.pointer("/enter/when")).and_then(Value::as_str);
    when.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fallgate::limits::Limits;
    use fallgate::policy::bundle::Trust;

    use super::*;
    use crate::pack::load_pack;

    fn machine() -> Machine {
        let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/idp-outage");
        let document = load_pack(&pack).unwrap().document;
        let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
        Machine::of(&bundle, &document)
    }

    #[test]
    fn the_machine_is_the_packs() {
        let machine = machine();
        let postures: Vec<(&str, u32, &str)> =
            machine.postures.iter().map(|one| (one.name.as_str(), one.rank, one.permits.as_str())).collect();
        assert_eq!(
            postures,
            [
                ("normal", 0, "permits every action"),
                ("emergency", 1, "permits incident:respond, workload:renew"),
                ("lockdown", 9, "permits incident:respond"),
            ]
        );
        let edge = |from, to, kind, label: &str| Edge { from, to, kind, label: label.to_owned() };
        assert_eq!(
            machine.edges,
            [
                edge(0, 1, Kind::Enter, "!signals.idp.ok for 30m"),
                edge(1, 2, Kind::Escalate, "not acknowledged within 1h"),
                edge(
                    1,
                    0,
                    Kind::Leave,
                    "an operator leaves it: its cause gone for 2m; at least 5m in it; idp, directory, revocations ok"
                ),
                edge(0, 2, Kind::Enter, "an operator enters it"),
                edge(2, 0, Kind::Leave, "an operator leaves it: at least 10m in it; intrusion ok"),
            ]
        );
    }

    #[test]
    fn mermaid_has_every_posture_and_every_way() {
        assert_eq!(
            mermaid::text(&machine()),
            "\
---
title: Postures of idp-outage
---
stateDiagram-v2
  state \"normal (rank 0)#59; permits every action\" as p0
  state \"emergency (rank 1)#59; permits incident#58;respond, workload#58;renew\" as p1
  state \"lockdown (rank 9)#59; permits incident#58;respond\" as p2
  [*] --> p0
  p0 --> p1 : !signals.idp.ok for 30m
  p1 --> p2 : not acknowledged within 1h
  p1 --> p0 : an operator leaves it#58; its cause gone for 2m#59; at least 5m in it#59; idp, directory, revocations ok
  p0 --> p2 : an operator enters it
  p2 --> p0 : an operator leaves it#58; at least 10m in it#59; intrusion ok
"
        );
    }

    #[test]
    fn the_picture_has_every_posture_and_every_way_and_no_markup_of_the_packs() {
        let mut machine = machine();
        machine.edges[0].label = "<script>a && b</script>".to_owned();
        let svg = svg::text(&machine);
        assert!(!svg.contains("<script"), "{svg}");
        assert!(svg.contains("a &amp;&amp; b"), "{svg}");
        for posture in &machine.postures {
            assert!(svg.contains(&posture.name) && svg.contains(&posture.permits), "{}", posture.name);
        }
        assert_eq!(svg.matches("class=\"way ").count(), machine.edges.len());
    }
}
