//! Proposals, approvals and withdrawals, signed rightly and in every wrong way: fewer distinct approvers than the pack demands give
//! no override, and let nobody leave a posture; and an override is over after its window and its uses.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use data_encoding::{BASE64, HEXLOWER};
use fallgate::operation::Outcome;
use fallgate::policy::bundle::Bundle;
use fallgate::state::statement::Purpose;
use fallgate::{Config, Engine, Reason};
use fallgate_fuzz::bound::within;
use fallgate_fuzz::change::change;
use fallgate_fuzz::people::{public, signature};
use fallgate_fuzz::program::Program;
use fallgate_fuzz::{at, bundle_of};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

const STEPS: usize = 60;
/// How a person is written: as the pack has it, and as somebody might get past it.
const NAMES: [&str; 12] = ["ann", "bob", "cid", "dan", "eve", "mallory", "ANN", "ann ", "аnn", "", "ann\0", "sre"];
const SRE: [&str; 3] = ["ann", "bob", "cid"];
const SECURITY: [&str; 4] = ["bob", "cid", "dan", "eve"];
/// Who is approver and subject at once.
const BENEFICIARY: (&str, &str) = ("eve", "user:u1");
const SUBJECTS: [&str; 3] = ["user:u1", "user:u2", "user:u3"];
const ACTIONS: [&str; 2] = ["wipe", "move"];
const WINDOW_MS: u64 = 20_000;

static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| {
    let keyed = |name: &str| json!(public(name));
    bundle_of(&json!({
        "fallgate": 1, "name": "approvals", "revision": 1,
        "actions": { "wipe": {}, "move": {}, "read": {} },
        "postures": [{ "name": "careful", "rank": 3, "permits": { "actions": ["read"] }, "leave": { "approvals": { "need": 2, "from": "sre" } } }],
        "approvers": {
            "sre": { "ann": keyed("ann"), "bob": keyed("bob"), "cid": keyed("cid") },
            "security": {
                "bob": keyed("bob"), "cid": keyed("cid"), "dan": keyed("dan"),
                "eve": { "key": keyed("eve"), "subject": BENEFICIARY.1 },
            },
        },
        "overrides": { "need": 2, "from": "security", "max_window": "20s", "max_uses": 3 },
        "rules": [
            { "id": "read", "effect": "allow", "action": "read" },
            { "id": "vault", "effect": "deny", "absolute": true, "resource": { "id": "vault" } },
        ],
    }))
});

/// A proposal that was made, as the one who made it knows it.
struct Made {
    document: Json,
    by: &'static str,
    /// Whom it lets do what; nothing where it leaves the posture.
    lets: Option<(&'static str, &'static str)>,
    /// Whether the engine took it.
    taken: bool,
    approved_by: BTreeSet<&'static str>,
    last_ms: u64,
    uses: u32,
    used: u32,
}

/// Mostly one of the approvers, by a name that is theirs.
fn who(program: &mut Program<'_>) -> &'static str {
    if program.once_in(3) { program.pick(&NAMES) } else { program.pick(&NAMES[..5]) }
}

/// What is signed of a proposal; nothing where it has no canonical form.
fn bytes_of(document: &Json) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(document).unwrap_or_default()
}

fn id_of(document: &Json) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes_of(document)))
}

/// A signature of a statement, and whether it is that person's, of these bytes and for this purpose.
fn signed(by: &str, purpose: Purpose, bytes: &[u8], other: &[u8], program: &mut Program<'_>) -> (String, bool) {
    let right = signature(by, &purpose.encoding(bytes));
    match program.below(16) {
        0 => (BASE64.encode(&signature(by, &Purpose::Checkpoint.encoding(bytes))), false),
        1 if purpose != Purpose::Withdrawal => {
            (BASE64.encode(&signature(by, &Purpose::Withdrawal.encoding(bytes))), false)
        }
        2 => (BASE64.encode(&signature("mallory", &purpose.encoding(bytes))), by == "mallory"),
        3 => (BASE64.encode(&signature(by, &purpose.encoding(other))), bytes == other),
        4 => {
            let mut wrong = right;
            wrong[program.below(64)] ^= 1 << program.below(8);
            (BASE64.encode(&wrong), false)
        }
        5 => (BASE64.encode(&right[..63]), false),
        6 => (String::new(), false),
        7 => (HEXLOWER.encode(&signature(by, bytes)), false),
        8 => (HEXLOWER.encode(&right), true),
        _ => (BASE64.encode(&right), true),
    }
}

