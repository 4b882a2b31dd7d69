with next as (
    select b.merchant_id, b.id, b.connection_id, b.currency, c.paused_at, p.currency as paused_currency
    from payout_batches b
    join connections c on c.merchant_id = b.merchant_id and c.id = b.connection_id
    left join currency_pauses p
        on p.merchant_id = b.merchant_id and p.connection_id = b.connection_id and p.currency = b.currency
    where b.state in ('ready', 'submitting')
        and not b.waits_for_approval
        and b.rail = 'api'
        and b.look_at <= $1
        and (b.first_attempt_at is null or b.first_attempt_at > $2)
        and c.secret is not null
        and not exists (select from restorations r where r.merchant_id = b.merchant_id and r.signed_at is null)
        and (c.paused_at is null or c.resume_at <= $1)
        and (p.currency is null or p.resume_at <= $1)
    order by b.look_at
    limit 1
    for update of b skip locked
),
-- Of what waits, one batch tries while the others go on waiting for what comes of it.
trying as (
    update connections c
    set resume_at = $5
    from next
    where c.merchant_id = next.merchant_id
        and c.id = next.connection_id
        and c.paused_at is not null
        and c.resume_at <= $1
    returning c.id
),
trying_currency as (
    update currency_pauses p
    set resume_at = $5
    from next
    where p.merchant_id = next.merchant_id
        and p.connection_id = next.connection_id
        and p.currency = next.currency
        and p.resume_at <= $1
    returning p.currency
),
claimed as (
    update payout_batches b
    set state = 'submitting',
        fence = b.fence + 1,
        owner = $3,
        attempts = b.attempts + 1,
        first_attempt_at = coalesce(b.first_attempt_at, $1),
        doubted_at = case when b.state = 'submitting' then coalesce(b.doubted_at, $1) else b.doubted_at end,
        look_at = $4,
        changed_at = $1
    from next
    where b.merchant_id = next.merchant_id
        and b.id = next.id
        and (next.paused_at is null or exists (select from trying))
        and (next.paused_currency is null or exists (select from trying_currency))
    returning
        b.merchant_id, b.id, b.connection_id, b.fence, b.sender_batch_id, b.body, b.currency, b.attempts,
        b.doubted_at
),
attempted as (
    insert into payout_attempts (merchant_id, batch_id, fence, owner, started_at)
    select merchant_id, id, fence, $3, $1
    from claimed
)
select
    merchant_id as "merchant: MerchantId",
    id as "batch: BatchId",
    connection_id as "connection!: ConnectionId",
    fence,
    sender_batch_id,
    body as "body!",
    currency as "currency: Currency",
    attempts,
    doubted_at is not null as "doubted!",
    clock_timestamp() as "database_now!"
from claimed
