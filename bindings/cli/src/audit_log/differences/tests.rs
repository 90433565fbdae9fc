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
fn what_one_allows_and_another_denies_is_told_once_until_they_agree() {
    let mut all = differences();
    assert!(answer(&mut all, 0, 0, true).is_empty());
    let found = all.take(1, 60 * SECOND, &decided(&ann(), 3, false));
    let says = ["denies (signal_unavailable)", "allows (allowed_by_rule)"].map(str::to_owned);
    let about = "user:ann read doc:d".to_owned();
    assert_eq!(found, [Difference { kind: Kind::Answers, chain: 1, seq: 7, from: Some(0), says, about }]);
    assert!(answer(&mut all, 0, 61, true).is_empty(), "it was told");
    assert!(answer(&mut all, 1, 62, true).is_empty(), "they agree");
    assert_eq!(answer(&mut all, 0, 63, false), ["answers_differ"]);
    // A third differs from the one that denies.
    assert_eq!(answer(&mut all, 2, 64, true), ["answers_differ"]);
}

#[test]
fn answers_that_lie_further_apart_are_not_compared_nor_those_of_one_engine() {
    let mut all = differences();
    assert!(answer(&mut all, 0, 0, true).is_empty());
    assert!(answer(&mut all, 0, 1, false).is_empty(), "an engine may change its mind");
    assert!(answer(&mut all, 1, 62, true).is_empty(), "a minute and a second later");
    assert_eq!(all.questions.len(), 1, "what is older is forgotten");
}

#[test]
fn a_question_that_is_concealed_is_compared_only_where_likeness_shows() {
    for (email, is_compared) in [
        (json!({ "redacted": "5f".repeat(32) }), true),
        (json!({ "redacted": true }), false),
        (json!({ "committed": "5f".repeat(32) }), false),
        (json!("ann@example.org"), true),
    ] {
        let mut all = differences();
        let subject = json!({ "type": "user", "id": "ann", "emails": [email] });
        assert!(all.take(0, 0, &decided(&subject, 3, true)).is_empty());
        let found = all.take(1, SECOND, &decided(&subject, 3, false));
        assert_eq!(codes(&found).len(), usize::from(is_compared), "{subject}");
    }
    // Another attribute is another question, and no question is none.
    let mut all = differences();
    assert!(answer(&mut all, 0, 0, true).is_empty());
    let other = json!({ "type": "user", "id": "ann", "team": "x" });
    assert!(all.take(1, SECOND, &decided(&other, 3, false)).is_empty());
    let unread =
        json!({ "request": null, "decision": { "decision": false, "context": { "reason": "invalid_request" } } });
    assert!(all.take(1, SECOND, &record(RecordKind::Decision, unread)).is_empty());
}

#[test]
fn engines_may_lag_behind_for_as_long_as_they_are_told() {
    let mut all = differences();
    let mut decide = |chain: usize, second: i128, revision: u64| {
        let subject = json!({ "type": "user", "id": format!("{chain}-{second}") });
        codes(&all.take(chain, second * SECOND, &decided(&subject, revision, true)))
    };
    assert!(decide(0, 0, 3).is_empty());
    assert!(decide(1, 0, 3).is_empty());
    assert!(decide(0, 100, 4).is_empty());
    assert!(decide(1, 160, 3).is_empty(), "a minute behind");
    assert_eq!(decide(1, 161, 3), ["revisions_differ"]);
    assert!(decide(0, 200, 4).is_empty(), "it was told");
    assert!(decide(1, 300, 4).is_empty(), "it has caught up");
    // Whoever goes back differs too.
    assert!(decide(1, 400, 3).is_empty());
    assert_eq!(decide(0, 461, 4), ["revisions_differ"]);
}

#[test]
fn two_sides_of_a_canary_are_no_lag() {
    let mut all = differences();
    for second in 0..500 {
        for (chain, revision) in [(0, 3), (1, 3 + u64::from(second % 7 == 0))] {
            let subject = json!({ "type": "user", "id": format!("{chain}-{second}") });
            assert!(all.take(chain, second * SECOND, &decided(&subject, revision, true)).is_empty());
        }
    }
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
    assert!(all.take(1, 0, &decided(&subject(0), 3, false)).is_empty());
    assert_eq!(codes(&all.take(1, 0, &decided(&subject(QUESTIONS_MAX), 3, false))), ["answers_differ"]);
}
