//! Domain statements, from the first contact until they are in the log: read, judged and kept by one request at a time.
//! Which may be appended is decided in `admission.rs`.

use iog_protocol::{
    api::{ApiErrorCode, PendingDomain},
    ids::DomainId,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    admission::{self, Offered, Verdict},
    db::{
        Database,
        members::{Invitation, Member},
    },
    present::Present,
    refusal::Refusal,
    sequencer::{AppendError, Sequencer},
};

/// The way into the registry for domains.
pub(crate) struct Admissions {
    present: Present,
    database: Database,
    sequencer: Sequencer,
    turn: Mutex<()>,
}

/// What became of a domain statement.
pub(crate) enum Admitted {
    /// It is entry `index` of the log.
    InForce { index: u64 },
    /// It waits for co-signatures.
    Waiting(Option<PendingDomain>),
}

impl Admissions {
    pub(crate) fn new(present: Present, database: Database, sequencer: Sequencer) -> Self {
        Self { present, database, sequencer, turn: Mutex::default() }
    }

    /// The record of a join token that can still be used. All failures look the same from outside.
    pub(crate) async fn invitation(&self, secret_sha256: &str, domain: &DomainId) -> Result<Invitation, Refusal> {
        let found = self.database.invitation(secret_sha256).await?;
        let usable = |invitation: &Invitation| {
            !invitation.used && invitation.expires > self.present.now().unix() && invitation.domain == *domain
        };
        found.filter(usable).ok_or_else(no_such_token)
    }

    /// Waits until no other domain statement is being read, judged or kept.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        Turn { of: self, _place: self.turn.lock().await }
    }
}

/// The only one who changes what waits, for as long as it lives.
pub(crate) struct Turn<'a> {
    of: &'a Admissions,
    _place: MutexGuard<'a, ()>,
}

impl Turn<'_> {
    /// Judges the first statement of a domain that was invited.
    pub(crate) fn judge_first(&self, offered: Offered) -> Result<Verdict, Refusal> {
        admission::judge(&self.of.present.registry(), offered, None, true)
    }

    /// Uses the token up and keeps the statement; appends it if it suffices. Gives the index of the entry.
    pub(crate) async fn enroll(
        self,
        secret_sha256: &str,
        member: &Member,
        verdict: Verdict,
    ) -> Result<Option<u64>, Refusal> {
        let (candidate, suffices) = match verdict {
            Verdict::Append(candidate) => (candidate, true),
            Verdict::Keep(candidate, _) => (candidate, false),
        };
        let entry = candidate.envelope.to_json();
        let text = String::from_utf8_lossy(&entry).into_owned();
        let now = self.of.present.now().unix();
        if !self.of.database.enroll(secret_sha256, member, &text, now).await? {
            return Err(no_such_token());
        }
        if !suffices {
            return Ok(None);
        }
        match self.append(&member.domain, entry).await {
            // It is kept already: whoever sends it again later puts it into force.
            Err(AppendError::Declined(declined)) => {
                tracing::warn!(domain = %member.domain, %declined, "an enrolled domain waits");
                Ok(None)
            }
            appended => Ok(appended.map(Some)?),
        }
    }

    /// Appends a domain statement that enough have signed, or keeps it for the next co-signer. `connected` is the domain
    /// that sends it, if it shows a certificate.
    pub(crate) async fn admit(self, offered: Offered, connected: Option<&DomainId>) -> Result<Admitted, Refusal> {
        let id = offered.domain.id.clone();
        let waiting = self.of.database.pending(&id).await?;
        let waiting = waiting.and_then(|envelope| admission::read(envelope.as_bytes()).ok());
        let registry = self.of.present.registry();
        let may_replace = admission::may_replace(&registry, connected, &offered, waiting.as_ref());
        let is_known = waiting.as_ref().is_some_and(|it| it.envelope.payload() == offered.envelope.payload());
        match admission::judge(&registry, offered, waiting, may_replace)? {
            Verdict::Append(candidate) => {
                let index = match self.append(&id, candidate.envelope.to_json()).await {
                    // The last signature must not be lost: whoever sends the statement again later puts it into force.
                    Err(AppendError::Declined(declined)) if is_known || may_replace => {
                        self.keep(&id, &candidate).await?;
                        return Err(declined.into());
                    }
                    appended => appended?,
                };
                tracing::info!(domain = %id, index, "domain in force");
                Ok(Admitted::InForce { index })
            }
            Verdict::Keep(candidate, lacking) => {
                let (envelope, now) = self.keep(&id, &candidate).await?;
                tracing::info!(domain = %id, lacking, "domain waits for co-signatures");
                Ok(Admitted::Waiting(admission::shown(&envelope, now)))
            }
        }
    }

    /// Keeps a statement with the signatures it has by now; gives it as it is kept, and since when.
    async fn keep(&self, domain: &DomainId, candidate: &Offered) -> Result<(String, i64), Refusal> {
        let envelope = String::from_utf8_lossy(&candidate.envelope.to_json()).into_owned();
        let now = self.of.present.now().unix();
        self.of.database.set_pending(domain, &envelope, now).await?;
        Ok((envelope, now))
    }

    async fn append(&self, domain: &DomainId, entry: Vec<u8>) -> Result<u64, AppendError> {
        let index = self.of.sequencer.append(entry).await?;
        self.of.database.drop_pending(domain).await.map_err(AppendError::Center)?;
        Ok(index)
    }
}

fn no_such_token() -> Refusal {
    Refusal::new(ApiErrorCode::JoinTokenInvalid, "the join token is unknown, used, expired or for another domain")
}
