//! pcapng: blocks in sections, packets that name their interface. Blocks that hold no packet and no interface are passed
//! over. The block type of the first section header has been read when this begins.

use super::capture::{CAPTURED_BYTES_MAX, Capture, Packets, Record};
use crate::ImportError;
use crate::packet::Link;
use crate::tally::Why;

/// Interfaces that one section may describe: with one entry of 32 bytes each, 128 KiB.
const INTERFACES_MAX: usize = 4_096;
/// Bytes of a block that is read as a whole: a packet and as much again for its options and padding.
const BLOCK_BYTES_MAX: usize = 2 * CAPTURED_BYTES_MAX;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Whether a file that begins so is pcapng.
pub(super) fn is_section(head: &[u8]) -> bool {
    head.starts_with(&SECTION.to_be_bytes())
}

/// What is known in a section.
#[derive(Default)]
struct Section {
    big: bool,
    interfaces: Vec<Interface>,
}

/// An interface of a section.
#[derive(Clone, Copy)]
struct Interface {
    link: Link,
    unit: Unit,
    /// Added to every time, µs.
    offset: i64,
}

/// Unit of an interface's times: seconds divided by a power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// 10^-n seconds.
    Decimal(u8),
    /// 2^-n seconds.
    Binary(u8),
}

impl Unit {
    /// A time in this unit as µs, when it is one.
    fn micros(self, value: u64) -> Option<i64> {
        let value = u128::from(value);
        let micros = match self {
            Self::Decimal(6) => value,
            Self::Decimal(n @ 0..6) => value.checked_mul(10u128.pow(u32::from(6 - n)))?,
            Self::Decimal(n) => 10u128.checked_pow(u32::from(n - 6)).map_or(0, |divisor| value / divisor),
            Self::Binary(n) => (value * 1_000_000) >> n.min(127),
        };
        i64::try_from(micros).ok()
    }
}

