//! The journal of inputs at the engine: where each call that changes it is written down, in one order.
//!
//! While the journal is on, one lock is held over each such call from its beginning to its end: only so is the order in
//! which calls are written the order in which they were made. Decisions then wait for one another. While it is off, which
//! is the default, a call looks whether it is on, and does no more.

use std::borrow::Cow;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use serde_json::{Value, json};

use super::{Config, Engine};
use crate::audit::chain::Head;
use crate::concurrent::{ReentrantMutex, ReentrantMutexGuard};
use crate::decision::Decision;
use crate::faults::point;
use crate::journal::input::Input;
use crate::journal::ledger::{Batch, Ledger};
use crate::limits::Limits;
use crate::name;
use crate::operation::{Operation, OperationError, Outcome};
use crate::policy::bundle::{Bundle, Trust};
use crate::policy::trust::root::TrustRoot;
use crate::reason::Reason;
use crate::request::RequestView;
use crate::state::document::{StateKey, fingerprint};
use crate::time::{Now, Ttl};

/// The lock over every input, and what was put in. Reentrant, since a call may be made of others, which are its doing and
/// no inputs of their own.
pub(super) type Inputs = ReentrantMutex<RefCell<Ledger>>;

/// The journal, where there is room for one.
pub(super) fn of(config: &Config) -> Option<Inputs> {
    let Limits { journal_entries_max, journal_bytes_max, .. } = config.limits;
    let on = journal_entries_max > 0 && journal_bytes_max > 0;
    on.then(|| {
        let root = config.trust.root().map(|root| Cow::Borrowed(root.bytes()));
        let configured = Input::Configure(setting(config), root);
        ReentrantMutex::new(RefCell::new(Ledger::new(journal_entries_max, journal_bytes_max, &configured)))
    })
}

/// How an engine is set up, its secrets by what they are known by.
fn setting(config: &Config) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "limits": config.limits,
        "clock_skew_max_ns": config.clock_skew_max.as_nanos().to_string(),
        "key": (config.key != [0; 16]).then(|| fingerprint(&config.key)),
        "state_key": config.state_key.as_ref().map(StateKey::fingerprint),
        "instance": config.instance.as_str(),
        "audit_key": config.audit_key.map(|key| fingerprint(&key)),
        "audit_head": config.audit_head.to_json(),
        "trust": null,
    })
}

/// The secrets that a journal names and does not hold.
#[derive(Clone, Default)]
pub struct Secrets {
    /// As [`Config::key`].
    pub key: Option<[u8; 16]>,
    /// As [`Config::state_key`].
    pub state_key: Option<[u8; 32]>,
    /// As [`Config::audit_key`].
    pub audit_key: Option<[u8; 32]>,
}

/// Without the secrets.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// Why a journal says of no engine how it is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unset {
    /// It is in no form that this version knows.
    Malformed,
    /// It names a key that was not given, or is another one: which, and what it is known by.
    Key(&'static str, String),
}

/// The configuration that a journal begins with.
pub(crate) fn configured(setting: &Value, root: Option<&[u8]>, secrets: &Secrets) -> Result<Config, Unset> {
    let of_form = |config: Option<Config>| config.ok_or(Unset::Malformed);
    let mut config = of_form(without_secrets(setting, root))?;
    let named = |name: &'static str, given: Option<String>| match setting.get(name) {
        Some(Value::Null) => Ok(false),
        Some(Value::String(wanted)) if given.as_ref() == Some(wanted) => Ok(true),
        Some(Value::String(wanted)) => Err(Unset::Key(name, wanted.chars().take(16).collect())),
        _ => Err(Unset::Malformed),
    };
    if named("key", secrets.key.map(|key| fingerprint(&key)))? {
        config.key = secrets.key.unwrap_or_default();
    }
    if named("state_key", secrets.state_key.map(|key| fingerprint(&key)))? {
        config.state_key = secrets.state_key.and_then(StateKey::new);
    }
    if named("audit_key", secrets.audit_key.map(|key| fingerprint(&key)))? {
        config.audit_key = secrets.audit_key;
    }
    Ok(config)
}

