//! Downloads of the log's static files (C2SP tlog-tiles): checkpoint, entry bundles, hash tiles. Sizes are bounded by the names;
//! nothing here is believed, the replica checks it.

use super::ReplicaError;
use crate::error::ClientError;
use crate::remote::Remote;
use iog_protocol::api::{ApiErrorCode, paths};
use iog_tlog::bundle::MAX_ENTRY_BYTES;
use iog_tlog::{BundleId, EntryBundle, Hash, MAX_NOTE_BYTES, TILE_WIDTH, TileId, leaf_hash};
use iog_transport::TransportError;
use std::ops::Range;
use std::time::Duration;

/// Largest bundle, in bytes, that is taken while others are under way: three times what the largest statements in use make of
/// 256 entries. A larger one is asked for again, alone.
pub(super) const SHARED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How often a busy center is asked for a bundle.
const BUSY_TRIES: u32 = 6;
/// Until it is asked again. All tries together take longer than the 20 seconds after which a center gives up whoever takes nothing.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

/// A whole bundle of entries.
pub(super) struct Bundle {
    pub(super) id: BundleId,
    /// Their leaf hashes.
    pub(super) leaves: Vec<Hash>,
    /// The file, as served.
    pub(super) bytes: Vec<u8>,
    /// Where the entries lie in it.
    places: Vec<Range<usize>>,
}

/// A bundle that is fetched beside others.
pub(super) enum Shared {
    Came(Bundle),
    /// It is too large for that.
    TooLarge,
    /// It did not come in time, or the center has no room to send it beside the others.
    Crowded,
}

impl Bundle {
    /// Reads the file of a bundle.
    pub(super) fn read(id: BundleId, bytes: Vec<u8>) -> Result<Self, ReplicaError> {
        let malformed = |source| ReplicaError::Bundle { path: id.path(), source };
        let places = EntryBundle::places_exact(&bytes, id).map_err(malformed)?;
        let leaves = places.iter().map(|place| leaf_hash(&bytes[place.clone()])).collect();
        Ok(Self { id, leaves, bytes, places })
    }

    /// The place of an entry in it; entries before the bundle are not in it.
    pub(super) fn place(&self, entry: u64) -> usize {
        let place = entry.saturating_sub(self.id.first_entry()).min(u64::from(TILE_WIDTH));
        usize::try_from(place).expect("a place in a bundle is at most 256").min(self.places.len())
    }

    /// The entries from a place on, as the log has them.
    pub(super) fn entries(&self, from: usize) -> impl Iterator<Item = &[u8]> {
        self.places.iter().skip(from).map(|place| &self.bytes[place.clone()])
    }
}

/// The bundle that holds an entry in a log of `size` entries.
pub(super) fn bundle_of(entry: u64, size: u64) -> Option<BundleId> {
    let index = entry / u64::from(TILE_WIDTH);
    let rest = size.checked_sub(index * u64::from(TILE_WIDTH))?;
    BundleId::new(index, u16::try_from(rest.min(u64::from(TILE_WIDTH))).ok()?).ok()
}

/// The signed checkpoint.
pub(super) async fn checkpoint(center: &Remote) -> Result<Vec<u8>, ReplicaError> {
    Ok(center.get(paths::LOG_CHECKPOINT, MAX_NOTE_BYTES).await?)
}

/// A bundle, of any size that its name allows. A center that has no room to send it just now is asked again.
pub(super) async fn bundle(center: &Remote, id: BundleId) -> Result<Bundle, ReplicaError> {
    let path = tile_path(&id.path());
    for _ in 1..BUSY_TRIES {
        match center.get(&path, bytes_max(id)).await {
            Err(error) if is_busy(&error) => tokio::time::sleep(BUSY_PAUSE).await,
            came => return Bundle::read(id, came?),
        }
    }
    Bundle::read(id, center.get(&path, bytes_max(id)).await?)
}

/// A bundle, while as many as `others` are fetched beside it.
pub(super) async fn shared_bundle(center: &Remote, id: BundleId, others: u32) -> Result<Shared, ReplicaError> {
    let bytes_max = bytes_max(id);
    match center.get_beside(&tile_path(&id.path()), bytes_max.min(SHARED_BYTES_MAX), others).await {
        Ok(bytes) => Bundle::read(id, bytes).map(Shared::Came),
        Err(ClientError::Transport { source: TransportError::ResponseTooLarge { .. }, .. })
            if bytes_max > SHARED_BYTES_MAX =>
        {
            Ok(Shared::TooLarge)
        }
        Err(ClientError::Transport { source: TransportError::Timeout { .. }, .. }) => Ok(Shared::Crowded),
        Err(error) if is_busy(&error) => Ok(Shared::Crowded),
        Err(error) => Err(error.into()),
    }
}

/// The hashes of a tile.
pub(super) async fn hashes(center: &Remote, id: TileId) -> Result<Vec<Hash>, ReplicaError> {
    let bytes = center.get(&tile_path(&id.path()), id.byte_len()).await?;
    Ok(bytes.chunks_exact(32).filter_map(|hash| Hash::try_from(hash).ok()).collect())
}

/// All leaf hashes of a log of `size` entries, from its level 0 tiles.
pub(super) async fn leaves(center: &Remote, size: u64) -> Result<Vec<Hash>, ReplicaError> {
    let mut leaves = Vec::new();
    for bundle in BundleId::all_for(size) {
        let Ok(id) = TileId::new(0, bundle.index(), bundle.width()) else { break };
        leaves.extend(hashes(center, id).await?);
    }
    Ok(leaves)
}

/// Whether the center has no room for one more answer now.
fn is_busy(error: &ClientError) -> bool {
    match error {
        ClientError::Status { status, .. } => *status == http::StatusCode::SERVICE_UNAVAILABLE,
        ClientError::Declined { problem, .. } => problem.code == ApiErrorCode::Busy,
        _ => false,
    }
}

fn bytes_max(id: BundleId) -> usize {
    usize::from(id.width()) * (2 + MAX_ENTRY_BYTES)
}

/// Where a server serves the tile or bundle of this C2SP path, `tile/…`.
fn tile_path(path: &str) -> String {
    paths::fill(paths::LOG_TILE, path.trim_start_matches("tile/"))
}
