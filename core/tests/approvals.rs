//! Approvals, overrides and flags: what loosens takes the right people, each once, and no more than they approved.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

#[path = "approvals/flags.rs"]
mod flags;
#[path = "approvals/loading.rs"]
mod loading;
#[path = "approvals/overrides.rs"]
mod overrides;
#[path = "approvals/restart.rs"]
mod restart;
#[path = "approvals/void.rs"]
mod void;

use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
use ed25519_dalek::{Signer, SigningKey};
use fallgate::authzen::{self, Endpoint};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::approvals::{ApprovalError, Approved, Proof};
use fallgate::state::events::EventKind;
use fallgate::state::flags::FlagError;
use fallgate::state::postures::PostureError;
use fallgate::state::proposal::ProposalId;
use fallgate::state::quarantine::Selector;
use fallgate::state::statement::Purpose;
use fallgate::state::totp;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Decision, Engine, Observation, Reason};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const START: i64 = 1_767_225_600_000;
const SECRET: &[u8] = b"12345678901234567890";

fn at(millis: u64) -> Now {
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(START + i64::try_from(millis).unwrap()))
}

fn seed(name: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(name).into())
}

fn public(name: &str) -> Value {
    format!("ed25519:{}", BASE64.encode(&seed(name).verifying_key().to_bytes())).into()
}

fn pack() -> Value {
    json!({
        "fallgate": 1, "name": "shop", "revision": 1,
        "signals": {"ledger": {"ttl": "5s"}, "idp": {"ttl": "1h"}},
        "schema": {"subject": {"user": {"suspended": {"type": "bool", "optional": true}}, "agent": {}}},
        "actions": {
            "order:read": {"class": "read", "cache": {"allow": "1m", "deny": "1m"}},
            "order:pay": {"class": "write"},
            "book:pay": {"class": "write", "requires": ["idp"]},
        },
        "postures": [
            {"name": "read-only", "rank": 1, "permits": {"classes": ["read"]},
             "enter": {"when": "!signals.ledger.ok", "for": "2s"},
             "leave": {"stable": "60s", "dwell": "30s", "checks": ["ledger"], "approvals": {"need": 1, "from": "sre"}}},
            {"name": "shut", "rank": 5, "permits": "none", "leave": {}},
        ],
        "approvers": {
            "sre": {"sre-1": public("sre-1"), "sre-2": public("sre-2")},
            "security": {
                "sec-1": public("sec-1"), "sec-2": {"key": public("sec-2"), "subject": "user:bea"},
                "sec-3": format!("totp:{}", BASE32_NOPAD.encode(SECRET)),
            },
        },
        "overrides": {
            "need": 2, "from": "security", "max_window": "1h", "max_uses": 5,
            "review": {"id": "review", "type": "review", "properties": {"within": "24h"}},
        },
        "flags": {
            "emergency": {"posture": "read-only", "owner": "sre", "max_age": "24h"},
            "approved": {"posture": "shut", "owner": "sec", "max_age": "1h", "approvals": {"need": 1, "from": "sre"}},
        },
        "rules": [
            {"id": "readers", "effect": "allow", "action": "order:read"},
            {"id": "suspended", "effect": "deny", "absolute": true, "when": "subject.suspended"},
            {"id": "never", "effect": "deny", "action": "order:pay"},
        ],
    })
}

fn bundle(document: &Value) -> Bundle {
    Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .unwrap_or_else(|error| panic!("{:#?}", error.diagnostics()))
}

fn engine() -> Engine {
    let engine = Engine::new(Config::default());
    engine.activate(bundle(&pack()), at(0)).unwrap();
    engine
}

/// A proposal that is open for an hour from the time it is issued.
fn proposal(by: &str, operation: &Value, issued: u64) -> Value {
    json!({
        "fallgate": "proposal/1", "bundle": "shop", "operation": operation, "by": by, "reason": "a test",
        "issued_at": at(issued).wall.to_string(), "expires_at": at(issued + 3_600_000).wall.to_string(),
        "nonce": format!("{by} {issued}"),
    })
}

fn canonical(proposal: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(proposal).unwrap()
}

