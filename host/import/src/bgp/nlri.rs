//! Prefixes as BGP writes them: a length in bits and as many bytes as it needs (RFC 4271 §4.3), with a path identifier
//! before it where the session has add-path (RFC 7911 §3).

use super::cursor::{Cursor, Family, Malformed};

/// One prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Network address, bits past the length zero, IPv4 mapped.
    pub address: [u8; 16],
    /// Length in bits in its own family.
    pub len: u8,
    /// Path identifier, with add-path.
    pub path_id: Option<u32>,
}

/// Reads one prefix.
///
/// # Errors
/// When its length is longer than its family's addresses or its bytes are not there.
pub fn read_prefix(cursor: &mut Cursor<'_>, family: Family, add_path: bool) -> Result<Prefix, Malformed> {
    let path_id = if add_path { Some(cursor.u32()?) } else { None };
    let len = cursor.u8()?;
    let start = match family {
        Family::V4 => 12,
        Family::V6 => 0,
    };
    if len > family.bits() {
        return Err(Malformed("a prefix is longer than an address"));
    }
    let bytes = cursor.take(usize::from(len).div_ceil(8), "a prefix is cut short")?;
    let mut address = if start == 12 { super::cursor::mapped([0; 4]) } else { [0; 16] };
    address[start..start + bytes.len()].copy_from_slice(bytes);
    let past = len % 8;
    if past != 0 {
        address[start + bytes.len() - 1] &= 0xff << (8 - past);
    }
    Ok(Prefix { address, len, path_id })
}

/// Reads prefixes to the end and appends them.
///
/// # Errors
/// As [`read_prefix`]; prefixes before the bad one are appended.
pub fn read_prefixes(bytes: &[u8], family: Family, add_path: bool, into: &mut Vec<Prefix>) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(bytes);
    while !cursor.is_empty() {
        into.push(read_prefix(&mut cursor, family, add_path)?);
    }
    Ok(())
}

/// Whether bytes are prefixes as a speaker writes them: to the last byte, no bit set behind a length (RFC 4271 leaves that
/// open, and nobody does it), and not the prefix of all addresses twice, as which path identifiers read that are not
/// expected.
#[must_use]
pub fn fits(bytes: &[u8], family: Family, add_path: bool) -> bool {
    let (mut at, mut shortest, id_bytes) = (0, 0, if add_path { 4 } else { 0 });
    while at < bytes.len() {
        let Some(len) = bytes.get(at + id_bytes).copied().filter(|len| *len <= family.bits()) else { return false };
        at += id_bytes + 1 + usize::from(len).div_ceil(8);
        let Some(last) = bytes.get(at - 1) else { return false };
        if len % 8 != 0 && last & (0xff >> (len % 8)) != 0 {
            return false;
        }
        shortest += usize::from(len == 0);
    }
    add_path || shortest < 2
}

/// Whether routes of one family carry path identifiers, which the session says they do or do not. It is believed unless
/// its routes do not fit and would fit the other way: some collectors write messages of sessions with path identifiers
/// in records without (RFC 8050 §1), and some all messages of a session as if all its families had them.
#[must_use]
pub fn has_path_ids(lists: &[&[u8]], family: Family, said: bool) -> bool {
    let all_fit = |add_path| lists.iter().all(|bytes| fits(bytes, family, add_path));
    if all_fit(said) || !all_fit(!said) { said } else { !said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::address;

    #[test]
    fn path_identifiers_are_recognised_where_nothing_else_fits() {
        let v4 = |bytes: &[u8], said| has_path_ids(&[bytes], Family::V4, said);
        for with in [
            &[0, 0, 0, 9, 16, 10, 0][..],
            &[0, 0, 0, 1, 24, 198, 51, 100, 0, 0, 0, 1, 24, 203, 0, 113],
            &[0, 0, 1, 0, 16, 10, 0],
            &[0, 1, 0, 0, 16, 10, 0],
            &[1, 0, 0, 1, 24, 192, 0, 2],
            &[0, 0, 0, 1, 0],
        ] {
            assert!(v4(with, false) && v4(with, true), "{with:?}");
        }
        for without in [&[24, 192, 0, 2][..], &[8, 10, 16, 10, 1], &[0], &[32, 10, 0, 0, 1, 24, 10, 0, 0], &[0, 8, 10]]
        {
            assert!(!v4(without, false) && !v4(without, true), "{without:?}");
        }
        assert!(!v4(&[], false) && v4(&[], true), "nothing says nothing");
        assert!(!v4(&[9, 10, 255], false), "bits behind a length are allowed");
        assert!(!v4(&[33, 1], false) && v4(&[33, 1], true), "what fits neither way is as the session says");
        assert!(has_path_ids(&[&[0, 0, 0, 1, 32, 0x20, 1, 0x0d, 0xb8]], Family::V6, false));
        assert!(!has_path_ids(&[&[8, 10], &[0, 0, 0, 1, 8, 10]], Family::V4, false), "a session has one form");
    }

    fn read(bytes: &[u8], family: Family, add_path: bool) -> Result<Vec<Prefix>, Malformed> {
        let mut prefixes = Vec::new();
        read_prefixes(bytes, family, add_path, &mut prefixes).map(|()| prefixes)
    }

    #[test]
    fn prefixes_of_both_families_are_read_and_their_host_bits_dropped() {
        let v4 = read(&[24, 192, 0, 2, 0, 9, 10, 0xff, 32, 198, 51, 100, 7], Family::V4, false).unwrap();
        let texts = ["192.0.2.0", "0.0.0.0", "10.128.0.0", "198.51.100.7"];
        let want: Vec<_> = texts.iter().map(|text| address(text.parse().unwrap())).collect();
        assert_eq!(v4.iter().map(|p| p.address).collect::<Vec<_>>(), want);
        assert_eq!(v4.iter().map(|p| p.len).collect::<Vec<_>>(), [24, 0, 9, 32]);
        let v6 = read(&[0, 0, 0, 5, 33, 0x20, 0x01, 0x0d, 0xb8, 0xff], Family::V6, true).unwrap();
        assert_eq!(v6, [Prefix { address: address("2001:db8:8000::".parse().unwrap()), len: 33, path_id: Some(5) }]);
    }

    #[test]
    fn lengths_that_lie_are_malformed() {
        assert!(read(&[33, 1, 2, 3, 4, 5], Family::V4, false).is_err());
        assert!(read(&[129; 18], Family::V6, false).is_err());
        assert!(read(&[24, 1, 2], Family::V4, false).is_err());
        assert!(read(&[0, 0, 1], Family::V4, true).is_err());
    }
}
