//! The records of nfdump's data blocks: flow records of layout 2 (record type 11, elements that carry their own type and
//! length), exporters, and those of layout 1, which `legacy` knows. All numbers are little-endian, addresses too.

use std::collections::HashMap;
use std::path::Path;

use super::blocks::Block;
use super::bytes::{mapped, set_transport, u16_at, u32_at, u64_at, v6_at};
use super::legacy::Maps;
use crate::ImportError;
use crate::columns::FlowRow;
use crate::netflow::ExportOptions;
use crate::tally::{Tally, Why};

const LEGACY_FLOW: u16 = 1;
const EXTENSION_MAP: u16 = 2;
const EXPORTER: u16 = 7;
const LEGACY_FLOW_LARGE: u16 = 10;
const FLOW: u16 = 11;

/// Bytes of a flow record in front of its elements.
const FLOW_HEADER_BYTES: usize = 12;
/// The record is an event of a firewall or of address translation.
const FLAG_EVENT: u8 = 1;

/// Why a block cannot be read to its end.
pub(super) enum Broken {
    /// It breaks the format.
    Format(String),
    /// A row was not taken.
    Row(ImportError),
}

impl Broken {
    /// As the error of the block that begins at `offset`.
    pub(super) fn at(self, path: &Path, offset: u64) -> ImportError {
        match self {
            Self::Format(reason) => ImportError::Damaged { path: path.to_path_buf(), offset, reason },
            Self::Row(error) => error,
        }
    }
}

impl From<ImportError> for Broken {
    fn from(error: ImportError) -> Self {
        Self::Row(error)
    }
}

/// What a record was.
pub(super) type Read = Result<FlowRow, Why>;

/// Takes rows.
type Rows<'a> = &'a mut dyn FnMut(&FlowRow) -> Result<(), ImportError>;

/// Decodes the records of a file; remembers its exporters and, for layout 1, its extension maps.
pub(super) struct Decoder<'a> {
    options: &'a ExportOptions,
    /// By nfdump's own number of 16 bits, so at most 65,536 of 18 bytes.
    exporters: HashMap<u16, [u8; 16]>,
    maps: Maps,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(options: &'a ExportOptions) -> Self {
        Self { options, exporters: HashMap::new(), maps: Maps::default() }
    }

    /// Decodes the records of a block.
    pub(super) fn block(&mut self, block: &Block<'_>, tally: &mut Tally, rows: Rows<'_>) -> Result<(), Broken> {
        let mut rest = block.bytes;
        for number in 0..block.records {
            let size = usize::from(u16_at(rest, 2).ok_or_else(|| ends(number, block.records))?);
            if size < 4 || size > rest.len() {
                return Err(Broken::Format(format!(
                    "record {number} of the block has {size} bytes, {} are left",
                    rest.len()
                )));
            }
            let (record, after) = rest.split_at(size);
            rest = after;
            self.record(record, tally, rows)?;
        }
        if rest.iter().any(|byte| *byte != 0) {
            tally.skip(Why::Malformed("bytes behind the last record of a block"));
        }
        Ok(())
    }

    fn record(&mut self, record: &[u8], tally: &mut Tally, rows: Rows<'_>) -> Result<(), Broken> {
        let read = match u16_at(record, 0).unwrap_or_default() {
            FLOW => self.flow(record),
            kind @ (LEGACY_FLOW | LEGACY_FLOW_LARGE) => {
                let exporters = &self.exporters;
                self.maps.flow(record, kind == LEGACY_FLOW_LARGE).map(|(mut row, exporter)| {
                    row.exporter = row.exporter.or_else(|| exporters.get(&exporter).copied());
                    row
                })
            }
            EXTENSION_MAP => return self.maps.learn(record).map_err(Broken::Format),
            EXPORTER => {
                self.exporter(record);
                return Ok(());
            }
            // Port histograms, exporter statistics, samplers, names of applications, interfaces and routing tables: none
            // is a flow that is lost.
            3..=6 | 8 | 9 | 12..=15 => return Ok(()),
            _ => Err(Why::NotApplicable("record of an unknown type")),
        };
        let complete =
            read.and_then(
                |mut row| {
                    if self.options.complete(&mut row) { Ok(row) } else { Err(Why::Incomplete("ingress_as")) }
                },
            );
        match complete {
            Ok(row) => Ok(rows(&row)?),
            Err(why) => {
                tally.skip(why);
                Ok(())
            }
        }
    }

    /// Remembers the address of an exporter: version (4), address (16), family (2), number (2).
    fn exporter(&mut self, record: &[u8]) {
        let (Some(family), Some(number)) = (u16_at(record, 24), u16_at(record, 26)) else { return };
        // AF_INET is 2 everywhere; the other one is IPv6 whatever its number.
        let address = if family == 2 { u32_at(record, 16).map(mapped) } else { v6_at(record, 8) };
        if let Some(address) = address {
            self.exporters.insert(number, address);
        }
    }

    /// Decodes a flow record of layout 2.
    #[inline]
    fn flow(&self, record: &[u8]) -> Read {
        let cut = CUT;
        let (Some(elements), Some(number), Some(&flags)) = (u16_at(record, 4), u16_at(record, 8), record.get(10))
        else {
            return Err(cut);
        };
        let mut flow = Flow { row: FlowRow::default(), counted: false, addressed: false, event_ms: 0 };
        let mut rest = record.get(FLOW_HEADER_BYTES..).ok_or(cut)?;
        for _ in 0..elements {
            let (Some(kind), Some(length)) = (u16_at(rest, 0), u16_at(rest, 2)) else { return Err(cut) };
            let body = rest.get(4..usize::from(length)).ok_or(cut)?;
            flow.element(kind, body).ok_or(cut)?;
            rest = &rest[usize::from(length)..];
        }
        if flow.row.exporter.is_none() && number != 0 {
            flow.row.exporter = self.exporters.get(&number).copied();
        }
        flow.finish(flags & FLAG_EVENT != 0)
    }
}

