//! Ablation of Rego as it stands, before any pack: what is not established is undefined, and `not` of it is true.

use std::collections::BTreeMap;

use fallgate::condition::rego::{AsItRuns, Definition, Kind, Read, RegoInput};
use fallgate::error::{nearest, quoted};
use fallgate::value::Timestamp;
use serde_json::Value;

use super::in_pack::{DATA_LEVELS, cut_off};
use super::opening::{Ablation, Culprit, Opening, Question};
use super::removal::{Reach, Removal, Root, removals, without};
use super::search::{Asked, Bounds, Searched, length};
use crate::finding::Place;
use crate::progress::Progress;
use crate::source::{Part, SourceMap};

/// How many levels of an input are looked into.
const INPUT_LEVELS: usize = 64;
/// Names that a rule which allows has.
const ALLOWING: [&str; 4] = ["allow", "allowed", "is_allowed", "authorized"];
/// Names that a rule which denies has.
const DENYING: [&str; 5] = ["deny", "denied", "violation", "violations", "forbidden"];

/// How the modules decide: allowed where the rule that allows is `true`, and no rule that denies is true or has members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// The rule that allows, where there is one.
    pub allow: Option<String>,
    /// The rules that deny.
    pub deny: Vec<String>,
}

/// An input, what it is called, and the data that it is asked with.
#[derive(Clone, Debug)]
pub struct Input {
    /// What it is called, and where it stands.
    pub question: Question,
    /// The input.
    pub input: Value,
    /// The data, where there is any.
    pub data: Option<Value>,
}

/// Rego to ablate.
#[derive(Debug)]
pub struct RegoToAblate<'r> {
    /// How it is called in the output.
    pub name: String,
    /// The modules that decide, by path.
    pub modules: &'r BTreeMap<String, String>,
    /// Where their text stands, under `/rego/<path>`, and the other files.
    pub sources: &'r SourceMap,
    /// How they decide; the answers to each are counted alone.
    pub gates: &'r [Gate],
    /// What they are asked.
    pub inputs: &'r [Input],
    /// What `time.now_ns` gives.
    pub now: Timestamp,
}

impl Gate {
    /// Whether the gate opens; and not where any of its rules fails, since the caller gets no answer then.
    fn is_open(&self, modules: &AsItRuns, input: &RegoInput) -> bool {
        let allows = |path: &String| modules.value(path, input) == Ok(Some(Value::Bool(true)));
        let denies = |path: &String| {
            let value = modules.value(path, input);
            value.is_err() || is_so(&value)
        };
        self.allow.iter().all(allows) && !self.deny.iter().any(denies)
    }

    fn rules(&self) -> impl Iterator<Item = &String> {
        self.allow.iter().chain(&self.deny)
    }
}

/// The gates that a user names, each alone.
///
/// # Errors
/// A path without such a rule, with the nearest that there is.
pub fn named_gates(modules: &AsItRuns, queries: &[String]) -> Result<Vec<Gate>, String> {
    let rules: BTreeMap<String, Kind> = modules.rules().collect();
    let gate = |query: &String| match rules.get(query) {
        Some(Kind::Set) => Ok(Gate { allow: None, deny: vec![query.clone()] }),
        Some(Kind::Value) if DENYING.contains(&last(query)) => Ok(Gate { allow: None, deny: vec![query.clone()] }),
        Some(Kind::Value) => Ok(Gate { allow: Some(query.clone()), deny: Vec::new() }),
        Some(Kind::Other) => Err(format!("the Rego rule {} is neither a boolean nor a set", quoted(query))),
        None => {
            let near = nearest(query, rules.keys().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?"));
            Err(format!("there is no Rego rule {}{}", quoted(query), near.unwrap_or_default()))
        }
    };
    queries.iter().map(gate).collect()
}

/// The gates that the rules' names tell: the one `allow` with the `deny` beside it, or, without any `allow`, each `deny`.
///
/// # Errors
/// Where the names tell nothing, or too much.
pub fn guessed_gates(modules: &AsItRuns) -> Result<Vec<Gate>, String> {
    let rules: BTreeMap<String, Kind> = modules.rules().collect();
    let of = |names: &[&str], kinds: &[Kind]| -> Vec<String> {
        let fits = rules.iter().filter(|(path, kind)| names.contains(&last(path)) && kinds.contains(kind));
        fits.map(|(path, _)| path.clone()).collect()
    };
    let (allow, deny) = (of(&ALLOWING, &[Kind::Value]), of(&DENYING, &[Kind::Value, Kind::Set]));
    match (allow.as_slice(), deny.as_slice()) {
        ([], []) => Err("no rule is called `allow` or `deny`; name the one that decides with `--query`".to_owned()),
        ([], _) => Ok(deny.into_iter().map(|path| Gate { allow: None, deny: vec![path] }).collect()),
        ([allow], _) => {
            // A `deny` that the `allow` asks itself is no second word.
            let asked: Vec<String> =
                modules.definitions(allow).iter().map(|definition| format!("data.{}", definition.name)).collect();
            let beside = |path: &String| package(path) == package(allow) && !asked.contains(path);
            let deny = deny.into_iter().filter(beside).collect();
            Ok(vec![Gate { allow: Some(allow.clone()), deny }])
        }
        (many, _) => {
            let named: Vec<String> = many.iter().map(|path| format!("`{path}`")).collect();
            Err(format!("several rules may decide: {}; name one with `--query`", named.join(", ")))
        }
    }
}

fn last(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, name)| name)
}

