//! From the document of a pack to a policy: every name resolved, every condition typed, every rule indexed.
//!
//! All mistakes of a pack are reported together, each with its place and its repair.

mod actions;
mod approvals;
mod audit;
mod candidates;
mod failover;
mod guards;
mod loss;
mod portions;
mod postures;
mod rego;
mod rollout;
mod rules;
mod selector;
mod signals;
mod slo;
mod typing;

use std::fmt;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

pub use selector::{Conditions, Seen};

use super::action::ActionSpec;
use super::approver::Approvers;
use super::audit::AuditSpec;
use super::bundle::escape;
use super::candidate::Candidates;
use super::failover::FailoverSpec;
use super::format::{self, Pack};
use super::index::Index;
use super::named::Named;
use super::posture::Postures;
use super::rollout::RolloutSpec;
use super::rule::{Rule, Test};
use super::schema::Schema;
use super::signal::SignalSpec;
use super::slo::Objective;
use crate::condition::rego::Modules;
use crate::condition::text::parse_timestamp;
use crate::condition::{Entity, Reads};
use crate::error::{BundleError, Code, Diagnostic, quoted};
use crate::limits::{Limits, NAME_BYTES_MAX};
use crate::name::{self, Name};
use crate::request::Portions;
use crate::time::Wall;
use crate::value::{Ends, Value};
use postures::Vocabulary;

type ByName = HashMap<Box<str>, u16, foldhash::fast::FixedState>;

/// A policy: what decides, compiled and immutable.
#[derive(Debug)]
pub struct Policy {
    /// The pack's name.
    pub name: Name,
    /// The pack's revision.
    pub revision: u64,
    /// The first instant at which it may decide.
    pub valid_from: Option<Wall>,
    /// The first instant at which it may no longer.
    pub valid_until: Option<Wall>,
    /// What a request must look like.
    pub schema: Schema,
    /// The signals, the built-in ones first.
    pub signals: Vec<SignalSpec>,
    /// The actions.
    pub actions: Vec<ActionSpec>,
    /// The postures.
    pub postures: Postures,
    /// What happens when an engine takes over from another.
    pub failover: Option<FailoverSpec>,
    /// How the next bundle takes its place; nothing where it simply does.
    pub rollout: Option<RolloutSpec>,
    /// What is recorded; nothing where no part of the pack says.
    pub audit: Option<AuditSpec>,
    /// Who approves what loosens, the overrides and the flags.
    pub approvers: Approvers,
    /// The rules, in order of their ids.
    pub rules: Vec<Rule>,
    /// The parts of the index: one for each way to name actions.
    pub index: Vec<Index>,
    /// The Rego modules, if there are any.
    pub modules: Option<Modules>,
    /// What of a request has to be kept for its decisions; nothing where that is all of it, as Rego sees it.
    pub portions: Option<Arc<Portions>>,
    /// What a search may find.
    pub candidates: Candidates,
    /// What its decisions are held to.
    pub objectives: Vec<Objective>,
    /// Where it is written what to do when something happens.
    pub runbook: Option<Box<str>>,
    /// Cases that the pack must pass.
    pub tests: Vec<format::Case>,
    /// What is allowed, but should be looked at.
    pub warnings: Vec<Diagnostic>,
    signal_numbers: ByName,
    action_numbers: Named<u32>,
}

/// Which attributes a host has to bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted<'p> {
    /// All that it has.
    All,
    /// These, in no order.
    Named(Vec<&'p str>),
}

impl Policy {
    /// The declared action of that name.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<(u32, &ActionSpec)> {
        self.action_spelt(name, Ends::of(name))
    }

    /// The declared action of that name, whose ends are known.
    #[inline]
    pub(crate) fn action_spelt(&self, name: &str, ends: Ends) -> Option<(u32, &ActionSpec)> {
        let number = *self.action_numbers.find(name, ends)?;
        Some((number, self.actions.get(usize::try_from(number).ok()?)?))
    }

    /// The number of the signal of that name.
    #[must_use]
    pub fn signal(&self, name: &str) -> Option<u16> {
        self.signal_numbers.get(name).copied()
    }

    /// Which attributes of this type of the entity a host has to bring (the action's name is its type, the context's is
    /// empty): those that the schema declares, or all where a Rego rule may read everything.
    ///
    /// The engine ignores what is not declared; a host that leaves it out says the same at less cost.
    #[must_use]
    pub fn wanted(&self, entity: Entity, type_name: &str) -> Wanted<'_> {
        if self.modules.is_some() {
            return Wanted::All;
        }
        let declared = self.schema.declared(entity, type_name);
        // What a request demands of the decision itself stands in its context.
        let own = (entity == Entity::Context).then_some("fallgate");
        Wanted::Named(declared.chain(own).collect())
    }

    /// The rule of that number.
    #[must_use]
    pub fn rule(&self, number: u32) -> Option<&Rule> {
        self.rules.get(usize::try_from(number).ok()?)
    }
}

/// Compiles a pack.
///
/// # Errors
/// Every mistake found, in the order of the document's parts.
pub fn compile(pack: &Pack, limits: &Limits) -> Result<Policy, BundleError> {
    let mut compiler = Compiler { limits, found: Vec::new(), warnings: Vec::new(), tests: HashSet::default() };
    let policy = compiler.policy(pack);
    match policy {
        Some(policy) if compiler.found.is_empty() => Ok(policy),
        _ => Err(BundleError::new(compiler.found)),
    }
}

struct Compiler<'l> {
    limits: &'l Limits,
    found: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    /// What match parts demand: many rules demand the same, and share it.
    tests: HashSet<Arc<Test>, foldhash::fast::FixedState>,
}

