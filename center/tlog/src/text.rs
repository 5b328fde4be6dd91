//! The spellings all formats here share: canonical base64, decimal numbers without leading zeroes, lower-case hex.
//! Every value has exactly one accepted spelling; this file must never grow a lenient variant.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// A field that is not in its one accepted spelling. The writer of the text is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TextError {
    /// Not RFC 4648 section 4 base64 with padding and zero trailing bits.
    #[error("not canonical base64")]
    Base64,
    /// Not an unsigned decimal number below 2^64 without leading zeroes.
    #[error("not a decimal number without leading zeroes")]
    Decimal,
    /// Not lower-case hexadecimal of the expected length.
    #[error("not lower-case hexadecimal of the expected length")]
    Hex,
    /// Base64 of something else than the expected 32 bytes.
    #[error("{0} bytes where a hash of 32 was expected")]
    HashLength(usize),
}

/// Standard padded base64.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes standard base64, refusing missing padding, other alphabets and non-zero trailing bits.
pub(crate) fn from_base64(text: &str) -> Result<Vec<u8>, TextError> {
    STANDARD.decode(text).map_err(|_| TextError::Base64)
}

/// Reads an unsigned decimal number: digits only, no sign, no leading zero (except the number 0).
pub(crate) fn parse_decimal(text: &str) -> Result<u64, TextError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(TextError::Decimal);
    }
    text.parse().map_err(|_| TextError::Decimal)
}

/// Lower-case hexadecimal.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads exactly `N` bytes of lower-case hexadecimal.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], TextError> {
    let spelled = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != 2 * N || !spelled {
        return Err(TextError::Hex);
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = hex_digit(pair[0]) << 4 | hex_digit(pair[1]);
    }
    Ok(bytes)
}

fn hex_digit(byte: u8) -> u8 {
    if byte.is_ascii_digit() { byte - b'0' } else { byte - b'a' + 10 }
}
