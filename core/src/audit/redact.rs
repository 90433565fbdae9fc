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

/// Replaces in a record's request what must not be said, and in its other texts what they repeat of it.
///
/// `request` has a member for each entity, as a path begins; `texts` are values whose strings may quote the request.
pub fn redact(paths: &[Path], seq: u64, key: Option<&RedactionKey>, request: &mut Value, texts: &mut [&mut Value]) {
    let mut secrets = BTreeSet::new();
    for path in paths {
        let steps: Vec<&str> = path.steps().collect();
        let replace = |place: &str, value: &Value| replaced(path.replacement, seq, key, place, value);
        walk(request, &steps, &mut String::new(), &mut |place, value| {
            note_secrets(value, &mut secrets);
            *value = replace(place, value);
        });
    }
    // The longest first, so that one that is part of another does not leave the rest of it behind.
    let mut secrets: Vec<String> = secrets.into_iter().collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
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
        if !is_replaced(value) {
            found(place, value);
        }
        return;
    };
    let length = place.len();
    let mut below = |name: &str, value: &mut Value| {
        if !place.is_empty() {
            place.push('.');
        }
        place.push_str(name);
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

/// Whether another path has replaced the value already.
fn is_replaced(value: &Value) -> bool {
    let one = value.as_object().filter(|members| members.len() == 1);
    one.is_some_and(|members| members.contains_key("redacted") || members.contains_key("committed"))
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

/// Replaces in every string what is a secret.
fn conceal(value: &mut Value, secrets: &[String]) {
    match value {
        Value::String(text) => {
            for secret in secrets {
                if text.contains(secret.as_str()) {
                    *text = text.replace(secret.as_str(), CONCEALED);
                }
            }
        }
        Value::Number(number) => {
            if secrets.contains(&number.to_string()) {
                *value = CONCEALED.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| conceal(item, secrets)),
        Value::Object(members) => {
            let concealed = |name: &String| secrets.iter().any(|secret| name.contains(secret.as_str()));
            for name in members.keys().filter(|name| concealed(name)).cloned().collect::<Vec<_>>() {
                let mut text = Value::String(name.clone());
                conceal(&mut text, secrets);
                if let (Some(member), Value::String(name)) = (members.remove(&name), text) {
                    members.insert(name, member);
                }
            }
            members.values_mut().for_each(|member| conceal(member, secrets));
        }
        _ => {}
    }
}

/// What stands in a text where it repeated a secret.
const CONCEALED: &str = "[redacted]";

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
