//! A recorded network, copied to a folder of the story that uses it. It starts nothing and asserts only that the copy is
//! whole.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use iog_home::Home;
use iog_machine::{Clock, ManualClock};
use iog_protocol::ids::{Digest, RequestId};
use iog_protocol::time::Timestamp;
use serde::Deserialize;
use tempfile::TempDir;

/// The domain that asks.
pub(super) const ASKER: &str = "response";
/// The provider that answered with every outcome.
pub(super) const OLD_HAND: &str = "as64500";
/// The provider whose home was copied before it was asked.
pub(super) const FRESH: &str = "as64501";

/// What `tests/long/record` noted down about a network.
#[derive(Debug, Deserialize)]
pub(super) struct Facts {
    /// The version that made it.
    pub(super) version: String,
    /// POSIX seconds at which everything in it is in force: its end, less than five minutes after its begin.
    pub(super) moment: i64,
    /// First three numbers of its addresses.
    pub(super) net: String,
    /// Its modules by name.
    pub(super) modules: BTreeMap<String, Digest>,
    /// The head of the center's log.
    pub(super) log: Head,
    /// The head of the receipt log of [`OLD_HAND`].
    pub(super) receipts: Head,
    /// Bundles in the asker's home, and pairs of request and answer in `wire/`.
    pub(super) bundles: usize,
    /// The run that was cut off.
    pub(super) unfinished: RequestId,
}

/// Size and root of a log.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Head {
    pub(super) size: u64,
    /// In base64, as checkpoints have it.
    pub(super) root: String,
}

impl Head {
    /// What a checkpoint says (`iog_tlog::Checkpoint::to_text`: origin, size, root).
    pub(super) fn of(checkpoint: &iog_tlog::Checkpoint) -> Self {
        let text = checkpoint.to_text();
        let root = text.lines().nth(2).expect("the third line is the root").to_owned();
        Self { size: checkpoint.size, root }
    }
}

/// One request and its answer as they went over the wire.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The gateway's domain.
    pub(super) domain: String,
    pub(super) request: Vec<u8>,
    pub(super) answer: Vec<u8>,
}

/// A copy of a recorded network.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) facts: Facts,
    folder: TempDir,
}

impl Recorded {
    /// A clock that stands at the recorded moment.
    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(ManualClock::new(Timestamp::from_unix(self.facts.moment)))
    }

    /// Every recorded version, oldest first.
    pub(super) fn every() -> Vec<Self> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/e2e/fixtures");
        let mut versions: Vec<PathBuf> = entries(&fixtures).into_iter().filter(|path| path.is_dir()).collect();
        versions.sort();
        assert!(!versions.is_empty(), "no version is recorded");
        versions.iter().map(|version| Self::copy(version)).collect()
    }

    fn copy(version: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy(version, folder.path());
        // Folders that were empty when they were recorded: git keeps none.
        for home in entries(&folder.path().join("homes")) {
            for name in ["modules", "receipts", "catalog"] {
                std::fs::create_dir_all(home.join(name)).expect("a folder is made");
            }
        }
        let facts = std::fs::read(folder.path().join("facts.json")).expect("facts were recorded");
        Self { facts: serde_json::from_slice(&facts).expect("facts are JSON"), folder }
    }

    /// The folder of the copy.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A domain's home.
    pub(super) fn home(&self, domain: &str) -> Home {
        Home::open(&self.folder().join("homes").join(domain)).expect("the home opens")
    }

    /// Puts the journal of a killed gateway in the place of the one that was closed well.
    pub(super) fn cut_off(&self) {
        copy(&self.folder().join("cut-off"), self.home(OLD_HAND).root());
    }

    /// All requests of the asker with their answers.
    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        let mut requests: Vec<PathBuf> = entries(&self.folder().join("wire"));
        requests.retain(|path| path.to_string_lossy().ends_with(".request.json"));
        requests.sort();
        assert_eq!(requests.len(), self.facts.bundles, "one of each bundle");
        requests.iter().map(|path| exchange(path)).collect()
    }

    /// The asker's token, as it went over the wire.
    pub(super) fn token(&self) -> String {
        std::fs::read_to_string(self.folder().join("wire/token")).expect("the token was recorded")
    }
}

/// `wire/N-DOMAIN.request.json` and `wire/N-DOMAIN.answer.json`.
fn exchange(request: &Path) -> Exchange {
    let name = request.file_name().expect("a file").to_string_lossy();
    let domain = name.split(['-', '.']).nth(1).expect("its name has the domain").to_owned();
    let answer = request.with_file_name(name.replace(".request.", ".answer."));
    let read = |path: &Path| std::fs::read(path).expect("it was recorded");
    Exchange { domain, request: read(request), answer: read(&answer) }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder is made");
    for path in entries(from) {
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file is copied");
            // Git keeps no mode except the executable bit; as recorded, keys were their owner's alone.
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&target, mode).expect("a copy is its owner's");
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("`{}`: {error}", folder.display()));
    found.map(|entry| entry.expect("it can be listed").path()).collect()
}