fn without_secrets(setting: &Value, root: Option<&[u8]>) -> Option<Config> {
    let limits: Limits = serde_json::from_value(setting.get("limits")?.clone()).ok()?;
    let trust = match root {
        Some(root) => Trust::keys(TrustRoot::from_json(root, &limits).ok()?),
        None => Trust::unsigned_for_development(),
    };
    Some(Config {
        limits,
        clock_skew_max: Ttl::from_nanos(setting.get("clock_skew_max_ns")?.as_str()?.parse().ok()?),
        instance: name::name(setting.get("instance")?.as_str()?)?,
        audit_head: Head::from_json(setting.get("audit_head")?)?,
        trust,
        ..Config::default()
    })
}

/// An input that is under way, until it is dropped. It writes nothing where the journal is off, and where the call is part of
/// another one.
///
/// Where a panic ends the call, it ends the engine's allowing (spec 1.4): what the call was to change may be half changed.
/// It is made before the call takes a lock, so that no lock is held when it is dropped.
pub(super) struct UnderWay<'e> {
    engine: &'e Engine,
    ledger: Option<ReentrantMutexGuard<'e, RefCell<Ledger>>>,
    /// When the call came, where it brings a time.
    now: Option<Now>,
    /// Whether another panic was under way before: a host may call while it cleans up.
    unwinding: bool,
}

impl UnderWay<'_> {
    /// What was decided.
    pub(super) fn decided(&self, decision: &Decision) {
        self.came_to("outcome", || decision.to_json());
    }

    /// What was done, or the code that says because of what nothing was.
    pub(super) fn done<T>(&self, done: Result<T, &str>, outcome: impl FnOnce(&T) -> Value) {
        match done {
            Ok(value) => self.came_to("outcome", || outcome(&value)),
            Err(code) => self.came_to("because", || code.into()),
        }
    }

    /// Likewise, of an operation.
    pub(super) fn operated(&self, done: &Result<Outcome, OperationError>) {
        match done {
            Ok(outcome) => self.came_to("outcome", || outcome.to_json()),
            Err(error) => self.came_to("because", || error.code().into()),
        }
    }

    fn came_to(&self, name: &str, outcome: impl FnOnce() -> Value) {
        if let Some(ledger) = &self.ledger {
            ledger.borrow_mut().came_to(name, outcome);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.unwinding {
            self.engine.fail(self.now);
        }
        let Some(ledger) = &self.ledger else { return };
        let end = || {
            self.engine.events().input = None;
            ledger.borrow_mut().end();
        };
        // A second panic while the first one unwinds would end the process.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(end)) {
            self.engine.fail(self.now);
            if !std::thread::panicking() {
                resume_unwind(panic);
            }
        }
    }
}

