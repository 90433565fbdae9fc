//! A panic at every point of every call, one after the other: what follows allows nothing that was denied (spec 1.4, S-15).
//!
//! The calls are those of the corpus, drills of whole packs, and of the signed bundles. In each run one point panics, once or
//! whenever it is passed again. Beside the engine that is hurt stand two that never are: one is told all of it, the other
//! all but the call that the panic ended. What both deny, the hurt one denies.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use super::super::*;
use crate::faults;
use crate::policy::trust::root::TrustRoot;
use crate::time::Wall;

/// Runs of each timeline: how many of its points are made to panic. `FALLGATE_FAULTS=all` at the build takes every one.
const RUNS: usize = 8;
const ALL: bool = option_env!("FALLGATE_FAULTS").is_some();

/// The drills that are gone through. Between them they pass every point. None is of a pack with Rego: the command that reads
/// packs here brings a core of its own, and a process has one evaluator.
const DRILLS: &[(&str, &str)] = &[
    ("compliance-records", "nothing is handed out before the record of it is written"),
    ("content-delivery", "a time server sets the clock ahead"),
    ("db-readonly", "the batch of the night meets a forgotten maintenance"),
    ("deploy-gate", "a bundle from a compromised pipeline does not become the policy"),
    ("deploy-gate", "one artifact is poisoned and the others are not"),
    ("edge-control", "somebody else speaks for the control plane"),
    ("hostile-inputs", "one tenant is no other"),
    ("idp-outage", "the incident commander opens the console with a code, once"),
    ("idp-outage", "the identity provider is down, and returns"),
    ("payment-gateway", "one refund past a read-only gateway"),
    ("policy-change", "a bug that turns people away is caught in the canary"),
    ("policy-change", "a change that allows more than it says is stopped in its shadow"),
    ("read-tiers", "the risk service is slow"),
    ("read-tiers", "what is kept, and for how long"),
    ("split-regions", "two regions that both write both stop"),
    ("tenant-failover", "the home region is lost and one tenant is moved"),
];

/// A timeline: how its engine is set up, and what is done to it.
struct Script {
    name: String,
    config: Value,
    bundle: Option<Bundle>,
    calls: Vec<Value>,
    journals: bool,
}

/// What a call came to.
enum Came {
    Decided(Box<Decision>),
    Done,
}

/// A pack and its timelines.
fn corpus(pack: &str) -> Value {
    let folder = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/{}"), pack);
    let (mut out, mut err, mut input) = (Vec::new(), Vec::new(), &[][..]);
    let mut console = fallgate_cli::console::Console {
        out: &mut out,
        err: &mut err,
        input: &mut input,
        out_is_terminal: false,
        err_is_terminal: false,
        no_color: true,
    };
    assert_eq!(fallgate_cli::command::run(["fallgate", "corpus", &folder].map(Into::into), &mut console), 0);
    let corpus: Value = serde_json::from_slice(&out).unwrap();
    corpus["packs"][0].clone()
}

fn drills() -> Vec<Script> {
    let packs: BTreeSet<&str> = DRILLS.iter().map(|(pack, _)| *pack).collect();
    let packs: BTreeMap<&str, Value> = packs.into_iter().map(|pack| (pack, corpus(pack))).collect();
    let script = |(number, (pack, drill)): (usize, &(&str, &str))| {
        let text = packs[pack]["bundle"].as_str().unwrap().as_bytes();
        let timelines = packs[pack]["timelines"].as_array().unwrap();
        let timeline = timelines.iter().find(|timeline| timeline["name"] == *drill);
        let timeline = timeline.unwrap_or_else(|| panic!("{pack} has no drill `{drill}`"));
        Script {
            name: format!("{pack}: {drill}"),
            config: timeline["config"].clone(),
            bundle: Some(Bundle::from_json(text, &Trust::unsigned_for_development()).unwrap()),
            calls: timeline["operations"].as_array().unwrap().clone(),
            journals: number % 2 == 1,
        }
    };
    DRILLS.iter().enumerate().map(script).collect()
}

