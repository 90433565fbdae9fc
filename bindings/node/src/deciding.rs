//! The calls that ask the engine.

use std::sync::Arc;

use fallgate::condition::Entity;
use fallgate::engine::Explanation;
use fallgate::policy::compile::Wanted;
use fallgate::request::Request;
use fallgate::time::Now;
use fallgate::{Decision, Engine};
use napi::bindgen_prelude::{AsyncTask, BigInt, External};
use napi::{Env, Task};
use napi_derive::napi;
use serde_json::json;

use crate::engine::Handle;
use crate::failure::Result;
use crate::instant::now;
use crate::packed;

/// Decides on the text of a request.
#[napi(catch_unwind)]
pub fn decide(
    handle: &External<Handle>,
    request: String,
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<String> {
    Ok(settle(handle, request.as_bytes(), now(monotonic_ns.as_ref(), wall_ns.as_ref())?))
}

/// Decides on a packed request: the first `length` of the bytes. Gives nothing where other bundles read requests by now than
/// those that it was packed for.
#[napi(catch_unwind)]
pub fn decide_packed(
    handle: &External<Handle>,
    bytes: &[u8],
    length: u32,
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<String> {
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    if !is_learnt(handle, now) {
        return Ok(String::new());
    }
    let names = handle.names.borrow();
    let mut arena = handle.arena.borrow_mut();
    arena.reset();
    let packed = usize::try_from(length).ok().and_then(|length| bytes.get(..length));
    let request = packed.and_then(|bytes| packed::request(bytes, &names, &arena));
    let decision = handle.with(|engine| match &request {
        Some(request) => engine.decide_view(request, now),
        None => engine.decide_json(&[], now),
    });
    Ok(handle.labels.borrow_mut().answer(&decision))
}

/// Decides on the bytes of a request.
#[napi(catch_unwind)]
pub fn decide_bytes(
    handle: &External<Handle>,
    request: &[u8],
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<String> {
    Ok(settle(handle, request, now(monotonic_ns.as_ref(), wall_ns.as_ref())?))
}

fn settle(handle: &Handle, request: &[u8], now: Now) -> String {
    let decision = handle.with(|engine| engine.decide_json(request, now));
    handle.labels.borrow_mut().answer(&decision)
}

/// The deny of a request that the JavaScript side could not put into text, with what it found wrong.
///
/// The decision is the core's own on bytes that are no request; only its detail is replaced.
#[napi(catch_unwind)]
pub fn refuse(
    handle: &External<Handle>,
    detail: String,
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<String> {
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    Ok(refusal(&handle.engine(), &detail, now))
}

fn refusal(engine: &Engine, detail: &str, now: Now) -> String {
    let mut decision = engine.decide_json(&[], now).to_json();
    if let Some(context) = decision.get_mut("context").and_then(serde_json::Value::as_object_mut) {
        context.insert("detail".to_owned(), detail.into());
    }
    decision.to_string()
}

/// What a label of an answer stands for.
#[napi(catch_unwind)]
pub fn label(handle: &External<Handle>, number: u32) -> Option<String> {
    handle.labels.borrow().text(number).map(ToOwned::to_owned)
}

/// A decision that was never made, as JSON: what the default of every face must equal.
#[napi(catch_unwind)]
pub fn never_decided() -> String {
    Decision::default().to_json_text()
}

/// Takes note of who reads requests from now on, and forgets what was learnt for others.
#[napi(catch_unwind)]
pub fn learn(handle: &External<Handle>) {
    handle.readers.set(handle.with(Engine::readers));
    handle.labels.borrow_mut().clear();
    handle.names.borrow_mut().clear();
}

/// Whether those read requests now that it was learnt for.
#[napi(catch_unwind)]
pub fn has_learnt(handle: &External<Handle>, monotonic_ns: Option<BigInt>, wall_ns: Option<BigInt>) -> Result<bool> {
    Ok(is_learnt(handle, now(monotonic_ns.as_ref(), wall_ns.as_ref())?))
}

fn is_learnt(handle: &Handle, now: Now) -> bool {
    handle.with(|engine| engine.readers_at(now)) == handle.readers.get()
}

/// Which attributes of this type of an entity the active bundle looks at; nothing where it may look at all of them, and
/// while another one is in its rollout beside it.
#[napi(catch_unwind)]
pub fn wanted(handle: &External<Handle>, entity: String, type_name: String) -> Option<Vec<String>> {
    let entity = [Entity::Subject, Entity::Action, Entity::Resource, Entity::Context]
        .into_iter()
        .find(|known| known.name() == entity)?;
    if handle.readers.get().are_two() {
        return None;
    }
    let bundle = handle.with(Engine::bundle)?;
    match bundle.policy().wanted(entity, &type_name) {
        Wanted::All => None,
        Wanted::Named(names) => Some(names.into_iter().map(ToOwned::to_owned).collect()),
    }
}

/// The number by which a packed request may name an attribute, until another bundle is activated.
#[napi(catch_unwind)]
pub fn name_number(handle: &External<Handle>, name: String) -> Option<u32> {
    handle.names.borrow_mut().number(&name)
}

/// How much of a request may be read, and how many bytes of an operation, as JSON: beyond it the core refuses whatever the
/// rest holds.
#[napi(catch_unwind)]
pub fn request_limits(handle: &External<Handle>) -> String {
    let limits = handle.limits();
    let operation = limits.operation_bytes_max();
    json!({ "bytes": limits.request_bytes_max, "depth": limits.request_depth_max, "operation": operation }).to_string()
}

/// Explains what would be decided, as JSON.
#[napi(catch_unwind)]
pub fn explain(
    handle: &External<Handle>,
    request: String,
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<String> {
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    let explanation = match Request::from_json(request.as_bytes(), handle.limits()) {
        Ok(request) => handle.with(|engine| engine.explain(&request, now)),
        Err(error) => {
            let mut explanation = Explanation::default();
            explanation.stopped = Some(error.to_string());
            explanation
        }
    };
    Ok(serde_json::to_string(&explanation).unwrap_or_default())
}

/// One item of a batch: the text of a request, or why there is none.
#[napi(object)]
pub struct Asked {
    /// The text.
    pub request: Option<String>,
    /// What the JavaScript side found wrong.
    pub refused: Option<String>,
}

/// A batch on its way through Node's thread pool.
pub struct Batch {
    engine: Arc<Engine>,
    asked: Vec<Asked>,
    now: Now,
}

impl Task for Batch {
    type Output = Vec<String>;
    type JsValue = Vec<String>;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        let decided = self.asked.iter().map(|asked| match (&asked.request, &asked.refused) {
            (Some(request), None) => self.engine.decide_json(request.as_bytes(), self.now).to_json_text(),
            (_, detail) => refusal(&self.engine, detail.as_deref().unwrap_or_default(), self.now),
        });
        Ok(decided.collect())
    }

    fn resolve(&mut self, _env: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(output)
    }
}

/// Decides on many requests on a thread of Node's pool; the decisions come as JSON, in the order of the requests.
#[napi(catch_unwind, ts_return_type = "Promise<string[]>")]
pub fn decide_many(
    handle: &External<Handle>,
    asked: Vec<Asked>,
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<AsyncTask<Batch>> {
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    Ok(AsyncTask::new(Batch { engine: handle.engine(), asked, now }))
}
