//! Secrets at rest. The only module that sees the master key; what it seals opens only in the place it was sealed for.

use anyhow::{Context, ensure};
use aws_lc_rs::hmac;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Seals and opens secrets under the installation's master key.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
    /// For [`Vault::mint`]; made from the master key, so that no use of one tells anything about the other.
    mint: hmac::Key,
    key_id: String,
}

/// Where a secret lives. A ciphertext that is moved to another table, column, merchant or row does not open there.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Table and column, as in "connections.secret".
    pub column: &'a str,
    /// The merchant whose secret it is.
    pub merchant: uuid::Uuid,
    /// The row.
    pub row: uuid::Uuid,
}

impl Place<'_> {
    fn bytes(&self) -> Vec<u8> {
        format!("stipend 1 {} {} {}", self.column, self.merchant, self.row).into_bytes()
    }
}

const NONCE_BYTES: usize = 24;

impl Vault {
    /// A vault under a 32-byte master key.
    pub fn new(master_key: &[u8; 32]) -> Self {
        let key_id = hex::encode(&Sha256::digest([b"stipend key id ", master_key.as_slice()].concat())[..8]);
        let mint = Sha256::digest([b"stipend mint ", master_key.as_slice()].concat());
        let mint = hmac::Key::new(hmac::HMAC_SHA256, &mint);
        Self { cipher: XChaCha20Poly1305::new(&Key::from(*master_key)), mint, key_id }
    }

    /// Names the key without telling anything about it.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Encrypts a secret for one place; two calls never give the same bytes.
    pub fn seal(&self, place: Place<'_>, secret: &SecretString) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: &place.bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).expect("encryption in memory cannot fail");
        [nonce.as_slice(), &sealed].concat()
    }

    /// A secret that belongs to a place and a count: the same each time under this key, and nobody's to guess. So it
    /// need not be kept in order to be said again.
    pub fn mint(&self, place: Place<'_>, count: i32) -> SecretString {
        let what = [place.bytes(), format!(" {count}").into_bytes()].concat();
        SecretString::from(hex::encode(hmac::sign(&self.mint, &what)))
    }

    /// Decrypts what was sealed for this very place, under this key.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> anyhow::Result<SecretString> {
        ensure!(sealed.len() > NONCE_BYTES, "the sealed value in {} is too short", place.column);
        let (nonce, ciphertext) = sealed.split_at(NONCE_BYTES);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().expect("split at its length");
        let payload = Payload { msg: ciphertext, aad: &place.bytes() };
        let plain = self
            .cipher
            .decrypt(&XNonce::from(nonce), payload)
            .ok()
            .with_context(|| format!("the sealed value in {} does not open with this master key", place.column))?;
        Ok(SecretString::from(String::from_utf8(plain).context("a sealed secret was not text")?))
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({})", self.key_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_secret_opens_only_where_it_was_sealed() {
        let vault = Vault::new(&[7; 32]);
        let (merchant, row) = (Uuid::now_v7(), Uuid::now_v7());
        let place = Place { column: "connections.secret", merchant, row };
        let sealed = vault.seal(place, &"s3cret".into());
        assert_eq!(vault.open(place, &sealed).unwrap().expose_secret(), "s3cret");
        assert_ne!(sealed, vault.seal(place, &"s3cret".into()));

        for elsewhere in [
            Place { column: "connection_candidates.secret", ..place },
            Place { merchant: Uuid::now_v7(), ..place },
            Place { row: Uuid::now_v7(), ..place },
        ] {
            assert!(vault.open(elsewhere, &sealed).is_err());
        }
        assert!(Vault::new(&[8; 32]).open(place, &sealed).is_err());
        let minted = |vault: &Vault, place, count| vault.mint(place, count).expose_secret().to_owned();
        assert_eq!(minted(&vault, place, 1), minted(&vault, place, 1));
        assert_ne!(minted(&vault, place, 1), minted(&vault, place, 2));
        assert_ne!(minted(&vault, place, 1), minted(&Vault::new(&[8; 32]), place, 1));
        assert!(vault.open(place, &sealed[..10]).is_err());
    }
}
