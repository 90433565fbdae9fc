//! Random days of an engine, and what the oracle says of each step.
//!
//! `FALLGATE_ORACLE_STEPS` says how many steps are taken, one that is made of others as one; left out, ten thousand of fixed
//! days, which are some seventy thousand by their parts. `FALLGATE_ORACLE_SEED` takes the printed seed of new days again. A
//! day that differs is made smaller, and printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod composed;
mod controller;
mod people;
mod records;
mod rollouts;
mod steps;
mod world;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use fallgate::Reason;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use steps::{DAY, Pair, Step, day};

/// What the days met: each reason and how often, and how many answers were given again.
#[derive(Default)]
struct Met {
    steps: usize,
    /// The same, each that is made of others by its parts.
    single: usize,
    reasons: BTreeMap<Reason, usize>,
    again: usize,
    /// What else, as where rollouts stood after a step.
    besides: BTreeMap<&'static str, usize>,
}

/// Takes about that many steps of the days that come of a seed.
fn live(seed: [u8; 32], steps: usize) -> Met {
    let met = RefCell::new(Met::default());
    let config = Config {
        cases: u32::try_from(steps.div_ceil(DAY / 2)).unwrap(),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let outcome = runner.run(&day(), |steps| {
        let mut pair = Pair::new();
        for (at, step) in steps.iter().enumerate() {
            pair.take(*step).map_err(|differs| TestCaseError::fail(format!("step {at}, {step:?}: {differs}")))?;
        }
        pair.take(Step::Drain { confirm: false }).map_err(TestCaseError::fail)?;
        let mut met = met.borrow_mut();
        met.steps += steps.len();
        met.single += pair.single;
        met.again += pair.again;
        pair.met.iter().for_each(|(what, often)| *met.besides.entry(what).or_default() += often);
        pair.reasons.iter().for_each(|reason| *met.reasons.entry(*reason).or_default() += 1);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("with the seed {seed:?}: {error}");
    }
    let met = met.into_inner();
    let count: Vec<String> = met.reasons.iter().map(|(reason, count)| format!("{} {count}", reason.code())).collect();
    println!(
        "{} steps of {}; {}; {} given again; {:?}",
        met.steps,
        met.single,
        count.join(", "),
        met.again,
        met.besides
    );
    met
}

#[allow(clippy::disallowed_methods, reason = "how many steps, and from where, is for whoever runs the tests to say")]
fn asked(variable: &str) -> Option<serde_json::Value> {
    std::env::var(variable).ok().map(|said| serde_json::from_str(&said).expect("a number, or a list of them"))
}

fn steps() -> usize {
    asked("FALLGATE_ORACLE_STEPS").map_or(10_000, |steps| serde_json::from_value(steps).expect("how many"))
}

#[test]
fn the_engine_decides_as_the_oracle_on_fixed_days() {
    let met = live([9; 32], steps());
    // Days on which something never happens compare nothing of it.
    let apart = [Reason::InternalError, Reason::LimitExceeded];
    let missed = Reason::ALL.iter().filter(|reason| !apart.contains(reason) && !met.reasons.contains_key(reason));
    assert_eq!(missed.collect::<Vec<_>>(), [] as [&Reason; 0], "no day met these");
    let rollouts = ["a shadow", "a canary", "a candidate's answer", "stopped", "ended", "another bundle"];
    let wanted = rollouts.into_iter().chain(["an answer by Rego"]);
    assert_eq!(met.besides.keys().copied().collect::<BTreeSet<_>>(), wanted.collect());
    assert!(met.again > 0 && met.single > 10_000, "too little happened");
}

/// Days that nobody has seen before: what they find is work for somebody, and no reason to refuse a change that has nothing
/// to do with it. So they are built for `make test-nightly` alone.
#[cfg(feature = "new-days")]
#[test]
fn the_engine_decides_as_the_oracle_on_new_days() {
    use std::hash::{BuildHasher, Hasher};
    let mut seed = [0; 32];
    for (at, part) in seed.chunks_mut(8).enumerate() {
        let mut hasher = std::hash::RandomState::new().build_hasher();
        hasher.write_usize(at);
        part.copy_from_slice(&hasher.finish().to_be_bytes());
    }
    let seed = asked("FALLGATE_ORACLE_SEED").map_or(seed, |seed| serde_json::from_value(seed).expect("32 bytes"));
    println!("the seed of these days: {seed:?}");
    live(seed, steps());
}
