//! What the core never names: input and output, clocks, threads, the process and its environment.
//!
//! Clippy refuses some of these as calls (`clippy.toml`). Here the name itself is refused, so that none of them comes
//! in as a type, a trait or an import.

use crate::source::{NamedPath, code_only, paths, tokens, without_tests};

/// Names that the core does not use, and what stands in their place.
const REFUSED: &[(&str, &str)] = &[
    ("std::fs", "the host reads files; take bytes"),
    ("std::net", "the host talks to the network; only the types of addresses are allowed"),
    ("std::io", "the host does I/O; take and give bytes"),
    ("std::os", "the core is the same on every system"),
    ("std::env", "the core reads no environment; take a `Config`"),
    ("std::process", "the core never starts or ends a process"),
    ("std::thread", "the core starts no thread; the host calls `advance`"),
    ("std::time::Instant", "time is an argument; take a `Now`"),
    ("std::time::SystemTime", "time is an argument; take a `Now`"),
    ("std::time::UNIX_EPOCH", "time is an argument; take a `Now`"),
    ("std::hash::RandomState", "the core draws no randomness; the host supplies the key"),
    ("std::collections::hash_map::RandomState", "the core draws no randomness; the host supplies the key"),
    ("core::net", "the host talks to the network; only the types of addresses are allowed"),
];

/// What is allowed below a refused name: what does nothing by itself.
const ALLOWED: &[&str] = &[
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
    "std::net::AddrParseError",
    "std::thread::panicking",
];

/// Modules of which only parts are refused: they are named with the item, so that the item can be seen.
const NAMED_IN_FULL: &[&str] = &["std", "std::time", "std::net", "core::net"];

/// Macros that write to the process's own streams.
const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// Files that may hold state of the process or of a thread, and why there is no other way.
const STATEFUL: &[(&str, &str)] =
    &[("core/src/condition/rego/evaluate.rs", "the Rego evaluator takes its budget and its clock through the process")];

/// What threads share. It comes from `core/src/concurrent.rs`, so that the orders of its steps are tried.
const SHARED: &[&str] = &[
    "std::sync::Barrier",
    "std::sync::Condvar",
    "std::sync::Mutex",
    "std::sync::MutexGuard",
    "std::sync::RwLock",
    "std::sync::atomic",
    "std::sync::mpsc",
    "arc_swap",
    "papaya",
    "parking_lot",
    "seize",
];

/// Files that share by themselves: counters that nothing decides by.
const COUNTERS: &[&str] = &["core/src/telemetry/counts.rs", "core/src/telemetry/latency.rs"];

/// What a file of the core shares between threads past `core/src/concurrent.rs`.
pub(crate) fn shared_elsewhere(path: &str, text: &str) -> Vec<String> {
    if COUNTERS.contains(&path) || path.starts_with("core/src/concurrent") || path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let named = paths(&without_tests(&code_only(text)));
    let shared = named.iter().filter(|named| SHARED.iter().any(|name| named.starts_with(name)));
    let what = |named: &NamedPath| {
        let name = named.parts.join("::");
        format!("{path}:{}: `{name}`; take it from `crate::concurrent`, so that its orders are tried", named.line)
    };
    shared.map(what).collect()
}

/// State that outlives a call without belonging to an engine.
pub(crate) fn global_state(path: &str, text: &str) -> Vec<String> {
    if STATEFUL.iter().any(|(allowed, _)| *allowed == path) {
        return Vec::new();
    }
    let tokens = tokens(&without_tests(&code_only(text)));
    let next = tokens.iter().skip(1).map(|token| token.text.as_str()).chain([""]);
    tokens
        .iter()
        .zip(next)
        // The macro makes state that no engine owns; the crate of its name a value for each thread in one that an engine owns.
        .filter(|(token, next)| token.text == "static" || (token.text == "thread_local" && *next == "!"))
        .map(|(token, _)| {
            format!("{path}:{}: `{}`; keep the state in the engine, or write `const`", token.line, token.text)
        })
        .collect()
}

