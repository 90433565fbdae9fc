//! Findings as SARIF 2.1.0: what code scanners and editors read.
//!
//! Only what a finding has: the rule, the message with its repair, and the places. Columns count characters, as they do
//! in the text that people read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::finding::{Finding, Place, Severity};
use crate::source::{SourceFile, Span};

/// A finding with the files of its places, and what it is related to beside them.
#[derive(Debug)]
pub struct Reported<'f> {
    /// The finding.
    pub finding: Finding,
    /// The files.
    pub files: &'f [SourceFile],
    /// More places, each with what is there.
    pub related: Vec<(Span, String)>,
}

/// One run as a SARIF log; `notes` are what a reader has to know of the run itself.
#[must_use]
pub fn log(reported: &[Reported<'_>], notes: &[String]) -> Value {
    let codes: BTreeMap<&str, &Finding> = reported.iter().map(|one| (one.finding.code, &one.finding)).collect();
    let index: Vec<&str> = codes.keys().copied().collect();
    let rules: Vec<Value> = codes
        .iter()
        .map(|(code, finding)| {
            json!({
                "id": code,
                "shortDescription": { "text": code.replace('_', " ") },
                "defaultConfiguration": { "level": finding.severity.as_str() },
            })
        })
        .collect();
    let results: Vec<Value> = reported.iter().map(|one| result(one, &index)).collect();
    let notifications: Vec<Value> =
        notes.iter().map(|note| json!({ "level": "note", "message": { "text": note } })).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "fallgate", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{ "executionSuccessful": true, "toolExecutionNotifications": notifications }],
            "results": results,
        }],
    })
}

fn result(reported: &Reported<'_>, index: &[&str]) -> Value {
    let Reported { finding, files, related } = reported;
    let text = match &finding.help {
        Some(help) => format!("{}; {help}", finding.message),
        None => finding.message.clone(),
    };
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut places = finding.places.iter();
    let first: Vec<Value> = places.next().and_then(|place| location(place, files)).into_iter().collect();
    let others = places.filter_map(|place| location(place, files));
    let beside =
        related.iter().filter_map(|(span, what)| location(&Place { span: *span, label: Some(what.clone()) }, files));
    json!({
        "ruleId": finding.code,
        "ruleIndex": index.iter().position(|code| *code == finding.code),
        "level": level,
        "message": { "text": text },
        "locations": first,
        "relatedLocations": others.chain(beside).collect::<Vec<_>>(),
    })
}

fn location(place: &Place, files: &[SourceFile]) -> Option<Value> {
    let file = files.get(place.span.file.number())?;
    let range = place.span.range();
    let (line, column) = file.line_column(range.start);
    let (end_line, end_column) = file.line_column(range.end);
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(file.path()) },
            "region": { "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column },
        },
    });
    if let (Some(label), Some(fields)) = (&place.label, location.as_object_mut()) {
        fields.insert("message".to_owned(), json!({ "text": label }));
    }
    Some(location)
}

/// A path as a URI: relative as it is, absolute with its scheme; what a URI has no letter for is escaped.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn a_path_is_a_uri() {
        assert_eq!(uri("policies/a b/é.rego"), "policies/a%20b/%C3%A9.rego");
        assert_eq!(uri("/tmp/a#1.yaml"), "file:///tmp/a%231.yaml");
    }
}
