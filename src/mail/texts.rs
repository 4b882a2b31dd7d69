//! What mails say: the standard texts, what a merchant may change about them, and how placeholders are filled in. Pure.

use super::Kind;
use std::collections::BTreeMap;

/// The longest subject and the longest text, in characters; the schema says the same.
const SUBJECT_CHARS: usize = 200;
const BODY_CHARS: usize = 5000;

/// A subject and a text, with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// What stands for what in one mail: placeholder without braces, and its value.
pub type Values = BTreeMap<&'static str, String>;

impl Kind {
    /// What may stand in the text of this kind, and what it stands for.
    pub fn placeholders(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Kind::Paid => &[
                ("name", "Ada Lovelace"),
                ("amount", "USD 120.00"),
                ("merchant", "Acme"),
                ("batch", "2031"),
                ("address", "ada@example.com"),
            ],
            Kind::Unclaimed => &[
                ("name", "Ada Lovelace"),
                ("amount", "USD 120.00"),
                ("merchant", "Acme"),
                ("batch", "2031"),
                ("address", "ada@example.com"),
                ("deadline", "11 Feb 2027"),
            ],
            Kind::NotPaid => &[
                ("name", "Ada Lovelace"),
                ("amount", "USD 120.00"),
                ("merchant", "Acme"),
                ("batch", "2031"),
                ("address", "ada@example.com"),
                ("reason", "PayPal could not pay to this address."),
            ],
            Kind::AddressChanged => &[
                ("name", "Ada Lovelace"),
                ("merchant", "Acme"),
                ("address", "ada@example.com"),
                ("old_address", "ada@old.example.com"),
            ],
            Kind::Attention => &[
                ("merchant", "Acme"),
                ("news", "- Batch 2031: 3 payments failed. The amounts are due again."),
                ("link", "https://payouts.example.com/"),
            ],
            Kind::Approval => &[
                ("merchant", "Acme"),
                ("asker", "Ann Example"),
                ("amount", "USD 4,310.20"),
                ("affiliates", "24"),
                ("link", "https://payouts.example.com/approvals/0123"),
                ("deadline", "11 Feb 2027"),
            ],
            Kind::Answer => &[
                ("merchant", "Acme"),
                ("amount", "USD 4,310.20"),
                ("affiliates", "24"),
                ("news", "Bob Example approved it."),
                ("link", "https://payouts.example.com/approvals/0123"),
            ],
            Kind::Invitation => &[
                ("merchant", "Acme"),
                ("inviter", "Ann Example"),
                ("role", "approver"),
                ("link", "https://payouts.example.com/invitation?code=0123"),
                ("deadline", "11 Feb 2027"),
            ],
            Kind::Upgrade => &[
                ("merchant", "Acme"),
                ("news", "Your PayPal connection uses PayPal’s old Mass Pay service."),
                ("link", "https://payouts.example.com/integrations/payment/guide"),
            ],
        }
    }

    /// What is said where the merchant has written nothing else.
    pub fn standard(self) -> Text {
        let (subject, body) = match self {
            Kind::Paid => (
                "{merchant} has paid you {amount}",
                "Hello {name},\n\n{merchant} has paid you {amount}. The money went to {address}.\n\nThis is payment {batch}; name it if you have a question about it.\n",
            ),
            Kind::Unclaimed => (
                "{amount} from {merchant} is waiting for you",
                "Hello {name},\n\n{merchant} has sent you {amount} through PayPal, to {address}. It has not been accepted yet.\n\nTo receive it, sign in to PayPal and confirm this address, or open a PayPal account with it, before {deadline}. After that day the money goes back to {merchant}.\n\nIf you no longer use this address, tell {merchant} where to pay instead. This is payment {batch}.\n",
            ),
            Kind::NotPaid => (
                "Your payment of {amount} from {merchant} did not arrive",
                "Hello {name},\n\n{merchant} wanted to pay you {amount} through PayPal, to {address}, and it did not arrive.\n\n{reason}\n\nThe amount is not lost: {merchant} can pay it again once this is mended. This is payment {batch}.\n",
            ),
            Kind::AddressChanged => (
                "Your payments from {merchant} now go to another address",
                "Hello {name},\n\nthe address to which {merchant} pays you was changed.\n\nBefore: {old_address}\nNow: {address}\n\nIf you did not ask for this, tell {merchant} at once.\n",
            ),
            Kind::Attention => (
                "Payments of {merchant} need you",
                "Hello,\n\nthis has happened since the last message:\n\n{news}\n\n{link}\n",
            ),
            Kind::Approval => (
                "You are asked to approve {amount} of {merchant}",
                "Hello,\n\n{asker} has prepared a payment of {amount} for {merchant}; affiliates who are paid: {affiliates}. Nothing is paid before you, or somebody else who may, approve it.\n\nLook at it, approve it, or send it back with a reason, before {deadline}:\n\n{link}\n",
            ),
            Kind::Answer => (
                "Your payment of {amount} at {merchant}",
                "Hello,\n\nYou asked for the approval of a payment of {amount}; affiliates in it: {affiliates}.\n\n{news}\n\n{link}\n",
            ),
            Kind::Invitation => (
                "{inviter} invites you to {merchant}",
                "Hello,\n\n{inviter} invites you to pay the affiliates of {merchant} with Stipend, in the role {role}.\n\nTo accept, open this link before {deadline}. It works once:\n\n{link}\n\nIf you do not know {inviter}, ignore this message.\n",
            ),
            Kind::Upgrade => (
                "Your PayPal connection at {merchant}",
                "Hello,\n\n{news}\n\nWhat PayPal has changed, and what to do step by step: {link}\n",
            ),
        };
        Text { subject: subject.to_owned(), body: body.to_owned() }
    }

    /// Values to show a text with.
    pub fn example(self) -> Values {
        self.placeholders().iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    }
}

