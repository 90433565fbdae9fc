//! A contest: several engines on the same requests, which must all agree before any of them is timed.
//!
//! A fast engine that answers wrongly has measured nothing. So [`Contest::agree`] first puts every request to every
//! engine and ends the run at the first disagreement.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use criterion::{Bencher, Criterion};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::REQUESTS;
use crate::record::{self, Lane as Figure, Record};

/// After how many decisions a lane with pauses has one.
const PAUSE_AFTER: u64 = 1_024;

/// How long a lane is timed: in rounds, in turn with the others, so that a noisy minute does not fall on one of them alone.
#[derive(Clone, Copy, Debug)]
struct Pace {
    rounds: usize,
    warm_up: Duration,
    measured: Duration,
    samples: usize,
}

impl Pace {
    fn now() -> Self {
        match record::quick() {
            true => Self::of(1, 20, 40, 10),
            false => Self::of(3, 300, 700, 20),
        }
    }

    const fn of(rounds: usize, warm_up_ms: u64, measured_ms: u64, samples: usize) -> Self {
        let (warm_up, measured) = (Duration::from_millis(warm_up_ms), Duration::from_millis(measured_ms));
        Self { rounds, warm_up, measured, samples }
    }
}

/// What a lane measures; printed with each result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Label {
    /// The engine's name.
    pub engine: String,
    /// Its version.
    pub version: String,
    /// What it is given: `prepared`, `bytes`, `cached` ….
    pub variant: String,
    /// What is inside the timed region.
    pub timed: String,
}

impl Label {
    /// A label from its four words.
    #[must_use]
    pub fn new(engine: &str, version: &str, variant: &str, timed: &str) -> Self {
        Self { engine: engine.into(), version: version.into(), variant: variant.into(), timed: timed.into() }
    }

    /// The engine and what it is given.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}, {}", self.engine, self.variant)
    }

    /// The name under which criterion keeps the result of a round.
    #[must_use]
    pub fn id(&self, round: usize) -> String {
        format!("{}, {}, round {}", self.engine, self.variant, round + 1)
    }
}

/// What the lanes of a contest agreed on.
#[derive(Clone, Copy, Debug)]
pub struct Agreement {
    /// How many requests all of them gave the same answer to.
    pub requests: usize,
    /// How many of those were allowed.
    pub allowed: usize,
}

struct Lane<'a> {
    label: Label,
    decide: Box<dyn Fn(usize) -> bool + 'a>,
    time: Box<dyn Fn(&mut Bencher<'_>) + 'a>,
}

/// Several engines on one workload.
pub struct Contest<'a> {
    workload: String,
    lanes: Vec<Lane<'a>>,
}

impl<'a> Contest<'a> {
    /// A contest without lanes.
    #[must_use]
    pub fn new(workload: &str) -> Self {
        Self { workload: workload.to_owned(), lanes: Vec::new() }
    }

