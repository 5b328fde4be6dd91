//! The family `keysets`: genesis and keysets, that is who holds which role, which numbers the rules use, and what a reader must
//! know. All other families look at it.

mod check;
pub(crate) mod error;
pub(crate) mod judge;
pub(crate) mod state;
pub(crate) mod statement;

pub use error::Invalid;
pub use judge::Change;
pub use statement::VERSION;
