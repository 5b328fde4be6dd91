//! An IP prefix in one spelling: host bits zero, length always written. Does no routing.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use iog_prefix::Written;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is not a prefix: the writer's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IP prefix: expected an address without host bits, `/` and a length, such as `192.0.2.0/24`")]
pub struct PrefixError(String);

/// A network address and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpPrefix {
    address: IpAddr,
    length: u8,
}

impl IpPrefix {
    /// The network address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Bits of the network part, counted in the address's own family.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Whether an address of the same family lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && iog_prefix::network(address, self.length) == self.address
    }
}

impl FromStr for IpPrefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let error = || PrefixError(text.chars().take(60).flat_map(char::escape_default).collect());
        let written = Written::parse(text).map_err(|_| error())?;
        if !written.has_length() || written.has_host_bits() {
            return Err(error());
        }
        Ok(Self { address: written.address(), length: written.length() })
    }
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl Serialize for IpPrefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IpPrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_have_no_host_bits() {
        for good in ["0.0.0.0/0", "192.0.2.0/24", "192.0.2.1/32", "::/0", "2001:db8::/32", "2001:db8::1/128"] {
            assert_eq!(good.parse::<IpPrefix>().unwrap().to_string(), good);
        }
        for bad in
            ["", "192.0.2.0", "192.0.2.1/24", "192.0.2.0/33", "::1/0", "::/129", "192.0.2.0/+4", "192.0.2.0/", "x/8"]
        {
            assert!(bad.parse::<IpPrefix>().is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_in_prefixes_of_their_family_only() {
        let inside =
            |prefix: &str, address: &str| prefix.parse::<IpPrefix>().unwrap().contains(address.parse().unwrap());
        assert!(inside("192.0.2.0/24", "192.0.2.255") && !inside("192.0.2.0/24", "192.0.3.0"));
        assert!(inside("0.0.0.0/0", "255.255.255.255") && !inside("0.0.0.0/0", "::"));
        assert!(inside("2001:db8::/32", "2001:db8:ffff::") && !inside("::/0", "1.2.3.4"));
    }
}
