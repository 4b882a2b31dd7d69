//! The rules for the lines of a file ("Add the Summary line", "Add individual item records").

use super::Checked;
use super::found::{Found, Place};
use super::references::References;
use crate::money::Currency;
use crate::paypal::large_batch::records::{Fault, Record};
use crate::paypal::large_batch::{
    FileError, MAX_MESSAGE, MAX_NOTE, MAX_RECEIVER, MAX_REFERENCE, MAX_SUBJECT, decimal, is_control, is_reference,
    shown,
};
use rust_decimal::Decimal;
use std::io;

const SUMMARY: &str = "PAYOUT_SUMMARY";
/// The second is of a later revision of the page.
const ITEMS: [&str; 2] = ["PAYOUT", "PAYOUT_VENMO"];
const SUMMARY_COLUMNS: [&str; 6] =
    [SUMMARY, "TOTAL_PAYOUT_AMOUNT", "CURRENCY_CODE", "TOTAL_NO_OF_PAYMENTS", "EMAIL_SUBJECT", "EMAIL_MESSAGE"];
const SUMMARY_MANDATORY: usize = 4;
/// Those after the sixth are of a later revision of the page.
const ITEM_COLUMNS: [&str; 10] = [
    "PAYOUT",
    "RECIPIENT_EMAIL",
    "PAYOUT_AMOUNT",
    "CURRENCY_CODE",
    "UNIQUE_REF_ID",
    "ITEM_LEVEL_NOTE",
    "SOCIAL_FEED_PRIVACY",
    "HOLLER_URL",
    "LOGO_URL",
    "PURPOSE",
];
const ITEM_MANDATORY: usize = 5;
const PURPOSES: [&str; 9] =
    ["AWARDS", "PRIZES", "DONATIONS", "GOODS", "SERVICES", "REBATES", "CASHBACK", "DISCOUNTS", "NON_GOODS_OR_SERVICES"];

/// The lines so far.
#[derive(Default)]
pub(super) struct Lines {
    found: Found,
    summary: Option<Promised>,
    currency: Option<Currency>,
    items: u64,
    sum: Decimal,
    references: References,
}

/// What the summary says, as far as it can be read.
struct Promised {
    total: Option<Decimal>,
    items: Option<u64>,
}

/// How an amount is wrong, on the summary's line and on the others.
struct AmountErrors {
    format: FileError,
    non_positive: FileError,
}

impl Lines {
    pub(super) fn new(found: Found) -> Self {
        Self { found, ..Self::default() }
    }

    pub(super) fn file_error(&mut self, error: FileError, detail: &str) {
        self.found.error(&Place::FILE, error, detail);
    }

    pub(super) fn warn_of_bom(&mut self) {
        self.found
            .warn(&Place::FILE, "it begins with a byte order mark, of which PayPal does not say that it skips it");
    }

    pub(super) fn add(&mut self, record: &Record<'_>) -> io::Result<()> {
        let word = record.text(0);
        let is_summary = word.trim().eq_ignore_ascii_case(SUMMARY);
        let reference = if is_summary { "".into() } else { record.text(4) };
        let place = Place { line: Some(record.line), is_of_item: !is_summary, reference: &reference };
        if record.is_blank() {
            self.found.warn(&place, "the line is empty, and PayPal does not say that it skips those");
            return Ok(());
        }
        if !record.is_utf8() {
            self.found.error(&place, FileError::EncodingError, "There are bytes on this line that are not UTF-8.");
        }
        if let Some(fault) = record.fault {
            self.found.error(&place, FileError::InvalidFileFormat, fault_in_words(fault));
        }
        if matches!(record.fault, Some(Fault::TooLong | Fault::Unclosed)) {
            self.items += u64::from(!is_summary);
            return Ok(());
        }
        let is_exact = word == SUMMARY || ITEMS.contains(&&*word);
        if !is_exact {
            let detail = format!("It begins with “{}”.", shown(&word, 40));
            self.found.error(&place, FileError::InvalidFirstColumn, detail);
        }
        if is_summary {
            self.summary(record, &place);
        } else {
            self.items += 1;
            if is_exact || record.len() >= ITEM_MANDATORY {
                self.item(record, &place)?;
            }
        }
        Ok(())
    }

