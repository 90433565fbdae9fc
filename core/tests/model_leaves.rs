//! Approved leaves over every order of events to a stated depth: a posture goes to a lower rank by an approved act of
//! people alone, at the moment at which all that its pack demands holds, and by no step of time.
//!
//! Whole engines are explored, breadth first, as in the model of overrides. The log beside each knows what was told and
//! approved, and nothing of what the engine computes but which postures it says it entered and left.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::collections::{HashSet, VecDeque};

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use fallgate::condition::Status;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::approvals::Proof;
use fallgate::state::events::EventKind;
use fallgate::state::proposal::ProposalId;
use fallgate::state::statement::Purpose;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Observation};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How many events in a row, in a posture that was just entered and whose cause is over.
const DEPTH: usize = 6;
const START: i64 = 1_767_225_600_000;
const STABLE: u64 = 3_000;
const DWELL: u64 = 2_000;
const OPEN_FOR: u64 = 6_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// One of the two says what it says: to propose, to approve the last proposal, to withdraw it.
    Propose,
    Approve,
    Withdraw,
    Signal(Status),
    Passes(u64),
    Enter,
    /// An operator's word alone.
    Leave,
    SetFlag,
    ClearFlag,
    Leaps,
    Anchor,
}

const EVENTS: [Event; 13] = [
    Event::Propose,
    Event::Approve,
    Event::Withdraw,
    Event::Signal(Status::Ok),
    Event::Signal(Status::Failed),
    Event::Passes(1_000),
    Event::Passes(4_000),
    Event::Enter,
    Event::Leave,
    Event::SetFlag,
    Event::ClearFlag,
    Event::Leaps,
    Event::Anchor,
];

fn seed(name: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(name).into())
}

