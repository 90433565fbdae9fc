//! An exported state: what an engine carries over a restart, or to another engine, as one sealed document (spec 2.5).
//!
//! The document is canonical JSON (RFC 8785), so that the same state gives the same bytes in every language. Its seal is
//! an HMAC over the bytes of `state`, with the host's key, and it is looked at before anything of it is parsed: whoever
//! cannot make a seal cannot even make an engine read JSON.
//!
//! The monotonic clocks of two processes have nothing to do with each other. So every time in it is a span: how long
//! something still lasts, or how long until it comes.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::limits::Limits;
use crate::policy::bundle::BundleId;
use crate::policy::trust::root::TrustRoot;
use crate::time::{Monotonic, Now, Ttl, Wall};

/// What stands before the version.
const OPENING: &str = r#"{"fallgate":"state/"#;
/// What stands before the seal, version and all.
const BEFORE_MAC: &str = r#"{"fallgate":"state/1","mac":""#;
/// What stands between the seal and what it seals.
const AFTER_MAC: &str = r#"","state":"#;
/// What is sealed before the state, so that a key that is used for something else too seals nothing by mistake.
const DOMAIN: &[u8] = b"fallgate state/1\n";
const MAC_DIGITS: usize = 64;

/// The host's secret that seals exported state. It shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct StateKey([u8; 32]);

impl StateKey {
    /// A key of 32 random bytes; nothing for 32 zeros, which is what a buffer has that nobody filled.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Option<Self> {
        (bytes != [0; 32]).then_some(Self(bytes))
    }

    /// What the key is known by where it must not be shown.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.0)
    }

    fn seal(&self, state: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(DOMAIN);
        mac.update(state);
        Some(mac)
    }
}

/// What a secret key is known by where it must not be shown: the first eight bytes of its SHA-256, in hexadecimal.
#[must_use]
pub fn fingerprint(key: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(key).into();
    crate::policy::bundle::hexadecimal(digest.get(..8).unwrap_or_default())
}

impl std::fmt::Debug for StateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StateKey")
    }
}

/// Why a state was not exported, or not restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The engine has no key.
    #[error("the engine has no `state_key`; give it one of 32 random bytes")]
    NoKey,
    /// No bundle is active.
    #[error("no bundle is active; activate one, then restore")]
    NoPolicy,
    /// It is longer than the limit.
    #[error("the state has more than {max} bytes; raise `state_bytes_max`, or lift quarantines that are over")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// There is none: no bytes at all.
    #[error("there is no state; an engine that has none yet restores none")]
    Missing,
    /// The bytes are no such document.
    #[error("the bytes are no exported state; pass on what `export_state` gave, to the byte")]
    Malformed,
    /// Another version wrote it.
    #[error("the state is of another version than `state/1`")]
    UnknownVersion,
    /// The seal is not that of this key and these bytes.
    #[error("the state was altered, or sealed with another key")]
    NotAuthentic,
    /// It is of another pack than the active bundle.
    #[error("the state is of another pack than the active bundle")]
    OtherPack,
    /// A later one is known.
    #[error("the state is older than one that is known: {offered}, and {least} is the least")]
    Older {
        /// Its sequence, or its epoch where that is too low.
        offered: u64,
        /// The least one.
        least: u64,
    },
    /// Revision `known` was active before, and the active bundle is older.
    #[error("revision {known} was active before; activate that or a newer one, and restore again")]
    BundleBehind {
        /// The highest revision that was active.
        known: u64,
    },
    /// Another bundle of revision `revision` was active before.
    #[error("another bundle of revision {revision} was active before; activate that or a newer one, and restore again")]
    OtherBundle {
        /// The revision.
        revision: u64,
    },
    /// Version `known` of the trust root was held before, and this engine holds an older one, another one or none.
    #[error(
        "version {known} of the trust root was held before; give the engine that one or a newer, and restore again"
    )]
    TrustBehind {
        /// The version.
        known: u64,
    },
    /// The active bundle lacks a posture or a scope that is entered in it.
    #[error("the active bundle lacks a posture or a scope that the state has entered")]
    DoesNotFit,
}

