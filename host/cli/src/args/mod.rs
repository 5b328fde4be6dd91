//! The command line as data: what can be typed, with its help. It decides nothing.

mod data;
mod enroll;
mod review;
mod root;
mod whose;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use data::{CollectArgs, CollectCommand, DataCommand, DatasetArgs, ImportArgs, NeighbourArgs};
pub(crate) use enroll::{EnrollArgs, EnrollCommand, EnrollUpdateArgs};
pub(crate) use review::{ReviewArgs, ReviewCommand, StopArgs};
pub(crate) use root::{AdmitArgs, KeysetArgs, RootCommand};
pub(crate) use whose::{CenterArg, HomeArg};

/// Run reviewed analyses on data that stays where it is.
#[derive(Debug, Parser)]
#[command(name = "iog", version, about, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "New here? `iog demo` sets up a whole network on this machine and asks it a question.")]
pub(crate) struct Cli {
    /// Print one JSON object instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// More of what happens, on standard error (repeat for more).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See the whole platform work on this machine: center, providers, auditors, one question, one verified answer.
    #[command(
        after_help = "Examples:\n  iog demo\n  iog demo --serve\n  iog demo --data DIR --target 192.0.2.1 --json"
    )]
    Demo(DemoArgs),
    /// Ask a question of one service, or of every provider that has it.
    #[command(
        disable_help_flag = true,
        after_help = "Examples:\n  iog call ip-traceback --help\n  iog call ip-traceback --all --param target=203.0.113.10\n  iog call top-talkers --domain as64500 --param side=source --param measure=bytes --json"
    )]
    Call(CallArgs),
    /// Find services, or publish your own.
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Look at receipts and verify them offline.
    #[command(subcommand)]
    Receipt(ReceiptCommand),
    /// Bring the data you have into the form that a gateway serves, and check what it offers.
    #[command(subcommand)]
    Data(DataCommand),
    /// Write, try and submit analysis modules.
    #[command(subcommand)]
    Module(ModuleCommand),
    /// Read and sign reviews, as an auditor.
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Join a network: keys, certificate and signed identity of your domain.
    #[command(after_help = "Example:\n  iog enroll --token iog-join:… --home ~/.iog --endpoint gw.example.net:8443")]
    Enroll(EnrollArgs),
    /// Run a gateway for your domain's data.
    #[command(subcommand)]
    Gateway(GatewayCommand),
    /// Run a governance center.
    #[command(subcommand)]
    Center(CenterCommand),
    /// What holders of root keys do: sign genesis and keysets, admit domains.
    #[command(subcommand)]
    Root(RootCommand),
    /// Make and show keys.
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// A folder of real flow logs, one `as<N>.csv.gz` a domain, instead of generated ones.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The address or prefix under attack; needed with --data.
    #[arg(long, value_name = "ADDR")]
    pub(crate) target: Option<String>,
    /// Keep center and gateways running and print the commands to try next.
    #[arg(long)]
    pub(crate) serve: bool,
    /// Where the demo keeps its keys, logs and data (default: a temporary folder, removed at the end).
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// Service, for example `ip-traceback`, or a module name such as `iog/ip-traceback`.
    #[arg(required_unless_present = "help")]
    pub(crate) service: Option<String>,
    /// Ask every provider of the catalog that has the service, and merge the answers.
    #[arg(long, conflicts_with = "domain")]
    pub(crate) all: bool,
    /// Ask this domain (may be repeated).
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Vec<String>,
    /// Entry of the module (default: its first).
    #[arg(long)]
    pub(crate) entry: Option<String>,
    /// A parameter, `NAME=VALUE`; the value is JSON or plain text (may be repeated).
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// Why you ask; the provider's policy and records see it.
    #[arg(long, default_value = "operations")]
    pub(crate) purpose: String,
    /// Seconds to wait for each domain.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) wait: u64,
    #[command(flatten)]
    pub(crate) merge: MergeArgs,
    #[command(flatten)]
    pub(crate) home: HomeArg,
    /// Print help; with a service also what its entries take and return, in its author's words.
    #[arg(short, long)]
    pub(crate) help: bool,
}

