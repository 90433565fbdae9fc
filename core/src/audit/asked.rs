//! What was asked: copied on the path of a decision, and made into JSON when the record is drained.
//!
//! The copy is a string of bytes: texts with their lengths, scalars with a tag, and no name but those inside of a map. The
//! names of the attributes are the schema's, whose order both sides know. To build the JSON on the path would cost more
//! than the decision.

use serde_json::{Map, Value, json};

use super::packed::{Packed, Rest};
use crate::condition::Entity;
use crate::policy::schema::Schema;
use crate::request::{Attributes, RequestView};
use crate::value::View;

/// Who, what, to what, the attributes that the schema declares, and what the host calls the request (`request_id` and the
/// W3C `traceparent` in `context.fallgate`).
///
/// What the schema does not declare was not read, and is not written.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'b>(pub(super) &'b [u8]);

mod tag {
    pub(super) const ABSENT: u8 = 0;
    pub(super) const NULL: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const TRUE: u8 = 3;
    pub(super) const INT: u8 = 4;
    pub(super) const UINT: u8 = 5;
    pub(super) const DOUBLE: u8 = 6;
    pub(super) const TEXT: u8 = 7;
    pub(super) const LIST: u8 = 8;
    pub(super) const MAP: u8 = 9;
}

/// Copies what of the request the schema declares.
pub(super) fn copy(request: &RequestView<'_>, schema: &Schema, to: &mut Packed) {
    let (subject, resource) = (&request.subject, &request.resource);
    for name in [subject.party_type, subject.id, request.action.name, resource.party_type, resource.id] {
        to.text(name);
    }
    let own = request.context.get("fallgate");
    let named = |name: &str, has_form: fn(&str) -> bool| of_host(own?, name, has_form);
    for name in [named("request_id", is_request_id), named("traceparent", is_traceparent)] {
        value(name.map(View::Str), to);
    }
    let mut declared = |entity, type_name, attributes: &Attributes<'_>| {
        schema.visit_given(entity, type_name, attributes, |given| value(given, to));
    };
    declared(Entity::Subject, subject.party_type, &subject.properties);
    declared(Entity::Action, request.action.name, &request.action.properties);
    declared(Entity::Resource, resource.party_type, &resource.properties);
    declared(Entity::Context, "", &request.context);
}

impl Asked<'_> {
    /// The request as a record has it; `schema` is the one that it was copied with.
    #[must_use]
    pub fn to_json(&self, schema: &Schema) -> Value {
        // Null stands for what cannot be read, and all can: this reads what `of` wrote.
        self.read(schema).unwrap_or_default()
    }

    fn read(&self, schema: &Schema) -> Option<Value> {
        let mut rest = Rest(self.0);
        let [subject_type, subject_id, action, resource_type, resource_id] =
            [rest.text()?, rest.text()?, rest.text()?, rest.text()?, rest.text()?];
        let named = [("request_id", rest.value()?), ("traceparent", rest.value()?)];
        let mut declared = |entity, type_name| {
            let mut members = Map::new();
            for name in schema.declared(entity, type_name) {
                members.extend(rest.value()?.map(|value| (name.to_owned(), value)));
            }
            Some(members)
        };
        let mut subject = declared(Entity::Subject, subject_type)?;
        subject.insert("type".to_owned(), subject_type.into());
        subject.insert("id".to_owned(), subject_id.into());
        let mut of_action = declared(Entity::Action, action)?;
        of_action.insert("name".to_owned(), action.into());
        let mut resource = declared(Entity::Resource, resource_type)?;
        resource.insert("type".to_owned(), resource_type.into());
        resource.insert("id".to_owned(), resource_id.into());
        let context = declared(Entity::Context, "")?;
        let mut members = Map::new();
        for (name, entity) in
            [("subject", subject), ("action", of_action), ("resource", resource), ("context", context)]
        {
            members.insert(name.to_owned(), entity.into());
        }
        members.extend(named.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?))));
        Some(members.into())
    }
}

/// What the host calls the request, in `context.fallgate`; nothing for what has not the form of such a name.
fn of_host<'a>(own: View<'a>, name: &str, has_form: fn(&str) -> bool) -> Option<&'a str> {
    let named = match own {
        View::Map(map) => map.get(name).map(View::from),
        View::Fields(fields) => fields.get(name),
        _ => None,
    };
    match named? {
        View::Str(text) if has_form(text) => Some(text),
        _ => None,
    }
}

/// Up to 128 visible ASCII characters.
fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The header of W3C Trace Context, version 00: a trace and a parent that are not zero.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut next = |length: usize| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        parts.next().filter(|part| part.len() == length && part.bytes().all(is_digit))
    };
    let (version, trace, parent, flags) = (next(2), next(32), next(16), next(2));
    let not_zero = |part: Option<&str>| part.is_some_and(|part| part.bytes().any(|byte| byte != b'0'));
    version == Some("00") && not_zero(trace) && not_zero(parent) && flags.is_some() && parts.next().is_none()
}

