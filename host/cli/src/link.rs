//! How a command reaches a center: with a member's home, or with the network file that publishers, auditors and root
//! holders use. Either way nothing is believed that the pinned genesis does not vouch for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use iog_client::{CenterClient, Pins, Remote, Replica};
use iog_home::Home;
use iog_machine::{Clock as _, SystemClock};
use iog_protocol::ids::Digest;
use iog_protocol::registry::{ModuleRecord, Registry};
use iog_protocol::time::Timestamp;
use iog_transport::{ClientTls, HttpClient, Identity};
use serde::{Deserialize, Serialize};

use crate::args::CenterArg;

/// Bytes a network file may have: a genesis has at most 64 KiB, a certificate a few.
const NETWORK_FILE_BYTES_MAX: u64 = 256 * 1024;

/// The network file: where the center is and how to know it. It holds no secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// `host:port` of the center.
    pub center: String,
    /// The roots of the center's certificate, as PEM.
    pub ca_pem: String,
    /// Entry 0 of the registry, a DSSE envelope.
    pub genesis: String,
}

impl Network {
    /// Reads a network file.
    ///
    /// # Errors
    /// When it cannot be read or is none.
    pub fn read(file: &Path) -> Result<Self> {
        let show = || format!("cannot read the network file `{}`", file.display());
        if std::fs::metadata(file).with_context(show)?.len() > NETWORK_FILE_BYTES_MAX {
            bail!("`{}` is too large to be a network file", file.display());
        }
        let text = std::fs::read_to_string(file).with_context(show)?;
        serde_json::from_str(&text).with_context(|| format!("`{}` is not a network file", file.display()))
    }
}

/// A center, and a verified copy of its log.
pub struct Link {
    /// Its API.
    pub center: CenterClient,
    /// The copy.
    pub replica: Replica,
}

impl Link {
    /// What `arg` names: a network file, else a home.
    pub(crate) fn open(arg: &CenterArg) -> Result<Self> {
        match &arg.network {
            Some(file) => Self::of_network(&Network::read(file)?, &file.with_extension("log")),
            None => {
                let home = Home::open(&arg.home.home)
                    .context("name the center with --network FILE, or your domain's home with --home DIR")?;
                Self::of_home(&home)
            }
        }
    }

    /// As publishers and auditors reach it; the copy of the log lies in `log`.
    ///
    /// # Errors
    /// When the genesis or the copy does not hold.
    pub fn of_network(network: &Network, log: &Path) -> Result<Self> {
        let http = HttpClient::new(Arc::new(ClientTls::new(&network.ca_pem, None)?));
        Self::new(Remote::new(http, &network.center), network.genesis.as_bytes(), log.to_owned())
    }

    /// As a member reaches it.
    ///
    /// # Errors
    /// When the home or its copy of the log does not hold.
    pub fn of_home(home: &Home) -> Result<Self> {
        let files = home.tls()?;
        let identity = Identity::from_pem(&files.cert_pem, &files.key_pem)?;
        let http = HttpClient::new(Arc::new(ClientTls::new(&files.ca_pem, Some(identity))?));
        let remote = Remote::new(http, &home.domain_file().center);
        Self::new(remote, &home.genesis()?, home.log_folder())
    }

    fn new(remote: Remote, genesis: &[u8], log: PathBuf) -> Result<Self> {
        let replica = Replica::open(&log, pins(genesis)?)
            .with_context(|| format!("the copy of the log in `{}` does not hold", log.display()))?;
        Ok(Self { center: CenterClient::new(remote), replica })
    }

    /// The registry as of now; as last seen where the center is away.
    ///
    /// # Errors
    /// When the center is away and there is no copy, or what it shows does not hold.
    pub async fn registry(&mut self) -> Result<Arc<Registry>> {
        match self.center.sync(&mut self.replica, now()).await {
            Ok(synced) => Ok(synced.registry),
            Err(error) if error.is_away() && self.replica.registry().is_some() => {
                tracing::warn!(%error, "the center is away; using the copy of its log at hand");
                self.replica.registry().context("there is no copy of the log")
            }
            Err(error) => {
                let evidence =
                    error.evidence().map(|path| format!("both signed checkpoints are in `{}`", path.display()));
                let error = Err(error).context("cannot bring the copy of the log up to date");
                match evidence {
                    Some(evidence) => error.context(format!("the center's log is not to be believed; {evidence}")),
                    None => error,
                }
            }
        }
    }
}

/// What a genesis pins.
pub(crate) fn pins(genesis: &[u8]) -> Result<Pins> {
    let digest = Digest::of(genesis);
    let registry = Registry::genesis(genesis, &digest).context("the genesis does not hold")?;
    let log = registry.founding().log_key.parse().context("the genesis' log key is malformed")?;
    Ok(Pins { genesis: digest, log })
}

/// A module of the registry by digest, `name@version` or name (its newest version).
pub(crate) fn module<'a>(registry: &'a Registry, reference: &str) -> Result<&'a ModuleRecord> {
    let found = if reference.starts_with("sha256:") {
        registry.module(&reference.parse().with_context(|| format!("`{reference}` is not a digest"))?)
    } else {
        let (name, version) = match reference.split_once('@') {
            Some((name, version)) => {
                (name, Some(version.parse().with_context(|| format!("`{version}` is not a version"))?))
            }
            None => (reference, None),
        };
        registry.find(&name.parse().with_context(|| format!("`{name}` is not a module name"))?, version.as_ref())
    };
    found.with_context(|| format!("the registry has no module `{reference}`; `iog module show` lists them"))
}

/// The present time.
pub fn now() -> Timestamp {
    SystemClock.now()
}
