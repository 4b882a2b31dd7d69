//! The chain itself: what damages it is found, and many writers make one of it.

use super::{checked, entries};
use crate::support::world::World;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};
use stipend::audit;
use stipend::trail::Checked;
use stipend::verify::{Invariant, verify};

/// Runs statements as a superuser whom no trigger stops.
async fn damage(world: &World, sql: &str) {
    let sql = format!("begin; set local session_replication_role = replica; {sql}; commit");
    let mut connection = world.app.database.pool().acquire().await.unwrap();
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
}

async fn note(world: &World, what: &str) {
    let mut tx = world.tx().await;
    audit::record(&mut tx, &world.actor(), what, "nothing", json!({})).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_row_that_was_changed_removed_put_in_or_moved_is_found() {
    let world = World::new().await;
    for number in 0..8 {
        note(&world, &format!("note {number}")).await;
    }
    let last = checked(&world).await.last;
    assert_eq!(last, 10, "after the merchant and its first person");
    let merchant = format!("merchant_id = '{}'", world.merchant);
    let fifth = format!("(select entry_id from audit_links where {merchant} and number = 5)");
    let sixth = format!("(select entry_id from audit_links where {merchant} and number = 6)");
    damage(
        &world,
        "create schema kept; create table kept.audit_entries as table audit_entries;
        create table kept.audit_links as table audit_links; create table kept.audit_heads as table audit_heads",
    )
    .await;
    let at_5 = (4, 0);
    for (sql, (holds_up_to, strays)) in [
        (format!("update audit_entries set action = 'something else' where id = {fifth}"), at_5),
        (format!("update audit_entries set at = at + interval '1 microsecond' where id = {fifth}"), at_5),
        (format!("update audit_entries set person_id = null, address = '10.0.0.1' where id = {fifth}"), at_5),
        (format!("update audit_entries set details = '{{\"old\": 1}}' where id = {fifth}"), at_5),
        (format!("delete from audit_entries where id = {fifth}"), at_5),
        (
            format!("delete from audit_entries where id = {fifth}; delete from audit_links where {merchant} and number = 5"),
            at_5,
        ),
        (format!("update audit_links set hash = sha256('x') where {merchant} and number = 5"), at_5),
        (
            format!(
                "update audit_links l set entry_id = case number when 5 then {sixth} else {fifth} end
                where {merchant} and number in (5, 6)"
            ),
            at_5,
        ),
        (
            format!(
                "insert into audit_entries (merchant_id, id, at, action, object)
                values ('{}', gen_random_uuid(), now(), 'forged', 'x')",
                world.merchant
            ),
            (10, 1),
        ),
        (
            format!(
                "delete from audit_entries where id = (select entry_id from audit_links where {merchant} and number = 10);
                delete from audit_links where {merchant} and number = 10"
            ),
            (9, 1),
        ),
        (format!("update audit_heads set hash = sha256('x') where {merchant}"), (10, 0)),
    ] {
        damage(&world, &format!("alter table audit_links drop constraint an_entry_is_chained_once; {sql}")).await;
        let found = checked(&world).await;
        assert_eq!((found.holds_up_to, found.strays), (holds_up_to, strays), "{sql}");
        let report = verify(&world.app.database, Some("Acme")).await.unwrap();
        assert_eq!(report.broken(), [Invariant::I12], "{sql}: {report}");
        damage(
            &world,
            "delete from audit_entries; delete from audit_links; delete from audit_heads;
            insert into audit_entries select * from kept.audit_entries;
            insert into audit_links select * from kept.audit_links;
            insert into audit_heads select * from kept.audit_heads;
            alter table audit_links add constraint an_entry_is_chained_once unique (merchant_id, entry_id)",
        )
        .await;
        assert!(checked(&world).await.is_whole());
        assert!(verify(&world.app.database, None).await.unwrap().broken().is_empty());
    }
}

#[tokio::test]
async fn nothing_of_the_chain_can_be_changed_by_the_application() {
    let world = World::new().await;
    for sql in [
        "update audit_links set number = number + 1",
        "delete from audit_links",
        "update audit_entries set action = 'x'",
        "delete from audit_entries",
    ] {
        let refused = sqlx::query(AssertSqlSafe(sql)).execute(&mut *world.tx().await).await.unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains("permission denied") || refused.contains("insert-only"), "{sql}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_make_one_chain() {
    let world = World::new().await;
    let before = checked(&world).await.last;
    let writers = (0..32).map(async |writer| {
        for round in 0..5 {
            let mut tx = world.tx().await;
            audit::record(&mut tx, &world.actor(), "first", &format!("writer {writer}"), json!({})).await.unwrap();
            // Everybody has written before anybody commits: a lock taken by writing would end in a deadlock.
            let sql = "select pg_advisory_xact_lock(hashtextextended($1, 0)), pg_sleep(0.002)";
            sqlx::query(sql).bind(format!("{}", (writer + round) % 3)).execute(&mut *tx).await.unwrap();
            audit::record(&mut tx, &world.actor(), "second", &format!("writer {writer}"), json!({})).await.unwrap();
            if round == 4 {
                drop(tx);
            } else {
                tx.commit().await.unwrap();
            }
        }
    });
    futures_util::future::join_all(writers).await;
    let last = before + 32 * 4 * 2;
    assert_eq!(checked(&world).await, Checked { holds_up_to: last, last, strays: 0 });
    let notes: Vec<_> =
        entries(&world).await.into_iter().filter(|(_, object, _)| object.starts_with("writer")).collect();
    for pair in notes.chunks(2) {
        assert_eq!(
            (pair[0].0.as_str(), pair[1].0.as_str()),
            ("first", "second"),
            "what commits together stays together"
        );
        assert_eq!(pair[0].1, pair[1].1);
    }
    world.check().await;
}

#[tokio::test]
async fn what_there_was_before_the_chain_is_chained_by_the_migration() {
    let world = World::new().await;
    for number in 0..3 {
        note(&world, &format!("note {number}")).await;
    }
    let links = "select number, hash from audit_links order by number";
    let before: Vec<(i64, Vec<u8>)> = sqlx::query_as(links).fetch_all(world.app.database.pool()).await.unwrap();
    assert_eq!(before.len(), 5);
    let migration = include_str!("../../../migrations/0014_audit_chain.sql");
    let again = "drop trigger an_entry_is_chained on audit_entries; drop function chain_audit_entry();
        drop function audit_hash(bytea, bigint, audit_entries); drop table audit_links; drop table audit_heads;
        drop index audit_entries_of_a_person";
    let mut connection = world.app.database.pool().acquire().await.unwrap();
    connection.execute(AssertSqlSafe(format!("begin; {again}; {migration}; commit"))).await.unwrap();
    drop(connection);
    let after: Vec<(i64, Vec<u8>)> = sqlx::query_as(links).fetch_all(world.app.database.pool()).await.unwrap();
    assert_eq!(before, after);
    note(&world, "afterwards").await;
    assert!(checked(&world).await.is_whole());
}

#[tokio::test]
async fn a_chain_that_is_gone_is_missed() {
    let world = World::new().await;
    damage(&world, "delete from audit_entries; delete from audit_links; delete from audit_heads").await;
    let report = verify(&world.app.database, None).await.unwrap();
    assert_eq!(report.broken(), [Invariant::I12], "{report}");
    assert!(report.to_string().contains("has people and no entry at all"), "{report}");
}
