//! Validated ROA payloads as JSON: `{"roas": [{"asn": "AS64500", "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "x",
//! "expires": 1}, …]}`. The file is one object of hundreds of thousands of payloads, so it is not read whole: the objects
//! of the array are found by their brackets, and decoded one at a time.

use std::borrow::Cow;
use std::path::Path;

use serde::Deserialize;

use super::asn::parse_asn;
use super::payload::{Payload, Rows};
use super::stop::Stop;
use crate::ImportError;
use crate::stored::Stored;
use crate::tally::{Tally, Why};

/// Bytes one payload may have.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a key that is remembered; only `roas` is looked for.
const KEY_BYTES_MAX: usize = 8;

#[derive(Debug, Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    asn: Option<Asn<'a>>,
    #[serde(borrow)]
    prefix: Option<Cow<'a, str>>,
    #[serde(rename = "maxLength")]
    max_len: Option<u8>,
    #[serde(borrow)]
    ta: Option<Cow<'a, str>>,
    expires: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Asn<'a> {
    Number(u32),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

/// Where the scan is.
#[derive(Debug, Default)]
struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
    /// The last string at the level of the outer object, cut off.
    key: Vec<u8>,
    in_roas: bool,
    /// Whether the array was found.
    found: bool,
    /// Values of the array that are not objects, and whether the scan is in one.
    others: u64,
    in_other: bool,
    capturing: bool,
    captured: Vec<u8>,
}

/// Reads the payloads of a file.
pub(super) fn read(
    stored: &mut Stored<'_>,
    path: &Path,
    rows: &mut Rows<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Tally, ImportError> {
    let (mut scan, mut tally) = (Scan::default(), Tally::default());
    loop {
        let offset = stored.offset();
        let damaged = |place: usize, reason: &str| ImportError::Damaged {
            path: path.to_path_buf(),
            offset: offset + place as u64,
            reason: reason.to_owned(),
        };
        let bytes = stored.fill()?;
        if bytes.is_empty() {
            progress(stored.bytes());
            if scan.others > 0 {
                tally.skip_many(Why::Malformed("a payload is not an object of the known form"), scan.others);
            }
            return match (scan.depth, scan.found) {
                (0, true) => Ok(tally),
                (0, false) => Err(damaged(0, "the object has no array `roas`")),
                _ => Err(damaged(0, "the file ends inside its object")),
            };
        }
        for (place, byte) in bytes.iter().enumerate() {
            if scan.take(*byte).map_err(|reason| damaged(place, reason))? {
                tally.messages += 1;
                match push(&scan.captured, rows) {
                    Ok(()) => tally.rows += 1,
                    Err(Stop::Skip(Why::Malformed(reason))) => tally.malformed(offset + place as u64, reason),
                    Err(Stop::Skip(why)) => tally.skip(why),
                    Err(Stop::Import(error)) => return Err(error),
                }
            }
        }
        let count = bytes.len();
        stored.consume(count);
        progress(stored.bytes());
    }
}

impl Scan {
    /// Takes a byte; tells whether a payload is complete with it.
    fn take(&mut self, byte: u8) -> Result<bool, &'static str> {
        if self.capturing {
            if self.captured.len() >= PAYLOAD_BYTES_MAX {
                return Err("a payload is longer than 16 KiB");
            }
            self.captured.push(byte);
        }
        if self.in_string {
            self.take_in_string(byte);
            return Ok(false);
        }
        let in_array = self.depth == 2 && self.in_roas;
        if in_array && !matches!(byte, b'{' | b',' | b']') && !byte.is_ascii_whitespace() {
            self.others += u64::from(!std::mem::replace(&mut self.in_other, true));
        } else if in_array && byte == b',' {
            self.in_other = false;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if self.depth == 1 {
                    self.key.clear();
                }
            }
            b'{' | b'[' => self.open(byte),
            b'}' | b']' => {
                self.depth = self.depth.checked_sub(1).ok_or("a bracket closes nothing")?;
                if self.depth == 1 {
                    self.in_roas = false;
                }
                return Ok(self.depth == 2 && std::mem::take(&mut self.capturing));
            }
            _ => {}
        }
        Ok(false)
    }

    fn take_in_string(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => {
                self.in_string = false;
                return;
            }
            _ => {}
        }
        if self.depth == 1 && self.key.len() < KEY_BYTES_MAX {
            self.key.push(byte);
        }
    }

    fn open(&mut self, byte: u8) {
        if self.depth == 1 {
            self.in_roas = byte == b'[' && self.key == b"roas";
            self.found |= self.in_roas;
            self.in_other = false;
        }
        if self.depth == 2 && self.in_roas && byte == b'{' {
            self.capturing = true;
            self.captured.clear();
            self.captured.push(byte);
        }
        self.depth += 1;
    }
}

/// Decodes a payload.
fn push(bytes: &[u8], rows: &mut Rows<'_>) -> Result<(), Stop> {
    let object: Object<'_> =
        serde_json::from_slice(bytes).map_err(|_| Why::Malformed("a payload is not an object of the known form"))?;
    let asn = match object.asn.ok_or(Why::Incomplete("asn"))? {
        Asn::Number(asn) => asn,
        Asn::Text(text) => parse_asn(&text)?,
    };
    let valid_to = match object.expires {
        Some(seconds) => Some(seconds.checked_mul(1_000_000).ok_or(Why::Malformed("a time is malformed"))?),
        None => None,
    };
    rows.push(&Payload {
        asn,
        prefix: object.prefix.as_deref().ok_or(Why::Incomplete("prefix"))?,
        max_len: object.max_len,
        trust_anchor: object.ta.as_deref(),
        valid_from: None,
        valid_to,
    })
}
