//! `fallgate bench`: what it prints, for people and for programs. How long anything takes is the machine's affair.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "shell/pages.rs"]
mod pages;
mod shell;

use std::collections::BTreeSet;
use std::fs;

use pages::{fallgate_commands, page};
use serde_json::Value;
use shell::{fallgate, fallgate_with};
use tempfile::TempDir;

const PACK: &str = "../../policies/payment-gateway";
const WAYS: [&str; 4] = ["prepared", "prepared_cached", "bytes", "bytes_cached"];

/// The figures of a short run.
fn figures(pack: &str, more: &[&str]) -> Value {
    let ran = fallgate(&[&["bench", pack, "--seconds", "0.2", "--format", "json"], more].concat());
    assert_eq!(ran.exit, 0, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

fn number(json: &Value) -> f64 {
    json.as_f64().unwrap()
}

/// A new pack, in a folder that goes away with the first value.
fn new_pack() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let pack = folder.path().join("shop").display().to_string();
    assert_eq!(fallgate(&["init", &pack]).exit, 0);
    (folder, pack)
}

#[test]
fn the_figures_of_a_pack_hang_together() {
    let figures = figures(PACK, &[]);
    assert_eq!((&figures["pack"], number(&figures["seconds"])), (&"payment-gateway".into(), 0.2));
    let requests = figures["requests"].as_u64().unwrap();
    assert!(requests > 3);
    let ways = figures["ways"].as_array().unwrap();
    assert_eq!(ways.iter().map(|way| way["way"].as_str().unwrap()).collect::<Vec<_>>(), WAYS);
    for way in ways {
        let decisions = way["decisions"].as_u64().unwrap();
        let asked = way["requests"].as_u64().unwrap();
        assert!(asked > 0 && decisions >= asked && decisions % asked == 0, "whole rounds: {way}");
        assert!(number(&way["decisions_per_second"]) > 0.0);
        let ends = ["p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "max_ns"].map(|end| way[end].as_u64().unwrap());
        assert!(ends[0] > 0 && ends.is_sorted(), "{way}");
        let bars = way["histogram"].as_array().unwrap();
        let counted: u64 = bars.iter().map(|bar| bar["count"].as_u64().unwrap()).sum();
        assert_eq!(counted, decisions, "every latency is in one bar");
        assert!(bars.is_sorted_by_key(|bar| bar["up_to_ns"].as_u64().unwrap()));
        // `payment:read` is cached, and `payment:refund` is not.
        let keeps = way["way"].as_str().unwrap().ends_with("_cached");
        assert_eq!(asked < requests, keeps, "{way}");
    }
}

#[test]
fn the_rules_that_requests_lead_to_are_weighed() {
    let figures = figures(PACK, &[]);
    let rules = figures["rules"].as_array().unwrap();
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule["rule"].as_str().unwrap()).collect();
    assert!(ids.contains("agents-refund-within-their-limit"), "{ids:?}");
    assert_eq!(ids.len(), rules.len(), "each once");
    let shares: Vec<f64> = rules.iter().map(|rule| number(&rule["share"])).collect();
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shares:?}");
    assert!(shares.is_sorted_by(|a, b| a >= b), "the costliest first");
    assert!(rules.iter().all(|rule| number(&rule["each_ns"]) > 0.0 && rule["requests"].as_u64() > Some(0)));
}

#[test]
fn a_costly_rule_is_found() {
    let (_folder, pack) = new_pack();
    let path = format!("{pack}/rules.yaml");
    let rules = fs::read_to_string(&path).unwrap();
    let costly = "rules:\n  - id: costly\n    effect: deny\n    when: \"'abc'.matches('^(a|b)+c?d') || [1,2,3,4,5,6,7,8,9].exists(i, [1,2,3,4,5,6,7,8,9].exists(j, i * j == 1000))\"\n";
    fs::write(&path, rules.replacen("rules:\n", costly, 1)).unwrap();
    let figures = figures(&pack, &[]);
    assert_eq!(figures["rules"][0]["rule"], "costly");
    assert!(number(&figures["rules"][0]["share"]) > 0.5, "{}", figures["rules"]);
}

