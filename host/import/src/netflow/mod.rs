//! Flow exports: NetFlow v5, NetFlow v9 (RFC 3954), IPFIX (RFC 7011, biflows RFC 5103) into `flow/1` rows. A message is
//! checked whole before any of it is used, so a damaged one leaves neither rows nor templates. It reads no file and no
//! socket.
//!
//! Counters: `octetDeltaCount` and `packetDeltaCount` (1, 2), else the totals (85, 86), else initiator counts (231, 298),
//! else the counts after the observation point (23/24, 171/172). Reverse counts (RFC 5103, or responder counts 232, 299)
//! become a second row with the ends exchanged.

mod element;
mod fault;
mod message;
mod options;
mod raw;
mod record;
mod scope;
mod state;
mod tally;
mod template;
mod v5;

pub(crate) use fault::MESSAGE_BYTES_MAX;
pub use fault::{Failure, Fault};
pub(crate) use message::messages;
pub use message::{Decoder, Origin, Pass, check};
pub use options::{AsRole, ExportOptions, WhenUnknown};
pub(crate) use record::{Neighbours, finish, is_icmp};
pub(crate) use scope::Scope;
pub use state::{TemplateLimits, Templates};
pub use tally::{Reason, Tally};

#[cfg(test)]
mod tests;
