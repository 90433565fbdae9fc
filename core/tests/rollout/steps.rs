//! From the shadow to the last share: what moves a rollout on, what stops it, what ends it.

use serde_json::json;

use super::*;

#[test]
fn a_successor_that_changes_nothing_comes_through_all_steps_by_time() {
    let engine = engine();
    engine.stage(changed(2, |_| {}), secs(1)).unwrap();
    assert_eq!(engine.next_deadline(), Some(secs(11).monotonic));
    read_by_many(&engine, secs(2));
    assert_eq!(overview(&engine, secs(2))["step"], "shadow");
    engine.advance(at(10_999));
    assert_eq!(overview(&engine, at(10_999))["waits_for"], "time_not_over");
    engine.advance(secs(11));
    assert_eq!(overview(&engine, secs(11))["share"], "50%");
    read_by_many(&engine, secs(12));
    engine.advance(secs(16));
    assert_eq!(overview(&engine, secs(16))["share"], "90%");
    read_by_many(&engine, secs(17));
    assert_eq!(engine.bundle().unwrap().revision(), 1);
    engine.advance(secs(21));
    assert_eq!(engine.bundle().unwrap().revision(), 2);
    assert_eq!(overview(&engine, secs(21)), Value::Null);
    let told = events(&engine);
    let rollout: Vec<_> = told.iter().filter(|code| code.starts_with("rollout")).collect();
    assert_eq!(
        rollout,
        ["rollout_staged", "rollout_advanced", "rollout_advanced", "rollout_completed"].iter().collect::<Vec<_>>()
    );
    assert_eq!(told.last(), Some(&"bundle_unsigned"));
}

#[test]
fn a_step_without_its_sample_waits_and_the_decision_that_completes_it_moves_it_on() {
    let engine = engine();
    engine.stage(changed(2, |_| {}), secs(1)).unwrap();
    engine.advance(secs(100));
    assert_eq!(overview(&engine, secs(100))["waits_for"], "sample_not_reached");
    // Nothing is due by time alone: nobody is woken for it.
    assert!(engine.next_deadline().is_none_or(|due| due > secs(100).monotonic));
    let read = |number: u32| decide(&engine, &request(&format!("u{number}"), &["reader"], "doc:read"), secs(101));
    for number in 0..9 {
        read(number);
    }
    assert_eq!(overview(&engine, secs(101))["step"], "shadow");
    read(9);
    assert_eq!(overview(&engine, secs(101))["step"], "canary");
}

