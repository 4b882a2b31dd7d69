//! Inviting: a link by e-mail that works once and for a week. The link is minted from the invitation's id and the number
//! of its sending, so that it can be written into a mail without being kept; the database has its digest alone.

use crate::app::App;
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::{InvitationId, MerchantId, PersonId};
use crate::newcomer::{Problem, check_address};
use crate::role::Role;
use crate::vault::{Place, Vault};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

/// Mails with a link within an hour: to one address, and of one merchant.
const MAILS_TO_ONE: i64 = 3;
const MAILS: i64 = 50;

/// A link that nobody followed for so long is void.
pub const LASTS: Duration = Duration::days(7);

/// An invitation that was neither accepted nor revoked.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Who was invited.
    pub email: String,
    /// What they will be.
    pub role: Role,
    /// What the person who invited them is called.
    pub invited_by: String,
    /// When its last link is void.
    pub expires_at: OffsetDateTime,
}

impl Invitation {
    /// When its last link was made.
    pub fn sent_at(&self) -> OffsetDateTime {
        self.expires_at - LASTS
    }
}

/// A link that was just made.
#[derive(Debug)]
pub struct Sent {
    /// Who is to get it.
    pub email: String,
    /// The link; it can be shown this once.
    pub link: SecretString,
    /// A mail with it is on its way. If not, somebody has to hand it over.
    pub is_mailed: bool,
}

/// The invitations that are open, the latest first.
pub async fn open(tx: &mut Tx) -> sqlx::Result<Vec<Invitation>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Invitation,
        r#"
        select i.id as "id: InvitationId", i.email, i.role as "role: Role",
            coalesce(nullif(p.name, ''), p.email) as "invited_by!", i.expires_at
        from invitations i
        join people p on p.id = i.invited_by
        where i.merchant_id = $1 and i.accepted_at is null and i.revoked_at is null
        order by i.id desc
        "#,
        merchant.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// Invites somebody, or says at which field it cannot be.
pub async fn invite(
    app: &App,
    tx: &mut Tx,
    actor: &Actor,
    email: &str,
    role: Role,
) -> sqlx::Result<Result<Sent, Problem>> {
    let merchant = tx.merchant();
    let email = email.trim();
    if let Err(problem) = check_address(email) {
        return Ok(Err(problem));
    }
    let found = super::members(tx).await?.into_iter().find(|member| member.email.eq_ignore_ascii_case(email));
    if let Some(member) = found {
        let what =
            if member.deactivated_at.is_some() { "was deactivated; reactivate them below" } else { "is a member" };
        return Ok(Err(Problem::new("email", format!("{} {what}", member.email))));
    }
    if let Some(problem) = too_many(tx, email, actor.at).await? {
        return Ok(Err(problem));
    }
    let id = InvitationId::new();
    let link = mint(&app.vault, merchant, id, 1);
    let invited = sqlx::query!(
        "insert into invitations (merchant_id, id, email, role, invited_by, created_at, secret_sha256, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (merchant_id, lower(email)) where accepted_at is null and revoked_at is null do nothing",
        merchant.0,
        id.0,
        email,
        role.name(),
        actor.person.map(|person| person.0),
        actor.at,
        digest(link.expose_secret()),
        actor.at + LASTS
    )
    .execute(&mut **tx)
    .await?;
    if invited.rows_affected() == 0 {
        return Ok(Err(Problem::new("email", format!("{email} is invited already; send it again below"))));
    }
    let details = json!({ "email": email, "role": role.name() });
    audit::record(tx, actor, "person invited", &object(id), details).await?;
    Ok(Ok(send(app, tx, actor, id, email, 1).await?))
}

/// Nobody's mailbox is filled from here: so many mails of the last hour to one address, or of one merchant, are enough.
async fn too_many(tx: &mut Tx, email: &str, now: OffsetDateTime) -> sqlx::Result<Option<Problem>> {
    let merchant = tx.merchant();
    let sent = sqlx::query!(
        r#"
        select count(*) filter (where lower(recipient) = lower($2)) as "to_one!", count(*) as "all!"
        from mails
        where merchant_id = $1 and kind = 'invitation' and created_at > $3
        "#,
        merchant.0,
        email,
        now - Duration::HOUR
    )
    .fetch_one(&mut **tx)
    .await?;
    let too_many = sent.to_one >= MAILS_TO_ONE || sent.all >= MAILS;
    Ok(too_many.then(|| Problem::new("email", "many invitations were sent within the last hour; wait, then try again")))
}

/// Whoever may invite nobody any more leaves no door open.
pub(super) async fn revoke_those_of(tx: &mut Tx, actor: &Actor, inviter: PersonId) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let open = sqlx::query_scalar!(
        r#"
        select id as "id: InvitationId"
        from invitations
        where merchant_id = $1 and invited_by = $2 and accepted_at is null and revoked_at is null
        "#,
        merchant.0,
        inviter.0
    )
    .fetch_all(&mut **tx)
    .await?;
    for id in open {
        revoke(tx, actor, id).await?;
    }
    Ok(())
}

