//! Reads the body of a create call as strictly as PayPal's schema says, and names every field it refuses.

use super::errors::Problem;
use super::{currency, receiver};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The most items one batch may hold.
pub const MAX_ITEMS: usize = 15_000;

/// A batch as its sender asked for it, well-formed throughout.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Create {
    /// Its header.
    pub header: Header,
    /// The one currency of all its items.
    pub currency: String,
    /// Its items, never empty.
    pub items: Vec<Payment>,
}

/// What `sender_batch_header` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Header {
    /// Guards against a second payment for 30 days; without it nothing does.
    pub sender_batch_id: Option<String>,
    /// The items' recipient type where they have none of their own.
    pub recipient_type: Option<String>,
    /// Subject of the mail to the recipients.
    pub email_subject: Option<String>,
    /// Text of the mail to the recipients.
    pub email_message: Option<String>,
}

/// What one entry of `items` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Payment {
    /// `EMAIL`, `PHONE`, `PAYPAL_ID` or `USER_HANDLE`.
    pub recipient_type: String,
    /// Where the money goes.
    pub receiver: String,
    /// How much, in the batch's currency.
    pub value: Decimal,
    /// Free text to the recipient.
    pub note: Option<String>,
    /// The sender's own name for this payment.
    pub sender_item_id: Option<String>,
    /// `PAYPAL`, `VENMO` or `RECIPIENT_SELECTED`.
    pub recipient_wallet: Option<String>,
    /// Why it is paid.
    pub purpose: Option<String>,
}

/// Why something may be paid.
pub const PURPOSES: [&str; 9] =
    ["AWARDS", "PRIZES", "DONATIONS", "GOODS", "SERVICES", "REBATES", "CASHBACK", "DISCOUNTS", "NON_GOODS_OR_SERVICES"];

/// Reads and checks a whole body. One bad item refuses all of them.
pub fn read(body: &[u8]) -> Result<Create, Problem> {
    let body: Value = serde_json::from_slice(body).map_err(|error| Problem::malformed(&error.to_string()))?;
    let Value::Object(body) = body else { return Err(Problem::malformed("the body must be a JSON object")) };
    let mut findings = Findings::default();
    let header = match body.get("sender_batch_header") {
        Some(Value::Object(header)) => header_of(header, &mut findings),
        Some(_) => findings.refuse("sender_batch_header", "must be an object"),
        None => findings.refuse("sender_batch_header", "Required field is missing"),
    };
    let items = match body.get("items") {
        Some(Value::Array(items)) if items.is_empty() => findings.refuse("items", "must have at least one item"),
        Some(Value::Array(items)) if items.len() > MAX_ITEMS => findings.refuse("items", "more than 15000 items"),
        Some(Value::Array(items)) => Some(items.as_slice()),
        Some(_) => findings.refuse("items", "must be an array"),
        None => findings.refuse("items", "Required field is missing"),
    };
    let (Some((header, note)), Some(items)) = (header, items) else { return Err(findings.problem()) };
    let mut currency: Option<String> = None;
    let mut payments = Vec::with_capacity(items.len());
    for (index, entry) in items.iter().enumerate() {
        let mut item = Item { at: format!("items[{index}]"), header: &header, note: &note, findings: &mut findings };
        payments.extend(item.read(entry, &mut currency));
    }
    let complete = findings.0.is_empty();
    currency.filter(|_| complete).map(|currency| Create { header, currency, items: payments }).ok_or(findings.problem())
}

/// The header, and the note that is joined with each item's.
fn header_of(header: &Map<String, Value>, findings: &mut Findings) -> Option<(Header, String)> {
    let at = "sender_batch_header";
    let before = findings.0.len();
    let sender_batch_id = findings.text(header, at, "sender_batch_id", 256).filter(|id| !id.is_empty());
    let recipient_type = findings.text(header, at, "recipient_type", 13);
    let email_subject = findings.text(header, at, "email_subject", 255);
    if email_subject.as_ref().is_some_and(|subject| subject.len() > 255) {
        findings.refuse::<()>(&format!("{at}.email_subject"), "longer than 255 single-byte characters");
    }
    let email_message = findings.text(header, at, "email_message", 1000);
    let note = findings.text(header, at, "note", 1000).unwrap_or_default();
    if recipient_type.as_ref().is_some_and(|kind| !receiver::TYPES.contains(&kind.as_str())) {
        findings.refuse::<()>(&format!("{at}.recipient_type"), "Recipient type is invalid");
    }
    let header = Header { sender_batch_id, recipient_type, email_subject, email_message };
    (findings.0.len() == before).then_some((header, note))
}

/// One item while it is read: where it stands, and what it takes from the header.
struct Item<'a> {
    at: String,
    header: &'a Header,
    note: &'a str,
    findings: &'a mut Findings,
}

