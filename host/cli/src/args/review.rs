//! What can be typed after `iog review`. It decides nothing.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::whose::CenterArg;

#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// Modules that wait for reviews.
    #[command(after_help = "Example:\n  iog review list --network network.json")]
    List {
        #[command(flatten)]
        center: CenterArg,
    },
    /// Everything an auditor signs for: capabilities, what changed since the version before, findings, manifest with its
    /// queries, and the interface.
    #[command(after_help = "Example:\n  iog review show iog/ip-traceback@1.1.0 --network network.json")]
    Show {
        /// Module digest, or `name@version`.
        module: String,
        #[command(flatten)]
        center: CenterArg,
    },
    /// Sign an approving review.
    #[command(
        after_help = "Example:\n  iog review approve iog/ip-traceback@1.1.0 --key alice.key --network network.json"
    )]
    Approve(ReviewArgs),
    /// Sign a rejecting review with its reason.
    #[command(
        after_help = "Example:\n  iog review reject iog/ip-traceback@1.1.0 --key alice.key --blocking --note 'reads more columns than it uses'"
    )]
    Reject(ReviewArgs),
    /// Stop a module or domain for some hours, as an auditor, its owner or root.
    #[command(
        after_help = "Example:\n  iog review suspend iog/ip-traceback@1.1.0 --key alice.key --reason-code vulnerability --reason 'leaks addresses'"
    )]
    Suspend(StopArgs),
    /// Stop a module or domain for good: two organisations' auditors, its owner or root.
    #[command(
        after_help = "Example:\n  iog review revoke domain:as64500 --key root1.key --key root2.key --reason-code left --reason 'has left the network'"
    )]
    Revoke(StopArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ReviewArgs {
    /// Module digest, or `name@version`.
    pub(crate) module: String,
    /// Auditor's key.
    #[arg(long)]
    pub(crate) key: PathBuf,
    /// What you found, in words; required when rejecting.
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// The finding blocks the module until it is closed (with reject).
    #[arg(long)]
    pub(crate) blocking: bool,
    /// A finding that this review closes: its id if it is yours, else `AUDITOR/ID` (may be repeated).
    #[arg(long, value_name = "FINDING")]
    pub(crate) closes: Vec<String>,
    /// Days from now after which the review no longer counts (default: it does not end).
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3660))]
    pub(crate) expires_days: Option<u16>,
    #[command(flatten)]
    pub(crate) center: CenterArg,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Module digest or `name@version`, or `domain:ID`.
    pub(crate) target: String,
    /// Key of an auditor, of the publisher or domain itself, or of root (may be repeated).
    #[arg(long, required = true)]
    pub(crate) key: Vec<PathBuf>,
    /// A short reason for machines, for example `vulnerability`.
    #[arg(long, value_name = "CODE")]
    pub(crate) reason_code: String,
    /// The reason in words. It is in the log for everybody, for ever.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) center: CenterArg,
}
