//! The inbound half of a domain: admit, run, release, receipt. It joins what the other crates keep apart — registry, sandbox,
//! data, transport — and is the only place where they meet.

pub mod admit;
pub mod background;
pub mod config;
pub mod datasets;
pub mod db;
pub mod executor;
pub mod gateway;
pub mod grants;
pub mod identity;
pub mod journal;
pub mod memory;
pub mod not_ready;
mod parts;
pub mod policy;
pub mod port;
pub mod prepare;
pub mod queue;
pub mod quotas;
pub mod receipt_log;
pub mod receipts;
pub mod refusals;
pub mod registry;
pub mod release;
mod routes;
pub mod runs;
pub mod services;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
pub mod vantage;

pub use gateway::{Deps, Gateway, GatewayError};
