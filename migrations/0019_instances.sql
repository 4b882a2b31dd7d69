-- Which instances run. Each says so every few seconds, so that nobody changes the master key under one of them.

create table instances (
    id          uuid primary key,
    started_at  timestamptz not null,
    seen_at     timestamptz not null
);
alter table instances enable row level security;
alter table instances force row level security;
create policy the_whole_installation on instances to stipend_installation using (true) with check (true);
grant select, insert, update, delete on instances to stipend_installation;
