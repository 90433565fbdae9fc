//! What the command line says: the one definition that the parser, the help, the man page and the completions share.

mod approve;
mod audit;
mod bench;
mod control;
mod diff;

use std::path::PathBuf;

pub use approve::{Approve, Check, Propose, Proving, Sign};
pub use audit::{
    AuditChain, AuditCheckpoint, AuditCommand, AuditMerge, AuditReveal, AuditShow, AuditVerify, ShowFormat, Wanted,
};
pub use bench::Bench;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
pub use control::{Control, ShowMessage, SignMessage};
pub use diff::{Diff, FailOn};

/// Check, test, build, evaluate and rehearse policy packs.
#[derive(Debug, Parser)]
#[command(name = "fallgate", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// When to use colours; `auto` leaves them out where the output is no terminal, and under NO_COLOR.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 fine or allow, 1 deny or findings, 2 usage, 3 bad input.";

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// For whom the output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// People.
    #[default]
    Text,
    /// Programs.
    Json,
}

/// How indicators are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SliFormat {
    /// A line for each.
    #[default]
    Table,
    /// As the engine gives them.
    Json,
}

/// For whom findings are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FindingFormat {
    /// People.
    #[default]
    Text,
    /// Programs.
    Json,
    /// Code scanners and editors: SARIF 2.1.0.
    Sarif,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Begin a new pack, with a test and a drill that pass.
    Init {
        /// The new folder; its last part is the pack's name.
        name: PathBuf,
    },
    /// Check a pack and its drills: form, names, types, conditions, what fails open.
    Check {
        /// The pack's folder, or a bundle.
        pack: PathBuf,
        /// For whom the output is.
        #[arg(long, value_enum, default_value_t)]
        format: FindingFormat,
        /// Count warnings as findings.
        #[arg(long)]
        strict: bool,
        /// Whom to trust.
        #[command(flatten)]
        trusting: Trusting,
    },
    /// Run a pack's cases and drills, and say which rules they reach.
    Test {
        /// The pack's folder, or a bundle.
        pack: PathBuf,
        /// Write a JUnit report to this file.
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
        /// Whom to trust.
        #[command(flatten)]
        trusting: Trusting,
    },
    /// Build a pack into a bundle, and print the bundle's identifier.
    Build {
        /// The pack's folder, or a bundle of OPA (`.tar.gz`).
        pack: PathBuf,
        /// Where the bundle goes.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Sign it with this private key; may be repeated.
        #[arg(long = "key", value_name = "FILE")]
        keys: Vec<PathBuf>,
        /// How a bundle of OPA is read.
        #[cfg(feature = "opa")]
        #[command(flatten)]
        opa: Opa,
    },
    /// Make keys and trust roots, and list the keys of one.
    #[command(subcommand)]
    Keys(Keys),
    /// Sign a bundle, or a trust root that follows another; the signatures that it has stay.
    Sign {
        /// The bundle, signed or not, or the signed trust root.
        file: PathBuf,
        /// A private key to sign with; may be repeated.
        #[arg(long = "key", value_name = "FILE", required = true)]
        keys: Vec<PathBuf>,
        /// Where it goes; may be the file itself.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Verify a signed bundle, or a trust root that follows another; ends with 0 only where all of it was verified.
    Verify {
        /// The signed bundle or trust root.
        file: PathBuf,
        /// Whom to trust: a trust root; may be repeated, each further one signed by the one before.
        #[arg(long = "trust", value_name = "FILE", required = true)]
        roots: Vec<PathBuf>,
        /// The time at which keys have to be valid, in RFC 3339; else the machine's.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// Propose and approve what loosens, and check approvals, without an engine at hand.
    #[command(subcommand)]
    Approve(Approve),
    /// Make control messages for a fleet, and show what they say.
    #[command(subcommand)]
    Control(Control),
    /// Decide one request.
    Eval(Eval),
    /// Rehearse a pack's drills, step by step.
    Drill(Drill),
    /// Draw the posture machine of a pack.
    Graph(Graph),
    /// Live random days of faults on a pack, and hold theorems at every step.
    ///
    /// Ends with 0 where all held, with 1 where one did not: then the smallest day that shows it is written as a drill.
    Chaos(Chaos),
    /// Measure how long a pack's own requests take on this machine, and which of its rules cost most.
    Bench(Bench),
    /// Decide again what was decided: from a journal of inputs, to the byte, or from an audit chain, as far as it says enough.
    ///
    /// Ends with 0 where nothing differs, with 1 where something does, with 3 where a journal is not as it was written, or
    /// ends in a gap.
    Replay(Replay),
    /// Compute the service-level indicators from an audit chain. Verify the chain first: this does not.
    Sli {
        /// The chain: a file with a record a line, a folder, or a database as in `sqlite:audit.db`; `-` reads the standard
        /// input.
        audit: PathBuf,
        /// The pack that decided: what it declares is in no record, and without it some indicators say nothing.
        #[arg(long, value_name = "PACK")]
        pack: Option<PathBuf>,
        /// For whom the output is.
        #[arg(long, value_enum, default_value_t)]
        format: SliFormat,
    },
    /// Verify a chain of audit records, show it, read those of several engines as one, or open a committed value.
    Audit {
        /// What to do with the chain.
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Take away what requests, data and signals say, one at a time and in pairs, and show each deny that becomes an allow.
    Ablate(Ablate),
    /// Compare two packs: what changes, and which requests the new one newly allows or denies.
    Diff(Diff),
    /// Print the drills and cases of packs as one JSON document of calls and decisions, for another language to replay.
    Corpus {
        /// A folder of packs, or one pack's folder.
        folder: PathBuf,
    },
    /// Answer AuthZEN requests over HTTP, on loopback by default.
    ///
    /// SIGTERM and SIGINT stop the server, after what runs is answered. SIGHUP reads the pack again; where that fails,
    /// the bundle that is active stays.
    #[cfg(feature = "serve")]
    Serve(Box<Serve>),
    /// Print the completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the man page.
    Man {
        /// Of this command.
        command: Option<String>,
    },
    /// Print the JSON Schema of a format.
    Schema {
        /// The format.
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(fallgate::schemas::NAMES))]
        name: String,
    },
    /// Print a page of the book that follows from the definitions: a format, or all commands.
    #[command(hide = true)]
    BookPage {
        /// The page.
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(crate::book_page::NAMES))]
        name: String,
    },
}

