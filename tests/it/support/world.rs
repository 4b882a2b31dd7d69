//! A merchant, a database, a simulated PayPal and one clock for all of them. Tests act through the application's verbs
//! and end by asking the simulator's bank; [`World::check`] compares what we believe with what it knows.

use super::site::Site;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration as StdDuration;
use stipend::app::App;
use stipend::audit::Actor;
use stipend::clock::Clock;
use stipend::connection::{self, Outcome};
use stipend::database::Tx;
use stipend::id::{AffiliateId, BatchId, CommissionId, MerchantId, PersonId};
use stipend::payout::draft::{Ask, DraftError, How, draft};
use stipend::payout::selection::{self, Ticked};
use stipend::payout::{reconcile, submit};
use stipend::paypal::{Client, Credentials, Environment};
use stipend::role::Role;
use stipend::simulator::{Account, Settings, Simulator};
use time::{Date, Duration};

/// See the module.
pub struct World {
    pub app: App,
    pub site: Site,
    pub simulator: Simulator,
    pub merchant: MerchantId,
    pub person: PersonId,
    pub affiliates: HashMap<String, AffiliateId>,
}

impl World {
    /// A merchant with a connection in force.
    pub async fn connected() -> World {
        let world = World::new().await;
        assert_eq!(world.connect("demo-client", "demo-secret").await, Outcome::Ready);
        world
    }

    /// A merchant without a connection.
    pub async fn new() -> World {
        let clock = Clock::system();
        let accounts = vec![
            Account::new("demo-client", "demo-secret"),
            Account::new("other-client", "other-secret"),
            Account { payouts: false, ..Account::new("no-payouts", "secret") },
            Account { approved: false, ..Account::new("not-approved", "secret") },
        ];
        let settings =
            Settings { accounts, settle_after: StdDuration::from_secs(3), journal: None, clock: clock.clone() };
        let simulator = Simulator::start("127.0.0.1:0".parse().unwrap(), settings).await.unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let site = Site::with(|app| {
            app.paypal = Client::new(http, Some(simulator.url()), clock.clone());
            app.clock = clock.clone();
        })
        .await;
        let merchant = site.merchant("Acme").await;
        let person = site.person("ann@example.com", "Acme", Role::Admin).await;
        World { app: site.app.clone(), site, simulator, merchant, person, affiliates: HashMap::new() }
    }

    pub fn actor(&self) -> Actor {
        Actor { person: Some(self.person), address: None, at: self.app.clock.now() }
    }

    pub async fn tx(&self) -> Tx {
        self.app.database.merchant(self.merchant).await.unwrap()
    }

    pub fn today(&self) -> Date {
        self.app.clock.today("Europe/Berlin")
    }

    /// Saves details and tells what PayPal said.
    pub async fn connect(&self, client_id: &str, secret: &str) -> Outcome {
        let details = Credentials {
            environment: Environment::Simulator,
            client_id: client_id.into(),
            secret: secret.to_owned().into(),
        };
        connection::save(&self.app, self.merchant, &self.actor(), &details).await.unwrap().unwrap()
    }

    /// Owes the affiliate of this address some amounts, due today.
    pub async fn owe(&mut self, email: &str, amounts: &[&str]) -> Vec<CommissionId> {
        self.owe_in("USD", email, amounts).await
    }

