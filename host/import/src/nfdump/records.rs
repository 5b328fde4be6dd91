//! The records of nfdump's data blocks: flow records of layout 2 (record type 11, elements that carry their own type and
//! length), exporters, and those of layout 1, which `legacy` knows. All numbers are little-endian, addresses too.

use std::collections::HashMap;
use std::path::Path;

use super::blocks::Block;
use super::bytes::{mapped, set_transport, u16_at, u32_at, u64_at, v6_at};
use super::extensions::{Bearing, element};
use super::flow::{Flow, micros};
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
/// nfdump has scaled packets and bytes by the sampling rate.
const FLAG_SAMPLED: u8 = 2;

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
pub(super) type Read = Result<Flow, Why>;

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
            FLOW => self.flow(record, tally),
            kind @ (LEGACY_FLOW | LEGACY_FLOW_LARGE) => {
                let exporters = &self.exporters;
                self.maps.flow(record, kind == LEGACY_FLOW_LARGE, tally).map(|(mut flow, exporter)| {
                    flow.row.exporter = flow.row.exporter.or_else(|| exporters.get(&exporter).copied());
                    flow
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
        match read {
            Ok(flow) => {
                for way in flow.rows(self.options).into_iter().flatten() {
                    match way {
                        Ok(row) => rows(&row)?,
                        Err(why) => tally.skip(why),
                    }
                }
            }
            Err(why) => tally.skip(why),
        }
        Ok(())
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
    fn flow(&self, record: &[u8], tally: &mut Tally) -> Read {
        let cut = CUT;
        let (Some(elements), Some(number), Some(&flags)) = (u16_at(record, 4), u16_at(record, 8), record.get(10))
        else {
            return Err(cut);
        };
        let mut read = Elements { sampled: flags & FLAG_SAMPLED != 0, ..Elements::default() };
        read.flow.is_event = flags & FLAG_EVENT != 0;
        let mut rest = record.get(FLOW_HEADER_BYTES..).ok_or(cut)?;
        for _ in 0..elements {
            let (Some(kind), Some(length)) = (u16_at(rest, 0), u16_at(rest, 2)) else { return Err(cut) };
            let body = rest.get(4..usize::from(length)).ok_or(cut)?;
            read.element(kind, body).ok_or(cut)?;
            rest = &rest[usize::from(length)..];
        }
        if read.flow.row.exporter.is_none() && number != 0 {
            read.flow.row.exporter = self.exporters.get(&number).copied();
        }
        if let Some(what) = read.unread {
            tally.skip(Why::NotUnderstood(what));
        }
        read.finish()
    }
}

fn ends(number: u32, records: u32) -> Broken {
    Broken::Format(format!("the block ends after {number} of {records} records"))
}

const CUT: Why = Why::Malformed("flow record that contradicts its own lengths or has an impossible time");

/// A flow record while its elements are read.
#[derive(Default)]
struct Elements {
    flow: Flow,
    counted: bool,
    addressed: bool,
    sampled: bool,
    /// The first element that bears on a column and is not read.
    unread: Option<&'static str>,
}

impl Elements {
    /// Reads an element; none when it is shorter than its type needs. Types that have no column are passed over.
    #[inline]
    fn element(&mut self, kind: u16, body: &[u8]) -> Option<()> {
        let flow = &mut self.flow;
        let row = &mut flow.row;
        match kind {
            1 => {
                (row.start, row.end) = (micros(u64_at(body, 0)?)?, micros(u64_at(body, 8)?)?);
                flow.received = micros(u64_at(body, 16)?).unwrap_or(0);
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
            5 => flow.back = (u64_at(body, 8)?, u64_at(body, 16)?),
            7 => (row.src_as, row.dst_as) = (Some(u32_at(body, 0)?), Some(u32_at(body, 4)?)),
            12 => row.exporter = Some(mapped(u32_at(body, 0)?)),
            13 => row.exporter = Some(v6_at(body, 0)?),
            16 => (row.egress_as, row.ingress_as) = (Some(u32_at(body, 0)?), u32_at(body, 4)?),
            19 | 25 => flow.event = micros(u64_at(body, 0)?)?,
            38 => {
                row.ingress_if = row.ingress_if.or(u32_at(body, 8).filter(|interface| *interface != 0));
                row.egress_if = row.egress_if.or(u32_at(body, 12).filter(|interface| *interface != 0));
            }
            _ => {
                if let Bearing::Unread(what) = element(kind)
                    && !(kind == SAMPLER && self.sampled)
                {
                    self.unread = self.unread.or(Some(what));
                }
            }
        }
        Some(())
    }

    /// The flow, when all that a row needs was there.
    fn finish(self) -> Read {
        if !self.addressed {
            return Err(Why::Incomplete("src"));
        }
        if !self.counted {
            return Err(Why::Incomplete("packets"));
        }
        Ok(self.flow)
    }
}

/// The element that names the sampler, which is of use only where nothing was scaled yet.
const SAMPLER: u16 = 18;
