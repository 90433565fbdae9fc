//! The text of a condition to its program: parsed, checked against what the policy declares, compiled.
//!
//! What can only be wrong is an error here, with the bytes that it is about: an unknown name, operands that no operator
//! takes, a literal that is no timestamp. What depends on the request is left to the evaluation.

use std::ops::Range;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};

use crate::error::{Code, Diagnostic};
use crate::limits::Limits;
use crate::value::{Timestamp, Value, View};
use crate::value_type::ValueType;

use super::flat::Flat;
use super::monotone::{self, Facts, Moves};
use super::program::{Comparison, Constant, Node, NodeId, Operator, Program, Run, Set};
use super::source::{self, Source};
use super::typing;
use super::{Cause, ClockUse, Names, Reads};

/// Bytes of stack that one level of the tree may take while it is compiled.
const STACK_PER_LEVEL: usize = 16 << 10;

/// Compiles a condition: text of CEL that comes to a boolean.
///
/// # Errors
/// What is wrong with it, each with the bytes of `text` that it is about and an empty pointer.
pub fn compile(text: &str, names: &mut dyn Names, limits: &Limits) -> Result<Program, Vec<Diagnostic>> {
    let (program, value_type) = compile_typed(text, names, limits)?;
    if matches!(value_type, ValueType::Bool | ValueType::Any) {
        return Ok(program);
    }
    let message = format!("the condition is of type `{value_type}`, expected `bool`");
    Err(vec![
        Diagnostic::new(Code::ConditionNotBoolean, "", message)
            .with_span(program.span(program.root))
            .with_help("compare it with something, as in `x == y`"),
    ])
}

/// Compiles an expression of CEL of any type.
///
/// # Errors
/// As [`compile`].
pub fn compile_value(text: &str, names: &mut dyn Names, limits: &Limits) -> Result<Program, Vec<Diagnostic>> {
    compile_typed(text, names, limits).map(|(program, _)| program)
}

/// Compiles an expression of CEL of any type as CEL's evaluation without a checker takes it: an unknown name or function
/// and operands of the wrong type are no mistakes of the text, but errors where they are evaluated.
///
/// Packs are never compiled like this. It is how the specification's own cases are meant.
///
/// # Errors
/// What is no expression of CEL, what this version has not, and what exceeds a limit.
pub fn compile_unchecked(text: &str, names: &mut dyn Names, limits: &Limits) -> Result<Program, Vec<Diagnostic>> {
    compile_with(text, names, limits, false).map(|(program, _)| program)
}

fn compile_typed(text: &str, names: &mut dyn Names, limits: &Limits) -> Result<(Program, ValueType), Vec<Diagnostic>> {
    compile_with(text, names, limits, true)
}

fn compile_with(
    text: &str,
    names: &mut dyn Names,
    limits: &Limits,
    checked: bool,
) -> Result<(Program, ValueType), Vec<Diagnostic>> {
    let source = source::parse(text, limits).map_err(|diagnostic| vec![diagnostic])?;
    let stack = limits.condition_depth_max.saturating_add(8).saturating_mul(STACK_PER_LEVEL);
    let mut compiler = Compiler::new(&source, names, limits);
    compiler.checked = checked;
    let root = stacker::maybe_grow(stack, stack.saturating_mul(2), || compiler.lower(&source.root));
    match root {
        Ok(root) if compiler.diagnostics.is_empty() => {
            let value_type = root.value_type.clone();
            Ok((compiler.finish(root), value_type))
        }
        _ => Err(compiler.diagnostics),
    }
}

/// A mistake was found and noted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

/// A compiled sub-expression.
#[derive(Clone, Debug)]
pub(super) struct Lowered {
    pub(super) node: NodeId,
    pub(super) value_type: ValueType,
}

/// The state of one compilation.
pub(super) struct Compiler<'c> {
    pub(super) source: &'c Source,
    pub(super) names: &'c mut dyn Names,
    pub(super) limits: &'c Limits,
    pub(super) program: Program,
    /// The variables of the macros around, the outermost first.
    pub(super) variables: Vec<(String, ValueType)>,
    pub(super) clock: ClockReads,
    /// What the analysis of losses needs to know of the nodes.
    pub(super) facts: Facts,
    diagnostics: Vec<Diagnostic>,
    depth: usize,
    /// Whether names and types are checked now; else when they are evaluated.
    pub(super) checked: bool,
}

