//! `fallgate drill --report`: a game day on one page, for the people who have to understand an outage.
//!
//! The page is one file and loads nothing; its content security policy admits its own style sheet and its own script by their
//! hashes and nothing else. What matters is in the page itself, for paper, for screen readers and without a script: the
//! summary, what was denied and what stayed allowed, the picture, the indicators. The script adds the steps, one under the cursor and all in a
//! table.

mod allowed;
mod chart;
mod denied;
mod figures;
mod lanes;
mod moments;
mod mood;
mod steps;
mod tables;
#[cfg(test)]
mod tests;
mod words;

use fallgate::drill::{Drill, DrillReport};
use fallgate::policy::bundle::{Bundle, hexadecimal};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::telling::since_start;
use denied::Asked;
use lanes::{Lanes, millis};
use moments::Moments;
pub(crate) use words::leave_takes;

/// The style sheet.
const STYLE: &str = include_str!("page.css");
/// The script.
const SCRIPT: &str = include_str!("page.js");

/// A drill that ran, and its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Played<'d> {
    pub(crate) name: &'d str,
    pub(crate) drill: &'d Drill,
    pub(crate) report: &'d DrillReport,
}

/// The page of these drills of a bundle.
pub(crate) fn page(bundle: &Bundle, played: &[Played<'_>]) -> String {
    let title = format!("Drills of {}", bundle.name());
    let passed = played.iter().filter(|one| one.report.passed()).count();
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(security_policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (chart::patterns())
                header {
                    h1 { (title) }
                    p {
                        "Revision " (bundle.revision()) ", bundle " code { (bundle.id()) } ". "
                        strong.(if passed == played.len() { "good" } else { "bad" }) {
                            (passed) " of " (played.len()) " drill" (if played.len() == 1 { "" } else { "s" }) " as expected"
                        }
                        "."
                    }
                    button #theme type="button" hidden { "Dark or light" }
                    @if played.len() > 1 {
                        nav aria-label="Drills" {
                            ul {
                                @for one in played {
                                    li { a href=(format!("#{}", one.name)) { (one.name) } " " (one.drill.drill) }
                                }
                            }
                        }
                    }
                }
                main {
                    @for one in played { (section(bundle, one)) }
                }
                footer {
                    p {
                        "Made by " code { "fallgate drill --report" } ". The clock is the drill's own: the same pack and drill "
                        "give the same page."
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    document.into_string()
}

/// What the page may load and run: its own style sheet and its own script.
fn security_policy() -> String {
    let hash = |text: &str| data_encoding::BASE64.encode(&Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn section(bundle: &Bundle, played: &Played<'_>) -> Markup {
    let Played { name, drill, report } = *played;
    let policy = bundle.policy();
    let lanes = Lanes::of(policy, &report.steps);
    let asked = questions(drill, report);
    let steps = report.steps.iter().map(|step| millis(step.now.monotonic.as_nanos()));
    let moments = Moments::new(lanes.moments().chain(steps));
    let denied = denied::denied(&asked, policy, &lanes);
    let missed = report.steps.iter().filter(|step| !step.failures.is_empty()).count();
    let label = format!("How signals, postures and decisions stood over the {}", since_start(moments.last()));
    html! {
        section.drill #(name) aria-labelledby=(format!("{name}-title")) {
            h2 id=(format!("{name}-title")) { (drill.drill) }
            p.verdict {
                code { (name) } ": "
                @match missed {
                    0 => strong.good { "as expected" },
                    _ => strong.bad { (missed) " step" (if missed == 1 { "" } else { "s" }) " not as expected" },
                }
                ", " (report.steps.len()) " steps over " (since_start(moments.last())) "."
            }
            (figures::summary(&asked))
            p.hint { "All times count from the start of the drill." }
            h3 { "What was denied" }
            (tables::denied(name, &denied))
            h3 { "What stayed allowed" }
            (tables::allowed(name, &allowed::allowed(&asked, &lanes)))
            h3 { "How it stood" }
            p.hint {
                "Time runs to the right and is not to scale: quiet stretches are shortened. "
                "Point at a stretch to read it; choose a step below, or click, to move the line."
            }
            div.scroll role="region" aria-label=(format!("Picture of {name}")) tabindex="0" {
                (chart::chart(&lanes, &asked, &moments, &label))
            }
            (figures::legend())
            div.player hidden {
                label for=(format!("{name}-step")) { "Step" }
                input id=(format!("{name}-step")) type="range" min="1" max=(report.steps.len().max(1)) value="1";
                output for=(format!("{name}-step")) {}
                span.jumps role="group" aria-label="Go to" {
                    button type="button" data-go="back" { "‹ Step" }
                    button type="button" data-go="on" { "Step ›" }
                    button type="button" data-go="deny" { "Next deny" }
                    button type="button" data-go="ground" { "Next allow on other ground" }
                    button type="button" data-go="change" { "Next change" }
                    @if missed > 0 { button type="button" data-go="missed" { "Next not as expected" } }
                }
                div.step role="status" aria-live="polite" {}
            }
            details {
                summary { "Every stretch, as a table" }
                (tables::spans(name, &lanes))
            }
            h3 { "Indicators at the end" }
            (figures::indicators(name, report))
            details.all open {
                summary { "Every step" }
                noscript { p { "The table of steps needs the page's own script, which does not run here." } }
                div.steps {}
            }
            p.hint { "SHA-256 of all decisions: " code { (hexadecimal(&report.decisions_hash)) } }
            script type="application/json" { (PreEscaped(embedded(&steps::document(&report.steps, policy, &lanes, &moments)))) }
        }
    }
}

/// JSON that can stand in a page: no text of it ends the element, or begins another.
fn embedded(document: &serde_json::Value) -> String {
    document.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// What was asked and answered, in order. The time is the engine's, which never goes back.
fn questions<'d>(drill: &'d Drill, report: &'d DrillReport) -> Vec<Asked<'d>> {
    let mut latest = 0;
    let mut asked = Vec::new();
    let mut before = ("?", "?", "?");
    for step in &report.steps {
        latest = latest.max(millis(step.now.monotonic.as_nanos()));
        let Some(decision) = &step.decision else { continue };
        let written = drill.steps.get(step.step).and_then(|step| step.decide.as_ref().or(step.decide_pending.as_ref()));
        // Who asks for an answer that waits names no request: it is the one before.
        let (subject, action, resource) = written.map_or(before, |request| {
            let text = |at: &str| request.pointer(at).and_then(serde_json::Value::as_str).unwrap_or("?");
            (text("/subject/id"), text("/action/name"), text("/resource/id"))
        });
        before = (subject, action, resource);
        asked.push(Asked { at: latest, subject, action, resource, decision });
    }
    asked
}
