-- What a person shows beside the password, and how they get back in. These rows belong to a person, who may work for
-- several merchants, so no merchant sees them: sign-in and the person's own account take on the installation's role.

-- Apps that make codes. One that was set up holds until another takes its place; the secret is sealed.
create table authenticators (
    id            uuid primary key,
    person_id     uuid not null references people,
    secret        bytea not null,               -- sealed
    created_at    timestamptz not null,
    confirmed_at  timestamptz,                  -- null: shown, and no code of it was typed yet
    last_step     bigint not null default 0     -- of the last code that was taken: none counts twice
);
create unique index one_authenticator_at_a_time on authenticators (person_id, (confirmed_at is null));

create table passkeys (
    id             uuid primary key,
    person_id      uuid not null references people,
    name           text not null check (length(name) between 1 and 100),
    credential_id  bytea not null unique,
    credential     jsonb not null,              -- its public key and counter
    created_at     timestamptz not null,
    used_at        timestamptz
);
create index passkeys_of_a_person on passkeys (person_id);

-- Digests of codes that were shown once.
create table recovery_codes (
    person_id  uuid not null references people,
    sha256     bytea not null check (length(sha256) = 32),
    used_at    timestamptz,
    primary key (person_id, sha256)
);

-- Somebody asked for a new password. The mail is no merchant's, so the row is its own outbox; the link is minted from
-- its id when it is sent, and only the digest is kept.
create table password_resets (
    id             uuid primary key,
    person_id      uuid not null references people,
    secret_sha256  bytea not null unique check (length(secret_sha256) = 32),
    created_at     timestamptz not null,
    expires_at     timestamptz not null,
    used_at        timestamptz,
    due_at         timestamptz,                 -- when its mail is tried next; a claim moves it by its lease
    attempts       integer not null default 0
);
create index resets_of_a_person on password_resets (person_id);
create index resets_to_send on password_resets (due_at) where due_at is not null;

grant select, insert, update, delete on authenticators, passkeys, recovery_codes, password_resets to stipend_installation;

create index sessions_of_a_person on sessions ((data #>> '{signed_in,person}'));

-- Every session of a person but the one to keep, also those that wait for the second step.
create function end_sessions(person uuid, keep text) returns void
    language sql
    begin atomic
        delete from sessions
        where (data #>> '{signed_in,person}' = person::text or data #>> '{half,person}' = person::text)
            and id is distinct from keep;
    end;

-- All that a merchant learns of its people's factors. It runs as the owner, who alone may read them.
create function has_factor(person uuid) returns boolean
    language sql stable security definer set search_path = public
    begin atomic
        select exists (select from authenticators a where a.person_id = person and a.confirmed_at is not null)
            or exists (select from passkeys k where k.person_id = person);
    end;
revoke execute on function has_factor from public;
grant execute on function has_factor to stipend_merchant, stipend_installation;

-- What a merchant asks of its people.
create table security_settings (
    merchant_id      uuid primary key references merchants,
    requires_factor  boolean not null           -- of approvers and admins
);
select protect('security_settings');

-- Above this amount in one payment, whoever sends money shows anew that it is them.
create table fresh_factor_above (
    merchant_id  uuid not null references merchants,
    currency     text not null check (currency ~ '^[A-Z]{3}$'),
    amount       numeric not null check (amount > 0),
    primary key (merchant_id, currency)
);
select protect('fresh_factor_above', 'select, insert, update, delete');
