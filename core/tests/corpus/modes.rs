//! What every case and drill of the corpus says, one line each, so that builds can be compared: one without the index, or
//! without the cache, says what any other says (`make test-modes`).

use serde_json::Value as Json;

use fallgate::policy::bundle::hexadecimal;
use sha2::{Digest, Sha256};

/// What the build was made without, by its feature.
fn mode() -> String {
    let modes = [
        ("naive-matcher", cfg!(feature = "naive-matcher")),
        ("no-cache", cfg!(feature = "no-cache")),
        ("slow-reader", cfg!(feature = "slow-reader")),
    ];
    let built: Vec<&str> = modes.into_iter().filter(|(_, built)| *built).map(|(name, _)| name).collect();
    built.join(" ")
}

/// A build with a feature for tests shows nothing about the engine that ships: nobody makes one by chance.
#[test]
fn this_build_is_the_one_that_was_asked_for() {
    let asked = std::env::var_os("FALLGATE_MODE").unwrap_or_default();
    assert_eq!(*mode(), *asked, "`make test-modes` builds the modes; elsewhere leave `--all-features` out");
}

/// The value without what says whether an earlier answer was used.
fn without_cached(json: &Json) -> Json {
    match json {
        Json::Object(members) => {
            let kept = members.iter().filter(|(name, _)| *name != "cached");
            Json::Object(kept.map(|(name, value)| (name.clone(), without_cached(value))).collect())
        }
        Json::Array(items) => items.iter().map(without_cached).collect(),
        scalar => scalar.clone(),
    }
}

/// What came out of a timeline's calls: of each its time, and the decision or what was done of the operation.
fn said(timeline: &Json) -> Json {
    let calls = timeline["operations"].as_array().unwrap().iter();
    let out = calls.filter_map(|call| {
        let out = ["decision", "outcome", "because"].map(|name| call.get(name).cloned().unwrap_or_default());
        (!out.iter().all(Json::is_null)).then(|| Json::from(vec![call["at"].clone(), Json::from(out.to_vec())]))
    });
    out.collect()
}

fn digest(json: &Json) -> String {
    hexadecimal(&Sha256::digest(json.to_string())).split_at(32).0.to_owned()
}

/// A line for each timeline: the digest of what was said without `cached`, that with it, the pack, and the timeline.
/// `FALLGATE_MODE_LINES` names a file that they go to.
#[test]
fn what_the_corpus_says_line_by_line() {
    let document: Json = serde_json::from_slice(&super::corpus()).unwrap();
    let mut lines = String::new();
    for pack in document["packs"].as_array().unwrap() {
        for timeline in pack["timelines"].as_array().unwrap() {
            let said = said(timeline);
            assert!(!said.as_array().unwrap().is_empty(), "{}: nothing was decided or done", timeline["name"]);
            let (facts, whole) = (digest(&without_cached(&said)), digest(&said));
            let (pack, name) = (pack["name"].as_str().unwrap(), timeline["name"].as_str().unwrap());
            lines.push_str(&format!("{facts} {whole} {pack}: {name}\n"));
        }
    }
    println!("{} timelines", lines.lines().count());
    assert!(lines.lines().count() > 100);
    if let Some(file) = std::env::var_os("FALLGATE_MODE_LINES") {
        std::fs::write(file, lines).unwrap();
    }
}
