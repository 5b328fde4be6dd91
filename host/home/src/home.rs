//! A domain's home folder: the only place that says which file lies where. A gateway, a caller and the command line of one
//! domain share it. Secrets are written for their owner alone; every file is replaced as a whole or not at all.
//!
//! ```text
//! genesis.json      entry 0 of the registry, as pinned at enrollment
//! domain.json       who this domain is and where its center is
//! keys/caller.key   signs run requests, descriptors and the domain's own statement
//! keys/receipt.key  signs the checkpoints of the receipt log
//! tls/identity.pem  key and certificate of the transport in one file, renewed daily
//! tls/ca.pem        roots that peers' certificates are checked against
//! log/              replica of the registry
//! modules/          module files and manifests by digest
//! receipts/         bundles of calls this domain made
//! catalog/          the descriptors last seen, by module
//! token.json        the membership token in use
//! journal.sqlite    what the gateway accepted, with its receipt log
//! receipts-head     the last checkpoint of the receipt log, beside the journal
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use iog_protocol::ids::{Asn, Digest, DomainId, OrganisationId, TrustDomain};
use iog_protocol::keys::SecretKey;
use serde::{Deserialize, Serialize};

use crate::error::HomeError;
use crate::files::{Readers, read, read_json, read_text, write, write_json};

/// What a certificate begins with in PEM (RFC 7468).
const CERTIFICATE_BEGINS: &str = "-----BEGIN CERTIFICATE-----";

/// `domain.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainFile {
    /// The domain's id.
    pub domain: DomainId,
    /// The organisation it belongs to.
    pub organisation: OrganisationId,
    /// Its AS numbers.
    pub asns: Vec<Asn>,
    /// The trust domain.
    pub trust_domain: TrustDomain,
    /// The center, `host:port`.
    pub center: String,
    /// SHA-256 of `genesis.json`, as the join token had it.
    pub genesis: Digest,
    /// The registry's log key as verifier key text, as the join token had it.
    pub log_key: String,
    /// Names and addresses of the gateway, as they stand in its certificate.
    pub names: Vec<String>,
}

/// A home folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
    file: DomainFile,
}