/// A trust root that takes the active bundle back, and what it would be followed by; a rollout whose candidate completes.
fn signed() -> Script {
    const ROOT: &str = include_str!("../../../../bindings/signed/root.json");
    const NEXT: &str = include_str!("../../../../bindings/signed/root-2.json");
    const ACTIVE: &str = include_str!("../../../../bindings/signed/active-7.json");
    const CUT: &str = include_str!("../../../../bindings/signed/cut-8.json");
    let request = json!({
        "subject": {"type": "user", "id": "ann"}, "action": {"name": "order:read"}, "resource": {"type": "order", "id": "17"},
    });
    let calls = [
        json!({"operate": {"activate": {"bundle": ACTIVE}}}),
        json!({"decide": request}),
        json!({"operate": {"quarantine": {
            "what": {"subject": {"type": "user", "id": "eve"}}, "reason": "theft", "for": "1s",
        }}}),
        json!({"operate": {"activate": {"bundle": CUT}}}),
        json!({"operate": {"rotate_trust": {"root": NEXT}}}),
        json!({"decide": request}),
        json!({"operate": {"checkpoint": {}}}),
        json!({"decide": "no request"}),
    ];
    let at = |(second, mut call): (i64, Value)| {
        let nanos = second * 1_000_000_000;
        let wall = 1_780_272_000_000_000_000 + nanos;
        call["at"] = json!({"monotonic_ns": nanos.to_string(), "wall_ns": wall.to_string()});
        call
    };
    let config = json!({"trust": ROOT, "audit_entries_max": 100, "instance": "a"});
    let calls = (0..).zip(calls).map(at).collect();
    Script { name: "signed bundles".to_owned(), config, bundle: None, calls, journals: true }
}

impl Script {
    fn engine(&self, instance: &Value) -> Engine {
        let key = |name: &str| -> Option<[u8; 32]> {
            data_encoding::HEXLOWER.decode(self.config[name].as_str()?.as_bytes()).unwrap().try_into().ok()
        };
        let mut config = Config { audit_key: key("audit_key"), ..Config::default() };
        config.state_key = key("state_key").and_then(StateKey::new);
        if let Some(root) = self.config["trust"].as_str() {
            config.trust = Trust::keys(TrustRoot::from_json(root.as_bytes(), &Limits::DEFAULT).unwrap());
        }
        config.limits.audit_entries_max = self.config["audit_entries_max"].as_u64().unwrap().try_into().unwrap();
        // So few that answers are pushed out.
        config.limits.cache_entries_max = 2;
        if self.journals {
            (config.limits.journal_entries_max, config.limits.journal_bytes_max) = (100_000, 64 << 20);
        }
        config.instance = crate::name::name(instance.as_str().unwrap()).unwrap();
        Engine::new(config)
    }

    fn fresh(&self) -> Engine {
        self.engine(&self.config["instance"])
    }

    fn now(&self, call: usize) -> Now {
        let nanos = |name: &str| self.calls[call]["at"][name].as_str().unwrap();
        let (monotonic, wall) = (nanos("monotonic_ns").parse().unwrap(), nanos("wall_ns").parse().unwrap());
        Now::new(Monotonic::from_nanos(monotonic), Wall::from_nanos(wall))
    }

