//! A trust root: the keys that may sign, how many of them must, what is revoked, and how that changes.
//!
//! The first root reaches a host by a way of its own (a disk image, a package). Each later one is signed by a threshold of
//! the one before, and has a higher version: so a host that holds a root follows the keys of whoever owns it, and nobody
//! leads it back to keys that were given up.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::envelope::{self, Envelope, named, twice};
use super::key::{KeyId, PublicKey};
use super::{Provenance, read};
use crate::error::{Code, Diagnostic, quoted};
use crate::limits::Limits;
use crate::policy::bundle::{Bundle, BundleId, hexadecimal, is_bare};
use crate::policy::compile::instant;
use crate::policy::format::Validity;
use crate::time::Wall;

/// The only version of the format.
const FORMAT: u64 = 1;
/// The highest version that canonical JSON writes exactly.
const VERSION_MAX: u64 = (1 << 53) - 1;

/// Whose signatures count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRoot {
    version: u64,
    threshold: usize,
    /// Invariant: sorted by id, each id once.
    keys: Vec<TrustedKey>,
    revoked_keys: BTreeSet<KeyId>,
    revoked_bundles: BTreeSet<BundleId>,
    bytes: Vec<u8>,
    digest: String,
}

/// A key of a trust root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    /// The key.
    pub key: PublicKey,
    /// The first instant at which its signatures count; nothing for always.
    pub from: Option<Wall>,
    /// The first instant at which they no longer do; nothing for never.
    pub until: Option<Wall>,
}

/// Whether the signatures of a key count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStanding {
    /// They do.
    Valid,
    /// Not yet: its time has not begun, or the clock is not to be trusted.
    NotYetValid,
    /// No longer: its time is over, or the clock is not to be trusted.
    Expired,
    /// Never again.
    Revoked,
}

impl KeyStanding {
    /// A stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// A trust root as it is written: one canonical JSON document (RFC 8785).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(title = "Trust"))]
#[serde(deny_unknown_fields)]
pub struct TrustForm {
    /// The version of this format: 1.
    pub fallgate_trust: u64,
    /// Which root of its owner this is, from 1; a later one has a higher version.
    pub version: u64,
    /// How many different keys must sign.
    pub threshold: u64,
    /// The keys that may.
    pub keys: Vec<KeyForm>,
    /// What no longer counts, whatever else is said of it.
    #[serde(default, skip_serializing_if = "RevokedForm::is_empty")]
    pub revoked: RevokedForm,
}

/// A key of a trust root.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyForm {
    /// Its id: the SHA-256 of its 32 bytes, in lower-case hexadecimal.
    pub id: String,
    /// The key: `ed25519:` and its 32 bytes in base64.
    pub key: String,
    /// When its signatures count. Left out: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Validity>,
}

/// What no longer counts.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevokedForm {
    /// Ids of keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Ids of bundles: the SHA-256 of their bytes, in lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundles: Vec<String>,
}

impl RevokedForm {
    const fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.bundles.is_empty()
    }
}

impl TrustRoot {
    /// Reads a trust root that the host got by a way that it trusts; it is not signed.
    ///
    /// # Errors
    /// What is malformed, unknown, twice, weak, or beyond a limit; a threshold that cannot be reached.
    pub fn from_json(bytes: &[u8], limits: &Limits) -> Result<Self, Diagnostic> {
        let form: TrustForm = read(bytes, limits.trust_bytes_max, &["", "keys/*", "keys/*/valid", "revoked"])?;
        let root = Self::from_form(&form, limits)?;
        if root.bytes != bytes {
            let message = "the bytes are not the canonical form of their document (space, order, numbers)";
            let help = "write it with `fallgate keys trust`";
            return Err(Diagnostic::new(Code::NotCanonical, "", message).with_help(help));
        }
        Ok(root)
    }

    /// A trust root from its document, as a host's own configuration may hold it.
    ///
    /// # Errors
    /// As [`TrustRoot::from_json`].
    pub fn from_document(document: &serde_json::Value, limits: &Limits) -> Result<Self, Diagnostic> {
        let bytes = serde_json_canonicalizer::to_vec(document)
            .map_err(|_| Diagnostic::new(Code::Syntax, "", "the document has no canonical form"))?;
        Self::from_json(&bytes, limits)
    }

