//! The outbound half of a domain: find the providers, ask all of them at once, believe only what their receipts prove and
//! their types allow, and merge the answers in the local sandbox with nothing granted. One domain that refuses, fails or is silent never spoils the
//! others. It has no data engine: what it joins are answers.

pub mod about;
pub mod ask;
pub mod bundle;
pub mod call;
pub mod error;
pub mod merge;
pub mod merge_limits;
pub mod params;
pub mod providers;
pub mod report;
pub mod spec;
pub mod unmerged;
pub mod verify;

pub use call::{Caller, call};
pub use error::CallError;
/// What merging cost here, and which limit ended it.
pub use iog_sandbox::{LimitKind, Usage};
pub use merge_limits::MergeLimits;
pub use params::ParamsMisfit;
pub use report::{CallEvent, CallReport, Events, LeftOut, Merged, Part, PartOutcome, Quiet, Returns, Spoils, Why};
pub use spec::{CallSpec, What, Whom};
pub use unmerged::Unmerged;
pub use verify::{VerifiedBundle, VerifyError, verify_bundle};
