//! A deny that became an allow: what was asked, what was taken away, which rules it comes from, and how to mend it.

use serde_json::{Value, json};

use super::removal::Removal;
use crate::finding::{Finding, Place, Severity};
use crate::report;
use crate::source::{SourceFile, Span};

/// The code of a deny that becomes an allow.
pub const CODE: &str = "loss_allows";
/// The code of one that somebody has declared.
pub const DECLARED: &str = "loss_allows_declared";
/// How many questions a message names.
const NAMED_MAX: usize = 3;

/// One thing that was asked: a case, a step of a drill, an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What it is, and its name in backticks: "the case `a guest`".
    pub name: String,
    /// Where it stands.
    pub place: Option<Span>,
}

/// A rule that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// Its name.
    pub rule: String,
    /// Whether it allows; else it no longer denies.
    pub allows: bool,
}

/// What opens questions: one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What is denied with it and allowed without.
    pub questions: Vec<Question>,
    /// The smallest removal.
    pub lost: Vec<Removal>,
    /// The rules that it comes from.
    pub culprits: Vec<Culprit>,
    /// Where, the first for the repair.
    pub places: Vec<Place>,
    /// Why somebody accepts it, where somebody has declared that.
    pub declared: Option<String>,
    /// How to mend it.
    pub help: String,
}

impl Opening {
    /// Puts openings together that have everything in common but the question.
    #[must_use]
    pub fn merged(all: Vec<Self>) -> Vec<Self> {
        let mut merged: Vec<Self> = Vec::new();
        for one in all {
            let same = |known: &&mut Self| {
                known.lost == one.lost
                    && known.culprits == one.culprits
                    && known.declared == one.declared
                    && known.places.iter().map(|place| place.span).eq(one.places.iter().map(|place| place.span))
            };
            match merged.iter_mut().find(same) {
                Some(known) => known.questions.extend(one.questions),
                None => merged.push(one),
            }
        }
        // What is declared comes last, so that what is to be mended is not lost in it.
        merged.sort_by_key(|one| one.declared.is_some());
        merged
    }

    /// The opening as something to report.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let lost: Vec<String> = self.lost.iter().map(|one| format!("`{}`", one.shown())).collect();
        let lost = lost.join(" and ");
        let message = match self.questions.as_slice() {
            [only] => format!("{} is allowed without {lost}", only.name),
            all => {
                let named: Vec<&str> = all.iter().take(NAMED_MAX).map(|one| one.name.as_str()).collect();
                let more = match all.len().saturating_sub(NAMED_MAX) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                format!("{} denies are allows without {lost}: {}{more}", all.len(), named.join(", "))
            }
        };
        let (code, severity) = match self.declared {
            Some(_) => (DECLARED, Severity::Note),
            None => (CODE, Severity::Error),
        };
        let mut finding = Finding::with_code(code, message).help(self.help.as_str());
        finding.severity = severity;
        finding.places.clone_from(&self.places);
        finding
    }

    /// The opening for programs.
    #[must_use]
    pub fn to_json(&self, files: &[SourceFile]) -> Value {
        let mut output = report::to_json(&self.finding(), files);
        let lost: Vec<Value> = self
            .lost
            .iter()
            .map(|one| {
                let root = format!("{:?}", one.root).to_lowercase();
                json!({ "from": root, "pointer": one.pointer(), "name": one.shown() })
            })
            .collect();
        let questions: Vec<Value> = self
            .questions
            .iter()
            .map(|question| {
                let place = question.place.and_then(|span| place_of(span, files));
                let (file, line) = place.map_or((None, None), |(file, line)| (Some(file), Some(line)));
                json!({ "name": question.name, "file": file, "line": line })
            })
            .collect();
        let rules = |allows: bool| -> Vec<&str> {
            self.culprits.iter().filter(|one| one.allows == allows).map(|one| one.rule.as_str()).collect()
        };
        if let Some(fields) = output.as_object_mut() {
            fields.remove("pointer");
            fields.insert("removed".to_owned(), lost.into());
            fields.insert("denied".to_owned(), questions.into());
            fields.insert("allows".to_owned(), json!(rules(true)));
            fields.insert("no_longer_denies".to_owned(), json!(rules(false)));
            fields.insert("declared".to_owned(), json!(self.declared));
        }
        output
    }
}

/// The path and the line of a place.
fn place_of(span: Span, files: &[SourceFile]) -> Option<(&str, usize)> {
    let file = files.get(span.file.number())?;
    Some((file.path(), file.line_column(span.range().start).0))
}

/// What an ablation came to.
#[derive(Debug, Default)]
pub struct Ablation {
    /// What was ablated.
    pub name: String,
    /// How many questions were denied, and so asked with less.
    pub denied: usize,
    /// How many there were.
    pub asked: usize,
    /// How many removals were tried.
    pub tried: u64,
    /// What opened.
    pub openings: Vec<Opening>,
    /// What a reader has to know of what was not tried: one line each.
    pub notes: Vec<String>,
    /// The files that places are in.
    pub files: Vec<SourceFile>,
}

impl Ablation {
    /// The openings that nobody has declared.
    #[must_use]
    pub fn undeclared(&self) -> usize {
        self.openings.iter().filter(|one| one.declared.is_none()).count()
    }
}
