//! What states are called, and what they mean for whoever waits for the money.

use crate::money::for_people;
use crate::payout::batch::{BatchState, Rail};
use crate::payout::batches::{Batch, HistoryLine};
use crate::payout::item::{NotPaid, Wait};
use crate::payout::items::Item;
use crate::payout::reason;
use crate::web::when::when;
use time::Duration;

/// Unclaimed money comes back after so long (PayPal's OpenAPI file, `transaction_status`).
pub(super) const CLAIM_WINDOW: Duration = Duration::days(30);

/// A state for people: tone, word, and a sentence.
pub(in crate::web) struct Told {
    pub(in crate::web) tone: &'static str,
    pub(in crate::web) word: &'static str,
}

/// By which way a batch is paid.
pub(super) fn rail(batch: &Batch) -> &'static str {
    match batch.rail {
        Rail::Api => "PayPal",
        Rail::File => "PayPal file",
        Rail::Manual if batch.legacy => "PayPal’s old Mass Pay service",
        Rail::Manual => "Manual",
    }
}

/// A batch's state in a word.
pub(in crate::web) fn state(batch: &Batch) -> Told {
    let (tone, word) = match batch.state {
        BatchState::Prepared if batch.waits_for_approval => ("waiting", "Waits for approval"),
        BatchState::Cancelled if batch.waits_for_approval => ("quiet", "Not approved"),
        BatchState::Prepared => ("info", "Prepared"),
        BatchState::Ready if batch.attempts > 0 => ("warning", "Waiting"),
        BatchState::Ready => ("info", "Ready"),
        BatchState::Submitting if batch.doubted_at.is_some() => ("warning", "Unknown"),
        BatchState::Submitting => ("info", "Being handed to PayPal"),
        BatchState::Accepted if batch.settled_at.is_none() => ("info", "PayPal is paying"),
        BatchState::Accepted | BatchState::Closed if batch.needs_a_person > 0 => ("warning", "Needs a person"),
        BatchState::Accepted if batch.unclaimed + batch.on_hold + batch.processing > 0 => ("info", "Some are waiting"),
        BatchState::Accepted | BatchState::Closed if batch.unpaid > 0 => ("warning", "Some were not paid"),
        BatchState::Accepted | BatchState::Closed => ("good", "Paid"),
        BatchState::Refused => ("bad", "Not paid"),
        BatchState::Stuck => ("bad", "Stuck"),
        BatchState::Cancelled => ("quiet", "Put back"),
        BatchState::Exported if batch.legacy => ("warning", "Needs a person"),
        BatchState::Exported => ("info", "Exported"),
    };
    Told { tone, word }
}

/// What a batch's page says above everything else.
pub(super) fn sentence(b: &Batch, is_slow: bool) -> String {
    let paid = for_people(b.paid_amount, b.currency);
    match b.state {
        BatchState::Prepared if b.waits_for_approval => {
            "Prepared and frozen. Nothing is paid before a second person approves it.".into()
        }
        BatchState::Cancelled if b.waits_for_approval => {
            "Nobody approved this payment. Nothing was paid, and everything in it is due again.".into()
        }
        BatchState::Prepared => "Prepared, and not sent yet.".into(),
        BatchState::Ready if b.attempts > 0 => {
            "PayPal did not take this batch yet. Nothing was paid, and nothing is lost: it is tried again, or you take it back.".into()
        }
        BatchState::Ready => "Waiting to be handed to PayPal.".into(),
        BatchState::Submitting if b.doubted_at.is_some() => {
            "PayPal did not answer in time. We are asking whether it accepted this batch. Please do not pay these affiliates again.".into()
        }
        BatchState::Submitting => "Being handed to PayPal.".into(),
        BatchState::Accepted if is_slow => {
            "PayPal has had it for more than a day and has not finished. It is followed all the same; ask PayPal with its id.".into()
        }
        BatchState::Accepted if b.settled_at.is_none() => "PayPal has it and is paying.".into(),
        BatchState::Accepted | BatchState::Closed if b.legacy => {
            format!("Paid before, through PayPal’s old Mass Pay service: {} {}. Reference: {}.", b.currency, for_people(b.total, b.currency), b.reference.as_deref().unwrap_or("none"))
        }
        BatchState::Accepted | BatchState::Closed if b.rail == Rail::Manual => {
            format!("Marked as paid: {} {}. Reference: {}.", b.currency, for_people(b.total, b.currency), b.reference.as_deref().unwrap_or("none"))
        }
        BatchState::Accepted | BatchState::Closed => {
            let rest = i64::from(b.items) - b.paid;
            let rest = match rest {
                0 => String::new(),
                1 => " 1 has not been paid; see below.".into(),
                rest => format!(" {rest} have not been paid; see below."),
            };
            format!("Done. {} of {} were paid {} {paid}.{rest}", b.paid, b.items, b.currency)
        }
        BatchState::Refused if b.resolved_as.is_some() => {
            "PayPal does not have this batch: people looked and said so. Everything in it is due again.".into()
        }
        BatchState::Refused => format!(
            "PayPal did not take this batch. Nothing was paid, and everything in it is due again. {}",
            reason::of_call(b.why.as_deref().unwrap_or_default(), "").merchant
        ),
        BatchState::Stuck => format!(
            "Stopped on purpose: {}. Its commissions stay locked and are not due until it is clear whether PayPal has it.",
            b.why.as_deref().unwrap_or("its fate is unknown")
        ),
        BatchState::Cancelled => "Put back: nothing of it was paid, and everything in it is due again.".into(),
        BatchState::Exported if b.legacy => {
            "PayPal’s old Mass Pay service was told to pay this, and what became of it is not known. Look for it at PayPal. If the affiliate has the money, mark it as paid; if not, put it back. Until then it is not due.".into()
        }
        BatchState::Exported => {
            "A file for payment outside was made. Its commissions stand as paying until you mark it as paid or put it back.".into()
        }
    }
}

