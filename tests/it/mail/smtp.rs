//! A server that takes mail, and one that does not.

use super::{count, post};
use crate::support::letters::{Letter, Letters};
use crate::support::world::World;
use std::sync::{Arc, Mutex};
use stipend::carrier::Carrier;
use stipend::config::Mail;
use stipend::mail::outbox;
use time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a mail server was given: envelope recipient and mail.
type Taken = Arc<Mutex<Vec<(String, Letter)>>>;

/// A mail server that refuses, for now, the first so many mails.
async fn server(refusals: usize) -> (String, Taken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("smtp://{}", listener.local_addr().unwrap());
    let (taken, left) = (Taken::default(), Arc::new(Mutex::new(refusals)));
    let given = taken.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(talk(stream, given.clone(), left.clone()));
        }
    });
    (address, taken)
}

async fn talk(stream: TcpStream, taken: Taken, left: Arc<Mutex<usize>>) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test\r\n").await.unwrap();
    let (mut line, mut recipient) = (String::new(), String::new());
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let answer = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "RCPT" => {
                recipient = line.trim().to_owned();
                let mut left = left.lock().unwrap();
                let refused = *left > 0;
                *left = left.saturating_sub(1);
                if refused { "451 later\r\n" } else { "250 ok\r\n" }
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.unwrap();
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    stream.read_line(&mut mail).await.unwrap();
                }
                taken.lock().unwrap().push((recipient.clone(), Letter::read(mail.trim_end_matches(".\r\n"))));
                "250 taken\r\n"
            }
            "QUIT" => return,
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        line.clear();
    }
}

/// A merchant whose address changes are to be mailed by this server, and an affiliate with one change.
async fn with_a_change(url: &str) -> World {
    let mut world = World::new().await;
    world.app.carrier = Some(
        Carrier::new(&Mail::Smtp { url: url.to_owned().into(), from: "pay@acme.example".parse().unwrap() }).unwrap(),
    );
    outbox::announce(&world.app).await.unwrap();
    world.owe("o'hara+1@example.com", &["10.00"]).await;
    let mut tx = world.tx().await;
    let change = "update affiliates set paypal_email = 'new@example.com', updated_at = $2 where merchant_id = $1";
    sqlx::query(change).bind(world.merchant).bind(world.app.clock.now()).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    world
}

#[tokio::test]
async fn a_refused_mail_is_tried_again_later_under_the_same_id() {
    let (url, taken) = server(1).await;
    let world = with_a_change(&url).await;
    post(&world).await;
    assert_eq!(taken.lock().unwrap().len(), 1, "the other one was refused for now");
    post(&world).await;
    assert_eq!(taken.lock().unwrap().len(), 1, "it is not tried at once");
    world.advance(Duration::minutes(2));
    post(&world).await;
    let taken = taken.lock().unwrap().clone();
    let mut to: Vec<&str> = taken.iter().map(|(recipient, _)| recipient.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["RCPT TO:<new@example.com>", "RCPT TO:<o'hara+1@example.com>"]);
    let ids: Vec<String> = taken.iter().map(|(_, letter)| letter.header("Message-ID").to_owned()).collect();
    let known: Vec<String> =
        sqlx::query_scalar("select '<' || id || '@acme.example>' from mails where merchant_id = $1")
            .bind(world.merchant)
            .fetch_all(&mut *world.tx().await)
            .await
            .unwrap();
    assert!(known.iter().all(|id| ids.contains(id)) && known.len() == 2, "{ids:?} {known:?}");
    assert_eq!(taken[0].1.header("From"), "Acme <pay@acme.example>");
    assert_eq!(count(&world, "sent").await, 2);
}

#[tokio::test]
async fn what_no_server_takes_for_days_is_given_up_where_people_see_it() {
    // Nobody listens there.
    let world = with_a_change("smtp://127.0.0.1:9").await;
    for _ in 0..10 {
        post(&world).await;
        assert_eq!(count(&world, "sent").await, 0);
        world.advance(Duration::hours(12));
    }
    assert_eq!(count(&world, "given_up").await, 2);
    let page = world.site.signed_in("ann@example.com").await.open("/settings/mail").await;
    assert!(page.text().contains("2 mails were given up: they could not be sent for three days."), "{}", page.text());
}

#[tokio::test]
async fn no_server_is_given_mail_about_money_that_is_not_real() {
    let (url, taken) = server(0).await;
    let mut world = World::connected().await;
    let from = "pay@acme.example".parse().unwrap();
    world.app.carrier = Some(Carrier::new(&Mail::Smtp { url: url.into(), from }).unwrap());
    outbox::announce(&world.app).await.unwrap();
    world.owe("anna@example.com", &["10.00"]).await;
    world.owe("failed@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    post(&world).await;
    assert_eq!((count(&world, "").await, taken.lock().unwrap().len()), (0, 0));
    // The same merchant, in a rehearsal that writes files.
    let letters = Letters::folder();
    world.app.carrier = Some(Carrier::new(&Mail::folder(letters.path().to_owned(), None)).unwrap());
    outbox::announce(&world.app).await.unwrap();
    world.owe("bert@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    post(&world).await;
    assert_eq!(letters.to("bert@example.com").len(), 1);
    world.check().await;
}
