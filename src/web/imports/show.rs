//! One import from its upload to its result, and the list of all.

use super::mapping::{Form, form};
use crate::app::App;
use crate::database::Tx;
use crate::id::ImportId;
use crate::import::{self, Import, Kind, Moved, Problem, State as Stage};
use crate::web::error::{Error, Result};
use crate::web::page::{Frame, Section, Tone, html, page, see};
use crate::web::pages::{PAGE, counted, grouped};
use crate::web::when::{When, when};
use crate::web::{Path, Query, Signed};
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// Problems that the page lists; the file has all.
const LISTED: i64 = 50;

/// Ends htmx's polling.
const STOP_POLLING: u16 = 286;

#[derive(Template)]
#[template(path = "imports/index.html")]
struct Index {
    frame: Frame,
    rows: Vec<Import>,
    newer: String,
    older: String,
}

impl Index {
    fn at(&self, import: &Import) -> When {
        when(import.created_at, self.frame.zone())
    }

    fn lines(&self, import: &Import) -> String {
        grouped(import.lines)
    }

    fn imported(&self, import: &Import) -> String {
        match import.state {
            Stage::Imported => grouped(import.ready),
            Stage::Importing => grouped(import.done),
            // What failed in the check has brought in nothing.
            Stage::Failed => grouped(if import.ready > 0 { import.done } else { 0 }),
            Stage::Uploading | Stage::Uploaded | Stage::Checking | Stage::Checked => "0".into(),
        }
    }

    fn bad(&self, import: &Import) -> String {
        grouped(import.bad)
    }

    fn kind(&self, import: &Import) -> &'static str {
        match import.kind {
            Kind::Affiliates => "Affiliates",
            Kind::Commissions => "Commissions",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct From {
    after: Option<ImportId>,
}

pub(super) async fn index(State(app): State<App>, signed: Signed, Query(from): Query<From>) -> Result<Response> {
    let mut rows = import::list(&mut signed.tx(&app).await?, from.after, PAGE + 1).await?;
    let size = usize::try_from(PAGE).expect("a page is small");
    let more = rows.len() > size;
    rows.truncate(size);
    let older = rows.last().filter(|_| more).map(|last| format!("/imports?after={}", last.id)).unwrap_or_default();
    let newer = from.after.map(|_| "/imports".to_owned()).unwrap_or_default();
    page(&Index { frame: signed.frame(Section::Commissions), rows, newer, older })
}

#[derive(Template)]
#[template(path = "imports/show.html", blocks = ["stage"])]
struct Show {
    frame: Frame,
    import: Import,
    /// While the columns are to be chosen.
    form: Option<Form>,
    problems: Vec<Problem>,
}

impl Show {
    fn is_moving(&self) -> bool {
        self.import.state.is_moving()
    }

    fn is(&self, stage: &str) -> bool {
        match self.import.state {
            Stage::Uploading => stage == "uploading",
            Stage::Uploaded => stage == "uploaded",
            Stage::Checking => stage == "checking",
            Stage::Checked => stage == "checked",
            Stage::Importing => stage == "importing",
            Stage::Imported => stage == "imported",
            Stage::Failed => stage == "failed",
        }
    }

    /// How a step of the way at the top of the page stands.
    fn step(&self, step: usize) -> &'static str {
        let now = match self.import.state {
            Stage::Uploading => 0,
            Stage::Uploaded => 1,
            Stage::Checking => 2,
            Stage::Checked => 3,
            Stage::Importing => 3,
            Stage::Imported => 4,
            Stage::Failed => return if step == 0 { "done" } else { "bad" },
        };
        match step.cmp(&now) {
            std::cmp::Ordering::Less => "done",
            std::cmp::Ordering::Equal => "current",
            std::cmp::Ordering::Greater => "waiting",
        }
    }

    /// What the progress is measured against.
    fn all(&self) -> i64 {
        match self.import.state {
            Stage::Importing => self.import.ready,
            Stage::Uploading | Stage::Uploaded | Stage::Checking | Stage::Checked | Stage::Imported | Stage::Failed => {
                self.import.lines
            }
        }
    }

    fn progress(&self) -> String {
        let import = &self.import;
        let of = format!("{} of {}", grouped(import.done), grouped(self.all()));
        match import.state {
            Stage::Uploading => format!("{} so far", counted(import.lines, "line", "lines")),
            Stage::Importing => format!("{of} {} imported", import.kind.name()),
            Stage::Checking | Stage::Uploaded | Stage::Checked | Stage::Imported | Stage::Failed => {
                format!("{of} lines checked")
            }
        }
    }

    fn lines(&self) -> String {
        counted(self.import.lines, "line", "lines")
    }

    fn grouped(&self, count: &i64) -> String {
        grouped(*count)
    }

    /// "1,190 commissions"
    fn ready(&self) -> String {
        counted(self.import.ready, self.import.kind.one(), self.import.kind.name())
    }

    fn listed(&self) -> String {
        let listed = i64::try_from(self.problems.len()).unwrap_or(i64::MAX);
        if listed < self.import.bad {
            format!("The first {listed} of {} problems", grouped(self.import.bad))
        } else {
            "Problems".into()
        }
    }

    fn at(&self) -> When {
        when(self.import.created_at, self.frame.zone())
    }
}

/// The import, or the page that says there is none.
pub(super) async fn found(tx: &mut Tx, id: ImportId) -> Result<Import> {
    Ok(import::find(tx, id).await?.ok_or(Error::NotFound)?)
}

pub(super) async fn show(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    Path(id): Path<ImportId>,
) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let import = found(&mut tx, id).await?;
    let form = match import.state {
        Stage::Uploaded => Some(form(&mut tx, &import).await?),
        Stage::Uploading | Stage::Checking | Stage::Checked | Stage::Importing | Stage::Imported | Stage::Failed => {
            None
        }
    };
    let problems = match import.state {
        Stage::Checked | Stage::Imported => import::problems(&mut tx, id, 0, LISTED).await?,
        Stage::Uploading | Stage::Uploaded | Stage::Checking | Stage::Importing | Stage::Failed => Vec::new(),
    };
    let show = Show { frame: signed.frame(Section::Commissions), import, form, problems };
    if !headers.contains_key("hx-request") {
        return page(&show);
    }
    let status = if show.is_moving() { StatusCode::OK } else { StatusCode::from_u16(STOP_POLLING).expect("a status") };
    Ok(html(status, show.as_stage().render()?))
}

pub(super) async fn confirm(State(app): State<App>, signed: Signed, Path(id): Path<ImportId>) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let import = found(&mut tx, id).await?;
    match import::confirm(&mut tx, &signed.actor(&app), &import).await? {
        Moved::Yes => {
            tx.commit().await?;
            app.wake.notify_waiters();
            Ok(see(format!("/imports/{id}")).into_response())
        }
        Moved::No => Ok(see(format!("/imports/{id}")).with(Tone::Info, MOVED_ON).into_response()),
    }
}

pub(super) async fn remove(State(app): State<App>, signed: Signed, Path(id): Path<ImportId>) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let import = found(&mut tx, id).await?;
    match import::remove(&mut tx, &signed.actor(&app), &import).await? {
        Moved::Yes => {
            tx.commit().await?;
            let said = format!("{} was removed. Nothing of it has come in.", import.file_name);
            Ok(see("/imports").saying(said).into_response())
        }
        Moved::No => Ok(see(format!("/imports/{id}")).with(Tone::Info, MOVED_ON).into_response()),
    }
}

/// What a click on a page says that somebody else has moved on.
pub(super) const MOVED_ON: &str = "This import has moved on meanwhile; this is where it stands.";
