//! Reading a chain back: the first record that is not what was written, by number and reason.
//!
//! A verifier is fed line by line, so that a chain larger than memory is read in one pass. It never says that a chain is
//! whole because it saw nothing: an empty chain, one that ends in the middle of a record and one of another version are
//! findings. What is missing at the end shows only against a head that was kept elsewhere.

use data_encoding::HEXLOWER;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::chain::{Head, VERSION, record_hash};
use super::record::RecordKind;
use crate::error::quoted;

/// What is wrong with a chain, and from which record on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq}: {fault}")]
pub struct Finding {
    /// The number of the first record that is not as it was written.
    pub seq: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The line is no JSON object in canonical form.
    #[error("it is not the canonical form of a record: cut short, edited or not a record")]
    NotCanonical,
    /// It is of a version that this verifier does not know.
    #[error("it is of the version {0}, which is not known here")]
    Version(String),
    /// A member is missing, added, or has another form.
    #[error("it has not the members of a record")]
    Members,
    /// It carries another number than comes next: a record was dropped, moved, doubled or put in.
    #[error("it carries the number {found}: a record was dropped, moved, doubled or put in here")]
    Sequence {
        /// The number that it carries.
        found: u64,
    },
    /// It does not follow the record before.
    #[error("it does not follow the record before it: one of the two was changed or put in")]
    Link,
    /// Its hash is not that of its text.
    #[error("its text was changed: the hash is another one")]
    Hash,
    /// A checkpoint does not say what the chain has come to.
    #[error("the checkpoint does not say what the chain has come to")]
    Checkpoint,
    /// There is no record at all.
    #[error("there is no record at all")]
    Empty,
    /// The chain ends before the head that was kept elsewhere.
    #[error("the chain ends here, and the head that was kept is at {expected}: records are missing at the end")]
    Truncated {
        /// The number of records that there should be at the least.
        expected: u64,
    },
    /// The chain has another record where the kept head says.
    #[error("it is not the record that the kept head is of: the chain was written anew")]
    OtherHead,
}

impl Fault {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotCanonical => "record_not_canonical",
            Self::Version(_) => "record_version",
            Self::Members => "record_members",
            Self::Sequence { .. } => "record_sequence",
            Self::Link => "record_link",
            Self::Hash => "record_hash",
            Self::Checkpoint => "record_checkpoint",
            Self::Empty => "chain_empty",
            Self::Truncated { .. } => "chain_truncated",
            Self::OtherHead => "chain_other_head",
        }
    }
}

/// A record that was read and follows the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its number.
    pub seq: u64,
    /// When, in RFC 3339.
    pub at: String,
    /// Its kind.
    pub kind: RecordKind,
    /// What it says.
    pub body: Value,
    /// Its hash.
    pub hash: [u8; 32],
}

/// Reads a chain from its beginning, or from behind a head that is trusted.
#[derive(Clone, Debug)]
pub struct Verifier {
    head: Head,
    /// What must be found on the way: heads that were kept elsewhere.
    expected: Option<Head>,
    read: u64,
    /// Records that the gaps on the way say are missing.
    missing: u64,
}

impl Verifier {
    /// A verifier of a chain from behind `head`: [`Head::default`] for its beginning.
    #[must_use]
    pub const fn behind(head: Head) -> Self {
        Self { head, expected: None, read: 0, missing: 0 }
    }

    /// Demands that the chain goes through this head, which was kept elsewhere.
    #[must_use]
    pub const fn through(mut self, expected: Head) -> Self {
        self.expected = Some(expected);
        self
    }

