//! `[connections]`: how many connections a gateway has at once, and how many bytes go over them that it must keep.

use iog_transport::ServeLimits;
use serde::Deserialize;

use super::error::{ConfigError, within};

const MIB: usize = 1024 * 1024;
/// Bodies of requests at a gateway have at most 256 KiB, so it needs less room for them than a center: an eighth, which one caller has,
/// is 32 of them.
const BODIES_MIB: usize = 64;

/// Connections, and what they hold. What is beyond is told to come back, or waits in the listen queue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionsConfig {
    /// Connections at once, 1 to 1,000,000; those who are not members have half.
    pub total_max: usize,
    /// Connections at once of one member, IPv4 address or IPv6 /64, 1 to 1,000,000.
    pub per_peer_max: usize,
    /// MiB of answers that are not sent yet, 16 to 1,048,576; one caller has at most an eighth.
    pub unsent_mib_max: usize,
    /// MiB of request bodies held at once, 8 to 1,048,576; one caller has at most an eighth.
    pub bodies_mib_max: usize,
}

impl Default for ConnectionsConfig {
    fn default() -> Self {
        let limits = ServeLimits::default();
        Self {
            total_max: limits.connections_max,
            per_peer_max: limits.per_peer_max,
            unsent_mib_max: limits.unsent_bytes_max / MIB,
            bodies_mib_max: BODIES_MIB,
        }
    }
}

impl ConnectionsConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("connections.total_max", self.total_max as u64, 1, 1_000_000)?;
        within("connections.per_peer_max", self.per_peer_max as u64, 1, 1_000_000)?;
        within("connections.unsent_mib_max", self.unsent_mib_max as u64, 16, 1 << 20)?;
        within("connections.bodies_mib_max", self.bodies_mib_max as u64, 8, 1 << 20)
    }

    /// The same in the transport's terms.
    #[must_use]
    pub fn serve_limits(&self) -> ServeLimits {
        ServeLimits {
            connections_max: self.total_max,
            per_peer_max: self.per_peer_max,
            unsent_bytes_max: self.unsent_mib_max * MIB,
            received_bytes_max: self.bodies_mib_max * MIB,
            ..ServeLimits::default()
        }
    }
}
