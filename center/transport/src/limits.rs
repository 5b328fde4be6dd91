//! The bounds of a server's connections and of what goes over them, and the pools that they make. Nothing here touches a socket.

use std::time::Duration;

use crate::{
    shares::{ShareLimits, Shares},
    turns::Turns,
};

/// The part of its connections that a server has besides for handshakes under way: who connects is not known before their end.
const ARRIVING_PART: usize = 8;
/// Handshakes that a server has room for, however small it is.
const ARRIVING_MIN: usize = 16;
/// One address has at most this part of them.
const ARRIVING_PEER_PART: usize = 4;

/// How long, how many and how fast. Every wait of a server ends at one of these. Of what is counted in all, one peer has at most an
/// eighth, and strangers half: who shows no certificate of a member (see [`ShareLimits::of`]).
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
    /// Connections at once whose peers are known, an eighth as many handshakes besides. Strangers have half; for one more, the oldest
    /// that rests of the network with most is closed, and where none rests, a stranger's in the middle of its work.
    pub connections_max: usize,
    /// Connections at once of one member, of one IPv4 address or of one IPv6 /64; a /24 and a /48 have twice as many, a /56 one and a
    /// half times. More are closed at once.
    pub per_peer_max: usize,
    /// Age at which a connection is closed after its running requests, milliseconds; a client certificate's end closes it earlier.
    pub age_max_ms: u64,
    /// How long running requests may take after age, idleness or shutdown asked a connection to close, milliseconds.
    pub drain_ms: u64,
    /// Requests at once on one HTTP/2 connection.
    pub streams_max: u32,
    /// Requests in work at once that only read (GET, HEAD), from their headers to the last byte of their answers; more are told to come
    /// back.
    pub reads_max: usize,
    /// Of those, how many of one peer are worked on at once; its others wait in their places.
    pub turns_max: usize,
    /// As `reads_max`, for all other requests, so that neither kind takes the places of the other.
    pub writes_max: usize,
    /// As `writes_max`, for requests whose sender is known by what they send: until that has come. They take no place of the others.
    pub openings_max: usize,
    /// Time besides that which its bytes are given in which such a beginning must have come, milliseconds.
    pub opening_grace_ms: u64,
    /// Until a request without a place is told so at the earliest, milliseconds; at the latest after twice as long.
    pub refusal_ms: u64,
    /// Bytes of answers that are not sent yet. A connection has half of what its peer has. Small answers are not counted: the places
    /// bound them.
    pub unsent_bytes_max: usize,
    /// Bytes of request bodies held at once, from their arrival until their requests end.
    pub received_bytes_max: usize,
    /// Time besides that which its bytes are given in which a request body must have come, milliseconds.
    pub body_grace_ms: u64,
    /// Least rate of a request body, bytes a second.
    pub body_bytes_per_s: u64,
    /// Time besides that which its bytes are given in which an answer must be gone, milliseconds.
    pub answer_grace_ms: u64,
    /// Least rate of a connection that has unsent answers, bytes a second.
    pub answer_bytes_per_s: u64,
    /// The time over which that rate is taken, milliseconds: a peer that takes nothing for so long is cut off.
    pub answer_stretch_ms: u64,
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
            // With 32 streams each, 4,096 requests of one peer: what has no place is refused in a few KiB each.
            per_peer_max: 128,
            age_max_ms: 3_600_000,
            drain_ms: 20_000,
            streams_max: 32,
            reads_max: 1_024,
            turns_max: 8,
            writes_max: 512,
            // 192 KiB each: 48 MiB, half of it strangers'.
            openings_max: 256,
            opening_grace_ms: 5_000,
            refusal_ms: 1_000,
            // A peer has 8 MiB: the largest catalog and some bundles of the log.
            unsent_bytes_max: 64 * 1024 * 1024,
            // A peer has 24 MiB: two modules as they are submitted.
            received_bytes_max: 192 * 1024 * 1024,
            body_grace_ms: 10_000,
            body_bytes_per_s: 16 * 1024,
            answer_grace_ms: 60_000,
            answer_bytes_per_s: 16 * 1024,
            answer_stretch_ms: 20_000,
        }
    }
}

/// How slow somebody may be: a time for everybody, and a least rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    grace: Duration,
    bytes_per_s: u64,
}

