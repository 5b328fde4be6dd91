//! `pdns/1`: passive DNS. Data only.

use super::table::{About, Column, ColumnType::*, Schema, optional, required};

pub(super) const PDNS: Schema = Schema {
    id: "pdns/1",
    summary: "one DNS resource record as observed between two times",
    public: false,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    required(
        "rrname",
        Text,
        "",
        About(
            "owner name in lower case without the final dot; `.` is the root",
            "COF rrname (passive DNS Common Output Format, draft-dulaunoy-dnsop-passive-dns-cof)",
        ),
    ),
    required(
        "rrtype",
        Text,
        "",
        About("record type in upper case, for example `A`, or `TYPE65` for one without a mnemonic", "COF rrtype"),
    ),
    required(
        "rdata",
        Text,
        "",
        About("record data in presentation format; a COF array becomes one row an element", "COF rdata"),
    ),
    required("time_first", Timestamp, "µs", About("when the record was first seen", "COF time_first, time_first_ms")),
    required("time_last", Timestamp, "µs", About("when the record was last seen", "COF time_last, time_last_ms")),
    optional("count", Uint, "answers", About("how many answers carried the record", "COF count")),
    optional("address", Address, "", About("the address of an A or AAAA record, else null", "derived from COF rdata")),
    optional("bailiwick", Text, "", About("closest enclosing zone delegated to the answering server", "COF bailiwick")),
    optional(
        "zone_time_first",
        Timestamp,
        "µs",
        About("when the record was first seen in an imported zone file", "COF zone_time_first"),
    ),
    optional(
        "zone_time_last",
        Timestamp,
        "µs",
        About("when the record was last seen in an imported zone file", "COF zone_time_last"),
    ),
    optional("sensor", Text, "", About("sensor that observed the record", "COF sensor_id")),
    optional("origin", Text, "", About("where the record came from, as the provider names it", "COF origin")),
];
