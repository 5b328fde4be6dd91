//! Bounded reading of source files, and the digest by which files are known.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

/// Bytes a source file may have; far above any module's.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// A file of bounded size.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let size = path.metadata().with_context(|| format!("cannot read `{}`", path.display()))?.len();
    ensure!(size <= FILE_BYTES_MAX, "`{}` is larger than {FILE_BYTES_MAX} bytes", path.display());
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// A file of bounded size as text.
pub(super) fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("`{}` is not text", path.display()))
}

/// `sha256:` and the SHA-256 of `bytes` in hex.
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_whole_file() {
        assert_eq!(digest(b""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
