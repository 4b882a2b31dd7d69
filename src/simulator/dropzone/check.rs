//! PayPal's validation of a file: its name, its encoding, every line of it.
//!
//! Source: PayPal's page "Large Batch Payouts" and its later "File validation errors". Where they contradict themselves
//! the stricter reading counts, as it does wherever they are silent: whoever passes here passes there.

use super::record::fields;
use super::refusal::{FileError, Refusal};
use crate::simulator::currency;
use crate::simulator::receiver;
use crate::simulator::request::{Create, Header, PURPOSES, Payment};
use flate2::read::MultiGzDecoder;
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read;

/// The longest content that a compressed file may have.
const LONGEST: u64 = 1024 * 1024 * 1024;
/// Characters of a subject: 256 in one table of the page, 255 in the other.
const SUBJECT: usize = 255;
/// Characters of a message, and of a note.
const MESSAGE: usize = 1000;
/// Characters of a recipient, as over REST.
const RECIPIENT: usize = 127;
/// Characters of a reference id: 30 in one table of the page, 63 in the other.
const REFERENCE: usize = 30;
/// Columns of an item, with the four that the later page adds.
const COLUMNS: usize = 10;

/// A well-formed name: the time that it gives, and whether it says gzip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Seconds since 1970; more than fit are as good as the most.
    pub epoch: i64,
    /// Whether it ends in `.gz`.
    pub zipped: bool,
}

/// Reads `pp_payouts_<epoch>_<reference>.csv`, or `.csv.gz`.
pub fn name(name: &str) -> Option<Name> {
    let (stem, zipped) = match name.strip_suffix(".csv.gz") {
        Some(stem) => (stem, true),
        None => (name.strip_suffix(".csv")?, false),
    };
    let (epoch, reference) = stem.strip_prefix("pp_payouts_")?.split_once('_')?;
    let well_formed = !epoch.is_empty()
        && epoch.bytes().all(|byte| byte.is_ascii_digit())
        && (1..=63).contains(&reference.len())
        && reference.bytes().all(is_plain);
    well_formed.then(|| Name { epoch: epoch.parse().unwrap_or(i64::MAX), zipped })
}

/// A name without its extension, also when it is not well-formed.
pub fn stem(name: &str) -> &str {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    name.rfind('.').map_or(name, |dot| &name[..dot])
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The text of a file.
pub fn text(bytes: Vec<u8>, zipped: bool) -> Result<String, Refusal> {
    let refuse = |error| Err(Refusal::of("", error));
    if bytes.is_empty() {
        return refuse(FileError::FileSizeError);
    }
    let bytes = match zipped {
        false => bytes,
        true => {
            let mut plain = Vec::new();
            match MultiGzDecoder::new(bytes.as_slice()).take(LONGEST + 1).read_to_end(&mut plain) {
                Ok(length) if length as u64 <= LONGEST => plain,
                Ok(_) | Err(_) => return refuse(FileError::GzFileCorruptError),
            }
        }
    };
    let Ok(text) = String::from_utf8(bytes) else { return refuse(FileError::EncodingError) };
    if text.contains('\0') || text.trim_matches(['\r', '\n']).is_empty() {
        return refuse(FileError::FileEmptyOrCorrupt);
    }
    Ok(text)
}

/// Reads a whole file. One bad line refuses all of them.
pub fn read(text: &str) -> Result<Create, Refusal> {
    // The last line may end in a line break, and need not.
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).peekable();
    let mut file = File::default();
    let summary = match lines.next_if(|line| !is_item(line)) {
        Some(line) => file.summary(line),
        None => Summary::default(),
    };
    for line in lines {
        file.line(line);
    }
    file.compare(&summary);
    if !file.refusal.is_empty() {
        return Err(file.refusal);
    }
    let Summary { email_subject, email_message, currency, .. } = summary;
    let header = Header { sender_batch_id: None, recipient_type: None, email_subject, email_message };
    Ok(Create { header, currency: currency.unwrap_or_default(), items: file.payments })
}

fn is_item(line: &str) -> bool {
    let first = line.split(',').next().unwrap_or_default();
    first == "PAYOUT" || first == "PAYOUT_VENMO"
}

/// What the summary says, as far as it can be read.
#[derive(Debug, Default)]
struct Summary {
    total: Option<Decimal>,
    currency: Option<String>,
    written_currency: String,
    count: Option<usize>,
    email_subject: Option<String>,
    email_message: Option<String>,
}

/// What the first line is.
#[derive(Debug, Default, Clone, Copy)]
enum First {
    #[default]
    Item,
    Summary,
    Other,
}

