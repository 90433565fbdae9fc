//! Checkpoints: where a chain has come to, signed, to be kept where whoever can write the chain cannot write.
//!
//! Against a checkpoint a chain that lost its end, or was written anew as a whole, is found: nothing in the chain itself
//! can show either. The core keeps no keys. It gives the bytes that a host's signer signs, or signs with a secret that it
//! is lent for the one call; Ed25519 draws no randomness, so the same checkpoint has the same signature.

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::chain::Head;
use crate::policy::bundle::hexadecimal;
use crate::state::statement::{Purpose, is_signed};
use crate::time::Now;

/// Where a chain had come to at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many records there were, and the hash of the last.
    pub head: Head,
    /// When, in RFC 3339.
    pub at: String,
}

/// What is signed, as canonical JSON (RFC 8785): the members in order of their names.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    at: String,
    count: u64,
    head: String,
}

/// A DSSE envelope.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
    sig: String,
}

/// Why an envelope is no checkpoint that the key vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It is no envelope of a checkpoint.
    #[error("this is no DSSE envelope of a checkpoint; give the one that was made when the chain was signed")]
    NoCheckpoint,
    /// None of its signatures is the key's.
    #[error("no signature of this checkpoint is the key's; give the signer's key, or a checkpoint that it signed")]
    NotSigned,
    /// The text is no public key.
    #[error("this is no Ed25519 public key; write `ed25519:` and 32 bytes in base64 or hexadecimal")]
    NoKey,
}

impl CheckpointError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoCheckpoint => "no_checkpoint",
            Self::NotSigned => "checkpoint_not_signed",
            Self::NoKey => "no_checkpoint_key",
        }
    }
}

/// The public key of whoever signs checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointKey(VerifyingKey);

impl CheckpointKey {
    /// Reads `ed25519:` and 32 bytes in base64 or hexadecimal.
    ///
    /// # Errors
    /// [`CheckpointError::NoKey`]; also for a key of small order, for which anybody can sign.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let digits = text.strip_prefix("ed25519:").ok_or(CheckpointError::NoKey)?.as_bytes();
        let decoded = match digits.len() {
            64 => HEXLOWER_PERMISSIVE.decode(digits),
            44 => BASE64.decode(digits),
            _ => BASE64_NOPAD.decode(digits),
        };
        let bytes: [u8; 32] = decoded.ok().and_then(|bytes| bytes.try_into().ok()).ok_or(CheckpointError::NoKey)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| CheckpointError::NoKey)?;
        if key.is_weak() { Err(CheckpointError::NoKey) } else { Ok(Self(key)) }
    }

    /// The public key of a secret one.
    #[must_use]
    pub fn of(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret).verifying_key())
    }
}

impl std::fmt::Display for CheckpointKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ed25519:{}", BASE64.encode(self.0.as_bytes()))
    }
}

impl Checkpoint {
    /// Where a chain has come to now.
    #[must_use]
    pub fn new(head: Head, now: Now) -> Self {
        Self { head, at: now.wall.to_string() }
    }

