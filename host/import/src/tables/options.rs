//! What a provider says about a table.

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// `prefix TAB asn`, comments after `;` (pyasn): `asinfo/1`.
    Pyasn,
    /// CSV `start,end,asn,organisation` (ip-location-db): `asinfo/1`.
    AsRanges,
    /// Validated ROA payloads as CSV with a header, or as JSON with an array `roas`, as validators export them:
    /// `asinfo/1` of kind `roa`.
    Roas,
    /// CSV `prefix,country,region,city,postal_code` (RFC 8805): `geo/1`.
    Geofeed,
    /// CSV `start,end,country` (ip-location-db): `geo/1`.
    GeoRanges,
}

/// What an AS and a prefix have to do with each other, in a table that does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsinfoKind {
    /// Observed in BGP.
    Bgp,
    /// Registered in an IRR.
    Irr,
    /// Allocated by a RIR.
    Rir,
}

impl AsinfoKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bgp => "bgp",
            Self::Irr => "irr",
            Self::Rir => "rir",
        }
    }
}

/// What the provider says about a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How it is written.
    pub format: TableFormat,
    /// What it says about ASes; ROAs are always `roa`. pyasn tables are made of BGP tables, so `bgp` where this is not
    /// given.
    pub kind: Option<AsinfoKind>,
    /// Registry or trust anchor, where a row has none.
    pub registry: Option<String>,
    /// When it was made, microseconds since the epoch.
    pub valid_from: Option<i64>,
}

impl Options {
    /// A table of which only the format is known.
    #[must_use]
    pub const fn new(format: TableFormat) -> Self {
        Self { format, kind: None, registry: None, valid_from: None }
    }
}
