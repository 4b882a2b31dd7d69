//! What a draft writes, frozen from then on: names, bytes, receivers and amounts.

use super::batch::Rail;
use super::draft::{Ask, Ground, How, Link, Release};
use super::selection::Line;
use crate::database::Tx;
use crate::id::{BatchId, ItemId, RequestId, sender_batch_id, sender_item_id};
use crate::money::{Currency, Money};
use crate::paypal::Environment;
use crate::paypal::payouts::{MAX_ITEMS, NewItem, create_body};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// One batch to be.
pub(super) struct NewBatch {
    pub(super) id: BatchId,
    pub(super) currency: Currency,
    pub(super) items: usize,
    pub(super) total: Money,
    /// The bytes of a call; those of a file are kept elsewhere.
    pub(super) body: Option<Vec<u8>>,
    pub(super) sha256: Vec<u8>,
}

/// One payment of it to be.
pub(super) struct NewPayment {
    pub(super) batch: BatchId,
    pub(super) id: ItemId,
    pub(super) name: String,
    pub(super) line: Line,
}

impl NewPayment {
    pub(super) fn new(batch: BatchId, line: Line) -> Self {
        let id = ItemId::new();
        Self { batch, id, name: sender_item_id(id), line }
    }
}

/// One batch per currency and 15,000 items, each with its name and its bytes.
pub(super) fn compose(ask: &Ask, lines: Vec<Line>) -> (Vec<NewBatch>, Vec<NewPayment>) {
    let (mut batches, mut all) = (Vec::new(), Vec::with_capacity(lines.len()));
    let mut lines = lines.into_iter().peekable();
    while let Some(currency) = lines.peek().map(|next| next.amount.currency()) {
        let id = BatchId::new();
        let mut items = Vec::new();
        while items.len() < MAX_ITEMS
            && let Some(line) = lines.next_if(|next| next.amount.currency() == currency)
        {
            items.push(NewPayment::new(id, line));
        }
        let total = Money::sum(items.iter().map(|item| item.line.amount)).expect("a batch has items");
        let body = (ask.how.rail() == Rail::Api).then(|| {
            let items: Vec<NewItem<'_>> = items
                .iter()
                .map(|item| NewItem {
                    sender_item_id: &item.name,
                    receiver: item.line.receiver.as_deref().expect("payable lines have a receiver"),
                    amount: item.line.amount,
                })
                .collect();
            create_body(&sender_batch_id(id), &ask.subject, &ask.message, &items)
        });
        let sha256 = Sha256::digest(body.as_deref().unwrap_or_default()).to_vec();
        batches.push(NewBatch { id, currency, items: items.len(), total, body, sha256 });
        all.append(&mut items);
    }
    (batches, all)
}

