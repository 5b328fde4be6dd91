//! Clients of a center and of gateways that verify what they are told: a verified copy of the registry's log (`replica`), the
//! center's services (`center`), and runs with their receipts (`gateway`).
//!
//! Every answer is bounded before it is read, every signed thing is verified before it is returned, every failure says whose
//! fault it is. Time is passed in; nothing here decides policy.

pub mod center;
pub mod enroll;
mod error;
pub mod gateway;
mod join_answer;
mod remote;
pub mod replica;

pub use center::CenterClient;
pub use error::ClientError;
pub use gateway::{GatewayClient, RunReply};
pub use remote::{CALL_LIMIT, JSON_BYTES_MAX, Remote};
pub use replica::{CaughtUp, Pins, Replica, ReplicaError, Synced};
