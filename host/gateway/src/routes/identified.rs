//! Who asks: what every handler that is not public takes as an argument. Certificate and token are looked at before anything
//! is read of a body, so that strangers do not get to fill the memory.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use http::{HeaderMap, header};
use iog_transport::PeerIdentity;

use super::problem::Refused;
use crate::identity::{Shown, identify};
use crate::policy::Caller;
use crate::vantage::Vantage;

/// The caller, by certificate, token and registry, with what showed it.
#[derive(Debug)]
pub(super) struct Identified {
    pub(super) caller: Caller,
    pub(super) shown: Shown,
}

impl<S> FromRequestParts<S> for Identified
where
    S: Send + Sync,
    Arc<Vantage>: FromRef<S>,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let here = Arc::<Vantage>::from_ref(state).here();
        let peer = parts.extensions.get::<PeerIdentity>().cloned();
        let shown = Shown { peer, token: bearer(&parts.headers).map(str::to_owned) };
        Ok(Self { caller: identify(&shown, &here)?, shown })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_tokens_count() {
        let headers = |value: &'static str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        assert_eq!(bearer(&headers("Bearer abc")), Some("abc"));
        assert_eq!(bearer(&headers("bearer  abc")), Some("abc"));
        assert_eq!(bearer(&headers("Basic abc")), None);
        assert_eq!(bearer(&headers("abc")), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
