//! What the page says in tables: what was denied, what stayed allowed, how everything stood.

use maud::{Markup, html};

use super::allowed::{Allowed, strength};
use super::denied::Denied;
use super::lanes::{Lane, Lanes, Span};
use super::mood::Mood;
use crate::telling::since_start;

/// The most rows of what was denied, and of what stayed allowed.
const ROWS_MAX: usize = 500;

/// The most stretches.
const SPANS_MAX: usize = 2_000;

/// A table that scrolls in its own place; who cannot see it is told what it is.
pub(super) fn table(label: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" {
            table {
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// What was denied.
pub(super) fn denied(drill: &str, denied: &[Denied]) -> Markup {
    let columns = ["Action", "Of whom", "On what", "At", "Why", "What ends it", "Then"];
    let rows = html! {
        @for way in denied.iter().take(ROWS_MAX) {
            tr {
                th scope="row" { code { (way.action) } }
                td { (of_whom(way)) }
                td { (way.resource) }
                td { (when(way.first, way.last)) }
                td { span.badge.(Mood::of_reason(way.reason).class()) { (way.reason.code()) } " " (way.why) }
                td { (with_code(&way.ends)) }
                td { (way.then) }
            }
        }
    };
    html! {
        @if denied.is_empty() {
            p { "Nothing was denied." }
        } @else {
            (cut(denied.len(), ROWS_MAX))
            (table(&format!("What was denied in {drill}"), &columns, &rows))
        }
    }
}

/// What stayed allowed.
pub(super) fn allowed(drill: &str, allowed: &[Allowed]) -> Markup {
    let columns = ["Action", "Of whom", "On what", "At", "On what strength", "Although"];
    let rows = html! {
        @for row in allowed.iter().take(ROWS_MAX) {
            tr {
                th scope="row" { code { (row.action) } }
                td { (row.subject) @if row.times > 1 { " (" (row.times) " times)" } }
                td { (row.resource) }
                td { (when(row.first, row.last)) }
                td {
                    span.badge.(Mood::of_reason(row.reason).class()) { (row.reason.code()) } " " (strength(row.reason))
                    @if !row.rule.is_empty() { ": " code { (row.rule) } }
                }
                td { (row.despite) }
            }
        }
    };
    html! {
        @if allowed.is_empty() {
            p { "Nothing was allowed while something was not as it should be." }
        } @else {
            (cut(allowed.len(), ROWS_MAX))
            (table(&format!("What stayed allowed in {drill}"), &columns, &rows))
        }
    }
}

/// Every stretch of every lane.
pub(super) fn spans(drill: &str, lanes: &Lanes) -> Markup {
    let spans = || lanes.all.iter().flat_map(|lane| lane.spans.iter().map(move |span| (lane, span)));
    let row = |(lane, span): (&Lane, &Span)| {
        html! {
            tr {
                td { (lane.group.title()) }
                th scope="row" { (lane.name) }
                td { (since_start(span.from)) }
                td { (span.to.map_or_else(|| "the end".to_owned(), since_start)) }
                td { span.badge.(span.mood.class()) { (span.state) } " " (span.said) }
            }
        }
    };
    let rows = html! { @for one in spans().take(SPANS_MAX) { (row(one)) } };
    html! {
        (cut(spans().count(), SPANS_MAX))
        (table(&format!("Every stretch of {drill}"), &["Kind", "Name", "From", "To", "How"], &rows))
    }
}

/// That a table has not all of its rows.
fn cut(rows: usize, most: usize) -> Markup {
    html! { @if rows > most { p { "The first " (most) " of " (rows) "." } } }
}

fn when(first: u64, last: u64) -> String {
    let last = if last > first { format!(", last at {}", since_start(last)) } else { String::new() };
    format!("{}{last}", since_start(first))
}

fn of_whom(way: &Denied) -> String {
    let (named, all) = &way.subjects;
    let more = all.saturating_sub(named.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let times = if way.times > 1 { format!(" ({} times)", way.times) } else { String::new() };
    format!("{}{more}{times}", named.join(", "))
}

/// A text in which what stands in backticks is code.
fn with_code(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
