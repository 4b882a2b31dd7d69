//! What an entry was done to, as people call it and with the page that shows it.

use crate::database::Tx;
use std::collections::HashMap;
use uuid::Uuid;

/// One object of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// "batch 2031"
    pub words: String,
    /// Its page, if it has one.
    pub page: Option<String>,
}

/// The objects by what entries call them ("batch 0190…"), asked for at once. What has no page of its own and no name
/// stays as it is called.
pub async fn objects(tx: &mut Tx, called: &[String]) -> sqlx::Result<HashMap<String, Object>> {
    let merchant = tx.merchant();
    let ids: Vec<Uuid> = called.iter().filter_map(|object| id_of(object)).collect();
    let named = sqlx::query!(
        r#"
        select id as "id!", words as "words!", page
        from (
            select id, 'affiliate ' || coalesce(nullif(trim(first_name || ' ' || last_name), ''), email, code) as words,
                '/affiliates/' || id as page
            from affiliates
            where merchant_id = $1 and id = any($2)
            union all
            select c.id, 'commission ' || coalesce(nullif(c.reference, ''), c.currency || ' ' || c.amount), '/affiliates/' || c.affiliate_id
            from commissions c
            where c.merchant_id = $1 and c.id = any($2)
            union all
            select id, 'batch ' || number, '/batches/' || id
            from payout_batches
            where merchant_id = $1 and id = any($2)
            union all
            (select distinct on (request_id) request_id, 'payment in batch ' || number, '/batches/' || id
            from payout_batches
            where merchant_id = $1 and request_id = any($2)
            order by request_id, number)
            union all
            select i.id, 'payment to ' || coalesce(i.receiver, 'an affiliate'), '/batches/' || i.batch_id || '/items/' || i.id
            from payout_items i
            where i.merchant_id = $1 and i.id = any($2)
            union all
            select id, 'import ' || file_name, '/imports/' || id
            from imports
            where merchant_id = $1 and id = any($2)
            union all
            select p.id, 'person ' || p.email, '/people'
            from people p
            where p.id = any($2)
            union all
            select id, 'invitation of ' || email, '/people'
            from invitations
            where merchant_id = $1 and id = any($2)
            union all
            select id, 'merchant ' || name, null
            from merchants
            where id = any($2)
        ) as found
        "#,
        merchant.0,
        &ids
    )
    .fetch_all(&mut **tx)
    .await?;
    let named: HashMap<Uuid, Object> =
        named.into_iter().map(|row| (row.id, Object { words: row.words, page: row.page })).collect();
    let object = |called: &String| {
        let found = id_of(called).and_then(|id| named.get(&id).cloned());
        (called.clone(), found.unwrap_or_else(|| Object { words: called.clone(), page: standing(called) }))
    };
    Ok(called.iter().map(object).collect())
}

fn id_of(object: &str) -> Option<Uuid> {
    object.rsplit_once(' ')?.1.parse().ok()
}

/// The page of what every merchant has one of.
fn standing(object: &str) -> Option<String> {
    match object {
        "PayPal connection" => Some("/integrations/payment".to_owned()),
        "PayPal DropZone" => Some("/integrations/payment/dropzone".to_owned()),
        _ => object.strip_prefix("mail ").map(|kind| format!("/settings/mail/{kind}")),
    }
}
