//! Rego, contained (spec 1.10): what a rule's result counts as, and what is refused before it can do harm.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fallgate::condition::rego::{Modules, Outcome, RegoInput, evaluate};
use fallgate::condition::{Cause, SignalView, Status, Truth};
use fallgate::error::{Code, Diagnostic};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::Party;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::value::{Map, Timestamp, Value};
use fallgate::{Config, Engine, Request};

fn load(text: &str) -> Result<Modules, Vec<Diagnostic>> {
    load_with(&[("a/authz.rego", text)], None)
}

fn load_with(texts: &[(&str, &str)], data: Option<&Value>) -> Result<Modules, Vec<Diagnostic>> {
    let sources: BTreeMap<String, String> =
        texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Modules::load(&sources, data, &Limits::DEFAULT)
}

fn map(entries: &[(&str, Value)]) -> Value {
    let entries = entries.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    Value::Map(Map::from_entries(entries).unwrap())
}

fn text(value: &str) -> Value {
    Value::String(value.into())
}

/// The truth of `data.a.allow` for `input.context`.
fn asked(module: &str, context: Value) -> Truth {
    let modules = load(module).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let entry = modules.entry_point("data.a.allow").unwrap();
    modules.ask(&entry, &RegoInput::new([("context", &context)])).truth
}

fn refused(module: &str) -> Diagnostic {
    let mistakes = load(module).expect_err(module);
    assert!(mistakes[0].message.lines().count() == 1, "{mistakes:?}");
    mistakes[0].clone()
}

/// Runs on a thread with this little stack; a report of its panic is a failure of the test.
fn on_small_stack(kib: usize, work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(kib << 10).spawn_scoped(scope, work).unwrap();
        thread.join().unwrap();
    });
}

const UNKNOWN: Truth = Truth::Indeterminate(Cause::Rego);

#[test]
fn only_exactly_true_and_false_decide() {
    let boolean = "package a\ndefault allow := false\nallow if input.context.level >= 3\n";
    assert_eq!(asked(boolean, map(&[("level", Value::Int(3))])), Truth::True);
    assert_eq!(asked(boolean, map(&[("level", Value::Int(2))])), Truth::False);
    assert_eq!(asked("package a\nallow if input.context.missing", map(&[])), UNKNOWN);
    let passed_on = "package a\nallow := input.context.answer";
    assert_eq!(asked(passed_on, map(&[("answer", Value::Bool(true))])), Truth::True);
    for other in [text("true"), text("false"), Value::Int(1), Value::Null, Value::List(vec![]), map(&[])] {
        assert_eq!(asked(passed_on, map(&[("answer", other.clone())])), UNKNOWN, "{other:?}");
    }
}

#[test]
fn an_error_is_never_the_truth_of_its_negation() {
    let negated = "package a\nallow if not to_number(input.context.x) > 5";
    assert_eq!(asked(negated, map(&[("x", text("7"))])), UNKNOWN);
    assert_eq!(asked(negated, map(&[("x", text("3"))])), Truth::True);
    assert_eq!(asked(negated, map(&[("x", text("three"))])), UNKNOWN);
    assert_eq!(
        asked("package a\nbad if to_number(input.context.x) > 5\nallow if not bad", map(&[("x", text("x"))])),
        UNKNOWN
    );
    assert_eq!(asked("package a\nallow if not regex.match(input.context.x, \"a\")", map(&[("x", text("("))])), UNKNOWN);
    assert_eq!(asked("package a\nallow if not 1 / input.context.x == 1", map(&[("x", Value::Int(0))])), UNKNOWN);
}

#[test]
fn rules_that_contradict_one_another_decide_nothing() {
    let module = "package a\nallow := true if input.context.x\nallow := false if input.context.y";
    let yes = Value::Bool(true);
    assert_eq!(asked(module, map(&[("x", yes.clone()), ("y", yes.clone())])), UNKNOWN);
    assert_eq!(asked(module, map(&[("x", yes)])), Truth::True);
}

#[test]
fn the_detail_names_the_rule_and_no_value_of_the_input() {
    let modules = load("package a\nallow if to_number(input.context.x) > 5").unwrap();
    let entry = modules.entry_point("data.a.allow").unwrap();
    let context = map(&[("x", text("hunter2"))]);
    let Outcome { truth, detail, .. } = modules.ask(&entry, &RegoInput::new([("context", &context)]));
    assert_eq!(truth, UNKNOWN);
    let detail = detail.unwrap();
    assert!(detail.starts_with("`data.a.allow` failed at a/authz.rego:2:"), "{detail}");
    assert!(!detail.contains("hunter2"), "{detail}");
}

