-- Where every commission stands, recomputed; and whatever is kept beside it for speed.
with recomputed as (
    select
        c.merchant_id,
        c.id,
        c.affiliate_id,
        c.currency,
        c.amount,
        c.due_on,
        case
            when c.cancelled_at is not null then 'cancelled'
            when c.paid_before_on is not null then 'paid'
            when l.commission_id is null then 'owed'
            when i.state = 'paid' then 'paid'
            when i.decided = 'written_off' then 'written_off'
            when i.state = 'unpaid' and i.not_paid in ('blocked', 'refunded', 'reversed') then 'needs_a_person'
            when i.state = 'unpaid' then 'paying'
            when i.flagged is not null then 'needs_a_person'
            when i.state = 'queued' and (b.state = 'stuck' or b.state = 'submitting' and b.doubted_at is not null) then 'unknown'
            else 'paying'
        end as standing
    from commissions c
    left join allocations l on l.merchant_id = c.merchant_id and l.commission_id = c.id and l.released_at is null
    left join payout_items i on i.merchant_id = l.merchant_id and i.id = l.item_id
    left join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
    where $1::uuid is null or c.merchant_id = $1
),
sums as (
    select merchant_id, affiliate_id, currency, standing, count(*) as commissions, sum(amount) as amount
    from recomputed
    group by merchant_id, affiliate_id, currency, standing
),
shown as (
    select c.merchant_id, c.affiliate_id, c.currency, s.standing, count(*) as commissions, sum(c.amount) as amount
    from commission_standings s
    join commissions c on c.merchant_id = s.merchant_id and c.id = s.id
    where $1::uuid is null or c.merchant_id = $1
    group by c.merchant_id, c.affiliate_id, c.currency, s.standing
),
standings as (
    select
        case
            when sums.amount is distinct from shown.amount or sums.commissions is distinct from shown.commissions then
                format(
                    'affiliate %s, %s: %s is shown as %s, recomputed %s',
                    coalesce(sums.affiliate_id, shown.affiliate_id), coalesce(sums.currency, shown.currency),
                    coalesce(sums.standing, shown.standing), coalesce(shown.amount, 0), coalesce(sums.amount, 0)
                )
        end as problem
    from sums
    full join shown using (merchant_id, affiliate_id, currency, standing)
),
earned as (
    select
        case
            when e.amount is distinct from s.amount then
                format('affiliate %s earned %s %s, the standings come to %s', e.affiliate_id, e.currency, e.amount, s.amount)
        end as problem
    from (
        select merchant_id, affiliate_id, currency, sum(amount) as amount
        from commissions
        where $1::uuid is null or merchant_id = $1
        group by merchant_id, affiliate_id, currency
    ) e
    left join (
        select merchant_id, affiliate_id, currency, sum(amount) as amount
        from shown
        group by merchant_id, affiliate_id, currency
    ) s using (merchant_id, affiliate_id, currency)
),
owed_rows as (
    select
        case
            when o.commission_id is null then format('commission %s is owed and not among what is owed', r.id)
            when r.id is null then format('commission %s is among what is owed and is not owed', o.commission_id)
            when (o.affiliate_id, o.currency, o.due_on, o.amount) <> (r.affiliate_id, r.currency, r.due_on, r.amount) then
                format('commission %s is owed with another affiliate, date or amount', r.id)
        end as problem
    from (select * from recomputed where standing = 'owed') r
    full join (select * from owed where $1::uuid is null or merchant_id = $1) o
        on o.merchant_id = r.merchant_id and o.commission_id = r.id
),
tallies as (
    select
        case
            when (coalesce(t.commissions, 0), coalesce(t.amount, 0)) <> (coalesce(o.commissions, 0), coalesce(o.amount, 0)) then
                format(
                    '%s due on %s: the tally is %s, what is owed comes to %s',
                    coalesce(t.currency, o.currency), coalesce(t.due_on, o.due_on), coalesce(t.amount, 0), coalesce(o.amount, 0)
                )
        end as problem
    from (select * from owed_tally where $1::uuid is null or merchant_id = $1) t
    full join (
        select merchant_id, currency, due_on, count(*) as commissions, sum(amount) as amount
        from recomputed
        where standing = 'owed'
        group by merchant_id, currency, due_on
    ) o on o.merchant_id = t.merchant_id and o.currency = t.currency and o.due_on = t.due_on
),
releases as (
    select
        case
            when i.id is null then format('commission %s is allocated to an item that does not exist', l.commission_id)
            when l.released_at is not null and i.state <> 'unpaid' then
                format('commission %s is owed again, and item %s is %s', l.commission_id, i.id, i.state)
            when l.released_at is not null and i.not_paid in ('blocked', 'refunded', 'reversed')
                and i.decided is distinct from 'due_again' then
                format('commission %s is owed again, and nobody decided so after it was %s', l.commission_id, i.not_paid)
            when l.released_at is null and i.not_paid not in ('blocked', 'refunded', 'reversed')
                and b.state in ('closed', 'refused', 'cancelled') then
                format('commission %s is held by item %s, which was not paid', l.commission_id, i.id)
        end as problem
    from allocations l
    left join payout_items i on i.merchant_id = l.merchant_id and i.id = l.item_id
    left join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
    where $1::uuid is null or l.merchant_id = $1
)
select
    'standings of affiliates' as "things!",
    count(*) as "looked!",
    count(problem) as "broken!",
    (array_agg(problem) filter (where problem is not null))[1:5] as examples
from standings
union all
select 'sums earned', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5] from earned
union all
select 'commissions owed', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5]
from owed_rows
union all
select 'tallies', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5] from tallies
union all
select 'allocations', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5] from releases
