//! Where a message begins and ends, and where its sets do. NetFlow v9 has no length, so a message ends where its sets
//! do. What a header counts is no limit: exporters count flows, records or sets, and some count wrong.

use super::begins::begins;
use super::fault::{Fault, MESSAGE_BYTES_MAX};
use super::raw::u16_at;
use super::template::Kind;
use super::v5;
use crate::sflow;

pub(super) const V9_HEADER_BYTES: usize = 20;
pub(super) const IPFIX_HEADER_BYTES: usize = 16;

/// The sets of a checked message: id, body.
pub(super) struct Sets<'a> {
    /// The message behind its header, or what is left of it.
    pub(super) rest: &'a [u8],
}

impl<'a> Iterator for Sets<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = Some(self.rest).filter(|rest| rest.len() >= 4)?;
        let (id, len) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
        let body = rest.get(4..len)?;
        self.rest = &rest[len..];
        Some((id, body))
    }
}

/// The length of the message at the start of `bytes`, checked with its sets.
///
/// # Errors
/// What is wrong with it. Bytes after the message are not looked at, except that a v9 message ends before zero bytes, the
/// header of another message or the end, and that one of v5 or sFlow whose count is wrong does so too.
pub fn check(bytes: &[u8]) -> Result<usize, Fault> {
    if bytes.len() < 2 {
        return Err(Fault::new(0, "a message of one byte"));
    }
    if sflow::is_sflow(bytes) {
        return sflow::length(bytes);
    }
    match u16_at(bytes, 0) {
        5 => v5::length(bytes),
        9 => v9_length(bytes),
        10 => ipfix_length(bytes),
        version => Err(Fault::new(0, format!("the version is {version}, known are 5, 9 and 10"))),
    }
}

/// The lengths of the messages of a datagram, checked to its end; zero bytes may follow.
pub(crate) fn messages(bytes: &[u8]) -> Result<Vec<usize>, Fault> {
    let mut lengths = Vec::with_capacity(1);
    let mut at = 0;
    while lengths.is_empty() || bytes[at..].iter().any(|byte| *byte != 0) {
        let rest = &bytes[at..];
        let length = check(rest).map_err(|fault| Fault { offset: at + fault.offset, ..fault })?;
        lengths.push(length);
        at += length;
    }
    Ok(lengths)
}

fn v9_length(bytes: &[u8]) -> Result<usize, Fault> {
    if bytes.len() < V9_HEADER_BYTES {
        return Err(Fault::new(0, format!("the message has {} bytes, its header alone takes 20", bytes.len())));
    }
    let mut at = V9_HEADER_BYTES;
    while let Some(len) = set_length(bytes, at, false)? {
        at += len;
        if at > MESSAGE_BYTES_MAX {
            return Err(Fault::new(at - len, "the message is longer than 65535 bytes"));
        }
    }
    Ok(at)
}

fn ipfix_length(bytes: &[u8]) -> Result<usize, Fault> {
    if bytes.len() < IPFIX_HEADER_BYTES {
        return Err(Fault::new(0, format!("the message has {} bytes, its header alone takes 16", bytes.len())));
    }
    let length = usize::from(u16_at(bytes, 2));
    if length < IPFIX_HEADER_BYTES || length > bytes.len() {
        return Err(Fault::new(2, format!("the message says {length} bytes, {} are left", bytes.len())));
    }
    let mut at = IPFIX_HEADER_BYTES;
    while let Some(len) = set_length(&bytes[..length], at, true)? {
        at += len;
    }
    Ok(length)
}

/// The length of the set at `at`; none where the sets end.
fn set_length(bytes: &[u8], at: usize, ipfix: bool) -> Result<Option<usize>, Fault> {
    let rest = &bytes[at..];
    if rest.len() < 4 {
        let end = rest.iter().all(|byte| *byte == 0);
        return if end { Ok(None) } else { Err(Fault::new(at, "bytes after the last set")) };
    }
    let (id, len) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
    if id == 0 && len == 0 || !ipfix && begins(rest) {
        return Ok(None);
    }
    if len < 4 || len > rest.len() {
        return Err(Fault::new(at, format!("set {id} says {len} bytes, {} are left", rest.len())));
    }
    if id < 256 && template_kind(id, ipfix).is_none() {
        return Err(Fault::new(at, format!("the set id {id} is reserved")));
    }
    Ok(Some(len))
}

/// Whether a set of this id lists templates, and which.
pub(super) fn template_kind(id: u16, ipfix: bool) -> Option<Kind> {
    match (id, ipfix) {
        (0, false) | (2, true) => Some(Kind { ipfix, options: false }),
        (1, false) | (3, true) => Some(Kind { ipfix, options: true }),
        _ => None,
    }
}
