-- Takes mails that are due, with all that their texts may say: once a claim, so that nothing is looked up while they
-- are sent.
with next as (
    select id
    from mails
    where merchant_id = $1 and state = 'waiting' and due_at <= $2
    order by due_at
    limit $4
    for update skip locked
),
claimed as (
    update mails l
    set attempts = l.attempts + 1, due_at = $3
    from next
    where l.merchant_id = $1 and l.id = next.id
    returning l.*
)
select
    l.id as "id!",
    l.kind as "kind!: Kind",
    l.recipient as "recipient!",
    l.attempts as "attempts!",
    l.created_at as "created_at!",
    l.details ->> 'old' as old,
    l.details ->> 'new' as new,
    l.details ->> 'news' as news,
    m.name as merchant,
    coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as name,
    i.amount as "amount?",
    i.currency as "currency?: Currency",
    i.receiver as "receiver?",
    i.state as "state?",
    i.wait,
    i.not_paid,
    i.error_name,
    i.cancel_asked_at is not null as taken_back,
    to_char((coalesce(i.time_processed, i.changed_at) + interval '30 days') at time zone z.zone, 'FMDD Mon YYYY') as deadline,
    b.number as "batch?",
    b.rail as "rail?",
    b.reference,
    s.subject,
    s.body,
    w.kind is not null as "wanted!",
    v.id as "invitation?: InvitationId",
    v.sendings as "sending?",
    v.accepted_at is null and v.revoked_at is null and v.expires_at > $2
        and v.sendings = (l.details ->> 'sending')::int as invites,
    coalesce(nullif(g.name, ''), g.email) as inviter,
    v.role as "role?",
    coalesce(b.legacy, false) as "legacy!",
    l.kind = 'upgrade' and (l.details ->> 'reminds')::boolean and not exists (
        select from connections c where c.merchant_id = l.merchant_id and c.in_force and c.kind = 'legacy_masspay'
    ) as upgraded,
    to_char(coalesce(v.expires_at, p.expires_at) at time zone z.zone, 'FMDD Mon YYYY') as until,
    p.request_id as "request?: RequestId",
    p.state = 'waiting' as approves,
    coalesce(nullif(k.name, ''), k.email) as asker,
    l.details ->> 'amounts' as amounts,
    l.details ->> 'affiliates' as affiliates
from claimed l
join merchants m on m.id = l.merchant_id
join merchant_zones z on z.merchant_id = l.merchant_id
left join affiliates a on a.merchant_id = l.merchant_id and a.id = l.affiliate_id
left join payout_items i on i.merchant_id = l.merchant_id and i.id = l.item_id
left join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
left join mail_kinds s on s.merchant_id = l.merchant_id and s.kind = l.kind
left join invitations v on v.merchant_id = l.merchant_id and v.id = (l.details ->> 'invitation')::uuid
left join people g on g.id = v.invited_by
left join payout_approvals p on p.merchant_id = l.merchant_id and p.request_id = (l.details ->> 'request')::uuid
left join people k on k.id = p.asked_by
left join mails_wanted w on w.merchant_id = l.merchant_id and w.kind = l.kind
