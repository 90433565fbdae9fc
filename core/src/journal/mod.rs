//! The journal of inputs: all that an engine was told and asked, in one order, so that it can be decided again.
//!
//! The core gives the same outputs for the same inputs, to the byte (spec 1.2). A journal keeps the inputs, and of each
//! what came of it; who plays it on a fresh engine finds every decision again, or the first input where the worlds part.
//! Unlike an audit record an input stands here in the clear and whole, since it has to decide again.

pub mod input;
pub mod ledger;
pub mod line;

use std::collections::VecDeque;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Bundles, envelopes and trust roots that stood in a journal lately. Their text stands there once, and later only its
/// digest; what reads a journal forgets them in the same order as what writes it.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    recent: VecDeque<([u8; 32], Arc<[u8]>)>,
}

/// How many documents are remembered. A text that was forgotten is written once more.
const DOCUMENTS_MAX: usize = 16;

impl Documents {
    /// The digest of a document.
    #[must_use]
    pub fn digest(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    /// The document of that digest, if it is remembered.
    #[must_use]
    pub fn find(&self, digest: &[u8; 32]) -> Option<&Arc<[u8]>> {
        self.recent.iter().find(|(other, _)| other == digest).map(|(_, bytes)| bytes)
    }

    /// Remembers a document.
    pub fn remember(&mut self, bytes: &[u8]) {
        self.keep(bytes, Arc::from(bytes));
    }

    /// Remembers that a document was written, and not its bytes.
    pub fn mark(&mut self, bytes: &[u8]) {
        self.keep(bytes, Arc::from([]));
    }

    fn keep(&mut self, bytes: &[u8], kept: Arc<[u8]>) {
        let digest = Self::digest(bytes);
        if self.find(&digest).is_some() {
            return;
        }
        while self.recent.len() >= DOCUMENTS_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((digest, kept));
    }
}