/// What joining the answers may use on this machine.
#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// Memory for joining the answers, in MiB (default: grows with the answers up to 1,024).
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=4_096))]
    pub(crate) merge_memory_mib: Option<u64>,
    /// Longest joint answer, in KiB of JSON (default: grows with the answers up to 65,536).
    #[arg(long, value_name = "KIB", value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub(crate) merge_result_kib: Option<u64>,
    /// Seconds that joining the answers may take.
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) merge_wait: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// List services, all or those that match.
    #[command(
        after_help = "Examples:\n  iog catalog search\n  iog catalog search trace --schema flow/1\n  iog catalog search --asn 64500 --json"
    )]
    Search {
        /// Words to find in names and summaries.
        query: Option<String>,
        /// Only services over datasets of this schema, for example `flow/1`.
        #[arg(long)]
        schema: Option<String>,
        /// Only services of the domain with this AS number.
        #[arg(long)]
        asn: Option<u32>,
        #[command(flatten)]
        home: HomeArg,
    },
    /// One service in full: entries, parameters, datasets, limits.
    #[command(
        after_help = "Examples:\n  iog catalog show ip-traceback\n  iog catalog show ip-traceback --domain as64500"
    )]
    Show {
        /// Service name.
        service: String,
        /// Domain that offers it.
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        home: HomeArg,
    },
    /// Publish the services of a gateway now (a running gateway does so by itself).
    #[command(after_help = "Example:\n  iog catalog publish --config gateway.toml")]
    Publish {
        /// The gateway's configuration.
        #[arg(long, default_value = "gateway.toml")]
        config: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReceiptCommand {
    /// What a receipt says, after verifying it, with what was asked and what was answered.
    #[command(
        after_help = "Examples:\n  iog receipt show .iog/receipts/20261121T215349Z-7410449c/as64500.json\n  iog receipt show --json"
    )]
    Show(ReceiptArgs),
    /// Verify receipts from files and the pinned genesis alone, without any network.
    #[command(
        after_help = "Examples:\n  iog receipt verify\n  iog receipt verify receipts/as64500.json --genesis sha256:…"
    )]
    Verify(ReceiptArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ReceiptArgs {
    /// Receipt files, or folders of them (default: all in the home folder).
    pub(crate) files: Vec<PathBuf>,
    /// Expected digest of the genesis (default: the one pinned at enrollment).
    #[arg(long, value_name = "DIGEST")]
    pub(crate) genesis: Option<String>,
    #[command(flatten)]
    pub(crate) home: HomeArg,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModuleCommand {
    /// Build a module's component from its Rust source, or all modules of a workspace.
    #[command(
        after_help = "Examples:\n  iog module build\n  iog module build modules --out modules/prebuilt\n  iog module build --check"
    )]
    Build {
        /// Folder with `iog.toml`, or of a workspace of modules.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Where the component goes (default: `<name>.wasm` in the folder); for a workspace a folder (default: `prebuilt`).
        #[arg(long, short)]
        out: Option<PathBuf>,
        /// Write nothing: rebuild and say whether the committed component still belongs to its source.
        #[arg(long)]
        check: bool,
        /// Install the wasm toolchain if none is there (Debian packages; needs root).
        #[arg(long)]
        install_toolchain: bool,
        /// Run build scripts and macros of crates that our own modules are not built from, and confine nothing: all of it runs
        /// as you, with your files and keys in reach.
        #[arg(long)]
        trust_build_scripts: bool,
    },
    /// What a component can do: imports, entries, columns it reads, sizes, WIT.
    #[command(after_help = "Example:\n  iog module inspect ip-traceback.wasm --manifest iog.toml")]
    Inspect {
        /// The component.
        wasm: PathBuf,
        /// Its manifest; with it the declared queries are resolved too.
        #[arg(long)]
        manifest: Option<PathBuf>,
    },
    /// Run a module here on files of yours, exactly as a gateway would.
    #[command(
        after_help = "Example:\n  iog module try ip-traceback.wasm --manifest iog.toml --data flows=as64500.csv.gz --param target=203.0.113.10"
    )]
    Try(TryArgs),
    /// Submit a component and its manifest to the center for review.
    #[command(
        after_help = "Example:\n  iog module submit ip-traceback.wasm --manifest iog.toml --key publisher.key --network network.json"
    )]
    Submit {
        /// The component.
        wasm: PathBuf,
        /// Its manifest.
        #[arg(long)]
        manifest: PathBuf,
        /// Publisher's key.
        #[arg(long)]
        key: PathBuf,
        #[command(flatten)]
        center: CenterArg,
    },
    /// Modules of the registry and whether they may run.
    #[command(
        after_help = "Examples:\n  iog module show\n  iog module show iog/ip-traceback@1.0.0 --network network.json"
    )]
    Show {
        /// Module name, `name@version` or digest (default: all).
        module: Option<String>,
        #[command(flatten)]
        center: CenterArg,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TryArgs {
    /// The component.
    pub(crate) wasm: PathBuf,
    /// Its manifest.
    #[arg(long)]
    pub(crate) manifest: PathBuf,
    /// Data for a slot, `SLOT=FILE` (CSV, CSV.gz or Parquet; may be repeated).
    #[arg(long, value_name = "SLOT=FILE")]
    pub(crate) data: Vec<String>,
    /// Entry (default: the first of the manifest).
    #[arg(long)]
    pub(crate) entry: Option<String>,
    /// A parameter, `NAME=VALUE` (may be repeated).
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// AS number to run as.
    #[arg(long)]
    pub(crate) asn: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GatewayCommand {
    /// Write a commented `gateway.toml` to start from.
    #[command(after_help = "Example:\n  iog gateway init --config gateway.toml --home .iog")]
    Init {
        /// Where to write it.
        #[arg(long, default_value = "gateway.toml")]
        config: PathBuf,
        #[command(flatten)]
        home: HomeArg,
    },
    /// Serve until interrupted.
    #[command(after_help = "Example:\n  iog gateway serve --config gateway.toml")]
    Serve {
        /// The gateway's configuration.
        #[arg(long, default_value = "gateway.toml")]
        config: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CenterCommand {
    /// Write configuration, online keys and the genesis that root holders sign next.
    #[command(
        after_help = "Example:\n  iog center init --dir center --trust-domain iog.example --name center.example.net --listen 0.0.0.0:8443 \\\n    --root root1.pub --root root2.pub --root-threshold 2 --auditor alice@university=alice.pub --publisher iog@lab=lab.pub"
    )]
    Init(CenterInitArgs),
    /// Serve until interrupted.
    #[command(after_help = "Example:\n  iog center serve --config center/center.toml")]
    Serve {
        /// The center's configuration.
        #[arg(long, default_value = "center/center.toml")]
        config: PathBuf,
    },
    /// Write the network file for publishers, auditors and root holders: where the center is and how to know it.
    #[command(after_help = "Example:\n  iog center network --out network.json")]
    Network {
        /// The center's configuration.
        #[arg(long, default_value = "center/center.toml")]
        config: PathBuf,
        /// Where it goes.
        #[arg(long, default_value = "network.json")]
        out: PathBuf,
    },
    /// Make the certificate authority that is to follow, and show the digests with which root names them in a keyset.
    ///
    /// Start the center again afterwards: it issues with the authority that the keyset in force names first.
    #[command(after_help = "Example:\n  iog center authority --config center/center.toml")]
    Authority {
        /// The center's configuration.
        #[arg(long, default_value = "center/center.toml")]
        config: PathBuf,
    },
    /// Make a join token for a domain.
    #[command(
        after_help = "Example:\n  iog center invite --domain as64500 --organisation north --asn 64500 --name gw.example.net"
    )]
    Invite(InviteArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CenterInitArgs {
    /// Folder for configuration, keys and data.
    #[arg(long, default_value = "center")]
    pub(crate) dir: PathBuf,
    /// Name of the network, for example `iog.example`.
    #[arg(long)]
    pub(crate) trust_domain: String,
    /// DNS name or address under which members reach the center (may be repeated).
    #[arg(long, default_value = "localhost")]
    pub(crate) name: Vec<String>,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8440")]
    pub(crate) listen: String,
    /// A root holder's public key: `ed25519:…` or a file with it (may be repeated).
    #[arg(long, required = true, value_name = "KEY")]
    pub(crate) root: Vec<String>,
    /// How many root holders must sign.
    #[arg(long, default_value_t = 1)]
    pub(crate) root_threshold: u32,
    /// An auditor, `ID@ORGANISATION=KEY` (may be repeated).
    #[arg(long, value_name = "ID@ORG=KEY")]
    pub(crate) auditor: Vec<String>,
    /// A publisher, `NAMESPACE@ORGANISATION=KEY` (may be repeated).
    #[arg(long, value_name = "NS@ORG=KEY")]
    pub(crate) publisher: Vec<String>,
    /// Approving organisations a module needs (one more where it reads data that are not public).
    #[arg(long, default_value_t = 1)]
    pub(crate) k: u32,
}

#[derive(Debug, Args)]
pub(crate) struct InviteArgs {
    /// The center's configuration.
    #[arg(long, default_value = "center/center.toml")]
    pub(crate) config: PathBuf,
    /// Domain id, for example `as64500`.
    #[arg(long)]
    pub(crate) domain: String,
    /// Organisation that runs it.
    #[arg(long)]
    pub(crate) organisation: String,
    /// AS number (may be repeated).
    #[arg(long)]
    pub(crate) asn: Vec<u32>,
    /// DNS name or IP address of its gateway (may be repeated).
    #[arg(long, default_value = "localhost")]
    pub(crate) name: Vec<String>,
    /// Hours until the token expires.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=720))]
    pub(crate) hours: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make an Ed25519 key: `FILE` (secret, mode 0600) and `FILE.pub`.
    #[command(after_help = "Example:\n  iog key new alice.key")]
    New {
        /// Where the secret key goes.
        file: PathBuf,
    },
    /// The public key of a secret one.
    #[command(after_help = "Example:\n  iog key show alice.key")]
    Show {
        /// A secret key file.
        file: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Commands that have no further ones below them, by what is typed.
    fn leaves(command: &clap::Command, typed: &str) -> Vec<(String, clap::Command)> {
        if !command.has_subcommands() {
            return vec![(typed.to_owned(), command.clone())];
        }
        command.get_subcommands().flat_map(|below| leaves(below, &format!("{typed} {}", below.get_name()))).collect()
    }

    #[test]
    fn every_command_has_an_example_of_itself() {
        let commands = leaves(&Cli::command(), "iog");
        assert!(commands.len() > 30, "{}", commands.len());
        for (typed, command) in commands {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains(&format!("\n  {typed}")), "`{typed} --help` has no example");
        }
    }
}
