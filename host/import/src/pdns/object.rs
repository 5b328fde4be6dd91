//! One object of passive DNS and its rows.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Deserialize;

use super::rrtype::mnemonic;
use crate::ImportError;
use crate::columns::{Sink, address};
use crate::rows::{PdnsBuilder, PdnsRow};
use crate::tally::{Tally, Why};

/// Bytes that a name may have: 255 of DNS (RFC 1035 §2.3.4), each escaped as four.
pub const NAME_BYTES_MAX: usize = 4 * 255;

/// Bytes that a sensor or an origin, which every row repeats, may have: a URI of the usual longest.
pub const LABEL_BYTES_MAX: usize = 2048;

/// Values of an object: a message of 65,535 bytes holds no more records of 12 bytes or more (RFC 1035 §4.1.3).
pub const VALUES_MAX: usize = 5461;

/// One object. Keys that `pdns/1` has no column for are passed over.
#[derive(Debug, Deserialize)]
pub(super) struct Object<'a> {
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
    /// Where the object is framed: how far the answer is.
    #[serde(borrow)]
    pub(super) cond: Option<Cow<'a, str>>,
    /// The object that is framed.
    pub(super) obj: Option<Box<Self>>,
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

/// Adds a row for each value of an object, or counts what it lacks.
pub(super) fn push_object(
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

/// Members with the type they must have, in words.
const TYPES: [(&str, &str); 11] = [
    ("time_first", "`time_first` is not a whole number of seconds since 1970"),
    ("time_last", "`time_last` is not a whole number of seconds since 1970"),
    ("zone_time_first", "`zone_time_first` is not a whole number of seconds since 1970"),
    ("zone_time_last", "`zone_time_last` is not a whole number of seconds since 1970"),
    ("time_first_ms", "`time_first_ms` is not a whole number of milliseconds since 1970"),
    ("time_last_ms", "`time_last_ms` is not a whole number of milliseconds since 1970"),
    ("count", "`count` is not a whole number"),
    ("rrname", "`rrname` is not text"),
    ("rrtype", "`rrtype` is neither text nor the number of a type"),
    ("rdata", "`rdata` is neither text nor a list of texts"),
    ("bailiwick", "`bailiwick` is not text"),
];

/// Why a line is not such an object, with the member that is to blame where one is.
pub(super) fn blame(line: &[u8]) -> &'static str {
    const NO_OBJECT: &str = "a line is not an object of the Common Output Format";
    let Ok(serde_json::Value::Object(mut object)) = serde_json::from_slice(line) else { return NO_OBJECT };
    if let Some(serde_json::Value::Object(framed)) = object.remove("obj") {
        object = framed;
    }
    let fits = |member: &str| {
        let one = serde_json::Map::from_iter([(member.to_owned(), object.get(member)?.clone())]);
        Some(serde_json::from_str::<Object<'_>>(&serde_json::Value::Object(one).to_string()).is_ok())
    };
    TYPES.iter().find(|(member, _)| fits(member) == Some(false)).map_or(NO_OBJECT, |(_, reason)| *reason)
}