/// How `now` is read, as far as has been compiled.
#[derive(Debug, Default)]
pub(super) struct ClockReads {
    pub(super) instants: Vec<Timestamp>,
    pub(super) every_secs: Option<u32>,
    pub(super) unbounded: bool,
}

impl ClockReads {
    fn finish(mut self) -> ClockUse {
        if self.unbounded {
            return ClockUse::Unbounded;
        }
        if self.instants.is_empty() && self.every_secs.is_none() {
            return ClockUse::None;
        }
        self.instants.sort_unstable();
        self.instants.dedup();
        ClockUse::Boundaries { instants: self.instants, every_secs: self.every_secs.unwrap_or(0) }
    }

    /// Notes a calendar field that changes every so many seconds; 1, 60 and 900 divide one another.
    pub(super) fn tick(&mut self, period_seconds: Option<u32>) {
        match period_seconds {
            Some(period) => self.every_secs = Some(self.every_secs.map_or(period, |known| known.min(period))),
            None => self.unbounded = true,
        }
    }

    /// Notes a comparison of `now` with a constant: the instants from which it may give another answer.
    fn compared(&mut self, comparison: Comparison, now_left: bool, instant: Timestamp) {
        let after = instant.checked_add(jiff::SignedDuration::from_nanos(1));
        let (at, past) = match (comparison, now_left) {
            (Comparison::Equal | Comparison::NotEqual, _) => (true, true),
            // `now < t` and `now >= t` change at t; `now <= t` and `now > t` just after it.
            (Comparison::Less | Comparison::GreaterOrEqual, true)
            | (Comparison::Greater | Comparison::LessOrEqual, false) => (true, false),
            _ => (false, true),
        };
        self.instants.extend(at.then_some(instant));
        self.instants.extend(after.filter(|_| past));
    }
}

impl<'c> Compiler<'c> {
    fn new(source: &'c Source, names: &'c mut dyn Names, limits: &'c Limits) -> Self {
        let program = Program {
            nodes: Vec::new(),
            spans: Vec::new(),
            children: Vec::new(),
            steps: Vec::new(),
            constants: Vec::new(),
            sets: Vec::new(),
            regexes: Vec::new(),
            zones: Vec::new(),
            root: 0,
            depth: 0,
            arena_bytes_max: limits.arena_bytes_max,
            reads: Reads::default(),
            moves: Moves::default(),
            flat: None,
        };
        Self {
            source,
            names,
            limits,
            program,
            variables: Vec::new(),
            clock: ClockReads::default(),
            facts: Facts::default(),
            diagnostics: Vec::new(),
            depth: 0,
            checked: true,
        }
    }

    fn finish(self, root: Lowered) -> Program {
        let mut program = self.program;
        program.root = root.node;
        program.reads.slots.sort_unstable();
        program.reads.slots.dedup();
        program.reads.signals.sort_unstable();
        program.reads.signals.dedup();
        program.reads.clock = self.clock.finish();
        program.moves = monotone::moves(&program, &self.facts);
        program.flat = Flat::of(&program);
        program
    }

    /// Notes a mistake.
    pub(super) fn fail(&mut self, diagnostic: Diagnostic) -> Reported {
        self.diagnostics.push(diagnostic);
        Reported
    }

    /// Notes a mistake at the token of an expression.
    pub(super) fn fail_at(&mut self, id: u64, code: Code, message: impl Into<String>) -> Reported {
        let span = self.source.token(id);
        self.fail(Diagnostic::new(code, "", message).with_span(span))
    }

    /// Notes something that CEL has and this version has not.
    pub(super) fn unsupported(&mut self, id: u64, what: &str) -> Reported {
        self.fail_at(id, Code::ConditionUnsupported, format!("{what} not supported by this version"))
    }

