//! The override machine over every order of events to a stated depth: proposals, approvals, uses, time, clocks, bundles.
//!
//! A whole engine is explored, breadth first: each order of events is played from the start on an engine of its own, and
//! states that are alike are met once. Beside the engine goes a plain log of who approved what and when; what the engine
//! allows is held against that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::approvals::Proof;
use fallgate::state::proposal::ProposalId;
use fallgate::state::statement::Purpose;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Reason};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How many events in a row, from each of two starts: nothing at all, and an override that was granted.
const DEPTH: usize = 6;
const START: i64 = 1_767_225_600_000;
const WINDOW: u64 = 10_000;
const MAX_WINDOW: u64 = 15_000;
const OPEN_FOR: u64 = 20_000;
const USES: usize = 2;
const NEED: usize = 2;
const PEOPLE: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// The first or the second proposal, which are for the same and by different people.
    Propose(usize),
    Approve(usize, usize),
    Withdraw(usize),
    Revoke(usize),
    Use(&'static str),
    Passes(u64),
    /// The wall clock leaps ahead of the other, or back.
    Leaps(i64),
    Anchor,
    /// A bundle of the next revision, in which `b` approves no more.
    WithoutB,
}

fn events() -> Vec<Event> {
    let mut events = vec![Event::Passes(4_000), Event::Passes(11_000), Event::Leaps(60_000), Event::Leaps(-60_000)];
    events.extend([Event::Anchor, Event::WithoutB, Event::Use("ann"), Event::Use("bob")]);
    for proposal in [0, 1] {
        events.extend([Event::Propose(proposal), Event::Withdraw(proposal), Event::Revoke(proposal)]);
    }
    // `a` proposes the first and `b` the second; `d` has the benefit of both.
    events.extend([0, 1, 2, 3].map(|who| Event::Approve(0, who)));
    events.extend([0, 2].map(|who| Event::Approve(1, who)));
    events
}

/// All that is signed, made once: what is proposed, and by whom it is approved.
struct Papers {
    bundles: [Bundle; 2],
    proposals: Vec<(Value, ProposalId, String)>,
    approvals: BTreeMap<(usize, usize), String>,
    withdrawals: Vec<String>,
    requests: BTreeMap<&'static str, Vec<u8>>,
}

fn seed(who: usize) -> SigningKey {
    SigningKey::from_bytes(&[u8::try_from(who + 1).unwrap(); 32])
}

fn bundle(revision: u64, members: &[usize]) -> Bundle {
    let approver = |who: &usize| {
        let key = format!("ed25519:{}", BASE64.encode(&seed(*who).verifying_key().to_bytes()));
        let subject = if *who == 3 { "user:ann".to_owned() } else { format!("user:{}", PEOPLE[*who]) };
        (PEOPLE[*who].to_owned(), json!({"key": key, "subject": subject}))
    };
    let members: serde_json::Map<String, Value> = members.iter().map(approver).collect();
    let document = json!({
        "fallgate": 1, "name": "model", "revision": revision,
        "actions": {"pay": {}}, "rules": [{"id": "no", "effect": "deny"}],
        "approvers": {"people": members, "others": {"z": format!("ed25519:{}", BASE64.encode(&seed(9).verifying_key().to_bytes()))}},
        "overrides": {"need": NEED, "from": "people", "max_window": "15s", "max_uses": 5},
    });
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

fn papers() -> Papers {
    let wall = |millis: i64| Wall::from_millis(START + millis).to_string();
    let sign = |who: usize, purpose: Purpose, bytes: &[u8]| {
        BASE64.encode(&seed(who).sign(&purpose.encoding(bytes)).to_bytes())
    };
    let (mut proposals, mut approvals, mut withdrawals) = (Vec::new(), BTreeMap::new(), Vec::new());
    for (number, by) in PEOPLE.iter().enumerate().take(2) {
        let scope =
            json!({"subjects": ["user:ann"], "actions": ["pay"], "resources": ["bill:*"], "for": "10s", "uses": USES});
        let proposal = json!({
            "fallgate": "proposal/1", "bundle": "model", "operation": {"grant_override": scope}, "by": by,
            "reason": "a model", "issued_at": wall(0), "expires_at": wall(i64::try_from(OPEN_FOR).unwrap()), "nonce": number.to_string(),
        });
        let bytes = serde_json_canonicalizer::to_vec(&proposal).unwrap();
        let signature = sign(number, Purpose::Proposal, &bytes);
        for who in 0..PEOPLE.len() {
            approvals.insert((number, who), sign(who, Purpose::Approval, &bytes));
        }
        withdrawals.push(sign(2, Purpose::Withdrawal, &bytes));
        proposals.push((proposal, ProposalId(Sha256::digest(&bytes).into()), signature));
    }
    let request = |subject: &str| {
        let request = json!({
            "subject": {"type": "user", "id": subject}, "action": {"name": "pay"}, "resource": {"type": "bill", "id": "1"},
        });
        request.to_string().into_bytes()
    };
    let requests = ["ann", "bob"].into_iter().map(|subject| (subject, request(subject))).collect();
    Papers { bundles: [bundle(1, &[0, 1, 2, 3]), bundle(2, &[0, 2, 3])], proposals, approvals, withdrawals, requests }
}

/// What is known of one proposal by the events alone.
#[derive(Clone, Debug, Default)]
struct Known {
    proposed: bool,
    approved: BTreeSet<usize>,
    granted_at: Option<u64>,
    uses: usize,
    over: bool,
}

/// One order of events, played on an engine, with the log beside it.
struct Play<'p> {
    papers: &'p Papers,
    engine: Engine,
    millis: u64,
    /// How far the wall clock is ahead of the other.
    ahead: i64,
    /// Whether an operator has taken the clocks for right since they parted.
    trusted: bool,
    without_b: bool,
    known: [Known; 2],
    covered: Vec<(u64, u64)>,
}

