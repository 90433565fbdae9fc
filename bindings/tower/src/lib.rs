//! A [`tower`](https://docs.rs/tower) layer: a request reaches the service behind it only where Fallgate allows it.
//!
//! ```
//! use std::sync::Arc;
//!
//! use fallgate::request::Party;
//! use fallgate::{Config, Engine, Request};
//! use fallgate_tower::EnforceLayer;
//!
//! let engine = Arc::new(Engine::new(Config::default()));
//! let layer: EnforceLayer<String> = EnforceLayer::new(engine, |parts: &http::request::Parts| {
//!     // What the host has authenticated; nothing where it has not: then the request is denied.
//!     let user = parts.extensions.get::<String>()?;
//!     Some(Request::new(Party::new("user", user), "order:read", Party::new("order", parts.uri.path())))
//! });
//! # drop(layer);
//! ```
//!
//! The decision is in the extensions of a request that is let through ([`Decision`]). One that is not ends in a `403` with
//! a problem document (RFC 9457) that holds the reason and the decision's identifier, and nothing of the request. An
//! obligation that no handler fulfils denies (spec 2.3). Nothing is decided here: the layer reads the clocks and asks.

#![forbid(unsafe_code)]

mod future;
mod problem;

use std::sync::Arc;
use std::task::{Context, Poll};

use fallgate::obligation::Obligation;
use fallgate::time::Now;
use fallgate::{Decision, Engine};
use http::request::Parts;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

pub use future::ResponseFuture;
pub use problem::problem;

type Describe = dyn Fn(&Parts) -> Option<fallgate::Request> + Send + Sync;
type Fulfil = dyn Fn(&Obligation, &Parts) -> bool + Send + Sync;
type Clock = dyn Fn() -> Now + Send + Sync;
type Deny<R> = dyn Fn(&Decision) -> Response<R> + Send + Sync;

/// Makes services into enforcement points.
pub struct EnforceLayer<R> {
    engine: Arc<Engine>,
    describe: Arc<Describe>,
    fulfil: Arc<Fulfil>,
    clock: Arc<Clock>,
    deny: Arc<Deny<R>>,
}

impl<R> Clone for EnforceLayer<R> {
    fn clone(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            describe: Arc::clone(&self.describe),
            fulfil: Arc::clone(&self.fulfil),
            clock: Arc::clone(&self.clock),
            deny: Arc::clone(&self.deny),
        }
    }
}

impl<R> std::fmt::Debug for EnforceLayer<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnforceLayer").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl<R> EnforceLayer<R> {
    /// A layer that asks `engine`, and answers a request that may not pass with [`problem`]. `describe` says what an HTTP
    /// request asks for, in the words of the policy; where it cannot (`None`), the request is denied with
    /// `invalid_request`.
    ///
    /// No obligation is fulfilled yet, so that a decision with one denies: see [`EnforceLayer::fulfilling`].
    pub fn new(
        engine: Arc<Engine>,
        describe: impl Fn(&Parts) -> Option<fallgate::Request> + Send + Sync + 'static,
    ) -> Self
    where
        R: From<String> + 'static,
    {
        Self::denying_with(engine, describe, problem)
    }

    /// The same with a denial of the host's own, for a protocol with other words for it (gRPC's `PERMISSION_DENIED`), or
    /// a body that is not made from text. The decision may be an allow, one of whose obligations was not fulfilled.
    pub fn denying_with(
        engine: Arc<Engine>,
        describe: impl Fn(&Parts) -> Option<fallgate::Request> + Send + Sync + 'static,
        deny: impl Fn(&Decision) -> Response<R> + Send + Sync + 'static,
    ) -> Self {
        Self {
            engine,
            describe: Arc::new(describe),
            fulfil: Arc::new(|_, _| false),
            clock: Arc::new(fallgate_clocks::now),
            deny: Arc::new(deny),
        }
    }

    /// The same, with a way to fulfil obligations. `fulfil` is called for each obligation of an allow, in order, before the
    /// service is; where it says `false`, the request is denied.
    #[must_use]
    pub fn fulfilling(mut self, fulfil: impl Fn(&Obligation, &Parts) -> bool + Send + Sync + 'static) -> Self {
        self.fulfil = Arc::new(fulfil);
        self
    }

    /// The same, with clocks of the host's own, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The decision on a request, and whether it may pass.
    fn decide(&self, parts: &Parts) -> (Decision, bool) {
        let now = (self.clock)();
        let Some(request) = (self.describe)(parts) else {
            // No bytes are no request: the engine says so in its own words.
            return (self.engine.decide_json(b"", now), false);
        };
        let decision = self.engine.decide(&request, now);
        let passes =
            decision.is_allow() && decision.obligations().iter().all(|obligation| (self.fulfil)(obligation, parts));
        (decision, passes)
    }
}

impl<S, R> Layer<S> for EnforceLayer<R> {
    type Service = Enforce<S, R>;

    fn layer(&self, inner: S) -> Enforce<S, R> {
        Enforce { layer: self.clone(), inner }
    }
}

/// A service behind an enforcement point.
pub struct Enforce<S, R> {
    layer: EnforceLayer<R>,
    inner: S,
}

impl<S: Clone, R> Clone for Enforce<S, R> {
    fn clone(&self) -> Self {
        Self { layer: self.layer.clone(), inner: self.inner.clone() }
    }
}

impl<S: std::fmt::Debug, R> std::fmt::Debug for Enforce<S, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enforce").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for Enforce<S, R>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let (decision, passes) = self.layer.decide(&parts);
        if !passes {
            return ResponseFuture::denied((self.layer.deny)(&decision));
        }
        parts.extensions.insert(decision);
        ResponseFuture::allowed(self.inner.call(Request::from_parts(parts, body)))
    }
}

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
