//! Names and numbers that identify things: domains, organisations, modules, digests, keys, requests.
//! Every type has a private field and one parser, so a value that exists is well formed. Nothing here looks anything up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// The longest label (domain id, organisation, slot …), in bytes.
pub const LABEL_BYTES_MAX: usize = 63;

/// Why a text is not the identifier it was read as: the writer's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a valid {kind}: expected {rule}")]
pub struct IdError {
    /// What was expected, in words ("domain id").
    pub kind: &'static str,
    /// The offending text, shortened to 80 characters, control characters escaped.
    pub value: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl IdError {
    pub(crate) fn new(kind: &'static str, value: &str, rule: &'static str) -> Self {
        let value = value.chars().take(80).flat_map(char::escape_default).collect();
        Self { kind, value, rule }
    }
}

fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else { return false };
    bytes.len() <= LABEL_BYTES_MAX
        && (first.is_ascii_lowercase() || first.is_ascii_digit())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

fn is_kebab(text: &str) -> bool {
    let starts_with_letter = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    starts_with_letter && is_label(text) && text.split('-').all(|word| !word.is_empty())
}

fn is_slot(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else { return false };
    bytes.len() <= LABEL_BYTES_MAX
        && first.is_ascii_lowercase()
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_')
}

fn is_dataset(text: &str) -> bool {
    let plain = text.replace('_', "-");
    is_label(&plain)
}

fn is_trust_domain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| is_label(label) && !label.ends_with('-') && !label.starts_with('-'))
}

fn is_request(text: &str) -> bool {
    text.len() == 32 && is_lower_hex(text)
}

fn is_module_name(text: &str) -> bool {
    text.split_once('/').is_some_and(|(namespace, name)| is_label(namespace) && is_label(name))
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:path, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if $check(text) { Ok(Self(text.to_owned())) } else { Err(IdError::new($kind, text, $rule)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        text_serde!($name);
    };
}

/// Serialises a type as its `Display` text and reads it with its `FromStr`.
macro_rules! text_serde {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}
pub(crate) use text_serde;

text_id!(
    /// A member domain, for example `as64500`.
    DomainId,
    "domain id",
    is_label,
    "1 to 63 of a-z, 0-9 and `-`, not starting with `-`"
);
text_id!(
    /// An organisation: the unit that has one vote, whatever number of domains, auditors or publishers it runs.
    OrganisationId,
    "organisation id",
    is_label,
    "1 to 63 of a-z, 0-9 and `-`, not starting with `-`"
);
text_id!(
    /// A service that a domain offers: a module with that domain's datasets bound to it.
    ServiceName,
    "service name",
    is_label,
    "1 to 63 of a-z, 0-9 and `-`, not starting with `-`"
);
text_id!(
    /// A module's name, `namespace/name`; the namespace belongs to one publisher.
    ModuleName,
    "module name",
    is_module_name,
    "`namespace/name`, each 1 to 63 of a-z, 0-9 and `-`"
);
text_id!(
    /// A typed function that a module exports, in WIT's kebab-case.
    EntryName,
    "entry name",
    is_kebab,
    "kebab-case words of a-z and 0-9, starting with a letter, at most 63 bytes"
);
text_id!(
    /// A dataset of a provider.
    DatasetName,
    "dataset name",
    is_dataset,
    "1 to 63 of a-z, 0-9, `-` and `_`, starting with a letter or digit"
);
text_id!(
    /// A dataset slot of a manifest, to which a provider binds one of its datasets. It is also the table name in SQL.
    SlotName,
    "slot name",
    is_slot,
    "1 to 63 of a-z, 0-9 and `_`, starting with a letter"
);
text_id!(
    /// One run request: 16 random bytes in hexadecimal; the idempotency key of the run.
    RequestId,
    "request id",
    is_request,
    "32 lower-case hexadecimal digits"
);
text_id!(
    /// The name of one registry with everything that trusts it, written like a DNS name and never resolved.
    TrustDomain,
    "trust domain",
    is_trust_domain,
    "lower-case labels joined by dots, at most 253 bytes"
);

impl ModuleName {
    /// The part before the slash.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// The part after the slash.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

impl RequestId {
    /// Names a request by 16 bytes that the caller drew at random.
    #[must_use]
    pub fn from_bytes(random: [u8; 16]) -> Self {
        Self(hex::encode(random))
    }
}

impl TrustDomain {
    /// True for `demo.invalid`, whose root keys are made on the spot; every command but the demo refuses it.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.0 == "demo.invalid"
    }
}

/// A module's version, as Semantic Versioning 2.0 orders them; at most 64 bytes of text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleVersion(semver::Version);

impl ModuleVersion {
    /// The parsed version.
    #[must_use]
    pub fn semver(&self) -> &semver::Version {
        &self.0
    }
}

impl FromStr for ModuleVersion {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::new("module version", text, "a semantic version such as `1.0.0`, at most 64 bytes");
        if text.len() > 64 {
            return Err(error());
        }
        semver::Version::parse(text).map(Self).map_err(|_| error())
    }
}

