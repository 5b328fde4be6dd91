//! The center's folder: which file is where, and the online keys in it. Each key has a file of its own with mode 0600. Root and auditor
//! keys are never here: the center only ever sees their public halves.

use std::{
    io,
    path::{Path, PathBuf},
};

use iog_machine::{
    Entropy as _, OsEntropy,
    files::{self, Readers},
};
use iog_protocol::{
    ids::{Digest, TrustDomain},
    keys::SecretKey,
};
use iog_transport::{ca::Ca, pem};

use crate::error::CenterError;

/// The largest genesis read, bytes: it must fit a log entry.
pub(crate) const GENESIS_BYTES_MAX: u64 = 65_535;
/// Bytes of the note of authorities: a line of 72 for each of the two that are held at most, and room.
const NOTE_BYTES_MAX: u64 = 4_096;

/// Where things lie in the data folder.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    folder: PathBuf,
}

impl Home {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The genesis as root holders sign it: the bare statement.
    pub(crate) fn genesis_statement(&self) -> PathBuf {
        self.folder.join("genesis.unsigned.json")
    }

    /// The genesis with its signatures: entry 0 of the log.
    pub(crate) fn genesis(&self) -> PathBuf {
        self.folder.join("genesis.json")
    }

    /// The newest signed checkpoint, beside the database, so that a restored older database is noticed.
    pub(crate) fn last_checkpoint(&self) -> PathBuf {
        self.folder.join("last-checkpoint")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    pub(crate) fn ca_certificate(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The certificate of the authority that is to follow, where one was made.
    pub(crate) fn next_ca_certificate(&self) -> PathBuf {
        self.folder.join("ca-next.pem")
    }

    /// The digests of the authorities' keys that are held here and named, the one that issues first, as the running center
    /// noted them for those who work beside it.
    pub(crate) fn issuing(&self) -> PathBuf {
        self.folder.join("ca-issuing")
    }

    /// What the note says: nothing where no center has run here.
    pub(crate) fn noted_authorities(&self) -> Vec<Digest> {
        let noted = files::read_text(&self.issuing(), NOTE_BYTES_MAX).unwrap_or_default();
        noted.lines().map_while(|line| line.trim().parse().ok()).collect()
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.folder.join("keys").join(format!("{name}.pem"))
    }

    /// The genesis' bytes, exactly.
    pub(crate) fn read_genesis(&self) -> Result<Vec<u8>, CenterError> {
        let path = self.genesis();
        match files::read_text(&path, GENESIS_BYTES_MAX) {
            Ok(text) => Ok(text.into_bytes()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(CenterError::Genesis { path, reason: "no root holder has signed it yet".to_owned() })
            }
            Err(source) => Err(CenterError::File { action: "read", path, source }),
        }
    }
}

/// The keys the center works with. Each has one purpose.
pub(crate) struct OnlineKeys {
    /// Signs checkpoints.
    pub(crate) log: SecretKey,
    /// Signs approvals.
    pub(crate) approval: SecretKey,
    /// Signs access tokens.
    pub(crate) token: SecretKey,
    /// Sign certificates: the one of the founding, and one that is to follow or follows it. Which of them issues is the
    /// keyset's to say.
    pub(crate) authorities: Vec<Ca>,
}

impl OnlineKeys {
    /// Makes new keys from random seeds.
    pub(crate) fn create(trust_domain: &str, now: i64) -> Result<Self, CenterError> {
        Ok(Self {
            log: SecretKey::from_seed(OsEntropy.bytes32()?),
            approval: SecretKey::from_seed(OsEntropy.bytes32()?),
            token: SecretKey::from_seed(OsEntropy.bytes32()?),
            authorities: vec![Ca::create(trust_domain, iog_transport::ca::Validity::authority(now))?],
        })
    }

    pub(crate) fn store(&self, home: &Home) -> Result<(), CenterError> {
        for (name, key) in [("log", &self.log), ("approval", &self.approval), ("token", &self.token)] {
            let path = home.key(name);
            let pem = key
                .to_pkcs8_pem()
                .map_err(|_| CenterError::KeyFile { path: path.clone(), expected: "an Ed25519 key" })?;
            write(&path, pem.as_bytes(), Readers::Owner)?;
        }
        let [ca] = &self.authorities[..] else { return Ok(()) };
        store_authority(ca, &home.key("ca"), &home.ca_certificate())
    }

    pub(crate) fn load(home: &Home) -> Result<Self, CenterError> {
        let ed25519 = |name: &str| {
            let path = home.key(name);
            let text = pem::load_private(&path)?;
            let wrong = |_| CenterError::KeyFile { path, expected: "an Ed25519 key in PKCS#8 PEM" };
            SecretKey::from_pkcs8_pem(&text).map_err(wrong)
        };
        let authorities = load_authorities(home)?;
        Ok(Self { log: ed25519("log")?, approval: ed25519("approval")?, token: ed25519("token")?, authorities })
    }
}

/// The authorities of a center's folder, the founding one first.
pub(crate) fn load_authorities(home: &Home) -> Result<Vec<Ca>, CenterError> {
    let mut found = vec![Ca::load(&pem::load(&home.ca_certificate())?, &pem::load_private(&home.key("ca"))?)?];
    if home.next_ca_certificate().exists() {
        let key = pem::load_private(&home.key("ca-next"))?;
        found.push(Ca::load(&pem::load(&home.next_ca_certificate())?, &key)?);
    }
    Ok(found)
}

/// Writes an authority: the key first, so that no certificate is there without it.
pub(crate) fn store_authority(ca: &Ca, key: &Path, certificate: &Path) -> Result<(), CenterError> {
    write(key, ca.key_pem().as_bytes(), Readers::Owner)?;
    write(certificate, ca.certificate_pem().as_bytes(), Readers::All)
}

/// The digest by which a keyset names an authority.
pub(crate) fn authority_digest(ca: &Ca) -> Digest {
    Digest::from_bytes(ca.spki_sha256())
}

/// The name of the registry's log: the origin of its checkpoints.
pub(crate) fn log_origin(trust_domain: &TrustDomain) -> String {
    format!("{trust_domain}/log")
}

/// Writes a file of the center's folder, replacing an older one durably.
pub(crate) fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), CenterError> {
    let failed = |source| CenterError::File { action: "write", path: path.to_owned(), source };
    files::replace(path, bytes, readers).map_err(failed)
}
