//! What a server counts besides its engine, as OpenMetrics text.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use fallgate::Engine;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

pub(super) use fallgate::telemetry::openmetrics::CONTENT_TYPE;

type Labels<const N: usize> = [(&'static str, String); N];

/// What a server counts. Every label has few values: endpoints, statuses and reasons that are known beforehand.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Labels<2>, Counter>,
    seconds: Family<Labels<1>, Histogram>,
    reloads: Family<Labels<1>, Counter>,
    pub(super) connections: Gauge,
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
            seconds,
            reloads: Family::default(),
            connections: Gauge::default(),
            lines_dropped: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests, by endpoint and status", metrics.requests.clone());
        let help = "From the head of a request to its answer";
        registry.register_with_unit("request", help, Unit::Seconds, metrics.seconds.clone());
        registry.register("reloads", "Times that the pack was read again, by outcome", metrics.reloads.clone());
        registry.register("connections", "Connections that are open", metrics.connections.clone());
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

    pub(super) fn reload(&self, outcome: &'static str) {
        self.reloads.get_or_create(&[("outcome", outcome.to_owned())]).inc();
    }

    /// The text: what the engine has to say, then what the server has.
    pub(super) fn text(&self, engine: &Engine, lines_dropped: u64) -> Result<String, std::fmt::Error> {
        self.lines_dropped.set(lines_dropped);
        let mut text = engine.metrics().to_openmetrics_part();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