impl Home {
    /// Opens a home that [`Home::create`] made.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn open(root: &Path) -> Result<Self, HomeError> {
        let path = root.join("domain.json");
        if !path.is_file() {
            return Err(HomeError::NotAHome { path: root.to_owned() });
        }
        Ok(Self { root: root.to_owned(), file: read_json(&path)? })
    }

    /// Makes the folders of a new home and writes who it belongs to, last of all: a home that opens is complete.
    ///
    /// # Errors
    /// [`HomeError::Taken`] where there is a domain already, and the file system's.
    pub fn create(root: &Path, parts: &NewHome<'_>) -> Result<Self, HomeError> {
        if let Ok(there) = Self::open(root) {
            return Err(HomeError::Taken { path: root.to_owned(), domain: there.file.domain });
        }
        for folder in ["", "keys", "tls", "log", "modules", "receipts", "catalog"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(|source| HomeError::Io { action: "make", path: path.clone(), source })?;
            private_folder(&path)?;
        }
        let home = Self { root: root.to_owned(), file: parts.file.clone() };
        write(&home.genesis_path(), parts.genesis, Readers::All)?;
        home.write_key(&home.caller_key_path(), parts.caller_key)?;
        home.write_key(&home.receipt_key_path(), parts.receipt_key)?;
        write(&home.tls_ca_path(), parts.ca_pem.as_bytes(), Readers::All)?;
        home.store_identity(parts.tls_key_pem, parts.cert_pem)?;
        write_json(&root.join("domain.json"), &home.file)?;
        Ok(home)
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Who this domain is.
    #[must_use]
    pub fn domain_file(&self) -> &DomainFile {
        &self.file
    }

    /// The domain's id.
    #[must_use]
    pub fn domain(&self) -> &DomainId {
        &self.file.domain
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.file.trust_domain
    }

    /// The pinned entry 0, compared with the digest of `domain.json`.
    ///
    /// # Errors
    /// [`HomeError::Damaged`] where the two differ, and the file system's.
    pub fn genesis(&self) -> Result<Vec<u8>, HomeError> {
        let path = self.genesis_path();
        let bytes = read(&path)?;
        let found = Digest::of(&bytes);
        if found == self.file.genesis {
            return Ok(bytes);
        }
        let problem = format!("its digest is {found}, pinned was {}", self.file.genesis);
        Err(HomeError::Damaged { path, problem })
    }

    /// The key that signs requests and descriptors.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn caller_key(&self) -> Result<SecretKey, HomeError> {
        read_key(&self.caller_key_path())
    }

    /// The key that signs the receipt log's checkpoints.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn receipt_key(&self) -> Result<SecretKey, HomeError> {
        read_key(&self.receipt_key_path())
    }

    /// The transport's key, certificate chain and roots, as PEM.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn tls(&self) -> Result<TlsFiles, HomeError> {
        let path = self.identity_path();
        let text = read_text(&path)?;
        let split = text.find(CERTIFICATE_BEGINS).filter(|at| *at > 0);
        let missing = "it does not hold a key and then a certificate".to_owned();
        let at = split.ok_or(HomeError::Damaged { path, problem: missing })?;
        let (key_pem, cert_pem) = text.split_at(at);
        let ca_pem = read_text(&self.tls_ca_path())?;
        Ok(TlsFiles { key_pem: key_pem.to_owned(), cert_pem: cert_pem.to_owned(), ca_pem })
    }

    /// Replaces the transport's key and certificate, both at once: they are one file, so none is ever without the other.
    ///
    /// # Errors
    /// [`HomeError`]; the old ones are there then.
    pub fn store_identity(&self, key_pem: &str, cert_pem: &str) -> Result<(), HomeError> {
        let both = format!("{}\n{}", key_pem.trim_end(), cert_pem);
        write(&self.identity_path(), both.as_bytes(), Readers::Owner)
    }

    /// `genesis.json`.
    #[must_use]
    pub fn genesis_path(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    /// `keys/caller.key`.
    #[must_use]
    pub fn caller_key_path(&self) -> PathBuf {
        self.root.join("keys").join("caller.key")
    }

    /// `keys/receipt.key`.
    #[must_use]
    pub fn receipt_key_path(&self) -> PathBuf {
        self.root.join("keys").join("receipt.key")
    }

    /// `tls/identity.pem`.
    #[must_use]
    pub fn identity_path(&self) -> PathBuf {
        self.root.join("tls").join("identity.pem")
    }

    /// `tls/ca.pem`.
    #[must_use]
    pub fn tls_ca_path(&self) -> PathBuf {
        self.root.join("tls").join("ca.pem")
    }

    /// `log/`, the replica of the registry.
    #[must_use]
    pub fn log_folder(&self) -> PathBuf {
        self.root.join("log")
    }

    /// `modules/`, blobs by digest.
    #[must_use]
    pub fn modules_folder(&self) -> PathBuf {
        self.root.join("modules")
    }

    /// `receipts/`, bundles of calls.
    #[must_use]
    pub fn receipts_folder(&self) -> PathBuf {
        self.root.join("receipts")
    }

    /// `token.json`.
    #[must_use]
    pub fn token_path(&self) -> PathBuf {
        self.root.join("token.json")
    }

    /// `catalog/`, the descriptors last seen.
    #[must_use]
    pub fn catalog_folder(&self) -> PathBuf {
        self.root.join("catalog")
    }

    /// `journal.sqlite`.
    #[must_use]
    pub fn journal_path(&self) -> PathBuf {
        self.root.join("journal.sqlite")
    }

    /// `receipts-head`.
    #[must_use]
    pub fn receipts_head_path(&self) -> PathBuf {
        self.root.join("receipts-head")
    }

    fn write_key(&self, path: &Path, key: &SecretKey) -> Result<(), HomeError> {
        let damaged =
            |e: iog_protocol::keys::KeyError| HomeError::Damaged { path: path.to_owned(), problem: e.to_string() };
        write(path, key.to_pkcs8_pem().map_err(damaged)?.as_bytes(), Readers::Owner)
    }
}