/// Whose bundles are taken.
#[derive(Args, Clone, Debug, Default)]
pub struct Trusting {
    /// Take only a signed bundle, as this trust root asks; may be repeated, each further one signed by the one before.
    #[arg(long = "trust", value_name = "FILE")]
    pub roots: Vec<PathBuf>,
}

/// How a bundle of OPA is read.
#[cfg(feature = "opa")]
#[derive(Args, Clone, Debug, Default)]
pub struct Opa {
    /// A bundle of OPA only: the rule that allows, such as `data.app.authz.allow`.
    #[arg(long, value_name = "RULE")]
    pub query: Option<String>,
    /// A bundle of OPA only: an action that the rule decides on; may be repeated.
    #[arg(long = "action", value_name = "NAME")]
    pub actions: Vec<String>,
    /// A bundle of OPA only: the pack's name. Left out: the file's.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A bundle of OPA only: the pack's revision. Left out: the manifest's, where that is a number.
    #[arg(long, value_name = "NUMBER")]
    pub revision: Option<u64>,
    /// A bundle of OPA only: the public key that must have signed it, as PEM.
    #[arg(long, value_name = "FILE")]
    pub verification_key: Option<PathBuf>,
    /// A bundle of OPA only: the scope that its signature must state.
    #[arg(long, value_name = "SCOPE", requires = "verification_key")]
    pub scope: Option<String>,
}

#[cfg(feature = "opa")]
impl Opa {
    /// Whether anything was said that only a bundle of OPA has.
    #[must_use]
    pub const fn says_something(&self) -> bool {
        self.query.is_some()
            || !self.actions.is_empty()
            || self.name.is_some()
            || self.revision.is_some()
            || self.verification_key.is_some()
    }
}

/// Make keys and trust roots, and list the keys of one.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a new key: the private one in a file that only its owner can read, the public one beside it in `FILE.pub`.
    New {
        /// Where the private key goes.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Make a secret of one-time codes instead, in one file; the line for the pack is printed.
        #[arg(long)]
        totp: bool,
    },
    /// List the keys of a trust root, and how each stands now.
    List {
        /// The trust root; may be repeated, each further one signed by the one before.
        #[arg(required = true)]
        trust: Vec<PathBuf>,
        /// For whom the output is.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Make a trust root, or the one that follows another.
    Trust(Box<MakeTrust>),
}

