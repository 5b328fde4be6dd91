//! Which table a text is, by its first lines.

use super::asn::parse_asn;
use super::options::TableFormat;
use super::prefixes::parse_prefix;
use super::{geo, roas};
use crate::text::{other_encoding, unmarked};

/// Lines that are looked at: one of them may be wrong, or a header.
const LINES: usize = 16;

/// The format of a file (decompressed) that begins with `head`, by its first lines that are not comments.
#[must_use]
pub fn looks_like(head: &[u8]) -> Option<TableFormat> {
    let head = unmarked(head);
    if other_encoding(head).is_some() {
        return None;
    }
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).ok()?,
    };
    if text.trim_start().starts_with('{') {
        return ["\"roas\"", "\"slurmVersion\""].iter().any(|key| text.contains(key)).then_some(TableFormat::Roas);
    }
    let is_record = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with([';', '#']);
    let mut lines = text.split(['\n', '\r']).filter(is_record).take(LINES).peekable();
    if lines.peek().is_some_and(|first| roas::is_header(first)) {
        return Some(TableFormat::Roas);
    }
    lines.find_map(of_line)
}

/// The format that a line is in. Fields that are separated by something else than commas are found too, so that the file
/// is refused for that.
fn of_line(line: &str) -> Option<TableFormat> {
    let tabs: Vec<&str> = line.split('\t').collect();
    if let [prefix, asn, ..] = tabs.as_slice()
        && parse_prefix(prefix.trim()).is_ok()
        && parse_asn(asn.split(';').next().unwrap_or_default().trim()).is_ok()
    {
        return Some(TableFormat::Pyasn);
    }
    let line = line.split('#').next().unwrap_or_default();
    let separator = if line.contains(',') { ',' } else { ';' };
    let fields: Vec<&str> = line.split(separator).map(|field| field.trim().trim_matches('"')).collect();
    let is_address = |index: usize| fields.get(index).is_some_and(|field| field.parse::<std::net::IpAddr>().is_ok());
    match fields.get(2) {
        Some(asn) if is_address(0) && is_address(1) && parse_asn(asn).is_ok() => Some(TableFormat::AsRanges),
        Some(country) if is_address(0) && is_address(1) && geo::country(country).is_ok() => {
            Some(TableFormat::GeoRanges)
        }
        _ if fields.len() > 1 && parse_prefix(fields[0]).is_ok() && geo::country(fields[1]).is_ok() => {
            Some(TableFormat::Geofeed)
        }
        _ => None,
    }
}