/// What a new home is made of.
#[derive(Debug, Clone, Copy)]
pub struct NewHome<'a> {
    /// Who it belongs to.
    pub file: &'a DomainFile,
    /// Entry 0 of the registry.
    pub genesis: &'a [u8],
    /// Signs requests and descriptors.
    pub caller_key: &'a SecretKey,
    /// Signs the receipt log.
    pub receipt_key: &'a SecretKey,
    /// The transport's key.
    pub tls_key_pem: &'a str,
    /// The transport's certificate chain.
    pub cert_pem: &'a str,
    /// Roots of the transport.
    pub ca_pem: &'a str,
}

/// The transport's files.
#[derive(Clone)]
pub struct TlsFiles {
    /// The private key.
    pub key_pem: String,
    /// The certificate chain.
    pub cert_pem: String,
    /// The roots.
    pub ca_pem: String,
}

impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsFiles").field("cert_pem", &self.cert_pem).finish_non_exhaustive()
    }
}

fn read_key(path: &Path) -> Result<SecretKey, HomeError> {
    SecretKey::from_pkcs8_pem(&read_text(path)?)
        .map_err(|e| HomeError::Damaged { path: path.to_owned(), problem: e.to_string() })
}

#[cfg(unix)]
fn private_folder(path: &Path) -> Result<(), HomeError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(|source| HomeError::Io {
        action: "protect",
        path: path.to_owned(),
        source,
    })
}

#[cfg(not(unix))]
fn private_folder(_path: &Path) -> Result<(), HomeError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(root: &Path) -> Result<Home, HomeError> {
        let file = DomainFile {
            domain: "as64500".parse().unwrap(),
            organisation: "north".parse().unwrap(),
            asns: vec![Asn(64500)],
            trust_domain: "demo.invalid".parse().unwrap(),
            center: "localhost:8440".into(),
            genesis: Digest::of(b"entry 0"),
            log_key: String::new(),
            names: vec!["localhost".into()],
        };
        Home::create(
            root,
            &NewHome {
                file: &file,
                genesis: b"entry 0",
                caller_key: &SecretKey::from_seed([1; 32]),
                receipt_key: &SecretKey::from_seed([2; 32]),
                tls_key_pem: "key",
                cert_pem: "-----BEGIN CERTIFICATE-----",
                ca_pem: "ca",
            },
        )
    }

    #[test]
    fn a_home_opens_with_what_it_was_made_of() {
        let folder = tempfile::tempdir().unwrap();
        let made = make(folder.path()).unwrap();
        let opened = Home::open(folder.path()).unwrap();
        assert_eq!(opened, made);
        assert_eq!(opened.genesis().unwrap(), b"entry 0");
        assert_eq!(opened.caller_key().unwrap().public(), SecretKey::from_seed([1; 32]).public());
        assert_eq!(opened.receipt_key().unwrap().public(), SecretKey::from_seed([2; 32]).public());
        let tls = opened.tls().unwrap();
        assert_eq!((tls.key_pem.trim(), tls.cert_pem.as_str()), ("key", CERTIFICATE_BEGINS));
    }

    #[test]
    fn key_and_certificate_of_the_transport_change_together() {
        let folder = tempfile::tempdir().unwrap();
        let home = make(folder.path()).unwrap();
        let cert = format!("{CERTIFICATE_BEGINS} new");
        home.store_identity("new key\n", &cert).unwrap();
        let tls = home.tls().unwrap();
        assert_eq!((tls.key_pem.trim(), tls.cert_pem), ("new key", cert));
        assert_eq!(fs::read_dir(folder.path().join("tls")).unwrap().count(), 2, "identity and roots, nothing else");
        fs::write(home.identity_path(), "a key alone").unwrap();
        assert!(matches!(home.tls(), Err(HomeError::Damaged { .. })));
    }

    #[test]
    fn another_genesis_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let home = make(folder.path()).unwrap();
        fs::write(home.genesis_path(), b"entry 0, forged").unwrap();
        assert!(matches!(home.genesis(), Err(HomeError::Damaged { .. })));
    }

    #[test]
    fn a_home_is_made_once_and_a_folder_is_not_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Home::open(folder.path()), Err(HomeError::NotAHome { .. })));
        make(folder.path()).unwrap();
        assert!(matches!(make(folder.path()), Err(HomeError::Taken { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn secrets_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let home = make(folder.path()).unwrap();
        for path in [home.caller_key_path(), home.receipt_key_path(), home.identity_path()] {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
    }
}
