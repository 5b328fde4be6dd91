//! Invitations, enrolled members, and domain statements that wait for co-signatures.

use iog_protocol::ids::{Asn, DomainId, OrganisationId};
use sqlx::{Row, any::AnyRow};

use super::{Database, Write};
use crate::error::CenterError;

/// What a join token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invitation {
    pub(crate) domain: DomainId,
    pub(crate) organisation: OrganisationId,
    pub(crate) names: Vec<String>,
    pub(crate) asns: Vec<Asn>,
    pub(crate) expires: i64,
    pub(crate) used: bool,
}

/// An enrolled domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) domain: DomainId,
    pub(crate) organisation: OrganisationId,
    pub(crate) names: Vec<String>,
}

const INVITATION: &str = "keeping an invitation";
const ENROLL: &str = "enrolling a member";
const PENDING: &str = "keeping a pending domain";

impl Database {
    pub(crate) async fn add_invitation(&self, secret_sha256: &str, invitation: &Invitation) -> Result<(), CenterError> {
        let mut write = self.write(INVITATION).await?;
        sqlx::query(
            "INSERT INTO invitations (secret_sha256, domain, organisation, names, asns, expires, used) \
             VALUES ($1, $2, $3, $4, $5, $6, NULL)",
        )
        .bind(secret_sha256)
        .bind(invitation.domain.as_str())
        .bind(invitation.organisation.as_str())
        .bind(json(&invitation.names))
        .bind(json(&invitation.asns))
        .bind(invitation.expires)
        .execute(&mut *write.tx)
        .await
        .map_err(CenterError::database(INVITATION))?;
        write.commit(INVITATION).await
    }

    pub(crate) async fn invitation(&self, secret_sha256: &str) -> Result<Option<Invitation>, CenterError> {
        let sql = "SELECT domain, organisation, names, asns, expires, used FROM invitations WHERE secret_sha256 = $1";
        let row = sqlx::query(sql).bind(secret_sha256).fetch_optional(self.pool()).await;
        row.map_err(CenterError::database("reading an invitation"))?.map(|row| read_invitation(&row)).transpose()
    }

    /// Marks an invitation as used, enrolls its domain and keeps its statement, all or nothing; false if the invitation was used
    /// in the meantime.
    pub(crate) async fn enroll(
        &self,
        secret_sha256: &str,
        member: &Member,
        statement: &str,
        now: i64,
    ) -> Result<bool, CenterError> {
        let mut write = self.write(ENROLL).await?;
        let used = sqlx::query("UPDATE invitations SET used = $1 WHERE secret_sha256 = $2 AND used IS NULL")
            .bind(now)
            .bind(secret_sha256)
            .execute(&mut *write.tx)
            .await
            .map_err(CenterError::database(ENROLL))?;
        if used.rows_affected() != 1 {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO members (domain, organisation, names, enrolled) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (domain) DO UPDATE SET organisation = excluded.organisation, names = excluded.names, \
             enrolled = excluded.enrolled",
        )
        .bind(member.domain.as_str())
        .bind(member.organisation.as_str())
        .bind(json(&member.names))
        .bind(now)
        .execute(&mut *write.tx)
        .await
        .map_err(CenterError::database(ENROLL))?;
        insert_pending(&mut write, &member.domain, statement, now).await?;
        write.commit(ENROLL).await?;
        Ok(true)
    }

    pub(crate) async fn member(&self, domain: &DomainId) -> Result<Option<Member>, CenterError> {
        let sql = "SELECT domain, organisation, names FROM members WHERE domain = $1";
        let row = sqlx::query(sql).bind(domain.as_str()).fetch_optional(self.pool()).await;
        row.map_err(CenterError::database("reading a member"))?.map(|row| read_member(&row)).transpose()
    }

    /// Keeps the newest pending statement of a domain.
    pub(crate) async fn set_pending(&self, domain: &DomainId, envelope: &str, now: i64) -> Result<(), CenterError> {
        let mut write = self.write(PENDING).await?;
        insert_pending(&mut write, domain, envelope, now).await?;
        write.commit(PENDING).await
    }

    pub(crate) async fn pending(&self, domain: &DomainId) -> Result<Option<String>, CenterError> {
        sqlx::query_scalar("SELECT envelope FROM pending_domains WHERE domain = $1")
            .bind(domain.as_str())
            .fetch_optional(self.pool())
            .await
            .map_err(CenterError::database("reading a pending domain"))
    }

    /// All pending statements and since when they wait, oldest first.
    pub(crate) async fn all_pending(&self) -> Result<Vec<(String, i64)>, CenterError> {
        let action = "reading pending domains";
        let sql = "SELECT envelope, received FROM pending_domains ORDER BY received, domain LIMIT 10000";
        let rows = sqlx::query(sql).fetch_all(self.pool()).await.map_err(CenterError::database(action))?;
        let read = |row: AnyRow| Ok((row.try_get(0)?, row.try_get(1)?));
        rows.into_iter().map(|row| read(row).map_err(CenterError::database(action))).collect()
    }

    pub(crate) async fn drop_pending(&self, domain: &DomainId) -> Result<(), CenterError> {
        let mut write = self.write(PENDING).await?;
        sqlx::query("DELETE FROM pending_domains WHERE domain = $1")
            .bind(domain.as_str())
            .execute(&mut *write.tx)
            .await
            .map_err(CenterError::database(PENDING))?;
        write.commit(PENDING).await
    }
}

async fn insert_pending(write: &mut Write<'_>, domain: &DomainId, envelope: &str, now: i64) -> Result<(), CenterError> {
    sqlx::query(
        "INSERT INTO pending_domains (domain, envelope, received) VALUES ($1, $2, $3) \
         ON CONFLICT (domain) DO UPDATE SET envelope = excluded.envelope, received = excluded.received",
    )
    .bind(domain.as_str())
    .bind(envelope)
    .bind(now)
    .execute(&mut *write.tx)
    .await
    .map_err(CenterError::database(PENDING))?;
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("lists of text and numbers have a JSON form")
}

fn text(row: &AnyRow, column: usize, record: &str) -> Result<String, CenterError> {
    row.try_get(column).map_err(|_| CenterError::Record { record: record.to_owned() })
}

fn read_invitation(row: &AnyRow) -> Result<Invitation, CenterError> {
    let record = "invitations";
    let wrong = || CenterError::Record { record: record.to_owned() };
    Ok(Invitation {
        domain: text(row, 0, record)?.parse().map_err(|_| wrong())?,
        organisation: text(row, 1, record)?.parse().map_err(|_| wrong())?,
        names: serde_json::from_str(&text(row, 2, record)?).map_err(|_| wrong())?,
        asns: serde_json::from_str(&text(row, 3, record)?).map_err(|_| wrong())?,
        expires: row.try_get(4).map_err(|_| wrong())?,
        used: row.try_get::<Option<i64>, _>(5).map_err(|_| wrong())?.is_some(),
    })
}

fn read_member(row: &AnyRow) -> Result<Member, CenterError> {
    let record = "members";
    let wrong = || CenterError::Record { record: record.to_owned() };
    Ok(Member {
        domain: text(row, 0, record)?.parse().map_err(|_| wrong())?,
        organisation: text(row, 1, record)?.parse().map_err(|_| wrong())?,
        names: serde_json::from_str(&text(row, 2, record)?).map_err(|_| wrong())?,
    })
}
