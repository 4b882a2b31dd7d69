//! The outbox: mails that are due are taken with a lease, handed over, and their fate written down.
//!
//! A claim looks for merchants across all of them, so this file takes on the installation's role for that. Each claim
//! raises `attempts`, which is the fence: whoever slept past the lease writes nothing.

use super::{Kind, Text, Values};
use crate::app::App;
use crate::carrier::Letter;
use crate::database::Tx;
use crate::id::{InvitationId, MerchantId, RequestId};
use crate::money::{Currency, for_people};
use crate::payout::crash::crash_point;
use crate::payout::reason::{self, Class};
use crate::people::invite;
use futures_util::{StreamExt, stream};
use rust_decimal::Decimal;
use secrecy::ExposeSecret;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Mails of one claim, and how many of them are handed over at a time.
const CLAIM: i64 = 20;
const AT_A_TIME: usize = 4;
const GUIDE: &str = "/integrations/payment/guide";
/// Longer than a whole claim can take.
const LEASE: Duration = Duration::minutes(5);
/// Minutes until the next attempt, by the number of those that failed.
const WAITS: [i64; 7] = [1, 5, 15, 60, 180, 360, 720];
/// A mail that could not be handed over for so long is given up.
const PATIENCE: Duration = Duration::days(3);
/// Nobody is told news as old as this, as after a time without a server.
const TOO_OLD: Duration = Duration::days(7);

/// Tells the database whether mails leave, so that those that would not are not written.
pub async fn announce(app: &App) -> sqlx::Result<()> {
    let mut tx = app.database.installation().await?;
    match &app.carrier {
        Some(carrier) => {
            sqlx::query!(
                "insert into mail_carrier (takes_play_money) values ($1)
                on conflict (only_row) do update set takes_play_money = excluded.takes_play_money",
                carrier.takes_play_money()
            )
            .execute(&mut *tx)
            .await?;
        }
        None => {
            sqlx::query!("delete from mail_carrier").execute(&mut *tx).await?;
        }
    }
    tx.commit().await
}

/// Sends some mails of the merchant who has waited longest. False if none was due.
pub async fn next(app: &App) -> anyhow::Result<bool> {
    if app.carrier.is_none() {
        return Ok(false);
    }
    let Some(merchant) = waiting(app).await? else { return Ok(false) };
    let claimed = claim(app, merchant).await?;
    let sent = stream::iter(claimed).map(|mail| send(app, merchant, mail)).buffer_unordered(AT_A_TIME);
    let fates: Vec<anyhow::Result<()>> = sent.collect().await;
    fates.into_iter().collect::<anyhow::Result<()>>()?;
    Ok(true)
}

async fn waiting(app: &App) -> sqlx::Result<Option<MerchantId>> {
    let mut tx = app.database.installation().await?;
    sqlx::query_scalar!(
        r#"select merchant_id as "merchant: MerchantId" from mails where state = 'waiting' and due_at <= $1 order by due_at limit 1"#,
        app.clock.now()
    )
    .fetch_optional(&mut *tx)
    .await
}

/// A mail with all that its text may say.
struct Claimed {
    id: Uuid,
    kind: Kind,
    recipient: String,
    attempts: i32,
    created_at: OffsetDateTime,
    old: Option<String>,
    new: Option<String>,
    news: Option<String>,
    merchant: String,
    name: Option<String>,
    amount: Option<Decimal>,
    currency: Option<Currency>,
    receiver: Option<String>,
    state: Option<String>,
    wait: Option<String>,
    not_paid: Option<String>,
    error_name: Option<String>,
    taken_back: Option<bool>,
    deadline: Option<String>,
    batch: Option<i64>,
    rail: Option<String>,
    reference: Option<String>,
    subject: Option<String>,
    body: Option<String>,
    wanted: bool,
    invitation: Option<InvitationId>,
    sending: Option<i32>,
    /// The invitation of this very sending can still be accepted.
    invites: Option<bool>,
    inviter: Option<String>,
    role: Option<String>,
    until: Option<String>,
    /// The payment was made before, through PayPal's old service.
    legacy: bool,
    /// What it reminds of has been done.
    upgraded: Option<bool>,
    request: Option<RequestId>,
    /// That payment still waits for its approval.
    approves: Option<bool>,
    asker: Option<String>,
    amounts: Option<String>,
    affiliates: Option<String>,
}

