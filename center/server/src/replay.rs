//! What is checked before the center signs anything again: that the stored entries are the ones it signed before, from the genesis on.

use std::sync::Arc;

use iog_machine::files;
use iog_protocol::{ids::Digest, registry::Registry};
use iog_tlog::{Checkpoint, NoteSigner, Tree, VerifierKey, leaf_hash};

use crate::{
    db::Database,
    error::CenterError,
    head::{self, Head},
    home::{Home, OnlineKeys},
    sequencer::keep_checkpoint,
};

/// Entries read at once.
const PAGE: u64 = 512;
const CHECKPOINT_BYTES_MAX: u64 = 256 * 1024;

/// The log as stored, proven to continue what was signed last, with a checkpoint over all of it.
///
/// # Errors
/// [`CenterError::Genesis`], [`CenterError::Log`], [`CenterError::ForeignKey`], and what storage answers.
pub(crate) async fn replay(
    home: &Home,
    database: &Database,
    keys: &OnlineKeys,
    signer: &NoteSigner,
    now: i64,
) -> Result<Head, CenterError> {
    let genesis = home.read_genesis()?;
    let registry = open_genesis(home, &genesis)?;
    check_log_key(&registry, signer)?;
    let signed = signed_checkpoints(home, database, signer.verifier()).await?;
    let mut entries = database.entries(0, 1).await?;
    if entries.is_empty() {
        if !signed.is_empty() {
            return Err(CenterError::Log { reason: "it is empty, but a checkpoint was signed".to_owned() });
        }
        let text = String::from_utf8(genesis.clone()).map_err(|_| CenterError::Log { reason: NOT_TEXT.to_owned() })?;
        database.append(0, &[text], now).await?;
        entries = vec![genesis.clone()];
    }
    if entries.first() != Some(&genesis) {
        return Err(CenterError::Log { reason: "entry 0 is not this center's genesis".to_owned() });
    }
    let (registry, tree) = fold(database, registry, &genesis).await?;
    for checkpoint in &signed {
        compare(&tree, checkpoint)?;
    }
    if signed.is_empty() && tree.len() > 1 {
        return Err(CenterError::Log { reason: format!("it has {} entries, but no checkpoint", tree.len()) });
    }
    check_roles(&registry, keys)?;
    let checkpoint = head::sign(signer, &tree);
    keep_checkpoint(database, home, tree.len(), &checkpoint).await?;
    Ok(Head { registry: Arc::new(registry), tree, checkpoint: checkpoint.into() })
}

const NOT_TEXT: &str = "the genesis is not text";

fn open_genesis(home: &Home, genesis: &[u8]) -> Result<Registry, CenterError> {
    Registry::genesis(genesis, &Digest::of(genesis)).map_err(|invalid| {
        let reason = match std::error::Error::source(&invalid) {
            Some(cause) => format!("{invalid}: {cause}"),
            None => invalid.to_string(),
        };
        CenterError::Genesis { path: home.genesis(), reason }
    })
}

async fn fold(database: &Database, registry: Registry, genesis: &[u8]) -> Result<(Registry, Tree), CenterError> {
    let mut registry = registry;
    let mut tree = Tree::from_leaves([leaf_hash(genesis)]);
    loop {
        let page = database.entries(tree.len(), PAGE).await?;
        if page.is_empty() {
            break;
        }
        for entry in page {
            tree.push(leaf_hash(&entry));
            registry.absorb(&entry);
        }
    }
    for anomaly in registry.anomalies() {
        tracing::warn!(index = anomaly.index, reason = %anomaly.reason, "a logged entry has no effect");
    }
    Ok((registry, tree))
}

/// The checkpoints this center signed last, as the database and the file beside it have them.
async fn signed_checkpoints(
    home: &Home,
    database: &Database,
    log: &VerifierKey,
) -> Result<Vec<Checkpoint>, CenterError> {
    let path = home.last_checkpoint();
    let beside = match files::read_text(&path, CHECKPOINT_BYTES_MAX) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(CenterError::File { action: "read", path, source }),
    };
    let notes = [database.checkpoint().await?, beside];
    let open = |note: String| {
        Checkpoint::open(note.as_bytes(), log)
            .map_err(|error| CenterError::Log { reason: format!("the last checkpoint does not verify: {error}") })
    };
    notes.into_iter().flatten().map(open).collect()
}

/// A stored log may be ahead of a checkpoint (a stop before signing), never behind it and never another.
fn compare(tree: &Tree, signed: &Checkpoint) -> Result<(), CenterError> {
    let reason = match tree.root_at(signed.size) {
        Ok(root) if root == signed.root => return Ok(()),
        Ok(_) => format!("the first {} entries have another root than the signed checkpoint", signed.size),
        Err(_) => format!("it has {} entries, but {} were signed: an old backup?", tree.len(), signed.size),
    };
    Err(CenterError::Log { reason })
}

fn check_log_key(registry: &Registry, signer: &NoteSigner) -> Result<(), CenterError> {
    let own = signer.verifier().to_string() == registry.founding().log_key;
    if own { Ok(()) } else { Err(CenterError::ForeignKey { role: "log" }) }
}

fn check_roles(registry: &Registry, keys: &OnlineKeys) -> Result<(), CenterError> {
    let keyset = registry.keyset();
    let roles = [
        ("approval", keyset.approval.contains(&keys.approval.public())),
        ("token", keyset.token.contains(&keys.token.public())),
        ("certificate authority", keyset.ca_spki_sha256.contains(&keys.ca_spki())),
    ];
    match roles.into_iter().find(|(_, named)| !named) {
        Some((role, _)) => Err(CenterError::ForeignKey { role }),
        None => Ok(()),
    }
}