    /// Adds an engine: `decide` answers the request of that index, true for allow.
    ///
    /// The timed loop is made here, where the closure's type is known, so that it costs no indirect call.
    pub fn lane(&mut self, label: Label, decide: impl Fn(usize) -> bool + 'a) {
        let decide = Rc::new(decide);
        let timed = Rc::clone(&decide);
        let time = move |bencher: &mut Bencher<'_>| {
            let mut at = 0;
            bencher.iter(|| {
                at = (at + 1) & (REQUESTS - 1);
                timed(black_box(at))
            });
        };
        self.lanes.push(Lane { label, decide: Box::new(move |at| decide(at)), time: Box::new(time) });
    }

    /// Adds an engine that has something to do now and then which is not timed: `between` is called after each thousand
    /// decisions or so.
    pub fn lane_with_pauses(&mut self, label: Label, decide: impl Fn(usize) -> bool + 'a, between: impl Fn() + 'a) {
        let decide = Rc::new(decide);
        let timed = Rc::clone(&decide);
        self.walk(label, move |at| decide(at), move |at| timed(at), between);
    }

    /// Adds an engine that moves on with each decision: `decide` answers the requests once, from the first to the last, and
    /// `timed` goes on from where it was, with a pause now and then.
    pub fn walk(
        &mut self,
        label: Label,
        decide: impl Fn(usize) -> bool + 'a,
        timed: impl Fn(usize) -> bool + 'a,
        between: impl Fn() + 'a,
    ) {
        let time = move |bencher: &mut Bencher<'_>| {
            bencher.iter_custom(|decisions| {
                // Whole rounds: what a pause leaves cold would else weigh the more, the shorter a sample is.
                let rounds = decisions.div_ceil(PAUSE_AFTER);
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    spent += elapsed(|| {
                        (0..PAUSE_AFTER as usize).for_each(|at| {
                            black_box(timed(black_box(at & (REQUESTS - 1))));
                        });
                    });
                    between();
                }
                spent.mul_f64(decisions as f64 / (rounds * PAUSE_AFTER) as f64)
            });
        };
        self.lanes.push(Lane { label, decide: Box::new(decide), time: Box::new(time) });
    }

    /// Adds an engine that answers `size` requests in one call: `decide` says what it answered to the request of that index,
    /// and `answer` makes one such call. The time is that of one request in it.
    pub fn batches(&mut self, label: Label, size: u64, decide: impl Fn(usize) -> bool + 'a, answer: impl Fn() + 'a) {
        let time = move |bencher: &mut Bencher<'_>| {
            bencher.iter_custom(|decisions| {
                let batches = decisions.div_ceil(size);
                let spent = elapsed(|| (0..batches).for_each(|_| answer()));
                spent.mul_f64(decisions as f64 / (batches * size) as f64)
            });
        };
        self.lanes.push(Lane { label, decide: Box::new(decide), time: Box::new(time) });
    }

    /// Puts every request to every lane.
    ///
    /// # Errors
    ///
    /// Where two lanes disagree, naming the request; or where nearly all answers are the same, so that agreeing on
    /// them would say nothing.
    pub fn agree(&self) -> Result<Agreement, Box<dyn Error>> {
        let mut allowed = 0;
        for at in 0..REQUESTS {
            let Some((first, others)) = self.lanes.split_first() else {
                break;
            };
            let expected = (first.decide)(at);
            for other in others {
                let found = (other.decide)(at);
                if found != expected {
                    let [this, that] = [expected, found].map(|allows| if allows { "allow" } else { "deny" });
                    return Err(format!(
                        "{}: request {at}: `{}` says {this} and `{}` says {that}; nothing was timed",
                        self.workload,
                        first.label.name(),
                        other.label.name(),
                    )
                    .into());
                }
            }
            allowed += usize::from(expected);
        }
        if !(REQUESTS / 20..=REQUESTS - REQUESTS / 20).contains(&allowed) {
            return Err(
                format!("{}: {allowed} of {REQUESTS} requests are allowed: too one-sided", self.workload).into()
            );
        }
        Ok(Agreement { requests: REQUESTS, allowed })
    }
}

/// How long the work takes.
#[expect(clippy::disallowed_methods, reason = "this measures time; the core is given it")]
pub fn elapsed(work: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}

/// One run of contests: a part of the page.
#[derive(Debug)]
pub struct Run {
    part: &'static str,
    timed: bool,
    wanted: Vec<String>,
}

