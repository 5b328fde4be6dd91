//! The outline of a log: the roots of its complete bundles, and the entries after them. It leads to the signed root before
//! any complete bundle is there, so that each of them can be checked, folded and stored by itself when it comes.

use super::ReplicaError;
use super::fetch::{self, Bundle};
use crate::remote::Remote;
use iog_tlog::{BundleId, Hash, TILE_WIDTH, TileId, Tree};

/// The level of the Merkle tree at which a node covers one bundle.
const BUNDLE_LEVEL: u32 = 8;
/// The same in tiles, of which each holds a level in eight.
const BUNDLE_TILES: u8 = 1;

/// What stands in a log after the entries that are held. Nothing of it is believed before [`Self::root`] is the signed one.
pub(super) struct Outline {
    /// The roots of all complete bundles: the held ones' as they are held, the others' as served.
    roots: Vec<Hash>,
    /// The bundle after them, if there is one.
    pub(super) last: Option<Bundle>,
}

impl Outline {
    /// Fetches what a log of `size` entries has beyond those held in `tree`.
    pub(super) async fn fetch(center: &Remote, tree: &Tree, size: u64) -> Result<Self, ReplicaError> {
        let width = u64::from(TILE_WIDTH);
        let (held, complete) = (tree.nodes(BUNDLE_LEVEL), size / width);
        let mut roots = held.to_vec();
        while (roots.len() as u64) < complete {
            let index = roots.len() as u64 / width;
            let nodes = (complete - index * width).min(width);
            let Ok(id) = TileId::new(BUNDLE_TILES, index, u16::try_from(nodes).unwrap_or(TILE_WIDTH)) else { break };
            let served = fetch::hashes(center, id).await?;
            let known = roots.len() - usize::try_from(id.first_node()).unwrap_or(usize::MAX);
            let before = roots.len();
            roots.extend(served.into_iter().skip(known));
            if roots.len() == before {
                return Err(ReplicaError::WrongRoot { size });
            }
        }
        let last = if size.is_multiple_of(width) { None } else { fetch::bundle_of(size - 1, size) };
        let last = match last {
            Some(id) => Some(fetch::bundle(center, id).await?),
            None => None,
        };
        Ok(Self { roots, last })
    }

    /// The root that all of it leads to.
    pub(super) fn root(&self) -> Hash {
        let rest = self.last.as_ref().map(|last| Tree::from_leaves(last.leaves.iter().copied()).root());
        Tree::from_leaves(self.roots.iter().copied()).root_before(rest)
    }

    /// The complete bundles that hold entries from `first` on.
    pub(super) fn bundles(&self, first: u64) -> impl Iterator<Item = BundleId> + use<> {
        let complete = self.roots.len() as u64;
        (first / u64::from(TILE_WIDTH)..complete).filter_map(|index| BundleId::new(index, TILE_WIDTH).ok())
    }

    /// Whether a complete bundle is the one that the log has in this place.
    pub(super) fn has(&self, bundle: &Bundle) -> bool {
        let root = usize::try_from(bundle.id.index()).ok().and_then(|index| self.roots.get(index));
        root == Some(&Tree::from_leaves(bundle.leaves.iter().copied()).root())
    }
}
