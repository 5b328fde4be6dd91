//! Files of the log on their way out. A bundle can have 16 MiB, and everybody may ask for many: it is read from the database
//! while it is sent, some entries at a time.

use std::collections::VecDeque;

use iog_tlog::{BundleError, BundleId, EntryBundle};

use crate::storage::Storage;

/// Bytes of a bundle that are read at once; one entry may have as many by itself.
pub const PIECE_BYTES: u64 = 64 * 1024;
/// What stands before each entry of a bundle: its length.
const LENGTH_BYTES: u64 = 2;

/// A file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// What is in it.
    pub content: Content,
    /// Whether it is complete and never changes.
    pub is_full: bool,
}

/// What is in a file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Hashes, 8 KiB at most.
    Tile(Vec<u8>),
    /// Entries, still to be read.
    Entries(Bundle),
}

/// A file of the log that cannot be served; ours.
#[derive(Debug, thiserror::Error)]
pub enum ServeError<E> {
    /// The database did not answer.
    #[error(transparent)]
    Storage(E),
    /// Entries that were shown are gone.
    #[error("entries from {first} on are missing")]
    Missing {
        /// The first of those asked for.
        first: u64,
    },
    /// An entry is larger than the format allows.
    #[error("entries do not fit a bundle")]
    Bundle(#[from] BundleError),
}

/// A bundle whose lengths are known and whose entries are not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The next entry to read.
    next: u64,
    /// Lengths of the entries from there on.
    lengths: VecDeque<u64>,
}

impl Bundle {
    /// The bundle of that name, all of whose entries are shown.
    pub(crate) async fn of<S: Storage>(storage: &S, id: BundleId) -> Result<Self, ServeError<S::Error>> {
        let (first, width) = (id.first_entry(), u64::from(id.width()));
        let found = storage.lengths(first, width).await.map_err(ServeError::Storage)?;
        if !found.iter().map(|(index, _)| *index).eq(first..first + width) {
            return Err(ServeError::Missing { first });
        }
        Ok(Self { next: first, lengths: found.into_iter().map(|(_, length)| length).collect() })
    }

    /// Bytes that are left of it.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.lengths.iter().map(|length| length + LENGTH_BYTES).sum()
    }

    /// The next entries as they stand in the bundle, [`PIECE_BYTES`] of them or a single one; nothing after the last.
    ///
    /// # Errors
    /// [`ServeError`], also where an entry is not as long as it was.
    pub async fn piece<S: Storage>(&mut self, storage: &S) -> Result<Option<Vec<u8>>, ServeError<S::Error>> {
        let (first, taken) = (self.next, self.take());
        if taken.is_empty() {
            return Ok(None);
        }
        let count = taken.len() as u64;
        let read = storage.entries(first, count).await.map_err(ServeError::Storage)?;
        let is_there = read.iter().map(|(index, entry)| (*index, entry.len() as u64)).eq((first..).zip(taken));
        if !is_there {
            return Err(ServeError::Missing { first });
        }
        Ok(Some(EntryBundle { entries: read.into_iter().map(|(_, entry)| entry).collect() }.encode()?))
    }

    /// The lengths of the entries in the next piece.
    fn take(&mut self) -> Vec<u64> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(length) = self.lengths.front().copied() {
            bytes += length + LENGTH_BYTES;
            if bytes > PIECE_BYTES && !taken.is_empty() {
                break;
            }
            self.lengths.pop_front();
            taken.push(length);
        }
        self.next += taken.len() as u64;
        taken
    }
}
