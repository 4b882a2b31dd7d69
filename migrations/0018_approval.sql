-- By which rules a merchant pays: how little, how much, after how long, and what a second person must approve.

alter table merchants
    -- Commissions that come in without a due date are due so many days after they were earned.
    add column waiting_days integer not null default 0 check (waiting_days between 0 and 365),
    -- An affiliate whose address changed is not paid for so many days.
    add column hold_days integer not null default 3 check (hold_days between 0 and 60);

-- Amounts, each in its own currency; null: no such rule.
create table payment_rules (
    merchant_id     uuid not null references merchants,
    currency        text not null,
    minimum         numeric(16, 2),     -- what is owed stays owed until it is so much
    per_payment     numeric(20, 2),     -- one click on Pay may come to so much …
    per_day         numeric(20, 2),     -- … and all of a day of the merchant's to so much
    approval_above  numeric(20, 2),     -- more than this needs a second person
    primary key (merchant_id, currency),
    constraint a_minimum_is_payable check (is_payable(minimum, currency)),
    constraint limits_are_payable check
        (is_payable(per_payment, currency) and is_payable(per_day, currency)),
    -- Zero: every payment.
    constraint an_approval_begins_somewhere check
        (approval_above >= 0 and approval_above = round(approval_above, currency_scale(currency)))
);
select protect('payment_rules', 'select, insert, update, delete');

-- The minimum of one affiliate, instead of the merchant's; zero: none.
create table affiliate_minimums (
    merchant_id   uuid not null,
    affiliate_id  uuid not null,
    currency      text not null,
    amount        numeric(16, 2) not null,
    primary key (merchant_id, affiliate_id, currency),
    foreign key (merchant_id, affiliate_id) references affiliates (merchant_id, id),
    constraint an_own_minimum_is_payable check (amount = 0 or is_payable(amount, currency))
);
select protect('affiliate_minimums', 'select, insert, update, delete');

-- Whoever takes over an address gets no money by it before the one who had it could say something: whatever changes the
-- address of an affiliate who had one holds their payments.
alter table affiliates add column held_until timestamptz;
create function a_changed_address_is_held() returns trigger
    language plpgsql
as $$
declare
    was constant text := lower(coalesce(old.paypal_email, old.email));
    becomes constant text := lower(coalesce(new.paypal_email, new.email));
begin
    if becomes is distinct from was and becomes is not null and (was is not null or old.receiver_changed_at is not null) then
        select greatest(old.held_until, new.updated_at + make_interval(days => hold_days)) into new.held_until
        from merchants
        where id = new.merchant_id and hold_days > 0;
        if not found then
            new.held_until := old.held_until;
        end if;
    end if;
    return new;
end
$$;
create trigger a_changed_address_is_held before update on affiliates
    for each row execute function a_changed_address_is_held();

-- Why a payment of this amount to this affiliate cannot be made at a moment, if it cannot: one place says so. The last two
-- are the merchant's rules and stop every way of paying; the others stop PayPal's.
create function payment_problem(a affiliates, contradicted boolean, amount numeric, minimum numeric, at timestamptz) returns text
    language sql immutable
    return case
        when (a).status <> 'active' then 'archived'
        when (a).receiver_refused is not null then 'refused'
        when contradicted then 'contradicted'
        when (a).receiver_problem is not null then (a).receiver_problem
        when (a).held_until > at then 'held'
        when amount < minimum then 'below_minimum'
    end;

-- The day of the merchant's that a payment counts for: that of the click, or of the approval. Null while it waits for that,
-- and where no money leaves.
alter table payout_requests add column counts_on date;
create index requests_of_a_day on payout_requests (merchant_id, counts_on) where counts_on is not null;

