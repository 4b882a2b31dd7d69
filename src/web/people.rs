//! `/people`: who belongs to the merchant, what each may do, and who is invited.

use super::fresh;
use super::page::html;
use super::pages::address;
use super::session;
use super::when::{When, when};
use super::{Error, Form, FormErrors, Frame, Path, Query, Result, Routes, Section, Signed, Tone, page, see};
use crate::app::App;
use crate::id::{InvitationId, PersonId};
use crate::people::invite::{self, Invitation, Sent};
use crate::people::{self, Change, Member, Refused};
use crate::role::Role;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::Deserialize;

const PEOPLE: &str = "/people";

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Admin, PEOPLE, index)
        .post(Role::Admin, "/people/invitations", create)
        .post(Role::Admin, "/people/invitations/{id}/sending", send_again)
        .post(Role::Admin, "/people/invitations/{id}/revocation", revoke)
        .get(Role::Admin, "/people/{id}", show)
        .post(Role::Admin, "/people/{id}/role", change_role)
        .post(Role::Admin, "/people/{id}/deactivation", deactivate)
        .post(Role::Admin, "/people/{id}/reactivation", reactivate)
}

/// What a role may do, for whoever chooses one.
fn may(role: Role) -> &'static str {
    match role {
        Role::Viewer => "looks at everything, changes nothing",
        Role::Preparer => "keeps affiliates and commissions, imports, prepares payments",
        Role::Approver => "also sends money",
        Role::Admin => "also connects PayPal and decides about people and settings",
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Typed {
    email: String,
    role: String,
}

#[derive(Template)]
#[template(path = "settings/people.html")]
struct Index {
    frame: Frame,
    errors: FormErrors,
    typed: Typed,
    members: Vec<Member>,
    invitations: Vec<Invitation>,
    /// A link that no mail carries: it is shown this once.
    by_hand: Option<Sent>,
    now: time::OffsetDateTime,
}

impl Index {
    async fn load(app: &App, signed: &Signed) -> Result<Self> {
        let mut tx = signed.tx(app).await?;
        Ok(Self {
            frame: signed.frame(Section::Settings),
            errors: FormErrors::new(),
            typed: Typed { role: Role::Viewer.name().to_owned(), ..Typed::default() },
            members: people::members(&mut tx).await?,
            invitations: invite::open(&mut tx).await?,
            by_hand: None,
            now: app.clock.now(),
        })
    }

    fn roles(&self) -> [(Role, &'static str); 4] {
        Role::ALL.map(|role| (role, may(role)))
    }

    fn is_self(&self, member: &Member) -> bool {
        self.frame.signed.as_ref().is_some_and(|signed| signed.person == member.id)
    }

    fn when(&self, at: &time::OffsetDateTime) -> When {
        when(*at, self.frame.zone())
    }

    fn sent(&self, invitation: &Invitation) -> When {
        when(invitation.sent_at(), self.frame.zone())
    }

    fn has_expired(&self, invitation: &Invitation) -> bool {
        invitation.expires_at <= self.now
    }
}

/// What was typed before somebody was asked whether it is them comes back in the query.
async fn index(State(app): State<App>, signed: Signed, Query(typed): Query<Typed>) -> Result<Response> {
    let index = Index::load(&app, &signed).await?;
    page(&if typed.role.is_empty() { index } else { Index { typed, ..index } })
}

async fn create(State(app): State<App>, signed: Signed, Form(typed): Form<Typed>) -> Result<Response> {
    fresh::demand(&signed, address(PEOPLE, &[("email", &typed.email), ("role", &typed.role)]))?;
    let mut errors = FormErrors::new();
    let Ok(role) = typed.role.parse::<Role>() else {
        return Err(Error::Invalid("Choose one of the roles. Nobody was invited.".into()));
    };
    let mut tx = signed.tx(&app).await?;
    match invite::invite(&app, &mut tx, &signed.actor(&app), &typed.email, role).await? {
        Ok(sent) => {
            tx.commit().await?;
            app.wake.notify_waiters();
            told(&app, &signed, sent).await
        }
        Err(problem) => {
            drop(tx);
            errors.add("email", format!("{}.", problem.message));
            let again = Index { errors, typed, ..Index::load(&app, &signed).await? };
            Ok(html(StatusCode::UNPROCESSABLE_ENTITY, again.render()?))
        }
    }
}

/// A mail is on its way, or the link is shown here and never again: in no flash, which the database would keep.
async fn told(app: &App, signed: &Signed, sent: Sent) -> Result<Response> {
    if sent.is_mailed {
        let said = format!("{} gets a mail with a link that works once, for seven days.", sent.email);
        return Ok(see(PEOPLE).saying(said).into_response());
    }
    page(&Index { by_hand: Some(sent), ..Index::load(app, signed).await? })
}

async fn send_again(State(app): State<App>, signed: Signed, Path(id): Path<InvitationId>) -> Result<Response> {
    fresh::demand(&signed, PEOPLE)?;
    let mut tx = signed.tx(&app).await?;
    let sent = match invite::send_again(&app, &mut tx, &signed.actor(&app), id).await?.ok_or(Error::NotFound)? {
        Ok(sent) => sent,
        Err(problem) => {
            let said = format!("Nothing was sent: {}.", problem.message);
            return Ok(see(PEOPLE).with(Tone::Warning, said).into_response());
        }
    };
    tx.commit().await?;
    app.wake.notify_waiters();
    told(&app, &signed, sent).await
}

async fn revoke(State(app): State<App>, signed: Signed, Path(id): Path<InvitationId>) -> Result<Response> {
    fresh::demand(&signed, PEOPLE)?;
    let mut tx = signed.tx(&app).await?;
    let email = invite::revoke(&mut tx, &signed.actor(&app), id).await?.ok_or(Error::NotFound)?;
    tx.commit().await?;
    Ok(see(PEOPLE).saying(format!("Revoked. The link that {email} has no longer works.")).into_response())
}

#[derive(Template)]
#[template(path = "settings/person.html")]
struct Show {
    frame: Frame,
    member: Member,
    is_self: bool,
    /// The role that is chosen in the form.
    chosen: Role,
    signed_in: Option<When>,
    deactivated: Option<When>,
}

impl Show {
    fn roles(&self) -> [(Role, &'static str); 4] {
        Role::ALL.map(|role| (role, may(role)))
    }
}

async fn show(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<PersonId>,
    Query(typed): Query<Typed>,
) -> Result<Response> {
    let members = people::members(&mut signed.tx(&app).await?).await?;
    let member = members.into_iter().find(|member| member.id == id).ok_or(Error::NotFound)?;
    let zone = &signed.time_zone;
    page(&Show {
        frame: signed.frame(Section::Settings),
        is_self: member.id == signed.person,
        chosen: typed.role.parse().unwrap_or(member.role),
        signed_in: member.signed_in_at.map(|at| when(at, zone)),
        deactivated: member.deactivated_at.map(|at| when(at, zone)),
        member,
    })
}

/// Who was changed, as they were before.
async fn changed(app: &App, signed: &Signed, id: PersonId, change: Change) -> Result<Member> {
    let typed = if let Change::Role(role) = change { role.name() } else { "" };
    fresh::demand(signed, address(&format!("{PEOPLE}/{id}"), &[("role", typed)]))?;
    let mut tx = signed.tx(app).await?;
    match people::change(&mut tx, &signed.actor(app), id, change).await? {
        Ok(member) => {
            tx.commit().await?;
            Ok(member)
        }
        Err(Refused::NotFound) => Err(Error::NotFound),
        Err(Refused::Oneself) => {
            Err(Error::Conflict("Nobody decides about themselves; another admin can. Nothing was changed.".into()))
        }
        Err(Refused::NoLongerAdmin) => {
            Err(Error::Conflict("Another admin has just taken this role from you. Nothing was changed.".into()))
        }
    }
}

#[derive(Deserialize)]
struct RoleForm {
    role: String,
}

async fn change_role(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<PersonId>,
    Form(typed): Form<RoleForm>,
) -> Result<Response> {
    let Ok(role) = typed.role.parse::<Role>() else {
        return Err(Error::Invalid("Choose one of the roles. Nothing was changed.".into()));
    };
    let member = changed(&app, &signed, id, Change::Role(role)).await?;
    let answer = see(format!("{PEOPLE}/{id}"));
    Ok(if member.role == role {
        answer.with(Tone::Info, format!("{} had the role {role} already.", member.called())).into_response()
    } else {
        answer.saying(format!("{} now has the role {role}, from this moment on.", member.called())).into_response()
    })
}

async fn deactivate(State(app): State<App>, signed: Signed, Path(id): Path<PersonId>) -> Result<Response> {
    let member = changed(&app, &signed, id, Change::Deactivate).await?;
    session::end(&app, id, signed.merchant).await?;
    let said = format!("{} is signed out and may do nothing here any more.", member.called());
    Ok(see(format!("{PEOPLE}/{id}")).saying(said).into_response())
}

async fn reactivate(State(app): State<App>, signed: Signed, Path(id): Path<PersonId>) -> Result<Response> {
    let member = changed(&app, &signed, id, Change::Reactivate).await?;
    let said = format!("{} may sign in again, in the role {}.", member.called(), member.role);
    Ok(see(format!("{PEOPLE}/{id}")).saying(said).into_response())
}
