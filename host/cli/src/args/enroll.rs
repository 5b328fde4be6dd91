//! What can be typed after `iog enroll`. It decides nothing.

use clap::{Args, Subcommand};

use super::whose::HomeArg;

#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true)]
pub(crate) struct EnrollArgs {
    /// Join token from the center's operator.
    #[arg(long, env = "IOG_JOIN_TOKEN", required = true)]
    pub(crate) token: Option<String>,
    /// Where your gateway will be reached, `host:port` (may be repeated; none for a domain that only asks).
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) endpoint: Vec<String>,
    #[command(flatten)]
    pub(crate) home: HomeArg,
    #[command(subcommand)]
    pub(crate) command: Option<EnrollCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EnrollCommand {
    /// Sign a new statement of your domain, with other endpoints; it is in force once root has admitted it.
    #[command(after_help = "Example:\n  iog enroll update --home ~/.iog --endpoint gw2.example.net:8443")]
    Update(EnrollUpdateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct EnrollUpdateArgs {
    /// Where your gateway will be reached, `host:port`, instead of where it was (may be repeated).
    #[arg(long, value_name = "HOST:PORT", required = true)]
    pub(crate) endpoint: Vec<String>,
    #[command(flatten)]
    pub(crate) home: HomeArg,
}
