//! `fallgate sli` on a chain that an engine wrote, against what the engine says of itself.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod shell;

use std::fs;

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::Party;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Engine, Observation, Request};
use serde_json::{Value, json};
use shell::{fallgate, fallgate_with};
use tempfile::TempDir;

/// A pack in a folder, the chain of a short outage, and what the engine that wrote it says.
fn outage(folder: &TempDir) -> (String, String, Value) {
    let document = json!({
        "fallgate": 1, "name": "shop", "revision": 1,
        "signals": { "idp": { "ttl": "10s" } },
        "actions": { "read": { "class": "read", "requires": ["idp"] }, "write": { "class": "write", "requires": ["idp"] } },
        "audit": { "level": "all" },
        "slo": { "availability": { "target": 0.9, "window": "1h" } },
        "rules": [{ "id": "all", "effect": "allow" }],
    });
    let pack = folder.path().join("pack");
    fs::create_dir(&pack).unwrap();
    // JSON is YAML.
    fs::write(pack.join("pack.yaml"), document.to_string()).unwrap();
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let engine = Engine::new(Config::default());
    let start = Now::new(Monotonic::ZERO, Wall::from_millis(1_767_225_600_000));
    engine.activate(bundle, start).unwrap();
    engine.observe(&Observation::ok("idp"), start);
    let request = Request::new(Party::new("user", "ann"), "read", Party::new("thing", "t"));
    for seconds in [1, 5, 9, 11] {
        let _decision = engine.decide(&request, start.after(Ttl::from_secs(seconds)));
    }
    let end = start.after(Ttl::from_secs(11));
    let chain = folder.path().join("audit.jsonl");
    fs::write(&chain, engine.drain_audit(1_000, end).lines.join("\n") + "\n").unwrap();
    (pack.display().to_string(), chain.display().to_string(), engine.slis(end).to_json())
}

#[test]
fn the_chain_tells_what_the_engine_says() {
    let folder = TempDir::new().unwrap();
    let (pack, chain, lived) = outage(&folder);
    let ran = fallgate(&["sli", &chain, "--pack", &pack, "--format", "json"]);
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(told, lived);
    // One of four failed; the signal was relied on for the ten seconds of its life.
    assert_eq!(told["indicators"]["pdp_availability"], 0.75);
    assert_eq!(told["indicators"]["mean_time_to_secure"], 10.0);
    assert_eq!(told["indicators"]["observability_coverage"], 0.5);
    assert_eq!(told["objectives"]["availability"]["value"], 0.75);
    let text = fs::read(&chain).unwrap();
    let piped = fallgate_with(&["sli", "-", "--pack", &pack, "--format", "json"], &text, false);
    assert_eq!(piped.out, ran.out);
}

#[test]
fn the_table_is_for_people() {
    let folder = TempDir::new().unwrap();
    let (pack, chain, _) = outage(&folder);
    let ran = fallgate(&["sli", &chain, "--pack", &pack]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 21, "{}", ran.out);
    assert!(ran.out.contains("pdp_availability                      75.000 %  Of all decisions"), "{}", ran.out);
    assert!(ran.out.contains("mean_time_to_secure                   10.000 s  From the loss"), "{}", ran.out);
    assert!(ran.out.contains("trigger_accuracy                             -  "), "{}", ran.out);
    assert!(lines[20].starts_with("availability: 75.000 % of 90.000 % over 1h"), "{}", ran.out);
    // Without the pack nobody knows what it declares.
    let ran = fallgate(&["sli", &chain]);
    assert_eq!(ran.out.lines().count(), 20);
    assert!(ran.out.contains("observability_coverage                       -  "), "{}", ran.out);
}

#[test]
fn what_is_no_record_is_named_by_its_line() {
    let folder = TempDir::new().unwrap();
    let (_, chain, _) = outage(&folder);
    let whole = fs::read_to_string(&chain).unwrap();
    for (broken, why) in [("{\"kind\":", "line 9: this is no JSON"), ("{}", "line 9: this is no audit record: `kind`")]
    {
        assert_eq!(whole.lines().count(), 8, "{whole}");
        fs::write(&chain, format!("{whole}{broken}\n")).unwrap();
        let ran = fallgate(&["sli", &chain]);
        assert_eq!(ran.exit, 3);
        assert!(ran.err.contains(why), "{}", ran.err);
    }
    assert_eq!(fallgate(&["sli", "/no/such/file"]).exit, 3);
}
