//! The approvers: what they propose, and what they sign it with.

use data_encoding::{BASE32_NOPAD, BASE64};
use ed25519_dalek::{Signer, SigningKey};
use fallgate::state::proposal::ProposalId;
use fallgate::state::statement::Purpose;
use fallgate::state::totp;
use fallgate::time::Wall;
use fallgate_oracle::Shown;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const PEOPLE: [&str; 6] = ["sre-1", "sre-2", "sec-1", "sec-2", "s0", "mallory"];
pub(crate) const CHANGES: usize = 10;

fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&seed(name))
}

pub(crate) fn public(name: &str) -> String {
    format!("ed25519:{}", BASE64.encode(&key(name).verifying_key().to_bytes()))
}

/// Who may have a secret of one-time codes instead.
pub(crate) const CODED: [&str; 2] = ["sre-2", "sec-1"];
/// In how many ways a code is said, most of them right.
pub(crate) const CODES: u8 = 12;

fn seed(name: &str) -> [u8; 32] {
    Sha256::digest(name).into()
}

pub(crate) fn secret(name: &str) -> String {
    format!("totp:{}", BASE32_NOPAD.encode(&seed(name)))
}

/// The code that somebody says, and what it is; nothing where he signs.
pub(crate) fn code(pack: &Value, by: &str, which: u8, now: Wall) -> Option<(String, Shown)> {
    let keys = pack["approvers"].as_object().into_iter().flat_map(|groups| groups.values());
    let key = keys.filter_map(|group| group.get(by)).next()?;
    let is_coded = [key, &key["key"]].iter().any(|key| key.as_str().is_some_and(|key| key.starts_with("totp:")));
    // Once in a while he shows what the pack has not of him.
    if is_coded == (which == 11) {
        return None;
    }
    let current = totp::step(now)?;
    let step = match which {
        7 => current.checked_sub(1),
        8 => current.checked_sub(2),
        9 => current.checked_add(1),
        10 => None,
        _ => Some(current),
    };
    let said = step.map_or_else(|| "none".to_owned(), |step| totp::code(&seed(by), step));
    Some((said, Shown::Code(step)))
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

/// What they propose: of bundles, the one that is staged and the one that was refused last.
pub(crate) fn change(number: usize, [staged, refused]: [&str; 2]) -> Value {
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
        7 => json!({"promote": {"bundle": staged}}),
        8 => json!({"activate": {"bundle": refused}}),
        _ => json!({"set_flag": {"flag": "alone"}}),
    }
}
