//! The fields of a format: of each its type, whether it must be there or what it is where it is not, its range, and what
//! it means.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{COMMANDS, NAMES, cell};

/// One schema, or the part of one.
type Schema = Map<String, Value>;

/// The place of what a schema names.
const DEFINITIONS: &str = "#/$defs/";

/// The page of a format.
pub(super) fn page(name: &str) -> Option<String> {
    let root = schema(name)?;
    let mut page = format!("# The format `{name}`\n\n{}", description(&root));
    let _ = write!(
        page,
        "\n\nGenerated from the [schema](../../formats/{name}.schema.json) that editors read, which is generated from what \
         reads the files. A field that is not known is an error.\n"
    );
    let format = Format { name, definitions: definitions(&root) };
    format.content(&root, &mut page);
    let mut described = BTreeSet::new();
    let mut found = named(&Value::Object(root.clone()));
    // In the order in which a reader comes upon them.
    while let Some(next) = found.iter().find(|next| !described.contains(*next)).cloned() {
        if let Some(definition) = format.definitions.get(&next).and_then(Value::as_object)
            && format.home(&next) == name
        {
            let _ = write!(page, "\n## {next}\n\n{}\n", description(definition));
            format.content(definition, &mut page);
            found.extend(named(&Value::Object(definition.clone())));
        }
        described.insert(next);
    }
    Some(page)
}

fn schema(name: &str) -> Option<Schema> {
    fallgate::schemas::schema(name)?.to_value().as_object().cloned()
}

fn definitions(root: &Schema) -> Schema {
    root.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// What a schema names outside of its definitions, in the order of the text.
fn named(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| *name != "$defs")
            .flat_map(|(name, value)| match value.as_str().and_then(|text| text.strip_prefix(DEFINITIONS)) {
                Some(definition) if name == "$ref" => vec![definition.to_owned()],
                _ => named(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(named).collect(),
        _ => Vec::new(),
    }
}

/// What a schema says of itself, as a paragraph.
fn description(schema: &Schema) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}

struct Format<'a> {
    name: &'a str,
    definitions: Schema,
}

impl Format<'_> {
    /// The page that describes a definition: the first one that has the very same.
    fn home(&self, definition: &str) -> &str {
        let own = self.definitions.get(definition);
        let has_it = |name: &&&str| schema(name).is_some_and(|root| definitions(&root).get(definition) == own);
        NAMES.iter().filter(|name| **name != COMMANDS).find(has_it).copied().unwrap_or(self.name)
    }

    /// The fields of an object, or the forms that something may have.
    fn content(&self, schema: &Schema, page: &mut String) {
        if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
            page.push_str("\n| field | type | default | what it says |\n|---|---|---|---|\n");
            let required: Vec<&str> = schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            for (name, field) in fields {
                let Some(field) = field.as_object() else { continue };
                let default = match field.get("default") {
                    Some(Value::Null) => "–".to_owned(),
                    Some(default) => format!("`{}`", cell(&default.to_string())),
                    None if required.contains(&name.as_str()) => "required".to_owned(),
                    None => "–".to_owned(),
                };
                let _ =
                    writeln!(page, "| `{name}` | {} | {default} | {} |", self.kind(field), cell(&self.meaning(field)));
            }
        }
        let forms = ["oneOf", "anyOf"].iter().find_map(|key| schema.get(*key)?.as_array());
        if let Some(forms) = forms {
            page.push_str("\n| form | what it says |\n|---|---|\n");
            for form in forms.iter().filter_map(Value::as_object) {
                let _ = writeln!(page, "| {} | {} |", self.kind(form), cell(&self.meaning(form)));
            }
        }
        if schema.get("properties").is_none() && forms.is_none() {
            let _ = writeln!(page, "\nIt is {}.", self.kind(schema));
        }
    }

    /// What a field means: what it says of itself, or what its type says.
    fn meaning(&self, schema: &Schema) -> String {
        match description(schema) {
            text if !text.is_empty() => text,
            _ => {
                let definition = named(&Value::Object(schema.clone()));
                let definition = definition.first().and_then(|name| self.definitions.get(name)?.as_object());
                definition.map(description).unwrap_or_default()
            }
        }
    }

    /// What may stand there, in words.
    fn kind(&self, schema: &Schema) -> String {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix(DEFINITIONS)) {
            let home = self.home(name);
            let page = if home == self.name { String::new() } else { format!("{home}.md") };
            return format!("[{name}]({page}#{})", name.to_lowercase());
        }
        if let Some(value) = schema.get("const") {
            return format!("`{}`", cell(&value.to_string()));
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            let values: Vec<String> = values.iter().map(|value| format!("`{}`", cell(&value.to_string()))).collect();
            return values.join(" or ");
        }
        if let Some(forms) = ["oneOf", "anyOf"].iter().find_map(|key| schema.get(*key)?.as_array()) {
            let forms: Vec<String> = forms.iter().filter_map(Value::as_object).map(|form| self.kind(form)).collect();
            return without_null(forms);
        }
        let kinds = match schema.get("type") {
            Some(Value::String(kind)) => vec![self.simple(kind, schema)],
            Some(Value::Array(kinds)) => {
                kinds.iter().filter_map(Value::as_str).map(|kind| self.simple(kind, schema)).collect()
            }
            _ => vec!["anything".to_owned()],
        };
        without_null(kinds)
    }

    fn simple(&self, kind: &str, schema: &Schema) -> String {
        let of = |key: &str| match schema.get(key).and_then(Value::as_object) {
            Some(inner) => self.kind(inner),
            None => "anything".to_owned(),
        };
        match kind {
            "string" => match schema.get("pattern").and_then(Value::as_str) {
                Some(pattern) => format!("a text like `{}`", cell(pattern)),
                None => "a text".to_owned(),
            },
            "boolean" => "true or false".to_owned(),
            "integer" => format!("a whole number{}", range(schema)),
            "number" => format!("a number{}", range(schema)),
            "array" => match of("items").as_str() {
                "a text" => "a list of texts".to_owned(),
                items => format!("a list of {items}"),
            },
            "object" => match schema.get("properties").and_then(Value::as_object) {
                Some(fields) if !fields.is_empty() => {
                    let fields: Vec<String> = fields
                        .iter()
                        .filter_map(|(name, field)| Some(format!("`{name}`: {}", self.kind(field.as_object()?))))
                        .collect();
                    format!("a map with {}", fields.join(", "))
                }
                _ if schema.get("additionalProperties") == Some(&Value::Bool(false)) => "an empty map".to_owned(),
                _ => format!("a map of names to {}", of("additionalProperties")),
            },
            other => other.to_owned(),
        }
    }
}

/// `null` stands for what is left out, and needs no word.
fn without_null(mut kinds: Vec<String>) -> String {
    if kinds.len() > 1 {
        kinds.retain(|kind| kind != "null");
    }
    kinds.join(", or ")
}

fn range(schema: &Schema) -> String {
    let bound = |key: &str| schema.get(key).map(Value::to_string);
    let greatest = bound("maximum").or_else(|| match schema.get("format").and_then(Value::as_str) {
        Some("uint32") => Some(u32::MAX.to_string()),
        Some("uint64") => Some(u64::MAX.to_string()),
        Some("int64") => Some(i64::MAX.to_string()),
        _ => None,
    });
    match (bound("minimum"), greatest) {
        (Some(least), Some(greatest)) => format!(" from {least} to {greatest}"),
        (Some(least), None) => format!(" from {least}"),
        (None, Some(greatest)) => format!(" up to {greatest}"),
        (None, None) => String::new(),
    }
}
