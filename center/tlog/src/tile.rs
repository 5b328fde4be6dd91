//! Names of hash tiles (C2SP tlog-tiles v0.1.0): which tiles a tree of a size has, and their paths.
//! It must not hold hashes; `Tree::tile` makes the bytes.

use crate::text::parse_decimal;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Highest tile level of a tree below 2^64 leaves.
pub const MAX_LEVEL: u8 = 7;
/// Longest path accepted, in bytes.
const MAX_PATH_BYTES: usize = 64;

/// A tile or bundle name that names nothing. Whoever asked is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TileError {
    /// Not a path of the static tile layout.
    #[error("`{0}` is not a tile path")]
    Path(String),
    /// Level above 7, width outside 1 to 256, or an index no tree can reach.
    #[error("tile at level {level}, index {index}, width {width} cannot exist")]
    Range {
        /// Level asked for.
        level: u8,
        /// Index asked for.
        index: u64,
        /// Width asked for.
        width: u16,
    },
}

impl TileError {
    pub(crate) fn path(path: &str) -> Self {
        Self::Path(path.chars().take(MAX_PATH_BYTES).collect())
    }
}

/// A tile: `width` hashes of level `8 * level` of the tree, from node `index * 256` on. Only valid values exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

impl TileId {
    /// A tile of level 0 to 7 and width 1 to 256 hashes; less than 256 makes it a partial tile.
    ///
    /// # Errors
    /// [`TileError::Range`].
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        let reachable = level <= MAX_LEVEL && index < 1 << (56 - 8 * u32::from(level));
        if !reachable || width == 0 || width > TILE_WIDTH {
            return Err(TileError::Range { level, index, width });
        }
        Ok(Self { level, index, width })
    }

    /// Level, 0 to 7: its hashes are roots of `256^level` leaves.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Index within the level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Number of hashes, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it has all 256 hashes and so never changes.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Index of its first node within tree level `8 * level`.
    pub fn first_node(&self) -> u64 {
        self.index * u64::from(TILE_WIDTH)
    }

    /// Length of its content in bytes.
    pub fn byte_len(&self) -> usize {
        usize::from(self.width) * 32
    }

    /// Path below the log's prefix, such as `tile/0/x001/x234/067.p/5`.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, index_path(self.index, self.width))
    }

    /// Reads a path as [`TileId::path`] writes it, and no other spelling.
    ///
    /// # Errors
    /// [`TileError::Path`], [`TileError::Range`].
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let malformed = || TileError::path(path);
        let rest = path.strip_prefix("tile/").filter(|_| path.len() <= MAX_PATH_BYTES).ok_or_else(malformed)?;
        let (level, rest) = rest.split_once('/').ok_or_else(malformed)?;
        let level = parse_decimal(level).ok().and_then(|l| u8::try_from(l).ok()).ok_or_else(malformed)?;
        let (index, width) = parse_index_path(rest).ok_or_else(malformed)?;
        Self::new(level, index, width)
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl FromStr for TileId {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        Self::parse(path)
    }
}

/// All tiles of a tree of `size` leaves, level by level; the last of a level may be partial, empty ones are left out.
pub fn tiles_for(size: u64) -> impl Iterator<Item = TileId> {
    (0..=MAX_LEVEL).flat_map(move |level| {
        let nodes = size >> (8 * u32::from(level));
        pieces(nodes).map(move |(index, width)| TileId { level, index, width })
    })
}

/// Cuts `count` things into pieces of 256 and a shorter last one: (index, width).
pub(crate) fn pieces(count: u64) -> impl Iterator<Item = (u64, u16)> {
    let full = count / u64::from(TILE_WIDTH);
    let rest = u16::try_from(count % u64::from(TILE_WIDTH)).expect("a remainder of 256 fits u16");
    let partial = (rest > 0).then_some((full, rest));
    (0..full).map(|index| (index, TILE_WIDTH)).chain(partial)
}

/// `<N>[.p/<W>]`: three-digit groups, all but the last marked with `x`, and the width if partial.
pub(crate) fn index_path(index: u64, width: u16) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if width == TILE_WIDTH { path } else { format!("{path}.p/{width}") }
}

/// The inverse of [`index_path`]; `None` for any other spelling.
pub(crate) fn parse_index_path(path: &str) -> Option<(u64, u16)> {
    if path.len() > MAX_PATH_BYTES {
        return None;
    }
    let (groups, width) = match path.split_once(".p/") {
        Some((groups, width)) => (groups, u16::try_from(parse_decimal(width).ok()?).ok()?),
        None => (path, TILE_WIDTH),
    };
    let mut index: u64 = 0;
    for group in groups.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let value: u64 = digits.parse().ok()?;
        index = index.checked_mul(1000)?.checked_add(value)?;
    }
    (index_path(index, width) == path).then_some((index, width))
}
