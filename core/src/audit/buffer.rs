//! What is kept between a decision and the host's confirmation that its record is written.
//!
//! Bounded by count and bytes. What finds no room is not forgotten but counted, and the chain says exactly how much is
//! missing, where. A record that was handed out stays until the host confirms it, so that a host that crashes while it
//! writes loses nothing that it did not confirm.

use std::collections::VecDeque;
use std::sync::Arc;

use super::chain::{Chain, Head};
use super::chunk::Chunk;
use super::draft::Draft;
use super::record::{Entry, FIXED_BYTES, Gap, Missing, RecordKind};
use super::redact::RedactionKey;
use crate::decision::DecisionId;
use crate::faults::point;
use crate::policy::compile::Policy;
use crate::state::events::Event;
use crate::time::Now;

/// The entries that were not drained yet.
#[derive(Debug)]
pub struct Buffer {
    chunks: VecDeque<Chunk>,
    /// Chunks whose memory is used again.
    spare: Vec<Chunk>,
    /// Invariant: the sum of what the chunks hold.
    entries: usize,
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

/// Entries that were taken out, oldest first.
#[derive(Debug, Default)]
pub struct Taken {
    chunks: Vec<Chunk>,
    at: usize,
}

impl Taken {
    /// The next entry.
    pub fn read_next(&mut self) -> Option<Entry<'_>> {
        while self.chunks.get(self.at)?.is_empty() {
            self.at = self.at.saturating_add(1);
        }
        self.chunks.get_mut(self.at)?.read_next()
    }
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

/// How many chunks wait to be used again: about a mebibyte.
const SPARE_MAX: usize = 16;

impl Buffer {
    /// An empty buffer.
    #[must_use]
    pub fn new(entries_max: usize, bytes_max: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            spare: Vec::new(),
            entries: 0,
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

    /// Keeps a decision of that policy, or counts it as missing. Whether it is kept.
    pub fn push(&mut self, draft: &Draft, policy: &Arc<Policy>, input: Option<u64>) -> bool {
        let missing = if draft.allows { Missing::Allow } else { Missing::Deny };
        if !self.admit(draft.weight(), draft.at, missing) {
            return false;
        }
        if let Some(chunk) = self.chunk_for(draft.bytes().len()) {
            chunk.push(draft, policy, input);
        }
        true
    }

    /// Keeps an event, or counts it as missing. Whether it is kept.
    pub fn push_event(&mut self, event: &Event, input: Option<u64>) -> bool {
        if !self.admit(FIXED_BYTES, event.at, Missing::Event) {
            return false;
        }
        if let Some(chunk) = self.chunk_for(0) {
            chunk.push_event(event.clone(), input);
        }
        true
    }

    /// Takes at most `max` entries, oldest first. They count as kept until they are given back.
    pub fn take(&mut self, max: usize) -> Taken {
        let mut chunks = Vec::new();
        let taken = self.take_into(&mut chunks, max);
        // A gap whose place is taken by an earlier one stays open: a host that drains again and again and never confirms
        // would have a record more each time.
        if self.entries == 0 && taken < max && self.kept < self.entries_max {
            self.close_gap();
            self.take_into(&mut chunks, 1);
        }
        Taken { chunks, at: 0 }
    }

    /// Takes back the memory of what was taken, for what comes next: fresh memory costs more than a record.
    pub fn reuse(&mut self, taken: Taken) {
        let room = SPARE_MAX.saturating_sub(self.spare.len());
        self.spare.extend(taken.chunks.into_iter().filter_map(Chunk::emptied).take(room));
    }

    /// Makes room for others where records are confirmed.
    pub fn give_back(&mut self, freed: &Freed) {
        self.kept = self.kept.saturating_sub(freed.entries);
        self.kept_bytes = self.kept_bytes.saturating_sub(freed.bytes);
    }

    /// Whether there is nothing to take.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.entries == 0 && self.gap.records() == 0
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

    /// Counts an entry as kept where there is room for it, and else as missing.
    fn admit(&mut self, weight: usize, at: Now, missing: Missing) -> bool {
        if !self.has_room(weight) {
            self.gap.count(at, missing);
            self.unrecorded = self.unrecorded.saturating_add(1);
            return false;
        }
        self.close_gap();
        point("buffer: admit");
        self.count(weight);
        point("buffer: counted");
        self.recorded = self.recorded.saturating_add(1);
        true
    }

    fn close_gap(&mut self) {
        if self.gap.records() > 0 {
            let gap = std::mem::take(&mut self.gap);
            self.count(FIXED_BYTES);
            if let Some(chunk) = self.chunk_for(0) {
                chunk.push_gap(gap);
            }
        }
    }

    fn count(&mut self, weight: usize) {
        self.entries = self.entries.saturating_add(1);
        self.kept = self.kept.saturating_add(1);
        self.kept_bytes = self.kept_bytes.saturating_add(weight);
    }

    /// The chunk in which the next entry of so many bytes finds room.
    fn chunk_for(&mut self, bytes: usize) -> Option<&mut Chunk> {
        if !self.chunks.back().is_some_and(|chunk| chunk.has_room(bytes)) {
            let spare = self.spare.pop().filter(|chunk| chunk.has_room(bytes));
            self.chunks.push_back(spare.unwrap_or_else(|| Chunk::new(bytes)));
        }
        self.chunks.back_mut()
    }

    fn take_into(&mut self, chunks: &mut Vec<Chunk>, max: usize) -> usize {
        let mut left = max.min(self.entries);
        let taken = left;
        while left > 0 {
            let Some(first) = self.chunks.front_mut() else { break };
            let here = first.len();
            if here > left {
                chunks.push(first.split(left));
                left = 0;
            } else {
                left = left.saturating_sub(here);
                chunks.extend(self.chunks.pop_front());
            }
        }
        self.entries = self.entries.saturating_sub(taken);
        taken
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
    pub fn drain(&mut self, max: usize, now: Now, key: Option<&RedactionKey>, entries: &mut Taken) -> Batch {
        self.link_all(now, key, entries);
        let lines: Vec<String> = self.lines.iter().take(max).map(|line| line.text.clone()).collect();
        let last_seq = lines.len().checked_sub(1).and_then(|last| self.lines.get(last)).map_or(0, |line| line.seq);
        self.handed_out = self.handed_out.max(last_seq);
        Batch { lines, last_seq }
    }

    /// Makes records of these entries.
    pub fn link_all(&mut self, now: Now, key: Option<&RedactionKey>, entries: &mut Taken) {
        while let Some(entry) = entries.read_next() {
            let bytes = entry.weight();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::record::Given;
    use crate::combine::Verdict;
    use crate::decision::Decision;
    use crate::limits::Limits;
    use crate::obligation::Obligation;
    use crate::policy::bundle::{Bundle, Trust};
    use crate::reason::Reason;
    use crate::state::events::{EventKind, Events};

    fn policy() -> Arc<Policy> {
        let document = serde_json::json!({ "fallgate": 1, "name": "p", "revision": 1, "actions": {}, "rules": [] });
        let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT);
        Arc::clone(bundle.unwrap().policy())
    }

    /// Texts of all lengths, some longer than a chunk.
    fn detail(number: u32) -> String {
        let length = if number.is_multiple_of(400) { 70_000 } else { number % 97 };
        format!("{number} {}", "x".repeat(length as usize))
    }

    fn obliges(number: u32) -> bool {
        number.is_multiple_of(3)
    }

    fn is_event(number: u32) -> bool {
        number % 5 == 1
    }

    fn push(buffer: &mut Buffer, number: u32, policies: &[Arc<Policy>], events: &mut Events) {
        if is_event(number) {
            let event = events.push(Now::default(), EventKind::AttemptsReported { attempts: u64::from(number) });
            assert!(buffer.push_event(&event, Some(u64::from(number))));
            return;
        }
        let mut decision = Decision::new(Verdict::deny(Reason::Posture), Now::default());
        decision.detail = Some(detail(number).into());
        if obliges(number) {
            let [id, obligation_type] = [number.to_string(), "log".to_owned()].map(String::into_boxed_str);
            let properties = serde_json::Value::Null;
            decision.particulars.obligations = Some([Obligation { id, obligation_type, properties }].into());
        }
        let mut draft = Draft::default();
        draft.fill(&decision, None, Given::AtOnce);
        let policy = &policies[number as usize / 50 % policies.len()];
        assert!(buffer.push(&draft, policy, None));
    }

    fn check(entry: &Entry<'_>, number: u32, policies: &[Arc<Policy>]) {
        match entry {
            Entry::Event(event, input) => {
                assert!(is_event(number) && *input == Some(u64::from(number)));
                assert!(
                    matches!(event.kind, EventKind::AttemptsReported { attempts } if attempts == u64::from(number))
                );
            }
            Entry::Decision(kept) => {
                assert!(!is_event(number) && kept.input.is_none());
                assert_eq!(kept.account.detail, Some(&*detail(number)));
                let obligations: Vec<&str> = kept.account.obligations.iter().map(|one| &*one.id).collect();
                let expected: &[&str] = if obliges(number) { &[&number.to_string()] } else { &[] };
                assert_eq!(obligations, expected);
                assert!(std::ptr::eq(kept.policy, &*policies[number as usize / 50 % policies.len()]));
            }
            Entry::Gap(gap) => panic!("{number}: {gap:?}"),
        }
    }

    #[test]
    fn entries_come_out_as_they_went_in_however_many_are_taken_at_a_time() {
        let policies = [policy(), policy()];
        for size in [1, 7, 333, usize::MAX] {
            let (mut buffer, mut events) = (Buffer::new(usize::MAX, usize::MAX), Events::new(10, 10));
            let mut next = 0;
            for number in 0..1_500 {
                push(&mut buffer, number, &policies, &mut events);
                if number % 700 < 650 {
                    continue;
                }
                let (before, mut weight) = (buffer.kept(), 0);
                let mut taken = buffer.take(size);
                while let Some(entry) = taken.read_next() {
                    check(&entry, next, &policies);
                    weight += entry.weight();
                    next += 1;
                }
                assert!(weight <= before.1 && buffer.kept() == before, "what is taken counts until it is given back");
                buffer.reuse(taken);
                assert!(buffer.spare.len() <= SPARE_MAX);
            }
            let mut rest = buffer.take(usize::MAX);
            while let Some(entry) = rest.read_next() {
                check(&entry, next, &policies);
                next += 1;
            }
            assert!(next == 1_500 && buffer.is_idle());
            assert_eq!(buffer.counts(), (1_500, 0));
        }
    }

    #[test]
    fn what_is_drained_holds_no_policy() {
        let (policies, mut events) = ([policy()], Events::new(10, 10));
        let mut buffer = Buffer::new(usize::MAX, usize::MAX);
        (0..700).for_each(|number| push(&mut buffer, number, &policies, &mut events));
        let chunks = buffer.chunks.len();
        assert_eq!(Arc::strong_count(&policies[0]), 1 + chunks, "one for each chunk, not one for each record");
        let taken = buffer.take(usize::MAX);
        buffer.reuse(taken);
        assert_eq!(Arc::strong_count(&policies[0]), 1);
    }
}
