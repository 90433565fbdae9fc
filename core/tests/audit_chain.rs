//! The audit chain against whoever changes it: every byte, every record, each found at the first record that is wrong.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use fallgate::audit::chain::{Chain, Head};
use fallgate::audit::record::RecordKind;
use fallgate::audit::verify::{Fault, Finding, Verifier};
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use serde_json::json;
use sha2::{Digest, Sha256};

const START: Now = Now::new(Monotonic::ZERO, Wall::from_millis(1_767_225_600_000));

/// A chain of that many records of several kinds, and its head.
fn chain(records: u64) -> (Vec<Vec<u8>>, Head) {
    let mut chain = Chain::default();
    let mut lines = Vec::new();
    for number in 0..records {
        let at = START.after(Ttl::from_millis(number));
        let (kind, body) = match number % 4 {
            0 => (RecordKind::Decision, json!({ "decision": { "decision": number % 8 == 0 }, "request": null })),
            1 => (RecordKind::Signal, json!({ "event": "signal_changed", "signal": format!("s-{number}") })),
            2 => (RecordKind::Gap, json!({ "denies": 1, "allows": 0, "events": 2, "since": "a", "until": "b" })),
            _ => (RecordKind::Checkpoint, chain.head().to_json()),
        };
        lines.push(chain.link(at, kind, body).unwrap().into_bytes());
    }
    (lines, chain.head())
}

/// Reads the lines; the head is what was kept elsewhere.
fn verify<'l>(lines: impl IntoIterator<Item = &'l Vec<u8>>, kept: Head) -> Result<Head, Finding> {
    let mut verifier = Verifier::behind(Head::default()).through(kept);
    for line in lines {
        verifier.push(line)?;
    }
    verifier.finish()
}

/// The verifier as it stands before each record of a chain that is whole: what comes first need not be read again.
fn before_each(lines: &[Vec<u8>], kept: Head) -> Vec<Verifier> {
    let mut verifier = Verifier::behind(Head::default()).through(kept);
    let mut before = Vec::new();
    for line in lines {
        before.push(verifier.clone());
        verifier.push(line).unwrap();
    }
    before
}

/// Reads the lines with a verifier that has read what came before them.
fn go_on<'l>(mut verifier: Verifier, lines: impl IntoIterator<Item = &'l Vec<u8>>) -> Result<Head, Finding> {
    for line in lines {
        verifier.push(line)?;
    }
    verifier.finish()
}

/// The same numbers every time (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

fn number(at: usize) -> u64 {
    at as u64 + 1
}

#[test]
fn a_chain_as_it_was_written_is_whole() {
    let (lines, head) = chain(10_000);
    assert_eq!(verify(&lines, head), Ok(head));
    // A head kept on the way is enough, and one reads on from a head that is trusted.
    let mut verifier = Verifier::behind(Head::default());
    let mut middle = Head::default();
    for line in &lines[..5_000] {
        let record = verifier.push(line).unwrap();
        middle = Head { count: record.seq, hash: record.hash };
    }
    assert_eq!(verify(&lines, middle), Ok(head));
    let mut rest = Verifier::behind(middle);
    lines[5_000..].iter().for_each(|line| assert!(rest.push(line).is_ok()));
    assert_eq!(rest.counts(), (5_000, 1_250 * 3));
    assert_eq!(rest.finish(), Ok(head));
}

#[test]
fn every_bit_of_a_small_chain_that_changes_is_found_where_it_changed() {
    let (lines, head) = chain(12);
    let before = before_each(&lines, head);
    let mut tried = 0;
    for at in 0..lines.len() {
        for byte in 0..lines[at].len() {
            for bit in 0..8 {
                let mut changed = lines[at..].to_vec();
                changed[0][byte] ^= 1 << bit;
                let found = go_on(before[at].clone(), &changed).unwrap_err();
                assert_eq!(found.seq, number(at), "record {at}, byte {byte}, bit {bit}: {found}");
                tried += 1;
            }
        }
    }
    assert!(tried > 20_000, "{tried}");
}

#[test]
fn every_record_of_a_small_chain_that_is_dropped_doubled_or_moved_is_found() {
    let (lines, head) = chain(12);
    for at in 0..lines.len() {
        let mut dropped = lines.clone();
        dropped.remove(at);
        assert_eq!(verify(&dropped, head).unwrap_err().seq, number(at), "dropped {at}");
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at].clone());
        assert_eq!(verify(&doubled, head).unwrap_err().seq, number(at) + 1, "doubled {at}");
        for other in at + 1..lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at, other);
            assert_eq!(verify(&swapped, head).unwrap_err().seq, number(at), "swapped {at} and {other}");
        }
    }
}

