//! PayPal's DropZone: an SFTP server with a folder that we put files into and one that PayPal answers in.
//!
//! A file is put once, under its final name: PayPal picks up whatever it finds, a temporary name too. The server must show
//! the key that a person approved. Names that the server tells are compared, and never used as a path of ours.
//! (PayPal's "Large Batch Payouts" page, "Set up a DropZone account".)

use super::Environment;
use russh::client::{self, Handle};
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::fs::{File, Metadata};
use russh_sftp::client::{Config as SftpConfig, SftpSession};
use russh_sftp::protocol::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Until the server has let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Until the server has answered one request. Slow is not lost, and impatience only makes doubt.
const REQUEST_TIMEOUT_SECONDS: u64 = 60;
/// A session that nobody uses ends after so long.
const IDLE: Duration = Duration::from_secs(300);
/// How much of a file is read at once.
const PORTION: usize = 256 * 1024;
/// What an entry's name may come to; PayPal's are below 120 characters.
const MAX_NAME: usize = 255;

impl Environment {
    /// PayPal's DropZone. The simulator has no constant address.
    pub fn dropzone(self) -> Option<&'static str> {
        match self {
            Self::Live => Some("dropzone.paypal.com:22"),
            Self::Sandbox => Some("dropzone.es-ext.paypalcorp.com:22"),
            Self::Simulator => None,
        }
    }
}

/// The merchant's account on the DropZone, and what it takes to get in.
#[derive(Debug, Clone)]
pub struct Account {
    /// Decides the address.
    pub environment: Environment,
    /// The user name that PayPal gave.
    pub user_name: String,
    /// The folder that PayPal picks files up from.
    pub incoming: String,
    /// The folder that PayPal answers in.
    pub outgoing: String,
    /// Our private keys in OpenSSH's form, the one to be tried first at the front.
    pub keys: Vec<SecretString>,
    /// The server's key that a person approved, as an OpenSSH line; none yet: no server is trusted.
    pub host_key: Option<String>,
}

/// Why there is no session. Nothing was sent in any of these cases.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoSession {
    /// No usable answer.
    #[error("the DropZone could not be reached: {0}")]
    Unreachable(String),
    /// The server shows this key, an OpenSSH line, and it is not the approved one.
    #[error("the DropZone shows a key that nobody has approved: {0}")]
    HostKey(String),
    /// The server knows none of our keys for this user.
    #[error("the DropZone does not let this user and key in")]
    SignInRefused,
}

/// A request that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failed {
    /// There is no such file or folder.
    #[error("there is no such file or folder")]
    NotFound,
    /// The server refused: it did nothing.
    #[error("the DropZone refused: {0}")]
    Refused(String),
    /// Anything may have happened: no answer, or a broken one.
    #[error("the connection to the DropZone broke: {0}")]
    Broken(String),
}

impl From<SftpError> for Failed {
    fn from(error: SftpError) -> Self {
        match error {
            SftpError::Status(status) if status.status_code == StatusCode::NoSuchFile => Self::NotFound,
            SftpError::Status(status)
                if !matches!(status.status_code, StatusCode::NoConnection | StatusCode::ConnectionLost) =>
            {
                Self::Refused(format!("{}: {}", status.status_code, shortened(&status.error_message)))
            }
            other => Self::Broken(shortened(&other.to_string())),
        }
    }
}

/// A file in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without any folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// When it was last written, by the server.
    pub modified_at: Option<OffsetDateTime>,
}

/// A key pair of ours, made here. Ed25519: nothing to choose, and signed without any code that is not constant in time.
#[derive(Debug)]
pub struct KeyPair {
    /// The line to be sent to PayPal.
    pub public: String,
    /// The private half, in OpenSSH's form.
    pub private: SecretString,
}

impl KeyPair {
    /// A new one; the comment ends the public line.
    pub fn new(comment: &str) -> Self {
        let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&rand::random()));
        key.set_comment(comment);
        let public = key.public_key().to_openssh().expect("an Ed25519 key can be written");
        let private = key.to_openssh(LineEnding::LF).expect("an Ed25519 key can be written");
        Self { public, private: SecretString::from(private.as_str()) }
    }
}

/// How people compare keys: "SHA256:…". Nothing for what is no key.
pub fn fingerprint(openssh_line: &str) -> Option<String> {
    let key = PublicKey::from_openssh(openssh_line).ok()?;
    Some(key.fingerprint(HashAlg::Sha256).to_string())
}

