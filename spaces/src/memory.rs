//! All that an engine remembers, as text: what its `Debug` writes, with every time as a distance from now.
//!
//! An engine is deterministic: what it answers hangs on what it remembers and on what it is told. So two engines whose
//! memories are equal decide alike from then on, whatever comes. What is left out of the text has to be named, with its
//! reason; a field that somebody adds is in it by itself, and can only tell more nodes apart.

use fallgate::Engine;
use fallgate::time::{Monotonic, Now};

/// What never decides: what was set up once, what waits to be read by the host, what is counted, and what takes turns. Of a
/// bundle its digest is written, which says all of it. The highest reading of the clock is now, where none goes back.
const APART: [&str; 10] =
    ["config", "journal", "inputs", "outbox", "measures", "collector", "seed", "rows", "limits", "high_water"];

/// What tells that something has changed since an earlier answer was kept, or a state exported: counts that grow for ever.
/// They decide nothing where every state goes into a new engine, and no answer is kept, which such a space checks, or of
/// each is told what they say of it ([`Telling::answers`]).
pub const CHANGES: [&str; 11] = [
    "activation",
    "activations",
    "changed",
    "changes",
    "leaves_looked_at",
    "loss",
    "other_changes",
    "restored",
    "sequence_ahead",
    "stamp",
    "turns",
];

/// What only says how often and when something was, for events and overviews.
pub const TOLD: [&str; 4] = ["activated_at", "counts", "refusals", "codes"];

/// How the memory of an engine is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'t> {
    /// Fields that decide nothing in this space.
    pub without: &'t [&'t [&'t str]],
    /// Fields that count, where nothing in this space asks for more than one: more is written as one.
    pub once: &'t [&'t str],
    /// Whether answers are kept: one on which something has changed is told as void, since no count ever comes back. The
    /// bundle has one action, and no scopes.
    pub answers: bool,
    /// A time that is longer ago than this is long ago: every span of the space's packs is over by then.
    pub long_ago_ms: i64,
}

impl Telling<'static> {
    /// Without counts of changes and what is only told: what most spaces take, with a span of their own.
    pub const PLAIN: Self = Self { without: &[&CHANGES, &TOLD], once: &[], answers: false, long_ago_ms: 1_000_000 };
}

impl Telling<'_> {
    /// All that the engine remembers, as of now.
    #[must_use]
    pub fn of(&self, engine: &Engine, now: Now) -> String {
        // A public key writes one parenthesis more than it opens.
        let mut text = format!("{engine:?}").replace("), EdwardsPoint{", ", EdwardsPoint{");
        if self.answers {
            text = without_void_answers(&text);
        }
        let mut reader = Reader { rest: &text, telling: self, now };
        let told = reader.value();
        assert!(reader.rest.is_empty(), "what an engine writes of itself was read up to {:.80}", reader.rest);
        told
    }
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let told = text.split_once(from).and_then(|(_, rest)| rest.split_once(to));
    told.unwrap_or_else(|| panic!("an engine writes no `{from}…{to}` of itself any more")).0
}

/// The text without what an answer says on which something has changed: its stamp is another one than an answer to the same
/// question would be given now.
fn without_void_answers(text: &str) -> String {
    let signals = between(between(text, "needs: [Need {", "}]"), "stamp: Stamp { ", ", posture: ");
    let posture = between(text, "in_force: InForce { everywhere: ", " }");
    let changes = between(between(text, "quarantine: Quarantine {", "conditions: "), ", changes: ", ",");
    let stamp = format!("stamp: Stamp {{ {signals}, posture: {posture} }}, quarantine: {changes} }} }}, used: ");
    let mut answers = text.split("Answer { ");
    let mut told = answers.next().unwrap_or_default().to_owned();
    for answer in answers {
        if answer.contains(&stamp) {
            told += "Answer { ";
            told += answer;
        } else {
            told += "Answer { void }, used: ";
            told += answer.split_once("}, used: ").expect("an entry says whether it was used").1;
        }
    }
    told
}

struct Reader<'r> {
    rest: &'r str,
    telling: &'r Telling<'r>,
    now: Now,
}

impl<'r> Reader<'r> {
    fn take(&mut self, length: usize) -> &'r str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn eat(&mut self, text: &str) -> bool {
        let eaten = self.rest.strip_prefix(text);
        self.rest = eaten.unwrap_or(self.rest);
        eaten.is_some()
    }

    /// A word, a number, a text or a letter: all up to what opens, closes or parts.
    fn atom(&mut self) -> &'r str {
        let bytes = self.rest.as_bytes();
        if let Some(quote @ (b'"' | b'\'')) = bytes.first() {
            let mut at = 1;
            while bytes[at] != *quote {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            return self.take(at + 1);
        }
        let ends = |at: &usize| match bytes[*at] {
            b'{' | b'}' | b'(' | b')' | b'[' | b']' | b',' => true,
            b':' => bytes.get(at + 1) == Some(&b' '),
            _ => false,
        };
        self.take((0..bytes.len()).find(ends).unwrap_or(bytes.len()))
    }

    fn value(&mut self) -> String {
        let atom = self.atom();
        match self.rest.as_bytes().first() {
            Some(b'(') if atom == "Monotonic" => self.monotonic(),
            Some(b'(') if atom == "Wall" => self.wall(),
            Some(b'(') => format!("{atom}({})", self.parts(")", false)),
            Some(b'[') => format!("{atom}[{}]", self.parts("]", false)),
            // A map or a set comes in the order of its hashes; a structure in its own.
            Some(b'{') => format!("{atom}{{{}}}", self.parts("}", atom.is_empty())),
            _ => atom.to_owned(),
        }
    }

    /// What stands under a name.
    fn told(&mut self, name: &str) -> String {
        let value = self.value();
        match value.parse::<u64>() {
            Ok(count) if self.telling.once.contains(&name) => count.min(1).to_string(),
            _ => value,
        }
    }

    fn parts(&mut self, end: &str, sorted: bool) -> String {
        self.take(1);
        let mut parts = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.eat(end) {
                break;
            }
            let before = self.rest;
            let name = self.value();
            assert!(self.rest.len() < before.len(), "what an engine writes of itself was read up to {before:.80}");
            let part = if self.eat(": ") { format!("{name}: {}", self.told(&name)) } else { name.clone() };
            let without = [&APART as &[&str]].iter().chain(self.telling.without).any(|apart| apart.contains(&&*name));
            if !without {
                parts.push(part);
            }
            self.rest = self.rest.trim_start();
            self.eat(",");
        }
        if sorted {
            parts.sort();
        }
        parts.join(", ")
    }

    fn number<N: std::str::FromStr<Err: std::fmt::Debug>>(&mut self) -> N {
        self.take(1);
        let number = self.atom().parse().expect("a time is a number");
        assert!(self.eat(")"), "a time is one number");
        number
    }

    fn monotonic(&mut self) -> String {
        let nanos: u64 = self.number();
        if nanos == Monotonic::NEVER.as_nanos() {
            return "never".to_owned();
        }
        self.distance(i128::from(nanos) - i128::from(self.now.monotonic.as_nanos()))
    }

    fn wall(&mut self) -> String {
        let nanos: i64 = self.number();
        self.distance(i128::from(nanos) - i128::from(self.now.wall.as_nanos()))
    }

    fn distance(&self, nanos: i128) -> String {
        if nanos < i128::from(self.telling.long_ago_ms) * -1_000_000 {
            "long ago".to_owned()
        } else {
            nanos.to_string()
        }
    }
}