    fn summary(&mut self, record: &Record<'_>, place: &Place<'_>) {
        if self.summary.is_some() {
            self.found.error(place, FileError::MultipleSummaryRecords, "There is a summary further up.");
            return;
        }
        if record.line != 1 {
            let detail = format!("It is on line {}.", record.line);
            self.found.error(place, FileError::InvalidSummaryLinePosition, detail);
        }
        self.columns(record, place, &SUMMARY_COLUMNS, SUMMARY_MANDATORY);
        let currency = self.currency(&record.text(2), place);
        let errors = AmountErrors {
            format: FileError::SummaryAmountInvalidFormat,
            non_positive: FileError::SummaryAmountNonPositive,
        };
        let total = self.amount(&record.text(1), currency, place, &errors);
        let items = self.count(&record.text(3), place);
        self.text(&record.text(4), MAX_SUBJECT, FileError::EmailSubjectExceededMaxSize, "subject", place);
        self.text(&record.text(5), MAX_MESSAGE, FileError::EmailMessageExceededMaxSize, "message", place);
        self.summary = Some(Promised { total, items });
    }

    fn item(&mut self, record: &Record<'_>, place: &Place<'_>) -> io::Result<()> {
        self.columns(record, place, &ITEM_COLUMNS, ITEM_MANDATORY);
        self.receiver(&record.text(1), record.field(0) == ITEMS[1].as_bytes(), place);
        let currency = self.currency(&record.text(3), place);
        let errors = AmountErrors {
            format: FileError::PayoutAmountInvalidFormat,
            non_positive: FileError::PayoutAmountNonPositive,
        };
        if let Some(amount) = self.amount(&record.text(2), currency, place, &errors) {
            self.sum += amount;
            if let Some(limit) = currency.map(Currency::usual_item_limit).filter(|limit| amount > *limit) {
                self.found.warn(place, format!("{amount} is more than PayPal usually pays at once, some {limit}"));
            }
        }
        self.reference(record.line, place)?;
        self.text(&record.text(5), MAX_NOTE, FileError::EmailMessageExceededMaxSize, "note", place);
        let purpose = record.text(9);
        if !purpose.is_empty() && !PURPOSES.contains(&&*purpose) {
            self.found.error(place, FileError::InvalidPurpose, format!("It is “{}”.", shown(&purpose, 40)));
        }
        Ok(())
    }

    /// Whether each mandatory column has something in it, and no column is too many.
    fn columns(&mut self, record: &Record<'_>, place: &Place<'_>, names: &[&str], mandatory: usize) {
        let is_missing = |column: &usize| record.field(*column).is_empty();
        if (1..mandatory).any(|column| is_missing(&column)) {
            let missing: Vec<_> = (1..mandatory).filter(is_missing).map(|column| names[column]).collect();
            let detail = format!("There is no {}.", missing.join(", no "));
            self.found.error(place, FileError::MandatoryColumnMissing, detail);
        }
        if record.len() > names.len() {
            let detail = format!("There are {} columns; PayPal knows {}.", record.len(), names.len());
            self.found.error(place, FileError::InvalidFileFormat, detail);
        }
    }

    /// The currency of a line; the file's is the first that is one.
    fn currency(&mut self, code: &str, place: &Place<'_>) -> Option<Currency> {
        if code.is_empty() {
            return None; // told by the columns
        }
        let Some(currency) = Currency::ALL.iter().copied().find(|currency| currency.code() == code) else {
            self.found.error(place, FileError::InvalidCurrency, format!("It is “{}”.", shown(code, 40)));
            return None;
        };
        let first = *self.currency.get_or_insert(currency);
        if currency != first {
            let detail = format!("This line is in {currency}, and the file began in {first}.");
            self.found.error(place, FileError::MultiCurrencyNotSupported, detail);
        }
        Some(currency)
    }

    /// An amount as far as it can be read, whether or not PayPal would take it.
    fn amount(
        &mut self,
        text: &str,
        currency: Option<Currency>,
        place: &Place<'_>,
        errors: &AmountErrors,
    ) -> Option<Decimal> {
        if text.is_empty() {
            return None; // told by the columns
        }
        let Some(amount) = decimal(text) else {
            self.found.error(place, errors.format, format!("It is “{}”.", shown(text, 40)));
            return None;
        };
        if amount <= Decimal::ZERO {
            self.found.error(place, errors.non_positive, format!("It is {amount}."));
            return None;
        }
        let scale = currency.or(self.currency).map_or(2, Currency::scale);
        if amount.normalize().scale() > scale {
            let detail = format!("{amount} is finer than the currency’s {scale} decimal places.");
            self.found.error(place, errors.format, detail);
        } else if amount.scale() > scale {
            self.found.warn(place, format!("{amount} has more decimal places than the currency’s {scale}"));
        }
        Some(amount)
    }

