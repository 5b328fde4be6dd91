//! Packets into flows: a bounded table of the flows that are open, and rows of `flow/1` as they end. The order of the
//! rows depends on the packets alone. It reads no file and knows no clock except the packets' times.

use std::collections::HashMap;

use crate::ImportError;
use crate::columns::{FlowBuilder, FlowRow, Sink};
use crate::packet::{Packet, proto};

/// No entry.
const NONE: u32 = u32::MAX;

/// When flows end, and what every row of a capture says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowOptions {
    /// A flow that lasts longer than this is continued in a new row, in µs.
    pub active_us: i64,
    /// A flow without a packet for longer than this has ended, in µs.
    pub inactive_us: i64,
    /// Flows open at once, at least one; one more ends the one that was idle longest. About 200 bytes each.
    pub flows_max: u32,
    /// Neighbour AS on the link of the capture: a packet does not say through which AS it came.
    pub ingress_as: u32,
    /// Address of the device that captured.
    pub exporter: Option<[u8; 16]>,
}

impl Default for FlowOptions {
    fn default() -> Self {
        Self { active_us: 120_000_000, inactive_us: 15_000_000, flows_max: 524_288, ingress_as: 0, exporter: None }
    }
}

/// Addresses, then ports (for ICMP type and code), protocol and whether an ICMP type is known: words, because they compare
/// without a call.
type Key = [u64; 5];

/// An open flow, linked into the list of flows by their last packet.
#[derive(Clone)]
struct Open {
    key: Key,
    start: i64,
    end: i64,
    packets: u64,
    bytes: u64,
    tcp_flags: u8,
    tos: u8,
    older: u32,
    newer: u32,
}

/// The flows that are open.
pub struct FlowTable {
    options: FlowOptions,
    index: HashMap<Key, u32>,
    flows: Vec<Open>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    evicted: u64,
}

impl FlowTable {
    /// An empty table.
    #[must_use]
    pub fn new(mut options: FlowOptions) -> Self {
        options.flows_max = options.flows_max.clamp(1, NONE - 1);
        Self {
            options,
            index: HashMap::new(),
            flows: Vec::new(),
            free: Vec::new(),
            oldest: NONE,
            newest: NONE,
            evicted: 0,
        }
    }

