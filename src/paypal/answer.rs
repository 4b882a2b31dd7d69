//! What PayPal's answer to "create batch" means. One function, [`classify`], and the most tested one we own.
//!
//! Sources: PayPal's OpenAPI file of Payouts v1 (the declared statuses, and that a 5xx may be repeated with the same
//! `sender_batch_id`), PayPal's list of Payouts error names, and published captures of its sandbox.

use super::{PayPalBatchId, read_json};
use serde::Deserialize;

/// One answer to "create batch", or the lack of one.
///
/// Not a `Result`: `?` must not be able to turn "no answer" into "no".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// PayPal has this batch: 201 with its id.
    Created(PayPalBatchId),
    /// PayPal had it before: the id was used in the last 30 days. It counts as accepted only after the linked batch
    /// has been read and compared; without a link nothing is known.
    Duplicate(Option<PayPalBatchId>),
    /// PayPal did not take this batch and never will.
    Refused(Refusal),
    /// PayPal did not take it now; the same bytes may go through later.
    NotYet(NotYet),
    /// Perhaps PayPal has it.
    Unknown(Unknown),
}

/// Why PayPal refused a batch for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// PayPal's error name.
    pub name: String,
    /// PayPal's sentence.
    pub message: String,
    /// What it says about single fields.
    pub details: Vec<Detail>,
}

/// One line of PayPal's `details`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, serde::Serialize)]
#[serde(default)]
pub struct Detail {
    /// Where, as in "items[3].receiver".
    pub field: String,
    /// What.
    pub issue: String,
    /// In more words; often absent.
    pub description: String,
    #[serde(skip_serializing)]
    link: Vec<Link>,
}

impl Detail {
    /// The position in `items` that this line is about.
    pub fn item(&self) -> Option<usize> {
        let rest = &self.field[self.field.find("items")? + "items".len()..];
        let digits: String =
            rest.trim_start_matches(['[', '/', '.']).chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
struct Link {
    href: String,
}

/// Why PayPal did not take a batch now. Each pauses the merchant's queue but the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotYet {
    /// Nothing was sent: PayPal could not be reached.
    Unreachable(String),
    /// PayPal does not accept the Client ID and Secret any more.
    SignInRefused,
    /// The app or account may not send payouts, or PayPal wants something of the account's owner first.
    NotPermitted(String),
    /// Not enough money in that currency.
    InsufficientFunds,
    /// The account does not hold that currency.
    CurrencyNotHeld,
}

/// Why the fate of a batch is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// No answer, or half of one.
    NoAnswer(String),
    /// PayPal failed (5xx), or is busy with this very batch (409).
    Failed(u16),
    /// Too many requests (429); come back after so many seconds, where PayPal says.
    TooMany(Option<u64>),
    /// An answer we cannot read, or do not recognise.
    Strange(u16),
}

/// What PayPal's answer to "cancel an unclaimed item" means for asking again. None of them moves the item: only reading
/// it does. Each has the name to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancellation {
    /// It is cancelled, or was before.
    Done(String),
    /// Not now.
    Later(String),
    /// Asking again would change nothing: it is not unclaimed any more, or PayPal says something we do not know.
    Over(String),
}

/// Reads the answer to "cancel an unclaimed item". PayPal's guide names the errors; a repeated cancellation is harmless,
/// so silence and failures are asked again.
pub fn classify_cancellation(status: u16, body: &[u8]) -> Cancellation {
    let error: ErrorBody = read_json(body).unwrap_or_default();
    let name = if error.name.is_empty() { format!("HTTP {status}") } else { error.name };
    match (status, name.as_str()) {
        (200..=299, _) => Cancellation::Done("RETURNED".into()),
        (_, "ITEM_ALREADY_CANCELLED") => Cancellation::Done(name),
        (_, "BATCH_NOT_COMPLETED" | "ITEM_CANCELLATION_FAILED") => Cancellation::Later(name),
        (401 | 403 | 408 | 409 | 425 | 429 | 500..=599, _) => Cancellation::Later(name),
        _ => Cancellation::Over(name),
    }
}

