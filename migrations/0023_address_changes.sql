-- Who changed where an affiliate's money goes: they do not vouch for it themselves where somebody else can.
alter table affiliates add column receiver_changed_by uuid references people;
