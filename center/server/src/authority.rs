//! Making the certificate authority that is to follow. Root names its key in a keyset; from then on members trust it, and once it is named
//! first the center issues with it.

use iog_protocol::{ids::Digest, time::Timestamp};
use iog_transport::ca::{Ca, Validity};

use crate::{
    config::CenterConfig,
    error::CenterError,
    home::{Home, authority_digest, load_authorities, store_authority},
};

/// The authorities whose keys a center holds, by the digests that a keyset names them with: the founding one, then the one that is to
/// follow, which is made where there is none. A running center uses it after its next start.
///
/// # Errors
/// [`CenterError`]: what the files answer.
pub fn next_authority(config: &CenterConfig, now: Timestamp) -> Result<Vec<Digest>, CenterError> {
    let home = Home::new(&config.data_dir);
    if load_authorities(&home)?.len() < 2 {
        let next = Ca::create(config.trust_domain.as_str(), Validity::authority(now.unix()))?;
        store_authority(&next, &home.key("ca-next"), &home.next_ca_certificate())?;
    }
    Ok(load_authorities(&home)?.iter().map(authority_digest).collect())
}
