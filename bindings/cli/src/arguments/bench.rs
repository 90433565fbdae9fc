//! The arguments of `fallgate bench`.

use std::path::PathBuf;

use clap::Args;

use super::{Format, Trusting};

/// Measure how long a pack's own requests take on this machine, and which rules cost most.
#[derive(Args, Debug)]
pub struct Bench {
    /// The pack's folder, or a bundle.
    pub pack: PathBuf,
    /// For how long to measure, in seconds: 0.1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = seconds)]
    pub seconds: f64,
    /// For whom the output is.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Compare with an earlier run, of which this is the output with `--format json`.
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Whom to trust.
    #[command(flatten)]
    pub trusting: Trusting,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.1..=3600.0).contains(seconds));
    seconds.ok_or_else(|| "a number of seconds from 0.1 to 3600 is expected".to_owned())
}
