//! Receivers: what a well-formed one looks like, and what becomes of a payment to it.

/// The recipient types that PayPal knows.
pub const TYPES: [&str; 4] = ["EMAIL", "PHONE", "PAYPAL_ID", "USER_HANDLE"];

/// Whether a receiver has the form of its type. PayPal does not look further when a batch is created.
pub fn matches(kind: &str, receiver: &str, venmo: bool) -> bool {
    if receiver.is_empty() || !receiver.is_ascii() {
        return false;
    }
    match kind {
        "EMAIL" => is_email(receiver),
        "PHONE" => {
            let digits = receiver.bytes().filter(u8::is_ascii_digit).count();
            (4..=15).contains(&digits)
                && receiver.bytes().all(|byte| byte.is_ascii_digit() || b"+-(). ".contains(&byte))
        }
        "PAYPAL_ID" => receiver.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "USER_HANDLE" => {
            let handle = receiver.strip_prefix('@').unwrap_or(receiver);
            venmo
                && !handle.is_empty()
                && handle.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        }
        _ => false,
    }
}

fn is_email(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    let top = domain.rsplit('.').next().unwrap_or_default();
    local.len() <= 64
        && local.split('.').all(|part| !part.is_empty() && part.bytes().all(atom))
        && domain.contains('.')
        && domain.split('.').all(label)
        && top.len() >= 2
        && top.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// What becomes of a payment, decided by its receiver alone so that anyone can produce any outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Paid, and it stays paid.
    Paid,
    /// Paid; sent back by the receiver half a day later.
    Refunded,
    /// Paid; taken back half a day later.
    Reversed,
    /// Waits for the receiver, and goes back after 30 days.
    Unclaimed(&'static str),
    /// Waits for the receiver, who claims it two days later.
    Claimed,
    /// Held, and goes back after 30 days.
    Held,
    /// Comes back at once.
    Returned,
    /// Never leaves.
    Failed(&'static str),
    /// Blocked by a review.
    Blocked,
    /// Stays pending.
    Pending,
    /// The whole batch is denied because of it.
    DeniesBatch,
}

/// The item errors that `failed+NAME@...` can ask for.
const FAILURES: [&str; 28] = [
    "UNDEFINED",
    "USER_COUNTRY_NOT_ALLOWED",
    "USER_FUNDING_SOURCE_INELIGIBLE",
    "SENDER_ACCOUNT_LOCKED",
    "RECEIVER_ACCOUNT_LOCKED",
    "SPENDING_LIMIT_EXCEEDED",
    "ACCOUNT_RESTRICTED",
    "NEGATIVE_BALANCE",
    "RECEIVER_REFUSED",
    "REFUSED_ACTION_DENIED",
    "RECEIVER_COUNTRY_NOT_ALLOWED",
    "INVALID_EMAIL",
    "INVALID_EMAIL_ID",
    "SENDER_STATE_RESTRICTED",
    "RECEIVER_STATE_RESTRICTED",
    "CLOSED_MARKET",
    "INTERNAL_ERROR",
    "ACCOUNT_UNCONFIRMED_EMAIL",
    "ZERO_AMOUNT",
    "RECEIVING_LIMIT_EXCEEDED",
    "RISK_DECLINE",
    "TRANSACTION_LIMIT_EXCEEDED",
    "CURRENCY_NOT_SUPPORTED_FOR_RECEIVER",
    "CURRENCY_COMPLIANCE",
    "RECEIVER_YOUTH_ACCOUNT",
    "TRANSACTION_DECLINED_BY_TRAVEL_RULE",
    "UNVERIFIED_RECIPIENT_NOT_SUPPORTED",
    "RECEIVER_ACCOUNT_INVALID",
];

/// The sender's own address, to which it cannot pay.
pub fn own_address(client_id: &str) -> String {
    format!("{}@business.example.com", client_id.to_ascii_lowercase())
}

/// Whether one payment to this receiver has its whole batch denied.
pub fn denies_batch(client_id: &str, kind: &str, receiver: &str) -> bool {
    // Asked of every item of a batch before any is paid, so it does not go through all the words.
    receiver.to_ascii_lowercase().contains("denied-batch") && fate(client_id, kind, receiver) == Fate::DeniesBatch
}

/// What becomes of a payment of this sender to this receiver.
pub fn fate(client_id: &str, kind: &str, receiver: &str) -> Fate {
    if kind == "PAYPAL_ID" {
        // A real one is 13 capitals and digits; the sandbox fails others with this reason.
        let real = receiver.len() == 13 && !receiver.bytes().any(|byte| byte.is_ascii_lowercase());
        return if real { Fate::Paid } else { Fate::Failed("RECEIVER_ACCOUNT_INVALID") };
    }
    if kind == "EMAIL" && !matches(kind, receiver, false) {
        // A file may say so; over REST it is refused before.
        return Fate::Failed("INVALID_EMAIL_ID");
    }
    let address = receiver.to_ascii_lowercase();
    if address == own_address(client_id) {
        return Fate::Failed("SELF_PAY_NOT_ALLOWED");
    }
    let local = address.split('@').next().unwrap_or_default();
    let rules = [
        ("denied-batch", Fate::DeniesBatch),
        ("self-pay", Fate::Failed("SELF_PAY_NOT_ALLOWED")),
        ("unregistered", Fate::Unclaimed("RECEIVER_UNREGISTERED")),
        ("unclaimed", Fate::Unclaimed("RECEIVER_UNREGISTERED")),
        ("unconfirmed", Fate::Unclaimed("RECEIVER_UNCONFIRMED")),
        ("claims-later", Fate::Claimed),
        ("onhold", Fate::Held),
        ("failed", Fate::Failed("RECEIVER_ACCOUNT_LOCKED")),
        ("blocked", Fate::Blocked),
        ("locked", Fate::Failed("RECEIVER_ACCOUNT_LOCKED")),
        ("refunded", Fate::Refunded),
        ("reversed", Fate::Reversed),
        ("returned", Fate::Returned),
        ("pending", Fate::Pending),
    ];
    let rule = rules.iter().find(|(word, _)| local.contains(word)).map_or(Fate::Paid, |(_, fate)| *fate);
    let named = local.split_once('+').map(|(_, name)| name.to_ascii_uppercase());
    let named = named.and_then(|name| FAILURES.iter().find(|known| **known == name));
    match (rule, named) {
        (Fate::Failed(_), Some(name)) => Fate::Failed(name),
        (rule, _) => rule,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_address_has_one_at_and_a_domain() {
        for good in ["a@b.co", "first.last+tag@sub.example.com", "o'hara@example.com", "x_y-z@ex-ample.org"] {
            assert!(matches("EMAIL", good, false), "{good}");
        }
        let long = format!("a@{}", ".example".repeat(20));
        for bad in [
            "",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a b@c.de",
            "a@b..co",
            ".a@b.co",
            "a.@b.co",
            "a..b@c.de",
            "a@-b.co",
            "a@b.c",
            "a@b@c.de",
            "a@b.co ",
            "müller@example.com",
            "a@bücher.example",
            "<a@b.co>",
            &long,
        ] {
            assert!(!matches("EMAIL", bad, false), "{bad}");
        }
    }

    #[test]
    fn a_receiver_must_fit_its_type() {
        assert!(matches("PHONE", "91-734-234-1234", false));
        assert!(matches("PHONE", "+14085551234", false));
        assert!(!matches("PHONE", "a@b.co", false));
        assert!(matches("PAYPAL_ID", "G83JXTJ5EHCQ2", false));
        assert!(!matches("PAYPAL_ID", "a@b.co", false));
        assert!(matches("USER_HANDLE", "@some-one", true));
        assert!(!matches("USER_HANDLE", "a@b.co", true));
        assert!(!matches("USER_HANDLE", "some-one", false));
        assert!(!matches("VENMO_HANDLE", "a@b.co", true));
    }

    #[test]
    fn the_receiver_decides_what_becomes_of_the_payment() {
        let fate = |receiver: &str| fate("Client-1", "EMAIL", receiver);
        assert_eq!(fate("anna@example.com"), Fate::Paid);
        assert_eq!(fate("anna@unregistered.example.com"), Fate::Paid, "only the local part counts");
        assert_eq!(fate("Anna.Unregistered7@example.com"), Fate::Unclaimed("RECEIVER_UNREGISTERED"));
        assert_eq!(fate("blocked@example.com"), Fate::Blocked);
        assert_eq!(fate("locked@example.com"), Fate::Failed("RECEIVER_ACCOUNT_LOCKED"));
        assert_eq!(fate("failed+risk_decline@example.com"), Fate::Failed("RISK_DECLINE"));
        assert_eq!(fate("client-1@business.example.com"), Fate::Failed("SELF_PAY_NOT_ALLOWED"));
        assert_eq!(super::fate("c", "PAYPAL_ID", "BOGUS"), Fate::Failed("RECEIVER_ACCOUNT_INVALID"));
    }
}