fn id(proposal: &Value) -> ProposalId {
    ProposalId(Sha256::digest(canonical(proposal)).into())
}

fn signed(by: &str, purpose: Purpose, proposal: &Value) -> String {
    BASE64.encode(&seed(by).sign(&purpose.encoding(&canonical(proposal))).to_bytes())
}

fn propose(engine: &Engine, proposal: &Value, now: Now) -> Result<ProposalId, ApprovalError> {
    let signature = signed(proposal["by"].as_str().unwrap(), Purpose::Proposal, proposal);
    engine.propose(proposal, Proof::Signature(&signature), now)
}

fn approve(engine: &Engine, proposal: &Value, by: &str, now: Now) -> Result<Approved, ApprovalError> {
    let signature = signed(by, Purpose::Approval, proposal);
    engine.approve(id(proposal), by, Proof::Signature(&signature), now)
}

fn code(now: Now) -> String {
    totp::code(SECRET, totp::step(now.wall).unwrap())
}

fn waits_for(approved: Result<Approved, ApprovalError>) -> Option<&'static str> {
    approved.unwrap().waits_for
}

fn grant(subjects: &Value, actions: &Value, resources: &Value, window: &str, uses: u32) -> Value {
    let scope = json!({"subjects": subjects, "actions": actions, "resources": resources, "for": window, "uses": uses});
    json!({"grant_override": scope})
}

fn for_ann(window: &str, uses: u32) -> Value {
    grant(&json!(["user:ann"]), &json!(["order:*"]), &json!(["order:*"]), window, uses)
}

/// Proposes and approves an override, with the signatures of `sec-1` and `sec-2`.
fn granted(engine: &Engine, operation: &Value, millis: u64) -> Result<ProposalId, ApprovalError> {
    let proposal = proposal("sre-1", operation, millis);
    propose(engine, &proposal, at(millis))?;
    approve(engine, &proposal, "sec-1", at(millis))?;
    let approved = approve(engine, &proposal, "sec-2", at(millis))?;
    assert_eq!(approved, Approved { approvals: 2, need: 2, waits_for: None });
    Ok(id(&proposal))
}

fn ask(engine: &Engine, subject: &str, action: &str, millis: u64) -> Decision {
    let request = json!({
        "subject": {"type": "user", "id": subject, "properties": {"suspended": false}}, "action": {"name": action},
        "resource": {"type": "order", "id": "o-1"},
    });
    engine.decide_json(request.to_string().as_bytes(), at(millis))
}

fn observe(engine: &Engine, signal: &str, millis: u64) {
    engine.observe(&Observation::ok(signal), at(millis));
}

fn events(engine: &Engine) -> Vec<Value> {
    std::iter::from_fn(|| engine.poll_event()).map(|event| event.to_json()).collect()
}

/// An engine in read-only since 2 s; the ledger is ok from `ok_from` on, and its last report is at `ok_until`.
fn read_only(ok_from: u64, ok_until: u64) -> Engine {
    let engine = engine();
    engine.advance(at(2_000));
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
    for millis in (ok_from..=ok_until).step_by(4_000) {
        observe(&engine, "ledger", millis);
    }
    engine
}

fn leave() -> Value {
    json!({"leave_posture": {"posture": "read-only"}})
}

#[test]
fn a_leave_takes_its_approvals_and_waits_for_the_rest() {
    let engine = read_only(10_000, 10_000);
    assert_eq!(engine.leave_posture("read-only", None, at(11_000)), Err(PostureError::NotApproved));
    let proposal = proposal("sre-1", &leave(), 14_000);
    observe(&engine, "ledger", 14_000);
    propose(&engine, &proposal, at(14_000)).unwrap();
    assert_eq!(waits_for(approve(&engine, &proposal, "sre-2", at(15_000))), Some("not_stable"));
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
    for millis in (18_000..70_000).step_by(4_000) {
        observe(&engine, "ledger", millis);
    }
    // The ledger was not ok until 10 s: 60 s later the posture is left, and time alone does it.
    observe(&engine, "ledger", 69_000);
    events(&engine);
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(70_000)));
    engine.advance(at(69_999));
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
    engine.advance(at(70_000));
    assert_eq!(engine.posture(None).unwrap().as_str(), "normal");
    let left = events(&engine);
    assert_eq!(left[0]["event"], "posture_left");
    assert_eq!(left[0]["proposal"], id(&proposal).to_string());
    assert_eq!((&left[0]["by"], &left[0]["approvers"]), (&json!("sre-1"), &json!(["sre-2"])));
    assert_eq!((&left[1]["event"], &left[1]["why"]), (&json!("proposal_closed"), &json!("done")));
    assert_eq!(approve(&engine, &proposal, "sre-2", at(71_000)), Err(ApprovalError::UnknownProposal));
}

