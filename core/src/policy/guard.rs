//! The guards of the host's own calls, as the policy declares them.

use crate::resilience::backoff::BackoffSpec;
use crate::resilience::breaker::BreakerSpec;
use crate::resilience::bulkhead::BulkheadSpec;
use crate::resilience::limiter::LimiterSpec;
use crate::resilience::replay_guard::ReplayGuardSpec;

/// A declared guard. Two that are equal are the same guard, so that its state outlives an activation.
#[derive(Clone, Debug, PartialEq)]
pub enum GuardSpec {
    /// A circuit breaker.
    Breaker(BreakerSpec),
    /// A bulkhead.
    Bulkhead(BulkheadSpec),
    /// A rate limiter.
    Limiter(LimiterSpec),
    /// Retries.
    Retry(RetrySpec),
    /// A guard against replays.
    ReplayGuard(ReplayGuardSpec),
}

/// Declared retries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySpec {
    /// How long to wait, and how often.
    pub backoff: BackoffSpec,
    /// The host's words for outcomes that may go away by themselves. Any other is never retried.
    pub transient: Box<[Box<str>]>,
}

impl GuardSpec {
    /// A stable name: what the pack calls it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Breaker(_) => "breaker",
            Self::Bulkhead(_) => "bulkhead",
            Self::Limiter(_) => "limiter",
            Self::Retry(_) => "retry",
            Self::ReplayGuard(_) => "replay_guard",
        }
    }
}
