//! How much memory decoding takes at its peak, for files made to take much: bombs, lengths that lie, floods. The
//! allocator of this test counts; files come from generators, so that they do not count themselves.

mod endless;
mod files;

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use arrow_array::RecordBatch;
use iog_import::columns::Sink;
use iog_import::exports::Exports;
use iog_import::flows::{FlowOptions, FlowTable};
use iog_import::listen::{ListenLimits, Listener};
use iog_import::netflow::ExportOptions;
use iog_import::tables::{Options, TableFormat};
use iog_import::{ImportError, bmp, mrt, nfdump, pcap, pdns, tables};
use peak_alloc::PeakAlloc;

use endless::{Numbered, Repeated};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What every decoder may take: two of the largest records, as a vector that grows holds both its old and new bytes, and
/// the window it reads through.
const RECORD_MIB: usize = 2 * 16 + 2;
/// What text in columns may take: 32 MiB a batch, in vectors that grow by doubling while the old one is still there.
const TEXT_MIB: usize = 3 * 32 + RECORD_MIB;
/// The state of exporters, 64 MiB of which are counted, and a window of messages.
const TEMPLATES_MIB: usize = 64 + 32;
/// 524,288 open flows, and their vectors while they grow.
const FLOWS_MIB: usize = 144;

/// Drops what it is given.
struct Nowhere;

impl Sink for Nowhere {
    fn batch(&mut self, _: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(())
    }
}

/// Reads a file of one format.
type Import = fn(&mut dyn Read) -> Result<(), ImportError>;

fn path() -> &'static Path {
    Path::new("hostile")
}

fn exports(input: &mut dyn Read) -> Result<(), ImportError> {
    Exports::default().read(input, path(), &mut Nowhere, &mut |_| ()).map(drop)
}

fn capture(input: &mut dyn Read) -> Result<(), ImportError> {
    let mut table = FlowTable::new(FlowOptions::default());
    pcap::read(input, path(), &mut table, &mut Nowhere, &mut |_| ()).map(drop)
}

fn nfdump(input: &mut dyn Read) -> Result<(), ImportError> {
    nfdump::read(input, path(), &ExportOptions::default(), &mut Nowhere, &mut |_| ()).map(drop)
}

fn mrt(input: &mut dyn Read) -> Result<(), ImportError> {
    mrt::read(input, path(), &mrt::Options::default(), &mut Nowhere, &mut |_| ()).map(drop)
}

fn bmp(input: &mut dyn Read) -> Result<(), ImportError> {
    bmp::read(input, path(), &bmp::Options::default(), &mut Nowhere, &mut |_| ()).map(drop)
}

fn pdns(input: &mut dyn Read) -> Result<(), ImportError> {
    pdns::read(input, path(), &mut Nowhere, &mut |_| ()).map(drop)
}

fn roas(input: &mut dyn Read) -> Result<(), ImportError> {
    tables::read(input, path(), &Options::new(TableFormat::Roas), &mut Nowhere, &mut |_| ()).map(drop)
}

fn ranges(input: &mut dyn Read) -> Result<(), ImportError> {
    tables::read(input, path(), &Options::new(TableFormat::AsRanges), &mut Nowhere, &mut |_| ()).map(drop)
}

/// What must come of a file besides staying within its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Read,
    Damaged,
    TooLarge,
}

