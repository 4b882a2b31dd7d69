-- Amounts in their currency's scale ($2 and $3: the currencies and their decimal places), and no float anywhere.
with amounts as (
    select 'commission ' || id as what, amount, currency from commissions where $1::uuid is null or merchant_id = $1
    union all
    select 'item ' || id, amount, currency from payout_items where $1::uuid is null or merchant_id = $1
    union all
    select 'batch ' || number, total, currency from payout_batches where $1::uuid is null or merchant_id = $1
),
judged as (
    select
        case
            when c.code is null then format('%s is in %s, which nobody pays out', a.what, a.currency)
            when a.amount <= 0 then format('%s is of %s', a.what, a.amount)
            when a.amount <> round(a.amount, c.scale) then format('%s is of %s %s', a.what, a.currency, a.amount)
        end as problem
    from amounts a
    left join unnest($2::text[], $3::int[]) as c (code, scale) on c.code = a.currency
),
columns as (
    select
        case when data_type in ('real', 'double precision', 'money') then
            format('column %s of %s is a %s', column_name, table_name, data_type)
        end as problem
    from information_schema.columns
    where table_schema = current_schema()
)
select
    'amounts' as "things!",
    count(*) as "looked!",
    count(problem) as "broken!",
    (array_agg(problem) filter (where problem is not null))[1:5] as examples
from judged
union all
select 'columns', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5] from columns