/// An item's state: tone, word, and a sentence that says what happened, why, and what follows.
pub(super) fn item_words(item: &Item, batch: &Batch, zone: &str) -> (&'static str, &'static str, String) {
    let (tone, word, sentence) = outcome_words(item, batch, zone);
    match item.decided.as_deref() {
        Some("written_off") => ("quiet", "Written off", format!("{word}, and written off by a person.")),
        Some(_) => ("quiet", word, format!("{word}. A person decided that it is due again.")),
        None => (tone, word, sentence),
    }
}

fn outcome_words(item: &Item, batch: &Batch, zone: &str) -> (&'static str, &'static str, String) {
    if let Some(flag) = &item.flagged {
        return ("warning", "Needs a person", format!("{flag}, which does not fit. Look at this payment at PayPal."));
    }
    let why = why(item);
    let or = |default: &str| why.clone().unwrap_or_else(|| default.to_owned());
    let why = why.as_ref().map_or_else(String::new, |why| format!(" {why}"));
    match (item.state.as_str(), item.wait, item.not_paid) {
        ("paid", _, _) => ("good", "Paid", format!("Paid on {}.", when(item.processed(), zone).day)),
        (_, Some(Wait::Processing), _) => ("info", "Processing", or("PayPal is working on it.")),
        (_, Some(Wait::OnHold), _) => ("info", "Held", or("PayPal is reviewing it. Nothing to do yet.")),
        (_, Some(Wait::Unclaimed), _) => unclaimed_words(item, &why, zone),
        (_, _, Some(NotPaid::Failed)) => ("bad", "Failed", format!("Not paid.{why} The amount became due again.")),
        (_, _, Some(NotPaid::Returned)) if item.cancel_asked_at.is_some() => {
            ("warning", "Cancelled", "You took it back; the money is here and became due again.".to_owned())
        }
        (_, _, Some(NotPaid::Returned)) => {
            ("warning", "Returned", format!("Not accepted; the money came back and became due again.{why}"))
        }
        (_, _, Some(NotPaid::Blocked)) => {
            let why = or("PayPal stopped it. Contact PayPal with its id.");
            ("bad", "Blocked", format!("{why} It is not due again by itself."))
        }
        (_, _, Some(NotPaid::Refunded)) => {
            ("warning", "Refunded", format!("The recipient sent it back.{why} A person decides what follows."))
        }
        (_, _, Some(NotPaid::Reversed)) => {
            ("warning", "Reversed", format!("PayPal took it back.{why} A person decides what follows."))
        }
        (_, _, Some(NotPaid::BatchDenied)) => {
            ("bad", "Not paid", format!("PayPal denied the whole batch.{why} The amount became due again."))
        }
        (_, _, Some(NotPaid::BatchCanceled)) => {
            ("bad", "Not paid", format!("The batch was cancelled at PayPal.{why} The amount became due again."))
        }
        (_, _, Some(NotPaid::BatchRefused)) => match &item.error_message {
            Some(issue) => (
                "bad",
                "Not paid",
                format!(
                    "PayPal refused the batch for this payment: {}. The amount became due again.",
                    issue.trim_end_matches('.')
                ),
            ),
            None => ("bad", "Not paid", "PayPal did not take the batch. The amount became due again.".to_owned()),
        },
        (_, _, Some(NotPaid::PutBack)) => ("quiet", "Put back", "Put back by a person; due again.".to_owned()),
        (_, None, None) => queued_words(batch),
    }
}

