//! Where an item's money is, and how a fact moves it. Pure.
//!
//! ```text
//! Queued ──▶ Open: processing, on hold, unclaimed ──▶ Paid ──came back──▶ Unpaid: refunded, reversed
//!    └──────────────┴──never left, or returned──────────────────────────▶ Unpaid: failed, returned, blocked, …
//! ```
//!
//! Paid is not the end: money can be sent back. Unpaid is: paying again is a new item with a new name.

use crate::paypal::payouts::TransactionStatus;

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
