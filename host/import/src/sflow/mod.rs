//! sFlow version 5 (sflow.org, sFlow Version 5, July 2004): sampled packet headers into `flow/1` rows, one row for each
//! sampled packet with its sampling rate. Counter samples are skipped. A datagram has no time of its own: rows carry the
//! time when it was received. Like all exports it is checked whole before any of it is used.

use crate::columns::FlowRow;
pub use crate::netflow::is_sflow;
use crate::netflow::{Fault, Neighbours, Reason, Scope, begins, finish, is_icmp};
use crate::packet::{Link, Packet, parse};

const FLOW_SAMPLE: u32 = 1;
const FLOW_SAMPLE_EXPANDED: u32 = 3;
const RAW_HEADER: u32 = 1;
const SAMPLED_IPV4: u32 = 3;
const SAMPLED_IPV6: u32 = 4;
const EXTENDED_GATEWAY: u32 = 1003;
/// Interface number of packets from or to the device itself.
const INTERNAL: u32 = 0x3fff_ffff;

/// The bytes of a datagram from a place on, in XDR (RFC 4506).
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            let left = self.bytes.len() - self.at;
            return Err(Fault::new(self.base + self.at, format!("{what} takes {count} bytes, {left} are left")));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn u32(&mut self, what: &str) -> Result<u32, Fault> {
        let bytes = self.take(4, what)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn skip_words(&mut self, words: usize, what: &str) -> Result<(), Fault> {
        self.take(words * 4, what).map(|_| ())
    }

    /// A block that says its format and its length.
    fn block(&mut self, what: &str) -> Result<(u32, Self), Fault> {
        let format = self.u32(what)?;
        let length = self.u32(what)?;
        let base = self.base + self.at;
        let bytes = self.take(length as usize, what)?;
        Ok((format, Self { bytes, at: 0, base }))
    }

    /// An address with its type; zero where there is none.
    fn address(&mut self) -> Result<Option<[u8; 16]>, Fault> {
        let kind = self.u32("an address type")?;
        match kind {
            0 => Ok(None),
            1 => Ok(Some(v4(self.take(4, "an address")?))),
            2 => Ok(self.take(16, "an address")?.try_into().ok()),
            kind => Err(Fault::new(self.base + self.at - 4, format!("the address type is {kind}, known are 1 and 2"))),
        }
    }
}

fn v4(bytes: &[u8]) -> [u8; 16] {
    let mut mapped = [0; 16];
    mapped[10] = 0xff;
    mapped[11] = 0xff;
    mapped[12..].copy_from_slice(bytes);
    mapped
}

/// What a sample gives.
type Sampled = Result<FlowRow, Reason>;

/// The length of the datagram at the start of `bytes`, checked to its last record.
pub(crate) fn length(bytes: &[u8]) -> Result<usize, Fault> {
    walk(bytes, &mut |_, _| Ok(()))
}

/// Calls `take` with what each sample of a checked datagram gives.
pub(crate) fn rows<E>(
    message: &[u8],
    scope: Scope<'_>,
    received_us: Option<i64>,
    take: &mut dyn FnMut(Sampled) -> Result<(), E>,
) -> Result<(), E> {
    let mut failed = None;
    let walked = walk(message, &mut |exporter, sample| {
        let row = sample.row(exporter.or(scope.exporter), received_us, scope);
        take(row).map_err(|error| {
            failed = Some(error);
            Fault::new(0, "stopped")
        })
    });
    match (walked, failed) {
        (_, Some(error)) => Err(error),
        _ => Ok(()),
    }
}

/// One sample.
#[derive(Default)]
struct Sample {
    counters: bool,
    known: bool,
    rate: u32,
    ingress_if: Option<u32>,
    egress_if: Option<u32>,
    packet: Option<Packet>,
    other_protocol: bool,
    gateway: Option<Gateway>,
}

/// What the routing table of the agent says about the packet.
#[derive(Clone, Copy)]
struct Gateway {
    source: u32,
    source_peer: u32,
    target: Option<u32>,
    target_peer: Option<u32>,
}