#[test]
fn a_small_chain_that_is_cut_anywhere_is_found() {
    let (lines, head) = chain(12);
    for kept in 0..lines.len() {
        let found = verify(&lines[..kept], head).unwrap_err();
        let expected = if kept == 0 { Fault::Empty } else { Fault::Truncated { expected: 12 } };
        assert_eq!(found.fault, expected, "{kept} kept");
        for bytes in 0..lines[kept].len() {
            let mut cut = lines[..=kept].to_vec();
            cut[kept].truncate(bytes);
            let found = verify(&cut, head).unwrap_err();
            assert_eq!((found.seq, found.fault), (number(kept), Fault::NotCanonical), "{kept} kept, {bytes} bytes");
        }
    }
}

#[test]
fn what_is_done_at_random_to_a_large_chain_is_found() {
    let (lines, head) = chain(10_000);
    let before = before_each(&lines, head);
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    for round in 0..100 {
        let mut changed = lines.clone();
        let at = numbers.below(lines.len() - 1);
        let expected = match round % 5 {
            0 => {
                let byte = numbers.below(changed[at].len());
                changed[at][byte] ^= 1 << numbers.below(8);
                number(at)
            }
            1 => {
                changed.remove(at);
                number(at)
            }
            2 => {
                changed.insert(at, lines[at].clone());
                number(at) + 1
            }
            3 => {
                let other = at + 1 + numbers.below(lines.len() - at - 1);
                changed.swap(at, other);
                number(at)
            }
            _ => {
                changed.truncate(at + 1);
                number(at) + 1
            }
        };
        let found = go_on(before[at].clone(), &changed[at..]).unwrap_err();
        assert_eq!(found.seq, expected, "round {round}, record {at}");
    }
}

#[test]
fn a_chain_that_is_written_anew_is_found_by_the_head_that_was_kept() {
    let (lines, head) = chain(12);
    // Whoever can write the file can link all of it again; only the kept head tells.
    let mut forged = Chain::default();
    let anew: Vec<Vec<u8>> = (0..12)
        .map(|number| {
            let at = START.after(Ttl::from_millis(number));
            forged.link(at, RecordKind::Bundle, json!({ "forged": true })).unwrap().into_bytes()
        })
        .collect();
    assert!(verify(&anew, forged.head()).is_ok());
    assert_eq!(verify(&anew, head).unwrap_err(), Finding { seq: 12, fault: Fault::OtherHead });
    assert!(verify(&lines, head).is_ok());
}

#[test]
fn a_record_that_is_written_anew_alone_is_found_at_the_next_one() {
    let (lines, head) = chain(12);
    let before: Vec<Head> = std::iter::once(Head::default()).chain((1..12).map(|records| chain(records).1)).collect();
    for at in 0..11 {
        let mut forged = Chain::behind(before[at]);
        let when = START.after(Ttl::from_millis(number(at)));
        let mut changed = lines.clone();
        // In itself it is as whole as any other: its number, its link and its own hash are right.
        changed[at] = forged.link(when, RecordKind::Bundle, json!({ "forged": true })).unwrap().into_bytes();
        assert_eq!(verify(&changed, head).unwrap_err(), Finding { seq: number(at) + 1, fault: Fault::Link });
    }
}

#[test]
fn what_is_no_record_is_never_ok() {
    let (lines, _) = chain(1);
    let line = String::from_utf8(lines[0].clone()).unwrap();
    let fault = |text: &str| Verifier::behind(Head::default()).push(text.as_bytes()).unwrap_err().fault;
    assert_eq!(fault(""), Fault::NotCanonical);
    assert_eq!(fault("{}"), Fault::Members);
    assert_eq!(fault("[]"), Fault::Members);
    assert_eq!(fault("null"), Fault::Members);
    assert_eq!(fault(&format!("{line} ")), Fault::NotCanonical);
    assert_eq!(fault(&format!("{line}{line}")), Fault::NotCanonical);
    assert_eq!(fault(&line.replacen("{", "{\"a\":1,", 1)), Fault::Members);
    assert_eq!(fault(&line.replacen("{", "{\"at\":\"x\",", 1)), Fault::NotCanonical);
    assert_eq!(fault(&line.replace("audit/1", "audit/2")), Fault::Version("`audit/2`".to_owned()));
    assert_eq!(Verifier::behind(Head::default()).finish().unwrap_err().fault, Fault::Empty);
}

