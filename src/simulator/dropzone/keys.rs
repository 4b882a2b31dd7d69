//! The server's key, and those of its users.

use anyhow::Context;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The key by which clients know the server again.
#[derive(Debug, Clone)]
pub struct HostKey(pub PrivateKey);

impl HostKey {
    /// The key in the file, or a new one.
    pub fn open(file: Option<&Path>) -> anyhow::Result<HostKey> {
        match file.filter(|file| file.exists()) {
            None => HostKey::make(file),
            Some(file) => {
                let describe = || format!("the simulated DropZone's host key {}", file.display());
                let text = fs::read_to_string(file).with_context(describe)?;
                Ok(HostKey(PrivateKey::from_openssh(text).with_context(describe)?))
            }
        }
    }

    /// A new Ed25519 key, kept in the file.
    pub fn make(file: Option<&Path>) -> anyhow::Result<HostKey> {
        let pair = Ed25519Keypair::from_seed(&rand::random());
        let key = PrivateKey::new(KeypairData::Ed25519(pair), "stipend-dropzone")?;
        if let Some(path) = file {
            let describe = || format!("the simulated DropZone's host key {}", path.display());
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
            let text = key.to_openssh(LineEnding::LF)?;
            file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(describe)?;
        }
        Ok(HostKey(key))
    }

    /// `SHA256:...`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The public half, as in a known_hosts file after the host.
    pub fn public(&self) -> String {
        self.0.public_key().to_openssh().unwrap_or_default()
    }
}

/// The keys of a `.pub` file: one a line, with comments and blank lines between them.
pub fn read(text: &str) -> Result<Vec<PublicKey>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(key).collect()
}

fn key(line: &str) -> Result<PublicKey, String> {
    let key = PublicKey::from_openssh(line)
        .map_err(|error| format!("this is no OpenSSH public key such as ssh-ed25519 AAAA...: {error}"))?;
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => Ok(key),
        other => Err(format!("the simulator verifies ssh-ed25519 and ecdsa-sha2 keys, not {other}")),
    }
}

/// `SHA256:...` of a key.
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}