/// Makes a new link for another week; the one before it is void. Nothing if the invitation is not open.
pub async fn send_again(
    app: &App,
    tx: &mut Tx,
    actor: &Actor,
    id: InvitationId,
) -> sqlx::Result<Option<Result<Sent, Problem>>> {
    let merchant = tx.merchant();
    let Some(row) = sqlx::query!(
        "update invitations
        set sendings = sendings + 1, expires_at = $3
        where merchant_id = $1 and id = $2 and accepted_at is null and revoked_at is null
        returning email, sendings",
        merchant.0,
        id.0,
        actor.at + LASTS
    )
    .fetch_optional(&mut **tx)
    .await?
    else {
        return Ok(None);
    };
    if let Some(problem) = too_many(tx, &row.email, actor.at).await? {
        return Ok(Some(Err(problem)));
    }
    let link = mint(&app.vault, merchant, id, row.sendings);
    sqlx::query!(
        "update invitations set secret_sha256 = $3 where merchant_id = $1 and id = $2",
        merchant.0,
        id.0,
        digest(link.expose_secret())
    )
    .execute(&mut **tx)
    .await?;
    audit::record(tx, actor, "invitation sent again", &object(id), json!({ "email": row.email })).await?;
    Ok(Some(Ok(send(app, tx, actor, id, &row.email, row.sendings).await?)))
}

/// Makes an invitation void: whose it was, unless it is not open.
pub async fn revoke(tx: &mut Tx, actor: &Actor, id: InvitationId) -> sqlx::Result<Option<String>> {
    let merchant = tx.merchant();
    let email = sqlx::query_scalar!(
        "update invitations
        set revoked_at = $3
        where merchant_id = $1 and id = $2 and accepted_at is null and revoked_at is null
        returning email",
        merchant.0,
        id.0,
        actor.at
    )
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(email) = &email {
        audit::record(tx, actor, "invitation revoked", &object(id), json!({ "email": email })).await?;
    }
    Ok(email)
}

/// The address that an invitation's mail leads to.
pub fn link(app: &App, merchant: MerchantId, id: InvitationId, sending: i32) -> SecretString {
    let base = app.public_url.as_deref().or(app.listens_at.as_deref()).unwrap_or_default().trim_end_matches('/');
    let secret = mint(&app.vault, merchant, id, sending);
    SecretString::from(format!("{base}/invitation?code={}", secret.expose_secret()))
}

/// Writes the mail, where one is wanted, and gives the link.
async fn send(
    app: &App,
    tx: &mut Tx,
    actor: &Actor,
    id: InvitationId,
    email: &str,
    sending: i32,
) -> sqlx::Result<Sent> {
    let merchant = tx.merchant();
    let written = sqlx::query!(
        "insert into mails (merchant_id, id, kind, about, recipient, details, created_at, due_at)
        select $1, gen_random_uuid(), 'invitation', format('invitation %s, sending %s', $2::uuid, $3::int), $4, $5, $6, $6
        from mails_wanted
        where merchant_id = $1 and kind = 'invitation'",
        merchant.0,
        id.0,
        sending,
        email,
        json!({ "invitation": id, "sending": sending }),
        actor.at
    )
    .execute(&mut **tx)
    .await?;
    let is_mailed =
        written.rows_affected() > 0 && app.carrier.as_ref().is_some_and(|carrier| !carrier.takes_play_money());
    Ok(Sent { email: email.to_owned(), link: link(app, merchant, id, sending), is_mailed })
}

/// Under another master key the links that were not mailed yet are others; those that were mailed stay good.
pub(crate) async fn mint_anew(tx: &mut PgConnection, vault: &Vault) -> sqlx::Result<()> {
    let waiting = sqlx::query!(
        r#"
        select i.merchant_id as "merchant: MerchantId", i.id as "id: InvitationId", i.sendings
        from invitations i
        join mails m on m.merchant_id = i.merchant_id and m.state = 'waiting' and m.kind = 'invitation'
            and m.about = format('invitation %s, sending %s', i.id, i.sendings)
        where i.accepted_at is null and i.revoked_at is null
        "#
    )
    .fetch_all(&mut *tx)
    .await?;
    for row in waiting {
        let secret = mint(vault, row.merchant, row.id, row.sendings);
        sqlx::query!(
            "update invitations set secret_sha256 = $3 where merchant_id = $1 and id = $2",
            row.merchant.0,
            row.id.0,
            digest(secret.expose_secret())
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

fn mint(vault: &Vault, merchant: MerchantId, id: InvitationId, sending: i32) -> SecretString {
    vault.mint(Place { column: "invitations.secret_sha256", merchant: merchant.0, row: id.0 }, sending)
}

pub(super) fn digest(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.trim()).to_vec()
}

pub(super) fn object(id: InvitationId) -> String {
    format!("invitation {id}")
}
