//! In which order messages are done, and that each is done once.

// A thread for each of several hosts that bring the same messages.
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;

use fallgate::condition::Status;
use fallgate::policy::trust::envelope;
use fallgate::state::control::ControlError;
use fallgate::{Config, Engine};
use serde_json::{Value, json};

use crate::fleet::{
    CONTROLLER, OWNER, allows, at, beat, canonical, control, engine, enter, events, fate, leave, lift, message,
    operate, pack, quarantine, root_form, signed_as,
};

/// What can be seen of an engine but for its signals.
fn standing(engine: &Engine) -> (Option<String>, Vec<bool>) {
    let probes = ["ann", "bob"].map(|subject| allows(engine, "list", subject, at(1_000)));
    (engine.posture(None).map(|posture| posture.to_string()), probes.to_vec())
}

/// Four messages of which each undoes, or shows, something of another.
fn four() -> [Value; 4] {
    [quarantine("ann"), lift("ann"), quarantine("bob"), enter("shut")]
}

#[test]
fn whatever_comes_in_whatever_order_the_state_is_that_of_an_unbroken_beginning() {
    let messages: Vec<Vec<u8>> =
        four().into_iter().zip(1..).map(|(operation, sequence)| message(1, sequence, 1_000, Some(operation))).collect();
    let beginnings: Vec<_> = (0..=4)
        .map(|count| {
            let engine = engine();
            for message in &messages[..count] {
                assert_eq!(fate(engine.apply(message, at(1_000))), "done");
            }
            standing(&engine)
        })
        .collect();
    assert_eq!(beginnings[0], (Some("normal".into()), vec![true, true]));
    assert_eq!(beginnings[1], (Some("normal".into()), vec![false, true]));
    assert_eq!(beginnings[4], (Some("shut".into()), vec![false, false]));
    // Every way in which five deliveries of four messages can come, doubled, dropped and late.
    let mut orders = 0;
    for order in 0..4_usize.pow(5) {
        let engine = engine();
        let (mut taken, mut seen) = (0, 0);
        for delivery in 0..5 {
            let number = order / 4_usize.pow(delivery) % 4;
            let expected = match number.cmp(&taken) {
                std::cmp::Ordering::Less => "again",
                std::cmp::Ordering::Equal => "done",
                std::cmp::Ordering::Greater => "control_gap",
            };
            assert_eq!(
                fate(engine.apply(&messages[number], at(1_000))),
                expected,
                "order {order}, delivery {delivery}"
            );
            taken += usize::from(number == taken);
            seen = seen.max(number + 1);
            assert_eq!(standing(&engine), beginnings[taken], "order {order}, delivery {delivery}");
            let whole = if seen > taken || taken == 0 { Status::Unknown } else { Status::Ok };
            assert_eq!(control(&engine), whole, "order {order}, delivery {delivery}");
        }
        orders += 1;
    }
    assert_eq!(orders, 1_024);
}

#[test]
fn a_hole_is_filled_in_order_and_says_so() {
    let engine = engine();
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_000), at(1_000))), "heard");
    assert_eq!(engine.apply(&beat(1, 4, 1_000), at(1_000)), Err(ControlError::Gap { expected: 2 }));
    assert_eq!(control(&engine), Status::Unknown);
    assert!(!allows(&engine, "read", "ann", at(1_000)));
    assert_eq!(fate(engine.apply(&beat(1, 2, 2_000), at(2_000))), "heard");
    assert_eq!(control(&engine), Status::Unknown, "two are still missing");
    events(&engine);
    assert_eq!(fate(engine.apply(&beat(1, 3, 2_000), at(2_000))), "heard");
    assert_eq!(fate(engine.apply(&beat(1, 4, 1_000), at(2_000))), "heard");
    assert_eq!(control(&engine), Status::Ok);
    assert!(allows(&engine, "read", "ann", at(2_000)));
    assert_eq!(events(&engine), ["signal_changed", "control_applied"]);
}

