//! What a decision costs through C, beside the same in Rust: `make bench` builds both sides and runs this.
//!
//! The C side is a program of its own, linked to the shared library, that measures when it is told to. The two sides take
//! turns, and the medians of their rounds are compared, so that a machine that is busy slows both. Before anything is
//! measured each request must be decided alike.

#![allow(missing_docs, clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use fallgate::{Engine, Request};
use fallgate_benches::engine::{NOW, engine, prepared};
use fallgate_benches::floors::bytes;
use fallgate_benches::roles::{self, Grants, Kind};
use serde_json::Value;

#[path = "../generate/script.rs"]
mod script;

use script::Lines;

/// Rounds of each lane; the median of them counts.
const ROUNDS: usize = 15;

/// Walks through all requests in a round, as in benches/decide.c.
const WALKS: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let Some(runner) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) else {
        return Err("usage: decide RUNNER; `make bench` builds the runner".into());
    };
    println!("| workload | form | Rust, ns | C, ns | C / Rust | an empty C call, ns |");
    println!("|---|---|---|---|---|---|");
    for (name, kind, cached) in [
        ("W1", Kind::Roles, false),
        ("W1, cached", Kind::Roles, true),
        ("W2", Kind::Attributes, false),
        ("W2, cached", Kind::Attributes, true),
    ] {
        let document = roles::document(kind, &Grants::seeded(), cached);
        let requests = bytes(&roles::Request::seeded(), |request| request.to_json(kind));
        measure(name, &runner, &document, &requests)?;
    }
    Ok(())
}

fn measure(name: &str, runner: &str, document: &Value, requests: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
    let engine = engine(document)?;
    let typed = prepared(requests)?;
    let mut there = Runner::start(runner, document, requests, &typed)?;
    for form in ["arrays", "JSON"] {
        let (mut here_ns, mut there_ns, mut floor_ns) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (here, allowed_here) = round(&engine, &typed, requests, form);
            let (there_took, allowed_there) = there.round(form)?;
            if allowed_here != allowed_there {
                return Err(format!("{name}, {form}: {allowed_here} allowed in Rust, {allowed_there} in C").into());
            }
            here_ns.push(here);
            there_ns.push(there_took);
            floor_ns.push(there.round("floor")?.0);
        }
        let [here, there, floor] = [here_ns, there_ns, floor_ns].map(median);
        println!("| {name} | {form} | {here:.0} | {there:.0} | {:.2} | {floor:.1} |", there / here);
    }
    Ok(())
}

/// The nanoseconds of one decision in Rust, and how many requests are allowed.
fn round(engine: &Engine, typed: &[Request], requests: &[Vec<u8>], form: &str) -> (f64, usize) {
    let mut allowed = 0_usize;
    let start = Instant::now();
    for _ in 0..WALKS {
        for (request, bytes) in typed.iter().zip(requests) {
            let decision = match form {
                "arrays" => engine.decide(black_box(request), NOW),
                _ => engine.decide_json(black_box(bytes), NOW),
            };
            allowed = allowed.saturating_add(usize::from(decision.is_allow()));
        }
    }
    let decisions = typed.len().saturating_mul(WALKS).max(1);
    (start.elapsed().as_nanos() as f64 / decisions as f64, allowed / WALKS)
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The C side.
struct Runner {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Runner {
    fn start(runner: &str, document: &Value, requests: &[Vec<u8>], typed: &[Request]) -> Result<Self, Box<dyn Error>> {
        let mut lines = Lines::default();
        lines.line(&format!("at {} {}", NOW.monotonic.as_nanos(), NOW.wall.as_nanos()));
        lines.text(&document.to_string());
        lines.line(&requests.len().to_string());
        for (bytes, request) in requests.iter().zip(typed) {
            lines.text(std::str::from_utf8(bytes)?);
            lines.request(request);
        }
        let mut child = Command::new(runner).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().ok_or("no input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        input.write_all(&lines.0)?;
        Ok(Self { child, input, output })
    }

    fn round(&mut self, form: &str) -> Result<(f64, usize), Box<dyn Error>> {
        writeln!(self.input, "round {form}")?;
        self.input.flush()?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        let (took, allowed) = answer.trim().split_once(' ').ok_or("the runner ended")?;
        Ok((took.parse()?, allowed.parse()?))
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // It would end with its input; nobody waits for that.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
