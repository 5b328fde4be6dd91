//! What the planner says of a node that has no operator.

use datafusion_common::error::{DataFusionError, Result};
use thiserror::Error;

/// A query that the allow-list lets through and that cannot be run; its author has to write it another way.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no operator for {what}")]
pub(crate) struct Refused {
    /// The node, in words that complete "the query uses …".
    pub(crate) what: String,
}

impl From<Refused> for DataFusionError {
    fn from(refused: Refused) -> Self {
        Self::External(Box::new(refused))
    }
}

pub(super) fn refuse<T>(what: impl Into<String>) -> Result<T> {
    Err(Refused { what: what.into() }.into())
}
