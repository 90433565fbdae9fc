//! The key of a cached decision: exactly what the policy could have read for it, in an encoding that is injective.
//!
//! Each value is written as a tag, its length where it has one, and its bytes. No two requests that differ in anything
//! the policy reads have one encoding: lists keep their shape, and no separator can be forged.

use std::net::IpAddr;

use arrayvec::ArrayVec;

use crate::policy::action::ActionReads;
use crate::request::{Attributes, PartyView, RequestView};
use crate::value::{Value, View};

/// A key; a short one stands on the stack, and needs no allocation.
#[derive(Debug, Default)]
pub struct Key {
    short: ArrayVec<u8, SHORT_BYTES>,
    /// All of it, once it has grown too long to be short.
    long: Vec<u8>,
}

/// Bytes of a key that stands on the stack.
const SHORT_BYTES: usize = 512;

impl Key {
    /// The key of a request for an action.
    pub fn fill(&mut self, action: u32, reads: &ActionReads, slots: &[Option<View<'_>>], request: &RequestView<'_>) {
        self.add(&action.to_be_bytes());
        if reads.whole_request {
            party(&request.subject, self);
            attributes(request.action.properties, self);
            party(&request.resource, self);
            attributes(request.context, self);
        } else {
            for slot in &reads.slots {
                match slots.get(usize::from(*slot)).copied().flatten() {
                    Some(value) => view(value, self),
                    None => self.push(tag::ABSENT),
                }
            }
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        if self.long.is_empty() { &self.short } else { &self.long }
    }

    fn push(&mut self, tag: u8) {
        self.add(&[tag]);
    }

    #[inline]
    fn add(&mut self, bytes: &[u8]) {
        if self.long.is_empty() && self.short.try_extend_from_slice(bytes).is_ok() {
            return;
        }
        self.lengthen(bytes);
    }

    #[cold]
    fn lengthen(&mut self, bytes: &[u8]) {
        if self.long.is_empty() {
            self.long.extend_from_slice(&self.short);
        }
        self.long.extend_from_slice(bytes);
    }
}

mod tag {
    pub(super) const ABSENT: u8 = 0;
    pub(super) const NULL: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const TRUE: u8 = 3;
    pub(super) const INT: u8 = 4;
    pub(super) const UINT: u8 = 5;
    pub(super) const DOUBLE: u8 = 6;
    pub(super) const TEXT: u8 = 7;
    pub(super) const BYTES: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const MAP: u8 = 10;
    pub(super) const TIMESTAMP: u8 = 11;
    pub(super) const DURATION: u8 = 12;
    pub(super) const IPV4: u8 = 13;
    pub(super) const IPV6: u8 = 14;
    pub(super) const CIDR: u8 = 15;
    pub(super) const TYPE: u8 = 16;
}

fn party(party: &PartyView<'_>, key: &mut Key) {
    counted(tag::TEXT, party.party_type.as_bytes(), key);
    counted(tag::TEXT, party.id.as_bytes(), key);
    attributes(party.properties, key);
}

/// Equal attributes have one encoding, whoever holds them.
fn attributes(attributes: Attributes<'_>, key: &mut Key) {
    view(attributes.view(), key);
}

fn named<'v>(length: usize, entries: impl Iterator<Item = (&'v str, View<'v>)>, key: &mut Key) {
    count(tag::MAP, length, key);
    for (name, value) in entries {
        counted(tag::TEXT, name.as_bytes(), key);
        view(value, key);
    }
}

fn view(value: View<'_>, key: &mut Key) {
    match value {
        View::Null => key.push(tag::NULL),
        View::Bool(false) => key.push(tag::FALSE),
        View::Bool(true) => key.push(tag::TRUE),
        View::Int(number) => fixed(tag::INT, &number.to_be_bytes(), key),
        View::UInt(number) => fixed(tag::UINT, &number.to_be_bytes(), key),
        View::Double(number) => fixed(tag::DOUBLE, &number.to_bits().to_be_bytes(), key),
        View::Str(text) => counted(tag::TEXT, text.as_bytes(), key),
        View::Bytes(bytes) => counted(tag::BYTES, bytes, key),
        View::List(values) => {
            count(tag::LIST, values.len(), key);
            values.iter().for_each(|value: &Value| view(View::from(value), key));
        }
        View::Items(items) => {
            count(tag::LIST, items.len(), key);
            items.iter().for_each(|item| view(*item, key));
        }
        View::Map(map) => named(map.len(), map.iter().map(|(name, value)| (name, View::from(value))), key),
        View::Fields(fields) => named(fields.len(), fields.entries().iter().copied(), key),
        View::Entries(entries) => {
            count(tag::MAP, entries.len(), key);
            for (name, value) in entries {
                view(*name, key);
                view(*value, key);
            }
        }
        View::Timestamp(at) => fixed(tag::TIMESTAMP, &at.as_nanosecond().to_be_bytes(), key),
        View::Duration(span) => fixed(tag::DURATION, &span.as_nanos().to_be_bytes(), key),
        View::Ip(ip) => address(ip, key),
        View::Cidr(cidr) => {
            fixed(tag::CIDR, &[cidr.prefix()], key);
            address(cidr.address(), key);
        }
        View::Type(name) => counted(tag::TYPE, name.as_bytes(), key),
    }
}

fn address(ip: IpAddr, key: &mut Key) {
    match ip {
        IpAddr::V4(ip) => fixed(tag::IPV4, &ip.octets(), key),
        IpAddr::V6(ip) => fixed(tag::IPV6, &ip.octets(), key),
    }
}

fn fixed(tag: u8, bytes: &[u8], key: &mut Key) {
    key.push(tag);
    key.add(bytes);
}

fn count(tag: u8, length: usize, key: &mut Key) {
    // Lossless: no platform has a usize wider than 64 bits.
    let [a, b, c, d, e, f, g, h] = (length as u64).to_be_bytes();
    key.add(&[tag, a, b, c, d, e, f, g, h]);
}

fn counted(tag: u8, bytes: &[u8], key: &mut Key) {
    count(tag, bytes.len(), key);
    key.add(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(json: &str) -> Vec<u8> {
        let value = Value::from(&serde_json::from_str::<serde_json::Value>(json).unwrap());
        let mut key = Key::default();
        view(View::from(&value), &mut key);
        key.bytes().to_vec()
    }

    #[test]
    fn values_that_differ_have_keys_that_differ() {
        // The shapes behind the collisions published for other engines (spec 5.1 a, hostile inputs H43 and H44).
        let texts = [
            r#"["a,b"]"#,
            r#"["a","b"]"#,
            r#"[["a"],"b"]"#,
            r#"["a",["b"]]"#,
            r#"[["a","b"]]"#,
            r#"{"a":"x,'b:'y"}"#,
            r#"{"a":"x","b":"y"}"#,
            r#"["ab","c"]"#,
            r#"["a","bc"]"#,
            r#""1""#,
            "1",
            "1.5",
            "true",
            "null",
            "[]",
            "{}",
            "[null]",
            r#""""#,
            r#"[[],[]]"#,
            r#"[[[]]]"#,
            r#"{"a":{}}"#,
            r#"{"a":[]}"#,
            "9007199254740993",
            "9007199254740992.0",
            "18446744073709551615",
            r#"["a|b"]"#,
            r#""a\u001fb""#,
            r#""A""#,
            r#""a""#,
            r#""a ""#,
        ];
        for (at, one) in texts.iter().enumerate() {
            for other in texts.iter().skip(at + 1) {
                assert_ne!(key_of(one), key_of(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn a_key_is_the_same_bytes_however_long_it_is() {
        let mut expected = Vec::new();
        let mut key = Key::default();
        for number in 0..2_000_u32 {
            key.add(&number.to_be_bytes());
            expected.extend_from_slice(&number.to_be_bytes());
            assert_eq!(key.bytes(), expected);
        }
    }
}
