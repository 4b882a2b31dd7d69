//! Whether the chain of a merchant's entries is whole, computed from the entries when somebody asks.

use crate::database::Tx;

/// How far a chain holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Every entry up to this number is as it was written, with none missing and none put in.
    pub holds_up_to: i64,
    /// The number of the last link.
    pub last: i64,
    /// Entries that stand beside the chain, or links that were cut off at its end.
    pub strays: i64,
}

impl Checked {
    /// Nothing was changed, taken out or put in.
    pub fn is_whole(&self) -> bool {
        self.holds_up_to == self.last && self.strays == 0
    }
}

/// Computes every hash anew. Reads all entries of the merchant.
pub async fn check(tx: &mut Tx) -> sqlx::Result<Checked> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Checked,
        r#"
        with links as (
            select
                l.number,
                row_number() over chain as place,
                l.number = row_number() over chain
                    and coalesce(l.hash = audit_hash(coalesce(lag(l.hash) over chain, ''), l.number, e), false) as holds
            from audit_links l
            left join audit_entries e on e.merchant_id = l.merchant_id and e.id = l.entry_id
            where l.merchant_id = $1
            window chain as (order by l.number)
        ),
        last as (
            select coalesce(max(number), 0) as number
            from links
        )
        select
            coalesce((select min(place) - 1 from links where not holds), last.number) as "holds_up_to!",
            last.number as "last!",
            (
                select count(*)
                from audit_entries e
                where e.merchant_id = $1
                    and not exists (select from audit_links l where l.merchant_id = $1 and l.entry_id = e.id)
            ) + abs(last.number - coalesce((select h.number from audit_heads h where h.merchant_id = $1), 0)) as "strays!"
        from last
        "#,
        merchant.0
    )
    .fetch_one(&mut **tx)
    .await
}