/// A file while it is read.
#[derive(Debug, Default)]
struct File<'a> {
    refusal: Refusal,
    first: First,
    more_summaries: bool,
    /// The one currency of its items, and of the summary where that is valid.
    currency: Option<Cow<'a, str>>,
    currencies: bool,
    references: HashSet<Cow<'a, str>>,
    lines: usize,
    sum: Decimal,
    payments: Vec<Payment>,
}

impl<'a> File<'a> {
    /// `PAYOUT_SUMMARY,TOTAL_PAYOUT_AMOUNT,CURRENCY_CODE,TOTAL_NO_OF_PAYMENTS[,EMAIL_SUBJECT[,EMAIL_MESSAGE]]`
    fn summary(&mut self, line: &str) -> Summary {
        let mut summary = Summary::default();
        self.first = First::Other;
        let fields = fields(line).filter(|_| !line.is_empty() && !line.contains('\r'));
        let Some(fields) = fields else {
            self.refusal.summary("", FileError::InvalidFileFormat);
            return summary;
        };
        let field = |place: usize| fields.get(place).map_or("", |field| field.as_ref());
        summary.written_currency = field(2).to_owned();
        let mut refuse = |error| self.refusal.summary(field(2), error);
        if field(0) != "PAYOUT_SUMMARY" {
            refuse(FileError::InvalidFirstColumn);
            return summary;
        }
        self.first = First::Summary;
        if fields.len() > 6 || (1..4).any(|place| is_padded(field(place))) {
            refuse(FileError::InvalidFileFormat);
            return summary;
        }
        if (1..4).any(|place| field(place).is_empty()) {
            refuse(FileError::MandatoryColumnMissing);
        }
        let scale = currency::scale(field(2));
        match amount(field(1), scale, 16) {
            _ if field(1).is_empty() => {}
            Ok(total) => summary.total = Some(total),
            Err(Amount::Format) => refuse(FileError::SummaryAmountInvalidFormat),
            Err(Amount::NonPositive) => refuse(FileError::SummaryAmountNonPositive),
        }
        match scale {
            Some(_) => summary.currency = Some(field(2).to_owned()),
            None if field(2).is_empty() => {}
            None => refuse(FileError::CurrencyInvalid),
        }
        match count(field(3)) {
            _ if field(3).is_empty() => {}
            Ok(count) => summary.count = Some(count),
            Err(error) => refuse(error),
        }
        if is_longer(field(4), SUBJECT) {
            refuse(FileError::EmailSubjectExceededMaxSize);
        }
        if is_longer(field(5), MESSAGE) {
            refuse(FileError::EmailMessageExceededMaxSize);
        }
        summary.email_subject = given(field(4));
        summary.email_message = given(field(5));
        self.currency = summary.currency.clone().map(Cow::Owned);
        summary
    }

    /// A line after the first one.
    fn line(&mut self, line: &'a str) {
        if line.split(',').next() == Some("PAYOUT_SUMMARY") {
            self.more_summaries = true;
            return;
        }
        self.lines += 1;
        let number = self.lines;
        let fields = fields(line).filter(|_| !line.is_empty() && !line.contains('\r'));
        let Some(fields) = fields else { return self.refusal.item(number, "", FileError::InvalidFileFormat) };
        self.item(number, &fields);
    }

