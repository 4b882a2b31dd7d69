-- One row a commission that is in a payment now; the index that promises it is looked at too.
select
    'live allocations' as "things!",
    coalesce(sum(times), 0)::bigint as "looked!",
    count(*) filter (where times > 1) as "broken!",
    (array_agg(format('commission %s is in %s payments at once', commission_id, times)) filter (where times > 1))[1:5]
        as examples
from (
    select commission_id, count(*) as times
    from allocations
    where released_at is null and ($1::uuid is null or merchant_id = $1)
    group by merchant_id, commission_id
) live

union all

select
    'index',
    1,
    count(*) filter (where not stands),
    array_agg('the index that forbids a second payment is missing, not valid, or not the one it was'::text) filter (where not stands)
from (
    select exists (
        select
        from pg_index i
        where i.indexrelid = to_regclass('one_live_allocation_per_commission')
            and i.indrelid = 'allocations'::regclass
            and i.indisunique
            and i.indisvalid
            and i.indisready
            and pg_get_indexdef(i.indexrelid) like '%(merchant_id, commission_id) WHERE (released_at IS NULL)'
    ) as stands
) index