#[test]
fn a_later_epoch_begins_at_one_and_ends_the_earlier() {
    let engine = engine();
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_000), at(1_000))), "heard");
    assert_eq!(engine.apply(&beat(3, 2, 1_000), at(1_000)), Err(ControlError::Gap { expected: 1 }));
    let old = message(1, 2, 1_000, Some(enter("shut")));
    assert_eq!(engine.apply(&old, at(1_000)), Err(ControlError::Fenced { epoch: 3 }));
    assert_eq!(engine.apply(&beat(2, 1, 1_000), at(1_000)), Err(ControlError::Fenced { epoch: 3 }));
    assert_eq!(control(&engine), Status::Unknown);
    assert_eq!(fate(engine.apply(&beat(3, 1, 1_500), at(1_500))), "heard");
    assert_eq!(fate(engine.apply(&beat(3, 2, 1_000), at(1_500))), "heard");
    assert_eq!(control(&engine), Status::Ok);
    assert_eq!(fate(engine.apply(&old, at(1_500))), "control_fenced");
    assert_eq!(control(&engine), Status::Ok, "an old controller changes nothing");
    assert_eq!(engine.posture(None).as_deref(), Some("normal"));
}

#[test]
fn two_messages_of_one_number_fail_the_feed_and_it_only_tightens_until_a_later_epoch() {
    let engine = engine();
    assert_eq!(fate(engine.apply(&message(1, 1, 1_000, Some(quarantine("ann"))), at(1_000))), "done");
    assert_eq!(fate(engine.apply(&message(1, 1, 1_000, Some(quarantine("bob"))), at(1_000))), "control_conflict");
    assert_eq!(control(&engine), Status::Failed);
    assert!(allows(&engine, "list", "bob", at(1_000)), "what is refused has no effect");
    assert_eq!(fate(engine.apply(&message(1, 2, 1_000, Some(lift("ann"))), at(1_000))), "not done: control_conflict");
    assert!(!allows(&engine, "list", "ann", at(1_000)));
    assert_eq!(fate(engine.apply(&message(1, 3, 1_000, Some(quarantine("bob"))), at(1_000))), "done");
    assert!(!allows(&engine, "list", "bob", at(1_000)));
    assert_eq!(control(&engine), Status::Failed);
    assert_eq!(engine.apply(&beat(2, 2, 1_000), at(1_000)), Err(ControlError::Gap { expected: 1 }));
    assert_eq!(control(&engine), Status::Failed, "what was heard in a contradiction was not heard");
    assert!(events(&engine).contains(&"control_refused"));
    assert_eq!(fate(engine.apply(&message(2, 1, 2_000, Some(lift("ann"))), at(2_000))), "done");
    assert_eq!(fate(engine.apply(&beat(2, 2, 1_000), at(2_000))), "heard");
    assert_eq!(control(&engine), Status::Ok);
    assert!(allows(&engine, "read", "ann", at(2_000)));
}

#[test]
fn an_operation_that_is_not_done_does_not_stop_the_feed() {
    let engine = engine();
    for (sequence, operation, expected) in [
        (1, leave("shut"), "not done: not_entered"),
        (2, enter("nowhere"), "not done: unknown_posture"),
        (3, enter("sealed"), "done"),
        // What takes approvals takes them here too.
        (4, leave("sealed"), "not done: not_approved"),
        (5, lift("ann"), "not done: not_quarantined"),
    ] {
        assert_eq!(fate(engine.apply(&message(1, sequence, 1_000, Some(operation)), at(1_000))), expected);
    }
    assert_eq!(control(&engine), Status::Ok);
    assert_eq!(engine.posture(None).as_deref(), Some("sealed"));
    let feeds = &engine.overview(at(1_000))["feeds"];
    let stands = json!([{
        "feed": "fleet", "epoch": 1, "sequence": 5, "missing": 0, "contradicted": false, "heard_ms_ago": 0,
    }]);
    assert_eq!(*feeds, stands);
}

#[test]
fn a_bundle_that_a_feed_brings_is_taken_by_its_own_signatures() {
    let engine = engine();
    let bring = |sequence: u64, signed: Vec<u8>| {
        let text = String::from_utf8(signed).unwrap();
        let operation = json!({ "activate": { "bundle": text } });
        fate(engine.apply(&message(1, sequence, 1_000, Some(operation)), at(1_000)))
    };
    let second = canonical(&pack(2));
    assert_eq!(bring(1, second.clone()), "not done: unsigned");
    assert_eq!(bring(2, signed_as(envelope::BUNDLE, &second, &[CONTROLLER])), "not done: unknown_key");
    assert_eq!(engine.bundle().unwrap().revision(), 1);
    assert_eq!(bring(3, signed_as(envelope::BUNDLE, &second, &[OWNER])), "done");
    assert_eq!(engine.bundle().unwrap().revision(), 2);
    assert_eq!(bring(4, signed_as(envelope::BUNDLE, &canonical(&pack(1)), &[OWNER])), "not done: older_revision");
    assert_eq!(control(&engine), Status::Ok, "what was heard is carried over");
}

