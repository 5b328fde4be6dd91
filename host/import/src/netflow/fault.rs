//! What can be wrong with a message of an export.

use crate::ImportError;

/// Bytes that a message has at most: what a UDP datagram and the length field of IPFIX allow.
pub(crate) const MESSAGE_BYTES_MAX: usize = 65_535;

/// What is wrong with a message, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Bytes from the start of the message.
    pub offset: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Fault {
    pub(crate) fn new(offset: usize, reason: impl Into<String>) -> Self {
        Self { offset, reason: reason.into() }
    }
}

/// Why a message was not read, or not all of it.
#[derive(Debug)]
pub enum Failure {
    /// It is damaged; nothing of it was used.
    Fault(Fault),
    /// It would pass a bound of the state. Records of templates that are known were read.
    Full {
        /// What is bounded.
        what: &'static str,
        /// How much there would be.
        found: u64,
        /// How much there may be.
        max: u64,
    },
    /// Its rows could not be stored.
    Import(ImportError),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
