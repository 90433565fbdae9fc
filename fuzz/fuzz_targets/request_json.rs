//! Bytes as a request: never a panic, and what is read reads back as the same request.
#![no_main]

use fallgate::limits::Limits;
use fallgate::request::Request;
use fallgate_fuzz::bound::within;
use fallgate_fuzz::low_limits;
use libfuzzer_sys::fuzz_target;

fn check(bytes: &[u8]) {
    let limits = low_limits();
    match Request::from_json(bytes, &limits) {
        Ok(request) => {
            let again = request.to_json().to_string();
            // Properties that nobody wrote are written as none, which counts: at its limit it would be one too many.
            assert_eq!(Request::from_json(again.as_bytes(), &Limits::DEFAULT).as_ref(), Ok(&request), "{again}");
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
}

fuzz_target!(|bytes: &[u8]| within(10, || check(bytes)));