    /// A trust root from what it says.
    ///
    /// # Errors
    /// As [`TrustRoot::from_json`].
    pub fn from_form(form: &TrustForm, limits: &Limits) -> Result<Self, Diagnostic> {
        let invalid = |pointer: &str, message: String| Diagnostic::new(Code::InvalidValue, pointer, message);
        if form.fallgate_trust != FORMAT {
            let message = format!("version {} of the format of trust roots", form.fallgate_trust);
            return Err(Diagnostic::new(Code::Unsupported, "/fallgate_trust", message).with_help("write `1`"));
        }
        if !(1..=VERSION_MAX).contains(&form.version) {
            return Err(invalid("/version", format!("a version is from 1 to {VERSION_MAX}")));
        }
        let revocations = form.revoked.keys.len().saturating_add(form.revoked.bundles.len());
        for (pointer, count, max) in
            [("/keys", form.keys.len(), limits.trust_keys_max), ("/revoked", revocations, limits.revocations_max)]
        {
            if count > max {
                let message = format!("{count} entries, more than the limit of {max}");
                return Err(Diagnostic::new(Code::LimitExceeded, pointer, message));
            }
        }
        let mut keys = Vec::with_capacity(form.keys.len());
        for (at, key) in form.keys.iter().enumerate() {
            keys.push(TrustedKey::from_form(key, &format!("/keys/{at}"))?);
        }
        keys.sort_by_key(|one| one.key.id());
        if let Some([one, _]) = keys.array_windows().find(|[one, next]| one.key.id() == next.key.id()) {
            let message = format!("the key {} is there twice", one.key.id());
            return Err(Diagnostic::new(Code::DuplicateName, "/keys", message).with_help("name each key once"));
        }
        let revoked_keys = ids(&form.revoked.keys, "/revoked/keys", KeyId::parse)?;
        let revoked_bundles = ids(&form.revoked.bundles, "/revoked/bundles", BundleId::parse)?;
        let may_sign = keys.iter().filter(|one| !revoked_keys.contains(&one.key.id())).count();
        let threshold = usize::try_from(form.threshold).unwrap_or(usize::MAX);
        if threshold == 0 || threshold > may_sign {
            let message = format!("a threshold of {threshold}, of {may_sign} keys that are not revoked");
            return Err(invalid("/threshold", message).with_help("at least 1 must sign, and so many must be able to"));
        }
        let bytes = serde_json_canonicalizer::to_vec(form)
            .map_err(|_| Diagnostic::new(Code::Syntax, "", "the document has no canonical form"))?;
        let digest = hexadecimal(&Sha256::digest(&bytes));
        Ok(Self { version: form.version, threshold, keys, revoked_keys, revoked_bundles, bytes, digest })
    }

    /// The next root, from an envelope that a threshold of this one has signed.
    ///
    /// # Errors
    /// As [`TrustRoot::verify`] and [`TrustRoot::from_json`]; `older_trust` where its version is not higher, and
    /// `revocation_lost` where it would take back what this one revokes.
    pub fn rotate(&self, bytes: &[u8], limits: &Limits, now: Wall) -> Result<Self, Diagnostic> {
        let envelope = Envelope::from_json(bytes, limits).map_err(|error| match is_bare(bytes) {
            true => {
                Diagnostic::new(Code::Unsigned, "", "a trust root without a signature, where the held one must sign it")
                    .with_help("sign it with `fallgate keys trust --follow`")
            }
            false => error,
        })?;
        self.verify(&envelope, envelope::TRUST, now)?;
        let next = Self::from_json(envelope.payload(), limits)?;
        if next.version <= self.version {
            let message = format!("version {} of the trust root, where version {} is held", next.version, self.version);
            let help = "a new root has a higher version than the one that it takes the place of";
            return Err(Diagnostic::new(Code::OlderTrust, "/version", message).with_help(help));
        }
        // Else a root that was made from an old copy would quietly bring a stolen key back.
        if !self.revoked_keys.is_subset(&next.revoked_keys) || !self.revoked_bundles.is_subset(&next.revoked_bundles) {
            let message = "the trust root no longer revokes what the one before it did";
            return Err(Diagnostic::new(Code::RevocationLost, "/revoked", message)
                .with_help("what is revoked stays so: list it again, as `fallgate keys trust --follow` does"));
        }
        Ok(next)
    }

