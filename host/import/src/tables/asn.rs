//! AS numbers as tables write them.

use crate::tally::Why;

/// An AS number, with or without `AS` before it.
pub(super) fn parse_asn(text: &str) -> Result<u32, Why> {
    let digits = text.strip_prefix("AS").or_else(|| text.strip_prefix("as")).unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain).ok_or(Why::Malformed("an AS number is malformed"))
}
