//! Address tables: which AS uses a prefix (`asinfo/1`) and where (`geo/1`). Text files of prefixes or of ranges, which
//! become the fewest prefixes that cover them. Streaming; a line that says nothing usable is counted and passed over.

mod asns;
mod csv;
mod geo;
mod prefixes;
mod roas;
mod vrp_json;

use std::io::Read;
use std::path::Path;

use crate::columns::Sink;
use crate::tally::Why;
use crate::{FileReport, ImportError};

pub use prefixes::{IpPrefix, parse_prefix, prefixes_of};

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// `prefix TAB asn`, comments after `;` (pyasn): `asinfo/1`.
    Pyasn,
    /// CSV `start,end,asn,organisation` (ip-location-db): `asinfo/1`.
    AsRanges,
    /// Validated ROA payloads as CSV with a header, or as JSON with an array `roas`, as validators export them:
    /// `asinfo/1` of kind `roa`.
    Roas,
    /// CSV `prefix,country,region,city,postal_code` (RFC 8805): `geo/1`.
    Geofeed,
    /// CSV `start,end,country` (ip-location-db): `geo/1`.
    GeoRanges,
}

/// What an AS and a prefix have to do with each other, in a table that does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsinfoKind {
    /// Observed in BGP.
    Bgp,
    /// Registered in an IRR.
    Irr,
    /// Allocated by a RIR.
    Rir,
}

impl AsinfoKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Bgp => "bgp",
            Self::Irr => "irr",
            Self::Rir => "rir",
        }
    }
}

/// What the provider says about a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How it is written.
    pub format: TableFormat,
    /// What it says about ASes; ROAs are always `roa`. pyasn tables are made of BGP tables, so `bgp` where this is not
    /// given.
    pub kind: Option<AsinfoKind>,
    /// Registry or trust anchor, where a row has none.
    pub registry: Option<String>,
    /// When it was made, microseconds since the epoch.
    pub valid_from: Option<i64>,
}

impl Options {
    /// A table of which only the format is known.
    #[must_use]
    pub const fn new(format: TableFormat) -> Self {
        Self { format, kind: None, registry: None, valid_from: None }
    }
}

/// Decodes a table, plain or compressed. `progress` is told the bytes of the file read so far, compressed as stored.
///
/// # Errors
/// When the file cannot be read, passes a bound, or nothing in it could be used; when the sink fails.
pub fn read(
    input: &mut dyn Read,
    path: &Path,
    options: &Options,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    match options.format {
        TableFormat::Pyasn => asns::read_pyasn(input, path, options, sink, progress),
        TableFormat::AsRanges => asns::read_ranges(input, path, options, sink, progress),
        TableFormat::Roas => roas::read(input, path, options, sink, progress),
        TableFormat::Geofeed => geo::read_geofeed(input, path, options, sink, progress),
        TableFormat::GeoRanges => geo::read_ranges(input, path, options, sink, progress),
    }
}

/// The format of a file (decompressed) that begins with `head`, by its first line that is no comment.
#[must_use]
pub fn looks_like(head: &[u8]) -> Option<TableFormat> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).ok()?,
    };
    if text.trim_start().starts_with('{') {
        return text.contains("\"roas\"").then_some(TableFormat::Roas);
    }
    let line = text.lines().find(|line| !line.is_empty() && !line.starts_with([';', '#']))?;
    if line.split_once('\t').is_some_and(|(prefix, asn)| parse_prefix(prefix).is_ok() && asn.parse::<u32>().is_ok()) {
        return Some(TableFormat::Pyasn);
    }
    if roas::is_header(line) {
        return Some(TableFormat::Roas);
    }
    let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
    let is_address = |index: usize| fields.get(index).is_some_and(|field| field.parse::<std::net::IpAddr>().is_ok());
    match fields.get(2) {
        Some(asn) if is_address(0) && is_address(1) && asn.parse::<u32>().is_ok() => Some(TableFormat::AsRanges),
        Some(country) if is_address(0) && is_address(1) && geo::country(country).is_ok() => {
            Some(TableFormat::GeoRanges)
        }
        _ if fields.len() > 1 && parse_prefix(fields[0]).is_ok() && geo::country(fields[1]).is_ok() => {
            Some(TableFormat::Geofeed)
        }
        _ => None,
    }
}

/// Why a line gave no more rows: it is passed over, or the import ends.
enum Stop {
    Skip(Why),
    Import(ImportError),
}

impl From<Why> for Stop {
    fn from(why: Why) -> Self {
        Self::Skip(why)
    }
}

impl From<ImportError> for Stop {
    fn from(error: ImportError) -> Self {
        Self::Import(error)
    }
}

#[cfg(test)]
mod tests;
