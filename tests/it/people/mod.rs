//! The people of a merchant: invited, given roles, let go; and each of them for one merchant or several.

mod in_a_browser;
mod invitations;
mod members;

use crate::support::client::{Client, Page};
use crate::support::site::{PASSWORD, Site};
use stipend::id::PersonId;

/// The code in the link that a page shows.
fn code(page: &Page) -> String {
    let shown = page.body.split("/invitation?code=").nth(1).unwrap_or_else(|| panic!("no link: {}", page.text()));
    shown[..64].to_owned()
}

/// Invites somebody as a person on the page would; the answer.
async fn invite(client: &Client, email: &str, role: &str) -> Page {
    let page = client.open("/people").await;
    client.submit(&page, "/people/invitations", &[("email", email), ("role", role)]).await
}

/// Follows the link as somebody new.
async fn accept(site: &Site, code: &str, name: &str) -> (Client, Page) {
    let guest = site.stranger();
    let page = guest.open(&format!("/invitation?code={code}")).await;
    let fill = [("name", name), ("password", PASSWORD), ("again", PASSWORD)];
    let landed = guest.submit(&page, "/invitation", &fill).await;
    (guest, landed)
}

pub async fn id_of(site: &Site, email: &str) -> PersonId {
    let mut tx = site.app.database.installation().await.unwrap();
    let found = sqlx::query_scalar("select id from people where email = $1").bind(email);
    found.fetch_one(&mut *tx).await.unwrap()
}

/// Presses a button on somebody's page.
async fn press(client: &Client, person: PersonId, what: &str, fill: &[(&str, &str)]) -> Page {
    let page = client.open(&format!("/people/{person}")).await;
    client.submit(&page, &format!("/people/{person}/{what}"), fill).await
}