    /// Makes a call. What a host would be told of it is no matter here, but for what was decided.
    fn make(&self, engine: &mut Engine, number: usize) -> Came {
        let (call, now) = (&self.calls[number], self.now(number));
        let decided = |decision: Decision| Came::Decided(Box::new(decision));
        if let Some(restart) = call.get("restart") {
            *engine = self.engine(&restart["instance"]);
        } else if call.get("activate").is_some() {
            let _ = engine.activate(self.bundle.clone().unwrap(), now);
        } else if let Some(observed) = call.get("observe") {
            let status = case::parse_status(observed["status"].as_str().unwrap()).unwrap();
            let mut observation = Observation::new(observed["signal"].as_str().unwrap(), status);
            if let Some(at) = observed.get("observed_at_ns") {
                observation = observation.at(Monotonic::from_nanos(at.as_str().unwrap().parse().unwrap()));
            }
            engine.observe(&observation, now);
        } else if call.get("advance").is_some() {
            engine.advance(now);
        } else if call.get("anchor_clocks").is_some() {
            engine.anchor_clocks(now);
        } else if let Some(asked) = call.get("operate").and_then(|operation| operation.get("decide_pending")) {
            return decided(engine.decide_pending_json(asked["request"].to_string().as_bytes(), now).decision);
        } else if let Some(asked) = call.get("operate").and_then(|operation| operation.get("confirm_decision")) {
            return decided(engine.confirm(DecisionId::parse(asked["pending"].as_str().unwrap()).unwrap(), now));
        } else if let Some(operation) = call.get("operate") {
            drop(engine.operate_json(operation.to_string().as_bytes(), now));
        } else {
            return decided(engine.decide_json(text(&call["decide"]).as_bytes(), now));
        }
        Came::Done
    }

    /// What is asked in it, each once.
    fn asked(&self) -> BTreeSet<String> {
        self.calls.iter().filter_map(|call| call.get("decide")).map(text).collect()
    }

    /// How often an override of it may be used at the most.
    fn uses_max(&self) -> u64 {
        let uses =
            |call: &Value| call["operate"]["propose"]["proposal"]["operation"]["grant_override"]["uses"].as_u64();
        self.calls.iter().filter_map(uses).max().unwrap_or(0)
    }

    /// An engine that was told of the first calls but for the one to leave out.
    fn twin(&self, calls: usize, left_out: Option<usize>) -> Engine {
        let mut engine = self.fresh();
        for number in (0..calls).filter(|number| Some(*number) != left_out) {
            self.make(&mut engine, number);
        }
        engine
    }
}

fn text(request: &Value) -> String {
    request.as_str().map_or_else(|| request.to_string(), str::to_owned)
}

/// An earlier answer that stands in, and what a pack declares to stay open, are the declared exceptions of the law.
fn is_declared(decision: &Decision) -> bool {
    use Reason::{AllowedFailOpen, AllowedMinimal, AllowedStale};
    decision.information_loss() || matches!(decision.reason(), AllowedFailOpen | AllowedMinimal | AllowedStale)
}

/// What all runs came to.
#[derive(Default)]
struct Tally {
    runs: usize,
    in_decisions: usize,
    in_writers: usize,
    in_candidates: usize,
    in_cases: usize,
    mended: usize,
    compared: usize,
    allowed: usize,
    failures: Vec<String>,
}

/// The engine that is hurt, and the two that never are.
struct Three<'s> {
    script: &'s Script,
    hurt: Engine,
    told_all: Engine,
    told_less: Engine,
    /// Where what panicked, for whoever reads a failure.
    place: String,
    /// By override: how often the one that is hurt has used it.
    used: BTreeMap<String, u64>,
}

impl Three<'_> {
    fn hold(&mut self, [hurt, all, less]: [&Decision; 3], request: &str, tally: &mut Tally) {
        tally.compared += 1;
        tally.allowed += usize::from(hurt.is_allow());
        let mut held = !hurt.is_allow() || is_declared(hurt) || all.is_allow() || less.is_allow();
        if let Some(id) = hurt.override_id() {
            // It has denied, and used it less, for a while. Still it is used no more often than was granted.
            let used = self.used.entry(id.to_owned()).or_default();
            *used += 1;
            held = *used <= self.script.uses_max();
        }
        if !held {
            let said = [hurt, all, less].map(|decision| decision.reason().code());
            tally.failures.push(format!("{}: {said:?}: {request}", self.place));
        }
    }

    fn ask_all(&mut self, now: Now, tally: &mut Tally) {
        for request in self.script.asked() {
            let [hurt, all, less] =
                [&self.hurt, &self.told_all, &self.told_less].map(|engine| engine.decide_json(request.as_bytes(), now));
            self.hold([&hurt, &all, &less], &request, tally);
        }
    }
}

