//! What was proposed and can be done no more when its last approval comes: it is closed, and nothing is done.

use super::*;

/// The proposals that were closed since the last look, and why.
fn closed(engine: &Engine) -> Vec<(Value, Value)> {
    let closed = events(engine).into_iter().filter(|event| event["event"] == "proposal_closed");
    closed.map(|event| (event["proposal"].clone(), event["why"].clone())).collect()
}

#[test]
fn of_two_proposals_to_clear_a_flag_the_second_finds_nothing_to_clear() {
    let engine = engine();
    let set = proposal("sre-1", &json!({"set_flag": {"flag": "approved"}}), 0);
    propose(&engine, &set, at(0)).unwrap();
    approve(&engine, &set, "sre-2", at(0)).unwrap();
    let clear = json!({"clear_flag": {"flag": "approved"}});
    let (one, two) = (proposal("sre-1", &clear, 1), proposal("sre-2", &clear, 2));
    for clear in [&one, &two] {
        propose(&engine, clear, at(2)).unwrap();
    }
    assert_eq!(waits_for(approve(&engine, &one, "sre-2", at(3))), None);
    assert!(engine.flags(at(3)).is_empty());
    events(&engine);
    let error = approve(&engine, &two, "sre-1", at(4)).unwrap_err();
    assert_eq!(error, ApprovalError::UnfitProposal { message: "the flag is not set".to_owned() });
    assert_eq!(closed(&engine), [(json!(id(&two).to_string()), json!("moot"))]);
    assert!(engine.proposals().is_empty());
    // It is no approval in store: a flag that is set again is cleared by a proposal of its own.
    let again = proposal("sre-2", &json!({"set_flag": {"flag": "approved"}}), 5);
    propose(&engine, &again, at(5)).unwrap();
    approve(&engine, &again, "sre-1", at(5)).unwrap();
    assert_eq!(approve(&engine, &two, "sre-1", at(6)), Err(ApprovalError::UnknownProposal));
    assert_eq!(propose(&engine, &two, at(6)), Err(ApprovalError::AlreadyProposed));
    assert_eq!(engine.flags(at(6)).len(), 1);
}

/// Three proposals to leave one posture. One is approved and waits; the last approvals of the others come at the very
/// instant at which that one is carried out, which comes first.
#[test]
fn an_approval_at_the_instant_at_which_its_posture_is_left_leaves_nothing() {
    let engine = read_only(10_000, 14_000);
    let one = proposal("sre-1", &leave(), 14_000);
    propose(&engine, &one, at(14_000)).unwrap();
    assert_eq!(waits_for(approve(&engine, &one, "sre-2", at(14_000))), Some("not_stable"));
    // Those that wait are looked at in the order of their ids: before the first one, and behind it.
    let other = |before: bool| {
        let others = (0..14_000).map(|issued| proposal("sre-2", &leave(), issued));
        others.into_iter().find(|other| (id(other) < id(&one)) == before).unwrap()
    };
    let others = [other(true), other(false)];
    for other in &others {
        propose(&engine, other, at(14_000)).unwrap();
    }
    for millis in (18_000..70_000).step_by(4_000) {
        observe(&engine, "ledger", millis);
    }
    observe(&engine, "ledger", 69_000);
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(70_000)));
    events(&engine);
    for other in &others {
        assert_eq!(approve(&engine, other, "sre-1", at(70_000)), Err(ApprovalError::UnknownProposal));
    }
    let mut closed = closed(&engine);
    assert_eq!(closed.remove(0), (json!(id(&one).to_string()), json!("done")));
    let mut void: Vec<_> = others.iter().map(|other| (json!(id(other).to_string()), json!("moot"))).collect();
    void.sort_by_key(|(id, _)| id.to_string());
    closed.sort_by_key(|(id, _)| id.to_string());
    assert_eq!(closed, void);
    assert_eq!(engine.posture(None).unwrap().as_str(), "normal");
    engine.enter_posture("read-only", None, at(70_000)).unwrap();
    for other in &others {
        assert_eq!(approve(&engine, other, "sre-1", at(70_001)), Err(ApprovalError::UnknownProposal));
    }
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
}

/// A code is used up by the approval that it gives, whatever comes of what was proposed: what is exported has changed.
#[test]
fn a_code_that_approved_what_could_not_be_done_is_news_to_export() {
    let mut config = Config::default();
    config.limits.overrides_max = 1;
    let engine = Engine::new(config);
    engine.activate(bundle(&pack()), at(0)).unwrap();
    granted(&engine, &for_ann("10m", 5), 0).unwrap();
    let for_bob = grant(&json!(["user:bob"]), &json!(["order:*"]), &json!(["order:*"]), "10m", 5);
    let asked = proposal("sre-1", &for_bob, 61_000);
    propose(&engine, &asked, at(61_000)).unwrap();
    approve(&engine, &asked, "sec-1", at(61_000)).unwrap();
    let sequence = engine.state_sequence();
    let last = engine.approve(id(&asked), "sec-3", Proof::Code(&code(at(61_000))), at(61_000));
    assert_eq!(last, Err(ApprovalError::NoRoom));
    assert!(engine.state_sequence() > sequence);
    let again = proposal("sre-1", &for_bob, 62_000);
    propose(&engine, &again, at(62_000)).unwrap();
    let used = engine.approve(id(&again), "sec-3", Proof::Code(&code(at(61_000))), at(62_000));
    assert_eq!(used, Err(ApprovalError::UsedCode));
}
