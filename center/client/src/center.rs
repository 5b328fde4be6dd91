//! The center's services: registry files, submissions, statements, domains, certificates, tokens, catalog.
//! What the center says about the registry in JSON is for people; decisions are taken on the replica.

use crate::error::ClientError;
use crate::join_answer;
use crate::remote::{CALL_LIMIT, Call, JSON_BYTES_MAX, Remote};
use crate::replica::{CaughtUp, Replica, ReplicaError, Synced};
use iog_protocol::api::{
    BODY_BYTES_MAX, CatalogAnswer, CatalogPublished, CertificateAnswer, CertificateRequest, DomainList,
    ENVELOPE_MEDIA_TYPE, GenesisAnswer, Health, JSON_MEDIA_TYPE, ModuleDetail, ModuleList, ModuleSubmission,
    ModuleSubmitted, PendingDomain, SUBMISSION_BODY_BYTES_MAX, StatementAccepted, TokenAnswer, paths,
};
use iog_protocol::catalog::{CatalogQuery, Descriptor};
use iog_protocol::dsse::{Signed, Verified};
use iog_protocol::enroll::{JoinAnswer, JoinRequest};
use iog_protocol::ids::Digest;
use iog_protocol::registry::Registry;
use iog_protocol::renewal::CertificateOrder;
use iog_protocol::time::Timestamp;
use std::time::Duration;

/// Largest module or manifest downloaded unless the caller says less, in bytes.
pub const BLOB_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long a submission may take besides its sending: inspection comes before the answer.
const SUBMIT_LIMIT: Duration = Duration::from_secs(120);
/// The least rate at which a center takes a submission, bytes a second.
const SUBMIT_BYTES_PER_S: u64 = 16 * 1024;
const FORM_MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// A center.
#[derive(Debug, Clone)]
pub struct CenterClient {
    remote: Remote,
}

/// What a catalog search gave.
#[derive(Debug)]
pub struct Found {
    /// Descriptors that verify: signed by the key of a domain in force, valid now, and answering the question.
    pub descriptors: Vec<Verified<Descriptor>>,
    /// How many the center sent that do not.
    pub refused: usize,
}

/// What came of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// It is in the log.
    Logged(StatementAccepted),
    /// It is a domain's, kept until enough others have signed it too.
    Waiting(PendingDomain),
}

impl Posted {
    /// The entry it became.
    #[must_use]
    pub fn logged(self) -> Option<StatementAccepted> {
        match self {
            Self::Logged(accepted) => Some(accepted),
            Self::Waiting(_) => None,
        }
    }
}

impl CenterClient {
    /// A client of the center at `remote`.
    #[must_use]
    pub fn new(remote: Remote) -> Self {
        Self { remote }
    }

