//! The text of a condition to the parser's syntax tree, guarded.
//!
//! The parser recurses, copies the operand of every call, and forgets where an expression stood. So its own lexer goes
//! over the text first, in one pass, and refuses what nests deeper than the limit: parentheses, operators before an
//! operand, selections behind one, conditionals. What then remains deep (a long chain of `+`) is bounded by the length
//! of the text, and parsed on a stack that is measured by it.

use std::ops::Range;
use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, SourceInfo};
use cel::parser::PrattParser;
use cel::parser::pratt_parser::{Lexer, Token, TokenKind};

use crate::error::{Code, Diagnostic, quoted};
use crate::limits::Limits;

/// Bytes of stack that the parser and the drop of its tree may take for one byte of text.
const STACK_PER_BYTE: usize = 2 << 10;
/// Bytes of stack that they take besides.
const STACK_BASE: usize = 1 << 20;

/// A parsed condition. Its tree is taken apart when it is dropped, for a derived drop would recurse.
pub(super) struct Source {
    pub(super) root: IdedExpr,
    info: Arc<SourceInfo>,
}

impl Source {
    /// The bytes of the token that an expression is known by: its name, its literal, its operator, its opening bracket.
    pub(super) fn token(&self, id: u64) -> Range<usize> {
        self.info.offset_for(id).map_or(0..0, |(start, end)| start as usize..end as usize)
    }

    /// The bytes of `name` where it stands next behind `from`, with nothing but a dot and blanks between.
    pub(super) fn name_from(&self, from: usize, name: &str) -> Option<Range<usize>> {
        let rest = self.info.source.get(from..)?;
        let trimmed = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '.' | '?' | '`'));
        let start = from.checked_add(rest.len().checked_sub(trimmed.len())?)?;
        trimmed.starts_with(name).then(|| start..start.saturating_add(name.len()))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let mut left = vec![std::mem::take(&mut self.root)];
        while let Some(next) = left.pop() {
            match next.expr {
                Expr::Call(call) => {
                    left.extend(call.target.map(|target| *target));
                    left.extend(call.args);
                }
                Expr::Select(select) => left.push(*select.operand),
                Expr::List(list) => left.extend(list.elements),
                Expr::Map(map) => map.entries.into_iter().for_each(|entry| take_apart(entry, &mut left)),
                Expr::Struct(object) => object.entries.into_iter().for_each(|entry| take_apart(entry, &mut left)),
                Expr::Comprehension(walk) => {
                    let walk = *walk;
                    left.extend([walk.iter_range, walk.accu_init, walk.loop_cond, walk.loop_step, walk.result]);
                }
                Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
            }
        }
    }
}

/// Moves the expressions of an entry to those that are still to be dropped.
fn take_apart(entry: IdedEntryExpr, left: &mut Vec<IdedExpr>) {
    match entry.expr {
        EntryExpr::MapEntry(entry) => left.extend([entry.key, entry.value]),
        EntryExpr::StructField(field) => left.push(field.value),
    }
}

/// Parses a condition.
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Source, Diagnostic> {
    if text.len() > limits.condition_bytes_max || u32::try_from(text.len()).is_err() {
        let message = format!("a condition of {} bytes, expected at most {}", text.len(), limits.condition_bytes_max);
        return Err(Diagnostic::new(Code::LimitExceeded, "", message)
            .with_span(0..text.len().min(1))
            .with_help("split it into several rules, or move its constants to the pack's data"));
    }
    guard(text, limits)?;
    let stack = text.len().saturating_mul(STACK_PER_BYTE).saturating_add(STACK_BASE);
    stacker::maybe_grow(stack, stack.saturating_mul(2), || parse_guarded(text, limits))
}

/// What nests within one pair of brackets.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Operators before the operand that is being read.
    prefixes: usize,
    /// Selections, calls and indexes behind it.
    suffixes: usize,
    /// Conditionals whose last branch is being read: they nest to the right.
    conditionals: usize,
}

