//! The same decisions on one thread and on two: what the second one adds.
//!
//! Two threads ask one engine, as two cores of a server do. Beside it stands what is written by hand, which shares nothing
//! but memory that nobody writes: its figure is what the machine itself gives.

use std::error::Error;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::REQUESTS;
use crate::contest::{Label, middle};
use crate::record::{Lane as Figure, Record, quick};

/// An engine that several threads ask at once.
struct Lane<'a> {
    label: Label,
    /// What it answers to the request of that index.
    answer: Box<dyn Fn(usize) -> bool + Sync + 'a>,
    /// So many decisions by the thread of that number; it gives how many were allowed.
    run: Box<dyn Fn(usize, usize) -> usize + Sync + 'a>,
    /// What is done between two stretches, and not timed.
    between: Box<dyn Fn() + 'a>,
}

/// Several engines on one workload, each on one thread and on two.
pub struct Threads<'a> {
    workload: String,
    lanes: Vec<Lane<'a>>,
}

impl<'a> Threads<'a> {
    /// A workload without lanes.
    #[must_use]
    pub fn new(workload: &str) -> Self {
        Self { workload: workload.to_owned(), lanes: Vec::new() }
    }

    /// Adds an engine: `decide` answers the request of that index, true for allow, whichever thread asks.
    pub fn lane(&mut self, label: Label, decide: impl Fn(usize) -> bool + Clone + Sync + 'a) {
        self.lane_with_pauses(label, decide, || ());
    }

    /// Adds an engine for which something is done between the timed stretches.
    pub fn lane_with_pauses(
        &mut self,
        label: Label,
        decide: impl Fn(usize) -> bool + Clone + Sync + 'a,
        between: impl Fn() + 'a,
    ) {
        let timed = decide.clone();
        let run = move |thread: usize, decisions: usize| {
            // Each thread starts elsewhere among the requests.
            let from = thread * (REQUESTS / 2);
            (from..from + decisions).filter(|at| timed(black_box(at & (REQUESTS - 1)))).count()
        };
        self.walk(label, decide, run, between);
    }

    /// Adds an engine whose threads do not all do the same.
    pub fn walk(
        &mut self,
        label: Label,
        answer: impl Fn(usize) -> bool + Sync + 'a,
        run: impl Fn(usize, usize) -> usize + Sync + 'a,
        between: impl Fn() + 'a,
    ) {
        let (answer, run, between) = (Box::new(answer), Box::new(run), Box::new(between));
        self.lanes.push(Lane { label, answer, run, between });
    }

    /// Puts every request to every lane from two threads at once: they must all give the same answers.
    ///
    /// # Errors
    ///
    /// Where a lane does not, naming the request.
    pub fn agree(&self) -> Result<usize, Box<dyn Error>> {
        let mut expected: Option<(String, Vec<bool>)> = None;
        for Lane { label, answer, .. } in &self.lanes {
            let all = || (0..REQUESTS).map(answer).collect::<Vec<bool>>();
            let answers = thread::scope(|scope| {
                let second = scope.spawn(all);
                [all(), second.join().unwrap_or_default()]
            });
            for answers in answers {
                let Some((first, expected)) = &expected else {
                    expected = Some((label.name(), answers));
                    continue;
                };
                if let Some(at) = (0..REQUESTS).find(|at| answers.get(*at) != expected.get(*at)) {
                    let name = label.name();
                    let workload = &self.workload;
                    return Err(format!("{workload}: request {at}: `{first}` and `{name}` do not agree").into());
                }
            }
        }
        Ok(expected.map_or(0, |(_, answers)| answers.into_iter().filter(|allowed| *allowed).count()))
    }

    /// Lets the lanes agree; times each on one thread and on two, in turns, where `timed`; and writes the record.
    ///
    /// # Errors
    ///
    /// Where they do not agree, or where the record cannot be written.
    pub fn hold(&self, timed: bool) -> Result<(), Box<dyn Error>> {
        let allowed = self.agree()?;
        println!("{}: {} lanes agree on {REQUESTS} requests, {allowed} allowed", self.workload, self.lanes.len());
        if !timed {
            return Ok(());
        }
        let (rounds, stretch) = if quick() { (1, Duration::from_millis(4)) } else { (9, Duration::from_millis(60)) };
        let decisions: Vec<usize> = self.lanes.iter().map(|lane| decisions_in(lane, stretch)).collect();
        let mut found = vec![[Vec::new(), Vec::new()]; self.lanes.len()];
        for _ in 0..rounds {
            for ((lane, decisions), figures) in self.lanes.iter().zip(&decisions).zip(&mut found) {
                for (threads, figures) in (1..).zip(figures) {
                    (lane.between)();
                    figures.push(stint(lane, threads, *decisions));
                }
            }
        }
        let mut figures = Vec::new();
        for (Lane { label, .. }, found) in self.lanes.iter().zip(found) {
            for (name, found) in ["1 thread", "2 threads"].into_iter().zip(found) {
                let mut label = label.clone();
                label.variant = format!("{}, {name}", label.variant);
                let median = middle(found).ok_or("no round")?;
                println!("{}: {}: {median:.1} ns a decision", self.workload, label.name());
                figures.push(Figure::time(label, median));
            }
        }
        Record::new(&self.workload, REQUESTS, allowed, figures)?.write("threads")
    }
}

/// About how many decisions one thread makes in that time.
fn decisions_in(lane: &Lane<'_>, stretch: Duration) -> usize {
    (lane.between)();
    let warm = stint(lane, 1, REQUESTS);
    let warm = warm.min(stint(lane, 1, REQUESTS)).max(1.0);
    ((stretch.as_nanos() as f64 / warm) as usize).max(REQUESTS)
}

/// The time of one decision where so many threads make so many each: from the first that begins to the last that is done.
#[expect(clippy::disallowed_methods, reason = "this measures time; the core is given it")]
fn stint(lane: &Lane<'_>, threads: usize, decisions: usize) -> f64 {
    let (together, run) = (Barrier::new(threads), &lane.run);
    let work = |thread: usize| {
        together.wait();
        let began = Instant::now();
        black_box(run(thread, decisions));
        (began, Instant::now())
    };
    let times = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        let mut times = vec![work(0)];
        times.extend(others.into_iter().filter_map(|other| other.join().ok()));
        times
    });
    let began = times.iter().map(|(began, _)| *began).min();
    let ended = times.iter().map(|(_, ended)| *ended).max();
    let spent = began.zip(ended).map_or(Duration::ZERO, |(began, ended)| ended - began);
    spent.as_nanos() as f64 / (threads * decisions) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(engine: &str) -> Label {
        Label::new(engine, "1", "prepared", "the call")
    }

    #[test]
    fn a_disagreement_names_the_request_and_both_engines() {
        let mut threads = Threads::new("W0");
        threads.lane(label("one"), |at| at % 2 == 0);
        threads.lane(label("two"), |at| at % 2 == 0 && at != 6);
        let error = threads.agree().unwrap_err().to_string();
        assert_eq!(error, "W0: request 6: `one, prepared` and `two, prepared` do not agree");
    }

    #[test]
    fn every_thread_makes_its_decisions() {
        let made = std::sync::atomic::AtomicUsize::new(0);
        let mut threads = Threads::new("W0");
        threads.lane(label("one"), |_| made.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 1_000);
        assert!(stint(&threads.lanes[0], 2, 1_000) > 0.0);
        drop(threads);
        assert_eq!(made.into_inner(), 2_000);
    }
}
