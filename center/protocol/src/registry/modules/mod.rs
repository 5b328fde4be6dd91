//! The family `modules`: submissions, reviews and approvals, and whether a module may run.

mod approvals;
mod count;
mod draft;
mod effective;
pub(crate) mod error;
pub(crate) mod judge;
mod queries;
mod record;
mod reviews;
pub(crate) mod state;
pub(crate) mod statement;
mod submissions;

pub use count::Evidence;
pub use draft::ApprovalDraft;
pub use effective::EffectiveModule;
pub use error::{Invalid, Missing, NotEffective};
pub use judge::Change;
pub use record::{ApprovalRecord, FindingRecord, ModuleRecord, REPLACED_KEPT, ReviewRecord};
pub use statement::VERSION;
