//! Passive DNS in the Common Output Format (draft-dulaunoy-dnsop-passive-dns-cof): one JSON object a line, into
//! `pdns/1`. Streaming; a line that is not such an object is counted and passed over.

use std::borrow::Cow;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use serde::Deserialize;

use crate::columns::{Sink, address};
use crate::rows::{PdnsBuilder, PdnsRow};
use crate::stored::Stored;
use crate::tally::{Tally, Why};
use crate::{FileReport, ImportError};

/// Bytes a line may have: a record of 65,535 bytes, the most that DNS carries, as an array of many, escaped.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that a name may have: 255 of DNS (RFC 1035 §2.3.4), each escaped as four.
pub const NAME_BYTES_MAX: usize = 4 * 255;

/// Bytes that a sensor or an origin, which every row repeats, may have: a URI of the usual longest.
pub const LABEL_BYTES_MAX: usize = 2048;

/// Values of an object: a message of 65,535 bytes holds no more records of 12 bytes or more (RFC 1035 §4.1.3).
pub const VALUES_MAX: usize = 5461;

/// Lines between two calls of `progress`.
const PROGRESS_LINES: u64 = 4096;

/// One object. Keys that `pdns/1` has no column for are passed over.
#[derive(Debug, Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    rrname: Option<Cow<'a, str>>,
    #[serde(borrow)]
    rrtype: Option<Rrtype<'a>>,
    #[serde(borrow)]
    rdata: Option<Rdata<'a>>,
    time_first: Option<i64>,
    time_last: Option<i64>,
    time_first_ms: Option<i64>,
    time_last_ms: Option<i64>,
    zone_time_first: Option<i64>,
    zone_time_last: Option<i64>,
    count: Option<u64>,
    #[serde(borrow)]
    bailiwick: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sensor_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    origin: Option<Cow<'a, str>>,
}

/// A mnemonic or a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Rrtype<'a> {
    Number(u16),
    #[serde(borrow)]
    Name(Cow<'a, str>),
}

