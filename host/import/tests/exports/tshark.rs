//! The same messages through tshark: as many flow records, the same addresses, the same bytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use arrow_array::{Array, FixedSizeBinaryArray, RecordBatch, UInt64Array};
use iog_import::Skip;
use iog_import::netflow::check;

use super::files::{Read, all, by_exporter, name, read};

/// A capture of UDP datagrams to port 2055, link type raw IP.
struct Capture(Vec<u8>);

impl Capture {
    fn new() -> Self {
        let mut bytes = 0xa1b2_c3d4_u32.to_be_bytes().to_vec();
        bytes.extend([0, 2, 0, 4]);
        bytes.extend([0; 8]);
        bytes.extend(65_535_u32.to_be_bytes());
        bytes.extend(101_u32.to_be_bytes());
        Self(bytes)
    }

    /// Adds a datagram of the exporter with this number.
    fn add(&mut self, exporter: usize, message: &[u8]) {
        let length = u16::try_from(28 + message.len()).unwrap();
        let mut packet = vec![0x45, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, u8::try_from(exporter).unwrap(), 10, 1, 0, 1]);
        packet.extend([0x9c, 0x40, 0x08, 0x07]);
        packet.extend((length - 20).to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(message);
        self.0.extend([0; 8]);
        self.0.extend(u32::from(length).to_be_bytes());
        self.0.extend(u32::from(length).to_be_bytes());
        self.0.extend(packet);
    }
}

/// What tshark finds in one datagram: addresses of sources and the bytes of flows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Flows {
    sources: Vec<String>,
    octets: Vec<u64>,
}

/// One line of flows for each datagram; none without tshark.
fn tshark(capture: &Capture) -> Option<Vec<Flows>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exports.pcap");
    std::fs::write(&path, &capture.0).unwrap();
    let fields = ["cflow.srcaddr", "cflow.srcaddrv6", "cflow.octets"].map(|field| ["-e", field]).concat();
    let output = Command::new("tshark")
        .args(["-2", "-n", "-d", "udp.port==2055,cflow", "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,"])
        .args(fields)
        .arg("-r")
        .arg(&path)
        .output();
    let Ok(output) = output else {
        println!("skipped: tshark is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let parts = |text: &str| text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let line = |line: &str| {
        let columns: Vec<_> = line.split('\t').collect();
        let sources = [parts(columns[0]), parts(columns[1])].concat();
        Flows { sources, octets: parts(columns[2]).iter().map(|number| number.parse().unwrap()).collect() }
    };
    Some(String::from_utf8(output.stdout).unwrap().lines().map(line).collect())
}

/// The messages of a file; one where it is damaged.
fn messages(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let mut found = Vec::new();
    let mut rest = bytes.as_slice();
    while rest.iter().any(|byte| *byte != 0) {
        let length = check(rest).unwrap_or(rest.len());
        found.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    found
}

/// What we find in a file, as tshark shows it.
fn ours(read: &Read) -> Flows {
    let mut flows = Flows::default();
    for batch in &read.batches {
        let sources = batch.column_by_name("src").unwrap().as_any().downcast_ref::<FixedSizeBinaryArray>().unwrap();
        for source in sources.iter() {
            let source = std::net::Ipv6Addr::from(<[u8; 16]>::try_from(source.unwrap()).unwrap());
            flows.sources.push(source.to_canonical().to_string());
        }
        flows.octets.extend(octets(batch));
    }
    flows
}

fn octets(batch: &RecordBatch) -> Vec<u64> {
    batch.column_by_name("bytes").unwrap().as_any().downcast_ref::<UInt64Array>().unwrap().values().to_vec()
}

/// Reads the groups in both ways and compares file by file.
fn compare(groups: &[Vec<PathBuf>]) {
    let mut capture = Capture::new();
    let mut datagrams = Vec::new();
    for (index, files) in groups.iter().enumerate() {
        for path in files {
            let messages = messages(path);
            datagrams.push(messages.len());
            messages.iter().for_each(|message| capture.add(index + 1, message));
        }
    }
    let Some(theirs) = tshark(&capture) else { return };
    assert_eq!(theirs.len(), datagrams.iter().sum::<usize>());
    let mut theirs = theirs.into_iter();
    let mut counts = datagrams.into_iter();
    for files in groups {
        for (path, read) in files.iter().zip(read(files)) {
            let mut expected = Flows::default();
            for flows in theirs.by_ref().take(counts.next().unwrap()) {
                expected.sources.extend(flows.sources);
                expected.octets.extend(flows.octets);
            }
            compare_file(name(path), &read, expected);
        }
    }
}

fn compare_file(name: &str, read: &Read, mut expected: Flows) {
    if name == "netflow9_test_invalid01.dat" {
        // tshark stops where the header has counted to; its two records are sound, and stand behind two templates.
        assert_eq!((ours(read).sources.len(), expected.sources.len()), (2, 0));
        return;
    }
    let Ok(report) = &read.result else {
        // tshark shows the records that are there, whatever the header counts.
        assert!(name.contains("invalid"), "{name}");
        return;
    };
    let mut found = ours(read);
    if report.skipped.contains_key(&Skip::Malformed("set that does not fit its template".to_owned())) {
        // tshark shows what the set begins with, whose values are not those of its fields: a source of 0.0.0.0.
        assert!(found.sources.is_empty() && expected.sources == ["0.0.0.0"], "{name}: {found:?} {expected:?}");
        return;
    }
    let nothing = Skip::NotApplicable("record that counts no packets".to_owned());
    let incomplete = |skip: &Skip| matches!(skip, Skip::Incomplete(_)) || *skip == nothing;
    let skipped: u64 = report.skipped.iter().filter(|(skip, _)| incomplete(skip)).map(|(_, count)| count).sum();
    if skipped > 0 {
        assert_eq!(found.sources.len() as u64 + skipped, expected.sources.len() as u64, "{name}");
        return;
    }
    if name.contains("_yaf_") && !found.sources.is_empty() {
        // A biflow: tshark shows one record, with octetTotalCount under another name; we write a row for each direction.
        assert_eq!((found.octets.as_slice(), expected.sources.len()), (&[132, 200][..], 1), "{name}");
        found.sources.pop();
        found.octets.clear();
    }
    expected.sources.sort();
    found.sources.sort();
    assert_eq!(found.sources, expected.sources, "{name}");
    if report.skipped.keys().any(|skip| matches!(skip, Skip::NotApplicable(_))) {
        // tshark counts the bytes of records without addresses, too.
        return;
    }
    assert_eq!(found.octets.iter().sum::<u64>(), expected.octets.iter().sum::<u64>(), "{name}");
}

#[test]
fn each_file_alone_agrees_with_tshark() {
    compare(&all().into_iter().map(|path| vec![path]).collect::<Vec<_>>());
}

#[test]
fn files_of_one_exporter_agree_with_tshark() {
    compare(&by_exporter().into_values().filter(|files| files.len() > 1).collect::<Vec<_>>());
}
