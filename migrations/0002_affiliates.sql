-- Who is owed. An affiliate is known by an e-mail, a code, or both; money goes to `paypal_email`, or to `email` where
-- that is empty. Affiliates are archived, never deleted: their commissions and payments refer to them.
create table affiliates (
    merchant_id          uuid not null references merchants,
    id                   uuid not null,
    email                text check (length(email) between 3 and 254),
    first_name           text not null default '' check (length(first_name) <= 140),
    last_name            text not null default '' check (length(last_name) <= 140),
    code                 text check (length(code) between 1 and 64),
    paypal_email         text check (length(paypal_email) between 3 and 254),
    status               text not null default 'active' check (status in ('active', 'archived')),
    created_at           timestamptz not null,
    updated_at           timestamptz not null,
    receiver_changed_at  timestamptz,       -- when the address that money goes to last changed
    receiver_refused     text,              -- PayPal's words when it refused this address; gone once it changes
    version              integer not null default 1,
    sort_name            text not null generated always as (
        lower(coalesce(nullif(trim(first_name || ' ' || last_name), ''), email, code))) stored,
    receiver             text generated always as (coalesce(paypal_email, email)) stored,
    -- Why PayPal would not take the address: it wants an e-mail of at most 127 single-byte characters.
    receiver_problem     text generated always as (
        case
            when coalesce(paypal_email, email) is null then 'missing'
            when length(coalesce(paypal_email, email)) > 127 then 'too_long'
            when coalesce(paypal_email, email) ~ '[^\x20-\x7e]' then 'not_ascii'
            when coalesce(paypal_email, email) !~
                '^[A-Za-z0-9.!#$%&''*+/=?^_`{|}~-]+@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$'
                then 'malformed'
        end) stored,
    primary key (merchant_id, id),
    constraint an_affiliate_has_an_email_or_a_code check (email is not null or code is not null)
);
create unique index one_affiliate_per_email on affiliates (merchant_id, lower(email));
create unique index one_affiliate_per_code on affiliates (merchant_id, lower(code));
create index affiliates_by_name on affiliates (merchant_id, sort_name, id);
select protect('affiliates');

create function another_address_has_not_been_refused() returns trigger
    language plpgsql
as $$
begin
    if coalesce(old.paypal_email, old.email) is distinct from coalesce(new.paypal_email, new.email) then
        new.receiver_refused := null;
    end if;
    return new;
end
$$;
create trigger another_address_has_not_been_refused before update on affiliates
    for each row execute function another_address_has_not_been_refused();
