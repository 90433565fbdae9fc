//! What the page says, held against what the engine answered: over every drill of every shipped pack.

use std::fs;
use std::path::{Path, PathBuf};

use fallgate::drill::Drill;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::{Effect, Reason};

use super::allowed::allowed;
use super::denied::{Denied, denied};
use super::lanes::{EVERYWHERE, Group, Lanes};
use super::mood::Mood;
use super::{Played, embedded, page, questions};
use crate::pack::{drill_files, load_drill, load_pack};

fn packs() -> Vec<PathBuf> {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut found: Vec<PathBuf> = fs::read_dir(policies).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.join("pack.yaml").is_file());
    found.sort();
    assert!(found.len() > 5, "{found:?}");
    found
}

fn loaded(pack: &Path) -> (Bundle, Vec<Drill>) {
    let document = load_pack(pack).unwrap().document;
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let drills = drill_files(pack).unwrap();
    let drill = |path: &PathBuf| Drill::from_document(&load_drill(path).unwrap().document, &Limits::DEFAULT).unwrap();
    (bundle, drills.iter().map(drill).collect())
}

#[test]
fn lanes_say_what_decisions_met() {
    let (mut postures, mut signals) = (0_u32, 0_u32);
    for pack in packs() {
        let (bundle, drills) = loaded(&pack);
        let policy = bundle.policy();
        let rank = |name: &str| policy.postures.number(name).map(|number| policy.postures.spec(number).unwrap().rank);
        for drill in drills {
            let report = drill.run(&bundle);
            let lanes = Lanes::of(policy, &report.steps);
            for asked in questions(&drill, &report) {
                // The cases of other revisions have other postures.
                if asked.decision.revision() != policy.revision {
                    continue;
                }
                let place = format!("{} ({}) at {} ms", drill.drill, pack.display(), asked.at);
                let met = asked.decision.posture();
                if policy.postures.any() && !met.is_empty() {
                    let of = |lane: &str| lanes.at(Group::Postures, lane, asked.at).map(|span| span.state.clone());
                    let everywhere = of(EVERYWHERE).unwrap();
                    assert!(rank(&everywhere) <= rank(met), "{place}: everywhere {everywhere}, met {met}");
                    let scopes = lanes.all.iter().filter(|lane| lane.group == Group::Postures);
                    let states: Vec<String> = scopes.filter_map(|lane| of(&lane.name)).collect();
                    assert!(states.iter().any(|state| state == met), "{place}: met {met}, the lanes have {states:?}");
                    postures += u32::from(rank(met) > Some(0));
                }
                for name in asked.decision.degraded() {
                    let of = |group| lanes.at(group, name, asked.at).map(|span| span.mood);
                    let mood = of(Group::Signals).or_else(|| of(Group::Guards));
                    assert!(mood.is_some_and(|mood| mood != Mood::Good), "{place}: {name} is {mood:?}");
                    signals += 1;
                }
            }
        }
    }
    assert!(postures > 50 && signals > 50, "too little was looked at: {postures}, {signals}");
}

#[test]
fn every_deny_is_told_of_with_its_end() {
    for pack in packs() {
        let (bundle, drills) = loaded(&pack);
        for drill in drills {
            let report = drill.run(&bundle);
            let lanes = Lanes::of(bundle.policy(), &report.steps);
            let asked = questions(&drill, &report);
            let ways = denied(&asked, bundle.policy(), &lanes);
            let told: usize = ways.iter().map(|way| way.times).sum();
            let denies = asked.iter().filter(|one| one.decision.effect() == Effect::Deny).count();
            assert_eq!(told, denies, "{}", drill.drill);
            for way in &ways {
                assert!(!way.why.is_empty() && !way.ends.is_empty() && way.first <= way.last, "{way:?}");
            }
        }
    }
}

