//! `/installation/legacy`: what the administrator of the installation sees of merchants with a legacy connection, and does
//! about it. They see no merchant's affiliates, commissions or payments here; for those a merchant has to invite them.

use super::connection::{BEING_ASKED, Typed as Keys, Words, refusal_words, words, wrong_fields};
use super::pages::counted;
use super::when::{When, day, when};
use super::{
    Access, Error, Form, FormErrors, Frame, Path, Query, Result, Routes, Tone, Visitor, page, see, unaccepted,
};
use crate::app::App;
use crate::connection::legacy::{LegacyDetails, NotPut, Put, put};
use crate::connection::{self, Outcome, is_being_asked};
use crate::id::MerchantId;
use crate::legacy::overview::{self, Progress, Row, Stage, Which};
use crate::legacy::remind::{Reminded, remind};
use crate::money::for_people;
use crate::paypal::Environment;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::Deserialize;

const PAGE: &str = "/installation/legacy";
/// Lines on one page.
const LINES: i64 = 100;

pub(super) fn routes(routes: Routes) -> Routes {
    let access = Access::Installation;
    routes
        .get(access, "/installation", async || see(PAGE))
        .get(access, PAGE, index)
        .get(access, "/installation/legacy/new", form)
        .post(access, PAGE, enter)
        .fresh()
        .post(access, "/installation/legacy/reminders", send_reminders)
        .get(access, "/installation/legacy/{merchant}", show)
        .post(access, "/installation/legacy/{merchant}/upgrade", upgrade)
        .fresh()
}

/// A merchant in words.
struct Line {
    row: Row,
    since: When,
    last_paid: Option<String>,
    due: Vec<(String, String)>,
    reminded: Option<When>,
    stage: Words<String>,
    /// When that came about.
    at: Option<When>,
}

impl Line {
    fn of(row: Row, zone: &str) -> Self {
        let (tone, title, at) = match row.stage {
            Stage::NotBegun => ("quiet", "Not begun", None),
            Stage::Checking(at) => ("info", "Being checked", Some(at)),
            Stage::Failed(_, at) => ("warning", "Check failed", Some(at)),
            Stage::Upgraded(at) => ("good", "Upgraded", Some(at)),
            Stage::Disconnected => ("quiet", "Disconnected", None),
        };
        let text = match row.stage {
            Stage::Failed(outcome, _) => words(Some(outcome), true).title.to_owned(),
            Stage::NotBegun | Stage::Checking(_) | Stage::Upgraded(_) | Stage::Disconnected => String::new(),
        };
        Self {
            since: when(row.since, zone),
            last_paid: row.last_paid.map(day),
            due: row.due.iter().map(|(currency, sum)| (currency.to_string(), for_people(*sum, *currency))).collect(),
            reminded: row.reminded_at.map(|at| when(at, zone)),
            stage: Words { tone, title, text },
            at: at.map(|at| when(at, zone)),
            row,
        }
    }

    fn is_open(&self) -> bool {
        match self.row.stage {
            Stage::NotBegun | Stage::Checking(_) | Stage::Failed(..) => true,
            Stage::Upgraded(_) | Stage::Disconnected => false,
        }
    }
}

#[derive(Template)]
#[template(path = "installation/legacy.html")]
struct Index {
    frame: Frame,
    which: Which,
    progress: Progress,
    lines: Vec<Line>,
    from: i64,
    more: bool,
    sends_mail: bool,
}

impl Index {
    fn filters(&self) -> Vec<(Which, &'static str, i64)> {
        let word = |which| match which {
            Which::All => "All",
            Which::Open => "To upgrade",
            Which::Failed => "Check failed",
            Which::Upgraded => "Upgraded",
        };
        Which::ALL.map(|which| (which, word(which), self.progress.of(which))).to_vec()
    }

    fn address(&self, from: i64) -> String {
        format!("{PAGE}?state={}&from={from}", self.which.code())
    }

    fn earlier(&self) -> String {
        if self.from > 0 { self.address((self.from - LINES).max(0)) } else { String::new() }
    }

    fn later(&self) -> String {
        if self.more { self.address(self.from + LINES) } else { String::new() }
    }

    fn shown(&self) -> String {
        format!("{} to {} of {}", self.from + 1, self.from + self.lines.len() as i64, self.progress.of(self.which))
    }

