//! Lines of a file of commissions.

use super::dates::DateForm;
use super::mapping::{Column, Mapping};
use super::problems::Problem;
use super::step::{CHUNK, Chunk, Held, Line};
use super::{DecimalSign, amount};
use crate::commission::{checked_note, checked_reference};
use crate::database::Tx;
use crate::id::{AffiliateId, CommissionId};
use crate::money::{Currency, Money};
use crate::rules;
use csv::StringRecord;
use std::collections::{BTreeSet, HashMap};
use time::{Date, Duration, OffsetDateTime};

/// A line that can be read. Whom it means is still to be found out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Read {
    line: i64,
    affiliate: String,
    amount: Money,
    due_on: Date,
    reference: String,
    note: String,
    paid_on: Option<Date>,
}

/// Reads a record, or says all that is wrong with it.
fn parse(mapping: &Mapping, waiting: Duration, line: i64, record: &StringRecord) -> Result<Read, String> {
    let mut problems = Vec::new();
    let mut noted = |problem: String| problems.push(problem);
    let cell = |column| mapping.cell(record, column);
    let dates = mapping.dates.unwrap_or(DateForm::Iso);
    let affiliate = cell(Column::Affiliate).to_owned();
    if affiliate.is_empty() {
        noted("The affiliate is missing.".into());
    }
    let currency = match mapping.currency {
        Some(currency) => Some(currency),
        None if cell(Column::Currency).is_empty() => {
            noted("The currency is missing.".into());
            None
        }
        None => cell(Column::Currency).parse::<Currency>().map_err(|unknown| noted(format!("{unknown}."))).ok(),
    };
    let plain = amount::parse(cell(Column::Amount), mapping.decimal.unwrap_or(DecimalSign::Point));
    let plain = plain.map_err(&mut noted).ok();
    let amount = plain.zip(currency).and_then(|(plain, currency)| {
        let quoted = amount::quote(cell(Column::Amount));
        Money::new(plain, currency).map_err(|why| noted(format!("The amount {quoted} cannot be paid: {why}."))).ok()
    });
    let due_on = match (cell(Column::DueOn), cell(Column::EarnedOn)) {
        ("", earned) if mapping.has(Column::EarnedOn) => {
            dates.parse(earned, "day it was earned").map(|earned| earned.saturating_add(waiting))
        }
        (due, _) => dates.parse(due, "due date"),
    };
    let due_on = due_on.map_err(&mut noted).ok();
    let reference = checked_reference(cell(Column::Reference)).map_err(&mut noted).ok();
    let note = checked_note(cell(Column::Note)).map_err(&mut noted).ok();
    let paid_on = match cell(Column::PaidOn) {
        "" => Some(None),
        text => dates.parse(text, "day it was paid on").map_err(&mut noted).ok().map(Some),
    };
    match (amount, due_on, reference, note, paid_on) {
        (Some(amount), Some(due_on), Some(reference), Some(note), Some(paid_on)) if problems.is_empty() => {
            Ok(Read { line, affiliate, amount, due_on, reference, note, paid_on })
        }
        _ => Err(problems.join(" ")),
    }
}

/// Reads records into typed lines; gives back the problems of the others.
pub(super) async fn read(tx: &mut Tx, held: &Held, records: &[Line]) -> sqlx::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let mut read = Vec::new();
    let waiting = Duration::days(rules::load(tx).await?.waiting_days.into());
    for (line, record) in records {
        match parse(&held.mapping, waiting, *line, record) {
            Ok(one) => read.push(one),
            Err(problem) => problems.push(Problem { line: *line, problem }),
        }
    }
    let affiliates = find_affiliates(tx, &read).await?;
    let mut typed = Vec::new();
    for one in read {
        let quoted = amount::quote(&one.affiliate);
        let problem = match affiliates.get(&one.affiliate) {
            Some(Known { two: true, .. }) => {
                format!(
                    "{quoted} is the email of one affiliate and the code of another. Use what only one of them has."
                )
            }
            Some(Known { active: false, .. }) if one.paid_on.is_none() => {
                format!("The affiliate {quoted} is archived. Take them back before they earn again.")
            }
            Some(known) => {
                typed.push((known.id, one));
                continue;
            }
            None => format!("No affiliate has the email or code {quoted}. Import or add the affiliates first."),
        };
        problems.push(Problem { line: one.line, problem });
    }
    stage(tx, held, &typed).await?;
    Ok(problems)
}

