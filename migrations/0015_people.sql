-- The people of a merchant: who was invited, who came, and who may no longer. An invitation is a link that works once
-- and for a week; only its digest is kept, so that nobody can take it from the database or a copy of it.

alter table memberships
    add column deactivated_at  timestamptz,   -- kept, so that what they did keeps their name
    add column signed_in_at    timestamptz;   -- last, for this merchant

create table invitations (
    merchant_id    uuid not null references merchants,
    id             uuid not null,
    email          text not null check (length(email) between 3 and 254),
    role           text not null check (role in ('viewer', 'preparer', 'approver', 'admin')),
    invited_by     uuid not null references people,
    created_at     timestamptz not null,
    sendings       integer not null default 1,     -- each makes a new link; the one before it is void
    secret_sha256  bytea not null unique check (length(secret_sha256) = 32),
    expires_at     timestamptz not null,
    accepted_at    timestamptz,
    revoked_at     timestamptz,
    primary key (merchant_id, id),
    constraint an_invitation_ends_once check (accepted_at is null or revoked_at is null)
);
create unique index one_open_invitation_per_email on invitations (merchant_id, lower(email))
    where accepted_at is null and revoked_at is null;
select protect('invitations');

-- Invitations are a kind of mail. They tell nothing of money, so they also go out where money is not real.
alter table mails drop constraint mails_kind_check, add constraint mails_kind_check
    check (kind in ('paid', 'unclaimed', 'not_paid', 'address_changed', 'attention', 'invitation'));
alter table mail_kinds drop constraint mail_kinds_kind_check, add constraint mail_kinds_kind_check
    check (kind in ('paid', 'unclaimed', 'not_paid', 'address_changed', 'attention', 'invitation'));

create or replace view mails_wanted with (security_invoker = true) as
select m.id as merchant_id, k.kind
from mail_carrier r
cross join merchants m
cross join (values ('paid'), ('unclaimed'), ('not_paid'), ('address_changed'), ('attention'), ('invitation')) k (kind)
left join mail_kinds s on s.merchant_id = m.id and s.kind = k.kind
left join connections c on c.merchant_id = m.id and c.in_force
where coalesce(s.is_on, true)
    and (k.kind = 'invitation' or r.takes_play_money or coalesce(m.environment, c.environment, 'live') = 'live');