#[test]
fn a_run_is_compared_with_an_earlier_one() {
    let (folder, pack) = new_pack();
    let earlier = figures(&pack, &[]);
    let path = folder.path().join("earlier.json").display().to_string();
    // Twice as long, so that the change is seen whatever the machine does.
    let mut slower = earlier.clone();
    slower["ways"][0]["p50_ns"] = 1_000_000_000_000_u64.into();
    fs::write(&path, slower.to_string()).unwrap();
    let ran = fallgate(&["bench", &pack, "--seconds", "0.2", "--compare", &path]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let (_, compared) = ran.out.split_once("\nagainst `").unwrap();
    let prepared = compared.lines().find(|line| line.starts_with("prepared ")).unwrap();
    assert_eq!(prepared.split_whitespace().nth(1), Some("-100"), "{compared}");
    let json = figures(&pack, &["--compare", &path]);
    assert_eq!(json["earlier"], slower);
    // What was printed with a comparison can be compared with too.
    fs::write(&path, json.to_string()).unwrap();
    assert_eq!(figures(&pack, &["--compare", &path])["earlier"]["ways"], json["ways"]);
}

#[test]
fn what_cannot_be_compared_or_measured_is_refused() {
    let (folder, pack) = new_pack();
    let path = folder.path().join("earlier.json").display().to_string();
    fs::write(&path, "{\"pack\": 3}").unwrap();
    let ran = fallgate(&["bench", &pack, "--seconds", "0.1", "--compare", &path]);
    assert_eq!((ran.exit, ran.out.as_str()), (3, ""));
    assert!(ran.err.contains("fallgate bench --format json"), "{}", ran.err);
    fs::write(&path, figures(PACK, &[]).to_string()).unwrap();
    let ran = fallgate(&["bench", &pack, "--seconds", "0.1", "--compare", &path]);
    assert_eq!(ran.exit, 2);
    assert!(ran.err.contains("`payment-gateway`"), "{}", ran.err);
    for seconds in ["0", "-1", "NaN", "4000", "soon"] {
        let ran = fallgate(&["bench", &pack, &format!("--seconds={seconds}")]);
        assert_eq!((ran.exit, ran.out.as_str()), (2, ""), "{seconds}");
    }
    assert_eq!(fallgate(&["bench", "/nowhere"]).exit, 3);
    // A pack that asks nothing has nothing to measure.
    fs::remove_dir_all(format!("{pack}/tests")).unwrap();
    fs::remove_dir_all(format!("{pack}/drills")).unwrap();
    let ran = fallgate(&["bench", &pack]);
    assert_eq!((ran.exit, ran.out.as_str()), (3, ""));
    assert!(ran.err.contains("asks nothing"), "{}", ran.err);
}

/// Numbers and bars as `N`, so that what is left is the shape.
fn shape(text: &str) -> Vec<String> {
    let units = ["ns", "µs", "ms", "s", "%"];
    let word = |word: &str| {
        let digits = word.trim_start_matches(['+', '-']);
        let is_number = digits.starts_with(|first: char| first.is_ascii_digit())
            && digits.chars().all(|c| c.is_ascii_digit() || ".,".contains(c));
        match word {
            _ if is_number => Some("N".to_owned()),
            word if units.contains(&word) || word.starts_with('█') => None,
            word => Some(word.to_owned()),
        }
    };
    let line = |line: &str| line.split_whitespace().filter_map(word).collect::<Vec<_>>().join(" ");
    let lines = text.lines().map(line);
    // How many bars there are depends on the machine.
    lines.filter(|line| !line.starts_with("up to") && !line.starts_with("elsewhere")).collect()
}

/// The figures of the page are of another machine; what they stand in is what is printed.
#[test]
fn the_document_shows_what_the_command_prints() {
    let mut runs = 0;
    for (command, expected) in fallgate_commands(&page("bench.md")) {
        let arguments = command.replace("policies/", "../../policies/");
        let arguments: Vec<&str> = arguments.split(' ').chain(["--seconds", "0.5"]).collect();
        let ran = fallgate_with(&arguments, b"", false);
        assert_eq!(ran.exit, 0, "{}", ran.err);
        let (mut expected, mut found) = (shape(&expected), shape(&ran.out));
        // Which rule costs more than its neighbour is the machine's affair too.
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{command}\n{}", ran.out);
        runs += 1;
    }
    assert_eq!(runs, 1, "the commands of docs/bench.md");
}