-- A prepared payment that a second person is asked to approve: one row a payment, kept.
create table payout_approvals (
    merchant_id     uuid not null references merchants,
    request_id      uuid not null,
    asked_by        uuid not null references people,
    asked_at        timestamptz not null,
    expires_at      timestamptz not null,
    affiliates      bigint not null,          -- how many are paid
    content_sha256  bytea not null check (length(content_sha256) = 32),   -- of all that will be paid
    changed_why     text check (length(changed_why) between 1 and 500),  -- what it stands on has changed since
    state           text not null default 'waiting' check (state in ('waiting', 'approved', 'sent_back', 'expired', 'changed')),
    ended_at        timestamptz,
    ended_by        uuid references people,
    why             text check (length(why) between 1 and 500),
    primary key (merchant_id, request_id),
    foreign key (merchant_id, request_id) references payout_requests (merchant_id, id),
    constraint an_approval_ends_at_a_time check ((state = 'waiting') = (ended_at is null)),
    constraint people_approve_and_send_back check ((ended_by is not null) = (state in ('approved', 'sent_back'))),
    constraint nobody_approves_their_own check (state <> 'approved' or ended_by <> asked_by),
    constraint what_has_changed_is_not_approved check (state <> 'approved' or changed_why is null),
    constraint an_approval_comes_in_time check (state <> 'approved' or ended_at < expires_at),
    constraint sending_back_has_its_reason check (state <> 'sent_back' or why is not null)
);
create index approvals_that_wait on payout_approvals (merchant_id, expires_at) where state = 'waiting';
select protect('payout_approvals');
create trigger approvals_are_kept before delete on payout_approvals for each statement execute function refuse_change();

create function an_approval_ends_once() returns trigger
    language plpgsql
as $$
begin
    if (old.merchant_id, old.request_id, old.asked_by, old.asked_at, old.expires_at, old.affiliates, old.content_sha256)
        is distinct from (new.merchant_id, new.request_id, new.asked_by, new.asked_at, new.expires_at, new.affiliates, new.content_sha256)
        or old.state <> 'waiting'
        or (old.changed_why is not null and new.changed_why is distinct from old.changed_why)
    then
        raise exception 'what was asked stays, and an approval ends once' using errcode = 'restrict_violation';
    end if;
    if new.state = 'approved' and not exists (
        select
        from memberships m
        where m.merchant_id = new.merchant_id
            and m.person_id = new.ended_by
            and m.role in ('approver', 'admin')
            and m.deactivated_at is null
    ) then
        raise exception 'who approves must be an approver' using errcode = 'check_violation', constraint = 'approvers_approve';
    end if;
    return new;
end
$$;
create trigger an_approval_ends_once before update on payout_approvals
    for each row execute function an_approval_ends_once();

alter table payout_batches
    add column waits_for_approval boolean not null default false,  -- stays so where nobody approved it
    add column approval_above numeric(20, 2),                      -- the rule when it was drafted, for `stipend verify`
    add constraint what_waits_for_approval_is_not_sent check
        (not waits_for_approval or (state in ('prepared', 'cancelled') and attempts = 0 and look_at is null));
create index batches_that_wait_for_approval on payout_batches (merchant_id, request_id)
    where waits_for_approval and state = 'prepared';

-- A payment that was made outside already needs nobody's approval; everything else carries the rule of its day.
create function a_batch_carries_its_rule() returns trigger
    language plpgsql
as $$
begin
    new.approval_above := (
        select r.approval_above
        from payment_rules r
        where r.merchant_id = new.merchant_id and r.currency = new.currency and new.state <> 'closed'
    );
    return new;
end
$$;
create trigger a_batch_carries_its_rule before insert on payout_batches
    for each row execute function a_batch_carries_its_rule();

-- A payment that comes to more than the rule in one of its currencies waits as a whole.
create function a_large_payment_waits_for_approval() returns trigger
    language plpgsql
as $$
begin
    if exists (
        select
        from (
            select b.merchant_id, b.request_id, bool_and(b.waits_for_approval) as waits, sum(b.total) > max(b.approval_above) as is_large
            from payout_batches b
            where (b.merchant_id, b.request_id) in (select d.merchant_id, d.request_id from drafted d)
            group by b.merchant_id, b.request_id, b.currency
        ) c
        group by merchant_id, request_id
        having bool_or(is_large) and not bool_and(waits)
    ) then
        raise exception 'a payment of this amount waits for approval'
            using errcode = 'check_violation', constraint = 'a_large_payment_waits_for_approval';
    end if;
    return null;
end
$$;
create trigger a_large_payment_waits_for_approval after insert on payout_batches
    referencing new table as drafted for each statement execute function a_large_payment_waits_for_approval();

-- It stops waiting only by an approval.
create function only_an_approval_lets_a_batch_go() returns trigger
    language plpgsql
as $$
begin
    if new.approval_above is distinct from old.approval_above
        or new.waits_for_approval
        or not exists (
            select
            from payout_approvals p
            where p.merchant_id = new.merchant_id and p.request_id = new.request_id and p.state = 'approved'
        )
    then
        raise exception 'batch % was not approved', new.number
            using errcode = 'check_violation', constraint = 'only_an_approval_lets_a_batch_go';
    end if;
    return new;
