//! Files of a dataset: finding them by path or glob, opening them, and knowing them again. Reads names, sizes and
//! content hashes; never interprets content.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::error::DataError;

/// Most files one dataset may have.
const FILES_MAX: usize = 100_000;
/// Most content hashes that are remembered.
const HASHES_MAX: usize = 65_536;
const READ_BYTES: usize = 1 << 18;

/// A file as it was when it was looked at. Two that are equal are the same file, unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FileStamp {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    modified: SystemTime,
    inode: Inode,
    /// The file's first bytes, as many as were asked for.
    head: Vec<u8>,
    head_bytes: usize,
}

/// What the file system knows of a file and no program can set: its number, and seconds and nanoseconds of its last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Inode(u64, i64, i64);

impl Inode {
    #[cfg(unix)]
    fn of(meta: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(meta.ino(), meta.ctime(), meta.ctime_nsec())
    }

    #[cfg(not(unix))]
    fn of(_meta: &Metadata) -> Self {
        Self(0, 0, 0)
    }
}

impl FileStamp {
    pub(crate) fn of(path: &Path) -> Result<Self, DataError> {
        Self::with_head(path, 0)
    }

    /// The stamp of a file whose first bytes tell apart what the file system's clock does not. The time of its last change
    /// is left out: SQLite sets the owner of a log that root opens, to what it is.
    pub(crate) fn with_head(path: &Path, head_bytes: usize) -> Result<Self, DataError> {
        let mut file = File::open(path).map_err(|source| io(path, source))?;
        Self::of_open(path, &mut file, head_bytes)
    }

    fn of_open(path: &Path, file: &mut File, head_bytes: usize) -> Result<Self, DataError> {
        let failed = |source| io(path, source);
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() {
            return Err(DataError::Path {
                pattern: path.display().to_string(),
                reason: "it is not a regular file".into(),
            });
        }
        let modified = meta.modified().map_err(failed)?;
        let (mut head, mut inode) = (Vec::new(), Inode::of(&meta));
        if head_bytes > 0 {
            inode = Inode(inode.0, 0, 0);
            head.reserve_exact(head_bytes);
            file.by_ref().take(head_bytes as u64).read_to_end(&mut head).map_err(failed)?;
            file.rewind().map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), bytes: meta.len(), modified, inode, head, head_bytes })
    }

    /// Opens the file again; an error if it is another one by now.
    pub(crate) fn open(&self) -> Result<File, DataError> {
        let mut file = File::open(&self.path).map_err(|source| io(&self.path, source))?;
        if Self::of_open(&self.path, &mut file, self.head_bytes)? == *self {
            Ok(file)
        } else {
            Err(DataError::Changed { path: self.path.clone() })
        }
    }

    /// SHA-256 of the content; remembered for all that the stamp holds.
    pub(crate) fn sha256(&self) -> Result<[u8; 32], DataError> {
        static KNOWN: OnceLock<Mutex<HashMap<FileStamp, [u8; 32]>>> = OnceLock::new();
        let known = KNOWN.get_or_init(Mutex::default);
        if let Some(hash) = known.lock().unwrap_or_else(PoisonError::into_inner).get(self) {
            return Ok(*hash);
        }
        let hash = hash_file(&mut self.open()?).map_err(|source| io(&self.path, source))?;
        self.open()?; // The file must be the same before and after it was read.
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= HASHES_MAX {
            known.clear();
        }
        known.insert(self.clone(), hash);
        Ok(hash)
    }

    /// The name for errors.
    pub(crate) fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

fn hash_file(file: &mut File) -> std::io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&buffer[..read]);
    }
}

pub(crate) fn io(path: &Path, source: std::io::Error) -> DataError {
    DataError::Io { path: path.to_owned(), source }
}

/// The regular files that a path or glob names, sorted by path. `*` and `?` stand for characters within one segment, a
/// segment `**` for any number of folders. Names that begin with a dot or an underscore are left out where a wildcard
/// meets them: that is where writers keep what is not finished.
///
/// # Errors
/// [`DataError`] where there is none, or one cannot be looked at.
pub(crate) fn find(pattern: &Path) -> Result<Vec<FileStamp>, DataError> {
    let shown = pattern.display().to_string();
    let has_wildcards = shown.contains(['*', '?']);
    if !has_wildcards && pattern.is_dir() {
        let reason = "it is a directory; a glob such as `dir/*.parquet` names its files".into();
        return Err(DataError::Path { pattern: shown, reason });
    }
    let mut paths = vec![PathBuf::new()];
    for segment in pattern.components() {
        let name = segment.as_os_str().to_string_lossy().into_owned();
        if name == "**" {
            paths = below(paths)?;
        } else if name.contains(['*', '?']) {
            paths = matching(&paths, &name)?;
        } else {
            for path in &mut paths {
                path.push(segment);
            }
        }
    }
    if has_wildcards {
        paths.retain(|path| path.is_file());
        paths.sort();
        paths.dedup();
    }
    if paths.is_empty() {
        return Err(DataError::NoFile { pattern: shown });
    }
    paths.iter().map(|path| FileStamp::of(path)).collect()
}

