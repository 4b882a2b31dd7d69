-- One name and one body for life: the digest is recomputed, the name is compared with the id it is made of, and the
-- triggers that keep written rows as they are must be at work.
with batches as (
    select
        case
            when sha256(coalesce(b.body, (
                    select string_agg(p.content, '' order by p.place)
                    from payout_file_parts p
                    where p.merchant_id = b.merchant_id and p.batch_id = b.id
                ), '')) <> b.body_sha256 then
                format('the body of batch %s is not the one that was frozen', b.number)
            when b.rail = 'file' and f.name is distinct from
                    'pp_payouts_' || split_part(f.name, '_', 3) || '_' || b.sender_batch_id || substring(f.name from '\.csv(?:\.gz)?$') then
                format('the file of batch %s has another name than it was given', b.number)
            when b.sender_batch_id <> n.name then format('batch %s has another name than it was given', b.number)
            when b.rail = 'api'
                and convert_from(b.body, 'UTF8')::json #>> '{sender_batch_header,sender_batch_id}'
                    is distinct from b.sender_batch_id then
                format('the frozen body of batch %s has another name', b.number)
        end as problem
    from payout_batches b
    left join payout_files f on f.merchant_id = b.merchant_id and f.batch_id = b.id
    cross join lateral (
        select
            string_agg(
                substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substring(bits from 5 * place + 1 for 5)::int + 1, 1), ''
                order by place
            ) as name
        from (select b'00' || ('x' || replace(b.id::text, '-', ''))::bit(128) as bits) as id
        cross join generate_series(0, 25) as place
    ) n
    where $1::uuid is null or b.merchant_id = $1
),
items as (
    select case when count(*) > 1 then format('%s items are called %s', count(*), sender_item_id) end as problem
    from payout_items
    where $1::uuid is null or merchant_id = $1
    group by sender_item_id
),
guards as (
    select
        case when t.tgenabled is distinct from 'O' then format('the guard %s of %s is not at work', g.name, g.guarded) end
            as problem
    from (
        values
            ('history_is_insert_only', 'payout_history'),
            ('audit_is_insert_only', 'audit_entries'),
            ('an_entry_is_chained', 'audit_entries'),
            ('links_are_insert_only', 'audit_links'),
            ('a_batch_keeps_its_name', 'payout_batches'),
            ('batches_are_kept', 'payout_batches'),
            ('an_item_keeps_its_amount', 'payout_items'),
            ('items_are_kept', 'payout_items'),
            ('an_allocation_is_released_once', 'allocations'),
            ('allocations_are_kept', 'allocations'),
            ('allocations_add_up', 'allocations'),
            ('only_money_that_is_here_is_released', 'allocations'),
            ('statements_are_insert_only', 'payout_statements'),
            ('reports_are_insert_only', 'payout_reports'),
            ('findings_are_insert_only', 'payout_findings'),
            ('a_file_keeps_its_name', 'payout_files'),
            ('files_are_kept', 'payout_files'),
            ('parts_are_insert_only', 'payout_file_parts'),
            ('parts_are_insert_only', 'dropzone_file_parts'),
            ('a_commission_stands', 'commissions'),
            ('commissions_are_kept', 'commissions')
    ) as g (name, guarded)
    left join pg_trigger t on t.tgrelid = to_regclass(g.guarded) and t.tgname = g.name
)
select
    'batches' as "things!",
    count(*) as "looked!",
    count(problem) as "broken!",
    (array_agg(problem) filter (where problem is not null))[1:5] as examples
from batches
union all
select 'names of items', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5] from items
union all
select 'guards', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5] from guards
