//! What two packs say differently, part by part.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The parts of a pack that hold parts with a name of their own, as a map or as a list, and the member that names these.
const NAMED: [(&str, &str, &str); 11] = [
    ("rules", "rule", "id"),
    ("actions", "action", ""),
    ("signals", "signal", ""),
    ("postures", "posture", "name"),
    ("scopes", "scope", ""),
    ("approvers", "approvers", ""),
    ("flags", "flag", ""),
    ("rego", "rego", ""),
    ("tests", "case", "name"),
    ("slo", "slo", ""),
    ("candidates", "candidates", ""),
];
/// Those that have one of each of their fields.
const SINGLE: [&str; 6] = ["valid", "failover", "overrides", "audit", "rollout", "data"];
/// Fields of the pack itself. The revision is no change of what it says.
const OWN: [&str; 5] = ["fallgate", "name", "description", "owners", "runbook"];
/// The entities whose types have attributes each.
const TYPED: [&str; 3] = ["subject", "action", "resource"];

/// One thing that two packs say differently.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it is about: `rule`, `action`, `schema` …
    pub what: &'static str,
    /// Which of them; empty where there is only one.
    pub name: String,
    /// Which part of it, as in `leave.stable`; empty where all of it was added or removed.
    pub part: String,
    /// What the old pack says there, if anything.
    pub old: Option<Value>,
    /// What the new one says.
    pub new: Option<Value>,
}

impl Change {
    /// `added`, `removed` or `changed`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match (&self.old, &self.new) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        }
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "what": self.what, "name": self.name, "part": self.part, "kind": self.kind(),
            "old": self.old, "new": self.new,
        })
    }
}

/// Everything that the documents of two packs say differently, in the order of a pack's parts.
#[must_use]
pub fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    for field in OWN {
        part("pack", "", field, old.get(field), new.get(field), &mut found);
    }
    schema(old.get("schema"), new.get("schema"), &mut found);
    for (section, what, key) in NAMED {
        let (old, new) = (named(old.get(section), key), named(new.get(section), key));
        for name in names([&old, &new]) {
            let (old, new) = (old.get(name), new.get(name));
            match section {
                "rego" => text(name, old, new, &mut found),
                _ => whole(what, name, old, new, &mut found),
            }
        }
    }
    for section in SINGLE {
        whole(section, "", old.get(section), new.get(section), &mut found);
    }
    found
}

/// The members of a part by name. A list is taken for a map by what names its items.
fn named(section: Option<&Value>, key: &str) -> Map<String, Value> {
    match section {
        Some(Value::Object(members)) => members.clone(),
        Some(Value::Array(items)) => {
            let named = items.iter().filter_map(|item| {
                let mut members = item.as_object()?.clone();
                let name = members.remove(key)?.as_str()?.to_owned();
                Some((name, Value::Object(members)))
            });
            named.collect()
        }
        _ => Map::new(),
    }
}

fn names(maps: [&Map<String, Value>; 2]) -> BTreeSet<&str> {
    maps.into_iter().flat_map(|map| map.keys().map(String::as_str)).collect()
}

/// Something that may be added, removed, or changed in its parts.
fn whole(what: &'static str, name: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Change>) {
    match (old, new) {
        (Some(_), Some(_)) => part(what, name, "", old, new, found),
        (None, None) => {}
        _ => {
            let (old, new) = (old.map(shown), new.map(shown));
            found.push(Change { what, name: name.to_owned(), part: String::new(), old, new });
        }
    }
}

/// A part, or the parts of it where both are maps.
fn part(what: &'static str, name: &str, at: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Change>) {
    if old == new {
        return;
    }
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) {
        for member in names([old, new]) {
            let below = if at.is_empty() { member.to_owned() } else { format!("{at}.{member}") };
            part(what, name, &below, old.get(member), new.get(member), found);
        }
        return;
    }
    let (mut old, mut new) = (old.map(shown), new.map(shown));
    if old == new {
        // Two secrets that are not shown.
        let another = |value: &mut Option<Value>, which: &str| *value = Some(Value::from(format!("{which} secret")));
        another(&mut old, "one");
        another(&mut new, "another");
    }
    found.push(Change { what, name: name.to_owned(), part: at.to_owned(), old, new });
}

/// A value as it may be shown: without the secrets of one-time codes.
fn shown(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with("totp:") => Value::from("totp:(secret)"),
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), shown(value))).collect(),
        other => other.clone(),
    }
}

/// The attributes of each type. A part that is missing has none.
fn schema(old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Change>) {
    let none = Map::new();
    let members = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
    let (old, new) = (members(old), members(new));
    for entity in TYPED {
        // That an entity is left out is something else than that it has no types: then it may be of any.
        if old.contains_key(entity) != new.contains_key(entity) {
            let said = |has: bool| Some(Value::from(if has { "the types below" } else { "any type" }));
            let (old, new) = (said(old.contains_key(entity)), said(new.contains_key(entity)));
            found.push(Change { what: "schema", name: entity.to_owned(), part: String::new(), old, new });
        }
        let (old, new) = (members(old.get(entity)), members(new.get(entity)));
        for name in names([&old, &new]) {
            let full = format!("{entity} {name}");
            match (old.get(name), new.get(name)) {
                (Some(Value::Object(old)), Some(Value::Object(new))) => attributes(&full, old, new, found),
                (old, new) => whole("schema", &full, old, new, found),
            }
        }
    }
    let (old, new) = (old.get("context"), new.get("context"));
    let of = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_else(|| none.clone());
    attributes("context", &of(old), &of(new), found);
}

