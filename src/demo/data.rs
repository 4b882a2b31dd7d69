//! The example data in the database: made once, and never touched again.

use super::HINTS;
use super::affiliates::{self, Affiliate};
use super::commissions::{self, Commission};
use crate::admin::{self, NewMerchant, NewPerson};
use crate::audit::Actor;
use crate::clock::Clock;
use crate::connection::legacy::{LegacyDetails, put};
use crate::database::{Database, Tx};
use crate::id::{AffiliateId, CommissionId, MerchantId};
use crate::role::Role;
use crate::vault::Vault;
use anyhow::{anyhow, ensure};
use rust_decimal::Decimal;
use secrecy::SecretString;
use std::path::Path;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const MERCHANT: &str = "Northwind Outdoor";
/// A second one, whose connection to PayPal is to be upgraded.
const LEGACY_MERCHANT: &str = "Tailwind Books";
const LEGACY_SIZE: Size = Size { affiliates: 24, commissions: 60 };
const TIME_ZONE: &str = "Europe/Berlin";
/// Rows that one statement inserts.
const PORTION: usize = 20_000;

/// How much of it there is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Affiliates.
    pub affiliates: u32,
    /// Commissions of all of them.
    pub commissions: u32,
}

/// A folder with somebody's own installation is no place for a demo, least of all with --fresh.
pub async fn refuse_other_data(database: &Database, folder: &Path) -> anyhow::Result<()> {
    if !has_schema(database).await? {
        return Ok(());
    }
    let (merchants, people) = admin::everybody(database).await?;
    let is_demo = people.iter().any(|email| email == HINTS.email);
    let was_begun =
        people.is_empty() && merchants.iter().all(|name| [MERCHANT, LEGACY_MERCHANT].contains(&name.as_str()));
    ensure!(
        is_demo || was_begun,
        "the data folder {} holds an installation that is not a demo; choose another one with --data-dir",
        folder.display()
    );
    Ok(())
}

