//! PayPal's DropZone: an SFTP server that takes Large Batch files, checks them, pays them from the same bank, and puts
//! answers and reports into the sender's folder.
//!
//! Written from PayPal's page "Large Batch Payouts" and its later pages, never from a client of ours.

mod check;
mod content;
pub mod door;
pub mod faults;
pub mod folders;
pub mod keys;
pub mod ledger;
pub mod pick_up;
mod record;
mod refusal;
pub mod report;
mod sftp;
pub mod ssh;

use folders::Folders;
use keys::HostKey;
pub use ledger::{Ledger, Origin};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How a DropZone behaves.
#[derive(Debug, Clone)]
pub struct Dropzone {
    /// Where its SFTP server listens; port 0 takes any free port.
    pub listen: SocketAddr,
    /// Who may connect from the start.
    pub accounts: Vec<DropzoneAccount>,
    /// How long after the last write a file is picked up, in real time.
    pub pick_up_after: Duration,
    /// How many items make a part: 500,000 at PayPal.
    pub part_size: usize,
}

impl Dropzone {
    /// One that takes PayPal's parts and picks files up after a second.
    pub fn new(listen: SocketAddr, accounts: Vec<DropzoneAccount>) -> Dropzone {
        Dropzone { listen, accounts, pick_up_after: Duration::from_secs(1), part_size: 500_000 }
    }
}

/// An SFTP account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropzoneAccount {
    /// The name it connects by.
    pub user: String,
    /// From whose balance its files are paid.
    pub client_id: String,
    /// The keys it may prove to have, as in an OpenSSH `.pub` file. There may be none yet.
    pub public_keys: Vec<String>,
}

/// A DropZone that runs.
#[derive(Debug)]
pub struct Zone {
    /// Where it listens.
    pub address: SocketAddr,
    /// How long after the last write a file is picked up.
    pub pick_up_after: Duration,
    /// How many items make a part.
    pub part_size: usize,
    /// Where the host key is kept.
    key_file: Option<PathBuf>,
    host_key: Mutex<HostKey>,
    /// Apart from the bank: a client that writes never waits for a file that is being processed.
    folders: Mutex<Folders>,
}

impl Zone {
    /// A DropZone without files, with the host key that it has beside its journal.
    pub fn new(settings: &Dropzone, address: SocketAddr, journal: Option<&Path>) -> anyhow::Result<Zone> {
        let key_file = journal.map(|journal| {
            let mut name = journal.as_os_str().to_owned();
            name.push(".host_key");
            PathBuf::from(name)
        });
        let host_key = HostKey::open(key_file.as_deref())?;
        Ok(Zone {
            address,
            pick_up_after: settings.pick_up_after,
            part_size: settings.part_size,
            key_file,
            host_key: Mutex::new(host_key),
            folders: Mutex::new(Folders::default()),
        })
    }

    /// The folders. Whoever needs the bank as well takes that first.
    pub fn folders(&self) -> MutexGuard<'_, Folders> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host key of the next connection.
    pub fn host_key(&self) -> HostKey {
        self.host_key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has another host key from the next connection on.
    pub fn change_host_key(&self) -> anyhow::Result<()> {
        let key = HostKey::make(self.key_file.as_deref())?;
        *self.host_key.lock().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }
}

/// Reads `USER:CLIENT_ID:PUBLIC_KEY_FILE`.
pub fn account(text: &str) -> Result<DropzoneAccount, String> {
    let mut parts = text.splitn(3, ':').map(str::to_owned).filter(|part| !part.is_empty());
    let (Some(user), Some(client_id), Some(file)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("expected USER:CLIENT_ID:PUBLIC_KEY_FILE".to_owned());
    };
    let keys = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    keys::read(&keys).map_err(|why| format!("{file}: {why}"))?;
    Ok(DropzoneAccount { user, client_id, public_keys: vec![keys] })
}
