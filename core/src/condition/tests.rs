//! Conditions as a whole: text in, truth out. Expected values are worked out by hand from the spec.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::*;
use crate::error::{Code, Diagnostic, nearest};
use crate::limits::Limits;
use crate::value::Map;
use crate::value_type::Field;

/// Every attribute of the tests, by slot.
const ATTRIBUTES: [(Entity, &str); 14] = [
    (Entity::Subject, "id"),
    (Entity::Subject, "t"),
    (Entity::Subject, "f"),
    (Entity::Subject, "missing"),
    (Entity::Subject, "refund_limit"),
    (Entity::Subject, "roles"),
    (Entity::Resource, "amount"),
    (Entity::Resource, "any"),
    (Entity::Resource, "owner"),
    (Entity::Context, "ip"),
    (Entity::Context, "time"),
    (Entity::Context, "score"),
    (Entity::Context, "big"),
    (Entity::Action, "name"),
];

struct Declared {
    data: Value,
}

impl Names for Declared {
    fn attribute(&mut self, entity: Entity, name: &str) -> Result<Attribute, Option<String>> {
        let value_type = match name {
            "id" | "name" => ValueType::String,
            "t" | "f" | "missing" => ValueType::Bool,
            "refund_limit" | "amount" => ValueType::Int,
            "roles" => ValueType::List(Box::new(ValueType::String)),
            "owner" => {
                let name = Field { value_type: ValueType::String, optional: false };
                let team = Field { value_type: ValueType::String, optional: true };
                ValueType::Record(BTreeMap::from([("name".into(), name), ("team".into(), team)]))
            }
            "ip" => ValueType::Ip,
            "time" => ValueType::Timestamp,
            "score" => ValueType::Double,
            "big" => ValueType::UInt,
            _ => ValueType::Any,
        };
        match ATTRIBUTES.iter().position(|known| *known == (entity, name)) {
            Some(slot) => Ok(Attribute {
                slot: slot as u16,
                value_type,
                may_be_absent: name == "missing",
                absence: Absence::Indeterminate,
            }),
            None => Err(nearest(name, ATTRIBUTES.iter().filter(|known| known.0 == entity).map(|known| known.1))),
        }
    }

    fn signal(&mut self, name: &str) -> Result<u16, Option<String>> {
        let known = ["idp", "ledger-a", "geo", "queue"];
        known.iter().position(|known| *known == name).map(|index| index as u16).ok_or_else(|| nearest(name, known))
    }

