//! Ablation of a pack: its cases, and the steps of its drills that decide.
//!
//! The loader's polarity check promises that rules in CEL have no finding here. What shows is Rego, whose rules cannot be
//! checked so, and what a pack declares.

use fallgate::condition::rego::AsItRuns;
use fallgate::drill::Drill;
use fallgate::drill::{explain_case, run_case};
use fallgate::engine::{Explanation, RuleTrace};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::format::Case;
use fallgate::{Decision, Reason};
use serde_json::Value;

use super::in_rego::NearestRead;
use super::opening::{Ablation, Culprit, Opening, Question};
use super::removal::{Reach, Removal, Root, Step, removals, without};
use super::search::{Asked, Bounds, Searched, length};
use crate::command::closed;
use crate::finding::Place;
use crate::progress::Progress;
use crate::source::{Part, SourceMap, Span};

/// How many levels of the data are looked into.
pub const DATA_LEVELS: usize = 8;
/// How many levels of a request: as deep as one may be.
const REQUEST_LEVELS: usize = 64;

/// A drill, with the place of each of its steps.
#[derive(Debug)]
pub struct PlacedDrill {
    /// The drill.
    pub drill: Drill,
    /// Where each step stands.
    pub steps: Vec<Option<Span>>,
}

/// A pack to ablate.
#[derive(Debug)]
pub struct PackToAblate<'p> {
    /// The document that the bundle was made of.
    pub document: &'p Value,
    /// The bundle.
    pub bundle: &'p Bundle,
    /// Where the document's values stand.
    pub sources: &'p SourceMap,
    /// The drills.
    pub drills: &'p [PlacedDrill],
}

/// Something that a pack is asked: alone, or at the end of a timeline.
#[derive(Clone, Debug)]
enum Asking {
    Case(Box<Case>),
    /// A drill up to the step that asks, the last.
    Drill(Drill),
}

struct Pack<'p> {
    document: &'p Value,
    asking: Vec<Asking>,
}

impl Asked for Pack<'_> {
    type World = Bundle;

    fn world_without(&self, lost: &[&Removal]) -> Option<Bundle> {
        let mut document = self.document.clone();
        if let Some(members) = document.as_object_mut() {
            // Cases are not asked again from here, and would only cost.
            members.remove("tests");
            if let Some(data) = members.get_mut("data") {
                *data = without(Root::Data, data, lost);
            }
        }
        Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).ok()
    }

    fn is_allowed(&self, world: &Bundle, question: usize, lost: &[&Removal]) -> bool {
        let decision = self.asking.get(question).and_then(|asking| asking.without(lost).decision(world));
        decision.is_some_and(|decision| allows(&decision))
    }
}

/// Whether the policy allows it, if only once a record is written.
fn allows(decision: &Decision) -> bool {
    decision.is_allow() || decision.reason() == Reason::AuditPending
}

impl Asking {
    fn request(&self) -> Option<&Value> {
        match self {
            Self::Case(case) => Some(&case.request),
            Self::Drill(drill) => drill.steps.last()?.decide.as_ref(),
        }
    }

    fn decision(&self, bundle: &Bundle) -> Option<Decision> {
        match self {
            Self::Case(case) => Some(run_case(bundle, case).decision),
            Self::Drill(drill) => drill.run(bundle).steps.pop()?.decision,
        }
    }

    fn without(&self, lost: &[&Removal]) -> Self {
        let is_lost = |name: &String| lost.contains(&&Removal::signal(name));
        match self {
            Self::Case(case) => {
                let mut case = case.clone();
                case.request = without(Root::Request, &case.request, lost);
                case.signals.retain(|name, _| !is_lost(name));
                Self::Case(case)
            }
            Self::Drill(drill) => {
                let mut drill = drill.clone();
                for step in &mut drill.steps {
                    step.observe.retain(|name, _| !is_lost(name));
                }
                if let Some(request) = drill.steps.last_mut().and_then(|step| step.decide.as_mut()) {
                    *request = without(Root::Request, request, lost);
                }
                Self::Drill(drill)
            }
        }
    }

