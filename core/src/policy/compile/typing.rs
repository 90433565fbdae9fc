//! The schema's types, from the words that people write.

use std::collections::BTreeMap;

use bumpalo::Bump;
use serde_json::Value as Json;

use super::escape;
use crate::error::{Code, Diagnostic, nearest, quoted};
use crate::policy::format;
use crate::policy::schema::{FieldSpec, Fields, Presence, Schema, Types, typed};
use crate::value::{Value, View};
use crate::value_type::{Field, ValueType};

/// How deep a type may nest.
const DEPTH_MAX: usize = 16;

const SCALARS: [(&str, ValueType); 10] = [
    ("any", ValueType::Any),
    ("bool", ValueType::Bool),
    ("int", ValueType::Int),
    ("uint", ValueType::UInt),
    ("double", ValueType::Double),
    ("string", ValueType::String),
    ("timestamp", ValueType::Timestamp),
    ("duration", ValueType::Duration),
    ("ip", ValueType::Ip),
    ("cidr", ValueType::Cidr),
];

/// The schema of a pack; its mistakes go to `found`.
pub(super) fn schema(schema: Option<&format::Schema>, found: &mut Vec<Diagnostic>) -> Schema {
    let mut reader = Reader { found };
    let Some(schema) = schema else { return Schema::default() };
    let subject = reader.types("/schema/subject", schema.subject.as_ref(), &["type", "id"], true);
    let action = reader.types("/schema/action", schema.action.as_ref(), &["name"], false);
    let resource = reader.types("/schema/resource", schema.resource.as_ref(), &["type", "id"], true);
    let context = match &schema.context {
        Some(attributes) => reader.fields("/schema/context", attributes, &["fallgate"]),
        None => Fields::default(),
    };
    Schema::new(subject, action, resource, context)
}

struct Reader<'f> {
    found: &'f mut Vec<Diagnostic>,
}

/// An attribute's declaration: its type, and what its absence means.
struct Declared {
    value_type: ValueType,
    presence: Presence,
}