fn walk(bytes: &[u8], take: &mut dyn FnMut(Option<[u8; 16]>, Sample) -> Result<(), Fault>) -> Result<usize, Fault> {
    let mut cursor = Cursor { bytes, at: 0, base: 0 };
    cursor.u32("the version")?;
    let agent = cursor.address()?.filter(|agent| *agent != [0; 16] && *agent != v4(&[0; 4]));
    cursor.skip_words(3, "the header")?;
    let count = cursor.u32("the number of samples")?;
    // What the header counts is no limit: samples end where no other one begins.
    let mut left = count;
    while left > 0 && !ended(&bytes[cursor.at..]) || is_sample(&bytes[cursor.at..]) {
        left = left.saturating_sub(1);
        let (format, body) = cursor.block("a sample")?;
        take(agent, sample(format, body)?)?;
    }
    if cursor.at > crate::netflow::MESSAGE_BYTES_MAX {
        return Err(Fault::new(0, "the datagram is longer than 65535 bytes"));
    }
    Ok(cursor.at)
}

/// Whether no sample can be here, because the bytes end or a message of exports begins.
fn ended(bytes: &[u8]) -> bool {
    bytes.is_empty() || begins(bytes) && block_of(bytes).is_none()
}

/// Whether a whole sample of a standard format is here, though the header counts fewer.
fn is_sample(bytes: &[u8]) -> bool {
    block_of(bytes).is_some_and(|(format, length)| (1..=4).contains(&format) && length > 0)
}

/// Format and length of a block of whole words that these bytes hold to its end.
fn block_of(bytes: &[u8]) -> Option<(u32, usize)> {
    let [a, b, c, d, length @ ..] = *bytes.first_chunk::<8>()?;
    let length = u32::from_be_bytes(length) as usize;
    let whole = length.is_multiple_of(4) && length <= bytes.len() - 8;
    whole.then_some((u32::from_be_bytes([a, b, c, d]), length))
}

fn sample(format: u32, mut body: Cursor<'_>) -> Result<Sample, Fault> {
    let mut sample = Sample { counters: matches!(format, 2 | 4), ..Sample::default() };
    match format {
        FLOW_SAMPLE => {
            body.skip_words(2, "a flow sample")?;
            sample.rate = body.u32("a sampling rate")?;
            body.skip_words(2, "a flow sample")?;
            // The two upper bits say that the rest is a reason or a number of interfaces instead of an interface.
            let number = |value: u32| (value >> 30 == 0 && value != INTERNAL).then_some(value);
            sample.ingress_if = number(body.u32("an interface")?);
            sample.egress_if = number(body.u32("an interface")?);
        }
        FLOW_SAMPLE_EXPANDED => {
            body.skip_words(3, "a flow sample")?;
            sample.rate = body.u32("a sampling rate")?;
            body.skip_words(2, "a flow sample")?;
            sample.ingress_if = expanded(&mut body)?;
            sample.egress_if = expanded(&mut body)?;
        }
        _ => return Ok(sample),
    }
    sample.known = true;
    let records = body.u32("the number of records")?;
    for _ in 0..records {
        let (format, record) = body.block("a flow record")?;
        sample.record(format, record)?;
    }
    Ok(sample)
}

fn expanded(body: &mut Cursor<'_>) -> Result<Option<u32>, Fault> {
    let format = body.u32("an interface format")?;
    let value = body.u32("an interface")?;
    Ok((format == 0 && value != INTERNAL).then_some(value))
}

impl Sample {
    fn record(&mut self, format: u32, mut record: Cursor<'_>) -> Result<(), Fault> {
        match format {
            RAW_HEADER => {
                let protocol = record.u32("a header protocol")?;
                let frame_bytes = u64::from(record.u32("a frame length")?);
                record.skip_words(1, "a raw header")?;
                let length = record.u32("a header length")? as usize;
                let header = record.take(length, "a sampled header")?;
                self.header(protocol, header, frame_bytes);
            }
            SAMPLED_IPV4 => self.ip(&mut record, 4)?,
            SAMPLED_IPV6 => self.ip(&mut record, 16)?,
            EXTENDED_GATEWAY => self.gateway = Some(gateway(&mut record)?),
            _ => {}
        }
        Ok(())
    }

    /// A packet header (§5.3, `header_protocol`).
    fn header(&mut self, protocol: u32, header: &[u8], frame_bytes: u64) {
        let link = match protocol {
            1 => Link::Ethernet,
            11 => Link::Ipv4,
            12 => Link::Ipv6,
            _ => {
                self.other_protocol = true;
                return;
            }
        };
        match parse(link, header, frame_bytes) {
            Ok(packet) => self.packet = Some(packet),
            Err(_) => self.other_protocol = true,
        }
    }

