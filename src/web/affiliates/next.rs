//! The next payment of an affiliate, or why there is none: a sentence each, with what mends it.

use crate::app::App;
use crate::commission::due::problem_words;
use crate::connection::{self, Pause, pause};
use crate::database::Tx;
use crate::id::AffiliateId;
use crate::money::for_people;
use crate::payout::batch::BatchState;
use crate::payout::item::Wait;
use crate::payout::reason;
use crate::payout::why::{self, Open, Owed};
use crate::web::Signed;
use crate::web::waits::Waits;
use crate::web::when::{day, when};
use time::Duration;

/// One answer.
pub(super) struct Answer {
    pub(super) tone: &'static str,
    pub(super) sentence: String,
    /// Where it is mended or looked at, and what the link says.
    pub(super) link: Option<(String, &'static str)>,
}

/// What stands in the way of everything owed.
struct Ground {
    pauses: Vec<Pause>,
    connected: bool,
    problem: Option<String>,
    /// That the address changed, and until when that holds payments.
    held: Option<String>,
}

/// All answers: what is under way first, then what is owed.
pub(super) async fn answers(
    app: &App,
    signed: &Signed,
    tx: &mut Tx,
    id: AffiliateId,
    held: Option<&str>,
) -> sqlx::Result<Vec<Answer>> {
    let zone = &signed.time_zone;
    let now = app.clock.now();
    let ground = Ground {
        pauses: pause::all(tx).await?,
        connected: connection::in_force(tx).await?.is_some(),
        problem: why::problem(tx, id, now).await?,
        held: held.map(|held| format!("{held}.")),
    };
    let open = why::open(tx, id).await?;
    let mut answers: Vec<_> = open.iter().map(|open| under_way(app, open, &ground.pauses, zone)).collect();
    for owed in why::owed(tx, id, signed.today(app)).await? {
        answers.extend(due(app, &owed, id, &ground, zone));
        if let (Some(next), Some(on)) = (owed.next, owed.next_on) {
            let sentence = format!("{} {} on {}.", owed.currency, for_people(next, owed.currency), day(on));
            answers.push(Answer { tone: "info", sentence, link: None });
        }
    }
    Ok(answers)
}

fn under_way(app: &App, open: &Open, pauses: &[Pause], zone: &str) -> Answer {
    let money = format!("{} {}", open.currency, for_people(open.amount, open.currency));
    let number = open.number;
    let batch = format!("/batches/{}", open.batch);
    let item = format!("{batch}/items/{}", open.item);
    let answer = |tone, sentence, href, label| Answer { tone, sentence, link: Some((href, label)) };
    if open.flagged {
        let sentence = format!("PayPal shows something of {money} in batch {number} that does not fit.");
        return answer("warning", sentence, item, "Look at the payment");
    }
    if open.not_paid.is_some() {
        let sentence = format!("{money} was stopped or came back, and needs a decision.");
        return answer("warning", sentence, item, "Decide");
    }
    if open.waits_for_approval {
        return answer("info", format!("{money} waits for approval in batch {number}."), batch, "Look at the batch");
    }
    match (open.wait, open.state) {
        (Some(Wait::Unclaimed), _) => {
            let back = when(open.processed + Duration::days(30), zone).day;
            let sentence = format!("{money} was sent and is not accepted yet; it comes back on {back}.");
            answer("warning", sentence, item, "Remind them, or take it back")
        }
        (Some(Wait::OnHold), _) => answer("info", format!("PayPal is reviewing {money}."), item, "Look at the payment"),
        (None, BatchState::Stuck) => {
            let sentence =
                format!("Whether PayPal has {money} is not known. It stays locked until people have looked.");
            answer("bad", sentence, format!("{batch}/resolution"), "Find out what became of it")
        }
        (None, BatchState::Submitting) if open.doubted => {
            let sentence = format!("Whether PayPal has {money} is not known yet. It is asked again by itself.");
            answer("warning", sentence, batch, "Look at the batch")
        }
        (None, BatchState::Exported) => {
            answer("info", format!("{money} is in a file that somebody pays outside."), batch, "Look at the batch")
        }
        (None, BatchState::Ready | BatchState::Submitting)
            if let Some(waits) = Waits::in_currency(app, pauses, open.currency, zone) =>
        {
            answer("warning", format!("{money} waits in batch {number}. {}", waits.text()), batch, "Look at the batch")
        }
        _ => answer("info", format!("{money} is being paid now in batch {number}."), batch, "Look at the batch"),
    }
}

fn due(app: &App, owed: &Owed, id: AffiliateId, ground: &Ground, zone: &str) -> Option<Answer> {
    if owed.due.is_zero() {
        return None;
    }
    let money = format!("{} {} is due now", owed.currency, for_people(owed.due, owed.currency));
    let name = owed.error_name.as_deref();
    let last = name.map(|name| reason::of_item(name, owed.error_message.as_deref().unwrap_or_default()).merchant);
    let last = last.map(|last| format!(" Last time it was not paid: {last}")).unwrap_or_default();
    let waits = Waits::in_currency(app, &ground.pauses, owed.currency, zone);
    let least = owed.minimum.filter(|minimum| owed.due < *minimum);
    let (tone, sentence, link) = match (ground.problem.as_deref(), waits) {
        (Some("archived"), _) => {
            ("warning", format!("{money}, and the affiliate is archived: take them back to pay them."), None)
        }
        (Some("held"), _) => {
            let held = ground.held.as_deref().unwrap_or("The address changed lately.");
            ("waiting", format!("{money}. {held}"), None)
        }
        (Some(problem), _) => {
            let sentence = format!("{money} and cannot be paid through PayPal: {}.", problem_words(problem));
            ("warning", sentence, Some((format!("/affiliates/{id}/edit"), "Correct the address")))
        }
        (None, _) if let Some(least) = least => {
            let (due, least) = (for_people(owed.due, owed.currency), for_people(least, owed.currency));
            ("waiting", format!("{} {due} of {least}; carries over until it is that much.", owed.currency), None)
        }
        (None, _) if !ground.connected => {
            let sentence = format!("{money}, and PayPal is not connected, or only to its old service.");
            ("warning", sentence, Some(("/integrations/payment".to_owned(), "Connect PayPal")))
        }
        (None, Some(waits)) => {
            let sentence = format!("{money}, and payments wait. {}", waits.text());
            ("warning", sentence, Some(("/integrations/payment".to_owned(), "Look at the connection")))
        }
        (None, None) => {
            let pay = ("/affiliate_payments/pay".to_owned(), "Pay");
            (if last.is_empty() { "good" } else { "warning" }, format!("{money}."), Some(pay))
        }
    };
    Some(Answer { tone, sentence: format!("{sentence}{last}"), link })
}
