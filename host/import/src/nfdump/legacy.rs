//! Flow records of nfdump's layout 1 (record types 1 and 10): a fixed head, then what an extension map announced
//! before, in its order, without lengths of its own.

use std::collections::HashMap;

use super::bytes::{mapped, set_transport, u16_at, u32_at, u64_at, v6_at};
use super::extensions::{Bearing, extension, length};
use super::flow::{Flow, micros};
use crate::columns::FlowRow;
use crate::packet::proto;
use crate::tally::{Tally, Why};

/// Extensions that one map may name: there are 48, each at most once.
const EXTENSIONS_MAX: usize = 64;

const FLAG_IPV6: u16 = 1;
const FLAG_PACKETS_64: u16 = 2;
const FLAG_BYTES_64: u16 = 4;
const FLAG_EVENT: u16 = 64;

/// Where a map puts an extension that has columns: its number and its place behind the counters.
type Place = (u16, usize);

/// What a map announces.
struct Map {
    places: Box<[Place]>,
    /// What it names that is not known. How long that is is not known either, so that what stands behind it in a record
    /// cannot be found.
    unread: Option<&'static str>,
}

/// The extension maps of a file, by their number of 16 bits: at most 65,536 with the few places of each.
#[derive(Default)]
pub(super) struct Maps(HashMap<u16, Map>);

impl Maps {
    /// Remembers a map: number (2), length of the extensions (2), their numbers up to a zero.
    pub(super) fn learn(&mut self, record: &[u8]) -> Result<(), String> {
        let number = u16_at(record, 4).ok_or("an extension map without a number")?;
        let (mut places, mut unread) = (Vec::new(), None);
        let mut at = 0;
        for index in 0.. {
            let id = u16_at(record, 8 + 2 * index).unwrap_or(0);
            if id == 0 {
                break;
            }
            if index >= EXTENSIONS_MAX {
                return Err(format!("extension map {number} names more than {EXTENSIONS_MAX} extensions"));
            }
            match (extension(id), length(id)) {
                (Bearing::Unread(what), _) => unread = Some(what),
                (Bearing::Read, Some(_)) if unread.is_none() => places.push((id, at)),
                _ => {}
            }
            at += length(id).unwrap_or(0);
        }
        self.0.insert(number, Map { places: places.into(), unread });
        Ok(())
    }

    /// Decodes a flow record; gives nfdump's number of its exporter too. `large` is type 10.
    pub(super) fn flow(&self, record: &[u8], large: bool, tally: &mut Tally) -> Result<(Flow, u16), Why> {
        let number = u16_at(record, 6).ok_or(CUT)?;
        let map = self.0.get(&number).ok_or(Why::Malformed("flow record whose extension map is missing"))?;
        let flags = if large { u16_at(record, 4) } else { record.get(4).copied().map(u16::from) }.ok_or(CUT)?;
        let (mut flow, exporter) = decode(record, flags, large, &map.places).ok_or(CUT)?;
        flow.is_event = flags & FLAG_EVENT != 0;
        if let Some(what) = map.unread {
            tally.skip(Why::NotUnderstood(what));
        }
        Ok((flow, exporter))
    }
}

const CUT: Why = Why::Malformed("flow record shorter than its extension map says");

fn decode(record: &[u8], flags: u16, large: bool, places: &[Place]) -> Option<(Flow, u16)> {
    let mut row = FlowRow {
        start: time(u32_at(record, 12)?, u16_at(record, 8)?),
        end: time(u32_at(record, 16)?, u16_at(record, 10)?),
        proto: *record.get(22)?,
        tos: Some(*record.get(23)?),
        ..FlowRow::default()
    };
    set_transport(&mut row, u16_at(record, 24)?, u16_at(record, 26)?, *record.get(21)?);
    let exporter = if large { u16_at(record, 28)? } else { u16::from(*record.get(5)?) };
    let mut at = if large { 32 } else { 28 };
    if flags & FLAG_IPV6 != 0 {
        (row.src, row.dst) = (v6_at(record, at)?, v6_at(record, at + 16)?);
        at += 32;
    } else {
        (row.src, row.dst) = (mapped(u32_at(record, at)?), mapped(u32_at(record, at + 4)?));
        at += 8;
    }
    let mut counter = |wide: bool| {
        let value = if wide { u64_at(record, at)? } else { u64::from(u32_at(record, at)?) };
        at += if wide { 8 } else { 4 };
        Some(value)
    };
    row.packets = counter(flags & FLAG_PACKETS_64 != 0)?;
    row.bytes = counter(flags & FLAG_BYTES_64 != 0)?;
    let mut flow = Flow { row, ..Flow::default() };
    for &(extension, place) in places {
        extend(&mut flow, extension, record.get(at + place..)?)?;
    }
    Some((flow, exporter))
}

/// Reads an extension that has columns.
fn extend(flow: &mut Flow, extension: u16, body: &[u8]) -> Option<()> {
    let row = &mut flow.row;
    let narrow = |at| u16_at(body, at).map(u32::from);
    let wide = |at| u32_at(body, at);
    match extension {
        4 => (row.ingress_if, row.egress_if) = (Some(narrow(0)?), Some(narrow(2)?)),
        5 => (row.ingress_if, row.egress_if) = (Some(wide(0)?), Some(wide(4)?)),
        6 => (row.src_as, row.dst_as) = (Some(narrow(0)?), Some(narrow(2)?)),
        7 => (row.src_as, row.dst_as) = (Some(wide(0)?), Some(wide(4)?)),
        14 => flow.back.0 = u64::from(wide(0)?),
        15 => flow.back.0 = u64_at(body, 0)?,
        16 => flow.back.1 = u64::from(wide(0)?),
        17 => flow.back.1 = u64_at(body, 0)?,
        23 => row.exporter = Some(mapped(wide(0)?)),
        24 => row.exporter = Some(v6_at(body, 0)?),
        26 => (row.egress_as, row.ingress_as) = (Some(wide(0)?), wide(4)?),
        27 => flow.received = micros(u64_at(body, 0)?).unwrap_or(0),
        37 => {
            flow.event = micros(u64_at(body, 0)?).unwrap_or(0);
            // Code and type of an event stand beside the ports, which it may have left empty.
            let said = u16_at(body, 12)?;
            if matches!(row.proto, proto::ICMP | proto::ICMP6) && said != 0 {
                row.icmp_type = Some(said);
            }
        }
        _ => {}
    }
    Some(())
}

/// Seconds and milliseconds as µs.
fn time(seconds: u32, milliseconds: u16) -> i64 {
    if seconds == 0 { 0 } else { i64::from(seconds) * 1_000_000 + i64::from(milliseconds) * 1000 }
}
