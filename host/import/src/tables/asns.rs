//! Tables of prefixes or ranges and the AS that uses them, into `asinfo/1`.

use std::io::Read;
use std::path::Path;

use super::asn::parse_asn;
use super::options::{AsinfoKind, Options};
use super::prefixes::{IpPrefix, parse_prefix, prefixes_of};
use super::records::{Table, read_records};
use super::stop::Stop;
use crate::columns::Sink;
use crate::rows::{AsinfoBuilder, AsinfoRow};
use crate::tally::{Tally, Why};
use crate::text::{self, Comments, Dialect, Fields};
use crate::{FileReport, ImportError};

/// `prefix TAB asn` (pyasn).
pub(super) fn read_pyasn(
    input: &mut dyn Read,
    path: &Path,
    options: &Options,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let stored = text::open(input, path)?;
    let kind = options.kind.or(Some(AsinfoKind::Bgp));
    let mut table = Pyasn(Rows { options, kind, builder: AsinfoBuilder::default(), sink });
    let dialect = Dialect { delimiter: b'\t', comments: Comments::Anywhere(b';') };
    let (tally, records) = read_records(stored, path, dialect, &mut table, progress)?;
    table.0.flush()?;
    tally.finish(records.stored(), path, "pyasn")
}

/// `start,end,asn,organisation` (ip-location-db).
pub(super) fn read_ranges(
    input: &mut dyn Read,
    path: &Path,
    options: &Options,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let stored = text::open(input, path)?;
    let mut table = Ranges(Rows { options, kind: options.kind, builder: AsinfoBuilder::default(), sink });
    // Names of organisations may have a `#`.
    let dialect = Dialect { delimiter: b',', comments: Comments::Lines(b'#') };
    let (tally, records) = read_records(stored, path, dialect, &mut table, progress)?;
    table.0.flush()?;
    tally.finish(records.stored(), path, "address ranges of ASes")
}

/// Rows on their way, with what the provider said about all of them.
struct Rows<'a> {
    options: &'a Options,
    kind: Option<AsinfoKind>,
    builder: AsinfoBuilder,
    sink: &'a mut dyn Sink,
}

impl Rows<'_> {
    fn push(&mut self, prefix: IpPrefix, asn: u32, organisation: Option<&str>) -> Result<(), ImportError> {
        let row = AsinfoRow {
            prefix: prefix.address,
            prefix_len: u64::from(prefix.len),
            asn: u64::from(asn),
            kind: self.kind.map(AsinfoKind::name),
            organisation,
            registry: self.options.registry.as_deref(),
            valid_from: self.options.valid_from,
            ..AsinfoRow::default()
        };
        self.builder.push(&row, self.sink)
    }

    fn flush(&mut self) -> Result<(), ImportError> {
        self.builder.flush(self.sink)
    }
}

struct Pyasn<'a>(Rows<'a>);

impl Table for Pyasn<'_> {
    fn record(&mut self, fields: Fields<'_>, _first: bool, _tally: &mut Tally) -> Result<u64, Stop> {
        let prefix = parse_prefix(fields.get(0)).map_err(Why::from)?;
        let asn = parse_asn(fields.some(1).ok_or(Why::Incomplete("asn"))?).map_err(Why::from)?;
        self.0.push(prefix, asn, None)?;
        Ok(1)
    }
}

struct Ranges<'a>(Rows<'a>);

impl Table for Ranges<'_> {
    fn record(&mut self, fields: Fields<'_>, _first: bool, _tally: &mut Tally) -> Result<u64, Stop> {
        let prefixes = prefixes_of(fields.get(0), fields.get(1)).map_err(|_| Why::Malformed("a range is malformed"))?;
        let asn = parse_asn(fields.some(2).ok_or(Why::Incomplete("asn"))?).map_err(Why::from)?;
        let mut rows = 0;
        for prefix in prefixes {
            self.0.push(prefix, asn, fields.some(3))?;
            rows += 1;
        }
        Ok(rows)
    }
}
