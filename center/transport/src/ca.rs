//! The private certificate authority of a trust domain, and the signing requests its members send. The authority sets every name and
//! usage itself: of a request only the public key is taken. Times are passed in; key material and serial numbers come from the
//! TLS library's random source.

use std::{net::IpAddr, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType,
    SerialNumber, string::Ia5String,
};
use sha2::{Digest, Sha256};

use crate::{error::TransportError, peer::PeerIdentity, tls::provider};

/// The largest signing request accepted, in bytes of PEM.
pub const CSR_BYTES_MAX: usize = 16 * 1024;
/// How long a leaf lives by default, in seconds (72 h).
pub const LEAF_SECONDS: i64 = 72 * 3600;
/// How long an authority's own certificate lives by default, in seconds (ten years).
pub const CA_SECONDS: i64 = 3650 * 86_400;

/// From when to when a certificate is valid, POSIX seconds, both at or after the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First valid second.
    pub not_before: i64,
    /// Last valid second.
    pub not_after: i64,
}

impl Validity {
    /// A leaf of the default length that is valid from five minutes before `now`, so that clocks may differ a little.
    #[must_use]
    pub const fn leaf(now: i64) -> Self {
        Self { not_before: now - 300, not_after: now + LEAF_SECONDS }
    }

    /// An authority's certificate of the default length.
    #[must_use]
    pub const fn authority(now: i64) -> Self {
        Self { not_before: now - 300, not_after: now + CA_SECONDS }
    }
}

/// The names of a leaf. They come from the authority's records, never from a signing request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubjectNames {
    /// `spiffe://<trust-domain>/domain/<id>`.
    pub spiffe_uri: String,
    /// DNS names under which the holder serves.
    pub dns: Vec<String>,
    /// IP addresses under which the holder serves.
    pub ips: Vec<IpAddr>,
}

/// A private key and its certificate chain, both PEM, chain leaf first and the authority's certificate last.
#[derive(Clone)]
pub struct Issued {
    /// Leaf and authority certificate.
    pub chain_pem: String,
    /// PKCS#8 private key of the leaf.
    pub key_pem: String,
}

/// A certificate authority: ECDSA P-256, one level.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    spki_sha256: [u8; 32],
}

impl Ca {
    /// Creates an authority with a new key for `trust_domain`.
    ///
    /// # Errors
    /// [`TransportError::Ca`] if the key or the certificate cannot be made.
    pub fn create(trust_domain: &str, validity: Validity) -> Result<Self, TransportError> {
        let key = new_key()?;
        let mut params = CertificateParams::default();
        // The key's hash in the name tells two authorities of one trust domain apart, so that paths are built without guessing.
        let spki: [u8; 32] = Sha256::digest(key.subject_public_key_info()).into();
        let mark: String = spki.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        params.distinguished_name = common_name(&format!("{trust_domain} certificate authority {mark}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, validity);
        params.serial_number = Some(serial()?);
        let certificate_pem = params.self_signed(&key).map_err(ca_failed)?.pem();
        Self::load(&certificate_pem, &key.serialize_pem())
    }

    /// Loads an authority from its certificate and PKCS#8 key.
    ///
    /// # Errors
    /// [`TransportError::Pem`] if either is malformed or they do not belong together.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, TransportError> {
        let wrong = || TransportError::Pem { object: "certificate authority", expected: "a certificate and its key" };
        let key = KeyPair::from_pem(key_pem).map_err(|_| wrong())?;
        let own_spki = Sha256::digest(key.subject_public_key_info());
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key).map_err(|_| wrong())?;
        let identity = PeerIdentity::from_pem(certificate_pem).ok_or_else(wrong)?;
        if identity.spki_sha256[..] != own_spki[..] {
            return Err(wrong());
        }
        Ok(Self { issuer, certificate_pem: certificate_pem.to_owned(), spki_sha256: identity.spki_sha256 })
    }

    /// The authority's own certificate: what members trust.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The authority's private key (PKCS#8 PEM), for its key file only.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// SHA-256 of the authority's SubjectPublicKeyInfo: what a join token pins and a keyset names.
    #[must_use]
    pub const fn spki_sha256(&self) -> [u8; 32] {
        self.spki_sha256
    }

