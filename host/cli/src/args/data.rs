//! What can be typed after `iog data`. It decides nothing.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Read flow exports, nfdump files, captures, routes, passive DNS and address tables into Parquet of a schema.
    ///
    /// Every file gives one Parquet file of the same name, and one line of what was read, what was skipped and why. Of a
    /// file that is refused nothing is written, and it does not stop the others.
    #[command(
        after_help = "Exit code 0 if every file was read, 3 if some gave nothing that could be used, 1 if none gave anything.\n\nExamples:\n  iog data import /var/cache/nfdump/nfcapd.20* --out flows --new\n  iog data import exports.pcap --format exports-in-pcap --neighbours interfaces.csv --out flows\n  iog data import rib.20*.bz2 updates.20*.gz --out routes --collector rrc06"
    )]
    Import(ImportArgs),
    /// Listen to routers and write what they send into Parquet files that a gateway can read while it grows.
    #[command(subcommand)]
    Collect(CollectCommand),
    /// Read every row of the datasets and say what does not fit: file or table, line, column and reason.
    #[command(
        after_help = "Exit code 0 if everything fits, 1 if not.\n\nExample:\n  iog data check --config gateway.toml border"
    )]
    Check(DatasetArgs),
    /// Show the datasets as you see them, and as callers do: rows, span, columns, and which of them each service reads.
    #[command(after_help = "Example:\n  iog data describe --config gateway.toml border")]
    Describe(DatasetArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DatasetArgs {
    /// The dataset, as the configuration names it (default: all).
    pub(crate) dataset: Option<String>,
    /// The gateway's configuration.
    #[arg(long, default_value = "gateway.toml")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Files to read; gzip and bzip2 are recognised. Flow exports given together share their templates.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Folder for the Parquet files, made if need be.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Format of the files (default: each by its content).
    #[arg(long, value_parser = formats())]
    pub(crate) format: Option<String>,
    /// Leave out files that were imported before and have not changed since: their Parquet file has their time of change.
    #[arg(long)]
    pub(crate) new: bool,
    #[command(flatten)]
    pub(crate) neighbours: NeighbourArgs,
    /// Name of the route collector, for routes that name none.
    #[arg(long, value_name = "NAME")]
    pub(crate) collector: Option<String>,
    /// Where an address table has its AS numbers from, if it does not say so.
    #[arg(long, value_parser = ["bgp", "irr", "rir"])]
    pub(crate) asinfo_kind: Option<String>,
}

/// Through which neighbour AS a flow entered, where its exporter does not say.
#[derive(Debug, Args)]
pub(crate) struct NeighbourArgs {
    /// The AS numbers of the exporters are those of the neighbours, not of origin and destination.
    #[arg(long)]
    pub(crate) peer_as: bool,
    /// Which neighbour AS is behind which interface: a CSV file `exporter,interface,asn` (SNMP index; `*` for every
    /// exporter).
    #[arg(long, value_name = "FILE")]
    pub(crate) neighbours: Option<PathBuf>,
    /// Neighbour AS of flows of which nothing else says it; 0 says that they come from inside your network. Without it
    /// such flows are skipped and counted.
    #[arg(long, value_name = "ASN")]
    pub(crate) ingress_as: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CollectCommand {
    /// Flow exports over UDP: NetFlow v5, v9, IPFIX, sFlow v5.
    #[command(
        after_help = "Example:\n  iog data collect flows --listen 0.0.0.0:2055 --from 192.0.2.0/28 --neighbours interfaces.csv --out flows"
    )]
    Flows {
        #[command(flatten)]
        collect: CollectArgs,
        #[command(flatten)]
        neighbours: NeighbourArgs,
    },
    /// Routes over BMP (RFC 7854), one TCP connection a router.
    #[command(
        after_help = "Example:\n  iog data collect bmp --listen 0.0.0.0:11019 --from 192.0.2.1 --collector edge --out routes"
    )]
    Bmp {
        #[command(flatten)]
        collect: CollectArgs,
        /// Name of the collector in the rows (default: the router's address).
        #[arg(long, value_name = "NAME")]
        collector: Option<String>,
        /// Read what the router's policy made of the routes instead of what the peers sent.
        #[arg(long)]
        post_policy: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CollectArgs {
    /// Address to listen on; with port 0 the system chooses one.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: SocketAddr,
    /// Who may send: a prefix or address (may be repeated). Needed unless only this machine can reach the listener.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) from: Vec<String>,
    /// Folder for the Parquet files, in one folder a day (`day=2026-01-31`).
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Seconds after which a file is finished and the next one begun.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) every: u32,
    /// Days to keep: files of this collector in older day folders are removed (default: keep everything).
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) keep: Option<u32>,
}

/// The names of the formats, as [`iog_import`] has them.
fn formats() -> clap::builder::PossibleValuesParser {
    iog_import::detect::Format::ALL.map(iog_import::detect::Format::name).into()
}
