//! The engine under schedules that are tried one after the other: who goes on next is chosen by a scheduler, at each step of
//! a lock, a cell or a table that threads share (docs/decisions/0035-threads-explored.md). `make test-schedules` runs them.
//!
//! Each scenario is run in many orders: by chance, by chance with few changes of priority, and where it says so in every order
//! that there is. An order that breaks it is printed, and `shuttle::replay` plays it again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test fails by panicking"
)]

#[path = "schedules/cells.rs"]
mod cells;
#[path = "schedules/locks.rs"]
mod locks;
#[path = "schedules/once.rs"]
mod once;
#[path = "schedules/records.rs"]
mod records;
#[path = "schedules/states.rs"]
mod states;

use std::sync::Arc;

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Engine};
use serde_json::{Value, json};
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Runner, thread};

const START: Now = Now::new(Monotonic::ZERO, Wall::from_millis(1_767_225_600_000));

fn at(millis: u64) -> Now {
    START.after(Ttl::from_millis(millis))
}

/// How many orders are tried of a scenario: of each kind so many. `FALLGATE_SCHEDULES` says another number.
const ORDERS: usize = 300;

/// Of the kind that changes priorities: so often in one order, at the most.
const CHANGES: [usize; 2] = [2, 4];

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

fn orders() -> usize {
    from_environment("FALLGATE_SCHEDULES").map_or(ORDERS, |orders| usize::try_from(orders).unwrap())
}

/// By which numbers they are chosen. `FALLGATE_SCHEDULES_SEED` says others.
fn seed() -> u64 {
    from_environment("FALLGATE_SCHEDULES_SEED").unwrap_or(35)
}

/// Runs a scenario in orders that are chosen by chance.
fn in_many_orders(scenario: impl Fn() + Send + Sync + 'static) {
    let scenario = Arc::new(scenario);
    run(RandomScheduler::new_from_seed(seed(), orders()), &scenario);
    for changes in CHANGES {
        run(PctScheduler::new_from_seed(seed(), changes, orders()), &scenario);
    }
}

/// Runs a scenario in every order that there is, which must be no more than so many.
fn in_every_order(most: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let orders = run(DfsScheduler::new(Some(most), false), &Arc::new(scenario));
    assert!(orders < most, "there are more than {most} orders: not all were tried");
    println!("{orders} orders, and there are no others");
}

fn run(scheduler: impl Scheduler + 'static, scenario: &Arc<impl Fn() + Send + Sync + 'static>) -> usize {
    let scenario = Arc::clone(scenario);
    let mut config = shuttle::Config::new();
    // A decision in a build for tests takes more than the 32 KiB that a thread has by default.
    config.stack_size = 1 << 20;
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(move || scenario())
}

fn bundle(document: &Value) -> Bundle {
    Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .unwrap_or_else(|error| panic!("{:#?}", error.diagnostics()))
}

/// An engine whose cache has one part, so that its threads meet there.
fn small() -> Config {
    let mut config = Config::default();
    config.limits.cache_entries_max = 1;
    config
}

fn engine_of(pack: &Bundle, config: Config) -> Engine {
    let engine = Engine::new(config);
    engine.activate(pack.clone(), START).unwrap();
    engine
}

fn request(who: &str, action: &str) -> Vec<u8> {
    let request = json!({
        "subject": {"type": "user", "id": who}, "action": {"name": action}, "resource": {"type": "doc", "id": "d"},
    });
    request.to_string().into_bytes()
}

/// Runs each of these in a thread of its own, and waits for all.
fn beside_one_another(threads: Vec<Box<dyn Fn() + Send + '_>>) {
    thread::scope(|scope| {
        for work in threads {
            scope.spawn(work);
        }
    });
}
