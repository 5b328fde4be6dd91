//! What the decoders of all kinds of records work with.

use super::peers::Peers;
use crate::ImportError;
use crate::bgp::Attributes;
use crate::bgp::cursor::{Cursor, Malformed};
use crate::bgp::update::Update;
use crate::rows::RouteBuilder;
use crate::tally::Tally;

/// What is kept from record to record. Vectors are reused; none outgrows a record.
pub(super) struct Decoder<'o> {
    pub(super) builder: RouteBuilder,
    pub(super) tally: Tally,
    pub(super) collector: Option<&'o str>,
    pub(super) peers: Option<Peers>,
    pub(super) attributes: Attributes,
    pub(super) update: Update,
}

/// Why a record ended early: its own fault, or the sink's.
pub(super) enum Stop {
    Malformed(Malformed),
    Import(ImportError),
}

impl From<Malformed> for Stop {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<ImportError> for Stop {
    fn from(error: ImportError) -> Self {
        Self::Import(error)
    }
}

impl<'o> Decoder<'o> {
    pub(super) fn new(collector: Option<&'o str>) -> Self {
        Self {
            builder: RouteBuilder::default(),
            tally: Tally::default(),
            collector,
            peers: None,
            attributes: Attributes::default(),
            update: Update::default(),
        }
    }
}

/// A record: when, where it begins, what follows its header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) time: i64,
    pub(super) offset: u64,
    pub(super) body: Cursor<'a>,
}

impl Record<'_> {
    /// Reads the microseconds of an extended record (RFC 6396 §3).
    pub(super) fn read_micros(&mut self) -> Result<(), Malformed> {
        let micros = self.body.u32()?;
        if micros >= 1_000_000 {
            return Err(Malformed("the microseconds of a record are a second or more"));
        }
        self.time += i64::from(micros);
        Ok(())
    }
}
