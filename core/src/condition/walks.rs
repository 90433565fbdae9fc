//! The macros that go through a list: `all`, `exists`, `exists_one`, `map`, `filter`.
//!
//! The parser expands each into a loop with an accumulator. That loop is recognised here and compiled back into one
//! node, for the accumulator of a `map` would be copied once an element.

use cel::IdedExpr;
use cel::common::ast::{ComprehensionExpr, Expr, LiteralValue, operators};

use crate::error::Code;
use crate::value_type::ValueType;

use super::cel::{Compiler, Lowered, Reported};
use super::program::{Node, Walk};
use super::typing;

/// A macro, as it was written.
struct Written<'e> {
    walk: Walk,
    predicate: Option<&'e IdedExpr>,
    transform: Option<&'e IdedExpr>,
}

/// Reads the macro back from its expansion.
fn written(walk: &ComprehensionExpr) -> Option<Written<'_>> {
    let Expr::Call(step) = &walk.loop_step.expr else { return None };
    let predicate_only = |walk, predicate| Written { walk, predicate: Some(predicate), transform: None };
    match (&walk.accu_init.expr, step.func_name.as_str(), step.args.as_slice()) {
        (Expr::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_AND, [_, predicate]) => {
            Some(predicate_only(Walk::All, predicate))
        }
        (Expr::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_OR, [_, predicate]) => {
            Some(predicate_only(Walk::Exists, predicate))
        }
        (Expr::Literal(LiteralValue::Int(_)), operators::CONDITIONAL, [predicate, ..]) => {
            Some(predicate_only(Walk::ExistsOne, predicate))
        }
        (Expr::List(_), operators::ADD, [_, list]) => {
            Some(Written { walk: Walk::Collect, predicate: None, transform: Some(only(list)?) })
        }
        (Expr::List(_), operators::CONDITIONAL, [predicate, add, _]) => {
            let Expr::Call(add) = &add.expr else { return None };
            let [_, list] = add.args.as_slice() else { return None };
            Some(Written { walk: Walk::Collect, predicate: Some(predicate), transform: Some(only(list)?) })
        }
        _ => None,
    }
}

/// The one element of a list literal.
fn only(list: &IdedExpr) -> Option<&IdedExpr> {
    match &list.expr {
        Expr::List(list) => match list.elements.as_slice() {
            [element] => Some(element),
            _ => None,
        },
        _ => None,
    }
}

impl Compiler<'_> {
    pub(super) fn lower_walk(&mut self, id: u64, expansion: &ComprehensionExpr) -> Result<Lowered, Reported> {
        let Some(written) = written(expansion) else {
            return Err(self.unsupported(id, "this macro is"));
        };
        let range = self.lower(&expansion.iter_range)?;
        let Some(element) = typing::element(&range.value_type) else {
            let message = format!("a macro goes through a list or a map, and this is `{}`", range.value_type);
            return Err(self.fail_at(expansion.iter_range.id, Code::TypeMismatch, message));
        };
        self.variables.push((expansion.iter_var.clone(), element));
        let body = self.lower_body(&written);
        self.variables.pop();
        let (predicate, transform) = body?;
        let value_type = match (&written.walk, &transform) {
            (Walk::Collect, Some(transform)) => ValueType::List(Box::new(transform.value_type.clone())),
            _ => ValueType::Bool,
        };
        let transform = transform.map(|transform| transform.node);
        let parts: Vec<_> = [Some(range.node), predicate, transform].into_iter().flatten().collect();
        let node = Node::Walk { walk: written.walk, range: range.node, predicate, transform };
        self.push(id, node, value_type, &parts)
    }

    fn lower_body(
        &mut self,
        written: &Written<'_>,
    ) -> Result<(Option<super::program::NodeId>, Option<Lowered>), Reported> {
        let predicate = written.predicate.map(|predicate| self.lower_boolean("a macro", predicate)).transpose()?;
        let transform = written.transform.map(|transform| self.lower(transform)).transpose()?;
        Ok((predicate, transform))
    }
}
