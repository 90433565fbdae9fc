//! A stretch of memory that holds entries one behind the other, and what stands beside them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::draft::{self, Draft};
use super::record::{Entry, Gap};
use crate::obligation::Obligation;
use crate::policy::compile::Policy;
use crate::state::events::Event;

/// Entries, oldest first, as bytes; what cannot be bytes stands beside them in the same order.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// Each entry: its [`Header`], and of a decision what its draft holds. Never longer than its capacity.
    bytes: Vec<u8>,
    /// Where the first entry begins that was not read.
    start: usize,
    entries: usize,
    /// Whose decisions they are, and how many of them stand in a row. Not one for each: a counter of references is a place
    /// that all threads would write.
    policies: VecDeque<(Arc<Policy>, usize)>,
    obligations: VecDeque<Arc<[Obligation]>>,
    /// What the decision that was read last obliges to.
    obliged: Option<Arc<[Obligation]>>,
    others: VecDeque<Other>,
}

/// What is no decision.
#[derive(Debug)]
enum Other {
    Event(Box<Event>, Option<u64>),
    Gap(Gap),
}

/// What stands before the bytes of an entry.
#[derive(Clone, Copy, Debug, Default)]
struct Header {
    flags: u8,
    /// How many bytes follow.
    length: usize,
    weight: usize,
    input: u64,
}

mod flag {
    pub(super) const DECISION: u8 = 1;
    pub(super) const OBLIGES: u8 = 2;
    pub(super) const INPUT: u8 = 4;
}

/// How many bytes a header takes.
const HEADER: usize = 25;

/// The bytes of an ordinary chunk: some two hundred decisions. Below what an allocator takes from the system by itself, and
/// gives back each time.
const ORDINARY: usize = 1 << 16;

/// The most entries of a chunk: what of it is not bytes is bounded too.
const ENTRIES_MAX: usize = 1_024;

impl Header {
    const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let numbers = [self.length as u64, self.weight as u64, self.input].map(u64::to_le_bytes);
        if let Some((first, rest)) = bytes.split_first_mut() {
            *first = self.flags;
            rest.copy_from_slice(numbers.as_flattened());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (flags, rest) = bytes.split_first()?;
        let ([length, weight, input], _) = rest.as_chunks::<8>().0.split_first_chunk::<3>()?;
        let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let size = |bytes: &[u8; 8]| usize::try_from(number(bytes)).ok();
        Some(Self { flags: *flags, length: size(length)?, weight: size(weight)?, input: number(input) })
    }
}

