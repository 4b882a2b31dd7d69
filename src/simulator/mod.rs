//! A whole PayPal for development and tests: the Payouts API over HTTP, with a bank behind it.
//!
//! Written from PayPal's documents and never from this program's own client, so that the two are independent readings.
//! It is as strict as PayPal, moves no real money, and can be told what goes wrong next. Its bank is the truth that
//! checks ask: who was paid, how often, how much.

mod bank;
mod batch;
mod call;
mod calls;
mod currency;
mod doors;
mod dropzone;
mod errors;
mod extras;
mod faults;
mod help;
mod hook;
mod journal;
mod magic;
mod oauth;
mod page;
mod play;
mod receiver;
mod reply;
mod request;
mod rest;
mod server;
mod state;
mod view;

pub use dropzone::{Dropzone, DropzoneAccount};

use crate::clock::Clock;
use anyhow::Context;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// An app that may call: its Client ID and Secret, and what PayPal lets it do.
#[derive(Debug, Clone)]
pub struct Account {
    /// The Client ID.
    pub client_id: String,
    /// The Secret.
    pub secret: String,
    /// Whether the app has the Payouts feature, which shows in its tokens' scope.
    pub payouts: bool,
    /// Whether the account is approved for payouts, which shows at the first batch only.
    pub approved: bool,
    /// Whether the app may register webhooks and list events, which shows in the scope.
    pub webhooks: bool,
    /// Whether the app may read balances, which shows in the scope.
    pub balances: bool,
    /// When its receivers do what they do later.
    pub later: Later,
}

/// How long after a payment its receiver, or PayPal, does something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Later {
    /// Until a `refunded` receiver sends the money back.
    pub refunded: Duration,
    /// Until a payment to a `reversed` one is taken back.
    pub reversed: Duration,
    /// Until a `claims-later` one claims it.
    pub claimed: Duration,
}

impl Default for Later {
    fn default() -> Later {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Later { refunded: hours(12), reversed: hours(12), claimed: hours(48) }
    }
}

impl Account {
    /// An account that may do everything.
    pub fn new(client_id: impl Into<String>, secret: impl Into<String>) -> Account {
        let (client_id, secret) = (client_id.into(), secret.into());
        Account {
            client_id,
            secret,
            payouts: true,
            approved: true,
            webhooks: true,
            balances: true,
            later: Later::default(),
        }
    }
}

/// How a simulator behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The apps that may call.
    pub accounts: Vec<Account>,
    /// How long a batch takes from accepted to finished.
    pub settle_after: Duration,
    /// Where its bank is kept across restarts; in memory only when absent.
    pub journal: Option<PathBuf>,
    /// Its time.
    pub clock: Clock,
    /// Its SFTP server for Large Batch files, if it has one.
    pub dropzone: Option<Dropzone>,
}

