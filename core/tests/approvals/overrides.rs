//! Overrides: what each gets past, and how it ends.

use super::*;

#[test]
fn an_override_allows_what_it_covers_and_no_more() {
    let engine = engine();
    assert_eq!(ask(&engine, "ann", "order:pay", 0).reason(), Reason::DeniedByRule);
    let id = granted(&engine, &for_ann("10m", 3), 1_000).unwrap();
    let decision = ask(&engine, "ann", "order:pay", 2_000);
    assert_eq!(decision.reason(), Reason::AllowedByOverride);
    assert_eq!(decision.override_id(), Some(id.to_string().as_str()));
    assert_eq!((decision.expires_in_ms(), decision.cached(), decision.rule()), (0, false, None));
    assert_eq!(decision.obligations()[0].id.as_ref(), "review");
    assert_eq!(decision.to_json()["context"]["override"], id.to_string());
    let used = events(&engine).into_iter().find(|event| event["event"] == "override_used").unwrap();
    assert_eq!((&used["overrode"], &used["uses_left"]), (&json!("posture"), &json!(2)));
    assert_eq!(used["decision"], decision.id().to_string());
    let asked = |subject: &str| {
        let request = json!({
            "subject": {"type": "user", "id": subject, "properties": {"suspended": false}},
            "action": {"name": "order:pay"}, "resource": {"type": "order", "id": "o-1"},
        });
        fallgate::Request::from_json(request.to_string().as_bytes(), &Limits::DEFAULT).unwrap()
    };
    assert_eq!(engine.explain(&asked("ann"), at(2_000)).overrides, [id.to_string()]);
    assert!(engine.explain(&asked("bob"), at(2_000)).overrides.is_empty());
    // Another subject, action or resource, and a subject of another type.
    assert!(!ask(&engine, "bob", "order:pay", 2_000).is_allow());
    assert!(!ask(&engine, "ann", "book:pay", 2_000).is_allow());
    let request = |subject: Value, resource: Value| {
        let request = json!({"subject": subject, "action": {"name": "order:pay"}, "resource": resource});
        engine.decide_json(request.to_string().as_bytes(), at(2_000))
    };
    assert!(!request(json!({"type": "agent", "id": "ann"}), json!({"type": "order", "id": "o"})).is_allow());
    assert!(!request(json!({"type": "user", "id": "ann"}), json!({"type": "book", "id": "o"})).is_allow());
    // What is allowed anyway uses nothing up.
    assert_eq!(engine.overrides()[0].uses_left, 2);
    engine.activate(bundle(&pack()), at(2_500)).unwrap();
    assert_eq!(engine.overrides()[0].uses_left, 2, "the same bundle again");
}

#[test]
fn an_override_gets_past_gates_4_to_8_and_no_other() {
    let engine = engine();
    granted(&engine, &for_ann("10m", 5), 0).unwrap();
    let overridden = |decision: &Decision| decision.reason() == Reason::AllowedByOverride;
    // Gate 5: the posture; gate 4: a quarantine that is not absolute.
    engine.enter_posture("shut", None, at(1_000)).unwrap();
    assert!(overridden(&ask(&engine, "ann", "order:read", 1_000)));
    let terms = |absolute| fallgate::engine::QuarantineTerms { reason: "", until: None, absolute };
    engine.quarantine(&Selector::Subject("user", "ann"), &terms(false), at(2_000)).unwrap();
    assert!(overridden(&ask(&engine, "ann", "order:read", 2_000)));
    engine.quarantine(&Selector::ResourceType("order"), &terms(true), at(3_000)).unwrap();
    assert_eq!(ask(&engine, "ann", "order:read", 3_000).reason(), Reason::Quarantined);
    engine.lift_quarantine(&Selector::ResourceType("order"), at(3_000)).unwrap();
    // An absolute rule that is true, or cannot be established, whatever gate denies.
    let suspended = |suspended: Value| {
        let request = json!({
            "subject": {"type": "user", "id": "ann", "properties": suspended}, "action": {"name": "order:read"},
            "resource": {"type": "order", "id": "o-1"},
        });
        engine.decide_json(request.to_string().as_bytes(), at(4_000)).reason()
    };
    assert_eq!(suspended(json!({"suspended": true})), Reason::Quarantined);
    assert_eq!(suspended(json!({})), Reason::Quarantined);
    assert_eq!(suspended(json!({"suspended": false})), Reason::AllowedByOverride);
    // Gate 2 is final.
    assert_eq!(suspended(json!({"suspended": 5})), Reason::InvalidRequest);
    let newer = json!({
        "subject": {"type": "user", "id": "ann", "properties": {"suspended": false}}, "action": {"name": "order:read"},
        "resource": {"type": "order", "id": "o-1"}, "context": {"fallgate": {"min_revision": 2}},
    });
    assert_eq!(engine.decide_json(newer.to_string().as_bytes(), at(4_000)).reason(), Reason::RevisionTooOld);
    assert_eq!(engine.overrides()[0].uses_left, 2);
}

