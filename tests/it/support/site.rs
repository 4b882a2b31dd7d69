//! The web application in this process, on a database and a clock of its own.

use super::client;
use super::postgres::{TestDatabase, database};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use stipend::admin::{self, Added, NewMerchant, NewPerson};
use stipend::app::App;
use stipend::clock::Clock;
use stipend::database::Database;
use stipend::id::{InstanceId, MerchantId, PersonId};
use stipend::paypal::{Client, DropZone};
use stipend::role::Role;
use stipend::vault::Vault;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";

/// A running site. Dropped, it stops answering.
pub struct Site {
    /// What the handlers are given.
    pub app: App,
    /// As in "http://127.0.0.1:41234".
    pub address: String,
    /// How another process connects to the database.
    pub database_url: String,
    serving: JoinHandle<()>,
    /// Recovery codes by e-mail.
    codes: Mutex<HashMap<String, Vec<String>>>,
    _database: Option<TestDatabase>,
}

/// The key that seals a site's secrets.
pub const MASTER_KEY: [u8; 32] = [7; 32];

/// An instance of the application, beside others on its database.
pub fn app_on(database: Database, simulator: Option<String>, clock: Clock) -> App {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    App {
        database,
        vault: Vault::new(&MASTER_KEY),
        dropzone: DropZone::new(simulator.is_some(), None),
        paypal: Client::new(http, simulator, clock.clone()),
        clock,
        carrier: None,
        public_url: None,
        listens_at: None,
        demo: None,
        instance: InstanceId::new(),
        wake: Arc::default(),
    }
}

impl Site {
    /// A site with nobody in it.
    pub async fn empty() -> Self {
        Self::with(|_| ()).await
    }

    /// A site with nobody in it, set up in some other way.
    pub async fn with(change: impl FnOnce(&mut App)) -> Self {
        let test = database().await;
        let mut app = app_on(test.database.clone(), None, Clock::system());
        change(&mut app);
        Self::of(app, test.url.clone(), Some(test)).await
    }

    /// A site over an instance and a database that is somebody else's to keep.
    pub async fn of(mut app: App, database_url: String, keep: Option<TestDatabase>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        app.listens_at = Some(address.clone());
        let router = stipend::web::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { app, address, database_url, serving, codes: Mutex::default(), _database: keep }
    }

    /// A site with one merchant, "Acme", and one person for each role: viewer@example.com and so on.
    pub async fn staffed() -> Self {
        let site = Self::empty().await;
        site.merchant("Acme").await;
        for role in Role::ALL {
            site.person(&format!("{role}@example.com"), "Acme", role).await;
        }
        site
    }

    /// Adds a merchant.
    pub async fn merchant(&self, name: &str) -> MerchantId {
        let new = NewMerchant { name: name.to_owned(), time_zone: "Europe/Berlin".to_owned() };
        admin::add_merchant(&self.app.database, &self.app.clock, new).await.unwrap()
    }

    /// Adds a person with [`PASSWORD`], or gives one who is there a role at another merchant.
    pub async fn person(&self, email: &str, merchant: &str, role: Role) -> PersonId {
        let new = NewPerson { email: email.to_owned(), name: String::new(), password: PASSWORD.into() };
        match admin::add_person(&self.app.database, &self.app.clock, merchant, role, new).await.unwrap() {
            Added::Person(person) | Added::Membership(person) | Added::RoleChanged(person, _) => person,
        }
    }

    /// Somebody with an empty cookie jar.
    pub fn stranger(&self) -> client::Client {
        client::Client::new(&self.address)
    }

    /// Somebody who has signed in, by a recovery code where [`with_factor`](Self::with_factor) gave them some.
    pub async fn signed_in(&self, email: &str) -> client::Client {
        let client = self.stranger();
        let page = client.open("/sign-in").await;
        let mut landed = client.submit(&page, "/sign-in", &[("email", email), ("password", PASSWORD)]).await;
        if landed.url.starts_with("/sign-in/second") {
            let code = self.recovery_code(email);
            landed = client.submit(&landed, "/sign-in/second", &[("code", &code)]).await;
        }
        assert_eq!(landed.status, 200, "{}", landed.body);
        assert!(!landed.url.contains("sign-in"), "{email} could not sign in: {}", landed.body);
        client
    }
}

impl Site {
    /// One that was not used yet.
    pub fn recovery_code(&self, email: &str) -> String {
        self.codes.lock().unwrap().get_mut(email).and_then(Vec::pop).expect("a recovery code is left")
    }

    /// Gives somebody an app that makes codes, and signs them in.
    pub async fn with_factor(&self, email: &str) -> client::Client {
        let client = self.signed_in(email).await;
        let (_, codes) = crate::factor::set_up(self, &client).await;
        self.codes.lock().unwrap().insert(email.to_owned(), codes);
        client
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
