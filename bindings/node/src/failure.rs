//! An error on its way into JavaScript: a stable code, a message, and what was found in a policy.

use fallgate::engine::{ActivateError, LoadError};
use fallgate::error::BundleError;
use fallgate_cli::finding::{Finding, Severity};
use fallgate_cli::pack;
use fallgate_cli::report;
use fallgate_cli::source::SourceMap;
use serde_json::{Value, json};

/// What the functions of the addon give.
pub(crate) type Result<T> = std::result::Result<T, napi::Error<String>>;

/// An error with a code. Its reason is JSON, from which the JavaScript side makes a `FallgateError`.
pub(crate) fn failure(code: &str, message: &str, findings: &[Value]) -> napi::Error<String> {
    napi::Error::new(code.to_owned(), json!({ "message": message, "findings": findings }).to_string())
}

/// A mistake of the program that calls.
pub(crate) fn misuse(message: &str) -> napi::Error<String> {
    failure("invalid_argument", message, &[])
}

/// A bundle that was not activated.
pub(crate) fn not_activated(error: ActivateError) -> napi::Error<String> {
    failure(error.code(), &error.to_string(), &[])
}

/// A bundle that the engine did not take.
pub(crate) fn not_taken(error: LoadError) -> napi::Error<String> {
    match error {
        LoadError::Refused(error) => refused(&error),
        LoadError::NotActivated(error) => not_activated(error),
        other => failure(other.code(), &other.to_string(), &[]),
    }
}

/// A file that cannot be read.
pub(crate) fn unread(error: &pack::LoadError) -> napi::Error<String> {
    failure(error.finding.code, &error.to_string(), &[report::to_json(&error.finding, &error.files)])
}

/// A policy that is refused, with the places in its files.
pub(crate) fn refused_at(error: &BundleError, sources: &SourceMap) -> napi::Error<String> {
    let findings: Vec<Finding> =
        error.diagnostics().iter().map(|one| Finding::from_diagnostic(one, Severity::Error, sources)).collect();
    let lines: Vec<String> = findings.iter().map(|one| report::one_line(one, sources.files())).collect();
    let code = findings.first().map_or("syntax", |first| first.code);
    let shown: Vec<Value> = findings.iter().map(|one| report::to_json(one, sources.files())).collect();
    failure(code, &lines.join("\n"), &shown)
}

/// A policy that is refused, where there are no files: its places are JSON Pointers.
pub(crate) fn refused(error: &BundleError) -> napi::Error<String> {
    let diagnostics = error.diagnostics();
    let code = diagnostics.first().map_or("syntax", |first| first.code.as_str());
    let lines: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    let shown: Vec<Value> = diagnostics
        .iter()
        .map(|one| {
            json!({
                "severity": "error", "code": one.code.as_str(), "message": one.message, "help": one.help,
                "pointer": one.pointer, "places": [],
            })
        })
        .collect();
    failure(code, &lines.join("\n"), &shown)
}
