-- Large Batch files: a payment as one file on PayPal's DropZone, and what PayPal puts there in return.

-- The merchant's account on PayPal's DropZone, its SFTP server: one for each environment, since PayPal wants a key pair
-- for each. PayPal makes the account once it has our public key, so there is a key before there is a user name.
create table dropzones (
    merchant_id       uuid not null references merchants,
    id                uuid not null,
    environment       text not null check (environment in ('live', 'sandbox', 'simulator')),
    in_force          boolean not null default false,
    user_name         text check (length(user_name) between 1 and 128),
    incoming          text not null default 'Incoming' check (length(incoming) between 1 and 255),
    outgoing          text not null default 'Outgoing' check (length(outgoing) between 1 and 255),
    -- Ours. A next key is tried beside the first until a person drops the first.
    public_key        text not null,
    private_key       bytea,                    -- sealed; null once disconnected
    next_public_key   text,
    next_private_key  bytea,                    -- sealed
    next_accepted_at  timestamptz,              -- PayPal let the next key in
    made_at           timestamptz not null,
    made_by           uuid references people,
    -- PayPal's: the one that a person approved, and the one that the server showed where it is another.
    host_key          text,
    host_key_offered  text,
    checked_at        timestamptz,
    check_outcome     text check (check_outcome in
        ('ready', 'host_key_new', 'host_key_changed', 'sign_in_refused', 'folders_missing', 'unreachable')),
    check_told        text,                     -- what of it the server said
    -- Files wait, once for all of them.
    paused_at         timestamptz,
    paused_why        text,
    resume_at         timestamptz,
    -- The folders are read by one instance at a time.
    look_at           timestamptz,
    fence             bigint not null default 0,
    owner             uuid,
    listed_at         timestamptz,
    trouble           text,                     -- why the last reading failed
    trouble_since     timestamptz,
    primary key (merchant_id, id),
    constraint one_dropzone_per_environment unique (merchant_id, environment),
    constraint a_dropzone_in_force_can_be_reached check
        (not in_force or (private_key is not null and user_name is not null and host_key is not null)),
    constraint both_halves_of_a_key check ((next_public_key is null) = (next_private_key is null)),
    constraint a_pause_has_its_reason check ((paused_at is null) = (paused_why is null))
);
create unique index one_dropzone_in_force on dropzones (merchant_id) where in_force;
create index dropzones_to_look_at on dropzones (look_at) where private_key is not null;
select protect('dropzones');

alter table payout_batches
    add column dropzone_id uuid,
    add foreign key (merchant_id, dropzone_id) references dropzones (merchant_id, id),
    drop constraint payout_batches_items_check,
    add constraint a_batch_has_so_many_items check (items between 1 and case rail when 'file' then 5000000 else 15000 end),
    drop constraint only_a_manual_batch_has_no_connection,
    add constraint each_rail_has_its_own_link check
        ((rail = 'api') = (connection_id is not null) and (rail = 'file') = (dropzone_id is not null)),
    drop constraint accepted_has_paypals_id,
    add constraint accepted_has_paypals_id check (state <> 'accepted' or rail = 'file' or paypal_batch_id is not null),
    -- PayPal's own answer to a file ends a doubt too.
    drop constraint payout_batches_resolved_as_check,
    add constraint payout_batches_resolved_as_check check
        (resolved_as in ('adopted', 'there', 'report', 'not_there') or (rail = 'file' and resolved_as = 'answered'));

