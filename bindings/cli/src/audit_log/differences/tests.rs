//! Of differences between engines, each with the records that show it, and those that look like it and do not.

#![allow(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

use serde_json::json;

use super::*;

const SECOND: i128 = 1_000_000_000;

fn differences() -> Differences {
    Differences::within(Ttl::from_secs(60))
}

fn record(kind: RecordKind, body: Value) -> Record {
    Record { seq: 7, at: "2026-01-01T00:00:00Z".to_owned(), kind, body, hash: [0; 32] }
}

fn decided(subject: &Value, revision: u64, allows: bool) -> Record {
    let request = json!({
        "subject": subject, "action": { "name": "read" }, "resource": { "type": "doc", "id": "d" },
        // Each engine's host has a name of its own for it.
        "request_id": revision.to_string(), "traceparent": allows.to_string(),
    });
    let reason = if allows { "allowed_by_rule" } else { "signal_unavailable" };
    let context = json!({ "bundle": "shop", "revision": revision, "reason": reason });
    record(RecordKind::Decision, json!({ "request": request, "decision": { "decision": allows, "context": context } }))
}

fn ann() -> Value {
    json!({ "type": "user", "id": "ann" })
}

fn event(body: Value) -> Record {
    record(RecordKind::Bundle, body)
}

fn codes(found: &[Difference]) -> Vec<&'static str> {
    found.iter().map(|found| found.kind.code()).collect()
}

/// Takes a decision of a chain about ann, so many seconds after the start.
fn answer(differences: &mut Differences, chain: usize, second: i128, allows: bool) -> Vec<&'static str> {
    codes(&differences.take(chain, second * SECOND, &decided(&ann(), 3, allows)))
}

#[test]
fn what_one_allows_before_and_after_another_denies_it_is_told_once() {
    let mut all = differences();
    assert!(answer(&mut all, 0, 0, true).is_empty());
    assert!(answer(&mut all, 1, 10, false).is_empty(), "the world may have changed");
    let found = all.take(0, 60 * SECOND, &decided(&ann(), 3, true));
    let says = ["allows (allowed_by_rule)", "denies (signal_unavailable)"].map(str::to_owned);
    let about = "user:ann read doc:d".to_owned();
    assert_eq!(found, [Difference { kind: Kind::Answers, chain: 0, seq: 7, from: Some(1), says, about }]);
    assert!(answer(&mut all, 1, 61, false).is_empty(), "it was told");
    assert!(answer(&mut all, 0, 62, false).is_empty(), "they agree");
    assert!(answer(&mut all, 0, 63, true).is_empty());
    assert_eq!(answer(&mut all, 1, 64, false), ["answers_differ"], "of the one that changed its mind and back");
    assert!(answer(&mut all, 0, 65, true).is_empty(), "it was told");
}

#[test]
fn a_change_that_reaches_all_of_them_is_no_difference() {
    let mut all = differences();
    for (chain, second, allows) in
        [(0, 0, true), (1, 5, true), (0, 11, false), (1, 12, false), (1, 20, true), (0, 21, true)]
    {
        assert!(answer(&mut all, chain, second, allows).is_empty(), "{chain} at {second}");
    }
}

#[test]
fn answers_that_lie_further_apart_are_not_compared_nor_those_of_one_engine_or_of_two_bundles() {
    let mut all = differences();
    assert!(answer(&mut all, 0, 0, true).is_empty());
    assert!(answer(&mut all, 0, 1, false).is_empty(), "an engine may change its mind");
    assert!(answer(&mut all, 1, 62, true).is_empty(), "a minute and a second later");
    assert_eq!(all.questions.len(), 1, "what is older is forgotten");
    let mut all = differences();
    for (chain, second, bundle, allows) in [(0, 0, "shop", true), (1, 1, "bank", false), (0, 2, "shop", true)] {
        let mut record = decided(&ann(), 3, allows);
        record.body["decision"]["context"]["bundle"] = bundle.into();
        assert!(all.take(chain, second * SECOND, &record).is_empty());
    }
}

