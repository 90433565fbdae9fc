//! What is a request and what is none.

use crate::*;

/// A complete request of each endpoint.
fn complete(endpoint: Endpoint) -> Json {
    let body = question("alice", "read", "record-1");
    match endpoint {
        Endpoint::Evaluation => body,
        Endpoint::Evaluations => with(body, "/evaluations", Some(json!([{}]))),
        Endpoint::SearchSubject => with(body, "/subject/id", None),
        Endpoint::SearchResource => with(body, "/resource/id", None),
        Endpoint::SearchAction => with(body, "/action", None),
    }
}

#[test]
fn a_missing_or_mistyped_required_member_is_refused() {
    let engine = fixture();
    for endpoint in Endpoint::ALL {
        let body = complete(endpoint);
        assert_eq!(status(&engine, endpoint, &body), 200);
        if endpoint == Endpoint::Evaluations {
            continue;
        }
        for member in [
            "/subject",
            "/action",
            "/resource",
            "/subject/type",
            "/subject/id",
            "/action/name",
            "/resource/type",
            "/resource/id",
        ] {
            if body.pointer(member).is_none() {
                continue;
            }
            assert_eq!(
                status(&engine, endpoint, &with(body.clone(), member, None)),
                400,
                "{endpoint:?} without {member}"
            );
            for wrong in [json!(null), json!(5), json!(true), json!([]), json!(""), json!(["a"])] {
                let broken = with(body.clone(), member, Some(wrong.clone()));
                assert_eq!(status(&engine, endpoint, &broken), 400, "{endpoint:?} with {member} {wrong}");
            }
        }
        for (member, wrong) in [
            ("/context", json!([])),
            ("/context", json!("x")),
            ("/subject/properties", json!([])),
            ("/resource/properties", json!(1)),
        ] {
            let broken = with(body.clone(), member, Some(wrong));
            assert_eq!(status(&engine, endpoint, &broken), 400, "{endpoint:?} {broken}");
        }
    }
}

#[test]
fn bytes_that_are_no_request_are_refused() {
    let engine = fixture();
    let twice = br#"{"subject":{"type":"user","id":"alice","id":"bob"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}"#;
    for endpoint in Endpoint::ALL {
        let mut trailing = complete(endpoint).to_string().into_bytes();
        trailing.extend(b" {}");
        let bodies: [&[u8]; 10] = [b"", b" ", b"null", b"5", b"[]", b"\"x\"", b"{", b"\xff\xfe", &trailing, twice];
        for body in bodies {
            let answer = raw(&engine, endpoint, body);
            assert_eq!(answer.status, 400, "{endpoint:?} {}", String::from_utf8_lossy(body));
            let message: Json = serde_json::from_str(&answer.body).unwrap();
            assert!(message.as_str().is_some_and(|message| !message.is_empty()), "{message}");
            assert!(answer.reasons.is_empty());
        }
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let engine = fixture();
    for endpoint in Endpoint::ALL {
        let padded = |bytes| {
            let body = with(complete(endpoint), "/padding", Some(json!("")));
            let missing = bytes - body.to_string().len();
            with(body, "/padding", Some(json!("x".repeat(missing))))
        };
        let most = endpoint.bytes_max(&Limits::DEFAULT);
        assert_eq!(status(&engine, endpoint, &padded(most)), 200, "{endpoint:?}");
        assert_eq!(status(&engine, endpoint, &padded(most + 1)), 413, "{endpoint:?}");
        let long = with(complete(endpoint), "/subject/type", Some(json!("x".repeat(1_025))));
        if endpoint != Endpoint::Evaluations {
            assert_eq!(status(&engine, endpoint, &long), 400, "{endpoint:?}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(raw(&engine, endpoint, deep.as_bytes()).status, 400);
    }
}

#[test]
fn what_is_unknown_in_a_request_is_ignored() {
    let engine = fixture();
    for endpoint in Endpoint::ALL {
        let body = complete(endpoint);
        let mut more = with(body.clone(), "/surprise", Some(json!({ "a": [1] })));
        for member in ["/subject/surprise", "/action/surprise", "/resource/surprise"] {
            if more.pointer(member.rsplit_once('/').unwrap().0).is_some() {
                more = with(more, member, Some(json!([null])));
            }
        }
        if endpoint == Endpoint::Evaluations {
            more = with(more, "/evaluations", Some(json!([{ "surprise": 5 }])));
            more = with(more, "/options", Some(json!({ "surprise": 5 })));
        }
        assert_eq!(ask(&engine, endpoint, &more), ask(&engine, endpoint, &body), "{endpoint:?}");
    }
    // The id of the one that is sought is ignored too, whatever it is.
    for (endpoint, member) in [(Endpoint::SearchSubject, "/subject/id"), (Endpoint::SearchResource, "/resource/id")] {
        for id in [json!("somebody"), json!(5), json!(null)] {
            let named = with(complete(endpoint), member, Some(id));
            assert_eq!(ask(&engine, endpoint, &named), ask(&engine, endpoint, &complete(endpoint)));
        }
    }
    let named = with(complete(Endpoint::SearchAction), "/action", Some(json!(5)));
    assert_eq!(
        ask(&engine, Endpoint::SearchAction, &named),
        ask(&engine, Endpoint::SearchAction, &complete(Endpoint::SearchAction))
    );
}

#[test]
fn what_the_policy_does_not_know_is_a_deny_and_no_mistake() {
    let engine = fixture();
    let reason = |body: &Json| {
        let answer = ask(&engine, Endpoint::Evaluation, body);
        assert_eq!(answer["decision"], false, "{body}");
        answer["context"]["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason(&question("alice", "print", "record-1")), "unknown_action");
    let robot = with(question("alice", "read", "record-1"), "/subject/type", Some(json!("robot")));
    assert_eq!(reason(&robot), "invalid_request");
    let number = with(question("alice", "write", "record-1"), "/resource/properties", Some(json!({ "status": 5 })));
    assert_eq!(reason(&number), "invalid_request");
    let demand =
        with(question("alice", "read", "record-1"), "/context", Some(json!({ "fallgate": { "min_revision": 9 } })));
    assert_eq!(reason(&demand), "revision_too_old");
    let without = Engine::new(Config::default());
    let answer = ask(&without, Endpoint::Evaluation, &question("alice", "read", "record-1"));
    assert_eq!((&answer["decision"], &answer["context"]["reason"]), (&json!(false), &json!("no_policy")));
}

#[test]
fn the_same_request_has_the_same_answer() {
    let engine = fixture();
    for endpoint in Endpoint::ALL {
        let body = complete(endpoint).to_string();
        let first = raw(&engine, endpoint, body.as_bytes());
        assert_eq!(raw(&engine, endpoint, body.as_bytes()), first, "{endpoint:?}");
        assert_eq!(raw(&fixture(), endpoint, body.as_bytes()), first, "{endpoint:?}");
    }
}

#[test]
fn an_evaluation_is_the_decision_of_the_engine() {
    let engine = fixture();
    for body in [question("alice", "read", "record-1"), question("bob", "write", "record-1")] {
        let decision = engine.decide_json(body.to_string().as_bytes(), NOW);
        let answer = raw(&engine, Endpoint::Evaluation, body.to_string().as_bytes());
        assert_eq!(serde_json::from_str::<Json>(&answer.body).unwrap(), decision.to_json());
        assert_eq!(answer.reasons, [decision.reason()]);
    }
}
