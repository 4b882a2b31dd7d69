//! How the waiting ends.

use super::super::limits::{self, judge};
use super::super::manual::put_back;
use super::super::restoration;
use super::super::store::{Source, tell};
use super::{State, content, one};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::{BatchId, MerchantId, PersonId, RequestId};
use crate::payout::batches::of_request;
use crate::rules;
use serde_json::json;
use time::OffsetDateTime;

/// Why nothing was approved or sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Nothing of this name waits, or did.
    NotFound,
    /// It has ended already, in this way.
    Ended(State),
    /// Nobody approves their own.
    Own,
    /// Nobody approves without a second factor.
    NoFactor,
    /// What it stands on has changed, in a sentence: it has ended by that, and its money is due again.
    Changed(String),
    /// What was shown is not what would be paid.
    Other,
    /// The database is a restored backup that nobody has signed off; it waits on.
    Restored,
    /// More than the limits allow now, a sentence each; it waits on.
    OverLimit(Vec<String>),
}

/// What the row said under its lock.
struct Held {
    state: State,
    asked_by: PersonId,
    expires_at: OffsetDateTime,
    content: Vec<u8>,
    changed_why: Option<String>,
}

/// Drafts, approvals and rules of one merchant follow each other, so that no two go by the same day's rest; of two who
/// approve at once, the second finds it approved.
async fn hold(tx: &mut Tx, request: RequestId) -> sqlx::Result<Option<Held>> {
    let merchant = tx.merchant();
    sqlx::query!("select id from merchants where id = $1 for no key update", merchant.0).fetch_one(&mut **tx).await?;
    sqlx::query_as!(
        Held,
        r#"
        select state as "state: State", asked_by as "asked_by: PersonId", expires_at, content_sha256 as content, changed_why
        from payout_approvals
        where merchant_id = $1 and request_id = $2
        for update
        "#,
        merchant.0,
        request.0
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Approves a payment whose content the approver saw (`seen`), and lets it go: a call and an export at once, a file once
/// somebody uploads it.
pub async fn approve(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    request: RequestId,
    seen: &[u8],
) -> anyhow::Result<Result<Vec<BatchId>, Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    let Some(held) = hold(&mut tx, request).await? else { return Ok(Err(Refused::NotFound)) };
    if held.state != State::Waiting {
        return Ok(Err(Refused::Ended(held.state)));
    }
    if actor.person == Some(held.asked_by) {
        return Ok(Err(Refused::Own));
    }
    if !has_factor(&mut tx, actor).await? {
        return Ok(Err(Refused::NoFactor));
    }
    if restoration::is_open(&mut tx).await? {
        return Ok(Err(Refused::Restored));
    }
    if let Some((state, why)) = over(&mut tx, &held, request, actor.at).await? {
        let nobody = Actor { person: None, ..actor.clone() };
        end(&mut tx, &nobody, request, state, &why).await?;
        tx.commit().await?;
        return Ok(Err(if state == State::Expired { Refused::Ended(state) } else { Refused::Changed(why) }));
    }
    if held.content != seen {
        return Ok(Err(Refused::Other));
    }
    let rules = rules::load(&mut tx).await?;
    let today = app.clock.today(&rules.time_zone);
    let asked = one(&mut tx, request).await?.expect("it is held");
    let verdict = judge(&rules, &asked.money()?, &limits::paid_on(&mut tx, today).await?);
    if !verdict.refusals.is_empty() {
        return Ok(Err(Refused::OverLimit(verdict.refusals)));
    }
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update payout_approvals
        set state = 'approved', ended_at = $3, ended_by = $4
        where merchant_id = $1 and request_id = $2
        "#,
        merchant.0,
        request.0,
        actor.at,
        actor.person.map(|person| person.0)
    )
    .execute(&mut *tx)
    .await?;
    let batches = let_go(&mut tx, actor, request, today).await?;
    tell_asker(&mut tx, actor, request).await?;
    let details = json!({ "amounts": asked.amounts(), "content": asked.content });
    audit::record(&mut tx, actor, "approved a payment", &format!("payment {request}"), details).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(Ok(batches))
}