impl Item<'_> {
    fn read(&mut self, item: &Value, currency: &mut Option<String>) -> Option<Payment> {
        let Value::Object(item) = item else { return self.findings.refuse(&self.at, "must be an object") };
        let before = self.findings.0.len();
        let value = self.amount(item, currency);
        let note = self.note(item);
        let sender_item_id = self.findings.text(item, &self.at, "sender_item_id", 63);
        let recipient_wallet = self.wallet(item);
        let venmo = recipient_wallet.as_deref() == Some("VENMO");
        if venmo {
            self.venmo(note.as_deref(), currency.as_deref());
        }
        let purpose = self.findings.text(item, &self.at, "purpose", 40);
        if purpose.as_ref().is_some_and(|purpose| !PURPOSES.contains(&purpose.as_str())) {
            self.refuse("purpose", "Purpose is invalid");
        }
        super::extras::check(item, &self.at, self.findings);
        let (recipient_type, receiver) = self.receiver(item, venmo)?;
        let value = value?;
        (self.findings.0.len() == before).then_some(Payment {
            recipient_type,
            receiver,
            value,
            note,
            sender_item_id,
            recipient_wallet,
            purpose,
        })
    }

    fn amount(&mut self, item: &Map<String, Value>, batch_currency: &mut Option<String>) -> Option<Decimal> {
        let at = format!("{}.amount", self.at);
        let amount = match item.get("amount") {
            Some(Value::Object(amount)) => amount,
            Some(_) => return self.findings.refuse(&at, "must be an object"),
            None => return self.findings.refuse(&at, "Required field is missing"),
        };
        let code = self.findings.required(amount, &at, "currency", 3);
        let value = self.findings.required(amount, &at, "value", 32);
        let (code, value) = (code?, value?);
        let Some(scale) = currency::scale(&code) else {
            return self.findings.refuse(&format!("{at}.currency"), "Currency is invalid or not supported");
        };
        match batch_currency {
            None => *batch_currency = Some(code),
            Some(first) if *first == code => {}
            Some(_) => {
                let issue = "Multiple currencies within a batch is not allowed";
                return self.findings.refuse(&format!("{at}.currency"), issue);
            }
        }
        match parse_value(&value, scale) {
            Ok(value) => Some(value),
            Err(issue) => self.findings.refuse(&format!("{at}.value"), issue),
        }
    }

    fn note(&mut self, item: &Map<String, Value>) -> Option<String> {
        let note = self.findings.text(item, &self.at, "note", 4000)?;
        let length = note.chars().count();
        if !note.is_ascii() && length > 1000 {
            self.refuse("note", "more than 1000 non-ASCII characters");
        }
        if !self.note.is_empty() && self.note.chars().count() + length > 1000 {
            self.refuse("note", "longer than 1000 characters together with the note of sender_batch_header");
        }
        Some(note)
    }

    /// The guides spell the wallet in several letter cases; PayPal's tolerance is unknown, so it is tolerated.
    fn wallet(&mut self, item: &Map<String, Value>) -> Option<String> {
        let wallet = self.findings.text(item, &self.at, "recipient_wallet", 36)?.to_ascii_uppercase();
        if !["PAYPAL", "VENMO", "RECIPIENT_SELECTED"].contains(&wallet.as_str()) {
            self.refuse("recipient_wallet", "Recipient wallet is invalid");
        }
        Some(wallet)
    }

    fn venmo(&mut self, note: Option<&str>, currency: Option<&str>) {
        if note.is_none_or(str::is_empty) {
            self.refuse("note", "Note is required for Venmo recipients");
        }
        if currency.is_some_and(|code| code != "USD") {
            self.refuse("amount.currency", "Venmo recipients are paid in USD");
        }
    }

    fn receiver(&mut self, item: &Map<String, Value>, venmo: bool) -> Option<(String, String)> {
        let own = self.findings.text(item, &self.at, "recipient_type", 13);
        let receiver = self.findings.required(item, &self.at, "receiver", 127)?;
        let Some(kind) = own.or_else(|| self.header.recipient_type.clone()) else {
            self.refuse("recipient_type", "Recipient type is required on the item or on sender_batch_header");
            return None;
        };
        if !receiver::matches(&kind, &receiver, venmo) {
            self.refuse("receiver", "Receiver is invalid or does not match with type");
        }
        Some((kind, receiver))
    }

    fn refuse(&mut self, key: &str, issue: &str) {
        self.findings.refuse::<()>(&format!("{}.{key}", self.at), issue);
    }
}

/// A positive amount in the currency's own decimals: digits and at most one point, without sign, grouping or exponent.
fn parse_value(text: &str, scale: u32) -> Result<Decimal, &'static str> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err("Amount is invalid");
    }
    if whole.len() > 12 {
        return Err("Amount is too large");
    }
    let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    if decimals > scale as usize {
        return Err("Amount has more decimals than the currency");
    }
    let value: Decimal = text.parse().map_err(|_| "Amount is invalid")?;
    if value.is_zero() { Err("Amount must be greater than zero") } else { Ok(value) }
}

/// What is wrong with a body: a field and an issue each.
#[derive(Debug, Default)]
pub struct Findings(Vec<Value>);

impl Findings {
    /// Notes a refusal; the value that could not be had is `None`.
    pub fn refuse<T>(&mut self, field: &str, issue: &str) -> Option<T> {
        self.0.push(json!({"field": field, "location": "body", "issue": issue}));
        None
    }

    /// An optional text of at most `max` characters on one line.
    pub fn text(&mut self, object: &Map<String, Value>, at: &str, key: &str, max: usize) -> Option<String> {
        let text = match object.get(key)? {
            Value::String(text) => text,
            _ => return self.refuse(&format!("{at}.{key}"), "must be a string"),
        };
        if text.len() > max && text.chars().count() > max {
            return self.refuse(&format!("{at}.{key}"), &format!("longer than {max} characters"));
        }
        // The schema's pattern is `^.*$`, which a line break does not match.
        if text.contains(['\n', '\r', '\u{2028}', '\u{2029}']) {
            return self.refuse(&format!("{at}.{key}"), "must not contain a line break");
        }
        Some(text.clone())
    }

    fn required(&mut self, object: &Map<String, Value>, at: &str, key: &str, max: usize) -> Option<String> {
        if !object.contains_key(key) {
            return self.refuse(&format!("{at}.{key}"), "Required field is missing");
        }
        self.text(object, at, key, max)
    }

    fn problem(self) -> Problem {
        Problem::validation(self.0)
    }
}
