//! Routes of real MRT files against `bgpdump`, an independent decoder: every row, not only their number. Both the data
//! and the program may be absent; then the tests say so.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and says what it skips")]

use std::collections::BTreeMap;
use std::fs::File;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use iog_import::columns::Sink;
use iog_import::{FileReport, ImportError, Skip, mrt};

const FILES: [&str; 5] = [
    "routeviews_rib_2014/rib.20140523.0600.first9072.mrt.bz2",
    "ris_updates/bview.20020722.2337.gz",
    "ris_updates/ris.rrc06.updates.1427846400.gz",
    "ris_updates/routeviews.route-views.jinx.updates.1427846400.bz2",
    "ris_updates/updates.20100722.2015.gz",
];

fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}

/// The first fields of `bgpdump -m` for every row, the name of the table type left out.
#[derive(Default)]
struct Lines(Vec<String>);

impl Sink for Lines {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let columns = Columns::of(&batch);
        self.0.extend((0..batch.num_rows()).map(|row| columns.line(row)));
        Ok(())
    }
}

/// A batch with its columns by name, looked up once.
struct Columns<'a>(BTreeMap<&'a str, &'a ArrayRef>);

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Self {
        let names = batch.schema_ref().fields().iter().map(|field| field.name().as_str());
        Self(names.zip(batch.columns()).collect())
    }

    fn text(&self, name: &str, row: usize) -> &'a str {
        let column = self.0[name].as_string::<i32>();
        if column.is_null(row) { "" } else { column.value(row) }
    }

    fn uint(&self, name: &str, row: usize) -> u64 {
        let column = self.0[name].as_primitive::<UInt64Type>();
        if column.is_null(row) { 0 } else { column.value(row) }
    }

    fn address(&self, name: &str, row: usize) -> String {
        let bytes: [u8; 16] = self.0[name].as_fixed_size_binary().value(row).try_into().unwrap();
        Ipv6Addr::from(bytes).to_canonical().to_string()
    }

    fn line(&self, row: usize) -> String {
        let seconds = self.0["time"].as_primitive::<Int64Type>().value(row) / 1_000_000;
        let kind = self.text("kind", row);
        let letter = match kind {
            "rib" => "B",
            "announce" => "A",
            _ => "W",
        };
        let (peer, peer_as) = (self.address("peer", row), self.uint("peer_as", row));
        let (prefix, len) = (self.address("prefix", row), self.uint("prefix_len", row));
        let head = format!("{seconds}|{letter}|{peer}|{peer_as}|{prefix}/{len}");
        if letter == "W" {
            return head;
        }
        let atomic = self.0["atomic_aggregate"].as_boolean().value(row);
        let attributes = [
            self.text("as_path", row).to_owned(),
            self.text("origin", row).to_uppercase(),
            self.address("next_hop", row),
            self.uint("local_pref", row).to_string(),
            self.uint("med", row).to_string(),
            self.text("communities", row).to_owned(),
            if atomic { "AG" } else { "NAG" }.to_owned(),
            self.uint("aggregator_as", row).to_string(),
        ];
        format!("{head}|{}", attributes.join("|"))
    }
}

fn import(path: &Path) -> Result<(FileReport, Vec<String>), ImportError> {
    let mut lines = Lines::default();
    let mut file = File::open(path).unwrap();
    let report = mrt::read(&mut file, path, &mrt::Options::default(), &mut lines, &mut |_| ())?;
    Ok((report, lines.0))
}

/// Lines of `bgpdump -m` in the form of [`Lines`], and how many are changes of state.
fn bgpdump(path: &Path) -> Option<(Vec<String>, u64)> {
    let Ok(output) = Command::new("bgpdump").arg("-m").arg(path).output() else {
        println!("skipped: bgpdump is not installed");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let (states, routes): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.contains("|STATE|"));
    Some((routes.into_iter().map(normalised).collect(), states.len() as u64))
}

