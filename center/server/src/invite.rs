//! Join tokens: made by the center's operator, on the center's machine. Works while the server runs: only the database is written, and only
//! the hash of the secret is kept.

use iog_machine::{Entropy as _, OsEntropy};
use iog_protocol::{
    enroll::{JoinSecret, JoinToken},
    ids::{Asn, Digest, DomainId, OrganisationId},
    registry::Registry,
    time::Timestamp,
};
use iog_transport::PeerIdentity;

use crate::{
    config::CenterConfig,
    db::{Database, members::Invitation},
    error::CenterError,
    home::Home,
    names::check_name,
};

/// Names of one certificate at most.
const NAMES_MAX: usize = 32;
/// AS numbers of one domain at most.
const ASNS_MAX: usize = 1024;
/// The longest time a join token may be valid, in hours.
pub const INVITATION_HOURS_MAX: i64 = 30 * 24;

/// Who is invited, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteOptions {
    /// The id the domain will have.
    pub domain: DomainId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// DNS names and IP addresses of its certificate.
    pub names: Vec<String>,
    /// Its autonomous systems.
    pub asns: Vec<Asn>,
    /// How long the token is good, hours (1 to 720).
    pub hours: i64,
}

/// Makes a join token and keeps the hash of its secret in the center's database.
///
/// # Errors
/// [`CenterError::Invitation`] if the options are wrong; [`CenterError::Genesis`] while root holders have not signed; what files and
/// database answer.
pub async fn invite(config: &CenterConfig, options: &InviteOptions, now: Timestamp) -> Result<JoinToken, CenterError> {
    let database = Database::open(&config.database_url()).await?;
    let token = invite_in(&database, config, options, now).await;
    database.close().await;
    token
}

pub(crate) async fn invite_in(
    database: &Database,
    config: &CenterConfig,
    options: &InviteOptions,
    now: Timestamp,
) -> Result<JoinToken, CenterError> {
    check(options)?;
    let home = Home::new(&config.data_dir);
    let genesis = home.read_genesis()?;
    let digest = Digest::of(&genesis);
    let registry = Registry::genesis(&genesis, &digest)
        .map_err(|error| CenterError::Genesis { path: home.genesis(), reason: error.to_string() })?;
    let authority = issuing(&home)?;
    let secret = JoinSecret::from_bytes(OsEntropy.bytes32()?);
    let expires = now.plus_hours(options.hours);
    let invitation = Invitation {
        domain: options.domain.clone(),
        organisation: options.organisation.clone(),
        names: options.names.clone(),
        asns: options.asns.clone(),
        expires: expires.unix(),
        used: false,
    };
    database.add_invitation(&secret.hash().to_string(), &invitation).await?;
    Ok(JoinToken {
        domain: invitation.domain,
        organisation: invitation.organisation,
        names: invitation.names,
        asns: invitation.asns,
        center: config.public_address.clone(),
        expires,
        secret,
        center_spki_sha256: authority,
        log_key: registry.founding().log_key.clone(),
        genesis: digest,
    })
}

/// The authority that a new domain will meet: the one that the center noted when it last served, else the founding one.
fn issuing(home: &Home) -> Result<Digest, CenterError> {
    if let Some(issuing) = home.noted_authorities().first() {
        return Ok(*issuing);
    }
    let certificate = iog_transport::pem::load(&home.ca_certificate())?;
    let wrong =
        || CenterError::KeyFile { path: home.ca_certificate(), expected: "the certificate authority's certificate" };
    PeerIdentity::from_pem(&certificate).map(|it| Digest::from_bytes(it.spki_sha256)).ok_or_else(wrong)
}

fn check(options: &InviteOptions) -> Result<(), CenterError> {
    let wrong = |reason: String| Err(CenterError::Invitation { reason });
    if !(1..=INVITATION_HOURS_MAX).contains(&options.hours) {
        return wrong(format!("it would be valid for {} hours, expected 1 to {INVITATION_HOURS_MAX}", options.hours));
    }
    if options.names.len() > NAMES_MAX || options.asns.len() > ASNS_MAX {
        return wrong(format!("at most {NAMES_MAX} names and {ASNS_MAX} AS numbers"));
    }
    options.names.iter().try_for_each(|name| check_name(name)).or_else(wrong)
}
