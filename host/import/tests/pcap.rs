//! Real captures against tshark: packets and bytes agree, in every form that editcap writes.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop at once, and says what it skips")]

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use common::{Kept, run, shared};
use iog_import::FileReport;
use iog_import::flows::{FlowOptions, FlowTable};

const CAPTURE: &str = "ddos_captures/amp.TCP.reflection.SYNACK.pcap";

fn import(path: &Path) -> (FileReport, Kept) {
    let (mut kept, mut table) = (Kept::default(), FlowTable::new(FlowOptions::default()));
    let mut bytes = 0;
    let mut file = File::open(path).unwrap();
    let report = iog_import::pcap::read(&mut file, path, &mut table, &mut kept, &mut |read| bytes = read).unwrap();
    assert_eq!(bytes, path.metadata().unwrap().len());
    assert_eq!(report.bytes, bytes);
    assert_eq!(report.rows, kept.rows());
    assert_eq!(table.evicted(), 0);
    (report, kept)
}

/// Frames, IP packets and their bytes, by tshark.
fn tshark(path: &Path) -> Option<(u64, u64, u64)> {
    let path = path.to_str().unwrap();
    let fields = ["-T", "fields", "-E", "occurrence=f", "-e", "frame.number", "-e", "ip.len", "-e", "ipv6.plen"];
    let text = run("tshark", &[&["-r", path][..], &fields].concat())?;
    let lengths = text.lines().filter_map(|line| {
        let mut fields = line.split('\t').skip(1);
        let (v4, v6) = (fields.next()?.parse::<u64>().ok(), fields.next()?.parse::<u64>().ok());
        v4.or(v6.map(|payload| payload + 40))
    });
    let (packets, bytes) = lengths.fold((0, 0), |(packets, bytes), length| (packets + 1, bytes + length));
    Some((text.lines().count() as u64, packets, bytes))
}

#[test]
fn packets_and_bytes_are_those_of_tshark() {
    let Some(path) = shared(CAPTURE) else { return };
    let (report, kept) = import(&path);
    let Some((frames, packets, bytes)) = tshark(&path) else { return };
    assert_eq!(report.messages, frames);
    assert_eq!((kept.sum("packets"), kept.sum("bytes")), (packets, bytes));
    assert_eq!(report.skipped.values().sum::<u64>(), frames - packets);
}

#[test]
fn flows_are_those_of_tshark() {
    let Some(path) = shared(CAPTURE) else { return };
    let (_, kept) = import(&path);
    let arguments = ["-r", path.to_str().unwrap(), "-Y", "tcp", "-T", "fields", "-E", "occurrence=f"];
    let fields = ["ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "tcp.flags", "ip.len"].map(|field| ["-e", field]);
    let Some(text) = run("tshark", &[&arguments[..], fields.as_flattened()].concat()) else { return };
    let mut expected: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
    for line in text.lines() {
        let (key, rest) = line.rsplit_once("\t0x").unwrap();
        let (flags, length) = rest.split_once('\t').unwrap();
        let flow = expected.entry(key.replace('\t', " ")).or_default();
        flow.0 += 1;
        flow.1 += length.parse::<u64>().unwrap();
        flow.2 |= u64::from_str_radix(flags, 16).unwrap() & 0xff;
    }
    let columns = ["proto", "src_port", "dst_port", "packets", "bytes", "tcp_flags"].map(|name| kept.uints(name));
    let (src, dst) = (kept.addresses("src"), kept.addresses("dst"));
    let mut found = BTreeMap::new();
    for at in 0..src.len() {
        let [proto, src_port, dst_port, packets, bytes, flags] = columns.each_ref().map(|column| column[at]);
        if proto == Some(6) {
            let key = format!("{} {} {} {}", src[at], dst[at], src_port.unwrap(), dst_port.unwrap());
            let flow = (packets.unwrap(), bytes.unwrap(), flags.unwrap());
            assert_eq!(found.insert(key, flow), None, "a flow of 0.15 s is one row");
        }
    }
    // tshark sees TCP inside of the headers that ICMP quotes only where the packet is ICMP: `-Y tcp` shows those too.
    expected.retain(|key, _| found.contains_key(key));
    assert_eq!(found, expected);
    assert!(found.len() > 7_000);
}

#[test]
fn other_forms_of_the_capture_give_the_same_rows() {
    let Some(path) = shared(CAPTURE) else { return };
    let (plain, rows) = import(&path);
    let folder = tempfile::tempdir().unwrap();
    for form in ["pcap", "nsecpcap", "pcapng"] {
        let copy = folder.path().join(form);
        if run("editcap", &["-F", form, path.to_str().unwrap(), copy.to_str().unwrap()]).is_none() {
            return;
        }
        let (report, copied) = import(&copy);
        assert_eq!((report.messages, &report.skipped), (plain.messages, &plain.skipped), "{form}");
        assert_eq!(copied.0, rows.0, "{form}");
    }
    let short = folder.path().join("short");
    run("editcap", &["-s", "58", path.to_str().unwrap(), short.to_str().unwrap()]);
    let (_, truncated) = import(&short);
    assert_eq!(truncated.sum("bytes"), rows.sum("bytes"));
    assert_eq!(truncated.sum("packets"), rows.sum("packets"));
}
