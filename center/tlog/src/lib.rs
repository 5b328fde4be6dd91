//! Transparency-log formats and proofs: the C2SP signed note, checkpoint, cosignature/v1, tiles, entry bundles, `.tlog-proof`
//! and witness policy over the RFC 6962 Merkle tree.
//!
//! Pure: no file, no socket, no clock, no randomness. Everything read from outside is bounded and parsed strictly (one accepted
//! spelling per value), so two verifiers never disagree about the same bytes. It also builds for WebAssembly.

pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod hash;
pub mod inclusion;
pub mod key;
pub mod note;
mod note_error;
pub mod policy;
mod policy_parse;
pub mod proof;
mod signature;
mod text;
pub mod tile;
pub mod tree;
pub mod witness;

pub use bundle::{BundleError, BundleId, EntryBundle, MAX_ENTRY_BYTES};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosignature::Cosigner;
pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use inclusion::{InclusionError, InclusionProof};
pub use key::{KeyError, KeyKind, NoteSigner, VerifierKey};
pub use note::{Note, VerifiedNote, VerifiedSignature};
pub use note_error::{MAX_NOTE_BYTES, MAX_SIGNATURES, NoteError};
pub use policy::{Policy, PolicyError, Witnessed};
pub use proof::{ProofError, verify_consistency, verify_inclusion};
pub use signature::{MAX_NAME_BYTES, NoteSignature};
pub use text::TextError;
pub use tile::{TILE_WIDTH, TileError, TileId, tiles_for};
pub use tree::{Tree, TreeError};
pub use witness::{AddCheckpoint, AddCheckpointError};
