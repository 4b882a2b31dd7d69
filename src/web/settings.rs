//! `/settings/mail`: which mails are sent, and what they say.

use super::pages::counted;
use super::when::{When, when};
use super::{Error, Form, FormErrors, Frame, Path, Result, Routes, Section, Signed, page, see, unaccepted};
use crate::affiliate::check_email;
use crate::app::App;
use crate::mail::outbox::{self, Listed};
use crate::mail::settings::{self, Setting};
use crate::mail::{Kind, Text};
use crate::role::Role;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

const PAGE: &str = "/settings/mail";
/// Mails in the list of the latest.
const LATEST: i64 = 20;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Admin, "/settings", async || see(PAGE))
        .get(Role::Admin, PAGE, index)
        .get(Role::Admin, "/settings/mail/{kind}", edit)
        .post(Role::Admin, "/settings/mail/{kind}", save)
}

#[derive(Template)]
#[template(path = "settings/mail.html")]
struct Index {
    frame: Frame,
    /// How mails leave, if they do.
    carrier: Option<String>,
    /// The carrier leaves this merchant out: its money is not real.
    play_money: bool,
    settings: Vec<Setting>,
    waiting: i64,
    given_up: i64,
    latest: Vec<(Listed, When)>,
}

impl Index {
    /// How many were given up, in words.
    fn given_up(&self) -> String {
        counted(self.given_up, "mail was given up: it", "mails were given up: they")
    }

    fn waiting(&self) -> String {
        counted(self.waiting, "mail waits", "mails wait")
    }

    /// Tone and words of a mail's state.
    fn state(&self, mail: &Listed) -> (&'static str, &'static str) {
        match mail.state.as_str() {
            "sent" => ("good", "Sent"),
            "given_up" => ("bad", "Given up"),
            "dropped" => ("quiet", "Not sent"),
            _ if mail.attempts > 0 && mail.trouble.is_some() => ("warning", "Tried again"),
            _ => ("waiting", "Waiting"),
        }
    }
}

async fn index(State(app): State<App>, signed: Signed) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let settings = settings::all(&mut tx).await?;
    let (waiting, given_up) = outbox::not_sent(&mut tx).await?;
    let latest = outbox::latest(&mut tx, LATEST).await?;
    let zone = &signed.time_zone;
    let real = matches!(signed.environment.as_deref(), None | Some("live"));
    page(&Index {
        frame: signed.frame(Section::Settings),
        carrier: app.carrier.as_ref().map(crate::carrier::Carrier::words),
        play_money: !real && app.carrier.as_ref().is_some_and(|carrier| !carrier.takes_play_money()),
        settings,
        waiting,
        given_up,
        latest: latest
            .into_iter()
            .map(|mail| (when(mail.created_at, zone), mail))
            .map(|(at, mail)| (mail, at))
            .collect(),
    })
}

#[derive(Template)]
#[template(path = "settings/mail_kind.html")]
struct Edit {
    frame: Frame,
    errors: FormErrors,
    kind: Kind,
    typed: Typed,
    is_standard: bool,
    preview: Option<Text>,
}

/// The form as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Typed {
    on: Option<String>,
    subject: String,
    body: String,
    recipient: String,
    /// Which button: save, preview or reset.
    button: String,
}

impl Typed {
    fn of(setting: &Setting) -> Self {
        let text = setting.text();
        Self {
            on: setting.is_on.then(|| "1".to_owned()),
            subject: text.subject,
            body: text.body,
            recipient: setting.recipient.clone().unwrap_or_default(),
            button: String::new(),
        }
    }

    /// What to keep, or what is wrong.
    fn parse(&self, kind: Kind) -> Result<Setting, Vec<(&'static str, String)>> {
        let recipient = Some(self.recipient.trim()).filter(|text| !text.is_empty() && kind == Kind::Attention);
        let text = Text::parse(kind, &self.subject, &self.body);
        let mut problems = text.as_ref().err().cloned().unwrap_or_default();
        if let Some(Err(problem)) = recipient.map(check_email) {
            problems.push(("recipient", format!("Check the address: {problem}.")));
        }
        match text {
            Ok(text) if problems.is_empty() => Ok(Setting {
                kind,
                is_on: self.on.is_some(),
                own: Some(text).filter(|text| *text != kind.standard()),
                recipient: recipient.map(str::to_owned),
            }),
            _ => Err(problems),
        }
    }
}

fn named(name: &str) -> Result<Kind> {
    Kind::named(name).ok_or(Error::NotFound)
}

async fn edit(State(app): State<App>, signed: Signed, Path(name): Path<String>) -> Result<Response> {
    let kind = named(&name)?;
    let setting = settings::one(&mut signed.tx(&app).await?, kind).await?;
    let (typed, is_standard) = (Typed::of(&setting), setting.own.is_none());
    let frame = signed.frame(Section::Settings);
    page(&Edit { frame, errors: FormErrors::new(), kind, typed, is_standard, preview: None })
}

async fn save(
    State(app): State<App>,
    signed: Signed,
    Path(name): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    let kind = named(&name)?;
    let mut tx = signed.tx(&app).await?;
    let before = settings::one(&mut tx, kind).await?;
    let shown = Edit {
        frame: signed.frame(Section::Settings),
        errors: FormErrors::new(),
        kind,
        typed: typed.clone(),
        is_standard: before.own.is_none(),
        preview: None,
    };
    let setting = match (typed.button.as_str(), typed.parse(kind)) {
        ("reset", _) => Setting { own: None, ..before },
        (_, Err(problems)) => return unaccepted(&Edit { errors: problems.into(), ..shown }),
        ("preview", Ok(setting)) => {
            let mut values = kind.example();
            values.insert("merchant", signed.merchant_name.clone());
            return page(&Edit { preview: Some(setting.text().fill(&values)), ..shown });
        }
        (_, Ok(setting)) => setting,
    };
    settings::save(&mut tx, &signed.actor(&app), &setting).await?;
    tx.commit().await?;
    let said = match (typed.button.as_str(), setting.is_on) {
        ("reset", _) => "The standard text is back.",
        (_, true) => "Saved. This mail is sent.",
        (_, false) => "Saved. This mail is not sent.",
    };
    Ok(see(PAGE).saying(said).into_response())
}
