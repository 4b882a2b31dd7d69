//! Every route there is, tried by everybody.

use crate::support::client::{Client, Page};
use crate::support::site::Site;
use axum::http::Method;
use stipend::role::Role;
use stipend::web::{Access, Route, Takes, pages};

/// A path with these ids in its places.
pub(super) fn filled_with(route: &Route, ids: &[String]) -> String {
    let mut ids = ids.iter();
    let parts =
        route.path.split('/').map(|part| if part.starts_with('{') { ids.next().unwrap().as_str() } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// A path with an id that nobody has in each of its places.
fn filled(route: &Route) -> String {
    filled_with(route, &[0; 3].map(|_| uuid::Uuid::now_v7().to_string()))
}

async fn token(client: &Client) -> String {
    client.open("/affiliates").await.form("/sign-out").value("token").unwrap().to_owned()
}

/// One request, with the token that a form of this person would carry, and some fields.
pub(super) async fn ask(client: &Client, route: &Route, path: &str, token: &str, fields: &[(&str, &str)]) -> Page {
    match (&route.method, route.takes) {
        (&Method::GET, _) => client.get(path).await,
        (_, Takes::File) => {
            let kind = ("content-type", "multipart/form-data; boundary=b");
            let body = format!("--b\r\ncontent-disposition: form-data; name=\"token\"\r\n\r\n{token}\r\n--b--\r\n");
            client.post_raw(path, &[kind], body).await
        }
        (_, Takes::Form | Takes::Nothing) => client.post(path, &[&[("token", token)], fields].concat()).await,
    }
}

/// Whether the door was opened; what the handler makes of an id that nobody has is another matter.
fn refused(page: &Page) -> bool {
    page.status == 403
}

#[tokio::test]
async fn every_route_asks_for_its_role() {
    let site = Site::staffed().await;
    let routes = pages();
    assert!(routes.table().len() >= 15, "the table is not empty");
    for role in Role::ALL {
        let client = site.signed_in(&format!("{role}@example.com")).await;
        let token = token(&client).await;
        for route in routes.table().iter().filter(|route| route.path != "/sign-out") {
            let page = ask(&client, route, &filled(route), &token, &[]).await;
            let may = match route.access {
                Access::Public | Access::SignedIn => true,
                Access::Least(least) => role >= least,
                Access::Installation => false,
            };
            assert_eq!(refused(&page), !may, "{role} at {} {}: {}", route.method, route.path, page.text());
            assert!(page.status < 500, "{} {}: {}", route.method, route.path, page.text());
            if let (false, Access::Least(_)) = (may, route.access) {
                assert!(
                    page.text()
                        .contains(&format!("As a{} {role} of Acme", if role >= Role::Approver { "n" } else { "" }))
                );
            }
        }
    }
}

#[tokio::test]
async fn strangers_are_sent_to_sign_in() {
    let site = Site::staffed().await;
    let routes = pages();
    for route in routes.table() {
        let page = ask(&site.stranger(), route, &filled(route), "", &[]).await;
        match (route.access, &route.method) {
            // A link without its code is none.
            (Access::Public, &Method::GET) if ["/invitation", "/password/new"].contains(&route.path) => {
                assert_eq!(page.status, 404);
            }
            (Access::Public, &Method::GET) => assert!(page.status < 400, "{}", route.path),
            (Access::Public, _) => assert_eq!(page.status, 403, "{} needs its token", route.path),
            (Access::SignedIn | Access::Least(_) | Access::Installation, _) => {
                assert_eq!(page.status, 303, "{} {}", route.method, route.path);
                assert!(page.header("location").starts_with("/sign-in"), "{}", route.path);
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_changed_without_the_token() {
    let site = Site::staffed().await;
    let client = site.signed_in("admin@example.com").await;
    let routes = pages();
    let changing: Vec<&Route> = routes.table().iter().filter(|route| route.method != Method::GET).collect();
    assert!(changing.len() >= 6);
    for route in changing {
        for token in ["", "0000000000000000000000000000000000000000000000000000000000000000"] {
            assert_eq!(ask(&client, route, &filled(route), token, &[]).await.status, 403, "{}", route.path);
        }
        assert_ne!(route.takes, Takes::Nothing, "{} changes something", route.path);
    }
    assert_eq!(client.get("/affiliates").await.status, 200, "not even signed out");
}

#[tokio::test]
async fn a_person_without_a_merchant_gets_a_plain_page() {
    let site = Site::staffed().await;
    let client = site.signed_in("viewer@example.com").await;
    let gone = sqlx::query(
        "delete from memberships where person_id = (select id from people where email = 'viewer@example.com')",
    );
    assert_eq!(gone.execute(site.app.database.pool()).await.unwrap().rows_affected(), 1);
    let page = client.open("/affiliates").await;
    assert_eq!((page.status, page.url.as_str()), (200, "/no-merchant"));
    assert!(page.text().contains("viewer@example.com"));
    assert_eq!(client.submit(&page, "/sign-out", &[]).await.url, "/sign-in");
}

#[tokio::test]
async fn a_role_taken_away_is_gone_at_once() {
    let site = Site::staffed().await;
    let client = site.signed_in("admin@example.com").await;
    assert_eq!(client.get("/affiliates/new").await.status, 200);
    site.person("admin@example.com", "Acme", Role::Viewer).await;
    assert_eq!(client.get("/affiliates/new").await.status, 403);
}