    /// Issues a leaf for the public key of a signing request; everything else in the request is ignored. Returns the chain.
    ///
    /// # Errors
    /// [`TransportError::Csr`] for a malformed request or one whose key is not P-256, [`TransportError::Name`],
    /// [`TransportError::Ca`].
    pub fn issue(&self, csr_pem: &str, names: &SubjectNames, validity: Validity) -> Result<String, TransportError> {
        if csr_pem.len() > CSR_BYTES_MAX {
            return Err(TransportError::Csr { reason: "it is too large" });
        }
        let mut csr = CertificateSigningRequestParams::from_pem(csr_pem)
            .map_err(|_| TransportError::Csr { reason: "it is malformed, or its signature does not verify" })?;
        if csr.public_key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(TransportError::Csr { reason: "its key is not ECDSA P-256" });
        }
        csr.params = leaf_params(names, validity)?;
        let leaf = csr.signed_by(&self.issuer).map_err(ca_failed)?.pem();
        Ok(leaf + &self.certificate_pem)
    }

    /// Makes a new key and issues a leaf for it: the center's own certificate.
    ///
    /// # Errors
    /// As [`Ca::issue`].
    pub fn issue_with_new_key(&self, names: &SubjectNames, validity: Validity) -> Result<Issued, TransportError> {
        let key_pem = new_key_pem()?;
        let chain_pem = self.issue(&csr_pem(&key_pem)?, names, validity)?;
        Ok(Issued { chain_pem, key_pem })
    }
}

/// Makes a new P-256 key, PKCS#8 PEM.
///
/// # Errors
/// [`TransportError::Ca`] if the random source fails.
pub fn new_key_pem() -> Result<String, TransportError> {
    Ok(new_key()?.serialize_pem())
}

/// Makes a signing request for a key. It carries no names: the authority sets them.
///
/// # Errors
/// [`TransportError::Pem`] if the key is malformed, [`TransportError::Ca`] if it cannot sign.
pub fn csr_pem(key_pem: &str) -> Result<String, TransportError> {
    let key = KeyPair::from_pem(key_pem)
        .map_err(|_| TransportError::Pem { object: "key of the signing request", expected: "a private key" })?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serialize_request(&key).and_then(|csr| csr.pem()).map_err(ca_failed)
}

fn new_key() -> Result<KeyPair, TransportError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(ca_failed)
}

fn leaf_params(names: &SubjectNames, validity: Validity) -> Result<CertificateParams, TransportError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names.push(SanType::URI(ia5(&names.spiffe_uri)?));
    for name in &names.dns {
        params.subject_alt_names.push(SanType::DnsName(ia5(name)?));
    }
    params.subject_alt_names.extend(names.ips.iter().copied().map(SanType::IpAddress));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial()?);
    set_validity(&mut params, validity);
    Ok(params)
}

