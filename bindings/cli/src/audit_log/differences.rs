//! Where engines that should decide alike do not, as their records tell it in the order of time.
//!
//! Engines are compared by what they said last. What differs is told once, until they agree again.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use fallgate::audit::record::RecordKind;
use fallgate::audit::verify::Record;
use fallgate::time::Ttl;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// How many questions are remembered: more than engines answer alike in a minute, and bounded.
const QUESTIONS_MAX: usize = 100_000;

/// What engines differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One allows what another one denies.
    Answers,
    /// They decide by other revisions of a bundle, for longer than it may take to tell them.
    Revisions,
    /// They know other bundles by one name and revision.
    Bundles,
    /// Two became active with one epoch, or one saw that another one is active beside it.
    Active,
}

impl Kind {
    /// The code, for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Answers => "answers_differ",
            Self::Revisions => "revisions_differ",
            Self::Bundles => "bundles_differ",
            Self::Active => "two_active",
        }
    }
}

/// Where two engines differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In what.
    pub kind: Kind,
    /// The record that shows it: of which chain, by its place among them, and its number.
    pub chain: usize,
    /// The number of the record.
    pub seq: u64,
    /// The chain that it differs from, where there is one among those that are read.
    pub from: Option<usize>,
    /// What each of them says: first the one whose record it is.
    pub says: [String; 2],
    /// What it is about: a question, a bundle, an epoch.
    pub about: String,
}

/// An answer to a question.
#[derive(Clone, Debug)]
struct Answer {
    at: i128,
    allows: bool,
    says: String,
}

/// The revision that an engine decides by, and since when.
#[derive(Clone, Copy, Debug)]
struct Standing {
    revision: u64,
    since: i128,
}

/// What each chain says of one thing, and of which two was told that they differ.
#[derive(Debug)]
struct Compared<T> {
    said: BTreeMap<usize, T>,
    told: BTreeSet<[usize; 2]>,
}

impl<T> Default for Compared<T> {
    fn default() -> Self {
        Self { said: BTreeMap::new(), told: BTreeSet::new() }
    }
}

impl<T> Compared<T> {
    /// Holds what one chain says against what the others do; gives those that differ, once.
    fn with(&mut self, chain: usize, agrees: impl Fn(&T) -> bool, counts: impl Fn(&T) -> bool) -> Vec<(usize, &T)> {
        let Self { said, told } = self;
        let mut found = Vec::new();
        for (other, says) in said.iter().filter(|(other, _)| **other != chain) {
            let pair = [chain.min(*other), chain.max(*other)];
            if agrees(says) {
                told.remove(&pair);
            } else if counts(says) && told.insert(pair) {
                found.push((*other, says));
            }
        }
        found
    }
}

/// The digest of what was asked: a question may be long.
type Question = [u8; 32];

/// Reads records in the order of time, and finds where their engines differ.
#[derive(Debug)]
pub struct Differences {
    within: i128,
    /// By question: the last answer of each chain.
    questions: HashMap<Question, Compared<Answer>>,
    /// The questions in the order of their answers, an entry for each.
    order: VecDeque<(i128, Question)>,
    /// By bundle: the revision by which each chain decides.
    revisions: BTreeMap<String, Compared<Standing>>,
    /// By bundle and revision: the digest by which each chain knows it.
    bundles: BTreeMap<(String, u64), BTreeMap<usize, String>>,
    /// By epoch: the chain that became active with it.
    active: BTreeMap<u64, usize>,
}

impl Differences {
    /// Engines may answer so far apart, and decide by other revisions for so long.
    #[must_use]
    pub fn within(span: Ttl) -> Self {
        Self {
            within: i128::from(span.as_nanos()),
            questions: HashMap::new(),
            order: VecDeque::new(),
            revisions: BTreeMap::new(),
            bundles: BTreeMap::new(),
            active: BTreeMap::new(),
        }
    }

    /// Takes the next record, of the chain of this number, at a time in nanoseconds that is never earlier than the one
    /// before; gives what it shows.
    pub fn take(&mut self, chain: usize, at: i128, record: &Record) -> Vec<Difference> {
        let found = match record.kind {
            RecordKind::Decision => self.decision(chain, at, &record.body),
            _ => self.event(chain, at, &record.body),
        };
        let of = |(kind, from, says, about)| Difference { kind, chain, seq: record.seq, from, says, about };
        found.into_iter().map(of).collect()
    }

    fn decision(&mut self, chain: usize, at: i128, body: &Value) -> Vec<Found> {
        let context = body.pointer("/decision/context");
        let said = |name: &str| context.and_then(|context| context.get(name));
        let mut found = Vec::new();
        if let (Some(bundle), Some(revision)) =
            (said("bundle").and_then(Value::as_str), said("revision").and_then(Value::as_u64))
        {
            found.extend(self.decides_by(chain, at, bundle, revision));
        }
        let allows = body.pointer("/decision/decision").and_then(Value::as_bool);
        let reason = said("reason").and_then(Value::as_str);
        if let (Some(allows), Some(reason), Some(question)) = (allows, reason, question(body)) {
            let says = format!("{} ({reason})", if allows { "allows" } else { "denies" });
            found.extend(self.answers(&question, chain, Answer { at, allows, says }));
        }
        found
    }