    pub async fn owe_in(&mut self, currency: &str, email: &str, amounts: &[&str]) -> Vec<CommissionId> {
        let (now, today) = (self.app.clock.now(), self.today());
        let mut tx = self.tx().await;
        let affiliate = *self.affiliates.entry(email.to_owned()).or_insert_with(AffiliateId::new);
        sqlx::query(
            "insert into affiliates (merchant_id, id, email, created_at, updated_at) values ($1, $2, $3, $4, $4) on conflict do nothing",
        )
        .bind(self.merchant)
        .bind(affiliate)
        .bind(email)
        .bind(now)
        .execute(&mut *tx)
        .await
        .unwrap();
        let mut ids = Vec::new();
        for amount in amounts {
            let id = CommissionId::new();
            sqlx::query(
                "with new as (
                    insert into commissions (merchant_id, id, affiliate_id, amount, currency, due_on, reference, created_at)
                    values ($1, $2, $3, $4, $5, $6, $7, $8)
                    returning merchant_id, id, affiliate_id, currency, due_on, amount
                )
                insert into owed (merchant_id, commission_id, affiliate_id, currency, due_on, amount) select * from new",
            )
            .bind(self.merchant)
            .bind(id)
            .bind(affiliate)
            .bind(amount.parse::<Decimal>().unwrap())
            .bind(currency)
            .bind(today)
            .bind(id.to_string())
            .bind(now)
            .execute(&mut *tx)
            .await
            .unwrap();
            ids.push(id);
        }
        tx.commit().await.unwrap();
        ids
    }

    /// Selects everything that is due and payable, reviews it and pays it through PayPal.
    pub async fn pay_all(&self) -> Vec<BatchId> {
        self.try_pay(&everything(), How::PayPal).await.unwrap()
    }

    /// Selects, reviews and pays.
    pub async fn try_pay(&self, ticked: &Ticked, how: How) -> Result<Vec<BatchId>, DraftError> {
        let ask = self.review(ticked, how).await;
        draft(&self.app, self.merchant, &ask).await
    }

    /// What a person who ticks these rows and opens the review could ask.
    pub async fn review(&self, ticked: &Ticked, how: How) -> Ask {
        let mut tx = self.tx().await;
        let actor = self.actor();
        let request =
            selection::select(&mut tx, &actor, self.today(), ticked).await.unwrap().expect("something is due");
        let seen = selection::load(&mut tx, request).await.unwrap().unwrap().seen();
        tx.commit().await.unwrap();
        Ask { request, actor, how, subject: "You have a payout".into(), message: String::new(), seen }
    }

    /// Lets the worker's steps run until nothing is due at this moment.
    pub async fn work(&self) {
        submit::expire(&self.app).await.unwrap();
        while submit::next(&self.app).await.unwrap() {}
        while reconcile::next(&self.app).await.unwrap() {}
    }

    /// Moves the one clock.
    pub fn advance(&self, by: Duration) {
        self.app.clock.set_offset(self.app.clock.offset() + by);
    }

    /// Works, with time passing, until PayPal has finished whatever it accepted.
    pub async fn settle(&self) {
        for _ in 0..40 {
            self.work().await;
            self.advance(Duration::seconds(5));
        }
    }

    /// State of a batch: ours and the reason.
    pub async fn batch(&self, id: BatchId) -> (String, Option<String>) {
        let mut tx = self.tx().await;
        sqlx::query_as("select state, why from payout_batches where merchant_id = $1 and id = $2")
            .bind(self.merchant)
            .bind(id)
            .fetch_one(&mut *tx)
            .await
            .unwrap()
    }

    /// How many commissions stand where.
    pub async fn standings(&self) -> HashMap<String, i64> {
        let mut tx = self.tx().await;
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select standing, count(*) from commission_standings where merchant_id = $1 group by 1")
                .bind(self.merchant)
                .fetch_all(&mut *tx)
                .await
                .unwrap();
        rows.into_iter().collect()
    }

    /// Tells the simulator what goes wrong next.
    pub async fn fault(&self, rule: Value) {
        let answer = reqwest_client()
            .post(format!("{}/_simulator/faults", self.simulator.url()))
            .json(&json!([rule]))
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    pub async fn bank(&self) -> Value {
        self.door("bank").await
    }

    /// How often a call reached the simulator.
    pub async fn calls(&self, name: &str) -> u64 {
        self.door("calls").await["counts"][name].as_u64().unwrap_or(0)
    }

    async fn door(&self, name: &str) -> Value {
        reqwest_client()
            .get(format!("{}/_simulator/{name}", self.simulator.url()))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// Effective payments per receiver, from the bank.
    pub async fn paid(&self) -> HashMap<String, (u64, Decimal)> {
        let mut paid = HashMap::new();
        for batch in self.bank().await["batches"].as_array().unwrap() {
            for item in batch["items"].as_array().unwrap() {
                let entry: &mut (u64, Decimal) = paid.entry(item["receiver"].as_str().unwrap().to_owned()).or_default();
                entry.0 += item["payments"].as_u64().unwrap();
                entry.1 += decimal(&item["money_moved"]);
            }
        }
        paid
    }

    /// Nobody was paid twice, and we believe what the bank knows: each of our items has moved its exact amount once if
    /// we hold it for paid or open, and nothing if its commissions are due again.
    pub async fn check(&self) {
        let bank = self.bank().await;
        let mut moved: HashMap<String, (u64, Decimal)> = HashMap::new();
        for batch in bank["batches"].as_array().unwrap() {
            for item in batch["items"].as_array().unwrap() {
                let entry = moved.entry(item["sender_item_id"].as_str().unwrap().to_owned()).or_default();
                entry.0 += item["payments"].as_u64().unwrap();
                entry.1 += decimal(&item["money_moved"]);
            }
        }
        let mut tx = self.tx().await;
        let items: Vec<(String, String, Decimal, bool)> = sqlx::query_as(
            "select i.sender_item_id, i.state, i.amount,
                exists (select from allocations l where l.merchant_id = i.merchant_id and l.item_id = i.id and l.released_at is null)
            from payout_items i join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
            where i.merchant_id = $1 and b.rail = 'api'",
        )
        .bind(self.merchant)
        .fetch_all(&mut *tx)
        .await
        .unwrap();
        for (name, state, amount, held) in &items {
            let (payments, sum) = moved.remove(name).unwrap_or_default();
            assert!(payments <= 1, "item {name} was paid {payments} times");
            assert_eq!(sum, if payments == 1 { *amount } else { Decimal::ZERO }, "item {name} moved another amount");
            match state.as_str() {
                "paid" => assert_eq!(payments, 1, "item {name} is said to be paid"),
                "unpaid" if !held => assert_eq!(payments, 0, "item {name} is due again, and its money is gone"),
                _ => {}
            }
        }
        assert!(moved.is_empty(), "the bank knows payments that we do not: {moved:?}");
    }
}

/// All that is due and can be paid.
pub fn everything() -> Ticked {
    Ticked::AllBut { filter: selection::Filter::default(), except: Vec::new(), payable_only: true }
}

pub fn decimal(value: &Value) -> Decimal {
    value.as_str().map_or_else(|| value.to_string().parse().unwrap(), |text| text.parse().unwrap())
}

pub fn reqwest_client() -> reqwest::Client {
    reqwest::Client::builder().build().unwrap()
}

pub fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}
