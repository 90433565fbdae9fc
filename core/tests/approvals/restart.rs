//! Approvals and flags over a restart and a failover: what loosens begins anew, what tightens stays (H77).

use super::*;
use fallgate::state::document::StateKey;

/// An engine that exports and restores, activated at a time.
fn process(instance: &str, millis: u64) -> Engine {
    let mut config = Config::default();
    config.state_key = StateKey::new([7; 32]);
    config.instance = fallgate::name::name(instance).unwrap();
    let engine = Engine::new(config);
    engine.activate(bundle(&pack()), at(millis)).unwrap();
    observe(&engine, "ledger", millis);
    engine
}

fn restored(instance: &str, state: &[u8], millis: u64) -> Engine {
    let engine = process(instance, millis);
    engine.restore_state(state, None, at(millis)).unwrap();
    engine
}

#[test]
fn a_consumed_approval_is_not_taken_again_after_a_restart() {
    let engine = process("one", 0);
    let consumed = granted(&engine, &for_ann("10m", 1), 1_000).unwrap();
    assert!(ask(&engine, "ann", "order:pay", 3_000).is_allow());
    let state = engine.export_state(at(4_000)).unwrap();
    let engine = restored("one", &state, 5_000);
    // The override is gone, used or not: nobody knows what became of it after the export.
    assert!(!ask(&engine, "ann", "order:pay", 5_000).is_allow());
    assert_eq!(granted(&engine, &for_ann("10m", 1), 1_000), Err(ApprovalError::IssuedBeforeStart));
    assert!(engine.proposals().is_empty(), "{consumed}");
    // Written anew, and approved anew, it is another one.
    granted(&engine, &for_ann("10m", 1), 6_000).unwrap();
    assert!(ask(&engine, "ann", "order:pay", 8_000).is_allow());
}

#[test]
fn what_is_consumed_is_known_even_where_the_wall_clock_was_put_back() {
    let engine = process("one", 0);
    let taken = proposal("sre-1", &for_ann("10m", 1), 1_000);
    propose(&engine, &taken, at(1_000)).unwrap();
    let state = engine.export_state(at(4_000)).unwrap();
    // Another process begins, and its wall clock says that it is earlier than the export.
    let back = Now::new(Monotonic::from_millis(500), at(900).wall);
    let engine = process("one", 0);
    engine.restore_state(&state, None, back).unwrap();
    assert_eq!(propose(&engine, &taken, at(1_100)), Err(ApprovalError::IssuedBeforeStart));
    // An operator takes the clock for right; the id is known all the same.
    engine.anchor_clocks(back);
    assert_eq!(propose(&engine, &taken, at(1_100)), Err(ApprovalError::AlreadyProposed));
}

#[test]
fn what_another_engine_may_have_carried_out_is_void_when_this_one_takes_over() {
    let standby = process("two", 0);
    granted(&standby, &for_ann("10m", 1), 1_000).unwrap();
    let waiting = proposal("sre-2", &leave(), 2_000);
    standby.enter_posture("read-only", None, at(2_000)).unwrap();
    propose(&standby, &waiting, at(2_000)).unwrap();
    standby.take_over(at(5_000)).unwrap();
    assert!(!ask(&standby, "ann", "order:pay", 5_000).is_allow());
    assert_eq!(approve(&standby, &waiting, "sre-1", at(5_000)).unwrap_err(), ApprovalError::UnknownProposal);
    assert_eq!(granted(&standby, &for_ann("10m", 1), 4_000), Err(ApprovalError::IssuedBeforeStart));
    let why: Vec<_> = events(&standby).into_iter().filter(|event| event["why"] == "anew").collect();
    assert_eq!(why.len(), 2, "a proposal and an override");
}

