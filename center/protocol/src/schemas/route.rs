//! `route/1`: what BGP speakers said, from table dumps and update streams. Data only.

use super::table::{About, Column, ColumnType::*, Schema, optional, required};

pub(super) const ROUTE: Schema = Schema {
    id: "route/1",
    summary: "one prefix in one routing table dump or BGP update, as one peer of a collector stated it",
    public: true,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    required(
        "time",
        Timestamp,
        "µs",
        About(
            "when the update was received; for a table dump, when the dump was made",
            "MRT common header Timestamp and, in BGP4MP_ET, Microsecond Timestamp (RFC 6396 §2, §3)",
        ),
    ),
    required(
        "kind",
        Text,
        "",
        About(
            "`rib` for a table entry, `announce` or `withdraw` for an update",
            "MRT type: TABLE_DUMP (12), TABLE_DUMP_V2 (13); BGP4MP (16), BGP4MP_ET (17) (RFC 6396 §4)",
        ),
    ),
    required(
        "peer",
        Address,
        "",
        About("address of the peer that stated the route", "MRT Peer IP Address (RFC 6396 §4.3.1, §4.4)"),
    ),
    required("peer_as", Uint, "", About("AS number of that peer", "MRT Peer AS (RFC 6396 §4.3.1, §4.4)")),
    required(
        "prefix",
        Address,
        "",
        About(
            "network address of the prefix",
            "NLRI (RFC 4271 §4.3), MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760), MRT RIB Prefix (RFC 6396 §4.3.2)",
        ),
    ),
    required(
        "prefix_len",
        Uint,
        "bits",
        About(
            "length of the prefix in its own address family",
            "NLRI Length (RFC 4271 §4.3), MRT RIB Prefix Length (RFC 6396 §4.3.2)",
        ),
    ),
    optional(
        "origin_as",
        Uint,
        "",
        About(
            "last AS of the path; null for a withdrawal and where the path ends in an AS_SET",
            "BGP AS_PATH (2), AS4_PATH (17)",
        ),
    ),
    optional(
        "as_path",
        Text,
        "",
        About(
            "AS path from the peer to the origin, separated by spaces, an AS_SET as `{64500,64501}`",
            "BGP AS_PATH (2), AS4_PATH (17) (RFC 4271 §5.1.2, RFC 6793)",
        ),
    ),
    optional(
        "path_len",
        Uint,
        "",
        About(
            "number of AS numbers in the path, prepending included, an AS_SET counted once",
            "BGP AS_PATH (2) (RFC 4271 §9.1.2.2)",
        ),
    ),
    optional("origin", Text, "", About("`igp`, `egp` or `incomplete`", "BGP ORIGIN (1)")),
    optional("next_hop", Address, "", About("next hop", "BGP NEXT_HOP (3), MP_REACH_NLRI (14)")),
    optional("med", Uint, "", About("multi-exit discriminator", "BGP MULTI_EXIT_DISC (4)")),
    optional("local_pref", Uint, "", About("local preference", "BGP LOCAL_PREF (5)")),
    optional(
        "atomic_aggregate",
        Flag,
        "",
        About("whether the route is an aggregate that lost path information", "BGP ATOMIC_AGGREGATE (6)"),
    ),
    optional(
        "aggregator_as",
        Uint,
        "",
        About("AS that formed the aggregate", "BGP AGGREGATOR (7), AS4_AGGREGATOR (18)"),
    ),
    optional(
        "communities",
        Text,
        "",
        About("communities as `65000:1`, separated by spaces", "BGP COMMUNITIES (8) (RFC 1997)"),
    ),
    optional(
        "large_communities",
        Text,
        "",
        About("large communities as `65000:1:2`, separated by spaces", "BGP LARGE_COMMUNITY (32) (RFC 8092)"),
    ),
    optional(
        "path_id",
        Uint,
        "",
        About(
            "path identifier where several paths of one prefix are kept",
            "BGP ADD-PATH Path Identifier (RFC 7911), MRT RIB_*_ADDPATH (RFC 8050)",
        ),
    ),
    optional(
        "collector",
        Text,
        "",
        About(
            "name of the collector, for example `rrc00`",
            "MRT PEER_INDEX_TABLE View Name or Collector BGP ID (RFC 6396 §4.3.1), else given by the provider",
        ),
    ),
];