/// Opens sessions and keeps them for the next request.
#[derive(Clone)]
pub struct DropZone {
    simulator: Option<String>,
    rehearses: bool,
    sessions: Arc<Mutex<HashMap<[u8; 32], Arc<Session>>>>,
}

impl DropZone {
    /// Reaches PayPal's servers; or, in a rehearsal, only the simulated one at `simulator` if there is one.
    pub fn new(rehearses: bool, simulator: Option<String>) -> Self {
        Self { simulator, rehearses, sessions: Arc::default() }
    }

    /// Whether this installation can reach the DropZone of this environment at all.
    pub fn offers(&self, environment: Environment) -> bool {
        self.address(environment).is_some()
    }

    /// Where it is, as "host:port". Live and sandbox cannot be reached while this installation rehearses.
    pub fn address(&self, environment: Environment) -> Option<&str> {
        match environment {
            Environment::Simulator => self.simulator.as_deref(),
            Environment::Live | Environment::Sandbox => environment.dropzone().filter(|_| !self.rehearses),
        }
    }

    /// A session of this account: the one that is open, or a new one.
    pub async fn session(&self, account: &Account) -> Result<Arc<Session>, NoSession> {
        let key = identity(account);
        if let Some(open) = self.known().get(&key).filter(|session| !session.handle.is_closed()) {
            return Ok(Arc::clone(open));
        }
        let session = Arc::new(self.open(account).await?);
        let mut known = self.known();
        known.retain(|_, session| !session.handle.is_closed());
        known.insert(key, Arc::clone(&session));
        Ok(session)
    }

    /// Forgets a session in which a request broke.
    pub fn forget(&self, account: &Account) {
        self.known().remove(&identity(account));
    }