fn package(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(package, _)| package)
}

/// Whether a rule that denies speaks: it is true, or has members.
fn is_so(value: &Result<Option<Value>, String>) -> bool {
    match value {
        Ok(Some(Value::Array(members))) => !members.is_empty(),
        Ok(Some(Value::Object(members))) => !members.is_empty(),
        Ok(Some(value)) => *value != Value::Bool(false),
        Ok(None) | Err(_) => false,
    }
}

struct Modules<'r> {
    whole: &'r AsItRuns,
    data: Option<&'r Value>,
    gate: &'r Gate,
    inputs: Vec<&'r Value>,
    now: Timestamp,
}

impl Modules<'_> {
    fn input(&self, input: &Value, lost: &[&Removal]) -> RegoInput {
        let left = without(Root::Input, input, lost);
        RegoInput::document(&fallgate::value::Value::from(&left)).at(self.now)
    }
}

impl Asked for Modules<'_> {
    type World = AsItRuns;

    fn world_without(&self, lost: &[&Removal]) -> Option<AsItRuns> {
        let Some(data) = self.data else { return Some(self.whole.clone()) };
        self.whole.with_data(&fallgate::value::Value::from(&without(Root::Data, data, lost)))
    }

    fn is_allowed(&self, world: &AsItRuns, question: usize, lost: &[&Removal]) -> bool {
        let input = self.inputs.get(question).map(|input| self.input(input, lost));
        input.is_some_and(|input| self.gate.is_open(world, &input))
    }
}

