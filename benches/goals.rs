//! Measures the work that a merchant waits for against a limit that is measured in the same run, on the same machine.
//!
//! `cargo bench --bench goals -- pay` : drafting and handing over 10,000 affiliates with 100,000 commissions (G5, G6, G8)
//! `cargo bench --bench goals -- due` : the page of what is due, 1,000,000 commissions of 100,000 affiliates (G3)
//! `cargo bench --bench goals -- webhooks` : PayPal's events, received and followed (G10)
//! `cargo bench --bench goals -- files` : a Large Batch file of 500,000 payments, and its report (G11, G12, G13)
//!
//! `PAID=5000000` puts so many paid commissions behind the first. Each figure is the median of five runs.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::float_arithmetic, reason = "ratios of times are no money")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures with the machine's clock")]

mod data;
mod due;
mod files;
mod pay;
mod webhooks;

use std::time::{Duration, Instant};
use stipend::database::Database;
use stipend::database::local::{LocalPostgres, Purpose};

/// Runs of each measurement.
const RUNS: usize = 5;

#[tokio::main]
async fn main() {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let folder = std::env::temp_dir().join(format!("stipend-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // fsync stays on: a payment is durable or it is not measured.
    let server = LocalPostgres::start(&folder, Purpose::Keep).await.unwrap();
    let database = Database::connect(&server.url()).await.unwrap();
    database.migrate().await.unwrap();
    println!("processor idle before: {} %", idle().await);
    let is_wanted = |name: &str| wanted.is_empty() || wanted == name;
    if is_wanted("pay") {
        pay::measure(&database).await;
    }
    if is_wanted("due") {
        due::measure(&database).await;
    }
    if is_wanted("webhooks") {
        webhooks::measure(&database).await;
    }
    if is_wanted("files") {
        files::measure(&database).await;
    }
    database.pool().close().await;
    server.stop().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The processor's idle share over a second; far below 90 the machine is too busy to trust the figures.
async fn idle() -> u64 {
    let read = || -> Option<(u64, u64)> {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        let ticks: Vec<u64> =
            stat.lines().next()?.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
        Some((*ticks.get(3)?, ticks.iter().sum()))
    };
    let Some((idle, all)) = read() else { return 0 };
    tokio::time::sleep(Duration::from_secs(1)).await;
    read().map_or(0, |(idle_after, all_after)| (idle_after - idle) * 100 / (all_after - all).max(1))
}

/// How long it took.
async fn timed<T>(work: impl Future<Output = T>) -> (Duration, T) {
    let start = Instant::now();
    let done = work.await;
    (start.elapsed(), done)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// One line of the result.
fn tell(goal: &str, what: &str, time: Duration, limit: Duration, allowed: f64) {
    let ratio = time.as_secs_f64() / limit.as_secs_f64();
    let verdict = if ratio <= allowed { "within" } else { "ABOVE" };
    println!("{goal}: {what}: {time:.3?}, {ratio:.2} x of {limit:.3?} ({verdict} {allowed} x)");
}