    fn data(&self) -> Option<&Value> {
        Some(&self.data)
    }
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(
        Map::from_entries(entries.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()).unwrap(),
    )
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

fn declared() -> Declared {
    Declared {
        data: map(&[
            ("limits", map(&[("max", Value::Int(100))])),
            ("blocked", Value::List(vec![text("eve"), text("mallory")])),
            ("tenants", map(&[("acme", Value::Int(7))])),
        ]),
    }
}

fn try_compile(text: &str) -> Result<program::Program, Vec<Diagnostic>> {
    cel::compile(text, &mut declared(), &Limits::DEFAULT)
}

fn compile(text: &str) -> program::Program {
    cel::compile_value(text, &mut declared(), &Limits::DEFAULT).unwrap_or_else(|e| panic!("{text}: {e:?}"))
}

/// The first mistake of a text: its code and the bytes that it is about.
fn mistake(text: &str) -> (Code, String, Diagnostic) {
    let diagnostic = match cel::compile(text, &mut declared(), &Limits::DEFAULT) {
        Ok(program) => panic!("{text} compiled: {program:?}"),
        Err(diagnostics) => diagnostics.into_iter().next().unwrap(),
    };
    let about = text[diagnostic.span.clone().unwrap()].to_owned();
    (diagnostic.code, about, diagnostic)
}

/// Evaluates with the request of the tests, and tells how many steps are left.
fn with_scope<R>(steps: u32, wall: Option<&str>, run: impl FnOnce(&Scope<'_>) -> R) -> R {
    let roles = [text("clerk"), text("auditor")];
    let owner = map(&[("name", text("bob"))]);
    let Value::Map(owner) = &owner else { unreachable!() };
    let any = map(&[("n", Value::Int(1)), ("list", Value::List(vec![Value::Int(1), Value::Double(2.0)]))]);
    let Value::Map(any) = &any else { unreachable!() };
    let slots = [
        Some(View::Str("alice")),
        Some(View::Bool(true)),
        Some(View::Bool(false)),
        None,
        Some(View::Int(50)),
        Some(View::List(&roles)),
        Some(View::Int(40)),
        Some(View::Map(any)),
        Some(View::Map(owner)),
        Some(View::Ip("10.1.2.3".parse().unwrap())),
        Some(View::Timestamp("2026-03-01T23:30:15.250Z".parse().unwrap())),
        Some(View::Double(9_007_199_254_740_992.0)),
        Some(View::UInt(u64::MAX)),
        Some(View::Str("refund")),
    ];
    let at = Some(Monotonic::from_millis(1_000));
    let signals = [
        SignalView { status: Status::Ok, observed_at: at },
        SignalView { status: Status::Failed, observed_at: at },
        SignalView { status: Status::Unknown, observed_at: None },
        SignalView { status: Status::Degraded, observed_at: at },
    ];
    let arena = bumpalo::Bump::new();
    let scope = Scope {
        slots: &slots,
        signals: &signals,
        posture: Some(PostureView { name: "read-only", rank: 1 }),
        monotonic: Monotonic::from_millis(31_000),
        wall: wall.map(|wall| wall.parse().unwrap()),
        arena: &arena,
        steps_left: Cell::new(steps),
    };
    run(&scope)
}

fn truth(text: &str) -> Truth {
    let program = compile(text);
    with_scope(100_000, Some("2026-03-01T12:00:00Z"), |scope| program.truth(scope))
}

fn holds(text: &str) {
    assert_eq!(truth(text), Truth::True, "{text}");
}

fn cause(text: &str) -> Cause {
    match truth(text) {
        Truth::Indeterminate(cause) => cause,
        other => panic!("{text}: {other:?}"),
    }
}

/// Runs on a thread with a small stack, as a host may have.
fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    #[allow(clippy::disallowed_methods, reason = "the stack of the thread is what is tested")]
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}

#[test]
fn conjunction_and_disjunction_are_strong_kleene() {
    let (t, f, u) = ("subject.t", "subject.f", "subject.missing");
    let unknown = Truth::Indeterminate(Cause::Missing);
    for (a, b, and, or) in [
        (t, t, Truth::True, Truth::True),
        (t, f, Truth::False, Truth::True),
        (t, u, unknown, Truth::True),
        (f, t, Truth::False, Truth::True),
        (f, f, Truth::False, Truth::False),
        (f, u, Truth::False, unknown),
        (u, t, unknown, Truth::True),
        (u, f, Truth::False, unknown),
        (u, u, unknown, unknown),
    ] {
        assert_eq!(truth(&format!("{a} && {b}")), and, "{a} && {b}");
        assert_eq!(truth(&format!("{a} || {b}")), or, "{a} || {b}");
    }
    assert_eq!(truth("!subject.t"), Truth::False);
    assert_eq!(truth("!subject.f"), Truth::True);
    assert_eq!(truth("!subject.missing"), unknown);
    assert_eq!(truth("subject.missing ? true : true"), unknown);
    assert_eq!(truth("subject.t ? subject.f : subject.missing"), Truth::False);
}

#[test]
fn macros_are_strong_kleene_and_exists_one_is_not() {
    holds("[1, 2, 0].exists(x, 4 / x == 2)");
    holds("!([1, 0].all(x, 4 / x == 2))");
    assert_eq!(cause("[0, 4].all(x, 4 / x == 1)"), Cause::Arithmetic);
    assert_eq!(cause("[0, 4].exists(x, 4 / x == 7)"), Cause::Arithmetic);
    assert_eq!(cause("[0, 4].exists_one(x, 4 / x == 1)"), Cause::Arithmetic);
    holds("[1, 2].exists_one(x, x == 1)");
    holds("!([1, 1].exists_one(x, x == 1))");
    holds("[].all(x, false) && !([].exists(x, true))");
    holds("subject.roles.exists(r, r == 'auditor') && subject.roles.map(r, size(r)) == [5, 7]");
    holds("[1, 2, 3].filter(x, x > 1) == [2, 3] && [1, 2, 3].map(x, x > 1, x * 2) == [4, 6]");
    holds("{'a': 1, 'b': 2}.all(k, k in ['a', 'b'])");
}

#[test]
fn a_variable_hides_a_root() {
    holds("[true].exists(now, now)");
    assert_eq!(*compile("[1].exists(now, now == 1)").reads(), Reads::default());
    holds("[1].exists(x, [2].exists(x, x == 2) && x == 1)");
    holds("subject.roles.exists(subject, subject == 'clerk')");
    holds("[{'id': 'zed'}].exists(subject, subject.id == 'zed' && .subject.id == 'alice')");
}

#[test]
fn absence_is_indeterminate_and_has_asks_for_it() {
    assert_eq!(cause("subject.missing"), Cause::Missing);
    assert_eq!(truth("has(subject.missing)"), Truth::False);
    holds("has(subject.id) && has(resource.owner.name)");
    assert_eq!(truth("has(resource.owner.team)"), Truth::False);
    assert_eq!(cause("resource.owner.team == 'x'"), Cause::Missing);
    assert_eq!(cause("resource.any.gone == 1"), Cause::Missing);
    assert_eq!(cause("resource.any['gone'] == 1"), Cause::Missing);
    assert_eq!(cause("resource.any.n.deeper == 1"), Cause::WrongType);
    assert_eq!(cause("resource.any.list[2] == 1"), Cause::IndexOutOfRange);
    assert_eq!(cause("resource.any.list[-1] == 1"), Cause::IndexOutOfRange);
    holds("resource.any.list[1] == 2");
}

#[test]
fn arithmetic_that_overflows_is_indeterminate() {
    for text in [
        "9223372036854775807 + resource.amount > 0",
        "-9223372036854775808 - resource.amount < 0",
        "9223372036854775807 * resource.amount > 0",
        "resource.amount / 0 == 1",
        "resource.amount % 0 == 1",
        "-9223372036854775808 / -1 == 0",
        "-9223372036854775808 % -1 == 0",
        "-(-9223372036854775808) > 0",
        "0u - 1u == 0u",
        "context.big + 1u > 0u",
        "timestamp('9999-12-29T00:00:00Z') + duration('8000h') > now",
        "int(context.big) > 0",
        "uint(-1) == 0u",
    ] {
        assert_eq!(cause(text), Cause::Arithmetic, "{text}");
    }
    holds("1 + 2 * 3 - 4 / 2 == 5 && 7 % 4 == 3 && 10 - 3 - 2 == 5 && -7 % 4 == -3");
    holds("1.0 / 0.0 > 1.0e308 && 'a' + 'b' + 'c' == 'abc' && b'a' + b'b' == b'ab' && [1] + [2] == [1, 2]");
    holds("'x' in (['x'] + subject.roles) && subject.id + '!' == 'alice!'");
}

#[test]
fn numbers_of_different_types_compare_by_value() {
    // 2^53 + 1 has no double; the nearest is 2^53, and CEL compares with that.
    holds("!(context.score < 9007199254740993) && context.score < 9007199254740994");
    holds("9007199254740993 == dyn(context.score) && context.score > 9007199254740991");
    holds("9007199254740992 == dyn(context.score)");
    holds("9223372036854775807 < context.big && -1 < 0u && 1u == dyn(1) && dyn(1.0) == 1u");
    holds("9223372036854775807 <= 9223372036854775808.0 && context.big >= 18446744073709551616.0");
    holds("-1 < -0.5 && 0 > -0.5 && 0u > -0.5 && 1u < 1.5 && 0 == dyn(-0.0) && 2 > 1.5");
    let nan = "(0.0 / 0.0)";
    for text in ["x == x", "x < 1", "x > 1", "x <= x", "x >= 1", "1 < x", "1u > x", "x in [x]"] {
        assert_eq!(truth(&text.replace('x', nan)), Truth::False, "{text}");
    }
    holds("(0.0 / 0.0) != (0.0 / 0.0)");
    holds("'a' < 'b' && b'a' < b'b' && false < true && duration('1m') > duration('59s')");
    holds("dyn('1') != 1 && dyn(1) != '1' && dyn([1]) != 1 && [1, 2.0] == [1.0, 2] && {'a': 1} == {'a': 1.0}");
}

#[test]
fn membership_looks_through_lists_sets_and_keys() {
    holds("subject.id in ['bob', 'alice'] && !(subject.id in ['bob']) && !(subject.id in [])");
    holds("resource.amount in [1, 40.0, 3u] && 'clerk' in subject.roles && 'name' in resource.owner");
    holds("context.ip in [ip('10.1.2.3'), ip('::1')] && !(subject.id in data.blocked) && 'eve' in data.blocked");
    holds("'acme' in data.tenants && data.tenants['acme'] == 7 && data.limits.max > resource.amount");
    holds("subject.id in [subject.id] && !(resource.any in ['x'])");
    holds("has(data.limits.max) && !has(data.limits.min)");
    // A double is the key that it is exactly, or none.
    holds("dyn(1.0) in {1: true} && !(dyn(1.5) in {1: true}) && {-3: true}[dyn(-3.0)]");
    holds("dyn(9223372036854775808.0) in {9223372036854775808u: true}");
}

#[test]
fn a_map_that_is_built_asks_for_the_room_of_its_entries() {
    let entries = (1..=100).map(|key| format!("{key}: resource.amount")).collect::<Vec<_>>().join(", ");
    let text = format!("size({{{entries}}}) == 100");
    let room = 100 * size_of::<(View<'_>, View<'_>)>();
    for (room, expected) in [(room, Truth::True), (room - 1, Truth::Indeterminate(Cause::Limit))] {
        let limits = Limits { arena_bytes_max: room, ..Limits::DEFAULT };
        let program = cel::compile(&text, &mut declared(), &limits).unwrap();
        assert_eq!(with_scope(100_000, None, |scope| program.truth(scope)), expected, "{room}");
    }
}

#[test]
fn text_functions() {
    holds(
        "'hello'.startsWith('he') && 'hello'.endsWith('lo') && 'hello'.contains('ell') && 'ÄBc'.lowerAscii() == 'Äbc'",
    );
    holds("size('häß') == 3 && 'häß'.size() == 3 && size(b'häß') == 5 && size(subject.roles) == 2 && size({}) == 0");
    holds("subject.id.matches('^al.*e$') && matches('abc', 'b') && !subject.id.matches('^b')");
    holds("int('42') == 42 && uint('7') == 7u && double('1.5') == 1.5 && string(42) == '42' && bool('true')");
    holds(
        "string(duration('1h1.5s')) == '3601.5s' && string(timestamp('2026-01-02T03:04:05Z')) == '2026-01-02T03:04:05Z'",
    );
    holds("int(-1.9) == -1 && uint(1.9) == 1u && string(b'ab') == 'ab' && bytes('ab') == b'ab'");
    assert_eq!(cause("int(subject.id) == 1"), Cause::InvalidArgument);
}

#[test]
fn times_are_read_in_a_zone() {
    // 2026-03-01 is a Sunday, the sixtieth day of the year; two hours east it is Monday already.
    holds("context.time.getFullYear() == 2026 && context.time.getMonth() == 2 && context.time.getDate() == 1");
    holds("context.time.getDayOfMonth() == 0 && context.time.getDayOfWeek() == 0 && context.time.getDayOfYear() == 59");
    holds("context.time.getHours() == 23 && context.time.getMinutes() == 30 && context.time.getSeconds() == 15");
    holds(
        "context.time.getMilliseconds() == 250 && context.time.getHours('+02:00') == 1 && context.time.getDayOfWeek('02:00') == 1",
    );
    holds("context.time.getMinutes('-05:45') == 45 && context.time.getHours('UTC') == 23");
    holds(
        "duration('1h30m').getHours() == 1 && duration('1h30m').getMinutes() == 90 && duration('1.25s').getMilliseconds() == 250",
    );
    holds("timestamp('2026-01-01T01:00:00+01:00') == timestamp('2026-01-01T00:00:00Z') && timestamp(0) < now");
    holds("now - timestamp('2026-03-01T11:00:00Z') == duration('1h') && duration('-1.5h') == duration('-90m')");
    // Berlin is an hour ahead of UTC in winter and two in summer, from the last Sunday of March, one o'clock UTC, on.
    holds("context.time.getHours('Europe/Berlin') == 0 && context.time.getDayOfWeek('Europe/Berlin') == 1");
    holds("timestamp('2026-03-29T00:59:59Z').getHours('Europe/Berlin') == 1");
    holds("timestamp('2026-03-29T01:00:00Z').getHours('Europe/Berlin') == 3");
    holds("timestamp('9999-12-31T23:59:59Z').getFullYear('America/New_York') == 9999");
    let (code, about, _) = mistake("now.getHours('Europe/Bärlin') > 1");
    assert_eq!((code, about.as_str()), (Code::InvalidValue, "'Europe/Bärlin'"));
}

#[test]
fn networks() {
    holds("cidr('10.0.0.0/8').containsIP(context.ip) && !cidr('11.0.0.0/8').containsIP(context.ip)");
    holds("cidr('10.0.0.0/8').containsIP('10.9.9.9') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')");
    holds("!cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8')) && context.ip == ip('10.1.2.3')");
    holds(
        "context.ip.family() == 4 && ip('::1').family() == 6 && ip('127.0.0.1').isLoopback() && isIP('::1') && !isIP('x')",
    );
    holds(
        "isCIDR('10.0.0.0/8') && isCIDR('10.0.0.1/8') && !isCIDR('10.0.0.0/33') && string(context.ip) == '10.1.2.3' && ip.isCanonical('::1')",
    );
    holds("ip('::ffff:a01:203') == context.ip && !isIP('::ffff:10.1.2.3')");
    holds("cidr('10.0.0.1/8') != cidr('10.0.0.0/8') && cidr('10.0.0.1/8').masked() == cidr('10.0.0.0/8')");
    holds("cidr('10.0.0.0/8').ip() == ip('10.0.0.0') && cidr('10.0.0.0/8').prefixLength() == 8");
    assert_eq!(cause("cidr(subject.id).containsIP(context.ip)"), Cause::InvalidArgument);
}

#[test]
fn extensions_are_bounded_and_err_where_they_have_no_answer() {
    for text in [
        "'abc'.charAt(4) == ''",
        "'abc'.substring(2, 1) == ''",
        "'abc'.indexOf('a', -1) == 0",
        "'%d'.format(['x']) == ''",
        "'%s'.format([]) == ''",
        "'%.2000f'.format([1.0]) == ''",
        "'%y'.format([1]) == ''",
        "math.bitShiftLeft(1, -1) == 0",
        "base64.decode('a') == b''",
        "uint('+1') == 1u",
    ] {
        assert!(matches!(cause(text), Cause::InvalidArgument | Cause::WrongType), "{text}");
    }
    // A hundred times the text that a hundred spaces make, each again: more than the arena may hold.
    let long = format!("'{}'", " ".repeat(200));
    let grown = format!("cel.bind(a, {long}.replace('', {long}), cel.bind(b, a.replace('', a), b.size() > 0))");
    assert_eq!(cause(&grown), Cause::Limit);
    let formatted = format!("cel.bind(a, {long}.replace('', {long}), '%s%s'.format([a, a]).replace('', a) == '')");
    assert_eq!(cause(&formatted), Cause::Limit);
    holds("string(1e6) == '1e+06' && string(123456.5) == '123456.5' && string(1e-7) == '1e-07' && string(0.0) == '0'");
    holds("string(1.0 / 0.0) == '+Inf' && string(-1.0 / 0.0) == '-Inf' && string(0.0 / 0.0) == 'NaN'");
    holds("[1, 2].transformMapEntry(i, v, {v: i}) == {1: 0, 2: 1} && type(context.time) == google.protobuf.Timestamp");
    holds("cel.bind(x, subject.refund_limit, x == 50) && ['b', 'a'].all(i, v, i == 0 ? v == 'b' : v == 'a')");
    let (code, _, diagnostic) = mistake("optional.of(subject.id).hasValue()");
    assert_eq!(code, Code::ConditionUnsupported, "{diagnostic:?}");
}

#[test]
fn signals_follow_their_table() {
    holds("signals.idp.ok && !signals.idp.failed && !signals['ledger-a'].ok && signals['ledger-a'].failed");
    holds("!signals.geo.ok && !signals.queue.ok && !signals.queue.failed && signals.idp.age == duration('30s')");
    assert_eq!(cause("signals.geo.failed"), Cause::Signal(2));
    assert_eq!(cause("signals.geo.age > duration('1s')"), Cause::Signal(2));
    // Observed once, and silent since: its age is lost with its status.
    let silent = [SignalView { status: Status::Unknown, observed_at: Some(Monotonic::ZERO) }];
    let age = compile("signals.idp.age > duration('1s')");
    let aged =
        with_scope(100, None, |scope| age.truth(&Scope { signals: &silent, steps_left: Cell::new(100), ..*scope }));
    assert_eq!(aged, Truth::Indeterminate(Cause::Signal(0)));
    // A signal is the cause only where signals alone are.
    assert_eq!(cause("signals.geo.failed && subject.missing"), Cause::Missing);
    assert_eq!(cause("subject.missing || signals.geo.failed"), Cause::Missing);
    assert_eq!(cause("signals.geo.failed || signals.geo.failed"), Cause::Signal(2));
}

#[test]
fn an_untrusted_clock_is_indeterminate() {
    let program = compile("now > timestamp('2026-01-01T00:00:00Z')");
    let untrusted = with_scope(100, None, |scope| program.truth(scope));
    assert_eq!(untrusted, Truth::Indeterminate(Cause::Clock));
    assert_eq!(with_scope(100, Some("2026-01-01T00:00:00Z"), |scope| program.truth(scope)), Truth::False);
}

#[test]
fn reads_name_slots_signals_and_the_clock() {
    let reads = compile("signals.geo.ok && has(subject.missing) && subject.id == 'x' && subject.id != action.name")
        .reads()
        .clone();
    assert_eq!(reads, Reads { slots: vec![0, 3, 13], signals: vec![2], posture: false, clock: ClockUse::None });
    let clock = |text: &str| compile(text).reads().clock.clone();
    let at = |nanos: i32| Timestamp::from_nanosecond(1_767_225_600_000_000_000 + i128::from(nanos)).unwrap();
    let boundaries =
        |instants: &[Timestamp], every_secs| ClockUse::Boundaries { instants: instants.to_vec(), every_secs };
    let instant = "timestamp('2026-01-01T00:00:00Z')";
    assert_eq!(clock(&format!("now < {instant}")), boundaries(&[at(0)], 0));
    assert_eq!(clock(&format!("now >= {instant}")), boundaries(&[at(0)], 0));
    assert_eq!(clock(&format!("now <= {instant}")), boundaries(&[at(1)], 0));
    assert_eq!(clock(&format!("{instant} < now")), boundaries(&[at(1)], 0));
    assert_eq!(clock(&format!("{instant} > now")), boundaries(&[at(0)], 0));
    assert_eq!(clock(&format!("now == {instant}")), boundaries(&[at(0), at(1)], 0));
    assert_eq!(clock("now.getHours() < 9 && now.getMinutes() == 3"), boundaries(&[], 60));
    assert_eq!(clock("now.getHours('+05:45') < 9"), boundaries(&[], 900));
    assert_eq!(clock("now.getHours('+05:44') < 9"), boundaries(&[], 60));
    assert_eq!(clock("now.getSeconds() < 9"), boundaries(&[], 1));
    for text in [
        "now.getMilliseconds() < 9",
        "now < context.time",
        "now - context.time < duration('1h')",
        "signals.idp.age < duration('1h')",
        "[now].exists(t, t < timestamp('2026-01-01T00:00:00Z'))",
        "now == now",
    ] {
        assert_eq!(clock(text), ClockUse::Unbounded, "{text}");
    }
}

#[test]
fn mistakes_are_told_at_their_token() {
    for (text, code, about) in [
        ("subject.refund_limit + \"x\" == 1", Code::TypeMismatch, "+"),
        ("subject.id == 1", Code::TypeMismatch, "=="),
        ("subject.id < 1", Code::TypeMismatch, "<"),
        ("subject.id == null", Code::TypeMismatch, "=="),
        ("subject.id in [1, 2]", Code::TypeMismatch, "in"),
        ("subject.t && subject.idd == 'x'", Code::UnknownAttribute, "idd"),
        ("has(subject . idd)", Code::UnknownAttribute, "idd"),
        ("subject['idd'] == 'x'", Code::UnknownAttribute, "'idd'"),
        ("resource.owner.nam == 'x'", Code::UnknownAttribute, "nam"),
        ("signals.ipd.ok", Code::UnknownSignal, "ipd"),
        ("signals['ledger-b'].ok", Code::UnknownSignal, "'ledger-b'"),
        ("signals.idp.okay", Code::UnknownAttribute, "okay"),
        ("data.limit.max > 1", Code::UnknownAttribute, "limit"),
        ("subject == resource", Code::ConditionUnsupported, "subject"),
        ("signals.idp == true", Code::ConditionUnsupported, "idp"),
        ("posture.rank < 2", Code::ConditionUnsupported, "posture"),
        ("subjct.id == 'x'", Code::UnknownAttribute, "subjct"),
        ("foo(1) == 2", Code::ConditionUnsupported, "foo"),
        ("timestamp('yesterday') < now", Code::InvalidValue, "'yesterday'"),
        ("duration('1 hour') < duration('1h')", Code::InvalidValue, "'1 hour'"),
        ("context.ip == ip('10.0.0.300')", Code::InvalidValue, "'10.0.0.300'"),
        ("cidr('10.0.0.1/33').containsIP(context.ip)", Code::InvalidValue, "'10.0.0.1/33'"),
        ("cidr('10.0.0.0/8').containsIP('10')", Code::InvalidValue, "'10'"),
        ("subject.id.matches('(')", Code::InvalidValue, "'('"),
        ("subject.id.matches(action.name)", Code::ConditionUnsupported, "."),
        ("resource.amount && true", Code::TypeMismatch, "resource.amount"),
        ("subject.t ? 1 : 2", Code::ConditionNotBoolean, "subject.t ? 1 : 2"),
        ("subject.t &&", Code::ConditionSyntax, ""),
        ("subject.t & subject.f", Code::ConditionSyntax, "&"),
        ("'open", Code::ConditionSyntax, "'open"),
        ("true)", Code::ConditionSyntax, ")"),
        ("true \0", Code::ConditionSyntax, "\0"),
        ("subject.t == é", Code::ConditionSyntax, "é"),
        ("", Code::ConditionSyntax, ""),
    ] {
        let (found, at, diagnostic) = mistake(text);
        assert_eq!((found, at.as_str()), (code, about), "{text}: {diagnostic}");
        assert!(!diagnostic.message.contains('\n'), "{text}: {diagnostic}");
    }
    let (_, _, both) = mistake("subject.refund_limit + \"x\" == 1");
    assert!(both.message.contains("`int`") && both.message.contains("`string`"), "{both}");
    assert_eq!(mistake("subject.idd == 'x'").2.help.as_deref(), Some("did you mean `id`?"));
    assert_eq!(try_compile("subject.x == 1 && signals.y.ok").unwrap_err().len(), 2);
}

#[test]
fn hostile_texts_end_in_an_error_on_a_small_stack() {
    on_small_stack(|| {
        let wide = Limits { condition_bytes_max: 4 << 20, condition_nodes_max: 2_000_000, ..Limits::DEFAULT };
        let mut names = declared();
        let nested = [
            format!("{}true{}", "(".repeat(100_000), ")".repeat(100_000)),
            "(".repeat(100_000),
            format!("{}true", "!".repeat(100_000)),
            format!("{}1 == 1", "-".repeat(100_000)),
            format!("{}true", "!-".repeat(50_000)),
            format!("{}1{} == 1", "[".repeat(100_000), "]".repeat(100_000)),
            format!("subject{} == 1", ".a".repeat(100_000)),
            format!("subject.roles{} == 1", "[0]".repeat(100_000)),
            format!("resource.any{} == 1", ".f(1)".repeat(100_000)),
            format!("{}true", "true ? true : ".repeat(100_000)),
            format!("{}true{}", "true ? ".repeat(100_000), " : true".repeat(100_000)),
            format!("true{}", " == true".repeat(10_000)),
            format!("{}1{}", "{1:".repeat(100_000), "}".repeat(100_000)),
        ];
        for text in nested {
            let errors = cel::compile(&text, &mut names, &wide).unwrap_err();
            assert_eq!(errors[0].code, Code::LimitExceeded, "{}…: {}", &text[..20], errors[0]);
        }
        let long = "a".repeat(1 << 20);
        let errors = cel::compile(&format!("subject.id.matches('{long}')"), &mut names, &wide).unwrap_err();
        assert_eq!(errors[0].code, Code::LimitExceeded);
        let errors = cel::compile("subject.id.matches('(a{1000}){1000}')", &mut names, &wide).unwrap_err();
        assert_eq!(errors[0].code, Code::LimitExceeded);
        let errors = cel::compile(&"a".repeat(70_000), &mut names, &Limits::DEFAULT).unwrap_err();
        assert_eq!(errors[0].code, Code::LimitExceeded);
    });
}

#[test]
fn long_chains_compile_and_evaluate_on_a_small_stack() {
    on_small_stack(|| {
        let wide = Limits { condition_bytes_max: 1 << 20, condition_nodes_max: 200_000, ..Limits::DEFAULT };
        let mut names = declared();
        let chain = |term: &str, operator: &str| vec![term; 10_000].join(operator);
        for (text, expected) in [
            (chain("subject.t", " && "), Truth::True),
            (chain("subject.f", " || "), Truth::False),
            (format!("{} == 10000", chain("1", " + ")), Truth::True),
            (format!("[{}].all(x, x == 1)", chain("1", ", ")), Truth::True),
            (format!("2 in [{}]", chain("1", ", ")), Truth::False),
        ] {
            let program = cel::compile(&text, &mut names, &wide).unwrap_or_else(|e| panic!("{e:?}"));
            assert_eq!(with_scope(100_000, None, |scope| program.truth(scope)), expected, "{}", &text[..20]);
        }
        // As deep as the default allows, on the same stack.
        let deep = format!("{}subject.t{}", "(true && ".repeat(60), ")".repeat(60));
        let program = cel::compile(&deep, &mut names, &Limits::DEFAULT).unwrap();
        assert_eq!(with_scope(100_000, None, |scope| program.truth(scope)), Truth::True);
    });
}

/// What is left of a host's stack may be less than the deepest condition takes: it is evaluated on one of its own.
#[test]
#[allow(clippy::disallowed_methods, reason = "the stack of the thread is what is tested")]
fn the_deepest_condition_evaluates_where_little_of_the_stack_is_left() {
    let choice = |inner: String, _| format!("(subject.t ? {inner} : subject.f)");
    let program = compile(&(0..60).fold("subject.t".to_owned(), choice));
    let evaluated = || with_scope(100_000, None, |scope| program.truth(scope));
    std::thread::scope(|threads| {
        let thread = std::thread::Builder::new().stack_size(48 << 10).spawn_scoped(threads, evaluated).unwrap();
        assert_eq!(thread.join().unwrap(), Truth::True);
    });
}

#[test]
fn steps_stop_what_multiplies() {
    let list = format!("[{}]", vec!["1"; 100].join(","));
    let text = format!("{list}.all(a, {list}.all(b, {list}.all(c, a + b + c == 3)))");
    assert_eq!(cause(&text), Cause::Limit);
    let doubling = "['aaaaaaaaaaaaaaaa'].map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a)\
                    .map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a)[0] == ''";
    assert_eq!(cause(doubling), Cause::Limit);
    let program = compile("subject.t && subject.t");
    assert_eq!(with_scope(3, None, |scope| program.truth(scope)), Truth::True);
    assert_eq!(with_scope(2, None, |scope| program.truth(scope)), Truth::Indeterminate(Cause::Limit));
    // Where the last step goes into what is absent, what comes behind it was never looked at: the limit is the cause.
    let absent = compile("subject.missing && subject.missing");
    for (steps, cause) in [(2, Cause::Limit), (4, Cause::Missing)] {
        assert_eq!(with_scope(steps, None, |scope| absent.truth(scope)), Truth::Indeterminate(cause), "{steps}");
    }
}

#[test]
fn an_explanation_tells_each_part() {
    let text = "subject.id == 'alice' && has(subject.missing)";
    let program = compile(text);
    let told = with_scope(1_000, None, |scope| {
        let mut told = Vec::new();
        let _ = program.explain(scope, &mut |span, outcome| told.push((text[span].to_owned(), format!("{outcome:?}"))));
        told
    });
    let expected = [
        ("subject.id", "Ok(Str(\"alice\"))"),
        ("'alice'", "Ok(Str(\"alice\"))"),
        ("subject.id == 'alice'", "Ok(Bool(true))"),
    ];
    for (index, (part, outcome)) in expected.iter().enumerate() {
        assert_eq!((told[index].0.as_str(), told[index].1.as_str()), (*part, *outcome));
    }
    assert_eq!(told.len(), 5);
    assert_eq!(told[4].1, "Ok(Bool(false))");
}

#[test]
fn a_program_goes_between_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<program::Program>();
}

