//! The truth of rules and how they combine: chapters 3 to 5. Each rule is looked at, always.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use bumpalo::Bump;
use fallgate::Reason;
use fallgate::condition::program::Program;
use fallgate::condition::rego::RegoInput;
use fallgate::condition::{Cause, PostureView, Scope, SignalView, Truth};
use fallgate::limits::Limits;
use fallgate::policy::format::{Rule, RuleEffect};
use fallgate::request::{Request, RequestView};
use fallgate::time::{Monotonic, Wall};
use fallgate::value::{Value, View};
use serde_json::Value as Json;

use crate::Time;
use crate::pack::Pack;
use crate::request::Asked;
use crate::told::Oracle;

/// What the rules of an action come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) reason: Reason,
    pub(crate) rule: Option<String>,
    /// The ids of the obligations of all rules that decided.
    pub(crate) obligations: Vec<String>,
    /// What kept every rule that might have allowed from it, where signals alone did.
    pub(crate) missed: Option<Cause>,
}

impl Verdict {
    pub(crate) fn plain(reason: Reason) -> Self {
        Self { reason, rule: None, obligations: Vec::new(), missed: None }
    }
}

/// The truth of each rule of an action, with the rule.
pub(crate) type Truths<'p> = Vec<(&'p Rule, Truth)>;

impl Oracle {
    /// The truth of a condition of `pack`, at a time.
    pub(crate) fn truth(
        &self,
        pack: &Pack,
        condition: &Program,
        asked: Option<&Asked>,
        posture: Option<(&str, u32)>,
        at: Time,
    ) -> Truth {
        let value = |(entity, name): (&'static str, &str)| asked?.attribute(entity, name).map(View::from);
        let slots: Vec<Option<View<'_>>> = pack.slots().map(value).collect();
        let view = |name: &str| SignalView { status: self.status(pack, name, at), observed_at: None };
        let signals: Vec<SignalView> = pack.signals().map(view).collect();
        let arena = Bump::new();
        condition.truth(&Scope {
            slots: &slots,
            signals: &signals,
            posture: posture.map(|(name, rank)| PostureView { name, rank }),
            monotonic: Monotonic::from_nanos(at),
            wall: self.clock_ok.then(|| Wall::from_nanos(self.wall).as_timestamp()),
            arena: &arena,
            steps_left: Cell::new(Limits::DEFAULT.steps_max),
        })
    }

    /// The truth of every rule of the action.
    pub(crate) fn truths<'p>(&self, pack: &'p Pack, asked: &Asked, posture: (&str, u32)) -> Truths<'p> {
        let truth = |rule: &Rule| {
            let condition = pack.condition(&rule.id);
            let truth = condition.map(|condition| self.truth(pack, condition, Some(asked), Some(posture), self.now));
            let of_rego = || pack.rego(&rule.id).map(|entry| pack.ask(entry, &self.input(pack, asked, posture)));
            and(matched(rule, asked), truth.or_else(of_rego).unwrap_or(Truth::True))
        };
        pack.rules(&asked.action).into_iter().map(|rule| (rule, truth(rule))).collect()
    }

    /// What Rego sees: the request as it was asked, the signals, the posture, and a time that is to be trusted.
    fn input(&self, pack: &Pack, asked: &Asked, (name, rank): (&str, u32)) -> RegoInput {
        let request = Request::from_json(asked.whole.to_string().as_bytes(), &Limits::DEFAULT).expect("it was read");
        let view = |name| (name, SignalView { status: self.status(pack, name, self.now), observed_at: None });
        let input = RegoInput::request(&RequestView::from(&request)).with_signals(pack.signals().map(view));
        let input = input.with_posture(PostureView { name, rank });
        if self.clock_ok { input.with_now(Wall::from_nanos(self.wall).as_timestamp()) } else { input }
    }
}

/// The match part of a rule.
pub(crate) fn matched(rule: &Rule, asked: &Asked) -> Truth {
    let none = BTreeMap::new();
    let parts = [("subject", &rule.subject), ("resource", &rule.resource), ("context", &rule.context)];
    let clauses = parts.iter().flat_map(|(entity, part)| {
        let part = part.as_ref().unwrap_or(&none);
        part.iter().map(|(name, demand)| clause(asked.attribute(entity, name), demand)).collect::<Vec<_>>()
    });
    clauses.fold(Truth::True, and)
}

fn clause(value: Option<&Value>, demand: &Json) -> Truth {
    let Some(value) = value else { return Truth::Indeterminate(Cause::Missing) };
    let items = match value {
        Value::List(items) => items.iter().collect(),
        one => vec![one],
    };
    let is = |item: &Value, demand: &Json| *item == Value::from(demand);
    let holds = |item: &&Value| match demand {
        Json::Object(prefix) => match (item, prefix["prefix"].as_str()) {
            (Value::String(text), Some(start)) => text.starts_with(start),
            _ => false,
        },
        Json::Array(several) => several.iter().any(|demand| is(item, demand)),
        one => is(item, one),
    };
    if items.iter().any(holds) { Truth::True } else { Truth::False }
}

