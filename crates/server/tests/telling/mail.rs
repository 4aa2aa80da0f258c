//! Mails: kept in the moment that they are asked for, tried again, sent once, and never over an open way by accident.

use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::credential::Secret;
use mainspring_model::id::OrgId;
use mainspring_model::store::Put;
use mainspring_server::mail::{self, Mail, Postman, Terms, Tls};
use mainspring_server::outbox;
use mainspring_server::settings::Settings;

use super::smtp::Smtp;
use super::until;
use crate::http::world::World;

const START: i64 = 1_750_000_000_000;

pub fn terms(smtp: &Smtp, tls: Tls) -> Terms {
    let url = format!("smtp://mainspring:mail-password@localhost:{}", smtp.port);
    Terms { url: Some(Secret::new(url)), from: Some("Mainspring <m@example.com>".to_owned()), tls: Some(tls), ..Terms::default() }
}

fn letter() -> Mail {
    let text = "Follow https://here.example/verify?token=once-only\n.and a line with a dot\n".to_owned();
    Mail { to: "Ada <ada@example.com>".to_owned(), subject: "Grüße\r\nBcc: eve@example.com".to_owned(), text }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_waits_sealed_until_the_server_takes_it() {
    let smtp = Smtp::start(&["451 try again later", "550 nobody here"]).await;
    let clock = FakeClock::at(START);
    let world = World::at(Settings { mail: terms(&smtp, Tls::Plain), ..World::settings() }, clock.clone()).await;
    mail::send(&world.app, &letter()).await.unwrap();
    let kept = std::fs::read(world.folder().join("mainspring.db-wal")).unwrap();
    assert!(!kept.windows(9).any(|bytes| bytes == b"once-only"), "what is kept is sealed");
    let delivering = tokio::spawn(outbox::serve(world.app.clone()));
    let next = || async { world.app.store.next_message().await.unwrap() };
    until("the first refusal", || async { next().await == Some(START + 5_000) }).await;
    assert_eq!(smtp.letters(), []);
    clock.advance_to(START + 5_000);
    // Refused for good: nobody of that name.
    until("giving up", || async { next().await.is_none() }).await;
    assert_eq!(smtp.letters(), []);

    let other = Mail { to: "grace@example.com".to_owned(), ..letter() };
    assert_eq!(mail::send_once(&world.app, OrgId::LOCAL, "welcome/grace", &other).await.unwrap(), Put::Waits);
    assert_eq!(mail::send_once(&world.app, OrgId::LOCAL, "welcome/grace", &other).await.unwrap(), Put::Known);
    until("the mail", || async { !smtp.letters().is_empty() && next().await.is_none() }).await;
    let [sent] = &smtp.letters()[..] else { panic!("one mail was sent: {:?}", smtp.letters()) };
    assert_eq!((sent.from.as_str(), sent.to.as_str()), ("m@example.com", "grace@example.com"));
    assert!(sent.text.contains("once-only") && sent.text.contains("\n.and a line"), "{}", sent.text);
    assert!(sent.text.contains("Message-ID: <") && !sent.text.contains("\nBcc:"), "{}", sent.text);
    assert!(smtp.logins().iter().all(|line| line.starts_with("AUTH PLAIN")) && !smtp.logins().is_empty());
    assert_eq!(mail::send_once(&world.app, OrgId::LOCAL, "welcome/grace", &other).await.unwrap(), Put::Known, "also when it was sent");
    delivering.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_of_a_killed_process_is_sent_by_the_next_one() {
    let smtp = Smtp::start(&[]).await;
    let clock = FakeClock::at(START);
    let world = World::at(Settings { mail: terms(&smtp, Tls::Plain), ..World::settings() }, clock.clone()).await;
    mail::send(&world.app, &letter()).await.unwrap();
    // Whoever takes it ends before it is delivered.
    assert_eq!(world.app.store.claim_messages(9, 120_000).await.unwrap().len(), 1);
    let delivering = tokio::spawn(outbox::serve(world.app.clone()));
    until("a look that finds nothing", || async { clock.next_sleeper().is_some() }).await;
    assert_eq!(smtp.letters(), []);
    // In steps: whoever else sleeps by this clock may have been what was seen above.
    until("the mail", || async {
        clock.advance_to(clock.now() + 1_000);
        smtp.letters().len() == 1
    })
    .await;
    delivering.abort();
}

#[tokio::test]
async fn a_server_without_tls_gets_no_password() {
    let smtp = Smtp::start(&[]).await;
    let server = terms(&smtp, Tls::StartTls).server().unwrap().unwrap();
    let postman = Postman::new(&server).unwrap();
    assert!(postman.greet().await.is_err() && postman.send("id", &letter()).await.is_err());
    assert_eq!((smtp.logins(), smtp.letters()), (vec![], vec![]));
    let plain = Postman::new(&terms(&smtp, Tls::Plain).server().unwrap().unwrap()).unwrap();
    plain.greet().await.unwrap();
    assert_eq!(smtp.letters(), [], "greeting sends nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_a_mail_is_logged_and_in_production_it_waits() {
    for (environment, left) in [("development", None), ("production", Some(START + 5_000))] {
        let clock = FakeClock::at(START);
        let world = World::at(Settings { environment: environment.to_owned(), ..World::settings() }, clock.clone()).await;
        mail::send(&world.app, &letter()).await.unwrap();
        let delivering = tokio::spawn(outbox::serve(world.app.clone()));
        until("a delivery", || async { world.app.store.next_message().await.unwrap() == left }).await;
        delivering.abort();
    }
}
