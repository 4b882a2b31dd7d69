-- A payment that PayPal shows is unknown until a person has settled it, or until it turns out to be one of ours after all:
-- a batch that was followed had not told its transactions yet.
create view still_unknown with (security_invoker = true) as
select u.*
from unknown_payments u
where u.settled_at is null
    and not exists (
        select from payout_items i
        where i.merchant_id = u.merchant_id and (i.transaction_id = u.name or i.paypal_item_id = u.name)
    );
grant select on still_unknown to stipend_merchant, stipend_installation;

create or replace function nothing_is_signed_off_while_unknown() returns trigger
    language plpgsql
as $$
begin
    if new.signed_at is not null and old.signed_at is null then
        if exists (select from still_unknown u where u.merchant_id = new.merchant_id and u.restoration_id = new.id)
            or not exists (select from restoration_reports r
                where r.merchant_id = new.merchant_id and r.restoration_id = new.id)
        then
            raise exception 'a restoration is signed off once a report is in and every payment of it is settled'
                using errcode = 'restrict_violation';
        end if;
    end if;
    return new;
end
$$;