struct Life {
    engine: Engine,
    ms: u64,
    made: Vec<Made>,
    /// Whether the posture was entered, and not left since.
    careful: bool,
}

impl Life {
    fn operate(&self, operation: &Json) -> Result<Outcome, String> {
        let done = self.engine.operate_json(operation.to_string().as_bytes(), at(self.ms));
        done.map_err(|error| error.code().to_owned())
    }

    fn propose(&mut self, program: &mut Program<'_>) {
        let by = who(program);
        let lets = (!program.once_in(3)).then(|| (program.pick(&SUBJECTS), program.pick(&ACTIONS)));
        let uses = u32::from(program.byte() % 5);
        let operation = match lets {
            Some((subject, action)) => json!({ "grant_override": {
                "subjects": [subject], "actions": [action], "resources": ["doc:*"],
                "for": format!("{}ms", if program.once_in(4) { WINDOW_MS + 1 } else { WINDOW_MS }), "uses": uses,
            } }),
            None => json!({ "leave_posture": { "posture": "careful" } }),
        };
        let time = |ms: u64| at(ms).wall.to_string();
        let issued = if program.once_in(8) { self.ms + 1 } else { self.ms };
        let mut document = json!({
            "fallgate": "proposal/1", "bundle": "approvals", "operation": operation, "by": by, "reason": "a fuzzer",
            "issued_at": time(issued), "expires_at": time(issued + 60_000), "nonce": self.made.len().to_string(),
        });
        let bytes = bytes_of(&document);
        let other = self.made.last().map_or(bytes.clone(), |made| bytes_of(&made.document));
        let (signature, is_right) = signed(by, Purpose::Proposal, &bytes, &other, program);
        if program.once_in(6) {
            change(&mut document, program);
        }
        let is_changed = bytes_of(&document) != bytes;
        let done = self.operate(&json!({ "propose": { "proposal": document, "signature": signature } }));
        let taken = done.is_ok();
        if taken {
            assert!(is_right && !is_changed, "a proposal was taken that nobody signed: {document}");
            assert!(SRE.contains(&by) || SECURITY.contains(&by), "`{by}` is no approver");
        }
        self.made.push(Made { document, by, lets, taken, approved_by: BTreeSet::new(), last_ms: 0, uses, used: 0 });
    }

    fn approve(&mut self, program: &mut Program<'_>) {
        let back = program.below(3);
        let (Some(number), by) = (self.made.len().checked_sub(back + 1), who(program)) else { return };
        let made = &self.made[number];
        let (bytes, other) = (bytes_of(&made.document), bytes_of(&self.made[0].document));
        let (signature, is_right) = signed(by, Purpose::Approval, &bytes, &other, program);
        let id = id_of(&made.document);
        let done = self.operate(&json!({ "approve": { "proposal": id, "by": by, "signature": signature } }));
        // An approval that counts may yet wait for something, and what waits may be refused at the end.
        let counts = done.is_ok();
        let ms = self.ms;
        let made = &mut self.made[number];
        if !counts {
            return;
        }
        let group: &[&str] = if made.lets.is_some() { &SECURITY } else { &SRE };
        assert!(is_right, "an approval counts that `{by}` did not sign");
        assert!(made.taken && group.contains(&by) && by != made.by, "`{by}` may not approve {}", made.document);
        let benefits = made.lets.is_some_and(|(subject, _)| (by, subject) == BENEFICIARY);
        assert!(!benefits, "`{by}` approves what is to his own benefit");
        assert!(made.approved_by.insert(by), "the approval of `{by}` counts twice");
        made.last_ms = ms;
    }

