-- What nobody needs any more goes (src/prune.rs): events that were followed and mails that ended, each found by its age.
create index events_by_age on paypal_events (handled_at) where handled_at is not null;
create index mails_by_end on mails (ended_at) where ended_at is not null;
grant delete on paypal_events, mails to stipend_installation;

-- A flag that a person has cleared up. It is not raised again by the same fact.
alter table payout_items add column cleared_flag text;
