//! The one reader of IP prefixes as text. It says what is written, host bits and all, and leaves it to its users what of
//! that they take: a catalog, a query and an import differ there. Pure; it knows no way to store a prefix.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most digits of a length.
const LENGTH_DIGITS_MAX: usize = 3;

/// An address, and the length behind its `/` where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    address: IpAddr,
    length: Option<Length>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Length {
    bits: u8,
    is_padded: bool,
}

/// Why a text is not a prefix: the writer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPrefix {
    /// No address before the `/`. Scope ids, and numbers of IPv4 with leading zeros, are not addresses.
    #[error("it does not begin with an address")]
    Address,
    /// The length is not made of one to three digits, or is longer than an address of its family.
    #[error("its length is not one of its family")]
    Length,
}

impl Written {
    /// Reads `192.0.2.0/24`, or an address alone.
    ///
    /// # Errors
    /// [`NotPrefix`].
    pub fn parse(text: &str) -> Result<Self, NotPrefix> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotPrefix::Address)?;
        let read = |digits| read_length(digits).filter(|length| length.bits <= width(address));
        let length = length.map(|digits| read(digits).ok_or(NotPrefix::Length)).transpose()?;
        Ok(Self { address, length })
    }

    /// The address as it is written.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Bits of the network, counted in the address's own family: all of them where no length is written.
    #[must_use]
    pub fn length(&self) -> u8 {
        self.length.map_or_else(|| width(self.address), |length| length.bits)
    }

    /// Whether a length is written.
    #[must_use]
    pub const fn has_length(&self) -> bool {
        self.length.is_some()
    }

    /// Whether the length is written with zeros before it.
    #[must_use]
    pub fn is_padded(&self) -> bool {
        self.length.is_some_and(|length| length.is_padded)
    }

    /// The address with the bits behind the length cleared.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        network(self.address, self.length())
    }

    /// Whether bits are set behind the length.
    #[must_use]
    pub fn has_host_bits(&self) -> bool {
        self.network() != self.address
    }
}

/// Digits only, no sign.
fn read_length(digits: &str) -> Option<Length> {
    let plain = (1..=LENGTH_DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let bits = digits.parse().ok().filter(|_| plain)?;
    Some(Length { bits, is_padded: digits.len() > 1 && digits.starts_with('0') })
}

/// Bits of an address of its family: 32 or 128.
#[must_use]
pub const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// An address with all bits behind the first `length` of its family cleared; a length beyond the family clears none.
#[must_use]
pub fn network(address: IpAddr, length: u8) -> IpAddr {
    let host = u32::from(width(address).saturating_sub(length));
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & u32::MAX.checked_shl(host).unwrap_or(0)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & u128::MAX.checked_shl(host).unwrap_or(0)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The network and its length, and whether host bits are set.
    fn read(text: &str) -> (String, bool) {
        let written = Written::parse(text).unwrap();
        (format!("{}/{}", written.network(), written.length()), written.has_host_bits())
    }

    #[test]
    fn both_families_are_read_from_the_shortest_to_the_longest() {
        for text in ["0.0.0.0/0", "128.0.0.0/1", "192.0.2.0/24", "192.0.2.1/32", "::/0", "2001:db8::/32", "::1/128"] {
            assert_eq!(read(text), (text.to_owned(), false));
        }
        for (text, network) in [
            ("192.0.2.1/24", "192.0.2.0/24"),
            ("255.255.255.255/0", "0.0.0.0/0"),
            ("192.0.2.1/31", "192.0.2.0/31"),
            ("2001:db8::1/127", "2001:db8::/127"),
            ("ffff::/0", "::/0"),
            ("::ffff:192.0.2.1/120", "::ffff:192.0.2.0/120"),
        ] {
            assert_eq!(read(text), (network.to_owned(), true), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_told() {
        assert_eq!((read("192.0.2.1").0, read("::1").0), ("192.0.2.1/32".to_owned(), "::1/128".to_owned()));
        let told = |text| Written::parse(text).map(|written| (written.has_length(), written.is_padded())).unwrap();
        assert_eq!(told("192.0.2.1"), (false, false));
        assert_eq!(told("10.0.0.0/08"), (true, true));
        assert_eq!((told("0.0.0.0/0"), told("0.0.0.0/00")), ((true, false), (true, true)));
    }

    #[test]
    fn a_text_that_is_not_a_prefix_says_why() {
        for text in ["", "/", "x/8", "10.0.0/8", "010.0.0.1", "fe80::1%eth0/64", " 10.0.0.0/8"] {
            assert_eq!(Written::parse(text), Err(NotPrefix::Address), "{text}");
        }
        for length in ["", "33", "-1", "+8", "8/8", "0008", "256", "8 ", "٣"] {
            assert_eq!(Written::parse(&format!("10.0.0.0/{length}")), Err(NotPrefix::Length), "{length}");
        }
        assert_eq!(Written::parse("::/129"), Err(NotPrefix::Length));
    }

    proptest! {
        #[test]
        fn a_network_shares_the_length_and_no_more(bits: u32, length in 0u8..=32) {
            let address = IpAddr::from(Ipv4Addr::from_bits(bits));
            let IpAddr::V4(found) = network(address, length) else { panic!("another family") };
            prop_assert!((found.to_bits() ^ bits).leading_zeros() >= u32::from(length));
            prop_assert!(length == 0 || found.to_bits().trailing_zeros() >= 32 - u32::from(length));
        }

        #[test]
        fn any_text_is_safe(text in ".{0,80}") {
            let _ = Written::parse(&text);
        }
    }
}