/// Every decision is the deny of an engine that failed.
fn denies(engine: &Engine, script: &Script, now: Now, place: &str, tally: &mut Tally) {
    for request in script.asked() {
        let decided = catch_unwind(AssertUnwindSafe(|| engine.decide_json(request.as_bytes(), now).reason()));
        let reason = decided.map_or("a panic that came through", Reason::code);
        // What cannot be read is denied before anything else is looked at.
        if !matches!(reason, "internal_error" | "invalid_request") {
            tally.failures.push(format!("{place}: {request}: `{reason}` of an engine that failed"));
        }
    }
}

/// One run; whether the point was reached.
fn run(script: &Script, at: u64, again: bool, tally: &mut Tally) -> bool {
    let mut hurt = script.fresh();
    faults::arm(at, again);
    let mut came = None;
    let ended = (0..script.calls.len()).find(|number| {
        came = Some(catch_unwind(AssertUnwindSafe(|| script.make(&mut hurt, *number))));
        faults::happened().is_some()
    });
    let (Some(number), Some(came)) = (ended, came) else {
        faults::disarm();
        return false;
    };
    let point = faults::happened().unwrap_or_default();
    let place =
        format!("{}: call {number}, point {at}, `{point}`, {}", script.name, if again { "again" } else { "once" });
    tally.runs += 1;
    let now = script.now(number);
    let is_decision = ["decide", "decide_pending", "confirm_decision"]
        .iter()
        .any(|name| script.calls[number].get(name).is_some() || script.calls[number]["operate"].get(name).is_some());
    if came.is_err() && is_decision {
        tally.failures.push(format!("{place}: a decision let a panic through"));
    }
    if script.calls[number].get("restart").is_some() {
        // No engine was made, so none was hurt.
        faults::disarm();
        return true;
    }
    let mut three = if hurt.snapshot.load().engine_ok {
        faults::disarm();
        let operation = &script.calls[number]["operate"];
        if hurt.overview(now)["rollout"]["stopped"] == "candidate_failed" {
            // The candidate's own: its rollout is over, and the active bundle decides.
            tally.in_candidates += 1;
        } else if operation.get("activate").or_else(|| operation.get("stage")).is_some() {
            // That of an engine on which a bundle's cases were asked: the bundle failed them.
            tally.in_cases += 1;
        } else {
            tally.failures.push(format!("{place}: the engine goes on as if nothing had happened"));
            return true;
        }
        let (told_all, told_less) = (script.twin(number + 1, None), script.twin(number, None));
        for engine in [&hurt, &told_all, &told_less] {
            let _ = engine.roll_back(now);
        }
        Three { script, hurt, told_all, told_less, place, used: BTreeMap::new() }
    } else {
        if let Ok(Came::Decided(decision)) = &came {
            tally.in_decisions += 1;
            if decision.reason() != Reason::InternalError {
                tally.failures.push(format!("{place}: `{}` after a panic", decision.reason().code()));
            }
        } else {
            tally.in_writers += 1;
        }
        // Also while it goes on to panic, and after that: whoever writes, and whatever is due.
        denies(&hurt, script, now, &place, tally);
        faults::disarm();
        denies(&hurt, script, now, &place, tally);
        hurt.advance(now.after(Ttl::from_millis(1)));
        hurt.report_attempts(1, now.after(Ttl::from_millis(1)));
        denies(&hurt, script, now.after(Ttl::from_millis(1)), &place, tally);
        let Some(bundle) = hurt.bundle().or_else(|| script.bundle.clone()) else { return true };
        let (told_all, told_less) = (script.twin(number + 1, None), script.twin(number, None));
        let done = hurt.activate(bundle.clone(), now);
        let _ = told_all.activate(bundle.clone(), now);
        let _ = told_less.activate(bundle, now);
        if done.is_err() {
            denies(&hurt, script, now, &place, tally);
            return true;
        }
        tally.mended += 1;
        let mended = hurt.decide_json(b"{}", now).reason();
        if mended == Reason::InternalError {
            tally.failures.push(format!("{place}: it is not mended"));
        }
        Three { script, hurt, told_all, told_less, place, used: BTreeMap::new() }
    };
    three.ask_all(now, tally);
    for later in number + 1..script.calls.len() {
        // What a rollout comes to hangs on what was compared in it, and an engine that was hurt has compared less.
        let rolls =
            |operation: &Value| ["stage", "promote", "roll_back"].iter().any(|verb| !operation[*verb].is_null());
        let call = &script.calls[later];
        if call.get("restart").is_some() || call.get("operate").is_some_and(rolls) {
            return true;
        }
        let came =
            [&mut three.hurt, &mut three.told_all, &mut three.told_less].map(|engine| script.make(engine, later));
        if let [Came::Decided(hurt), Came::Decided(all), Came::Decided(less)] = &came {
            three.hold([hurt, all, less], &script.calls[later]["decide"].to_string(), tally);
        }
    }
    three.ask_all(script.now(script.calls.len() - 1), tally);
    true
}

