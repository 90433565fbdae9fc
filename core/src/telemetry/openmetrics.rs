//! Metrics as OpenMetrics 1.0 text, which Prometheus and every collector of OpenTelemetry read.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit as WrittenUnit};

use super::latency::BOUNDS;
use super::metrics::{Family, Kind, Labels, Metrics, Unit, Value};

/// The content type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Metrics {
    /// The metrics as OpenMetrics text, with the mark of its end.
    #[must_use]
    pub fn to_openmetrics(&self) -> String {
        let mut text = self.to_openmetrics_part();
        // Writing into memory does not fail.
        let _whole = encode_eof(&mut text);
        text
    }

    /// The same without the mark of its end, for a host that adds metrics of its own.
    #[must_use]
    pub fn to_openmetrics_part(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        // Writing into memory does not fail.
        let _whole = encode_registry(&mut text, &registry);
        text
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.families.iter().try_for_each(|family| encode_family(family, &mut encoder))
    }
}

fn encode_family(family: &Family, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
    let metric_type = match family.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Info => MetricType::Info,
        Kind::Histogram => MetricType::Histogram,
    };
    let unit = family.unit.map(|unit| match unit {
        Unit::Bytes => WrittenUnit::Bytes,
        Unit::Seconds => WrittenUnit::Seconds,
    });
    let mut metric = encoder.encode_descriptor(family.name, family.help, unit.as_ref(), metric_type)?;
    for (labels, value) in &family.samples {
        match family.kind {
            Kind::Info => metric.encode_info(labels)?,
            _ if labels.is_empty() => encode_value(value, family.kind, &mut metric)?,
            _ => encode_value(value, family.kind, &mut metric.encode_family(labels)?)?,
        }
    }
    Ok(())
}

fn encode_value(value: &Value, kind: Kind, metric: &mut MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
    match (value, kind) {
        (Value::Count(count), Kind::Counter) => metric.encode_counter::<NoLabelSet, _, u64>(count, None),
        (Value::Number(number), Kind::Counter) => metric.encode_counter::<NoLabelSet, _, u64>(number, None),
        (Value::Count(count), _) => metric.encode_gauge(count),
        (Value::Number(number), _) => metric.encode_gauge(number),
        (Value::Distribution(distribution), _) => {
            let bounds = BOUNDS.iter().map(|bound| *bound as f64 / 1e9).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(distribution.counts).collect();
            metric.encode_histogram::<Labels>(distribution.nanos as f64 / 1e9, distribution.count(), &buckets, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Effect;
    use crate::telemetry::latency::Latency;

    #[test]
    fn the_text_is_openmetrics() {
        let mut metrics = Metrics::default();
        metrics.counter("a", "How many", [(Vec::new(), 3)]);
        metrics.counter(
            "b",
            "By name",
            [(vec![("name", "x\"y\\z\n".to_owned())], 1), (vec![("name", "w".to_owned())], 2)],
        );
        metrics.gauge("c", "How big", Some(Unit::Bytes), [(Vec::new(), 1.5)]);
        metrics.info("d", "What", [vec![("bundle", "shop".to_owned())]]);
        let expected = "# HELP a How many\n# TYPE a counter\na_total 3\n\
                        # HELP b By name\n# TYPE b counter\nb_total{name=\"x\\\"y\\\\z\\n\"} 1\nb_total{name=\"w\"} 2\n\
                        # HELP c_bytes How big\n# TYPE c_bytes gauge\n# UNIT c_bytes bytes\nc_bytes 1.5\n\
                        # HELP d What\n# TYPE d info\nd_info{bundle=\"shop\"} 1\n# EOF\n";
        assert_eq!(metrics.to_openmetrics(), expected);
        assert_eq!(format!("{}# EOF\n", metrics.to_openmetrics_part()), expected);
    }

    #[test]
    fn a_histogram_has_its_buckets_and_ends_with_all() {
        let latency = Latency::default();
        [200, 400, 2_000_000_000].iter().for_each(|nanos| latency.record(Effect::Deny, *nanos));
        let mut metrics = Metrics::default();
        let labels = vec![("effect", "deny".to_owned())];
        metrics.histogram("took", "Took", [(labels, latency.distribution(Effect::Deny))]);
        let text = metrics.to_openmetrics();
        for line in [
            "# TYPE took_seconds histogram",
            "took_seconds_count{effect=\"deny\"} 3",
            "took_seconds_bucket{le=\"1.0\",effect=\"deny\"} 2",
            "took_seconds_bucket{le=\"+Inf\",effect=\"deny\"} 3",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
