//! E-mail: what affiliates and the merchant are told, and when.
//!
//! Mails are written by the database with the change that they tell of (`migrations/0010_mail.sql`), so that a crash
//! neither loses nor doubles one; [`outbox`] sends them, and [`notices`] writes those that time alone brings about.
//!
//! - An affiliate hears when money has arrived, also money that was marked as paid outside: that mail waits for ten
//!   minutes, in which a mistake can be put back unseen. A file that was only exported tells nobody anything.
//! - Money that waits to be accepted is reminded of on days 1, 14 and 25; on day 0 PayPal itself has written.
//! - A failure is told to the affiliate where the affiliate can mend it. What the sender must mend (no balance, no
//!   permission) and what a person must decide is the merchant's news alone.
//! - The merchant's news is gathered: the first comes within minutes, and after it one mail an hour at most, however
//!   much goes wrong. A mail for each of a thousand failures would be filed away unread, and a daily one would come a
//!   day too late for a payment that has stopped.
//! - Who may approve a payment hears at once when they are asked; what has ended by then is not told. Who asked hears
//!   what came of it, unless it was their own doing.
//! - An invitation carries a link that works once. It tells nothing of money and goes out wherever mails leave.
//! - So do mails about the upgrade of a legacy connection, to the merchant's admins.
//! - Mails about money that is not real reach nobody: a rehearsal writes files, a sandbox merchant writes nothing.

pub mod notices;
pub mod outbox;
pub mod settings;
pub mod texts;

pub use texts::{Text, Values};

/// What a mail tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Kind {
    /// The money has arrived.
    Paid,
    /// The money waits to be accepted.
    Unclaimed,
    /// The money did not arrive, and the affiliate can do something about it.
    NotPaid,
    /// Money goes to another address from now on.
    AddressChanged,
    /// To the merchant: something needs a person.
    Attention,
    /// To whoever may approve a payment that somebody else prepared.
    Approval,
    /// To whoever asked for an approval: what came of it.
    Answer,
    /// To somebody who is invited to become a person of the merchant.
    Invitation,
    /// To the merchant's admins: their legacy connection is to be upgraded, or was.
    Upgrade,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 9] = [
        Kind::Paid,
        Kind::Unclaimed,
        Kind::NotPaid,
        Kind::AddressChanged,
        Kind::Attention,
        Kind::Approval,
        Kind::Answer,
        Kind::Invitation,
        Kind::Upgrade,
    ];

    /// As it stands in addresses and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Paid => "paid",
            Kind::Unclaimed => "unclaimed",
            Kind::NotPaid => "not_paid",
            Kind::AddressChanged => "address_changed",
            Kind::Attention => "attention",
            Kind::Approval => "approval",
            Kind::Answer => "answer",
            Kind::Invitation => "invitation",
            Kind::Upgrade => "upgrade",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Paid => "Paid",
            Kind::Unclaimed => "Not accepted yet",
            Kind::NotPaid => "Not paid",
            Kind::AddressChanged => "Address changed",
            Kind::Attention => "Needs attention",
            Kind::Approval => "Approval",
            Kind::Answer => "Approved or not",
            Kind::Invitation => "Invitation",
            Kind::Upgrade => "Upgrade of PayPal",
        }
    }

    /// To whom it goes, and when.
    pub fn when(self) -> &'static str {
        match self {
            Kind::Paid => "To the affiliate, when their money has arrived. After Pay Manually ten minutes later.",
            Kind::Unclaimed => "To the affiliate, 1, 14 and 25 days after money was sent that they have not accepted.",
            Kind::NotPaid => "To the affiliate, when a payment failed or came back and they can do something about it.",
            Kind::AddressChanged => "To the old and the new address, when an affiliate’s payments go elsewhere.",
            Kind::Attention => "To you, when payments stop, fail or come back: at once, then at most once an hour.",
            Kind::Approval => "To everybody else who may approve, when somebody asks for the approval of a payment.",
            Kind::Answer => {
                "To whoever asked for an approval, when somebody else approves it or sends it back, or it ends."
            }
            Kind::Invitation => "To somebody you invite. Off: you are shown the link, to hand it over yourself.",
            Kind::Upgrade => "To every admin, about a connection that uses PayPal’s old Mass Pay service.",
        }
    }
}
