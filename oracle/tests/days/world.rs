//! What there is to play with: a pack of many variants, and requests that meet all of it.

use serde_json::{Value, json};

/// 2025-12-31T23:59:58Z, in milliseconds: one-time codes are of another step soon.
pub(crate) const BEGINS: i64 = 1_767_225_598_000;

pub(crate) const SIGNALS: [&str; 8] = ["a", "b", "c", "d", "e", "q", "h", BREAKER];
/// The signal that is a breaker of the host's calls.
pub(crate) const BREAKER: &str = "g";
pub(crate) const POSTURES: [&str; 4] = ["read-only", "careful", "lockdown", "normal"];
pub(crate) const SCOPES: [Option<&str>; 5] =
    [None, Some("tenant:x"), Some("tenant:y"), Some("region:eu"), Some("planet:mars")];

/// What varies of a bundle: its revision, its validity, and which rules and ways it has, as bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Genes {
    pub(crate) revision: u64,
    pub(crate) valid: Option<(i64, i64)>,
    pub(crate) rules: u32,
    pub(crate) ways: u32,
    /// The terms of its rollout, where it has one.
    pub(crate) rollout: Option<u32>,
    /// Which rules in Rego it has.
    pub(crate) rego: u32,
}

fn rules() -> Vec<Value> {
    let lossy = "the oracle judges what is decided, not what may be lost";
    vec![
        json!({"id": "users-read", "effect": "allow", "action": "file:read", "subject": {"type": "user"},
               "obligations": [{"id": "log", "type": "note", "properties": {}}]}),
        json!({"id": "group-reads", "effect": "allow", "action": ["file:read", "file:list"], "subject": {"groups": ["g0", "g1"]}}),
        json!({"id": "levels-write", "effect": "allow", "action": "file:write", "when": "subject.level >= 3", "minimal": true}),
        json!({"id": "any-of-host", "effect": "allow", "action": "host:*", "resource": {"owner": "s1"}}),
        json!({"id": "minimal-read", "effect": "allow", "minimal": true, "subject": {"level": [1, 2, 3]}}),
        json!({"id": "all", "effect": "allow"}),
        json!({"id": "no-rank", "effect": "deny", "action": "file:*", "when": "context.rank == 1",
               "obligations": [{"id": "tell", "type": "note", "properties": {}}]}),
        json!({"id": "no-secret", "effect": "deny", "absolute": true, "resource": {"path": {"prefix": "/secret"}}}),
        json!({"id": "no-region", "effect": "deny", "subject": {"type": "user", "region": "us"}}),
        json!({"id": "d-only", "effect": "allow", "action": "ping", "when": "signals.d.ok"}),
        json!({"id": "c-failed", "effect": "deny", "action": ["ping", "file:list"], "when": "signals.c.failed"}),
        json!({"id": "b-failed", "effect": "allow", "action": "ping", "when": "!signals.b.failed"}),
        json!({"id": "by-day", "effect": "deny", "action": ["file:read", "ping"], "when": "now >= timestamp('2026-01-01T00:01:00Z')"}),
        json!({"id": "by-minute", "effect": "allow", "action": ["ping", "host:boot"], "when": "now.getMinutes() < 2 && subject.level >= 1"}),
        json!({"id": "by-rank", "effect": "deny", "action": ["file:write", "ping"], "when": "posture.rank >= 1 && subject.level < 4"}),
        json!({"id": "lossy", "effect": "deny", "action": ["file:read", "host:boot"], "when": "has(context.rank) && context.rank == 2",
               "accepts_information_loss": lossy}),
        json!({"id": "lossy-door", "effect": "allow", "action": "file:write", "when": "!signals.q.ok", "accepts_information_loss": lossy}),
        json!({"id": "vip", "effect": "allow", "action": "*", "subject": {"type": "user"}, "when": "subject.vip"}),
        json!({"id": "h-only", "effect": "allow", "action": "ping", "when": "signals.h.ok"}),
        json!({"id": "h-failed", "effect": "deny", "action": "file:list", "when": "signals.h.failed"}),
        json!({"id": "g-well", "effect": "allow", "action": ["ping", "host:boot"], "when": "signals.g.ok"}),
        json!({"id": "g-failed", "effect": "deny", "action": ["file:write", "ping"], "when": "signals.g.failed"}),
        json!({"id": "no-service", "effect": "deny", "action": ["host:boot", "file:list"], "subject": {"type": "service"}}),
        json!({"id": "clocked", "effect": "allow", "action": "file:list", "when": "signals.clock.ok && signals.q.ok"}),
        json!({"id": "alone", "effect": "allow", "action": ["file:list", "host:boot"], "when": "signals.epoch.ok"}),
    ]
}

