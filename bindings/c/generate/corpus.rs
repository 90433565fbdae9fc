//! Replays the corpus of all languages through C: `c-corpus CORPUS.json RUNNER`.
//!
//! The runner is `tests/corpus.c`, linked to an installed library; it reads calls as lines and answers each decision
//! and each operation with a line. This program writes those lines from the corpus, so that C needs no reader of JSON, and compares the answers.
//! Each timeline runs twice: on the JSON of its requests, and on arrays where a request has the form of one.

use std::error::Error;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use fallgate::Request;
use fallgate::drill::parse_status;
use fallgate::limits::Limits;
use fallgate::policy::bundle::hexadecimal;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

mod script;

use script::Lines;

/// The key of an engine that has none.
const NO_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [corpus, runner] = arguments.as_slice() else {
        eprintln!("usage: c-corpus CORPUS.json RUNNER");
        return ExitCode::from(2);
    };
    match replay(corpus, runner) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("c-corpus: {error}");
            ExitCode::FAILURE
        }
    }
}

fn replay(corpus: &str, runner: &str) -> Result<String, Box<dyn Error>> {
    let bytes = std::fs::read(corpus)?;
    let document: Json = serde_json::from_slice(&bytes)?;
    let mut hashes = Vec::new();
    let mut steps = 0;
    for in_arrays in [false, true] {
        let script = Script::of(&document, in_arrays)?;
        if in_arrays && script.in_arrays < script.decided / 2 {
            return Err(format!("only {} of {} requests are in arrays", script.in_arrays, script.decided).into());
        }
        let answers = answers(runner, &script.lines.0)?;
        let answers: Vec<&str> = answers.lines().collect();
        if answers.len() != script.expected.len() {
            return Err(format!("{} answers to {} calls", answers.len(), script.expected.len()).into());
        }
        let mut decisions = Sha256::new();
        for (at, (answer, expected)) in answers.iter().zip(&script.expected).enumerate() {
            let answer: Json = serde_json::from_str(answer)?;
            if answer != *expected {
                return Err(format!("answer {at} in C is {answer}\nand should be {expected}").into());
            }
            // What an operation came to is compared, and only the decisions are digested, as in every language.
            if answer.get("decision").is_some() {
                decisions.update(answer.to_string());
                decisions.update(b"\n");
            }
        }
        hashes.push(hexadecimal(&decisions.finalize()));
        steps = script.steps;
    }
    match hashes.as_slice() {
        [json, arrays] if json == arrays => {
            Ok(format!("steps {steps} corpus {} decisions {json}", hexadecimal(&Sha256::digest(&bytes))))
        }
        _ => Err("arrays are decided otherwise than JSON".into()),
    }
}

/// What the runner answers to a script.
fn answers(runner: &str, script: &[u8]) -> Result<String, Box<dyn Error>> {
    let mut child = Command::new(runner).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or("the runner has no input")?;
    // The runner answers while it reads: whoever wrote all first could wait for ever.
    let output = std::thread::scope(|scope| {
        let writer = scope.spawn(move || input.write_all(script));
        let output = child.wait_with_output();
        (output, writer.join())
    });
    let output = output.0?;
    if !output.status.success() {
        return Err(format!("the runner ended with {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The lines for the runner, and what it should answer.
#[derive(Default)]
struct Script {
    lines: Lines,
    expected: Vec<Json>,
    steps: usize,
    decided: usize,
    in_arrays: usize,
}

impl Script {
    fn of(document: &Json, in_arrays: bool) -> Result<Self, Box<dyn Error>> {
        let mut script = Self::default();
        for pack in list(document, "packs")? {
            let bundle = pack.get("bundle").and_then(Json::as_str).ok_or("a pack has no bundle")?;
            script.lines.line("bundle");
            script.lines.text(bundle);
            for timeline in list(pack, "timelines")? {
                let config = timeline.get("config").ok_or("a timeline has no config")?;
                let setting = |name: &str| config.get(name).and_then(Json::as_str);
                script.lines.line("engine");
                script.lines.text(setting("state_key").ok_or("a timeline has no key")?);
                // Zeros and nothing for what the timeline leaves out: the runner takes both for the default.
                script.lines.text(setting("audit_key").unwrap_or(NO_KEY));
                script.lines.text(
                    &config
                        .get("audit_entries_max")
                        .and_then(Json::as_u64)
                        .map(|max| max.to_string())
                        .unwrap_or_default(),
                );
                script.lines.text(setting("trust").unwrap_or_default());
                script.lines.text(setting("instance").ok_or("a timeline names no engine")?);
                for call in list(timeline, "operations")? {
                    script.call(call, in_arrays)?;
                }
            }
        }
        Ok(script)
    }

    fn call(&mut self, call: &Json, in_arrays: bool) -> Result<(), Box<dyn Error>> {
        self.steps = self.steps.saturating_add(1);
        let clock =
            |name: &str| call.pointer(&format!("/at/{name}")).and_then(Json::as_str).ok_or("a call has no time");
        let at = format!("at {} {}", clock("monotonic_ns")?, clock("wall_ns")?);
        self.lines.line(&at);
        if call.get("activate").is_some() {
            self.lines.line("activate");
        } else if call.get("advance").is_some() {
            self.lines.line("advance");
        } else if call.get("anchor_clocks").is_some() {
            self.lines.line("anchor");
        } else if let Some(observed) = call.get("observe") {
            let word = observed.get("status").and_then(Json::as_str).and_then(parse_status).ok_or("no status")?;
            let at = observed.get("observed_at_ns").and_then(Json::as_str).unwrap_or("-");
            self.lines.line(&format!("observe {} {at}", word as u32));
            self.lines.text(observed.get("signal").and_then(Json::as_str).ok_or("no signal")?);
        } else if let Some(restarted) = call.get("restart") {
            self.lines.line("restart");
            self.lines.text(restarted.get("instance").and_then(Json::as_str).ok_or("a restart names no engine")?);
        } else if let Some(operation) = call.get("operate") {
            self.lines.line("operate");
            self.lines.text(&operation.to_string());
            let told = |name: &str| call.get(name).ok_or("an operation has no outcome");
            self.expected.push(json!({ "outcome": told("outcome")?, "because": told("because")? }));
        } else if let Some(request) = call.get("decide") {
            self.decide(request, in_arrays);
            self.decided = self.decided.saturating_add(1);
            self.expected.push(call.get("decision").ok_or("no decision is expected")?.clone());
        } else {
            return Err(format!("a call that C does not know: {call}").into());
        }
        Ok(())
    }

    fn decide(&mut self, request: &Json, in_arrays: bool) {
        let text = request.as_str().map_or_else(|| request.to_string(), str::to_owned);
        match Request::from_json(text.as_bytes(), &Limits::DEFAULT) {
            Ok(request) if in_arrays => {
                self.in_arrays = self.in_arrays.saturating_add(1);
                self.lines.line("arrays");
                self.lines.request(&request);
            }
            _ => {
                self.lines.line("json");
                self.lines.text(&text);
            }
        }
    }
}

fn list<'a>(json: &'a Json, name: &str) -> Result<&'a [Json], Box<dyn Error>> {
    Ok(json.get(name).and_then(Json::as_array).ok_or_else(|| format!("the corpus has no `{name}`"))?)
}
