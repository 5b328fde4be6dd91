//! Flow exports: NetFlow v5, NetFlow v9 (RFC 3954), IPFIX (RFC 7011, biflows RFC 5103) into `flow/1` rows. The sets of a
//! message are checked before any of it is used, so a damaged one leaves neither rows nor templates; a set is checked
//! against its template before its first row. It reads no file and no socket.
//!
//! Counters: `octetDeltaCount` and `packetDeltaCount` (1, 2), else the totals (85, 86), else initiator counts (231, 298),
//! else the counts after the observation point (23/24, 171/172). Reverse counts (RFC 5103, or responder counts 232, 299)
//! become a second row with the ends exchanged. A direction that carried nothing has no row.

mod begins;
mod element;
mod fault;
mod listed;
mod message;
mod options;
mod ports;
mod raw;
mod record;
mod registry;
mod sampling;
mod scope;
mod section;
mod sets;
mod slot;
mod state;
mod tally;
mod template;
mod times;
mod v5;

pub(crate) use begins::begins;
pub use begins::is_sflow;
pub(crate) use fault::MESSAGE_BYTES_MAX;
pub use fault::{Failure, Fault};
pub use message::{Decoder, Origin, Pass};
pub use options::{AsRole, ExportOptions, WhenUnknown};
pub(crate) use ports::is_icmp;
pub(crate) use record::{Neighbours, finish, reversed};
pub(crate) use scope::Scope;
pub use sets::check;
pub(crate) use sets::messages;
pub use state::{TemplateLimits, Templates};
pub use tally::{Reason, Tally};

#[cfg(test)]
mod tests;
