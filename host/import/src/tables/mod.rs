//! Address tables: which AS uses a prefix (`asinfo/1`) and where (`geo/1`). Text files of prefixes or of ranges, which
//! become the fewest prefixes that cover them. Streaming; a line that says nothing usable is counted and passed over.

mod asn;
mod asns;
mod csv;
mod geo;
mod options;
mod payload;
mod prefixes;
mod roas;
mod stop;
mod vrp_json;

use std::io::Read;
use std::path::Path;

use crate::columns::Sink;
use crate::{FileReport, ImportError};

pub use options::{AsinfoKind, Options, TableFormat};
pub use prefixes::{IpPrefix, parse_prefix, prefixes_of};

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

/// The format of a file (decompressed) that begins with `head`, by its first line that is not a comment.
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

#[cfg(test)]
mod tests;
