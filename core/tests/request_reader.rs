//! The two readers of requests: the quick one of `decide_json` takes the same bytes for the same request as
//! `Request::from_json`, and refuses the same bytes for the same reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use bumpalo::Bump;
use fallgate::limits::Limits;
use fallgate::request::{Action, Attributes, Party, PartyView, Request, RequestError, RequestView};
use fallgate::value::{Map, Value, View};
use proptest::prelude::*;

fn owned(view: View<'_>) -> Value {
    match view {
        View::Null => Value::Null,
        View::Bool(value) => Value::Bool(value),
        View::Int(number) => Value::Int(number),
        View::UInt(number) => Value::UInt(number),
        View::Double(number) => Value::Double(number),
        View::Str(text) => Value::String(text.into()),
        View::Items(items) => Value::List(items.iter().map(|item| owned(*item)).collect()),
        View::Fields(fields) => Value::Map(map(fields.entries().iter().copied())),
        other => panic!("no JSON is read as {other:?}"),
    }
}

/// Kept in the order in which they come: were it not that of the names, no name would be found.
fn map<'a>(entries: impl Iterator<Item = (&'a str, View<'a>)>) -> Map {
    let entries: Vec<(Box<str>, Value)> = entries.map(|(name, value)| (name.into(), owned(value))).collect();
    assert!(entries.is_sorted_by(|(a, _), (b, _)| a < b), "{entries:?}");
    Map::from_entries(entries).unwrap()
}

fn party(view: &PartyView<'_>) -> Party {
    Party { party_type: view.party_type.into(), id: view.id.into(), properties: attributes(&view.properties) }
}

fn attributes(attributes: &Attributes<'_>) -> Map {
    map(attributes.iter())
}

/// What the quick reader makes of the bytes, as an owned request.
fn quick(bytes: &[u8], limits: &Limits) -> Result<Request, RequestError> {
    let arena = Bump::new();
    let view = RequestView::from_json(bytes, limits, &arena)?;
    Ok(Request {
        subject: party(&view.subject),
        action: Action { name: view.action.name.into(), properties: attributes(&view.action.properties) },
        resource: party(&view.resource),
        context: attributes(&view.context),
    })
}

/// What both make of the bytes. The texts tell minus zero from zero, which are equal.
fn both(bytes: &[u8], limits: &Limits) -> Result<Request, RequestError> {
    let (quick, right) = (quick(bytes, limits), Request::from_json(bytes, limits));
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]);
    assert_eq!(format!("{quick:?}"), format!("{right:?}"), "{text}");
    right
}

/// A request with this text of a value in its context.
fn with(value: &str) -> String {
    format!(
        r#"{{"subject":{{"type":"user","id":"a"}},"action":{{"name":"x"}},"resource":{{"type":"r","id":"1"}},"context":{{"v":{value}}}}}"#
    )
}

/// The value as both read it in a request.
fn value(text: &str) -> Option<Value> {
    let request = both(with(text).as_bytes(), &Limits::DEFAULT).ok()?;
    Some(request.context.get("v").unwrap().clone())
}

/// Every request of every shipped pack.
fn corpus() -> Vec<Vec<u8>> {
    let policies = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let mut folders = vec![policies];
    let mut requests = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.components().any(|part| part.as_os_str() == "requests") {
                requests.push(std::fs::read(path).unwrap());
            }
        }
    }
    requests.sort();
    assert!(requests.len() > 20, "only {} requests were found", requests.len());
    requests
}

