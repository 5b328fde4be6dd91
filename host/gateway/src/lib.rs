//! The gateway of a domain. Inbound: admit, run, release, receipt. Outbound: find, ask all, verify, merge. It joins what the
//! other crates keep apart — registry, sandbox, data, transport — and is the only place where they meet.

pub mod admit;
pub mod background;
pub mod blobs;
pub mod clock;
pub mod config;
pub mod connect;
pub mod datasets;
pub mod describe;
pub mod enrol;
pub mod entropy;
pub mod gateway;
pub mod home;
pub mod journal;
pub mod local;
pub mod outbound;
pub mod policy;
pub mod port;
pub mod prepare;
pub mod queue;
pub mod receipt_log;
pub mod receipts;
pub mod refusals;
pub mod registry;
pub mod release;
mod routes;
pub mod runs;
pub mod services;
pub mod store;
#[cfg(test)]
mod testkit;

pub use gateway::{Deps, Gateway, GatewayError};
