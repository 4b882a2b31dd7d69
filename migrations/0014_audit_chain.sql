-- Who changed what can be read by whoever has to believe it only if nothing of it was changed, taken out or put in
-- later. So every entry gets a link: its number, and a hash over the link before it and over all that the entry says.
-- Whoever touches one entry would have to make every later link anew, and the hash that an export carries would differ.
--
-- A link is made when the transaction of its change commits, so that transactions of one merchant wait for each other
-- for that moment alone, holding nothing that another one of them still wants.

-- Where each merchant's chain ends. Its row is the lock, and what shows that the newest links are missing.
create table audit_heads (
    merchant_id  uuid primary key references merchants,
    number       bigint not null,
    hash         bytea not null
);
select protect('audit_heads');

create table audit_links (
    merchant_id  uuid not null references merchants,
    number       bigint not null check (number > 0),
    entry_id     uuid not null,
    hash         bytea not null check (length(hash) = 32),
    primary key (merchant_id, number),
    constraint an_entry_is_chained_once unique (merchant_id, entry_id)
);
create trigger links_are_insert_only before update or delete on audit_links
    for each statement execute function refuse_change();
select protect('audit_links', 'select, insert');

-- The same bytes on every server and in every session: no zone, no format, keys in jsonb's own order.
create function audit_hash(previous bytea, number bigint, entry audit_entries) returns bytea
    language sql immutable
    return sha256(previous || convert_to(jsonb_build_array(
        number, entry.merchant_id, entry.id, (extract(epoch from entry.at) * 1000000)::bigint, entry.person_id,
        entry.address, entry.action, entry.object, entry.details
    )::text, 'UTF8'));

create function chain_audit_entry() returns trigger
    language plpgsql
as $$
declare
    head audit_heads;
begin
    insert into audit_heads as h (merchant_id, number, hash)
    values (new.merchant_id, 1, '')
    on conflict (merchant_id) do update set number = h.number + 1
    returning * into head;
    head.hash := audit_hash(head.hash, head.number, new);
    insert into audit_links (merchant_id, number, entry_id, hash)
    values (new.merchant_id, head.number, new.id, head.hash);
    update audit_heads set hash = head.hash where merchant_id = new.merchant_id;
    return null;
end
$$;
create constraint trigger an_entry_is_chained after insert on audit_entries
    deferrable initially deferred
    for each row execute function chain_audit_entry();

-- What there was before, in its order.
set local role stipend_installation;
do $$
declare
    entry audit_entries;
    chained bigint := 0;
    last_hash bytea := '';
    merchant uuid;
begin
    for entry in select * from audit_entries order by merchant_id, id loop
        if entry.merchant_id is distinct from merchant then
            merchant := entry.merchant_id;
            chained := 0;
            last_hash := '';
        end if;
        chained := chained + 1;
        last_hash := audit_hash(last_hash, chained, entry);
        insert into audit_links (merchant_id, number, entry_id, hash) values (merchant, chained, entry.id, last_hash);
        insert into audit_heads (merchant_id, number, hash) values (merchant, chained, last_hash)
        on conflict (merchant_id) do update set number = excluded.number, hash = excluded.hash;
    end loop;
end
$$;
reset role;

create index audit_entries_of_a_person on audit_entries (merchant_id, person_id);
