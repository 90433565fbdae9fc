//! The way back: to what was active here, and by what.

use fallgate::condition::Status;
use serde_json::json;

use super::*;

/// An engine that has come from revision 1 to 2, of which 2 lets erasers erase.
fn advanced() -> (Engine, Bundle) {
    let engine = engine();
    let second = erasing(2, true);
    engine.stage(second.clone(), secs(1)).unwrap();
    decide(&engine, &request("e", &["eraser"], "doc:erase"), secs(1));
    read_by_many(&engine, secs(1));
    approved(&engine, &json!({ "promote": { "bundle": second.id().to_string() } }), secs(2)).unwrap();
    for _ in 0..3 {
        read_by_many(&engine, secs(3));
        engine.promote(secs(3)).unwrap();
    }
    assert_eq!(engine.bundle().unwrap().revision(), 2);
    (engine, second)
}

#[test]
fn the_engine_goes_back_to_what_was_active_here() {
    let (engine, second) = advanced();
    let erase = request("e", &["eraser"], "doc:erase");
    assert!(decide(&engine, &erase, secs(4)).is_allow());
    let first = compiled(&pack(1)).id();
    engine.return_to(first, secs(5)).unwrap();
    assert!(!decide(&engine, &erase, secs(5)).is_allow());
    assert_eq!(engine.return_to(first, secs(5)).unwrap_err().code(), "already_active");
    let told = events(&engine);
    assert!(told.contains(&"bundle_rolled_back"), "{told:?}");
    // The floor stays where it was: nothing between the two, and the later one by a rollout.
    assert_eq!(engine.stage(changed(2, |_| {}), secs(6)).unwrap_err().code(), "same_revision");
    assert_eq!(engine.activate(second.clone(), secs(6)).unwrap_err().code(), "rollout_required");
    engine.stage(second, secs(6)).unwrap();
}

#[test]
fn a_candidate_is_dropped_on_the_way_back() {
    let (engine, _) = advanced();
    engine.stage(changed(3, |_| {}), secs(4)).unwrap();
    engine.return_to(compiled(&pack(1)).id(), secs(5)).unwrap();
    assert!(!engine.is_in_rollout());
    assert_eq!(engine.bundle().unwrap().revision(), 1);
    let told = events(&engine);
    let at = |code: &str| told.iter().position(|other| *other == code).unwrap();
    assert!(at("rollout_rolled_back") < at("bundle_rolled_back"), "{told:?}");
}

#[test]
fn twice_rolled_back_is_not_further_back() {
    let (engine, _) = advanced();
    engine.stage(changed(3, |_| {}), secs(4)).unwrap();
    engine.roll_back(secs(5)).unwrap();
    assert_eq!(engine.roll_back(secs(5)).unwrap_err().code(), "no_candidate");
    assert_eq!(engine.bundle().unwrap().revision(), 2);
}

#[test]
fn what_was_never_active_here_takes_an_approved_proposal() {
    let (engine, _) = advanced();
    let stranger = changed(1, |pack| pack["description"] = json!("another first one"));
    assert_eq!(engine.return_to(stranger.id(), secs(5)).unwrap_err().code(), "never_active");
    assert_eq!(engine.activate(stranger.clone(), secs(5)).unwrap_err().code(), "older_revision");
    approved(&engine, &json!({ "activate": { "bundle": stranger.id().to_string() } }), secs(6)).unwrap();
    assert!(events(&engine).contains(&"bundle_cleared"));
    // It is for that bundle, until it expires, and once.
    let other = changed(1, |pack| pack["description"] = json!("a third first one"));
    assert_eq!(engine.activate(other, secs(7)).unwrap_err().code(), "older_revision");
    assert_eq!(engine.activate(stranger, secs(6 + 3_600)).unwrap_err().code(), "older_revision");
}

#[test]
fn an_approved_activation_is_done_and_used_up() {
    let (engine, second) = advanced();
    let stranger = changed(1, |pack| pack["description"] = json!("another first one"));
    approved(&engine, &json!({ "activate": { "bundle": stranger.id().to_string() } }), secs(6)).unwrap();
    engine.activate(stranger.clone(), secs(7)).unwrap();
    engine.return_to(second.id(), secs(8)).unwrap();
    assert_eq!(engine.activate(stranger, secs(9)).unwrap_err().code(), "older_revision");
}

#[test]
fn where_the_clocks_part_an_approved_activation_is_over() {
    let (engine, _) = advanced();
    let stranger = changed(1, |pack| pack["description"] = json!("another first one"));
    approved(&engine, &json!({ "activate": { "bundle": stranger.id().to_string() } }), secs(6)).unwrap();
    engine.advance(Now::new(secs(7).monotonic, secs(600).wall));
    engine.anchor_clocks(secs(8));
    assert_eq!(engine.activate(stranger, secs(8)).unwrap_err().code(), "older_revision");
}

