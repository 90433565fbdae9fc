//! Replays: what was decided, decided again.
//!
//! A journal of inputs is played on fresh engines, input by input, and what comes out is held against what came out then:
//! equal to the byte, or the first member that differs is named. With another bundle in the place of the one of its name a
//! replay says what that bundle would have decided. An audit chain, which holds less, is decided again as far as its records
//! say enough.

mod difference;
pub mod records;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

pub use crate::engine::Secrets;
pub use difference::{Difference, Kind, first_difference};

use crate::drill::timeline::STATE_KEY;
use crate::engine::{Engine, Unset, configured};
use crate::journal::Documents;
use crate::journal::input::Input;
use crate::journal::line::{Fault, GAP, Line, Reader};
use crate::operation::Operation;
use crate::policy::bundle::{Bundle, Trust};
use crate::policy::trust::Provenance;
use crate::policy::trust::envelope::Envelope;
use crate::state::document::fingerprint;
use crate::time::Now;
use difference::difference;

/// A replay under way.
#[derive(Debug)]
pub struct Replay {
    secrets: Secrets,
    /// What decides in the place of the bundle of its name.
    candidate: Option<Bundle>,
    reader: Reader,
    documents: Documents,
    engine: Option<Engine>,
    tally: Tally,
}

/// What a replay has come to so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Engines that were made: one for each journal in the file.
    pub engines: u64,
    /// Inputs that were played.
    pub inputs: u64,
    /// Decisions among them.
    pub decisions: u64,
    /// Inputs of which the journal does not say what came of them: calls that a host in Rust makes by their own names.
    pub unsaid: u64,
    /// How often the candidate took the place of a bundle.
    pub replaced: u64,
    /// Differences, by kind.
    pub differences: [u64; Kind::ALL.len()],
    /// Another version of the engine than this one, which wrote the journal.
    pub other_version: Option<String>,
}

/// One input that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// The number of its entry.
    pub number: u64,
    /// When it was.
    pub at: Now,
    /// Where the worlds part, if they do.
    pub difference: Option<Difference>,
    /// Audit records that were handed out, lines as the host must have got them.
    pub records: Vec<String>,
}

/// Why a replay ends before the journal does. What is fed afterwards means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {number}: {fault}")]
pub struct ReplayError {
    /// The number of the entry at which it ends.
    pub number: u64,
    /// Why.
    pub fault: ReplayFault,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayFault {
    /// It is not as it was written.
    #[error(transparent)]
    Line(#[from] Fault),
    /// There is no entry at all.
    #[error("there is no entry at all; give the journal that an engine wrote")]
    Empty,
    /// The journal does not begin with how the engine is set up.
    #[error("the journal does not begin here; give it from its first entry on")]
    Headless,
    /// How the engine is set up is in no form that this version knows.
    #[error("it does not say how the engine is set up; give the journal as an engine wrote it")]
    Setting,
    /// The journal names a key that was not given.
    #[error("the engine had a `{name}`, known by {known_by}; give that one")]
    Key {
        /// Which: as in the configuration of an engine.
        name: &'static str,
        /// The first bytes of its SHA-256.
        known_by: String,
    },
    /// Inputs are missing.
    #[error(
        "{inputs} inputs found no room in the journal, from {since} to {until}; nothing after them can be decided again"
    )]
    Gap {
        /// How many.
        inputs: u64,
        /// When the first of them was.
        since: String,
        /// When the last of them was.
        until: String,
    },
    /// It is no input that this version can make again.
    #[error("it is no input that can be made again: {0}")]
    Input(String),
}

impl ReplayFault {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Line(fault) => fault.code(),
            Self::Empty => "journal_empty",
            Self::Headless => "journal_headless",
            Self::Setting => "journal_setting",
            Self::Key { .. } => "journal_key",
            Self::Gap { .. } => "journal_gap",
            Self::Input(_) => "journal_input",
        }
    }
}

impl Replay {
    /// A replay with the secrets that the journal names.
    #[must_use]
    pub fn new(secrets: Secrets) -> Self {
        Self {
            secrets,
            candidate: None,
            reader: Reader::default(),
            documents: Documents::default(),
            engine: None,
            tally: Tally::default(),
        }
    }

