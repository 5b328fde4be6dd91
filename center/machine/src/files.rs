//! Files that are replaced as a whole and read as a whole, up to a bound. What lies in them is nobody's business here. Files
//! that are written row by row, or never replaced, belong to whoever writes them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::{Clock as _, SystemClock};

/// Seconds after its last change at which nobody writes a neighbour any more: a whole file takes seconds.
const LEFT_AFTER_S: i64 = 3_600;
/// Names of a folder that are looked at for leftovers. In a larger folder some may stay.
const LOOKED_AT_MAX: usize = 4_096;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone: mode 0600.
    Owner,
    /// Everybody who may enter its folder: mode 0644.
    All,
}

/// Writes a file, replacing an older one. Whoever reads it, even after a crash, finds the old content or the new one, whole;
/// once this returns, the new one is durable. Writers of one file at the same time do not disturb each other: one of them wins.
/// The folder must exist. What crashed writers of this file left beside it is removed.
///
/// # Errors
/// What the operating system says; the old file then stays.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    put(path, bytes, readers)?;
    // The new name is on disk only when its folder is.
    sync_folder(folder_of(path))
}

/// Writes several files as [`replace`] does, but waits for each folder once: all are durable when this returns, and after an
/// error or a crash before that some may be there and others not, each of them whole.
///
/// # Errors
/// What the operating system says.
pub fn replace_all(files: &[(PathBuf, &[u8])], readers: Readers) -> io::Result<()> {
    for (path, bytes) in files {
        put(path, bytes, readers)?;
    }
    let folders: BTreeSet<&Path> = files.iter().map(|(path, _)| folder_of(path)).collect();
    folders.into_iter().try_for_each(sync_folder)
}

/// Writes a file whose content is durable, and whose name is once its folder is.
fn put(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    remove_leftovers(path);
    let (temporary, file) = neighbour(path, readers)?;
    let written = fill(file, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What cannot be removed is a leftover that nobody reads.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Makes what was created, renamed or removed in a folder durable.
///
/// # Errors
/// What the operating system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Reads a file of at most `bytes_max` bytes.
///
/// # Errors
/// What the operating system says; [`io::ErrorKind::FileTooLarge`] for a larger file, of which no more than the bound is read.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let found = fs::metadata(path).map_or(bytes.len() as u64, |file| file.len());
        let problem = format!("it has {found} bytes; at most {bytes_max} are allowed");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

/// Reads a UTF-8 file of at most `bytes_max` bytes.
///
/// # Errors
/// As [`read`]; [`io::ErrorKind::InvalidData`] if it is not UTF-8.
pub fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    String::from_utf8(read(path, bytes_max)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// A new file beside `path`, under a name that nobody else has. The name of this process and a number make clashes rare; one
/// that a crashed process of the same number left is passed over.
fn neighbour(path: &Path, readers: Readers) -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::All => 0o644,
    };
    loop {
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(format!(".{}.{}.new", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let temporary = path.with_file_name(name);
        match OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Removes what crashed processes left beside `path`. What cannot be looked at or removed stays; nobody reads it.
fn remove_leftovers(path: &Path) {
    let Some(own) = path.file_name() else { return };
    let Ok(folder) = fs::read_dir(folder_of(path)) else { return };
    for found in folder.take(LOOKED_AT_MAX).flatten() {
        if writer(own, &found.file_name()).is_some_and(|process| is_left(&found, process)) {
            let _ = fs::remove_file(found.path());
        }
    }
}

/// The process that gave a neighbour of the file `own` this name.
fn writer(own: &OsStr, name: &OsStr) -> Option<u32> {
    let rest = str::from_utf8(name.as_bytes().strip_prefix(own.as_bytes())?).ok()?;
    let (process, number) = rest.strip_prefix('.')?.strip_suffix(".new")?.split_once('.')?;
    number.parse::<u64>().ok()?;
    process.parse().ok()
}

/// Whether nobody writes a neighbour any more: it is old, and no other process has its writer's number. In containers
/// processes have the same number one after the other, so that a number that is our own says nothing.
fn is_left(neighbour: &DirEntry, process: u32) -> bool {
    let changed = neighbour.metadata().map(|file| file.mtime());
    changed.is_ok_and(|changed| SystemClock.now().unix() - changed >= LEFT_AFTER_S)
        && (process == std::process::id() || !Path::new("/proc").join(process.to_string()).exists())
}

fn fill(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        replace(&path, b"one", Readers::All).unwrap();
        assert_eq!(mode(&path) & 0o600, 0o600);
        replace(&path, b"two", Readers::Owner).unwrap();
        assert_eq!((read(&path, 3).unwrap(), mode(&path)), (b"two".to_vec(), 0o600));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn several_files_are_replaced_in_their_folders() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        let paths = ["a", "sub/a", "sub/b"].map(|name| folder.path().join(name));
        let files: Vec<_> = paths.iter().map(|path| (path.clone(), b"new".as_slice())).collect();
        replace(&paths[0], b"old", Readers::All).unwrap();
        replace_all(&files, Readers::All).unwrap();
        assert!(paths.iter().all(|path| read(path, 3).unwrap() == b"new"));
        let missing = [(folder.path().join("none/a"), b"".as_slice())];
        assert_eq!(replace_all(&missing, Readers::All).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_cannot_be_replaced_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        replace(&taken, b"one", Readers::All).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(replace(Path::new("/"), b"", Readers::All).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(
            replace(&folder.path().join("none/file"), b"", Readers::All).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn what_crashed_writers_left_goes_with_the_next_write_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (gone, own, another) = (u32::MAX, std::process::id(), std::os::unix::process::parent_id());
        let put = |name: String, age_s: u64| {
            let file = File::create(folder.path().join(name)).unwrap();
            let changed = file.metadata().unwrap().modified().unwrap() - std::time::Duration::from_secs(age_s);
            file.set_modified(changed).unwrap();
        };
        put(format!("key.{gone}.0.new"), 4_000);
        put(format!("key.{own}.7.new"), 4_000);
        let kept = [
            (format!("key.{gone}.1.new"), 60),
            (format!("key.{another}.0.new"), 4_000),
            (format!("other.{gone}.0.new"), 4_000),
            (format!("key.{gone}.x.new"), 4_000),
            (format!("key.{gone}.new"), 4_000),
            (format!("key.a.{gone}.0.new"), 4_000),
        ];
        for (name, age_s) in &kept {
            put(name.clone(), *age_s);
        }
        replace(&folder.path().join("key"), b"one", Readers::Owner).unwrap();
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let expected = kept.iter().map(|(name, _)| name.clone()).chain(["key".to_owned()]);
        assert_eq!(names.collect::<std::collections::BTreeSet<_>>(), expected.collect());
    }

    #[test]
    fn writers_at_the_same_time_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::thread::scope(|scope| {
            for byte in b'a'..=b'h' {
                let path = &path;
                scope.spawn(move || replace(path, &[byte; 4096], Readers::All).unwrap());
            }
        });
        let bytes = read(&path, 4096).unwrap();
        assert!(bytes.len() == 4096 && bytes.iter().all(|byte| *byte == bytes[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"four", Readers::All).unwrap();
        assert_eq!(read_text(&path, 4).unwrap(), "four");
        let large = read(&path, 3).unwrap_err();
        assert_eq!(
            (large.kind(), large.to_string().as_str()),
            (io::ErrorKind::FileTooLarge, "it has 4 bytes; at most 3 are allowed")
        );
        replace(&path, b"\xff", Readers::All).unwrap();
        assert_eq!(read_text(&path, 4).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read(&folder.path().join("none"), 4).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
