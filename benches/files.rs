//! G11, G12 and G13: a Large Batch file of 500,000 payments out of the database, through a real OpenSSH server, and its
//! report back into the database.

use crate::{RUNS, data, median, tell, timed};
use sshd::Server;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use stipend::app::App;
use stipend::audit::Actor;
use stipend::clock::Clock;
use stipend::connection::dropzone::{self, Details, Outcome};
use stipend::database::Database;
use stipend::id::{BatchId, InstanceId, MerchantId};
use stipend::money::{Currency, Money};
use stipend::payout::draft::{Ask, How, draft};
use stipend::payout::selection::{self, Filter, Ticked};
use stipend::payout::{collect, files, manual, review, upload};
use stipend::paypal::large_batch::{Compression, Line, Summary, Writer};
use stipend::paypal::{Client, DropZone, Environment};
use stipend::vault::Vault;

#[path = "../tests/it/support/sshd.rs"]
mod sshd;

pub async fn measure(database: &Database) {
    let lines: i64 = std::env::var("LINES").ok().and_then(|text| text.parse().ok()).unwrap_or(500_000);
    let folder = std::env::temp_dir().join(format!("stipend-bench-sshd-{}", std::process::id()));
    let server = Server::start(&folder);
    let (merchant, person) = data::merchant(database, lines, lines, 0).await;
    let app = app(database, server.port);
    let actor = Actor { person: Some(person), address: None, at: app.clock.now() };
    connect(&app, merchant, &actor, &server).await;

    let idle = resident();
    let (selecting, ask) = timed(select(&app, merchant, &actor)).await;
    println!(
        "    select all {lines} and open the review: {selecting:.3?}, {} MB above idle",
        peak().saturating_sub(idle)
    );
    let (drafting, batches) = timed(draft(&app, merchant, &ask)).await;
    let batch = batches.unwrap()[0];
    println!("    freeze the file: {drafting:.3?}, {} MB above idle at the most", peak().saturating_sub(idle));

    let input = files::input(&mut database.merchant(merchant).await.unwrap(), batch).await.unwrap().unwrap();
    let (copy, written) = (folder.join("copy.csv"), folder.join("written.csv"));
    let (mut limits, mut copies) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        limits.push(timed(async { write_file(&written, lines) }).await.0);
        copies.push(timed(write_out(&app, merchant, batch, &copy)).await.0);
    }
    println!("L11: writing a file of {lines} lines with fsync: {:.3?}", median(limits.clone()));
    tell("G11", "the frozen file out of the database, with fsync", median(copies), median(limits), 3.0);

    let limit = sftp(&server, &copy);
    println!("L12: OpenSSH's sftp puts the same {} bytes: {limit:.3?}", input.bytes);
    manual::let_go(&app, merchant, &actor, batch, None).await.unwrap().unwrap();
    let (putting, put) = timed(upload::next(&app)).await;
    assert!(put.unwrap());
    tell("G12", "the upload, connection included", putting, limit, 1.5);

    let stem = input.name.trim_end_matches(".csv");
    server.answer(&format!("{stem}_ack.csv"), &format!("2026-02-26T05:48:53Z,{stem},ACCEPTED_FOR_PROCESSING\n"));
    assert_eq!(server.incoming(), std::slice::from_ref(&input.name));
    fs::remove_file(folder.join("Incoming").join(&input.name)).unwrap();
    app.clock.set_offset(app.clock.offset() + time::Duration::minutes(1));
    assert!(collect::next(&app).await.unwrap());
    let report = folder.join("Outgoing").join(format!("{}_OUT.csv", stem.to_uppercase()));
    write_report(&copy, &report);
    let idle = resident();
    app.clock.set_offset(app.clock.offset() + time::Duration::minutes(1));
    let (applying, collected) = timed(collect::next(&app)).await;
    assert!(collected.unwrap());
    println!("    {} MB above idle while the report was applied", peak().saturating_sub(idle));
    tell("G13", "a report of all lines fetched and applied", applying, Duration::from_secs(10), 1.0);
    std::thread::sleep(Duration::from_millis(1100)); // another time of the file
    write_report(&copy, &report);
    app.clock.set_offset(app.clock.offset() + time::Duration::hours(2));
    let (again, collected) = timed(collect::next(&app)).await;
    assert!(collected.unwrap());
    tell("G13", "the same report again", again, Duration::from_secs(2), 1.0);
    let mut tx = database.merchant(merchant).await.unwrap();
    let paid: i64 = sqlx::query_scalar("select count(*) from payout_items where batch_id = $1 and state = 'paid'")
        .bind(batch)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(paid, lines);
}