/// A hostile file: what it is, how it is read, how much that may take, how it ends.
struct Case(&'static str, Box<dyn Read>, Import, usize, End);

fn case(name: &'static str, file: impl Read + 'static, (import, mib, end): (Import, usize, End)) -> Case {
    Case(name, Box::new(file), import, mib, end)
}

fn cases() -> Vec<Case> {
    use End::{Damaged, Read, TooLarge};
    let endless = |head: &str, piece: &str| Repeated::new(head.as_bytes(), piece.as_bytes(), 1 << 28);
    vec![
        case("gzip bomb", &files::GZIP_BOMB[..], (mrt as Import, RECORD_MIB, Read)),
        case("gzip bomb as a line", &files::GZIP_BOMB[..], (pdns, 8, TooLarge)),
        case("bzip2 bomb", &files::BZIP2_BOMB[..], (mrt, RECORD_MIB, Read)),
        case("bzip2 bomb as a line", &files::BZIP2_BOMB[..], (ranges, 8, TooLarge)),
        case("pcap, a packet of 4 GiB", files::pcap(u32::MAX, 1), (capture, 2, Damaged)),
        case("pcap, a packet that is cut off", files::pcap(262_144, 1), (capture, 2, Read)),
        case("pcapng, a packet block of 4 GiB", files::pcapng(6, 0xffff_fffc), (capture, 2, Damaged)),
        case("pcapng, an unknown block of 4 GiB", files::pcapng(77, 0xffff_fffc), (capture, 2, Read)),
        case("a flood of flows", files::flood_of_flows(600_000), (capture, FLOWS_MIB, Read)),
        case("v9, templates of 16,000 fields", files::wide_templates(16_000), (exports, 8, TooLarge)),
        case("v9, many templates of 1,000 fields", files::wide_templates(1_000), (exports, TEMPLATES_MIB, TooLarge)),
        case("v9, a flood of small templates", files::flood_of_templates(), (exports, TEMPLATES_MIB, TooLarge)),
        case("v9, a flood of samplers", files::flood_of_samplers(), (exports, TEMPLATES_MIB, TooLarge)),
        case("ipfix, variable lengths that lie", files::variable_lengths(), (exports, 8, Read)),
        case("nfdump, a block of 1 GiB", files::nfdump(0, 1 << 30, &[]), (nfdump, 2, TooLarge)),
        case("nfdump, zstd bombs", files::zstd_bomb(), (nfdump, RECORD_MIB, Read)),
        case("mrt, a record of 4 GiB", files::mrt_claim(u32::MAX), (mrt, 2, TooLarge)),
        case("mrt, a record of 16 MiB cut off", files::mrt_claim(16 << 20), (mrt, RECORD_MIB, Damaged)),
        case("mrt, 65,535 routes with long paths", files::mrt_table(), (mrt, TEXT_MIB, Read)),
        case("mrt, 20,000 prefixes with one long path", files::mrt_update(), (mrt, TEXT_MIB, Read)),
        case("bmp, an unfinished message", Repeated::new(&[3, 0, 0x10, 0, 0, 0], &[0; 64], 16_000), (bmp, 8, Damaged)),
        case("bmp, a flood of peers", files::flood_of_peers(), (bmp, 16, TooLarge)),
        case("pdns, an endless line", endless("{\"rrname\":\"", "a"), (pdns, 8, TooLarge)),
        case("pdns, many values and a long name", files::many_values(), (pdns, TEXT_MIB, Read)),
        case("csv, an endless line", endless("1.0.0.0,1.0.0.1,1,", "x"), (ranges, 2, TooLarge)),
        case("csv, ranges that become many rows", files::ranges(), (ranges, TEXT_MIB, Read)),
        case("json, an endless payload", endless("{\"roas\":[{\"ta\":\"", "x"), (roas, 2, Damaged)),
        case("json, endless brackets", Repeated::new(b"{\"roas\":", b"[[[[[[[[", 1 << 20), (roas, 2, Damaged)),
    ]
}

#[test]
fn hostile_files_stay_within_their_memory() {
    let mut failed = Vec::new();
    for Case(name, mut file, import, mib, wanted) in cases() {
        let (taken, result) = peak(|| import(&mut file));
        let end = match result {
            Ok(()) => End::Read,
            Err(ImportError::Damaged { .. }) => End::Damaged,
            Err(ImportError::TooLarge { .. }) => End::TooLarge,
            Err(error) => panic!("{name}: {error}"),
        };
        println!("{name}: {:.1} MiB of {mib}, {end:?}", taken as f64 / 1_048_576.0);
        if taken > mib << 20 || end != wanted {
            failed.push((name, taken >> 20, mib, end, wanted));
        }
    }
    let (taken, ()) = peak(flood_of_exporters);
    println!("a listener, forged exporters: {:.1} MiB of {TEMPLATES_MIB}", taken as f64 / 1_048_576.0);
    assert!(failed.is_empty() && taken <= TEMPLATES_MIB << 20, "name, MiB, of, end, wanted: {failed:#?}");
}

/// The bytes that were held at most while something ran, beyond those before.
fn peak<T>(run: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let out = run();
    (ALLOCATOR.peak_usage().saturating_sub(before), out)
}

/// Datagrams of forged senders, each with templates of its own.
fn flood_of_exporters() {
    let mut listener = Listener::new(iog_import::netflow::ExportOptions::default(), ListenLimits::default());
    let mut datagram = Numbered::templates(1).piece(0);
    for sender in 0..5_000_u32 {
        datagram[16..20].copy_from_slice(&(sender % 7).to_be_bytes());
        let from = IpAddr::V4(Ipv4Addr::from(sender));
        let outcome = listener.datagram(from, i64::from(sender) * 100_000, &datagram, &mut Nowhere);
        assert!(outcome.is_ok());
    }
}
