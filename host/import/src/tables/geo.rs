//! Tables of prefixes or ranges and the place where they are used, into `geo/1`.

use std::io::Read;
use std::path::Path;

use super::options::Options;
use super::prefixes::{parse_prefix, prefixes_of};
use super::records::{Table, read_records};
use super::region::{Region, region};
use super::stop::Stop;
use crate::columns::Sink;
use crate::rows::{GeoBuilder, GeoRow};
use crate::tally::{Tally, Why};
use crate::text::{self, Comments, Dialect, Fields};
use crate::{FileReport, ImportError};

const DIALECT: Dialect = Dialect { delimiter: b',', comments: Comments::Anywhere(b'#') };

/// `prefix,country,region,city,postal_code` (RFC 8805 §2.1).
pub(super) fn read_geofeed(
    input: &mut dyn Read,
    path: &Path,
    options: &Options,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let stored = text::open(input, path)?;
    let mut table = Geofeed(Rows { valid_from: options.valid_from, builder: GeoBuilder::default(), sink });
    let (tally, records) = read_records(stored, path, DIALECT, &mut table, progress)?;
    table.0.builder.flush(table.0.sink)?;
    tally.finish(records.stored(), path, "geofeed")
}

/// `start,end,country` (ip-location-db).
pub(super) fn read_ranges(
    input: &mut dyn Read,
    path: &Path,
    options: &Options,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let stored = text::open(input, path)?;
    let mut table = Ranges(Rows { valid_from: options.valid_from, builder: GeoBuilder::default(), sink });
    let (tally, records) = read_records(stored, path, DIALECT, &mut table, progress)?;
    table.0.builder.flush(table.0.sink)?;
    tally.finish(records.stored(), path, "address ranges of countries")
}

/// Rows on their way.
struct Rows<'a> {
    valid_from: Option<i64>,
    builder: GeoBuilder,
    sink: &'a mut dyn Sink,
}

/// A country of two letters in upper case; none where the publisher says that there is none, by an empty field or `ZZ`
/// (RFC 8805 §2.1.2).
pub(super) fn country(text: &str) -> Result<Option<[u8; 2]>, Why> {
    match text.as_bytes() {
        [] => Ok(None),
        [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
            Ok(Some([a.to_ascii_uppercase(), b.to_ascii_uppercase()]).filter(|code| code != b"ZZ"))
        }
        _ => Err(Why::Malformed("a country is not two letters")),
    }
}

fn country_text(code: Option<&[u8; 2]>) -> Option<&str> {
    code.map(|code| std::str::from_utf8(code).expect("two ASCII letters"))
}

struct Geofeed<'a>(Rows<'a>);

impl Table for Geofeed<'_> {
    fn record(&mut self, fields: Fields<'_>, _first: bool, tally: &mut Tally) -> Result<u64, Stop> {
        let prefix = parse_prefix(fields.get(0)).map_err(Why::from)?;
        let code = country(fields.get(1))?;
        let region = match region(fields.get(2), code) {
            Region::Code(region) => Some(region),
            Region::None => None,
            Region::NoCode => {
                tally.skip(Why::NotApplicable(
                    "regions that are not ISO 3166-2 codes such as `US-CA`, left out of their rows",
                ));
                None
            }
            Region::Elsewhere => return Err(Why::Malformed("a region is not one of its country").into()),
        };
        let row = GeoRow {
            prefix: prefix.address,
            prefix_len: u64::from(prefix.len),
            country: country_text(code.as_ref()),
            region: region.as_deref(),
            city: fields.some(3),
            postal_code: fields.some(4),
            valid_from: self.0.valid_from,
            ..GeoRow::default()
        };
        self.0.builder.push(&row, self.0.sink)?;
        Ok(1)
    }
}

struct Ranges<'a>(Rows<'a>);

impl Table for Ranges<'_> {
    fn record(&mut self, fields: Fields<'_>, _first: bool, _tally: &mut Tally) -> Result<u64, Stop> {
        let prefixes = prefixes_of(fields.get(0), fields.get(1)).map_err(|_| Why::Malformed("a range is malformed"))?;
        if fields.len() < 3 {
            return Err(Why::Incomplete("country").into());
        }
        let code = country(fields.get(2))?;
        let mut rows = 0;
        for prefix in prefixes {
            let row = GeoRow {
                prefix: prefix.address,
                prefix_len: u64::from(prefix.len),
                country: country_text(code.as_ref()),
                valid_from: self.0.valid_from,
                ..GeoRow::default()
            };
            self.0.builder.push(&row, self.0.sink)?;
            rows += 1;
        }
        Ok(rows)
    }
}