impl StateError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoKey => "no_state_key",
            Self::NoPolicy => "no_policy",
            Self::TooLarge { .. } => "state_too_large",
            Self::Missing => "state_missing",
            Self::Malformed => "state_malformed",
            Self::UnknownVersion => "state_unknown_version",
            Self::NotAuthentic => "state_not_authentic",
            Self::OtherPack => "state_other_pack",
            Self::Older { .. } => "state_older",
            Self::BundleBehind { .. } => "state_bundle_behind",
            Self::OtherBundle { .. } => "state_other_bundle",
            Self::TrustBehind { .. } => "state_trust_behind",
            Self::DoesNotFit => "state_does_not_fit",
        }
    }
}

/// What is exported. What signals are is not: they are unknown until they are observed. Neither are cached decisions, nor
/// the guards of the host's own calls.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The pack's name.
    pub pack: String,
    /// The digest of the active bundle, in hexadecimal.
    pub bundle: String,
    /// Whether that bundle was gone back to: then it does not lag behind the highest revision.
    pub returned: bool,
    /// The highest revision that was ever active.
    #[serde(with = "decimal")]
    pub revision: u64,
    /// The digest of the bundle of that revision, in hexadecimal.
    pub revision_bundle: String,
    /// The newest trust root that was held; left out: the engine took anybody's bundles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<HeldRoot>,
    /// How far the host has confirmed the audit chain.
    pub audit: ChainHead,
    /// Grows with every change of what is exported.
    #[serde(with = "decimal")]
    pub sequence: u64,
    /// Which engine wrote it, as its host calls it.
    pub instance: String,
    /// Who is active, as far as that engine knows.
    pub failover: Failover,
    /// When it was written.
    pub at: WrittenAt,
    /// Postures that are entered, or that are still remembered, by scope and number.
    pub postures: Vec<PostureLayer>,
    /// Postures whose condition holds, but not for long enough yet.
    pub entering: Vec<Entering>,
    /// What is quarantined.
    pub quarantines: Vec<Quarantined>,
    /// Whose earlier decisions are void.
    pub revocations: Vec<Revoked>,
    /// The flags that are set, in order of their names.
    pub flags: Vec<FlagSet>,
    /// What of approvals tightens. None that waits is carried, and no override: what loosens is approved anew.
    pub approvals: Barred,
    /// The signals that failed and have not recovered, in order of their names: the next ok does not make them ok.
    pub recovering: Vec<String>,
}

/// A trust root that was held.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct HeldRoot {
    /// Its version.
    #[serde(with = "decimal")]
    pub version: u64,
    /// The digest of its bytes, in hexadecimal: two of one version may revoke different keys.
    pub root: String,
}

impl HeldRoot {
    /// A trust root as a state carries it.
    #[must_use]
    pub fn of(root: &TrustRoot) -> Self {
        Self { version: root.version(), root: root.digest().to_owned() }
    }

    /// Whether an engine that holds `held` may go on where this one was held: it is the same, or newer.
    #[must_use]
    pub fn is_held(&self, held: Option<&TrustRoot>) -> bool {
        held.is_some_and(|held| {
            self.version < held.version() || (self.version == held.version() && self.root == held.digest())
        })
    }
}

/// Where the audit chain had come to.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ChainHead {
    /// How many records it has.
    #[serde(with = "decimal")]
    pub count: u64,
    /// The hash of the last, in hexadecimal.
    pub head: String,
}

impl ChainHead {
    /// Whether a chain that has come to `held` may be this one, or this one gone on: none that is shorter is.
    #[must_use]
    pub fn is_held(&self, held: &Self) -> bool {
        self.count < held.count || self == held
    }
}

/// What is known of who is active.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// The epoch of the engine that wrote it.
    #[serde(with = "decimal")]
    pub epoch: u64,
    /// Whether it has taken over, and not resigned.
    pub active: bool,
    /// The highest epoch that it has seen.
    #[serde(with = "decimal")]
    pub highest: u64,
    /// The postures that a failover entered everywhere, and that need its checks to be left.
    pub postures: Vec<String>,
}

