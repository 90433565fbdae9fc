//! What an approver proves: that these bytes, for this purpose, are what he signed (DSSE's pre-authentication encoding).
//!
//! The purpose is part of what is signed, so that an approval can never be taken for a proposal, nor either for a bundle.

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use ed25519_dalek::{Signature, VerifyingKey};

use crate::policy::trust::envelope;

/// What a statement says of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// That it is proposed.
    Proposal,
    /// That it is approved.
    Approval,
    /// That it is withdrawn.
    Withdrawal,
}

impl Purpose {
    /// The type of the payload, as DSSE has it.
    #[must_use]
    pub const fn payload_type(self) -> &'static str {
        match self {
            Self::Proposal => "application/vnd.fallgate.proposal+json",
            Self::Approval => "application/vnd.fallgate.approval+json",
            Self::Withdrawal => "application/vnd.fallgate.withdrawal+json",
        }
    }

    /// The bytes that are signed for this purpose: DSSE's encoding of the type and the payload.
    #[must_use]
    pub fn encoding(self, payload: &[u8]) -> Vec<u8> {
        envelope::encoding(self.payload_type(), payload)
    }
}

/// Whether the text, in base64 or hexadecimal, is the key's signature for this purpose. The strict rules of RFC 8032: `S`
/// below the group's order, no component of small order.
#[must_use]
pub fn is_signed(key: &VerifyingKey, purpose: Purpose, payload: &[u8], signature: &str) -> bool {
    let text = signature.as_bytes();
    let decoded = match text.len() {
        128 => HEXLOWER_PERMISSIVE.decode(text),
        88 => BASE64.decode(text),
        86 => BASE64_NOPAD.decode(text),
        _ => return false,
    };
    let bytes: Option<[u8; 64]> = decoded.ok().and_then(|bytes| bytes.try_into().ok());
    bytes.is_some_and(|bytes| key.verify_strict(&purpose.encoding(payload), &Signature::from_bytes(&bytes)).is_ok())
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_encoding_is_that_of_dsse() {
        // The example of the DSSE protocol, with our own type: lengths in bytes, decimal.
        let encoded = Purpose::Approval.encoding(b"hello world");
        assert_eq!(encoded, b"DSSEv1 38 application/vnd.fallgate.approval+json 11 hello world");
        assert_eq!(Purpose::Approval.payload_type().len(), 38);
    }

    /// RFC 8032, section 7.1: tests 1 to 3, and the one of SHA(abc). Secret, public key, message, signature.
    const VECTORS: [[&str; 4]; 4] = [
        [
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ],
        [
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ],
        [
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ],
        [
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ],
    ];

    #[test]
    fn the_vectors_of_rfc_8032() {
        for [secret, public, message, signature] in VECTORS {
            let signing = SigningKey::from_bytes(&bytes(secret));
            assert_eq!(signing.verifying_key().to_bytes(), bytes(public));
            let message = data_encoding::HEXLOWER.decode(message.as_bytes()).unwrap();
            let expected = Signature::from_bytes(&bytes(signature));
            assert_eq!(signing.sign(&message), expected);
            assert!(signing.verifying_key().verify_strict(&message, &expected).is_ok());
        }
    }

    #[test]
    fn a_signature_counts_for_its_purpose_its_bytes_and_its_key() {
        let signing = SigningKey::from_bytes(&[1; 32]);
        let key = signing.verifying_key();
        let signature = signing.sign(&Purpose::Approval.encoding(b"{}")).to_bytes();
        let hexadecimal = data_encoding::HEXLOWER.encode(&signature);
        assert!(is_signed(&key, Purpose::Approval, b"{}", &hexadecimal));
        assert!(is_signed(&key, Purpose::Approval, b"{}", &BASE64.encode(&signature)));
        assert!(is_signed(&key, Purpose::Approval, b"{}", &BASE64_NOPAD.encode(&signature)));
        assert!(!is_signed(&key, Purpose::Proposal, b"{}", &hexadecimal));
        assert!(!is_signed(&key, Purpose::Withdrawal, b"{}", &hexadecimal));
        assert!(!is_signed(&key, Purpose::Approval, b"{ }", &hexadecimal));
        assert!(!is_signed(&SigningKey::from_bytes(&[2; 32]).verifying_key(), Purpose::Approval, b"{}", &hexadecimal));
        for text in ["", "00", &hexadecimal[..126], &format!("{hexadecimal}00"), &"0".repeat(128), &"f".repeat(128)] {
            assert!(!is_signed(&key, Purpose::Approval, b"{}", text), "{text}");
        }
    }

    #[test]
    fn a_signature_has_one_form() {
        let signing = SigningKey::from_bytes(&[1; 32]);
        let signature = signing.sign(&Purpose::Approval.encoding(b"{}")).to_bytes();
        // S + L, which the lax rules take for the same signature. L of RFC 8032, little end first.
        let order: [u8; 32] = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut malleable = signature;
        let mut carry = 0_u16;
        for (byte, of_order) in malleable[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(of_order) + carry;
            (*byte, carry) = (u8::try_from(sum & 0xFF).unwrap(), sum >> 8);
        }
        assert_ne!(signature, malleable);
        let text = data_encoding::HEXLOWER.encode(&malleable);
        assert!(!is_signed(&signing.verifying_key(), Purpose::Approval, b"{}", &text));
        for bit in 0..512 {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let text = data_encoding::HEXLOWER.encode(&flipped);
            assert!(!is_signed(&signing.verifying_key(), Purpose::Approval, b"{}", &text), "bit {bit}");
        }
    }
}