/// An HTTP exchange as far as it got.
#[derive(Debug)]
pub enum Exchange {
    /// Not a byte was sent: no connection, no name, no TLS.
    NotSent(String),
    /// Sent, perhaps in part, and no complete answer came.
    Lost(String),
    /// A complete answer.
    Answered {
        /// HTTP status.
        status: u16,
        /// The `Retry-After` header in seconds, where present.
        retry_after: Option<u64>,
        /// The whole body.
        body: Vec<u8>,
    },
}

/// PayPal's error envelope; the OAuth endpoint has another shape (`error`, `error_description`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorBody {
    pub(super) name: String,
    pub(super) message: String,
    pub(super) error: String,
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct CreatedBody {
    batch_header: CreatedHeader,
}

#[derive(Deserialize)]
struct CreatedHeader {
    payout_batch_id: PayPalBatchId,
    #[serde(default)]
    sender_batch_header: Option<SenderHeader>,
}

#[derive(Deserialize)]
struct SenderHeader {
    #[serde(default)]
    sender_batch_id: Option<String>,
}

/// Reads an exchange. `sender_batch_id` is the id that was sent.
pub fn classify(exchange: &Exchange, sender_batch_id: &str) -> Answer {
    let (status, retry_after, body) = match exchange {
        Exchange::NotSent(why) => return Answer::NotYet(NotYet::Unreachable(why.clone())),
        Exchange::Lost(why) => return Answer::Unknown(Unknown::NoAnswer(why.clone())),
        Exchange::Answered { status, retry_after, body } => (*status, *retry_after, body),
    };
    match status {
        200..=299 => created(status, body, sender_batch_id),
        401 => Answer::NotYet(NotYet::SignInRefused),
        429 => Answer::Unknown(Unknown::TooMany(retry_after)),
        408 | 409 | 425 => Answer::Unknown(Unknown::Failed(status)),
        400..=499 => match read_json::<ErrorBody>(body) {
            Ok(error) if !error.name.is_empty() => by_name(status, error),
            Ok(_) | Err(_) if status == 403 => Answer::NotYet(NotYet::NotPermitted("FORBIDDEN".into())),
            Ok(_) | Err(_) => Answer::Refused(Refusal {
                name: format!("HTTP {status}"),
                message: "The request was refused before PayPal read it.".into(),
                details: Vec::new(),
            }),
        },
        500..=599 => Answer::Unknown(Unknown::Failed(status)),
        _ => Answer::Unknown(Unknown::Strange(status)),
    }
}

fn created(status: u16, body: &[u8], sender_batch_id: &str) -> Answer {
    let strange = Answer::Unknown(Unknown::Strange(status));
    let Ok(CreatedBody { batch_header }) = read_json(body) else { return strange };
    let echo = batch_header.sender_batch_header.and_then(|header| header.sender_batch_id);
    if batch_header.payout_batch_id.0.is_empty() || echo.is_some_and(|echo| echo != sender_batch_id) {
        return strange;
    }
    Answer::Created(batch_header.payout_batch_id)
}

