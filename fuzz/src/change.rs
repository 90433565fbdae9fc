//! Changes to JSON that keep it JSON: what an attacker or a mistake does to a document, not to its bytes.

use libfuzzer_sys::fuzzer_mutate;
use serde_json::{Value as Json, json};

use crate::program::Program;

/// How many values are in a document, itself included.
fn count(document: &Json) -> usize {
    1 + match document {
        Json::Array(items) => items.iter().map(count).sum(),
        Json::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The value of that number, in the order in which they stand.
fn nth<'d>(document: &'d mut Json, number: &mut usize) -> Option<&'d mut Json> {
    if *number == 0 {
        return Some(document);
    }
    *number -= 1;
    match document {
        Json::Array(items) => items.iter_mut().find_map(|item| nth(item, number)),
        Json::Object(members) => members.values_mut().find_map(|member| nth(member, number)),
        _ => None,
    }
}

/// A value that somebody might think of.
fn scalar(program: &mut Program<'_>) -> Json {
    match program.below(16) {
        0 => Json::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(0),
        4 => json!(-1),
        5 => json!(u64::MAX),
        6 => json!(i64::MIN),
        7 => json!(9_007_199_254_740_993_u64),
        8 => json!(1.5),
        9 => json!(-0.0),
        10 => json!(""),
        11 => json!("*"),
        12 => json!([]),
        13 => json!({}),
        14 => json!("0ms"),
        _ => json!("2026-01-01T00:00:00Z"),
    }
}

/// Changes a document in one place.
pub fn change(document: &mut Json, program: &mut Program<'_>) {
    let values = count(document);
    let elsewhere = nth(&mut document.clone(), &mut program.below(values)).map(|value| value.clone());
    let Some(value) = nth(document, &mut program.below(values)) else { return };
    match program.below(8) {
        0 => *value = scalar(program),
        1 => *value = elsewhere.unwrap_or_default(),
        2 => *value = json!([value.take()]),
        _ => match value {
            Json::Array(items) => change_list(items, elsewhere.unwrap_or_default(), program),
            Json::Object(members) => change_map(members, elsewhere, program),
            Json::String(text) => change_text(text, program),
            Json::Number(number) => *value = changed_number(number, program),
            Json::Bool(truth) => *truth = !*truth,
            Json::Null => *value = elsewhere.unwrap_or_default(),
        },
    }
}

fn change_list(items: &mut Vec<Json>, elsewhere: Json, program: &mut Program<'_>) {
    let at = program.below(items.len() + 1);
    match program.below(5) {
        0 if at < items.len() => drop(items.remove(at)),
        1 if at < items.len() => items.insert(at, items[at].clone()),
        2 => items.reverse(),
        // The border between a list and one inside it moves: `[["a"], "b"]` becomes `["a", "b"]`.
        3 => *items = items.drain(..).flat_map(|item| item.as_array().cloned().unwrap_or(vec![item])).collect(),
        _ => items.insert(at, elsewhere),
    }
}

fn change_map(members: &mut serde_json::Map<String, Json>, elsewhere: Option<Json>, program: &mut Program<'_>) {
    let names: Vec<String> = members.keys().cloned().collect();
    if names.is_empty() {
        members.insert("a".to_owned(), elsewhere.unwrap_or_default());
        return;
    }
    let (one, other) = (&names[program.below(names.len())], &names[program.below(names.len())]);
    match program.below(4) {
        0 => drop(members.remove(one)),
        1 => {
            let values = [members[one].clone(), members[other].clone()];
            let [first, second] = values;
            members.insert(one.clone(), second);
            members.insert(other.clone(), first);
        }
        2 => {
            let value = members.remove(one).unwrap_or_default();
            let mut name = one.clone();
            change_text(&mut name, program);
            members.insert(name, value);
        }
        _ => drop(members.insert(format!("{one}-2"), elsewhere.unwrap_or_default())),
    }
}

fn change_text(text: &mut String, program: &mut Program<'_>) {
    let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let at = cuts[program.below(cuts.len())];
    match program.below(8) {
        0 => text.truncate(at),
        1 => *text = text.split_off(at),
        2 => text.insert(at, program.pick(&['a', '*', ':', '.', '|', ',', '\u{1f}', '\0', ' ', '"', 'é', '\u{200b}'])),
        3 => *text = text.to_uppercase(),
        4 => *text = text.repeat(2),
        5 => *text = text.replace("==", "!="),
        6 => *text = format!("!({text})"),
        _ => text.clear(),
    }
}

fn changed_number(number: &serde_json::Number, program: &mut Program<'_>) -> Json {
    let whole = number.as_i64().unwrap_or(0);
    match program.below(5) {
        0 => json!(whole.wrapping_add(1)),
        1 => json!(whole.wrapping_sub(1)),
        2 => json!(number.as_f64().unwrap_or(0.0)),
        3 => json!(number.to_string()),
        _ => json!(whole.wrapping_neg()),
    }
}

/// Changes the bytes of a document as a document, which leaves it in its canonical form; every sixteenth time, and where they
/// are none, as the fuzzer would: for `fuzz_mutator!`.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let document = serde_json::from_slice::<Json>(&data[..size]);
    let Ok(mut document) = document else { return fuzzer_mutate(data, size, max_size) };
    if seed.is_multiple_of(16) {
        return fuzzer_mutate(data, size, max_size);
    }
    // The steps that follow on a seed (xorshift64).
    let mut state = u64::from(seed) << 1 | 1;
    let dice: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(64)
    .collect();
    let mut program = Program::of(&dice);
    for _ in 0..=program.below(3) {
        change(&mut document, &mut program);
    }
    let text = serde_json_canonicalizer::to_vec(&document).unwrap_or_default();
    if text.is_empty() || text.len() > max_size {
        return size;
    }
    data[..text.len()].copy_from_slice(&text);
    text.len()
}