    /// Where the center is.
    #[must_use]
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// How the center is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.remote.json(Call::get(paths::HEALTH)).await
    }

    /// Entry 0 of the log, which must be the pinned one.
    ///
    /// # Errors
    /// [`ClientError::WrongDigest`] if it is another, and the errors of every call.
    pub async fn genesis(&self, pinned: &Digest) -> Result<Vec<u8>, ClientError> {
        let answer: GenesisAnswer = self.remote.json(Call::get(paths::GENESIS)).await?;
        self.of_digest(answer.entry.0, pinned)
    }

    /// Brings a replica up to date; see [`Replica::sync`]. The client follows the authorities that its registry names.
    ///
    /// # Errors
    /// [`ReplicaError`].
    pub async fn sync(&self, replica: &mut Replica, now: Timestamp) -> Result<Synced, ReplicaError> {
        self.follow_authorities(replica.registry().as_deref());
        let synced = replica.sync(&self.remote, now).await?;
        self.follow_authorities(Some(&synced.registry));
        Ok(synced)
    }

    /// Trusts the authorities of the keyset in force from now on, where it names any: the center's, and with the same client
    /// those of all gateways.
    fn follow_authorities(&self, registry: Option<&Registry>) {
        if let Some(registry) = registry {
            self.remote.http().tls().follow_authorities(&registry.keyset().authorities());
        }
    }

    /// The newest registry that can be had: what the replica held before is good too where the center cannot be followed.
    ///
    /// # Errors
    /// [`ReplicaError`]; the replica holds no registry then.
    pub async fn catch_up(&self, replica: &mut Replica, now: Timestamp) -> Result<CaughtUp, ReplicaError> {
        let missed = match self.sync(replica, now).await {
            Ok(synced) => return Ok(CaughtUp { registry: synced.registry, missed: None }),
            Err(error) => error,
        };
        match replica.registry() {
            Some(registry) => Ok(CaughtUp { registry, missed: Some(missed) }),
            None => Err(missed),
        }
    }

    /// Submits a module with its manifest and signed submission.
    ///
    /// # Errors
    /// [`ClientError::Input`] if it is larger than a center takes, and the errors of every call.
    pub async fn submit_module(&self, submission: &ModuleSubmission) -> Result<ModuleSubmitted, ClientError> {
        let body =
            serde_json::to_vec(submission).map_err(|error| ClientError::input("submission", error.to_string()))?;
        check_len("submission", body.len(), SUBMISSION_BODY_BYTES_MAX)?;
        let limit = SUBMIT_LIMIT + Duration::from_secs(body.len() as u64 / SUBMIT_BYTES_PER_S);
        let submitted: ModuleSubmitted =
            self.remote.json(Call { limit, ..Call::post(paths::MODULES, JSON_MEDIA_TYPE, body) }).await?;
        let expected = Digest::of(&submission.module.0);
        if submitted.digest == expected { Ok(submitted) } else { Err(self.wrong_digest(&expected)) }
    }

    /// Posts a signed statement (DSSE JSON) for the log.
    ///
    /// # Errors
    /// [`ClientError::Input`] if it is larger than a center takes, and the errors of every call.
    pub async fn post_statement(&self, envelope: Vec<u8>) -> Result<Posted, ClientError> {
        check_len("statement", envelope.len(), BODY_BYTES_MAX)?;
        let response = self.remote.call(Call::post(paths::STATEMENTS, ENVELOPE_MEDIA_TYPE, envelope)).await?;
        if response.status == http::StatusCode::ACCEPTED {
            return self.remote.decode(paths::STATEMENTS, &response.body).map(Posted::Waiting);
        }
        self.remote.decode(paths::STATEMENTS, &response.body).map(Posted::Logged)
    }

    /// All modules, as the center tells it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn modules(&self) -> Result<ModuleList, ClientError> {
        self.remote.json(Call::get(paths::MODULES)).await
    }

    /// One module, as the center tells it.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::WrongDigest`] if it answers about another module.
    pub async fn module(&self, digest: &Digest) -> Result<ModuleDetail, ClientError> {
        let path = paths::fill(paths::MODULE, &digest.to_string());
        let detail: ModuleDetail = self.remote.json(Call::get(&path)).await?;
        if detail.summary.digest == *digest { Ok(detail) } else { Err(self.wrong_digest(digest)) }
    }

    /// The bytes of a module or manifest, whose digest is checked. At most `bytes_max` are read.
    ///
    /// # Errors
    /// [`ClientError::WrongDigest`] and the errors of every call.
    pub async fn blob(&self, digest: &Digest, bytes_max: usize) -> Result<Vec<u8>, ClientError> {
        let path = paths::fill(paths::BLOB, &digest.to_string());
        let bytes = self.remote.get(&path, bytes_max.min(BLOB_BYTES_MAX)).await?;
        self.of_digest(bytes, digest)
    }

    /// Domains in force and pending, as the center tells it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn domains(&self) -> Result<DomainList, ClientError> {
        self.remote.json(Call::get(paths::DOMAINS)).await
    }

    /// Enrolls a domain. The client should be one for the first contact: see [`crate::enroll::first_contact`].
    ///
    /// # Errors
    /// [`ClientError::Input`] if the statement in it is malformed, [`ClientError::Answer`] if the center answers with another
    /// domain's certificate or another statement, and the errors of every call.
    pub async fn enroll(&self, request: &JoinRequest) -> Result<JoinAnswer, ClientError> {
        let statement = join_answer::statement_digest(request)?;
        let answer: JoinAnswer = self.remote.post_json(paths::ENROLL, request).await?;
        match join_answer::check(&answer, &request.domain, &statement) {
            Ok(()) => Ok(answer),
            Err(reason) => Err(self.remote.malformed(paths::ENROLL, reason)),
        }
    }

    /// Renews the certificate the client shows, for the key of a signing request, with the order that its domain signed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn renew_certificate(
        &self,
        csr_pem: &str,
        order: &Signed<CertificateOrder>,
    ) -> Result<CertificateAnswer, ClientError> {
        let request = CertificateRequest { csr: csr_pem.to_owned(), order: Some(order.to_bytes().into()) };
        self.remote.post_json(paths::CERTIFICATES, &request).await
    }

    /// A fresh token for the certificate the client shows. The caller keeps it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn token(&self) -> Result<TokenAnswer, ClientError> {
        let body = "grant_type=client_credentials";
        self.remote.json(Call { limit: CALL_LIMIT, ..Call::post(paths::TOKEN, FORM_MEDIA_TYPE, body) }).await
    }

    /// Searches the catalog and verifies every descriptor against the registry.
    ///
    /// # Errors
    /// [`ClientError`]. A descriptor that does not verify is left out and counted, it fails nothing.
    pub async fn search(
        &self,
        query: &CatalogQuery,
        registry: &Registry,
        now: Timestamp,
    ) -> Result<Found, ClientError> {
        let path = format!("{}{}", paths::CATALOG, query_string(query));
        let answer: CatalogAnswer = self.remote.json(Call { bytes_max: JSON_BYTES_MAX, ..Call::get(&path) }).await?;
        let sent = answer.descriptors.len();
        let verified = answer.descriptors.iter().filter_map(|bytes| verify_descriptor(&bytes.0, registry, now));
        let descriptors: Vec<_> = verified.filter(|descriptor| query.matches(descriptor)).collect();
        Ok(Found { refused: sent - descriptors.len(), descriptors })
    }

    /// Publishes a signed descriptor.
    ///
    /// # Errors
    /// [`ClientError::Input`] if it is larger than a center takes, and the errors of every call.
    pub async fn publish(&self, descriptor: &Signed<Descriptor>) -> Result<CatalogPublished, ClientError> {
        let body = descriptor.to_bytes();
        check_len("descriptor", body.len(), BODY_BYTES_MAX)?;
        self.remote.json(Call::post(paths::CATALOG, ENVELOPE_MEDIA_TYPE, body)).await
    }

    fn of_digest(&self, bytes: Vec<u8>, expected: &Digest) -> Result<Vec<u8>, ClientError> {
        if Digest::of(&bytes) == *expected { Ok(bytes) } else { Err(self.wrong_digest(expected)) }
    }

    fn wrong_digest(&self, expected: &Digest) -> ClientError {
        ClientError::WrongDigest { server: self.remote.address().to_owned(), expected: *expected }
    }
}