/// One value or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Rdata<'a> {
    #[serde(borrow)]
    One(Cow<'a, str>),
    #[serde(borrow)]
    Several(Vec<Cow<'a, str>>),
}

/// Whether a file (decompressed) begins like the Common Output Format.
#[must_use]
pub fn looks_like(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    line.first() == Some(&b'{') && [&b"\"rrname\""[..], b"\"rrtype\""].iter().all(|key| contains(line, key))
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

/// Decodes a file, plain or compressed, into rows of `pdns/1`. `progress` is told the bytes of the file read so far,
/// compressed as stored.
///
/// # Errors
/// When the file cannot be read, has a line longer than [`LINE_BYTES_MAX`], or nothing in it could be used; when the
/// sink fails.
pub fn read(
    input: &mut dyn Read,
    path: &Path,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let mut stored = Stored::open(input, path)?;
    let (mut builder, mut tally, mut line) = (PdnsBuilder::default(), Tally::default(), Vec::new());
    loop {
        let offset = stored.offset();
        if !stored.read_line(LINE_BYTES_MAX, &mut line)? {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        tally.messages += 1;
        match serde_json::from_slice::<Object<'_>>(&line) {
            Ok(object) => push_object(&object, &mut builder, &mut tally, sink)?,
            Err(_) => tally.malformed(offset, "a line is not an object of the Common Output Format"),
        }
        if tally.messages.is_multiple_of(PROGRESS_LINES) {
            progress(stored.bytes());
        }
    }
    builder.flush(sink)?;
    progress(stored.bytes());
    tally.finish(&stored, path, "passive dns")
}

/// Adds a row for each value of an object, or counts what it lacks.
fn push_object(
    object: &Object<'_>,
    builder: &mut PdnsBuilder,
    tally: &mut Tally,
    sink: &mut dyn Sink,
) -> Result<(), ImportError> {
    let (row, values) = match row_of(object) {
        Ok(found) => found,
        Err(why) => {
            tally.skip(why);
            return Ok(());
        }
    };
    let (name, kind) = (row.name(), row.kind());
    let is_address = matches!(kind.as_ref(), "A" | "AAAA");
    for rdata in values {
        let address = if is_address { rdata.parse::<IpAddr>().ok().map(address) } else { None };
        tally.rows += 1;
        builder.push(&PdnsRow { rrname: &name, rrtype: &kind, rdata, address, ..row.rest }, sink)?;
    }
    Ok(())
}

/// What all rows of an object share.
struct Shared<'a> {
    rrname: &'a str,
    rrtype: &'a Rrtype<'a>,
    rest: PdnsRow<'a>,
}

/// The rows' common part and their values.
fn row_of<'a>(object: &'a Object<'a>) -> Result<(Shared<'a>, &'a [Cow<'a, str>]), Why> {
    let rrname = object.rrname.as_deref().ok_or(Why::Incomplete("rrname"))?;
    let rrtype = object.rrtype.as_ref().ok_or(Why::Incomplete("rrtype"))?;
    let values = match object.rdata.as_ref().ok_or(Why::Incomplete("rdata"))? {
        Rdata::One(value) => std::slice::from_ref(value),
        Rdata::Several(values) if values.is_empty() => return Err(Why::Incomplete("rdata")),
        Rdata::Several(values) if values.len() > VALUES_MAX => {
            return Err(Why::Malformed("an object has more values than DNS can carry"));
        }
        Rdata::Several(values) => values,
    };
    let short = |text: &Option<Cow<'_, str>>, max: usize| text.as_ref().is_none_or(|text| text.len() <= max);
    let kind = matches!(rrtype, Rrtype::Name(name) if name.len() > NAME_BYTES_MAX);
    if rrname.len() > NAME_BYTES_MAX || kind || !short(&object.bailiwick, NAME_BYTES_MAX) {
        return Err(Why::Malformed("a name is longer than DNS allows"));
    }
    if !short(&object.sensor_id, LABEL_BYTES_MAX) || !short(&object.origin, LABEL_BYTES_MAX) {
        return Err(Why::Malformed("a sensor or an origin is longer than 2048 bytes"));
    }
    let rest = PdnsRow {
        time_first: micros(object.time_first, object.time_first_ms)?.ok_or(Why::Incomplete("time_first"))?,
        time_last: micros(object.time_last, object.time_last_ms)?.ok_or(Why::Incomplete("time_last"))?,
        zone_time_first: micros(object.zone_time_first, None)?,
        zone_time_last: micros(object.zone_time_last, None)?,
        count: object.count,
        bailiwick: object.bailiwick.as_deref(),
        sensor: object.sensor_id.as_deref(),
        origin: object.origin.as_deref(),
        ..PdnsRow::default()
    };
    Ok((Shared { rrname, rrtype, rest }, values))
}

/// Microseconds of a time in seconds or, where it is given, milliseconds.
fn micros(seconds: Option<i64>, millis: Option<i64>) -> Result<Option<i64>, Why> {
    let found = match (seconds, millis) {
        (_, Some(millis)) => millis.checked_mul(1_000),
        (Some(seconds), None) => seconds.checked_mul(1_000_000),
        (None, None) => return Ok(None),
    };
    found.map(Some).ok_or(Why::Malformed("a time is out of range"))
}

impl<'a> Shared<'a> {
    /// The name in lower case without its final dot; the root stays `.`.
    fn name(&self) -> Cow<'a, str> {
        let name = self.rrname.strip_suffix('.').unwrap_or(self.rrname);
        let name = if name.is_empty() { "." } else { name };
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        }
    }

    /// The type in upper case; a number becomes its mnemonic or `TYPE` and the number (RFC 3597 §5).
    fn kind(&self) -> Cow<'a, str> {
        let number = match self.rrtype {
            Rrtype::Number(number) => *number,
            Rrtype::Name(name) => match name.parse::<u16>() {
                Ok(number) => number,
                Err(_) if name.bytes().any(|byte| byte.is_ascii_lowercase()) => {
                    return Cow::Owned(name.to_ascii_uppercase());
                }
                Err(_) => return Cow::Borrowed(name),
            },
        };
        mnemonic(number).map_or_else(|| Cow::Owned(format!("TYPE{number}")), Cow::Borrowed)
    }
}

