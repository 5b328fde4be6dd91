//! The receipts that a home keeps, with the registry they are checked against: files alone, never the network. It is the
//! one place of the desk that reads them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use iog_caller::verify::verify_with;
use iog_caller::{VerifiedBundle, VerifyError, bundle};
use iog_home::connect::{self, ConnectError};
use iog_home::{Home, HomeError, blobs};
use iog_inspect::{Facts, InspectLimits, inspect};
use iog_protocol::ids::Digest;
use iog_protocol::registry::Registry;

/// Why receipts cannot be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The home is another network's than its user expects.
    #[error("this home pins the genesis {pinned}, not {expected}")]
    OtherGenesis {
        /// What it pins.
        pinned: Digest,
        /// What was expected.
        expected: Digest,
    },
    /// The copy of the log on disk was changed.
    #[error("the copy of the log does not hold")]
    Copy(#[from] ConnectError),
    /// The home never reached its center.
    #[error("this home holds no registry yet; run any command that reaches the center once")]
    NoRegistry,
    /// A folder that cannot be listed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Nothing to check.
    #[error("there are no receipts in `{}`", place.display())]
    Empty {
        /// Where they were looked for first.
        place: PathBuf,
    },
}

/// Receipts of a home, not verified yet.
pub struct Archive {
    home: Home,
    registry: Arc<Registry>,
    files: Vec<PathBuf>,
}

impl Archive {
    /// The receipts in `places`, or all of the home where there are none; `expected` is the genesis that the home must pin.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn open(home: Home, places: &[PathBuf], expected: Option<&Digest>) -> Result<Self, ArchiveError> {
        let pinned = home.domain_file().genesis;
        if let Some(expected) = expected.filter(|expected| **expected != pinned) {
            return Err(ArchiveError::OtherGenesis { pinned, expected: *expected });
        }
        let registry = connect::replica(&home)?.registry().ok_or(ArchiveError::NoRegistry)?;
        let all = [home.receipts_folder()];
        let places = if places.is_empty() { &all } else { places };
        let mut files = Vec::new();
        for place in places {
            files.extend(bundle::list(place)?);
        }
        if files.is_empty() {
            return Err(ArchiveError::Empty { place: places[0].clone() });
        }
        Ok(Self { home, registry, files })
    }

    /// The files, in order.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The genesis that everything rests on.
    #[must_use]
    pub fn genesis(&self) -> Digest {
        self.home.domain_file().genesis
    }

    /// Entries of the log at hand.
    #[must_use]
    pub fn log_size(&self) -> u64 {
        self.registry.size()
    }

    /// Verifies one receipt.
    ///
    /// # Errors
    /// [`VerifyError`]: the first thing that does not hold.
    pub fn verify(&self, file: &Path) -> Result<VerifiedBundle, VerifyError> {
        verify_with(&self.home, &self.registry, file)
    }

    /// What is in a module's file, where the home keeps it: it has the digest that receipts name.
    #[must_use]
    pub fn facts(&self, module: &Digest) -> Option<Facts> {
        inspect(&blobs::kept(&self.home, module)?, &InspectLimits::default()).ok()
    }
}
