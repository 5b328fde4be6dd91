//! The gateway.
pub mod clock;
pub mod entropy;
pub mod home;
pub mod journal;
pub mod policy;
pub mod queue;
pub mod store;