/// An engine in read-only; that it is left was approved, and is due at 70 s. The ledger was last seen at 69 s.
fn about_to_leave() -> Engine {
    let engine = read_only(10_000, 10_000);
    let proposal = proposal("sre-1", &leave(), 11_000);
    propose(&engine, &proposal, at(11_000)).unwrap();
    approve(&engine, &proposal, "sre-2", at(11_000)).unwrap();
    for millis in (14_000..=66_000).step_by(4_000).chain([69_000]) {
        observe(&engine, "ledger", millis);
    }
    engine
}

#[test]
fn a_host_that_calls_late_finds_the_posture_left_in_time() {
    let engine = about_to_leave();
    // The next call comes at 73 s; the ledger is fresh until 74 s.
    engine.advance(at(73_000));
    let left = events(&engine).into_iter().find(|event| event["event"] == "posture_left").unwrap();
    assert_eq!(left["monotonic_ms"], 70_000);
}

/// It was due at 70 s; that the clocks have parted is found at 73 s, and nobody knows since when they have.
#[test]
fn a_leave_that_came_due_before_the_clocks_were_found_to_have_parted_is_void() {
    let engine = about_to_leave();
    engine.advance(Now::new(at(73_000).monotonic, at(63_000).wall));
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
    assert!(engine.proposals().is_empty());
    assert!(events(&engine).iter().any(|event| event["event"] == "proposal_closed" && event["why"] == "clock"));
}

#[test]
fn an_approved_leave_that_expires_or_whose_posture_is_entered_anew_is_void() {
    let engine = read_only(10_000, 10_000);
    let mut short = proposal("sre-1", &leave(), 11_000);
    short["expires_at"] = at(20_000).wall.to_string().into();
    propose(&engine, &short, at(11_000)).unwrap();
    approve(&engine, &short, "sre-2", at(11_000)).unwrap();
    for millis in (14_000..=82_000).step_by(4_000) {
        observe(&engine, "ledger", millis);
    }
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only", "the proposal was over at 20 s");
    assert!(events(&engine).iter().any(|event| event["why"] == "expired" && event["monotonic_ms"] == 20_000));
    // Two proposals to leave; one is carried out, and the other is about an entry that is over.
    let (one, two) = (proposal("sre-1", &leave(), 82_000), proposal("sre-2", &leave(), 82_000));
    propose(&engine, &one, at(82_000)).unwrap();
    propose(&engine, &two, at(82_000)).unwrap();
    assert_eq!(waits_for(approve(&engine, &one, "sre-2", at(82_000))), None);
    assert_eq!(engine.posture(None).unwrap().as_str(), "normal");
    engine.enter_posture("read-only", None, at(83_000)).unwrap();
    assert_eq!(approve(&engine, &two, "sre-1", at(83_000)), Err(ApprovalError::UnknownProposal));
    let closed = events(&engine);
    assert!(
        closed.iter().any(|event| event["why"] == "moot" && event["proposal"] == id(&two).to_string()),
        "{closed:?}"
    );
    let normal = self::engine();
    assert_eq!(propose(&normal, &proposal("sre-1", &leave(), 0), at(0)), Err(PostureError::NotEntered.into()));
}