#[test]
fn in_its_shadow_a_candidate_changes_no_answer_and_leaves_no_trace() {
    let (shadowed, alone) = (engine(), engine());
    let candidate = changed(2, |pack| {
        pack["rules"][0]["subject"]["roles"] = json!("librarian");
        pack["rules"][1]["id"] = json!("authors");
        pack["audit"] = json!({ "level": "all" });
    });
    shadowed.stage(candidate, secs(1)).unwrap();
    for (second, roles) in [(2, "reader"), (3, "librarian"), (4, "writer"), (5, "reader"), (70, "reader")] {
        for action in ["doc:read", "doc:write", "doc:erase", "doc:burn"] {
            let request = request("u", &[roles], action);
            let (one, other) = (decide(&shadowed, &request, secs(second)), decide(&alone, &request, secs(second)));
            assert_eq!(one, other, "{roles} {action}");
        }
    }
    assert_eq!(shadowed.counters().cached_decisions, alone.counters().cached_decisions);
    assert_eq!(shadowed.audit_counters().recorded, 0);
    let found = overview(&shadowed, secs(70));
    assert_eq!((found["newly_denied"].as_u64(), found["newly_allowed"].as_u64()), (Some(3), Some(1)));
    let metrics = |engine: &Engine| {
        let text = engine.metrics().to_openmetrics();
        let kept = text.lines().filter(|line| !line.contains("rollout") && !line.contains("fallgate_events"));
        kept.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(metrics(&shadowed), metrics(&alone));
}

#[test]
fn in_a_canary_people_are_split_and_each_decision_has_the_revision_of_its_side() {
    let engine = engine();
    engine.stage(changed(2, |pack| pack["rules"][0]["id"] = json!("all-readers")), secs(1)).unwrap();
    read_by_many(&engine, secs(2));
    engine.advance(secs(11));
    let sides = |now: Now| -> Vec<u64> {
        let side = |number: u32| {
            let decision = decide(&engine, &request(&format!("u{number}"), &["reader"], "doc:read"), now);
            assert!(decision.is_allow());
            let rule = if decision.revision() == 2 { "all-readers" } else { "readers" };
            assert_eq!(decision.rule(), Some(rule));
            decision.revision()
        };
        (0..1_000).map(side).collect()
    };
    let half = sides(secs(12));
    let new = half.iter().filter(|revision| **revision == 2).count();
    assert!((430..=570).contains(&new), "{new} of 1000 at 50%");
    assert_eq!(half, sides(secs(13)), "nobody changes sides, and no answer of one side is used on the other");
    engine.advance(secs(16));
    let most = sides(secs(17));
    let new = most.iter().filter(|revision| **revision == 2).count();
    assert!((860..=940).contains(&new), "{new} of 1000 at 90%");
    assert!(half.iter().zip(&most).all(|(before, after)| before <= after), "who came over stays");
}

#[test]
fn who_names_nobody_stays_on_the_old_side_or_is_denied_by_it() {
    let engine = Engine::new(Config::default());
    let by_team = |revision| {
        changed(revision, |pack| {
            pack["rollout"]["by"] = json!("subject.team");
            pack["rollout"]["canary"] = json!(["100%"]);
        })
    };
    engine.activate(by_team(1), secs(0)).unwrap();
    engine.stage(by_team(2), secs(1)).unwrap();
    let of_team = |team: Value, now: Now| {
        let mut request = request("u", &["reader"], "doc:read");
        match team {
            Value::Null => request["subject"]["properties"].as_object_mut().unwrap().remove("team"),
            team => request["subject"]["properties"].as_object_mut().unwrap().insert("team".into(), team),
        };
        let decision = decide(&engine, &request, now);
        (decision.revision(), decision.is_allow())
    };
    for number in 0..10 {
        assert_eq!(of_team(json!(format!("t{number}")), secs(2)), (1, true));
    }
    engine.advance(secs(11));
    assert_eq!(of_team(Value::Null, secs(12)), (1, false));
    assert_eq!(of_team(json!(""), secs(12)), (1, true));
    assert_eq!(of_team(json!("blue"), secs(12)), (2, true));
}

#[test]
fn what_is_newly_allowed_and_not_declared_stops_the_rollout_at_once() {
    let engine = engine();
    engine.stage(erasing(2, false), secs(1)).unwrap();
    events(&engine);
    assert!(!decide(&engine, &request("u", &["eraser"], "doc:erase"), secs(2)).is_allow());
    assert_eq!(events(&engine), ["rollout_stopped"]);
    assert_eq!(overview(&engine, secs(2))["stopped"], "newly_allowed");
    read_by_many(&engine, secs(3));
    engine.advance(secs(1_000));
    assert_eq!(engine.promote(secs(1_000)).unwrap_err().code(), "rollout_stopped");
    assert_eq!(overview(&engine, secs(1_000))["step"], "shadow");
}

#[test]
fn what_is_newly_allowed_and_declared_waits_at_the_end_of_the_shadow_for_people() {
    let engine = engine();
    let candidate = erasing(2, true);
    let digest = candidate.id().to_string();
    engine.stage(candidate, secs(1)).unwrap();
    read_by_many(&engine, secs(2));
    let erase = request("u", &["eraser"], "doc:erase");
    assert!(!decide(&engine, &erase, secs(2)).is_allow());
    engine.advance(secs(60));
    let found = overview(&engine, secs(60));
    assert_eq!(
        (&found["step"], &found["stopped"], &found["waits_for"]),
        (&json!("shadow"), &Value::Null, &json!("not_approved"))
    );
    assert_eq!(engine.promote(secs(60)).unwrap_err().code(), "not_approved");
    events(&engine);
    approved(&engine, &json!({ "promote": { "bundle": digest } }), secs(61)).unwrap();
    let told = events(&engine);
    assert!(told.ends_with(&["rollout_approved", "proposal_closed"]) || told.contains(&"rollout_approved"), "{told:?}");
    assert_eq!(overview(&engine, secs(61))["share"], "50%");
    // Those on the new side erase now, and the others do not.
    let allowed = (0..100).filter(|number| {
        let decision = decide(&engine, &request(&format!("u{number}"), &["eraser"], "doc:erase"), secs(62));
        assert_eq!(decision.is_allow(), decision.revision() == 2);
        decision.is_allow()
    });
    assert!((30..70).contains(&allowed.count()));
}

#[test]
fn a_promotion_is_of_the_bundle_that_is_staged_and_ends_with_its_rollout() {
    let engine = engine();
    let candidate = erasing(2, true);
    let promote = json!({ "promote": { "bundle": candidate.id().to_string() } });
    let unfit = || Err(ApprovalError::UnfitProposal { message: "no bundle of that digest is staged".to_owned() });
    assert_eq!(approved(&engine, &promote, secs(0)), unfit());
    engine.stage(candidate.clone(), secs(1)).unwrap();
    let other = json!({ "promote": { "bundle": erasing(3, true).id().to_string() } });
    assert_eq!(approved(&engine, &other, secs(1)), unfit());
    // One approval short of two, when the rollout ends.
    let [ann, bob, cho] = owners();
    let end = secs(3_600);
    let document = json!({
        "fallgate": "proposal/1", "bundle": "docs", "operation": promote, "by": "ann", "reason": "it is wanted",
        "issued_at": secs(2).wall.to_string(), "expires_at": end.wall.to_string(), "nonce": "2",
    });
    let id = engine.propose(&document, Proof::Signature(&ann.sign(Purpose::Proposal, &document)), secs(2)).unwrap();
    let approve = |person: &Person, now| {
        let signature = person.sign(Purpose::Approval, &document);
        engine.approve(id, person.name, Proof::Signature(&signature), now)
    };
    assert_eq!(approve(&bob, secs(2)).unwrap().waits_for, Some("not_approved"));
    engine.roll_back(secs(3)).unwrap();
    assert!(engine.proposals().is_empty());
    let told: Vec<Value> = std::iter::from_fn(|| engine.poll_event()).map(|event| event.to_json()).collect();
    let closed = told.iter().find(|event| event["event"] == "proposal_closed").unwrap();
    assert_eq!((&closed["proposal"], &closed["why"]), (&json!(id.to_string()), &json!("moot")));
    // The same bundle, staged anew, is another rollout.
    engine.stage(candidate, secs(4)).unwrap();
    assert_eq!(approve(&cho, secs(5)), Err(ApprovalError::UnknownProposal));
    assert_eq!(overview(&engine, secs(5))["approved"], false);
}

#[test]
fn in_a_canary_nothing_is_newly_allowed_that_nobody_saw_in_the_shadow() {
    let engine = engine();
    engine.stage(erasing(2, true), secs(1)).unwrap();
    read_by_many(&engine, secs(2));
    engine.advance(secs(11));
    assert_eq!(overview(&engine, secs(11))["share"], "50%");
    for number in 0..100 {
        let decision = decide(&engine, &request(&format!("u{number}"), &["eraser"], "doc:erase"), secs(12));
        assert!(!decision.is_allow());
        assert_eq!(decision.revision(), 1);
    }
    let found = overview(&engine, secs(12));
    assert_eq!((&found["stopped"], &found["share"]), (&json!("newly_allowed"), &json!("0%")));
    // Approved, the share begins anew.
    let digest = found["bundle"].as_str().unwrap().to_owned();
    approved(&engine, &json!({ "promote": { "bundle": digest } }), secs(20)).unwrap();
    let found = overview(&engine, secs(20));
    assert_eq!((&found["stopped"], &found["share"], &found["due_in_ms"]), (&Value::Null, &json!("50%"), &json!(5_000)));
}

#[test]
fn counts_roll_back_inside_the_decision_that_reaches_them() {
    for (condition, breaks) in [
        (json!({ "newly_denied": 3 }), json!({ "subject": { "roles": "librarian" } })),
        (
            json!({ "indeterminate": 3 }),
            json!({ "when": "1 / size(subject.id) > 1 / (size(subject.id) - size(subject.id))" }),
        ),
    ] {
        let engine = Engine::new(Config::default());
        let first = changed(1, |pack| pack["rollout"]["roll_back_when"] = condition.clone());
        engine.activate(first, secs(0)).unwrap();
        let second = changed(2, |pack| {
            for (name, value) in breaks.as_object().unwrap() {
                pack["rules"][0][name] = value.clone();
            }
        });
        engine.stage(second, secs(1)).unwrap();
        let read = |number: u32| decide(&engine, &request(&format!("u{number}"), &["reader"], "doc:read"), secs(2));
        assert!(read(0).is_allow() && read(1).is_allow());
        assert!(engine.is_in_rollout(), "{condition}");
        assert!(read(2).is_allow());
        assert!(!engine.is_in_rollout(), "{condition}");
        assert_eq!(engine.bundle().unwrap().revision(), 1);
        assert_eq!(events(&engine).last(), Some(&"rollout_rolled_back"));
    }
}

#[test]
fn in_a_canary_the_decision_that_ends_it_is_the_old_bundles() {
    let engine = Engine::new(Config::default());
    let first = changed(1, |pack| {
        pack["rollout"]["roll_back_when"] = json!({ "newly_denied": 1 });
        pack["rollout"]["canary"] = json!(["100%"]);
    });
    engine.activate(first, secs(0)).unwrap();
    let second = changed(2, |pack| {
        pack["rules"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "id": "no-guests", "effect": "deny", "subject": { "roles": "guest" } }));
    });
    engine.stage(second, secs(1)).unwrap();
    read_by_many(&engine, secs(2));
    engine.advance(secs(11));
    let guest = request("g", &["reader", "guest"], "doc:read");
    assert_eq!(decide(&engine, &request("u", &["reader"], "doc:read"), secs(12)).revision(), 2);
    let decision = decide(&engine, &guest, secs(12));
    assert!(decision.is_allow() && decision.revision() == 1, "{decision:?}");
    assert_eq!(decide(&engine, &request("u", &["reader"], "doc:read"), secs(12)).revision(), 1);
}

