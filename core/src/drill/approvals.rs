//! Approvals in a drill: it lists test keys, and the runner signs with them, so that a step says no more than who does what.
//!
//! What comes out is a finished operation with its signature or code: who replays a timeline needs no key.

use std::collections::BTreeMap;

use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Step;
use super::operations::PostureCall;
use super::rollout::Shelf;
use crate::error::{Code, Diagnostic, quoted};
use crate::operation::{Approve, Operation, Propose, RevokeOverride};
use crate::policy::bundle::{Bundle, escape, hexadecimal};
use crate::state::proposal::{
    BundleNamed, Change, ClearFlag, FORM, GrantOverride, LeavePosture, ProposalDocument, SetFlag,
};
use crate::state::statement::Purpose;
use crate::state::totp;
use crate::time::{Now, Ttl};

/// A proposal that somebody makes in a drill.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProposeCall {
    /// A posture to leave: its name, or `{ posture: …, scope: "tenant:acme" }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<PostureCall>,
    /// An override to grant.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantOverride>,
    /// A flag to set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_flag: Option<SetFlag>,
    /// A flag to clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_flag: Option<String>,
    /// The revision of a staged bundle to promote, with what it newly allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promote: Option<u64>,
    /// The revision of a bundle to let in without a rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activate: Option<u64>,
    /// Who proposes it.
    pub by: String,
    /// Why. Left out: the drill's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What other steps call it. Left out: a leave is called by its posture, as in `approve: { leave: read-only, … }`.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// For how long it is open. Left out: an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_for: Option<Ttl>,
    /// How long before the step it was issued. Left out: at the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Ttl>,
    /// The bundle that it is for. Left out: the one of the drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// What tells it apart. Left out: a number of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The signature, where it is not to be made with the key of `by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The code, where it is not to be made with the secret of `by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl ProposeCall {
    /// Whether it is about one thing.
    pub(super) fn is_one(&self) -> bool {
        let things = [
            self.leave.is_some(),
            self.grant.is_some(),
            self.set_flag.is_some(),
            self.clear_flag.is_some(),
            self.promote.is_some(),
            self.activate.is_some(),
        ];
        things.iter().filter(|there| **there).count() == 1
    }
}

/// An approval or a withdrawal of a proposal in a drill.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApproveCall {
    /// The posture that it would leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<PostureCall>,
    /// What the step that proposed it calls it, or its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
    /// Who approves or withdraws it.
    pub by: String,
    /// The signature, where it is not to be made with the key of `by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The code, where it is not to be made with the secret of `by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// What somebody in a drill signs with.
enum Key {
    Seed(Box<SigningKey>),
    Secret(Vec<u8>),
}

/// The keys of a drill, and what was proposed so far.
pub(super) struct Desk {
    drill: String,
    bundle: String,
    keys: BTreeMap<String, Key>,
    /// By what steps call them: the ids and the canonical bytes.
    proposals: BTreeMap<String, (String, Vec<u8>)>,
    count: u64,
    shelf: Shelf,
}

/// Whether these are keys, or where they are not.
pub(super) fn check_keys(keys: &BTreeMap<String, String>) -> Result<(), Diagnostic> {
    for (name, text) in keys {
        if key(text).is_none() {
            let message = format!("what {} signs with is no key", quoted(name));
            let help = "write `ed25519-seed:` and 32 bytes in hexadecimal, or `totp:` and a base32 secret";
            let pointer = format!("/keys/{}", escape(name));
            return Err(Diagnostic::new(Code::InvalidKey, pointer, message).with_help(help));
        }
    }
    Ok(())
}

/// The private key that a text is, if it is one.
pub(super) fn seed(text: &str) -> Option<SigningKey> {
    let seed = text.strip_prefix("ed25519-seed:")?;
    let seed: [u8; 32] = HEXLOWER.decode(seed.as_bytes()).ok()?.try_into().ok()?;
    Some(SigningKey::from_bytes(&seed))
}

fn key(text: &str) -> Option<Key> {
    if text.starts_with("ed25519-seed:") {
        return seed(text).map(|key| Key::Seed(Box::new(key)));
    }
    let secret = text.strip_prefix("totp:")?.trim_end_matches('=');
    BASE32_NOPAD.decode(secret.as_bytes()).ok().map(Key::Secret)
}

impl Desk {
    pub(super) fn new(drill: &str, keys: &BTreeMap<String, String>, bundle: &Bundle) -> Self {
        let shelf = Shelf::new(bundle);
        let keys = keys.iter().filter_map(|(name, text)| Some((name.clone(), key(text)?))).collect();
        Self {
            drill: drill.to_owned(),
            bundle: bundle.name().to_owned(),
            keys,
            proposals: BTreeMap::new(),
            count: 0,
            shelf,
        }
    }

