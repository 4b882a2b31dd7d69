//! `/approvals`: payments that a second person is asked to approve, and what became of them.

use super::restoration::NOT_SIGNED_OFF;
use super::when::{When, when};
use super::{Error, Form, Frame, Path, Result, Routes, Section, Signed, Tone, page, see};
use crate::app::App;
use crate::database::Tx;
use crate::id::RequestId;
use crate::money::for_people;
use crate::payout::again;
use crate::payout::approval::{self, Approval, Refused, State, Sum};
use crate::payout::batch::Rail;
use crate::payout::decide::MAX_WHY;
use crate::payout::review::{self, Marked};
use crate::role::Role;
use crate::web::pages::counted;
use askama::Template;
use axum::extract::State as Has;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// Payments whose marks are looked for and shown.
const SHOWN: i64 = 200;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Viewer, "/approvals", index)
        .get(Role::Viewer, "/approvals/{id}", show)
        .post(Role::Approver, "/approvals/{id}/approval", approve)
        .fresh()
        .post(Role::Preparer, "/approvals/{id}/return", send_back)
        .post(Role::Preparer, "/approvals/{id}/again", prepare_again)
}

/// An approval in words.
pub(super) struct Row {
    pub(super) approval: Approval,
    pub(super) asked: When,
    expires: When,
    ended: Option<When>,
    /// The reader asked for it themselves.
    pub(super) is_own: bool,
}

impl Row {
    pub(super) fn of(approval: Approval, signed: &Signed) -> Self {
        let zone = &signed.time_zone;
        Self {
            asked: when(approval.asked_at, zone),
            expires: when(approval.expires_at, zone),
            ended: approval.ended_at.map(|at| when(at, zone)),
            is_own: approval.asked_by == signed.person,
            approval,
        }
    }

    pub(super) fn affiliates(&self) -> String {
        counted(self.approval.affiliates, "affiliate", "affiliates")
    }

    fn is_waiting(&self) -> bool {
        self.approval.state == State::Waiting
    }

    /// Tone and word.
    fn state(&self) -> (&'static str, &'static str) {
        match self.approval.state {
            State::Waiting => ("waiting", "Waits for approval"),
            State::Approved => ("good", "Approved"),
            State::SentBack => ("warning", "Sent back"),
            State::Expired => ("quiet", "Not approved in time"),
            State::Changed => ("warning", "Changed meanwhile"),
        }
    }

    /// What became of it.
    fn sentence(&self) -> String {
        self.approval.outcome().unwrap_or_else(|| {
            format!("Nothing is paid before a second person approves it, until {}.", self.expires.minute)
        })
    }

    fn method(&self) -> &'static str {
        match self.approval.rail {
            Rail::Api => "PayPal",
            Rail::File => "Large Batch file",
            Rail::Manual => "Export, to be paid outside",
        }
    }

    fn paid_by(&self, sum: &Sum) -> String {
        counted(sum.items.into(), "affiliate", "affiliates")
    }

    /// What the button says.
    fn button(&self) -> String {
        let (amounts, affiliates) = (self.approval.amounts(), self.affiliates());
        match self.approval.rail {
            Rail::Api => format!("Approve and pay {amounts} to {affiliates}"),
            Rail::File => format!("Approve the file for {affiliates}, {amounts}"),
            Rail::Manual => format!("Approve the export for {affiliates}, {amounts}"),
        }
    }

    fn amount(&self, sum: &Sum) -> String {
        for_people(sum.amount, sum.currency)
    }
}

#[derive(Template)]
#[template(path = "approvals/index.html")]
struct Index {
    frame: Frame,
    rows: Vec<Row>,
}

async fn index(Has(app): Has<App>, signed: Signed) -> Result<Response> {
    let rows = approval::latest(&mut signed.tx(&app).await?).await?;
    let rows = rows.into_iter().map(|approval| Row::of(approval, &signed)).collect();
    page(&Index { frame: signed.frame(Section::Payouts), rows })
}

#[derive(Template)]
#[template(path = "approvals/show.html")]
struct Show {
    frame: Frame,
    row: Row,
    /// The largest payments, with what deserves a look.
    marked: Vec<Marked>,
    others: Vec<String>,
    has_factor: bool,
    zone: String,
}

impl Show {
    fn may_approve(&self) -> bool {
        self.row.is_waiting() && !self.row.is_own && self.frame.may_approve()
    }

    fn may_send_back(&self) -> bool {
        self.row.is_waiting() && (self.row.is_own || self.frame.may_approve())
    }

    fn may_prepare_again(&self) -> bool {
        let ended = matches!(self.row.approval.state, State::SentBack | State::Expired | State::Changed);
        ended && self.frame.may_prepare()
    }