#[test]
fn a_rate_counts_from_the_sample_on() {
    let engine = Engine::new(Config::default());
    let first = changed(1, |pack| {
        pack["rollout"]["roll_back_when"] = json!({ "deny_rate_delta": 0.1 });
        pack["rollout"]["sample"] = json!(20);
    });
    engine.activate(first, secs(0)).unwrap();
    let second = changed(2, |pack| {
        pack["rules"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "id": "no-guests", "effect": "deny", "subject": { "roles": "guest" } }));
    });
    engine.stage(second, secs(1)).unwrap();
    let ask =
        |number: u32, roles: &[&str]| decide(&engine, &request(&format!("u{number}"), roles, "doc:read"), secs(2));
    // One of nineteen is more than a tenth of nothing that counts yet; two of twenty are a tenth.
    ask(0, &["reader", "guest"]);
    for number in 1..19 {
        ask(number, &["reader"]);
    }
    assert!(engine.is_in_rollout());
    ask(19, &["reader"]);
    assert!(engine.is_in_rollout(), "one of twenty is less than a tenth");
    ask(20, &["reader", "guest"]);
    assert!(engine.is_in_rollout(), "two of twenty-one are less than a tenth");
    ask(21, &["reader", "guest"]);
    assert!(!engine.is_in_rollout(), "three of twenty-two are more");
}