/// A running simulator. It ends when dropped, or with [`Simulator::stop`] after the calls in progress.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    state: Arc<state::State>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Simulator {
    /// Binds, replays the journal, and serves on a task of its own. Port 0 takes any free port.
    pub async fn start(listen: SocketAddr, settings: Settings) -> anyhow::Result<Simulator> {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("the PayPal simulator cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let dropzone = match &settings.dropzone {
            None => None,
            Some(dropzone) => {
                let listen = dropzone.listen;
                let listener = TcpListener::bind(listen).await;
                Some(listener.with_context(|| format!("the simulated DropZone cannot listen on {listen}"))?)
            }
        };
        let dropzone_address = dropzone.as_ref().map(TcpListener::local_addr).transpose()?;
        let state = Arc::new(state::State::new(settings, address, dropzone_address)?);
        let stop = CancellationToken::new();
        let mut tasks = vec![
            tokio::spawn(hook::courier::run(Arc::clone(&state), stop.clone())),
            tokio::spawn(server::serve(listener, address, Arc::clone(&state), stop.clone())),
        ];
        if let Some(listener) = dropzone {
            tasks.push(tokio::spawn(dropzone::ssh::serve(listener, Arc::clone(&state), stop.clone())));
            tasks.push(tokio::spawn(dropzone::pick_up::run(Arc::clone(&state), stop.clone())));
        }
        Ok(Simulator { address, state, stop, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as the base of its URLs, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where its DropZone listens, if it has one.
    pub fn dropzone_address(&self) -> Option<SocketAddr> {
        self.state.dropzone.as_ref().map(|zone| zone.address)
    }

    /// The `SHA256:...` of its DropZone's host key, for the next connection.
    pub fn dropzone_host_key(&self) -> Option<String> {
        self.state.dropzone.as_ref().map(|zone| zone.host_key().fingerprint())
    }

    /// Lets an SFTP account have one more key, and makes the account if need be, as PayPal's staff would. The text is
    /// that of an OpenSSH `.pub` file.
    pub fn add_dropzone_key(&self, user: &str, client_id: &str, public_key: &str) -> anyhow::Result<()> {
        dropzone::door::add_key(&self.state, user, Some(client_id), public_key).map_err(anyhow::Error::msg)
    }

    /// Takes no more calls, and returns when those in progress have ended.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            if let Err(error) = task.await {
                tracing::error!("The PayPal simulator ended badly: {error}");
            }
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Run a simulated PayPal: the Payouts API with a bank behind it, for development and tests
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = help::text())]
pub struct Args {
    /// Where to listen; port 0 takes any free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4010")]
    pub listen: SocketAddr,
    /// An app that may pay; repeatable
    #[arg(long = "account", value_name = "CLIENT_ID:SECRET", value_parser = credentials)]
    pub accounts: Vec<Account>,
    /// An app without the Payouts feature: its tokens lack the scope, and payouts calls are answered with 403
    #[arg(long, value_name = "CLIENT_ID:SECRET", value_parser = credentials)]
    pub account_without_payouts: Vec<Account>,
    /// An app with the Payouts feature whose account is not approved: creating a batch is answered with 403
    #[arg(long, value_name = "CLIENT_ID:SECRET", value_parser = credentials)]
    pub account_not_approved: Vec<Account>,
    /// An app that may not register webhooks: its tokens lack the scope
    #[arg(long, value_name = "CLIENT_ID:SECRET", value_parser = credentials)]
    pub account_without_webhooks: Vec<Account>,
    /// An app that may not read balances: its tokens lack the scope
    #[arg(long, value_name = "CLIENT_ID:SECRET", value_parser = credentials)]
    pub account_without_balances: Vec<Account>,
    /// How long a batch takes from accepted to finished: 3s, 0s, 500ms, 2m
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = duration)]
    pub settle_after: Duration,
    /// When a "refunded" receiver sends the money back, after the payment
    #[arg(long, value_name = "DURATION", default_value = "12h", value_parser = duration)]
    pub refunded_after: Duration,
    /// When a payment to a "reversed" receiver is taken back
    #[arg(long, value_name = "DURATION", default_value = "12h", value_parser = duration)]
    pub reversed_after: Duration,
    /// When a "claims-later" receiver claims the money
    #[arg(long, value_name = "DURATION", default_value = "48h", value_parser = duration)]
    pub claimed_after: Duration,
    /// Take Large Batch files over SFTP here; port 0 takes any free port
    #[arg(long, value_name = "ADDR")]
    pub dropzone: Option<SocketAddr>,
    /// An SFTP account: its name, the app from whose balance it pays, a file of OpenSSH public keys; repeatable
    #[arg(long = "dropzone-account", value_name = "USER:CLIENT_ID:PUBLIC_KEY_FILE", requires = "dropzone")]
    #[arg(value_parser = dropzone::account)]
    pub dropzone_accounts: Vec<DropzoneAccount>,
    /// How long after its last byte a file is picked up
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration, requires = "dropzone")]
    pub pick_up_after: Duration,
    /// How many items of a file make a part
    #[arg(long, value_name = "N", default_value_t = 500_000, requires = "dropzone")]
    #[arg(value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=10_000_000))]
    pub part_size: usize,
    /// Keep the bank in this file across restarts; without it, it is forgotten
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
}

/// Runs a simulator until SIGINT or SIGTERM.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut accounts = args.accounts;
    accounts.extend(args.account_without_payouts.into_iter().map(|account| Account { payouts: false, ..account }));
    accounts.extend(args.account_not_approved.into_iter().map(|account| Account { approved: false, ..account }));
    accounts.extend(args.account_without_webhooks.into_iter().map(|account| Account { webhooks: false, ..account }));
    accounts.extend(args.account_without_balances.into_iter().map(|account| Account { balances: false, ..account }));
    let later = Later { refunded: args.refunded_after, reversed: args.reversed_after, claimed: args.claimed_after };
    accounts.iter_mut().for_each(|account| account.later = later);
    anyhow::ensure!(!accounts.is_empty(), "give at least one app with --account CLIENT_ID:SECRET");
    let mut ids: Vec<&str> = accounts.iter().map(|account| account.client_id.as_str()).collect();
    ids.sort_unstable();
    anyhow::ensure!(ids.windows(2).all(|pair| pair[0] != pair[1]), "a CLIENT_ID was given twice");
    let dropzone = args.dropzone.map(|listen| Dropzone {
        listen,
        accounts: args.dropzone_accounts,
        pick_up_after: args.pick_up_after,
        part_size: args.part_size,
    });
    let (settle_after, journal, clock) = (args.settle_after, args.journal, Clock::system());
    let simulator =
        Simulator::start(args.listen, Settings { accounts, settle_after, journal, clock, dropzone }).await?;
    writeln!(std::io::stdout(), "PayPal simulator listening on {}", simulator.url())?;
    if let Some(address) = simulator.dropzone_address() {
        writeln!(std::io::stdout(), "PayPal DropZone listening on sftp://{address}")?;
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    simulator.stop().await;
    Ok(())
}

fn credentials(text: &str) -> Result<Account, String> {
    match text.split_once(':') {
        Some((id, secret)) if !id.is_empty() && !secret.is_empty() => Ok(Account::new(id, secret)),
        _ => Err("expected CLIENT_ID:SECRET".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..digits].parse::<u64>().ok();
    let factor = match &text[digits..] {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    number
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .filter(|ms| *ms <= 30 * 24 * 3_600_000)
        .map(Duration::from_millis)
        .ok_or_else(|| "expected a duration of at most 30 days such as 3s, 0s, 500ms, 2m or 1h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "s", "3", "-1s", "1.5s", "3 s", "99999999999999999999s", "1000h", "3µs"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_may_contain_colons() {
        assert_eq!(credentials("id:a:b").unwrap().secret, "a:b");
        assert!(credentials("id").is_err() && credentials(":s").is_err() && credentials("id:").is_err());
    }
}
