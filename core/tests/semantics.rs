//! Rules of `docs/SPEC.md` that no drill, property or table shows by itself: one small law each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use fallgate::condition::Status;
use fallgate::error::Code;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Decision, Engine, Observation, Reason, Request};
use serde_json::{Value, json};

/// Both clocks, that many milliseconds after their start.
fn at(millis: u64) -> Now {
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(i64::try_from(millis).unwrap()))
}

fn load(document: &Value) -> Bundle {
    Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .unwrap_or_else(|error| panic!("{:#?}", error.diagnostics()))
}

/// A pack with these rules, changed as the test needs it.
fn pack(rules: Value, change: impl FnOnce(&mut Value)) -> Bundle {
    let optional = |of: &str| json!({"type": of, "optional": true});
    let mut document = json!({
        "fallgate": 1, "name": "test", "revision": 3,
        "signals": {"idp": {"ttl": "10s"}, "feed": {"ttl": "10s"}},
        "schema": {
            "subject": {"user": {
                "level": optional("int"), "roles": {"type": ["string"], "optional": true}, "name": optional("string"),
                "guest": {"type": "bool", "default": true}, "until": optional("timestamp"),
            }},
        },
        "actions": {"read": {"cache": {"allow": "1m", "deny": "1m"}}, "write": {"requires": ["idp"]}},
        "rules": rules,
    });
    change(&mut document);
    load(&document)
}

fn engine(bundle: Bundle) -> Engine {
    let engine = Engine::new(Config::default());
    engine.activate(bundle, at(0)).unwrap();
    engine
}

fn request(action: &str, properties: Value) -> Value {
    json!({
        "subject": {"type": "user", "id": "ann", "properties": properties},
        "action": {"name": action}, "resource": {"type": "doc", "id": "d"},
    })
}

fn ask(engine: &Engine, request: &Value, millis: u64) -> Decision {
    engine.decide_json(request.to_string().as_bytes(), at(millis))
}

/// The reason of a first decision by these rules on reading.
fn reason(rules: Value, properties: Value) -> Reason {
    ask(&engine(pack(rules, |_| {})), &request("read", properties), 1).reason()
}

fn allow(when: &str) -> Value {
    json!([{"id": "rule", "effect": "allow", "when": when}])
}

#[test]
fn the_gates_speak_in_their_order() {
    // Everything is wrong at once, and is mended from the first gate on.
    let rules = json!([{"id": "no", "effect": "deny"}]);
    let mut asked = request("erase", json!({"level": "high"}));
    asked["context"] = json!({"fallgate": {"min_revision": "new"}});
    let engine = Engine::new(Config::default());
    assert_eq!(engine.decide_json(b"{", at(1)).reason(), Reason::InvalidRequest, "before there is anything to decide");
    assert_eq!(ask(&engine, &asked, 1).reason(), Reason::NoPolicy);
    let ended = pack(rules.clone(), |document| document["valid"] = json!({"until": "1969-01-01T00:00:00Z"}));
    engine.activate(ended, at(1)).unwrap();
    assert_eq!(ask(&engine, &asked, 1).reason(), Reason::PolicyExpired);
    engine.activate(pack(rules, |document| document["revision"] = json!(4)), at(1)).unwrap();
    assert_eq!(ask(&engine, &asked, 1).reason(), Reason::InvalidRequest, "the terms");
    asked["context"] = json!({"fallgate": {"min_revision": 5}});
    assert_eq!(ask(&engine, &asked, 1).reason(), Reason::RevisionTooOld);
    asked["context"] = json!({});
    assert_eq!(ask(&engine, &asked, 1).reason(), Reason::UnknownAction);
    asked["action"]["name"] = "write".into();
    assert_eq!(ask(&engine, &asked, 1).reason(), Reason::InvalidRequest, "the schema");
    asked["subject"]["properties"] = json!({});
    assert_eq!(ask(&engine, &asked, 1).reason(), Reason::SignalUnavailable);
    engine.observe(&Observation::ok("idp"), at(1));
    assert_eq!(ask(&engine, &asked, 1).reason(), Reason::DeniedByRule);
}

#[test]
fn what_nobody_declared_is_ignored() {
    let engine = engine(pack(allow("subject.level == 1"), |_| {}));
    let mut asked = request("read", json!({"level": 1, "shoe_size": {"of": [43]}}));
    asked["options"] = json!({"x": 1});
    asked["subject"]["extra"] = json!(true);
    assert_eq!(ask(&engine, &asked, 1).reason(), Reason::AllowedByRule);
}

