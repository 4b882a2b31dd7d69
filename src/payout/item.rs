//! Where an item's money is, and how a fact moves it. Pure.
//!
//! ```text
//! Queued ──▶ Open: processing, on hold, unclaimed ──▶ Paid ──came back──▶ Unpaid: refunded, reversed
//!    └──────────────┴──never left, or returned──────────────────────────▶ Unpaid: failed, returned, blocked, …
//! ```
//!
//! Paid is not the end: money can be sent back. Unpaid is: paying again is a new item with a new name.
//!
//! What has stood open for longer than PayPal ever keeps money needs a person, and what PayPal blocked is believed to
//! stay blocked once a later reading says so again.

use crate::paypal::payouts::TransactionStatus;
use time::{Duration, OffsetDateTime};

/// Unclaimed and held money comes back after 30 days (PayPal's OpenAPI file, `transaction_status`). What is still open
/// some days later is told to a person; it is followed all the same, and never freed by that.
pub const LONGEST_OPEN: Duration = Duration::days(35);
/// Blocked money may still move for a while. Nobody may pay it again before a reading this much later says BLOCKED too.
pub const BLOCKED_STAYS: Duration = Duration::hours(6);

/// The only question that matters: where is the money?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemState {
    /// Here, or on its way in a batch whose fate is the batch's.
    Queued,
    /// At PayPal.
    Open(Wait),
    /// With the receiver.
    Paid,
    /// Here again, or never left.
    Unpaid(NotPaid),
}

/// What an open item waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Wait {
    /// PayPal (PENDING).
    Processing,
    /// PayPal's review (ONHOLD).
    OnHold,
    /// The receiver, up to 30 days (UNCLAIMED).
    Unclaimed,
}

/// Why an item is not paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum NotPaid {
    /// PayPal could not pay it (FAILED).
    Failed,
    /// Not accepted within 30 days, or cancelled (RETURNED).
    Returned,
    /// PayPal stopped it (BLOCKED).
    Blocked,
    /// The receiver sent it back (REFUNDED).
    Refunded,
    /// PayPal took it back (REVERSED).
    Reversed,
    /// The whole batch was denied.
    BatchDenied,
    /// The whole batch was cancelled at PayPal.
    BatchCanceled,
    /// PayPal never took the batch.
    BatchRefused,
    /// A person put a manual or exported payment back.
    PutBack,
}

impl NotPaid {
    /// Whether its commissions are due again by themselves once the batch itself is finished. Money that was blocked
    /// may still move, and money that was paid and came back needs somebody's decision.
    pub fn releases(self) -> bool {
        match self {
            Self::Failed
            | Self::Returned
            | Self::BatchDenied
            | Self::BatchCanceled
            | Self::BatchRefused
            | Self::PutBack => true,
            Self::Blocked | Self::Refunded | Self::Reversed => false,
        }
    }
}

/// What one reading of PayPal says of an item's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing new.
    Stay,
    /// It moved.
    Move(ItemState),
    /// The word fits no way the money can go, or we do not know it: nothing changes, a person is told.
    Strange(String),
}

impl ItemState {
    /// Applies PayPal's word. A reading may skip steps (UNCLAIMED, claimed and sent back between two looks), so
    /// whatever can be *reached* along PayPal's item states is accepted, and nothing else.
    pub fn next(self, word: &TransactionStatus) -> Step {
        use ItemState::{Open, Paid, Queued, Unpaid};
        let Some(seen) = read(word) else { return self.strange(word) };
        if seen == self {
            return Step::Stay;
        }
        match (self, seen) {
            (Queued | Open(Wait::Processing), Open(_) | Paid | Unpaid(_)) => Step::Move(seen),
            (Open(Wait::OnHold | Wait::Unclaimed), Open(Wait::OnHold | Wait::Unclaimed) | Paid | Unpaid(_)) => {
                Step::Move(seen)
            }
            (Paid, Unpaid(NotPaid::Refunded | NotPaid::Reversed)) => Step::Move(seen),
            // Whoever denied the batch may show its items as they were, or as failed; they are unpaid either way.
            (
                Unpaid(NotPaid::BatchDenied | NotPaid::BatchCanceled),
                Open(Wait::Processing) | Unpaid(NotPaid::Failed),
            ) => Step::Stay,
            (Open(Wait::OnHold | Wait::Unclaimed), Open(Wait::Processing))
            | (Paid, Open(_) | Paid)
            | (
                Paid,
                Unpaid(
                    NotPaid::Failed
                    | NotPaid::Returned
                    | NotPaid::Blocked
                    | NotPaid::BatchDenied
                    | NotPaid::BatchCanceled
                    | NotPaid::BatchRefused
                    | NotPaid::PutBack,
                ),
            )
            | (Unpaid(_), Open(_) | Paid | Unpaid(_))
            | (Queued | Open(_) | Paid | Unpaid(_), Queued) => self.strange(word),
        }
    }

    /// Why a person must look, if it has stood like this for too long.
    pub fn overdue(self, since: OffsetDateTime, now: OffsetDateTime) -> Option<String> {
        match self {
            Self::Open(_) if now - since >= LONGEST_OPEN => {
                Some(format!("PayPal still says {self} after {} days", LONGEST_OPEN.whole_days()))
            }
            Self::Queued | Self::Open(_) | Self::Paid | Self::Unpaid(_) => None,
        }
    }

    fn strange(self, word: &TransactionStatus) -> Step {
        Step::Strange(format!(
            "PayPal says {} after {self}",
            if word.word().is_empty() { "nothing" } else { word.word() }
        ))
    }
}

