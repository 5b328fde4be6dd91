//! The file of nfdump: header, blocks, their compression. It gives the bytes of data blocks and knows no record.

use std::io::Read;
use std::path::Path;

use super::lzo;
use crate::ImportError;
use crate::stored::Stored;
use crate::tally::{Tally, Why};

/// First two bytes of every file, little-endian 0xA50C.
pub(super) const MAGIC: [u8; 2] = [0x0c, 0xa5];

/// Bytes of a block, stored and decompressed. nfdump's own buffers hold 5 MiB (10 MiB in later versions).
const BLOCK_BYTES_MAX: usize = 16 << 20;
const BLOCK_HEADER_BYTES: usize = 12;
/// Bytes of the header of layout 2 behind magic number and version.
const HEADER_2_BYTES: usize = 36;
/// Bytes of the header and of the statistics of layout 1 behind magic number and version.
const HEADER_1_BYTES: usize = 136 + 136;

/// How the blocks of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    None,
    Lzo,
    Bzip2,
    Lz4,
    Zstd,
}

/// The blocks of a file.
pub(super) struct Blocks<'a> {
    stored: Stored<'a>,
    path: &'a Path,
    layout: u8,
    method: Method,
    /// Data blocks left to read; none when the header does not say, as in a file still being written.
    left: Option<u32>,
    /// Blocks about the file itself behind them.
    appendix: u16,
    raw: Vec<u8>,
    plain: Vec<u8>,
}

/// A data block.
pub(super) struct Block<'a> {
    /// Its records.
    pub(super) bytes: &'a [u8],
    /// How many it says it has.
    pub(super) records: u32,
    /// Where in the file its header begins.
    pub(super) offset: u64,
}

/// A block's header.
struct Header {
    records: u32,
    size: usize,
    kind: u16,
    flags: u16,
}

impl<'a> Blocks<'a> {
    /// Reads the file's header.
    pub(super) fn open(mut stored: Stored<'a>, path: &'a Path) -> Result<Self, ImportError> {
        let mut raw = Vec::new();
        stored.read_up_to(4, &mut raw)?;
        let damaged = |reason: &str| damaged(path, 0, reason);
        let layout = match raw[..] {
            [a, b, layout @ (1 | 2), 0] if [a, b] == MAGIC => layout,
            [a, b, version, 0] if [a, b] == MAGIC => {
                return Err(damaged(&format!("nfdump's layout {version} is not supported, only 1 and 2")));
            }
            [0xa5, 0x0c, ..] => return Err(damaged("it was written on a big-endian machine")),
            _ => return Err(ImportError::UnknownFormat { path: path.to_path_buf() }),
        };
        let wanted = if layout == 1 { HEADER_1_BYTES } else { HEADER_2_BYTES };
        stored.read_up_to(wanted, &mut raw)?;
        if raw.len() < wanted {
            return Err(damaged("the file header is cut off"));
        }
        let known = if layout == 1 { header_1(&raw) } else { header_2(&raw) };
        let (method, left, appendix) = known.map_err(|why| damaged(&why))?;
        Ok(Self { stored, path, layout, method, left, appendix, raw, plain: Vec::new() })
    }

