//! Every case and every drill of `policies/`: the corpus that all languages run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};

use fallgate::drill::Drill;
use fallgate::drill::run_case;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate_cli::pack::{drill_files, load_drill, load_pack};
use sha2::{Digest, Sha256};

fn packs() -> Vec<PathBuf> {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let folders = std::fs::read_dir(policies).unwrap().map(|entry| entry.unwrap().path());
    let mut packs: Vec<PathBuf> = folders.filter(|folder| folder.join("pack.yaml").is_file()).collect();
    packs.sort();
    packs
}

fn load(pack: &Path) -> Bundle {
    let loaded = load_pack(pack).unwrap_or_else(|error| panic!("{}: {error}", pack.display()));
    Bundle::from_document(&loaded.document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .unwrap_or_else(|error| panic!("{}: {:#?}", pack.display(), error.diagnostics()))
}

#[test]
fn every_case_of_every_pack_passes() {
    let mut cases = 0;
    let mut failures = Vec::new();
    for pack in packs() {
        let bundle = load(&pack);
        assert!(!bundle.policy().tests.is_empty(), "{} has no case", pack.display());
        for case in &bundle.policy().tests {
            cases += 1;
            for failure in run_case(&bundle, case).failures {
                failures.push(format!("{}: {}: {failure}", pack.display(), case.name));
            }
        }
    }
    println!("{cases} cases");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Where no earlier answer is used, none is marked `cached` and none is counted: all that a drill may then miss.
fn is_of_the_build(failure: &str) -> bool {
    let of_reuse = ["cached: expected true, found false", "metric fallgate_cache_hits_total{"];
    cfg!(feature = "no-cache") && of_reuse.iter().any(|start| failure.starts_with(start))
}

#[test]
fn every_drill_of_every_pack_passes() {
    let (mut drills, mut steps, mut corpus) = (0, 0, Sha256::new());
    let mut failures = Vec::new();
    for pack in packs() {
        let bundle = load(&pack);
        for file in drill_files(&pack).unwrap() {
            let loaded = load_drill(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let drill = Drill::from_document(&loaded.document, &Limits::DEFAULT)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let report = drill.run(&bundle);
            drills += 1;
            steps += report.steps.len();
            corpus.update(report.decisions_hash);
            assert_eq!(report.decisions_hash, drill.run(&bundle).decisions_hash, "{}", file.display());
            for step in &report.steps {
                for failure in step.failures.iter().filter(|failure| !is_of_the_build(failure)) {
                    failures.push(format!("{}: at {}: {failure}", file.display(), step.now.monotonic));
                }
            }
        }
    }
    let hash: String = corpus.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{drills} drills, {steps} steps, decisions {hash}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A canonical bundle reads back as itself, and nothing else does: neither a part of it nor a changed one.
#[test]
fn bundles_are_read_back_only_whole_and_canonical() {
    let trust = Trust::unsigned_for_development();
    for pack in packs() {
        let bundle = load(&pack);
        let again = Bundle::from_json(bundle.bytes(), &trust).unwrap();
        assert_eq!(again.id(), bundle.id());
        let pretty = serde_json::to_vec_pretty(&serde_json::from_slice::<serde_json::Value>(bundle.bytes()).unwrap());
        assert!(Bundle::from_json(&pretty.unwrap(), &trust).is_err());
        let mut longer = bundle.bytes().to_vec();
        longer.push(b' ');
        assert!(Bundle::from_json(&longer, &trust).is_err());
        for end in (0..bundle.bytes().len()).step_by(97) {
            assert!(Bundle::from_json(&bundle.bytes()[..end], &trust).is_err(), "cut at {end}");
        }
    }
}