#[test]
fn numbers_are_the_same_to_the_bit() {
    let whole = [
        ("0", 0),
        ("7", 7),
        ("-1", -1),
        ("9007199254740993", 9_007_199_254_740_993),
        ("999999999999999999", 999_999_999_999_999_999),
        ("-999999999999999999", -999_999_999_999_999_999),
        ("1000000000000000000", 1_000_000_000_000_000_000),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ];
    for (text, number) in whole {
        assert_eq!(value(text), Some(Value::Int(number)), "{text}");
    }
    assert_eq!(value("9223372036854775808"), Some(Value::UInt(1 << 63)));
    assert_eq!(value("18446744073709551615"), Some(Value::UInt(u64::MAX)));
    let doubles = [
        ("0.5", 0.5),
        ("1.0", 1.0),
        ("1e3", 1e3),
        ("1E+3", 1e3),
        ("-1.5e-3", -1.5e-3),
        ("9007199254740992.0", 9_007_199_254_740_992.0),
        ("18446744073709551616", 18_446_744_073_709_551_616.0),
        ("-9223372036854775809", -9_223_372_036_854_775_809.0),
        ("1e-400", 0.0),
    ];
    for (text, number) in doubles {
        assert_eq!(value(text), Some(Value::Double(number)), "{text}");
    }
    let Some(Value::Double(zero)) = value("-0") else { panic!("minus zero is a double") };
    assert!(zero == 0.0 && zero.is_sign_negative());
    for text in [
        "",
        "-",
        "+1",
        "01",
        "00",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "1_000",
        "1e400",
        "-1e400",
        "1-2",
        "1 2",
        "--1",
        "1.2.3",
        "NaN",
        "Infinity",
        "-Infinity",
        "0e",
        "-e1",
    ] {
        assert_eq!(value(text), None, "{text}");
    }
    for digits in 1..400 {
        value(&"9".repeat(digits));
        value(&format!("-{}", "1".repeat(digits)));
        value(&format!("0.{}1", "0".repeat(digits)));
        value(&format!("123456789.{}", "7".repeat(digits)));
    }
    let long = "3".repeat(100_000);
    assert_eq!(value(&long), None);
    assert!(value(&format!("0.{long}")).is_some());
}

