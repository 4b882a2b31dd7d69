-- CSV files on their way in.
--
-- The rows are the queue: an upload becomes parts (whole records, as they stood in the file), the worker checks part
-- after part into typed lines and problems, and a person's word starts the import of the good lines, chunk after
-- chunk. `cursor` says how far the step in hand has come and moves in the transaction of its work, so that a crash
-- costs one part and doubles nothing.
create table imports (
    merchant_id   uuid not null references merchants,
    id            uuid not null,
    person_id     uuid not null references people,
    kind          text not null check (kind in ('affiliates', 'commissions')),
    file_name     text not null check (length(file_name) <= 200),
    separator     text not null check (separator in (',', ';', E'\t', '|')),
    header        text[] not null,
    lines         bigint not null default 0,  -- of the file, without its header and its empty lines
    parts         integer not null default 0,
    state         text not null check (state in
        ('uploading', 'uploaded', 'checking', 'checked', 'importing', 'imported', 'failed')),
    mapping       jsonb,                      -- which column is what, the decimal sign, the form of dates
    cursor        bigint not null default 0,  -- parts checked, or the last line imported
    done          bigint not null default 0,  -- the same in lines, for the progress that people see
    -- What the check found; once imported, what became of the lines.
    ready         bigint,
    known         bigint,
    bad           bigint,
    attempts      integer not null default 0, -- of the step in hand, since it last moved
    look_at       timestamptz not null,       -- when the worker looks at it next
    why           text,
    created_at    timestamptz not null,
    changed_at    timestamptz not null,
    primary key (merchant_id, id),
    constraint a_failure_has_its_reason check ((state = 'failed') = (why is not null)),
    constraint a_check_follows_a_mapping check
        (state not in ('checking', 'checked', 'importing', 'imported') or mapping is not null),
    constraint a_check_has_its_findings check
        (state not in ('checked', 'importing', 'imported') or (ready, known, bad) is not null)
);
create index imports_to_work_on on imports (look_at) where state in ('uploading', 'checking', 'importing');
select protect('imports', 'select, insert, update, delete');

create table import_parts (
    merchant_id  uuid not null,
    import_id    uuid not null,
    part         integer not null,            -- from 1 on
    first_line   bigint not null,             -- where the part begins, as an editor counts
    content      text not null,
    primary key (merchant_id, import_id, part)
);
select protect('import_parts', 'select, insert, delete');

-- Lines that the check could read. The ids are those that the rows will have: importing a chunk twice inserts it once.
create table import_commissions (
    merchant_id   uuid not null,
    import_id     uuid not null,
    line          bigint not null,
    id            uuid not null,
    affiliate_id  uuid not null,
    amount        numeric(16, 2) not null,
    currency      text not null,
    due_on        date not null,
    reference     text not null,
    note          text not null,
    paid_on       date,
    primary key (merchant_id, import_id, line)
);
select protect('import_commissions', 'select, insert, delete');

create table import_affiliates (
    merchant_id   uuid not null,
    import_id     uuid not null,
    line          bigint not null,
    id            uuid not null,
    email         text,
    first_name    text not null,
    last_name     text not null,
    code          text,
    paypal_email  text,
    primary key (merchant_id, import_id, line)
);
select protect('import_affiliates', 'select, insert, delete');

-- Lines that will not be imported, each with all that is wrong with it.
create table import_problems (
    merchant_id  uuid not null,
    import_id    uuid not null,
    line         bigint not null,
    problem      text not null,
    primary key (merchant_id, import_id, line)
);
select protect('import_problems', 'select, insert, delete');
