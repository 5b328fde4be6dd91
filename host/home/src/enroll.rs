//! First contact of a domain with its center: keys made here, names and trust from the join token, a certificate and a
//! pinned genesis back. Afterwards the home is complete; the domain is in force once members or the root have co-signed.

use std::path::Path;

use iog_client::ClientError;
use iog_client::enroll::{self, NewDomain, first_contact};
use iog_machine::Machine;
use iog_protocol::dsse::EnvelopeError;
use iog_protocol::enroll::JoinToken;
use iog_protocol::ids::TrustDomain;
use iog_protocol::keys::SecretKey;
use iog_protocol::registry::Registry;
use iog_protocol::statements::{Domain, Endpoint, Statement};
use iog_protocol::time::Timestamp;
use iog_transport::{TransportError, ca};

use crate::error::HomeError;
use crate::home::{DomainFile, Home, NewHome};
use iog_machine::entropy::{Entropy, NoEntropy};

/// Why a domain could not enroll.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The token's time is over; ask the center's operator for another.
    #[error("the join token for `{domain}` expired at {expires}; ask for a new one")]
    Expired {
        /// The domain.
        domain: String,
        /// When.
        expires: Timestamp,
    },
    /// The token is for the demonstration.
    #[error("trust domain `{trust_domain}` is the demonstration's; only `iog demo` may use it")]
    Demo {
        /// The trust domain.
        trust_domain: TrustDomain,
    },
    /// The center did not take it.
    #[error("the center `{center}` did not enroll the domain")]
    Center {
        /// The center.
        center: String,
        /// What it said.
        #[source]
        source: Box<ClientError>,
    },
    /// The center's genesis is not a genesis.
    #[error("the center's genesis cannot be used: {problem}")]
    Genesis {
        /// What is wrong with it.
        problem: String,
    },
    /// Keys or certificate request could not be made.
    #[error("the transport's key or certificate request could not be made")]
    Transport(#[from] TransportError),
    /// The statement could not be signed.
    #[error("the domain's statement could not be signed")]
    Statement(#[from] EnvelopeError),
    /// No randomness for keys.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The home could not be written.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// What a new domain says of itself.
#[derive(Debug, Clone, Default)]
pub struct EnrollOptions {
    /// Where its gateway will answer, `host:port`; empty for a domain that only calls.
    pub endpoints: Vec<String>,
    /// Its caller key, where it has one already; made here otherwise.
    pub caller_key: Option<SecretKey>,
    /// Whether the demonstration's trust domain is accepted; only `iog demo` says so.
    pub demo: bool,
}

/// Enrolls with a join token and makes the home at `root`.
///
/// # Errors
/// [`EnrollError`]; there is no home then.
pub async fn enroll(
    root: &Path,
    token: &JoinToken,
    options: &EnrollOptions,
    machine: &Machine,
) -> Result<Home, EnrollError> {
    if token.expires <= machine.clock.now() {
        return Err(EnrollError::Expired { domain: token.domain.to_string(), expires: token.expires });
    }
    if let Ok(there) = Home::open(root) {
        return Err(HomeError::Taken { path: root.to_owned(), domain: there.domain().clone() }.into());
    }
    let failed = |source| EnrollError::Center { center: token.center.clone(), source: Box::new(source) };
    let genesis = first_contact(token, &machine.clock).genesis(&token.genesis).await.map_err(failed)?;
    let trust_domain = trust_domain(&genesis, token, options.demo)?;
    let keys = Keys::new(options, machine.entropy.as_ref())?;
    let statement = keys.statement(token, options)?;
    let domain = NewDomain { tls_key_pem: &keys.tls_pem, statement: &statement };
    let joined = enroll::enroll(token, domain, &machine.clock).await.map_err(failed)?;
    let file = DomainFile {
        domain: token.domain.clone(),
        organisation: token.organisation.clone(),
        asns: token.asns.clone(),
        trust_domain,
        center: token.center.clone(),
        genesis: token.genesis,
        log_key: token.log_key.clone(),
        names: token.names.clone(),
    };
    Ok(Home::create(
        root,
        &NewHome {
            file: &file,
            genesis: &genesis,
            caller_key: &keys.caller,
            receipt_key: &keys.receipt,
            tls_key_pem: &keys.tls_pem,
            cert_pem: &joined.chain_pem,
            ca_pem: &joined.authorities_pem,
        },
    )?)
}

fn trust_domain(genesis: &[u8], token: &JoinToken, demo: bool) -> Result<TrustDomain, EnrollError> {
    let registry =
        Registry::genesis(genesis, &token.genesis).map_err(|e| EnrollError::Genesis { problem: e.to_string() })?;
    let founding = registry.founding();
    if founding.log_key != token.log_key {
        let problem = "it names another log key than the join token".to_owned();
        return Err(EnrollError::Genesis { problem });
    }
    let trust_domain = founding.trust_domain.clone();
    if trust_domain.is_demo() && !demo { Err(EnrollError::Demo { trust_domain }) } else { Ok(trust_domain) }
}

/// The three keys of a domain.
struct Keys {
    caller: SecretKey,
    receipt: SecretKey,
    tls_pem: String,
}

impl Keys {
    fn new(options: &EnrollOptions, entropy: &dyn Entropy) -> Result<Self, EnrollError> {
        let caller = match &options.caller_key {
            Some(key) => key.clone(),
            None => SecretKey::from_seed(entropy.bytes32()?),
        };
        Ok(Self { caller, receipt: SecretKey::from_seed(entropy.bytes32()?), tls_pem: ca::new_key_pem()? })
    }

    /// The domain's own statement, signed by its caller key.
    fn statement(&self, token: &JoinToken, options: &EnrollOptions) -> Result<Vec<u8>, EnrollError> {
        let endpoint = |address: &String| Endpoint { transport: "https".to_owned(), address: address.clone() };
        let domain = Domain {
            id: token.domain.clone(),
            organisation: token.organisation.clone(),
            asns: token.asns.clone(),
            endpoints: options.endpoints.iter().map(endpoint).collect(),
            caller_key: self.caller.public(),
            receipt_key: self.receipt.public(),
            sequence: 1,
        };
        Ok(Statement::new(&token.genesis, domain).sign(&[&self.caller])?.to_json())
    }
}