#[test]
fn an_attribute_that_is_absent_is_its_default_or_indeterminate() {
    let denies = |when: &str| json!([{"id": "all", "effect": "allow"}, {"id": "rule", "effect": "deny", "when": when}]);
    assert_eq!(reason(denies("subject.guest"), json!({})), Reason::DeniedByRule);
    assert_eq!(reason(denies("subject.guest"), json!({"guest": false})), Reason::AllowedByRule);
    assert_eq!(reason(denies("subject.level > 1"), json!({})), Reason::Indeterminate);
    assert_eq!(reason(denies("subject.level > 1"), json!({"level": 1})), Reason::AllowedByRule);
    assert_eq!(reason(allow("subject.level > 1"), json!({})), Reason::Indeterminate);
}

#[test]
fn a_type_is_never_made_of_another() {
    let read = |properties: Value| reason(json!([{"id": "all", "effect": "allow"}]), properties);
    assert_eq!(read(json!({"level": 1})), Reason::AllowedByRule);
    for wrong in [json!("1"), json!(1.0), json!(true), json!(null), json!([1])] {
        assert_eq!(read(json!({"level": wrong})), Reason::InvalidRequest, "{wrong}");
    }
    assert_eq!(read(json!({"until": "2026-01-01T00:00:00Z"})), Reason::AllowedByRule);
    assert_eq!(read(json!({"until": "new year"})), Reason::InvalidRequest);
}

#[test]
fn every_clause_of_a_match_part_has_to_hold() {
    let rules = json!([{"id": "rule", "effect": "allow", "resource": {"type": "doc"},
                        "subject": {"roles": ["clerk", "auditor"], "name": {"prefix": "an"}}}]);
    let reason = |properties: Value| reason(rules.clone(), properties);
    assert_eq!(reason(json!({"roles": ["guest", "auditor"], "name": "anna"})), Reason::AllowedByRule);
    assert_eq!(reason(json!({"roles": ["guest"], "name": "anna"})), Reason::NoMatchingRule);
    assert_eq!(reason(json!({"roles": ["clerk"], "name": "joanna"})), Reason::NoMatchingRule);
    assert_eq!(reason(json!({"roles": ["clerk"]})), Reason::Indeterminate, "an absent attribute");
    assert_eq!(reason(json!({"roles": ["guest"]})), Reason::NoMatchingRule, "one that is false settles it");
}

#[test]
fn an_action_is_named_whole_or_by_how_it_begins() {
    let decided = |pattern: Value, action: &str| {
        let rules = json!([{"id": "rule", "effect": "allow", "action": pattern}]);
        let bundle = pack(rules, |document| {
            document["actions"] = json!({"doc:read": {}, "doc:write": {}, "docs": {}});
        });
        ask(&engine(bundle), &request(action, json!({})), 1).is_allow()
    };
    for (pattern, allowed) in [
        (json!("doc:read"), [true, false, false]),
        (json!("doc:*"), [true, true, false]),
        (json!(["doc:read", "docs"]), [true, false, true]),
        (json!("*"), [true, true, true]),
    ] {
        let found = ["doc:read", "doc:write", "docs"].map(|action| decided(pattern.clone(), action));
        assert_eq!(found, allowed, "{pattern}");
    }
}

#[test]
fn the_rule_that_is_named_is_the_first_by_id_and_all_true_ones_oblige() {
    let obligation = |id: &str| json!([{"id": id, "type": "t"}]);
    let rules = json!([
        {"id": "c", "effect": "allow", "obligations": obligation("of-c")},
        {"id": "a", "effect": "allow", "obligations": obligation("of-a")},
        {"id": "b", "effect": "allow", "when": "subject.level > 1", "obligations": obligation("of-b")},
        {"id": "z", "effect": "deny", "when": "subject.name == 'zed'", "obligations": obligation("of-z")},
    ]);
    let engine = engine(pack(rules, |_| {}));
    let decided = |properties: Value| {
        let decision = ask(&engine, &request("read", properties), 1);
        let obligations: Vec<String> = decision.obligations().iter().map(|one| one.id.to_string()).collect();
        (decision.rule().map(str::to_owned), obligations.join(" "))
    };
    assert_eq!(decided(json!({"name": "ann"})), (Some("a".into()), "of-a of-c".into()), "b is indeterminate");
    assert_eq!(decided(json!({"name": "ann", "level": 2})), (Some("a".into()), "of-a of-b of-c".into()));
    assert_eq!(decided(json!({"name": "zed", "level": 2})), (Some("z".into()), "of-z".into()));
}

