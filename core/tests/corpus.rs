//! A request that the host holds is decided as its JSON is: over the whole corpus, and over what no JSON could bring.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

#[path = "corpus/modes.rs"]
mod modes;

use bumpalo::Bump;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust, hexadecimal};
use fallgate::policy::trust::root::TrustRoot;
use fallgate::request::{ActionView, Attributes, PartyView, RequestView};
use fallgate::state::document::StateKey;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::value::{Fields, Value, View};
use fallgate::{Config, Engine, Observation, Reason};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// JSON as a host would hold it: lists as items, maps as fields.
fn held<'a>(json: &'a Json, arena: &'a Bump) -> View<'a> {
    match json {
        Json::String(text) => View::Str(text),
        Json::Array(items) => View::Items(arena.alloc_slice_fill_iter(items.iter().map(|item| held(item, arena)))),
        Json::Object(_) => View::Fields(Fields::new(entries(json, arena)).unwrap()),
        scalar => match Value::from(scalar) {
            Value::Null => View::Null,
            Value::Bool(value) => View::Bool(value),
            Value::Int(value) => View::Int(value),
            Value::UInt(value) => View::UInt(value),
            Value::Double(value) => View::Double(value),
            other => panic!("{other:?}"),
        },
    }
}

/// The members in the reverse of their order, so that the sorting is put to work.
fn entries<'a>(json: &'a Json, arena: &'a Bump) -> &'a mut [(&'a str, View<'a>)] {
    let members: Vec<_> = json.as_object().into_iter().flatten().rev().collect();
    arena.alloc_slice_fill_iter(members.into_iter().map(|(name, value)| (name.as_str(), held(value, arena))))
}

fn attributes<'a>(json: Option<&'a Json>, arena: &'a Bump) -> Attributes<'a> {
    json.map_or(Attributes::NONE, |json| Attributes::new(entries(json, arena)).unwrap())
}

/// The request, if it has the form of one.
fn view<'a>(request: &'a Json, arena: &'a Bump) -> Option<RequestView<'a>> {
    let party = |name: &str| {
        let party = request.get(name)?;
        let is_object = |json: &&Json| json.is_object();
        let properties = party.get("properties");
        if properties.is_some_and(|properties| !properties.is_object()) {
            return None;
        }
        Some(PartyView {
            party_type: party.get("type")?.as_str()?,
            id: party.get("id")?.as_str()?,
            properties: attributes(properties.filter(is_object), arena),
        })
    };
    let action = request.get("action")?;
    let context = request.get("context");
    if context.is_some_and(|context| !context.is_object()) {
        return None;
    }
    Some(RequestView {
        subject: party("subject")?,
        action: ActionView {
            name: action.get("name")?.as_str()?,
            properties: attributes(action.get("properties"), arena),
        },
        resource: party("resource")?,
        context: attributes(context, arena),
    })
}

fn nanos<T: std::str::FromStr>(json: &Json) -> T
where
    T::Err: std::fmt::Debug,
{
    json.as_str().unwrap().parse().unwrap()
}

/// The corpus as `fallgate corpus` prints it: what every language replays.
fn corpus() -> Vec<u8> {
    let policies = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let mut out = Vec::new();
    let mut err = Vec::new();
    let mut console = fallgate_cli::console::Console {
        out: &mut out,
        err: &mut err,
        input: &mut std::io::empty(),
        out_is_terminal: false,
        err_is_terminal: false,
        no_color: true,
    };
    let arguments = ["fallgate".into(), "corpus".into(), policies.into_os_string()];
    let exit = fallgate_cli::command::run(arguments, &mut console);
    assert_eq!(exit, 0, "{}", String::from_utf8_lossy(&err));
    out
}

/// What a replay came to.
#[derive(Default)]
struct Replayed {
    /// The decisions of standbys, and how many of them are those of the active engine to the byte.
    on_standbys: (usize, usize),
    calls: usize,
    on_views: usize,
    decisions: Sha256,
}

/// An engine that is set up as a timeline says.
fn configured(config: &Json, instance: &Json) -> Engine {
    let key = |name: &str| {
        let text = config[name].as_str()?;
        Some(data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap())
    };
    let mut configured = Config::default();
    configured.state_key = key("state_key").and_then(StateKey::new);
    configured.audit_key = key("audit_key");
    if let Some(root) = config["trust"].as_str() {
        configured.trust = Trust::keys(TrustRoot::from_json(root.as_bytes(), &Limits::DEFAULT).unwrap());
    }
    configured.limits.audit_entries_max = config["audit_entries_max"].as_u64().unwrap().try_into().unwrap();
    configured.instance = fallgate::name::name(instance.as_str().unwrap()).unwrap();
    Engine::new(configured)
}

