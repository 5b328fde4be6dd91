//! NetFlow v5: a header of 24 bytes and 1 to 30 records of 48 bytes (Cisco, NetFlow Export Datagram Format).

use super::begins::begins;
use super::fault::{Fault, MESSAGE_BYTES_MAX};
use super::ports::is_icmp;
use super::raw::{mapped, u16_at, u32_at};
use super::record::{Neighbours, finish};
use super::scope::{Clock, Scope};
use super::tally::Reason;
use crate::columns::FlowRow;

const HEADER_BYTES: usize = 24;
const RECORD_BYTES: usize = 48;
/// Records that fit into a datagram, whatever the format allows.
const RECORDS_MAX: usize = (MESSAGE_BYTES_MAX - HEADER_BYTES) / RECORD_BYTES;

/// The length of the message at the start of `bytes`: as many records as its header counts or, where behind these no
/// message can begin, as there are up to the next message or the end.
pub(super) fn length(bytes: &[u8]) -> Result<usize, Fault> {
    if bytes.len() < HEADER_BYTES {
        return Err(Fault::new(0, format!("the message has {} bytes, its header alone takes 24", bytes.len())));
    }
    let count = usize::from(u16_at(bytes, 2));
    let length = |records: usize| HEADER_BYTES + records * RECORD_BYTES;
    let ends = |records: &usize| {
        let behind = bytes.get(length(*records)..);
        behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(&[0, 0]) || begins(behind) || behind == [0])
    };
    let whole = ((bytes.len() - HEADER_BYTES) / RECORD_BYTES).min(RECORDS_MAX);
    // A count that is too small first: the records behind it would be read as a message.
    let found = (count..=whole).chain(1..count.min(whole + 1)).find(ends);
    match found.or((1..=whole).contains(&count).then_some(count)) {
        Some(records) => Ok(length(records)),
        None if count == 0 => Err(Fault::new(2, "a netflow v5 message of 0 records".to_owned())),
        None => Err(Fault::new(
            2,
            format!("the message of {count} records takes {} bytes, {} are left", length(count), bytes.len()),
        )),
    }
}

/// Whether the header of a checked message counts other records than there are.
pub(super) fn miscounts(message: &[u8]) -> bool {
    usize::from(u16_at(message, 2)) != (message.len() - HEADER_BYTES) / RECORD_BYTES
}

/// The rows of a checked message.
pub(super) fn rows<'a>(
    message: &'a [u8],
    scope: Scope<'a>,
    received_us: Option<i64>,
) -> impl Iterator<Item = Result<FlowRow, Reason>> + use<'a> {
    let clock = Clock::new(u32_at(message, 8), u32_at(message, 12), received_us).with_uptime(u32_at(message, 4));
    // The two bits above are the sampling mode; a rate of 0 or 1 is none.
    let sampling = Some(u64::from(u16_at(message, 22) & 0x3fff)).filter(|rate| *rate > 1);
    message[HEADER_BYTES..].chunks_exact(RECORD_BYTES).map(move |record| row(record, clock, sampling, &scope))
}

fn row(record: &[u8], clock: Clock, sampling: Option<u64>, scope: &Scope<'_>) -> Result<FlowRow, Reason> {
    let (proto, dst_port) = (record[38], u16_at(record, 34));
    let row = FlowRow {
        start: clock.at_uptime(u64::from(u32_at(record, 24)), None).ok_or(Reason::NoTimes)?,
        end: clock.at_uptime(u64::from(u32_at(record, 28)), None).ok_or(Reason::NoTimes)?,
        src: mapped(u64::from(u32_at(record, 0))),
        dst: mapped(u64::from(u32_at(record, 4))),
        proto,
        src_port: Some(u16_at(record, 32)),
        dst_port: Some(dst_port),
        packets: u64::from(u32_at(record, 16)),
        bytes: u64::from(u32_at(record, 20)),
        tcp_flags: Some(u16::from(record[37])),
        ingress_if: Some(u32::from(u16_at(record, 12))),
        egress_if: Some(u32::from(u16_at(record, 14))),
        src_as: Some(u32::from(u16_at(record, 40))),
        dst_as: Some(u32::from(u16_at(record, 42))),
        // The format has no other place for ICMP type and code than the destination port.
        icmp_type: is_icmp(proto).then_some(dst_port),
        tos: Some(record[39]),
        sampling,
        exporter: scope.exporter,
        ..FlowRow::default()
    };
    if row.packets == 0 {
        return Err(if row.bytes == 0 { Reason::NoTraffic } else { Reason::NoPackets });
    }
    finish(row, Neighbours::default(), scope.options)
}