/// Make a trust root, or the one that follows another.
#[derive(Args, Debug)]
pub struct MakeTrust {
    /// Where it goes.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// A public key that may sign; may be repeated.
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// How many keys must sign. Left out: as many as before, at first 1.
    #[arg(long, value_name = "COUNT")]
    pub threshold: Option<u64>,
    /// The first instant at which the keys named here count, in RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// The first instant at which they no longer do.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The root that it follows; may be repeated, each further one signed by the one before.
    #[arg(long, value_name = "FILE")]
    pub follow: Vec<PathBuf>,
    /// A private key of the root that it follows, to sign with; may be repeated. More can sign later, with `fallgate sign`.
    #[arg(long, value_name = "FILE", requires = "follow")]
    pub sign: Vec<PathBuf>,
    /// Leave out a key of the root that it follows, by its id; may be repeated.
    #[arg(long, value_name = "ID", requires = "follow")]
    pub drop: Vec<String>,
    /// A public key that may sign the control messages of a feed, as in `fleet=controller.pub`; may be repeated.
    #[arg(long = "speaker", value_name = "FEED=FILE", value_parser = feed_and_value)]
    pub speakers: Vec<(String, String)>,
    /// How many keys must sign each message of a feed, as in `fleet=2`. Left out: as many as before, at first 1.
    #[arg(long = "speakers-needed", value_name = "FEED=COUNT", value_parser = feed_and_value)]
    pub speakers_needed: Vec<(String, String)>,
    /// Revoke a key, by its id; may be repeated.
    #[arg(long = "revoke-key", value_name = "ID")]
    pub revoke_keys: Vec<String>,
    /// Revoke a bundle, by its id; may be repeated.
    #[arg(long = "revoke-bundle", value_name = "ID")]
    pub revoke_bundles: Vec<String>,
}

/// Decide one request.
#[derive(Args, Debug)]
pub struct Eval {
    /// The pack's folder, or a bundle.
    #[arg(required_unless_present = "rego", conflicts_with = "rego")]
    pub pack: Option<PathBuf>,
    /// The request, as JSON; `-` reads the standard input.
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// Say why: each rule considered, with what it came to.
    #[arg(long)]
    pub explain: bool,
    /// For whom the output is.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// What is observed of a signal; may be repeated. Every other is unknown.
    #[arg(long = "signal", value_name = "NAME=STATUS", value_parser = signal)]
    pub signals: Vec<(String, String)>,
    /// Observe every signal as ok, before those of `--signal`.
    #[arg(long)]
    pub all_signals_ok: bool,
    /// The wall clock, in RFC 3339; else the machine's.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// A lone Rego file, instead of a pack.
    #[arg(long, value_name = "FILE", requires = "query", conflicts_with_all = ["signals", "all_signals_ok", "at", "explain", "roots"])]
    pub rego: Option<PathBuf>,
    /// The rule of the Rego file, such as `data.app.authz.allow`.
    #[arg(long, value_name = "RULE", requires = "rego")]
    pub query: Option<String>,
    /// Whom to trust.
    #[command(flatten)]
    pub trusting: Trusting,
}

/// Rehearse a pack's drills, step by step.
#[derive(Args, Debug)]
pub struct Drill {
    /// The pack's folder, or one drill's file.
    pub pack: PathBuf,
    /// Only the drill of this name: its file's, without `.yaml`.
    pub name: Option<String>,
    /// Whom to trust.
    #[command(flatten)]
    pub trusting: Trusting,
    /// Print what the engine has counted at the end of the drill, as OpenMetrics text, and nothing else.
    #[arg(long, requires = "name")]
    pub metrics: bool,
    /// Write the journal of all inputs to this file, behind what stands there.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Write the drill's audit records to this file, as `fallgate audit` and `fallgate sli` read them.
    #[arg(long, value_name = "FILE", requires = "name", conflicts_with_all = ["metrics", "journal"])]
    pub audit: Option<PathBuf>,
    /// Write a page about the drills to this file: one file of HTML, which loads nothing.
    #[arg(long, value_name = "FILE", conflicts_with = "metrics")]
    pub report: Option<PathBuf>,
}

