//! Rows of `route/1`.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{BooleanBuilder, FixedSizeBinaryBuilder, Int64Builder, StringBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use super::fill::{ADDRESS, Fill, addresses, push_address, push_address_option, schema_of, store};
use crate::ImportError;
use crate::bgp::Attributes;
use crate::bgp::nlri::Prefix;
use crate::bgp::update::Update;
use crate::columns::Sink;

/// What a row says about its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// It was in a table.
    Rib,
    /// It was announced.
    Announce,
    /// It was withdrawn.
    Withdraw,
}

impl RouteKind {
    /// As `route/1` writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rib => "rib",
            Self::Announce => "announce",
            Self::Withdraw => "withdraw",
        }
    }
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct RouteRow<'a> {
    /// Microseconds since the epoch.
    pub time: i64,
    /// What it says.
    pub kind: RouteKind,
    /// Address of the peer, IPv4 mapped.
    pub peer: &'a [u8; 16],
    /// AS of the peer.
    pub peer_as: u32,
    /// The prefix.
    pub prefix: Prefix,
    /// Next hop, IPv4 mapped.
    pub next_hop: Option<&'a [u8; 16]>,
    /// Attributes; none for a withdrawal. Their next hop is not used.
    pub attributes: Option<&'a Attributes>,
    /// Name of the collector.
    pub collector: Option<&'a str>,
}

/// The Arrow schema of `route/1`, columns in the documented order; only required columns are not nullable.
#[must_use]
pub fn route_schema() -> SchemaRef {
    use DataType::{Boolean, Int64, UInt64, Utf8};
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        schema_of(&[
            ("time", Int64, false),
            ("kind", Utf8, false),
            ("peer", ADDRESS, false),
            ("peer_as", UInt64, false),
            ("prefix", ADDRESS, false),
            ("prefix_len", UInt64, false),
            ("origin_as", UInt64, true),
            ("as_path", Utf8, true),
            ("path_len", UInt64, true),
            ("origin", Utf8, true),
            ("next_hop", ADDRESS, true),
            ("med", UInt64, true),
            ("local_pref", UInt64, true),
            ("atomic_aggregate", Boolean, true),
            ("aggregator_as", UInt64, true),
            ("communities", Utf8, true),
            ("large_communities", Utf8, true),
            ("path_id", UInt64, true),
            ("collector", Utf8, true),
        ])
    });
    Arc::clone(&SCHEMA)
}

/// Collects rows of `route/1`.
#[derive(Debug)]
pub struct RouteBuilder {
    fill: Fill,
    time: Int64Builder,
    kind: StringBuilder,
    peer: FixedSizeBinaryBuilder,
    peer_as: UInt64Builder,
    prefix: FixedSizeBinaryBuilder,
    prefix_len: UInt64Builder,
    origin_as: UInt64Builder,
    as_path: StringBuilder,
    path_len: UInt64Builder,
    origin: StringBuilder,
    next_hop: FixedSizeBinaryBuilder,
    med: UInt64Builder,
    local_pref: UInt64Builder,
    atomic_aggregate: BooleanBuilder,
    aggregator_as: UInt64Builder,
    communities: StringBuilder,
    large_communities: StringBuilder,
    path_id: UInt64Builder,
    collector: StringBuilder,
}

impl Default for RouteBuilder {
    fn default() -> Self {
        Self {
            fill: Fill::default(),
            time: Int64Builder::new(),
            kind: StringBuilder::new(),
            peer: addresses(),
            peer_as: UInt64Builder::new(),
            prefix: addresses(),
            prefix_len: UInt64Builder::new(),
            origin_as: UInt64Builder::new(),
            as_path: StringBuilder::new(),
            path_len: UInt64Builder::new(),
            origin: StringBuilder::new(),
            next_hop: addresses(),
            med: UInt64Builder::new(),
            local_pref: UInt64Builder::new(),
            atomic_aggregate: BooleanBuilder::new(),
            aggregator_as: UInt64Builder::new(),
            communities: StringBuilder::new(),
            large_communities: StringBuilder::new(),
            path_id: UInt64Builder::new(),
            collector: StringBuilder::new(),
        }
    }
}

