//! Files of nfdump against nfdump itself, record by record: files that its own programs write from real packets, and
//! files of layout 1 written here, because the programs of today no longer write them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop at once, and says what it skips")]

#[path = "../common/mod.rs"]
mod common;
mod writer;

use std::path::Path;

use common::{Kept, run, shared};
use iog_import::netflow::{ExportOptions, WhenUnknown};
use iog_import::nfdump::{is_nfdump, read};
use iog_import::{FileReport, ImportError, Skip};
use proptest::prelude::*;
use writer::{Method, biflows_1, biflows_2, layout_1, layout_2};

/// One line for every record, the same from both sides.
const FORMAT: &str = "fmt:%ts|%te|%sa|%da|%pr|%sp|%dp|%pkt|%byt|%flg|%sas|%das|%in|%out|%nas|%pas|%tos|%ra";

fn import(mut bytes: &[u8]) -> (Result<FileReport, ImportError>, Kept) {
    let mut kept = Kept::default();
    let report = read(&mut bytes, Path::new("file"), &ExportOptions::default(), &mut kept, &mut |_| {});
    (report, kept)
}

/// What nfdump says of a file; none where it is not installed.
fn oracle(path: &Path) -> Option<Vec<String>> {
    let text = run("nfdump", &["-q", "-N", "-6", "-r", path.to_str().unwrap(), "-o", FORMAT])?;
    let mut lines: Vec<String> = text.lines().filter(|line| line.contains('|')).map(normal).collect();
    lines.sort_unstable();
    Some(lines)
}

/// A line of nfdump without padding, its ICMP ports and flags as numbers.
fn normal(line: &str) -> String {
    let mut fields: Vec<String> = line.split('|').map(|field| field.trim().to_owned()).collect();
    for time in &mut fields[..2] {
        *time = epoch(time);
    }
    let icmp = fields[4] == "1" || fields[4] == "58";
    if icmp && let Some((kind, code)) = fields[6].clone().split_once('.') {
        fields[6] = (kind.parse::<u32>().unwrap() * 256 + code.parse::<u32>().unwrap()).to_string();
    }
    let flags = fields[9].bytes().rev().enumerate().fold(0, |sum, (at, flag)| sum | (u32::from(flag != b'.') << at));
    fields[9] = if fields[4] == "6" { flags.to_string() } else { "0".to_owned() };
    fields.join("|")
}

