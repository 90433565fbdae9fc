//! What a pack may cost to read, counted over all of its files.
//!
//! The limits are counts, so that the same pack is taken or refused on every machine. Aliases and `$ref` copy what was
//! written once, so they have bounds of their own: a short file must not unfold into one that fills the memory.

/// The largest file that is read.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How deep maps and lists may be nested.
pub const DEPTH_MAX: usize = 64;
/// How many values the files of a pack may hold.
pub const NODES_MAX: usize = 5_000_000;
/// How many bytes of files a pack may hold.
pub const BYTES_MAX: usize = 256 * 1024 * 1024;
/// How many files a pack may hold.
pub const FILES_MAX: usize = 10_000;
/// How many values aliases and `$ref` may copy.
pub const COPIED_NODES_MAX: usize = 1_000_000;
/// How many bytes of text aliases and `$ref` may copy.
pub const COPIED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What copying a value costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// How many values it holds, itself included.
    pub nodes: usize,
    /// How many bytes of keys and text.
    pub bytes: usize,
    /// How many levels it has; a scalar has none.
    pub height: usize,
}

impl Weight {
    /// A scalar with that many bytes of text.
    #[must_use]
    pub const fn scalar(bytes: usize) -> Self {
        Self { nodes: 1, bytes, height: 0 }
    }

    /// An empty map or list.
    #[must_use]
    pub const fn collection() -> Self {
        Self { nodes: 1, bytes: 0, height: 1 }
    }

    /// Takes in a member under a key of that many bytes.
    pub fn add(&mut self, key_bytes: usize, member: Self) {
        self.nodes = self.nodes.saturating_add(member.nodes);
        self.bytes = self.bytes.saturating_add(member.bytes).saturating_add(key_bytes);
        self.height = self.height.max(member.height.saturating_add(1));
    }
}

/// What is left of the limits.
#[derive(Clone, Debug)]
pub struct Budget {
    nodes: usize,
    bytes: usize,
    files: usize,
    copied_nodes: usize,
    copied_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            nodes: NODES_MAX,
            bytes: BYTES_MAX,
            files: FILES_MAX,
            copied_nodes: COPIED_NODES_MAX,
            copied_bytes: COPIED_BYTES_MAX,
        }
    }
}

impl Budget {
    /// Spends one value; false where none is left.
    #[must_use]
    pub fn spend_node(&mut self) -> bool {
        spend(&mut self.nodes, 1)
    }

    /// Spends a file of that many bytes; false where that is too many.
    #[must_use]
    pub fn spend_file(&mut self, bytes: usize) -> bool {
        spend(&mut self.files, 1) && spend(&mut self.bytes, bytes)
    }

    /// Spends a copy; false where that is too much.
    #[must_use]
    pub fn spend_copy(&mut self, weight: Weight) -> bool {
        spend(&mut self.copied_nodes, weight.nodes) && spend(&mut self.copied_bytes, weight.bytes)
    }
}

fn spend(left: &mut usize, cost: usize) -> bool {
    match left.checked_sub(cost) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    }
}
