//! A proposal: what somebody would have approved, in one canonical form that is signed (RFC 8785).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::approvals::ApprovalError;
use super::overrides::Scope;
use crate::condition::text::parse_timestamp;
use crate::name::Name;
use crate::policy::bundle::{misfit, refuse_lists};
use crate::time::{Ttl, Wall};

/// The first member of a proposal: what it is, and in which version of the form.
pub const FORM: &str = "proposal/1";

/// For how long a proposal may be open at the most.
pub const LIFE_MAX: Ttl = Ttl::from_secs(24 * 3_600);

/// Bytes of a proposal in its canonical form.
pub const BYTES_MAX: usize = 16 << 10;

/// Characters of the reason.
const REASON_CHARS_MAX: usize = 1_000;

/// Bytes of the nonce.
const NONCE_BYTES_MAX: usize = 128;

/// What is proposed: a map with one member, named after it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// A posture is left, as soon as all else that its pack demands holds.
    LeavePosture(LeavePosture),
    /// A deny may be overridden for a while.
    GrantOverride(GrantOverride),
    /// A flag is set.
    SetFlag(SetFlag),
    /// A flag is cleared.
    ClearFlag(ClearFlag),
    /// A staged bundle goes past its shadow, with what it newly allows.
    Promote(BundleNamed),
    /// A bundle may be activated, whatever its revision, and without a rollout: until the proposal expires.
    Activate(BundleNamed),
}

impl Change {
    /// A stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::LeavePosture(_) => "leave_posture",
            Self::GrantOverride(_) => "grant_override",
            Self::SetFlag(_) => "set_flag",
            Self::ClearFlag(_) => "clear_flag",
            Self::Promote(_) => "promote",
            Self::Activate(_) => "activate",
        }
    }
}

/// A posture to leave.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LeavePosture {
    /// The posture.
    pub posture: String,
    /// The scope, as in `tenant:acme`. Left out: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// An override to grant.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GrantOverride {
    /// Whose denies: as in `user:alice`.
    pub subjects: Vec<String>,
    /// Of which actions: names, or the beginnings of several (`payment:*`).
    pub actions: Vec<String>,
    /// On what: as in `payment:p-17`, or all of a type (`payment:*`).
    pub resources: Vec<String>,
    /// For how long, from when it is granted.
    #[serde(rename = "for")]
    pub for_: Ttl,
    /// How many requests it allows.
    pub uses: u32,
}

/// A flag to set.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetFlag {
    /// The flag.
    pub flag: String,
    /// After what time it is reported where it is still set. Left out: the most that the pack admits.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub for_: Option<Ttl>,
}

/// A flag to clear.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClearFlag {
    /// The flag.
    pub flag: String,
}

/// A bundle, by its digest.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BundleNamed {
    /// The SHA-256 of its canonical bytes, in hexadecimal.
    pub bundle: String,
}

/// A proposal as it is written.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProposalDocument {
    /// `proposal/1`.
    pub fallgate: String,
    /// The name of the bundle that it is for.
    pub bundle: String,
    /// The revision that it is for. Left out: the one that is active when it is proposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// What is proposed.
    pub operation: Change,
    /// Which approver proposes it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was written: an RFC 3339 timestamp.
    pub issued_at: String,
    /// When it is over, exclusive: an RFC 3339 timestamp, at most 24 hours later.
    pub expires_at: String,
    /// Tells it apart from others that say the same.
    pub nonce: String,
}

/// The SHA-256 of a proposal's canonical bytes; shown in hexadecimal.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProposalId(pub [u8; 32]);

/// A proposal that is well formed.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// What it says.
    pub document: ProposalDocument,
    /// Its canonical bytes, which are what is signed.
    pub bytes: Arc<[u8]>,
    /// When it was written.
    pub issued_at: Wall,
    /// When it is over, exclusive.
    pub expires_at: Wall,
}

impl Proposal {
    /// Reads a proposal.
    ///
    /// # Errors
    /// [`ApprovalError::MalformedProposal`], with the place.
    pub fn read(document: &Value) -> Result<Self, ApprovalError> {
        let malformed = |message: String| ApprovalError::MalformedProposal { message };
        let bytes = serde_json_canonicalizer::to_vec(document)
            .map_err(|_| malformed("it has no canonical form: leave out numbers beyond a double".to_owned()))?;
        if bytes.len() > BYTES_MAX {
            return Err(malformed(format!("{} bytes, more than the limit of {BYTES_MAX}", bytes.len())));
        }
        refuse_lists(document, &["", "operation", "operation/*"])
            .map_err(|found| malformed(format!("{}: {}", found.pointer, found.message)))?;
        let read: ProposalDocument = serde_path_to_error::deserialize(document).map_err(|error| {
            let found = misfit(&error, document);
            malformed(format!("{}: {}", found.pointer, found.message))
        })?;
        if read.fallgate != FORM {
            return Err(malformed(format!("`fallgate` is not `{FORM}`")));
        }
        let count = read.reason.chars().count();
        if read.reason.trim().is_empty() || count > REASON_CHARS_MAX {
            return Err(malformed(format!("`reason` has {count} characters: say why, in at most {REASON_CHARS_MAX}")));
        }
        if read.nonce.is_empty() || read.nonce.len() > NONCE_BYTES_MAX {
            return Err(malformed(format!("`nonce` has {} bytes: 1 to {NONCE_BYTES_MAX}", read.nonce.len())));
        }
        let at = |name: &str, text: &str| {
            let wall = parse_timestamp(text).and_then(|at| i64::try_from(at.as_nanosecond()).ok());
            wall.map(Wall::from_nanos).ok_or_else(|| malformed(format!("`{name}` is no RFC 3339 timestamp")))
        };
        let (issued_at, expires_at) = (at("issued_at", &read.issued_at)?, at("expires_at", &read.expires_at)?);
        if expires_at <= issued_at {
            return Err(malformed("it is over before it begins".to_owned()));
        }
        if let Change::GrantOverride(grant) = &read.operation {
            Scope::of(grant).map_err(malformed)?;
        }
        let id = ProposalId(Sha256::digest(&bytes).into());
        Ok(Self { id, document: read, bytes: bytes.into(), issued_at, expires_at })
    }

