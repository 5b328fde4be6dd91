//! Lists of validated ROA payloads as validators export them, into `asinfo/1` of kind `roa`: CSV with a header, whose names
//! may be in any order and spelling, or JSON.

use std::io::Read;
use std::path::Path;

use super::asn::parse_asn;
use super::names::{Part, UNCLEAR_LENGTH, part, said};
use super::options::Options;
use super::payload::{Payload, Rows};
use super::records::{Table, read_records};
use super::stop::Stop;
use super::time::micros;
use super::vrp_json;
use crate::columns::Sink;
use crate::rows::AsinfoBuilder;
use crate::tally::{Tally, Why};
use crate::text::{self, Comments, Dialect, Fields};
use crate::{FileReport, ImportError};

pub(super) fn read(
    input: &mut dyn Read,
    path: &Path,
    options: &Options,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let mut stored = text::open(input, path)?;
    let mut rows = Rows { options, builder: AsinfoBuilder::default(), sink };
    let is_json = stored.fill()?.trim_ascii_start().first() == Some(&b'{');
    if is_json {
        let tally = vrp_json::read(&mut stored, path, &mut rows, progress)?;
        rows.builder.flush(rows.sink)?;
        return tally.finish(&stored, path, "ROAs (JSON)");
    }
    let mut table = Csv { rows: &mut rows, columns: Columns::default() };
    let dialect = Dialect { delimiter: b',', comments: Comments::Lines(b'#') };
    let (tally, records) = read_records(stored, path, dialect, &mut table, progress)?;
    rows.builder.flush(rows.sink)?;
    tally.finish(records.stored(), path, "ROAs (CSV)")
}

/// Where the header says that columns are.
#[derive(Debug, Default)]
struct Columns {
    asn: Option<usize>,
    prefix: Option<usize>,
    max_len: Option<usize>,
    trust_anchor: Option<usize>,
    valid_from: Option<usize>,
    valid_to: Option<usize>,
}

impl Columns {
    /// Finds the parts of a payload in a header; tells the names that are none, and those of which it is not clear.
    fn of<'a>(names: impl Iterator<Item = &'a str>) -> (Self, Vec<&'a str>, bool) {
        let (mut columns, mut unknown, mut unclear) = (Self::default(), Vec::new(), false);
        for (index, name) in names.enumerate() {
            let column = match part(name) {
                Part::Asn => &mut columns.asn,
                Part::Prefix => &mut columns.prefix,
                Part::MaxLen => &mut columns.max_len,
                Part::TrustAnchor => &mut columns.trust_anchor,
                Part::ValidFrom => &mut columns.valid_from,
                Part::ValidTo => &mut columns.valid_to,
                Part::Unused => continue,
                Part::UnclearLength => {
                    unclear = true;
                    continue;
                }
                Part::Source | Part::Unknown => {
                    unknown.push(name);
                    continue;
                }
            };
            // Of two columns of one meaning the first counts, and the other is not silently left out.
            if column.is_some() {
                unknown.push(name);
            }
            column.get_or_insert(index);
        }
        (columns, unknown, unclear)
    }
}

/// Whether a line is the header of such a list.
pub(super) fn is_header(line: &str) -> bool {
    let (columns, ..) = Columns::of(line.split([',', ';', '\t']));
    columns.asn.is_some() && columns.prefix.is_some()
}

struct Csv<'r, 'a> {
    rows: &'r mut Rows<'a>,
    columns: Columns,
}

impl Table for Csv<'_, '_> {
    fn record(&mut self, fields: Fields<'_>, first: bool, tally: &mut Tally) -> Result<u64, Stop> {
        if first {
            return self.header(fields, tally);
        }
        let field = |column: Option<usize>| column.and_then(|index| said(fields.get(index)));
        let max_len = field(self.columns.max_len).map(|text| text.parse::<u8>()).transpose();
        let payload = Payload {
            asn: parse_asn(field(self.columns.asn).ok_or(Why::Incomplete("asn"))?).map_err(Why::from)?,
            prefix: field(self.columns.prefix).ok_or(Why::Incomplete("prefix"))?,
            max_len: max_len.map_err(|_| Why::Malformed("a maximum length is malformed"))?,
            trust_anchor: field(self.columns.trust_anchor),
            valid_from: field(self.columns.valid_from).map(micros).transpose()?,
            valid_to: field(self.columns.valid_to).map(micros).transpose()?,
        };
        self.rows.push(&payload).map(|()| 1)
    }
}

impl Csv<'_, '_> {
    /// Takes the first line. Without the columns that it must have no line after it gives a row.
    fn header(&mut self, fields: Fields<'_>, tally: &mut Tally) -> Result<u64, Stop> {
        let (columns, unknown, unclear) = Columns::of((0..fields.len()).map(|index| fields.get(index)));
        if unclear {
            return Err(Why::Malformed(UNCLEAR_LENGTH).into());
        }
        for name in unknown {
            tally.not_understood("a column that is not understood", name);
        }
        self.columns = columns;
        match (self.columns.asn, self.columns.prefix) {
            (Some(_), Some(_)) => Ok(0),
            _ => Err(Why::Malformed("the header names no columns `ASN` and `IP Prefix`").into()),
        }
    }
}
