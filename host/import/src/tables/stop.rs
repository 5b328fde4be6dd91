//! Why a line gave no more rows.

use crate::ImportError;
use crate::tally::Why;

/// It is passed over, or the import ends.
pub(super) enum Stop {
    Skip(Why),
    Import(ImportError),
}

impl From<Why> for Stop {
    fn from(why: Why) -> Self {
        Self::Skip(why)
    }
}

impl From<ImportError> for Stop {
    fn from(error: ImportError) -> Self {
        Self::Import(error)
    }
}
