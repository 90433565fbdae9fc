//! The approvers: what they propose, and what they sign it with.

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use fallgate::state::proposal::ProposalId;
use fallgate::state::statement::Purpose;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const PEOPLE: [&str; 6] = ["sre-1", "sre-2", "sec-1", "sec-2", "s0", "mallory"];
pub(crate) const CHANGES: usize = 8;

fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(name).into())
}

pub(crate) fn public(name: &str) -> String {
    format!("ed25519:{}", BASE64.encode(&key(name).verifying_key().to_bytes()))
}

fn canonical(proposal: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(proposal).unwrap()
}

pub(crate) fn id(proposal: &Value) -> ProposalId {
    ProposalId(Sha256::digest(canonical(proposal)).into())
}

pub(crate) fn signed(by: &str, purpose: Purpose, proposal: &Value) -> String {
    BASE64.encode(&key(by).sign(&purpose.encoding(&canonical(proposal))).to_bytes())
}

/// What they propose.
pub(crate) fn change(number: usize) -> Value {
    let grant = |subjects: Value, actions: Value, resources: Value, span: &str, uses: u32| {
        json!({"grant_override": {
            "subjects": subjects, "actions": actions, "resources": resources, "for": span, "uses": uses,
        }})
    };
    match number {
        0 => json!({"leave_posture": {"posture": "careful"}}),
        1 => json!({"leave_posture": {"posture": "careful", "scope": "tenant:x"}}),
        2 => grant(json!(["user:s0", "user:s2"]), json!(["file:*", "ping"]), json!(["file:*"]), "30s", 3),
        3 => grant(json!(["service:s0"]), json!(["host:boot", "ping"]), json!(["host:h", "file:f"]), "8s", 1),
        4 => grant(json!(["user:s1", "user:s4"]), json!(["ping"]), json!(["file:*", "host:*"]), "1m", 4),
        5 => json!({"set_flag": {"flag": "both"}}),
        6 => json!({"clear_flag": {"flag": "both"}}),
        _ => json!({"set_flag": {"flag": "alone"}}),
    }
}
