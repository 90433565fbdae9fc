//! State spaces of the engine, each explored exhaustively.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod activation;
mod cache;
mod feed;
mod overrides;
mod postures;
mod rollout;

use data_encoding::BASE64;
use ed25519_dalek::SigningKey;
use fallgate::time::{Monotonic, Now, Wall};
use sha2::{Digest, Sha256};

/// 2026-01-01T00:00:00Z, in milliseconds.
const START: i64 = 1_767_225_600_000;

/// Both clocks, so many milliseconds after the start.
fn at(millis: u64) -> Now {
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(START + i64::try_from(millis).unwrap()))
}

/// The key of somebody of that name.
fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(name).into())
}

/// Its public half, as packs write it.
fn public(name: &str) -> String {
    format!("ed25519:{}", BASE64.encode(&key(name).verifying_key().to_bytes()))
}
