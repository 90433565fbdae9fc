//! `fallgate chaos`: random days of faults, and theorems that hold at every step of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fallgate::drill::{Drill, DrillReport};
use fallgate::error::quoted;
use fallgate::policy::bundle::{Bundle, hexadecimal};
use sha2::{Digest, Sha256};

use super::build::write_whole;
use super::{compile_trusting, counted, read_drill};
use crate::arguments::Chaos;
use crate::chaos::dice::Dice;
use crate::chaos::theorems::{Never, THEOREMS, Violation, fork, loss, same};
use crate::chaos::world::World;
use crate::chaos::{Day, lived, shrink, weather};
use crate::console::{Colours, Console, Exit, Failure, Paint, painted};
use crate::finding::Finding;
use crate::pack::drill_files;
use crate::progress::Progress;
use crate::reading::shown;

/// The most days that are lived to make a failing one smaller.
const TRIES_MAX: u32 = 4_000;

pub(super) fn run(chaos: &Chaos, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let never: Vec<Never> =
        chaos.never.iter().map(|(action, reason)| never(action, reason)).collect::<Result<_, _>>()?;
    let compiled = compile_trusting(&chaos.pack, &chaos.trusting)?;
    let bundle = &compiled.bundle;
    for unwanted in &never {
        if bundle.policy().action(&unwanted.action).is_none() {
            return Err(Failure::Usage(format!("the pack has no action {}", quoted(&unwanted.action))));
        }
    }
    let drills = if chaos.pack.is_dir() { drills_of(&chaos.pack)? } else { Vec::new() };
    let world = World::of(bundle, &drills);
    if world.requests.is_empty() {
        let finding = Finding::unreadable(format!("{} has no case and no drill with a request", bundle.name()));
        return Err(finding.help("write one: chaos asks what the pack's own cases and drills ask").into());
    }
    let mut outcome = Outcome::default();
    // A seed's days are its own: the second day of one seed is no other seed's first.
    for number in 0..chaos.days {
        let seed = Sha256::digest([chaos.seed.to_be_bytes(), number.to_be_bytes()].concat());
        let seed = seed.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let day = weather::day(&world, seed, chaos.hours);
        if let Some((day, violation)) = live(&day, seed, bundle, &world, chaos.forks, &never, &mut outcome, console)? {
            told(chaos, bundle, &outcome, console)?;
            return failed(chaos, bundle, &day, &violation, &never, console, colours);
        }
    }
    told(chaos, bundle, &outcome, console)?;
    let held = painted("every theorem held", Paint::Good, colours.out);
    let names: Vec<&str> = THEOREMS.iter().map(|(name, _)| *name).collect();
    writeln!(console.out, "{held}: {}", names.join(", "))?;
    Ok(Exit::Fine)
}

fn never(action: &str, reason: &str) -> Result<Never, Failure> {
    if fallgate::Reason::ALL.iter().all(|known| known.code() != reason) {
        return Err(Failure::Usage(format!("{} is no reason; `docs/errors.md` lists them", quoted(reason))));
    }
    Ok(Never { action: action.to_owned(), reason: reason.to_owned() })
}

fn drills_of(pack: &Path) -> Result<Vec<Drill>, Failure> {
    drill_files(pack)?.iter().map(|path| Ok(read_drill(path)?.drill)).collect()
}

/// What all days came to.
#[derive(Debug, Default)]
struct Outcome {
    steps: usize,
    reasons: BTreeMap<&'static str, usize>,
    faults: BTreeMap<&'static str, usize>,
    forks: u32,
    timeline: Sha256,
    decisions: Sha256,
}

impl Outcome {
    fn add(&mut self, day: &Day, report: &DrillReport) {
        self.steps = self.steps.saturating_add(report.steps.len());
        for decision in report.steps.iter().filter_map(|step| step.decision.as_ref()) {
            let count = self.reasons.entry(decision.reason().code()).or_default();
            *count = count.saturating_add(1);
        }
        for (what, count) in &day.faults {
            let all = self.faults.entry(what).or_default();
            *all = all.saturating_add(*count);
        }
        self.timeline.update(serde_json::Value::from(day.steps.clone()).to_string());
        self.decisions.update(report.decisions_hash);
    }
}

/// Lives a day and its forks. What did not hold, with the day in which it did not.
#[expect(clippy::too_many_arguments, reason = "a day has its seed, its world, its questions and its output")]
fn live(
    day: &Day,
    seed: u64,
    bundle: &Bundle,
    world: &World,
    forks: u32,
    never: &[Never],
    outcome: &mut Outcome,
    console: &mut Console<'_>,
) -> Result<Option<(Day, Violation)>, Failure> {
    let mistake = |error: fallgate::error::Diagnostic| Failure::Usage(format!("the weather made no drill: {error}"));
    let (report, violation) = lived(day, bundle, never).map_err(mistake)?;
    outcome.add(day, &report);
    if let Some(violation) = violation.or_else(|| same(day, bundle, &report)) {
        return Ok(Some((day.clone(), violation)));
    }
    let mut progress = Progress::new(u64::from(forks), console.err_is_terminal);
    let mut dice = Dice::seeded(seed.wrapping_add(1));
    for _ in 0..forks {
        let Some((forked, _)) = fork(day, &report, &world.signals, &mut dice) else { break };
        outcome.forks = outcome.forks.saturating_add(1);
        if let Some(violation) = loss(&forked, bundle) {
            progress.finish();
            return Ok(Some((forked, violation)));
        }
        progress.advance();
    }
    progress.finish();
    Ok(None)
}

