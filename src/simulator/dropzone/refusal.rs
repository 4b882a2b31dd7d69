//! What can be wrong with a file, in PayPal's words.
//!
//! Names and texts: the section "File validation errors" of PayPal's page "Large Batch Payouts", and for the names that
//! only its later page has, a sentence of our own. Where the page's sample of a NACK file prints other words than its
//! table, they are the sample's. Of its two names for a currency, the summary has `CURRENCY_INVALID`, as in the sample,
//! and items have `INVALID_CURRENCY`.

use super::record::written;
use std::fmt::Write;

/// One of PayPal's file errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileError {
    /// Sum of the summary and of the items.
    SummaryAndPayoutMatchConflict,
    /// A reference id again.
    DuplicateRefId,
    /// A reference id with other characters, or more than 30.
    InvalidRefIdFormat,
    /// An amount that is no plain decimal.
    PayoutAmountInvalidFormat,
    /// An amount of zero or less.
    PayoutAmountNonPositive,
    /// A count that is no integer.
    SummaryLinesNonInteger,
    /// A count of zero or less.
    SummaryLinesNonPositive,
    /// A total that is no plain decimal.
    SummaryAmountInvalidFormat,
    /// A total of zero or less.
    SummaryAmountNonPositive,
    /// The summary's currency.
    CurrencyInvalid,
    /// An item's currency.
    InvalidCurrency,
    /// Neither `PAYOUT_SUMMARY` nor `PAYOUT`.
    InvalidFirstColumn,
    /// Something is missing.
    MandatoryColumnMissing,
    /// A subject of more than 255 characters.
    EmailSubjectExceededMaxSize,
    /// A message, or an item's note, of more than 1000.
    EmailMessageExceededMaxSize,
    /// More than one currency.
    MultiCurrencyNotSupported,
    /// The name.
    InvalidFileName,
    /// A name whose time is more than seven days ahead.
    ScheduledTimeError,
    /// No bytes.
    FileSizeError,
    /// What is not gzip although the name says so.
    GzFileCorruptError,
    /// Not UTF-8.
    EncodingError,
    /// Nothing in it, or zero bytes.
    FileEmptyOrCorrupt,
    /// Characters or columns that do not belong there.
    InvalidFileFormat,
    /// A summary further down.
    InvalidSummaryLinePosition,
    /// More than one summary.
    MultipleSummaryRecords,
    /// No summary.
    SummaryMissing,
    /// Count of the summary and of the items.
    TotalPaymentsMismatch,
    /// A purpose that PayPal does not know.
    InvalidPurpose,
    /// The content of an earlier file. PayPal describes the check and names no error.
    DuplicateFile,
}

