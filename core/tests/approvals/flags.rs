//! Flags: each holds its posture until somebody clears it.

use super::*;

#[test]
fn a_flag_holds_its_posture_until_it_is_cleared() {
    let engine = engine();
    for millis in (0..=8_000).step_by(4_000) {
        observe(&engine, "ledger", millis);
    }
    assert_eq!(engine.set_flag("nope", None, at(9_000)), Err(FlagError::UnknownFlag));
    assert_eq!(engine.set_flag("emergency", Some(Ttl::from_secs(86_401)), at(9_000)), Err(FlagError::AgeTooLong));
    assert_eq!(engine.set_flag("emergency", Some(Ttl::ZERO), at(9_000)), Err(FlagError::AgeTooLong));
    assert_eq!(engine.clear_flag("emergency", at(9_000)), Err(FlagError::NotSet));
    events(&engine);
    engine.set_flag("emergency", Some(Ttl::from_secs(30)), at(10_000)).unwrap();
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
    let told = events(&engine);
    let entered = told.iter().find(|event| event["event"] == "posture_entered").unwrap();
    assert_eq!(entered["cause"], "flag");
    for millis in (12_000..120_000).step_by(4_000) {
        observe(&engine, "ledger", millis);
    }
    // It is stale after 30 s, is reported once, and stays in effect.
    let told = events(&engine);
    let stale: Vec<_> = told.iter().filter(|event| event["event"] == "flag_expired").collect();
    assert_eq!((stale.len(), &stale[0]["monotonic_ms"]), (1, &json!(40_000)));
    let flag = &engine.flags(at(119_000))[0];
    assert_eq!((flag.flag.as_str(), &*flag.owner, flag.expired), ("emergency", "sre", true));
    assert_eq!((flag.since, flag.expires_at), (at(10_000).monotonic, at(40_000).monotonic));
    let waiting = proposal("sre-1", &leave(), 119_000);
    propose(&engine, &waiting, at(119_000)).unwrap();
    assert_eq!(waits_for(approve(&engine, &waiting, "sre-2", at(119_000))), Some("flag_set"));
    // It counts as the condition: after it is cleared, the posture has to be stable, and then is left as was approved.
    observe(&engine, "ledger", 120_000);
    engine.clear_flag("emergency", at(120_000)).unwrap();
    for millis in (124_000..=180_000).step_by(4_000) {
        assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
        observe(&engine, "ledger", millis);
    }
    assert_eq!(engine.posture(None).unwrap().as_str(), "normal");
}

#[test]
fn a_flag_that_takes_approvals_is_proposed() {
    let engine = engine();
    assert_eq!(engine.set_flag("approved", None, at(0)), Err(FlagError::NotApproved));
    let set = proposal("sre-1", &json!({"set_flag": {"flag": "approved", "for": "10m"}}), 0);
    propose(&engine, &set, at(0)).unwrap();
    assert_eq!(waits_for(approve(&engine, &set, "sre-2", at(0))), None);
    assert_eq!(engine.posture(None).unwrap().as_str(), "shut");
    assert_eq!(engine.leave_posture("shut", None, at(1)), Err(PostureError::FlagSet));
    assert_eq!(engine.clear_flag("approved", at(1)), Err(FlagError::NotApproved));
    let mut without = pack();
    without["revision"] = 2.into();
    without["flags"].as_object_mut().unwrap().remove("approved");
    assert_eq!(engine.activate(bundle(&without), at(1)).unwrap_err().code(), "loses_flag");
    let clear = proposal("sre-2", &json!({"clear_flag": {"flag": "approved"}}), 2);
    propose(&engine, &clear, at(2)).unwrap();
    assert_eq!(waits_for(approve(&engine, &clear, "sre-1", at(2))), None);
    engine.leave_posture("shut", None, at(3)).unwrap();
    let wrong = proposal("sre-1", &json!({"set_flag": {"flag": "emergency"}}), 3);
    assert_eq!(propose(&engine, &wrong, at(3)), Err(ApprovalError::NoApprovalsDeclared));
}
