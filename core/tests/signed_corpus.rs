//! The signed bundles that every face is shown, `bindings/signed`, through the core: each is taken or refused as the table
//! beside them says, and a refused one leaves the active bundle deciding.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::root::TrustRoot;
use fallgate::request::Party;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Engine, Request};

const TABLE: &str = include_str!("../../bindings/signed/expected.txt");
/// 2026-06-01T00:00:00Z.
const START: i64 = 1_780_272_000_000;

fn read(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../bindings/signed").join(name)).unwrap()
}

#[test]
fn each_is_taken_or_refused_as_the_table_says() {
    let mut config = Config::default();
    config.trust = Trust::keys(TrustRoot::from_json(&read("root.json"), &Limits::DEFAULT).unwrap());
    let engine = Engine::new(config);
    let mut now = Now::new(Monotonic::ZERO, Wall::from_millis(START));
    let mut lines = 0;
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [call, file, becomes, revision, reason] = columns[..] else { panic!("{line}") };
        let done = match call {
            "activate" => engine.activate_signed(&read(file), now).map_err(|error| error.code()),
            "rotate" => engine.rotate_trust(&read(file), now).map(drop).map_err(|error| error.code()),
            other => panic!("{other} is no call"),
        };
        assert_eq!(done.err().unwrap_or("ok"), becomes, "{file}");
        assert_eq!(engine.bundle().unwrap().revision().to_string(), revision, "{file}");
        let request = Request::new(Party::new("user", "ann"), "order:read", Party::new("order", "17"));
        assert_eq!(engine.decide(&request, now).reason().code(), reason, "{file}");
        now = now.after(Ttl::from_secs(1));
        lines += 1;
    }
    assert_eq!(lines, TABLE.lines().filter(|line| line.starts_with("activate") || line.starts_with("rotate")).count());
    assert_eq!(engine.trust().root().unwrap().version(), 2);
}

#[test]
fn a_signature_that_nobody_asked_for_is_not_passed_over() {
    let unsigned = Trust::unsigned_for_development();
    let code = |name| Bundle::from_json(&read(name), &unsigned).map(|_| ()).map_err(|error| error.code());
    assert_eq!(code("bare-8.json"), Ok(()));
    for name in ["active-7.json", "stripped-8.json", "altered-payload-8.json", "wrong-type-8.json"] {
        assert_eq!(code(name), Err("untrusted"), "{name}");
    }
    assert_eq!(code("cut-8.json"), Err("syntax"));
    let now = Wall::from_millis(START);
    assert!(Bundle::from_signed(&read("active-7.json"), &unsigned, &Limits::DEFAULT, now).is_ok(), "asked for by name");
}
