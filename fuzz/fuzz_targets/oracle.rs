//! A day of an engine against the specification: the oracle, which has no cache, no index and nothing that it keeps ready, says the
//! same of every step.
//!
//! The steps are those of `oracle/tests/days`, which draws them at random. Here the fuzzer's bytes say which one comes next, so that
//! what a day reached leads to the next one.
#![no_main]

#[path = "../../oracle/tests/days/composed.rs"]
mod composed;
#[path = "../../oracle/tests/days/controller.rs"]
mod controller;
#[path = "../../oracle/tests/days/people.rs"]
mod people;
#[path = "../../oracle/tests/days/records.rs"]
mod records;
#[path = "../../oracle/tests/days/rollouts.rs"]
mod rollouts;
#[path = "../../oracle/tests/days/steps.rs"]
#[allow(dead_code, reason = "the tests of the oracle count what the days met")]
mod steps;
#[path = "../../oracle/tests/days/world.rs"]
mod world;

use composed::{ROUNDS, parts};
use controller::{SAYINGS, Sent};
use fallgate_fuzz::bound::within;
use fallgate_fuzz::program::Program;
use libfuzzer_sys::fuzz_target;
use people::{CHANGES, CODES, PEOPLE};
use rollouts::TERMS;
use steps::{DAY, Pair, Step};
use world::{Asked, Genes, POSTURES, RULES, RULES_IN_REGO, SCOPES, SIGNALS, WAYS};

fn genes(program: &mut Program<'_>) -> Genes {
    let secs = |program: &mut Program<'_>| i64::from(program.byte());
    let valid = program.once_in(3).then(|| (secs(program) % 50 - 20, 31 + secs(program) % 90));
    let bits = |of: u32, program: &mut Program<'_>| (program.number() & ((1 << of) - 1)) as u32;
    let (revision, rules, ways) = (1 + u64::from(program.byte() % 4), bits(RULES, program), bits(WAYS, program));
    let rollout = program.once_in(2).then(|| bits(TERMS, program));
    let rego = if program.once_in(4) { bits(RULES_IN_REGO, program) } else { 0 };
    Genes { revision, valid, rules, ways, rollout, rego }
}

fn asked(program: &mut Program<'_>) -> Asked {
    let (action, subject, resource) = (program.byte() % 6, program.byte() % 6, program.byte() % 6);
    Asked {
        action,
        subject,
        resource,
        rank: program.byte() % 5,
        terms: program.byte() % 30,
        flaw: program.byte() % 100,
    }
}

/// Most messages come when it is their turn, and say what the controller says.
fn sent(program: &mut Program<'_>) -> Sent {
    let astray = program.once_in(4);
    let aside =
        |program: &mut Program<'_>, to: i64| if astray { i64::from(program.byte()) % (2 * to + 1) - to } else { 0 };
    Sent {
        epoch: aside(program, 1),
        ahead: aside(program, 3),
        age_ms: aside(program, 16) * 1_000,
        says: program.below(SAYINGS + 1),
        other: astray && program.once_in(2),
    }
}

