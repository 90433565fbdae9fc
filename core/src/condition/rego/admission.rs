//! What parsed modules must keep to: which functions they call, what they refer to, and how deep their rules rest on one
//! another (spec 1.10).
//!
//! The evaluator walks the rules on the stack and aborts the process where it ends, so that the depth of the graph of
//! rules is bounded here, and a circle refused. A rule counts by its package and the first part of its name, so that
//! `a.x` and `a.y` count as one: too strict is safe here, too lax is not.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use regorus::unstable::{Expr, Literal, Module, Query, Ref, Rule, RuleHead, Span};

use super::builtins::{self, Admission};
use super::extensions;
use crate::error::{Code, Diagnostic, nearest, quoted};
use crate::limits::Limits;
use crate::value::Value;

/// A rule as something to ask for: whether it can give `true` or `false`, and if not, what it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    /// Possibly a boolean; known when it is evaluated.
    Value,
    /// A set, which says what speaks against a request.
    Set,
    /// Neither: this instead.
    Never(&'static str),
}

/// How modules are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// As a pack may hold them.
    Contained,
    /// As OPA takes them: only circles and depth, which end the process, are refused; places are kept.
    AsItRuns,
}

/// One definition of a rule or function, and what it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The full name, without `data.`.
    pub name: String,
    /// Where the module stands in the bundle's document.
    pub pointer: String,
    /// The bytes of its name there.
    pub span: Range<usize>,
    /// Where it reads something.
    pub reads: Vec<Read>,
}

/// A place that reads the input, the data, or a part of what a variable or another rule holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The path, from `input`, `data`, or the name of the variable or rule on, up to the first part that is computed.
    pub path: Vec<String>,
    /// The bytes of the reference.
    pub span: Range<usize>,
    /// Whether it stands under a `not`.
    pub is_negated: bool,
}

/// The rules that can be asked for, by full path without `data.`, joined by dots, and what each rests on.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    gives: BTreeMap<String, (Gives, usize)>,
    nodes: Vec<Reads>,
}

/// What a node of the graph of rules reads: the nodes right below it, and paths of the input.
#[derive(Clone, Debug, Default)]
struct Reads {
    rests_on: BTreeSet<usize>,
    input: BTreeSet<Vec<String>>,
    built_ins: BTreeSet<String>,
    /// Built-ins that nobody here answers, with how many arguments they are given; only as OPA takes them.
    unanswered: BTreeMap<String, usize>,
    /// Only as OPA takes them.
    definitions: Vec<Definition>,
}

impl Rules {
    /// What a rule gives.
    pub(super) fn gives(&self, name: &str) -> Option<Gives> {
        self.gives.get(name).map(|(gives, _)| *gives)
    }

    /// The names of the rules that satisfy `wanted`.
    pub(super) fn names(&self, wanted: impl Fn(Gives) -> bool) -> impl Iterator<Item = &str> {
        self.gives.iter().filter(move |(_, (gives, _))| wanted(*gives)).map(|(name, _)| name.as_str())
    }

    /// Whether some rule calls this built-in.
    pub(super) fn call(&self, name: &str) -> bool {
        self.nodes.iter().any(|node| node.built_ins.contains(name))
    }

    /// The paths below `input` that a rule reads, itself or through the rules that it rests on; each up to the first part
    /// that is computed.
    pub(super) fn input_paths(&self, name: &str) -> BTreeSet<Vec<String>> {
        self.reached(name).into_iter().flat_map(|node| node.input.iter().cloned()).collect()
    }

    /// The definitions of a rule, and of all that it rests on.
    pub(super) fn definitions(&self, name: &str) -> Vec<&Definition> {
        self.reached(name).into_iter().flat_map(|node| &node.definitions).collect()
    }

    /// The built-ins that nobody here answers, with how many arguments they are given.
    pub(super) fn unanswered(&self) -> BTreeMap<&str, usize> {
        let all = self.nodes.iter().flat_map(|node| &node.unanswered);
        all.map(|(name, arguments)| (name.as_str(), *arguments)).collect()
    }

    /// A rule's node, and those that it rests on.
    fn reached(&self, name: &str) -> Vec<&Reads> {
        let mut reached = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<usize> = self.gives.get(name).map(|(_, node)| *node).into_iter().collect();
        while let Some(index) = open.pop() {
            if let Some(node) = self.nodes.get(index).filter(|_| seen.insert(index)) {
                reached.push(node);
                open.extend(&node.rests_on);
            }
        }
        reached
    }
}

