//! Every form there is, from the router's own table: what a person does by it leaves an entry, or the form stands in a
//! short list with the reason why it does not.

use super::checked;
use crate::factor::{Phone, key_on};
use crate::import::post_file;
use crate::support::client::{Client, Page};
use crate::support::site::PASSWORD;
use crate::support::world::{World, everything};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use stipend::admin;
use stipend::connection::dropzone;
use stipend::import;
use stipend::payout::draft::How;
use stipend::paypal::large_batch::Compression;
use stipend::role::Role;
use stipend::web::pages;
use time::Duration;

/// What leaves no entry.
const EXEMPT: &[(&str, &str)] = &[
    ("/affiliate_payments/selections", "only notes what was ticked; the payment made of it has an entry that names it"),
    ("/payouts/new/{id}/removal", "takes something off that note"),
    ("/batches/{id}/retry", "makes such a note of what was not paid"),
    ("/batches/{id}/items/{item}/retry", "makes such a note of one payment"),
    ("/approvals/{id}/again", "makes such a note of what was not approved"),
    ("/imports/{id}/mapping", "says how a file is read; nothing comes in before the confirmation"),
    ("/confirm", "shows that it is them; what they are asked before has an entry"),
    ("/account/authenticator", "makes a key to look at; setting the app up by it has an entry"),
    ("/password/forgotten", "anybody may ask for a mail; the password that is chosen by it has an entry"),
    ("/setup", "is done once, before there is a merchant; `administration.rs` looks for its entry"),
];

/// What takes long to come about, with the test that brings it about and the entry that it looks for.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("/batches/{id}/resolution", "outcomes/doubt.rs", "said where a batch is"),
    ("/batches/{id}/resolution/adoption", "outcomes/doubt.rs", "named PayPal’s batch"),
    ("/batches/{id}/resolution/report", "outcomes/doubt.rs", "uploaded a report of PayPal’s"),
    ("/batches/{id}/unmentioned", "by_file/reports.rs", "settled unmentioned payments"),
    ("/batches/{id}/clearance", "by_file/answers.rs", "cleared up a rejected and accepted file"),
    ("/batches/{id}/items/{item}/clearance", "attention/rare.rs", "cleared up"),
    ("/account/passkeys", "factor/in_a_browser.rs", "passkey added"),
    ("/account/passkeys/removal", "factor/in_a_browser.rs", "passkey removed"),
    ("/password/new", "factor/reset.rs", "password reset"),
    ("/restoration/report", "restored.rs", "compared a report of PayPal’s"),
    ("/restoration/entries", "restored.rs", "marked as paid"),
    ("/restoration/payments/{id}/entry", "restored.rs", "marked as paid"),
    ("/restoration/payments/{id}/settlement", "restored.rs", "settled a payment of PayPal’s"),
    ("/restoration/sign-off", "restored.rs", "signed off a restored backup"),
    ("/installation/legacy/reminders", "legacy/installation.rs", "reminded of the upgrade"),
];

/// Somebody who sends one form after the other.
struct Walk {
    world: World,
    client: Client,
    done: BTreeSet<&'static str>,
}

impl Walk {
    async fn entries(&self) -> i64 {
        checked(&self.world).await.last
    }

    /// Opens a page, fills in its form, and finds one entry more.
    async fn fill(&mut self, route: &'static str, page: &str, action: &str, fill: &[(&str, &str)]) -> Page {
        let page = self.client.open(page).await;
        let before = self.entries().await;
        let answer = self.client.submit_once(&page, action, fill).await;
        self.obeyed(route, before, answer).await
    }

    /// Sends these fields, and finds one entry more.
    async fn send(&mut self, route: &'static str, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.token().await;
        let before = self.entries().await;
        let answer = self.client.post(path, &[&[("token", token.as_str())], fields].concat()).await;
        self.obeyed(route, before, answer).await
    }

