//! Random schedules: two instances, several people, and everything that can go wrong between us and PayPal, in an order
//! that a seed decides. Then the faults stop, everything must be finished, and the bank is asked.
//!
//! `STIPEND_SEEDS=10000` runs that many; `STIPEND_SEED=17` runs that one alone.

use crate::support::world::World;
use futures_util::stream::{self, StreamExt};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::time::Duration as StdDuration;
use stipend::app::App;
use stipend::id::{BatchId, ItemId};
use stipend::money::Currency;
use stipend::payout::decide::Decision;
use stipend::payout::draft::{DraftError, How, draft};
use stipend::payout::selection::{DueRow, Filter, Ticked};
use stipend::payout::{cancel, decide, manual, reconcile, submit};
use time::Duration;

/// Seeds of an ordinary run.
const SEEDS: u64 = 100;
/// Seeds at a time: much of each is waiting.
const AT_ONCE: usize = 4;
const STEPS: usize = 45;
const RECEIVERS: [&str; 12] = [
    "ann",
    "bob",
    "eve",
    "failed",
    "unregistered",
    "claims-later",
    "onhold",
    "blocked",
    "refunded",
    "reversed",
    "returned",
    "denied-batch",
];
const CURRENCIES: [&str; 3] = ["USD", "EUR", "JPY"];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_nobody_is_paid_twice_and_nothing_is_lost() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("STIPEND_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STIPEND_SEEDS").unwrap_or(SEEDS),
    };
    let failed: Vec<u64> = stream::iter(seeds)
        .map(|seed| async move { tokio::spawn(run(seed)).await.err().map(|_| seed) })
        .buffer_unordered(AT_ONCE)
        .filter_map(async |failed| failed)
        .collect()
        .await;
    assert!(failed.is_empty(), "these seeds failed: {failed:?}; run one again with STIPEND_SEED={}", failed[0]);
}

/// One schedule.
struct Schedule {
    world: World,
    instances: [App; 2],
    random: StdRng,
    log: Vec<String>,
}

async fn run(seed: u64) {
    let world = World::connected().await;
    let instances = [world.app.clone(), world.another_instance()];
    let mut schedule = Schedule { world, instances, random: StdRng::seed_from_u64(seed), log: Vec::new() };
    for _ in 0..4 {
        schedule.owe().await;
    }
    for _ in 0..STEPS {
        schedule.step().await;
    }
    schedule.faults_stop().await;
    if let Err(problem) = schedule.is_finished().await {
        panic!("seed {seed}: {problem}\n{}", schedule.log.join("\n"));
    }
    schedule.world.check().await;
}

