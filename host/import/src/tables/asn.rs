//! AS numbers as people write them.

/// A text that is not an AS number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not an AS number")]
pub struct NoAsn;

impl From<NoAsn> for crate::tally::Why {
    fn from(_: NoAsn) -> Self {
        Self::Malformed("an AS number is malformed")
    }
}

/// Reads an AS number, as a number or in two halves (`1.10`, RFC 5396), with or without `AS` before it.
///
/// # Errors
/// When it is neither.
pub fn parse_asn(text: &str) -> Result<u32, NoAsn> {
    let named = text.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("as"));
    let number = if named { text[2..].trim_start() } else { text };
    match number.split_once('.') {
        Some((high, low)) => Ok(u32::from(digits::<u16>(high)?) << 16 | u32::from(digits::<u16>(low)?)),
        None => digits(number),
    }
}

/// Decimal digits only: no sign.
fn digits<N: std::str::FromStr>(text: &str) -> Result<N, NoAsn> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain).ok_or(NoAsn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_as_number_is_read() {
        for (text, asn) in [
            ("0", 0),
            ("64500", 64_500),
            ("AS64500", 64_500),
            ("as64500", 64_500),
            ("As 64500", 64_500),
            ("4294967295", u32::MAX),
            ("1.10", 65_546),
            ("AS1.10", 65_546),
            ("0.65526", 65_526),
            ("65535.65535", u32::MAX),
        ] {
            assert_eq!(parse_asn(text), Ok(asn), "{text}");
        }
        for text in
            ["", "AS", "+1", "-1", "1.", ".1", "1.65536", "65536.0", "1.2.3", "4294967296", "AS+1", "1.+1", "ASé", "é1"]
        {
            assert_eq!(parse_asn(text), Err(NoAsn), "{text}");
        }
    }
}
