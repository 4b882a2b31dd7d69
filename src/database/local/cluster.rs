//! One server over one data folder: made, started, found again after a crash.

use super::Purpose;
use super::binaries::{Binaries, initialised_by};
use super::folder::Folder;
use super::processes::{serves, serving, signal};
use anyhow::{Context, bail, ensure};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How often a state is looked at while something is about to change.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Recovery after a crash may have much to replay.
const START_LIMIT: Duration = Duration::from_secs(600);
/// A living server is taken over only after it has stayed ready this long: one whose application was just killed is
/// about to stop by itself.
const ADOPTED_AFTER: Duration = Duration::from_millis(150);
/// Backends whose server was killed end by themselves, if they can, within this time.
const SURVIVORS_LIMIT: Duration = Duration::from_secs(3);
/// The log begins anew at a start that finds it longer than this.
const LOG_MAX_BYTES: u64 = 16 << 20;

/// Everything needed to run the server, again if need be.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) folder: Folder,
    binaries: Binaries,
    purpose: Purpose,
}

/// A server that is ready.
#[derive(Debug)]
pub(super) enum Server {
    /// Ours from its birth.
    Child(Child),
    /// Left behind by an instance that was killed where the system does not end its children.
    Adopted(Pid),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Ready,
    Changing,
}

impl Cluster {
    /// Finds the programs; makes the server's files if there are none.
    pub(super) fn open(folder: Folder, purpose: Purpose) -> anyhow::Result<Self> {
        let initialised = folder.pg().exists().then(|| initialised_by(&folder.pg())).transpose()?;
        let binaries = Binaries::find(initialised)?;
        let cluster = Self { folder, binaries, purpose };
        if initialised.is_none() {
            cluster.initialise().context("the local Postgres could not be set up")?;
        }
        Ok(cluster)
    }

    fn initialise(&self) -> anyhow::Result<()> {
        tracing::info!(
            postgres = self.binaries.major,
            "Setting up a local Postgres in {}",
            self.folder.path().display()
        );
        let new = self.folder.pg_new();
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        self.folder.make_private(&new)?;
        let locale = if cfg!(target_os = "macos") { "--locale=C" } else { "--locale=C.UTF-8" };
        let mut initdb = self.command("initdb", Signal::SIGTERM);
        initdb.arg("-D").arg(&new).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", locale]);
        initdb.args(["--data-checksums", "--no-instructions"]).args(self.purpose.initdb_flags());
        finish(initdb, "")?;
        let mut single = self.command("postgres", Signal::SIGTERM);
        single.arg("--single").arg("-D").arg(&new).args(self.purpose.settings()).arg("postgres");
        finish(single, "create database stipend\n")?;
        fs::rename(&new, self.folder.pg())?;
        File::open(self.folder.path())?.sync_all()?;
        Ok(())
    }

    /// A ready server: the one that is still there, or a new one.
    pub(super) fn bring_up(&self) -> anyhow::Result<Server> {
        if let Some(pid) = self.predecessor()? {
            tracing::warn!(%pid, "Taking over the Postgres that an earlier instance left running");
            return Ok(Server::Adopted(pid));
        }
        self.clear_away()?;
        let child = self.spawn()?;
        self.ready(child).map(Server::Child)
    }

    /// Waits until a server that is still there has either ended or proved that it stays.
    fn predecessor(&self) -> anyhow::Result<Option<Pid>> {
        let (mut waited, mut ready_for) = (Duration::ZERO, Duration::ZERO);
        while let Some((pid, status)) = self.postmaster() {
            if ready_for >= ADOPTED_AFTER {
                return Ok(Some(pid));
            }
            ensure!(
                waited < START_LIMIT,
                "the Postgres of an earlier instance (process {pid}) does not come to an end"
            );
            std::thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
            ready_for = if status == Status::Ready { ready_for + LOOK_EVERY } else { Duration::ZERO };
        }
        Ok(None)
    }

