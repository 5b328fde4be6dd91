//! The values of one record as read from the wire, by slot.

use super::element::{SLOTS, Slot};

/// A big-endian number of at most eight bytes.
#[inline]
pub(super) fn number(bytes: &[u8]) -> u64 {
    match *bytes {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_be_bytes([a, b])),
        [a, b, c, d] => u64::from(u32::from_be_bytes([a, b, c, d])),
        _ => bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    }
}

/// Two bytes of a message that is long enough.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Four bytes of a message that is long enough.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The values of a record.
pub(super) struct Raw {
    present: u64,
    values: [u64; SLOTS],
    source6: [u8; 16],
    target6: [u8; 16],
    exporter6: [u8; 16],
}

impl Raw {
    pub(super) fn new() -> Self {
        Self { present: 0, values: [0; SLOTS], source6: [0; 16], target6: [0; 16], exporter6: [0; 16] }
    }

    /// Forgets the values.
    pub(super) fn clear(&mut self) {
        self.present = 0;
    }

    /// Keeps a value. The first one of a slot stays: exporters that repeat an element mean the outer packet first.
    #[inline]
    pub(super) fn set(&mut self, slot: Slot, bytes: &[u8]) {
        let bit = 1 << slot as u32;
        if self.present & bit != 0 {
            return;
        }
        match slot {
            Slot::Source6 => self.source6.copy_from_slice(bytes),
            Slot::Target6 => self.target6.copy_from_slice(bytes),
            Slot::Exporter6 => self.exporter6.copy_from_slice(bytes),
            _ => self.values[slot as usize] = number(bytes),
        }
        self.present |= bit;
    }

    /// A value, if the record has it.
    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<u64> {
        (self.present & 1 << slot as u32 != 0).then(|| self.values[slot as usize])
    }

    /// The first of several values that the record has.
    pub(super) fn first(&self, slots: &[Slot]) -> Option<u64> {
        slots.iter().find_map(|slot| self.get(*slot))
    }

    /// A value as the smaller type of its column; one that does not fit counts as absent.
    pub(super) fn small<T: TryFrom<u64>>(&self, slot: Slot) -> Option<T> {
        T::try_from(self.get(slot)?).ok()
    }

    /// Source and destination, IPv4 mapped. A template may hold both families; then the one that is not zero counts.
    pub(super) fn ends(&self) -> Option<([u8; 16], [u8; 16])> {
        let six = self.has(Slot::Source6) && self.has(Slot::Target6);
        let four = self.has(Slot::Source4) && self.has(Slot::Target4);
        let (source4, target4) = (self.values[Slot::Source4 as usize], self.values[Slot::Target4 as usize]);
        if four && !(six && source4 == 0 && target4 == 0) {
            return Some((mapped(source4), mapped(target4)));
        }
        six.then_some((self.source6, self.target6))
    }

    /// The exporter that the record names.
    pub(super) fn exporter(&self) -> Option<[u8; 16]> {
        let four = self.get(Slot::Exporter4).filter(|address| *address != 0).map(mapped);
        four.or_else(|| (self.has(Slot::Exporter6) && self.exporter6 != [0; 16]).then_some(self.exporter6))
    }

    fn has(&self, slot: Slot) -> bool {
        self.present & 1 << slot as u32 != 0
    }
}

/// An IPv4 address in the lower 32 bits, mapped.
pub(super) fn mapped(address: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[10] = 0xff;
    bytes[11] = 0xff;
    bytes[12..].copy_from_slice(&address.to_be_bytes()[4..]);
    bytes
}
