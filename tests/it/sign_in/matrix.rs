//! Every route with an id in it, asked by the admin of another merchant for what is really there: it answers like one
//! that nobody has. The ids are found from the router's own table, so a route that is new here fails until its id is.

use super::roles::{ask, filled_with};
use crate::import::post_file;
use crate::support::client::{Client, Page};
use crate::support::world::World;
use axum::http::Method;
use std::collections::BTreeMap;
use stipend::role::Role;
use stipend::web::{Access, Route, pages};
use uuid::Uuid;

/// A payment that was found, and not settled, when a backup was restored long ago.
const UNKNOWN_PAYMENT: &str = "
    with restored as (
        insert into restorations (merchant_id, id, since, told_at, signed_at, signed_by, signed_why)
        select m.merchant_id, gen_random_uuid(), '2026-01-01', '2026-01-02', '2026-01-03', m.person_id, 'looked'
        from memberships m
        limit 1
        returning merchant_id, id, told_at
    )
    insert into unknown_payments (merchant_id, id, restoration_id, found_at, name, receiver, currency, amount, status)
    select merchant_id, gen_random_uuid(), id, told_at, 'T1', 'somebody@example.com', 'USD', 5, 'SUCCESS'
    from restored
    returning id";

/// What a merchant has, by the words in front of its id in an address.
async fn belongings(world: &mut World, ann: &Client) -> BTreeMap<&'static str, Uuid> {
    world.owe("tom@example.com", &["10.00"]).await;
    world.owe("ada.unregistered@example.com", &["5.00"]).await;
    let batch = world.pay_all().await[0];
    world.settle().await;
    world.owe("eve@example.com", &["3.00"]).await;
    let asked = crate::approval::review(ann, "export").await.form("/payouts").filled(&[]);
    let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let approval =
        ann.post("/approvals", &asked).await.header("location").trim_start_matches("/approvals/").parse().unwrap();
    world.owe("tom@example.com", &["7.00"]).await;
    let form = ann.open("/affiliate_payments/pay").await;
    let token = form.form("/sign-out").value("token").unwrap().to_owned();
    let fields = [("token", token.as_str()), ("all", "1"), ("how", "paypal")];
    let review = ann.post("/affiliate_payments/selections", &fields).await.header("location").to_owned();
    let selection = review.trim_start_matches("/payouts/new/").split('?').next().unwrap().parse().unwrap();
    let file = post_file(ann, "/imports/new/affiliates", &token, "ours.csv", b"email\neve@example.com\n").await;
    let import = file.header("location").trim_start_matches("/imports/").parse().unwrap();
    ann.submit(&ann.open("/people").await, "/people/invitations", &[("email", "new@example.com"), ("role", "viewer")])
        .await;
    let pia = world.site.person("pia@example.com", "Acme", Role::Preparer).await;
    let mut tx = world.tx().await;
    let mut one = async |sql: &'static str| sqlx::query_scalar::<_, Uuid>(sql).fetch_one(&mut *tx).await.unwrap();
    [
        ("affiliates", world.affiliates["tom@example.com"].0),
        ("imports", import),
        ("batches", batch.0),
        ("items", one("select id from payout_items order by id limit 1").await),
        ("answers", Uuid::now_v7()),
        ("new", selection),
        ("approvals", approval),
        ("people", pia.0),
        ("invitations", one("select id from invitations").await),
        ("payments", one(UNKNOWN_PAYMENT).await),
        ("merchants", world.merchant.0),
    ]
    .into()
}

/// The words in front of an address's ids.
fn owners(route: &Route) -> Vec<&'static str> {
    let parts: Vec<&str> = route.path.split('/').collect();
    parts.windows(2).filter(|pair| pair[1].starts_with('{')).map(|pair| pair[0]).collect()
}

/// Whoever looks after the installation sees some of every merchant, and nobody else gets there: `legacy/installation.rs`.
fn is_of_a_merchant(route: &Route) -> bool {
    route.access != Access::Installation
}

/// Parts of addresses that name a kind of thing and nobody's thing.
const KINDS: &[&str] = &["/settings/mail/{kind}", "/imports/new/{kind}", "/imports/example/{kind}"];

