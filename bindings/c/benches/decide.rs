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
use fallgate_benches::contest::{Label, middle};
use fallgate_benches::engine::{NOW, engine, prepared};
use fallgate_benches::floors::bytes;
use fallgate_benches::record::{Lane, Record, quick};
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
    for (name, kind) in [("W1", Kind::Roles), ("W2", Kind::Attributes)] {
        let requests = bytes(&roles::Request::seeded(), |request| request.to_json(kind));
        let (mut lanes, mut allowed) = (Vec::new(), 0);
        for cached in ["", "cached, "] {
            let document = roles::document(kind, &Grants::seeded(), !cached.is_empty());
            let (measured, allows) = measure(name, cached, &runner, &document, &requests)?;
            lanes.extend(measured);
            allowed = allows;
        }
        Record::new(name, requests.len(), allowed, lanes)?.write("c")?;
    }
    Ok(())
}

/// The lanes of one bundle, and how many requests it allows.
fn measure(
    name: &str,
    cached: &str,
    runner: &str,
    document: &Value,
    requests: &[Vec<u8>],
) -> Result<(Vec<Lane>, usize), Box<dyn Error>> {
    let engine = engine(document)?;
    let typed = prepared(requests)?;
    let mut there = Runner::start(runner, document, requests, &typed)?;
    let (mut lanes, mut allowed) = (Vec::new(), 0);
    for (form, given) in [("arrays", "prepared"), ("JSON", "bytes")] {
        let variant = format!("{cached}{given}");
        let expected: String =
            typed.iter().map(|request| if engine.decide(request, NOW).is_allow() { '1' } else { '0' }).collect();
        if there.agree(form)? != expected {
            return Err(
                format!("{name}, {variant}: C and Rust do not agree on every request; nothing was timed").into()
            );
        }
        allowed = expected.matches('1').count();
        let rounds = if quick() { 2 } else { ROUNDS };
        let (mut here_ns, mut there_ns, mut floor_ns) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (here, allowed_here) = round(&engine, &typed, requests, form);
            let (there_took, allowed_there) = there.round(form)?;
            if allowed_here != allowed_there {
                return Err(format!("{name}, {variant}: {allowed_here} allowed in Rust, {allowed_there} in C").into());
            }
            here_ns.push(here);
            there_ns.push(there_took);
            floor_ns.push(there.round("floor")?.0);
        }
        let [here, there, floor] = [here_ns, there_ns, floor_ns].map(|rounds| middle(rounds).unwrap_or(f64::NAN));
        println!(
            "{name}, {variant}: Rust {here:.0} ns, C {there:.0} ns, {:.2}; an empty call {floor:.1} ns",
            there / here
        );
        let lane = |engine: &str, version: &str, timed: &str, time| {
            Lane::time(Label::new(engine, version, &variant, timed), time)
        };
        let version = env!("CARGO_PKG_VERSION");
        lanes.push(lane("Rust", version, "the decision, asked from Rust, and dropping it", here));
        lanes.push(lane("C", version, "the decision, asked from C through the shared library", there));
        lanes.push(lane("an empty call", "C", "a function of the library that only returns", floor));
    }
    Ok((lanes, allowed))
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

    fn agree(&mut self, form: &str) -> Result<String, Box<dyn Error>> {
        Ok(self.ask("agree", form)?.trim().to_owned())
    }

    fn round(&mut self, form: &str) -> Result<(f64, usize), Box<dyn Error>> {
        let answer = self.ask("round", form)?;
        let (took, allowed) = answer.trim().split_once(' ').ok_or("the runner ended")?;
        Ok((took.parse()?, allowed.parse()?))
    }

    fn ask(&mut self, what: &str, form: &str) -> Result<String, Box<dyn Error>> {
        writeln!(self.input, "{what} {form}")?;
        self.input.flush()?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // It would end with its input; nobody waits for that.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