/// Writes the batches, without what they pay.
pub(super) async fn insert_batches(
    tx: &mut Tx,
    ask: &Ask,
    ground: &Ground,
    environment: Environment,
    link: Link,
    batches: &[NewBatch],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let state = ask.how.batch_state(ground.release);
    let reference = match &ask.how {
        How::Manual { reference } => Some(reference.as_str()),
        How::PayPal | How::Export | How::File { .. } => None,
    };
    let (connection, dropzone) = match link {
        Link::App(connection) => (Some(connection.0), None),
        Link::DropZone(dropzone) => (None, Some(dropzone.0)),
        Link::Outside => (None, None),
    };
    let ids: Vec<_> = batches.iter().map(|batch| batch.id.0).collect();
    let names: Vec<_> = batches.iter().map(|batch| sender_batch_id(batch.id)).collect();
    let currencies: Vec<_> = batches.iter().map(|batch| batch.currency.code().to_owned()).collect();
    let items: Vec<_> =
        batches.iter().map(|batch| i32::try_from(batch.items).expect("a few million at most")).collect();
    let totals: Vec<_> = batches.iter().map(|batch| batch.total.amount()).collect();
    let bodies: Vec<_> = batches.iter().map(|batch| batch.body.clone()).collect();
    let hashes: Vec<_> = batches.iter().map(|batch| batch.sha256.clone()).collect();
    sqlx::query!(
        r#"
        with drafted as (
            insert into payout_batches (
                merchant_id, id, number, request_id, part, rail, environment, connection_id, dropzone_id, currency, items,
                total, sender_batch_id, body, body_sha256, state, changed_at, look_at, settled_at, reference, created_at,
                waits_for_approval
            )
            select
                $1, n.id, $2 + n.part, $3, n.part::int, $4, $5, $6, $18, n.currency, n.items, n.total,
                n.name, n.body, n.hash, $7::text, $8::timestamptz,
                case when $7::text = 'ready' then $8::timestamptz end,
                case when $7::text = 'closed' then $8::timestamptz end,
                $9, $8::timestamptz, $19
            from unnest($10::uuid[], $11::text[], $12::text[], $13::int[], $14::numeric[], $15::bytea[], $16::bytea[])
                with ordinality as n (id, name, currency, items, total, body, hash, part)
            returning merchant_id, id
        )
        insert into payout_history (merchant_id, batch_id, at, source, person_id, became, evidence)
        select merchant_id, id, $8::timestamptz, 'person', $17, $7::text, $9
        from drafted
        "#,
        merchant.0,
        ground.last_number,
        ask.request.0,
        ask.how.rail().code(),
        environment.code(),
        connection,
        state,
        now,
        reference,
        &ids,
        &names,
        &currencies,
        &items,
        &totals,
        &bodies as &[Option<Vec<u8>>],
        &hashes,
        ask.actor.person.map(|person| person.0),
        dropzone,
        ground.release == Release::OnceApproved
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes payments.
pub(super) async fn insert_items(
    tx: &mut Tx,
    how: &How,
    items: &[NewPayment],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let state = how.item_state();
    let ids: Vec<_> = items.iter().map(|item| item.id.0).collect();
    let names: Vec<_> = items.iter().map(|item| item.name.clone()).collect();
    let of: Vec<_> = items.iter().map(|item| item.batch.0).collect();
    let affiliates: Vec<_> = items.iter().map(|item| item.line.affiliate.0).collect();
    let currencies: Vec<_> = items.iter().map(|item| item.line.amount.currency().code().to_owned()).collect();
    let amounts: Vec<_> = items.iter().map(|item| item.line.amount.amount()).collect();
    let receivers: Vec<_> = items.iter().map(|item| item.line.receiver.clone().unwrap_or_default()).collect();
    sqlx::query!(
        r#"
        insert into payout_items (
            merchant_id, id, batch_id, affiliate_id, currency, amount, sender_item_id, receiver, state, changed_at
        )
        select $1, n.*, $9, $10
        from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::numeric[], $7::text[], $8::text[]) as n
        "#,
        merchant.0,
        &ids,
        &of,
        &affiliates,
        &currencies,
        &amounts,
        &names,
        &receivers,
        state,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Everything that was selected has been taken, so the selection says which commissions each item pays.
pub(super) async fn allocate(tx: &mut Tx, selection: RequestId, payments: &[NewPayment]) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let items: Vec<_> = payments.iter().map(|item| item.id.0).collect();
    let affiliates: Vec<_> = payments.iter().map(|item| item.line.affiliate.0).collect();
    let currencies: Vec<_> = payments.iter().map(|item| item.line.amount.currency().code().to_owned()).collect();
    sqlx::query!(
        r#"
        insert into allocations (merchant_id, item_id, commission_id)
        select $1, n.item_id, s.commission_id
        from selected_commissions s
        join unnest($3::uuid[], $4::uuid[], $5::text[]) as n (item_id, affiliate_id, currency)
            on n.affiliate_id = s.affiliate_id and n.currency = s.currency
        where s.merchant_id = $1 and s.selection_id = $2
        "#,
        merchant.0,
        selection.0,
        &items,
        &affiliates,
        &currencies
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
