//! The running application: brought up in order, stopped in the reverse order, nothing left half done.

use crate::admin;
use crate::app::{App, Hints};
use crate::carrier::Carrier;
use crate::clock::Clock;
use crate::config::{Data, Serve};
use crate::database::Database;
use crate::database::local::{LocalPostgres, Purpose};
use crate::id::InstanceId;
use crate::mail::outbox;
use crate::paypal;
use crate::presence;
use crate::rehearsal::Rehearsal;
use crate::telemetry;
use crate::web::{self, health};
use crate::worker;
use anyhow::Context;
use axum::Router;
use secrecy::ExposeSecret;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What still runs after this is cut off: every step is made to be cut off anywhere.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// PayPal may take a minute over a large batch.
const CALL_LIMIT: Duration = Duration::from_secs(75);

/// Runs the application until the program is told to stop.
pub async fn run(data: Data, serve: Serve) -> anyhow::Result<()> {
    let shutdown = until_signalled()?;
    telemetry::start_metrics()?;
    // An address in use is told before anything is started.
    let listeners = Listeners::open(&serve).await?;
    let (database, local) = open_database(&data).await?;
    let served = serve_on(listeners, &data, &serve, database, shutdown).await;
    if let Some(local) = local {
        local.stop().await;
    }
    served
}

/// The database, migrated by nobody yet; the local server if it is ours to stop.
pub async fn open_database(data: &Data) -> anyhow::Result<(Database, Option<LocalPostgres>)> {
    if let Some(url) = &data.database_url {
        return Ok((Database::connect(url.expose_secret()).await?, None));
    }
    let local = LocalPostgres::start(&data.folder, Purpose::Keep).await?;
    Ok((Database::connect(&local.url()).await?, Some(local)))
}

/// Serves this database on these addresses until told to stop.
pub async fn serve_on(
    listeners: Listeners,
    data: &Data,
    serve: &Serve,
    database: Database,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    Running::start(listeners, data, serve, None, database, shutdown).await?.until_stopped().await;
    Ok(())
}

/// The addresses it answers on.
#[derive(Debug)]
pub struct Listeners {
    /// Where the pages are.
    pub pages: TcpListener,
    /// Where `/metrics` is, if not beside the pages.
    pub metrics: Option<TcpListener>,
}

impl Listeners {
    async fn open(serve: &Serve) -> anyhow::Result<Self> {
        let pages = listen(serve.bind).await?;
        let metrics = match serve.metrics_bind {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        Ok(Self { pages, metrics })
    }
}

/// An application that answers.
#[derive(Debug)]
pub struct Running {
    app: App,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    /// Where people reach it.
    pub address: String,
}

impl Running {
    /// Starts everything that runs while it answers.
    pub async fn start(
        listeners: Listeners,
        data: &Data,
        serve: &Serve,
        demo: Option<Hints>,
        database: Database,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        database.migrate().await?;
        let clock = Clock::system();
        let vault = admin::open_vault(&database, &clock, &data.master_key_file).await?;
        let http = http_client()?;
        let paypal = paypal::Client::new(http.clone(), serve.simulator_url.clone(), clock.clone());
        let dropzone = paypal::DropZone::new(serve.simulator_url.is_some(), serve.simulator_dropzone.clone());
        let bound = listeners.pages.local_addr()?;
        let app = App {
            database,
            clock,
            vault,
            paypal,
            dropzone,
            carrier: serve.mail.as_ref().map(Carrier::new).transpose().context("e-mail cannot be sent")?,
            public_url: serve.public_url.clone(),
            listens_at: Some(format!("http://{}", within_reach(bound))),
            demo,
            instance: InstanceId::new(),
            wake: Arc::new(Notify::new()),
        };
        presence::announce(&app).await?;
        outbox::announce(&app).await?;
        let setup_code = admin::setup_code(&app.database).await?;
        let address = app.public_url.clone().unwrap_or_else(|| format!("http://{bound}"));
        let tasks = TaskTracker::new();
        if let Some(simulator) = serve.simulator_url.clone() {
            let rehearsal = Rehearsal { http, clock: app.clock.clone(), simulator };
            rehearsal.join(&shutdown).await;
            tasks.spawn(rehearsal.follow(shutdown.clone()));
        }
        let router = match listeners.metrics {
            Some(metrics) => {
                tasks.spawn(answer(metrics, health::metrics(app.clone()), shutdown.clone()));
                router(&app)
            }
            None => router(&app).merge(health::metrics(app.clone())),
        };
        let watched = router.layer(axum::middleware::from_fn_with_state(app.clone(), telemetry::watch));
        tasks.spawn(answer(listeners.pages, watched, shutdown.clone()));
        tasks.spawn(worker::run(app.clone(), shutdown.clone()));
        tasks.spawn(presence::run(app.clone(), shutdown.clone()));
        tracing::info!(listening = %bound, "Stipend {} is ready at {address}", env!("CARGO_PKG_VERSION"));
        if let Some(code) = setup_code {
            tracing::info!("Nobody can sign in yet. Set up this installation at {address}/setup with the code {code}");
        }
        Ok(Self { app, tasks, shutdown, address })
    }

    /// Answers until told to stop, and then finishes what is in hand.
    pub async fn until_stopped(self) {
        self.shutdown.cancelled().await;
        tracing::info!("Stopping, after the requests that are being answered");
        self.tasks.close();
        if tokio::time::timeout(STOP_LIMIT, self.tasks.wait()).await.is_err() {
            tracing::warn!("Some work did not end within {} s and is cut off", STOP_LIMIT.as_secs());
        }
        self.app.database.pool().close().await;
    }
}

fn router(app: &App) -> Router {
    health::routes(app.clone()).merge(web::router(app.clone()))
}

async fn answer(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let stopped = shutdown.clone().cancelled_owned();
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped).await {
        tracing::error!("Requests can no longer be answered: {error}");
        shutdown.cancel();
    }
}

/// "Every address" is none that can be called.
fn within_reach(bound: SocketAddr) -> SocketAddr {
    match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, bound.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, bound.port()).into(),
        IpAddr::V4(_) | IpAddr::V6(_) => bound,
    }
}

/// Takes an address.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on"))
}

/// One client for every call to PayPal. It follows no redirects: the addresses are constants of the program.
pub(crate) fn http_client() -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .timeout(CALL_LIMIT)
        .user_agent(concat!("stipend/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
}

/// Cancelled at the first SIGINT or SIGTERM; from now on neither ends the program by itself.
pub fn until_signalled() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
        }
        token.cancel();
    });
    Ok(shutdown)
}
