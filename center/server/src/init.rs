//! Making a center: configuration, online keys, and the genesis that the root holders then sign. Root and auditor keys come in as public
//! keys only; nothing here can make one.

use std::path::{Path, PathBuf};

use iog_machine::files::{self, Readers};
use iog_protocol::{
    dsse::Envelope,
    ids::Digest,
    keys::{PublicKey, SecretKey},
    registry::RULES_VERSION,
    statements::{
        Auditor, Genesis, Keyset, PAYLOAD_TYPE, Predicate, Publisher, Root, Statement, Thresholds, parse_payload,
    },
    time::Timestamp,
};
use iog_tlog::VerifierKey;

use crate::{
    config::{CONFIG_FILE, CenterConfig},
    error::CenterError,
    home::{GENESIS_BYTES_MAX, Home, OnlineKeys, authority_digest, log_origin, write},
};

/// What a new registry rests on.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// The configuration to write; its `data_dir` is relative to the new folder.
    pub config: CenterConfig,
    /// Root public keys and how many must sign.
    pub root: Root,
    /// Auditors by public key.
    pub auditors: Vec<Auditor>,
    /// Publishers by public key.
    pub publishers: Vec<Publisher>,
    /// The numbers in the rules.
    pub thresholds: Thresholds,
    /// Witness policy (C2SP tlog-policy), if there are witnesses.
    pub witness_policy: Option<String>,
    /// When the first keyset ends.
    pub keyset_expires: Timestamp,
}

/// What `init` made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initialised {
    /// The configuration file.
    pub config: PathBuf,
    /// The statement for the root holders to sign.
    pub genesis_statement: PathBuf,
}

/// Makes a center in `folder`, which must not hold one yet: `center.toml`, the online keys and the unsigned genesis.
///
/// # Errors
/// [`CenterError::AlreadyInitialised`], [`CenterError::Init`] if the options do not make a genesis, [`CenterError::File`].
pub fn init(folder: &Path, options: &InitOptions, now: Timestamp) -> Result<Initialised, CenterError> {
    check(options)?;
    let home = Home::new(&folder.join(&options.config.data_dir));
    let config_path = folder.join(CONFIG_FILE);
    for path in [&config_path, &home.genesis_statement(), &home.genesis(), &home.key("log")] {
        if path.exists() {
            return Err(CenterError::AlreadyInitialised { path: path.clone() });
        }
    }
    for path in [folder.to_owned(), home.folder().join("keys")] {
        std::fs::create_dir_all(&path).map_err(|source| CenterError::File { action: "create", path, source })?;
    }
    let keys = OnlineKeys::create(options.config.trust_domain.as_str(), now.unix())?;
    let statement = Statement::genesis(genesis(options, &keys)?);
    let bytes = serde_json::to_vec(&statement).map_err(|error| CenterError::Init { reason: error.to_string() })?;
    keys.store(&home)?;
    write(&home.genesis_statement(), &bytes, Readers::All)?;
    write(&config_path, options.config.to_toml()?.as_bytes(), Readers::All)?;
    Ok(Initialised { config: config_path, genesis_statement: home.genesis_statement() })
}

fn check(options: &InitOptions) -> Result<(), CenterError> {
    let wrong = |reason: &str| Err(CenterError::Init { reason: reason.to_owned() });
    let (root, k) = (&options.root, options.thresholds.k);
    if root.threshold == 0 || root.threshold as usize > root.keys.len() {
        return wrong("the root threshold is not between 1 and the number of root keys");
    }
    if k == 0 || !(1..=720).contains(&options.thresholds.suspension_hours) {
        return wrong("`k` must be at least 1 and `suspension_hours` 1 to 720");
    }
    let mut keys: Vec<PublicKey> = root.keys.clone();
    keys.extend(options.auditors.iter().map(|auditor| auditor.key));
    let count = keys.len();
    keys.sort();
    keys.dedup();
    if keys.len() != count {
        return wrong("one key stands for two root holders or auditors");
    }
    Ok(())
}

