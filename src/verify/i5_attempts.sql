-- Every attempt to send, against its batch. $2 is the window in seconds.
with attempts as (
    select
        case
            when b.id is null then format('an attempt names batch %s, which does not exist', a.batch_id)
            when a.started_at > b.first_attempt_at + make_interval(secs => $2::bigint) then
                format('batch %s was sent at %s, after its window had closed', b.number, a.started_at)
            when a.fence > b.fence then format('batch %s was sent with a fence that was never given out', b.number)
            when a.fence > min(a.fence) filter (where a.outcome = 'accepted') over of_a_batch then
                format('batch %s was sent again after PayPal had accepted it', b.number)
        end as problem
    from payout_attempts a
    left join payout_batches b on b.merchant_id = a.merchant_id and b.id = a.batch_id
    where $1::uuid is null or a.merchant_id = $1
    window of_a_batch as (partition by a.merchant_id, a.batch_id)
),
batches as (
    select
        case
            when b.attempts <> a.attempts then format('batch %s counts %s attempts and has %s', b.number, b.attempts, a.attempts)
            when a.attempts <> a.fences then format('two attempts of batch %s have one fence', b.number)
            when b.first_attempt_at is distinct from a.first then
                format('the window of batch %s does not begin at its first attempt', b.number)
            when b.doubted_at is not null and b.accepted_at is null and b.resolved_at is null
                and b.state not in ('submitting', 'stuck') then
                format('nobody ended the doubt about batch %s, and it is %s', b.number, b.state)
            when b.resolved_as in ('there', 'not_there') and not exists (
                select
                from payout_statements s
                where s.merchant_id = b.merchant_id
                    and s.batch_id = b.id
                    and s.says = b.resolved_as
                    and s.total = b.total
            ) then format('the doubt about batch %s was ended on nobody''s word', b.number)
            when b.waits_for_approval and (a.attempts > 0 or b.state not in ('prepared', 'cancelled')) then
                format('batch %s was let go before its approval', b.number)
            when b.is_large and not b.waits_for_approval and not exists (
                select
                from payout_approvals p
                where p.merchant_id = b.merchant_id
                    and p.request_id = b.request_id
                    and p.state = 'approved'
                    and p.ended_by <> p.asked_by
            ) then format('batch %s is of a payment that needed a second person, and had none', b.number)
            when b.rail = 'manual' and a.attempts > 0 then format('batch %s was paid outside and handed to PayPal', b.number)
        end as problem
    from (
        -- One click on Pay, in one currency, against the rule of its day.
        select *, sum(total) over (partition by merchant_id, request_id, currency) > approval_above as is_large
        from payout_batches
    ) b
    cross join lateral (
        select
            count(*) as attempts,
            count(distinct fence) as fences,
            (array_agg(started_at order by fence))[1] as first
        from payout_attempts a
        where a.merchant_id = b.merchant_id and a.batch_id = b.id
    ) a
    where $1::uuid is null or b.merchant_id = $1
)
select
    'attempts' as "things!",
    count(*) as "looked!",
    count(problem) as "broken!",
    (array_agg(problem) filter (where problem is not null))[1:5] as examples
from attempts
union all
select 'batches', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5] from batches