async fn has_factor(tx: &mut Tx, actor: &Actor) -> sqlx::Result<bool> {
    let person = actor.person.map(|person| person.0);
    sqlx::query_scalar!(r#"select coalesce(has_factor($1), false) as "has!""#, person).fetch_one(&mut **tx).await
}

/// Why it can be approved no more, if so: it is too late, or what it stands on has changed, by the marks of the triggers and
/// by looking once more.
async fn over(
    tx: &mut Tx,
    held: &Held,
    request: RequestId,
    now: OffsetDateTime,
) -> anyhow::Result<Option<(State, String)>> {
    if let Some(why) = &held.changed_why {
        return Ok(Some((State::Changed, why.clone())));
    }
    if now >= held.expires_at {
        return Ok(Some((State::Expired, "Not approved in time; nothing was paid.".to_owned())));
    }
    if let Some(why) = changed(tx, request, now).await? {
        return Ok(Some((State::Changed, why)));
    }
    if content::digest(tx, request).await?[..] != held.content[..] {
        return Ok(Some((State::Changed, "What would be paid is not what was asked for.".to_owned())));
    }
    Ok(None)
}

/// What a payment stands on and does not find any more: its affiliates as they were, and its connection.
async fn changed(tx: &mut Tx, request: RequestId, now: OffsetDateTime) -> anyhow::Result<Option<String>> {
    let merchant = tx.merchant();
    let why = sqlx::query_scalar!(
        r#"
        select coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) || ' cannot be paid as it was asked any more.' as "why!"
        from payout_batches b
        join payout_items i on i.merchant_id = b.merchant_id and i.batch_id = b.id
        join affiliates a on a.merchant_id = i.merchant_id and a.id = i.affiliate_id
        where b.merchant_id = $1
            and b.request_id = $2
            and (a.status <> 'active' or a.receiver_refused is not null or a.held_until > $3
                or lower(coalesce(a.receiver, '')) <> lower(i.receiver))
        union all
        select 'The connection to PayPal is not the one that it was prepared for.'
        from payout_batches b
        left join connections c on c.merchant_id = b.merchant_id and c.id = b.connection_id and c.in_force
        left join dropzones d on d.merchant_id = b.merchant_id and d.id = b.dropzone_id and d.in_force
        where b.merchant_id = $1
            and b.request_id = $2
            and case b.rail when 'api' then c.id is null when 'file' then d.id is null else false end
        limit 1
        "#,
        merchant.0,
        request.0,
        now
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(why)
}

/// The batches stop waiting, which only the approval that was just written allows.
async fn let_go(tx: &mut Tx, actor: &Actor, request: RequestId, today: time::Date) -> anyhow::Result<Vec<BatchId>> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update payout_requests
        set counts_on = $3, released_at = case when rail <> 'file' then $4::timestamptz end
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        request.0,
        today,
        actor.at
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        r#"
        update payout_batches
        set waits_for_approval = false,
            state = case rail when 'api' then 'ready' when 'manual' then 'exported' else state end,
            look_at = case rail when 'api' then $3::timestamptz end,
            changed_at = $3
        where merchant_id = $1 and request_id = $2 and state = 'prepared'
        "#,
        merchant.0,
        request.0,
        actor.at
    )
    .execute(&mut **tx)
    .await?;
    let batches = of_request(tx, request).await?;
    let source = actor.person.map_or(Source::Send, Source::Person);
    for batch in &batches {
        tell(tx, *batch, source, "approved", None, actor.at).await?;
    }
    Ok(batches)
}

