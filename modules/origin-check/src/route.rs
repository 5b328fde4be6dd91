//! What answers are compared by.

use iog_guest::Prefix;

/// A prefix and who originates it.
pub(crate) type Route = (Prefix, Option<u32>);
