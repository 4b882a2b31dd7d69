-- Commissions in, money out, exactly once. The rows are the queue: a worker finds batches that are due and pushes each
-- one step further.

-- What a person ticked, frozen when they went to the review. Its id becomes the payout request's id, so that a form
-- posted twice finds the first request.
create table selections (
    merchant_id   uuid not null references merchants,
    id            uuid not null,
    person_id     uuid references people,
    created_at    timestamptz not null,
    through       date not null,
    retry_of      uuid,                     -- the batch whose unpaid rest this is
    primary key (merchant_id, id)
);
create index selections_by_age on selections (created_at);
select protect('selections', 'select, insert, update, delete');

create table selected_commissions (
    merchant_id    uuid not null,
    selection_id   uuid not null,
    affiliate_id   uuid not null,
    currency       text not null,
    commission_id  uuid not null,
    amount         numeric(16, 2) not null,
    primary key (merchant_id, selection_id, commission_id)
);
select protect('selected_commissions', 'select, insert, delete');

-- One click on Pay.
create table payout_requests (
    merchant_id  uuid not null references merchants,
    id           uuid not null,              -- the selection's id
    person_id    uuid references people,     -- null: the program itself
    created_at   timestamptz not null,
    asked        bytea not null,             -- SHA-256 of what was asked: the same id with another content is refused
    rail         text not null check (rail in ('api', 'file', 'manual')),
    subject      text not null default '' check (length(subject) <= 255),   -- of PayPal's mail to the recipients
    message      text not null default '' check (length(message) <= 1000),
    released_at  timestamptz,                -- null while it waits for approval or its time
    primary key (merchant_id, id)
);
select protect('payout_requests');

create table payout_batches (
    merchant_id      uuid not null references merchants,
    id               uuid not null,
    number           bigint not null,        -- what people call it; counts per merchant
    request_id       uuid not null,
    part             integer not null check (part >= 1),
    rail             text not null check (rail in ('api', 'file', 'manual')),
    environment      text not null,
    connection_id    uuid,
    currency         text not null,
    items            integer not null check (items between 1 and 15000),
    total            numeric(20, 2) not null check (total > 0),

    -- Frozen before the first attempt, see a_batch_keeps_its_name.
    sender_batch_id  text not null unique check (sender_batch_id ~ '^[0-9A-HJKMNP-TV-Z]{26}$'),
    body             bytea,
    body_sha256      bytea not null check (length(body_sha256) = 32),

    state            text not null check (state in
        ('prepared', 'ready', 'submitting', 'accepted', 'closed', 'refused', 'stuck', 'cancelled', 'exported')),
    changed_at       timestamptz not null,
    look_at          timestamptz,            -- when the worker looks at it next
    first_attempt_at timestamptz,
    attempts         integer not null default 0,
    fence            bigint not null default 0,
    owner            uuid,                   -- the instance that holds the lease
    doubted_at       timestamptz,            -- an attempt's fate is unknown since; only an acceptance or a person ends it
    paypal_batch_id  text unique,
    paypal_status    text,
    accepted_at      timestamptz,
    settled_at       timestamptz,            -- PayPal finished processing: the batch is no longer in flight
    polls            integer not null default 0,
    trouble          text,                   -- why the last reading failed; empty after a good one
    why              text,                   -- of refused and stuck: PayPal's name or our sentence
    why_details      jsonb,
    reference        text,                   -- manual rail: where the merchant can find the payment
    created_at       timestamptz not null,

    primary key (merchant_id, id),
    unique (merchant_id, request_id, part),
    unique (merchant_id, number),
    foreign key (merchant_id, request_id) references payout_requests (merchant_id, id),
    foreign key (merchant_id, connection_id) references connections (merchant_id, id),
    constraint the_first_batch_fixes_the_environment
        foreign key (merchant_id, environment) references merchants (id, environment),
    constraint only_a_manual_batch_has_no_connection check ((rail = 'manual') = (connection_id is null)),
    constraint an_api_batch_has_its_body check ((rail = 'api') = (body is not null)),
    constraint a_manual_batch_is_never_sent check (rail <> 'manual' or state in ('prepared', 'exported', 'closed', 'cancelled')),
    constraint only_a_manual_batch_is_exported check (state <> 'exported' or rail = 'manual'),
    constraint an_attempt_has_its_time check ((attempts = 0) = (first_attempt_at is null)),
    constraint an_unclaimed_batch_was_never_attempted check (state not in ('prepared', 'cancelled', 'exported') or attempts = 0),
    constraint submitting_has_a_time_to_look check (state <> 'submitting' or (look_at is not null and attempts > 0)),
    constraint accepted_has_paypals_id check (state <> 'accepted' or paypal_batch_id is not null),
    constraint doubt_frees_nothing check (state <> 'refused' or doubted_at is null),
    constraint an_end_has_its_reason check (state not in ('refused', 'stuck') or why is not null)
);
create index batches_to_look_at on payout_batches (look_at) where state in ('ready', 'submitting', 'accepted');
select protect('payout_batches');