#[test]
fn approvals_of_the_wrong_people_do_not_count() {
    let engine = read_only(10_000, 10_000);
    let first = proposal("sre-1", &leave(), 11_000);
    propose(&engine, &first, at(11_000)).unwrap();
    let now = at(12_000);
    assert_eq!(approve(&engine, &first, "sre-1", now), Err(ApprovalError::OwnProposal));
    assert_eq!(approve(&engine, &first, "sec-1", now), Err(ApprovalError::NotOfTheGroup));
    assert_eq!(approve(&engine, &first, "eve", now), Err(ApprovalError::UnknownApprover));
    assert_eq!(approve(&engine, &first, "SRE-2", now), Err(ApprovalError::UnknownApprover));
    assert_eq!(approve(&engine, &first, "sre-2 ", now), Err(ApprovalError::UnknownApprover));
    // For another proposal, for another purpose, of another key, as a code, malformed.
    let other = proposal("sre-1", &leave(), 11_001);
    for wrong in [
        signed("sre-2", Purpose::Approval, &other),
        signed("sre-2", Purpose::Proposal, &first),
        signed("sre-1", Purpose::Approval, &first),
        String::new(),
        "!".repeat(88),
    ] {
        let refused = engine.approve(id(&first), "sre-2", Proof::Signature(&wrong), now);
        assert_eq!(refused, Err(ApprovalError::BadSignature), "{wrong}");
    }
    assert_eq!(engine.approve(id(&first), "sre-2", Proof::Code("123456"), now), Err(ApprovalError::ProofMissing));
    assert_eq!(approve(&engine, &other, "sre-2", now), Err(ApprovalError::UnknownProposal));
    assert_eq!(engine.proposals()[0].approved.len(), 0);
}

#[test]
fn a_person_counts_once() {
    let engine = engine();
    let proposal = proposal("sre-1", &for_ann("10m", 1), 0);
    propose(&engine, &proposal, at(0)).unwrap();
    assert_eq!(waits_for(approve(&engine, &proposal, "sec-1", at(0))), Some("not_approved"));
    assert_eq!(approve(&engine, &proposal, "sec-1", at(1)), Err(ApprovalError::AlreadyApproved));
    assert!(engine.overrides().is_empty());
    // A bundle with the same key under two names, or the same subject, or two spellings of one name, is none.
    for (name, person) in [
        ("sec-9", public("sec-1")),
        ("sec-9", json!({"key": public("sec-1"), "subject": "user:zoe"})),
        ("sec-9", json!({"key": public("sec-9"), "subject": "user:bea"})),
        ("SEC-1", public("sec-9")),
        ("sre-1", public("sec-9")),
    ] {
        let mut document = pack();
        document["approvers"]["security"][name] = person;
        let error = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
        assert_eq!(error.diagnostics()[0].code.as_str(), "duplicate_approver", "{name}");
    }
    // The same person in two groups is one person.
    let mut document = pack();
    document["approvers"]["security"]["sre-1"] = public("sre-1");
    bundle(&document);
}

#[test]
fn who_has_the_benefit_does_not_approve() {
    let engine = engine();
    let for_bea = grant(&json!(["user:bea"]), &json!(["order:pay"]), &json!(["order:o-1"]), "10m", 1);
    let asked = proposal("sre-1", &for_bea, 0);
    propose(&engine, &asked, at(0)).unwrap();
    assert_eq!(approve(&engine, &asked, "sec-2", at(0)), Err(ApprovalError::Beneficiary));
    // A name without a subject stands for itself; without it too few are left.
    let for_sec = grant(&json!(["agent:sec-1", "user:bea"]), &json!(["order:pay"]), &json!(["order:o-1"]), "10m", 1);
    let refused = propose(&engine, &proposal("sre-1", &for_sec, 1), at(1)).unwrap_err();
    assert_eq!(refused.code(), "unfit_proposal");
}