    /// The next data block; none after the last.
    pub(super) fn next_block(&mut self, tally: &mut Tally) -> Result<Option<Block<'_>>, ImportError> {
        loop {
            if self.left == Some(0) {
                self.rest(tally)?;
                return Ok(None);
            }
            let offset = self.stored.offset();
            let Some(header) = self.header(offset)? else { return Ok(None) };
            self.left = self.left.map(|left| left - 1);
            let data = if self.layout == 1 { 2 } else { 3 };
            if header.kind != data {
                tally.skip(Why::NotApplicable("block of other data than flows"));
                continue;
            }
            let unpacked = self.unpack(&header).map_err(|reason| damaged(self.path, offset, &reason))?;
            let bytes = match unpacked {
                Some(length) => &self.plain[..length],
                None => &self.raw[..],
            };
            return Ok(Some(Block { bytes, records: header.records, offset }));
        }
    }

    /// Reads the header and the stored bytes of a block.
    fn header(&mut self, offset: u64) -> Result<Option<Header>, ImportError> {
        self.stored.read_up_to(BLOCK_HEADER_BYTES, &mut self.raw)?;
        if self.raw.is_empty() && self.left.is_none() {
            return Ok(None);
        }
        let cut = || damaged(self.path, offset, "the file ends before its last block");
        let header: [u8; BLOCK_HEADER_BYTES] = self.raw[..].try_into().map_err(|_| cut())?;
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let word = |at: usize| u32::from(half(at)) | u32::from(half(at + 2)) << 16;
        let size = word(4) as usize;
        if size > BLOCK_BYTES_MAX {
            return Err(ImportError::TooLarge {
                path: self.path.to_path_buf(),
                what: "a block's size in bytes",
                found: size as u64,
                max: BLOCK_BYTES_MAX as u64,
            });
        }
        self.stored.read_up_to(size, &mut self.raw)?;
        if self.raw.len() < size {
            return Err(cut());
        }
        Ok(Some(Header { records: word(0), size, kind: half(8), flags: half(10) }))
    }

    /// Passes over the blocks of the appendix, and counts the bytes behind it, of which the header does not know.
    fn rest(&mut self, tally: &mut Tally) -> Result<(), ImportError> {
        for _ in 0..self.appendix {
            let offset = self.stored.offset();
            self.header(offset)?;
        }
        let mut padding = true;
        let mut count = 0;
        loop {
            let bytes = self.stored.fill()?;
            if bytes.is_empty() {
                break;
            }
            padding &= bytes.iter().all(|byte| *byte == 0);
            let length = bytes.len();
            count += length as u64;
            self.stored.consume(length);
        }
        match (count, padding) {
            (0, _) => {}
            (_, true) => tally.skip_many(Why::Padding, count),
            (_, false) => tally.skip_many(Why::Malformed("bytes behind the last block of the file"), count),
        }
        Ok(())
    }

    /// Decompresses the block and says how long it is, or that it was not compressed.
    fn unpack(&mut self, header: &Header) -> Result<Option<usize>, String> {
        let plain = if self.layout == 1 { header.flags == 1 } else { header.flags & 1 != 0 };
        if self.method == Method::None || plain || header.size == 0 {
            return Ok(None);
        }
        if self.plain.is_empty() {
            self.plain = vec![0; BLOCK_BYTES_MAX];
        }
        let (raw, plain) = (&self.raw[..], &mut self.plain[..]);
        let length = match self.method {
            Method::None => raw.len(),
            Method::Lzo => lzo::decompress(raw, plain).map_err(|error| format!("a block of LZO: {error}"))?,
            Method::Lz4 => {
                lz4_flex::block::decompress_into(raw, plain).map_err(|error| format!("a block of LZ4: {error}"))?
            }
            Method::Zstd => {
                zstd::bulk::decompress_to_buffer(raw, plain).map_err(|error| format!("a block of zstd: {error}"))?
            }
            Method::Bzip2 => bunzip2(raw, plain).map_err(|error| format!("a block of bzip2: {error}"))?,
        };
        Ok(Some(length))
    }

    /// Bytes of the file read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.stored.bytes()
    }

    /// The file below.
    pub(super) const fn stored(&self) -> &Stored<'a> {
        &self.stored
    }

    /// The format's name in reports.
    pub(super) const fn format(&self) -> &'static str {
        match (self.layout, self.method) {
            (1, Method::None) => "nfdump 1",
            (1, Method::Lzo) => "nfdump 1, lzo",
            (1, Method::Bzip2) => "nfdump 1, bzip2",
            (1, _) => "nfdump 1, lz4",
            (_, Method::None) => "nfdump 2",
            (_, Method::Lzo) => "nfdump 2, lzo",
            (_, Method::Bzip2) => "nfdump 2, bzip2",
            (_, Method::Lz4) => "nfdump 2, lz4",
            (_, Method::Zstd) => "nfdump 2, zstd",
        }
    }
}

/// Compression, number of blocks and of those behind them, or why the file cannot be read.
type Known = Result<(Method, Option<u32>, u16), String>;

/// The header of layout 1: flags, number of blocks, a name and statistics.
fn header_1(raw: &[u8]) -> Known {
    let method = match word(raw, 0) & 0x19 {
        0 => Method::None,
        0x01 => Method::Lzo,
        0x08 => Method::Bzip2,
        0x10 => Method::Lz4,
        _ => return Err("its flags name several compressions".to_owned()),
    };
    Ok((method, Some(word(raw, 4)).filter(|blocks| *blocks > 0), 0))
}

/// The header of layout 2: version of nfdump, time, compression, encryption, blocks of the appendix and its place, size
/// and number of blocks.
fn header_2(raw: &[u8]) -> Known {
    let method = match raw[12] {
        0 => Method::None,
        1 => Method::Lzo,
        2 => Method::Bzip2,
        3 => Method::Lz4,
        4 => Method::Zstd,
        other => return Err(format!("compression {other} is unknown")),
    };
    if raw[13] != 0 {
        return Err("it is encrypted".to_owned());
    }
    let (place, blocks) = (word(raw, 20) | word(raw, 24), word(raw, 32));
    let known = blocks != 0 || place != 0;
    let appendix = if place == 0 { 0 } else { u16::from_le_bytes([raw[14], raw[15]]) };
    Ok((method, known.then_some(blocks), appendix))
}

/// The little-endian number at `at` of a header that was read as a whole.
fn word(raw: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|n| raw[at + n]))
}

/// Decompresses one stream of bzip2.
fn bunzip2(raw: &[u8], mut plain: &mut [u8]) -> std::io::Result<usize> {
    let room = plain.len();
    let mut decoder = bzip2::bufread::BzDecoder::new(raw);
    loop {
        if plain.is_empty() {
            let more = decoder.read(&mut [0])?;
            return if more == 0 {
                Ok(room)
            } else {
                Err(std::io::Error::other("more than a block's bound comes out"))
            };
        }
        match decoder.read(plain)? {
            0 => return Ok(room - plain.len()),
            count => plain = &mut plain[count..],
        }
    }
}

fn damaged(path: &Path, offset: u64, reason: &str) -> ImportError {
    ImportError::Damaged { path: path.to_path_buf(), offset, reason: reason.to_owned() }
}
