//! Rego, contained (spec 1.10): modules that are checked before they are parsed, and asked one rule at a time.
//!
//! The evaluator is `regorus`, its interpreter, strict. Reading order: this file (loading and asking), `scan` (what a
//! text must keep to before it is parsed), `admission` and `builtins` (what a parsed module must keep to), `extensions`,
//! `patterns` and `paths` (built-ins of our own), `evaluate` (one evaluation). Beside these, for tools that look for holes
//! and decide nothing: `as_it_runs` and `test_inputs`.

mod admission;
mod as_it_runs;
mod builtins;
mod evaluate;
mod extensions;
mod paths;
mod patterns;
mod scan;
mod test_inputs;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use regorus::Engine;

pub use self::admission::{Definition, Read};
use self::admission::{Gives, Reading, Rules};
pub use self::as_it_runs::{AsItRuns, Kind};
pub use self::evaluate::RegoInput;
pub use self::test_inputs::{TestInput, TestInputs};
use crate::condition::{Cause, Truth};
use crate::error::{Code, Diagnostic, nearest, quoted};
use crate::limits::Limits;
use crate::value::Value;

/// All Rego modules of a bundle with their data: checked, parsed and prepared once, and never changed afterwards.
#[derive(Clone, Debug)]
pub struct Modules {
    prepared: Engine,
    rules: Rules,
    reads: RegoReads,
    steps_max: u64,
}

/// A rule that is asked for its truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    path: Arc<str>,
    reads: RegoReads,
    is_set: bool,
    input_paths: Arc<[InputPath]>,
    required: Arc<[InputPath]>,
}

/// What a rule came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its truth.
    pub truth: Truth,
    /// Where it could not be established: the rule and the kind of failure, never a value of the input.
    pub detail: Option<String>,
    /// Where a deny set has members, what they say, in their order; bounded in number and length.
    pub messages: Messages,
}

impl Outcome {
    /// This truth, with nothing to say of it.
    #[must_use]
    pub const fn plain(truth: Truth) -> Self {
        Self { truth, detail: None, messages: None }
    }
}

/// What speaks against a request, in a policy's own words; nothing, for most.
pub type Messages = Option<Arc<[Box<str>]>>;

/// The names of a path below `input`, from the outside in: `subject`, `properties`, `role`.
pub type InputPath = Vec<String>;

/// What of the input, besides the request, modules may read: what a cached decision rests on (spec 1.7).
///
/// Taken from the tokens of every module, so that it may say yes too often and never no too often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegoReads {
    /// Whether they may read `input.now`.
    pub reads_now: bool,
    /// Whether they may read `input.signals`.
    pub reads_signals: bool,
}

impl RegoReads {
    /// Everything.
    pub const ALL: Self = Self { reads_now: true, reads_signals: true };

    const fn or(self, other: Self) -> Self {
        Self { reads_now: self.reads_now || other.reads_now, reads_signals: self.reads_signals || other.reads_signals }
    }
}

impl EntryPoint {
    /// The rule's full path, `data.` included.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What of the input it may read.
    #[must_use]
    pub const fn reads(&self) -> RegoReads {
        self.reads
    }

    /// The paths of the input that it reads, itself or through other rules, as they stand in the text; each up to the first
    /// part that is computed. What is read from a variable that holds a part of the input is not among them.
    #[must_use]
    pub fn input_paths(&self) -> &[InputPath] {
        &self.input_paths
    }

    /// The same, under the input contract (spec 1.3): where a path that it reads is not there, and `is_optional` does not
    /// say that it may be absent, the answer is indeterminate before anything is evaluated.
    #[must_use]
    pub fn requiring(mut self, is_optional: impl Fn(&[String]) -> bool) -> Self {
        self.required = self.input_paths.iter().filter(|path| !is_optional(path)).cloned().collect();
        self
    }
}

impl Drop for Modules {
    /// The syntax tree is dropped by recursion, as deep as it nests, so that takes a stack of its own too.
    fn drop(&mut self) {
        let prepared = std::mem::take(&mut self.prepared);
        evaluate::with_stack(|| drop(prepared));
    }
}

impl Modules {
    /// Checks, parses and prepares modules, given as path and text, with the data that they read.
    ///
    /// # Errors
    /// Everything that is wrong with them; each mistake points to `/rego/<path>` and the bytes of that text.
    pub fn load(
        sources: &BTreeMap<String, String>,
        data: Option<&Value>,
        limits: &Limits,
    ) -> Result<Self, Vec<Diagnostic>> {
        if sources.len() > limits.rego_modules_max {
            let message = format!("{} Rego modules; at most {} are taken", sources.len(), limits.rego_modules_max);
            return Err(vec![Diagnostic::new(Code::LimitExceeded, "/rego", message)]);
        }
        if !evaluate::budget_is_counted() {
            let message = "another part of this process has set the Rego evaluator's time source, so that steps cannot be counted";
            return Err(vec![Diagnostic::new(Code::Unsupported, "/rego", message)]);
        }
        if data.is_some_and(|data| !matches!(data, Value::Map(_))) {
            return Err(vec![Diagnostic::new(Code::InvalidValue, "/data", "the data is not an object")]);
        }
        let reads = scan_all(sources, limits)?;
        let loaded = catch_unwind(AssertUnwindSafe(|| evaluate::with_stack(|| prepare(sources, data, limits))));
        let (prepared, rules) = loaded.unwrap_or_else(|_| {
            Err(vec![Diagnostic::new(Code::RegoRefused, "/rego", "the modules make the Rego evaluator panic")])
        })?;
        Ok(Self { prepared, rules, reads, steps_max: limits.rego_steps_max })
    }