impl Reader<'_> {
    fn fault(&mut self, pointer: &str, message: String, help: impl Into<String>) {
        self.found.push(Diagnostic::new(Code::InvalidValue, pointer, message).with_help(help));
    }

    fn types(
        &mut self,
        pointer: &str,
        types: Option<&BTreeMap<String, format::Attributes>>,
        reserved: &[&str],
        closed: bool,
    ) -> Types {
        let Some(types) = types else { return Types::default() };
        let by_name = types
            .iter()
            .map(|(name, attributes)| {
                let pointer = format!("{pointer}/{}", escape(name));
                (name.as_str().into(), self.fields(&pointer, attributes, reserved))
            })
            .collect();
        Types { closed, by_name }
    }

    fn fields(&mut self, pointer: &str, attributes: &format::Attributes, reserved: &[&str]) -> Fields {
        let mut specs = Vec::with_capacity(attributes.len());
        // A BTreeMap is in byte order of its keys, as `Fields` must be.
        for (name, declaration) in attributes {
            let pointer = format!("{pointer}/{}", escape(name));
            if reserved.contains(&name.as_str()) {
                let message = format!("{} is no attribute to declare: every request has its own", quoted(name));
                self.fault(&pointer, message, "choose another name");
                continue;
            }
            if let Some(declared) = self.declaration(&pointer, declaration, 0) {
                let Declared { value_type, presence } = declared;
                specs.push(FieldSpec::new(name, value_type, presence));
            }
        }
        Fields(specs)
    }

    /// `T`, or the long form `{ type: T, optional: true }` or `{ type: T, default: v }`.
    fn declaration(&mut self, pointer: &str, json: &Json, depth: usize) -> Option<Declared> {
        let long = json.as_object().filter(|members| members.contains_key("type"));
        let Some(members) = long else {
            let value_type = self.value_type(pointer, json, depth)?;
            return Some(Declared { value_type, presence: Presence::Required });
        };
        for name in members.keys() {
            if !["type", "optional", "default"].contains(&name.as_str()) {
                let help = "an attribute's long form has `type`, and `optional` or `default`; a record that has a \
                            field named `type` is written `{ type: { … } }`";
                let pointer = format!("{pointer}/{}", escape(name));
                let message = format!("unknown field {}", quoted(name));
                self.found.push(Diagnostic::new(Code::UnknownField, pointer, message).with_help(help));
            }
        }
        let value_type = self.value_type(&format!("{pointer}/type"), members.get("type")?, depth)?;
        let optional = match members.get("optional") {
            None => false,
            Some(Json::Bool(optional)) => *optional,
            Some(_) => {
                self.fault(
                    &format!("{pointer}/optional"),
                    "`optional` is true or false".into(),
                    "write `optional: true`",
                );
                return None;
            }
        };
        let presence = match (members.get("default"), optional) {
            (None, false) => Presence::Required,
            (None, true) => Presence::Optional,
            (Some(_), true) => {
                let message = "an attribute with a default is never absent".to_owned();
                self.fault(&format!("{pointer}/optional"), message, "leave `optional` out");
                return None;
            }
            (Some(default), false) => {
                let default = Value::from(default);
                if typed(View::from(&default), &value_type, &Bump::new()).is_none() {
                    let message = format!("the default is not of the type {value_type}");
                    self.found.push(Diagnostic::new(Code::TypeMismatch, format!("{pointer}/default"), message));
                    return None;
                }
                Presence::Default(default)
            }
        };
        Some(Declared { value_type, presence })
    }

    fn value_type(&mut self, pointer: &str, json: &Json, depth: usize) -> Option<ValueType> {
        let help = "write `string`, `int`, `uint`, `double`, `bool`, `timestamp`, `duration`, `ip`, `cidr`, `any`, \
                    `[T]`, `{ field: T }` or `{ \"*\": T }`";
        if depth > DEPTH_MAX {
            self.fault(pointer, format!("a type nests deeper than {DEPTH_MAX}"), "use `any` below");
            return None;
        }
        let depth = depth.saturating_add(1);
        match json {
            Json::String(word) => {
                let known = SCALARS.iter().find(|(name, _)| name == word).map(|(_, value_type)| value_type.clone());
                if known.is_none() {
                    let meant = nearest(word, SCALARS.iter().map(|(name, _)| *name));
                    let help = meant.map_or_else(|| help.to_owned(), |meant| format!("did you mean `{meant}`?"));
                    self.fault(pointer, format!("{} is not a type", quoted(word)), help);
                }
                known
            }
            Json::Array(items) => match items.as_slice() {
                [item] => Some(ValueType::List(Box::new(self.value_type(&format!("{pointer}/0"), item, depth)?))),
                _ => {
                    self.fault(pointer, "a list type has exactly one item: the type of all".into(), "write `[string]`");
                    None
                }
            },
            Json::Object(members) => {
                if let Some(item) = members.get("*") {
                    if members.len() > 1 {
                        self.fault(pointer, "a map has no fields beside `*`".into(), "leave the others out");
                    }
                    let item = self.value_type(&format!("{pointer}/*"), item, depth)?;
                    return Some(ValueType::Map(Box::new(ValueType::String), Box::new(item)));
                }
                let mut fields = BTreeMap::new();
                for (name, declaration) in members {
                    let pointer = format!("{pointer}/{}", escape(name));
                    let declared = self.declaration(&pointer, declaration, depth)?;
                    if matches!(declared.presence, Presence::Default(_)) {
                        let message = "a field inside a record cannot have a default".to_owned();
                        self.fault(
                            &pointer,
                            message,
                            "make it `optional: true`, or give the whole attribute a default",
                        );
                    }
                    let optional = declared.presence == Presence::Optional;
                    fields.insert(name.as_str().into(), Field { value_type: declared.value_type, optional });
                }
                Some(ValueType::Record(fields))
            }
            _ => {
                self.fault(pointer, "this is not a type".into(), help);
                None
            }
        }
    }
}
