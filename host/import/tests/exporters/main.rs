//! Real exporters over one capture that the test makes, through a loopback socket: what a listener makes of their
//! datagrams is what nfdump makes of them, row by row. Exporters that are not installed are named and passed over.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop at once, and says what it skips")]

#[path = "../common/mod.rs"]
mod common;
mod traffic;

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Kept, run};
use iog_import::listen::{ListenLimits, Listener, Outcome};
use iog_import::netflow::ExportOptions;

/// How long an exporter may take for the capture; they take up to five seconds.
const EXPORTED: Duration = Duration::from_secs(30);
/// How long a started program may take to listen, and a collector to write what it has received.
const STARTED: Duration = Duration::from_millis(700);

fn start(program: &str, arguments: &[&str]) -> Option<Child> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        Ok(child) => Some(child),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("SKIPPED: `{program}` is not installed");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

/// The datagrams that a program sends until it ends; none where it is not installed.
fn datagrams(start: impl FnOnce(u16) -> Option<Child>) -> Option<Vec<Vec<u8>>> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut exporter = start(socket.local_addr().unwrap().port())?;
    let (begun, mut sent, mut buffer) = (Instant::now(), Vec::new(), vec![0; 65_535]);
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => sent.push(buffer[..length].to_vec()),
            Err(_) if exporter.try_wait().unwrap().is_some() => return Some(sent),
            Err(_) if begun.elapsed() > EXPORTED => {
                exporter.kill().unwrap();
                exporter.wait().unwrap();
                panic!("the exporter has not ended after {EXPORTED:?}");
            }
            Err(_) => {}
        }
    }
}

/// Source, destination, protocol, ports (the last one type and code of ICMP), packets and bytes, as nfdump prints them.
fn ours(kept: &Kept) -> Vec<String> {
    let numbers = ["proto", "src_port", "dst_port", "packets", "bytes", "icmp_type"].map(|name| kept.uints(name));
    let (src, dst) = (kept.addresses("src"), kept.addresses("dst"));
    let line = |at: usize| {
        let [proto, src_port, dst_port, packets, bytes, icmp] = numbers.each_ref().map(|column| column[at]);
        let last = icmp.or(dst_port).unwrap_or(0);
        let numbers = [proto, src_port, Some(last), packets, bytes].map(Option::unwrap_or_default);
        format!("{}|{}|{}", src[at], dst[at], numbers.map(|number| number.to_string()).join("|"))
    };
    let mut lines: Vec<_> = (0..src.len()).map(line).collect();
    lines.sort();
    lines
}

/// What a listener makes of the datagrams.
fn listened(sent: &[Vec<u8>]) -> Vec<String> {
    let mut listener = Listener::new(ExportOptions::default(), ListenLimits::default());
    let mut kept = Kept::default();
    for datagram in sent {
        let heard = listener.datagram([127, 0, 0, 1].into(), 1_700_000_100_000_000, datagram, &mut kept).unwrap();
        assert!(matches!(heard, Outcome::Rows(_)), "{heard:?}");
    }
    listener.flush(&mut kept).unwrap();
    let lost = listener.tally().to_skips();
    assert!(lost.keys().all(|skip| skip.to_string() == "options data"), "{lost:?}");
    ours(&kept)
}

/// What nfdump makes of them, a line for each direction that carried something; none where it is not installed.
fn collected(sent: &[Vec<u8>], folder: &Path) -> Option<Vec<String>> {
    std::fs::create_dir(folder).unwrap();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut collector = start("nfcapd", &["-b", "127.0.0.1", "-p", &port, "-w", folder.to_str().unwrap()])?;
    std::thread::sleep(STARTED);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for datagram in sent {
        socket.send_to(datagram, format!("127.0.0.1:{port}")).unwrap();
    }
    std::thread::sleep(STARTED);
    run("kill", &["-TERM", &collector.id().to_string()]);
    collector.wait().unwrap();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("nfcapd.2"));
    let file = files.next().unwrap();
    let format = "fmt:%sa|%da|%pr|%sp|%dp|%ipkt|%ibyt|%opkt|%obyt";
    let text = run("nfdump", &["-q", "-N", "-6", "-r", file.to_str().unwrap(), "-o", format])?;
    let mut lines: Vec<String> = text.lines().filter(|line| line.contains('|')).flat_map(directions).collect();
    lines.sort();
    Some(lines)
}