    fn progress_words(&self) -> String {
        let Progress { all, open, failed, upgraded } = self.progress;
        let failed = if failed > 0 { format!(", {failed} of them after a check that failed") } else { String::new() };
        format!("{upgraded} of {} upgraded; {open} still to do{failed}.", counted(all, "merchant", "merchants"))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    state: String,
    from: i64,
}

async fn index(State(app): State<App>, visitor: Visitor, Query(asked): Query<Asked>) -> Result<Response> {
    let which = Which::ALL.into_iter().find(|which| which.code() == asked.state).unwrap_or(Which::All);
    let from = asked.from.max(0);
    let mut rows = overview::list(&app, which, from, LINES + 1).await?;
    let more = rows.len() as i64 > LINES;
    rows.truncate(usize::try_from(LINES).expect("a page is small"));
    let frame = visitor.frame();
    page(&Index {
        which,
        progress: overview::progress(&app).await?,
        lines: rows.into_iter().map(|row| Line::of(row, frame.zone())).collect(),
        from,
        more,
        sends_mail: app.carrier.is_some(),
        frame,
    })
}

/// Whom to remind, and the page to come back to.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Reminders {
    all: String,
    merchant: Vec<MerchantId>,
    back: String,
}

async fn send_reminders(State(app): State<App>, visitor: Visitor, Form(asked): Form<Reminders>) -> Result<Response> {
    let merchants = if asked.all.is_empty() { asked.merchant } else { overview::open(&app).await? };
    let back = merchants.first().filter(|_| asked.back == "one").map_or(PAGE.to_owned(), |one| format!("{PAGE}/{one}"));
    if merchants.is_empty() {
        return Ok(see(PAGE).with(Tone::Warning, "Tick at least one merchant. Nobody was reminded.").into_response());
    }
    let Reminded { told, passed_over, nobody } = remind(&app, &visitor.installation_actor(&app), merchants).await?;
    let merchants = |count: u32| counted(count.into(), "merchant", "merchants");
    let mut said = format!("{} reminded by e-mail.", merchants(told));
    if passed_over > 0 {
        said.push_str(&format!(" {} passed over: reminded within the last day, or upgraded.", merchants(passed_over)));
    }
    if nobody > 0 {
        said.push_str(&format!(" {} without an admin, or wanting no such mail.", merchants(nobody)));
    }
    Ok(see(back).with(if told > 0 { Tone::Good } else { Tone::Warning }, said).into_response())
}

#[derive(Template)]
#[template(path = "installation/merchant.html")]
struct Show {
    frame: Frame,
    errors: FormErrors,
    keys: Keys,
    environments: Vec<Environment>,
    line: Line,
    why: Option<Words>,
    sends_mail: bool,
}

async fn load(app: &App, visitor: &Visitor, merchant: MerchantId, keys: Keys, errors: FormErrors) -> Result<Show> {
    let row = overview::one(app, merchant).await?.ok_or(Error::NotFound)?;
    let environments = app.paypal.environments().to_vec();
    let typed = Some(keys.environment.clone()).filter(|typed| !typed.is_empty());
    let environment = typed.unwrap_or_else(|| row.environment.code().to_owned());
    let is_offered = environments.iter().any(|one| one.code() == environment);
    let environment = if is_offered { environment } else { environments[0].code().to_owned() };
    let why = match row.stage {
        Stage::Failed(outcome, _) => Some(words(Some(outcome), true)),
        Stage::Checking(at) if is_being_asked(at, app.clock.now()) => Some(BEING_ASKED),
        Stage::Checking(_) => Some(Words { text: "Enter the keys again.", ..words(None, true) }),
        Stage::NotBegun | Stage::Upgraded(_) | Stage::Disconnected => None,
    };
    let frame = visitor.frame();
    Ok(Show {
        errors,
        keys: Keys { environment, client_id: keys.client_id, secret: String::new() },
        environments,
        line: Line::of(row, frame.zone()),
        why,
        sends_mail: app.carrier.is_some(),
        frame,
    })
}

async fn show(State(app): State<App>, visitor: Visitor, Path(merchant): Path<MerchantId>) -> Result<Response> {
    page(&load(&app, &visitor, merchant, Keys::default(), FormErrors::new()).await?)
}