/// Draw the posture machine of a pack.
#[derive(Args, Debug)]
pub struct Graph {
    /// The pack's folder, or a bundle.
    pub pack: PathBuf,
    /// As what.
    #[arg(long, value_enum, default_value_t)]
    pub format: GraphFormat,
    /// Where it goes. Left out: to the standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Whom to trust.
    #[command(flatten)]
    pub trusting: Trusting,
}

/// Live random days of faults on a pack, and hold theorems at every step.
#[derive(Args, Debug)]
pub struct Chaos {
    /// The pack's folder, or a bundle with cases.
    pub pack: PathBuf,
    /// What chance begins with: the same seed gives the same days, to the byte.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How long each day is.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=720))]
    pub hours: u64,
    /// How many days.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub days: u64,
    /// How many denies of each day are asked again with signals lost, or after a restart.
    #[arg(long, value_name = "COUNT", default_value_t = 40)]
    pub forks: u32,
    /// Something that must not happen either, as in `payment:refund=allowed_stale`; may be repeated.
    #[arg(long, value_name = "ACTION=REASON", value_parser = action_and_reason)]
    pub never: Vec<(String, String)>,
    /// Where the smallest failing day goes. Left out: `chaos-SEED.yaml` here.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Whom to trust.
    #[command(flatten)]
    pub trusting: Trusting,
}

fn action_and_reason(text: &str) -> Result<(String, String), String> {
    let parts = text.rsplit_once('=').map(|(action, reason)| (action.to_owned(), reason.to_owned()));
    parts.ok_or_else(|| "write an action and a reason, as in `payment:refund=allowed_stale`".to_owned())
}

/// As what a machine is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// A picture, light and dark.
    #[default]
    Svg,
    /// A Mermaid state diagram.
    Mermaid,
}

/// Decide again what was decided.
#[derive(Args, Debug)]
pub struct Replay {
    /// The files of the journal in order, or those of an audit chain, or its folder.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Decide with this bundle or pack in the place of those of its name. An audit chain needs one.
    #[arg(long, value_name = "BUNDLE")]
    pub bundle: Option<PathBuf>,
    /// Hold the audit records that the replay hands out against this chain: its files in order, or its folder; may be
    /// repeated.
    #[arg(long, value_name = "AUDIT", conflicts_with = "bundle")]
    pub audit: Vec<PathBuf>,
    /// The file with the engine's `key`, where the journal names one: 16 bytes, or their 32 hexadecimal digits.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The file with the engine's `state_key`, where the journal names one: 32 bytes, or their 64 hexadecimal digits.
    #[arg(long, value_name = "FILE")]
    pub state_key_file: Option<PathBuf>,
    /// The file with the engine's `audit_key`, where the journal names one: 32 bytes, or their 64 hexadecimal digits.
    #[arg(long, value_name = "FILE")]
    pub audit_key_file: Option<PathBuf>,
    /// For whom the output is: people, or programs (each difference a line, then the numbers).
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Whom to trust.
    #[command(flatten)]
    pub trusting: Trusting,
}