end
$$;
create trigger only_an_approval_lets_a_batch_go before update on payout_batches
    for each row
    when ((new.waits_for_approval, new.approval_above) is distinct from (old.waits_for_approval, old.approval_above))
    execute function only_an_approval_lets_a_batch_go();

-- What a waiting payment stands on. Whoever changes it ends the waiting; the worker then gives the money back.
create function a_change_ends_what_waits() returns trigger
    language plpgsql
as $$
begin
    if not exists (select from payout_approvals where state = 'waiting' and changed_why is null) then
        return null;
    end if;
    update payout_approvals p
    set changed_why = c.why
    from (
        select distinct on (b.merchant_id, b.request_id) b.merchant_id, b.request_id,
            left(n.sort_name, 300) || case
                when n.status <> o.status then ' was archived.'
                when n.receiver_refused is distinct from o.receiver_refused then ': PayPal refused the address.'
                else ': the PayPal address was changed.'
            end as why
        from new_affiliates n
        join old_affiliates o on o.merchant_id = n.merchant_id and o.id = n.id
        join payout_items i on i.merchant_id = n.merchant_id and i.affiliate_id = n.id
        join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
        where b.waits_for_approval
            and b.state = 'prepared'
            and ((n.status <> o.status and n.status <> 'active')
                or (n.receiver_refused is not null and o.receiver_refused is null)
                or lower(n.receiver) is distinct from lower(o.receiver))
    ) c
    where p.merchant_id = c.merchant_id and p.request_id = c.request_id and p.state = 'waiting' and p.changed_why is null;
    return null;
end
$$;
create trigger a_change_ends_what_waits after update on affiliates
    referencing old table as old_affiliates new table as new_affiliates
    for each statement execute function a_change_ends_what_waits();

create function a_gone_link_ends_what_waits() returns trigger
    language plpgsql
as $$
begin
    update payout_approvals p
    set changed_why = 'The connection to PayPal is not the one that it was prepared for.'
    from payout_batches b
    where b.merchant_id = new.merchant_id
        and new.id in (b.connection_id, b.dropzone_id)
        and b.waits_for_approval
        and b.state = 'prepared'
        and p.merchant_id = b.merchant_id
        and p.request_id = b.request_id
        and p.state = 'waiting'
        and p.changed_why is null;
    return null;
end
$$;
create trigger a_gone_connection_ends_what_waits after update on connections
    for each row when (old.in_force and not new.in_force) execute function a_gone_link_ends_what_waits();
create trigger a_gone_dropzone_ends_what_waits after update on dropzones
    for each row when (old.in_force and not new.in_force) execute function a_gone_link_ends_what_waits();

-- Approvals are a kind of mail, beside whichever there are.
alter table mails drop constraint mails_kind_check, add constraint mails_kind_check check (kind in
    ('paid', 'unclaimed', 'not_paid', 'address_changed', 'attention', 'approval', 'invitation', 'upgrade'));
alter table mail_kinds drop constraint mail_kinds_kind_check, add constraint mail_kinds_kind_check check (kind in
    ('paid', 'unclaimed', 'not_paid', 'address_changed', 'attention', 'approval', 'invitation', 'upgrade'));

create or replace view mails_wanted with (security_invoker = true) as
select m.id as merchant_id, k.kind
from mail_carrier r
cross join merchants m
cross join (
    values
        ('paid'), ('unclaimed'), ('not_paid'), ('address_changed'), ('attention'), ('approval'), ('invitation'), ('upgrade')
) k (kind)
left join mail_kinds s on s.merchant_id = m.id and s.kind = k.kind
left join connections c on c.merchant_id = m.id and c.in_force
where coalesce(s.is_on, true)
    and (k.kind in ('invitation', 'upgrade')
        or r.takes_play_money
        or coalesce(m.environment, c.environment, 'live') = 'live');

-- What waits for approval waits for somebody.
alter function attention(uuid, timestamptz, date, text[]) rename to attention_but_approvals;
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
    select a.*
    from attention_but_approvals($1, $2, $3, $4) a
    -- Nobody could let go what waits.
    where a.kind <> 'prepared'
        or not exists (select from payout_batches b where b.merchant_id = $1 and b.id = a.batch_id and b.waits_for_approval)
    union all
    select 'approval', 1, p.asked_at, b.currency, b.total, b.id, null, null, b.items
    from payout_batches b
    join payout_approvals p on p.merchant_id = b.merchant_id and p.request_id = b.request_id
    where b.merchant_id = $1 and b.waits_for_approval and b.state = 'prepared' and p.state = 'waiting'
$$;
