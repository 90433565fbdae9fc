//! What a server counts, as OpenMetrics text.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use fallgate::policy::bundle::{Bundle, Provenance};
use fallgate::{Engine, Reason};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The content type of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels<const N: usize> = [(&'static str, String); N];

/// What a server counts. Every label has few values: endpoints, statuses and reasons that are known beforehand.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Labels<2>, Counter>,
    decisions: Family<Labels<2>, Counter>,
    seconds: Family<Labels<1>, Histogram>,
    reloads: Family<Labels<1>, Counter>,
    pub(super) connections: Gauge,
    revision: Gauge<u64, AtomicU64>,
    unsigned: Gauge<u64, AtomicU64>,
    cached: Gauge<u64, AtomicU64>,
    events_dropped: Gauge<u64, AtomicU64>,
    clock_went_back: Gauge<u64, AtomicU64>,
    lines_dropped: Gauge<u64, AtomicU64>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("fallgate");
        // From 50 microseconds to 3.3 seconds.
        let seconds = Family::new_with_constructor(
            (|| Histogram::new(exponential_buckets(0.000_05, 4.0, 9))) as fn() -> Histogram,
        );
        let metrics = Self {
            requests: Family::default(),
            decisions: Family::default(),
            seconds,
            reloads: Family::default(),
            connections: Gauge::default(),
            revision: Gauge::default(),
            unsigned: Gauge::default(),
            cached: Gauge::default(),
            events_dropped: Gauge::default(),
            clock_went_back: Gauge::default(),
            lines_dropped: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests, by endpoint and status", metrics.requests.clone());
        registry.register("decisions", "Decisions answered, by effect and reason", metrics.decisions.clone());
        let help = "From the head of a request to its answer";
        registry.register_with_unit("request", help, Unit::Seconds, metrics.seconds.clone());
        registry.register("reloads", "Times that the pack was read again, by outcome", metrics.reloads.clone());
        registry.register("connections", "Connections that are open", metrics.connections.clone());
        registry.register("bundle_revision", "The revision of the active bundle", metrics.revision.clone());
        let help = "Whether the active bundle is one that no trusted key has signed";
        registry.register("bundle_unsigned", help, metrics.unsigned.clone());
        registry.register("cached_decisions", "Cached decisions held", metrics.cached.clone());
        registry.register(
            "events_dropped",
            "Events that were lost before they were logged",
            metrics.events_dropped.clone(),
        );
        registry.register(
            "clock_went_back",
            "Readings of the monotonic clock before an earlier one",
            metrics.clock_went_back.clone(),
        );
        registry.register(
            "log_lines_dropped",
            "Lines that the log's writer was too slow for",
            metrics.lines_dropped.clone(),
        );
        Self { registry, ..metrics }
    }

    pub(super) fn request(&self, endpoint: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&[("endpoint", endpoint.to_owned()), ("status", status.to_string())]).inc();
        self.seconds.get_or_create(&[("endpoint", endpoint.to_owned())]).observe(took.as_secs_f64());
    }

    pub(super) fn decision(&self, reason: Reason) {
        let effect = match reason.effect() {
            fallgate::Effect::Deny => "deny",
            fallgate::Effect::Allow => "allow",
        };
        let labels = [("effect", effect.to_owned()), ("reason", reason.code().to_owned())];
        self.decisions.get_or_create(&labels).inc();
    }

    pub(super) fn reload(&self, outcome: &'static str) {
        self.reloads.get_or_create(&[("outcome", outcome.to_owned())]).inc();
    }

    /// The text, with what the engine and the log have counted.
    pub(super) fn text(&self, engine: &Engine, lines_dropped: u64) -> Result<String, std::fmt::Error> {
        let counters = engine.counters();
        let bundle = engine.bundle();
        self.revision.set(bundle.as_ref().map_or(0, Bundle::revision));
        self.unsigned.set(bundle.is_some_and(|bundle| *bundle.provenance() == Provenance::Unsigned).into());
        self.cached.set(counters.cached_decisions);
        self.events_dropped.set(counters.events_dropped);
        self.clock_went_back.set(counters.clock_went_back);
        self.lines_dropped.set(lines_dropped);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
