//! The arguments of `fallgate diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{FindingFormat, Trusting};

/// Compare two packs: what changes, and for which requests.
#[derive(Args, Debug)]
pub struct Diff {
    /// The pack's folder, or the bundle, as it is.
    pub old: PathBuf,
    /// The pack's folder, or the bundle, as it shall be.
    pub new: PathBuf,
    /// For whom the output is.
    #[arg(long, value_enum, default_value_t)]
    pub format: FindingFormat,
    /// Decide these requests by both too: a request a line, as JSON; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub requests: Vec<PathBuf>,
    /// Decide what an audit chain records by both too: its file or folder; may be repeated. Verify the chain first: this
    /// does not.
    #[arg(long, value_name = "FILE")]
    pub audit: Vec<PathBuf>,
    /// Write each request that is shown to a file in this folder, which is made where it is not there.
    #[arg(long, value_name = "FOLDER")]
    pub witnesses: Option<PathBuf>,
    /// How many requests are tried for one action at the most.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    pub limit: u64,
    /// The wall clock, in RFC 3339; else the start of 2026.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// What ends with 1.
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    pub fail_on: FailOn,
    /// Whom to trust, where a side is a bundle's file.
    #[command(flatten)]
    pub trusting: Trusting,
}

/// Which differences make a comparison fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// What is newly allowed and the new pack does not declare (`rollout: { newly_allows: … }`).
    Undeclared,
    /// What is newly allowed.
    #[default]
    NewlyAllowed,
    /// What is newly allowed or newly denied.
    NewlyDenied,
    /// Every difference, in the reason or the obligations too.
    Any,
}
