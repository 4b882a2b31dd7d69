//! `stipend verify`: a healthy database verifies clean, and each kind of damage is found under its own name.

use crate::by_file as large_batch;
use crate::support::program::{RunAs, program};
use crate::support::world::{World, everything};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};
use stipend::money::Currency;
use stipend::payout::draft::How;
use stipend::payout::manual;
use stipend::payout::selection::{DueRow, Ticked};
use stipend::paypal::large_batch::Compression;
use stipend::verify::{Invariant, verify};
use time::Duration;

const TABLES: [&str; 13] = [
    "commissions",
    "owed",
    "owed_tally",
    "paid_sums",
    "batch_sums",
    "payout_batches",
    "payout_items",
    "payout_files",
    "payout_file_parts",
    "allocations",
    "payout_attempts",
    "payout_history",
    "audit_entries",
];

fn all() -> Ticked {
    Ticked::AllBut { filter: Default::default(), except: vec![], payable_only: false }
}

/// A merchant with some of everything: paid, open, blocked, refunded, denied, refused, taken back, paid outside,
/// exported, put back, cancelled, in doubt, stuck and due.
async fn busy() -> World {
    let mut world = World::connected().await;
    for who in ["good", "failed", "unregistered", "blocked", "refunded", "onhold", "pending"] {
        world.owe(&format!("{who}@example.com"), &["10.00", "0.55"]).await;
    }
    world.owe_in("JPY", "yen@example.com", &["1200"]).await;
    world.pay_all().await;
    world.settle().await;
    for _ in 0..35 {
        world.advance(Duration::days(1));
        world.work().await;
    }
    for address in ["denied-batch@example.com", "a..b@example.com", "taken-back@example.com"] {
        world.owe(address, &["5.00"]).await;
        if address.starts_with("taken") {
            world.fault(json!({"call": "create", "what": "status", "status": 422, "name": "INSUFFICIENT_FUNDS"})).await;
        }
        let batches = world.pay_all().await;
        world.work().await;
        if address.starts_with("taken") {
            for batch in batches {
                let _one_may_be_paid = manual::cancel(&world.app, world.merchant, &world.actor(), batch).await.unwrap();
            }
            world.advance(Duration::minutes(20));
        }
        world.settle().await;
    }
    world.owe("manual@example.com", &["7.00"]).await;
    let outside = world.try_pay(&all(), How::Manual { reference: "check 1".into() }).await.unwrap();
    manual::release_manual(&world.app, world.merchant, &world.actor(), outside[0]).await.unwrap().unwrap();
    let exported = world.try_pay(&all(), How::Export).await.unwrap();
    manual::mark_paid(&world.app, world.merchant, &world.actor(), exported[0], "file 1").await.unwrap().unwrap();
    world.owe("put-back@example.com", &["7.00"]).await;
    let exported = world.try_pay(&everything(), How::Export).await.unwrap();
    manual::release_manual(&world.app, world.merchant, &world.actor(), exported[0]).await.unwrap().unwrap();
    by_file(&mut world).await;
    world.owe_in("EUR", "pending@example.com", &["7.00"]).await;
    let row = DueRow { affiliate: world.affiliates["pending@example.com"], currency: Currency::EUR };
    world.try_pay(&Ticked::These { rows: vec![row], commissions: vec![] }, How::PayPal).await.unwrap();
    world.settle().await;
    world.fault(json!({"call": "create", "what": "cut_after", "times": 3_000})).await;
    world.pay_all().await;
    for _ in 0..31 {
        world.work().await;
        world.advance(Duration::days(1));
    }
    world.owe("in-doubt@example.com", &["8.00"]).await;
    world.pay_all().await;
    world.work().await;
    world.owe("due@example.com", &["9.00", "9.50"]).await;
    world
}

/// Pays one affiliate by Large Batch file.
async fn by_file(world: &mut World) {
    large_batch::connect(world).await;
    world.owe("by-file@example.com", &["6.00"]).await;
    let row = DueRow { affiliate: world.affiliates["by-file@example.com"], currency: Currency::USD };
    let one = Ticked::These { rows: vec![row], commissions: vec![] };
    let batch = world.try_pay(&one, How::File { compression: Compression::Plain }).await.unwrap()[0];
    manual::let_go(&world.app, world.merchant, &world.actor(), batch, None).await.unwrap().unwrap();
    large_batch::until_stage(world, batch, "out").await;
}

/// Runs statements as a superuser whom no trigger stops.
async fn damage(world: &World, sql: &str) {
    let sql = format!("begin; set local session_replication_role = replica; {sql}; commit");
    let mut connection = world.app.database.pool().acquire().await.unwrap();
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
}

