//! What all requests of a server share: the engine, and what is told to it.

use std::sync::{Arc, Mutex, PoisonError};

use fallgate::authzen::{self, Answer, Endpoint};
use fallgate::condition::Status;
use fallgate::drill::parse_status;
use fallgate::error::quoted;
use fallgate::policy::bundle::Bundle;
use fallgate::request::parse_strict;
use fallgate::state::signals::Observed;
use fallgate::value::Value;
use fallgate::{Config, Engine, Observation};
use serde_json::{Map, Value as Json};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::log::Log;
use super::metrics::Metrics;
use super::settings::{AuditSettings, Settings};
use super::{CannotStart, Reload};
use crate::audit_log::sink::Sink;
use crate::finding::Finding;
use crate::journal_file::JournalFile;

pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) engine: Engine,
    pub(super) metrics: Metrics,
    pub(super) log: Log,
    /// Where audit records are written.
    audit: Option<Mutex<Sink>>,
    /// Where the journal of inputs is written.
    journal: Option<Mutex<JournalFile>>,
    reload: Reload,
    /// A place for each request that may be decided at once.
    places: Arc<Semaphore>,
    /// Room for the bodies of all requests, in KiB.
    room: Semaphore,
}

/// Room for the bodies of all requests that are being read or decided, in KiB: else as many callers as may connect could
/// each have the server hold a batch for them.
const ROOM_KIB: u32 = 128 << 10;

/// Room for inputs that are not written yet.
const JOURNAL_ENTRIES_MAX: usize = 100_000;
const JOURNAL_BYTES_MAX: usize = 256 << 20;

/// How many audit records, or inputs, are written at once.
const RECORDS_AT_ONCE: usize = 1_000;

/// What a report of signals came to.
pub(super) struct Told {
    /// Whether every observation is of a signal that the pack has.
    pub(super) known: bool,
    /// What became of each.
    pub(super) outcomes: Json,
}

impl State {
    pub(super) fn new(settings: Settings, bundle: Bundle, reload: Reload, log: Log) -> Result<Self, CannotStart> {
        let mut config = Config::default();
        config.trust = settings.trust.clone();
        match settings.key {
            Some(key) => config.key = key,
            None => getrandom::fill(&mut config.key)
                .map_err(|error| CannotStart(format!("the system has no randomness: {error}")))?,
        }
        let cannot_start = |finding: Finding| {
            let help = finding.help.map(|help| format!("; {help}")).unwrap_or_default();
            CannotStart(format!("{}{help}", finding.message))
        };
        let journal = match &settings.journal {
            Some(path) => {
                config.limits.journal_entries_max = JOURNAL_ENTRIES_MAX;
                config.limits.journal_bytes_max = JOURNAL_BYTES_MAX;
                Some(Mutex::new(JournalFile::open(path).map_err(cannot_start)?))
            }
            None => None,
        };
        let audit = match &settings.audit {
            Some(AuditSettings { place, key, file_bytes_max }) => {
                let sink = Sink::open(place, *file_bytes_max).map_err(cannot_start)?;
                config.audit_head = sink.head();
                config.audit_key = *key;
                Some(Mutex::new(sink))
            }
            None => None,
        };
        let engine = Engine::new(config);
        let now = fallgate_clocks::now();
        engine.activate(bundle, now).map_err(|error| CannotStart(format!("the pack cannot decide: {error}")))?;
        for (signal, status) in &settings.observed {
            engine.observe(&Observation::new(signal, *status), now);
        }
        let places = Arc::new(Semaphore::new(settings.decisions_max));
        Ok(Self {
            settings,
            engine,
            metrics: Metrics::new(),
            audit,
            journal,
            log,
            reload,
            places,
            room: Semaphore::new(ROOM_KIB as usize),
        })
    }