/// When a state was written.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct WrittenAt {
    /// The wall clock in milliseconds since 1970, rounded down.
    pub wall_ms: i64,
    /// Whether it agreed with the monotonic one.
    pub clock_ok: bool,
}

/// One posture in one place.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PostureLayer {
    /// The scope; left out: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The posture.
    pub posture: String,
    /// How it stands where it is entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered: Option<Entered>,
    /// How often in a row it was entered soon after it had been left.
    pub level: u32,
    /// For how long an entry still counts as soon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backs_off_ms: Option<u64>,
}

/// A posture that is entered.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Entered {
    /// What is left of its dwell.
    pub dwells_ms: u64,
    /// How long until the next one follows; left out where somebody acknowledged, or none follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalates_in_ms: Option<u64>,
}

/// A posture that is about to be entered.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Entering {
    /// The posture.
    pub posture: String,
    /// How long until it is, if the condition goes on to hold.
    pub in_ms: u64,
}

/// A quarantine.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Quarantined {
    /// What kind of thing is: 0 a subject, 1 all of a type, 2 a resource, 3 all of a type, 4 a scope, 5 everything.
    pub kind: u8,
    /// The type, or the scope's name.
    pub first: String,
    /// The id, or what names one scope.
    pub second: String,
    /// How long it still lasts; left out: until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts_ms: Option<u64>,
    /// Whether no override gets past it.
    pub absolute: bool,
}

/// A subject whose earlier decisions are void; everybody's, where it names none.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// Its type and id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<(String, String)>,
    /// For how long from now on what is decided is void too.
    pub lasts_ms: u64,
}

/// A flag that is set.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct FlagSet {
    /// The flag.
    pub flag: String,
    /// How long until it is stale.
    pub fresh_ms: u64,
}

/// What is not taken as an approval any more.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Barred {
    /// By the wall clock, rounded up: what was issued before is not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_ms: Option<i64>,
    /// By the wall clock, rounded up: what ends before is not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten_ms: Option<i64>,
    /// The proposals that are not taken again, by id in hexadecimal, and until when each could be, rounded up.
    pub proposals: BTreeMap<String, i64>,
    /// The one-time codes that were used and tried, by the fingerprint of their secret in hexadecimal.
    pub codes: BTreeMap<String, Codes>,
}

/// The one-time codes of one secret.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// The step of the last that was used: none of it, or of an earlier one, counts again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// How many wrong ones came lately.
    pub wrong: u32,
}

/// A wall time in milliseconds, rounded up.
#[must_use]
pub const fn wall_ms(at: Wall) -> i64 {
    let (nanos, milli) = (at.as_nanos(), 1_000_000);
    nanos.div_euclid(milli).saturating_add(if nanos.rem_euclid(milli) > 0 { 1 } else { 0 })
}

/// How much time has passed since a state was written, at the most; nothing where nobody can tell.
pub type Elapsed = Option<Ttl>;

impl WrittenAt {
    /// This moment.
    #[must_use]
    pub fn new(now: Now, clock_ok: bool) -> Self {
        Self { wall_ms: now.wall.as_nanos().div_euclid(1_000_000), clock_ok }
    }

    /// When it was, rounded up.
    #[must_use]
    pub const fn wall(&self) -> Wall {
        Wall::from_millis(self.wall_ms.saturating_add(1))
    }

    /// How much time has passed since, at the most. Two wall clocks may differ by `skew`: that much is added. One that went
    /// back by more, or that is not to be trusted, measures nothing.
    #[must_use]
    pub fn elapsed(&self, now: Now, clock_ok: bool, skew: Ttl) -> Elapsed {
        let written = i128::from(self.wall_ms).saturating_mul(1_000_000);
        let difference = i128::from(now.wall.as_nanos()).saturating_sub(written);
        let most = difference.saturating_add(i128::from(skew.as_nanos()));
        let nanos = u64::try_from(most).ok().filter(|_| clock_ok && self.clock_ok)?;
        Some(Ttl::from_nanos(nanos))
    }
}