#[test]
fn an_activation_finds_by_itself_that_the_clocks_have_parted() {
    let (engine, _) = advanced();
    let stranger = changed(1, |pack| pack["description"] = json!("another first one"));
    approved(&engine, &json!({ "activate": { "bundle": stranger.id().to_string() } }), secs(6)).unwrap();
    // Nobody has told the engine the time since: what was approved is over before it is looked at.
    let parted = Now::new(secs(7).monotonic, secs(600).wall);
    assert_eq!(engine.activate(stranger, parted).unwrap_err().code(), "older_revision");
    assert_eq!(engine.signal("clock"), Some(Status::Failed));
}

#[test]
fn only_the_last_few_are_remembered() {
    let mut config = Config::default();
    config.limits.former_bundles_max = 2;
    let engine = Engine::new(config);
    let bare = |revision| {
        changed(revision, |pack| {
            pack.as_object_mut().unwrap().remove("rollout");
        })
    };
    for revision in 1..=4 {
        engine.activate(bare(revision), secs(revision)).unwrap();
    }
    let former = engine.overview(secs(5))["former_bundles"].as_array().unwrap().len();
    assert_eq!(former, 2);
    assert_eq!(engine.return_to(bare(1).id(), secs(5)).unwrap_err().code(), "never_active");
    engine.return_to(bare(2).id(), secs(5)).unwrap();
}

#[test]
fn a_bundle_whose_time_is_over_is_none_to_go_back_to() {
    let engine = Engine::new(Config::default());
    let bare = |revision, until: &str| {
        changed(revision, |pack| {
            pack.as_object_mut().unwrap().remove("rollout");
            pack["valid"] = json!({ "until": until });
        })
    };
    let first = bare(1, "2026-01-01T00:01:00Z");
    engine.activate(first.clone(), secs(0)).unwrap();
    engine.activate(bare(2, "2027-01-01T00:00:00Z"), secs(1)).unwrap();
    assert_eq!(engine.return_to(first.id(), secs(60)).unwrap_err().code(), "outside_validity");
    engine.return_to(first.id(), secs(59)).unwrap();
}

/// An engine that exports and restores.
fn lasting() -> Engine {
    let mut config = Config::default();
    config.state_key = fallgate::state::document::StateKey::new([7; 32]);
    Engine::new(config)
}

#[test]
fn a_restart_begins_with_what_was_gone_back_to() {
    let bare = |revision| {
        changed(revision, |pack| {
            pack.as_object_mut().unwrap().remove("rollout");
        })
    };
    let engine = lasting();
    engine.activate(bare(1), secs(0)).unwrap();
    engine.activate(bare(2), secs(1)).unwrap();
    let before = engine.export_state(secs(2)).unwrap();
    engine.return_to(bare(1).id(), secs(3)).unwrap();
    let after = engine.export_state(secs(4)).unwrap();
    let restarted = lasting();
    restarted.activate(bare(1), secs(5)).unwrap();
    restarted.restore_state(&after, None, secs(5)).unwrap();
    // The state of before knows of nobody who went back.
    let restarted = lasting();
    restarted.activate(bare(1), secs(5)).unwrap();
    assert_eq!(restarted.restore_state(&before, None, secs(5)).unwrap_err().code(), "state_bundle_behind");
    let exported = restarted.export_state(secs(6)).unwrap();
    let next = lasting();
    next.activate(bare(1), secs(7)).unwrap();
    assert_eq!(next.restore_state(&exported, None, secs(7)).unwrap_err().code(), "state_bundle_behind");
}

#[test]
fn a_restart_knows_no_candidate() {
    let set_up = lasting;
    let engine = set_up();
    engine.activate(compiled(&pack(1)), secs(0)).unwrap();
    engine.stage(erasing(2, true), secs(1)).unwrap();
    let state = engine.export_state(secs(2)).unwrap();
    let restarted = set_up();
    restarted.activate(compiled(&pack(1)), secs(3)).unwrap();
    restarted.restore_state(&state, None, secs(3)).unwrap();
    assert!(!restarted.is_in_rollout());
    assert_eq!(restarted.roll_back(secs(4)).unwrap_err().code(), "no_candidate");
    assert_eq!(restarted.activate(erasing(2, true), secs(4)).unwrap_err().code(), "rollout_required");
}

#[test]
fn no_way_leads_back_to_a_bundle_whose_validity_has_ended() {
    let engine = Engine::new(Config::default());
    let first = changed(1, |pack| pack["valid"] = json!({ "until": secs(30).wall.to_string() }));
    engine.activate(first.clone(), secs(0)).unwrap();
    let second = changed(2, |pack| pack["valid"] = json!({ "until": secs(40).wall.to_string() }));
    engine.stage(second.clone(), secs(1)).unwrap();
    read_by_many(&engine, secs(1));
    approved(&engine, &json!({ "promote": { "bundle": second.id().to_string() } }), secs(2)).unwrap();
    for _ in 0..3 {
        read_by_many(&engine, secs(3));
        engine.promote(secs(3)).unwrap();
    }
    assert_eq!(engine.return_to(first.id(), secs(30)).unwrap_err().code(), "outside_validity");
    // Nor where the active one has ended, too.
    assert_eq!(engine.return_to(first.id(), secs(40)).unwrap_err().code(), "outside_validity");
    assert_eq!(engine.bundle().unwrap().revision(), 2);
}
