//! Access tokens (JWT, RFC 9068 profile): a membership credential bound to the client's certificate, checked offline. A token
//! admits to a gateway's door; who somebody is and what may run is decided by the registry, never by a token.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::ids::{DomainId, RequestId, TrustDomain};
use crate::keys::{PublicKey, SecretKey};
use crate::time::Timestamp;

/// How long a token is good if nobody asks for less, in hours.
pub const LIFETIME_DEFAULT_HOURS: i64 = 12;
/// The longest lifetime that is accepted, in hours.
pub const LIFETIME_MAX_HOURS: i64 = 24;
/// How far two clocks may differ, in seconds.
pub const LEEWAY_S: i64 = 30;

const TYPE: &str = "at+jwt";
const TOKEN_BYTES_MAX: usize = 4096;

/// Why a token is refused (the bearer's fault) or could not be issued (ours).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a JWT with the header and claims that are expected, or too long.
    #[error("the token is malformed")]
    Malformed,
    /// Another algorithm or type than EdDSA and `at+jwt`.
    #[error("the token's `{0}` header is not accepted")]
    Header(&'static str),
    /// Signed by none of the accepted keys.
    #[error("the token is not signed by a token key of the center")]
    Signature,
    /// Made by or for somebody else.
    #[error("the token's `{0}` claim is not the one expected")]
    Claim(&'static str),
    /// Used before its time.
    #[error("the token is not valid yet")]
    NotYet,
    /// Used after its time.
    #[error("the token has expired")]
    Expired,
    /// It would live longer than anybody accepts.
    #[error("the token's lifetime is more than 24 hours or not positive")]
    Lifetime,
    /// Presented over a connection with another certificate.
    #[error("the token is bound to another certificate")]
    Certificate,
    /// The signer failed.
    #[error("the token could not be signed")]
    Issue,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenClaims {
    /// The center that issued it.
    pub iss: String,
    /// The member: `spiffe://<trust domain>/domain/<id>`.
    pub sub: String,
    /// The trust domain: any gateway in it.
    pub aud: String,
    /// The OAuth client, which is the member's domain id.
    pub client_id: String,
    /// Issued at, POSIX seconds.
    pub iat: i64,
    /// Not before, POSIX seconds.
    pub nbf: i64,
    /// Expires at, POSIX seconds.
    pub exp: i64,
    /// A name of this token.
    pub jti: String,
    /// What it is bound to.
    pub cnf: Confirmation,
}

/// Proof of possession (RFC 8705, section 3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Base64url of the SHA-256 of the client's leaf certificate in DER.
    #[serde(rename = "x5t#S256")]
    pub x5t_s256: String,
}

/// What the center grants.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    /// The center's name as issuer.
    pub issuer: &'a str,
    /// The audience.
    pub trust_domain: &'a TrustDomain,
    /// To whom.
    pub domain: &'a DomainId,
    /// SHA-256 of the client's leaf certificate in DER.
    pub cert_sha256: &'a [u8; 32],
    /// When.
    pub now: Timestamp,
    /// For how long, in seconds; at most 24 hours.
    pub lifetime_s: i64,
    /// The token's name, from random bytes.
    pub id: &'a RequestId,
}

/// What a gateway expects of a token.
#[derive(Debug, Clone)]
pub struct Expected<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// The audience.
    pub audience: &'a TrustDomain,
    /// The moment.
    pub now: Timestamp,
    /// SHA-256 of the leaf certificate, in DER, of the connection.
    pub cert_sha256: &'a [u8; 32],
}

impl TokenClaims {
    /// The claims of a grant.
    #[must_use]
    pub fn new(grant: &Grant<'_>) -> Self {
        let now = grant.now.unix();
        Self {
            iss: grant.issuer.to_owned(),
            sub: grant.trust_domain.spiffe(grant.domain),
            aud: grant.trust_domain.to_string(),
            client_id: grant.domain.to_string(),
            iat: now,
            nbf: now,
            exp: now.saturating_add(grant.lifetime_s),
            jti: grant.id.to_string(),
            cnf: Confirmation { x5t_s256: URL_SAFE_NO_PAD.encode(grant.cert_sha256) },
        }
    }

    /// The member's id.
    ///
    /// # Errors
    /// [`TokenError::Claim`] if `sub` is not `spiffe://<aud>/domain/<client_id>`.
    pub fn domain(&self) -> Result<DomainId, TokenError> {
        let trust_domain: TrustDomain = self.aud.parse().map_err(|_| TokenError::Claim("aud"))?;
        let domain: DomainId = self.client_id.parse().map_err(|_| TokenError::Claim("client_id"))?;
        let named = trust_domain.domain_named(&self.sub).filter(|named| *named == domain);
        named.ok_or(TokenError::Claim("sub"))
    }