impl Text {
    /// What a person typed, or what is wrong with it: field and message.
    pub fn parse(kind: Kind, subject: &str, body: &str) -> Result<Self, Vec<(&'static str, String)>> {
        let (subject, body) = (subject.trim(), body.replace("\r\n", "\n"));
        let mut problems = Vec::new();
        if subject.is_empty() || subject.chars().count() > SUBJECT_CHARS || subject.contains(char::is_control) {
            problems.push(("subject", format!("The subject is one line of 1 to {SUBJECT_CHARS} characters.")));
        }
        if body.trim().is_empty() || body.chars().count() > BODY_CHARS || body.contains('\0') {
            problems.push(("body", format!("The text has 1 to {BODY_CHARS} characters.")));
        }
        for (field, text) in [("subject", subject), ("body", body.as_str())] {
            if let Some(unknown) = pieces(text).find_map(|piece| kind.unknown(piece)) {
                let known: Vec<_> = kind.placeholders().iter().map(|(name, _)| format!("{{{name}}}")).collect();
                problems.push((
                    field,
                    format!("{{{unknown}}} is nothing that this mail can fill in. It knows {}.", known.join(", ")),
                ));
            }
        }
        if kind == Kind::Invitation && !body.contains("{link}") {
            problems.push(("body", "Without {link} nobody can accept; put it into the text.".to_owned()));
        }
        if problems.is_empty() { Ok(Self { subject: subject.to_owned(), body }) } else { Err(problems) }
    }

    /// The text with every placeholder filled in. A value is never looked into: braces in a name stay braces.
    pub fn fill(&self, values: &Values) -> Self {
        let fill = |text: &str| {
            pieces(text)
                .map(|piece| match piece {
                    Piece::Words(words) => words.to_owned(),
                    Piece::Placeholder(name) => values.get(name).cloned().unwrap_or_else(|| format!("{{{name}}}")),
                })
                .collect::<String>()
        };
        Self { subject: fill(&self.subject), body: fill(&self.body) }
    }
}

impl Kind {
    fn unknown(self, piece: Piece<'_>) -> Option<&str> {
        match piece {
            Piece::Placeholder(name) if !self.placeholders().iter().any(|(known, _)| *known == name) => Some(name),
            Piece::Placeholder(_) | Piece::Words(_) => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Piece<'a> {
    Words(&'a str),
    /// What stands between braces on one line.
    Placeholder(&'a str),
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let placeholder = rest.strip_prefix('{').and_then(|after| after.split_once('}'));
        if let Some((name, after)) = placeholder.filter(|(name, _)| !name.contains(['{', '\n'])) {
            rest = after;
            return Some(Piece::Placeholder(name));
        }
        let end = rest.char_indices().skip(1).find(|(_, c)| *c == '{').map_or(rest.len(), |(at, _)| at);
        let (words, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Words(words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_standard_text_can_be_saved_and_filled() {
        for kind in Kind::ALL {
            let text = kind.standard();
            assert_eq!(Text::parse(kind, &text.subject, &text.body).as_ref(), Ok(&text));
            let filled = text.fill(&kind.example());
            assert!(!filled.subject.contains(['{', '}']) && !filled.body.contains(['{', '}']), "{filled:?}");
        }
    }

    #[test]
    fn what_cannot_be_filled_in_is_refused_where_it_is_typed() {
        for (subject, body, fields) in [
            ("Hi {nmae}", "Text", &["subject"][..]),
            ("Hi", "{Name}, {deadline}", &["body"]),
            ("{}", "Text", &["subject"]),
            ("a\nb", "", &["subject", "body"]),
            ("", "x", &["subject"]),
        ] {
            let problems = Text::parse(Kind::Paid, subject, body).unwrap_err();
            assert_eq!(problems.iter().map(|(field, _)| *field).collect::<Vec<_>>(), fields, "{subject} {body}");
        }
        assert!(Text::parse(Kind::Unclaimed, "Hi {name}", "until {deadline} {").is_ok());
    }

    #[test]
    fn a_value_is_never_filled_in_again() {
        let text = Text { subject: "{name}".into(), body: "{ {name} {{merchant}}".into() };
        let values = [("name", "{merchant}".to_owned()), ("merchant", "Acme".to_owned())].into();
        let filled = text.fill(&values);
        assert_eq!((filled.subject.as_str(), filled.body.as_str()), ("{merchant}", "{ {merchant} {Acme}"));
    }
}