    /// Opens a session that nobody else uses.
    pub async fn open(&self, account: &Account) -> Result<Session, NoSession> {
        let address = self.address(account.environment);
        let address = address.ok_or_else(|| NoSession::Unreachable("this installation knows no address".into()))?;
        match tokio::time::timeout(CONNECT_TIMEOUT, Session::open(address, account)).await {
            Ok(opened) => opened,
            Err(_) => Err(NoSession::Unreachable(format!("no answer in {} seconds", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for DropZone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DropZone").field("simulator", &self.simulator).finish_non_exhaustive()
    }
}

/// Whoever changes anything about an account gets another session.
fn identity(account: &Account) -> [u8; 32] {
    let mut digest = Sha256::new();
    let host_key = account.host_key.as_deref().unwrap_or_default();
    for text in [account.environment.code(), &account.user_name, &account.incoming, &account.outgoing, host_key] {
        digest.update(text);
        digest.update([0]);
    }
    account.keys.iter().for_each(|key| digest.update(key.expose_secret()));
    digest.finalize().into()
}

/// A signed-in connection with the two folders.
pub struct Session {
    handle: Handle<OnlyApproved>,
    sftp: SftpSession,
    incoming: String,
    outgoing: String,
    key: usize,
}

impl Session {
    async fn open(address: &str, account: &Account) -> Result<Self, NoSession> {
        let unreachable = |error: russh::Error| NoSession::Unreachable(shortened(&error.to_string()));
        let shown = Arc::new(Mutex::new(None));
        let approved = OnlyApproved { host_key: account.host_key.clone(), shown: Arc::clone(&shown) };
        let config = client::Config { inactivity_timeout: Some(IDLE), nodelay: true, ..client::Config::default() };
        let mut handle = match client::connect(Arc::new(config), address, approved).await {
            Ok(handle) => handle,
            Err(error) => {
                let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
                return Err(shown.map_or_else(|| unreachable(error), NoSession::HostKey));
            }
        };
        let mut key = None;
        for (place, text) in account.keys.iter().enumerate() {
            let private = PrivateKey::from_openssh(text.expose_secret())
                .map_err(|error| NoSession::Unreachable(format!("our key cannot be read: {error}")))?;
            let private = PrivateKeyWithHashAlg::new(Arc::new(private), None);
            let asked = handle.authenticate_publickey(&account.user_name, private).await.map_err(unreachable)?;
            if asked.success() {
                key = Some(place);
                break;
            }
        }
        let key = key.ok_or(NoSession::SignInRefused)?;
        let channel = handle.channel_open_session().await.map_err(unreachable)?;
        channel.request_subsystem(true, "sftp").await.map_err(unreachable)?;
        let config = SftpConfig { request_timeout_secs: REQUEST_TIMEOUT_SECONDS, ..SftpConfig::default() };
        let sftp = SftpSession::new_with_config(channel.into_stream(), config)
            .await
            .map_err(|error| NoSession::Unreachable(shortened(&error.to_string())))?;
        let (incoming, outgoing) = (account.incoming.clone(), account.outgoing.clone());
        Ok(Self { handle, sftp, incoming, outgoing, key })
    }

    /// Which of the account's keys the server knows.
    pub fn key(&self) -> usize {
        self.key
    }

    /// The files that PayPal has not picked up yet.
    pub async fn incoming(&self) -> Result<Vec<Entry>, Failed> {
        self.list(&self.incoming).await
    }

    /// The files that PayPal has answered with.
    pub async fn outgoing(&self) -> Result<Vec<Entry>, Failed> {
        self.list(&self.outgoing).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<Entry>, Failed> {
        let entries = self.sftp.read_dir(folder).await?;
        let files = entries.filter(|entry| !entry.file_type().is_dir() && is_plain(&entry.file_name()));
        Ok(files
            .map(|entry| {
                let seen = entry.metadata();
                Entry { name: entry.file_name(), bytes: seen.len(), modified_at: written(&seen) }
            })
            .collect())
    }

    /// How much of a file stands in the Incoming folder; nothing if it is not there.
    pub async fn bytes_in_incoming(&self, name: &str) -> Result<Option<u64>, Failed> {
        match self.sftp.metadata(format!("{}/{name}", self.incoming)).await {
            Ok(found) => Ok(Some(found.len())),
            Err(error) => match Failed::from(error) {
                Failed::NotFound => Ok(None),
                other => Err(other),
            },
        }
    }

    /// Whether a file of PayPal's is still as it was listed.
    pub async fn is_unchanged(&self, entry: &Entry) -> Result<bool, Failed> {
        let now = self.sftp.metadata(format!("{}/{}", self.outgoing, entry.name)).await?;
        Ok(now.len() == entry.bytes && written(&now) == entry.modified_at)
    }

    /// Begins the one put of a file, under its final name. From here on PayPal may take what stands there.
    pub async fn put(&self, name: &str) -> Result<Put, Failed> {
        Ok(Put { file: self.sftp.create(format!("{}/{name}", self.incoming)).await? })
    }

    /// Begins to read a file of PayPal's.
    pub async fn get(&self, entry: &Entry) -> Result<Get, Failed> {
        let file = self.sftp.open(format!("{}/{}", self.outgoing, entry.name)).await?;
        Ok(Get { file, portion: vec![0; PORTION] })
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// A file on its way to PayPal.
pub struct Put {
    file: File,
}

impl Put {
    /// Sends the next portion.
    pub async fn write(&mut self, portion: &[u8]) -> Result<(), Failed> {
        self.file.write_all(portion).await.map_err(broken)
    }

    /// Waits until the server has confirmed every portion, and the end.
    pub async fn finish(self) -> Result<(), Failed> {
        self.file.close().await.map_err(broken)
    }
}

/// A file on its way from PayPal.
pub struct Get {
    file: File,
    portion: Vec<u8>,
}

impl Get {
    /// The next portion; empty at the end.
    pub async fn next(&mut self) -> Result<&[u8], Failed> {
        let length = self.file.read(&mut self.portion).await.map_err(broken)?;
        Ok(&self.portion[..length])
    }
}

/// Lets nothing but the approved server through, and remembers what another one showed.
struct OnlyApproved {
    host_key: Option<String>,
    shown: Arc<Mutex<Option<String>>>,
}

impl client::Handler for OnlyApproved {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else { return Ok(false) };
        let approved = self.host_key.as_deref().and_then(|line| PublicKey::from_openssh(line).ok());
        if approved.is_some_and(|approved| approved.key_data() == key.key_data()) {
            return Ok(true);
        }
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = key.to_openssh().ok();
        Ok(false)
    }
}

/// When a file was last written.
fn written(seen: &Metadata) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(i64::from(seen.mtime?)).ok()
}

/// A name that is a name: what a hostile server calls a file must lead nowhere.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.contains(['/', '\\']) && !name.chars().any(char::is_control)
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn broken(error: std::io::Error) -> Failed {
    Failed::Broken(shortened(&error.to_string()))
}

/// What a server says may be anything.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