/// Refuses what nests too deep for the parser, and what is no token.
fn guard(text: &str, limits: &Limits) -> Result<(), Diagnostic> {
    let mut lexer = Lexer::new(text);
    let mut levels: Vec<Level> = Vec::new();
    let mut level = Level::default();
    let mut outer_depth: usize = 0;
    let mut tokens: usize = 0;
    let mut after_operand = false;
    loop {
        let token: Token = lexer.lex();
        let span = token_span(text, &token);
        let own = |level: &Level| level.prefixes.saturating_add(level.suffixes).saturating_add(level.conditionals);
        match token.kind {
            TokenKind::TokEnd => return Ok(()),
            TokenKind::TokWhitespace | TokenKind::TokComment => continue,
            TokenKind::TokError => {
                let found = text.get(span.clone()).unwrap_or_default();
                let reason = lexer.get_error().map_or("no token of CEL", |error| error.message.as_str());
                let message = format!("{reason}, found {}", quoted(found));
                return Err(Diagnostic::new(Code::ConditionSyntax, "", message).with_span(span));
            }
            TokenKind::TokLeftParen | TokenKind::TokLeftBracket | TokenKind::TokLeftBrace => {
                level.suffixes = level.suffixes.saturating_add(1);
                outer_depth = outer_depth.saturating_add(own(&level));
                levels.push(level);
                level = Level::default();
            }
            TokenKind::TokRightParen | TokenKind::TokRightBracket | TokenKind::TokRightBrace => {
                if let Some(outer) = levels.pop() {
                    level = outer;
                    outer_depth = outer_depth.saturating_sub(own(&level));
                }
            }
            TokenKind::TokDot => level.suffixes = level.suffixes.saturating_add(1),
            TokenKind::TokExclamation => level.prefixes = level.prefixes.saturating_add(1),
            TokenKind::TokMinus if !after_operand => level.prefixes = level.prefixes.saturating_add(1),
            TokenKind::TokQuestion => {
                level.conditionals = level.conditionals.saturating_add(1);
                level.prefixes = 0;
                level.suffixes = 0;
            }
            TokenKind::TokComma => level = Level::default(),
            TokenKind::TokNull
            | TokenKind::TokFalse
            | TokenKind::TokTrue
            | TokenKind::TokInt
            | TokenKind::TokUint
            | TokenKind::TokFloat
            | TokenKind::TokString
            | TokenKind::TokBytes
            | TokenKind::TokIdent
            | TokenKind::TokReservedWord => {}
            // What is left joins two operands.
            _ => {
                level.prefixes = 0;
                level.suffixes = 0;
            }
        }
        after_operand = matches!(
            token.kind,
            TokenKind::TokRightParen
                | TokenKind::TokRightBracket
                | TokenKind::TokRightBrace
                | TokenKind::TokNull
                | TokenKind::TokFalse
                | TokenKind::TokTrue
                | TokenKind::TokInt
                | TokenKind::TokUint
                | TokenKind::TokFloat
                | TokenKind::TokString
                | TokenKind::TokBytes
                | TokenKind::TokIdent
        );
        let depth = outer_depth.saturating_add(own(&level));
        // A level of the tree takes at most two of what is counted here: its bracket and its name's dot.
        if depth > limits.condition_depth_max.saturating_mul(2) {
            return Err(too_deep(span, limits));
        }
        tokens = tokens.saturating_add(1);
        if tokens > limits.condition_nodes_max.saturating_mul(4) {
            return Err(too_large(span, limits));
        }
    }
}

/// The refusal of what nests too deep.
pub(super) fn too_deep(span: Range<usize>, limits: &Limits) -> Diagnostic {
    let message = format!("the condition nests deeper than {} levels", limits.condition_depth_max);
    Diagnostic::new(Code::LimitExceeded, "", message)
        .with_span(span)
        .with_help("chain with `&&` and `||` instead, or split it into several rules")
}

/// The refusal of what has too many parts.
pub(super) fn too_large(span: Range<usize>, limits: &Limits) -> Diagnostic {
    let message = format!("the condition has more than {} parts", limits.condition_nodes_max);
    Diagnostic::new(Code::LimitExceeded, "", message)
        .with_span(span)
        .with_help("split it into several rules, or move its constants to the pack's data")
}

/// The bytes of a token, widened to whole characters.
fn token_span(text: &str, token: &Token) -> Range<usize> {
    let mut end = token.end.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_add(1);
    }
    token.start.min(end)..end
}

/// Parses what the guard let through.
///
/// The parser tells where expressions stand only when it fails. So the text is parsed a second time with a bracket too
/// many behind it: the identifiers of expressions are counted from the start, so those of both passes agree.
fn parse_guarded(text: &str, limits: &Limits) -> Result<Source, Diagnostic> {
    let depth = u16::try_from(limits.condition_depth_max.saturating_mul(3)).unwrap_or(u16::MAX);
    let parser = || {
        PrattParser::new()
            .max_recursion_depth(depth)
            .enable_variadic_operator_asts(true)
            .enable_optional_syntax(true)
            .enable_ident_escape_syntax(true)
    };
    let root = match parser().parse(text) {
        Ok(root) => Source { root, info: Arc::default() },
        Err(errors) => {
            let Some(first) = errors.errors.into_iter().min_by_key(|error| error.pos) else {
                return Err(Diagnostic::new(Code::ConditionSyntax, "", "not an expression of CEL"));
            };
            let offsets = first.source_info.as_ref().and_then(|info| info.offset_for(first.expr_id));
            let Some((start, end)) = offsets else { return Err(too_deep(0..text.len().min(1), limits)) };
            let (start, end) = ((start as usize).min(text.len()), (end as usize).min(text.len()));
            let message = first.msg.strip_prefix("Syntax error: ").unwrap_or(&first.msg);
            return Err(Diagnostic::new(Code::ConditionSyntax, "", message.to_owned()).with_span(start..end));
        }
    };
    let mut root = root;
    let info = match parser().parse(&format!("{text}\n)")) {
        Ok(again) => {
            drop(Source { root: again, info: Arc::default() });
            None
        }
        Err(errors) => errors.errors.into_iter().find_map(|error| error.source_info),
    };
    if let Some(info) = info {
        root.info = info;
    }
    Ok(root)
}
