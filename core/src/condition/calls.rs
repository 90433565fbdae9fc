//! Calls of functions: found in the table, checked, and computed at once where their arguments are literals.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr};

use crate::error::{Code, Diagnostic, nearest, quoted};
use crate::value::{Cidr, View, parse_ip};
use crate::value_type::ValueType;

use super::calendar::{CalendarField, Zone};
use super::cel::{Compiler, Lowered, Reported, number};
use super::functions::{self, Function, OVERLOADS, Overload};
use super::program::{Constant, Node, NodeId};
use super::text::{parse_duration, parse_timestamp};
use super::typing;

/// Macros that the parser expands; what is left of them was called with the wrong number of arguments.
const MACROS: [&str; 7] = ["has", "all", "exists", "exists_one", "existsOne", "map", "filter"];

/// The functions of CEL's optional values besides those of its space `optional`.
const OF_OPTIONALS: [&str; 7] = ["hasValue", "value", "or", "orValue", "optMap", "optFlatMap", "unwrapOpt"];

impl Compiler<'_> {
    /// Compiles a call, of an operator or a function.
    pub(super) fn lower_call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Result<Lowered, Reported> {
        if let Some(lowered) = self.lower_operator(expr, call)? {
            return Ok(lowered);
        }
        let name = call.func_name.as_str();
        let Some(target) = &call.target else {
            return self.lower_function(expr, name, false, call.args.iter().collect());
        };
        if matches!(&target.expr, Expr::Ident(space) if space == "optional") {
            return Err(self.unsupported(expr.id, &format!("`optional.{name}`, as all optional values, is")));
        }
        if OF_OPTIONALS.contains(&name) {
            return Err(self.unsupported(expr.id, &format!("`{name}` of an optional value is")));
        }
        if let Some(lowered) = self.lower_pair_macro(expr, call)? {
            return Ok(lowered);
        }
        // A function whose name has a dot looks like a method of its first part.
        if let Expr::Ident(space) = &target.expr
            && functions::is_space(space)
            && !self.variables.iter().any(|(variable, _)| variable == space)
        {
            let name = format!("{space}.{name}");
            return self.lower_function(expr, &name, false, call.args.iter().collect());
        }
        if name == "matches" {
            return self.lower_matches(expr, target, &call.args);
        }
        if let Some(field) = CalendarField::named(name) {
            return self.lower_calendar(expr, field, target, &call.args);
        }
        let arguments = std::iter::once(&**target).chain(&call.args).collect();
        self.lower_function(expr, name, true, arguments)
    }

    fn lower_function(
        &mut self,
        expr: &IdedExpr,
        name: &str,
        method: bool,
        arguments: Vec<&IdedExpr>,
    ) -> Result<Lowered, Reported> {
        if name == "matches"
            && let [operand, pattern] = arguments.as_slice()
        {
            return self.lower_matches(expr, operand, std::slice::from_ref(pattern));
        }
        if let Some(function) = functions::of_many(name) {
            return self.lower_of_many(expr, name, function, &arguments);
        }
        let candidates = functions::overloads(name, method);
        if candidates.clone().next().is_none() {
            return Err(self.unknown_function(expr.id, name, method));
        }
        let mut lowered = Vec::with_capacity(arguments.len());
        for argument in &arguments {
            lowered.push(self.lower(argument)?);
        }
        let fits = |overload: &&Overload| {
            overload.parameters.len() == lowered.len()
                && overload.parameters.iter().zip(&lowered).all(|(kind, argument)| kind.takes(&argument.value_type))
        };
        let fitting: Vec<&Overload> = candidates.filter(fits).collect();
        let Some(overload) = fitting.first() else {
            let types: Vec<String> = lowered.iter().map(|argument| format!("`{}`", argument.value_type)).collect();
            let message = format!("`{name}` does not take ({})", types.join(", "));
            return Err(self.fail_at(expr.id, Code::TypeMismatch, message));
        };
        let function = overload.function;
        let results: Vec<ValueType> = fitting.iter().map(|overload| overload.result.value_type()).collect();
        let value_type = typing::joined_all(&results);
        if let Some(folded) = self.fold(expr.id, function, &lowered, &arguments)? {
            return Ok(folded);
        }
        let nodes: Vec<NodeId> = lowered.iter().map(|argument| argument.node).collect();
        let run = self.run(&nodes);
        self.push(expr.id, Node::Call { function, arguments: run }, value_type, &nodes)
    }

    /// Compiles `math.greatest(a, b, …)` and `math.least`, of numbers or of one list of them.
    fn lower_of_many(
        &mut self,
        expr: &IdedExpr,
        name: &str,
        function: Function,
        arguments: &[&IdedExpr],
    ) -> Result<Lowered, Reported> {
        let lowered = arguments.iter().map(|argument| self.lower(argument)).collect::<Result<Vec<_>, _>>()?;
        let number_or_any = |value_type: &ValueType| *value_type == ValueType::Any || typing::is_number(value_type);
        let value_type = match lowered.as_slice() {
            [] => None,
            [only] => match &only.value_type {
                ValueType::List(item) => Some((**item).clone()),
                other => Some(other.clone()),
            },
            all => {
                let fits = all.iter().all(|argument| number_or_any(&argument.value_type));
                fits.then(|| typing::joined_all(all.iter().map(|argument| &argument.value_type)))
            }
        };
        let Some(value_type) = value_type.filter(number_or_any) else {
            let types: Vec<String> = lowered.iter().map(|argument| format!("`{}`", argument.value_type)).collect();
            let message = format!("`{name}` takes numbers or a list of them, and not ({})", types.join(", "));
            return Err(self.fail_at(expr.id, Code::TypeMismatch, message));
        };
        let nodes: Vec<NodeId> = lowered.iter().map(|argument| argument.node).collect();
        let run = self.run(&nodes);
        self.push(expr.id, Node::Call { function, arguments: run }, value_type, &nodes)
    }

    fn unknown_function(&mut self, id: u64, name: &str, method: bool) -> Reported {
        let message = if MACROS.contains(&name) {
            format!("the macro `{name}` is not called like this")
        } else {
            format!("the function {} is not supported by this version", quoted(name))
        };
        let known = OVERLOADS.iter().filter(|overload| overload.method == method).map(|overload| overload.name);
        let known_elsewhere = MACROS.contains(&name) || functions::overloads(name, !method).next().is_some();
        let code = if self.checked || known_elsewhere { Code::ConditionUnsupported } else { Code::UnknownAttribute };
        let mut diagnostic = Diagnostic::new(code, "", message).with_span(self.source.token(id));
        if functions::overloads(name, !method).next().is_some() {
            let form = if method { format!("{name}(x)") } else { format!("x.{name}()") };
            diagnostic = diagnostic.with_help(format!("write `{form}`"));
        } else if let Some(near) = nearest(name, known) {
            diagnostic = diagnostic.with_help(format!("did you mean `{near}`?"));
        }
        self.fail(diagnostic)
    }

    /// Computes what literals stand for, so that one that stands for nothing is a mistake of the pack.
    fn fold(
        &mut self,
        id: u64,
        function: Function,
        lowered: &[Lowered],
        arguments: &[&IdedExpr],
    ) -> Result<Option<Lowered>, Reported> {
        let (Some(last), Some(argument)) = (lowered.last(), arguments.last()) else { return Ok(None) };
        let Some(Constant::Text(text)) = self.constant(last.node) else { return Ok(None) };
        let text = text.clone();
        let (view, expected, value_type) = match function {
            Function::Timestamp => (
                parse_timestamp(&text).map(View::Timestamp),
                "a timestamp such as `2026-01-31T08:00:00Z`",
                ValueType::Timestamp,
            ),
            Function::Duration => {
                (parse_duration(&text).map(View::Duration), "a duration such as `1h30m`", ValueType::Duration)
            }
            Function::Ip | Function::ContainsIp => {
                (parse_ip(&text).map(View::Ip), "an address such as `10.1.2.3` or `2001:db8::1`", ValueType::Ip)
            }
            Function::Cidr | Function::ContainsCidr => {
                (Cidr::parse(&text).map(View::Cidr), "a network such as `10.0.0.0/8`", ValueType::Cidr)
            }
            _ => return Ok(None),
        };
        let Some(view) = view else {
            let message = format!("{} is no {}", quoted(&text), value_type);
            let diagnostic = Diagnostic::new(Code::InvalidValue, "", message)
                .with_span(self.source.token(argument.id))
                .with_help(format!("write {expected}"));
            return Err(self.fail(diagnostic));
        };
        let folded = match lowered {
            [_] => self.push_constant(id, Constant::Scalar(view), value_type, &[last.node])?,
            [target, _] => {
                let literal = self.push_constant(argument.id, Constant::Scalar(view), value_type, &[])?;
                let nodes = [target.node, literal.node];
                let run = self.run(&nodes);
                self.push(id, Node::Call { function, arguments: run }, ValueType::Bool, &nodes)?
            }
            _ => return Ok(None),
        };
        Ok(Some(folded))
    }

    /// Compiles `operand.matches("…")`. The expression is compiled now, within a limit, so that none can be costly later.
    fn lower_matches<'e>(
        &mut self,
        expr: &IdedExpr,
        operand: &IdedExpr,
        arguments: impl IntoIterator<Item = &'e (impl std::borrow::Borrow<IdedExpr> + 'e)>,
    ) -> Result<Lowered, Reported> {
        let operand_id = operand.id;
        let operand = self.lower(operand)?;
        if !matches!(operand.value_type, ValueType::Any | ValueType::String) {
            let message = format!("`matches` takes a `string`, and this is `{}`", operand.value_type);
            return Err(self.fail_at(operand_id, Code::TypeMismatch, message));
        }
        let mut arguments = arguments.into_iter();
        let (Some(pattern), None) = (arguments.next(), arguments.next()) else {
            return Err(self.fail_at(expr.id, Code::TypeMismatch, "`matches` takes one pattern"));
        };
        let pattern_id = pattern.borrow().id;
        let lowered = self.lower(pattern.borrow())?;
        if !matches!(lowered.value_type, ValueType::Any | ValueType::String) {
            let message = format!("a pattern of type `{}`, expected `string`", lowered.value_type);
            return Err(self.fail_at(pattern_id, Code::TypeMismatch, message));
        }
        let Some(Constant::Text(text)) = self.constant(lowered.node) else {
            return Err(self.unsupported(pattern_id, "a pattern that is no literal is"));
        };
        let compiled = regex::RegexBuilder::new(text)
            .size_limit(self.limits.regex_bytes_max)
            .dfa_size_limit(self.limits.regex_bytes_max)
            .build();
        let regex = match compiled {
            Ok(regex) => regex,
            Err(regex::Error::CompiledTooBig(most)) => {
                let message = format!("the pattern takes more than {most} bytes when compiled");
                return Err(self.fail_at(pattern_id, Code::LimitExceeded, message));
            }
            Err(error) => {
                // The last line of the error says what is wrong; the lines before draw the pattern.
                let told = error.to_string();
                let reason = told.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                return Err(self.fail_at(pattern_id, Code::InvalidValue, format!("no regular expression: {reason}")));
            }
        };
        let index = number(self.program.regexes.len());
        self.program.regexes.push(regex);
        let node = Node::Matches { operand: operand.node, regex: index };
        self.push(expr.id, node, ValueType::Bool, &[operand.node, lowered.node])
    }

    fn lower_calendar(
        &mut self,
        expr: &IdedExpr,
        field: CalendarField,
        target: &IdedExpr,
        arguments: &[IdedExpr],
    ) -> Result<Lowered, Reported> {
        let CallName(name) = CallName::of(expr);
        let name = name.to_owned();
        let now = self.is_now(target);
        let operand = self.lower_operand(target, now)?;
        let fits = match &operand.value_type {
            ValueType::Any | ValueType::Timestamp => true,
            ValueType::Duration => field.of_durations() && arguments.is_empty(),
            _ => false,
        };
        if !fits {
            let message = format!("`{name}` does not take `{}`", operand.value_type);
            return Err(self.fail_at(expr.id, Code::TypeMismatch, message));
        }
        let zone = match arguments {
            [] => Zone::Fixed(0),
            [zone] => {
                let lowered = self.lower(zone)?;
                let Some(Constant::Text(text)) = self.constant(lowered.node) else {
                    return Err(self.unsupported(zone.id, "a zone that is no literal is"));
                };
                let text = text.clone();
                match Zone::parse(&text) {
                    Some(zone) => zone,
                    None => {
                        let message = format!("unknown time zone {}", quoted(&text));
                        let diagnostic = Diagnostic::new(Code::InvalidValue, "", message)
                            .with_span(self.source.token(zone.id))
                            .with_help("write a name such as `Europe/Berlin`, `UTC`, or an offset such as `+02:00`");
                        return Err(self.fail(diagnostic));
                    }
                }
            }
            _ => return Err(self.fail_at(expr.id, Code::TypeMismatch, format!("`{name}` takes one zone at most"))),
        };
        if now {
            self.clock.tick(field.period_seconds(&zone));
        }
        let index = number(self.program.zones.len());
        self.program.zones.push(zone);
        let node = Node::Calendar { field, operand: operand.node, zone: index };
        self.push(expr.id, node, ValueType::Int, &[operand.node])
    }
}

/// The name that a call is written with.
struct CallName<'e>(&'e str);

impl<'e> CallName<'e> {
    fn of(expr: &'e IdedExpr) -> Self {
        match &expr.expr {
            Expr::Call(call) => Self(&call.func_name),
            _ => Self(""),
        }
    }
}
