//! What is checked before the center signs anything again: that the stored entries are the ones it signed before, from the genesis on.

use iog_keeper::{Keeper, Problem, ReplayError, Replayed, Storage, was_signed};
use iog_protocol::{
    ids::Digest,
    registry::{Registry, Said},
};
use iog_tlog::NoteSigner;

use crate::{
    db::{Database, log::NewEntry},
    error::CenterError,
    home::{Home, OnlineKeys, authority_digest},
    rates::{Rates, memory_s},
};

/// The fold of the log as stored, what was said lately in it, and the keeper of that log, proven to continue what was signed last and signed anew.
///
/// # Errors
/// [`CenterError::Genesis`], [`CenterError::Log`], [`CenterError::ForeignKey`], and what storage answers.
pub(crate) async fn replay(
    home: &Home,
    database: &Database,
    keys: &OnlineKeys,
    signer: NoteSigner,
    now: i64,
) -> Result<(Registry, Rates, Keeper), CenterError> {
    let genesis = home.read_genesis()?;
    let mut registry = open_genesis(home, &genesis)?;
    check_log_key(&registry, &signer)?;
    check_entry_0(home, database, genesis, now).await?;
    let mut rates = Rates::default();
    let recent = database.appended_since(now - memory_s()).await?;
    let fold = |index, entry: &[u8]| {
        rates.count_bytes(entry.len());
        if index == 0 {
            return;
        }
        if let Some(at) = recent.get(&index)
            && let Some(said) = Said::read(entry)
        {
            rates.count_said(&registry, &said, *at);
        }
        registry.absorb(entry);
    };
    let replayed = Replayed::read(database, signer, &home.last_checkpoint(), fold).await.map_err(refused)?;
    for anomaly in registry.anomalies().iter() {
        tracing::warn!(index = anomaly.index, reason = %anomaly.reason, "a logged entry has no effect");
    }
    if !replayed.is_signed() && replayed.size() > 1 {
        return Err(other_log(format!("it has {} entries, but no checkpoint", replayed.size())));
    }
    rates.count_blobs(&registry);
    check_roles(&registry, keys)?;
    Ok((registry, rates, replayed.keep(database).await?))
}

/// The genesis is entry 0, and becomes it where nothing was stored and nothing signed.
async fn check_entry_0(home: &Home, database: &Database, genesis: Vec<u8>, now: i64) -> Result<(), CenterError> {
    if let Some((_, entry)) = database.entries(0, 1).await?.first() {
        let is_own = *entry == genesis;
        return if is_own { Ok(()) } else { Err(other_log("entry 0 is not this center's genesis".to_owned())) };
    }
    if was_signed(database, &home.last_checkpoint()).await.map_err(refused)? {
        return Err(other_log("it is empty, but a checkpoint was signed".to_owned()));
    }
    let text = String::from_utf8(genesis).map_err(|_| other_log(NOT_TEXT.to_owned()))?;
    database.found(&NewEntry { text, appended: now }).await
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

/// What the keeper found, in the center's words.
fn refused(error: ReplayError<CenterError>) -> CenterError {
    let problem = match error {
        ReplayError::Storage(error) => return error,
        ReplayError::Beside(error) => return error.into(),
        ReplayError::Missing { index } => return other_log(format!("entry {index} is missing")),
        ReplayError::Broken { problem, .. } => problem,
    };
    other_log(match problem {
        Problem::Unverified(error) => format!("the last checkpoint does not verify: {error}"),
        Problem::OtherRoot { signed } => {
            format!("the first {signed} entries have another root than the signed checkpoint")
        }
        Problem::Shorter { signed, found } => {
            format!("it has {found} entries, but {signed} were signed: an old backup?")
        }
    })
}

fn other_log(reason: String) -> CenterError {
    CenterError::Log { reason }
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
        (
            "certificate authority",
            keys.authorities.iter().any(|ca| keyset.ca_spki_sha256.contains(&authority_digest(ca))),
        ),
    ];
    match roles.into_iter().find(|(_, named)| !named) {
        Some((role, _)) => Err(CenterError::ForeignKey { role }),
        None => Ok(()),
    }
}