fn unclaimed_words(item: &Item, why: &str, zone: &str) -> (&'static str, &'static str, String) {
    let back = when(item.processed() + CLAIM_WINDOW, zone).day;
    match &item.cancel_said {
        _ if item.is_being_cancelled() => (
            "info",
            "Being taken back",
            "PayPal is asked to take it back. It is due again once PayPal shows that.".to_owned(),
        ),
        Some(said) => {
            let said = call_words(said);
            (
                "warning",
                "Unclaimed",
                format!("Sent, and not accepted yet. PayPal did not take it back: {said} It comes back on {back}."),
            )
        }
        None => ("warning", "Unclaimed", format!("Sent, and not accepted yet.{why} It comes back on {back}.")),
    }
}

/// PayPal's reason for where an item is, in plain words.
fn why(item: &Item) -> Option<String> {
    let name = item.error_name.as_deref()?;
    Some(reason::of_item(name, item.error_message.as_deref().unwrap_or_default()).merchant.into_owned())
}

/// An item of which PayPal has said nothing yet shares its batch's fate.
fn queued_words(batch: &Batch) -> (&'static str, &'static str, String) {
    match batch.state {
        BatchState::Stuck => {
            ("bad", "Unknown", "Whether PayPal has it is not known. Locked until a person has looked.".to_owned())
        }
        BatchState::Submitting if batch.doubted_at.is_some() => {
            ("warning", "Unknown", "We do not know yet whether PayPal accepted it. Locked until known.".to_owned())
        }
        BatchState::Exported if batch.legacy => {
            ("warning", "Unknown", "Paid by MassPay, or not: locked until a person has looked.".to_owned())
        }
        BatchState::Exported => ("info", "Exported", "In a file that somebody pays outside.".to_owned()),
        BatchState::Accepted | BatchState::Closed if batch.rail == Rail::File && batch.settled_at.is_some() => (
            "warning",
            "Not mentioned",
            "PayPal’s reports do not mention this payment. It stays locked until somebody has asked PayPal.".to_owned(),
        ),
        BatchState::Accepted | BatchState::Closed => {
            ("info", "Processing", "PayPal has it, and has not listed it yet.".to_owned())
        }
        BatchState::Prepared => ("info", "Prepared", "Prepared, and not sent yet.".to_owned()),
        BatchState::Submitting if batch.rail == Rail::File => {
            ("info", "Sending", "In a file that PayPal has not accepted yet.".to_owned())
        }
        BatchState::Ready | BatchState::Submitting | BatchState::Refused | BatchState::Cancelled => {
            ("info", "Sending", "Not handed to PayPal yet.".to_owned())
        }
    }
}

/// A line of a batch's history as a sentence.
pub(super) fn history_words(line: &HistoryLine) -> String {
    let became = line.became.as_str();
    match (became, line.person.is_some()) {
        ("ready", _) => "Prepared, to be handed to PayPal.".to_owned(),
        ("brought in", _) => "Brought in: PayPal’s old Mass Pay service was told to pay it.".to_owned(),
        ("exported", _) => "Exported for payment outside.".to_owned(),
        ("closed", true) => "Marked as paid.".to_owned(),
        ("closed", false) => "Finished: PayPal is not asked about it any more.".to_owned(),
        ("accepted", _) => "PayPal accepted it.".to_owned(),
        ("PayPal was asked to take it back", _) => match line.evidence.as_deref().unwrap_or_default() {
            "RETURNED" => "PayPal was asked to take it back, and did.".to_owned(),
            why => format!("PayPal was asked to take it back. {}", call_words(why)),
        },
        (word, _) if !word.chars().any(char::is_lowercase) => format!("PayPal says: {word}."),
        (other, _) => match other.split_once(": ") {
            Some(("PayPal", status)) => format!("PayPal says: {status}."),
            Some(("not yet", why)) => format!("PayPal did not take it yet. {}", call_words(why)),
            Some(("refused", why)) => format!("PayPal refused it. {}", call_words(why)),
            Some(_) | None => {
                let mut letters = other.chars();
                letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str())).unwrap_or_default()
            }
        },
    }
}

/// Why a call came to nothing: PayPal's name for it in plain words, or our own sentence as it is.
fn call_words(why: &str) -> String {
    if why.contains(' ') { format!("{why}.") } else { reason::of_call(why, "").merchant.into_owned() }
}

/// What stands behind a line of history, for people who will ask PayPal about it.
pub(super) fn evidence_words(line: &HistoryLine) -> Option<String> {
    let evidence = line.evidence.as_deref().filter(|text| !text.is_empty())?;
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(evidence) else {
        return Some(evidence.to_owned());
    };
    let told =
        fields.iter().filter_map(|(name, value)| Some(format!("{} {}", name.replace("_id", ""), value.as_str()?)));
    let told = told.collect::<Vec<_>>().join(", ");
    (!told.is_empty()).then_some(told)
}

/// What came of an attempt to send.
pub(super) fn attempt_words(outcome: &str) -> &'static str {
    match outcome {
        "accepted" => "PayPal accepted it.",
        "refused" => "PayPal refused it.",
        "not_yet" => "PayPal did not take it then.",
        _ => "Whether PayPal took it is not known.",
    }
}
