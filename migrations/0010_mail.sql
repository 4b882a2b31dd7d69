-- E-mail, and what was paid on which day. Both follow the rows that they tell of by triggers, once a statement: whatever
-- moves an item, a mail about it and its day's sum are true together with the move or not at all.

-- How mails leave, told by the program when it starts; without a row nothing leaves, and none is written.
create table mail_carrier (
    only_row          boolean primary key default true check (only_row),
    takes_play_money  boolean not null      -- a folder does; people never get mails about money that is not real
);
grant select on mail_carrier to stipend_merchant;
grant select, insert, update, delete on mail_carrier to stipend_installation;

-- What a merchant changed about one kind of mail; without a row it is on and has its standard text.
create table mail_kinds (
    merchant_id  uuid not null references merchants,
    kind         text not null check (kind in ('paid', 'unclaimed', 'not_paid', 'address_changed', 'attention')),
    is_on        boolean not null,
    subject      text check (length(subject) between 1 and 200),    -- null: the standard text
    body         text check (length(body) between 1 and 5000),
    recipient    text check (length(recipient) between 3 and 254),  -- null: every admin
    primary key (merchant_id, kind),
    constraint a_text_is_changed_as_a_whole check ((subject is null) = (body is null)),
    constraint only_the_merchants_own_mail_has_a_recipient check (recipient is null or kind = 'attention')
);
select protect('mail_kinds');

-- Which mails are written: the carrier takes them, and the merchant has not switched them off.
create view mails_wanted with (security_invoker = true) as
select m.id as merchant_id, k.kind
from mail_carrier r
cross join merchants m
cross join (values ('paid'), ('unclaimed'), ('not_paid'), ('address_changed'), ('attention')) k (kind)
left join mail_kinds s on s.merchant_id = m.id and s.kind = k.kind
left join connections c on c.merchant_id = m.id and c.in_force
where coalesce(s.is_on, true)
    and (r.takes_play_money or coalesce(m.environment, c.environment, 'live') = 'live');
grant select on mails_wanted to stipend_merchant, stipend_installation;

-- The outbox. Its text is made when it is sent, so that what is no longer true is not said.
create table mails (
    merchant_id   uuid not null references merchants,
    id            uuid not null,
    kind          text not null check (kind in ('paid', 'unclaimed', 'not_paid', 'address_changed', 'attention')),
    about         text not null,            -- what it tells of; it is told once
    recipient     text not null,
    affiliate_id  uuid,
    item_id       uuid,
    details       jsonb not null default '{}',
    created_at    timestamptz not null,
    due_at        timestamptz,              -- when it is sent next; a claim moves it by its lease
    state         text not null default 'waiting' check (state in ('waiting', 'sent', 'dropped', 'given_up')),
    attempts      integer not null default 0,
    ended_at      timestamptz,
    trouble       text,                     -- why the last attempt failed, or why it was dropped
    primary key (merchant_id, id),
    constraint a_mail_is_told_once unique (merchant_id, about),
    constraint only_a_waiting_mail_is_due check ((state = 'waiting') = (due_at is not null)),
    constraint an_ended_mail_has_its_time check ((state = 'waiting') = (ended_at is null))
);
create index mails_to_send on mails (due_at) where state = 'waiting';
create index mails_by_age on mails (merchant_id, created_at);
create index mails_not_sent on mails (merchant_id, state) where state in ('waiting', 'given_up');
select protect('mails');

-- What the merchant is told next, gathered into one mail at a time.
create table mail_news (
    merchant_id  uuid not null references merchants,
    id           bigint generated always as identity,
    at           timestamptz not null,
    what         text not null,
    batch_id     uuid,
    items        bigint not null,
    primary key (merchant_id, id)
);
select protect('mail_news', 'select, insert, delete');

-- What was paid on which day where the merchant is: sums that are only ever added to, so that no two statements wait
-- for each other. `stipend verify` recomputes them.
create table paid_sums (
    merchant_id  uuid not null,
    currency     text not null,
    paid_on      date not null,
    payments     bigint not null,
    amount       numeric not null
);
create index paid_sums_by_day on paid_sums (merchant_id, paid_on) include (currency, payments, amount);
select protect('paid_sums', 'select, insert');

-- How the items of a batch stand, kept in the same way: a page of batches need not read their items.
create table batch_sums (
    merchant_id  uuid not null,
    batch_id     uuid not null,
    outcome      text not null,
    flagged      boolean not null,
    items        bigint not null,
    amount       numeric not null,
    fees         numeric not null           -- in the batch's currency
);
create index sums_of_a_batch on batch_sums (merchant_id, batch_id);
select protect('batch_sums', 'select, insert');

-- "queued", "paid", "unpaid", what an open item waits for, or "came_back": a person has yet to decide.
create function item_outcome(state text, wait text, not_paid text, decided text) returns text
    language sql immutable parallel safe
    return case
        when not_paid in ('blocked', 'refunded', 'reversed') and decided is null then 'came_back'
        else coalesce(wait, state)
    end;