/// Sends a payment back with a reason, or takes back one's own. Its money is due again.
pub async fn send_back(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    request: RequestId,
    why: &str,
) -> anyhow::Result<Result<(), Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    let Some(held) = hold(&mut tx, request).await? else { return Ok(Err(Refused::NotFound)) };
    if held.state != State::Waiting {
        return Ok(Err(Refused::Ended(held.state)));
    }
    end(&mut tx, actor, request, State::SentBack, why).await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// Ends the waiting of a payment that a restored backup shows, if it has not ended.
pub(in crate::payout) async fn take_back(
    mut tx: Tx,
    actor: &Actor,
    request: RequestId,
    why: &str,
) -> anyhow::Result<()> {
    if hold(&mut tx, request).await?.is_some_and(|held| held.state == State::Waiting) {
        end(&mut tx, actor, request, State::Changed, why).await?;
    }
    Ok(tx.commit().await?)
}

/// Ends a payment that nobody approved: its batches are cancelled, and what was in them is due again.
async fn end(tx: &mut Tx, actor: &Actor, request: RequestId, state: State, why: &str) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update payout_approvals
        set state = $3, ended_at = $4, ended_by = $5, why = $6
        where merchant_id = $1 and request_id = $2
        "#,
        merchant.0,
        request.0,
        state.code(),
        actor.at,
        actor.person.map(|person| person.0),
        why
    )
    .execute(&mut **tx)
    .await?;
    let source = actor.person.map_or(Source::Send, Source::Person);
    for batch in of_request(tx, request).await? {
        put_back(tx, batch, actor).await?;
        tell(tx, batch, source, "not approved", Some(why), actor.at).await?;
    }
    let action = match state {
        State::SentBack => "sent a payment back",
        State::Expired => "payment not approved in time",
        State::Waiting | State::Approved | State::Changed => "payment changed before its approval",
    };
    audit::record(tx, actor, action, &format!("payment {request}"), json!({ "why": why })).await?;
    tell_asker(tx, actor, request).await
}

/// A mail to whoever asked, unless it was their own doing.
async fn tell_asker(tx: &mut Tx, actor: &Actor, request: RequestId) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let ended = one(tx, request).await?.expect("it has just ended");
    let news = ended.outcome();
    let details =
        json!({ "request": request, "amounts": ended.amounts(), "affiliates": ended.affiliates, "news": news });
    sqlx::query!(
        r#"
        insert into mails (merchant_id, id, kind, about, recipient, details, created_at, due_at)
        select $1, gen_random_uuid(), 'answer', format('answer to %s', $2::uuid), p.email, $3, $4, $4
        from mails_wanted w
        join memberships m on m.merchant_id = w.merchant_id
        join people p on p.id = m.person_id
        where w.merchant_id = $1
            and w.kind = 'answer'
            and m.deactivated_at is null
            and m.person_id = $5
            and m.person_id is distinct from $6
        "#,
        merchant.0,
        request.0,
        details,
        actor.at,
        ended.asked_by.0,
        actor.person.map(|person| person.0)
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends one waiting payment that is too old, or of which something has changed. False if there was none. It looks across
/// all merchants, so this file takes on the installation's role for that.
pub async fn next(app: &App) -> anyhow::Result<bool> {
    let now = app.clock.now();
    let mut all = app.database.installation().await?;
    let found = sqlx::query!(
        r#"
        select merchant_id as "merchant: MerchantId", request_id as "request: RequestId"
        from payout_approvals
        where state = 'waiting' and (expires_at <= $1 or changed_why is not null)
        limit 1
        "#,
        now
    )
    .fetch_optional(&mut *all)
    .await?;
    drop(all);
    let Some(found) = found else { return Ok(false) };
    let mut tx = app.database.merchant(found.merchant).await?;
    let Some(held) = hold(&mut tx, found.request).await?.filter(|held| held.state == State::Waiting) else {
        return Ok(true);
    };
    let actor = Actor { person: None, address: None, at: now };
    if let Some((state, why)) = over(&mut tx, &held, found.request, now).await? {
        end(&mut tx, &actor, found.request, state, &why).await?;
        tx.commit().await?;
    }
    Ok(true)
}
