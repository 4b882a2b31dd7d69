//! A Postgres of our own, in the data folder, for installations without a `DATABASE_URL`.
//!
//! It is started and stopped with the application, listens on a socket that nobody else may use and on no network, and
//! survives what happens to either of the two: the application killed, the server killed, both killed. It never
//! empties a data folder, and never trusts a process id alone.

mod binaries;
mod cluster;
mod folder;
mod processes;

use anyhow::{Context, bail};
use cluster::{Cluster, Server};
use folder::Folder;
use nix::sys::signal::Signal;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How often a server that does not start again is tried.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// After this long a stop is no longer asked for politely.
const POLITE_STOP: Duration = Duration::from_secs(30);
/// After this long the server is left to the system, which ends it with us.
const LAST_STOP: Duration = Duration::from_secs(40);

/// What the data is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Every commit reaches the disk before it is answered.
    Keep,
    /// A test's data, gone with the test: nothing waits for the disk.
    ThrowAway,
}

impl Purpose {
    fn initdb_flags(self) -> &'static [&'static str] {
        match self {
            Self::Keep => &[],
            Self::ThrowAway => &["--no-sync"],
        }
    }

    fn settings(self) -> &'static [&'static str] {
        match self {
            // A server for one application, on a machine that does other things too.
            Self::Keep => &["-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB"],
            Self::ThrowAway => &[
                "-c",
                "fsync=off",
                "-c",
                "synchronous_commit=off",
                "-c",
                "full_page_writes=off",
                "-c",
                "max_connections=500",
            ],
        }
    }

    /// What ends the server when this process is killed.
    fn last_signal(self) -> Signal {
        match self {
            Self::Keep => Signal::SIGINT,
            Self::ThrowAway => Signal::SIGQUIT,
        }
    }
}

/// A running local Postgres. Dropped, it stops.
#[derive(Debug)]
pub struct LocalPostgres {
    cluster: Cluster,
    stopping: Arc<AtomicBool>,
    supervisor: Option<JoinHandle<()>>,
    /// Held until the server has stopped: one instance a folder.
    _lock: File,
}

impl LocalPostgres {
    /// Starts the server of this folder, or takes over the one that an instance left behind; sets it up first if the
    /// folder is empty.
    pub async fn start(data_dir: &Path, purpose: Purpose) -> anyhow::Result<Self> {
        let folder = Folder::prepare(data_dir)?;
        let Some(lock) = folder.lock()? else {
            bail!("another instance is already using the data folder {}", folder.path().display());
        };
        let stopping = Arc::new(AtomicBool::new(false));
        let (started, outcome) = oneshot::channel();
        // The server ends with the thread that started it, so it gets a thread that does nothing else.
        let told_to_stop = Arc::clone(&stopping);
        let supervisor = std::thread::Builder::new()
            .name("local-postgres".to_owned())
            .spawn(move || supervise(folder, purpose, &told_to_stop, started))?;
        let cluster = outcome.await.context("the local Postgres could not be watched over")??;
        Ok(Self { cluster, stopping, supervisor: Some(supervisor), _lock: lock })
    }

    /// The address of the server that another instance runs over this folder, if one does: a command of administration
    /// joins it.
    pub fn of_another_instance(data_dir: &Path) -> anyhow::Result<Option<String>> {
        if !data_dir.join("app.lock").exists() {
            return Ok(None);
        }
        let folder = Folder::prepare(data_dir)?;
        Ok(if folder.lock()?.is_none() { Some(url(&folder)) } else { None })
    }

    /// How to connect.
    pub fn url(&self) -> String {
        url(&self.cluster.folder)
    }

    /// Stops the server: commits are kept, connections are ended.
    pub async fn stop(mut self) {
        tokio::task::spawn_blocking(move || self.halt()).await.expect("stopping does not panic");
    }

    fn halt(&mut self) {
        let Some(supervisor) = self.supervisor.take() else { return };
        self.stopping.store(true, Ordering::Relaxed);
        let mut waited = Duration::ZERO;
        // Asked again and again, since it may just be starting anew.
        while !supervisor.is_finished() {
            if waited >= LAST_STOP {
                tracing::error!("The local Postgres does not stop");
                return;
            }
            if waited.is_zero() || waited >= POLITE_STOP || waited.subsec_millis() == 0 {
                self.cluster.ask_to_stop(if waited < POLITE_STOP { Signal::SIGINT } else { Signal::SIGQUIT });
            }
            std::thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
        let _already_logged = supervisor.join();
        let (folder, socket_dir) = (self.cluster.folder.path(), self.cluster.folder.socket_dir());
        if !socket_dir.starts_with(folder) {
            let _made_anew_at_the_next_start = std::fs::remove_dir(socket_dir);
        }
    }
}

impl Drop for LocalPostgres {
    fn drop(&mut self) {
        self.halt();
    }
}

fn url(folder: &Folder) -> String {
    let mut url = reqwest::Url::parse("postgres://postgres@localhost:5432/stipend?sslmode=disable").expect("it is one");
    url.query_pairs_mut().append_pair("host", &folder.socket_dir().to_string_lossy());
    url.into()
}

type Started = oneshot::Sender<anyhow::Result<Cluster>>;

/// Keeps the server running until told to stop: one that was killed is started again.
fn supervise(folder: Folder, purpose: Purpose, stopping: &AtomicBool, started: Started) {
    let up = Cluster::open(folder, purpose).and_then(|cluster| Ok((cluster.bring_up()?, cluster)));
    let (mut server, cluster) = match up {
        Ok(up) => up,
        Err(error) => {
            let _nobody_waits = started.send(Err(error));
            return;
        }
    };
    if started.send(Ok(cluster.clone())).is_err() {
        return; // whoever asked for it has gone, and the server ends with this thread
    }
    loop {
        let ended = cluster.wait(server);
        if stopping.load(Ordering::Relaxed) {
            return;
        }
        tracing::error!("The local Postgres ended ({ended}); starting it again");
        match start_again(&cluster, stopping) {
            Some(again) => server = again,
            None => return,
        }
    }
}

fn start_again(cluster: &Cluster, stopping: &AtomicBool) -> Option<Server> {
    while !stopping.load(Ordering::Relaxed) {
        match cluster.bring_up() {
            Ok(server) => {
                tracing::info!("The local Postgres runs again");
                return Some(server);
            }
            Err(error) => tracing::error!("The local Postgres does not start: {error:#}"),
        }
        std::thread::sleep(TRY_EVERY);
    }
    None
}
