//! Prefixes and address ranges as text, and the fewest prefixes that cover a range.

use std::net::{IpAddr, Ipv4Addr};

use iog_prefix::Written;

use crate::tally::Why;

/// A prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpPrefix {
    /// Network address, bits past the length zero, IPv4 mapped.
    pub address: [u8; 16],
    /// Length in bits in its own family.
    pub len: u8,
    /// Length of an address of its family in bits: 32 or 128.
    pub bits: u8,
}

impl IpPrefix {
    /// Whether an address, IPv4 mapped, is in it.
    #[must_use]
    pub fn contains(&self, address: [u8; 16]) -> bool {
        let rest = u32::from(self.bits - self.len);
        let differ = u128::from_be_bytes(self.address) ^ u128::from_be_bytes(address);
        differ.checked_shr(rest).unwrap_or(0) == 0
    }
}

/// A text that is not a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a prefix")]
pub struct NoPrefix;

impl From<NoPrefix> for Why {
    fn from(_: NoPrefix) -> Self {
        Self::Malformed("a prefix is malformed")
    }
}

/// Bits of an IPv6 address in front of the IPv4 address that is mapped into it (RFC 4291 §2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// Reads `192.0.2.0/24`; an address alone is a prefix of its full length. Bits past the length are dropped. A prefix of
/// mapped addresses, `::ffff:192.0.2.0/120`, is the one of IPv4 that it stands for.
///
/// # Errors
/// When it is neither.
pub fn parse_prefix(text: &str) -> Result<IpPrefix, NoPrefix> {
    let written = Written::parse(text).map_err(|_| NoPrefix)?;
    let network = written.network();
    if let Some((v4, len)) = unmapped(network).zip(written.length().checked_sub(MAPPED_BITS)) {
        return Ok(prefix(v4.to_bits().into(), len, 32));
    }
    let (value, bits) = value_of(network);
    Ok(prefix(value, written.length(), bits))
}

/// The IPv4 address that is mapped into one of IPv6.
const fn unmapped(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped(),
        IpAddr::V4(_) => None,
    }
}

/// The fewest prefixes that cover the addresses from `start` to `end`, both included, in order: at most 62 for IPv4 and
/// 254 for IPv6.
///
/// # Errors
/// When one of them is not an address, they are of two families or the range is backwards.
pub fn prefixes_of(start: &str, end: &str) -> Result<impl Iterator<Item = IpPrefix> + use<>, NoPrefix> {
    let (start, end): (IpAddr, IpAddr) = (start.parse().map_err(|_| NoPrefix)?, end.parse().map_err(|_| NoPrefix)?);
    let (start, end) = match unmapped(start).zip(unmapped(end)) {
        Some((start, end)) => (IpAddr::V4(start), IpAddr::V4(end)),
        None => (start, end),
    };
    let ((start, bits), (end, end_bits)) = (value_of(start), value_of(end));
    if bits != end_bits || start > end {
        return Err(NoPrefix);
    }
    let mut next = Some(start);
    Ok(std::iter::from_fn(move || {
        let start = next?;
        let size = largest_block(start, end, bits);
        let last = start | !mask(size);
        next = (last < end).then(|| last + 1);
        Some(prefix(start, bits - size, bits))
    }))
}

/// Bits of the largest block that begins at `start` and does not pass `end`.
fn largest_block(start: u128, end: u128, bits: u8) -> u8 {
    let aligned = u8::try_from(start.trailing_zeros()).unwrap_or(bits).min(bits);
    let mut size = aligned;
    while start | !mask(size) > end {
        size -= 1;
    }
    size
}

/// All bits but the lowest `low`.
fn mask(low: u8) -> u128 {
    u128::MAX.checked_shl(u32::from(low)).unwrap_or(0)
}

fn value_of(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

fn prefix(value: u128, len: u8, bits: u8) -> IpPrefix {
    let mapped = if bits == 32 { value | 0xffff_u128 << 32 } else { value };
    IpPrefix { address: mapped.to_be_bytes(), len, bits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv6Addr;

    fn shown(prefix: IpPrefix) -> String {
        let address = Ipv6Addr::from(prefix.address).to_canonical();
        format!("{address}/{}", prefix.len)
    }

    fn cover(start: &str, end: &str) -> Vec<String> {
        prefixes_of(start, end).unwrap().map(shown).collect()
    }

    #[test]
    fn ranges_become_the_fewest_prefixes() {
        assert_eq!(cover("1.0.0.0", "1.0.0.255"), ["1.0.0.0/24"]);
        assert_eq!(cover("1.0.1.0", "1.0.3.255"), ["1.0.1.0/24", "1.0.2.0/23"]);
        assert_eq!(cover("0.0.0.0", "255.255.255.255"), ["0.0.0.0/0"]);
        assert_eq!(cover("0.0.0.1", "255.255.255.254").len(), 62);
        assert_eq!(cover("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ["::/0"]);
        assert_eq!(cover("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe").len(), 254);
        assert_eq!(cover("255.255.255.255", "255.255.255.255"), ["255.255.255.255/32"]);
        assert_eq!(cover("::ffff:192.0.2.0", "::ffff:192.0.2.255"), ["192.0.2.0/24"]);
        assert_eq!(cover("::ffff:192.0.2.0", "::1:0:0:0").last().unwrap(), "::1:0:0:0/128");
        for (start, end) in [("1.0.0.1", "1.0.0.0"), ("1.0.0.0", "::1"), ("x", "1.0.0.0"), ("1.0.0.0", "")] {
            assert!(prefixes_of(start, end).is_err());
        }
    }

    #[test]
    fn prefixes_are_read_and_masked() {
        assert_eq!(shown(parse_prefix("192.0.2.7/24").unwrap()), "192.0.2.0/24");
        assert_eq!(shown(parse_prefix("192.0.2.7").unwrap()), "192.0.2.7/32");
        assert_eq!(shown(parse_prefix("2001:db8::/32").unwrap()), "2001:db8::/32");
        assert_eq!(parse_prefix("::ffff:198.51.100.7/120"), parse_prefix("198.51.100.0/24"));
        assert_eq!(parse_prefix("::ffff:198.51.100.7"), parse_prefix("198.51.100.7"));
        assert_eq!(parse_prefix("::ffff:0:0/96"), parse_prefix("0.0.0.0/0"));
        assert_eq!(parse_prefix("::ffff:0:0/95").unwrap().bits, 128, "it is wider than all of IPv4");
        for bad in ["", "1.2.3/8", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/+8", "::/129", "1.2.3.4/8/8"] {
            assert!(parse_prefix(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_cover_is_exact_and_without_gaps(a in any::<u32>(), b in any::<u32>()) {
            let (start, end) = (a.min(b), a.max(b));
            let text = |bits: u32| Ipv4Addr::from(bits).to_string();
            let mut at = u64::from(start);
            for prefix in prefixes_of(&text(start), &text(end)).unwrap() {
                let [.., x, y, z, w] = prefix.address;
                prop_assert_eq!(u64::from(u32::from_be_bytes([x, y, z, w])), at);
                at += 1 << (32 - prefix.len);
            }
            prop_assert_eq!(at, u64::from(end) + 1);
        }
    }
}
