//! Lines that do not come in: each with its number and what is wrong with it.

use super::lines::records;
use super::store::{Import, separator};
use crate::database::Tx;
use crate::id::ImportId;

/// One line that has to be mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// As an editor counts.
    pub line: i64,
    /// All that is wrong with it.
    pub problem: String,
}

/// Notes problems; a line that has one keeps it.
pub(super) async fn note(tx: &mut Tx, id: ImportId, problems: &[Problem]) -> sqlx::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let merchant = tx.merchant();
    let lines: Vec<i64> = problems.iter().map(|problem| problem.line).collect();
    let texts: Vec<String> = problems.iter().map(|problem| problem.problem.clone()).collect();
    sqlx::query!(
        r#"
        insert into import_problems (merchant_id, import_id, line, problem)
        select $1, $2, line, problem
        from unnest($3::bigint[], $4::text[]) as new (line, problem)
        on conflict do nothing
        "#,
        merchant.0,
        id.0,
        &lines,
        &texts
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The first problems behind a line.
pub async fn problems(tx: &mut Tx, id: ImportId, after: i64, limit: i64) -> sqlx::Result<Vec<Problem>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Problem,
        r#"
        select line, problem
        from import_problems
        where merchant_id = $1 and import_id = $2 and line > $3
        order by line
        limit $4
        "#,
        merchant.0,
        id.0,
        after,
        limit
    )
    .fetch_all(&mut **tx)
    .await
}

/// The next part behind `after` that has problem lines: its number, and those lines as they stood in the file.
pub async fn problem_lines(
    tx: &mut Tx,
    import: &Import,
    after: i32,
) -> sqlx::Result<Option<(i32, Vec<(Problem, Vec<String>)>)>> {
    let merchant = tx.merchant();
    let part = sqlx::query!(
        r#"
        select p.part, p.first_line, p.content
        from import_parts p
        where p.merchant_id = $1 and p.import_id = $2 and p.part > $3
        order by p.part
        limit 1
        "#,
        merchant.0,
        import.id.0,
        after
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(part) = part else { return Ok(None) };
    let records: Vec<_> = records(&part.content, part.first_line, separator(&import.separator)).collect();
    let lines: Vec<i64> = records.iter().map(|(line, _)| *line).collect();
    let problems = sqlx::query_as!(
        Problem,
        r#"
        select line, problem
        from import_problems
        where merchant_id = $1 and import_id = $2 and line = any($3)
        order by line
        "#,
        merchant.0,
        import.id.0,
        &lines
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut records = records.into_iter();
    let found = problems.into_iter().filter_map(|problem| {
        let (_, record) = records.find(|(line, _)| *line == problem.line)?;
        Some((problem, record.iter().map(str::to_owned).collect()))
    });
    Ok(Some((part.part, found.collect())))
}
