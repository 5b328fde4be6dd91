//! How the desk reaches a center: with a member's home, or with the network file that publishers, auditors and root
//! holders use. Either way nothing is believed that the pinned genesis does not vouch for. It is the one place of the desk
//! that uses the network.

use std::io;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;
use std::sync::Arc;

use iog_client::{CaughtUp, CenterClient, ClientError, Pins, Remote, Replica, ReplicaError};
use iog_home::blobs::MODULE_BYTES_MAX;
use iog_home::{Home, HomeError};
use iog_machine::Clock;
use iog_module::Source;
use iog_protocol::api::StatementAccepted;
use iog_protocol::ids::Digest;
use iog_protocol::manifest::MANIFEST_BYTES_MAX;
use iog_protocol::registry::{Invalid, Registry};
use iog_protocol::statements::Submission;
use iog_transport::{ClientTls, HttpClient, Identity, TransportError};
use serde::{Deserialize, Serialize};

/// Bytes a network file may have: a genesis has at most 64 KiB, a certificate a few.
const NETWORK_FILE_BYTES_MAX: u64 = 256 * 1024;

/// Why a center, or what it keeps, could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// The network file; whoever named it.
    #[error("cannot read the network file `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Something else was named as network file.
    #[error("`{}` is too large to be a network file", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// Something else was named as network file, or it was cut.
    #[error("`{}` is not a network file", file.display())]
    NotANetwork {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file of the home.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Certificate, key or roots, of the home or of the network file.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The genesis; whoever handed it out.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The copy of the log on disk was changed, or is another network's.
    #[error("the copy of the log in `{}` does not hold", log.display())]
    Copy {
        /// Where it lies.
        log: PathBuf,
        /// What does not hold.
        source: Box<ReplicaError>,
    },
    /// The center is away, or what it shows does not hold.
    #[error("cannot bring the copy of the log up to date")]
    Sync(#[source] Box<ReplicaError>),
    /// The holder of the log's key signed two histories; the file is the proof.
    #[error("the center's log is not to be believed; both signed checkpoints are in `{}`", evidence.display())]
    NotBelieved {
        /// Where the proof lies.
        evidence: PathBuf,
        /// What happened.
        source: Box<Self>,
    },
    /// A file of a module.
    #[error("cannot fetch the {what}")]
    Fetch {
        /// Which.
        what: &'static str,
        /// What the client says.
        source: Box<ClientError>,
    },
    /// The publisher's: a manifest that is not text.
    #[error("the manifest is not UTF-8")]
    NotText(#[source] FromUtf8Error),
    /// The center refused a statement, or could not be reached.
    #[error("the center did not take the {what}")]
    NotTaken {
        /// What was sent.
        what: &'static str,
        /// What the client says.
        source: Box<ClientError>,
    },
    /// The center's: an answer that belongs to another kind of statement.
    #[error("the center answered{to} as if it were a domain's statement")]
    OtherAnswer {
        /// What was sent, with its article and a space before; nothing where any statement may have been.
        to: &'static str,
    },
}

/// Why a genesis is not to be pinned; the fault of whoever handed it out.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// It founds no registry.
    #[error("the genesis does not hold")]
    Invalid(#[source] Invalid),
    /// It names no usable log key.
    #[error("the genesis' log key is malformed")]
    LogKey(#[source] iog_tlog::KeyError),
}

/// What a genesis pins.
///
/// # Errors
/// [`GenesisError`].
pub fn pins(genesis: &[u8]) -> Result<Pins, GenesisError> {
    let digest = Digest::of(genesis);
    let registry = Registry::genesis(genesis, &digest).map_err(GenesisError::Invalid)?;
    let log = registry.founding().log_key.parse().map_err(GenesisError::LogKey)?;
    Ok(Pins { genesis: digest, log })
}

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
    /// When it cannot be read or is not one.
    pub fn read(file: &Path) -> Result<Self, ReachError> {
        let cannot = |source| ReachError::Read { file: file.to_owned(), source };
        if std::fs::metadata(file).map_err(cannot)?.len() > NETWORK_FILE_BYTES_MAX {
            return Err(ReachError::TooLarge { file: file.to_owned() });
        }
        let text = std::fs::read_to_string(file).map_err(cannot)?;
        serde_json::from_str(&text).map_err(|source| ReachError::NotANetwork { file: file.to_owned(), source })
    }
}

/// The two files of a module, as their digests in the log say.
#[derive(Clone, Debug)]
pub struct ModuleFiles {
    /// The component.
    pub wasm: Vec<u8>,
    /// The manifest's text.
    pub manifest: String,
}

impl ModuleFiles {
    /// As inspection takes them.
    #[must_use]
    pub fn source(&self) -> Source<'_> {
        Source { wasm: &self.wasm, manifest: &self.manifest }
    }
}

/// A center, and a verified copy of its log.
pub struct Link {
    /// Its API.
    pub center: CenterClient,
    /// The copy.
    pub replica: Replica,
    clock: Arc<dyn Clock>,
}

impl Link {
    /// As publishers and auditors reach it; the copy of the log lies in `log`, times are `clock`'s.
    ///
    /// # Errors
    /// When the genesis or the copy does not hold.
    pub fn of_network(network: &Network, log: &Path, clock: Arc<dyn Clock>) -> Result<Self, ReachError> {
        let http = HttpClient::new(Arc::new(ClientTls::new(&network.ca_pem, None, Arc::clone(&clock))?));
        Self::new(Remote::new(http, &network.center), network.genesis.as_bytes(), log, clock)
    }

    /// As a member reaches it.
    ///
    /// # Errors
    /// When the home or its copy of the log does not hold.
    pub fn of_home(home: &Home, clock: Arc<dyn Clock>) -> Result<Self, ReachError> {
        let files = home.tls()?;
        let identity = Identity::from_pem(&files.cert_pem, &files.key_pem)?;
        let tls = ClientTls::new(&files.ca_pem, Some(identity), Arc::clone(&clock))?;
        let remote = Remote::new(HttpClient::new(Arc::new(tls)), &home.domain_file().center);
        Self::new(remote, &home.genesis()?, &home.log_folder(), clock)
    }

    fn new(remote: Remote, genesis: &[u8], log: &Path, clock: Arc<dyn Clock>) -> Result<Self, ReachError> {
        let replica = Replica::open(log, pins(genesis)?)
            .map_err(|source| ReachError::Copy { log: log.to_owned(), source: Box::new(source) })?;
        Ok(Self { center: CenterClient::new(remote), replica, clock })
    }

    /// The registry as of now; as last seen where the center is away.
    ///
    /// # Errors
    /// When the center is away and there is no copy, or what it shows does not hold.
    pub async fn registry(&mut self) -> Result<Arc<Registry>, ReachError> {
        let error = match self.center.catch_up(&mut self.replica, self.clock.now()).await {
            Ok(CaughtUp { registry, missed: None }) => return Ok(registry),
            Ok(CaughtUp { registry, missed: Some(error) }) if error.is_away() => {
                tracing::warn!(%error, "the center is away; using the copy of its log at hand");
                return Ok(registry);
            }
            Ok(CaughtUp { missed: Some(error), .. }) | Err(error) => error,
        };
        let evidence = error.evidence().map(Path::to_owned);
        let error = ReachError::Sync(Box::new(error));
        Err(match evidence {
            Some(evidence) => ReachError::NotBelieved { evidence, source: Box::new(error) },
            None => error,
        })
    }

    /// Component and manifest of a submission; other bytes than those of their digests are refused.
    ///
    /// # Errors
    /// When the center does not give them, or the manifest is not text.
    pub async fn files(&self, submission: &Submission) -> Result<ModuleFiles, ReachError> {
        let cannot = |what| move |source| ReachError::Fetch { what, source: Box::new(source) };
        let wasm = self.center.blob(&submission.module, MODULE_BYTES_MAX).await.map_err(cannot("module"))?;
        let text = self.center.blob(&submission.manifest, MANIFEST_BYTES_MAX).await.map_err(cannot("manifest"))?;
        Ok(ModuleFiles { wasm, manifest: String::from_utf8(text).map_err(ReachError::NotText)? })
    }

    /// Hands in a signed statement that is not a domain's and gives its place in the log.
    ///
    /// # Errors
    /// When the center does not take it.
    pub async fn hand_in(&self, what: Statements, envelope: Vec<u8>) -> Result<StatementAccepted, ReachError> {
        let posted = self.center.post_statement(envelope).await;
        let posted = posted.map_err(|source| ReachError::NotTaken { what: what.name(), source: Box::new(source) })?;
        posted.logged().ok_or(ReachError::OtherAnswer { to: what.spoken_of() })
    }
}

/// Statements that are logged at once or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statements {
    /// A `review/v1`.
    Review,
    /// A `revocation/v1`.
    Revocation,
}

impl Statements {
    fn name(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Revocation => "statement",
        }
    }

    fn spoken_of(self) -> &'static str {
        match self {
            Self::Review => " a review",
            Self::Revocation => "",
        }
    }
}
