//! IP addresses and prefixes as the data hold them: 16 bytes, IPv4 mapped into `::ffff:0:0/96`. Text forms are the
//! canonical ones (dotted quad; RFC 5952). No names, no ports, no zones.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Bits before the IPv4 part of a mapped address.
const MAPPED_BITS: u8 = 96;

/// An IPv4 or IPv6 address. Ordered by its bytes, so that IPv4 addresses sort together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The first 64 bits; numbers, because comparing bytes costs a guest many times the fuel.
    high: u64,
    low: u64,
}

impl Address {
    /// The address of 16 bytes, IPv4 mapped into `::ffff:0:0/96`.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_bits(u128::from_be_bytes(bytes))
    }

    /// Its 16 bytes, IPv4 mapped.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.to_bits().to_be_bytes()
    }

    /// The address as a number, most significant byte first.
    #[must_use]
    pub const fn to_bits(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }

    /// The IPv4 address, if it is one.
    #[must_use]
    pub const fn ipv4(self) -> Option<Ipv4Addr> {
        if self.is_ipv4() { Some(Ipv4Addr::from_bits(self.low as u32)) } else { None }
    }

    /// Whether it is an IPv4 address.
    #[must_use]
    pub const fn is_ipv4(self) -> bool {
        self.high == 0 && self.low >> 32 == 0xffff
    }

    /// The prefix that holds it: of `v4_length` bits (0 to 32) for an IPv4 address, else of `v6_length` (0 to 128).
    /// More bits than there are count as all.
    #[must_use]
    pub fn prefix(self, v4_length: u8, v6_length: u8) -> Prefix {
        let bits = if self.is_ipv4() { MAPPED_BITS + v4_length.min(32) } else { v6_length.min(128) };
        Prefix { first: Self::from_bits(self.to_bits() & mask(bits)), bits }
    }

    const fn from_bits(bits: u128) -> Self {
        Self { high: (bits >> 64) as u64, low: bits as u64 }
    }
}

/// The mask that keeps the first `bits` of 128.
const fn mask(bits: u8) -> u128 {
    match bits {
        0 => 0,
        bits => u128::MAX << (128 - bits as u32),
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::from_bytes(v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => Self::from_bytes(v6.octets()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ipv4() {
            Some(v4) => v4.fmt(f),
            None => Ipv6Addr::from_bits(self.to_bits()).fmt(f),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        text.parse::<IpAddr>().map(Self::from).map_err(|_| PrefixError::NotAnAddress(text.to_owned()))
    }
}

/// A prefix: an address and how many of its bits count; all others are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    first: Address,
    /// Of the 128 bits of the mapped form.
    bits: u8,
}

impl Prefix {
    /// Its first address.
    #[must_use]
    pub const fn first(self) -> Address {
        self.first
    }

    /// Its length in bits: 0 to 32 for IPv4, 0 to 128 for IPv6.
    #[must_use]
    pub fn length(self) -> u8 {
        if self.is_ipv4() { self.bits - MAPPED_BITS } else { self.bits }
    }

    /// Whether it is an IPv4 prefix.
    #[must_use]
    pub fn is_ipv4(self) -> bool {
        self.bits >= MAPPED_BITS && self.first.is_ipv4()
    }

    /// Whether `address` lies in it.
    #[must_use]
    pub fn contains(self, address: Address) -> bool {
        address.to_bits() & mask(self.bits) == self.first.to_bits()
    }
}

impl From<Address> for Prefix {
    fn from(first: Address) -> Self {
        Self { first, bits: 128 }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads `192.0.2.0/24`, `2001:db8::/32` or a bare address, which is a host prefix. Bits beyond the length are
    /// refused, for two readers could take them for two different things.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let Some((address, length)) = text.split_once('/') else {
            return text.parse::<Address>().map(Self::from);
        };
        let parsed = address.parse::<IpAddr>().map_err(|_| PrefixError::NotAnAddress(text.to_owned()))?;
        let (base, most) = if parsed.is_ipv4() { (MAPPED_BITS, 32) } else { (0, 128) };
        let digits = !length.is_empty() && length.len() <= 3 && length.bytes().all(|b| b.is_ascii_digit());
        let length = length.parse::<u8>().ok().filter(|&bits| digits && bits <= most);
        let Some(length) = length else {
            return Err(PrefixError::BadLength { text: text.to_owned(), most });
        };
        let address = Address::from(parsed);
        let bits = base + length;
        let prefix = Self { first: Address::from_bits(address.to_bits() & mask(bits)), bits };
        if prefix.first != address {
            return Err(PrefixError::HostBits { text: text.to_owned(), meant: prefix.to_string() });
        }
        Ok(prefix)
    }
}

/// Why a text is no address or prefix: the fault of whoever gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrefixError {
    /// No IPv4 or IPv6 address.
    NotAnAddress(String),
    /// The length is no number from 0 to the most.
    BadLength {
        /// The text given.
        text: String,
        /// 32 or 128.
        most: u8,
    },
    /// Bits beyond the length are set.
    HostBits {
        /// The text given.
        text: String,
        /// The same with those bits zero.
        meant: String,
    },
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnAddress(text) => write!(f, "`{text}` is not an address or prefix"),
            Self::BadLength { text, most } => write!(f, "`{text}` needs a prefix length from 0 to {most}"),
            Self::HostBits { text, meant } => write!(f, "`{text}` has bits beyond its length; meant is `{meant}`"),
        }
    }
}

impl std::error::Error for PrefixError {}

impl From<PrefixError> for String {
    fn from(error: PrefixError) -> Self {
        error.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn text_forms_are_canonical() {
        for (given, shown) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("::", "::"),
        ] {
            assert_eq!(address(given).to_string(), shown);
        }
        assert!("192.0.2".parse::<Address>().is_err());
        assert!("192.0.2.01".parse::<Address>().is_err());
    }

    #[test]
    fn prefixes_keep_their_family_and_length() {
        for (given, shown) in [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ] {
            assert_eq!(given.parse::<Prefix>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn prefixes_that_mean_nothing_are_refused_with_the_reason() {
        let refused = |text: &str| text.parse::<Prefix>().unwrap_err().to_string();
        assert_eq!(refused("10.0.0.1/8"), "`10.0.0.1/8` has bits beyond its length; meant is `10.0.0.0/8`");
        assert_eq!(refused("10.0.0.0/33"), "`10.0.0.0/33` needs a prefix length from 0 to 32");
        assert_eq!(refused("10.0.0.0/+8"), "`10.0.0.0/+8` needs a prefix length from 0 to 32");
        assert_eq!(refused("host/8"), "`host/8` is not an address or prefix");
    }

    #[test]
    fn masking_and_membership_agree() {
        let prefix = address("198.51.100.77").prefix(24, 48);
        assert_eq!(prefix.to_string(), "198.51.100.0/24");
        assert!(prefix.contains(address("198.51.100.255")));
        assert!(!prefix.contains(address("198.51.101.0")));
        assert_eq!(address("2001:db8:1:2::3").prefix(24, 48).to_string(), "2001:db8:1::/48");
        assert_eq!(address("198.51.100.77").prefix(0, 0).to_string(), "0.0.0.0/0");
        assert_eq!(address("2001:db8::1").prefix(99, 200).to_string(), "2001:db8::1/128");
    }
}
