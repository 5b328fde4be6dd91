//! The layers below IP against tshark: captures of every link type that is read, made here from the specifications.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop at once, and says what it skips")]

mod common;

use std::path::Path;

use common::{Kept, run};
use iog_import::flows::{FlowOptions, FlowTable};
use iog_import::{FileReport, ImportError};

/// UDP from a port of its own in IPv4, or in IPv6.
fn packet(port: u16, v6: bool) -> Vec<u8> {
    let udp = [&port.to_be_bytes()[..], &[0, 53, 0, 12, 0, 0], b"asks"].concat();
    if v6 {
        let mut head = vec![0x60, 0, 0, 0, 0, 12, 17, 64, 0x20, 1, 0x0d, 0xb8];
        head.extend([0; 11]);
        head.extend([1, 0x20, 1, 0x0d, 0xb8]);
        head.extend([0; 11]);
        head.push(2);
        return [head, udp].concat();
    }
    let head = [0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 10, 198, 51, 100, 20];
    [&head[..], &udp].concat()
}

/// Frames of a link type, each around a packet: what stands in front of it, and what its frame is padded with.
struct Frames {
    link: u32,
    heads: Vec<(Vec<u8>, bool)>,
}

fn ethernet(kind: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0, 0xaa][..], kind].concat()
}

fn all_links() -> Vec<Frames> {
    let v4 = |head: &[u8]| (head.to_vec(), false);
    let v6 = |head: &[u8]| (head.to_vec(), true);
    let ether = |kind: &[u8]| (ethernet(kind), false);
    let backbone = [&[0x88, 0xe7, 0, 0, 0, 9][..], &ethernet(&[])].concat();
    let cooked = |protocol: [u8; 2]| [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], &protocol].concat();
    let cooked2 = |protocol: [u8; 2]| [&protocol[..], &[0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]].concat();
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    // Attributes are in the byte order of the capture.
    let nflog = [2, 0, 0, 5, 0, 8, 0, 1, 8, 0, 1, 0, 0, 5, 0, 10, 0x20, 0, 0, 0, 0, 36, 0, 9];
    let ethernets = vec![
        ether(&[8, 0]),
        (ethernet(&[0x86, 0xdd]), true),
        ether(&[0x81, 0, 0, 5, 8, 0]),
        ether(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]),
        ether(&[0x91, 0, 0, 5, 0x81, 0, 0, 6, 8, 0]),
        (ethernet(&[&backbone[..], &[8, 0]].concat()), false),
        (ethernet(&[&backbone[..], &[0x88, 0xa8, 0, 1, 0x86, 0xdd]].concat()), true),
        ether(&[0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x11, 64]),
        ether(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 34, 0, 0x21]),
        ether(&[&[0, 40][..], &snap].concat()),
        ether(&[0, 35, 6, 6, 3]),
        ether(&[&[0x81, 0, 0, 5, 0, 40][..], &snap].concat()),
        ether(&[0x89, 0x26, 0, 0, 0, 1, 8, 0]),
        ether(&[0x89, 0x3f, 0, 0, 0, 1, 0, 0, 8, 0]),
        ether(&[0xf1, 0xc1, 0, 0, 0, 1, 8, 0]),
    ];
    vec![
        Frames { link: 1, heads: ethernets },
        Frames { link: 9, heads: vec![v4(&[0xff, 3, 0, 0x21]), v4(&[0, 0x21]), v6(&[0xff, 3, 0, 0x57])] },
        Frames { link: 50, heads: vec![v4(&[0xff, 3, 0, 0x21]), v4(&[0x0f, 0, 8, 0]), v6(&[0x8f, 0, 0x86, 0xdd])] },
        Frames { link: 51, heads: vec![v4(&[0x11, 0, 0, 1, 0, 34, 0, 0x21]), v6(&[0x11, 0, 0, 1, 0, 54, 0, 0x57])] },
        Frames { link: 100, heads: vec![v4(&snap)] },
        Frames { link: 101, heads: vec![v4(&[]), v6(&[])] },
        Frames { link: 104, heads: vec![v4(&[0x0f, 0, 8, 0]), v6(&[0x8f, 0, 0x86, 0xdd])] },
        Frames { link: 108, heads: vec![v4(&[0, 0, 0, 2]), v6(&[0, 0, 0, 30])] },
        Frames {
            link: 113,
            heads: vec![
                v4(&cooked([8, 0])),
                v6(&cooked([0x86, 0xdd])),
                v4(&[&cooked([0, 4])[..], &snap].concat()),
                v4(&[&cooked([0x81, 0])[..], &[0, 5, 8, 0]].concat()),
            ],
        },
        Frames { link: 204, heads: vec![v4(&[1, 0xff, 3, 0, 0x21]), v4(&[0, 0xff, 3, 0, 0x21])] },
        Frames { link: 239, heads: vec![v4(&nflog)] },
        Frames { link: 276, heads: vec![v4(&cooked2([8, 0])), v6(&cooked2([0x86, 0xdd]))] },
    ]
}

fn capture(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let words = |values: &[u32]| values.iter().flat_map(|value| value.to_be_bytes()).collect::<Vec<u8>>();
    let mut file = words(&[0xa1b2_c3d4, 0x0002_0004, 0, 0, 65_535, link]);
    for (second, frame) in (1_767_225_600..).zip(frames) {
        let length = u32::try_from(frame.len()).unwrap();
        file.extend(words(&[second, 0, length, length]));
        file.extend(frame);
    }
    file
}

fn import(file: &[u8]) -> (Result<FileReport, ImportError>, Kept) {
    let (mut kept, mut table) = (Kept::default(), FlowTable::new(FlowOptions::default()));
    let report = iog_import::pcap::read(&mut &*file, Path::new("capture"), &mut table, &mut kept, &mut |_| ());
    (report, kept)
}