    /// Who has signed an envelope, where that is enough: as many different keys of this root as it asks for, each of them
    /// inside its validity and not revoked.
    ///
    /// Signatures of keys that this root does not name count for nothing and spoil nothing, so that one envelope can serve
    /// hosts with different roots. A signature that its key did not make spoils the envelope.
    ///
    /// # Errors
    /// Why not, each cause with a code of its own.
    pub fn verify(&self, envelope: &Envelope, payload_type: &str, now: Wall) -> Result<Vec<KeyId>, Diagnostic> {
        if envelope.payload_type() != payload_type {
            let message =
                format!("a payload of type {}, where `{payload_type}` belongs", quoted(envelope.payload_type()));
            return Err(Diagnostic::new(Code::WrongPayloadType, "/payloadType", message));
        }
        if envelope.signatures().is_empty() {
            let message = "an envelope without signatures";
            return Err(
                Diagnostic::new(Code::Stripped, "/signatures", message).with_help("sign it with `fallgate sign`")
            );
        }
        let signed = envelope.encoding();
        let mut seen = BTreeSet::new();
        let mut signers = BTreeSet::new();
        let mut discounted = None;
        for (at, one) in envelope.signatures().iter().enumerate() {
            let pointer = format!("/signatures/{at}");
            if !seen.insert(&*one.key_id) {
                return Err(twice(&pointer, &one.key_id));
            }
            let Some(trusted) = KeyId::parse(&one.key_id).and_then(|id| self.key(id)) else {
                discounted = discounted.max(Some((Weight::Unknown, at)));
                continue;
            };
            if !trusted.key.has_signed(&signed, &one.signature) {
                let message = format!("the signature of the key {} is not of this payload", trusted.key.id());
                let help = "something was altered after it was signed: get the file again, or sign it again";
                return Err(Diagnostic::new(Code::Altered, pointer, message).with_help(help));
            }
            match self.standing(trusted, Some(now)) {
                KeyStanding::Valid => drop(signers.insert(trusted.key.id())),
                KeyStanding::NotYetValid => discounted = discounted.max(Some((Weight::NotYetValid, at))),
                KeyStanding::Expired => discounted = discounted.max(Some((Weight::Expired, at))),
                KeyStanding::Revoked => discounted = discounted.max(Some((Weight::Revoked, at))),
            }
        }
        if signers.len() >= self.threshold {
            return Ok(signers.into_iter().collect());
        }
        let (have, need) = (signers.len(), self.threshold);
        let (code, because, at) = match discounted {
            None => (Code::UnderSigned, String::new(), None),
            Some((weight, at)) => {
                let key_id = envelope.signatures().get(at).map(|one| named(&one.key_id)).unwrap_or_default();
                let (code, what) = weight.says();
                (code, format!(": the key {key_id} {what}"), Some(at))
            }
        };
        let pointer = at.map_or("/signatures".to_owned(), |at| format!("/signatures/{at}"));
        let message = format!("{have} of {need} signatures that count{because}");
        Err(Diagnostic::new(code, pointer, message)
            .with_help("let keys of the trust root sign it, as many as it asks for"))
    }

    /// Whether a bundle that was verified before may be activated under this root.
    ///
    /// `now` is nothing where the clock is not to be trusted: then keys with an end have ended, and those with a beginning
    /// have not begun.
    ///
    /// # Errors
    /// The code of the cause.
    pub fn admit(&self, bundle: &Bundle, now: Option<Wall>) -> Result<(), Code> {
        let Provenance::Signed { signers, .. } = bundle.provenance() else { return Err(Code::Unsigned) };
        if self.revoked_bundles.contains(&bundle.id()) {
            return Err(Code::BundleRevoked);
        }
        let standings = signers.iter().map(|id| self.key(*id).map(|trusted| self.standing(trusted, now)));
        let standings: Vec<Option<KeyStanding>> = standings.collect();
        if standings.iter().filter(|standing| **standing == Some(KeyStanding::Valid)).count() >= self.threshold {
            return Ok(());
        }
        let weights = standings.iter().filter_map(|standing| match standing {
            None => Some(Weight::Unknown),
            Some(KeyStanding::Valid) => None,
            Some(KeyStanding::NotYetValid) => Some(Weight::NotYetValid),
            Some(KeyStanding::Expired) => Some(Weight::Expired),
            Some(KeyStanding::Revoked) => Some(Weight::Revoked),
        });
        Err(weights.max().map_or(Code::UnderSigned, |weight| weight.says().0))
    }

