//! Metrics as a snapshot: plain data, made when somebody asks, in the order in which it is written.
//!
//! Every label has few values that are known beforehand: effects, reasons, and names that the pack declares. Nothing that a
//! request says becomes a label, so that no caller can fill a monitoring system or read what another one asked.

use serde_json::{Map, Value as Json, json};

use super::latency::{BOUNDS, Distribution};

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only ever grows.
    Counter,
    /// It is what it is at the time.
    Gauge,
    /// Its labels say something that is always so; its value is 1.
    Info,
    /// How many took how long.
    Histogram,
}

/// What a metric is in; the unit ends its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
}

impl Unit {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Bytes => "_bytes",
            Self::Seconds => "_seconds",
        }
    }
}

/// Labels by name.
pub type Labels = Vec<(&'static str, String)>;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A count.
    Count(u64),
    /// A number.
    Number(f64),
    /// How many took how long.
    Distribution(Box<Distribution>),
}

/// A metric with one value for each set of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name, without what its unit and its kind add.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// What kind it is of.
    pub kind: Kind,
    /// What it is in, where that needs saying.
    pub unit: Option<Unit>,
    /// Its values.
    pub samples: Vec<(Labels, Value)>,
}

/// Everything that an engine has to say in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// The metrics, in the order in which they are written.
    pub families: Vec<Family>,
}

impl Metrics {
    /// Adds a metric that only ever grows.
    pub fn counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = (Labels, u64)>,
    ) {
        let samples = samples.into_iter().map(|(labels, count)| (labels, Value::Count(count))).collect();
        self.families.push(Family { name, help, kind: Kind::Counter, unit: None, samples });
    }

    /// Adds a metric that is what it is at the time.
    pub fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        unit: Option<Unit>,
        samples: impl IntoIterator<Item = (Labels, f64)>,
    ) {
        let samples = samples.into_iter().map(|(labels, number)| (labels, Value::Number(number))).collect();
        self.families.push(Family { name, help, kind: Kind::Gauge, unit, samples });
    }

    /// Adds a metric whose labels are what it says.
    pub fn info(&mut self, name: &'static str, help: &'static str, labels: impl IntoIterator<Item = Labels>) {
        let samples = labels.into_iter().map(|labels| (labels, Value::Count(1))).collect();
        self.families.push(Family { name, help, kind: Kind::Info, unit: None, samples });
    }

    /// Adds a metric of how many took how long.
    pub fn histogram(
        &mut self,
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = (Labels, Distribution)>,
    ) {
        let samples = samples.into_iter();
        let samples = samples.map(|(labels, sum)| (labels, Value::Distribution(Box::new(sum)))).collect();
        self.families.push(Family { name, help, kind: Kind::Histogram, unit: Some(Unit::Seconds), samples });
    }

    /// The value under that name with those labels, as the exporter writes both: `fallgate_decisions_total{effect="deny",…}`.
    #[must_use]
    pub fn value(&self, written: &str) -> Option<f64> {
        let mut found = None;
        self.each(&mut |name, number| {
            if name == written {
                found = Some(number.as_f64());
            }
        });
        found.flatten()
    }

    /// The metrics as JSON: each value under its name with its labels, as the exporter writes both.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut members = Map::new();
        self.each(&mut |name, number| {
            members.insert(name, number.into());
        });
        members.into()
    }

    /// Calls with each value under its name with its labels.
    fn each(&self, call: &mut dyn FnMut(String, serde_json::Number)) {
        for family in &self.families {
            let name = family.full_name();
            for (labels, value) in &family.samples {
                match value {
                    Value::Count(count) => call(written(&name, labels, None), (*count).into()),
                    Value::Number(number) => {
                        if let Some(number) = serde_json::Number::from_f64(*number) {
                            call(written(&name, labels, None), number);
                        }
                    }
                    Value::Distribution(distribution) => {
                        call(written(&format!("{name}_count"), labels, None), distribution.count().into());
                        let sum = distribution.nanos as f64 / 1e9;
                        if let Some(sum) = serde_json::Number::from_f64(sum) {
                            call(written(&format!("{name}_sum"), labels, None), sum);
                        }
                        for (bound, count) in cumulative(distribution) {
                            call(written(&format!("{name}_bucket"), labels, Some(&bound)), count.into());
                        }
                    }
                }
            }
        }
    }
}

impl Family {
    /// The name with what its unit and its kind add, as its values are written.
    #[must_use]
    pub fn full_name(&self) -> String {
        let unit = self.unit.map(Unit::suffix).unwrap_or_default();
        let kind = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("{}{unit}{kind}", self.name)
    }
}

/// How many took as long as each bound or less; the last for those that took any time.
fn cumulative(distribution: &Distribution) -> Vec<(String, u64)> {
    let bounds = BOUNDS.iter().map(|bound| (*bound as f64 / 1e9).to_string()).chain(["+Inf".to_owned()]);
    let sums = distribution.counts.iter().scan(0_u64, |sum, count| {
        *sum = sum.saturating_add(*count);
        Some(*sum)
    });
    bounds.zip(sums).collect()
}

/// A name with its labels.
fn written(name: &str, labels: &Labels, le: Option<&str>) -> String {
    let le = le.map(|le| ("le", le));
    let labels = labels.iter().map(|(name, value)| (*name, value.as_str())).chain(le);
    let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={}", json!(value))).collect();
    if labels.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", labels.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Effect;
    use crate::telemetry::latency::Latency;

    #[test]
    fn each_value_stands_under_its_written_name() {
        let mut metrics = Metrics::default();
        metrics.counter("decisions", "Decisions", [(vec![("effect", "deny".to_owned())], 3)]);
        metrics.gauge("size", "Size", Some(Unit::Bytes), [(Vec::new(), 1.5)]);
        metrics.info("policy", "Policy", [vec![("bundle", "a\"b".to_owned())]]);
        let expected = json!({
            "decisions_total{effect=\"deny\"}": 3,
            "size_bytes": 1.5,
            "policy_info{bundle=\"a\\\"b\"}": 1,
        });
        assert_eq!(metrics.to_json(), expected);
        assert_eq!(metrics.value("decisions_total{effect=\"deny\"}"), Some(3.0));
        assert_eq!(metrics.value("decisions_total"), None);
    }

    #[test]
    fn a_histogram_counts_all_that_took_as_long_or_less() {
        let latency = Latency::default();
        [200, 400, 2_000_000_000].iter().for_each(|nanos| latency.record(Effect::Deny, *nanos));
        let mut metrics = Metrics::default();
        metrics.histogram("took", "Took", [(Vec::new(), latency.distribution(Effect::Deny))]);
        assert_eq!(metrics.value("took_seconds_bucket{le=\"0.00000025\"}"), Some(1.0));
        assert_eq!(metrics.value("took_seconds_bucket{le=\"0.0000005\"}"), Some(2.0));
        assert_eq!(metrics.value("took_seconds_bucket{le=\"1\"}"), Some(2.0));
        assert_eq!(metrics.value("took_seconds_bucket{le=\"+Inf\"}"), Some(3.0));
        assert_eq!(metrics.value("took_seconds_count"), Some(3.0));
        assert_eq!(metrics.value("took_seconds_sum"), Some(2.0000006));
    }
}
