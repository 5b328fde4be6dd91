//! The bounds of a server's connections, and the counting of connections per peer. Nothing here touches a socket.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long and how many. Every wait of a server ends at one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeLimits {
    /// From TCP accept to the end of the TLS handshake, milliseconds.
    pub handshake_ms: u64,
    /// From the handshake to the first byte of the first request, milliseconds.
    pub first_byte_ms: u64,
    /// From the first byte of a request to the end of its headers, milliseconds.
    pub header_ms: u64,
    /// Longest pause inside a request body, milliseconds.
    pub body_idle_ms: u64,
    /// How long a connection may rest between requests, milliseconds. (HTTP/1 connections rest at most `header_ms`.)
    pub idle_ms: u64,
    /// Connections at once; more wait in the listen queue.
    pub connections_max: usize,
    /// Connections at once from one IPv4 address or one IPv6 /64; more are closed at once.
    pub per_peer_max: usize,
    /// Age at which a connection is closed after its running requests, milliseconds; a client certificate's end closes it earlier.
    pub age_max_ms: u64,
    /// How long running requests may take after age, idleness or shutdown asked a connection to close, milliseconds.
    pub drain_ms: u64,
    /// Requests at once on one HTTP/2 connection.
    pub streams_max: u32,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            handshake_ms: 10_000,
            first_byte_ms: 10_000,
            header_ms: 15_000,
            body_idle_ms: 20_000,
            idle_ms: 60_000,
            connections_max: 4_096,
            per_peer_max: 512,
            age_max_ms: 3_600_000,
            drain_ms: 20_000,
            streams_max: 64,
        }
    }
}

pub(crate) const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// Counts connections per peer network.
#[derive(Clone, Default)]
pub(crate) struct PeerCounts(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One counted connection; dropping it gives the place back.
pub(crate) struct PeerPlace {
    counts: PeerCounts,
    network: IpAddr,
}

impl PeerCounts {
    /// Takes a place for `address`, or `None` if its network already has `max`.
    pub(crate) fn take(&self, address: IpAddr, max: usize) -> Option<PeerPlace> {
        let network = network_of(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_insert(0);
        if *count >= max {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(PeerPlace { counts: self.clone(), network })
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

/// One IPv4 address, or the /64 of an IPv6 address: what one subscriber holds.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (u128::MAX << 64)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_per_network_and_given_back() {
        let counts = PeerCounts::default();
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let first = counts.take(one, 2).unwrap();
        let second = counts.take("::ffff:192.0.2.1".parse().unwrap(), 2).unwrap();
        assert!(counts.take(one, 2).is_none());
        assert!(counts.take("192.0.2.2".parse().unwrap(), 2).is_some());
        drop(first);
        assert!(counts.take(one, 2).is_some());
        drop(second);
        let _a = counts.take("2001:db8::1".parse().unwrap(), 1).unwrap();
        assert!(counts.take("2001:db8::ffff".parse().unwrap(), 1).is_none());
        assert!(counts.take("2001:db8:0:1::1".parse().unwrap(), 1).is_some());
        drop(_a);
        assert!(counts.0.lock().unwrap().is_empty());
    }
}