-- One name, one body, for life; and no way back out of an end.
create function a_batch_keeps_its_name() returns trigger
    language plpgsql
as $$
begin
    if (old.merchant_id, old.id, old.request_id, old.part, old.rail, old.environment, old.connection_id, old.currency,
        old.items, old.total, old.sender_batch_id, old.body_sha256)
        is distinct from
       (new.merchant_id, new.id, new.request_id, new.part, new.rail, new.environment, new.connection_id, new.currency,
        new.items, new.total, new.sender_batch_id, new.body_sha256)
        or old.body is distinct from new.body
        or (old.first_attempt_at is not null and new.first_attempt_at is distinct from old.first_attempt_at)
        or (old.doubted_at is not null and new.doubted_at is null)
        or (old.paypal_batch_id is not null and new.paypal_batch_id is distinct from old.paypal_batch_id)
    then
        raise exception 'a batch keeps its name and body' using errcode = 'restrict_violation';
    end if;
    if old.state in ('refused', 'cancelled') and new.state <> old.state then
        raise exception 'a % batch stays so', old.state using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
create trigger a_batch_keeps_its_name before update on payout_batches
    for each row execute function a_batch_keeps_its_name();
create trigger batches_are_kept before delete on payout_batches for each statement execute function refuse_change();

create table payout_items (
    merchant_id     uuid not null,
    id              uuid not null,
    batch_id        uuid not null,
    affiliate_id    uuid not null,
    currency        text not null,
    amount          numeric(16, 2) not null,
    sender_item_id  text not null check (sender_item_id ~ '^[0-9A-HJKMNP-TV-Z]{26}$'),
    receiver        text not null,          -- as it was when the batch was drafted; empty on the manual rail
    note            text not null default '',

    state           text not null check (state in ('queued', 'open', 'paid', 'unpaid')),
    wait            text check (wait in ('processing', 'on_hold', 'unclaimed')),
    not_paid        text check (not_paid in
        ('failed', 'returned', 'blocked', 'refunded', 'reversed', 'batch_denied', 'batch_canceled', 'batch_refused', 'put_back')),
    decided         text check (decided in ('due_again', 'written_off')),
    paypal_item_id  text,
    transaction_id  text,
    fee             numeric(16, 2),
    fee_currency    text,
    error_name      text,
    error_message   text,
    time_processed  timestamptz,
    changed_at      timestamptz not null,
    flagged         text,                   -- a fact that fits no transition: kept, shown, never applied

    primary key (merchant_id, id),
    constraint an_item_amount_is_payable check (is_payable(amount, currency)),
    constraint open_says_what_it_waits_for check ((state = 'open') = (wait is not null)),
    constraint unpaid_says_why check ((state = 'unpaid') = (not_paid is not null))
);
create index items_of_a_batch on payout_items (merchant_id, batch_id, id);
create index items_of_an_affiliate on payout_items (merchant_id, affiliate_id, id);
-- What is on its way or needs a person is found without reading what was ever paid.
create index items_not_paid on payout_items (merchant_id, id) where state <> 'paid';
create unique index one_item_per_paypal_item on payout_items (paypal_item_id) where paypal_item_id is not null;
create unique index one_item_per_transaction on payout_items (transaction_id) where transaction_id is not null;
create unique index one_item_per_affiliate_and_batch on payout_items (merchant_id, batch_id, affiliate_id);
select protect('payout_items');

create function an_item_keeps_its_amount() returns trigger
    language plpgsql
as $$
begin
    if (old.merchant_id, old.id, old.batch_id, old.affiliate_id, old.currency, old.amount, old.sender_item_id, old.receiver)
        is distinct from
       (new.merchant_id, new.id, new.batch_id, new.affiliate_id, new.currency, new.amount, new.sender_item_id, new.receiver)
    then
        raise exception 'an item keeps its name, receiver and amount' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
create trigger an_item_keeps_its_amount before update on payout_items
    for each row execute function an_item_keeps_its_amount();
create trigger items_are_kept before delete on payout_items for each statement execute function refuse_change();

