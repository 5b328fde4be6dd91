//! Address tables: which AS uses a prefix (`asinfo/1`) and where (`geo/1`). Text files of prefixes or of ranges, which
//! become the fewest prefixes that cover them. Streaming; a line that says nothing usable is counted and passed over.

mod asn;
mod asns;
mod geo;
mod guess;
mod names;
mod options;
mod payload;
mod prefixes;
mod records;
mod region;
mod roas;
mod stop;
mod time;
mod vrp_json;

use std::io::Read;
use std::path::Path;

use crate::columns::Sink;
use crate::{FileReport, ImportError};

pub use asn::{NoAsn, parse_asn};
pub use guess::looks_like;
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

#[cfg(test)]
mod tests;
