//! One-time codes (RFC 6238: HMAC-SHA-1, 6 digits, steps of 30 s): each once, and few tries.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::{Choice, ConstantTimeEq};

use crate::policy::approver::{Fingerprint, Secret};
use crate::time::{Monotonic, Now, Ttl, Wall};

/// How long a code is the current one.
const STEP_SECS: u64 = 30;

/// How many wrong codes are taken within [`TRIES_WINDOW`].
pub const TRIES_MAX: u32 = 5;

/// After what time tries are counted anew.
pub const TRIES_WINDOW: Ttl = Ttl::from_secs(300);

/// Why a code does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeError {
    /// It is none of the current step or the one before.
    Wrong,
    /// It, or a later one, was used already.
    Used,
    /// Too many wrong ones came before.
    TooManyTries,
    /// There is no room to remember that it was used.
    NoRoom,
}

/// What is remembered of the codes of one secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tries {
    /// The latest step of which a code was used: no code of it or of an earlier one counts again.
    pub used: Option<u64>,
    /// When the first of the wrong codes came.
    pub since: Monotonic,
    /// How many wrong codes came since.
    pub wrong: u32,
}

impl Tries {
    /// How many of the wrong ones still count.
    #[must_use]
    pub fn wrong_at(&self, now: Monotonic) -> u32 {
        if now >= self.since.after(TRIES_WINDOW) { 0 } else { self.wrong }
    }
}

/// The codes that were used, and tried, by the fingerprints of their secrets. Nothing is ever forgotten: a secret that
/// finds no room is refused.
#[derive(Clone, Debug, Default)]
pub struct CodeBook {
    by_secret: BTreeMap<Fingerprint, Tries>,
    /// The step in which the book was begun: nobody knows which codes of it, or before, were used.
    began: Option<u64>,
    secrets_max: usize,
}

impl CodeBook {
    /// Nothing used, of at most `secrets_max` secrets.
    #[must_use]
    pub const fn new(secrets_max: usize) -> Self {
        Self { by_secret: BTreeMap::new(), began: None, secrets_max }
    }

    /// Lets no code of the step at that time, or of an earlier one, count; nothing for every code.
    pub fn begin(&mut self, at: Option<Wall>) {
        self.began = at.and_then(step);
    }

    /// Takes a code: it counts where it is of the current step or the one before, and of a later one than any before it.
    ///
    /// # Errors
    /// [`CodeError`]. A code that is wrong or used counts as a try.
    pub fn take(&mut self, secret: &Secret, of: Fingerprint, code: &str, now: Now) -> Result<(), CodeError> {
        if !self.by_secret.contains_key(&of) && self.by_secret.len() >= self.secrets_max {
            return Err(CodeError::NoRoom);
        }
        let tries = self.by_secret.entry(of).or_default();
        tries.wrong = tries.wrong_at(now.monotonic);
        if tries.wrong >= TRIES_MAX {
            return Err(CodeError::TooManyTries);
        }
        let step = step(now.wall).and_then(|current| step_of(secret, code, current));
        let used = tries.used.max(self.began);
        let refused = match step {
            Some(step) if used.is_none_or(|used| used < step) => {
                tries.used = Some(step);
                return Ok(());
            }
            Some(_) => CodeError::Used,
            None => CodeError::Wrong,
        };
        if tries.wrong == 0 {
            tries.since = now.monotonic;
        }
        tries.wrong = tries.wrong.saturating_add(1);
        Err(refused)
    }

    /// What is remembered, by the fingerprints of secrets.
    pub fn iter(&self) -> impl Iterator<Item = (&Fingerprint, &Tries)> {
        self.by_secret.iter()
    }

    /// Remembers this of a secret besides what is remembered already: of two, the stricter. Where there is no room, no code
    /// of the secret is taken anyway.
    pub fn remember(&mut self, of: Fingerprint, tries: Tries) {
        if !self.by_secret.contains_key(&of) && self.by_secret.len() >= self.secrets_max {
            return;
        }
        let known = self.by_secret.entry(of).or_insert(tries);
        known.used = known.used.max(tries.used);
        (known.since, known.wrong) = (known.since.max(tries.since), known.wrong.max(tries.wrong));
    }
}

/// The number of the step at a time; nothing before 1970.
#[must_use]
pub fn step(at: Wall) -> Option<u64> {
    let nanos = u64::try_from(at.as_nanos()).ok()?;
    nanos.checked_div(STEP_SECS.saturating_mul(1_000_000_000))
}

/// The code of a step, for whoever knows the secret.
#[must_use]
pub fn code(secret: &[u8], step: u64) -> String {
    format!("{:06}", truncated(secret, step).wrapping_rem(1_000_000))
}

