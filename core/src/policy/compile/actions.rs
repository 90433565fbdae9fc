//! Actions: what each requires, which rules may decide it, and what these may read.

use std::collections::{BTreeMap, BTreeSet};

use super::{ByName, Compiler, Draft, Pattern, escape};
use crate::error::{Code, Diagnostic, nearest, quoted};
use crate::policy::action::{ActionReads, ActionSpec};
use crate::policy::format::{self, OnFailure, Pack};
use crate::policy::index::Index;
use crate::policy::rule::Rule;
use crate::reason::Effect;

/// Actions with the indexed rules that decide them.
pub(super) struct Indexed {
    pub(super) actions: Vec<ActionSpec>,
    pub(super) rules: Vec<Rule>,
    pub(super) roots: Vec<Index>,
}

/// The rules under one way to name actions, and what they may read.
#[derive(Default)]
struct Root {
    rules: Vec<u32>,
    slots: BTreeSet<u16>,
    signals: BTreeSet<u16>,
    posture: bool,
    rego: bool,
    allows: bool,
    may_lose_a_deny: bool,
}

impl Compiler<'_> {
    pub(super) fn actions(&mut self, pack: &Pack, drafts: Vec<Draft>, signals: &ByName) -> Indexed {
        let mut roots: BTreeMap<Pattern, Root> = BTreeMap::new();
        let mut rules = Vec::with_capacity(drafts.len());
        for (number, draft) in (0_u32..).zip(drafts) {
            for pattern in draft.patterns {
                let root = roots.entry(pattern).or_default();
                root.rules.push(number);
                root.slots.extend(&draft.reads.slots);
                root.signals.extend(&draft.reads.signals);
                root.posture |= draft.reads.posture;
                root.rego |= draft.rego;
                root.allows |= draft.rule.effect == Effect::Allow;
                root.may_lose_a_deny |= draft.rule.effect == Effect::Deny && draft.rule.accepts_information_loss;
            }
            rules.push(draft.rule);
        }
        let mut actions = Vec::with_capacity(pack.actions.len());
        for (name, action) in &pack.actions {
            actions.extend(self.action(name, action, signals, &roots));
        }
        let roots = roots.into_values().map(|root| Index::build(&rules, root.rules)).collect();
        Indexed { actions, rules, roots }
    }

    fn action(
        &mut self,
        name: &str,
        action: &format::Action,
        signals: &ByName,
        roots: &BTreeMap<Pattern, Root>,
    ) -> Option<ActionSpec> {
        let pointer = format!("/actions/{}", escape(name));
        let on_failure = action.on_failure.clone().unwrap_or_default();
        let requires = self.requires(&pointer, action, signals);
        self.check_failure(&pointer, name, action, &on_failure);

        let own: Vec<(u32, &Root)> = (0_u32..)
            .zip(roots)
            .filter(|(_, (pattern, _))| pattern.admits(name))
            .map(|(number, (_, root))| (number, root))
            .collect();
        let rego = own.iter().any(|(_, root)| root.rego);
        if rego && action.protected && action.allow_rego.is_none() {
            let message =
                format!("the protected action {} is decided by Rego, which cannot be proved safe", quoted(name));
            let help = "write the rule in CEL, or state `allow_rego: \"<why>\"`";
            self.fault(Code::RegoRefused, format!("{pointer}/protected"), message, help);
        }
        if !own.iter().any(|(_, root)| root.allows) && !matches!(on_failure, OnFailure::Allow(_)) {
            let message = format!("no rule allows the action {}", quoted(name));
            self.warnings.push(
                Diagnostic::new(Code::ActionNeverAllowed, &pointer, message)
                    .with_help("add a rule, or drop the action"),
            );
        }
        let slots: BTreeSet<u16> = own.iter().flat_map(|(_, root)| root.slots.iter().copied()).collect();
        let read: BTreeSet<u16> = own.iter().flat_map(|(_, root)| root.signals.iter().copied()).collect();
        // Rego sees every signal.
        let read: BTreeSet<u16> = if rego { signals.values().copied().collect() } else { read };
        let naive = own.iter().filter(|_| cfg!(feature = "naive-matcher"));
        let rules: BTreeSet<u32> = naive.flat_map(|(_, root)| root.rules.iter().copied()).collect();
        let cache = action.cache.as_ref();
        Some(ActionSpec {
            name: self.name(&pointer, name, ":/")?,
            class: match &action.class {
                Some(class) => Some(self.name(format_args!("{pointer}/class"), class, "")?),
                None => None,
            },
            protected: action.protected,
            audit: action.audit,
            may_lose_a_deny: own.iter().any(|(_, root)| root.may_lose_a_deny),
            on_failure,
            allow_ttl: cache.and_then(|cache| cache.allow),
            deny_ttl: cache.and_then(|cache| cache.deny),
            roots: own.iter().map(|(number, _)| *number).collect(),
            rules: rules.into_iter().collect(),
            reads: ActionReads {
                slots: slots.into_iter().collect(),
                whole_request: rego,
                posture: rego || own.iter().any(|(_, root)| root.posture),
                signals: read.into_iter().filter(|signal| !requires.contains(signal)).collect(),
            },
            requires: requires.into(),
        })
    }

    fn requires(&mut self, pointer: &str, action: &format::Action, signals: &ByName) -> Vec<u16> {
        let mut requires = BTreeSet::new();
        for (at, name) in action.requires.iter().enumerate() {
            if let Some(number) = signals.get(name.as_str()) {
                requires.insert(*number);
                continue;
            }
            let help = match nearest(name, signals.keys().map(|name| &**name)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "declare it under `signals`".to_owned(),
            };
            let message = format!("no signal is named {}", quoted(name));
            self.fault(Code::UnknownSignal, format!("{pointer}/requires/{at}"), message, help);
        }
        requires.into_iter().collect()
    }

    fn check_failure(&mut self, pointer: &str, name: &str, action: &format::Action, on_failure: &OnFailure) {
        let pointer = format!("{pointer}/on_failure");
        match on_failure {
            OnFailure::Allow(open) => {
                if action.protected {
                    let message = format!("the protected action {} must not fail open", quoted(name));
                    let help = "leave `on_failure` out, or choose `serve_cached` or `minimal`";
                    self.fault(Code::FailOpenProtected, &pointer, message, help);
                }
                if open.justification.trim().is_empty() {
                    let pointer = format!("{pointer}/allow/justification");
                    self.fault(Code::InvalidValue, pointer, "a fail-open needs a reason", "say why it is right");
                }
                let message = format!("the action {} fails open", quoted(name));
                self.warnings.push(Diagnostic::new(Code::FailOpenDeclared, &pointer, message));
            }
            OnFailure::ServeCached(_) if action.cache.as_ref().is_none_or(|cache| cache.allow.is_none()) => {
                let help = "give the action `cache: { allow: 30s }`";
                self.fault(Code::InvalidValue, &pointer, "`serve_cached` has nothing to serve", help);
            }
            OnFailure::Deny | OnFailure::Minimal | OnFailure::ServeCached(_) => {}
        }
        if *on_failure != OnFailure::Deny && action.requires.is_empty() {
            let help = "name the signals under `requires`, or leave `on_failure` out";
            self.fault(Code::InvalidValue, &pointer, "the action requires no signal that could fail", help);
        }
    }
}
