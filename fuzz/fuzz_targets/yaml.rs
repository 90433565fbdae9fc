//! Text as YAML: refused, or read with one meaning, which JSON of it has too; and whatever is read is a drill, a case or neither, and a
//! drill runs.
//!
//! The readers are those of the command, without the rest of it: what it builds on takes longer to compile than to fuzz.
#![no_main]
#![allow(dead_code, unreachable_pub, reason = "the command uses what is not used here")]

#[path = "../../bindings/cli/src/budget.rs"]
mod budget;
#[path = "../../bindings/cli/src/finding.rs"]
mod finding;
#[path = "../../bindings/cli/src/json.rs"]
mod json;
#[path = "../../bindings/cli/src/scalar.rs"]
mod scalar;
#[path = "../../bindings/cli/src/source.rs"]
mod source;
#[path = "../../bindings/cli/src/yaml.rs"]
mod yaml;

use std::sync::LazyLock;

use fallgate::drill::{Drill, run_case};
use fallgate::policy::bundle::Bundle;
use fallgate::policy::format::Case;
use fallgate_fuzz::bound::within;
use fallgate_fuzz::{bundle, low_limits};
use libfuzzer_sys::fuzz_target;

use budget::Budget;
use source::{FileId, SourceFile};

static BUNDLE: LazyLock<Bundle> = LazyLock::new(bundle);

fn check(text: &str) {
    let file = FileId::new(0);
    let Ok(read) = yaml::parse(text, file, &mut Budget::default()) else { return };
    // JSON is YAML; but for the letters that YAML does not print.
    let printed = read.value.to_string();
    if !printed.chars().any(|letter| letter.is_control() || ('\u{fff0}'..='\u{ffff}').contains(&letter)) {
        let again = yaml::parse(&printed, file, &mut Budget::default());
        let as_json = json::parse(&SourceFile::new("a.json", printed.as_str()), file, &mut Budget::default());
        match (again, as_json) {
            (Ok(again), Ok(as_json)) => {
                assert_eq!(again.value, read.value, "{printed}");
                assert_eq!(as_json.value, read.value, "{printed}");
            }
            (again, as_json) => panic!("{:?} {:?}: {printed}", again.err(), as_json.err()),
        }
    }
    let mut limits = low_limits();
    limits.drill_steps_max = 50;
    match Drill::from_document(&read.value, &limits) {
        Ok(drill) => {
            let report = drill.run(&BUNDLE);
            assert_eq!(report.to_json(), drill.run(&BUNDLE).to_json(), "a drill comes out one way");
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
    if let Ok(case) = serde_json::from_value::<Case>(read.value) {
        let _ = run_case(&BUNDLE, &case);
    }
}

fuzz_target!(|text: &str| within(300, || check(text)));
