//! Who changed what: one chain a merchant, whatever is done to it and by however many; and what people see of it.

mod chain;
mod every_form;
mod pages;

use crate::support::world::World;
use serde_json::Value;
use stipend::trail::{self, Checked};

/// The chain of the world's merchant, computed anew.
async fn checked(world: &World) -> Checked {
    trail::check(&mut world.tx().await).await.unwrap()
}

/// Action, object and details of every entry, the first one first.
async fn entries(world: &World) -> Vec<(String, String, Value)> {
    let sql = "select e.action, e.object, e.details
        from audit_links l join audit_entries e on e.merchant_id = l.merchant_id and e.id = l.entry_id
        where l.merchant_id = $1 order by l.number";
    sqlx::query_as(sql).bind(world.merchant).fetch_all(&mut *world.tx().await).await.unwrap()
}
