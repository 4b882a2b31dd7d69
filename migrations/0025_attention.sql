-- What waits for somebody, in one place. `who` must act: 1 the merchant, 2 the affiliate, 3 PayPal or time. Each page counts
-- it, and planning it takes ten times as long as running it: so its plan is kept with the connection, for any merchant,
-- which a function in SQL would not do.
drop function attention(uuid, timestamptz, date, text[]);
drop function attention_but_approvals(uuid, timestamptz, date, text[]);
drop function attention_to_payments(uuid, timestamptz, date, text[]);
drop function attention_to_calls(uuid, timestamptz, date, text[]);
drop function attention_to_files(uuid, timestamptz);
create function attention(uuid, timestamptz, date, text[])
    returns table (
        kind          text,
        who           integer,
        since         timestamptz,
        currency      text,
        amount        numeric,
        batch_id      uuid,
        item_id       uuid,
        affiliate_id  uuid,
        payments      bigint
    )
    language plpgsql stable
    set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    return query
    -- The connection: it does not work, payments wait for it, or nothing can be read through it.
    select 'paused', 1, coalesce(c.paused_at, c.checked_at), null::text, null::numeric, null::uuid, null::uuid, null::uuid,
        w.batches
    from connections c
    cross join lateral (
        select count(*) as batches
        from payout_batches b
        where b.merchant_id = c.merchant_id and b.connection_id = c.id and b.state in ('ready', 'submitting')
    ) w
    where c.merchant_id = $1
        and c.in_force
        and (c.check_outcome <> 'ready'
            or (c.paused_at is not null and w.batches > 0
                -- A pause for a minute is nobody's business.
                and (c.paused_at <= $2 - interval '15 minutes' or c.paused_why not like 'RATE_LIMIT%')))
    union all
    select 'paused', 1, p.paused_at, p.currency, sum(b.total), null, null, null, count(*)
    from currency_pauses p
    join payout_batches b on b.merchant_id = p.merchant_id and b.connection_id = p.connection_id
        and b.currency = p.currency and b.state in ('ready', 'submitting')
    where p.merchant_id = $1
    group by p.merchant_id, p.connection_id, p.currency
    union all
    select 'unreadable', 1, c.unreadable_at, null, null, null, null, null, 0
    from connections c
    where c.merchant_id = $1 and c.in_force and c.unreadable_at is not null
    union all
    -- Batches whose fate is not known, which PayPal is slow with, or which cannot be handed over or read.
    select
        case b.state when 'stuck' then 'stuck' when 'submitting' then 'doubt' when 'ready' then 'waiting'
            else case when b.trouble_since <= $2 - interval '15 minutes' then 'trouble' else 'slow' end end,
        case b.state when 'stuck' then 1 else 3 end,
        case b.state when 'ready' then b.first_attempt_at
            when 'accepted' then case when b.trouble_since <= $2 - interval '15 minutes' then b.trouble_since else b.accepted_at end
            else coalesce(b.doubted_at, b.changed_at) end,
        b.currency, b.total, b.id, null, null, b.items
    from payout_batches b
    left join connections c on c.merchant_id = b.merchant_id and c.id = b.connection_id
    where b.merchant_id = $1
        and (b.state = 'stuck'
            or (b.state = 'submitting' and b.doubted_at <= $2 - interval '5 minutes')
            or (b.state = 'ready' and b.first_attempt_at <= $2 - interval '1 hour' and c.paused_at is null
                and not exists (
                    select from currency_pauses p
                    where p.merchant_id = b.merchant_id and p.connection_id = b.connection_id and p.currency = b.currency))
            or (b.state = 'accepted' and b.settled_at is null and b.accepted_at <= $2 - interval '1 day')
            or (b.state = 'accepted' and b.trouble_since <= $2 - interval '15 minutes' and c.unreadable_at is null))
    union all
    -- Whole batches that PayPal did not take or did not pay, and what of them is due again and not being paid.
    select 'refused', 1, b.changed_at, b.currency, sum(o.amount), b.id, null, null, count(distinct i.id)
    from owed o
    join payout_items i on i.merchant_id = o.merchant_id and i.id = o.released_from
    join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
    where o.merchant_id = $1
        and o.released_from is not null
        and i.not_paid in ('batch_refused', 'batch_denied', 'batch_canceled')
        and b.why is distinct from 'TAKEN_BACK'
        -- Nobody is told to pay again what PayPal says it accepted.
        and not exists (
            select from payout_files f
            where f.merchant_id = b.merchant_id and f.batch_id = b.id and b.state = 'refused'
                and (f.ack_at is not null or f.stage is not null) and f.cleared_at is null)
    group by b.merchant_id, b.id
    union all
    -- Single payments that failed or came back, the same.
    select 'failed',
        case when i.cancel_asked_at is null and (i.not_paid = 'returned' or i.error_name = any($4)) then 2 else 1 end,
        i.changed_at, i.currency, sum(o.amount), i.batch_id, i.id, i.affiliate_id, 1
    from owed o
    join payout_items i on i.merchant_id = o.merchant_id and i.id = o.released_from
    where o.merchant_id = $1 and o.released_from is not null and i.not_paid in ('failed', 'returned')
    group by i.merchant_id, i.id
    union all
    -- Single payments that wait for a decision, for their receivers, or for PayPal's review.
    select
        case when i.flagged is not null then 'flagged' when i.state = 'unpaid' then 'decide' else i.wait end,
        case when i.flagged is not null or i.state = 'unpaid' then 1 when i.wait = 'unclaimed' then 2 else 3 end,
        case when i.state = 'unpaid' then i.changed_at else coalesce(i.time_processed, i.changed_at) end,
        i.currency, i.amount, i.batch_id, i.id, i.affiliate_id, 1
    from payout_items i
    where i.merchant_id = $1
        and (i.flagged is not null or i.wait in ('on_hold', 'unclaimed')
            or (i.not_paid in ('blocked', 'refunded', 'reversed') and i.decided is null))
        and (i.flagged is not null or i.wait is distinct from 'on_hold'
            or coalesce(i.time_processed, i.changed_at) <= $2 - interval '3 days')
        -- Somebody has asked for it back already.
        and (i.flagged is not null or i.cancel_at is null)
    union all
    -- Affiliates who are owed something and cannot be paid.
    select 'unpayable', 1, d.since::timestamp at time zone 'UTC', d.currency, d.amount, null, null, a.id, d.commissions
    from affiliates a
    cross join lateral (
        select o.currency, min(o.due_on) as since, sum(o.amount) as amount, count(*) as commissions
        from owed o
        where o.merchant_id = a.merchant_id and o.affiliate_id = a.id and o.due_on <= $3
        group by o.currency
    ) d
    where a.merchant_id = $1
        and (a.receiver_problem is not null or a.receiver_refused is not null or a.status <> 'active')
    union all
    -- The DropZone: files wait for it, or its folders cannot be read while something is expected there.
    select 'dropzone', 1, coalesce(d.paused_at, d.trouble_since), null::text, null::numeric, null::uuid, null::uuid, null::uuid,
        w.files
    from dropzones d
    cross join lateral (
        select count(*) as files
        from payout_batches b
        where b.merchant_id = d.merchant_id and b.dropzone_id = d.id
            and (b.state in ('ready', 'submitting') or (b.state = 'accepted' and b.settled_at is null))
    ) w
    where d.merchant_id = $1 and d.private_key is not null and w.files > 0
        and (d.paused_at is not null or d.trouble_since <= $2 - interval '15 minutes')
    union all
    -- Files that nobody has let go though somebody could, that PayPal does not answer, whose Final report is late, and that PayPal accepted
    -- after they had been given up.
    select
        case when b.state = 'prepared' then 'prepared' when b.state = 'submitting' then 'unanswered'
            when b.state = 'refused' then 'contradicted' else 'no_final' end,
        case b.state when 'submitting' then 3 else 1 end,
        case b.state when 'prepared' then b.created_at when 'submitting' then f.uploaded_at
            when 'refused' then coalesce(f.ack_at, f.staged_at) else b.settled_at end,
        b.currency, b.total, b.id, null, null, b.items
    from payout_batches b
    join payout_files f on f.merchant_id = b.merchant_id and f.batch_id = b.id
    where b.merchant_id = $1
        and ((b.state = 'prepared' and not b.waits_for_approval and b.created_at <= $2 - interval '15 minutes')
            or (b.state = 'submitting' and b.doubted_at is null and f.nack_at is null and f.uploaded_at <= $2 - interval '1 hour')
            or (b.state = 'accepted' and f.stage is distinct from 'final' and b.settled_at <= $2 - interval '35 days')
            or (b.state = 'refused' and (f.ack_at is not null or f.stage is not null) and f.cleared_at is null))
    union all
    -- Reports and answers of which something could not be used.
    select 'report', 1, min(r.fetched_at), null, null, r.batch_id, null, null, count(*)
    from dropzone_files r
    where r.merchant_id = $1
        and r.seen_at is null
        and (r.outcome = 'unreadable' or r.bad_rows > 0 or r.unknown_refs > 0)
    group by r.merchant_id, r.batch_id
    union all
    -- Payments that no report mentions though PayPal has finished their file.
    select 'unmentioned', 1, b.settled_at, b.currency, sum(s.amount), b.id, null, null, sum(s.items)::bigint
    from payout_batches b
    join batch_sums s on s.merchant_id = b.merchant_id and s.batch_id = b.id and s.outcome = 'queued'
    where b.merchant_id = $1 and b.rail = 'file' and b.state = 'accepted' and b.settled_at is not null
    group by b.merchant_id, b.id
    having sum(s.items) > 0
    union all
    -- Payments of PayPal's old Mass Pay service of which nobody knows what became.
    select 'legacy', 1, b.created_at, b.currency, b.total, b.id, null, null, b.items
    from payout_batches b
    where b.merchant_id = $1 and b.legacy and b.state = 'exported'
    union all
    -- Payments that a second person is asked to approve.
    select 'approval', 1, p.asked_at, b.currency, b.total, b.id, null, null, b.items
    from payout_batches b
    join payout_approvals p on p.merchant_id = b.merchant_id and p.request_id = b.request_id
    where b.merchant_id = $1 and b.waits_for_approval and b.state = 'prepared' and p.state = 'waiting';
end
$$;
