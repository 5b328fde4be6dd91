//! Module files and manifests, named by their digests. A file is written whole or not at all, and what is read back is what was written:
//! the digest is compared on every read. A read holds a few pieces of a file, never the whole.

use std::{
    io,
    path::{Path, PathBuf},
};

use axum::body::Bytes;
use iog_machine::files::{self, Readers};
use iog_protocol::ids::Digest;
use iog_transport::{HoldsAtMost, Maker, Pieces, made};
use sha2::{Digest as _, Sha256};
use tokio::{fs::File, io::AsyncReadExt as _};

use crate::error::CenterError;

/// Bytes of a file that are read at once.
const PIECE_BYTES: usize = 32 * 1024;

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

    /// The file of a digest; `None` if there is none. The last piece comes only when the digest is right: an altered file is an error,
    /// at once where it is one piece, else a body that breaks off.
    pub(crate) async fn get(&self, digest: &Digest) -> Result<Option<Blob>, CenterError> {
        let path = self.path(digest);
        let failed = |source| CenterError::File { action: "read", path: path.clone(), source };
        let file = match File::open(&path).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let length = file.metadata().await.map_err(failed)?.len();
        let reading = Reading { file, left: length, is_begun: false, hash: Sha256::new(), digest: *digest };
        let (body, held) = made(length, PIECE_BYTES, reading).await?;
        Ok(Some(Blob { body, held }))
    }
}

/// A file on its way out.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) body: Pieces,
    pub(crate) held: HoldsAtMost,
}

/// A file being read.
struct Reading {
    file: File,
    left: u64,
    is_begun: bool,
    hash: Sha256,
    digest: Digest,
}

impl Maker for Reading {
    type Error = CenterError;

    /// The next piece; with the last of them, which may be empty, the digest is compared.
    async fn next(&mut self) -> Result<Option<Bytes>, CenterError> {
        if self.is_begun && self.left == 0 {
            return Ok(None);
        }
        self.is_begun = true;
        let altered = CenterError::Blob { digest: self.digest };
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let mut piece = vec![0; length];
        if self.file.read_exact(&mut piece).await.is_err() {
            return Err(altered);
        }
        self.left -= length as u64;
        self.hash.update(&piece);
        let is_right = self.left > 0 || self.hash.clone().finalize().as_slice() == self.digest.as_bytes();
        if is_right { Ok(Some(piece.into())) } else { Err(altered) }
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
    use axum::body::Body;
    use http_body_util::BodyExt as _;

    async fn read(blobs: &Blobs, digest: &Digest) -> Result<Vec<u8>, String> {
        let blob = blobs.get(digest).await.map_err(|error| error.to_string())?.ok_or("there is none")?;
        let whole = axum::body::to_bytes(Body::new(blob.body), usize::MAX).await;
        whole.map(Into::into).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn files_come_back_as_they_went_and_altered_ones_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        for bytes in [0, 3, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES, 300_000] {
            let content = vec![b'a'; bytes];
            let digest = blobs.put(content.clone()).await.unwrap();
            assert_eq!(blobs.put(content.clone()).await.unwrap(), digest);
            assert_eq!(read(&blobs, &digest).await.unwrap(), content);
            let mut altered = content;
            altered.push(b'b');
            std::fs::write(blobs.path(&digest), &altered).unwrap();
            assert!(read(&blobs, &digest).await.is_err(), "{bytes}");
            altered.truncate(bytes.saturating_sub(1));
            std::fs::write(blobs.path(&digest), &altered).unwrap();
            assert!(bytes == 0 || read(&blobs, &digest).await.is_err(), "{bytes}");
        }
        assert!(blobs.get(&Digest::of(b"two")).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_file_that_nobody_reads_is_not_in_memory_and_an_altered_one_never_whole() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let digest = blobs.put(vec![b'a'; 4 * 1024 * 1024]).await.unwrap();
        let unread = blobs.get(&digest).await.unwrap().unwrap();
        assert!(unread.held.0 <= 128 * 1024);
        std::fs::write(blobs.path(&digest), vec![b'b'; 4 * 1024 * 1024]).unwrap();
        let blob = blobs.get(&digest).await.unwrap().unwrap();
        let mut body = Body::new(blob.body);
        let mut seen = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, |data| data.len());
        }
        assert_eq!(seen, 4 * 1024 * 1024 - PIECE_BYTES, "the last piece is withheld");
    }
}
