//! Whether PayPal sent an event: PayPal's signature scheme, step by step and without asking anybody. Pure.
//!
//! The signed text is `id|time|webhook id|CRC-32 of the raw body`. What is not exactly as PayPal sends it is refused
//! before anything is fetched.

use super::Environment;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::HeaderMap;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use time::OffsetDateTime;
use webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Where PayPal keeps the certificates it signs with.
const CERTIFICATES: &str = "/v1/notifications/certs/";
/// The one algorithm that PayPal uses.
pub(super) const ALGORITHM: &str = "SHA256withRSA";
/// No header is longer (`verify_webhook_signature` of PayPal's OpenAPI file allows 500 characters at most).
const MAX_HEADER: usize = 1024;

/// The five headers of a delivery, as they came.
#[derive(Debug, Clone)]
pub struct Transmission {
    /// `PAYPAL-TRANSMISSION-ID`.
    pub id: String,
    /// `PAYPAL-TRANSMISSION-TIME`, never reformatted: it is signed as text.
    pub time: String,
    /// `PAYPAL-TRANSMISSION-SIG`, in base64.
    pub signature: String,
    /// `PAYPAL-CERT-URL`.
    pub certificate: String,
}

/// Not from PayPal, and why: for the log, never for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Forged(pub &'static str);

/// What the certificate and the signature say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// PayPal signed this very body for this very webhook.
    Genuine,
    /// It did not.
    Forged(Forged),
    /// The certificate cannot be judged here: an intermediate one is missing, or it is none. Only PayPal knows.
    Undecided(&'static str),
}

/// Whose word makes a certificate PayPal's.
#[derive(Debug, Clone)]
pub enum Roots {
    /// The public certificate authorities.
    Public,
    /// The simulator's own, as PEM.
    Simulator(Vec<u8>),
}

impl Transmission {
    /// Each of the five headers exactly once, and the algorithm that PayPal uses.
    pub fn read(headers: &HeaderMap) -> Result<Self, Forged> {
        if one(headers, "paypal-auth-algo")? != ALGORITHM {
            return Err(Forged("the algorithm is not PayPal's"));
        }
        Ok(Self {
            id: one(headers, "paypal-transmission-id")?,
            time: one(headers, "paypal-transmission-time")?,
            signature: one(headers, "paypal-transmission-sig")?,
            certificate: one(headers, "paypal-cert-url")?,
        })
    }

    /// The address of the certificate, rebuilt from the parts that were looked at: this environment's exact hosts, the
    /// folder of certificates, one name in it, and nothing else.
    pub fn certificate_url(&self, environment: Environment, simulator: Option<&str>) -> Result<String, Forged> {
        let url = Url::parse(&self.certificate).map_err(|_| Forged("the certificate's address is none"))?;
        let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !bare || url.fragment().is_some() {
            return Err(Forged("the certificate's address holds more than a host and a path"));
        }
        let base = match environment {
            Environment::Live => public(&url, ["api.paypal.com", "api-m.paypal.com"])?,
            Environment::Sandbox => public(&url, ["api.sandbox.paypal.com", "api-m.sandbox.paypal.com"])?,
            Environment::Simulator => {
                let base = simulator.ok_or(Forged("there is no simulator here"))?;
                let own = Url::parse(base).map_err(|_| Forged("the simulator has no address"))?;
                if url.origin() != own.origin() {
                    return Err(Forged("the certificate is not at the simulator"));
                }
                base.to_owned()
            }
        };
        let name = url.path().strip_prefix(CERTIFICATES).ok_or(Forged("no certificates are kept there"))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(Forged("the certificate's name is none"));
        }
        Ok(format!("{base}{CERTIFICATES}{name}"))
    }

    /// The key of this certificate signed this body for this webhook. Says nothing of the certificate itself.
    pub fn verify(&self, body: &[u8], webhook_id: &str, chain: &Chain) -> Verdict {
        let Ok(certificate) = EndEntityCert::try_from(&chain.0[0]) else {
            return Verdict::Undecided("the certificate cannot be read");
        };
        let Ok(signature) = STANDARD.decode(&self.signature) else {
            return Verdict::Forged(Forged("the signature is no base64"));
        };
        let message = format!("{}|{}|{webhook_id}|{}", self.id, self.time, crc32fast::hash(body));
        match certificate.verify_signature(RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature) {
            Ok(()) => Verdict::Genuine,
            Err(_) => Verdict::Forged(Forged("the signature does not fit")),
        }
    }
}

