//! Files of flow exports: messages back to back as they were received, plain or compressed. Files that belong together
//! share the state of their exporters: call [`Exports::collect`] for each, then [`Exports::read`] for each, so that data
//! find their templates wherever these are. Streaming: a window of one message and little more is held.

mod capture;

use std::io::Read;
use std::path::Path;

use crate::columns::{FlowBuilder, Sink};
use crate::netflow::{Decoder, ExportOptions, Failure, MESSAGE_BYTES_MAX, Origin, Pass, Tally, Templates};
use crate::stored::Stored;
use crate::{FileReport, ImportError, Skip};

/// Bytes read ahead: a message and the header of the next, which ends a message of NetFlow v9.
const AHEAD_BYTES: usize = MESSAGE_BYTES_MAX + 24;
/// Bytes of the window; several times what is read ahead, so that little is moved.
const WINDOW_BYTES: usize = 4 * AHEAD_BYTES;

/// Reads files of exports.
#[derive(Debug, Default)]
pub struct Exports {
    /// What the exporters have said so far.
    pub templates: Templates,
    /// How exports become rows.
    pub options: ExportOptions,
    /// What is known of messages in files that do not tell who sent them and when.
    pub origin: Origin,
}

/// Where rows of a pass go.
struct Target<'a> {
    pass: Pass,
    tally: Tally,
    builder: FlowBuilder,
    sink: &'a mut dyn Sink,
}

/// Takes no batch: the first pass makes no rows.
struct Nowhere;

impl Sink for Nowhere {
    fn batch(&mut self, _: arrow_array::RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(())
    }
}

impl Exports {
    /// A reader with no templates.
    #[must_use]
    pub fn new(options: ExportOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Learns the templates and options of a file. What is wrong with the file, [`Self::read`] says again.
    ///
    /// # Errors
    /// As [`Self::read`]; what was learned before the error stays.
    pub fn collect(
        &mut self,
        input: &mut dyn Read,
        path: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ImportError> {
        let mut sink = Nowhere;
        let target =
            Target { pass: Pass::Collect, tally: Tally::default(), builder: FlowBuilder::new(), sink: &mut sink };
        self.run(Stored::open(input, path)?, path, target, progress).map(|_| ())
    }

    /// Writes the flows of a file to the sink. `progress` is told the bytes read so far. After an error the sink may have
    /// rows of messages before it; who refuses the file drops them.
    ///
    /// # Errors
    /// The file cannot be read, is damaged (with the offset in the decompressed bytes), passes a bound of the templates,
    /// or the rows cannot be stored.
    pub fn read(
        &mut self,
        input: &mut dyn Read,
        path: &Path,
        sink: &mut dyn Sink,
        progress: &mut dyn FnMut(u64),
    ) -> Result<FileReport, ImportError> {
        let target = Target { pass: Pass::Rows, tally: Tally::default(), builder: FlowBuilder::new(), sink };
        self.run(Stored::open(input, path)?, path, target, progress)
    }

    fn run(
        &mut self,
        stored: Stored<'_>,
        path: &Path,
        mut target: Target<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<FileReport, ImportError> {
        let mut window = Window { stored, bytes: Vec::new(), at: 0, offset: 0, ended: false };
        let mut padding = 0;
        loop {
            let (bytes, ended) = window.ahead()?;
            if bytes.is_empty() {
                break;
            }
            let zeros = if target.tally.messages == 0 { 0 } else { zeros_before_message(bytes, ended) };
            if zeros > 0 {
                padding += zeros as u64;
                window.consume(zeros);
                continue;
            }
            let length = self.decoder(&mut target).message(bytes);
            let length = length.map_err(|failure| refusal(failure, path, window.offset))?;
            window.consume(length);
            if target.tally.messages.is_multiple_of(256) {
                progress(window.stored.bytes());
            }
        }
        target.builder.flush(target.sink)?;
        progress(window.stored.bytes());
        let mut skipped = target.tally.to_skips();
        if padding > 0 {
            skipped.insert(Skip::Padding, padding);
        }
        Ok(FileReport {
            path: path.to_path_buf(),
            format: target.tally.format() + window.stored.compression().suffix(),
            messages: target.tally.messages,
            rows: target.tally.rows,
            bytes: window.stored.bytes(),
            skipped,
        })
    }

    fn decoder<'a>(&'a mut self, target: &'a mut Target<'_>) -> Decoder<'a> {
        Decoder {
            templates: &mut self.templates,
            options: &self.options,
            origin: self.origin,
            pass: target.pass,
            tally: &mut target.tally,
            builder: &mut target.builder,
            sink: target.sink,
        }
    }
}

/// Bytes of an sFlow datagram after its three zeros that tell what it is.
const TELLING_BYTES: usize = 5;

/// Zero bytes before the next message, which itself begins with one (sFlow with three), or before the end. Zeros that
/// may belong to a message whose begin is not whole at hand stay, unless no more `bytes` come.
fn zeros_before_message(bytes: &[u8], ended: bool) -> usize {
    if crate::sflow::is_sflow(bytes) {
        return 0;
    }
    match bytes.iter().position(|byte| *byte != 0) {
        None if ended => bytes.len(),
        None => bytes.len().saturating_sub(3),
        Some(first @ 4..) if !ended && bytes.len() - first < TELLING_BYTES => first - 3,
        Some(first @ 3..) if crate::sflow::is_sflow(&bytes[first - 3..]) => first - 3,
        Some(first) => first.saturating_sub(1),
    }
}

/// Why the file is refused.
fn refusal(failure: Failure, path: &Path, offset: u64) -> ImportError {
    let path = path.to_path_buf();
    match failure {
        Failure::Fault(fault) => {
            ImportError::Damaged { path, offset: offset + fault.offset as u64, reason: fault.reason }
        }
        Failure::Full { what, found, max } => ImportError::TooLarge { path, what, found, max },
        Failure::Import(error) => error,
    }
}

/// The part of the file at hand.
struct Window<'a> {
    stored: Stored<'a>,
    bytes: Vec<u8>,
    at: usize,
    offset: u64,
    ended: bool,
}

