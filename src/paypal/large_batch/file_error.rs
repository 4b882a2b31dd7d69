//! The errors by which PayPal rejects an input file.

macro_rules! file_errors {
    ($($variant:ident $name:literal $text:literal $advice:literal)*) => {
        /// Why PayPal rejects an input file: the closed part of an open list ("File validation errors").
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FileError { $(#[doc = concat!("`", $name, "`: ", $text)] $variant,)* }

        impl FileError {
            /// Every error that PayPal documents.
            pub const ALL: &[FileError] = &[$(FileError::$variant,)*];

            /// PayPal's name of it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// PayPal's sentence.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What to do about it, in plain words.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

file_errors! {
    SummaryAndPayoutMatchConflict "SUMMARY_AND_PAYOUT_MATCH_CONFLICT"
        "The Payout amount in the Summary line doesn’t match the total item value. Please retry with the correct amount."
        "Write the sum of all amounts into the second column of the first line. If the sum is right, lines are missing."
    DuplicateRefId "DUPLICATE_REF_ID"
        "Reference IDs must be unique within an input file. Please correct and retry the payout."
        "Give each payment a reference of its own. If it is the same payment twice, remove one."
    InvalidRefIdFormat "INVALID_REF_ID_FORMAT"
        "The Reference ID must be alphanumeric. The maximum character limit of 63. Please retry with the correct Reference ID."
        "Use 1 to 30 letters without accents, digits, underscores and hyphens; elsewhere PayPal says that 63 are too many."
    PayoutAmountInvalidFormat "PAYOUT_AMOUNT_INVALID_FORMAT"
        "The Payout amount must use a decimal. Other special characters are not allowed. Please retry with the correct format."
        "Write digits and at most one point, as in 1234.50: no comma, no currency sign, no space, and no more decimals than the currency has."
    PayoutAmountNonPositive "PAYOUT_AMOUNT_NON_POSITIVE"
        "The Payout amount must be greater than zero. Please retry with the correct amount."
        "Remove the line, or write an amount above zero."
    SummaryLinesNonInteger "SUMMARY_LINES_NON_INTEGER"
        "The total number of payments field in the Summary line must be an integer. Please retry with the correct format."
        "Write the number of payments with digits alone into the fourth column of the first line."
    SummaryLinesNonPositive "SUMMARY_LINES_NON_POSITIVE"
        "The total number of payments field in Summary line must be greater than zero. Please retry with the correct information."
        "Write the number of payments into the fourth column of the first line."
    SummaryAmountInvalidFormat "SUMMARY_AMOUNT_INVALID_FORMAT"
        "The Summary amount must a decimal. Other special characters are not allowed. Please retry with the correct format."
        "Write the sum as digits and at most one point, as in 1234.50: no comma, no currency sign, no space, and no more decimals than the currency has."
    SummaryAmountNonPositive "SUMMARY_AMOUNT_NON_POSITIVE"
        "The total Payout amount in the Summary line must be greater than zero. Please retry with the correct amount."
        "Write the sum of all amounts into the second column of the first line."
    InvalidCurrency "INVALID_CURRENCY"
        "This currency is invalid. Please retry with an accepted currency format."
        "Write the code of a currency that PayPal pays out, in upper case and without spaces, as in USD."
    InvalidFirstColumn "INVALID_FIRST_COLUMN"
        "The first column entry in the Summary must be PAYOUT_SUMMARY. For an item record, it must be PAYOUT."
        "Begin the first line with PAYOUT_SUMMARY and every other with PAYOUT, in upper case and without spaces; remove headings and empty lines."
    MandatoryColumnMissing "MANDATORY_COLUMN_MISSING"
        "Your file is missing mandatory columns. Please enter the required info and retry the Payout."
        "Only the subject, the message and the note may be missing. Columns are separated by commas, not by semicolons or tabs."
    EmailSubjectExceededMaxSize "EMAIL_SUBJECT_EXCEEDED_MAX_SIZE"
        "You’ve exceeded the maximum character limit for the email subject. The maximum length is 255."
        "Shorten the subject to 255 characters."
    EmailMessageExceededMaxSize "EMAIL_MESSAGE_EXCEEDED_MAX_SIZE"
        "You’ve exceeded the maximum character limit for the email message. The maximum length is 1000."
        "Shorten the message or note to 1000 characters."
    MultiCurrencyNotSupported "MULTI_CURRENCY_NOT_SUPPORTED"
        "Your payout input file has more than one currency. Please retry the file with a single currency."
        "Make one file for each currency."
    InvalidFileName "INVALID_FILE_NAME"
        "The format of your file name is invalid. Please retry with the correct file name."
        "Name it pp_payouts_<seconds since 1970>_<reference>.csv or .csv.gz in lower case, with a reference of 1 to 63 letters, digits, underscores and hyphens."
    ScheduledTimeError "SCHEDULED_TIME_ERROR"
        "You can schedule a payout only seven days in advance. Please retry within the seven day scheduling limit."
        "Put the present time into the file’s name, in seconds since 1970. A later time delays the payments, by seven days at most."
    FileSizeError "FILE_SIZE_ERROR"
        "Your payout input file is empty. Please retry with a valid file."
        "Write the file again; it may not have been written to its end."
    GzFileCorruptError "GZ_FILE_CORRUPT_ERROR"
        "Your payout input file is corrupt or has a checksum issue. Please retry with a valid file."
        "Pack the file again with gzip, or send it unpacked as .csv."

    // From here on of a later revision of the page.
    EncodingError "ENCODING_ERROR"
        "The payout input file is not in UTF-8 format."
        "Save the file as “CSV UTF-8”."
    FileEmptyOrCorrupt "FILE_EMPTY_OR_CORRUPT"
        "The payout input file is empty or corrupt and cannot be processed."
        "Write the file again; there is no line in it."
    FileNotFound "FILE_NOT_FOUND"
        "The file has been removed from the source folder. Contact our customer support."
        "Ask PayPal what became of the file before you send its payments again under another name."
    InvalidFileFormat "INVALID_FILE_FORMAT"
        "The input file contains characters, columns, or details that are not required for processing payouts. Remove these characters, columns, or details and upload the file."
        "Remove the columns at the end. Enclose a text with commas or quotation marks in quotation marks, and double those inside it."
    InvalidSummaryLinePosition "INVALID_SUMMARY_LINE_POSITION"
        "The payout summary record is missing from the first line in the payout input file."
        "Make the summary the first line."
    MultipleSummaryRecords "MULTIPLE_SUMMARY_RECORDS"
        "The payout input file should contain only one summary record."
        "Keep one summary, with the sum and the number of all payments."
    SummaryMissing "SUMMARY_MISSING"
        "The summary line is missing from the payout input file."
        "Begin with a line PAYOUT_SUMMARY,<sum>,<currency>,<number of payments>,<subject>,<message>."
    TotalPaymentsMismatch "TOTAL_PAYMENTS_MISMATCH"
        "The TOTAL_NO_OF_PAYMENTS in the PAYOUTS_SUMMARY row must match the total records in the payout input file."
        "Write the number of payments into the fourth column of the first line. If the number is right, lines are missing."
    SandboxLimitError "SANDBOX_LIMIT_ERROR"
        "The number of items in the file exceeds the sandbox file limit (sandbox only)."
        "Send fewer payments to the sandbox; PayPal does not say how many it takes."
    InvalidPurpose "INVALID_PURPOSE"
        "The purpose specified for the transaction is invalid."
        "Leave the purpose empty, or write AWARDS, PRIZES, DONATIONS, GOODS, SERVICES, REBATES, CASHBACK, DISCOUNTS or NON_GOODS_OR_SERVICES."
}

impl FileError {
    /// From PayPal's name, in any letter case. Its example of a NACK says `CURRENCY_INVALID` where its table of errors
    /// says `INVALID_CURRENCY`.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("CURRENCY_INVALID") { Self::InvalidCurrency.name() } else { name };
        Self::ALL.iter().copied().find(|error| error.name().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_found_by_its_name() {
        for error in FileError::ALL {
            assert_eq!(FileError::from_name(error.name()), Some(*error));
            assert!(error.text().ends_with('.') && error.advice().ends_with('.'), "{error:?}");
        }
        assert_eq!(FileError::ALL.len(), 29);
        assert_eq!(FileError::from_name("currency_invalid"), Some(FileError::InvalidCurrency));
        assert_eq!(FileError::from_name("WHATEVER"), None);
    }
}
