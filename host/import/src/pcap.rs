//! Packet captures into flows: classic pcap (draft-ietf-opsawg-pcap; both byte orders, micro- and nanoseconds) and
//! pcapng (draft-ietf-opsawg-pcapng), plain or compressed. Streaming: one packet is held at a time. It keeps no packet's
//! content.
//!
//! A capture that ends in the middle of a packet is read up to there and the report says so: that is how a capture ends
//! whose program was stopped.

mod classic;
mod datagrams;
mod ng;

pub use datagrams::{Datagram, Take, datagrams};

use std::io::Read;
use std::path::Path;

use crate::columns::{FlowBuilder, Sink};
use crate::flows::FlowTable;
use crate::packet::{Link, parse};
use crate::stored::Stored;
use crate::tally::{Tally, Why};
use crate::{FileReport, ImportError};

/// Bytes of one packet that a capture may hold: what libpcap allows as snapshot length.
const CAPTURED_BYTES_MAX: usize = 262_144;
/// Bytes read between two reports of progress.
const PROGRESS_BYTES: u64 = 1 << 20;

/// Whether a file that begins so is a capture. Four bytes are enough.
#[must_use]
pub fn is_capture(head: &[u8]) -> bool {
    classic::Order::of(head).is_some() || ng::is_section(head)
}

/// Reads a capture to its end and ends the table's flows with it; a capture that is refused leaves no flow in the table.
/// `progress` is told the bytes read so far.
///
/// # Errors
/// The file cannot be read, is no capture, breaks its format, or the rows cannot be stored.
pub fn read(
    input: &mut dyn Read,
    path: &Path,
    table: &mut FlowTable,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let stored = Stored::open(input, path)?;
    let evicted_before = table.evicted();
    let out = Flows { table, rows: FlowBuilder::new(), sink, tally: Tally::default(), evicted_before };
    let mut capture = Capture { stored, path, out, progress, reported: 0, scratch: Vec::new() };
    let read = capture.read();
    let Capture { out, progress, stored, .. } = capture;
    let format = match read {
        Ok(format) => format,
        Err(error) => {
            out.table.clear();
            return Err(error);
        }
    };
    progress(stored.bytes());
    out.finish()?.finish(&stored, path, format)
}

/// Takes the packets of a capture.
trait Packets {
    /// Takes a packet of which `data` was captured.
    fn packet(&mut self, record: Record, data: &[u8]) -> Result<(), ImportError>;

    /// What is counted.
    fn tally(&mut self) -> &mut Tally;
}

/// A capture being read.
struct Capture<'a, P> {
    stored: Stored<'a>,
    path: &'a Path,
    out: P,
    progress: &'a mut dyn FnMut(u64),
    reported: u64,
    scratch: Vec<u8>,
}

/// Counts packets into flows.
struct Flows<'a> {
    table: &'a mut FlowTable,
    rows: FlowBuilder,
    sink: &'a mut dyn Sink,
    tally: Tally,
    /// Flows that the table ended early before this capture.
    evicted_before: u64,
}

/// A packet's place in the capture.
#[derive(Clone, Copy)]
struct Record {
    /// When it was captured, µs since the epoch.
    time: i64,
    link: Link,
    /// Bytes it had on the wire.
    wire_bytes: u64,
}

impl Packets for Flows<'_> {
    #[inline]
    fn packet(&mut self, record: Record, data: &[u8]) -> Result<(), ImportError> {
        self.tally.messages += 1;
        match parse(record.link, data, record.wire_bytes) {
            Ok(packet) => self.table.add(record.time, &packet, &mut self.rows, self.sink),
            Err(not_ip) => {
                self.tally.skip(not_ip.why());
                Ok(())
            }
        }
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

impl Flows<'_> {
    /// Ends the flows that are open.
    fn finish(mut self) -> Result<Tally, ImportError> {
        self.table.finish(&mut self.rows, self.sink)?;
        self.rows.flush(self.sink)?;
        let evicted = self.table.evicted() - self.evicted_before;
        if evicted > 0 {
            self.tally.skip_many(Why::EndedEarly, evicted);
        }
        self.tally.rows = self.rows.rows();
        Ok(self.tally)
    }
}

impl<P: Packets> Capture<'_, P> {
    /// Reads the capture to its end and says what form it had.
    fn read(&mut self) -> Result<&'static str, ImportError> {
        self.exactly(4)?;
        match classic::Order::of(&self.scratch) {
            Some(order) => classic::read(self, order),
            None if ng::is_section(&self.scratch) => ng::read(self),
            None => Err(ImportError::UnknownFormat { path: self.path.to_path_buf() }),
        }
    }

    /// The file ends in the middle of something.
    fn cut(&mut self) {
        self.out.tally().skip(Why::Malformed("packet cut off by the end of the file"));
    }

    /// Reads `count` bytes into the scratch buffer; false when the file ends before.
    fn exactly(&mut self, count: usize) -> Result<bool, ImportError> {
        self.stored.read_up_to(count, &mut self.scratch)?;
        Ok(self.scratch.len() == count)
    }

    /// Passes over `count` bytes; false when the file ends before.
    fn skip(&mut self, mut count: u64) -> Result<bool, ImportError> {
        while count > 0 {
            let bytes = self.stored.fill()?.len();
            if bytes == 0 {
                return Ok(false);
            }
            let taken = usize::try_from(count).map_or(bytes, |count| bytes.min(count));
            self.stored.consume(taken);
            count -= taken as u64;
        }
        Ok(true)
    }

    /// Tells the progress now and then.
    fn tell(&mut self) {
        let bytes = self.stored.bytes();
        if bytes - self.reported >= PROGRESS_BYTES {
            self.reported = bytes;
            (self.progress)(bytes);
        }
    }

    fn damaged(&self, offset: u64, reason: impl Into<String>) -> ImportError {
        ImportError::Damaged { path: self.path.to_path_buf(), offset, reason: reason.into() }
    }
}

#[cfg(test)]
mod tests;
