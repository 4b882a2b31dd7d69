-- A history of MassPay fixes how real the merchant's money is, by a legacy connection that nothing ever confirmed. While
-- nothing was paid from here, both can be corrected together.

alter table payout_batches
    drop constraint the_first_batch_fixes_the_environment,
    add constraint the_first_batch_fixes_the_environment
        foreign key (merchant_id, environment) references merchants (id, environment) on update cascade;

create or replace function a_batch_keeps_its_name() returns trigger
    language plpgsql
as $$
begin
    if (old.merchant_id, old.id, old.request_id, old.part, old.rail, old.connection_id, old.dropzone_id,
        old.currency, old.items, old.total, old.sender_batch_id, old.body_sha256)
        is distinct from
       (new.merchant_id, new.id, new.request_id, new.part, new.rail, new.connection_id, new.dropzone_id,
        new.currency, new.items, new.total, new.sender_batch_id, new.body_sha256)
        or (old.environment <> new.environment and not old.legacy)
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
