-- Whoever asked for an approval is told what came of it.

alter table mails drop constraint mails_kind_check, add constraint mails_kind_check check (kind in
    ('paid', 'unclaimed', 'not_paid', 'address_changed', 'attention', 'approval', 'answer', 'invitation', 'upgrade'));
alter table mail_kinds drop constraint mail_kinds_kind_check, add constraint mail_kinds_kind_check check (kind in
    ('paid', 'unclaimed', 'not_paid', 'address_changed', 'attention', 'approval', 'answer', 'invitation', 'upgrade'));

create or replace view mails_wanted with (security_invoker = true) as
select m.id as merchant_id, k.kind
from mail_carrier r
cross join merchants m
cross join (
    values
        ('paid'), ('unclaimed'), ('not_paid'), ('address_changed'), ('attention'), ('approval'), ('answer'),
        ('invitation'), ('upgrade')
) k (kind)
left join mail_kinds s on s.merchant_id = m.id and s.kind = k.kind
left join connections c on c.merchant_id = m.id and c.in_force
where coalesce(s.is_on, true)
    and (k.kind in ('invitation', 'upgrade')
        or r.takes_play_money
        or coalesce(m.environment, c.environment, 'live') = 'live');
