-- Where every commission stands, recomputed from what was earned and what pays it; and whatever is kept beside it for
-- speed. The rows kept of what is owed are compared one by one, their tallies with what the commissions come to.
with recomputed as not materialized (
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
            when i.state = 'queued' and (b.state = 'stuck' or b.state = 'submitting' and b.doubted_at is not null)
                then 'unknown'
            when i.state in ('queued', 'open') and b.id is not null then 'paying'
        end as standing,
        o.commission_id is not null as is_kept_as_owed,
        (o.affiliate_id, o.currency, o.due_on, o.amount) = (c.affiliate_id, c.currency, c.due_on, c.amount) as is_kept_right
    from commissions c
    left join allocations l on l.merchant_id = c.merchant_id and l.commission_id = c.id and l.released_at is null
    left join payout_items i on i.merchant_id = l.merchant_id and i.id = l.item_id
    left join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
    left join owed o on o.merchant_id = c.merchant_id and o.commission_id = c.id
    where $1::uuid is null or c.merchant_id = $1
),
judged as (
    select
        *,
        case
            when is_kept_as_owed and not is_kept_right then 'owed with another affiliate, date or amount'
            when is_kept_as_owed and standing <> 'owed' then 'among what is owed, and is ' || standing
            when standing = 'owed' and not is_kept_as_owed then 'owed, and not among what is owed'
        end as wrong
    from recomputed
),
sums as (
    select
        merchant_id,
        currency,
        affiliate_id,
        due_on,
        grouping(due_on) = 1 as of_affiliate,
        sum(amount) as earned,
        sum(amount) filter (where standing is not null) as standing,
        count(*) filter (where standing = 'owed') as owed,
        coalesce(sum(amount) filter (where standing = 'owed'), 0) as owed_amount,
        count(wrong) as wrong,
        min(format('commission %s is %s', id, wrong)) filter (where wrong is not null) as first_wrong
    from judged
    group by grouping sets ((merchant_id, currency, affiliate_id), (merchant_id, currency, due_on))
),
affiliates_sums as (
    select
        case
            when earned is distinct from standing then
                format('affiliate %s earned %s %s, the standings come to %s', affiliate_id, currency, earned, standing)
            when wrong > 0 then format('affiliate %s, %s: %s', affiliate_id, currency, first_wrong)
        end as problem
    from sums
    where of_affiliate
),
tallies as (
    select
        case
            when (coalesce(s.owed, 0), coalesce(s.owed_amount, 0)) <> (coalesce(t.commissions, 0), coalesce(t.amount, 0)) then
                format('%s due on %s: the tally is %s, the commissions come to %s', currency, due_on, t.amount, s.owed_amount)
            when (coalesce(o.commissions, 0), coalesce(o.amount, 0)) <> (coalesce(t.commissions, 0), coalesce(t.amount, 0)) then
                format('%s due on %s: the tally is %s, what is owed comes to %s', currency, due_on, t.amount, o.amount)
        end as problem
    from (select * from owed_tally where $1::uuid is null or merchant_id = $1) t
    full join (select * from sums where not of_affiliate) s using (merchant_id, currency, due_on)
    full join (
        select merchant_id, currency, due_on, count(*) as commissions, sum(amount) as amount
        from owed
        where $1::uuid is null or merchant_id = $1
        group by merchant_id, currency, due_on
    ) o using (merchant_id, currency, due_on)
),
-- What was paid on which day, from the payments that arrived and the commissions that were paid before.
paid as (
    select merchant_id, currency, paid_on, sum(payments) as payments, sum(amount) as amount
    from (
        select i.merchant_id, i.currency, (coalesce(i.time_processed, i.changed_at) at time zone z.zone)::date as paid_on,
            count(*) as payments, sum(i.amount) as amount
        from payout_items i
        join merchant_zones z on z.merchant_id = i.merchant_id
        where i.state = 'paid' and ($1::uuid is null or i.merchant_id = $1)
        group by 1, 2, 3
        union all
        select merchant_id, currency, paid_before_on, count(*), sum(amount)
        from commissions
        where paid_before_on is not null and ($1::uuid is null or merchant_id = $1)
        group by 1, 2, 3
    ) each
    group by 1, 2, 3
),
paid_days as (
    select
        case
            when (coalesce(p.payments, 0), coalesce(p.amount, 0)) <> (coalesce(s.payments, 0), coalesce(s.amount, 0)) then
                format('paid on %s in %s: the sums are %s, the payments come to %s', paid_on, currency, coalesce(s.amount, 0), coalesce(p.amount, 0))
        end as problem
    from paid p
    full join (
        select merchant_id, currency, paid_on, sum(payments) as payments, sum(amount) as amount
        from paid_sums
        where $1::uuid is null or merchant_id = $1
        group by 1, 2, 3
    ) s using (merchant_id, currency, paid_on)
),
-- How the items of each batch stand.
batch_outcomes as (
    select
        case when (coalesce(i.items, 0), coalesce(i.amount, 0), coalesce(i.fees, 0))
            <> (coalesce(s.items, 0), coalesce(s.amount, 0), coalesce(s.fees, 0)) then
            format('batch %s: the sums say %s %s items of %s with fees of %s; there are %s of %s with %s', batch_id,
                coalesce(s.items, 0), outcome, coalesce(s.amount, 0), coalesce(s.fees, 0), coalesce(i.items, 0),
                coalesce(i.amount, 0), coalesce(i.fees, 0))
        end as problem
    from (
        select
            merchant_id,
            batch_id,
            case
                when state = 'open' then wait
                when state = 'unpaid' and decided is null and not_paid in ('blocked', 'refunded', 'reversed') then 'came_back'
                else state
            end as outcome,
            flagged is not null as flagged,
            count(*) as items,
            sum(amount) as amount,
            sum(case when fee_currency = currency then fee else 0 end) as fees
        from payout_items
        where $1::uuid is null or merchant_id = $1
        group by 1, 2, 3, 4
    ) i
    full join (
        select merchant_id, batch_id, outcome, flagged, sum(items) as items, sum(amount) as amount, sum(fees) as fees
        from batch_sums
        where $1::uuid is null or merchant_id = $1
        group by 1, 2, 3, 4
    ) s using (merchant_id, batch_id, outcome, flagged)
),
-- What pages show, for all that is neither simply owed nor simply paid.
shown as (
    select
        case
            when s.standing is distinct from r.standing then
                format('commission %s is shown as %s, recomputed %s', r.id, s.standing, r.standing)
        end as problem
    from payout_items i
    join allocations l on l.merchant_id = i.merchant_id and l.item_id = i.id and l.released_at is null
    join recomputed r on r.merchant_id = l.merchant_id and r.id = l.commission_id
    left join commission_standings s on s.merchant_id = l.merchant_id and s.id = l.commission_id
    where i.state <> 'paid'
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
    where ($1::uuid is null or l.merchant_id = $1) and (l.released_at is not null or i.state is distinct from 'paid')
)
select
    'sums of affiliates' as "things!",
    count(*) as "looked!",
    count(problem) as "broken!",
    (array_agg(problem) filter (where problem is not null))[1:5] as examples
from affiliates_sums
union all
select 'tallies', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5] from tallies
union all
select 'days of payments', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5]
from paid_days
union all
select 'outcomes of batches', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5]
from batch_outcomes
union all
select 'standings in between', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5]
from shown
union all
select 'allocations unpaid or released', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5]
from releases
