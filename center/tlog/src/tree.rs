//! An append-only Merkle tree in memory that keeps every complete subtree, so that roots, proofs and tiles of its present
//! and all past sizes cost O(log n). It must not read storage: the owner feeds it leaves.

use crate::hash::{Hash, empty_root, node_hash};
use crate::tile::TileId;
use thiserror::Error;

/// A question about a size or leaf the tree does not have. The asker is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TreeError {
    /// The tree is smaller than the size asked about.
    #[error("tree has {len} leaves, fewer than the {size} asked about")]
    TooSmall {
        /// Leaves present.
        len: u64,
        /// Size asked about.
        size: u64,
    },
    /// The leaf lies outside the tree of that size.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    NoSuchLeaf {
        /// Leaf asked for.
        index: u64,
        /// Size of the tree asked about.
        size: u64,
    },
    /// A consistency proof was asked from a larger size to a smaller one.
    #[error("tree of {old} leaves cannot precede one of {new}")]
    Backwards {
        /// Size asked to be the earlier.
        old: u64,
        /// Size asked to be the later.
        new: u64,
    },
}

/// Compact append-only Merkle tree (RFC 6962 section 2.1). About 64 bytes of memory a leaf.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// `levels[l][i]` is the root of leaves `i * 2^l .. (i + 1) * 2^l`; only complete subtrees are kept.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree over these leaf hashes, in order.
    pub fn from_leaves(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut tree = Self::new();
        tree.extend(leaves);
        tree
    }

    /// Appends a leaf hash. O(1) amortised.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(hash);
            let [.., left, right] = nodes.as_slice() else { return };
            if nodes.len() % 2 == 1 {
                return;
            }
            hash = node_hash(left, right);
        }
    }

    /// Forgets all leaves from `size` on; nothing happens if the tree is not larger. O(log n).
    ///
    /// For a tree whose new leaves turned out not to lead to a signed root. A signed tree is never truncated.
    pub fn truncate(&mut self, size: u64) {
        for (level, nodes) in self.levels.iter_mut().enumerate() {
            nodes.truncate(usize::try_from(size >> level).unwrap_or(usize::MAX));
        }
    }

    /// Number of leaves.
    pub fn len(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Whether there is no leaf.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The hash of one leaf, if present.
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.levels.first()?.get(usize::try_from(index).ok()?).copied()
    }

    /// Root over all leaves.
    pub fn root(&self) -> Hash {
        self.range(0, self.len())
    }

    /// The roots of the complete subtrees of `2^level` leaves, in order.
    pub fn nodes(&self, level: u32) -> &[Hash] {
        self.levels.get(level as usize).map_or(&[], Vec::as_slice)
    }

    /// The root of the tree that has a smaller one with the root `rest` to the right of these leaves. With the nodes of a
    /// level as leaves this is the root of a log of which only those nodes and the leaves after them are known.
    pub fn root_before(&self, rest: Option<Hash>) -> Hash {
        let mut parts = self.parts(0, self.len());
        parts.extend(rest);
        joined(parts)
    }

    /// Root over the first `size` leaves.
    ///
    /// # Errors
    /// [`TreeError::TooSmall`].
    pub fn root_at(&self, size: u64) -> Result<Hash, TreeError> {
        self.check_size(size)?;
        Ok(self.range(0, size))
    }

    /// Proof that leaf `index` is in the tree of the first `size` leaves; sibling of the leaf first (RFC 6962 section 2.1.1).
    ///
    /// # Errors
    /// [`TreeError::TooSmall`], [`TreeError::NoSuchLeaf`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
        self.check_size(size)?;
        if index >= size {
            return Err(TreeError::NoSuchLeaf { index, size });
        }
        let (mut start, mut end, mut path) = (0, size, Vec::new());
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.range(middle, end));
                end = middle;
            } else {
                path.push(self.range(start, middle));
                start = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// Proof that the tree of the first `new` leaves extends the one of the first `old` (RFC 6962 section 2.1.2).
    /// Empty when `old` is 0 or equals `new`.
    ///
    /// # Errors
    /// [`TreeError::TooSmall`], [`TreeError::Backwards`].
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, TreeError> {
        self.check_size(new)?;
        if old > new {
            return Err(TreeError::Backwards { old, new });
        }
        if old == 0 || old == new {
            return Ok(Vec::new());
        }
        let (mut start, mut end, mut path) = (0, new, Vec::new());
        while old != end {
            let middle = start + split(end - start);
            if old <= middle {
                path.push(self.range(middle, end));
                end = middle;
            } else {
                path.push(self.range(start, middle));
                start = middle;
            }
        }
        // The old tree's own root is known to the verifier, so it is left out when the walk ends on it.
        if start != 0 {
            path.push(self.range(start, end));
        }
        path.reverse();
        Ok(path)
    }

    /// Bytes of a hash tile (C2SP tlog-tiles), or `None` if the tree does not fill that width yet.
    pub fn tile(&self, id: TileId) -> Option<Vec<u8>> {
        let nodes = self.levels.get(usize::from(id.level()) * 8)?;
        let start = usize::try_from(id.first_node()).ok()?;
        let hashes = nodes.get(start..start.checked_add(usize::from(id.width()))?)?;
        Some(hashes.iter().flat_map(|hash| hash.0).collect())
    }

    fn check_size(&self, size: u64) -> Result<(), TreeError> {
        let len = self.len();
        if size > len { Err(TreeError::TooSmall { len, size }) } else { Ok(()) }
    }

    /// Root of leaves `start..end`, where `start` is a multiple of the largest power of two not above the length.
    fn range(&self, start: u64, end: u64) -> Hash {
        joined(self.parts(start, end))
    }

    /// The roots of the complete subtrees of which those leaves consist, largest first.
    fn parts(&self, start: u64, end: u64) -> Vec<Hash> {
        let mut parts = Vec::new();
        let mut at = start;
        while at < end {
            let level = (end - at).ilog2();
            parts.push(self.node(level, at >> level));
            at += 1 << level;
        }
        parts
    }

    fn node(&self, level: u32, index: u64) -> Hash {
        let index = usize::try_from(index).expect("nodes in memory are counted by usize");
        self.levels[level as usize][index]
    }
}

impl Extend<Hash> for Tree {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaves: T) {
        for leaf in leaves {
            self.push(leaf);
        }
    }
}

/// The root over subtrees that stand side by side, largest first.
fn joined(mut parts: Vec<Hash>) -> Hash {
    let Some(last) = parts.pop() else { return empty_root() };
    parts.iter().rev().fold(last, |right, left| node_hash(left, &right))
}

/// Largest power of two below `len` (RFC 6962's k); `len` is at least 2.
fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}
