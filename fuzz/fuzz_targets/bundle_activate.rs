//! Shipped bundles, changed as documents, and what they decide.
//!
//! An allow rests on an allow rule, whatever order the rules are in, and on none where a deny rule holds; and an engine that
//! knows less allows nothing more. What is refused in the place of an active bundle changes nothing.
#![no_main]

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Now, Wall};
use fallgate::{Config, Decision, Engine, Observation, Reason};
use fallgate_fuzz::bound::within;
use fallgate_fuzz::change::{change, mutate};
use fallgate_fuzz::program::Program;
use fallgate_fuzz::{at, low_limits};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use serde_json::{Value as Json, json};

/// How many cases of a bundle are asked.
const CASES: usize = 6;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { mutate(data, size, max_size, seed) });

fn bundle(document: &Json, limits: &Limits) -> Option<Bundle> {
    Bundle::from_document(document, &Trust::unsigned_for_development(), limits).ok()
}

/// Inside the validity, where there is one: what is outside denies all and shows nothing.
fn now(document: &Json) -> Now {
    let from = document["valid"]["from"].as_str().and_then(|from| from.parse::<fallgate::value::Timestamp>().ok());
    let wall = from.and_then(|from| i64::try_from(from.as_nanosecond()).ok()).map(Wall::from_nanos);
    Now { wall: wall.unwrap_or(at(0).wall), ..at(0) }
}

/// An engine with the bundle, that has seen these signals to be ok. The cases of a bundle that was changed need not be as they say:
/// here they only say what to ask.
fn engine(bundle: &Bundle, limits: &Limits, signals: &[&str], now: Now) -> Engine {
    let mut config = Config::default();
    config.limits = limits.clone();
    let engine = Engine::new(config);
    assert_eq!(engine.activate(bundle.clone().without_tests(), now), Ok(()), "a first bundle is taken");
    for signal in signals {
        engine.observe(&Observation::ok(*signal), now);
    }
    engine
}

fn answers(engine: &Engine, requests: &[Vec<u8>], now: Now) -> Vec<Decision> {
    requests.iter().map(|request| engine.decide_json(request, now)).collect()
}

/// What must be the same of two answers, however they came about.
fn gist(decision: &Decision) -> (Reason, String, u64) {
    (decision.reason(), decision.posture().to_owned(), decision.revision())
}

fn check(document: &Json, bytes: &[u8]) {
    let limits = low_limits();
    let Some(bundle_of_it) = bundle(document, &limits) else { return };
    let now = now(document);
    let named = document["signals"].as_object().into_iter().flatten();
    let quorums = named.clone().filter_map(|(_, signal)| signal["quorum"]["of"].as_array()).flatten();
    let signals: Vec<&str> = named.map(|(name, _)| &**name).chain(quorums.filter_map(Json::as_str)).collect();
    let asked = bundle_of_it.tests().iter().take(CASES);
    let requests: Vec<Vec<u8>> = asked.map(|case| case.request.to_string().into_bytes()).collect();

    let whole = engine(&bundle_of_it, &limits, &signals, now);
    let decided = answers(&whole, &requests, now);
    for decision in &decided {
        let rule =
            document["rules"].as_array().into_iter().flatten().find(|rule| rule["id"].as_str() == decision.rule());
        match decision.reason() {
            Reason::AllowedByRule => {
                assert_eq!(rule.map(|rule| &rule["effect"]), Some(&json!("allow")), "{decision:?}")
            }
            Reason::DeniedByRule => assert_eq!(rule.map(|rule| &rule["effect"]), Some(&json!("deny")), "{decision:?}"),
            Reason::InternalError => panic!("{decision:?}"),
            _ => {}
        }
    }

    let blind = engine(&bundle_of_it, &limits, &[], now);
    let is_rego = document.get("rego").is_some_and(|rego| *rego != json!({}));
    for (more, less) in decided.iter().zip(answers(&blind, &requests, now)) {
        let declared = less.information_loss() || less.reason() == Reason::AllowedFailOpen || is_rego;
        assert!(
            more.is_allow() || !less.is_allow() || declared,
            "{less:?} without the signals, and {more:?} with them"
        );
    }

    let mut other = document.clone();
    if let Some(rules) = other["rules"].as_array_mut() {
        rules.reverse();
        let reversed = bundle(&other, &limits).expect("the order of the rules is no matter of the loader");
        let reversed = engine(&reversed, &limits, &signals, now);
        let gists: Vec<_> = answers(&reversed, &requests, now).iter().map(gist).collect();
        assert_eq!(gists, decided.iter().map(gist).collect::<Vec<_>>(), "with the rules in the other order");
    }
    if let Some(rules) = other["rules"].as_array_mut() {
        rules.push(json!({ "id": "nobody-does-anything", "effect": "deny" }));
    }
    if let Some(denied) = bundle(&other, &limits) {
        for decision in answers(&engine(&denied, &limits, &signals, now), &requests, now) {
            assert!(!decision.is_allow(), "{decision:?}, and a rule denies all");
        }
    }

    // The bytes say what the next bundle is that wants to take over.
    let mut next = document.clone();
    change(&mut next, &mut Program::of(bytes));
    let Some(next) = bundle(&next, &limits) else { return };
    let before = whole.overview(now);
    match whole.activate(next.clone().without_tests(), now) {
        Ok(()) => {
            assert_eq!(whole.bundle().map(|active| active.id()), Some(next.id()));
            assert!(next.revision() >= bundle_of_it.revision(), "an older revision took over");
        }
        Err(error) => {
            assert_eq!(whole.overview(now), before, "refused: {error}");
            assert_eq!(whole.bundle().map(|active| active.id()), Some(bundle_of_it.id()), "refused: {error}");
            let gists: Vec<_> = answers(&whole, &requests, now).iter().map(gist).collect();
            assert_eq!(gists, decided.iter().map(gist).collect::<Vec<_>>(), "refused: {error}");
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = serde_json::from_slice::<Json>(bytes) else { return };
    within(400, || check(&document, bytes));
});
