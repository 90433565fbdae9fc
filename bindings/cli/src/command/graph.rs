//! `fallgate graph`: the posture machine of a pack as a picture.

use super::build::write_whole;
use super::compile_trusting;
use crate::arguments::{Graph, GraphFormat};
use crate::console::{Console, Exit, Failure};
use crate::graph::{Machine, mermaid, svg};

pub(super) fn run(graph: &Graph, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let compiled = compile_trusting(&graph.pack, &graph.trusting)?;
    let machine = Machine::of(&compiled.bundle, &compiled.document);
    if machine.postures.len() < 2 {
        writeln!(console.err, "{} declares no postures: there is only the normal one", machine.pack)?;
    }
    let text = match graph.format {
        GraphFormat::Svg => svg::text(&machine),
        GraphFormat::Mermaid => mermaid::text(&machine),
    };
    match &graph.output {
        Some(path) => write_whole(path, text.as_bytes())?,
        None => write!(console.out, "{text}")?,
    }
    Ok(Exit::Fine)
}
