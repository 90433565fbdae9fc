//! Audit records in a drill: the host of a drill writes them when a step looks at them.

use serde_json::Value;

use super::timeline::Stage;
use crate::audit::chain::Head;
use crate::audit::verify::Verifier;
use crate::operation::{AcknowledgeAudit, DrainAudit, Operation, Outcome};
use crate::time::Now;

/// How many records are drained at once.
const BATCH: u32 = 10_000;

/// Takes over every record, and says in what they are not as expected: each expected one comes in this order, among
/// others, and the chain has to hold.
pub(super) fn failures(stage: &mut Stage, behind: &mut Head, expected: &[String], now: Now) -> Vec<String> {
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
                    let word = ["/decision/context/reason", "/event"].iter().find_map(|at| record.body.pointer(at));
                    found.push((record.kind.code(), word.and_then(Value::as_str).unwrap_or_default().to_owned()));
                }
                Err(finding) => failures.push(format!("records: {finding}")),
            }
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
    if let Some(missing) = expected.iter().find(|expected| !rest.any(|found| is(expected, found))) {
        failures.push(format!("record {missing}: expected in this order, not found"));
    }
    failures
}
