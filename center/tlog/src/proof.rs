//! Verification of inclusion and consistency proofs (RFC 9162 sections 2.1.3.2 and 2.1.4.2 over the RFC 6962 tree).
//! It must never trust a length: a proof with a hash too many or too few is refused.

use crate::hash::{Hash, empty_root, node_hash};
use thiserror::Error;

/// Longest proof there can be: an inclusion path of a tree below 2^64 leaves has at most 64 hashes, a consistency proof one more.
pub const MAX_PROOF_HASHES: usize = 65;

/// A proof that does not prove what it should. Whoever supplied the proof (or the root) is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The leaf lies outside the tree.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    NoSuchLeaf {
        /// Leaf claimed.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The later tree is smaller than the earlier one.
    #[error("log shrank from {old} to {new} entries")]
    Shrunk {
        /// Earlier size.
        old: u64,
        /// Later size.
        new: u64,
    },
    /// The proof has a hash too many or too few for these sizes.
    #[error("proof of {0} hashes has the wrong length")]
    Length(usize),
    /// The hashes lead to another root.
    #[error("proof leads to another root")]
    Root,
}

/// Checks that the leaf is entry `index` of the tree of `size` leaves with this root.
///
/// # Errors
/// [`ProofError`] naming what is wrong with the proof.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::NoSuchLeaf { index, size });
    }
    let mut climb = Climb { at: index, last: size - 1 };
    let mut hash = *leaf;
    for sibling in proof {
        hash = match climb.step(proof.len())? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    climb.finish(proof.len())?;
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree of `new_size` leaves extends the tree of `old_size`. From the empty tree everything is an extension.
///
/// # Errors
/// [`ProofError`] naming what is wrong: a smaller size, a wrong length, another root.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old_size > new_size {
        return Err(ProofError::Shrunk { old: old_size, new: new_size });
    }
    if old_size == 0 || old_size == new_size {
        return verify_trivial(old_size, old_root, new_size, new_root, proof);
    }
    let mut climb = Climb { at: old_size - 1, last: new_size - 1 };
    climb.shift(climb.at.trailing_ones());
    // A complete old tree is itself the first node; the proof then leaves it out.
    let (first, rest) = if old_size.is_power_of_two() {
        (*old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(ProofError::Length(0))?;
        (*first, rest)
    };
    let (mut old, mut new) = (first, first);
    for sibling in rest {
        match climb.step(proof.len())? {
            Side::Left => {
                old = node_hash(sibling, &old);
                new = node_hash(sibling, &new);
            }
            Side::Right => new = node_hash(&new, sibling),
        }
    }
    climb.finish(proof.len())?;
    if old == *old_root && new == *new_root { Ok(()) } else { Err(ProofError::Root) }
}

fn verify_trivial(old_size: u64, old: &Hash, new_size: u64, new: &Hash, proof: &[Hash]) -> Result<(), ProofError> {
    if !proof.is_empty() {
        return Err(ProofError::Length(proof.len()));
    }
    let old_known = old_size != 0 || *old == empty_root();
    let new_known = new_size != 0 || *new == empty_root();
    let same = old_size != new_size || old == new;
    if old_known && new_known && same { Ok(()) } else { Err(ProofError::Root) }
}

enum Side {
    Left,
    Right,
}

/// Position of a node and of the last node of its level, while climbing from a leaf to the root.
struct Climb {
    at: u64,
    last: u64,
}

impl Climb {
    fn shift(&mut self, levels: u32) {
        self.at = self.at.checked_shr(levels).unwrap_or(0);
        self.last = self.last.checked_shr(levels).unwrap_or(0);
    }

    /// Side on which the next sibling stands; climbs past it.
    fn step(&mut self, proof_len: usize) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::Length(proof_len));
        }
        let left = self.at % 2 == 1 || self.at == self.last;
        if left && self.at.is_multiple_of(2) {
            // The last node of its level has no sibling until it is a right child.
            self.shift(self.at.trailing_zeros());
        }
        self.shift(1);
        Ok(if left { Side::Left } else { Side::Right })
    }

    fn finish(&self, proof_len: usize) -> Result<(), ProofError> {
        if self.last == 0 { Ok(()) } else { Err(ProofError::Length(proof_len)) }
    }
}
