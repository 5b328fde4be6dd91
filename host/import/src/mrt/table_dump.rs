//! TABLE_DUMP records (RFC 6396 §4.2): one route of a table each, AS numbers of two bytes.

use super::decoder::{Decoder, Record, Stop};
use crate::bgp::Encoding;
use crate::bgp::cursor::{AsWidth, Family};
use crate::bgp::nlri::Prefix;
use crate::columns::Sink;
use crate::rows::{RouteKind, RouteRow};
use crate::tally::Why;

impl Decoder<'_> {
    /// Decodes one record; the subtype is the address family.
    pub(super) fn table_dump(&mut self, subtype: u16, record: Record<'_>, sink: &mut dyn Sink) -> Result<(), Stop> {
        let Some(family) = Family::of(subtype) else {
            self.tally.skip(Why::NotApplicable("a table entry of another address family"));
            return Ok(());
        };
        let mut body = record.body;
        body.take(4, "a table entry is cut short")?;
        let prefix = masked(body.address(family)?, body.u8()?, family)?;
        body.take(5, "a table entry is cut short")?;
        let (peer, peer_as) = (body.address(family)?, body.asn(AsWidth::Two)?);
        let len = usize::from(body.u16()?);
        let block = body.take(len, "the path attributes are longer than the table entry")?;
        let found = self.attributes.read(block, Encoding { as_width: AsWidth::Two, table_dump: true })?;
        let next_hop = found.reach.and_then(|reach| reach.next_hop).or(self.attributes.next_hop);
        self.tally.rows += 1;
        let row = RouteRow {
            time: record.time,
            kind: RouteKind::Rib,
            peer: &peer,
            peer_as,
            prefix,
            next_hop: next_hop.as_ref(),
            attributes: Some(&self.attributes),
            collector: self.collector,
        };
        Ok(self.builder.push(&row, sink)?)
    }
}

/// A prefix of a whole address and a length, bits past the length dropped.
fn masked(address: [u8; 16], len: u8, family: Family) -> Result<Prefix, Stop> {
    let (bits, skipped) = match family {
        Family::V4 => (32, 96),
        Family::V6 => (128, 0),
    };
    if len > bits {
        return Err(crate::bgp::cursor::Malformed("a prefix is longer than an address").into());
    }
    let mask = u128::MAX.checked_shl(128 - skipped - u32::from(len)).unwrap_or(0);
    Ok(Prefix { address: (u128::from_be_bytes(address) & mask).to_be_bytes(), len, path_id: None })
}
