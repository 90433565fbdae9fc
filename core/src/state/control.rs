//! Control feeds: where each has come to, and which of its messages is the next (spec 1.11).
//!
//! A feed counts: epochs upwards, and in each epoch messages from 1, without a hole. So a message that was seen before has
//! no second effect, one that is missing is missed, and a controller that was replaced is not heard any more. What a feed
//! says is done in its order or not at all; what is lost on the way keeps back what comes behind it, and turns the signals
//! that follow the feed to unknown.

use std::collections::{BTreeMap, VecDeque};

use crate::condition::Status;
use crate::error::{Diagnostic, quoted};
use crate::limits::Limits;
use crate::name::{self, Name};
use crate::state::document::{ControlState, FeedState};
use crate::state::refusals::Refusals;
use crate::time::{Monotonic, Wall};

/// The highest epoch and sequence that canonical JSON writes exactly.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// How many refusals are told one by one in a minute; the others are counted.
const REFUSALS_TOLD: u32 = 10;

/// The SHA-256 of a message's payload: what was said, whoever signed it.
pub type Digest = [u8; 32];

/// Why a control message was refused. Nothing has changed but what its refusal says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The envelope is none, or its signatures do not count.
    #[error("{0}")]
    Refused(Box<Diagnostic>),
    /// What was signed is no control message.
    #[error("the message is malformed: {message}")]
    Malformed {
        /// What is wrong with it, and where.
        message: String,
    },
    /// It holds an operation that is no controller's.
    #[error("{} is no operation of a control feed", quoted(.verb))]
    NotAdmitted {
        /// What is done.
        verb: String,
    },
    /// A later epoch has begun.
    #[error("epoch {epoch} of the feed has begun; sign messages of that one, or begin a later one")]
    Fenced {
        /// The epoch.
        epoch: u64,
    },
    /// Messages before it are missing.
    #[error("messages of the feed are missing; {expected} is the next")]
    Gap {
        /// The sequence of the next message.
        expected: u64,
    },
    /// Another message of its number was taken.
    #[error("another message of this number was taken; find out who else signs, then begin a later epoch")]
    Conflict,
    /// There is no room for another feed.
    #[error("there is no room for another feed; raise `control_feeds_max`")]
    Full,
    /// It was written before the engine lost its state, and it loosens.
    #[error("it was written before the state was lost, and may have been done before; send it anew")]
    Doubted,
}

impl ControlError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(diagnostic) => diagnostic.code.as_str(),
            Self::Malformed { .. } => "control_malformed",
            Self::NotAdmitted { .. } => "control_not_admitted",
            Self::Fenced { .. } => "control_fenced",
            Self::Gap { .. } => "control_gap",
            Self::Conflict => "control_conflict",
            Self::Full => "control_full",
            Self::Doubted => "control_doubted",
        }
    }
}

impl From<Diagnostic> for ControlError {
    fn from(error: Diagnostic) -> Self {
        Self::Refused(Box::new(error))
    }
}

/// The number of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of which feed.
    pub feed: Name,
    /// In which epoch.
    pub epoch: u64,
    /// Which one of it, from 1.
    pub sequence: u64,
}

/// What a message is to its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// The next one.
    Next,
    /// One that was taken before, or that is so old that nobody remembers what it said. It has no effect.
    Again,
}

/// What became of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// A heartbeat was heard.
    Heartbeat,
    /// Its operation was done.
    Done,
    /// It was taken, and its operation was not done.
    NotDone,
    /// It had been taken before.
    Again,
    /// It was refused.
    Refused,
}

impl Fate {
    /// Every fate.
    pub const ALL: [Self; 5] = [Self::Heartbeat, Self::Done, Self::NotDone, Self::Again, Self::Refused];

    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Done => "done",
            Self::NotDone => "not_done",
            Self::Again => "again",
            Self::Refused => "refused",
        }
    }
}

/// Where one feed has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// Its epoch.
    pub epoch: u64,
    /// The last message of it that was taken; 0 for none.
    pub sequence: u64,
    /// The highest message of it that was seen.
    pub seen: u64,
    /// Whether two messages of one number were seen in this epoch.
    pub contradicted: bool,
    /// When a message was taken last.
    pub heard: Option<(Monotonic, Wall)>,
    /// What the last messages were, the latest at the end.
    digests: VecDeque<Digest>,
}

impl Feed {
    /// What the signals that follow the feed are at best, whatever was heard.
    #[must_use]
    pub const fn at_best(&self) -> Status {
        if self.contradicted {
            Status::Failed
        } else if self.is_missing_some() {
            Status::Unknown
        } else {
            Status::Ok
        }
    }

