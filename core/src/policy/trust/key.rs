//! A public key, and the name that it has because of what it is.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::error::{Code, Diagnostic, quoted};

/// What stands before a key of the only algorithm that there is.
const ALGORITHM: &str = "ed25519:";

/// The SHA-256 of a public key's 32 bytes, in 64 lower-case hexadecimal digits. It is derived and never chosen, so that one
/// key cannot stand under two names and be counted twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// Reads an id; nothing for a text that is not one in its only spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An Ed25519 public key (RFC 8032), written `ed25519:` and its 32 bytes in base64.
///
/// A key of small order is refused: anybody could sign for it. So is one whose bytes are not the only encoding of its
/// point: it would be the same key under another id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    key: Box<VerifyingKey>,
    id: KeyId,
}

impl PublicKey {
    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// `weak_key` and `invalid_value`, without a place.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Diagnostic> {
        let invalid = |code, message: &str| Diagnostic::new(code, "", message).with_help("make a new key");
        let key = VerifyingKey::from_bytes(bytes)
            .map_err(|_| invalid(Code::InvalidValue, "the key is no point of the curve"))?;
        if key.is_weak() {
            return Err(invalid(Code::WeakKey, "the key is of small order: anybody could sign for it"));
        }
        if key.to_edwards().compress().to_bytes() != *bytes {
            return Err(invalid(Code::InvalidValue, "the key is not the canonical encoding of its point"));
        }
        Ok(Self { key: Box::new(key), id: KeyId(Sha256::digest(bytes).into()) })
    }

    /// Reads a key as a trust root writes it.
    ///
    /// # Errors
    /// As [`PublicKey::from_bytes`], and `unknown_algorithm`.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        const HELP: &str = "write `ed25519:` and 32 bytes in base64, as `fallgate keys new` does";
        let Some(key) = text.strip_prefix(ALGORITHM) else {
            let algorithm = text.split(':').next().unwrap_or_default();
            let message = format!("{} is no algorithm that is known here", quoted(algorithm));
            return Err(Diagnostic::new(Code::UnknownAlgorithm, "", message).with_help(HELP));
        };
        let bytes: Option<[u8; 32]> = BASE64.decode(key.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        let misspelt = || Diagnostic::new(Code::InvalidValue, "", "this is no Ed25519 public key").with_help(HELP);
        Self::from_bytes(&bytes.ok_or_else(misspelt)?)
    }

    /// What the key is called.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Whether the signature is the key's, of exactly these bytes; by the strict rules, which refuse a second spelling of a
    /// signature and components of small order.
    #[must_use]
    pub fn has_signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let signature: Option<[u8; 64]> = signature.try_into().ok();
        signature.is_some_and(|signature| self.key.verify_strict(bytes, &Signature::from_bytes(&signature)).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}{}", BASE64.encode(self.key.as_bytes()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use data_encoding::HEXLOWER_PERMISSIVE;

    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap().try_into().unwrap()
    }

    /// RFC 8032, section 7.1, tests 1, 2 and 3: public key, message, signature.
    const RFC_8032: [(&str, &str, &str); 3] = [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];

    #[test]
    fn the_vectors_of_rfc_8032_verify_and_nothing_else() {
        for (key, message, signature) in RFC_8032 {
            let key = PublicKey::from_bytes(&bytes(key)).unwrap();
            let message = HEXLOWER_PERMISSIVE.decode(message.as_bytes()).unwrap();
            let signature: [u8; 64] = bytes(signature);
            assert!(key.has_signed(&message, &signature));
            for bit in 0..512 {
                let mut other = signature;
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(!key.has_signed(&message, &other), "bit {bit}");
            }
            assert!(!key.has_signed(b"another message", &signature));
            assert!(!key.has_signed(&message, &signature[..63]));
            assert!(!key.has_signed(&message, &[signature.as_slice(), &[0]].concat()));
        }
    }

    #[test]
    fn a_signature_has_one_spelling() {
        // `S` of the first vector, and the order of the group added to it: the sum is the same number for whoever reduces it.
        let (key, message, signature) = RFC_8032[0];
        let mut signature: [u8; 64] = bytes(signature);
        let order: [u8; 32] = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut carry = 0_u16;
        for (byte, add) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = (sum & 0xFF) as u8;
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
        assert!(!PublicKey::from_bytes(&bytes(key)).unwrap().has_signed(message.as_bytes(), &signature));
    }

    #[test]
    fn keys_for_which_anybody_could_sign_are_refused() {
        // The identity, the point of order two, one of order four, and one of order eight.
        for weak in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        ] {
            let error = PublicKey::from_bytes(&bytes(weak)).unwrap_err();
            assert_eq!(error.code, Code::WeakKey, "{weak}");
        }
        // The identity again, with a `y` that is not reduced: 1 + p.
        let unreduced = "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
        assert!(PublicKey::from_bytes(&bytes(unreduced)).is_err());
    }

    #[test]
    fn a_key_is_written_in_one_way() {
        let key = PublicKey::from_bytes(&bytes(RFC_8032[0].0)).unwrap();
        let text = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        assert_eq!(key.to_string(), text);
        assert_eq!(PublicKey::parse(text).unwrap(), key);
        assert_eq!(key.id().to_string(), "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9");
        assert_eq!(KeyId::parse(&key.id().to_string()), Some(key.id()));
        for (other, code) in [
            ("ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=", Code::InvalidValue),
            ("ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", Code::InvalidValue),
            ("ed25519:", Code::InvalidValue),
            ("Ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", Code::UnknownAlgorithm),
            ("none:", Code::UnknownAlgorithm),
            ("", Code::UnknownAlgorithm),
        ] {
            assert_eq!(PublicKey::parse(other).unwrap_err().code, code, "{other}");
        }
        for other in ["", "21FE31DFA154A261626BF854046FD2271B7BED4B6ABE45AA58877EF47F9721B9", "21fe"] {
            assert_eq!(KeyId::parse(other), None, "{other}");
        }
    }
}