/// What a rule's name for actions stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pattern {
    Every,
    Exactly(Box<str>),
    StartingWith(Box<str>),
}

/// A compiled rule with what only the compiler needs of it.
struct Draft {
    rule: Rule,
    patterns: Vec<Pattern>,
    reads: Reads,
    rego: bool,
}

impl Compiler<'_> {
    fn fault(&mut self, code: Code, pointer: impl Into<String>, message: impl Into<String>, help: impl Into<String>) {
        let help: String = help.into();
        let diagnostic = Diagnostic::new(code, pointer, message);
        self.found.push(if help.is_empty() { diagnostic } else { diagnostic.with_help(help) });
    }

    fn policy(&mut self, pack: &Pack) -> Option<Policy> {
        if pack.fallgate != 1 {
            let message = format!("format {} is not known", pack.fallgate);
            self.fault(Code::InvalidValue, "/fallgate", message, "write `fallgate: 1`");
        }
        self.limit("/rules", "rules", pack.rules.len(), self.limits.rules_max);
        self.limit("/actions", "actions", pack.actions.len(), self.limits.actions_max);
        self.limit("/rego", "Rego modules", pack.rego.len(), self.limits.rego_modules_max);
        if !self.found.is_empty() {
            return None;
        }
        let name = self.name("/name", &pack.name, "")?;
        let (valid_from, valid_until) = self.validity(pack);
        let mut schema = typing::schema(pack.schema.as_ref(), &mut self.found);
        let (signals, signal_numbers) = self.signals(pack);
        let candidates = self.candidates(pack, &schema);
        let data = pack.data.as_ref().map(Value::from);
        let modules = self.modules(pack, data.as_ref());
        let ranked = self.ranked(pack);
        let groups = self.groups(pack);
        let mut vocabulary = Vocabulary {
            schema: &mut schema,
            signals: &signal_numbers,
            data: data.as_ref(),
            postures: Some(ranked.names()),
        };
        let postures = self.postures(pack, &ranked, &groups, &mut vocabulary);
        let failover = self.failover(pack, &ranked, &signal_numbers);
        let approvers = self.approvers(pack, groups, &ranked);
        let audit = self.audit(pack);
        let drafts = self.rules(pack, &mut vocabulary, modules.as_ref());
        let indexed = self.actions(pack, drafts, &signal_numbers);
        let rollout = self.rollout(pack, &approvers.groups, &mut schema, &indexed.actions);
        self.limit("/rules", "attributes read by rules", schema.slots().len(), self.limits.slots_max);
        let action_numbers =
            indexed.actions.iter().zip(0..).map(|(action, number)| (action.name.as_str().into(), number));
        let action_numbers = action_numbers.collect();
        let audited = audit.is_some();
        let portions = portions::portions(&schema, &indexed.rules, &postures, &indexed.actions, audited);
        Some(Policy {
            name,
            revision: pack.revision,
            valid_from,
            valid_until,
            schema,
            signals,
            actions: indexed.actions,
            postures,
            failover,
            rollout,
            audit,
            approvers,
            rules: indexed.rules,
            index: indexed.roots,
            portions: modules.is_none().then(|| portions.into()),
            modules,
            candidates,
            objectives: self.objectives(pack),
            runbook: pack.runbook.as_deref().map(Into::into),
            tests: pack.tests.clone(),
            warnings: std::mem::take(&mut self.warnings),
            signal_numbers,
            action_numbers,
        })
    }

    fn limit(&mut self, pointer: &str, what: &str, count: usize, max: usize) {
        if count > max {
            self.fault(Code::LimitExceeded, pointer, format!("{count} {what}, more than the limit of {max}"), "");
        }
    }

    /// A name of letters, digits, `-`, `_`, `.` and the characters in `also`.
    fn name(&mut self, pointer: impl fmt::Display, text: &str, also: &str) -> Option<Name> {
        let well_formed = !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c) || also.contains(c));
        match name::name(text).filter(|_| well_formed) {
            Some(name) => Some(name),
            None => {
                let also: String = also.chars().map(|c| format!(", `{c}`")).collect();
                let help = format!("use letters, digits, `-`, `_`, `.`{also}; at most {NAME_BYTES_MAX} bytes");
                self.fault(Code::InvalidName, pointer.to_string(), format!("{} is not a name", quoted(text)), help);
                None
            }
        }
    }

    fn validity(&mut self, pack: &Pack) -> (Option<Wall>, Option<Wall>) {
        let Some(valid) = &pack.valid else { return (None, None) };
        let mut bound = |pointer: &str, text: &Option<String>| {
            let text = text.as_ref()?;
            let wall = instant(text);
            if wall.is_none() {
                let message = format!("{} is not a timestamp", quoted(text));
                self.fault(Code::InvalidValue, pointer, message, "write RFC 3339, as in 2026-01-01T00:00:00Z");
            }
            wall
        };
        let from = bound("/valid/from", &valid.from);
        let until = bound("/valid/until", &valid.until);
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            self.fault(
                Code::InvalidWindow,
                "/valid",
                "the validity ends before it starts",
                "let `until` be after `from`",
            );
        }
        (from, until)
    }

    fn modules(&mut self, pack: &Pack, data: Option<&Value>) -> Option<Modules> {
        if pack.rego.is_empty() {
            return None;
        }
        match Modules::load(&pack.rego, data, self.limits) {
            Ok(modules) => Some(modules),
            Err(found) => {
                self.found.extend(found);
                None
            }
        }
    }
}

/// An instant as formats write it (RFC 3339).
pub(super) fn instant(text: &str) -> Option<Wall> {
    let nanos = parse_timestamp(text).and_then(|at| i64::try_from(at.as_nanosecond()).ok());
    nanos.map(Wall::from_nanos)
}