/// Checks the modules together; `pointers` has one for each.
pub(super) fn admit(
    modules: &[Ref<Module>],
    pointers: &[String],
    data: Option<&Value>,
    limits: &Limits,
    reading: Reading,
) -> Result<Rules, Vec<Diagnostic>> {
    let mut graph = Graph::default();
    let packages: Vec<Vec<String>> = modules.iter().map(|module| path_of(&module.package.refr).names).collect();
    for ((module, package), pointer) in modules.iter().zip(&packages).zip(pointers) {
        graph.declare(module, package, pointer);
    }
    let mut found = Vec::new();
    for ((module, package), pointer) in modules.iter().zip(&packages).zip(pointers) {
        if let Some(name) = shadowed(module, package, data, reading) {
            found.push(
                Diagnostic::new(
                    Code::RegoRefused,
                    pointer,
                    format!("the data has {} where this package is", quoted(&name)),
                )
                .with_span(span_of(&module.package.span))
                .with_help("data would shadow the rules; rename the one or the other"),
            );
        }
        let aliases = aliases(module);
        for rule in &module.policy {
            let (refr, arguments) = head_of(rule);
            let names = path_of(refr).names;
            let Some(node) = graph.node(package, &names) else { continue };
            let mut visit = Visit {
                reading,
                places: Vec::new(),
                is_negated: false,
                graph: &graph,
                package,
                aliases: &aliases,
                data,
                pointer,
                arguments: arguments.iter().flat_map(|argument| variables(argument)).collect(),
                reads: Reads::default(),
                found: Vec::new(),
            };
            visit.rule(rule);
            let Visit { reads, found: mistakes, places, .. } = visit;
            found.extend(mistakes);
            if let Some(node) = graph.nodes.get_mut(node) {
                node.reads.rests_on.extend(reads.rests_on);
                node.reads.input.extend(reads.input);
                node.reads.built_ins.extend(reads.built_ins);
                node.reads.unanswered.extend(reads.unanswered);
                if reading == Reading::AsItRuns {
                    let name = package.iter().chain(&names).cloned().collect::<Vec<_>>().join(".");
                    let (pointer, span) = (pointer.clone(), span_of(refr.span()));
                    node.reads.definitions.push(Definition { name, pointer, span, reads: places });
                }
            }
        }
    }
    found.extend(graph.too_deep(limits.rego_rule_depth_max));
    if !found.is_empty() {
        return Err(found);
    }
    Ok(Rules { gives: graph.rules, nodes: graph.nodes.into_iter().map(|node| node.reads).collect() })
}

/// A rule, or several that share the first part of a name.
#[derive(Debug)]
struct Node {
    reads: Reads,
    name: String,
    pointer: String,
    span: Range<usize>,
}

#[derive(Debug, Default)]
struct Graph {
    nodes: Vec<Node>,
    by_path: BTreeMap<Vec<String>, usize>,
    functions: BTreeSet<String>,
    rules: BTreeMap<String, (Gives, usize)>,
}

impl Graph {
    fn declare(&mut self, module: &Ref<Module>, package: &[String], pointer: &str) {
        for rule in &module.policy {
            let (refr, arguments) = head_of(rule);
            let path = path_of(refr);
            let full: Vec<String> = package.iter().chain(&path.names).cloned().collect();
            let key: Vec<String> = package.iter().chain(path.names.first()).cloned().collect();
            let name = full.join(".");
            let node = *self.by_path.entry(key).or_insert(self.nodes.len());
            if node == self.nodes.len() {
                let (pointer, span) = (pointer.to_owned(), span_of(rule.span()));
                self.nodes.push(Node { reads: Reads::default(), name: name.clone(), pointer, span });
            }
            let gives = gives(rule, path.exact);
            if gives == Gives::Never("a function") || !arguments.is_empty() {
                self.functions.insert(name.clone());
            }
            let (entry, _) = self.rules.entry(name).or_insert((gives, node));
            if *entry == Gives::Value {
                *entry = gives;
            }
        }
    }

