//! A bundle as lists: the document that people wrote, and its conditions, compiled.

use std::sync::Arc;

use fallgate::condition::Truth;
use fallgate::condition::program::Program;
use fallgate::condition::rego::{EntryPoint, RegoInput};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::compile::Policy;
use fallgate::policy::format::{self, OneOrMany, Posture, Rule, Signal};
use fallgate::policy::rule::Condition;
use serde_json::Value;

/// A bundle.
#[derive(Debug)]
pub(crate) struct Pack {
    pub(crate) text: Value,
    /// The digest of its bytes, which is its name.
    pub(crate) digest: String,
    pub(crate) document: format::Pack,
    /// Of this the conditions are used, and which number the core gives to an attribute and a signal in them.
    policy: Arc<Policy>,
}

impl Pack {
    pub(crate) fn new(text: &Value) -> Option<Arc<Self>> {
        let bundle = Bundle::from_document(text, &Trust::unsigned_for_development(), &Limits::DEFAULT).ok()?;
        let document = serde_json::from_value(text.clone()).ok()?;
        let digest = bundle.id().to_string();
        Some(Arc::new(Self { text: text.clone(), digest, document, policy: Arc::clone(bundle.policy()) }))
    }

    /// The bundle with one rule more, which denies where this condition holds: how a condition from outside is read.
    pub(crate) fn with_deny(&self, condition: &str) -> Option<Arc<Self>> {
        let mut text = self.text.clone();
        let rule = serde_json::json!({ "id": "from-outside", "effect": "deny", "when": condition });
        text.as_object_mut()?.entry("rules").or_insert_with(|| Value::Array(Vec::new())).as_array_mut()?.push(rule);
        Self::new(&text)
    }

    /// The condition of a rule, where it has one in CEL.
    pub(crate) fn condition(&self, rule: &str) -> Option<&Program> {
        match &self.policy.rules.iter().find(|found| found.id.as_str() == rule)?.condition {
            Condition::Cel(program) => Some(program),
            Condition::Always | Condition::Rego(_) => None,
        }
    }

    /// The Rego rule that a rule asks, where it does.
    pub(crate) fn rego(&self, rule: &str) -> Option<&EntryPoint> {
        match &self.policy.rules.iter().find(|found| found.id.as_str() == rule)?.condition {
            Condition::Rego(entry) => Some(entry),
            Condition::Always | Condition::Cel(_) => None,
        }
    }

    pub(crate) fn ask(&self, entry: &EntryPoint, input: &RegoInput) -> Truth {
        self.policy.modules.as_ref().expect("it has a rule in Rego").ask(entry, input).truth
    }

    /// The condition of what a posture permits, where it has one.
    pub(crate) fn permits(&self, posture: &str) -> Option<&Program> {
        self.policy.postures.specs.iter().find(|found| found.name.as_str() == posture)?.when.as_ref()
    }

    /// The condition of a posture's entry, where it has one.
    pub(crate) fn enter(&self, posture: &str) -> Option<&Program> {
        Some(&self.policy.postures.specs.iter().find(|found| found.name.as_str() == posture)?.enter.as_ref()?.when)
    }

    /// The attribute at each place of a condition's operands: its entity, and its name.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.policy.schema.slots().iter().map(|(entity, name)| (entity.name(), &**name))
    }

    /// The signals in the order of their numbers in conditions.
    pub(crate) fn signals(&self) -> impl Iterator<Item = &str> {
        self.policy.signals.iter().map(|spec| spec.name.as_str())
    }

    pub(crate) fn signal_numbered(&self, number: u16) -> &str {
        self.signals().nth(usize::from(number)).unwrap()
    }

    /// What is declared of a signal: members of a quorum that are not declared by themselves have the quorum's terms.
    pub(crate) fn signal(&self, name: &str) -> Option<Signal> {
        if let Some(signal) = self.document.signals.get(name) {
            return Some(signal.clone());
        }
        let has = |signal: &&Signal| signal.quorum.as_ref().is_some_and(|quorum| quorum.of.iter().any(|of| of == name));
        let quorum = self.document.signals.values().find(has)?;
        Some(Signal { quorum: None, ..quorum.clone() })
    }

    /// The postures but the normal one, from the laxest to the strictest.
    pub(crate) fn postures(&self) -> Vec<&Posture> {
        let mut postures: Vec<_> = self.document.postures.iter().filter(|posture| posture.rank > 0).collect();
        postures.sort_by_key(|posture| posture.rank);
        postures
    }

    pub(crate) fn posture(&self, name: &str) -> Option<&Posture> {
        self.postures().into_iter().find(|posture| posture.name == name)
    }

    /// The name of the normal posture.
    pub(crate) fn normal(&self) -> &str {
        self.document.postures.iter().find(|posture| posture.rank == 0).map_or("normal", |posture| &posture.name)
    }

    /// The rules for an action, in the order of their ids.
    pub(crate) fn rules(&self, action: &str) -> Vec<&Rule> {
        let mut rules: Vec<_> = self.document.rules.iter().filter(|rule| is_about(rule, action)).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        rules
    }
}

fn is_about(rule: &Rule, action: &str) -> bool {
    match &rule.action {
        None => true,
        Some(OneOrMany::One(pattern)) => fits(pattern, action),
        Some(OneOrMany::Many(patterns)) => patterns.iter().any(|pattern| fits(pattern, action)),
    }
}

/// Whether a name is the one that a pattern says, or begins as it does.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}