async fn has_schema(database: &Database) -> sqlx::Result<bool> {
    let known = sqlx::query_scalar!(r#"select to_regclass('people') is not null as "known!""#);
    known.fetch_one(database.pool()).await
}

/// Leaves an empty database.
pub async fn drop_everything(database: &Database) -> sqlx::Result<()> {
    let mut tx = database.pool().begin().await?;
    sqlx::raw_sql("drop schema public cascade; create schema public").execute(&mut *tx).await?;
    tx.commit().await
}

/// Whether the example data has been made: its commissions come last.
pub async fn is_there(database: &Database) -> sqlx::Result<bool> {
    match admin::find_merchant(database, MERCHANT).await? {
        Some(merchant) => has_commissions(database, merchant).await,
        None => Ok(false),
    }
}

async fn has_commissions(database: &Database, merchant: MerchantId) -> sqlx::Result<bool> {
    let mut tx = database.merchant(merchant).await?;
    let there = sqlx::query_scalar!(
        r#"select exists (select from commissions where merchant_id = $1) as "there!""#,
        tx.merchant().0
    );
    there.fetch_one(&mut *tx).await
}

/// Makes the example data. What an interrupted start left of it is completed.
pub async fn fill(database: &Database, clock: &Clock, vault: &Vault, size: Size) -> anyhow::Result<()> {
    let legacy = add_merchant(database, clock, LEGACY_MERCHANT).await?;
    let details =
        ["tailwind_api1.example.com", "EXAMPLEPASSWORD1", "An-Example.Of-A-Signature"].map(SecretString::from);
    let [user_name, password, signature] = &details;
    let details = LegacyDetails::read("simulator", user_name, password, signature);
    let details = details.map_err(|bad| anyhow!("the example is wrong: {bad:?}"))?;
    let actor = Actor { person: None, address: None, at: clock.now() };
    let mut tx = database.merchant(legacy).await?;
    let since = Some(clock.now() - Duration::days(3_000));
    // A refusal is what an interrupted start, or somebody since, has left.
    let _left_as_it_is = put(&mut tx, vault, &actor, &details, since, false).await?;
    tx.commit().await?;
    if !has_commissions(database, legacy).await? {
        fill_merchant(database, clock, legacy, LEGACY_SIZE).await?;
    }
    // The last, by which the next start knows that all of it is there.
    let merchant = add_merchant(database, clock, MERCHANT).await?;
    admin::set_installation_admin(database, clock, HINTS.email, true).await?;
    fill_merchant(database, clock, merchant, size).await
}

/// The merchant, with the demo's person as its admin.
async fn add_merchant(database: &Database, clock: &Clock, name: &str) -> anyhow::Result<MerchantId> {
    let merchant = match admin::find_merchant(database, name).await? {
        Some(merchant) => merchant,
        None => {
            let new = NewMerchant { name: name.to_owned(), time_zone: TIME_ZONE.to_owned() };
            admin::add_merchant(database, clock, new).await?
        }
    };
    let (email, password) = (HINTS.email.to_owned(), HINTS.password.into());
    let person = NewPerson { email, name: "Dana Moreno".to_owned(), password };
    admin::add_person(database, clock, name, Role::Admin, person).await?;
    Ok(merchant)
}

async fn fill_merchant(database: &Database, clock: &Clock, merchant: MerchantId, size: Size) -> anyhow::Result<()> {
    let mut tx = database.merchant(merchant).await?;
    let mut ids = affiliate_ids(&mut tx).await?;
    if ids.is_empty() {
        let mut affiliates = affiliates::example(size.affiliates).peekable();
        while affiliates.peek().is_some() {
            let portion: Vec<Affiliate> = affiliates.by_ref().take(PORTION).collect();
            ids.extend(add_affiliates(&mut tx, clock.now(), &portion).await?);
        }
    }
    tx.commit().await?;
    database.analyze().await?;

    let mut tx = database.merchant(merchant).await?;
    let size = Size { affiliates: u32::try_from(ids.len()).expect("as many as asked for"), ..size };
    let mut earned = commissions::example(size).peekable();
    while earned.peek().is_some() {
        let portion: Vec<Commission> = earned.by_ref().take(PORTION).collect();
        add_commissions(&mut tx, clock, &ids, &portion).await?;
    }
    tx.commit().await?;
    database.analyze().await?;
    Ok(())
}

/// In the order in which they were added.
async fn affiliate_ids(tx: &mut Tx) -> sqlx::Result<Vec<AffiliateId>> {
    let merchant = tx.merchant();
    let ids = sqlx::query_scalar!(
        r#"select id as "id: AffiliateId" from affiliates where merchant_id = $1 order by id"#,
        merchant.0
    );
    ids.fetch_all(&mut **tx).await
}

async fn add_affiliates(tx: &mut Tx, now: OffsetDateTime, new: &[Affiliate]) -> sqlx::Result<Vec<AffiliateId>> {
    let merchant = tx.merchant();
    let ids: Vec<Uuid> = new.iter().map(|_| AffiliateId::new().0).collect();
    let text = |of: fn(&Affiliate) -> &Option<String>| new.iter().map(|one| of(one).clone()).collect::<Vec<_>>();
    let days_ago = |days: u32| now - Duration::days(days.into());
    let added_at: Vec<OffsetDateTime> = new.iter().map(|one| days_ago(one.added)).collect();
    let changed_at: Vec<Option<OffsetDateTime>> = new.iter().map(|one| one.address_changed.map(days_ago)).collect();
    let first_names: Vec<String> = new.iter().map(|one| one.first_name.to_owned()).collect();
    let last_names: Vec<String> = new.iter().map(|one| one.last_name.to_owned()).collect();
    sqlx::query!(
        "insert into affiliates
            (merchant_id, id, email, first_name, last_name, code, paypal_email, created_at, updated_at, receiver_changed_at)
        select $1, id, email, first_name, last_name, code, paypal_email, added_at, added_at, changed_at
        from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[])
            as new (id, email, first_name, last_name, code, paypal_email, added_at, changed_at)",
        merchant.0,
        &ids,
        &text(|one| &one.email) as &[Option<String>],
        &first_names,
        &last_names,
        &text(|one| &one.code) as &[Option<String>],
        &text(|one| &one.paypal_email) as &[Option<String>],
        &added_at,
        &changed_at as &[Option<OffsetDateTime>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(ids.into_iter().map(AffiliateId).collect())
}

async fn add_commissions(
    tx: &mut Tx,
    clock: &Clock,
    affiliates: &[AffiliateId],
    new: &[Commission],
) -> sqlx::Result<()> {
    let (merchant, now, today) = (tx.merchant(), clock.now(), clock.today(TIME_ZONE));
    let ids: Vec<Uuid> = new.iter().map(|_| CommissionId::new().0).collect();
    let whose: Vec<Uuid> = new.iter().map(|one| affiliates[one.affiliate].0).collect();
    let amounts: Vec<Decimal> = new.iter().map(|one| one.amount.amount()).collect();
    let currencies: Vec<String> = new.iter().map(|one| one.amount.currency().code().to_owned()).collect();
    let day = |days: i32| today + Duration::days(days.into());
    let due_on: Vec<time::Date> = new.iter().map(|one| day(one.due)).collect();
    let paid_on: Vec<Option<time::Date>> = new.iter().map(|one| one.paid.map(day)).collect();
    let references: Vec<String> = new.iter().map(|one| one.reference.clone()).collect();
    let notes: Vec<String> = new.iter().map(|one| one.note.clone()).collect();
    sqlx::query!(
        "with added as (
            insert into commissions
                (merchant_id, id, affiliate_id, amount, currency, due_on, reference, note, paid_before_on, created_at)
            select $1, id, affiliate_id, amount, currency, due_on, reference, note, paid_on, $2
            from unnest($3::uuid[], $4::uuid[], $5::numeric[], $6::text[], $7::date[], $8::text[], $9::text[], $10::date[])
                as new (id, affiliate_id, amount, currency, due_on, reference, note, paid_on)
            returning merchant_id, id, affiliate_id, currency, due_on, amount, paid_before_on
        )
        insert into owed (merchant_id, commission_id, affiliate_id, currency, due_on, amount)
        select merchant_id, id, affiliate_id, currency, due_on, amount
        from added
        where paid_before_on is null",
        merchant.0,
        now,
        &ids,
        &whose,
        &amounts,
        &currencies,
        &due_on,
        &references,
        &notes,
        &paid_on as &[Option<time::Date>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