/// A span in whole milliseconds, rounded up: what loosens when it is over does so later, never earlier.
#[must_use]
pub fn span_ms(from: Monotonic, until: Monotonic) -> u64 {
    until.nanos_since(from).div_ceil(1_000_000)
}

/// What is left of a span that tightens when it is over: never more than there was, and nothing where nobody can tell.
#[must_use]
pub fn left_ms(span_ms: u64, elapsed: Elapsed) -> u64 {
    elapsed.map_or(0, |elapsed| span_ms.saturating_sub(elapsed.as_nanos().div_ceil(1_000_000)))
}

impl State {
    /// The sealed document.
    ///
    /// # Errors
    /// [`StateError::TooLarge`].
    pub fn seal(&self, key: &StateKey, limits: &Limits) -> Result<Vec<u8>, StateError> {
        let max = limits.state_bytes_max;
        let state = serde_json_canonicalizer::to_vec(self).map_err(|_| StateError::TooLarge { max })?;
        let mac = key.seal(&state).ok_or(StateError::NoKey)?.finalize().into_bytes();
        let mac = data_encoding::HEXLOWER.encode(&mac);
        let parts = [BEFORE_MAC.as_bytes(), mac.as_bytes(), AFTER_MAC.as_bytes(), &state, b"}"];
        let bytes = parts.concat();
        if bytes.len() > max { Err(StateError::TooLarge { max }) } else { Ok(bytes) }
    }

    /// Reads a sealed document. The seal is compared in constant time, before what it seals is parsed.
    ///
    /// # Errors
    /// [`StateError`]: what is wrong with the bytes.
    pub fn open(bytes: &[u8], key: &StateKey, limits: &Limits) -> Result<Self, StateError> {
        let max = limits.state_bytes_max;
        if bytes.is_empty() {
            return Err(StateError::Missing);
        }
        if bytes.len() > max {
            return Err(StateError::TooLarge { max });
        }
        let other_version = || {
            let rest = bytes.strip_prefix(OPENING.as_bytes()).filter(|rest| rest.contains(&b'"'));
            let version = rest.and_then(|rest| rest.split(|byte| *byte == b'"').next());
            if version.is_none_or(|version| version == b"1") {
                StateError::Malformed
            } else {
                StateError::UnknownVersion
            }
        };
        let rest = bytes.strip_prefix(BEFORE_MAC.as_bytes()).ok_or_else(other_version)?;
        let (mac, rest) = rest.split_at_checked(MAC_DIGITS).ok_or(StateError::Malformed)?;
        let mac = data_encoding::HEXLOWER.decode(mac).map_err(|_| StateError::Malformed)?;
        let state = rest.strip_prefix(AFTER_MAC.as_bytes()).and_then(|rest| rest.strip_suffix(b"}"));
        let state = state.ok_or(StateError::Malformed)?;
        let seal = key.seal(state).ok_or(StateError::NoKey)?;
        seal.verify_slice(&mac).map_err(|_| StateError::NotAuthentic)?;
        let read: Self = serde_json::from_slice(state).map_err(|_| StateError::Malformed)?;
        // One document, one text: a key twice, a blank or a number in another spelling was not written by an engine.
        let canonical = serde_json_canonicalizer::to_vec(&read).map_err(|_| StateError::Malformed)?;
        if canonical == state && read.has_digests() { Ok(read) } else { Err(StateError::Malformed) }
    }

    /// Whether what stands for a digest is one.
    fn has_digests(&self) -> bool {
        let digests = [&self.bundle, &self.revision_bundle, &self.audit.head];
        let digests = digests.into_iter().chain(self.trust.as_ref().map(|trust| &trust.root));
        digests.into_iter().all(|digest| BundleId::parse(digest).is_some())
    }
}

/// Counts as decimal text: not every language has 64 bits, and canonical JSON has 53.
mod decimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(count: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(count)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|_| D::Error::custom("expected a whole number as text"))
    }
}