    fn event(&mut self, chain: usize, at: i128, body: &Value) -> Vec<Found> {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        match text("event") {
            Some("bundle_activated") => match (text("bundle"), number("revision"), text("digest")) {
                (Some(bundle), Some(revision), Some(digest)) => {
                    let known = self.bundles.entry((bundle.to_owned(), revision)).or_default();
                    let other = known.iter().find(|(other, known)| **other != chain && *known != digest);
                    let other = other.map(|(other, known)| (*other, known.clone()));
                    let is_news = known.insert(chain, digest.to_owned()).is_none_or(|before| before != digest);
                    self.decides_by(chain, at, bundle, revision);
                    let says = |(from, known): (usize, String)| {
                        (Kind::Bundles, Some(from), [digest.to_owned(), known], format!("{bundle} {revision}"))
                    };
                    other.filter(|_| is_news).map(says).into_iter().collect()
                }
                _ => Vec::new(),
            },
            Some("took_over") => match number("epoch") {
                Some(epoch) => match self.active.insert(epoch, chain) {
                    Some(other) if other != chain => {
                        let says = ["took over", "took over"].map(str::to_owned);
                        vec![(Kind::Active, Some(other), says, format!("epoch {epoch}"))]
                    }
                    _ => Vec::new(),
                },
                None => Vec::new(),
            },
            Some("split_brain") => {
                let epoch = number("epoch").unwrap_or_default();
                let says = ["is active".to_owned(), format!("{} is active", text("instance").unwrap_or_default())];
                vec![(Kind::Active, None, says, format!("epoch {epoch}"))]
            }
            _ => Vec::new(),
        }
    }

    /// Notes by which revision an engine decides; gives the engines that have decided by another one for too long.
    fn decides_by(&mut self, chain: usize, at: i128, bundle: &str, revision: u64) -> Vec<Found> {
        let within = self.within;
        let engines = self.revisions.entry(bundle.to_owned()).or_default();
        let standing = engines.said.entry(chain).or_insert(Standing { revision, since: at });
        if standing.revision != revision {
            *standing = Standing { revision, since: at };
        }
        let since = standing.since;
        let agrees = |theirs: &Standing| theirs.revision == revision;
        let is_long = |theirs: &Standing| at.saturating_sub(since.max(theirs.since)) > within;
        let found = engines.with(chain, agrees, is_long).into_iter().map(|(other, theirs)| {
            let says = [revision, theirs.revision].map(|revision| format!("decides by revision {revision}"));
            (Kind::Revisions, Some(other), says, bundle.to_owned())
        });
        found.collect()
    }

    /// Notes an answer; gives the engines whose last answer to the same question is another one.
    fn answers(&mut self, asked: &Value, chain: usize, answer: Answer) -> Vec<Found> {
        let (at, within) = (answer.at, self.within);
        let question: Question = Sha256::digest(asked.to_string()).into();
        self.forget(at);
        let answers = self.questions.entry(question).or_default();
        let agrees = |theirs: &Answer| theirs.allows == answer.allows;
        let is_near = |theirs: &Answer| at.saturating_sub(theirs.at) <= within;
        let found = answers.with(chain, agrees, is_near).into_iter().map(|(other, theirs)| {
            (Kind::Answers, Some(other), [answer.says.clone(), theirs.says.clone()], shown(asked))
        });
        let found = found.collect();
        answers.said.insert(chain, answer);
        self.order.push_back((at, question));
        found
    }

    /// Forgets what was asked so long ago that no answer of now is compared with it, and more where there is no room.
    fn forget(&mut self, now: i128) {
        let within = self.within;
        let is_old = |(at, _): &(i128, Question)| now.saturating_sub(*at) > within;
        while self.order.len() >= QUESTIONS_MAX || self.order.front().is_some_and(is_old) {
            let Some((at, question)) = self.order.pop_front() else { return };
            if let Some(answers) = self.questions.get_mut(&question) {
                answers.said.retain(|_, answer| answer.at > at);
                if answers.said.is_empty() {
                    self.questions.remove(&question);
                }
            }
        }
    }
}

/// In what, from whom, what each says, and what it is about.
type Found = (Kind, Option<usize>, [String; 2], String);

/// What a decision was asked, so that equal values are equal questions; nothing where that cannot be known.
fn question(body: &Value) -> Option<Value> {
    let mut request = body.get("request")?.as_object()?.clone();
    // What the host calls it is another name on each engine.
    request.remove("request_id");
    request.remove("traceparent");
    let request = Value::Object(request);
    (!is_concealed(&request)).then_some(request)
}

/// Whether something of it is left out, or committed to: then two that are not alike may look alike, or the other way round.
/// A tag in place of a value is alike where the value is.
fn is_concealed(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            let is_mark = members.len() == 1
                && (members.get("redacted") == Some(&Value::Bool(true)) || members.contains_key("committed"));
            is_mark || members.values().any(is_concealed)
        }
        Value::Array(items) => items.iter().any(is_concealed),
        _ => false,
    }
}

/// A question in a line.
fn shown(asked: &Value) -> String {
    let text = |pointer: &str| asked.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let party = |name: &str| format!("{}:{}", text(&format!("/{name}/type")), text(&format!("/{name}/id")));
    format!("{} {} {}", party("subject"), text("/action/name"), party("resource"))
}

#[cfg(test)]
mod tests;