/// A 4xx in PayPal's envelope: the name decides, whatever the status.
fn by_name(status: u16, error: ErrorBody) -> Answer {
    match error.name.as_str() {
        "USER_BUSINESS_ERROR" => match error.details.iter().find(|detail| is_duplicate(detail)) {
            Some(detail) => Answer::Duplicate(linked_batch(detail)),
            None => Answer::Refused(refusal(error)),
        },
        "INSUFFICIENT_FUNDS" => Answer::NotYet(NotYet::InsufficientFunds),
        "NON_HOLDING_CURRENCY" => Answer::NotYet(NotYet::CurrencyNotHeld),
        "PREVIOUS_REQUEST_IN_PROGRESS" | "RESOURCE_CONFLICT" => Answer::Unknown(Unknown::Failed(status)),
        "INTERNAL_ERROR" | "INTERNAL_SERVER_ERROR" | "SERVICE_UNAVAILABLE" | "REQUEST_TIMEOUT_EXCEEDED" => {
            Answer::Unknown(Unknown::Failed(status))
        }
        "RATE_LIMIT_REACHED" | "RATE_LIMIT_VALIDATION_FAILURES" => Answer::Unknown(Unknown::TooMany(None)),
        "AUTHENTICATION_FAILURE" => Answer::NotYet(NotYet::SignInRefused),
        "SYNC_MODE_NOT_APPLICABLE" => Answer::Refused(refusal(error)),
        _ if status == 403 => Answer::NotYet(NotYet::NotPermitted(error.name)),
        "VALIDATION_ERROR"
        | "INVALID_REQUEST"
        | "MALFORMED_REQUEST"
        | "MALFORMED_REQUEST_JSON"
        | "UNPROCESSABLE_ENTITY"
        | "UNSUPPORTED_MEDIA_TYPE"
        | "METHOD_NOT_SUPPORTED"
        | "INVALID_RESOURCE_ID"
        | "RESOURCE_NOT_FOUND" => Answer::Refused(refusal(error)),
        _ => Answer::Unknown(Unknown::Strange(status)),
    }
}

fn refusal(error: ErrorBody) -> Refusal {
    Refusal { name: error.name, message: error.message, details: error.details }
}

/// The duplicate answer has no code of its own: its `issue` is a sentence, only the field tells.
fn is_duplicate(detail: &Detail) -> bool {
    detail.field.rsplit(['.', '/']).next().is_some_and(|field| field.eq_ignore_ascii_case("sender_batch_id"))
}

