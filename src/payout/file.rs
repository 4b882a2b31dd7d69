//! The life of an input file at PayPal's DropZone: what PayPal's answers to it mean, and when its folders are read. Pure.
//!
//! ```text
//! Ready ──put──▶ Submitting: put, whole ──ACK, or a report──▶ Accepted ──OUT──▶ settled ──FINAL, day 31──▶ Closed
//!                   │  ▲ │
//!                   │  └─┘ cut off: looked for, and put again under the same name after an hour of nothing
//!                   ├──NACK that can be believed──▶ Refused   (commissions released)
//!                   └──any other NACK─────────────▶ Stuck     (an ACK, a report or people end it)
//! ```
//!
//! An ACK beats every NACK of the same name: the DropZone may have read half of a file, or the second of two uploads.
//! A NACK is believed only about a file that certainly was there whole, once, and has been picked up; only if it names
//! nothing that a half-read or repeated file explains better, and nothing that PayPal does not document; and an hour
//! after it came, in which an ACK may still come.

use crate::paypal::large_batch::FileError;
use time::{Duration, OffsetDateTime};

/// A NACK counts, and a file that is nowhere is put again, only after this long.
pub const LATE_ANSWER: Duration = Duration::hours(1);
/// A file without an answer for this long is shown to people.
pub const SILENCE: Duration = Duration::hours(1);
/// The Final report comes 31 days after the Out report (PayPal's "Large Batch Payouts" page, "View reports").
pub const FINAL_AFTER: Duration = Duration::days(31);
/// One that has not come by then is shown to people.
pub const FINAL_OVERDUE: Duration = Duration::days(35);

/// What has been seen of a file that is being, or was, handed over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// An attempt's fate is unknown, or was at some time.
    pub doubted: bool,
    /// When all of it stood in the Incoming folder.
    pub uploaded_at: Option<OffsetDateTime>,
    /// The server showed its full size there.
    pub whole: bool,
    /// It has left that folder.
    pub gone: bool,
    /// PayPal accepted it, or has reported on a payment of it.
    pub accepted: bool,
    /// PayPal says that it has had a file of this name before.
    pub dups: bool,
    /// When PayPal rejected it.
    pub nack_at: Option<OffsetDateTime>,
    /// That names what a half-read or repeated file explains better.
    pub nack_is_doubtful: bool,
}

/// What that comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Wait,
    /// PayPal has it.
    Accepted,
    /// PayPal did not take it, and nothing of it is paid.
    Refused,
    /// It cannot be told, for this reason.
    Stuck(&'static str),
}

/// What the answers so far mean.
pub fn judge(seen: &Seen, now: OffsetDateTime) -> Verdict {
    if seen.accepted {
        return Verdict::Accepted;
    }
    let Some(nack_at) = seen.nack_at else { return Verdict::Wait };
    if now - nack_at < LATE_ANSWER {
        return Verdict::Wait;
    }
    let stood_before = seen.uploaded_at.is_some_and(|uploaded_at| uploaded_at <= nack_at);
    match () {
        () if seen.nack_is_doubtful => Verdict::Stuck(
            "PayPal rejected a file of this name for what ours does not have: it may have read half of it, or a second copy",
        ),
        () if seen.dups => Verdict::Stuck("PayPal rejected a file of this name, and says that it has had one before"),
        () if seen.doubted || !seen.whole || !stood_before => {
            Verdict::Stuck("PayPal rejected a file of this name, and it is not certain that it had read all of ours")
        }
        () if !seen.gone => Verdict::Wait,
        () => Verdict::Refused,
    }
}

