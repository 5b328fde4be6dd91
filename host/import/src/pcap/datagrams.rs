//! The UDP datagrams in a capture, for formats that travel in them: flow exports that were captured on their way to a
//! collector. It reassembles no fragments.

use std::io::Read;
use std::path::Path;

use super::capture::{Capture, Packets, Record};
use super::{finish, read_form};
use crate::packet::{be16, parse_payload, proto};
use crate::stored::Stored;
use crate::tally::{Tally, Why};
use crate::{FileReport, ImportError};

/// Bytes of the UDP header (RFC 768).
const UDP_HEADER_BYTES: usize = 8;

/// A UDP datagram as captured, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// When it was captured, µs since the epoch.
    pub time: i64,
    /// Who sent it, IPv4 mapped.
    pub src: [u8; 16],
    /// Port it was sent from.
    pub src_port: u16,
    /// Port it was sent to.
    pub dst_port: u16,
    /// What it carries.
    pub payload: &'a [u8],
}

/// Takes datagrams.
pub type Take<'a> = &'a mut dyn FnMut(Datagram<'_>) -> Result<(), ImportError>;

/// Reads a capture to its end and hands on the datagrams in it. The report counts packets as messages and no rows;
/// rows are the business of whom the datagrams are for. `progress` is told the bytes read so far.
///
/// # Errors
/// The file cannot be read, is not a capture, breaks its format, or a datagram was not taken.
pub fn datagrams(
    input: &mut dyn Read,
    path: &Path,
    take: Take<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let stored = Stored::open(input, path)?;
    let out = Datagrams { take, tally: Tally::default() };
    let mut capture = Capture::new(stored, path, out, progress);
    let format = read_form(&mut capture)?;
    let Capture { out, progress, stored, .. } = capture;
    progress(stored.bytes());
    finish(out.tally, &stored, path, format)
}

/// Hands on datagrams.
struct Datagrams<'a> {
    take: Take<'a>,
    tally: Tally,
}

impl Packets for Datagrams<'_> {
    fn packet(&mut self, record: Record, data: &[u8]) -> Result<(), ImportError> {
        self.tally.messages += 1;
        let (packet, payload) = match parse_payload(record.link, data, record.wire_bytes) {
            Ok(parsed) => parsed,
            Err(not_ip) => {
                self.tally.skip(not_ip.why());
                return Ok(());
            }
        };
        if packet.proto != proto::UDP {
            self.tally.skip(Why::NotApplicable("packet of another protocol than udp"));
            return Ok(());
        }
        let length = be16(payload, 4).map_or(0, usize::from);
        let Some(payload) = payload.get(UDP_HEADER_BYTES..length) else {
            self.tally.skip(Why::NotApplicable("udp datagram in fragments or not captured as a whole"));
            return Ok(());
        };
        let (src_port, dst_port) = (packet.src_port, packet.dst_port);
        (self.take)(Datagram { time: record.time, src: packet.src, src_port, dst_port, payload })
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}
