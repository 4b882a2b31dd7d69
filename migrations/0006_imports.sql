-- A CSV file on its way in: staged line by line, checked, and then imported in one set-based step. Lines with a
-- problem stay here with their message.
create table imports (
    merchant_id   uuid not null references merchants,
    id            uuid not null,
    person_id     uuid not null references people,
    kind          text not null check (kind in ('affiliates', 'commissions')),
    file_name     text not null,
    state         text not null check (state in ('uploaded', 'checking', 'checked', 'importing', 'imported', 'failed')),
    header        text[] not null,
    lines         bigint not null default 0,
    done          bigint not null default 0,  -- progress of the step in hand, in lines
    mapping       jsonb,                      -- which column is what, and the decimal sign
    ready         bigint,
    known         bigint,
    bad           bigint,
    why           text,
    created_at    timestamptz not null,
    changed_at    timestamptz not null,
    primary key (merchant_id, id),
    constraint a_failure_has_its_reason check ((state = 'failed') = (why is not null))
);
select protect('imports');

create table import_lines (
    merchant_id   uuid not null,
    import_id     uuid not null,
    line          bigint not null,            -- as an editor counts: the header is line 1
    fields        text[] not null,
    verdict       text check (verdict in ('ready', 'known', 'bad')),
    problem       text,
    primary key (merchant_id, import_id, line)
);
select protect('import_lines', 'select, insert, update, delete');