/// Whom an e-mail or code means.
struct Known {
    id: AffiliateId,
    active: bool,
    two: bool,
}

async fn find_affiliates(tx: &mut Tx, read: &[Read]) -> sqlx::Result<HashMap<String, Known>> {
    let merchant = tx.merchant();
    let wanted: BTreeSet<&str> = read.iter().map(|one| one.affiliate.as_str()).collect();
    let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
    let rows = sqlx::query!(
        r#"
        select
            w.known_by as "known_by!",
            coalesce(e.id, c.id) as "id!: AffiliateId",
            coalesce(e.status, c.status) = 'active' as "active!",
            coalesce(e.id <> c.id, false) as "two!"
        from unnest($2::text[]) as w (known_by)
        left join affiliates e on e.merchant_id = $1 and lower(e.email) = lower(w.known_by)
        left join affiliates c on c.merchant_id = $1 and lower(c.code) = lower(w.known_by)
        where e.id is not null or c.id is not null
        "#,
        merchant.0,
        &wanted
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.known_by, Known { id: row.id, active: row.active, two: row.two })).collect())
}

async fn stage(tx: &mut Tx, held: &Held, typed: &[(AffiliateId, Read)]) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let lines: Vec<i64> = typed.iter().map(|(_, one)| one.line).collect();
    let ids: Vec<uuid::Uuid> = typed.iter().map(|_| CommissionId::new().0).collect();
    let affiliates: Vec<uuid::Uuid> = typed.iter().map(|(affiliate, _)| affiliate.0).collect();
    let amounts: Vec<_> = typed.iter().map(|(_, one)| one.amount.amount()).collect();
    let currencies: Vec<String> = typed.iter().map(|(_, one)| one.amount.currency().code().to_owned()).collect();
    let due: Vec<Date> = typed.iter().map(|(_, one)| one.due_on).collect();
    let references: Vec<String> = typed.iter().map(|(_, one)| one.reference.clone()).collect();
    let notes: Vec<String> = typed.iter().map(|(_, one)| one.note.clone()).collect();
    let paid: Vec<Option<Date>> = typed.iter().map(|(_, one)| one.paid_on).collect();
    sqlx::query!(
        r#"
        insert into import_commissions
            (merchant_id, import_id, line, id, affiliate_id, amount, currency, due_on, reference, note, paid_on)
        select $1, $2, line, id, affiliate_id, amount, currency, due_on, reference, note, paid_on
        from unnest(
            $3::bigint[], $4::uuid[], $5::uuid[], $6::numeric[], $7::text[], $8::date[], $9::text[], $10::text[], $11::date[]
        ) as new (line, id, affiliate_id, amount, currency, due_on, reference, note, paid_on)
        "#,
        merchant.0,
        held.id.0,
        &lines,
        &ids,
        &affiliates,
        &amounts,
        &currencies,
        &due,
        &references,
        &notes,
        &paid as &[Option<Date>]
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Once all lines are read: a reference that comes again in the file, or is there already, is known if all else is the
/// same, and a problem otherwise. Returns how many are known.
pub(super) async fn judge(tx: &mut Tx, held: &Held) -> sqlx::Result<i64> {
    let merchant = tx.merchant();
    // The first line of a reference stands; later ones are compared with it and go.
    let repeated = sqlx::query!(
        r#"
        with firsts as (
            select reference, min(line) as line
            from import_commissions
            where merchant_id = $1 and import_id = $2
            group by reference
            having count(*) > 1
        ),
        again as (
            delete from import_commissions l
            using firsts, import_commissions f
            where l.merchant_id = $1
                and l.import_id = $2
                and l.reference = firsts.reference
                and l.line > firsts.line
                and f.merchant_id = $1
                and f.import_id = $2
                and f.line = firsts.line
            returning
                l.line,
                l.reference,
                f.line as first_line,
                (l.affiliate_id, l.amount, l.currency, l.due_on, l.note) = (f.affiliate_id, f.amount, f.currency, f.due_on, f.note)
                    and l.paid_on is not distinct from f.paid_on as same
        ),
        noted as (
            insert into import_problems (merchant_id, import_id, line, problem)
            select $1, $2, line, 'The reference “' || reference || '” is in line ' || first_line || ' already, with other content.'
            from again
            where not same
        )
        select count(*) as "same!"
        from again
        where same
        "#,
        merchant.0,
        held.id.0
    )
    .fetch_one(&mut **tx)
    .await?;
    contradictions(tx, held).await?;
    let known = sqlx::query_scalar!(
        r#"
        select count(*) as "known!"
        from import_commissions l
        join commissions c on c.merchant_id = l.merchant_id and c.reference = l.reference
        where l.merchant_id = $1
            and l.import_id = $2
            and not exists (
                select from import_problems p
                where p.merchant_id = l.merchant_id and p.import_id = l.import_id and p.line = l.line
            )
        "#,
        merchant.0,
        held.id.0
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(repeated.same + known)
}

/// Notes the lines whose reference is there with another content. What came in by this import is its own.
pub(super) async fn contradictions(tx: &mut Tx, held: &Held) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        insert into import_problems (merchant_id, import_id, line, problem)
        select
            $1, $2, l.line,
            'The reference “' || l.reference || '” exists already, with other content: '
                || concat_ws(', ',
                    case when c.affiliate_id <> l.affiliate_id then 'another affiliate' end,
                    case when (c.amount, c.currency) <> (l.amount, l.currency) then c.currency || ' ' || c.amount end,
                    case when $4 and c.due_on <> l.due_on then 'due on ' || c.due_on end,
                    case when $3 and c.note <> l.note then 'another note' end,
                    case
                        when c.paid_before_on is not distinct from l.paid_on then null
                        when c.paid_before_on is null then 'not imported as paid'
                        else 'paid on ' || c.paid_before_on
                    end)
                || '. What exists is not changed by an import.'
        from import_commissions l
        join commissions c on c.merchant_id = l.merchant_id and c.reference = l.reference
        where l.merchant_id = $1
            and l.import_id = $2
            and c.id <> l.id
            and (
                (c.affiliate_id, c.amount, c.currency) <> (l.affiliate_id, l.amount, l.currency)
                or ($4 and c.due_on <> l.due_on)
                or ($3 and c.note <> l.note)
                or c.paid_before_on is distinct from l.paid_on
            )
        on conflict do nothing
        "#,
        merchant.0,
        held.id.0,
        held.mapping.has(Column::Note),
        // A due date that came from the waiting days is not the file's.
        held.mapping.has(Column::DueOn)
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The next chunk comes in: written and owed in one statement. A line that is in already is skipped.
pub(super) async fn import(tx: &mut Tx, held: &Held, now: OffsetDateTime) -> sqlx::Result<Chunk> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Chunk,
        r#"
        with chunk as (
            select l.line, l.id, l.affiliate_id, l.amount, l.currency, l.due_on, l.reference, l.note, l.paid_on
            from import_commissions l
            where l.merchant_id = $1
                and l.import_id = $2
                and l.line > $3
                and not exists (
                    select from import_problems p
                    where p.merchant_id = $1 and p.import_id = $2 and p.line = l.line
                )
            order by l.line
            limit $4
        ),
        added as (
            insert into commissions
                (merchant_id, id, affiliate_id, amount, currency, due_on, reference, note, import_id, paid_before_on, created_at)
            select $1, id, affiliate_id, amount, currency, due_on, reference, note, $2, paid_on, $5
            from chunk
            on conflict do nothing
            returning id, affiliate_id, currency, due_on, amount, paid_before_on
        ),
        owing as (
            insert into owed (merchant_id, commission_id, affiliate_id, currency, due_on, amount)
            select $1, id, affiliate_id, currency, due_on, amount
            from added
            where paid_before_on is null
        )
        select (select max(line) from chunk) as last, (select count(*) from added) as "added!"
        "#,
        merchant.0,
        held.id.0,
        held.cursor,
        CHUNK,
        now
    )
    .fetch_one(&mut **tx)
    .await
}