fn bundle() -> Bundle {
    let key = |name: &str| format!("ed25519:{}", BASE64.encode(&seed(name).verifying_key().to_bytes()));
    let document = json!({
        "fallgate": 1, "name": "model", "revision": 1,
        "signals": {"s": {"ttl": "1h"}}, "actions": {"read": {}}, "rules": [{"id": "all", "effect": "allow"}],
        "postures": [{
            "name": "shut", "rank": 1, "permits": "none", "enter": {"when": "!signals.s.ok"},
            "leave": {"stable": "3s", "dwell": "2s", "checks": ["s"], "approvals": {"need": 1, "from": "people"}},
        }],
        "approvers": {"people": {"a": key("a"), "b": key("b")}},
        "flags": {"hold": {"posture": "shut", "owner": "people", "max_age": "5s"}},
    });
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

#[derive(Clone, Copy, Debug)]
struct Known {
    id: ProposalId,
    issued_at: u64,
    approved: bool,
    over: bool,
}

struct Play {
    engine: Engine,
    millis: u64,
    ahead: i64,
    trusted: bool,
    ok: bool,
    /// Since when the signal is ok and no flag is set; nothing while that is not so.
    calm_since: Option<u64>,
    flag: bool,
    entered_at: Option<u64>,
    proposals: Vec<(Known, Value)>,
    left: usize,
}

impl Play {
    fn new(bundle: &Bundle) -> Self {
        let mut play = Self {
            engine: Engine::new(Config::default()),
            millis: 0,
            ahead: 0,
            trusted: true,
            ok: false,
            calm_since: None,
            flag: false,
            entered_at: None,
            proposals: Vec::new(),
            left: 0,
        };
        play.engine.activate(bundle.clone(), play.now()).unwrap();
        play.look();
        assert_eq!(play.entered_at, Some(0), "a condition that cannot be established counts as holding");
        play.apply(Event::Passes(1_000));
        play.apply(Event::Signal(Status::Ok));
        play
    }

    fn now(&self) -> Now {
        let wall = START + i64::try_from(self.millis).unwrap() + self.ahead;
        Now::new(Monotonic::from_millis(self.millis), Wall::from_millis(wall))
    }

    fn calm(&mut self) {
        self.calm_since = if self.ok && !self.flag { self.calm_since.or(Some(self.millis)) } else { None };
    }

    fn apply(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Passes(millis) => self.pass(millis),
            Event::Signal(status) => {
                let before = (self.ok, self.calm_since);
                self.ok = status == Status::Ok;
                self.calm();
                let taken = self.engine.observe(&Observation::new("s", status), now);
                // A better report of the same instant is not taken: of two the worse stands.
                if taken != fallgate::state::signals::Observed::Taken {
                    (self.ok, self.calm_since) = before;
                }
            }
            Event::Propose => self.propose(now),
            Event::Approve => {
                let Some((known, proposal)) = self.proposals.last_mut() else { return };
                let bytes = serde_json_canonicalizer::to_vec(proposal).unwrap();
                let signature = BASE64.encode(&seed("b").sign(&Purpose::Approval.encoding(&bytes)).to_bytes());
                // Known before the engine is told: it may leave at once.
                let before = known.approved;
                known.approved = true;
                let id = known.id;
                let counted = self.engine.approve(id, "b", Proof::Signature(&signature), now).is_ok();
                let known = &mut self.proposals.last_mut().unwrap().0;
                known.approved = before || counted;
                assert!(!counted || (self.trusted && !known.over), "counted when it was over");
            }
            Event::Withdraw => {
                let Some((known, proposal)) = self.proposals.last_mut() else { return };
                let bytes = serde_json_canonicalizer::to_vec(proposal).unwrap();
                let signature = BASE64.encode(&seed("b").sign(&Purpose::Withdrawal.encoding(&bytes)).to_bytes());
                known.over |= self.engine.withdraw(known.id, "b", Proof::Signature(&signature), now).is_ok();
            }
            Event::Enter => self.engine.enter_posture("shut", None, now).unwrap(),
            Event::Leave => assert!(self.engine.leave_posture("shut", None, now).is_err(), "without approvals"),
            Event::SetFlag => {
                self.flag = true;
                self.calm();
                self.engine.set_flag("hold", None, now).unwrap();
            }
            Event::ClearFlag => {
                self.flag = false;
                self.calm();
                let _ = self.engine.clear_flag("hold", now);
            }
            Event::Leaps => {
                self.ahead += 60_000;
                self.trusted = false;
                self.proposals.iter_mut().for_each(|(known, _)| known.over = true);
                self.engine.advance(self.now());
            }
            Event::Anchor => {
                self.engine.anchor_clocks(now);
                self.trusted = true;
            }
        }
        self.look();
    }

    /// Time passes, in steps as a host makes them or in one as a late host does; both are the same to the postures.
    fn pass(&mut self, millis: u64) {
        let end = self.millis + millis;
        if millis > 1_000 {
            self.millis = end;
            self.engine.advance(self.now());
            return;
        }
        while let Some(due) = self.engine.next_deadline().filter(|due| *due < Monotonic::from_millis(end)) {
            let due = due.as_nanos() / 1_000_000;
            assert!(due > self.millis, "what is due has been done");
            self.millis = due;
            self.engine.advance(self.now());
            self.look();
        }
        self.millis = end;
        self.engine.advance(self.now());
    }

    fn propose(&mut self, now: Now) {
        let proposal = json!({
            "fallgate": "proposal/1", "bundle": "model", "operation": {"leave_posture": {"posture": "shut"}}, "by": "a",
            "reason": "a model", "issued_at": now.wall.to_string(),
            "expires_at": Wall::from_nanos(now.wall.as_nanos() + i64::try_from(OPEN_FOR).unwrap() * 1_000_000).to_string(),
            "nonce": self.proposals.len().to_string(),
        });
        let bytes = serde_json_canonicalizer::to_vec(&proposal).unwrap();
        let signature = BASE64.encode(&seed("a").sign(&Purpose::Proposal.encoding(&bytes)).to_bytes());
        let proposed = self.engine.propose(&proposal, Proof::Signature(&signature), now);
        if let Ok(id) = proposed {
            assert!(self.trusted && self.entered_at.is_some());
            self.proposals.push((Known { id, issued_at: self.millis, approved: false, over: false }, proposal));
        }
    }

    /// Takes in what the engine says that it did, and holds it against the log.
    fn look(&mut self) {
        while let Some(event) = self.engine.poll_event() {
            let at = event.at.monotonic.as_nanos() / 1_000_000;
            match event.kind {
                EventKind::PostureEntered { .. } => {
                    assert_eq!(self.entered_at.replace(at), None, "entered twice");
                }
                EventKind::PostureLeft { approved, .. } => {
                    let approved = approved.expect("left without approvals");
                    let known =
                        self.proposals.iter().map(|(known, _)| *known).find(|known| known.id == approved.proposal);
                    let known = known.expect("by a proposal that was made");
                    let entered_at = self.entered_at.take().expect("left where it was entered");
                    assert!(known.approved && !known.over && self.trusted, "left by what does not count");
                    assert!(known.issued_at >= entered_at, "left by a proposal about an earlier entry");
                    assert!(at < known.issued_at + OPEN_FOR, "left when the proposal was over");
                    assert!(self.calm_since.is_some_and(|since| at >= since + STABLE), "left before it was stable");
                    assert!(at >= entered_at + DWELL && self.ok && !self.flag);
                    self.proposals.iter_mut().for_each(|(known, _)| known.over = true);
                    self.left += 1;
                }
                _ => {}
            }
        }
        let shut = self.engine.posture(None).unwrap().as_str() == "shut";
        assert_eq!(shut, self.entered_at.is_some(), "a change of posture without an event");
        // What is approved and may be done has been done.
        if let (Some(entered_at), Some(since)) = (self.entered_at, self.calm_since) {
            let ready = self.millis >= (entered_at + DWELL).max(since + STABLE) && self.ok && self.trusted;
            let waits = |known: &Known| {
                known.approved
                    && !known.over
                    && known.issued_at >= entered_at
                    && self.millis < known.issued_at + OPEN_FOR
            };
            assert!(!(ready && self.proposals.iter().any(|(known, _)| waits(known))), "approved, and not done");
        }
    }

    fn key(&self) -> String {
        let ago = |at: u64| self.millis - at;
        let proposals = self.proposals.iter().filter(|(known, _)| !known.over && ago(known.issued_at) < OPEN_FOR);
        let proposals: Vec<_> = proposals.map(|(known, _)| (ago(known.issued_at), known.approved)).collect();
        let since = |at: Option<u64>| at.map(|at| ago(at).min(20_000));
        let flags = self.engine.flags(self.now());
        let flag = flags.first().map(|flag| flag.expires_at.nanos_since(self.now().monotonic));
        let told_now = self.engine.signal("s");
        format!(
            "{} {} {:?} {:?} {proposals:?} {flag:?} {told_now:?} {}",
            self.trusted,
            self.ok,
            since(self.calm_since),
            since(self.entered_at),
            self.millis
        )
    }
}

#[test]
fn every_order_of_events_keeps_the_laws_of_approved_leaves() {
    let bundle = bundle();
    let mut seen = HashSet::from([Play::new(&bundle).key()]);
    let mut waiting = VecDeque::from([Vec::new()]);
    let (mut transitions, mut left, mut shut) = (0_usize, 0_usize, 0_usize);
    while let Some(order) = waiting.pop_front() {
        for event in EVENTS {
            let mut play = Play::new(&bundle);
            for before in order.iter().chain([&event]) {
                play.apply(*before);
            }
            transitions += 1;
            if !seen.insert(play.key()) {
                continue;
            }
            left += usize::from(play.left > 0);
            shut += usize::from(play.entered_at.is_some());
            if order.len() + 1 < DEPTH {
                let mut longer = order.clone();
                longer.push(event);
                waiting.push_back(longer);
            }
        }
    }
    println!("{} states, {transitions} transitions to depth {DEPTH}; {left} left, {shut} shut", seen.len());
    assert!(seen.len() > 2_000, "only {} states were met", seen.len());
    assert!(left > 100 && shut > 100, "{left} left, {shut} shut");
}
