//! `stipend legacy import`: a file with one legacy connection a line.
//!
//! A merchant that is not here is refused and never made: its name would come from a file in which a shifted column may
//! put a secret in its place, and names are kept and shown.

use super::history::FIRST_YEAR;
use super::lines::Lines;
use super::{Reported, Unusable};
use crate::admin;
use crate::audit::Actor;
use crate::clock::Clock;
use crate::connection::legacy::{LegacyDetails, NotPut, Put, put};
use crate::database::Database;
use crate::id::MerchantId;
use crate::vault::Vault;
use anyhow::Context;
use secrecy::SecretString;
use std::collections::HashMap;
use std::io::Read;
use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime};

/// The columns that a file must have.
pub const COLUMNS: [&str; 5] = ["merchant", "api_username", "api_password", "api_signature", "environment"];
/// It may say since when, too.
pub const SINCE: &str = "connected_on";

/// Reads the file and enters what can be entered. What is here with other details is replaced only if `replace` says so.
pub async fn import(
    database: &Database,
    vault: &Vault,
    clock: &Clock,
    file: impl Read + Send + 'static,
    replace: bool,
    reported: &mut Reported<'_>,
) -> anyhow::Result<Result<(), Unusable>> {
    let mut lines = match Lines::open(file, &COLUMNS) {
        Ok(lines) => lines,
        Err(unusable) => return Ok(Err(unusable)),
    };
    let merchants = merchants(database).await?;
    let at = COLUMNS.map(|name| lines.column(name).expect("the file has its columns"));
    let since = lines.column(SINCE);
    let mut seen: HashMap<MerchantId, u64> = HashMap::new();
    while let Some((number, line)) = lines.next().context("the file could not be read to its end")? {
        let mut cells = match line {
            Ok(cells) => cells,
            Err(problem) => {
                reported.broken(number, problem);
                continue;
            }
        };
        let mut take = |column: usize| std::mem::take(&mut cells[column]);
        let since = since.map_or(Ok(None), |column| connected_on(&take(column), clock.now()));
        let [merchant, user_name, password, signature, environment] = at.map(take);
        let [user_name, password, signature] = [user_name, password, signature].map(SecretString::from);
        let Some(id) = merchants.get(&key_of(&merchant)).copied() else {
            let problem = match merchant.trim() {
                "" => "it is empty; write the merchant’s name as Stipend shows it",
                _ => {
                    "there is no merchant of this name here; correct it, or add the merchant first with: stipend merchant add"
                }
            };
            reported.broken_at(number, COLUMNS[0], problem);
            continue;
        };
        if let Some(first) = seen.get(&id) {
            let problem = format!("the same merchant as in line {first}, which was used; keep one of the two");
            reported.broken_at(number, COLUMNS[0], &problem);
            continue;
        }
        let details = match (LegacyDetails::read(&environment, &user_name, &password, &signature), since) {
            (Ok(details), Ok(since)) => (details, since),
            (details, since) => {
                let bad = details.err().into_iter().flatten().chain(since.err().map(|problem| (SINCE, problem)));
                let bad: Vec<String> = bad.map(|(column, problem)| format!("{column}: {problem}")).collect();
                reported.broken(number, &bad.join(". "));
                continue;
            }
        };
        let actor = Actor { person: None, address: None, at: clock.now() };
        // Nothing is sealed with a key that is being changed: this is no instance, which would be seen running.
        let _held = admin::hold_key(database, vault).await?;
        let mut tx = database.merchant(id).await?;
        match put(&mut tx, vault, &actor, &details.0, details.1, replace).await? {
            Ok(put) => {
                tx.commit().await?;
                seen.insert(id, number);
                reported.count(match put {
                    Put::Added => "added",
                    Put::Unchanged => "here already",
                    Put::Replaced => "replaced",
                });
            }
            Err(why) => reported.broken(number, &refusal_words(why)),
        }
    }
    Ok(Ok(()))
}

fn refusal_words(why: NotPut) -> String {
    let what = match why {
        NotPut::Connected | NotPut::Upgraded => "take the line out",
        NotPut::Disconnected => "if it is to come back, say so with --replace",
        NotPut::Differs => "if the file is right, say so with --replace",
        NotPut::EnvironmentFixed => "correct the column environment to the one that it has paid in",
    };
    format!("{why}; {what}")
}

/// Every merchant by its name in small letters.
pub(super) async fn merchants(database: &Database) -> sqlx::Result<HashMap<String, MerchantId>> {
    let mut tx = database.installation().await?;
    let rows = sqlx::query!(r#"select name, id as "id: MerchantId" from merchants order by id desc"#);
    Ok(rows.fetch_all(&mut *tx).await?.into_iter().map(|row| (key_of(&row.name), row.id)).collect())
}

/// A merchant's name as it is compared.
pub(super) fn key_of(name: &str) -> String {
    name.trim().to_lowercase()
}

fn connected_on(text: &str, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, &'static str> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let day = Date::parse(text.trim(), &Iso8601::DATE).ok();
    let day = day.ok_or("write the day as in 2016-01-31, or leave it empty")?;
    if day.year() < FIRST_YEAR {
        return Err("PayPal did not exist on this day; correct it, or leave it empty");
    }
    let since = day.midnight().assume_utc();
    if since > now { Err("this day is yet to come") } else { Ok(Some(since)) }
}