impl Section {
    fn u16(&self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// The number of eight bytes at `at`.
    fn u64(&self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
        Some(if self.big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// Two halves, the upper one first whatever the byte order.
    fn time(&self, bytes: &[u8], at: usize) -> Option<u64> {
        Some(u64::from(self.u32(bytes, at)?) << 32 | u64::from(self.u32(bytes, at + 4)?))
    }

    /// Reads the body of an interface description block.
    fn interface(&self, body: &[u8]) -> Option<Interface> {
        let link = Link::of(u32::from(self.u16(body, 0)?));
        let mut interface = Interface { link, unit: Unit::Decimal(6), offset: 0 };
        let mut at = 8;
        while let (Some(code), Some(length)) = (self.u16(body, at), self.u16(body, at + 2)) {
            match (code, length) {
                (0, _) => break,
                (9, 1) => {
                    let value = *body.get(at + 4)?;
                    interface.unit = if value & 0x80 == 0 { Unit::Decimal(value) } else { Unit::Binary(value & 0x7f) };
                }
                (14, 8) => {
                    let seconds = self.u64(body, at + 4)?.cast_signed();
                    interface.offset = seconds.saturating_mul(1_000_000);
                }
                _ => {}
            }
            at += 4 + usize::from(length).next_multiple_of(4);
        }
        Some(interface)
    }
}

/// Reads the capture to its end.
pub(super) fn read<P: Packets>(capture: &mut Capture<'_, P>) -> Result<&'static str, ImportError> {
    let mut section = Section::default();
    let mut kind = SECTION;
    let mut offset = 0;
    loop {
        if !block(capture, &mut section, kind, offset)? {
            capture.cut();
            break;
        }
        capture.tell();
        offset = capture.stored.offset();
        if !capture.exactly(4)? {
            if !capture.scratch.is_empty() {
                capture.cut();
            }
            break;
        }
        kind = if is_section(&capture.scratch) { SECTION } else { section.u32(&capture.scratch, 0).unwrap_or(SECTION) };
    }
    Ok("pcapng")
}

/// Reads a block whose type has been read; false when the file ends in it.
fn block<P: Packets>(
    capture: &mut Capture<'_, P>,
    section: &mut Section,
    kind: u32,
    offset: u64,
) -> Result<bool, ImportError> {
    if kind == SECTION {
        return begin(capture, section, offset);
    }
    if !capture.exactly(4)? {
        return Ok(false);
    }
    let total = section.u32(&capture.scratch, 0).unwrap_or(0) as usize;
    if total < 12 || !total.is_multiple_of(4) {
        return Err(capture.damaged(offset, format!("a block of {total} bytes")));
    }
    if !matches!(kind, INTERFACE | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET) {
        return capture.skip(total as u64 - 8);
    }
    if total > BLOCK_BYTES_MAX {
        return Err(capture.damaged(offset, format!("a block of {total} bytes, more than {BLOCK_BYTES_MAX}")));
    }
    if !capture.exactly(total - 8)? {
        return Ok(false);
    }
    if kind == INTERFACE {
        if section.interfaces.len() >= INTERFACES_MAX {
            return Err(capture.damaged(offset, format!("more than {INTERFACES_MAX} interfaces")));
        }
        let interface = section.interface(&capture.scratch[..total - 12]);
        let interface = interface.ok_or_else(|| capture.damaged(offset, "an interface without a link type"))?;
        section.interfaces.push(interface);
        return Ok(true);
    }
    packet(capture, section, kind, total - 12).map(|()| true)
}

/// Begins a section: byte order first, its interfaces are its own.
fn begin<P: Packets>(capture: &mut Capture<'_, P>, section: &mut Section, offset: u64) -> Result<bool, ImportError> {
    if !capture.exactly(8)? {
        return Ok(false);
    }
    section.big = match capture.scratch[4..8] {
        [0x1a, 0x2b, 0x3c, 0x4d] => true,
        [0x4d, 0x3c, 0x2b, 0x1a] => false,
        _ => return Err(capture.damaged(offset, "a section header without a byte order")),
    };
    section.interfaces.clear();
    let total = section.u32(&capture.scratch, 0).unwrap_or(0);
    if total < 28 || !total.is_multiple_of(4) {
        return Err(capture.damaged(offset, format!("a section header of {total} bytes")));
    }
    capture.skip(u64::from(total) - 12)
}

/// Counts the packet of a block of which the scratch buffer holds `length` bytes of body.
fn packet<P: Packets>(
    capture: &mut Capture<'_, P>,
    section: &Section,
    kind: u32,
    length: usize,
) -> Result<(), ImportError> {
    if kind == SIMPLE_PACKET {
        capture.out.tally().messages += 1;
        capture.out.tally().skip(Why::Incomplete("start"));
        return Ok(());
    }
    let body = &capture.scratch[..length];
    let Some((record, data)) = located(section, kind, body) else {
        capture.out.tally().messages += 1;
        capture.out.tally().skip(Why::Malformed("packet block that contradicts itself or names no interface"));
        return Ok(());
    };
    capture.out.packet(record, data)
}

/// The packet in the body of an enhanced packet block or of its obsolete forerunner.
fn located<'a>(section: &Section, kind: u32, body: &'a [u8]) -> Option<(Record, &'a [u8])> {
    let number = if kind == ENHANCED_PACKET { section.u32(body, 0)? } else { u32::from(section.u16(body, 0)?) };
    let interface = section.interfaces.get(number as usize)?;
    let time = interface.unit.micros(section.time(body, 4)?)?.checked_add(interface.offset)?;
    let captured = section.u32(body, 12)? as usize;
    let wire_bytes = u64::from(section.u32(body, 16)?);
    let data = body.get(20..)?.get(..captured)?;
    Some((Record { time, link: interface.link, wire_bytes }, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_time_become_microseconds() {
        assert_eq!(Unit::Decimal(6).micros(5), Some(5));
        assert_eq!(Unit::Decimal(9).micros(5_999), Some(5));
        assert_eq!(Unit::Decimal(0).micros(5), Some(5_000_000));
        assert_eq!(Unit::Decimal(127).micros(u64::MAX), Some(0));
        assert_eq!(Unit::Binary(20).micros(1 << 20), Some(1_000_000));
        assert_eq!(Unit::Binary(0).micros(2), Some(2_000_000));
        assert_eq!(Unit::Binary(127).micros(u64::MAX), Some(0));
        assert_eq!(Unit::Decimal(0).micros(u64::MAX), None);
    }
}