-- The input file of a batch: frozen by its name and its bytes (whose digest is the batch's), and what was seen of it.
create table payout_files (
    merchant_id   uuid not null,
    batch_id      uuid not null,
    name          text not null unique,         -- never used again: PayPal refuses a name for ever
    bytes         bigint not null check (bytes > 0),
    -- The last put began; all of it was there; the server showed its full size; it has left the folder.
    put_at        timestamptz,
    uploaded_at   timestamptz,
    whole         boolean not null default false,
    gone_at       timestamptz,
    -- PayPal's answers, when we first saw them.
    ack_at        timestamptz,
    nack_at       timestamptz,
    nack_doubtful boolean not null default false,   -- it names what a half-read or repeated file explains better
    dups_at       timestamptz,
    -- PayPal accepted it after it had been given up, and a person has cleared that up: nothing of it was paid.
    cleared_at    timestamptz,
    cleared_by    uuid references people,
    -- The furthest report that has been applied, and when that was.
    stage         text check (stage in ('part', 'out', 'final')),
    staged_at     timestamptz,
    primary key (merchant_id, batch_id),
    foreign key (merchant_id, batch_id) references payout_batches (merchant_id, id),
    constraint a_stage_has_its_time check ((stage is null) = (staged_at is null))
);
select protect('payout_files');

create function a_file_keeps_its_name() returns trigger
    language plpgsql
as $$
begin
    if (old.merchant_id, old.batch_id, old.name, old.bytes) is distinct from (new.merchant_id, new.batch_id, new.name, new.bytes) then
        raise exception 'a file keeps its name and length' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
create trigger a_file_keeps_its_name before update on payout_files for each row execute function a_file_keeps_its_name();
create trigger files_are_kept before delete on payout_files for each statement execute function refuse_change();

-- Its bytes, about a megabyte a row, so that nobody has to hold all of them.
create table payout_file_parts (
    merchant_id  uuid not null,
    batch_id     uuid not null,
    place        integer not null,
    content      bytea not null,
    primary key (merchant_id, batch_id, place)
);
alter table payout_file_parts alter column content set storage external;
create trigger parts_are_insert_only before update or delete on payout_file_parts
    for each statement execute function refuse_change();
select protect('payout_file_parts', 'select, insert');

-- What PayPal put into the Outgoing folder about our files: fetched once, kept as it was.
create table dropzone_files (
    merchant_id  uuid not null,
    id           uuid not null,
    dropzone_id  uuid not null,
    batch_id     uuid not null,
    name         text not null,                 -- as the server says it; never a path
    bytes        bigint not null,
    modified_at  timestamptz,                   -- by the server
    kind         text not null check (kind in ('ack', 'nack', 'dups', 'part', 'out', 'final')),
    sha256       bytea not null check (length(sha256) = 32),
    fetched_at   timestamptz not null,
    handled_at   timestamptz,                   -- null: not applied yet, or not to its end
    outcome      text check (outcome in ('applied', 'repeated', 'unreadable')),
    -- Of a report: how many of its rows were read, and what of them could not be used.
    rows         bigint not null default 0,
    bad_rows     bigint not null default 0,
    unknown_refs bigint not null default 0,
    says         text,                          -- the first of what could not be used, or read at all
    seen_at      timestamptz,                   -- a person has looked at that
    seen_by      uuid references people,
    primary key (merchant_id, id),
    foreign key (merchant_id, dropzone_id) references dropzones (merchant_id, id),
    foreign key (merchant_id, batch_id) references payout_batches (merchant_id, id),
    constraint a_handled_file_has_its_outcome check ((handled_at is null) = (outcome is null))
);
create index dropzone_files_of_a_batch on dropzone_files (merchant_id, batch_id, id);
create index dropzone_files_to_handle on dropzone_files (merchant_id, dropzone_id) where handled_at is null;
create index dropzone_files_for_a_person on dropzone_files (merchant_id, batch_id)
    where seen_at is null and (outcome = 'unreadable' or bad_rows > 0 or unknown_refs > 0);
select protect('dropzone_files');

create table dropzone_file_parts (
    merchant_id  uuid not null,
    file_id      uuid not null,
    place        integer not null,
    content      bytea not null,
    primary key (merchant_id, file_id, place),
    foreign key (merchant_id, file_id) references dropzone_files (merchant_id, id)
);
alter table dropzone_file_parts alter column content set storage external;
create trigger parts_are_insert_only before update or delete on dropzone_file_parts
    for each statement execute function refuse_change();
select protect('dropzone_file_parts', 'select, insert');

-- An attempt to hand over a file ends with the file being there; the answer comes later.
alter table payout_attempts
    drop constraint payout_attempts_outcome_check,
    add constraint payout_attempts_outcome_check check (outcome in ('accepted', 'refused', 'not_yet', 'unknown', 'uploaded'));

-- One name, one body, for life; no way back out of an end; and only people, or PayPal's answer to a file, end what is
-- stuck.
create or replace function a_batch_keeps_its_name() returns trigger
    language plpgsql
as $$
begin
    if (old.merchant_id, old.id, old.request_id, old.part, old.rail, old.environment, old.connection_id, old.dropzone_id,
        old.currency, old.items, old.total, old.sender_batch_id, old.body_sha256)
        is distinct from
       (new.merchant_id, new.id, new.request_id, new.part, new.rail, new.environment, new.connection_id, new.dropzone_id,
        new.currency, new.items, new.total, new.sender_batch_id, new.body_sha256)
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

-- What PayPal rejected, and then accepted after it had become due again: it must not be paid again through PayPal before
-- a person has cleared that up. Asked only of commissions that some payment gave back.
create function is_contradicted(merchant uuid, item uuid) returns boolean
    language sql stable
    return item is not null and exists (
        select
        from payout_items i
        join payout_files f on f.merchant_id = i.merchant_id and f.batch_id = i.batch_id
        join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
        where i.merchant_id = merchant
            and i.id = item
            and b.state = 'refused'
            and (f.ack_at is not null or f.stage is not null)
            and f.cleared_at is null
    );

-- What waits for somebody about files; see `attention`, which takes it in. `who` must act: 1 the merchant, 3 PayPal or time.
create function attention_to_files(uuid, timestamptz)
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
    -- The DropZone: files wait for it, or its folders cannot be read while something is expected there.
    select 'dropzone', 1, coalesce(d.paused_at, d.trouble_since), null::text, null::numeric, null::uuid, null::uuid, null::uuid,
        w.files
    from dropzones d
    cross join lateral (
        select count(*) as files
        from payout_batches b
        where b.merchant_id = d.merchant_id and b.dropzone_id = d.id
            and (b.state in ('ready', 'submitting') or (b.state = 'accepted' and b.settled_at is null))
    ) w
    where d.merchant_id = $1 and d.private_key is not null and w.files > 0
        and (d.paused_at is not null or d.trouble_since <= $2 - interval '15 minutes')
    union all
    -- Files that nobody has let go, that PayPal does not answer, whose Final report is late, and that PayPal accepted
    -- after they had been given up.
    select
        case when b.state = 'prepared' then 'prepared' when b.state = 'submitting' then 'unanswered'
            when b.state = 'refused' then 'contradicted' else 'no_final' end,
        case b.state when 'submitting' then 3 else 1 end,
        case b.state when 'prepared' then b.created_at when 'submitting' then f.uploaded_at
            when 'refused' then coalesce(f.ack_at, f.staged_at) else b.settled_at end,
        b.currency, b.total, b.id, null, null, b.items
    from payout_batches b
    join payout_files f on f.merchant_id = b.merchant_id and f.batch_id = b.id
    where b.merchant_id = $1
        and ((b.state = 'prepared' and b.created_at <= $2 - interval '15 minutes')
            or (b.state = 'submitting' and b.doubted_at is null and f.nack_at is null and f.uploaded_at <= $2 - interval '1 hour')
            or (b.state = 'accepted' and f.stage is distinct from 'final' and b.settled_at <= $2 - interval '35 days')
            or (b.state = 'refused' and (f.ack_at is not null or f.stage is not null) and f.cleared_at is null))
    union all
    -- Reports and answers of which something could not be used.
    select 'report', 1, min(r.fetched_at), null, null, r.batch_id, null, null, count(*)
    from dropzone_files r
    where r.merchant_id = $1
        and r.seen_at is null
        and (r.outcome = 'unreadable' or r.bad_rows > 0 or r.unknown_refs > 0)
    group by r.merchant_id, r.batch_id
    union all
    -- Payments that no report mentions though PayPal has finished their file.
    select 'unmentioned', 1, b.settled_at, b.currency, sum(s.amount), b.id, null, null, sum(s.items)::bigint
    from payout_batches b
    join batch_sums s on s.merchant_id = b.merchant_id and s.batch_id = b.id and s.outcome = 'queued'
    where b.merchant_id = $1 and b.rail = 'file' and b.state = 'accepted' and b.settled_at is not null
    group by b.merchant_id, b.id
    having sum(s.items) > 0
$$;
alter function attention(uuid, timestamptz, date, text[]) rename to attention_to_calls;
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
    from attention_to_calls($1, $2, $3, $4) a
    -- Nobody is told to pay again what PayPal says it accepted.
    where a.kind <> 'refused'
        or not exists (select from attention_to_files($1, $2) f where f.kind = 'contradicted' and f.batch_id = a.batch_id)
    union all
    select * from attention_to_files($1, $2)
$$;
create index files_not_sent on payout_batches (merchant_id, created_at) where state = 'prepared';
