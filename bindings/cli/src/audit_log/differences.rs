//! Where engines that should decide alike do not, as their records tell it in the order of time.
//!
//! Engines are compared by what they said lately. What differs is told once, while it goes on.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use fallgate::audit::record::RecordKind;
use fallgate::audit::verify::Record;
use fallgate::time::Ttl;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// How many questions are remembered: more than engines answer alike in a minute, and bounded.
const QUESTIONS_MAX: usize = 100_000;

/// How many bundles, revisions and epochs.
const NAMES_MAX: usize = 10_000;

/// Bytes of a text that is kept: more than a name or a reason has, since nothing says that an engine wrote the chain.
const TEXT_BYTES_MAX: usize = 128;

/// What engines differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One allows what another one denies: it said so before and after the other one said otherwise.
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
    /// Since when the engine has said so, without a word to the contrary.
    since: i128,
    allows: bool,
    says: String,
}

/// What each chain says of a question, and of which two was told that they differ.
#[derive(Debug, Default)]
struct Asked {
    answers: BTreeMap<usize, Answer>,
    told: BTreeSet<[usize; 2]>,
}

/// When an engine was first and last seen to decide by a revision, without a pause.
#[derive(Clone, Copy, Debug)]
struct Seen {
    first: i128,
    last: i128,
}

/// By which revisions of a bundle each chain decides, and of which two was told that they differ.
#[derive(Debug, Default)]
struct Standing {
    revisions: BTreeMap<usize, BTreeMap<u64, Seen>>,
    told: BTreeSet<[usize; 2]>,
}

/// The digest of what was asked: a question may be long.
type Question = [u8; 32];

/// Reads records in the order of time, and finds where their engines differ.
#[derive(Debug)]
pub struct Differences {
    within: i128,
    questions: HashMap<Question, Asked>,
    /// The questions in the order of their answers, an entry for each.
    order: VecDeque<(i128, Question)>,
    /// How many answers could not be compared.
    uncompared: u64,
    /// By bundle.
    standings: BTreeMap<String, Standing>,
    /// By bundle and revision: the digest by which each chain knows it.
    bundles: BTreeMap<(String, u64), BTreeMap<usize, String>>,
    /// By epoch: the chain that became active with it.
    active: BTreeMap<u64, usize>,
}

const fn pair(one: usize, other: usize) -> [usize; 2] {
    if one < other { [one, other] } else { [other, one] }
}

impl Differences {
    /// Answers are compared that lie no farther apart, and engines may decide by other revisions for so long.
    #[must_use]
    pub fn within(span: Ttl) -> Self {
        Self {
            within: i128::from(span.as_nanos()),
            questions: HashMap::new(),
            order: VecDeque::new(),
            uncompared: 0,
            standings: BTreeMap::new(),
            bundles: BTreeMap::new(),
            active: BTreeMap::new(),
        }
    }

    /// How many answers could not be compared, since something of their questions was left out or committed to.
    #[must_use]
    pub const fn uncompared(&self) -> u64 {
        self.uncompared
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
        let bundle = said("bundle").and_then(Value::as_str).filter(|bundle| bundle.len() <= TEXT_BYTES_MAX);
        let mut found = Vec::new();
        if let (Some(bundle), Some(revision)) = (bundle, said("revision").and_then(Value::as_u64)) {
            found.extend(self.decides_by(chain, at, bundle, revision));
        }
        let allows = body.pointer("/decision/decision").and_then(Value::as_bool);
        let (Some(allows), Some(reason)) = (allows, said("reason").and_then(Value::as_str)) else { return found };
        let Some(asked) = body.get("request").and_then(Value::as_object) else { return found };
        if is_concealed(asked) {
            self.uncompared = self.uncompared.saturating_add(1);
            return found;
        }
        let reason = reason.chars().take(TEXT_BYTES_MAX).collect::<String>();
        let says = format!("{} ({reason})", if allows { "allows" } else { "denies" });
        found.extend(self.answers(asked, bundle.unwrap_or_default(), chain, Answer { at, since: at, allows, says }));
        found
    }

