//! A program of reports, postures, flags, quarantines and ticks: what is allowed was seen to be well, lately; and a deny is
//! never lifted by one thing less.
//!
//! Two whole lives with different losses cannot be compared: a posture that is entered earlier is also left earlier. So two
//! engines are told the same up to one moment, then one of them loses something, and both are asked at that moment.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fallgate::condition::Status;
use fallgate::policy::bundle::Bundle;
use fallgate::state::signals::Observed;
use fallgate::time::Monotonic;
use fallgate::{Config, Decision, Engine, Observation, Reason};
use fallgate_fuzz::bound::within;
use fallgate_fuzz::program::Program;
use fallgate_fuzz::{at, bundle_of};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value as Json, json};

const STEPS: usize = 80;
const SIGNALS: [&str; 6] = ["idp", "store", "risk", "a", "b", "c"];
const POSTURES: [&str; 3] = ["careful", "read-only", "lockdown"];
const SCOPES: [Option<&str>; 3] = [None, Some("tenant:x"), Some("tenant:y")];
/// The signals that are reported by themselves, and for how long a report holds, in milliseconds.
const TTLS: [(&str, u64); 3] = [("idp", 3_000), ("store", 8_000), ("risk", 20_000)];
/// What each action requires of them.
const ACTIONS: [(&str, &[&str]); 5] =
    [("read", &["idp"]), ("write", &["idp", "store"]), ("list", &["risk"]), ("ping", &[]), ("pay", &["store"])];

static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| {
    bundle_of(&json!({
        "fallgate": 1, "name": "signals", "revision": 1,
        "schema": {
            "subject": { "user": { "level": "int" } },
            "resource": { "doc": { "tenant": { "type": "string", "optional": true } } },
        },
        "signals": {
            "idp": { "ttl": "3s", "recover": { "oks": 2 } }, "store": { "ttl": "8s", "recover": { "for": "1s" } },
            "risk": { "ttl": "20s" }, "a": { "ttl": "5s" }, "b": { "ttl": "5s" }, "c": { "ttl": "9s" },
            "quorum": { "ttl": "9s", "quorum": { "of": ["a", "b", "c"], "need": 2 } },
        },
        "scopes": { "tenant": "resource.tenant" },
        "actions": {
            "read": { "class": "read", "requires": ["idp"], "cache": { "allow": "9s", "deny": "2s" } },
            "write": { "requires": ["idp", "store"], "on_failure": "minimal", "cache": { "allow": "5s" } },
            "list": { "class": "read", "requires": ["risk"], "cache": { "allow": "1h" } },
            "ping": { "class": "read", "cache": { "allow": "30s", "deny": "30s" } },
            "pay": { "requires": ["store", "quorum"], "cache": { "allow": "6s" } },
        },
        "postures": [
            { "name": "careful", "rank": 1, "permits": { "when": "subject.level >= 3" }, "leave": { "stable": "1s" },
              "enter": { "when": "!signals.risk.ok", "for": "2s" }, "escalate": { "to": "lockdown", "after": "15s" } },
            { "name": "read-only", "rank": 2, "permits": { "classes": ["read"] }, "enter": { "when": "signals.store.failed" },
              "leave": { "stable": "2s", "dwell": "3s", "checks": ["store"], "back_off": { "within": "20s", "max": "15s" } } },
            { "name": "lockdown", "rank": 9, "permits": { "actions": ["ping"] }, "leave": { "dwell": "2s" } },
        ],
        "flags": { "stop": { "posture": "read-only", "owner": "sre", "max_age": "1h" } },
        "rules": [
            { "id": "levels", "effect": "allow", "when": "subject.level >= 1" },
            { "id": "safe", "effect": "allow", "action": "write", "minimal": true, "when": "subject.level >= 9" },
            { "id": "quorate", "effect": "allow", "action": ["ping", "list"], "when": "signals.quorum.ok" },
            { "id": "c-failed", "effect": "deny", "action": ["ping", "read"], "when": "signals.c.failed" },
            { "id": "strict", "effect": "deny", "action": "list", "when": "posture.rank >= 2 && subject.level < 5" },
        ],
    }))
});

/// Every question that there is.
static QUESTIONS: LazyLock<Vec<(usize, Vec<u8>)>> = LazyLock::new(|| {
    let mut questions = Vec::new();
    for (number, (action, _)) in ACTIONS.iter().enumerate() {
        for (level, tenant) in [(0, "x"), (2, "y"), (4, "x"), (9, "z")] {
            let question = json!({
                "subject": { "type": "user", "id": format!("u{level}"), "properties": { "level": level } },
                "action": { "name": action },
                "resource": { "type": "doc", "id": "d", "properties": { "tenant": tenant } },
            });
            questions.push((number, question.to_string().into_bytes()));
        }
    }
    questions
});

/// An engine, and what a reader of the reports alone can say.
struct Told {
    engine: Engine,
    ms: u64,
    /// When each signal was last reported ok, where nothing worse was reported since.
    seen: BTreeMap<&'static str, u64>,
}

