-- How we may reach PayPal. A connection is one Client ID in one environment; at most one of a merchant's connections
-- is in force. What a person saves is a candidate beside it and takes its place only once PayPal has confirmed it.
-- Secrets are sealed by the vault: associated data name table, column, merchant and row.
create table connections (
    merchant_id    uuid not null references merchants,
    id             uuid not null,
    environment    text not null check (environment in ('live', 'sandbox', 'simulator')),
    client_id      text not null check (length(client_id) between 1 and 256),
    secret         bytea,                    -- sealed; null once disconnected
    in_force       boolean not null,
    connected_at   timestamptz not null,
    connected_by   uuid references people,
    checked_at     timestamptz not null,
    check_outcome  text not null check (check_outcome in ('ready', 'wrong_details', 'sandbox_details', 'live_details', 'payouts_missing', 'unreachable')),
    check_debug_id text,
    -- The merchant's queue pauses here, once, when PayPal says "not yet" (no permission, no funds, no sign-in).
    paused_at      timestamptz,
    paused_why     text,
    resume_at      timestamptz,
    first_payout_accepted_at timestamptz,
    primary key (merchant_id, id),
    constraint one_connection_per_client_id unique (merchant_id, environment, client_id),
    constraint a_connection_in_force_has_its_secret check (not in_force or secret is not null),
    constraint a_pause_has_its_reason check ((paused_at is null) = (paused_why is null))
);
create unique index one_connection_in_force on connections (merchant_id) where in_force;
select protect('connections');

create table connection_candidates (
    merchant_id    uuid not null references merchants,
    id             uuid not null,
    environment    text not null check (environment in ('live', 'sandbox', 'simulator')),
    client_id      text not null check (length(client_id) between 1 and 256),
    secret         bytea,                    -- sealed; wiped when the candidate is replaced, refused or has passed
    state          text not null check (state in ('checking', 'passed', 'failed', 'replaced')),
    outcome        text check (outcome in ('ready', 'wrong_details', 'sandbox_details', 'live_details', 'payouts_missing', 'unreachable')),
    debug_id       text,
    saved_at       timestamptz not null,
    saved_by       uuid references people,
    checked_at     timestamptz,
    primary key (merchant_id, id),
    constraint a_finished_check_has_its_outcome check ((state in ('checking', 'replaced')) or outcome is not null)
);
create unique index one_open_candidate on connection_candidates (merchant_id) where state in ('checking', 'failed');
select protect('connection_candidates');
