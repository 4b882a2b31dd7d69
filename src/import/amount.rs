//! Amounts in a file. They are never guessed: the decimal sign is chosen once for the file, and what reads two ways
//! under it, or has a sign between thousands, is refused with the way to write it.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The sign in front of the cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecimalSign {
    /// As in 1234.50.
    Point,
    /// As in 1234,50.
    Comma,
}

impl DecimalSign {
    /// Both.
    pub const ALL: [DecimalSign; 2] = [DecimalSign::Point, DecimalSign::Comma];

    /// As it stands in forms.
    pub fn name(self) -> &'static str {
        match self {
            DecimalSign::Point => "point",
            DecimalSign::Comma => "comma",
        }
    }

    /// With an example.
    pub fn words(self) -> &'static str {
        match self {
            DecimalSign::Point => "Point, as in 1234.50",
            DecimalSign::Comma => "Comma, as in 1234,50",
        }
    }

    /// The amount that a text is under this sign, if it is one.
    pub fn read(self, text: &str) -> Option<Decimal> {
        read(text.trim(), self)
    }

    fn sign(self) -> char {
        match self {
            DecimalSign::Point => '.',
            DecimalSign::Comma => ',',
        }
    }

    fn other(self) -> char {
        match self {
            DecimalSign::Point => ',',
            DecimalSign::Comma => '.',
        }
    }
}

/// The longest amount that is looked at, and the longest text that a message quotes.
const DIGITS: usize = 18;
const QUOTED: usize = 40;

/// Reads an amount, or says what is wrong with it and how to write it.
pub fn parse(text: &str, sign: DecimalSign) -> Result<Decimal, String> {
    let text = text.trim();
    if let Some(amount) = read(text, sign) {
        return Ok(amount);
    }
    Err(problem(text, sign))
}

/// Digits, and at most one decimal sign with one or two digits behind it.
fn read(text: &str, sign: DecimalSign) -> Option<Decimal> {
    let (whole, fraction) = text.split_once(sign.sign()).unwrap_or((text, "0"));
    let digits = |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole, DIGITS) || !digits(fraction, 2) {
        return None;
    }
    format!("{whole}.{fraction}").parse().ok()
}

fn problem(text: &str, sign: DecimalSign) -> String {
    let quoted = quote(text);
    let name = sign.name();
    if text.is_empty() {
        return "The amount is missing.".into();
    }
    if text.starts_with(['-', '−', '(']) || text.ends_with('-') {
        return format!("The amount {quoted} is negative. An amount is more than zero; leave out what is not owed.");
    }
    let is_grouping = |c: char| matches!(c, '.' | ',' | '\'' | '’' | '_') || c.is_whitespace();
    if !text.chars().all(|c| c.is_ascii_digit() || is_grouping(c)) {
        return format!(
            "The amount {quoted} has more than digits in it. Write the number alone, such as {}.",
            example(sign)
        );
    }
    // The group behind the last sign: with three digits it may be thousands or a fraction, and nobody can tell.
    let last = text.rfind(is_grouping).map(|at| text[at..].chars().skip(1).count());
    let signs = text.chars().filter(|c| is_grouping(*c)).count();
    match (last, signs) {
        (Some(3), 1) => format!(
            "The amount {quoted} can be read in two ways: thousands or a fraction. Write it without a sign between \
             thousands and with a {name} before the cents, such as {}.",
            example(sign)
        ),
        (Some(1 | 2), 1) if text.contains(sign.other()) => format!(
            "The amount {quoted} does not have the {name} that was chosen as this file’s decimal sign. Write {}.",
            suggestion(text, sign)
        ),
        (Some(1..=3), 2..) => format!("The amount {quoted} has a grouping sign. Write {}.", suggestion(text, sign)),
        _ => format!("The amount {quoted} cannot be read. Write it like {}.", example(sign)),
    }
}

fn example(sign: DecimalSign) -> &'static str {
    match sign {
        DecimalSign::Point => "1234.50",
        DecimalSign::Comma => "1234,50",
    }
}

/// The same digits without grouping; what stands behind the last sign are cents if there are one or two of them.
fn suggestion(text: &str, sign: DecimalSign) -> String {
    let at = text.rfind(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (whole, cents) = text.split_at(at);
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).collect::<String>();
    let (whole, cents) = (digits(whole), digits(cents));
    if cents.len() == 3 { format!("{whole}{cents}") } else { format!("{whole}{}{cents}", sign.sign()) }
}

/// A cell as a message quotes it.
pub(super) fn quote(text: &str) -> String {
    let short: String = text.chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let more = if text.chars().count() > QUOTED { "…" } else { "" };
    format!("“{short}{more}”")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_sign_decides_and_nothing_else() {
        for (text, point, comma) in [
            ("1234.50", Some("1234.50"), None),
            ("1234,50", None, Some("1234.50")),
            (" 7 ", Some("7.0"), Some("7.0")),
            ("0.5", Some("0.5"), None),
            ("1.234", None, None),
            ("1,234", None, None),
            ("1.000", None, None),
            ("1.234,50", None, None),
            ("1,234.50", None, None),
            ("1 234.50", None, None),
            ("1’234.50", None, None),
            ("$12", None, None),
            ("12 EUR", None, None),
            ("-3", None, None),
            ("+3", None, None),
            ("1e3", None, None),
            (".5", None, None),
            ("5.", None, None),
            ("", None, None),
            ("٣", None, None),
            ("1.2.3", None, None),
            ("99999999999999999999", None, None),
        ] {
            let read = |sign| parse(text, sign).ok().map(|amount| amount.to_string());
            assert_eq!(read(DecimalSign::Point).as_deref(), point, "{text} with a point");
            assert_eq!(read(DecimalSign::Comma).as_deref(), comma, "{text} with a comma");
        }
    }

    #[test]
    fn a_message_says_how_to_write_it() {
        let point = |text| parse(text, DecimalSign::Point).unwrap_err();
        assert!(point("1,234.50").contains("grouping sign. Write 1234.50."));
        assert!(point("1.234,50").contains("grouping sign. Write 1234.50."));
        assert!(parse("1.234,50", DecimalSign::Comma).unwrap_err().contains("grouping sign. Write 1234,50."));
        assert!(point("1,234,567").contains("Write 1234567."));
        assert!(point("12,50").contains("Write 12.50."));
        assert!(point("1.000").contains("two ways"));
        assert!(point("-5").contains("negative"));
        assert!(point("$5").contains("more than digits"));
        assert!(point(&"x".repeat(99)).contains(&format!("{}…", "x".repeat(40))));
    }
}
