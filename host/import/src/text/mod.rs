//! Text as people and programs leave it: the one way in for every format that is text. It takes off a byte-order mark,
//! says what is not UTF-8 instead of guessing, and ends lines at LF, CR LF and CR alike.

mod encoding;
mod records;

pub(crate) use encoding::{open, other_encoding, unmarked};
pub use records::{Comments, Dialect, FIELDS_MAX, Fields, RECORD_BYTES_MAX, Record, Records};