#[test]
fn codes_and_tries_survive_a_restart() {
    let engine = process("one", 0);
    let asked = proposal("sre-1", &for_ann("10m", 1), 60_000);
    propose(&engine, &asked, at(60_000)).unwrap();
    engine.approve(id(&asked), "sec-3", Proof::Code(&code(at(61_000))), at(61_000)).unwrap();
    for _ in 0..4 {
        let wrong = engine.approve(id(&asked), "sec-3", Proof::Code("no"), at(62_000));
        assert!(wrong.is_err());
    }
    let asked = proposal("sre-2", &for_ann("10m", 1), 62_000);
    propose(&engine, &asked, at(62_000)).unwrap();
    for _ in 0..4 {
        assert_eq!(engine.approve(id(&asked), "sec-3", Proof::Code("no"), at(62_000)), Err(ApprovalError::BadCode));
    }
    let engine = restored("one", &engine.export_state(at(63_000)).unwrap(), 64_000);
    let asked = proposal("sre-1", &for_ann("10m", 1), 64_500);
    propose(&engine, &asked, at(64_500)).unwrap();
    let tried = engine.approve(id(&asked), "sec-3", Proof::Code(&code(at(61_000))), at(65_000));
    assert_eq!(tried, Err(ApprovalError::UsedCode), "it is the fifth");
    let tried = engine.approve(id(&asked), "sec-3", Proof::Code(&code(at(95_000))), at(95_000));
    assert_eq!(tried, Err(ApprovalError::TooManyTries));
}

#[test]
fn wrong_codes_that_count_no_more_do_not_count_after_a_restart() {
    // Five at 62 s count until 362 s.
    for (exported, expected) in [(361_999, Some(ApprovalError::TooManyTries)), (362_000, None)] {
        let engine = process("one", 0);
        let asked = proposal("sre-1", &for_ann("10m", 1), 61_000);
        propose(&engine, &asked, at(61_000)).unwrap();
        for _ in 0..5 {
            assert_eq!(engine.approve(id(&asked), "sec-3", Proof::Code("no"), at(62_000)), Err(ApprovalError::BadCode));
        }
        let engine = restored("one", &engine.export_state(at(exported)).unwrap(), 363_000);
        let asked = proposal("sre-1", &for_ann("10m", 1), 364_000);
        propose(&engine, &asked, at(364_000)).unwrap();
        // The codes of the half minute in which it was restored are refused.
        let said = engine.approve(id(&asked), "sec-3", Proof::Code(&code(at(391_000))), at(391_000));
        assert_eq!(said.err(), expected, "exported at {exported}");
    }
}

#[test]
fn a_flag_stays_set() {
    let engine = process("one", 0);
    engine.set_flag("emergency", Some(Ttl::from_secs(3_600)), at(1_000)).unwrap();
    let sequence = engine.state_sequence();
    engine.clear_flag("emergency", at(1_500)).unwrap();
    engine.set_flag("emergency", Some(Ttl::from_secs(3_600)), at(1_500)).unwrap();
    assert!(engine.state_sequence() > sequence);
    let engine = restored("two", &engine.export_state(at(2_000)).unwrap(), 12_000);
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
    let flags = engine.flags(at(12_000));
    // 3,599.5 s were left, of which 10 s and the 5 s of the clocks are over.
    assert_eq!(flags[0].expires_at, Monotonic::from_millis(12_000 + 3_599_500 - 15_000));
    // The bundle that is restored into does not know it: the strictest posture.
    let mut document = pack();
    document["flags"] = json!({});
    document["revision"] = 9.into();
    let other = process("two", 0);
    let state = {
        other.set_flag("emergency", None, at(1_000)).unwrap();
        other.export_state(at(2_000)).unwrap()
    };
    let mut config = Config::default();
    config.state_key = StateKey::new([7; 32]);
    let stranger = Engine::new(config);
    stranger.activate(bundle(&document), at(0)).unwrap();
    assert_eq!(stranger.restore_state(&state, None, at(3_000)).unwrap_err().code(), "state_does_not_fit");
    assert_eq!(stranger.posture(None).unwrap().as_str(), "shut");
}
