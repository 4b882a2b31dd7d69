//! Passwords of people: argon2id at its recommended cost. Hashing takes a while on purpose: requests do it beside the
//! runtime (`spawn_blocking`).

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use zxcvbn::{Score, zxcvbn};

/// Fewer characters are too easily guessed.
pub const SHORTEST: usize = 8;
/// More bytes than anyone remembers; hashing them would only cost time.
pub const LONGEST_BYTES: usize = 1024;

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too easily guessed by trying all.
    #[error("a password has at least {SHORTEST} characters")]
    TooShort,
    /// Too easily guessed by trying what people choose.
    #[error(
        "this password is among the first that somebody would try; choose another, such as four words that have nothing to do with each other"
    )]
    Common,
    /// Longer than anyone remembers.
    #[error("a password has at most {LONGEST_BYTES} bytes")]
    TooLong,
}

/// Whether a password may be chosen by somebody of whom others know this, such as their e-mail.
pub fn check(password: &SecretString, about: &[&str]) -> Result<(), Unfit> {
    let password = password.expose_secret();
    if password.chars().count() < SHORTEST {
        return Err(Unfit::TooShort);
    }
    if password.len() > LONGEST_BYTES {
        return Err(Unfit::TooLong);
    }
    // Below a million guesses: common passwords, names and dates, and little changes of them. It looks at a hundred
    // characters at most.
    let parts =
        about.iter().flat_map(|text| [*text].into_iter().chain(text.split('@')).chain(text.split(['@', '.', ' '])));
    if zxcvbn(password, &parts.chain(["stipend"]).collect::<Vec<_>>()).score() < Score::Two {
        return Err(Unfit::Common);
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

    fn is_fit(password: &str) -> Result<(), Unfit> {
        check(&password.into(), &["ada.lovelace@example.com"])
    }

    #[test]
    fn a_short_password_is_refused() {
        assert_eq!(is_fit("k3%vRq9"), Err(Unfit::TooShort));
        for fit in ["k3%vRq9z".to_owned(), "correct horse battery".to_owned(), "vjA8é".repeat(LONGEST_BYTES / 6)] {
            assert_eq!(is_fit(&fit), Ok(()), "{fit}");
        }
        assert_eq!(is_fit(&"x".repeat(2000)), Err(Unfit::TooLong));
    }

    #[test]
    fn a_common_password_is_refused() {
        for common in
            ["12345678", "password1", "P@ssw0rd", "qwertyuiop", "iloveyou", "aaaaaaaaaaaaaaaa", "ada.lovelace1"]
        {
            assert_eq!(is_fit(common), Err(Unfit::Common), "{common}");
        }
    }
}
