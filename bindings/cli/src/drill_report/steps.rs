//! The steps as the page's script reads them: columns of numbers, and every text once.
//!
//! A drill of 100,000 steps says few things many times. So its page has a few megabytes and not some fifty, and opens.

use std::collections::HashMap;

use fallgate::drill::StepReport;
use fallgate::policy::compile::Policy;
use fallgate::{Decision, Effect, Reason};
use serde_json::{Value, json};

use super::chart::{LEFT, LENGTH, rounded};
use super::lanes::{Lanes, millis};
use super::moments::Moments;
use super::mood::Mood;
use super::words;
use crate::telling::{changed, since_start};

/// Texts by number.
#[derive(Debug, Default)]
struct Texts {
    all: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Texts {
    fn number(&mut self, text: &str) -> usize {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.all.len();
        self.all.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

/// The steps as one document: `texts`, and in `steps` a list for each: its number in the drill, the time, the place of the
/// cursor, what happened, the note, the answer (effect, reason, look), why, and what was not as expected; texts by their numbers,
/// and zero, which is the empty text, for nothing.
pub(super) fn document(steps: &[StepReport], policy: &Policy, lanes: &Lanes, moments: &Moments) -> Value {
    let mut texts = Texts::default();
    let nothing = texts.number("");
    let mut latest = 0;
    let rows: Vec<Value> = steps
        .iter()
        .map(|step| {
            latest = latest.max(millis(step.now.monotonic.as_nanos()));
            let told = texts.number(&step.told.join(", "));
            let asked = texts.number(step.asked.as_deref().unwrap_or_default());
            let note = texts.number(step.note.as_deref().unwrap_or_default());
            let happened: Vec<String> = step.events.iter().filter_map(|event| changed(&event.kind)).collect();
            let events = texts.number(&happened.join("\n"));
            let (answer, why) = match &step.decision {
                None => (nothing, nothing),
                Some(decision) => {
                    (texts.number(&answered(decision)), texts.number(&words::why(decision, policy, lanes, latest)))
                }
            };
            let look = step.decision.as_ref().map_or("", |decision| Mood::of_reason(decision.reason()).class());
            let look = texts.number(look);
            let failures = texts.number(&step.failures.join("\n"));
            let x = rounded(LEFT + moments.place(latest) * LENGTH);
            let kind = step.decision.as_ref().map_or(0, kind);
            let time = texts.number(&since_start(millis(step.now.monotonic.as_nanos())));
            json!([time, x, told, asked, note, events, answer, why, look, failures, kind, u8::from(step.expects)])
        })
        .collect();
    json!({ "texts": texts.all, "steps": rows })
}

/// An answer in a line.
fn answered(decision: &Decision) -> String {
    let effect = if decision.is_allow() { "allow" } else { "deny" };
    let cached = if decision.cached() { ", cached" } else { "" };
    let rule = decision.rule().map(|rule| format!(", {rule}")).unwrap_or_default();
    format!("{effect}: {}{cached}{rule}", decision.reason().code())
}

/// What the page's filters tell apart: 1 an ordinary allow, 2 one on other ground, 3 a deny.
fn kind(decision: &Decision) -> u8 {
    match (decision.effect(), decision.reason()) {
        (Effect::Deny, _) => 3,
        (Effect::Allow, Reason::AllowedByRule) => 1,
        (Effect::Allow, _) => 2,
    }
}
