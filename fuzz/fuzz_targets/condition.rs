//! Text as a CEL condition: never a panic, always the same truth, and a lost fact never makes a definite truth another.
#![no_main]

use std::cell::Cell;
use std::collections::BTreeMap;

use fallgate::condition::program::Program;
use fallgate::condition::{Absence, Attribute, Entity, Names, Scope, SignalView, Status, Truth, cel};
use fallgate::time::Monotonic;
use fallgate::value::{Timestamp, Value, View};
use fallgate::value_type::ValueType;
use fallgate_fuzz::bound::within;
use fallgate_fuzz::low_limits;
use libfuzzer_sys::fuzz_target;

const ATTRIBUTES: [&str; 5] = ["a", "b", "c", "d", "e"];
const SIGNALS: [&str; 2] = ["s", "t"];

/// Five attributes of every entity, each of another type; two signals; some data.
struct Known {
    data: Value,
}

impl Names for Known {
    fn attribute(&mut self, entity: Entity, name: &str) -> Result<Attribute, Option<String>> {
        let place = ATTRIBUTES.iter().position(|known| *known == name).ok_or(None)?;
        let value_type = match place {
            0 => ValueType::Int,
            1 => ValueType::String,
            2 => ValueType::Bool,
            3 => ValueType::List(Box::new(ValueType::String)),
            _ => ValueType::Any,
        };
        let slot = u16::try_from(entity as usize * ATTRIBUTES.len() + place).map_err(|_| None)?;
        Ok(Attribute { slot, value_type, may_be_absent: place > 1, absence: Absence::Indeterminate })
    }

    fn signal(&mut self, name: &str) -> Result<u16, Option<String>> {
        let place = SIGNALS.iter().position(|known| *known == name).ok_or(None)?;
        u16::try_from(place).map_err(|_| None)
    }

    fn data(&self) -> Option<&Value> {
        Some(&self.data)
    }
}

fn truth(program: &Program, slots: &[Option<View<'_>>], signals: &[SignalView]) -> Truth {
    let arena = bumpalo::Bump::new();
    program.truth(&Scope {
        slots,
        signals,
        posture: None,
        monotonic: Monotonic::from_millis(5_000),
        wall: Timestamp::from_second(1_767_225_600),
        arena: &arena,
        steps_left: Cell::new(2_000),
    })
}

fn check(text: &str) {
    let json = serde_json::json!({ "list": [1, 2, "x"], "map": { "k": true } });
    let mut known = Known { data: Value::from(&json) };
    let Ok(program) = cel::compile(text, &mut known, &low_limits()) else { return };

    let list = Value::from(&serde_json::json!(["x", "y"]));
    let map = Value::from(&serde_json::json!({ "k": [1, 2.5, null], "m": { "n": "o" } }));
    let of_one = [View::Int(7), View::Str("x"), View::Bool(true), View::from(&list), View::from(&map)];
    let slots: Vec<Option<View<'_>>> = of_one.iter().cycle().take(20).map(|view| Some(*view)).collect();
    let ok = SignalView { status: Status::Ok, observed_at: Some(Monotonic::from_millis(4_000)) };
    let whole = truth(&program, &slots, &[ok; 2]);
    assert_eq!(whole, truth(&program, &slots, &[ok; 2]), "the same question, another answer");

    // Presence tests turn absence into a value; every other operator must let it be.
    if text.contains("has") || text.contains("ok") || text.contains("in") || text.contains("orValue") {
        return;
    }
    let lost: BTreeMap<usize, Truth> = (0..slots.len())
        .map(|slot| {
            let mut fewer = slots.clone();
            fewer[slot] = None;
            (slot, truth(&program, &fewer, &[ok; 2]))
        })
        .collect();
    for (slot, less) in lost {
        let contradicts = matches!((less, whole), (Truth::True, Truth::False) | (Truth::False, Truth::True));
        assert!(!contradicts, "`{text}` is {whole:?}, and {less:?} without slot {slot}");
    }
}

fuzz_target!(|text: &str| within(20, || check(text)));
