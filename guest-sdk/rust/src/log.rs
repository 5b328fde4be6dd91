//! Messages for the provider's operators. They never reach the caller, and beyond the run's cap they are dropped: they
//! are for finding faults, not for results.

use crate::bindings::iog::guest::log::{Level, write};

/// What helps only while a module is written.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// What an operator may want to know of an ordinary run.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Something odd in the data that the run got around.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Why the run has no result.
pub fn error(message: &str) {
    write(Level::Error, message);
}
