//! TABLE_DUMP_V2 records (RFC 6396 §4.3, RFC 8050 §4): an index of peers, then the routes of one prefix each.

use super::decoder::{Decoder, Record, Stop};
use super::peers::Peers;
use crate::bgp::Encoding;
use crate::bgp::cursor::{AsWidth, Cursor, Family, Malformed};
use crate::bgp::nlri::{Prefix, read_prefix};
use crate::columns::Sink;
use crate::rows::{RouteKind, RouteRow};
use crate::tally::Why;

/// Paths of a table dump have numbers of four bytes (RFC 6396 §4.3.4).
const ENCODING: Encoding = Encoding { as_width: AsWidth::Four, table_dump: true };

impl Decoder<'_> {
    /// Decodes one record.
    pub(super) fn table_dump_v2(&mut self, subtype: u16, record: Record<'_>, sink: &mut dyn Sink) -> Result<(), Stop> {
        let (family, add_path) = match subtype {
            1 => {
                // Routes must not refer to the peers of a former index when this one cannot be read.
                self.peers = None;
                self.peers = Some(Peers::read(record.body)?);
                return Ok(());
            }
            2 => (Family::V4, false),
            4 => (Family::V6, false),
            8 => (Family::V4, true),
            10 => (Family::V6, true),
            6 | 12 => return self.generic(record, subtype == 12, sink),
            _ => {
                self.tally.skip(Why::NotApplicable(other_name(subtype)));
                return Ok(());
            }
        };
        let mut body = record.body;
        body.u32()?;
        let prefix = read_prefix(&mut body, family, false)?;
        self.entries(Record { body, ..record }, prefix, add_path, sink)
    }

    /// RIB_GENERIC: the family is in the record.
    fn generic(&mut self, record: Record<'_>, add_path: bool, sink: &mut dyn Sink) -> Result<(), Stop> {
        let mut body = record.body;
        body.u32()?;
        let (afi, safi) = (body.u16()?, body.u8()?);
        let Some(family) = Family::of(afi).filter(|_| safi == 1) else {
            self.tally.skip(Why::NotApplicable("a table entry of another address family"));
            return Ok(());
        };
        let prefix = read_prefix(&mut body, family, false)?;
        self.entries(Record { body, ..record }, prefix, add_path, sink)
    }

    /// The routes of one prefix. A route whose attributes are malformed is counted, the next one still read; of a record
    /// whose entries do not fit it, none is.
    fn entries(&mut self, record: Record<'_>, prefix: Prefix, add_path: bool, sink: &mut dyn Sink) -> Result<(), Stop> {
        let Some(Peers { collector, peers }) = &self.peers else {
            return Err(Malformed("a table entry comes before the index of its peers").into());
        };
        let collector = collector.as_deref().or(self.collector);
        let mut body = record.body;
        let add_path = has_path_ids(body, add_path)?;
        for _ in 0..body.u16()? {
            let entry = read_entry(&mut body, add_path)?;
            let peer = peers.get(entry.peer).ok_or(Malformed("a table entry names a peer that the index lacks"));
            let found = peer.and_then(|peer| Ok((peer, self.attributes.read(entry.block, ENCODING)?)));
            let (peer, found) = match found {
                Ok(found) => found,
                Err(Malformed(reason)) => {
                    self.tally.malformed(record.offset, reason);
                    continue;
                }
            };
            let next_hop = found.reach.and_then(|reach| reach.next_hop).or(self.attributes.next_hop);
            self.tally.rows += 1;
            let row = RouteRow {
                time: record.time,
                kind: RouteKind::Rib,
                peer: &peer.address,
                peer_as: peer.asn,
                prefix: Prefix { path_id: entry.path_id, ..prefix },
                next_hop: next_hop.as_ref(),
                attributes: Some(&self.attributes),
                collector,
            };
            self.builder.push(&row, sink)?;
        }
        Ok(())
    }
}

/// Whether the entries of a record carry path identifiers. The record's type says it, and is believed unless the entries do
/// not fill the record and would with, or without, them.
fn has_path_ids(body: Cursor<'_>, said: bool) -> Result<bool, Malformed> {
    let Err(malformed) = fill(body, said) else { return Ok(said) };
    fill(body, !said).map(|()| !said).map_err(|_| malformed)
}

/// Reads the entries of a record to its end.
fn fill(mut body: Cursor<'_>, add_path: bool) -> Result<(), Malformed> {
    for _ in 0..body.u16()? {
        read_entry(&mut body, add_path)?;
    }
    if body.is_empty() { Ok(()) } else { Err(Malformed("bytes follow the last entry of a table record")) }
}

/// One route of a prefix, attributes not decoded.
struct Entry<'a> {
    peer: usize,
    path_id: Option<u32>,
    block: &'a [u8],
}

fn read_entry<'a>(body: &mut Cursor<'a>, add_path: bool) -> Result<Entry<'a>, Malformed> {
    let peer = usize::from(body.u16()?);
    body.u32()?;
    let path_id = if add_path { Some(body.u32()?) } else { None };
    let len = usize::from(body.u16()?);
    Ok(Entry { peer, path_id, block: body.take(len, "the path attributes are longer than the table entry")? })
}

/// Records of a table dump that hold no unicast routes.
const fn other_name(subtype: u16) -> &'static str {
    match subtype {
        3 | 5 | 9 | 11 => "multicast routes",
        7 => "places of peers",
        _ => "a table record of unknown subtype",
    }
}