#[test]
fn one_evaluation_leaves_nothing_to_the_next() {
    let modules = load("package a\nallow if input.context.ok == true").unwrap();
    let entry = modules.entry_point("data.a.allow").unwrap();
    let good = map(&[("ok", Value::Bool(true))]);
    assert_eq!(modules.ask(&entry, &RegoInput::new([("context", &good)])).truth, Truth::True);
    assert_eq!(modules.ask(&entry, &RegoInput::new([])).truth, UNKNOWN);
    assert_eq!(modules.ask(&entry, &RegoInput::document(&Value::Int(5))).truth, UNKNOWN);
    assert_eq!(modules.ask(&entry, &RegoInput::new([("context", &good)])).truth, Truth::True);
}

#[test]
fn numbers_cross_exactly() {
    let module = "package a\nallow := input.context.n == 18446744073709551615";
    assert_eq!(asked(module, map(&[("n", Value::UInt(u64::MAX))])), Truth::True);
    assert_eq!(asked(module, map(&[("n", Value::UInt(u64::MAX - 1))])), Truth::False);
    let module = "package a\nallow := input.context.n == -9223372036854775808";
    assert_eq!(asked(module, map(&[("n", Value::Int(i64::MIN))])), Truth::True);
    assert_eq!(asked(module, map(&[("n", Value::Int(i64::MIN + 1))])), Truth::False);
    assert_eq!(asked("package a\nallow := input.context.n == 0.1", map(&[("n", Value::Double(0.1))])), Truth::True);
}

#[test]
fn signals_and_the_time_are_read_and_declared() {
    let modules =
        load("package a\nallow if {\n  input.signals.idp.ok\n  input.now == \"1970-01-01T00:00:01Z\"\n}").unwrap();
    let entry = modules.entry_point("data.a.allow").unwrap();
    assert!(entry.reads().reads_now && entry.reads().reads_signals);
    let view = |status| SignalView { status, observed_at: None };
    let now = Timestamp::from_second(1).unwrap();
    let input = |status| RegoInput::new([]).with_signals([("idp", view(status))]).with_now(now);
    assert_eq!(modules.ask(&entry, &input(Status::Ok)).truth, Truth::True);
    assert_eq!(modules.ask(&entry, &input(Status::Degraded)).truth, UNKNOWN);
    assert_eq!(modules.ask(&entry, &RegoInput::new([]).with_signals([("idp", view(Status::Ok))])).truth, UNKNOWN);
    let plain = load("package a\nallow if input.subject.id == \"u\"").unwrap();
    let reads = plain.entry_point("data.a.allow").unwrap().reads();
    assert!(!reads.reads_now && !reads.reads_signals);
}

#[test]
fn an_entry_point_is_a_rule_that_can_be_boolean() {
    let modules =
        load("package a\nallow if input.x\nname := \"x\"\ndeny contains \"m\" if input.x\nf(x) := x\n").unwrap();
    let mistake = modules.entry_point("data.a.alow").unwrap_err();
    assert_eq!(mistake.code, Code::RegoEntryPoint);
    assert_eq!(mistake.help.as_deref(), Some("did you mean `data.a.allow`?"));
    for path in
        ["data", "data.a", "a.allow", "data.a.name", "data.a.deny", "data.a.f", "", "data.a.allow.x", "data.b.allow"]
    {
        assert_eq!(modules.entry_point(path).unwrap_err().code, Code::RegoEntryPoint, "{path}");
    }
}

#[test]
fn a_mistake_in_the_text_is_one_line_with_its_place() {
    let text = "package a\nallow if {\n  input.x ==\n}\n";
    let mistake = refused(text);
    assert_eq!(mistake.code, Code::RegoSyntax);
    assert_eq!(mistake.pointer, "/rego/a~1authz.rego");
    assert_eq!(mistake.span.map(|span| &text[span]), Some("}"));
    assert!(!mistake.message.contains('|') && !mistake.message.contains("-->"), "{}", mistake.message);
}

#[test]
fn older_syntax_is_read_too() {
    assert_eq!(asked("package a\nallow { input.context.x == 1 }", map(&[("x", Value::Int(1))])), Truth::True);
}

