//! Text as a Rego module: refused or loaded within the limits, never a panic; what loads gives the same truth twice.
#![no_main]

use std::collections::BTreeMap;

use fallgate::condition::rego::{Modules, RegoInput};
use fallgate::value::Value;
use fallgate_fuzz::bound::within;
use fallgate_fuzz::low_limits;
use libfuzzer_sys::fuzz_target;

fn check(text: &str) {
    let sources = BTreeMap::from([("fuzz.rego".to_owned(), text.to_owned())]);
    let Ok(modules) = Modules::load(&sources, None, &low_limits()) else { return };
    let input = Value::from(&serde_json::json!({ "x": 1, "y": ["a", "b"], "z": { "k": null } }));
    for path in ["data.p.allow", "data.p.q", "data.app.allow"] {
        if let Ok(entry) = modules.entry_point(path) {
            let first = modules.ask(&entry, &RegoInput::document(&input));
            assert_eq!(first, modules.ask(&entry, &RegoInput::document(&input)), "{path}");
        }
    }
}

fuzz_target!(|text: &str| within(100, || check(text)));
