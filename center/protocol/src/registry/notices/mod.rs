//! The family `notices`, which exists in the tests of this crate alone: the smallest free family, to show that one folder and
//! one line in the table are enough, and that nobody who ignores it sees anything else differently.

pub(crate) mod error;
pub(crate) mod judge;
pub(crate) mod state;
pub(crate) mod statement;