    fn event(&mut self, chain: usize, at: i128, body: &Value) -> Vec<Found> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| text.len() <= TEXT_BYTES_MAX);
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        match (text("event"), number("epoch")) {
            (Some("bundle_activated"), _) => match (text("bundle"), number("revision"), text("digest")) {
                (Some(bundle), Some(revision), Some(digest)) => {
                    let mut found = self.knows(chain, bundle, revision, digest);
                    found.extend(self.decides_by(chain, at, bundle, revision));
                    found
                }
                _ => Vec::new(),
            },
            (Some("took_over"), Some(epoch)) => {
                let before = self.active.insert(epoch, chain).filter(|before| *before != chain);
                bound(&mut self.active);
                let says = || ["took over", "took over"].map(str::to_owned);
                before.map(|other| (Kind::Active, Some(other), says(), format!("epoch {epoch}"))).into_iter().collect()
            }
            (Some("split_brain"), epoch) => {
                let says = ["is active".to_owned(), format!("{} is active", text("instance").unwrap_or_default())];
                vec![(Kind::Active, None, says, format!("epoch {}", epoch.unwrap_or_default()))]
            }
            _ => Vec::new(),
        }
    }

    /// Notes which bundle an engine knows by a name and a revision; gives one that knows another by them.
    fn knows(&mut self, chain: usize, bundle: &str, revision: u64, digest: &str) -> Vec<Found> {
        let known = self.bundles.entry((bundle.to_owned(), revision)).or_default();
        let other = known.iter().find(|(other, known)| **other != chain && *known != digest);
        let other = other.map(|(other, known)| (*other, known.clone()));
        let is_news = known.insert(chain, digest.to_owned()).is_none_or(|before| before != digest);
        bound(&mut self.bundles);
        let says = |(from, known): (usize, String)| {
            (Kind::Bundles, Some(from), [digest.to_owned(), known], format!("{bundle} {revision}"))
        };
        other.filter(|_| is_news).map(says).into_iter().collect()
    }

    /// Notes by which revision an engine decides; gives the engines that have decided by none of its revisions for too long.
    /// One that is in a rollout decides by two; one that was not heard of lately is not compared.
    fn decides_by(&mut self, chain: usize, at: i128, bundle: &str, revision: u64) -> Vec<Found> {
        let within = self.within;
        let Standing { revisions, told } = self.standings.entry(bundle.to_owned()).or_default();
        let seen = revisions.entry(chain).or_default().entry(revision).or_insert(Seen { first: at, last: at });
        if at.saturating_sub(seen.last) > within {
            seen.first = at;
        }
        seen.last = at;
        for seen in revisions.values_mut() {
            seen.retain(|_, seen| at.saturating_sub(seen.last) <= within);
        }
        let settled = |seen: &BTreeMap<u64, Seen>| seen.values().all(|seen| at.saturating_sub(seen.first) > within);
        let says = |seen: &BTreeMap<u64, Seen>| {
            let revisions: Vec<String> = seen.keys().map(u64::to_string).collect();
            format!("decides by revision {}", revisions.join(" and "))
        };
        let mut found = Vec::new();
        let Some(ours) = revisions.get(&chain) else { return found };
        for (other, theirs) in revisions.iter().filter(|(other, theirs)| **other != chain && !theirs.is_empty()) {
            if theirs.keys().any(|revision| ours.contains_key(revision)) {
                told.remove(&pair(chain, *other));
            } else if settled(ours) && settled(theirs) && told.insert(pair(chain, *other)) {
                found.push((Kind::Revisions, Some(*other), [says(ours), says(theirs)], bundle.to_owned()));
            }
        }
        bound(&mut self.standings);
        found
    }

    /// Notes an answer; gives the engines that said otherwise between this answer and one before that was the same. A change
    /// that reaches all engines, each in its moment, is then no difference.
    fn answers(&mut self, asked: &Map<String, Value>, bundle: &str, chain: usize, answer: Answer) -> Vec<Found> {
        let (at, within) = (answer.at, self.within);
        let digest = Sha256::new().chain_update(bundle).chain_update([0]).chain_update(question(asked).to_string());
        let question: Question = digest.finalize().into();
        self.forget(at);
        let Asked { answers, told } = self.questions.entry(question).or_default();
        let before = answers.get(&chain).filter(|before| before.allows == answer.allows);
        let (before, since) = before.map_or((None, at), |before| (Some(before.at), before.since));
        let mut found = Vec::new();
        for (other, theirs) in answers.iter().filter(|(other, _)| **other != chain) {
            let is_between = before.is_some_and(|before| before <= theirs.at && at.saturating_sub(theirs.at) <= within);
            if theirs.allows == answer.allows {
                told.remove(&pair(chain, *other));
            } else if is_between && told.insert(pair(chain, *other)) {
                found.push((Kind::Answers, Some(*other), [answer.says.clone(), theirs.says.clone()], shown(asked)));
            }
        }
        answers.insert(chain, Answer { since, ..answer });
        self.order.push_back((at, question));
        found
    }

    /// Forgets what was asked so long ago that no answer of now is compared with it, and more where there is no room.
    fn forget(&mut self, now: i128) {
        let within = self.within;
        let is_old = |(at, _): &(i128, Question)| now.saturating_sub(*at) > within;
        while self.order.len() >= QUESTIONS_MAX || self.order.front().is_some_and(is_old) {
            let Some((at, question)) = self.order.pop_front() else { return };
            if let Some(asked) = self.questions.get_mut(&question) {
                asked.answers.retain(|_, answer| answer.at > at);
                if asked.answers.is_empty() {
                    self.questions.remove(&question);
                }
            }
        }
    }
}

/// Keeps a map within its bound: the least key goes.
fn bound<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    while map.len() > NAMES_MAX {
        map.pop_first();
    }
}

/// In what, from whom, what each says, and what it is about.
type Found = (Kind, Option<usize>, [String; 2], String);

/// What a decision was asked, so that equal values are equal questions.
fn question(asked: &Map<String, Value>) -> Value {
    let mut asked = asked.clone();
    // What the host calls it is another name on each engine.
    asked.remove("request_id");
    asked.remove("traceparent");
    Value::Object(asked)
}

/// Whether an attribute is left out or committed to, or a text conceals another: then two that are not alike may look alike,
/// or the other way round. A tag in place of a value is alike where the value is.
fn is_concealed(asked: &Map<String, Value>) -> bool {
    asked.values().any(|entity| match entity {
        Value::Object(attributes) => attributes.values().any(conceals),
        other => conceals(other),
    })
}

fn conceals(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            let is_mark = members.len() == 1
                && (members.get("redacted") == Some(&Value::Bool(true)) || members.contains_key("committed"));
            is_mark || members.values().any(conceals)
        }
        Value::Array(items) => items.iter().any(conceals),
        Value::String(text) => text.contains("[redacted]"),
        _ => false,
    }
}

/// A question in a line.
fn shown(asked: &Map<String, Value>) -> String {
    let text =
        |of: &str, name: &str| asked.get(of).and_then(|of| of.get(name)).and_then(Value::as_str).unwrap_or_default();
    let party = |of: &str| format!("{}:{}", text(of, "type"), text(of, "id"));
    format!("{} {} {}", party("subject"), text("action", "name"), party("resource"))
}

#[cfg(test)]
mod tests;
