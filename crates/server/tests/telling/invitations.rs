//! Invitations that leave as mails: sent once a link, again with a new one, and only where there is a mail server.

use axum::body::Body;
use http::Method;
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::id::{OrgId, Owner, UserId};
use mainspring_model::role::Role;
use mainspring_server::mail::Tls;
use mainspring_server::outbox;
use mainspring_server::settings::Settings;
use serde_json::{Value, json};

use super::mail::terms;
use super::smtp::{Smtp, read};
use super::until;
use crate::http::world::{Answer, World, ask, json_request};

async fn send(world: &World, key: &str, path: &str, body: Value) -> Answer {
    let mut request = json_request(Method::POST, path, &body);
    request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    world.send(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_with_an_address_is_mailed_and_sent_again() {
    let smtp = Smtp::start(&["451 try again later"]).await;
    let clock = FakeClock::at(1_750_000_000_000);
    let world = World::at(Settings { mail: terms(&smtp, Tls::Plain), ..World::settings() }, clock.clone()).await;
    let (ada, key) = world.key().await;
    let path = format!("/api/organizations/{}/invitations", ada.org);
    let bob = Owner { org: OrgId(world.app.engine.new_id()), user: UserId(world.app.engine.new_id()) };
    world.joins(bob, Role::Owner).await;
    let bobs = world.key_of(bob, None).await;
    let address = format!("{}@example.com", bob.user);

    let open = send(&world, &key, &path, json!({"role": "viewer"})).await;
    assert_eq!((open.status.as_u16(), &open.body["mailed"], &open.body["not_mailed"]), (201, &json!(false), &json!("no_address")));
    let made = send(&world, &key, &path, json!({"role": "admin", "email": address})).await;
    assert_eq!((made.status.as_u16(), &made.body["mailed"], &made.body["not_mailed"]), (201, &json!(true), &Value::Null), "{}", made.text);
    let (first, link) = (made.body["token"].as_str().unwrap(), made.body["link"].as_str().unwrap());
    assert!(link.ends_with(first), "who invites has the link too");

    // It is kept before it is answered: whoever comes next delivers it, as often as it takes.
    let delivering = tokio::spawn(outbox::serve(world.app.clone()));
    let again = clock.now() + 5_000;
    until("the first refusal", || async { world.app.store.next_message().await.unwrap() == Some(again) }).await;
    clock.advance_to(again);
    until("the mail", || async { smtp.letters().len() == 1 }).await;
    let letter = smtp.letters().remove(0);
    assert_eq!(letter.to, address);
    let text = read(&letter.text);
    assert!(text.contains(&format!("http://127.0.0.1:5000{link}")) && text.contains("Subject: Invitation to Org"), "{text}");
    assert!(text.contains("to be an admin of the organization Org"), "{text}");
    assert_eq!(world.get("/invitations").await.status, 200, "the link leads to a page");

    let id = made.body["invitation"]["id"].as_str().unwrap();
    let again = send(&world, &key, &format!("{path}/{id}/resend"), json!({"expires_in": "1h"})).await;
    assert_eq!((again.status.as_u16(), &again.body["mailed"]), (200, &json!(true)), "{}", again.text);
    let second = again.body["token"].as_str().unwrap();
    until("the second mail", || async { smtp.letters().len() == 2 }).await;
    assert!(read(&smtp.letters()[1].text).contains(second));
    let look = async |token: &str| send(&world, &bobs, "/api/invitations/look", json!({"token": token})).await.status.as_u16();
    assert_eq!((look(first).await, look(second).await), (404, 200), "the link before works no longer");
    let accepted = send(&world, &bobs, "/api/invitations/accept", json!({"token": second})).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text);
    let ended = send(&world, &key, &format!("{path}/{id}/resend"), json!({})).await;
    assert_eq!((ended.status.as_u16(), &ended.body["code"]), (409, &json!("CONFLICT")));
    delivering.abort();
}

#[tokio::test]
async fn nobodys_mailbox_is_filled_with_invitations() {
    let smtp = Smtp::start(&[]).await;
    let world = World::with(Settings { mail: terms(&smtp, Tls::Plain), ..World::settings() }).await;
    let (ada, key) = world.key().await;
    let path = format!("/api/organizations/{}/invitations", ada.org);
    let invite = async |email: &str| send(&world, &key, &path, json!({"email": email})).await;
    for _ in 0..3 {
        assert_eq!(invite("bob@example.com").await.status, 201);
    }
    let fourth = invite("BOB@example.com").await;
    assert_eq!((fourth.status.as_u16(), &fourth.body["code"]), (429, &json!("TOO_MANY_ATTEMPTS")));
    assert_eq!(invite("grace@example.com").await.status, 201);
    let listed = world.send(ask(Method::GET, &path).header("authorization", format!("Bearer {key}")).body(Body::empty()).unwrap()).await;
    assert_eq!(listed.body["invitations"].as_array().unwrap().len(), 4, "what was refused was not made");
}

#[tokio::test]
async fn without_a_mail_server_there_is_the_link_alone() {
    let world = World::keyed().await;
    let (ada, key) = world.key().await;
    let made = send(&world, &key, &format!("/api/organizations/{}/invitations", ada.org), json!({"email": "bob@example.com"})).await;
    assert_eq!((made.status.as_u16(), &made.body["mailed"], &made.body["not_mailed"]), (201, &json!(false), &json!("no_mail_server")));
    assert!(made.body["link"].as_str().unwrap().starts_with("/invitations#msi"));
    assert_eq!(world.app.store.next_message().await.unwrap(), None, "nothing waits for a mail server");
}

#[tokio::test]
async fn nobody_sends_an_invitation_above_their_own_role_again() {
    let world = World::keyed().await;
    let (ada, key) = world.key().await;
    let path = format!("/api/organizations/{}/invitations", ada.org);
    let made = send(&world, &key, &path, json!({"role": "owner"})).await;
    let admin = Owner { org: ada.org, user: UserId(world.app.engine.new_id()) };
    world.joins(admin, Role::Admin).await;
    let admins = world.key_of(admin, None).await;
    let id = made.body["invitation"]["id"].as_str().unwrap();
    let refused = send(&world, &admins, &format!("{path}/{id}/resend"), json!({})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (403, &json!("PERMISSION_DENIED")), "the new link would be the owner's");
}