/// Mnemonics of the types in use (IANA DNS parameters, resource record types).
const fn mnemonic(number: u16) -> Option<&'static str> {
    Some(match number {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        29 => "LOC",
        33 => "SRV",
        35 => "NAPTR",
        39 => "DNAME",
        43 => "DS",
        44 => "SSHFP",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        50 => "NSEC3",
        51 => "NSEC3PARAM",
        52 => "TLSA",
        59 => "CDS",
        60 => "CDNSKEY",
        64 => "SVCB",
        65 => "HTTPS",
        99 => "SPF",
        256 => "URI",
        257 => "CAA",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Array, RecordBatch};
    use proptest::prelude::*;

    use super::*;
    use crate::Skip;

    #[derive(Default)]
    struct Batches(Vec<RecordBatch>);

    impl Sink for Batches {
        fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            self.0.push(batch);
            Ok(())
        }
    }

    fn decode(text: &[u8]) -> Result<(FileReport, Vec<RecordBatch>), ImportError> {
        let (mut input, mut sink) = (text, Batches::default());
        read(&mut input, Path::new("file"), &mut sink, &mut |_| ()).map(|report| (report, sink.0))
    }

    fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
        let column = batch.column_by_name(column).unwrap().as_string::<i32>();
        column.iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn objects_become_rows_one_a_value() {
        let text = concat!(
            r#"{"rrname":"WWW.Example.org.","rrtype":"a","rdata":["192.0.2.1","192.0.2.2"],"time_first":1,"time_last":2,"count":3,"sensor_id":"s","other":{"x":[1]}}"#,
            "\r\n\n",
            r#"{"rrname":".","rrtype":65280,"rdata":"\\# 0","time_first":1,"time_last":9,"time_last_ms":2001,"zone_time_first":5,"bailiwick":"."}"#,
            "\n",
            r#"{"rrname":"x","rrtype":"28","rdata":"2001:db8::1","time_first":-1,"time_last":2}"#
        );
        let (report, batches) = decode(text.as_bytes()).unwrap();
        assert_eq!((report.messages, report.rows, report.skipped.len()), (3, 4, 0));
        let batch = &batches[0];
        let wanted = |texts: [&str; 4]| texts.map(|text| Some(text.to_owned())).to_vec();
        assert_eq!(texts(batch, "rrname"), wanted(["www.example.org", "www.example.org", ".", "x"]));
        assert_eq!(texts(batch, "rrtype"), wanted(["A", "A", "TYPE65280", "AAAA"]));
        assert_eq!(texts(batch, "rdata"), wanted(["192.0.2.1", "192.0.2.2", "\\# 0", "2001:db8::1"]));
        let last = batch.column_by_name("time_last").unwrap().as_primitive::<Int64Type>();
        assert_eq!(last.values(), &[2_000_000, 2_000_000, 2_001_000, 2_000_000]);
        let addresses = batch.column_by_name("address").unwrap().as_fixed_size_binary();
        assert_eq!(addresses.value(1), address("192.0.2.2".parse().unwrap()));
        assert!(addresses.is_null(2) && addresses.is_valid(3));
    }

    #[test]
    fn what_gives_no_row_is_counted_and_a_file_of_nothing_else_is_damaged() {
        let good = r#"{"rrname":"x","rrtype":"NS","rdata":"y","time_first":1,"time_last":2}"#;
        let text = format!(
            "{good}\n{{\"rrname\":\"x\"}}\nnonsense\n{}\n{}\n",
            good.replace("time_last", "time_lost"),
            good.replace(":2}", ":9223372036854775807}")
        );
        let (report, _) = decode(text.as_bytes()).unwrap();
        assert_eq!((report.messages, report.rows), (5, 1));
        assert_eq!(report.skipped[&Skip::Incomplete("rrtype".to_owned())], 1);
        assert_eq!(report.skipped[&Skip::Incomplete("time_last".to_owned())], 1);
        assert_eq!(report.skipped[&Skip::Malformed("a time is out of range".to_owned())], 1);
        assert_eq!(report.skipped.len(), 4);
        let error = decode(b"\nnonsense\n").unwrap_err();
        assert!(matches!(error, ImportError::Damaged { offset: 1, .. }), "{error}");
        assert!(looks_like(good.as_bytes()) && !looks_like(b"{}") && !looks_like(b"rrname rrtype"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn damaged_objects_never_panic(place in 0_usize..80, byte in any::<u8>()) {
            let mut text = br#"{"rrname":"x.","rrtype":1,"rdata":["192.0.2.1"],"time_first":1,"time_last":2,"count":3}"#.to_vec();
            text[place] = byte;
            let _ = decode(&text);
        }
    }
}