/// Strong Kleene conjunction. Of two causes one that is no signal stands: a signal is the cause only where it alone is.
fn and(a: Truth, b: Truth) -> Truth {
    match (a, b) {
        (Truth::False, _) | (_, Truth::False) => Truth::False,
        (Truth::True, other) | (other, Truth::True) => other,
        (Truth::Indeterminate(a), Truth::Indeterminate(b)) => Truth::Indeterminate(if a.is_signal() { b } else { a }),
    }
}

/// Of two causes the one that is told: one that is no signal, or the first of two signals; the clock is the last of them.
fn first_signal(a: Cause, b: Cause) -> Cause {
    match (a, b) {
        (Cause::Signal(a), Cause::Signal(b)) => Cause::Signal(a.min(b)),
        (Cause::Signal(_), Cause::Clock) => a,
        (a, b) if a.is_signal() => b,
        (a, _) => a,
    }
}

/// The table of chapter 5 over the rules that count.
pub(crate) fn combine(truths: &Truths<'_>, counts: impl Fn(&Rule) -> bool) -> Verdict {
    let of = |effect: RuleEffect, wanted: fn(Truth) -> bool| -> Vec<&Rule> {
        let decides = |(rule, truth): &&(&Rule, Truth)| rule.effect == effect && counts(rule) && wanted(*truth);
        truths.iter().filter(decides).map(|(rule, _)| *rule).collect()
    };
    let is_true = |truth| truth == Truth::True;
    let is_open = |truth| matches!(truth, Truth::Indeterminate(_));
    let (denies, open_denies) = (of(RuleEffect::Deny, is_true), of(RuleEffect::Deny, is_open));
    let (allows, open_allows) = (of(RuleEffect::Allow, is_true), of(RuleEffect::Allow, is_open));
    let by = |reason: Reason, deciding: &[&Rule]| {
        let of_effect = if reason.effect() == fallgate::Effect::Allow { &allows } else { &denies };
        let obligations = of_effect.iter().flat_map(|rule| &rule.obligations).map(|one| one.id.clone());
        Verdict { reason, rule: Some(deciding[0].id.clone()), obligations: obligations.collect(), missed: None }
    };
    if !denies.is_empty() {
        by(Reason::DeniedByRule, &denies)
    } else if !open_denies.is_empty() {
        by(Reason::Indeterminate, &open_denies)
    } else if !allows.is_empty() {
        by(Reason::AllowedByRule, &allows)
    } else if !open_allows.is_empty() {
        let causes = truths.iter().filter(|(rule, _)| rule.effect == RuleEffect::Allow && counts(rule));
        let causes = causes.filter_map(|(_, truth)| match truth {
            Truth::Indeterminate(cause) => Some(*cause),
            _ => None,
        });
        let missed = causes.reduce(first_signal).filter(|cause| cause.is_signal());
        let reason = if missed.is_some() { Reason::SignalUnavailable } else { Reason::Indeterminate };
        Verdict { missed, ..by(reason, &open_allows) }
    } else {
        Verdict::plain(Reason::NoMatchingRule)
    }
}

/// What the rules for an action may read: the attributes, the signals, the posture, and in Rego all of it.
pub(crate) struct Reads {
    pub(crate) attributes: BTreeSet<(&'static str, String)>,
    pub(crate) signals: BTreeSet<String>,
    pub(crate) posture: bool,
    pub(crate) whole: bool,
}

pub(crate) fn reads(pack: &Pack, action: &str) -> Reads {
    let whole = pack.rules(action).iter().any(|rule| pack.rego(&rule.id).is_some());
    let mut reads = Reads { attributes: BTreeSet::new(), signals: BTreeSet::new(), posture: whole, whole };
    reads.signals.extend(pack.signals().filter(|_| whole).map(str::to_owned));
    let slots: Vec<_> = pack.slots().collect();
    for rule in pack.rules(action) {
        for (entity, part) in [("subject", &rule.subject), ("resource", &rule.resource), ("context", &rule.context)] {
            reads.attributes.extend(part.iter().flat_map(|part| part.keys()).map(|name| (entity, name.clone())));
        }
        let Some(condition) = pack.condition(&rule.id) else { continue };
        let of_slot = |slot: &u16| slots.get(usize::from(*slot)).map(|(entity, name)| (*entity, (*name).to_owned()));
        reads.attributes.extend(condition.reads().slots.iter().filter_map(of_slot));
        reads.posture |= condition.reads().posture;
        reads.signals.extend(condition.reads().signals.iter().map(|number| pack.signal_numbered(*number).to_owned()));
    }
    reads
}