    fn payment_amount(&self, one: &Marked) -> String {
        for_people(one.amount, one.currency)
    }

    fn changed(&self, one: &Marked) -> Option<When> {
        one.changed_at.map(|at| when(at, &self.zone))
    }
}

async fn found(tx: &mut Tx, id: RequestId) -> Result<Approval> {
    approval::one(tx, id).await?.ok_or(Error::NotFound)
}

async fn show(Has(app): Has<App>, signed: Signed, Path(id): Path<RequestId>) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let approval = found(&mut tx, id).await?;
    let marked = review::marked(&mut tx, id, app.clock.now(), SHOWN).await?;
    let others = approval::others(&mut tx, approval.asked_by).await?;
    let row = Row::of(approval, &signed);
    page(&Show {
        frame: signed.frame(Section::Payouts),
        row,
        marked,
        others,
        has_factor: signed.has_factor,
        zone: signed.time_zone.clone(),
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Seen {
    content: String,
}

async fn approve(
    Has(app): Has<App>,
    signed: Signed,
    Path(id): Path<RequestId>,
    Form(typed): Form<Seen>,
) -> Result<Response> {
    let asked = found(&mut signed.tx(&app).await?, id).await?;
    let seen = hex::decode(&typed.content).unwrap_or_default();
    match approval::approve(&app, signed.merchant, &signed.actor(&app), id, &seen).await? {
        Ok(batches) => Ok(match batches.as_slice() {
            [one] => see(format!("/batches/{one}")).saying("Approved."),
            _ => see(format!("/approvals/{id}")).saying("Approved."),
        }
        .into_response()),
        Err(refused) => refusal(&asked, refused),
    }
}

fn refusal(asked: &Approval, refused: Refused) -> Result<Response> {
    let page = see(format!("/approvals/{}", asked.request));
    let warn = |text: String| Ok(page.clone().with(Tone::Warning, text).into_response());
    match refused {
        Refused::NotFound => Err(Error::NotFound),
        Refused::Ended(State::Approved) => warn("Somebody else was faster: it is approved already.".into()),
        Refused::Ended(_) => warn("It does not wait any more. Nothing was changed.".into()),
        Refused::Own => Err(Error::Conflict(
            "You asked for this payment, so someone else must approve it. Nothing was paid.".into(),
        )),
        Refused::NoFactor => {
            let said = "Nothing was paid. Approving needs a second factor: set one up here, then approve.";
            Ok(see("/account").with(Tone::Warning, said).into_response())
        }
        Refused::Changed(why) => warn(format!("{why} Nothing was paid; everything in it is due again.")),
        Refused::Other => warn("What you saw is not what would be paid. Nothing was paid; look at it again.".into()),
        Refused::Restored => Err(Error::Conflict(NOT_SIGNED_OFF.into())),
        Refused::OverLimit(refusals) => warn(format!("{} Nothing was paid; it waits on.", refusals.join(" "))),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Back {
    why: String,
}

async fn send_back(
    Has(app): Has<App>,
    signed: Signed,
    Path(id): Path<RequestId>,
    Form(typed): Form<Back>,
) -> Result<Response> {
    let asked = found(&mut signed.tx(&app).await?, id).await?;
    if signed.role < Role::Approver && asked.asked_by != signed.person {
        return Err(Error::Conflict("Somebody else asked for this payment; an approver can send it back.".into()));
    }
    let page = see(format!("/approvals/{id}"));
    let why = typed.why.trim();
    if why.is_empty() || why.chars().count() > MAX_WHY {
        let message = "Say why, in at most 500 characters. Nothing was changed.";
        return Ok(page.with(Tone::Warning, message).into_response());
    }
    match approval::send_back(&app, signed.merchant, &signed.actor(&app), id, why).await? {
        Ok(()) => Ok(page.saying("Sent back. Nothing was paid; everything in it is due again.").into_response()),
        Err(refused) => refusal(&asked, refused),
    }
}

/// A review of what was not approved and is due again.
async fn prepare_again(Has(app): Has<App>, signed: Signed, Path(id): Path<RequestId>) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let asked = found(&mut tx, id).await?;
    let Some(request) = again::select_request(&mut tx, &signed.actor(&app), id, signed.today(&app)).await? else {
        let nothing = "Nothing of this can be paid now: it is paid otherwise, its addresses need mending first, or they changed lately and payments to them are held.";
        return Ok(see(format!("/approvals/{id}")).with(Tone::Info, nothing).into_response());
    };
    tx.commit().await?;
    let how = match asked.rail {
        Rail::Api => "paypal",
        Rail::File => "file",
        Rail::Manual => "export",
    };
    Ok(see(format!("/payouts/new/{request}?how={how}")).into_response())
}