#[test]
fn the_same_question_has_the_same_answer_byte_for_byte() {
    let rules = allow("subject.level > 1 && signals.feed.ok");
    let decided = || {
        let engine = engine(pack(rules.clone(), |_| {}));
        engine.observe(&Observation::ok("feed"), at(3));
        ask(&engine, &request("read", json!({"level": 2})), 5).to_json().to_string()
    };
    assert_eq!(decided(), decided());
}

/// With the cache and without it a decision is the same.
#[test]
fn an_answer_that_is_given_again_says_all_that_the_first_one_said() {
    let obligation = |id: &str| json!([{"id": id, "type": "t", "properties": {"of": id}}]);
    let rules = json!([
        {"id": "a", "effect": "allow", "subject": {"type": "user", "guest": true}, "obligations": obligation("of-a"),
         "accepts_information_loss": "guests are whoever does not say otherwise"},
        {"id": "b", "effect": "allow", "when": "subject.level > 1", "obligations": obligation("of-b")},
        {"id": "z", "effect": "deny", "when": "subject.name == 'zed'", "obligations": obligation("of-z")},
    ]);
    for properties in [
        json!({"name": "ann", "level": 2}),
        json!({"name": "ann", "level": 0, "guest": true}),
        json!({"name": "zed", "level": 2}),
        json!({"name": "ann", "level": 0, "guest": false}),
    ] {
        let engine = engine(pack(rules.clone(), |_| {}));
        let [first, again] = [(); 2].map(|()| ask(&engine, &request("read", properties.clone()), 5));
        assert_eq!((first.cached(), again.cached()), (false, true), "{properties}");
        let said = |decision: &Decision| {
            let mut json = decision.to_json();
            json["context"]["cached"].take();
            json
        };
        assert_eq!(said(&first), said(&again));
        assert_eq!(first.obligations().is_empty(), properties["guest"] == json!(false), "{properties}");
    }
}

#[test]
fn an_observation_looks_older_and_never_younger() {
    let engine = engine(pack(json!([]), |_| {}));
    let seen = Now::new(Monotonic::from_nanos(1_900_000), Wall::from_nanos(1_900_000));
    engine.observe(&Observation::ok("idp"), seen);
    engine.advance(at(10_001));
    assert_eq!(engine.signal("idp"), Some(Status::Ok));
    engine.advance(Now::new(Monotonic::from_nanos(10_001_000_001), Wall::from_millis(10_001)));
    assert_eq!(engine.signal("idp"), Some(Status::Unknown), "ten seconds after 1 ms, not after 2");
}

#[test]
fn the_built_in_signals_say_how_the_engine_stands() {
    let valid = |document: &mut Value| document["valid"] = json!({"until": "1970-01-01T00:00:05Z"});
    let engine = engine(pack(json!([]), valid));
    let all = |engine: &Engine| ["clock", "engine", "bundle", "epoch"].map(|name| engine.signal(name));
    assert_eq!(all(&engine), [Some(Status::Ok); 4]);
    engine.advance(at(5_000));
    assert_eq!(all(&engine), [Some(Status::Ok), Some(Status::Ok), Some(Status::Failed), Some(Status::Ok)]);
    engine.advance(Now::new(Monotonic::from_millis(5_001), Wall::from_millis(60_000)));
    assert_eq!(all(&engine), [Some(Status::Failed), Some(Status::Ok), Some(Status::Failed), Some(Status::Ok)]);
}

#[test]
fn a_first_bundle_is_taken_and_denies_with_its_reason() {
    for (valid, expected) in [
        (json!({"from": "1970-01-01T00:00:05Z"}), Reason::PolicyNotYetValid),
        (json!({"until": "1970-01-01T00:00:00Z"}), Reason::PolicyExpired),
    ] {
        let engine = engine(pack(json!([{"id": "all", "effect": "allow"}]), |document| document["valid"] = valid));
        assert_eq!(ask(&engine, &request("read", json!({})), 1).reason(), expected);
    }
    let from = json!({"from": "1970-01-01T00:00:05Z"});
    let engine = engine(pack(json!([{"id": "all", "effect": "allow"}]), |document| document["valid"] = from));
    assert_eq!(ask(&engine, &request("read", json!({})), 4_999).reason(), Reason::PolicyNotYetValid);
    assert_eq!(ask(&engine, &request("read", json!({})), 5_000).reason(), Reason::AllowedByRule);
}

