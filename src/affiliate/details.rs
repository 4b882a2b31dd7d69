//! What a person or a file may say about an affiliate, and what is wrong with it.

use super::address::{check_email, check_receiver};
use crate::name::is_one_line;
use serde::{Deserialize, Serialize};

/// The longest name, and the longest code; the schema says the same.
const NAME_CHARS: usize = 140;
const CODE_CHARS: usize = 64;

/// As it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Raw {
    /// E-mail.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Affiliate code.
    pub code: String,
    /// PayPal e-mail, if different.
    pub paypal_email: String,
}

/// What may be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Details {
    /// E-mail.
    pub email: Option<String>,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Affiliate code.
    pub code: Option<String>,
    /// PayPal e-mail, if different.
    pub paypal_email: Option<String>,
}

/// The fields, by their names in forms.
pub type Field = &'static str;

/// What is wrong with a field, and what to do.
pub type Problem = (Field, String);

impl Raw {
    /// Trims, and lists everything that is wrong at once.
    pub fn parse(&self) -> Result<Details, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut wrong = |field, message: String| problems.push((field, message));
        for (field, label, value) in
            [("first_name", "The first name", &self.first_name), ("last_name", "The last name", &self.last_name)]
        {
            if value.trim().chars().count() > NAME_CHARS {
                wrong(field, format!("{label} may have up to {NAME_CHARS} characters."));
            }
            if !is_one_line(value) {
                wrong(field, format!("{label} is one line, without marks that turn the direction of writing."));
            }
        }
        let (email, code, paypal_email) = (given(&self.email), given(&self.code), given(&self.paypal_email));
        if let Some(Err(problem)) = email.as_deref().map(check_email) {
            wrong("email", format!("Check the email: {problem}."));
        }
        if email.is_none() && code.is_none() {
            wrong("email", "Give an email, or an affiliate code if there is none.".into());
        }
        if code.as_ref().is_some_and(|code| code.chars().count() > CODE_CHARS) {
            wrong("code", format!("The affiliate code may have up to {CODE_CHARS} characters."));
        }
        if let Some(Err(problem)) = paypal_email.as_deref().map(check_receiver) {
            wrong("paypal_email", format!("Check the PayPal email: {problem}."));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let paypal_email = paypal_email.filter(|paypal| Some(paypal) != email.as_ref());
        let (first_name, last_name) = (self.first_name.trim().to_owned(), self.last_name.trim().to_owned());
        Ok(Details { email, first_name, last_name, code, paypal_email })
    }
}

fn given(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_is_said_at_once() {
        let raw =
            Raw { email: "ada".into(), first_name: "x".repeat(141), paypal_email: "ä@b.co".into(), ..Raw::default() };
        let fields: Vec<_> = raw.parse().unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["first_name", "email", "paypal_email"]);
        assert_eq!(Raw::default().parse().unwrap_err()[0].0, "email");
    }

    #[test]
    fn a_code_is_enough_and_the_same_address_is_not_kept_twice() {
        let raw = Raw { code: " K-7 ".into(), ..Raw::default() };
        assert_eq!(raw.parse().unwrap().code.as_deref(), Some("K-7"));
        let raw = Raw { email: "a@b.co".into(), paypal_email: " a@b.co".into(), ..Raw::default() };
        assert_eq!(raw.parse().unwrap().paypal_email, None);
    }
}
