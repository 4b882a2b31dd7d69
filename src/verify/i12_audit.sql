-- Who changed what is one chain: every entry has one link, the links are numbered without a gap, each hash is that of
-- the link before it and of what the entry says, and the chain ends where its head says. The formula stands here once
-- more, on purpose: the function that writes the chain may have been replaced.
with links as (
    select
        case
            when l.number <> row_number() over chain then format('link %s of merchant %s follows a gap', l.number, l.merchant_id)
            when e.id is null then format('entry %s of merchant %s is missing', l.number, l.merchant_id)
            when l.hash <> sha256(coalesce(lag(l.hash) over chain, '') || convert_to(jsonb_build_array(
                    l.number, e.merchant_id, e.id, (extract(epoch from e.at) * 1000000)::bigint, e.person_id,
                    e.address, e.action, e.object, e.details
                )::text, 'UTF8')) then
                format('entry %s of merchant %s is not what was chained', l.number, l.merchant_id)
        end as problem
    from audit_links l
    left join audit_entries e on e.merchant_id = l.merchant_id and e.id = l.entry_id
    where $1::uuid is null or l.merchant_id = $1
    window chain as (partition by l.merchant_id order by l.number)
),
entries as (
    select case when l.entry_id is null then format('the entry %s of merchant %s was put in beside the chain', e.id, e.merchant_id) end
        as problem
    from audit_entries e
    left join audit_links l on l.merchant_id = e.merchant_id and l.entry_id = e.id
    where $1::uuid is null or e.merchant_id = $1
),
chains as (
    select
        case when h.number is distinct from l.number or h.hash is distinct from l.hash then
            format('the chain of merchant %s ends at entry %s, but its head is at %s', coalesce(h.merchant_id, l.merchant_id),
                coalesce(l.number, 0), coalesce(h.number, 0))
        end as problem
    from audit_heads h
    full join (
        select distinct on (merchant_id) merchant_id, number, hash
        from audit_links
        order by merchant_id, number desc
    ) l on l.merchant_id = h.merchant_id
    where $1::uuid is null or coalesce(h.merchant_id, l.merchant_id) = $1
    union all
    -- Whoever has people has entries: the first of them was entered.
    select format('merchant %s has people and no entry at all', m.merchant_id)
    from (select distinct merchant_id from memberships) m
    where ($1::uuid is null or m.merchant_id = $1)
        and not exists (select from audit_links l where l.merchant_id = m.merchant_id)
)
select
    'audit entries' as "things!",
    count(*) as "looked!",
    count(problem) as "broken!",
    (array_agg(problem) filter (where problem is not null))[1:5] as examples
from entries
union all
select 'links', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5] from links
union all
select 'chains', count(*), count(problem), (array_agg(problem) filter (where problem is not null))[1:5] from chains