    fn node(&self, package: &[String], names: &[String]) -> Option<usize> {
        let key: Vec<String> = package.iter().chain(names.first()).cloned().collect();
        self.by_path.get(&key).copied()
    }

    /// The packages that have rules, some several times.
    fn packages(&self) -> impl Iterator<Item = &[String]> {
        self.by_path.keys().filter_map(|key| key.split_last().map(|(_, package)| package))
    }

    /// The nodes that a path under `data` may read: the rule it leads to or through, or all rules below it.
    fn under(&self, path: &[String]) -> Vec<usize> {
        self.by_path
            .iter()
            .filter(|(key, _)| key.iter().zip(path).all(|(a, b)| a == b))
            .map(|(_, node)| *node)
            .collect()
    }

    /// The mistakes of the graph as a whole. Counted by taking away what rests on nothing, so that its size costs no stack.
    fn too_deep(&self, depth_max: usize) -> Option<Diagnostic> {
        let mut used_by: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        let mut open: Vec<usize> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            open.push(node.reads.rests_on.len());
            for below in &node.reads.rests_on {
                if let Some(users) = used_by.get_mut(*below) {
                    users.push(index);
                }
            }
        }
        let mut depth = vec![1_usize; self.nodes.len()];
        let mut ready: Vec<usize> = (0..self.nodes.len()).filter(|index| open.get(*index) == Some(&0)).collect();
        while let Some(index) = ready.pop() {
            let below = depth.get(index).copied().unwrap_or(usize::MAX);
            for user in used_by.get(index).into_iter().flatten() {
                if let Some(depth) = depth.get_mut(*user) {
                    *depth = (*depth).max(below.saturating_add(1));
                }
                if let Some(left) = open.get_mut(*user) {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        ready.push(*user);
                    }
                }
            }
        }
        for ((node, open), depth) in self.nodes.iter().zip(&open).zip(&depth) {
            let (message, code) = if *open > 0 {
                (format!("the rule {} rests on itself, or on rules that do", quoted(&node.name)), Code::RegoRefused)
            } else if *depth > depth_max {
                let message = format!(
                    "the rule {} rests on rules {depth} deep; at most {depth_max} are taken",
                    quoted(&node.name)
                );
                (message, Code::LimitExceeded)
            } else {
                continue;
            };
            return Some(
                Diagnostic::new(code, &node.pointer, message)
                    .with_span(node.span.clone())
                    .with_help("recursion and long chains can exhaust the stack; use a comprehension or `every`, or fold rules together"),
            );
        }
        None
    }
}

/// What one rule refers to and calls.
struct Visit<'a> {
    reading: Reading,
    /// Where the input and the data are read.
    places: Vec<Read>,
    /// Whether what is visited stands under a `not`.
    is_negated: bool,
    graph: &'a Graph,
    package: &'a [String],
    aliases: &'a BTreeMap<String, Vec<String>>,
    data: Option<&'a Value>,
    pointer: &'a str,
    arguments: BTreeSet<String>,
    reads: Reads,
    found: Vec<Diagnostic>,
}