impl Chunk {
    /// An empty chunk that has room for an entry of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes.saturating_add(HEADER).max(ORDINARY)), ..Self::default() }
    }

    /// How many entries it holds.
    pub(super) const fn len(&self) -> usize {
        self.entries
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Whether an entry of so many bytes finds room.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let left = self.bytes.capacity().saturating_sub(self.bytes.len());
        bytes.saturating_add(HEADER) <= left && self.entries < ENTRIES_MAX
    }

    /// Adds a decision of that policy.
    pub(super) fn push(&mut self, draft: &Draft, policy: &Arc<Policy>, input: Option<u64>) {
        let obliges = draft.obligations.as_ref().map_or(0, |obligations| {
            self.obligations.push_back(Arc::clone(obligations));
            flag::OBLIGES
        });
        match self.policies.back_mut() {
            Some((last, run)) if Arc::ptr_eq(last, policy) => *run = run.saturating_add(1),
            _ => self.policies.push_back((Arc::clone(policy), 1)),
        }
        let header = Header {
            flags: flag::DECISION | obliges | input.map_or(0, |_| flag::INPUT),
            length: draft.bytes().len(),
            weight: draft.weight(),
            input: input.unwrap_or(0),
        };
        self.add(header, draft.bytes());
    }

    /// Adds an event.
    pub(super) fn push_event(&mut self, event: Event, input: Option<u64>) {
        self.others.push_back(Other::Event(Box::new(event), input));
        self.add(Header::default(), &[]);
    }

    /// Adds a gap.
    pub(super) fn push_gap(&mut self, gap: Gap) {
        self.others.push_back(Other::Gap(gap));
        self.add(Header::default(), &[]);
    }

    fn add(&mut self, header: Header, bytes: &[u8]) {
        self.bytes.extend_from_slice(&header.to_bytes());
        self.bytes.extend_from_slice(bytes);
        self.entries = self.entries.saturating_add(1);
    }

    /// Reads the first entry, and takes it out.
    pub(super) fn read_next(&mut self) -> Option<Entry<'_>> {
        self.entries = self.entries.checked_sub(1)?;
        // What was written can be read. If it could not, the chain would say that something is missing.
        let lost = Entry::Gap(Gap { events: 1, ..Gap::default() });
        Some(self.read().unwrap_or(lost))
    }

    fn read(&mut self) -> Option<Entry<'_>> {
        let rest = self.bytes.get(self.start..)?;
        let header = Header::read(rest)?;
        let bytes = rest.get(HEADER..)?.get(..header.length)?;
        self.start = self.start.saturating_add(HEADER).saturating_add(header.length);
        if !header.has(flag::DECISION) {
            return Some(match self.others.pop_front()? {
                Other::Event(event, input) => Entry::Event(*event, input),
                Other::Gap(gap) => Entry::Gap(gap),
            });
        }
        while self.policies.front().is_some_and(|(_, run)| *run == 0) {
            self.policies.pop_front();
        }
        let (policy, run) = self.policies.front_mut()?;
        *run = run.saturating_sub(1);
        self.obliged = if header.has(flag::OBLIGES) { self.obligations.pop_front() } else { None };
        let obligations = self.obliged.as_deref().unwrap_or_default();
        let input = header.has(flag::INPUT).then_some(header.input);
        draft::read(bytes, obligations, policy, input, header.weight).map(Entry::Decision)
    }

    /// Takes out the first entries, at most all, as a chunk of their own.
    pub(super) fn split(&mut self, count: usize) -> Self {
        let mut taken = Self::default();
        let begin = self.start;
        while taken.entries < count.min(self.entries) {
            let Some(header) = self.bytes.get(self.start..).and_then(Header::read) else { break };
            self.start = self.start.saturating_add(HEADER).saturating_add(header.length);
            taken.entries = taken.entries.saturating_add(1);
            if !header.has(flag::DECISION) {
                taken.others.extend(self.others.pop_front());
                continue;
            }
            if header.has(flag::OBLIGES) {
                taken.obligations.extend(self.obligations.pop_front());
            }
            self.hand_over_policy(&mut taken);
        }
        taken.bytes = self.bytes.get(begin..self.start).unwrap_or_default().to_vec();
        self.entries = self.entries.saturating_sub(taken.entries);
        taken
    }

    fn hand_over_policy(&mut self, to: &mut Self) {
        while self.policies.front().is_some_and(|(_, run)| *run == 0) {
            self.policies.pop_front();
        }
        let Some((policy, run)) = self.policies.front_mut() else { return };
        *run = run.saturating_sub(1);
        match to.policies.back_mut() {
            Some((last, run)) if Arc::ptr_eq(last, policy) => *run = run.saturating_add(1),
            _ => to.policies.push_back((Arc::clone(policy), 1)),
        }
    }

    /// Its memory, for other entries; nothing of one of another size.
    pub(super) fn emptied(mut self) -> Option<Self> {
        if self.bytes.capacity().checked_div(ORDINARY) != Some(1) {
            return None;
        }
        self.bytes.clear();
        self.start = 0;
        self.entries = 0;
        self.policies.clear();
        self.obligations.clear();
        self.obliged = None;
        self.others.clear();
        Some(self)
    }
}
