//! The example, started as a process of its own and called over TCP, while its identity provider is lost and returns.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test fails by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "it waits for a process, and for no longer than a minute")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take before the test gives up; nothing that passes takes as long.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a source answers.
const OK: u8 = 0;
const UNAVAILABLE: u8 = 1;
const HANGS_UP: u8 = 2;

/// A source of a signal, as far as the example sees it.
struct Source {
    address: SocketAddr,
    mood: Arc<AtomicU8>,
}

impl Source {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, mood) = (listener.local_addr().unwrap(), Arc::new(AtomicU8::new(OK)));
        let seen = Arc::clone(&mood);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let answer: &[u8] = match seen.load(Ordering::SeqCst) {
                    OK => b"HTTP/1.0 200 OK\r\n\r\n",
                    UNAVAILABLE => b"HTTP/1.0 503 Service Unavailable\r\n\r\n",
                    _ => b"",
                };
                // Whoever has hung up already needs no answer.
                let _ = stream.read(&mut [0; 256]).and_then(|_| stream.write_all(answer));
            }
        });
        Self { address, mood }
    }

    fn set(&self, mood: u8) {
        self.mood.store(mood, Ordering::SeqCst);
    }
}

/// The example, which ends with the test.
struct Service {
    child: Child,
    lines: BufReader<ChildStdout>,
    address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Service {
    /// Starts it on a port that the system chooses, and reads from its first line which one that is.
    fn start(sources: &[(&str, &Source)]) -> Self {
        // `cargo test` builds the examples of a package with its tests, beside the folder that they are in; with
        // `--test example` it does not.
        let tests = std::env::current_exe().unwrap();
        let built: PathBuf = tests.parent().unwrap().parent().unwrap().join("examples/axum");
        let mut command = Command::new(built);
        command.arg("127.0.0.1:0").stdout(Stdio::piped());
        for (name, source) in sources {
            command.arg(format!("{name}={}", source.address));
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut service = Self { child, lines, address: String::new() };
        let line = service.line();
        service.address = line.strip_prefix("listening on http://").unwrap().to_owned();
        service
    }

    /// The next line of its output.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What a request comes to: the status, and the text, or the reason of the problem document.
    fn ask(&self, user: &str, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let user = if user.is_empty() { String::new() } else { format!("x-user: {user}\r\n") };
        write!(stream, "{request} HTTP/1.1\r\nhost: desk\r\nconnection: close\r\n{user}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if !head.contains("application/problem+json") {
            return (status, body.trim_end().to_owned());
        }
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        (status, problem["reason"].as_str().unwrap().to_owned())
    }

    /// Asks until the answer is this one.
    fn comes_to(&self, user: &str, request: &str, status: u16, text: &str) {
        let started = Instant::now();
        loop {
            let answer = self.ask(user, request);
            if answer == (status, text.to_owned()) {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{request} stays at {answer:?}, which should come to {status} {text}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

const READ: &str = "GET /payments/p-17";
const READ_ANOTHER: &str = "GET /payments/q-5";
const REFUND: &str = "POST /payments/p-17/refunds?amount=2500";
const WAS_READ: &str = "a payment: allowed_by_rule staff-read-their-merchants-payments";
const IS_STILL_READ: &str = "a payment: allowed_stale staff-read-their-merchants-payments";
const REFUNDED: &str = "refunded: allowed_by_rule agents-refund-within-their-limit";

fn is_denied(answer: (u16, String), reason: &str) {
    assert_eq!(answer, (403, reason.to_owned()));
}

#[test]
fn the_identity_provider_is_lost_and_returns() {
    let (idp, ledger_a, ledger_b) = (Source::start(), Source::start(), Source::start());
    let mut service = Service::start(&[("idp", &idp), ("ledger-a", &ledger_a), ("ledger-b", &ledger_b)]);
    service.comes_to("ana", REFUND, 200, REFUNDED);
    assert_eq!(service.line(), "notified payer of /payments/p-17/refunds");
    assert_eq!(service.ask("ana", READ), (200, WAS_READ.to_owned()));

    for failure in [UNAVAILABLE, HANGS_UP] {
        idp.set(failure);
        service.comes_to("ana", REFUND, 403, "signal_unavailable");
        // What was allowed before is allowed on: for whom it was, and of what it was.
        assert_eq!(service.ask("ana", READ), (200, IS_STILL_READ.to_owned()));
        is_denied(service.ask("ana", READ_ANOTHER), "signal_unavailable");
        is_denied(service.ask("otto", READ), "signal_unavailable");

        idp.set(OK);
        service.comes_to("ana", REFUND, 200, REFUNDED);
        assert_eq!(service.line(), "notified payer of /payments/p-17/refunds");
        assert_eq!(service.ask("ana", READ), (200, WAS_READ.to_owned()));
    }
}

#[test]
fn nonsense_is_denied_and_the_next_request_is_not() {
    let (idp, ledger_a, ledger_b) = (Source::start(), Source::start(), Source::start());
    let service = Service::start(&[("idp", &idp), ("ledger-a", &ledger_a), ("ledger-b", &ledger_b)]);
    service.comes_to("ana", REFUND, 200, REFUNDED);
    for amount in ["", "amount=", "amount=2500&amount=1", "amount=1e3", "amount=9223372036854775808"] {
        is_denied(service.ask("ana", &format!("POST /payments/p-17/refunds?{amount}")), "invalid_request");
    }
    for amount in ["12001", "9223372036854775807"] {
        is_denied(service.ask("ana", &format!("POST /payments/p-17/refunds?amount={amount}")), "denied_by_rule");
    }
    is_denied(service.ask("ana", "POST /payments/p-17/refunds?amount=-1"), "no_matching_rule");
    for user in ["", "nobody"] {
        is_denied(service.ask(user, READ), "invalid_request");
    }
    assert_eq!(service.ask("ana", REFUND), (200, REFUNDED.to_owned()));
}

#[test]
fn a_service_that_knows_nothing_allows_nothing() {
    let service = Service::start(&[]);
    is_denied(service.ask("ana", READ), "signal_unavailable");
    is_denied(service.ask("ana", REFUND), "signal_unavailable");
}