#[test]
fn newly_allowed_ends_it_where_the_pack_says_so() {
    let engine = Engine::new(Config::default());
    engine
        .activate(changed(1, |pack| pack["rollout"]["roll_back_when"] = json!({ "newly_allowed": 2 })), secs(0))
        .unwrap();
    engine.stage(erasing(2, false), secs(1)).unwrap();
    assert!(!decide(&engine, &request("a", &["eraser"], "doc:erase"), secs(2)).is_allow());
    assert_eq!(overview(&engine, secs(2))["stopped"], "newly_allowed");
    assert!(!decide(&engine, &request("b", &["eraser"], "doc:erase"), secs(2)).is_allow());
    assert!(!engine.is_in_rollout());
}

#[test]
fn an_operator_waits_for_everything_but_the_time() {
    let engine = engine();
    engine.stage(changed(2, |_| {}), secs(1)).unwrap();
    assert_eq!(engine.promote(secs(2)).unwrap_err().code(), "sample_not_reached");
    for share in ["50%", "90%"] {
        read_by_many(&engine, secs(2));
        engine.promote(secs(2)).unwrap();
        assert_eq!(overview(&engine, secs(2))["share"], share);
    }
    read_by_many(&engine, secs(2));
    engine.promote(secs(2)).unwrap();
    assert_eq!(engine.bundle().unwrap().revision(), 2);
    assert_eq!(engine.promote(secs(2)).unwrap_err().code(), "no_candidate");
    assert_eq!(engine.roll_back(secs(2)).unwrap_err().code(), "no_candidate");
}