    /// What the step does with bundles, and what it has people do, signed.
    pub(super) fn operations(&mut self, step: &Step, now: Now) -> Vec<Operation> {
        let mut operations = self.shelf.operations(step);
        operations.extend(step.propose.as_ref().and_then(|call| self.propose(call, now)));
        let approve = step.approve.as_ref();
        operations.extend(approve.map(|call| Operation::Approve(self.signed(call, Purpose::Approval, now))));
        let withdraw = step.withdraw.as_ref();
        operations.extend(withdraw.map(|call| Operation::Withdraw(self.signed(call, Purpose::Withdrawal, now))));
        let revoke = step.revoke_override.as_ref();
        operations.extend(revoke.map(|label| {
            let id = self.proposals.get(label).map_or_else(|| label.clone(), |(id, _)| id.clone());
            Operation::RevokeOverride(RevokeOverride { id })
        }));
        operations.extend(step.set_flag.clone().map(Operation::SetFlag));
        operations.extend(step.clear_flag.clone().map(|flag| Operation::ClearFlag(ClearFlag { flag })));
        operations
    }

    fn propose(&mut self, call: &ProposeCall, now: Now) -> Option<Operation> {
        let leave = call.leave.as_ref().map(|call| {
            let at = call.at();
            Change::LeavePosture(LeavePosture { posture: at.posture, scope: at.scope })
        });
        let grant = call.grant.clone().map(Change::GrantOverride);
        let set = call.set_flag.clone().map(Change::SetFlag);
        let clear = call.clear_flag.clone().map(|flag| Change::ClearFlag(ClearFlag { flag }));
        let named = |revision| BundleNamed { bundle: self.shelf.digest(revision) };
        let promote = call.promote.map(|revision| Change::Promote(named(revision)));
        let activate = call.activate.map(|revision| Change::Activate(named(revision)));
        let operation = leave.or(grant).or(set).or(clear).or(promote).or(activate)?;
        self.count = self.count.saturating_add(1);
        let ago = call.issued_before.unwrap_or_default();
        let issued_at = super::moved(now.wall, ago, false);
        let open_for = call.open_for.unwrap_or(Ttl::from_secs(3_600));
        let document = ProposalDocument {
            fallgate: FORM.to_owned(),
            bundle: call.bundle.clone().unwrap_or_else(|| self.bundle.clone()),
            revision: None,
            operation,
            by: call.by.clone(),
            reason: call.reason.clone().unwrap_or_else(|| self.drill.clone()),
            issued_at: issued_at.to_string(),
            expires_at: super::moved(issued_at, open_for, true).to_string(),
            nonce: call.nonce.clone().unwrap_or_else(|| self.count.to_string()),
        };
        let proposal = serde_json::to_value(&document).unwrap_or_default();
        let bytes = serde_json_canonicalizer::to_vec(&proposal).unwrap_or_default();
        let (signature, code) = self.proof(&call.by, Purpose::Proposal, &bytes, now, (&call.signature, &call.code));
        let label = call.label.clone().or_else(|| call.leave.as_ref().map(label_of)).unwrap_or_default();
        self.proposals.insert(label, (hexadecimal(&Sha256::digest(&bytes)), bytes));
        Some(Operation::Propose(Propose { proposal, signature, code }))
    }

    fn signed(&self, call: &ApproveCall, purpose: Purpose, now: Now) -> Approve {
        let label = call.proposal.clone().or_else(|| call.leave.as_ref().map(label_of)).unwrap_or_default();
        let (id, bytes) = match self.proposals.get(&label) {
            Some((id, bytes)) => (id.clone(), bytes.as_slice()),
            None => (label, [].as_slice()),
        };
        let (signature, code) = self.proof(&call.by, purpose, bytes, now, (&call.signature, &call.code));
        Approve { proposal: id, by: call.by.clone(), signature, code }
    }

    /// A signature or a code: what the step gives, or what the key makes.
    fn proof(
        &self,
        by: &str,
        purpose: Purpose,
        bytes: &[u8],
        now: Now,
        given: (&Option<String>, &Option<String>),
    ) -> (Option<String>, Option<String>) {
        match (given, self.keys.get(by)) {
            ((None, None), Some(Key::Seed(seed))) => {
                (Some(BASE64.encode(&seed.sign(&purpose.encoding(bytes)).to_bytes())), None)
            }
            ((None, None), Some(Key::Secret(secret))) => {
                (None, totp::step(now.wall).map(|step| totp::code(secret, step)))
            }
            ((signature, code), _) => (signature.clone(), code.clone()),
        }
    }
}

/// What a proposal to leave a posture is called.
fn label_of(call: &PostureCall) -> String {
    let at = call.at();
    serde_json::to_value(&at).as_ref().map(Value::to_string).unwrap_or_default()
}
