//! Where two policies decide differently: of each kind the smallest requests that show it.

use std::collections::{BTreeMap, BTreeSet};

use fallgate::Decision;
use fallgate::policy::format::OneOrMany;
use serde_json::{Value, json};

use super::bounds::admits;
use super::world::World;

/// How many requests are kept of those that differ in the same way.
const WITNESSES_MAX: usize = 3;

/// How two decisions differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The old policy denies and the new one allows.
    NewlyAllowed,
    /// The old policy allows and the new one denies.
    NewlyDenied,
    /// The effect is the same; the reason, the rule or the obligations are not.
    ReasonOnly,
}

impl Kind {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NewlyAllowed => "newly_allowed",
            Self::NewlyDenied => "newly_denied",
            Self::ReasonOnly => "reason_only",
        }
    }
}

/// What a decision says that the decisions of another policy are held to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// Whether it allows.
    pub is_allow: bool,
    /// The code of its reason.
    pub reason: &'static str,
    /// The rule that decided, if one did.
    pub rule: Option<String>,
    /// The obligations, as JSON.
    pub obligations: Vec<String>,
}

impl Told {
    /// What a decision says.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        Self {
            is_allow: decision.is_allow(),
            reason: decision.reason().code(),
            rule: decision.rule().map(str::to_owned),
            obligations: decision.obligations().iter().map(|one| one.to_json().to_string()).collect(),
        }
    }

    /// In words: by which rule, or for what reason.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.rule {
            Some(rule) => format!("{} `{rule}`", self.reason),
            None => self.reason.to_owned(),
        }
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let obligations: Vec<Value> =
            self.obligations.iter().filter_map(|one| serde_json::from_str(one).ok()).collect();
        json!({ "decision": self.is_allow, "reason": self.reason, "rule": self.rule, "obligations": obligations })
    }
}

/// A request that shows a difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness {
    /// The request, as `fallgate eval` takes it.
    pub request: Value,
    /// The state of things in which it was decided.
    pub world: World,
    /// Where it comes from.
    pub from: String,
}

/// Requests that differ in the same way.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// How they differ.
    pub kind: Kind,
    /// The action.
    pub action: String,
    /// What the old policy says.
    pub old: Told,
    /// What the new one says.
    pub new: Told,
    /// How many decisions differ so.
    pub decisions: u64,
    /// In how many states of things.
    pub worlds: usize,
    /// The smallest of the requests, the smallest first.
    pub witnesses: Vec<Witness>,
    /// Whether it is newly allowed, and the new pack says that it means to.
    pub is_declared: bool,
}

impl Group {
    /// In words: what each decides by, and what becomes of the obligations.
    #[must_use]
    pub fn shown(&self) -> String {
        let (old, new) = (self.old.shown(), self.new.shown());
        if self.old.obligations == self.new.obligations {
            return format!("{old} -> {new}");
        }
        let ids = |told: &Told| {
            let ids: Vec<String> = told.obligations.iter().filter_map(|one| obligation_id(one)).collect();
            if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
        };
        format!("{old} -> {new}; obligations: {} -> {}", ids(&self.old), ids(&self.new))
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let witnesses: Vec<Value> = self
            .witnesses
            .iter()
            .map(|one| json!({ "request": one.request, "world": one.world.to_json(), "from": one.from }))
            .collect();
        json!({
            "kind": self.kind.code(), "action": self.action, "old": self.old.to_json(), "new": self.new.to_json(),
            "decisions": self.decisions, "worlds": self.worlds, "witnesses": witnesses, "declared": self.is_declared,
        })
    }
}

fn obligation_id(obligation: &str) -> Option<String> {
    let obligation: Value = serde_json::from_str(obligation).ok()?;
    obligation.get("id")?.as_str().map(str::to_owned)
}

/// What a group is known by.
type GroupKey = (Kind, String, Told, Told);
/// By what requests are put in order: how strange the world is, how much they say, how long the text, the text.
type Size = (u8, usize, usize, String);

#[derive(Clone, Debug, Default)]
struct Kept {
    decisions: u64,
    worlds: BTreeSet<World>,
    witnesses: BTreeMap<Size, Witness>,
}

/// How much a request says: what is true, and what lists hold.
fn said(value: &Value) -> usize {
    match value {
        Value::Bool(true) => 1,
        Value::Array(items) => items.iter().map(|item| said(item).saturating_add(1)).fold(0, usize::saturating_add),
        Value::Object(members) => members.values().map(said).fold(0, usize::saturating_add),
        _ => 0,
    }
}

/// Everything that was decided differently.
#[derive(Clone, Debug, Default)]
pub struct Differences {
    groups: BTreeMap<GroupKey, Kept>,
    /// How many pairs of decisions were compared.
    pub compared: u64,
}

impl Differences {
    /// Takes what both policies decide on a request.
    pub fn take(&mut self, request: &Value, world: &World, from: &str, old: &Decision, new: &Decision) {
        self.compared = self.compared.saturating_add(1);
        let (old, new) = (Told::of(old), Told::of(new));
        if old == new {
            return;
        }
        let kind = match (old.is_allow, new.is_allow) {
            (false, true) => Kind::NewlyAllowed,
            (true, false) => Kind::NewlyDenied,
            _ => Kind::ReasonOnly,
        };
        let action = request.pointer("/action/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let kept = self.groups.entry((kind, action, old, new)).or_default();
        kept.decisions = kept.decisions.saturating_add(1);
        kept.worlds.insert(world.clone());
        let text = request.to_string();
        let size = (world.strangeness(), said(request), text.len(), text);
        let is_smaller = kept.witnesses.last_key_value().is_none_or(|(largest, _)| size < *largest);
        if !is_smaller && kept.witnesses.len() >= WITNESSES_MAX {
            return;
        }
        let first_seen = kept.witnesses.iter().all(|((.., known), _)| *known != size.3);
        if first_seen {
            let witness = Witness { request: request.clone(), world: world.clone(), from: from.to_owned() };
            kept.witnesses.insert(size, witness);
            if kept.witnesses.len() > WITNESSES_MAX {
                kept.witnesses.pop_last();
            }
        }
    }

    /// The groups: what is newly allowed first, then by action and rule. `declared` names the actions that the new pack
    /// says it newly allows.
    #[must_use]
    pub fn groups(&self, declared: &[OneOrMany]) -> Vec<Group> {
        let of = |((kind, action, old, new), kept): (&GroupKey, &Kept)| Group {
            kind: *kind,
            action: action.clone(),
            old: old.clone(),
            new: new.clone(),
            decisions: kept.decisions,
            worlds: kept.worlds.len(),
            witnesses: kept.witnesses.values().cloned().collect(),
            is_declared: *kind == Kind::NewlyAllowed && declared.iter().any(|one| admits(Some(one), action)),
        };
        self.groups.iter().map(of).collect()
    }

    /// The smallest request of each group of an action.
    pub fn smallest<'d>(&'d self, action: &'d str) -> impl Iterator<Item = &'d Value> {
        let groups = self.groups.iter().filter(move |((_, of, ..), _)| of == action);
        groups.filter_map(|(_, kept)| kept.witnesses.values().next()).map(|witness| &witness.request)
    }

    /// Whether any is of this kind.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.groups.keys().any(|(of, ..)| *of == kind)
    }
}
