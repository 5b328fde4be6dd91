//! Real files through the decoders of `iog-import`: into Parquet, as a provider would import them, and as plain rows from
//! which the tests count for themselves.

use std::fmt::Write as _;
use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array as _, RecordBatch};
use iog_import::columns::Sink;
use iog_import::tables::TableFormat;
use iog_import::{FileReport, ImportError, mrt, pdns, tables};

/// Keeps all batches.
#[derive(Default)]
pub(crate) struct Batches(pub(crate) Vec<RecordBatch>);

impl Sink for Batches {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.push(batch);
        Ok(())
    }
}

impl Batches {
    fn of(read: impl FnOnce(&mut Self) -> Result<FileReport, ImportError>) -> Self {
        let mut batches = Self::default();
        let report = read(&mut batches).unwrap();
        assert_eq!(report.rows, batches.0.iter().map(|batch| batch.num_rows() as u64).sum::<u64>());
        batches
    }

    /// Routes of an MRT file.
    pub(crate) fn of_mrt(path: &Path) -> Self {
        let mut file = File::open(path).unwrap();
        Self::of(|sink| mrt::read(&mut file, path, &mrt::Options::default(), sink, &mut |_| {}))
    }

    /// Passive DNS in Common Output Format.
    pub(crate) fn of_pdns(path: &Path) -> Self {
        let mut file = File::open(path).unwrap();
        Self::of(|sink| pdns::read(&mut file, path, sink, &mut |_| {}))
    }

    /// A list of validated ROA payloads, as a validator exports it.
    pub(crate) fn of_vrps(list: &str) -> Self {
        let options = tables::Options::new(TableFormat::Roas);
        Self::of(|sink| tables::read(&mut list.as_bytes(), Path::new("vrps.csv"), &options, sink, &mut |_| {}))
    }

    /// Writes them as one Parquet file.
    pub(crate) fn parquet(&self, dir: &Path, name: &str) -> PathBuf {
        let path = dir.join(name);
        iog_data::write_parquet(&path, self.0[0].schema(), &self.0).unwrap();
        path
    }

    /// The routes in them.
    pub(crate) fn routes(&self) -> Vec<Route> {
        self.0.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| Route::of(batch, row))).collect()
    }
}

/// One decoded row of `route/1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) time: i64,
    pub(crate) kind: String,
    pub(crate) peer: IpAddr,
    pub(crate) prefix: (IpAddr, u8),
    pub(crate) origin: Option<u64>,
}

impl Route {
    fn of(batch: &RecordBatch, row: usize) -> Self {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let address = |name: &str| {
            let bytes: [u8; 16] = column(name).as_fixed_size_binary().value(row).try_into().unwrap();
            IpAddr::from(bytes).to_canonical()
        };
        let uint = |name: &str| {
            let column = column(name).as_primitive::<UInt64Type>();
            (!column.is_null(row)).then(|| column.value(row))
        };
        Self {
            time: column("time").as_primitive::<Int64Type>().value(row),
            kind: column("kind").as_string::<i32>().value(row).to_owned(),
            peer: address("peer"),
            prefix: (address("prefix"), uint("prefix_len").unwrap().try_into().unwrap()),
            origin: uint("origin_as"),
        }
    }

    /// A line of CSV under [`ROUTES_HEAD`].
    pub(crate) fn line(&self) -> String {
        let Self { time, kind, peer, prefix: (prefix, length), origin } = self;
        let origin = origin.map(|origin| origin.to_string()).unwrap_or_default();
        format!("{time},{kind},{peer},64500,{prefix},{length},{origin}\n")
    }
}

/// The columns of routes in CSV.
pub(crate) const ROUTES_HEAD: &str = "time,kind,peer,peer_as,prefix,prefix_len,origin_as\n";
/// The columns of ROAs in CSV.
pub(crate) const ROAS_HEAD: &str = "prefix,prefix_len,asn,max_len,kind\n";

/// Writes a CSV file.
pub(crate) fn csv(dir: &Path, name: &str, head: &str, lines: impl IntoIterator<Item = String>) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, lines.into_iter().fold(head.to_owned(), |text, line| text + &line)).unwrap();
    path
}

/// A list of validated ROA payloads as validators write it: prefix, length, greatest length, AS number.
pub(crate) fn vrps(roas: &[(IpAddr, u8, u8, u32)]) -> String {
    let mut text = "ASN,IP Prefix,Max Length,Trust Anchor\n".to_owned();
    for (prefix, length, most, asn) in roas {
        writeln!(text, "AS{asn},{prefix}/{length},{most},ripe").unwrap();
    }
    text
}

/// Bits of an address, the first one highest, and how many there are.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

/// Whether one prefix lies in another.
pub(crate) fn covers((outer, length): (IpAddr, u8), (inner, inner_length): (IpAddr, u8)) -> bool {
    let ((outer, family), (inner, inner_family)) = (bits(outer), bits(inner));
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    family == inner_family && length <= inner_length && inner & mask == outer
}

/// `192.0.2.0/24` as address and length.
pub(crate) fn prefix(text: &str) -> (IpAddr, u8) {
    let (address, length) = text.split_once('/').unwrap();
    (address.parse().unwrap(), length.parse().unwrap())
}