    /// What can be taken away: attributes at any depth, and whatever was observed of a signal.
    fn removals(&self, items: bool) -> Vec<Removal> {
        let reach = Reach { items, levels: REQUEST_LEVELS };
        let member = |name: &str| Step::Member(name.to_owned());
        let mut found = Vec::new();
        for path in
            [&["subject", "properties"][..], &["action", "properties"], &["resource", "properties"], &["context"]]
        {
            let pointer: String = path.iter().map(|name| format!("/{name}")).collect();
            if let Some(value) = self.request().and_then(|request| request.pointer(&pointer)) {
                let steps: Vec<Step> = path.iter().map(|name| member(name)).collect();
                found.extend(removals(Root::Request, &steps, value, reach));
            }
        }
        // What a request demands of the decision itself is no fact about the world.
        let demands = Removal { root: Root::Request, path: vec![member("context"), member("fallgate")] };
        found.retain(|one| !demands.contains(one));
        let mut signals: Vec<&String> = match self {
            Self::Case(case) => case.signals.keys().collect(),
            Self::Drill(drill) => drill.steps.iter().flat_map(|step| step.observe.keys()).collect(),
        };
        signals.sort_unstable();
        signals.dedup();
        found.extend(signals.into_iter().map(|name| Removal::signal(name)));
        found
    }
}

/// Asks everything that is denied again, with less.
#[must_use]
pub fn ablate(pack: &PackToAblate<'_>, items: bool, bounds: Bounds, is_terminal: bool) -> Ablation {
    let mut ablation =
        Ablation { name: pack.bundle.name().to_owned(), files: pack.sources.files().to_vec(), ..Ablation::default() };
    let mut questions = Vec::new();
    let mut asking = Vec::new();
    let mut misfits = 0_usize;
    let mut take = |question: Question, one: Asking| {
        let Some(decision) = one.decision(pack.bundle) else { return };
        ablation.asked = ablation.asked.saturating_add(1);
        match decision.reason() {
            _ if allows(&decision) => {}
            // Denied for its form and not for what it says: taking the misfit away makes another request of it.
            Reason::InvalidRequest | Reason::LimitExceeded | Reason::UnknownAction => {
                misfits = misfits.saturating_add(1);
            }
            _ => {
                questions.push(question);
                asking.push(one);
            }
        }
    };
    for (number, case) in pack.bundle.policy().tests.iter().enumerate() {
        let place = pack.sources.place(&format!("/tests/{number}"), Part::Value, None);
        let name = format!("the case `{}`", case.name);
        take(Question { name, place: Some(place) }, Asking::Case(Box::new(case.clone())));
    }
    for placed in pack.drills {
        for (number, step) in placed.drill.steps.iter().enumerate().filter(|(_, step)| step.decide.is_some()) {
            let mut until = placed.drill.clone();
            until.steps.truncate(number.saturating_add(1));
            // Room for records is no fact: what is not observed leaves no record, and the room that it would have taken.
            until.audit.room = None;
            let name = format!("the step at {} of the drill `{}`", step.at, placed.drill.drill);
            let place = placed.steps.get(number).copied().flatten();
            take(Question { name, place }, Asking::Drill(until));
        }
    }
    match misfits {
        0 => {}
        1 => ablation.notes.push("1 request is refused for its form, and was not asked again".to_owned()),
        more => ablation.notes.push(format!("{more} requests are refused for their form, and were not asked again")),
    }
    ablation.denied = questions.len();

    let reach = Reach { items, levels: DATA_LEVELS };
    let data = pack.document.get("data").map(|data| removals(Root::Data, &[], data, reach)).unwrap_or_default();
    let asked = Pack { document: pack.document, asking };
    let own: Vec<Vec<Removal>> = asked.asking.iter().map(|one| one.removals(items)).collect();
    let mut progress = Progress::new(length(&own, data.len(), bounds), is_terminal);
    let mut searched = Searched::default();
    searched.search(&asked, &own, &data, bounds, &mut || progress.advance());
    progress.finish();
    ablation.tried = searched.tried;
    if searched.is_cut_off {
        ablation.notes.push(cut_off(searched.tried));
    }
    let rego = modules(pack.document);
    let openings = searched.opened.into_iter().filter_map(|(number, lost)| {
        let (question, asking) = (questions.get(number)?.clone(), asked.asking.get(number)?);
        let refs: Vec<&Removal> = lost.iter().collect();
        let world = asked.world_without(&refs)?;
        let told = Told::of(pack, asking, &world, &refs)?;
        Some(told.opening(pack, rego.as_ref(), question, lost))
    });
    ablation.openings = Opening::merged(openings.collect());
    ablation
}

