//! One evaluation of a Rego rule: the input it sees, the budget it has, and what its result counts as (spec 1.10).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use regorus::Engine;
use regorus::utils::limits::{ExecutionTimerConfig, TimeSource, set_time_source};

use super::{EntryPoint, InputPath, Outcome};
use crate::condition::{Cause, SignalView, Status, Truth};
use crate::error::quoted;
use crate::request::{Attributes, PartyView, RequestView};
use crate::value::{Timestamp, Value, View};

/// Stack that an evaluation, and a load, may need: 32 rules deep, eight comprehensions in each, with room to spare.
const STACK_BYTES: usize = 4 << 20;
/// Below this much left, a stack of [`STACK_BYTES`] is put in its place for the time of the call.
const STACK_LEFT_MIN: usize = 2 << 20;
/// Members of a deny set that are said.
const MESSAGES_MAX: usize = 16;
/// Characters of each.
const MESSAGE_CHARS_MAX: usize = 256;
/// Steps between two looks at the budget.
const STEPS_PER_TICK: NonZeroU32 = NonZeroU32::new(32).unwrap();

/// Runs `work` with enough stack, on whatever thread.
pub(super) fn with_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK_LEFT_MIN, STACK_BYTES, work)
}

thread_local! {
    /// How often the evaluation on this thread has looked at its budget.
    static TICKS: Cell<u64> = const { Cell::new(0) };
    /// What `time.now_ns` gives to the evaluation on this thread; set at the start of each.
    static NOW: Cell<Option<Timestamp>> = const { Cell::new(None) };
}

/// The evaluator's notion of time, which is a count: one nanosecond for each look, so that the same evaluation meets
/// its limit at the same step on every machine.
#[derive(Debug)]
struct TickCounter;

impl TimeSource for TickCounter {
    fn now(&self) -> Option<Duration> {
        TICKS.with(|ticks| {
            let now = ticks.get().saturating_add(1);
            ticks.set(now);
            Some(Duration::from_nanos(now))
        })
    }
}

/// Makes the budget countable; once for the process, which is all that the evaluator takes.
///
/// Whether it is: not where other code of the process has put a clock in its place, and then no module is loaded.
pub(super) fn budget_is_counted() -> bool {
    static IS_COUNTED: OnceLock<bool> = OnceLock::new();
    *IS_COUNTED.get_or_init(|| set_time_source(&TickCounter).is_ok())
}

/// Gives an engine its budget.
pub(super) fn set_budget(engine: &mut Engine, steps_max: u64) {
    let limit = Duration::from_nanos(ticks_max(steps_max));
    engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval: STEPS_PER_TICK });
}

/// Makes `time.now_ns` the time of the decision, and an error where the wall clock is not to be trusted.
///
/// The evaluator hands an extension nothing of the evaluation that calls it, so the time waits on the thread.
pub(super) fn add_clock(engine: &mut Engine) -> bool {
    let now_ns = |_: Vec<regorus::Value>| {
        let nanos = NOW.with(Cell::get).and_then(|now| i64::try_from(now.as_nanosecond()).ok());
        // A number that is not there: the evaluator's own error, since an undefined value would pass a negation.
        nanos.map_or(regorus::Value::Undefined, regorus::Value::from).as_i64().map(regorus::Value::from)
    };
    engine.add_extension("time.now_ns".into(), 0, Box::new(now_ns)).is_ok()
}

fn ticks_max(steps_max: u64) -> u64 {
    steps_max.checked_div(u64::from(STEPS_PER_TICK.get())).unwrap_or(0)
}

/// What a Rego module sees as `input`: the request, the signals and the time, and no more.
#[derive(Clone, Debug)]
pub struct RegoInput {
    root: regorus::Value,
    now: Option<Timestamp>,
}

