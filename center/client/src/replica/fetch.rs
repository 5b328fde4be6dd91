//! Downloads of the log's static files (C2SP tlog-tiles): checkpoint, entry bundles, leaf tiles. Sizes are bounded by the names;
//! nothing here is believed, the replica checks it.

use super::ReplicaError;
use crate::remote::Remote;
use iog_protocol::api::paths;
use iog_tlog::bundle::MAX_ENTRY_BYTES;
use iog_tlog::{BundleId, EntryBundle, Hash, MAX_NOTE_BYTES, TILE_WIDTH, TileId, leaf_hash};

/// Most bytes of entries taken in one synchronisation.
const SYNC_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Whole bundles, as served.
pub(super) struct Fetched {
    bundles: Vec<(BundleId, EntryBundle, Vec<u8>)>,
}

impl Fetched {
    /// The files to store: path and bytes.
    pub(super) fn files(&self) -> Vec<(String, Vec<u8>)> {
        self.bundles.iter().map(|(id, _, bytes)| (id.path(), bytes.clone())).collect()
    }

    /// Entries from an index on.
    pub(super) fn entries_from(&self, start: u64) -> Vec<&[u8]> {
        self.entries().filter(|(index, _)| *index >= start).map(|(_, entry)| entry).collect()
    }

    /// Leaf hashes from an index on.
    pub(super) fn leaves_from(&self, start: u64) -> Vec<Hash> {
        self.entries_from(start).into_iter().map(leaf_hash).collect()
    }

    /// Leaf hashes before an index, with their indexes: entries served again because their bundle grew.
    pub(super) fn leaves_before(&self, end: u64) -> impl Iterator<Item = (u64, Hash)> {
        self.entries().filter(move |(index, _)| *index < end).map(|(index, entry)| (index, leaf_hash(entry)))
    }

    fn entries(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.bundles
            .iter()
            .flat_map(|(id, bundle, _)| (id.first_entry()..).zip(bundle.entries.iter().map(Vec::as_slice)))
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

/// All bundles with entries from `held` on, in a log of `size` entries.
pub(super) async fn entries(center: &Remote, held: u64, size: u64) -> Result<Fetched, ReplicaError> {
    let (mut bundles, mut total, mut next) = (Vec::new(), 0_usize, held);
    while next < size {
        let Some(id) = bundle_of(next, size) else { break };
        let path = id.path();
        let bytes_max = usize::from(id.width()) * (2 + MAX_ENTRY_BYTES);
        let bytes = center.get(&tile_path(&path), bytes_max.min(SYNC_BYTES_MAX.saturating_sub(total))).await?;
        total += bytes.len();
        let bundle = EntryBundle::decode_exact(&bytes, id).map_err(|source| ReplicaError::Bundle { path, source })?;
        next = id.first_entry() + u64::from(id.width());
        bundles.push((id, bundle, bytes));
    }
    Ok(Fetched { bundles })
}

/// All leaf hashes of a log of `size` entries, from its level 0 tiles.
pub(super) async fn leaves(center: &Remote, size: u64) -> Result<Vec<Hash>, ReplicaError> {
    let mut leaves = Vec::new();
    for bundle in BundleId::all_for(size) {
        let Ok(id) = TileId::new(0, bundle.index(), bundle.width()) else { break };
        let bytes = center.get(&tile_path(&id.path()), id.byte_len()).await?;
        leaves.extend(bytes.chunks_exact(32).filter_map(|hash| Hash::try_from(hash).ok()));
    }
    Ok(leaves)
}

/// Where a server serves the tile or bundle of this C2SP path, `tile/…`.
fn tile_path(path: &str) -> String {
    paths::fill(paths::LOG_TILE, path.trim_start_matches("tile/"))
}