/// The points to try: the first and the last of each name that was tried in few timelines yet, and some of the others, as
/// evenly as can be; or every one.
fn points(trace: &[&'static str], tried: &mut BTreeMap<&'static str, usize>) -> BTreeSet<usize> {
    if ALL {
        return (1..=trace.len()).collect();
    }
    let mut ends = BTreeMap::new();
    for (at, name) in (1..).zip(trace) {
        let (_, last) = ends.entry(*name).or_insert((at, at));
        *last = at;
    }
    let mut chosen: BTreeSet<usize> = (1..=trace.len()).step_by((trace.len() / RUNS).max(1)).collect();
    for (name, (first, last)) in ends {
        let times = tried.entry(name).or_default();
        if *times < 2 {
            chosen.extend([first, last]);
            *times += 1;
        }
    }
    chosen
}

#[test]
fn a_panic_at_any_point_of_any_call_allows_nothing_that_was_denied() {
    let mut scripts = drills();
    scripts.push(signed());
    let (mut tally, mut passed, mut tried) = (Tally::default(), BTreeSet::new(), BTreeMap::new());
    for script in &scripts {
        // The cases of its bundle are asked once.
        drop(script.twin(1, None));
        let mut engine = script.fresh();
        let trace = faults::trace(|| (0..script.calls.len()).for_each(|number| drop(script.make(&mut engine, number))));
        passed.extend(trace.iter().copied());
        for at in points(&trace, &mut tried) {
            let modes = if ALL { [false, true].as_slice() } else { [[false].as_slice(), &[true]][at % 2] };
            for again in modes {
                assert!(run(script, at as u64, *again, &mut tally), "{}: point {at} was not reached", script.name);
            }
        }
        assert!(
            !run(script, trace.len() as u64 + 1, false, &mut tally),
            "{}: more points than were traced",
            script.name
        );
    }
    let Tally { runs, in_decisions, in_writers, in_candidates, in_cases, mended, compared, allowed, failures } = tally;
    println!(
        "{runs} panics: {in_decisions} in decisions, {in_writers} in writers, {in_candidates} in candidates, {in_cases} in cases; \
         {mended} mended; {compared} decisions compared, {allowed} allowed"
    );
    assert!(
        failures.is_empty(),
        "{}:\n{}",
        failures.len(),
        failures.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
    assert!(in_decisions > 100 && in_writers > 200 && in_candidates > 0 && mended > 400 && allowed > 1_000);
    let points: BTreeSet<&str> = faults::POINTS.iter().copied().collect();
    let either: Vec<_> = points.symmetric_difference(&passed).collect();
    assert!(either.is_empty(), "points that are not passed, or not in the list: {either:?}");
}