impl RegoInput {
    /// The input of these entries: `subject`, `action`, `resource`, `context`, and what else a caller has made.
    #[must_use]
    pub fn new<'a>(entries: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Self {
        let entries: BTreeMap<_, _> =
            entries.into_iter().map(|(name, value)| (regorus::Value::from(name), to_rego(value))).collect();
        Self { root: regorus::Value::from(entries), now: None }
    }

    /// The input of a request: `subject`, `action`, `resource` and `context`, each as AuthZEN has it.
    #[must_use]
    pub fn request(request: &RequestView<'_>) -> Self {
        let object = |members: &[(&str, regorus::Value)]| {
            let members = members.iter().map(|(name, value)| (regorus::Value::from(*name), value.clone()));
            regorus::Value::from(members.collect::<BTreeMap<_, _>>())
        };
        let properties = |attributes: Attributes<'_>| ("properties", view_to_rego(attributes.view()));
        let party = |party: PartyView<'_>| {
            object(&[("type", party.party_type.into()), ("id", party.id.into()), properties(party.properties)])
        };
        let root = object(&[
            ("subject", party(request.subject)),
            ("action", object(&[("name", request.action.name.into()), properties(request.action.properties)])),
            ("resource", party(request.resource)),
            ("context", view_to_rego(request.context.view())),
        ]);
        Self { root, now: None }
    }

    /// The input that is this document as it stands, for a policy that is asked without a pack.
    #[must_use]
    pub fn document(value: &Value) -> Self {
        Self { root: to_rego(value), now: None }
    }

    /// No input at all, so that `input` itself is undefined, for a policy that is asked without one.
    #[must_use]
    pub const fn none() -> Self {
        Self { root: regorus::Value::Undefined, now: None }
    }

    /// The same, with `input.signals.<name>.status` as text and `.ok` as a boolean for each signal.
    #[must_use]
    pub fn with_signals<'a>(self, signals: impl IntoIterator<Item = (&'a str, SignalView)>) -> Self {
        let signals = signals.into_iter().map(|(name, signal)| {
            let fields = [
                (regorus::Value::from("ok"), regorus::Value::from(signal.status == Status::Ok)),
                (regorus::Value::from("status"), regorus::Value::from(signal.status.name())),
            ];
            (regorus::Value::from(name), regorus::Value::from(BTreeMap::from(fields)))
        });
        let signals: BTreeMap<_, _> = signals.collect();
        self.with("signals", regorus::Value::from(signals))
    }

    /// The same, with `input.now` as text (RFC 3339), and `time.now_ns()` as the same instant. A caller whose wall clock is not to be trusted leaves it out.
    #[must_use]
    pub fn with_now(mut self, now: Timestamp) -> Self {
        self.now = Some(now);
        self.with("now", regorus::Value::from(now.to_string()))
    }

    /// The same, with `time.now_ns()` at this instant, and nothing in the input of it.
    #[must_use]
    pub const fn at(mut self, now: Timestamp) -> Self {
        self.now = Some(now);
        self
    }

    /// The first of these paths that is not there.
    pub(super) fn lacks<'a>(&self, paths: &'a [InputPath]) -> Option<&'a InputPath> {
        paths.iter().find(|path| {
            let mut value = &self.root;
            path.iter().any(|name| {
                let below = match value {
                    regorus::Value::Object(entries) => entries.get(&regorus::Value::from(name.as_str())),
                    _ => None,
                };
                below.map(|below| value = below).is_none()
            })
        })
    }

    fn with(mut self, name: &str, value: regorus::Value) -> Self {
        if let Ok(entries) = self.root.as_object_mut() {
            entries.insert(regorus::Value::from(name), value);
        }
        self
    }
}

/// The same value as the evaluator has it; numbers cross exactly.
pub(super) fn to_rego(value: &Value) -> regorus::Value {
    view_to_rego(View::from(value))
}

/// The same; a value that no request can hold is undefined.
fn view_to_rego(value: View<'_>) -> regorus::Value {
    match value {
        View::Null => regorus::Value::Null,
        View::Bool(value) => regorus::Value::from(value),
        View::Int(value) => regorus::Value::from(value),
        View::UInt(value) => regorus::Value::from(value),
        View::Double(value) => regorus::Value::from(value),
        View::Str(value) => regorus::Value::from(value),
        View::List(items) => regorus::Value::from(items.iter().map(to_rego).collect::<Vec<_>>()),
        View::Items(items) => regorus::Value::from(items.iter().map(|item| view_to_rego(*item)).collect::<Vec<_>>()),
        View::Map(map) => entries_to_rego(map.iter().map(|(name, value)| (name, View::from(value)))),
        View::Fields(fields) => entries_to_rego(fields.entries().iter().copied()),
        View::Bytes(_)
        | View::Entries(_)
        | View::Timestamp(_)
        | View::Duration(_)
        | View::Ip(_)
        | View::Cidr(_)
        | View::Type(_) => regorus::Value::Undefined,
    }
}

fn entries_to_rego<'v>(entries: impl Iterator<Item = (&'v str, View<'v>)>) -> regorus::Value {
    let entries: BTreeMap<_, _> =
        entries.map(|(name, value)| (regorus::Value::from(name), view_to_rego(value))).collect();
    regorus::Value::from(entries)
}

/// What a rule comes to.
pub(super) fn ask(prepared: &Engine, entry: &EntryPoint, steps_max: u64, input: &RegoInput) -> Outcome {
    let rule = &entry.path;
    let unknown = |cause, what: String| Outcome {
        truth: Truth::Indeterminate(cause),
        detail: Some(format!("`{rule}` {what}")),
        messages: None,
    };
    if let Some(path) = input.lacks(&entry.required) {
        let path = quoted(&format!("input.{}", path.join(".")));
        return unknown(Cause::Missing, format!("reads {path}, which is not there"));
    }
    match value(prepared, rule, steps_max, input) {
        Ok(regorus::Value::Bool(true)) => Outcome::plain(Truth::True),
        Ok(regorus::Value::Bool(false)) => Outcome::plain(Truth::False),
        Ok(regorus::Value::Set(members)) if entry.is_set && members.is_empty() => Outcome::plain(Truth::False),
        Ok(regorus::Value::Set(members)) if entry.is_set => {
            Outcome { truth: Truth::True, detail: None, messages: Some(messages(members.iter())) }
        }
        Ok(regorus::Value::Undefined) => unknown(Cause::Rego, "is undefined".into()),
        Ok(other) => unknown(Cause::Rego, format!("is {}, not a boolean", kind(&other))),
        Err((cause, what)) => unknown(cause, what),
    }
}

