//! Arguments that many commands share: whose home it is, and which center. It decides nothing.

use std::path::PathBuf;

use clap::Args;

/// The domain that acts: its keys, certificate, registry replica and receipts.
#[derive(Clone, Debug, Args)]
pub(crate) struct HomeArg {
    /// Home folder of your domain, made by `iog enroll`.
    #[arg(long, env = "IOG_HOME", value_name = "DIR", default_value = ".iog")]
    pub(crate) home: PathBuf,
}

/// A center to talk to. Members find it in their home folder; publishers, auditors and root holders, who need not be
/// members, in the network file that the center's operator hands out.
#[derive(Clone, Debug, Args)]
pub(crate) struct CenterArg {
    /// The network file (`iog center network` writes it); default: what the home folder says.
    #[arg(long, env = "IOG_NETWORK", value_name = "FILE")]
    pub(crate) network: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) home: HomeArg,
}