/// A certificate that events are signed with, and those behind it.
#[derive(Debug)]
pub struct Chain(Vec<CertificateDer<'static>>);

impl Chain {
    /// At least one certificate, as PEM.
    pub fn read(pem: &[u8]) -> Option<Self> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
        (!chain.is_empty()).then_some(Self(chain))
    }

    /// The certificate is valid at this moment, and these roots vouch for it.
    pub fn check(&self, roots: &Roots, now: OffsetDateTime) -> Verdict {
        let Ok(certificate) = EndEntityCert::try_from(&self.0[0]) else {
            return Verdict::Undecided("the certificate cannot be read");
        };
        vouched_for(&certificate, &self.0[1..], roots, now).err().unwrap_or(Verdict::Genuine)
    }
}

fn one(headers: &HeaderMap, name: &'static str) -> Result<String, Forged> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Forged("a header is missing, or is there twice"));
    };
    match value.to_str() {
        Ok(text) if !text.is_empty() && text.len() <= MAX_HEADER => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(Forged("a header cannot be read")),
    }
}

fn public(url: &Url, hosts: [&str; 2]) -> Result<String, Forged> {
    match url.host_str() {
        Some(host) if url.scheme() == "https" && url.port().is_none() && hosts.contains(&host) => {
            Ok(format!("https://{host}"))
        }
        Some(_) | None => Err(Forged("the certificate is not at PayPal")),
    }
}