    async fn token(&self) -> String {
        self.client.open("/affiliates").await.form("/sign-out").value("token").unwrap().to_owned()
    }

    async fn obeyed(&mut self, route: &'static str, before: i64, answer: Page) -> Page {
        assert!([200, 303].contains(&answer.status), "{route}: {} {}", answer.status, answer.text());
        let said =
            if answer.status == 303 { self.client.open(answer.header("location")).await.text() } else { String::new() };
        assert!(self.entries().await > before, "{route} left no entry: {said}");
        self.done.insert(route);
        answer
    }

    async fn id(&self, sql: &'static str) -> String {
        let id: uuid::Uuid = sqlx::query_scalar(sql).fetch_one(&mut *self.world.tx().await).await.unwrap();
        id.to_string()
    }

    async fn records(&mut self) {
        self.fill("/affiliates", "/affiliates/new", "/affiliates", &[("email", "ada@example.com")]).await;
        let ada = self.id("select id from affiliates where email = 'ada@example.com'").await;
        let at = format!("/affiliates/{ada}");
        let fields = [("first_name", "Ada"), ("paypal_email", "ada@new.example.com")];
        self.fill("/affiliates/{id}", &format!("{at}/edit"), &at, &fields).await;
        self.fill("/affiliates/{id}/release", &at, &format!("{at}/release"), &[("why", "She called.")]).await;
        let (route, minimum) = ("/affiliates/{id}/minimum", format!("{at}/minimum"));
        self.fill(route, &minimum, &minimum, &[("currency", "USD"), ("minimum", "1")]).await;
        let rules = "/settings/rules";
        self.fill(rules, rules, rules, &[("minimum_USD", "2")]).await;
        self.fill("/affiliates/{id}/archival", &at, &format!("{at}/archival"), &[]).await;
        self.fill("/affiliates/{id}/restoration", &at, &format!("{at}/restoration"), &[]).await;
        let fields = [("affiliate", "ada@example.com"), ("amount", "5.00"), ("currency", "USD")];
        self.fill("/commissions", "/commissions/new", "/commissions", &fields).await;
        let id = self.id("select id from commissions order by id desc limit 1").await;
        let review = format!("/commissions/cancellation?id={id}");
        let fields = [("id", id.as_str()), ("why", "a mistake")];
        self.fill("/commissions/cancellation", &review, "/commissions/cancellation", &fields).await;
        for (end, file) in [("confirmation", "email\ngrace@example.com\n"), ("removal", "email\nalan@example.com\n")] {
            let (token, before) = (self.token().await, self.entries().await);
            let answer = post_file(&self.client, "/imports/new/affiliates", &token, "a.csv", file.as_bytes()).await;
            let at = answer.header("location").to_owned();
            self.obeyed("/imports/new/{kind}", before, answer).await;
            let page = self.client.open(&at).await;
            self.client.submit(&page, &format!("{at}/mapping"), &[]).await;
            while import::next(&self.world.app).await.unwrap() {}
            let route = if end == "removal" { "/imports/{id}/removal" } else { "/imports/{id}/confirmation" };
            self.fill(route, &at, &format!("{at}/{end}"), &[]).await;
        }
        while import::next(&self.world.app).await.unwrap() {}
        let mail = "/settings/mail/paid";
        self.fill("/settings/mail/{kind}", mail, mail, &[("subject", "Paid"), ("button", "save")]).await;
    }

