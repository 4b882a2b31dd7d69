with wanted as (
    select o.affiliate_id, o.currency, count(*) as commissions, sum(o.amount) as amount,
        bool_or(o.released_from is not null and is_contradicted(o.merchant_id, o.released_from)) as contradicted
    from selected_commissions s
    join owed o on o.merchant_id = s.merchant_id and o.commission_id = s.commission_id
    where s.merchant_id = $1 and s.selection_id = $2
    group by o.affiliate_id, o.currency
)
select
    w.affiliate_id as "affiliate!: AffiliateId",
    coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as "name!",
    a.receiver,
    payment_problem(a, w.contradicted, w.amount, coalesce(m.amount, r.minimum), $3) as problem,
    a.receiver_changed_at,
    w.currency as "currency!: Currency",
    w.commissions as "commissions!",
    w.amount as "amount!"
from wanted w
join affiliates a on a.merchant_id = $1 and a.id = w.affiliate_id
left join payment_rules r on r.merchant_id = $1 and r.currency = w.currency
left join affiliate_minimums m on m.merchant_id = $1 and m.affiliate_id = w.affiliate_id and m.currency = w.currency
order by w.currency, w.affiliate_id
