//! What a person may type of a commission, and what is wrong with it.

use crate::money::{Currency, Money};
use rust_decimal::Decimal;
use serde::Deserialize;
use time::Date;
use time::macros::format_description;

/// The longest reference and note; the schema says the same.
pub const REFERENCE_CHARS: usize = 128;
/// See [`REFERENCE_CHARS`].
pub const NOTE_CHARS: usize = 1000;

/// As it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Raw {
    /// E-mail or code of the affiliate.
    pub affiliate: String,
    /// How much.
    pub amount: String,
    /// The currency's code.
    pub currency: String,
    /// Payable from this day on.
    pub due_on: String,
    /// The merchant's own name for it; unique.
    pub reference: String,
    /// A note.
    pub note: String,
}

/// What can be stored, but for its affiliate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// How much.
    pub amount: Money,
    /// Payable from this day on.
    pub due_on: Date,
    /// The merchant's own name for it.
    pub reference: String,
    /// A note.
    pub note: String,
}

impl Raw {
    /// Trims, and lists everything that is wrong at once.
    pub fn parse(&self) -> Result<Typed, Vec<(&'static str, String)>> {
        let mut problems = Vec::new();
        if self.affiliate.trim().is_empty() {
            problems.push(("affiliate", "Give the affiliate’s e-mail or code.".to_owned()));
        }
        let currency = match self.currency.parse::<Currency>() {
            Ok(currency) => Some(currency),
            Err(unknown) => {
                problems.push(("currency", format!("{unknown}.")));
                None
            }
        };
        let amount = match (plain_amount(&self.amount), currency) {
            (Ok(amount), Some(currency)) => {
                Money::new(amount, currency).map_err(|why| format!("Check the amount: {why}."))
            }
            (Ok(_), None) => Err(String::new()),
            (Err(why), _) => Err(why),
        };
        if let Err(why) = &amount
            && !why.is_empty()
        {
            problems.push(("amount", why.clone()));
        }
        let due_on = Date::parse(self.due_on.trim(), format_description!("[year]-[month]-[day]"));
        if due_on.is_err() {
            problems.push(("due_on", "Give the due date as year-month-day, as in 2026-01-31.".to_owned()));
        }
        let (reference, note) = (checked_reference(&self.reference), checked_note(&self.note));
        if let Err(why) = &reference {
            problems.push(("reference", why.clone()));
        }
        if let Err(why) = &note {
            problems.push(("note", why.clone()));
        }
        match (amount, due_on, reference, note) {
            (Ok(amount), Ok(due_on), Ok(reference), Ok(note)) if problems.is_empty() => {
                Ok(Typed { amount, due_on, reference, note })
            }
            _ => Err(problems),
        }
    }
}

/// An amount as the form wants it: digits, and at most one point.
fn plain_amount(text: &str) -> Result<Decimal, String> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.len() <= 18 && part.bytes().all(|byte| byte.is_ascii_digit());
    match (digits(whole) && digits(fraction)).then(|| text.parse()) {
        Some(Ok(amount)) => Ok(amount),
        Some(Err(_)) | None if text.is_empty() => Err("Give the amount.".into()),
        Some(Err(_)) | None => Err(
            "Write the amount in digits with a point before the cents and nothing between thousands, as in 1234.50."
                .into(),
        ),
    }
}

/// A reference that can be stored.
pub fn checked_reference(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("The reference is missing: it tells this commission from all others.".into());
    }
    if text.chars().count() > REFERENCE_CHARS {
        return Err(format!("The reference may have up to {REFERENCE_CHARS} characters."));
    }
    if text.chars().any(char::is_control) {
        return Err("The reference has a line break or another control character in it.".into());
    }
    Ok(text.to_owned())
}

/// A note that can be stored.
pub fn checked_note(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() > NOTE_CHARS {
        return Err(format!("The note may have up to {NOTE_CHARS} characters."));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> Raw {
        Raw {
            affiliate: "ada@example.com".into(),
            amount: "1234.50".into(),
            currency: "usd".into(),
            due_on: "2026-01-31".into(),
            reference: " A-1 ".into(),
            note: String::new(),
        }
    }

    #[test]
    fn an_amount_is_never_guessed() {
        assert_eq!(raw().parse().unwrap().amount.to_string(), "USD 1,234.50");
        for bad in ["", "1,234.50", "1,50", "12.345", "-3", "0", "1e3", ".5", "5.", "$5", "1 000", "٣", "1.2.3"] {
            let problems = Raw { amount: bad.into(), ..raw() }.parse().unwrap_err();
            assert_eq!(problems[0].0, "amount", "{bad}");
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let fields: Vec<_> = Raw::default().parse().unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["affiliate", "currency", "amount", "due_on", "reference"]);
    }
}
