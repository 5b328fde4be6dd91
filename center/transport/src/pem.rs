//! Certificates and keys as PEM: parsing, and reading from disk. Private keys are refused when others may read them. This module must not log or print key material.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use iog_machine::files;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::error::TransportError;

/// The largest PEM file read, in bytes.
pub const PEM_BYTES_MAX: u64 = 256 * 1024;

/// The certificates of a PEM text, in order.
///
/// # Errors
/// [`TransportError::Pem`] if there is none or one is malformed.
pub fn certificates(pem: &str, object: &'static str) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let wrong = TransportError::Pem { object, expected: "certificates" };
    match CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>() {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(wrong),
    }
}

/// The private key of a PEM text.
///
/// # Errors
/// [`TransportError::Pem`] if there is none or it is malformed.
pub fn private_key(pem: &str, object: &'static str) -> Result<PrivateKeyDer<'static>, TransportError> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| TransportError::Pem { object, expected: "a private key" })
}

/// Trust anchors from a PEM text.
///
/// # Errors
/// [`TransportError::Pem`] if there is none, or one is not a certificate.
pub fn roots(pem: &str, object: &'static str) -> Result<RootCertStore, TransportError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem, object)? {
        store.add(certificate).map_err(|_| TransportError::Pem { object, expected: "certificates" })?;
    }
    Ok(store)
}

/// Reads a text file of at most [`PEM_BYTES_MAX`] bytes.
///
/// # Errors
/// [`TransportError::File`].
pub fn load(path: &Path) -> Result<String, TransportError> {
    files::read_text(path, PEM_BYTES_MAX).map_err(|source| TransportError::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

/// Reads a private key file, which only its owner may read.
///
/// # Errors
/// [`TransportError::File`], [`TransportError::KeyExposed`].
pub fn load_private(path: &Path) -> Result<String, TransportError> {
    let metadata =
        fs::metadata(path).map_err(|source| TransportError::File { action: "read", path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TransportError::KeyExposed { path: path.to_owned(), mode });
    }
    load(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposed_private_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        files::replace(&path, b"one", files::Readers::Owner).unwrap();
        assert_eq!(load_private(&path).unwrap(), "one");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load_private(&path), Err(TransportError::KeyExposed { mode: 0o640, .. })));
    }

    #[test]
    fn empty_and_broken_pem_is_refused() {
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"] {
            assert!(certificates(text, "x").is_err(), "{text:?}");
            assert!(private_key(text, "x").is_err(), "{text:?}");
            assert!(roots(text, "x").is_err(), "{text:?}");
        }
    }

    #[test]
    fn over_large_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        fs::write(&path, vec![b'a'; usize::try_from(PEM_BYTES_MAX).unwrap() + 1]).unwrap();
        assert!(matches!(load(&path), Err(TransportError::File { action: "read", .. })));
    }
}
