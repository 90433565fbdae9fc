//! Redaction: what a record must not say, and how it says that something was there.
//!
//! A value is replaced by a tag that is keyed with the host's secret, so that equal values stay linkable and none can be
//! read back or guessed; or by a commitment with a salt of its own, which shows nothing but can be opened later without a
//! change to the chain. Without a secret the value is gone altogether: an unkeyed hash of an e-mail address can be guessed.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::policy::audit::{Path, Replacement};
use crate::policy::bundle::hexadecimal;

/// The secret that keys tags and salts.
pub type RedactionKey = [u8; 32];

/// Replaces in a record's request what must not be said, and elsewhere what repeats it: in the other attributes, the ids
/// and names of the request, and in `texts`, whose strings may quote it.
///
/// `request` has a member for each entity, as a path begins.
pub fn redact(paths: &[Path], seq: u64, key: Option<&RedactionKey>, request: &mut Value, texts: &mut [&mut Value]) {
    let mut secrets = BTreeSet::new();
    // Where a value was replaced. A request may bring what looks like a replacement, so its looks tell nothing.
    let mut places = BTreeSet::new();
    for path in paths {
        let steps: Vec<&str> = path.steps().collect();
        walk(request, &steps, &mut String::new(), &mut |place, value| {
            let above = place.match_indices('.').filter_map(|(at, _)| place.get(..at));
            if above.chain([place]).any(|above| places.contains(above)) {
                return;
            }
            note_secrets(value, &mut secrets);
            *value = replaced(path.replacement, seq, key, place, value);
            places.insert(place.to_owned());
        });
    }
    if secrets.is_empty() {
        return;
    }
    // The longest first, so that one that is part of another does not leave the rest of it behind.
    let mut secrets: Vec<String> = secrets.into_iter().collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for (entity, members) in request.as_object_mut().into_iter().flatten() {
        let Some(members) = members.as_object_mut() else {
            // What the host calls the request.
            conceal(members, &secrets);
            continue;
        };
        for (name, value) in members {
            let mut place = format!("{entity}.");
            push_name(&mut place, name);
            conceal_but(value, &secrets, &places, &mut place);
        }
    }
    for text in texts {
        conceal(text, &secrets);
    }
}

fn replaced(replacement: Replacement, seq: u64, key: Option<&RedactionKey>, place: &str, value: &Value) -> Value {
    let Some(key) = key else { return json!({ "redacted": true }) };
    // What has no canonical form cannot come from a request; it is gone like what has no key.
    let Ok(canonical) = serde_json_canonicalizer::to_vec(value) else { return json!({ "redacted": true }) };
    match replacement {
        Replacement::Tag => json!({ "redacted": hexadecimal(&mac(key, &[b"fallgate tag", &canonical])) }),
        Replacement::Commitment => {
            let commitment = commitment(&salt(key, seq, place), &canonical);
            json!({ "committed": hexadecimal(&commitment) })
        }
    }
}

/// The salt of a commitment: what a host gives away to open it, and it alone.
#[must_use]
pub fn salt(key: &RedactionKey, seq: u64, place: &str) -> [u8; 32] {
    mac(key, &[b"fallgate salt", &seq.to_be_bytes(), place.as_bytes()])
}

/// Whether this value, with this salt, is what the commitment was made of.
#[must_use]
pub fn opens(commitment_hexadecimal: &str, salt: &[u8; 32], value: &Value) -> bool {
    let Ok(canonical) = serde_json_canonicalizer::to_vec(value) else { return false };
    let found = hexadecimal(&commitment(salt, &canonical));
    found.as_bytes().ct_eq(commitment_hexadecimal.as_bytes()).into()
}

fn commitment(salt: &[u8; 32], canonical: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(b"fallgate commitment").chain_update(salt).chain_update(canonical).finalize().into()
}

/// HMAC-SHA-256 (RFC 2104) over the parts, each with its length before it.
fn mac(key: &RedactionKey, parts: &[&[u8]]) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Calls `found` with the place and the value of everything that the steps lead to.
fn walk(value: &mut Value, steps: &[&str], place: &mut String, found: &mut dyn FnMut(&str, &mut Value)) {
    let Some((step, rest)) = steps.split_first() else {
        return found(place, value);
    };
    let length = place.len();
    let mut below = |name: &str, value: &mut Value| {
        if !place.is_empty() {
            place.push('.');
        }
        push_name(place, name);
        walk(value, rest, place, found);
        place.truncate(length);
    };
    match (*step, value) {
        ("*", Value::Object(members)) => members.iter_mut().for_each(|(name, value)| below(name, value)),
        ("*", Value::Array(items)) => {
            items.iter_mut().enumerate().for_each(|(at, value)| below(&at.to_string(), value));
        }
        // A path that names a member of what is a list means that of each of its items.
        (_, Value::Array(items)) => {
            for (at, value) in items.iter_mut().enumerate() {
                place.push('.');
                place.push_str(&at.to_string());
                walk(value, steps, place, found);
                place.truncate(length);
            }
        }
        (name, Value::Object(members)) => {
            if let Some(value) = members.get_mut(name) {
                below(name, value);
            }
        }
        _ => {}
    }
}