/// Whether an error leaves open whether something of ours is paid: what a file that was read half, or twice, explains
/// better than ours, in which our own check has found names, totals, counts and references to be right. A name that
/// PayPal does not document may say anything, so it is doubtful too.
pub fn is_doubtful(error_name: &str) -> bool {
    use FileError as E;
    match FileError::from_name(error_name) {
        None
        | Some(
            E::SummaryAndPayoutMatchConflict
            | E::TotalPaymentsMismatch
            | E::SummaryMissing
            | E::InvalidSummaryLinePosition
            | E::MultipleSummaryRecords
            | E::MandatoryColumnMissing
            | E::InvalidFirstColumn
            | E::DuplicateRefId
            | E::GzFileCorruptError
            | E::FileSizeError
            | E::FileEmptyOrCorrupt
            | E::FileNotFound
            | E::EncodingError
            | E::InvalidFileFormat,
        ) => true,
        Some(
            E::InvalidRefIdFormat
            | E::PayoutAmountInvalidFormat
            | E::PayoutAmountNonPositive
            | E::SummaryLinesNonInteger
            | E::SummaryLinesNonPositive
            | E::SummaryAmountInvalidFormat
            | E::SummaryAmountNonPositive
            | E::InvalidCurrency
            | E::EmailSubjectExceededMaxSize
            | E::EmailMessageExceededMaxSize
            | E::MultiCurrencyNotSupported
            | E::InvalidFileName
            | E::ScheduledTimeError
            | E::SandboxLimitError
            | E::InvalidPurpose,
        ) => false,
    }
}

/// How soon the folders are read again, `waited` after the youngest thing that is waited for.
pub fn list_after(waited: Duration) -> Duration {
    match waited {
        w if w < Duration::minutes(1) => Duration::seconds(2),
        w if w < Duration::minutes(10) => Duration::seconds(10),
        w if w < Duration::hours(1) => Duration::seconds(30),
        w if w < Duration::days(1) => Duration::minutes(2),
        _ => Duration::minutes(15),
    }
}

/// How soon they are read again while only the Final report is waited for.
pub const LIST_FOR_FINAL: Duration = Duration::hours(1);

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const PUT: OffsetDateTime = datetime!(2026-01-01 10:00 UTC);
    const NACK: OffsetDateTime = datetime!(2026-01-01 10:05 UTC);

    fn rejected() -> Seen {
        Seen { uploaded_at: Some(PUT), whole: true, gone: true, nack_at: Some(NACK), ..Seen::default() }
    }

    #[test]
    fn a_nack_is_believed_after_an_hour_about_a_file_that_was_there_whole_and_once() {
        assert_eq!(judge(&rejected(), NACK + Duration::minutes(59)), Verdict::Wait);
        assert_eq!(judge(&rejected(), NACK + Duration::hours(1)), Verdict::Refused);
        let later = NACK + Duration::days(20);
        assert_eq!(judge(&Seen { gone: false, ..rejected() }, later), Verdict::Wait, "still to be picked up");
        for doubtful in [
            Seen { doubted: true, ..rejected() },
            Seen { whole: false, ..rejected() },
            Seen { uploaded_at: None, ..rejected() },
            Seen { uploaded_at: Some(NACK + Duration::SECOND), ..rejected() },
            Seen { dups: true, ..rejected() },
            Seen { nack_is_doubtful: true, ..rejected() },
        ] {
            assert!(matches!(judge(&doubtful, later), Verdict::Stuck(_)), "{doubtful:?}");
        }
    }

    #[test]
    fn an_ack_beats_any_nack() {
        for seen in
            [rejected(), Seen { doubted: true, dups: true, nack_is_doubtful: true, ..rejected() }, Seen::default()]
        {
            assert_eq!(judge(&Seen { accepted: true, ..seen }, NACK), Verdict::Accepted);
        }
    }

    #[test]
    fn silence_and_a_repeated_name_decide_nothing() {
        let later = PUT + Duration::days(400);
        assert_eq!(judge(&Seen { nack_at: None, ..rejected() }, later), Verdict::Wait);
        assert_eq!(judge(&Seen { nack_at: None, dups: true, doubted: true, ..rejected() }, later), Verdict::Wait);
    }

    #[test]
    fn what_a_half_read_or_repeated_file_explains_is_doubtful() {
        for name in
            ["SUMMARY_AND_PAYOUT_MATCH_CONFLICT", "total_payments_mismatch", "DUPLICATE_REF_ID", "FILE_NOT_FOUND"]
        {
            assert!(is_doubtful(name), "{name}");
        }
        for name in ["INVALID_CURRENCY", "currency_invalid", "PAYOUT_AMOUNT_INVALID_FORMAT", "SANDBOX_LIMIT_ERROR"] {
            assert!(!is_doubtful(name), "{name}");
        }
    }

    #[test]
    fn a_name_that_paypal_does_not_document_is_doubtful() {
        for name in ["DUPLICATE_FILE", "CONTENT_SENT_BEFORE", "NEW_NAME", ""] {
            assert!(is_doubtful(name), "{name}");
        }
    }
}
