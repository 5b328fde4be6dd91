//! The values of one record as read from the wire, by slot.

use super::element::Place;
use super::slot::{SLOTS, Slot};

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

/// Numbers by slot.
pub(super) struct Values {
    /// A bit for each slot that has a value.
    present: [u64; SLOTS.div_ceil(64)],
    values: [u64; SLOTS],
}

impl Values {
    const fn new() -> Self {
        Self { present: [0; SLOTS.div_ceil(64)], values: [0; SLOTS] }
    }

    /// Whether no slot has a value.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.present.iter().all(|word| *word == 0)
    }

    /// A value, if there is one.
    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<u64> {
        self.has(slot).then(|| self.values[slot as usize])
    }

    /// The first of several values that there is.
    pub(super) fn first(&self, slots: &[Slot]) -> Option<u64> {
        slots.iter().find_map(|slot| self.get(*slot))
    }

    /// The first of several counters that counted something; 0 where all that there are counted nothing.
    pub(super) fn counted(&self, slots: &[Slot]) -> Option<u64> {
        let counters = slots.iter().filter_map(|slot| self.get(*slot));
        let mut nothing = None;
        for counter in counters {
            if counter > 0 {
                return Some(counter);
            }
            nothing = Some(0);
        }
        nothing
    }

    /// A value as the smaller type of its column; one that does not fit counts as absent.
    pub(super) fn small<T: TryFrom<u64>>(&self, slot: Slot) -> Option<T> {
        T::try_from(self.get(slot)?).ok()
    }

    #[inline]
    fn has(&self, slot: Slot) -> bool {
        self.present[slot as usize / 64] & 1 << (slot as u32 % 64) != 0
    }

    /// Marks a slot as having a value; false where it had one.
    #[inline]
    fn mark(&mut self, slot: Slot) -> bool {
        let (word, bit) = (&mut self.present[slot as usize / 64], 1 << (slot as u32 % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

/// The values of a record.
pub(super) struct Raw<'a> {
    /// Of the record, or of the forward direction of a biflow.
    pub(super) one: Values,
    /// Of the reverse direction.
    pub(super) back: Values,
    source6: [u8; 16],
    target6: [u8; 16],
    exporter6: [u8; 16],
    original6: [u8; 16],
    /// The beginning of a sampled packet, and what it begins with.
    section: (Slot, &'a [u8]),
}

impl<'a> Raw<'a> {
    pub(super) const fn new() -> Self {
        Self {
            one: Values::new(),
            back: Values::new(),
            source6: [0; 16],
            target6: [0; 16],
            exporter6: [0; 16],
            original6: [0; 16],
            section: (Slot::FrameSection, &[]),
        }
    }

    /// Forgets the values.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.one.present.fill(0);
        self.back.present.fill(0);
    }

    /// Keeps a value. The first one of a slot stays: exporters that repeat an element mean the outer packet first.
    #[inline]
    pub(super) fn set(&mut self, place: Place, bytes: &'a [u8]) {
        let values = if place.reverse { &mut self.back } else { &mut self.one };
        if !values.mark(place.slot) {
            return;
        }
        match place.slot {
            Slot::Source6 => self.source6.copy_from_slice(bytes),
            Slot::Target6 => self.target6.copy_from_slice(bytes),
            Slot::Exporter6 => self.exporter6.copy_from_slice(bytes),
            Slot::Original6 => self.original6.copy_from_slice(bytes),
            Slot::FrameSection | Slot::IpSection => self.section = (place.slot, bytes),
            slot => values.values[slot as usize] = number(bytes),
        }
    }

    /// Source and destination, IPv4 mapped. A template may hold both families; then the one that is not zero counts.
    pub(super) fn ends(&self) -> Option<([u8; 16], [u8; 16])> {
        let six = self.one.has(Slot::Source6) && self.one.has(Slot::Target6);
        let four = self.one.has(Slot::Source4) && self.one.has(Slot::Target4);
        let (source4, target4) = (self.one.values[Slot::Source4 as usize], self.one.values[Slot::Target4 as usize]);
        if four && !(six && source4 == 0 && target4 == 0) {
            return Some((mapped(source4), mapped(target4)));
        }
        six.then_some((self.source6, self.target6))
    }

    /// The exporter that the record names: the one where the flow was seen before one that passed it on.
    pub(super) fn exporter(&self) -> Option<[u8; 16]> {
        let four = |slot| self.one.get(slot).filter(|address| *address != 0).map(mapped);
        let six = |slot, address: [u8; 16]| (self.one.has(slot) && address != [0; 16]).then_some(address);
        four(Slot::Original4)
            .or_else(|| six(Slot::Original6, self.original6))
            .or_else(|| four(Slot::Exporter4))
            .or_else(|| six(Slot::Exporter6, self.exporter6))
    }

    /// The beginning of a sampled packet, and what it begins with.
    pub(super) fn section(&self) -> Option<(Slot, &'a [u8])> {
        self.one.has(self.section.0).then_some(self.section)
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
