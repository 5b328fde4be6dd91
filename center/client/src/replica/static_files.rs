//! Which of the log's static files a larger log adds, and which it replaces. Names and numbers alone.

use iog_tlog::{BundleId, TileId, tiles_for};

/// Files to write: name below the directory, and bytes.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// Hash tiles of the larger tree that the smaller one has not, or not as wide.
pub(super) fn new_tiles(size_before: u64, size: u64) -> impl Iterator<Item = TileId> {
    tiles_for(size)
        .filter(move |id| id.first_node() + u64::from(id.width()) > size_before >> (8 * u32::from(id.level())))
}

/// Partial tiles and bundles of the smaller tree that wider ones of the larger replace.
pub(super) fn superseded(size_before: u64, size: u64) -> Vec<String> {
    if size_before == size {
        return Vec::new();
    }
    let bundle = BundleId::all_for(size_before).last().filter(|id| id.width() < 256).map(|id| id.path());
    let tiles = tiles_for(size_before).filter(|id| !id.is_full() && !tiles_for(size).any(|new| new == *id));
    bundle.into_iter().chain(tiles.map(|id| id.path())).collect()
}