    /// The bytes that a signer of the host's own signs: DSSE's encoding of [`Checkpoint::payload`].
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        Purpose::Checkpoint.encoding(&self.payload())
    }

    /// What the checkpoint says, as canonical JSON.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let payload = Payload { at: self.at.clone(), count: self.head.count, head: hexadecimal(&self.head.hash) };
        // Two texts and a whole number have a canonical form: nothing here can fail.
        serde_json_canonicalizer::to_vec(&payload).unwrap_or_default()
    }

    /// The checkpoint with a signature over [`Checkpoint::signing_bytes`], as a DSSE envelope.
    #[must_use]
    pub fn envelope(&self, signature: &[u8; 64]) -> String {
        let envelope = Envelope {
            payload: BASE64.encode(&self.payload()),
            payload_type: Purpose::Checkpoint.payload_type().to_owned(),
            signatures: vec![EnvelopeSignature { keyid: None, sig: BASE64.encode(signature) }],
        };
        serde_json_canonicalizer::to_string(&envelope).unwrap_or_default()
    }

    /// The checkpoint, signed with a secret key that the host lends.
    #[must_use]
    pub fn signed_with(&self, secret: &[u8; 32]) -> String {
        self.envelope(&SigningKey::from_bytes(secret).sign(&self.signing_bytes()).to_bytes())
    }

    /// Reads an envelope that the key has signed.
    ///
    /// # Errors
    /// [`CheckpointError`]. Nothing of the payload is read before the signature is found right.
    pub fn from_envelope(envelope: &[u8], key: &CheckpointKey) -> Result<Self, CheckpointError> {
        let envelope: Envelope = serde_json::from_slice(envelope).map_err(|_| CheckpointError::NoCheckpoint)?;
        if envelope.payload_type != Purpose::Checkpoint.payload_type() {
            return Err(CheckpointError::NoCheckpoint);
        }
        let payload = BASE64.decode(envelope.payload.as_bytes()).map_err(|_| CheckpointError::NoCheckpoint)?;
        let of_key = |one: &EnvelopeSignature| is_signed(&key.0, Purpose::Checkpoint, &payload, &one.sig);
        if !envelope.signatures.iter().any(of_key) {
            return Err(CheckpointError::NotSigned);
        }
        let Payload { at, count, head } =
            serde_json::from_slice(&payload).map_err(|_| CheckpointError::NoCheckpoint)?;
        let hash = HEXLOWER.decode(head.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        let head = Head { count, hash: hash.ok_or(CheckpointError::NoCheckpoint)? };
        Ok(Self { head, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Monotonic, Wall};

    const SECRET: [u8; 32] = [7; 32];

    fn checkpoint() -> Checkpoint {
        let now = Now::new(Monotonic::ZERO, Wall::from_millis(1_767_225_600_000));
        Checkpoint::new(Head { count: 3, hash: [0xAB; 32] }, now)
    }

    #[test]
    fn what_is_signed_is_what_dsse_says() {
        let payload = format!(r#"{{"at":"2026-01-01T00:00:00Z","count":3,"head":"{}"}}"#, "ab".repeat(32));
        assert_eq!(checkpoint().payload(), payload.as_bytes());
        let expected = format!("DSSEv1 40 application/vnd.fallgate.checkpoint+json {} {payload}", payload.len());
        assert_eq!(checkpoint().signing_bytes(), expected.as_bytes());
    }

    #[test]
    fn a_signed_checkpoint_is_read_with_its_key_alone() {
        let envelope = checkpoint().signed_with(&SECRET);
        let key = CheckpointKey::of(&SECRET);
        assert_eq!(Checkpoint::from_envelope(envelope.as_bytes(), &key), Ok(checkpoint()));
        assert_eq!(CheckpointKey::parse(&key.to_string()), Ok(key));
        let other = CheckpointKey::of(&[8; 32]);
        assert_eq!(Checkpoint::from_envelope(envelope.as_bytes(), &other), Err(CheckpointError::NotSigned));
    }

    #[test]
    fn no_byte_of_an_envelope_can_change_what_it_vouches_for() {
        let envelope = checkpoint().signed_with(&SECRET).into_bytes();
        let key = CheckpointKey::of(&SECRET);
        let mut refused = 0;
        for byte in 0..envelope.len() {
            for bit in 0..8 {
                let mut changed = envelope.clone();
                changed[byte] ^= 1 << bit;
                match Checkpoint::from_envelope(&changed, &key) {
                    Ok(read) => assert_eq!(read, checkpoint(), "byte {byte}, bit {bit}"),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > 1_000, "{refused}");
        for cut in 0..envelope.len() {
            assert!(Checkpoint::from_envelope(&envelope[..cut], &key).is_err(), "{cut} bytes");
        }
    }

    #[test]
    fn what_is_signed_for_another_purpose_is_no_checkpoint() {
        let payload = checkpoint().payload();
        let approval = SigningKey::from_bytes(&SECRET).sign(&Purpose::Approval.encoding(&payload)).to_bytes();
        let envelope = checkpoint().envelope(&approval);
        let key = CheckpointKey::of(&SECRET);
        assert_eq!(Checkpoint::from_envelope(envelope.as_bytes(), &key), Err(CheckpointError::NotSigned));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        // 32 zero bytes encode a point of order four (RFC 8032, the curve's small subgroup).
        let small = format!("ed25519:{}", "0".repeat(64));
        for text in ["", "ed25519:", "ed25519:00", small.as_str(), &"0".repeat(64)] {
            assert_eq!(CheckpointKey::parse(text), Err(CheckpointError::NoKey), "{text}");
        }
    }
}