impl Visit<'_> {
    fn refuse(&mut self, span: &Span, message: String, help: String) {
        if self.reading == Reading::AsItRuns {
            return;
        }
        self.found
            .push(Diagnostic::new(Code::RegoRefused, self.pointer, message).with_span(span_of(span)).with_help(help));
    }

    fn rule(&mut self, rule: &Rule) {
        match rule {
            Rule::Default { value, args, .. } => {
                self.expr(value);
                args.iter().for_each(|argument| self.expr(argument));
            }
            Rule::Spec { head, bodies, .. } => {
                let (refr, assign) = match head {
                    RuleHead::Compr { refr, assign, .. } => (refr, assign.as_ref()),
                    RuleHead::Set { refr, key, .. } => {
                        key.iter().for_each(|key| self.expr(key));
                        (refr, None)
                    }
                    RuleHead::Func { refr, args, assign, .. } => {
                        args.iter().for_each(|argument| self.expr(argument));
                        (refr, assign.as_ref())
                    }
                };
                self.indexes(refr);
                assign.iter().for_each(|assign| self.expr(&assign.value));
                for body in bodies {
                    body.assign.iter().for_each(|assign| self.expr(&assign.value));
                    self.query(&body.query);
                }
            }
        }
    }

    fn query(&mut self, query: &Query) {
        for statement in &query.stmts {
            if let Some(with) = statement.with_mods.first() {
                self.refuse(
                    &with.span,
                    "`with` replaces what a rule reads, and so what it decides".into(),
                    "keep `with` to tests; give the rule what differs as an argument of a function".into(),
                );
            }
            match &statement.literal {
                Literal::SomeVars { .. } => {}
                Literal::SomeIn { key, value, collection, .. } => {
                    key.iter().for_each(|key| self.expr(key));
                    self.expr(value);
                    self.expr(collection);
                }
                Literal::Expr { expr, .. } => self.expr(expr),
                Literal::NotExpr { expr, .. } => {
                    let outside = std::mem::replace(&mut self.is_negated, true);
                    self.expr(expr);
                    self.is_negated = outside;
                }
                Literal::Every { domain, query, .. } => {
                    self.expr(domain);
                    self.query(query);
                }
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.reference(expr);
                self.indexes(expr);
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().for_each(|item| self.expr(item)),
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.expr(key);
                    self.expr(value);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.expr(term);
                self.query(query);
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.expr(key);
                self.expr(value);
                self.query(query);
            }
            Expr::Call { span, fcn, params, .. } => {
                self.call(span, fcn, params);
                params.iter().for_each(|parameter| self.expr(parameter));
            }
            Expr::UnaryExpr { expr, .. } => self.expr(expr),
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.expr(lhs);
                self.expr(rhs);
            }
            Expr::Membership { key, value, collection, .. } => {
                key.iter().for_each(|key| self.expr(key));
                self.expr(value);
                self.expr(collection);
            }
        }
    }

    /// The parts of a reference that are expressions themselves.
    fn indexes(&mut self, expr: &Expr) {
        match expr {
            Expr::Var { .. } => {}
            Expr::RefDot { refr, .. } => self.indexes(refr),
            Expr::RefBrack { refr, index, .. } => {
                self.indexes(refr);
                self.expr(index);
            }
            other => self.expr(other),
        }
    }

    fn reference(&mut self, expr: &Expr) {
        let path = path_of(expr);
        let Some((root, below)) = path.names.split_first() else { return };
        let is_argument = self.arguments.contains(root);
        if !self.aliases.contains_key(root) || is_argument {
            self.place(expr.span(), &path.names);
        }
        if is_argument {
            return;
        }
        if root == "data" {
            self.data_path(expr.span(), below);
        } else if root == "input" {
            self.input_path(below.to_vec());
        } else if let Some(target) = self.aliases.get(root) {
            let Some((first, start)) = target.split_first() else { return };
            let full: Vec<String> = start.iter().chain(below).cloned().collect();
            let whole: Vec<String> = target.iter().chain(below).cloned().collect();
            self.place(expr.span(), &whole);
            match first.as_str() {
                "data" => self.data_path(expr.span(), &full),
                "input" => self.input_path(full),
                _ => {}
            }
        } else if let Some(node) = self.graph.node(self.package, &path.names) {
            self.reads.rests_on.insert(node);
        }
    }

    fn place(&mut self, span: &Span, path: &[String]) {
        if self.reading == Reading::AsItRuns && path.len() > 1 {
            self.places.push(Read { path: path.to_vec(), span: span_of(span), is_negated: self.is_negated });
        }
    }

    /// The whole input is always there.
    fn input_path(&mut self, path: Vec<String>) {
        if !path.is_empty() {
            self.reads.input.insert(path);
        }
    }

    fn data_path(&mut self, span: &Span, path: &[String]) {
        let nodes = self.graph.under(path);
        let in_data = match (path.first(), self.data) {
            (None, _) => true,
            (Some(first), Some(Value::Map(map))) => map.get(first).is_some(),
            _ => false,
        };
        // Data never overlaps a package, so what lies in a package and is no rule is a misspelling.
        let in_package = self.graph.packages().any(|package| path.starts_with(package));
        if nodes.is_empty() && (in_package || !in_data) {
            let name = path.join(".");
            let help = nearest(&name, self.graph.rules.keys().map(String::as_str)).map_or_else(
                || "declare the rule, or put the entry in the data".into(),
                |near| format!("did you mean `data.{near}`?"),
            );
            self.refuse(span, format!("there is no rule and no data at {}", quoted(&format!("data.{name}"))), help);
        }
        self.reads.rests_on.extend(nodes);
    }

    fn call(&mut self, span: &Span, function: &Expr, parameters: &[Ref<Expr>]) {
        let path = path_of(function);
        let name = path.names.join(".");
        let Some((root, below)) = path.names.split_first().filter(|_| path.exact) else {
            self.refuse(span, "the function's name is computed".into(), "call a function by its name".into());
            return;
        };
        // The evaluator's order: a function of this package, one of an imported package, then the built-in.
        let local: Vec<String> = self.package.iter().chain(&path.names).cloned().collect();
        let imported = if root == "data" {
            Some(below.to_vec())
        } else {
            self.aliases.get(root).and_then(|target| match target.split_first() {
                Some((first, rest)) if first == "data" => Some(rest.iter().chain(below).cloned().collect()),
                _ => None,
            })
        };
        let own =
            [Some(local), imported].into_iter().flatten().find(|full| self.graph.functions.contains(&full.join(".")));
        if let Some(full) = own {
            self.reads.rests_on.extend(self.graph.under(&full));
            return;
        }
        // The scan knows `time.now_ns` by its plain name, so a built-in must be called by that.
        if matches!(function, Expr::RefBrack { .. }) {
            self.refuse(
                span,
                format!("the function {} is called through brackets", quoted(&name)),
                "call a built-in by its plain name".into(),
            );
            return;
        }
        self.reads.built_ins.insert(name.clone());
        if let ("object.get", [object, key, ..]) = (name.as_str(), parameters) {
            let mut path = path_of(object).names;
            path.extend(texts(key));
            self.place(span, &path);
        }
        let is_answered = builtins::is_evaluators(&name) || extensions::arity(&name).is_some();
        if self.reading == Reading::AsItRuns && !is_answered {
            self.reads.unanswered.insert(name.clone(), parameters.len());
        }
        if let Some(arity) = extensions::arity(&name).filter(|arity| !takes(&name, *arity, parameters.len())) {
            self.refuse(
                span,
                format!("`{name}` takes {arity} arguments, not {}", parameters.len()),
                format!("a result stands on the left: `x := {name}(…)`"),
            );
            return;
        }
        match builtins::admission(&name) {
            Admission::Allowed => {}
            Admission::LiteralArgument(index) => match parameters.get(index).map(AsRef::as_ref) {
                Some(Expr::String { value, .. } | Expr::RawString { value, .. }) => {
                    let text = value.as_string().map(|text| text.to_string()).unwrap_or_default();
                    if name == "sprintf" && builtins::has_unusual_verb(&text) {
                        self.refuse(
                            span,
                            "the format of `sprintf` has another verb than `%s`, `%d` and `%v`".into(),
                            "a width makes a text of any length of a few bytes, and other verbs answer differently; use the plain ones".into(),
                        );
                    }
                }
                _ => self.refuse(
                    span,
                    format!("the pattern of `{name}` is computed"),
                    "write it as a string in the call; a pattern from the request can bring the engine down".into(),
                ),
            },
            Admission::Refused(reason) => self.refuse(span, format!("the built-in `{name}` is refused"), reason.into()),
            Admission::Unknown => {
                let known = builtins::ALLOWED.iter().copied().chain(self.graph.functions.iter().map(String::as_str));
                let help = nearest(&name, known).map_or_else(
                    || "declare it, or import the package that has it".into(),
                    |near| format!("did you mean `{near}`?"),
                );
                self.refuse(span, format!("there is no function {}", quoted(&name)), help);
            }
        }
    }
}

