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

use std::collections::HashSet;

use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
use ed25519_dalek::{Signer, SigningKey};
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

/// Proposes and approves an override, with `sec-1` and a code of `sec-3`.
fn granted(engine: &Engine, operation: &Value, millis: u64) -> Result<ProposalId, ApprovalError> {
    let proposal = proposal("sre-1", operation, millis);
    propose(engine, &proposal, at(millis))?;
    approve(engine, &proposal, "sec-1", at(millis))?;
    let approved = engine.approve(id(&proposal), "sec-3", Proof::Code(&code(at(millis))), at(millis))?;
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

#[test]
fn a_host_that_calls_late_finds_the_posture_left_in_time() {
    let engine = read_only(10_000, 10_000);
    let proposal = proposal("sre-1", &leave(), 11_000);
    propose(&engine, &proposal, at(11_000)).unwrap();
    approve(&engine, &proposal, "sre-2", at(11_000)).unwrap();
    for millis in (14_000..=66_000).step_by(4_000) {
        observe(&engine, "ledger", millis);
    }
    observe(&engine, "ledger", 69_000);
    // The next call comes at 73 s; the ledger is fresh until 74 s.
    engine.advance(at(73_000));
    let left = events(&engine).into_iter().find(|event| event["event"] == "posture_left").unwrap();
    assert_eq!(left["monotonic_ms"], 70_000);
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
fn an_override_allows_what_it_covers_and_no_more() {
    let engine = engine();
    assert_eq!(ask(&engine, "ann", "order:pay", 0).reason(), Reason::DeniedByRule);
    let id = granted(&engine, &for_ann("10m", 3), 1_000).unwrap();
    let decision = ask(&engine, "ann", "order:pay", 2_000);
    assert_eq!(decision.reason(), Reason::AllowedByOverride);
    assert_eq!(decision.override_id(), Some(id.to_string().as_str()));
    assert_eq!((decision.expires_in_ms(), decision.cached(), decision.rule()), (0, false, None));
    assert_eq!(decision.obligations()[0].id.as_ref(), "review");
    assert_eq!(decision.to_json()["context"]["override"], id.to_string());
    let used = events(&engine).into_iter().find(|event| event["event"] == "override_used").unwrap();
    assert_eq!((&used["overrode"], &used["uses_left"]), (&json!("posture"), &json!(2)));
    assert_eq!(used["decision"], decision.id().to_string());
    // Another subject, action or resource, and a subject of another type.
    assert!(!ask(&engine, "bob", "order:pay", 2_000).is_allow());
    assert!(!ask(&engine, "ann", "book:pay", 2_000).is_allow());
    let request = |subject: Value, resource: Value| {
        let request = json!({"subject": subject, "action": {"name": "order:pay"}, "resource": resource});
        engine.decide_json(request.to_string().as_bytes(), at(2_000))
    };
    assert!(!request(json!({"type": "agent", "id": "ann"}), json!({"type": "order", "id": "o"})).is_allow());
    assert!(!request(json!({"type": "user", "id": "ann"}), json!({"type": "book", "id": "o"})).is_allow());
    // What is allowed anyway uses nothing up.
    assert_eq!(engine.overrides()[0].uses_left, 2);
    engine.activate(bundle(&pack()), at(2_500)).unwrap();
    assert_eq!(engine.overrides()[0].uses_left, 2, "the same bundle again");
}

#[test]
fn an_override_gets_past_gates_4_to_8_and_no_other() {
    let engine = engine();
    granted(&engine, &for_ann("10m", 5), 0).unwrap();
    let overridden = |decision: &Decision| decision.reason() == Reason::AllowedByOverride;
    // Gate 5: the posture; gate 4: a quarantine that is not absolute.
    engine.enter_posture("shut", None, at(1_000)).unwrap();
    assert!(overridden(&ask(&engine, "ann", "order:read", 1_000)));
    let terms = |absolute| fallgate::engine::QuarantineTerms { reason: "", until: None, absolute };
    engine.quarantine(&Selector::Subject("user", "ann"), &terms(false), at(2_000)).unwrap();
    assert!(overridden(&ask(&engine, "ann", "order:read", 2_000)));
    engine.quarantine(&Selector::ResourceType("order"), &terms(true), at(3_000)).unwrap();
    assert_eq!(ask(&engine, "ann", "order:read", 3_000).reason(), Reason::Quarantined);
    engine.lift_quarantine(&Selector::ResourceType("order"), at(3_000)).unwrap();
    // An absolute rule that is true, or cannot be established, whatever gate denies.
    let suspended = |suspended: Value| {
        let request = json!({
            "subject": {"type": "user", "id": "ann", "properties": suspended}, "action": {"name": "order:read"},
            "resource": {"type": "order", "id": "o-1"},
        });
        engine.decide_json(request.to_string().as_bytes(), at(4_000)).reason()
    };
    assert_eq!(suspended(json!({"suspended": true})), Reason::Quarantined);
    assert_eq!(suspended(json!({})), Reason::Quarantined);
    assert_eq!(suspended(json!({"suspended": false})), Reason::AllowedByOverride);
    // Gate 2 is final.
    assert_eq!(suspended(json!({"suspended": 5})), Reason::InvalidRequest);
    let newer = json!({
        "subject": {"type": "user", "id": "ann", "properties": {"suspended": false}}, "action": {"name": "order:read"},
        "resource": {"type": "order", "id": "o-1"}, "context": {"fallgate": {"min_revision": 2}},
    });
    assert_eq!(engine.decide_json(newer.to_string().as_bytes(), at(4_000)).reason(), Reason::RevisionTooOld);
    assert_eq!(engine.overrides()[0].uses_left, 2);
}

#[test]
fn a_cached_deny_is_overridden_and_the_override_is_never_cached() {
    let mut document = pack();
    document["rules"][0]["subject"] = json!({"id": "bob"});
    let engine = Engine::new(Config::default());
    engine.activate(bundle(&document), at(0)).unwrap();
    assert_eq!(ask(&engine, "ann", "order:read", 0).reason(), Reason::NoMatchingRule);
    assert!(ask(&engine, "ann", "order:read", 1).cached());
    granted(&engine, &for_ann("10m", 1), 2).unwrap();
    let allowed = ask(&engine, "ann", "order:read", 3);
    assert_eq!((allowed.reason(), allowed.cached()), (Reason::AllowedByOverride, false));
    assert_eq!(ask(&engine, "ann", "order:read", 4).reason(), Reason::NoMatchingRule);
}

#[test]
fn an_override_ends_by_uses_window_revocation_clocks_and_bundle() {
    let why = |engine: &Engine| {
        let ended = events(engine).into_iter().filter(|event| event["event"] == "override_ended");
        ended.map(|event| event["why"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let pays = |engine: &Engine, millis| ask(engine, "ann", "order:pay", millis).is_allow();

    let by_uses = engine();
    granted(&by_uses, &for_ann("10m", 2), 0).unwrap();
    assert_eq!([1, 2, 3].map(|millis| pays(&by_uses, millis)), [true, true, false]);
    assert_eq!(why(&by_uses), ["uses"]);

    let by_window = engine();
    granted(&by_window, &for_ann("10m", 5), 0).unwrap();
    assert_eq!(by_window.next_deadline(), Some(Monotonic::from_millis(2_000)), "a posture is due first");
    assert!(pays(&by_window, 599_999));
    assert_eq!(by_window.next_deadline(), Some(Monotonic::from_millis(600_000)));
    by_window.advance(at(600_000));
    assert_eq!(why(&by_window), ["window"]);
    assert!(!pays(&by_window, 600_000));

    let revoked = engine();
    let id = granted(&revoked, &for_ann("10m", 5), 0).unwrap();
    revoked.revoke_override(id, at(5)).unwrap();
    assert_eq!(why(&revoked), ["revoked"]);
    assert!(!pays(&revoked, 5));
    assert_eq!(revoked.revoke_override(id, at(6)), Err(ApprovalError::UnknownOverride));

    // The wall clock leaps, or stands still while the other goes on: both part the clocks.
    for wall in [7_200_000, 0] {
        let parted = engine();
        granted(&parted, &for_ann("10m", 5), 0).unwrap();
        let waiting = proposal("sre-1", &for_ann("1m", 1), 1);
        propose(&parted, &waiting, at(1)).unwrap();
        let now = Now::new(Monotonic::from_millis(6_000), at(wall).wall);
        let request = json!({
            "subject": {"type": "user", "id": "ann", "properties": {"suspended": false}},
            "action": {"name": "order:pay"}, "resource": {"type": "order", "id": "o-1"},
        });
        assert!(!parted.decide_json(request.to_string().as_bytes(), now).is_allow());
        assert_eq!(why(&parted), ["clock"]);
        assert_eq!(approve(&parted, &waiting, "sec-1", now), Err(ApprovalError::ClockFailed));
        assert_eq!(propose(&parted, &proposal("sre-1", &for_ann("1m", 1), 2), now), Err(ApprovalError::ClockFailed));
        parted.anchor_clocks(at(6_000));
        assert!(!pays(&parted, 6_000), "what has ended does not come back");
        assert_eq!(approve(&parted, &waiting, "sec-1", at(6_000)), Err(ApprovalError::UnknownProposal));
    }

    // A bundle without overrides, with a shorter window, with another approver, with a higher need; and one that keeps it.
    type Change = fn(&mut Value);
    let changes: [(Change, bool); 5] = [
        (|pack| drop(pack.as_object_mut().unwrap().remove("overrides")), false),
        (|pack| pack["overrides"]["max_window"] = "9m".into(), false),
        (|pack| pack["approvers"]["security"]["sec-1"] = public("sec-1 anew"), false),
        (|pack| pack["overrides"]["need"] = 3.into(), false),
        (|pack| pack["overrides"]["max_uses"] = 6.into(), true),
    ];
    for (change, stays) in changes {
        let engine = engine();
        granted(&engine, &for_ann("10m", 5), 0).unwrap();
        let waiting = proposal("sre-1", &for_ann("1m", 1), 1);
        propose(&engine, &waiting, at(1)).unwrap();
        let mut next = pack();
        next["revision"] = 2.into();
        change(&mut next);
        engine.activate(bundle(&next), at(10)).unwrap();
        assert_eq!(pays(&engine, 11), stays);
        assert_eq!(why(&engine).is_empty(), stays);
        assert_eq!(
            approve(&engine, &waiting, "sec-1", at(12)),
            Err(ApprovalError::UnknownProposal),
            "void with its bundle"
        );
    }
}

#[test]
fn overrides_of_the_same_cover_no_more_than_one_window() {
    let engine = engine();
    let other = grant(&json!(["user:bob"]), &json!(["order:pay"]), &json!(["order:*"]), "1h", 1);
    granted(&engine, &for_ann("50m", 5), 0).unwrap();
    granted(&engine, &other, 40_000).unwrap();
    // At 40 min another hour of the same: only until the first hour is over.
    let id = granted(&engine, &for_ann("1h", 5), 2_400_000).unwrap();
    let ends = engine.overrides().into_iter().find(|view| view.id == id).unwrap().until;
    assert_eq!(ends, Monotonic::from_millis(3_600_000));
    let granted_event = events(&engine).into_iter().rfind(|event| event["event"] == "override_granted").unwrap();
    assert_eq!(granted_event["window_ms"], 1_200_000);
    // A narrower one that overlaps is the same cover; it is refused until an hour has passed without.
    let narrow = grant(&json!(["user:ann"]), &json!(["order:pay"]), &json!(["order:o-1"]), "1m", 1);
    assert_eq!(granted(&engine, &narrow, 3_600_000), Err(ApprovalError::CoveredTooLong));
    assert_eq!(granted(&engine, &narrow, 7_199_000), Err(ApprovalError::CoveredTooLong));
    granted(&engine, &narrow, 7_230_000).unwrap();
}

#[test]
fn an_override_names_whom_what_and_on_what() {
    let engine = engine();
    for (subjects, actions, resources) in [
        (json!(["*"]), json!(["order:pay"]), json!(["order:*"])),
        (json!(["user:*"]), json!(["order:pay"]), json!(["order:*"])),
        (json!(["ann"]), json!(["order:pay"]), json!(["order:*"])),
        (json!([]), json!(["order:pay"]), json!(["order:*"])),
        (json!(["user:ann"]), json!(["*"]), json!(["order:*"])),
        (json!(["user:ann"]), json!(["order:sell"]), json!(["order:*"])),
        (json!(["user:ann"]), json!(["sell*"]), json!(["order:*"])),
        (json!(["user:ann"]), json!(["order:pay"]), json!(["*"])),
        (json!(["user:ann"]), json!(["order:pay"]), json!(["*:*"])),
        (json!(["user:ann"]), json!(["order:pay"]), json!(["*:o-1"])),
        (json!(vec!["user:ann"; 65]), json!(["order:pay"]), json!(["order:*"])),
    ] {
        let refused = granted(&engine, &grant(&subjects, &actions, &resources, "1m", 1), 0).unwrap_err();
        assert!(["malformed_proposal", "unfit_proposal"].contains(&refused.code()), "{subjects} {actions} {resources}");
    }
    for (window, uses) in [("0s", 1), ("3601s", 1), ("1m", 0), ("1m", 6)] {
        assert_eq!(granted(&engine, &for_ann(window, uses), 0).unwrap_err().code(), "unfit_proposal");
    }
}

#[test]
fn threads_use_an_override_up_exactly() {
    let mut document = pack();
    document["overrides"]["max_uses"] = 100.into();
    let engine = Engine::new(Config::default());
    engine.activate(bundle(&document), at(0)).unwrap();
    granted(&engine, &for_ann("10m", 100), 0).unwrap();
    let allowed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..50).filter(|_| ask(&engine, "ann", "order:pay", 1).is_allow()).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(allowed, 100);
    assert!(engine.overrides().is_empty());
}

#[test]
fn a_flag_holds_its_posture_until_it_is_cleared() {
    let engine = engine();
    for millis in (0..=8_000).step_by(4_000) {
        observe(&engine, "ledger", millis);
    }
    assert_eq!(engine.set_flag("nope", None, at(9_000)), Err(FlagError::UnknownFlag));
    assert_eq!(engine.set_flag("emergency", Some(Ttl::from_secs(86_401)), at(9_000)), Err(FlagError::AgeTooLong));
    assert_eq!(engine.set_flag("emergency", Some(Ttl::ZERO), at(9_000)), Err(FlagError::AgeTooLong));
    assert_eq!(engine.clear_flag("emergency", at(9_000)), Err(FlagError::NotSet));
    events(&engine);
    engine.set_flag("emergency", Some(Ttl::from_secs(30)), at(10_000)).unwrap();
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
    let told = events(&engine);
    let entered = told.iter().find(|event| event["event"] == "posture_entered").unwrap();
    assert_eq!(entered["cause"], "flag");
    for millis in (12_000..120_000).step_by(4_000) {
        observe(&engine, "ledger", millis);
    }
    // It is stale after 30 s, is reported once, and stays in effect.
    let told = events(&engine);
    let stale: Vec<_> = told.iter().filter(|event| event["event"] == "flag_expired").collect();
    assert_eq!((stale.len(), &stale[0]["monotonic_ms"]), (1, &json!(40_000)));
    let flag = &engine.flags(at(119_000))[0];
    assert_eq!((flag.flag.as_str(), &*flag.owner, flag.expired), ("emergency", "sre", true));
    assert_eq!((flag.since, flag.expires_at), (at(10_000).monotonic, at(40_000).monotonic));
    let waiting = proposal("sre-1", &leave(), 119_000);
    propose(&engine, &waiting, at(119_000)).unwrap();
    assert_eq!(waits_for(approve(&engine, &waiting, "sre-2", at(119_000))), Some("flag_set"));
    // It counts as the condition: after it is cleared, the posture has to be stable, and then is left as was approved.
    observe(&engine, "ledger", 120_000);
    engine.clear_flag("emergency", at(120_000)).unwrap();
    for millis in (124_000..=180_000).step_by(4_000) {
        assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
        observe(&engine, "ledger", millis);
    }
    assert_eq!(engine.posture(None).unwrap().as_str(), "normal");
}

#[test]
fn a_flag_that_takes_approvals_is_proposed() {
    let engine = engine();
    assert_eq!(engine.set_flag("approved", None, at(0)), Err(FlagError::NotApproved));
    let set = proposal("sre-1", &json!({"set_flag": {"flag": "approved", "for": "10m"}}), 0);
    propose(&engine, &set, at(0)).unwrap();
    assert_eq!(waits_for(approve(&engine, &set, "sre-2", at(0))), None);
    assert_eq!(engine.posture(None).unwrap().as_str(), "shut");
    assert_eq!(engine.leave_posture("shut", None, at(1)), Err(PostureError::FlagSet));
    assert_eq!(engine.clear_flag("approved", at(1)), Err(FlagError::NotApproved));
    let mut without = pack();
    without["revision"] = 2.into();
    without["flags"].as_object_mut().unwrap().remove("approved");
    assert_eq!(engine.activate(bundle(&without), at(1)).unwrap_err().code(), "loses_flag");
    let clear = proposal("sre-2", &json!({"clear_flag": {"flag": "approved"}}), 2);
    propose(&engine, &clear, at(2)).unwrap();
    assert_eq!(waits_for(approve(&engine, &clear, "sre-1", at(2))), None);
    engine.leave_posture("shut", None, at(3)).unwrap();
    let wrong = proposal("sre-1", &json!({"set_flag": {"flag": "emergency"}}), 3);
    assert_eq!(propose(&engine, &wrong, at(3)), Err(ApprovalError::NoApprovalsDeclared));
}

#[test]
fn keys_that_are_none_are_refused_when_the_pack_is_loaded() {
    let key = seed("sre-1").verifying_key().to_bytes();
    let mut documents = HashSet::new();
    for text in [
        "",
        "ed25519:",
        "rsa:AAAA",
        "ed25519:AAAA",
        &format!("ed25519:{}", HEXLOWER.encode(&[0; 32])),
        // The neutral element, and it in a form that is not canonical: y = 1 + p.
        &format!("ed25519:01{}", "00".repeat(31)),
        &format!("ed25519:ee{}7f", "ff".repeat(30)),
        // A point of order 8, as the papers on Ed25519 list it.
        "ed25519:26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        &format!("ed25519:{}", HEXLOWER.encode(&key[..31])),
        "totp:",
        "totp:GEZDGNBV",
        "totp:not base32!",
        &format!("totp:{}", BASE32_NOPAD.encode(&[0; 20])),
        &format!("totp:{}", BASE32_NOPAD.encode(&[9; 129])),
    ] {
        let mut document = pack();
        document["approvers"]["sre"]["sre-1"] = text.into();
        let error = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
        let first = &error.diagnostics()[0];
        assert_eq!((first.code.as_str(), first.pointer.as_str()), ("invalid_key", "/approvers/sre/sre-1"), "{text}");
        assert!(text.len() < 12 || !first.to_string().contains(&text[8..]), "a message never shows a key");
        documents.insert(text.to_owned());
    }
    let mut document = pack();
    document["approvers"]["sre"]["sre-1"] = format!("ed25519:{}", HEXLOWER.encode(&key)).into();
    bundle(&document);
}

#[test]
fn demands_that_nobody_could_meet_are_refused_when_the_pack_is_loaded() {
    let cases: [(&str, Value, &str); 13] = [
        ("/overrides/need", 0.into(), "/overrides/need"),
        ("/overrides/need", 4.into(), "/overrides/need"),
        ("/overrides/from", "nobody".into(), "/overrides/from"),
        ("/overrides/max_window", "0s".into(), "/overrides/max_window"),
        ("/overrides/max_window", "25h".into(), "/overrides/max_window"),
        ("/overrides/max_uses", 0.into(), "/overrides/max_uses"),
        ("/overrides/max_uses", 10_001.into(), "/overrides/max_uses"),
        ("/approvers/sre", json!({}), "/approvers/sre"),
        ("/postures/0/leave/approvals/need", 3.into(), "/postures/0/leave/approvals/need"),
        ("/flags/emergency/posture", "normal".into(), "/flags/emergency/posture"),
        ("/flags/emergency/owner", " ".into(), "/flags/emergency/owner"),
        ("/flags/emergency/max_age", "0s".into(), "/flags/emergency/max_age"),
        ("/rules/0/absolute", true.into(), "/rules/0/absolute"),
    ];
    for (place, value, expected) in cases {
        let mut document = pack();
        match document.pointer_mut(place) {
            Some(there) => *there = value,
            None => document["rules"][0]["absolute"] = value,
        }
        let error = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
        assert!(error.diagnostics().iter().any(|one| one.pointer == expected), "{place}: {:?}", error.diagnostics());
    }
    // All of one group, and nobody else who could propose.
    let mut alone = pack();
    alone["approvers"].as_object_mut().unwrap().remove("security");
    alone.as_object_mut().unwrap().remove("overrides");
    alone["postures"][0]["leave"]["approvals"]["need"] = 2.into();
    let error = Bundle::from_document(&alone, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
    assert_eq!(error.diagnostics()[0].pointer, "/postures/0/leave/approvals/need");
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
    assert_eq!(granted.approvers.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["sec-1", "sec-3"]);
}
