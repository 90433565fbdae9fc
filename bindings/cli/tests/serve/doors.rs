//! Who may ask: loopback, a token, a socket of one's own, TLS.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};

use crate::asking::{BEARER, Connection, Server, TOKEN, command, pack, post, token_file};
use crate::{EVALUATION, READ, allowed, fixture};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// The exit code of a server that must not start, and what it says.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = command(&pack("authzen-certification"), arguments).output().unwrap();
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn an_address_that_others_reach_needs_a_token() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let (code, message) = refused(&["--listen", address]);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains("--token-file"), "{message}");
    }
    let server = fixture(&["--listen", "0.0.0.0:0", "--token-file", &token_file()][2..]);
    assert_eq!(server.get("/healthz").status, 200);
    let open =
        Server::start_at(&pack("authzen-certification"), &["--listen", "0.0.0.0:0", "--token-file", &token_file()]);
    open.logs("the token travels in the clear");
}

#[test]
fn a_token_opens_and_nothing_else_does() {
    let server = fixture(&["--token-file", &token_file()]);
    let lower = format!("bearer {TOKEN}");
    for right in [BEARER, &lower] {
        assert!(allowed(&server.ask(&post(EVALUATION, &[JSON, ("Authorization", right)], READ))), "{right}");
    }
    let (short, long, other) = (&BEARER[..BEARER.len() - 1], format!("{BEARER}x"), format!("Basic {TOKEN}"));
    for wrong in ["", "Bearer", "Bearer ", short, &long, &other, TOKEN] {
        let reply = server.ask(&post(EVALUATION, &[JSON, ("Authorization", wrong)], READ));
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer")), "{wrong}");
    }
    let twice = [JSON, ("Authorization", BEARER), ("Authorization", BEARER)];
    assert_eq!(server.ask(&post(EVALUATION, &twice, READ)).status, 401);
    for path in ["/access/v1/evaluations", "/access/v1/search/subject", "/v1/signals", "/nowhere"] {
        assert_eq!(server.post(path, READ).status, 401, "{path}");
    }
    assert_eq!(server.get("/metrics").status, 401);
    assert_eq!((server.get("/healthz").status, server.get("/.well-known/authzen-configuration").status), (200, 200));
}

#[test]
fn a_token_that_is_none_does_not_start_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    for text in ["", "short\n", "two words that are long\n"] {
        std::fs::write(&path, text).unwrap();
        let (code, message) = refused(&["--token-file", path.to_str().unwrap()]);
        assert_eq!(code, Some(3), "{message}");
        assert!(!message.contains("two words"), "{message}");
    }
    assert_eq!(refused(&["--token-file", folder.path().join("none").to_str().unwrap()]).0, Some(3));
}

/// A page of another name that a browser on this machine has opened reaches loopback, under that name.
#[test]
fn loopback_answers_to_the_names_of_this_machine() {
    let server = fixture(&["--public-url", "https://pdp.example.com/path"]);
    let named = |host: &str| {
        let request = String::from_utf8(post(EVALUATION, &[JSON], READ)).unwrap();
        server.ask(request.replace("Host: localhost", &format!("Host: {host}")).as_bytes()).status
    };
    for host in ["localhost", "127.0.0.1:8180", "[::1]:8180", "pdp.example.com", server.host()] {
        assert_eq!(named(host), 200, "{host}");
    }
    for host in
        ["evil.example", "127.0.0.1.evil.example", "192.0.2.1", "pdp.example.com.evil.example", "pdp.example.com:1"]
    {
        assert_eq!(named(host), 421, "{host}");
    }
    let described = server.get("/.well-known/authzen-configuration").json();
    assert_eq!(described["access_evaluation_endpoint"], "https://pdp.example.com/path/access/v1/evaluation");
    assert_eq!(refused(&["--public-url", "pdp.example.com"]).0, Some(2));
}

#[test]
fn a_socket_is_its_owners() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pdp.sock");
    let socket = path.to_str().unwrap();
    let pack = pack("authzen-certification");
    let mut server = Server::start_at(&pack, &["--socket", socket]);
    assert_eq!(server.url(), format!("unix:{socket}"));
    assert!(allowed(&server.post(EVALUATION, READ)));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(server.get("/.well-known/authzen-configuration").json()["policy_decision_point"], "http://localhost");
    // Another server does not take it away.
    let (code, message) = refused(&["--socket", socket]);
    assert_eq!(code, Some(3), "{message}");
    assert!(allowed(&server.post(EVALUATION, READ)));
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.ended(), Some(0));
    assert!(!path.exists());
    // What a server left that was killed is no hindrance; what is no socket is.
    let killed = Server::start_at(&pack, &["--socket", socket]);
    drop(killed);
    assert!(path.exists());
    assert!(allowed(&Server::start_at(&pack, &["--socket", socket]).post(EVALUATION, READ)));
    let file = folder.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    assert_eq!(refused(&["--socket", file.to_str().unwrap()]).0, Some(3));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
}

/// A certificate for `localhost`, and the files of it.
fn certificate(folder: &Path) -> (CertificateDer<'static>, String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (chain, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (made.cert.der().clone(), chain.to_str().unwrap().to_owned(), key.to_str().unwrap().to_owned())
}

/// A connection with TLS, by a client that trusts this certificate and no other.
fn secured(server: &Server, trusted: &CertificateDer<'static>) -> Connection {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let stream = std::net::TcpStream::connect(server.host()).unwrap();
    Connection(Box::new(StreamOwned::new(client, stream)))
}

#[test]
fn tls_is_spoken_by_both_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (trusted, chain, key) = certificate(folder.path());
    let server =
        fixture(&["--tls-cert", &chain, "--tls-key", &key, "--token-file", &token_file(), "--header-timeout", "300ms"]);
    assert!(server.url().starts_with("https://"));
    let mut connection = secured(&server, &trusted);
    for _ in 0..2 {
        connection.send(&post(EVALUATION, &[JSON, ("Authorization", BEARER)], READ));
        assert!(allowed(&connection.reply()));
    }
    connection.send(&post(EVALUATION, &[JSON], READ));
    assert_eq!(connection.reply().status, 401);
    let mut connection = secured(&server, &trusted);
    connection.send(b"GET /.well-known/authzen-configuration HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(connection.reply().json()["policy_decision_point"], server.url());
    // In the clear there is nothing to hear.
    let mut plain = server.connect();
    plain.send(&post(EVALUATION, &[JSON, ("Authorization", BEARER)], READ));
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut plain.0, &mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    // And one who connects and is silent is not waited for.
    assert!(server.connect().next().is_none());
}

#[test]
fn a_key_that_does_not_fit_does_not_start_a_server() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ((_, chain, key), (_, _, foreign)) = (certificate(one.path()), certificate(other.path()));
    let missing = one.path().join("none");
    for (chain, key) in
        [(&chain, &foreign), (&key, &key), (&chain, &chain), (&chain, &missing.to_str().unwrap().to_owned())]
    {
        let (code, message) = refused(&["--listen", "127.0.0.1:0", "--tls-cert", chain, "--tls-key", key]);
        assert_eq!(code, Some(3), "{message}");
        assert!(!message.contains("PRIVATE KEY"), "{message}");
    }
    assert_eq!(refused(&["--tls-cert", &chain]).0, Some(2));
}
