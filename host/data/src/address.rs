//! Addresses and prefixes: text ↔ 16 bytes (IPv4 mapped, RFC 4291 §2.5.5.2), and a prefix as the range of addresses it
//! covers. Pure; the only place that knows how IPv4 lies inside the 16 bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use iog_prefix::{NotPrefix, Written};

/// Longest text of an address or prefix that is looked at (`xxxx:…:255.255.255.255/128` has 49 characters).
const TEXT_BYTES_MAX: usize = 64;
/// First 12 bytes of an IPv4-mapped address.
const V4_MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// Text to 16 bytes. `None` where the text is not an address; scope ids and leading zeros are refused.
pub fn parse_address(text: &str) -> Option<[u8; 16]> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    text.parse::<IpAddr>().ok().map(address_bytes)
}

/// An address as 16 bytes.
pub fn address_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4_bytes(v4),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// An IPv4 address as 16 bytes.
pub(crate) fn v4_bytes(v4: Ipv4Addr) -> [u8; 16] {
    v4.to_ipv6_mapped().octets()
}

/// 16 bytes to the shortest text; mapped addresses as IPv4.
pub fn address_text(bytes: &[u8; 16]) -> String {
    let v6 = Ipv6Addr::from(*bytes);
    match v6.to_ipv4_mapped() {
        Some(v4) => v4.to_string(),
        None => v6.to_string(),
    }
}

/// The first and last address of a prefix, both included. Byte order is address order, so a test for the prefix is two
/// comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    /// First address.
    pub first: [u8; 16],
    /// Last address.
    pub last: [u8; 16],
}

impl AddressRange {
    /// Whether the address lies in the range.
    pub fn contains(&self, address: &[u8]) -> bool {
        self.first.as_slice() <= address && address <= self.last.as_slice()
    }
}

/// How much of each family a prefix holds, as the length of a prefix of that family: 0 to 32 bits of IPv4, 0 to 128 of
/// IPv6; shorter is wider. IPv4 written as IPv6 is IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixWidth {
    /// Of IPv4; `None` where it holds none of it.
    pub v4: Option<u8>,
    /// Of IPv6; `None` where it holds IPv4 only.
    pub v6: Option<u8>,
}

impl AddressRange {
    /// How wide the range of a prefix is. One that holds all of IPv4 among other addresses is wide in both families.
    pub fn width(&self) -> PrefixWidth {
        let (first, last) = (u128::from_be_bytes(self.first), u128::from_be_bytes(self.last));
        let bits = (first ^ last).leading_zeros();
        let shared = (first ^ Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().to_bits()).leading_zeros();
        let length = |bits: u32| Some(u8::try_from(bits).unwrap_or(u8::MAX));
        match bits {
            96.. if shared >= 96 => PrefixWidth { v4: length(bits - 96), v6: None },
            _ if shared >= bits => PrefixWidth { v4: Some(0), v6: length(bits) },
            _ => PrefixWidth { v4: None, v6: length(bits) },
        }
    }
}

/// Why a text is not a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// No address before the slash.
    #[error("`{0}` is neither an address nor a prefix, such as `192.0.2.0/24` or `2001:db8::1`")]
    Address(String),
    /// The length is not a number or does not fit the address family.
    #[error("`{0}` has no valid prefix length: 0 to 32 for IPv4, 0 to 128 for IPv6")]
    Length(String),
    /// Bits are set behind the length. Refused, not masked: whoever checked the text must have meant the same range.
    #[error("`{0}` has host bits set; the prefix is `{1}`")]
    HostBits(String, String),
}

/// A prefix, or a bare address as the prefix that holds only it, to its range. The length counts in the family of the
/// text: `10.0.0.0/8` has 8 IPv4 bits. `::/0` covers IPv4 too (as mapped), `0.0.0.0/0` only IPv4.
pub fn parse_prefix(text: &str) -> Result<AddressRange, PrefixError> {
    let shown = || crate::error::excerpt(text.as_bytes());
    if text.len() > TEXT_BYTES_MAX {
        return Err(PrefixError::Address(shown()));
    }
    let written = Written::parse(text).map_err(|why| match why {
        NotPrefix::Address => PrefixError::Address(shown()),
        NotPrefix::Length => PrefixError::Length(shown()),
    })?;
    if written.is_padded() {
        return Err(PrefixError::Length(shown()));
    }
    let bits = written.length();
    if written.has_host_bits() {
        return Err(PrefixError::HostBits(shown(), format!("{}/{bits}", written.network())));
    }
    let address = written.address();
    let before = 128 - iog_prefix::width(address);
    Ok(range_of(address_bytes(address), u32::from(before + bits)))
}

/// All addresses that share the first `bits` (0 to 128) with `address`.
pub(crate) fn range_of(address: [u8; 16], bits: u32) -> AddressRange {
    let host = if bits >= 128 { 0 } else { u128::MAX >> bits };
    let value = u128::from_be_bytes(address);
    AddressRange { first: (value & !host).to_be_bytes(), last: (value | host).to_be_bytes() }
}