    /// An IP packet that the agent has taken apart (§5.3, `sampled_ipv4` and `sampled_ipv6`). A raw header says more.
    fn ip(&mut self, record: &mut Cursor<'_>, address: usize) -> Result<(), Fault> {
        let what = "a sampled ip header";
        let bytes = u64::from(record.u32(what)?);
        let proto = record.u32(what)?;
        let mut end = || -> Result<[u8; 16], Fault> {
            let bytes = record.take(address, what)?;
            Ok(bytes.try_into().unwrap_or_else(|_| v4(bytes)))
        };
        let (src, dst) = (end()?, end()?);
        let mut word = || record.u32(what);
        let (src_port, dst_port, flags, tos) = (word()?, word()?, word()?, word()?);
        let low = |value: u32| u16::try_from(value & 0xffff).expect("masked to sixteen bits");
        let byte = |value: u32| u8::try_from(value & 0xff).expect("masked to eight bits");
        let ports = (low(src_port), low(dst_port));
        self.packet = self.packet.or(Some(Packet {
            src,
            dst,
            proto: byte(proto),
            tos: byte(tos),
            src_port: ports.0,
            dst_port: ports.1,
            tcp_flags: byte(flags),
            icmp: None,
            bytes,
        }));
        Ok(())
    }

    fn row(&self, exporter: Option<[u8; 16]>, received_us: Option<i64>, scope: Scope<'_>) -> Sampled {
        let Some(packet) = &self.packet else {
            return Err(match (self.counters, self.known, self.other_protocol) {
                (true, ..) => Reason::Counters,
                (_, true, true) => Reason::NotIp,
                _ => Reason::OtherSample,
            });
        };
        let at = received_us.ok_or(Reason::NoTimes)?;
        let tcp = packet.proto == 6;
        let row = FlowRow {
            start: at,
            end: at,
            src: packet.src,
            dst: packet.dst,
            proto: packet.proto,
            src_port: Some(packet.src_port),
            // An ICMP packet has no port here that NetFlow would put its type in: without a type it has none.
            dst_port: Some(packet.dst_port).filter(|_| !is_icmp(packet.proto)),
            packets: 1,
            bytes: packet.bytes,
            tcp_flags: tcp.then_some(u16::from(packet.tcp_flags)),
            src_as: self.gateway.map(|gateway| gateway.source),
            dst_as: self.gateway.and_then(|gateway| gateway.target),
            ingress_if: self.ingress_if,
            egress_if: self.egress_if,
            icmp_type: packet.icmp,
            tos: Some(packet.tos),
            sampling: Some(u64::from(self.rate)).filter(|rate| *rate > 1),
            exporter,
            ..FlowRow::default()
        };
        // The gateway record names origin and neighbour apart, whatever the role of AS numbers in NetFlow is.
        let (src_as, dst_as) = (row.src_as, row.dst_as);
        let neighbours = self.gateway.map_or_else(Neighbours::default, |gateway| Neighbours {
            prev: Some(gateway.source_peer),
            next: gateway.target_peer,
        });
        let row = finish(FlowRow { src_as: None, dst_as: None, ..row }, neighbours, scope.options)?;
        Ok(FlowRow { src_as, dst_as, dst_port: row.dst_port.or(Some(0)), ..row })
    }
}

/// Extended gateway data (§5.4): own AS, source AS and its peer, and the AS path to the destination.
fn gateway(record: &mut Cursor<'_>) -> Result<Gateway, Fault> {
    record.address()?;
    let what = "extended gateway data";
    record.skip_words(1, what)?;
    let source = record.u32(what)?;
    let source_peer = record.u32(what)?;
    let segments = record.u32(what)?;
    let (mut target, mut target_peer) = (None, None);
    for _ in 0..segments {
        record.skip_words(1, what)?;
        let length = record.u32(what)?;
        for _ in 0..length {
            let asn = record.u32(what)?;
            target_peer = target_peer.or(Some(asn));
            target = Some(asn);
        }
    }
    Ok(Gateway { source, source_peer, target, target_peer })
}

#[cfg(test)]
mod tests;
