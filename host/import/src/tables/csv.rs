//! Records of a CSV or tab-separated file (RFC 4180), one at a time, in bounded memory.

use std::path::Path;

use csv_core::ReadRecordResult;

use super::stop::Stop;
use crate::ImportError;
use crate::stored::Stored;
use crate::tally::{Tally, Why};

/// Bytes the fields of a record may have together.
pub(super) const RECORD_BYTES_MAX: usize = 64 * 1024;

/// Fields a record may have. Tables of geolocation have ten.
pub(super) const FIELDS_MAX: usize = 64;

/// Records between two calls of `progress`.
const PROGRESS_RECORDS: u64 = 8192;

/// How fields are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// Between fields.
    pub(super) delimiter: u8,
    /// Begins a line that is passed over.
    pub(super) comment: u8,
}

/// The fields of one record, surrounding spaces removed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Fields<'a> {
    /// A field; empty where the record has fewer.
    pub(super) fn get(&self, index: usize) -> &'a str {
        let start = if index == 0 { 0 } else { self.ends.get(index - 1).copied().unwrap_or(usize::MAX) };
        let end = self.ends.get(index).copied().unwrap_or_default();
        self.text.get(start..end).unwrap_or_default().trim()
    }

    /// A field, or none where it is empty or not there.
    pub(super) fn some(&self, index: usize) -> Option<&'a str> {
        Some(self.get(index)).filter(|text| !text.is_empty())
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }
}

/// What a table does with its records. It counts its rows itself.
pub(super) trait Table {
    /// Takes one record; `first` for the first of the file.
    fn record(&mut self, fields: Fields<'_>, first: bool) -> Result<u64, Stop>;
}

/// Reads all records of a file and counts them.
pub(super) fn read_records(
    stored: &mut Stored<'_>,
    path: &Path,
    dialect: Dialect,
    table: &mut dyn Table,
    progress: &mut dyn FnMut(u64),
) -> Result<Tally, ImportError> {
    let mut reader = csv_core::ReaderBuilder::new().delimiter(dialect.delimiter).comment(Some(dialect.comment)).build();
    let (mut output, mut ends) = (vec![0; RECORD_BYTES_MAX], [0; FIELDS_MAX]);
    let (mut tally, mut filled, mut fields, mut offset) = (Tally::default(), 0, 0, stored.offset());
    loop {
        let input = stored.fill()?;
        let (result, read, wrote, ended) = reader.read_record(input, &mut output[filled..], &mut ends[fields..]);
        stored.consume(read);
        (filled, fields) = (filled + wrote, fields + ended);
        match result {
            ReadRecordResult::InputEmpty => continue,
            ReadRecordResult::End => break,
            ReadRecordResult::OutputFull => {
                return Err(too_large(path, "a record's length in bytes", RECORD_BYTES_MAX));
            }
            ReadRecordResult::OutputEndsFull => return Err(too_large(path, "a record's number of fields", FIELDS_MAX)),
            ReadRecordResult::Record => {}
        }
        tally.messages += 1;
        let taken = match std::str::from_utf8(&output[..filled]) {
            Ok(text) => table.record(Fields { text, ends: &ends[..fields] }, tally.messages == 1),
            Err(_) => Err(Why::Malformed("a line is not UTF-8").into()),
        };
        match taken {
            Ok(rows) => tally.rows += rows,
            Err(Stop::Skip(Why::Malformed(reason))) => tally.malformed(offset, reason),
            Err(Stop::Skip(why)) => tally.skip(why),
            Err(Stop::Import(error)) => return Err(error),
        }
        (filled, fields, offset) = (0, 0, stored.offset());
        if tally.messages.is_multiple_of(PROGRESS_RECORDS) {
            progress(stored.bytes());
        }
    }
    progress(stored.bytes());
    Ok(tally)
}

fn too_large(path: &Path, what: &'static str, max: usize) -> ImportError {
    ImportError::TooLarge { path: path.to_path_buf(), what, found: max as u64 + 1, max: max as u64 }
}
