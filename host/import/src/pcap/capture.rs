//! A capture being read, whatever its form: its bytes, its progress, and who takes its packets.

use std::path::Path;

use crate::ImportError;
use crate::packet::Link;
use crate::stored::Stored;
use crate::tally::{Tally, Why};

/// Bytes of one packet that a capture may hold: what libpcap allows as snapshot length.
pub(super) const CAPTURED_BYTES_MAX: usize = 262_144;
/// Bytes read between two reports of progress.
const PROGRESS_BYTES: u64 = 1 << 20;

/// Takes the packets of a capture.
pub(super) trait Packets {
    /// Takes a packet of which `data` was captured.
    fn packet(&mut self, record: Record, data: &[u8]) -> Result<(), ImportError>;

    /// What is counted.
    fn tally(&mut self) -> &mut Tally;
}

/// A capture being read.
pub(super) struct Capture<'a, P> {
    pub(super) stored: Stored<'a>,
    pub(super) path: &'a Path,
    pub(super) out: P,
    pub(super) progress: &'a mut dyn FnMut(u64),
    reported: u64,
    pub(super) scratch: Vec<u8>,
}

/// A packet's place in the capture.
#[derive(Clone, Copy)]
pub(super) struct Record {
    /// When it was captured, µs since the epoch.
    pub(super) time: i64,
    pub(super) link: Link,
    /// Bytes it had on the wire.
    pub(super) wire_bytes: u64,
}

impl<'a, P: Packets> Capture<'a, P> {
    pub(super) fn new(stored: Stored<'a>, path: &'a Path, out: P, progress: &'a mut dyn FnMut(u64)) -> Self {
        Self { stored, path, out, progress, reported: 0, scratch: Vec::new() }
    }

    /// The file ends in the middle of something.
    pub(super) fn cut(&mut self) {
        self.out.tally().skip(Why::Malformed("packet cut off by the end of the file"));
    }

    /// Reads `count` bytes into the scratch buffer; false when the file ends before.
    pub(super) fn exactly(&mut self, count: usize) -> Result<bool, ImportError> {
        self.stored.read_up_to(count, &mut self.scratch)?;
        Ok(self.scratch.len() == count)
    }

    /// Passes over `count` bytes; false when the file ends before.
    pub(super) fn skip(&mut self, mut count: u64) -> Result<bool, ImportError> {
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
    pub(super) fn tell(&mut self) {
        let bytes = self.stored.bytes();
        if bytes - self.reported >= PROGRESS_BYTES {
            self.reported = bytes;
            (self.progress)(bytes);
        }
    }

    pub(super) fn damaged(&self, offset: u64, reason: impl Into<String>) -> ImportError {
        ImportError::Damaged { path: self.path.to_path_buf(), offset, reason: reason.into() }
    }
}
