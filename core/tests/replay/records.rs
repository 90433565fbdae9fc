//! Audit chains decided again.

use fallgate::Engine;
use fallgate::audit::chain::Head;
use fallgate::drill::Drill;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::replay::Kind;
use fallgate::replay::records::{Records, Skipped, Tally};
use fallgate_cli::pack::{drill_files, load_drill, load_pack};
use serde_json::{Value, json};

use super::corpus::{packs, secrets};
use super::recording::at;

/// The records that the engines of a drill would have handed out, a chain each.
fn chains(bundle: &Bundle, document: &Value) -> Vec<Vec<String>> {
    let mut chains = Vec::new();
    let mut engine: Option<Engine> = None;
    let mut take = |engine: &Engine| chains.push(engine.drain_audit(usize::MAX, at(0)).lines);
    // Played by hand on engines whose records nobody confirms, so that each chain is whole at its end.
    let mut lines = Vec::new();
    let drill = Drill::from_document(document, &Limits::DEFAULT).unwrap();
    drill.run_journaled(bundle, &mut |_| {}, &mut |line| lines.push(line.to_owned()));
    for line in lines {
        let entry: Value = serde_json::from_str(&line).unwrap();
        let now = fallgate::time::Now::new(
            fallgate::time::Monotonic::from_nanos(entry["at"]["monotonic_ns"].as_str().unwrap().parse().unwrap()),
            fallgate::time::Wall::from_nanos(entry["at"]["wall_ns"].as_str().unwrap().parse().unwrap()),
        );
        if entry.get("configure").is_some() {
            engine.iter().for_each(&mut take);
            let mut config = fallgate::Config::default();
            config.state_key = fallgate::state::document::StateKey::new([0x5a; 32]);
            config.audit_key = secrets(document).audit_key;
            engine = Some(Engine::new(config));
        }
        let engine = engine.as_ref().unwrap();
        if entry.get("activate").is_some() {
            engine.activate(bundle.clone(), now).unwrap();
        } else if entry.get("advance").is_some() {
            engine.advance(now);
        } else if entry.get("anchor_clocks").is_some() {
            engine.anchor_clocks(now);
        } else if let Some(observe) = entry.get("observe") {
            let status = fallgate::drill::parse_status(observe["status"].as_str().unwrap()).unwrap();
            let mut observation = fallgate::Observation::new(observe["signal"].as_str().unwrap(), status);
            if let Some(nanos) = observe.get("observed_at_ns") {
                let nanos = nanos.as_str().unwrap().parse().unwrap();
                observation = observation.at(fallgate::time::Monotonic::from_nanos(nanos));
            }
            engine.observe(&observation, now);
        } else if let Some(operation) = entry.get("operate") {
            let handed_over = ["drain_audit", "acknowledge_audit"].iter().any(|verb| operation.get(verb).is_some());
            if !handed_over {
                let _ = engine.operate_json(operation.to_string().as_bytes(), now);
            }
        } else if let Some(request) = entry.get("decide") {
            let _ = engine.decide_json(request.to_string().as_bytes(), now);
        }
    }
    engine.iter().for_each(&mut take);
    chains
}

fn again(bundle: &Bundle, lines: &[String]) -> (Tally, Vec<fallgate::replay::Difference>) {
    let mut records = Records::new(bundle.clone());
    let found = lines.iter().filter_map(|line| records.push(line.as_bytes(), Head::default()).unwrap()).collect();
    (records.finish().unwrap(), found)
}

#[test]
fn the_records_of_every_drill_are_decided_again_alike() {
    let (mut decided, mut all) = (0, 0);
    for pack in packs() {
        // As if every pack recorded everything, and concealed nothing.
        let mut document = load_pack(&pack).unwrap().document;
        document["audit"] = json!({ "level": "all" });
        let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
        for file in drill_files(&pack).unwrap() {
            let document = load_drill(&file).unwrap().document;
            for chain in chains(&bundle, &document).iter().filter(|chain| !chain.is_empty()) {
                let (tally, found) = again(&bundle, chain);
                assert!(found.is_empty(), "{}: {found:#?}", file.display());
                assert_eq!(tally.again + tally.skipped.iter().sum::<u64>(), tally.decisions);
                decided += tally.again;
                all += tally.decisions;
            }
        }
    }
    println!("{decided} of {all} decisions");
    assert!(decided > 150, "{decided} of {all}");
}