    /// Flows that were ended early, since the table was made, because it was full.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Flows open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.index.len()
    }

    /// Counts a packet seen at `time` (µs since the epoch), after ending the flows that were idle too long by then.
    ///
    /// # Errors
    /// [`ImportError::Sink`] when rows cannot be stored.
    #[inline]
    pub fn add(
        &mut self,
        time: i64,
        packet: &Packet,
        rows: &mut FlowBuilder,
        sink: &mut dyn Sink,
    ) -> Result<(), ImportError> {
        self.expire(time, rows, sink)?;
        let key = key(packet);
        if let Some(&at) = self.index.get(&key) {
            let flow = &mut self.flows[at as usize];
            if Self::continues(&self.options, flow, time) {
                flow.start = flow.start.min(time);
                flow.end = flow.end.max(time);
                flow.packets += 1;
                flow.bytes = flow.bytes.saturating_add(packet.bytes);
                flow.tcp_flags |= packet.tcp_flags;
            } else {
                let ended = row(flow, &self.options);
                *flow = Open { older: flow.older, newer: flow.newer, ..opened(key, time, packet) };
                rows.push(&ended, sink)?;
            }
            self.touch(at);
            return Ok(());
        }
        if self.index.len() >= self.options.flows_max as usize {
            self.evicted += 1;
            self.end(self.oldest, rows, sink)?;
        }
        self.insert(opened(key, time, packet));
        Ok(())
    }

    /// Ends all flows, the one idle longest first.
    ///
    /// # Errors
    /// [`ImportError::Sink`] when rows cannot be stored.
    pub fn finish(&mut self, rows: &mut FlowBuilder, sink: &mut dyn Sink) -> Result<(), ImportError> {
        let mut at = self.oldest;
        while at != NONE {
            let flow = &self.flows[at as usize];
            let (ended, newer) = (row(flow, &self.options), flow.newer);
            rows.push(&ended, sink)?;
            at = newer;
        }
        self.clear();
        Ok(())
    }

    /// Forgets all flows without a row, as after a capture that is refused.
    pub fn clear(&mut self) {
        self.index.clear();
        self.flows.clear();
        self.free.clear();
        (self.oldest, self.newest) = (NONE, NONE);
    }

    /// Whether a packet at `time` belongs to the flow, by both timeouts and in either direction of time.
    fn continues(options: &FlowOptions, flow: &Open, time: i64) -> bool {
        time.saturating_sub(flow.end) <= options.inactive_us
            && flow.start.saturating_sub(time) <= options.inactive_us
            && time.saturating_sub(flow.start) < options.active_us
            && flow.end.saturating_sub(time) < options.active_us
    }

    #[inline]
    fn expire(&mut self, time: i64, rows: &mut FlowBuilder, sink: &mut dyn Sink) -> Result<(), ImportError> {
        while let Some(flow) = self.flows.get(self.oldest as usize) {
            if time.saturating_sub(flow.end) <= self.options.inactive_us {
                break;
            }
            self.end(self.oldest, rows, sink)?;
        }
        Ok(())
    }

    /// Writes an open flow's row and forgets the flow.
    fn end(&mut self, at: u32, rows: &mut FlowBuilder, sink: &mut dyn Sink) -> Result<(), ImportError> {
        let ended = row(&self.flows[at as usize], &self.options);
        self.unlink(at);
        self.index.remove(&self.flows[at as usize].key);
        self.free.push(at);
        if self.index.is_empty() {
            self.flows.clear();
            self.free.clear();
        }
        rows.push(&ended, sink)
    }

    fn insert(&mut self, flow: Open) {
        let key = flow.key;
        let at = if let Some(at) = self.free.pop() {
            self.flows[at as usize] = flow;
            at
        } else {
            let at = u32::try_from(self.flows.len()).expect("there are fewer than `flows_max` flows, a u32");
            self.flows.push(flow);
            at
        };
        self.index.insert(key, at);
        self.link(at);
    }

    /// Makes a flow the newest.
    #[inline]
    fn touch(&mut self, at: u32) {
        if self.newest != at {
            self.unlink(at);
            self.link(at);
        }
    }

    fn link(&mut self, at: u32) {
        let newest = self.newest;
        let flow = &mut self.flows[at as usize];
        (flow.older, flow.newer) = (newest, NONE);
        match self.flows.get_mut(newest as usize) {
            Some(flow) => flow.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }

    fn unlink(&mut self, at: u32) {
        let (older, newer) = (self.flows[at as usize].older, self.flows[at as usize].newer);
        match self.flows.get_mut(older as usize) {
            Some(flow) => flow.newer = newer,
            None => self.oldest = newer,
        }
        match self.flows.get_mut(newer as usize) {
            Some(flow) => flow.older = older,
            None => self.newest = older,
        }
    }
}

#[inline]
fn key(packet: &Packet) -> Key {
    let (src_high, src_low) = halves(packet.src);
    let (dst_high, dst_low) = halves(packet.dst);
    let ports = u64::from(packet.src_port) << 48 | u64::from(packet.icmp.unwrap_or(packet.dst_port)) << 32;
    [src_high, src_low, dst_high, dst_low, ports | u64::from(packet.proto) << 8 | u64::from(packet.icmp.is_some())]
}

/// An address in two words.
#[inline]
fn halves(address: [u8; 16]) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, low @ ..] = address;
    (u64::from_be_bytes([a, b, c, d, e, f, g, h]), u64::from_be_bytes(low))
}

/// The address of two words.
fn whole(high: u64, low: u64) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

#[inline]
fn opened(key: Key, time: i64, packet: &Packet) -> Open {
    Open {
        key,
        start: time,
        end: time,
        packets: 1,
        bytes: packet.bytes,
        tcp_flags: packet.tcp_flags,
        tos: packet.tos,
        older: NONE,
        newer: NONE,
    }
}

fn row(flow: &Open, options: &FlowOptions) -> FlowRow {
    let [src_high, src_low, dst_high, dst_low, rest] = flow.key;
    let [src_port @ .., last_high, last_low, _, _, proto, icmp] = rest.to_be_bytes();
    let (src_port, last, icmp) = (u16::from_be_bytes(src_port), u16::from_be_bytes([last_high, last_low]), icmp != 0);
    FlowRow {
        start: flow.start,
        end: flow.end,
        src: whole(src_high, src_low),
        dst: whole(dst_high, dst_low),
        proto,
        src_port: Some(src_port),
        dst_port: Some(if icmp { 0 } else { last }),
        packets: flow.packets,
        bytes: flow.bytes,
        tcp_flags: (proto == proto::TCP).then_some(u16::from(flow.tcp_flags)),
        ingress_as: options.ingress_as,
        icmp_type: icmp.then_some(last),
        tos: Some(flow.tos),
        exporter: options.exporter,
        ..FlowRow::default()
    }
}

#[cfg(test)]
mod tests;