fn told(chaos: &Chaos, bundle: &Bundle, outcome: &Outcome, console: &mut Console<'_>) -> std::io::Result<()> {
    let listed = |counts: &BTreeMap<&'static str, usize>| {
        let all: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
        all.join(", ")
    };
    let days = counted(usize::try_from(chaos.days).unwrap_or(usize::MAX), "day");
    writeln!(
        console.out,
        "chaos of {} revision {}, seed {}: {days} of {} hours, {} steps",
        bundle.name(),
        bundle.revision(),
        chaos.seed,
        chaos.hours,
        outcome.steps
    )?;
    writeln!(console.out, "  faults: {}", listed(&outcome.faults))?;
    writeln!(console.out, "  answers: {}", listed(&outcome.reasons))?;
    writeln!(console.out, "  denies asked again with more lost: {}", outcome.forks)?;
    writeln!(console.out, "  timeline sha256:{}", hexadecimal(&outcome.timeline.clone().finalize()))?;
    writeln!(console.out, "  answers sha256:{}", hexadecimal(&outcome.decisions.clone().finalize()))
}

/// Makes the failing day small, and writes it as a drill.
fn failed(
    chaos: &Chaos,
    bundle: &Bundle,
    day: &Day,
    violation: &Violation,
    never: &[Never],
    console: &mut Console<'_>,
    colours: Colours,
) -> Result<Exit, Failure> {
    let upto = day.steps.iter().take(violation.step.saturating_add(1)).cloned().collect();
    let day = day.with(upto);
    let fails = |day: &Day| broken(day, bundle, never).is_some_and(|found| found.theorem == violation.theorem);
    let mut progress = Progress::new(u64::from(TRIES_MAX), console.err_is_terminal);
    let mut tries = 0_u32;
    let small = match violation.theorem {
        // What differs from one life to the next would lead the search anywhere.
        "same" => day,
        _ => shrink::smallest(&day, &fails, &mut || {
            tries = tries.saturating_add(1);
            progress.advance();
            tries < TRIES_MAX
        }),
    };
    progress.finish();
    let meaning = THEOREMS.iter().find(|(name, _)| *name == violation.theorem).map_or("", |(_, meaning)| meaning);
    let path = chaos.output.clone().unwrap_or_else(|| PathBuf::from(format!("chaos-{}.yaml", chaos.seed)));
    let title = format!("chaos, seed {}: `{}` does not hold: {}", chaos.seed, violation.theorem, violation.seen);
    write_whole(&path, drill_text(&title, &chaos.pack, &small).as_bytes())?;
    let word = painted("does not hold", Paint::Bad, colours.out);
    writeln!(console.out, "`{}` {word}: {meaning}", violation.theorem)?;
    writeln!(console.out, "  {}", violation.seen)?;
    writeln!(console.out, "  the smallest day found has {}: {}", counted(small.steps.len(), "step"), shown(&path))?;
    Ok(Exit::Denied)
}

/// What does not hold in a day by itself, or by its last step as a fork.
fn broken(day: &Day, bundle: &Bundle, never: &[Never]) -> Option<Violation> {
    let (report, violation) = lived(day, bundle, never).ok()?;
    // A fork is only one while the step without its losses is denied.
    violation.or_else(|| {
        let last = report.steps.last()?;
        let mut whole = day.clone();
        if let Some(step) = whole.steps.last_mut().and_then(serde_json::Value::as_object_mut) {
            step.remove("observe");
            step.remove("restart");
        }
        let (before, _) = lived(&whole, bundle, never).ok()?;
        let denied = before.steps.last()?.decision.as_ref()?.effect() == fallgate::Effect::Deny;
        (denied && last.decision.is_some()).then(|| loss(day, bundle)).flatten()
    })
}

/// A day as a drill's file: a step a line, each as JSON, which YAML reads.
fn drill_text(title: &str, pack: &Path, day: &Day) -> String {
    let mut text = format!("drill: {}\n", serde_json::Value::from(title));
    text.push_str(&format!("pack: {}\n", serde_json::Value::from(absolute(pack))));
    text.push_str(&format!("keys: {}\nsteps:\n", serde_json::json!(day.keys)));
    for step in &day.steps {
        text.push_str(&format!("  - {step}\n"));
    }
    text
}

/// The pack's folder, so that the drill finds it wherever it is put.
fn absolute(pack: &Path) -> String {
    std::path::absolute(pack).unwrap_or_else(|_| pack.to_owned()).display().to_string()
}