impl<'p> Play<'p> {
    fn new(papers: &'p Papers) -> Self {
        let engine = Engine::new(Config::default());
        let mut play = Self {
            papers,
            engine,
            millis: 0,
            ahead: 0,
            trusted: true,
            without_b: false,
            known: [Known::default(), Known::default()],
            covered: Vec::new(),
        };
        play.engine.activate(papers.bundles[0].clone(), play.now()).unwrap();
        play.apply(Event::Passes(0));
        play
    }

    fn now(&self) -> Now {
        let wall = START + i64::try_from(self.millis).unwrap() + self.ahead;
        Now::new(Monotonic::from_millis(self.millis), Wall::from_millis(wall))
    }

    fn apply(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Passes(millis) => {
                self.millis += millis;
                self.engine.advance(self.now());
            }
            Event::Leaps(millis) => {
                self.ahead += millis;
                self.trusted = false;
                self.engine.advance(self.now());
                self.end_all();
            }
            Event::Anchor => {
                self.engine.anchor_clocks(now);
                self.trusted = true;
            }
            Event::WithoutB => {
                if self.engine.activate(self.papers.bundles[1].clone(), now).is_ok() && !self.without_b {
                    self.without_b = true;
                    for known in &mut self.known {
                        let eligible = known.approved.iter().filter(|who| **who != 1).count();
                        known.over |= known.proposed && (known.granted_at.is_none() || eligible < NEED);
                    }
                }
            }
            Event::Propose(number) => {
                let (proposal, id, signature) = &self.papers.proposals[number];
                let proposed = self.engine.propose(proposal, Proof::Signature(signature), now);
                if let Ok(found) = proposed {
                    assert_eq!(found, *id);
                    assert!(self.trusted, "taken while the clocks are not to be trusted");
                    assert!(!self.known[number].proposed, "taken twice");
                    assert!(number == 0 || !self.without_b, "proposed by one who is no approver any more");
                    self.known[number].proposed = true;
                }
            }
            Event::Approve(number, who) => self.approve(number, who, now),
            Event::Withdraw(number) => {
                let id = self.papers.proposals[number].1;
                let withdrawn = self.engine.withdraw(id, "c", Proof::Signature(&self.papers.withdrawals[number]), now);
                self.known[number].over |= withdrawn.is_ok() && self.known[number].granted_at.is_none();
            }
            Event::Revoke(number) => {
                if self.engine.revoke_override(self.papers.proposals[number].1, now).is_ok() {
                    self.known[number].over = true;
                }
            }
            Event::Use(subject) => {
                let decision = self.engine.decide_json(&self.papers.requests[subject], now);
                self.check(&decision, subject);
            }
        }
    }

    fn approve(&mut self, number: usize, who: usize, now: Now) {
        let (_, id, _) = self.papers.proposals[number];
        let proof = Proof::Signature(&self.papers.approvals[&(number, who)]);
        let Ok(approved) = self.engine.approve(id, PEOPLE[who], proof, now) else { return };
        let known = &mut self.known[number];
        assert!(known.proposed && !known.over && known.granted_at.is_none() && self.trusted);
        assert!(now.wall < Wall::from_millis(START + i64::try_from(OPEN_FOR).unwrap()), "approved when it was over");
        assert_ne!(who, number, "by the one who proposed it");
        assert_ne!(who, 3, "by the one who has the benefit");
        assert!(who != 1 || !self.without_b, "by one who approves no more");
        assert!(known.approved.insert(who), "counted twice");
        assert_eq!(usize::try_from(approved.approvals).unwrap(), known.approved.len());
        assert_eq!(approved.waits_for.is_none(), known.approved.len() >= NEED, "neither more nor fewer than it takes");
        if approved.waits_for.is_none() {
            known.granted_at = Some(self.millis);
        }
    }

    /// What is allowed is what was approved, and no more often, no longer and for nobody else.
    fn check(&mut self, decision: &fallgate::Decision, subject: &str) {
        if !decision.is_allow() {
            return;
        }
        assert_eq!((decision.reason(), subject), (Reason::AllowedByOverride, "ann"));
        assert_eq!((decision.expires_in_ms(), decision.cached()), (0, false));
        let ids: Vec<String> = self.papers.proposals.iter().map(|(_, id, _)| id.to_string()).collect();
        let number = ids.iter().position(|id| Some(id.as_str()) == decision.override_id()).expect("one that is known");
        let known = &mut self.known[number];
        known.uses += 1;
        let granted_at = known.granted_at.expect("without the approvals that it takes");
        assert!(self.trusted, "while the clocks are not to be trusted");
        assert!(!known.over, "after it was ended");
        assert!(known.approved.len() >= NEED && !known.approved.contains(&number) && !known.approved.contains(&3));
        assert!(self.millis < granted_at + WINDOW, "after its window");
        assert!(known.uses <= USES, "more often than was granted");
        self.covered.push((granted_at, self.millis));
        let first = self.known.iter().filter_map(|known| known.granted_at).min().unwrap();
        assert!(self.millis < first + MAX_WINDOW || granted_at >= first + WINDOW + MAX_WINDOW, "covered for too long");
    }

    fn end_all(&mut self) {
        for known in &mut self.known {
            known.over |= known.proposed;
        }
    }

    /// What is to come hangs on this: two engines that are alike in it are met once.
    fn key(&self) -> String {
        let ago = |at: Monotonic| self.now().monotonic.nanos_since(at);
        let until = |at: Monotonic| at.nanos_since(self.now().monotonic);
        let pending: Vec<_> =
            self.engine.proposals().iter().map(|one| (one.proposal.id, one.approved.clone())).collect();
        let grants: Vec<_> = self.engine.overrides();
        let grants: Vec<_> =
            grants.iter().map(|one| (one.id, ago(one.from), until(one.until), one.uses_left)).collect();
        let known: Vec<_> = self
            .known
            .iter()
            .map(|known| {
                let granted = known.granted_at.map(|at| self.millis - at);
                (known.proposed, known.approved.clone(), granted, known.uses, known.over)
            })
            .collect();
        // A proposal hangs on the wall clock alone; beyond its end all times are alike but for what covers.
        format!("{} {} {} {pending:?} {grants:?} {known:?} {}", self.trusted, self.without_b, self.ahead, self.millis)
    }
}