/// What the members of a deny set say: a text as it stands, anything else as JSON; cut where it is long.
fn messages<'a>(members: impl Iterator<Item = &'a regorus::Value>) -> Arc<[Box<str>]> {
    let said = members.take(MESSAGES_MAX).map(|member| {
        let text = match member {
            regorus::Value::String(text) => text.to_string(),
            other => to_json(other).map_or_else(|| kind(other).to_owned(), |json| json.to_string()),
        };
        text.chars().filter(|ch| !ch.is_control()).take(MESSAGE_CHARS_MAX).collect::<String>().into()
    });
    said.collect()
}

/// What a rule gives, or the kind of failure and where.
///
/// The engine is a copy for this one evaluation: it is dropped at the end, after a panic too, so that no evaluation sees
/// anything of another.
pub(super) fn value(
    prepared: &Engine,
    rule: &str,
    steps_max: u64,
    input: &RegoInput,
) -> Result<regorus::Value, (Cause, String)> {
    TICKS.with(|ticks| ticks.set(0));
    NOW.with(|now| now.set(input.now));
    let evaluated = catch_unwind(AssertUnwindSafe(|| {
        with_stack(|| {
            let mut engine = prepared.clone();
            engine.set_input(input.root.clone());
            engine.eval_rule(rule.to_string()).map_err(|error| what_failed(&error.to_string()))
        })
    }));
    match evaluated {
        Ok(Ok(value)) => Ok(value),
        // The first look of an evaluation is its start, so the budget is spent one look later.
        Ok(Err(_)) if TICKS.with(Cell::get) > ticks_max(steps_max).saturating_add(1) => {
            Err((Cause::Limit, format!("took more than {steps_max} steps")))
        }
        Ok(Err(what)) => Err((Cause::Rego, format!("failed{what}"))),
        Err(_) => Err((Cause::Internal, "made the evaluator panic".into())),
    }
}

/// Where the evaluator failed: the file and line of its report, whose text may quote the input and is left out.
fn what_failed(report: &str) -> String {
    let place = report.lines().find_map(|line| line.trim().strip_prefix("--> "));
    place.map_or_else(String::new, |place| format!(" at {place}"))
}

fn kind(value: &regorus::Value) -> &'static str {
    match value {
        regorus::Value::Null => "null",
        regorus::Value::Bool(_) => "a boolean",
        regorus::Value::Number(_) => "a number",
        regorus::Value::String(_) => "a string",
        regorus::Value::Array(_) => "a list",
        regorus::Value::Set(_) => "a set",
        regorus::Value::Object(_) => "an object",
        regorus::Value::Undefined => "undefined",
    }
}

/// The same value as JSON: a set as a list in the evaluator's order, a key that is no string as its text.
///
/// `None` for a number that JSON readers would round: better no answer than another one.
pub(super) fn to_json(value: &regorus::Value) -> Option<serde_json::Value> {
    Some(match value {
        regorus::Value::Null | regorus::Value::Undefined => serde_json::Value::Null,
        regorus::Value::Bool(value) => (*value).into(),
        regorus::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) if number.is_integer() => return None,
            (None, None) => serde_json::Number::from_f64(number.as_f64()?)?.into(),
        },
        regorus::Value::String(text) => (&**text).into(),
        regorus::Value::Array(items) => items.iter().map(to_json).collect::<Option<Vec<_>>>()?.into(),
        regorus::Value::Set(items) => items.iter().map(to_json).collect::<Option<Vec<_>>>()?.into(),
        regorus::Value::Object(entries) => {
            let entry = |(key, value): (&regorus::Value, &regorus::Value)| {
                let key = match key {
                    regorus::Value::String(text) => text.to_string(),
                    other => to_json(other)?.to_string(),
                };
                Some((key, to_json(value)?))
            };
            serde_json::Value::Object(entries.iter().map(entry).collect::<Option<_>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_evaluator_is_contained() {
        assert!(budget_is_counted());
        let mut engine = Engine::new();
        let boom = |_: Vec<regorus::Value>| panic!("a fault of the evaluator");
        engine.add_extension("boom".into(), 0, Box::new(boom)).unwrap();
        engine.add_policy("a.rego".into(), "package a\nallow if not boom()\nfine := true".into()).unwrap();
        set_budget(&mut engine, 100_000);
        for _ in 0..2 {
            let (cause, what) = value(&engine, "data.a.allow", 100_000, &RegoInput::none()).unwrap_err();
            assert_eq!(cause, Cause::Internal, "{what}");
        }
        assert_eq!(value(&engine, "data.a.fine", 100_000, &RegoInput::none()), Ok(regorus::Value::from(true)));
    }
}
