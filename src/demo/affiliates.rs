//! The example's affiliates: one of each awkward kind, then as many ordinary ones as wanted. The same at every start.

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affiliate {
    /// Given name.
    pub first_name: &'static str,
    /// Family name.
    pub last_name: &'static str,
    /// E-mail, unless known by code alone.
    pub email: Option<String>,
    /// The merchant's own name for them.
    pub code: Option<String>,
    /// Where money goes, if elsewhere than to the e-mail.
    pub paypal_email: Option<String>,
    /// Days ago that they were added.
    pub added: u32,
    /// Days ago that their address changed.
    pub address_changed: Option<u32>,
}

/// The awkward kinds, in the order of [`awkward`]. What becomes of a payment to some of them is the simulated PayPal's
/// doing: it goes by words in the address.
pub const NO_ADDRESS: usize = 0;
/// PayPal has no account for the address: the money waits, and comes back after 30 days.
pub const UNREGISTERED: usize = 1;
/// PayPal reviews the payment.
pub const ON_HOLD: usize = 2;
/// PayPal cannot pay this account.
pub const FAILS: usize = 3;
/// Sends the money back.
pub const REFUNDED: usize = 4;
/// PayPal stops the payment.
pub const BLOCKED: usize = 5;
/// Is owed less than anybody would send.
pub const TINY: usize = 6;
/// Changed the address two days ago.
pub const CHANGED: usize = 7;
/// Shares an address with the next one.
pub const SHARED: usize = 8;
/// Shares an address with the one before.
pub const SHARED_TOO: usize = 9;
/// The address is longer than PayPal takes.
pub const TOO_LONG: usize = 10;
/// The address has letters that PayPal does not take.
pub const NOT_ASCII: usize = 11;
/// PayPal takes the money back.
pub const REVERSED: usize = 12;
/// Does not take the money: it comes back at once.
pub const RETURNED: usize = 13;
/// PayPal takes its time.
pub const PENDING: usize = 14;
/// Has no account yet when the money comes, and opens one soon.
pub const CLAIMS_LATER: usize = 15;
/// How many awkward kinds there are.
pub const AWKWARD: usize = 16;

fn awkward() -> [Affiliate; AWKWARD] {
    let new = |first_name, last_name, email: &str| Affiliate {
        first_name,
        last_name,
        email: (!email.is_empty()).then(|| email.to_owned()),
        code: None,
        paypal_email: None,
        added: 240,
        address_changed: None,
    };
    let paid_at =
        |affiliate: Affiliate, address: &str| Affiliate { paypal_email: Some(address.to_owned()), ..affiliate };
    let long = format!("maximilian.hohenstein@{}.example.org", ["mountain-guides-of-the-eastern-alps"; 3].join("."));
    [
        Affiliate { code: Some("NW-PRIYA".to_owned()), ..new("Priya", "Raman", "") },
        new("Lukas", "Brandt", "lukas.unregistered@example.org"),
        new("Hana", "Kobayashi", "hana.onhold@example.com"),
        new("Tomas", "Vidal", "tomas.failed@example.com"),
        new("Grace", "Obi", "grace.refunded@example.org"),
        new("Elif", "Demir", "elif.blocked@example.com"),
        new("Noah", "Fischer", "noah.fischer@example.org"),
        Affiliate {
            address_changed: Some(2),
            ..paid_at(new("Sofia", "Marin", "sofia.marin@example.com"), "sofia@new-mail.example.org")
        },
        paid_at(new("Anna", "Lind", "anna.lind@example.org"), "lind.family@example.org"),
        paid_at(new("Erik", "Lind", "erik.lind@example.org"), "lind.family@example.org"),
        paid_at(new("Maximilian", "Hohenstein", "max.hohenstein@example.org"), &long),
        paid_at(new("José", "Núñez", "jose.nunez@example.com"), "josé.núñez@example.com"),
        new("Karim", "Aziz", "karim.reversed@example.com"),
        new("Mila", "Jovanovic", "mila.returned@example.org"),
        new("Owen", "Hart", "owen.pending@example.com"),
        new("Suri", "Lim", "suri.claims-later@example.org"),
    ]
}

