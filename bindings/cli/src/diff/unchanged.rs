//! What cannot make a difference: where no part of a pack changed that decides, there is nothing to search.

use std::collections::{BTreeMap, BTreeSet};

use fallgate::policy::format::{OneOrMany, Pack};
use serde_json::Value;

use super::bounds::admits;

/// What decides differently in one of two packs.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Whether something changed that every decision may rest on: the schema, signals, postures, data …
    everything: bool,
    /// The actions that say something else, or are not in both.
    actions: BTreeSet<String>,
    /// The rules that say something else, or are not in both, and the actions that they name in either pack.
    rules: BTreeMap<String, Vec<Option<OneOrMany>>>,
}

impl Changed {
    /// What changed between two packs. A part that is not understood has changed.
    #[must_use]
    pub fn of(packs: [&Pack; 2]) -> Self {
        let [old, new] = packs;
        let mut actions = BTreeSet::new();
        for name in old.actions.keys().chain(new.actions.keys()) {
            let said = packs.map(|pack| pack.actions.get(name).and_then(|action| serde_json::to_value(action).ok()));
            if said[0] != said[1] {
                actions.insert(name.clone());
            }
        }
        let [before, after] = packs.map(|pack| {
            let rules = pack.rules.iter().map(|rule| {
                let mut said = serde_json::to_value(rule).unwrap_or_default();
                if let Some(members) = said.as_object_mut() {
                    members.remove("description");
                }
                (rule.id.as_str(), (said, rule))
            });
            rules.collect::<BTreeMap<&str, (Value, _)>>()
        });
        let mut rules: BTreeMap<String, Vec<Option<OneOrMany>>> = BTreeMap::new();
        for id in before.keys().chain(after.keys()) {
            let both = [before.get(id), after.get(id)];
            if both[0].map(|(said, _)| said) != both[1].map(|(said, _)| said) {
                let named = both.into_iter().flatten().map(|(_, rule)| rule.action.clone()).collect();
                rules.insert((*id).to_owned(), named);
            }
        }
        Self { everything: common(old) != common(new), actions, rules }
    }

    /// Whether a decision on the action may be another one.
    #[must_use]
    pub fn concerns(&self, action: &str) -> bool {
        let names = |named: &Vec<Option<OneOrMany>>| named.iter().any(|one| admits(one.as_ref(), action));
        self.is_more_than_rules(action) || self.rules.values().any(names)
    }

    /// Whether something else than rules changed for the action.
    #[must_use]
    pub fn is_more_than_rules(&self, action: &str) -> bool {
        self.everything || self.actions.contains(action)
    }

    /// The rules that changed.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }
}

/// What every decision may rest on. What only tells people something, and what operators may do later, is left out.
fn common(pack: &Pack) -> Option<Value> {
    let parts = [
        "revision",
        "name",
        "description",
        "owners",
        "runbook",
        "valid",
        "audit",
        "rollout",
        "slo",
        "tests",
        "candidates",
        "approvers",
        "overrides",
        "actions",
        "rules",
    ];
    let mut said = serde_json::to_value(pack).ok()?;
    let members = said.as_object_mut()?;
    for part in parts {
        members.remove(part);
    }
    Some(said)
}