    /// How long it is open.
    #[must_use]
    pub fn life(&self) -> Ttl {
        let span = self.expires_at.as_nanos().saturating_sub(self.issued_at.as_nanos());
        Ttl::from_nanos(u64::try_from(span).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for ProposalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::policy::bundle::hexadecimal(&self.0))
    }
}

impl fmt::Debug for ProposalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ProposalId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| ())?;
        bytes.try_into().map(Self).map_err(|_| ())
    }
}

/// Who is behind what approvals have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedBy {
    /// The proposal.
    pub proposal: ProposalId,
    /// Who proposed it.
    pub by: Name,
    /// Who approved it, in order of their names.
    pub approvers: Vec<Name>,
}

impl ApprovedBy {
    /// Puts it among the members of an event.
    pub(super) fn put<T>(&self, put: &mut impl FnMut(&str, serde_json::Value) -> T) {
        put("proposal", self.proposal.to_string().into());
        put("by", self.by.as_str().into());
        put("approvers", self.approvers.iter().map(|name| name.as_str()).collect());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(change: impl FnOnce(&mut Value)) -> Value {
        let mut document = json!({
            "fallgate": "proposal/1", "bundle": "shop", "operation": {"clear_flag": {"flag": "f"}}, "by": "ann",
            "reason": "a test", "issued_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-01T00:00:05Z", "nonce": "1",
        });
        change(&mut document);
        document
    }

    fn is_read(change: impl FnOnce(&mut Value)) -> bool {
        Proposal::read(&written(change)).is_ok()
    }

    #[test]
    fn a_proposal_is_read_up_to_its_bounds_and_not_beyond() {
        assert!(is_read(|_| {}));
        for (name, most) in [("reason", 1_000), ("nonce", 128)] {
            assert!(is_read(|document| document[name] = "x".repeat(most).into()), "{name}");
            assert!(!is_read(|document| document[name] = "x".repeat(most + 1).into()), "{name}");
            assert!(!is_read(|document| document[name] = "".into()), "{name}");
        }
        assert!(!is_read(|document| document["reason"] = " \n".into()));
        // The bound is on characters, and on bytes: neither stands in for the other.
        assert!(is_read(|document| document["reason"] = "é".repeat(1_000).into()));
        assert!(!is_read(|document| document["nonce"] = "é".repeat(65).into()));
        let bytes = serde_json_canonicalizer::to_vec(&written(|_| {})).unwrap().len();
        let filled =
            |bytes: usize| is_read(|document| document["bundle"] = format!("shop{}", "x".repeat(bytes)).into());
        assert!(filled(16_384 - bytes));
        assert!(!filled(16_385 - bytes));
        assert!(!is_read(|document| document["expires_at"] = "2026-01-01T00:00:00Z".into()));
        assert!(is_read(|document| document["expires_at"] = "2026-01-01T00:00:00.000000001Z".into()));
        assert!(!is_read(|document| document["issued_at"] = "2026-01-01".into()));
        let everybody = json!({"grant_override": {
            "subjects": ["user:*"], "actions": ["a"], "resources": ["doc:*"], "for": "1m", "uses": 1,
        }});
        assert!(!is_read(|document| document["operation"] = everybody));
    }

    #[test]
    fn a_proposal_lives_from_its_issue_to_its_end_and_has_its_digest_for_a_name() {
        let document = written(|_| {});
        let proposal = Proposal::read(&document).unwrap();
        assert_eq!(proposal.life(), Ttl::from_secs(5));
        assert_eq!(proposal.issued_at, Wall::from_millis(1_767_225_600_000));
        let digest = Sha256::digest(serde_json_canonicalizer::to_vec(&document).unwrap());
        let shown: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(proposal.id.to_string(), shown);
        assert_eq!(shown.parse(), Ok(proposal.id));
        assert_eq!("0".repeat(62).parse::<ProposalId>(), Err(()));
        let ever = json!(["1700-01-01T00:00:00Z", "2262-01-01T00:00:00Z"]);
        let long =
            written(|document| (document["issued_at"], document["expires_at"]) = (ever[0].clone(), ever[1].clone()));
        assert_eq!(Proposal::read(&long).unwrap().life(), Ttl::MAX, "longer than can be counted is no short time");
    }

    #[test]
    fn each_change_has_its_code() {
        let bundle = BundleNamed { bundle: String::new() };
        let flag = String::new;
        let codes = [
            (Change::LeavePosture(LeavePosture { posture: flag(), scope: None }), "leave_posture"),
            (Change::SetFlag(SetFlag { flag: flag(), for_: None }), "set_flag"),
            (Change::ClearFlag(ClearFlag { flag: flag() }), "clear_flag"),
            (Change::Promote(bundle.clone()), "promote"),
            (Change::Activate(bundle), "activate"),
        ];
        codes.iter().for_each(|(change, code)| assert_eq!(change.code(), *code));
    }
}
