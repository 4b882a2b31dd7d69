//! PayPal's Large Batch Payouts: one file in, a handful of files back, all of them CSV on an SFTP server.
//!
//! What is sent is an input file of a summary and a line for each payment, under a name that may be used once
//! ([`InputName`], [`Writer`]). PayPal answers it as a whole, accepted or rejected or known already
//! ([`parse_answer`]), and later tells the outcome of each line in reports ([`rows`]). Which file in the folder is what,
//! only its name says ([`outgoing`]). [`check()`] is PayPal's validation as documented, for any file.
//!
//! Everything here is a function of bytes and bounded in memory, whatever the file's size and whoever wrote it.
//!
//! Source: PayPal's page "Large Batch Payouts" and its later revisions. They contradict themselves in places; what we
//! write keeps to the narrower rule, and what we read is taken in every documented form.

mod answer;
mod check;
mod file_error;
mod name;
mod records;
mod report;
mod write;

pub use answer::{FileAnswer, Rejection, Unreadable, parse_answer};
pub use check::{Checked, Finding, Warning, check};
pub use file_error::FileError;
pub use name::{Compression, InputName, Outgoing, outgoing};
pub use report::{BadRow, ReportRow, rows};
pub use write::{Line, Summary, Writer};

use rust_decimal::Decimal;
use time::Duration;

/// Longest UNIQUE_REF_ID, of `[0-9A-Za-z_-]`: the table of fields says 30, the table of errors 63.
pub const MAX_REFERENCE: usize = 30;
/// Longest EMAIL_SUBJECT in characters: the table of errors says 255, the table of fields 256.
pub const MAX_SUBJECT: usize = 255;
/// Longest EMAIL_MESSAGE in characters (table of fields).
pub const MAX_MESSAGE: usize = 1000;
/// Longest ITEM_LEVEL_NOTE in characters (table of fields).
pub const MAX_NOTE: usize = 1000;
/// Longest recipient. The page names no limit; this is that of the same field in Payouts v1.
pub const MAX_RECEIVER: usize = super::payouts::MAX_RECEIVER;
/// How far ahead the time in a file's name may be ("Save the input file", `epoch_time`).
pub const MAX_SCHEDULE: Duration = Duration::days(7);

/// Whether this may be a UNIQUE_REF_ID, or the reference in a file's name, of at most so many characters.
fn is_reference(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// An amount as the page asks for it: digits and at most one point between them. Not rounded, so not arbitrarily long.
fn decimal(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(whole) && is_number(fraction) && digits.len() <= 20).then(|| text.parse().ok())?
}

/// What somebody else's file says, fit to be shown and kept: one line, no control characters, at most so many characters.
fn shown(text: &str, longest: usize) -> String {
    let mut shown: String = text.chars().take(longest).map(|c| if is_control(c) { '\u{fffd}' } else { c }).collect();
    if shown.len() < text.len() && text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
}

/// Control characters, and the two line breaks that Unicode has besides.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_digits_and_a_point() {
        for (text, amount) in [("17.9", Some((179, 1))), ("007", Some((7, 0))), ("-0.10", Some((-10, 2)))] {
            assert_eq!(decimal(text), amount.map(|(number, scale)| Decimal::new(number, scale)), "{text}");
        }
        for text in
            ["", ".", ".5", "5.", "+5", "--5", "1,5", "1.5.5", "1e3", " 1", "1 000", "$1", "１", &"1".repeat(21)]
        {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_one_line_and_short() {
        assert_eq!(shown("a\x1b[2J\nb", 100), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(shown("äöü", 3), "äöü");
        assert_eq!(shown("äöü", 2), "äö…");
    }
}
