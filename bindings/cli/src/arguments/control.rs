//! What the command line says of control feeds.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Format, Trusting};

/// Make control messages for a fleet, and show what they say.
#[derive(Debug, Subcommand)]
pub enum Control {
    /// Make a message from an operation, or a heartbeat, and sign it. More can sign later, with `fallgate sign`.
    Sign(SignMessage),
    /// Show what a message says and who has signed it; with a trust root, whether an engine would believe them.
    Show(ShowMessage),
}

/// Make a message and sign it.
#[derive(Args, Debug)]
pub struct SignMessage {
    /// The operation, as JSON; `-` reads the standard input.
    #[arg(required_unless_present = "heartbeat", conflicts_with = "heartbeat")]
    pub operation: Option<PathBuf>,
    /// Say nothing but that the controller is there.
    #[arg(long)]
    pub heartbeat: bool,
    /// The feed, as the trust root names it.
    #[arg(long, value_name = "FEED")]
    pub feed: String,
    /// The epoch of the controller.
    #[arg(long, value_name = "NUMBER")]
    pub epoch: u64,
    /// Which message of the epoch it is, from 1.
    #[arg(long, value_name = "NUMBER")]
    pub sequence: u64,
    /// When it was written, in RFC 3339. Left out: now.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// The private key to sign with; may be repeated.
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,
    /// Where the message goes.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// Show what a message says.
#[derive(Args, Debug)]
pub struct ShowMessage {
    /// The message.
    pub file: PathBuf,
    /// For whom the output is.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Whom to trust.
    #[command(flatten)]
    pub trusting: Trusting,
}