fn vouched_for(
    certificate: &EndEntityCert<'_>,
    others: &[CertificateDer<'_>],
    roots: &Roots,
    now: OffsetDateTime,
) -> Result<(), Verdict> {
    let now = u64::try_from(now.unix_timestamp()).map_err(|_| Verdict::Undecided("the clock stands before 1970"))?;
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
    let usage = KeyUsage::server_auth();
    let check = |anchors: &[TrustAnchor<'_>]| {
        certificate.verify_for_usage(ALL_VERIFICATION_ALGS, anchors, others, now, usage, None, None).map(|_| ())
    };
    let checked = match roots {
        Roots::Public => check(webpki_roots::TLS_SERVER_ROOTS),
        Roots::Simulator(pem) => {
            let own: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
            check(&own.iter().filter_map(|der| anchor_from_trusted_cert(der).ok()).collect::<Vec<_>>())
        }
    };
    match (checked, roots) {
        (Ok(()), _) => Ok(()),
        // PayPal may leave out a certificate in between; the simulator has none.
        (Err(webpki::Error::UnknownIssuer), Roots::Public) => {
            Err(Verdict::Undecided("the certificate's issuer is not known here"))
        }
        (Err(_), Roots::Public | Roots::Simulator(_)) => {
            Err(Verdict::Forged(Forged("the certificate is not valid, or nobody vouches for it")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    const GOOD: [(&str, &str); 5] = [
        ("paypal-auth-algo", "SHA256withRSA"),
        ("paypal-transmission-id", "69cd13f0-d67a-11e5-baa3-778b53f4ae55"),
        ("paypal-transmission-time", "2016-02-18T20:01:35Z"),
        ("paypal-transmission-sig", "AAAA"),
        ("paypal-cert-url", "https://api.paypal.com/v1/notifications/certs/CERT-360caa42"),
    ];

    #[test]
    fn each_header_comes_exactly_once() {
        Transmission::read(&headers(&GOOD)).unwrap();
        for place in 0..GOOD.len() {
            let mut missing = GOOD.to_vec();
            missing.remove(place);
            Transmission::read(&headers(&missing)).unwrap_err();
            let twice = [GOOD.as_slice(), &[GOOD[place]]].concat();
            Transmission::read(&headers(&twice)).unwrap_err();
            let mut empty = GOOD;
            empty[place].1 = "";
            Transmission::read(&headers(&empty)).unwrap_err();
        }
        for algorithm in ["SHA1withRSA", "sha256withrsa", "none", "SHA256withRSA "] {
            let mut other = GOOD;
            other[0].1 = algorithm;
            let trimmed = algorithm.trim() == "SHA256withRSA";
            assert_eq!(
                Transmission::read(&headers(&other)).is_ok(),
                trimmed && !algorithm.ends_with(' '),
                "{algorithm}"
            );
        }
    }

    #[test]
    fn a_certificate_comes_from_the_environments_own_hosts_and_nowhere_else() {
        let at = |url: &str, environment, simulator| {
            let mut there = GOOD;
            there[4].1 = url;
            Transmission::read(&headers(&there)).unwrap().certificate_url(environment, simulator)
        };
        let certs = "/v1/notifications/certs/CERT-1";
        for (host, environment) in [
            ("api.paypal.com", Environment::Live),
            ("api-m.paypal.com", Environment::Live),
            ("api.sandbox.paypal.com", Environment::Sandbox),
            ("api-m.sandbox.paypal.com", Environment::Sandbox),
        ] {
            let url = format!("https://{host}{certs}");
            assert_eq!(at(&url, environment, None).as_deref(), Ok(url.as_str()));
            assert_eq!(at(&format!("https://{host}:443{certs}"), environment, None).as_deref(), Ok(url.as_str()));
            let other = if environment == Environment::Live { Environment::Sandbox } else { Environment::Live };
            at(&url, other, None).unwrap_err();
            at(&url, Environment::Simulator, Some("http://127.0.0.1:4010")).unwrap_err();
        }
        for bad in [
            "http://api.paypal.com/v1/notifications/certs/CERT-1",
            "https://api.paypal.com:444/v1/notifications/certs/CERT-1",
            "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
            "https://evilpaypal.com/v1/notifications/certs/CERT-1",
            "https://evil.example/api.paypal.com/v1/notifications/certs/CERT-1",
            "https://api.paypal.com@evil.example/v1/notifications/certs/CERT-1",
            "https://evil@api.paypal.com/v1/notifications/certs/CERT-1",
            "https://api.paypal.com/v1/notifications/certs/",
            "https://api.paypal.com/v1/notifications/certs/../../oauth2/token",
            "https://api.paypal.com/v1/notifications/certs/a/b",
            "https://api.paypal.com/v1/notifications/certs/CERT-1?next=https://evil.example",
            "https://api.paypal.com/v1/notifications/certs/CERT-1#x",
            "https://api.paypal.com/v1/notifications/certs/%2e%2e",
            "https://api.paypal.com/CERT-1",
            "https://127.0.0.1/v1/notifications/certs/CERT-1",
            "file:///etc/passwd",
            "CERT-1",
        ] {
            assert!(at(bad, Environment::Live, None).is_err(), "{bad}");
        }
        let simulator = Some("http://127.0.0.1:4010");
        at("http://127.0.0.1:4010/v1/notifications/certs/CERT-1", Environment::Simulator, simulator).unwrap();
        for bad in ["http://127.0.0.1:4011", "https://127.0.0.1:4010", "http://localhost:4010"] {
            at(&format!("{bad}{certs}"), Environment::Simulator, simulator).unwrap_err();
        }
        at("http://127.0.0.1:4010/v1/notifications/certs/CERT-1", Environment::Simulator, None).unwrap_err();
    }

    #[test]
    fn the_checksum_is_the_one_of_zlib_as_a_decimal() {
        assert_eq!(crc32fast::hash(b"123456789").to_string(), "3421780262");
        let sample = br#"{"id":"WH-TEST-1","event_type":"PAYMENT.PAYOUTS-ITEM.SUCCEEDED"}"#;
        assert_eq!((sample.len(), crc32fast::hash(sample)), (64, 3_839_233_106));
    }
}
