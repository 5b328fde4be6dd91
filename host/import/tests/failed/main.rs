//! Inputs of flow exports on which an importer failed once, each with the right value beside it. They are not part of the
//! project; without them the test says so. `src/netflow/tests` holds the kinds of mistake that they stand for.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

#[path = "../common/mod.rs"]
mod common;

use std::path::Path;

use common::{Kept, shared};
use iog_import::detect::Format;
use iog_import::files::{ImportOptions, Importer};
use iog_import::listen::{ListenLimits, Listener, Outcome};
use iog_import::netflow::ExportOptions;
use iog_import::{FileReport, Skip};

/// What a case gives.
struct Given {
    report: FileReport,
    kept: Kept,
}

impl Given {
    fn rows(&self) -> Vec<(u64, u64)> {
        let packets = self.kept.uints("packets").into_iter().flatten();
        packets.zip(self.kept.uints("bytes").into_iter().flatten()).collect()
    }

    fn one(&self, column: &str) -> Vec<Option<u64>> {
        self.kept.uints(column)
    }

    fn times(&self) -> Vec<(i64, i64)> {
        self.kept.times("start").into_iter().zip(self.kept.times("end")).collect()
    }
}

fn import(case: &str, format: Format) -> Option<Given> {
    let path = shared(&format!("imports_that_failed/{case}"))?;
    let mut importer = Importer::new(ImportOptions::default());
    let bytes = std::fs::read(&path).unwrap();
    importer.learn(&mut &bytes[..], &path, format, &mut |_| ()).unwrap();
    let mut kept = Kept::default();
    let report = importer.read(&mut &bytes[..], &path, format, &mut kept, &mut |_| ()).unwrap();
    Some(Given { report, kept })
}

const TEN: (u64, u64) = (10, 1000);

#[test]
fn counts_of_headers_limit_nothing() {
    let Some(file) = import("softflowd-v9/sfv9-1.dat", Format::Exports) else { return };
    let capture = import("softflowd-v9/sfv9.pcap", Format::ExportsInPcap).unwrap();
    assert_eq!(file.rows().len(), 3, "{:?}", file.report);
    assert_eq!((capture.rows(), capture.report.skipped.len()), (file.rows(), file.report.skipped.len()));
    let small = import("v9-count-too-small/x.pcap", Format::ExportsInPcap).unwrap();
    assert_eq!((small.rows(), small.report.skipped.len()), (vec![TEN], 0));
}

#[test]
fn elements_that_say_the_same_are_read() {
    let Some(sampling) = import("sampling-309-310/x.dat", Format::Exports) else { return };
    assert_eq!((sampling.rows(), sampling.one("sampling")), (vec![TEN], vec![Some(1000)]));
    let reverse = import("ipfix-biflow-reverse-times/x.dat", Format::Exports).unwrap();
    assert_eq!(reverse.rows(), [TEN, (7, 700)]);
    let seconds =
        |start: i64, end: i64| (1_767_225_500_000_000 + start * 1_000_000, 1_767_225_500_000_000 + end * 1_000_000);
    assert_eq!(reverse.times(), [seconds(90, 98), seconds(91, 97)]);
    let frame = import("ipfix-frame-section/x.pcap", Format::ExportsInPcap).unwrap();
    assert_eq!((frame.rows(), frame.one("proto")), (vec![(1, 48)], vec![Some(17)]));
    assert_eq!(frame.kept.addresses("src"), ["192.0.2.10"]);
    let icmp = import("v9-icmp-without-protocol/x.dat", Format::Exports).unwrap();
    assert_eq!(
        (icmp.one("proto"), icmp.one("icmp_type"), icmp.one("packets")),
        (vec![Some(1)], vec![Some(2048)], vec![Some(3)])
    );
}

#[test]
fn what_is_not_known_is_not_invented() {
    let Some(icmp) = import("icmp-type-invented/x.dat", Format::Exports) else { return };
    assert_eq!((icmp.one("icmp_type"), icmp.one("packets")), (vec![None], vec![Some(4)]));
    let wrapped = import("ipfix-uptime-wrap/x.dat", Format::Exports).unwrap();
    assert_eq!(wrapped.times(), [(1_767_225_590_000_000, 1_767_225_595_000_000)]);
    let misfit = import("template-reused-other-size/x.dat", Format::Exports).unwrap();
    let why = Skip::Malformed("set that does not fit its template".to_owned());
    assert_eq!((misfit.rows(), misfit.report.skipped.get(&why)), (vec![TEN], Some(&1)));
    let scope = import("ipfix-options-scope-zero/x.pcap", Format::ExportsInPcap).unwrap();
    let why = Skip::Malformed("template that breaks its format".to_owned());
    assert_eq!(scope.one("packets"), [Some(10), Some(10)], "those of the message behind it");
    assert_eq!(scope.report.skipped.get(&why), Some(&1));
    let why = Skip::Malformed("record of a message with a template that breaks its format".to_owned());
    assert_eq!(scope.report.skipped.get(&why), Some(&1));
}

#[test]
fn files_of_nfdump_give_what_the_same_messages_give() {
    let Some(stored) = import("nfdump-biflow/nfcapd.202611281800", Format::Nfdump) else { return };
    let [biflow, nsel] =
        ["biflow.dat", "nsel.dat"].map(|name| import(&format!("nfdump-biflow/{name}"), Format::Exports).unwrap());
    assert_eq!(stored.rows(), [TEN, (7, 700), (12, 2557), (9, 1117)]);
    assert_eq!(stored.rows(), [biflow.rows(), nsel.rows()].concat());
    assert_eq!(stored.times(), [biflow.times(), nsel.times()].concat());
    let sources = |given: &Given| given.kept.addresses("src");
    assert_eq!(sources(&stored), [sources(&biflow), sources(&nsel)].concat());
    assert!(stored.report.skipped.is_empty(), "{:?}", stored.report);
}

#[test]
fn a_listener_reads_what_softflowd_sends() {
    let Some(path) = shared("imports_that_failed/collect-damaged-silent/sfv9-1.dat") else { return };
    let mut listener = Listener::new(ExportOptions::default(), ListenLimits::default());
    let sender = std::net::IpAddr::from([192, 0, 2, 1]);
    let heard = listener.datagram(sender, 1, &std::fs::read(Path::new(&path)).unwrap(), &mut Kept::default()).unwrap();
    assert_eq!(heard, Outcome::Rows(3));
}
