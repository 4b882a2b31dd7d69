//! The application to try out: a local Postgres, a simulated PayPal in this process, and a merchant with example data.
//!
//! Everything but the data and the simulator is what `serve` runs. The folder keeps all of it, the simulator's bank
//! included, so a demo that was stopped or killed goes on where it was.

mod affiliates;
mod commissions;
mod data;

use crate::admin;
use crate::app::Hints;
use crate::clock::Clock;
use crate::config::{self, Data, Mail, Problems, Serve};
use crate::database::Database;
use crate::database::local::{LocalPostgres, Purpose};
use crate::rehearsal::Rehearsal;
use crate::serve::{self, Listeners, Running};
use crate::simulator::{Account, Dropzone, Later, Settings, Simulator};
use crate::telemetry;
use anyhow::Context;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What one needs to get in. Always the same, so that every guide can name it.
pub const HINTS: Hints =
    Hints { email: "demo@example.com", password: "demo-stipend", client_id: "demo-client", secret: "demo-secret" };

/// How long the simulated PayPal takes over a batch: long enough to watch.
const SETTLE_AFTER: Duration = Duration::from_secs(4);
/// What its receivers do later, they do soon: nobody watches a demo for half a day. A reversal is no event, so it comes
/// before the batch is finished and looked at.
const LATER: Later =
    Later { refunded: Duration::from_secs(15), reversed: Duration::ZERO, claimed: Duration::from_secs(20) };
const LOG_DEFAULT: &str = "warn,sqlx=error";

/// What the demo is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address and port to listen on, of this machine alone [default: 127.0.0.1:3000]
    #[arg(long, env = "STIPEND_BIND", hide_env_values = true, value_name = "ADDRESS")]
    bind: Option<String>,
    /// Where the demo keeps its data [default: demo in the default data folder]
    #[arg(long, env = "STIPEND_DATA_DIR", hide_env_values = true, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// How many affiliates the example has
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    affiliates: u32,
    /// How many commissions they have earned
    #[arg(long, value_name = "M", default_value_t = 420, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    commissions: u32,
    /// Forget what was done in this demo, and begin anew
    #[arg(long)]
    fresh: bool,
    /// Use the simulated PayPal at this address instead of one of the demo's own
    #[arg(long, env = "STIPEND_SIMULATOR_URL", hide_env_values = true, value_name = "URL")]
    simulator_url: Option<String>,
    /// What is logged, as in "info,stipend=debug" [default: warn]
    #[arg(long, env = "STIPEND_LOG", hide_env_values = true, value_name = "FILTER")]
    log: Option<String>,
}

/// The same, read.
struct Wanted {
    bind: SocketAddr,
    folder: PathBuf,
    size: data::Size,
    fresh: bool,
    simulator_url: Option<String>,
    log: String,
}

impl Args {
    fn read(self) -> Result<Wanted, Problems> {
        let mut problems = Problems::default();
        let bind = config::given(self.bind).unwrap_or_else(|| config::BIND_DEFAULT.to_owned());
        let bind = problems.take(config::socket_address("STIPEND_BIND", &bind));
        if let Some(bind) = bind.filter(|bind| !bind.ip().is_loopback()) {
            problems.note(format!(
                "STIPEND_BIND: {bind} can be reached from other machines, and everybody knows the demo's password; use \
                 127.0.0.1 with any port"
            ));
        }
        let folder = config::given(self.data_dir).map(PathBuf::from);
        let folder = folder.or_else(|| Some(config::default_data_dir()?.join("demo")));
        let folder =
            folder.ok_or("STIPEND_DATA_DIR: there is no home folder, so say where the data shall be".to_owned());
        let folder = problems.take(folder.and_then(|folder| config::absolute(&folder)));
        let simulator_url = config::given(self.simulator_url);
        let simulator_url = simulator_url.map(|url| config::base_url("STIPEND_SIMULATOR_URL", &url));
        let simulator_url = simulator_url.map_or(Some(None), |read| problems.take(read).map(Some));
        let log = config::given(self.log).unwrap_or_else(|| LOG_DEFAULT.to_owned());
        let log = problems.take(config::log_filter(&log));
        let size = data::Size { affiliates: self.affiliates, commissions: self.commissions };
        let read = bind.zip(folder).zip(simulator_url.zip(log));
        let read = problems.none_or_all(read)?.expect("what is not read is a problem");
        let ((bind, folder), (simulator_url, log)) = read;
        Ok(Wanted { bind, folder, size, fresh: self.fresh, simulator_url, log })
    }
}

