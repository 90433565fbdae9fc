//! What is kept of inputs until the host confirms that they are written.
//!
//! Bounded by count and bytes. An input that finds no room is not forgotten but counted: a gap stands in its place, and a
//! replay ends there. Nothing is ever left out in silence.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::Documents;
use super::input::Input;
use super::line::{self, clocks};
use crate::faults::point;
use crate::time::Now;

/// The inputs that the host has not confirmed.
#[derive(Debug)]
pub struct Ledger {
    entries: VecDeque<Entry>,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
    /// The number of the last entry.
    last: u64,
    /// The hash of the last entry that has become a line.
    hash: [u8; 32],
    gap: Gap,
    missing: u64,
    under_way: Option<UnderWay>,
    documents: Documents,
    /// When the last input was, for one that brings no time.
    now: Now,
}

/// An input that is not finished yet.
#[derive(Debug)]
struct UnderWay {
    /// Its number; nothing for one that found no room.
    number: Option<u64>,
    members: Map<String, Value>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    state: State,
    bytes: usize,
}

#[derive(Debug)]
enum State {
    /// Not handed out yet.
    Kept(Map<String, Value>),
    /// As it was handed out: the same bytes come again until they are confirmed.
    Line(String),
}

/// How many inputs are missing at one place.
#[derive(Clone, Copy, Debug, Default)]
struct Gap {
    inputs: u64,
    since: Now,
    until: Now,
}

/// Entries for the host to write, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Each a line of JSON, without the end of the line.
    pub lines: Vec<String>,
    /// The number of the last line, to acknowledge once all of them are written; zero where there is none.
    pub last_n: u64,
}

/// What an entry takes besides its texts, and what is kept free for what comes of an input.
const FIXED_BYTES: usize = 1_024;

/// An outcome that is longer is in the journal by its digest.
const OUTCOME_BYTES_MAX: usize = 4_096;

impl Ledger {
    /// A ledger with room for so much, that begins with how the engine is set up.
    #[must_use]
    pub fn new(entries_max: usize, bytes_max: usize, configured: &Input<'_>) -> Self {
        let mut ledger = Self {
            entries: VecDeque::new(),
            bytes: 0,
            entries_max,
            bytes_max,
            last: 0,
            hash: [0; 32],
            gap: Gap::default(),
            missing: 0,
            under_way: None,
            documents: Documents::default(),
            now: Now::default(),
        };
        ledger.begin(None, configured);
        ledger.end();
        ledger
    }

    /// Whether an input is under way: what happens now is its doing.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Begins an input: its number, where there is room for it.
    pub fn begin(&mut self, now: Option<Now>, input: &Input<'_>) -> Option<u64> {
        self.now = now.unwrap_or(self.now);
        let mut members = input.members(&self.documents);
        let bytes = bytes_of(&members);
        let number = self.admit(bytes);
        if number.is_some() {
            members.insert("at".to_owned(), clocks(self.now));
            input.documents().for_each(|document| self.documents.mark(document));
        } else {
            members.clear();
        }
        point("ledger: admitted");
        self.under_way = Some(UnderWay { number, members });
        number
    }

    /// Adds what came of the input that is under way.
    pub fn came_to(&mut self, name: &str, outcome: impl FnOnce() -> Value) {
        let Some(UnderWay { number: Some(_), members }) = &mut self.under_way else { return };
        let outcome = outcome();
        let text = outcome.to_string();
        let outcome = if name == "outcome" && text.len() > OUTCOME_BYTES_MAX && outcome.get("decision").is_none() {
            json!({ "sha256": data_encoding::HEXLOWER.encode(&Documents::digest(text.as_bytes())) })
        } else {
            outcome
        };
        members.insert(name.to_owned(), outcome);
    }

    /// Ends the input that is under way.
    pub fn end(&mut self) {
        let Some(UnderWay { number: Some(number), members }) = self.under_way.take() else { return };
        point("ledger: end");
        self.keep(number, members);
    }

    /// At most `max` entries, oldest first: the same lines again until they are confirmed.
    pub fn drain(&mut self, max: usize) -> Batch {
        if self.entries.len() < max {
            self.close_gap();
        }
        let mut batch = Batch::default();
        for entry in self.entries.iter_mut().take(max) {
            if let State::Kept(members) = &mut entry.state {
                let (text, hash) = line::link(entry.number, &self.hash, std::mem::take(members));
                self.hash = hash;
                entry.state = State::Line(text);
            }
            if let State::Line(text) = &entry.state {
                batch.lines.push(text.clone());
                batch.last_n = entry.number;
            }
        }
        batch
    }

    /// Confirms that every entry up to that number is written. What was never handed out stays.
    pub fn acknowledge(&mut self, number: u64) {
        let is_written = |entry: &mut Entry| entry.number <= number && matches!(entry.state, State::Line(_));
        while let Some(entry) = self.entries.pop_front_if(is_written) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }

    /// How many inputs were kept ever, how many found no room, and how many entries the host has not confirmed.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.last, self.missing, u64::try_from(self.entries.len()).unwrap_or(u64::MAX))
    }

    /// The number of an input of that size, where there is room. One place is left for the gap that may come before it.
    fn admit(&mut self, bytes: usize) -> Option<u64> {
        let bytes = self.bytes.saturating_add(bytes).saturating_add(FIXED_BYTES);
        if self.entries.len().saturating_add(2) > self.entries_max || bytes > self.bytes_max {
            if self.gap.inputs == 0 {
                self.gap.since = self.now;
            }
            self.gap = Gap { inputs: self.gap.inputs.saturating_add(1), until: self.now, ..self.gap };
            self.missing = self.missing.saturating_add(1);
            return None;
        }
        self.close_gap();
        self.last = self.last.saturating_add(1);
        Some(self.last)
    }

    fn close_gap(&mut self) {
        let Gap { inputs, since, until } = std::mem::take(&mut self.gap);
        if inputs == 0 {
            return;
        }
        self.last = self.last.saturating_add(1);
        let gap = json!({ "inputs": inputs, "since": clocks(since), "until": clocks(until) });
        let members = Map::from_iter([("at".to_owned(), clocks(until)), (line::GAP.to_owned(), gap)]);
        self.keep(self.last, members);
    }

    fn keep(&mut self, number: u64, members: Map<String, Value>) {
        let bytes = bytes_of(&members).saturating_add(FIXED_BYTES);
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries.push_back(Entry { number, state: State::Kept(members), bytes });
    }
}

/// About how many bytes of memory the members take.
fn bytes_of(members: &Map<String, Value>) -> usize {
    const WORD: usize = 32;
    members.iter().fold(0, |bytes, (name, value)| {
        let value = match value {
            Value::String(text) => WORD.saturating_add(text.len()),
            Value::Array(items) => items.iter().map(item_bytes).fold(WORD, usize::saturating_add),
            Value::Object(members) => WORD.saturating_add(bytes_of(members)),
            _ => WORD,
        };
        bytes.saturating_add(WORD).saturating_add(name.len()).saturating_add(value)
    })
}

fn item_bytes(item: &Value) -> usize {
    const WORD: usize = 32;
    match item {
        Value::String(text) => WORD.saturating_add(text.len()),
        Value::Array(items) => items.iter().map(item_bytes).fold(WORD, usize::saturating_add),
        Value::Object(members) => WORD.saturating_add(bytes_of(members)),
        _ => WORD,
    }
}