/// The first batch's id is the last segment of a link, which may name another host: never followed.
fn linked_batch(detail: &Detail) -> Option<PayPalBatchId> {
    let href = &detail.link.first()?.href;
    let id = href.split(['?', '#']).next()?.rsplit('/').next()?;
    let plausible =
        (1..=30).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    plausible.then(|| PayPalBatchId(id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Answer {
        classify(&Exchange::Answered { status, retry_after: None, body: body.as_bytes().to_vec() }, "MINE")
    }

    fn named(status: u16, name: &str) -> Answer {
        answered(status, &format!(r#"{{"name":"{name}","message":"m","debug_id":"d"}}"#))
    }

    const CREATED: &str = r#"{"batch_header":{"payout_batch_id":"5UXD2E8A7EBQJ","batch_status":"PENDING",
        "sender_batch_header":{"sender_batch_id":"MINE"}},"links":[]}"#;

    /// The shape of PayPal's sandbox answer to a repeated id.
    const DUPLICATE: &str = r#"{"name":"USER_BUSINESS_ERROR","message":"User business error.","debug_id":"d",
        "details":[{"field":"SENDER_BATCH_ID","location":"body","issue":"Batch with given sender_batch_id already exists",
        "link":[{"href":"https://api.sandbox.paypal.com/v1/payments/payouts/Q6K2CE4GQ36MQ","rel":"self","method":"GET"}]}],"links":[]}"#;

    #[test]
    fn a_201_with_an_id_is_created() {
        assert_eq!(answered(201, CREATED), Answer::Created(PayPalBatchId("5UXD2E8A7EBQJ".into())));
        let bare = r#"{"batch_header":{"payout_batch_id":"A"}}"#;
        assert_eq!(answered(200, bare), Answer::Created(PayPalBatchId("A".into())));
    }

    #[test]
    fn a_2xx_we_cannot_read_is_unknown() {
        let foreign = CREATED.replace("MINE", "OTHER");
        let no_id = r#"{"batch_header":{"batch_status":"PENDING"}}"#;
        for body in
            ["", "<html>ok</html>", "{}", r#"{"batch_header":{"payout_batch_id":""}}"#, no_id, &foreign, &CREATED[..60]]
        {
            assert_eq!(answered(201, body), Answer::Unknown(Unknown::Strange(201)), "{body}");
        }
    }

    #[test]
    fn a_duplicate_names_the_first_batch_or_nothing() {
        assert_eq!(answered(400, DUPLICATE), Answer::Duplicate(Some(PayPalBatchId("Q6K2CE4GQ36MQ".into()))));
        let lower = DUPLICATE.replace("SENDER_BATCH_ID\"", "sender_batch_header.sender_batch_id\"");
        assert_eq!(answered(400, &lower), Answer::Duplicate(Some(PayPalBatchId("Q6K2CE4GQ36MQ".into()))));
        let no_link = r#"{"name":"USER_BUSINESS_ERROR","details":[{"field":"SENDER_BATCH_ID","issue":"x"}]}"#;
        assert_eq!(answered(400, no_link), Answer::Duplicate(None));
        let odd_link = DUPLICATE.replace("Q6K2CE4GQ36MQ", "..;%2e%2e");
        assert_eq!(answered(400, &odd_link), Answer::Duplicate(None));
    }

    #[test]
    fn a_refusal_names_its_items() {
        let body = r#"{"name":"VALIDATION_ERROR","message":"Invalid request - see details","debug_id":"d",
            "details":[{"field":"items[3].receiver","issue":"Receiver is invalid"},{"field":"/items/12/amount","issue":"x"},{"field":"items","issue":"y"}]}"#;
        let Answer::Refused(refusal) = answered(400, body) else { panic!("not refused") };
        assert_eq!(refusal.name, "VALIDATION_ERROR");
        assert_eq!(refusal.details.iter().map(Detail::item).collect::<Vec<_>>(), [Some(3), Some(12), None]);
        for name in ["INVALID_REQUEST", "MALFORMED_REQUEST", "USER_BUSINESS_ERROR"] {
            assert!(matches!(named(400, name), Answer::Refused(_)), "{name}");
        }
        assert!(matches!(named(415, "UNSUPPORTED_MEDIA_TYPE"), Answer::Refused(_)));
        assert!(matches!(answered(404, "<html>"), Answer::Refused(_)));
        assert!(matches!(named(403, "SYNC_MODE_NOT_APPLICABLE"), Answer::Refused(_)));
    }

    #[test]
    fn what_the_merchant_can_mend_is_not_yet() {
        assert_eq!(named(422, "INSUFFICIENT_FUNDS"), Answer::NotYet(NotYet::InsufficientFunds));
        assert_eq!(named(400, "NON_HOLDING_CURRENCY"), Answer::NotYet(NotYet::CurrencyNotHeld));
        assert_eq!(answered(401, r#"{"error":"invalid_token"}"#), Answer::NotYet(NotYet::SignInRefused));
        for name in
            ["REQUIRED_SCOPE_MISSING", "AUTHORIZATION_ERROR", "SENDER_RESTRICTED", "CIP_NOT_VERIFIED", "ANYTHING"]
        {
            assert_eq!(named(403, name), Answer::NotYet(NotYet::NotPermitted(name.into())));
        }
        assert!(matches!(answered(403, "<html>"), Answer::NotYet(NotYet::NotPermitted(_))));
        let unreachable = classify(&Exchange::NotSent("refused".into()), "MINE");
        assert_eq!(unreachable, Answer::NotYet(NotYet::Unreachable("refused".into())));
    }

    #[test]
    fn what_may_have_happened_is_unknown() {
        for status in [500, 502, 503, 504, 408, 409, 425, 301, 302, 304] {
            assert!(matches!(answered(status, "<html>"), Answer::Unknown(_)), "{status}");
        }
        assert_eq!(named(503, "VALIDATION_ERROR"), Answer::Unknown(Unknown::Failed(503)));
        assert_eq!(named(400, "PREVIOUS_REQUEST_IN_PROGRESS"), Answer::Unknown(Unknown::Failed(400)));
        assert_eq!(named(400, "NEVER_HEARD_OF"), Answer::Unknown(Unknown::Strange(400)));
        assert_eq!(
            classify(&Exchange::Lost("reset".into()), "MINE"),
            Answer::Unknown(Unknown::NoAnswer("reset".into()))
        );
        let busy = Exchange::Answered { status: 429, retry_after: Some(7), body: Vec::new() };
        assert_eq!(classify(&busy, "MINE"), Answer::Unknown(Unknown::TooMany(Some(7))));
    }
}