fn normalised(line: &str) -> String {
    let mut fields: Vec<String> = line.split('|').skip(1).map(str::to_owned).collect();
    fields[2] = canonical(&fields[2]);
    let (prefix, len) = fields[4].split_once('/').unwrap();
    fields[4] = format!("{}/{len}", canonical(prefix));
    if fields[1] == "W" {
        return fields[..5].join("|");
    }
    fields[7] = canonical(&fields[7]);
    for (name, number) in [("no-export", "65535:65281"), ("no-advertise", "65535:65282"), ("local-AS", "65535:65283")] {
        fields[10] = fields[10].replace(name, number);
    }
    fields[12] = fields[12].split(' ').next().filter(|asn| !asn.is_empty()).unwrap_or("0").to_owned();
    fields[..13].join("|")
}

/// `bgpdump` does not shorten a group of zeros as RFC 5952 says.
fn canonical(address: &str) -> String {
    address.parse::<std::net::IpAddr>().map_or_else(|_| address.to_owned(), |address| address.to_string())
}

#[test]
fn every_route_of_every_file_is_as_bgpdump_says() {
    for name in FILES {
        let Some(path) = data(name) else { continue };
        let (report, mut ours) = import(&path).unwrap();
        assert_eq!(report.rows, ours.len() as u64, "{name}");
        assert_eq!(report.bytes, path.metadata().unwrap().len(), "{name}");
        assert!(!report.skipped.keys().any(|skip| matches!(skip, Skip::Malformed(_))), "{name}: {:?}", report.skipped);
        let Some((mut theirs, states)) = bgpdump(&path) else { continue };
        let changes = Skip::NotApplicable("a change of a session's state".to_owned());
        assert_eq!(report.skipped.get(&changes).copied().unwrap_or_default(), states, "{name}");
        assert_eq!(ours.len(), theirs.len(), "{name}");
        ours.sort_unstable();
        theirs.sort_unstable();
        let different: Vec<_> = ours.iter().zip(&theirs).filter(|(a, b)| a != b).collect();
        assert!(different.is_empty(), "{name}: {} differ, first {:#?}", different.len(), different[0]);
    }
}

#[test]
fn the_table_of_2014_has_the_prefixes_routes_and_peers_that_are_known_of_it() {
    let Some(path) = data(FILES[0]) else { return };
    let (report, lines) = import(&path).unwrap();
    assert_eq!((report.format.as_str(), report.messages, report.rows), ("mrt (bzip2)", 9_073, 270_005));
    let field = |index: usize| {
        let fields = lines.iter().map(|line| line.split('|').nth(index).unwrap());
        fields.collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(field(4), 9_072);
    assert_eq!(field(2), 35, "peers with routes, of the 47 of the index");
}

/// Deterministic numbers, so that a failure can be seen again.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }
}

/// Keeps nothing, and holds batches to their bounds.
struct Bounded;

impl Sink for Bounded {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        assert!(batch.num_rows() <= iog_import::columns::BATCH_ROWS);
        assert!(batch.get_array_memory_size() < 4 * iog_import::rows::TEXT_BYTES_MAX);
        Ok(())
    }
}

#[test]
fn real_files_with_damage_never_panic() {
    for name in &FILES[1..] {
        let Some(path) = data(name) else { continue };
        let mut whole = Vec::new();
        let mut file = File::open(&path).unwrap();
        let mut stored = iog_import::stored::Stored::open(&mut file, &path).unwrap();
        stored.read_up_to(200_000, &mut whole).unwrap();
        let mut numbers = Numbers(whole.len() as u64);
        for _ in 0..20 {
            let mut damaged = whole.clone();
            for _ in 0..=numbers.next(30) {
                let place = numbers.next(damaged.len());
                damaged[place] = u8::try_from(numbers.next(256)).unwrap();
            }
            let keep = numbers.next(damaged.len() + 1);
            damaged.truncate(keep.max(1_000));
            let _ = mrt::read(&mut &damaged[..], &path, &mrt::Options::default(), &mut Bounded, &mut |_| ());
        }
    }
}