/// A tree of Boolean operators, and its truth by the tables of strong Kleene logic: 0, 1, or 2 for unknown.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(u8),
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
}

impl Tree {
    fn text(&self) -> String {
        match self {
            Self::Leaf(0) => "subject.f".to_owned(),
            Self::Leaf(1) => "subject.t".to_owned(),
            Self::Leaf(_) => "subject.missing".to_owned(),
            Self::Not(a) => format!("!({})", a.text()),
            Self::And(a, b) => format!("({}) && ({})", a.text(), b.text()),
            Self::Or(a, b) => format!("({}) || ({})", a.text(), b.text()),
        }
    }

    /// Unknown stands between false and true: conjunction is the least, disjunction the greatest.
    fn rank(&self) -> i8 {
        match self {
            Self::Leaf(0) => -1,
            Self::Leaf(1) => 1,
            Self::Leaf(_) => 0,
            Self::Not(a) => 0_i8.saturating_sub(a.rank()),
            Self::And(a, b) => a.rank().min(b.rank()),
            Self::Or(a, b) => a.rank().max(b.rank()),
        }
    }
}

fn trees() -> impl proptest::strategy::Strategy<Value = Tree> {
    use proptest::prelude::*;
    (0_u8..3).prop_map(Tree::Leaf).prop_recursive(6, 48, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| Tree::Not(Box::new(a))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Tree::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Tree::Or(Box::new(a), Box::new(b))),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn boolean_trees_agree_with_the_tables(tree in trees()) {
        let expected = match tree.rank() {
            -1 => Truth::False,
            1 => Truth::True,
            _ => Truth::Indeterminate(Cause::Missing),
        };
        proptest::prop_assert_eq!(truth(&tree.text()), expected);
    }

    #[test]
    fn no_text_panics(text in "[a-z0-9 .,()\\[\\]{}!?:<>=&|+*/%'\"\\\\`ué\u{0}-]{0,60}") {
        let _ = cel::compile_value(&text, &mut declared(), &Limits::DEFAULT);
    }
}