/// Asks everything that is denied again, with less. `whole` has the modules with no data, or with the first input's.
#[must_use]
pub fn ablate(rego: &RegoToAblate<'_>, whole: &AsItRuns, items: bool, bounds: Bounds, is_terminal: bool) -> Ablation {
    let mut ablation =
        Ablation { name: rego.name.clone(), files: rego.sources.files().to_vec(), ..Ablation::default() };
    let reach = |levels| Reach { items, levels };
    // Each gate and each state of the data is searched by itself.
    let mut searches: Vec<(Modules<'_>, Vec<&Input>)> = Vec::new();
    for gate in rego.gates {
        for input in rego.inputs {
            let data = input.data.as_ref();
            let known = searches.iter_mut().find(|(modules, _)| modules.gate == gate && modules.data == data);
            match known {
                Some((modules, inputs)) => {
                    modules.inputs.push(&input.input);
                    inputs.push(input);
                }
                None => {
                    let modules = Modules { whole, data, gate, inputs: vec![&input.input], now: rego.now };
                    searches.push((modules, vec![input]));
                }
            }
        }
    }
    let mut prepared = Vec::new();
    for (mut modules, inputs) in searches {
        let Some(world) = modules.world_without(&[]) else {
            ablation.notes.push("the data of a test stands where a rule is: its inputs were not asked".to_owned());
            continue;
        };
        ablation.asked = ablation.asked.saturating_add(inputs.len());
        let denied: Vec<usize> = (0..inputs.len()).filter(|number| !modules.is_allowed(&world, *number, &[])).collect();
        let keep = |number: &usize| denied.binary_search(number).is_ok();
        let inputs: Vec<&Input> =
            inputs.into_iter().enumerate().filter(|(number, _)| keep(number)).map(|(_, input)| input).collect();
        modules.inputs = inputs.iter().map(|input| &input.input).collect();
        let own: Vec<Vec<Removal>> =
            modules.inputs.iter().map(|input| removals(Root::Input, &[], input, reach(INPUT_LEVELS))).collect();
        let data = modules.data.map(|data| removals(Root::Data, &[], data, reach(DATA_LEVELS))).unwrap_or_default();
        ablation.denied = ablation.denied.saturating_add(inputs.len());
        prepared.push((modules, inputs, own, data));
    }
    let all = prepared.iter().map(|(_, _, own, data)| length(own, data.len(), bounds));
    let mut progress = Progress::new(all.fold(0_u64, u64::saturating_add).min(bounds.tries_max), is_terminal);
    let mut searched = Searched::default();
    let mut openings = Vec::new();
    for (modules, inputs, own, data) in &prepared {
        searched.search(modules, own, data, bounds, &mut || progress.advance());
        for (number, lost) in std::mem::take(&mut searched.opened) {
            if let Some(input) = inputs.get(number) {
                openings.extend(opening(rego, modules, input, lost));
            }
        }
    }
    progress.finish();
    ablation.tried = searched.tried;
    if searched.is_cut_off {
        ablation.notes.push(cut_off(searched.tried));
    }
    ablation.openings = Opening::merged(openings);
    ablation
}

fn opening(rego: &RegoToAblate<'_>, modules: &Modules<'_>, input: &Input, lost: Vec<Removal>) -> Option<Opening> {
    let refs: Vec<&Removal> = lost.iter().collect();
    let (before, after) = (modules.world_without(&[])?, modules.world_without(&refs)?);
    let (then, now) = (modules.input(&input.input, &[]), modules.input(&input.input, &refs));
    let definitions: Vec<&Definition> = modules.gate.rules().flat_map(|path| modules.whole.definitions(path)).collect();
    let mut places = Vec::new();
    let mut helps: Vec<String> = Vec::new();
    for one in &lost {
        let Some(nearest) = NearestRead::find(&definitions, one) else { continue };
        let NearestRead { definition, read, is_whole } = nearest;
        let path = format!("data.{}", definition.name);
        let (was, is) = (is_so(&before.value(&path, &then)), is_so(&after.value(&path, &now)));
        let reference = read.path.join(".");
        let label = match was && !is {
            true => format!("{}, and `{}` no longer holds", nearest.label(), last(&path)),
            false => nearest.label(),
        };
        let held = match one.root {
            Root::Data => input.data.as_ref(),
            _ => Some(&input.input),
        };
        // What is compared as a number or a text is never equal to false: then only its absence can be asked for.
        let is_flag = held.and_then(|held| held.pointer(&one.pointer())).is_some_and(Value::is_boolean);
        let help = match (read.is_negated, was && !is) {
            _ if !is_whole => format!("let nothing through before `{}` is known to be there", one.shown()),
            (true, _) if is_flag => format!(
                "`not` is true of what is not there: ask for the value that lets in, as in `{reference} == false`, which \
                 a missing one is not"
            ),
            (false, true) if is_flag => format!(
                "`{}` has to hold where `{reference}` is missing too: `not {reference} == false` does, and so does a rule \
                 of its own for what is missing",
                last(&path)
            ),
            (false, true) => format!(
                "`{}` has to hold where `{reference}` is missing too: give it a rule of its own `if not {reference}`",
                last(&path)
            ),
            _ => format!("let nothing through before `{reference}` is known to be there"),
        };
        if !helps.contains(&help) {
            helps.push(help);
        }
        let span = rego.sources.place(&definition.pointer, Part::Value, Some(&read.span));
        places.push(Place { span, label: Some(label) });
    }
    let mut culprits = Vec::new();
    for (path, allows) in
        modules.gate.rules().zip(modules.gate.allow.iter().map(|_| true).chain(std::iter::repeat(false)))
    {
        let (was, is) = (before.value(path, &then), after.value(path, &now));
        if was == is {
            continue;
        }
        culprits.push(Culprit { rule: path.clone(), allows });
        let name = path.strip_prefix("data.").unwrap_or(path);
        // Of several definitions the one that reads most says most; a default reads nothing.
        let of_rule = definitions.iter().filter(|definition| definition.name == name);
        if let Some(head) = of_rule.max_by_key(|definition| definition.reads.len()) {
            let span = rego.sources.place(&head.pointer, Part::Value, Some(&head.span));
            let label = format!("{} before, and {} then", told(&was), told(&is));
            places.push(Place { span, label: Some(label) });
        }
    }
    let help = match helps.is_empty() {
        true => "let nothing through before what the rules read is known to be there".to_owned(),
        false => helps.join("; "),
    };
    Some(Opening { questions: vec![input.question.clone()], lost, culprits, places, declared: None, help })
}

/// What a rule gives, in a word.
fn told(value: &Result<Option<Value>, String>) -> String {
    match value {
        Ok(None) => "undefined".to_owned(),
        Ok(Some(Value::Bool(value))) => value.to_string(),
        Ok(Some(Value::Array(members))) if members.is_empty() => "empty".to_owned(),
        Ok(Some(Value::Array(members))) if members.len() == 1 => "1 member".to_owned(),
        Ok(Some(Value::Array(members))) => format!("{} members", members.len()),
        Ok(Some(_)) => "a value".to_owned(),
        Err(_) => "an error".to_owned(),
    }
}

/// The place that reads what is lost most exactly.
#[derive(Clone, Copy, Debug)]
pub struct NearestRead<'d> {
    /// The definition that it stands in.
    pub definition: &'d Definition,
    /// The place.
    pub read: &'d Read,
    /// Whether all that it reads is lost; else it reads what the lost was in.
    pub is_whole: bool,
}

