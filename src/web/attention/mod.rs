//! `/attention`: everything that waits for somebody, with what to do about it.

mod words;

use super::{Frame, Query, Result, Routes, Section, Signed, page};
use crate::app::App;
use crate::connection::{self, pause};
use crate::payout::attention::{self, At, Kind};
use crate::role::Role;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use words::{Row, Teller};

/// Lines on one page.
const LINES: i64 = 50;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get(Role::Viewer, "/attention", index)
}

#[derive(Template)]
#[template(path = "attention/index.html")]
struct Index {
    frame: Frame,
    kind: Option<Kind>,
    counts: Vec<(Kind, i64)>,
    groups: Vec<(&'static str, Vec<Row>)>,
    from: i64,
    more: bool,
}

impl Index {
    fn all(&self) -> i64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    fn word(&self, kind: &Kind) -> &'static str {
        kind_word(*kind)
    }

    fn address(&self, from: i64) -> String {
        let kind = self.kind.map(|kind| format!("kind={}&", kind.code())).unwrap_or_default();
        format!("/attention?{kind}from={from}")
    }

    fn earlier(&self) -> String {
        if self.from > 0 { self.address((self.from - LINES).max(0)) } else { String::new() }
    }

    fn later(&self) -> String {
        if self.more { self.address(self.from + LINES) } else { String::new() }
    }

    fn shown(&self) -> String {
        let lines: usize = self.groups.iter().map(|(_, rows)| rows.len()).sum();
        let of = self.kind.map_or_else(|| self.all(), |kind| self.count(kind));
        format!("{} to {} of {of}", self.from + 1, self.from + lines as i64)
    }

    fn count(&self, kind: Kind) -> i64 {
        self.counts.iter().find(|(one, _)| *one == kind).map_or(0, |(_, count)| *count)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    kind: Option<String>,
    from: i64,
}

async fn index(State(app): State<App>, signed: Signed, Query(asked): Query<Asked>) -> Result<Response> {
    let at = At { now: app.clock.now(), today: signed.today(&app) };
    let mut tx = signed.tx(&app).await?;
    let mut counts = attention::counts(&mut tx, at).await?;
    counts.sort_by_key(|(kind, _)| *kind);
    // A kind of which nothing is left any more is still a filter; an unknown one is none.
    let kind = asked.kind.and_then(|code| KINDS.into_iter().find(|kind| kind.code() == code));
    let from = asked.from.max(0);
    let mut lines = attention::lines(&mut tx, at, kind, from, LINES + 1).await?;
    let more = lines.len() as i64 > LINES;
    lines.truncate(usize::try_from(LINES).expect("a page is small"));
    let teller = Teller {
        app: &app,
        zone: &signed.time_zone,
        pauses: pause::all(&mut tx).await?,
        connection: connection::in_force(&mut tx).await?,
    };
    let mut groups: Vec<(&'static str, Vec<Row>)> = Vec::new();
    for row in lines.iter().map(|line| teller.row(line)) {
        let who = match row.who {
            1 => "You",
            2 => "The affiliate",
            _ => "PayPal, or time",
        };
        match groups.last_mut() {
            Some((last, rows)) if *last == who => rows.push(row),
            Some(_) | None => groups.push((who, vec![row])),
        }
    }
    page(&Index { frame: signed.frame(Section::Attention), kind, counts, groups, from, more })
}

/// In the order of the filters.
const KINDS: [Kind; 23] = [
    Kind::Approval,
    Kind::Paused,
    Kind::Unreadable,
    Kind::Dropzone,
    Kind::Stuck,
    Kind::Contradicted,
    Kind::Legacy,
    Kind::Doubt,
    Kind::Unanswered,
    Kind::Prepared,
    Kind::Waiting,
    Kind::Trouble,
    Kind::Slow,
    Kind::NoFinal,
    Kind::Report,
    Kind::Unmentioned,
    Kind::Refused,
    Kind::Failed,
    Kind::Flagged,
    Kind::Decide,
    Kind::Unclaimed,
    Kind::OnHold,
    Kind::Unpayable,
];

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Paused => "Payments wait",
        Kind::Unreadable => "PayPal cannot be read",
        Kind::Dropzone => "Files wait",
        Kind::Stuck => "Stuck",
        Kind::Contradicted => "Accepted after all",
        Kind::Legacy => "Paid by MassPay?",
        Kind::Unanswered => "No answer",
        Kind::Approval => "To approve",
        Kind::Prepared => "Prepared files",
        Kind::NoFinal => "No Final report",
        Kind::Report => "Unusable reports",
        Kind::Unmentioned => "Not mentioned",
        Kind::Doubt => "Not known yet",
        Kind::Waiting => "Not handed over",
        Kind::Trouble => "Cannot be read",
        Kind::Slow => "Slow at PayPal",
        Kind::Refused => "Refused batches",
        Kind::Failed => "Not paid",
        Kind::Flagged => "Does not fit",
        Kind::Decide => "To decide",
        Kind::Unclaimed => "Unclaimed",
        Kind::OnHold => "Held",
        Kind::Unpayable => "Cannot be paid",
    }
}