#[test]
fn the_hot_path_builds_nothing() {
    let text = "subject.id in ['alice', 'bob'] && context.ip in [ip('10.1.2.3'), ip('::1')] && resource.amount + 1 <= \
                subject.refund_limit && subject.roles.exists(r, r.startsWith('aud')) && has(resource.owner.name) && \
                resource.owner['name'].contains('b') && now < timestamp('2030-01-01T00:00:00Z') && size(subject.roles) == 2 \
                && cidr('10.0.0.0/8').containsIP(context.ip) && signals.idp.ok && subject.id in [subject.id, 'x']";
    let (hot, building) = text.rsplit_once(" && ").unwrap();
    let built = |text: &str| {
        let program = compile(text);
        with_scope(1_000, Some("2026-03-01T12:00:00Z"), |scope| {
            assert_eq!(program.truth(scope), Truth::True, "{text}");
            scope.arena.allocated_bytes()
        })
    };
    assert_eq!(built(hot), 0);
    assert!(built(building) > 0);
}

/// What a condition's boundaries are, as text: what is cut, paired, compared with `now`, and loose.
fn boundaries(text: &str) -> String {
    let program = try_compile(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    let found = program.boundaries();
    let name = |leaf: &boundaries::Leaf<'_>| {
        let (entity, name) = ATTRIBUTES[usize::from(leaf.slot)];
        let fields: String = leaf.fields.iter().map(|field| format!(".{field}")).collect();
        format!("{}.{name}{fields}", entity.name())
    };
    let mut said: Vec<String> = found.cuts.iter().map(|(leaf, cut)| format!("{} {cut:?}", name(leaf))).collect();
    said.extend(found.pairs.iter().map(|(one, other, by)| format!("{} with {} {by}", name(one), name(other))));
    said.extend(found.members.iter().map(|(leaf, list)| format!("{} in {}", name(leaf), name(list))));
    said.extend(found.with_now.iter().map(|leaf| format!("{} with now", name(leaf))));
    said.extend(found.loose.iter().map(|leaf| format!("{} loose", name(leaf))));
    said.extend(found.reads_age.then(|| "age".to_owned()));
    said.sort();
    said.join("; ")
}