    /// The rule at a full path such as `data.payments.fraud`.
    ///
    /// # Errors
    /// A path without such a rule, or a rule that can never be `true` or `false`. The pointer is left to the caller.
    pub fn entry_point(&self, path: &str) -> Result<EntryPoint, Diagnostic> {
        self.entry(path, false)
    }

    /// The rule at a full path, for what denies: a boolean, or a set of what speaks against the request (`deny[msg]`,
    /// `deny contains msg`), which is true where it has members and then says them.
    ///
    /// # Errors
    /// A path without such a rule, or a rule that can never be either. The pointer is left to the caller.
    pub fn deny_entry_point(&self, path: &str) -> Result<EntryPoint, Diagnostic> {
        self.entry(path, true)
    }

    fn entry(&self, path: &str, may_be_set: bool) -> Result<EntryPoint, Diagnostic> {
        let refused = |message: String| Diagnostic::new(Code::RegoEntryPoint, "", message);
        let Some(name) = path.strip_prefix("data.") else {
            let help = "write `data.`, the package and the rule: `data.payments.fraud`";
            return Err(refused(format!("{} is not the path of a Rego rule", quoted(path))).with_help(help));
        };
        let fits = |gives| gives == Gives::Value || (may_be_set && gives == Gives::Set);
        let what = match self.rules.gives(name) {
            Some(gives) if fits(gives) => {
                return Ok(EntryPoint {
                    path: path.into(),
                    reads: self.reads,
                    is_set: gives == Gives::Set,
                    input_paths: self.rules.input_paths(name).into_iter().collect(),
                    required: Arc::default(),
                });
            }
            Some(Gives::Never(what)) => what,
            Some(_) => "a set",
            None => {
                let mistake = refused(format!("there is no Rego rule {}", quoted(path)));
                return Err(match nearest(name, self.rules.names(fits)) {
                    Some(near) => mistake.with_help(format!("did you mean `data.{near}`?")),
                    None => mistake.with_help("write `data.`, the package and the rule"),
                });
            }
        };
        Err(refused(format!("the Rego rule {} is {what}, not a boolean", quoted(path)))
            .with_help("ask for a rule that is `true` or `false`, such as `denied := count(deny) > 0`"))
    }

    /// What a rule comes to for an input: true or false only where it is exactly that.
    #[must_use]
    pub fn ask(&self, entry: &EntryPoint, input: &RegoInput) -> Outcome {
        evaluate::ask(&self.prepared, entry, self.steps_max, input)
    }
}

impl Modules {
    /// Whether there is a rule at a full path, be it an entry point or not.
    #[must_use]
    pub fn has_rule(&self, path: &str) -> bool {
        path.strip_prefix("data.").is_some_and(|name| self.rules.gives(name).is_some())
    }

    /// What any rule gives for an input, as JSON, and nothing where it is undefined; a set is a list.
    ///
    /// It decides nothing, so the path may be of a rule that is no entry point. For tools that show values, and for the
    /// comparison with other engines.
    ///
    /// # Errors
    /// The kind of failure, and which: no such rule, an evaluation that failed, or a number beyond 64 bits.
    pub fn value(&self, path: &str, input: &RegoInput) -> Result<Option<serde_json::Value>, (Cause, String)> {
        if !self.has_rule(path) {
            return Err((Cause::Rego, format!("there is no Rego rule {}", quoted(path))));
        }
        match evaluate::value(&self.prepared, path, self.steps_max, input)
            .map_err(|(cause, what)| (cause, format!("{} {what}", quoted(path))))?
        {
            regorus::Value::Undefined => Ok(None),
            value => match evaluate::to_json(&value) {
                Some(value) => Ok(Some(value)),
                None => Err((Cause::Rego, format!("{} has a number that JSON cannot hold", quoted(path)))),
            },
        }
    }
}

