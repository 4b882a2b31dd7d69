//! Files for people: an example to start from, and the lines that have to be mended.

use super::show::found;
use super::upload::kind;
use crate::app::App;
use crate::id::ImportId;
use crate::import::{self, Import, Kind};
use crate::web::error::{Error, Result};
use crate::web::{Path, Signed, export};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

/// `/imports/example/affiliates.csv`
pub(super) async fn example(Path(name): Path<String>) -> Result<Response> {
    let kind = kind(name.strip_suffix(".csv").ok_or(Error::NotFound)?)?;
    let text = match kind {
        Kind::Affiliates => {
            "email,first name,last name,affiliate code,paypal email\r\n\
             ada@example.com,Ada,Lovelace,ADA,\r\n\
             grace@example.com,Grace,Hopper,GRACE,grace.hopper@example.org\r\n"
        }
        Kind::Commissions => {
            "affiliate,amount,currency,due date,reference,note,paid on\r\n\
             ada@example.com,25.00,USD,2026-02-01,ORDER-1001,January sale,\r\n\
             GRACE,112.50,EUR,2026-02-01,ORDER-1002,,\r\n\
             ada@example.com,8.75,USD,2025-12-01,ORDER-0917,,2025-12-15\r\n"
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}-example.csv\"", kind.name())),
    ];
    Ok((headers, text).into_response())
}

/// The lines with problems as they stood in the file, each with its number and its problem: to be mended and uploaded
/// again.
pub(super) async fn problems(State(app): State<App>, signed: Signed, Path(id): Path<ImportId>) -> Result<Response> {
    let import = found(&mut signed.tx(&app).await?, id).await?;
    let columns = import.header.len();
    let heading: Vec<String> =
        import.header.iter().map(String::as_str).chain(["Line", "Problem"]).map(str::to_owned).collect();
    let name = format!("{}-problems.csv", import.kind.name());
    // Each part is a transaction of its own: a slow download holds no connection.
    let portions = stream::try_unfold(0, move |after| {
        let (app, signed, import): (App, Signed, Import) = (app.clone(), signed.clone(), import.clone());
        async move {
            let mut tx = signed.tx(&app).await?;
            let found = import::problem_lines(&mut tx, &import, after).await?;
            let line = |(problem, mut cells): (import::Problem, Vec<String>)| {
                cells.resize(columns, String::new());
                cells.extend([problem.line.to_string(), problem.problem]);
                cells
            };
            Ok::<_, sqlx::Error>(found.map(|(part, lines)| (lines.into_iter().map(line).collect(), part)))
        }
    });
    let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
    Ok(export::csv(&name, &heading, portions))
}
