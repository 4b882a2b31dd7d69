//! Affiliates: who is owed, and where their money goes. They are archived, never deleted.

pub mod account;
mod address;
mod details;
mod list;
pub mod statement;
mod store;

pub use address::{BadEmail, PAYPAL_RECEIVER_BYTES, check_email, check_receiver};
pub use details::{Details, Field, Problem, Raw};
pub use list::{Filter, Listed, Place, Sort, count, due, list};
pub use store::{Change, NotReleased, add, change, find, release, set_status};

use crate::id::AffiliateId;
use crate::money::{Currency, for_people};
use rust_decimal::Decimal;
use time::OffsetDateTime;

/// Whether an affiliate still earns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Status {
    /// In the lists and in the forms.
    Active,
    /// Out of the way. What is owed stays owed.
    Archived,
}

impl Status {
    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Archived => "archived",
        }
    }
}

/// One affiliate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affiliate {
    /// Which one.
    pub id: AffiliateId,
    /// How they are known and reached; at least this or the code is there.
    pub email: Option<String>,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// The merchant's own name for them.
    pub code: Option<String>,
    /// Where their money goes, if not to the e-mail.
    pub paypal_email: Option<String>,
    /// Whether they still earn.
    pub status: Status,
    /// When they were added.
    pub created_at: OffsetDateTime,
    /// When the address that money goes to last changed.
    pub receiver_changed_at: Option<OffsetDateTime>,
    /// Until when they are not paid because of that.
    pub held_until: Option<OffsetDateTime>,
    /// Counts changes: whoever changes an affiliate names the version they saw.
    pub version: i32,
}

impl Affiliate {
    /// What people call them: the name, else the e-mail, else the code.
    pub fn name(&self) -> String {
        name(&self.first_name, &self.last_name, self.email.as_deref(), self.code.as_deref())
    }

    /// The address that money goes to.
    pub fn receiver(&self) -> Option<&str> {
        self.paypal_email.as_deref().or(self.email.as_deref())
    }

    /// Why PayPal would refuse the address, if it would.
    pub fn receiver_problem(&self) -> Option<&'static str> {
        match self.receiver() {
            None => Some("There is no address to pay to. Add an email or a PayPal email."),
            Some(receiver) if check_receiver(receiver).is_err() => {
                Some("PayPal takes addresses of up to 127 plain characters, and this one is longer or has others.")
            }
            Some(_) => None,
        }
    }

    /// Whether they still earn.
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }
}

/// What one affiliate is owed in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Who.
    pub affiliate: AffiliateId,
    /// In which currency.
    pub currency: Currency,
    /// How much.
    pub amount: Decimal,
}

impl Due {
    /// For people: "4,310.20".
    pub fn for_people(&self) -> String {
        for_people(self.amount, self.currency)
    }

    /// For files: "4310.20".
    pub fn plain(&self) -> String {
        let mut amount = self.amount;
        amount.rescale(self.currency.scale());
        amount.to_string()
    }
}

/// What people call an affiliate; the same rule as the column `sort_name`.
pub fn name(first: &str, last: &str, email: Option<&str>, code: Option<&str>) -> String {
    let full = format!("{first} {last}");
    match full.trim() {
        "" => email.or(code).unwrap_or_default().to_owned(),
        full => full.to_owned(),
    }
}
