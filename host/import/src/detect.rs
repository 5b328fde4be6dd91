//! Which format a file has, by its first bytes after decompression. A guess is only made where the bytes leave little
//! doubt; who knows better names the format.

use crate::tables::{self, TableFormat};
use crate::{bmp, mrt, nfdump, pcap, pdns, sflow};

/// Bytes to show [`detect`]: the first line of a table or of passive DNS may be long. With fewer it knows less.
pub const HEAD_BYTES: usize = 16 * 1024;

/// A format of the crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Messages of NetFlow v5, v9, IPFIX or sFlow back to back ([`crate::exports`]).
    Exports,
    /// A packet capture of the datagrams that carry such messages. Never guessed: a capture may hold them by the way.
    ExportsInPcap,
    /// A packet capture, aggregated into flows ([`crate::pcap`]).
    Pcap,
    /// A file of nfdump ([`crate::nfdump`]).
    Nfdump,
    /// MRT routes ([`crate::mrt`]).
    Mrt,
    /// A stream of BMP as it was received ([`crate::bmp`]).
    Bmp,
    /// Passive DNS in the Common Output Format ([`crate::pdns`]).
    Pdns,
    /// A table of addresses ([`crate::tables`]).
    Table(TableFormat),
}

impl Format {
    /// All of them, in the order in which help lists them.
    pub const ALL: [Self; 12] = [
        Self::Exports,
        Self::ExportsInPcap,
        Self::Pcap,
        Self::Nfdump,
        Self::Mrt,
        Self::Bmp,
        Self::Pdns,
        Self::Table(TableFormat::Pyasn),
        Self::Table(TableFormat::AsRanges),
        Self::Table(TableFormat::Roas),
        Self::Table(TableFormat::Geofeed),
        Self::Table(TableFormat::GeoRanges),
    ];

    /// Its name, as options and reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exports => "exports",
            Self::ExportsInPcap => "exports-in-pcap",
            Self::Pcap => "pcap",
            Self::Nfdump => "nfdump",
            Self::Mrt => "mrt",
            Self::Bmp => "bmp",
            Self::Pdns => "pdns",
            Self::Table(TableFormat::Pyasn) => "pyasn",
            Self::Table(TableFormat::AsRanges) => "as-ranges",
            Self::Table(TableFormat::Roas) => "roas",
            Self::Table(TableFormat::Geofeed) => "geofeed",
            Self::Table(TableFormat::GeoRanges) => "geo-ranges",
        }
    }

    /// The schema of its rows.
    #[must_use]
    pub const fn schema(self) -> &'static str {
        match self {
            Self::Exports | Self::ExportsInPcap | Self::Pcap | Self::Nfdump => "flow/1",
            Self::Mrt | Self::Bmp => "route/1",
            Self::Pdns => "pdns/1",
            Self::Table(TableFormat::Pyasn | TableFormat::AsRanges | TableFormat::Roas) => "asinfo/1",
            Self::Table(TableFormat::Geofeed | TableFormat::GeoRanges) => "geo/1",
        }
    }
}

/// The format of a file that begins so, decompressed; none when the bytes are in no format known.
#[must_use]
pub fn detect(head: &[u8]) -> Option<Format> {
    match head {
        head if pcap::is_capture(head) => Some(Format::Pcap),
        head if nfdump::is_nfdump(head) => Some(Format::Nfdump),
        head if is_exports(head) => Some(Format::Exports),
        head if mrt::looks_like(head) => Some(Format::Mrt),
        head if bmp::looks_like(head) => Some(Format::Bmp),
        head if pdns::looks_like(head) => Some(Format::Pdns),
        _ => tables::looks_like(head).map(Format::Table),
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
        assert_eq!(of(&[0xd4, 0xc3, 0xb2, 0xa1]), Some(Format::Pcap));
        assert_eq!(of(&[0x0c, 0xa5, 2, 0]), Some(Format::Nfdump));
        assert_eq!(of(&[0x53, 0, 0, 0, 0, 13, 0, 1, 0, 0, 4, 0]), Some(Format::Mrt));
        assert_eq!(of(&[3, 0, 0, 0, 40, 4]), Some(Format::Bmp));
        assert_eq!(detect(b"{\"rrname\":\"example.\",\"rrtype\":\"A\"}\n"), Some(Format::Pdns));
        assert_eq!(detect(b"192.0.2.0/24,US,,,\n"), Some(Format::Table(TableFormat::Geofeed)));
        assert_eq!(detect(b"; made today\n192.0.2.0/24\t64500\n"), Some(Format::Table(TableFormat::Pyasn)));
        assert_eq!(detect(b"{\"name\":\"example.\"}\n"), None);
        assert_eq!(of(&[]), None);
        assert_eq!(detect(&[]), None);
    }

    #[test]
    fn names_are_different_and_schemas_exist() {
        let names: std::collections::BTreeSet<&str> = Format::ALL.iter().map(|format| format.name()).collect();
        assert_eq!(names.len(), Format::ALL.len());
        assert!(Format::ALL.iter().all(|format| iog_protocol::schemas::schema(format.schema()).is_some()));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(head in prop::collection::vec(any::<u8>(), 0..256)) {
            let _format = detect(&head);
        }
    }
}
