//! A line of the page in words, with the button that deals with it.

use crate::app::App;
use crate::commission::due::problem_words;
use crate::connection::{Connection, Pause};
use crate::money::for_people;
use crate::payout::attention::{Kind, Line};
use crate::payout::item::NotPaid;
use crate::payout::reason::{self, Fix};
use crate::role::Role;
use crate::web::Frame;
use crate::web::pages::counted;
use crate::web::waits::Waits;
use crate::web::when::{When, when};

/// What the button of a line does.
pub(super) enum Act {
    /// Leads to a page.
    Go(String),
    /// Does it, for whoever has the role.
    Do(String, Role),
}

/// A line in words.
pub(super) struct Row {
    pub(super) title: String,
    pub(super) second: String,
    /// Where it can be looked at.
    pub(super) href: String,
    pub(super) sentence: String,
    pub(super) since: When,
    pub(super) money: Option<(String, String)>,
    pub(super) act: Act,
    pub(super) label: &'static str,
    pub(super) who: i32,
}

impl Row {
    /// The address that the button leads to.
    pub(super) fn go(&self) -> Option<&str> {
        match &self.act {
            Act::Go(href) => Some(href),
            Act::Do(..) => None,
        }
    }

    /// The address that the button posts to, if this person may.
    pub(super) fn post(&self, frame: &Frame) -> Option<&str> {
        match &self.act {
            Act::Do(target, least) if frame.may(*least) => Some(target),
            Act::Do(..) | Act::Go(_) => None,
        }
    }
}

/// What the words of a line need beside it.
pub(super) struct Teller<'a> {
    pub(super) app: &'a App,
    pub(super) zone: &'a str,
    pub(super) pauses: Vec<Pause>,
    pub(super) connection: Option<Connection>,
}

