//! Audit records in a drill: the host of a drill writes them when a step looks at them.

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Serialize};

use super::Step;
use super::timeline::Stage;
use crate::audit::chain::Head;
use crate::audit::record::RecordKind;
use crate::audit::redact::RedactionKey;
use crate::audit::verify::{Record, Verifier};
use crate::engine::Config;
use crate::engine::case::Calls;
use crate::error::{Code, Diagnostic, quoted};
use crate::operation::{AcknowledgeAudit, DrainAudit, Operation, Outcome};
use crate::time::Now;

/// How an engine in a drill is set up for its records.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// How many records have room until they are written. Left out: as many as an engine keeps by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<u32>,
    /// What keys the tags of redacted values: 32 bytes in hexadecimal. For drills alone: whoever reads this can guess what
    /// was redacted. Left out: nothing stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Recording {
    /// The key; nothing where there is none, or what is there is none.
    fn redaction_key(&self) -> Option<RedactionKey> {
        HEXLOWER_PERMISSIVE.decode(self.key.as_deref()?.as_bytes()).ok()?.try_into().ok()
    }

    pub(super) fn check(&self) -> Result<(), Diagnostic> {
        if self.key.is_none() || self.redaction_key().is_some() {
            return Ok(());
        }
        let message = "this is no key: it has not 32 bytes in hexadecimal";
        Err(Diagnostic::new(Code::InvalidValue, "/audit/key", message).with_help("write 64 hexadecimal digits"))
    }

    /// The configuration with what is said here.
    pub(super) fn over(&self, mut config: Config) -> Config {
        if let Some(room) = self.room {
            config.limits.audit_entries_max = usize::try_from(room).unwrap_or(usize::MAX);
        }
        config.audit_key = self.redaction_key();
        config
    }
}

/// What a record is told apart by among those of its kind: the reason of a decision, why one was withdrawn, the name
/// of an event, how many records are missing in a gap.
fn word(record: &Record) -> String {
    if record.kind == RecordKind::Gap {
        let missing = ["denies", "allows", "events"].iter().filter_map(|of| record.body.get(of)?.as_u64());
        return missing.fold(0, u64::saturating_add).to_string();
    }
    let of_event = if record.kind == RecordKind::Withdrawn { "/why" } else { "/event" };
    let word = ["/decision/context/reason", of_event].iter().find_map(|at| record.body.pointer(at)?.as_str());
    word.unwrap_or_default().to_owned()
}

/// How many records are drained at once.
const BATCH: u32 = 10_000;

/// Takes over every record, and says in what they are not as the step expects: each expected one comes in this order, among
/// others, none says what must not be said, and the chain has to hold.
pub(super) fn failures(stage: &mut Stage, behind: &mut Head, step: &Step, now: Now) -> Vec<String> {
    let (mut failures, mut found) = (Vec::new(), Vec::new());
    let mut verifier = Verifier::behind(*behind);
    let drain = Operation::DrainAudit(DrainAudit { max: Some(BATCH) });
    while let Ok(Outcome::Drained(batch)) = stage.operate(&drain, now) {
        if batch.lines.is_empty() {
            break;
        }
        for line in &batch.lines {
            match verifier.push(line.as_bytes()) {
                Ok(record) => {
                    *behind = Head { count: record.seq, hash: record.hash };
                    found.push((record.kind.code(), word(&record)));
                    stage.written(line);
                }
                Err(finding) => failures.push(format!("records: {finding}")),
            }
            let said = step.unsaid.iter().filter(|text| line.contains(text.as_str()));
            failures.extend(said.map(|text| format!("record {line}: says {}", quoted(text))));
        }
        let written = Operation::AcknowledgeAudit(AcknowledgeAudit { seq: batch.last_seq });
        if stage.operate(&written, now).is_err() {
            break;
        }
    }
    let mut rest = found.iter();
    let is = |expected: &str, (kind, word): &(&str, String)| match expected.split_once('/') {
        Some((expected_kind, expected_word)) => *kind == expected_kind && word == expected_word,
        None => *kind == expected,
    };
    let mut expected = step.records.iter().flatten();
    if let Some(missing) = expected.find(|expected| !rest.any(|found| is(expected, found))) {
        failures.push(format!("record {missing}: expected in this order, not found"));
    }
    failures
}
