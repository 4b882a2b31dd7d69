-- The history of each item is a chain from where it was drafted to where it stands, along PayPal's item states. A
-- reading may skip steps, so what can be reached counts. A line that is no state is a flag: it moves nothing.
with ways (was, became) as (
    select 'QUEUED', unnest(array[
        'PENDING', 'ONHOLD', 'UNCLAIMED', 'SUCCESS', 'FAILED', 'RETURNED', 'BLOCKED', 'REFUNDED', 'REVERSED',
        'BATCH DENIED', 'BATCH CANCELED', 'BATCH REFUSED', 'PUT BACK'
    ])
    union all
    select 'PENDING', unnest(array[
        'ONHOLD', 'UNCLAIMED', 'SUCCESS', 'FAILED', 'RETURNED', 'BLOCKED', 'REFUNDED', 'REVERSED', 'BATCH DENIED',
        'BATCH CANCELED'
    ])
    union all
    select 'ONHOLD', unnest(array['UNCLAIMED', 'SUCCESS', 'FAILED', 'RETURNED', 'BLOCKED', 'REFUNDED', 'REVERSED'])
    union all
    select 'UNCLAIMED', unnest(array['ONHOLD', 'SUCCESS', 'FAILED', 'RETURNED', 'BLOCKED', 'REFUNDED', 'REVERSED'])
    union all
    select 'SUCCESS', unnest(array['REFUNDED', 'REVERSED'])
),
moves as (
    select
        h.merchant_id,
        h.item_id,
        h.id,
        h.was,
        h.became,
        lag(h.became) over (partition by h.merchant_id, h.item_id order by h.id) as before,
        lead(h.id) over (partition by h.merchant_id, h.item_id order by h.id) is null as is_last
    from payout_history h
    where h.item_id is not null
        and h.became in (select became from ways)
        and ($1::uuid is null or h.merchant_id = $1)
),
lines as (
    select
        case
            when m.was is distinct from coalesce(m.before, case when b.rail = 'manual' then m.was else 'QUEUED' end) then
                format('item %s: %s became %s, but it was %s', m.item_id, m.was, m.became, coalesce(m.before, 'QUEUED'))
            when b.rail = 'manual' and (m.was, m.became) = ('SUCCESS', 'PUT BACK') then null
            when w.was is null then format('item %s: %s cannot become %s', m.item_id, m.was, m.became)
        end as problem
    from moves m
    join payout_items i on i.merchant_id = m.merchant_id and i.id = m.item_id
    join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
    left join ways w on w.was = m.was and w.became = m.became
),
ends as (
    select
        case
            when m.became is null and i.state = 'paid' and b.rail = 'manual' then null
            when coalesce(m.became, 'QUEUED') <> i.word then
                format('item %s stands at %s, its history ends at %s', i.id, i.word, coalesce(m.became, 'QUEUED'))
        end as problem
    from (
        select
            *,
            case state
                when 'queued' then 'QUEUED'
                when 'paid' then 'SUCCESS'
                when 'open' then (array['PENDING', 'ONHOLD', 'UNCLAIMED'])[array_position(array['processing', 'on_hold', 'unclaimed'], wait)]
                else upper(replace(not_paid, '_', ' '))
            end as word
        from payout_items
        where $1::uuid is null or merchant_id = $1
    ) i
    join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
    left join moves m on m.merchant_id = i.merchant_id and m.item_id = i.id and m.is_last
)
select
    'lines of history' as "things!",
    count(*) as "looked!",
    count(problem) as "broken!",
    (array_agg(problem) filter (where problem is not null))[1:5] as examples
from lines
union all
select 'items', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5] from ends
