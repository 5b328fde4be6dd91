//! Certificates and keys as PEM: parsing, and files on disk. Private keys are written with mode 0600 and refused when others may
//! read them. This module must not log or print key material.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

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
    let failed = |source| TransportError::File { action: "read", path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(PEM_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > PEM_BYTES_MAX {
        return Err(failed(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "larger than 256 KiB")));
    }
    Ok(text)
}

/// Reads a private key file, which nobody but its owner may read.
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

/// Writes a private file with mode 0600, replacing an older one atomically and durably.
///
/// # Errors
/// [`TransportError::File`].
pub fn store_private(path: &Path, bytes: &[u8]) -> Result<(), TransportError> {
    store(path, bytes, 0o600)
}

/// Writes a public file with mode 0644, replacing an older one atomically and durably.
///
/// # Errors
/// [`TransportError::File`].
pub fn store_public(path: &Path, bytes: &[u8]) -> Result<(), TransportError> {
    store(path, bytes, 0o644)
}

fn store(path: &Path, bytes: &[u8], mode: u32) -> Result<(), TransportError> {
    let failed = |source| TransportError::File { action: "write", path: path.to_owned(), source };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = directory.join(name);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)?;
    File::open(&directory).and_then(|d| d.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_files_are_0600_and_exposed_ones_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        store_private(&path, b"one").unwrap();
        store_private(&path, b"two").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load_private(&path).unwrap(), "two");
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