/// The network an address lies in, `bits` counted in the address's own family (mapped: IPv4). Lengths beyond the family
/// keep the whole address; `None` for negative ones.
pub fn network_of(address: &[u8; 16], bits: i64) -> Option<[u8; 16]> {
    let bits = u32::try_from(bits.min(128)).ok()?;
    let v4 = address[..12] == V4_MAPPED;
    let bits = if v4 { 96 + bits.min(32) } else { bits };
    Some(range_of(*address, bits).first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_no_prefix() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/-1",
            "10.0.0.0/08",
            "10.0.0/8",
            "x/8",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "fe80::1%eth0/64",
            "010.0.0.1",
        ] {
            assert!(parse_prefix(text).is_err(), "{text}");
        }
        assert_eq!(parse_prefix("10.1.2.3/8"), Err(PrefixError::HostBits("10.1.2.3/8".into(), "10.0.0.0/8".into())));
        assert!(parse_prefix(&"1".repeat(1_000_000)).is_err());
    }

    #[test]
    fn a_prefix_is_as_wide_as_what_it_holds() {
        let width = |text| parse_prefix(text).map(|range| range.width()).unwrap();
        let v4 = |bits| PrefixWidth { v4: Some(bits), v6: None };
        let v6 = |bits| PrefixWidth { v4: None, v6: Some(bits) };
        assert_eq!(width("192.0.2.1"), v4(32));
        assert_eq!(width("192.0.2.0/24"), v4(24));
        assert_eq!(width("0.0.0.0/0"), v4(0));
        assert_eq!(width("::ffff:192.0.2.0/120"), v4(24));
        assert_eq!(width("::ffff:0:0/96"), v4(0));
        assert_eq!(width("::/0"), PrefixWidth { v4: Some(0), v6: Some(0) });
        assert_eq!(width("::/48"), PrefixWidth { v4: Some(0), v6: Some(48) });
        assert_eq!(width("2001:db8::/32"), v6(32));
        assert_eq!(width("::1"), v6(128));
    }

    #[test]
    fn knows_the_families() {
        let v4 = parse_prefix("0.0.0.0/0").unwrap();
        assert!(v4.contains(&parse_address("255.1.2.3").unwrap()));
        assert!(!v4.contains(&parse_address("2001:db8::1").unwrap()));
        assert!(parse_prefix("::/0").unwrap().contains(&parse_address("192.0.2.1").unwrap()));
        assert_eq!(address_text(&parse_address("::ffff:192.0.2.1").unwrap()), "192.0.2.1");
        let a = parse_address("203.0.113.77").unwrap();
        assert_eq!(address_text(&network_of(&a, 24).unwrap()), "203.0.113.0");
        assert_eq!(network_of(&a, 64).unwrap(), a);
        assert_eq!(network_of(&a, -1), None);
        let b = parse_address("2001:db8:1:2::3").unwrap();
        assert_eq!(address_text(&network_of(&b, 48).unwrap()), "2001:db8:1::");
    }

    proptest! {
        #[test]
        fn text_round_trips(bytes: [u8; 16], v4: [u8; 4]) {
            prop_assert_eq!(parse_address(&address_text(&bytes)), Some(bytes));
            let mapped = v4_bytes(v4.into());
            prop_assert_eq!(parse_address(&Ipv4Addr::from(v4).to_string()), Some(mapped));
            prop_assert_eq!(address_text(&mapped), Ipv4Addr::from(v4).to_string());
        }

        #[test]
        fn a_prefix_is_exactly_its_range(v4: [u8; 4], other: [u8; 4], bits in 0u32..=32) {
            let mask = if bits == 0 { 0 } else { u32::MAX << (32 - bits) };
            let network = u32::from_be_bytes(v4) & mask;
            let range = parse_prefix(&format!("{}/{bits}", Ipv4Addr::from(network))).unwrap();
            let inside = u32::from_be_bytes(other) & mask == network;
            prop_assert_eq!(range.contains(&v4_bytes(other.into())), inside);
            prop_assert!(range.contains(&v4_bytes(v4.into())));
        }

        #[test]
        fn a_v6_prefix_is_exactly_its_range(a: [u8; 16], b: [u8; 16], bits in 0u32..=128) {
            let mask = if bits == 0 { 0 } else { u128::MAX << (128 - bits) };
            let network = u128::from_be_bytes(a) & mask;
            let range = parse_prefix(&format!("{}/{bits}", Ipv6Addr::from(network))).unwrap();
            prop_assert_eq!(range.contains(&b), u128::from_be_bytes(b) & mask == network);
            prop_assert!(range.contains(&a));
        }

        #[test]
        fn any_text_is_safe(text in ".{0,80}") {
            let _ = parse_prefix(&text);
            let _ = parse_address(&text);
        }
    }
}
