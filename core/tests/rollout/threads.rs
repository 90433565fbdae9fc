//! Readers on real threads while bundles are staged, promoted and rolled back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;

use super::*;

/// A bundle whose rule is named after its revision; every other one denies guests.
fn bundle(revision: u64) -> Bundle {
    changed(revision, |pack| {
        pack["rules"][0]["id"] = json!(format!("readers-{revision}"));
        pack["rollout"]["canary"] = json!(["50%"]);
        pack["rollout"]["sample"] = json!(1);
        if revision.is_multiple_of(2) {
            let rule =
                json!({ "id": format!("no-guests-{revision}"), "effect": "deny", "subject": { "roles": "guest" } });
            pack["rules"].as_array_mut().unwrap().push(rule);
        } else {
            pack["rollout"]["newly_allows"] = json!(["doc:read"]);
        }
    })
}

#[test]
fn each_decision_is_of_one_revision_while_rollouts_come_and_go() {
    let engine = Engine::new(Config::default());
    engine.activate(bundle(1), secs(0)).unwrap();
    let (done, decided, new) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (engine, done, decided, new) = (&engine, &done, &decided, &new);
            scope.spawn(move || {
                let mut number = 0_u32;
                while !done.load(Ordering::Relaxed) {
                    number += 1;
                    let guest = number.is_multiple_of(2);
                    let roles: &[&str] = if guest { &["reader", "guest"] } else { &["reader"] };
                    let asked = request(&format!("u{thread}-{}", number % 50), roles, "doc:read");
                    let active = engine.bundle().unwrap().revision();
                    let decision = decide(engine, &asked, secs(1));
                    let revision = decision.revision();
                    let denied = guest && revision.is_multiple_of(2);
                    assert_eq!(decision.is_allow(), !denied, "{decision:?}");
                    let rule = if denied { format!("no-guests-{revision}") } else { format!("readers-{revision}") };
                    assert_eq!(decision.rule(), Some(rule.as_str()));
                    decided.fetch_add(1, Ordering::Relaxed);
                    if revision > active {
                        new.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for revision in 2..40_u64 {
            engine.stage(bundle(revision), secs(1)).unwrap();
            for _ in 0..20 {
                std::thread::sleep(std::time::Duration::from_millis(1));
                let _ = engine.promote(secs(1));
            }
            let _ = engine.roll_back(secs(1));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(decided.load(Ordering::Relaxed) > 1_000);
    assert!(new.load(Ordering::Relaxed) > 0, "some were on the candidate's side");
    assert!(engine.bundle().unwrap().revision() > 1, "some came through");
}
