//! The family `halts`: suspensions and revocations of modules and domains.

pub(crate) mod error;
pub(crate) mod judge;
mod queries;
pub(crate) mod state;
pub(crate) mod statement;

pub use error::Invalid;
pub use judge::Change;
pub use state::{Halts, Party, Suspension};
pub use statement::VERSION;