    /// `PAYOUT,RECIPIENT,PAYOUT_AMOUNT,CURRENCY_CODE,UNIQUE_REF_ID[,ITEM_LEVEL_NOTE]`, and four columns of the later
    /// page: `SOCIAL_FEED_PRIVACY,HOLLER_URL,LOGO_URL,PURPOSE`.
    fn item(&mut self, number: usize, fields: &[Cow<'a, str>]) {
        let field = |place: usize| fields.get(place).map_or("", |field| field.as_ref());
        let reference = field(4);
        let refusal = &mut self.refusal;
        let before = refusal.items();
        let mut refuse = |error| refusal.item(number, reference, error);
        let venmo = field(0) == "PAYOUT_VENMO";
        if !venmo && field(0) != "PAYOUT" {
            return refuse(FileError::InvalidFirstColumn);
        }
        if fields.len() > COLUMNS || (1..5).any(|place| is_padded(field(place))) {
            return refuse(FileError::InvalidFileFormat);
        }
        // As over REST, Venmo needs a note.
        if (1..5).any(|place| field(place).is_empty()) || venmo && field(5).is_empty() {
            refuse(FileError::MandatoryColumnMissing);
        }
        let well_formed = !is_longer(field(1), RECIPIENT)
            && ["", "PRIVATE", "FRIENDS_ONLY", "PUBLIC"].contains(&field(6))
            && !is_longer(field(7), MESSAGE)
            && !is_longer(field(8), MESSAGE);
        if !well_formed {
            refuse(FileError::InvalidFileFormat);
        }
        let scale = currency::scale(field(3));
        let value = match amount(field(2), scale, 12) {
            _ if field(2).is_empty() => None,
            Ok(value) => Some(value),
            Err(Amount::Format) => {
                refuse(FileError::PayoutAmountInvalidFormat);
                None
            }
            Err(Amount::NonPositive) => {
                refuse(FileError::PayoutAmountNonPositive);
                None
            }
        };
        self.sum += value.unwrap_or_default();
        if !field(3).is_empty() && (scale.is_none() || venmo && field(3) != "USD") {
            refuse(FileError::InvalidCurrency);
        }
        if scale.is_some() {
            let first = self.currency.get_or_insert_with(|| fields[3].clone());
            self.currencies |= *first != fields[3];
        }
        if !reference.is_empty() {
            if reference.len() > REFERENCE || !reference.bytes().all(is_plain) {
                refuse(FileError::InvalidRefIdFormat);
            } else if !self.references.insert(fields[4].clone()) {
                refuse(FileError::DuplicateRefId);
            }
        }
        if is_longer(field(5), MESSAGE) {
            refuse(FileError::EmailMessageExceededMaxSize);
        }
        if !field(9).is_empty() && !PURPOSES.contains(&field(9)) {
            refuse(FileError::InvalidPurpose);
        }
        if let Some(value) = value.filter(|_| self.refusal.items() == before) {
            self.payments.push(Payment {
                recipient_type: recipient_type(field(1), venmo).to_owned(),
                receiver: field(1).to_owned(),
                value,
                note: given(field(5)),
                sender_item_id: Some(reference.to_owned()),
                recipient_wallet: venmo.then(|| "VENMO".to_owned()),
                purpose: given(field(9)),
            });
        }
    }

    /// What the file as a whole must be: one summary, one currency, and what the summary says.
    fn compare(&mut self, summary: &Summary) {
        let currency = self.currency.clone().unwrap_or_else(|| summary.written_currency.clone().into());
        let mut refuse = |error| self.refusal.summary(&currency, error);
        match (self.first, self.more_summaries) {
            (First::Summary, true) => refuse(FileError::MultipleSummaryRecords),
            (First::Item | First::Other, true) => refuse(FileError::InvalidSummaryLinePosition),
            (First::Item, false) => refuse(FileError::SummaryMissing),
            (First::Summary | First::Other, false) => {}
        }
        if self.currencies {
            refuse(FileError::MultiCurrencyNotSupported);
        }
        if summary.count.is_some_and(|count| count != self.lines) {
            refuse(FileError::TotalPaymentsMismatch);
        }
        if summary.total.is_some_and(|total| total != self.sum) {
            refuse(FileError::SummaryAndPayoutMatchConflict);
        }
    }
}

/// What is wrong with an amount.
enum Amount {
    Format,
    NonPositive,
}

/// A positive decimal of at most so many digits before the point, and the currency's own after it.
fn amount(text: &str, scale: Option<u32>, digits: usize) -> Result<Decimal, Amount> {
    let positive = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = positive.split_once('.').map_or((positive, None), |(whole, rest)| (whole, Some(rest)));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let decimals = fraction.map_or(0, str::len);
    let well_formed = all_digits(whole)
        && whole.len() <= digits
        && fraction.is_none_or(all_digits)
        && decimals <= scale.unwrap_or(2) as usize;
    let value = text.parse::<Decimal>().ok().filter(|_| well_formed).ok_or(Amount::Format)?;
    if value > Decimal::ZERO { Ok(value) } else { Err(Amount::NonPositive) }
}

/// A positive whole number.
fn count(text: &str) -> Result<usize, FileError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FileError::SummaryLinesNonInteger);
    }
    if digits.len() < text.len() || digits.bytes().all(|byte| byte == b'0') {
        return Err(FileError::SummaryLinesNonPositive);
    }
    Ok(digits.parse().unwrap_or(usize::MAX))
}

/// What a recipient is: PayPal asks for an address or an encrypted account number, and takes phone numbers and handles
/// since. Whether an address is one is found out when it is paid: PayPal's own sample file has one without an @.
fn recipient_type(recipient: &str, venmo: bool) -> &'static str {
    let id = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if receiver::matches("PHONE", recipient, venmo) {
        "PHONE"
    } else if recipient.len() == 13 && recipient.bytes().all(id) {
        "PAYPAL_ID"
    } else if venmo && receiver::matches("USER_HANDLE", recipient, venmo) {
        "USER_HANDLE"
    } else {
        "EMAIL"
    }
}

fn is_padded(field: &str) -> bool {
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    blank(field.as_bytes().first()) || blank(field.as_bytes().last())
}

fn is_longer(text: &str, most: usize) -> bool {
    text.len() > most && text.chars().count() > most
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