-- Ties a commission to the item that pays it; live until released. The unique index is the promise.
create table allocations (
    merchant_id    uuid not null,
    item_id        uuid not null,
    commission_id  uuid not null,
    released_at    timestamptz
);
-- No primary key: the next index is the key of what is live, and a bulk insert pays for every index.
create index allocations_of_an_item on allocations (merchant_id, item_id);
create unique index one_live_allocation_per_commission on allocations (merchant_id, commission_id) where released_at is null;
select protect('allocations');

-- An allocation joins a commission and an item of the same merchant, affiliate and currency, the commission is neither
-- cancelled nor paid before nor still owed, and each item pays exactly the sum of its commissions. Checked once a
-- statement: a draft allocates everything in one.
create function allocations_add_up() returns trigger
    language plpgsql
as $$
declare
    wrong uuid;
begin
    select l.item_id into wrong
    from added l
    left join payout_items i on i.merchant_id = l.merchant_id and i.id = l.item_id
    left join commissions c
        on c.merchant_id = l.merchant_id
        and c.id = l.commission_id
        and c.affiliate_id = i.affiliate_id
        and c.currency = i.currency
        and c.cancelled_at is null
        and c.paid_before_on is null
    group by l.merchant_id, l.item_id, i.amount
    having bool_or(c.id is null or l.released_at is not null) or sum(c.amount) is distinct from i.amount
    limit 1;
    if found then
        raise exception 'item % does not pay the sum of commissions that are its affiliate''s to receive', wrong
            using errcode = 'check_violation', constraint = 'allocations_add_up';
    end if;
    return null;
end
$$;
create trigger allocations_add_up after insert on allocations
    referencing new table as added for each statement execute function allocations_add_up();

-- Released once, never revived.
create function an_allocation_is_released_once() returns trigger
    language plpgsql
as $$
begin
    if (old.merchant_id, old.item_id, old.commission_id) is distinct from (new.merchant_id, new.item_id, new.commission_id)
        or old.released_at is not null or new.released_at is null
    then
        raise exception 'an allocation is released once' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
create trigger an_allocation_is_released_once before update on allocations
    for each row execute function an_allocation_is_released_once();
create trigger allocations_are_kept before delete on allocations for each statement execute function refuse_change();

-- Every send, begun and ended. An attempt without an end is doubt.
create table payout_attempts (
    merchant_id  uuid not null,
    batch_id     uuid not null,
    fence        bigint not null,
    owner        uuid not null,
    started_at   timestamptz not null,
    ended_at     timestamptz,
    outcome      text check (outcome in ('accepted', 'refused', 'not_yet', 'unknown')),
    http_status  integer,
    error_name   text,
    debug_id     text,
    evidence     text,                       -- what PayPal answered, cut to a few kilobytes
    primary key (merchant_id, batch_id, fence),
    foreign key (merchant_id, batch_id) references payout_batches (merchant_id, id)
);
select protect('payout_attempts');

create table payout_history (
    merchant_id  uuid not null,
    id           bigint generated always as identity,
    batch_id     uuid not null,
    item_id      uuid,                       -- null: a line about the batch
    at           timestamptz not null,
    source       text not null check (source in ('person', 'send', 'read', 'report')),
    person_id    uuid,
    was          text,
    became       text not null,
    evidence     text,
    primary key (merchant_id, id)
);
create index history_of_a_batch on payout_history (merchant_id, batch_id, id);
create trigger history_is_insert_only before update or delete on payout_history
    for each statement execute function refuse_change();
select protect('payout_history', 'select, insert');

-- Where a commission stands, derived and never stored. 'due' and 'upcoming' are one here ('owed'): the reader's date
-- in the merchant's time zone tells them apart.
create view commission_standings with (security_invoker = true) as
select
    c.merchant_id, c.id, l.item_id, i.batch_id,
    case
        when c.cancelled_at is not null then 'cancelled'
        when c.paid_before_on is not null then 'paid'
        when l.item_id is null then 'owed'
        when i.state = 'paid' then 'paid'
        when i.decided = 'written_off' then 'written_off'
        -- Failed and returned items are released as soon as PayPal has finished the batch.
        when i.state = 'unpaid' and i.not_paid not in ('blocked', 'refunded', 'reversed') then 'paying'
        when i.state = 'unpaid' then 'needs_a_person'
        when i.flagged is not null then 'needs_a_person'
        when i.state = 'open' then 'paying'
        when b.state = 'stuck' or (b.state = 'submitting' and b.doubted_at is not null) then 'unknown'
        else 'paying'
    end as standing
from commissions c
left join allocations l on l.merchant_id = c.merchant_id and l.commission_id = c.id and l.released_at is null
left join payout_items i on i.merchant_id = l.merchant_id and i.id = l.item_id
left join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id;
grant select on commission_standings to stipend_merchant, stipend_installation;