    /// Removes what a killed server left behind, once nothing of it lives: two servers on one folder destroy it.
    fn clear_away(&self) -> anyhow::Result<()> {
        let pg = self.folder.pg();
        let mut waited = Duration::ZERO;
        loop {
            let alive = serving(&pg);
            if alive.is_empty() {
                break;
            }
            ensure!(waited < 3 * SURVIVORS_LIMIT, "processes of a killed Postgres do not end: {alive:?}");
            if waited >= SURVIVORS_LIMIT {
                let harder = if waited < 2 * SURVIVORS_LIMIT { Signal::SIGQUIT } else { Signal::SIGKILL };
                alive.into_iter().for_each(|pid| signal(pid, &pg, harder));
            }
            std::thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
        for left_behind in [pg.join("postmaster.pid"), self.folder.socket(), self.folder.socket_lock()] {
            if let Err(error) = fs::remove_file(&left_behind)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(error).with_context(|| format!("{} cannot be removed", left_behind.display()));
            }
        }
        Ok(())
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let socket_dir = self.folder.socket_dir();
        self.folder.make_private(&socket_dir)?;
        let log_path = self.folder.log();
        if fs::metadata(&log_path).is_ok_and(|log| log.len() > LOG_MAX_BYTES) {
            fs::remove_file(&log_path)?;
        }
        let log = OpenOptions::new().append(true).create(true).open(&log_path)?;
        let mut postgres = self.command("postgres", self.purpose.last_signal());
        postgres.arg("-D").arg(self.folder.pg()).arg("-k").arg(socket_dir);
        postgres.args(["-c", "listen_addresses=", "-c", "port=5432", "-c", "unix_socket_permissions=0700"]);
        postgres.args(["-c", "logging_collector=off", "-c", "log_destination=stderr"]).args(self.purpose.settings());
        postgres.stdout(log.try_clone()?).stderr(log);
        postgres.spawn().with_context(|| format!("{} cannot be started", self.binaries.program("postgres").display()))
    }

    fn ready(&self, mut child: Child) -> anyhow::Result<Child> {
        let ours = Pid::from_raw(i32::try_from(child.id()).expect("a process id fits"));
        let mut waited = Duration::ZERO;
        while self.postmaster() != Some((ours, Status::Ready)) {
            if let Some(ended) = child.try_wait()? {
                let log = self.folder.log();
                bail!("the local Postgres did not start ({ended}). {} ends with:\n{}", log.display(), tail(&log));
            }
            ensure!(waited < START_LIMIT, "the local Postgres did not become ready in {} s", START_LIMIT.as_secs());
            std::thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
        Ok(child)
    }

    /// The living server of this folder, as it tells of itself in `postmaster.pid`.
    fn postmaster(&self) -> Option<(Pid, Status)> {
        let pg = self.folder.pg();
        let text = fs::read_to_string(pg.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok().map(Pid::from_raw).filter(|pid| serves(*pid, &pg))?;
        let ready = lines.nth(6).is_some_and(|status| status.trim() == "ready");
        Some((pid, if ready { Status::Ready } else { Status::Changing }))
    }

    /// Asks the living server, if there is one, to stop.
    pub(super) fn ask_to_stop(&self, how: Signal) {
        if let Some((pid, _)) = self.postmaster() {
            signal(pid, &self.folder.pg(), how);
        }
    }

    /// Waits until the server has ended, however it ends.
    pub(super) fn wait(&self, server: Server) -> String {
        match server {
            Server::Child(mut child) => child.wait().map_or_else(|error| error.to_string(), |ended| ended.to_string()),
            Server::Adopted(pid) => {
                while serves(pid, &self.folder.pg()) {
                    std::thread::sleep(10 * LOOK_EVERY);
                }
                "it was not our child".to_owned()
            }
        }
    }

    /// A program of Postgres, as the user it may run as, that gets `last_signal` when this thread ends. The thread, not
    /// the process, is what the system watches: whoever calls this must stay for as long as the program runs.
    fn command(&self, program: &str, last_signal: Signal) -> Command {
        let mut command = Command::new(self.binaries.program(program));
        // Ctrl-C reaches the application alone, which then stops its server itself, after the last request.
        command.current_dir("/").process_group(0).stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").env("TZ", "UTC");
        if let Some(owner) = &self.folder.owner {
            command.uid(owner.uid.as_raw()).gid(owner.gid.as_raw());
        }
        end_with_us(&mut command, last_signal);
        command
    }
}

/// Set after the change of user, which would forget it.
#[cfg(target_os = "linux")]
fn end_with_us(command: &mut Command, last_signal: Signal) {
    let us = Pid::this();
    let watch = move || {
        nix::sys::prctl::set_pdeathsig(last_signal)?;
        // If we ended before the line above, nobody will send that signal.
        if Pid::parent() == us { Ok(()) } else { Err(std::io::Error::from(std::io::ErrorKind::Interrupted)) }
    };
    #[expect(unsafe_code, reason = "the closure only makes two system calls, which is allowed between fork and exec")]
    unsafe {
        command.pre_exec(watch);
    }
}

/// Nothing of the kind here: a server left behind is taken over at the next start.
#[cfg(not(target_os = "linux"))]
fn end_with_us(_command: &mut Command, _last_signal: Signal) {}

/// Runs a program to its end; what it told becomes the error if it fails.
fn finish(mut command: Command, input: &str) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} cannot be started"))?;
    child.stdin.take().expect("it is piped").write_all(input.as_bytes())?;
    let ended = child.wait_with_output()?;
    // A single-user server ends well even when a statement has failed.
    let told = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success() && !told.contains("ERROR:"), "{program} failed ({}): {}", ended.status, told.trim());
    Ok(())
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(6).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