#[test]
fn a_change_of_a_signal_that_rules_read_voids_an_answer() {
    let engine = engine(pack(allow("signals.feed.ok"), |_| {}));
    engine.observe(&Observation::ok("feed"), at(0));
    let asked = request("read", json!({}));
    assert_eq!(ask(&engine, &asked, 1).expires_in_ms(), 10_000, "the signal's freshness comes before the minute");
    assert!(ask(&engine, &asked, 2).cached());
    engine.observe(&Observation::failed("feed"), at(3));
    assert_eq!(ask(&engine, &asked, 3).reason(), Reason::NoMatchingRule);
    engine.observe(&Observation::ok("idp"), at(4));
    assert!(ask(&engine, &asked, 4).cached(), "another signal is nothing to it");
}

#[test]
fn an_answer_ends_with_the_next_boundary_of_a_time_condition() {
    let expires = |when: &str| {
        let engine = engine(pack(allow(when), |_| {}));
        ask(&engine, &request("read", json!({"until": "1971-01-01T00:00:00Z"})), 1_000).expires_in_ms()
    };
    assert_eq!(expires("now < timestamp('1970-01-01T00:00:09Z')"), 8_000);
    assert_eq!(expires("now < timestamp('1980-01-01T00:00:00Z')"), 60_000);
    assert_eq!(expires("now.getMinutes() == 0"), 59_000);
    assert_eq!(expires("now < subject.until"), 0, "nobody knows when it changes next");
}

/// Of two signals for want of either of which nothing is allowed, the same one is named whichever rule needs it.
#[test]
fn which_missing_signal_is_named_does_not_depend_on_the_rules_order() {
    let missed = |first: &str, second: &str| {
        let rule =
            |id: &str, signal: &str| json!({"id": id, "effect": "allow", "when": format!("!signals.{signal}.failed")});
        let decision =
            ask(&engine(pack(json!([rule("a", first), rule("b", second)]), |_| {})), &request("read", json!({})), 1);
        assert_eq!((decision.reason(), decision.degraded().len()), (Reason::SignalUnavailable, 1));
        decision.degraded()[0].to_string()
    };
    assert_eq!((missed("idp", "feed"), missed("feed", "idp")), ("feed".to_owned(), "feed".to_owned()));
}