create index items_by_payment on payout_items (merchant_id, coalesce(time_processed, changed_at)) where state = 'paid';
create index items_in_flight on payout_items (merchant_id, batch_id) include (currency, amount, state, flagged)
    where state in ('queued', 'open');
create index items_to_decide on payout_items (merchant_id) include (currency, amount)
    where not_paid in ('blocked', 'refunded', 'reversed') and decided is null;
create index items_unpaid on payout_items (merchant_id, batch_id) where state = 'unpaid';
create index items_unclaimed on payout_items (changed_at) where wait = 'unclaimed';

-- A zone that the application knows and this server does not must not stop a payment from being recorded.
create function known_zone(zone text) returns text
    language plpgsql stable
as $$
begin
    perform now() at time zone zone;
    return zone;
exception when invalid_parameter_value then
    return 'UTC';
end
$$;

create view merchant_zones with (security_invoker = true) as
select id as merchant_id, known_zone(time_zone) as zone
from merchants;
grant select on merchant_zones to stipend_merchant, stipend_installation;

create function items_were_added() returns trigger
    language plpgsql
as $$
begin
    insert into paid_sums (merchant_id, currency, paid_on, payments, amount)
    select n.merchant_id, n.currency, (coalesce(n.time_processed, n.changed_at) at time zone z.zone)::date, count(*), sum(n.amount)
    from new_items n
    join (select merchant_id, zone from merchant_zones offset 0) z on z.merchant_id = n.merchant_id
    where n.state = 'paid'
    group by 1, 2, 3;

    insert into batch_sums (merchant_id, batch_id, outcome, flagged, items, amount, fees)
    select merchant_id, batch_id, item_outcome(state, wait, not_paid, decided), flagged is not null, count(*), sum(amount),
        coalesce(sum(fee) filter (where fee_currency = currency), 0)
    from new_items
    group by 1, 2, 3, 4;

    -- Marked as paid outside at once. A mistake can be put back for a while before anybody is told.
    insert into mails (merchant_id, id, kind, about, recipient, affiliate_id, item_id, created_at, due_at)
    select n.merchant_id, gen_random_uuid(), 'paid', 'paid ' || n.id, coalesce(a.email, a.receiver), a.id, n.id, n.changed_at,
        n.changed_at + interval '10 minutes'
    from new_items n
    join mails_wanted w on w.merchant_id = n.merchant_id and w.kind = 'paid'
    join affiliates a on a.merchant_id = n.merchant_id and a.id = n.affiliate_id
    where n.state = 'paid' and coalesce(a.email, a.receiver) is not null
    on conflict do nothing;
    return null;
end
$$;
create trigger items_were_added after insert on payout_items
    referencing new table as new_items for each statement execute function items_were_added();

create function items_have_moved() returns trigger
    language plpgsql
as $$
begin
    insert into paid_sums (merchant_id, currency, paid_on, payments, amount)
    select p.merchant_id, p.currency, (p.at at time zone z.zone)::date, sum(p.one), sum(p.one * p.amount)
    from (
        select merchant_id, currency, amount, coalesce(time_processed, changed_at) as at, 1 as one from new_items where state = 'paid'
        union all
        select merchant_id, currency, amount, coalesce(time_processed, changed_at), -1 from old_items where state = 'paid'
    ) p
    join (select merchant_id, zone from merchant_zones offset 0) z on z.merchant_id = p.merchant_id
    group by 1, 2, 3
    having sum(p.one) <> 0 or sum(p.one * p.amount) <> 0;

    insert into batch_sums (merchant_id, batch_id, outcome, flagged, items, amount, fees)
    select merchant_id, batch_id, item_outcome(state, wait, not_paid, decided), flagged is not null, sum(one), sum(one * amount),
        coalesce(sum(one * fee) filter (where fee_currency = currency), 0)
    from (
        select merchant_id, batch_id, state, wait, not_paid, decided, flagged, amount, fee, fee_currency, currency, 1 as one from new_items
        union all
        select merchant_id, batch_id, state, wait, not_paid, decided, flagged, amount, fee, fee_currency, currency, -1 from old_items
    ) moved
    group by 1, 2, 3, 4
    having sum(one) <> 0 or sum(one * amount) <> 0 or coalesce(sum(one * fee) filter (where fee_currency = currency), 0) <> 0;

    -- Of what failed, the sending tells the affiliate only what the affiliate can mend.
    insert into mails (merchant_id, id, kind, about, recipient, affiliate_id, item_id, created_at, due_at)
    select n.merchant_id, gen_random_uuid(), k.kind, k.kind || ' ' || n.id, coalesce(a.email, a.receiver), a.id, n.id,
        n.changed_at, n.changed_at + case b.rail when 'manual' then interval '10 minutes' else interval '0' end
    from new_items n
    join old_items o on o.merchant_id = n.merchant_id and o.id = n.id
    cross join lateral (
        select case
            when n.state = 'paid' then 'paid'
            when n.not_paid in ('failed', 'returned') then 'not_paid'
        end as kind
    ) k
    join mails_wanted w on w.merchant_id = n.merchant_id and w.kind = k.kind
    join affiliates a on a.merchant_id = n.merchant_id and a.id = n.affiliate_id
    join payout_batches b on b.merchant_id = n.merchant_id and b.id = n.batch_id
    where n.state <> o.state and coalesce(a.email, a.receiver) is not null
    on conflict do nothing;

    insert into mail_news (merchant_id, at, what, batch_id, items)
    select n.merchant_id, max(n.changed_at), k.what, n.batch_id, count(*)
    from new_items n
    join old_items o on o.merchant_id = n.merchant_id and o.id = n.id
    cross join lateral (
        select case
            when n.flagged is not null and o.flagged is null then 'flagged'
            when n.state <> o.state and n.not_paid in
                ('failed', 'returned', 'blocked', 'refunded', 'reversed', 'batch_denied', 'batch_canceled') then n.not_paid
        end as what
    ) k
    join mails_wanted w on w.merchant_id = n.merchant_id and w.kind = 'attention'
    where k.what is not null
    group by n.merchant_id, n.batch_id, k.what;
    return null;