    /// How many messages of it are not there yet, as far as was seen.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.seen.saturating_sub(self.sequence)
    }

    /// Whether messages of it are missing.
    #[must_use]
    pub const fn is_missing_some(&self) -> bool {
        self.missing() > 0
    }

    /// The next message.
    #[must_use]
    pub const fn expected(&self) -> u64 {
        self.sequence.saturating_add(1)
    }

    /// Whether another message than this one was taken at its place, as far as is remembered.
    fn contradicts(&self, sequence: u64, digest: &Digest) -> bool {
        let back = usize::try_from(self.sequence.saturating_sub(sequence)).unwrap_or(usize::MAX);
        self.digests.iter().rev().nth(back).is_some_and(|taken| taken != digest)
    }

    fn begin(&mut self, epoch: u64) {
        *self = Self { epoch, heard: self.heard, ..Self::default() };
    }
}

/// Every feed that was heard.
#[derive(Debug)]
pub struct Feeds {
    feeds: BTreeMap<Name, Feed>,
    feeds_max: usize,
    digests_max: usize,
    /// What was written until then, and loosens, is not done: the engine has lost what it knew of its feeds.
    doubted: Option<Wall>,
    /// What became of messages, by feed; those whose signatures do not count are nobody's.
    counts: BTreeMap<(Name, Fate), u64>,
    refusals: Refusals,
}