async fn keep(world: &World) {
    let copies = TABLES.map(|table| format!("create table kept.{table} as table {table}")).join("; ");
    damage(world, &format!("create schema kept; {copies}")).await;
}

async fn restore(world: &World) {
    let again = TABLES.map(|table| {
        format!("delete from {table}; insert into {table} overriding system value select * from kept.{table}")
    });
    damage(world, &again.join("; ")).await;
}

#[tokio::test]
async fn a_busy_world_verifies_clean() {
    let world = busy().await;
    let standings = world.standings().await;
    for standing in ["owed", "paying", "unknown", "needs_a_person", "paid"] {
        assert!(standings.contains_key(standing), "the world is not busy enough: {standings:?}");
    }
    let report = verify(&world.app.database, None).await.unwrap();
    assert!(report.broken().is_empty(), "{report}");
    for finding in &report.0 {
        for kind in finding.looked.as_ref().unwrap() {
            assert!(kind.looked > 0, "{:?} looked at no {}", finding.invariant, kind.things);
        }
    }
    world.check().await;
}

#[tokio::test]
async fn each_damage_is_found_under_its_name() {
    use Invariant::{I1, I2, I3, I4, I5, I6, I9, I12};
    let world = busy().await;
    keep(&world).await;
    let one = "(select id from payout_batches where rail = 'api' and state = 'closed' and currency = 'USD' order by id limit 1)";
    let paid = "(select id from payout_items where state = 'paid' and transaction_id is not null order by id limit 1)";
    let owed = "(select commission_id from owed limit 1)";
    let damages = [
        (I1, "drop index one_live_allocation_per_commission".to_owned()),
        (I2, "update commissions set amount = amount + 1 where id in (select commission_id from allocations limit 1)".into()),
        (I2, format!("update payout_items set amount = amount + 1 where id = {paid}")),
        (I2, format!("update payout_items set receiver = 'thief@example.com' where id = {paid}")),
        (I2, format!("update payout_items set sender_item_id = repeat('0', 26) where id = {paid}")),
        (I2, format!("update payout_batches set total = total + 1 where id = {one}")),
        (I2, format!("update payout_batches set items = items + 1 where id = {one}")),
        (I2, format!("delete from payout_items where id = {paid}")),
        (I2, "update allocations set commission_id = gen_random_uuid() where item_id = (select item_id from allocations limit 1)".into()),
        (I2, "update payout_file_parts set content = convert_to(replace(convert_from(content, 'UTF8'), '6.00', '7.00'), 'UTF8')".into()),
        (I2, "update payout_file_parts set content = convert_to(replace(convert_from(content, 'UTF8'), 'by-file@', 'thief@'), 'UTF8')".into()),
        (I2, "delete from payout_file_parts".into()),
        (I3, format!("delete from owed where commission_id = {owed}")),
        (I3, format!("update owed set amount = amount + 1 where commission_id = {owed}")),
        (I3, "insert into owed select merchant_id, id, affiliate_id, currency, due_on, amount from commissions where id in (select commission_id from allocations where released_at is null limit 1)".into()),
        (I3, format!("update commissions set cancelled_at = now() where id = {owed}")),
        (I3, "update batch_sums set items = items + 1".into()),
        (I3, "update paid_sums set amount = amount + 1".into()),
        (I3, "update owed_tally set amount = amount + 1, commissions = commissions + 1".into()),
        (I3, format!("update allocations set released_at = now() where item_id = {paid}")),
        (I3, "update allocations set released_at = now() where item_id in (select id from payout_items where state = 'queued')".into()),
        (I4, format!("update payout_batches set body = convert_to(replace(convert_from(body, 'UTF8'), 'SERVICES', 'GOODS'), 'UTF8') where id = {one}")),
        (I4, format!("update payout_batches set body_sha256 = sha256('') where id = {one}")),
        (I4, format!("update payout_batches set body = 'nonsense' where id = {one}")),
        (I4, format!("update payout_batches set sender_batch_id = repeat('7', 26) where id = {one}")),
        (I4, "alter table payout_history disable trigger history_is_insert_only".into()),
        (I4, "drop trigger a_batch_keeps_its_name on payout_batches".into()),
        (I5, "update payout_attempts set started_at = started_at + interval '30 days' where batch_id = (select id from payout_batches where state = 'stuck' limit 1)".into()),
        (I5, format!("update payout_batches set fence = 0 where id = {one}")),
        (I5, format!("update payout_batches set approval_above = 1 where id = {one}")),
        (I5, "alter table payout_batches drop constraint what_waits_for_approval_is_not_sent; update payout_batches set waits_for_approval = true where state = 'closed'".into()),
        (I5, format!("update payout_batches set attempts = attempts + 1 where id = {one}")),
        (I5, format!("insert into payout_attempts (merchant_id, batch_id, fence, owner, started_at) select merchant_id, id, fence + 1, id, first_attempt_at from payout_batches where id = {one}")),
        (I5, "update payout_batches set state = 'closed' where state = 'stuck'".into()),
        (I5, "update payout_batches set state = 'closed', resolved_at = now(), resolved_as = 'there' where state = 'stuck'".into()),
        (I6, "update payout_items set state = 'open', wait = 'processing' where state = 'paid' and transaction_id is not null".into()),
        (I6, "update payout_history set was = 'SUCCESS' where became = 'PENDING'".into()),
        (I6, "update payout_history set became = 'PENDING' where became = 'SUCCESS'".into()),
        (I6, "delete from payout_history where became = 'RETURNED'".into()),
        (I9, "alter table commissions alter amount type numeric, drop constraint the_amount_is_payable; update commissions set amount = 1200.5 where currency = 'JPY'".into()),
        (I9, "alter table payout_items add column rate double precision".into()),
        (I12, "update audit_entries set details = '{}' where action = 'saved PayPal details'".into()),
    ];
    for (invariant, sql) in &damages {
        damage(&world, sql).await;
        let report = verify(&world.app.database, None).await.unwrap();
        assert!(report.broken().contains(invariant), "{invariant:?} did not notice: {sql}\n{report}");
        let finding = report.0.iter().find(|finding| finding.invariant == *invariant).unwrap();
        if let Ok(looked) = &finding.looked {
            assert!(looked.iter().any(|kind| kind.examples.is_some()), "no example was shown for {sql}");
        }
        damage(
            &world,
            "create unique index if not exists one_live_allocation_per_commission on allocations (merchant_id, commission_id) where released_at is null;
            alter table payout_history enable trigger history_is_insert_only;
            drop trigger if exists a_batch_keeps_its_name on payout_batches;
            create trigger a_batch_keeps_its_name before update on payout_batches for each row execute function a_batch_keeps_its_name();
            alter table payout_items drop column if exists rate",
        )
        .await;
        restore(&world).await;
        let report = verify(&world.app.database, None).await.unwrap();
        assert!(report.broken().is_empty(), "after {sql} was undone: {report}");
    }
}

