//! What can be typed after `iog root`. It decides nothing.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::whose::CenterArg;

#[derive(Debug, Subcommand)]
pub(crate) enum RootCommand {
    /// Sign the genesis that `iog center init` wrote. The first holder makes the signed file, further ones add to it.
    #[command(
        after_help = "Example:\n  iog root sign center/genesis.unsigned.json --key root1.key --out center/genesis.json"
    )]
    Sign {
        /// The unsigned genesis.
        file: PathBuf,
        /// Root key.
        #[arg(long)]
        key: PathBuf,
        /// The signed genesis; where it exists the signature is added.
        #[arg(long)]
        out: PathBuf,
        /// Sign without being asked; needed where there is no terminal.
        #[arg(long)]
        yes: bool,
    },
    /// Domains in force and those that wait to be admitted.
    #[command(after_help = "Example:\n  iog root domains --network network.json")]
    Domains {
        #[command(flatten)]
        center: CenterArg,
    },
    /// Co-sign a waiting domain's identity (as root, or as a member with its caller key).
    ///
    /// Name the caller key that the domain told you by another way than the network: it is compared before anything is
    /// signed. Without it you are shown the statement and asked.
    #[command(
        after_help = "Example:\n  iog root admit as64500 --key root1.key --caller-key ed25519:… --network network.json"
    )]
    Admit(AdmitArgs),
    /// Change who may review, publish, approve and issue tokens: write, sign and submit the next keyset.
    ///
    /// The first holder names the changes and makes the file, further ones add their signatures to it. Each is shown
    /// what changes against the keyset in force. Once enough have signed, `--submit` brings it to the center.
    #[command(
        after_help = "Examples:\n  iog root keyset next.json --key root1.key --add-auditor carol@exchange=carol.pub --expires-days 366\n  iog root keyset next.json --key root2.key --submit"
    )]
    Keyset(KeysetArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AdmitArgs {
    /// Domain id.
    pub(crate) domain: String,
    /// Root key, or a member's caller key.
    #[arg(long)]
    pub(crate) key: PathBuf,
    /// The domain's caller key as you were told it: `ed25519:…` or a file with it.
    #[arg(long, value_name = "KEY")]
    pub(crate) caller_key: Option<String>,
    /// Sign what the center shows, without being asked and without a key to compare.
    #[arg(long, conflicts_with = "caller_key")]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) center: CenterArg,
}

#[derive(Debug, Args)]
pub(crate) struct KeysetArgs {
    /// The next keyset with its signatures; made where it does not exist.
    pub(crate) file: PathBuf,
    /// Root key (may be repeated).
    #[arg(long)]
    pub(crate) key: Vec<PathBuf>,
    /// Add an auditor, or replace the key of one, `ID@ORGANISATION=KEY` (may be repeated).
    #[arg(long, value_name = "ID@ORG=KEY")]
    pub(crate) add_auditor: Vec<String>,
    /// Remove an auditor (may be repeated).
    #[arg(long, value_name = "ID")]
    pub(crate) remove_auditor: Vec<String>,
    /// Add a publisher, or a key to one, `NAMESPACE@ORGANISATION=KEY` (may be repeated).
    #[arg(long, value_name = "NS@ORG=KEY")]
    pub(crate) add_publisher: Vec<String>,
    /// Remove a publisher with all its keys (may be repeated).
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) remove_publisher: Vec<String>,
    /// Replace the center's approval keys by these (may be repeated).
    #[arg(long, value_name = "KEY")]
    pub(crate) approval: Vec<String>,
    /// Replace the center's token keys by these (may be repeated).
    #[arg(long, value_name = "KEY")]
    pub(crate) token: Vec<String>,
    /// Replace the center's certificate authorities by these, the first of which issues (may be repeated).
    ///
    /// In three keysets: name the next one second, so that everybody learns to trust it; then first, so that it issues and
    /// members renew; and when all have renewed, alone.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) authority: Vec<String>,
    /// Days from now until the new keyset ends.
    #[arg(long, default_value_t = 366, value_parser = clap::value_parser!(u16).range(1..=3660))]
    pub(crate) expires_days: u16,
    /// Sign without being asked.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Bring it to the center when enough have signed.
    #[arg(long)]
    pub(crate) submit: bool,
    #[command(flatten)]
    pub(crate) center: CenterArg,
}
