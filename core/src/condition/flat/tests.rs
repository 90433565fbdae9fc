//! The evaluator is the law: whatever the flat form says, the evaluator says too.

use std::cell::Cell;

use proptest::prelude::*;

use super::super::{Absence, Attribute, Entity, Names, Scope, SignalView, Status, Truth, cel};
use crate::limits::Limits;
use crate::time::Monotonic;
use crate::value::{Value, View};
use crate::value_type::ValueType;

struct Declared;

impl Names for Declared {
    fn attribute(&mut self, _: Entity, name: &str) -> Result<Attribute, Option<String>> {
        let (slot, value_type) = match name {
            "level" => (0, ValueType::Int),
            "floor" => (1, ValueType::Int),
            "name" => (2, ValueType::String),
            "alias" => (3, ValueType::String),
            "on" => (4, ValueType::Bool),
            "roles" => (5, ValueType::List(Box::new(ValueType::String))),
            "ip" => (6, ValueType::Ip),
            "any" => (7, ValueType::Any),
            _ => return Err(None),
        };
        Ok(Attribute { slot, value_type, may_be_absent: true, absence: Absence::Indeterminate })
    }

    fn signal(&mut self, name: &str) -> Result<u16, Option<String>> {
        ["idp", "ledger"].iter().position(|known| *known == name).map(|at| at as u16).ok_or(None)
    }

    fn data(&self) -> Option<&Value> {
        None
    }
}

const SLOTS: usize = 8;

/// What a test may be.
const ATOMS: [&str; 27] = [
    "subject.level >= subject.floor",
    "subject.level < 5",
    "subject.level != subject.any",
    "subject.level == 5",
    "5 < subject.floor",
    "subject.name == subject.alias",
    "subject.name != 'alice'",
    "subject.name < subject.alias",
    "subject.any == 'alice'",
    "subject.any >= 5",
    "subject.any == 5.0",
    "subject.any",
    "subject.on",
    "subject.on == true",
    "has(subject.name)",
    "has(subject.any)",
    "signals.idp.ok",
    "signals.idp.failed",
    "signals.ledger.failed",
    "subject.name in ['alice', 'bob']",
    "subject.any in ['alice', 5]",
    "'admin' in subject.roles",
    "'admin' in subject.any",
    "cidr('10.66.0.0/16').containsIP(context.ip) || cidr('2001:db8::/32').containsIP(context.ip)",
    "cidr('192.0.2.0/24').containsIP(context.ip)",
    "cidr('0.0.0.0/0').containsIP(subject.any) || cidr('192.0.2.0/24').containsIP(context.ip)",
    "subject.alias == 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'",
];

const LONG: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// What a slot may hold: of its declared type, of another, or nothing.
fn held() -> impl Strategy<Value = Option<View<'static>>> {
    prop_oneof![
        Just(None),
        any::<bool>().prop_map(|value| Some(View::Bool(value))),
        (4_i64..7).prop_map(|value| Some(View::Int(value))),
        Just(Some(View::UInt(5))),
        Just(Some(View::Double(5.0))),
        Just(Some(View::Double(f64::NAN))),
        prop_oneof![Just("alice"), Just("bob"), Just("bobby"), Just(""), Just(LONG)]
            .prop_map(|text| Some(View::Str(text))),
        Just(Some(View::Items(&[View::Str("clerk"), View::Int(1), View::Str("admin")]))),
        Just(Some(View::Items(&[View::Str("clerk")]))),
        prop_oneof![Just("10.66.1.1"), Just("192.0.2.7"), Just("2001:db8::1"), Just("10.1.1.1")]
            .prop_map(|text| Some(View::Ip(text.parse().unwrap()))),
        Just(Some(View::Null)),
    ]
}

fn status() -> impl Strategy<Value = SignalView> {
    let statuses = [Status::Unknown, Status::Failed, Status::Degraded, Status::Ok];
    (0..statuses.len()).prop_map(move |at| SignalView { status: statuses[at], observed_at: Some(Monotonic::ZERO) })
}