    fn check_lifetime(&self) -> Result<(), TokenError> {
        let longest = LIFETIME_MAX_HOURS * 3600;
        let lifetime = self.exp.checked_sub(self.iat.min(self.nbf)).ok_or(TokenError::Lifetime)?;
        if (1..=longest).contains(&lifetime) { Ok(()) } else { Err(TokenError::Lifetime) }
    }
}

/// Signs claims with a token key of the center.
///
/// # Errors
/// [`TokenError::Lifetime`] for more than 24 hours, [`TokenError::Issue`] if the signer fails.
pub fn issue(claims: &TokenClaims, key: &SecretKey) -> Result<String, TokenError> {
    claims.check_lifetime()?;
    let header = Header {
        typ: Some(TYPE.to_owned()),
        kid: Some(key.public().id().to_string()),
        ..Header::new(Algorithm::EdDSA)
    };
    let der = key.to_pkcs8_der().map_err(|_| TokenError::Issue)?;
    let signer = EncodingKey::from_ed_der(der.as_bytes());
    jsonwebtoken::encode(&header, claims, &signer).map_err(|_| TokenError::Issue)
}

/// Checks a token: type, algorithm, signature by one of `keys`, issuer, audience, time, lifetime, certificate, subject. The
/// algorithm is that of our keys; the header can only agree.
///
/// # Errors
/// [`TokenError`] naming the first thing that does not hold.
pub fn verify(token: &str, keys: &[PublicKey], expected: &Expected<'_>) -> Result<TokenClaims, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
    if header.alg != Algorithm::EdDSA {
        return Err(TokenError::Header("alg"));
    }
    if header.typ.as_deref() != Some(TYPE) {
        return Err(TokenError::Header("typ"));
    }
    let named = keys.iter().find(|key| Some(key.id().to_string()) == header.kid).ok_or(TokenError::Signature)?;
    let claims = verify_signature(token, named)?;
    check_claims(&claims, expected)?;
    Ok(claims)
}

fn verify_signature(token: &str, key: &PublicKey) -> Result<TokenClaims, TokenError> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    // The library would read the system's clock; times and names are checked below, against what the caller passes in.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let decoding = DecodingKey::from_ed_der(key.as_bytes());
    match jsonwebtoken::decode::<TokenClaims>(token, &decoding, &validation) {
        Ok(data) => Ok(data.claims),
        Err(error) if matches!(error.kind(), jsonwebtoken::errors::ErrorKind::InvalidSignature) => {
            Err(TokenError::Signature)
        }
        Err(_) => Err(TokenError::Malformed),
    }
}

