//! Several questions in one request.

use crate::*;

fn batch(items: &Json) -> Json {
    json!({ "subject": { "type": "user", "id": "alice" }, "action": { "name": "write" }, "evaluations": items })
}

fn record(id: &str) -> Json {
    json!({ "resource": { "type": "record", "id": id } })
}

#[test]
fn a_batch_ends_as_its_semantic_says() {
    let engine = fixture();
    // Alice writes record-1 and not record-2.
    let items = json!([record("record-1"), record("record-2"), record("record-1"), record("record-2")]);
    let denies_first = json!([record("record-2"), record("record-1"), record("record-1")]);
    for (semantic, items, expected) in [
        (None, &items, vec![true, false, true, false]),
        (Some("execute_all"), &items, vec![true, false, true, false]),
        (Some("deny_on_first_deny"), &items, vec![true, false]),
        (Some("permit_on_first_permit"), &items, vec![true]),
        (Some("deny_on_first_deny"), &denies_first, vec![false]),
        (Some("permit_on_first_permit"), &denies_first, vec![false, true]),
    ] {
        let mut body = batch(items);
        if let Some(semantic) = semantic {
            body = with(body, "/options", Some(json!({ "evaluations_semantic": semantic })));
        }
        let answer = ask(&engine, Endpoint::Evaluations, &body);
        assert_eq!(decisions(&answer), expected, "{semantic:?}");
        assert_eq!(answer.as_object().unwrap().len(), 1, "no decision stands beside the evaluations");
    }
}

#[test]
fn an_unknown_semantic_is_refused() {
    let engine = fixture();
    for options in [
        json!({ "evaluations_semantic": "all" }),
        json!({ "evaluations_semantic": "" }),
        json!({ "evaluations_semantic": "Execute_All" }),
        json!({ "evaluations_semantic": 1 }),
        json!({ "evaluations_semantic": null }),
        json!("execute_all"),
    ] {
        let body = with(batch(&json!([record("record-1")])), "/options", Some(options.clone()));
        assert_eq!(status(&engine, Endpoint::Evaluations, &body), 400, "{options}");
        // Where nothing is to be repeated it is refused as well: nobody learns to write it.
        let single = with(question("alice", "read", "record-1"), "/options", Some(options));
        assert_eq!(status(&engine, Endpoint::Evaluations, &single), 400);
    }
}

#[test]
fn an_item_replaces_the_whole_entity() {
    let engine = fixture();
    // The default says archived and admin; an item that names only an id says nothing of either.
    let body = json!({
        "subject": { "type": "user", "id": "alice", "properties": { "role": "admin" } },
        "action": { "name": "write" },
        "resource": { "type": "record", "id": "record-2", "properties": { "status": "archived" } },
        "context": { "fallgate": { "min_revision": 9 } },
        "evaluations": [
            {},
            { "context": {} },
            { "context": {}, "subject": { "type": "user", "id": "alice" } },
            { "context": {}, "resource": { "type": "record", "id": "record-1" } },
            { "context": {}, "resource": { "type": "record", "id": "record-1" }, "action": { "name": "delete" } },
            { "context": {}, "resource": { "type": "record", "id": "record-1" }, "action": { "name": "delete", "properties": { "soft": true } } },
            { "context": {} },
            {},
        ],
    });
    let answer = ask(&engine, Endpoint::Evaluations, &body);
    assert_eq!(decisions(&answer), [false, true, false, true, false, true, true, false]);
    let reasons: Vec<&str> = answer["evaluations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["context"]["reason"].as_str().unwrap())
        .collect();
    assert_eq!((reasons[0], reasons[7]), ("revision_too_old", "revision_too_old"));
}

#[test]
fn an_item_that_fails_is_a_deny_that_says_why() {
    let engine = fixture();
    let items = json!([
        record("record-1"),
        {},
        { "resource": { "type": "record" } },
        { "resource": 5 },
        5,
        { "resource": { "type": "record", "id": "" } },
        { "resource": { "type": "record", "id": "record-1" }, "context": [] },
        { "resource": { "type": "record", "id": "x".repeat(1_025) } },
        record("record-1"),
    ]);
    let answer = ask(&engine, Endpoint::Evaluations, &batch(&items));
    assert_eq!(decisions(&answer), [true, false, false, false, false, false, false, false, true]);
    for (at, item) in answer["evaluations"].as_array().unwrap().iter().enumerate().skip(1).take(7) {
        let error = &item["context"]["error"];
        assert_eq!(error["status"], 400, "item {at}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "item {at}");
        let reason = if at == 7 { "limit_exceeded" } else { "invalid_request" };
        assert_eq!(item["context"]["reason"], reason, "item {at}");
    }
    // A failure is a deny for the semantics too.
    let first = with(batch(&items), "/options", Some(json!({ "evaluations_semantic": "deny_on_first_deny" })));
    assert_eq!(decisions(&ask(&engine, Endpoint::Evaluations, &first)), [true, false]);
    // What is wrong beside the items is wrong for all of them.
    for (member, wrong) in [
        ("/subject", json!(5)),
        ("/action", json!({})),
        ("/context", json!([])),
        ("/evaluations", json!({})),
        ("/evaluations", json!(null)),
    ] {
        let broken = with(batch(&json!([record("record-1")])), member, Some(wrong));
        assert_eq!(status(&engine, Endpoint::Evaluations, &broken), 400, "{broken}");
    }
}

#[test]
fn an_absent_or_empty_batch_is_a_single_evaluation() {
    let engine = fixture();
    let single = question("alice", "read", "record-1");
    let answer = ask(&engine, Endpoint::Evaluation, &single);
    assert_eq!(answer["decision"], true);
    assert_eq!(ask(&engine, Endpoint::Evaluations, &single), answer);
    assert_eq!(ask(&engine, Endpoint::Evaluations, &with(single, "/evaluations", Some(json!([])))), answer);
    assert_eq!(status(&engine, Endpoint::Evaluations, &json!({ "evaluations": [] })), 400);
    assert_eq!(status(&engine, Endpoint::Evaluations, &json!({})), 400);
}

#[test]
fn a_batch_has_so_many_items_and_no_more() {
    let engine = fixture();
    let most = batch(&json!(vec![record("record-1"); Limits::DEFAULT.batch_max]));
    let answer = raw(&engine, Endpoint::Evaluations, most.to_string().as_bytes());
    assert_eq!((answer.status, answer.reasons.len()), (200, 1_000));
    assert!(answer.reasons.iter().all(|reason| *reason == Reason::AllowedByRule));
    // An item is no larger than a request.
    let item = |values| {
        let list = json!({ "list": vec![1; values] });
        json!([{ "resource": { "type": "record", "id": "record-1", "properties": list } }, record("record-1")])
    };
    let allowed = |values| decisions(&ask(&engine, Endpoint::Evaluations, &batch(&item(values))));
    assert_eq!(allowed(9_000), [true, true]);
    assert_eq!(allowed(10_000), [false, true]);
    let more = batch(&json!(vec![record("record-1"); Limits::DEFAULT.batch_max + 1]));
    assert_eq!(status(&engine, Endpoint::Evaluations, &more), 400);
    let values = batch(
        &json!([{ "resource": { "type": "record", "id": "record-1", "properties": { "list": vec![1; 100_000] } } }]),
    );
    assert_eq!(status(&engine, Endpoint::Evaluations, &values), 400);
}