/// The directions of a line of nfdump that carried something; it shows a line of 0 packets where only an answer was seen.
fn directions(line: &str) -> Vec<String> {
    let fields: Vec<_> = line.split('|').map(str::trim).collect();
    let [src, dst, proto, src_port, dst_port, packets, bytes, back_packets, back_bytes] = fields[..] else {
        panic!("{line}")
    };
    let ways = [
        format!("{src}|{dst}|{proto}|{src_port}|{dst_port}|{packets}|{bytes}"),
        format!("{dst}|{src}|{proto}|{dst_port}|{src_port}|{back_packets}|{back_bytes}"),
    ];
    let carried = [packets, back_packets].map(|packets| packets != "0");
    ways.into_iter().zip(carried).filter(|(_, carried)| *carried).map(|(way, _)| without_type(&way)).collect()
}

/// A row without type and code of ICMP, which nfdump 1.7.1 does not find in what nfprobe sends.
fn without_type(row: &str) -> String {
    let mut fields: Vec<_> = row.split('|').collect();
    if matches!(fields[2], "1" | "58") {
        (fields[3], fields[4]) = ("0", "0");
    }
    fields.join("|")
}

/// Holds the datagrams of an exporter to nfdump, and both to the `packets` and `bytes` of the capture.
fn compare(name: &str, sent: &[Vec<u8>], folder: &Path, counted: (u64, u64)) {
    assert!(!sent.is_empty(), "{name} sent nothing");
    let rows = listened(sent);
    let number = |row: &String, at: usize| row.split('|').nth(at).unwrap().parse::<u64>().unwrap();
    let sum = |at: usize| rows.iter().map(|row| number(row, at)).sum::<u64>();
    assert_eq!((sum(5), sum(6)), counted, "{name}: {rows:#?}");
    let icmp = |kind: u64| {
        let packets = rows.iter().filter(|row| number(row, 2) == 1 && number(row, 4) == kind).map(|row| number(row, 5));
        packets.sum::<u64>()
    };
    assert_eq!((icmp(2048), icmp(0)), (2, 2), "{name}: {rows:#?}");
    if let Some(expected) = collected(sent, &folder.join(name)) {
        let mut rows: Vec<_> = rows.iter().map(|row| without_type(row)).collect();
        rows.sort();
        assert_eq!(rows, expected, "{name}");
    }
}

#[test]
fn softflowd_in_every_version_and_with_biflows() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("own.pcap");
    std::fs::write(&capture, traffic::capture(true)).unwrap();
    for (name, options) in
        [("v5", &["-v", "5"][..]), ("v9", &["-v", "9"]), ("ipfix", &["-v", "10"]), ("biflow", &["-v", "10", "-b"])]
    {
        let sent = datagrams(|port| {
            let (to, pid) = (format!("127.0.0.1:{port}"), folder.path().join("pid"));
            // Without `-c none` it waits on a control socket that nobody opens.
            let fixed = ["-d", "-r", capture.to_str().unwrap(), "-n", &to, "-c", "none", "-p", pid.to_str().unwrap()];
            start("softflowd", &[&fixed[..], options].concat())
        });
        let Some(sent) = sent else { return };
        // NetFlow v5 has no IPv6.
        compare(name, &sent, folder.path(), traffic::counted(name != "v5"));
    }
}

#[test]
fn nfprobe_of_pmacct_in_every_version() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("own.pcap");
    for version in ["5", "9", "10"] {
        let six = version != "5";
        std::fs::write(&capture, traffic::capture(six)).unwrap();
        let sent = datagrams(|port| {
            let config = folder.path().join("pmacctd.conf");
            let text = format!(
                "daemonize: false\npcap_savefile: {}\nplugins: nfprobe[probe]\nnfprobe_receiver[probe]: 127.0.0.1:{port}\n\
                 nfprobe_version[probe]: {version}\n\
                 aggregate[probe]: src_host, dst_host, src_port, dst_port, proto, tos, tcpflags\n",
                capture.display()
            );
            std::fs::write(&config, text).unwrap();
            start("pmacctd", &["-f", config.to_str().unwrap()])
        });
        let Some(sent) = sent else { return };
        compare(&format!("nfprobe{version}"), &sent, folder.path(), traffic::counted(six));
    }
}

#[test]
fn nfreplay_of_a_file_that_nfpcapd_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let (capture, stored) = (folder.path().join("own.pcap"), folder.path().join("stored"));
    std::fs::write(&capture, traffic::capture(true)).unwrap();
    std::fs::create_dir(&stored).unwrap();
    if run("nfpcapd", &["-r", capture.to_str().unwrap(), "-w", stored.to_str().unwrap()]).is_none() {
        return;
    }
    let file = std::fs::read_dir(&stored).unwrap().next().unwrap().unwrap().path();
    for version in ["5", "9"] {
        let sent = datagrams(|port| {
            let port = port.to_string();
            start("nfreplay", &["-H", "127.0.0.1", "-p", &port, "-v", version, "-r", file.to_str().unwrap()])
        });
        let Some(sent) = sent else { return };
        compare(&format!("nfreplay{version}"), &sent, folder.path(), traffic::counted(version != "5"));
    }
}