/// Carries the upgrade out with keys that the merchant has handed over.
async fn upgrade(
    State(app): State<App>,
    visitor: Visitor,
    Path(merchant): Path<MerchantId>,
    Form(keys): Form<Keys>,
) -> Result<Response> {
    let row = overview::one(&app, merchant).await?.ok_or(Error::NotFound)?;
    let here = format!("{PAGE}/{merchant}");
    if !Line::of(row, "UTC").is_open() {
        return Err(Error::Conflict(
            "This merchant has no legacy connection any more, so there is nothing to upgrade. Nothing was changed."
                .into(),
        ));
    }
    let details = match connection::read_details(&keys.environment, &keys.client_id, &keys.secret) {
        Ok(details) => details,
        Err(bad) => return unaccepted(&load(&app, &visitor, merchant, keys, wrong_fields(&bad)).await?),
    };
    match connection::save(&app, merchant, &visitor.installation_actor(&app), &details).await? {
        Ok(Outcome::Ready) => Ok(see(here)
            .saying("Upgraded. The old details are destroyed. The merchant’s admins, if it has any, are told.")
            .into_response()),
        // The page says what PayPal said, and what to do; the Client ID need not be typed again.
        Ok(
            Outcome::WrongDetails
            | Outcome::SandboxDetails
            | Outcome::LiveDetails
            | Outcome::PayoutsMissing
            | Outcome::Unreachable,
        ) => unaccepted(&load(&app, &visitor, merchant, keys, FormErrors::new()).await?),
        Err(why) => {
            let mut errors = FormErrors::new();
            let (field, message) = refusal_words(&why);
            errors.add(field, message);
            unaccepted(&load(&app, &visitor, merchant, keys, errors).await?)
        }
    }
}

/// What is entered for one merchant. The three details are taken and never given back.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Entered {
    merchant: String,
    environment: String,
    api_username: SecretString,
    api_password: SecretString,
    api_signature: SecretString,
    replace: String,
}

#[derive(Template)]
#[template(path = "installation/new.html")]
struct New {
    frame: Frame,
    errors: FormErrors,
    typed: Entered,
    environments: [Environment; 3],
}

impl New {
    fn of(visitor: &Visitor, typed: Entered, errors: FormErrors) -> Self {
        let environments = [Environment::Live, Environment::Sandbox, Environment::Simulator];
        Self { frame: visitor.frame(), errors, typed, environments }
    }
}

async fn form(visitor: Visitor) -> Result<Response> {
    let typed = Entered { environment: Environment::Live.code().to_owned(), ..Entered::default() };
    page(&New::of(&visitor, typed, FormErrors::new()))
}

async fn enter(State(app): State<App>, visitor: Visitor, Form(typed): Form<Entered>) -> Result<Response> {
    let mut errors = FormErrors::new();
    let read = LegacyDetails::read(&typed.environment, &typed.api_username, &typed.api_password, &typed.api_signature);
    let merchant = overview::named(&app, &typed.merchant).await?;
    if merchant.is_none() {
        errors.add("merchant", "There is no merchant of this name. Write it as Stipend shows it.");
    }
    let (Some(merchant), Ok(details)) = (merchant, &read) else {
        for (field, problem) in read.err().into_iter().flatten() {
            let problem = if field == "environment" { "choose one" } else { problem };
            let of = match field {
                "api_username" => "API user name",
                "api_password" => "API password",
                "api_signature" => "Signature",
                _ => "Environment",
            };
            errors.add(field, format!("{of}: {problem}."));
        }
        return unaccepted(&New::of(&visitor, typed, errors));
    };
    let actor = visitor.installation_actor(&app);
    let mut tx = app.database.merchant(merchant).await?;
    match put(&mut tx, &app.vault, &actor, details, None, !typed.replace.is_empty()).await? {
        Ok(entered) => {
            tx.commit().await?;
            let said = match entered {
                Put::Added => "Entered. The three details are sealed here and never shown again.",
                Put::Unchanged => "Nothing was changed: the merchant had this connection already.",
                Put::Replaced => "Entered. Details that were here before are destroyed.",
            };
            Ok(see(format!("{PAGE}/{merchant}")).saying(said).into_response())
        }
        Err(why) => {
            let what = match why {
                NotPut::Differs => " Tick the box below if what you entered is right.",
                NotPut::Disconnected => " Tick the box below if it is to come back.",
                NotPut::EnvironmentFixed => " Choose that environment.",
                NotPut::Connected | NotPut::Upgraded => "",
            };
            errors.add("merchant", sentence(&why.to_string()) + what);
            unaccepted(&New::of(&visitor, typed, errors))
        }
    }
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str())).unwrap_or_default()
}