/// Whether a built-in of our own takes so many arguments: its own, and where the evaluator knows the name, one more for the
/// result.
fn takes(name: &str, arity: usize, given: usize) -> bool {
    let with_result = arity.saturating_add(1);
    given == arity || (given == with_result && regorus::unstable::BUILTINS.contains_key(name))
}

/// The names of a reference, up to the first part that is computed.
pub(super) struct Path {
    pub(super) names: Vec<String>,
    exact: bool,
}

pub(super) fn path_of(expr: &Expr) -> Path {
    match expr {
        Expr::Var { span, .. } => Path { names: vec![span.text().to_owned()], exact: true },
        Expr::RefDot { refr, field, .. } => {
            let mut path = path_of(refr);
            if path.exact {
                path.names.push(field.0.text().to_owned());
            }
            path
        }
        Expr::RefBrack { refr, index, .. } => {
            let mut path = path_of(refr);
            match index.as_ref() {
                Expr::String { value, .. } | Expr::RawString { value, .. } if path.exact => {
                    path.names.push(value.as_string().map(|text| text.to_string()).unwrap_or_default());
                }
                _ => path.exact = false,
            }
            path
        }
        _ => Path { names: Vec::new(), exact: false },
    }
}

pub(super) fn head_of(rule: &Rule) -> (&Expr, &[Ref<Expr>]) {
    match rule {
        Rule::Default { refr, args, .. } => (refr, args),
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } => (refr, &[]),
            RuleHead::Func { refr, args, .. } => (refr, args),
        },
    }
}