    /// Adds a node whose text is the token of `id` and the text of `parts`.
    pub(super) fn push(
        &mut self,
        id: u64,
        node: Node,
        value_type: ValueType,
        parts: &[NodeId],
    ) -> Result<Lowered, Reported> {
        let token = self.source.token(id);
        if self.program.nodes.len() >= self.limits.condition_nodes_max {
            return Err(self.fail(source::too_large(token, self.limits)));
        }
        let span = parts.iter().fold(token, |span, part| {
            let part = self.program.span(*part);
            span.start.min(part.start)..span.end.max(part.end)
        });
        let index = number(self.program.nodes.len());
        self.program.nodes.push(node);
        self.facts.note(index, value_type.clone());
        self.program.spans.push((number(span.start), number(span.end)));
        Ok(Lowered { node: index, value_type })
    }

    /// Adds a constant.
    pub(super) fn push_constant(
        &mut self,
        id: u64,
        constant: Constant,
        value_type: ValueType,
        parts: &[NodeId],
    ) -> Result<Lowered, Reported> {
        let index = number(self.program.constants.len());
        self.program.constants.push(constant);
        self.push(id, Node::Constant(index), value_type, parts)
    }

    /// Adds a name that nodes refer to.
    pub(super) fn name(&mut self, name: &str) -> u32 {
        let index = number(self.program.constants.len());
        self.program.constants.push(Constant::Text(name.into()));
        index
    }

    /// The constant that a node stands for, if it stands for one; a presence test of the data does not, since
    /// its value is not all that there is to it.
    pub(super) fn constant(&self, node: NodeId) -> Option<&Constant> {
        if self.facts.presence_of_data.contains(&node) {
            return None;
        }
        match self.program.nodes.get(node as usize) {
            Some(Node::Constant(index)) => self.program.constants.get(*index as usize),
            _ => None,
        }
    }

    /// Adds a run of children.
    pub(super) fn run(&mut self, nodes: &[NodeId]) -> Run {
        let start = number(self.program.children.len());
        self.program.children.extend_from_slice(nodes);
        Run { start, end: number(self.program.children.len()) }
    }

    /// Compiles an expression.
    pub(super) fn lower(&mut self, expr: &IdedExpr) -> Result<Lowered, Reported> {
        if self.depth >= self.limits.condition_depth_max {
            let span = self.source.token(expr.id);
            return Err(self.fail(source::too_deep(span, self.limits)));
        }
        self.depth = self.depth.saturating_add(1);
        self.program.depth = self.program.depth.max(self.depth);
        let before = self.diagnostics.len();
        let lowered = self.lower_inner(expr);
        self.depth = self.depth.saturating_sub(1);
        if lowered.is_err() && !self.checked {
            return self.lower_mistake(expr.id, before);
        }
        lowered
    }

    /// Lets mistakes of names and types stand for an error where they are evaluated.
    fn lower_mistake(&mut self, id: u64, before: usize) -> Result<Lowered, Reported> {
        let mistakes = self.diagnostics.get(before..).unwrap_or_default();
        let cause = match mistakes.first().map(|first| first.code) {
            Some(Code::UnknownAttribute) => Cause::Missing,
            Some(Code::TypeMismatch) => Cause::WrongType,
            _ => Cause::InvalidArgument,
        };
        let tolerable = |code| matches!(code, Code::UnknownAttribute | Code::TypeMismatch | Code::InvalidValue);
        if mistakes.is_empty() || !mistakes.iter().all(|mistake| tolerable(mistake.code)) {
            return Err(Reported);
        }
        self.diagnostics.truncate(before);
        self.push(id, Node::Fail(cause), ValueType::Any, &[])
    }

