//! Addresses that can be written to, and addresses that PayPal can pay to.

/// PayPal's limit of `receiver` for e-mail addresses, in single-byte characters (Payouts API, create batch payout).
pub const PAYPAL_RECEIVER_BYTES: usize = 127;

/// The longest address that mail systems know.
const EMAIL_CHARS: usize = 254;
/// The longest part before the @.
const LOCAL_CHARS: usize = 64;

/// Why a text is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEmail {
    /// Nothing before or after the one @, or no @, or two.
    #[error("write it as in name@example.com")]
    NoAddress,
    /// A space, or a character that addresses do not have.
    #[error("it cannot have {0:?} in it")]
    Character(char),
    /// Too long for mail.
    #[error("it can have up to {EMAIL_CHARS} characters, {LOCAL_CHARS} of them before the @")]
    TooLong,
    /// Too long for PayPal, or with letters that PayPal does not take.
    #[error("PayPal takes addresses of at most {PAYPAL_RECEIVER_BYTES} plain characters, without accents")]
    NotForPayPal,
}

/// The text has the form of an e-mail address. Only a message to it shows whether it exists.
pub fn check_email(text: &str) -> Result<(), BadEmail> {
    let odd = |c: &char| c.is_whitespace() || c.is_control() || r#""(),:;<>[]\"#.contains(*c);
    if let Some(odd) = text.chars().find(odd) {
        return Err(BadEmail::Character(odd));
    }
    let Some((local, domain)) = text.split_once('@') else { return Err(BadEmail::NoAddress) };
    if text.chars().count() > EMAIL_CHARS || local.chars().count() > LOCAL_CHARS {
        return Err(BadEmail::TooLong);
    }
    let full = |part: &str| !part.is_empty();
    let label = |label: &str| {
        full(label)
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let fits = local.split('.').all(full) && domain.contains('.') && domain.split('.').all(label);
    if fits { Ok(()) } else { Err(BadEmail::NoAddress) }
}

/// The text can be PayPal's `receiver`.
pub fn check_receiver(text: &str) -> Result<(), BadEmail> {
    check_email(text)?;
    if text.len() > PAYPAL_RECEIVER_BYTES || !text.is_ascii() {
        return Err(BadEmail::NotForPayPal);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_at_and_a_domain() {
        for good in ["a@b.co", "ada.lovelace+x@mail.example.com", "o'neil@example.org", "jürgen@müller.example"] {
            assert_eq!(check_email(good), Ok(()), "{good}");
        }
        for bad in ["", "a", "a@", "@b.co", "a@b", "a@@b.co", "a@b..co", ".a@b.co", "a@-b.co", "a@b.co.", "a@b_c.co"] {
            assert_eq!(check_email(bad), Err(BadEmail::NoAddress), "{bad}");
        }
        assert_eq!(check_email("a b@c.de"), Err(BadEmail::Character(' ')));
        assert_eq!(check_email("a@b.co\n"), Err(BadEmail::Character('\n')));
        assert_eq!(check_email(&format!("{}@b.co", "a".repeat(65))), Err(BadEmail::TooLong));
    }

    #[test]
    fn paypal_takes_127_single_byte_characters() {
        let domain = format!("{}.{}.example", "b".repeat(60), "c".repeat(40));
        let fits = format!("{}@{domain}", "a".repeat(126 - domain.len()));
        assert_eq!((fits.len(), check_receiver(&fits)), (127, Ok(())));
        assert_eq!(check_receiver(&format!("a{fits}")), Err(BadEmail::NotForPayPal));
        assert_eq!(check_receiver("jürgen@example.com"), Err(BadEmail::NotForPayPal));
    }
}