fn gives(rule: &Rule, exact: bool) -> Gives {
    let value = match rule {
        Rule::Default { args, value, .. } if args.is_empty() => Some(value),
        Rule::Default { .. } => return Gives::Never("a function"),
        Rule::Spec { head: RuleHead::Func { .. }, .. } => return Gives::Never("a function"),
        Rule::Spec { head: RuleHead::Set { .. }, .. } => return Gives::Set,
        Rule::Spec { head: RuleHead::Compr { assign, .. }, .. } => assign.as_ref().map(|assign| &assign.value),
    };
    match value.map(AsRef::as_ref) {
        _ if !exact => Gives::Never("an object or a set"),
        Some(Expr::String { .. } | Expr::RawString { .. }) => Gives::Never("a string"),
        Some(Expr::Number { .. }) => Gives::Never("a number"),
        Some(Expr::Null { .. }) => Gives::Never("null"),
        Some(Expr::Array { .. } | Expr::ArrayCompr { .. }) => Gives::Never("a list"),
        Some(Expr::Set { .. } | Expr::SetCompr { .. }) => Gives::Never("a set"),
        Some(Expr::Object { .. } | Expr::ObjectCompr { .. }) => Gives::Never("an object"),
        _ => Gives::Value,
    }
}

/// The names that imports give, with what each stands for.
fn aliases(module: &Module) -> BTreeMap<String, Vec<String>> {
    let imported = module.imports.iter().filter_map(|import| {
        let names = path_of(&import.refr).names;
        let alias = import.r#as.as_ref().map(|span| span.text().to_owned()).or_else(|| names.last().cloned())?;
        Some((alias, names))
    });
    imported.collect()
}

/// The variables that an argument of a function binds.
fn variables(argument: &Expr) -> Vec<String> {
    match argument {
        Expr::Var { span, .. } => vec![span.text().to_owned()],
        Expr::Array { items, .. } => items.iter().flat_map(|item| variables(item)).collect(),
        Expr::Object { fields, .. } => fields.iter().flat_map(|(_, _, value)| variables(value)).collect(),
        _ => Vec::new(),
    }
}

/// What the data has a value for, and the module has rules: anything of its package for a pack, a rule itself for OPA.
fn shadowed(module: &Module, package: &[String], data: Option<&Value>, reading: Reading) -> Option<String> {
    match reading {
        Reading::Contained => overlap(package, data),
        Reading::AsItRuns => module.policy.iter().find_map(|rule| {
            let names = path_of(head_of(rule).0).names;
            let full: Vec<String> = package.iter().chain(&names).cloned().collect();
            overlap(&full, data)
        }),
    }
}

/// The text that an expression is, or the texts that a list of them is.
fn texts(expr: &Expr) -> Vec<String> {
    match expr {
        Expr::String { value, .. } | Expr::RawString { value, .. } => {
            value.as_string().map(|text| text.to_string()).into_iter().collect()
        }
        Expr::Array { items, .. } => items.iter().flat_map(|item| texts(item)).collect(),
        _ => Vec::new(),
    }
}

/// The name under which data stands where a package is.
fn overlap(package: &[String], data: Option<&Value>) -> Option<String> {
    let mut value = data?;
    for name in package {
        match value {
            Value::Map(map) => value = map.get(name)?,
            _ => break,
        }
    }
    Some(package.join("."))
}

pub(super) fn span_of(span: &Span) -> Range<usize> {
    let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
    at(span.start)..at(span.end)
}