impl Teller<'_> {
    pub(super) fn row(&self, line: &Line) -> Row {
        let (title, second, href) = subject(line);
        let (sentence, act, label) = match line.kind {
            Kind::Paused | Kind::Unreadable => self.connection_words(line),
            Kind::Approval => {
                let page = line.request.map_or_else(|| href.clone(), |request| format!("/approvals/{request}"));
                let sentence = "A second person is asked to approve this payment. Nothing is paid before.";
                (sentence.to_owned(), Act::Go(page), "Look at the payment")
            }
            Kind::Stuck | Kind::Legacy | Kind::Doubt | Kind::Waiting | Kind::Trouble | Kind::Slow | Kind::Refused => {
                batch_words(line, &href)
            }
            Kind::Dropzone
            | Kind::Contradicted
            | Kind::Unanswered
            | Kind::Prepared
            | Kind::NoFinal
            | Kind::Report
            | Kind::Unmentioned => file_words(line, &href),
            Kind::Failed | Kind::Flagged | Kind::Decide | Kind::Unclaimed | Kind::OnHold => {
                self.item_words(line, &href)
            }
            Kind::Unpayable => unpayable_words(line, &href),
        };
        let money = line.currency.zip(line.amount);
        Row {
            title,
            second,
            href,
            sentence,
            since: when(line.since, self.zone),
            money: money.map(|(currency, amount)| (currency.code().to_owned(), for_people(amount, currency))),
            act,
            label,
            who: line.who,
        }
    }

    fn connection_words(&self, line: &Line) -> (String, Act, &'static str) {
        let pause = self.pauses.iter().find(|pause| pause.currency == line.currency);
        let waits = match line.kind {
            Kind::Unreadable => self.connection.as_ref().and_then(|one| Waits::of_reading(one, self.zone)),
            _ => pause.map(|pause| Waits::of(self.app, pause, self.zone)),
        };
        let card = "/integrations/payment";
        let Some(waits) = waits else {
            let text = "PayPal did not confirm the connection when it was last asked; payments wait.";
            return (text.to_owned(), Act::Go(card.to_owned()), "Look at the connection");
        };
        let act = if waits.wants_details() {
            Act::Go(format!("{card}/paypal"))
        } else if waits.wants_a_check() {
            Act::Do(format!("{card}/paypal/verification"), Role::Admin)
        } else if waits.wants_money() {
            Act::Do(format!("{card}/paypal/resumption"), Role::Approver)
        } else {
            return (waits.text().to_owned(), Act::Go(card.to_owned()), "Look at the connection");
        };
        (waits.text().to_owned(), act, waits.label())
    }

    fn item_words(&self, line: &Line, href: &str) -> (String, Act, &'static str) {
        let name = line.error_name.as_deref();
        let why = name.map(|name| reason::of_item(name, line.error_message.as_deref().unwrap_or_default()));
        let because = why.as_ref().map_or_else(String::new, |why| format!(" {}", why.merchant));
        let look = || Act::Go(href.to_owned());
        match line.kind {
            Kind::Unclaimed => {
                let back = when(line.since + time::Duration::days(30), self.zone).day;
                let said = format!("Sent, and not accepted yet. It comes back on {back}.{because}");
                if line.by_file {
                    return (said, look(), "Remind the affiliate");
                }
                (said, Act::Do(format!("{href}/cancellation"), Role::Approver), "Take it back now")
            }
            Kind::OnHold => (format!("PayPal has reviewed it for days.{because}"), look(), "Look at the payment"),
            Kind::Flagged => {
                let flag = line.flagged.as_deref().unwrap_or_default();
                (format!("{flag}, which does not fit. Look at this payment at PayPal."), look(), "Look at the payment")
            }
            Kind::Decide => {
                let what = match line.not_paid {
                    Some(NotPaid::Blocked) if because.is_empty() => "PayPal stopped it.",
                    Some(NotPaid::Blocked) => "",
                    Some(NotPaid::Refunded) => "The recipient sent it back.",
                    _ => "PayPal took it back.",
                };
                let what = format!("{what}{because}").trim_start().to_owned();
                (format!("{what} Decide what follows: due again, or written off."), look(), "Decide")
            }
            _ => {
                let what = match (line.not_paid, line.taken_back) {
                    (Some(NotPaid::Returned), true) => "You took it back.".to_owned(),
                    (Some(NotPaid::Returned), false) => format!("Not accepted; the money came back.{because}"),
                    _ => format!("Not paid.{because}"),
                };
                let fix = match (line.readdressed, line.not_paid) {
                    (true, _) => Fix::PayAgain,
                    (false, Some(NotPaid::Returned)) => Fix::Address,
                    (false, _) => why.map_or(Fix::PayAgain, |why| why.fix),
                };
                let (act, label) = failed_act(line, fix, href);
                (format!("{what} It is due again and not being paid."), act, label)
            }
        }
    }
}

/// What a line is about, and where that is.
fn subject(line: &Line) -> (String, String, String) {
    let batch = line.number.map(|number| format!("Batch {number}")).unwrap_or_default();
    match (line.batch, line.item, line.affiliate, line.name.clone()) {
        (Some(id), Some(item), _, Some(name)) => (name, batch, format!("/batches/{id}/items/{item}")),
        (Some(id), ..) => {
            let payments = counted(line.payments, "payment", "payments");
            (batch, payments, format!("/batches/{id}"))
        }
        (None, _, Some(id), Some(name)) => (name, String::new(), format!("/affiliates/{id}")),
        _ => {
            let title = match (line.kind, line.currency) {
                (Kind::Unreadable, _) => "What becomes of payments cannot be seen".to_owned(),
                (Kind::Dropzone, _) => "Large Batch files".to_owned(),
                (_, Some(currency)) => format!("Payments in {currency} wait"),
                (_, None) => "Payments wait".to_owned(),
            };
            let batches = counted(line.payments, "batch", "batches");
            (title, if line.payments > 0 { batches } else { String::new() }, "/integrations/payment".to_owned())
        }
    }
}

