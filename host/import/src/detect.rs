//! Which format a file has, by its first bytes after decompression. A guess is only made where the bytes leave little
//! doubt; who knows better names the format.

use crate::{nfdump, pcap, sflow};

/// Bytes to show [`detect`]; with fewer it knows less.
pub const HEAD_BYTES: usize = 64;

/// A format of the crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Messages of NetFlow v5, v9, IPFIX or sFlow back to back ([`crate::exports`]).
    Exports,
    /// A packet capture ([`crate::pcap`]).
    Capture,
    /// A file of nfdump.
    Nfdump,
    /// MRT routes (RFC 6396).
    Mrt,
    /// Lines of JSON: passive DNS in the Common Output Format.
    JsonLines,
    /// Lines of text that are not JSON: a table of addresses.
    Text,
}

impl Format {
    /// Its name, as options and reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exports => "flow-exports",
            Self::Capture => "pcap",
            Self::Nfdump => "nfdump",
            Self::Mrt => "mrt",
            Self::JsonLines => "json-lines",
            Self::Text => "text",
        }
    }
}

/// The format of a file that begins so, decompressed; none when the bytes are in no format known.
#[must_use]
pub fn detect(head: &[u8]) -> Option<Format> {
    match head {
        head if pcap::is_capture(head) => Some(Format::Capture),
        head if nfdump::is_nfdump(head) => Some(Format::Nfdump),
        head if is_exports(head) => Some(Format::Exports),
        head if is_mrt(head) => Some(Format::Mrt),
        _ => text(head),
    }
}

/// A header of exports: the version, and a count or length that is possible. A v5 message with an impossible count is
/// still recognised, so that it is refused with a reason.
pub(crate) fn is_exports(head: &[u8]) -> bool {
    match head {
        [0, 5, ..] => head.len() >= 24,
        [0, 9, ..] => head.len() >= 20,
        [0, 10, high, low, ..] => u16::from_be_bytes([*high, *low]) >= 16,
        _ => sflow::is_sflow(head),
    }
}

/// An MRT header (RFC 6396 §2): time, type 12, 13, 16, 17, 32, 33, 48 or 49, a small subtype, and a length.
fn is_mrt(head: &[u8]) -> bool {
    let [_, _, _, _, type_high, type_low, subtype_high, subtype_low, length @ ..] = head else { return false };
    let kind = u16::from_be_bytes([*type_high, *type_low]);
    let subtype = u16::from_be_bytes([*subtype_high, *subtype_low]);
    let small = length.first_chunk().is_some_and(|bytes| u32::from_be_bytes(*bytes) < 1 << 24);
    matches!(kind, 12 | 13 | 16 | 17 | 32 | 33 | 48 | 49) && subtype < 32 && small
}

/// Text, by its first bytes: no control characters but those of lines.
fn text(head: &[u8]) -> Option<Format> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let first = *head.iter().find(|byte| !byte.is_ascii_whitespace())?;
    let plain = head.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f || byte.is_ascii_whitespace());
    plain.then_some(if first == b'{' { Format::JsonLines } else { Format::Text })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formats_are_told_apart() {
        let padded = |head: &[u8]| [head, &[0; 64]].concat();
        let of = |head: &[u8]| detect(&padded(head));
        assert_eq!(of(&[0, 5, 0, 2]), Some(Format::Exports));
        assert_eq!(of(&[0, 9, 0, 2]), Some(Format::Exports));
        assert_eq!(of(&[0, 10, 1, 2]), Some(Format::Exports));
        assert_eq!(of(&[0, 0, 0, 5, 0, 0, 0, 1]), Some(Format::Exports));
        assert_eq!(of(&[0xd4, 0xc3, 0xb2, 0xa1]), Some(Format::Capture));
        assert_eq!(of(&[0x0c, 0xa5, 2, 0]), Some(Format::Nfdump));
        assert_eq!(of(&[0x53, 0, 0, 0, 0, 13, 0, 1, 0, 0, 4, 0]), Some(Format::Mrt));
        assert_eq!(detect(b"{\"rrname\":\"example.\"}\n"), Some(Format::JsonLines));
        assert_eq!(detect(b"192.0.2.0/24,US\n"), Some(Format::Text));
        assert_eq!(of(&[]), None);
        assert_eq!(detect(&[]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(head in prop::collection::vec(any::<u8>(), 0..HEAD_BYTES)) {
            let _format = detect(&head);
        }
    }
}
