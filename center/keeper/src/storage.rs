//! What a client's database does for its log.

use std::sync::Arc;

/// A signed head over leaves that are being made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// Index of the first leaf that is new with it.
    pub first: u64,
    /// Leaves altogether.
    pub size: u64,
    /// The signed checkpoint over all of them.
    pub note: Arc<[u8]>,
}

/// Entries in order, and the newest head over them.
pub trait Storage: Send + Sync {
    /// An entry with all that the client stores with it.
    type Entry: Sync;
    /// Why the database did not answer.
    type Error: std::error::Error + Send + Sync + 'static;

    /// At most `count` entries from index `first` on, in order, each with its index: the bytes that are hashed as leaves.
    fn entries(&self, first: u64, count: u64) -> impl Future<Output = Result<Vec<(u64, Vec<u8>)>, Self::Error>> + Send;

    /// How many bytes each of the same has, with its index.
    fn lengths(&self, first: u64, count: u64) -> impl Future<Output = Result<Vec<(u64, u64)>, Self::Error>> + Send;

    /// The newest head, once one was committed.
    fn head(&self) -> impl Future<Output = Result<Option<Vec<u8>>, Self::Error>> + Send;

    /// Makes entries and the head over them durable, together or not at all. `entries` are those from `head.first` on;
    /// there are none where only the head is new. A client that tries again after an error must not mind what an unclear
    /// failure left behind.
    fn commit(
        &self,
        entries: &[Self::Entry],
        head: &SignedHead,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
