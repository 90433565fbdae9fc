//! The twenty indicators by name, each a pure function of a tally, and the objectives that a pack sets.

use serde_json::{Map, Value, json};

use super::{Family, Tally};
use crate::policy::slo::Aim;
use crate::reason::{Effect, Reason};
use crate::time::Ttl;

/// An indicator.
#[derive(Clone, Copy, Debug)]
pub struct Indicator {
    /// Its name.
    pub name: &'static str,
    /// What it is in: `ratio` (0 to 1), `seconds` or `count`.
    pub unit: &'static str,
    /// What it says, in a sentence.
    pub help: &'static str,
    value: fn(&Tally, u64) -> Option<f64>,
}

/// Every indicator: first those of failing secure, then those of failing closed.
pub const INDICATORS: [Indicator; 20] = [
    Indicator {
        name: "secure_state_availability",
        unit: "ratio",
        help: "Of the time in which a posture was called for, the part in which it was in force",
        value: |tally, now| tally.postures.availability(now),
    },
    Indicator {
        name: "unauthorized_access_rate",
        unit: "ratio",
        help: "Of all allows, the part that operators labelled malicious",
        value: |tally, _| ratio(tally.labels.wrongly_allowed, tally.allows()),
    },
    Indicator {
        name: "trigger_accuracy",
        unit: "ratio",
        help: "Of the labelled entries of postures that no operator caused, the part that was valid",
        value: |tally, _| tally.labels.accuracy(),
    },
    Indicator {
        name: "mean_time_to_secure",
        unit: "seconds",
        help: "From the loss of a signal to the last moment at which a decision still relied on it, on average",
        value: |tally, _| tally.losses.seconds(),
    },
    Indicator {
        name: "secure_recovery_time",
        unit: "seconds",
        help: "From the entry of a posture until it was left, on average",
        value: |tally, _| tally.postures.recovery.seconds(),
    },
    Indicator {
        name: "read_only_window",
        unit: "seconds",
        help: "For how long a posture was in force, anywhere, that permits reading alone",
        value: |tally, now| tally.declared.as_ref().map(|_| tally.postures.read_only_seconds(now)),
    },
    Indicator {
        name: "policy_enforcement_rate",
        unit: "ratio",
        help: "Of what the host says that it was asked to do, the part that was decided",
        value: |tally, _| ratio(tally.all().min(tally.attempted), tally.attempted),
    },
    Indicator {
        name: "audit_completeness",
        unit: "ratio",
        help: "Of the audit records that were due, the part that was kept",
        value: |tally, _| ratio(tally.recorded, tally.recorded.saturating_add(tally.unrecorded)),
    },
    Indicator {
        name: "secret_access_failures",
        unit: "count",
        help: "Denies of actions of the class secret because something was missing, late or broken",
        value: |tally, _| tally.declared.as_ref().map(|_| tally.secret_failures as f64),
    },
    Indicator {
        name: "automated_mitigation_success",
        unit: "ratio",
        help: "Of the obligations that the host reported on, the part that was fulfilled",
        value: |tally, _| ratio(tally.mitigated, tally.mitigated.saturating_add(tally.unmitigated)),
    },
    Indicator {
        name: "deny_rate",
        unit: "ratio",
        help: "Of all decisions, the part that denies",
        value: |tally, _| ratio(tally.denies(), tally.all()),
    },
    Indicator {
        name: "unexpected_deny_rate",
        unit: "ratio",
        help: "Of all denies, the part that operators labelled legitimate",
        value: |tally, _| ratio(tally.labels.wrongly_denied, tally.denies()),
    },
    Indicator {
        name: "pdp_availability",
        unit: "ratio",
        help: "Of all decisions, the part in which nothing was missing, late or broken",
        value: |tally, _| {
            let failed = tally.decisions(|reason| Family::of(reason) == Family::Failure);
            ratio(tally.all().saturating_sub(failed), tally.all())
        },
    },
    Indicator {
        name: "deny_latency_impact",
        unit: "seconds",
        help: "By how much a deny takes longer than an allow on average, as the host measured both",
        value: |tally, _| tally.deny_latency_impact,
    },
    Indicator {
        name: "time_to_restore_policy",
        unit: "seconds",
        help: "For how long no policy could decide, on average over the times that this ended",
        value: |tally, _| tally.suspensions.seconds(),
    },
    Indicator {
        name: "fallback_activation_rate",
        unit: "ratio",
        help: "Of all decisions, the part allowed by a way out: stale, minimal or fail-open",
        value: |tally, _| {
            let fallback =
                |reason| matches!(reason, Reason::AllowedStale | Reason::AllowedMinimal | Reason::AllowedFailOpen);
            ratio(tally.decisions(fallback), tally.all())
        },
    },
    Indicator {
        name: "safety_violation_count",
        unit: "count",
        help: "Allows that operators labelled malicious",
        value: |tally, _| Some(tally.labels.wrongly_allowed as f64),
    },
    Indicator {
        name: "safety_budget_burn",
        unit: "ratio",
        help: "How fast the error budget of safety is spent over its own window: 1 spends all of it, exactly",
        value: |tally, now| {
            let safety = tally.standings(now).into_iter().find(|standing| standing.aim == Aim::Safety)?;
            Some(1.0 - safety.budget_remaining)
        },
    },
    Indicator {
        name: "policy_deployment_failure_rate",
        unit: "ratio",
        help: "Of the bundles that were offered, the part that was refused",
        value: |tally, _| ratio(tally.refused, tally.refused.saturating_add(tally.activated)),
    },
    Indicator {
        name: "observability_coverage",
        unit: "ratio",
        help: "Of the declared actions, the part that was decided at least once",
        value: |tally, _| {
            let declared = &tally.declared.as_ref()?.actions;
            let seen = declared.keys().filter(|action| tally.seen.contains(*action)).count();
            ratio(u64::try_from(seen).ok()?, u64::try_from(declared.len()).ok()?)
        },
    },
];