impl Pace {
    /// The longest that so many bytes may take.
    pub(crate) const fn longest(self, bytes: u64) -> Duration {
        let rate = if self.bytes_per_s == 0 { 1 } else { self.bytes_per_s };
        self.grace.saturating_add(Duration::from_millis(bytes.saturating_mul(1000) / rate))
    }

    /// The fewest bytes in so much time.
    pub(crate) fn bytes_in(self, time: Duration) -> u64 {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX).saturating_mul(self.bytes_per_s) / 1000
    }
}

impl ServeLimits {
    pub(crate) const fn body_pace(&self) -> Pace {
        Pace { grace: ms(self.body_grace_ms), bytes_per_s: self.body_bytes_per_s }
    }

    /// The pace until it is known who sends.
    pub(crate) const fn opening_pace(&self) -> Pace {
        Pace { grace: ms(self.opening_grace_ms), bytes_per_s: self.body_bytes_per_s }
    }

    /// The longest that a request body of so many bytes may take.
    #[must_use]
    pub const fn body_time(&self, bytes: u64) -> Duration {
        self.body_pace().longest(bytes)
    }

    /// Handshakes under way. Nobody is known yet, so all are counted by network.
    const fn arriving(&self) -> ShareLimits {
        let part = self.connections_max / ARRIVING_PART;
        let total = if part < ARRIVING_MIN { ARRIVING_MIN } else { part };
        ShareLimits { total, unnamed: total, per_peer: total.div_ceil(ARRIVING_PEER_PART) }
    }

    pub(crate) const fn answer_pace(&self) -> Pace {
        Pace { grace: ms(self.answer_grace_ms), bytes_per_s: self.answer_bytes_per_s }
    }

    /// Unsent bytes of one connection.
    pub(crate) const fn unsent_of_connection(&self) -> usize {
        ShareLimits::of(self.unsent_bytes_max).per_peer.div_ceil(2)
    }
}

/// What the connections and requests of a server share.
pub(crate) struct Pools {
    pub(crate) arriving: Shares,
    pub(crate) connections: Shares,
    pub(crate) openings: Shares,
    pub(crate) reads: Shares,
    pub(crate) writes: Shares,
    pub(crate) unsent: Shares,
    pub(crate) received: Shares,
    pub(crate) turns: Turns,
}

impl Pools {
    pub(crate) fn new(limits: &ServeLimits) -> Self {
        let pool = |total| Shares::new(ShareLimits::of(total));
        let connections =
            ShareLimits { per_peer: limits.per_peer_max.max(1), ..ShareLimits::of(limits.connections_max) };
        Self {
            arriving: Shares::new(limits.arriving()),
            connections: Shares::new(connections),
            openings: pool(limits.openings_max),
            reads: pool(limits.reads_max),
            writes: pool(limits.writes_max),
            unsent: pool(limits.unsent_bytes_max),
            received: pool(limits.received_bytes_max),
            turns: Turns::new(limits.turns_max),
        }
    }
}

pub(crate) const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_gives_time_for_bytes_and_bytes_for_time() {
        let pace = Pace { grace: Duration::from_secs(10), bytes_per_s: 16 * 1024 };
        assert_eq!(pace.longest(0), Duration::from_secs(10));
        assert_eq!(pace.longest(512 * 1024), Duration::from_secs(42));
        assert!(pace.longest(u64::MAX) > Duration::from_secs(3_600));
        assert_eq!(pace.bytes_in(Duration::from_secs(20)), 320 * 1024);
        assert_eq!(Pace { bytes_per_s: 0, ..pace }.bytes_in(Duration::from_secs(20)), 0);
    }

    #[test]
    fn a_burst_of_one_address_may_shake_hands_at_once_even_at_a_small_server() {
        for (connections_max, at_once, of_peer) in [(4_096, 512, 128), (10, 16, 4), (1, 16, 4)] {
            let found = ServeLimits { connections_max, ..ServeLimits::default() }.arriving();
            assert_eq!((found.total, found.unnamed, found.per_peer), (at_once, at_once, of_peer));
        }
    }

    #[test]
    fn a_body_is_given_as_long_as_its_pace() {
        assert_eq!(ServeLimits::default().body_time(11 * 1024 * 1024), Duration::from_secs(714));
    }
}