    /// Waits for room for a body of at most so many bytes. The room is free again when what is given here is dropped.
    pub(super) async fn room(&self, bytes_max: usize) -> Option<SemaphorePermit<'_>> {
        let kib = u32::try_from(bytes_max.div_ceil(1 << 10)).unwrap_or(ROOM_KIB);
        self.room.acquire_many(kib.min(ROOM_KIB)).await.ok()
    }

    /// Answers a request, where a place is free; nothing where the engine itself failed.
    ///
    /// The work is done on a thread of its own. A caller that goes away does not end it, so the place stays taken until it
    /// is done: who asks again and again gets no more of the machine.
    pub(super) async fn answer(self: &Arc<Self>, endpoint: Endpoint, body: Vec<u8>) -> Option<Answer> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let state = Arc::clone(self);
        let answered = tokio::task::spawn_blocking(move || {
            let started = tokio::time::Instant::now();
            let now = fallgate_clocks::now();
            let write = || state.write_records().then(fallgate_clocks::now);
            let answer = match state.audit.is_some() {
                true => authzen::answer_when_written(&state.engine, endpoint, &body, now, write),
                false => authzen::answer(&state.engine, endpoint, &body, now),
            };
            // A batch and a search are many decisions, of which none took as long.
            if let (Endpoint::Evaluation, [reason]) = (endpoint, &*answer.reasons) {
                let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
                state.engine.record_latency(reason.effect(), nanos);
            }
            drop(place);
            answer
        });
        answered.await.ok()
    }

    /// Takes a report of signals: `{"idp": "ok"}`. Nothing of it is taken where a part cannot be read.
    pub(super) fn observe(&self, body: &[u8]) -> Result<Told, String> {
        let expected = "send an object of signals, each `ok`, `degraded`, `failed` or `unknown`";
        let report = parse_strict(body, &self.engine.config().limits).map_err(|error| error.to_string())?;
        let Value::Map(report) = report else { return Err(expected.to_owned()) };
        let mut observations = Vec::with_capacity(report.len());
        for (signal, status) in report.iter() {
            let Value::String(status) = status else { return Err(format!("{}: {expected}", quoted(signal))) };
            let status = parse_status(status).ok_or_else(|| format!("{}: {expected}", quoted(signal)))?;
            observations.push(Observation::new(signal, status));
        }
        let now = fallgate_clocks::now();
        let (mut known, mut outcomes) = (true, Map::new());
        for observation in &observations {
            let outcome = self.engine.observe(observation, now);
            known &= !matches!(outcome, Observed::UnknownSignal | Observed::NotObservable);
            outcomes.insert(observation.signal.to_string(), outcome.code().into());
        }
        Ok(Told { known, outcomes: outcomes.into() })
    }

    /// Whether the engine can allow anything: a bundle is active, and no panic was met since.
    pub(super) fn is_healthy(&self) -> bool {
        self.engine.signal("engine") == Some(Status::Ok)
    }

    /// Lets time do what is due, and logs what happened.
    pub(super) fn tick(&self) {
        let now = fallgate_clocks::now();
        if self.engine.next_deadline().is_some_and(|due| due <= now.monotonic) {
            self.engine.advance(now);
        }
        while let Some(event) = self.engine.poll_event() {
            self.log.line(format!("event={} {}", event.kind.code(), event.to_json()));
        }
    }

    /// Whether audit records, or inputs, are written.
    pub(super) const fn is_written(&self) -> bool {
        self.audit.is_some() || self.journal.is_some()
    }

    /// Writes the entries of the journal that wait. What the disk refuses waits on; what finds no room then is a gap.
    ///
    /// Whether all of them are on disk.
    pub(super) fn write_inputs(&self) -> bool {
        let Some(journal) = &self.journal else { return true };
        let mut file = journal.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let batch = self.engine.drain_journal(RECORDS_AT_ONCE);
            if batch.lines.is_empty() {
                return true;
            }
            if let Err(error) = file.append(&batch.lines) {
                self.log.line(format!("journal=failed {error}"));
                return false;
            }
            self.engine.acknowledge_journal(batch.last_n);
        }
    }

    /// Writes the audit records that wait. The engine is told only of those that are on disk; where the disk refuses, they
    /// wait on, and what finds no room is denied or counted as the pack says.
    ///
    /// Whether all of them are on disk.
    pub(super) fn write_records(&self) -> bool {
        let Some(audit) = &self.audit else { return true };
        let mut sink = audit.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let batch = self.engine.drain_audit(RECORDS_AT_ONCE, fallgate_clocks::now());
            if batch.lines.is_empty() {
                return true;
            }
            if let Err(error) = sink.append(&batch.lines) {
                self.log.line(format!("audit=failed {error}"));
                return false;
            }
            self.engine.acknowledge_audit(batch.last_seq, fallgate_clocks::now());
        }
    }

    /// Reads the pack again. Where that fails, the bundle that is active stays.
    pub(super) async fn read_again(self: Arc<Self>) {
        let reload = Arc::clone(&self.reload);
        let read = tokio::task::spawn_blocking({
            let state = Arc::clone(&self);
            move || reload(&state.engine)
        })
        .await;
        let activated = read.map_err(|_| "it failed".to_owned()).and_then(|read| read).and_then(|bundle| {
            let told = format!("{} revision {}", bundle.name(), bundle.revision());
            self.engine.activate(bundle, fallgate_clocks::now()).map(|()| told).map_err(|error| error.to_string())
        });
        match activated {
            Ok(told) => {
                self.metrics.reload("activated");
                self.log.line(format!("reload=activated {told}"));
            }
            Err(error) => {
                self.metrics.reload("refused");
                self.log.line(format!("reload=refused the active bundle stays: {error}"));
            }
        }
    }
}
