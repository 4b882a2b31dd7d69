//! Hands a mail over: to an SMTP server, or as a file to a folder that nothing leaves.
//!
//! A file is named by its mail's id, so a repeat overwrites itself. SMTP cannot be exactly once: when the server has
//! taken a mail and this program ends before it has written that down, the mail is handed over again, with the same
//! Message-ID, by which mailboxes may recognise it. There is no other case in which a mail goes twice.

use crate::config::Mail;
use anyhow::Context;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// A server that answers more slowly is tried again later.
const PATIENCE: Duration = Duration::from_secs(20);

/// One mail, ready to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its id: the same for every repeat.
    pub id: Uuid,
    /// In whose name, as people know them.
    pub sender: String,
    /// To whom: one address and nothing else.
    pub recipient: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// Its date.
    pub at: OffsetDateTime,
}

/// How mails leave this installation.
#[derive(Clone)]
pub struct Carrier {
    from: Mailbox,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Folder(PathBuf),
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
}

/// Without the password that the transport knows.
impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Carrier({})", self.words())
    }
}

impl Carrier {
    /// As configured.
    pub fn new(mail: &Mail) -> anyhow::Result<Self> {
        Ok(match mail {
            Mail::Folder { folder, from } => {
                std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
                Self { from: from.clone(), way: Way::Folder(folder.clone()) }
            }
            Mail::Smtp { url, from } => {
                let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())?;
                Self { from: from.clone(), way: Way::Smtp(transport.timeout(Some(PATIENCE)).build()) }
            }
        })
    }

    /// Whether it takes mails about money that is not real: a folder reaches nobody.
    pub fn takes_play_money(&self) -> bool {
        matches!(self.way, Way::Folder(_))
    }

    /// For people.
    pub fn words(&self) -> String {
        match &self.way {
            Way::Folder(folder) => format!("Mails are written as files to {} and reach nobody.", folder.display()),
            Way::Smtp(_) => format!("Mails are sent from {}.", self.from.email),
        }
    }

    /// Hands one mail over.
    pub async fn hand_over(&self, letter: &Letter) -> anyhow::Result<()> {
        let message = self.message(letter)?;
        match &self.way {
            Way::Smtp(transport) => drop(transport.send(message).await?),
            Way::Folder(folder) => {
                // Whole or not at all: a reader never finds half a mail.
                let (file, fresh) = (folder.join(format!("{}.eml", letter.id)), folder.join(format!(".{}", letter.id)));
                tokio::fs::write(&fresh, message.formatted()).await?;
                tokio::fs::rename(&fresh, &file).await?;
            }
        }
        Ok(())
    }

    fn message(&self, letter: &Letter) -> anyhow::Result<Message> {
        let recipient: Address =
            letter.recipient.parse().with_context(|| format!("{:?} cannot take e-mail", letter.recipient))?;
        let sender = Some(one_line(&letter.sender)).filter(|sender| !sender.is_empty());
        let from = Mailbox::new(self.from.name.clone().or(sender), self.from.email.clone());
        let message = Message::builder()
            .from(from)
            .to(Mailbox::new(None, recipient))
            .subject(one_line(&letter.subject))
            .date(letter.at.into())
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(letter.body.clone()))?;
        Ok(message)
    }
}

/// What may stand in a header: whatever would end its line is a space there.
fn one_line(text: &str) -> String {
    let spaced: String =
        text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carrier() -> Carrier {
        let from = "pay@stipend.example".parse().unwrap();
        Carrier { from, way: Way::Folder(PathBuf::new()) }
    }

    fn letter(change: impl FnOnce(&mut Letter)) -> String {
        let mut letter = Letter {
            id: Uuid::nil(),
            sender: "Acme".into(),
            recipient: "ada@example.com".into(),
            subject: "Hello".into(),
            body: "Text".into(),
            at: time::macros::datetime!(2026-01-12 10:02 UTC),
        };
        change(&mut letter);
        carrier()
            .message(&letter)
            .map_or_else(|error| format!("{error:#}"), |m| String::from_utf8(m.formatted()).unwrap())
    }

    fn headers(text: &str) -> Vec<&str> {
        let head = text.split("\r\n\r\n").next().unwrap();
        head.lines().filter(|line| !line.starts_with([' ', '\t'])).map(|line| line.split(':').next().unwrap()).collect()
    }

    #[test]
    fn no_text_becomes_a_header() {
        let plain = letter(|_| ());
        assert!(plain.contains("Message-ID: <00000000-0000-0000-0000-000000000000@stipend.example>"), "{plain}");
        for evil in
            ["Hi\r\nBcc: eve@example.com", "Hi\nBcc: eve@example.com", "Hi\rBcc: x", "a\u{2028}Bcc: x", "ü\r\n\r\nBody"]
        {
            let of_subject = letter(|letter| letter.subject = evil.into());
            let of_sender = letter(|letter| letter.sender = evil.into());
            assert_eq!(headers(&of_subject), headers(&plain), "{of_subject}");
            assert_eq!(headers(&of_sender), headers(&plain), "{of_sender}");
            let refused = letter(|letter| letter.recipient = format!("ada@example.com{evil}"));
            assert!(refused.contains("cannot take e-mail"), "{refused}");
        }
        for two in ["ada@example.com, eve@example.com", "Ada <ada@example.com>", "ada@example.com eve@example.com", ""]
        {
            assert!(letter(|letter| letter.recipient = two.into()).contains("cannot take e-mail"), "{two}");
        }
    }

    #[test]
    fn a_body_cannot_end_the_mail_and_odd_addresses_are_kept() {
        let dotted = letter(|letter| letter.body = "one\r\n.\r\nBcc: eve@example.com\r\n".into());
        assert!(!headers(&dotted).contains(&"Bcc"), "{dotted}");
        for odd in ["o'hara+1@example.com", "a!#$%&'*+/=?^_`{|}~-@example.com", "x@sub-1.example.com"] {
            assert!(letter(|letter| letter.recipient = odd.into()).contains(&format!("To: {odd}")), "{odd}");
        }
    }
}
