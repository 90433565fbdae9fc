//! `make bench-threads`: Fallgate and the hand-written floors, on one thread and on two.

use std::error::Error;

use fallgate::{Engine, Request};
use fallgate_benches::contest::{Label, Run};
use fallgate_benches::engine::{NOW, drain, engine, prepared, warm, with_audit};
use fallgate_benches::scaling::Threads;
use fallgate_benches::{failing, floors, many_rules, roles, roles_floor};
use serde_json::Value;

/// The size of W3.
const RULES: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let run = Run::from_arguments("threads")?;
    let grants = roles::Grants::seeded();
    for (name, kind) in [("W1", roles::Kind::Roles), ("W2", roles::Kind::Attributes)] {
        if run.wants(name) {
            let typed = roles::Request::seeded();
            let bytes = floors::bytes(&typed, |request| request.to_json(kind));
            let floor = roles_floor::Floor::new(kind, &grants);
            let world = World::new(|cached| roles::document(kind, &grants, cached), &bytes)?;
            let audited = with_audit(&roles::document(kind, &grants, false), "all")?;
            let mut threads = Threads::new(name);
            threads.lane(by_hand("prepared"), |at| floor.decide(&typed[at]));
            threads.lane(by_hand("bytes"), |at| floor.decide_bytes(&bytes[at]));
            world.lanes(&mut threads);
            let audit = |at: usize| audited.decide(&world.typed[at], NOW).is_allow();
            threads.lane_with_pauses(fallgate("audit all"), audit, || drain(&audited));
            threads.hold(run.is_timed())?;
        }
    }
    let name = format!("W3 at {RULES}");
    if run.wants(&name) {
        let rules = many_rules::Rule::seeded(RULES);
        let typed = many_rules::Request::seeded(RULES);
        let bytes = floors::bytes(&typed, many_rules::Request::to_json);
        let floor = many_rules::Floor::new(&rules);
        let world = World::new(|cached| many_rules::document(&rules, cached), &bytes)?;
        let mut threads = Threads::new(&name);
        threads.lane(by_hand("prepared"), |at| floor.decide(&typed[at]));
        threads.lane(by_hand("bytes"), |at| floor.decide_bytes(&bytes[at]));
        world.lanes(&mut threads);
        threads.hold(run.is_timed())?;
    }
    if run.wants("W5") {
        let mut threads = Threads::new("W5");
        failing::on_threads(&mut threads)?;
        threads.hold(run.is_timed())?;
    }
    Ok(())
}

fn by_hand(variant: &str) -> Label {
    Label::new("by hand", "Rust", variant, "")
}

fn fallgate(variant: &str) -> Label {
    Label::new("fallgate", env!("CARGO_PKG_VERSION"), variant, "")
}

/// A workload's engines, and what is asked of them.
struct World<'a> {
    fresh: Engine,
    cached: Engine,
    typed: Vec<Request>,
    bytes: &'a [Vec<u8>],
}

impl<'a> World<'a> {
    fn new(document: impl Fn(bool) -> Value, bytes: &'a [Vec<u8>]) -> Result<Self, Box<dyn Error>> {
        let typed = prepared(bytes)?;
        let cached = engine(&document(true))?;
        warm(&cached, &typed)?;
        Ok(Self { fresh: engine(&document(false))?, cached, typed, bytes })
    }

    fn lanes<'b>(&'b self, threads: &mut Threads<'b>) {
        for (engine, cached) in [(&self.fresh, ""), (&self.cached, "cached, ")] {
            let prepared = |at: usize| engine.decide(&self.typed[at], NOW).is_allow();
            threads.lane(fallgate(&format!("{cached}prepared")), prepared);
            let bytes = |at: usize| engine.decide_json(&self.bytes[at], NOW).is_allow();
            threads.lane(fallgate(&format!("{cached}bytes")), bytes);
        }
    }
}