#[test]
#[allow(clippy::disallowed_methods)] // The test is of the time that it takes.
fn deep_literals_are_refused_before_they_are_parsed() {
    for (open, close) in [("[", "]"), ("{", "}"), ("(", ")"), ("{\"a\": ", "}"), ("f(", ")")] {
        for depth in [9, 30, 10_000] {
            // A line break every few levels, since a line has its own limit.
            let nested = |part: &str| {
                (0..depth).map(|n| format!("{part}{}", if n % 50 == 0 { "\n" } else { "" })).collect::<String>()
            };
            let module = format!("package a\nallow := {}1{}", nested(open), nested(close));
            let start = Instant::now();
            let mistake = refused(&module);
            assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
            assert_eq!(mistake.code, Code::LimitExceeded);
        }
    }
}

#[test]
fn recursion_is_refused() {
    for module in [
        "package a\nf(x) := f(x)\nallow := f(1)",
        "package a\nf(x) := g(x)\ng(x) := f(x)\nallow := f(1)",
        "package a\nf(x) := data.a.f(x)\nallow := f(1)",
        "package a\nallow if data.a[\"allow\"]",
        "package a\nallow if data.a[input.x]",
        "package a\nallow if data[input.x].allow",
        "package a\nimport data.a as me\nallow if me.allow",
    ] {
        let mistake = refused(module);
        assert_eq!(mistake.code, Code::RegoRefused, "{module}");
        assert!(mistake.message.contains("rests on itself"), "{}", mistake.message);
    }
    assert!(load("package a\nuser := input.subject\nf(user) := user.x\nallow if f(user)").is_ok());
}

#[test]
fn long_chains_of_rules_are_refused_in_bounded_time_and_stack() {
    let chain = |length: usize| {
        let rules: String = (1..length).map(|n| format!("r{n} := r{}\n", n - 1)).collect();
        format!("package a\nr0 := input.context.x\n{rules}allow := r{}", length - 1)
    };
    assert_eq!(asked(&chain(31), map(&[("x", Value::Bool(true))])), Truth::True);
    on_small_stack(256, || {
        assert_eq!(asked(&chain(31), map(&[("x", Value::Bool(true))])), Truth::True);
        for length in [32, 600, 10_000] {
            assert_eq!(refused(&chain(length)).code, Code::LimitExceeded);
        }
        let rules: Vec<String> = (0..10)
            .map(|part| {
                let rules = (0..10_000).map(|n| part * 10_000 + n).map(|n| format!("r{} := r{n}\n", n + 1));
                format!("package a\n{}", rules.collect::<String>())
            })
            .collect();
        let names: Vec<String> = (0..10).map(|part| format!("{part}.rego")).collect();
        let mut texts: Vec<(&str, &str)> = names.iter().zip(&rules).map(|(name, text)| (&**name, &**text)).collect();
        texts.push(("root.rego", "package a\nr0 := 1"));
        assert_eq!(load_with(&texts, None).unwrap_err()[0].code, Code::LimitExceeded);
    });
}

#[test]
fn the_deepest_admitted_policy_runs_on_a_small_stack() {
    // 31 rules, each with seven comprehensions in one another, each reading the rule below.
    let nested = |inner: String| (1..=7).fold(inner, |inner, n| format!("[y{n} | some y{n} in {inner}]"));
    let rules: String = (1..31).map(|n| format!("r{n} := {}\n", nested(format!("r{}", n - 1)))).collect();
    let module = format!("package a\nr0 := [true]\n{rules}allow := r30[0]");
    on_small_stack(256, || assert_eq!(asked(&module, map(&[])), Truth::True));
}

#[test]
fn the_deepest_admitted_expression_is_loaded_asked_and_dropped_on_a_small_stack() {
    let chained = (0..7).fold("1".to_owned(), |inner, _| format!("({inner}{})", " +\n0".repeat(60)));
    let module = format!("package a\nallow := {chained} == 1");
    let elses: String = (0..2_000).map(|n| format!(" else := false if input.context.x == {n}\n")).collect();
    let long = format!("package a\nallow if input.context.x == \"\"{elses}");
    on_small_stack(128, || {
        for module in [&module, &long] {
            if let Ok(modules) = load(module) {
                let entry = modules.entry_point("data.a.allow").unwrap();
                let context = map(&[("x", Value::Int(1_999))]);
                let expected = if module == &long { Truth::False } else { Truth::True };
                assert_eq!(modules.ask(&entry, &RegoInput::new([("context", &context)])).truth, expected);
            }
        }
    });
}

