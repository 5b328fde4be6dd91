//! What may stand as a name in a certificate. Pure.

use std::net::IpAddr;

/// Why a text cannot be a name in a certificate, if it cannot.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let fits = name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(label));
    if fits { Ok(()) } else { Err(format!("`{name}` is neither a DNS name nor an IP address")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_or_addresses() {
        for good in ["localhost", "gw.isp-a.example", "127.0.0.1", "::1"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "*.example", "-a.example", "a..b", "http://x", "a_b", &"a".repeat(64)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
