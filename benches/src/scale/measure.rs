//! The times and the memory of one world.

#![allow(clippy::disallowed_methods, reason = "what is measured is time: no clock is handed in")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use super::Dimension;
use super::worlds::{Operation, World};
use crate::counting::live_bytes;

/// What was measured of a dimension at one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// How many there are.
    pub size: usize,
    /// What was done, and the median of how long it took, in nanoseconds.
    pub times: Vec<(&'static str, f64)>,
    /// The bytes that the engine holds beyond the text of its bundle.
    pub bytes: f64,
    /// The bytes of the bundle.
    pub text: usize,
}

/// Rounds over all requests; a sample is a round over a part of them.
const ROUNDS: usize = 8;

/// Requests that are timed together: the clock takes as long as a decision does.
const TOGETHER: usize = 64;

/// How often an operation is done at the most, and for how long.
const TIMES_MAX: usize = 201;
const TIME_MAX: Duration = Duration::from_millis(1_500);

/// And at the least.
const TIMES_MIN: usize = 5;

/// Measures a dimension at one size.
///
/// # Errors
///
/// Where its world cannot be made.
pub fn point(dimension: &Dimension, size: usize) -> Result<Point, Box<dyn Error>> {
    let before = live_bytes();
    let world = (dimension.world)(size)?;
    while world.engine.poll_event().is_some() {}
    let made = live_bytes();
    let copies: Vec<_> = world.questions.iter().map(|questions| questions.requests.clone()).collect();
    let requests = live_bytes() - made;
    drop(copies);
    let text = world.bundle.len();
    // The world has the bundle's text too, and the engine keeps its own.
    let bytes = (made - before - requests) as f64 - 2.0 * text as f64;
    let mut times = Vec::new();
    for questions in &world.questions {
        let parts = questions.requests.chunks_exact(TOGETHER);
        let mut samples = Vec::with_capacity(ROUNDS * parts.len());
        for _ in 0..ROUNDS {
            for part in parts.clone() {
                let began = Instant::now();
                part.iter().for_each(|request| drop(black_box(world.decide(black_box(request)))));
                samples.push(nanos(began.elapsed()) / TOGETHER as f64);
            }
        }
        times.push((questions.what, median(samples)));
    }
    for operation in &world.operations {
        times.push((operation.what, of_operation(&world, operation)));
    }
    Ok(Point { size, times, bytes, text })
}

fn of_operation(world: &World, operation: &Operation) -> f64 {
    let mut samples = Vec::new();
    let started = Instant::now();
    while samples.len() < TIMES_MAX && (samples.len() < TIMES_MIN || started.elapsed() < TIME_MAX) {
        let at = samples.len();
        let began = Instant::now();
        (operation.act)(world, at);
        samples.push(nanos(began.elapsed()));
        if let Some(undo) = operation.undo {
            undo(world, at);
        }
    }
    median(samples)
}

fn nanos(span: Duration) -> f64 {
    span.as_nanos() as f64
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