    /// The same, with this bundle in the place of each of its name. Who may have signed what does not count then.
    #[must_use]
    pub fn with_candidate(mut self, candidate: Bundle) -> Self {
        self.candidate = Some(candidate);
        self
    }

    /// Plays the next line, without the end of the line.
    ///
    /// # Errors
    /// [`ReplayError`], where the replay ends.
    pub fn push(&mut self, line: &[u8]) -> Result<Played, ReplayError> {
        let number = self.reader.number().saturating_add(1);
        let line = self.reader.push(line).map_err(|fault| {
            let headless = self.engine.is_none() && matches!(fault, Fault::Sequence { .. });
            let fault = if headless { ReplayFault::Headless } else { fault.into() };
            ReplayError { number, fault }
        })?;
        let number = line.number;
        self.play(line).map_err(|fault| ReplayError { number, fault })
    }

    /// Ends the replay.
    ///
    /// # Errors
    /// [`ReplayFault::Empty`], where there was no entry.
    pub fn finish(self) -> Result<Tally, ReplayError> {
        if self.tally.engines == 0 {
            return Err(ReplayError { number: 1, fault: ReplayFault::Empty });
        }
        Ok(self.tally)
    }

    /// What it has come to so far.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    fn play(&mut self, line: Line) -> Result<Played, ReplayFault> {
        if line.verb == GAP {
            return Err(gap(&line.argument));
        }
        if line.number == 1 {
            self.documents = Documents::default();
            self.engine = None;
        }
        let unmade = || ReplayFault::Input(crate::error::quoted(&line.verb));
        let input = Input::read(&line, &mut self.documents).ok_or_else(unmade)?;
        let played = |difference, records| Played { number: line.number, at: line.at, difference, records };
        if let Input::Configure(setting, root) = &input {
            if line.number != 1 {
                return Err(ReplayFault::Setting);
            }
            self.begin(setting, root.as_deref())?;
            return Ok(played(None, Vec::new()));
        }
        let Some(engine) = &self.engine else { return Err(ReplayFault::Headless) };
        self.tally.inputs = self.tally.inputs.saturating_add(1);
        let decides = matches!(input, Input::Decide(_) | Input::Refuse(..));
        self.tally.decisions = self.tally.decisions.saturating_add(u64::from(decides));
        let (input, replaced) = match &self.candidate {
            Some(candidate) => in_place_of(&input, candidate),
            None => (Some(Cow::Borrowed(&input)), false),
        };
        self.tally.replaced = self.tally.replaced.saturating_add(u64::from(replaced));
        let Some(input) = input else { return Ok(played(None, Vec::new())) };
        let records = engine.replay(&input, line.at).map_err(|_| unmade())?;
        let outcome = outcome(engine).unwrap_or_default();
        if line.outcome.is_empty() && matches!(*input, Input::Operate(..)) {
            let asks = matches!(&*input, Input::Operate(operation, _) if matches!(**operation, Operation::Slis(_)));
            self.tally.unsaid = self.tally.unsaid.saturating_add(u64::from(!asks));
            return Ok(played(None, records));
        }
        // That another bundle becomes the active one is what was asked for; that it does not is a difference.
        let as_asked = replaced && outcome.get("because") == line.outcome.get("because");
        let found = if as_asked { None } else { difference(&line, outcome, self.candidate.is_some()) };
        if let Some(difference) = &found
            && let Some(count) = self.tally.differences.get_mut(difference.kind as usize)
        {
            *count = count.saturating_add(1);
        }
        Ok(played(found, records))
    }

    fn begin(&mut self, setting: &Value, root: Option<&[u8]>) -> Result<(), ReplayFault> {
        let mut secrets = self.secrets.clone();
        // The key of drills is no secret.
        let of_drills = Some(fingerprint(&STATE_KEY));
        if secrets.state_key.is_none() && setting.get("state_key").and_then(Value::as_str) == of_drills.as_deref() {
            secrets.state_key = Some(STATE_KEY);
        }
        let mut config = configured(setting, root, &secrets).map_err(|unset| match unset {
            Unset::Malformed => ReplayFault::Setting,
            Unset::Key(name, known_by) => ReplayFault::Key { name, known_by },
        })?;
        if self.candidate.is_some() {
            config.trust = Trust::unsigned_for_development();
        }
        let engine = Engine::new(config);
        // Without a journal of its own nobody could see what comes of an input.
        if engine.journal_counts().is_none() {
            return Err(ReplayFault::Setting);
        }
        let _ = outcome(&engine);
        let version = setting.get("version").and_then(Value::as_str).unwrap_or_default();
        if version != env!("CARGO_PKG_VERSION") {
            self.tally.other_version = Some(crate::error::quoted(version));
        }
        self.tally.engines = self.tally.engines.saturating_add(1);
        self.engine = Some(engine);
        Ok(())
    }
}