const FIRST_NAMES: [&str; 40] = [
    "Maya", "Oliver", "Ines", "Jonas", "Amara", "Felix", "Leonie", "Mateo", "Yuki", "Clara", "Samuel", "Nadia", "Hugo",
    "Aisha", "Viktor", "Elena", "Daniel", "Freya", "Omar", "Julia", "Kenji", "Marta", "Adam", "Zofia", "Rafael",
    "Lena", "Tariq", "Sara", "Milan", "Greta", "Arjun", "Chloe", "Pavel", "Nora", "Diego", "Emilia", "Ravi", "Hannah",
    "Luca", "Ida",
];

const LAST_NAMES: [&str; 40] = [
    "Keller",
    "Almeida",
    "Novak",
    "Tanaka",
    "Okafor",
    "Lindgren",
    "Moreau",
    "Santos",
    "Hughes",
    "Petrov",
    "Haddad",
    "Kowalski",
    "Rossi",
    "Nguyen",
    "Bauer",
    "Costa",
    "Svensson",
    "Mehta",
    "Dubois",
    "Ortega",
    "Jensen",
    "Weber",
    "Sato",
    "Murphy",
    "Ferrari",
    "Popescu",
    "Berg",
    "Castillo",
    "Schneider",
    "Andersen",
    "Patel",
    "Vargas",
    "Meyer",
    "Eriksen",
    "Romero",
    "Nakamura",
    "Walsh",
    "Horvat",
    "Janssen",
    "Silva",
];

const HOSTS: [&str; 8] = [
    "trailnotes.example.com",
    "alpine-diary.example.org",
    "example.com",
    "campfire-tales.example.com",
    "slowhiking.example.org",
    "example.org",
    "gearbench.example.com",
    "northern-lakes.example.org",
];

/// So many affiliates, all with another e-mail.
pub fn example(wanted: u32) -> impl Iterator<Item = Affiliate> {
    awkward().into_iter().chain((0..).map(ordinary)).take(wanted as usize)
}

fn ordinary(number: usize) -> Affiliate {
    // Each pair of names comes once before the first one comes again.
    let pairs = FIRST_NAMES.len() * LAST_NAMES.len();
    let (round, pair) = (number / pairs, number % pairs);
    let (column, row) = (pair % FIRST_NAMES.len(), pair / FIRST_NAMES.len());
    let (first_name, last_name) = (FIRST_NAMES[column], LAST_NAMES[(row + 7 * column) % LAST_NAMES.len()]);
    let suffix = if round == 0 { String::new() } else { (round + 1).to_string() };
    let name = format!("{}.{}{suffix}", first_name.to_lowercase(), last_name.to_lowercase());
    let paypal_email = number.is_multiple_of(4).then(|| format!("pay.{name}@example.net"));
    Affiliate {
        first_name,
        last_name,
        email: Some(format!("{name}@{}", HOSTS[number % HOSTS.len()])),
        code: number.is_multiple_of(3).then(|| format!("NW-{}", 1001 + number)),
        paypal_email,
        added: 60 + u32::try_from(number * 13 % 500).expect("a remainder is small"),
        address_changed: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn everybody_has_an_email_or_a_code_of_their_own() {
        let all: Vec<_> = example(5_000).collect();
        assert_eq!(all.len(), 5_000);
        let emails: HashSet<_> = all.iter().filter_map(|one| one.email.clone()).collect();
        assert_eq!(emails.len(), 4_999, "one is known by a code alone");
        assert!(all[TOO_LONG].paypal_email.as_ref().unwrap().len() > 127);
        assert_eq!(all[SHARED].paypal_email, all[SHARED_TOO].paypal_email);
        assert_eq!(all, example(5_000).collect::<Vec<_>>(), "the same at every start");
    }
}