impl fmt::Display for ModuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_serde!(ModuleVersion);

/// A SHA-256 digest, written `sha256:<64 hex digits>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest that was computed elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 lower-case hexadecimal digits, without the `sha256:` prefix.
    ///
    /// # Errors
    /// [`IdError`] if the text is anything else.
    pub fn from_hex(text: &str) -> Result<Self, IdError> {
        read_hex32(text).map(Self).ok_or_else(|| IdError::new("digest", text, "64 lower-case hexadecimal digits"))
    }

    /// The 64 hexadecimal digits, without prefix.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = text.strip_prefix("sha256:").and_then(read_hex32);
        bytes.map(Self).ok_or_else(|| IdError::new("digest", text, "`sha256:` and 64 lower-case hexadecimal digits"))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_serde!(Digest);

/// The name of a public key: the SHA-256 of its 32 raw bytes, in hexadecimal. A hint, never a proof.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// The id of a raw Ed25519 public key.
    #[must_use]
    pub fn of(public_key: &[u8; 32]) -> Self {
        Self(Sha256::digest(public_key).into())
    }
}

impl FromStr for KeyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        read_hex32(text).map(Self).ok_or_else(|| IdError::new("key id", text, "64 lower-case hexadecimal digits"))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_serde!(KeyId);

fn read_hex32(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !is_lower_hex(text) {
        return None;
    }
    hex::decode(text).ok()?.try_into().ok()
}

/// An autonomous system number (RFC 6793), a plain number in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asn(pub u32);

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Asn {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix("AS").unwrap_or(text);
        let canonical = digits == "0" || !digits.starts_with(['0', '+']);
        let number = if canonical { digits.parse().ok() } else { None };
        number
            .map(Self)
            .ok_or_else(|| IdError::new("AS number", text, "a number from 0 to 4294967295, with or without `AS`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_ids_accept_the_documented_syntax_only() {
        for good in ["a", "as64500", "9-x", &"a".repeat(63)] {
            assert_eq!(good.parse::<DomainId>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "A", "a.b", "a_b", "ä", "a\n", &"a".repeat(64)] {
            assert!(bad.parse::<DomainId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn module_names_have_exactly_two_parts() {
        let name: ModuleName = "iog/ip-traceback".parse().unwrap();
        assert_eq!((name.namespace(), name.name()), ("iog", "ip-traceback"));
        for bad in ["iog", "iog/", "/x", "a/b/c", "A/b", "a/b@1"] {
            assert!(bad.parse::<ModuleName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn entry_names_are_kebab_case() {
        assert!("trace-back2".parse::<EntryName>().is_ok());
        for bad in ["2x", "a--b", "a-", "-a", "aB", "a_b", ""] {
            assert!(bad.parse::<EntryName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn slots_are_sql_identifiers_and_datasets_may_have_hyphens() {
        assert!("flows_2".parse::<SlotName>().is_ok());
        assert!("flows-2".parse::<SlotName>().is_err());
        assert!("border-flows_2".parse::<DatasetName>().is_ok());
        assert!("_x".parse::<DatasetName>().is_err());
    }

    #[test]
    fn trust_domains_look_like_dns_names() {
        assert!("demo.invalid".parse::<TrustDomain>().unwrap().is_demo());
        assert!(!"iog.example".parse::<TrustDomain>().unwrap().is_demo());
        for bad in ["", ".", "a..b", "a.", "A.b", "a-.b", "a/b"] {
            assert!(bad.parse::<TrustDomain>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn digests_round_trip_and_refuse_other_spellings() {
        let digest = Digest::of(b"abc");
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse::<Digest>().unwrap(), digest);
        assert_eq!(serde_json::to_string(&digest).unwrap(), format!("\"{text}\""));
        for bad in [&text[7..], &text.to_uppercase(), &text[..70], "sha256:", &format!("{text}0")] {
            assert!(bad.parse::<Digest>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn versions_order_as_semver_does() {
        let old: ModuleVersion = "1.9.0".parse().unwrap();
        let new: ModuleVersion = "1.10.0-rc.1".parse().unwrap();
        assert!(old < new);
        assert!("1.0".parse::<ModuleVersion>().is_err());
    }

    #[test]
    fn as_numbers_have_one_spelling() {
        assert_eq!("AS64500".parse::<Asn>().unwrap(), Asn(64500));
        for bad in ["", "AS", "-1", "+1", "007", "4294967296", "as1"] {
            assert!(bad.parse::<Asn>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_names_the_object_and_bounds_it() {
        let error = format!("bad\n{}", "x".repeat(1000)).parse::<DomainId>().unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("`bad\\n") && text.len() < 250, "{text}");
    }
}
