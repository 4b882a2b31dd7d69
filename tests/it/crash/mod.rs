//! Real processes over one database: killed at every step, stopped and woken, beside each other, and with the database
//! gone. Then the simulator's bank says who was paid, and how often.

mod asleep;
mod files;
mod key;
mod mails;
mod outage;
mod steps;
mod together;
mod upgrade;
mod waiting;

use crate::support::program::{Program, RunAs, program, test_folder};
use crate::support::site::MASTER_KEY;
use crate::support::world::World;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration as StdDuration;
use time::Duration;

/// The program's settings for one world, gone with it.
pub struct Stage {
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
}

impl Stage {
    pub fn of(world: &World) -> Stage {
        let folder = test_folder().join(uuid::Uuid::now_v7().simple().to_string());
        fs::create_dir(&folder).unwrap();
        let key = folder.join("master.key");
        fs::write(&key, hex::encode(MASTER_KEY)).unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        let settings = vec![
            ("DATABASE_URL", world.site.database_url.clone()),
            ("STIPEND_SIMULATOR_URL", world.simulator.url()),
            ("STIPEND_SIMULATOR_DROPZONE", world.simulator.dropzone_address().unwrap().to_string()),
            ("STIPEND_MASTER_KEY_FILE", key.display().to_string()),
            ("STIPEND_DATA_DIR", folder.display().to_string()),
        ];
        Stage { folder, settings }
    }

    /// Runs an instance until it is ready.
    fn serve(&self) -> Program {
        self.serve_with(&[])
    }

    /// Runs an instance that crashes or stops at a place.
    pub fn serve_with(&self, places: &[(&str, &str)]) -> Program {
        let mut command = program(RunAs::Us);
        command.args(["serve", "--bind", "127.0.0.1:0"]).envs(self.settings.clone()).envs(places.iter().copied());
        Program::start(command)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _nothing_depends_on_it = fs::remove_dir_all(&self.folder);
    }
}

/// How many batches are neither finished nor given up.
async fn in_flight(world: &World) -> i64 {
    let mut tx = world.tx().await;
    sqlx::query_scalar(
        "select count(*) from payout_batches
        where merchant_id = $1 and (state in ('ready', 'submitting') or state = 'accepted' and settled_at is null)",
    )
    .bind(world.merchant)
    .fetch_one(&mut *tx)
    .await
    .unwrap()
}

/// Waits, with time passing faster than it does, until every batch is finished.
async fn converge(world: &World) {
    for _ in 0..300 {
        if in_flight(world).await == 0 {
            return;
        }
        tokio::time::sleep(StdDuration::from_millis(200)).await;
        world.advance(Duration::seconds(2));
    }
    panic!("not everything was finished: {:?}", world.standings().await);
}

/// Everybody was paid once, and nothing is in doubt.
async fn everybody_was_paid_once(world: &World, commissions: i64) {
    let standings = world.standings().await;
    assert_eq!(standings.get("paid"), Some(&commissions), "{standings:?}");
    assert_eq!(standings.len(), 1, "{standings:?}");
    for (receiver, (payments, _)) in world.paid().await {
        assert_eq!(payments, 1, "{receiver}");
    }
    world.check().await;
}
