//! An engine in a handle, and the calls that tell it things.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;

use bumpalo::Bump;
use fallgate::drill::parse_status;
use fallgate::engine::Readers;
use fallgate::error::quoted;
use fallgate::limits::Limits;
use fallgate::time::Now;
use fallgate::{Config, Engine, Observation};
use napi::bindgen_prelude::{BigInt, External};
use napi_derive::napi;
use serde_json::json;

use crate::answer::Labels;
use crate::configuration::configuration;
use crate::failure::{Result, failure, misuse, not_activated, not_taken, refused};
use crate::instant::{monotonic_of, now};
use crate::packed::Names;
use crate::source::{self, Loaded, Said};

/// What a JavaScript engine holds. Only its own thread touches it; the engine inside may be at work on others too.
pub struct Handle {
    engine: RefCell<Arc<Engine>>,
    limits: Limits,
    /// Whom the host said to trust.
    said: Said,
    closed: Cell<bool>,
    pub(crate) labels: RefCell<Labels>,
    pub(crate) names: RefCell<Names>,
    /// Who read requests when it was last asked what they want.
    pub(crate) readers: Cell<Readers>,
    /// What packed requests are unpacked into, kept from one to the next.
    pub(crate) arena: RefCell<Bump>,
}

impl Handle {
    /// The engine. After `close` it is one without a bundle, which denies everything.
    pub(crate) fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine.borrow())
    }

    /// Asks the engine without counting one more owner.
    pub(crate) fn with<T>(&self, ask: impl FnOnce(&Engine) -> T) -> T {
        ask(&self.engine.borrow())
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn open(&self) -> Result<()> {
        match self.closed.get() {
            true => Err(failure("closed", "the engine is closed; open another", &[])),
            false => Ok(()),
        }
    }
}

/// An engine without a bundle.
#[napi(catch_unwind)]
pub fn create(options: String, root: Option<&[u8]>) -> Result<External<Handle>> {
    let (config, said) = configuration(&options, root)?;
    let limits = config.limits.clone();
    Ok(External::new(Handle {
        engine: RefCell::new(Arc::new(Engine::new(config))),
        limits,
        said,
        closed: Cell::new(false),
        labels: RefCell::default(),
        names: RefCell::default(),
        readers: Cell::default(),
        arena: RefCell::default(),
    }))
}

