//! Records of any content, linked rightly: they are read back as they were written, decided again without a panic, and bytes that are no
//! record are none.
#![no_main]

use std::sync::LazyLock;

use fallgate::audit::chain::{Chain, Head};
use fallgate::audit::record::RecordKind;
use fallgate::audit::verify::Verifier;
use fallgate::policy::bundle::Bundle;
use fallgate::replay::records::Records;
use fallgate_fuzz::bound::within;
use fallgate_fuzz::{at, bundle};
use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;

static BUNDLE: LazyLock<Bundle> = LazyLock::new(bundle);

fn check(bytes: &[u8]) {
    // Each line is the body of a record, or a record, or nothing of either.
    let mut chain = Chain::default();
    let (mut verifier, mut records) = (Verifier::behind(Head::default()), Records::new(BUNDLE.clone()));
    for (number, line) in bytes.split(|byte| *byte == b'\n').take(50).enumerate() {
        assert!(verifier.clone().push(line).is_err(), "nobody has linked this: {}", String::from_utf8_lossy(line));
        let Ok(body) = serde_json::from_slice::<Json>(line) else { continue };
        if let Some(head) = Head::from_json(&body) {
            assert_eq!(Head::from_json(&head.to_json()), Some(head));
        }
        let kind = body.get("kind").and_then(Json::as_str).and_then(RecordKind::named).unwrap_or(RecordKind::Decision);
        let body = body.get("body").cloned().unwrap_or(body);
        let before = chain;
        let Some(written) = chain.link(at(number as u64), kind, body.clone()) else {
            assert_eq!(chain.head(), before.head(), "what has no canonical form is not linked");
            continue;
        };
        let head = before.head();
        match verifier.push(written.as_bytes()) {
            Ok(record) => {
                assert_eq!(record.kind, kind);
                assert_eq!(canonical(&record.body), canonical(&body), "{written}");
                assert_eq!(record.seq, head.count + 1);
            }
            // A gap and a checkpoint say what their record can be held against.
            Err(finding) => {
                let says_more = [RecordKind::Gap, RecordKind::Checkpoint].contains(&kind);
                assert!(says_more, "{finding}: {written}");
                return;
            }
        }
        let again = records.push(written.as_bytes(), Head::default());
        assert!(again.is_ok(), "{again:?}: {written}");
    }
}

fn canonical(body: &Json) -> Option<Vec<u8>> {
    serde_json_canonicalizer::to_vec(body).ok()
}

fuzz_target!(|bytes: &[u8]| within(200, || check(bytes)));
