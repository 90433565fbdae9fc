//! `fallgate sli`: the service-level indicators of an audit chain, as the engine computes them.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use fallgate::error::quoted;
use fallgate::limits::Limits;
use fallgate::telemetry::sli::{Declared, INDICATORS, Records, Slis};

use super::compile;
use crate::arguments::SliFormat;
use crate::audit_log::lines::Lines;
use crate::console::{Console, Exit, Failure};
use crate::finding::Finding;

/// Bytes of one record: more than a request, what was decided of it and the chain's own members take.
const RECORD_BYTES_MAX: u64 = 8 << 20;

pub(super) fn run(
    audit: &Path,
    pack: Option<&Path>,
    format: SliFormat,
    console: &mut Console<'_>,
) -> Result<Exit, Failure> {
    let mut records = Records::new(&Limits::DEFAULT);
    if let Some(pack) = pack {
        records.declare(Declared::of(compile(pack)?.bundle.policy()));
    }
    if audit.as_os_str() == "-" {
        read(audit, &mut BufReader::new(&mut *console.input), &mut records)?;
    } else {
        let mut lines = Lines::of(&[audit.to_owned()])?;
        while let Some(line) = lines.next()? {
            take(line.text, line.path, line.number, &mut records)?;
        }
    }
    let slis = records.slis();
    match format {
        SliFormat::Json => writeln!(console.out, "{}", slis.to_json())?,
        SliFormat::Table => table(&slis, console)?,
    }
    Ok(Exit::Fine)
}

/// Takes one record after the other from the standard input, so that a chain may be larger than memory.
fn read(path: &Path, lines: &mut dyn BufRead, records: &mut Records) -> Result<(), Failure> {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = lines.take(RECORD_BYTES_MAX.saturating_add(1)).read_until(b'\n', &mut line);
        let read = read.map_err(|error| unreadable(path, &error.to_string()))?;
        if read == 0 {
            break;
        }
        take(&line, path, number, records)?;
    }
    Ok(())
}

fn take(line: &[u8], path: &Path, number: u64, records: &mut Records) -> Result<(), Failure> {
    let broken = |why: &str| unreadable(path, &format!("line {number}: {why}"));
    if u64::try_from(line.len()).unwrap_or(u64::MAX) > RECORD_BYTES_MAX {
        return Err(broken("longer than a record can be"));
    }
    let record = serde_json::from_slice(line).map_err(|_| broken("this is no JSON"))?;
    records.take(&record).map_err(|error| broken(&error.to_string()))
}

fn unreadable(path: &Path, why: &str) -> Failure {
    let finding = Finding::unreadable(format!("cannot read {}: {why}", quoted(&path.to_string_lossy())));
    finding.help("name a file of audit records, one a line").into()
}

fn table(slis: &Slis, console: &mut Console<'_>) -> std::io::Result<()> {
    for (indicator, value) in INDICATORS.iter().zip(&slis.values) {
        let value = value.map_or_else(|| "-".to_owned(), |value| number(value, indicator.unit));
        writeln!(console.out, "{:<32}{value:>14}  {}", indicator.name, indicator.help)?;
    }
    for standing in &slis.objectives {
        let value = standing.value.map_or_else(|| "-".to_owned(), |value| number(value, "ratio"));
        let (target, left) = (number(standing.target, "ratio"), number(standing.budget_remaining, "ratio"));
        let (aim, window) = (standing.aim.code(), standing.window);
        writeln!(console.out, "{aim}: {value} of {target} over {window}, {left} of the budget left")?;
    }
    Ok(())
}

/// A number as people read it in its unit.
fn number(value: f64, unit: &str) -> String {
    match unit {
        "ratio" => format!("{:.3} %", value * 100.0),
        "seconds" => format!("{value:.3} s"),
        _ => value.to_string(),
    }
}
