//! What a run leaves behind: a file for each workload, from which the page of all runs is written.
//!
//! Each program that measures, in whatever language, writes files of this one form below `target/bench/<part>`. So a part
//! can be run again by itself, and the page says of each figure which run it comes from, and when and where that was.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::contest::Label;

/// The parts of the page, each with the target of the Makefile that measures it.
pub const PARTS: [(&str, &str); 7] = [
    ("ours", "bench"),
    ("threads", "bench-threads"),
    ("load", "bench-load"),
    ("peers", "bench-peers"),
    ("c", "bench-c"),
    ("python", "bench-python"),
    ("node", "bench-node"),
];

/// The machine that a record was made on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor, as it names itself.
    pub processor: String,
    /// How many threads run at once.
    pub cores: usize,
    /// The compiler or interpreter, with its version.
    pub tool: String,
}

impl Machine {
    /// This one.
    ///
    /// # Errors
    ///
    /// Where the number of its cores is not known.
    pub fn here() -> Result<Self, Box<dyn Error>> {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let named = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let compiler = Command::new("rustc").arg("--version").output();
        let compiler = compiler.ok().and_then(|output| String::from_utf8(output.stdout).ok());
        Ok(Self {
            processor: named.map_or("an unnamed processor", |(_, name)| name).to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            tool: compiler.as_deref().map_or("an unknown rustc", str::trim).to_owned(),
        })
    }
}

/// One figure of a lane.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lane {
    /// Whose it is, and what is measured.
    #[serde(flatten)]
    pub label: Label,
    /// The figure: the median of the rounds.
    pub value: f64,
    /// Its unit: `ns` a decision, unless the lane is of another kind.
    pub unit: String,
}

impl Lane {
    /// A time of one decision.
    #[must_use]
    pub fn time(label: Label, nanoseconds: f64) -> Self {
        Self { label, value: nanoseconds, unit: "ns".into() }
    }
}

/// One workload, as one part has measured it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The workload: `W1`, `W3 at 10000` ….
    pub workload: String,
    /// The day, in UTC.
    pub date: String,
    /// Where.
    pub machine: Machine,
    /// A try with rounds too short to mean anything.
    pub quick: bool,
    /// How many requests all lanes agreed on before anything was timed.
    pub agreed: usize,
    /// How many of them were allowed.
    pub allowed: usize,
    /// The figures, in the order in which they were measured.
    pub lanes: Vec<Lane>,
}

impl Record {
    /// A record of now and here.
    ///
    /// # Errors
    ///
    /// Where the machine does not say what it is.
    pub fn new(workload: &str, agreed: usize, allowed: usize, lanes: Vec<Lane>) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            workload: workload.to_owned(),
            date: today()?,
            machine: Machine::here()?,
            quick: quick(),
            agreed,
            allowed,
            lanes,
        })
    }

    /// Writes the record in place of an earlier one of that part and workload.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn write(&self, part: &str) -> Result<(), Box<dyn Error>> {
        let folder = root().join(part);
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{}.json", self.workload));
        fs::write(&file, serde_json::to_vec_pretty(self)?)
            .map_err(|error| format!("`{}`: {error}", file.display()).into())
    }

    /// The figure of the engine's lane with that variant.
    #[must_use]
    pub fn value(&self, engine: &str, variant: &str) -> Option<f64> {
        let named = |lane: &&Lane| lane.label.engine == engine && lane.label.variant == variant;
        self.lanes.iter().find(named).map(|lane| lane.value)
    }
}

/// The records of a part, sorted by workload; none where it was not run.
///
/// # Errors
///
/// Where a file of it is no record.
pub fn read(root: &Path, part: &str) -> Result<Vec<Record>, Box<dyn Error>> {
    let Ok(folder) = fs::read_dir(root.join(part)) else { return Ok(Vec::new()) };
    let mut records: Vec<Record> = Vec::new();
    for entry in folder {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            let record = serde_json::from_slice(&fs::read(&file)?);
            records.push(record.map_err(|error| format!("`{}`: {error}; run the part again", file.display()))?);
        }
    }
    // `W3 at 1000` comes before `W3 at 10000`, and both after `W2, cached`.
    records.sort_by_key(|record| {
        let number = record.workload.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0_u64);
        (record.workload.chars().take(2).collect::<String>(), number, record.workload.clone())
    });
    Ok(records)
}

/// The folder of all records.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench")
}

/// Whether this is a try (`QUICK=1`): everything runs, and no figure means anything.
#[must_use]
pub fn quick() -> bool {
    std::env::var_os("QUICK").is_some_and(|value| !value.is_empty() && value != "0")
}

#[expect(clippy::disallowed_methods, reason = "a record says on which day it was made")]
fn today() -> Result<String, Box<dyn Error>> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(date(since.as_secs() / 86_400))
}

/// The date of a day counted from 1970-01-01, by years and months one after the other.
fn date(mut days: u64) -> String {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the calendar: 2000 has a 29 February, 2100 has none.
    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_454), "2026-01-01");
        assert_eq!(date(47_540), "2100-02-28");
        assert_eq!(date(47_541), "2100-03-01");
    }

    #[test]
    fn records_are_read_in_the_order_of_the_workloads() {
        let root = std::env::temp_dir().join(format!("fallgate-records-{}", std::process::id()));
        let folder = root.join("ours");
        fs::create_dir_all(&folder).unwrap();
        let names = ["W3 at 10000", "W1", "W3 at 100", "W2 with audit", "W2"];
        for name in names {
            let record = Record::new(name, 2_048, 700, Vec::new()).unwrap();
            fs::write(folder.join(format!("{name}.json")), serde_json::to_vec(&record).unwrap()).unwrap();
        }
        let found: Vec<String> = read(&root, "ours").unwrap().into_iter().map(|record| record.workload).collect();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(found, ["W1", "W2", "W2 with audit", "W3 at 100", "W3 at 10000"]);
        assert!(read(&root, "peers").unwrap().is_empty());
    }
}
