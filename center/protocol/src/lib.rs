//! The protocol of the Internet of Governance: identifiers, keys, signed statements, the registry as a fold over a log,
//! tokens, run requests, receipts and API bodies. Pure: no I/O, no clock, no randomness; time and random bytes are passed in.

pub mod api;
pub mod capabilities;
pub mod catalog;
pub mod dsse;
pub mod enroll;
pub mod ids;
pub mod interfaces;
pub mod keys;
pub mod manifest;
pub mod params;
pub mod receipt;
pub mod registry;
pub mod renewal;
pub mod run;
pub mod schemas;
pub mod spiffe;
pub mod statements;
pub mod time;
pub mod token;
