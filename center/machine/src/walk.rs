//! Every file below a folder that somebody else may have filled: links are not followed, and depth, entries and bytes are
//! bounded, so that a walk ends and stays where it began.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a walk does at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Folders below the first one, one in another.
    pub depth_max: usize,
    /// Entries looked at, of every kind.
    pub entries_max: usize,
    /// Bytes of all files together.
    pub bytes_max: u64,
}

/// What a walk found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walked {
    /// Regular files, by path.
    pub files: Vec<PathBuf>,
    /// What is neither a file nor a folder and was left alone: links, pipes, devices; by path.
    pub left: Vec<PathBuf>,
}

/// Why a folder was not walked to its end; whoever filled it has to look at it.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The file system refused.
    #[error("cannot list `{}`", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Folders in folders without end.
    #[error("`{}` is more than {depth_max} folders deep", path.display())]
    Deep {
        /// Where it was too much.
        path: PathBuf,
        /// The bound.
        depth_max: usize,
    },
    /// More than anybody looks at.
    #[error("`{}` holds more than {entries_max} entries", place.display())]
    Many {
        /// Where the walk began.
        place: PathBuf,
        /// The bound.
        entries_max: usize,
    },
    /// Larger than what anybody reads.
    #[error("the files in `{}` have more than {bytes_max} bytes", place.display())]
    Large {
        /// Where the walk began.
        place: PathBuf,
        /// The bound.
        bytes_max: u64,
    },
}

/// The files below `place`, which is a folder or a link to one: whoever names it means what it leads to.
///
/// # Errors
/// [`WalkError`].
pub fn walk(place: &Path, bounds: Bounds) -> Result<Walked, WalkError> {
    let mut walked = Walked::default();
    let mut folders = vec![(place.to_owned(), 0)];
    let (mut entries, mut bytes) = (0, 0_u64);
    while let Some((folder, depth)) = folders.pop() {
        if depth > bounds.depth_max {
            return Err(WalkError::Deep { path: folder, depth_max: bounds.depth_max });
        }
        let failed = |source| WalkError::Io { path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            entries += 1;
            if entries > bounds.entries_max {
                return Err(WalkError::Many { place: place.to_owned(), entries_max: bounds.entries_max });
            }
            // The type of the entry itself: of a link, that it is one.
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push((entry.path(), depth + 1));
            } else if kind.is_file() {
                bytes = bytes.saturating_add(entry.metadata().map_err(failed)?.len());
                walked.files.push(entry.path());
            } else {
                walked.left.push(entry.path());
            }
            if bytes > bounds.bytes_max {
                return Err(WalkError::Large { place: place.to_owned(), bytes_max: bounds.bytes_max });
            }
        }
    }
    walked.files.sort();
    walked.left.sort();
    Ok(walked)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const BOUNDS: Bounds = Bounds { depth_max: 3, entries_max: 20, bytes_max: 100 };

    #[test]
    fn links_are_left_alone_and_nothing_is_walked_twice() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/file"), "x").unwrap();
        symlink(folder.path(), at("a/round")).unwrap();
        symlink("/", at("root")).unwrap();
        symlink("/etc/passwd", at("a/passwd")).unwrap();
        let walked = walk(folder.path(), BOUNDS).unwrap();
        assert_eq!(walked.files, [at("a/b/file")]);
        assert_eq!(walked.left, [at("a/passwd"), at("a/round"), at("root")]);
    }

    #[test]
    fn depth_and_number_have_an_end() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("1/2/3")).unwrap();
        assert!(walk(folder.path(), BOUNDS).is_ok());
        fs::create_dir_all(folder.path().join("1/2/3/4")).unwrap();
        assert!(matches!(walk(folder.path(), BOUNDS), Err(WalkError::Deep { .. })));
        fs::remove_dir_all(folder.path().join("1")).unwrap();
        for number in 0..=BOUNDS.entries_max {
            fs::write(folder.path().join(number.to_string()), "").unwrap();
        }
        assert!(matches!(walk(folder.path(), BOUNDS), Err(WalkError::Many { .. })));
        let few = tempfile::tempdir().unwrap();
        fs::write(few.path().join("file"), [0; 101]).unwrap();
        assert!(matches!(walk(few.path(), BOUNDS), Err(WalkError::Large { .. })));
    }
}