/// How many rules there are.
pub(crate) const RULES: u32 = 25;

/// What they say in Rego: of an attribute that may be absent, of text, of the posture, of a signal, and of the time.
const REGO: &str = "package days
import rego.v1
default high := false
high if input.subject.properties.level >= 4
deny contains \"it is secret\" if startswith(input.resource.properties.path, \"/secret\")
calm := input.posture.rank == 0
told if input.signals.d.ok
late := time.now_ns() >= 1767225660000000000
";

fn rules_in_rego() -> [Value; 5] {
    let rule = |id: &str, effect: &str, actions: [&str; 2]| json!({"id": format!("rego-{id}"), "effect": effect, "action": actions, "when": {"rego": format!("data.days.{id}")}});
    [
        rule("high", "allow", ["file:write", "ping"]),
        rule("deny", "deny", ["file:read", "host:boot"]),
        rule("calm", "allow", ["file:list", "host:boot"]),
        rule("told", "deny", ["ping", "host:boot"]),
        rule("late", "allow", ["file:list", "file:read"]),
    ]
}

/// How many of those there are.
pub(crate) const RULES_IN_REGO: u32 = 5;

pub(crate) fn document(genes: Genes) -> Value {
    let Genes { revision, valid, rules: which, ways, rollout, rego } = genes;
    let bit = |at: u32| ways >> at & 1 == 1;
    let ways_of = [
        json!("deny"),
        json!("minimal"),
        json!({"serve_cached": {"max_stale": "20s"}}),
        json!({"allow": {"justification": "availability comes first"}}),
    ];
    let way = |at: u32| ways_of[(ways >> at & 3) as usize].clone();
    let cache = |on: bool| if on { json!({"allow": "9s", "deny": "4s"}) } else { json!({"allow": "30s"}) };
    let mut pack = json!({
        "fallgate": 1, "name": "days", "revision": revision,
        "signals": {
            "a": {"ttl": "10s"}, "b": {"ttl": "5s", "recover": {"oks": 2}},
            "c": {"ttl": "8s", "recover": {"for": "3s"}}, "d": {"ttl": "20s", "recover": {"oks": 2, "for": "2s"}},
            "h": {"ttl": "9s", "heartbeat": {"feed": crate::controller::FEED}, "recover": {"oks": 2}},
            "g": {"ttl": "12s", "breaker": {
                "window": 3, "minimum": 2, "failure_rate": 0.5, "open_for": if bit(23) { "5s" } else { "2s" }, "half_open_probes": 2,
            }},
            "q": {"ttl": "7s", "quorum": {"of": ["c", "d", "e"], "need": 2}},
        },
        "schema": {
            "subject": {
                "user": {
                    "groups": ["string"], "level": "int", "region": {"type": "string", "optional": true},
                    "vip": {"type": "bool", "default": false},
                },
                "service": {"groups": ["string"], "level": {"type": "int", "optional": true}},
            },
            "resource": {
                "file": {"path": "string", "tenant": {"type": "string", "optional": true}},
                "host": {"path": "string", "owner": "string"},
            },
            "context": {"rank": {"type": "int", "optional": true}},
        },
        "actions": {
            "file:read": {"class": "read", "requires": ["a"], "on_failure": way(0), "cache": cache(bit(8))},
            "file:write": {"class": "write", "requires": ["b", "a"], "on_failure": way(2), "cache": cache(bit(9))},
            "file:list": {"class": "read", "requires": ["b"], "on_failure": way(4), "cache": {"allow": "2s", "deny": "1ms"}},
            "host:boot": {"class": "admin", "requires": ["q"], "on_failure": way(6), "cache": cache(bit(10))},
            "ping": {"cache": cache(bit(11))},
        },
        "scopes": {"tenant": "resource.tenant", "region": "subject.region"},
        "postures": [
            {"name": "read-only", "rank": 1, "permits": {"classes": ["read"], "actions": ["ping"]},
             "enter": {"when": "!signals.a.ok", "for": "15s"},
             "leave": {"stable": "3s", "dwell": "4s", "checks": ["b"], "back_off": {"within": "20s", "max": "15s"}},
             "escalate": {"to": "lockdown", "after": "12s"}},
            {"name": "careful", "rank": 2, "permits": {"when": "subject.level >= 2"}, "leave": {"dwell": "2s"}},
            {"name": "lockdown", "rank": 9, "permits": {"actions": ["ping", "host:*"]},
             "enter": {"when": "signals.b.failed && signals.c.failed", "for": "4s"}, "leave": {"stable": "1s", "dwell": "1s"}},
        ],
        "rules": rules().into_iter().enumerate().filter(|(at, _)| which >> at & 1 == 1).map(|(_, rule)| rule).collect::<Vec<_>>(),
    });
    // Some of the people have no key, but a secret of one-time codes.
    let key = |name: &str| {
        let secret = bit(28) && bit(29) && crate::people::CODED.contains(&name);
        json!(if secret { crate::people::secret(name) } else { crate::people::public(name) })
    };
    pack["approvers"] = json!({
        "sre": {"sre-1": key("sre-1"), "sre-2": key("sre-2")},
        "security": {
            "sec-1": key("sec-1"), "sec-2": {"key": key("sec-2"), "subject": "user:s2"},
            "s0": key("s0"), "sre-1": key("sre-1"),
        },
    });
    pack["flags"] = json!({"both": {"posture": "careful", "owner": "sre", "max_age": "1h", "approvals": {"need": 1, "from": "sre"}}});
    if !bit(12) {
        pack["overrides"] = json!({
            "need": 2, "from": "security", "max_window": "24h", "max_uses": 3,
            "review": {"id": "review", "type": "review", "properties": {}},
        });
    }
    if bit(13) {
        pack["postures"][1]["leave"]["approvals"] = json!({"need": 1, "from": "sre"});
    }
    if !bit(14) {
        pack["flags"]["alone"] = json!({"posture": "read-only", "owner": "sre", "max_age": "1h"});
    }
    if let Some(level) = [None, Some("none"), Some("denies"), Some("all")][(ways >> 15 & 3) as usize] {
        pack["audit"] = json!({ "level": level });
        let own = [("file:write", "required", 17), ("host:boot", "confirmed", 18), ("file:list", "none", 19)];
        for (action, audit, _) in own.into_iter().filter(|(_, _, at)| bit(*at)) {
            pack["actions"][action]["audit"] = audit.into();
        }
    }
    if bit(20) {
        pack["actions"]["ping"]["requires"] = json!(["h"]);
        pack["actions"]["ping"]["on_failure"] = way(21);
    }
    if bit(24) {
        pack["actions"]["file:list"]["requires"] = json!(["b", "g"]);
    }
    if bit(25) {
        pack["postures"][1]["enter"] = json!({"when": "signals.g.failed", "for": "1s"});
    }
    let checks = [json!([]), json!(["d"]), json!(["a", "h"])];
    if let Some(checks) = checks.get((ways >> 26 & 3) as usize) {
        pack["failover"] = json!({"posture": if bit(12) { "careful" } else { "read-only" }, "checks": checks});
    }
    if rego > 0 {
        let rules = rules_in_rego().into_iter().enumerate().filter(|(at, _)| rego >> at & 1 == 1);
        pack["rules"].as_array_mut().unwrap().extend(rules.map(|(_, rule)| rule));
        pack["rego"] = json!({"days.rego": REGO});
    }
    if let Some(bits) = rollout {
        pack["rollout"] = crate::rollouts::terms(bits);
    }
    if let Some((from, until)) = valid {
        let time = |secs: i64| fallgate::time::Wall::from_millis(BEGINS + secs * 1_000).to_string();
        pack["valid"] = json!({"from": time(from), "until": time(until)});
    }
    pack
}

