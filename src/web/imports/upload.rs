//! Choosing a file, and its way in.

use crate::app::App;
use crate::import::{Kind, UploadError};
use crate::web::error::{Error, Result};
use crate::web::page::{FormErrors, Frame, Section, page, see, unaccepted};
use crate::web::{Path, Query, Signed, Upload};
use crate::{id::ImportId, import};
use askama::Template;
use axum::extract::State;
use axum::extract::multipart::Field;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "imports/new.html")]
struct New {
    frame: Frame,
    kind: Kind,
    errors: FormErrors,
}

/// The kind named in an address.
pub(super) fn kind(name: &str) -> Result<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or(Error::NotFound)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Which {
    kind: String,
}

/// `/imports/new?kind=affiliates`, as a link or a form says it.
pub(super) async fn which(Query(which): Query<Which>) -> Result<Response> {
    let kind = if which.kind.is_empty() { Kind::Commissions } else { kind(&which.kind)? };
    Ok(see(format!("/imports/new/{}", kind.name())).into_response())
}

pub(super) async fn new(signed: Signed, Path(name): Path<String>) -> Result<Response> {
    page(&New { frame: signed.frame(Section::Commissions), kind: kind(&name)?, errors: FormErrors::new() })
}

pub(super) async fn create(
    State(app): State<App>,
    signed: Signed,
    Path(name): Path<String>,
    mut form: Upload,
) -> Result<Response> {
    let kind = kind(&name)?;
    let why = match form.next().await? {
        Some(field) if field.name() == Some("file") && field.file_name().is_some_and(|name| !name.is_empty()) => {
            match receive(&app, &signed, kind, field).await? {
                Ok(id) => return Ok(see(format!("/imports/{id}")).into_response()),
                Err(why) => why,
            }
        }
        Some(_) | None => "Choose a file first.".to_owned(),
    };
    let mut errors = FormErrors::new();
    errors.add("file", why);
    unaccepted(&New { frame: signed.frame(Section::Commissions), kind, errors })
}

/// Takes the file in as it arrives. A file that is refused is still read to its end: a browser that is cut off while it
/// sends shows its own error instead of ours.
async fn receive(app: &App, signed: &Signed, kind: Kind, mut file: Field<'_>) -> Result<Result<ImportId, String>> {
    let name = file.file_name().unwrap_or_default().to_owned();
    let mut upload = import::Upload::new(app, signed.merchant, signed.person, kind, &name);
    let outcome = loop {
        match file.chunk().await {
            Ok(Some(bytes)) => {
                if let Err(error) = upload.push(&bytes).await {
                    break Err(error);
                }
            }
            Ok(None) => break upload.finish(&signed.actor(app)).await,
            Err(broken) => {
                upload.discard().await?;
                return Err(broken.into());
            }
        }
    };
    match outcome {
        Ok(id) => Ok(Ok(id)),
        Err(error) => {
            upload.discard().await?;
            let mut left = import::LARGEST;
            while let Some(bytes) = file.chunk().await? {
                left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                if left == 0 {
                    return Err(Error::TooLarge);
                }
            }
            match error {
                UploadError::Refused(why) => Ok(Err(why.to_string())),
                UploadError::Database(error) => Err(error.into()),
            }
        }
    }
}
