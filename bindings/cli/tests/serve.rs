//! `fallgate serve`, as a process of its own, asked over real sockets.

#![cfg(all(unix, feature = "serve"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test fails by panicking, and owns a clock and threads"
)]

#[path = "serve/asking.rs"]
mod asking;
#[path = "serve/bounds.rs"]
mod bounds;
#[path = "serve/doors.rs"]
mod doors;
#[path = "serve/records.rs"]
mod records;
#[path = "serve/running.rs"]
mod running;

use asking::{Reply, Server, post};

const READ: &str =
    r#"{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}"#;
const EVALUATION: &str = "/access/v1/evaluation";

/// A server of the certification's fixture.
fn fixture(arguments: &[&str]) -> Server {
    Server::start("authzen-certification", arguments)
}

fn allowed(reply: &Reply) -> bool {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["decision"].as_bool().unwrap()
}

#[test]
fn every_endpoint_answers() {
    let server = fixture(&[]);
    assert!(allowed(&server.post(EVALUATION, READ)));
    let batch = format!(r#"{{"evaluations":[{READ},{}]}}"#, READ.replace("alice", "carol"));
    let reply = server.post("/access/v1/evaluations", &batch).json();
    assert_eq!(
        (&reply["evaluations"][0]["decision"], &reply["evaluations"][1]["decision"]),
        (&true.into(), &false.into())
    );
    for (sought, without, expected) in [
        ("subject", r#""id":"alice""#, r#"[{"id":"alice","type":"user"},{"id":"bob","type":"user"}]"#),
        ("resource", r#""id":"record-1""#, r#"[{"id":"record-1","type":"record"},{"id":"record-2","type":"record"}]"#),
        ("action", "", r#"[{"name":"read"},{"name":"write"}]"#),
    ] {
        let body = READ.replace(without, r#""ignored":1"#);
        let body = if sought == "action" { READ.replace(r#""action":{"name":"read"},"#, "") } else { body };
        let reply = server.post(&format!("/access/v1/search/{sought}"), &body);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["results"].to_string(), expected);
        assert_eq!(reply.json()["page"]["next_token"], "");
    }
    let described = server.get("/.well-known/authzen-configuration").json();
    assert_eq!(described["policy_decision_point"], server.url());
    assert_eq!(described["access_evaluation_endpoint"], format!("{}{EVALUATION}", server.url()));
    assert_eq!(server.get("/healthz").json()["status"], "ok");
    for reply in [server.post(EVALUATION, READ), server.get("/.well-known/authzen-configuration")] {
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
}

#[test]
fn the_same_request_has_the_same_decision() {
    let server = fixture(&[]);
    let decision = |_: i32| {
        let mut reply = server.post(EVALUATION, READ).json();
        // The identifier of a decision tells when it was made.
        reply["context"].as_object_mut().unwrap().remove("id").unwrap();
        reply
    };
    assert_eq!(decision(1), decision(2));
}

#[test]
fn what_is_no_request_is_a_bad_request() {
    let server = fixture(&[]);
    for body in [
        "",
        " ",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"subject":1}"#,
        &READ.replace(r#""type":"user","#, ""),
        &format!("{READ}{READ}"),
    ] {
        for path in [EVALUATION, "/access/v1/evaluations", "/access/v1/search/subject"] {
            let reply = server.post(path, body);
            assert_eq!((reply.status, reply.json().is_string()), (400, true), "{path} {body}");
        }
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/json-seq", ""] {
        let reply = server.ask(&post(EVALUATION, &[("Content-Type", content_type)], READ));
        assert_eq!(reply.status, 400, "{content_type}");
    }
    assert_eq!(server.ask(&post(EVALUATION, &[], READ)).status, 400, "no content type");
    let with_charset = post(EVALUATION, &[("Content-Type", "application/json; charset=utf-8")], READ);
    assert!(allowed(&server.ask(&with_charset)));
    assert_eq!(server.get(EVALUATION).status, 405);
    assert_eq!(server.get("/access/v1/evaluation/").status, 404);
    // What the policy does not know is no mistake of the protocol.
    assert!(!allowed(&server.post(EVALUATION, &READ.replace("\"user\"", "\"robot\""))));
}

#[test]
fn a_request_identifier_comes_back_whatever_the_answer() {
    let server = fixture(&["--token-file", &asking::token_file()]);
    let json = ("Content-Type", "application/json");
    let token = ("Authorization", asking::BEARER);
    let id = ("X-Request-ID", "bfe9eb29 \"quoted\" \\ 5736");
    for (head, status) in [
        (post(EVALUATION, &[json, token, id], READ), 200),
        (post(EVALUATION, &[json, token, id], "{"), 400),
        (post(EVALUATION, &[token, id], READ), 400),
        (post(EVALUATION, &[json, id], READ), 401),
        (post("/nowhere", &[json, token, id], READ), 404),
        (post("/metrics", &[json, token, id], READ), 405),
        (post(EVALUATION, &[json, token, id], &" ".repeat((1 << 20) + 1)), 413),
    ] {
        let reply = server.ask(&head);
        assert_eq!((reply.status, reply.header("x-request-id")), (status, Some(id.1)));
    }
    for none in [String::new(), "x".repeat(257), "tab\there".to_owned()] {
        let reply = server.ask(&post(EVALUATION, &[json, token, ("X-Request-ID", &none)], READ));
        assert_eq!((reply.status, reply.header("x-request-id")), (200, None), "{none:?}");
    }
    assert_eq!(server.ask(&post(EVALUATION, &[json, token], READ)).header("x-request-id"), None);
}

#[test]
fn the_metrics_count_what_was_answered() {
    let server = fixture(&[]);
    server.post(EVALUATION, READ);
    server.post(EVALUATION, &READ.replace("alice", "carol"));
    server.post(EVALUATION, "{");
    server.get("/a/hidden/path");
    let reply = server.get("/metrics");
    assert_eq!(reply.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let text = reply.text();
    for line in [
        "fallgate_requests_total{endpoint=\"/access/v1/evaluation\",status=\"200\"} 2",
        "fallgate_requests_total{endpoint=\"/access/v1/evaluation\",status=\"400\"} 1",
        "fallgate_requests_total{endpoint=\"other\",status=\"404\"} 1",
        "fallgate_decisions_total{effect=\"allow\",reason=\"allowed_by_rule\",family=\"allowed\"} 1",
        "fallgate_decisions_total{effect=\"deny\",reason=\"no_matching_rule\",family=\"policy\"} 1",
        "fallgate_request_seconds_count{endpoint=\"/access/v1/evaluation\"} 3",
        "fallgate_policy_revision 1.0",
        "fallgate_decision_duration_seconds_count{effect=\"deny\"} 1",
        "# UNIT fallgate_request_seconds seconds",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n") && !text.contains("hidden"));
}

#[test]
fn many_at_once_get_the_same_decisions() {
    let server = fixture(&["--connections-max", "8", "--decisions-max", "3"]);
    std::thread::scope(|scope| {
        for number in 0..16 {
            let server = &server;
            scope.spawn(move || {
                let who = if number % 2 == 0 { "alice" } else { "carol" };
                for _ in 0..10 {
                    assert_eq!(allowed(&server.post(EVALUATION, &READ.replace("alice", who))), number % 2 == 0);
                }
            });
        }
    });
    assert!(
        server
            .get("/metrics")
            .text()
            .contains("fallgate_requests_total{endpoint=\"/access/v1/evaluation\",status=\"200\"} 160")
    );
}

#[test]
fn a_connection_takes_one_request_after_the_other() {
    let server = fixture(&[]);
    let mut connection = server.connect();
    for body in [READ, "{", READ] {
        connection.send(&post(EVALUATION, &[("Content-Type", "application/json")], body));
        let reply = connection.reply();
        assert_eq!(reply.status, if body == READ { 200 } else { 400 });
    }
}
