//! Lists of validated ROA payloads as validators export them, into `asinfo/1` of kind `roa`: CSV with a header (`ASN`,
//! `IP Prefix`, `Max Length`, `Trust Anchor`, `Not Before`, `Not After`, `Expires`, in any order) or JSON.

use std::io::Read;
use std::path::Path;

use super::asn::parse_asn;
use super::csv::{Dialect, Fields, Table, read_records};
use super::options::Options;
use super::payload::{Payload, Rows};
use super::stop::Stop;
use super::vrp_json;
use crate::columns::Sink;
use crate::rows::AsinfoBuilder;
use crate::stored::Stored;
use crate::tally::Why;
use crate::{FileReport, ImportError};

pub(super) fn read(
    input: &mut dyn Read,
    path: &Path,
    options: &Options,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let mut stored = Stored::open(input, path)?;
    let mut rows = Rows { options, builder: AsinfoBuilder::default(), sink };
    let is_json = stored.fill()?.trim_ascii_start().first() == Some(&b'{');
    let (tally, format) = if is_json {
        (vrp_json::read(&mut stored, path, &mut rows, progress)?, "ROAs (JSON)")
    } else {
        let mut table = Csv { rows: &mut rows, columns: Columns::default() };
        let dialect = Dialect { delimiter: b',', comment: b'#' };
        (read_records(&mut stored, path, dialect, &mut table, progress)?, "ROAs (CSV)")
    };
    rows.builder.flush(rows.sink)?;
    tally.finish(&stored, path, format)
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
    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut columns = Self::default();
        for (index, name) in names.enumerate() {
            let name: String =
                name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
            let column = match name.as_str() {
                "asn" => &mut columns.asn,
                "ipprefix" | "prefix" => &mut columns.prefix,
                "maxlength" => &mut columns.max_len,
                "trustanchor" | "ta" => &mut columns.trust_anchor,
                "notbefore" => &mut columns.valid_from,
                "notafter" | "expires" => &mut columns.valid_to,
                _ => continue,
            };
            column.get_or_insert(index);
        }
        columns
    }
}

/// Whether a line is the header of such a list.
pub(super) fn is_header(line: &str) -> bool {
    let columns = Columns::of(line.split(','));
    columns.asn.is_some() && columns.prefix.is_some()
}

struct Csv<'r, 'a> {
    rows: &'r mut Rows<'a>,
    columns: Columns,
}

impl Table for Csv<'_, '_> {
    fn record(&mut self, fields: Fields<'_>, first: bool) -> Result<u64, Stop> {
        if first {
            self.columns = Columns::of((0..fields.len()).map(|index| fields.get(index)));
            return match (self.columns.asn, self.columns.prefix) {
                (Some(_), Some(_)) => Ok(0),
                _ => Err(Why::Malformed("the header names no columns `ASN` and `IP Prefix`").into()),
            };
        }
        let field = |column: Option<usize>| column.and_then(|index| fields.some(index));
        let max_len = field(self.columns.max_len).map(|text| text.parse::<u8>()).transpose();
        let payload = Payload {
            asn: parse_asn(field(self.columns.asn).ok_or(Why::Incomplete("asn"))?)?,
            prefix: field(self.columns.prefix).ok_or(Why::Incomplete("prefix"))?,
            max_len: max_len.map_err(|_| Why::Malformed("a maximum length is malformed"))?,
            trust_anchor: field(self.columns.trust_anchor),
            valid_from: field(self.columns.valid_from).map(micros).transpose()?,
            valid_to: field(self.columns.valid_to).map(micros).transpose()?,
        };
        self.rows.push(&payload).map(|()| 1)
    }
}

/// Microseconds of seconds since the epoch, or of `2026-11-21 10:20:30` (also with `T` and `Z`), UTC.
fn micros(text: &str) -> Result<i64, Why> {
    const WRONG: Why = Why::Malformed("a time is malformed");
    if let Ok(seconds) = text.parse::<i64>() {
        return seconds.checked_mul(1_000_000).ok_or(WRONG);
    }
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = text.split_once([' ', 'T']).ok_or(WRONG)?;
    let numbers = |text: &str, between: char| -> Option<[i64; 3]> {
        let mut parts = text.split(between).map(|part| part.parse::<u16>().ok().map(i64::from));
        let three = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(three)
    };
    let ([year, month, day], [hour, minute, second]) = numbers(date, '-').zip(numbers(time, ':')).ok_or(WRONG)?;
    let days = days_since_epoch(year, month, day);
    let in_month = day >= 1 && days < days_since_epoch(year + month / 12, month % 12 + 1, 1);
    if !(1..=12).contains(&month) || !in_month || hour > 23 || minute > 59 || second > 60 {
        return Err(WRONG);
    }
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    Ok(seconds * 1_000_000)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar: years begin in March, so that the leap day is the last.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before_month = (153 * month + 2) / 5;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + days_before_month + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        assert_eq!(micros("0"), Ok(0));
        assert_eq!(micros("1970-01-01 00:00:00"), Ok(0));
        assert_eq!(micros("2025-12-31 00:00:00"), Ok(1_767_139_200_000_000));
        assert_eq!(micros("1969-12-31 23:59:59"), Ok(-1_000_000));
        assert_eq!(micros("2000-02-29T12:00:01Z"), Ok(951_825_601_000_000));
        assert_eq!(micros("2026-11-21 10:20:30"), Ok(1_795_256_430_000_000));
        for bad in [
            "",
            "x",
            "2026-13-01 00:00:00",
            "2026-02-29 00:00:00",
            "2026-00-01 00:00:00",
            "2026-12-32 00:00:00",
            "2026-01-01",
            "2026-01-01 00:00",
            "9223372036854775807",
        ] {
            assert!(micros(bad).is_err(), "{bad}");
        }
    }
}