impl<'d> NearestRead<'d> {
    /// Itself before what it is in; under a `not` before others. Where no path leads to it from the input or the data, a
    /// variable's parts that are called the same: `container.image` for `input.containers[0].image`.
    #[must_use]
    pub fn find(definitions: &[&'d Definition], lost: &Removal) -> Option<Self> {
        let path = lost.rego_path();
        let names = lost.names();
        let reads =
            definitions.iter().flat_map(|definition| definition.reads.iter().map(move |read| (*definition, read)));
        let found = reads.filter_map(|(definition, read)| {
            let apart = read.path.len().abs_diff(path.len());
            let rank = if !lost.has_items() && read.path.starts_with(&path) {
                (0, apart)
            } else if let Some(common) = common(read, &names) {
                (1, usize::MAX.saturating_sub(common))
            } else if path.starts_with(&read.path) {
                (2, apart)
            } else {
                return None;
            };
            Some((rank, Self { definition, read, is_whole: rank.0 < 2 }))
        });
        let nearest = found.min_by_key(|(rank, nearest)| {
            (*rank, !nearest.read.is_negated, nearest.definition.pointer.as_str(), nearest.read.span.start)
        });
        nearest.map(|(_, nearest)| nearest)
    }

    /// What becomes of it.
    #[must_use]
    pub fn label(&self) -> String {
        match (self.is_whole, self.read.is_negated) {
            (false, _) => "what is gone is read from here".to_owned(),
            (true, true) => "undefined then, and `not` of it is true".to_owned(),
            (true, false) => "undefined then".to_owned(),
        }
    }
}

/// How many names behind a variable are the last ones of what is lost; nothing where none is.
fn common(read: &Read, lost: &[&str]) -> Option<usize> {
    let (root, parts) = read.path.split_first()?;
    if matches!(root.as_str(), "input" | "data") {
        return None;
    }
    let ends_with = |count: &usize| {
        let tail = lost.len().checked_sub(*count).and_then(|from| lost.get(from..)).unwrap_or_default();
        parts.iter().take(*count).map(String::as_str).eq(tail.iter().copied())
    };
    (1..=parts.len().min(lost.len())).rev().find(ends_with)
}