    fn lower_inner(&mut self, expr: &IdedExpr) -> Result<Lowered, Reported> {
        match &expr.expr {
            Expr::Literal(literal) => self.lower_literal(expr.id, literal),
            Expr::Ident(name) => self.lower_identifier(expr, name),
            Expr::Select(select) => self.lower_member(expr, &select.operand, &select.field, select.test),
            Expr::Call(call) => self.lower_call(expr, call),
            Expr::Comprehension(walk) => self.lower_walk(expr.id, walk),
            Expr::List(list) => {
                if !list.optional_indices.is_empty() {
                    return Err(self.unsupported(expr.id, "optional elements are"));
                }
                self.lower_list(expr.id, &list.elements)
            }
            Expr::Map(map) => {
                let mut nodes = Vec::with_capacity(map.entries.len());
                let (mut keys, mut values) = (Vec::new(), Vec::new());
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else {
                        return Err(self.unsupported(expr.id, "messages are"));
                    };
                    if entry.optional {
                        return Err(self.unsupported(expr.id, "optional entries are"));
                    }
                    let key = self.lower(&entry.key)?;
                    use ValueType as T;
                    if !matches!(key.value_type, T::Any | T::Bool | T::Int | T::UInt | T::String) {
                        let message = format!(
                            "a map's key of type `{}`, expected `string`, `int`, `uint` or `bool`",
                            key.value_type
                        );
                        return Err(self.fail_at(entry.key.id, Code::TypeMismatch, message));
                    }
                    let value = self.lower(&entry.value)?;
                    nodes.extend([key.node, value.node]);
                    keys.push(key.value_type);
                    values.push(value.value_type);
                }
                let run = self.run(&nodes);
                let value_type =
                    ValueType::Map(Box::new(typing::joined_all(&keys)), Box::new(typing::joined_all(&values)));
                self.push(expr.id, Node::Map(run), value_type, &nodes)
            }
            Expr::Struct(object) => {
                let what = format!("the message `{}` is", object.type_name);
                Err(self.unsupported(expr.id, &what))
            }
            Expr::Unspecified => Err(self.fail_at(expr.id, Code::ConditionSyntax, "expected an expression")),
        }
    }

    fn lower_literal(&mut self, id: u64, literal: &LiteralValue) -> Result<Lowered, Reported> {
        let scalar = Constant::Scalar;
        let (constant, value_type) = match literal {
            LiteralValue::Null => (scalar(View::Null), ValueType::Null),
            LiteralValue::Boolean(value) => (scalar(View::Bool(*value.inner())), ValueType::Bool),
            LiteralValue::Int(value) => (scalar(View::Int(*value.inner())), ValueType::Int),
            LiteralValue::UInt(value) => (scalar(View::UInt(*value.inner())), ValueType::UInt),
            LiteralValue::Double(value) => (scalar(View::Double(*value.inner())), ValueType::Double),
            LiteralValue::String(value) => (Constant::Text(value.inner().into()), ValueType::String),
            LiteralValue::Bytes(value) => (Constant::Bytes(value.inner().into()), ValueType::Bytes),
        };
        self.push_constant(id, constant, value_type, &[])
    }

    /// Compiles the elements of a list; if all are constants, they come back as such and leave no nodes.
    fn lower_elements(&mut self, elements: &[IdedExpr]) -> Result<Elements, Reported> {
        let nodes_before = self.program.nodes.len();
        let constants_before = self.program.constants.len();
        let lowered = elements.iter().map(|element| self.lower(element)).collect::<Result<Vec<_>, _>>()?;
        let value_type = typing::joined_all(lowered.iter().map(|element| &element.value_type));
        let nodes: Vec<NodeId> = lowered.iter().map(|element| element.node).collect();
        let span = nodes.iter().map(|node| self.program.span(*node)).reduce(|a, b| a.start..b.end);
        let indexes: Option<Vec<usize>> = nodes
            .iter()
            .map(|node| match self.program.nodes.get(*node as usize) {
                // A presence test of the data stays a node: folded, it would be lost to the analysis of losses.
                Some(Node::Constant(index)) if !self.facts.presence_of_data.contains(node) => Some(*index as usize),
                _ => None,
            })
            .collect();
        let types = lowered.into_iter().map(|element| element.value_type).collect();
        let constants = indexes.map(|indexes| {
            let mut taken = Vec::with_capacity(indexes.len());
            for index in indexes {
                if let Some(constant) = self.program.constants.get_mut(index) {
                    taken.push(std::mem::replace(constant, Constant::Scalar(View::Null)));
                }
            }
            // No node outside the list names what was added for it.
            self.program.nodes.truncate(nodes_before);
            self.program.spans.truncate(nodes_before);
            self.program.constants.truncate(constants_before);
            taken
        });
        Ok(Elements { constants, nodes, types, value_type, span })
    }

    fn lower_list(&mut self, id: u64, expressions: &[IdedExpr]) -> Result<Lowered, Reported> {
        let elements = self.lower_elements(expressions)?;
        let value_type = ValueType::List(Box::new(elements.value_type));
        let Some(constants) = elements.constants else {
            let run = self.run(&elements.nodes);
            return self.push(id, Node::List(run), value_type, &elements.nodes);
        };
        if let Some(values) = constants.iter().map(json_value).collect::<Option<Vec<Value>>>() {
            let lowered = self.push_constant(id, Constant::Value(Value::List(values)), value_type, &[])?;
            self.widen(lowered.node, elements.span);
            return Ok(lowered);
        }
        let mut nodes = Vec::with_capacity(constants.len());
        for ((constant, expression), value_type) in constants.into_iter().zip(expressions).zip(elements.types) {
            nodes.push(self.push_constant(expression.id, constant, value_type, &[])?.node);
        }
        let run = self.run(&nodes);
        self.push(id, Node::List(run), value_type, &nodes)
    }

    /// Widens the text of a node.
    pub(super) fn widen(&mut self, node: NodeId, by: Option<Range<usize>>) {
        if let (Some(span), Some(by)) = (self.program.spans.get_mut(node as usize), by) {
            *span = (span.0.min(number(by.start)), span.1.max(number(by.end)));
        }
    }

    /// Compiles an operator; nothing where the call is none.
    pub(super) fn lower_operator(&mut self, expr: &IdedExpr, call: &CallExpr) -> Result<Option<Lowered>, Reported> {
        let id = expr.id;
        let lowered = match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, terms) => self.lower_logic(id, "&&", terms)?,
            (operators::LOGICAL_OR, terms) => self.lower_logic(id, "||", terms)?,
            (operators::LOGICAL_NOT, [operand]) => {
                let operand = self.lower_boolean("!", operand)?;
                self.push(id, Node::Not(operand), ValueType::Bool, &[operand])?
            }
            (operators::CONDITIONAL, [condition, then, otherwise]) => {
                let condition = self.lower_boolean("?:", condition)?;
                let then = self.lower(then)?;
                let otherwise = self.lower(otherwise)?;
                let value_type = typing::joined(&then.value_type, &otherwise.value_type);
                let node = Node::Conditional { condition, then: then.node, otherwise: otherwise.node };
                self.push(id, node, value_type, &[condition, then.node, otherwise.node])?
            }
            (operators::NEGATE, [operand]) => {
                let operand = self.lower(operand)?;
                if !matches!(operand.value_type, ValueType::Any | ValueType::Int | ValueType::Double) {
                    let message = format!("`-` takes an `int` or a `double`, and this is `{}`", operand.value_type);
                    return Err(self.fail_at(id, Code::TypeMismatch, message));
                }
                self.push(id, Node::Negate(operand.node), operand.value_type, &[operand.node])?
            }
            (operators::INDEX, [operand, index]) => self.lower_index(expr, operand, index)?,
            (operators::IN, [needle, haystack]) => self.lower_in(id, needle, haystack)?,
            (operators::OPT_INDEX | operators::OPT_SELECT, _) => {
                return Err(self.unsupported(id, "optional values are"));
            }
            (name, [left, right]) => {
                if arithmetic(name).is_some() {
                    self.lower_chain(expr)?
                } else if let Some(comparison) = comparison(name) {
                    self.lower_comparison(id, comparison, left, right)?
                } else {
                    return Ok(None);
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(lowered))
    }

    /// Compiles an operand that must be a boolean.
    pub(super) fn lower_boolean(&mut self, operator: &str, expr: &IdedExpr) -> Result<NodeId, Reported> {
        let lowered = self.lower(expr)?;
        if matches!(lowered.value_type, ValueType::Bool | ValueType::Any) || !self.checked {
            return Ok(lowered.node);
        }
        let message = format!("`{operator}` takes a `bool`, and this is `{}`", lowered.value_type);
        let span = self.program.span(lowered.node);
        Err(self.fail(Diagnostic::new(Code::TypeMismatch, "", message).with_span(span)))
    }

    /// Compiles a chain of `&&` or `||`. Every term is looked at, so that all mistakes come to light at once.
    fn lower_logic(&mut self, id: u64, operator: &str, terms: &[IdedExpr]) -> Result<Lowered, Reported> {
        let lowered: Vec<Result<NodeId, Reported>> =
            terms.iter().map(|term| self.lower_boolean(operator, term)).collect();
        let nodes = lowered.into_iter().collect::<Result<Vec<_>, _>>()?;
        let run = self.run(&nodes);
        let node = if operator == "&&" { Node::And(run) } else { Node::Or(run) };
        self.push(id, node, ValueType::Bool, &nodes)
    }

    /// Compiles a chain of arithmetic, which the parser nests to the left.
    fn lower_chain(&mut self, expr: &IdedExpr) -> Result<Lowered, Reported> {
        let mut links = Vec::new();
        let mut first = expr;
        while let Expr::Call(call) = &first.expr
            && let (Some(operator), [left, right]) = (arithmetic(&call.func_name), call.args.as_slice())
        {
            links.push((operator, first.id, right));
            first = left;
        }
        let lowered = self.lower(first)?;
        let mut value_type = lowered.value_type;
        let mut nodes = vec![lowered.node];
        let mut steps = Vec::with_capacity(links.len());
        for (operator, id, operand) in links.into_iter().rev() {
            let operand = self.lower(operand)?;
            let Some(result) = typing::computed(operator, &value_type, &operand.value_type) else {
                let message =
                    format!("`{}` does not take `{value_type}` and `{}`", operator.symbol(), operand.value_type);
                let diagnostic = Diagnostic::new(Code::TypeMismatch, "", message)
                    .with_span(self.source.token(id))
                    .with_help("convert one of the two, as in `int(x)`, `double(x)` or `string(x)`");
                return Err(self.fail(diagnostic));
            };
            value_type = result;
            nodes.push(operand.node);
            steps.push((operator, operand.node));
        }
        let start = number(self.program.steps.len());
        self.program.steps.extend(steps);
        let steps = Run { start, end: number(self.program.steps.len()) };
        self.push(expr.id, Node::Chain { first: lowered.node, steps }, value_type, &nodes)
    }

    fn lower_comparison(
        &mut self,
        id: u64,
        comparison: Comparison,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Result<Lowered, Reported> {
        let (now_left, now_right) = (self.is_now(left), self.is_now(right));
        let a = self.lower_operand(left, now_left)?;
        let b = self.lower_operand(right, now_right)?;
        if now_left || now_right {
            let other = if now_left { b.node } else { a.node };
            match self.constant(other) {
                Some(Constant::Scalar(View::Timestamp(instant))) => {
                    let instant = *instant;
                    self.clock.compared(comparison, now_left, instant);
                }
                _ => self.clock.unbounded = true,
            }
        }
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let symbol = match comparison {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        };
        let (a_type, b_type) = (&a.value_type, &b.value_type);
        let fits = if equality { typing::can_be_equal(a_type, b_type) } else { typing::can_be_ordered(a_type, b_type) };
        if !fits {
            let message = if equality {
                format!("`{symbol}` compares `{a_type}` with `{b_type}`, which are never equal")
            } else {
                format!("`{symbol}` does not order `{a_type}` and `{b_type}`")
            };
            let mut diagnostic = Diagnostic::new(Code::TypeMismatch, "", message).with_span(self.source.token(id));
            if *a_type == ValueType::Null || *b_type == ValueType::Null {
                diagnostic = diagnostic.with_help("to ask whether an attribute is there, write `has(x)`");
            }
            return Err(self.fail(diagnostic));
        }
        let node = Node::Compare { comparison, left: a.node, right: b.node };
        self.push(id, node, ValueType::Bool, &[a.node, b.node])
    }

    /// Compiles an operand; a `now` whose use is accounted for by the caller counts for nothing here.
    pub(super) fn lower_operand(&mut self, expr: &IdedExpr, now: bool) -> Result<Lowered, Reported> {
        if now { self.push(expr.id, Node::Now, ValueType::Timestamp, &[]) } else { self.lower(expr) }
    }

    fn lower_in(&mut self, id: u64, needle: &IdedExpr, haystack: &IdedExpr) -> Result<Lowered, Reported> {
        let needle = self.lower(needle)?;
        let constants_before = self.program.constants.len();
        let (set, element, part) = match &haystack.expr {
            Expr::List(list) if list.optional_indices.is_empty() => {
                let elements = self.lower_elements(&list.elements)?;
                match elements.constants {
                    Some(constants) => (Some(constants), elements.value_type, elements.span),
                    None => {
                        let value_type = ValueType::List(Box::new(elements.value_type.clone()));
                        let run = self.run(&elements.nodes);
                        let list = self.push(haystack.id, Node::List(run), value_type, &elements.nodes)?;
                        return self.finish_in(id, &needle, &list, &elements.value_type);
                    }
                }
            }
            _ => {
                let list = self.lower(haystack)?;
                let Some(element) = typing::element(&list.value_type) else {
                    let message = format!("`in` looks into a list or a map, and this is `{}`", list.value_type);
                    return Err(self.fail_at(haystack.id, Code::TypeMismatch, message));
                };
                let last = self.program.constants.len() == constants_before.saturating_add(1);
                match self.constant(list.node) {
                    Some(Constant::Value(Value::List(_))) if last => {
                        let span = self.program.span(list.node);
                        match self.program.constants.pop() {
                            Some(Constant::Value(Value::List(values))) => {
                                (Some(values.into_iter().map(constant_of).collect()), element, Some(span))
                            }
                            _ => return self.finish_in(id, &needle, &list, &element),
                        }
                    }
                    _ => return self.finish_in(id, &needle, &list, &element),
                }
            }
        };
        self.check_in(id, &needle.value_type, &element)?;
        let mut all = Set::default();
        for constant in set.unwrap_or_default() {
            match constant {
                Constant::Text(text) => all.texts.push(text),
                other => all.others.push(other),
            }
        }
        all.texts.sort_unstable();
        all.texts.dedup();
        let set = number(self.program.sets.len());
        self.program.sets.push(all);
        let lowered = self.push(id, Node::InSet { needle: needle.node, set }, ValueType::Bool, &[needle.node])?;
        self.widen(lowered.node, part);
        Ok(lowered)
    }

    fn finish_in(
        &mut self,
        id: u64,
        needle: &Lowered,
        haystack: &Lowered,
        element: &ValueType,
    ) -> Result<Lowered, Reported> {
        self.check_in(id, &needle.value_type, element)?;
        let node = Node::In { needle: needle.node, haystack: haystack.node };
        self.push(id, node, ValueType::Bool, &[needle.node, haystack.node])
    }

    fn check_in(&mut self, id: u64, needle: &ValueType, element: &ValueType) -> Result<(), Reported> {
        if typing::can_be_equal(needle, element) {
            return Ok(());
        }
        let message = format!("`in` looks for `{needle}` among `{element}`, which are never equal");
        Err(self.fail_at(id, Code::TypeMismatch, message))
    }
}

