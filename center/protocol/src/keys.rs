//! Ed25519 keys: the one signature algorithm of the registry, of requests and of receipts.
//! Keys are made from bytes passed in; randomness, files and passphrases belong to the callers.

use std::fmt;
use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ids::{IdError, KeyId, text_serde};

const PREFIX: &str = "ed25519:";

/// An Ed25519 public key (RFC 8032), written `ed25519:<base64 of the 32 bytes>`.
///
/// Keys of small order are refused when read, so no signature verifies under two messages by accident.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads 32 raw bytes.
    ///
    /// # Errors
    /// [`IdError`] if they are not a point of the curve, or one of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, IdError> {
        let key = VerifyingKey::from_bytes(bytes).ok().filter(|key| !key.is_weak());
        key.map(Self)
            .ok_or_else(|| IdError::new("public key", &STANDARD.encode(bytes), "an Ed25519 point of full order"))
    }

    /// The 32 raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key's name in signatures: the SHA-256 of its raw bytes.
    #[must_use]
    pub fn id(&self) -> KeyId {
        #[cfg(test)]
        crate::registry::shared_map::work::add(1);
        KeyId::of(self.as_bytes())
    }

    /// The key in the form that `iog-tlog` takes.
    #[must_use]
    pub fn ed25519(&self) -> &VerifyingKey {
        &self.0
    }

    /// The key as a signed-note verifier key (type 0x01) under `name`, which for a log is its origin.
    ///
    /// # Errors
    /// [`iog_tlog::KeyError`] if the name does not fit a note.
    pub fn vkey(&self, name: &str) -> Result<iog_tlog::VerifierKey, iog_tlog::KeyError> {
        iog_tlog::VerifierKey::ed25519(name, &self.0)
    }

    /// True if `signature` is this key's over exactly `message`, by the strict rules (no malleable or small-order form).
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::new("public key", text, "`ed25519:` and the base64 of 32 bytes");
        let encoded = text.strip_prefix(PREFIX).filter(|encoded| encoded.len() == 44).ok_or_else(error)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| error())?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| error())?;
        Self::from_bytes(&bytes)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

text_serde!(PublicKey);

/// Why a private key could not be read or written: the key file's fault. The key itself never appears in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not an unencrypted PKCS#8 PEM block with an Ed25519 key, or its public half does not fit.
    #[error("the private key is not an ed25519 key in unencrypted PKCS#8 PEM form")]
    NotPkcs8Ed25519,
    /// The key could not be encoded.
    #[error("the private key could not be encoded as PKCS#8")]
    Encode,
}

/// An Ed25519 private key. `Debug` shows its public half only; the memory is zeroed on drop.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key of a 32-byte seed (RFC 8032, section 5.1.5). The seed must come from a secure random source.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// Reads an unencrypted PKCS#8 PEM block.
    ///
    /// # Errors
    /// [`KeyError::NotPkcs8Ed25519`] if it is anything else.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyError> {
        SigningKey::from_pkcs8_pem(pem).map(Self).map_err(|_| KeyError::NotPkcs8Ed25519)
    }

    /// The key as an unencrypted PKCS#8 PEM block, in memory that is zeroed on drop.
    ///
    /// # Errors
    /// [`KeyError::Encode`] if the encoder fails, which no key of this type is known to cause.
    pub fn to_pkcs8_pem(&self) -> Result<pkcs8::der::zeroize::Zeroizing<String>, KeyError> {
        self.0.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Encode)
    }

    /// The key as PKCS#8 DER, for libraries that take it so.
    pub(crate) fn to_pkcs8_der(&self) -> Result<pkcs8::SecretDocument, KeyError> {
        self.0.to_pkcs8_der().map_err(|_| KeyError::Encode)
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs exactly `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// The key in the form that `iog-tlog`'s note signer takes.
    #[must_use]
    pub fn ed25519(&self) -> &SigningKey {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(<redacted>, public {})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 2: a seed, its public key and the signature of one byte.
    #[test]
    fn rfc8032_vector() {
        let seed = hex::decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        let key = SecretKey::from_seed(seed.try_into().unwrap());
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(hex::encode(key.public().as_bytes()), public);
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(hex::encode(key.sign(&[0x72])), signature);
        assert!(key.public().verify(&[0x72], &key.sign(&[0x72])));
        assert!(!key.public().verify(&[0x73], &key.sign(&[0x72])));
    }

    #[test]
    fn verifier_keys_are_those_of_the_reference_vectors() {
        let log = SecretKey::from_seed([1; 32]).public().vkey("registry.iog.example/log").unwrap();
        assert_eq!(log.to_string(), "registry.iog.example/log+c4dcad08+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c");
        assert!(SecretKey::from_seed([1; 32]).public().vkey("a b").is_err());
    }

    #[test]
    fn public_keys_round_trip_and_weak_ones_are_refused() {
        let public = SecretKey::from_seed([7; 32]).public();
        assert_eq!(public.to_string().parse::<PublicKey>().unwrap(), public);
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(PublicKey::from_bytes(&identity).is_err());
        assert!(public.to_string().replace("ed25519", "ed448").parse::<PublicKey>().is_err());
        assert!(format!("{public}=").parse::<PublicKey>().is_err());
    }

    #[test]
    fn secret_keys_round_trip_and_stay_out_of_debug() {
        let key = SecretKey::from_seed([9; 32]);
        let pem = key.to_pkcs8_pem().unwrap();
        assert_eq!(SecretKey::from_pkcs8_pem(&pem).unwrap().public(), key.public());
        assert_eq!(SecretKey::from_pkcs8_pem("no").unwrap_err(), KeyError::NotPkcs8Ed25519);
        let shown = format!("{key:?}");
        assert!(shown.contains("redacted") && !shown.contains(&hex::encode([9; 32])));
        assert!(!shown.contains(&STANDARD.encode([9; 32])));
    }
}
