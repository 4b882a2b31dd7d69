//! Affiliates as a list: searched, sorted, a page at a time by key, so that the last page costs what the first does.

use super::Status;
use crate::database::Tx;
use crate::id::AffiliateId;
use serde::Deserialize;
use sqlx::{FromRow, Postgres, QueryBuilder};
use time::{Date, OffsetDateTime};

/// Which affiliates, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Part of a name, address or code; empty for all.
    pub search: String,
    /// Only these; none for all.
    pub status: Option<Status>,
    /// The order.
    pub sort: Sort,
}

/// Orders of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// By name, from A.
    #[default]
    Name,
    /// By name, from Z.
    #[serde(rename = "name-desc")]
    NameDescending,
    /// The latest first.
    Newest,
    /// The earliest first.
    Oldest,
}

impl Sort {
    /// As it stands in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::NameDescending => "name-desc",
            Sort::Newest => "newest",
            Sort::Oldest => "oldest",
        }
    }
}

/// Where in the list to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At its beginning.
    Start,
    /// Behind this affiliate.
    After(AffiliateId),
    /// In front of this affiliate: the page that ends there.
    Before(AffiliateId),
}

/// One line of the list.
#[derive(Debug, Clone, FromRow)]
pub struct Listed {
    /// Which one.
    pub id: AffiliateId,
    /// E-mail.
    pub email: Option<String>,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Affiliate code.
    pub code: Option<String>,
    /// Where their money goes, if not to the e-mail.
    pub paypal_email: Option<String>,
    /// Whether they still earn.
    pub status: Status,
    /// When they were added.
    pub created_at: OffsetDateTime,
}

impl Listed {
    /// What people call them.
    pub fn name(&self) -> String {
        super::name(&self.first_name, &self.last_name, self.email.as_deref(), self.code.as_deref())
    }

    /// The address that money goes to.
    pub fn receiver(&self) -> Option<&str> {
        self.paypal_email.as_deref().or(self.email.as_deref())
    }
}

/// How many affiliates the filter lets through.
pub async fn count(tx: &mut Tx, filter: &Filter) -> sqlx::Result<i64> {
    let mut query = QueryBuilder::new("select count(*) from affiliates where merchant_id = ");
    query.push_bind(tx.merchant().0);
    narrow(&mut query, filter);
    query.build_query_scalar().fetch_one(&mut **tx).await
}

/// At most `limit` affiliates from a place on, in the filter's order.
pub async fn list(tx: &mut Tx, filter: &Filter, place: Place, limit: i64) -> sqlx::Result<Vec<Listed>> {
    let merchant = tx.merchant();
    let mut query = QueryBuilder::new(
        "select id, email, first_name, last_name, code, paypal_email, status, created_at
        from affiliates where merchant_id = ",
    );
    query.push_bind(merchant.0);
    narrow(&mut query, filter);
    let (key, down) = match filter.sort {
        Sort::Name => ("sort_name, id", false),
        Sort::NameDescending => ("sort_name, id", true),
        Sort::Oldest => ("created_at, id", false),
        Sort::Newest => ("created_at, id", true),
    };
    // A page in front of a place is read backwards and turned round.
    let (other, backwards) = match place {
        Place::Start => (None, false),
        Place::After(other) => (Some(other), false),
        Place::Before(other) => (Some(other), true),
    };
    let down = down != backwards;
    if let Some(other) = other {
        query.push(format!(
            " and ({key}) {} (select {key} from affiliates where merchant_id = ",
            if down { "<" } else { ">" }
        ));
        query.push_bind(merchant.0).push(" and id = ").push_bind(other.0).push(")");
    }
    let direction = if down { "desc" } else { "asc" };
    let order: Vec<String> = key.split(", ").map(|column| format!("{column} {direction}")).collect();
    query.push(" order by ").push(order.join(", ")).push(" limit ").push_bind(limit);
    let mut listed: Vec<Listed> = query.build_query_as().fetch_all(&mut **tx).await?;
    if backwards {
        listed.reverse();
    }
    Ok(listed)
}

fn narrow(query: &mut QueryBuilder<Postgres>, filter: &Filter) {
    if let Some(status) = filter.status {
        query.push(" and status = ").push_bind(status.name());
    }
    let search = filter.search.trim();
    if !search.is_empty() {
        query
            .push(" and strpos(lower(concat_ws(' ', first_name, last_name, email, code, paypal_email)), lower(")
            .push_bind(search.to_owned())
            .push(")) > 0");
    }
}

/// What the affiliates of one page are owed today, per currency.
pub async fn due(tx: &mut Tx, ids: &[AffiliateId], today: Date) -> sqlx::Result<Vec<super::Due>> {
    let merchant = tx.merchant();
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query_as!(
        super::Due,
        r#"select affiliate_id as "affiliate: AffiliateId", currency as "currency: crate::money::Currency",
            sum(amount) as "amount!"
        from owed
        where merchant_id = $1 and affiliate_id = any($2) and due_on <= $3
        group by affiliate_id, currency
        order by affiliate_id, currency"#,
        merchant.0,
        &ids,
        today
    )
    .fetch_all(&mut **tx)
    .await
}
