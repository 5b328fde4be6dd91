//! The gateway's own transparency log: every receipt is a leaf, every group of receipts ends in a signed checkpoint. At the
//! start the whole log is hashed again and compared with the last checkpoint, in the database and in the file beside it, so
//! that a lost or altered receipt and an older copy of the database are noticed. It knows nothing of what a receipt says.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use iog_protocol::keys::SecretKey;
use iog_tlog::{BundleId, Checkpoint, EntryBundle, Hash, InclusionProof, NoteSigner, TileId, Tree, leaf_hash};

use crate::db::{Store, StoreError, checkpoint, receipts};
use iog_home::HomeError;
use iog_home::files::Readers;

/// Bytes of a checkpoint at most.
const HEAD_BYTES_MAX: u64 = 64 * 1024;

/// Why the receipt log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptLogError {
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Receipts are missing, altered or too many.
    #[error("the receipt log does not match its last checkpoint: {problem}; restore the journal from a copy")]
    Forked {
        /// What differs.
        problem: String,
    },
    /// The database is an older copy, or another one: what was signed since would be contradicted.
    #[error(
        "the journal does not continue the last checkpoint signed, `{path}`: {problem}; restore the newest journal"
    )]
    Behind {
        /// The file with the checkpoint.
        path: PathBuf,
        /// What differs.
        problem: String,
    },
    /// The file with the last checkpoint cannot be read or written.
    #[error(transparent)]
    Head(#[from] HomeError),
    /// The receipt key cannot sign under the log's name.
    #[error("the receipt key cannot sign checkpoints of `{origin}`")]
    Key {
        /// The log's name.
        origin: String,
        /// What is wrong with the key.
        #[source]
        source: iog_tlog::KeyError,
    },
}

/// The log. One task appends; everybody may read what is committed.
#[derive(Debug)]
pub struct ReceiptLog {
    signer: NoteSigner,
    head: PathBuf,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    /// Every leaf, durable or about to be.
    tree: Tree,
    /// Leaves that are durable; nothing beyond them is shown.
    durable: u64,
    /// The checkpoint over the durable leaves.
    note: Arc<[u8]>,
}

/// Leaves that are signed but not durable yet. Nothing of it may be shown before [`ReceiptLog::publish`].
#[derive(Debug, Clone)]
pub struct Grown {
    /// Position of the first new leaf.
    pub first: u64,
    /// Leaves altogether.
    pub size: u64,
    /// The signed checkpoint over all leaves.
    pub note: Arc<[u8]>,
}

impl ReceiptLog {
    /// Reads all leaves, hashes them and compares them with the last checkpoint in the database and in the file `head`,
    /// which it brings up to date.
    ///
    /// # Errors
    /// [`ReceiptLogError`]: nothing may be appended then.
    pub async fn open(store: &Store, key: &SecretKey, origin: &str, head: &Path) -> Result<Self, ReceiptLogError> {
        let signer = NoteSigner::ed25519(origin, key.ed25519())
            .map_err(|source| ReceiptLogError::Key { origin: origin.to_owned(), source })?;
        let tree = leaves(store).await?;
        let note = checkpoint::read(store.readers()).await?;
        match &note {
            Some(note) => compare(&tree, note, &signer)?,
            None if tree.is_empty() => {}
            None => return Err(forked(format!("{} receipts and no checkpoint", tree.len()))),
        }
        if let Some(kept) = read_head(head)? {
            continues(&tree, &kept, &signer)
                .map_err(|problem| ReceiptLogError::Behind { path: head.into(), problem })?;
        }
        let note = note.unwrap_or_else(|| Checkpoint::new(origin, 0, tree.root()).sign(&signer));
        iog_home::files::write(head, &note, Readers::All)?;
        let state = RwLock::new(State { durable: tree.len(), tree, note: note.into() });
        Ok(Self { signer, head: head.to_owned(), state })
    }

    /// Writes a checkpoint that is in the database into the file beside it; it blocks until the disk has it.
    ///
    /// # Errors
    /// [`HomeError`]: the file has the one before, and nothing may be shown yet.
    pub fn keep(&self, grown: &Grown) -> Result<(), HomeError> {
        iog_home::files::write(&self.head, &grown.note, Readers::All)
    }