fn conditions() -> impl Strategy<Value = String> {
    (0..ATOMS.len()).prop_map(|at| format!("({})", ATOMS[at])).prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("!{one}")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" && "))),
            prop::collection::vec(inner, 2..4).prop_map(|terms| format!("({})", terms.join(" || "))),
        ]
    })
}

fn budget() -> impl Strategy<Value = u32> {
    prop_oneof![Just(100_000), 0_u32..80]
}

fn scope<'a>(
    slots: &'a [Option<View<'a>>],
    signals: &'a [SignalView],
    arena: &'a bumpalo::Bump,
    steps: u32,
) -> Scope<'a> {
    Scope { slots, signals, posture: None, monotonic: Monotonic::ZERO, wall: None, arena, steps_left: Cell::new(steps) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_flat_form_says_what_the_evaluator_says(
        text in conditions(),
        slots in prop::collection::vec(held(), SLOTS),
        signals in prop::collection::vec(status(), 0..3),
        steps in budget(),
    ) {
        let program = cel::compile(&text, &mut Declared, &Limits::DEFAULT).unwrap();
        prop_assert!(program.flat.is_some(), "{} has no flat form", text);
        let arena = bumpalo::Bump::new();
        let evaluated = program.evaluated(&scope(&slots, &signals, &arena, steps));
        prop_assert_eq!(program.truth(&scope(&slots, &signals, &arena, steps)), evaluated, "{}", text);
        if let Some(said) = program.plain_truth(&slots, &signals, steps) {
            prop_assert_eq!(said, evaluated, "{}", text);
        }
    }
}

/// What values of the declared types come to is said, so that the law above is about something.
#[test]
fn plain_values_are_settled_without_the_evaluator() {
    let roles = [View::Str("clerk"), View::Str("admin")];
    let slots = [
        Some(View::Int(5)),
        Some(View::Int(4)),
        Some(View::Str("alice")),
        Some(View::Str("bob")),
        Some(View::Bool(true)),
        Some(View::Items(&roles)),
        Some(View::Ip("192.0.2.7".parse().unwrap())),
        None,
    ];
    let signals = [SignalView { status: Status::Ok, observed_at: Some(Monotonic::ZERO) }];
    for (text, expected) in [
        ("subject.level >= subject.floor && subject.name != subject.alias", Truth::True),
        ("subject.level < 5 || subject.level >= 18", Truth::False),
        ("cidr('10.66.0.0/16').containsIP(context.ip) || cidr('192.0.2.0/24').containsIP(context.ip)", Truth::True),
        ("cidr('10.66.0.0/16').containsIP(context.ip) || cidr('2001:db8::/32').containsIP(context.ip)", Truth::False),
        ("'admin' in subject.roles && subject.name in ['alice', 'carol']", Truth::True),
        ("!subject.on || !signals.idp.ok", Truth::False),
        ("has(subject.any)", Truth::False),
        ("subject.any == 5", Truth::Indeterminate(super::Cause::Missing)),
        ("signals.ledger.failed", Truth::Indeterminate(super::Cause::Signal(1))),
        ("signals.ledger.failed || subject.on", Truth::True),
    ] {
        let program = cel::compile(text, &mut Declared, &Limits::DEFAULT).unwrap();
        assert_eq!(program.plain_truth(&slots, &signals, 1_000), Some(expected), "{text}");
    }
    // What reads the time, makes a value or goes through a list has no flat form.
    for text in
        ["now < timestamp('2030-01-01T00:00:00Z')", "subject.level + 1 > 5", "subject.roles.exists(r, r == 'admin')"]
    {
        assert!(cel::compile(text, &mut Declared, &Limits::DEFAULT).unwrap().flat.is_none(), "{text}");
    }
}
