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

/// The lowest number of the rules of an effect whose truth is such.
fn first(list: &[(Effect, Truth)], effect: Effect, test: impl Fn(Truth) -> bool) -> Option<u32> {
    (0..).zip(list).find(|(_, (own, truth))| *own == effect && test(*truth)).map(|(number, _)| number)
}

fn is_unknown(truth: Truth) -> bool {
    matches!(truth, Truth::Indeterminate(_))
}

/// The rule that a verdict names: the first of those that make it what it is.
#[test]
fn each_verdict_names_its_rule() {
    for list in lists() {
        let mut tally = Tally::default();
        for (number, (effect, truth)) in (0..).zip(&list) {
            tally.count(*effect, number, *truth);
        }
        let is_true = |truth| truth == Truth::True;
        let against = match (first(&list, Effect::Deny, is_true), first(&list, Effect::Deny, is_unknown)) {
            (Some(rule), _) => Some((Reason::DeniedByRule, Some(rule))),
            (None, unknown) => unknown.map(|rule| (Reason::Indeterminate, Some(rule))),
        };
        let allow = first(&list, Effect::Allow, is_true);
        let unknown = first(&list, Effect::Allow, is_unknown);
        let named = |verdict: Verdict| (verdict.reason(), verdict.rule());
        let by_rules = against.unwrap_or((table(&list), allow.or(unknown)));
        assert_eq!(named(tally.verdict()), by_rules, "{list:?}");
        let without = |reason, rule| against.unwrap_or((reason, rule));
        assert_eq!(named(tally.verdict_fail_open()), without(Reason::AllowedFailOpen, None), "{list:?}");
        assert_eq!(named(tally.verdict_stale(Some(7))), without(Reason::AllowedStale, Some(7)), "{list:?}");
        assert_eq!(named(tally.verdict_stale(None)), without(Reason::SignalUnavailable, None), "{list:?}");
        let minimal = if allow.is_some() { Reason::AllowedMinimal } else { Reason::SignalUnavailable };
        assert_eq!(named(tally.verdict_minimal()), without(minimal, allow), "{list:?}");
        let overridden = against.is_none().then_some((Reason::AllowedByOverride, None));
        assert_eq!(tally.verdict_override().map(named), overridden, "{list:?}");
        // Only where nothing else says why there is no allow.
        let explained = against.is_none() && allow.is_none() && unknown.is_some();
        assert_eq!(tally.cause().is_some(), explained, "{list:?}");
        if explained {
            assert_eq!(
                tally.cause().is_some_and(Cause::is_signal),
                table(&list) == Reason::SignalUnavailable,
                "{list:?}"
            );
        }
    }
}

/// A rule is passed over only where its truth would change nothing, and is never looked at for nothing.
#[test]
fn a_rule_matters_where_its_truth_could_change_the_verdict() {
    for list in lists().into_iter().filter(|list| list.len() < 4) {
        // Each rule twice as far apart, so that there is a number before, between and behind them.
        let numbered: Vec<_> = (0..).zip(&list).map(|(at, (effect, truth))| (at * 2 + 1, *effect, *truth)).collect();
        let mut counted = Tally::default();
        numbered.iter().for_each(|(number, effect, truth)| counted.count(*effect, *number, *truth));
        for rule in 0..=8 {
            for effect in [Effect::Deny, Effect::Allow] {
                let after = |truth| {
                    let mut tally = counted;
                    tally.count(effect, rule, truth);
                    (tally.verdict(), tally.verdict_minimal(), tally.verdict_fail_open())
                };
                let changes = TRUTHS.iter().any(|truth| after(*truth) != after(Truth::False));
                if !counted.matters(effect, rule) {
                    assert!(!changes, "{numbered:?}: {effect:?} {rule}");
                }
                // An allow behind a deny that is indeterminate changes nothing, and is looked at all the same: a later deny
                // may be true, and an explanation names it.
                let unknown_deny =
                    numbered.iter().any(|(_, effect, truth)| *effect == Effect::Deny && is_unknown(*truth));
                if counted.matters(effect, rule) && !unknown_deny {
                    assert!(changes, "{numbered:?}: {effect:?} {rule}");
                }
            }
        }
    }
}

#[test]
fn a_deny_that_is_made_of_an_allow_is_an_internal_error() {
    let reason = |reason| (Verdict::deny(reason).reason(), Verdict::deny(reason).rule());
    assert_eq!(reason(Reason::Quarantined), (Reason::Quarantined, None));
    for allows in [Reason::AllowedByRule, Reason::AllowedStale, Reason::AllowedMinimal, Reason::AllowedFailOpen] {
        assert_eq!(reason(allows), (Reason::InternalError, None));
    }
}
