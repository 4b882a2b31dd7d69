//! A file arriving. Each part is committed by itself, so that a slow upload holds no transaction; an upload that does
//! not come to its end leaves nothing.

use super::split::{Part, Splitter};
use super::{Kind, Refused};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::id::{ImportId, MerchantId, PersonId};
use serde_json::json;
use time::Duration;

/// The largest file.
pub const LARGEST: u64 = 2 * 1024 * 1024 * 1024;
/// An upload of which nothing has arrived for this long has broken off.
const PATIENCE: Duration = Duration::minutes(10);
/// The longest name of a file that is kept.
const NAME_CHARS: usize = 200;

/// Why an upload did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file cannot be read.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A file on its way in.
#[derive(Debug)]
pub struct Upload {
    app: App,
    merchant: MerchantId,
    person: PersonId,
    kind: Kind,
    file_name: String,
    id: ImportId,
    splitter: Splitter,
    parts: i32,
    bytes: u64,
}

impl Upload {
    /// Nothing has arrived yet.
    pub fn new(app: &App, merchant: MerchantId, person: PersonId, kind: Kind, file_name: &str) -> Self {
        let file_name = file_name.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect();
        let (app, id) = (app.clone(), ImportId::new());
        Self { app, merchant, person, kind, file_name, id, splitter: Splitter::default(), parts: 0, bytes: 0 }
    }

    /// The next piece.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        self.bytes += u64::try_from(bytes.len()).expect("lengths fit");
        if self.bytes > LARGEST {
            return Err(Refused("The file is larger than 2 GiB. Cut it into several files.".into()).into());
        }
        let parts = self.splitter.push(bytes)?;
        self.keep(parts).await
    }

    /// After the last piece: the import waits for its mapping.
    pub async fn finish(&mut self, actor: &Actor) -> Result<ImportId, UploadError> {
        let parts = self.splitter.finish()?;
        self.keep(parts).await?;
        let mut tx = self.app.database.merchant(self.merchant).await?;
        let done = sqlx::query!(
            "update imports set state = 'uploaded', changed_at = $3 where merchant_id = $1 and id = $2 and state = 'uploading'",
            self.merchant.0,
            self.id.0,
            self.app.clock.now()
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if done != 1 {
            return Err(given_up());
        }
        let details = json!({ "file": self.file_name, "kind": self.kind.name() });
        audit::record(&mut tx, actor, "file uploaded", &format!("import {}", self.id), details).await?;
        tx.commit().await?;
        Ok(self.id)
    }

    /// Leaves nothing behind.
    pub async fn discard(self) -> sqlx::Result<()> {
        let mut tx = self.app.database.merchant(self.merchant).await?;
        super::store::delete(&mut tx, self.id).await?;
        tx.commit().await
    }

    async fn keep(&mut self, parts: Vec<Part>) -> Result<(), UploadError> {
        for part in parts {
            let mut tx = self.app.database.merchant(self.merchant).await?;
            let now = self.app.clock.now();
            if self.parts == 0 {
                let shape = self.splitter.shape().expect("a part comes after the header");
                sqlx::query!(
                    r#"
                    insert into imports
                        (merchant_id, id, person_id, kind, file_name, separator, header, state, look_at, created_at, changed_at)
                    values ($1, $2, $3, $4, $5, $6, $7, 'uploading', $8, $8, $8)
                    "#,
                    self.merchant.0,
                    self.id.0,
                    self.person.0,
                    self.kind.name(),
                    self.file_name,
                    char::from(shape.separator).to_string(),
                    &shape.header,
                    now
                )
                .execute(&mut *tx)
                .await?;
            }
            self.parts += 1;
            let kept = sqlx::query!(
                r#"
                with part as (
                    insert into import_parts (merchant_id, import_id, part, first_line, content)
                    values ($1, $2, $3, $4, $5)
                )
                update imports
                set parts = $3, lines = lines + $6, look_at = $7, changed_at = $8
                where merchant_id = $1 and id = $2 and state = 'uploading'
                "#,
                self.merchant.0,
                self.id.0,
                self.parts,
                part.first_line,
                part.content,
                part.lines,
                now + PATIENCE,
                now
            )
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if kept != 1 {
                return Err(given_up());
            }
            tx.commit().await?;
        }
        Ok(())
    }
}

fn given_up() -> UploadError {
    Refused("The upload took too long and was given up. Upload the file again.".into()).into()
}
