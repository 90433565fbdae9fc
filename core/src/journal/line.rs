//! A journal as lines: one entry a line, each with the hash of the one before, so that a changed one is found.

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::error::quoted;
use crate::time::{Monotonic, Now, Wall};

/// The version of the format, as each entry names it.
pub const VERSION: &str = "journal/1";

/// The member of an entry that stands for inputs which found no room.
pub const GAP: &str = "gap";

/// The members that every entry has.
const COMMON: [&str; 5] = ["fallgate", "n", "prev", "at", "hash"];

/// The members that say what came of an input.
const OUTCOMES: [&str; 2] = ["outcome", "because"];

/// An entry that was read and follows the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its number.
    pub number: u64,
    /// When it was.
    pub at: Now,
    /// What was done, by its name, and with what.
    pub verb: String,
    /// With what.
    pub argument: Value,
    /// A number that the argument has no room for, exactly.
    pub exact: Option<u64>,
    /// What came of it, and because of what nothing did: `outcome` and `because`, each only where the entry has it.
    pub outcome: Map<String, Value>,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It is no JSON object as an engine writes it.
    #[error("it is no entry as an engine writes it: cut short, edited or not an entry")]
    Malformed,
    /// It is of a version that is not known here.
    #[error("it is of the version {0}, which is not known here")]
    Version(String),
    /// It carries another number than comes next.
    #[error("it carries the number {found}: an entry was dropped, moved, doubled or put in here")]
    Sequence {
        /// The number that it carries.
        found: u64,
    },
    /// It does not follow the entry before, or was changed.
    #[error("its hash is not that of its text and of the entry before: one of the two was changed")]
    Hash,
}

impl Fault {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "entry_malformed",
            Self::Version(_) => "entry_version",
            Self::Sequence { .. } => "entry_sequence",
            Self::Hash => "entry_hash",
        }
    }
}

/// Both clocks as an entry has them: decimal text, since not every language has 64 bits.
#[must_use]
pub fn clocks(now: Now) -> Value {
    json!({ "monotonic_ns": now.monotonic.as_nanos().to_string(), "wall_ns": now.wall.as_nanos().to_string() })
}

fn now_of(clocks: &Value) -> Option<Now> {
    let text = |name: &str| clocks.get(name)?.as_str();
    let monotonic = Monotonic::from_nanos(text("monotonic_ns")?.parse().ok()?);
    Some(Now::new(monotonic, Wall::from_nanos(text("wall_ns")?.parse().ok()?)))
}

/// The line of an entry, and its hash.
///
/// Numbers stand as they are: canonical JSON would make one number of `1` and `1.0`, and a condition tells them apart.
pub(super) fn link(number: u64, prev: &[u8; 32], mut members: Map<String, Value>) -> (String, [u8; 32]) {
    members.insert("fallgate".to_owned(), VERSION.into());
    members.insert("n".to_owned(), number.into());
    members.insert("prev".to_owned(), HEXLOWER.encode(prev).into());
    let mut entry = Value::Object(members);
    let hash = hash_of(prev, &entry);
    if let Some(members) = entry.as_object_mut() {
        members.insert("hash".to_owned(), HEXLOWER.encode(&hash).into());
    }
    (entry.to_string(), hash)
}

fn hash_of(prev: &[u8; 32], without_hash: &Value) -> [u8; 32] {
    Sha256::new().chain_update(prev).chain_update(without_hash.to_string()).finalize().into()
}

/// Reads the lines of a journal, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    number: u64,
    hash: [u8; 32],
}

impl Reader {
    /// The number of the last entry that was read.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Takes the next line, without the end of the line. The entry numbered 1 begins a journal, wherever it stands.
    ///
    /// # Errors
    /// [`Fault`]. What is fed afterwards means nothing.
    pub fn push(&mut self, line: &[u8]) -> Result<Line, Fault> {
        let mut entry: Value = serde_json::from_slice(line).map_err(|_| Fault::Malformed)?;
        // One text for one entry: a member twice, a space or another order would be a second one.
        if entry.to_string().as_bytes() != line {
            return Err(Fault::Malformed);
        }
        let members = entry.as_object_mut().ok_or(Fault::Malformed)?;
        match members.get("fallgate").and_then(Value::as_str) {
            Some(VERSION) => {}
            Some(other) => return Err(Fault::Version(quoted(other))),
            None => return Err(Fault::Malformed),
        }
        let found = members.get("n").and_then(Value::as_u64).ok_or(Fault::Malformed)?;
        let before = if found == 1 { Self::default() } else { self.clone() };
        if before.number.checked_add(1) != Some(found) {
            return Err(Fault::Sequence { found });
        }
        let hash = members.remove("hash").ok_or(Fault::Malformed)?;
        let prev = members.get("prev").and_then(Value::as_str).ok_or(Fault::Malformed)?;
        let follows = prev == HEXLOWER.encode(&before.hash);
        let reckoned = hash_of(&before.hash, &entry);
        if !follows || hash.as_str() != Some(&HEXLOWER.encode(&reckoned)) {
            return Err(Fault::Hash);
        }
        let line = parts(found, entry).ok_or(Fault::Malformed)?;
        *self = Self { number: found, hash: reckoned };
        Ok(line)
    }
}

/// The parts of an entry; nothing where it has not exactly those of one.
fn parts(number: u64, entry: Value) -> Option<Line> {
    let Value::Object(members) = entry else { return None };
    let at = now_of(members.get("at")?)?;
    let (mut outcome, mut exact, mut argument) = (Map::new(), None, None);
    for (name, value) in members {
        match name.as_str() {
            name if COMMON.contains(&name) => {}
            name if OUTCOMES.contains(&name) => {
                outcome.insert(name.to_owned(), value);
            }
            "exact" => exact = Some(value.as_str()?.parse().ok()?),
            _ if argument.is_some() => return None,
            _ => argument = Some((name, value)),
        }
    }
    let (verb, argument) = argument?;
    Some(Line { number, at, verb, argument, exact, outcome })
}
