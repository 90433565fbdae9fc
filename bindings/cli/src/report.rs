//! Findings as people read them: what, where, how to repair it; the way that rustc shows them.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};
use serde_json::{Value, json};

use crate::finding::{Finding, Place, Severity};
use crate::source::SourceFile;

/// How many columns a terminal has where nobody says.
const COLUMNS: usize = 120;

/// A finding as text, with the lines that it is about; coloured for a terminal, or plain.
#[must_use]
pub fn render(finding: &Finding, files: &[SourceFile], coloured: bool) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let message = normalize_untrusted_str(&finding.message);
    let mut group = Group::with_title(level.clone().primary_title(message).id(finding.code));
    for (file, places) in by_file(finding, files) {
        if let Some(snippet) = snippet(file, &places) {
            group = group.element(snippet);
        }
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
    }
    let renderer = match coloured {
        true => Renderer::styled(),
        false => Renderer::plain(),
    };
    renderer.term_width(COLUMNS).render(&[group])
}

/// A finding on one line: `path:line:column: error[code]: message; help`.
#[must_use]
pub fn one_line(finding: &Finding, files: &[SourceFile]) -> String {
    let place = finding.places.first().and_then(|place| {
        let file = files.get(place.span.file.number())?;
        let (line, column) = file.line_column(place.span.range().start);
        Some(format!("{}:{line}:{column}: ", file.path()))
    });
    let help = finding.help.as_ref().map(|help| format!("; {help}"));
    let (severity, code) = (finding.severity.as_str(), finding.code);
    format!("{}{severity}[{code}]: {}{}", place.unwrap_or_default(), finding.message, help.unwrap_or_default())
}

/// A finding for programs.
#[must_use]
pub fn to_json(finding: &Finding, files: &[SourceFile]) -> Value {
    let places: Vec<Value> = finding
        .places
        .iter()
        .filter_map(|place| {
            let file = files.get(place.span.file.number())?;
            let range = place.span.range();
            let (line, column) = file.line_column(range.start);
            let (end_line, end_column) = file.line_column(range.end);
            Some(json!({
                "file": file.path(), "line": line, "column": column, "end_line": end_line, "end_column": end_column,
                "label": place.label,
            }))
        })
        .collect();
    json!({
        "severity": finding.severity.as_str(), "code": finding.code, "message": finding.message, "help": finding.help,
        "pointer": finding.pointer, "places": places,
    })
}

/// Places of one file, each with how it is shown.
type Shown<'a> = Vec<(AnnotationKind, &'a Place)>;

/// The places of each file, in the order of the finding; the first of all is the primary one.
fn by_file<'a>(finding: &'a Finding, files: &'a [SourceFile]) -> Vec<(&'a SourceFile, Shown<'a>)> {
    let mut groups: Vec<(usize, &SourceFile, Shown<'_>)> = Vec::new();
    let mut kind = AnnotationKind::Primary;
    for place in &finding.places {
        let number = place.span.file.number();
        let Some(file) = files.get(number) else { continue };
        match groups.iter_mut().find(|(known, ..)| *known == number) {
            Some((_, _, places)) => places.push((kind, place)),
            None => groups.push((number, file, vec![(kind, place)])),
        }
        kind = AnnotationKind::Context;
    }
    groups.into_iter().map(|(_, file, places)| (file, places)).collect()
}

/// The lines that hold the places, cut out of the file so that a long one costs nothing.
fn snippet<'a>(
    file: &'a SourceFile,
    places: &[(AnnotationKind, &'a Place)],
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let lines = places.iter().map(|(_, place)| file.line_column(place.span.range().start).0);
    let (first, last) = (lines.clone().min()?, lines.max()?);
    let (start, end) = (file.line_start(first), file.line_end(last));
    let source = file.text().get(start..end)?;
    let mut snippet = Snippet::source(source).path(file.path()).line_start(first);
    for (kind, place) in places {
        let range = place.span.range();
        // A value of several lines is shown by its first.
        let line_end = file.line_end(file.line_column(range.start).0);
        let from = range.start.saturating_sub(start);
        let to = range.end.min(line_end).saturating_sub(start).max(from);
        let annotation = kind.span(source.floor_char_boundary(from)..source.ceil_char_boundary(to));
        snippet = snippet.annotation(match &place.label {
            Some(label) => annotation.label(label.as_str()),
            None => annotation,
        });
    }
    Some(snippet)
}