    /// Whether this root takes a bundle back that an earlier one has let in: the bundle is revoked, or so many of its signers
    /// that too few are left. A key whose time is over takes nothing back.
    #[must_use]
    pub fn revokes(&self, bundle: &Bundle) -> bool {
        let Provenance::Signed { signers, threshold } = bundle.provenance() else { return true };
        let left = signers.iter().filter(|id| !self.revoked_keys.contains(id)).count();
        self.revoked_bundles.contains(&bundle.id()) || left < *threshold
    }

    /// Whether these bytes are a revoked bundle.
    pub(crate) fn revokes_bytes(&self, bytes: &[u8]) -> bool {
        self.revoked_bundles.contains(&BundleId::of(bytes))
    }

    /// Whether the signatures of a key count; `now` is nothing where the clock is not to be trusted.
    #[must_use]
    pub fn standing(&self, trusted: &TrustedKey, now: Option<Wall>) -> KeyStanding {
        if self.revoked_keys.contains(&trusted.key.id()) {
            KeyStanding::Revoked
        } else if trusted.until.is_some_and(|until| now.is_none_or(|now| until <= now)) {
            KeyStanding::Expired
        } else if trusted.from.is_some_and(|from| now.is_none_or(|now| now < from)) {
            KeyStanding::NotYetValid
        } else {
            KeyStanding::Valid
        }
    }

    fn key(&self, id: KeyId) -> Option<&TrustedKey> {
        let at = self.keys.binary_search_by_key(&id, |one| one.key.id()).ok()?;
        self.keys.get(at)
    }

    /// Which root of its owner this is.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// How many different keys must sign.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// The keys, in the order of their ids.
    #[must_use]
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// The canonical bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of the canonical bytes, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl TrustedKey {
    fn from_form(form: &KeyForm, pointer: &str) -> Result<Self, Diagnostic> {
        let key =
            PublicKey::parse(&form.key).map_err(|error| Diagnostic { pointer: format!("{pointer}/key"), ..error })?;
        if form.id != key.id().to_string() {
            let message = format!("the key's id is {}, not {}", key.id(), quoted(&form.id));
            let help = "an id follows from its key: write the one that is named";
            return Err(Diagnostic::new(Code::WrongKeyId, format!("{pointer}/id"), message).with_help(help));
        }
        let bound = |name: &str, text: Option<&String>| match text {
            None => Ok(None),
            Some(text) => instant(text).map(Some).ok_or_else(|| {
                let message = format!("{} is not a timestamp", quoted(text));
                Diagnostic::new(Code::InvalidValue, format!("{pointer}/valid/{name}"), message)
                    .with_help("write RFC 3339, as in 2026-01-01T00:00:00Z")
            }),
        };
        let from = bound("from", form.valid.as_ref().and_then(|valid| valid.from.as_ref()))?;
        let until = bound("until", form.valid.as_ref().and_then(|valid| valid.until.as_ref()))?;
        if from.zip(until).is_some_and(|(from, until)| from >= until) {
            let message = "the validity ends before it starts";
            return Err(Diagnostic::new(Code::InvalidWindow, format!("{pointer}/valid"), message)
                .with_help("let `until` be after `from`"));
        }
        Ok(Self { key, from, until })
    }
}

/// Why a signature does not count, the least telling cause first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Unknown,
    NotYetValid,
    Expired,
    Revoked,
}

impl Weight {
    const fn says(self) -> (Code, &'static str) {
        match self {
            Self::Unknown => (Code::UnknownKey, "is none of the trust root's"),
            Self::NotYetValid => (Code::KeyNotYetValid, "is not valid yet"),
            Self::Expired => (Code::KeyExpired, "is no longer valid"),
            Self::Revoked => (Code::RevokedKey, "is revoked"),
        }
    }
}

fn ids<T: Ord>(texts: &[String], pointer: &str, parse: impl Fn(&str) -> Option<T>) -> Result<BTreeSet<T>, Diagnostic> {
    let mut found = BTreeSet::new();
    for (at, text) in texts.iter().enumerate() {
        let pointer = format!("{pointer}/{at}");
        let id = parse(text).ok_or_else(|| {
            Diagnostic::new(Code::InvalidValue, pointer.clone(), format!("{} is no id", quoted(text)))
                .with_help("write 64 lower-case hexadecimal digits")
        })?;
        if !found.insert(id) {
            let message = format!("{} is there twice", quoted(text));
            return Err(Diagnostic::new(Code::DuplicateName, pointer, message).with_help("name it once"));
        }
    }
    Ok(found)
}