fn ends(number: u32, records: u32) -> Broken {
    Broken::Format(format!("the block ends after {number} of {records} records"))
}

const CUT: Why = Why::Malformed("flow record that contradicts its own lengths or has an impossible time");

/// A flow record while its elements are read.
struct Flow {
    row: FlowRow,
    counted: bool,
    addressed: bool,
    event_ms: u64,
}

impl Flow {
    /// Reads an element; none when it is shorter than its type needs. Types that have no column are passed over.
    #[inline]
    fn element(&mut self, kind: u16, body: &[u8]) -> Option<()> {
        let row = &mut self.row;
        match kind {
            1 => {
                (row.start, row.end) = (micros(u64_at(body, 0)?)?, micros(u64_at(body, 8)?)?);
                (row.packets, row.bytes) = (u64_at(body, 24)?, u64_at(body, 32)?);
                let (src_port, dst_port) = (u16_at(body, 40)?, u16_at(body, 42)?);
                row.proto = *body.get(44)?;
                set_transport(row, src_port, dst_port, *body.get(45)?);
                row.tos = Some(*body.get(47)?);
                self.counted = true;
            }
            2 => {
                (row.src, row.dst) = (mapped(u32_at(body, 0)?), mapped(u32_at(body, 4)?));
                self.addressed = true;
            }
            3 => {
                (row.src, row.dst) = (v6_at(body, 0)?, v6_at(body, 16)?);
                self.addressed = true;
            }
            4 => (row.ingress_if, row.egress_if) = (Some(u32_at(body, 0)?), Some(u32_at(body, 4)?)),
            7 => (row.src_as, row.dst_as) = (Some(u32_at(body, 0)?), Some(u32_at(body, 4)?)),
            12 => row.exporter = Some(mapped(u32_at(body, 0)?)),
            13 => row.exporter = Some(v6_at(body, 0)?),
            16 => (row.egress_as, row.ingress_as) = (Some(u32_at(body, 0)?), u32_at(body, 4)?),
            19 | 25 => self.event_ms = u64_at(body, 0)?,
            _ => {}
        }
        Some(())
    }

    /// The row, when all that a row needs was there.
    fn finish(mut self, event: bool) -> Read {
        if !self.addressed {
            return Err(Why::Incomplete("src"));
        }
        if !self.counted {
            return Err(Why::Incomplete("packets"));
        }
        if event && self.row.packets == 0 && self.row.bytes == 0 {
            return Err(Why::NotApplicable("event of a firewall or of address translation without counters"));
        }
        if self.row.start == 0 {
            if self.event_ms == 0 {
                return Err(Why::Incomplete("start"));
            }
            let event = micros(self.event_ms).ok_or(CUT)?;
            (self.row.start, self.row.end) = (event, event);
        }
        Ok(self.row)
    }
}

/// Milliseconds as µs, up to the year 294,247.
#[inline]
fn micros(milliseconds: u64) -> Option<i64> {
    i64::try_from(milliseconds).ok()?.checked_mul(1000)
}
