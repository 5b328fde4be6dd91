//! Rows of the schemas as columns: push rows, take batches. Types are those of `iog-data`'s engine: times as `Int64`
//! microseconds since the epoch (UTC), addresses as sixteen bytes (IPv4 mapped), unsigned numbers as `UInt64`, text as
//! UTF-8.

use std::net::IpAddr;

/// Rows a batch has at most.
pub const BATCH_ROWS: usize = 16_384;

/// Takes batches of one schema as they are filled.
pub trait Sink {
    /// Stores a batch.
    ///
    /// # Errors
    /// Whatever storing it failed with; the import ends with it.
    fn batch(&mut self, batch: arrow_array::RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// An address as sixteen bytes, IPv4 mapped into `::ffff:0:0/96`.
#[must_use]
pub fn address(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}
