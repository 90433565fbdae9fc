//! What is kept between a decision and the host's confirmation that its record is written.
//!
//! Bounded by count and bytes. What finds no room is not forgotten but counted, and the chain says exactly how much is
//! missing, where. A record that was handed out stays until the host confirms it, so that a host that crashes while it
//! writes loses nothing that it did not confirm.

use std::collections::VecDeque;

use super::chain::{Chain, Head};
use super::record::{Entry, Gap, RecordKind};
use super::redact::RedactionKey;
use crate::decision::DecisionId;
use crate::time::Now;

/// The entries that were not drained yet.
#[derive(Debug)]
pub struct Buffer {
    entries: VecDeque<Entry>,
    /// What was refused since the last entry.
    gap: Gap,
    /// What is kept here and in the outbox.
    kept: usize,
    kept_bytes: usize,
    entries_max: usize,
    bytes_max: usize,
    unrecorded: u64,
    recorded: u64,
}

/// The records that were handed out and not confirmed.
#[derive(Debug, Default)]
pub struct Outbox {
    chain: Chain,
    lines: VecDeque<Line>,
    /// Where the chain had come to with the last record that the host has confirmed.
    confirmed: Head,
    /// The number of the last record that was handed out.
    handed_out: u64,
    /// Records since the last checkpoint.
    since_checkpoint: u64,
    /// What the last checkpoint said, where this chain has one.
    last_checkpoint: Option<Head>,
}

#[derive(Debug)]
struct Line {
    seq: u64,
    hash: [u8; 32],
    text: String,
    /// What it took in the buffer; nothing for a record of the chain's own.
    entry_bytes: Option<usize>,
    /// The decision that waits until it is confirmed.
    waits: Option<DecisionId>,
}

/// Records for the host to write, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Each a line of canonical JSON, without the end of the line.
    pub lines: Vec<String>,
    /// The `seq` of the last line, to acknowledge once all of them are written; zero where there is none.
    pub last_seq: u64,
}

/// How much of a buffer is given back, and which decisions waited for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    entries: usize,
    bytes: usize,
    /// The decisions whose records are confirmed now.
    pub confirmed: Vec<DecisionId>,
}

/// After how many records the chain has a checkpoint of its own.
const CHECKPOINT_EVERY: u64 = 1_000;

impl Buffer {
    /// An empty buffer.
    #[must_use]
    pub fn new(entries_max: usize, bytes_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            gap: Gap::default(),
            kept: 0,
            kept_bytes: 0,
            entries_max,
            bytes_max,
            unrecorded: 0,
            recorded: 0,
        }
    }

    /// Whether one more record of that size finds room. One place is left for the gap that may come before it.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.kept.saturating_add(2) <= self.entries_max && self.kept_bytes.saturating_add(bytes) <= self.bytes_max
    }

    /// Keeps an entry, or counts it as missing. Whether it is kept.
    pub fn push(&mut self, entry: Entry) -> bool {
        if !self.has_room(entry.bytes()) {
            self.gap.count(&entry);
            self.unrecorded = self.unrecorded.saturating_add(1);
            return false;
        }
        self.close_gap();
        self.keep(entry);
        self.recorded = self.recorded.saturating_add(1);
        true
    }

    /// Takes at most `max` entries, oldest first. They count as kept until they are given back.
    pub fn take(&mut self, max: usize) -> Vec<Entry> {
        let taken = self.entries.len().min(max);
        let mut entries: Vec<Entry> = self.entries.drain(..taken).collect();
        // A gap whose place is taken by an earlier one stays open: a host that drains again and again and never confirms
        // would have a record more each time.
        if self.entries.is_empty() && entries.len() < max && self.kept < self.entries_max {
            self.close_gap();
            entries.extend(self.entries.pop_front());
        }
        entries
    }

    /// Makes room for others where records are confirmed.
    pub fn give_back(&mut self, freed: &Freed) {
        self.kept = self.kept.saturating_sub(freed.entries);
        self.kept_bytes = self.kept_bytes.saturating_sub(freed.bytes);
    }

    /// Whether there is nothing to take.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.entries.is_empty() && self.gap.records() == 0
    }

    /// How many entries are kept here and in the outbox, and about how many bytes.
    #[must_use]
    pub const fn kept(&self) -> (usize, usize) {
        (self.kept, self.kept_bytes)
    }

    /// How many records were kept ever, and how many were not.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.recorded, self.unrecorded)
    }

    fn close_gap(&mut self) {
        let gap = std::mem::take(&mut self.gap);
        if gap.records() > 0 {
            self.keep(Entry::Gap(gap));
        }
    }

    fn keep(&mut self, entry: Entry) {
        self.kept = self.kept.saturating_add(1);
        self.kept_bytes = self.kept_bytes.saturating_add(entry.bytes());
        self.entries.push_back(entry);
    }
}