/// Answer AuthZEN requests over HTTP, on loopback by default.
#[cfg(feature = "serve")]
#[derive(Args, Debug)]
pub struct Serve {
    /// The pack's folder, or a bundle.
    pub pack: PathBuf,
    /// Where to listen. An address that others can reach needs a token.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8180")]
    pub listen: std::net::SocketAddr,
    /// Listen on a Unix socket instead, which only its owner can connect to.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["listen", "tls_cert", "tls_key"])]
    pub socket: Option<PathBuf>,
    /// The file with the bearer token that callers must bring.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The certificate chain for TLS, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The private key for TLS, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// The address that callers know the server by, where it is not the one that it listens on.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// What is observed of a signal at the start; may be repeated. Later reports go to /v1/signals.
    #[arg(long = "observe", value_name = "NAME=STATUS", value_parser = signal)]
    pub observed: Vec<(String, String)>,
    /// Where audit records are written: a folder of files that only grow, or `sqlite:FILE` for a table. A decision's record
    /// stays in memory until it is on disk.
    #[arg(long, value_name = "PLACE")]
    pub audit: Option<PathBuf>,
    /// The file with the key for what must not stand in a record: 32 bytes, or their 64 hexadecimal digits. Left out: such
    /// values leave nothing that could be linked or opened.
    #[arg(long, value_name = "FILE", requires = "audit")]
    pub audit_key_file: Option<PathBuf>,
    /// The folder that control messages come to, as files in the order of their names. The trust root says who may sign them.
    #[arg(long, value_name = "FOLDER", requires = "roots")]
    pub control_dir: Option<PathBuf>,
    /// The file that the journal of all inputs is written to, requests in the clear, for `fallgate replay`. Requests are
    /// decided one after the other then.
    #[arg(long, value_name = "FILE", requires = "key_file")]
    pub journal: Option<PathBuf>,
    /// The file with a secret that keys the identifiers of decisions: 16 bytes, or their 32 hexadecimal digits. Left out: one
    /// that nobody knows.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// How large a file in the folder becomes before the next one is begun, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = at_least_one)]
    pub audit_file_mib: usize,
    /// Connections at once; more wait to be accepted.
    #[arg(long, value_name = "COUNT", default_value_t = 512, value_parser = at_least_one)]
    pub connections_max: usize,
    /// Requests decided at once; more wait.
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = at_least_one)]
    pub decisions_max: usize,
    /// Time for the head of a request, and for an idle connection.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span)]
    pub header_timeout: std::time::Duration,
    /// Time for the body of a request, and then for the answer.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span)]
    pub request_timeout: std::time::Duration,
    /// How long a stopping server waits for what runs.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span)]
    pub stop_timeout: std::time::Duration,
    /// Whom to trust.
    #[command(flatten)]
    pub trusting: Trusting,
}

/// A feed, and what is said of it.
fn feed_and_value(text: &str) -> Result<(String, String), String> {
    let (feed, value) = text.split_once('=').ok_or("write the feed, `=`, and what is said of it")?;
    Ok((feed.to_owned(), value.to_owned()))
}

/// A count that bounds, and does not switch off.
#[cfg(feature = "serve")]
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count @ 1..=100_000) => Ok(count),
        _ => Err("write a number from 1 to 100000".to_owned()),
    }
}

/// A time as formats write it.
#[cfg(feature = "serve")]
fn span(text: &str) -> Result<std::time::Duration, String> {
    let span = fallgate::time::Ttl::parse(text).map_err(|error| error.to_string())?;
    if span.as_millis() == 0 {
        Err("write more than 0".to_owned())
    } else {
        Ok(std::time::Duration::from_nanos(span.as_nanos()))
    }
}

/// Take away what requests, data and signals say, and show each deny that becomes an allow.
#[derive(Args, Debug)]
pub struct Ablate {
    /// A pack's folder, a bundle, or a folder or file of Rego as it runs today.
    pub policy: PathBuf,
    /// For whom the output is.
    #[arg(long, value_enum, default_value_t)]
    pub format: FindingFormat,
    /// Whether two things at a time are taken away too.
    #[arg(long, value_name = "WHETHER", default_value_t = true, action = clap::ArgAction::Set)]
    pub pairs: bool,
    /// Take away the items of lists too; else a list is whole or gone.
    #[arg(long)]
    pub items: bool,
    /// How many removals are tried at the most.
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    pub limit: u64,
    /// Rego only: an input, or a list of inputs, as JSON or YAML; may be repeated; `-` reads the standard input. Left out: the
    /// inputs of the policy's own tests.
    #[arg(long = "input", value_name = "FILE")]
    pub inputs: Vec<PathBuf>,
    /// Rego only: the rule that decides, such as `data.app.authz.allow`, or a `deny` that denies where it is true or has
    /// members; may be repeated. Left out: the one `allow`, with the `deny` beside it, or each `deny`.
    #[arg(long = "query", value_name = "RULE")]
    pub queries: Vec<String>,
    /// Rego only: data, as JSON or YAML; may be repeated. The `data.json` and `data.yaml` of a folder are read as well.
    #[arg(long = "data", value_name = "FILE")]
    pub data: Vec<PathBuf>,
}

fn signal(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, status @ ("ok" | "degraded" | "failed"))) => Ok((name.to_owned(), status.to_owned())),
        _ => Err("write NAME=ok, NAME=degraded or NAME=failed".to_owned()),
    }
}