/// Runs the demo until the program is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let wanted = args.read()?;
    telemetry::start_log(&wanted.log);
    let shutdown = serve::until_signalled()?;
    telemetry::start_metrics()?;
    let listener = serve::listen(wanted.bind).await.context("choose another port, as in --bind 127.0.0.1:3001")?;
    say(&format!("Starting the demo in {}", wanted.folder.display()));
    let local = LocalPostgres::start(&wanted.folder, Purpose::Keep).await?;
    let served = match Database::connect(&local.url()).await {
        Ok(database) => serve_demo(listener, &wanted, &database, &shutdown).await,
        Err(error) => Err(error),
    };
    local.stop().await;
    served
}

async fn serve_demo(
    listener: TcpListener,
    wanted: &Wanted,
    database: &Database,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let Some(prepared) = shutdown.run_until_cancelled(prepare(wanted, database, shutdown)).await else {
        database.pool().close().await;
        return Ok(());
    };
    let (simulator, simulator_url) = prepared?;
    let folder = wanted.folder.clone();
    let mail = Some(Mail::folder(folder.join("mails"), None));
    let data = Data { database_url: None, master_key_file: folder.join("master.key"), folder, log: wanted.log.clone() };
    let serve = Serve {
        bind: wanted.bind,
        metrics_bind: None,
        public_url: None,
        simulator_url: Some(simulator_url.clone()),
        simulator_dropzone: simulator.as_ref().and_then(Simulator::dropzone_address).map(|address| address.to_string()),
        mail,
    };
    let listeners = Listeners { pages: listener, metrics: None };
    let running = Running::start(listeners, &data, &serve, Some(HINTS), database.clone(), shutdown.clone()).await?;
    say(&welcome(&running.address, &simulator_url));
    running.until_stopped().await;
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    Ok(())
}

/// Brings the database and the simulated PayPal up, with the example data in the one and its keys in the other.
async fn prepare(
    wanted: &Wanted,
    database: &Database,
    shutdown: &CancellationToken,
) -> anyhow::Result<(Option<Simulator>, String)> {
    data::refuse_other_data(database, &wanted.folder).await?;
    if wanted.fresh {
        data::drop_everything(database).await?;
    }
    database.migrate().await.context("this demo is of another version; --fresh begins anew")?;
    let journal = wanted.folder.join("simulator.journal");
    let is_new = !data::is_there(database).await?;
    if is_new && journal.exists() {
        // The bank of a database that is gone: nothing here could ever match it.
        std::fs::remove_file(&journal).context("the simulated PayPal's journal cannot be removed")?;
    }
    let simulator = match wanted.simulator_url {
        Some(_) => None,
        None => {
            let accounts = vec![Account { later: LATER, ..Account::new(HINTS.client_id, HINTS.secret) }];
            let (settle_after, journal, clock) = (SETTLE_AFTER, Some(journal), Clock::system());
            // Small enough for a few dozen affiliates to show more than one Part report.
            let part_size = (wanted.size.affiliates as usize / 4).max(10);
            let dropzone = Dropzone { part_size, ..Dropzone::new((Ipv4Addr::LOCALHOST, 0).into(), Vec::new()) };
            let settings = Settings { accounts, settle_after, journal, clock, dropzone: Some(dropzone) };
            Some(Simulator::start((Ipv4Addr::LOCALHOST, 0).into(), settings).await?)
        }
    };
    let url = wanted.simulator_url.clone().or_else(|| simulator.as_ref().map(Simulator::url));
    let url = url.expect("it is given, or one was started");
    if is_new {
        let clock = Clock::system();
        let rehearsal = Rehearsal { http: serve::http_client()?, clock: clock.clone(), simulator: url.clone() };
        rehearsal.join(shutdown).await;
        say(&format!("Making {} affiliates and {} commissions", wanted.size.affiliates, wanted.size.commissions));
        let vault = admin::open_vault(database, &clock, &wanted.folder.join("master.key")).await?;
        data::fill(database, &clock, &vault, wanted.size).await?;
    }
    Ok((simulator, url))
}

fn welcome(address: &str, simulator: &str) -> String {
    let Hints { email, password, client_id, secret } = HINTS;
    format!(
        "
  Stipend is ready at  {address}

  Sign in              {email}
                       {password}

  Simulated PayPal     Client ID  {client_id}
                       Secret     {secret}
                       play it    {simulator}
                       its bank   {simulator}/_simulator/bank

  Legacy connection    Work for Tailwind Books (menu at the top right) to see its upgrade

  Large Batch files    Connect them under Integrations; play PayPal's staff on the simulated PayPal's page

  No real money moves. Ctrl-C stops the demo, the next start goes on where it was, --fresh begins anew.
"
    )
}

/// Tells the person who started it; a demo that nobody listens to goes on.
fn say(words: &str) {
    let _nobody_reads = writeln!(std::io::stdout(), "{words}");
}