impl Tally {
    /// How many differences there are, of every kind.
    #[must_use]
    pub fn different(&self) -> u64 {
        self.differences.iter().copied().fold(0, u64::saturating_add)
    }

    /// How many differences of a kind there are.
    #[must_use]
    pub fn of(&self, kind: Kind) -> u64 {
        self.differences.get(kind as usize).copied().unwrap_or_default()
    }

    /// The numbers as JSON: `engines`, `inputs`, `decisions`, `unsaid`, `replaced`, and `differences` by kind.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let by_kind = Kind::ALL.into_iter().map(|kind| (kind.code().to_owned(), self.of(kind).into()));
        json!({
            "engines": self.engines,
            "inputs": self.inputs,
            "decisions": self.decisions,
            "unsaid": self.unsaid,
            "replaced": self.replaced,
            "differences": Value::Object(by_kind.collect()),
        })
    }
}

/// What the engine has written of its last input, and forgets.
fn outcome(engine: &Engine) -> Option<Map<String, Value>> {
    let batch = engine.drain_journal(usize::MAX);
    engine.acknowledge_journal(batch.last_n);
    let entry: Value = serde_json::from_str(batch.lines.last()?).ok()?;
    let Value::Object(mut members) = entry else { return None };
    members.retain(|name, _| name == "outcome" || name == "because");
    Some(members)
}

/// The input with the candidate in the place of the bundle of its name, and whether it was. Nothing where the input has no
/// place beside a candidate: whose bundles were trusted.
fn in_place_of<'i>(input: &'i Input<'static>, candidate: &'i Bundle) -> (Option<Cow<'i, Input<'i>>>, bool) {
    let payload = match input {
        Input::Activate(bytes, ..) => Cow::Borrowed(&**bytes),
        Input::ActivateSigned(bytes) => {
            let limits = crate::limits::Limits::DEFAULT;
            match Envelope::from_json(bytes, &limits) {
                Ok(envelope) => Cow::Owned(envelope.payload().to_vec()),
                Err(_) => Cow::Borrowed(&**bytes),
            }
        }
        Input::RotateTrust(_) => return (None, false),
        // Whatever is staged is the candidate's successor, or the candidate itself, which decides for everybody here.
        Input::Stage(..) | Input::StageSigned(_) => return (None, false),
        Input::Operate(operation, _) if matches!(**operation, Operation::Promote(_) | Operation::RollBack(_)) => {
            return (None, false);
        }
        _ => return (Some(Cow::Borrowed(input)), false),
    };
    let name = serde_json::from_slice::<Value>(&payload).ok();
    let same = name.as_ref().and_then(|bundle| bundle.get("name")?.as_str()) == Some(candidate.name());
    let bytes = if same { Cow::Borrowed(candidate.bytes()) } else { payload };
    (Some(Cow::Owned(Input::Activate(bytes, Provenance::Unsigned, true))), same)
}

fn gap(gap: &Value) -> ReplayFault {
    let time = |name: &str| {
        let nanos = gap.get(name).and_then(|at| at.get("wall_ns")?.as_str()?.parse().ok());
        crate::time::Wall::from_nanos(nanos.unwrap_or_default()).to_string()
    };
    let inputs = gap.get("inputs").and_then(Value::as_u64).unwrap_or_default();
    ReplayFault::Gap { inputs, since: time("since"), until: time("until") }
}
