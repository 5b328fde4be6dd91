//! A seed, and numbers in network byte order on their way into one.

/// A seed: its target, its name, its bytes.
pub(crate) type Seed = (&'static str, String, Vec<u8>);

/// Numbers of two bytes.
pub(crate) fn shorts(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// Numbers of four bytes.
pub(crate) fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// The length of bytes in two bytes.
pub(crate) fn len16(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).expect("seeds are small").to_be_bytes()
}

/// The length of bytes in four bytes.
pub(crate) fn len32(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("seeds are small").to_be_bytes()
}
