//! Rego as OPA runs it, for tools that look for what it lets through. It decides nothing.
//!
//! A module that a pack refuses (`not` over what may be missing, `with`, built-ins of any kind) is what a team may run
//! today, and its holes are only seen where it is evaluated in the same way: a rule that is not established is undefined,
//! an error of a built-in is undefined too, and `not` of either is true. What ends the process stays refused or bounded:
//! nesting, circles and depth of rules, steps. Text and rules are checked by the same code as a pack's.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use regorus::Engine;

use super::admission::{self, Definition, Gives, Reading, Rules};
use super::evaluate::{self, RegoInput};
use super::{add, extensions, from_report, pointer, scan_all};
use crate::error::{Code, Diagnostic};
use crate::limits::Limits;
use crate::value::Value;

/// Brackets may nest so deep here: tests write whole requests as literals. What nesting costs the parser in all is bounded
/// by the scan.
const NESTING_MAX: usize = 16;
/// Stack for an evaluation that nests so deep.
const STACK_BYTES: usize = 16 << 20;
/// Below this much left, a stack of [`STACK_BYTES`] is put in its place.
const STACK_LEFT_MIN: usize = 14 << 20;

/// Runs `work` with enough stack, on whatever thread.
pub(super) fn with_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK_LEFT_MIN, STACK_BYTES, work)
}

/// Modules with their data, evaluated as OPA does: undefined in place of an error of a built-in, and nothing refused but
/// what the evaluator would not survive.
#[derive(Clone, Debug)]
pub struct AsItRuns {
    /// Without data, and not prepared.
    bare: Engine,
    prepared: Engine,
    rules: Rules,
    steps_max: u64,
}

/// What a rule gives, as far as its text shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Possibly a boolean.
    Value,
    /// A set.
    Set,
    /// Neither.
    Other,
}

impl Drop for AsItRuns {
    /// As that of [`super::Modules`].
    fn drop(&mut self) {
        let engines = (std::mem::take(&mut self.bare), std::mem::take(&mut self.prepared));
        with_stack(|| drop(engines));
    }
}

impl AsItRuns {
    /// Checks what would end the process, parses, and prepares modules, given as path and text, with the data that they read.
    ///
    /// The limits are those of a pack, but that brackets may nest to 16.
    ///
    /// # Errors
    /// What is wrong with them; each mistake points to `/rego/<path>` and the bytes of that text.
    pub fn load(
        sources: &BTreeMap<String, String>,
        data: Option<&Value>,
        limits: &Limits,
    ) -> Result<Self, Vec<Diagnostic>> {
        if !evaluate::budget_is_counted() {
            let message = "another part of this process has set the Rego evaluator's time source, so that steps cannot be counted";
            return Err(vec![Diagnostic::new(Code::Unsupported, "/rego", message)]);
        }
        let limits = &Limits { rego_nesting_max: limits.rego_nesting_max.max(NESTING_MAX), ..limits.clone() };
        scan_all(sources, limits)?;
        let refused = |message: &str| vec![Diagnostic::new(Code::RegoRefused, "/rego", message)];
        let loaded = catch_unwind(AssertUnwindSafe(|| with_stack(|| read(sources, data, limits))));
        let (bare, rules) = loaded.unwrap_or_else(|_| Err(refused("the modules make the Rego evaluator panic")))?;
        let mut whole = Self { bare, prepared: Engine::new(), rules, steps_max: limits.rego_steps_max };
        whole.prepared =
            whole.prepare(data).map_err(|report| vec![from_report(&report, sources, Code::RegoRefused)])?;
        Ok(whole)
    }

    /// The same modules with other data; nothing where they cannot be evaluated with it.
    #[must_use]
    pub fn with_data(&self, data: &Value) -> Option<Self> {
        let prepared = self.prepare(Some(data)).ok()?;
        Some(Self { bare: self.bare.clone(), prepared, rules: self.rules.clone(), steps_max: self.steps_max })
    }