impl Schedule {
    async fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..12 => self.owe().await,
            12..26 => self.pay().await,
            26..29 => self.pay_outside().await,
            29..32 => self.take_back().await,
            32..34 => self.cancel_a_commission().await,
            34..37 => self.ask_back().await,
            37..39 => self.decide().await,
            39..52 => self.something_will_go_wrong().await,
            52..60 => self.crash().await,
            60..84 => self.work().await,
            _ => self.time_passes(),
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        self.log.push(what.into());
    }

    async fn owe(&mut self) {
        let (who, currency) =
            (*RECEIVERS.choose(&mut self.random).unwrap(), *CURRENCIES.choose(&mut self.random).unwrap());
        let amounts: Vec<String> =
            (0..self.random.random_range(1..4)).map(|_| self.random.random_range(1..5_000).to_string()).collect();
        let amounts: Vec<&str> = amounts.iter().map(String::as_str).collect();
        self.note(format!("owe {who} {currency} {amounts:?}"));
        self.world.owe_in(currency, &format!("{who}@example.com"), &amounts).await;
    }

    fn some(&mut self) -> Ticked {
        if self.random.random_bool(0.5) {
            return Ticked::AllBut { filter: Filter::default(), except: Vec::new(), payable_only: true };
        }
        let currency: Currency = CURRENCIES.choose(&mut self.random).unwrap().parse().unwrap();
        let rows = self.world.affiliates.values().map(|affiliate| DueRow { affiliate: *affiliate, currency });
        let rows = rows.filter(|_| self.random.random_bool(0.7)).collect();
        Ticked::These { rows, commissions: Vec::new() }
    }

    /// One person pays; or two pay at once, with selections that overlap, or with the same form.
    async fn pay(&mut self) {
        let (one, two) = (self.some(), self.some());
        let Some(first) = self.world.try_review(&one, How::PayPal).await else { return };
        let second = match self.random.random_range(0..3) {
            0 => self.world.try_review(&two, How::PayPal).await,
            1 => Some(first.clone()),
            _ => None,
        };
        let merchant = self.world.merchant;
        let outcomes = match &second {
            Some(second) => {
                let (a, b) = tokio::join!(
                    draft(&self.instances[0], merchant, &first),
                    draft(&self.instances[1], merchant, second)
                );
                vec![a, b]
            }
            None => vec![draft(&self.instances[0], merchant, &first).await],
        };
        for outcome in outcomes {
            match outcome {
                Ok(batches) => self.note(format!("drafted {} batches", batches.len())),
                Err(DraftError::Changed) => self.note("came too late"),
                Err(error) => panic!("a draft failed: {error:?}"),
            }
        }
    }

    async fn pay_outside(&mut self) {
        let ticked = self.some();
        let how = if self.random.random_bool(0.5) { How::Export } else { How::Manual { reference: "check".into() } };
        let Some(ask) = self.world.try_review(&ticked, how.clone()).await else { return };
        let batches = draft(&self.world.app, self.world.merchant, &ask).await.unwrap();
        self.note(format!("{how:?}: {} batches", batches.len()));
        let (app, merchant, actor) = (&self.world.app, self.world.merchant, self.world.actor());
        for batch in batches {
            if self.random.random_bool(0.3) {
                manual::release_manual(app, merchant, &actor, batch).await.unwrap().unwrap();
            } else if how == How::Export && self.random.random_bool(0.7) {
                manual::mark_paid(app, merchant, &actor, batch, "file").await.unwrap().unwrap();
            }
        }
    }

    /// A person takes back some batch, while an instance may be taking it.
    async fn take_back(&mut self) {
        let mut batches = self.batches("rail = 'api'").await;
        batches.sort_unstable();
        let Some(batch) = batches.choose(&mut self.random).copied() else { return };
        let (app, merchant, actor) = (&self.world.app, self.world.merchant, self.world.actor());
        let (taken_back, worked) =
            tokio::join!(manual::cancel(app, merchant, &actor, batch), submit::next(&self.instances[1]));
        let outcome = taken_back.unwrap();
        self.note(format!("taken back: {outcome:?}, while working: {worked:?}"));
    }

    /// A person wishes that whatever is unclaimed comes back, while an instance may be reading.
    async fn ask_back(&mut self) {
        let mut batches = self.batches("state = 'accepted'").await;
        batches.sort_unstable();
        let Some(batch) = batches.choose(&mut self.random).copied() else { return };
        let (app, merchant, actor) = (&self.world.app, self.world.merchant, self.world.actor());
        let (asked, worked) =
            tokio::join!(cancel::ask(app, merchant, &actor, batch, None), reconcile::next(&self.instances[1]));
        let outcome = asked.unwrap();
        self.note(format!("asked back: {outcome:?}, while working: {worked:?}"));
    }

    /// A person decides about everything that waits for that, one way or the other.
    async fn decide(&mut self) {
        let mut tx = self.world.tx().await;
        let items: Vec<(BatchId, ItemId)> = sqlx::query_as(
            "select batch_id, id from payout_items
            where merchant_id = $1 and not_paid in ('blocked', 'refunded', 'reversed') and decided is distinct from 'due_again'
            order by id",
        )
        .bind(self.world.merchant)
        .fetch_all(&mut *tx)
        .await
        .unwrap();
        drop(tx);
        for item in items {
            let decision = if self.random.random_bool(0.5) { Decision::DueAgain } else { Decision::WrittenOff };
            let (app, merchant, actor) = (&self.world.app, self.world.merchant, self.world.actor());
            let outcome = decide::decide(app, merchant, &actor, item, decision, "so").await.unwrap();
            self.note(format!("decided {decision:?}: {outcome:?}"));
        }
    }

    async fn cancel_a_commission(&mut self) {
        let mut tx = self.world.tx().await;
        sqlx::query(
            "with gone as (
                delete from owed
                where merchant_id = $1 and commission_id = (
                    select commission_id from owed where merchant_id = $1 order by commission_id limit 1
                )
                returning commission_id
            )
            update commissions set cancelled_at = $2 where merchant_id = $1 and id in (select commission_id from gone)",
        )
        .bind(self.world.merchant)
        .bind(self.world.app.clock.now())
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    async fn something_will_go_wrong(&mut self) {
        let rule = fault(&mut self.random);
        self.note(format!("fault {rule}"));
        self.world.fault(rule).await;
    }

    /// An instance that is killed in the middle of whatever it does.
    async fn crash(&mut self) {
        let patience = StdDuration::from_micros(self.random.random_range(0..12_000));
        let app = self.instances[self.random.random_range(0..2)].clone();
        let sends = self.random.random_bool(0.6);
        let step = async { if sends { submit::next(&app).await } else { reconcile::next(&app).await } };
        let crashed = tokio::time::timeout(patience, step).await.is_err();
        // Whoever starts anew has another name and no token.
        if crashed {
            self.note(if sends { "crashed while sending" } else { "crashed while reading" });
            self.instances[1] = self.world.another_instance();
        }
    }

    /// One instance works, or both at once.
    async fn work(&mut self) {
        let [one, two] = &self.instances;
        let outcomes = match self.random.random_range(0..4) {
            0 => vec![submit::next(one).await],
            1 => vec![reconcile::next(two).await],
            2 => {
                let (a, b) = tokio::join!(submit::next(one), submit::next(two));
                vec![a, b]
            }
            _ => {
                let (a, b, c) = tokio::join!(submit::next(two), reconcile::next(one), submit::expire(one));
                vec![a, b, c.map(|()| false)]
            }
        };
        self.note(format!("work: {outcomes:?}"));
    }

    fn time_passes(&mut self) {
        let by = match self.random.random_range(0..40) {
            0..22 => Duration::seconds(self.random.random_range(1..15)),
            22..31 => Duration::minutes(self.random.random_range(1..90)),
            31..36 => Duration::hours(self.random.random_range(2..40)),
            36 => Duration::days(28),
            37 => Duration::days(29) - Duration::seconds(self.random.random_range(0..60)),
            38 => Duration::days(30),
            _ => Duration::days(self.random.random_range(2..28)),
        };
        self.note(format!("{by} pass"));
        self.world.advance(by);
    }

    /// From now on nothing goes wrong, and time passes as it does.
    async fn faults_stop(&mut self) {
        self.note("faults stop");
        self.world.no_more_faults().await;
        for round in 0..60 {
            for app in &self.instances {
                submit::expire(app).await.unwrap();
                while submit::next(app).await.unwrap() {}
                while reconcile::next(app).await.unwrap() {}
            }
            if self.is_finished().await.is_ok() {
                return;
            }
            self.world.advance(if round < 20 { Duration::seconds(7) } else { Duration::minutes(20) });
        }
    }

    /// Nothing is on its way, and nothing is in doubt but what nobody may ask about any more.
    async fn is_finished(&self) -> Result<(), String> {
        let open = self.batches("state in ('ready', 'submitting') or state = 'accepted' and settled_at is null").await;
        if !open.is_empty() {
            return Err(format!("these batches were not finished: {open:?}"));
        }
        let early = self.batches("state = 'stuck' and changed_at < first_attempt_at + interval '29 days'").await;
        if !early.is_empty() {
            return Err(format!("these batches were given up early: {early:?}"));
        }
        let stuck = self.batches("state = 'stuck'").await;
        let unknown = self.world.standings().await.get("unknown").copied().unwrap_or(0);
        if stuck.is_empty() != (unknown == 0) {
            return Err(format!("{} batches are stuck, and {unknown} commissions are shown as unknown", stuck.len()));
        }
        Ok(())
    }

    async fn batches(&self, which: &str) -> Vec<BatchId> {
        let mut tx = self.world.tx().await;
        let sql = format!("select id from payout_batches where merchant_id = $1 and ({which})");
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(self.world.merchant);
        query.fetch_all(&mut *tx).await.unwrap()
    }
}

