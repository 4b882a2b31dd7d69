-- Sums and counts, from the single commission up to the bytes that were handed to PayPal.
with item_sums as (
    select
        case
            when count(c.id) = 0 then format('item %s pays no commission', i.id)
            when count(c.id) <> count(l.item_id) then format('item %s pays a commission that does not exist', i.id)
            when sum(c.amount) <> i.amount then
                format('item %s pays %s %s, its commissions come to %s', i.id, i.currency, i.amount, sum(c.amount))
            when count(*) filter (where (c.affiliate_id, c.currency) <> (i.affiliate_id, i.currency)) > 0 then
                format('item %s pays a commission of another affiliate or currency', i.id)
        end as problem
    from payout_items i
    left join allocations l on l.merchant_id = i.merchant_id and l.item_id = i.id
    left join commissions c on c.merchant_id = l.merchant_id and c.id = l.commission_id
    where $1::uuid is null or i.merchant_id = $1
    group by i.merchant_id, i.id
),
batch_sums as (
    select
        case
            when b.id is null then format('batch %s does not exist and has %s items', s.batch_id, s.items)
            when s.items is distinct from b.items then
                format('batch %s counts %s items and has %s', b.number, b.items, coalesce(s.items, 0))
            when s.total <> b.total then format('batch %s says %s, its items come to %s', b.number, b.total, s.total)
            when s.currencies <> array[b.currency] then format('batch %s has items in another currency', b.number)
        end as problem
    from (select * from payout_batches where $1::uuid is null or merchant_id = $1) b
    full join (
        select merchant_id, batch_id, count(*) as items, sum(amount) as total, array_agg(distinct currency) as currencies
        from payout_items
        where $1::uuid is null or merchant_id = $1
        group by merchant_id, batch_id
    ) s on s.merchant_id = b.merchant_id and s.batch_id = b.id
),
frozen as (
    select
        b.merchant_id,
        b.id as batch_id,
        b.number,
        line ->> 'sender_item_id' as name,
        line ->> 'receiver' as receiver,
        (line #>> '{amount,value}')::numeric as amount,
        line #>> '{amount,currency}' as currency
    from payout_batches b
    cross join lateral jsonb_array_elements(convert_from(b.body, 'UTF8')::jsonb -> 'items') as line
    where b.rail = 'api' and ($1::uuid is null or b.merchant_id = $1)
),
bodies as (
    select
        case
            when f.name is null then format('item %s is not in the frozen body of its batch', i.id)
            when i.id is null then format('the frozen body of batch %s pays %s, which is no item of it', f.number, f.name)
            when f.amount <> i.amount or f.currency <> i.currency then
                format('item %s is %s %s, and %s %s in the frozen body', i.id, i.currency, i.amount, f.currency, f.amount)
            when f.receiver <> i.receiver then format('item %s has another receiver in the frozen body', i.id)
        end as problem
    from frozen f
    full join (
        select i.*
        from payout_items i
        join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id and b.rail = 'api'
        where $1::uuid is null or i.merchant_id = $1
    ) i on i.merchant_id = f.merchant_id and i.batch_id = f.batch_id and i.sender_item_id = f.name
)
select
    'items' as "things!",
    count(*) as "looked!",
    count(problem) as "broken!",
    (array_agg(problem) filter (where problem is not null))[1:5] as examples
from item_sums
union all
select 'batches', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5]
from batch_sums
union all
select 'lines of frozen bodies', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5]
from bodies