    fn count(&mut self, text: &str, place: &Place<'_>) -> Option<u64> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if text.is_empty() {
            return None; // told by the columns
        }
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            self.found.error(place, FileError::SummaryLinesNonInteger, format!("It is “{}”.", shown(text, 40)));
            return None;
        }
        if digits.len() < text.len() || digits.bytes().all(|b| b == b'0') {
            self.found.error(place, FileError::SummaryLinesNonPositive, format!("It is “{}”.", shown(text, 40)));
            return None;
        }
        Some(digits.parse().unwrap_or(u64::MAX)) // no file has so many
    }

    fn reference(&mut self, line: u64, place: &Place<'_>) -> io::Result<()> {
        let reference = place.reference;
        if reference.is_empty() {
            return Ok(()); // told by the columns
        }
        if !is_reference(reference, MAX_REFERENCE) {
            let detail = match is_reference(reference, usize::MAX) {
                true => format!("It has {} characters.", reference.len()),
                false => "It has characters that are not allowed.".to_owned(),
            };
            self.found.error(place, FileError::InvalidRefIdFormat, detail);
        }
        if let Some(first) = self.references.add(reference, line)? {
            self.found.error(place, FileError::DuplicateRefId, format!("It is on line {first} too."));
        }
        Ok(())
    }

    /// No file check of PayPal's: a payment to what is no recipient fails on its own.
    fn receiver(&mut self, receiver: &str, is_venmo: bool, place: &Place<'_>) {
        self.control_characters(receiver, "recipient", place);
        let length = receiver.chars().count();
        if length > MAX_RECEIVER {
            self.found.warn(place, format!("the recipient has {length} characters, and PayPal takes {MAX_RECEIVER}"));
        } else if !receiver.is_empty() && !is_venmo && !is_email(receiver) && !is_account(receiver) {
            self.found.warn(place, format!("“{}” is no e-mail address; the payment would fail", shown(receiver, 127)));
        }
    }

    fn text(&mut self, text: &str, longest: usize, error: FileError, what: &str, place: &Place<'_>) {
        self.control_characters(text, what, place);
        if text.len() > longest {
            let length = text.chars().count();
            if length > longest {
                self.found.error(place, error, format!("The {what} has {length} characters."));
            }
        }
    }

    fn control_characters(&mut self, text: &str, what: &str, place: &Place<'_>) {
        if text.contains(is_control) {
            self.found.warn(place, format!("the {what} has line breaks or control characters in it"));
        }
    }

    /// What only the whole file tells.
    pub(super) fn end(&mut self) {
        let (items, sum) = (self.items, self.sum);
        let Some(Promised { total, items: promised }) = self.summary else {
            match items {
                0 => self.file_error(FileError::FileEmptyOrCorrupt, "There are only empty lines in it."),
                _ => self.file_error(FileError::SummaryMissing, "No line begins with PAYOUT_SUMMARY."),
            }
            return;
        };
        if let Some(total) = total.filter(|total| *total != sum) {
            let detail = format!("It says {total}, and the lines that can be read add up to {sum}.");
            self.file_error(FileError::SummaryAndPayoutMatchConflict, &detail);
        }
        if let Some(promised) = promised.filter(|promised| *promised != items) {
            let detail = format!("It says {promised}, and there are {items}.");
            self.file_error(FileError::TotalPaymentsMismatch, &detail);
        }
    }

    pub(super) fn into_checked(self) -> Checked {
        let Found { findings, total_findings, warnings, total_warnings } = self.found;
        Checked {
            findings,
            total_findings,
            warnings,
            total_warnings,
            lines: self.items,
            sum: self.sum,
            currency: self.currency.map(|currency| currency.code().to_owned()),
            sha256: [0; 32],
        }
    }
}

fn fault_in_words(fault: Fault) -> &'static str {
    match fault {
        Fault::TooLong => "The line is longer than any that PayPal asks for; it was not read.",
        Fault::Unclosed => "A quotation mark is opened and never closed, so that everything after it is one line.",
        Fault::Stray => "There is a quotation mark that neither encloses a column nor is doubled.",
    }
}

fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.rsplit_once('@') else { return false };
    let is_plain = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '@');
    is_plain(name) && is_plain(domain) && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.')
}

/// An "encrypted PayPal account number": 13 letters and digits in all of PayPal's examples.
fn is_account(text: &str) -> bool {
    text.len() == 13 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}
