//! Bytes as a bundle: never a panic; what loads has one canonical form, which loads again under the same digest.
#![no_main]

use fallgate::policy::bundle::{Bundle, Trust};
use fallgate_fuzz::bound::within;
use fallgate_fuzz::low_limits;
use libfuzzer_sys::fuzz_target;

fn check(bytes: &[u8]) {
    let (limits, trust) = (low_limits(), Trust::unsigned_for_development());
    let as_it_is = Bundle::from_json_within(bytes, &trust, &limits);
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        assert!(as_it_is.is_err(), "no JSON, and yet a bundle");
        return;
    };
    if let Ok(taken) = &as_it_is {
        assert_eq!(taken.bytes(), bytes, "it was taken, and is not the canonical form");
    }
    match Bundle::from_document(&document, &trust, &limits) {
        Ok(bundle) => match Bundle::from_json_within(bundle.bytes(), &trust, &limits) {
            Ok(again) => assert_eq!(bundle.id(), again.id()),
            Err(error) => panic!("its own canonical form is refused: {error}"),
        },
        Err(error) => {
            assert!(as_it_is.is_err(), "refused as a document, taken as bytes: {error}");
            assert!(!error.diagnostics().is_empty());
            for diagnostic in error.diagnostics() {
                assert!(!diagnostic.message.contains('\n'), "{diagnostic}");
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| within(100, || check(bytes)));
