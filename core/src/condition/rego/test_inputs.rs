//! The inputs that a team's own Rego tests give to their policy: `… with input as …`, read from the parsed tests.
//!
//! What stands after `as` may be a literal, a variable of the test or of its table, or any expression: a rule is made of
//! it, in a module with the test's package and imports, and evaluated. What cannot be evaluated so is counted, not guessed.

use std::collections::BTreeMap;
use std::ops::Range;

use regorus::Engine;
use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Query, Ref, Rule, Span};

use super::admission::{head_of, path_of, span_of};
use super::as_it_runs::{AsItRuns, with_stack};
use super::evaluate::{self, RegoInput};
use super::{add, pointer};
use crate::error::Diagnostic;
use crate::limits::Limits;
use crate::value::Value;

/// Inputs that are read at the most.
const INPUTS_MAX: usize = 10_000;
/// The rule that is made of what stands after `as`, and the variable in it.
const MADE: &str = "fallgate_input";

/// What the tests give.
#[derive(Clone, Debug, Default)]
pub struct TestInputs {
    /// The inputs, in the order of the modules and of the text.
    pub inputs: Vec<TestInput>,
    /// The places whose input could not be found out: the module's pointer and the bytes.
    pub unread: Vec<(String, Range<usize>)>,
}

/// One input of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestInput {
    /// The rule that gives it, without its package: `test_guests_are_denied`.
    pub test: String,
    /// Where the module stands in the bundle's document.
    pub pointer: String,
    /// The bytes of the statement.
    pub span: Range<usize>,
    /// The input.
    pub input: serde_json::Value,
    /// The data that the test puts in place of what there is: each path below `data`, and its value.
    pub data: Vec<(Vec<String>, serde_json::Value)>,
}

impl TestInputs {
    /// Reads the tests: the rules of the modules named `*_test.rego`, and those named `test_…` of the others.
    ///
    /// # Errors
    /// As [`AsItRuns::load`], for all modules together.
    pub fn read(
        sources: &BTreeMap<String, String>,
        data: Option<&Value>,
        limits: &Limits,
    ) -> Result<Self, Vec<Diagnostic>> {
        let whole = AsItRuns::load(sources, data, limits)?;
        let mut engine = whole.bare().clone();
        if let Some(data) = data {
            // It was added once already, when everything was prepared.
            let added = engine.add_data(evaluate::to_rego(data));
            drop(added);
        }
        let modules = engine.get_modules().clone();
        let mut found = Self::default();
        for (module, (path, text)) in modules.iter().zip(sources) {
            let is_test = path.ends_with("_test.rego");
            for rule in &module.policy {
                let name = path_of(head_of(rule).0).names.join(".");
                if is_test || name.starts_with("test_") {
                    let mut reader = TestReader {
                        engine: &engine,
                        module,
                        text,
                        pointer: pointer(path),
                        name: &name,
                        steps_max: limits.rego_steps_max,
                        found: &mut found,
                    };
                    with_stack(|| reader.rule(rule));
                }
            }
        }
        Ok(found)
    }
}

struct TestReader<'a> {
    engine: &'a Engine,
    module: &'a Module,
    text: &'a str,
    pointer: String,
    name: &'a str,
    steps_max: u64,
    found: &'a mut TestInputs,
}