/// What PayPal or the wire may do without lying: "no" always means no.
fn fault(random: &mut StdRng) -> Value {
    let nth = random.random_range(1..4);
    let times = random.random_range(1..4);
    let ms = random.random_range(1..15);
    let failure = *[500, 502, 503, 504, 408, 409, 429].choose(random).unwrap();
    let (status, name) = *[
        (422, "INSUFFICIENT_FUNDS"),
        (400, "NON_HOLDING_CURRENCY"),
        (403, "SENDER_RESTRICTED"),
        (400, "VALIDATION_ERROR"),
        (400, "NEVER_HEARD_OF"),
        (401, "AUTHENTICATION_FAILURE"),
    ]
    .choose(random)
    .unwrap();
    let call =
        *["create", "create", "create", "show_batch", "show_batch", "cancel", "token", "any"].choose(random).unwrap();
    match random.random_range(0..20) {
        0 => json!({"call": call, "what": "cut_before", "nth": nth, "times": times}),
        1..4 => json!({"call": call, "what": "cut_after", "nth": nth, "times": times}),
        4 => json!({"call": call, "what": "cut_body", "nth": nth, "times": times}),
        5 => json!({"call": call, "what": "garbage", "nth": nth, "times": times}),
        6 => json!({"call": call, "what": "empty_before", "nth": nth, "times": times}),
        7 => json!({"call": call, "what": "broken_json", "nth": nth, "times": times}),
        8 => json!({"call": call, "what": "status", "status": failure, "nth": nth, "times": times}),
        9 => json!({"call": call, "what": "status_after", "status": failure, "nth": nth, "times": times}),
        10 => json!({"call": "create", "what": "denied", "nth": nth}),
        11 => json!({"call": call, "what": "rate_limit", "retry_after": 30, "nth": nth}),
        12 => json!({"call": "any", "what": "expire_tokens", "nth": nth}),
        13 => json!({"call": "create", "what": "duplicate_without_link", "nth": nth, "times": times}),
        14..16 => json!({"call": "create", "what": "settle_after", "ms": 3_600_000, "nth": nth}),
        16..19 => json!({"call": "create", "what": "status", "status": status, "name": name, "nth": nth}),
        _ => {
            json!({"call": call, "what": *["delay", "slow_body"].choose(random).unwrap(), "ms": ms, "nth": nth, "times": times})
        }
    }
}
