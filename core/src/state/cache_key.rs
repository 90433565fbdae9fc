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

    /// Texts of the very bytes that the encoding is made of, in every arrangement of a small size.
    #[test]
    fn no_text_can_stand_for_the_tag_or_the_length_of_another() {
        let signs = ["\0", "\u{1}", "\u{7}", "\u{9}", "a"];
        let mut texts = vec![String::new()];
        for length in 0..2 {
            let longer: Vec<String> = texts.iter().filter(|text| text.chars().count() == length).cloned().collect();
            texts.extend(longer.iter().flat_map(|text| signs.map(|sign| format!("{text}{sign}"))));
        }
        let one = |text: &String| Value::String(text.as_str().into());
        let pairs = texts.iter().flat_map(|first| texts.iter().map(move |second| vec![one(first), one(second)]));
        let lists: Vec<Vec<Value>> = texts.iter().map(|text| vec![one(text)]).chain(pairs).collect();
        let nested = lists.iter().map(|list| Value::List(vec![Value::List(list.clone())]));
        let all = texts.iter().map(one).chain(lists.iter().cloned().map(Value::List)).chain(nested);
        let mut keys = std::collections::BTreeSet::new();
        for value in all {
            let mut key = Key::default();
            view(View::from(&value), &mut key);
            assert!(keys.insert(key.bytes().to_vec()), "{value:?} has the key of another");
        }
        assert!(keys.len() > 1_900, "{}", keys.len());
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

    /// Whatever else the request says: each part of it that a policy may read parts two keys.
    #[test]
    fn what_a_policy_may_read_is_in_the_key() {
        use crate::limits::Limits;
        use crate::request::Request;
        let asked = serde_json::json!({
            "subject": { "type": "user", "id": "ann", "properties": { "a": 1 } },
            "action": { "name": "read", "properties": { "a": 1 } },
            "resource": { "type": "order", "id": "o-1", "properties": { "a": 1 } },
            "context": { "a": 1 },
        });
        let key_for = |action: u32, document: &serde_json::Value| {
            let request = Request::from_json(document.to_string().as_bytes(), &Limits::DEFAULT).unwrap();
            let mut key = Key::default();
            let reads = ActionReads { whole_request: true, ..ActionReads::default() };
            key.fill(action, &reads, &[], &RequestView::from(&request));
            key.bytes().to_vec()
        };
        let own = key_for(1, &asked);
        assert_eq!(key_for(1, &asked.clone()), own);
        let mut keys = std::collections::BTreeSet::from([own]);
        assert!(keys.insert(key_for(2, &asked)), "the action is not in the key");
        let parts = [
            "/subject/type",
            "/subject/id",
            "/subject/properties/a",
            "/action/properties/a",
            "/resource/type",
            "/resource/id",
            "/resource/properties/a",
            "/context/a",
        ];
        for part in parts {
            let mut other = asked.clone();
            *other.pointer_mut(part).unwrap() = "x".into();
            assert!(keys.insert(key_for(1, &other)), "{part} is not in the key");
        }
    }

    /// Where rules read some attributes only: these in their order, and which of them is not there.
    #[test]
    fn the_slots_that_rules_read_are_in_the_key() {
        let request = RequestView {
            subject: PartyView { party_type: "user", id: "ann", properties: Attributes::NONE },
            action: crate::request::ActionView { name: "read", properties: Attributes::NONE },
            resource: PartyView { party_type: "order", id: "o-1", properties: Attributes::NONE },
            context: Attributes::NONE,
        };
        let key = |read: &[u16], slots: &[Option<View<'_>>]| {
            let mut key = Key::default();
            key.fill(1, &ActionReads { slots: read.into(), ..ActionReads::default() }, slots, &request);
            key.bytes().to_vec()
        };
        let (one, two) = (Some(View::Int(1)), Some(View::Int(2)));
        // By hand: the action's number in four bytes, then each value with its tag.
        let int = |number: u8| [4, 0, 0, 0, 0, 0, 0, 0, number];
        assert_eq!(key(&[0, 2], &[one, one, two]), [&[0, 0, 0, 1], &int(1)[..], &int(2)[..]].concat());
        assert_eq!(key(&[0, 1], &[one, None]), [&[0, 0, 0, 1], &int(1)[..], &[0]].concat());
        assert_eq!(key(&[0, 1], &[one]), key(&[0, 1], &[one, None]));
        assert_ne!(key(&[0, 1], &[None, one]), key(&[0, 1], &[one, None]));
    }

    fn key_of_view(value: View<'_>) -> Vec<u8> {
        let mut key = Key::default();
        view(value, &mut key);
        key.bytes().to_vec()
    }

    #[test]
    fn each_kind_of_value_has_keys_of_its_own() {
        use crate::value::{Cidr, SignedDuration, Timestamp};
        let at = |nanos| View::Timestamp(Timestamp::from_nanosecond(nanos).unwrap());
        let ip = |text: &str| View::Ip(text.parse().unwrap());
        let cidr = |text| View::Cidr(Cidr::parse(text).unwrap());
        let entries = [(View::Int(1), View::Int(2))];
        let values = [
            View::Null,
            View::Bool(false),
            View::Bool(true),
            View::Int(1),
            View::Int(-1),
            View::UInt(1),
            View::UInt(u64::MAX),
            View::Double(1.0),
            View::Double(0.0),
            View::Double(-0.0),
            View::Str("int"),
            View::Bytes(b"int"),
            View::Type("int"),
            View::Type("uint"),
            at(1),
            at(2),
            View::Duration(SignedDuration::from_nanos(1)),
            View::Duration(SignedDuration::from_nanos(2)),
            ip("10.0.0.1"),
            ip("10.0.0.2"),
            ip("::a00:1"),
            cidr("10.0.0.0/8"),
            cidr("10.0.0.0/9"),
            cidr("11.0.0.0/8"),
            cidr("2001:db8::/32"),
            View::Entries(&entries),
            View::Entries(&[]),
            View::Items(&[]),
        ];
        let keys: std::collections::BTreeSet<_> = values.iter().map(|value| key_of_view(*value)).collect();
        assert_eq!(keys.len(), values.len());
    }

    /// Else the same question of two hosts, or by two ways, would be two.
    #[test]
    fn equal_values_have_one_key_whoever_holds_them() {
        let document = serde_json::json!({ "b": [1, "x", [true]], "a": null });
        let value = Value::from(&document);
        let inner = [View::Bool(true)];
        let items = [View::Int(1), View::Str("x"), View::Items(&inner)];
        let mut fields = [("b", View::Items(&items)), ("a", View::Null)];
        let fields = crate::value::Fields::new(&mut fields).unwrap();
        assert_eq!(key_of_view(View::Fields(fields)), key_of_view(View::from(&value)));
    }
}