/// What a search that was cut off has to say.
#[must_use]
pub fn cut_off(tried: u64) -> String {
    format!("stopped at the limit after {tried} removals: the rest was not tried; raise it with `--limit`")
}

/// A rule that changed with the loss.
struct Changed {
    culprit: Culprit,
    /// The smallest expression of its condition that changed too: its bytes.
    expression: Option<(usize, usize)>,
    /// Whether it changed by the loss; else it only decides now.
    is_to_blame: bool,
}

/// What a deny and the allow after the loss say of their rules.
struct Told {
    action: String,
    allow: Decision,
    changed: Vec<Changed>,
}

impl Told {
    fn of(pack: &PackToAblate<'_>, asking: &Asking, world: &Bundle, lost: &[&Removal]) -> Option<Self> {
        let less = asking.without(lost);
        let (deny, allow) = (asking.decision(pack.bundle)?, less.decision(world)?);
        let mut changed = match (asking, &less) {
            (Asking::Case(before), Asking::Case(after)) => {
                changes(&explain_case(pack.bundle, before)?, &explain_case(world, after)?)
            }
            // A timeline is not explained: the decisions name their rules.
            _ => {
                let denied = deny.rule().filter(|_| deny.reason() == Reason::DeniedByRule);
                denied.map(|rule| Changed::by_loss(rule, false, None)).into_iter().collect()
            }
        };
        if let Some(rule) = allow.rule().filter(|rule| changed.iter().all(|one| one.culprit.rule != *rule)) {
            let is_to_blame = changed.is_empty();
            changed.push(Changed { is_to_blame, ..Changed::by_loss(rule, true, None) });
        }
        let action = asking.request().and_then(|request| request.pointer("/action/name")).and_then(Value::as_str);
        Some(Self { action: action.unwrap_or_default().to_owned(), allow, changed })
    }

    fn opening(
        self,
        pack: &PackToAblate<'_>,
        rego: Option<&AsItRuns>,
        question: Question,
        lost: Vec<Removal>,
    ) -> Opening {
        let mut places = Vec::new();
        let mut whys = Vec::new();
        let mut is_declared = true;
        let mut is_rego = false;
        for Changed { culprit, expression, is_to_blame } in &self.changed {
            let Some((number, rule)) = rule_of(pack.document, &culprit.rule) else { continue };
            let (pointer, within) = match rule.get("when") {
                Some(Value::String(text)) => {
                    let within = expression.map(|(start, end)| start..closed(text, start, end));
                    (format!("/rules/{number}/when"), within)
                }
                Some(_) => (format!("/rules/{number}/when/rego"), None),
                None => (format!("/rules/{number}/id"), None),
            };
            let query = rule.pointer("/when/rego").and_then(Value::as_str);
            if *is_to_blame {
                is_rego |= query.is_some();
                match rule.get("accepts_information_loss").and_then(Value::as_str) {
                    Some(why) => whys.push(why.to_owned()),
                    None => is_declared = false,
                }
                if let (Some(query), Some(rego)) = (query, rego) {
                    let definitions = rego.definitions(query);
                    for one in &lost {
                        let Some(nearest) = NearestRead::find(&definitions, one) else { continue };
                        let (pointer, within) = (&nearest.definition.pointer, Some(&nearest.read.span));
                        let span = pack.sources.place(pointer, Part::Value, within);
                        places.push(Place { span, label: Some(nearest.label()) });
                    }
                }
            }
            let label = if culprit.allows { "this allows then" } else { "this denies no longer" };
            let span = pack.sources.place(&pointer, Part::Value, within.as_ref());
            places.push(Place { span, label: Some(label.to_owned()) });
        }
        if self.allow.reason() == Reason::AllowedFailOpen {
            let pointer = format!("/actions/{}/on_failure", self.action.replace('~', "~0").replace('/', "~1"));
            let why = pack.document.pointer(&format!("{pointer}/allow/justification")).and_then(Value::as_str);
            whys = why.map(str::to_owned).into_iter().collect();
            is_declared = true;
            let span = pack.sources.place(&pointer, Part::Key, None);
            places.insert(0, Place { span, label: Some("the action stays open".to_owned()) });
        }
        let declared = Some(whys.join("; ")).filter(|why| is_declared && !why.is_empty());
        let help = match &declared {
            Some(why) => format!("the pack declares it: {why}"),
            None if is_rego => REGO.to_owned(),
            None => CHECKED.to_owned(),
        };
        let culprits = self.changed.into_iter().map(|one| one.culprit).collect();
        Opening { questions: vec![question], lost, culprits, places, declared, help }
    }
}