    async fn connections(&mut self) {
        let (database, clock) = (&self.world.app.database, &self.world.app.clock);
        admin::set_installation_admin(database, clock, "ann@example.com", true).await.unwrap();
        let at = "/installation/legacy";
        let details = [("api_username", "user"), ("api_password", "password"), ("api_signature", "signature")];
        let fields = [&[("merchant", "Acme"), ("environment", "simulator")], details.as_slice()].concat();
        self.fill("/installation/legacy", "/installation/legacy/new", at, &fields).await;
        let page = format!("{at}/{}", self.world.merchant);
        let fields = [("client_id", "demo-client"), ("secret", "demo-secret")];
        self.fill("/installation/legacy/{merchant}/upgrade", &page, &format!("{page}/upgrade"), &fields).await;
        let paypal = "/integrations/payment/paypal";
        let fields = [("client_id", "demo-client"), ("secret", "demo-secret")];
        self.fill("/integrations/payment/paypal", paypal, paypal, &fields).await;
        for (route, path) in [
            ("/integrations/payment/paypal/verification", "/integrations/payment/paypal/verification"),
            ("/integrations/payment/paypal/resumption", "/integrations/payment/paypal/resumption"),
        ] {
            self.send(route, path, &[]).await;
        }
        let at = "/integrations/payment/dropzone";
        self.send("/integrations/payment/dropzone", at, &[("environment", "simulator")]).await;
        let key = self.dropzone().await.public_key;
        self.tell_key(&key).await;
        let fields = [("user_name", "acme-sftp"), ("incoming", "Incoming"), ("outgoing", "Outgoing")];
        self.send("/integrations/payment/dropzone/details", &format!("{at}/details"), &fields).await;
        let offered = self.dropzone().await.host_key_offered.unwrap();
        let fields = [("host_key", offered.as_str())];
        self.send("/integrations/payment/dropzone/host-key", &format!("{at}/host-key"), &fields).await;
        self.send("/integrations/payment/dropzone/keys", &format!("{at}/keys"), &[]).await;
        let next = self.dropzone().await.next_public_key.unwrap();
        self.tell_key(&next).await;
        self.send("/integrations/payment/dropzone/verification", &format!("{at}/verification"), &[]).await;
        self.send("/integrations/payment/dropzone/keys/retirement", &format!("{at}/keys/retirement"), &[]).await;
    }

    async fn dropzone(&self) -> dropzone::Dropzone {
        dropzone::show(&mut self.world.tx().await).await.unwrap().unwrap()
    }

    async fn tell_key(&self, key: &str) {
        let what = json!({ "user": "acme-sftp", "client_id": "demo-client", "public_key": key });
        self.world.tell("dropzone", what).await;
    }

    async fn payments(&mut self) {
        self.world.owe("tom@example.com", &["10.00"]).await;
        let token = self.token().await;
        let fields = [("token", token.as_str()), ("all", "1"), ("how", "export")];
        let review = self.client.post("/affiliate_payments/selections", &fields).await.header("location").to_owned();
        self.fill("/payouts", &review, "/payouts", &[]).await;
        let at = format!("/batches/{}", self.id("select id from payout_batches order by number desc limit 1").await);
        self.send("/batches/{id}/payment", &format!("{at}/payment"), &[("reference", "bank 1")]).await;
        self.send("/batches/{id}/release", &format!("{at}/release"), &[]).await;
        let batch = self.world.pay_all().await[0];
        self.send("/batches/{id}/cancellation", &format!("/batches/{batch}/cancellation"), &[]).await;
        let file = How::File { compression: Compression::Plain };
        let batch = self.world.try_pay(&everything(), file).await.unwrap()[0];
        self.send("/batches/{id}/upload", &format!("/batches/{batch}/upload"), &[]).await;
        self.send("/batches/{id}/answers/seen", &format!("/batches/{batch}/answers/seen"), &[]).await;
        self.send("/batches/{id}/cancellation", &format!("/batches/{batch}/cancellation"), &[]).await;

        for receiver in ["a.unregistered@example.com", "b.unregistered@example.com", "refunded@example.com"] {
            self.world.owe(receiver, &["3.00"]).await;
        }
        let batch = self.world.pay_all().await[0];
        self.world.settle().await;
        for _ in 0..3 {
            self.world.advance(Duration::days(1));
            self.world.work().await;
        }
        self.client = self.world.site.signed_in("ann@example.com").await;
        let unclaimed = self.id("select id from payout_items where wait = 'unclaimed' order by id limit 1").await;
        let refunded = self.id("select id from payout_items where receiver = 'refunded@example.com'").await;
        let at = format!("/batches/{batch}/items/{unclaimed}/cancellation");
        self.send("/batches/{id}/items/{item}/cancellation", &at, &[]).await;
        let at = format!("/batches/{batch}/unclaimed/cancellation");
        self.send("/batches/{id}/unclaimed/cancellation", &at, &[]).await;
        let at = format!("/batches/{batch}/items/{refunded}/decision");
        let fields = [("decision", "written_off"), ("why", "paid in cash")];
        self.send("/batches/{id}/items/{item}/decision", &at, &fields).await;
    }

