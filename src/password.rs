//! Passwords of people: argon2id at its recommended cost. Hashing takes a while on purpose: requests do it beside the
//! runtime (`spawn_blocking`).

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};

/// Fewer characters are too easily guessed.
pub const SHORTEST: usize = 8;
/// More bytes than anyone remembers; hashing them would only cost time.
pub const LONGEST_BYTES: usize = 1024;

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too easily guessed.
    #[error("a password has at least {SHORTEST} characters")]
    TooShort,
    /// Longer than anyone remembers.
    #[error("a password has at most {LONGEST_BYTES} bytes")]
    TooLong,
}

/// Whether a password may be chosen.
pub fn check(password: &SecretString) -> Result<(), Unfit> {
    let password = password.expose_secret();
    if password.chars().count() < SHORTEST {
        return Err(Unfit::TooShort);
    }
    if password.len() > LONGEST_BYTES {
        return Err(Unfit::TooLong);
    }
    Ok(())
}

/// Hashes a password, with a salt of its own.
pub fn hash(password: &SecretString) -> anyhow::Result<String> {
    let hash = Argon2::default().hash_password(password.expose_secret().as_bytes());
    Ok(hash.map_err(|error| anyhow::anyhow!("the password could not be hashed: {error}"))?.to_string())
}

/// Whether this is the password that was hashed.
pub fn verify(password: &SecretString, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_opens() {
        let password = SecretString::from("correct horse");
        let hashed = hash(&password).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert_ne!(hashed, hash(&password).unwrap(), "each hash has its own salt");
        assert!(verify(&password, &hashed));
        assert!(!verify(&"correct horsf".into(), &hashed));
        assert!(!verify(&password, "not a hash"));
    }

    #[test]
    fn a_short_password_is_refused() {
        assert_eq!(check(&"1234567".into()), Err(Unfit::TooShort));
        for fit in ["12345678".to_owned(), "x".repeat(64), "é".repeat(LONGEST_BYTES / 2)] {
            assert_eq!(check(&fit.into()), Ok(()));
        }
        assert_eq!(check(&"x".repeat(2000).into()), Err(Unfit::TooLong));
    }
}
