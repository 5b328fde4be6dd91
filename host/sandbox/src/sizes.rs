//! What values take on the host, whoever made them.

use wasmtime::component::Val;

/// A value in a list, in bytes.
pub(crate) const VALUE_BYTES: usize = size_of::<Val>();
/// A field of a record with its name's head, in bytes.
pub(crate) const FIELD_BYTES: usize = size_of::<(String, Val)>();
/// A name in a set of flags without its text, in bytes.
pub(crate) const NAME_BYTES: usize = size_of::<String>();
/// What an allocator may add to one allocation for its own books and for rounding, in bytes.
pub(crate) const ALLOCATION_BYTES: usize = 32;
