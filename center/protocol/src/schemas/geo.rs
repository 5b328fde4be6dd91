//! `asinfo/1` and `geo/1`: who uses a prefix, and where. Data only.

use super::table::{About, Column, ColumnType::*, Schema, optional, required};

pub(super) const ASINFO: Schema = Schema {
    id: "asinfo/1",
    summary: "one prefix with an AS that originates it, or may originate it",
    public: true,
    columns: ASINFO_COLUMNS,
};

pub(super) const GEO: Schema =
    Schema { id: "geo/1", summary: "one prefix with the place where it is used", public: true, columns: GEO_COLUMNS };

const ASINFO_COLUMNS: &[Column] = &[
    required(
        "prefix",
        Address,
        "",
        About(
            "network address of the prefix; an address range becomes the fewest prefixes that cover it",
            "ip→AS table; ROA ipAddress (RFC 9582 §4.3)",
        ),
    ),
    required(
        "prefix_len",
        Uint,
        "bits",
        About("length of the prefix in its own address family", "ip→AS table; ROA ipAddress (RFC 9582 §4.3)"),
    ),
    required(
        "asn",
        Uint,
        "",
        About("AS number; 0 where nobody may originate the prefix (RFC 7607)", "ip→AS table; ROA asID (RFC 9582 §4.2)"),
    ),
    optional(
        "max_len",
        Uint,
        "bits",
        About("longest prefix that the AS may originate; null means `prefix_len`", "ROA maxLength (RFC 9582 §4.3.2.2)"),
    ),
    optional(
        "kind",
        Text,
        "",
        About(
            "`bgp` observed, `roa` authorised in the RPKI, `irr` registered, `rir` allocated",
            "given by the provider",
        ),
    ),
    optional("name", Text, "", About("name of the AS", "RIR whois as-name, RPSL aut-num (RFC 2622 §6)")),
    optional("organisation", Text, "", About("organisation that holds the AS", "RIR whois org-name")),
    optional(
        "country",
        Text,
        "",
        About("country of registration, ISO 3166-1 alpha-2, upper case", "RIR delegated statistics cc"),
    ),
    optional(
        "registry",
        Text,
        "",
        About(
            "registry or trust anchor, for example `ripencc`",
            "RIR delegated statistics registry; RPKI trust anchor",
        ),
    ),
    optional(
        "valid_from",
        Timestamp,
        "µs",
        About("from when the statement holds", "ROA EE certificate notBefore; otherwise when the table was made"),
    ),
    optional("valid_to", Timestamp, "µs", About("until when the statement holds", "ROA EE certificate notAfter")),
];

const GEO_COLUMNS: &[Column] = &[
    required(
        "prefix",
        Address,
        "",
        About(
            "network address of the prefix; an address range becomes the fewest prefixes that cover it",
            "RFC 8805 §2.1.1.1 ip_prefix",
        ),
    ),
    required(
        "prefix_len",
        Uint,
        "bits",
        About("length of the prefix in its own address family", "RFC 8805 §2.1.1.1 ip_prefix"),
    ),
    optional(
        "country",
        Text,
        "",
        About(
            "ISO 3166-1 alpha-2 code, upper case; null where the publisher says that there is none",
            "RFC 8805 §2.1.1.2 alpha2code",
        ),
    ),
    optional("region", Text, "", About("ISO 3166-2 subdivision code, for example `US-AL`", "RFC 8805 §2.1.1.3 region")),
    optional("city", Text, "", About("name of the city, as the publisher writes it", "RFC 8805 §2.1.1.4 city")),
    optional(
        "postal_code",
        Text,
        "",
        About("postal code (deprecated by the RFC; null where not given)", "RFC 8805 §2.1.1.5 postal_code"),
    ),
    optional(
        "latitude",
        Float,
        "degrees",
        About("latitude, WGS 84, north positive", "not in RFC 8805; geolocation databases"),
    ),
    optional(
        "longitude",
        Float,
        "degrees",
        About("longitude, WGS 84, east positive", "not in RFC 8805; geolocation databases"),
    ),
    optional("valid_from", Timestamp, "µs", About("when the table was made or fetched", "given by the provider")),
];
