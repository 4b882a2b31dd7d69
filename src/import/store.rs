//! Imports in the database, and what people do with them.

use super::lines::records;
use super::mapping::Mapping;
use super::{Kind, State};
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::ImportId;
use anyhow::Context;
use serde_json::json;
use sqlx::types::Json;
use time::OffsetDateTime;

/// One file.
#[derive(Debug, Clone)]
pub struct Import {
    /// Which one.
    pub id: ImportId,
    /// What it is about.
    pub kind: Kind,
    /// As its owner called it.
    pub file_name: String,
    /// What separates its columns.
    pub separator: String,
    /// The names of its columns.
    pub header: Vec<String>,
    /// Its lines, without the header and empty ones.
    pub lines: i64,
    /// Where it stands.
    pub state: State,
    /// What its columns mean.
    pub mapping: Option<Json<Mapping>>,
    /// How far the step in hand has come, in lines.
    pub done: i64,
    /// Lines that can come in; once imported, those that did.
    pub ready: i64,
    /// Lines that were there already.
    pub known: i64,
    /// Lines with a problem.
    pub bad: i64,
    /// Why it was given up.
    pub why: Option<String>,
    /// Who uploaded it.
    pub person: String,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it last moved.
    pub changed_at: OffsetDateTime,
}

/// The import, if this merchant has it.
pub async fn find(tx: &mut Tx, id: ImportId) -> sqlx::Result<Option<Import>> {
    Ok(fetch(tx, Some(id), None, 1).await?.into_iter().next())
}

/// Imports from behind `after` on, the latest first.
pub async fn list(tx: &mut Tx, after: Option<ImportId>, limit: i64) -> sqlx::Result<Vec<Import>> {
    fetch(tx, None, after, limit).await
}

async fn fetch(tx: &mut Tx, only: Option<ImportId>, after: Option<ImportId>, limit: i64) -> sqlx::Result<Vec<Import>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Import,
        r#"
        select
            i.id as "id: ImportId", i.kind as "kind: Kind", i.file_name, i.separator, i.header, i.lines,
            i.state as "state: State", i.mapping as "mapping: Json<Mapping>", i.done,
            coalesce(i.ready, 0) as "ready!", coalesce(i.known, 0) as "known!", coalesce(i.bad, 0) as "bad!", i.why,
            coalesce(nullif(p.name, ''), p.email) as "person!", i.created_at, i.changed_at
        from imports i
        join people p on p.id = i.person_id
        where i.merchant_id = $1 and ($2::uuid is null or i.id = $2) and ($3::uuid is null or i.id < $3)
        order by i.id desc
        limit $4
        "#,
        merchant.0,
        only.map(|id| id.0),
        after.map(|id| id.0),
        limit
    )
    .fetch_all(&mut **tx)
    .await
}

/// The first lines of the file, each with its number.
pub async fn sample(tx: &mut Tx, import: &Import, limit: usize) -> sqlx::Result<Vec<(i64, Vec<String>)>> {
    let merchant = tx.merchant();
    let first = sqlx::query!(
        r#"
        select content, first_line
        from import_parts
        where merchant_id = $1 and import_id = $2
        order by part
        limit 1
        "#,
        merchant.0,
        import.id.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(first) = first else { return Ok(Vec::new()) };
    let separator = separator(&import.separator);
    let records = records(&first.content, first.first_line, separator).take(limit);
    Ok(records.map(|(line, record)| (line, record.iter().map(str::to_owned).collect())).collect())
}

/// The separator as a byte; the table's check knows it.
pub(super) fn separator(text: &str) -> u8 {
    text.bytes().next().expect("a separator is one character")
}

/// Whether an import was where the person saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Yes, and it has moved on.
    Yes,
    /// No: somebody else was faster.
    No,
}

impl From<u64> for Moved {
    fn from(rows: u64) -> Self {
        if rows == 1 { Moved::Yes } else { Moved::No }
    }
}

/// Says what the columns mean: the lines will be checked, from the beginning.
pub async fn set_mapping(tx: &mut Tx, id: ImportId, mapping: &Mapping, now: OffsetDateTime) -> anyhow::Result<Moved> {
    let merchant = tx.merchant();
    let mapping = serde_json::to_value(mapping).context("a mapping is plain JSON")?;
    let moved = sqlx::query!(
        r#"
        update imports
        set state = 'checking', mapping = $3, cursor = 0, done = 0, attempts = 0, ready = null, known = null, bad = null,
            look_at = $4, changed_at = $4
        where merchant_id = $1 and id = $2 and state in ('uploaded', 'checked')
        "#,
        merchant.0,
        id.0,
        mapping,
        now
    )
    .execute(&mut **tx)
    .await?
    .rows_affected();
    if moved == 1 {
        forget_findings(tx, id).await?;
        sqlx::query!("delete from import_problems where merchant_id = $1 and import_id = $2", merchant.0, id.0)
            .execute(&mut **tx)
            .await?;
    }
    Ok(moved.into())
}

/// A person wants the good lines: they will come in.
pub async fn confirm(tx: &mut Tx, actor: &Actor, import: &Import) -> sqlx::Result<Moved> {
    let merchant = tx.merchant();
    let moved = sqlx::query!(
        r#"
        update imports
        set state = 'importing', cursor = 0, done = 0, attempts = 0, look_at = $3, changed_at = $3
        where merchant_id = $1 and id = $2 and state = 'checked' and ready > 0
        "#,
        merchant.0,
        import.id.0,
        actor.at
    )
    .execute(&mut **tx)
    .await?
    .rows_affected();
    if moved == 1 {
        let details = json!({ "file": import.file_name, "kind": import.kind.name(), "ready": import.ready });
        audit::record(tx, actor, "import started", &format!("import {}", import.id), details).await?;
    }
    Ok(moved.into())
}

/// Throws away a file of which nothing has come in.
pub async fn remove(tx: &mut Tx, actor: &Actor, import: &Import) -> sqlx::Result<Moved> {
    let merchant = tx.merchant();
    let held = sqlx::query_scalar!(
        r#"
        select id
        from imports
        where merchant_id = $1 and id = $2 and state in ('uploaded', 'checked')
        for update
        "#,
        merchant.0,
        import.id.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    if held.is_none() {
        return Ok(Moved::No);
    }
    delete(tx, import.id).await?;
    let details = json!({ "file": import.file_name, "kind": import.kind.name() });
    audit::record(tx, actor, "file removed", &format!("import {}", import.id), details).await?;
    Ok(Moved::Yes)
}

/// Deletes an import with all that belongs to it.
pub(super) async fn delete(tx: &mut Tx, id: ImportId) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    forget_findings(tx, id).await?;
    sqlx::query!(
        r#"
        with parts as (delete from import_parts where merchant_id = $1 and import_id = $2),
        problems as (delete from import_problems where merchant_id = $1 and import_id = $2)
        delete from imports where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        id.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes the lines that a check has read.
pub(super) async fn forget_findings(tx: &mut Tx, id: ImportId) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        with commissions as (delete from import_commissions where merchant_id = $1 and import_id = $2)
        delete from import_affiliates where merchant_id = $1 and import_id = $2
        "#,
        merchant.0,
        id.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