/// Every text and number in the value: what another text could repeat.
fn note_secrets(value: &Value, secrets: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if !text.is_empty() => {
            secrets.insert(text.clone());
        }
        Value::Number(number) => {
            secrets.insert(number.to_string());
        }
        Value::Array(items) => items.iter().for_each(|item| note_secrets(item, secrets)),
        Value::Object(members) => members.values().for_each(|member| note_secrets(member, secrets)),
        _ => {}
    }
}

/// Adds a name to a place. A dot in a name is none between two.
fn push_name(place: &mut String, name: &str) {
    place.push_str(&name.replace('.', "\\."));
}

/// Whether something inside of this place was replaced.
fn holds_replaced(places: &BTreeSet<String>, place: &str) -> bool {
    let inside = format!("{place}.");
    places.range(inside.clone()..).next().is_some_and(|first| first.starts_with(&inside))
}

/// Replaces in every string what is a secret, but not in what stands for one already.
fn conceal_but(value: &mut Value, secrets: &[String], places: &BTreeSet<String>, place: &mut String) {
    if places.contains(place.as_str()) {
        return;
    }
    let length = place.len();
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                place.push_str(&format!(".{at}"));
                conceal_but(item, secrets, places, place);
                place.truncate(length);
            }
        }
        Value::Object(members) if holds_replaced(places, place) => {
            for (name, member) in members {
                place.push('.');
                push_name(place, name);
                conceal_but(member, secrets, places, place);
                place.truncate(length);
            }
        }
        // A number that another attribute has too is no quotation of it.
        Value::Number(_) => {}
        _ => conceal(value, secrets),
    }
}

/// Replaces in every string what is a secret.
fn conceal(value: &mut Value, secrets: &[String]) {
    match value {
        Value::String(text) => {
            if let Some(concealed) = concealed(text, secrets) {
                *text = concealed;
            }
        }
        Value::Number(number) if secrets.contains(&number.to_string()) => *value = CONCEALED.into(),
        Value::Array(items) => items.iter_mut().for_each(|item| conceal(item, secrets)),
        Value::Object(members) => {
            for (name, mut member) in std::mem::take(members) {
                conceal(&mut member, secrets);
                let mut name = concealed(&name, secrets).unwrap_or(name);
                // Two names that are alike now are still two members.
                while members.contains_key(&name) {
                    name.push('\'');
                }
                members.insert(name, member);
            }
        }
        _ => {}
    }
}

