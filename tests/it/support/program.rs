//! The real program, run as a process of its own.

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, User, chown};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;
use tokio::runtime::RuntimeFlavor;
use tokio::task::block_in_place;

/// Nothing here takes this long, but a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where tests keep their files: below folders that every user can enter.
pub fn test_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("stipend-tests-{}", Uid::effective()));
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o711)).unwrap();
    folder
}

/// Looks until it is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let tries = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
    assert!(
        (0..tries).any(|_| is_so() || {
            std::thread::sleep(LOOK_EVERY);
            false
        }),
        "not so after a long time: {what}"
    );
}

/// As whom the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAs {
    /// As the user who runs the tests.
    Us,
    /// As a user without rights, which only root can do.
    Nobody,
}

impl RunAs {
    /// Every user that a test can run the program as: root can be anybody, others are only themselves.
    pub fn everyone() -> Vec<Self> {
        if Uid::effective().is_root() { vec![Self::Us, Self::Nobody] } else { vec![Self::Us] }
    }

    fn ids(self) -> Option<(Uid, Gid)> {
        match self {
            Self::Us => None,
            Self::Nobody => User::from_name("nobody").unwrap().map(|user| (user.uid, user.gid)),
        }
    }

    /// Whether a server of this user's program runs as somebody else.
    pub fn is_root(self) -> bool {
        self == Self::Us && Uid::effective().is_root()
    }
}

/// A data folder of one test, gone with it.
#[derive(Debug)]
pub struct DataFolder {
    outer: PathBuf,
    pub run_as: RunAs,
}

impl DataFolder {
    pub fn new(run_as: RunAs) -> Self {
        let outer = test_folder().join(uuid::Uuid::now_v7().simple().to_string());
        fs::create_dir(&outer).unwrap();
        fs::set_permissions(&outer, Permissions::from_mode(0o755)).unwrap();
        if let Some((uid, gid)) = run_as.ids() {
            chown(&outer, Some(uid), Some(gid)).unwrap();
        }
        Self { outer, run_as }
    }

    /// The folder above the data folder.
    pub fn outer(&self) -> &Path {
        &self.outer
    }

    pub fn path(&self) -> PathBuf {
        self.outer.join("data")
    }

    pub fn pg(&self) -> PathBuf {
        self.path().join("pg")
    }

    /// The server's process, as the server tells it.
    pub fn postmaster(&self) -> Pid {
        let text = fs::read_to_string(self.pg().join("postmaster.pid")).unwrap();
        Pid::from_raw(text.lines().next().unwrap().trim().parse().unwrap())
    }

    pub fn server_url(&self) -> String {
        format!("postgres://postgres@localhost:5432/stipend?host={}", self.path().join("run").display())
    }

    /// Runs a verb that ends by itself.
    pub fn run(&self, verb: &[&str]) -> Output {
        let mut command = program(self.run_as);
        command.args(verb).arg("--data-dir").arg(self.path());
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs the application until it answers.
    pub fn serve(&self) -> Program {
        self.serve_with(&[])
    }

    /// Runs the application until it answers, with further flags.
    pub fn serve_with(&self, flags: &[&str]) -> Program {
        let mut command = program(self.run_as);
        command.args(["serve", "--bind", "127.0.0.1:0", "--data-dir"]).arg(self.path()).args(flags);
        Program::start(command)
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        let _nothing_depends_on_it = fs::remove_dir_all(&self.outer);
    }
}

/// The program's command line, with nothing of this process's own configuration.
pub fn program(run_as: RunAs) -> Command {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_stipend"));
    let mut command = Command::new(if run_as == RunAs::Nobody { within_reach_of_everybody(&binary) } else { binary });
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STIPEND_") || name == "DATABASE_URL") {
        command.env_remove(name);
    }
    if let Some((uid, gid)) = run_as.ids() {
        command.uid(uid.as_raw()).gid(gid.as_raw()).env("HOME", "/nonexistent");
    }
    command.current_dir("/");
    command
}

/// The checkout may lie where only its owner can enter.
fn within_reach_of_everybody(binary: &Path) -> PathBuf {
    let open = |folder: &Path| fs::metadata(folder).unwrap().permissions().mode() & 0o001 != 0;
    if binary.ancestors().all(open) {
        return binary.to_owned();
    }
    let copy = test_folder().join("stipend");
    let fresh = test_folder().join(format!("stipend.{}", uuid::Uuid::now_v7().simple()));
    fs::copy(binary, &fresh).unwrap();
    fs::set_permissions(&fresh, Permissions::from_mode(0o755)).unwrap();
    fs::rename(&fresh, &copy).unwrap();
    copy
}

/// Runs a command with something on its standard input.
pub fn run_with_input(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The running application. Dropped, it is killed.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    /// What it has told so far, as far as it was looked at.
    pub log: Vec<String>,
    /// Where it listens.
    pub address: String,
}

impl Program {
    /// Starts it and waits until it says that it is ready.
    pub fn start(command: Command) -> Self {
        let mut program = Self::spawn(command);
        let ready = program.wait_for_line("\"listening\"");
        let line: serde_json::Value = serde_json::from_str(&ready).unwrap();
        program.address = format!("http://{}", line["listening"].as_str().unwrap());
        program
    }

    /// Starts it.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let also = sender.clone();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| also.send(line))
        });
        std::thread::spawn(move || {
            BufReader::new(err).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines, log: Vec::new(), address: String::new() }
    }

    /// Waits until it logs this.
    pub fn wait_for_line(&mut self, part: &str) -> String {
        // On a test's own runtime the waiting must not stop what the program waits for.
        let waits_beside_others = tokio::runtime::Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
        if waits_beside_others { block_in_place(|| self.read_until(part)) } else { self.read_until(part) }
    }

    /// Gives up after so much silence in all: a program may go on telling other things for ever.
    fn read_until(&mut self, part: &str) -> String {
        let mut silence = Duration::ZERO;
        while silence < PATIENCE {
            match self.lines.recv_timeout(LOOK_EVERY) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => silence += LOOK_EVERY,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        panic!("it never logged {part:?}, but:\n{}", self.log.join("\n"));
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// The status and text of a page.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.address)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Sends a signal and waits for the end.
    pub fn end_by(&mut self, signal: Signal) -> ExitStatus {
        kill(self.pid(), signal).unwrap();
        self.wait()
    }

    /// Whether it runs no more.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end, and reads the rest of the log.
    pub fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually("the program ends", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        self.log.extend(self.lines.iter());
        ended.unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}
