-- What is owed.
--
-- `commissions` holds what was earned and never changes but to be cancelled. `owed` holds one narrow row for each
-- commission that is neither paid, nor being paid, nor cancelled: what is due or upcoming is found here without
-- reading what was ever paid. Whoever takes a commission deletes its row (which is also the lock); whoever gives it
-- back inserts it again. `owed_tally` keeps its sums per currency and day. `stipend verify` recomputes both.
--
-- References from these large tables are checked once a statement by a trigger, not once a row by a foreign key: a
-- million rows cost one hash join instead of a million look-ups. The rows referred to are never deleted.

create function currency_scale(currency text) returns integer
    language sql immutable parallel safe
    return case when currency in ('HUF', 'JPY', 'TWD') then 0 else 2 end;

-- PayPal's list of payout currencies is closed; an amount is positive and no finer than its currency's scale.
create function is_payable(amount numeric, currency text) returns boolean
    language sql immutable parallel safe
    return amount > 0 and amount < 1000000000000 and amount = round(amount, currency_scale(currency)) and currency in (
        'AUD', 'BRL', 'CAD', 'CNY', 'CZK', 'DKK', 'EUR', 'GBP', 'HKD', 'HUF', 'ILS', 'JPY',
        'MXN', 'MYR', 'NOK', 'NZD', 'PHP', 'PLN', 'SEK', 'SGD', 'CHF', 'THB', 'TWD', 'USD');

create table commissions (
    merchant_id     uuid not null,
    id              uuid not null,
    affiliate_id    uuid not null,
    amount          numeric(16, 2) not null,
    currency        text not null,
    due_on          date not null,          -- payable from this day on, in the merchant's time zone
    reference       text not null check (length(reference) between 1 and 128),
    note            text not null default '' check (length(note) <= 1000),
    import_id       uuid,                   -- null: entered by hand
    paid_before_on  date,                   -- imported as already paid elsewhere on this day; never owed here
    created_at      timestamptz not null,
    cancelled_at    timestamptz,
    cancelled_why   text,
    primary key (merchant_id, id),
    constraint the_amount_is_payable check (is_payable(amount, currency)),
    constraint paid_or_cancelled_not_both check (paid_before_on is null or cancelled_at is null)
);
create unique index one_commission_per_reference on commissions (merchant_id, reference);
create index commissions_of_an_affiliate on commissions (merchant_id, affiliate_id, id);
-- The few that the lists of what was cancelled, and of what was paid elsewhere before, go through.
create index cancelled_commissions on commissions (merchant_id, id) where cancelled_at is not null;
create index commissions_paid_before on commissions (merchant_id, id) where paid_before_on is not null;
select protect('commissions');

create function commissions_belong_to_affiliates() returns trigger
    language plpgsql
as $$
begin
    if exists (
        select from added c
        left join affiliates a on a.merchant_id = c.merchant_id and a.id = c.affiliate_id
        where a.id is null
    ) then
        raise exception 'a commission names an affiliate that this merchant does not have'
            using errcode = 'foreign_key_violation', constraint = 'commissions_belong_to_affiliates';
    end if;
    return null;
end
$$;
create trigger commissions_belong_to_affiliates after insert on commissions
    referencing new table as added
    for each statement execute function commissions_belong_to_affiliates();

-- What was earned stands: only a cancellation may be added, once.
create function a_commission_stands() returns trigger
    language plpgsql
as $$
begin
    if (old.merchant_id, old.id, old.affiliate_id, old.amount, old.currency, old.due_on, old.reference, old.paid_before_on, old.created_at)
        is distinct from (new.merchant_id, new.id, new.affiliate_id, new.amount, new.currency, new.due_on, new.reference, new.paid_before_on, new.created_at)
        or old.cancelled_at is not null
    then
        raise exception 'a commission can only be cancelled, once' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
create trigger a_commission_stands before update on commissions for each row execute function a_commission_stands();
create trigger commissions_are_kept before delete on commissions for each statement execute function refuse_change();

create table owed (
    merchant_id    uuid not null,
    commission_id  uuid not null,
    affiliate_id   uuid not null,
    currency       text not null,
    due_on         date not null,
    amount         numeric(16, 2) not null,
    constraint a_commission_is_owed_once primary key (merchant_id, commission_id)
);
create index owed_by_affiliate on owed (merchant_id, affiliate_id, currency, due_on) include (commission_id, amount);
select protect('owed', 'select, insert, delete');

create table owed_tally (
    merchant_id  uuid not null,
    currency     text not null,
    due_on       date not null,
    commissions  bigint not null check (commissions >= 0),
    amount       numeric not null check (amount >= 0),
    primary key (merchant_id, currency, due_on)
);
select protect('owed_tally');

create function tally_owed() returns trigger
    language plpgsql
as $$
declare
    direction constant integer := case tg_op when 'INSERT' then 1 else -1 end;
begin
    -- In key order, so that two statements take the tally's row locks in the same order.
    insert into owed_tally as tally (merchant_id, currency, due_on, commissions, amount)
    select merchant_id, currency, due_on, 0, 0
    from changed
    group by merchant_id, currency, due_on
    order by merchant_id, currency, due_on
    on conflict do nothing;

    perform
    from owed_tally
    where (merchant_id, currency, due_on) in (select merchant_id, currency, due_on from changed)
    order by merchant_id, currency, due_on
    for update;

    update owed_tally as tally
    set commissions = tally.commissions + direction * delta.commissions,
        amount = tally.amount + direction * delta.amount
    from (
        select merchant_id, currency, due_on, count(*) as commissions, sum(amount) as amount
        from changed
        group by merchant_id, currency, due_on
    ) delta
    where (tally.merchant_id, tally.currency, tally.due_on) = (delta.merchant_id, delta.currency, delta.due_on);
    return null;
end
$$;
create trigger owed_is_tallied_in after insert on owed
    referencing new table as changed for each statement execute function tally_owed();
create trigger owed_is_tallied_out after delete on owed
    referencing old table as changed for each statement execute function tally_owed();