#[test]
fn a_quarantine_by_a_condition_is_as_absolute_as_any_other() {
    let engine = engine();
    granted(&engine, &for_ann("10m", 5), 0).unwrap();
    let terms = |absolute| fallgate::engine::QuarantineTerms { reason: "", until: None, absolute };
    let (hers, others) = (Selector::When("subject.id == 'ann'"), Selector::When("resource.id == 'o-9'"));
    // Another condition that is absolute says nothing of her request.
    engine.quarantine(&others, &terms(true), at(1_000)).unwrap();
    engine.quarantine(&hers, &terms(false), at(1_000)).unwrap();
    assert_eq!(ask(&engine, "ann", "order:read", 1_000).reason(), Reason::AllowedByOverride);
    engine.quarantine(&hers, &terms(true), at(2_000)).unwrap();
    assert_eq!(ask(&engine, "ann", "order:read", 2_000).reason(), Reason::Quarantined);
    engine.lift_quarantine(&hers, at(3_000)).unwrap();
    assert!(ask(&engine, "ann", "order:read", 3_000).is_allow());
}

#[test]
fn a_cached_deny_is_overridden_and_the_override_is_never_cached() {
    let mut document = pack();
    document["rules"][0]["subject"] = json!({"id": "bob"});
    let engine = Engine::new(Config::default());
    engine.activate(bundle(&document), at(0)).unwrap();
    assert_eq!(ask(&engine, "ann", "order:read", 0).reason(), Reason::NoMatchingRule);
    assert!(ask(&engine, "ann", "order:read", 1).cached());
    granted(&engine, &for_ann("10m", 1), 2).unwrap();
    let allowed = ask(&engine, "ann", "order:read", 3);
    assert_eq!((allowed.reason(), allowed.cached()), (Reason::AllowedByOverride, false));
    assert_eq!(ask(&engine, "ann", "order:read", 4).reason(), Reason::NoMatchingRule);
}