/// Flows as `src dst proto port bytes`, sorted.
fn flows(kept: &Kept) -> Vec<String> {
    let (src, dst) = (kept.addresses("src"), kept.addresses("dst"));
    let [proto, port, bytes] = ["proto", "src_port", "bytes"].map(|column| kept.uints(column));
    let flow = |at: usize| {
        let [proto, port, bytes] = [&proto, &port, &bytes].map(|column| column[at].unwrap());
        format!("{} {} {proto} {port} {bytes}", src[at], dst[at])
    };
    let mut flows: Vec<String> = (0..src.len()).map(flow).collect();
    flows.sort();
    flows
}

/// The same by tshark, of its innermost IP packets.
fn tshark(path: &Path) -> Option<Vec<String>> {
    let fields =
        ["ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "ip.proto", "ipv6.nxt", "udp.srcport", "ip.len", "ipv6.plen"];
    let fields = fields.map(|field| ["-e", field]);
    let arguments = ["-r", path.to_str().unwrap(), "-T", "fields", "-E", "occurrence=f"];
    let text = run("tshark", &[&arguments[..], fields.as_flattened()].concat())?;
    let line = |line: &str| {
        let [v4, v6, to4, to6, proto, next, port, length, payload] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let bytes = length.parse::<u64>().or_else(|_| payload.parse::<u64>().map(|payload| payload + 40));
        format!("{v4}{v6} {to4}{to6} {proto}{next} {port} {}", bytes.unwrap_or_default())
    };
    let mut flows: Vec<String> = text.lines().map(line).collect();
    flows.sort();
    Some(flows)
}

#[test]
fn every_link_type_gives_the_packets_that_tshark_sees() {
    let folder = tempfile::tempdir().unwrap();
    for Frames { link, heads } in all_links() {
        let frames: Vec<Vec<u8>> =
            (5000..).zip(&heads).map(|(port, (head, v6))| [head.clone(), packet(port, *v6)].concat()).collect();
        let file = capture(link, &frames);
        let (report, kept) = import(&file);
        let report = report.unwrap();
        assert_eq!((report.rows, report.skipped.len()), (heads.len() as u64, 0), "link type {link}: {report:?}");
        let path = folder.path().join(format!("{link}.pcap"));
        std::fs::write(&path, &file).unwrap();
        let Some(seen) = tshark(&path) else { return };
        assert_eq!(flows(&kept), seen, "link type {link}");
    }
}

#[test]
fn lengths_of_ipv6_are_those_of_tshark() {
    let folder = tempfile::tempdir().unwrap();
    let mut none = packet(1, true)[..40].to_vec();
    (none[4..6]).copy_from_slice(&[0, 0]);
    none[6] = 59;
    let frame = [ethernet(&[0x86, 0xdd]), none, vec![0; 6]].concat();
    let file = capture(1, &[frame]);
    let (_, kept) = import(&file);
    assert_eq!(flows(&kept), ["2001:db8::1 2001:db8::2 59 0 40"]);
    let path = folder.path().join("none.pcap");
    std::fs::write(&path, &file).unwrap();
    if let Some(seen) = tshark(&path) {
        assert_eq!(seen, ["2001:db8::1 2001:db8::2 59  40"]);
    }
}

#[test]
fn what_is_not_read_is_named() {
    let reasons = |file: &[u8]| {
        let report = import(file).0.unwrap();
        report.skipped.iter().map(|(why, count)| format!("{count} {why}")).collect::<Vec<_>>()
    };
    let other = |kind: &[u8]| [ethernet(kind), vec![0; 40]].concat();
    let frames = [
        other(&[8, 6]),
        other(&[8, 6]),
        other(&[0x88, 0xf7]),
        other(&[0x12, 0x34]),
        other(&[0, 38, 0x42, 0x42, 3]),
        other(&[0, 38, 0xaa, 0xaa, 3, 0, 0, 12, 0x20, 0]),
        other(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 10, 0xc0, 0x21]),
    ];
    let wanted = [
        "1 packets of IEEE 802.2 service 0x42 (spanning tree)",
        "1 packets of PPP protocol 0xc021 (LCP)",
        "1 packets of SNAP organisation 0x00000c (Cisco)",
        "1 packets of ethertype 0x1234",
        "1 packets of ethertype 0x88f7 (PTP)",
        "2 packets of ethertype 0x0806 (ARP)",
    ];
    let mut found = reasons(&capture(1, &frames));
    found.sort();
    assert_eq!(found, wanted);
    let many: Vec<Vec<u8>> = (0x2001..0x2101_u16).map(|kind| other(&kind.to_be_bytes())).collect();
    let found = reasons(&capture(1, &many));
    assert!(found.len() == 33 && found.contains(&"224 packets of other ethertypes".to_owned()), "{found:?}");
}

#[test]
fn a_capture_of_nothing_but_a_link_type_that_is_not_read_is_refused() {
    let error = import(&capture(105, &[vec![8; 60], vec![8; 60]])).0.unwrap_err();
    assert!(
        error.to_string().contains("all of its packets are of link type 105 (IEEE 802.11), which is not read"),
        "{error}"
    );
    assert_eq!(import(&capture(105, &[])).0.unwrap().rows, 0, "without packets there is nothing to refuse");
    let take = &mut |_: iog_import::pcap::Datagram<'_>| Ok(());
    let file = capture(147, &[vec![1; 9]]);
    let error = iog_import::pcap::datagrams(&mut &file[..], Path::new("capture"), take, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("of link type 147, which is not read"), "{error}");
}