#[test]
fn a_question_that_is_concealed_is_compared_only_where_likeness_shows() {
    for (email, is_compared) in [
        (json!({ "redacted": "5f".repeat(32) }), true),
        (json!({ "redacted": true }), false),
        (json!({ "committed": "5f".repeat(32) }), false),
        (json!("ann@example.org"), true),
    ] {
        let subject = json!({ "type": "user", "id": "ann", "emails": [email] });
        let (found, uncompared) = around(&subject, &subject);
        assert_eq!((found.len(), uncompared), (usize::from(is_compared), if is_compared { 0 } else { 3 }), "{subject}");
    }
    // A text in which another one was concealed; and an attribute that has the name of a mark.
    assert_eq!(around(&json!({ "type": "user", "id": "[redacted]" }), &ann()).1, 2);
    let named = json!({ "type": "user", "id": "ann", "redacted": true });
    assert_eq!(around(&named, &named).0, ["answers_differ"]);
    // Another attribute is another question, and no question is none.
    let other = json!({ "type": "user", "id": "ann", "team": "x" });
    assert!(around(&ann(), &other).0.is_empty());
    let unread =
        json!({ "request": null, "decision": { "decision": false, "context": { "reason": "invalid_request" } } });
    assert!(differences().take(1, SECOND, &record(RecordKind::Decision, unread)).is_empty());
}

/// One engine allows, another denies, and the first allows again: what that shows, and how many could not be compared.
fn around(one: &Value, other: &Value) -> (Vec<&'static str>, u64) {
    let mut all = differences();
    all.take(0, 0, &decided(one, 3, true));
    all.take(1, SECOND, &decided(other, 3, false));
    (codes(&all.take(0, 2 * SECOND, &decided(one, 3, true))), all.uncompared())
}

/// Decisions of chains by revisions at these seconds: the seconds at which a difference is told.
fn decisions(said: &[(usize, i128, u64)]) -> Vec<i128> {
    let mut all = differences();
    let mut told = Vec::new();
    for (chain, second, revision) in said {
        let subject = json!({ "type": "user", "id": format!("{chain}-{second}") });
        let found = all.take(*chain, second * SECOND, &decided(&subject, *revision, true));
        told.extend(found.iter().map(|found| (found.kind == Kind::Revisions).then_some(*second).unwrap()));
    }
    told
}

#[test]
fn engines_may_lag_behind_for_as_long_as_they_are_told() {
    let steady = |chain: usize, from: i128, until: i128, revision: u64| {
        (from..until).step_by(10).map(move |second| (chain, second, revision))
    };
    let both = |one: Vec<(usize, i128, u64)>, other: Vec<(usize, i128, u64)>| {
        let mut all = [one, other].concat();
        all.sort_by_key(|(_, second, _)| *second);
        decisions(&all)
    };
    let early: Vec<_> = steady(0, 0, 100, 3).chain(steady(0, 100, 400, 4)).collect();
    // Told a minute after the first change of mind, and not at all.
    let late: Vec<_> = steady(1, 0, 160, 3).chain(steady(1, 160, 400, 4)).collect();
    assert_eq!(both(early.clone(), late), [] as [i128; 0]);
    let never: Vec<_> = steady(1, 0, 400, 3).collect();
    assert_eq!(both(early.clone(), never), [170], "and once");
    // One that falls silent is not compared, nor one that begins.
    let silent: Vec<_> = steady(1, 0, 100, 3).collect();
    assert_eq!(both(early.clone(), silent), [] as [i128; 0]);
    let begins: Vec<_> = steady(1, 390, 400, 3).collect();
    assert_eq!(both(early, begins), [] as [i128; 0]);
}

#[test]
fn two_sides_of_a_canary_are_no_lag_and_hide_none() {
    let sides = |other: u64| -> Vec<(usize, i128, u64)> {
        let both = |second: i128| [(0, second, 3 + u64::from(second % 7 == 0)), (1, second, other)];
        (0..500).flat_map(both).collect()
    };
    assert_eq!(decisions(&sides(3)), [] as [i128; 0]);
    assert_eq!(decisions(&sides(4)), [] as [i128; 0]);
    assert_eq!(decisions(&sides(2)).len(), 1);
}