impl Feeds {
    /// None.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            feeds: BTreeMap::new(),
            feeds_max: limits.control_feeds_max,
            digests_max: limits.control_digests_max.max(1),
            doubted: None,
            counts: BTreeMap::new(),
            refusals: Refusals::new(REFUSALS_TOLD),
        }
    }

    /// What a message is to its feed. A later epoch begins as soon as one message of it is seen: from then on the earlier
    /// ones are not heard any more, even where the message itself has to wait.
    ///
    /// # Errors
    /// [`ControlError`]: it is not taken now.
    pub fn place(&mut self, place: &Place, digest: &Digest) -> Result<Placed, ControlError> {
        if !self.feeds.contains_key(&place.feed) && self.feeds.len() >= self.feeds_max {
            return Err(ControlError::Full);
        }
        let feed = self.feeds.entry(place.feed).or_default();
        if place.epoch < feed.epoch {
            return Err(ControlError::Fenced { epoch: feed.epoch });
        }
        if place.epoch > feed.epoch {
            feed.begin(place.epoch);
        }
        if place.sequence > feed.expected() {
            feed.seen = feed.seen.max(place.sequence);
            return Err(ControlError::Gap { expected: feed.expected() });
        }
        if place.sequence == feed.expected() {
            return Ok(Placed::Next);
        }
        if feed.contradicts(place.sequence, digest) {
            feed.contradicted = true;
            return Err(ControlError::Conflict);
        }
        Ok(Placed::Again)
    }

    /// Whether what a feed says is believed, so that it may loosen too.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] where the feed contradicts itself, [`ControlError::Doubted`] where the message was written
    /// before the engine lost its state.
    pub fn believes(&self, feed: &Name, written: Wall) -> Result<(), ControlError> {
        if self.feeds.get(feed).is_some_and(|feed| feed.contradicted) {
            return Err(ControlError::Conflict);
        }
        if self.doubted.is_some_and(|until| written <= until) {
            return Err(ControlError::Doubted);
        }
        Ok(())
    }

    /// Takes the next message of a feed.
    pub fn take(&mut self, place: &Place, digest: Digest, at: (Monotonic, Wall)) {
        let Some(feed) = self.feeds.get_mut(&place.feed) else { return };
        // Nothing comes between a message's placing and its taking but a restored state, which may be ahead of it.
        if feed.epoch != place.epoch || place.sequence != feed.expected() {
            return;
        }
        feed.sequence = place.sequence;
        feed.seen = feed.seen.max(place.sequence);
        feed.heard = Some(at);
        if feed.digests.len() >= self.digests_max {
            feed.digests.pop_front();
        }
        feed.digests.push_back(digest);
    }

    /// Has a feed heard, without a message: for engines on which nothing is decided but the cases of a bundle.
    pub fn rehearse(&mut self, feed: Name, at: (Monotonic, Wall)) {
        let feed = self.feeds.entry(feed).or_default();
        feed.heard = Some(at);
    }

    /// Counts what became of a message.
    pub fn count(&mut self, feed: Name, fate: Fate) {
        let count = self.counts.entry((feed, fate)).or_default();
        *count = count.saturating_add(1);
    }

    /// What became of messages, by feed.
    pub fn counts(&self) -> impl Iterator<Item = (&Name, Fate, u64)> {
        self.counts.iter().map(|((feed, fate), count)| (feed, *fate, *count))
    }

    /// Takes nothing that loosens and was written until then: what was done of it nobody here knows.
    pub fn doubt(&mut self, until: Wall) {
        self.doubted = self.doubted.max(Some(until));
    }

    /// A feed, where it was heard of.
    #[must_use]
    pub fn feed(&self, feed: &Name) -> Option<&Feed> {
        self.feeds.get(feed)
    }

    /// Every feed that was heard of, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Feed)> {
        self.feeds.iter()
    }

    /// Whether a refusal is told as an event, and how many were not told since the last one that was.
    pub fn tells_refusal(&mut self, now: Monotonic) -> Option<u64> {
        self.refusals.tells(now)
    }

    /// What is exported of them.
    #[must_use]
    pub fn exported(&self) -> ControlState {
        let feed = |(name, feed): (&Name, &Feed)| FeedState {
            feed: name.as_str().to_owned(),
            epoch: feed.epoch,
            sequence: feed.sequence,
            seen: feed.seen,
            contradicted: feed.contradicted,
            digests: feed.digests.iter().map(|digest| data_encoding::HEXLOWER.encode(digest)).collect(),
        };
        ControlState {
            doubted_ms: self.doubted.map(super::document::wall_ms),
            feeds: self.feeds.iter().map(feed).collect(),
        }
    }

    /// Joins what was exported: of two places the later one stands. Whether there was room for all of it.
    pub fn join(&mut self, state: &ControlState) -> bool {
        if let Some(until) = state.doubted_ms {
            self.doubt(Wall::from_millis(until));
        }
        let mut fits = true;
        for one in &state.feeds {
            let Some(feed) = name::name(&one.feed) else { continue };
            let digests = one.digests.iter().filter_map(|digest| {
                let bytes = data_encoding::HEXLOWER.decode(digest.as_bytes()).ok()?;
                bytes.try_into().ok()
            });
            let mut digests: VecDeque<Digest> = digests.collect();
            while digests.len() > self.digests_max {
                digests.pop_front();
            }
            if !self.feeds.contains_key(&feed) && self.feeds.len() >= self.feeds_max {
                fits = false;
                continue;
            }
            let here = self.feeds.entry(feed).or_default();
            let FeedState { epoch, sequence, .. } = *one;
            let mut restored =
                Feed { epoch, sequence, seen: one.seen, contradicted: one.contradicted, heard: None, digests };
            let (earlier, later) = if (here.epoch, here.sequence) > (epoch, sequence) {
                (&mut restored, here)
            } else {
                std::mem::swap(here, &mut restored);
                (&mut restored, here)
            };
            if earlier.epoch == later.epoch {
                let differs = earlier.digests.back().is_some_and(|digest| later.contradicts(earlier.sequence, digest));
                later.contradicted |= earlier.contradicted || differs;
                later.seen = later.seen.max(earlier.seen);
            }
            later.heard = later.heard.max(earlier.heard);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(epoch: u64, sequence: u64) -> Place {
        Place { feed: name::name("fleet").unwrap(), epoch, sequence }
    }

    const AT: (Monotonic, Wall) = (Monotonic::ZERO, Wall::from_millis(0));

    fn taken(feeds: &mut Feeds, epoch: u64, sequence: u64, digest: u8) -> Result<Placed, ControlError> {
        let placed = feeds.place(&place(epoch, sequence), &[digest; 32])?;
        if placed == Placed::Next {
            feeds.take(&place(epoch, sequence), [digest; 32], AT);
        }
        Ok(placed)
    }

    fn at_best(feeds: &Feeds) -> Status {
        feeds.feed(&place(1, 1).feed).unwrap().at_best()
    }

    #[test]
    fn messages_come_in_their_order_each_once() {
        let mut feeds = Feeds::new(&Limits::DEFAULT);
        assert_eq!(taken(&mut feeds, 1, 2, 2), Err(ControlError::Gap { expected: 1 }));
        assert_eq!(at_best(&feeds), Status::Unknown);
        assert_eq!(taken(&mut feeds, 1, 1, 1), Ok(Placed::Next));
        assert_eq!(at_best(&feeds), Status::Unknown, "the second one was seen, and is missing");
        assert_eq!(taken(&mut feeds, 1, 1, 1), Ok(Placed::Again));
        assert_eq!(taken(&mut feeds, 1, 2, 2), Ok(Placed::Next));
        assert_eq!(at_best(&feeds), Status::Ok);
        assert_eq!(taken(&mut feeds, 1, 4, 4), Err(ControlError::Gap { expected: 3 }));
        assert_eq!(at_best(&feeds), Status::Unknown);
    }

    #[test]
    fn a_later_epoch_ends_the_earlier_as_soon_as_it_is_seen() {
        let mut feeds = Feeds::new(&Limits::DEFAULT);
        assert_eq!(taken(&mut feeds, 1, 1, 1), Ok(Placed::Next));
        assert_eq!(taken(&mut feeds, 3, 2, 2), Err(ControlError::Gap { expected: 1 }));
        assert_eq!(taken(&mut feeds, 1, 2, 2), Err(ControlError::Fenced { epoch: 3 }));
        assert_eq!(taken(&mut feeds, 2, 1, 1), Err(ControlError::Fenced { epoch: 3 }));
        assert_eq!(taken(&mut feeds, 3, 1, 1), Ok(Placed::Next));
        assert_eq!(taken(&mut feeds, 3, 2, 2), Ok(Placed::Next));
        assert_eq!(at_best(&feeds), Status::Ok);
    }

    #[test]
    fn two_messages_of_one_number_fail_the_feed_until_a_later_epoch() {
        let mut feeds = Feeds::new(&Limits { control_digests_max: 2, ..Limits::DEFAULT });
        for sequence in 1..=3 {
            assert_eq!(taken(&mut feeds, 1, sequence, sequence as u8), Ok(Placed::Next));
        }
        assert_eq!(taken(&mut feeds, 1, 1, 9), Ok(Placed::Again), "nobody remembers what it was");
        assert_eq!(at_best(&feeds), Status::Ok);
        assert_eq!(taken(&mut feeds, 1, 2, 9), Err(ControlError::Conflict));
        assert_eq!(at_best(&feeds), Status::Failed);
        assert_eq!(feeds.believes(&place(1, 1).feed, Wall::from_millis(0)), Err(ControlError::Conflict));
        assert_eq!(taken(&mut feeds, 1, 4, 4), Ok(Placed::Next));
        assert_eq!(at_best(&feeds), Status::Failed);
        assert_eq!(taken(&mut feeds, 2, 1, 1), Ok(Placed::Next));
        assert_eq!(at_best(&feeds), Status::Ok);
    }

    #[test]
    fn a_message_that_lost_its_place_to_a_restored_state_is_not_taken() {
        let restored = |epoch: u64, sequence: u64| ControlState {
            doubted_ms: None,
            feeds: vec![FeedState {
                feed: "fleet".to_owned(),
                epoch,
                sequence,
                seen: sequence,
                contradicted: false,
                digests: vec!["07".repeat(32)],
            }],
        };
        for (epoch, sequence) in [(1, 2), (1, 5), (2, 0), (2, 1)] {
            let mut feeds = Feeds::new(&Limits::DEFAULT);
            assert_eq!(taken(&mut feeds, 1, 1, 1), Ok(Placed::Next));
            assert_eq!(feeds.place(&place(1, 2), &[2; 32]), Ok(Placed::Next));
            assert!(feeds.join(&restored(epoch, sequence)));
            let before = feeds.feed(&place(1, 1).feed).cloned();
            feeds.take(&place(1, 2), [2; 32], AT);
            assert_eq!(feeds.feed(&place(1, 1).feed).cloned(), before, "{epoch} {sequence}");
        }
    }

    #[test]
    fn without_room_another_feed_is_refused_and_none_forgotten() {
        let mut feeds = Feeds::new(&Limits { control_feeds_max: 1, ..Limits::DEFAULT });
        assert_eq!(taken(&mut feeds, 1, 1, 1), Ok(Placed::Next));
        let other = Place { feed: name::name("other").unwrap(), epoch: 1, sequence: 1 };
        assert_eq!(feeds.place(&other, &[1; 32]), Err(ControlError::Full));
        assert_eq!(taken(&mut feeds, 1, 1, 1), Ok(Placed::Again));
    }

    #[test]
    fn of_two_places_the_later_one_stands() {
        let mut ahead = Feeds::new(&Limits::DEFAULT);
        for sequence in 1..=3 {
            taken(&mut ahead, 2, sequence, 1).unwrap();
        }
        let state = ahead.exported();
        let mut fresh = Feeds::new(&Limits::DEFAULT);
        assert!(fresh.join(&state));
        assert_eq!(fresh.exported(), state);
        assert_eq!(taken(&mut fresh, 2, 3, 1), Ok(Placed::Again));
        assert_eq!(taken(&mut fresh, 2, 3, 9), Err(ControlError::Conflict));
        let mut later = Feeds::new(&Limits::DEFAULT);
        taken(&mut later, 3, 1, 1).unwrap();
        let before = later.exported();
        assert!(later.join(&state));
        assert_eq!(later.exported(), before);
        let mut other = Feeds::new(&Limits::DEFAULT);
        for sequence in 1..=2 {
            taken(&mut other, 2, sequence, 7).unwrap();
        }
        assert!(other.join(&state));
        assert_eq!(at_best(&other), Status::Failed, "the two were told different things");
    }
}
