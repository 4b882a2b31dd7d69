//! What the worker does with imports, one step at a time. The lock on the import's row is the claim, and a step commits
//! its work together with its place: a crash gives back the lock and nothing is half done. No step calls anyone outside,
//! so none needs a lease.

use super::lines::records;
use super::mapping::Mapping;
use super::problems::{Problem, note};
use super::store::{delete, forget_findings, separator};
use super::{Kind, State, affiliates, commissions};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::{ImportId, MerchantId, PersonId};
use anyhow::Context;
use csv::StringRecord;
use serde_json::json;
use sqlx::types::Json;
use time::Duration;

/// Lines that come in with one commit.
pub(super) const CHUNK: i64 = 10_000;
/// A step that fails this often in a row is given up.
const ATTEMPTS: i32 = 6;
/// Files from this many lines on are a bulk change to the planner.
const BULK: i64 = 5_000;

/// Does one step of the import that has waited longest. False if there is nothing to do.
pub async fn next(app: &App) -> anyhow::Result<bool> {
    let Some((merchant, id)) = waiting(app).await? else { return Ok(false) };
    if let Err(error) = step(app, merchant, id).await {
        tracing::error!(import.id = %id, "a step of import {id} failed: {error:#}");
        failed(app, merchant, id).await?;
    }
    Ok(true)
}

/// Looks across all merchants, so this one function takes on the installation's role. An import that another instance
/// works on is locked, and skipped.
async fn waiting(app: &App) -> sqlx::Result<Option<(MerchantId, ImportId)>> {
    let mut tx = app.database.installation().await?;
    let row = sqlx::query!(
        r#"
        select merchant_id as "merchant: MerchantId", id as "id: ImportId"
        from imports
        where state in ('uploading', 'checking', 'importing') and look_at <= $1
        order by look_at
        limit 1
        for update skip locked
        "#,
        app.clock.now()
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.map(|row| (row.merchant, row.id)))
}

/// An import whose row is locked for one step.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: ImportId,
    pub(super) kind: Kind,
    pub(super) mapping: Mapping,
    pub(super) cursor: i64,
    state: State,
    separator: u8,
    columns: usize,
    parts: i64,
    lines: i64,
    person: PersonId,
    file_name: String,
}

async fn step(app: &App, merchant: MerchantId, id: ImportId) -> anyhow::Result<()> {
    let mut tx = app.database.merchant(merchant).await?;
    let Some(held) = hold(&mut tx, id).await? else { return Ok(()) };
    match held.state {
        // Its look_at lies in the past: nothing has arrived for long.
        State::Uploading => delete(&mut tx, id).await?,
        State::Checking if held.cursor < held.parts => check_part(app, &mut tx, &held).await?,
        State::Checking => {
            if held.lines >= BULK {
                app.database.analyze().await?;
            }
            judge(app, &mut tx, &held).await?;
        }
        State::Importing => import_chunk(app, &mut tx, &held).await?,
        State::Uploaded | State::Checked | State::Imported | State::Failed => {}
    }
    tx.commit().await?;
    Ok(())
}

async fn hold(tx: &mut Tx, id: ImportId) -> anyhow::Result<Option<Held>> {
    let merchant = tx.merchant();
    let row = sqlx::query!(
        r#"
        select
            kind as "kind: Kind", state as "state: State", mapping as "mapping: Json<Mapping>", separator, header, cursor,
            parts, lines, person_id as "person: PersonId", file_name
        from imports
        where merchant_id = $1 and id = $2
        for update skip locked
        "#,
        merchant.0,
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| Held {
        id,
        kind: row.kind,
        mapping: row.mapping.map(|mapping| mapping.0).unwrap_or_default(),
        cursor: row.cursor,
        state: row.state,
        separator: separator(&row.separator),
        columns: row.header.len(),
        parts: row.parts.into(),
        lines: row.lines,
        person: row.person,
        file_name: row.file_name,
    }))
}