async fn claim(app: &App, merchant: MerchantId) -> sqlx::Result<Vec<Claimed>> {
    let now = app.clock.now();
    let mut tx = app.database.merchant(merchant).await?;
    let claimed = sqlx::query_file_as!(Claimed, "src/mail/claim.sql", merchant.0, now, now + LEASE, CLAIM)
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(claimed)
}

async fn send(app: &App, merchant: MerchantId, mail: Claimed) -> anyhow::Result<()> {
    let now = app.clock.now();
    let (state, due_at, trouble) = match mail.untold(now) {
        Some(why) => ("dropped", None, Some(why.to_owned())),
        None => {
            crash_point("mail_claimed");
            let carrier = app.carrier.as_ref().expect("only who has a carrier claims");
            let handed = carrier.hand_over(&mail.letter(app, merchant)).await;
            crash_point("mail_handed_over");
            match handed {
                Ok(()) => ("sent", None, None),
                Err(error) if now - mail.created_at > PATIENCE => ("given_up", None, Some(format!("{error:#}"))),
                Err(error) => {
                    let failed = usize::try_from(mail.attempts).unwrap_or_default().clamp(1, WAITS.len());
                    ("waiting", Some(now + Duration::minutes(WAITS[failed - 1])), Some(format!("{error:#}")))
                }
            }
        }
    };
    if let (Some(trouble), false) = (&trouble, state == "dropped") {
        tracing::warn!(mail.id = %mail.id, "a mail could not be handed over: {trouble}");
    }
    let mut tx = app.database.merchant(merchant).await?;
    sqlx::query!(
        r#"
        update mails
        set state = $4, due_at = $5, trouble = left($6, 500), ended_at = case when $5::timestamptz is null then $7::timestamptz end
        where merchant_id = $1 and id = $2 and attempts = $3 and state = 'waiting'
        "#,
        merchant.0,
        mail.id,
        mail.attempts,
        state,
        due_at,
        trouble,
        app.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

impl Claimed {
    /// Why nobody is told this any more, if so.
    fn untold(&self, now: OffsetDateTime) -> Option<&'static str> {
        if !self.wanted {
            return Some("This kind of mail was switched off.");
        }
        if now - self.created_at > TOO_OLD {
            return Some("It was older than a week before it could be sent.");
        }
        if self.legacy {
            return Some("It was paid before, through PayPal’s old Mass Pay service.");
        }
        if self.kind == Kind::NotPaid && !self.is_theirs_to_mend() {
            return Some("The affiliate cannot mend it.");
        }
        let stands = match self.kind {
            Kind::Paid => self.state.as_deref() == Some("paid"),
            Kind::Unclaimed => self.wait.as_deref() == Some("unclaimed"),
            Kind::NotPaid => self.state.as_deref() == Some("unpaid"),
            Kind::Invitation => self.invites == Some(true),
            Kind::Upgrade => self.upgraded != Some(true),
            Kind::Approval => self.approves == Some(true),
            Kind::AddressChanged | Kind::Attention | Kind::Answer => true,
        };
        (!stands).then_some("It was no longer true.")
    }

    fn letter(&self, app: &App, merchant: MerchantId) -> Letter {
        let standard = self.kind.standard();
        let text = match (&self.subject, &self.body) {
            (Some(subject), Some(body)) => Text { subject: subject.clone(), body: body.clone() },
            _ => standard,
        };
        let Text { subject, body } = text.fill(&self.values(app, merchant));
        Letter {
            id: self.id,
            sender: self.merchant.clone(),
            recipient: self.recipient.clone(),
            subject,
            body,
            at: self.created_at,
        }
    }

    fn values(&self, app: &App, merchant: MerchantId) -> Values {
        let amount = self.amount.zip(self.currency);
        let amount = amount.map(|(amount, currency)| format!("{currency} {}", for_people(amount, currency)));
        let address = match (self.kind, self.rail.as_deref(), &self.reference) {
            (Kind::AddressChanged, ..) => self.new.clone().unwrap_or_else(|| "none".to_owned()),
            (_, Some("manual"), Some(reference)) => format!("your account outside PayPal (reference: {reference})"),
            (_, Some("manual"), None) => "your account outside PayPal".to_owned(),
            _ => self.receiver.clone().unwrap_or_default(),
        };
        let link = match (self.invitation.zip(self.sending), &app.public_url) {
            (Some((id, sending)), _) => invite::link(app, merchant, id, sending).expose_secret().to_owned(),
            (None, Some(url)) if let Some(request) = self.request => {
                page(url, merchant, &format!("/approvals/{request}"))
            }
            (None, url) if self.kind == Kind::Upgrade => {
                page(url.as_deref().or(app.listens_at.as_deref()).unwrap_or_default(), merchant, GUIDE)
            }
            (None, Some(url)) => format!("What to do is shown at {}", page(url, merchant, "/")),
            (None, None) => "Sign in to Stipend to see what to do.".to_owned(),
        };
        [
            ("name", self.name.clone().unwrap_or_default()),
            ("amount", amount.or_else(|| self.amounts.clone()).unwrap_or_default()),
            ("affiliates", self.affiliates.clone().unwrap_or_default()),
            ("asker", self.asker.clone().unwrap_or_default()),
            ("merchant", self.merchant.clone()),
            ("batch", self.batch.map(|number| number.to_string()).unwrap_or_default()),
            ("address", address),
            ("old_address", self.old.clone().unwrap_or_default()),
            ("deadline", self.deadline.clone().or_else(|| self.until.clone()).unwrap_or_default()),
            ("inviter", self.inviter.clone().unwrap_or_default()),
            ("role", self.role.clone().unwrap_or_default()),
            ("reason", self.reason().to_owned()),
            ("news", self.news.clone().unwrap_or_default()),
            ("link", link),
        ]
        .into()
    }

    /// Why it did not arrive, and what the affiliate can do.
    fn reason(&self) -> &'static str {
        match (self.not_paid.as_deref(), self.error_name.as_deref()) {
            (Some("returned"), _) if self.taken_back == Some(true) => {
                "It was taken back before it was accepted. You need not do anything."
            }
            (Some("returned"), _) => {
                "It was not accepted, so the money has gone back. Confirm this address at PayPal before the next payment, or name another one."
            }
            (_, Some(name)) => reason::of_item(name, "").affiliate,
            (_, None) => "PayPal could not pay to this address. Check your PayPal account, or name another address.",
        }
    }

    /// Whether the affiliate can do something about a payment that failed.
    fn is_theirs_to_mend(&self) -> bool {
        let name = self.error_name.as_deref().filter(|_| self.not_paid.as_deref() == Some("failed"));
        name.is_none_or(|name| reason::of_item(name, "").class == Class::AffiliateMustAct)
    }
}

