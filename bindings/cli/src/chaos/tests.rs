//! Days on shipped packs; and each theorem seen to fail, on a day whose script or policy is not the one that was lived.

use std::path::Path;

use fallgate::drill::{Drill, DrillReport};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use serde_json::{Value, json};

use super::dice::Dice;
use super::theorems::{Never, first, fork, loss, same};
use super::world::World;
use super::{Day, lived, shrink, weather};
use crate::pack::{drill_files, load_drill, load_pack};

fn document(pack: &str) -> Value {
    load_pack(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(pack)).unwrap().document
}

fn bundle(document: &Value) -> Bundle {
    Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

fn world(pack: &str) -> (Bundle, World) {
    let bundle = bundle(&document(pack));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(pack);
    let drill = |path: &std::path::PathBuf| {
        Drill::from_document(&load_drill(path).unwrap().document, &Limits::DEFAULT).unwrap()
    };
    let drills: Vec<Drill> = drill_files(&folder).unwrap().iter().map(drill).collect();
    let world = World::of(&bundle, &drills);
    (bundle, world)
}

#[test]
fn a_seed_gives_the_same_day_and_another_seed_another_one() {
    let (_, world) = world("payment-gateway");
    let day = |seed| serde_json::to_string(&weather::day(&world, seed, 6).steps).unwrap();
    assert_eq!(day(7), day(7));
    assert_ne!(day(7), day(8));
}

#[test]
fn days_are_drills_with_every_kind_of_fault_and_every_theorem_holds() {
    for pack in ["idp-outage", "payment-gateway", "edge-control", "split-regions"] {
        let (bundle, world) = world(pack);
        let day = weather::day(&world, 11, 8);
        let (report, violation) = lived(&day, &bundle, &[]).unwrap();
        assert_eq!(violation, None, "{pack}");
        assert_eq!(same(&day, &bundle, &report), None, "{pack}");
        let mut dice = Dice::seeded(5);
        for _ in 0..2 {
            let (forked, _) = fork(&day, &report, &world.signals, &mut dice).unwrap();
            assert_eq!(loss(&forked, &bundle), None, "{pack}");
        }
        let kinds: Vec<&str> = day.faults.iter().map(|(kind, _)| *kind).collect();
        let probes: &[&str] =
            if world.signals.is_empty() { &["lost control messages"] } else { &["failures", "silences"] };
        for kind in ["clock jumps", "floods", "operator actions", "restarts"].iter().chain(probes) {
            assert!(kinds.contains(kind), "{pack}: {kind} in {kinds:?}");
        }
        let allowed =
            report.steps.iter().filter_map(|step| step.decision.as_ref()).filter(|one| one.is_allow()).count();
        assert!(allowed > 20, "{pack}: only {allowed} allows");
    }
}

/// A small pack, whose parts each test bends.
fn shop() -> Value {
    json!({
        "fallgate": 1, "name": "shop", "revision": 1,
        "schema": { "subject": { "user": {} }, "resource": { "page": {} } },
        "signals": { "stock": { "ttl": "10s" } },
        "actions": {
            "buy": { "class": "write", "requires": ["stock"] },
            "look": { "class": "read", "requires": ["stock"], "on_failure": { "serve_cached": { "max_stale": "1m" } }, "cache": { "allow": "5s" } },
        },
        "postures": [{ "name": "closed", "rank": 1, "permits": { "actions": ["look"] }, "leave": {} }],
        "rules": [{ "id": "everybody", "effect": "allow" }],
    })
}

fn ask(at: u64, action: &str) -> Value {
    json!({
        "at": format!("{at}s"),
        "decide": { "subject": { "type": "user", "id": "ada" }, "action": { "name": action }, "resource": { "type": "page", "id": "one" } },
    })
}

fn tell(at: u64, status: &str) -> Value {
    json!({ "at": format!("{at}s"), "observe": { "stock": status } })
}

fn run(steps: &[Value]) -> (Day, Bundle, DrillReport) {
    let (day, bundle) = (Day::default().with(steps.to_vec()), bundle(&shop()));
    let (report, violation) = lived(&day, &bundle, &[]).unwrap();
    assert_eq!(violation, None, "the day as it was lived");
    (day, bundle, report)
}

/// What is found where the script says this instead.
fn found(report: &DrillReport, bundle: &Bundle, script: &[Value]) -> Option<&'static str> {
    let drill = Day::default().with(script.to_vec()).drill().unwrap();
    first(bundle, &drill, report, &[]).map(|violation| violation.theorem)
}

#[test]
fn fresh_fails_where_the_signal_was_never_told_or_too_long_ago() {
    let steps = [tell(1, "ok"), ask(11, "buy")];
    let (_, bundle, report) = run(&steps);
    assert!(report.steps[1].decision.as_ref().unwrap().is_allow(), "a signal holds up to and including its ttl");
    assert_eq!(found(&report, &bundle, &[tell(1, "failed"), ask(11, "buy")]), Some("fresh"));
    assert_eq!(found(&report, &bundle, &[json!({ "at": "1s" }), ask(11, "buy")]), Some("fresh"));
    let early = json!({ "at": "1s", "observe": { "stock": { "status": "ok", "observed_at": "999ms" } } });
    assert_eq!(found(&report, &bundle, &[early, ask(11, "buy")]), Some("fresh"));
}