    /// Adds leaves in memory and signs the new head. There is no way back: whoever grows the log makes it durable.
    #[must_use]
    pub fn grow(&self, leaves: impl IntoIterator<Item = Hash>) -> Grown {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let first = state.tree.len();
        state.tree.extend(leaves);
        let (size, root) = (state.tree.len(), state.tree.root());
        let head = Checkpoint::new(self.signer.verifier().name(), size, root);
        Grown { first, size, note: head.sign(&self.signer).into() }
    }

    /// Proves a leaf of what was grown.
    #[must_use]
    pub fn prove(&self, grown: &Grown, index: u64) -> Option<InclusionProof> {
        let hashes = self.state().tree.inclusion(index, grown.size).ok()?;
        Some(InclusionProof::new(index, hashes, grown.note.to_vec()))
    }

    /// Shows what has become durable.
    pub fn publish(&self, grown: &Grown) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.durable = grown.size;
        state.note = Arc::clone(&grown.note);
    }

    /// The last durable checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Arc<[u8]> {
        Arc::clone(&self.state().note)
    }

    /// Receipts in the log.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.state().durable
    }

    /// The key that verifies the log.
    #[must_use]
    pub fn verifier(&self) -> &iog_tlog::VerifierKey {
        self.signer.verifier()
    }

    /// A hash tile of what is durable.
    #[must_use]
    pub fn tile(&self, id: TileId) -> Option<Vec<u8>> {
        let state = self.state();
        let nodes = id.first_node() + u64::from(id.width());
        let leaves = u128::from(nodes) << (8 * u32::from(id.level()));
        if leaves <= u128::from(state.durable) { state.tree.tile(id) } else { None }
    }

    /// A bundle of entries; they are commitments and give nothing away.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bundle(&self, store: &Store, id: BundleId) -> Result<Option<Vec<u8>>, StoreError> {
        let (first, end) = (id.first_entry(), id.first_entry() + u64::from(id.width()));
        if end > self.size() {
            return Ok(None);
        }
        let page = receipts::entries(store.readers(), first, u64::from(id.width())).await?;
        let entries = page.into_iter().map(|(_, entry)| entry).collect();
        Ok(EntryBundle { entries }.encode().ok())
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn leaves(store: &Store) -> Result<Tree, ReceiptLogError> {
    const PAGE: u64 = 4_096;
    let mut tree = Tree::new();
    loop {
        let page = receipts::entries(store.readers(), tree.len(), PAGE).await?;
        if page.is_empty() {
            return Ok(tree);
        }
        for (found, entry) in page {
            if found != tree.len() {
                return Err(forked(format!("receipt {} is missing", tree.len())));
            }
            tree.push(leaf_hash(&entry));
        }
    }
}

fn compare(tree: &Tree, note: &[u8], signer: &NoteSigner) -> Result<(), ReceiptLogError> {
    let head = Checkpoint::open(note, signer.verifier()).map_err(|e| forked(format!("the checkpoint: {e}")))?;
    if head.size != tree.len() {
        return Err(forked(format!("{} receipts, the checkpoint has {}", tree.len(), head.size)));
    }
    if head.root != tree.root() {
        return Err(forked(format!("the root over {} receipts differs", head.size)));
    }
    Ok(())
}

/// The last checkpoint beside the database; none before the first start with this version.
fn read_head(path: &Path) -> Result<Option<Vec<u8>>, HomeError> {
    let io = |source| HomeError::Io { action: "read", path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io(source)),
    };
    let mut note = Vec::new();
    file.take(HEAD_BYTES_MAX).read_to_end(&mut note).map_err(io)?;
    Ok(Some(note))
}

/// The database may be ahead of the file (a stop between the two), never behind it and never another.
fn continues(tree: &Tree, kept: &[u8], signer: &NoteSigner) -> Result<(), String> {
    let kept = Checkpoint::open(kept, signer.verifier()).map_err(|e| format!("it does not verify: {e}"))?;
    match tree.root_at(kept.size) {
        Ok(root) if root == kept.root => Ok(()),
        Ok(_) => Err(format!("the first {} receipts have another root", kept.size)),
        Err(_) => Err(format!("{} receipts were signed, the journal has {}: an old copy?", kept.size, tree.len())),
    }
}

fn forked(problem: String) -> ReceiptLogError {
    ReceiptLogError::Forked { problem }
}