#[test]
fn a_candidate_that_lets_its_successor_in_at_once_loosens() {
    let engine = engine();
    let candidate = changed(2, |pack| {
        pack.as_object_mut().unwrap().remove("rollout");
    });
    engine.stage(candidate, secs(1)).unwrap();
    read_by_many(&engine, secs(2));
    engine.advance(secs(60));
    assert_eq!(overview(&engine, secs(60))["waits_for"], "not_approved");
}

#[test]
fn what_the_candidate_cannot_read_it_denies() {
    let engine = engine();
    let candidate = changed(2, |pack| pack["schema"]["subject"]["user"]["desk"] = json!("string"));
    engine.stage(candidate, secs(1)).unwrap();
    read_by_many(&engine, secs(2));
    assert_eq!(overview(&engine, secs(2))["newly_denied"], 12);
}

#[test]
fn an_action_that_only_the_candidate_knows_is_denied() {
    let engine = engine();
    let candidate = changed(2, |pack| {
        pack["actions"]["doc:print"] = json!({});
        pack["rules"][0]["action"] = json!(["doc:read", "doc:print"]);
        pack["rollout"]["newly_allows"] = json!(["doc:print"]);
    });
    engine.stage(candidate, secs(1)).unwrap();
    let decision = decide(&engine, &request("u", &["reader"], "doc:print"), secs(2));
    assert_eq!((decision.reason().code(), decision.revision()), ("unknown_action", 1));
    assert_eq!(overview(&engine, secs(2))["newly_allowed"], 1);
}

#[test]
fn one_who_asks_for_the_later_revision_neither_gets_it_nor_stops_it() {
    let engine = engine();
    engine.stage(changed(2, |_| {}), secs(1)).unwrap();
    let mut demanding = request("u", &["reader"], "doc:read");
    demanding["context"] = json!({ "fallgate": { "min_revision": 2 } });
    assert_eq!(decide(&engine, &demanding, secs(2)).reason().code(), "revision_too_old");
    let found = overview(&engine, secs(2));
    assert_eq!((&found["compared"], &found["stopped"]), (&json!(0), &Value::Null));
}

#[test]
fn while_the_clock_or_the_audit_is_in_doubt_nothing_moves_on() {
    let mut config = Config::default();
    config.limits.audit_entries_max = 16;
    let engine = Engine::new(config);
    let audited = |revision| changed(revision, |pack| pack["audit"] = json!({ "level": "denies" }));
    engine.activate(audited(1), secs(0)).unwrap();
    engine.stage(audited(2), secs(1)).unwrap();
    read_by_many(&engine, secs(2));
    // The wall clock is set forward: whatever waits for a time could be told that it is over.
    let skewed = |seconds: u64| Now::new(secs(seconds).monotonic, secs(seconds + 7_200).wall);
    engine.advance(skewed(11));
    assert_eq!(overview(&engine, skewed(11))["waits_for"], "in_doubt");
    assert_eq!(engine.promote(skewed(12)).unwrap_err().code(), "in_doubt");
    engine.anchor_clocks(secs(13));
    assert_eq!(overview(&engine, secs(13))["share"], "50%");
    // Nobody writes records down.
    for number in 0..30 {
        assert!(!decide(&engine, &request(&format!("u{number}"), &[], "doc:read"), secs(14)).is_allow());
    }
    assert_eq!(engine.signal("audit"), Some(fallgate::condition::Status::Failed));
    engine.advance(secs(60));
    assert_eq!(engine.promote(secs(60)).unwrap_err().code(), "in_doubt");
    let last = engine.drain_audit(100, secs(61)).last_seq;
    engine.acknowledge_audit(last, secs(61));
    engine.advance(secs(61));
    assert_eq!(overview(&engine, secs(61))["share"], "90%");
}

