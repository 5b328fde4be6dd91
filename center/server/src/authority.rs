//! Making the certificate authority that is to follow. Root names its key in a keyset; from then on members trust it, and once it is named
//! first the center issues with it.

use iog_protocol::{ids::Digest, time::Timestamp};
use iog_transport::ca::{Ca, Validity};

use crate::{
    config::CenterConfig,
    error::CenterError,
    home::{Home, authority_digest, load_authorities, store_authority},
};

/// An authority whose key a center holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldAuthority {
    /// What a keyset names it with.
    pub digest: Digest,
    /// What has become of it.
    pub standing: Standing,
}

/// What has become of an authority, as the center noted it when it last ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The keyset in force names it, or none has yet and it is the founding one.
    Named,
    /// It is to be named.
    Next,
    /// It was named and is no longer: nobody trusts it, and it may have been stolen. It is not to be named again.
    Retired,
}

/// The authorities whose keys a center holds: the founding one, then the one that is to follow, which is made where there is none. A
/// running center uses it after its next start.
///
/// # Errors
/// [`CenterError`]: what the files answer.
pub fn next_authority(config: &CenterConfig, now: Timestamp) -> Result<Vec<HeldAuthority>, CenterError> {
    let home = Home::new(&config.data_dir);
    if load_authorities(&home)?.len() < 2 {
        let next = Ca::create(config.trust_domain.as_str(), Validity::authority(now.unix()))?;
        store_authority(&next, &home.key("ca-next"), &home.next_ca_certificate())?;
    }
    let held: Vec<Digest> = load_authorities(&home)?.iter().map(authority_digest).collect();
    Ok(standings(&held, &home.noted_authorities()))
}

/// `held` has the founding authority first; `noted` is what of it the keyset in force names.
fn standings(held: &[Digest], noted: &[Digest]) -> Vec<HeldAuthority> {
    let standing = |(at, digest): (usize, &Digest)| {
        let standing = match (at == 0, noted.contains(digest)) {
            (_, true) => Standing::Named,
            (true, false) if noted.is_empty() => Standing::Named,
            (true, false) => Standing::Retired,
            (false, false) => Standing::Next,
        };
        HeldAuthority { digest: *digest, standing }
    };
    held.iter().enumerate().map(standing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_that_is_no_longer_named_is_retired() {
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let seen = |noted: &[Digest]| standings(&[old, new], noted).iter().map(|it| it.standing).collect::<Vec<_>>();
        assert_eq!(seen(&[]), [Standing::Named, Standing::Next], "no center has run here");
        assert_eq!(seen(&[old]), [Standing::Named, Standing::Next]);
        assert_eq!(seen(&[new, old]), [Standing::Named, Standing::Named]);
        assert_eq!(seen(&[new]), [Standing::Retired, Standing::Named]);
    }
}
