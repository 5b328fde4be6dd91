//! Packet captures into flows: classic pcap (draft-ietf-opsawg-pcap; both byte orders, micro- and nanoseconds) and
//! pcapng (draft-ietf-opsawg-pcapng), plain or compressed. Streaming: one packet is held at a time. It keeps no packet's
//! content.
//!
//! A capture that ends in the middle of a packet is read up to there and the report says so: that is how a capture ends
//! whose program was stopped.

mod capture;
mod classic;
mod datagrams;
mod ng;

pub use datagrams::{Datagram, Take, datagrams};

use std::io::Read;
use std::path::Path;

use crate::columns::{FlowBuilder, Sink};
use crate::flows::FlowTable;
use crate::packet::parse;
use crate::stored::Stored;
use crate::tally::{Tally, Why};
use crate::{FileReport, ImportError};

use capture::{Capture, Packets, Record};

/// Whether a file that begins so is a capture. Four bytes are enough.
#[must_use]
pub fn is_capture(head: &[u8]) -> bool {
    classic::Order::of(head).is_some() || ng::is_section(head)
}

/// Reads a capture to its end and ends the table's flows with it; a capture that is refused leaves no flow in the table.
/// `progress` is told the bytes read so far.
///
/// # Errors
/// The file cannot be read, is not a capture, breaks its format, has no packet but of a link type that is not read, or the
/// rows cannot be stored.
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
    let mut capture = Capture::new(stored, path, out, progress);
    let read = read_form(&mut capture);
    let Capture { out, progress, stored, .. } = capture;
    let format = match read {
        Ok(format) => format,
        Err(error) => {
            out.table.clear();
            return Err(error);
        }
    };
    progress(stored.bytes());
    finish(out.finish()?, &stored, path, format)
}

/// The report of a capture that was read to its end.
fn finish(tally: Tally, stored: &Stored<'_>, path: &Path, format: &str) -> Result<FileReport, ImportError> {
    match tally.only_link() {
        Some(link) => Err(ImportError::LinkType { path: path.to_path_buf(), link: link.to_string() }),
        None => tally.finish(stored, path, format),
    }
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

/// Reads a capture to its end and says what form it had.
fn read_form<P: Packets>(capture: &mut Capture<'_, P>) -> Result<&'static str, ImportError> {
    capture.exactly(4)?;
    match classic::Order::of(&capture.scratch) {
        Some(order) => classic::read(capture, order),
        None if ng::is_section(&capture.scratch) => ng::read(capture),
        None => Err(ImportError::UnknownFormat { path: capture.path.to_path_buf() }),
    }
}

#[cfg(test)]
mod tests;
