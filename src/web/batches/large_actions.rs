//! What a person does with a Large Batch file: take it home, let it go, and say what PayPal told about it.

use super::{actions, exists};
use crate::app::App;
use crate::id::{BatchId, DropzoneFileId};
use crate::payout::batches;
use crate::payout::decide::{self, MAX_WHY, Undecided};
use crate::payout::files;
use crate::payout::manual::{self, NotLetGo, TooLate};
use crate::payout::stuck::Word;
use crate::role::Role;
use crate::web::fresh;
use crate::web::pages::counted;
use crate::web::restoration::NOT_SIGNED_OFF;
use crate::web::when::when;
use crate::web::{Error, Form, Path, Result, Routes, Signed, Tone, see};
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

/// A file may wait so long for its time.
const FURTHEST: Duration = Duration::days(366);

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Viewer, "/batches/{id}/file", download)
        .get(Role::Viewer, "/batches/{id}/answers/{file}", download_answer)
        .post(Role::Approver, "/batches/{id}/upload", upload)
        .post(Role::Approver, "/batches/{id}/answers/seen", seen)
        .post(Role::Approver, "/batches/{id}/unmentioned", unmentioned)
        .post(Role::Approver, "/batches/{id}/clearance", clear)
}

/// A stream of megabytes.
fn portions<F>(next: impl Fn(i32) -> F + Send + 'static) -> Body
where
    F: Future<Output = sqlx::Result<Option<Vec<u8>>>> + Send,
{
    Body::from_stream(futures_util::stream::try_unfold((0, next), |(place, next)| async move {
        let portion = next(place).await?;
        Ok::<_, sqlx::Error>(portion.map(|portion| (Bytes::from(portion), (place + 1, next))))
    }))
}

fn attachment(name: &str, length: Option<i64>, body: Body) -> Response {
    let kind = if name.ends_with(".gz") { "application/gzip" } else { "text/csv; charset=utf-8" };
    let mut response = (
        [
            (header::CONTENT_TYPE, kind.to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        ],
        body,
    )
        .into_response();
    if let Some(length) = length {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response
}

/// The file as it was, or will be, uploaded: to the byte.
async fn download(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let input = files::input(&mut tx, id).await?.ok_or(Error::NotFound)?;
    drop(tx);
    let body = portions(move |place| {
        let (app, signed) = (app.clone(), signed.clone());
        async move { files::input_part(&mut signed.tx(&app).await?, id, place).await }
    });
    Ok(attachment(&input.name, Some(input.bytes), body))
}

/// A file of PayPal's, as it was.
async fn download_answer(
    State(app): State<App>,
    signed: Signed,
    Path((id, file)): Path<(BatchId, DropzoneFileId)>,
) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let answers = files::answers(&mut tx, id).await?;
    let answer = answers.into_iter().find(|answer| answer.id == file).ok_or(Error::NotFound)?;
    drop(tx);
    // What PayPal calls it, as far as that is a name.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name: String = answer.name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let body = portions(move |place| {
        let (app, signed) = (app.clone(), signed.clone());
        async move { files::answer_part(&mut signed.tx(&app).await?, id, file, place).await }
    });
    Ok(attachment(&name, None, body))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Typed {
    at: String,
}

/// Lets the file go: now, or at a time of the merchant's.
async fn upload(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<BatchId>,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    exists(&app, &signed, id).await?;
    let page = format!("/batches/{id}");
    let at = match read_time(&typed.at, &signed.time_zone, app.clock.now()) {
        Ok(at) => at,
        Err(problem) => {
            return Ok(see(page).with(Tone::Warning, format!("{problem} Nothing was changed.")).into_response());
        }
    };
    let said = match at {
        Some(at) => format!("It will be uploaded on {}.", when(at, &signed.time_zone).minute),
        None => "It is being uploaded.".to_owned(),
    };
    let mut tx = signed.tx(&app).await?;
    let batch = batches::show(&mut tx, id).await?.ok_or(Error::NotFound)?;
    fresh::before_money(&mut tx, &signed, &[(batch.currency, batch.total)], &page).await?;
    drop(tx);
    match manual::let_go(&app, signed.merchant, &signed.actor(&app), id, at).await? {
        Ok(()) => Ok(see(page).saying(said).into_response()),
        Err(NotLetGo::TooLate) => Err(Error::Conflict(actions::TOO_LATE.into())),
        Err(NotLetGo::Restored) => Err(Error::Conflict(NOT_SIGNED_OFF.into())),
    }
}

/// A time as a field of a form sends it, in the merchant's zone. Nothing was typed: now.
fn read_time(text: &str, zone: &str, now: OffsetDateTime) -> std::result::Result<Option<OffsetDateTime>, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let odd = "Write the time as 2026-05-31T09:00, or choose it in the field.";
    let local: DateTime = text.parse().map_err(|_| odd)?;
    let zoned = local.to_zoned(TimeZone::get(zone).unwrap_or(TimeZone::UTC)).map_err(|_| odd)?;
    let at = OffsetDateTime::from_unix_timestamp(zoned.timestamp().as_second()).map_err(|_| odd)?;
    match at - now {
        ahead if ahead < Duration::ZERO => Err("That time has passed; choose a later one, or upload it now."),
        ahead if ahead > FURTHEST => Err("That is more than a year ahead; choose an earlier time."),
        _ => Ok(Some(at)),
    }
}