impl Changed {
    fn by_loss(rule: &str, allows: bool, expression: Option<(usize, usize)>) -> Self {
        Self { culprit: Culprit { rule: rule.to_owned(), allows }, expression, is_to_blame: true }
    }
}

/// The rules that no longer deny, and those that allow only now.
fn changes(before: &Explanation, after: &Explanation) -> Vec<Changed> {
    let of = |explanation: &'_ Explanation, id: &str| -> Option<RuleTrace> {
        explanation.rules.iter().find(|trace| trace.rule == id).cloned()
    };
    let mut found = Vec::new();
    for deny in before.rules.iter().filter(|trace| trace.effect == "deny" && trace.truth != "false") {
        let now = of(after, &deny.rule);
        if now.as_ref().is_none_or(|now| now.truth == "false") {
            found.push(Changed::by_loss(&deny.rule, false, now.and_then(|now| smallest_change(deny, &now))));
        }
    }
    for allow in after.rules.iter().filter(|trace| trace.effect == "allow" && trace.truth == "true") {
        let then = of(before, &allow.rule);
        if then.as_ref().is_none_or(|then| then.truth != "true") {
            found.push(Changed::by_loss(&allow.rule, true, then.and_then(|then| smallest_change(&then, allow))));
        }
    }
    found
}

/// The smallest expression that has another value in the one than in the other.
fn smallest_change(before: &RuleTrace, after: &RuleTrace) -> Option<(usize, usize)> {
    let changed = before.expressions.iter().filter_map(|(start, end, value)| {
        let now =
            after.expressions.iter().find(|(other_start, other_end, _)| (other_start, other_end) == (start, end))?;
        (now.2 != *value).then_some((*start, *end))
    });
    changed.min_by_key(|(start, end)| end.saturating_sub(*start))
}

/// A rule of the document, by its id, with its number.
fn rule_of<'d>(document: &'d Value, id: &str) -> Option<(usize, &'d Value)> {
    let rules = document.get("rules")?.as_array()?;
    rules.iter().enumerate().find(|(_, rule)| rule.get("id").and_then(Value::as_str) == Some(id))
}

/// The pack's Rego modules, to find places in; nothing where there are none.
fn modules(document: &Value) -> Option<AsItRuns> {
    let sources = document.get("rego")?.as_object()?.iter();
    let sources = sources.map(|(path, text)| (path.clone(), text.as_str().unwrap_or_default().to_owned())).collect();
    let data = document.get("data").map(fallgate::value::Value::from);
    AsItRuns::load(&sources, data.as_ref(), &Limits::DEFAULT).ok()
}

const REGO: &str = "let the Rego rule ask for the value that is safe, or write the condition in CEL, which is checked for \
                    this; where the loss is meant, the rule states `accepts_information_loss` with the reason";
const CHECKED: &str = "the check at load time should have refused this rule; please report it with the pack";
