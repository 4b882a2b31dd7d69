with next as (
    select b.merchant_id, b.id, d.id as dropzone_id, d.paused_at
    from payout_batches b
    join dropzones d on d.merchant_id = b.merchant_id and d.id = b.dropzone_id
    join payout_files f on f.merchant_id = b.merchant_id and f.batch_id = b.id
    where b.state in ('ready', 'submitting')
        and not b.waits_for_approval
        and b.rail = 'file'
        and b.look_at <= $1
        and (b.first_attempt_at is null or b.first_attempt_at > $2)
        and f.uploaded_at is null
        and d.private_key is not null
        and not exists (select from restorations r where r.merchant_id = b.merchant_id and r.signed_at is null)
        and d.user_name is not null
        and (d.paused_at is null or d.resume_at <= $1)
    order by b.look_at
    limit 1
    for update of b skip locked
),
-- Of what waits, one file tries while the others go on waiting for what comes of it.
trying as (
    update dropzones d
    set resume_at = $5
    from next
    where d.merchant_id = next.merchant_id and d.id = next.dropzone_id and d.paused_at is not null and d.resume_at <= $1
    returning d.id
),
claimed as (
    update payout_batches b
    set state = 'submitting',
        fence = b.fence + 1,
        owner = $3,
        attempts = b.attempts + 1,
        first_attempt_at = coalesce(b.first_attempt_at, $1),
        doubted_at = case when b.state = 'submitting' and f.put_at is not null then coalesce(b.doubted_at, $1) else b.doubted_at end,
        look_at = $4,
        changed_at = $1
    from next, payout_files f
    where b.merchant_id = next.merchant_id
        and b.id = next.id
        and f.merchant_id = next.merchant_id
        and f.batch_id = next.id
        and (next.paused_at is null or exists (select from trying))
    returning
        b.merchant_id, b.id, b.dropzone_id, b.fence, b.attempts, b.doubted_at, f.name, f.bytes, f.put_at
),
attempted as (
    insert into payout_attempts (merchant_id, batch_id, fence, owner, started_at)
    select merchant_id, id, fence, $3, $1
    from claimed
)
select
    merchant_id as "merchant: MerchantId",
    id as "batch: BatchId",
    dropzone_id as "dropzone!: DropzoneId",
    fence,
    attempts,
    name,
    bytes,
    put_at,
    doubted_at is not null as "doubted!",
    clock_timestamp() as "database_now!"
from claimed