/// How many bits vary of the ways.
pub(crate) const WAYS: u32 = 30;

/// What varies of a request, as bits and small numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) action: u8,
    pub(crate) subject: u8,
    pub(crate) resource: u8,
    pub(crate) rank: u8,
    pub(crate) terms: u8,
    pub(crate) flaw: u8,
}

pub(crate) fn request(asked: Asked, wall_ms: i64) -> Value {
    let Asked { action, subject, resource, rank, terms, flaw } = asked;
    let action = ["file:read", "file:write", "file:list", "host:boot", "ping", "ping"][usize::from(action % 6)];
    let subject = match subject % 6 {
        0 => json!({"type": "user", "id": "s0", "properties": {"groups": ["g0"], "level": 3}}),
        1 => json!({"type": "user", "id": "s1", "properties": {"groups": [], "level": 1, "region": "eu", "vip": true}}),
        2 => json!({"type": "user", "id": "s2", "properties": {"groups": ["g2", "g1"], "level": 5, "region": "us"}}),
        3 => json!({"type": "service", "id": "s0", "properties": {"groups": ["g1"]}}),
        4 => json!({"type": "service", "id": "s3", "properties": {"groups": [], "level": 2}}),
        _ => json!({"type": "user", "id": "s4", "properties": {"groups": [], "level": 0, "region": "eu"}}),
    };
    let resource = match resource % 6 {
        0 => json!({"type": "file", "id": "f", "properties": {"path": "/a", "tenant": "x"}}),
        1 => json!({"type": "file", "id": "g", "properties": {"path": "/secret/b", "tenant": "y"}}),
        2 => json!({"type": "file", "id": "f", "properties": {"path": "/a"}}),
        3 => json!({"type": "host", "id": "h", "properties": {"path": "/", "owner": "s1"}}),
        4 => json!({"type": "file", "id": "k", "properties": {"path": "/c", "tenant": "z"}}),
        _ => json!({"type": "host", "id": "i", "properties": {"path": "/secret", "owner": "s2"}}),
    };
    let mut request = json!({"subject": subject, "action": {"name": action}, "resource": resource, "context": {}});
    if rank % 5 > 1 {
        request["context"]["rank"] = (rank % 5 - 2).into();
    }
    let time = |ms: i64| json!(fallgate::time::Wall::from_millis(wall_ms + ms).to_string());
    match terms {
        0 => request["context"]["fallgate"] = json!({"min_revision": 3}),
        1 => request["context"]["fallgate"] = json!({"expires_at": time(2_500)}),
        2 => request["context"]["fallgate"] = json!({"expires_at": time(-1)}),
        3 => request["context"]["fallgate"] = json!({"expires_at": time(60_000), "min_revision": 1}),
        _ => {}
    }
    match flaw {
        0 => request["action"]["name"] = "file:burn".into(),
        1 => request["subject"]["type"] = "robot".into(),
        2 => request["subject"]["properties"]["level"] = "high".into(),
        3 => request["resource"]["properties"]["path"] = Value::Null,
        4 => request["context"]["rank"] = json!(1.5),
        5 => request["resource"]["properties"] = json!({}),
        6 => request["context"]["fallgate"] = json!({"expires_at": "soon"}),
        7 => request["resource"]["id"] = "".into(),
        _ => {}
    }
    request
}