/// The folders themselves and all folders below them; symbolic links are not followed.
fn below(folders: Vec<PathBuf>) -> Result<Vec<PathBuf>, DataError> {
    let mut found: Vec<PathBuf> = folders;
    let mut at = 0;
    while at < found.len() {
        let folder = found[at].clone();
        at += 1;
        let read = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        let Ok(entries) = std::fs::read_dir(read) else { continue };
        for entry in entries {
            let entry = entry.map_err(|source| io(read, source))?;
            let is_folder = entry.file_type().is_ok_and(|ty| ty.is_dir());
            if is_folder && !is_hidden(&entry.file_name().to_string_lossy()) {
                found.push(folder.join(entry.file_name()));
            }
        }
        if found.len() > FILES_MAX {
            let reason = format!("it has more than {FILES_MAX} folders");
            return Err(DataError::Path { pattern: read.display().to_string(), reason });
        }
    }
    Ok(found)
}

fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

/// The entries of all folders whose name fits.
fn matching(folders: &[PathBuf], pattern: &str) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    for folder in folders {
        let read = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let Ok(entries) = std::fs::read_dir(read) else { continue };
        for entry in entries {
            let name = entry.map_err(|source| io(read, source))?.file_name();
            let shown = name.to_string_lossy();
            let hidden = is_hidden(&shown) && !is_hidden(pattern);
            if !hidden && fits(pattern.as_bytes(), shown.as_bytes()) {
                found.push(folder.join(&name));
            }
        }
        if found.len() > FILES_MAX {
            let reason = format!("it fits more than {FILES_MAX} files");
            return Err(DataError::Path { pattern: pattern.to_owned(), reason });
        }
    }
    Ok(found)
}

/// Whether a name fits a pattern of `*` and `?`, in time proportional to the product of their lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// Identity of the whole dataset: SHA-256 over length and content hash of each file in order.
pub(crate) fn snapshot_digest(files: &[FileStamp]) -> Result<[u8; 32], DataError> {
    let mut hasher = Sha256::new();
    hasher.update(b"iog-snapshot/v1\0");
    for file in files {
        hasher.update(file.bytes.to_le_bytes());
        hasher.update(file.sha256()?);
    }
    Ok(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit() {
        for (pattern, name, expected) in [
            ("*.parquet", "a.parquet", true),
            ("*.parquet", "a.csv", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("a*b*c", "aXbYbc", true),
            ("a*b*c", "aXbYb", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn two_stars_find_folders_of_any_depth() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "a.parquet",
            "x=1/b.parquet",
            "x=1/y=2/c.parquet",
            "_temporary/d.parquet",
            "x=1/_e.parquet",
            ".f/g.parquet",
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let names = |pattern: &str| -> Vec<String> {
            let found = find(&dir.path().join(pattern)).unwrap();
            found.iter().map(|f| f.path.strip_prefix(dir.path()).unwrap().display().to_string()).collect()
        };
        assert_eq!(names("**/*.parquet"), ["a.parquet", "x=1/b.parquet", "x=1/y=2/c.parquet"]);
        assert_eq!(names("x=*/**/*.parquet"), ["x=1/b.parquet", "x=1/y=2/c.parquet"]);
        assert_eq!(names("**/**/a.parquet"), ["a.parquet"]);
        assert_eq!(names("**/c.parquet"), ["x=1/y=2/c.parquet"]);
    }

    #[test]
    fn finds_sorted_files_and_sees_changes() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv", ".hidden.csv", "c.txt"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        let found = find(&dir.path().join("*.csv")).unwrap();
        let names: Vec<_> = found.iter().map(|f| f.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.csv", "b.csv"]);
        assert!(matches!(find(&dir.path().join("*.json")), Err(DataError::NoFile { .. })));
        assert!(matches!(find(dir.path()), Err(DataError::Path { .. })));
        let before = snapshot_digest(&found).unwrap();
        std::fs::write(dir.path().join("a.csv"), "another").unwrap();
        assert!(matches!(found[0].open(), Err(DataError::Changed { .. })));
        assert_ne!(before, snapshot_digest(&find(&dir.path().join("*.csv")).unwrap()).unwrap());
    }

    /// What a writer leaves that replaces the content within one tick of the clock, or sets the time back.
    #[cfg(unix)]
    #[test]
    fn a_file_of_the_same_size_and_time_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        std::fs::write(&path, "first").unwrap();
        let before = FileStamp::with_head(&path, 4).unwrap();
        let first = before.sha256().unwrap();
        let other = dir.path().join("b.db");
        std::fs::write(&other, "other").unwrap();
        File::options().write(true).open(&other).unwrap().set_modified(before.modified).unwrap();
        std::fs::rename(&other, &path).unwrap();
        let after = FileStamp::with_head(&path, 4).unwrap();
        assert_eq!((before.bytes, before.modified), (after.bytes, after.modified));
        assert_ne!(before.inode, after.inode);
        assert_ne!(after.sha256().unwrap(), first);
        let same_tick = FileStamp { inode: before.inode, ..after };
        assert_ne!(same_tick.sha256().ok(), Some(first), "the first bytes tell them apart");
        let plain = FileStamp::of(&path).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::write(&path, "third").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(before.modified).unwrap();
        assert!(matches!(plain.open(), Err(DataError::Changed { .. })), "in the same place");
    }
}
