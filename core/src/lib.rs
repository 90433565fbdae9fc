//! Fallgate: a policy decision point that a program links, and that fails closed.
//!
//! > **Knowing less never grants more.** Whatever is lost, stale, wrong, full, forged or crashed, a request that was
//! > denied before stays denied after.
//!
//! A host loads a [`policy::bundle::Bundle`], tells the [`Engine`] what it sees of its dependencies, and asks. There is
//! no error to handle: whatever goes wrong is a deny with its reason.
//!
//! ```
//! use fallgate::limits::Limits;
//! use fallgate::policy::bundle::{Bundle, Trust};
//! use fallgate::request::Party;
//! use fallgate::time::{Monotonic, Now, Ttl, Wall};
//! use fallgate::{Config, Engine, Observation, Reason, Request};
//!
//! let document = serde_json::json!({
//!     "fallgate": 1, "name": "shop", "revision": 1,
//!     "signals": { "idp": { "ttl": "10s" } },
//!     "actions": { "order:read": { "requires": ["idp"] } },
//!     "rules": [{ "id": "owners-read", "effect": "allow", "when": "subject.id == resource.id" }],
//! });
//! let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT)?;
//!
//! // The host reads the clocks; here it is a test that owns them.
//! let now = Now::new(Monotonic::ZERO, Wall::from_millis(1_767_225_600_000));
//! let engine = Engine::new(Config::default());
//! engine.activate(bundle, now)?;
//!
//! let request = Request::new(Party::new("user", "ann"), "order:read", Party::new("order", "ann"));
//! assert_eq!(engine.decide(&request, now).reason(), Reason::SignalUnavailable);
//!
//! engine.observe(&Observation::ok("idp"), now);
//! assert!(engine.decide(&request, now).is_allow());
//!
//! // Silence tightens: the observation holds for its ten seconds and no longer.
//! assert!(!engine.decide(&request, now.after(Ttl::from_secs(11))).is_allow());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Reading order
//!
//! The words first ([`value`], [`request`], [`time`], [`limits`], [`reason`], [`error`]); then [`condition`], a
//! condition and its three truth values; [`policy`], from bytes to an immutable policy; [`combine`], from truth values
//! to an effect, on one screen; [`state`], what the engine has been told; [`operation`], what is done to it; [`engine`], the one path of `decide`, gate by
//! gate; [`drill`], an outage in a file; [`journal`] and [`replay`], what was, decided again.
//!
//! # What it does not do
//!
//! No I/O, no clock, no thread, no randomness of its own, no unsafe code. Time, facts and secrets are arguments, so that
//! the same inputs give the same decision, byte for byte, today and in a replay next year.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test fails by panicking"))]

// The words: every other file uses these.
pub mod error;
mod faults;
pub mod limits;
pub mod name;
pub mod obligation;
pub mod reason;
pub mod request;
pub mod time;
pub mod value;
pub mod value_type;

mod concurrent;

pub mod condition;

pub mod policy;

pub mod combine;
pub mod decision;

pub mod state;

pub mod operation;

pub mod audit;

pub mod journal;

pub mod resilience;

pub mod telemetry;

pub mod engine;

pub mod drill;

pub mod replay;

pub mod authzen;

#[cfg(feature = "schema")]
pub mod schemas;

pub use decision::Decision;
pub use engine::{Config, Engine};
pub use reason::{Effect, Reason};
pub use request::Request;
pub use state::signals::Observation;

/// The examples of the README, compiled with the others.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The example of the page on signing.
#[cfg(doctest)]
#[doc = include_str!("../../docs/signing.md")]
struct Signing;

/// The example of the page on replays.
#[cfg(doctest)]
#[doc = include_str!("../../docs/replay.md")]
struct Replays;