fn app(database: &Database, port: u16) -> App {
    let clock = Clock::system();
    App {
        database: database.clone(),
        vault: Vault::new(&[7; 32]),
        paypal: Client::new(
            reqwest::Client::builder().build().unwrap(),
            Some("http://127.0.0.1:9".into()),
            clock.clone(),
        ),
        dropzone: DropZone::new(true, Some(format!("127.0.0.1:{port}"))),
        clock,
        carrier: None,
        public_url: None,
        listens_at: None,
        demo: None,
        instance: InstanceId::new(),
        wake: Arc::default(),
    }
}

async fn connect(app: &App, merchant: MerchantId, actor: &Actor, server: &Server) {
    dropzone::begin(app, merchant, actor, Environment::Simulator).await.unwrap().unwrap();
    let shown = async || {
        let mut tx = app.database.merchant(merchant).await.unwrap();
        dropzone::show(&mut tx).await.unwrap().unwrap()
    };
    let ours = fs::read_to_string(server.folder.join("host_key.pub")).unwrap();
    server.admit(&format!("{}\n{ours}", shown().await.public_key));
    let details = Details::read(&server.user, "Incoming", "Outgoing").unwrap();
    dropzone::save(app, merchant, actor, &details).await.unwrap().unwrap();
    let offered = shown().await.host_key_offered.unwrap();
    assert_eq!(dropzone::approve(app, merchant, actor, &offered).await.unwrap().unwrap(), Outcome::Ready);
}

async fn select(app: &App, merchant: MerchantId, actor: &Actor) -> Ask {
    let everything = Ticked::AllBut { filter: Filter::default(), except: Vec::new(), payable_only: true };
    let mut tx = app.database.merchant(merchant).await.unwrap();
    let request = selection::select(&mut tx, actor, app.clock.today("UTC"), &everything).await.unwrap().unwrap();
    let seen = review::load(&mut tx, request, (0, 200), actor.at).await.unwrap().unwrap().seen();
    tx.commit().await.unwrap();
    let how = How::File { compression: Compression::Plain };
    Ask { request, actor: actor.clone(), how, subject: "You have a payout".into(), message: String::new(), seen }
}

/// The limit: as many lines out of memory into a file.
fn write_file(path: &std::path::Path, lines: i64) {
    let amount = Money::new("12.34".parse().unwrap(), Currency::USD).unwrap();
    let total = Money::new(amount.amount() * rust_decimal::Decimal::from(lines), Currency::USD).unwrap();
    let summary = Summary { total, items: lines.cast_unsigned(), subject: "You have a payout", message: "" };
    let file = BufWriter::new(File::create(path).unwrap());
    let mut writer = Writer::new(file, Compression::Plain, &summary).unwrap();
    for number in 0..lines {
        let reference = format!("{number:026}");
        writer
            .line(&Line { receiver: "affiliate-12345@example.com", amount, reference: &reference, note: "" })
            .unwrap();
    }
    writer.finish().unwrap().into_inner().unwrap().sync_all().unwrap();
}

async fn write_out(app: &App, merchant: MerchantId, batch: BatchId, path: &std::path::Path) {
    let mut file = File::create(path).unwrap();
    for place in 0.. {
        let mut tx = app.database.merchant(merchant).await.unwrap();
        let Some(part) = files::input_part(&mut tx, batch, place).await.unwrap() else { break };
        file.write_all(&part).unwrap();
    }
    file.sync_all().unwrap();
}

/// OpenSSH's own client, connection included.
fn sftp(server: &Server, file: &std::path::Path) -> Duration {
    let batch = server.folder.join("batch");
    fs::write(&batch, format!("put {} Outgoing/by-sftp\nrm Outgoing/by-sftp\n", file.display())).unwrap();
    let start = std::time::Instant::now();
    let status = Command::new("sftp")
        .args(["-q", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-b"])
        .arg(&batch)
        .arg("-i")
        .arg(server.folder.join("host_key"))
        .arg("-P")
        .arg(server.port.to_string())
        .arg(format!("{}@127.0.0.1", server.user))
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    start.elapsed()
}

/// What PayPal would report of every line: paid.
fn write_report(input: &std::path::Path, report: &std::path::Path) {
    let mut out = BufWriter::new(File::create(report).unwrap());
    for (number, line) in BufReader::new(File::open(input).unwrap()).lines().enumerate().skip(1) {
        let line = line.unwrap();
        let cells: Vec<&str> = line.split(',').collect();
        let (receiver, amount, reference) = (cells[1], cells[2], cells[4]);
        writeln!(
            out,
            "{reference},I{number},T{number},,{receiver},USD,{amount},0.25,1.50,SUCCESS,,,2026-01-16T10:33:20Z"
        )
        .unwrap();
    }
    out.into_inner().unwrap().sync_all().unwrap();
}

/// Megabytes of this process; the highest is counted anew from here on.
fn resident() -> u64 {
    let _only_linux_counts_anew = fs::write("/proc/self/clear_refs", "5");
    status("VmRSS:")
}

/// The most megabytes since [`resident`] was asked.
fn peak() -> u64 {
    status("VmHWM:")
}

fn status(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0) / 1024
}