#[test]
fn built_ins_are_admitted_by_name() {
    for (call, name) in [
        ("http.send({\"url\": \"x\"})", "http.send"),
        ("rand.intn(\"x\", 3)", "rand.intn"),
        ("uuid.rfc4122(\"x\")", "uuid.rfc4122"),
        ("opa.runtime()", "opa.runtime"),
        ("net.lookup_ip_addr(\"x\")", "net.lookup_ip_addr"),
        ("io.jwt.decode(\"x\")", "io.jwt.decode"),
        ("trace(\"x\")", "trace"),
        ("print(\"x\")", "print"),
        ("walk(data)", "walk"),
        ("numbers.range_step(1, 1000000000, 1)", "numbers.range_step"),
        ("regex.replace(input.x, \"a\", \"b\")", "regex.replace"),
        ("sprintf(input.f, [])", "sprintf"),
    ] {
        for module in [format!("package a\nallow if not {call}"), format!("package a\nf(x) := {call}\nallow := true")] {
            let mistake = refused(&module);
            assert_eq!(mistake.code, Code::RegoRefused);
            assert!(mistake.message.contains(&format!("`{name}`")), "{}", mistake.message);
            assert!(mistake.help.is_some() && mistake.span.is_some());
        }
    }
    let unknown = refused("package a\nallow if startwith(input.x, \"a\")");
    assert_eq!(unknown.help.as_deref(), Some("did you mean `startswith`?"));
    // A rule of the same name as a built-in's family does not make the built-in one's own.
    assert_eq!(refused("package a\nhttp := 1\nallow if not http.send({})").code, Code::RegoRefused);
    assert_eq!(refused("package a\nimport data.b as http\nallow if not http.send({})").code, Code::RegoRefused);
    assert!(load("package a\nallow if sprintf(\"%s\", [input.x]) == \"x\"").is_ok());
    assert!(load("package a\nallow if sprintf(\"%9999999d\", [1]) == \"x\"").is_err());
}

#[test]
fn the_built_in_clock_is_the_time_of_the_decision() {
    let modules = load("package a\nallow := time.now_ns() == 1000000001").unwrap();
    let entry = modules.entry_point("data.a.allow").unwrap();
    assert!(entry.reads().reads_now && !entry.reads().reads_signals);
    let at = |nanos| RegoInput::new([]).with_now(Timestamp::from_nanosecond(nanos).unwrap());
    assert_eq!(modules.ask(&entry, &at(1_000_000_001)).truth, Truth::True);
    assert_eq!(modules.ask(&entry, &at(1_000_000_002)).truth, Truth::False);
    assert_eq!(modules.ask(&entry, &RegoInput::new([])).truth, UNKNOWN);
    assert!(load("package a\nallow := time[\"now\\u005fns\"]() == 1").is_err());
}

