//! NetFlow v5: a header of 24 bytes and 1 to 30 records of 48 bytes (Cisco, NetFlow Export Datagram Format).

use super::fault::Fault;
use super::raw::{mapped, u16_at, u32_at};
use super::record::{Neighbours, finish};
use super::scope::{Clock, Scope};
use super::tally::Reason;
use crate::columns::FlowRow;

const HEADER_BYTES: usize = 24;
const RECORD_BYTES: usize = 48;
const RECORDS_MAX: u16 = 30;

/// The length of the message at the start of `bytes`.
pub(super) fn length(bytes: &[u8]) -> Result<usize, Fault> {
    if bytes.len() < HEADER_BYTES {
        return Err(Fault::new(0, format!("the message has {} bytes, its header alone takes 24", bytes.len())));
    }
    let count = u16_at(bytes, 2);
    if !(1..=RECORDS_MAX).contains(&count) {
        return Err(Fault::new(2, format!("a netflow v5 message of {count} records, allowed are 1 to 30")));
    }
    let length = HEADER_BYTES + usize::from(count) * RECORD_BYTES;
    if bytes.len() < length {
        return Err(Fault::new(
            0,
            format!("the message of {count} records takes {length} bytes, {} are left", bytes.len()),
        ));
    }
    Ok(length)
}

/// The rows of a checked message.
pub(super) fn rows<'a>(message: &'a [u8], scope: Scope<'a>) -> impl Iterator<Item = Result<FlowRow, Reason>> + use<'a> {
    let clock = Clock::uptime(u32_at(message, 8), u32_at(message, 12), u32_at(message, 4));
    // The two bits above are the sampling mode; a rate of 0 or 1 is none.
    let sampling = Some(u64::from(u16_at(message, 22) & 0x3fff)).filter(|rate| *rate > 1);
    message[HEADER_BYTES..].chunks_exact(RECORD_BYTES).map(move |record| row(record, clock, sampling, &scope))
}

fn row(record: &[u8], clock: Clock, sampling: Option<u64>, scope: &Scope<'_>) -> Result<FlowRow, Reason> {
    let row = FlowRow {
        start: clock.at_uptime(u64::from(u32_at(record, 24))).ok_or(Reason::NoTimes)?,
        end: clock.at_uptime(u64::from(u32_at(record, 28))).ok_or(Reason::NoTimes)?,
        src: mapped(u64::from(u32_at(record, 0))),
        dst: mapped(u64::from(u32_at(record, 4))),
        proto: record[38],
        src_port: Some(u16_at(record, 32)),
        dst_port: Some(u16_at(record, 34)),
        packets: u64::from(u32_at(record, 16)),
        bytes: u64::from(u32_at(record, 20)),
        tcp_flags: Some(u16::from(record[37])),
        ingress_if: Some(u32::from(u16_at(record, 12))),
        egress_if: Some(u32::from(u16_at(record, 14))),
        src_as: Some(u32::from(u16_at(record, 40))),
        dst_as: Some(u32::from(u16_at(record, 42))),
        tos: Some(record[39]),
        sampling,
        exporter: scope.exporter,
        ..FlowRow::default()
    };
    finish(row, Neighbours::default(), scope.options)
}
