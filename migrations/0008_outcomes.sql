-- What people say about money that PayPal has, had or may have: take an unclaimed item back, decide what follows when
-- money came back, and end a doubt that lasts.

alter table payout_items
    add column confirmed_at     timestamptz,   -- of BLOCKED: a reading some hours after the first said so again
    add column cancel_asked_at  timestamptz,
    add column cancel_asked_by  uuid references people,
    add column cancel_at        timestamptz,   -- when PayPal is asked (again) to take it back; null: it is not asked
    add column cancel_tries     integer not null default 0,
    add column cancel_said      text,          -- PayPal's last answer to that, by its name
    add column decided_at       timestamptz,
    add column decided_by       uuid references people,
    add column decided_why      text,
    add constraint a_decision_is_somebodys check (
        (decided is null) = (decided_at is null)
        and (decided is null) = (decided_by is null)
        and (decided is null) = (decided_why is null)
    ),
    add constraint a_decision_has_its_reason check (length(decided_why) between 1 and 500),
    add constraint only_money_that_came_back_is_decided_upon check (
        decided is null or (state = 'unpaid' and not_paid in ('blocked', 'refunded', 'reversed'))
    ),
    add constraint blocked_money_is_due_again_only_once_confirmed check (
        decided is distinct from 'due_again' or not_paid <> 'blocked' or confirmed_at is not null
    ),
    add constraint a_cancellation_is_somebodys check (
        (cancel_asked_at is null) = (cancel_asked_by is null) and (cancel_at is null or cancel_asked_at is not null)
    );

-- A person's word about a batch whose fate is not known. The last word of each counts.
create table payout_statements (
    merchant_id  uuid not null,
    id           bigint generated always as identity,
    batch_id     uuid not null,
    person_id    uuid not null references people,
    at           timestamptz not null,
    says         text not null check (says in ('there', 'not_there')),
    total        numeric(20, 2) not null,      -- as typed; it is the batch's
    looked_at    text not null check (length(looked_at) between 1 and 500),
    primary key (merchant_id, id),
    foreign key (merchant_id, batch_id) references payout_batches (merchant_id, id)
);
create index statements_of_a_batch on payout_statements (merchant_id, batch_id, id);
create trigger statements_are_insert_only before update or delete on payout_statements
    for each statement execute function refuse_change();
select protect('payout_statements', 'select, insert');

-- An activity report of PayPal's that somebody uploaded for such a batch, as it was.
create table payout_reports (
    merchant_id  uuid not null,
    id           uuid not null,
    batch_id     uuid not null,
    person_id    uuid not null references people,
    at           timestamptz not null,
    file_name    text not null,
    content      bytea not null,
    primary key (merchant_id, id),
    foreign key (merchant_id, batch_id) references payout_batches (merchant_id, id)
);
create index reports_of_a_batch on payout_reports (merchant_id, batch_id, id);
create trigger reports_are_insert_only before update or delete on payout_reports
    for each statement execute function refuse_change();
select protect('payout_reports', 'select, insert');

-- What such a report says about our items, line by line.
create table payout_findings (
    merchant_id     uuid not null,
    report_id       uuid not null,
    item_id         uuid not null,
    line            integer not null,
    paid            boolean not null,          -- it shows a finished payment of this amount
    says            text not null,
    transaction_id  text,
    primary key (merchant_id, report_id, item_id, line),
    foreign key (merchant_id, report_id) references payout_reports (merchant_id, id)
);
create index findings_of_an_item on payout_findings (merchant_id, item_id);
create trigger findings_are_insert_only before update or delete on payout_findings
    for each statement execute function refuse_change();
select protect('payout_findings', 'select, insert');

-- How a doubt was ended by people: PayPal has the batch under an id that was read and compared ('adopted'); it has it, by
-- their word ('there') or by a report that shows every item paid ('report'); or it does not have it ('not_there').
alter table payout_batches
    add column resolved_at timestamptz,
    add column resolved_as text check (resolved_as in ('adopted', 'there', 'report', 'not_there')),
    add constraint a_resolution_has_its_time check ((resolved_at is null) = (resolved_as is null)),
    add constraint only_doubt_is_resolved check (resolved_at is null or doubted_at is not null),
    add constraint what_was_resolved_is_not_stuck check (resolved_at is null or state <> 'stuck'),
    drop constraint doubt_frees_nothing,
    add constraint doubt_frees_nothing check (state <> 'refused' or doubted_at is null or resolved_as = 'not_there');

-- One name, one body, for life; no way back out of an end; and only people end what is stuck.
create or replace function a_batch_keeps_its_name() returns trigger
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
        or (old.resolved_at is not null
            and (new.resolved_at, new.resolved_as) is distinct from (old.resolved_at, old.resolved_as))
    then
        raise exception 'a batch keeps its name and body' using errcode = 'restrict_violation';
    end if;
    if old.state in ('refused', 'cancelled') and new.state <> old.state then
        raise exception 'a % batch stays so', old.state using errcode = 'restrict_violation';
    end if;
    if old.state = 'stuck' and new.state <> 'stuck' and new.resolved_at is null then
        raise exception 'only people end what is stuck' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;

-- What is released belongs to an item that is unpaid: for a reason that releases, or by a person's decision. And of a
-- batch in doubt only once it was accepted or people said that PayPal does not have it.
create function only_money_that_is_here_is_released() returns trigger
    language plpgsql
as $$
declare
    wrong uuid;
begin
    select r.commission_id into wrong
    from released r
    left join payout_items i on i.merchant_id = r.merchant_id and i.id = r.item_id
    left join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
    where i.state is distinct from 'unpaid'
        or (i.not_paid in ('blocked', 'refunded', 'reversed') and i.decided is distinct from 'due_again')
        or (b.doubted_at is not null and b.accepted_at is null and b.resolved_as is distinct from 'not_there')
    limit 1;
    if found then
        raise exception 'commission % is not here to be released', wrong
            using errcode = 'check_violation', constraint = 'only_money_that_is_here_is_released';
    end if;
    return null;
end
$$;
create trigger only_money_that_is_here_is_released after update on allocations
    referencing new table as released for each statement execute function only_money_that_is_here_is_released();
