-- Connections of PayPal's old Mass Pay service, left behind by whatever paid before: a kind of connection beside those of
-- the Payouts API. It is in force like any other, so that there is one of them at any moment, and nothing is ever sent
-- through it. Its user name, password and signature are sealed together in `secret`.
alter table connections
    add column kind         text not null default 'rest' check (kind in ('rest', 'legacy_masspay')),
    add column upgraded_at  timestamptz,     -- a confirmed connection has taken its place
    add column reminded_at  timestamptz,     -- when the merchant's admins were last asked to upgrade it
    alter column client_id drop not null,
    alter column check_outcome drop not null,
    add constraint only_an_app_has_a_client_id check ((kind = 'rest') = (client_id is not null)),
    add constraint only_an_app_is_checked check ((kind = 'rest') = (check_outcome is not null)),
    add constraint only_a_legacy_connection_is_upgraded
        check (kind = 'legacy_masspay' or (upgraded_at is null and reminded_at is null)),
    add constraint what_was_upgraded_is_not_in_force check (upgraded_at is null or not in_force),
    add constraint what_is_not_in_force_keeps_no_legacy_secret check (kind = 'rest' or in_force or secret is null);
create unique index one_legacy_connection on connections (merchant_id) where kind = 'legacy_masspay';

-- Payments that were made through it are batches made outside, drafted when they are brought in. One whose end is not
-- known stands as exported until a person has decided.
alter table payout_batches
    add column legacy boolean not null default false,
    add constraint only_a_manual_batch_is_legacy check (not legacy or rail = 'manual');
create index legacy_batches on payout_batches (merchant_id) where legacy;

alter function attention(uuid, timestamptz, date, text[]) rename to attention_to_payments;
create function attention(uuid, timestamptz, date, text[])
    returns table (
        kind          text,
        who           integer,
        since         timestamptz,
        currency      text,
        amount        numeric,
        batch_id      uuid,
        item_id       uuid,
        affiliate_id  uuid,
        payments      bigint
    )
    language sql stable
as $$
    select * from attention_to_payments($1, $2, $3, $4)
    union all
    select 'legacy', 1, b.created_at, b.currency, b.total, b.id, null, null, b.items
    from payout_batches b
    where b.merchant_id = $1 and b.legacy and b.state = 'exported'
$$;

-- Who looks after the installation itself: not a role at any merchant. Merchants see who they are, since what they do
-- for a merchant stands in its audit log.
alter table people add column is_installation_admin boolean not null default false;
create policy installation_admins on people for select to stipend_merchant using (is_installation_admin);
grant select (is_installation_admin) on people to stipend_merchant;

-- Mails about the upgrade. They tell nothing of money, so they also go out where money is not real.
alter table mails drop constraint mails_kind_check, add constraint mails_kind_check
    check (kind in ('paid', 'unclaimed', 'not_paid', 'address_changed', 'attention', 'invitation', 'upgrade'));
alter table mail_kinds drop constraint mail_kinds_kind_check, add constraint mail_kinds_kind_check
    check (kind in ('paid', 'unclaimed', 'not_paid', 'address_changed', 'attention', 'invitation', 'upgrade'));

create or replace view mails_wanted with (security_invoker = true) as
select m.id as merchant_id, k.kind
from mail_carrier r
cross join merchants m
cross join (
    values ('paid'), ('unclaimed'), ('not_paid'), ('address_changed'), ('attention'), ('invitation'), ('upgrade')
) k (kind)
left join mail_kinds s on s.merchant_id = m.id and s.kind = k.kind
left join connections c on c.merchant_id = m.id and c.in_force
where coalesce(s.is_on, true)
    and (k.kind in ('invitation', 'upgrade')
        or r.takes_play_money
        or coalesce(m.environment, c.environment, 'live') = 'live');
