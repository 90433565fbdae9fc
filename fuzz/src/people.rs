//! Keys of people and controllers, and what they sign.

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// The key of whoever has that name.
pub fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(name).into())
}

/// The public half, as a pack writes it.
pub fn public(name: &str) -> String {
    format!("ed25519:{}", BASE64.encode(&key(name).verifying_key().to_bytes()))
}

/// What somebody's signature of bytes is.
pub fn signature(name: &str, bytes: &[u8]) -> [u8; 64] {
    key(name).sign(bytes).to_bytes()
}

/// The canonical bytes of a document (RFC 8785).
pub fn canonical(document: &Json) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(document).expect("it has a canonical form")
}