fn check_claims(claims: &TokenClaims, expected: &Expected<'_>) -> Result<(), TokenError> {
    if claims.iss != expected.issuer {
        return Err(TokenError::Claim("iss"));
    }
    if claims.aud != expected.audience.as_str() {
        return Err(TokenError::Claim("aud"));
    }
    claims.domain()?;
    claims.check_lifetime()?;
    let now = expected.now.unix();
    if now >= claims.exp.saturating_add(LEEWAY_S) {
        return Err(TokenError::Expired);
    }
    if now < claims.nbf.saturating_sub(LEEWAY_S) || now < claims.iat.saturating_sub(LEEWAY_S) {
        return Err(TokenError::NotYet);
    }
    if claims.cnf.x5t_s256 != URL_SAFE_NO_PAD.encode(expected.cert_sha256) {
        return Err(TokenError::Certificate);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_225_600;
    const ISSUER: &str = "https://center.example";
    const CERT: [u8; 32] = [0xab; 32];

    fn key() -> SecretKey {
        SecretKey::from_seed([1; 32])
    }

    fn claims() -> TokenClaims {
        TokenClaims::new(&Grant {
            issuer: ISSUER,
            trust_domain: &"iog.example".parse().unwrap(),
            domain: &"as64500".parse().unwrap(),
            cert_sha256: &CERT,
            now: Timestamp::from_unix(NOW),
            lifetime_s: LIFETIME_DEFAULT_HOURS * 3600,
            id: &RequestId::from_bytes([7; 16]),
        })
    }

    fn check_at(token: &str, now: i64) -> Result<TokenClaims, TokenError> {
        let expected = Expected {
            issuer: ISSUER,
            audience: &"iog.example".parse().unwrap(),
            now: Timestamp::from_unix(now),
            cert_sha256: &CERT,
        };
        verify(token, &[SecretKey::from_seed([2; 32]).public(), key().public()], &expected)
    }

    fn check(token: &str) -> Result<TokenClaims, TokenError> {
        check_at(token, NOW)
    }

    /// A token with a header and claims of the attacker's choice, signed by the right key.
    fn forged(header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key().sign(signed.as_bytes())))
    }

    fn header(alg: &str, typ: &str) -> String {
        format!(r#"{{"typ":"{typ}","alg":"{alg}","kid":"{}"}}"#, key().public().id())
    }

    fn payload(claims: &TokenClaims) -> String {
        serde_json::to_string(claims).unwrap()
    }

    #[test]
    fn a_token_is_accepted_by_its_audience_until_it_expires() {
        let token = issue(&claims(), &key()).unwrap();
        assert_eq!(check(&token).unwrap(), claims());
        assert_eq!(claims().domain().unwrap().as_str(), "as64500");
        assert_eq!(claims().sub, "spiffe://iog.example/domain/as64500");
        let end = NOW + LIFETIME_DEFAULT_HOURS * 3600;
        assert!(check_at(&token, end + LEEWAY_S - 1).is_ok());
        assert_eq!(check_at(&token, end + LEEWAY_S), Err(TokenError::Expired));
        assert!(check_at(&token, NOW - LEEWAY_S).is_ok());
        assert_eq!(check_at(&token, NOW - LEEWAY_S - 1), Err(TokenError::NotYet));
    }

    #[test]
    fn our_own_signature_over_the_same_bytes_is_the_librarys() {
        let token = issue(&claims(), &key()).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(signature, URL_SAFE_NO_PAD.encode(key().sign(signed.as_bytes())));
    }

    #[test]
    fn no_other_algorithm_passes() {
        let good = payload(&claims());
        assert!(check(&forged(&header("EdDSA", TYPE), &good)).is_ok());
        let none = forged(&header("none", TYPE), &good);
        assert_eq!(check(&none), Err(TokenError::Malformed));
        let unsigned = format!("{}.", none.rsplit_once('.').unwrap().0);
        assert_eq!(check(&unsigned), Err(TokenError::Malformed));
        let header = Header {
            typ: Some(TYPE.into()),
            kid: Some(key().public().id().to_string()),
            ..Header::new(Algorithm::HS256)
        };
        for secret in [key().public().as_bytes().to_vec(), key().public().to_string().into_bytes()] {
            let confused = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
            assert_eq!(check(&confused), Err(TokenError::Header("alg")));
        }
    }

    #[test]
    fn other_types_and_keys_are_refused() {
        assert_eq!(check(&forged(&header("EdDSA", "JWT"), &payload(&claims()))), Err(TokenError::Header("typ")));
        assert_eq!(check(&issue(&claims(), &SecretKey::from_seed([3; 32])).unwrap()), Err(TokenError::Signature));
        let own = issue(&claims(), &key()).unwrap();
        let (head, rest) = own.split_once('.').unwrap();
        let other_key = forged(
            &header("EdDSA", TYPE)
                .replace(&key().public().id().to_string(), &SecretKey::from_seed([2; 32]).public().id().to_string()),
            &payload(&claims()),
        );
        assert_eq!(check(&other_key), Err(TokenError::Signature));
        let (body, signature) = rest.split_once('.').unwrap();
        let changed = URL_SAFE_NO_PAD.encode(payload(&claims()).replace("as64500", "as64501"));
        assert_eq!(check(&format!("{head}.{changed}.{signature}")), Err(TokenError::Signature));
        assert_eq!(check(&format!("{head}.{body}")), Err(TokenError::Malformed));
        assert_eq!(check(&"x".repeat(5000)), Err(TokenError::Malformed));
    }

    #[test]
    fn every_claim_must_be_the_expected_one() {
        let with = |change: fn(&mut TokenClaims)| {
            let mut claims = claims();
            change(&mut claims);
            check(&forged(&header("EdDSA", TYPE), &payload(&claims)))
        };
        assert_eq!(with(|c| c.iss = "https://other.example".into()), Err(TokenError::Claim("iss")));
        assert_eq!(with(|c| c.aud = "other.example".into()), Err(TokenError::Claim("aud")));
        assert_eq!(with(|c| c.sub = "spiffe://iog.example/domain/as64501".into()), Err(TokenError::Claim("sub")));
        assert_eq!(with(|c| c.cnf.x5t_s256 = URL_SAFE_NO_PAD.encode([1; 32])), Err(TokenError::Certificate));
        assert_eq!(with(|c| c.exp = NOW + 24 * 3600 + 1), Err(TokenError::Lifetime));
        assert_eq!(with(|c| c.nbf -= 13 * 3600), Err(TokenError::Lifetime));
        assert_eq!(with(|c| c.exp = NOW), Err(TokenError::Lifetime));
        let many = payload(&claims()).replace("\"iog.example\"", "[\"iog.example\",\"x\"]");
        assert_eq!(check(&forged(&header("EdDSA", TYPE), &many)), Err(TokenError::Malformed));
    }

    #[test]
    fn nothing_longer_than_a_day_is_issued() {
        let long = TokenClaims { exp: NOW + 25 * 3600, ..claims() };
        assert_eq!(issue(&long, &key()), Err(TokenError::Lifetime));
    }
}