#[tokio::test]
async fn two_live_allocations_are_found_without_their_index() {
    let world = busy().await;
    damage(
        &world,
        "drop index one_live_allocation_per_commission;
        insert into allocations (merchant_id, item_id, commission_id)
        select l.merchant_id, i.id, l.commission_id
        from allocations l
        join payout_items i on i.id <> l.item_id
        where l.released_at is null
        limit 1;
        create index one_live_allocation_per_commission on allocations (merchant_id, commission_id) where released_at is null",
    )
    .await;
    let report = verify(&world.app.database, None).await.unwrap();
    assert!(report.to_string().contains("is in 2 payments at once"), "{report}");
    assert!(report.to_string().contains("not the one it was"), "{report}");
}

#[tokio::test]
async fn the_command_tells_and_its_status_says_so() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    let run = |flags: &[&str]| {
        let mut command = program(RunAs::Us);
        command.arg("verify").args(flags).env("DATABASE_URL", &world.site.database_url).output().unwrap()
    };
    let sound = run(&[]);
    let told = String::from_utf8(sound.stdout).unwrap();
    assert_eq!(sound.status.code(), Some(0), "{told}");
    assert_eq!(told.matches("holds:").count(), Invariant::ALL.len(), "{told}");
    assert!(told.contains("1 live allocations"), "{told}");
    assert_eq!(run(&["--merchant", "acme"]).status.code(), Some(0));
    assert_eq!(run(&["--merchant", "Nobody"]).status.code(), Some(1));
    damage(&world, "update payout_batches set total = 11").await;
    let broken = run(&["--merchant", "Acme"]);
    assert_eq!(broken.status.code(), Some(1));
    let told = String::from_utf8(broken.stdout).unwrap();
    assert!(told.contains("BROKEN") && told.contains("its items come to 10.00"), "{told}");
    assert!(String::from_utf8(broken.stderr).unwrap().contains("I2"));
}

#[tokio::test]
async fn one_merchants_damage_is_not_anothers() {
    let world = World::connected().await;
    damage(
        &world,
        "insert into merchants (id, name, time_zone, created_at) values (gen_random_uuid(), 'Beta', 'UTC', now());
        insert into owed_tally select id, 'USD', '2026-01-01', 3, 3 from merchants where name = 'Beta'",
    )
    .await;
    assert!(verify(&world.app.database, Some("Acme")).await.unwrap().broken().is_empty());
    assert_eq!(verify(&world.app.database, Some("beta")).await.unwrap().broken(), [Invariant::I3]);
    assert_eq!(verify(&world.app.database, None).await.unwrap().broken(), [Invariant::I3]);
}