/// Seconds since the epoch of a time in UTC, `2021-06-05 03:58:45.552` (nfdump 1.7.1 prints wrong milliseconds when asked
/// for an end time in seconds). Days by the algorithm of "days from civil".
fn epoch(time: &str) -> String {
    let (whole, milliseconds) = time.split_once('.').unwrap();
    let numbers: Vec<i64> = whole.split(['-', ' ', ':']).map(|number| number.parse().unwrap()).collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { panic!("{time}") };
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    format!("{}.{milliseconds}", ((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Our rows in the same form.
fn ours(kept: &Kept) -> Vec<String> {
    let names = [
        "proto",
        "src_port",
        "dst_port",
        "packets",
        "bytes",
        "tcp_flags",
        "src_as",
        "dst_as",
        "ingress_if",
        "egress_if",
        "egress_as",
        "ingress_as",
        "tos",
    ];
    let columns = names.map(|name| kept.uints(name));
    let icmp = kept.uints("icmp_type");
    let (starts, ends) = (kept.times("start"), kept.times("end"));
    let (src, dst, exporter) = (kept.addresses("src"), kept.addresses("dst"), kept.addresses("exporter"));
    let seconds = |time: i64| format!("{}.{:03}", time / 1_000_000, time / 1000 % 1000);
    let mut lines: Vec<String> = (0..src.len())
        .map(|at| {
            let mut numbers = columns.each_ref().map(|column| column[at].unwrap_or(0).to_string());
            if let Some(icmp) = icmp[at] {
                numbers[2] = icmp.to_string();
            }
            let (start, end) = (seconds(starts[at]), seconds(ends[at]));
            format!("{start}|{end}|{}|{}|{}|{}", src[at], dst[at], numbers.join("|"), exporter[at])
        })
        .collect();
    lines.sort_unstable();
    lines
}

/// Compares a file with what nfdump reads from it; false where nfdump is not installed.
fn agrees(path: &Path) -> bool {
    let (report, kept) = import(&std::fs::read(path).unwrap());
    let report = report.unwrap();
    let Some(expected) = oracle(path) else { return false };
    let mut rows = ours(&kept);
    // nfdump 1.7 passes over records of type 1, which its forerunners wrote.
    rows.retain(|row| !row.contains("|10.0.0.3|"));
    assert_eq!(rows, expected, "{}", path.display());
    assert!(report.rows > 0 && report.skipped.is_empty(), "{report:?}");
    true
}

#[test]
fn files_of_nfpcapd_are_read_in_every_compression() {
    let Some(capture) = shared("ddos_captures/amp.TCP.reflection.SYNACK.pcap") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (source, plain) = (capture.to_str().unwrap(), folder.path().to_str().unwrap());
    if run("nfpcapd", &["-r", source, "-w", plain]).is_none() {
        return;
    }
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    assert!(agrees(&file));
    let mut formats = Vec::new();
    for option in ["-z", "-y", "-j"] {
        let copy = folder.path().join(format!("copy{option}"));
        run("nfdump", &["-q", "-r", file.to_str().unwrap(), option, "-w", copy.to_str().unwrap()]);
        assert!(agrees(&copy));
        formats.push(import(&std::fs::read(&copy).unwrap()).0.unwrap().format);
    }
    assert_eq!(formats, ["nfdump 2, lzo", "nfdump 2, lz4", "nfdump 2, bzip2"]);
    cut_and_mutate(&std::fs::read(folder.path().join("copy-z")).unwrap());
}

/// A real file, cut and changed in many places: it is refused or read, and nothing else happens.
fn cut_and_mutate(file: &[u8]) {
    let appendix = usize::try_from(u64::from_le_bytes(file[24..32].try_into().unwrap())).unwrap();
    for at in (0..appendix).step_by(appendix / 20) {
        assert!(import(&file[..at]).0.is_err(), "{at}");
        let mut changed = file.to_vec();
        changed[at] ^= 0xff;
        changed[(at * 7) % file.len()] ^= 0x10;
        let _ = import(&changed);
    }
}

/// Packets of a real exporter, sent to nfcapd over loopback.
#[test]
fn files_of_nfcapd_are_read() {
    let Some(exports) = shared("netflow_exports") else { return };
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let command = std::process::Command::new("nfcapd")
        .args(["-b", "127.0.0.1", "-p", &port, "-z", "-w", folder.path().to_str().unwrap()])
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn();
    let Ok(mut collector) = command else { return println!("skipped: `nfcapd` is not installed") };
    std::thread::sleep(std::time::Duration::from_millis(700));
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for name in ["netflow5.dat", "netflow5_test_juniper_mx80.dat", "netflow9_test_softflowd_tpl_data.dat", "ipfix.dat"]
    {
        socket.send_to(&std::fs::read(exports.join(name)).unwrap(), format!("127.0.0.1:{port}")).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    run("kill", &["-TERM", &collector.id().to_string()]);
    collector.wait().unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let file = files.iter().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("nfcapd.2")).unwrap();
    assert!(agrees(file));
}

#[test]
fn files_of_layout_1_are_read_as_nfdump_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    for method in [Method::None, Method::Lzo, Method::Lz4, Method::Bzip2] {
        let path = folder.path().join(format!("{method:?}"));
        std::fs::write(&path, layout_1(method)).unwrap();
        if !agrees(&path) {
            return;
        }
    }
}

#[test]
fn layout_1_gives_every_column() {
    for method in [Method::None, Method::Lzo, Method::Lz4, Method::Bzip2] {
        let (report, kept) = import(&layout_1(method));
        assert_eq!(report.unwrap().rows, 4, "{method:?}");
        assert_eq!(
            ours(&kept),
            [
                "1600000000.007|1600000001.999|10.0.0.1|10.0.0.2|6|8080|53|5000000000|7|18|65001|65002|3|4|65010|65011|16|192.0.2.99",
                "1600000002.007|1600000003.999|2001:db8::1|2001:db8::2|17|8080|53|9|6000000000|0|4200000001|4200000002|70000|70001|0|0|16|2001:db8::99",
                "1600000003.007|1600000004.999|10.0.0.5|10.0.0.6|1|0|771|2|168|0|0|0|0|0|0|0|16|0.0.0.0",
                "1600000004.007|1600000005.999|10.0.0.3|10.0.0.4|1|0|771|1|84|0|0|0|0|0|0|0|16|192.0.2.7",
            ]
        );
    }
}

#[test]
fn zstd_blocks_are_read() {
    let plain = import(&layout_2(Method::None)).1;
    assert_eq!(plain.rows(), 2);
    for method in [Method::Zstd, Method::Lz4, Method::Lzo, Method::Bzip2] {
        let (report, kept) = import(&layout_2(method));
        assert_eq!(kept.0, plain.0, "{method:?}");
        assert_eq!(report.unwrap().skipped.len(), 3, "{method:?}");
    }
}

#[test]
fn records_without_a_row_are_counted() {
    let report = import(&layout_2(Method::None)).0.unwrap();
    let reasons: Vec<_> = report.skipped.into_iter().collect();
    assert_eq!(
        reasons,
        [
            (Skip::NotApplicable("event of a firewall or of address translation without counters".to_owned()), 1),
            (Skip::NotApplicable("record of an unknown type".to_owned()), 1),
            (Skip::Incomplete("src".to_owned()), 1),
        ]
    );
}

/// Source, start and end in milliseconds, packets, bytes.
fn short(kept: &Kept) -> Vec<(String, i64, i64, u64, u64)> {
    let times = kept.times("start").into_iter().zip(kept.times("end"));
    let counters = kept.uints("packets").into_iter().zip(kept.uints("bytes"));
    let rows = kept.addresses("src").into_iter().zip(times.zip(counters));
    rows.map(|(src, ((start, end), (packets, bytes)))| {
        (src, start / 1000, end / 1000, packets.unwrap(), bytes.unwrap())
    })
    .collect()
}

#[test]
fn the_way_back_is_a_row_in_both_layouts() {
    let (there, back) = ("10.0.0.1", "10.0.0.2");
    let row = |src: &str, times: (i64, i64), packets, bytes| {
        let base = 1_600_000_000_000;
        (src.to_owned(), base + times.0, base + times.1, packets, bytes)
    };
    let (report, kept) = import(&biflows_1());
    let wide = row(back, (500_000, 500_000), 5_000_000_000, 6_000_000_000);
    assert_eq!(
        short(&kept),
        [
            row(there, (7, 1009), 10, 1000),
            row(back, (7, 1009), 7, 700),
            row(there, (2007, 2007), 12, 2557),
            row(back, (2007, 2007), 9, 1117),
            wide,
            row(there, (4007, 4009), 1, 40),
        ]
    );
    assert_eq!(kept.uints("ingress_if"), [Some(1), Some(2), None, None, None, Some(3)]);
    assert_eq!(kept.uints("dst_port")[..2], [Some(50_000), Some(443)]);
    assert_eq!(kept.uints("tcp_flags")[..2], [Some(0x12), None], "those of the way back were not stored");
    let reasons: Vec<_> = report.unwrap().skipped.into_iter().map(|(why, count)| (why.to_string(), count)).collect();
    let unknown = "values not understood: extensions of nfdump that are not known";
    assert_eq!(reasons, [("record that counts no packets".to_owned(), 1), (unknown.to_owned(), 1)]);

    let (report, kept) = import(&biflows_2());
    assert_eq!(
        short(&kept),
        [
            row(there, (7, 1999), 10, 1000),
            row(back, (7, 1999), 7, 700),
            row(there, (7, 7), 12, 2557),
            row(back, (7, 7), 9, 1117),
            row(back, (500_000, 500_000), 4, 160),
            row(there, (900_000, 900_000), 1, 40),
            row(there, (7, 1999), 2, 80),
            row(there, (7, 1999), 3, 120),
            row(there, (7, 1999), 3, 120),
        ]
    );
    assert_eq!((kept.uints("ingress_if")[6], kept.uints("egress_if")[6]), (Some(5), Some(6)));
    let reasons: Vec<_> = report.unwrap().skipped.into_iter().map(|(why, count)| (why.to_string(), count)).collect();
    let wanted = [
        ("record that counts no packets", 1),
        ("records without `packets`", 1),
        ("values not understood: elements of nfdump that are not known", 1),
        ("values not understood: nfdump's element 18 (sampler), for `sampling`", 1),
    ];
    assert_eq!(reasons, wanted.map(|(why, count)| (why.to_owned(), count)));
}

#[test]
fn a_flow_without_a_time_is_skipped_when_the_owner_says_so() {
    let options = ExportOptions { unknown_times: WhenUnknown::Skip, ..ExportOptions::default() };
    let report = read(&mut &biflows_2()[..], Path::new("file"), &options, &mut Kept::default(), &mut |_| {}).unwrap();
    assert_eq!((report.rows, report.skipped[&Skip::Incomplete("start".to_owned())]), (8, 1));
}

#[test]
fn other_files_are_refused() {
    let file = layout_2(Method::None);
    assert!(is_nfdump(&file) && is_nfdump(&layout_1(Method::None)) && !is_nfdump(b"\x0c\xa5"));
    assert!(matches!(import(b"").0, Err(ImportError::UnknownFormat { .. })));
    assert!(matches!(import(b"hello").0, Err(ImportError::UnknownFormat { .. })));
    for (at, value, reason) in [
        (2, 3, "nfdump's layout 3 is not supported, only 1 and 2"),
        (16, 9, "compression 9 is unknown"),
        (17, 1, "it is encrypted"),
    ] {
        let mut changed = file.clone();
        changed[at] = value;
        let error = import(&changed).0.unwrap_err();
        assert!(matches!(&error, ImportError::Damaged { reason: found, .. } if found == reason), "{error}");
    }
    let mut huge = file;
    huge[44..48].copy_from_slice(&((16u32 << 20) + 1).to_le_bytes());
    assert!(matches!(import(&huge).0, Err(ImportError::TooLarge { .. })));
}

proptest! {
    #[test]
    fn mutated_files_do_not_panic(
        one: bool,
        method in prop::sample::select(vec![Method::None, Method::Lzo, Method::Lz4, Method::Zstd, Method::Bzip2]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..10),
        end: prop::sample::Index,
    ) {
        let mut file = if one && method != Method::Zstd { layout_1(method) } else { layout_2(method) };
        for (at, value) in changes {
            let at = at.index(file.len());
            file[at] = value;
        }
        let end = end.index(file.len() + 1);
        let (report, kept) = import(&file[..end]);
        if let Ok(report) = report {
            prop_assert_eq!(report.rows, kept.rows());
        }
    }

    #[test]
    fn any_bytes_do_not_panic(
        layout in 1u8..3,
        compression in 0u8..5,
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut file = vec![0x0c, 0xa5, layout, 0];
        file.resize(if layout == 1 { 276 } else { 40 }, 0);
        file[if layout == 1 { 4 } else { 16 }] = compression;
        file.extend(bytes);
        let _ = import(&file);
    }
}
