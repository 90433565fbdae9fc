//! Bytes as a signed bundle and as a trust root: never a panic; nothing is taken that its keys have not signed.
#![no_main]

use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::envelope::Envelope;
use fallgate::policy::trust::root::TrustRoot;
use fallgate_fuzz::bound::within;
use fallgate_fuzz::change::mutate;
use fallgate_fuzz::{at, low_limits};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { mutate(data, size, max_size, seed) });

/// A root with the key of RFC 8032's first test, whose private half the fuzzer does not know.
const ROOT: &str = concat!(
    r#"{"fallgate_trust":1,"keys":[{"id":"21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9","#,
    r#""key":"ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}],"threshold":1,"version":1}"#,
);

fn check(bytes: &[u8]) {
    let (limits, now) = (low_limits(), at(0).wall);
    let root = TrustRoot::from_json(ROOT.as_bytes(), &limits).expect("the fuzzer's own root");
    assert!(root.rotate(bytes, &limits, now).is_err(), "nobody has signed a root");
    assert!(Bundle::from_signed(bytes, &Trust::keys(root), &limits, now).is_err(), "nobody has signed a bundle");
    if let Ok(envelope) = Envelope::from_json(bytes, &limits) {
        assert_eq!(Envelope::from_json(&envelope.to_json(), &limits), Ok(envelope), "it reads back as it was");
    }
    if let Ok(root) = TrustRoot::from_json(bytes, &limits) {
        assert_eq!(root.bytes(), bytes, "a root has one form");
        assert!((1..=root.keys().len()).contains(&root.threshold()), "so many can sign");
    }
}

fuzz_target!(|bytes: &[u8]| within(20, || check(bytes)));