#[test]
fn nothing_is_taken_again_after_a_restart() {
    let engine = engine();
    let history: Vec<Vec<u8>> = [Some(enter("shut")), Some(leave("shut")), Some(quarantine("ann")), None]
        .into_iter()
        .zip(1..)
        .map(|(operation, sequence)| message(2, sequence, 1_000, operation))
        .collect();
    for message in &history {
        assert!(engine.apply(message, at(1_000)).is_ok());
    }
    let state = engine.export_state(at(2_000)).unwrap();
    let again = crate::fleet::engine();
    again.restore_state(&state, None, at(2_000)).unwrap();
    operate(&again, &enter("shut"), at(2_000));
    for message in &history {
        assert_eq!(fate(again.apply(message, at(2_000))), "again");
    }
    assert_eq!(again.posture(None).as_deref(), Some("shut"), "the leave that was heard before opens nothing now");
    assert_eq!(control(&again), Status::Unknown, "what was heard before is not heard again");
    assert_eq!(fate(again.apply(&message(1, 1, 2_000, Some(leave("shut"))), at(2_000))), "control_fenced");
    assert_eq!(fate(again.apply(&message(2, 4, 2_000, Some(leave("shut"))), at(2_000))), "control_conflict");
    assert_eq!(fate(again.apply(&message(2, 6, 2_000, None), at(2_000))), "control_gap");
    assert_eq!(fate(again.apply(&message(3, 1, 2_000, None), at(2_000))), "heard");
}

#[test]
fn a_feed_that_contradicted_itself_still_does_after_a_restart() {
    let engine = engine();
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_000), at(1_000))), "heard");
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_001), at(1_000))), "control_conflict");
    let state = engine.export_state(at(2_000)).unwrap();
    let again = crate::fleet::engine();
    again.restore_state(&state, None, at(2_000)).unwrap();
    assert_eq!(fate(again.apply(&beat(1, 2, 2_000), at(2_000))), "heard");
    assert_eq!(control(&again), Status::Failed);
}

#[test]
fn an_engine_that_lost_its_state_does_nothing_again_that_loosens() {
    let engine = engine();
    assert!(engine.restore_state(&[], None, at(60_000)).is_err());
    assert_eq!(engine.posture(None).as_deref(), Some("sealed"), "the strictest");
    operate(&engine, &quarantine("ann"), at(60_000));
    operate(&engine, &quarantine("bob"), at(60_000));
    // Somebody brings what was said before.
    assert_eq!(fate(engine.apply(&message(1, 1, 1_000, Some(lift("ann"))), at(61_000))), "not done: control_doubted");
    assert_eq!(fate(engine.apply(&message(1, 2, 1_000, Some(quarantine("eve"))), at(61_000))), "done");
    // What is said now counts.
    assert_eq!(fate(engine.apply(&message(1, 3, 61_000, Some(lift("bob"))), at(61_000))), "done");
    let state = engine.export_state(at(62_000)).unwrap();
    let again = crate::fleet::engine();
    again.restore_state(&state, None, at(62_000)).unwrap();
    assert_eq!(fate(again.apply(&message(1, 4, 2_000, Some(lift("ann"))), at(62_000))), "not done: control_doubted");
}