/// Reads one part: what can be read becomes typed lines, the rest problems.
async fn check_part(app: &App, tx: &mut Tx, held: &Held) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let number = i32::try_from(held.cursor + 1).context("an import has fewer parts")?;
    let part = sqlx::query!(
        "select content, first_line from import_parts where merchant_id = $1 and import_id = $2 and part = $3",
        merchant.0,
        held.id.0,
        number
    )
    .fetch_one(&mut **tx)
    .await?;
    let all: Vec<_> = records(&part.content, part.first_line, held.separator).collect();
    let done = i64::try_from(all.len()).context("parts are small")?;
    let (whole, mut problems) = whole(all, held.columns);
    problems.extend(match held.kind {
        Kind::Affiliates => affiliates::read(tx, held, &whole).await?,
        Kind::Commissions => commissions::read(tx, held, &whole).await?,
    });
    note(tx, held.id, &problems).await?;
    sqlx::query!(
        r#"
        update imports
        set cursor = $3, done = done + $4, attempts = 0, look_at = $5, changed_at = $5
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        held.id.0,
        held.cursor + 1,
        done,
        app.clock.now()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A record with its line.
pub(super) type Line = (i64, StringRecord);

/// The records with as many columns as the header.
fn whole(records: Vec<Line>, columns: usize) -> (Vec<Line>, Vec<Problem>) {
    let (whole, others): (Vec<_>, Vec<_>) = records.into_iter().partition(|(_, record)| record.len() == columns);
    let problem = |(line, record): Line| Problem {
        line,
        problem: format!(
            "The line has {}, and the header has {columns}. Is there a separator or a quote in a cell that is not \
             quoted?",
            if record.len() == 1 { "1 column".to_owned() } else { format!("{} columns", record.len()) }
        ),
    };
    (whole, others.into_iter().map(problem).collect())
}

/// All lines are read: decides which of them are known, and which contradict each other or what is there.
async fn judge(app: &App, tx: &mut Tx, held: &Held) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let known = match held.kind {
        Kind::Affiliates => affiliates::judge(tx, held).await?,
        Kind::Commissions => commissions::judge(tx, held).await?,
    };
    let bad = count_problems(tx, held.id).await?;
    sqlx::query!(
        r#"
        update imports
        set state = 'checked', known = $3, bad = $4, ready = lines - $3 - $4, attempts = 0, changed_at = $5
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        held.id.0,
        known,
        bad,
        app.clock.now()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn count_problems(tx: &mut Tx, id: ImportId) -> sqlx::Result<i64> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from import_problems where merchant_id = $1 and import_id = $2"#,
        merchant.0,
        id.0
    )
    .fetch_one(&mut **tx)
    .await
}

/// What one chunk came to: its last line, and how many rows are new. No last line: nothing was left.
pub(super) struct Chunk {
    pub(super) last: Option<i64>,
    pub(super) added: i64,
}

async fn import_chunk(app: &App, tx: &mut Tx, held: &Held) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let now = app.clock.now();
    let chunk = match held.kind {
        Kind::Affiliates => affiliates::import(tx, held, now).await?,
        Kind::Commissions => commissions::import(tx, held, now).await?,
    };
    let Some(last) = chunk.last else { return finish(app, tx, held).await };
    sqlx::query!(
        r#"
        update imports
        set cursor = $3, done = done + $4, attempts = 0, look_at = $5, changed_at = $5
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        held.id.0,
        last,
        chunk.added,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Everything is in. What was entered by somebody else since the check is judged once more, so that the counts are true.
async fn finish(app: &App, tx: &mut Tx, held: &Held) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    match held.kind {
        Kind::Affiliates => affiliates::contradictions(tx, held).await?,
        Kind::Commissions => commissions::contradictions(tx, held).await?,
    };
    let bad = count_problems(tx, held.id).await?;
    let now = app.clock.now();
    let added = sqlx::query_scalar!(
        r#"
        update imports
        set state = 'imported', ready = done, bad = $3, known = lines - done - $3, attempts = 0, changed_at = $4
        where merchant_id = $1 and id = $2
        returning done
        "#,
        merchant.0,
        held.id.0,
        bad,
        now
    )
    .fetch_one(&mut **tx)
    .await?;
    forget_findings(tx, held.id).await?;
    sqlx::query!(
        r#"
        with parts as (
            select part, first_line, lead(first_line) over (order by part) as next_line
            from import_parts
            where merchant_id = $1 and import_id = $2
        )
        delete from import_parts p
        using parts
        where p.merchant_id = $1
            and p.import_id = $2
            and p.part = parts.part
            and not exists (
                select from import_problems x
                where x.merchant_id = $1
                    and x.import_id = $2
                    and x.line >= parts.first_line
                    and (parts.next_line is null or x.line < parts.next_line)
            )
        "#,
        merchant.0,
        held.id.0
    )
    .execute(&mut **tx)
    .await?;
    let actor = Actor { person: Some(held.person), address: None, at: now };
    let details = json!({ "file": held.file_name, "kind": held.kind.name(), "imported": added, "problems": bad });
    audit::record(tx, &actor, "import finished", &format!("import {}", held.id), details).await?;
    if added >= BULK {
        app.database.analyze().await?;
    }
    Ok(())
}

/// Tries again later, and gives up in the end.
async fn failed(app: &App, merchant: MerchantId, id: ImportId) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.database.merchant(merchant).await?;
    sqlx::query!(
        r#"
        update imports
        set attempts = attempts + 1,
            look_at = $3,
            changed_at = $4,
            state = case when attempts + 1 >= $5 then 'failed' else state end,
            why = case when attempts + 1 >= $5 then $6 end
        where merchant_id = $1 and id = $2 and state in ('checking', 'importing')
        "#,
        merchant.0,
        id.0,
        now + Duration::seconds(5),
        now,
        ATTEMPTS,
        "Something broke on our side, again and again. What had come in by then stays; upload the file again to go on: \
         lines that are in are known then."
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}
