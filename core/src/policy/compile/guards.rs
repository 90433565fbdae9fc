//! Guards of the host's own calls: each set-up checked, so that none that means nothing is ever loaded.

use std::fmt::Display;

use super::Compiler;
use crate::error::Code;
use crate::policy::format;
use crate::policy::guard::{GuardSpec, RetrySpec};
use crate::resilience::backoff::{Backoff, BackoffSpec};
use crate::resilience::breaker::{BreakerSpec, BreakerSpecError, Window};
use crate::resilience::bulkhead::{Bulkhead, BulkheadSpec};
use crate::resilience::limiter::{Limiter, LimiterSpec};
use crate::resilience::replay_guard::ReplayGuardSpec;
use crate::time::Ttl;

/// How many keys a guard tells apart where its pack does not say.
const KEYS: u32 = 10_000;

/// The most keys that a guard tells apart.
const KEYS_MAX: u32 = 1_000_000;

/// How many words for transient outcomes there may be.
const TRANSIENT_MAX: usize = 64;

impl Compiler<'_> {
    /// The guard that a signal is the state of, if it is one's.
    pub(super) fn guard(&mut self, signal: &format::Signal, pointer: &str) -> Option<GuardSpec> {
        let sources = [
            ("quorum", signal.quorum.is_some()),
            ("heartbeat", signal.heartbeat.is_some()),
            ("breaker", signal.breaker.is_some()),
            ("bulkhead", signal.bulkhead.is_some()),
            ("limiter", signal.limiter.is_some()),
            ("retry", signal.retry.is_some()),
            ("replay_guard", signal.replay_guard.is_some()),
        ];
        let named: Vec<&str> = sources.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
        if named.len() > 1 {
            let message = format!("a signal follows one thing, and this one {}", named.join(" and "));
            self.fault(Code::InvalidValue, pointer, message, "make a signal of each");
        }
        let spec = if let Some(breaker) = &signal.breaker {
            GuardSpec::Breaker(self.breaker(breaker, &format!("{pointer}/breaker")))
        } else if let Some(bulkhead) = &signal.bulkhead {
            let spec = BulkheadSpec { calls: bulkhead.concurrent, lease: bulkhead.lease };
            self.sound(Bulkhead::new(spec), &format!("{pointer}/bulkhead"));
            GuardSpec::Bulkhead(spec)
        } else if let Some(limiter) = &signal.limiter {
            let spec = LimiterSpec {
                calls: limiter.calls,
                per: limiter.per,
                burst: limiter.burst.unwrap_or(limiter.calls),
                keys_max: usize::try_from(limiter.keys.unwrap_or(KEYS)).unwrap_or(usize::MAX),
                key_bytes_max: self.limits.id_bytes_max,
            };
            self.sound(Limiter::new(spec, 0), &format!("{pointer}/limiter"));
            GuardSpec::Limiter(spec)
        } else if let Some(retry) = &signal.retry {
            GuardSpec::Retry(self.retry(retry, &format!("{pointer}/retry")))
        } else if let Some(guard) = &signal.replay_guard {
            GuardSpec::ReplayGuard(self.replay_guard(guard, &format!("{pointer}/replay_guard")))
        } else {
            return None;
        };
        if signal.recover.is_some() {
            let message = format!("a {} recovers by its own calls, and not by observations", spec.kind());
            self.fault(Code::InvalidValue, format!("{pointer}/recover"), message, "leave `recover` out");
        }
        if signal.ttl == Some(Ttl::ZERO) {
            let message = "nothing that is heard would hold at all";
            self.fault(Code::InvalidValue, format!("{pointer}/ttl"), message, "write more than zero, or leave it out");
        }
        Some(spec)
    }

    fn sound<T, E: Display>(&mut self, made: Result<T, E>, pointer: &str) {
        if let Err(error) = made {
            self.fault(Code::InvalidValue, pointer, error.to_string(), "choose values in these bounds");
        }
    }

    fn breaker(&mut self, breaker: &format::Breaker, pointer: &str) -> BreakerSpec {
        let usual = BreakerSpec::default();
        let window = match breaker.window {
            None => usual.window,
            Some(format::Window::Calls(calls)) => Window::Calls(calls),
            Some(format::Window::Time(span)) => Window::Time(span),
        };
        let held = match window {
            Window::Calls(calls) => calls,
            Window::Time(_) => usual.minimum_calls,
        };
        let mut rate = |rate: Option<f64>, name: &str| match rate {
            Some(rate) => self.per_mille(rate, &format!("{pointer}/{name}")),
            None => 500,
        };
        let (failures_per_mille, slow_per_mille) =
            (rate(breaker.failure_rate, "failure_rate"), rate(breaker.slow_rate, "slow_rate"));
        if breaker.slow_rate.is_some() && breaker.slow_after.is_none() {
            let message = "without `slow_after` no call is slow";
            let help = "say from when on a call is slow, as in `slow_after: 2s`";
            self.fault(Code::InvalidValue, format!("{pointer}/slow_rate"), message, help);
        }
        let spec = BreakerSpec {
            window,
            minimum_calls: breaker.minimum.unwrap_or(held),
            failures_per_mille,
            slow_after: breaker.slow_after,
            slow_per_mille,
            open_for: breaker.open_for.unwrap_or(usual.open_for),
            probes: breaker.half_open_probes.unwrap_or(usual.probes),
        };
        if let Err(error) = spec.check() {
            let field = match error {
                // Said of the rate itself, above.
                BreakerSpecError::Rate => return spec,
                BreakerSpecError::Window => "window",
                BreakerSpecError::Minimum => "minimum",
                BreakerSpecError::Probes => "half_open_probes",
                BreakerSpecError::OpenFor => "open_for",
            };
            self.sound::<(), _>(Err(error), &format!("{pointer}/{field}"));
        }
        spec
    }

    /// A share in thousandths; nothing is rounded, so that a breaker opens exactly where its pack says.
    fn per_mille(&mut self, share: f64, pointer: &str) -> u32 {
        let found = (1..=1_000_u32).find(|per_mille| f64::from(*per_mille) / 1_000.0 == share);
        if found.is_none() {
            let message = format!("{share} is no share from 0.001 to 1 with at most three decimals");
            self.fault(Code::InvalidValue, pointer, message, "write it as in 0.5");
        }
        found.unwrap_or_default()
    }

    fn retry(&mut self, retry: &format::Retry, pointer: &str) -> RetrySpec {
        let budget = retry.budget.map_or(100, |budget| self.per_mille(budget, &format!("{pointer}/budget")));
        let backoff = BackoffSpec {
            first: retry.first.unwrap_or(Ttl::from_millis(100)),
            longest: retry.longest.unwrap_or(Ttl::from_secs(10)),
            retries: retry.retries.unwrap_or(3),
            // What is wrong with the budget has been said.
            retries_per_mille: budget.max(1),
            saved_max: retry.saved.unwrap_or(10),
        };
        self.sound(Backoff::new(backoff, 0), pointer);
        let mut words: Vec<&str> = retry.transient.iter().map(String::as_str).collect();
        words.sort_unstable();
        words.dedup();
        if words.is_empty() || words.len() != retry.transient.len() || words.len() > TRANSIENT_MAX {
            let message = format!("the list must have from 1 to {TRANSIENT_MAX} words, each once");
            let help = "name the outcomes that are worth another try, as in `[timeout, unavailable]`";
            self.fault(Code::InvalidValue, format!("{pointer}/transient"), message, help);
        }
        RetrySpec { backoff, transient: words.into_iter().map(Into::into).collect() }
    }

    fn replay_guard(&mut self, guard: &format::ReplayGuard, pointer: &str) -> ReplayGuardSpec {
        let keys = guard.keys.unwrap_or(KEYS);
        if guard.window == Ttl::ZERO || !(1..=KEYS_MAX).contains(&keys) {
            let message = format!("the window must be above zero, and there must be from 1 to {KEYS_MAX} keys");
            self.fault(Code::InvalidValue, pointer, message, "choose values in these bounds");
        }
        ReplayGuardSpec {
            window: guard.window,
            skew: guard.skew.unwrap_or_default(),
            keys_max: usize::try_from(keys).unwrap_or(usize::MAX),
            key_bytes_max: self.limits.id_bytes_max,
        }
    }
}
