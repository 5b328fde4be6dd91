//! Module files and manifests by digest, kept in the home. What is read back is hashed again: the cache saves a download,
//! it is trusted for nothing.

use iog_client::{CenterClient, ClientError};
use iog_protocol::ids::Digest;
use iog_protocol::manifest::MANIFEST_BYTES_MAX;

use crate::error::HomeError;
use crate::files::{self, Readers};
use crate::home::Home;

/// Largest module file, in bytes.
pub const MODULE_BYTES_MAX: usize = 8 << 20;

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The center did not give it.
    #[error("`{digest}` is not in the cache and could not be fetched")]
    Fetch {
        /// The file.
        digest: Digest,
        /// What the center said.
        #[source]
        source: Box<ClientError>,
    },
    /// The cache refused.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A manifest that is not text.
    #[error("manifest `{digest}` is not UTF-8")]
    NotText {
        /// The file.
        digest: Digest,
    },
}

/// The component of this digest, from the cache or the center.
///
/// # Errors
/// [`BlobError`].
pub async fn module(home: &Home, center: &CenterClient, digest: &Digest) -> Result<Vec<u8>, BlobError> {
    blob(home, center, digest, MODULE_BYTES_MAX).await
}

/// The manifest of this digest, from the cache or the center.
///
/// # Errors
/// [`BlobError`].
pub async fn manifest(home: &Home, center: &CenterClient, digest: &Digest) -> Result<String, BlobError> {
    let bytes = blob(home, center, digest, MANIFEST_BYTES_MAX).await?;
    String::from_utf8(bytes).map_err(|_| BlobError::NotText { digest: *digest })
}

/// The file of this digest where the cache has it, for who asks nobody.
#[must_use]
pub fn kept(home: &Home, digest: &Digest) -> Option<Vec<u8>> {
    let bytes = files::read(&home.modules_folder().join(digest.hex())).ok()?;
    (Digest::of(&bytes) == *digest).then_some(bytes)
}

async fn blob(home: &Home, center: &CenterClient, digest: &Digest, bytes_max: usize) -> Result<Vec<u8>, BlobError> {
    if let Some(bytes) = kept(home, digest) {
        return Ok(bytes);
    }
    let path = home.modules_folder().join(digest.hex());
    let fetched = center.blob(digest, bytes_max).await;
    let bytes = fetched.map_err(|source| BlobError::Fetch { digest: *digest, source: Box::new(source) })?;
    files::write(&path, &bytes, Readers::All)?;
    Ok(bytes)
}