impl Told {
    fn new() -> Self {
        let engine = Engine::new(Config::default());
        assert_eq!(engine.activate(BUNDLE.clone(), at(0)), Ok(()));
        Self { engine, ms: 0, seen: BTreeMap::new() }
    }

    fn operate(&self, operation: &Json) {
        // Whether it was done is not what is looked at.
        let _ = self.engine.operate_json(operation.to_string().as_bytes(), at(self.ms));
    }

    fn report(&mut self, signal: &'static str, status: Status, ago: Option<u64>) {
        let mut observation = Observation::new(signal, status);
        let observed = ago.map_or(self.ms, |ago| self.ms.saturating_sub(ago));
        observation.observed_at = ago.map(|_| Monotonic::from_millis(observed));
        let taken = self.engine.observe(&observation, at(self.ms));
        match (taken, status) {
            (Observed::Taken, Status::Ok) => drop(self.seen.insert(signal, observed)),
            (Observed::Taken, _) => drop(self.seen.remove(signal)),
            _ => {}
        }
    }

    fn place(program: &mut Program<'_>) -> Json {
        let posture = program.pick(&POSTURES);
        match program.pick(&SCOPES) {
            None => json!({ "posture": posture }),
            Some(scope) => json!({ "posture": posture, "scope": scope }),
        }
    }

    /// What takes away and gives nothing.
    fn lose(&mut self, program: &mut Program<'_>) {
        match program.below(6) {
            0 => self.operate(&json!({ "enter_posture": Self::place(program) })),
            1 => self.operate(&json!({ "set_flag": { "flag": "stop" } })),
            2 => {
                let what = program.pick(&[
                    r#"{"subject":{"type":"user","id":"u2"}}"#,
                    r#"{"scope":"tenant:x"}"#,
                    r#""everything""#,
                ]);
                let what: Json = serde_json::from_str(what).unwrap_or_default();
                self.operate(&json!({ "quarantine": { "what": what, "for": "4s" } }));
            }
            3 => self.operate(&json!({ "revoke": { "type": "user", "id": "u4" } })),
            _ => {
                // That something is degraded says more than nothing does: it has not failed.
                let (signal, status) = (program.pick(&SIGNALS), program.pick(&[Status::Failed, Status::Unknown]));
                self.report(signal, status, None);
            }
        }
    }

    fn step(&mut self, program: &mut Program<'_>) {
        match program.below(16) {
            0..=3 => self.ms += program.millis(),
            4..=9 => {
                let (signal, status) =
                    (program.pick(&SIGNALS), program.pick(&[Status::Ok, Status::Ok, Status::Ok, Status::Failed]));
                let ago = program.once_in(8).then(|| u64::from(program.byte()) * 40);
                self.report(signal, status, ago);
            }
            10 => SIGNALS.iter().for_each(|signal| self.report(signal, Status::Ok, None)),
            11 => self.operate(&json!({ "leave_posture": Self::place(program) })),
            12 => self.operate(&json!({ "clear_flag": { "flag": "stop" } })),
            13 => self.operate(&json!({ "lift_quarantine": { "scope": "tenant:x" } })),
            14 => self.engine.advance(at(self.ms)),
            _ => self.lose(program),
        }
    }

    fn ask(&self) -> Vec<Decision> {
        let now = at(self.ms);
        let answers: Vec<Decision> =
            QUESTIONS.iter().map(|(_, question)| self.engine.decide_json(question, now)).collect();
        for ((action, _), answer) in QUESTIONS.iter().zip(&answers) {
            let (action, required) = ACTIONS[*action];
            let fresh = |signal: &&str| {
                let ttl = TTLS.iter().find(|(name, _)| name == signal).map_or(0, |(_, ttl)| *ttl);
                self.seen.get(signal).is_some_and(|seen| self.ms - seen <= ttl)
            };
            if answer.reason() == Reason::AllowedByRule {
                assert!(required.iter().all(fresh), "{action} at {} with {:?}", self.ms, self.seen);
            }
            assert!(
                answer.expires_at().as_nanos() < u64::MAX || !answer.is_allow(),
                "an allow that never ends: {answer:?}"
            );
        }
        answers
    }
}

fuzz_target!(|bytes: &[u8]| {
    within(100, || {
        let mut program = Program::of(bytes);
        // What is lost comes first, so that a longer life keeps it.
        let mut loss = program;
        program = Program::of(program.rest().get(4..).unwrap_or_default());
        let (mut more, mut less) = (Told::new(), Told::new());
        for _ in 0..STEPS {
            if program.is_over() {
                break;
            }
            let mut same = program;
            more.step(&mut program);
            less.step(&mut same);
            if program.byte() & 7 == 0 {
                // Both are asked, so that both keep the same answers.
                more.ask();
                less.ask();
            }
        }
        less.lose(&mut loss);
        for (more, less) in more.ask().into_iter().zip(less.ask()) {
            assert!(more.is_allow() || !less.is_allow(), "{less:?}\nand, knowing more, {more:?}");
        }
    });
});
