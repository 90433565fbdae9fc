//! The chain: each record carries the hash of the one before, so that none can be changed, dropped, moved or added.

use data_encoding::HEXLOWER;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::record::RecordKind;
use crate::policy::bundle::hexadecimal;
use crate::time::Now;

/// The version of the format, as each record names it.
pub const VERSION: &str = "audit/1";

/// Where a chain has come to: how many records it has, and the hash of the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// How many records there are; the `seq` of the last.
    pub count: u64,
    /// The hash of the last record; zero before the first.
    pub hash: [u8; 32],
}

impl Head {
    /// The head as a checkpoint carries it: `count`, and `head` in hexadecimal.
    #[must_use]
    pub fn to_json(self) -> Value {
        serde_json::json!({ "count": self.count, "head": hexadecimal(&self.hash) })
    }

    /// A head as [`Head::to_json`] writes it; nothing for what is none, half a head among it: a count without a hash.
    #[must_use]
    pub fn from_json(head: &Value) -> Option<Self> {
        let count = head.get("count")?.as_u64()?;
        let hash = HEXLOWER.decode(head.get("head")?.as_str()?.as_bytes()).ok()?.try_into().ok()?;
        let fits = (count == 0) == (hash == [0; 32]) && head.as_object()?.len() == 2;
        fits.then_some(Self { count, hash })
    }
}

/// Links one record after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chain {
    head: Head,
}

impl Chain {
    /// A chain that goes on behind this head.
    #[must_use]
    pub const fn behind(head: Head) -> Self {
        Self { head }
    }

    /// Where it has come to.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The next record, as one line of canonical JSON (RFC 8785) without the end of the line.
    ///
    /// Nothing where the body has no canonical form; then the chain stays as it was.
    pub fn link(&mut self, at: Now, kind: RecordKind, body: Value) -> Option<String> {
        let seq = self.head.count.checked_add(1)?;
        let mut record = Map::new();
        record.insert("fallgate".to_owned(), VERSION.into());
        record.insert("seq".to_owned(), seq.into());
        record.insert("prev".to_owned(), hexadecimal(&self.head.hash).into());
        record.insert("at".to_owned(), at.wall.to_string().into());
        record.insert("monotonic_ms".to_owned(), (at.monotonic.as_nanos() / 1_000_000).into());
        record.insert("kind".to_owned(), kind.code().into());
        record.insert("body".to_owned(), body);
        let mut record = Value::Object(record);
        let hash = record_hash(&self.head.hash, &record)?;
        record.as_object_mut()?.insert("hash".to_owned(), hexadecimal(&hash).into());
        let line = String::from_utf8(serde_json_canonicalizer::to_vec(&record).ok()?).ok()?;
        self.head = Head { count: seq, hash };
        Some(line)
    }
}

/// SHA-256 over the hash of the record before and the canonical record without its own.
pub(super) fn record_hash(prev: &[u8; 32], without_hash: &Value) -> Option<[u8; 32]> {
    let bytes = serde_json_canonicalizer::to_vec(without_hash).ok()?;
    Some(Sha256::new().chain_update(prev).chain_update(bytes).finalize().into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::{Monotonic, Wall};

    #[test]
    fn a_record_is_what_the_format_says() {
        let mut chain = Chain::default();
        let at = Now::new(Monotonic::from_millis(1_500), Wall::from_millis(1_767_225_600_000));
        let line = chain.link(at, RecordKind::Bundle, json!({ "event": "bundle_activated" })).unwrap();
        // By hand: the members in order of their names, and the hash over 32 zero bytes and the rest.
        let rest = concat!(
            r#"{"at":"2026-01-01T00:00:00Z","body":{"event":"bundle_activated"},"fallgate":"audit/1","#,
            r#""kind":"bundle","monotonic_ms":1500,"#,
            r#""prev":"0000000000000000000000000000000000000000000000000000000000000000","seq":1}"#
        );
        let hash = Sha256::new().chain_update([0; 32]).chain_update(rest).finalize();
        let hash = hexadecimal(&hash);
        assert_eq!(line, rest.replace(r#""kind""#, &format!(r#""hash":"{hash}","kind""#)));
        assert_eq!(chain.head().count, 1);
        assert_eq!(chain.head().to_json()["head"], hash);
        assert_eq!(Head::from_json(&chain.head().to_json()), Some(chain.head()));
        let second = chain.link(at, RecordKind::Bundle, json!({})).unwrap();
        assert!(second.contains(&format!(r#""prev":"{hash}","seq":2"#)), "{second}");
    }
    #[test]
    fn half_a_head_is_none() {
        let (zero, one) = ("0".repeat(64), "1".repeat(64));
        assert_eq!(Head::from_json(&json!({ "count": 0, "head": zero })), Some(Head::default()));
        assert_eq!(Head::from_json(&json!({ "count": 3, "head": one })), Some(Head { count: 3, hash: [0x11; 32] }));
        for head in [
            json!({ "count": 3, "head": zero }),
            json!({ "count": 0, "head": one }),
            json!({ "count": -1, "head": one }),
            json!({ "count": 3, "head": "11" }),
            json!({ "count": 3, "head": one, "more": 1 }),
            json!({ "count": 3 }),
            json!([3, one]),
        ] {
            assert_eq!(Head::from_json(&head), None, "{head}");
        }
    }
}