/// Reads a descriptor, finds the domain in force that signed it, and checks that it speaks for that domain only.
#[must_use]
pub fn verify_descriptor(bytes: &[u8], registry: &Registry, now: Timestamp) -> Option<Verified<Descriptor>> {
    let signed = Signed::<Descriptor>::parse(bytes).ok()?;
    let hints = signed.key_hints();
    let named = hints.iter().filter_map(|hint| registry.domain_by_key_id(hint, now));
    let domain = &named.min_by(|one, other| one.id.cmp(&other.id))?.statement;
    let descriptor = signed.verify(&[domain.caller_key]).ok()?;
    let speaks_for_itself = descriptor.domain == domain.id;
    (speaks_for_itself && descriptor.check(now).is_ok()).then_some(descriptor)
}

fn query_string(query: &CatalogQuery) -> String {
    let asn = query.asn.map(|asn| asn.to_string());
    let fields = [("q", &query.q), ("schema", &query.schema), ("asn", &asn), ("module", &query.module)];
    let given = fields.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let pairs: Vec<String> = given.map(|(name, value)| format!("{name}={}", percent(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Percent-encodes all but unreserved characters (RFC 3986 section 2.3).
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn check_len(what: &'static str, len: usize, len_max: usize) -> Result<(), ClientError> {
    if len > len_max {
        Err(ClientError::input(what, format!("{len} bytes, at most {len_max} are taken")))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iog_protocol::ids::Asn;

    #[test]
    fn query_strings_are_escaped() {
        assert_eq!(query_string(&CatalogQuery::default()), "");
        let query = CatalogQuery { q: Some("wo & bin/ü=1".into()), asn: Some(Asn(64500)), ..CatalogQuery::default() };
        assert_eq!(query_string(&query), "?q=wo%20%26%20bin%2F%C3%BC%3D1&asn=64500");
        let query = CatalogQuery { module: Some("iog/x@1.0.0".into()), schema: Some("flow/1".into()), ..query };
        assert!(query_string(&query).ends_with("&schema=flow%2F1&asn=64500&module=iog%2Fx%401.0.0"));
    }

    #[test]
    fn too_large_bodies_are_refused_before_they_are_sent() {
        check_len("x", 10, 10).unwrap();
        let error = check_len("statement", 11, 10).unwrap_err();
        assert_eq!(error.to_string(), "`statement` cannot be sent: 11 bytes, at most 10 are taken");
    }
}
