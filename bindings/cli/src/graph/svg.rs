//! The machine as an SVG: postures from lax to strict, ways in on the right, ways out on the left.

use maud::{Markup, PreEscaped, html};

use super::{Edge, Kind, Machine};

const BOX_LEFT: f64 = 420.0;
const BOX_WIDTH: f64 = 280.0;
const BOX_HEIGHT: f64 = 62.0;
/// From the top of one posture to that of the next.
const STEP: f64 = 150.0;
const TOP: f64 = 50.0;
const WIDTH: f64 = 1_120.0;
/// How far apart ways on one side stand.
const APART: f64 = 16.0;
/// How many letters of a label stand on one line.
const LINE: usize = 48;

const STYLE: &str = "\
svg { background: #ffffff; color: #1c2024; font: 13px system-ui, sans-serif }
.posture rect { fill: #f4f6f8; stroke: #5a6470 } .posture.strict rect { fill: #d9d3f7; stroke: #38227f }
text { fill: currentColor } .name { font-weight: 700; font-size: 15px } .way path { fill: none; stroke-width: 1.5 }
.enter path { stroke: #7d1111 } .escalate path { stroke: #7d1111; stroke-dasharray: 5 3 } .leave path { stroke: #0c4a1c }
.enter text, .escalate text { fill: #7d1111 } .leave text { fill: #0c4a1c; text-anchor: end }
@media (prefers-color-scheme: dark) { svg { background: #14171a; color: #e8ebee }
.posture rect { fill: #1d2126; stroke: #a7b0ba } .posture.strict rect { fill: #3d2f82; stroke: #e9e4ff }
.enter path, .escalate path { stroke: #ffb3b1 } .leave path { stroke: #9be3ad }
.enter text, .escalate text { fill: #ffb3b1 } .leave text { fill: #9be3ad } }";

/// The picture's text.
pub(crate) fn text(machine: &Machine) -> String {
    let height = TOP + STEP * machine.postures.len() as f64;
    let title = format!("Postures of {}", machine.pack);
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {height}")) role="img"
            aria-labelledby="title" {
            title #title { (title) }
            style { (PreEscaped(STYLE)) }
            defs {
                marker #arrow viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse" {
                    path d="M0 0 L8 4 L0 8 z" fill="context-stroke" stroke="none" {}
                }
            }
            text.name x="20" y="28" { (title) }
            text x="20" y="48" { "Strictest at the bottom; a way in starts from any laxer posture." }
            @for (at, edge) in machine.edges.iter().enumerate() { (way(at, edge)) }
            @for (at, posture) in machine.postures.iter().enumerate() {
                @let y = top(at);
                g class=(if at > 0 { "posture strict" } else { "posture" }) {
                    rect x=(BOX_LEFT) y=(y) width=(BOX_WIDTH) height=(BOX_HEIGHT) rx="6" {}
                    text.name x=(BOX_LEFT + 14.0) y=(y + 25.0) { (posture.name) " (rank " (posture.rank) ")" }
                    text x=(BOX_LEFT + 14.0) y=(y + 46.0) {
                        @if posture.permits.chars().count() > 42 { title { (posture.permits) } }
                        (cut(&posture.permits, 42))
                    }
                }
            }
        }
    };
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", svg.into_string())
}

fn top(posture: usize) -> f64 {
    TOP + 20.0 + STEP * posture as f64
}

/// One way, on its own line beside the postures.
fn way(at: usize, edge: &Edge) -> Markup {
    let right = edge.kind != Kind::Leave;
    // No two ways lie on each other: each has a place of its own at both ends.
    let place = (at % 3) as f64 * APART;
    let side = if right { BOX_LEFT + BOX_WIDTH } else { BOX_LEFT };
    let out = if right { side + 24.0 + place } else { side - 24.0 - place };
    let (start, end) = match edge.kind {
        Kind::Leave => (top(edge.from) + 14.0 + place, top(edge.to) + 14.0 + place),
        Kind::Enter | Kind::Escalate => (top(edge.from) + 14.0 + place, top(edge.to) + 12.0 + place),
    };
    let class = match edge.kind {
        Kind::Enter => "way enter",
        Kind::Escalate => "way escalate",
        Kind::Leave => "way leave",
    };
    // The label stands above the stricter posture, between it and the one before.
    let above = top(edge.from.max(edge.to)) - 12.0;
    let x = if right { BOX_LEFT + BOX_WIDTH + 24.0 + 3.0 * APART } else { BOX_LEFT - 24.0 - 3.0 * APART };
    let lines = wrapped(&edge.label);
    let first = match edge.kind {
        Kind::Escalate => above + 48.0,
        Kind::Enter | Kind::Leave => above - 16.0 * lines.len().saturating_sub(1) as f64 + 24.0,
    };
    html! {
        g class=(class) {
            path d=(format!("M{side} {start} H{out} V{end} H{side}")) marker-end="url(#arrow)" {}
            @for (line, text) in lines.iter().enumerate() {
                text x=(x) y=(first + 16.0 * line as f64) { (text) }
            }
        }
    }
}

/// A label in lines, cut between words.
fn wrapped(label: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in label.split(' ') {
        let full = lines
            .last()
            .is_some_and(|line| !line.is_empty() && line.chars().count().saturating_add(word.chars().count()) >= LINE);
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn cut(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(letters.saturating_sub(1)).collect();
    format!("{kept}…")
}
