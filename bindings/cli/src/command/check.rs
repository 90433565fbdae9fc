//! `fallgate check`: everything that can be known about a pack before it decides.

use std::path::Path;

use serde_json::json;

use super::{compile, counted, read_drill};
use crate::arguments::FindingFormat;
use crate::console::{Colours, Console, Exit, Failure, show_findings};
use crate::finding::{Finding, Severity};
use crate::pack::drill_files;
use crate::report;
use crate::sarif::{self, Reported};
use crate::source::SourceFile;

pub(super) fn run(
    pack: &Path,
    format: FindingFormat,
    strict: bool,
    console: &mut Console<'_>,
    colours: Colours,
) -> Result<Exit, Failure> {
    let mut found: Vec<(Vec<Finding>, Vec<SourceFile>)> = Vec::new();
    let mut bundle = None;
    match compile(pack) {
        Ok(compiled) => {
            found.push((compiled.warnings(), compiled.sources.files().to_vec()));
            bundle = Some(compiled.bundle);
        }
        Err(Failure::Findings(findings, files)) if !unreadable(&findings) => found.push((findings, files)),
        Err(failure) => return Err(failure),
    }
    for path in drill_files(pack)? {
        match read_drill(&path) {
            Ok(_) => {}
            Err(Failure::Findings(findings, files)) => found.push((findings, files)),
            Err(failure) => return Err(failure),
        }
    }
    let count = |severity| found.iter().flat_map(|(all, _)| all).filter(|one| one.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match format {
        FindingFormat::Text => {
            for (findings, files) in found.iter().filter(|(findings, _)| !findings.is_empty()) {
                show_findings(console.out, findings, files, colours.out)?;
                writeln!(console.out)?;
            }
            let name = bundle.as_ref().map(|bundle| format!("{} revision {}: ", bundle.name(), bundle.revision()));
            let name = name.unwrap_or_default();
            writeln!(console.out, "{name}{}, {}", counted(errors, "error"), counted(warnings, "warning"))?;
        }
        FindingFormat::Json => {
            let of = |severity| -> Vec<serde_json::Value> {
                let all = found.iter().flat_map(|(findings, files)| findings.iter().map(move |one| (one, files)));
                all.filter(|(one, _)| one.severity == severity)
                    .map(|(one, files)| report::to_json(one, files))
                    .collect()
            };
            let bundle = bundle.as_ref().map(
                |bundle| json!({ "name": bundle.name(), "revision": bundle.revision(), "id": bundle.id().to_string() }),
            );
            let output = json!({ "bundle": bundle, "errors": of(Severity::Error), "warnings": of(Severity::Warning) });
            writeln!(console.out, "{output:#}")?;
        }
        FindingFormat::Sarif => {
            let all = found.iter().flat_map(|(findings, files)| findings.iter().map(move |one| (one, files)));
            let reported: Vec<Reported<'_>> =
                all.map(|(one, files)| Reported { finding: one.clone(), files, related: Vec::new() }).collect();
            writeln!(console.out, "{:#}", sarif::log(&reported, &[]))?;
        }
    }
    match errors > 0 || (strict && warnings > 0) {
        true => Ok(Exit::Denied),
        false => Ok(Exit::Fine),
    }
}

/// Whether nothing could be checked, for want of a pack.
fn unreadable(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.code == "unreadable" && finding.places.is_empty())
}