impl FileError {
    /// Its name and its text.
    #[rustfmt::skip]
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::SummaryAndPayoutMatchConflict => ("SUMMARY_AND_PAYOUT_MATCH_CONFLICT", "Summary and Payout details must match"),
            Self::DuplicateRefId => ("DUPLICATE_REF_ID", "Reference IDs must be unique within an input file. Please correct and retry the payout."),
            Self::InvalidRefIdFormat => ("INVALID_REF_ID_FORMAT", "The Reference ID must be alphanumeric. The maximum character limit of 63. Please retry with the correct Reference ID."),
            Self::PayoutAmountInvalidFormat => ("PAYOUT_AMOUNT_INVALID_FORMAT", "Invalid Payout amount format"),
            Self::PayoutAmountNonPositive => ("PAYOUT_AMOUNT_NON_POSITIVE", "The Payout amount must be greater than zero. Please retry with the correct amount."),
            Self::SummaryLinesNonInteger => ("SUMMARY_LINES_NON_INTEGER", "The total number of payments field in the Summary line must be an integer. Please retry with the correct format."),
            Self::SummaryLinesNonPositive => ("SUMMARY_LINES_NON_POSITIVE", "The total number of payments field in Summary line must be greater than zero. Please retry with the correct information."),
            Self::SummaryAmountInvalidFormat => ("SUMMARY_AMOUNT_INVALID_FORMAT", "The Summary amount must a decimal. Other special characters are not allowed. Please retry with the correct format."),
            Self::SummaryAmountNonPositive => ("SUMMARY_AMOUNT_NON_POSITIVE", "The total Payout amount in the Summary line must be greater than zero. Please retry with the correct amount."),
            Self::CurrencyInvalid => ("CURRENCY_INVALID", "Currency is not valid"),
            Self::InvalidCurrency => ("INVALID_CURRENCY", "This currency is invalid. Please retry with an accepted currency format."),
            Self::InvalidFirstColumn => ("INVALID_FIRST_COLUMN", "The first column entry in the Summary must be PAYOUT_SUMMARY. For an item record, it must be PAYOUT."),
            Self::MandatoryColumnMissing => ("MANDATORY_COLUMN_MISSING", "Your file is missing mandatory columns. Please enter the required info and retry the Payout."),
            Self::EmailSubjectExceededMaxSize => ("EMAIL_SUBJECT_EXCEEDED_MAX_SIZE", "You’ve exceeded the maximum character limit for the email subject. The maximum length is 255."),
            Self::EmailMessageExceededMaxSize => ("EMAIL_MESSAGE_EXCEEDED_MAX_SIZE", "You’ve exceeded the maximum character limit for the email message. The maximum length is 1000."),
            Self::MultiCurrencyNotSupported => ("MULTI_CURRENCY_NOT_SUPPORTED", "Your payout input file has more than one currency. Please retry the file with a single currency."),
            Self::InvalidFileName => ("INVALID_FILE_NAME", "The format of your file name is invalid. Please retry with the correct file name."),
            Self::ScheduledTimeError => ("SCHEDULED_TIME_ERROR", "You can schedule a payout only seven days in advance. Please retry within the seven day scheduling limit."),
            Self::FileSizeError => ("FILE_SIZE_ERROR", "Your payout input file is empty. Please retry with a valid file."),
            Self::GzFileCorruptError => ("GZ_FILE_CORRUPT_ERROR", "Your payout input file is corrupt or has a checksum issue. Please retry with a valid file."),
            Self::EncodingError => ("ENCODING_ERROR", "The file is not encoded in UTF-8."),
            Self::FileEmptyOrCorrupt => ("FILE_EMPTY_OR_CORRUPT", "The file is empty or corrupt."),
            Self::InvalidFileFormat => ("INVALID_FILE_FORMAT", "The file has unneeded characters or columns."),
            Self::InvalidSummaryLinePosition => ("INVALID_SUMMARY_LINE_POSITION", "The summary must be the first line of the file."),
            Self::MultipleSummaryRecords => ("MULTIPLE_SUMMARY_RECORDS", "The file has more than one summary."),
            Self::SummaryMissing => ("SUMMARY_MISSING", "The file has no summary."),
            Self::TotalPaymentsMismatch => ("TOTAL_PAYMENTS_MISMATCH", "The number of payments in the summary is not the number of item records."),
            Self::InvalidPurpose => ("INVALID_PURPOSE", "The purpose is invalid."),
            Self::DuplicateFile => ("DUPLICATE_FILE", "The content of the file was received within the last seven days as"),
        }
    }
}

/// The lines of a NACK file, those of the summary first.
#[derive(Debug, Default)]
pub struct Refusal {
    summary: String,
    items: String,
}

impl Refusal {
    /// A refusal for one reason alone.
    pub fn of(currency: &str, error: FileError) -> Refusal {
        let mut refusal = Refusal::default();
        refusal.summary(currency, error);
        refusal
    }

    /// The refusal of what was sent before under another name.
    pub fn repeated(currency: &str, first: &str) -> Refusal {
        let (name, text) = FileError::DuplicateFile.words();
        Refusal::named(currency, name, &format!("{text} {first}"))
    }

    /// A refusal whose words are given.
    pub fn named(currency: &str, name: &str, text: &str) -> Refusal {
        let summary = format!("PAYOUT_SUMMARY,{},{},{}\n", written(currency), written(name), written(text));
        Refusal { summary, items: String::new() }
    }

    /// `PAYOUT_SUMMARY,CURRENCY_CODE,ERROR_ENUM,ERROR_DESCRIPTION`
    pub fn summary(&mut self, currency: &str, error: FileError) {
        let (name, text) = error.words();
        self.summary.push_str(&Refusal::named(currency, name, text).summary);
    }

    /// `PAYOUT,LINE_NO,REF_ID,ERROR_ENUM,ERROR_DESCRIPTION`. The page's sample counts item lines from 1.
    pub fn item(&mut self, number: usize, ref_id: &str, error: FileError) {
        let (name, text) = error.words();
        let line = writeln!(self.items, "PAYOUT,{number},{},{name},{}", written(ref_id), written(text));
        line.expect("a string can be written to");
    }

    /// How much there is to refuse about items.
    pub fn items(&self) -> usize {
        self.items.len()
    }

    /// Whether there is nothing to refuse.
    pub fn is_empty(&self) -> bool {
        self.summary.is_empty() && self.items.is_empty()
    }

    /// The file.
    pub fn text(self) -> String {
        self.summary + &self.items
    }
}
