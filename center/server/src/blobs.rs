//! Module files and manifests, named by their digests. A file is written whole or not at all, and what is read back is what was written:
//! the digest is compared on every read.

use std::{
    io,
    path::{Path, PathBuf},
};

use iog_machine::files::{self, Readers};
use iog_protocol::ids::Digest;

use crate::error::CenterError;

/// A folder of files named by digest.
#[derive(Debug, Clone)]
pub(crate) struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    pub(crate) fn open(folder: &Path) -> Result<Self, CenterError> {
        std::fs::create_dir_all(folder).map_err(|source| CenterError::File {
            action: "create",
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let (head, _) = hex.split_at(2);
        self.folder.join(head).join(hex)
    }

    /// Keeps `bytes` under their digest, durably, unless they are there already.
    pub(crate) async fn put(&self, bytes: Vec<u8>) -> Result<Digest, CenterError> {
        let digest = Digest::of(&bytes);
        let path = self.path(&digest);
        let failed = {
            let path = path.clone();
            move |source| CenterError::File { action: "write", path, source }
        };
        let written = tokio::task::spawn_blocking(move || write_once(&path, &bytes)).await;
        written.map_err(|_| CenterError::Stopped)?.map_err(failed)?;
        Ok(digest)
    }

    /// The file of a digest; `None` if there is none. An altered file is an error.
    pub(crate) async fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, CenterError> {
        let path = self.path(digest);
        match tokio::fs::read(&path).await {
            Ok(bytes) if Digest::of(&bytes) == *digest => Ok(Some(bytes)),
            Ok(_) => Err(CenterError::Blob { digest: *digest }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CenterError::File { action: "read", path, source }),
        }
    }
}

fn write_once(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    if path.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    // Two writers of one digest write the same bytes, so it does not matter which of them wins.
    files::replace(path, bytes, Readers::All)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_come_back_as_they_went_and_altered_ones_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let digest = blobs.put(b"one".to_vec()).await.unwrap();
        assert_eq!(blobs.put(b"one".to_vec()).await.unwrap(), digest);
        assert_eq!(blobs.get(&digest).await.unwrap().unwrap(), b"one");
        assert!(blobs.get(&Digest::of(b"two")).await.unwrap().is_none());
        std::fs::write(blobs.path(&digest), b"two").unwrap();
        assert!(matches!(blobs.get(&digest).await, Err(CenterError::Blob { .. })));
    }
}
