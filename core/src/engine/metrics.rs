//! The metrics of an engine: every number that it has, under its name.
//!
//! The names are a public face: `core/tests/metrics.rs` holds their list, and `docs/observability` builds on it.

use super::Engine;
use crate::condition::Status;
use crate::policy::action::ActionSpec;
use crate::policy::bundle::Provenance;
use crate::policy::format::OnFailure;
use crate::policy::signal::BUILT_IN;
use crate::reason::{Effect, Reason};
use crate::state::control::Feed;
use crate::state::guards::{GuardCounts, GuardReport};
use crate::state::rollout::{Step, read};
use crate::telemetry::counts::Sums;
use crate::telemetry::metrics::{Labels, Metrics, Unit};
use crate::telemetry::sli::{Family, INDICATORS};

impl Engine {
    /// Everything that the engine has to say in numbers, as of the last call that told it the time.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::default();
        let by_action: Vec<(String, Sums)> = {
            let ledger = self.measures.ledger();
            ledger.counts.sums().map(|(action, sums)| (action.to_owned(), sums)).collect()
        };
        self.put_decisions(&mut metrics, &by_action);
        self.put_cache(&mut metrics, &by_action);
        self.put_policy(&mut metrics);
        self.put_rollout(&mut metrics);
        self.put_signals(&mut metrics);
        self.put_guards(&mut metrics);
        self.put_feeds(&mut metrics);
        self.put_postures(&mut metrics);
        self.put_overrides(&mut metrics);
        self.put_events(&mut metrics);
        self.put_audit(&mut metrics);
        self.put_indicators(&mut metrics);
        metrics
    }

    fn put_decisions(&self, metrics: &mut Metrics, by_action: &[(String, Sums)]) {
        let mut all = Sums::default();
        by_action.iter().for_each(|(_, sums)| all.add(sums));
        let help = "Decisions, by effect, reason and the family of the reason";
        let decisions = Reason::ALL.iter().map(|reason| {
            let labels = vec![
                ("effect", effect(reason.effect())),
                ("reason", reason.code().to_owned()),
                ("family", Family::of(*reason).code().to_owned()),
            ];
            (labels, all.of(*reason))
        });
        metrics.counter("fallgate_decisions", help, decisions);
        let named = || by_action.iter().filter(|(action, _)| !action.is_empty());
        let decisions = named().flat_map(|(action, sums)| {
            sums.reasons.iter().map(|(reason, count)| {
                let labels = vec![
                    ("action", action.clone()),
                    ("effect", effect(reason.effect())),
                    ("reason", reason.code().to_owned()),
                ];
                (labels, *count)
            })
        });
        metrics.counter("fallgate_action_decisions", "Decisions on declared actions, by action and reason", decisions);
        let help = "Allows by an action's declared way out while a signal was not ok, by action and way";
        let ways = [
            (Reason::AllowedStale, "serve_cached"),
            (Reason::AllowedMinimal, "minimal"),
            (Reason::AllowedFailOpen, "allow"),
        ];
        let snapshot = self.snapshot.load();
        let declared = |action: &str| {
            let (_, spec) = snapshot.active.as_ref()?.bundle.policy().action(action)?;
            way_out(spec)
        };
        let fallbacks = named().flat_map(|(action, sums)| {
            let declared = declared(action);
            ways.into_iter().filter_map(move |(reason, way)| {
                let count = sums.of(reason);
                let labels = vec![("action", action.clone()), ("way", way.to_owned())];
                (count > 0 || declared == Some(way)).then_some((labels, count))
            })
        });
        metrics.counter("fallgate_fallback_decisions", help, fallbacks);
        let by = |of: fn(&Sums) -> u64| {
            let counts = named().map(move |(action, sums)| (vec![("action", action.clone())], of(sums)));
            counts.collect::<Vec<_>>()
        };
        let help = "Decisions made while a signal was not ok that they needed, by action";
        metrics.counter("fallgate_degraded_decisions", help, by(|sums| sums.degraded));
        let help = "Decisions of rules that may grant more for knowing less, by action";
        metrics.counter("fallgate_information_loss_decisions", help, by(|sums| sums.information_loss));
        metrics.counter(
            "fallgate_cache_hits",
            "Decisions that used an earlier one again, by action",
            by(|sums| sums.cached),
        );
        let help = "How long decisions took, as the host measured it, by effect";
        let latency = [Effect::Deny, Effect::Allow]
            .map(|of| (vec![("effect", effect(of))], self.measures.latency.distribution(of)));
        metrics.histogram("fallgate_decision_duration", help, latency);
    }

    fn put_cache(&self, metrics: &mut Metrics, by_action: &[(String, Sums)]) {
        let misses = by_action.iter().filter(|(action, _)| !action.is_empty());
        let misses = misses.map(|(action, sums)| (vec![("action", action.clone())], sums.missed));
        metrics.counter("fallgate_cache_misses", "Decisions that the cache did not have, by action", misses);
        let (entries, bytes) = self.cache.size();
        metrics.gauge("fallgate_cached_decisions", "Cached decisions held", None, one(entries as f64));
        metrics.gauge("fallgate_cache", "What the keys of cached decisions take", Some(Unit::Bytes), one(bytes as f64));
    }

    fn put_policy(&self, metrics: &mut Metrics) {
        let snapshot = self.snapshot.load();
        let active = snapshot.active.as_ref();
        let info = active.map(|active| {
            let policy = active.bundle.policy();
            vec![
                ("bundle", policy.name.to_string()),
                ("revision", policy.revision.to_string()),
                ("id", active.bundle.id().to_string()),
            ]
        });
        metrics.info("fallgate_policy", "The active bundle", info);
        let revision = active.map_or(0, |active| active.bundle.revision());
        metrics.gauge("fallgate_policy_revision", "The revision of the active bundle", None, one(revision as f64));
        let suspended = self.told().suspended.is_some();
        let serving = active.is_some() && snapshot.engine_ok && !suspended;
        let help = "Whether the active bundle may decide: inside its validity, and no panic was met";
        metrics.gauge("fallgate_policy_serving", help, None, flag(serving));
        let help = "Whether whoever can hand the engine bytes writes its policy: trust for development";
        let unsigned = active.is_some_and(|active| *active.bundle.provenance() == Provenance::Unsigned);
        metrics.gauge("fallgate_policy_unsigned", help, None, flag(unsigned));
    }

    fn put_rollout(&self, metrics: &mut Metrics) {
        let differences = &self.measures.differences;
        let (step, share, stopped, activated_at) = {
            let told = self.told();
            let rollout = told.staged.as_ref().map(|staged| &staged.rollout);
            let step = rollout.map_or(0.0, |rollout| match rollout.step() {
                Step::Shadow => 1.0,
                Step::Canary(number) => 2.0 + f64::from(number),
            });
            let share = rollout.map_or(0.0, |rollout| f64::from(rollout.share().points()) / 10_000.0);
            let stopped = rollout.is_some_and(|rollout| rollout.stopped().is_some());
            (step, share, stopped, told.activated_at)
        };
        let help = "How far the rollout has come: 0 none, 1 shadow, from 2 on the shares of the canary";
        metrics.gauge("fallgate_rollout_step", help, None, one(step));
        let help = "The part of the requests that the candidate decides";
        metrics.gauge("fallgate_rollout_share", help, None, one(share));
        metrics.gauge("fallgate_rollout_stopped", "Whether the rollout has stopped", None, flag(stopped));
        let help = "Decisions that a candidate and the active bundle both made";
        metrics.counter("fallgate_rollout_compared", help, [(Vec::new(), read(&differences.compared))]);
        let kinds = [
            ("newly_allowed", &differences.newly_allowed),
            ("newly_denied", &differences.newly_denied),
            ("reason_only", &differences.reason_only),
            ("indeterminate", &differences.indeterminate),
        ];
        let kinds = kinds.map(|(kind, count)| (vec![("kind", kind.to_owned())], read(count)));
        metrics.counter("fallgate_rollout_differences", "What a candidate decided otherwise, by kind", kinds);
        let help = "When the active bundle became active, in seconds since 1970";
        let at = activated_at.map(|at| (Vec::new(), at.as_nanos() as f64 / 1e9));
        metrics.gauge("fallgate_policy_activated_at", help, Some(Unit::Seconds), at);
    }

    fn put_signals(&self, metrics: &mut Metrics) {
        let told = self.told();
        let changes: Vec<u64> = told.statuses.iter().map(|standing| standing.changes).collect();
        drop(told);
        let snapshot = self.snapshot.load();
        let policy = snapshot.active.as_ref().map(|active| active.bundle.policy());
        let named = || {
            let specs = policy.iter().flat_map(|policy| &policy.signals);
            specs.map(|spec| vec![("signal", spec.name.to_string())])
        };
        let help = "The status of each signal: 0 unknown, 1 failed, 2 degraded, 3 ok";
        let statuses = named().zip(&snapshot.signals).map(|(labels, view)| (labels, status(view.status)));
        metrics.gauge("fallgate_signal_status", help, None, statuses);
        let changes = named().zip(changes).skip(BUILT_IN.len());
        metrics.counter("fallgate_signal_changes", "How often the status of each signal has changed", changes);
    }

    fn put_guards(&self, metrics: &mut Metrics) {
        let guards = self.guards();
        let labels = |guard: &GuardReport| vec![("signal", guard.signal.to_string()), ("kind", guard.kind.to_owned())];
        let held = guards.iter().map(|guard| (labels(guard), guard.held as f64));
        let help = "Calls under way, or keys that are remembered, by guard";
        metrics.gauge("fallgate_guard_held", help, None, held);
        let states = guards.iter().map(|guard| {
            let mut labels = labels(guard);
            labels.push(("state", guard.state.to_owned()));
            (labels, 1.0)
        });
        let help = "Where each guard stands: 1 for the state that it is in";
        metrics.gauge("fallgate_guard_state", help, None, states);
        let calls = guards.iter().flat_map(|guard| {
            let GuardCounts { permitted, refused, reported, ignored, retried } = guard.counts;
            let outcomes = [
                ("permitted", permitted),
                ("refused", refused),
                ("reported", reported),
                ("ignored", ignored),
                ("retried", retried),
            ];
            outcomes.map(|(outcome, count)| {
                let mut labels = labels(guard);
                labels.push(("outcome", outcome.to_owned()));
                (labels, count)
            })
        });
        let help = "What became of calls at guards, of reports of them, and of retries";
        metrics.counter("fallgate_guard_calls", help, calls);
    }

    fn put_feeds(&self, metrics: &mut Metrics) {
        let told = self.told();
        let messages = told
            .feeds
            .counts()
            .map(|(feed, fate, count)| (vec![("feed", feed.to_string()), ("outcome", fate.code().to_owned())], count));
        let messages: Vec<_> = messages.collect();
        let feeds: Vec<_> = told.feeds.iter().map(|(name, feed)| (name.to_string(), feed.clone())).collect();
        drop(told);
        let help = "Control messages, by feed and outcome; the feed is empty where nobody vouches for it";
        metrics.counter("fallgate_control_messages", help, messages);
        let of = |number: fn(&Feed) -> Option<f64>| {
            let of = feeds.iter().filter_map(move |(name, feed)| Some((vec![("feed", name.clone())], number(feed)?)));
            of.collect::<Vec<(Labels, f64)>>()
        };
        metrics.gauge(
            "fallgate_control_epoch",
            "The epoch of each control feed",
            None,
            of(|feed| Some(feed.epoch as f64)),
        );
        let help = "The last message of its epoch that was taken, by feed";
        metrics.gauge("fallgate_control_sequence", help, None, of(|feed| Some(feed.sequence as f64)));
        let help = "How many messages of its epoch are missing, as far as was seen, by feed";
        metrics.gauge("fallgate_control_missing", help, None, of(|feed| Some(feed.missing() as f64)));
        let help = "When a message was taken last, by the wall clock since 1970, by feed";
        let heard = of(|feed| feed.heard.map(|(_, wall)| wall.as_nanos() as f64 / 1e9));
        metrics.gauge("fallgate_control_heard", help, Some(Unit::Seconds), heard);
    }

    fn put_overrides(&self, metrics: &mut Metrics) {
        let overrides = self.overrides();
        let uses: u64 = overrides.iter().fold(0, |sum, view| sum.saturating_add(u64::from(view.uses_left)));
        metrics.gauge("fallgate_overrides", "Overrides in force", None, one(overrides.len() as f64));
        metrics.gauge("fallgate_override_uses_left", "Uses that they have left together", None, one(uses as f64));
    }

    fn put_postures(&self, metrics: &mut Metrics) {
        let snapshot = self.snapshot.load();
        let postures = snapshot.active.as_ref().map(|active| &active.bundle.policy().postures);
        let rank = |number: u16| {
            let spec = postures.and_then(|postures| postures.spec(number));
            spec.map_or(0.0, |spec| f64::from(spec.rank))
        };
        let kinds: Vec<String> =
            postures.iter().flat_map(|postures| &postures.scopes).map(|s| s.name.to_string()).collect();
        let everywhere = snapshot.in_force.everywhere().posture;
        let of_kinds = (0_u16..).zip(&kinds).map(|(kind, name)| {
            let strictest = snapshot.in_force.strictest_of(kind).posture.max(everywhere);
            (vec![("scope", name.clone())], rank(strictest))
        });
        let ranks = std::iter::once((vec![("scope", String::new())], rank(everywhere))).chain(of_kinds);
        let help =
            "The rank of the posture in force everywhere (scope empty), and of the strictest of each kind of scope";
        metrics.gauge("fallgate_posture_rank", help, None, ranks);
        let specs = || (0_u16..).zip(postures.iter().flat_map(|postures| &postures.specs));
        let in_force = specs().map(|(number, spec)| {
            (vec![("posture", spec.name.to_string())], f64::from(u8::from(number == everywhere)))
        });
        metrics.gauge("fallgate_posture", "The posture in force everywhere: 1 for the one that is", None, in_force);
        let of_scopes = kinds.iter().flat_map(|kind| {
            let (kind, in_force) = (kind.clone(), &snapshot.in_force);
            specs().skip(1).map(move |(number, spec)| {
                let labels = vec![("scope", kind.clone()), ("posture", spec.name.to_string())];
                (labels, in_force.count(&kind, number) as f64)
            })
        });
        metrics.gauge(
            "fallgate_scopes_in_posture",
            "How many scopes of each kind a posture was entered in",
            None,
            of_scopes,
        );
        let (quarantined, revoked) = snapshot.quarantine.counts();
        metrics.gauge("fallgate_quarantines", "Quarantines that last", None, one(quarantined as f64));
        metrics.gauge("fallgate_revocations", "Subjects whose earlier decisions are void", None, one(revoked as f64));
    }

    fn put_events(&self, metrics: &mut Metrics) {
        let (counts, suppressed, dropped, waiting) = {
            let journal = self.events();
            let events = journal.told();
            let counts: Vec<_> = events.counts().collect();
            (counts, events.suppressed(), events.dropped(), events.waiting())
        };
        let by_code = |code: &str| {
            let of_code = counts.iter().filter(|(other, ..)| *other == code).map(|(.., count)| *count);
            of_code.fold(0, u64::saturating_add)
        };
        let (activated, refused) = (by_code("bundle_activated"), by_code("bundle_refused"));
        metrics.counter("fallgate_policy_activations", "Bundles that became active", [(Vec::new(), activated)]);
        metrics.counter("fallgate_policy_refusals", "Bundles that were refused", [(Vec::new(), refused)]);
        let events = counts.into_iter().map(|(code, severity, count)| {
            (vec![("event", code.to_owned()), ("severity", severity.code().to_owned())], count)
        });
        metrics.counter("fallgate_events", "Events, by name and severity", events);
        let help = "Events that kept quiet because their cause was known";
        metrics.counter("fallgate_events_suppressed", help, [(Vec::new(), suppressed)]);
        metrics.counter("fallgate_events_dropped", "Events lost because nobody polled", [(Vec::new(), dropped)]);
        metrics.gauge("fallgate_events_waiting", "Events that wait to be polled", None, one(waiting as f64));
        let help = "Readings of the monotonic clock before an earlier one";
        metrics.counter("fallgate_clock_went_back", help, [(Vec::new(), self.high_water.went_back())]);
    }

    fn put_audit(&self, metrics: &mut Metrics) {
        let audit = self.audit_counters();
        let records = [("kept", audit.recorded), ("lost", audit.unrecorded)];
        let records = records.map(|(outcome, count)| (vec![("outcome", outcome.to_owned())], count));
        metrics.counter("fallgate_audit_records", "Audit records, by whether they were kept or lost", records);
        let help = "Audit records that the host has not confirmed";
        metrics.gauge("fallgate_audit_waiting", help, None, one(audit.kept as f64));
        let help = "About what they take";
        metrics.gauge("fallgate_audit_waiting", help, Some(Unit::Bytes), one(audit.kept_bytes as f64));
    }

    fn put_indicators(&self, metrics: &mut Metrics) {
        let slis = self.slis_at(self.high_water.latest());
        let values = INDICATORS.iter().zip(&slis.values);
        let values = values.filter_map(|(indicator, value)| {
            Some((vec![("sli", indicator.name.to_owned()), ("unit", indicator.unit.to_owned())], (*value)?))
        });
        metrics.gauge(
            "fallgate_sli",
            "Service-level indicators, by name and unit; those that nothing tells are left out",
            None,
            values,
        );
        let aimed = |number: fn(&crate::telemetry::sli::Standing) -> Option<f64>| {
            let of = slis
                .objectives
                .iter()
                .filter_map(move |standing| Some((vec![("slo", standing.aim.code().to_owned())], number(standing)?)));
            of.collect::<Vec<(Labels, f64)>>()
        };
        metrics.gauge(
            "fallgate_slo_target",
            "The part that has to be good",
            None,
            aimed(|standing| Some(standing.target)),
        );
        metrics.gauge(
            "fallgate_slo_value",
            "The part that was good over the objective's window",
            None,
            aimed(|s| s.value),
        );
        let help = "What is left of the error budget: 1 all, 0 nothing, less for what is overspent";
        metrics.gauge("fallgate_slo_budget_remaining", help, None, aimed(|standing| Some(standing.budget_remaining)));
        let rates = slis.objectives.iter().flat_map(|standing| {
            standing.burn.iter().map(|(window, rate)| {
                (vec![("slo", standing.aim.code().to_owned()), ("window", (*window).to_owned())], *rate)
            })
        });
        let help = "How many times faster than the target allows the error budget is spent, by window";
        metrics.gauge("fallgate_slo_burn_rate", help, None, rates);
    }
}

fn effect(effect: Effect) -> String {
    match effect {
        Effect::Deny => "deny".to_owned(),
        Effect::Allow => "allow".to_owned(),
    }
}

/// The way out of an action, where it has one that allows.
const fn way_out(action: &ActionSpec) -> Option<&'static str> {
    match &action.on_failure {
        OnFailure::Deny => None,
        OnFailure::Minimal => Some("minimal"),
        OnFailure::ServeCached(_) => Some("serve_cached"),
        OnFailure::Allow(_) => Some("allow"),
    }
}

const fn status(status: Status) -> f64 {
    match status {
        Status::Unknown => 0.0,
        Status::Failed => 1.0,
        Status::Degraded => 2.0,
        Status::Ok => 3.0,
    }
}

fn one(number: f64) -> [(Labels, f64); 1] {
    [(Vec::new(), number)]
}

fn flag(holds: bool) -> [(Labels, f64); 1] {
    one(f64::from(u8::from(holds)))
}
