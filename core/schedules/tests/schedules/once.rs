//! What may happen so often and no more: the uses of an override, and the handing out of an allow that waited for its record.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use fallgate::state::approvals::Proof;
use fallgate::state::proposal::ProposalId;
use fallgate::state::statement::Purpose;
use fallgate::{Reason, Request};
use sha2::{Digest, Sha256};

use super::*;

fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(name).into())
}

fn public(name: &str) -> String {
    format!("ed25519:{}", BASE64.encode(&key(name).verifying_key().to_bytes()))
}

/// A pack that denies ann what an override may let her do.
fn door() -> Bundle {
    bundle(&json!({
        "fallgate": 1, "name": "door", "revision": 1, "actions": {"open": {}},
        "approvers": {"security": {"sec-1": public("sec-1"), "sec-2": public("sec-2")}},
        "overrides": {"need": 1, "from": "security", "max_window": "1h", "max_uses": 5},
        "rules": [{"id": "shut", "effect": "deny"}],
    }))
}

/// An override of so many uses, as it is proposed and approved, with its signatures.
struct Grant {
    proposal: Value,
    id: ProposalId,
    proposed: String,
    approved: String,
}

impl Grant {
    fn of(uses: u32) -> Self {
        let scope =
            json!({"subjects": ["user:ann"], "actions": ["open"], "resources": ["doc:d"], "for": "10m", "uses": uses});
        let proposal = json!({
            "fallgate": "proposal/1", "bundle": "door", "operation": {"grant_override": scope}, "by": "sec-2",
            "reason": "a test", "issued_at": START.wall.to_string(), "expires_at": at(3_600_000).wall.to_string(),
            "nonce": "1",
        });
        let bytes = serde_json_canonicalizer::to_vec(&proposal).unwrap();
        let signed = |by: &str, purpose: Purpose| BASE64.encode(&key(by).sign(&purpose.encoding(&bytes)).to_bytes());
        let (proposed, approved) = (signed("sec-2", Purpose::Proposal), signed("sec-1", Purpose::Approval));
        Self { id: ProposalId(Sha256::digest(&bytes).into()), proposal, proposed, approved }
    }

    fn begin(&self, engine: &Engine) {
        engine.propose(&self.proposal, Proof::Signature(&self.proposed), START).unwrap();
        engine.approve(self.id, "sec-1", Proof::Signature(&self.approved), START).unwrap();
    }
}

fn ann_opens(engine: &Engine) -> bool {
    let decision = engine.decide_json(&request("ann", "open"), START);
    assert!(!decision.is_allow() || decision.reason() == Reason::AllowedByOverride);
    decision.is_allow()
}

#[test]
fn an_override_is_used_as_often_as_it_was_granted_and_no_more() {
    let (pack, grant) = (door(), Grant::of(2));
    in_many_orders(move || {
        let engine = engine_of(&pack, small());
        grant.begin(&engine);
        let allowed = AtomicUsize::new(0);
        let asks = || {
            allowed.fetch_add(ann_opens(&engine).into(), Ordering::SeqCst);
        };
        beside_one_another(vec![Box::new(asks), Box::new(asks), Box::new(asks)]);
        assert_eq!(allowed.into_inner(), 2);
        assert!(!ann_opens(&engine));
    });
}

#[test]
fn an_override_that_was_revoked_is_used_no_more() {
    let (pack, grant) = (door(), Grant::of(5));
    in_many_orders(move || {
        let engine = engine_of(&pack, small());
        grant.begin(&engine);
        let revoked = AtomicBool::new(false);
        let asks = || {
            for _ in 0..2 {
                let known = revoked.load(Ordering::SeqCst);
                assert!(!(ann_opens(&engine) && known));
            }
        };
        let revokes = || {
            engine.revoke_override(grant.id, START).unwrap();
            revoked.store(true, Ordering::SeqCst);
        };
        beside_one_another(vec![Box::new(asks), Box::new(asks), Box::new(revokes)]);
        assert!(!ann_opens(&engine));
    });
}

/// Two threads come for one allow that waits, while a third writes its record: one of them gets it at the most, and nobody
/// before the host has confirmed the record.
#[test]
fn an_allow_that_waited_is_given_out_once_and_not_before_it_is_written() {
    let pack = bundle(&json!({
        "fallgate": 1, "name": "vault", "revision": 1, "actions": {"open": {"audit": "confirmed"}},
        "audit": {"level": "all"}, "rules": [{"id": "all", "effect": "allow"}],
    }));
    let asked = Request::from_json(&request("ann", "open"), &Limits::DEFAULT).unwrap();
    let given = Arc::new(AtomicUsize::new(0));
    let given_ever = Arc::clone(&given);
    in_many_orders(move || {
        let engine = engine_of(&pack, small());
        let pending = engine.decide_pending(&asked, START);
        assert!(!pending.decision.is_allow());
        let id = pending.id.unwrap();
        let (confirmed, allowed) = (AtomicBool::new(false), AtomicUsize::new(0));
        let asks = || {
            for _ in 0..2 {
                let is_allow = engine.confirm(id, START).is_allow();
                // A call that is under way may have confirmed it already.
                assert!(!is_allow || confirmed.load(Ordering::SeqCst), "nobody has written it");
                allowed.fetch_add(is_allow.into(), Ordering::SeqCst);
            }
        };
        let writes = || {
            let batch = engine.drain_audit(100, START);
            confirmed.store(true, Ordering::SeqCst);
            engine.acknowledge_audit(batch.last_seq, START);
        };
        beside_one_another(vec![Box::new(asks), Box::new(asks), Box::new(writes)]);
        let last = engine.confirm(id, START).is_allow();
        assert_eq!(allowed.load(Ordering::SeqCst) + usize::from(last), 1);
        given_ever.fetch_add(allowed.into_inner(), Ordering::Relaxed);
    });
    assert!(given.load(Ordering::Relaxed) > 0, "nobody got it while it was written");
}
