//! What the command line says of chains of audit records.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use fallgate::time::Ttl;

use super::Format;

/// What to do with a chain of audit records.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Verify that a chain is whole, and name the first record that is not what was written.
    ///
    /// What is missing at the end, and a chain that was written anew, show only against a head or a checkpoint that was
    /// kept elsewhere.
    Verify(AuditVerify),
    /// Sign where a whole chain has come to: a checkpoint to be kept where whoever writes the chain cannot write.
    Checkpoint(AuditCheckpoint),
    /// Show records, while they verify.
    Show(AuditShow),
    /// Read the chains of several engines as one, in the order of time, and show where the engines differ.
    ///
    /// Each chain is verified as it is read. Engines differ where one allows what another one denies, where they decide by
    /// other revisions for a long time, or where two of them are active. Times are those of each engine's own clock.
    Merge(AuditMerge),
    /// Open a value that a record commits to: check that it is the one, and print what others need to check it.
    Reveal(AuditReveal),
}

/// A chain, and what was kept elsewhere to hold it against.
#[derive(Args, Debug)]
pub struct AuditChain {
    /// The files of the chain in order, its folder, or its database as in `sqlite:audit.db`.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// The hash of the last record, as it was kept elsewhere; with `--count`, of the record of that number.
    #[arg(long, value_name = "HASH", value_parser = hash)]
    pub head: Option<[u8; 32]>,
    /// How many records the chain had when the head was kept; what was written since may follow.
    #[arg(long, value_name = "NUMBER", requires = "head")]
    pub count: Option<u64>,
    /// A signed checkpoint that was kept elsewhere: the chain must go through it.
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "head")]
    pub checkpoint: Option<PathBuf>,
    /// The public key of who signs checkpoints: `ed25519:` and 32 bytes in base64 or hexadecimal.
    #[arg(long, value_name = "KEY", requires = "checkpoint")]
    pub key: Option<String>,
    /// The head that the first file goes on behind, where earlier files were put away: `COUNT:HASH`.
    #[arg(long, value_name = "COUNT:HASH", value_parser = count_and_hash)]
    pub after: Option<(u64, [u8; 32])>,
}

/// Verify that a chain is whole.
#[derive(Args, Debug)]
pub struct AuditVerify {
    /// The chain.
    #[command(flatten)]
    pub chain: AuditChain,
    /// For whom the output is.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Sign where a whole chain has come to.
#[derive(Args, Debug)]
pub struct AuditCheckpoint {
    /// The chain, which is verified first.
    #[command(flatten)]
    pub verify: AuditChain,
    /// The file with the Ed25519 secret key that signs: 32 bytes, or their 64 hexadecimal digits.
    #[arg(long, value_name = "FILE")]
    pub secret_key_file: PathBuf,
}

/// Which records are shown.
#[derive(Args, Debug)]
pub struct Wanted {
    /// Only records of this kind; may be repeated.
    #[arg(long = "kind", value_name = "KIND", value_parser = kind)]
    pub kinds: Vec<fallgate::audit::record::RecordKind>,
    /// Only from this time on: RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<fallgate::value::Timestamp>,
    /// Only before this time: RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<fallgate::value::Timestamp>,
    /// Only decisions about this subject: its id.
    #[arg(long, value_name = "ID")]
    pub subject: Option<String>,
}

/// For whom records are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    /// People.
    #[default]
    Text,
    /// Programs: the records as they stand, a line each.
    Json,
    /// What collects the decision logs of OPA: each decision as one of its events, a line each.
    Opa,
}

/// Show records, while they verify.
#[derive(Args, Debug)]
pub struct AuditShow {
    /// The files of the chain in order, its folder, or its database as in `sqlite:audit.db`.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Which of its records.
    #[command(flatten)]
    pub wanted: Wanted,
    /// For whom the output is.
    #[arg(long, value_enum, default_value_t)]
    pub format: ShowFormat,
}

/// Read the chains of several engines as one.
#[derive(Args, Debug)]
pub struct AuditMerge {
    /// The chain of each engine, as `NAME=PLACE`: how it is called here, and a file, a folder or a database. A place alone is
    /// its own name, where it has no `=`.
    #[arg(required = true, num_args = 2.., value_name = "NAME=PLACE", value_parser = named)]
    pub chains: Vec<(String, PathBuf)>,
    /// Which of their records. The engines are compared by all of them; only the time limits the differences that are told.
    #[command(flatten)]
    pub wanted: Wanted,
    /// Answers are compared that lie no farther apart than this, and engines may decide by other revisions for so long: a
    /// little longer than it takes to tell all of them of a change.
    #[arg(long, value_name = "SPAN", default_value = "1m", value_parser = span)]
    pub within: Ttl,
    /// Only where the engines differ, and no records.
    #[arg(long)]
    pub differences: bool,
    /// For whom the output is: people, or programs (a record or a difference a line, then the head of each chain).
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Open a value that a record commits to.
#[derive(Args, Debug)]
pub struct AuditReveal {
    /// The files of the chain in order, its folder, or its database as in `sqlite:audit.db`.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// The number of the record.
    #[arg(long, value_name = "NUMBER")]
    pub seq: u64,
    /// Where the commitment stands in the request, as in `subject.email` or `context.cards.0.number`.
    #[arg(long, value_name = "PATH")]
    pub path: String,
    /// The value that is said to stand there, as JSON: `"ann@example.org"`, `42`.
    #[arg(long, value_name = "JSON")]
    pub value: String,
    /// The file with the host's audit key: 32 bytes, or their 64 hexadecimal digits.
    #[arg(long, value_name = "FILE", required_unless_present = "salt", conflicts_with = "salt")]
    pub key_file: Option<PathBuf>,
    /// The salt that whoever holds the key has printed: it opens this one value.
    #[arg(long, value_name = "HEX", value_parser = hash)]
    pub salt: Option<[u8; 32]>,
}

fn hash(text: &str) -> Result<[u8; 32], String> {
    crate::audit_log::lines::hash_of(text).ok_or_else(|| "write 64 lower-case hexadecimal digits".to_owned())
}

fn count_and_hash(text: &str) -> Result<(u64, [u8; 32]), String> {
    let (count, digits) = text.split_once(':').ok_or("write COUNT:HASH")?;
    Ok((count.parse().map_err(|_| "write the number of records before the colon")?, hash(digits)?))
}

fn kind(text: &str) -> Result<fallgate::audit::record::RecordKind, String> {
    use fallgate::audit::record::RecordKind;
    let known = || RecordKind::ALL.map(RecordKind::code).join(", ");
    RecordKind::named(text).ok_or_else(|| format!("known are: {}", known()))
}

fn time(text: &str) -> Result<fallgate::value::Timestamp, String> {
    text.parse().map_err(|_| "write RFC 3339, as in 2026-01-01T00:00:00Z".to_owned())
}

fn span(text: &str) -> Result<Ttl, String> {
    Ttl::parse(text).map_err(|error| error.to_string())
}

fn named(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some(("", _) | (_, "")) => Err("write NAME=PLACE".to_owned()),
        Some((name, place)) => Ok((name.to_owned(), place.into())),
        None => Ok((text.to_owned(), text.into())),
    }
}
