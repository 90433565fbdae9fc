//! Approvers as the policy declares them: their groups, what they prove themselves with, and what takes how many of them.

use std::fmt;
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};

use crate::name::Name;
use crate::obligation::Obligation;
use crate::time::Ttl;

/// Who may approve, and what takes approvals besides the leaving of postures.
#[derive(Debug, Default)]
pub struct Approvers {
    /// The groups, in order of their names.
    pub groups: Vec<Group>,
    /// How a deny may be overridden; nothing where it may not.
    pub overrides: Option<OverrideSpec>,
    /// The flags, in order of their names.
    pub flags: Vec<FlagSpec>,
}

/// A group of approvers.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: Name,
    /// Its members, in order of their names.
    ///
    /// Invariant: in all groups one name has one verifier and one subject, and each of these one name. So distinct names
    /// are distinct people.
    pub members: Vec<Arc<Member>>,
}

/// An approver.
#[derive(Debug, PartialEq, Eq)]
pub struct Member {
    /// The name.
    pub name: Name,
    /// Which subject it is, by type and id; nothing where the name itself counts as an id.
    pub subject: Option<(Box<str>, Box<str>)>,
    /// What proves that it is this one.
    pub verifier: Verifier,
}

/// What an approver proves with that it is he.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verifier {
    /// Signatures of this Ed25519 key, which is canonical and of full order.
    Key(Box<VerifyingKey>),
    /// One-time codes of this secret.
    Codes(Secret),
}

/// The secret of one-time codes. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

/// How many approvals, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// How many distinct approvers; at least one.
    pub need: u32,
    /// The number of their group.
    pub group: u16,
}

/// How a deny may be overridden.
#[derive(Debug)]
pub struct OverrideSpec {
    /// The approvals that it takes.
    pub quorum: Quorum,
    /// The longest window.
    pub max_window: Ttl,
    /// The most uses.
    pub max_uses: u32,
    /// What each use obliges the host to.
    pub review: Option<Arc<[Obligation]>>,
}

/// A declared flag.
#[derive(Debug)]
pub struct FlagSpec {
    /// Its name.
    pub name: Name,
    /// The number of the posture that it holds.
    pub posture: u16,
    /// Who answers for it.
    pub owner: Box<str>,
    /// After what time at the most it is reported.
    pub max_age: Ttl,
    /// The approvals that it takes to set and to clear it.
    pub approvals: Option<Quorum>,
}

/// Tells verifiers apart without saying what they are.
pub type Fingerprint = [u8; 32];

impl Approvers {
    /// The approver of that name, of whatever group.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Arc<Member>> {
        self.groups.iter().find_map(|group| group.member(name))
    }

    /// The approver of that name in the group of that number.
    #[must_use]
    pub fn member_of(&self, group: u16, name: &str) -> Option<&Arc<Member>> {
        self.groups.get(usize::from(group))?.member(name)
    }

    /// The flag of that name.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<&FlagSpec> {
        self.flags.iter().find(|flag| flag.name.as_str() == name)
    }
}

impl Group {
    fn member(&self, name: &str) -> Option<&Arc<Member>> {
        self.members.iter().find(|member| member.name.as_str() == name)
    }
}

impl Member {
    /// Whether the member is this subject.
    #[must_use]
    pub fn is_subject(&self, subject_type: &str, id: &str) -> bool {
        match &self.subject {
            Some((own_type, own_id)) => **own_type == *subject_type && **own_id == *id,
            None => self.name.as_str() == id,
        }
    }
}

impl Verifier {
    /// What tells it apart from every other.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let (kind, bytes): (&[u8], &[u8]) = match self {
            Self::Key(key) => (b"ed25519:", key.as_bytes()),
            Self::Codes(secret) => (b"totp:", &secret.0),
        };
        Sha256::new().chain_update(kind).chain_update(bytes).finalize().into()
    }
}

impl Secret {
    /// A secret of these bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes: for a code to be computed, never to be shown.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