/// What a file of the core names and should not. Unit tests are left out: they may start threads.
pub(crate) fn forbidden_names(path: &str, text: &str) -> Vec<String> {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let code = without_tests(&code_only(text));
    let mut findings: Vec<String> =
        paths(&code).iter().filter_map(|named| Some(format!("{path}:{}: {}", named.line, refusal(named)?))).collect();
    let tokens = tokens(&code);
    for token in tokens.iter().filter(|token| token.text == "unsafe") {
        findings.push(format!("{path}:{}: `unsafe`; the core has none", token.line));
    }
    for pair in tokens.windows(2) {
        if PRINTING.contains(&pair[0].text.as_str()) && pair[1].text == "!" {
            findings.push(format!("{path}:{}: `{}!`; the core prints nothing: return it", pair[0].line, pair[0].text));
        }
    }
    findings
}

fn refusal(named: &NamedPath) -> Option<String> {
    let text = named.parts.join("::");
    let is_module = |module: &&str| text == **module || text == format!("{module}::*");
    if text != "std" && NAMED_IN_FULL.iter().any(is_module) {
        return Some(format!("`{text}` as a whole; name the item that is used"));
    }
    if ALLOWED.iter().any(|allowed| named.starts_with(allowed)) {
        return None;
    }
    let (name, instead) = REFUSED.iter().find(|(name, _)| named.starts_with(name))?;
    Some(format!("`{text}` (`{name}` is refused in the core); {instead}"))
}

#[test]
fn each_refused_name_is_found() {
    for (name, _) in REFUSED {
        let (parent, item) = name.rsplit_once("::").unwrap();
        for text in [
            format!("use {name}::x;"),
            format!("use {parent}::{{a, {item}::{{self, b}}}};"),
            format!("fn a() {{ {name}::x() }}"),
        ] {
            assert!(!forbidden_names("x.rs", &text).is_empty(), "`{text}` passed");
        }
    }
}

#[test]
fn detours_are_found() {
    for text in [
        "use std::time;\nfn a() { time::Instant::now() }",
        "use std::time::*;",
        "use std::*;",
        "use std::net::TcpStream;",
        "use std::{net::{IpAddr, UdpSocket}};",
        "unsafe { a() }",
        "fn a() { println!(\"a\") }",
    ] {
        assert_eq!(forbidden_names("x.rs", text).len(), 1, "`{text}`");
    }
}

#[test]
fn harmless_names_pass() {
    let text = "use std::net::{IpAddr, Ipv4Addr};\nuse std::time::Duration;\nuse std::fmt;\n// std::fs is not here\n\
                const A: &str = \"unsafe std::env\";\n#[cfg(test)]\nmod tests { use std::thread; }";
    assert!(forbidden_names("x.rs", text).is_empty(), "{:?}", forbidden_names("x.rs", text));
}

#[test]
fn the_finding_names_file_and_line() {
    let found = forbidden_names("core/src/x.rs", "\n\nuse std::fs::File;");
    assert!(found[0].starts_with("core/src/x.rs:3: `std::fs::File`"), "{found:?}");
}

#[test]
fn global_state_is_found() {
    for text in ["static A: Mutex<u8> = b();", "fn a() { static B: OnceLock<u8> = c(); }", "thread_local! { d }"] {
        assert_eq!(global_state("x.rs", text).len(), 1, "`{text}`");
        assert!(STATEFUL.iter().all(|(path, _)| global_state(path, text).is_empty()));
    }
    assert!(global_state("x.rs", "const A: &'static str = \"static\";").is_empty());
    assert!(global_state("x.rs", "use thread_local::ThreadLocal;").is_empty());
}

#[test]
fn what_is_shared_elsewhere_is_found() {
    for text in ["use std::sync::{Arc, Mutex};", "fn a(b: &std::sync::atomic::AtomicU64) {}", "use arc_swap::Guard;"] {
        assert_eq!(shared_elsewhere("core/src/engine/x.rs", text).len(), 1, "`{text}`");
        assert!(shared_elsewhere("core/src/concurrent/x.rs", text).is_empty());
    }
    assert!(shared_elsewhere("core/src/x.rs", "use std::sync::Arc;\nuse crate::concurrent::Mutex;").is_empty());
}
