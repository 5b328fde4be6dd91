//! Keeps a transparency log: groups of leaves are signed, made durable, kept beside the database and only then shown; at
//! the start everything stored is hashed again and compared with what was signed. The center's log and the gateways'
//! receipt logs are kept by it.
//!
//! It knows leaves, not what they say: what an entry is, whether it may be appended and what is stored with it are its
//! client's, and so is the database ([`Storage`]). It knows no registry, no receipts and no SQL.

mod beside;
mod keeper;
mod log;
mod replay;
mod served;
mod storage;

pub use beside::FileError;
pub use keeper::{Group, KeepError, Keeper, Unsettled};
pub use log::{Head, Log};
pub use replay::{Problem, ReplayError, Replayed, Whose, was_signed};
pub use served::{Bundle, Content, PIECE_BYTES, ServeError, Served};
pub use storage::{SignedHead, Storage};

#[cfg(test)]
mod tests;
