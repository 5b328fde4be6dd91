//! Classic pcap: a file header of 24 bytes, then packets behind headers of 16 bytes. Both byte orders; times in micro-
//! or nanoseconds. The four bytes of the magic number have been read when this begins.

use super::capture::{CAPTURED_BYTES_MAX, Capture, Packets, Record};
use crate::ImportError;
use crate::packet::Link;

/// Bytes of the file header behind the magic number.
const FILE_HEADER_BYTES: usize = 20;
/// Bytes of the header in front of a packet.
const PACKET_HEADER_BYTES: usize = 16;

/// Byte order and unit of time, as the magic number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    big: bool,
    nanoseconds: bool,
}

impl Order {
    /// What the first four bytes say, if they are a capture's.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let magic = head.get(..4)?;
        match magic {
            [0xd4, 0xc3, 0xb2, 0xa1] => Some(Self { big: false, nanoseconds: false }),
            [0xa1, 0xb2, 0xc3, 0xd4] => Some(Self { big: true, nanoseconds: false }),
            [0x4d, 0x3c, 0xb2, 0xa1] => Some(Self { big: false, nanoseconds: true }),
            [0xa1, 0xb2, 0x3c, 0x4d] => Some(Self { big: true, nanoseconds: true }),
            _ => None,
        }
    }

    const fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

/// The header in front of a packet.
struct Header {
    time: i64,
    captured: usize,
    wire_bytes: u64,
}

impl Header {
    #[inline]
    fn read(order: Order, bytes: &[u8; PACKET_HEADER_BYTES]) -> Self {
        let field = |at: usize| order.u32(std::array::from_fn(|n| bytes[at + n]));
        let fraction = i64::from(field(4)) / if order.nanoseconds { 1000 } else { 1 };
        Self {
            time: i64::from(field(0)) * 1_000_000 + fraction,
            captured: field(8) as usize,
            wire_bytes: u64::from(field(12)),
        }
    }
}

/// Reads the capture to its end.
pub(super) fn read<P: Packets>(capture: &mut Capture<'_, P>, order: Order) -> Result<&'static str, ImportError> {
    let format = if order.nanoseconds { "pcap, nanoseconds" } else { "pcap" };
    if !capture.exactly(FILE_HEADER_BYTES)? {
        return Err(capture.damaged(4, "the file header is cut off"));
    }
    let field = |at: usize| order.u32(std::array::from_fn(|n| capture.scratch[at + n]));
    // The upper half of the link type holds flags, the lower one the type.
    let link = Link::of(field(16) & 0xffff);
    loop {
        buffered(capture, order, link)?;
        capture.tell();
        if !straddling(capture, order, link)? {
            return Ok(format);
        }
    }
}

/// Counts the packets that lie in the buffer as a whole.
fn buffered<P: Packets>(capture: &mut Capture<'_, P>, order: Order, link: Link) -> Result<(), ImportError> {
    let bytes = capture.stored.fill()?;
    let mut at = 0;
    while let Some((header, rest)) = bytes[at..].split_first_chunk() {
        let header = Header::read(order, header);
        let Some(data) = rest.get(..header.captured) else { break };
        if header.captured > CAPTURED_BYTES_MAX {
            break;
        }
        capture.out.packet(Record { time: header.time, link, wire_bytes: header.wire_bytes }, data)?;
        at += PACKET_HEADER_BYTES + header.captured;
    }
    capture.stored.consume(at);
    Ok(())
}

/// Counts one packet by copying it; false at the end of the file.
fn straddling<P: Packets>(capture: &mut Capture<'_, P>, order: Order, link: Link) -> Result<bool, ImportError> {
    let offset = capture.stored.offset();
    if !capture.exactly(PACKET_HEADER_BYTES)? {
        if !capture.scratch.is_empty() {
            capture.cut();
        }
        return Ok(false);
    }
    let header = Header::read(order, &std::array::from_fn(|at| capture.scratch[at]));
    if header.captured > CAPTURED_BYTES_MAX {
        let reason = format!("a packet of {} captured bytes, more than {CAPTURED_BYTES_MAX}", header.captured);
        return Err(capture.damaged(offset, reason));
    }
    if !capture.exactly(header.captured)? {
        capture.cut();
        return Ok(false);
    }
    let record = Record { time: header.time, link, wire_bytes: header.wire_bytes };
    capture.out.packet(record, &capture.scratch)?;
    Ok(true)
}