fn ia5(name: &str) -> Result<Ia5String, TransportError> {
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
    let refused = || TransportError::Name { name: name.to_owned() };
    if !plain {
        return Err(refused());
    }
    Ia5String::try_from(name).map_err(|_| refused())
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn set_validity(params: &mut CertificateParams, validity: Validity) {
    let at = |seconds: i64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    params.not_before = at(validity.not_before);
    params.not_after = at(validity.not_after);
}

/// 128 random bits with the top bit clear, so that the number is positive (RFC 5280 §4.1.2.2).
fn serial() -> Result<SerialNumber, TransportError> {
    let mut bytes = [0_u8; 16];
    provider().secure_random.fill(&mut bytes).map_err(|_| TransportError::Ca("the random source failed".into()))?;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn ca_failed(error: rcgen::Error) -> TransportError {
    TransportError::Ca(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::{FromDer, X509Certificate};

    const NOW: i64 = 1_800_000_000;

    fn names(id: &str) -> SubjectNames {
        SubjectNames {
            spiffe_uri: format!("spiffe://net.example/domain/{id}"),
            dns: vec!["gw.example".into()],
            ips: vec![IpAddr::from([127, 0, 0, 1])],
        }
    }

    #[test]
    fn names_and_usages_of_a_request_are_overwritten() {
        let ca = Ca::create("net.example", Validity::authority(NOW)).unwrap();
        let key = new_key().unwrap();
        let mut params = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI("spiffe://net.example/domain/victim".try_into().unwrap()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        params.distinguished_name = common_name("victim");
        let csr = params.serialize_request(&key).unwrap().pem().unwrap();

        let chain = ca.issue(&csr, &names("as1"), Validity::leaf(NOW)).unwrap();
        let chain = crate::pem::certificates(&chain, "leaf").unwrap();
        assert_eq!(chain.len(), 2);
        let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
        let identity = PeerIdentity::from_certificate(&chain[0]).unwrap();
        assert_eq!(identity.spiffe.as_deref(), Some("spiffe://net.example/domain/as1"));
        assert_eq!(identity.not_after, NOW + LEAF_SECONDS);
        assert!(!format!("{:?}", leaf.subject_alternative_name().unwrap()).contains("evil"));
        assert!(leaf.subject().iter_common_name().next().is_none());
        assert!(!leaf.is_ca());
        let usage = leaf.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && usage.server_auth && !usage.code_signing && !usage.any);
        assert!(!usage.email_protection && !usage.time_stamping && !usage.ocsp_signing && usage.other.is_empty());
    }

    #[test]
    fn two_leaves_of_one_key_have_different_serial_numbers() {
        let ca = Ca::create("net.example", Validity::authority(NOW)).unwrap();
        let csr = csr_pem(&new_key_pem().unwrap()).unwrap();
        let serial_of = |chain: &str| {
            let chain = crate::pem::certificates(chain, "leaf").unwrap();
            X509Certificate::from_der(&chain[0]).unwrap().1.raw_serial().to_vec()
        };
        let one = ca.issue(&csr, &names("as1"), Validity::leaf(NOW)).unwrap();
        let two = ca.issue(&csr, &names("as1"), Validity::leaf(NOW)).unwrap();
        assert_ne!(serial_of(&one), serial_of(&two));
    }

    #[test]
    fn malformed_tampered_large_and_foreign_requests_are_refused() {
        let ca = Ca::create("net.example", Validity::authority(NOW)).unwrap();
        let good = csr_pem(&new_key_pem().unwrap()).unwrap();
        let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let foreign = CertificateParams::default().serialize_request(&p384).unwrap().pem().unwrap();
        let mut der = rustls_pki_types::CertificateSigningRequestDer::from(
            CertificateParams::default().serialize_request(&new_key().unwrap()).unwrap(),
        )
        .to_vec();
        let last = der.len() - 1;
        der[last] ^= 1;
        let tampered = ::base64::Engine::encode(&::base64::prelude::BASE64_STANDARD, &der);
        let tampered = format!("-----BEGIN CERTIFICATE REQUEST-----\n{tampered}\n-----END CERTIFICATE REQUEST-----\n");
        for bad in ["", "x", &good[..good.len() / 2], &foreign, &tampered, &"a".repeat(CSR_BYTES_MAX + 1)] {
            let answer = ca.issue(bad, &names("as1"), Validity::leaf(NOW));
            assert!(matches!(answer, Err(TransportError::Csr { .. })), "{bad:.40}");
        }
        let bad_name = SubjectNames { dns: vec!["two words".into()], ..names("as1") };
        assert!(matches!(ca.issue(&good, &bad_name, Validity::leaf(NOW)), Err(TransportError::Name { .. })));
    }

    #[test]
    fn an_authority_loads_only_with_its_own_key() {
        let one = Ca::create("net.example", Validity::authority(NOW)).unwrap();
        let two = Ca::create("net.example", Validity::authority(NOW)).unwrap();
        assert!(Ca::load(one.certificate_pem(), &one.key_pem()).is_ok());
        assert!(Ca::load(one.certificate_pem(), &two.key_pem()).is_err());
        assert_eq!(Ca::load(one.certificate_pem(), &one.key_pem()).unwrap().spki_sha256(), one.spki_sha256());
    }
}