#[test]
fn an_override_still_names_what_was_missing_for_the_deny_that_it_got_past() {
    let mut document = pack();
    document["rules"][0]["when"] = json!("!signals.idp.failed");
    let engine = Engine::new(Config::default());
    engine.activate(bundle(&document), at(0)).unwrap();
    let said = |action: &str| {
        let decision = ask(&engine, "ann", action, 1);
        (decision.reason(), decision.degraded().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(said("order:read"), (Reason::SignalUnavailable, vec!["idp".to_owned()]));
    granted(&engine, &for_ann("10m", 5), 1).unwrap();
    assert_eq!(said("order:read"), (Reason::AllowedByOverride, vec!["idp".to_owned()]));
    engine.observe(&Observation::failed("idp"), at(1));
    assert_eq!(said("order:read"), (Reason::AllowedByOverride, vec![]), "by no rule, and nothing was missing");
}

#[test]
fn an_override_ends_by_uses_window_revocation_clocks_and_bundle() {
    let why = |engine: &Engine| {
        let ended = events(engine).into_iter().filter(|event| event["event"] == "override_ended");
        ended.map(|event| event["why"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let pays = |engine: &Engine, millis| ask(engine, "ann", "order:pay", millis).is_allow();

    let by_uses = engine();
    granted(&by_uses, &for_ann("10m", 2), 0).unwrap();
    assert_eq!([1, 2, 3].map(|millis| pays(&by_uses, millis)), [true, true, false]);
    assert_eq!(why(&by_uses), ["uses"]);

    let by_window = engine();
    granted(&by_window, &for_ann("10m", 5), 0).unwrap();
    assert_eq!(by_window.next_deadline(), Some(Monotonic::from_millis(2_000)), "a posture is due first");
    assert!(pays(&by_window, 599_999));
    assert_eq!(by_window.next_deadline(), Some(Monotonic::from_millis(600_000)));
    by_window.advance(at(600_000));
    assert_eq!(why(&by_window), ["window"]);
    assert!(!pays(&by_window, 600_000));

    let revoked = engine();
    let id = granted(&revoked, &for_ann("10m", 5), 0).unwrap();
    revoked.revoke_override(id, at(5)).unwrap();
    assert_eq!(why(&revoked), ["revoked"]);
    assert!(!pays(&revoked, 5));
    assert_eq!(revoked.revoke_override(id, at(6)), Err(ApprovalError::UnknownOverride));

    // The wall clock leaps, or stands still while the other goes on: both part the clocks.
    for wall in [7_200_000, 0] {
        let parted = engine();
        granted(&parted, &for_ann("10m", 5), 0).unwrap();
        let waiting = proposal("sre-1", &for_ann("1m", 1), 1);
        propose(&parted, &waiting, at(1)).unwrap();
        let now = Now::new(Monotonic::from_millis(6_000), at(wall).wall);
        let request = json!({
            "subject": {"type": "user", "id": "ann", "properties": {"suspended": false}},
            "action": {"name": "order:pay"}, "resource": {"type": "order", "id": "o-1"},
        });
        assert!(!parted.decide_json(request.to_string().as_bytes(), now).is_allow());
        assert_eq!(why(&parted), ["clock"]);
        assert_eq!(approve(&parted, &waiting, "sec-1", now), Err(ApprovalError::ClockFailed));
        assert_eq!(propose(&parted, &proposal("sre-1", &for_ann("1m", 1), 2), now), Err(ApprovalError::ClockFailed));
        parted.anchor_clocks(at(6_000));
        assert!(!pays(&parted, 6_000), "what has ended does not come back");
        assert_eq!(approve(&parted, &waiting, "sec-1", at(6_000)), Err(ApprovalError::UnknownProposal));
    }

    // A bundle without overrides, with a shorter window, with another approver, with a higher need; and one that keeps it.
    type Change = fn(&mut Value);
    let changes: [(Change, bool); 5] = [
        (|pack| drop(pack.as_object_mut().unwrap().remove("overrides")), false),
        (|pack| pack["overrides"]["max_window"] = "9m".into(), false),
        (|pack| pack["approvers"]["security"]["sec-1"] = public("sec-1 anew"), false),
        (|pack| pack["overrides"]["need"] = 3.into(), false),
        (|pack| pack["overrides"]["max_uses"] = 6.into(), true),
    ];
    for (change, stays) in changes {
        let engine = engine();
        granted(&engine, &for_ann("10m", 5), 0).unwrap();
        let waiting = proposal("sre-1", &for_ann("1m", 1), 1);
        propose(&engine, &waiting, at(1)).unwrap();
        let mut next = pack();
        next["revision"] = 2.into();
        change(&mut next);
        engine.activate(bundle(&next), at(10)).unwrap();
        assert_eq!(pays(&engine, 11), stays);
        assert_eq!(why(&engine).is_empty(), stays);
        assert_eq!(
            approve(&engine, &waiting, "sec-1", at(12)),
            Err(ApprovalError::UnknownProposal),
            "void with its bundle"
        );
    }
}

#[test]
fn overrides_of_the_same_cover_no_more_than_one_window() {
    let engine = engine();
    let other = grant(&json!(["user:bob"]), &json!(["order:pay"]), &json!(["order:*"]), "1h", 1);
    granted(&engine, &for_ann("50m", 5), 0).unwrap();
    granted(&engine, &other, 40_000).unwrap();
    // At 40 min another hour of the same: only until the first hour is over.
    let id = granted(&engine, &for_ann("1h", 5), 2_400_000).unwrap();
    let ends = engine.overrides().into_iter().find(|view| view.id == id).unwrap().until;
    assert_eq!(ends, Monotonic::from_millis(3_600_000));
    let granted_event = events(&engine).into_iter().rfind(|event| event["event"] == "override_granted").unwrap();
    assert_eq!(granted_event["window_ms"], 1_200_000);
    // A narrower one that overlaps is the same cover; it is refused until an hour has passed without.
    let narrow = grant(&json!(["user:ann"]), &json!(["order:pay"]), &json!(["order:o-1"]), "1m", 1);
    assert_eq!(granted(&engine, &narrow, 3_600_000), Err(ApprovalError::CoveredTooLong));
    assert_eq!(granted(&engine, &narrow, 7_199_000), Err(ApprovalError::CoveredTooLong));
    granted(&engine, &narrow, 7_230_000).unwrap();
}

#[test]
fn an_override_names_whom_what_and_on_what() {
    let engine = engine();
    for (subjects, actions, resources) in [
        (json!(["*"]), json!(["order:pay"]), json!(["order:*"])),
        (json!(["user:*"]), json!(["order:pay"]), json!(["order:*"])),
        (json!(["ann"]), json!(["order:pay"]), json!(["order:*"])),
        (json!([]), json!(["order:pay"]), json!(["order:*"])),
        (json!(["user:ann"]), json!(["*"]), json!(["order:*"])),
        (json!(["user:ann"]), json!(["order:sell"]), json!(["order:*"])),
        (json!(["user:ann"]), json!(["sell*"]), json!(["order:*"])),
        (json!(["user:ann"]), json!(["order:pay"]), json!(["*"])),
        (json!(["user:ann"]), json!(["order:pay"]), json!(["*:*"])),
        (json!(["user:ann"]), json!(["order:pay"]), json!(["*:o-1"])),
        (json!(vec!["user:ann"; 65]), json!(["order:pay"]), json!(["order:*"])),
    ] {
        let refused = granted(&engine, &grant(&subjects, &actions, &resources, "1m", 1), 0).unwrap_err();
        assert!(["malformed_proposal", "unfit_proposal"].contains(&refused.code()), "{subjects} {actions} {resources}");
    }
    for (window, uses) in [("0s", 1), ("3601s", 1), ("1m", 0), ("1m", 6)] {
        assert_eq!(granted(&engine, &for_ann(window, uses), 0).unwrap_err().code(), "unfit_proposal");
    }
}

#[test]
fn threads_use_an_override_up_exactly() {
    let mut document = pack();
    document["overrides"]["max_uses"] = 100.into();
    let engine = Engine::new(Config::default());
    engine.activate(bundle(&document), at(0)).unwrap();
    granted(&engine, &for_ann("10m", 100), 0).unwrap();
    let allowed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..50).filter(|_| ask(&engine, "ann", "order:pay", 1).is_allow()).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(allowed, 100);
    assert!(engine.overrides().is_empty());
}

#[test]
fn a_search_neither_uses_an_override_nor_finds_by_it() {
    let mut document = pack();
    document["candidates"] = json!({"resource": {"order": {"o-1": {}, "o-2": {}}}});
    let engine = Engine::new(Config::default());
    engine.activate(bundle(&document), at(0)).unwrap();
    granted(&engine, &for_ann("10m", 5), 0).unwrap();
    let found = |action: &str| {
        let body = json!({
            "subject": {"type": "user", "id": "ann", "properties": {"suspended": false}}, "action": {"name": action},
            "resource": {"type": "order"},
        });
        let answer = authzen::answer(&engine, Endpoint::SearchResource, body.to_string().as_bytes(), at(1));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        body["results"].as_array().unwrap().len()
    };
    assert_eq!((found("order:read"), found("order:pay")), (2, 0));
    assert_eq!(engine.overrides()[0].uses_left, 5);
}

#[test]
fn an_allow_that_waits_for_its_record_uses_an_override_up_when_it_is_given() {
    let mut document = pack();
    document["actions"]["order:pay"]["audit"] = "confirmed".into();
    document["audit"] = json!({"level": "all"});
    let started = || {
        let engine = Engine::new(Config::default());
        engine.activate(bundle(&document), at(0)).unwrap();
        let granted = granted(&engine, &for_ann("10m", 2), 0).unwrap();
        (engine, granted)
    };
    let pending = |engine: &Engine, millis| {
        let request = json!({
            "subject": {"type": "user", "id": "ann", "properties": {"suspended": false}},
            "action": {"name": "order:pay"}, "resource": {"type": "order", "id": "o-1"},
        });
        let pending = engine.decide_pending_json(request.to_string().as_bytes(), at(millis));
        engine.drain_audit(1_000, at(millis));
        engine.acknowledge_audit(u64::MAX, at(millis));
        pending.id.unwrap()
    };
    let (engine, granted) = started();
    // One call gives nothing, and uses nothing up.
    assert_eq!(ask(&engine, "ann", "order:pay", 1).reason(), Reason::AuditPending);
    let ids = [1, 2, 3].map(|millis| pending(&engine, millis));
    assert_eq!(engine.overrides()[0].uses_left, 2);
    let first = engine.confirm(ids[0], at(4));
    assert_eq!((first.reason(), first.override_id()), (Reason::AllowedByOverride, Some(granted.to_string().as_str())));
    assert!(engine.confirm(ids[1], at(4)).is_allow());
    // The third waited for a use that the others have taken.
    assert_eq!(engine.confirm(ids[2], at(4)).reason(), Reason::DeniedByRule);
    // One that is revoked in between gives nothing.
    let (engine, granted) = started();
    let id = pending(&engine, 1);
    engine.revoke_override(granted, at(2)).unwrap();
    assert_eq!(engine.confirm(id, at(3)).reason(), Reason::DeniedByRule);
}

#[test]
fn clocks_that_are_anchored_after_they_parted_bring_no_override_and_no_answer_back() {
    let engine = engine();
    granted(&engine, &for_ann("10m", 3), 0).unwrap();
    assert!(ask(&engine, "bob", "order:read", 0).is_allow());
    assert!(ask(&engine, "bob", "order:read", 1).cached());
    // The wall clock leaps by an hour, and the first that the engine hears of it is that it is right.
    let leapt = |millis: u64| Now::new(Monotonic::from_millis(millis), Wall::from_millis(START + 3_600_000));
    engine.anchor_clocks(leapt(2));
    assert!(engine.overrides().is_empty());
    let request = json!({
        "subject": {"type": "user", "id": "bob", "properties": {"suspended": false}}, "action": {"name": "order:read"},
        "resource": {"type": "order", "id": "o-1"},
    });
    let decision = engine.decide_json(request.to_string().as_bytes(), leapt(2));
    assert_eq!((decision.is_allow(), decision.cached()), (true, false));
}

/// An override does not get past an absolute quarantine of a scope, also where nobody knows whether the request is in it.
#[test]
fn a_quarantine_of_a_scope_is_as_absolute_as_any_other() {
    let mut document = pack();
    document["scopes"] = json!({"tenant": "resource.tenant"});
    document["schema"]["resource"] = json!({"order": {"tenant": {"type": "string", "optional": true}}, "book": {}});
    let engine = Engine::new(Config::default());
    engine.activate(bundle(&document), at(0)).unwrap();
    granted(&engine, &for_ann("10m", 5), 0).unwrap();
    let pays = |tenant: Value| {
        let request = json!({
            "subject": {"type": "user", "id": "ann", "properties": {"suspended": false}},
            "action": {"name": "order:pay"}, "resource": {"type": "order", "id": "o-1", "properties": tenant},
        });
        engine.decide_json(request.to_string().as_bytes(), at(2_000)).reason()
    };
    let terms = |absolute| fallgate::engine::QuarantineTerms { reason: "", until: None, absolute };
    let acme = Selector::Scope("tenant:acme");
    engine.quarantine(&acme, &terms(false), at(1_000)).unwrap();
    assert_eq!(pays(json!({"tenant": "acme"})), Reason::AllowedByOverride);
    assert_eq!(pays(json!({})), Reason::AllowedByOverride);
    engine.quarantine(&acme, &terms(true), at(1_000)).unwrap();
    assert_eq!(pays(json!({"tenant": "acme"})), Reason::Quarantined);
    assert_eq!(pays(json!({})), Reason::Quarantined);
    assert_eq!(pays(json!({"tenant": "globex"})), Reason::AllowedByOverride);
    engine.lift_quarantine(&acme, at(2_000)).unwrap();
    assert_eq!(pays(json!({})), Reason::AllowedByOverride);
}

/// A table of overrides that is full refuses the next one; none that is in force makes way for it.
#[test]
fn where_there_is_no_room_an_override_is_refused_and_none_makes_way() {
    let mut config = Config::default();
    config.limits.overrides_max = 1;
    let engine = Engine::new(config);
    engine.activate(bundle(&pack()), at(0)).unwrap();
    granted(&engine, &for_ann("10m", 5), 0).unwrap();
    let for_bob = grant(&json!(["user:bob"]), &json!(["order:*"]), &json!(["order:*"]), "10m", 5);
    assert_eq!(granted(&engine, &for_bob, 1_000).unwrap_err(), ApprovalError::NoRoom);
    assert_eq!(ask(&engine, "bob", "order:pay", 1_000).reason(), Reason::DeniedByRule);
    assert_eq!(ask(&engine, "ann", "order:pay", 1_000).reason(), Reason::AllowedByOverride);
}
