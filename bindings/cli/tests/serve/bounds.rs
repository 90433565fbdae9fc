//! What a server spends on one caller: so many bytes, so much time, so many connections.

use std::time::{Duration, Instant};

use crate::asking::{post, token_file};
use crate::{EVALUATION, READ, allowed, fixture};

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn a_body_has_a_largest_size() {
    let server = fixture(&[]);
    let padded = |bytes: usize| format!("{}{}", READ, " ".repeat(bytes - READ.len()));
    assert!(allowed(&server.post(EVALUATION, &padded(1 << 20))));
    assert_eq!(server.post(EVALUATION, &padded((1 << 20) + 1)).status, 413);
    // A batch may be larger; a report of signals is smaller.
    let batch = |bytes| padded(bytes).replacen('{', r#"{"evaluations":[{}],"#, 1);
    assert_eq!(server.post("/access/v1/evaluations", &batch((1 << 20) + 1)).status, 200);
    assert_eq!(server.post("/access/v1/evaluations", &padded((4 << 20) + 1)).status, 413);
    assert_eq!(server.post("/v1/signals", &" ".repeat((64 << 10) + 1)).status, 413);
}

#[test]
fn a_body_that_does_not_say_its_size_is_cut_at_the_largest() {
    let server = fixture(&[]);
    let mut connection = server.connect();
    let head = format!(
        "POST {EVALUATION} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    connection.send(head.as_bytes());
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..17 {
        connection.send(chunk.as_bytes());
    }
    assert_eq!(connection.reply().status, 413);
    // A small one in chunks is a request like any other.
    let mut connection = server.connect();
    connection.send(format!("{head}{:x}\r\n{READ}\r\n0\r\n\r\n", READ.len()).as_bytes());
    assert!(allowed(&connection.reply()));
}

/// 128 MiB of bodies are held at once: 32 of the largest batches. One that begins and does not end keeps its room for its
/// time, and no longer; a small one finds room beside it.
#[test]
fn there_is_room_for_so_many_bodies_and_the_next_one_waits() {
    let server = fixture(&["--request-timeout", "3s"]);
    let head = "POST /access/v1/evaluations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let mut silent: Vec<_> = (0..31).map(|_| server.connect()).collect();
    silent.iter_mut().for_each(|silent| silent.send(format!("{head}Content-Length: {}\r\n\r\n", 4 << 20).as_bytes()));
    assert!(allowed(&server.post(EVALUATION, READ)));
    let mut more = server.connect();
    more.send(format!("{head}Content-Length: {}\r\n\r\n", 4 << 20).as_bytes());
    std::thread::sleep(Duration::from_millis(100));
    let started = Instant::now();
    assert!(allowed(&server.post(EVALUATION, READ)));
    assert!(started.elapsed() >= Duration::from_millis(300), "it did not wait: {:?}", started.elapsed());
    assert!(silent.iter_mut().all(|silent| silent.reply().status == 408));
}

#[test]
fn a_head_has_a_largest_size() {
    let server = fixture(&[]);
    let long = "x".repeat(64 << 10);
    let many: Vec<(String, String)> = (0..100).map(|number| (format!("X-{number}"), "x".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for headers in [&[JSON, ("X-Long", &long)][..], &[&[JSON], many.as_slice()].concat()] {
        let mut connection = server.connect();
        connection.send(&post(EVALUATION, headers, READ));
        assert!(connection.next().is_none_or(|reply| reply.status == 431), "{} headers", headers.len());
    }
    assert!(allowed(&server.post(EVALUATION, READ)));
}

#[test]
fn a_slow_body_is_not_waited_for() {
    let server = fixture(&["--request-timeout", "300ms"]);
    let started = Instant::now();
    let mut connection = server.connect();
    let request = post(EVALUATION, &[JSON, ("X-Request-ID", "slow")], READ);
    connection.send(&request[..request.len() - 1]);
    let reply = connection.reply();
    assert_eq!((reply.status, reply.header("x-request-id")), (408, Some("slow")));
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(allowed(&server.post(EVALUATION, READ)));
}

#[test]
fn a_slow_head_is_not_waited_for() {
    let server = fixture(&["--header-timeout", "300ms"]);
    for part in ["", "POST /access/v1/evaluation HTTP/1.1\r\nHost: loc"] {
        let started = Instant::now();
        let mut connection = server.connect();
        connection.send(part.as_bytes());
        assert!(connection.next().is_none_or(|reply| reply.status == 408), "`{part}`");
        assert!(started.elapsed() >= Duration::from_millis(250), "`{part}`");
    }
    // Nor is the head of the next request.
    let mut connection = server.connect();
    connection.send(&post(EVALUATION, &[JSON], READ));
    assert!(allowed(&connection.reply()));
    assert!(connection.next().is_none());
}

#[test]
fn there_are_so_many_connections_and_the_next_one_waits() {
    let server = fixture(&["--connections-max", "2", "--header-timeout", "60s"]);
    let idle = [server.connect(), server.connect()];
    // Both are taken before the third comes.
    std::thread::sleep(Duration::from_millis(100));
    let mut third = server.connect();
    third.send(&post(EVALUATION, &[JSON], READ));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!server.log().contains("endpoint=/access/v1/evaluation"), "{}", server.log());
    drop(idle);
    assert!(allowed(&third.reply()));
}

#[test]
fn a_caller_who_goes_away_harms_nobody() {
    let server = fixture(&["--decisions-max", "1"]);
    for _ in 0..20 {
        let request = post(EVALUATION, &[JSON], READ);
        server.connect().send(&request[..request.len() / 2]);
        server.connect().send(&request);
    }
    assert!(allowed(&server.post(EVALUATION, READ)));
}

#[test]
fn bytes_that_are_no_http_are_refused() {
    let server = fixture(&["--header-timeout", "300ms"]);
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"\xff\xff\xff\xff",
    ] {
        let mut connection = server.connect();
        connection.send(bytes);
        assert!(connection.next().is_none_or(|reply| reply.status >= 400));
    }
    // A size that is said twice would be read as one request here and as two by a proxy.
    let twice = format!(
        "POST {EVALUATION} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nContent-Length: 1\r\n\r\n{READ}",
        READ.len()
    );
    assert_eq!(server.ask(twice.as_bytes()).status, 400);
    assert!(allowed(&server.post(EVALUATION, READ)));
}

#[test]
fn a_log_tells_no_secrets() {
    let server = fixture(&["--token-file", &token_file()]);
    let secret = READ.replace("alice", "a-secret-subject");
    let bearer = ("Authorization", crate::asking::BEARER);
    server.ask(&post(EVALUATION, &[JSON, bearer, ("X-Request-ID", "known")], &secret));
    server.ask(&post(&format!("{EVALUATION}?token={}", crate::asking::TOKEN), &[JSON, bearer], &secret));
    server.ask(&post(EVALUATION, &[JSON, ("Authorization", "Bearer wrong-but-secret-too")], &secret));
    server.ask(&post("/a-secret-path", &[JSON, bearer], &secret));
    server.logs("status=404");
    let log = server.log();
    assert!(log.contains("request_id=\"known\"") && log.contains("status=401"), "{log}");
    assert!(!log.contains("secret") && !log.contains(crate::asking::TOKEN), "{log}");
    assert_eq!(log.lines().filter(|line| line.starts_with("at=")).count(), 4, "{log}");
}