/// Somebody has looked at what of PayPal's files could not be used.
async fn seen(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
    exists(&app, &signed, id).await?;
    let actor = signed.actor(&app);
    let person = actor.person.ok_or(Error::NotFound)?;
    let mut tx = signed.tx(&app).await?;
    let marked = files::mark_seen(&mut tx, id, person, actor.at).await?;
    let details = serde_json::json!({ "files": marked });
    crate::audit::record(&mut tx, &actor, "looked at unusable reports", &format!("batch {id}"), details).await?;
    tx.commit().await?;
    Ok(see(format!("/batches/{id}")).saying("Noted. The files stay here as they came.").into_response())
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Settled {
    says: String,
    sum: String,
    looked_at: String,
}

/// A person has asked PayPal about what no report mentions.
async fn unmentioned(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<BatchId>,
    Form(typed): Form<Settled>,
) -> Result<Response> {
    exists(&app, &signed, id).await?;
    let page = format!("/batches/{id}?state=queued");
    let again =
        |what: &str| Ok(see(page.clone()).with(Tone::Warning, format!("{what} Nothing was changed.")).into_response());
    let Some(word) = Word::from_code(&typed.says) else { return again("Choose whether PayPal paid them.") };
    let Ok(sum) = typed.sum.trim().replace(',', "").parse() else {
        return again("Type their sum as a number, as in 1234.50.");
    };
    let looked_at = typed.looked_at.trim();
    if looked_at.is_empty() || looked_at.chars().count() > MAX_WHY {
        return again("Say where you looked, in at most 500 characters.");
    }
    let actor = signed.actor(&app);
    match decide::settle_unmentioned(&app, signed.merchant, &actor, (id, None), word, (sum, looked_at)).await? {
        Ok(moved) => {
            let moved = counted(i64::try_from(moved).unwrap_or(i64::MAX), "payment", "payments");
            let said = match word {
                Word::There => format!("Noted: PayPal paid {moved}."),
                Word::NotThere => format!("Noted: PayPal did not pay {moved}; they are due again."),
            };
            Ok(see(format!("/batches/{id}")).saying(said).into_response())
        }
        Err(Undecided::WrongSum) => again("That is not their sum. Look again at what you found."),
        Err(Undecided::TooLate(_) | Undecided::Flagged | Undecided::NotConfirmed) => {
            again("A later report may still mention them: this can be said a day after the last one.")
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cleared {
    looked_at: String,
}

/// A person has asked PayPal about a file that it rejected and accepted.
async fn clear(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<BatchId>,
    Form(typed): Form<Cleared>,
) -> Result<Response> {
    exists(&app, &signed, id).await?;
    let page = see(format!("/batches/{id}"));
    let looked_at = typed.looked_at.trim();
    if looked_at.is_empty() || looked_at.chars().count() > MAX_WHY {
        return Ok(page
            .with(Tone::Warning, "Say whom you asked, in at most 500 characters. Nothing was changed.")
            .into_response());
    }
    match manual::clear_contradiction(&app, signed.merchant, &signed.actor(&app), id, looked_at).await? {
        Ok(()) => Ok(page.saying("Noted. What was in this file can be paid again.").into_response()),
        Err(TooLate) => Err(Error::Conflict(actions::TOO_LATE.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_time_is_the_merchants_and_lies_ahead() {
        let now = datetime!(2026-01-12 10:00 UTC);
        let read = |text| read_time(text, "Europe/Berlin", now);
        assert_eq!(read(" "), Ok(None));
        assert_eq!(read("2026-01-12T12:30"), Ok(Some(datetime!(2026-01-12 11:30 UTC))));
        for bad in ["2026-01-12T10:30", "2028-01-12T10:30", "tomorrow", "2026-13-40T99:99"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
