//! The family `members`: domains, who let them in, and which keys they have and had.

pub(crate) mod error;
pub(crate) mod judge;
mod queries;
pub(crate) mod state;
pub(crate) mod statement;

pub use error::Invalid;
pub use judge::Change;
pub use state::DomainRecord;
pub use statement::VERSION;
