//! MRT files (RFC 6396, RFC 8050): routing tables and BGP updates into `route/1`. Streaming, one record in memory at a
//! time. A record that breaks its format is counted and passed over, because the next one can be found; a file whose
//! framing breaks is refused.

mod bgp4mp;
mod decoder;
mod peers;
mod table_dump;
mod table_dump_v2;

use std::io::Read;
use std::path::Path;

use crate::bgp::cursor::{Cursor, Malformed};
use crate::columns::Sink;
use crate::stored::Stored;
use crate::tally::{Tally, Why};
use crate::{FileReport, ImportError};

use decoder::{Decoder, Record, Stop};
pub use peers::COLLECTOR_BYTES_MAX;

/// Bytes of the header of a record: time, type, subtype, length.
const HEADER_BYTES: usize = 12;

/// Bytes a record may have. The longest real ones are those of a prefix in a full table: 65,535 entries, the most that
/// the format can count, at 250 bytes of attributes each, fit.
pub const RECORD_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// Records between two calls of `progress`.
const PROGRESS_RECORDS: u64 = 1024;

/// What the provider adds to a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Name of the collector, for records that name none.
    pub collector: Option<String>,
}

/// Whether a file (decompressed) begins like MRT: a record of a known type, of a length that is allowed.
#[must_use]
pub fn looks_like(head: &[u8]) -> bool {
    header(head).is_some_and(|found| matches!(found.kind, 12 | 13 | 16 | 17) && found.len <= RECORD_BYTES_MAX)
}

/// Decodes a file, plain or compressed, into rows of `route/1`. `progress` is told the bytes of the file read so far,
/// compressed as stored.
///
/// # Errors
/// When the file cannot be read, is cut short, has a record longer than [`RECORD_BYTES_MAX`] or of no known type, or
/// nothing in it could be used; when the sink fails.
pub fn read(
    input: &mut dyn Read,
    path: &Path,
    options: &Options,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let mut stored = Stored::open(input, path)?;
    let mut decoder = Decoder::new(options.collector.as_deref());
    let (mut head, mut body) = (Vec::with_capacity(HEADER_BYTES), Vec::new());
    loop {
        let offset = stored.offset();
        let damaged = |reason: String| ImportError::Damaged { path: path.to_path_buf(), offset, reason };
        stored.read_up_to(HEADER_BYTES, &mut head)?;
        if head.is_empty() {
            break;
        }
        if head.iter().all(|byte| *byte == 0) {
            read_padding(&mut stored, path, head.len() as u64, &mut decoder.tally)?;
            break;
        }
        let header = header(&head).ok_or_else(|| {
            damaged(format!("the file ends in the header of a record, after {} of 12 bytes", head.len()))
        })?;
        check(header, path, offset)?;
        stored.read_up_to(header.len as usize, &mut body)?;
        if body.len() < header.len as usize {
            return Err(damaged(format!("a record of {} bytes ends after {}", header.len, body.len())));
        }
        decoder.tally.messages += 1;
        decoder.record(header, offset, &body, sink)?;
        if decoder.tally.messages.is_multiple_of(PROGRESS_RECORDS) {
            progress(stored.bytes());
        }
    }
    decoder.builder.flush(sink)?;
    progress(stored.bytes());
    decoder.tally.finish(&stored, path, "mrt")
}

/// The header of a record (RFC 6396 §2).
#[derive(Debug, Clone, Copy)]
struct Header {
    seconds: u32,
    kind: u16,
    subtype: u16,
    len: u32,
}

fn header(bytes: &[u8]) -> Option<Header> {
    let mut cursor = Cursor::new(bytes);
    let (seconds, kind) = (cursor.u32().ok()?, cursor.u16().ok()?);
    Some(Header { seconds, kind, subtype: cursor.u16().ok()?, len: cursor.u32().ok()? })
}

/// Refuses what cannot be the header of a record. Types are those that IANA lists, deprecated ones included.
fn check(header: Header, path: &Path, offset: u64) -> Result<(), ImportError> {
    if !matches!(header.kind, 0..=13 | 16 | 17 | 32 | 33 | 48 | 49) {
        let reason = format!("a record is of type {}, which MRT does not have", header.kind);
        return Err(ImportError::Damaged { path: path.to_path_buf(), offset, reason });
    }
    if header.len > RECORD_BYTES_MAX {
        return Err(ImportError::TooLarge {
            path: path.to_path_buf(),
            what: "the length of an MRT record in bytes",
            found: u64::from(header.len),
            max: u64::from(RECORD_BYTES_MAX),
        });
    }
    Ok(())
}

/// Passes over zero bytes to the end of the file; anything else there is damage.
fn read_padding(stored: &mut Stored<'_>, path: &Path, before: u64, tally: &mut Tally) -> Result<(), ImportError> {
    let mut count = before;
    loop {
        let bytes = stored.fill()?;
        let len = bytes.len();
        if let Some(place) = bytes.iter().position(|byte| *byte != 0) {
            let offset = stored.offset() + place as u64;
            let reason = "data follow zero bytes".to_owned();
            return Err(ImportError::Damaged { path: path.to_path_buf(), offset, reason });
        }
        if len == 0 {
            tally.skip_many(Why::Padding, count);
            return Ok(());
        }
        count += len as u64;
        stored.consume(len);
    }
}

impl Decoder<'_> {
    /// Decodes the record that begins at `offset`.
    fn record(&mut self, header: Header, offset: u64, body: &[u8], sink: &mut dyn Sink) -> Result<(), ImportError> {
        let mut record = Record { time: i64::from(header.seconds) * 1_000_000, offset, body: Cursor::new(body) };
        let result = match header.kind {
            12 => self.table_dump(header.subtype, record, sink),
            13 => self.table_dump_v2(header.subtype, record, sink),
            16 => self.bgp4mp(header.subtype, record, sink),
            17 => match record.read_micros() {
                Ok(()) => self.bgp4mp(header.subtype, record, sink),
                Err(malformed) => Err(malformed.into()),
            },
            kind => {
                self.tally.skip(Why::NotApplicable(type_name(kind)));
                Ok(())
            }
        };
        match result {
            Ok(()) => Ok(()),
            Err(Stop::Malformed(Malformed(reason))) => {
                self.tally.malformed(offset, reason);
                Ok(())
            }
            Err(Stop::Import(error)) => Err(error),
        }
    }
}

/// Types whose records hold no routes of ours.
const fn type_name(kind: u16) -> &'static str {
    match kind {
        11 | 48 | 49 => "an OSPF record",
        32 | 33 => "an IS-IS record",
        5..=10 => "a record of a deprecated type",
        _ => "a control record",
    }
}

#[cfg(test)]
mod tests;
