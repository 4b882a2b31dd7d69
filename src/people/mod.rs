//! The people of a merchant: who belongs to it and in which role, who was invited, and who may no longer.
//!
//! An admin decides about everybody but themselves, so a merchant always keeps the admin who acts. A member is never
//! removed: what they did keeps their name, and one who is deactivated is let in nowhere from that moment on.

pub mod accept;
pub mod invite;
pub mod password;

use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::PersonId;
use crate::role::Role;
use serde_json::json;
use time::OffsetDateTime;

/// Somebody who belongs to a merchant, or did.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub id: PersonId,
    /// With which they sign in.
    pub email: String,
    /// How they are called; may be empty.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Since when they may do nothing any more.
    pub deactivated_at: Option<OffsetDateTime>,
    /// When they last signed in for this merchant.
    pub signed_in_at: Option<OffsetDateTime>,
    /// Whether they have a second factor.
    pub has_factor: bool,
}

impl Member {
    /// What people call them.
    pub fn called(&self) -> &str {
        if self.name.is_empty() { &self.email } else { &self.name }
    }
}

/// Why nothing was changed about a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No such member.
    NotFound,
    /// Nobody decides about themselves.
    Oneself,
    /// Whoever asks is not an admin any more: another admin was faster.
    NoLongerAdmin,
}

/// What an admin decides about a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// They may do this from now on.
    Role(Role),
    /// They may do nothing any more.
    Deactivate,
    /// They may do again what they might before.
    Reactivate,
}

/// Everybody, those who may do something first.
pub async fn members(tx: &mut Tx) -> sqlx::Result<Vec<Member>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Member,
        r#"
        select p.id as "id: PersonId", p.email, p.name, m.role as "role: Role", m.deactivated_at, m.signed_in_at,
            has_factor(p.id) as "has_factor!"
        from memberships m
        join people p on p.id = m.person_id
        where m.merchant_id = $1
        order by m.deactivated_at is not null, lower(coalesce(nullif(p.name, ''), p.email)), p.id
        "#,
        merchant.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// Changes something about a member, who is given as they were before. The admins' rows are locked, so that of two
/// admins who take the role from each other at once, the second is no admin any more.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    person: PersonId,
    change: Change,
) -> sqlx::Result<Result<Member, Refused>> {
    let merchant = tx.merchant();
    let admins: Vec<PersonId> = sqlx::query_scalar!(
        r#"
        select person_id as "person: PersonId"
        from memberships
        where merchant_id = $1 and role = 'admin' and deactivated_at is null
        order by person_id
        for update
        "#,
        merchant.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let Some(member) = members(tx).await?.into_iter().find(|member| member.id == person) else {
        return Ok(Err(Refused::NotFound));
    };
    if actor.person == Some(person) {
        return Ok(Err(Refused::Oneself));
    }
    if !actor.person.is_some_and(|actor| admins.contains(&actor)) {
        return Ok(Err(Refused::NoLongerAdmin));
    }
    let (action, role, deactivated_at) = match change {
        Change::Role(role) => ("role changed", role, member.deactivated_at),
        Change::Deactivate => ("person deactivated", member.role, member.deactivated_at.or(Some(actor.at))),
        Change::Reactivate => ("person reactivated", member.role, None),
    };
    if (role, deactivated_at) == (member.role, member.deactivated_at) {
        return Ok(Ok(member));
    }
    sqlx::query!(
        "update memberships set role = $3, deactivated_at = $4 where merchant_id = $1 and person_id = $2",
        merchant.0,
        person.0,
        role.name(),
        deactivated_at
    )
    .execute(&mut **tx)
    .await?;
    if deactivated_at.is_some() || role != Role::Admin {
        invite::revoke_those_of(tx, actor, person).await?;
    }
    let told = |role: Role, active: bool| json!({ "role": role.name(), "active": active });
    let details = json!({
        "email": member.email,
        "old": told(member.role, member.deactivated_at.is_none()),
        "new": told(role, deactivated_at.is_none()),
    });
    audit::record(tx, actor, action, &format!("person {person}"), details).await?;
    Ok(Ok(member))
}

/// Somebody begins to work for this merchant: they signed in, or came over from another one.
pub async fn signed_in(tx: &mut Tx, actor: &Actor) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let Some(person) = actor.person else { return Ok(()) };
    sqlx::query!(
        "update memberships set signed_in_at = $3 where merchant_id = $1 and person_id = $2",
        merchant.0,
        person.0,
        actor.at
    )
    .execute(&mut **tx)
    .await?;
    audit::record(tx, actor, "signed in", &format!("person {person}"), json!({})).await
}
