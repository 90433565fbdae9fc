//! An explanation as text: aligned in columns, and on a terminal in colours.

use fallgate::engine::{Explanation, RuleTrace};
use serde_json::Value;

use crate::console::{Console, Paint, painted};

/// How wide a column of names or expressions may be; what is longer pushes its line's value to the right.
const COLUMN_MAX: usize = 56;

pub(super) fn show(
    explanation: &Explanation,
    document: &Value,
    console: &mut Console<'_>,
    coloured: bool,
) -> std::io::Result<()> {
    let faint = |text: &str| painted(text, Paint::Faint, coloured);
    if let Some(stopped) = &explanation.stopped {
        writeln!(console.out, "\nstopped before the rules: {stopped}")?;
    }
    if !explanation.signals.is_empty() {
        writeln!(console.out, "\nsignals")?;
    }
    let width = column(explanation.signals.iter().map(|(name, _)| name.as_str()));
    for (name, status) in &explanation.signals {
        let paint = if *status == "ok" { Paint::Good } else { Paint::Bad };
        writeln!(console.out, "  {name:<width$}  {}", painted(status, paint, coloured))?;
    }
    if !explanation.rules.is_empty() {
        writeln!(console.out, "\nrules considered")?;
    }
    let width = column(explanation.rules.iter().map(|rule| rule.rule.as_str()));
    for rule in &explanation.rules {
        let truth = painted(&rule.truth, paint_of(rule), coloured);
        writeln!(console.out, "  {:<5}  {:<width$}  {truth}", rule.effect, rule.rule)?;
        if rule.matched != "true" {
            writeln!(console.out, "         {}", faint(&format!("its match is {}", rule.matched)))?;
        }
        if let Some(detail) = &rule.detail {
            writeln!(console.out, "         {}", faint(detail))?;
        }
        for message in &rule.messages {
            writeln!(console.out, "         says: {message}")?;
        }
        let condition = condition(document, &rule.rule);
        let texts: Vec<String> = rule.expressions.iter().map(|(start, end, _)| text(condition, *start, *end)).collect();
        let width = column(texts.iter().map(String::as_str));
        for (text, (_, _, value)) in texts.iter().zip(&rule.expressions) {
            writeln!(console.out, "         {text:<width$}  {}", faint(value))?;
        }
    }
    if !explanation.expiry.is_empty() {
        writeln!(console.out, "\nhow long it may be kept, the earliest end counts")?;
    }
    let width = explanation.expiry.iter().map(|(_, millis)| millis.to_string().len()).max().unwrap_or(0);
    for (name, millis) in &explanation.expiry {
        writeln!(console.out, "  {millis:>width$} ms  {name}")?;
    }
    Ok(())
}

/// A rule that is true speaks with its effect; one that could not be established speaks against the request.
fn paint_of(rule: &RuleTrace) -> Paint {
    match (rule.truth.as_str(), rule.effect) {
        ("false", _) => Paint::Faint,
        ("true", "allow") => Paint::Good,
        ("true", _) => Paint::Bad,
        _ => Paint::Doubtful,
    }
}

/// The width of a column that holds these.
fn column<'t>(texts: impl Iterator<Item = &'t str>) -> usize {
    texts.map(|text| text.chars().count()).filter(|width| *width <= COLUMN_MAX).max().unwrap_or(0)
}

/// The text of an expression on one line.
fn text(condition: &str, start: usize, end: usize) -> String {
    let text = condition.get(start..closed(condition, start, end)).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The end of an expression with the brackets that it leaves open: the parser's places stop before them.
pub(crate) fn closed(text: &str, start: usize, end: usize) -> usize {
    let mut open: Vec<char> = Vec::new();
    let mut quote: Option<char> = None;
    for letter in text.get(start..end).unwrap_or_default().chars() {
        match (quote, letter) {
            (Some(mark), _) if mark == letter => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(') => open.push(')'),
            (None, '[') => open.push(']'),
            (None, '{') => open.push('}'),
            (None, ')' | ']' | '}') => drop(open.pop()),
            _ => {}
        }
    }
    let mut end = end;
    while let Some(bracket) = open.pop() {
        let rest = text.get(end..).unwrap_or_default();
        let spaces = rest.len().saturating_sub(rest.trim_start().len());
        if !rest.trim_start().starts_with(bracket) {
            break;
        }
        end = end.saturating_add(spaces).saturating_add(bracket.len_utf8());
    }
    end
}

/// The text of a rule's condition.
fn condition<'d>(document: &'d Value, id: &str) -> &'d str {
    let rules = document.get("rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let rule = rules.iter().find(|rule| rule.get("id").and_then(Value::as_str) == Some(id));
    rule.and_then(|rule| rule.get("when")).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::closed;

    #[test]
    fn an_expression_is_shown_with_its_closing_brackets() {
        for (whole, cut) in [("f(a, [b])", "f(a, [b"), ("x.all(i, i == ')' )", "x.all(i, i == ')'"), ("a + b", "a + b")]
        {
            let text = format!("!{whole} && c");
            assert_eq!(text.get(1..closed(&text, 1, cut.len() + 1)), Some(whole));
        }
    }
}