/// Makes the calls of a timeline on an engine of its own, deciding on views where the request has the form of one.
fn replay(timeline: &Json, bundle: &Bundle, replayed: &mut Replayed) {
    let mut engine = configured(&timeline["config"], &timeline["config"]["instance"]);
    let mut last = Now::default();
    for call in timeline["operations"].as_array().unwrap() {
        replayed.calls += 1;
        let (monotonic, wall) = (nanos(&call["at"]["monotonic_ns"]), nanos(&call["at"]["wall_ns"]));
        let now = Now::new(Monotonic::from_nanos(monotonic), Wall::from_nanos(wall));
        last = now;
        if let Some(restart) = call.get("restart") {
            engine = configured(&timeline["config"], &restart["instance"]);
        } else if call.get("activate").is_some() {
            engine.activate(bundle.clone(), now).unwrap();
        } else if let Some(observed) = call.get("observe") {
            let status = fallgate::drill::parse_status(observed["status"].as_str().unwrap()).unwrap();
            let mut observation = Observation::new(observed["signal"].as_str().unwrap(), status);
            if let Some(at) = observed.get("observed_at_ns") {
                observation = observation.at(Monotonic::from_nanos(nanos(at)));
            }
            engine.observe(&observation, now);
        } else if call.get("advance").is_some() {
            engine.advance(now);
        } else if call.get("anchor_clocks").is_some() {
            engine.anchor_clocks(now);
        } else if let Some(operation) = call.get("operate") {
            let (outcome, because) = match engine.operate_json(operation.to_string().as_bytes(), now) {
                Ok(outcome) => (outcome.to_json(), Json::Null),
                Err(error) => (Json::Null, error.code().into()),
            };
            assert_eq!((&outcome, &because), (&call["outcome"], &call["because"]), "{}: {operation}", timeline["name"]);
        } else {
            let arena = Bump::new();
            let decision = match view(&call["decide"], &arena) {
                Some(view) => {
                    replayed.on_views += 1;
                    engine.decide_view(&view, now)
                }
                None => {
                    let text = call["decide"].as_str().map_or_else(|| call["decide"].to_string(), str::to_owned);
                    engine.decide_json(text.as_bytes(), now)
                }
            };
            let decision = decision.to_json();
            assert_eq!(decision, call["decision"], "{}: {}", timeline["name"], call["decide"]);
            replayed.decisions.update(decision.to_string());
            replayed.decisions.update(b"\n");
        }
    }
    stand_by(timeline, bundle, &engine, last, replayed);
}

/// Restores the state that an engine ends with into another one, tells it of the signals, and asks both all that was asked:
/// what the standby allows, the engine allows too.
fn stand_by(timeline: &Json, bundle: &Bundle, engine: &Engine, now: Now, replayed: &mut Replayed) {
    let standby = configured(&timeline["config"], &json!("standby"));
    // What the engine ends with, and whoever signed it: a timeline may have activated another bundle than its first.
    standby.activate(engine.bundle().unwrap_or_else(|| bundle.clone()), now).unwrap();
    let state = engine.export_state(now).unwrap();
    standby.restore_state(&state, None, now).unwrap();
    for spec in &bundle.policy().signals {
        if let Some(status) = engine.signal(&spec.name) {
            standby.observe(&Observation::new(&spec.name, status), now);
        }
    }
    for request in timeline["operations"].as_array().unwrap().iter().filter_map(|call| call.get("decide")) {
        let text = request.as_str().map_or_else(|| request.to_string(), str::to_owned);
        let [active, standby] = [engine, &standby].map(|engine| engine.decide_json(text.as_bytes(), now));
        // An earlier answer that stands in, and what is declared to stay open, are the declared exceptions.
        let declared = matches!(standby.reason(), Reason::AllowedStale | Reason::AllowedFailOpen);
        assert!(active.is_allow() || !standby.is_allow() || declared, "{}: {active:?} {standby:?}", timeline["name"]);
        replayed.on_standbys.0 += 1;
        replayed.on_standbys.1 += usize::from(active.to_json() == standby.to_json());
    }
}

/// The line that every language prints; `FALLGATE_CORPUS_SUMMARY` names a file that it goes to as well.
#[test]
fn the_corpus_is_decided_alike_on_views() {
    let bytes = corpus();
    let document: Json = serde_json::from_slice(&bytes).unwrap();
    let mut replayed = Replayed::default();
    for pack in document["packs"].as_array().unwrap() {
        let text = pack["bundle"].as_str().unwrap();
        let bundle = Bundle::from_json(text.as_bytes(), &Trust::unsigned_for_development()).unwrap();
        for timeline in pack["timelines"].as_array().unwrap() {
            replay(timeline, &bundle, &mut replayed);
        }
    }
    assert!(replayed.on_views > 300, "only {} requests have the form of one", replayed.on_views);
    let (asked, alike) = replayed.on_standbys;
    println!("of {asked} decisions of standbys {alike} are those of the active engine to the byte");
    assert!(asked > 300 && alike > asked / 2);
    let (corpus, decisions) = (hexadecimal(&Sha256::digest(&bytes)), hexadecimal(&replayed.decisions.finalize()));
    let line = format!("steps {} corpus {corpus} decisions {decisions}\n", replayed.calls);
    print!("{line}");
    if let Some(file) = std::env::var_os("FALLGATE_CORPUS_SUMMARY") {
        std::fs::write(file, line).unwrap();
    }
}

