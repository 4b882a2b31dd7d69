//! A merchant, a database, a simulated PayPal and one clock for all of them. Tests act through the application's verbs
//! and end by asking the simulator's bank; [`World::check`] compares what we believe with what it knows.

use super::postgres::{TestDatabase, database};
use super::site::{Site, app_on};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration as StdDuration;
use stipend::app::App;
use stipend::audit::Actor;
use stipend::carrier::Carrier;
use stipend::clock::Clock;
use stipend::config::Mail;
use stipend::connection::{self, Outcome};
use stipend::database::{Database, Tx};
use stipend::id::{AffiliateId, BatchId, CommissionId, MerchantId, PersonId};
use stipend::mail;
use stipend::payout::draft::{Ask, DraftError, How, draft};
use stipend::payout::review;
use stipend::payout::selection::{self, Ticked};
use stipend::payout::{hint, reconcile, submit};
use stipend::paypal::{Credentials, DropZone, Environment};
use stipend::role::Role;
use stipend::simulator::{Account, Dropzone, Settings, Simulator};
use stipend::verify::verify;
use time::{Date, Duration};

/// How long the simulated PayPal leaves a file in the folder.
const PICK_UP: StdDuration = StdDuration::from_millis(100);

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
        let test = database().await;
        World::on(test.database.clone(), test.url.clone(), Some(test)).await
    }

    /// A connected merchant whose mails are written to this folder.
    pub async fn mailing(folder: &Path) -> World {
        let test = database().await;
        let carrier = Carrier::new(&Mail::folder(folder.to_owned(), None)).unwrap();
        let world = World::made(test.database.clone(), test.url.clone(), Some(test), Some(carrier), PICK_UP).await;
        mail::outbox::announce(&world.app).await.unwrap();
        assert_eq!(world.connect("demo-client", "demo-secret").await, Outcome::Ready);
        world
    }

    /// The same on a database that is somebody else's to keep.
    pub async fn on(database: Database, url: String, keep: Option<TestDatabase>) -> World {
        World::made(database, url, keep, None, PICK_UP).await
    }

    /// A merchant whose files PayPal leaves in the folder for so long.
    pub async fn picking_up_after(pick_up_after: StdDuration) -> World {
        let test = database().await;
        World::made(test.database.clone(), test.url.clone(), Some(test), None, pick_up_after).await
    }

    async fn made(
        database: Database,
        url: String,
        keep: Option<TestDatabase>,
        carrier: Option<Carrier>,
        pick_up_after: StdDuration,
    ) -> World {
        let clock = Clock::system();
        let accounts = vec![
            Account::new("demo-client", "demo-secret"),
            Account::new("other-client", "other-secret"),
            Account { payouts: false, ..Account::new("no-payouts", "secret") },
            Account { approved: false, ..Account::new("not-approved", "secret") },
        ];
        let settings = Settings {
            accounts,
            settle_after: StdDuration::from_secs(3),
            journal: None,
            clock: clock.clone(),
            dropzone: Some(Dropzone {
                pick_up_after,
                part_size: 3,
                ..Dropzone::new("127.0.0.1:0".parse().unwrap(), Vec::new())
            }),
        };
        let simulator = Simulator::start("127.0.0.1:0".parse().unwrap(), settings).await.unwrap();
        let dropzone = simulator.dropzone_address().map(|address| address.to_string());
        let app =
            App { carrier, dropzone: DropZone::new(true, dropzone), ..app_on(database, Some(simulator.url()), clock) };
        let site = Site::of(app, url, keep).await;
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

    /// A second instance of the application: the same database and clock, its own leases and tokens.
    pub fn another_instance(&self) -> App {
        let app = app_on(self.app.database.clone(), Some(self.simulator.url()), self.app.clock.clone());
        let dropzone = self.simulator.dropzone_address().map(|address| address.to_string());
        App { dropzone: DropZone::new(true, dropzone), ..app }
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

    /// Owes 1.25 each to many affiliates.
    pub async fn owe_many(&self, affiliates: i32) {
        let mut tx = self.tx().await;
        sqlx::query(
            "insert into affiliates (merchant_id, id, email, created_at, updated_at)
            select $1, gen_random_uuid(), 'p' || n || '@example.com', $2, $2 from generate_series(1, $3) n",
        )
        .bind(self.merchant)
        .bind(self.app.clock.now())
        .bind(affiliates)
        .execute(&mut *tx)
        .await
        .unwrap();
        // As after an import: without statistics the check of references reads all affiliates once a row.
        tx.commit().await.unwrap();
        self.app.database.analyze().await.unwrap();
        let mut tx = self.tx().await;
        sqlx::query(
            "with c as (
                insert into commissions (merchant_id, id, affiliate_id, amount, currency, due_on, reference, created_at)
                select merchant_id, gen_random_uuid(), id, 1.25, 'USD', $2, id::text, $3
                from affiliates where merchant_id = $1 and email like 'p%@example.com'
                returning merchant_id, id, affiliate_id, currency, due_on, amount
            ) insert into owed (merchant_id, commission_id, affiliate_id, currency, due_on, amount) select * from c",
        )
        .bind(self.merchant)
        .bind(self.today())
        .bind(self.app.clock.now())
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        self.app.database.analyze().await.unwrap();
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
        self.try_review(ticked, how).await.expect("something is due")
    }

    /// The same, where nothing may be due.
    pub async fn try_review(&self, ticked: &Ticked, how: How) -> Option<Ask> {
        let mut tx = self.tx().await;
        let actor = self.actor();
        let request = selection::select(&mut tx, &actor, self.today(), ticked).await.unwrap()?;
        let seen = review::load(&mut tx, request, (0, 200), actor.at).await.unwrap().unwrap().seen();
        tx.commit().await.unwrap();
        Some(Ask { request, actor, how, subject: "You have a payout".into(), message: String::new(), seen })
    }

    /// Lets the worker's steps run until nothing is due at this moment.
    pub async fn work(&self) {
        submit::expire(&self.app).await.unwrap();
        while hint::next(&self.app).await.unwrap() {}
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

    /// How many batches stand in a state.
    pub async fn in_state(&self, state: &str) -> i64 {
        let mut tx = self.tx().await;
        sqlx::query_scalar("select count(*) from payout_batches where merchant_id = $1 and state = $2")
            .bind(self.merchant)
            .bind(state)
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
        self.tell("faults", json!([rule])).await;
    }

    /// Posts to one of the simulator's doors.
    pub async fn tell(&self, door: &str, what: Value) {
        let answer = reqwest_client().post(self.door_address(door)).json(&what).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Forgets what was to go wrong.
    pub async fn no_more_faults(&self) {
        let answer = reqwest_client().delete(self.door_address("faults")).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    pub async fn bank(&self) -> Value {
        self.door("bank").await
    }

    /// How often a call reached the simulator.
    pub async fn calls(&self, name: &str) -> u64 {
        self.door("calls").await["counts"][name].as_u64().unwrap_or(0)
    }

    pub async fn door(&self, name: &str) -> Value {
        reqwest_client().get(self.door_address(name)).send().await.unwrap().json().await.unwrap()
    }

    fn door_address(&self, name: &str) -> String {
        format!("{}/_simulator/{name}", self.simulator.url())
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

    /// The audit log tells of this action. `audit/every_form.rs` looks for these lines.
    pub async fn audited(&self, action: &str) {
        let sql = "select count(*) from audit_entries where merchant_id = $1 and action = $2";
        let query = sqlx::query_scalar::<_, i64>(sql).bind(self.merchant).bind(action);
        assert!(query.fetch_one(&mut *self.tx().await).await.unwrap() > 0, "no entry says {action:?}");
    }

    /// Nobody was paid twice, and we believe what the bank knows: each of our items has moved its exact amount once if
    /// we hold it for paid or open, and nothing if its commissions are due again. The database's own invariants hold.
    pub async fn check(&self) {
        let report = verify(&self.app.database, None).await.unwrap();
        assert!(report.broken().is_empty(), "{report}");
        let bank = self.bank().await;
        let mut moved: HashMap<String, (u64, Decimal)> = HashMap::new();
        let mut came_back = HashSet::new();
        for batch in bank["batches"].as_array().unwrap() {
            for item in batch["items"].as_array().unwrap() {
                let entry = moved.entry(item["sender_item_id"].as_str().unwrap().to_owned()).or_default();
                entry.0 += item["payments"].as_u64().unwrap();
                entry.1 += decimal(&item["money_moved"]);
                // A payment that came back since we last looked; paid ones are looked at on few days only.
                if ["REFUNDED", "REVERSED"].contains(&item["state"].as_str().unwrap()) {
                    came_back.insert(item["sender_item_id"].as_str().unwrap().to_owned());
                }
            }
        }
        let mut tx = self.tx().await;
        let items: Vec<(String, String, Decimal, bool)> = sqlx::query_as(
            "select i.sender_item_id, i.state, i.amount,
                exists (select from allocations l where l.merchant_id = i.merchant_id and l.item_id = i.id and l.released_at is null)
            from payout_items i join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
            where i.merchant_id = $1 and b.rail <> 'manual'",
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
                "paid" if !came_back.contains(name) => assert_eq!(payments, 1, "item {name} is said to be paid"),
                "unpaid" if !held => assert_eq!(payments, 0, "item {name} is due again, and its money is gone"),
                _ => {}
            }
        }
        assert!(moved.is_empty(), "the bank knows payments that we do not: {moved:?}");
        self.check_commissions(&bank, tx).await;
    }

    /// Each commission has moved its money once or never, in whichever payments it was.
    async fn check_commissions(&self, bank: &Value, mut tx: Tx) {
        let items = bank["batches"].as_array().unwrap().iter().flat_map(|batch| batch["items"].as_array().unwrap());
        let paid = items.filter(|item| item["payments"] == 1);
        let paid: Vec<String> = paid.map(|item| item["sender_item_id"].as_str().unwrap().to_owned()).collect();
        let twice: Vec<CommissionId> = sqlx::query_scalar(
            "select l.commission_id
            from allocations l join payout_items i on i.merchant_id = l.merchant_id and i.id = l.item_id
            where l.merchant_id = $1 and (i.sender_item_id = any($2) or i.state = 'paid' and i.transaction_id is null)
            group by l.commission_id having count(*) > 1",
        )
        .bind(self.merchant)
        .bind(paid)
        .fetch_all(&mut *tx)
        .await
        .unwrap();
        assert!(twice.is_empty(), "these commissions were paid twice: {twice:?}");
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