/// The text without the secrets; nothing where it has none. One pass, so that what stands for a secret is not searched for
/// others: else a request with the letters of [`CONCEALED`] for its secrets would blow a text up.
fn concealed(text: &str, secrets: &[String]) -> Option<String> {
    if secrets.len() > SECRETS_MAX {
        return Some(CONCEALED.to_owned());
    }
    if !secrets.iter().any(|secret| text.contains(secret.as_str())) {
        return None;
    }
    let (mut rest, mut without) = (text, String::with_capacity(text.len()));
    while let Some(first) = rest.chars().next() {
        let found = secrets.iter().find_map(|secret| rest.strip_prefix(secret.as_str()));
        match found {
            Some(after) => {
                if !without.ends_with(CONCEALED) {
                    without.push_str(CONCEALED);
                }
                rest = after;
            }
            None => {
                without.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    Some(without)
}

/// How many secrets a text is searched for. With more of them, no text is written at all.
const SECRETS_MAX: usize = 64;

/// What stands in a text where it repeated a secret.
pub(crate) const CONCEALED: &str = "[redacted]";

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: RedactionKey = [7; 32];

    fn redaction(paths: &[(&str, Replacement)]) -> Vec<Path> {
        paths.iter().map(|(path, replacement)| Path::parse(path, *replacement).unwrap()).collect()
    }

    fn request() -> Value {
        json!({
            "subject": { "id": "ann", "properties": {}, "email": "ann@example.org", "phones": ["555-1", "555-2"] },
            "context": { "cards": [{ "number": 4111, "bank": "b" }, { "number": 4222, "bank": "c" }] },
        })
    }

    #[test]
    fn equal_values_have_equal_tags_and_others_have_not() {
        let redaction = redaction(&[("subject.email", Replacement::Tag)]);
        let tag = |seq: u64, key: &RedactionKey, email: &str| {
            let mut request = json!({ "subject": { "email": email } });
            redact(&redaction, seq, Some(key), &mut request, &mut []);
            request["subject"]["email"]["redacted"].as_str().unwrap().to_owned()
        };
        assert_eq!(tag(1, &KEY, "a@b"), tag(2, &KEY, "a@b"));
        assert_ne!(tag(1, &KEY, "a@b"), tag(1, &KEY, "a@c"));
        assert_ne!(tag(1, &KEY, "a@b"), tag(1, &[8; 32], "a@b"));
    }

    #[test]
    fn what_looks_like_a_replacement_is_replaced_too() {
        let redaction =
            redaction(&[("subject.email", Replacement::Tag), ("subject.email.redacted", Replacement::Commitment)]);
        let mut request = json!({ "subject": { "email": { "redacted": "ann@example.org" } } });
        redact(&redaction, 1, Some(&KEY), &mut request, &mut []);
        assert!(!request.to_string().contains("ann@"), "{request}");
        // The second path leads into what stands for the value, and changes nothing there.
        assert_eq!(request["subject"]["email"]["redacted"].as_str().unwrap().len(), 64);
    }

    #[test]
    fn what_other_attributes_repeat_is_concealed_and_no_replacement_is_hurt() {
        let redaction =
            redaction(&[("subject.email", Replacement::Tag), ("context.digits.*", Replacement::Commitment)]);
        let mut request = json!({
            "subject": { "id": "ann@example.org", "type": "user", "email": "ann@example.org" },
            "context": { "note": { "of ann@example.org": ["ann@example.org", 1] }, "digits": ["a", "1"] },
            "request_id": "r-ann@example.org",
        });
        redact(&redaction, 1, Some(&KEY), &mut request, &mut []);
        assert!(!request.to_string().contains("ann@"), "{request}");
        assert_eq!(request["subject"]["type"], "user");
        assert_eq!(request["subject"]["email"]["redacted"].as_str().unwrap().len(), 64);
        let committed = request["context"]["digits"][1]["committed"].as_str().unwrap();
        assert!(opens(committed, &salt(&KEY, 1, "context.digits.1"), &json!("1")));
    }

    #[test]
    fn secrets_that_are_letters_of_the_mark_blow_nothing_up() {
        let redaction = redaction(&[("context.letters.*", Replacement::Tag)]);
        let letters: Vec<&str> = "[redacted]".split("").filter(|letter| !letter.is_empty()).collect();
        let mut request = json!({ "context": { "letters": letters } });
        let mut text = json!("red act".repeat(10));
        redact(&redaction, 1, Some(&KEY), &mut request, &mut [&mut text]);
        assert_eq!(text, json!(format!("{CONCEALED} ").repeat(10) + CONCEALED));
    }

    #[test]
    fn without_a_key_nothing_is_left() {
        let redaction =
            redaction(&[("subject.email", Replacement::Tag), ("subject.phones.*", Replacement::Commitment)]);
        let mut request = request();
        redact(&redaction, 1, None, &mut request, &mut []);
        assert_eq!(request["subject"]["email"], json!({ "redacted": true }));
        assert_eq!(request["subject"]["phones"], json!([{ "redacted": true }, { "redacted": true }]));
    }

    #[test]
    fn a_commitment_is_opened_by_its_value_and_salt_alone() {
        let redaction = redaction(&[("subject.phones.*", Replacement::Commitment)]);
        let mut request = request();
        redact(&redaction, 9, Some(&KEY), &mut request, &mut []);
        let committed = request["subject"]["phones"][1]["committed"].as_str().unwrap();
        let salt_of_it = salt(&KEY, 9, "subject.phones.1");
        assert!(opens(committed, &salt_of_it, &json!("555-2")));
        assert!(!opens(committed, &salt_of_it, &json!("555-1")));
        assert!(!opens(committed, &salt(&KEY, 9, "subject.phones.0"), &json!("555-2")));
        assert!(!opens(committed, &salt(&KEY, 8, "subject.phones.1"), &json!("555-2")));
    }

    #[test]
    fn a_path_leads_into_lists_and_what_repeats_a_value_is_concealed() {
        let redaction = redaction(&[("context.cards.number", Replacement::Tag), ("subject.email", Replacement::Tag)]);
        let mut request = request();
        let mut decision = json!({
            "messages": ["ann@example.org may not use 4111"],
            "obligations": [{ "properties": { "to": "ann@example.org", "card": 4222, "ann@example.org": 1 } }],
        });
        redact(&redaction, 1, Some(&KEY), &mut request, &mut [&mut decision]);
        let all = format!("{request}{decision}");
        for secret in ["ann@example.org", "4111", "4222"] {
            assert!(!all.contains(secret), "{secret}: {all}");
        }
        assert!(all.contains("\"bank\":\"b\""));
        assert_eq!(decision["messages"][0], "[redacted] may not use [redacted]");
    }
}
