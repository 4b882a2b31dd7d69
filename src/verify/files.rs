//! Input files, read as PayPal would read them: the frozen bytes pass every check, and say what their batch says.

use super::Looked;
use crate::paypal::large_batch::{Checked, check};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use std::io::{Seek, SeekFrom, Write};
use time::OffsetDateTime;
use uuid::Uuid;

/// A batch with a file.
struct File {
    merchant: Uuid,
    batch: Uuid,
    number: i64,
    name: String,
    items: i32,
    total: Decimal,
    currency: String,
    sha256: Vec<u8>,
    created_at: OffsetDateTime,
}

/// Every file of all merchants, or of one.
pub(super) async fn look(tx: &mut PgConnection, merchant: Option<Uuid>) -> anyhow::Result<Looked> {
    let files = sqlx::query_as!(
        File,
        r#"
        select b.merchant_id as merchant, b.id as batch, b.number, f.name, b.items, b.total, b.currency,
            b.body_sha256 as sha256, b.created_at
        from payout_files f
        join payout_batches b on b.merchant_id = f.merchant_id and b.id = f.batch_id
        where $1::uuid is null or b.merchant_id = $1
        order by b.merchant_id, b.number
        "#,
        merchant
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut problems = Vec::new();
    for file in &files {
        let checked = read(&mut *tx, file).await?;
        problems.extend(problem(file, &checked));
    }
    Ok(Looked {
        things: "files".to_owned(),
        looked: i64::try_from(files.len())?,
        broken: i64::try_from(problems.len())?,
        examples: Some(problems.into_iter().take(5).collect()),
    })
}

/// On disk and not in memory: a file may hold millions of lines.
async fn read(tx: &mut PgConnection, file: &File) -> anyhow::Result<Checked> {
    let mut spooled = tempfile::tempfile()?;
    for place in 0.. {
        let part = sqlx::query_scalar!(
            "select content from payout_file_parts where merchant_id = $1 and batch_id = $2 and place = $3",
            file.merchant,
            file.batch,
            place
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(part) = part else { break };
        spooled.write_all(&part)?;
    }
    spooled.seek(SeekFrom::Start(0))?;
    let (name, at) = (file.name.clone(), file.created_at);
    Ok(tokio::task::spawn_blocking(move || check(Some(&name), spooled, at)).await??)
}

fn problem(file: &File, checked: &Checked) -> Option<String> {
    let number = file.number;
    if let Some(finding) = checked.findings.first() {
        return Some(format!("PayPal would reject the file of batch {number}: {}", finding.error.name()));
    }
    if checked.sha256[..] != file.sha256[..] {
        return Some(format!("the file of batch {number} is not the one that was frozen"));
    }
    let says = (checked.lines, checked.sum, checked.currency.as_deref());
    let expected = (u64::from(file.items.cast_unsigned()), file.total, Some(file.currency.as_str()));
    (says != expected).then(|| format!("the file of batch {number} says {says:?}, its batch {expected:?}"))
}