impl Engine {
    /// Begins an input, where the journal is on and no other one is under way.
    pub(super) fn input<'i>(&self, now: Now, input: impl FnOnce() -> Input<'i>) -> UnderWay<'_> {
        self.input_at(Some(now), input)
    }

    /// Likewise, of a call that brings no time.
    pub(super) fn input_at<'i>(&self, now: Option<Now>, input: impl FnOnce() -> Input<'i>) -> UnderWay<'_> {
        let mut under_way = UnderWay { engine: self, ledger: None, now, unwinding: std::thread::panicking() };
        point("input: begin");
        let Some(inputs) = &self.inputs else { return under_way };
        let ledger = inputs.lock();
        if ledger.borrow().is_under_way() {
            return under_way;
        }
        let ledger = under_way.ledger.insert(ledger);
        let number = ledger.borrow_mut().begin(now, &input());
        point("input: begun");
        self.events().input = number;
        under_way
    }

    /// Begins an operation that the host calls by its own name.
    pub(super) fn operating(&self, now: Now, operation: impl FnOnce() -> Operation) -> UnderWay<'_> {
        self.input(now, || Input::operate(Cow::Owned(operation())))
    }

    /// Keeps other inputs away, where the journal is on.
    pub(super) fn in_order(&self) -> Option<ReentrantMutexGuard<'_, RefCell<Ledger>>> {
        self.inputs.as_ref().map(ReentrantMutex::lock)
    }

    /// At most `max` entries of the journal of inputs for the host to write, oldest first: lines of JSON, linked by hash.
    ///
    /// They stay until [`Engine::acknowledge_journal`] confirms them; until then the same bytes come again. The journal
    /// holds requests in the clear: keep it as what is in them is kept.
    pub fn drain_journal(&self, max: usize) -> Batch {
        self.inputs.as_ref().map(|inputs| inputs.lock().borrow_mut().drain(max)).unwrap_or_default()
    }

    /// Confirms that every entry of the journal up to `number` is written: what it took is free again.
    pub fn acknowledge_journal(&self, number: u64) {
        if let Some(inputs) = &self.inputs {
            inputs.lock().borrow_mut().acknowledge(number);
        }
    }

    /// How many entries the journal has had, how many inputs found no room in it, and how many entries the host has not
    /// confirmed; nothing where the journal is off.
    #[must_use]
    pub fn journal_counts(&self) -> Option<(u64, u64, u64)> {
        self.inputs.as_ref().map(|inputs| inputs.lock().borrow().counts())
    }

    /// Makes a call again that a journal has. What a batch of audit records had in it comes back, to be held against what
    /// the host has written.
    pub(crate) fn replay(&self, input: &Input<'_>, now: Now) -> Result<Vec<String>, Unmade> {
        match input {
            Input::Configure(..) => return Err(Unmade),
            Input::Activate(bytes, provenance, proven) => {
                let bundle = Bundle::replayed(bytes, provenance.clone(), &self.config.limits).map_err(|_| Unmade)?;
                let _ = if *proven { self.activate(bundle, now) } else { self.activate_unproven(bundle, now) };
            }
            Input::Stage(bytes, provenance) => {
                let bundle = Bundle::replayed(bytes, provenance.clone(), &self.config.limits).map_err(|_| Unmade)?;
                let _ = self.stage(bundle, now);
            }
            Input::StageSigned(bytes) => drop(self.stage_signed(bytes, now)),
            Input::ActivateSigned(bytes) => drop(self.activate_signed(bytes, now)),
            Input::RotateTrust(bytes) => drop(self.rotate_trust(bytes, now)),
            Input::Observe(observation) => {
                self.observe(observation, now);
            }
            Input::Advance => self.advance(now),
            Input::AnchorClocks => self.anchor_clocks(now),
            Input::Look => self.look(now),
            Input::Operate(operation, exact) => {
                let drained = match (&**operation, exact) {
                    (Operation::DrainAudit(_), Some(max)) => {
                        self.drain_audit(usize::try_from(*max).unwrap_or(usize::MAX), now).lines
                    }
                    (operation, _) => match self.operate(operation, now) {
                        Ok(Outcome::Drained(batch)) => batch.lines,
                        _ => Vec::new(),
                    },
                };
                return Ok(drained);
            }
            Input::Decide(request) => {
                let request = crate::journal::input::request_of(request).ok_or(Unmade)?;
                let _ = self.decide(&request, now);
            }
            Input::Refuse(limit, detail) => {
                let reason = if *limit { Reason::LimitExceeded } else { Reason::InvalidRequest };
                let _ = self.contained(None, now, |decision| self.refuse_because(reason, detail, now, decision));
            }
        }
        Ok(Vec::new())
    }

    /// Looks, as what explains and searches does: time goes on where something is due.
    pub(super) fn look(&self, now: Now) {
        let _input = self.input(now, || Input::Look);
        drop(self.current(now));
    }

    /// The answer to a request, as an input.
    pub(super) fn asked(&self, request: &RequestView<'_>, now: Now) -> UnderWay<'_> {
        self.input(now, || Input::decide(request))
    }
}

/// An input that cannot be made again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unmade;
