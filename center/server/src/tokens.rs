//! Who gets an access token: the domain in the client's certificate, if it is a member in force. Pure.

use axum::{extract::Query, http::Uri};
use iog_protocol::{
    ids::RequestId,
    keys::SecretKey,
    registry::Registry,
    time::Timestamp,
    token::{Grant, TokenClaims, issue},
};
use iog_transport::PeerIdentity;
use serde::Serialize;

/// An error as RFC 6749 §5.2 wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OauthError {
    pub(crate) error: &'static str,
    pub(crate) error_description: String,
}

impl OauthError {
    fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { error, error_description: description.into() }
    }

    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    pub(crate) fn no_certificate() -> Self {
        Self::new("invalid_client", "a client certificate of a member is needed")
    }

    /// 401 for a client that is not who it should be, 400 for anything else.
    pub(crate) fn status(&self) -> u16 {
        if self.error == "invalid_client" { 401 } else { 400 }
    }
}

/// A request for a token.
pub(crate) struct Asked<'a> {
    pub(crate) form: &'a [u8],
    pub(crate) certificate: &'a PeerIdentity,
    pub(crate) id: &'a RequestId,
    pub(crate) now: Timestamp,
}

/// Signs access tokens.
pub(crate) struct TokenIssuer {
    pub(crate) key: SecretKey,
    pub(crate) lifetime_s: i64,
}

impl TokenIssuer {
    /// The token, signed.
    pub(crate) fn grant(&self, asked: &Asked<'_>, registry: &Registry) -> Result<String, OauthError> {
        let form = Form::parse(asked.form)?;
        if form.grant_type != "client_credentials" {
            return Err(OauthError::new("unsupported_grant_type", "only `client_credentials` is supported"));
        }
        let trust_domain = &registry.founding().trust_domain;
        let certificate = asked.certificate;
        let named = certificate.spiffe.as_deref().and_then(|spiffe| trust_domain.domain_named(spiffe));
        let domain = named.ok_or_else(OauthError::no_certificate)?;
        if form.client_id.is_some_and(|client_id| client_id != domain.as_str()) {
            return Err(OauthError::new(
                "invalid_client",
                format!("`client_id` is not `{domain}`, as the certificate says"),
            ));
        }
        if registry.domain(&domain, asked.now).is_none() {
            let description = format!("domain `{domain}` is not a member in force");
            return Err(OauthError::new("unauthorized_client", description));
        }
        let issuer = trust_domain.center_spiffe();
        let claims = TokenClaims::new(&Grant {
            issuer: &issuer,
            trust_domain,
            domain: &domain,
            cert_sha256: &certificate.leaf_sha256,
            now: asked.now,
            lifetime_s: self.lifetime_s,
            id: asked.id,
        });
        issue(&claims, &self.key).map_err(|error| OauthError::new("server_error", error.to_string()))
    }
}

struct Form {
    grant_type: String,
    client_id: Option<String>,
}

impl Form {
    /// Parameters may come once each; unknown ones are ignored (RFC 6749 §3.2).
    fn parse(bytes: &[u8]) -> Result<Self, OauthError> {
        let malformed = || OauthError::invalid_request("the form is malformed");
        let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
        let uri: Uri = format!("/?{text}").parse().map_err(|_| malformed())?;
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| malformed())?;
        let once = |name: &str| {
            let mut values = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone());
            match (values.next(), values.next()) {
                (_, Some(_)) => Err(OauthError::invalid_request(format!("`{name}` is given twice"))),
                (value, None) => Ok(value),
            }
        };
        let grant_type = once("grant_type")?.ok_or_else(|| OauthError::invalid_request("`grant_type` is missing"))?;
        Ok(Self { grant_type, client_id: once("client_id")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_strictly() {
        let error = |text: &str| Form::parse(text.as_bytes()).err().map(|error| error.error_description);
        assert_eq!(error("grant_type=client_credentials&scope=x"), None);
        assert_eq!(error("grant_type=a&grant_type=a").unwrap(), "`grant_type` is given twice");
        assert_eq!(error("client_id=a").unwrap(), "`grant_type` is missing");
        assert!(error("grant_type=\u{0}").is_some());
        let form = Form::parse(b"grant_type=client%5Fcredentials&client_id=as1").unwrap();
        assert_eq!((form.grant_type.as_str(), form.client_id.as_deref()), ("client_credentials", Some("as1")));
    }
}
