//! A validated ROA payload, however it is written, and its row.

use super::options::Options;
use super::prefixes::parse_prefix;
use super::stop::Stop;
use crate::columns::Sink;
use crate::rows::{AsinfoBuilder, AsinfoRow};
use crate::tally::Why;

/// One payload, values as text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payload<'a> {
    pub(super) asn: u32,
    pub(super) prefix: &'a str,
    pub(super) max_len: Option<u8>,
    pub(super) trust_anchor: Option<&'a str>,
    /// Microseconds since the epoch.
    pub(super) valid_from: Option<i64>,
    /// Microseconds since the epoch.
    pub(super) valid_to: Option<i64>,
}

/// Rows on their way.
pub(super) struct Rows<'a> {
    pub(super) options: &'a Options,
    pub(super) builder: AsinfoBuilder,
    pub(super) sink: &'a mut dyn Sink,
}

impl Rows<'_> {
    /// Adds a payload.
    pub(super) fn push(&mut self, payload: &Payload<'_>) -> Result<(), Stop> {
        let prefix = parse_prefix(payload.prefix).map_err(Why::from)?;
        if payload.max_len.is_some_and(|max| max < prefix.len || max > prefix.bits) {
            return Err(Why::Malformed("a maximum length does not fit its prefix").into());
        }
        let row = AsinfoRow {
            prefix: prefix.address,
            prefix_len: u64::from(prefix.len),
            asn: u64::from(payload.asn),
            max_len: payload.max_len.map(u64::from),
            kind: Some("roa"),
            registry: payload.trust_anchor.or(self.options.registry.as_deref()),
            valid_from: payload.valid_from.or(self.options.valid_from),
            valid_to: payload.valid_to,
            ..AsinfoRow::default()
        };
        Ok(self.builder.push(&row, self.sink)?)
    }
}