fn pack_of(limit: &str) -> Bundle {
    let document = json!({
        "fallgate": 1, "name": "desk", "revision": 1,
        "schema": { "subject": { "clerk": { "limit": "int", "email": { "type": "string", "optional": true } } } },
        "signals": { "ledger": { "ttl": "10s" } },
        "actions": { "refund": { "requires": ["ledger"] } },
        "audit": { "level": "all", "redact": ["subject.email"] },
        "rules": [{ "id": "limits", "effect": "allow", "action": "refund", "when": limit }],
    });
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

fn asked(limit: i64, email: Option<&str>) -> Vec<u8> {
    let mut properties = json!({ "limit": limit });
    if let Some(email) = email {
        properties["email"] = email.into();
    }
    json!({
        "subject": { "type": "clerk", "id": "ann", "properties": properties },
        "action": { "name": "refund" },
        "resource": { "type": "payment", "id": "p-1" },
    })
    .to_string()
    .into_bytes()
}

/// Two decisions by rules, one without a signal, one redacted, one that could not be read, one under quarantine.
fn chain() -> Vec<String> {
    let engine = Engine::new(fallgate::Config::default());
    engine.activate(pack_of("subject.limit > 10"), at(0)).unwrap();
    let _ = engine.decide_json(&asked(20, None), at(1));
    engine.observe(&fallgate::Observation::ok("ledger"), at(2));
    let _ = engine.decide_json(&asked(20, None), at(3));
    let _ = engine.decide_json(&asked(5, None), at(4));
    let _ = engine.decide_json(&asked(20, Some("ann@example.org")), at(5));
    let _ = engine.decide_json(b"{", at(6));
    let everything = fallgate::state::quarantine::Selector::Everything;
    engine.quarantine(&everything, &fallgate::engine::QuarantineTerms::default(), at(7)).unwrap();
    let _ = engine.decide_json(&asked(20, None), at(8));
    engine.drain_audit(100, at(9)).lines
}

#[test]
fn what_a_record_does_not_say_is_counted_by_why() {
    let (tally, found) = again(&pack_of("subject.limit > 10"), &chain());
    assert_eq!(found, []);
    assert_eq!((tally.decisions, tally.again), (6, 3));
    let skipped = |why: Skipped| tally.skipped[why as usize];
    assert_eq!((skipped(Skipped::Redacted), skipped(Skipped::Reason)), (1, 2));
    assert_eq!((skipped(Skipped::NoRequest), skipped(Skipped::OtherBundle), skipped(Skipped::Signals)), (0, 0, 0));
}

#[test]
fn another_bundle_is_told_by_kind_with_the_number_of_the_record() {
    let lines = chain();
    let (tally, found) = again(&pack_of("subject.limit > 2"), &lines);
    assert_eq!(tally.differences[Kind::NewlyAllowed as usize], 1);
    let [difference] = &found[..] else { panic!("{found:?}") };
    let record: Value = serde_json::from_str(&lines[difference.number as usize - 1]).unwrap();
    assert_eq!((record["seq"].as_u64(), &record["kind"]), (Some(difference.number), &json!("decision")));
    assert_eq!(record["body"]["request"]["subject"]["limit"], 5);
    assert_eq!(difference.pointer, "/decision");
    let (tally, _) = again(&pack_of("subject.limit > 100"), &lines);
    assert_eq!(tally.differences[Kind::NewlyDenied as usize], 1);
}

#[test]
fn a_chain_from_its_middle_on_knows_a_signal_once_it_has_said_it() {
    let lines = chain();
    let head = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let hash = record["hash"].as_str().unwrap();
        let byte = |at: usize| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).unwrap();
        Head { count: record["seq"].as_u64().unwrap(), hash: std::array::from_fn(byte) }
    };
    let signal = lines.iter().position(|line| line.contains("signal_changed")).unwrap();
    for (from, skipped) in [(signal, 0), (signal + 1, 2)] {
        let mut records = Records::new(pack_of("subject.limit > 10"));
        for line in &lines[from..] {
            assert_eq!(records.push(line.as_bytes(), head(&lines[from - 1])).unwrap(), None);
        }
        assert_eq!(records.finish().unwrap().skipped[Skipped::Signals as usize], skipped, "from {from}");
    }
}

#[test]
fn the_records_of_another_pack_are_not_decided_again() {
    let mut document = load_pack(&super::corpus::pack("idp-outage")).unwrap().document;
    document["name"] = "another".into();
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let (tally, found) = again(&bundle, &chain());
    assert_eq!((tally.again, tally.skipped[Skipped::OtherBundle as usize], found.len()), (0, 6, 0));
}

#[test]
fn a_chain_that_was_changed_is_not_decided_again() {
    let lines = chain();
    let mut records = Records::new(pack_of("subject.limit > 10"));
    records.push(lines[0].as_bytes(), Head::default()).unwrap();
    assert!(records.push(lines[2].as_bytes(), Head::default()).is_err());
    assert!(Records::new(pack_of("subject.limit > 10")).finish().is_err());
}
