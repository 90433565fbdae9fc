//! The combination of rules against a naive reading of the table of spec 1.3, over every combination of few rules.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use fallgate::combine::{Tally, Verdict};
use fallgate::condition::{Cause, Truth};
use fallgate::{Effect, Reason};

const TRUTHS: [Truth; 4] =
    [Truth::False, Truth::True, Truth::Indeterminate(Cause::Missing), Truth::Indeterminate(Cause::Signal(3))];

/// The table of spec 1.3, row by row.
fn table(rules: &[(Effect, Truth)]) -> Reason {
    let any =
        |effect: Effect, test: &dyn Fn(Truth) -> bool| rules.iter().any(|(e, truth)| *e == effect && test(*truth));
    let is_true = |truth| truth == Truth::True;
    let unknown = |truth| matches!(truth, Truth::Indeterminate(_));
    let not_by_signal = |truth| matches!(truth, Truth::Indeterminate(cause) if !cause.is_signal());
    if any(Effect::Deny, &is_true) {
        Reason::DeniedByRule
    } else if any(Effect::Deny, &unknown) {
        Reason::Indeterminate
    } else if any(Effect::Allow, &is_true) {
        Reason::AllowedByRule
    } else if any(Effect::Allow, &not_by_signal) {
        Reason::Indeterminate
    } else if any(Effect::Allow, &unknown) {
        Reason::SignalUnavailable
    } else {
        Reason::NoMatchingRule
    }
}

fn tally(rules: &[(u32, Effect, Truth)]) -> Verdict {
    let mut tally = Tally::default();
    for (number, effect, truth) in rules {
        tally.count(*effect, *number, *truth);
    }
    tally.verdict()
}

/// Every list of up to four rules, each of two effects and four truths: 4,681 lists.
fn lists() -> Vec<Vec<(Effect, Truth)>> {
    let each: Vec<(Effect, Truth)> =
        [Effect::Deny, Effect::Allow].into_iter().flat_map(|effect| TRUTHS.map(|truth| (effect, truth))).collect();
    let mut all: Vec<Vec<(Effect, Truth)>> = vec![Vec::new()];
    let mut longest = all.clone();
    for _ in 0..4 {
        longest = longest.iter().flat_map(|list| each.iter().map(move |rule| [&list[..], &[*rule]].concat())).collect();
        all.extend(longest.clone());
    }
    assert_eq!(all.len(), 1 + 8 + 64 + 512 + 4_096);
    all
}

#[test]
fn every_list_of_rules_gives_what_the_table_says() {
    for list in lists() {
        let numbered: Vec<_> = (0..).zip(&list).map(|(number, (effect, truth))| (number, *effect, *truth)).collect();
        assert_eq!(tally(&numbered).reason(), table(&list), "{list:?}");
    }
}

#[test]
fn the_order_of_rules_does_not_matter() {
    for list in lists() {
        let numbered: Vec<_> = (0..).zip(&list).map(|(number, (effect, truth))| (number, *effect, *truth)).collect();
        let mut turned = numbered.clone();
        turned.reverse();
        assert_eq!(tally(&numbered), tally(&turned), "{list:?}");
        let half = turned.len() / 2;
        turned.rotate_left(half);
        assert_eq!(tally(&numbered), tally(&turned), "{list:?}");
    }
}

#[test]
fn a_further_deny_or_one_allow_less_never_grants() {
    let allows = |list: &[(Effect, Truth)]| table(list).effect() == Effect::Allow;
    for list in lists().into_iter().filter(|list| list.len() < 4) {
        let numbered = |list: &[(Effect, Truth)]| -> Vec<(u32, Effect, Truth)> {
            (0..).zip(list).map(|(number, (effect, truth))| (number, *effect, *truth)).collect()
        };
        let before = tally(&numbered(&list)).reason().effect();
        for truth in TRUTHS {
            let more = [&list[..], &[(Effect::Deny, truth)]].concat();
            assert!(before == Effect::Allow || tally(&numbered(&more)).reason().effect() == Effect::Deny, "{more:?}");
        }
        if let Some(at) = list.iter().position(|(effect, _)| *effect == Effect::Allow) {
            let mut less = list.clone();
            less.remove(at);
            assert!(allows(&list) || tally(&numbered(&less)).reason().effect() == Effect::Deny, "{less:?}");
        }
    }
}

/// Losing information: a truth that becomes indeterminate never turns a deny into an allow.
#[test]
fn a_truth_that_is_lost_never_grants() {
    for list in lists() {
        let numbered: Vec<_> = (0..).zip(&list).map(|(number, (effect, truth))| (number, *effect, *truth)).collect();
        if tally(&numbered).reason().effect() == Effect::Allow {
            continue;
        }
        for at in 0..numbered.len() {
            for cause in [Cause::Missing, Cause::Signal(0), Cause::Limit] {
                let mut lost = numbered.clone();
                lost[at].2 = Truth::Indeterminate(cause);
                assert_eq!(tally(&lost).reason().effect(), Effect::Deny, "{lost:?}");
            }
        }
    }
}

#[test]
fn the_ways_of_on_failure_never_pass_a_deny_rule() {
    for list in lists() {
        let mut tally = Tally::default();
        for (number, (effect, truth)) in (0..).zip(&list) {
            tally.count(*effect, number, *truth);
        }
        let denied = list.iter().any(|(effect, truth)| *effect == Effect::Deny && *truth != Truth::False);
        let allowed = list.iter().any(|(effect, truth)| *effect == Effect::Allow && *truth == Truth::True);
        let effect = |verdict: Verdict| verdict.reason().effect() == Effect::Allow;
        assert_eq!(effect(tally.verdict_fail_open()), !denied, "{list:?}");
        assert_eq!(effect(tally.verdict_minimal()), !denied && allowed, "{list:?}");
        assert_eq!(effect(tally.verdict_stale(Some(0))), !denied, "{list:?}");
        assert!(!effect(tally.verdict_stale(None)), "{list:?}");
    }
}
