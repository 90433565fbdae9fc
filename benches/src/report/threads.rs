//! How the lanes scale from one thread to two.

use std::fmt::Write as _;

use super::numbers::{figure, times};
use crate::record::Record;

/// What two threads decide in the time in which one decides one.
pub(super) struct Scaling {
    pub(super) workload: String,
    pub(super) engine: String,
    pub(super) variant: String,
    /// Nanoseconds a decision by one thread.
    one: f64,
    pub(super) ratio: f64,
}

impl Scaling {
    pub(super) fn name(&self) -> String {
        format!("{}, {}", self.workload, self.variant)
    }
}

/// Every lane that was timed on one thread and on two.
pub(super) fn scaling(records: &[Record]) -> Vec<Scaling> {
    let mut rows = Vec::new();
    for record in records {
        for lane in &record.lanes {
            let Some(variant) = lane.label.variant.strip_suffix(", 1 thread") else { continue };
            let Some(two) = record.value(&lane.label.engine, &format!("{variant}, 2 threads")) else { continue };
            rows.push(Scaling {
                workload: record.workload.clone(),
                engine: lane.label.engine.clone(),
                variant: variant.to_owned(),
                one: lane.value,
                ratio: lane.value / two,
            });
        }
    }
    rows
}

pub(super) fn table(page: &mut String, records: &[Record]) -> std::fmt::Result {
    let rows = scaling(records);
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(page, "\n## Two threads\n")?;
    writeln!(
        page,
        "How many decisions two threads make on one engine in the time in which one thread makes one. What is written by hand\n\
         shares nothing: its figure is what the machine itself gives.\n"
    )?;
    writeln!(page, "| workload | given | engine | two threads ÷ one | one thread |\n|---|---|---|--:|--:|")?;
    for row in rows {
        let Scaling { workload, engine, variant, one, ratio } = row;
        writeln!(page, "| {workload} | {variant} | {engine} | {} | {} |", times(ratio), figure(one, "ns"))?;
    }
    Ok(())
}