fn engine_of(schema: &Json, when: &str) -> (Engine, Now) {
    let document = json!({
        "fallgate": 1, "name": "views", "revision": 1, "schema": schema, "actions": { "read": {} },
        "rules": [{ "id": "all", "effect": "allow" }, { "id": "no", "effect": "deny", "when": when }],
    });
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let engine = Engine::new(Config::default());
    let now = Now::new(Monotonic::ZERO, Wall::from_millis(0));
    engine.activate(bundle, now).unwrap();
    (engine, now)
}

fn with_context<'a>(context: &'a mut [(&'a str, View<'a>)]) -> RequestView<'a> {
    let party = PartyView { party_type: "user", id: "a", properties: Attributes::NONE };
    let action = ActionView { name: "read", properties: Attributes::NONE };
    RequestView { subject: party, action, resource: party, context: Attributes::new(context).unwrap() }
}

/// `NaN > 5` is false in CEL, so that a NaN would slip past a deny rule: no JSON brings one, and no host may either.
#[test]
fn what_no_json_could_bring_is_an_invalid_request() {
    let (engine, now) = engine_of(&json!({"context": {"risk": "double", "more": "any"}}), "context.risk > 5.0");
    let decided = |risk, more| engine.decide_view(&with_context(&mut [("risk", risk), ("more", more)]), now).reason();
    assert_eq!(decided(View::Double(1.0), View::Null), Reason::AllowedByRule);
    assert_eq!(decided(View::Double(9.0), View::Null), Reason::DeniedByRule);
    let nan = [View::Double(f64::NAN)];
    for hostile in [
        View::Double(f64::NAN),
        View::Double(f64::INFINITY),
        View::Items(&nan),
        View::Bytes(b"x"),
        View::Type("int"),
        View::Entries(&[]),
        View::Timestamp(fallgate::value::Timestamp::UNIX_EPOCH),
    ] {
        assert_eq!(decided(View::Double(1.0), hostile), Reason::InvalidRequest, "{hostile:?}");
        assert_eq!(decided(hostile, View::Null), Reason::InvalidRequest, "{hostile:?}");
    }
}

#[test]
fn an_owned_request_brings_no_nan_either() {
    let (engine, now) = engine_of(&json!({"context": {"risk": "double"}}), "context.risk > 5.0");
    let party = || fallgate::request::Party::new("user", "a");
    let request = fallgate::Request::new(party(), "read", party());
    assert!(engine.decide(&request.clone().with_context("risk", Value::Double(1.0)), now).is_allow());
    let nan = request.clone().with_context("risk", Value::Double(f64::NAN));
    assert_eq!(engine.decide(&nan, now).reason(), Reason::InvalidRequest);
    let mut deep = Value::Null;
    for _ in 0..200 {
        deep = Value::List(vec![deep]);
    }
    let deep = request.with_context("risk", Value::Double(1.0)).with_context("more", deep);
    assert_eq!(engine.decide(&deep, now).reason(), Reason::LimitExceeded);
}

#[test]
fn limits_hold_for_views_as_for_bytes() {
    let (engine, now) = engine_of(&json!({"context": {"more": {"type": "any", "optional": true}}}), "false");
    let reason = |more| engine.decide_view(&with_context(&mut [("more", more)]), now).reason();
    let mut deep: View<'_> = View::Null;
    let arena = Bump::new();
    for _ in 0..10_000 {
        deep = View::Items(arena.alloc_slice_copy(&[deep]));
    }
    assert_eq!(reason(deep), Reason::LimitExceeded);
    let many = vec![View::Null; Limits::DEFAULT.request_values_max + 1];
    assert_eq!(reason(View::Items(&many)), Reason::LimitExceeded);
    let long = "x".repeat(Limits::DEFAULT.request_bytes_max + 1);
    assert_eq!(reason(View::Str(&long)), Reason::LimitExceeded);
    assert_eq!(reason(View::Null), Reason::AllowedByRule);
}

/// The compiler says which attributes a host has to bring, and the engine looks at no others.
#[test]
fn a_host_brings_what_is_declared_and_its_own_demands() {
    use fallgate::condition::Entity;
    use fallgate::policy::compile::Wanted;
    let (engine, now) = engine_of(&json!({"context": {"risk": "double"}}), "context.risk > 5.0");
    let bundle = engine.bundle().unwrap();
    assert_eq!(bundle.policy().wanted(Entity::Context, ""), Wanted::Named(vec!["risk", "fallgate"]));
    assert_eq!(bundle.policy().wanted(Entity::Subject, "user"), Wanted::Named(vec![]));
    let mut own = [("min_revision", View::Int(2))];
    let own = View::Fields(Fields::new(&mut own).unwrap());
    let decision = engine.decide_view(&with_context(&mut [("fallgate", own), ("risk", View::Double(0.0))]), now);
    assert_eq!(decision.reason(), Reason::RevisionTooOld);
}