#[test]
fn texts_are_the_same_letter_by_letter() {
    let texts = [
        (r#""""#, ""),
        (r#""plain""#, "plain"),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u20AC""#, "Aé€"),
        (r#""\ud83d\ude00 and \uD83D\uDE00""#, "\u{1f600} and \u{1f600}"),
        (r#""\u0000""#, "\0"),
        (r#""\uffff\ufdd0""#, "\u{ffff}\u{fdd0}"),
        ("\"\u{7f}\u{80}\u{fffd}\"", "\u{7f}\u{80}\u{fffd}"),
    ];
    for (text, letters) in texts {
        assert_eq!(value(text), Some(Value::String(letters.into())), "{text}");
    }
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        r#""\ud800x""#,
        r#""\ud800\n""#,
        r#""\ud800\u0041""#,
        r#""\u""#,
        r#""\u12""#,
        r#""\u+123""#,
        r#""\u12g4""#,
        r#""\x41""#,
        r#""\U0041""#,
        r#""\""#,
        "\"\n\"",
        "\"\t\"",
        "\"\u{1f}\"",
        "\"\0\"",
        "'a'",
        "a",
    ] {
        assert_eq!(value(text), None, "{text}");
    }
    // Every place of an eight-byte word, with what makes it special.
    for length in 0..40 {
        for mark in ["\\n", "\\u00e9", "é", "\u{1f600}", "\u{1}", "\""] {
            value(&format!("\"{}{mark}{}\"", "x".repeat(length), "y".repeat(40 - length)));
        }
    }
}

#[test]
fn bytes_with_no_meaning_or_two_are_refused_alike() {
    let good = with("1");
    let limits = Limits::DEFAULT;
    let text: [&str; 20] = [
        "",
        " ",
        "\n\t",
        "null",
        "5",
        "\"x\"",
        "[]",
        "{}",
        "{} {}",
        "{",
        "\u{feff}{}",
        "{\"subject\":",
        "true",
        "[{}]",
        "{,}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "//",
    ];
    let behind = ["\0", "x", "{}", ",", "]", "\u{feff}", "\u{a0}"].map(|garbage| format!("{good}{garbage}"));
    for bytes in text.into_iter().map(str::to_owned).chain(behind) {
        assert!(both(bytes.as_bytes(), &limits).is_err(), "{bytes}");
    }
    for bytes in [format!(" \r\n\t{good}\n "), good.replace(':', " :\n ").replace(',', "\t, ")] {
        assert!(both(bytes.as_bytes(), &limits).is_ok(), "{bytes}");
    }
    let wide: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(both(&wide, &limits).is_err());
    // In a text, in a name, in an id, and where no text stands: bytes that are no UTF-8, overlong, a surrogate, cut.
    for part in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\xf8\x88\x80\x80\x80", b"\xf4\x90\x80\x80"]
    {
        for (before, after) in good.char_indices().map(|(at, _)| good.split_at(at)) {
            let bytes = [before.as_bytes(), part, after.as_bytes()].concat();
            assert!(both(&bytes, &limits).is_err(), "{before} {part:?}");
        }
    }
}

#[test]
fn a_name_that_stands_twice_is_found_at_every_depth() {
    let twice = [
        r#"{"a":1,"a":1}"#,
        r#"{"role":1,"r\u006fle":2}"#,
        r#"{"a":{"b":1,"c":2,"b":3}}"#,
        r#"[[{"a":null,"b":null,"a":null}]]"#,
        r#"{"":1,"":2}"#,
        r#"{"z":1,"a":2,"z":3}"#,
    ];
    for text in twice {
        assert_eq!(value(text), None, "{text}");
        // As a member that no request needs, of each object that a request has.
        let good = with("1");
        for at in good.match_indices('{').map(|(at, _)| at + 1) {
            let (before, after) = good.split_at(at);
            assert!(both(format!("{before}\"other\":{text},{after}").as_bytes(), &Limits::DEFAULT).is_err(), "{text}");
        }
    }
    let good = with("1");
    let names = ["subject", "action", "resource", "context", "type", "id", "name", "properties", "other"];
    for at in good.match_indices('{').map(|(at, _)| at + 1) {
        for name in names {
            for inner in ["{}", "\"a\"", "1"] {
                for written in [name.to_owned(), format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..])] {
                    let (before, after) = good.split_at(at);
                    both(
                        format!("{before}\"{name}\":{inner},\"{written}\":{inner},{after}").as_bytes(),
                        &Limits::DEFAULT,
                    )
                    .unwrap_err();
                    let _either = both(format!("{before}\"{written}\":{inner},{after}").as_bytes(), &Limits::DEFAULT);
                }
            }
        }
    }
}

#[test]
fn many_names_are_told_apart_without_comparing_each_with_each() {
    let mut limits = Limits::DEFAULT;
    limits.request_bytes_max = 64 << 20;
    limits.request_values_max = 2_000_000;
    let entries =
        |count: usize| (0..count).map(|at| format!("\"{:07}\":0", (at * 7_919) % count)).collect::<Vec<_>>().join(",");
    let requests = |inner: &str| {
        let kept = with(&format!("{{{inner}}}"));
        let (before, after) = kept.split_at(1);
        [kept.clone(), format!("{before}\"other\":{{{inner}}},{}", after.replace(inner, ""))]
    };
    for count in [2, 15, 16, 17, 18, 100, 50_000] {
        let inner = entries(count);
        for request in requests(&inner) {
            assert!(quick(request.as_bytes(), &limits).is_ok(), "{count} names");
        }
        for request in requests(&format!("{inner},\"0000001\":0")) {
            let arena = Bump::new();
            let refused = RequestView::from_json(request.as_bytes(), &limits, &arena).unwrap_err();
            assert_eq!(refused, RequestError::DuplicateKey("`0000001`".to_owned()), "{count} names");
        }
    }
    for request in requests(&entries(1_000_000)) {
        assert!(RequestView::from_json(request.as_bytes(), &limits, &Bump::new()).is_ok());
    }
}

#[test]
fn limits_are_met_at_the_same_count() {
    for count in 0..40 {
        let mut limits = Limits::DEFAULT;
        let nested =
            |open: &str, close: &str, levels: usize| with(&format!("{}1{}", open.repeat(levels), close.repeat(levels)));
        limits.request_depth_max = count;
        let mut most = None;
        for levels in 0..40 {
            let as_list = both(nested("[", "]", levels).as_bytes(), &limits);
            let as_map = both(nested("{\"a\":", "}", levels).as_bytes(), &limits);
            assert_eq!(as_list.is_ok(), as_map.is_ok());
            if levels > 0 {
                let other = format!("{{\"other\":{}{},", "[".repeat(levels), "]".repeat(levels));
                let _either = both(with("1").replacen('{', &other, 1).as_bytes(), &limits);
            }
            if as_list.is_ok() {
                most = Some(levels);
            }
        }
        // The request itself is one level, and the context another.
        assert_eq!(most, count.checked_sub(2), "{count} levels");

        let mut limits = Limits::DEFAULT;
        limits.request_values_max = count;
        for values in 0..40 {
            let items = vec!["0"; values].join(",");
            let read = both(with(&format!("[{items}]")).as_bytes(), &limits);
            // Ten besides: the request, its four members, five names of things, and the list, which is the eleventh.
            assert_eq!(read.is_ok(), values + 11 <= count, "{values} items of {count} values");
            let ignored = with("0").replacen('{', &format!("{{\"other\":[{items}],"), 1);
            assert_eq!(both(ignored.as_bytes(), &limits).is_ok(), values + 12 <= count);
        }
    }
    let deep = |levels: usize| with(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    let mut limits = Limits::DEFAULT;
    limits.request_depth_max = 1_000;
    for levels in [100, 124, 125, 126, 127, 128, 129, 1_000, 100_000] {
        assert_eq!(both(deep(levels).as_bytes(), &limits).is_ok(), levels <= 125, "{levels} levels");
    }
    let request = with("\"0123456789\"");
    for bytes in 0..request.len() + 2 {
        limits.request_bytes_max = bytes;
        assert_eq!(both(request.as_bytes(), &limits).is_ok(), bytes >= request.len());
    }
}

#[test]
fn what_must_be_there_is_missed_alike() {
    let parts = ["subject", "action", "resource", "context"];
    let request: serde_json::Value = serde_json::from_str(&with("1")).unwrap();
    let wrong = [
        serde_json::json!(null),
        serde_json::json!(5),
        serde_json::json!("x"),
        serde_json::json!([]),
        serde_json::json!({}),
        serde_json::json!(""),
    ];
    for part in parts {
        let mut without = request.clone();
        without.as_object_mut().unwrap().remove(part);
        assert_eq!(both(without.to_string().as_bytes(), &Limits::DEFAULT).is_ok(), part == "context");
        for value in &wrong {
            let mut other = request.clone();
            other[part] = value.clone();
            let fits = part == "context" && value.is_object();
            assert_eq!(both(other.to_string().as_bytes(), &Limits::DEFAULT).is_ok(), fits, "{part}: {value}");
        }
        for member in ["type", "id", "name", "properties"] {
            for value in &wrong {
                let mut other = request.clone();
                other[part][member] = value.clone();
                let _either = both(other.to_string().as_bytes(), &Limits::DEFAULT);
            }
        }
    }
    for id in ["", "a\\u0000", "\\u0000", &"x".repeat(1_024), &"x".repeat(1_025), &"x".repeat(10_240), " ", "ａ"] {
        let read = both(with("1").replace("\"a\"", &format!("\"{id}\"")).as_bytes(), &Limits::DEFAULT);
        assert_eq!(read.is_ok(), !id.is_empty() && !id.contains("u0000") && id.len() <= 1_024, "{id}");
    }
}

#[test]
fn every_request_of_the_corpus_is_the_same_whole_cut_and_altered() {
    let limits = Limits::DEFAULT;
    let mut read = 0;
    let mut to_alter = 4;
    for bytes in &corpus() {
        let fits = both(bytes, &limits).is_ok();
        read += usize::from(fits);
        // At every byte of what is short, and at some of what is long.
        let step = if bytes.len() < 1_000 { 1 } else { 131 };
        for end in (0..bytes.len()).step_by(step) {
            let _either = both(&bytes[..end], &limits);
        }
        if !fits || bytes.len() >= 600 || to_alter == 0 {
            continue;
        }
        to_alter -= 1;
        let mut altered = bytes.clone();
        for at in 0..bytes.len() {
            for other in *b"\"\\{}[]:,0-.e u\0\x80" {
                altered[at] = other;
                let _either = both(&altered, &limits);
            }
            altered[at] = bytes[at];
        }
    }
    assert_eq!(to_alter, 0);
    assert!(read > 20, "only {read} requests of the corpus were read");
}

/// Pieces of JSON, from which requests are put together that are nearly right.
fn pieces() -> impl Strategy<Value = Vec<&'static str>> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\"a\":",
        "\"b\":",
        "\"\\u0061\":",
        "1",
        "-0",
        "1.5",
        "1e9",
        "true",
        "false",
        "null",
        "\"\"",
        "\"x\"",
        "\\",
        " ",
        "{\"a\":1},",
        "[1,2],",
        "{\"c\":{}}",
        "\"é\"",
        "\"\\ud83d\\ude00\"",
    ]);
    prop::collection::vec(piece, 0..24)
}

proptest! {
    #[test]
    fn what_is_nearly_json_is_read_alike(pieces in pieces()) {
        let text = pieces.concat();
        let _value = value(&text);
        let _map = value(&format!("{{{text}}}"));
        let _list = value(&format!("[{text}]"));
        let good = with("1");
        let _other = both(format!("{{{text},{}", &good[1..]).as_bytes(), &Limits::DEFAULT);
    }
}
