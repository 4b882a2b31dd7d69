//! The certificates that PayPal signs its events with: fetched from its own hosts alone, rarely, and kept.
//!
//! Anyone may send us an event that names some certificate, so what is fetched on a stranger's word is little: a plain
//! name in one folder of one host, without redirects, small, soon, one at a time and only so many a minute.

use super::answer::Exchange;
use super::client::exchange;
use super::signature::{Chain, Forged, Roots, Transmission, Verdict};
use super::{Client, Environment};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration as StdDuration;
use time::{Duration, OffsetDateTime};

const PATIENCE: StdDuration = StdDuration::from_secs(5);
/// A chain of four certificates is about eight kilobytes.
const MAX_CERTIFICATE: usize = 64 * 1024;
/// A certificate is fetched again after so long.
const KEPT: Duration = Duration::days(1);
/// PayPal has none of this name.
const MISSING_KEPT: Duration = Duration::minutes(10);
/// It could not be fetched.
const FAILURE_KEPT: Duration = Duration::seconds(30);
/// Certificates fetched a minute at most: PayPal uses one or two.
const FETCHES_A_MINUTE: u32 = 20;
/// Questions to PayPal a minute at most, where a certificate cannot be judged here.
const QUESTIONS_A_MINUTE: u32 = 60;

/// Whether PayPal sent an event, as far as it can be told without asking PayPal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authenticity {
    /// It did.
    Genuine,
    /// It did not.
    Forged(Forged),
    /// Only PayPal can tell, and may be asked.
    AskPayPal(&'static str),
    /// It cannot be told now: too much was asked in this minute.
    TooMany,
}

#[derive(Debug, Default)]
pub(super) struct Certificates {
    kept: Mutex<HashMap<String, Kept>>,
    /// One fetch at a time: whoever wants the same certificate finds it kept.
    fetching: tokio::sync::Mutex<()>,
    fetches: Mutex<Budget>,
    questions: Mutex<Budget>,
}

#[derive(Debug)]
struct Kept {
    found: Found,
    until: OffsetDateTime,
}

/// A certificate as it was fetched.
#[derive(Debug)]
struct Certificate {
    pem: Bytes,
    chain: Option<Chain>,
    /// The minute in which it was last found valid and vouched for. Events come by the thousand, and to judge the chain
    /// costs more than to judge the event.
    good_in: AtomicI64,
}

#[derive(Debug, Clone)]
enum Found {
    Certificate(Arc<Certificate>),
    Missing,
    Failed,
    TooMany,
}

#[derive(Debug, Default)]
struct Budget {
    minute: i64,
    used: u32,
}

impl Budget {
    fn left(&mut self, now: OffsetDateTime, limit: u32) -> bool {
        let minute = minute_of(now);
        if self.minute != minute {
            *self = Self { minute, used: 0 };
        }
        self.used < limit
    }

    fn take(&mut self, now: OffsetDateTime, limit: u32) -> bool {
        let left = self.left(now, limit);
        self.used += u32::from(left);
        left
    }
}

fn minute_of(time: OffsetDateTime) -> i64 {
    time.unix_timestamp().div_euclid(60)
}

impl Client {
    /// Checks a delivery to a webhook of this environment. Nothing is asked of PayPal but the certificate.
    pub async fn authenticate(
        &self,
        environment: Environment,
        webhook_id: &str,
        transmission: &Transmission,
        body: &[u8],
    ) -> Authenticity {
        let url = match transmission.certificate_url(environment, self.simulator.as_deref()) {
            Ok(url) => url,
            Err(forged) => return Authenticity::Forged(forged),
        };
        let certificate = match self.certificate(&url).await {
            Found::Certificate(certificate) => certificate,
            Found::Missing => return Authenticity::Forged(Forged("PayPal has no certificate of this name")),
            Found::Failed => return self.ask("the certificate could not be fetched"),
            Found::TooMany => return Authenticity::TooMany,
        };
        let Some(chain) = &certificate.chain else { return self.ask("the certificate cannot be read") };
        let now = self.clock.now();
        let minute = minute_of(now);
        if certificate.good_in.load(Ordering::Relaxed) != minute {
            let roots = match self.roots(environment).await {
                Ok(roots) => roots,
                Err(undecided) => return undecided,
            };
            match chain.check(&roots, now) {
                Verdict::Genuine => certificate.good_in.store(minute, Ordering::Relaxed),
                Verdict::Forged(why) => return Authenticity::Forged(why),
                Verdict::Undecided(why) => return self.ask(why),
            }
        }
        match transmission.verify(body, webhook_id, chain) {
            Verdict::Genuine => Authenticity::Genuine,
            Verdict::Forged(why) => Authenticity::Forged(why),
            Verdict::Undecided(why) => self.ask(why),
        }
    }

    /// Who vouches for the certificates of this environment.
    async fn roots(&self, environment: Environment) -> Result<Roots, Authenticity> {
        let (Environment::Simulator, Some(simulator)) = (environment, &self.simulator) else {
            return Ok(Roots::Public);
        };
        match self.certificate(&format!("{simulator}/_simulator/ca.pem")).await {
            Found::Certificate(authority) => Ok(Roots::Simulator(authority.pem.to_vec())),
            Found::Missing | Found::Failed => Err(self.ask("the simulator's authority could not be fetched")),
            Found::TooMany => Err(Authenticity::TooMany),
        }
    }

    fn ask(&self, why: &'static str) -> Authenticity {
        let now = self.clock.now();
        if lock(&self.certificates.questions).take(now, QUESTIONS_A_MINUTE) {
            Authenticity::AskPayPal(why)
        } else {
            Authenticity::TooMany
        }
    }

    async fn certificate(&self, url: &str) -> Found {
        let certificates = &self.certificates;
        if let Some(found) = self.kept(url) {
            return found;
        }
        if !lock(&certificates.fetches).left(self.clock.now(), FETCHES_A_MINUTE) {
            return Found::TooMany;
        }
        let _one_at_a_time = certificates.fetching.lock().await;
        if let Some(found) = self.kept(url) {
            return found;
        }
        if !lock(&certificates.fetches).take(self.clock.now(), FETCHES_A_MINUTE) {
            return Found::TooMany;
        }
        let (exchange, _) = exchange(self.http.get(url).timeout(PATIENCE), MAX_CERTIFICATE).await;
        let (found, keep) = match exchange {
            Exchange::Answered { status: 200, body, .. } => {
                let chain = Chain::read(&body);
                let certificate = Certificate { pem: body.into(), chain, good_in: AtomicI64::new(i64::MIN) };
                (Found::Certificate(Arc::new(certificate)), KEPT)
            }
            Exchange::Answered { status: 400 | 404 | 410, .. } => (Found::Missing, MISSING_KEPT),
            Exchange::Answered { .. } | Exchange::NotSent(_) | Exchange::Lost(_) => (Found::Failed, FAILURE_KEPT),
        };
        let now = self.clock.now();
        let mut kept = lock(&certificates.kept);
        kept.retain(|_, kept| kept.until > now);
        kept.insert(url.to_owned(), Kept { found: found.clone(), until: now + keep });
        found
    }

    fn kept(&self, url: &str) -> Option<Found> {
        let kept = lock(&self.certificates.kept);
        kept.get(url).filter(|kept| kept.until > self.clock.now()).map(|kept| kept.found.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no code panics while it holds the certificates")
}