#[test]
#[allow(clippy::disallowed_methods)] // The test is of the time that it takes.
fn what_would_grow_without_bound_is_an_error() {
    let context = map(&[("x", text(&"ab".repeat(2_000)))]);
    for call in [
        "numbers.range(1, 1000000000)",
        "replace(input.context.x, \"\", input.context.x)",
        "concat(input.context.x, split(input.context.x, \"\"))",
        "regex.match(\"((((a{1,100}){1,100}){1,100}){1,100}){1,100}\", input.context.x)",
        "glob.match(input.context.x, [\"..\"], \"a\")",
        "to_number(\" 5\")",
    ] {
        let module = format!("package a\nallow if not {call}\nallow if {call}");
        let start = Instant::now();
        assert_eq!(asked(&module, context.clone()), UNKNOWN, "{call}");
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
    let module = "package a\nallow := strings.count(input.context.x, \"\") == 4001";
    assert_eq!(asked(module, context), Truth::True);
}

/// Each ends in a refusal or an indeterminate truth, which denies.
#[test]
#[allow(clippy::disallowed_methods)] // The test is of the time that it takes.
fn what_brings_evaluators_down_ends_in_bounded_time_and_stack() {
    let big = text(&"a".repeat(1_000));
    let big = map(&[("x", Value::List(vec![big; 10_000])), ("text", text(&"a".repeat(10_000_000)))]);
    let nested = format!("[{}\n", "[".repeat(49)).repeat(200);
    let chain: String = (1..12_000).map(|n| format!("r{n} := r{}\n", n - 1)).collect();
    let denied = |module: &str, context: &Value| {
        let Ok(modules) = load(module) else { return };
        let entry = modules.entry_point("data.a.allow").unwrap();
        let truth = modules.ask(&entry, &RegoInput::new([("context", context)])).truth;
        assert!(matches!(truth, Truth::Indeterminate(_)), "{module}: {truth:?}");
    };
    on_small_stack(128, || {
        let start = Instant::now();
        denied(&format!("package a\nallow := {nested}"), &big);
        denied(&format!("package a\nr0 := 1\n{chain}allow if r11999"), &big);
        let module = "package a\nn := numbers.range(1, 31700)\nallow if not bad\nbad if count([1 | some x in n; some y in n; x == y]) == 1";
        denied(module, &big);
        denied("package a\nallow if not regex.match(\"(((a{1,1000}){1,1000}){1,1000})*$\", input.context.text)", &big);
        denied("package a\nallow if not to_number(input.context.text) > 5", &big);
        denied("package a\nallow if not http.send({})", &big);
        denied("package a\nallow if not replace(input.context.text, \"\", input.context.text)", &big);
        denied("package a\nallow if not count(input.context.text) / 0 == 1", &big);
        let counted = load("package a\nallow if strings.count(input.context.text, \"\") == 10000001").unwrap();
        let entry = counted.entry_point("data.a.allow").unwrap();
        assert_eq!(counted.ask(&entry, &RegoInput::new([("context", &big)])).truth, Truth::True);
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    });
}

#[test]
fn a_deny_set_is_true_with_members_and_says_them() {
    let modules = [
        "package a\ndeny contains msg if {\n  input.amount > 10\n  msg := sprintf(\"%d is too much\", [input.amount])\n}\n\
         deny contains \"blocked\" if input.blocked",
        "package a\ndeny[msg] {\n  input.amount > 10\n  msg := sprintf(\"%d is too much\", [input.amount])\n}\n\
         deny[\"blocked\"] { input.blocked }",
    ];
    for module in modules {
        let modules = load(module).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        assert_eq!(modules.entry_point("data.a.deny").unwrap_err().code, Code::RegoEntryPoint);
        let entry = modules.deny_entry_point("data.a.deny").unwrap();
        let ask = |amount, blocked| {
            let input = map(&[("amount", Value::Int(amount)), ("blocked", Value::Bool(blocked))]);
            modules.ask(&entry, &RegoInput::document(&input))
        };
        let said = |messages: &[&str]| Some(messages.iter().map(|message| Box::from(*message)).collect());
        assert_eq!(ask(5, false), Outcome::plain(Truth::False));
        assert_eq!(ask(11, false), Outcome { messages: said(&["11 is too much"]), ..Outcome::plain(Truth::True) });
        let both = said(&["11 is too much", "blocked"]);
        assert_eq!(ask(11, true), Outcome { messages: both, ..Outcome::plain(Truth::True) });
    }
    // An error in one member is not the absence of that member.
    let failing = load("package a\ndeny contains \"x\" if to_number(input.x) > 5").unwrap();
    let entry = failing.deny_entry_point("data.a.deny").unwrap();
    let input = map(&[("x", text("y"))]);
    assert_eq!(failing.ask(&entry, &RegoInput::document(&input)).truth, UNKNOWN);
    // What allows is never a set, whatever is asked for as a denial is a boolean or a set.
    let modules = load("package a\nallow contains \"x\"\nname := \"x\"\ndeny if input.x").unwrap();
    assert!(modules.entry_point("data.a.allow").is_err());
    assert!(modules.deny_entry_point("data.a.name").is_err());
    assert!(modules.deny_entry_point("data.a.deny").is_ok());
}

#[test]
fn the_paths_that_an_entry_point_reads_are_known() {
    let modules = load(
        "package a\nimport input.resource as target\ndefault allow := false\n\
         allow if {\n  input.subject.role == \"admin\"\n  not suspended\n  target.owner\n  f(input.context.x)\n}\n\
         suspended if input.subject.properties.flags[_] == \"s\"\n\
         f(input_) if input.action[\"name\"] == input_\n\
         other if input.unrelated",
    )
    .unwrap();
    let entry = modules.entry_point("data.a.allow").unwrap();
    let paths: Vec<String> = entry.input_paths().iter().map(|path| path.join(".")).collect();
    assert_eq!(paths, ["action.name", "context.x", "resource.owner", "subject.properties.flags", "subject.role"]);
    let other = modules.entry_point("data.a.other").unwrap();
    assert_eq!(other.input_paths(), [vec!["unrelated".to_owned()]]);
}

#[test]
fn a_request_that_lacks_what_is_read_is_not_evaluated() {
    let modules = load("package a\ndefault allow := false\nallow if not input.context.suspended\n").unwrap();
    let entry = modules.entry_point("data.a.allow").unwrap();
    let empty = map(&[]);
    let input = RegoInput::new([("context", &empty)]);
    // Without a contract this is the hole of Rego: knowing less grants more.
    assert_eq!(modules.ask(&entry, &input).truth, Truth::True);
    let strict = entry.clone().requiring(|_| false);
    assert_eq!(
        modules.ask(&strict, &input),
        Outcome {
            truth: Truth::Indeterminate(Cause::Missing),
            detail: Some("`data.a.allow` reads `input.context.suspended`, which is not there".into()),
            messages: None,
        }
    );
    assert_eq!(modules.ask(&strict, &RegoInput::none()).truth, Truth::Indeterminate(Cause::Missing));
    for (suspended, truth) in [(true, Truth::False), (false, Truth::True)] {
        let context = map(&[("suspended", Value::Bool(suspended))]);
        assert_eq!(modules.ask(&strict, &RegoInput::new([("context", &context)])).truth, truth);
    }
    let optional = entry.requiring(|path| *path == ["context", "suspended"]);
    assert_eq!(modules.ask(&optional, &input).truth, Truth::True);
}

/// A default is what a rule says where its bodies do not hold, and not where nobody knows whether they do.
#[test]
fn a_default_of_true_stands_only_where_all_that_is_read_is_there() {
    let text = "package a\ndefault allow := true\nallow := false if input.context.risk > 5\n";
    let modules = load(text).unwrap();
    let strict = modules.entry_point("data.a.allow").unwrap().requiring(|_| false);
    let asked = |context: &Value| modules.ask(&strict, &RegoInput::new([("context", context)])).truth;
    assert_eq!(asked(&map(&[])), Truth::Indeterminate(Cause::Missing));
    assert_eq!(asked(&map(&[("risk", Value::Int(9))])), Truth::False);
    assert_eq!(asked(&map(&[("risk", Value::Int(1))])), Truth::True);
    // An error in a body is not a body that does not hold.
    let text = "package a\ndefault allow := true\nallow := false if 10 / input.context.risk > 5\n";
    let modules = load(text).unwrap();
    let entry = modules.entry_point("data.a.allow").unwrap();
    let zero = map(&[("risk", Value::Int(0))]);
    assert!(matches!(modules.ask(&entry, &RegoInput::new([("context", &zero)])).truth, Truth::Indeterminate(_)));
}

/// What OPA answers, from its documentation and Go's, where the evaluator's own built-ins answer something else.
#[test]
fn built_ins_of_our_own_answer_as_opa_does() {
    for (call, wanted) in [
        ("count(\"\u{1f600}\")", "1"),
        ("lower(\"\u{3a3}A\u{3a3}\")", "\"\u{3c3}a\u{3c3}\""),
        ("regex.match(`^\\d$`, \"\u{663}\")", "false"),
        ("glob.match(\"a**\", [\"/\"], \"a/b/c\")", "true"),
        ("json.marshal({\"b\": \"<a>\", \"a\": [1, null]})", "`{\"a\":[1,null],\"b\":\"\\u003ca\\u003e\"}`"),
        ("json.remove({\"a\": {\"b\": 1, \"c\": 2}}, [\"/a/b\"])", "{\"a\": {\"c\": 2}}"),
        ("json.remove({\"a\": 1}, [\"a/b\"])", "{\"a\": 1}"),
        ("json.filter({\"a/b\": 1, \"c\": 2}, [\"a~1b\"])", "{\"a/b\": 1}"),
        (
            "sprintf(\"%s is %d of %v, 100%%\", [\"a\", 3, [1, \"x\", {\"k\": null}]])",
            "\"a is 3 of [1, \\\"x\\\", {\\\"k\\\": null}], 100%\"",
        ),
        (
            "json.is_valid(concat(\"\", array.concat([\"[\" | numbers.range(1, 200)[_]], [\"]\" | numbers.range(1, 200)[_]])))",
            "true",
        ),
        ("json.is_valid(\"[\")", "false"),
        ("concat(\", \", {\"b\", \"a\"})", "\"a, b\""),
        ("array.concat([1], [2, 3])", "[1, 2, 3]"),
        ("replace(\"ab\", \"\", \"-\")", "\"-a-b-\""),
        ("substring(\"\u{1f600}bc\", 1, -1)", "\"bc\""),
        ("base64.is_valid(\"YR==\")", "true"),
        ("base64.decode(\"aGk=\")", "\"hi\""),
        ("base64url.decode(\"aGk_\")", "\"hi?\""),
        ("hex.decode(\"6869\")", "\"hi\""),
        ("numbers.range(3, 1)", "[3, 2, 1]"),
        ("time.parse_rfc3339_ns(\"1970-01-01T01:00:00.5+01:00\")", "500000000"),
        ("time.weekday(0)", "\"Thursday\""),
        ("time.date(86400000000000)", "[1970, 1, 2]"),
        ("time.clock(3661000000000)", "[1, 1, 1]"),
        ("net.cidr_contains(\"10.0.0.0/8\", \"10.255.0.1\")", "true"),
        ("net.cidr_contains(\"10.0.0.0/8\", \"10.0.0.0/7\")", "false"),
        ("net.cidr_contains(\"0.0.0.0/0\", \"192.0.2.1\")", "true"),
        ("net.cidr_contains(\"2001:db8::/32\", \"2001:db8::1\")", "true"),
    ] {
        assert_eq!(asked(&format!("package a\nallow := {call} == {wanted}"), map(&[])), Truth::True, "{call}");
    }
    for call in [
        "indexof(\"a\", \"\")",
        "upper(\"\u{df}\")",
        "regex.match(\"[a--b]\", \"a\")",
        "time.parse_rfc3339_ns(\"1970-01-01t00:00:00z\")",
        "net.cidr_contains(\"10.0.0.0/8\", \"::ffff:10.0.0.1\")",
        "base64.decode(\"/w==\")",
        "hex.decode(\"ff\")",
        "array.slice([1, 2], 0.5, 2)",
        "substring(\"abc\", 0.5, 1)",
        "to_number(\"5 \")",
        "json.marshal(0.5)",
        "sprintf(\"%d\", [\"a\"])",
        "sprintf(\"%s\", [])",
    ] {
        assert_eq!(asked(&format!("package a\nallow if not {call} == 1"), map(&[])), UNKNOWN, "{call}");
    }
}

#[test]
fn the_allowed_built_ins_exist() {
    for call in [
        "abs(1) == 1",
        "count([1]) == 1",
        "glob.match(\"a*\", [], \"ab\")",
        "semver.is_valid(\"1.0.0\")",
        "hex.encode(\"a\") == \"61\"",
        "base64.encode(\"a\") == \"YQ==\"",
        "regex.match(\"^a+$\", \"aa\")",
        "object.get({\"a\": 1}, \"b\", 2) == 2",
        "startswith(\"ab\", \"a\")",
    ] {
        assert_eq!(asked(&format!("package a\nallow if {call}"), map(&[])), Truth::True, "{call}");
    }
}

#[test]
fn what_would_replace_a_fact_is_refused() {
    for with in ["input as {}", "data.b.x as 1", "count as 5", "input.x as 1"] {
        assert_eq!(
            refused(&format!("package a\nx := 1\nallow if x == 1 with {with}")).code,
            Code::RegoRefused,
            "{with}"
        );
    }
    let data = map(&[("a", map(&[("allow", Value::Bool(true))]))]);
    let overlapping = load_with(&[("a.rego", "package a\ndefault allow := false")], Some(&data)).unwrap_err();
    assert_eq!(overlapping[0].code, Code::RegoRefused);
}

#[test]
fn a_misspelt_rule_or_entry_of_the_data_is_refused() {
    let mistake = refused("package a\ndeny if input.x\nallow if not data.a.denny");
    assert_eq!(mistake.help.as_deref(), Some("did you mean `data.a.deny`?"));
    assert!(load("package a\ndeny if input.x\nallow if not denny").is_err());
    let beside = map(&[("a", map(&[("c", Value::Int(1))]))]);
    let module = |name: &str| format!("package a.b\ndeny if input.x\nallow if not data.a.{name}");
    assert!(load_with(&[("a.rego", &module("b.denny"))], Some(&beside)).is_err());
    assert!(load_with(&[("a.rego", &module("b.deny"))], Some(&beside)).is_ok());
    assert!(load_with(&[("a.rego", &module("c"))], Some(&beside)).is_ok());
    let data = map(&[("roles", map(&[("admin", Value::Bool(true))]))]);
    let module = "package a\nallow if data.roles[input.context.role]";
    assert!(load(module).is_err());
    let modules = load_with(&[("a.rego", module)], Some(&data)).unwrap();
    let entry = modules.entry_point("data.a.allow").unwrap();
    let context = map(&[("role", text("admin"))]);
    assert_eq!(modules.ask(&entry, &RegoInput::new([("context", &context)])).truth, Truth::True);
}

#[test]
fn the_budget_is_a_count_and_meets_the_same_step_each_time() {
    let module = "package a\nn := [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\nallow if not bomb\n\
        bomb if count([1 | n[_]; n[_]; n[_]; n[_]; n[_]; n[_]; n[_]; n[_]; n[_]]) == 0";
    assert_eq!(asked(module, map(&[])), Truth::Indeterminate(Cause::Limit));
    let hundred = "package a\nn := [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\nallow if count([1 | n[_]; n[_]]) == 100";
    let truth_within = |steps| {
        let mut limits = Limits::DEFAULT;
        limits.rego_steps_max = steps;
        evaluate("a.rego", hundred, "data.a.allow", &Value::Null, None, &limits).unwrap().truth
    };
    let enough = (1..200).map(|n| n * 32).find(|steps| truth_within(*steps) == Truth::True).unwrap();
    for _ in 0..20 {
        assert_eq!(truth_within(enough), Truth::True);
        assert_eq!(truth_within(enough - 32), Truth::Indeterminate(Cause::Limit));
    }
}

#[test]
fn a_lone_module_decides_on_any_document() {
    let module = "package app.authz\ndefault allow := false\nallow if input.user == \"alice\"";
    let ask = |input: &Value| {
        evaluate("authz.rego", module, "data.app.authz.allow", input, None, &Limits::DEFAULT).unwrap().truth
    };
    assert_eq!(ask(&map(&[("user", text("alice"))])), Truth::True);
    assert_eq!(ask(&map(&[("user", text("bob"))])), Truth::False);
    assert!(evaluate("authz.rego", module, "data.app.authz.alow", &Value::Null, None, &Limits::DEFAULT).is_err());
}

/// What a deny set says goes with the decision, with one that is used again, and with one of `minimal` too; never with the
/// decision of another rule.
#[test]
fn what_a_deny_set_says_is_in_the_decision() {
    let document = serde_json::json!({
        "fallgate": 1, "name": "said", "revision": 1, "signals": { "idp": { "ttl": "10s" } },
        "schema": { "context": { "amount": "int", "frozen": "bool" } },
        "actions": {
            "pay": { "cache": { "deny": "5s" } },
            "void": { "requires": ["idp"], "on_failure": "minimal" },
        },
        "rego": { "a.rego": "package a\ndeny contains msg if {\n  input.context.amount > 10\n  msg := sprintf(\"%d is too much\", [input.context.amount])\n}" },
        "rules": [
            { "id": "all", "effect": "allow", "minimal": true },
            { "id": "b-limit", "effect": "deny", "when": { "rego": "data.a.deny" } },
            { "id": "a-frozen", "effect": "deny", "when": "context.frozen" },
        ],
    });
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let engine = Engine::new(Config::default());
    let now = Now::new(Monotonic::ZERO, Wall::from_millis(0));
    engine.activate(bundle, now).unwrap();
    let decide = |action: &str, amount: i64, frozen: bool| {
        let request = Request::new(Party::new("user", "ann"), action, Party::new("payment", "p"))
            .with_context("amount", Value::Int(amount))
            .with_context("frozen", Value::Bool(frozen));
        let decision = engine.decide(&request, now);
        let said: Vec<String> = decision.messages().iter().map(ToString::to_string).collect();
        (decision.rule().map(str::to_owned), decision.cached(), said)
    };
    let said = vec!["11 is too much".to_owned()];
    assert_eq!(decide("pay", 11, false), (Some("b-limit".into()), false, said.clone()));
    assert_eq!(decide("pay", 11, false), (Some("b-limit".into()), true, said.clone()));
    assert_eq!(decide("void", 11, false), (Some("b-limit".into()), false, said));
    assert_eq!(decide("pay", 10, false), (Some("all".into()), false, vec![]));
    assert_eq!(decide("pay", 11, true), (Some("a-frozen".into()), false, vec![]));
}