#[test]
fn what_an_override_covers_is_the_active_bundles() {
    let engine = Engine::new(Config::default());
    let overridable = |revision, absolute: bool| {
        changed(revision, |pack| {
            pack["rollout"]["canary"] = json!(["100%"]);
            pack["overrides"] = json!({ "need": 2, "from": "owners", "max_window": "1h", "max_uses": 10 });
            let rule = json!({ "id": "held", "effect": "deny", "absolute": absolute, "resource": { "id": "d-held" } });
            pack["rules"].as_array_mut().unwrap().push(rule);
        })
    };
    engine.activate(overridable(1, true), secs(0)).unwrap();
    // The candidate drops what no override got past.
    engine.stage(overridable(2, false), secs(1)).unwrap();
    read_by_many(&engine, secs(2));
    engine.advance(secs(11));
    let grant = json!({ "grant_override": {
        "subjects": ["user:u"], "actions": ["doc:erase"], "resources": ["doc:*"], "for": "10m", "uses": 3,
    } });
    approved(&engine, &grant, secs(12)).unwrap();
    let mut held = request("u", &[], "doc:erase");
    held["resource"]["id"] = json!("d-held");
    let decision = decide(&engine, &held, secs(13));
    assert_eq!((decision.is_allow(), decision.revision()), (false, 1));
    let decision = decide(&engine, &request("u", &[], "doc:erase"), secs(13));
    assert_eq!((decision.reason().code(), decision.revision()), ("allowed_by_override", 1));
    assert_eq!(engine.overrides()[0].uses_left, 2);
    assert_eq!(decide(&engine, &request("v", &["reader"], "doc:read"), secs(13)).revision(), 2);
    // By its last use it covers the request no more; the answer is its own all the same.
    for left in [1, 0] {
        let decision = decide(&engine, &request("u", &[], "doc:erase"), secs(14));
        assert_eq!((decision.reason().code(), decision.revision()), ("allowed_by_override", 1), "{left} left");
    }
    assert!(engine.overrides().is_empty());
    let rollout = overview(&engine, secs(14));
    assert_eq!((&rollout["stopped"], &rollout["newly_denied"]), (&Value::Null, &json!(0)));
}

#[test]
fn an_earlier_allow_stands_in_on_its_own_side_alone() {
    let engine = Engine::new(Config::default());
    let first = changed(1, |pack| pack["rollout"]["canary"] = json!(["100%"]));
    engine.activate(first, secs(0)).unwrap();
    engine.observe(&fallgate::Observation::ok("idp"), secs(0));
    let second = changed(2, |pack| {
        let rule = json!({ "id": "no-guests", "effect": "deny", "subject": { "roles": "guest" } });
        pack["rules"].as_array_mut().unwrap().push(rule);
    });
    engine.stage(second, secs(1)).unwrap();
    read_by_many(&engine, secs(2));
    engine.advance(secs(11));
    let (writer, guest) = (request("w", &["writer"], "doc:write"), request("g", &["writer", "guest"], "doc:write"));
    assert_eq!(decide(&engine, &writer, secs(12)).revision(), 2);
    assert!(!decide(&engine, &guest, secs(12)).is_allow());
    engine.observe(&fallgate::Observation::new("idp", fallgate::condition::Status::Failed), secs(13));
    let stale = decide(&engine, &writer, secs(14));
    assert_eq!((stale.reason().code(), stale.revision()), ("allowed_stale", 2));
    assert!(!decide(&engine, &guest, secs(14)).is_allow(), "the active bundle's earlier allow is not used");
}

/// The monotonic clock goes back ten minutes, further than the skew, and an operator takes the two for right. A candidate that
/// has an end by the wall clock, where the active bundle has none, is let in as before.
#[test]
fn a_candidate_with_an_end_comes_through_after_a_clock_went_back() {
    let engine = engine();
    engine.advance(secs(600));
    let back = |seconds: u64| Now::new(secs(seconds).monotonic, secs(600 + seconds).wall);
    engine.anchor_clocks(back(0));
    let bounded = changed(2, |pack| pack["valid"] = json!({ "until": secs(100_000).wall.to_string() }));
    engine.stage(bounded, back(1)).unwrap();
    for second in 2..5 {
        read_by_many(&engine, back(second));
        engine.promote(back(second)).unwrap();
    }
    assert_eq!(engine.bundle().unwrap().revision(), 2);
    assert!(decide(&engine, &request("u", &["reader"], "doc:read"), back(6)).is_allow());
}