fn attributes(name: &str, old: &Map<String, Value>, new: &Map<String, Value>, found: &mut Vec<Change>) {
    for attribute in names([old, new]) {
        let (old, new) = (old.get(attribute), new.get(attribute));
        if old != new {
            let (old, new) = (old.cloned(), new.cloned());
            found.push(Change { what: "schema", name: name.to_owned(), part: attribute.to_owned(), old, new });
        }
    }
}

/// A module: of a changed one the first line that differs.
fn text(name: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let texts = (old.and_then(Value::as_str), new.and_then(Value::as_str));
    let lines = |text: &str| Value::from(format!("{} lines", text.lines().count()));
    let (part, old, new) = match texts {
        (Some(old), Some(new)) => {
            let longest = old.lines().count().max(new.lines().count());
            let differs = (0..longest).find(|number| old.lines().nth(*number) != new.lines().nth(*number));
            let number = differs.unwrap_or_default();
            let line = |text: &str| Some(Value::from(text.lines().nth(number).unwrap_or_default()));
            (format!("from line {}", number.saturating_add(1)), line(old), line(new))
        }
        (old, new) => (String::new(), old.map(lines), new.map(lines)),
    };
    found.push(Change { what: "rego", name: name.to_owned(), part, old, new });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(old: &Value, new: &Value) -> Vec<(&'static str, String, String, &'static str)> {
        changes(old, new).into_iter().map(|one| (one.what, one.name.clone(), one.part.clone(), one.kind())).collect()
    }

    #[test]
    fn every_part_is_named_with_what_it_says() {
        let old = json!({
            "name": "p", "revision": 1, "owners": ["a"],
            "schema": { "subject": { "user": { "age": "int", "name": "string" } }, "context": { "ip": "ip" } },
            "actions": { "read": { "requires": ["idp", "geo"] }, "drop": {} },
            "rules": [{ "id": "r", "effect": "allow", "when": "subject.age > 17" }, { "id": "gone", "effect": "deny" }],
            "postures": [{ "name": "down", "rank": 9, "permits": "none", "leave": { "stable": "5m" } }],
            "overrides": { "need": 2 },
        });
        let new = json!({
            "name": "p", "revision": 2, "owners": ["a"],
            "schema": { "subject": { "user": { "age": "uint", "name": "string" } }, "context": {} },
            "actions": { "read": { "requires": ["idp"] }, "write": {} },
            "rules": [{ "id": "r", "effect": "allow", "when": "subject.age > 15" }, { "id": "more", "effect": "deny" }],
            "postures": [{ "name": "down", "rank": 9, "permits": "none", "leave": { "stable": "1m" } }],
            "overrides": { "need": 1 },
        });
        let owned = |(what, name, part, kind): (&'static str, &str, &str, &'static str)| {
            (what, name.to_owned(), part.to_owned(), kind)
        };
        let expected = [
            ("schema", "subject user", "age", "changed"),
            ("schema", "context", "ip", "removed"),
            ("rule", "gone", "", "removed"),
            ("rule", "more", "", "added"),
            ("rule", "r", "when", "changed"),
            ("action", "drop", "", "removed"),
            ("action", "read", "requires", "changed"),
            ("action", "write", "", "added"),
            ("posture", "down", "leave.stable", "changed"),
            ("overrides", "", "need", "changed"),
        ];
        assert_eq!(said(&old, &new), expected.map(owned));
        assert_eq!(said(&old, &old), []);
    }

    #[test]
    fn secrets_of_one_time_codes_are_not_shown() {
        let of = |secret: &str| json!({ "approvers": { "sec": { "ann": secret, "bob": { "key": secret } } } });
        let found = changes(&of("totp:AAAAAAAA"), &of("totp:BBBBBBBB"));
        let text: String = found.iter().map(|one| one.to_json().to_string()).collect();
        assert_eq!(found.len(), 2);
        assert!(!text.contains("AAAA") && !text.contains("BBBB"), "{text}");
        assert_eq!((&found[0].old, &found[0].new), (&Some(json!("one secret")), &Some(json!("another secret"))));
        let added = changes(&json!({}), &of("totp:AAAAAAAA"));
        assert!(!added[0].to_json().to_string().contains("AAAA"));
    }

    #[test]
    fn of_a_module_the_first_line_that_differs_is_shown() {
        let of = |text: &str| json!({ "rego": { "a.rego": text } });
        let found = changes(&of("package a\n\nallow if true\n"), &of("package a\n\nallow if false\n"));
        assert_eq!(found[0].part, "from line 3");
        assert_eq!((&found[0].old, &found[0].new), (&Some(json!("allow if true")), &Some(json!("allow if false"))));
    }
}
