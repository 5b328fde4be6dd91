//! The next `keyset/v1`: made from the one in force by naming what changes, shown as lines to every root holder who is to
//! sign it, and judged by the registry's own rules beforehand.

use iog_protocol::dsse::Envelope;
use iog_protocol::ids::{Digest, OrganisationId};
use iog_protocol::keys::PublicKey;
use iog_protocol::registry::{Flaw, Invalid, Registry};
use iog_protocol::statements::{Auditor, Keyset, Publisher};
use iog_protocol::time::Timestamp;

/// What root holders decided to change. What is not named stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysetDecision {
    /// Auditors who leave, by id.
    pub remove_auditors: Vec<String>,
    /// Auditors who come, or whose key is another.
    pub add_auditors: Vec<Auditor>,
    /// Publishers who leave, by namespace.
    pub remove_publishers: Vec<String>,
    /// Publishers who come, or keys that are added to one.
    pub add_publishers: Vec<Publisher>,
    /// The center's approval keys, where they change.
    pub approval: Vec<PublicKey>,
    /// The center's token keys, where they change.
    pub token: Vec<PublicKey>,
    /// The center's certificate authorities, where they change: all of them, the one that issues first.
    pub authorities: Vec<Digest>,
    /// When the new keyset ends.
    pub expires: Timestamp,
}

/// A decision that does not fit the keyset in force; whoever decided looks again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysetError {
    /// Nobody to remove.
    #[error("there is no auditor `{id}` in the keyset in force")]
    NoAuditor {
        /// The id.
        id: String,
    },
    /// Nobody to remove.
    #[error("there is no publisher `{namespace}` in the keyset in force")]
    NoPublisher {
        /// The namespace.
        namespace: String,
    },
    /// A namespace belongs to one organisation.
    #[error("`{namespace}` is of `{organisation}`")]
    OtherOrganisation {
        /// The namespace.
        namespace: String,
        /// Whose it is.
        organisation: OrganisationId,
    },
}

impl KeysetDecision {
    /// The keyset after `current`, one version later. A new root is a ceremony of its own: the root of before stays.
    ///
    /// # Errors
    /// [`KeysetError`].
    pub fn after(&self, current: &Keyset) -> Result<Keyset, KeysetError> {
        let mut next = current.clone();
        next.version += 1;
        next.expires = self.expires;
        next.root = None;
        self.change_auditors(&mut next.auditors)?;
        self.change_publishers(&mut next.publishers)?;
        for (keys, role) in [(&self.approval, &mut next.approval), (&self.token, &mut next.token)] {
            if !keys.is_empty() {
                role.clone_from(keys);
            }
        }
        if !self.authorities.is_empty() {
            next.ca_spki_sha256.clone_from(&self.authorities);
        }
        Ok(next)
    }

    fn change_auditors(&self, auditors: &mut Vec<Auditor>) -> Result<(), KeysetError> {
        for id in &self.remove_auditors {
            let before = auditors.len();
            auditors.retain(|auditor| auditor.id != *id);
            if auditors.len() == before {
                return Err(KeysetError::NoAuditor { id: id.clone() });
            }
        }
        for new in &self.add_auditors {
            auditors.retain(|auditor| auditor.id != new.id);
            auditors.push(new.clone());
        }
        Ok(())
    }

    fn change_publishers(&self, publishers: &mut Vec<Publisher>) -> Result<(), KeysetError> {
        for namespace in &self.remove_publishers {
            let before = publishers.len();
            publishers.retain(|publisher| publisher.namespace != *namespace);
            if publishers.len() == before {
                return Err(KeysetError::NoPublisher { namespace: namespace.clone() });
            }
        }
        for new in &self.add_publishers {
            match publishers.iter_mut().find(|publisher| publisher.namespace == new.namespace) {
                None => publishers.push(new.clone()),
                Some(known) if known.organisation != new.organisation => {
                    let (namespace, organisation) = (new.namespace.clone(), known.organisation.clone());
                    return Err(KeysetError::OtherOrganisation { namespace, organisation });
                }
                Some(known) => known.keys.extend(new.keys.iter().copied()),
            }
        }
        Ok(())
    }
}

/// What differs, a line each.
#[must_use]
pub fn changes(old: &Keyset, new: &Keyset) -> Vec<String> {
    let mut lines = vec![format!("ends {} (before: {})", new.expires, old.expires)];
    for (before, after) in [auditors, publishers, online].map(|list| (list(old), list(new))) {
        lines.extend(before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}")));
        lines.extend(after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}")));
    }
    if old.ca_spki_sha256.first() != new.ca_spki_sha256.first()
        && let Some(first) = new.ca_spki_sha256.first()
    {
        lines.push(format!("+ authority {first} issues from now on"));
    }
    if let Some(root) = &new.root {
        lines.push(format!("+ A NEW ROOT of {} keys, threshold {}", root.keys.len(), root.threshold));
        lines.extend(root.keys.iter().map(|key| format!("+ root key {key}")));
    }
    if let Some(version) = new.min_rules_version {
        lines.push(format!("+ READERS MUST KNOW the rules of version {version}"));
    }
    let required = new.required_families.iter().filter(|family| !old.required_families.contains(family));
    lines.extend(required.map(|r| format!("+ READERS MUST KNOW the family {}, version {}", r.family, r.version)));
    lines
}

fn auditors(set: &Keyset) -> Vec<String> {
    set.auditors.iter().map(|a| format!("auditor {} of {}  {}", a.id, a.organisation, a.key)).collect()
}

fn publishers(set: &Keyset) -> Vec<String> {
    let keys = |p: &Publisher| -> Vec<String> {
        p.keys.iter().map(|key| format!("publisher {} of {}  {key}", p.namespace, p.organisation)).collect()
    };
    set.publishers.iter().flat_map(keys).collect()
}

fn online(set: &Keyset) -> Vec<String> {
    let approval = set.approval.iter().map(|key| format!("approval key {key}"));
    let token = set.token.iter().map(|key| format!("token key {key}"));
    let authority = set.ca_spki_sha256.iter().map(|digest| format!("authority {digest}"));
    approval.chain(token).chain(authority).collect()
}

/// How far the signing of a keyset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signing {
    /// Root holders who signed.
    pub signatures: u64,
    /// Root holders who are still needed.
    pub missing: u64,
}

/// The registry would refuse the keyset for something else than missing signatures; whoever made it.
#[derive(Debug, thiserror::Error)]
#[error("the registry would not take this keyset; not signed")]
pub struct WouldNotTake(#[source] Invalid);

/// Asks the registry's own rules about a keyset as it is signed so far.
///
/// # Errors
/// [`WouldNotTake`].
pub fn signing(registry: &Registry, envelope: &Envelope) -> Result<Signing, WouldNotTake> {
    let signatures = envelope.signers_among(&registry.root().keys).len() as u64;
    let Err(invalid) = registry.check(&envelope.to_json()) else { return Ok(Signing { signatures, missing: 0 }) };
    match invalid.flaw() {
        Some(Flaw::TooFewSigners { needed, found, .. }) => Ok(Signing { signatures: *found, missing: needed - found }),
        _ => Err(WouldNotTake(invalid)),
    }
}