/// The windows over which the rate is shown at which an error budget burns.
pub const BURN_WINDOWS: [(&str, Ttl); 6] = [
    ("5m", Ttl::from_secs(5 * 60)),
    ("30m", Ttl::from_secs(30 * 60)),
    ("1h", Ttl::from_secs(3_600)),
    ("6h", Ttl::from_secs(6 * 3_600)),
    ("1d", Ttl::from_secs(24 * 3_600)),
    ("3d", Ttl::from_secs(3 * 24 * 3_600)),
];

/// How it stands with an objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// What it aims at.
    pub aim: Aim,
    /// The part that has to be good.
    pub target: f64,
    /// Over what time.
    pub window: Ttl,
    /// The part that was good over that time; nothing where nothing happened.
    pub value: Option<f64>,
    /// What is left of the error budget of the window: 1 for all of it, 0 for nothing, less for what is overspent.
    pub budget_remaining: f64,
    /// By window: how many times faster than the target allows the budget is spent.
    pub burn: Vec<(&'static str, f64)>,
}

/// The indicators, and how it stands with the objectives.
#[derive(Clone, Debug, PartialEq)]
pub struct Slis {
    /// The value of each indicator, in the order of [`INDICATORS`]; nothing where nothing tells it.
    pub values: Vec<Option<f64>>,
    /// How it stands with each objective of the pack.
    pub objectives: Vec<Standing>,
}

impl Tally {
    /// The indicators as of that time, in milliseconds.
    #[must_use]
    pub fn slis(&self, now: u64) -> Slis {
        let values = INDICATORS.iter().map(|indicator| (indicator.value)(self, now)).collect();
        Slis { values, objectives: self.standings(now) }
    }

    fn standings(&self, now: u64) -> Vec<Standing> {
        let at = now.saturating_sub(self.began.unwrap_or(now));
        let objectives = self.declared.iter().flat_map(|declared| &declared.objectives);
        objectives
            .map(|objective| {
                let windows = match objective.aim {
                    Aim::Safety => &self.safety,
                    Aim::Availability => &self.availability,
                };
                let bad = |window: Ttl| windows.over(window, at).bad_ratio();
                let burn = |window: Ttl| bad(window).unwrap_or(0.0) / (1.0 - objective.target);
                Standing {
                    aim: objective.aim,
                    target: objective.target,
                    window: objective.window,
                    value: bad(objective.window).map(|bad| 1.0 - bad),
                    budget_remaining: 1.0 - burn(objective.window),
                    burn: BURN_WINDOWS.iter().map(|(name, window)| (*name, burn(*window))).collect(),
                }
            })
            .collect()
    }

    fn all(&self) -> u64 {
        self.decisions(|_| true)
    }

    fn allows(&self) -> u64 {
        self.decisions(|reason| reason.effect() == Effect::Allow)
    }

    fn denies(&self) -> u64 {
        self.decisions(|reason| reason.effect() == Effect::Deny)
    }
}

impl Slis {
    /// The value of that name: an indicator, or of an objective `safety.value`, `safety.budget_remaining` and
    /// `safety.burn.5m`. The outer nothing: there is none so named.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Option<f64>> {
        let number = INDICATORS.iter().position(|indicator| indicator.name == name);
        if let Some(number) = number {
            return self.values.get(number).copied();
        }
        let (aim, what) = name.split_once('.')?;
        let standing = self.objectives.iter().find(|standing| standing.aim.code() == aim)?;
        match what.split_once('.') {
            None if what == "value" => Some(standing.value),
            None if what == "budget_remaining" => Some(Some(standing.budget_remaining)),
            Some(("burn", window)) => {
                standing.burn.iter().find(|(name, _)| *name == window).map(|(_, rate)| Some(*rate))
            }
            _ => None,
        }
    }

    /// The indicators as JSON: in `indicators` each by its name, null where nothing tells it; in `objectives` each by what
    /// it aims at, with `target`, `window`, `value`, `budget_remaining` and in `burn` the rate by window.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let named = INDICATORS.iter().zip(&self.values);
        let indicators: Map<_, _> = named.map(|(indicator, value)| (indicator.name.to_owned(), json!(value))).collect();
        let objectives: Map<_, _> = self
            .objectives
            .iter()
            .map(|standing| {
                let burn: Map<_, _> =
                    standing.burn.iter().map(|(name, rate)| ((*name).to_owned(), json!(rate))).collect();
                let told = json!({
                    "target": standing.target,
                    "window": standing.window.to_string(),
                    "value": standing.value,
                    "budget_remaining": standing.budget_remaining,
                    "burn": burn,
                });
                (standing.aim.code().to_owned(), told)
            })
            .collect();
        json!({ "indicators": indicators, "objectives": objectives })
    }
}

/// Which part of all it is; nothing where there is nothing.
fn ratio(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}
