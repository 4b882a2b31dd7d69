//! One payment of a batch: where its money is, all that happened to it, and what a person may do about it.

use super::actions::{TOO_LATE, pay_again};
use super::words::{CLAIM_WINDOW, evidence_words, history_words};
use super::{ItemRow, dated, exists};
use crate::app::App;
use crate::id::{BatchId, ItemId, sender_item_id};
use crate::money::for_people;
use crate::payout::batch::Rail;
use crate::payout::batches::{Batch, HistoryLine};
use crate::payout::decide::{self, Decision, MAX_WHY, Undecided};
use crate::payout::item::{NotPaid, Wait};
use crate::payout::items::{self, Commission, Item};
use crate::payout::reason::{self, Fix};
use crate::payout::{batches, cancel as cancellation};
use crate::web::pages::counted;
use crate::web::when::{When, when};
use crate::web::{Error, Form, Frame, Path, Result, Section, Signed, Tone, page, see};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "payouts/item.html")]
struct Show {
    frame: Frame,
    batch: Batch,
    row: ItemRow,
    processed: When,
    /// When unclaimed money comes back.
    back: When,
    /// How many days it has been unclaimed.
    days: i64,
    commissions: Vec<Commission>,
    history: Vec<(HistoryLine, When)>,
}

impl Show {
    fn item(&self) -> &Item {
        &self.row.item
    }

    fn our_id(&self) -> String {
        sender_item_id(self.item().id)
    }

    fn is_api(&self) -> bool {
        self.batch.rail == Rail::Api
    }

    fn is_unclaimed(&self) -> bool {
        self.item().wait == Some(Wait::Unclaimed)
    }

    fn can_be_written_off(&self) -> bool {
        self.item().waits_for_a_decision() && self.batch.settled_at.is_some()
    }

    fn can_be_due_again(&self) -> bool {
        let item = self.item();
        let open = item.waits_for_a_decision() || item.decided.as_deref() == Some(Decision::WrittenOff.code());
        open && self.batch.settled_at.is_some() && item.flagged.is_none() && !self.waits_for_confirmation()
    }

    /// PayPal blocked it, and the second look is still to come.
    fn waits_for_confirmation(&self) -> bool {
        self.item().not_paid == Some(NotPaid::Blocked) && self.item().confirmed_at.is_none()
    }

    /// Its commissions were given back.
    fn is_due_again(&self) -> bool {
        self.item().state == "unpaid" && self.commissions.iter().any(|commission| commission.released_at.is_some())
    }

    /// The affiliate's address is worth a look before the next payment.
    fn wants_another_address(&self) -> bool {
        let item = self.item();
        let fix = item.error_name.as_deref().map(|name| reason::of_item(name, "").fix);
        self.is_unclaimed() || item.not_paid == Some(NotPaid::Returned) || fix == Some(Fix::Address)
    }

    fn amount_of(&self, commission: &Commission) -> String {
        for_people(commission.amount, self.item().currency)
    }

    /// What to send to whoever has not accepted their money.
    fn reminder(&self) -> String {
        let item = self.item();
        let merchant = self.frame.signed.as_ref().map_or("", |signed| signed.merchant_name.as_str());
        format!(
            "Hello {name},\n\nwe have sent you {currency} {amount} with PayPal, to {receiver}. PayPal keeps it for you until you accept it: \
            sign in to PayPal, or open an account with this address, and confirm the address there. If you have not done so \
            by {back}, the money comes back to us. If you want it at another address, write to us.\n\n{merchant}",
            name = item.name,
            currency = item.currency,
            amount = self.row.amount(),
            receiver = item.receiver,
            back = self.back.day,
        )
    }
}

pub(super) async fn show(
    State(app): State<App>,
    signed: Signed,
    Path((batch, item)): Path<(BatchId, ItemId)>,
) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let batch = batches::show(&mut tx, batch).await?.ok_or(Error::NotFound)?;
    let item = items::item(&mut tx, batch.id, item).await?.ok_or(Error::NotFound)?;
    let commissions = items::commissions(&mut tx, item.id).await?;
    let history = items::history(&mut tx, batch.id, item.id).await?;
    let zone = &signed.time_zone;
    page(&Show {
        frame: signed.frame(Section::Payouts),
        processed: when(item.processed(), zone),
        back: when(item.processed() + CLAIM_WINDOW, zone),
        days: (app.clock.now() - item.processed()).whole_days(),
        commissions,
        history: dated(history, zone),
        row: ItemRow::of(item, &batch, zone),
        batch,
    })
}