/// The address of a page of this merchant's, also for who works for another at the moment.
fn page(base: &str, merchant: MerchantId, path: &str) -> String {
    format!("{}/merchants/{merchant}?next={path}", base.trim_end_matches('/'))
}

/// One mail for people who look after them.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What it tells.
    pub kind: Kind,
    /// To whom.
    pub recipient: String,
    /// When it was written.
    pub created_at: OffsetDateTime,
    /// "waiting", "sent", "dropped" or "given_up".
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
    /// What went wrong, or why it was dropped.
    pub trouble: Option<String>,
}

/// The latest mails; those that were given up among them first.
pub async fn latest(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<Listed>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Listed,
        r#"
        select kind as "kind: Kind", recipient, created_at, state, attempts, trouble
        from mails
        where merchant_id = $1
        order by created_at desc, id
        limit $2
        "#,
        merchant.0,
        limit
    )
    .fetch_all(&mut **tx)
    .await
}

/// How many wait, and how many were given up.
pub async fn not_sent(tx: &mut Tx) -> sqlx::Result<(i64, i64)> {
    let merchant = tx.merchant();
    let counts = sqlx::query!(
        r#"
        select
            count(*) filter (where state = 'waiting') as "waiting!",
            count(*) filter (where state = 'given_up') as "given_up!"
        from mails
        where merchant_id = $1 and state in ('waiting', 'given_up')
        "#,
        merchant.0
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((counts.waiting, counts.given_up))
}
