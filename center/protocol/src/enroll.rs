//! Enrollment: the join token that an operator carries from the center to a new domain, and the two messages of the first
//! contact. The token authenticates both ends, so nothing is trusted on first use.

use std::fmt;
use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::ids::{Asn, Digest, DomainId, OrganisationId};
use crate::time::Timestamp;

const PREFIX: &str = "iog-join:";
const TOKEN_BYTES_MAX: usize = 8192;

/// Why a text is not a join token: whoever passed it on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinTokenError {
    /// Not the text form.
    #[error("the join token is not `iog-join:` and base64url, or it is cut")]
    Form,
    /// The inside is not what it should be.
    #[error("the join token is malformed: {0}")]
    Content(String),
}

/// The secret of a join token: 32 random bytes. `Debug` does not show them; the center stores their hash only.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinSecret([u8; 32]);

impl JoinSecret {
    /// A secret of random bytes.
    #[must_use]
    pub const fn from_bytes(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// What the center stores, and compares: SHA-256 under a label of its own.
    #[must_use]
    pub fn hash(&self) -> Digest {
        let mut labelled = b"iog-join-secret/v1\0".to_vec();
        labelled.extend_from_slice(&self.0);
        Digest::of(&labelled)
    }
}

impl fmt::Debug for JoinSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinSecret(<redacted>)")
    }
}

impl Serialize for JoinSecret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for JoinSecret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("the secret is not base64url of 32 bytes"))
    }
}

/// What an operator hands to a new domain. Whoever holds it can enroll as that domain, once, until it expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinToken {
    /// The id it will have.
    pub domain: DomainId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// DNS names and IP addresses for its certificate; the request for a certificate cannot add any.
    pub names: Vec<String>,
    /// Its autonomous systems.
    pub asns: Vec<Asn>,
    /// Where the center answers, `host:port`.
    pub center: String,
    /// The last moment at which it can be used.
    pub expires: Timestamp,
    /// The secret that proves possession.
    pub secret: JoinSecret,
    /// SHA-256 of the center's TLS subject public key, to authenticate the first contact.
    pub center_spki_sha256: Digest,
    /// The log's verifier key, as signed-note text.
    pub log_key: String,
    /// The digest of the genesis to pin.
    pub genesis: Digest,
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }
}

impl FromStr for JoinToken {
    type Err = JoinTokenError;

    fn from_str(text: &str) -> Result<Self, JoinTokenError> {
        let encoded = text.trim().strip_prefix(PREFIX).filter(|encoded| encoded.len() <= TOKEN_BYTES_MAX);
        let json = encoded.and_then(|encoded| URL_SAFE_NO_PAD.decode(encoded).ok()).ok_or(JoinTokenError::Form)?;
        serde_json::from_slice(&json).map_err(|error| JoinTokenError::Content(error.to_string()))
    }
}

/// What the new domain sends to the center.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The id in the join token.
    pub domain: DomainId,
    /// The secret in the join token.
    pub secret: JoinSecret,
    /// A certificate signing request in PEM. Only its key is used: names come from the join token.
    pub csr_pem: String,
    /// Base64 of the envelope of the domain's own `domain/v1`, signed by its caller key; others co-sign it later.
    pub statement: String,
}

/// What the center answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinAnswer {
    /// The leaf certificate and what leads from it to the authority, in PEM, leaf first.
    pub certificate_pem: String,
    /// The private authority's certificates, in PEM.
    pub authorities_pem: String,
    /// When to have renewed.
    pub not_after: Timestamp,
    /// The digest of the statement's payload that waits for co-signatures.
    pub statement: Digest,
    /// The log index of the domain's statement, once it is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> JoinToken {
        JoinToken {
            domain: "as64500".parse().unwrap(),
            organisation: "isp-a".parse().unwrap(),
            names: vec!["gw.isp-a.example".into(), "127.0.0.1".into()],
            asns: vec![Asn(64500)],
            center: "center.example:8443".into(),
            expires: Timestamp::from_unix(1_767_225_600),
            secret: JoinSecret::from_bytes([9; 32]),
            center_spki_sha256: Digest::of(b"spki"),
            log_key: "registry.iog.example/log+c4dcad08+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c".into(),
            genesis: Digest::of(b"genesis"),
        }
    }

    #[test]
    fn a_join_token_survives_copy_and_paste() {
        let text = token().to_string();
        assert!(text.starts_with(PREFIX) && text.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(format!("  {text}\n").parse::<JoinToken>().unwrap(), token());
    }

    #[test]
    fn cut_and_changed_tokens_are_refused() {
        let text = token().to_string();
        assert!(text[..text.len() - 4].parse::<JoinToken>().is_err());
        assert_eq!(text[4..].parse::<JoinToken>(), Err(JoinTokenError::Form));
        assert_eq!(format!("{PREFIX}{}", "A".repeat(9000)).parse::<JoinToken>(), Err(JoinTokenError::Form));
        let more = serde_json::to_string(&token()).unwrap().replacen('{', "{\"extra\":1,", 1);
        let more = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(more));
        assert!(matches!(more.parse::<JoinToken>(), Err(JoinTokenError::Content(_))));
    }

    #[test]
    fn the_secret_shows_in_no_debug_output_and_its_hash_is_labelled() {
        let shown = format!("{:?}", token());
        assert!(shown.contains("redacted") && !shown.contains(&URL_SAFE_NO_PAD.encode([9; 32])));
        assert_ne!(JoinSecret::from_bytes([9; 32]).hash(), Digest::of(&[9; 32]));
    }
}