/// The elements of a list literal.
struct Elements {
    constants: Option<Vec<Constant>>,
    nodes: Vec<NodeId>,
    types: Vec<ValueType>,
    value_type: ValueType,
    span: Option<Range<usize>>,
}

/// A constant as a value of JSON's types; nothing for any other.
fn json_value(constant: &Constant) -> Option<Value> {
    Some(match constant {
        Constant::Scalar(View::Null) => Value::Null,
        Constant::Scalar(View::Bool(value)) => Value::Bool(*value),
        Constant::Scalar(View::Int(value)) => Value::Int(*value),
        Constant::Scalar(View::UInt(value)) => Value::UInt(*value),
        Constant::Scalar(View::Double(value)) => Value::Double(*value),
        Constant::Text(text) => Value::String(text.clone()),
        Constant::Value(value) => value.clone(),
        Constant::Scalar(_) | Constant::Bytes(_) => return None,
    })
}

/// A value as a constant.
pub(super) fn constant_of(value: Value) -> Constant {
    match value {
        Value::Null => Constant::Scalar(View::Null),
        Value::Bool(value) => Constant::Scalar(View::Bool(value)),
        Value::Int(value) => Constant::Scalar(View::Int(value)),
        Value::UInt(value) => Constant::Scalar(View::UInt(value)),
        Value::Double(value) => Constant::Scalar(View::Double(value)),
        Value::String(text) => Constant::Text(text),
        container => Constant::Value(container),
    }
}

/// An index as the program stores it. The text's length was checked to fit, and nothing has more parts than it has bytes.
pub(super) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn arithmetic(name: &str) -> Option<Operator> {
    Some(match name {
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Remainder,
        _ => return None,
    })
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::NotEqual,
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::LessOrEqual,
        operators::GREATER => Comparison::Greater,
        operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}
