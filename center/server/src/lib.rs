//! The center: it keeps the signed log of the registry and serves it, takes statements and modules, enrolls domains, issues certificates and
//! tokens, and indexes the catalog. It is trusted with none of it: everybody folds the log again. It never holds a root, auditor or member
//! key, and never runs a module.

mod admission;
mod admissions;
mod approve;
mod authority;
mod blobs;
mod catalog;
mod center;
mod certificates;
pub mod config;
mod db;
mod error;
mod head;
mod home;
mod init;
mod invite;
mod modules_view;
mod names;
mod parts;
mod present;
mod rates;
mod refusal;
mod renewal;
mod replay;
mod router;
mod routes;
mod senders;
mod sequencer;
mod submission;
mod tokens;
mod upload;

pub use authority::{HeldAuthority, Standing, next_authority};
pub use center::{Center, CenterHandle};
pub use config::{CONFIG_FILE, CenterConfig};
pub use error::CenterError;
pub use init::{GenesisSigned, InitOptions, Initialised, init, sign_genesis, sign_genesis_in};
pub use invite::{INVITATION_HOURS_MAX, InviteOptions, invite};