    /// Takes the next line, without the end of the line.
    ///
    /// # Errors
    /// The finding. What is fed afterwards means nothing.
    pub fn push(&mut self, line: &[u8]) -> Result<Record, Finding> {
        let seq = self.head.count.saturating_add(1);
        let record = read(line, self.head, seq).map_err(|fault| Finding { seq, fault })?;
        let says_head = Value::Object(Map::from_iter([
            ("count".to_owned(), self.head.count.into()),
            ("head".to_owned(), HEXLOWER.encode(&self.head.hash).into()),
        ]));
        if record.kind == RecordKind::Checkpoint && record.body != says_head {
            return Err(Finding { seq, fault: Fault::Checkpoint });
        }
        if record.kind == RecordKind::Gap {
            let count = |name: &str| record.body.get(name).and_then(Value::as_u64);
            let counts = ["denies", "allows", "events"].map(count);
            for count in counts {
                let count = count.ok_or(Finding { seq, fault: Fault::Members })?;
                self.missing = self.missing.saturating_add(count);
            }
        }
        self.head = Head { count: seq, hash: record.hash };
        self.read = self.read.saturating_add(1);
        if self.expected.is_some_and(|expected| expected.count == seq && !same(&expected.hash, &record.hash)) {
            return Err(Finding { seq, fault: Fault::OtherHead });
        }
        Ok(record)
    }

    /// Ends the reading: where the chain has come to.
    ///
    /// # Errors
    /// [`Fault::Empty`] where nothing was read, [`Fault::Truncated`] where a kept head was not reached.
    pub fn finish(self) -> Result<Head, Finding> {
        let seq = self.head.count;
        if self.read == 0 {
            return Err(Finding { seq, fault: Fault::Empty });
        }
        match self.expected {
            Some(expected) if expected.count > seq => {
                let fault = Fault::Truncated { expected: expected.count };
                Err(Finding { seq: seq.saturating_add(1), fault })
            }
            _ => Ok(self.head),
        }
    }

    /// How many records were read, and how many the gaps among them say are missing.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.read, self.missing)
    }
}

/// The members of a record besides its hash.
const MEMBERS: [&str; 8] = ["at", "body", "fallgate", "hash", "kind", "monotonic_ms", "prev", "seq"];

fn read(line: &[u8], before: Head, seq: u64) -> Result<Record, Fault> {
    let mut value: Value = serde_json::from_slice(line).map_err(|_| Fault::NotCanonical)?;
    // One text for one meaning: a member twice, a space or another order would be a second text of the same record.
    if !serde_json_canonicalizer::to_vec(&value).is_ok_and(|canonical| canonical == line) {
        return Err(Fault::NotCanonical);
    }
    let members = value.as_object_mut().ok_or(Fault::Members)?;
    match members.get("fallgate").and_then(Value::as_str) {
        Some(VERSION) => {}
        Some(other) => return Err(Fault::Version(quoted(other))),
        None => return Err(Fault::Members),
    }
    if members.len() != MEMBERS.len() || !MEMBERS.iter().all(|name| members.contains_key(*name)) {
        return Err(Fault::Members);
    }
    let text = |members: &Map<String, Value>, name: &str| {
        members.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(Fault::Members)
    };
    let found = members.get("seq").and_then(Value::as_u64).ok_or(Fault::Members)?;
    let kind = RecordKind::named(&text(members, "kind")?).ok_or(Fault::Members)?;
    let at = text(members, "at")?;
    members.get("monotonic_ms").and_then(Value::as_u64).ok_or(Fault::Members)?;
    let prev = digest(&text(members, "prev")?)?;
    let hash = digest(&text(members, "hash")?)?;
    members.remove("hash");
    let body = members.get("body").cloned().ok_or(Fault::Members)?;
    let reckoned = record_hash(&prev, &value).ok_or(Fault::NotCanonical)?;
    if !same(&reckoned, &hash) {
        return Err(Fault::Hash);
    }
    if found != seq {
        return Err(Fault::Sequence { found });
    }
    if !same(&prev, &before.hash) {
        return Err(Fault::Link);
    }
    Ok(Record { seq, at, kind, body, hash })
}

/// A SHA-256 as 64 lower-case hexadecimal digits.
fn digest(text: &str) -> Result<[u8; 32], Fault> {
    let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| Fault::Members)?;
    bytes.try_into().map_err(|_| Fault::Members)
}

fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.ct_eq(b).into()
}
