//! Which processes belong to a data folder. A process id alone proves nothing: it may be a zombie's, or have been given
//! to a stranger since.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;

/// Whether this process is alive and serves this folder: every Postgres process works in its data folder.
#[cfg(target_os = "linux")]
pub(super) fn serves(pid: Pid, folder: &Path) -> bool {
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|works_in| works_in == folder)
}

/// Whether this process is alive and serves this folder. There is no /proc here, but the command line names the folder.
#[cfg(not(target_os = "linux"))]
pub(super) fn serves(pid: Pid, folder: &Path) -> bool {
    let listed = std::process::Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output();
    listed.is_ok_and(|listed| String::from_utf8_lossy(&listed.stdout).contains(&*folder.to_string_lossy()))
}

/// Every living process of this folder's server.
#[cfg(target_os = "linux")]
pub(super) fn serving(folder: &Path) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok().map(Pid::from_raw))
        .filter(|pid| serves(*pid, folder))
        .collect()
}

/// Every living process of this folder's server, as far as this platform tells.
#[cfg(not(target_os = "linux"))]
pub(super) fn serving(_folder: &Path) -> Vec<Pid> {
    Vec::new()
}

/// Sends a signal, if the process still serves the folder.
pub(super) fn signal(pid: Pid, folder: &Path, signal: Signal) {
    if serves(pid, folder) {
        let _ended_meanwhile = kill(pid, signal);
    }
}