fn step(program: &mut Program<'_>) -> Step {
    let around = |program: &mut Program<'_>| (i64::from(program.byte()) - 128) * 61;
    let (by, back) = (program.below(PEOPLE.len()), program.below(3));
    let (posture, scope) = (program.below(POSTURES.len()), program.below(SCOPES.len()));
    match program.below(36) {
        0..=3 => Step::Pass { ms: program.millis(), nanos: u64::from(program.byte() / 200) * 77_777 },
        4 => Step::PutWall { ms: around(program) },
        5 => Step::PutMonotonic { back_ms: program.millis() / 2 },
        6 => Step::Anchor,
        7 => Step::Advance,
        8 => Step::Activate(genes(program)),
        9..=10 => {
            let at = program.once_in(4).then(|| around(program) / 2);
            Step::Observe { signal: program.below(SIGNALS.len()), status: program.byte() % 4, at }
        }
        11..=12 => Step::ObserveAll { but: program.below(SIGNALS.len() + 1) },
        13..=15 => Step::Ask(asked(program)),
        16 => Step::AskAgain { back: program.below(6) },
        17 => Step::AskAndFail { asked: asked(program), signal: program.below(SIGNALS.len()) },
        18 => Step::Carry { change: program.below(CHANGES) },
        19 => match program.below(3) {
            0 => Step::Enter { posture, scope },
            1 => Step::Leave { posture, scope },
            _ => Step::Acknowledge { posture, scope },
        },
        20 => Step::Quarantine {
            what: program.below(12),
            secs: (!program.once_in(4)).then(|| u64::from(program.byte() % 8)),
            absolute: program.once_in(2),
        },
        21 => Step::Lift { what: program.below(12) },
        22 => Step::Revoke { subject: program.byte() % 4, ago_ms: program.once_in(2).then(|| program.millis()) },
        23 => {
            let life_ms = if program.once_in(4) { 1_000 + around(program).abs() } else { 3_600_000 };
            let (age_ms, code) = (i64::from(program.byte() / 200) * 900, program.byte() % CODES);
            Step::Propose { change: program.below(CHANGES), by, age_ms, life_ms, code }
        }
        24 => match program.below(4) {
            0 => Step::Withdraw { back, by, code: program.byte() % CODES },
            1 => Step::RevokeOverride { back },
            _ => Step::Approve { back, by, code: program.byte() % CODES },
        },
        25 => Step::Control(sent(program)),
        26 => Step::Drain { confirm: program.once_in(2) },
        27 => match program.below(2) {
            0 => Step::Begin(asked(program)),
            _ => Step::Confirm { back },
        },
        28 => Step::AskTwice(asked(program)),
        29 => Step::Call { outcome: program.byte() % 5 },
        30 => Step::Report { back: program.below(4), outcome: program.byte() % 5 },
        31 => match program.below(8) {
            0 => Step::Force { open: program.once_in(2) },
            _ => Step::Acquire,
        },
        32 => match program.below(7) {
            0 => Step::TakeOver,
            1 => Step::Resign,
            2 => Step::Guess { times: program.below(7), code: program.byte() % CODES },
            3 => Step::Succeed { change: 2 + program.below(2), genes: genes(program) },
            4 => Step::Fence {
                posture: program.below(2),
                rival: program.once_in(2),
                restart: program.once_in(2),
                signal: program.below(SIGNALS.len()),
            },
            5 => Step::Fill(asked(program)),
            _ => Step::Witness { above: i64::from(program.byte() % 4) - 1, other: program.once_in(2) },
        },
        33 => match program.below(7) {
            0 => Step::RollBack,
            1 => Step::Return { back: program.below(4) },
            2 => Step::Clear { genes: genes(program), parts: program.once_in(4) },
            3 => Step::Stage(genes(program)),
            4 => Step::Back { genes: genes(program) },
            _ => Step::Promote,
        },
        34 => Step::Roll {
            genes: genes(program),
            asked: [asked(program), asked(program)],
            approved_after: program.below(3 * ROUNDS),
            fails: program.below(SIGNALS.len()),
        },
        _ => match program.below(4) {
            0 => {
                let genes = program.once_in(3).then(|| genes(program));
                Step::Restart {
                    down_ms: around(program).abs(),
                    genes,
                    spoil: program.once_in(8).then(|| program.below(60_000)),
                }
            }
            _ => Step::Flag { flag: program.below(3), set: program.once_in(2) },
        },
    }
}

/// The oracle goes through all that it was told for every question: how long that takes grows with the square of the steps.
const SINGLE_STEPS: usize = 300;

fn single_steps(step: Step) -> usize {
    parts(step).map_or(1, |parts| parts.into_iter().map(single_steps).sum())
}

fuzz_target!(|bytes: &[u8]| {
    within(200, || {
        let mut program = Program::of(bytes);
        let mut pair = Pair::new();
        let mut first = Some(Step::Activate(Genes { valid: None, ..genes(&mut program) }));
        let mut taken = Vec::with_capacity(DAY);
        let mut single = 0;
        while single < SINGLE_STEPS && taken.len() < DAY && !program.is_over() {
            let step = first.take().unwrap_or_else(|| step(&mut program));
            taken.push(step);
            single += single_steps(step);
            if let Err(differs) = pair.take(step) {
                // What comes of one step often began in another.
                panic!("{taken:?}\nthe last of these steps: {differs}");
            }
        }
        // What was decided last has its record too.
        if let Err(differs) = pair.take(Step::Drain { confirm: false }) {
            panic!("{differs}");
        }
    });
});
