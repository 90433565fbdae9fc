//! `fallgate check`: everything that can be known about a pack before it decides.

use std::path::Path;

use fallgate::policy::bundle::Provenance;
use serde_json::json;

use super::{Compiled, compile_trusting, counted, read_drill};
use crate::arguments::{FindingFormat, Trusting};
use crate::console::{Colours, Console, Exit, Failure, show_findings};
use crate::finding::{Finding, Severity};
use crate::pack::drill_files;
use crate::report;
use crate::sarif::{self, Reported};
use crate::source::{Part, SourceFile};

pub(super) fn run(
    pack: &Path,
    trusting: &Trusting,
    format: FindingFormat,
    strict: bool,
    console: &mut Console<'_>,
    colours: Colours,
) -> Result<Exit, Failure> {
    let mut found: Vec<(Vec<Finding>, Vec<SourceFile>)> = Vec::new();
    let mut bundle = None;
    match compile_trusting(pack, trusting) {
        Ok(compiled) => {
            let mut findings = compiled.warnings();
            findings.extend(unowned(&compiled));
            if pack.is_file() && *compiled.bundle.provenance() == Provenance::Unsigned {
                findings.push(unsigned());
            }
            found.push((findings, compiled.sources.files().to_vec()));
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
            let bundle = bundle.as_ref().map(|bundle| {
                let signers = match bundle.provenance() {
                    Provenance::Signed { signers, .. } => signers.iter().map(ToString::to_string).collect(),
                    _ => Vec::new(),
                };
                let id = bundle.id().to_string();
                json!({ "name": bundle.name(), "revision": bundle.revision(), "id": id, "signers": signers })
            });
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

/// What is to be said of a pack that names nobody who answers for it.
fn unowned(compiled: &Compiled) -> Option<Finding> {
    let owners = compiled.document.get("owners").and_then(serde_json::Value::as_array);
    let names_one = |owner: &serde_json::Value| owner.as_str().is_some_and(|owner| !owner.trim().is_empty());
    if owners.is_some_and(|owners| owners.iter().any(names_one)) {
        return None;
    }
    let mut finding = Finding::with_code("owner_missing", "nobody answers for this pack: it names no owners");
    finding.severity = Severity::Warning;
    finding.pointer = Some("/owners".to_owned());
    let named = compiled.sources.place("/name", Part::Value, None);
    Some(finding.at(named).help("name the teams or people whom its pages reach, as in `owners: [payments]`"))
}

/// What is to be said of a bundle that an engine would take only from anybody.
fn unsigned() -> Finding {
    let mut finding =
        Finding::with_code("bundle_unsigned", "nobody vouches for this bundle: no signature was verified");
    finding.severity = Severity::Note;
    finding.help("sign it with `fallgate sign`, and name a trust root with `--trust`")
}

/// Whether nothing could be checked, for want of a pack.
fn unreadable(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.code == "unreadable" && finding.places.is_empty())
}
