//! `make bench-load`: from a bundle's bytes to an engine that decides, for W3 at each size; and what a decision allocates.
//!
//! It has an allocator of its own, which counts, and so it is a program of its own.

use std::error::Error;
use std::hint::black_box;

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::{Config, Engine};
use fallgate_benches::contest::{Label, Run, elapsed, middle};
use fallgate_benches::counting::{Counting, allocations, live_bytes};
use fallgate_benches::engine::{NOW, engine, prepared, warm};
use fallgate_benches::record::{Lane, Record, quick};
use fallgate_benches::{REQUESTS, admission, floors, many_rules, roles};
use serde_json::Value;

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() -> Result<(), Box<dyn Error>> {
    let run = Run::from_arguments("load")?;
    for size in many_rules::SIZES {
        if run.wants("load") {
            load(&run, size)?;
        }
    }
    if run.wants("allocations") {
        counted(&run)?;
    }
    Ok(())
}

/// The engine as a host makes it from a file.
fn ready(bytes: &[u8]) -> Result<Engine, Box<dyn Error>> {
    let bundle = Bundle::from_json_within(bytes, &Trust::unsigned_for_development(), &Limits::DEFAULT)?;
    let engine = Engine::new(Config::default());
    engine.activate(bundle, NOW)?;
    Ok(engine)
}

fn load(run: &Run, size: usize) -> Result<(), Box<dyn Error>> {
    let bytes = many_rules::document(&many_rules::Rule::seeded(size), false).to_string().into_bytes();
    // Both must have read the same rules: they agree on every request.
    let (engine, floor) = (ready(&bytes)?, many_rules::Floor::from_bundle(&bytes)?);
    let typed = many_rules::Request::seeded(size);
    let requests = prepared(&floors::bytes(&typed, many_rules::Request::to_json))?;
    let mut allowed = 0;
    for (at, (request, typed)) in requests.iter().zip(&typed).enumerate() {
        let allows = engine.decide(request, NOW).is_allow();
        if allows != floor.decide(typed) {
            return Err(format!("load at {size}: request {at}: the engine and the floor do not agree").into());
        }
        allowed += usize::from(allows);
    }
    drop((engine, floor));
    println!("load at {size}: the engine and the floor agree on {} requests, {allowed} allowed", requests.len());
    if !run.is_timed() {
        return Ok(());
    }
    let rounds = if quick() { 1 } else { 5 };
    let (mut ours, mut by_hand, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let before = live_bytes();
        let mut engine = None;
        ours.push(elapsed(|| engine = ready(black_box(&bytes)).ok()).as_secs_f64() * 1e3);
        held.push((live_bytes() - before) as f64);
        drop(engine.ok_or("the bundle was read once, and not again")?);
        let mut floor = None;
        by_hand.push(elapsed(|| floor = many_rules::Floor::from_bundle(black_box(&bytes)).ok()).as_secs_f64() * 1e3);
        drop(floor.ok_or("the bundle was read once, and not again")?);
    }
    let lane = |engine: &str, version: &str, variant: &str, timed: &str, figures, unit: &str| {
        let label = Label::new(engine, version, variant, timed);
        middle(figures).map(|value| Lane { label, value, unit: unit.into() }).ok_or("no round")
    };
    let version = env!("CARGO_PKG_VERSION");
    let text = bytes.len() as f64;
    let beyond = held.iter().map(|held| (held - text) / size as f64).collect();
    let reading = "reading the bundle's JSON, making the engine, activating";
    let figures = vec![
        lane("by hand", "Rust", "time", "parsing the bundle's JSON into the floor's table", by_hand, "ms")?,
        lane("fallgate", version, "time", reading, ours, "ms")?,
        lane("fallgate", version, "memory beyond the text", "", beyond, "bytes")?,
        lane("fallgate", version, "the text of a rule", "", vec![text / size as f64], "bytes")?,
    ];
    for Lane { label, value, unit } in &figures {
        println!("load at {size}: {}: {value:.1} {unit}", label.name());
    }
    Record::new(&format!("load at {size}"), REQUESTS, allowed, figures)?.write("load")
}

/// What one decision allocates at most, on each path.
fn counted(run: &Run) -> Result<(), Box<dyn Error>> {
    let grants = roles::Grants::seeded();
    let mut figures = Vec::new();
    for (name, kind) in [("W1", roles::Kind::Roles), ("W2", roles::Kind::Attributes)] {
        let bytes = floors::bytes(&roles::Request::seeded(), |request| request.to_json(kind));
        for cached in [false, true] {
            figures.push(most(name, &roles::document(kind, &grants, cached), &bytes, cached)?);
        }
    }
    let rules = many_rules::Rule::seeded(10_000);
    let bytes = floors::bytes(&many_rules::Request::seeded(10_000), many_rules::Request::to_json);
    for cached in [false, true] {
        figures.push(most("W3 at 10000", &many_rules::document(&rules, cached), &bytes, cached)?);
    }
    let bytes = floors::bytes(&admission::requests(), Clone::clone);
    figures.push(most("W4", &admission::document(), &bytes, false)?);
    if run.is_timed() {
        Record::new("allocations", 0, 0, figures)?.write("load")?;
    }
    Ok(())
}

fn most(workload: &str, document: &Value, bytes: &[Vec<u8>], cached: bool) -> Result<Lane, Box<dyn Error>> {
    let (engine, requests) = (engine(document)?, prepared(bytes)?);
    match cached {
        true => warm(&engine, &requests)?,
        // A thread's first decision may set up what the snapshot's reader keeps for it.
        false => drop(requests.first().map(|request| engine.decide(request, NOW))),
    }
    let counts = requests.iter().map(|request| allocations(|| drop(engine.decide(black_box(request), NOW))));
    let most = counts.max().unwrap_or_default();
    let variant = format!("{workload}, {}prepared", if cached { "cached, " } else { "" });
    println!("allocations: {variant}: {most} at most");
    let label = Label::new("fallgate", env!("CARGO_PKG_VERSION"), &variant, "");
    Ok(Lane { label, value: most as f64, unit: "allocations".into() })
}
