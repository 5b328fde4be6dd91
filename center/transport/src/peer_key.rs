//! Whose share something is, and in which circles it counts: a name alone, or a network with the wider ones around it. One subscriber
//! of IPv6 holds a /56 or a /48, one tenant of IPv4 many addresses of a /24, so that the narrowest alone would bound nobody.

use std::{net::IpAddr, sync::Arc};

use crate::peer::PeerIdentity;

/// Networks of IPv4 by the bits of their prefix, with the part of a peer's bound that all in one hold together, in halves.
const CIRCLES_V4: [(u32, usize); 2] = [(32, 2), (24, 4)];
/// The same for IPv6: a subnet, what a home is given, what a site is given.
const CIRCLES_V6: [(u32, usize); 3] = [(64, 2), (56, 3), (48, 4)];

/// Whose share something is: the name in the certificate of a member, so that members who share an address do not pay for each other,
/// else the network the connection comes from. A request extension of every request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PeerKey {
    /// The `spiffe://` name of a verified certificate of a member, or another name that a handler has verified.
    Named(Arc<str>),
    /// One IPv4 address, or the /64 of an IPv6 address.
    Network(IpAddr),
}

/// What a peer's share counts in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Circle {
    Name(Arc<str>),
    /// A network by its first address and the bits of its prefix.
    Network(IpAddr, u32),
}

impl PeerKey {
    /// The key of whoever connects from `address` with this certificate of a member, or with none.
    #[must_use]
    pub fn of(identity: Option<&PeerIdentity>, address: IpAddr) -> Self {
        match identity.and_then(|identity| identity.spiffe.as_deref()) {
            Some(name) => Self::Named(name.into()),
            None => Self::Network(match address.to_canonical() {
                IpAddr::V4(v4) => v4.into(),
                v6 @ IpAddr::V6(_) => network(v6, CIRCLES_V6[0].0),
            }),
        }
    }

    pub(crate) const fn is_named(&self) -> bool {
        matches!(self, Self::Named(_))
    }

    /// The circles it counts in, the widest last, each with what all in it hold together of a peer's bound, in halves.
    pub(crate) fn circles(&self) -> Vec<(Circle, usize)> {
        let around = |address, (bits, halves)| (Circle::Network(network(address, bits), bits), halves);
        match self {
            Self::Named(name) => vec![(Circle::Name(Arc::clone(name)), 2)],
            Self::Network(v4 @ IpAddr::V4(_)) => CIRCLES_V4.map(|circle| around(*v4, circle)).to_vec(),
            Self::Network(v6 @ IpAddr::V6(_)) => CIRCLES_V6.map(|circle| around(*v6, circle)).to_vec(),
        }
    }

    /// The widest circle.
    pub(crate) fn widest(&self) -> Circle {
        match self {
            Self::Named(name) => Circle::Name(Arc::clone(name)),
            Self::Network(address) => {
                let bits = if address.is_ipv4() { CIRCLES_V4[1].0 } else { CIRCLES_V6[2].0 };
                Circle::Network(network(*address, bits), bits)
            }
        }
    }
}

impl Circle {
    pub(crate) const fn is_named(&self) -> bool {
        matches!(self, Self::Name(_))
    }
}

/// The first address of the network of so many bits around an address.
fn network(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & (u32::MAX << (32 - bits))).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (u128::MAX << (128 - bits))).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> PeerKey {
        PeerKey::of(None, address.parse().unwrap())
    }

    #[test]
    fn a_peer_is_its_certificate_or_its_network() {
        let identity = PeerIdentity {
            spiffe: Some("spiffe://net.example/domain/a".into()),
            leaf_sha256: [0; 32],
            spki_sha256: [0; 32],
            not_before: 0,
            not_after: 0,
        };
        let address = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(PeerKey::of(None, address), from("192.0.2.1"));
        assert_eq!(PeerKey::of(Some(&identity), address), PeerKey::Named("spiffe://net.example/domain/a".into()));
        let nameless = PeerIdentity { spiffe: None, ..identity };
        assert_eq!(PeerKey::of(Some(&nameless), address), from("192.0.2.1"));
        assert_eq!(from("2001:db8::1"), from("2001:db8::ffff"));
        assert_ne!(from("2001:db8::1"), from("2001:db8:0:1::1"));
    }

    #[test]
    fn networks_count_in_wider_ones_that_hold_more() {
        let shown = |address: &str| {
            let circles = from(address).circles().into_iter();
            circles.map(|(circle, halves)| format!("{circle:?} {halves}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(shown("192.0.2.7"), "Network(192.0.2.7, 32) 2, Network(192.0.2.0, 24) 4");
        let expected = "Network(2001:db8:1:2ff::, 64) 2, Network(2001:db8:1:200::, 56) 3, Network(2001:db8:1::, 48) 4";
        assert_eq!(shown("2001:db8:1:2ff::9"), expected);
        for peer in [from("192.0.2.7"), from("2001:db8:1:2ff::9"), PeerKey::Named("a".into())] {
            assert_eq!(peer.circles().pop().unwrap().0, peer.widest());
        }
    }
}