#[test]
fn the_clock_is_named_as_missing_only_where_it_is_alone() {
    let by_time = json!({"id": "a", "effect": "allow", "when": "now > timestamp('1970-01-01T00:00:00Z')"});
    let by_signal = json!({"id": "b", "effect": "allow", "when": "!signals.idp.failed"});
    for (rules, expected) in [(json!([by_time, by_signal]), "idp"), (json!([by_time]), "clock")] {
        let engine = engine(pack(rules, |_| {}));
        let parted = Now::new(Monotonic::from_millis(1), Wall::from_millis(3_600_000));
        let decision = engine.decide_json(request("read", json!({})).to_string().as_bytes(), parted);
        assert_eq!(decision.reason(), Reason::SignalUnavailable);
        assert_eq!(decision.degraded().iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn a_first_activation_anchors_the_clocks_as_they_were_read() {
    let engine = Engine::new(Config::default());
    engine.advance(at(10_000));
    let both = |monotonic: u64, wall: i64| Now::new(Monotonic::from_millis(monotonic), Wall::from_millis(wall));
    // The monotonic clock has gone back by six seconds, and both go on from there.
    engine.activate(pack(allow("true"), |_| {}), both(4_000, 10_000)).unwrap();
    engine.advance(both(9_000, 15_000));
    assert_eq!(engine.signal("clock"), Some(Status::Ok));
    // Five seconds is what they may differ; from where it is held it would be eleven.
    engine.advance(both(14_001, 15_000));
    assert_eq!(engine.signal("clock"), Some(Status::Failed));
}

/// An engine whose action `write` is served from earlier answers while the identity provider is gone.
fn serving(allow: &str) -> Engine {
    let engine = engine(pack(json!([{"id": "rule", "effect": "allow", "when": "!signals.feed.failed"}]), |document| {
        document["actions"]["write"]["on_failure"] = json!({"serve_cached": {"max_stale": "1m"}});
        document["actions"]["write"]["cache"] = json!({"allow": allow});
    }));
    for signal in ["idp", "feed"] {
        engine.observe(&Observation::ok(signal), at(0));
    }
    engine
}

#[test]
fn what_stands_in_ends_with_what_it_rested_on_when_it_was_made() {
    let engine = serving("30s");
    let asked = request("write", json!({}));
    assert_eq!(ask(&engine, &asked, 0).reason(), Reason::AllowedByRule);
    // The feed is heard again before its first report has ended: it is ok all the time.
    engine.observe(&Observation::ok("feed"), at(5_000));
    engine.observe(&Observation::failed("idp"), at(5_000));
    assert_eq!(ask(&engine, &asked, 10_000).reason(), Reason::AllowedStale);
    assert_eq!(ask(&engine, &asked, 10_001).reason(), Reason::SignalUnavailable);
    assert_eq!(engine.signal("feed"), Some(Status::Ok));
}

#[test]
fn the_latest_answer_to_a_question_is_the_one_that_stands_in() {
    let engine = serving("2s");
    let asked = request("write", json!({}));
    let mut ending = asked.clone();
    ending["context"] = json!({"fallgate": {"expires_at": "1970-01-01T00:00:05Z"}});
    assert_eq!(ask(&engine, &asked, 0).reason(), Reason::AllowedByRule);
    assert_eq!(ask(&engine, &ending, 3_000).reason(), Reason::AllowedByRule);
    engine.observe(&Observation::failed("idp"), at(4_000));
    assert_eq!(ask(&engine, &asked, 4_999).reason(), Reason::AllowedStale);
    // The answer of the beginning would have stood; it made room for one that ends.
    assert_eq!(ask(&engine, &asked, 5_000).reason(), Reason::SignalUnavailable);
}

#[test]
fn what_could_not_be_established_is_never_kept() {
    let engine = engine(pack(allow("subject.level > 1"), |_| {}));
    let asked = request("read", json!({}));
    for millis in [1, 2] {
        let decision = ask(&engine, &asked, millis);
        assert_eq!((decision.reason(), decision.cached(), decision.expires_in_ms()), (Reason::Indeterminate, false, 0));
    }
    assert_eq!(engine.counters().cached_decisions, 0);
}

#[test]
fn what_is_decided_without_a_required_signal_is_not_kept() {
    for (on_failure, expected) in [
        (json!("deny"), Reason::SignalUnavailable),
        (json!("minimal"), Reason::AllowedMinimal),
        (json!({"allow": {"justification": "a shop window"}}), Reason::AllowedFailOpen),
    ] {
        let rules = json!([{"id": "all", "effect": "allow", "minimal": true}]);
        let engine = engine(pack(rules, |document| {
            document["actions"]["write"]["on_failure"] = on_failure;
            document["actions"]["write"]["cache"] = json!({"allow": "1m", "deny": "1m"});
        }));
        for millis in [1, 2] {
            let decision = ask(&engine, &request("write", json!({})), millis);
            assert_eq!((decision.reason(), decision.cached(), decision.expires_in_ms()), (expected, false, 0));
        }
        assert_eq!(engine.counters().cached_decisions, 0);
    }
}

#[test]
fn one_costly_rule_takes_nothing_from_another() {
    let items = format!("[{}]", vec!["1"; 100].join(","));
    let costly = format!("{items}.all(a, {items}.all(b, {items}.all(c, a + b + c == 3)))");
    let rules =
        json!([{"id": "a", "effect": "allow", "when": costly}, {"id": "b", "effect": "allow", "when": "1 + 1 == 2"}]);
    let decision = ask(&engine(pack(rules, |_| {})), &request("read", json!({})), 1);
    assert_eq!((decision.reason(), decision.rule()), (Reason::AllowedByRule, Some("b")));
    let rules = json!([{"id": "a", "effect": "deny", "when": costly}, {"id": "b", "effect": "allow"}]);
    assert_eq!(reason(rules, json!({})), Reason::Indeterminate);
}

#[test]
fn rego_decides_a_protected_action_only_where_the_action_says_why() {
    let mut document = json!({
        "fallgate": 1, "name": "test", "revision": 1, "actions": {"read": {"protected": true}},
        "rego": {"a.rego": "package a\ndefault allow := false"},
        "rules": [{"id": "rule", "effect": "allow", "when": {"rego": "data.a.allow"}}],
    });
    let error = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
    assert_eq!(error.diagnostics()[0].code, Code::RegoRefused);
    document["actions"]["read"]["allow_rego"] = "the rule has been read by two people".into();
    load(&document);
}

#[test]
fn an_explanation_changes_nothing_and_names_the_rules() {
    let rules = json!([
        {"id": "a", "effect": "allow", "when": "subject.level > 1"},
        {"id": "b", "effect": "deny", "subject": {"name": "bob"}},
    ]);
    let engine = engine(pack(rules, |_| {}));
    let asked = request("read", json!({"level": 2, "name": "ann"}));
    let parsed = Request::from_json(asked.to_string().as_bytes(), &Limits::DEFAULT).unwrap();
    let explanation = engine.explain(&parsed, at(1));
    let rules: Vec<_> = explanation.rules.iter().map(|rule| (&*rule.rule, &*rule.matched, &*rule.truth)).collect();
    assert_eq!(rules, [("a", "true", "true"), ("b", "false", "false")]);
    assert_eq!(explanation.rules[0].expressions.last().unwrap().2, "true");
    assert_eq!(engine.counters().cached_decisions, 0);
    assert!(!ask(&engine, &asked, 1).cached());
}

/// What the proof of `docs/SPEC.md` rests on: in the safe mode fewer rules allow, and as many deny.
#[test]
fn the_safe_mode_allows_nothing_that_the_rules_would_not() {
    let rules = json!([
        {"id": "a", "effect": "allow", "minimal": true, "when": "subject.level > 1"},
        {"id": "b", "effect": "allow", "when": "subject.level > 0"},
        {"id": "c", "effect": "deny", "when": "subject.name == 'mallory'"},
    ]);
    let on_failure = |document: &mut Value| document["actions"]["write"]["on_failure"] = "minimal".into();
    let engine = engine(pack(rules, on_failure));
    let reasons = |engine: &Engine, properties: &[Value]| {
        properties.iter().map(|one| ask(engine, &request("write", one.clone()), 1).reason()).collect::<Vec<_>>()
    };
    let asked = [
        json!({"level": 2, "name": "ann"}),
        json!({"level": 1, "name": "ann"}),
        json!({"level": 2, "name": "mallory"}),
        json!({"level": 2}),
    ];
    let lost = reasons(&engine, &asked);
    assert_eq!(lost, [Reason::AllowedMinimal, Reason::SignalUnavailable, Reason::DeniedByRule, Reason::Indeterminate]);
    engine.observe(&Observation::ok("idp"), at(1));
    let known = reasons(&engine, &asked);
    assert_eq!(known, [Reason::AllowedByRule, Reason::AllowedByRule, Reason::DeniedByRule, Reason::Indeterminate]);
}

/// An answer is kept under the whole value of what it rests on, of every type that an attribute can have: two networks of one
/// address, two lengths of time, an address in two families (I-6).
#[test]
fn an_answer_on_an_address_or_a_time_is_for_that_one_only() {
    let types = json!({"net": "cidr", "ip": "ip", "span": "duration", "moment": "timestamp"});
    let when = "context.net.containsIP(context.ip) && context.span < duration('1m') \
                && context.moment < timestamp('2026-01-01T00:00:00Z')";
    let engine = engine(pack(allow(when), |document| document["schema"]["context"] = types));
    let of = |net: &str, ip: &str, span: &str, moment: &str| {
        let mut request = request("read", json!({}));
        request["context"] = json!({"net": net, "ip": ip, "span": span, "moment": moment});
        let decision = ask(&engine, &request, 1);
        (decision.is_allow(), decision.cached())
    };
    let day = "2025-12-31T00:00:00Z";
    let first = ("10.0.0.0/8", "10.1.2.3", "30s", day);
    assert_eq!(of(first.0, first.1, first.2, first.3), (true, false));
    assert_eq!(of("10.0.0.0/16", "10.1.2.3", "30s", day), (false, false));
    assert_eq!(of("10.0.0.0/8", "11.1.2.3", "30s", day), (false, false));
    assert_eq!(of("::a00:0/104", "10.1.2.3", "30s", day), (false, false));
    assert_eq!(of("10.0.0.0/8", "10.1.2.3", "60s", day), (false, false));
    assert_eq!(of("10.0.0.0/8", "10.1.2.3", "30s", "2026-01-01T00:00:00Z"), (false, false));
    assert_eq!(of(first.0, first.1, first.2, first.3), (true, true));
}
