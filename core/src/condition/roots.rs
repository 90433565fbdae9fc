//! The names that a condition starts from, and what is selected behind them.

use std::borrow::Cow;
use std::ops::Range;

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};

use crate::error::{Code, Diagnostic, nearest, quoted};
use crate::value::{Value, View};
use crate::value_type::ValueType;

use super::Entity;
use super::cel::{Compiler, Lowered, Reported, constant_of};
use super::program::{Constant, Node};
use super::type_name;
use super::typing::{self, Member};

/// Every name that is not a macro's variable.
const ROOTS: [&str; 7] = ["subject", "action", "resource", "context", "signals", "data", "now"];

/// The entity of that name.
fn entity(name: &str) -> Option<Entity> {
    [Entity::Subject, Entity::Action, Entity::Resource, Entity::Context]
        .into_iter()
        .find(|entity| entity.name() == name)
}

/// A path into the pack's data, as far as it is known when the condition is loaded.
enum DataPath {
    Found(Value),
    /// The name that is not there, where it stands, and the nearest that is.
    Missing {
        name: String,
        span: Range<usize>,
        near: Option<String>,
    },
}

impl Compiler<'_> {
    /// The root that an expression names, unless a macro's variable hides it.
    fn root<'e>(&self, expr: &'e IdedExpr) -> Option<&'e str> {
        let Expr::Ident(name) = &expr.expr else { return None };
        match name.strip_prefix('.') {
            Some(global) => Some(global),
            None if self.variables.iter().any(|(variable, _)| variable == name) => None,
            None => Some(name),
        }
    }

    /// Whether an expression is the time now.
    pub(super) fn is_now(&self, expr: &IdedExpr) -> bool {
        self.root(expr) == Some("now")
    }

    pub(super) fn lower_identifier(&mut self, expr: &IdedExpr, name: &str) -> Result<Lowered, Reported> {
        let id = expr.id;
        let Some(root) = self.root(expr) else {
            let found = self.variables.iter().enumerate().rev().find(|(_, (variable, _))| variable == name);
            let Some((index, (_, value_type))) = found else {
                return Err(self.fail_at(id, Code::UnknownAttribute, format!("unknown name {}", quoted(name))));
            };
            let (node, value_type) = (Node::Variable(super::cel::number(index)), value_type.clone());
            return self.push(id, node, value_type, &[]);
        };
        let root = root.to_owned();
        if let Some(lowered) = self.lower_path(expr)? {
            return Ok(lowered);
        }
        match root.as_str() {
            "now" => {
                self.clock.unbounded = true;
                self.push(id, Node::Now, ValueType::Timestamp, &[])
            }
            "data" => self.lower_data(expr, false)?.ok_or(Reported),
            "signals" => {
                let diagnostic = Diagnostic::new(Code::ConditionUnsupported, "", "`signals` is no value by itself")
                    .with_span(self.source.token(id))
                    .with_help("read one signal, as in `signals.NAME.ok`, `.failed` or `.age`");
                Err(self.fail(diagnostic))
            }
            name if entity(name).is_some() => {
                let message = format!("`{name}` is no value by itself");
                let diagnostic = Diagnostic::new(Code::ConditionUnsupported, "", message)
                    .with_span(self.source.token(id))
                    .with_help(format!("name an attribute of it, as in `{name}.id`"));
                Err(self.fail(diagnostic))
            }
            "posture" => {
                Err(self.fail_at(id, Code::ConditionUnsupported, "postures are not supported by this version"))
            }
            unknown => {
                let variables = self.variables.iter().map(|(variable, _)| variable.as_str());
                let near = nearest(unknown, ROOTS.into_iter().chain(variables));
                let mut diagnostic =
                    Diagnostic::new(Code::UnknownAttribute, "", format!("unknown name {}", quoted(unknown)))
                        .with_span(self.source.token(id));
                diagnostic = diagnostic.with_help(near.map_or_else(
                    || format!("a condition may start from {}", list_of(&ROOTS)),
                    |near| format!("did you mean `{near}`?"),
                ));
                Err(self.fail(diagnostic))
            }
        }
    }

    /// Compiles `operand.name`, `operand["name"]` or `has(operand.name)`.
    pub(super) fn lower_member(
        &mut self,
        expr: &IdedExpr,
        operand: &IdedExpr,
        name: &str,
        test: bool,
    ) -> Result<Lowered, Reported> {
        if !test && let Some(lowered) = self.lower_path(expr)? {
            return Ok(lowered);
        }
        if let Some(entity) = self.root(operand).and_then(entity) {
            return self.lower_attribute(expr, operand, entity, name, test);
        }
        if let Some((signal_operand, signal)) = member(operand)
            && self.root(signal_operand) == Some("signals")
        {
            return self.lower_signal(expr, operand, &signal, name, test);
        }
        if self.root(operand) == Some("signals") {
            let message = format!("`signals.{name}` is no value by itself");
            let diagnostic = Diagnostic::new(Code::ConditionUnsupported, "", message)
                .with_span(self.member_span(expr, name))
                .with_help(format!("read its state, as in `signals.{name}.ok`"));
            return Err(self.fail(diagnostic));
        }
        if let Some(lowered) = self.lower_data(expr, test)? {
            return Ok(lowered);
        }
        let operand = self.lower(operand)?;
        let (value_type, known_absent) = match typing::member(&operand.value_type, name) {
            Member::Declared(field) => (field.value_type.clone(), None),
            Member::Possible(value_type) => (value_type, None),
            Member::Unknown(near) => (ValueType::Any, Some((Code::UnknownAttribute, near))),
            Member::NoFields => (ValueType::Any, Some((Code::TypeMismatch, None))),
        };
        if let Some((code, near)) = known_absent {
            let message = format!("`{}` has no field {}", operand.value_type, quoted(name));
            let mut diagnostic = Diagnostic::new(code, "", message).with_span(self.member_span(expr, name));
            if let Some(near) = near {
                diagnostic = diagnostic.with_help(format!("did you mean `{near}`?"));
            }
            return Err(self.fail(diagnostic));
        }
        let name = self.name(name);
        if test {
            let node = Node::HasField { operand: operand.node, name };
            return self.push(expr.id, node, ValueType::Bool, &[operand.node]);
        }
        self.push(expr.id, Node::Field { operand: operand.node, name }, value_type, &[operand.node])
    }

    /// Compiles a path that is a variable of its own or the name of a type; nothing where it is neither.
    fn lower_path(&mut self, expr: &IdedExpr) -> Result<Option<Lowered>, Reported> {
        let mut names: Vec<&str> = Vec::new();
        let mut at = expr;
        while let Expr::Select(select) = &at.expr {
            if select.test {
                return Ok(None);
            }
            names.push(&select.field);
            at = &select.operand;
        }
        let Expr::Ident(written) = &at.expr else { return Ok(None) };
        if self.root(at).is_none_or(|root| ROOTS.contains(&root)) {
            return Ok(None);
        }
        names.push(written);
        names.reverse();
        let path = names.join(".");
        if let Some(variable) = self.names.variable(&path) {
            self.program.reads.slots.push(variable.slot);
            self.facts.absences.push((variable.slot, variable.absence));
            return self.push(expr.id, Node::Slot(variable.slot), variable.value_type, &[]).map(Some);
        }
        let Some(name) = type_name::named(path.trim_start_matches('.')) else { return Ok(None) };
        self.push_constant(expr.id, Constant::Scalar(View::Type(name)), ValueType::Type, &[]).map(Some)
    }

    fn lower_attribute(
        &mut self,
        expr: &IdedExpr,
        operand: &IdedExpr,
        entity: Entity,
        name: &str,
        test: bool,
    ) -> Result<Lowered, Reported> {
        match self.names.attribute(entity, name) {
            Ok(attribute) => {
                self.program.reads.slots.push(attribute.slot);
                self.facts.absences.push((attribute.slot, attribute.absence));
                let (node, value_type) = if test {
                    (Node::HasSlot(attribute.slot), ValueType::Bool)
                } else {
                    (Node::Slot(attribute.slot), attribute.value_type)
                };
                let lowered = self.push(expr.id, node, value_type, &[])?;
                self.name_span(lowered.node, operand, expr, name);
                Ok(lowered)
            }
            Err(near) => {
                let message = format!("`{}` has no attribute {}", entity.name(), quoted(name));
                let mut diagnostic =
                    Diagnostic::new(Code::UnknownAttribute, "", message).with_span(self.member_span(expr, name));
                diagnostic = diagnostic.with_help(near.map_or_else(
                    || format!("declare it in the schema's `{}`", entity.name()),
                    |near| format!("did you mean `{near}`?"),
                ));
                Err(self.fail(diagnostic))
            }
        }
    }

    fn lower_signal(
        &mut self,
        expr: &IdedExpr,
        operand: &IdedExpr,
        signal: &str,
        field: &str,
        test: bool,
    ) -> Result<Lowered, Reported> {
        if test {
            let diagnostic = Diagnostic::new(Code::ConditionUnsupported, "", "a signal's state is always there")
                .with_span(self.source.token(expr.id))
                .with_help("leave out `has(...)`");
            return Err(self.fail(diagnostic));
        }
        let index = match self.names.signal(signal) {
            Ok(index) => index,
            Err(near) => {
                let span = self.member_span(operand, signal);
                let mut diagnostic =
                    Diagnostic::new(Code::UnknownSignal, "", format!("unknown signal {}", quoted(signal)))
                        .with_span(span);
                diagnostic = diagnostic.with_help(near.map_or_else(
                    || "declare it in the pack's `signals`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                ));
                return Err(self.fail(diagnostic));
            }
        };
        let (node, value_type) = match field {
            "ok" => (Node::SignalOk(index), ValueType::Bool),
            "failed" => {
                if self.names.fails_by_loss(index) {
                    self.facts.failing_by_loss.push(index);
                }
                (Node::SignalFailed(index), ValueType::Bool)
            }
            "age" => {
                self.clock.unbounded = true;
                (Node::SignalAge(index), ValueType::Duration)
            }
            other => {
                let message = format!("a signal has no field {}, expected `ok`, `failed` or `age`", quoted(other));
                let span = self.member_span(expr, other);
                return Err(self.fail(Diagnostic::new(Code::UnknownAttribute, "", message).with_span(span)));
            }
        };
        self.program.reads.signals.push(index);
        let lowered = self.push(expr.id, node, value_type, &[])?;
        if let Some((root, _)) = member(operand) {
            self.name_span(lowered.node, root, expr, field);
        }
        Ok(lowered)
    }

    /// Compiles a path into the pack's data; nothing where the expression is no such path.
    fn lower_data(&mut self, expr: &IdedExpr, test: bool) -> Result<Option<Lowered>, Reported> {
        match self.data_path(expr, test) {
            None => Ok(None),
            Some(found) if test => {
                let is_there = matches!(found, DataPath::Found(_));
                let constant = Constant::Scalar(View::Bool(is_there));
                let lowered = self.push_constant(expr.id, constant, ValueType::Bool, &[])?;
                self.facts.presence_of_data.push(lowered.node);
                Ok(Some(lowered))
            }
            Some(DataPath::Found(value)) => {
                let value_type = typing::of_value(&value);
                self.push_constant(expr.id, constant_of(value), value_type, &[]).map(Some)
            }
            Some(DataPath::Missing { name, span, near }) => {
                let message = if name.is_empty() {
                    "the pack has no data".to_owned()
                } else {
                    format!("the pack's data has no {}", quoted(&name))
                };
                let mut diagnostic = Diagnostic::new(Code::UnknownAttribute, "", message).with_span(span);
                diagnostic = diagnostic.with_help(near.map_or_else(
                    || "add it to the pack's `data.json`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                ));
                Err(self.fail(diagnostic))
            }
        }
    }

    /// Follows a path into the pack's data from its root. With `test`, only its last name may be missing.
    fn data_path(&self, expr: &IdedExpr, test: bool) -> Option<DataPath> {
        let mut names: Vec<(&IdedExpr, Cow<'_, str>)> = Vec::new();
        let mut at = expr;
        while let Some((operand, name)) = member(at) {
            names.push((at, name));
            at = operand;
        }
        if self.root(at) != Some("data") {
            return None;
        }
        let Some(mut value) = self.names.data() else {
            return Some(DataPath::Missing { name: String::new(), span: self.source.token(at.id), near: None });
        };
        let last = names.len().saturating_sub(1);
        for (depth, (part, name)) in names.iter().rev().enumerate() {
            // What is no map is a mistake of types, told where the rest of the path is compiled.
            let Value::Map(map) = value else { return None };
            match map.get(name) {
                Some(found) => value = found,
                None if test && depth != last => return None,
                None => {
                    let near = nearest(name, map.iter().map(|(known, _)| known));
                    let span = self.member_span(part, name);
                    return Some(DataPath::Missing { name: name.to_string(), span, near });
                }
            }
        }
        Some(DataPath::Found(value.clone()))
    }

    /// Compiles `operand[index]`.
    pub(super) fn lower_index(
        &mut self,
        expr: &IdedExpr,
        operand: &IdedExpr,
        index: &IdedExpr,
    ) -> Result<Lowered, Reported> {
        if let Expr::Literal(LiteralValue::String(name)) = &index.expr {
            return self.lower_member(expr, operand, name.inner(), false);
        }
        let operand = self.lower(operand)?;
        let index_id = index.id;
        let index = self.lower(index)?;
        use ValueType as T;
        let wrong = |expected: &str, found: &T| format!("an index of type `{found}`, expected {expected}");
        let value_type = match (&operand.value_type, &index.value_type) {
            (T::Any, _) => T::Any,
            (T::List(item), T::Any | T::Int | T::UInt | T::Double) => (**item).clone(),
            (T::List(_), other) => {
                let message = wrong("`int`", other);
                return Err(self.fail_at(index_id, Code::TypeMismatch, message));
            }
            (T::Map(key, value), other) if typing::can_be_equal(key, other) => (**value).clone(),
            (T::Map(key, _), other) => {
                let message = wrong(&format!("`{key}`"), other);
                return Err(self.fail_at(index_id, Code::TypeMismatch, message));
            }
            (T::Record(_), T::Any | T::String) => T::Any,
            (T::Record(_), other) => {
                let message = wrong("`string`", other);
                return Err(self.fail_at(index_id, Code::TypeMismatch, message));
            }
            (other, _) => {
                let message = format!("`[...]` takes a list or a map, and this is `{other}`");
                return Err(self.fail_at(expr.id, Code::TypeMismatch, message));
            }
        };
        let node = Node::Index { operand: operand.node, index: index.node };
        self.push(expr.id, node, value_type, &[operand.node, index.node])
    }

    /// The bytes of the last name of a path: behind its dot, or in its brackets.
    fn member_span(&self, expr: &IdedExpr, name: &str) -> Range<usize> {
        match &expr.expr {
            Expr::Select(select) => {
                // The token of a presence test is that of `has`; the name then follows its operand.
                let from = if select.test { self.operand_end(&select.operand) } else { self.source.token(expr.id).end };
                self.source.name_from(from, name).unwrap_or_else(|| self.source.token(expr.id))
            }
            Expr::Call(call) => match call.args.as_slice() {
                [_, index] => self.source.token(index.id),
                _ => self.source.token(expr.id),
            },
            _ => self.source.token(expr.id),
        }
    }

    /// Where the operand of a selection ends, as far as its own last name.
    fn operand_end(&self, operand: &IdedExpr) -> usize {
        match &operand.expr {
            Expr::Select(select) => self.member_span(operand, &select.field).end,
            _ => self.source.token(operand.id).end,
        }
    }

    /// Lets a node's text be all of `root.….name`.
    fn name_span(&mut self, node: super::program::NodeId, root: &IdedExpr, expr: &IdedExpr, name: &str) {
        let root = self.source.token(root.id);
        let name = self.member_span(expr, name);
        self.widen(node, Some(root.start..name.end));
    }
}

/// The operand and the name of `operand.name` and `operand["name"]`.
fn member(expr: &IdedExpr) -> Option<(&IdedExpr, Cow<'_, str>)> {
    match &expr.expr {
        Expr::Select(select) => Some((&select.operand, Cow::Borrowed(select.field.as_str()))),
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
            [operand, index] => match &index.expr {
                Expr::Literal(LiteralValue::String(name)) => Some((operand, Cow::Borrowed(name.inner()))),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// Names as a message lists them.
fn list_of(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