/// An engine that begins anew activates the bundle that it had: that hides nothing.
#[test]
fn a_restart_shows_a_lag_as_a_decision_does() {
    let mut all = differences();
    let activated = |revision: u64| {
        event(
            json!({ "event": "bundle_activated", "bundle": "shop", "revision": revision, "digest": revision.to_string() }),
        )
    };
    let mut told = Vec::new();
    for second in (0..600).step_by(10) {
        let found = if second % 120 == 0 { activated(3) } else { decided(&json!({ "id": second }), 3, true) };
        told.extend(codes(&all.take(0, second * SECOND, &found)));
        told.extend(codes(&all.take(1, second * SECOND, &decided(&json!({ "id": second + 1 }), 4, true))));
    }
    assert_eq!(told, ["revisions_differ"]);
}

#[test]
fn one_revision_is_one_bundle_and_one_epoch_one_engine() {
    let mut all = differences();
    let activated = |digest: &str, revision: u64| {
        event(json!({ "event": "bundle_activated", "bundle": "shop", "revision": revision, "digest": digest }))
    };
    assert!(all.take(0, 0, &activated("aa", 3)).is_empty());
    assert!(all.take(1, 0, &activated("aa", 3)).is_empty());
    assert!(all.take(1, 0, &activated("bb", 4)).is_empty());
    let found = all.take(0, SECOND, &activated("cc", 4));
    assert_eq!((codes(&found), found[0].from), (vec!["bundles_differ"], Some(1)));
    assert_eq!((&*found[0].about, found[0].says.clone()), ("shop 4", ["cc", "bb"].map(str::to_owned)));
    assert!(all.take(0, 2 * SECOND, &activated("cc", 4)).is_empty(), "it was told");
    let took_over = |epoch: u64| event(json!({ "event": "took_over", "epoch": epoch }));
    assert!(all.take(0, 0, &took_over(1)).is_empty());
    assert!(all.take(0, 0, &took_over(1)).is_empty());
    assert!(all.take(1, 0, &took_over(2)).is_empty());
    let found = all.take(0, 0, &took_over(2));
    assert_eq!((codes(&found), found[0].from), (vec!["two_active"], Some(1)));
    let split = event(json!({ "event": "split_brain", "epoch": 3, "instance": "eu-9" }));
    let found = all.take(0, 0, &split);
    assert_eq!((codes(&found), found[0].from, &*found[0].about), (vec!["two_active"], None, "epoch 3"));
    assert_eq!(found[0].says, ["is active", "eu-9 is active"].map(str::to_owned));
    // What says less than it should shows nothing.
    for name in ["bundle_activated", "took_over"] {
        assert!(all.take(0, 0, &event(json!({ "event": name }))).is_empty());
    }
}

#[test]
fn questions_beyond_the_bound_are_forgotten_the_oldest_first() {
    let mut all = differences();
    let subject = |number: usize| json!({ "type": "user", "id": number.to_string() });
    for number in 0..QUESTIONS_MAX + 10 {
        all.take(0, 0, &decided(&subject(number), 3, true));
    }
    assert_eq!((all.questions.len(), all.order.len()), (QUESTIONS_MAX, QUESTIONS_MAX));
    for (number, is_known) in [(0, false), (QUESTIONS_MAX, true)] {
        all.take(1, 0, &decided(&subject(number), 3, false));
        let again = all.take(0, 0, &decided(&subject(number), 3, true));
        assert_eq!(again.len(), usize::from(is_known), "{number}");
    }
    // Names as well, and texts that no engine writes.
    for number in 0..NAMES_MAX as u64 + 10 {
        all.take(0, 0, &event(json!({ "event": "took_over", "epoch": number })));
        let bundle =
            json!({ "event": "bundle_activated", "bundle": number.to_string(), "revision": 1, "digest": "aa" });
        all.take(0, 0, &event(bundle));
    }
    assert_eq!([all.active.len(), all.bundles.len(), all.standings.len()], [NAMES_MAX; 3]);
    let long = json!({ "event": "bundle_activated", "bundle": "x".repeat(1_000), "revision": 1, "digest": "aa" });
    all.take(0, 0, &event(long));
    assert!(!all.standings.keys().any(|bundle| bundle.len() > TEXT_BYTES_MAX));
}