pub(super) async fn cancel(
    State(app): State<App>,
    signed: Signed,
    Path((batch, item)): Path<(BatchId, ItemId)>,
) -> Result<Response> {
    is_there(&app, &signed, batch, item).await?;
    match cancellation::ask(&app, signed.merchant, &signed.actor(&app), batch, Some(item)).await? {
        Ok(_) => {
            let said = "PayPal is asked to take it back. It is due again as soon as PayPal shows that.";
            Ok(see(format!("/batches/{batch}/items/{item}")).with(Tone::Info, said).into_response())
        }
        Err(_) => Err(Error::Conflict(TOO_LATE.into())),
    }
}

/// All unclaimed items of a batch.
pub(super) async fn cancel_all(State(app): State<App>, signed: Signed, Path(batch): Path<BatchId>) -> Result<Response> {
    exists(&app, &signed, batch).await?;
    match cancellation::ask(&app, signed.merchant, &signed.actor(&app), batch, None).await? {
        Ok(asked) => {
            let asked = counted(i64::try_from(asked).unwrap_or(i64::MAX), "payment", "payments");
            let said = format!("PayPal is asked to take back {asked}. Each is due again as soon as PayPal shows that.");
            Ok(see(format!("/batches/{batch}?state=unclaimed")).with(Tone::Info, said).into_response())
        }
        Err(_) => Err(Error::Conflict(TOO_LATE.into())),
    }
}

#[derive(Deserialize)]
pub(super) struct Looked {
    why: String,
}

/// A person has looked at what PayPal shows and does not fit.
pub(super) async fn clear(
    State(app): State<App>,
    signed: Signed,
    Path((batch, item)): Path<(BatchId, ItemId)>,
    Form(typed): Form<Looked>,
) -> Result<Response> {
    is_there(&app, &signed, batch, item).await?;
    let back = see(format!("/batches/{batch}/items/{item}"));
    let why = match reason_typed(&typed.why) {
        Ok(why) => why,
        Err(message) => return Ok(back.with(Tone::Warning, message).into_response()),
    };
    match decide::clear(&app, signed.merchant, &signed.actor(&app), (batch, item), why).await? {
        Ok(()) => Ok(back.saying("Cleared up. It is shown again only if PayPal shows something else.").into_response()),
        Err(_) => Err(Error::Conflict(TOO_LATE.into())),
    }
}

fn reason_typed(typed: &str) -> std::result::Result<&str, String> {
    let why = typed.trim();
    if why.is_empty() || why.chars().count() > MAX_WHY {
        return Err(format!("Say why, in at most {MAX_WHY} characters. Nothing was decided."));
    }
    Ok(why)
}

#[derive(Deserialize)]
pub(super) struct Decided {
    decision: String,
    why: String,
}

pub(super) async fn decide(
    State(app): State<App>,
    signed: Signed,
    Path((batch, item)): Path<(BatchId, ItemId)>,
    Form(typed): Form<Decided>,
) -> Result<Response> {
    is_there(&app, &signed, batch, item).await?;
    let back = see(format!("/batches/{batch}/items/{item}"));
    let decision = Decision::from_code(&typed.decision).ok_or(Error::Invalid("Choose what follows.".into()))?;
    let why = match reason_typed(&typed.why) {
        Ok(why) => why,
        Err(message) => return Ok(back.with(Tone::Warning, message).into_response()),
    };
    let decided = decide::decide(&app, signed.merchant, &signed.actor(&app), (batch, item), decision, why).await?;
    match (decided, decision) {
        (Ok(()), Decision::DueAgain) => Ok(back.saying("Decided: its commissions are due again.").into_response()),
        (Ok(()), Decision::WrittenOff) => Ok(back.saying("Decided: it is written off.").into_response()),
        (Err(Undecided::TooLate(_)), _) => Err(Error::Conflict(TOO_LATE.into())),
        (Err(Undecided::WrongSum), _) => unreachable!("deciding about one payment types no sum"),
        (Err(Undecided::Flagged), _) => Err(Error::Conflict(
            "PayPal has shown something of this payment that does not fit. Nobody may pay it again until that is cleared up. Nothing was changed.".into(),
        )),
        (Err(Undecided::NotConfirmed), _) => Err(Error::Conflict(
            "PayPal is asked once more, some hours after it stopped this payment, before it can be due again. Nothing was changed.".into(),
        )),
    }
}

/// To the review, with what this item was to pay.
pub(super) async fn retry(
    State(app): State<App>,
    signed: Signed,
    Path((batch, item)): Path<(BatchId, ItemId)>,
) -> Result<Response> {
    is_there(&app, &signed, batch, item).await?;
    pay_again(&app, &signed, batch, Some(item)).await
}

async fn is_there(app: &App, signed: &Signed, batch: BatchId, item: ItemId) -> Result<()> {
    let mut tx = signed.tx(app).await?;
    items::item(&mut tx, batch, item).await?.map(drop).ok_or(Error::NotFound)
}
