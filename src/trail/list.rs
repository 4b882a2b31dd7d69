//! The entries of a merchant, for whoever wants to know what happened: the latest first, by their number in the chain.

use crate::commission::Place;
use crate::database::Tx;
use crate::id::PersonId;
use serde_json::Value;
use sqlx::{FromRow, QueryBuilder};
use time::{Date, OffsetDateTime};

/// One entry with its link.
#[derive(Debug, Clone, FromRow)]
pub struct Entry {
    /// Its place in the chain.
    pub number: i64,
    /// When it was done.
    pub at: OffsetDateTime,
    /// What the person is called; nothing for the program itself and its command line.
    pub person: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// In words.
    pub action: String,
    /// To what: a word and an id.
    pub object: String,
    /// What was before and after.
    pub details: Value,
    /// Its link: whoever keeps it can tell later whether the chain up to here was made anew.
    pub hash: Vec<u8>,
}

/// Which entries.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only by this person.
    pub person: Option<PersonId>,
    /// Part of the action's words; empty for all.
    pub action: String,
    /// Part of what it was done to; empty for all.
    pub object: String,
    /// Done on this day or later.
    pub from: Option<Date>,
    /// Done on this day or earlier.
    pub through: Option<Date>,
    /// Whose days these are: the merchant's time zone.
    pub zone: String,
}

/// At most `limit` entries from a place on, the latest first.
pub async fn list(tx: &mut Tx, wanted: &Wanted, place: Place<i64>, limit: i64) -> sqlx::Result<Vec<Entry>> {
    let mut query = QueryBuilder::new(
        "select l.number, e.at, coalesce(nullif(p.name, ''), p.email, e.person_id::text) as person, e.address,
            e.action, e.object, e.details, l.hash
        from audit_links l
        join audit_entries e on e.merchant_id = l.merchant_id and e.id = l.entry_id
        left join people p on p.id = e.person_id
        where l.merchant_id = ",
    );
    query.push_bind(tx.merchant().0);
    if let Some(person) = wanted.person {
        query.push(" and e.person_id = ").push_bind(person.0);
    }
    for (column, part) in [("e.action", &wanted.action), ("e.object", &wanted.object)] {
        let part = part.trim();
        if !part.is_empty() {
            query.push(format!(" and strpos(lower({column}), lower(")).push_bind(part.to_owned()).push(")) > 0");
        }
    }
    for (comparison, day) in [(">=", wanted.from), ("<", wanted.through.and_then(Date::next_day))] {
        let Some(day) = day else { continue };
        query.push(format!(" and e.at {comparison} ")).push_bind(day);
        query.push("::date::timestamp at time zone ").push_bind(wanted.zone.clone());
    }
    let direction = match place {
        Place::Start => "desc",
        Place::After(other) => {
            query.push(" and l.number < ").push_bind(other);
            "desc"
        }
        Place::Before(other) => {
            query.push(" and l.number > ").push_bind(other);
            "asc"
        }
    };
    query.push(format!(" order by l.number {direction} limit ")).push_bind(limit);
    let mut entries: Vec<Entry> = query.build_query_as().fetch_all(&mut **tx).await?;
    if matches!(place, Place::Before(_)) {
        entries.reverse();
    }
    Ok(entries)
}
