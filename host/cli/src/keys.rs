//! `iog key …`, and how every command reads keys: a secret key is a PKCS#8 PEM file of mode 0600, a public key is the
//! text `ed25519:…` or a file that holds it.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use iog_machine::{Entropy as _, OsEntropy};
use iog_protocol::keys::{PublicKey, SecretKey};
use serde_json::json;

use crate::args::KeyCommand;
use crate::ui::Ui;

/// Bytes a key file may have; a PKCS#8 Ed25519 key has about 120.
const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;

pub(crate) fn run(ui: Ui, command: KeyCommand) -> Result<()> {
    let (file, key) = match command {
        KeyCommand::New { file } => {
            let key = new_key()?;
            store(&file, &key)?;
            (file, key)
        }
        KeyCommand::Show { file } => {
            let key = secret(&file)?;
            (file, key)
        }
    };
    let public = key.public();
    ui.named(&[
        ("secret key", file.display().to_string().into()),
        ("public key", public.to_string().into()),
        ("key id", public.id().to_string().into()),
    ]);
    ui.object(&json!({"file": file.to_string_lossy(), "public": public.to_string(), "id": public.id().to_string()}));
    Ok(())
}

/// A fresh key from the operating system's randomness.
pub(crate) fn new_key() -> Result<SecretKey> {
    Ok(SecretKey::from_seed(OsEntropy.bytes32()?))
}

/// Writes a new secret key and, beside it, its public key in `<file>.pub`. An existing file is never overwritten.
pub(crate) fn store(file: &Path, key: &SecretKey) -> Result<()> {
    let pem = key.to_pkcs8_pem().context("cannot encode the key")?;
    write_new(file, pem.as_bytes(), 0o600)?;
    write_new(&public_file(file), format!("{}\n", key.public()).as_bytes(), 0o644)
}

/// Reads a secret key.
pub(crate) fn secret(file: &Path) -> Result<SecretKey> {
    let pem = read_small(file)?;
    SecretKey::from_pkcs8_pem(&pem).with_context(|| {
        format!("`{}` holds no Ed25519 secret key in PKCS#8 PEM; make one with `iog key new`", file.display())
    })
}

/// A public key given as text or as the name of a file that holds it.
pub(crate) fn public(text: &str) -> Result<PublicKey> {
    if text.starts_with("ed25519:") {
        return text.parse().with_context(|| format!("`{text}` is not a public key"));
    }
    let content = read_small(Path::new(text))?;
    content.trim().parse().with_context(|| format!("`{text}` holds no public key of the form `ed25519:…`"))
}

fn public_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

fn read_small(file: &Path) -> Result<String> {
    let length = std::fs::metadata(file).with_context(|| format!("cannot read `{}`", file.display()))?.len();
    if length > KEY_FILE_BYTES_MAX {
        bail!("`{}` has {length} bytes; a key file has at most {KEY_FILE_BYTES_MAX}", file.display());
    }
    std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))
}

fn write_new(file: &Path, content: &[u8], mode: u32) -> Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    }
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(file)
        .with_context(|| format!("cannot create `{}` (an existing key is never overwritten)", file.display()))?;
    out.write_all(content).and_then(|()| out.sync_all()).with_context(|| format!("cannot write `{}`", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_stored_once_readable_by_its_owner_only_and_read_back() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys/root.key");
        let key = new_key().unwrap();
        store(&file, &key).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(secret(&file).unwrap().public(), key.public());
        assert_eq!(public(file.with_extension("key.pub").to_str().unwrap()).unwrap(), key.public());
        assert_eq!(public(&key.public().to_string()).unwrap(), key.public());
        let again = store(&file, &key).unwrap_err();
        assert!(again.to_string().contains("never overwritten"), "{again}");
    }
}