impl RouteBuilder {
    /// Adds a row; hands a full batch to the sink.
    ///
    /// # Errors
    /// When the sink cannot store the batch.
    pub fn push(&mut self, row: &RouteRow<'_>, sink: &mut dyn Sink) -> Result<(), ImportError> {
        self.time.append_value(row.time);
        self.kind.append_value(row.kind.name());
        push_address(&mut self.peer, row.peer);
        self.peer_as.append_value(u64::from(row.peer_as));
        push_address(&mut self.prefix, &row.prefix.address);
        self.prefix_len.append_value(u64::from(row.prefix.len));
        push_address_option(&mut self.next_hop, row.next_hop);
        self.path_id.append_option(row.prefix.path_id.map(u64::from));
        self.collector.append_option(row.collector);
        let text = row
            .attributes
            .map_or(0, |found| found.as_path.len() + found.communities.len() + found.large_communities.len());
        match row.attributes {
            Some(attributes) => self.push_attributes(attributes),
            None => self.push_no_attributes(),
        }
        if self.fill.add(text + row.collector.map_or(0, str::len)) { self.flush(sink) } else { Ok(()) }
    }

    fn push_attributes(&mut self, found: &Attributes) {
        self.origin_as.append_option(found.origin_as().map(u64::from));
        self.as_path.append_option(found.has_path.then_some(found.as_path.as_str()));
        self.path_len.append_option(found.path_len());
        self.origin.append_option(found.origin.map(crate::bgp::Origin::name));
        self.med.append_option(found.med.map(u64::from));
        self.local_pref.append_option(found.local_pref.map(u64::from));
        self.atomic_aggregate.append_value(found.atomic_aggregate);
        self.aggregator_as.append_option(found.aggregator_as.map(u64::from));
        self.communities.append_option(some_text(&found.communities));
        self.large_communities.append_option(some_text(&found.large_communities));
    }

    fn push_no_attributes(&mut self) {
        self.origin_as.append_null();
        self.as_path.append_null();
        self.path_len.append_null();
        self.origin.append_null();
        self.med.append_null();
        self.local_pref.append_null();
        self.atomic_aggregate.append_null();
        self.aggregator_as.append_null();
        self.communities.append_null();
        self.large_communities.append_null();
    }

    /// Hands the rows not yet handed on to the sink.
    ///
    /// # Errors
    /// When the sink cannot store the batch.
    pub fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), ImportError> {
        if !self.fill.restart() {
            return Ok(());
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.time.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.peer.finish()),
            Arc::new(self.peer_as.finish()),
            Arc::new(self.prefix.finish()),
            Arc::new(self.prefix_len.finish()),
            Arc::new(self.origin_as.finish()),
            Arc::new(self.as_path.finish()),
            Arc::new(self.path_len.finish()),
            Arc::new(self.origin.finish()),
            Arc::new(self.next_hop.finish()),
            Arc::new(self.med.finish()),
            Arc::new(self.local_pref.finish()),
            Arc::new(self.atomic_aggregate.finish()),
            Arc::new(self.aggregator_as.finish()),
            Arc::new(self.communities.finish()),
            Arc::new(self.large_communities.finish()),
            Arc::new(self.path_id.finish()),
            Arc::new(self.collector.finish()),
        ];
        store(sink, RecordBatch::try_new(route_schema(), columns).expect("columns are as the schema says"))
    }
}

/// Text, or null where there is none.
fn some_text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Who said something, and when.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Microseconds since the epoch.
    pub time: i64,
    /// Address of the peer, IPv4 mapped.
    pub peer: &'a [u8; 16],
    /// AS of the peer.
    pub peer_as: u32,
    /// Name of the collector.
    pub collector: Option<&'a str>,
}

impl RouteBuilder {
    /// Adds a row for each route of an update: withdrawals first, as a speaker applies them.
    ///
    /// # Errors
    /// When the sink cannot store a batch.
    pub fn push_update(&mut self, said: &Said<'_>, update: &Update, sink: &mut dyn Sink) -> Result<(), ImportError> {
        let row = RouteRow {
            time: said.time,
            kind: RouteKind::Withdraw,
            peer: said.peer,
            peer_as: said.peer_as,
            prefix: Prefix { address: [0; 16], len: 0, path_id: None },
            next_hop: None,
            attributes: None,
            collector: said.collector,
        };
        for prefix in &update.withdrawn {
            self.push(&RouteRow { prefix: *prefix, ..row }, sink)?;
        }
        let row = RouteRow { kind: RouteKind::Announce, attributes: Some(&update.attributes), ..row };
        let groups = [
            (&update.announced, update.attributes.next_hop.as_ref()),
            (&update.announced_mp, update.next_hop_mp.as_ref()),
        ];
        for (prefixes, next_hop) in groups {
            for prefix in prefixes {
                self.push(&RouteRow { prefix: *prefix, next_hop, ..row }, sink)?;
            }
        }
        Ok(())
    }
}