/// Makes the bundle of a pack's folder, or of a bundle's file, the active one.
#[napi(catch_unwind)]
pub fn activate_path(
    handle: &External<Handle>,
    path: String,
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<()> {
    handle.open()?;
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    let loaded = source::from_path(&path, handle.limits(), handle.said, now)?;
    activate(handle, loaded, now)
}

/// Makes the bundle of these canonical bytes the active one.
#[napi(catch_unwind)]
pub fn activate_bytes(
    handle: &External<Handle>,
    bytes: &[u8],
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<()> {
    handle.open()?;
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    let loaded = source::from_bytes(bytes, handle.limits(), handle.said, now)?;
    activate(handle, loaded, now)
}

/// Makes the bundle of a pack's document the active one.
#[napi(catch_unwind)]
pub fn activate_document(
    handle: &External<Handle>,
    document: String,
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<()> {
    handle.open()?;
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    let loaded = source::from_document(&document, handle.limits(), handle.said)?;
    activate(handle, loaded, now)
}

/// Makes a signed bundle the active one: a file, or its bytes, that enough keys of the trust root have signed.
#[napi(catch_unwind)]
pub fn activate_signed(
    handle: &External<Handle>,
    path: Option<String>,
    bytes: Option<&[u8]>,
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<()> {
    handle.open()?;
    if handle.said != Said::Root {
        return Err(failure(
            "untrusted",
            "the engine holds no trust root; open it with `trust`, or call `activate`",
            &[],
        ));
    }
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    let envelope = envelope(handle, path, bytes)?;
    activate(handle, Loaded::ToVerify(envelope), now)
}

/// Takes a new trust root, in a file or as its bytes, and gives its version.
#[napi(catch_unwind)]
pub fn rotate_trust(
    handle: &External<Handle>,
    path: Option<String>,
    bytes: Option<&[u8]>,
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<BigInt> {
    handle.open()?;
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    let envelope = envelope(handle, path, bytes)?;
    let rotated = handle.with(|engine| engine.rotate_trust(&envelope, now));
    rotated.map(BigInt::from).map_err(|error| refused(&error))
}

/// The version of the trust root that is held; nothing where the engine was made without one.
#[napi(catch_unwind)]
pub fn trust_version(handle: &External<Handle>) -> Option<BigInt> {
    handle.with(|engine| engine.trust().root().map(|root| BigInt::from(root.version())))
}

fn envelope(handle: &Handle, path: Option<String>, bytes: Option<&[u8]>) -> Result<Vec<u8>> {
    match path {
        Some(path) => source::file(Path::new(&path), handle.limits().bundle_bytes_max.saturating_mul(2)),
        None => Ok(bytes.unwrap_or_default().to_vec()),
    }
}

fn activate(handle: &Handle, loaded: Loaded, now: Now) -> Result<()> {
    match loaded {
        Loaded::Bundle(bundle) => handle.with(|engine| engine.activate(*bundle, now)).map_err(not_activated)?,
        Loaded::ToVerify(bytes) => handle.with(|engine| engine.activate_signed(&bytes, now)).map_err(not_taken)?,
    }
    handle.labels.borrow_mut().clear();
    handle.names.borrow_mut().clear();
    Ok(())
}

/// Takes a report about a signal, and says what became of it.
#[napi(catch_unwind)]
pub fn observe(
    handle: &External<Handle>,
    signal: String,
    status: String,
    observed_at_ns: Option<BigInt>,
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<&'static str> {
    handle.open()?;
    let Some(status) = parse_status(&status) else {
        let message = format!("{} is no status; write ok, degraded, failed or unknown", quoted(&status));
        return Err(misuse(&message));
    };
    let mut observation = Observation::new(&signal, status);
    if let Some(reading) = &observed_at_ns {
        observation = observation.at(monotonic_of(reading)?);
    }
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    Ok(handle.with(|engine| engine.observe(&observation, now)).code())
}

/// Lets time alone do what is due.
#[napi(catch_unwind)]
pub fn advance(handle: &External<Handle>, monotonic_ns: Option<BigInt>, wall_ns: Option<BigInt>) -> Result<()> {
    handle.open()?;
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    handle.with(|engine| engine.advance(now));
    Ok(())
}

/// Takes the two clocks as they stand now for right.
#[napi(catch_unwind)]
pub fn anchor_clocks(handle: &External<Handle>, monotonic_ns: Option<BigInt>, wall_ns: Option<BigInt>) -> Result<()> {
    handle.open()?;
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    handle.with(|engine| engine.anchor_clocks(now));
    Ok(())
}

/// When `advance` is due, at the latest.
#[napi(catch_unwind)]
pub fn next_deadline(handle: &External<Handle>) -> Option<BigInt> {
    handle.with(Engine::next_deadline).map(|due| BigInt::from(due.as_nanos()))
}

/// The status of a signal, as of the last call that told the engine the time.
#[napi(catch_unwind)]
pub fn signal(handle: &External<Handle>, name: String) -> Option<&'static str> {
    handle.with(|engine| engine.signal(&name)).map(|status| status.name())
}

/// What was counted so far, as JSON.
#[napi(catch_unwind)]
pub fn counters(handle: &External<Handle>) -> String {
    let counters = handle.with(Engine::counters);
    json!({
        "clockWentBack": counters.clock_went_back,
        "eventsDropped": counters.events_dropped,
        "cachedDecisions": counters.cached_decisions,
    })
    .to_string()
}

/// The active bundle's name, revision and identifier, as JSON.
#[napi(catch_unwind)]
pub fn bundle(handle: &External<Handle>) -> Option<String> {
    let bundle = handle.with(Engine::bundle)?;
    Some(json!({ "name": bundle.name(), "revision": bundle.revision(), "id": bundle.id().to_string() }).to_string())
}

/// The active bundle's canonical bytes: how another thread, or another machine, gets the same policy.
#[napi(catch_unwind)]
pub fn bundle_bytes(handle: &External<Handle>) -> Option<napi::bindgen_prelude::Buffer> {
    handle.with(Engine::bundle).map(|bundle| bundle.bytes().into())
}

/// Lets go of the bundle and of all that was observed. What is asked from now on is denied.
#[napi(catch_unwind)]
pub fn close(handle: &External<Handle>) {
    handle.closed.set(true);
    handle.engine.replace(Arc::new(Engine::new(Config::default())));
    handle.labels.borrow_mut().clear();
    handle.names.borrow_mut().clear();
}
