//! The registry: a pure fold over the entries of the log, the same for the center, every gateway, every auditor and every
//! monitor. [`Registry::check`] says what an entry would change, [`Registry::apply`] takes it or refuses it and then leaves
//! everything as it was. Nothing here reads a clock: questions that depend on time take it.
//!
//! The statements come in families, each a folder with its types, state, reasons and rules; `families.rs` is the table that
//! composes them.
//!
//! Nobody is trusted alone. With all of the center's online keys (log, approval, token, CA) no entry can be made that approves
//! an unreviewed module, lifts a suspension, revokes anything or changes a domain's keys.

mod anomalies;
mod bounds;
mod change;
mod entry;
mod error;
pub(crate) mod families;
mod flaw;
mod fold;
pub mod halts;
mod keyring;
pub mod keysets;
pub mod members;
pub mod modules;
#[cfg(test)]
pub(crate) mod notices;
mod said;
pub(crate) mod shared_map;
mod states;
mod too_new;

#[cfg(test)]
mod tests;

pub use anomalies::Anomalies;
pub use bounds::{DOMAINS_MAX, LOG_BYTES_MAX, LOG_ENTRIES_MAX, MODULES_MAX, REVIEWS_OF_KEY_MAX};
pub use change::Change;
pub use error::{Anomaly, Invalid};
pub use families::Family;
pub use flaw::{Fault, Flaw};
pub use fold::Registry;
pub use halts::{Halts, Party, Suspension};
pub use members::DomainRecord;
pub use modules::{
    ApprovalDraft, ApprovalRecord, EffectiveModule, Evidence, FindingRecord, Missing, ModuleRecord, NotEffective,
    ReviewRecord,
};
pub use said::Said;
pub use too_new::{RULES_VERSION, TooNew};