/// A record as a forger writes it who can reckon hashes: the first of a chain, changed, and with the hash that belongs to it.
fn forged(change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> Vec<u8> {
    let mut record: serde_json::Value = serde_json::from_slice(&chain(1).0[0]).unwrap();
    let members = record.as_object_mut().unwrap();
    members.remove("hash");
    change(members);
    // Canonical as it stands: the names are ASCII, the map is sorted, and there are no fractions.
    let hash = Sha256::new().chain_update([0; 32]).chain_update(record.to_string()).finalize();
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    record.as_object_mut().unwrap().insert("hash".to_owned(), hash.into());
    record.to_string().into_bytes()
}

#[test]
fn a_record_of_other_members_is_none_however_well_it_is_linked() {
    let fault = |line: &[u8]| Verifier::behind(Head::default()).push(line).unwrap_err().fault;
    assert!(Verifier::behind(Head::default()).push(&forged(|_| {})).is_ok(), "the forger can write a good one");
    for name in ["at", "body", "fallgate", "kind", "monotonic_ms", "prev", "seq"] {
        assert_eq!(fault(&forged(|record| drop(record.remove(name)))), Fault::Members, "without {name}");
        // As many as there should be, and one of them another.
        let renamed = forged(|record| {
            let value = record.remove(name).unwrap();
            record.insert(format!("{name}x"), value);
        });
        assert_eq!(fault(&renamed), Fault::Members, "{name} under another name");
        if name != "body" {
            assert_eq!(fault(&forged(|record| record[name] = json!([]))), Fault::Members, "{name} is a list");
        }
    }
    for (name, value) in [
        ("kind", json!("rumour")),
        ("monotonic_ms", json!(-1)),
        ("seq", json!("1")),
        ("prev", json!("00")),
        ("prev", json!("0".repeat(63) + "g")),
        ("fallgate", json!(1)),
    ] {
        assert_eq!(fault(&forged(|record| record[name] = value.clone())), Fault::Members, "{name}: {value}");
    }
    assert_eq!(fault(&forged(|record| record["seq"] = 2.into())), Fault::Sequence { found: 2 });
    let more = forged(|record| drop(record.insert("more".to_owned(), 1.into())));
    assert_eq!(fault(&more), Fault::Members);
}

#[test]
fn what_a_checkpoint_and_a_gap_say_is_held_against_the_chain() {
    let (lines, _) = chain(3);
    let mut link = Chain::default();
    for (number, line) in lines.iter().enumerate() {
        let record: serde_json::Value = serde_json::from_slice(line).unwrap();
        let kind = RecordKind::named(record["kind"].as_str().unwrap()).unwrap();
        link.link(START.after(Ttl::from_millis(number as u64)), kind, record["body"].clone()).unwrap();
    }
    let behind = link.head();
    let next = |kind: RecordKind, body: serde_json::Value| {
        let line = Chain::behind(behind).link(START, kind, body).unwrap().into_bytes();
        let mut verifier = Verifier::behind(behind);
        let found = verifier.push(&line).map(drop).map_err(|found| (found.seq, found.fault));
        (found, verifier.counts())
    };
    assert_eq!(next(RecordKind::Checkpoint, behind.to_json()), (Ok(()), (1, 0)));
    let mut other = behind.to_json();
    other["count"] = 2.into();
    assert_eq!(next(RecordKind::Checkpoint, other), (Err((4, Fault::Checkpoint)), (0, 0)));
    assert_eq!(next(RecordKind::Gap, json!({ "denies": 4, "allows": 2, "events": 1 })), (Ok(()), (1, 7)));
    for name in ["denies", "allows", "events"] {
        let mut gap = json!({ "denies": 4, "allows": 2, "events": 1 });
        gap[name] = "many".into();
        assert_eq!(next(RecordKind::Gap, gap).0, Err((4, Fault::Members)), "{name}");
    }
    // What only looks like one is a body like any other.
    assert_eq!(next(RecordKind::Signal, json!({ "denies": "many" })), (Ok(()), (1, 0)));
}

#[test]
fn each_fault_has_its_code() {
    let codes = [
        (Fault::NotCanonical, "record_not_canonical"),
        (Fault::Version(String::new()), "record_version"),
        (Fault::Members, "record_members"),
        (Fault::Sequence { found: 1 }, "record_sequence"),
        (Fault::Link, "record_link"),
        (Fault::Hash, "record_hash"),
        (Fault::Checkpoint, "record_checkpoint"),
        (Fault::Empty, "chain_empty"),
        (Fault::Truncated { expected: 1 }, "chain_truncated"),
        (Fault::OtherHead, "chain_other_head"),
    ];
    codes.iter().for_each(|(fault, code)| assert_eq!(fault.code(), *code));
}
