//! What of a pack there is to play with: its signals, its guards, its postures, its flags, and the requests that it knows.

use std::collections::{BTreeMap, BTreeSet};

use fallgate::drill::Drill;
use fallgate::policy::bundle::Bundle;
use fallgate::policy::signal::Source;
use serde_json::{Value, json};

/// The pieces of the game.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    /// The signals that a host observes, each with its time to live in milliseconds.
    pub(crate) signals: Vec<(String, u64)>,
    pub(crate) guards: Vec<String>,
    pub(crate) breakers: Vec<String>,
    pub(crate) feeds: Vec<String>,
    pub(crate) postures: Vec<String>,
    pub(crate) flags: Vec<String>,
    /// What approvers sign with, by their names: of those whose keys stand in the pack's drills.
    pub(crate) keys: BTreeMap<String, String>,
    /// Requests of the pack's cases and drills, each once.
    pub(crate) requests: Vec<Value>,
    /// Subjects and resources of those requests: `type` and `id`.
    pub(crate) parties: Vec<(&'static str, Value)>,
}

impl World {
    /// The world of a pack.
    pub(crate) fn of(bundle: &Bundle, drills: &[Drill]) -> Self {
        let policy = bundle.policy();
        let mut world = Self::default();
        for spec in &policy.signals {
            match &spec.source {
                Source::Observed { ttl, .. } => world.signals.push((spec.name.to_string(), ttl.as_millis())),
                Source::Guard { spec: guard, .. } => {
                    if guard.kind() == "breaker" {
                        world.breakers.push(spec.name.to_string());
                    }
                    world.guards.push(spec.name.to_string());
                }
                Source::Heartbeat { feed, .. } => world.feeds.push(feed.to_string()),
                Source::Quorum { .. } | Source::BuiltIn => {}
            }
        }
        world.feeds.dedup();
        world.postures = policy.postures.specs.iter().skip(1).map(|spec| spec.name.to_string()).collect();
        world.flags = policy.approvers.flags.iter().map(|flag| flag.name.to_string()).collect();
        let members = policy.approvers.groups.iter().flat_map(|group| &group.members);
        let members: BTreeSet<&str> = members.map(|member| member.name.as_str()).collect();
        let keys = drills.iter().flat_map(|drill| &drill.keys);
        let keys = keys.filter(|(name, _)| members.contains(name.as_str()));
        world.keys = keys.map(|(name, key)| (name.clone(), key.clone())).collect();
        let cases = bundle.tests().iter().map(|case| case.request.clone());
        let decided = drills.iter().flat_map(|drill| &drill.steps);
        let decided = decided.flat_map(|step| step.decide.iter().chain(&step.decide_pending)).cloned();
        let mut seen = BTreeSet::new();
        for request in cases.chain(decided).filter(Value::is_object) {
            if seen.insert(request.to_string()) {
                for entity in ["subject", "resource"] {
                    world.parties.extend(party(&request, entity).map(|party| (entity, party)));
                }
                world.requests.push(request);
            }
        }
        let mut seen = BTreeSet::new();
        world.parties.retain(|(entity, party)| seen.insert(format!("{entity} {party}")));
        world
    }
}

/// The type and the id of a request's subject or resource.
pub(crate) fn party(request: &Value, entity: &str) -> Option<Value> {
    let text = |member: &str| request.get(entity)?.get(member)?.as_str();
    Some(json!({ "type": text("type")?, "id": text("id")? }))
}
