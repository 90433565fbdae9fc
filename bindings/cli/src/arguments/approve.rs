//! What the command line says of approvals.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use fallgate::time::Ttl;

use super::{Format, Trusting};

/// Propose and approve what loosens, and check approvals, without an engine at hand.
#[derive(Debug, Subcommand)]
pub enum Approve {
    /// Propose to leave a posture, to override a deny, or to set or clear a flag; refused at once where the pack would.
    Propose(Box<Propose>),
    /// Show what a proposal says, and approve it.
    Sign(Sign),
    /// Show what a proposal says, and withdraw it.
    Withdraw(Sign),
    /// Check a proposal and its approvals as an engine would, and count; ends with 0 only where there are enough.
    Check(Check),
}

/// Propose what takes approvals.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("change").required(true).args(["leave", "override_deny", "set_flag", "clear_flag"])))]
pub struct Propose {
    /// The pack's folder, or a bundle.
    pub pack: PathBuf,
    /// Leave this posture.
    #[arg(long, value_name = "POSTURE")]
    pub leave: Option<String>,
    /// Leave it in this scope, as in `tenant:acme`. Left out: everywhere.
    #[arg(long, value_name = "SCOPE", conflicts_with_all = ["override_deny", "set_flag", "clear_flag"])]
    pub scope: Option<String>,
    /// Override denies of the subjects, actions and resources that are named.
    #[arg(long = "override", requires_all = ["subjects", "actions", "resources", "window", "uses"])]
    pub override_deny: bool,
    /// Whose denies, as in `user:alice`; may be repeated.
    #[arg(long = "subject", value_name = "SUBJECT", conflicts_with_all = ["leave", "set_flag", "clear_flag"])]
    pub subjects: Vec<String>,
    /// Of which action, as in `payment:refund` or `payment:*`; may be repeated.
    #[arg(long = "action", value_name = "ACTION", conflicts_with_all = ["leave", "set_flag", "clear_flag"])]
    pub actions: Vec<String>,
    /// On what, as in `payment:p-17` or `payment:*`; may be repeated.
    #[arg(long = "resource", value_name = "RESOURCE", conflicts_with_all = ["leave", "set_flag", "clear_flag"])]
    pub resources: Vec<String>,
    /// For how long an override is in force, or after what time a flag is reported.
    #[arg(long = "for", value_name = "TIME", value_parser = ttl, conflicts_with_all = ["leave", "clear_flag"])]
    pub window: Option<Ttl>,
    /// How many requests the override allows.
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["leave", "set_flag", "clear_flag"])]
    pub uses: Option<u32>,
    /// Set this flag.
    #[arg(long, value_name = "FLAG")]
    pub set_flag: Option<String>,
    /// Clear this flag.
    #[arg(long, value_name = "FLAG")]
    pub clear_flag: Option<String>,
    /// Which approver of the pack proposes it.
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// Why: what those who approve are to read.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// For how long it waits for approvals, up to 24h.
    #[arg(long, value_name = "TIME", value_parser = ttl, default_value = "1h")]
    pub valid: Ttl,
    /// Tells it apart from others that say the same. Left out: at random.
    #[arg(long, value_name = "TEXT")]
    pub nonce: Option<String>,
    /// What proves who proposes it.
    #[command(flatten)]
    pub proving: Proving,
    /// Whom to trust.
    #[command(flatten)]
    pub trusting: Trusting,
}

/// Approve or withdraw a proposal.
#[derive(Args, Debug)]
pub struct Sign {
    /// The proposal, or the operation that proposes it; `-` reads the standard input.
    pub proposal: PathBuf,
    /// Which approver of the pack it is.
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// What proves it.
    #[command(flatten)]
    pub proving: Proving,
}

/// What proves who somebody is, when, and where the operation goes.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("proof").required(true).args(["key", "code"])))]
pub struct Proving {
    /// A private key to sign with, or a secret of one-time codes: what `fallgate keys new` writes.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// A one-time code. It counts for a minute at the most, and once.
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,
    /// The time, in RFC 3339; else the machine's.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Where the operation goes. Left out: the standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Check a proposal and its approvals.
#[derive(Args, Debug)]
pub struct Check {
    /// The pack's folder, or a bundle.
    pub pack: PathBuf,
    /// The operation that proposes; `-` reads the standard input.
    pub proposal: PathBuf,
    /// The operations that approve it.
    pub approvals: Vec<PathBuf>,
    /// The time, in RFC 3339; else the machine's.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// For whom the output is.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Whom to trust.
    #[command(flatten)]
    pub trusting: Trusting,
}

/// A time as formats write it.
fn ttl(text: &str) -> Result<Ttl, String> {
    Ttl::parse(text).map_err(|error| error.to_string())
}
