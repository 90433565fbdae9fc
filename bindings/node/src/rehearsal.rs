//! Drills: a scripted timeline, run on a fresh engine with the active bundle.

use std::path::Path;

use fallgate::Engine;
use fallgate::drill::{Drill, DrillReport, StepReport};
use fallgate::error::Diagnostic;
use fallgate_cli::pack::load_drill;
use napi::bindgen_prelude::External;
use napi_derive::napi;
use serde_json::{Value, json};

use crate::engine::Handle;
use crate::failure::{Result, failure, misuse, refused, refused_at, unread};
use crate::happening;

/// Runs the drill of a file, and gives its report as JSON.
#[napi(catch_unwind)]
pub fn drill_path(handle: &External<Handle>, path: String) -> Result<String> {
    handle.open()?;
    let loaded = load_drill(Path::new(&path)).map_err(|error| unread(&error))?;
    let drill = Drill::from_document(&loaded.document, handle.limits())
        .map_err(|error: Diagnostic| refused_at(&error.into(), &loaded.sources))?;
    run(handle, &drill)
}

/// Runs the drill of a document, and gives its report as JSON.
#[napi(catch_unwind)]
pub fn drill_document(handle: &External<Handle>, document: String) -> Result<String> {
    handle.open()?;
    let document =
        serde_json::from_str(&document).map_err(|error| misuse(&format!("the drill's document: {error}")))?;
    let drill = Drill::from_document(&document, handle.limits()).map_err(|error: Diagnostic| refused(&error.into()))?;
    run(handle, &drill)
}

fn run(handle: &Handle, drill: &Drill) -> Result<String> {
    let Some(bundle) = handle.with(Engine::bundle) else {
        return Err(failure("no_policy", "a drill runs on the active bundle, and none is active", &[]));
    };
    Ok(report(&drill.run(&bundle)).to_string())
}

fn report(report: &DrillReport) -> Value {
    let hash: String = report.decisions_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "drill": report.drill,
        "passed": report.passed(),
        "steps": report.steps.iter().map(step).collect::<Vec<_>>(),
        "decisionsHash": hash,
    })
}

fn step(step: &StepReport) -> Value {
    json!({
        "step": step.step,
        "monotonicNs": step.now.monotonic.as_nanos().to_string(),
        "wallNs": step.now.wall.as_nanos().to_string(),
        "note": step.note,
        "told": step.told,
        "asked": step.asked,
        "decision": step.decision.as_ref().map(fallgate::Decision::to_json),
        "events": step.events.iter().map(happening::to_json).collect::<Vec<_>>(),
        "expects": step.expects,
        "failures": step.failures,
    })
}