/// Of which step the code is: the current one or the one before. How long that takes tells nothing of the right codes.
fn step_of(secret: &Secret, text: &str, current: u64) -> Option<u64> {
    let before = current.checked_sub(1);
    let is = |step: u64| code(secret.bytes(), step).as_bytes().ct_eq(text.as_bytes());
    let (is_current, is_before) = (is(current), before.map_or(Choice::from(0), is));
    if bool::from(is_current) {
        return Some(current);
    }
    before.filter(|_| bool::from(is_before))
}

/// The dynamic truncation of RFC 4226, section 5.3.
fn truncated(secret: &[u8], counter: u64) -> u32 {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { return 0 };
    mac.update(&counter.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest.last().copied().unwrap_or_default() & 0x0F);
    let four = digest.get(at..at.saturating_add(4)).and_then(|four| <[u8; 4]>::try_from(four).ok());
    u32::from_be_bytes(four.unwrap_or_default()) & 0x7FFF_FFFF
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the secret of SHA-1, and for each time the 8 digits.
    const SECRET: &[u8] = b"12345678901234567890";
    const VECTORS: [(i64, u32); 6] = [
        (59, 94_287_082),
        (1_111_111_109, 7_081_804),
        (1_111_111_111, 14_050_471),
        (1_234_567_890, 89_005_924),
        (2_000_000_000, 69_279_037),
        (20_000_000_000, 65_353_130),
    ];

    fn at(secs: i64) -> Now {
        let millis = u64::try_from(secs).unwrap() * 1_000;
        Now::new(Monotonic::from_millis(millis), Wall::from_millis(secs * 1_000))
    }

    fn take(book: &mut CodeBook, code: &str, secs: i64) -> Result<(), CodeError> {
        book.take(&Secret::new(SECRET), [7; 32], code, at(secs))
    }

    #[test]
    fn the_vectors_of_rfc_6238() {
        // The last time, in the year 2603, is beyond what a wall clock of nanoseconds can show.
        for (secs, digits) in VECTORS {
            let step = u64::try_from(secs).unwrap() / 30;
            assert_eq!(truncated(SECRET, step) % 100_000_000, digits, "at {secs}");
            assert_eq!(code(SECRET, step), format!("{:06}", digits % 1_000_000));
        }
        assert_eq!(step(Wall::from_millis(1_111_111_109_999)), Some(37_037_036));
        assert_eq!(step(Wall::from_millis(-1)), None);
    }

    #[test]
    fn the_vectors_of_rfc_4226() {
        let codes =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (step, expected) in (0..).zip(codes) {
            assert_eq!(code(SECRET, step), expected);
        }
    }

    #[test]
    fn a_code_counts_in_its_step_and_the_next_and_only_once() {
        // Counters 1 and 2 are the seconds 30 to 59 and 60 to 89.
        for (secs, expected) in
            [(29, Err(CodeError::Wrong)), (30, Ok(())), (59, Ok(())), (89, Ok(())), (90, Err(CodeError::Wrong))]
        {
            assert_eq!(take(&mut CodeBook::new(1), "287082", secs), expected, "at {secs}");
        }
        let mut book = CodeBook::new(1);
        assert_eq!(take(&mut book, "359152", 60), Ok(()));
        assert_eq!(take(&mut book, "359152", 61), Err(CodeError::Used));
        assert_eq!(take(&mut book, "287082", 62), Err(CodeError::Used), "an earlier one than was used");
        assert_eq!(take(&mut book, "969429", 90), Ok(()));
    }

    #[test]
    fn only_six_ascii_digits_are_a_code() {
        for text in ["", "28708", "2870820", "287082 ", "+87082", "２８７０８２", "٢٨٧٠٨٢", "94287082"] {
            assert_eq!(take(&mut CodeBook::new(1), text, 30), Err(CodeError::Wrong), "{text}");
        }
        // Leading zeros belong to a code: 07081804.
        assert_eq!(take(&mut CodeBook::new(1), "81804", 1_111_111_109), Err(CodeError::Wrong));
        assert_eq!(take(&mut CodeBook::new(1), "081804", 1_111_111_109), Ok(()));
    }

    #[test]
    fn five_tries_in_five_minutes() {
        let mut book = CodeBook::new(1);
        for _ in 0..5 {
            assert_eq!(take(&mut book, "000000", 1_000), Err(CodeError::Wrong));
        }
        let right = |secs: i64| code(SECRET, u64::try_from(secs).unwrap() / 30);
        assert_eq!(take(&mut book, &right(1_299), 1_299), Err(CodeError::TooManyTries));
        assert_eq!(take(&mut book, &right(1_300), 1_300), Ok(()));
    }

    #[test]
    fn a_full_book_refuses() {
        let mut book = CodeBook::new(1);
        assert_eq!(take(&mut book, "287082", 30), Ok(()));
        let other = book.take(&Secret::new(SECRET), [8; 32], "287082", at(30));
        assert_eq!(other, Err(CodeError::NoRoom));
    }
}
