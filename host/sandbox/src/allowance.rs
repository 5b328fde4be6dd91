//! What the values of one call may take on the host. Each is charged before it is made, as the engine charges what it
//! lifts, so that a short text of JSON cannot become more host memory than the run may have. It knows no type and no JSON.

use crate::meter::Stop;
use crate::sizes::{ALLOCATION_BYTES, FIELD_BYTES, NAME_BYTES, VALUE_BYTES};
use crate::spec::{Blame, TooLarge, TooMuchOf};

/// Values between two looks at clock and cancel flag: below 1 ms of reading.
const VALUES_A_LOOK: u64 = 4_096;

/// Who made a value necessary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is written in the JSON.
    Written,
    /// The type adds it: a name of a field, a field that was left out.
    Implied,
}

/// Why no more values are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoMore {
    /// The room is used up.
    TooLarge(TooLarge),
    /// The run was stopped meanwhile.
    Stopped(Stop),
}

/// What was made so far, by who made it necessary.
#[derive(Clone, Copy, Debug, Default)]
struct Made {
    written: u64,
    implied: u64,
}

impl Made {
    fn all(self) -> u64 {
        self.written.saturating_add(self.implied)
    }

    fn with(self, more: u64, origin: Origin) -> Self {
        match origin {
            Origin::Written => Self { written: self.written.saturating_add(more), ..self },
            Origin::Implied => Self { implied: self.implied.saturating_add(more), ..self },
        }
    }

    /// These shares, unless they are too large together: then whoever has the greater part is to blame.
    fn at_most(self, max: u64, of: TooMuchOf) -> Result<Self, NoMore> {
        if self.all() <= max {
            return Ok(self);
        }
        let blame = if self.written >= self.implied { Blame::Caller } else { Blame::Module };
        Err(NoMore::TooLarge(TooLarge { blame, of, max }))
    }
}

/// The room that is left for values.
pub(crate) struct Allowance<'s> {
    bytes_max: u64,
    values_max: u64,
    bytes: Made,
    values: Made,
    stop: &'s dyn Fn() -> Option<Stop>,
}

impl<'s> Allowance<'s> {
    /// Room for so many bytes and values; `stop` says whether the run was stopped meanwhile.
    pub(crate) fn new(bytes_max: usize, values_max: u64, stop: &'s dyn Fn() -> Option<Stop>) -> Self {
        Self { bytes_max: bytes_max as u64, values_max, bytes: Made::default(), values: Made::default(), stop }
    }

    /// Bytes of all values so far.
    pub(crate) fn bytes(&self) -> usize {
        usize::try_from(self.bytes.all()).unwrap_or(usize::MAX)
    }

    /// `count` values side by side: of a list or tuple, of the call itself.
    pub(crate) fn values(&mut self, count: usize) -> Result<(), NoMore> {
        self.count(count, Origin::Written)?;
        self.charge(heap(count.saturating_mul(VALUE_BYTES)), Origin::Written)
    }

    /// A value in a box: the payload of an option, a result or a variant.
    pub(crate) fn boxed(&mut self) -> Result<(), NoMore> {
        self.values(1)
    }

    /// The places of a record's fields; what is in them is charged one by one.
    pub(crate) fn record(&mut self, fields: usize) -> Result<(), NoMore> {
        // A field costs the same whether it is written or left out, so its place is the type's.
        self.charge(heap(fields.saturating_mul(FIELD_BYTES)), Origin::Implied)
    }

    /// A field of a record, written or left out, with its name.
    pub(crate) fn field(&mut self, name: &str, origin: Origin) -> Result<(), NoMore> {
        self.count(1, origin)?;
        self.charge(heap(name.len()), Origin::Implied)
    }

    /// The JSON itself, while its values are made of it.
    pub(crate) fn json(&mut self, bytes: usize) -> Result<(), NoMore> {
        self.charge(bytes, Origin::Written)
    }

    /// A text that is written in the JSON.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), NoMore> {
        self.charge(heap(text.len()), Origin::Written)
    }

    /// A set of flags: so many names with so many bytes of text.
    pub(crate) fn flags(&mut self, names: usize, text_bytes: usize) -> Result<(), NoMore> {
        let heads = heap(names.saturating_mul(NAME_BYTES + ALLOCATION_BYTES));
        self.charge(heads.saturating_add(text_bytes), Origin::Written)
    }

    fn count(&mut self, more: usize, origin: Origin) -> Result<(), NoMore> {
        let before = self.values.all();
        self.values = self.values.with(more as u64, origin).at_most(self.values_max, TooMuchOf::Values)?;
        if before / VALUES_A_LOOK == self.values.all() / VALUES_A_LOOK {
            return Ok(());
        }
        (self.stop)().map_or(Ok(()), |stop| Err(NoMore::Stopped(stop)))
    }

    fn charge(&mut self, bytes: usize, origin: Origin) -> Result<(), NoMore> {
        self.bytes = self.bytes.with(bytes as u64, origin).at_most(self.bytes_max, TooMuchOf::Bytes)?;
        Ok(())
    }
}

/// What an allocation of so many bytes takes; an empty one takes nothing.
fn heap(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes.saturating_add(ALLOCATION_BYTES) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never() -> Option<Stop> {
        None
    }

    #[test]
    fn what_does_not_fit_any_more_is_refused_before_it_is_made() {
        let mut room = Allowance::new(1_000, 100, &never);
        room.text(&"x".repeat(500)).unwrap();
        let error = room.text(&"x".repeat(500)).unwrap_err();
        let expected = TooLarge { blame: Blame::Caller, of: TooMuchOf::Bytes, max: 1_000 };
        assert_eq!(error, NoMore::TooLarge(expected));
        assert_eq!(room.bytes(), 532);
        room.text("").unwrap();
        assert_eq!(room.bytes(), 532, "an empty text is no allocation");
    }

    #[test]
    fn what_the_type_adds_is_the_modules_fault() {
        let mut room = Allowance::new(10_000, 1_000_000, &never);
        let error = (0..).find_map(|_| room.record(256).err()).unwrap();
        let expected = TooLarge { blame: Blame::Module, of: TooMuchOf::Bytes, max: 10_000 };
        assert_eq!(error, NoMore::TooLarge(expected));
    }

    #[test]
    fn values_are_counted_and_the_clock_is_looked_at() {
        let mut room = Allowance::new(usize::MAX, 10, &never);
        room.values(10).unwrap();
        assert!(matches!(room.values(1).unwrap_err(), NoMore::TooLarge(TooLarge { of: TooMuchOf::Values, .. })));
        let late = || Some(Stop::Time);
        let mut room = Allowance::new(usize::MAX, u64::MAX, &late);
        room.values(4_095).unwrap();
        assert_eq!(room.boxed(), Err(NoMore::Stopped(Stop::Time)));
    }
}