/// What one Rego text, without a pack, makes of an input: `query` is the full path of a rule.
///
/// # Errors
/// What is wrong with the text, the data or the query, as [`Modules::load`] and [`Modules::entry_point`] have it.
pub fn evaluate(
    path: &str,
    text: &str,
    query: &str,
    input: &Value,
    data: Option<&Value>,
    limits: &Limits,
) -> Result<Outcome, Vec<Diagnostic>> {
    let sources = BTreeMap::from([(path.to_owned(), text.to_owned())]);
    let modules = Modules::load(&sources, data, limits)?;
    let entry = modules.entry_point(query).map_err(|mistake| vec![mistake])?;
    Ok(modules.ask(&entry, &RegoInput::document(input)))
}

fn scan_all(sources: &BTreeMap<String, String>, limits: &Limits) -> Result<RegoReads, Vec<Diagnostic>> {
    let mut reads = RegoReads::default();
    let mut found = Vec::new();
    for (path, text) in sources {
        match scan::scan(text, limits) {
            Ok(one) => reads = reads.or(one),
            Err(error) => {
                let code = if error.is_limit { Code::LimitExceeded } else { Code::RegoSyntax };
                found.push(Diagnostic::new(code, pointer(path), error.message).with_span(error.span));
            }
        }
    }
    if found.is_empty() { Ok(reads) } else { Err(found) }
}

/// Parses, admits and prepares texts that the scan has passed.
fn prepare(
    sources: &BTreeMap<String, String>,
    data: Option<&Value>,
    limits: &Limits,
) -> Result<(Engine, Rules), Vec<Diagnostic>> {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    evaluate::set_budget(&mut engine, limits.rego_steps_max);
    let mut found = Vec::new();
    for (path, text) in sources {
        if let Err(mistake) = add(&mut engine, path, text) {
            found.push(mistake);
        }
    }
    if !found.is_empty() {
        return Err(found);
    }
    let pointers: Vec<String> = sources.keys().map(|path| pointer(path)).collect();
    let rules = admission::admit(engine.get_modules(), &pointers, data, limits, Reading::Contained)?;
    if !evaluate::add_clock(&mut engine) || !extensions::add(&mut engine, |name| rules.call(name)) {
        return Err(vec![Diagnostic::new(
            Code::Unsupported,
            "/rego",
            "the Rego evaluator has a built-in that ours was to replace",
        )]);
    }
    let refused = |report: &str| vec![from_report(report, sources, Code::RegoRefused)];
    if let Some(data) = data {
        engine.add_data(evaluate::to_rego(data)).map_err(|error| refused(&error.to_string()))?;
    }
    // Whatever the evaluator finds wrong with the modules as a whole, it says when it prepares them for a first query;
    // the copy is for the query, and the engine itself is prepared by asking for a rule that cannot be.
    engine.clone().eval_query("true".into(), false).map_err(|error| refused(&error.to_string()))?;
    let no_such_rule = engine.eval_rule("data".into());
    drop(no_such_rule);
    Ok((engine, rules))
}

/// Parses one module into the engine: as version 1 of the language, or, where it is not that, as version 0.
fn add(engine: &mut Engine, path: &str, text: &str) -> Result<(), Diagnostic> {
    engine.set_rego_v0(false);
    let Err(error) = engine.add_policy(path.into(), text.into()) else {
        return Ok(());
    };
    engine.set_rego_v0(true);
    let as_old = engine.add_policy(path.into(), text.into());
    engine.set_rego_v0(false);
    if as_old.is_ok() {
        return Ok(());
    }
    let sources = BTreeMap::from([(path.to_owned(), text.to_owned())]);
    Err(from_report(&error.to_string(), &sources, Code::RegoSyntax))
}

/// A mistake as the evaluator reports it (a box of lines with `--> file:line:col` and `error: …`), in one line.
fn from_report(report: &str, sources: &BTreeMap<String, String>, code: Code) -> Diagnostic {
    let lines = || report.lines().map(str::trim);
    let said = lines()
        .find_map(|line| line.strip_prefix("error:"))
        .or_else(|| lines().find(|line| !line.is_empty()))
        .unwrap_or("the module is refused");
    let message: String = said.trim().chars().filter(|ch| !ch.is_control()).take(200).collect();
    let place = lines().find_map(|line| {
        let mut parts = line.strip_prefix("--> ")?.rsplitn(3, ':');
        let column: usize = parts.next()?.parse().ok()?;
        let row: usize = parts.next()?.parse().ok()?;
        let path = parts.next()?;
        Some((path, offset(sources.get(path)?, row, column)))
    });
    match place {
        Some((path, at)) => Diagnostic::new(code, pointer(path), message).with_span(at..at.saturating_add(1)),
        None => Diagnostic::new(code, "/rego", message),
    }
}

/// The byte at a line and column, both counted from one; the columns in characters.
fn offset(text: &str, row: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(row.saturating_sub(1)).map(str::len).sum();
    let line = text.get(before..).unwrap_or("").lines().next().unwrap_or("");
    let within: usize = line.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    before.saturating_add(within)
}

/// Where a module stands in the bundle's document.
fn pointer(path: &str) -> String {
    format!("/rego/{}", path.replace('~', "~0").replace('/', "~1"))
}