    async fn approvals(&mut self) {
        self.world.site.person("bob@example.com", "Acme", Role::Approver).await;
        for end in ["return", "approval"] {
            self.world.owe("eve@example.com", &["9.00"]).await;
            let token = self.token().await;
            let fields = [("token", token.as_str()), ("all", "1"), ("how", "export")];
            let review =
                self.client.post("/affiliate_payments/selections", &fields).await.header("location").to_owned();
            let fields = self.client.open(&review).await.form("/payouts").filled(&[]);
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let asked = self.send("/approvals", "/approvals", &fields).await.header("location").to_owned();
            if end == "return" {
                let fields = [("why", "a mistake")];
                self.fill("/approvals/{id}/return", &asked, &format!("{asked}/return"), &fields).await;
                continue;
            }
            let bob = self.world.site.with_factor("bob@example.com").await;
            let ann = std::mem::replace(&mut self.client, bob);
            self.fill("/approvals/{id}/approval", &asked, &format!("{asked}/approval"), &[]).await;
            self.client = ann;
        }
    }

    async fn people(&mut self) {
        let pia = self.world.site.person("pia@example.com", "Acme", Role::Viewer).await;
        self.send("/people/{id}/role", &format!("/people/{pia}/role"), &[("role", "preparer")]).await;
        self.send("/people/{id}/deactivation", &format!("/people/{pia}/deactivation"), &[]).await;
        self.send("/people/{id}/reactivation", &format!("/people/{pia}/reactivation"), &[]).await;
        let mut code = String::new();
        for email in ["gone@example.com", "new@example.com"] {
            let fields = [("email", email), ("role", "viewer")];
            self.send("/people/invitations", "/people/invitations", &fields).await;
            let id = self.id("select id from invitations order by id desc limit 1").await;
            let at = format!("/people/invitations/{id}");
            let shown = self.send("/people/invitations/{id}/sending", &format!("{at}/sending"), &[]).await;
            code = shown.body.split("code=").nth(1).unwrap()[..64].to_owned();
            if email.starts_with("gone") {
                self.send("/people/invitations/{id}/revocation", &format!("{at}/revocation"), &[]).await;
            }
        }
        let ann = std::mem::replace(&mut self.client, self.world.site.stranger());
        let fields = [("name", "New"), ("password", PASSWORD), ("again", PASSWORD)];
        self.fill("/invitation", &format!("/invitation?code={code}"), "/invitation", &fields).await;
        self.client = self.world.site.stranger();
        let fields = [("email", "pia@example.com"), ("password", PASSWORD)];
        self.fill("/sign-in", "/sign-in", "/sign-in", &fields).await;
        self.fill("/sign-out", "/affiliates", "/sign-out", &[]).await;
        self.client = ann;
        // Whom somebody leaves is not told where they went; whom they come to is told that they came.
        self.world.site.merchant("Globex").await;
        self.world.site.person("ann@example.com", "Globex", Role::Viewer).await;
        let (globex, acme) = (self.id_of("Globex").await, self.world.merchant.to_string());
        self.client.submit(&self.client.open("/affiliates").await, "/merchant", &[("merchant", &globex)]).await;
        self.fill("/merchant", "/affiliates", "/merchant", &[("merchant", &acme)]).await;
    }