fn batch_words(line: &Line, href: &str) -> (String, Act, &'static str) {
    let look = || Act::Go(href.to_owned());
    match line.kind {
        Kind::Stuck => (
            "Whether PayPal has it is not known, and it is not asked any more. Its money stays locked until people have looked at PayPal.".to_owned(),
            Act::Go(format!("{href}/resolution")),
            "Find out what became of it",
        ),
        Kind::Legacy => (
            "PayPal’s old Mass Pay service was told to pay it, and what became of it is not known. Look for it at PayPal; it is not due until you have decided.".to_owned(),
            look(),
            "Decide",
        ),
        Kind::Doubt => (
            "PayPal did not answer. It is asked again by itself; do not pay these affiliates meanwhile.".to_owned(),
            look(),
            "Look at the batch",
        ),
        Kind::Waiting => {
            ("It could not be handed to PayPal yet. It is tried again by itself.".to_owned(), look(), "Look at the batch")
        }
        Kind::Trouble => {
            let why = line.trouble.as_deref().unwrap_or("no reason");
            (format!("PayPal has it and could not be asked about it: {why}."), look(), "Look at the batch")
        }
        Kind::Slow => (
            "PayPal has had it for more than a day and is not done. Ask PayPal if that goes on.".to_owned(),
            look(),
            "Look at the batch",
        ),
        _ => {
            let why = line.why.as_deref().map(|why| reason::of_call(why, "").merchant);
            let why = why.unwrap_or_else(|| "PayPal did not pay it.".into());
            let rest = counted(line.payments, "payment of it is", "payments of it are");
            let again = format!("{why} {rest} due again and not being paid.");
            (again, Act::Do(format!("{href}/retry"), Role::Preparer), "Review and pay the rest")
        }
    }
}

fn file_words(line: &Line, href: &str) -> (String, Act, &'static str) {
    let (sentence, label) = match line.kind {
        Kind::Dropzone => (
            "Files wait for PayPal’s DropZone, or its folders cannot be read. The card says what it is.",
            "Look at the connection",
        ),
        Kind::Contradicted => (
            "PayPal rejected this file, so its commissions became due again; now it says that it has accepted it. Do not pay them again before PayPal has told you what holds.",
            "Look at the batch",
        ),
        Kind::Unanswered => (
            "PayPal has had this file for more than an hour and has not answered. Ask its support with the file’s name; do not pay these affiliates meanwhile.",
            "Look at the batch",
        ),
        Kind::Prepared => {
            ("A file is prepared and nobody has uploaded it. Upload it, or take it back.", "Look at the file")
        }
        Kind::NoFinal => (
            "The Final report was due four days ago, and PayPal has not put it into the folder. Ask PayPal for it.",
            "Look at the batch",
        ),
        Kind::Report => {
            ("Something of what PayPal put into the folder could not be used. It changed nothing.", "Look at the files")
        }
        _ => (
            "PayPal has finished the file, and its reports do not mention these payments. They stay locked until PayPal has told you what became of them.",
            "Look at the payments",
        ),
    };
    (sentence.to_owned(), Act::Go(href.to_owned()), label)
}

fn failed_act(line: &Line, fix: Fix, href: &str) -> (Act, &'static str) {
    let affiliate = line.affiliate.map(|id| format!("/affiliates/{id}")).unwrap_or_default();
    match (line.problem.as_deref(), fix) {
        (Some("archived"), _) => (Act::Go(affiliate), "Look at the affiliate"),
        (Some(_), _) | (None, Fix::Address) => (Act::Go(format!("{affiliate}/edit")), Fix::Address.label()),
        (None, Fix::PayAgain) => (Act::Do(format!("{href}/retry"), Role::Preparer), Fix::PayAgain.label()),
        (
            None,
            Fix::Wait
            | Fix::TellAffiliate
            | Fix::Details
            | Fix::Account
            | Fix::TopUp
            | Fix::ContactPayPal
            | Fix::PayElsewhere,
        ) => (Act::Go(href.to_owned()), "Look at the payment"),
    }
}

fn unpayable_words(line: &Line, href: &str) -> (String, Act, &'static str) {
    let problem = line.problem.as_deref().unwrap_or_default();
    let owed = counted(line.payments, "commission", "commissions");
    let sentence = format!("{}. {owed} due.", problem_words(problem));
    if problem == "archived" {
        return (sentence, Act::Do(format!("{href}/restoration"), Role::Preparer), "Take the affiliate back");
    }
    let label = if problem == "missing" { "Add an address" } else { Fix::Address.label() };
    (sentence, Act::Go(format!("{href}/edit")), label)
}
