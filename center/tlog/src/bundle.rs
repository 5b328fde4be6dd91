//! Entry bundles (C2SP tlog-tiles): up to 256 entries, each after its length as a big-endian `u16`.
//! Entries are opaque here and kept byte for byte; nothing may re-serialise them.

use crate::tile::{TILE_WIDTH, TileError, index_path, parse_index_path, pieces};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use thiserror::Error;

/// Longest entry, in bytes: its length is a `u16`.
pub const MAX_ENTRY_BYTES: usize = 65_535;
/// Longest bundle, in bytes.
pub const MAX_BUNDLE_BYTES: usize = TILE_WIDTH as usize * (2 + MAX_ENTRY_BYTES);

/// A bundle that cannot be written (the writer's fault) or read (the server's fault).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BundleError {
    /// An entry longer than [`MAX_ENTRY_BYTES`].
    #[error("entry of {0} bytes is longer than 65535")]
    EntryTooLong(usize),
    /// More entries than a bundle holds.
    #[error("bundle holds more than 256 entries")]
    TooMany,
    /// The bytes end within an entry.
    #[error("bundle ends within entry {0}")]
    Truncated(usize),
    /// Another number of entries than its name says.
    #[error("bundle has {found} entries, its name says {expected}")]
    Width {
        /// Entries the name promises.
        expected: usize,
        /// Entries found.
        found: usize,
    },
}

/// Up to 256 consecutive entries of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryBundle {
    /// The entries, in log order.
    pub entries: Vec<Vec<u8>>,
}

impl EntryBundle {
    /// The bytes served.
    ///
    /// # Errors
    /// [`BundleError::EntryTooLong`], [`BundleError::TooMany`].
    pub fn encode(&self) -> Result<Vec<u8>, BundleError> {
        if self.entries.len() > usize::from(TILE_WIDTH) {
            return Err(BundleError::TooMany);
        }
        let mut bytes = Vec::with_capacity(self.entries.iter().map(|entry| entry.len() + 2).sum());
        for entry in &self.entries {
            let len = u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong(entry.len()))?;
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.extend_from_slice(entry);
        }
        Ok(bytes)
    }

    /// Reads a bundle of any number of entries up to 256.
    ///
    /// # Errors
    /// [`BundleError::Truncated`], [`BundleError::TooMany`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        let places = places(bytes)?;
        Ok(Self { entries: places.into_iter().map(|place| bytes[place].to_vec()).collect() })
    }

    /// Reads a bundle that must hold as many entries as its name says.
    ///
    /// # Errors
    /// As [`EntryBundle::decode`], and [`BundleError::Width`].
    pub fn decode_exact(bytes: &[u8], id: BundleId) -> Result<Self, BundleError> {
        let places = Self::places_exact(bytes, id)?;
        Ok(Self { entries: places.into_iter().map(|place| bytes[place].to_vec()).collect() })
    }

    /// Where the entries lie in the bytes of such a bundle, for whoever keeps only those.
    ///
    /// # Errors
    /// As [`EntryBundle::decode_exact`].
    pub fn places_exact(bytes: &[u8], id: BundleId) -> Result<Vec<Range<usize>>, BundleError> {
        let places = places(bytes)?;
        let (expected, found) = (usize::from(id.width()), places.len());
        if expected == found { Ok(places) } else { Err(BundleError::Width { expected, found }) }
    }
}

/// Where the entries of a bundle lie in its bytes.
fn places(bytes: &[u8]) -> Result<Vec<Range<usize>>, BundleError> {
    let (mut places, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if places.len() == usize::from(TILE_WIDTH) {
            return Err(BundleError::TooMany);
        }
        let truncated = BundleError::Truncated(places.len());
        let (length, rest) = bytes[at..].split_first_chunk::<2>().ok_or(truncated)?;
        let (begin, length) = (at + 2, usize::from(u16::from_be_bytes(*length)));
        if rest.len() < length {
            return Err(truncated);
        }
        at = begin + length;
        places.push(begin..at);
    }
    Ok(places)
}

/// Name of a bundle: entries `index * 256 .. index * 256 + width`. Only valid values exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    index: u64,
    width: u16,
}

impl BundleId {
    /// A bundle of 1 to 256 entries.
    ///
    /// # Errors
    /// [`TileError::Range`].
    pub fn new(index: u64, width: u16) -> Result<Self, TileError> {
        if index >= 1 << 56 || width == 0 || width > TILE_WIDTH {
            return Err(TileError::Range { level: 0, index, width });
        }
        Ok(Self { index, width })
    }

    /// All bundles of a log of `size` entries; the last may be partial.
    pub fn all_for(size: u64) -> impl Iterator<Item = Self> {
        pieces(size).map(|(index, width)| Self { index, width })
    }

    /// Index of the bundle.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Number of entries, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Index in the log of its first entry.
    pub fn first_entry(&self) -> u64 {
        self.index * u64::from(TILE_WIDTH)
    }

    /// Path below the log's prefix, such as `tile/entries/000.p/5`.
    pub fn path(&self) -> String {
        format!("tile/entries/{}", index_path(self.index, self.width))
    }

    /// Reads a path as [`BundleId::path`] writes it, and no other spelling.
    ///
    /// # Errors
    /// [`TileError::Path`], [`TileError::Range`].
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let rest = path.strip_prefix("tile/entries/").and_then(parse_index_path);
        let (index, width) = rest.ok_or_else(|| TileError::path(path))?;
        Self::new(index, width)
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl FromStr for BundleId {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        Self::parse(path)
    }
}