    async fn account(&mut self) {
        self.client = self.world.site.signed_in("ann@example.com").await;
        let page = self.client.open("/account").await;
        let page = self.client.submit(&page, "/account/authenticator", &[]).await;
        let phone = Phone::with(&key_on(&page));
        let route = "/account/authenticator/confirmation";
        self.send(route, route, &[("code", &phone.shows(&self.world.site))]).await;
        for (route, fields) in [
            ("/account/recovery-codes", &[][..]),
            ("/settings/security/factor", &[("required", "yes")]),
            ("/settings/security/factor", &[("required", "no")]),
            ("/settings/security/amounts", &[("currency", "EUR"), ("amount", "500.00")]),
        ] {
            self.send(route, route, fields).await;
        }
        self.world.advance(Duration::minutes(1));
        let ann = std::mem::replace(&mut self.client, self.world.site.stranger());
        let page = self.client.open("/sign-in").await;
        self.client.submit(&page, "/sign-in", &[("email", "ann@example.com"), ("password", PASSWORD)]).await;
        let code = phone.shows(&self.world.site);
        self.fill("/sign-in/second", "/sign-in/second", "/sign-in/second", &[("code", &code)]).await;
        self.client = ann;
        let route = "/account/sessions/revocation";
        let shown = self.client.open("/account").await.body;
        let other = shown.split("name=\"session\" value=\"").nth(1).unwrap()[..64].to_owned();
        self.send(route, route, &[("session", &other)]).await;
        let fields = [("current", PASSWORD), ("password", PASSWORD), ("again", PASSWORD)];
        for (route, fields) in [
            ("/account/sessions/others/revocation", &[][..]),
            ("/account/password", &fields),
            ("/account/authenticator/removal", &[]),
        ] {
            self.send(route, route, fields).await;
        }
    }

    async fn id_of(&self, merchant: &str) -> String {
        let mut tx = self.world.app.database.installation().await.unwrap();
        let found = sqlx::query_scalar::<_, uuid::Uuid>("select id from merchants where name = $1").bind(merchant);
        found.fetch_one(&mut *tx).await.unwrap().to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_that_is_obeyed_leaves_an_entry() {
    let world = World::new().await;
    let client = world.site.signed_in("ann@example.com").await;
    let mut walk = Walk { world, client, done: BTreeSet::new() };
    walk.records().await;
    walk.connections().await;
    walk.payments().await;
    walk.approvals().await;
    walk.people().await;
    walk.account().await;
    for path in ["/integrations/payment/dropzone/disconnection", "/integrations/payment/paypal/disconnection"] {
        walk.world.advance(Duration::days(1));
        walk.world.settle().await;
        walk.client = walk.world.site.signed_in("ann@example.com").await;
        walk.send(path, path, &[]).await;
    }
    assert!(checked(&walk.world).await.is_whole());

    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for (route, file, action) in ELSEWHERE {
        let text = std::fs::read_to_string(tests.join(file)).unwrap();
        assert!(text.contains(&format!(".audited(\"{action}\")")), "{file} does not look for {action:?} ({route})");
    }
    let told = EXEMPT.iter().map(|(route, _)| *route).chain(ELSEWHERE.iter().map(|(route, ..)| *route));
    let told: BTreeSet<&str> = told.chain(walk.done.iter().copied()).collect();
    let routes = pages();
    let forms: BTreeSet<&str> =
        routes.table().iter().filter(|route| route.method != axum::http::Method::GET).map(|route| route.path).collect();
    let missing: Vec<_> = forms.difference(&told).collect();
    let gone: Vec<_> = told.difference(&forms).collect();
    assert!(missing.is_empty(), "send these forms, or say why they leave no entry: {missing:?}");
    assert!(gone.is_empty(), "these forms do not exist any more: {gone:?}");
}
