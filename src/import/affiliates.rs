//! Lines of a file of affiliates.

use super::mapping::{Column, Mapping};
use super::problems::Problem;
use super::step::{CHUNK, Chunk, Held, Line};
use crate::affiliate::{Details, Raw};
use crate::database::Tx;
use crate::id::AffiliateId;
use csv::StringRecord;
use time::OffsetDateTime;

/// Reads a record, or says all that is wrong with it.
fn parse(mapping: &Mapping, record: &StringRecord) -> Result<Details, String> {
    let cell = |column| mapping.cell(record, column).to_owned();
    let raw = Raw {
        email: cell(Column::Email),
        first_name: cell(Column::FirstName),
        last_name: cell(Column::LastName),
        code: cell(Column::Code),
        paypal_email: cell(Column::PaypalEmail),
    };
    raw.parse().map_err(|problems| problems.into_iter().map(|(_, problem)| problem).collect::<Vec<_>>().join(" "))
}

/// Reads records into typed lines; gives back the problems of the others.
pub(super) async fn read(tx: &mut Tx, held: &Held, records: &[Line]) -> sqlx::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let mut typed = Vec::new();
    for (line, record) in records {
        match parse(&held.mapping, record) {
            Ok(details) => typed.push((*line, details)),
            Err(problem) => problems.push(Problem { line: *line, problem }),
        }
    }
    stage(tx, held, typed).await?;
    Ok(problems)
}

async fn stage(tx: &mut Tx, held: &Held, typed: Vec<(i64, Details)>) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let ids: Vec<uuid::Uuid> = typed.iter().map(|_| AffiliateId::new().0).collect();
    let (mut lines, mut emails, mut codes, mut paypal_emails) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut first_names, mut last_names) = (Vec::new(), Vec::new());
    for (line, details) in typed {
        lines.push(line);
        emails.push(details.email);
        first_names.push(details.first_name);
        last_names.push(details.last_name);
        codes.push(details.code);
        paypal_emails.push(details.paypal_email);
    }
    sqlx::query!(
        r#"
        insert into import_affiliates
            (merchant_id, import_id, line, id, email, first_name, last_name, code, paypal_email)
        select $1, $2, line, id, email, first_name, last_name, code, paypal_email
        from unnest($3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
            as new (line, id, email, first_name, last_name, code, paypal_email)
        "#,
        merchant.0,
        held.id.0,
        &lines,
        &ids,
        &emails as &[Option<String>],
        &first_names,
        &last_names,
        &codes as &[Option<String>],
        &paypal_emails as &[Option<String>]
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Once all lines are read: an e-mail or code that comes again in the file, or is there already, is known if all else
/// is the same, and a problem otherwise. Returns how many are known.
pub(super) async fn judge(tx: &mut Tx, held: &Held) -> sqlx::Result<i64> {
    let merchant = tx.merchant();
    // The first line of an e-mail or code stands; later ones are compared with it and go.
    let repeated = sqlx::query!(
        r#"
        with keys as (
            select line, 'e' || lower(email) as key from import_affiliates
            where merchant_id = $1 and import_id = $2 and email is not null
            union all
            select line, 'c' || lower(code) from import_affiliates
            where merchant_id = $1 and import_id = $2 and code is not null
        ),
        firsts as (
            select key, min(line) as line
            from keys
            group by key
            having count(*) > 1
        ),
        later as (
            select k.line, min(f.line) as first_line, max(f.line) as last_line
            from firsts f
            join keys k on k.key = f.key and k.line > f.line
            group by k.line
        ),
        again as (
            delete from import_affiliates l
            using later, import_affiliates f
            where l.merchant_id = $1
                and l.import_id = $2
                and l.line = later.line
                and f.merchant_id = $1
                and f.import_id = $2
                and f.line = later.first_line
            returning
                l.line,
                f.line as first_line,
                later.first_line = later.last_line
                    and (l.first_name, l.last_name) = (f.first_name, f.last_name)
                    and lower(l.email) is not distinct from lower(f.email)
                    and lower(l.code) is not distinct from lower(f.code)
                    and lower(l.paypal_email) is not distinct from lower(f.paypal_email) as same
        ),
        noted as (
            insert into import_problems (merchant_id, import_id, line, problem)
            select $1, $2, line, 'The email or code is in line ' || first_line || ' already, with other details.'
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
        from import_affiliates l
        left join affiliates e on e.merchant_id = l.merchant_id and lower(e.email) = lower(l.email)
        left join affiliates c on c.merchant_id = l.merchant_id and lower(c.code) = lower(l.code)
        where l.merchant_id = $1
            and l.import_id = $2
            and (e.id is not null or c.id is not null)
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

/// Notes the lines whose e-mail or code is there with other details, or belongs to two affiliates. Only what the file
/// has a column for is compared.
pub(super) async fn contradictions(tx: &mut Tx, held: &Held) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        with met as (
            select l.line, l.first_name, l.last_name, l.email, l.code, l.paypal_email, a.id, a.first_name as was_first_name,
                a.last_name as was_last_name, a.email as was_email, a.code as was_code, a.paypal_email as was_paypal_email
            from import_affiliates l
            join affiliates a on a.merchant_id = l.merchant_id and lower(a.email) = lower(l.email)
            where l.merchant_id = $1 and l.import_id = $2 and a.id <> l.id
            union
            select l.line, l.first_name, l.last_name, l.email, l.code, l.paypal_email, a.id, a.first_name, a.last_name,
                a.email, a.code, a.paypal_email
            from import_affiliates l
            join affiliates a on a.merchant_id = l.merchant_id and lower(a.code) = lower(l.code)
            where l.merchant_id = $1 and l.import_id = $2 and a.id <> l.id
        ),
        differences as (
            select line, concat_ws(', ',
                case when $3 and lower(email) is distinct from lower(was_email)
                    then 'email ' || coalesce('“' || was_email || '”', 'none') end,
                case when $4 and lower(code) is distinct from lower(was_code)
                    then 'code ' || coalesce('“' || was_code || '”', 'none') end,
                case when $5 and first_name <> was_first_name then 'first name “' || was_first_name || '”' end,
                case when $6 and last_name <> was_last_name then 'last name “' || was_last_name || '”' end,
                case when $7 and lower(coalesce(paypal_email, email)) is distinct from lower(coalesce(was_paypal_email, was_email))
                    then 'PayPal email ' || coalesce('“' || coalesce(was_paypal_email, was_email) || '”', 'none') end) as words
            from met
        )
        insert into import_problems (merchant_id, import_id, line, problem)
        select $1, $2, line, 'An affiliate with this email or code exists already, with other details: '
            || string_agg(words, '; ' order by words) || '. What exists is not changed by an import.'
        from differences
        where words <> ''
        group by line
        on conflict do nothing
        "#,
        merchant.0,
        held.id.0,
        held.mapping.has(Column::Email),
        held.mapping.has(Column::Code),
        held.mapping.has(Column::FirstName),
        held.mapping.has(Column::LastName),
        held.mapping.has(Column::PaypalEmail)
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The next chunk comes in. A line that is in already is skipped.
pub(super) async fn import(tx: &mut Tx, held: &Held, now: OffsetDateTime) -> sqlx::Result<Chunk> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Chunk,
        r#"
        with chunk as (
            select l.line, l.id, l.email, l.first_name, l.last_name, l.code, l.paypal_email
            from import_affiliates l
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
            insert into affiliates
                (merchant_id, id, email, first_name, last_name, code, paypal_email, created_at, updated_at)
            select $1, id, email, first_name, last_name, code, paypal_email, $5, $5
            from chunk
            on conflict do nothing
            returning id
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
