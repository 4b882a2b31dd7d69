-- What waits for somebody, and what PayPal says of the merchant's money.

alter table connections
    -- PayPal refuses to be read since then, with this name.
    add column unreadable_at timestamptz,
    add column unreadable_why text,
    -- When the balances were last asked for, and whether PayPal tells them.
    add column balance_asked_at timestamptz,
    add column balance_told boolean,
    add constraint what_cannot_be_read_has_its_reason check ((unreadable_at is null) = (unreadable_why is null));

-- A pause of one currency: the account does not hold it. Payments in others go on.
create table currency_pauses (
    merchant_id    uuid not null,
    connection_id  uuid not null,
    currency       text not null,
    paused_at      timestamptz not null,
    paused_why     text not null,
    resume_at      timestamptz not null,
    primary key (merchant_id, connection_id, currency),
    foreign key (merchant_id, connection_id) references connections (merchant_id, id)
);
select protect('currency_pauses', 'select, insert, update, delete');

-- What PayPal last said it has of the merchant's money. Shown with its age, never reckoned with.
create table balances (
    merchant_id    uuid not null,
    connection_id  uuid not null,
    currency       text not null,
    available      numeric(20, 2) not null,
    as_of          timestamptz not null,    -- by PayPal's word; it may lag hours behind
    primary key (merchant_id, connection_id, currency),
    foreign key (merchant_id, connection_id) references connections (merchant_id, id)
);
select protect('balances', 'select, insert, update, delete');

-- Since when a batch cannot be read.
alter table payout_batches add column trouble_since timestamptz;
update payout_batches set trouble_since = changed_at where trouble is not null;

-- The payment that gave a commission back, if one did: what is due again is found without reading what was ever paid.
alter table owed add column released_from uuid;
update owed o
set released_from = l.item_id
from (
    select distinct on (merchant_id, commission_id) merchant_id, commission_id, item_id
    from allocations
    where released_at is not null
    order by merchant_id, commission_id, released_at desc
) l
where o.merchant_id = l.merchant_id and o.commission_id = l.commission_id;
create index owed_again on owed (merchant_id, affiliate_id, released_from) where released_from is not null;

-- What the count in the navigation goes through on every page: nothing that has ended well.
create index batches_under_way on payout_batches (merchant_id) where state in ('ready', 'submitting', 'accepted', 'stuck');
create index items_that_wait_for_somebody on payout_items (merchant_id, batch_id)
    where flagged is not null or wait in ('on_hold', 'unclaimed')
        or (not_paid in ('blocked', 'refunded', 'reversed') and decided is null);
create index affiliates_who_cannot_be_paid on affiliates (merchant_id, id)
    where receiver_problem is not null or receiver_refused is not null or status <> 'active';

-- Everything that waits for somebody at a moment and on a day of the merchant's, one row each. `who` must act: 1 the
-- merchant, 2 the affiliate, 3 PayPal or time. The last argument holds PayPal's names of failures that only the
-- affiliate can mend. One place says what is listed, so that the count and the list cannot differ.
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
    language sql stable
as $$
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
$$;
