//! The macros that the parser leaves as calls: those of two variables, and `cel.bind`.
//!
//! Of two variables the first is the index or the key, the second the element or the value.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr};

use crate::error::Code;
use crate::value_type::ValueType;

use super::cel::{Compiler, Lowered, Reported};
use super::program::{Node, Walk};
use super::typing;

/// The macro of that name, and how many expressions follow its variables.
fn walk_named(name: &str, arguments: usize) -> Option<Walk> {
    match (name, arguments) {
        ("all", 3) => Some(Walk::All),
        ("exists", 3) => Some(Walk::Exists),
        ("existsOne" | "exists_one", 3) => Some(Walk::ExistsOne),
        ("transformList", 3 | 4) => Some(Walk::Collect),
        ("transformMap", 3 | 4) => Some(Walk::CollectMap),
        ("transformMapEntry", 3 | 4) => Some(Walk::CollectEntries),
        _ => None,
    }
}

impl Compiler<'_> {
    /// Compiles a macro of two variables or `cel.bind`; nothing where the call is neither.
    pub(super) fn lower_pair_macro(&mut self, expr: &IdedExpr, call: &CallExpr) -> Result<Option<Lowered>, Reported> {
        let Some(target) = &call.target else { return Ok(None) };
        let is_cel = matches!(&target.expr, Expr::Ident(space) if space == "cel");
        match (call.func_name.as_str(), call.args.as_slice()) {
            ("bind", [variable, value, body]) if is_cel => {
                let variable = self.variable_name(variable)?;
                let value = self.lower(value)?;
                self.variables.push((variable, value.value_type.clone()));
                let body = self.lower(body);
                self.variables.pop();
                let body = body?;
                let node = Node::Bind { value: value.node, body: body.node };
                self.push(expr.id, node, body.value_type, &[value.node, body.node]).map(Some)
            }
            (name, [first, second, bodies @ ..]) => {
                let Some(walk) = walk_named(name, call.args.len()) else { return Ok(None) };
                self.lower_walk_of_two(expr, walk, target, [first, second], bodies).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn variable_name(&mut self, expr: &IdedExpr) -> Result<String, Reported> {
        match &expr.expr {
            Expr::Ident(name) if !name.starts_with('.') => Ok(name.clone()),
            _ => Err(self.fail_at(expr.id, Code::ConditionSyntax, "a macro's variable is a simple name")),
        }
    }

    fn lower_walk_of_two(
        &mut self,
        expr: &IdedExpr,
        walk: Walk,
        range: &IdedExpr,
        variables: [&IdedExpr; 2],
        bodies: &[IdedExpr],
    ) -> Result<Lowered, Reported> {
        let [first, second] = variables;
        let names = [self.variable_name(first)?, self.variable_name(second)?];
        if names[0] == names[1] {
            return Err(self.fail_at(second.id, Code::ConditionSyntax, "a macro's variables have names of their own"));
        }
        let range_id = range.id;
        let range = self.lower(range)?;
        let Some((key, element)) = typing::pair(&range.value_type) else {
            let message = format!("a macro goes through a list or a map, and this is `{}`", range.value_type);
            return Err(self.fail_at(range_id, Code::TypeMismatch, message));
        };
        let [first, second] = names;
        self.variables.extend([(first, key.clone()), (second, element)]);
        let body = self.lower_bodies(walk, bodies);
        self.variables.truncate(self.variables.len().saturating_sub(2));
        let (predicate, transform) = body?;
        let value_type = match (walk, &transform) {
            (Walk::Collect, Some(transform)) => ValueType::List(Box::new(transform.value_type.clone())),
            (Walk::CollectMap, Some(transform)) => {
                ValueType::Map(Box::new(key), Box::new(transform.value_type.clone()))
            }
            (Walk::CollectEntries, _) => ValueType::Map(Box::new(ValueType::Any), Box::new(ValueType::Any)),
            _ => ValueType::Bool,
        };
        let transform = transform.map(|transform| transform.node);
        let parts: Vec<_> = [Some(range.node), predicate, transform].into_iter().flatten().collect();
        let node = Node::WalkOfTwo { walk, range: range.node, predicate, transform };
        self.push(expr.id, node, value_type, &parts)
    }

    fn lower_bodies(
        &mut self,
        walk: Walk,
        bodies: &[IdedExpr],
    ) -> Result<(Option<super::program::NodeId>, Option<Lowered>), Reported> {
        let collects = matches!(walk, Walk::Collect | Walk::CollectMap | Walk::CollectEntries);
        let (predicate, transform) = match bodies {
            [transform] if collects => (None, Some(transform)),
            [predicate, transform] => (Some(predicate), Some(transform)),
            bodies => (bodies.first(), None),
        };
        let predicate = predicate.map(|predicate| self.lower_boolean("a macro", predicate)).transpose()?;
        let transform_id = transform.map(|transform| transform.id);
        let transform = transform.map(|transform| self.lower(transform)).transpose()?;
        if let (Walk::CollectEntries, Some(entry), Some(id)) = (walk, &transform, transform_id)
            && !matches!(entry.value_type, ValueType::Map(..) | ValueType::Record(_) | ValueType::Any)
        {
            let message = format!("`transformMapEntry` takes a map of one entry, and this is `{}`", entry.value_type);
            return Err(self.fail_at(id, Code::TypeMismatch, message));
        }
        Ok((predicate, transform))
    }
}
