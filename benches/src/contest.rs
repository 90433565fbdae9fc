//! A contest: several engines on the same requests, which must all agree before any of them is timed.
//!
//! A fast engine that answers wrongly has measured nothing. So [`Contest::agree`] first puts every request to every
//! engine and ends the run at the first disagreement.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use criterion::{Bencher, Criterion};
use serde::{Deserialize, Serialize};

use crate::REQUESTS;

/// How often each lane is timed, in turn with the others, so that a noisy minute does not fall on one of them alone.
pub const ROUNDS: usize = 3;

/// After how many decisions a lane with pauses has one.
const PAUSE_AFTER: u64 = 1_024;

/// The file in a contest's folder that says who took part and on what.
pub const FACTS: &str = "contest.json";

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

/// What a contest leaves for the report, beside criterion's own files.
#[derive(Debug, Serialize, Deserialize)]
pub struct Facts {
    /// The workload.
    pub workload: String,
    /// How many requests all lanes agreed on.
    pub agreed: usize,
    /// How many of those were allowed.
    pub allowed: usize,
    /// The lanes, in the order in which they ran.
    pub lanes: Vec<Label>,
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
        let time = move |bencher: &mut Bencher<'_>| {
            bencher.iter_custom(|decisions| {
                let (mut left, mut spent) = (decisions, Duration::ZERO);
                while left > 0 {
                    let now = left.min(PAUSE_AFTER);
                    spent += elapsed(|| {
                        (0..now as usize).for_each(|at| {
                            black_box(timed(black_box(at & (REQUESTS - 1))));
                        });
                    });
                    between();
                    left -= now;
                }
                spent
            });
        };
        self.lanes.push(Lane { label, decide: Box::new(move |at| decide(at)), time: Box::new(time) });
    }

    /// Puts every request to every lane.
    ///
    /// # Errors
    ///
    /// Where two lanes disagree, naming the request; or where nearly all answers are the same, so that agreeing on
    /// them would say nothing.
    pub fn agree(&self) -> Result<Facts, Box<dyn Error>> {
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
        let lanes = self.lanes.iter().map(|lane| lane.label.clone()).collect();
        Ok(Facts { workload: self.workload.clone(), agreed: REQUESTS, allowed, lanes })
    }
}

#[expect(clippy::disallowed_methods, reason = "this measures time; the core is given it")]
fn elapsed(work: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}

/// One run of contests, and the folder that keeps its results.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
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
    pub fn from_arguments(folder: &Path) -> Result<Self, Box<dyn Error>> {
        for variable in ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE"] {
            if std::env::var_os(variable).is_some_and(|value| value != "0") {
                return Err(format!("`{variable}` is set, which slows engines that capture errors: set it to 0").into());
            }
        }
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Ok(Self {
            folder: folder.to_owned(),
            timed: arguments.iter().any(|argument| argument == "--bench"),
            wanted: arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect(),
        })
    }

    /// Whether the workload was asked for.
    #[must_use]
    pub fn wants(&self, workload: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| workload.starts_with(wanted.as_str()))
    }

    /// Lets the lanes agree, prints what each one's time holds, then times them in turn, in three rounds.
    ///
    /// # Errors
    ///
    /// Where they do not agree, or where the results cannot be written.
    pub fn hold(&self, contest: &Contest<'_>) -> Result<(), Box<dyn Error>> {
        let facts = contest.agree()?;
        println!(
            "{}: {} lanes agree on {} requests, {} allowed",
            facts.workload,
            facts.lanes.len(),
            facts.agreed,
            facts.allowed
        );
        if !self.timed {
            return Ok(());
        }
        let folder = self.folder.join(&contest.workload);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => fs::create_dir_all(&folder)?,
        }
        for Lane { label, .. } in &contest.lanes {
            println!("{}: {} {}: timed: {}", facts.workload, label.name(), label.version, label.timed);
        }
        let mut criterion = Criterion::default().output_directory(&self.folder).without_plots();
        let mut group = criterion.benchmark_group(&contest.workload);
        group.sample_size(20).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(500));
        for round in 0..ROUNDS {
            for Lane { label, time, .. } in &contest.lanes {
                group.bench_function(label.id(round), |bencher| time(bencher));
            }
        }
        group.finish();
        fs::write(folder.join(FACTS), serde_json::to_vec_pretty(&facts)?)?;
        Ok(())
    }
}

/// The folder of a run's results, `ours` or `peers`, below the workspace's `target/criterion`.
#[must_use]
pub fn results(run: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/criterion").join(run)
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
