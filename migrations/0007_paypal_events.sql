-- What PayPal told us by itself. An event is a hint: it says that a batch should be read soon, and changes nothing else.
-- It is kept once by PayPal's id, so that a repeated one is no news. Of its text only the names are kept: what it says
-- of money is read from PayPal, and events of other tools on the same app carry strangers' addresses.
create table paypal_events (
    merchant_id      uuid not null,
    id               text not null check (length(id) between 1 and 256),
    connection_id    uuid not null,           -- checked by whoever writes it, in the same breath; a reference would lock its row
    kind             text not null,           -- as in PAYMENT.PAYOUTS-ITEM.SUCCEEDED
    created_at       timestamptz,             -- PayPal's time
    received_at      timestamptz not null,
    paypal_batch_id  text,
    sender_batch_id  text,
    item_id          uuid,                    -- read from our name of the item, which is its id
    handled_at       timestamptz,             -- null: the hint has not been followed yet
    outcome          text check (outcome in ('followed', 'foreign', 'unexpected')),
    primary key (merchant_id, id),
    constraint a_handled_event_has_its_outcome check ((handled_at is null) = (outcome is null))
);
create index events_to_handle on paypal_events (merchant_id, received_at) where handled_at is null;
create index events_of_a_connection on paypal_events (merchant_id, connection_id, received_at);
select protect('paypal_events');

-- When a batch that events name shall be read at the latest; taken over as soon as nobody holds it.
alter table payout_batches add column hinted_at timestamptz;
create index batches_with_a_hint on payout_batches (merchant_id) where hinted_at is not null;

-- PayPal's webhook of a connection, and how its registration went. Looked at by the worker, which finds out what is
-- missing by asking PayPal.
alter table connections
    add column webhook_id         text,       -- PayPal's; part of what it signs
    add column webhook_url        text,
    add column webhook_outcome    text check (webhook_outcome in ('registered', 'not_permitted', 'failed')),
    add column webhook_trouble    text,
    add column webhook_checked_at timestamptz,
    add column webhook_look_at    timestamptz, -- null: at once
    -- Missed events are looked for in PayPal's list: when next, and since when it has not been read.
    add column events_look_at     timestamptz, -- null: at once
    add column events_listed_at   timestamptz,
    add constraint a_registered_webhook_has_its_address check ((webhook_id is null) = (webhook_url is null));

-- A line of history may come from an event that names a batch where none was expected.
alter table payout_history
    drop constraint payout_history_source_check,
    add constraint payout_history_source_check check (source in ('person', 'send', 'read', 'report', 'event'));