#[test]
fn every_order_of_events_keeps_the_laws_of_overrides() {
    let papers = papers();
    let granted_once = vec![Event::Propose(0), Event::Approve(0, 1), Event::Approve(0, 2)];
    let mut seen = HashSet::from([Play::new(&papers).key()]);
    let mut waiting = VecDeque::from([(Vec::new(), 0), (granted_once, 0)]);
    let (mut transitions, mut granted, mut used) = (0_usize, 0_usize, 0_usize);
    while let Some((order, depth)) = waiting.pop_front() {
        for event in events() {
            let mut play = Play::new(&papers);
            for before in order.iter().chain([&event]) {
                play.apply(*before);
            }
            transitions += 1;
            if !seen.insert(play.key()) {
                continue;
            }
            granted += usize::from(!play.engine.overrides().is_empty());
            used += usize::from(!play.covered.is_empty());
            if depth + 1 < DEPTH {
                let mut longer = order.clone();
                longer.push(event);
                waiting.push_back((longer, depth + 1));
            }
        }
    }
    println!(
        "{} states, {transitions} transitions to depth {DEPTH}; {granted} with an override, {used} used",
        seen.len()
    );
    assert!(seen.len() > 4_000, "only {} states were met", seen.len());
    assert!(granted > 150 && used > 500, "{granted} granted, {used} used");
}