#[test]
fn a_posture_ends_as_the_pack_says() {
    let (bundle, drills) = loaded(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/idp-outage"));
    let drill = drills.iter().find(|drill| drill.drill.starts_with("an outage becomes an emergency")).unwrap();
    let report = drill.run(&bundle);
    let lanes = Lanes::of(bundle.policy(), &report.steps);
    let ways = denied(&questions(drill, &report), bundle.policy(), &lanes);
    let started = ways.iter().find(|way| way.action == "session:start" && way.reason == Reason::Posture).unwrap();
    // `emergency` in the pack: leave: { stable: 2m, dwell: 5m, checks: [idp, directory, revocations] }.
    assert!(started.why.contains("Posture: emergency (since 30m 10s)"), "{}", started.why);
    for takes in ["its cause gone for 2m", "at least 5m in it", "ok"] {
        assert!(started.ends.contains(takes), "{takes}: {}", started.ends);
    }
    for check in ["idp", "directory", "revocations"] {
        assert!(started.ends.contains(check), "{check}: {}", started.ends);
    }
}

/// The rows by hand, from the steps of the drills.
#[test]
fn a_deny_is_told_of_with_what_the_same_question_was_answered_next() {
    let (bundle, drills) = loaded(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/idp-outage"));
    let told = |title: &str, action: &str| {
        let drill = drills.iter().find(|drill| drill.drill.contains(title)).unwrap();
        let report = drill.run(&bundle);
        let lanes = Lanes::of(bundle.policy(), &report.steps);
        let ways = denied(&questions(drill, &report), bundle.policy(), &lanes).into_iter();
        let row = |way: Denied| (way.first / 1_000, way.resource, way.reason, way.then);
        ways.filter(|way| way.action == action).map(row).collect::<Vec<_>>()
    };
    let row = |at, on: &str, reason, then: &str| (at, on.to_owned(), reason, then.to_owned());
    assert_eq!(
        told("with a code", "console:open"),
        [
            row(10, "broker", Reason::SignalUnavailable, "allowed at 31s (allowed_by_override)"),
            row(32, "broker", Reason::SignalUnavailable, "allowed at 52s (allowed_by_override)"),
            row(54, "broker", Reason::SignalUnavailable, "allowed at 2h 12s (allowed_by_override)"),
            row(7213, "broker", Reason::Posture, "not asked again"),
        ]
    );
    // That the account of one person was recovered is no end of the deny of another's.
    let recovered = told("help desk", "account:recover");
    let of_ada = recovered.iter().find(|(_, on, ..)| on == "ada").unwrap();
    assert_eq!(of_ada.3, "not asked again", "{recovered:?}");
}

#[test]
fn what_stayed_allowed_is_told_of_with_its_strength() {
    let (bundle, drills) = loaded(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/idp-outage"));
    for drill in &drills {
        let report = drill.run(&bundle);
        let lanes = Lanes::of(bundle.policy(), &report.steps);
        let asked = questions(drill, &report);
        let rows = allowed(&asked, &lanes);
        let told: usize = rows.iter().map(|row| row.times).sum();
        let weaker =
            |one: &&super::Asked<'_>| one.decision.is_allow() && one.decision.reason() != Reason::AllowedByRule;
        assert!(told >= asked.iter().filter(weaker).count(), "{}", drill.drill);
        assert!(rows.iter().all(|row| row.reason != Reason::AllowedByRule || !row.despite.is_empty()), "{rows:?}");
        if drill.drill.starts_with("the identity provider") {
            // ines is let in by her hardware key, and a workload by its ordinary rule, which needs no provider.
            let of = |subject: &str| rows.iter().find(|row| row.subject.contains(subject)).unwrap();
            assert_eq!(of("ines").reason, Reason::AllowedMinimal);
            assert!(of("billing/worker").despite.contains("idp failed"), "{rows:?}");
        }
    }
}

#[test]
fn the_same_drill_gives_the_same_page() {
    let (bundle, drills) = loaded(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/split-regions"));
    let drill = drills.first().unwrap();
    let once = || page(&bundle, &[Played { name: "one", drill, report: &drill.run(&bundle) }]);
    assert_eq!(once(), once());
}

#[test]
fn no_text_ends_the_element_that_it_stands_in() {
    let hostile = serde_json::json!({ "texts": ["</script><script>", "a && b", "<!--"] });
    let text = embedded(&hostile);
    assert!(!text.contains(['<', '>', '&']), "{text}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), hostile);
}