/// Whatever a form may ask for, so that none stops at a missing field.
const FIELDS: &[(&str, &str)] = &[
    ("version", "1"),
    ("email", "x@example.com"),
    ("role", "viewer"),
    ("reference", "x"),
    ("why", "x"),
    ("currency", "USD"),
    ("minimum", "1"),
    ("content", "00"),
    ("decision", "written_off"),
    ("says", "there"),
    ("sum", "5.00"),
    ("total", "5.00"),
    ("looked_at", "x"),
    ("paypal_batch_id", "X"),
    ("what", "blocked"),
];

/// The same answer, but for the ids that were asked for.
fn alike(theirs: &Page, nobodys: &Page, ids: (&[String], &[String])) -> bool {
    let plain = |page: &Page, ids: &[String]| ids.iter().fold(page.body.clone(), |body, id| body.replace(id, ""));
    theirs.status == nobodys.status && plain(theirs, ids.0) == plain(nobodys, ids.1)
}

/// One request, and the page that it leads to.
async fn answer(client: &Client, route: &Route, path: &str, token: &str) -> Page {
    let page = ask(client, route, path, token, FIELDS).await;
    if page.status == 303 { client.open(page.header("location")).await } else { page }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_another_merchants_answers_like_what_nobody_has() {
    let mut world = World::connected().await;
    let ann = world.site.signed_in("ann@example.com").await;
    let ours = belongings(&mut world, &ann).await;
    world.site.merchant("Globex").await;
    world.site.person("homer@example.com", "Globex", Role::Admin).await;
    let homer = world.site.signed_in("homer@example.com").await;
    let ann = world.site.signed_in("ann@example.com").await;
    let token = homer.open("/affiliates").await.form("/sign-out").value("token").unwrap().to_owned();
    let before = count_everything(&world).await;
    let (mut asked, mut seen) = (0, 0);
    let routes = pages();
    let with_ids = routes.table().iter().filter(|route| route.path.contains('{') && !KINDS.contains(&route.path));
    for route in with_ids.filter(|route| is_of_a_merchant(route)) {
        assert!(matches!(route.access, Access::Least(_)), "{} lets in people without a merchant", route.path);
        let theirs: Vec<String> = owners(route)
            .iter()
            .map(|owner| {
                let id =
                    ours.get(owner).unwrap_or_else(|| panic!("say in `belongings` what {} has at {owner}", route.path));
                id.to_string()
            })
            .collect();
        let nobodys: Vec<String> = theirs.iter().map(|_| Uuid::now_v7().to_string()).collect();
        let (there, nowhere) = (filled_with(route, &theirs), filled_with(route, &nobodys));
        let one = answer(&homer, route, &there, &token).await;
        let other = answer(&homer, route, &nowhere, &token).await;
        assert!(
            alike(&one, &other, (&theirs, &nobodys)),
            "{} {}: {} {} is not {} {}",
            route.method,
            route.path,
            one.status,
            one.text(),
            other.status,
            other.text()
        );
        assert!(one.status == 404 || one.status == 422, "{} {}: {}", route.method, route.path, one.status);
        asked += 1;
        if route.method == Method::GET {
            // The id is really one: its owner sees something there.
            seen += usize::from(ann.open(&there).await.status == 200);
        }
    }
    assert!(asked >= 35 && seen >= 14, "{asked} routes, {seen} of them seen by their owner");
    assert_eq!(count_everything(&world).await, before, "nothing was changed");
    world.check().await;
}

/// Rows and versions of what a forged request might have changed.
async fn count_everything(world: &World) -> String {
    let sql = "select concat_ws(' ', (select string_agg(a::text, ',' order by id) from affiliates a),
        (select string_agg(i.id || i.state || coalesce(i.decided, ''), ',' order by id) from payout_items i),
        (select string_agg(b.id || b.state, ',' order by id) from payout_batches b),
        (select string_agg(i.id || i.state, ',' order by id) from imports i),
        (select string_agg(m::text, ',' order by person_id) from memberships m where deactivated_at is not null),
        (select string_agg(i.id::text || i.sendings || coalesce(i.revoked_at::text, ''), ',' order by id) from invitations i),
        (select string_agg(p.request_id || p.state, ',' order by request_id) from payout_approvals p),
        (select count(*) from affiliate_minimums),
        (select count(*) from selected_commissions))";
    sqlx::query_scalar(sql).fetch_one(&mut *world.tx().await).await.unwrap()
}
