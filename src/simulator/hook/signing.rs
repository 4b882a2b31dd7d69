//! The simulator's own certificate authority, and the signatures of its events.
//!
//! As PayPal's: a leaf certificate at an address below `/v1/notifications/certs/`, an intermediate behind it, and RSA
//! PKCS#1 v1.5 with SHA-256 over the transmission's id and time, the webhook's id and the body's CRC-32. The authority
//! is made once a process; its root is at a door of the simulator.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, RsaKeySize, SerialNumber,
};
use std::sync::LazyLock;
use time::{Duration, OffsetDateTime};

/// The only algorithm there is.
pub const ALGORITHM: &str = "SHA256withRSA";
/// How long a leaf certificate is valid, and how early the next one takes over.
const VALID: Duration = Duration::days(365);
const RENEWED: Duration = Duration::days(30);
const HOST: &str = "messageverificationcerts.simulator.example.com";

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new().expect("keys and certificates can be made"));

struct Authority {
    root: String,
    intermediate: String,
    issuer: Issuer<'static, KeyPair>,
    leaf: Key,
    /// Signs what somebody else forges: its certificate hangs on no authority.
    stranger: Key,
}

/// A key in the forms that its two users want.
struct Key {
    certified: KeyPair,
    signing: RsaKeyPair,
}

impl Key {
    fn new() -> anyhow::Result<Key> {
        let certified = new_key()?;
        let signing = RsaKeyPair::from_pkcs8(certified.serialized_der())?;
        Ok(Key { certified, signing })
    }
}

fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
}

impl Authority {
    fn new() -> anyhow::Result<Authority> {
        let root_key = new_key()?;
        let root = authority("Simulated PayPal Root", 1);
        let root_pem = root.self_signed(&root_key)?.pem();
        let root = Issuer::new(root, root_key);
        let key = new_key()?;
        let intermediate = authority("Simulated PayPal Issuer", 0);
        let intermediate_pem = intermediate.signed_by(&key, &root)?.pem();
        Ok(Authority {
            root: root_pem,
            intermediate: intermediate_pem,
            issuer: Issuer::new(intermediate, key),
            leaf: Key::new()?,
            stranger: Key::new()?,
        })
    }
}

fn named(name: &str) -> CertificateParams {
    let mut certificate = CertificateParams::default();
    certificate.distinguished_name = rcgen::DistinguishedName::new();
    certificate.distinguished_name.push(DnType::OrganizationName, "Simulated PayPal");
    certificate.distinguished_name.push(DnType::CommonName, name);
    certificate
}

/// Valid for as long as the simulator's clock can run ahead.
fn authority(name: &str, below: u8) -> CertificateParams {
    let mut certificate = named(name);
    certificate.not_before = rcgen::date_time_ymd(2020, 1, 1);
    certificate.not_after = rcgen::date_time_ymd(2220, 1, 1);
    certificate.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    certificate.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    certificate
}

fn leaf(now: OffsetDateTime) -> CertificateParams {
    let mut certificate = named(HOST);
    certificate.subject_alt_names = vec![rcgen::SanType::DnsName(HOST.try_into().expect("ASCII"))];
    certificate.not_before = now - Duration::days(1);
    certificate.not_after = now + VALID;
    certificate.serial_number = Some(SerialNumber::from_slice(&uuid::Uuid::new_v4().as_bytes()[..9]));
    certificate.use_authority_key_identifier_extension = true;
    certificate.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    certificate.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    certificate
}

/// The root of the simulator's authority, as PEM.
pub fn root() -> &'static str {
    &AUTHORITY.root
}

/// The leaf certificates given out so far.
#[derive(Debug, Default)]
pub struct Certificates(Vec<Certificate>);

#[derive(Debug)]
struct Certificate {
    id: String,
    pem: String,
    until: OffsetDateTime,
    stranger: bool,
}

impl Certificates {
    /// The id of a certificate that is valid now. A stranger's hangs on no authority.
    pub fn current(&mut self, now: OffsetDateTime, stranger: bool) -> anyhow::Result<String> {
        let known = self.0.iter().rev().find(|one| one.stranger == stranger && now < one.until - RENEWED);
        if let Some(known) = known {
            return Ok(known.id.clone());
        }
        let authority = &*AUTHORITY;
        let pem = if stranger {
            leaf(now).self_signed(&authority.stranger.certified)?.pem()
        } else {
            let own = leaf(now).signed_by(&authority.leaf.certified, &authority.issuer)?;
            format!("{}{}", own.pem(), authority.intermediate)
        };
        let digits = uuid::Uuid::new_v4().simple().to_string();
        let id = format!("CERT-{}-{}-{}", &digits[..8], &digits[8..16], &digits[16..24]);
        self.0.push(Certificate { id: id.clone(), pem, until: now + VALID, stranger });
        Ok(id)
    }

    /// A certificate and those behind it, as PEM.
    pub fn pem(&self, id: &str) -> Option<&str> {
        self.0.iter().find(|one| one.id == id).map(|one| one.pem.as_str())
    }

    /// Whether this certificate is the simulator's own and valid now.
    pub fn is_own(&self, id: &str, now: OffsetDateTime) -> bool {
        self.0.iter().any(|one| one.id == id && !one.stranger && now < one.until)
    }
}

/// What a signature covers.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// `PAYPAL-TRANSMISSION-ID`.
    pub transmission_id: &'a str,
    /// `PAYPAL-TRANSMISSION-TIME`.
    pub transmission_time: &'a str,
    /// The webhook's id, which is not sent.
    pub webhook_id: &'a str,
    /// The body's bytes.
    pub body: &'a [u8],
}

impl Signed<'_> {
    fn message(&self) -> String {
        let crc = crc32fast::hash(self.body);
        format!("{}|{}|{}|{crc}", self.transmission_id, self.transmission_time, self.webhook_id)
    }

    /// The signature in base64.
    pub fn sign(&self, stranger: bool) -> String {
        let key = if stranger { &AUTHORITY.stranger.signing } else { &AUTHORITY.leaf.signing };
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), self.message().as_bytes(), &mut signature)
            .expect("a key of 2048 bits can sign");
        STANDARD.encode(signature)
    }

    /// Whether the simulator signed this.
    pub fn is_signed_by(&self, signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, AUTHORITY.leaf.signing.public_key());
        key.verify(self.message().as_bytes(), &signature).is_ok()
    }
}
