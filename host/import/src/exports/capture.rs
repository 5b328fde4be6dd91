//! Captures of the datagrams of exporters. Each datagram is whole or damaged by itself, so that a damaged one is counted
//! and the next one read.

use std::io::Read;
use std::path::Path;

use super::{Exports, Nowhere, Target, refusal};
use crate::columns::{FlowBuilder, Sink};
use crate::detect::is_exports;
use crate::netflow::{Failure, Origin, Pass, Tally, messages};
use crate::pcap::{Datagram, datagrams};
use crate::{FileReport, ImportError, Skip};

/// Datagrams that are of no use here.
#[derive(Default)]
struct Passed {
    others: u64,
    damaged: u64,
}

impl Exports {
    /// Learns the templates and options in a capture; see [`Self::collect`].
    ///
    /// # Errors
    /// As [`Self::read_capture`].
    pub fn collect_capture(
        &mut self,
        input: &mut dyn Read,
        path: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ImportError> {
        let mut sink = Nowhere;
        let target =
            Target { pass: Pass::Collect, tally: Tally::default(), builder: FlowBuilder::new(), sink: &mut sink };
        self.run_capture(input, path, target, progress).map(|_| ())
    }

    /// Writes the flows exported in a capture to the sink. Exporters are told apart by the addresses that datagrams come
    /// from; sFlow has the time of capture. Datagrams that are not exports, or damaged ones, are counted.
    ///
    /// # Errors
    /// The capture cannot be read or is damaged, passes a bound of the templates, or the rows cannot be stored.
    pub fn read_capture(
        &mut self,
        input: &mut dyn Read,
        path: &Path,
        sink: &mut dyn Sink,
        progress: &mut dyn FnMut(u64),
    ) -> Result<FileReport, ImportError> {
        let target = Target { pass: Pass::Rows, tally: Tally::default(), builder: FlowBuilder::new(), sink };
        self.run_capture(input, path, target, progress)
    }

    fn run_capture(
        &mut self,
        input: &mut dyn Read,
        path: &Path,
        mut target: Target<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<FileReport, ImportError> {
        let mut passed = Passed::default();
        let mut take = |datagram: Datagram<'_>| self.datagram(&datagram, path, &mut target, &mut passed);
        let mut report = datagrams(input, path, &mut take, progress)?;
        target.builder.flush(target.sink)?;
        for (skip, count) in target.tally.to_skips() {
            *report.skipped.entry(skip).or_default() += count;
        }
        let others = Skip::NotApplicable("udp datagram that is not a flow export".to_owned());
        let damaged = Skip::Malformed("flow export that breaks its format".to_owned());
        for (skip, count) in [(others, passed.others), (damaged, passed.damaged)] {
            if count > 0 {
                report.skipped.insert(skip, count);
            }
        }
        report.format = format!("{} in {}", target.tally.format(), report.format);
        report.messages = target.tally.messages;
        report.rows = target.tally.rows;
        Ok(report)
    }

    fn datagram(
        &mut self,
        datagram: &Datagram<'_>,
        path: &Path,
        target: &mut Target<'_>,
        passed: &mut Passed,
    ) -> Result<(), ImportError> {
        if !is_exports(datagram.payload) {
            passed.others += 1;
            return Ok(());
        }
        let Ok(lengths) = messages(datagram.payload) else {
            passed.damaged += 1;
            return Ok(());
        };
        let origin = Origin { exporter: Some(datagram.src), received_us: Some(datagram.time) };
        let mut at = 0;
        for length in lengths {
            let mut decoder = self.decoder(target);
            decoder.origin = origin;
            match decoder.message(&datagram.payload[at..at + length]) {
                Ok(_) => at += length,
                Err(Failure::Fault(_)) => {
                    passed.damaged += 1;
                    return Ok(());
                }
                Err(failure) => return Err(refusal(failure, path, 0)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rows(Vec<arrow_array::RecordBatch>);

    impl Sink for Rows {
        fn batch(&mut self, batch: arrow_array::RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            self.0.push(batch);
            Ok(())
        }
    }

    /// A capture of raw IP with UDP datagrams from 192.0.2.`last`.
    fn capture(datagrams: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut file = 0xa1b2_c3d4_u32.to_be_bytes().to_vec();
        file.extend([0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 101]);
        for (last, payload) in datagrams {
            let length = u16::try_from(28 + payload.len()).unwrap();
            file.extend([0, 0, 0, 9, 0, 0, 0, 7]);
            file.extend(u32::from(length).to_be_bytes());
            file.extend(u32::from(length).to_be_bytes());
            file.extend([0x45, 0]);
            file.extend(length.to_be_bytes());
            file.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, *last, 192, 0, 2, 99, 1, 1, 8, 7]);
            file.extend((length - 20).to_be_bytes());
            file.extend([0, 0]);
            file.extend(payload);
        }
        file
    }

    fn v5(count: u8) -> Vec<u8> {
        let mut message = vec![0, 5, 0, count];
        message.extend([0; 20]);
        message.extend(vec![1; 48 * usize::from(count)]);
        message
    }

    #[test]
    fn exports_are_found_among_other_datagrams() {
        let file = capture(&[(1, v5(2)), (2, v5(3)[..60].to_vec()), (1, b"\0\x35 a question".to_vec()), (3, v5(1))]);
        let mut rows = Rows(Vec::new());
        let mut exports = Exports::default();
        let path = Path::new("capture");
        exports.collect_capture(&mut file.as_slice(), path, &mut |_| ()).unwrap();
        let report = exports.read_capture(&mut file.as_slice(), path, &mut rows, &mut |_| ()).unwrap();
        assert_eq!((report.messages, report.rows), (2, 3));
        assert_eq!(report.format, "netflow v5 in pcap");
        assert_eq!(report.skipped.values().copied().collect::<Vec<_>>(), [1, 1]);
        let exporters = rows.0[0].column_by_name("exporter").unwrap();
        assert_eq!(arrow_array::Array::null_count(exporters), 0);
    }
}
