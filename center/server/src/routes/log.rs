//! `GET /log/checkpoint` and `/log/tile/…`: the log as static files (C2SP tlog-tiles v0.1.0). Public; nothing here decides.

use axum::{
    body::{Body, Bytes},
    extract::State,
    response::Response,
};
use http::StatusCode;
use iog_keeper::{Bundle, Content, PIECE_BYTES, ServeError};
use iog_protocol::api::ApiErrorCode;
use iog_transport::{Maker, made};

use super::{IMMUTABLE, Named, typed};
use crate::{db::Database, error::CenterError, head::Published, refusal::Refusal};

const BYTES: &str = "application/octet-stream";

pub(crate) async fn checkpoint(State(published): State<Published>) -> Response {
    let note = published.log().checkpoint().to_vec();
    typed(StatusCode::OK, "text/plain; charset=utf-8", "public, max-age=2", note)
}

pub(crate) async fn tile(
    State(published): State<Published>,
    State(database): State<Database>,
    Named(path): Named,
) -> Result<Response, Refusal> {
    let served = published.log().file(&database, &format!("tile/{path}")).await.map_err(unserved)?;
    let served = served.ok_or_else(|| Refusal::new(ApiErrorCode::NotFound, "there is no such tile yet"))?;
    match served.content {
        Content::Tile(bytes) => Ok(typed(StatusCode::OK, BYTES, IMMUTABLE, bytes)),
        Content::Entries(bundle) => entries(bundle, database).await,
    }
}

/// A bundle of entries, which are read while they are sent.
async fn entries(bundle: Bundle, database: Database) -> Result<Response, Refusal> {
    let (length, most) = (bundle.left(), usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX));
    let (body, held) = made(length, most, Entries { bundle, database }).await.map_err(unserved)?;
    let mut response = typed(StatusCode::OK, BYTES, IMMUTABLE, Body::new(body));
    response.extensions_mut().insert(held);
    Ok(response)
}

fn unserved(error: ServeError<CenterError>) -> Refusal {
    match error {
        ServeError::Storage(error) => error.into(),
        other => Refusal::because(ApiErrorCode::Internal, &other),
    }
}

struct Entries {
    bundle: Bundle,
    database: Database,
}

impl Maker for Entries {
    type Error = ServeError<CenterError>;

    async fn next(&mut self) -> Result<Option<Bytes>, Self::Error> {
        Ok(self.bundle.piece(&self.database).await?.map(Bytes::from))
    }
}

#[cfg(test)]
mod tests {
    use iog_keeper::Replayed;
    use iog_protocol::keys::SecretKey;
    use iog_tlog::{BundleId, EntryBundle, NoteSigner, leaf_hash};

    use super::*;
    use crate::db::log::NewEntry;

    /// Bundles that are asked for at once, 15 MiB each.
    const AT_ONCE: usize = 64;
    /// What all of them may take while nobody reads them, in MiB: two pieces of 64 KiB each, and what the database keeps.
    const TAKEN_MIB_MAX: u64 = 64;

    /// Resident memory of this process, in MiB.
    fn resident_mib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    #[tokio::test]
    async fn bundles_that_nobody_reads_are_not_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&format!("sqlite:{}", folder.path().join("log.db").display())).await.unwrap();
        let signer = NoteSigner::ed25519("log.example/one", SecretKey::from_seed([7; 32]).ed25519()).unwrap();
        let replayed = Replayed::read(&database, signer, &folder.path().join("head"), |_, _| ()).await.unwrap();
        let mut keeper = replayed.keep(&database).await.unwrap();
        let new: Vec<_> = (0..256).map(|_| NewEntry { text: "ä".repeat(30_000), appended: 0 }).collect();
        let mut group = keeper.sign(new.iter().map(|entry| leaf_hash(entry.text.as_bytes()))).unwrap();
        group.commit(&database, &new).await.unwrap();

        let (id, before, mut unread) = (BundleId::new(0, 256).unwrap(), resident_mib(), Vec::new());
        for _ in 0..AT_ONCE {
            let bundle = keeper.log().bundle(&database, id).await.unwrap().unwrap();
            unread.push(entries(bundle, database.clone()).await.unwrap());
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let taken = resident_mib().saturating_sub(before);
        println!("{AT_ONCE} unread bundles of 15 MiB take {taken} MiB");
        assert!(taken < TAKEN_MIB_MAX, "they take {taken} MiB");
        let read = axum::body::to_bytes(unread.pop().unwrap().into_body(), usize::MAX).await.unwrap();
        let entries = EntryBundle::decode_exact(&read, id).unwrap().entries;
        assert!(entries.iter().zip(&new).all(|(entry, new)| entry == new.text.as_bytes()));
    }
}