impl Run {
    /// Reads the arguments that `cargo bench` hands on: names of workloads, `W1` or `W3`; none means all.
    ///
    /// `cargo test --benches` runs the same programs without `--bench`: then the contests agree, and nothing is timed.
    ///
    /// # Errors
    ///
    /// Where `RUST_BACKTRACE` is on: it makes one of the peers up to six times slower, and the ratios worthless.
    pub fn from_arguments(part: &'static str) -> Result<Self, Box<dyn Error>> {
        for variable in ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE"] {
            if std::env::var_os(variable).is_some_and(|value| value != "0") {
                return Err(format!("`{variable}` is set, which slows engines that capture errors: set it to 0").into());
            }
        }
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Ok(Self {
            part,
            timed: arguments.iter().any(|argument| argument == "--bench"),
            wanted: arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect(),
        })
    }

    /// Whether the workload was asked for.
    #[must_use]
    pub fn wants(&self, workload: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| workload.starts_with(wanted.as_str()))
    }

    /// Whether anything is timed.
    #[must_use]
    pub const fn is_timed(&self) -> bool {
        self.timed
    }

    /// The part of the page that this run measures.
    #[must_use]
    pub const fn part(&self) -> &'static str {
        self.part
    }

    /// Lets the lanes agree, prints what each one's time holds, then times them in turn, and writes the record.
    ///
    /// # Errors
    ///
    /// Where they do not agree, or where the results cannot be written.
    pub fn hold(&self, contest: &Contest<'_>) -> Result<(), Box<dyn Error>> {
        let Agreement { requests, allowed } = contest.agree()?;
        let (workload, lanes) = (&contest.workload, &contest.lanes);
        println!("{workload}: {} lanes agree on {requests} requests, {allowed} allowed", lanes.len());
        if !self.timed {
            return Ok(());
        }
        for Lane { label, .. } in lanes {
            println!("{workload}: {} {}: timed: {}", label.name(), label.version, label.timed);
        }
        let estimates = estimates(self.part);
        let folder = estimates.join(workload);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => fs::create_dir_all(&folder)?,
        }
        let pace = Pace::now();
        let mut criterion = Criterion::default().output_directory(&estimates).without_plots().nresamples(2_000);
        let mut group = criterion.benchmark_group(workload);
        group.sample_size(pace.samples).warm_up_time(pace.warm_up).measurement_time(pace.measured);
        for round in 0..pace.rounds {
            for Lane { label, time, .. } in lanes {
                group.bench_function(label.id(round), |bencher| time(bencher));
            }
        }
        group.finish();
        let found = medians(&folder)?;
        let figure = |Lane { label, .. }: &Lane<'_>| {
            let of_round = |round| found.iter().find(|(name, _)| *name == label.id(round)).map(|(_, median)| *median);
            let median = middle((0..pace.rounds).filter_map(of_round).collect());
            median
                .map(|median| Figure::time(label.clone(), median))
                .ok_or_else(|| format!("{workload}: criterion kept no result for `{}`", label.name()))
        };
        let figures = lanes.iter().map(figure).collect::<Result<_, _>>()?;
        Record::new(workload, requests, allowed, figures)?.write(self.part)
    }
}

/// The middle one.
#[must_use]
pub fn middle(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

/// Where criterion keeps what it found for a part.
fn estimates(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/criterion").join(part)
}

/// The name and the median of each lane that criterion has kept for a contest.
fn medians(contest: &Path) -> Result<Vec<(String, f64)>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(contest)? {
        let folder = entry?.path().join("new");
        if !folder.is_dir() {
            continue;
        }
        let benchmark: Value = serde_json::from_slice(&fs::read(folder.join("benchmark.json"))?)?;
        let estimates: Value = serde_json::from_slice(&fs::read(folder.join("estimates.json"))?)?;
        let median = estimates["median"]["point_estimate"].as_f64();
        if let (Some(name), Some(median)) = (benchmark["function_id"].as_str(), median) {
            found.push((name.to_owned(), median));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{Contest, Label};

    fn label(engine: &str) -> Label {
        Label::new(engine, "1", "prepared", "the call")
    }

    #[test]
    fn a_disagreement_names_the_request_and_both_engines() {
        let mut contest = Contest::new("W0");
        contest.lane(label("one"), |at| at % 2 == 0);
        contest.lane(label("two"), |at| at % 2 == 0 && at != 6);
        assert_eq!(
            contest.agree().unwrap_err().to_string(),
            "W0: request 6: `one, prepared` says allow and `two, prepared` says deny; nothing was timed"
        );
    }

    #[test]
    fn agreeing_on_one_answer_alone_is_refused() {
        let mut contest = Contest::new("W0");
        contest.lane(label("one"), |_| false);
        assert!(contest.agree().unwrap_err().to_string().ends_with("too one-sided"));
    }
}