fn genesis(options: &InitOptions, keys: &OnlineKeys) -> Result<Genesis, CenterError> {
    let origin = log_origin(&options.config.trust_domain);
    let log_key = VerifierKey::ed25519(&origin, keys.log.public().ed25519())
        .map_err(|error| CenterError::Init { reason: error.to_string() })?;
    Ok(Genesis {
        trust_domain: options.config.trust_domain.clone(),
        root: options.root.clone(),
        log_key: log_key.to_string(),
        witness_policy: options.witness_policy.clone(),
        rules_version: RULES_VERSION,
        min_rules_version: RULES_VERSION,
        thresholds: options.thresholds,
        keyset: Keyset {
            version: 1,
            expires: options.keyset_expires,
            approval: vec![keys.approval.public()],
            token: vec![keys.token.public()],
            ca_spki_sha256: keys.authorities.iter().map(authority_digest).collect(),
            auditors: options.auditors.clone(),
            publishers: options.publishers.clone(),
            root: None,
            min_rules_version: None,
            required_families: Vec::new(),
        },
    })
}

/// Where a genesis stands after a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisSigned {
    /// Root keys that have signed.
    pub signatures: usize,
    /// How many must.
    pub needed: usize,
    /// The genesis' digest, which everybody pins; final once enough have signed.
    pub digest: Digest,
}

/// Signs the genesis with a root key. For root holders: the key may lie anywhere but in the center's folder.
///
/// `statement` is the unsigned genesis; `signed` the envelope so far, if somebody has signed before.
///
/// # Errors
/// [`CenterError::Init`] if the statement is not a genesis, the key is not one of its root keys, or enough have signed already.
pub fn sign_genesis(
    statement: &[u8],
    signed: Option<&[u8]>,
    key: &SecretKey,
) -> Result<(Vec<u8>, GenesisSigned), CenterError> {
    let wrong = |reason: String| CenterError::Init { reason };
    let root = match parse_payload(statement).map_err(|error| wrong(error.to_string()))?.predicate {
        Predicate::Genesis(genesis) => genesis.root,
        _ => return Err(wrong("the statement is not a genesis".to_owned())),
    };
    if !root.keys.contains(&key.public()) {
        return Err(wrong(format!("key `{}` is not one of the root keys", key.public().id())));
    }
    let needed = root.threshold as usize;
    let mut envelope = Envelope::new(PAYLOAD_TYPE, statement.to_vec());
    if let Some(signed) = signed {
        let others = Envelope::parse(signed).map_err(|error| wrong(error.to_string()))?;
        envelope.join(&others).map_err(|error| wrong(error.to_string()))?;
        if envelope.signers_among(&root.keys).len() >= needed {
            return Err(wrong("enough root holders have signed; another signature would change its digest".to_owned()));
        }
    }
    envelope.add_signature(key);
    let signatures = envelope.signers_among(&root.keys).len();
    Ok((envelope.to_json(), GenesisSigned { signatures, needed, digest: envelope.digest() }))
}

/// Signs the genesis in a center's folder with a root key, for people who can reach both.
///
/// # Errors
/// As [`sign_genesis`]; [`CenterError::File`].
pub fn sign_genesis_in(config: &CenterConfig, key: &SecretKey) -> Result<GenesisSigned, CenterError> {
    let home = Home::new(&config.data_dir);
    let path = home.genesis_statement();
    let statement = files::read_text(&path, GENESIS_BYTES_MAX).map_err(|source| CenterError::File {
        action: "read",
        path,
        source,
    })?;
    let signed = if home.genesis().exists() { Some(home.read_genesis()?) } else { None };
    let (bytes, state) = sign_genesis(statement.as_bytes(), signed.as_deref(), key)?;
    write(&home.genesis(), &bytes, Readers::All)?;
    Ok(state)
}