impl Window<'_> {
    /// The bytes at hand, [`AHEAD_BYTES`] or more, fewer only at the end; and whether no more come.
    fn ahead(&mut self) -> Result<(&[u8], bool), ImportError> {
        if self.bytes.len() - self.at < AHEAD_BYTES && !self.ended {
            self.bytes.drain(..self.at);
            self.at = 0;
            while self.bytes.len() < WINDOW_BYTES {
                let more = self.stored.fill()?;
                if more.is_empty() {
                    self.ended = true;
                    break;
                }
                let count = more.len().min(WINDOW_BYTES - self.bytes.len());
                self.bytes.extend_from_slice(&more[..count]);
                self.stored.consume(count);
            }
        }
        Ok((&self.bytes[self.at..], self.ended))
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
        self.offset += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of NetFlow v5 with one record.
    fn v5() -> Vec<u8> {
        let mut message = vec![0; 72];
        message[..4].copy_from_slice(&[0, 5, 0, 1]);
        message
    }

    /// A datagram of sFlow without samples.
    fn sflow() -> Vec<u8> {
        [5, 1, 0xc000_0201, 0, 7, 1000, 0].iter().flat_map(|word: &u32| word.to_be_bytes()).collect()
    }

    #[test]
    fn zeros_of_a_message_that_begins_at_the_end_of_the_window_are_its_own() {
        for next in [v5(), sflow()] {
            for begun in 0..12 {
                let zeros = WINDOW_BYTES - v5().len() - begun;
                let file = [v5(), vec![0; zeros], next.clone(), vec![0; 5]].concat();
                let report = Exports::default()
                    .read(&mut file.as_slice(), Path::new("padded"), &mut Nowhere, &mut |_| ())
                    .unwrap_or_else(|error| panic!("{begun} bytes of {next:?}: {error}"));
                assert_eq!((report.messages, report.skipped[&Skip::Padding]), (2, zeros as u64 + 5), "{begun}");
            }
        }
    }
}