impl Outbox {
    /// An outbox whose chain goes on behind this head.
    #[must_use]
    pub fn behind(head: Head) -> Self {
        Self { chain: Chain::behind(head), confirmed: head, ..Self::default() }
    }

    /// Where the chain had come to with the last record that the host has confirmed.
    #[must_use]
    pub const fn confirmed(&self) -> Head {
        self.confirmed
    }

    /// Where the chain has come to, records that are not confirmed included.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.chain.head()
    }

    /// Whether every record is confirmed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many entries more a drain of at most `max` records could hand out.
    #[must_use]
    pub fn wants(&self, max: usize) -> usize {
        max.saturating_sub(self.lines.len())
    }

    /// At most `max` records: first those that were handed out before and not confirmed, the same bytes again, then what
    /// these entries become.
    pub fn drain(&mut self, max: usize, now: Now, key: Option<&RedactionKey>, entries: Vec<Entry>) -> Batch {
        self.link_all(now, key, entries);
        let lines: Vec<String> = self.lines.iter().take(max).map(|line| line.text.clone()).collect();
        let last_seq = lines.len().checked_sub(1).and_then(|last| self.lines.get(last)).map_or(0, |line| line.seq);
        self.handed_out = self.handed_out.max(last_seq);
        Batch { lines, last_seq }
    }

    /// Makes records of these entries.
    pub fn link_all(&mut self, now: Now, key: Option<&RedactionKey>, entries: Vec<Entry>) {
        for entry in entries {
            let bytes = entry.bytes();
            let body = entry.body(self.chain.head().count.saturating_add(1), key);
            self.link(entry.at(), entry.kind(), body, Some(bytes), entry.waits());
            if self.since_checkpoint >= CHECKPOINT_EVERY {
                self.checkpoint(now);
            }
        }
    }

    /// Confirms that every record up to that number is written. What it took is free again. What was not handed out nobody
    /// can have written: it stays, whatever number is confirmed.
    pub fn acknowledge(&mut self, seq: u64) -> Freed {
        let seq = seq.min(self.handed_out);
        let mut freed = Freed::default();
        while let Some(line) = self.lines.pop_front_if(|line| line.seq <= seq) {
            self.confirmed = Head { count: line.seq, hash: line.hash };
            if let Some(bytes) = line.entry_bytes {
                freed.entries = freed.entries.saturating_add(1);
                freed.bytes = freed.bytes.saturating_add(bytes);
            }
            freed.confirmed.extend(line.waits);
        }
        freed
    }

    /// Adds a record of where the chain has come to: what a host signs, or keeps elsewhere. Where the last record is one
    /// already it is that one, so that asking again takes no room.
    pub fn checkpoint(&mut self, now: Now) -> Head {
        if let Some(head) = self.last_checkpoint.filter(|_| self.since_checkpoint == 0) {
            return head;
        }
        let head = self.chain.head();
        self.link(now, RecordKind::Checkpoint, head.to_json(), None, None);
        self.since_checkpoint = 0;
        self.last_checkpoint = Some(head);
        head
    }

    /// The number of the record that a decision waits for, among those that are not confirmed.
    #[must_use]
    pub fn awaited_by(&self, decision: DecisionId) -> Option<u64> {
        self.lines.iter().rev().find(|line| line.waits == Some(decision)).map(|line| line.seq)
    }

    fn link(
        &mut self,
        at: Now,
        kind: RecordKind,
        body: serde_json::Value,
        entry_bytes: Option<usize>,
        waits: Option<DecisionId>,
    ) {
        // Every body here has a canonical form: texts, whole numbers that a double holds, and what a request may have.
        let Some(text) = self.chain.link(at, kind, body) else { return };
        self.since_checkpoint = self.since_checkpoint.saturating_add(1);
        let Head { count, hash } = self.chain.head();
        self.lines.push_back(Line { seq: count, hash, text, entry_bytes, waits });
    }
}
