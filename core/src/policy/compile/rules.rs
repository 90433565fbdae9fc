//! Rules: their match parts and conditions, against the names that the pack declares.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value as Json;

use super::postures::Vocabulary;
use super::{Compiler, Draft, Pattern, escape};
use crate::condition::rego::Modules;
use crate::condition::{Attribute, Entity, Names, PostureNames, Reads, cel};
use crate::error::{Code, Diagnostic, nearest, quoted};
use crate::obligation::Obligation;
use crate::policy::format::{self, OneOrMany, Pack, RuleEffect, When};
use crate::policy::rule::{Clause, Condition, Rule, Scalar, ScalarView, Test};
use crate::policy::schema::Schema;
use crate::reason::Effect;
use crate::value::Value;
use crate::value_type::ValueType;

impl Compiler<'_> {
    /// The rules, in order of their ids.
    pub(super) fn rules(
        &mut self,
        pack: &Pack,
        vocabulary: &mut Vocabulary<'_>,
        modules: Option<&Modules>,
    ) -> Vec<Draft> {
        self.check_schema_of_actions(pack);
        let mut drafts = Vec::with_capacity(pack.rules.len());
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, rule) in pack.rules.iter().enumerate() {
            let pointer = format!("/rules/{at}");
            if let Some(before) = first.insert(&rule.id, at) {
                let message = format!("the rule {} stands twice: here and at /rules/{before}", quoted(&rule.id));
                self.fault(Code::DuplicateName, format!("{pointer}/id"), message, "give each rule an id of its own");
            }
            let names = RuleNames { all: vocabulary, subjects: None, resources: None };
            drafts.extend(self.rule(&pointer, rule, pack, names, modules));
        }
        drafts.sort_by_key(|draft| draft.rule.id);
        drafts
    }

    fn check_schema_of_actions(&mut self, pack: &Pack) {
        let declared = pack.schema.as_ref().and_then(|schema| schema.action.as_ref());
        for name in declared.into_iter().flat_map(BTreeMap::keys) {
            if !pack.actions.contains_key(name) {
                self.unknown_action(&format!("/schema/action/{}", escape(name)), name, pack);
            }
        }
    }

    fn unknown_action(&mut self, pointer: &str, name: &str, pack: &Pack) {
        let help = match nearest(name, pack.actions.keys().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "declare it under `actions`".to_owned(),
        };
        self.fault(Code::UnknownAction, pointer, format!("no action is named {}", quoted(name)), help);
    }

    fn rule(
        &mut self,
        pointer: &str,
        rule: &format::Rule,
        pack: &Pack,
        mut names: RuleNames<'_, '_>,
        modules: Option<&Modules>,
    ) -> Option<Draft> {
        let id = self.name(format_args!("{pointer}/id"), &rule.id, ":/");
        let effect = match rule.effect {
            RuleEffect::Deny => Effect::Deny,
            RuleEffect::Allow => Effect::Allow,
        };
        if rule.minimal && effect == Effect::Deny {
            let help = "leave it out: every deny rule counts in every mode";
            self.fault(Code::InvalidValue, format!("{pointer}/minimal"), "`minimal` is for rules that allow", help);
        }
        if rule.absolute && effect == Effect::Allow {
            let help = "leave it out: what an override gets past is a deny";
            self.fault(Code::InvalidValue, format!("{pointer}/absolute"), "`absolute` is for rules that deny", help);
        }
        let patterns = self.patterns(format_args!("{pointer}/action"), rule.action.as_ref(), pack);
        let clauses = self.clauses(pointer, rule, &mut names);
        let mut reads = Reads { slots: clauses.iter().map(|clause| clause.slot).collect(), ..Reads::default() };
        let mut rego = false;
        let condition = match &rule.when {
            None => Some(Condition::Always),
            Some(When::Cel(text)) => match cel::compile(text, &mut names, self.limits) {
                Ok(program) => {
                    reads.slots.extend(&program.reads().slots);
                    reads.signals.extend(&program.reads().signals);
                    reads.posture = program.reads().posture;
                    Some(Condition::Cel(Box::new(program)))
                }
                Err(found) => {
                    let pointer = format!("{pointer}/when");
                    self.found.extend(found.into_iter().map(|found| Diagnostic { pointer: pointer.clone(), ..found }));
                    None
                }
            },
            Some(When::Rego(query)) => {
                rego = true;
                self.rego_condition(&format!("{pointer}/when/rego"), &query.rego, effect, names.all, modules)
            }
        };
        if let Some(Condition::Cel(program)) = &condition {
            self.check_condition_loss(format_args!("{pointer}/when"), rule, program);
        }
        self.check_acceptance(pointer, rule);
        let obligations: Vec<Obligation> = rule.obligations.iter().map(obligation).collect();
        let obligations = if obligations.is_empty() { None } else { Some(obligations.into()) };
        let rule = Rule {
            id: id?,
            effect,
            minimal: rule.minimal,
            absolute: rule.absolute,
            accepts_information_loss: rule.accepts_information_loss.is_some(),
            clauses: clauses.into(),
            condition: condition?,
            obligations,
        };
        Some(Draft { rule, patterns, reads, rego })
    }

    fn patterns(&mut self, pointer: fmt::Arguments<'_>, action: Option<&OneOrMany>, pack: &Pack) -> Vec<Pattern> {
        let texts = match action {
            None => return vec![Pattern::Every],
            Some(OneOrMany::One(text)) => return vec![self.action_pattern(pointer, text, pack)],
            Some(OneOrMany::Many(texts)) => texts,
        };
        if texts.is_empty() {
            let help = "name an action, or leave `action` out for every one";
            self.fault(Code::InvalidValue, pointer.to_string(), "an empty list of actions matches nothing", help);
        }
        let each = texts.iter().enumerate();
        each.map(|(at, text)| self.action_pattern(format_args!("{pointer}/{at}"), text, pack)).collect()
    }

    /// The name of an action, or the beginning of several, with its place.
    pub(super) fn action_pattern(&mut self, pointer: fmt::Arguments<'_>, text: &str, pack: &Pack) -> Pattern {
        let (pattern, is_known) = match text.strip_suffix('*') {
            Some("") => (Pattern::Every, !pack.actions.is_empty()),
            Some(start) => {
                let bounds = (Bound::Included(start), Bound::Unbounded);
                let next = pack.actions.range::<str, _>(bounds).next();
                (Pattern::StartingWith(start.into()), next.is_some_and(|(name, _)| name.starts_with(start)))
            }
            None => (Pattern::Exactly(text.into()), pack.actions.contains_key(text)),
        };
        if !is_known {
            self.unknown_action(&pointer.to_string(), text, pack);
        }
        pattern
    }

    /// The match part. The types come first: they say which attributes the rest can name.
    fn clauses(&mut self, pointer: &str, rule: &format::Rule, names: &mut RuleNames<'_, '_>) -> Vec<Clause> {
        names.subjects = self.matched_types(pointer, Entity::Subject, rule.subject.as_ref(), names.all.schema);
        names.resources = self.matched_types(pointer, Entity::Resource, rule.resource.as_ref(), names.all.schema);
        let parts =
            [(Entity::Subject, &rule.subject), (Entity::Resource, &rule.resource), (Entity::Context, &rule.context)];
        let mut clauses = Vec::new();
        for (entity, part) in parts {
            for (name, demand) in part.iter().flatten() {
                let place = Escaped(name);
                let pointer = format_args!("{pointer}/{}/{place}", entity.name());
                clauses.extend(self.clause(pointer, entity, name, demand, names, rule));
            }
        }
        clauses
    }

    /// The types of an entity that the match part admits; nothing where it does not say.
    fn matched_types(
        &mut self,
        pointer: &str,
        entity: Entity,
        part: Option<&BTreeMap<String, Json>>,
        schema: &Schema,
    ) -> Option<Vec<Box<str>>> {
        let demand = part?.get("type")?;
        let types: Vec<&str> = match demand {
            Json::String(one) => vec![one],
            Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
            _ => return None,
        };
        for name in &types {
            if let Err(meant) = schema.admits_type(entity, name) {
                let help = meant
                    .map_or_else(|| "declare it in the schema".to_owned(), |meant| format!("did you mean `{meant}`?"));
                let pointer = format!("{pointer}/{}/type", entity.name());
                let message = format!("the schema declares no {} of the type {}", entity.name(), quoted(name));
                self.fault(Code::UnknownAttribute, pointer, message, help);
            }
        }
        Some(types.into_iter().map(Into::into).collect())
    }

    fn clause(
        &mut self,
        pointer: fmt::Arguments<'_>,
        entity: Entity,
        name: &str,
        demand: &Json,
        names: &mut RuleNames<'_, '_>,
        rule: &format::Rule,
    ) -> Option<Clause> {
        let attribute = match names.attribute(entity, name) {
            Ok(attribute) => attribute,
            Err(meant) => {
                let help = meant
                    .map_or_else(|| "declare it in the schema".to_owned(), |meant| format!("did you mean `{meant}`?"));
                let message =
                    format!("the schema declares no attribute `{}.{}`", entity.name(), quoted(name).trim_matches('`'));
                self.fault(Code::UnknownAttribute, pointer.to_string(), message, help);
                return None;
            }
        };
        let item = match &attribute.value_type {
            ValueType::List(item) => item,
            other => other,
        };
        let test = self.test(pointer, demand, item)?;
        self.check_clause_loss(pointer, rule, attribute.absence, &test);
        let of_list = matches!(attribute.value_type, ValueType::List(_) | ValueType::Any);
        let always_true = name == "type" && admits_every_type(names.all.schema, entity, &test);
        let test = Arc::new(test);
        let test = Arc::clone(self.tests.get_or_insert(test));
        Some(Clause { slot: attribute.slot, test, always_present: !attribute.may_be_absent, always_true, of_list })
    }

    fn test(&mut self, pointer: fmt::Arguments<'_>, demand: &Json, item: &ValueType) -> Option<Test> {
        if let Json::Object(members) = demand {
            return match (members.get("prefix"), members.len()) {
                (Some(Json::String(prefix)), 1) if !prefix.is_empty() => {
                    self.check_type(pointer, &ValueType::String, item);
                    Some(Test::Prefix(prefix.as_str().into()))
                }
                _ => {
                    let help =
                        "write a value, a list of values, or `{ prefix: \"text\" }`; all else belongs into `when`";
                    self.fault(Code::InvalidValue, pointer.to_string(), "this is nothing to match with", help);
                    None
                }
            };
        }
        let demands = match demand {
            Json::Array(several) => several.as_slice(),
            one => std::slice::from_ref(one),
        };
        if demands.is_empty() {
            self.fault(
                Code::InvalidValue,
                pointer.to_string(),
                "an empty list matches nothing",
                "name a value, or leave the clause out",
            );
            return None;
        }
        let mut scalars = Vec::with_capacity(demands.len());
        for demand in demands {
            let (scalar, value_type) = match demand {
                Json::String(text) => (Scalar::Str(text.as_str().into()), ValueType::String),
                Json::Bool(value) => (Scalar::Bool(*value), ValueType::Bool),
                Json::Number(number) if number.is_i64() => {
                    (Scalar::Int(number.as_i64().unwrap_or_default()), ValueType::Int)
                }
                _ => {
                    let help = "match with text, whole numbers, true or false; all else belongs into `when`";
                    self.fault(Code::InvalidValue, pointer.to_string(), "this is nothing to match with", help);
                    return None;
                }
            };
            self.check_type(pointer, &value_type, item);
            scalars.push(scalar);
        }
        scalars.sort();
        scalars.dedup();
        Some(Test::OneOf(scalars.into()))
    }

    fn check_type(&mut self, pointer: fmt::Arguments<'_>, given: &ValueType, declared: &ValueType) {
        if *declared != ValueType::Any && given != declared {
            let message = format!("a {given} never equals a {declared}");
            self.fault(
                Code::TypeMismatch,
                pointer.to_string(),
                message,
                "match with a value of the declared type, or use `when`",
            );
        }
    }
}