impl TestReader<'_> {
    fn rule(&mut self, rule: &Rule) {
        if let Rule::Spec { bodies, .. } = rule {
            for body in bodies {
                self.query(&body.query, Vec::new());
            }
        }
    }

    /// `before` has the statements that bind what the input may be made of.
    fn query(&mut self, query: &Ref<Query>, mut before: Vec<String>) {
        for statement in &query.stmts {
            if self.found.inputs.len() >= INPUTS_MAX {
                return;
            }
            if !statement.with_mods.is_empty() {
                self.statement(statement, &before);
            }
            match &statement.literal {
                Literal::Every { key, value, domain: _, query, .. } => {
                    let (of_value, of_query) = (span_of(value), span_of(&query.span));
                    let domain = self.text.get(of_value.end..of_query.start).unwrap_or_default().trim_start();
                    let key = key.as_ref().map(|key| format!("{}, ", key.text())).unwrap_or_default();
                    let mut within = before.clone();
                    within.push(format!("some {key}{} {domain}", value.text()));
                    self.query(query, within);
                }
                Literal::SomeVars { .. } | Literal::SomeIn { .. } if statement.with_mods.is_empty() => {
                    before.push(self.text_of(&statement.span).to_owned());
                }
                Literal::Expr { expr, .. }
                    if statement.with_mods.is_empty() && matches!(expr.as_ref(), Expr::AssignExpr { .. }) =>
                {
                    before.push(self.text_of(&statement.span).to_owned());
                }
                _ => {}
            }
        }
    }

    fn statement(&mut self, statement: &LiteralStmt, before: &[String]) {
        let names = |refr: &Expr| path_of(refr).names;
        if !statement.with_mods.iter().any(|with| names(&with.refr).first().is_some_and(|root| root == "input")) {
            return;
        }
        let span = span_of(&statement.span);
        let read = self.made_of(statement).and_then(|made| {
            // What stands before may rest on what is left out, so the input is tried without it too.
            self.evaluated(before, &made).or_else(|| self.evaluated(&[], &made))
        });
        let Some(values) = read else {
            self.found.unread.push((self.pointer.clone(), span));
            return;
        };
        for value in values {
            match taken_apart(&value) {
                Some((input, data)) => self.found.inputs.push(TestInput {
                    test: self.name.to_owned(),
                    pointer: self.pointer.clone(),
                    span: span.clone(),
                    input,
                    data,
                }),
                None => self.found.unread.push((self.pointer.clone(), span.clone())),
            }
        }
    }

    /// One expression for all that the statement replaces: `[[path, value], …]`. None where it replaces a function.
    fn made_of(&self, statement: &LiteralStmt) -> Option<String> {
        let mut parts = Vec::new();
        for with in &statement.with_mods {
            let path = path_of(&with.refr).names;
            if !matches!(path.first().map(String::as_str), Some("input" | "data")) {
                return None;
            }
            // The places of object literals begin late, so the expression is what follows the word `as`.
            let after = self.text.get(span_of(with.refr.span()).end..self.end_of(&with.span))?;
            let value = after.trim_start().trim_start_matches(']').trim_start().strip_prefix("as")?;
            parts.push(format!("[{}, {value}\n]", serde_json::to_string(&path).ok()?));
        }
        Some(format!("[{}]", parts.join(", ")))
    }

    /// The text of a place, which the parser ends before the quote that closes a string.
    fn text_of(&self, span: &Span) -> &str {
        self.text.get(span_of(span).start..self.end_of(span)).unwrap_or_default()
    }

    fn end_of(&self, span: &Span) -> usize {
        let end = span_of(span).end;
        let is_quote = self.text.get(end..).is_some_and(|rest| rest.starts_with(['"', '`']));
        end.saturating_add(usize::from(is_quote))
    }

    fn evaluated(&self, before: &[String], made: &str) -> Option<Vec<serde_json::Value>> {
        let first = self.module.policy.iter().map(|rule| span_of(rule.span()).start).min()?;
        let header = self.text.get(..first)?;
        let body: String = before.iter().map(|statement| format!("\t{statement}\n")).collect();
        let body = format!("{{\n{body}\t{MADE}_value := {made}\n}}\n");
        let heads = [format!("{MADE} contains {MADE}_value if"), format!("{MADE}[{MADE}_value]")];
        heads.iter().find_map(|head| {
            let mut engine = self.engine.clone();
            add(&mut engine, &format!("{MADE}.rego"), &format!("{header}\n{head} {body}")).ok()?;
            let package = path_of(&self.module.package.refr).names.join(".");
            let rule = format!("data.{package}.{MADE}");
            let value = evaluate::value(&engine, &rule, self.steps_max, &RegoInput::none()).ok()?;
            match evaluate::to_json(&value)? {
                serde_json::Value::Array(values) if !values.is_empty() => Some(values),
                _ => None,
            }
        })
    }
}

/// A path below `data`, and what stands there.
type Replaced = (Vec<String>, serde_json::Value);

/// The input and the data of `[[path, value], …]`.
fn taken_apart(made: &serde_json::Value) -> Option<(serde_json::Value, Vec<Replaced>)> {
    let mut input = serde_json::Value::Null;
    let mut data = Vec::new();
    for part in made.as_array()? {
        let [path, value] = part.as_array()?.as_slice() else { return None };
        let path: Vec<String> =
            path.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>()?;
        match path.split_first()? {
            (root, below) if root == "input" => put(&mut input, below, value.clone()),
            (_, below) => data.push((below.to_vec(), value.clone())),
        }
    }
    Some((input, data))
}

/// Puts a value at a path, with objects on the way.
fn put(root: &mut serde_json::Value, path: &[String], value: serde_json::Value) {
    let mut at = root;
    for name in path {
        if !at.is_object() {
            *at = serde_json::Value::Object(serde_json::Map::new());
        }
        let serde_json::Value::Object(members) = at else { return };
        at = members.entry(name.clone()).or_insert(serde_json::Value::Null);
    }
    *at = value;
}
