-- After a restored backup nothing is paid until a person has signed off what PayPal did meanwhile: this database has
-- forgotten payments, and would make them again.

create table restorations (
    merchant_id  uuid not null references merchants,
    id           uuid not null,
    since        timestamptz not null,     -- what happened later is not in this database
    told_at      timestamptz not null,     -- when the operator said so
    look_at      timestamptz,              -- when PayPal's list of events is read; null once it was, or cannot be
    events_at    timestamptz,              -- when it was read to its end
    trouble      text,                     -- why it was not
    signed_at    timestamptz,
    signed_by    uuid references people,
    signed_why   text check (length(signed_why) between 1 and 500),
    primary key (merchant_id, id),
    constraint a_restoration_comes_after_its_backup check (since < told_at),
    constraint a_sign_off_is_somebodys
        check ((signed_at is null) = (signed_by is null) and (signed_at is null) = (signed_why is null))
);
create unique index one_open_restoration on restorations (merchant_id) where signed_at is null;
create index restorations_to_look_at on restorations (look_at) where signed_at is null;
select protect('restorations');

-- Batches that PayPal's events name and this database does not know.
create table restored_batches (
    merchant_id      uuid not null,
    restoration_id   uuid not null,
    paypal_batch_id  text not null check (length(paypal_batch_id) between 1 and 100),
    read_at          timestamptz,
    primary key (merchant_id, restoration_id, paypal_batch_id),
    foreign key (merchant_id, restoration_id) references restorations (merchant_id, id)
);
select protect('restored_batches');

create table restoration_reports (
    merchant_id     uuid not null,
    id              uuid not null,
    restoration_id  uuid not null,
    person_id       uuid not null references people,
    at              timestamptz not null,
    file_name       text not null,
    lines           integer not null,
    unknown         integer not null,
    content         bytea not null,
    primary key (merchant_id, id),
    foreign key (merchant_id, restoration_id) references restorations (merchant_id, id)
);
select protect('restoration_reports');

-- Payments that PayPal made and this database does not know.
create table unknown_payments (
    merchant_id     uuid not null,
    id              uuid not null,
    restoration_id  uuid not null,
    found_at        timestamptz not null,
    name            text not null,         -- PayPal's transaction, or its id of the item where there is none yet
    receiver        text not null,
    currency        text not null,
    amount          numeric(16, 2) not null,
    status          text not null,         -- PayPal's word
    at              timestamptz,
    settled_at      timestamptz,
    settled_by      uuid references people,
    settled_as      text check (length(settled_as) between 1 and 500),
    primary key (merchant_id, id),
    unique (merchant_id, restoration_id, name),
    foreign key (merchant_id, restoration_id) references restorations (merchant_id, id),
    constraint an_unknown_payment_is_settled_by_somebody
        check ((settled_at is null) = (settled_by is null) and (settled_at is null) = (settled_as is null))
);
create index payments_still_unknown on unknown_payments (merchant_id, restoration_id) where settled_at is null;
select protect('unknown_payments');

create function nothing_is_signed_off_while_unknown() returns trigger
    language plpgsql
as $$
begin
    if new.signed_at is not null and old.signed_at is null then
        if exists (select from unknown_payments u
                where u.merchant_id = new.merchant_id and u.restoration_id = new.id and u.settled_at is null)
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
create trigger nothing_is_signed_off_while_unknown before update on restorations
    for each row execute function nothing_is_signed_off_while_unknown();

create function nothing_is_sent_while_restoring() returns trigger
    language plpgsql
as $$
begin
    if exists (select from restorations r where r.merchant_id = new.merchant_id and r.signed_at is null) then
        raise exception 'nothing is sent before the restored backup is signed off' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
create trigger nothing_is_sent_while_restoring before insert on payout_attempts
    for each row execute function nothing_is_sent_while_restoring();
