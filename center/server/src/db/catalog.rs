//! The catalog's table: the newest descriptor of every service, exactly as its domain signed it.

use iog_protocol::ids::{DomainId, ServiceName};
use sqlx::Row;

use super::Database;
use crate::error::CenterError;

const PUBLISH: &str = "publishing a descriptor";
const READ: &str = "reading the catalog";

/// How many descriptors the catalog holds; a search reads no more.
pub(crate) const DESCRIPTORS_MAX: i64 = 20_000;

/// What became of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// It is the newest now.
    Stored,
    /// One with this or a later sequence is there.
    Stale {
        /// The sequence that is there.
        stored: u64,
    },
    /// The domain, or the whole catalog, has as many services as it may.
    Full,
}

impl Database {
    /// Keeps a descriptor if its sequence is new and there is room.
    pub(crate) async fn publish(
        &self,
        domain: &DomainId,
        service: &ServiceName,
        sequence: u64,
        envelope: &str,
        services_max: usize,
    ) -> Result<Published, CenterError> {
        let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
        let mut write = self.write(PUBLISH).await?;
        let stored: Option<i64> =
            sqlx::query_scalar("SELECT sequence FROM descriptors WHERE domain = $1 AND service = $2")
                .bind(domain.as_str())
                .bind(service.as_str())
                .fetch_optional(&mut *write.tx)
                .await
                .map_err(CenterError::database(PUBLISH))?;
        match stored {
            Some(stored) if stored >= sequence => {
                return Ok(Published::Stale { stored: u64::try_from(stored).unwrap_or(0) });
            }
            Some(_) => {}
            None => {
                let counts = sqlx::query("SELECT COUNT(*), COUNT(CASE WHEN domain = $1 THEN 1 END) FROM descriptors")
                    .bind(domain.as_str())
                    .fetch_one(&mut *write.tx)
                    .await
                    .map_err(CenterError::database(PUBLISH))?;
                let all: i64 = counts.try_get(0).map_err(CenterError::database(PUBLISH))?;
                let own: i64 = counts.try_get(1).map_err(CenterError::database(PUBLISH))?;
                if all >= DESCRIPTORS_MAX || usize::try_from(own).unwrap_or(usize::MAX) >= services_max {
                    return Ok(Published::Full);
                }
            }
        }
        sqlx::query(
            "INSERT INTO descriptors (domain, service, sequence, envelope) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (domain, service) DO UPDATE SET sequence = excluded.sequence, envelope = excluded.envelope",
        )
        .bind(domain.as_str())
        .bind(service.as_str())
        .bind(sequence)
        .bind(envelope)
        .execute(&mut *write.tx)
        .await
        .map_err(CenterError::database(PUBLISH))?;
        write.commit(PUBLISH).await?;
        Ok(Published::Stored)
    }

    /// Every descriptor with its domain, by domain and service.
    pub(crate) async fn descriptors(&self) -> Result<Vec<(DomainId, String)>, CenterError> {
        let rows = sqlx::query("SELECT domain, envelope FROM descriptors ORDER BY domain, service LIMIT $1")
            .bind(DESCRIPTORS_MAX)
            .fetch_all(self.pool())
            .await
            .map_err(CenterError::database(READ))?;
        rows.into_iter()
            .map(|row| {
                let domain: String = row.try_get(0).map_err(CenterError::database(READ))?;
                let envelope: String = row.try_get(1).map_err(CenterError::database(READ))?;
                let wrong = |_| CenterError::Record { record: format!("descriptors of {domain}") };
                Ok((domain.parse().map_err(wrong)?, envelope))
            })
            .collect()
    }
}
