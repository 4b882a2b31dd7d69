//! Where a commission stands: derived from its allocation, never set by hand.

/// Every standing, in the order of a commission's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type, serde::Serialize, serde::Deserialize)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Owed, and not due before a later day.
    Upcoming,
    /// Owed, and payable today.
    Due,
    /// In a payment that is on its way.
    Paying,
    /// In a payment that PayPal may or may not have.
    Unknown,
    /// Its payment was stopped or sent back; somebody decides what happens next.
    NeedsAPerson,
    /// Arrived, here or elsewhere before.
    Paid,
    /// Given up by a person.
    WrittenOff,
    /// Taken back before it was paid.
    Cancelled,
}

/// The standing as SQL, over `commissions c` joined to `commission_standings s`. It ends with the comparison to today,
/// whose value the query binds next; [`STANDING_END`] follows.
pub(super) const STANDING: &str = "case when s.standing <> 'owed' then s.standing when c.due_on > ";
pub(super) const STANDING_END: &str = " then 'upcoming' else 'due' end";

impl Standing {
    /// Every standing.
    pub const ALL: [Standing; 8] = [
        Standing::Upcoming,
        Standing::Due,
        Standing::Paying,
        Standing::Unknown,
        Standing::NeedsAPerson,
        Standing::Paid,
        Standing::WrittenOff,
        Standing::Cancelled,
    ];

    /// As it stands in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Upcoming => "upcoming",
            Standing::Due => "due",
            Standing::Paying => "paying",
            Standing::Unknown => "unknown",
            Standing::NeedsAPerson => "needs_a_person",
            Standing::Paid => "paid",
            Standing::WrittenOff => "written_off",
            Standing::Cancelled => "cancelled",
        }
    }

    /// The standing of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.name() == name)
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Standing::Upcoming => "Upcoming",
            Standing::Due => "Due",
            Standing::Paying => "Being paid",
            Standing::Unknown => "Not known yet",
            Standing::NeedsAPerson => "Needs a person",
            Standing::Paid => "Paid",
            Standing::WrittenOff => "Written off",
            Standing::Cancelled => "Cancelled",
        }
    }

    /// The tone of its badge.
    pub fn tone(self) -> &'static str {
        match self {
            Standing::Upcoming | Standing::WrittenOff | Standing::Cancelled => "quiet",
            Standing::Due => "info",
            Standing::Paying => "waiting",
            Standing::Unknown => "warning",
            Standing::NeedsAPerson => "bad",
            Standing::Paid => "good",
        }
    }

    /// Nobody has taken it yet: it can still be cancelled.
    pub fn is_owed(self) -> bool {
        match self {
            Standing::Upcoming | Standing::Due => true,
            Standing::Paying
            | Standing::Unknown
            | Standing::NeedsAPerson
            | Standing::Paid
            | Standing::WrittenOff
            | Standing::Cancelled => false,
        }
    }
}
