//! Files of nfdump, layouts 1 (nfdump 1.6) and 2 (nfdump 1.7), into `flow/1`. Streaming by block; a block is bounded
//! before it is read. It reads the files of little-endian machines, which is what nfdump itself reads there.
//!
//! Rows carry what nfdump stored. Where nfdump applied a sampling rate when it collected (its "sampled" flag), packets
//! and bytes are already scaled, so that `sampling` stays empty. What it counted of the way back (biflows of RFC 5103,
//! responders of firewalls) is a row of its own.

mod blocks;
mod bytes;
mod extensions;
mod flow;
mod legacy;
mod lzo;
mod records;

use std::io::Read;
use std::path::Path;

use crate::columns::{FlowBuilder, Sink};
use crate::netflow::ExportOptions;
use crate::stored::Stored;
use crate::tally::Tally;
use crate::{FileReport, ImportError};

use blocks::MAGIC;
use records::Decoder;

/// Whether a file that begins so is one of nfdump's that [`read`] reads. Four bytes are enough.
#[must_use]
pub fn is_nfdump(head: &[u8]) -> bool {
    head.starts_with(&MAGIC) && matches!(head.get(2..4), Some([1 | 2, 0]))
}

/// Reads a file to its end; `options` say what its exporters did not. `progress` is told the bytes read so far.
///
/// # Errors
/// The file cannot be read, is none of nfdump's or of a layout that is not supported, breaks its format, or the rows
/// cannot be stored.
pub fn read(
    input: &mut dyn Read,
    path: &Path,
    options: &ExportOptions,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let mut blocks = blocks::Blocks::open(Stored::open(input, path)?, path)?;
    let mut decoder = Decoder::new(options);
    let mut rows = FlowBuilder::new();
    let mut tally = Tally::default();
    while let Some(block) = blocks.next_block(&mut tally)? {
        tally.messages += 1;
        decoder
            .block(&block, &mut tally, &mut |row| rows.push(row, sink))
            .map_err(|broken| broken.at(path, block.offset))?;
        progress(blocks.bytes());
    }
    rows.flush(sink)?;
    progress(blocks.bytes());
    tally.rows = rows.rows();
    let format = blocks.format();
    tally.finish(blocks.stored(), path, format)
}