#[test]
fn a_proposal_is_of_now_and_of_this_bundle() {
    let engine = read_only(10_000, 10_000);
    let good = proposal("sre-1", &leave(), 11_000);
    let now = at(11_000);
    let changed = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        propose(&engine, &changed, now).unwrap_err().code()
    };
    assert_eq!(changed("issued_at", at(11_001).wall.to_string().into()), "not_yet_issued");
    assert_eq!(changed("expires_at", at(11_000).wall.to_string().into()), "malformed_proposal");
    assert_eq!(changed("expires_at", at(86_411_001).wall.to_string().into()), "open_too_long");
    assert_eq!(changed("bundle", "other".into()), "other_bundle");
    assert_eq!(changed("revision", 2.into()), "other_bundle");
    for reason in [String::new(), "  ".into(), "x".repeat(1_001), "x".repeat(1 << 20)] {
        assert_eq!(changed("reason", reason.into()), "malformed_proposal");
    }
    assert_eq!(changed("nonce", "".into()), "malformed_proposal");
    assert_eq!(changed("fallgate", "proposal/2".into()), "malformed_proposal");
    assert_eq!(changed("extra", 1.into()), "malformed_proposal");
    assert_eq!(changed("operation", json!({"leave_posture": ["read-only"]})), "malformed_proposal");
    assert_eq!(changed("operation", json!({"leave_posture": {"posture": "nope"}})), "unknown_posture");
    assert_eq!(changed("operation", json!({"leave_posture": {"posture": "shut"}})), "no_approvals_declared");
    let scope = "tenant:".to_owned() + &"x".repeat(1 << 20);
    assert_eq!(
        changed("operation", json!({"leave_posture": {"posture": "read-only", "scope": scope}})),
        "malformed_proposal"
    );
    let mut old = good.clone();
    (old["issued_at"], old["expires_at"]) = (at(0).wall.to_string().into(), now.wall.to_string().into());
    assert_eq!(propose(&engine, &old, now), Err(ApprovalError::ProposalExpired));
    // The one that it was signed as, and no other.
    let signature = signed("sre-1", Purpose::Proposal, &good);
    let mut altered = good.clone();
    altered["reason"] = "another".into();
    assert_eq!(engine.propose(&altered, Proof::Signature(&signature), now), Err(ApprovalError::BadSignature));
    propose(&engine, &good, now).unwrap();
    assert_eq!(propose(&engine, &good, now), Err(ApprovalError::AlreadyProposed));
}

#[test]
fn nothing_is_taken_twice_even_when_the_wall_clock_is_put_back() {
    let engine = engine();
    let asked = proposal("sre-1", &for_ann("1m", 1), 0);
    propose(&engine, &asked, at(0)).unwrap();
    let withdrawal = signed("sec-2", Purpose::Withdrawal, &asked);
    let approval = signed("sec-2", Purpose::Approval, &asked);
    assert_eq!(
        engine.withdraw(id(&asked), "sec-2", Proof::Signature(&approval), at(1)),
        Err(ApprovalError::BadSignature)
    );
    engine.withdraw(id(&asked), "sec-2", Proof::Signature(&withdrawal), at(1)).unwrap();
    assert_eq!(propose(&engine, &asked, at(2)), Err(ApprovalError::AlreadyProposed));
    // Over and forgotten after an hour. An operator then puts the wall clock back and takes it for right.
    engine.advance(at(3_700_000));
    assert_eq!(propose(&engine, &asked, at(3_700_000)), Err(ApprovalError::ProposalExpired));
    let back = Now::new(Monotonic::from_millis(3_700_001), at(10).wall);
    engine.anchor_clocks(back);
    assert_eq!(propose(&engine, &asked, back), Err(ApprovalError::AlreadyProposed));
}

#[test]
fn an_engine_takes_nothing_of_the_time_before_it_began() {
    let asked = proposal("sre-1", &for_ann("1m", 1), 0);
    let used = engine();
    propose(&used, &asked, at(1)).unwrap();
    // The same signed words, and the code of that time, at an engine that was started again without its state.
    let started = |millis| {
        let engine = Engine::new(Config::default());
        engine.activate(bundle(&pack()), at(millis)).unwrap();
        engine
    };
    assert_eq!(propose(&started(2), &asked, at(3)), Err(ApprovalError::IssuedBeforeStart));
    let again = started(35_000);
    let asked = proposal("sre-1", &for_ann("1m", 1), 35_000);
    propose(&again, &asked, at(35_000)).unwrap();
    let by_code = |code: &str, millis| again.approve(id(&asked), "sec-3", Proof::Code(code), at(millis));
    assert_eq!(by_code(&code(at(29_000)), 59_000), Err(ApprovalError::UsedCode));
    assert_eq!(by_code(&code(at(59_000)), 59_000), Err(ApprovalError::UsedCode));
    assert_eq!(waits_for(by_code(&code(at(60_000)), 60_000)), Some("not_approved"));
}

