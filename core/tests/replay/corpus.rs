//! Every drill of `policies/`, journaled and replayed.

use std::path::{Path, PathBuf};

use fallgate::drill::Drill;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::replay::{Kind, Replay, Secrets, Tally};
use fallgate_cli::pack::{drill_files, load_drill, load_pack};

pub(crate) fn packs() -> Vec<PathBuf> {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let folders = std::fs::read_dir(policies).unwrap().map(|entry| entry.unwrap().path());
    let mut packs: Vec<PathBuf> = folders.filter(|folder| folder.join("pack.yaml").is_file()).collect();
    packs.sort();
    packs
}

pub(crate) fn load(pack: &Path) -> Bundle {
    let document = load_pack(pack).unwrap().document;
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

/// The pack of that name.
pub(crate) fn pack(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies").join(name)
}

/// What drills seal states with, and the audit key that the drill names.
pub(crate) fn secrets(drill: &serde_json::Value) -> Secrets {
    let key = drill.pointer("/audit/key").and_then(serde_json::Value::as_str);
    let audit_key = key.map(data);
    Secrets { audit_key, ..Secrets::default() }
}

fn data(digits: &str) -> [u8; 32] {
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
    std::array::from_fn(byte)
}

/// The journal of a drill.
pub(crate) fn journal_of(bundle: &Bundle, document: &serde_json::Value) -> Vec<String> {
    let drill = Drill::from_document(document, &Limits::DEFAULT).unwrap();
    let mut lines = Vec::new();
    let journaled = drill.run_journaled(bundle, &mut |_| {}, &mut |line| lines.push(line.to_owned()));
    // Journaling changes nothing that is decided, and nothing that a drill looks at.
    let silent = drill.run(bundle);
    assert_eq!(journaled.decisions_hash, silent.decisions_hash, "{}", drill.drill);
    assert_eq!(journaled.passed(), silent.passed(), "{}", drill.drill);
    lines
}

pub(crate) fn replayed(lines: &[String], secrets: Secrets) -> Tally {
    let mut replay = Replay::new(secrets);
    for line in lines {
        let played = replay.push(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(played.difference, None, "{line}");
    }
    replay.finish().unwrap()
}

#[test]
fn every_drill_of_every_pack_is_replayed_to_the_byte() {
    let (mut drills, mut inputs, mut decisions) = (0, 0, 0);
    for pack in packs() {
        let bundle = load(&pack);
        for file in drill_files(&pack).unwrap() {
            let document = load_drill(&file).unwrap().document;
            let lines = journal_of(&bundle, &document);
            let tally = replayed(&lines, secrets(&document));
            assert_eq!(tally.different(), 0);
            assert_eq!(tally.inputs + tally.engines, u64::try_from(lines.len()).unwrap(), "{}", file.display());
            drills += 1;
            inputs += tally.inputs;
            decisions += tally.decisions;
        }
    }
    println!("{drills} drills, {inputs} inputs, {decisions} decisions");
    assert!(drills > 30 && decisions > 250, "{drills} drills, {decisions} decisions");
}

#[test]
fn a_bundle_in_place_of_its_own_decides_the_same() {
    for name in ["idp-outage", "payment-gateway"] {
        let folder = pack(name);
        let bundle = load(&folder);
        for file in drill_files(&folder).unwrap() {
            let document = load_drill(&file).unwrap().document;
            let mut replay = Replay::new(secrets(&document)).with_candidate(bundle.clone());
            for line in journal_of(&bundle, &document) {
                assert_eq!(replay.push(line.as_bytes()).unwrap().difference, None, "{line}");
            }
            let tally = replay.finish().unwrap();
            assert!(tally.replaced > 0);
        }
    }
}

#[test]
fn a_bundle_that_allows_more_is_told_by_kind() {
    let folder = pack("idp-outage");
    let bundle = load(&folder);
    let mut document = load_pack(&folder).unwrap().document;
    // The candidate does without the signals that the actions require. With its cases it would not become the active one.
    let cases = document.as_object_mut().unwrap().remove("tests").unwrap();
    let actions = document["actions"].as_object_mut().unwrap();
    for action in actions.values_mut() {
        action.as_object_mut().unwrap().retain(|name, _| name == "class" || name == "audit");
    }
    let candidate = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    document["tests"] = cases;
    let failing = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let drill = load_drill(&drill_files(&folder).unwrap()[0]).unwrap().document;
    let mut replay = Replay::new(secrets(&drill)).with_candidate(failing);
    let differences: Vec<_> = journal_of(&bundle, &drill)
        .iter()
        .filter_map(|line| replay.push(line.as_bytes()).unwrap().difference)
        .collect();
    assert_eq!((differences[0].number, differences[0].kind), (2, Kind::Other));
    assert_eq!(differences[0].replayed["because"], "fails_tests");
    assert!(differences.iter().all(|difference| difference.kind != Kind::NewlyAllowed));

    let (mut newly_allowed, mut denied_then) = (0, 0);
    for file in drill_files(&folder).unwrap() {
        let drill = load_drill(&file).unwrap().document;
        let mut replay = Replay::new(secrets(&drill)).with_candidate(candidate.clone());
        for line in journal_of(&bundle, &drill) {
            let difference = replay.push(line.as_bytes()).unwrap().difference;
            let newly = difference.filter(|difference| difference.kind == Kind::NewlyAllowed);
            if let Some(difference) = newly {
                assert_eq!(difference.pointer, "/outcome/decision");
                assert_eq!(difference.recorded["outcome"]["decision"], false);
                assert_eq!(difference.replayed["outcome"]["decision"], true);
                denied_then += 1;
            }
        }
        newly_allowed += replay.finish().unwrap().of(Kind::NewlyAllowed);
    }
    assert!(newly_allowed > 0);
    assert_eq!(newly_allowed, denied_then);
}