    fn withdraw(&mut self, program: &mut Program<'_>) {
        let (Some(made), by) = (self.made.last_mut(), who(program)) else { return };
        let bytes = bytes_of(&made.document);
        let (signature, is_right) = signed(by, Purpose::Withdrawal, &bytes, &bytes, program);
        let id = id_of(&made.document);
        let withdraw = json!({ "withdraw": { "proposal": id, "by": by, "signature": signature } });
        let done = self.engine.operate_json(withdraw.to_string().as_bytes(), at(self.ms));
        if done.is_ok() {
            assert!(is_right, "a proposal was withdrawn by nobody");
            // It was open, so it has not brought anything about.
            made.approved_by.clear();
            made.taken = false;
        }
    }

    /// Asks whether somebody may do something, and looks whether anybody gave him leave.
    fn ask(&mut self, program: &mut Program<'_>) {
        let last = self.made.iter().rev().find_map(|made| made.lets).filter(|_| program.once_in(2));
        let (subject, action) = last.unwrap_or_else(|| (program.pick(&SUBJECTS), program.pick(&ACTIONS)));
        let resource = program.pick(&["d", "vault"]);
        let request = json!({
            "subject": { "type": "user", "id": subject.trim_start_matches("user:") }, "action": { "name": action },
            "resource": { "type": "doc", "id": resource },
        });
        let decision = self.engine.decide_json(request.to_string().as_bytes(), at(self.ms));
        if !decision.is_allow() {
            return;
        }
        assert_eq!(decision.reason(), Reason::AllowedByOverride, "{decision:?}");
        assert_eq!(resource, "d", "an absolute rule was overridden: {decision:?}");
        let ms = self.ms;
        let id = decision.override_id().unwrap_or_default().to_owned();
        let made = self.made.iter_mut().find(|made| made.taken && id_of(&made.document) == id);
        let Some(made) = made else { panic!("an override that nobody proposed: {decision:?}") };
        assert_eq!(made.lets, Some((subject, action)), "it covers something else: {}", made.document);
        assert!(made.approved_by.len() >= 2, "{:?} approved {}", made.approved_by, made.document);
        assert!(ms < made.last_ms + WINDOW_MS, "it is {ms}, and was granted at {}", made.last_ms);
        made.used += 1;
        assert!(made.used <= made.uses.min(3), "it was used {} times: {}", made.used, made.document);
    }

    fn step(&mut self, program: &mut Program<'_>) {
        match program.below(12) {
            0..=1 => self.propose(program),
            2..=5 => self.approve(program),
            6..=7 => self.ask(program),
            8 if program.once_in(4) => self.ms += WINDOW_MS,
            8 => self.ms += program.millis(),
            9 => self.withdraw(program),
            10 => {
                self.careful |= self.operate(&json!({ "enter_posture": { "posture": "careful" } })).is_ok();
            }
            _ => drop(self.operate(&json!({ "leave_posture": { "posture": "careful" } }))),
        }
        if !self.careful || self.engine.posture(None).is_some_and(|posture| posture.as_str() == "careful") {
            return;
        }
        let two_approved =
            |made: &&mut Made| made.taken && made.lets.is_none() && made.used == 0 && made.approved_by.len() >= 2;
        let Some(made) = self.made.iter_mut().find(two_approved) else { panic!("it was left without two approvers") };
        (made.used, self.careful) = (1, false);
    }
}

fuzz_target!(|bytes: &[u8]| {
    within(200, || {
        let mut program = Program::of(bytes);
        let engine = Engine::new(Config::default());
        assert_eq!(engine.activate(BUNDLE.clone(), at(1_000)), Ok(()));
        let mut life = Life { engine, ms: 1_000, made: Vec::new(), careful: false };
        for _ in 0..STEPS {
            if program.is_over() {
                break;
            }
            life.step(&mut program);
        }
    });
});