end
$$;
create trigger items_have_moved after update on payout_items
    referencing old table as old_items new table as new_items for each statement execute function items_have_moved();

create function commissions_paid_before_are_summed() returns trigger
    language plpgsql
as $$
begin
    insert into paid_sums (merchant_id, currency, paid_on, payments, amount)
    select merchant_id, currency, paid_before_on, count(*), sum(amount)
    from added
    where paid_before_on is not null
    group by 1, 2, 3;
    return null;
end
$$;
create trigger commissions_paid_before_are_summed after insert on commissions
    referencing new table as added for each statement execute function commissions_paid_before_are_summed();

-- Whoever changes where money goes is seen by the one it went to.
create function a_changed_address_is_told() returns trigger
    language plpgsql
as $$
begin
    insert into mails (merchant_id, id, kind, about, recipient, affiliate_id, details, created_at, due_at)
    select n.merchant_id, gen_random_uuid(), 'address_changed',
        format('address of %s, version %s, to %s', n.id, n.version, lower(r.recipient)), r.recipient, n.id,
        jsonb_build_object('old', o.receiver, 'new', n.receiver), n.updated_at, n.updated_at
    from new_affiliates n
    join old_affiliates o on o.merchant_id = n.merchant_id and o.id = n.id
    cross join lateral (values (o.receiver), (n.receiver)) r (recipient)
    join mails_wanted w on w.merchant_id = n.merchant_id and w.kind = 'address_changed'
    where o.receiver is not null and lower(o.receiver) is distinct from lower(n.receiver) and r.recipient is not null
    on conflict do nothing;
    return null;
end
$$;
create trigger a_changed_address_is_told after update on affiliates
    referencing old table as old_affiliates new table as new_affiliates
    for each statement execute function a_changed_address_is_told();

create function a_stopped_batch_is_news() returns trigger
    language plpgsql
as $$
begin
    insert into mail_news (merchant_id, at, what, batch_id, items)
    select w.merchant_id, new.changed_at, new.state, new.id, new.items
    from mails_wanted w
    where w.merchant_id = new.merchant_id and w.kind = 'attention';
    return null;
end
$$;
create trigger a_stopped_batch_is_news after update on payout_batches
    for each row when (new.state in ('stuck', 'refused') and new.state <> old.state)
    execute function a_stopped_batch_is_news();

create function a_pause_is_news() returns trigger
    language plpgsql
as $$
begin
    insert into mail_news (merchant_id, at, what, items)
    select w.merchant_id, new.paused_at, 'paused', 0
    from mails_wanted w
    where w.merchant_id = new.merchant_id and w.kind = 'attention';
    return null;
end
$$;
create trigger a_pause_is_news after update on connections
    for each row when (new.paused_at is not null and old.paused_at is null)
    execute function a_pause_is_news();

-- What there was before these tables.
insert into batch_sums (merchant_id, batch_id, outcome, flagged, items, amount, fees)
select merchant_id, batch_id, item_outcome(state, wait, not_paid, decided), flagged is not null, count(*), sum(amount),
    coalesce(sum(fee) filter (where fee_currency = currency), 0)
from payout_items
group by 1, 2, 3, 4;
insert into paid_sums (merchant_id, currency, paid_on, payments, amount)
select i.merchant_id, i.currency, (coalesce(i.time_processed, i.changed_at) at time zone z.zone)::date, count(*), sum(i.amount)
from payout_items i
join merchant_zones z on z.merchant_id = i.merchant_id
where i.state = 'paid'
group by 1, 2, 3
union all
select merchant_id, currency, paid_before_on, count(*), sum(amount)
from commissions
where paid_before_on is not null
group by 1, 2, 3;