    /// The rules that can be asked for, by full path with `data.`, with what they give.
    pub fn rules(&self) -> impl Iterator<Item = (String, Kind)> {
        let all = self.rules.names(|_| true);
        all.map(|name| {
            let kind = match self.rules.gives(name) {
                Some(Gives::Value) => Kind::Value,
                Some(Gives::Set) => Kind::Set,
                _ => Kind::Other,
            };
            (format!("data.{name}"), kind)
        })
    }

    /// The definitions of a rule, given by its full path, and of all that it rests on.
    #[must_use]
    pub fn definitions(&self, path: &str) -> Vec<&Definition> {
        self.rules.definitions(path.strip_prefix("data.").unwrap_or(path))
    }

    /// The built-ins that are called and that nobody here answers (`http.send` and others): each is undefined, as if what
    /// it asks were lost.
    #[must_use]
    pub fn unanswered(&self) -> Vec<&str> {
        self.rules.unanswered().into_keys().collect()
    }

    /// What a rule gives for an input, as JSON, and nothing where it is undefined; a set is a list.
    ///
    /// # Errors
    /// Where the evaluation failed, or took more than its steps: the kind of failure, never a value of the input.
    pub fn value(&self, path: &str, input: &RegoInput) -> Result<Option<serde_json::Value>, String> {
        let value = with_stack(|| evaluate::value(&self.prepared, path, self.steps_max, input));
        match value.map_err(|(_, what)| what)? {
            regorus::Value::Undefined => Ok(None),
            value => evaluate::to_json(&value).map(Some).ok_or_else(|| "has a number that JSON cannot hold".to_owned()),
        }
    }

    /// The modules, parsed, without data and not prepared.
    pub(super) const fn bare(&self) -> &Engine {
        &self.bare
    }

    /// The engine with data and prepared, or the evaluator's report.
    fn prepare(&self, data: Option<&Value>) -> Result<Engine, String> {
        let mut engine = self.bare.clone();
        let prepared = catch_unwind(AssertUnwindSafe(|| {
            with_stack(|| {
                if let Some(data) = data {
                    engine.add_data(evaluate::to_rego(data)).map_err(|error| error.to_string())?;
                }
                engine.clone().eval_query("true".into(), false).map_err(|error| error.to_string())?;
                // Asking for a rule that cannot be prepares the engine itself.
                let no_such_rule = engine.eval_rule("data".into());
                drop(no_such_rule);
                Ok(engine)
            })
        }));
        prepared.unwrap_or_else(|_| Err("the modules make the Rego evaluator panic".to_owned()))
    }
}

/// Parses texts that the scan has passed, and finds what they define and read.
fn read(
    sources: &BTreeMap<String, String>,
    data: Option<&Value>,
    limits: &Limits,
) -> Result<(Engine, Rules), Vec<Diagnostic>> {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(false);
    evaluate::set_budget(&mut engine, limits.rego_steps_max);
    let found: Vec<Diagnostic> = sources.iter().filter_map(|(path, text)| add(&mut engine, path, text).err()).collect();
    if !found.is_empty() {
        return Err(found);
    }
    let pointers: Vec<String> = sources.keys().map(|path| pointer(path)).collect();
    let rules = admission::admit(engine.get_modules(), &pointers, data, limits, Reading::AsItRuns)?;
    let lost = rules.unanswered().into_iter().all(|(name, arguments)| {
        let nothing = |_: Vec<regorus::Value>| Ok(regorus::Value::Undefined);
        u8::try_from(arguments)
            .is_ok_and(|count| engine.add_extension(name.to_owned(), count, Box::new(nothing)).is_ok())
    });
    let is_called = |name: &str| rules.call(name);
    if !lost || !evaluate::add_clock(&mut engine) || !extensions::add_as_it_runs(&mut engine, is_called) {
        let message = "the Rego evaluator has a built-in that ours was to replace";
        return Err(vec![Diagnostic::new(Code::Unsupported, "/rego", message)]);
    }
    Ok((engine, rules))
}