#[test]
fn quarantined_fails_where_nobody_lifted_it() {
    let quarry = json!({ "subject": { "type": "user", "id": "ada" } });
    let quarantine = json!({ "at": "1s", "quarantine": { "what": quarry }, "observe": { "stock": "ok" } });
    let (_, bundle, report) = run(&[quarantine.clone(), json!({ "at": "2s", "lift": quarry }), ask(3, "buy")]);
    assert!(report.steps[2].decision.as_ref().unwrap().is_allow());
    assert_eq!(found(&report, &bundle, &[quarantine, json!({ "at": "2s" }), ask(3, "buy")]), Some("quarantined"));
}

#[test]
fn tightening_fails_where_nobody_left_the_posture() {
    let (_, bundle, report) =
        run(&[json!({ "at": "1s", "enter": "closed" }), json!({ "at": "2s", "leave": "closed" })]);
    let script = [json!({ "at": "1s", "enter": "closed" }), json!({ "at": "2s" })];
    assert_eq!(found(&report, &bundle, &script), Some("tightening"));
}

/// What is found where the policy says something else.
fn found_under(steps: &[Value], pointer: &str, instead: Value) -> Option<&'static str> {
    let (day, _, report) = run(steps);
    let mut other = shop();
    *other.pointer_mut(pointer).unwrap() = instead;
    first(&bundle(&other), &day.drill().unwrap(), &report, &[]).map(|violation| violation.theorem)
}

#[test]
fn permitted_declared_and_expired_fail_under_another_policy() {
    let closed = [json!({ "at": "1s", "enter": "closed", "observe": { "stock": "ok" } }), ask(2, "look")];
    assert_eq!(found_under(&closed, "/postures/0/permits/actions", json!(["buy"])), Some("permitted"));
    let stale = [tell(1, "ok"), ask(2, "look"), tell(3, "failed"), ask(4, "look")];
    assert_eq!(found_under(&stale, "/actions/look/on_failure", json!("deny")), Some("declared"));
    let kept = [tell(1, "ok"), ask(2, "look")];
    assert_eq!(found_under(&kept, "/actions/look/cache/allow", json!("4s")), Some("expired"));
}

#[test]
fn time_fails_where_answers_come_in_another_order() {
    let (day, bundle, mut report) = run(&[tell(1, "ok"), ask(2, "buy"), ask(3, "buy")]);
    report.steps.swap(1, 2);
    assert_eq!(first(&bundle, &day.drill().unwrap(), &report, &[]).map(|found| found.theorem), Some("time"));
}

#[test]
fn same_fails_where_an_answer_differs() {
    let (day, bundle, mut report) = run(&[tell(1, "ok"), ask(2, "buy")]);
    assert_eq!(same(&day, &bundle, &report), None);
    report.decisions_hash[0] ^= 1;
    assert_eq!(same(&day, &bundle, &report).map(|found| found.theorem), Some("same"));
}

#[test]
fn loss_fails_where_the_last_answer_allows() {
    let (day, bundle, _) = run(&[tell(1, "ok"), ask(2, "buy")]);
    assert_eq!(loss(&day, &bundle).map(|found| found.theorem), Some("loss"));
    let (denied, bundle, _) = run(&[tell(1, "ok"), tell(2, "failed"), ask(2, "buy")]);
    assert_eq!(loss(&denied, &bundle), None);
}

#[test]
fn a_fork_loses_signals_or_restarts_at_the_time_of_a_deny() {
    let (day, _, report) =
        run(&[tell(1, "ok"), ask(2, "buy"), json!({ "at": "3s", "enter": "closed" }), ask(4, "buy")]);
    let mut dice = Dice::seeded(1);
    for _ in 0..20 {
        let (forked, denied) = fork(&day, &report, &[("stock".to_owned(), 10_000)], &mut dice).unwrap();
        assert_eq!((forked.steps.len(), denied.is_allow()), (4, false));
        assert_eq!(forked.steps[..3], day.steps[..3]);
        let last = forked.steps[3].as_object().unwrap();
        assert!(last.contains_key("restart") != last.contains_key("observe"), "{last:?}");
    }
}

#[test]
fn the_smallest_day_has_what_it_needs_and_no_more() {
    let (bundle, world) = world("idp-outage");
    let never = [Never { action: "app:open".to_owned(), reason: "allowed_stale".to_owned() }];
    let fails = |day: &Day| lived(day, &bundle, &never).is_ok_and(|(_, found)| found.is_some());
    // Which day has it is chance's; that a day among these has it is certain, by the seeds.
    let day = (0..40).map(|seed| weather::day(&world, seed, 6)).find(fails).unwrap();
    let small = shrink::smallest(&day, &fails, &mut || true);
    assert!(fails(&small));
    for at in 0..small.steps.len() {
        let mut less = small.clone();
        less.steps.remove(at);
        assert!(less.steps.is_empty() || !fails(&less), "step {at} of {:?} is not needed", small.steps);
    }
    // The signals are told ok, an answer is kept, something is lost or runs out, and it is asked again.
    assert!((3..=6).contains(&small.steps.len()), "{:?}", small.steps);
}