#[test]
fn what_a_condition_compares_with_constants_is_where_it_can_change() {
    for (condition, expected) in [
        ("resource.amount <= 100", "resource.amount Order(Int(100))"),
        ("100 > resource.amount", "resource.amount Order(Int(100))"),
        ("subject.t && !subject.f", "subject.f Is(Bool(true)); subject.t Is(Bool(true))"),
        ("subject.id in ['a', 'b']", "subject.id Is(Str(\"a\")); subject.id Is(Str(\"b\"))"),
        ("subject.id in data.blocked", "subject.id Is(Str(\"eve\")); subject.id Is(Str(\"mallory\"))"),
        ("'agent' in subject.roles", "subject.roles Holds(Str(\"agent\"))"),
        ("subject.id.startsWith('svc-')", "subject.id StartsWith(\"svc-\")"),
        ("resource.owner.name == 'bob'", "resource.owner.name Is(Str(\"bob\"))"),
        ("has(subject.missing)", ""),
        ("resource.owner.name == subject.id", "resource.owner.name with subject.id false"),
        ("resource.amount < subject.refund_limit", "resource.amount with subject.refund_limit true"),
        ("subject.id in subject.roles", "subject.id in subject.roles"),
        ("context.time > now", "context.time with now"),
        ("signals.idp.ok || signals.geo.failed", ""),
        // Both sides are followed where both are truths.
        (
            "(subject.t && subject.f) == (resource.amount > 1)",
            "resource.amount Order(Int(1)); subject.f Is(Bool(true)); subject.t Is(Bool(true))",
        ),
        // And what cannot be followed is loose.
        ("resource.amount * 2 < 100", "resource.amount loose"),
        ("size(subject.roles) > 1", "subject.roles loose"),
        ("subject.roles.exists(r, r == subject.id)", "subject.id loose; subject.roles loose"),
        ("subject.id in [resource.owner.name]", "resource.owner.name loose; subject.id loose"),
        ("subject.id.matches('^a+$')", "subject.id loose"),
        ("signals.idp.age < duration('5s')", "age"),
        ("[subject.id] == ['a']", "subject.id loose"),
    ] {
        assert_eq!(boundaries(condition), expected, "{condition}");
    }
    assert!(boundaries("cidr('10.0.0.0/8').containsIP(context.ip)").starts_with("context.ip Within(Cidr"));
}