#[test]
fn a_million_proposals_find_no_room_and_make_no_noise() {
    let mut config = Config::default();
    config.limits.proposals_max = 8;
    let engine = Engine::new(config);
    engine.activate(bundle(&pack()), at(0)).unwrap();
    let mut taken = 0;
    for number in 0..20_u64 {
        let by = ["sre-1", "sre-2", "sec-1"][usize::try_from(number % 3).unwrap()];
        match propose(&engine, &proposal(by, &for_ann("1m", 1), number), at(20)) {
            Ok(_) => taken += 1,
            Err(error) => assert_eq!(error, ApprovalError::NoRoom),
        }
    }
    assert_eq!(taken, 6, "of each proposer no more than a quarter");
    // Strangers do not get into the table, and most of their noise is counted, not told.
    events(&engine);
    let mut junk = proposal("eve", &for_ann("1m", 1), 20);
    for number in 0..1_000_000_u32 {
        junk["nonce"] = number.into();
        assert!(engine.propose(&junk, Proof::Signature(""), at(60_020)).is_err());
    }
    let told = events(&engine).into_iter().filter(|event| event["event"] == "approval_refused");
    assert_eq!(told.count(), 16);
    assert_eq!(engine.proposals().len(), 6);
    assert!(engine.propose(&junk, Proof::Signature(""), at(120_100)).is_err());
    assert_eq!(events(&engine)[0]["untold"], 1_000_000 - 16);
}

#[test]
fn a_code_approves_once_in_its_time_and_few_are_tried() {
    let engine = engine();
    let now = at(61_000);
    let step = totp::step(now.wall).unwrap();
    let asked = proposal("sre-1", &for_ann("1m", 1), 0);
    propose(&engine, &asked, now).unwrap();
    let approve = |proposal: &Value, code: &str, now| engine.approve(id(proposal), "sec-3", Proof::Code(code), now);
    assert_eq!(approve(&asked, &totp::code(SECRET, step + 1), now), Err(ApprovalError::BadCode), "one step early");
    assert_eq!(approve(&asked, &totp::code(SECRET, step - 2), now), Err(ApprovalError::BadCode), "too late");
    assert_eq!(waits_for(approve(&asked, &totp::code(SECRET, step - 1), now)), Some("not_approved"));
    // The same code for another proposal.
    let other = proposal("sre-1", &for_ann("1m", 1), 1);
    propose(&engine, &other, now).unwrap();
    assert_eq!(approve(&other, &totp::code(SECRET, step - 1), now), Err(ApprovalError::UsedCode));
    for _ in 0..2 {
        assert_eq!(approve(&other, "000000", now), Err(ApprovalError::BadCode));
    }
    assert_eq!(approve(&other, &totp::code(SECRET, step), now), Err(ApprovalError::TooManyTries));
    let later = at(361_000);
    assert_eq!(waits_for(approve(&other, &code(later), later)), Some("not_approved"));
}

#[test]
fn events_say_who_and_why() {
    let engine = engine();
    let id = granted(&engine, &for_ann("10m", 1), 0).unwrap();
    let kinds: Vec<_> = std::iter::from_fn(|| engine.poll_event()).map(|event| event.kind).collect();
    let codes: Vec<_> = kinds.iter().map(EventKind::code).filter(|code| !code.starts_with("bundle")).collect();
    assert_eq!(codes, ["proposed", "approved", "approved", "override_granted", "proposal_closed"]);
    let granted = kinds.iter().find_map(|kind| match kind {
        EventKind::OverrideGranted { approved, .. } => Some(approved.clone()),
        _ => None,
    });
    let granted = granted.unwrap();
    assert_eq!((granted.proposal, granted.by.as_str()), (id, "sre-1"));
    assert_eq!(granted.approvers.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["sec-1", "sec-2"]);
}