#[test]
fn threads_that_bring_the_same_messages_do_each_once_and_in_order() {
    let engine = Arc::new(engine());
    let messages: Arc<Vec<Vec<u8>>> = Arc::new(
        (1..=12)
            .map(|sequence| {
                let operation = if sequence % 2 == 1 { quarantine("ann") } else { lift("ann") };
                message(1, sequence, 1_000, Some(operation))
            })
            .collect(),
    );
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (engine, messages) = (Arc::clone(&engine), Arc::clone(&messages));
            std::thread::spawn(move || {
                for message in messages.iter() {
                    while matches!(engine.apply(message, at(1_000)), Err(ControlError::Gap { .. })) {}
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let metrics = engine.metrics();
    let count = |outcome: &str| {
        metrics.value(&format!("fallgate_control_messages_total{{feed=\"fleet\",outcome=\"{outcome}\"}}"))
    };
    // One that came out of order, or twice, would find nothing to lift.
    assert_eq!((count("done"), count("not_done")), (Some(12.0), None));
    assert_eq!(count("again"), Some(36.0));
    assert_eq!(metrics.value("fallgate_control_sequence{feed=\"fleet\"}"), Some(12.0));
}

#[test]
fn without_room_no_further_feed_is_taken() {
    let mut config = Config::default();
    config.trust = fallgate::policy::bundle::Trust::keys(crate::fleet::root(&root_form()));
    config.limits.control_feeds_max = 1;
    let engine = Engine::new(config);
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_000), at(1_000))), "heard");
    let payload = canonical(&crate::fleet::payload("partners", 1, 1, 1_000, None));
    let other = signed_as(envelope::CONTROL, &payload, &[crate::fleet::PARTNER]);
    assert_eq!(engine.apply(&other, at(1_000)), Err(ControlError::Full));
    assert_eq!(fate(engine.apply(&beat(1, 2, 1_000), at(1_000))), "heard");
}

/// Restored into an engine with less room: what there is no room for does not fit, and the rest counts.
#[test]
fn a_state_with_more_feeds_than_there_is_room_for_does_not_fit() {
    let active = engine();
    assert_eq!(fate(active.apply(&message(1, 1, 1_000, Some(quarantine("ann"))), at(1_000))), "done");
    let partners = canonical(&crate::fleet::payload("partners", 1, 1, 1_000, None));
    let partners = signed_as(envelope::CONTROL, &partners, &[crate::fleet::PARTNER]);
    assert_eq!(fate(active.apply(&partners, at(1_000))), "heard");
    let state = active.export_state(at(2_000)).unwrap();
    let narrow = |feeds: usize| {
        let mut config = Config::default();
        config.trust = fallgate::policy::bundle::Trust::keys(crate::fleet::root(&root_form()));
        config.state_key = fallgate::state::document::StateKey::new([7; 32]);
        config.limits.control_feeds_max = feeds;
        let engine = Engine::new(config);
        engine.activate_signed(&signed_as(envelope::BUNDLE, &canonical(&pack(1)), &[OWNER]), at(0)).unwrap();
        engine
    };
    let fits = narrow(2);
    fits.restore_state(&state, None, at(2_000)).unwrap();
    assert_eq!(fits.posture(None).as_deref(), Some("normal"));
    let again = narrow(1);
    assert_eq!(again.restore_state(&state, None, at(2_000)).unwrap_err().code(), "state_does_not_fit");
    assert_eq!(again.posture(None).as_deref(), Some("sealed"), "the strictest");
    // The first of the feeds by name was taken over with all it had said.
    assert_eq!(fate(again.apply(&message(1, 1, 1_000, Some(quarantine("ann"))), at(2_000))), "again");
    assert_eq!(fate(again.apply(&partners, at(2_000))), "control_full");
}

/// What was said lately is remembered by its digests, as many as there is room for: the last.
#[test]
fn a_state_with_more_digests_than_there_is_room_for_keeps_the_last() {
    let active = engine();
    for sequence in 1..=4 {
        assert_eq!(fate(active.apply(&beat(1, sequence, 1_000), at(1_000))), "heard");
    }
    let state = active.export_state(at(2_000)).unwrap();
    let mut config = Config::default();
    config.trust = fallgate::policy::bundle::Trust::keys(crate::fleet::root(&root_form()));
    config.state_key = fallgate::state::document::StateKey::new([7; 32]);
    config.limits.control_digests_max = 2;
    let again = Engine::new(config);
    again.activate_signed(&signed_as(envelope::BUNDLE, &canonical(&pack(1)), &[OWNER]), at(0)).unwrap();
    again.restore_state(&state, None, at(2_000)).unwrap();
    // Of the second nobody here knows what it said; it has no effect all the same.
    assert_eq!(fate(again.apply(&message(1, 2, 1_000, Some(quarantine("ann"))), at(2_000))), "again");
    assert!(allows(&again, "list", "ann", at(2_000)));
    assert_eq!(fate(again.apply(&message(1, 3, 1_000, Some(quarantine("ann"))), at(2_000))), "control_conflict");
}
