//! What a field of a template is to `flow/1`: a value for a slot, or one that is counted.

use super::registry::{Element, element};
use super::slot::Slot;

/// The private enterprise number of reverse elements (RFC 5103 §6.1).
const REVERSE_PEN: u32 = 29305;

/// Where a field of a template goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) slot: Slot,
    /// Whether it is about the reverse direction of a biflow.
    pub(super) reverse: bool,
}

/// A field that bears on a column and is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) element: &'static Element,
    /// Whether it is about the reverse direction of a biflow.
    pub(super) reverse: bool,
}

/// What a field of a template is to `flow/1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bearing {
    /// It tells a column.
    Read(Place, &'static Element),
    /// It could tell a column, but is not read or has a length that cannot be.
    Unread(Unread),
    /// It bears on no column, or has no bytes.
    None,
}

impl Bearing {
    /// What a field of this length is.
    pub(super) fn of(enterprise: u32, id: u16, len: u16) -> Self {
        let reverse = match enterprise {
            0 => false,
            REVERSE_PEN => true,
            _ => return Self::None,
        };
        let Some(element) = element(id).filter(|_| len > 0) else { return Self::None };
        match element.slot {
            Some(slot) if slot.takes(len) && !(reverse && slot.holds_for_both()) => {
                Self::Read(Place { slot, reverse }, element)
            }
            _ => Self::Unread(Unread { element, reverse }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::ELEMENTS;
    use super::*;

    fn slot(enterprise: u32, id: u16, len: u16) -> Option<(Slot, bool)> {
        match Bearing::of(enterprise, id, len) {
            Bearing::Read(place, _) => Some((place.slot, place.reverse)),
            _ => None,
        }
    }

    #[test]
    fn elements_have_the_slots_of_the_registry() {
        assert!(ELEMENTS.is_sorted_by(|one, other| one.id < other.id), "they are looked for by halves");
        assert_eq!(slot(0, 128, 4), Some((Slot::NextAs, false)));
        assert_eq!(slot(0, 129, 4), Some((Slot::PrevAs, false)));
        assert_eq!(slot(REVERSE_PEN, 1, 3), Some((Slot::Octets, true)));
        assert_eq!(slot(REVERSE_PEN, 7, 2), None, "the ports of the other direction are these, exchanged");
        assert_eq!(Bearing::of(9, 1, 4), Bearing::None);
    }

    #[test]
    fn lengths_that_cannot_be_read_have_no_slot() {
        for (id, len) in [(8, 3), (1, 9), (154, 4), (311, 3), (1, 65_535)] {
            assert!(matches!(Bearing::of(0, id, len), Bearing::Unread(_)), "{id} of {len} bytes");
        }
        assert_eq!(Bearing::of(0, 1, 0), Bearing::None, "what has no bytes has no value that could be lost");
    }
}
