-- Who signs in, for whom, and what keeps merchants apart.
--
-- Every table with a merchant_id is put under forced row-level security by `protect`. Two roles without a login read
-- and write it: `stipend_merchant` sees the one merchant named in the setting `stipend.merchant` and is taken on by
-- every request (`set local`, so that it also holds for superusers and behind a pooler); `stipend_installation` sees
-- all merchants and is taken on only by sign-in, the worker's claim and the administration of the installation.
-- A connection that takes on neither sees nothing.

do $$
declare
    wanted text;
begin
    foreach wanted in array array['stipend_merchant', 'stipend_installation'] loop
        begin
            execute format('create role %I nologin', wanted);
        exception when duplicate_object or unique_violation then
            null; -- roles belong to the whole server; another database of it may have made them
        end;
        if not pg_has_role(current_user, wanted, 'member') then
            execute format('grant %I to %I', wanted, current_user);
        end if;
    end loop;
end
$$;

grant usage on schema public to stipend_merchant, stipend_installation;

create function current_merchant() returns uuid
    language sql stable
    return nullif(current_setting('stipend.merchant', true), '')::uuid;

create function protect(protected regclass, allowed text default 'select, insert, update', key name default 'merchant_id')
    returns void
    language plpgsql
as $$
begin
    execute format('alter table %s enable row level security', protected);
    execute format('alter table %s force row level security', protected);
    execute format(
        -- The sub-select is evaluated once a statement, a bare call once a row.
        'create policy only_the_current_merchant on %s to stipend_merchant using (%I = (select current_merchant())) with check (%I = (select current_merchant()))',
        protected, key, key);
    execute format(
        'create policy the_whole_installation on %s to stipend_installation using (true) with check (true)',
        protected);
    execute format('grant %s on %s to stipend_merchant, stipend_installation', allowed, protected);
end
$$;

-- A guard for rows that are evidence: they are written once.
create function refuse_change() returns trigger
    language plpgsql
as $$
begin
    raise exception '% is insert-only', tg_table_name using errcode = 'restrict_violation';
end
$$;

-- One row: which master key seals this database's secrets. The check value is a known sentence sealed under that key,
-- so that an instance with another key notices before it writes anything.
create table installation (
    only_row           boolean primary key default true check (only_row),
    id                 uuid not null,
    key_id             text not null,
    key_check          bytea not null,
    -- While nobody can sign in: the digest of the code in the log, without which a stranger cannot be the first.
    setup_code_sha256  bytea check (length(setup_code_sha256) = 32),
    created_at         timestamptz not null
);

create table merchants (
    id           uuid primary key,
    name         text not null check (length(name) between 1 and 200),
    time_zone    text not null,
    -- Fixed by the merchant's first batch: play money never marks real commissions paid. Batches carry it by a
    -- foreign key, so it cannot change afterwards.
    environment  text check (environment in ('live', 'sandbox', 'simulator')),
    created_at   timestamptz not null,
    unique (id, environment)
);
select protect('merchants', 'select, insert, update', 'id');

create table people (
    id             uuid primary key,
    email          text not null check (length(email) between 3 and 254),
    name           text not null default '',
    password_hash  text not null,
    created_at     timestamptz not null
);
create unique index one_person_per_email on people (lower(email));

create table memberships (
    merchant_id  uuid not null references merchants,
    person_id    uuid not null references people,
    role         text not null check (role in ('viewer', 'preparer', 'approver', 'admin')),
    created_at   timestamptz not null,
    primary key (merchant_id, person_id)
);
create index memberships_of_a_person on memberships (person_id);
select protect('memberships');

-- A merchant sees the names of its own people, and no password hash.
alter table people enable row level security;
alter table people force row level security;
create policy own_people on people for select to stipend_merchant
    using (exists (select from memberships m where m.person_id = people.id));
create policy the_whole_installation on people to stipend_installation using (true) with check (true);
grant select (id, email, name) on people to stipend_merchant;
grant select, insert, update on people to stipend_installation;

create table sessions (
    id          text primary key,
    data        jsonb not null,
    expires_at  timestamptz not null
);
create index sessions_by_expiry on sessions (expires_at);

-- Sign-in attempts that failed, counted per subject (an address or an e-mail); in Postgres so that several instances
-- count together.
create table sign_in_failures (
    subject  text not null,
    at       timestamptz not null
);
create index sign_in_failures_of_a_subject on sign_in_failures (subject, at);

grant select, insert, update, delete on sessions, sign_in_failures to stipend_installation;
grant select, insert, update on installation to stipend_installation;

-- Who changed what. Written in the transaction of the change.
create table audit_entries (
    merchant_id  uuid not null references merchants,
    id           uuid not null,
    at           timestamptz not null,
    person_id    uuid references people,  -- null: the program itself, or its command line
    address      text,
    action       text not null,           -- "affiliate changed", in words
    object       text not null,           -- "affiliate 0190…"
    details      jsonb not null default '{}',
    primary key (merchant_id, id)
);
create trigger audit_is_insert_only before update or delete on audit_entries
    for each statement execute function refuse_change();
select protect('audit_entries', 'select, insert');