/// Whether a request with a type that the test does not admit is refused before any rule sees it.
fn admits_every_type(schema: &Schema, entity: Entity, test: &Test) -> bool {
    schema.is_closed(entity) && schema.types(entity).all(|name| test.holds(ScalarView::Str(name)))
}

impl Pattern {
    /// Whether the pattern names this action.
    pub(super) fn admits(&self, action: &str) -> bool {
        match self {
            Self::Every => true,
            Self::Exactly(name) => **name == *action,
            Self::StartingWith(start) => action.starts_with(&**start),
        }
    }
}

pub(super) fn obligation(obligation: &format::Obligation) -> Obligation {
    Obligation {
        id: obligation.id.as_str().into(),
        obligation_type: obligation.obligation_type.as_str().into(),
        properties: obligation.properties.clone(),
    }
}

/// A name as one step of a JSON Pointer, written where it is needed.
struct Escaped<'n>(&'n str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(self.0))
    }
}

/// What one rule may name: the schema, narrowed to the types that its match part admits.
struct RuleNames<'c, 'v> {
    all: &'c mut Vocabulary<'v>,
    subjects: Option<Vec<Box<str>>>,
    resources: Option<Vec<Box<str>>>,
}

impl Names for RuleNames<'_, '_> {
    fn attribute(&mut self, entity: Entity, name: &str) -> Result<Attribute, Option<String>> {
        let matched = match entity {
            Entity::Subject => self.subjects.as_deref(),
            Entity::Resource => self.resources.as_deref(),
            Entity::Action | Entity::Context => None,
        };
        self.all.schema.attribute(entity, name, matched)
    }

    fn signal(&mut self, name: &str) -> Result<u16, Option<String>> {
        self.all.signal(name)
    }

    fn fails_by_loss(&self, signal: u16) -> bool {
        self.all.fails_by_loss(signal)
    }

    fn postures(&self) -> Option<PostureNames<'_>> {
        self.all.postures()
    }

    fn data(&self) -> Option<&Value> {
        self.all.data()
    }
}
