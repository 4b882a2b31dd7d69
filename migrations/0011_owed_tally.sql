-- The tally of what is owed, kept with less work: each statement's changes are summed once, and taking rows away makes
-- no rows for days that have none. As before, the tally's rows are locked in the order of their key, so that two
-- statements never wait for each other.
create or replace function tally_owed() returns trigger
    language plpgsql
as $$
declare
    direction constant integer := case tg_op when 'INSERT' then 1 else -1 end;
begin
    if tg_op = 'INSERT' then
        insert into owed_tally as tally (merchant_id, currency, due_on, commissions, amount)
        select merchant_id, currency, due_on, 0, 0
        from changed
        group by merchant_id, currency, due_on
        order by merchant_id, currency, due_on
        on conflict do nothing;
    end if;

    with delta as materialized (
        select merchant_id, currency, due_on, count(*) as commissions, sum(amount) as amount
        from changed
        group by merchant_id, currency, due_on
    ),
    locked as materialized (
        select merchant_id, currency, due_on
        from owed_tally
        join delta using (merchant_id, currency, due_on)
        order by merchant_id, currency, due_on
        for update of owed_tally
    )
    update owed_tally as tally
    set commissions = tally.commissions + direction * delta.commissions,
        amount = tally.amount + direction * delta.amount
    from delta
    join locked using (merchant_id, currency, due_on)
    where (tally.merchant_id, tally.currency, tally.due_on) = (delta.merchant_id, delta.currency, delta.due_on);
    return null;
end
$$;