fn read(word: &TransactionStatus) -> Option<ItemState> {
    Some(match word {
        TransactionStatus::Pending => ItemState::Open(Wait::Processing),
        TransactionStatus::OnHold => ItemState::Open(Wait::OnHold),
        TransactionStatus::Unclaimed => ItemState::Open(Wait::Unclaimed),
        TransactionStatus::Success => ItemState::Paid,
        TransactionStatus::Failed => ItemState::Unpaid(NotPaid::Failed),
        TransactionStatus::Returned => ItemState::Unpaid(NotPaid::Returned),
        TransactionStatus::Blocked => ItemState::Unpaid(NotPaid::Blocked),
        TransactionStatus::Refunded => ItemState::Unpaid(NotPaid::Refunded),
        TransactionStatus::Reversed => ItemState::Unpaid(NotPaid::Reversed),
        TransactionStatus::Other(_) => return None,
    })
}

/// PayPal's word for the state, as far as it has one; kept in history lines.
impl std::fmt::Display for ItemState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Queued => "QUEUED",
            Self::Open(Wait::Processing) => "PENDING",
            Self::Open(Wait::OnHold) => "ONHOLD",
            Self::Open(Wait::Unclaimed) => "UNCLAIMED",
            Self::Paid => "SUCCESS",
            Self::Unpaid(NotPaid::Failed) => "FAILED",
            Self::Unpaid(NotPaid::Returned) => "RETURNED",
            Self::Unpaid(NotPaid::Blocked) => "BLOCKED",
            Self::Unpaid(NotPaid::Refunded) => "REFUNDED",
            Self::Unpaid(NotPaid::Reversed) => "REVERSED",
            Self::Unpaid(NotPaid::BatchDenied) => "BATCH DENIED",
            Self::Unpaid(NotPaid::BatchCanceled) => "BATCH CANCELED",
            Self::Unpaid(NotPaid::BatchRefused) => "BATCH REFUSED",
            Self::Unpaid(NotPaid::PutBack) => "PUT BACK",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [&str; 10] = [
        "QUEUED",
        "PENDING",
        "ONHOLD",
        "UNCLAIMED",
        "SUCCESS",
        "FAILED",
        "RETURNED",
        "BLOCKED",
        "REFUNDED",
        "REVERSED",
    ];

    fn state(word: &str) -> ItemState {
        if word == "QUEUED" { ItemState::Queued } else { read(&TransactionStatus::parse(word)).unwrap() }
    }

    /// Every pair of a state and a word: `=` stay, `>` move, `!` strange.
    #[test]
    fn an_item_moves_only_along_paypals_states() {
        let table = [
            // PENDING ONHOLD UNCLAIMED SUCCESS FAILED RETURNED BLOCKED REFUNDED REVERSED
            ("QUEUED", ">>>>>>>>>"),
            ("PENDING", "=>>>>>>>>"),
            ("ONHOLD", "!=>>>>>>>"),
            ("UNCLAIMED", "!>=>>>>>>"),
            ("SUCCESS", "!!!=!!!>>"),
            ("FAILED", "!!!!=!!!!"),
            ("RETURNED", "!!!!!=!!!"),
            ("BLOCKED", "!!!!!!=!!"),
            ("REFUNDED", "!!!!!!!=!"),
            ("REVERSED", "!!!!!!!!="),
        ];
        for (from, row) in table {
            for (word, expected) in STATES[1..].iter().zip(row.chars()) {
                let got = match state(from).next(&TransactionStatus::parse(word)) {
                    Step::Stay => '=',
                    Step::Move(to) => {
                        assert_eq!(to, state(word));
                        '>'
                    }
                    Step::Strange(_) => '!',
                };
                assert_eq!(got, expected, "{from} then {word}");
            }
        }
    }

    #[test]
    fn items_of_a_denied_batch_stay_unpaid_whatever_else_it_shows() {
        for why in [NotPaid::BatchDenied, NotPaid::BatchCanceled] {
            for word in STATES[1..].iter() {
                let step = ItemState::Unpaid(why).next(&TransactionStatus::parse(word));
                let known = ["PENDING", "FAILED"].contains(word);
                assert!(if known { step == Step::Stay } else { matches!(step, Step::Strange(_)) }, "{word}");
            }
        }
    }

    #[test]
    fn only_what_is_open_waits_too_long() {
        let since = time::macros::datetime!(2026-01-01 00:00 UTC);
        let overdue = |word, days| state(word).overdue(since, since + Duration::days(days)).is_some();
        for word in STATES {
            assert!(!overdue(word, 34));
            assert_eq!(overdue(word, 35), ["PENDING", "ONHOLD", "UNCLAIMED"].contains(&word), "{word}");
        }
    }

    #[test]
    fn a_word_we_do_not_know_changes_nothing() {
        for from in STATES {
            for word in ["", "NEW", "success", "SUCCESS "] {
                assert!(matches!(state(from).next(&TransactionStatus::parse(word)), Step::Strange(_)));
            }
        }
    }

    #[test]
    fn only_money_that_never_left_or_came_home_is_due_again_by_itself() {
        for (word, releases) in
            [("FAILED", true), ("RETURNED", true), ("BLOCKED", false), ("REFUNDED", false), ("REVERSED", false)]
        {
            let ItemState::Unpaid(why) = state(word) else { panic!("{word}") };
            assert_eq!(why.releases(), releases, "{word}");
        }
    }
}
