//! Approvals as operations: what is proposed, approved and withdrawn, each with the proof of who does it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::state::approvals::{ApprovalError, Proof};
use crate::state::proposal::ProposalId;

/// A proposal, and the proof of who proposes it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Propose {
    /// The proposal, as it was signed.
    #[cfg_attr(feature = "schema", schemars(with = "crate::state::proposal::ProposalDocument"))]
    pub proposal: Value,
    /// The proposer's Ed25519 signature, in base64 or hexadecimal, over DSSE's encoding of the canonical proposal with the
    /// payload type `application/vnd.fallgate.proposal+json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// A one-time code of the proposer, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// An approval or a withdrawal of a proposal, and the proof of whose it is.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// The proposal's id: the SHA-256 of its canonical form, in hexadecimal.
    pub proposal: String,
    /// Which approver it is.
    pub by: String,
    /// His Ed25519 signature, in base64 or hexadecimal, over DSSE's encoding of the canonical proposal with the payload type
    /// `application/vnd.fallgate.approval+json`, or `application/vnd.fallgate.withdrawal+json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// A one-time code of his, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// An override to end before its time.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevokeOverride {
    /// Its id: that of the proposal which granted it.
    #[serde(rename = "override")]
    pub id: String,
}

/// The one proof that was given.
fn proof<'p>(signature: Option<&'p String>, code: Option<&'p String>) -> Result<Proof<'p>, ApprovalError> {
    match (signature, code) {
        (Some(signature), None) => Ok(Proof::Signature(signature)),
        (None, Some(code)) => Ok(Proof::Code(code)),
        _ => Err(ApprovalError::ProofMissing),
    }
}

/// The signature or the code that a proof is.
fn parts(proof: Proof<'_>) -> (Option<String>, Option<String>) {
    match proof {
        Proof::Signature(signature) => (Some(signature.to_owned()), None),
        Proof::Code(code) => (None, Some(code.to_owned())),
    }
}

impl Propose {
    /// A proposal, with the proof of who proposes it.
    #[must_use]
    pub fn new(proposal: Value, proof: Proof<'_>) -> Self {
        let (signature, code) = parts(proof);
        Self { proposal, signature, code }
    }

    /// The one proof that was given.
    ///
    /// # Errors
    /// [`ApprovalError::ProofMissing`], where there is none, or two.
    pub fn proof(&self) -> Result<Proof<'_>, ApprovalError> {
        proof(self.signature.as_ref(), self.code.as_ref())
    }
}

impl Approve {
    /// An approval, or a withdrawal, with the proof of whose it is.
    #[must_use]
    pub fn new(proposal: ProposalId, by: &str, proof: Proof<'_>) -> Self {
        let (signature, code) = parts(proof);
        Self { proposal: proposal.to_string(), by: by.to_owned(), signature, code }
    }

    /// The one proof that was given.
    ///
    /// # Errors
    /// [`ApprovalError::ProofMissing`], where there is none, or two.
    pub fn proof(&self) -> Result<Proof<'_>, ApprovalError> {
        proof(self.signature.as_ref(), self.code.as_ref())
    }
}
