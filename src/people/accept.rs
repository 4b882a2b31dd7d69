//! Accepting an invitation. Whoever holds the link belongs to no merchant yet, so this file takes on the installation's
//! role; the digest of the link is all that it looks for.

use super::invite::{digest, object};
use crate::admin::{self, NewPerson};
use crate::app::App;
use crate::audit::{Actor, record_for};
use crate::id::{InvitationId, MerchantId, PersonId};
use crate::newcomer::{Problem, check_person};
use crate::role::Role;
use secrecy::SecretString;
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// What an open invitation offers.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The merchant.
    pub merchant: MerchantId,
    /// Its name.
    pub merchant_name: String,
    /// For whom.
    pub email: String,
    /// As what.
    pub role: Role,
    /// What the person who invited them is called.
    pub invited_by: String,
    /// The person of this e-mail, if they have signed in here before.
    pub known: Option<PersonId>,
    id: InvitationId,
}

/// Who accepts.
#[derive(Debug)]
pub enum Guest {
    /// Somebody new: a name and a password.
    New {
        /// How they are called; may be empty.
        name: String,
        /// What they will type.
        password: SecretString,
    },
    /// Somebody who has signed in with the e-mail that was invited.
    Known(PersonId),
}

/// Why an invitation was not accepted. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// The link is none, or not any more.
    #[error("this invitation does not hold any more")]
    Void,
    /// It is somebody else's.
    #[error("this invitation is for somebody else")]
    NotYours,
    /// What was entered cannot be.
    #[error("what was entered cannot be")]
    Entered(Vec<Problem>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The open invitation of this link. Whoever has become a member in another way has none: it could change their role.
pub async fn find(app: &App, code: &str) -> sqlx::Result<Option<Offer>> {
    let mut tx = app.database.installation().await?;
    offer(&mut tx, code, app.clock.now()).await
}

async fn offer(tx: &mut PgConnection, code: &str, now: OffsetDateTime) -> sqlx::Result<Option<Offer>> {
    sqlx::query_as!(
        Offer,
        r#"
        select i.merchant_id as "merchant: MerchantId", m.name as merchant_name, i.email, i.role as "role: Role",
            coalesce(nullif(p.name, ''), p.email) as "invited_by!", k.id as "known?: PersonId", i.id as "id: InvitationId"
        from invitations i
        join merchants m on m.id = i.merchant_id
        join people p on p.id = i.invited_by
        left join people k on lower(k.email) = lower(i.email)
        where i.secret_sha256 = $1 and i.accepted_at is null and i.revoked_at is null and i.expires_at > $2
            and not exists (select from memberships o where o.merchant_id = i.merchant_id and o.person_id = k.id)
        "#,
        digest(code),
        now
    )
    .fetch_optional(tx)
    .await
}

/// Makes the guest a member; the link is void from then on.
pub async fn accept(
    app: &App,
    code: &str,
    guest: Guest,
    address: Option<String>,
) -> Result<(Offer, PersonId), NotAccepted> {
    let now = app.clock.now();
    // Hashing takes its time, and is done for nobody without a link.
    let Some(found) = find(app, code).await? else { return Err(NotAccepted::Void) };
    let newcomer = match guest {
        Guest::Known(person) if found.known == Some(person) => None,
        Guest::New { name, password } if found.known.is_none() => {
            let new = NewPerson { email: found.email, name, password };
            check_person(&new).map_err(NotAccepted::Entered)?;
            let hash = admin::hash(&new.password).await.map_err(not_hashed)?;
            Some((new, hash))
        }
        Guest::Known(_) | Guest::New { .. } => return Err(NotAccepted::NotYours),
    };
    let mut tx = admin::begin(&app.database).await?;
    let Some(offer) = offer(&mut tx, code, now).await? else { return Err(NotAccepted::Void) };
    let person = match (offer.known, &newcomer) {
        (Some(person), None) => person,
        (None, Some((new, hash))) => admin::insert_person(&mut tx, new, hash, now).await?,
        (Some(_), Some(_)) | (None, None) => return Err(NotAccepted::NotYours),
    };
    let accepted = sqlx::query!(
        "update invitations
        set accepted_at = $3
        where merchant_id = $1 and id = $2 and accepted_at is null and revoked_at is null",
        offer.merchant.0,
        offer.id.0,
        now
    );
    if accepted.execute(&mut *tx).await?.rows_affected() == 0 {
        return Err(NotAccepted::Void);
    }
    admin::set_role(&mut tx, (offer.merchant, person), offer.role, now).await?;
    let who = Actor { person: Some(person), address, at: now };
    let details = json!({ "email": offer.email, "role": offer.role.name() });
    record_for(&mut tx, offer.merchant, &who, "invitation accepted", &object(offer.id), details).await?;
    tx.commit().await?;
    Ok((offer, person))
}

fn not_hashed(refused: admin::Refused) -> NotAccepted {
    match refused {
        admin::Refused::Entered(problems) => NotAccepted::Entered(problems),
        admin::Refused::Database(error) => NotAccepted::Database(error),
        admin::Refused::AlreadySetUp | admin::Refused::WrongCode => NotAccepted::Void,
    }
}