fn value(view: Option<View<'_>>, to: &mut Packed) {
    match view {
        None => to.byte(tag::ABSENT),
        Some(View::Null) => to.byte(tag::NULL),
        Some(View::Bool(false)) => to.byte(tag::FALSE),
        Some(View::Bool(true)) => to.byte(tag::TRUE),
        Some(View::Int(number)) => fixed(tag::INT, number.cast_unsigned(), to),
        Some(View::UInt(number)) => fixed(tag::UINT, number, to),
        Some(View::Double(number)) => fixed(tag::DOUBLE, number.to_bits(), to),
        Some(View::Str(content)) => {
            to.byte(tag::TEXT);
            to.text(content);
        }
        Some(View::List(items)) => {
            to.byte(tag::LIST);
            to.count(items.len());
            items.iter().for_each(|item| value(Some(View::from(item)), to));
        }
        Some(View::Items(items)) => {
            to.byte(tag::LIST);
            to.count(items.len());
            items.iter().for_each(|item| value(Some(*item), to));
        }
        Some(View::Map(map)) => {
            to.byte(tag::MAP);
            to.count(map.len());
            map.iter().for_each(|(name, member)| {
                to.text(name);
                value(Some(View::from(member)), to);
            });
        }
        Some(View::Fields(fields)) => {
            to.byte(tag::MAP);
            to.count(fields.len());
            fields.entries().iter().for_each(|(name, member)| {
                to.text(name);
                value(Some(*member), to);
            });
        }
        // What only an evaluation makes, and no request brings.
        Some(made) => {
            to.byte(tag::TEXT);
            to.text(&format!("{made:?}"));
        }
    }
}

fn fixed(tag: u8, number: u64, to: &mut Packed) {
    to.byte(tag);
    to.fixed(number);
}

impl Rest<'_> {
    /// A value; nothing in it where the request had none.
    fn value(&mut self) -> Option<Option<Value>> {
        Some(match self.byte()? {
            tag::ABSENT => None,
            present => Some(self.present(present)?),
        })
    }

    fn present(&mut self, present: u8) -> Option<Value> {
        Some(match present {
            tag::NULL => Value::Null,
            tag::FALSE => false.into(),
            tag::TRUE => true.into(),
            tag::INT => whole(self.fixed()?.cast_signed()),
            tag::UINT => natural(self.fixed()?),
            tag::DOUBLE => double(f64::from_bits(self.fixed()?)),
            tag::TEXT => self.text()?.into(),
            tag::LIST => {
                let count = self.count()?;
                (0..count).map(|_| self.value()?).collect::<Option<Vec<Value>>>()?.into()
            }
            tag::MAP => {
                let count = self.count()?;
                let mut members = Map::new();
                for _ in 0..count {
                    members.insert(self.text()?.to_owned(), self.value()??);
                }
                members.into()
            }
            _ => return None,
        })
    }
}

/// The largest whole number up to which a double holds every one. One that it does not hold, canonical JSON (RFC 8785)
/// cannot write: it is a text.
const EXACT: u64 = 1 << 53;

fn whole(number: i64) -> Value {
    if number.unsigned_abs() > EXACT { number.to_string().into() } else { number.into() }
}

fn natural(number: u64) -> Value {
    if number > EXACT { number.to_string().into() } else { number.into() }
}

fn double(number: f64) -> Value {
    serde_json::Number::from_f64(number).map_or_else(|| json!(number.to_string()), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_one_of_version_zero() {
        // The example of W3C Trace Context, and what it calls invalid.
        assert!(is_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        for text in [
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        ] {
            assert!(!is_traceparent(text), "{text}");
        }
    }

    fn through(view: View<'_>) -> Option<Value> {
        let mut packed = Packed::default();
        value(Some(view), &mut packed);
        let mut rest = Rest(packed.bytes());
        let read = rest.value().unwrap();
        assert!(rest.0.is_empty());
        read
    }

    #[test]
    fn what_is_copied_is_read_as_it_was() {
        let long = "x".repeat(40_000);
        let json = json!({
            "none": null, "no": false, "yes": true, "least": i64::MIN >> 11, "half": 0.5, "text": long, "empty": "",
            "list": [1, [], {}, ["a", "b"]], "map": { "of": { "maps": [null] } },
        });
        let owned = crate::value::Value::from(&json);
        assert_eq!(through(View::from(&owned)), Some(json));
        let items = [View::Str("ä"), View::Bool(true)];
        let mut fields = [("b", View::Items(&items)), ("a", View::UInt(7))];
        let held = View::Fields(crate::value::Fields::new(&mut fields).unwrap());
        assert_eq!(through(held), Some(json!({ "a": 7, "b": ["ä", true] })));
    }

    #[test]
    fn a_number_that_a_double_does_not_hold_is_a_text() {
        assert_eq!(through(View::Int(9_007_199_254_740_993)), Some(json!("9007199254740993")));
        assert_eq!(through(View::UInt(u64::MAX)), Some(json!("18446744073709551615")));
        assert_eq!(through(View::Int(-9_007_199_254_740_992)), Some(json!(-9_007_199_254_740_992_i64)));
        assert_eq!(through(View::Double(f64::NAN)), Some(json!("NaN")));
    }

    #[test]
    fn bytes_that_end_too_early_are_not_read() {
        let mut packed = Packed::default();
        value(Some(View::Items(&[View::Str("ab"), View::Int(1)])), &mut packed);
        let bytes = packed.bytes();
        for length in 0..bytes.len() {
            assert!(Rest(&bytes[..length]).value().is_none(), "{length}");
        }
    }
}
